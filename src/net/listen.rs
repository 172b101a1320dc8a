//! Waiting for connections.

use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixSocket, UnixStream};
use tokio_rustls::TlsAcceptor;

use super::dial::tune;
use super::{Address, Stream, Tls};

/// Connections that the system keeps for us until they are accepted.
const BACKLOG: u32 = 1024;

/// The port on which a daemon of the machine itself is likely to listen.
const DAEMON_PORT: &str = ":2375";

/// How long a peer that was refused may take to read why.
const LAST_LOOK: Duration = Duration::from_secs(2);

/// The answer to a client that begins without TLS, by the words that Docker's clients know.
const NO_TLS: &[u8] = b"HTTP/1.0 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n\
                        Client sent an HTTP request to an HTTPS server.\n";

/// Why an address cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {reason}")]
pub struct ListenError {
    /// The address.
    pub address: Address,
    /// What is in the way.
    pub reason: String,
}

/// A socket on which connections arrive. The file of a Unix socket goes away with it.
pub struct Listener {
    socket: Socket,
    address: Address,
    tls: Option<Tls>,
}

enum Socket {
    Tcp(TcpListener),
    Unix { socket: UnixListener, _file: SocketFile },
}

/// A connection that has arrived, before anything is read from it or, with TLS, agreed upon.
pub struct Incoming {
    socket: Accepted,
    tls: Option<Tls>,
    peer: String,
}

enum Accepted {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// Removes the file when dropped.
struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        // Nobody is left to be told; a file that stays is removed by the next listener.
        let _ = std::fs::remove_file(&self.0);
    }
}

impl Listener {
    /// Listens on `address`; port 0 lets the system choose. A Unix socket that nobody serves any more is replaced, and
    /// the new one is for its owner only (mode 0600).
    ///
    /// # Errors
    ///
    /// The address is taken, or not ours to take.
    pub async fn bind(address: &Address, tls: Option<Tls>) -> Result<Listener, ListenError> {
        let fault = |error: io::Error| ListenError {
            address: address.clone(),
            reason: reason(address, &error),
        };
        match address {
            Address::Tcp(host_and_port) => {
                // Without a host, every interface.
                let target = match host_and_port.strip_prefix(':') {
                    Some(port) => format!("[::]:{port}"),
                    None => host_and_port.clone(),
                };
                let bound = match TcpListener::bind(&target).await {
                    // A machine without IPv6.
                    Err(error) if target != *host_and_port && error.kind() != io::ErrorKind::AddrInUse => {
                        TcpListener::bind(format!("0.0.0.0{host_and_port}")).await
                    }
                    other => other,
                };
                let socket = bound.map_err(fault)?;
                let local = socket.local_addr().map_err(fault)?;
                Ok(Listener {
                    socket: Socket::Tcp(socket),
                    address: Address::Tcp(local.to_string()),
                    tls,
                })
            }
            Address::Unix(path) => {
                make_way(path).await.map_err(fault)?;
                let socket = UnixSocket::new_stream().map_err(fault)?;
                socket.bind(path).map_err(fault)?;
                let _file = SocketFile(path.clone());
                // Before anybody can connect, which is not until it listens.
                std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).map_err(fault)?;
                let socket = socket.listen(BACKLOG).map_err(fault)?;
                Ok(Listener {
                    socket: Socket::Unix { socket, _file },
                    address: address.clone(),
                    tls,
                })
            }
        }
    }

    /// Where it listens, with the port that the system has chosen.
    pub fn local_address(&self) -> &Address {
        &self.address
    }

    /// Waits for the next connection. Nothing is read from it yet, so that a slow client delays nobody. Can be dropped
    /// and called again without loss.
    ///
    /// # Errors
    ///
    /// What the system says, such as too many open files. Most of it passes: wait a little and call again.
    pub async fn accept(&self) -> io::Result<Incoming> {
        let tls = self.tls.clone();
        match &self.socket {
            Socket::Tcp(socket) => {
                let (socket, peer) = socket.accept().await?;
                Ok(Incoming {
                    socket: Accepted::Tcp(socket),
                    tls,
                    peer: peer.to_string(),
                })
            }
            Socket::Unix { socket, .. } => {
                let (socket, _) = socket.accept().await?;
                Ok(Incoming {
                    socket: Accepted::Unix(socket),
                    tls,
                    peer: "@".to_owned(),
                })
            }
        }
    }
}

