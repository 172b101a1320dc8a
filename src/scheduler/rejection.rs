//! Why no node takes a container, in the original's words.

use super::{Filter, Prepared};

/// The reason why a request is rejected. Cheap: the text is made when it is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Rejection {
    /// This filter left no node.
    Filter(Filter),
    /// Every node that passed the filters lacks CPU or memory.
    NoResources,
    /// There are no nodes, and no filter minds.
    NoNodes,
}

impl Rejection {
    /// A short stable name for tables: the filter's name, `no-resources` or `no-nodes`.
    pub fn name(self) -> &'static str {
        match self {
            Rejection::Filter(filter) => filter.name(),
            Rejection::NoResources => "no-resources",
            Rejection::NoNodes => "no-nodes",
        }
    }

    /// The error text that clients get (`scheduler/RULES.md` §4.2); `filters` is the configured list.
    pub fn message(self, request: &Prepared, filters: &[Filter]) -> String {
        let failed = match self {
            Rejection::Filter(Filter::Health) => return "No healthy node available in the cluster".to_owned(),
            Rejection::Filter(filter) => filter,
            Rejection::NoResources => return "no resources available to schedule container".to_owned(),
            Rejection::NoNodes => return "No nodes available in the cluster".to_owned(),
        };
        // The space before the line break is the original's.
        let mut text = "Unable to find a node that satisfies the following conditions ".to_owned();
        for filter in filters {
            match filter.condition(request) {
                Ok(Some(line)) => text = text + "\n" + &line,
                Ok(None) => {}
                Err(line) => return text + "\n" + &line,
            }
            if *filter == failed {
                break;
            }
        }
        text
    }
}

impl PartialOrd for Filter {
    fn partial_cmp(&self, other: &Filter) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Filter {
    fn cmp(&self, other: &Filter) -> std::cmp::Ordering {
        (*self as u8).cmp(&(*other as u8))
    }
}
