//! Listening: ports, Unix sockets, and what is in the way.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use swarmlab::net::{Address, Listener, dial};

use super::{AGES, within};

async fn echo_once(listener: Listener) {
    let incoming = within(listener.accept()).await.expect("a connection");
    assert_ne!(incoming.peer(), "");
    let mut stream = within(incoming.establish(AGES)).await.expect("a stream");
    let mut all = Vec::new();
    within(stream.read_to_end(&mut all)).await.expect("an end");
    within(stream.write_all(&all)).await.expect("a reader");
}

#[tokio::test]
async fn every_kind_of_address_carries_bytes_and_their_end() {
    let directory = tempfile::tempdir().expect("a directory");
    let unix = Address::Unix(directory.path().join("s.sock"));
    for address in [Address::Tcp("127.0.0.1:0".to_owned()), unix] {
        let listener = Listener::bind(&address, None).await.expect("an address");
        let address = listener.local_address().clone();
        let serving = tokio::spawn(echo_once(listener));
        let mut stream = within(dial(&address, None, AGES)).await.expect("a connection");
        within(stream.write_all(b"ping")).await.expect("a reader");
        within(stream.shutdown()).await.expect("half a connection");
        let mut back = String::new();
        within(stream.read_to_string(&mut back)).await.expect("an end");
        assert_eq!(back, "ping");
        serving.await.expect("no panic");
    }
}

#[tokio::test]
async fn a_unix_socket_is_its_owners_and_goes_with_its_listener() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("s.sock");
    let address = Address::Unix(path.clone());
    let listener = Listener::bind(&address, None).await.expect("an address");
    assert_eq!(fs::metadata(&path).expect("a file").permissions().mode() & 0o777, 0o600);
    let error = Listener::bind(&address, None).await.err().expect("somebody listens");
    assert_eq!(
        error.to_string(),
        format!("cannot listen on {address}: address already in use")
    );
    drop(listener);
    assert!(!path.exists());

    // What a process that was killed leaves behind.
    drop(std::os::unix::net::UnixListener::bind(&path).expect("an address"));
    assert!(path.exists());
    drop(Listener::bind(&address, None).await.expect("nobody listens"));

    fs::write(&path, "precious").expect("a file");
    let error = Listener::bind(&address, None).await.err().expect("no socket");
    assert!(
        error
            .to_string()
            .ends_with("there is a file of this name that is no socket"),
        "{error}"
    );
    assert_eq!(fs::read_to_string(&path).expect("a file"), "precious");
}

#[tokio::test]
async fn an_address_in_use_is_said_so() {
    let listener = Listener::bind(&Address::Tcp("127.0.0.1:0".to_owned()), None)
        .await
        .expect("a free port");
    let address = listener.local_address().clone();
    let error = Listener::bind(&address, None).await.err().expect("it is taken");
    assert_eq!(
        error.to_string(),
        format!("cannot listen on {address}: address already in use")
    );
}