impl Incoming {
    /// Who connects: `ip:port`, or `@` on a Unix socket.
    pub fn peer(&self) -> &str {
        &self.peer
    }

    /// Makes the connection usable: the TLS handshake, if the listener has TLS.
    ///
    /// # Errors
    ///
    /// A connection that is gone already, a handshake that fails or takes longer than `patience`.
    pub async fn establish(self, patience: Duration) -> io::Result<Stream> {
        match self.socket {
            Accepted::Tcp(socket) => {
                tune(&socket)?;
                secure(socket, self.tls, patience).await
            }
            Accepted::Unix(socket) => secure(socket, self.tls, patience).await,
        }
    }
}

async fn secure<S>(socket: S, tls: Option<Tls>, patience: Duration) -> io::Result<Stream>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let Some(tls) = tls else { return Ok(Stream::new(socket)) };
    match tokio::time::timeout(patience, shake_hands(socket, tls)).await {
        Ok(shaken) => shaken,
        Err(_) => Err(io::Error::new(
            io::ErrorKind::TimedOut,
            "the TLS handshake took too long",
        )),
    }
}

async fn shake_hands<S>(socket: S, tls: Tls) -> io::Result<Stream>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let mut socket = Stream::new(socket);
    let mut first = [0];
    socket.read_exact(&mut first).await?;
    socket.put_back(Bytes::copy_from_slice(&first));
    // No handshake begins with a letter, and every request does.
    if first[0].is_ascii_uppercase() {
        socket.write_all(NO_TLS).await?;
        part(&mut socket).await;
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "the client does not speak TLS",
        ));
    }
    match TlsAcceptor::from(tls.server).accept(socket).into_fallible().await {
        Ok(stream) => Ok(Stream::new(stream)),
        Err((error, mut socket)) => {
            part(&mut socket).await;
            Err(error)
        }
    }
}

/// Ends a connection after a refusal, so that the peer reads it: the system takes back what was sent when a connection
/// is closed on which more has arrived than was read. The peer has seconds to end its side.
pub async fn part(stream: &mut Stream) {
    let farewell = async {
        stream.shutdown().await?;
        let mut unread = [0; 4096];
        while stream.read(&mut unread).await? > 0 {}
        Ok::<_, io::Error>(())
    };
    // Who goes without a word needs no more of it.
    let _ = tokio::time::timeout(LAST_LOOK, farewell).await;
}

/// Removes the file of a Unix socket that nobody serves any more.
async fn make_way(path: &Path) -> io::Result<()> {
    match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(metadata) if !metadata.file_type().is_socket() => Err(io::Error::new(
            io::ErrorKind::AlreadyExists,
            "there is a file of this name that is no socket",
        )),
        Ok(_) if UnixStream::connect(path).await.is_ok() => {
            Err(io::Error::new(io::ErrorKind::AddrInUse, "address already in use"))
        }
        Ok(_) => std::fs::remove_file(path),
    }
}

fn reason(address: &Address, error: &io::Error) -> String {
    if error.kind() != io::ErrorKind::AddrInUse {
        return error.to_string();
    }
    let at_daemon_port = matches!(address, Address::Tcp(address) if address.contains(DAEMON_PORT));
    let advice = if at_daemon_port {
        ": is Docker already running on this machine? Try using a different port"
    } else {
        ""
    };
    format!("address already in use{advice}")
}
