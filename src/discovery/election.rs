//! The election of one of several through a store: whoever has the leader's key is the leader, for as long as the lease
//! under which it was written lasts.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::error::DiscoveryError;
use super::moment::Moment;
use super::store::{Ending, Lease, Place, Store, StoreError};
use super::trouble::{Pauses, Trouble, Troubles};

/// The longest wait for news of the leader before the store is asked again.
const LOOK: Duration = Duration::from_secs(15);

/// How long a store is tried to be told that a lease is not wanted.
const FAREWELL: Duration = Duration::from_secs(5);

/// See the module.
#[derive(Clone, Debug)]
pub struct Election {
    store: Arc<Store>,
    key: String,
}

/// A won election.
///
/// The leader's own clock says how long it is one at least: counted from before the last renewal was sent, so that the
/// store gives the lease to nobody else before that. Whoever looks at [`Leadership::certain`] before acting acts in time,
/// even after the process has been stopped for a while. Dropping it stops the renewals, and the lease runs out.
#[derive(Debug)]
pub struct Leadership {
    store: Arc<Store>,
    lease: Lease,
    until: Arc<Mutex<Moment>>,
    lost: CancellationToken,
    given_up: CancellationToken,
}

impl Election {
    pub(super) fn new(store: Arc<Store>, key: String) -> Election {
        Election { store, key }
    }

    /// Waits until this candidate is elected. `ttl` is how long a leader that falls silent stays one.
    ///
    /// # Errors
    ///
    /// The store cannot be asked. The candidate may stand again.
    pub async fn campaign(&self, candidate: &str, ttl: Duration) -> Result<Leadership, DiscoveryError> {
        let mut pauses = Pauses::new(ttl / 3);
        loop {
            let lease = self.store.grant(ttl, Ending::Release).await?;
            match self.stand(&lease, candidate).await {
                Ok(until) => return Ok(self.lead(lease, until)),
                Err(StoreError::LeaseLost) => tokio::time::sleep(pauses.next()).await,
                Err(error) => {
                    // The claim may have succeeded without our hearing of it: nobody would lead until the lease has run
                    // out.
                    let store = Arc::clone(&self.store);
                    tokio::spawn(async move { tokio::time::timeout(FAREWELL, store.revoke(&lease)).await });
                    return Err(error.into());
                }
            }
        }
    }

    /// Claims the key until it is ours. Returns until when the lease is certain to last.
    async fn stand(&self, lease: &Lease, candidate: &str) -> Result<Moment, StoreError> {
        let mut pauses = Pauses::new(lease.lasts / 3);
        loop {
            let until = self.store.renew(lease).await?;
            if self.store.claim(lease, &self.key, candidate).await? {
                return Ok(until);
            }
            let (leader, mark) = self.store.read(&self.key).await?;
            if leader.is_some() {
                pauses.restart();
                self.store.wait(Place::Key(&self.key), mark, lease.lasts / 3).await?;
            } else {
                // Given free between the two questions, or kept free for a while, as Consul does after a holder whose
                // lock delay is longer than ours.
                tokio::time::sleep(pauses.next()).await;
            }
        }
    }

    fn lead(&self, lease: Lease, until: Moment) -> Leadership {
        let leadership = Leadership {
            store: Arc::clone(&self.store),
            lease,
            until: Arc::new(Mutex::new(until)),
            lost: CancellationToken::new(),
            given_up: CancellationToken::new(),
        };
        tokio::spawn(renewing(
            Arc::clone(&leadership.store),
            leadership.lease.clone(),
            Arc::clone(&leadership.until),
            leadership.lost.clone(),
            leadership.given_up.clone(),
        ));
        leadership
    }

    /// Tells who the leader is, now and whenever that changes, until nobody listens any more; and errors of the store,
    /// once until it can be asked again. To be called inside a tokio runtime.
    pub fn follow(&self) -> mpsc::Receiver<Result<Option<String>, DiscoveryError>> {
        let (sender, receiver) = mpsc::channel(1);
        let election = self.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = election.tell(&sender) => {}
                () = sender.closed() => {}
            }
        });
        receiver
    }

    async fn tell(&self, leaders: &mpsc::Sender<Result<Option<String>, DiscoveryError>>) {
        let mut troubles = Troubles::none(LOOK);
        let mut told: Option<Option<String>> = None;
        loop {
            let (error, trouble) = match self.store.read(&self.key).await {
                Ok((leader, mark)) => {
                    troubles.looked();
                    if told.as_ref() != Some(&leader) {
                        if leaders.send(Ok(leader.clone())).await.is_err() {
                            return;
                        }
                        told = Some(leader);
                    }
                    match self.store.wait(Place::Key(&self.key), mark, LOOK).await {
                        Ok(()) => {
                            troubles.waited();
                            continue;
                        }
                        Err(_) if troubles.forgives() => continue,
                        Err(error) => (error.into(), Trouble::Watch),
                    }
                }
                Err(error) => {
                    let error = error.into();
                    let trouble = Trouble::of(&error);
                    (error, trouble)
                }
            };
            if troubles.is_news(trouble) && leaders.send(Err(error)).await.is_err() {
                return;
            }
            tokio::time::sleep(troubles.pause()).await;
        }
    }
}

/// Renews a lease until it is lost or given up.
async fn renewing(
    store: Arc<Store>,
    lease: Lease,
    until: Arc<Mutex<Moment>>,
    lost: CancellationToken,
    given_up: CancellationToken,
) {
    let every = lease.lasts / 3;
    let mut pause = every;
    loop {
        let deadline = *until.lock().unwrap_or_else(PoisonError::into_inner);
        tokio::select! {
            () = given_up.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
        // A store that does not answer is not waited for beyond the end of the lease.
        let renewed = tokio::select! {
            () = given_up.cancelled() => return,
            renewed = tokio::time::timeout(deadline.remaining(), store.renew(&lease)) => renewed,
        };
        match renewed {
            Ok(Ok(renewed)) => {
                *until.lock().unwrap_or_else(PoisonError::into_inner) = renewed;
                pause = every;
            }
            Ok(Err(StoreError::LeaseLost)) | Err(_) => break,
            Ok(Err(error)) => {
                tracing::debug!("Renewing the leader's lease failed: {error}");
                // Sooner than usual: there may not be much time left.
                pause = every / 4;
            }
        }
        if Moment::now() >= *until.lock().unwrap_or_else(PoisonError::into_inner) {
            break;
        }
    }
    lost.cancel();
}

impl Leadership {
    /// Until when this candidate is certain to be the leader, as things stand. Later answers may be later, never
    /// earlier.
    #[cfg(test)]
    pub(super) fn until(&self) -> Moment {
        *self.until.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells whether this candidate is certain to be the leader at the moment of asking.
    pub fn certain(&self) -> impl Fn() -> bool + Send + Sync + 'static {
        let until = Arc::clone(&self.until);
        move || Moment::now() < *until.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the lease is lost, or cannot be known not to be.
    pub async fn lost(&self) {
        self.lost.cancelled().await;
    }

    /// Gives the leadership up, so that another candidate has it at once.
    ///
    /// # Errors
    ///
    /// The store cannot be told. The lease runs out by itself.
    pub async fn resign(self) -> Result<(), DiscoveryError> {
        self.given_up.cancel();
        Ok(self.store.revoke(&self.lease).await?)
    }
}

impl Drop for Leadership {
    fn drop(&mut self) {
        self.given_up.cancel();
    }
}
