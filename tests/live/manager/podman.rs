//! Podman's Docker-compatible service as an engine among Docker's. What it says differs in form from what Docker says;
//! clients notice nothing of it.

use std::fs;

use super::{Manager, SOON, eventually, words};
use crate::daemons::{Daemons, Node, Setup};
use crate::guardian;
use crate::runner::{Case, cases};

pub const CASES: [Case; 2] = cases!(podman:
    podman_is_an_engine_among_others needs Podman,
    containers_move_between_podman_and_docker_when_one_fails needs Podman,
);

fn podman_is_an_engine_among_others() {
    let daemons = Daemons::start([Setup::new("d"), Setup::podman("p")]);
    let manager = Manager::over(&daemons);
    let docker = manager.docker();
    let info = docker.ok(["info"]);
    for node in daemons.iter() {
        assert!(info.contains(&format!("{}: {}", node.name(), node.address())), "{info}");
    }
    assert!(info.contains("Nodes: 2"), "{info}");
    // Two daemons, two versions: neither is empty.
    assert_eq!(info.matches("└ ServerVersion: ").count(), 2, "{info}");
    for docker in manager.every_docker() {
        lives(&docker, &daemons[1], &daemons[0]);
    }
    lives(&manager.docker(), &daemons[0], &daemons[1]);
}

/// A container's life, and what it needs, on this node and not on the other one.
fn lives(docker: &crate::clients::Client, node: &Node, other: &Node) {
    let (here, name) = (format!("constraint:node=={}", node.name()), node.name());
    assert_eq!(
        docker
            .ok(["run", "--rm", "-e", &here, "busybox", "hostname", "-s"])
            .len(),
        12
    );
    let id = docker.ok([
        "run",
        "-d",
        "--name",
        "web",
        "-e",
        &here,
        "-e",
        "A=b",
        "-l",
        "colour=red",
        "-p",
        "80:80",
        "-m",
        "64m",
        "busybox",
        "sh",
        "-c",
        "echo one; echo two >&2; exec sleep 1000",
    ]);
    let at = |node: &Node| node.docker().ok(words("ps -aq --no-trunc"));
    assert_eq!((at(node), at(other)), (id.clone(), String::new()));
    let listed = docker.ok([
        "ps",
        "--no-trunc",
        "--format",
        "{{.ID}} {{.Names}} {{.Image}} {{.Ports}} {{.Status}}",
    ]);
    let ports = format!("{}:80->80/tcp", node.ip());
    assert!(
        listed.contains(&format!("{id} {name}/web")) && listed.contains(&ports),
        "{listed}"
    );
    assert!(
        listed.contains("busybox") && listed.contains(" Up ") && listed.lines().count() == 1,
        "{listed}"
    );
    for filter in [
        "name=web",
        "label=colour=red",
        "status=running",
        "ancestor=busybox",
        "volume=none",
        "id=ffff",
    ] {
        let found = docker.ok(["ps", "-aq", "-f", filter]);
        let expected = !matches!(filter, "volume=none" | "id=ffff");
        assert_eq!(!found.is_empty(), expected, "{filter}: {found}");
    }
    let form = "{{.Node.Name}} {{.Name}} {{.State.Running}} {{.Config.Labels.colour}} {{.HostConfig.Memory}}";
    assert_eq!(
        docker.ok(["inspect", "-f", form, "web"]),
        format!("{name} /web true red 67108864")
    );
    let environment = docker.ok(words("inspect -f {{.Config.Env}} web"));
    assert!(
        environment.contains("A=b") && !environment.contains("constraint"),
        "{environment}"
    );

    // Streams with and without a terminal, half-closing included.
    let logs = docker.run(words("logs web"));
    assert_eq!((logs.out.as_str(), logs.err.as_str()), ("one\n", "two\n"));
    assert_eq!(docker.ok(words("exec web echo here")), "here");
    assert_eq!(docker.run(["exec", "web", "sh", "-c", "exit 3"]).code, Some(3));
    let fed = docker.fed(b"one\ntwo\n", words("exec -i web wc -l"));
    assert_eq!((fed.code, fed.out.trim()), (Some(0), "2"), "{fed:?}");
    let fed = docker.fed(b"one\ntwo\n", ["run", "-i", "--rm", "-e", &here, "busybox", "wc", "-l"]);
    assert_eq!((fed.code, fed.out.trim()), (Some(0), "2"), "{fed:?}");
    let mut shell = docker.terminal(words("exec -it web sh"));
    shell.expect("# ", SOON);
    shell.send("exit 5\n");
    assert_eq!(shell.finish().code, Some(5));
    let following = docker.start(words("logs -f web"));
    following.expect("one", SOON);
    drop(following);
    assert!(docker.ok(words("top web")).contains("sleep 1000"));

    // The port is taken, here only, and so is the name, everywhere.
    let taken = docker.fails(["create", "-e", &here, "-p", "80:80", "busybox"]);
    assert!(taken.contains("[port 80 (Bridge mode)]"), "{taken}");
    assert!(
        docker
            .fails(words("create --name web busybox"))
            .contains("is already assigned")
    );
    let info = docker.ok(["info"]);
    assert!(info.contains("Reserved Memory: 64 MiB / "), "{info}");

    // What happens behind the manager's back is seen by its event.
    node.docker().ok(words("kill web"));
    let status = || docker.ok(words("ps -a -f name=web --format {{.Status}}"));
    eventually(status, |status| status.starts_with("Exited (137)"));
    docker.ok(words("start web"));
    docker.ok(words("rename web site"));
    docker.ok(words("restart -t 0 site"));
    docker.ok(words("stop -t 0 site"));
    assert!(
        docker
            .ok(words("ps -a --format {{.Names}}"))
            .contains(&format!("{name}/site"))
    );
    let place = guardian::laboratory().expect("in the laboratory").join("podman-copy");
    fs::write(&place, "content").expect("a file");
    let copy = place.display().to_string();
    docker.ok(["cp", &copy, "site:/tmp/copied"]);
    fs::remove_file(&place).expect("the file");
    docker.ok(["cp", "site:/tmp/copied", &copy]);
    assert_eq!(fs::read_to_string(&place).expect("the copy"), "content");
    docker.ok(words("rm -f site"));
    assert_eq!(docker.ok(words("ps -aq")), "");

    // Volumes and networks are where they were made; the latter draw containers there.
    docker.ok(["volume", "create", &format!("{name}/kept")]);
    assert_eq!(docker.ok(words("volume ls -q")), format!("{name}/kept"));
    assert_eq!(docker.ok(words("volume inspect -f {{.Name}} kept")), "kept");
    let with_volume = ["run", "--rm", "-e", &here, "-v", "kept:/v", "busybox"];
    docker.ok(with_volume.iter().chain(&["touch", "/v/file"]));
    assert_eq!(docker.ok(with_volume.iter().chain(&["ls", "/v"])), "file");
    docker.ok(words("volume rm kept"));
    assert_eq!(docker.ok(words("volume ls -q")), "");
    docker.ok(["network", "create", "-d", "bridge", &format!("{name}/inner")]);
    assert!(
        docker
            .ok(words("network ls --format {{.Name}}"))
            .contains(&format!("{name}/inner"))
    );
    assert_eq!(docker.ok(words("network inspect -f {{.Driver}} inner")), "bridge");
    docker.ok(words("run -d --name server --net inner busybox sleep 1000"));
    assert_eq!(docker.ok(words("inspect -f {{.Node.Name}} server")), name);
    let attached = docker.ok([
        "network",
        "inspect",
        "-f",
        "{{range .Containers}}{{.Name}}{{end}}",
        "inner",
    ]);
    assert_eq!(attached, "server");
    docker.ok(words("rm -f server"));
    docker.ok(words("network rm inner"));
    assert!(!docker.ok(words("network ls --format {{.Name}}")).contains("inner"));

    // An image that only this engine has.
    node.docker().ok(words("tag busybox only:1"));
    let tags = || docker.ok(words("images --format {{.Repository}}:{{.Tag}}"));
    eventually(tags, |tags| tags.contains("only:1"));
    let id = docker.ok(words("create -e affinity:image==only:1 only:1 true"));
    assert_eq!(docker.ok(["inspect", "-f", "{{.Node.Name}}", &id]), name);
    docker.ok(["rm", &id]);
    docker.ok(words("rmi only:1"));
    eventually(tags, |tags| !tags.contains("only:1"));
}

