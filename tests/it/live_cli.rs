//! The command lines of the live commands, by the numbers of the acceptance cases in the specification of the
//! original's command line. Cases that need a running manager or a store are elsewhere.

#[cfg(unix)]
mod running;
#[cfg(unix)]
mod tokens;

use std::fs;
use std::process::{Command, Stdio};

use tempfile::TempDir;

fn swarmlab(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_swarmlab"));
    for variable in [
        "DEBUG",
        "SWARM_DISCOVERY",
        "SWARM_DISCOVERY_URL",
        "CONSUL_HTTP_TOKEN",
        "SWARM_DISCOVERY_PASSWORD",
        "SWARM_ADVERTISE",
        "SWARM_HOST",
    ] {
        command.env_remove(variable);
    }
    command.args(arguments).stdin(Stdio::null());
    command
}

/// Exit code, standard output, error output.
fn finish(mut command: Command) -> (i32, String, String) {
    let output = command.output().expect("the program starts");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("output is text");
    (
        output.status.code().expect("not killed"),
        text(output.stdout),
        text(output.stderr),
    )
}

fn words(line: &str) -> Vec<&str> {
    line.split(' ').filter(|word| !word.is_empty()).collect()
}

fn outcome(line: &str) -> (i32, String, String) {
    finish(swarmlab(&words(line)))
}

/// What `list` prints.
fn listed(line: &str) -> Vec<String> {
    let (code, output, errors) = outcome(line);
    assert_eq!((code, errors.as_str()), (0, ""), "{line}");
    output.lines().map(str::to_owned).collect()
}

/// The error of `list` or `create`, which stands on the error output behind a time.
fn complaint(line: &str) -> String {
    let (code, output, errors) = outcome(line);
    assert_eq!((code, output.as_str()), (1, ""), "{line}");
    let (time, text) = errors.split_at("2006/01/02 15:04:05 ".len());
    let is_time = time.bytes().zip(*b"dddd/dd/dd dd:dd:dd ").all(|(byte, form)| {
        if form == b'd' {
            byte.is_ascii_digit()
        } else {
            byte == form
        }
    });
    assert!(is_time, "{errors}");
    text.trim_end().to_owned()
}

/// The message of the last line of a log, which must be fatal, its quotes still escaped.
fn fatal_message(log: &str) -> String {
    let line = log.lines().last().unwrap_or_default();
    let (time, rest) = line.split_once("Z\" level=fatal msg=\"").unwrap_or_default();
    assert!(time.starts_with("time=\"2"), "{log}");
    rest.strip_suffix('"').expect("a closed quote").to_owned()
}

/// The fatal error that a command ends with.
fn fatal(line: &str) -> String {
    let (code, log, errors) = outcome(line);
    assert_eq!((code, errors.as_str()), (1, ""), "{line}: {log}");
    fatal_message(&log)
}

fn file(text: &str) -> (TempDir, String) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("cluster");
    fs::write(&path, text).expect("a file");
    let url = format!("file://{}", path.display());
    (directory, url)
}

#[test]
fn case_01_version() {
    // The original's own name and number would be a lie; the number that clients care about is there.
    let expected = format!(
        "swarmlab version {} (compatible with swarm 1.2.9)\n",
        env!("CARGO_PKG_VERSION")
    );
    for line in ["--version", "-version", "-v", "--v", "-V", "--debug --version list"] {
        assert_eq!(outcome(line), (0, expected.clone(), String::new()), "{line}");
    }
}

#[test]
fn case_02_create() {
    let expected = "the `create` command takes no arguments. See 'swarmlab create --help'.";
    assert_eq!(complaint("create x"), expected);
    assert_eq!(complaint("c x y"), expected);
    // The original goes to a host on the internet, which is gone; here somebody has to say where to go.
    let nowhere = complaint("create");
    assert!(
        nowhere.contains("--discovery-url") && nowhere.contains("discovery-service"),
        "{nowhere}"
    );
    assert!(complaint("create --discovery-url x").contains("x is no URL of a discovery service"));
    assert_eq!(
        fatal("create --discovery-opt x"),
        "--discovery-opt must contain key=value strings"
    );
}

