//! The acceptance cases of `scheduler/RULES.md` §15, by number. Nodes unless stated: n1 (region=us, 4 CPU, 8 GiB) and
//! n2 (region=eu, 2 CPU, 4 GiB), both healthy and empty; spread, default filters, overcommit 0.05.

mod capacity;
mod manager;
mod original;

use swarmlab::model::{Bytes, Labels, PortBinding};
use swarmlab::scheduler::{Filter, Strategy};

use manager::{Config, Failure, Manager};

const CONSTRAINTS: &str = "com.docker.swarm.constraints";
const AFFINITIES: &str = "com.docker.swarm.affinities";

/// A container with this environment.
fn env(entries: &[&str]) -> Config {
    Config {
        env: entries.iter().map(|entry| entry.to_string()).collect(),
        ..Config::default()
    }
}

fn labels(pairs: &[(&str, &str)]) -> Labels {
    pairs
        .iter()
        .map(|(key, value)| (key.to_string(), value.to_string()))
        .collect()
}

/// `-p IP:HOST:80`
fn publish(host_ip: &str, host_port: &str) -> Config {
    Config {
        port_bindings: vec![PortBinding {
            container_port: "80/tcp".into(),
            host_ip: host_ip.into(),
            host_port: host_port.into(),
        }],
        ..Config::default()
    }
}

impl Manager {
    /// Where a nameless container with this environment lands on these nodes, which keep it.
    fn lands(&mut self, entries: &[&str]) -> Result<String, Failure> {
        self.create("", env(entries)).map(|created| created.node)
    }
}

/// Where the first container lands on two empty nodes.
fn lands(entries: &[&str]) -> Result<String, Failure> {
    Manager::with_two_nodes().lands(entries)
}

fn refused(entries: &[&str]) -> Failure {
    let failure = lands(entries).expect_err("no node should take it");
    assert_eq!(failure.status, 500);
    failure
}

fn n1() -> Result<String, Failure> {
    Ok("n1".to_owned())
}

fn n2() -> Result<String, Failure> {
    Ok("n2".to_owned())
}

