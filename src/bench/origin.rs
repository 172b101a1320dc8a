//! What was measured, built by what, on which machine.

use serde::{Deserialize, Serialize};

/// Where figures come from. Those of different builds or machines are not comparable without further ado.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Origin {
    /// Version of the program.
    pub version: String,
    /// The compiler that built it.
    pub rustc: String,
    /// `release` or `debug`.
    pub profile: String,
    /// What it was built for.
    pub target: String,
    /// The processor that ran it.
    pub processor: String,
    /// How many of them.
    pub processors: usize,
}

impl Origin {
    /// Of this program, on this machine.
    pub fn here() -> Origin {
        Origin {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            rustc: env!("SWARMLAB_RUSTC").to_owned(),
            profile: env!("SWARMLAB_PROFILE").to_owned(),
            target: env!("SWARMLAB_TARGET").to_owned(),
            processor: processor().unwrap_or_else(|| "unknown".to_owned()),
            processors: std::thread::available_parallelism().map_or(1, usize::from),
        }
    }

    /// Whether both compilers make the same instructions of the same source.
    pub fn is_built_alike(&self, other: &Origin) -> bool {
        self.rustc == other.rustc && self.target == other.target
    }

    /// Whether a clock on one machine says anything about the other.
    pub fn is_same_machine(&self, other: &Origin) -> bool {
        self.processor == other.processor && self.processors == other.processors && self.target == other.target
    }
}

/// The name that the processor gives itself, where the system tells.
fn processor() -> Option<String> {
    let text = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    let (_, name) = line.split_once(':')?;
    Some(name.split_whitespace().collect::<Vec<_>>().join(" "))
}
