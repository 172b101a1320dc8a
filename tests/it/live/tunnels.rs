//! Tunnels: both ways, to the end of both.

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::task::JoinHandle;

use swarmlab::net::{Moved, tunnel};

use super::{AGES, SOON, within};

/// A tunnel, with what is at its ends: client, server.
fn dug(patience: std::time::Duration) -> (DuplexStream, DuplexStream, JoinHandle<std::io::Result<Moved>>) {
    let (client, client_end) = duplex(4096);
    let (server, server_end) = duplex(4096);
    (client, server, tokio::spawn(tunnel(client_end, server_end, patience)))
}

#[tokio::test]
async fn the_end_of_input_is_not_the_end_of_output() {
    let (mut client, mut server, tunnel) = dug(AGES);
    within(async {
        client.write_all(b"input").await.expect("room");
        client.shutdown().await.expect("half a connection");
        let mut input = String::new();
        server.read_to_string(&mut input).await.expect("input and its end");
        assert_eq!(input, "input");
        server.write_all(b"much later").await.expect("room");
        drop(server);
        let mut output = String::new();
        client.read_to_string(&mut output).await.expect("output");
        assert_eq!(output, "much later");
    })
    .await;
    assert_eq!(
        within(tunnel).await.expect("no panic").expect("no error"),
        Moved { up: 5, down: 10 }
    );
}

#[tokio::test]
async fn a_server_that_ends_does_not_wait_for_its_client_for_ever() {
    let (mut client, server, tunnel) = dug(SOON);
    drop(server);
    assert_eq!(within(client.read(&mut [0])).await.expect("an end"), 0);
    // The client keeps its side open, as a terminal does.
    assert_eq!(
        within(tunnel).await.expect("no panic").expect("no error"),
        Moved::default()
    );
    assert!(within(client.write_all(&[0; 8192])).await.is_err());
}

#[tokio::test]
async fn more_than_any_buffer_passes_in_both_directions_at_once() {
    let (client, server, tunnel) = dug(AGES);
    const BYTES: usize = 3 << 20;
    let echo = |stream: DuplexStream| async move {
        let (mut read, mut write) = tokio::io::split(stream);
        let writing = async {
            write.write_all(&vec![7; BYTES]).await.expect("a reader");
            write.shutdown().await.expect("a reader");
        };
        let mut all = Vec::new();
        let (_, read) = tokio::join!(writing, read.read_to_end(&mut all));
        read.expect("an end");
        all.len()
    };
    assert_eq!(
        within(async { tokio::join!(echo(client), echo(server)) }).await,
        (BYTES, BYTES)
    );
    let moved = Moved {
        up: BYTES as u64,
        down: BYTES as u64,
    };
    assert_eq!(within(tunnel).await.expect("no panic").expect("no error"), moved);
}

#[tokio::test]
async fn a_client_that_is_gone_ends_the_server() {
    let (client, mut server, tunnel) = dug(AGES);
    drop(client);
    // Its end looks like the end of its input, until something is written to it.
    assert_eq!(within(server.read(&mut [0])).await.expect("an end"), 0);
    within(server.write_all(b"anybody?")).await.expect("room");
    assert!(within(tunnel).await.expect("no panic").is_err());
}
