//! An explanation as a table and as JSON.

use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::model::Time;
use crate::scheduler::{Explanation, Outcome, Prepared, Settings, SoftRules, Strategy};

use super::table::{Align, render};

/// An explanation with what is needed to show it.
pub struct ShownExplanation<'a> {
    /// When, in virtual time, the question is asked.
    pub time: Time,
    /// Class of the container.
    pub class: &'a str,
    /// The request.
    pub request: &'a Prepared,
    /// The scheduler's settings.
    pub settings: &'a Settings,
    /// The cluster asked.
    pub cluster: &'a Cluster,
    /// Its answer.
    pub explanation: &'a Explanation,
}

impl ShownExplanation<'_> {
    /// One sentence: where the container goes, or why nowhere.
    fn verdict(&self) -> String {
        let strategy = self.settings.strategy;
        match &self.explanation.decision {
            Ok(decision) => {
                let node = self.cluster.node(decision.node).name();
                let dropped = match decision.soft {
                    SoftRules::Dropped => ", after its soft expressions were dropped",
                    SoftRules::Enforced => "",
                };
                let chosen = if strategy == Strategy::Random {
                    "this draw of random"
                } else {
                    strategy.name()
                };
                format!("{chosen} places it on {node}{dropped}.")
            }
            Err(rejection) => format!("No node takes it: {}", self.error(*rejection)),
        }
    }

    fn error(&self, rejection: crate::scheduler::Rejection) -> String {
        rejection.message(self.request, &self.settings.filters)
    }

    /// A heading, a table with a row for each node, best first, and the verdict.
    pub fn to_table(&self) -> String {
        let mut rows: Vec<(usize, Vec<String>)> = Vec::new();
        for node in &self.explanation.nodes {
            let state = self.cluster.node(node.node);
            let name = state.name().to_owned();
            let containers = state.containers().len().to_string();
            let (order, rank, verdict, reason) = match &node.outcome {
                Outcome::NotCandidate => (
                    usize::MAX,
                    String::new(),
                    "no candidate",
                    "drains or has not joined".to_owned(),
                ),
                Outcome::Refused { filter, refusal } => {
                    let reason = format!("{}: {}", refusal.rule, refusal.found);
                    (usize::MAX - 1, String::new(), filter.name(), reason)
                }
                Outcome::NoRoom { wanted, free } => (
                    usize::MAX - 2,
                    String::new(),
                    "no room",
                    format!("{wanted} wanted, {free} free"),
                ),
                Outcome::Accepted { rank, weight, .. } => {
                    let reason = match weight {
                        Some(weight) => format!(
                            "weight {} = cpu {} + memory {} {} health {}",
                            weight.total(),
                            weight.cpu,
                            weight.memory,
                            if weight.health < 0 { '-' } else { '+' },
                            weight.health.abs()
                        ),
                        None => "any accepted node is as good".to_owned(),
                    };
                    (*rank, rank.to_string(), "accepted", reason)
                }
            };
            rows.push((order, vec![rank, name, containers, verdict.to_owned(), reason]));
        }
        // Stable: within the same verdict, nodes stay in tie order.
        rows.sort_by_key(|(order, _)| *order);
        let header = [
            ("rank", Align::Right),
            ("node", Align::Left),
            ("containers", Align::Right),
            ("verdict", Align::Left),
            ("why", Align::Left),
        ];
        format!(
            "One more container of class {} at {} s under {}\n\n{}\n\n{}\n",
            self.class,
            self.time.as_secs_f64(),
            self.settings.strategy,
            render(&header, rows.into_iter().map(|(_, row)| row)),
            self.verdict()
        )
    }

    /// The same for programs.
    pub fn to_json(&self) -> Value {
        let nodes = self.explanation.nodes.iter().map(|node| {
            let state = self.cluster.node(node.node);
            let mut value = json!({ "node": state.name(), "containers": state.containers().len() });
            let verdict = match &node.outcome {
                Outcome::NotCandidate => json!({ "verdict": "not-candidate" }),
                Outcome::Refused { filter, refusal } => json!({
                    "verdict": "refused",
                    "filter": filter.name(),
                    "rule": refusal.rule,
                    "found": refusal.found,
                }),
                Outcome::NoRoom { wanted, free } => json!({ "verdict": "no-room", "wanted": wanted, "free": free }),
                Outcome::Accepted { rank, weight, .. } => json!({
                    "verdict": "accepted",
                    "rank": rank,
                    "weight": weight.map(|weight| json!({
                        "total": weight.total(),
                        "cpu": weight.cpu,
                        "memory": weight.memory,
                        "health": weight.health,
                    })),
                }),
            };
            if let (Value::Object(value), Value::Object(verdict)) = (&mut value, verdict) {
                value.extend(verdict);
            }
            value
        });
        let decision = match &self.explanation.decision {
            Ok(decision) => json!({
                "node": self.cluster.node(decision.node).name(),
                "soft_dropped": decision.soft == SoftRules::Dropped,
            }),
            Err(rejection) => json!({ "rejected_by": rejection.name(), "error": self.error(*rejection) }),
        };
        json!({
            "time_s": self.time.as_secs_f64(),
            "class": self.class,
            "strategy": self.settings.strategy.name(),
            "decision": decision,
            "nodes": nodes.collect::<Vec<Value>>(),
        })
    }
}
