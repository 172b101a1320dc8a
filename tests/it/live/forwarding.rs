//! Requests that pass through: what arrives at the daemon, and what comes back.

use http_body_util::BodyExt;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode, Version};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use swarmlab::docker::{CallError, Daemon, Timeouts};
use swarmlab::net::tls::load;
use swarmlab::net::{self, Address, Body, Listener, Stream, tunnel};

use super::certificates::Authority;
use super::fake::{Reply, Routes};
use super::{AGES, within};

fn client(address: &Address) -> Daemon {
    Daemon::new(
        address.clone(),
        None,
        Timeouts {
            dial: AGES,
            answer: AGES,
            order: AGES,
        },
    )
}

#[tokio::test]
async fn a_request_arrives_as_it_was_sent() {
    let fake = Routes::default()
        .on("PUT", "/containers/a%2Fb/archive", |_| {
            let answer = Response::builder()
                .status(418)
                .header("connection", "x-hop")
                .header("x-hop", "1");
            Reply::With(
                answer
                    .header("x-kept", "2")
                    .body(net::full("teapot"))
                    .expect("an answer"),
            )
        })
        .start()
        .await;
    let (mut sender, body) = net::channel();
    let request = Request::builder()
        .method(Method::PUT)
        .version(Version::HTTP_10)
        .uri("/v1.24/containers/a%2Fb/archive?path=%2F..&x=a+b")
        .header("host", "docker")
        .header("x-registry-auth", "e30=")
        .header("connection", "keep-alive, x-mine")
        .header("x-mine", "1")
        .header("transfer-encoding", "chunked")
        .body(body)
        .expect("a request");
    let sending = tokio::spawn(async move {
        for piece in ["one ", "two"] {
            sender
                .send_data(Bytes::from_static(piece.as_bytes()))
                .await
                .expect("a daemon that reads");
        }
    });
    let answer = within(client(&fake.address).forward(request)).await.expect("an answer");
    sending.await.expect("both pieces");
    assert_eq!(
        (
            answer.status().as_u16(),
            answer.headers().get("x-hop"),
            answer.headers().len()
        ),
        (418, None, 3)
    );
    assert_eq!(
        within(answer.into_body().collect()).await.expect("a body").to_bytes(),
        "teapot"
    );
    let seen = &fake.seen()[0];
    assert_eq!(seen.target, "/v1.24/containers/a%2Fb/archive?path=%2F..&x=a+b");
    assert_eq!(seen.body, "one two");
    let mut headers: Vec<_> = seen.headers.keys().map(|name| name.as_str()).collect();
    headers.sort_unstable();
    assert_eq!(headers, ["host", "transfer-encoding", "x-registry-auth"]);
    assert_eq!(seen.headers["host"], "docker");
}

#[tokio::test]
async fn an_answer_is_passed_on_piece_by_piece_and_ends_with_its_reader() {
    let (told, mut ended) = tokio::sync::mpsc::channel(1);
    let fake = Routes::default()
        .on("GET", "/containers/x/logs", move |_| {
            let (mut sender, body) = net::channel();
            let told = told.clone();
            tokio::spawn(async move {
                // As many as are wanted; the first comes long before the last, because there is no last.
                while sender.send_data(Bytes::from_static(&[b'x'; 1024])).await.is_ok() {}
                let _ = told.send(()).await;
            });
            Reply::With(Response::new(body))
        })
        .start()
        .await;
    let request = Request::get("/containers/x/logs?follow=1")
        .body(net::empty())
        .expect("a request");
    let mut answer = within(client(&fake.address).forward(request)).await.expect("an answer");
    for _ in 0..100 {
        assert!(
            within(answer.body_mut().frame())
                .await
                .expect("more")
                .expect("no error")
                .is_data()
        );
    }
    drop(answer);
    within(ended.recv()).await.expect("the daemon notices");
}

#[tokio::test]
async fn a_request_whose_answer_nobody_waits_for_is_given_up() {
    let (told, mut ended) = tokio::sync::mpsc::channel(2);
    let fake = Routes::default()
        .raw("GET", "/wait", move |_, mut stream: Stream| {
            let told = told.clone();
            async move {
                let _ = told.send("asked").await;
                // Either way of ending will do.
                assert!(matches!(stream.read(&mut [0]).await, Ok(0) | Err(_)));
                let _ = told.send("gone").await;
            }
        })
        .start()
        .await;
    let daemon = client(&fake.address);
    let request = Request::get("/wait").body(net::empty()).expect("a request");
    let waiting = tokio::spawn(async move { daemon.forward(request).await.map(drop) });
    assert_eq!(within(ended.recv()).await, Some("asked"));
    waiting.abort();
    assert_eq!(within(ended.recv()).await, Some("gone"));
}

