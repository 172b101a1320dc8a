//! Containers that refer to one another, created anew on one node: all of them, or none.

use std::sync::Arc;
use std::time::Instant;

use tracing::{info, warn};

use super::{ANONYMOUS, inner};
use crate::manager::Manager;
use crate::manager::config::Config;
use crate::manager::create::Created;
use crate::manager::references;
use crate::manager::state::{Stray, Unplaced, Wanted, together};
use crate::model::Request;
use crate::scheduler::Creation;

impl Manager {
    /// Reserves room for all, and creates one after the other. What has been created is removed if another cannot be.
    pub(super) async fn create_together(
        self: &Arc<Self>,
        group: &[Stray],
        configs: Vec<Config>,
    ) -> Result<Vec<Created>, String> {
        self.must_decide().map_err(|failure| failure.message)?;
        let started = Instant::now();
        let (mut wanted, asked) = self.keeper.with(|state| {
            let named = group.iter().zip(configs);
            let wanted: Vec<Wanted> = named
                .map(|(stray, config)| state.want(config, &stray.name, 0))
                .collect();
            // Where one of them goes, the others go.
            let asked = group.iter().zip(&wanted).map(|(stray, wanted)| {
                references::without(&wanted.config.request, |target| {
                    stray.inner.iter().any(|inner| inner.target == target)
                        || stray.outer.get(target).is_some_and(|new| is_in(group, &new.by))
                        || is_in(group, target)
                })
            });
            let asked: Vec<Request> = asked.collect();
            (wanted, asked)
        });
        let sum = self.prepare_checked(together(&asked));
        let sum = sum.await.map_err(|failure| failure.message)?;
        let mut prepared = Vec::with_capacity(asked.len());
        for asked in asked {
            prepared.push(self.prepare(asked).await.map_err(|failure| failure.message)?);
        }
        let reserved = self
            .keeper
            .with(|state| state.reserve_together(&wanted, &prepared, &sum));
        self.metrics.decided(
            reserved.as_ref().err().map(|unplaced: &Unplaced| &unplaced.error),
            started.elapsed(),
        );
        let reserved = reserved.map_err(|unplaced| unplaced.error.to_string())?;
        let swarm_ids: Vec<String> = wanted.iter().map(|wanted| wanted.swarm_id.clone()).collect();
        let mut created: Vec<Created> = Vec::with_capacity(group.len());
        for ((stray, wanted), place) in group.iter().zip(&mut wanted).zip(&reserved) {
            let ids: Vec<&str> = created.iter().map(|created| created.id.as_str()).collect();
            wanted.config.rewrite_references(&inner(stray, &ids));
            wanted.creation = Creation::new(wanted.config.request.clone(), 0);
            match self.carry_out(place, wanted, &ANONYMOUS).await {
                Ok(done) => created.push(done),
                Err(unplaced) => {
                    self.keeper.with(|state| {
                        for rest in &reserved[created.len()..] {
                            state.release(rest);
                        }
                    });
                    self.take_back_all(group, &created, &swarm_ids).await;
                    return Err(format!("creating {} failed: {}", stray.name, unplaced.error));
                }
            }
        }
        Ok(created)
    }

    /// Removes containers that are nothing without one that could not be created. None of them has run.
    async fn take_back_all(self: &Arc<Self>, group: &[Stray], created: &[Created], swarm_ids: &[String]) {
        for ((stray, created), swarm_id) in group.iter().zip(created).zip(swarm_ids).rev() {
            let (engine, daemon, id) = (created.reserved.engine, &created.reserved.daemon, &created.id);
            match self.noted(engine, daemon.remove_container(id, true, true, false)).await {
                Ok(()) => info!(
                    id,
                    "Took back a container, since others that go with it could not be created"
                ),
                Err(ref problem) if problem.is_not_found() => {}
                Err(problem) => {
                    // When the engine reports it again, it is removed.
                    warn!(
                        id,
                        "A container that was not to stay could not be removed yet: {problem}"
                    );
                    self.keeper.with(|state| state.give_up(engine, swarm_id));
                }
            }
            self.keeper.with(|state| {
                state.forget_container(engine, id);
                state.keep_for_move(swarm_id, &stray.name);
            });
        }
    }
}

fn is_in(group: &[Stray], name: &str) -> bool {
    group.iter().any(|stray| stray.name == name)
}