#[test]
fn case_03_and_04_nodes() {
    assert_eq!(
        listed("list nodes://1.1.1.1:1,2.2.2.[1:3]:2375"),
        ["1.1.1.1:1", "2.2.2.1:2375", "2.2.2.2:2375", "2.2.2.3:2375"]
    );
    assert_eq!(listed("list 1.1.1.1:1"), listed("l nodes://1.1.1.1:1"));
    assert_eq!(listed("list [::1]:5,x:"), ["[::1]:5", "x:"]);
    assert_eq!(
        complaint("list 10.0.0.1"),
        "address 10.0.0.1: missing port in address, please check you are using the correct discovery \
         (missing token:// ?)"
    );
}

#[test]
fn case_05_and_06_files() {
    let (_directory, url) = file("# c\n10.0.0.[1:2]:2375 # hi\n\n  192.168.0.1:[1:2]375  ");
    assert_eq!(
        listed(&format!("list {url}")),
        ["10.0.0.1:2375", "10.0.0.2:2375", "192.168.0.1:1375", "192.168.0.1:2375"]
    );
    let (_directory, url) = file("");
    assert_eq!(listed(&format!("list {url}")), [""; 0]);
    let missing = complaint(&format!("list {url}-missing"));
    let path = url.trim_start_matches("file://");
    assert!(
        missing.starts_with(&format!("failed to read '{path}-missing': No such file")),
        "{missing}"
    );
    let (_directory, url) = file("a:1\nnohost\n");
    assert_eq!(
        complaint(&format!("list {url}")),
        "address nohost: missing port in address"
    );
}

#[test]
fn case_07_ranges() {
    assert_eq!(listed("list nodes://h[2:1]:5"), [""; 0]);
    assert_eq!(listed("list nodes://h-[08:10]:1"), ["h-8:1", "h-9:1", "h-10:1"]);
    assert_eq!(listed("list h%[1:2]:1"), ["h%1:1", "h%2:1"]);
    assert!(complaint("list [1:2].[3:4]:1").contains("missing port in address"));
    assert!(complaint("list h[0:4000000000]:1").contains("more than 100000 entries"));
}

#[test]
fn case_08_timeouts() {
    for line in [
        "list --timeout 0s a:1",
        "list -timeout=-10s a:1",
        "list --timeout -10s a:1",
    ] {
        assert_eq!(complaint(line), "--timeout should be a positive number");
    }
    assert_eq!(
        complaint("list --timeout x a:1"),
        "invalid --timeout: time: invalid duration \"x\""
    );
    assert_eq!(
        complaint("list --timeout 10 a:1"),
        "invalid --timeout: time: missing unit in duration \"10\""
    );
}

#[test]
fn case_09_back_ends() {
    assert_eq!(complaint("list bogus://x"), "discovery service not supported");
    assert_eq!(complaint("list token://"), "token is empty");
    assert_eq!(complaint("list token://host/v1/"), "token is empty");
    assert!(complaint("list token://abc").contains("--discovery-url"));
    assert_eq!(
        complaint("list consul://a,b/x"),
        "consul does not support multiple endpoints"
    );
}

#[test]
fn case_10_the_argument_and_the_environment() {
    let with = |line| {
        let mut command = swarmlab(&words(line));
        command.env("SWARM_DISCOVERY", "nodes://b:2");
        finish(command)
    };
    assert_eq!(with("list"), (0, "b:2\n".to_owned(), String::new()));
    assert_eq!(with("list x:1 y:2"), (0, "b:2\n".to_owned(), String::new()));
    assert_eq!(with("list x:1"), (0, "x:1\n".to_owned(), String::new()));
    let expected = "discovery required to list a cluster. See 'swarmlab list --help'.";
    assert_eq!(complaint("list"), expected);
    assert_eq!(
        fatal("manage"),
        "discovery required to manage a cluster. See 'swarmlab manage --help'."
    );
    // A flag that comes too late is none; who writes one is told so.
    let (code, log, errors) = outcome("list x:1 --timeout 5s");
    assert_eq!(code, 1);
    assert!(errors.contains(expected), "{errors}");
    assert!(
        log.contains("level=warning msg=\"--timeout stands behind an argument"),
        "{log}"
    );
}

