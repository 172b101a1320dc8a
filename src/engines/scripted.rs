//! What the scenario has happen to nodes: failures, recoveries, flaps, labels, and how their daemons misbehave.

use std::sync::Arc;

use super::fault::{Crash, Faults};
use super::house::House;
use super::model::Shared;
use crate::model::Labels;
use crate::sim::{Action, Misconduct, NodeAction, NodeEvents, NodeInput, Plan};

/// Lets it happen, each at its time, until the end.
pub(super) async fn play(house: Arc<House>, shared: Arc<Shared>, seed: u64) {
    let mut events = NodeEvents::of(&shared.plan, seed);
    while let Some(time) = events.next_time() {
        tokio::select! {
            () = house.stop.cancelled() => return,
            () = tokio::time::sleep_until(house.clock.instant(time)) => {}
        }
        if let Some(input) = events.pop() {
            happen(&house, &shared.plan, input);
        }
    }
}

/// The lasting part of what is wrong.
fn faults(misconduct: &Misconduct) -> Faults {
    Faults {
        refuse: misconduct.refuse,
        hang: misconduct.hang,
        garbage: misconduct.garbage,
        delay: misconduct.delay.clone(),
        status: misconduct.status,
    }
}

fn happen(house: &House, plan: &Plan, NodeInput { node, change }: NodeInput) {
    match change {
        // As in simulated runs, a node that fails loses its containers and keeps its images.
        NodeAction::Fail | NodeAction::Leave => house.crash(node, Crash::ContainersLost),
        NodeAction::Recover => house.bring_back(node),
        NodeAction::Join => {
            house.engines[node].with(house, node, |model| model.renew());
            house.bring_back(node);
        }
        NodeAction::Relabel(changes) => house.engines[node].with(house, node, |model| {
            for (key, value) in changes {
                match value {
                    Some(value) => model.labels.insert(key, value),
                    None => model.labels.remove(&key),
                };
            }
            let name = model.name().to_owned();
            model.tell(
                "daemon",
                "reload",
                &name,
                Labels::from([("name".to_owned(), name.clone())]),
            );
        }),
        NodeAction::Misbehave(event) => {
            let Some(Action::Misbehave { misconduct, .. }) = plan.events.get(event).map(|event| &event.action) else {
                return;
            };
            house.set_faults(node, faults(misconduct));
            if misconduct.drop_events {
                house.drop_events(node);
            }
            if misconduct.crash {
                house.crash(node, Crash::ContainersKept);
            }
        }
        NodeAction::Behave(event) => {
            house.set_faults(node, Faults::default());
            let action = plan.events.get(event).map(|event| &event.action);
            if matches!(action, Some(Action::Misbehave { misconduct, .. }) if misconduct.crash) {
                house.bring_back(node);
            }
        }
        // Daemons know nothing of these: they are between a scheduler and its operator.
        NodeAction::Drain | NodeAction::Undrain | NodeAction::Health(_) => {}
    }
}
