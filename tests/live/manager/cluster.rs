//! What belongs to several nodes: networks, volumes, images, builds, events, and the cluster's account of itself.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;

use super::{Manager, OWN_ADDRESS, SOON, encoded, eventually, words};
use crate::clients::Client;
use crate::daemons::{self, Registry};
use crate::guardian;
use crate::runner::{Case, cases};

pub const CASES: [Case; 10] = cases!(cluster:
    the_cluster_describes_itself,
    networks_are_on_their_nodes,
    volumes_are_on_all_nodes_or_one,
    images_are_merged_and_spread,
    images_come_from_a_registry needs Registry,
    builds_go_where_they_are_told,
    buildkit_talks_to_one_engine,
    builds_that_no_node_takes_say_why_at_once,
    what_this_cluster_does_not_have_is_said,
    clients_come_through_ports_and_sockets,
);

/// api 1 and 30; live-manager 1, 20 and 26.
fn the_cluster_describes_itself() {
    let daemons = daemons::shared();
    let manager = Manager::over(&daemons);
    for docker in manager.every_docker() {
        let info = docker.ok(["info"]);
        for node in daemons.iter() {
            let id = node.docker().ok(words("info -f {{.ID}}"));
            assert!(info.contains(&format!("{}: {}", node.name(), node.address())), "{info}");
            assert!(info.contains(&format!("ID: {id}|{}", node.address())), "{info}");
        }
        assert!(info.contains("Nodes: 2") && info.contains("Strategy: spread"), "{info}");
        let version = docker.ok(["version"]);
        assert!(version.contains("swarm/1.2.9"), "{version}");
    }
    for path in ["/_ping", "/v1.24/_ping"] {
        let answer = manager.ask("GET", path, "");
        assert!(answer.status == 200 && answer.body == "OK", "{answer:?}");
        assert!(answer.head.to_lowercase().contains("api-version: 1.41"), "{answer:?}");
    }
    assert_eq!(manager.ask("GET", "/events?until=1", "").body, "");
    assert_eq!(manager.ask("GET", "/events?until=abc", "").status, 400);

    let docker = manager.docker();
    let form = "{{.Action}} {{.Type}} {{.Actor.Attributes.name}} {{index .Actor.Attributes \"node.name\"}} {{.From}};";
    let events = docker.start(["events", "--format", form]);
    // Nothing says when a client has begun to listen, so it is given something to hear until it does.
    let heard = || {
        docker.ok(words("run --rm --name early busybox true"));
        events.out()
    };
    eventually(heard, |out| out.contains("die container early"));
    docker.ok(words("run --rm --name late -e constraint:node==node-2 busybox true"));
    let out = events.expect("destroy container late", SOON);
    assert!(
        out.contains("create container late node-2 busybox node:node-2;"),
        "{out}"
    );
    docker.ok(words("volume create heard"));
    events.expect("create volume", SOON);
    docker.ok(words("network create -d bridge node-1/heard"));
    events.expect("create network heard", SOON);
}

