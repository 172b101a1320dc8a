//! Standing for the election of the primary, again and again, and following who is (`manager/RULES.md` §12.3).

use std::sync::Arc;
use std::time::Duration;

use tracing::{error, info, warn};

use super::Manager;
use crate::discovery::{Election, Leadership};

/// The pause after the store could not be asked.
const PAUSE: Duration = Duration::from_secs(2);

/// How long the store is waited for when the leadership is given up.
const FAREWELL: Duration = Duration::from_secs(3);

impl Manager {
    /// Takes part in the election until the manager is told to stop, and gives up then what it has won.
    pub(super) async fn keep_campaigning(self: Arc<Self>, election: Option<Election>) {
        let Some((election, replication)) = election.zip(self.options.replication.clone()) else {
            return;
        };
        // As in the original, whose managers were primaries until they were told otherwise.
        info!("Leader Election: Cluster leadership lost");
        let following = tokio::spawn(Arc::clone(&self).follow_leader(election.clone()));
        loop {
            let campaign = election.campaign(&replication.advertise, replication.ttl);
            let campaign = tokio::select! {
                campaign = campaign => campaign,
                () = self.stop.cancelled() => break,
            };
            match campaign {
                Ok(leadership) => self.lead(leadership).await,
                Err(problem) => {
                    error!("Leader Election: {problem}");
                    tokio::select! {
                        () = tokio::time::sleep(PAUSE) => {}
                        () = self.stop.cancelled() => break,
                    }
                }
            }
            if self.stop.is_cancelled() {
                break;
            }
        }
        following.abort();
    }

    /// Is the primary until the lease is lost or the manager stops.
    async fn lead(self: &Arc<Self>, leadership: Leadership) {
        info!("Leader Election: Cluster leadership acquired");
        self.office.take(Arc::new(leadership.certain()));
        // What has failed or come back while nobody decided.
        self.rescue_later();
        let engines: Vec<_> = self.keeper.with(|state| state.validated().map(|(id, _)| id).collect());
        for engine in engines {
            self.welcome_back_later(engine);
        }
        tokio::select! {
            () = leadership.lost() => {
                warn!("Leader Election: Cluster leadership lost");
                self.office.leave();
            }
            () = self.stop.cancelled() => {
                self.office.leave();
                match tokio::time::timeout(FAREWELL, leadership.resign()).await {
                    Ok(Ok(())) => info!("Leader Election: Cluster leadership given up"),
                    Ok(Err(problem)) => warn!("Leader Election: the leadership runs out by itself: {problem}"),
                    Err(_) => warn!("Leader Election: the leadership runs out by itself: the store does not answer"),
                }
            }
        }
    }

    /// Learns who the primary is.
    async fn follow_leader(self: Arc<Self>, election: Election) {
        let own = self
            .options
            .replication
            .as_ref()
            .map(|replication| replication.advertise.clone());
        let mut leaders = election.follow();
        while let Some(leader) = leaders.recv().await {
            match leader {
                Ok(leader) => {
                    if let Some(leader) = &leader {
                        info!("New leader elected: {leader}");
                    }
                    self.office.learn(leader.filter(|leader| Some(leader) != own.as_ref()));
                }
                Err(problem) => {
                    error!("Leader Election: watch leader channel closed, the store may be unavailable... ({problem})");
                }
            }
        }
    }
}
