//! TLS for ZooKeeper: its client has none that goes together with the rest of this program, so that what it sends goes
//! through here, from an address of this machine to a server.
//!
//! Whoever uses a line appears to the server with our certificate, and any program of this machine could try. So the
//! client says a word first that only this process knows. It says it as what ZooKeeper has for that: a request that
//! introduces its user, right after that for a session and before there is any answer. The server never sees it.

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::task::AbortOnDropHandle;

use crate::net::{Address, Stream, Tls, dial, explain};

use super::super::store::PATIENCE;

/// What the word is the secret of.
const SCHEME: &str = "swarmlab-line";
const WORD_BYTES: usize = 32;

/// Requests before the word is known are much shorter.
const MESSAGE_BYTES_MAX: usize = 1024;
/// Answers before anything was asked, too.
const ANSWER_BYTES_MAX: usize = 64 << 10;

/// Connections at a time of which it is not known yet who made them.
const STRANGERS_MAX: usize = 64;

/// The pause after the system had no further connection to give.
const SCARCITY: Duration = Duration::from_millis(100);

/// What the client says, so that the lines know it.
#[derive(Clone)]
pub(super) struct Word([u8; WORD_BYTES]);

/// Lines to all servers.
pub(super) struct Lines {
    word: Word,
    lines: Vec<Line>,
}

struct Line {
    /// Where the client finds it.
    port: u16,
    /// Why the server could not be reached through it the last time.
    fault: Arc<Mutex<Option<String>>>,
    _listening: AbortOnDropHandle<()>,
}

impl Word {
    fn new() -> io::Result<Word> {
        let mut bytes = [0; WORD_BYTES];
        getrandom::fill(&mut bytes).map_err(io::Error::other)?;
        Ok(Word(bytes))
    }

    /// Scheme and secret of the introduction.
    pub fn parts(&self) -> (&'static str, &[u8]) {
        (SCHEME, &self.0)
    }

    /// What follows the number of the request: its kind, one byte count that is always zero, scheme and secret.
    fn introduction(&self) -> Vec<u8> {
        const INTRODUCTION: u32 = 100;
        let mut request = [INTRODUCTION.to_be_bytes(), [0; 4]].concat();
        for part in [SCHEME.as_bytes(), &self.0] {
            // Both are short.
            request.extend_from_slice(&(part.len() as u32).to_be_bytes());
            request.extend_from_slice(part);
        }
        request
    }
}

impl fmt::Debug for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lines")
    }
}

impl Lines {
    /// Lines that live as long as this, which is to be as long as any client that knows them: whoever had one of their
    /// ports afterwards would hear what it says. To be called inside a tokio runtime.
    pub async fn open(servers: &[Address], tls: &Tls) -> io::Result<Lines> {
        let word = Word::new()?;
        let mut lines = Vec::with_capacity(servers.len());
        for server in servers {
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            let port = listener.local_addr()?.port();
            let fault = Arc::default();
            let far = Far {
                server: server.clone(),
                tls: tls.clone(),
                fault: Arc::clone(&fault),
            };
            let listening = tokio::spawn(listen(listener, Arc::new(far), word.clone()));
            lines.push(Line {
                port,
                fault,
                _listening: AbortOnDropHandle::new(listening),
            });
        }
        Ok(Lines { word, lines })
    }

    pub fn word(&self) -> &Word {
        &self.word
    }

    /// What the client takes for the servers.
    pub fn servers(&self) -> String {
        let servers = self.lines.iter().map(|line| format!("127.0.0.1:{}", line.port));
        servers.collect::<Vec<_>>().join(",")
    }

    /// What is in the way to the servers, as far as anything is.
    pub fn fault(&self) -> Option<String> {
        let fault = |line: &Line| line.fault.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let faults: Vec<String> = self.lines.iter().filter_map(fault).collect();
        (!faults.is_empty()).then(|| faults.join("; "))
    }
}

/// Where a line leads to.
struct Far {
    server: Address,
    tls: Tls,
    fault: Arc<Mutex<Option<String>>>,
}

async fn listen(listener: TcpListener, far: Arc<Far>, word: Word) {
    let strangers = Arc::new(Semaphore::new(STRANGERS_MAX));
    let introduction: Arc<[u8]> = word.introduction().into();
    let mut connections = tokio::task::JoinSet::new();
    // The semaphore is never closed.
    while let Ok(stranger) = Arc::clone(&strangers).acquire_owned().await {
        let Ok((mut near, _)) = listener.accept().await else {
            tokio::time::sleep(SCARCITY).await;
            continue;
        };
        while connections.try_join_next().is_some() {}
        let (far, introduction) = (Arc::clone(&far), Arc::clone(&introduction));
        connections.spawn(async move {
            let greeted = tokio::time::timeout(PATIENCE, greeting(&mut near, &introduction)).await;
            drop(stranger);
            if let Ok(Ok(Some(greeting))) = greeted {
                far.serve(near, greeting).await;
            }
        });
    }
}

/// What a client says before there is an answer: that it wants a session, and that it knows the word.
struct Greeting {
    session: Vec<u8>,
    /// The number of the request with the word.
    number: [u8; 4],
}

/// Nothing if it does not know the word.
async fn greeting(near: &mut TcpStream, introduction: &[u8]) -> io::Result<Option<Greeting>> {
    near.set_nodelay(true)?;
    let session = message(near, MESSAGE_BYTES_MAX).await?;
    let said = message(near, MESSAGE_BYTES_MAX).await?;
    let Some((number, said)) = said.split_first_chunk::<4>() else {
        return Ok(None);
    };
    // Not given away by how long it takes to find the first difference.
    let differences = said.iter().zip(introduction).fold(0, |all, (a, b)| all | (a ^ b));
    let knows = said.len() == introduction.len() && differences == 0;
    Ok(knows.then_some(Greeting {
        session,
        number: *number,
    }))
}

