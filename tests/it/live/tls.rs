//! TLS: who is believed, what is said about it, and that half a connection stays possible.

use std::fs;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use swarmlab::docker::{Daemon, Timeouts, json};
use swarmlab::net::tls::{Files, load};
use swarmlab::net::{Address, Listener, Tls, dial};

use super::certificates::Authority;
use super::fake::{Fake, Routes};
use super::{AGES, within};

const PATIENT: Timeouts = Timeouts {
    dial: AGES,
    answer: AGES,
    order: AGES,
};

const LOCAL: [&str; 2] = ["localhost", "127.0.0.1"];

fn tls(files: &Files) -> Tls {
    load(files).expect("usable files")
}

async fn daemon(files: &Files) -> Fake {
    Routes::daemon("node-0")
        .start_at(&Address::Tcp("127.0.0.1:0".to_owned()), Some(tls(files)))
        .await
}

/// The name of the daemon, or what its client says.
async fn ask(fake: &Fake, tls: Option<Tls>) -> Result<String, String> {
    let daemon = Daemon::new(
        fake.address.clone(),
        tls,
        Timeouts {
            dial: AGES,
            answer: AGES,
            order: AGES,
        },
    );
    match within(daemon.info()).await {
        Ok(info) => Ok(json::text(&info, "Name").to_owned()),
        Err(error) => {
            assert!(error.is_unreachable(), "{error:?}");
            Err(error.to_string())
        }
    }
}

#[tokio::test]
async fn both_sides_verify_each_other() {
    let authority = Authority::new("one");
    let fake = daemon(&authority.certify("daemon", &LOCAL, 2099)).await;
    let client = authority.certify("client", &["client"], 2099);
    assert_eq!(ask(&fake, Some(tls(&client))).await, Ok("node-0".to_owned()));
    // The client shows its certificate even if it believes everybody.
    let trusting = Files {
        verify: false,
        ca: None,
        ..client
    };
    assert_eq!(ask(&fake, Some(tls(&trusting))).await, Ok("node-0".to_owned()));
}

#[tokio::test]
async fn without_verification_everybody_is_let_in() {
    let (one, other) = (Authority::new("one"), Authority::new("other"));
    let fake = daemon(&Files {
        verify: false,
        ca: None,
        ..one.certify("daemon", &["elsewhere"], 2001)
    })
    .await;
    let stranger = Files {
        verify: false,
        ca: None,
        ..other.certify("client", &["client"], 2001)
    };
    assert_eq!(ask(&fake, Some(tls(&stranger))).await, Ok("node-0".to_owned()));
}

#[tokio::test]
async fn a_server_that_cannot_be_believed_is_not() {
    let (authority, other) = (Authority::new("one"), Authority::new("other"));
    let namesake = Authority::new("one");
    let client = tls(&authority.certify("client", &["client"], 2099));
    for (files, expected) in [
        (other.certify("stranger", &LOCAL, 2099), "is it signed by the given CA?"),
        (
            namesake.certify("stranger", &LOCAL, 2099),
            "is it signed by the given CA?",
        ),
        (authority.certify("old", &LOCAL, 2001), "expired"),
        (
            authority.certify("elsewhere", &["elsewhere"], 2099),
            "subject alternative names",
        ),
    ] {
        let error = ask(&daemon(&files).await, Some(client.clone()))
            .await
            .expect_err("no trust");
        assert!(error.contains("TLS: ") && error.contains(expected), "{error}");
    }
    let plain = Routes::daemon("node-0").start().await;
    let error = ask(&plain, Some(client)).await.expect_err("no TLS");
    assert!(
        error.contains("TLS: ") && error.contains("does the other side speak TLS?"),
        "{error}"
    );
}

#[tokio::test]
async fn a_client_that_cannot_be_believed_is_not_let_in() {
    let (authority, other) = (Authority::new("one"), Authority::new("other"));
    let fake = daemon(&authority.certify("daemon", &LOCAL, 2099)).await;
    let stranger = Files {
        verify: false,
        ca: None,
        ..other.certify("stranger", &["client"], 2099)
    };
    let old = Files {
        verify: false,
        ca: None,
        ..authority.certify("old", &["client"], 2001)
    };
    for client in [tls(&stranger), tls(&old)] {
        ask(&fake, Some(client)).await.expect_err("no trust");
    }
    let plain = Daemon::new(fake.address.clone(), None, PATIENT);
    let error = within(plain.info()).await.expect_err("no TLS").to_string();
    assert!(
        error.contains("Client sent an HTTP request to an HTTPS server"),
        "{error}"
    );
    assert!(fake.seen().is_empty());
}

