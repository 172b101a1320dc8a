//! The live driver: one Docker endpoint in front of many daemons, with the scheduler deciding where containers go.
//!
//! Owns concurrency, retries and the health of daemons. Must not hold a scheduling rule.

mod options;

pub use options::{Options, Replication, TlsFiles};

/// Why a manager ended.
#[derive(Debug, thiserror::Error)]
pub enum ManagerError {
    /// There is no manager in this program.
    #[error("the manager is not built in yet")]
    NotBuiltIn,
}

/// Runs a manager until it fails or is told to end.
pub fn run(options: Options) -> Result<(), ManagerError> {
    let _ = options;
    Err(ManagerError::NotBuiltIn)
}
