//! A store that is played: it answers whatever a test wants, and remembers what it was asked.

mod tests;

use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::net::{Address, Client};

use super::store::PATIENCE;

/// A request, as far as it matters.
#[derive(Clone, Debug)]
pub struct Asked {
    /// `<method> <target>`
    pub line: String,
    pub body: String,
}

/// It plays until the runtime ends.
pub struct Played {
    pub address: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Played {
    /// A store that answers with the bytes that `answer` gives, and closes the connection.
    pub async fn start(answer: impl Fn(&Asked) -> Vec<u8> + Send + Sync + 'static) -> Played {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("its address").to_string();
        let asked = Arc::<Mutex<Vec<Asked>>>::default();
        let played = Played {
            address,
            asked: Arc::clone(&asked),
        };
        let answer = Arc::new(answer);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (answer, asked) = (Arc::clone(&answer), Arc::clone(&asked));
                tokio::spawn(async move {
                    if let Some(request) = request(&mut stream).await {
                        asked.lock().expect("nobody panics with it").push(request.clone());
                        stream.write_all(&answer(&request)).await.ok();
                        stream.shutdown().await.ok();
                    }
                });
            }
        });
        played
    }

    pub fn client(&self) -> Client {
        Client::new(Address::parse(&self.address).expect("an address"), None, PATIENCE)
    }

    /// What it was asked so far, those requests only whose line contains the text.
    pub fn asked(&self, text: &str) -> Vec<Asked> {
        let asked = self.asked.lock().expect("nobody panics with it");
        asked
            .iter()
            .filter(|request| request.line.contains(text))
            .cloned()
            .collect()
    }
}

/// An answer with a status and a JSON body, whose end is that of the connection.
pub fn answer(status: u16, body: &Value) -> Vec<u8> {
    format!("HTTP/1.1 {status} Played\r\nConnection: close\r\n\r\n{body}\n").into_bytes()
}

async fn request(stream: &mut TcpStream) -> Option<Asked> {
    let mut received = Vec::new();
    loop {
        if stream.read_buf(&mut received).await.ok()? == 0 {
            return None;
        }
        let text = String::from_utf8_lossy(&received);
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length")
                .then(|| value.trim().parse())
        });
        if body.len() >= length.map_or(0, |length| length.expect("a length")) {
            let line = head.lines().next()?.trim_end_matches(" HTTP/1.1").to_owned();
            let body = body.to_owned();
            return Some(Asked { line, body });
        }
    }
}
