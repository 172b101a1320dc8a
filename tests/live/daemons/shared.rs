//! Two daemons for all tests that leave daemons as they are, or break them only for a while.

use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use super::{Daemons, Node, image};

/// `node-1` in zone `a` and `node-2` in zone `b`, started by the first test that asks; both up, and empty but for the
/// image, whatever the test before has done to them. They live until the laboratory ends.
pub fn shared() -> MutexGuard<'static, Daemons> {
    static SHARED: OnceLock<Mutex<Daemons>> = OnceLock::new();
    let daemons = SHARED.get_or_init(|| Mutex::new(Daemons::several(2)));
    let daemons = daemons.lock().unwrap_or_else(PoisonError::into_inner);
    daemons.iter().for_each(tidy);
    daemons
}

fn tidy(node: &Node) {
    node.plug();
    if node.is_up() {
        node.resume();
    }
    if node.ping(std::time::Duration::from_secs(5)).is_err() {
        node.restart();
    }
    let docker = node.docker();
    let remove = |list: &[&str], remove: &[&str], kept: &[&str]| {
        let listed = docker.ok(list);
        let found: Vec<&str> = listed.lines().filter(|name| !kept.contains(name)).collect();
        if !found.is_empty() {
            docker.ok(remove.iter().chain(&found));
        }
    };
    remove(
        &["ps", "--all", "--quiet", "--no-trunc"],
        &["rm", "--force", "--volumes"],
        &[],
    );
    remove(
        &["network", "ls", "--format", "{{.Name}}"],
        &["network", "rm"],
        &["bridge", "host", "none"],
    );
    remove(&["volume", "ls", "--quiet"], &["volume", "rm", "--force"], &[]);
    let images = ["image", "ls", "--format", "{{.Repository}}:{{.Tag}}"];
    remove(&images, &["image", "rm", "--force"], &[image::NAME, "<none>:<none>"]);
    docker.ok(["image", "prune", "--force"]);
    if docker.ok(["image", "ls", "--quiet", image::NAME]).is_empty() {
        docker.ok(["load", "--input", &image::archive().display().to_string()]);
    }
}
