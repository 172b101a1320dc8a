//! The laboratory's network: a bridge, and a cable from it to each node.

use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, Ordering};

/// The tests' own address. A registry or a manager that nodes must reach listens here.
pub const OWN_ADDRESS: &str = "10.231.0.1";

/// The laboratory's own end of the network, made when it is first needed.
pub fn open() {
    static BRIDGE: OnceLock<()> = OnceLock::new();
    BRIDGE.get_or_init(|| {
        // Names of network namespaces are kept in /run, which the rest of the machine must not see.
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run"])
            .status();
        assert!(mounted.is_ok_and(|status| status.success()), "a /run of our own");
        ip(&format!(
            "link set lo up\nlink add lab0 type bridge\naddr add {OWN_ADDRESS}/24 dev lab0\nlink set lab0 up\n"
        ));
    });
}

/// The connection of one node. Dropping it takes the cable away.
pub struct Cable {
    number: u8,
}

impl Cable {
    /// A network namespace for a node, with the next free address on the bridge.
    pub fn lay() -> Self {
        static LAST: AtomicU8 = AtomicU8::new(10);
        open();
        let number = LAST.fetch_add(1, Ordering::Relaxed) + 1;
        assert!(number < 255, "no address is left on the bridge");
        let cable = Self { number };
        cable.connect();
        cable
    }

    fn connect(&self) {
        let Self { number } = self;
        // The hardware address is the same after a boot, or the others would send to the old one for a while. The batch
        // language of `ip` has no way to act in another namespace, so the inner half is a batch of its own.
        ip(&format!(
            "netns add n{number}\n\
             link add v{number} type veth peer name eth0 address 02:00:0a:e7:00:{number:02x} netns n{number}\n\
             link set v{number} master lab0 up\n"
        ));
        ip_in(
            Some(&self.namespace()),
            &format!(
                "link set lo up\naddr add 10.231.0.{number}/24 dev eth0\nlink set eth0 up\n\
                 route add default via {OWN_ADDRESS}\n"
            ),
        );
    }

    fn disconnect(&self) {
        let Self { number } = self;
        ip(&format!("link del v{number}\nnetns del n{number}\n"));
    }

    /// A fresh namespace without the networks and rules that a daemon left in it, as after a boot.
    pub fn renew(&self) {
        self.disconnect();
        self.connect();
    }

    pub fn ip(&self) -> String {
        format!("10.231.0.{}", self.number)
    }

    pub fn namespace(&self) -> String {
        format!("n{}", self.number)
    }

    /// Pulls the plug: nothing that is sent arrives, and nobody is told.
    pub fn set_plugged(&self, plugged: bool) {
        let word = if plugged { "up" } else { "down" };
        ip(&format!("link set v{} {word}\n", self.number));
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        self.disconnect();
    }
}

fn ip(batch: &str) {
    ip_in(None, batch);
}

fn ip_in(namespace: Option<&str>, batch: &str) {
    let mut command = Command::new("ip");
    command.args(namespace.map(|name| ["-n", name]).into_iter().flatten());
    command
        .args(["-batch", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let mut child = command.spawn().expect("ip starts");
    let mut input = child.stdin.take().expect("its input");
    input.write_all(batch.as_bytes()).expect("ip reads");
    drop(input);
    let output = child.wait_with_output().expect("ip ends");
    assert!(
        output.status.success(),
        "ip: {}\n{batch}",
        String::from_utf8_lossy(&output.stderr)
    );
}
