//! How a scheduler is set up: which filters in which order, which strategy, which strictness.

use std::fmt;
use std::str::FromStr;

/// A rule that says which nodes may take a container (`scheduler/RULES.md` §5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Filter {
    /// The node's health indicator is above zero.
    Health,
    /// No host port asked for is taken.
    Port,
    /// The node's `containerslots` label leaves room for one more container.
    ContainerSlots,
    /// Every container that is linked to, mounted from or joined is on the node.
    Dependency,
    /// The affinity expressions hold for the node's containers and images.
    Affinity,
    /// The constraint expressions hold for the node's name, ID and labels.
    Constraint,
    /// The node's name is on every whitelist.
    Whitelist,
    /// Our own, not in the default list: enough CPU, memory and further resources are free, exactly.
    Resources,
}

impl Filter {
    /// Every filter; the first seven in the original's default order.
    pub const ALL: [Filter; 8] = [
        Filter::Health,
        Filter::Port,
        Filter::ContainerSlots,
        Filter::Dependency,
        Filter::Affinity,
        Filter::Constraint,
        Filter::Whitelist,
        Filter::Resources,
    ];

    /// The original's default list: all seven of its filters, in its order.
    pub const DEFAULT: [Filter; 7] = [
        Filter::Health,
        Filter::Port,
        Filter::ContainerSlots,
        Filter::Dependency,
        Filter::Affinity,
        Filter::Constraint,
        Filter::Whitelist,
    ];

    /// The name by which it is selected.
    pub const fn name(self) -> &'static str {
        match self {
            Filter::Health => "health",
            Filter::Port => "port",
            Filter::ContainerSlots => "containerslots",
            Filter::Dependency => "dependency",
            Filter::Affinity => "affinity",
            Filter::Constraint => "constraint",
            Filter::Whitelist => "whitelist",
            Filter::Resources => "resources",
        }
    }
}

/// A rule that says which of the nodes that may is best (`scheduler/RULES.md` §6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Strategy {
    /// The node with most free reservations, then with fewest containers.
    Spread,
    /// The node with least free reservations, then with most containers.
    Binpack,
    /// Any node, uniformly; capacity is not looked at unless [`Strict::random_capacity`] is set.
    Random,
}

impl Strategy {
    /// Every strategy, the default first.
    pub const ALL: [Strategy; 3] = [Strategy::Spread, Strategy::Binpack, Strategy::Random];

    /// The name by which it is selected.
    pub const fn name(self) -> &'static str {
        match self {
            Strategy::Spread => "spread",
            Strategy::Binpack => "binpack",
            Strategy::Random => "random",
        }
    }
}

/// Corrections of what the original gets wrong, each off by default because clients may rely on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Strict {
    /// `globs`: in a value that is no `/regex/` only `*` is special (`scheduler/RULES.md` §3.1).
    pub globs: bool,
    /// `port-protocol`: 53/udp and 53/tcp do not clash (`scheduler/RULES.md` §5.2).
    pub port_protocol: bool,
    /// `capacity`: a node is full at exactly 100 %, not at just under 101 % (`scheduler/RULES.md` §6.1).
    pub capacity: bool,
    /// `random-capacity`: the random strategy skips nodes without room, as the others do (`scheduler/RULES.md` §6.2).
    pub random_capacity: bool,
    /// `whitelist`: key and operator of a whitelist count, as they do in a constraint (`scheduler/RULES.md` §5.7).
    pub whitelist: bool,
    /// `stopped-ports`: a container that has stopped holds no ports until it runs again (`scheduler/RULES.md` §5.2).
    pub stopped_ports: bool,
}

impl Strict {
    /// The names of the settings, in the order of the fields.
    pub const NAMES: [&'static str; 6] = [
        "globs",
        "port-protocol",
        "capacity",
        "random-capacity",
        "whitelist",
        "stopped-ports",
    ];

    /// Everything corrected.
    pub const ALL: Strict = Strict {
        globs: true,
        port_protocol: true,
        capacity: true,
        random_capacity: true,
        whitelist: true,
        stopped_ports: true,
    };

    /// The names of the settings that are switched on.
    pub fn enabled(self) -> Vec<&'static str> {
        let is_on = |name: &&str| {
            let mut with = self;
            with.enable(name).is_ok() && with == self
        };
        Strict::NAMES.into_iter().filter(is_on).collect()
    }

    /// Switches one setting on by its name.
    pub fn enable(&mut self, name: &str) -> Result<(), UnknownName> {
        let setting = match name {
            "globs" => &mut self.globs,
            "port-protocol" => &mut self.port_protocol,
            "capacity" => &mut self.capacity,
            "random-capacity" => &mut self.random_capacity,
            "whitelist" => &mut self.whitelist,
            "stopped-ports" => &mut self.stopped_ports,
            _ => return Err(UnknownName::new("strict setting", name, &Self::NAMES)),
        };
        *setting = true;
        Ok(())
    }
}

/// How a [`Scheduler`](super::Scheduler) decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The filters, in the order in which they run. May be empty.
    pub filters: Vec<Filter>,
    /// The strategy.
    pub strategy: Strategy,
    /// The corrections switched on.
    pub strict: Strict,
}

impl Settings {
    /// The original's default filters with the given strategy.
    pub fn new(strategy: Strategy) -> Settings {
        Settings {
            filters: Filter::DEFAULT.to_vec(),
            strategy,
            strict: Strict::default(),
        }
    }
}

/// A filter, strategy or strict setting that does not exist.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind} not supported: {name:?} (there are: {known})")]
pub struct UnknownName {
    kind: &'static str,
    name: String,
    known: String,
}

impl UnknownName {
    fn new(kind: &'static str, name: &str, known: &[&str]) -> UnknownName {
        UnknownName {
            kind,
            name: name.to_owned(),
            known: known.join(", "),
        }
    }
}

impl FromStr for Filter {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Filter, UnknownName> {
        Filter::ALL
            .into_iter()
            .find(|filter| filter.name() == name)
            .ok_or_else(|| UnknownName::new("filter", name, &Filter::ALL.map(Filter::name)))
    }
}

impl FromStr for Strategy {
    type Err = UnknownName;

    /// Accepts `binpacking`, as the original does.
    fn from_str(name: &str) -> Result<Strategy, UnknownName> {
        match name {
            "binpacking" => Ok(Strategy::Binpack),
            _ => Strategy::ALL
                .into_iter()
                .find(|strategy| strategy.name() == name)
                .ok_or_else(|| UnknownName::new("strategy", name, &Strategy::ALL.map(Strategy::name))),
        }
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
