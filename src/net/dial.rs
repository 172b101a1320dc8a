//! Connecting to an address.

use std::io;
use std::time::Duration;

use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout_at;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls;
use tokio_rustls::rustls::pki_types::ServerName;

use super::{Address, Stream, Tls};

/// Silence on a TCP connection after which the peer is asked whether it is still there, and the pause between askings.
const KEEP_ALIVE: Duration = Duration::from_secs(30);

/// Askings without an answer after which the peer is taken for gone: two minutes in all.
const KEEP_ALIVE_ASKINGS: u32 = 3;

/// Why there is no connection.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DialError {
    /// The host's name has no address.
    #[error("cannot resolve {address}: {reason}")]
    Resolve {
        /// What was dialled.
        address: Address,
        /// What the resolver says.
        reason: String,
    },
    /// Nobody listens there.
    #[error("{address}: connection refused")]
    Refused {
        /// What was dialled.
        address: Address,
    },
    /// No connection, or no end of the TLS handshake, in time.
    #[error("{address}: no connection within {} ms", waited.as_millis())]
    Timeout {
        /// What was dialled.
        address: Address,
        /// How long.
        waited: Duration,
    },
    /// There is a connection, but no trust.
    #[error("{address}: TLS: {reason}")]
    Tls {
        /// What was dialled.
        address: Address,
        /// What is wrong with the other side, or what it said about this one.
        reason: String,
    },
    /// Anything else, such as no route.
    #[error("{address}: {reason}")]
    Other {
        /// What was dialled.
        address: Address,
        /// What the system says.
        reason: String,
    },
}

/// Connects to `address`, trying all addresses of a name until one answers, and speaks TLS if `tls` is given.
///
/// # Errors
///
/// Anything that keeps a connection from being there, ready for the first byte, within `patience`.
pub async fn dial(address: &Address, tls: Option<&Tls>, patience: Duration) -> Result<Stream, DialError> {
    let deadline = tokio::time::Instant::now() + patience;
    match timeout_at(deadline, connect(address, tls)).await {
        Ok(outcome) => outcome,
        Err(_) => Err(DialError::Timeout {
            address: address.clone(),
            waited: patience,
        }),
    }
}

async fn connect(address: &Address, tls: Option<&Tls>) -> Result<Stream, DialError> {
    match address {
        Address::Tcp(host_and_port) => {
            let targets: Vec<_> = tokio::net::lookup_host(host_and_port)
                .await
                .map_err(|error| DialError::Resolve {
                    address: address.clone(),
                    reason: error.to_string(),
                })?
                .collect();
            if targets.is_empty() {
                return Err(DialError::Resolve {
                    address: address.clone(),
                    reason: "no address".to_owned(),
                });
            }
            let socket = TcpStream::connect(&targets[..])
                .await
                .map_err(|error| failure(address, &error))?;
            tune(&socket).map_err(|error| failure(address, &error))?;
            secure(address, socket, tls).await
        }
        Address::Unix(path) => {
            let socket = UnixStream::connect(path)
                .await
                .map_err(|error| failure(address, &error))?;
            secure(address, socket, tls).await
        }
    }
}

async fn secure<S>(address: &Address, socket: S, tls: Option<&Tls>) -> Result<Stream, DialError>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin + 'static,
{
    let Some(tls) = tls else { return Ok(Stream::new(socket)) };
    let fault = |reason: String| DialError::Tls {
        address: address.clone(),
        reason,
    };
    let name = ServerName::try_from(address.host().to_owned()).map_err(|error| fault(error.to_string()))?;
    match TlsConnector::from(tls.client.clone()).connect(name, socket).await {
        Ok(stream) => Ok(Stream::new(stream)),
        Err(error) => Err(fault(explain(&error))),
    }
}

/// What went wrong with a connection, with the advice that the text of a fault of TLS lacks.
pub fn explain(error: &io::Error) -> String {
    use rustls::{AlertDescription, CertificateError, Error};
    let advice = match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
        Some(Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        )) => "; the name has to be among the certificate's subject alternative names",
        // The latter comes from an authority of the same name with another key.
        Some(Error::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature)) => {
            "; is it signed by the given CA?"
        }
        Some(Error::InvalidMessage(_)) => "; does the other side speak TLS?",
        // Servers say either of the first two of nearly everything.
        Some(Error::AlertReceived(
            AlertDescription::BadCertificate
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnknownCA
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateRequired
            | AlertDescription::UnsupportedCertificate,
        )) => "; the other side does not accept our certificate, or wants one",
        _ => "",
    };
    format!("{error}{advice}")
}

fn failure(address: &Address, error: &io::Error) -> DialError {
    let address = address.clone();
    match error.kind() {
        io::ErrorKind::ConnectionRefused => DialError::Refused { address },
        io::ErrorKind::TimedOut => DialError::Other {
            address,
            reason: "connection timed out".to_owned(),
        },
        _ => DialError::Other {
            address,
            reason: error.to_string(),
        },
    }
}

/// Small messages leave at once, and a peer that vanished is noticed.
pub(super) fn tune(socket: &TcpStream) -> io::Result<()> {
    use rustix::net::sockopt;
    socket.set_nodelay(true)?;
    sockopt::set_socket_keepalive(socket, true)?;
    sockopt::set_tcp_keepidle(socket, KEEP_ALIVE)?;
    sockopt::set_tcp_keepintvl(socket, KEEP_ALIVE)?;
    sockopt::set_tcp_keepcnt(socket, KEEP_ALIVE_ASKINGS)?;
    Ok(())
}
