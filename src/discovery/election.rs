//! The election of one of several through a store: whoever has the leader's key is the leader, for as long as the lease
//! under which it was written lasts.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::error::DiscoveryError;
use super::kv::Pauses;
use super::store::{Ending, Lease, Place, Store, StoreError};

/// The longest wait for news of the leader before the store is asked again.
const LOOK: Duration = Duration::from_secs(15);

/// See the module.
#[derive(Clone, Debug)]
pub struct Election {
    store: Arc<Store>,
    key: String,
}

/// A won election.
///
/// The leader's own clock says how long it is one at least: counted from before the last renewal was sent, so that the
/// store gives the lease to nobody else before that. Whoever looks at [`Leadership::until`] before acting acts in time,
/// even after the process has been stopped for a while. Dropping it stops the renewals, and the lease runs out.
#[derive(Debug)]
pub struct Leadership {
    store: Arc<Store>,
    lease: Lease,
    until: Arc<Mutex<Instant>>,
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
        let mut lease = self.store.grant(ttl, Ending::Release).await?;
        loop {
            let claimed = match self.store.renew(&lease).await {
                Ok(until) => self
                    .store
                    .claim(&lease, &self.key, candidate)
                    .await
                    .map(|won| won.then_some(until)),
                Err(error) => Err(error),
            };
            match claimed {
                Ok(Some(until)) => return Ok(self.lead(lease, until)),
                Ok(None) => {}
                Err(StoreError::LeaseLost) => {
                    lease = self.store.grant(ttl, Ending::Release).await?;
                    continue;
                }
                Err(error) => return Err(error.into()),
            }
            let (leader, mark) = self.store.read(&self.key).await?;
            if leader.is_some() {
                self.store.wait(Place::Key(&self.key), mark, lease.lasts / 3).await?;
            }
        }
    }

    fn lead(&self, lease: Lease, until: Instant) -> Leadership {
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
        let mut pauses = Pauses::new(LOOK);
        let mut told: Option<Option<String>> = None;
        let mut in_trouble = false;
        loop {
            let outcome = match self.store.read(&self.key).await {
                Ok((leader, mark)) => {
                    in_trouble = false;
                    pauses.restart();
                    if told.as_ref() != Some(&leader) {
                        if leaders.send(Ok(leader.clone())).await.is_err() {
                            return;
                        }
                        told = Some(leader);
                    }
                    self.store.wait(Place::Key(&self.key), mark, LOOK).await
                }
                Err(error) => Err(error),
            };
            if let Err(error) = outcome {
                if !in_trouble && leaders.send(Err(error.into())).await.is_err() {
                    return;
                }
                in_trouble = true;
                tokio::time::sleep(pauses.next()).await;
            }
        }
    }
}

/// Renews a lease until it is lost or given up.
async fn renewing(
    store: Arc<Store>,
    lease: Lease,
    until: Arc<Mutex<Instant>>,
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
            renewed = tokio::time::timeout_at(deadline.into(), store.renew(&lease)) => renewed,
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
        if Instant::now() >= *until.lock().unwrap_or_else(PoisonError::into_inner) {
            break;
        }
    }
    lost.cancel();
}

impl Leadership {
    /// Until when this candidate is certain to be the leader, as things stand. Later answers may be later, never
    /// earlier.
    pub fn until(&self) -> Instant {
        *self.until.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The same as a function that outlives this.
    pub fn certain(&self) -> impl Fn() -> Instant + Send + Sync + 'static {
        let until = Arc::clone(&self.until);
        move || *until.lock().unwrap_or_else(PoisonError::into_inner)
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
