//! A progress bar over several runs, on the terminal only.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::cluster::Cluster;
use crate::model::Time;
use crate::sim::{Observation, Observer};

/// Steps that each run counts for.
const STEPS: u64 = 1000;

/// The bar. Hidden when the error output is no terminal.
pub struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// A bar over so many runs.
    pub fn new(runs: usize, quiet: bool, what: &str) -> Progress {
        let target = if quiet {
            ProgressDrawTarget::hidden()
        } else {
            ProgressDrawTarget::stderr()
        };
        let bar = ProgressBar::with_draw_target(Some(runs as u64 * STEPS), target);
        let template = "{msg} {wide_bar} {percent:>3} %  {elapsed_precise}  {eta} left";
        let style = ProgressStyle::with_template(template).expect("the template is a constant and valid");
        bar.set_style(style);
        bar.set_message(what.to_owned());
        Progress { bar }
    }

    /// An observer of one of the runs, which ends at about `end`.
    pub fn run(&self, end: Time) -> RunProgress<'_> {
        RunProgress {
            bar: &self.bar,
            end,
            shown: 0,
        }
    }

    /// One of the runs, which nobody observes, is finished.
    pub fn step(&self) {
        self.bar.inc(STEPS);
    }

    /// Removes the bar.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

/// Moves the bar as one run proceeds.
pub struct RunProgress<'a> {
    bar: &'a ProgressBar,
    end: Time,
    shown: u64,
}

impl Observer for RunProgress<'_> {
    fn observe(&mut self, time: Time, _cluster: &Cluster, observation: &Observation<'_>) {
        let reached = match observation {
            Observation::Sample if self.end < Time::MAX => {
                (u128::from(time.0) * u128::from(STEPS) / u128::from(self.end.0.max(1))).min(u128::from(STEPS)) as u64
            }
            Observation::End => STEPS,
            _ => return,
        };
        self.bar.inc(reached.saturating_sub(self.shown));
        self.shown = self.shown.max(reached);
    }
}