impl Far {
    /// Until one side ends.
    async fn serve(&self, near: TcpStream, greeting: Greeting) {
        let opened = tokio::time::timeout(PATIENCE, self.open(&greeting.session)).await;
        let opened = opened.unwrap_or_else(|_| Err(format!("{} does not answer", self.server)));
        let (far, answer) = match opened {
            Ok(opened) => {
                *self.fault.lock().unwrap_or_else(PoisonError::into_inner) = None;
                opened
            }
            Err(fault) => {
                // Told before the client finds its connection closed.
                *self.fault.lock().unwrap_or_else(PoisonError::into_inner) = Some(fault);
                return;
            }
        };
        // The word is answered here: the number of its request, no change, no error.
        let welcome = [&16_u32.to_be_bytes()[..], &greeting.number, &[0; 12]].concat();
        let (mut near_in, mut near_out) = tokio::io::split(near);
        let (mut far_in, mut far_out) = tokio::io::split(far);
        let there = async {
            tokio::io::copy(&mut near_in, &mut far_out).await.ok();
            far_out.shutdown().await.ok();
        };
        let back = async {
            near_out.write_all(&[framed(&answer), welcome].concat()).await.ok();
            tokio::io::copy(&mut far_in, &mut near_out).await.ok();
        };
        // The client waits for the answer to its farewell, so that there is nothing to say after either has ended.
        tokio::select! {
            () = there => {}
            () = back => {}
        }
    }

    /// Connects, and passes on the request for a session. A server that does not like our certificate says so only
    /// when it should answer.
    async fn open(&self, session: &[u8]) -> Result<(Stream, Vec<u8>), String> {
        let fault = |error: io::Error| match error.kind() {
            io::ErrorKind::UnexpectedEof => format!("{}: the server has closed the connection", self.server),
            _ => format!("{}: {}", self.server, explain(&error)),
        };
        let dialled = dial(&self.server, Some(&self.tls), PATIENCE).await;
        let mut far = dialled.map_err(|error| error.to_string())?;
        far.write_all(&framed(session)).await.map_err(fault)?;
        far.flush().await.map_err(fault)?;
        let answer = message(&mut far, ANSWER_BYTES_MAX).await.map_err(fault)?;
        Ok((far, answer))
    }
}

/// A message with its length before it.
fn framed(message: &[u8]) -> Vec<u8> {
    // None is longer than the bounds above.
    [&(message.len() as u32).to_be_bytes()[..], message].concat()
}

/// The next message, without its length.
async fn message(from: &mut (impl AsyncRead + Unpin), bytes_max: usize) -> io::Result<Vec<u8>> {
    let length = from.read_u32().await?;
    let length = usize::try_from(length).ok().filter(|length| *length <= bytes_max);
    let length =
        length.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "that is not how ZooKeeper speaks"))?;
    let mut message = vec![0; length];
    from.read_exact(&mut message).await?;
    Ok(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server that accepts one connection and closes it, and a line to it.
    async fn line() -> (TcpListener, Lines) {
        let server = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = server.local_addr().expect("its address").to_string();
        let directory = tempfile::tempdir().expect("a directory");
        let authority = rcgen::generate_simple_self_signed(vec!["server".to_owned()]).expect("a certificate");
        let ca = directory.path().join("ca.pem");
        std::fs::write(&ca, authority.cert.pem()).expect("a file");
        let tls = crate::net::tls::trusting(&ca).expect("an authority");
        let address = Address::parse(&address).expect("an address");
        (server, Lines::open(&[address], &tls).await.expect("a line"))
    }

    /// Says something after the request for a session, and waits for the end.
    async fn say(lines: &Lines, request: &[u8]) {
        let mut client = TcpStream::connect(lines.servers()).await.expect("a connection");
        let said = [framed(&[0; 45]), framed(request)].concat();
        client.write_all(&said).await.expect("sent");
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).await.ok();
        assert_eq!(answer, b"");
    }

    fn run(test: impl Future<Output = ()>) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(test);
    }

    #[test]
    fn strangers_do_not_reach_the_server() {
        run(async {
            let (server, lines) = line().await;
            let mut guess = lines.word().introduction();
            *guess.last_mut().expect("a secret") ^= 1;
            for wrong in [&guess[..], &guess[..guess.len() - 1], b"", b"\0\0\0\x01"] {
                let request = [&[0, 0, 0, 1], wrong].concat();
                say(&lines, &request).await;
            }
            say(&lines, b"\0\0").await;
            say(&lines, &[0; MESSAGE_BYTES_MAX + 1]).await;
            let reached = tokio::time::timeout(Duration::from_millis(200), server.accept()).await;
            assert!(reached.is_err(), "nobody was let through");
            assert_eq!(lines.fault(), None);
        });
    }

    #[test]
    fn who_knows_the_word_is_let_through_and_faults_are_kept() {
        run(async {
            let (server, lines) = line().await;
            let request = [&[0, 0, 0, 1], &lines.word().introduction()[..]].concat();
            let accepted = async {
                let (mut stream, _) = server.accept().await.expect("a connection");
                let mut hello = [0; 1];
                stream.read_exact(&mut hello).await.expect("a first byte");
                assert_eq!(hello, [22], "a handshake, and nothing in clear");
            };
            tokio::join!(say(&lines, &request), accepted);
            let fault = lines.fault().expect("no server that speaks TLS");
            assert!(fault.contains("tcp://127.0.0.1:"), "{fault}");
        });
    }
}