#[tokio::test]
async fn a_connection_turns_into_a_stream_of_bytes() {
    let directory = tempfile::tempdir().expect("a directory");
    for address in [
        Address::Tcp("127.0.0.1:0".to_owned()),
        Address::Unix(directory.path().join("d.sock")),
    ] {
        let fake = Routes::default()
            .on("POST", "/containers/x/attach", |_| {
                Reply::upgrade(|mut stream| async move {
                    let mut input = Vec::new();
                    stream.read_to_end(&mut input).await.expect("input and its end");
                    stream
                        .write_all(&[&b"after the end: "[..], &input].concat())
                        .await
                        .expect("a reader");
                    stream.shutdown().await.expect("a reader");
                })
            })
            .start_at(&address, None)
            .await;
        let request = Request::post("/v1.40/containers/x/attach?stdin=1")
            .header("connection", "Upgrade")
            .header("upgrade", "tcp")
            .body(net::empty())
            .expect("a request");
        let answer = within(client(&fake.address).forward(request)).await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::SWITCHING_PROTOCOLS);
        assert_eq!(
            (&answer.headers()["connection"], &answer.headers()["upgrade"]),
            (&"Upgrade".parse().expect("a value"), &"tcp".parse().expect("a value"))
        );
        let mut stream = Stream::from(within(hyper::upgrade::on(answer)).await.expect("a stream"));
        within(stream.write_all(b"input")).await.expect("a daemon that reads");
        within(stream.shutdown()).await.expect("half a connection");
        let mut output = String::new();
        within(stream.read_to_string(&mut output)).await.expect("output");
        assert_eq!(output, "after the end: input");
    }
}

/// A proxy for one daemon, which is all that it takes: requests are forwarded, and connections that turn into streams
/// of bytes are made one.
async fn proxy(listener: Listener, daemon: Daemon) {
    loop {
        let incoming = listener.accept().await.expect("a connection");
        let daemon = daemon.clone();
        tokio::spawn(async move {
            let stream = incoming.establish(AGES).await.expect("a client that is believed");
            let service = service_fn(move |request| pass(request, daemon.clone()));
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .with_upgrades()
                .await;
        });
    }
}

async fn pass(mut request: Request<Incoming>, daemon: Daemon) -> Result<Response<Body>, CallError> {
    let client = hyper::upgrade::on(&mut request);
    let mut answer = daemon.forward(request.map(net::streamed)).await?;
    if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
        let server = hyper::upgrade::on(&mut answer);
        tokio::spawn(async move {
            let (client, server) = tokio::try_join!(client, server).expect("both sides agree");
            tunnel(Stream::from(client), Stream::from(server), AGES)
                .await
                .expect("no error")
        });
    }
    Ok(answer.map(net::streamed))
}

#[tokio::test]
async fn a_proxy_carries_half_connections_with_and_without_tls() {
    let authority = Authority::new("one");
    let secure = load(&authority.certify("all", &["127.0.0.1"], 2099)).expect("usable files");
    let any = Address::Tcp("127.0.0.1:0".to_owned());
    for tls in [None, Some(secure)] {
        let fake = Routes::default()
            .on("POST", "/containers/x/attach", |_| {
                Reply::upgrade(|mut stream| async move {
                    let mut input = Vec::new();
                    stream.read_to_end(&mut input).await.expect("input and its end");
                    stream
                        .write_all(&[&b"after the end: "[..], &input].concat())
                        .await
                        .expect("a reader");
                    stream.shutdown().await.expect("a reader");
                })
            })
            .start_at(&any, tls.clone())
            .await;
        let daemon = Daemon::new(
            fake.address.clone(),
            tls.clone(),
            Timeouts {
                dial: AGES,
                answer: AGES,
                order: AGES,
            },
        );
        let listener = Listener::bind(&any, tls.clone()).await.expect("a free port");
        let address = listener.local_address().clone();
        let proxying = tokio::spawn(proxy(listener, daemon));
        let mut stream = within(net::dial(&address, tls.as_ref(), AGES)).await.expect("a proxy");
        let request = "POST /containers/x/attach HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n";
        within(stream.write_all(request.as_bytes()))
            .await
            .expect("a proxy that reads");
        // Not before the answer, as clients do it.
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(within(stream.read_u8()).await.expect("an answer"));
        }
        assert!(head.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&head));
        within(stream.write_all(b"input")).await.expect("a reader");
        within(stream.shutdown()).await.expect("half a connection");
        let mut output = String::new();
        within(stream.read_to_string(&mut output)).await.expect("output");
        assert_eq!(output, "after the end: input");
        proxying.abort();
    }
}