#[test]
fn case_11_checks_of_join() {
    for (line, expected) in [
        (
            "join",
            "discovery required to join a cluster. See 'swarmlab join --help'.",
        ),
        ("join a:1", "missing mandatory --advertise flag"),
        ("join --delay x a:1", "missing mandatory --advertise flag"),
        (
            "join --addr 1.1.1.1 --delay x a:1",
            "--advertise should be of the form ip:port or hostname:port",
        ),
        (
            "j --addr h:1 --delay x --heartbeat x a:1",
            r#"invalid --delay: time: invalid duration \"x\""#,
        ),
        ("j -addr h:1 -delay -1s a:1", "--delay should not be a negative number"),
        (
            "j -addr h:1 --heartbeat x --ttl x a:1",
            r#"invalid --heartbeat: time: invalid duration \"x\""#,
        ),
        (
            "j -addr h:1 --heartbeat 999ms a:1",
            "--heartbeat should be at least one second",
        ),
        (
            "j -addr h:1 --ttl x bogus://",
            r#"invalid --ttl: time: invalid duration \"x\""#,
        ),
        (
            "j -addr h:1 --ttl 60s bogus://",
            "--ttl must be strictly superior to the heartbeat value",
        ),
        ("j -addr h:1 bogus://", "discovery service not supported"),
        (
            "j -addr h:1 --discovery-opt x a:1",
            "--discovery-opt must contain key=value strings",
        ),
    ] {
        assert_eq!(fatal(line), expected, "{line}");
    }
    // What is shared with the other commands is logged, even by `list`.
    assert_eq!(
        fatal("list --discovery-opt x a:1"),
        "--discovery-opt must contain key=value strings"
    );
}

/// Case 12 is next to the parser; here is where the address may come from.
#[test]
fn case_12_the_advertised_address_may_be_in_the_environment() {
    let mut command = swarmlab(&words("join bogus://"));
    command.env("SWARM_ADVERTISE", ":1");
    assert_eq!(fatal_message(&finish(command).1), "discovery service not supported");
    let mut command = swarmlab(&words("join bogus://"));
    command.env("SWARM_ADVERTISE", "h");
    let message = fatal_message(&finish(command).1);
    assert_eq!(message, "--advertise should be of the form ip:port or hostname:port");
}

#[test]
fn case_18_combinations_of_tls_flags() {
    let pair = "--tlscert and --tlskey must be provided when using --tls";
    let authority = "--tlscacert must be provided when using --tlsverify";
    let either = "--tlscert, --tlskey and --tlscacert require the use of either --tls or --tlsverify";
    for (flags, expected) in [
        ("--tls", pair),
        ("--tls --tlscert c", pair),
        ("--tlsverify --tlskey k --tlscacert a", pair),
        ("--tlsverify --tlscert c --tlskey k", authority),
        ("--tls --tlsverify --tlscert c --tlskey k", authority),
        ("--tlscert c", either),
        ("--tlskey k", either),
        ("--tls=false --tlscacert a", either),
    ] {
        // Before everything else, such as the missing discovery.
        assert_eq!(fatal(&format!("manage {flags}")), expected, "{flags}");
    }
}

#[test]
fn case_19_refresh_and_failure_flags() {
    let shortest = "min refresh interval should be a positive number";
    let longest = "max refresh interval cannot be less than min refresh interval";
    for (flags, expected) in [
        ("--engine-refresh-min-interval 0s", shortest),
        ("--engine-refresh-min-interval abc", shortest),
        ("--engine-refresh-max-interval 5s", longest),
        ("--engine-refresh-max-interval abc --engine-refresh-retry 4", longest),
        (
            "--engine-refresh-retry 4 --engine-failure-retry 0",
            "--engine-refresh-retry is deprecated. Use --engine-failure-retry",
        ),
        ("--engine-failure-retry 0", "invalid failure retry count"),
        ("--engine-failure-retry -1", "invalid failure retry count"),
        (
            "--engine-failure-retry x",
            r#"invalid value \"x\" for flag -engine-failure-retry: strconv.ParseInt: parsing \"x\": invalid syntax"#,
        ),
    ] {
        assert_eq!(fatal(&format!("manage {flags}")), expected, "{flags}");
    }
}