/// api 26 and 27; live-manager 14.
fn networks_are_on_their_nodes() {
    let daemons = daemons::shared();
    let manager = Manager::over(&daemons);
    let docker = manager.docker();
    let listed = docker.ok(words("network ls --format {{.Name}}"));
    let mut names = words(&listed);
    names.sort_unstable();
    let expected = [
        "node-1/bridge",
        "node-1/host",
        "node-1/none",
        "node-2/bridge",
        "node-2/host",
        "node-2/none",
    ];
    assert_eq!(names, expected);
    assert!(
        docker
            .fails(words("network inspect bridge"))
            .contains("No such network: bridge")
    );
    assert_eq!(docker.ok(words("network inspect -f {{.Name}} node-1/bridge")), "bridge");
    let bad = format!("/networks?filters={}", encoded(r#"{"type":["foo"]}"#));
    assert_eq!(manager.told("GET", &bad, "").0, 400);
    // Without a driver it is an overlay, which these daemons, in no swarm, refuse.
    let refused = docker.fails(words("network create wide -d overlay"));
    assert!(refused.contains("overlay") || refused.contains("swarm"), "{refused}");
    let (status, text) = manager.told("POST", "/networks/create", r#"{"Name":"wide"}"#);
    assert!(
        status >= 400 && (text.contains("overlay") || text.contains("swarm")),
        "{status} {text}"
    );
    let (status, text) = manager.told("POST", "/networks/create", r#"{"Name":"node-9/x","Driver":"bridge"}"#);
    assert!(status == 500 && text.contains("[node==node-9]"), "{status} {text}");

    for docker in manager.every_docker() {
        docker.ok(words("network create -d bridge --label a=b node-1/br1"));
        assert!(
            daemons[0]
                .docker()
                .ok(words("network ls --format {{.Name}}"))
                .contains("br1")
        );
        assert!(
            !daemons[1]
                .docker()
                .ok(words("network ls --format {{.Name}}"))
                .contains("br1")
        );
        assert_eq!(
            docker.ok(words("network ls -f label=a=b --format {{.Name}}")),
            "node-1/br1"
        );
        assert_eq!(
            docker.ok(words("network ls -f type=custom --format {{.Name}}")),
            "node-1/br1"
        );
        assert_eq!(docker.ok(words("network inspect -f {{.Driver}} br1")), "bridge");
        // A container on it goes where it is.
        docker.ok(words("run -d --init --name web --net br1 busybox sleep 1000"));
        assert_eq!(docker.ok(words("inspect -f {{.Node.Name}} web")), "node-1");
        docker.ok(words(
            "run -d --init --name db -e constraint:node==node-1 busybox sleep 1000",
        ));
        docker.ok(words("network connect --alias data br1 db"));
        assert!(
            docker
                .ok(words("exec web ping -c 1 data"))
                .contains("1 packets received")
        );
        let attached = docker.ok([
            "network",
            "inspect",
            "-f",
            "{{range .Containers}}{{.Name}} {{end}}",
            "br1",
        ]);
        assert!(attached.contains("web") && attached.contains("db"), "{attached}");
        docker.ok(words("network disconnect br1 db"));
        let attached = docker.ok([
            "network",
            "inspect",
            "-f",
            "{{range .Containers}}{{.Name}} {{end}}",
            "br1",
        ]);
        assert!(!attached.contains("db"), "{attached}");
        assert!(docker.fails(words("network rm br1")).contains("active endpoints"));
        docker.ok(words("rm -f web db"));
        docker.ok(words("network rm node-1/br1"));
        assert!(docker.fails(words("network rm br1")).contains("No such network"));
    }
}

/// api 28.
fn volumes_are_on_all_nodes_or_one() {
    let daemons = daemons::shared();
    let manager = Manager::over(&daemons);
    for docker in manager.every_docker() {
        let names = || {
            let listed = docker.ok(words("volume ls -q"));
            let mut names = words(&listed);
            names.sort_unstable();
            names.join(" ")
        };
        docker.ok(words("volume create v1"));
        docker.ok(words("volume create node-2/v2"));
        docker.ok([
            "volume",
            "create",
            "--label",
            r#"com.docker.swarm.whitelists=["node==node-1|node-9"]"#,
            "v3",
        ]);
        assert_eq!(names(), "node-1/v1 node-1/v3 node-2/v1 node-2/v2");
        assert!(
            docker
                .fails(words("volume inspect v1"))
                .to_lowercase()
                .contains("no such volume: v1")
        );
        assert_eq!(docker.ok(words("volume inspect -f {{.Name}} node-1/v1")), "v1");
        assert_eq!(docker.ok(words("volume inspect -f {{.Name}} v2")), "v2");
        // Volumes draw containers to where they are.
        docker.ok(words("run --rm -v v2:/v busybox touch /v/file"));
        assert_eq!(docker.ok(words("run --rm -v v2:/v busybox ls /v")), "file");
        docker.ok(words("create --name user -v v2:/v busybox"));
        assert!(docker.fails(words("volume rm v2")).contains("in use"));
        docker.ok(words("rm user"));
        docker.ok(words("volume rm v1 v2 node-1/v3"));
        assert_eq!(names(), "");
        assert!(
            docker
                .fails(words("volume rm v1"))
                .to_lowercase()
                .contains("no such volume")
        );
    }
}

/// api 21 to 25.
fn images_are_merged_and_spread() {
    let daemons = daemons::shared();
    daemons[0].docker().ok(words("tag busybox first:1"));
    daemons[1].docker().ok(words("tag busybox second:1"));
    let manager = Manager::over(&daemons);
    let docker = manager.docker();
    let tags = |line: &str| {
        let listed = docker.ok(words(&format!(
            "images {line} --format {{{{.Repository}}}}:{{{{.Tag}}}}"
        )));
        let mut tags: Vec<String> = words(&listed).into_iter().map(str::to_owned).collect();
        tags.sort_unstable();
        tags.join(" ")
    };
    assert_eq!(tags(""), "busybox:latest first:1 second:1");
    assert_eq!(manager.listed("/images/json").len(), 1);
    assert_eq!(tags("-f node=node-1"), "busybox:latest first:1");
    let (status, _) = manager.told(
        "GET",
        &format!("/images/json?filters={}", encoded(r#"{"dangling":["x"]}"#)),
        "",
    );
    assert_eq!(status, 400);
    let since = format!("/images/json?filters={}", encoded(r#"{"since":["nothing"]}"#));
    let (status, text) = manager.told("GET", &since, "");
    assert!(
        status == 400 && text.contains("no such image found: 'nothing'"),
        "{status} {text}"
    );
    let (status, text) = manager.told("GET", "/images/get?names=first:1&names=second:1", "");
    let expected = "Unable to find a healthy engine containing all images: [first:1 second:1]";
    assert_eq!((status, text.as_str()), (404, expected));

    docker.ok(words("tag busybox both:1"));
    for node in daemons.iter() {
        assert!(!node.docker().ok(words("images -q both:1")).is_empty());
    }
    assert_eq!(docker.ok(words("image inspect -f {{.Os}} both:1")), "linux");
    docker.ok(words("history both:1"));
    assert!(docker.fails(words("rmi bus")).contains("No such image"));
    let archive = guardian::laboratory().expect("in the laboratory").join("both.tar");
    let archive = archive.display().to_string();
    for docker in manager.every_docker() {
        docker.ok(["save", "-o", &archive, "both:1"]);
        docker.ok(words("rmi both:1"));
        for node in daemons.iter() {
            assert_eq!(node.docker().ok(words("images -q both:1")), "");
        }
        docker.ok(["load", "-i", &archive]);
        for node in daemons.iter() {
            assert!(
                !node.docker().ok(words("images -q both:1")).is_empty(),
                "{}",
                node.name()
            );
        }
        let failed = docker.fed(b"this is no archive", words("load"));
        assert!(failed.code.is_some_and(|code| code != 0), "{failed:?}");
    }
    docker.ok(words("rmi both:1 first:1 second:1"));
    // What a container exports is imported everywhere.
    docker.ok(words("create --name box busybox"));
    docker.ok(["export", "-o", &archive, "box"]);
    docker.ok(["import", &archive, "imported:1"]);
    for node in daemons.iter() {
        assert_eq!(node.docker().ok(words("run --rm imported:1 /bin/echo here")), "here");
    }
    fs::remove_file(&archive).expect("the archive");
}

/// api 20; scheduling 26 in part: an image that only the registry has.
fn images_come_from_a_registry() {
    let daemons = daemons::shared();
    let registry = Registry::start();
    let manager = Manager::over(&daemons);
    let docker = manager.docker();
    let image = registry.image("app:1");
    docker.ok(["tag", "busybox", &image]);
    docker.ok(["push", &image]);
    docker.ok(["rmi", &image]);
    assert_eq!(docker.ok(["run", "--rm", &image, "echo", "here"]), "here");
    for docker in manager.every_docker() {
        docker.run(["rmi", &image]);
        let said = docker.ok(["pull", &image]);
        assert!(
            said.contains("node-1: Pulling") && said.contains("node-2: Pulling"),
            "{said}"
        );
        for node in daemons.iter() {
            assert!(!node.docker().ok(["images", "-q", &image]).is_empty());
        }
        let missing = docker.fails(["pull", &registry.image("nothing:1")]);
        assert!(
            missing.contains("not found") || missing.contains("manifest unknown"),
            "{missing}"
        );
        docker.fails(["run", "--rm", &registry.image("nothing:1"), "true"]);
    }
    let answer = manager.ask("POST", &format!("/images/create?fromImage={}", encoded(&image)), "");
    assert_eq!(answer.status, 200);
    for node in ["node-1", "node-2"] {
        assert!(
            answer.body.matches(&format!(r#""id":"{node}""#)).count() >= 2,
            "{answer:?}"
        );
    }
    let answer = manager.ask(
        "POST",
        &format!("/images/create?fromImage={}", registry.image("nothing&tag=1")),
        "",
    );
    assert!(
        answer.status == 200 && answer.body.lines().last().unwrap_or_default().contains("error"),
        "{answer:?}"
    );
}

/// api 29.
fn builds_go_where_they_are_told() {
    let daemons = daemons::shared();
    let manager = Manager::over(&daemons);
    let place = guardian::laboratory().expect("in the laboratory").join("build");
    fs::create_dir_all(&place).expect("a directory");
    let text = "FROM busybox\nARG WHO=nobody\nRUN echo built for $WHO >/who\nCMD cat /who\n";
    fs::write(place.join("Dockerfile"), text).expect("a recipe");
    let place = place.display().to_string();
    for docker in manager.every_docker() {
        let docker = docker.environment("DOCKER_BUILDKIT", "0");
        let build = |node: &str| {
            let node = format!("constraint:node=={node}");
            let line = [
                "build",
                "-t",
                "built:1",
                "--build-arg",
                &node,
                "--build-arg",
                "WHO=us",
                &place,
            ];
            docker.run(line)
        };
        let built = build("node-2");
        assert!(built.code == Some(0) && !built.out.contains("constraint"), "{built:?}");
        assert!(!built.err.contains("not consumed"), "{built:?}");
        assert!(daemons[0].docker().ok(words("images -q built:1")).is_empty());
        assert_eq!(
            docker.ok(words("run --rm -e affinity:image==built:1 built:1")),
            "built for us"
        );
        let refused = build("node-9");
        assert!(
            refused.code != Some(0) && refused.err.contains("[node==node-9]"),
            "{refused:?}"
        );
        docker.ok(words("rmi built:1"));
    }
}

/// BuildKit takes over a connection, over which the engine asks for files, and builds by another request that names it.
fn buildkit_talks_to_one_engine() {
    let daemons = daemons::shared();
    let manager = Manager::over(&daemons);
    let place = guardian::laboratory().expect("in the laboratory").join("buildkit");
    fs::create_dir_all(&place).expect("a directory");
    let text = "FROM busybox\nCOPY said /said\nRUN --mount=type=secret,id=key cat /said /run/secrets/key >/both\nCMD cat /both\n";
    fs::write(place.join("Dockerfile"), text).expect("a recipe");
    fs::write(place.join("said"), "words\n").expect("a file");
    fs::write(place.join("key"), "whispers\n").expect("a secret");
    let secret = format!("id=key,src={}", place.join("key").display());
    // The distribution's client has BuildKit's own part in it; those of today need a plugin for that.
    let docker = manager.docker().environment("DOCKER_BUILDKIT", "1");
    let place = place.display().to_string();
    let built = docker.run([
        "build",
        "--progress",
        "plain",
        "--secret",
        &secret,
        "-t",
        "kit:1",
        &place,
    ]);
    assert_eq!(built.code, Some(0), "{built:?}");
    let said = docker.ok(words("run --rm -e affinity:image==kit:1 kit:1"));
    assert_eq!(said, "words\nwhispers");
    let holders = daemons
        .iter()
        .filter(|node| !node.docker().ok(words("images -q kit:1")).is_empty());
    assert_eq!(holders.count(), 1);
    docker.ok(words("rmi kit:1"));
}

/// Docker's client waits for the end of its session before it says anything.
fn builds_that_no_node_takes_say_why_at_once() {
    let daemons = daemons::shared();
    let manager = Manager::over(&daemons);
    let place = guardian::laboratory().expect("in the laboratory").join("nowhere");
    fs::create_dir_all(&place).expect("a directory");
    fs::write(place.join("Dockerfile"), "FROM busybox\n").expect("a recipe");
    for kit in ["0", "1"] {
        let docker = manager.docker().environment("DOCKER_BUILDKIT", kit);
        let place = place.display().to_string();
        let built = docker.run(["build", "--build-arg", "constraint:zone==nowhere", &place]);
        assert!(built.code.is_some_and(|code| code != 0), "{built:?}");
        assert!(built.err.contains("[zone==nowhere]"), "{built:?}");
        assert!(!built.err.contains("dial gRPC"), "{built:?}");
    }
}

/// Answers to what engines in swarm mode have, and what takes up their disks.
fn what_this_cluster_does_not_have_is_said() {
    let daemons = daemons::shared();
    let manager = Manager::over(&daemons);
    let docker = manager.docker();
    for line in ["node ls", "service ls", "swarm init", "secret ls", "config ls"] {
        let refused = docker.fails(words(line));
        assert!(refused.contains("standalone cluster"), "{line}: {refused}");
        assert!(!refused.contains("docker swarm init"), "{line}: {refused}");
    }
    // Docker's client has words of its own for these.
    for (path, told) in [
        ("/plugins", "belong to single engines"),
        ("/tasks", "no services"),
        ("/nonsense", "is not part of"),
    ] {
        let (status, text) = manager.told("GET", path, "");
        assert!(status == 404 && text.contains(told), "{text}");
    }
    for body in [r#"{"Name":"wide"}"#, r#"{"Name":"wide","Driver":"overlay"}"#] {
        let (status, told) = manager.told("POST", "/networks/create", body);
        assert!(
            status >= 400 && told.contains("--driver bridge") && told.contains("network_mode: bridge"),
            "{told}"
        );
        assert!(!told.contains("docker swarm init"), "{told}");
    }
    docker.ok(words("create --name idle busybox true"));
    docker.ok(words("network create -d bridge node-2/unused"));
    docker.ok(words("volume create spare"));
    let rows = docker.ok(["system", "df", "--format", "{{.Type}} {{.TotalCount}}"]);
    assert!(
        rows.contains("Containers 1") && rows.contains("Local Volumes 2"),
        "{rows}"
    );
    let removed = docker.ok(words("system prune -f --volumes"));
    for name in ["node-2/unused", "node-1/spare", "node-2/spare", "Total reclaimed space"] {
        assert!(removed.contains(name), "{name}: {removed}");
    }
    assert_eq!(docker.ok(words("ps -aq")), "");
}

/// cli-and-discovery 23.
fn clients_come_through_ports_and_sockets() {
    let daemons = daemons::shared();
    let socket = guardian::laboratory().expect("in the laboratory").join("swarm.sock");
    drop(UnixListener::bind(&socket).expect("a socket that is left behind"));
    let hosts = [format!("unix://{}", socket.display()), format!("{OWN_ADDRESS}:3376")];
    let flags: Vec<&str> = hosts.iter().flat_map(|host| ["-H", host]).collect();
    let manager = Manager::with(&daemons, &flags);
    let mode = fs::metadata(&socket).expect("a socket").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    for host in [manager.endpoint(), hosts[0].clone(), format!("tcp://{}", hosts[1])] {
        for docker in Client::every_docker(&host) {
            assert_eq!(docker.ok(words("run --rm busybox echo here")), "here", "{host}");
        }
    }
}
