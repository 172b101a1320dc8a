//! Addresses that nobody can use (`manager/DISCOVERY.md` §6, 26).

use super::engine::Engine;
use super::{Swarm, options, until};

#[tokio::test]
async fn a_host_without_address_comes_and_goes() {
    let engine = Engine::start("node-0").await;
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("cluster");
    let write = |text: String| std::fs::write(&file, text).expect("a file");
    let nowhere = "no-such-host.invalid:2375";
    write(format!("{nowhere}\n{}\n", engine.authority()));
    let swarm = Swarm::with(options(&format!("file://{}", file.display()))).await;
    swarm.until_status(&engine.authority(), "Healthy").await;
    swarm.until_status(nowhere, "Pending").await;
    write(format!("{}\n", engine.authority()));
    until("it is forgotten", async || {
        swarm.told(nowhere).await.is_empty().then_some(())
    })
    .await;
    assert_eq!(swarm.get("/_ping").await.expect(200).text(), "OK");
}
