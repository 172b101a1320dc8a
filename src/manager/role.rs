//! Which of several managers decides (`manager/RULES.md` §12): the primary. The others, its replicas, know the cluster
//! as well and pass everything on to it.
//!
//! What makes two managers not decide at the same time is a lease, not a message: the primary decides only as long as
//! its own clock says that the store cannot have given its lease to another, counted from before the last renewal was
//! sent. A primary that was stopped finds that out before it decides again. For what was on its way to a daemon when it
//! was stopped, it looks at the lease once more afterwards, and takes back what came too late.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use super::Manager;
use super::answer::Failure;

/// Whether the primary is certain, at the moment, that it is.
pub(super) type Certain = Arc<dyn Fn() -> bool + Send + Sync>;

/// What this manager is among the others.
#[derive(Clone)]
pub(super) enum Role {
    /// There are no others.
    Alone,
    /// It decides, as long as this says so.
    Primary(Certain),
    /// The manager at this address decides; nobody is known to at times.
    Replica(Option<String>),
}

impl std::fmt::Debug for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Role::Alone => f.write_str("Alone"),
            Role::Primary(_) => f.write_str("Primary"),
            Role::Replica(primary) => f.debug_tuple("Replica").field(primary).finish(),
        }
    }
}

impl Role {
    /// The lines of `docker info` about it.
    pub(super) fn lines(&self) -> Vec<[String; 2]> {
        let role = |name: &str| ["Role".to_owned(), name.to_owned()];
        match self {
            Role::Alone | Role::Primary(_) => vec![role("primary")],
            Role::Replica(primary) => {
                let primary = primary.clone().unwrap_or_default();
                vec![role("replica"), ["Primary".to_owned(), primary]]
            }
        }
    }

    /// Whether it decides at this moment.
    pub(super) fn decides(&self) -> bool {
        match self {
            Role::Alone => true,
            Role::Primary(is_certain) => is_certain(),
            Role::Replica(_) => false,
        }
    }
}

/// Owner of the role.
#[derive(Debug)]
pub(super) struct Office {
    role: watch::Sender<Role>,
    /// Which other manager the store names as the primary, whatever the role.
    named: Mutex<Option<String>>,
}

impl Office {
    pub(super) fn new(role: Role) -> Office {
        Office {
            role: watch::Sender::new(role),
            named: Mutex::new(None),
        }
    }

    /// This manager decides from now on.
    pub(super) fn take(&self, is_certain: Certain) {
        self.role.send_replace(Role::Primary(is_certain));
    }

    /// This manager no longer decides.
    pub(super) fn leave(&self) {
        let named = self.named.lock().unwrap_or_else(PoisonError::into_inner).clone();
        self.role.send_replace(Role::Replica(named));
    }

    /// The store names another manager, or none. Alters nothing as long as this one decides: its lease counts.
    pub(super) fn learn(&self, primary: Option<String>) {
        self.named
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone_from(&primary);
        self.role.send_if_modified(|role| match role {
            Role::Replica(known) if *known != primary => {
                *known = primary;
                true
            }
            _ => false,
        });
    }

    /// The role as it changes.
    pub(super) fn watch(&self) -> watch::Receiver<Role> {
        self.role.subscribe()
    }
}

impl Manager {
    pub(super) fn role(&self) -> Role {
        self.office.role.borrow().clone()
    }

    /// # Errors
    ///
    /// This manager does not decide, or is not certain any more that it does. Clients may try again.
    pub(super) fn must_decide(&self) -> Result<(), Failure> {
        if self.role().decides() {
            return Ok(());
        }
        Err(Failure::new(
            hyper::StatusCode::SERVICE_UNAVAILABLE,
            "This cluster manager is no longer the primary; try again",
        ))
    }
}
