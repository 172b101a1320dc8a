//! Counting the instructions of a decision under Valgrind, which does not depend on what else a machine does.

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::case::Case;
use super::origin::Origin;
use super::protocol::SubjectSpec;
use super::worker::{Worker, WorkerError};

/// Decisions that are counted.
const COUNTED: u64 = 128;

/// Valgrind's name for the function that is counted.
const FUNCTION: &str = "*swarmlab*bench*serve*counted_decisions*";

/// How the allocator goes by what is asked of it alone.
const ALLOCATOR: &str = "dirty_decay_ms:-1,muzzy_decay_ms:-1,experimental_tcache_gc:false";

/// Counts instructions.
#[derive(Clone, Debug)]
pub struct Callgrind {
    valgrind: PathBuf,
}

/// Why instructions are not counted.
#[derive(Debug, thiserror::Error)]
pub enum CountError {
    /// It is not installed.
    #[error("counting instructions needs valgrind, which is not on the PATH; install it (apt-get install valgrind)")]
    NotInstalled,
    /// There is no place for what it writes.
    #[error("cannot use a temporary directory")]
    Temporary(#[source] io::Error),
    /// The program under it does not measure.
    #[error("cannot measure under valgrind")]
    Worker(#[from] WorkerError),
    /// It ended in a failure.
    #[error("valgrind failed: {0}")]
    Failed(String),
    /// It wrote no count.
    #[error("valgrind counted nothing: is the program stripped of its symbols?")]
    Nothing,
}

impl Callgrind {
    /// The Valgrind of this machine.
    ///
    /// # Errors
    ///
    /// If there is none.
    pub fn find() -> Result<Callgrind, CountError> {
        let path = env::var_os("PATH").unwrap_or_default();
        let candidates = env::split_paths(&path).map(|directory| directory.join("valgrind"));
        let valgrind = candidates.into_iter().find(|candidate| candidate.is_file());
        valgrind
            .map(|valgrind| Callgrind { valgrind })
            .ok_or(CountError::NotInstalled)
    }

    /// Instructions that a program takes for one decision of a case, and what the program was built by. The same program
    /// gives the same count every time.
    ///
    /// # Errors
    ///
    /// If the program cannot be run, or cannot measure the case.
    pub fn count(
        &self,
        program: &Path,
        subject: &SubjectSpec,
        case: &Case,
        interrupted: &(dyn Fn() -> bool + Sync),
    ) -> Result<(f64, Origin), CountError> {
        let directory = tempfile::tempdir().map_err(CountError::Temporary)?;
        let file = directory.path().join("callgrind.out");
        let mut command = Command::new(&self.valgrind);
        command.args(["--tool=callgrind", "--quiet", "--collect-atstart=no"]);
        command.arg(format!("--toggle-collect={FUNCTION}"));
        command.arg(format!("--callgrind-out-file={}", file.display()));
        command.arg(program);
        // What the environment holds moves the stack, and with it a few instructions.
        let path = env::var_os("PATH").unwrap_or_default();
        command.env_clear().env("PATH", path);
        // The allocator tidies up by the clock, at different points of two runs.
        command.env("_RJEM_MALLOC_CONF", ALLOCATOR);
        let mut worker = Worker::start_with(command, program, subject, interrupted)?;
        worker.prepare(case)?;
        worker.count(COUNTED)?;
        let origin = worker.origin().clone();
        let status = worker.end()?;
        if !status.success() {
            return Err(CountError::Failed(status.to_string()));
        }
        let text = fs::read_to_string(&file).map_err(|error| CountError::Failed(error.to_string()))?;
        match total(&text) {
            None | Some(0) => Err(CountError::Nothing),
            // Whole instructions: what files hold is what is compared.
            Some(total) => Ok(((total as f64 / COUNTED as f64).round().max(1.0), origin)),
        }
    }
}

/// The number of instructions that a profile sums up to.
fn total(profile: &str) -> Option<u64> {
    let sums = profile
        .lines()
        .filter_map(|line| line.strip_prefix("totals:").or_else(|| line.strip_prefix("summary:")));
    sums.filter_map(|sum| sum.trim().parse().ok()).next_back()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_of_a_profile_is_read() {
        let profile = "version: 1\nevents: Ir\nsummary: 12345\n\nfn=(1) main\n16 400\ntotals: 12345\n";
        assert_eq!(total(profile), Some(12345));
        assert_eq!(total("version: 1\n"), None);
        assert_eq!(total("totals: many\n"), None);
    }
}