#[tokio::test]
async fn a_client_without_a_certificate_is_not_let_in() {
    use std::sync::Arc;
    use tokio_rustls::rustls::pki_types::pem::PemObject;
    use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
    use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto::ring::default_provider};

    let authority = Authority::new("one");
    let fake = daemon(&authority.certify("daemon", &LOCAL, 2099)).await;
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(authority.ca()).expect("a certificate"))
        .expect("an authority");
    let bare = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let Address::Tcp(address) = &fake.address else {
        panic!("a port")
    };
    let socket = tokio::net::TcpStream::connect(address).await.expect("a connection");
    let name = ServerName::try_from("localhost").expect("a name");
    let connecting = tokio_rustls::TlsConnector::from(Arc::new(bare)).connect(name, socket);
    // In TLS 1.3 the client is done before the server has looked at it.
    let mut stream = within(connecting).await.expect("half a handshake");
    let _ = within(stream.write_all(b"GET /info HTTP/1.1\r\n\r\n")).await;
    let error = within(stream.read_to_end(&mut Vec::new())).await.expect_err("an alert");
    assert!(error.to_string().contains("CertificateRequired"), "{error}");
    assert!(fake.seen().is_empty());
}

#[tokio::test]
async fn half_a_connection_is_possible_under_tls() {
    let authority = Authority::new("one");
    let tls = tls(&authority.certify("both", &LOCAL, 2099));
    let directory = tempfile::tempdir().expect("a directory");
    for address in [
        Address::Tcp("127.0.0.1:0".to_owned()),
        Address::Unix(directory.path().join("s.sock")),
    ] {
        let listener = Listener::bind(&address, Some(tls.clone())).await.expect("an address");
        let address = listener.local_address().clone();
        let serving = tokio::spawn(async move {
            let mut stream = listener
                .accept()
                .await
                .expect("a connection")
                .establish(AGES)
                .await
                .expect("trust");
            let mut input = Vec::new();
            stream.read_to_end(&mut input).await.expect("input and its end");
            stream
                .write_all(&[&b"after the end: "[..], &input].concat())
                .await
                .expect("a reader");
            stream.shutdown().await.expect("a reader");
        });
        let mut stream = within(dial(&address, Some(&tls), AGES)).await.expect("trust");
        within(stream.write_all(b"input")).await.expect("a reader");
        within(stream.shutdown()).await.expect("half a connection");
        let mut output = String::new();
        within(stream.read_to_string(&mut output)).await.expect("output");
        assert_eq!(output, "after the end: input");
        within(serving).await.expect("no panic");
    }
}

#[test]
fn files_that_cannot_be_used_are_told() {
    let (authority, other) = (Authority::new("one"), Authority::new("other"));
    let good = authority.certify("good", &LOCAL, 2099);
    let pair = |files: &Files| {
        format!(
            "Couldn't load X509 key pair ({}, {}): ",
            files.cert.display(),
            files.key.display()
        )
    };
    let junk = authority.path("junk.pem");
    fs::write(&junk, "no certificate at all\n").expect("a file");
    for files in [
        Files {
            cert: authority.path("missing.pem"),
            ..good.clone()
        },
        Files {
            key: authority.path("missing.pem"),
            ..good.clone()
        },
        Files {
            cert: junk.clone(),
            ..good.clone()
        },
        Files {
            key: junk.clone(),
            ..good.clone()
        },
        Files {
            key: other.certify("other", &LOCAL, 2099).key,
            ..good.clone()
        },
    ] {
        let error = load(&files).expect_err("no pair").to_string();
        assert!(
            error.starts_with(&pair(&files)) && error.ends_with(". Key encrypted?"),
            "{error}"
        );
    }
    for ca in [None, Some(authority.path("missing.pem")), Some(junk)] {
        let error = load(&Files { ca, ..good.clone() })
            .expect_err("no authority")
            .to_string();
        assert!(error.starts_with("Couldn't read CA certificate: "), "{error}");
    }
}
