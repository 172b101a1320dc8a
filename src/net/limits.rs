//! How many files and connections the process may have open.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Files that a process needs besides its sockets.
const OTHERS: u64 = 64;

/// The system does not allow enough.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{wanted} open files are needed and the hard limit is {allowed}: as root, run `ulimit -n {wanted}` in this shell first; \
     for a service of systemd set LimitNOFILE={wanted}, for a container give `docker run --ulimit nofile={wanted}`; for a \
     user for good, add `USER hard nofile {wanted}` to /etc/security/limits.conf and log in again"
)]
pub struct LimitError {
    /// What is needed.
    pub wanted: u64,
    /// What there is.
    pub allowed: u64,
}

/// Lets the process have so many sockets open, and as many more as it may: what is needed is the least.
///
/// # Errors
///
/// The hard limit is lower, and not ours to raise.
pub fn raise_open_files(sockets: u64) -> Result<(), LimitError> {
    let wanted = sockets + OTHERS;
    let allowed = raise_open_files_at_most();
    if allowed >= wanted {
        return Ok(());
    }
    // Root may go beyond the hard limit.
    let raised = Rlimit {
        current: Some(wanted),
        maximum: Some(wanted),
    };
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => Ok(()),
        Err(_) => Err(LimitError { wanted, allowed }),
    }
}

/// How many files and connections the process may have open now.
pub fn open_files_allowed() -> u64 {
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// Lets the process have as many sockets open as the hard limit allows, and gives how many that is. For who does not know
/// how many it will need.
pub fn raise_open_files_at_most() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    // Where the system does not even allow that, the limit stays as it is.
    let _ = setrlimit(Resource::Nofile, raised);
    open_files_allowed()
}
