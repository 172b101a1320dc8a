//! The discovery service behind `token://`: clusters, each named by a token, and the addresses in them.
//!
//! Owns the register in its file and the small HTTP protocol through which it is used, which is that of the hosted
//! service that Docker once ran. Must not know what the addresses are used for.
//!
//! One thread alone writes ([`writer`]): it takes everything that has arrived, writes it in one transaction and
//! acknowledges it when it is on the disk ([`register`]). What clients may ask for is in [`routes`], how much of it in
//! [`rate`] and [`Limits`].

mod metrics;
mod rate;
mod register;
mod routes;
mod server;
mod token;
mod writer;

use std::path::PathBuf;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::net::tls::{self, Files, TlsError};
use crate::net::{Address, AddressError, Allowed, Guard, ListenError, Listener};

pub use register::RegisterError;
pub use token::{Token, TokenFault};

use register::Register;
use server::Service;
use writer::Writer;

/// What a discovery service is told when it is started.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Where it listens: `[tcp://|unix://]addr`.
    pub listen: String,
    /// The file with the register, which is made if there is none.
    pub data: PathBuf,
    /// Certificates; none for plain HTTP.
    pub tls: Option<Files>,
    /// How much it does for clients.
    pub limits: Limits,
    /// What else than requests to the loopback is let in there.
    pub allowed: Allowed,
}

/// How much a discovery service does for clients.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// Clusters that there may be.
    pub clusters: u64,
    /// Addresses in one cluster.
    pub entries: u64,
    /// Addresses in all clusters together.
    pub entries_total: u64,
    /// Connections at the same time; one client may have half of them.
    pub connections: usize,
    /// Requests that one client may send a second, on average; twice as many at once. Any number if it is zero. The
    /// creation of a cluster counts as ten.
    pub rate: u32,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            clusters: 10_000,
            entries: 10_000,
            entries_total: 1_000_000,
            // A few less than the files that most systems let a process open.
            connections: 1_000,
            rate: 50,
        }
    }
}

/// Why a discovery service does not start, or ends.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The certificates cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The address to listen on is none.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// The address cannot be listened on.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The register cannot be read or written.
    #[error(transparent)]
    Register(#[from] RegisterError),
}

/// A discovery service that listens.
#[derive(Debug)]
pub struct Running {
    address: Address,
    work: tokio::task::JoinHandle<Result<(), ServiceError>>,
}

impl Running {
    /// Where it listens, with the port that the system chose.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Waits until it has stopped. Giving up waiting does not stop it.
    ///
    /// # Errors
    ///
    /// The register can no longer be written: after a fault of the disk nothing is certain but what a new start finds.
    pub async fn ended(self) -> Result<(), ServiceError> {
        match self.work.await {
            Ok(outcome) => outcome,
            Err(error) => Err(RegisterError::Ended(error.to_string()).into()),
        }
    }
}

/// Starts a discovery service, which runs until `stop` is told and then lets requests finish for a while. To be called
/// inside a tokio runtime.
///
/// # Errors
///
/// See [`ServiceError`].
pub async fn start(options: Options, stop: CancellationToken) -> Result<Running, ServiceError> {
    start_by(options, stop, Arc::new(register::now)).await
}

/// The same, by another clock.
pub(crate) async fn start_by(
    options: Options,
    stop: CancellationToken,
    clock: register::Clock,
) -> Result<Running, ServiceError> {
    let tls = options.tls.as_ref().map(tls::load).transpose()?;
    let address = Address::parse(&options.listen)?;
    let register = Arc::new(Register::open(&options.data, &options.limits, clock)?);
    let (clusters, entries) = register.sizes()?;
    info!(
        data = %options.data.display(),
        clusters,
        entries,
        "The register is open"
    );
    let asked = address;
    let with_tls = tls.is_some();
    let listener = Listener::bind(&asked, tls).await?;
    let address = listener.local_address().clone();
    let (proto, addr) = match &address {
        Address::Tcp(addr) => ("tcp", addr.clone()),
        Address::Unix(path) => ("unix", path.display().to_string()),
    };
    info!(proto, addr, "Listening for HTTP");
    let (writer, thread) = Writer::start(Arc::clone(&register))?;
    let guard = Guard::new(&asked, &address, with_tls, &options.allowed);
    let service = Service::new(register, writer, &options.limits, guard, stop);
    let work = tokio::spawn(server::work(service, listener, thread));
    Ok(Running { address, work })
}
