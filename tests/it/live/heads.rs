//! The head of a request, however it arrives.

use bytes::Bytes;
use hyper::Method;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

use swarmlab::net::Stream;
use swarmlab::net::head::{HeadError, Limits, read};

use super::{AGES, SOON, within};

const LIMITS: Limits = Limits {
    bytes: 1024,
    patience: AGES,
};

/// What is read from a client that sends `pieces` and then closes.
async fn received(pieces: &[&[u8]]) -> Result<swarmlab::net::head::Head, HeadError> {
    let (mut client, server) = duplex(1 << 20);
    let pieces: Vec<Vec<u8>> = pieces.iter().map(|piece| piece.to_vec()).collect();
    let sending = tokio::spawn(async move {
        for piece in pieces {
            client.write_all(&piece).await.expect("a server that reads");
            tokio::task::yield_now().await;
        }
    });
    let mut stream = Stream::new(server);
    let head = within(read(&mut stream, LIMITS)).await;
    sending.await.expect("all is sent");
    head
}

#[tokio::test]
async fn a_head_is_kept_as_it_came() {
    let text = b"POST /v1.24/containers/web/attach?stdin=1 HTTP/1.1\r\nHost: docker\r\nX-A: 1\r\nX-A: 2\r\n\r\nafter";
    let by_byte: Vec<&[u8]> = text.chunks(1).collect();
    for pieces in [&[&text[..]][..], &by_byte] {
        let head = received(pieces).await.expect("a head");
        assert_eq!(
            (head.method.clone(), head.path()),
            (Method::POST, "/v1.24/containers/web/attach")
        );
        assert_eq!(head.headers.get_all("x-a").iter().count(), 2);
        assert!(text.starts_with(&head.raw) && head.length == text.len() - "after".len());
        let other = head.raw_for("/v1.24/containers/0123/attach?stdin=1");
        let head = received(&[&other]).await.expect("a head");
        assert_eq!(head.target, "/v1.24/containers/0123/attach?stdin=1");
        assert_eq!(head.headers["host"], "docker");
    }
}

#[tokio::test]
async fn what_is_no_head_is_told_apart() {
    assert_eq!(received(&[]).await.err(), Some(HeadError::Closed));
    assert_eq!(received(&[b"GET / HT"]).await.err(), Some(HeadError::Truncated));
    for garbage in [&b"\x16\x03\x01\x02"[..], b"GET / HTTP/9.9\r\n\r\n", b"\0"] {
        assert!(
            matches!(received(&[garbage]).await, Err(HeadError::Garbled(_))),
            "{garbage:?}"
        );
    }
    let long = format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(5000));
    assert_eq!(received(&[long.as_bytes()]).await.err(), Some(HeadError::TooLong(1024)));

    let (_client, server) = duplex(64);
    let limits = Limits {
        patience: SOON,
        ..LIMITS
    };
    assert_eq!(
        within(read(&mut Stream::new(server), limits)).await.err(),
        Some(HeadError::Timeout(SOON))
    );
}

#[tokio::test]
async fn what_is_put_back_comes_first() {
    let (mut client, server) = duplex(64);
    client.write_all(b"three").await.expect("room");
    drop(client);
    let mut stream = Stream::new(server);
    stream.put_back(Bytes::from_static(b"two "));
    stream.put_back(Bytes::from_static(b"one "));
    let mut all = String::new();
    within(stream.read_to_string(&mut all)).await.expect("all of it");
    assert_eq!(all, "one two three");
}