#[test]
fn case_20_cluster_options() {
    for (flags, expected) in [
        (
            "--cluster-opt swarm.overcommit=-2",
            "swarm.overcommit should be larger than -1, -2.000000 is invalid",
        ),
        (
            "--cluster-opt swarm.overcommit=-1 --cluster-opt swarm.overcommit=1",
            "swarm.overcommit should be larger than -1, -1.000000 is invalid",
        ),
        (
            "--cluster-opt swarm.overcommit=NaN",
            "swarm.overcommit should be at most 1000, NaN is invalid",
        ),
        (
            "--cluster-opt swarm.createretry=-1",
            "swarm.createretry can not be negative, -1 is invalid",
        ),
        (
            "--cluster-opt swarm.createretry=-0x10",
            "swarm.createretry can not be negative, -16 is invalid",
        ),
        (
            "--cluster-opt swarm.overcommit",
            "--cluster-opt swarm.overcommit has no value; write swarm.overcommit=<number>",
        ),
        (
            "--cluster-opt swarm.nameretention=soon",
            "--cluster-opt swarm.nameretention=soon is no duration; write for example 2m or 0s",
        ),
    ] {
        assert_eq!(fatal(&format!("manage {flags} a:1")), expected, "{flags}");
    }
    // What is checked afterwards ends these, so that no manager runs.
    let after = "--advertise address must be provided when using --leader-election";
    for flags in [
        "--cluster-opt swarm.overcommit=abc",
        "--cluster-opt unknown",
        "--cluster-opt swarm.createretry=0x2",
        "--cluster-opt swarm.nameretention=1m30s",
        "--cluster-opt swarm.nameretention=0s",
    ] {
        let (_, log, _) = outcome(&format!("manage {flags} --replication a:1"));
        assert_eq!(fatal_message(&log), after);
        assert_eq!(log.lines().count(), 1, "{log}");
    }
    let (_, log, _) = outcome("manage --cluster-opt swarm.overcommit=-0.5 --replication a:1");
    assert_eq!(fatal_message(&log), after);
    assert!(log.contains("level=warning msg=\"-1 < swarm.overcommit < 0"), "{log}");
}

