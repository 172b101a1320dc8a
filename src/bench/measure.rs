//! Timing with a clock: what one process says of a case, alone or in turn with another.
//!
//! Two processes of the same program differ, for as long as they run, by more than the batches of one of them do: where
//! their memory happens to lie decides what the processor's caches hold. So one process gives one sample of a case,
//! however much it measures, and what is compared are samples of many processes. Mytkowicz and others, "Producing Wrong
//! Data Without Doing Anything Obviously Wrong", ASPLOS 2009.

use std::time::Duration;

use crate::metrics::stats::median;

/// Fewest samples from which a difference can be told with confidence.
pub const SAMPLES_MIN: usize = 10;

/// Batches of a sample: the median of them shrugs off what disturbs the machine for less than half of them.
const BATCHES: u32 = 6;
/// Most decisions in a batch.
const DECISIONS_MAX: u64 = 1 << 30;

/// Something whose iterations can be timed.
pub trait Timed {
    /// Why they cannot.
    type Error;

    /// Nanoseconds that so many iterations take, one after the other.
    ///
    /// # Errors
    ///
    /// If they could not be run.
    fn time(&mut self, iterations: u64) -> Result<u64, Self::Error>;
}

/// One sample: nanoseconds per iteration, from batches that together take about so long. A batch has at least one
/// iteration, so slow ones may take longer.
///
/// # Errors
///
/// If an iteration could not be run.
pub fn sample<T: Timed>(timed: &mut T, span: Duration) -> Result<f64, T::Error> {
    let iterations = batch(timed, nanos(span) / u64::from(BATCHES))?;
    let mut means = Vec::new();
    for _ in 0..BATCHES {
        means.push(mean(timed.time(iterations)?, iterations));
    }
    Ok(median(&means).unwrap_or(0.0))
}

/// A sample of each of two, taken in turn, so that what disturbs the machine for longer than a batch disturbs both
/// alike: the first goes first in every other turn.
///
/// # Errors
///
/// If an iteration of either could not be run.
pub fn sample_in_turn<E, A: Timed<Error = E>, B: Timed<Error = E>>(
    first: &mut A,
    second: &mut B,
    span: Duration,
) -> Result<(f64, f64), E> {
    let each = nanos(span) / u64::from(2 * BATCHES);
    // Batches of equally many: what a batch costs beside its iterations must not look like a difference.
    let iterations = batch(first, each)?.min(batch(second, each)?);
    let (mut firsts, mut seconds) = (Vec::new(), Vec::new());
    for turn in 0..BATCHES {
        if turn % 2 == 0 {
            firsts.push(mean(first.time(iterations)?, iterations));
            seconds.push(mean(second.time(iterations)?, iterations));
        } else {
            seconds.push(mean(second.time(iterations)?, iterations));
            firsts.push(mean(first.time(iterations)?, iterations));
        }
    }
    Ok((median(&firsts).unwrap_or(0.0), median(&seconds).unwrap_or(0.0)))
}

/// The number of iterations that take about so long, found by doubling, which warms up caches and branch predictors.
fn batch<T: Timed>(timed: &mut T, nanos: u64) -> Result<u64, T::Error> {
    let mut iterations = 1;
    loop {
        let taken = timed.time(iterations)?;
        if taken >= nanos || iterations >= DECISIONS_MAX {
            // The last doubling may have gone twice too far.
            let share = nanos as f64 / taken.max(1) as f64;
            return Ok(((iterations as f64 * share) as u64).clamp(1, iterations));
        }
        iterations *= 2;
    }
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

/// Nanoseconds per iteration. Clocks with coarse ticks may say zero, which nothing takes.
fn mean(nanos: u64, iterations: u64) -> f64 {
    nanos.max(1) as f64 / iterations.max(1) as f64
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    /// Takes so many nanoseconds an iteration, every third time ten times as many, and remembers what it was asked for.
    struct Disturbed(u64, Vec<u64>);

    impl Timed for Disturbed {
        type Error = Infallible;

        fn time(&mut self, iterations: u64) -> Result<u64, Infallible> {
            self.1.push(iterations);
            let factor = if self.1.len().is_multiple_of(3) { 10 } else { 1 };
            Ok(self.0 * iterations * factor)
        }
    }

    #[test]
    fn a_sample_is_the_median_of_batches_that_share_the_time() {
        let mut timed = Disturbed(250, Vec::new());
        let Ok(found) = sample(&mut timed, Duration::from_millis(6));
        assert_eq!(found, 250.0);
        let (warm_up, batches) = timed.1.split_at(timed.1.len() - 6);
        assert_eq!(warm_up, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048]);
        assert_eq!(batches, [400; 6], "the disturbed twelfth took for ten times as many");
    }

    #[test]
    fn slow_iterations_are_measured_one_at_a_time() {
        let mut slow = Disturbed(5_000_000_000, Vec::new());
        let Ok(found) = sample(&mut slow, Duration::from_millis(6));
        assert_eq!(found, 5e9);
        assert_eq!(slow.1, [1; 7]);
    }

    #[test]
    fn a_clock_that_stands_still_ends_nevertheless() {
        let Ok(found) = sample(&mut Disturbed(0, Vec::new()), Duration::from_nanos(600));
        assert!(found > 0.0);
    }

    #[test]
    fn two_are_measured_in_turn() {
        let (mut a, mut b) = (Disturbed(100, Vec::new()), Disturbed(150, Vec::new()));
        let Ok(found) = sample_in_turn(&mut a, &mut b, Duration::from_millis(1));
        assert_eq!(found, (100.0, 150.0));
        assert_eq!(a.1[a.1.len() - 6..], b.1[b.1.len() - 6..], "equally many of both");
    }
}