#[test]
fn case_01_expressions_move_from_env_to_labels() {
    let mut manager = Manager::with_two_nodes();
    let created = manager
        .create("c1", env(&["A=b", "constraint:region==us"]))
        .expect("n1 takes it");
    assert_eq!(created.node, "n1");
    let told = manager.inspect("c1");
    assert_eq!(told.env, ["A=b"]);
    assert_eq!(told.labels[CONSTRAINTS], r#"["region==us"]"#);
    let id = &told.labels["com.docker.swarm.id"];
    assert!(
        id.len() == 64 && id.bytes().all(|digit| b"0123456789abcdef".contains(&digit)),
        "{id}"
    );
    manager.create("c2", env(&[])).expect("some node takes it");
    assert_ne!(&manager.inspect("c2").labels["com.docker.swarm.id"], id);
    let found = manager
        .cluster
        .find(id)
        .and_then(|found| manager.cluster.container(found));
    assert_eq!(found.map(|container| container.name()), Some("c1"));
}

#[test]
fn case_02_constraints_of_labels_come_first() {
    let mut manager = Manager::with_two_nodes();
    let config = Config {
        labels: labels(&[(CONSTRAINTS, r#"["region==us"]"#)]),
        ..env(&["constraint:node==n1"])
    };
    manager.create("c1", config).expect("n1 takes it");
    assert_eq!(
        manager.inspect("c1").labels[CONSTRAINTS],
        r#"["region==us","node==n1"]"#
    );
}

#[test]
fn case_03_the_error_lists_the_conditions() {
    assert_eq!(
        refused(&["constraint:node==nope"]).body,
        "Unable to find a node that satisfies the following conditions \n[available container slots]\n[node==nope]\n"
    );
}

#[test]
fn case_04_an_expression_needs_an_operator() {
    assert_eq!(
        refused(&["constraint:no"]).last_line(),
        "error from constraint filter: One of operator ==, != is expected"
    );
}

#[test]
fn case_05_an_invalid_key() {
    assert_eq!(
        refused(&["constraint:1a==x"]).last_line(),
        "error from constraint filter: Key '1a' is invalid"
    );
}

#[test]
fn case_06_an_invalid_value() {
    assert_eq!(
        refused(&["constraint:node==a,b"]).last_line(),
        "error from constraint filter: Value 'a,b' is invalid"
    );
    assert_eq!(
        refused(&["constraint:node=="]).last_line(),
        "error from constraint filter: Value '' is invalid"
    );
}

#[test]
fn case_07_soft_constraints_are_dropped_if_need_be() {
    assert!(lands(&["constraint:region==~asia"]).is_ok());
    let failure = refused(&["constraint:region==~asia", "constraint:node==n9"]);
    assert_eq!(failure.last_line(), "[region==asia node==n9]");
}

#[test]
fn case_08_globs_and_absent_labels() {
    assert_eq!(lands(&["constraint:region!=us*"]), n2());
    assert!(lands(&["constraint:rack!=r1"]).is_ok());
    assert!(lands(&["constraint:rack==*"]).is_ok());
}

#[test]
fn case_09_regular_expressions_heed_case_unless_told() {
    refused(&["constraint:region==/^U/"]);
    assert_eq!(lands(&["constraint:region==/(?i)^U/"]), n1());
}

#[test]
fn case_10_affinity_to_a_container() {
    let mut manager = Manager::with_two_nodes();
    let c1 = manager
        .create("c1", env(&["constraint:node==n1"]))
        .expect("n1 takes it");
    assert_eq!(manager.lands(&["affinity:container==c1"]), n1());
    assert_eq!(manager.lands(&["affinity:container!=c1"]), n2());
    let short = format!("affinity:container=={}", &c1.id[..12]);
    let failure = manager.lands(&[&short]).expect_err("short IDs are no names");
    assert_eq!(
        failure.last_line(),
        format!("[container=={} (soft=false)]", &c1.id[..12])
    );
    assert_eq!(manager.lands(&[&format!("{short}*")]), n1());
}

#[test]
fn case_11_affinity_to_an_image() {
    let mut manager = Manager::with_two_nodes();
    manager.add_image("n2", "test:latest");
    assert_eq!(manager.lands(&["affinity:image==test"]), n2());
    assert_eq!(manager.lands(&["affinity:image!=test"]), n1());
    assert_eq!(manager.lands(&["affinity:image==~nope", "affinity:image==test"]), n2());
}

#[test]
fn case_12_simultaneous_creates_see_one_another() {
    let mut manager = Manager::with_two_nodes();
    let config = Config {
        labels: labels(&[("t", "1"), ("tt", "1")]),
        ..env(&["affinity:tt!=1"])
    };
    // All three are scheduled before any daemon answers.
    let started: Vec<_> = ["a", "b", "c"]
        .into_iter()
        .map(|name| manager.start(name, config.clone()))
        .collect();
    let finished: Vec<_> = started.into_iter().map(|started| manager.finish(started?)).collect();
    assert_eq!(finished.iter().filter(|created| created.is_ok()).count(), 2);
    assert!(finished[2].is_err());
    assert_eq!((manager.count("n1"), manager.count("n2")), (1, 1));
}

#[test]
fn case_12_as_written_fails_on_its_one_letter_key() {
    let failure = refused(&["affinity:t!=1"]);
    assert_eq!(failure.last_line(), "error from affinity filter: Key 't' is invalid");
}

#[test]
fn case_13_published_ports() {
    let mut manager = Manager::with_two_nodes();
    manager.create("a", publish("", "80")).expect("a node takes it");
    manager.create("b", publish("", "80")).expect("the other takes it");
    manager.stop("a");
    manager.stop("b");
    let failure = manager
        .create("c", publish("", "80"))
        .expect_err("both ports are taken");
    assert_eq!(failure.body.lines().nth(1), Some("[port 80 (Bridge mode)]"));
    manager.remove("b");
    manager.create("c", publish("", "80")).expect("the port is free again");

    let mut manager = Manager::with_two_nodes();
    let on_n1 = |host_ip| Config {
        env: env(&["constraint:node==n1"]).env,
        ..publish(host_ip, "80")
    };
    manager.create("a", on_n1("10.0.0.1")).expect("n1 takes it");
    manager
        .create("b", on_n1("127.0.0.1"))
        .expect("another address is free");
    manager
        .create("c", on_n1("0.0.0.0"))
        .expect_err("not every address is free");
}

#[test]
fn case_14_exposed_ports_in_the_hosts_network() {
    let mut manager = Manager::with_two_nodes();
    let config = Config {
        network_mode: "host".into(),
        exposed_ports: vec!["80/tcp".into()],
        ..Config::default()
    };
    manager.create("a", config.clone()).expect("a node takes it");
    manager.create("b", config.clone()).expect("the other takes it");
    let failure = manager.create("c", config).expect_err("both ports are taken");
    assert_eq!(failure.body.lines().nth(1), Some("[port 80/tcp (Host mode)]"));
}

#[test]
fn case_15_container_slots() {
    let with_slots = |slots| {
        let mut manager = Manager::new(Strategy::Spread);
        manager.add_node("n1", 4, Bytes::from_gib(8), &[("containerslots", slots)]);
        manager.add_node("n2", 2, Bytes::from_gib(4), &[("containerslots", slots)]);
        manager
    };
    let mut manager = with_slots("2");
    for _ in 0..4 {
        manager.lands(&[]).expect("there are slots");
    }
    let failure = manager.lands(&[]).expect_err("all slots are taken");
    assert!(failure.body.contains("available container slots"), "{}", failure.body);
    let mut manager = with_slots("foo");
    for _ in 0..50 {
        manager.lands(&[]).expect("slots are not limited");
    }
}

#[test]
fn case_16_dependencies_that_do_not_resolve() {
    let config = Config {
        links: vec!["zz:a".into()],
        volumes_from: vec!["vv:ro".into()],
        network_mode: "container:nn".into(),
        ..Config::default()
    };
    let failure = Manager::with_two_nodes()
        .create("c", config)
        .expect_err("nothing resolves");
    assert_eq!(
        failure.last_line(),
        "[--volumes-from=vv:ro --link=zz:a --net=container:nn]"
    );
}

#[test]
fn case_23_names_are_unique_but_no_ids() {
    let mut manager = Manager::with_two_nodes();
    let c1 = manager
        .create("c1", env(&["constraint:node==n1"]))
        .expect("the name is free");
    let conflict = Failure {
        status: 409,
        body: "Conflict: The name c1 is already assigned. You have to delete (or rename) that container to be able to \
               assign c1 to a container again.\n"
            .into(),
    };
    assert_eq!(manager.create("c1", env(&[])).expect_err("it is running"), conflict);
    manager.stop("c1");
    assert_eq!(manager.create("c1", env(&[])).expect_err("it has exited"), conflict);
    manager.set_failures("n1", 3);
    assert_eq!(
        manager.create("c1", env(&[])).expect_err("it is out of sight"),
        conflict
    );
    manager
        .create(&c1.id[..12], env(&[]))
        .expect("the name is no container's name");
    manager.remove("c1");
    manager.create("c1", env(&[])).expect("the name is free again");
}

#[test]
fn case_24_reschedule_policies() {
    assert_eq!(refused(&["reschedule:foo"]).body, "invalid reschedule policy: foo\n");
    let twice = Config {
        labels: labels(&[("com.docker.swarm.reschedule-policies", r#"["off"]"#)]),
        ..env(&["reschedule:off"])
    };
    let failure = Manager::with_two_nodes().create("c", twice).expect_err("there are two");
    assert_eq!(
        failure,
        Failure {
            status: 500,
            body: "too many reschedule policies\n".into()
        }
    );
}

#[test]
fn case_25_whitelists() {
    assert_eq!(lands(&["whitelist:node==n1|n9"]), n1());
    assert_eq!(lands(&["whitelist:any!=n2"]), n2());
    assert_eq!(lands(&["whitelist:node==n1|n2", "whitelist:node==n2|n3"]), n2());
    assert_eq!(refused(&["whitelist:node==n9"]).last_line(), "[node==n9 (soft=false)]");
}

#[test]
fn case_26_an_image_that_cannot_be_pulled_is_looked_for_elsewhere() {
    let mut manager = Manager::with_two_nodes();
    manager.add_image("n1", "private:1");
    let asking = |constraint| Config {
        image: "private:1".into(),
        ..env(&[constraint])
    };
    let created = manager
        .create("c1", asking("constraint:node==~n2"))
        .expect("n1 has the image");
    assert_eq!(created.node, "n1");
    let told = manager.inspect("c1").labels;
    assert_eq!(told[AFFINITIES], "[]", "the affinity is gone");
    assert_eq!(told[CONSTRAINTS], r#"["node==~n2"]"#);
    let placed = manager
        .cluster
        .find("c1")
        .and_then(|found| manager.cluster.container(found))
        .expect("it is there");
    assert_eq!(
        placed.request().affinities,
        [""; 0],
        "moving the container must not ask for it either"
    );

    let failure = manager
        .create("c2", asking("constraint:node==n2"))
        .expect_err("n2 cannot pull it");
    assert_eq!(failure.status, 500);
    assert!(
        failure
            .body
            .starts_with("Failed to load private:1: repository does not exist"),
        "{}",
        failure.body
    );
    assert_eq!(manager.count("n2"), 0, "nothing stays reserved");
}

#[test]
fn case_27_retries_after_a_daemon_died() {
    let dead_n2 = || {
        let mut manager = Manager::with_two_nodes();
        manager.lands(&["constraint:node==n1"]).expect("n1 takes it");
        manager.daemon("n2").alive = false;
        manager
    };
    let mut manager = dead_n2();
    let failure = manager.lands(&[]).expect_err("n2 is dead");
    assert_eq!(failure.status, 500);
    assert!(
        failure.body.starts_with("Cannot connect to the Docker daemon"),
        "{}",
        failure.body
    );
    assert_eq!(manager.lands(&[]), n1());
    let mut manager = dead_n2();
    manager.retries = 1;
    assert_eq!(manager.lands(&[]), n1());
}

#[test]
fn case_28_all_nodes_are_unhealthy() {
    let mut manager = Manager::with_two_nodes();
    manager.set_failures("n1", 3);
    manager.set_failures("n2", 4);
    let failure = manager.lands(&[]).expect_err("no node is healthy");
    assert_eq!(
        failure,
        Failure {
            status: 500,
            body: "No healthy node available in the cluster\n".into()
        }
    );
}

#[test]
fn case_29_filters_are_chosen_by_name() {
    let filters: Result<Vec<Filter>, _> = ["constraint", "health"].into_iter().map(str::parse).collect();
    let filters = filters.expect("both exist");
    assert_eq!(
        filters
            .iter()
            .map(|filter| filter.name())
            .collect::<Vec<_>>()
            .join(", "),
        "constraint, health"
    );
    let error = "foo".parse::<Filter>().expect_err("there is no such filter");
    assert!(error.to_string().starts_with("filter not supported"), "{error}");

    let mut manager = Manager::with_two_nodes();
    manager.set_filters(&filters);
    manager
        .create(
            "a",
            Config {
                env: env(&["constraint:node==n1"]).env,
                ..publish("", "80")
            },
        )
        .expect("n1 takes it");
    manager
        .create(
            "b",
            Config {
                env: env(&["constraint:node==n1"]).env,
                ..publish("", "80")
            },
        )
        .expect("nobody looks at ports");
    let failure = manager
        .lands(&["constraint:node==nope"])
        .expect_err("there is no such node");
    assert_eq!(
        failure.body,
        "Unable to find a node that satisfies the following conditions \n[node==nope]\n"
    );
}

#[test]
fn case_30_a_single_slash_is_refused_and_nothing_else() {
    let mut manager = Manager::with_two_nodes();
    for expression in [
        "constraint:node==/",
        "constraint:node==~/",
        "affinity:container==/",
        "affinity:image!=~/",
    ] {
        let failure = manager.lands(&[expression]).expect_err("the value is invalid");
        assert_eq!(failure.status, 500);
        assert!(failure.last_line().ends_with("/' is invalid"), "{}", failure.body);
        let before = manager.cluster.totals().containers;
        manager
            .lands(&["constraint:node==n1"])
            .expect("later requests are not affected");
        manager.lands(&[]).expect("later requests are not affected");
        assert_eq!(manager.cluster.totals().containers, before + 2);
    }
    let last = refused(&["constraint:node==/"]);
    assert_eq!(last.last_line(), "error from constraint filter: Value '/' is invalid");
}