fn containers_move_between_podman_and_docker_when_one_fails() {
    let daemons = Daemons::start([Setup::new("d"), Setup::podman("p")]);
    let manager = Manager::over(&daemons);
    let docker = manager.docker();
    for (from, to) in [(&daemons[1], &daemons[0]), (&daemons[0], &daemons[1])] {
        let wish = format!("constraint:node==~{}", from.name());
        let line = "run -d --name moved -p 80:80 -v /scratch -m 64m -l colour=red -e reschedule:on-node-failure -e A=b";
        let rest = [wish.as_str(), "busybox", "sleep", "1000"];
        docker.ok(words(line).iter().chain(&["-e"]).chain(&rest));
        let form = "{{.Node.Name}} {{.State.Running}} {{.HostConfig.Memory}} {{.Config.Labels.colour}} \
                    {{index .Config.Labels \"com.docker.swarm.id\"}}";
        let facts = || docker.run(["inspect", "-f", form, "moved"]).out.trim().to_owned();
        let before = facts();
        assert!(
            before.starts_with(&format!("{} true 67108864 red", from.name())),
            "{before}"
        );
        let volume = from.docker().ok(words("volume ls -q"));
        from.kill();
        let expected = before.replacen(from.name(), to.name(), 1);
        eventually(facts, |facts| *facts == expected);
        assert!(to.docker().ok(words("port moved 80/tcp")).contains(":80"));
        from.restart();
        let left = || from.docker().ok(words("ps -aq"));
        eventually(left, String::is_empty);
        assert_eq!(from.docker().ok(words("volume ls -q")), volume);
        manager.wait_for_healthy(2);
        docker.ok(words("rm -f -v moved"));
    }
}