#[test]
fn case_21_names_that_do_not_exist() {
    for (flags, expected) in [
        ("--strategy foo --filter foo", "strategy not supported"),
        ("-filter foo -c mesos", "filter not supported"),
        ("-c mesos -H udp://1:1", r#"unsupported cluster \"mesos\""#),
        (
            "-strategy binpacking -H x:1 -H udp://1:1",
            r#"unsupported protocol: \"udp\""#,
        ),
    ] {
        let message = fatal(&format!("manage {flags} a:1"));
        assert!(message.starts_with(expected), "{flags}: {message}");
    }
    let mut command = swarmlab(&words("manage -H :1 a:1"));
    command.env("SWARM_HOST", "tcp://a:1,udp://b:1");
    let (_, log, _) = finish(command);
    assert_eq!(
        fatal_message(&log),
        r#"unsupported protocol: \"udp\""#,
        "the flag replaces only the first"
    );
}

/// live-manager 23 as well.
#[test]
fn case_22_replication() {
    for (flags, expected) in [
        ("", "--advertise address must be provided when using --leader-election"),
        (
            "--advertise h",
            "--advertise should be of the form ip:port or hostname:port",
        ),
        (
            "--advertise h:1 --replication-ttl 0s",
            "--replication-ttl should be a positive number",
        ),
        (
            "--advertise h:1 --replication-ttl x",
            r#"invalid --replication-ttl: time: invalid duration \"x\""#,
        ),
        (
            "--advertise h:1",
            "Leader election is only supported with consul, etcd and zookeeper discovery.",
        ),
    ] {
        assert_eq!(fatal(&format!("manage --replication {flags} a:1")), expected, "{flags}");
    }
}

/// The original goes on without TLS.
#[test]
fn certificates_for_a_store_are_complete_or_refused() {
    let given = "--discovery-opt kv.cacertfile=/ca --discovery-opt kv.certfile=/cert";
    let missing = "--discovery-opt kv.keyfile is missing: ";
    for url in [
        "etcd://127.0.0.1:1",
        "consul://127.0.0.1:1",
        #[cfg(feature = "zookeeper")]
        "zk://127.0.0.1:1",
    ] {
        for fault in [
            complaint(&format!("list {given} {url}")),
            fatal(&format!("manage {given} {url}")),
            fatal(&format!("join {given} --advertise h:1 {url}")),
        ] {
            assert!(fault.starts_with(missing), "{url}: {fault}");
        }
    }
}

#[test]
fn case_24_heartbeat() {
    let expected = "--heartbeat should be at least one second";
    assert_eq!(fatal("manage --heartbeat 500ms bogus://x"), expected);
    assert_eq!(fatal("manage --heartbeat -5s a:1"), expected);
    assert_eq!(fatal("manage bogus://x"), "discovery service not supported");
}

#[test]
fn case_25_help() {
    for line in [
        "manage --help",
        "m -h",
        "help manage",
        "--debug manage -help=true",
        "manage --strategy x -h y",
    ] {
        let (code, help, errors) = outcome(line);
        assert_eq!((code, errors.as_str()), (0, ""), "{line}");
        let begin = "Usage: swarmlab manage [OPTIONS] <discovery>\n\nManage a cluster";
        assert!(help.starts_with(begin), "{help}");
        for expected in [
            "Arguments:\n   <discovery>    ",
            "* consul://<ip>/<path>",
            "* token://<token>\n",
            "[$SWARM_DISCOVERY]",
            "[$SWARM_DISCOVERY_URL]",
            "Options:\n   --strategy \"spread\" ",
            "--filter, -f [--filter option --filter option]",
            "--advertise, --addr ",
            "--api-enable-cors, --cors ",
            "--replication-ttl \"20s\"",
            "[$SWARM_HOST]",
            "swarm.overcommit=0.05",
            "swarm.createretry=0",
        ] {
            assert!(help.contains(expected), "{expected} is missing in\n{help}");
        }
    }
    for (line, begin) in [
        ("join --help", "Usage: swarmlab join [OPTIONS] <discovery>\n"),
        ("help l", "Usage: swarmlab list [OPTIONS] <discovery>\n"),
        (
            "create -h",
            "Usage: swarmlab create [OPTIONS]\n\nCreate a cluster of a discovery service",
        ),
        ("--help", "Compare and measure"),
        ("-h manage --bogus", "Compare and measure"),
        ("help", "Compare and measure"),
        ("help compare", "Compare strategies"),
    ] {
        let (code, help, errors) = outcome(line);
        assert_eq!((code, errors.as_str()), (0, ""), "{line}");
        assert!(help.starts_with(begin), "{line}: {help}");
    }
}

#[test]
fn wrong_flags_show_the_help_and_end_with_a_fault() {
    for (line, expected) in [
        ("manage --bogus", "flag provided but not defined: -bogus"),
        ("m -bogus=x --help", "flag provided but not defined: -bogus"),
        ("list --timeout", "flag needs an argument: -timeout"),
        ("create ---x", "bad flag syntax: ---x"),
    ] {
        let (code, output, errors) = outcome(line);
        assert_eq!((code, errors.as_str()), (1, ""), "{line}");
        assert!(output.starts_with("Incorrect Usage.\n\nUsage: swarmlab "), "{output}");
        assert_eq!(fatal_message(&output), expected);
    }
}

#[test]
fn global_options_come_first_and_choose_what_is_logged() {
    assert_eq!(
        fatal("--log-level loud list a:1"),
        r#"not a valid logrus Level: \"loud\""#
    );
    assert_eq!(fatal("-l loud join"), r#"not a valid logrus Level: \"loud\""#);
    let late = ["list", "a:1", "-x"];
    let with = |global: &[&str]| {
        let (_, log, _) = finish(swarmlab(&[global, &late].concat()));
        log.lines().count()
    };
    assert_eq!(with(&["-debug", "--experimental"]), 1, "a warning");
    assert_eq!(with(&["-l", "warning"]), 1);
    assert_eq!(with(&["--debug", "-l=error"]), 0, "an explicit level counts");
    assert_eq!(with(&["--log-level", "fatal"]), 0);
    // The commands for simulations know none of this, and unknown commands stay faults.
    for line in [
        "--debug run x",
        "-l debug schema",
        "bogus",
        "--bogus list a:1",
        "-bogus",
    ] {
        let (code, _, errors) = outcome(line);
        assert_eq!(code, 2, "{line}");
        assert!(!errors.is_empty());
    }
}

#[test]
fn completions_and_manual_pages_know_the_live_commands() {
    let (code, completions, _) = outcome("completions bash");
    assert_eq!(code, 0);
    assert!(completions.contains("manage") && completions.contains("--engine-failure-retry"));
    let (code, page, _) = outcome("man manage");
    assert_eq!(code, 0);
    assert!(
        page.contains("swarmlab\\-manage") && page.contains("replication\\-ttl"),
        "{page}"
    );
}
