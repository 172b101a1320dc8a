//! The fold from the observations of a run to its record.

use hdrhistogram::Histogram;

use crate::cluster::Cluster;
use crate::model::Time;
use crate::sim::{NodeEvent, Observation, Observer, Subject, Verdict};

use super::admission::Admission;
use super::disruption::Disruption;
use super::gauge::Gauge;
use super::ledger::{Ledger, State};
use super::load::LoadRecorder;
use super::occupancy::Occupancies;
use super::running::Running;
use super::snapshot::Photographer;
use super::startup::Startup;
use super::{Metric, PerResource, Reason, RunRecord, SeriesRow, Setup, Summary};

/// Longest decision that is told from longer ones, in nanoseconds: a minute.
const LATENCY_MAX_NS: u64 = 60_000_000_000;
/// Significant digits of a decision's duration.
const LATENCY_DIGITS: u8 = 3;

/// Watches one run. Each observation costs a small constant; a sample costs a look at every node.
#[derive(Clone, Debug)]
pub struct Recorder<'a> {
    setup: &'a Setup,
    /// End of the warm-up.
    from: Time,
    /// The latest observation.
    clock: Time,
    ledger: Ledger,
    gauges: Gauges,
    admission: Admission,
    startup: Startup,
    running: Running,
    disruption: Disruption,
    photographer: Photographer,
    series: Vec<SeriesRow>,
    load: LoadRecorder<'a>,
    occupancies: Occupancies,
    /// Attempts of the container that was decided on last, that one included.
    attempts: u32,
    latency_ns: Option<Histogram<u64>>,
}

/// What is measured continuously.
#[derive(Clone, Debug, Default)]
struct Gauges {
    reserved: PerResource<Gauge>,
    overcommitted: PerResource<Gauge>,
    active_nodes: Gauge,
}

impl<'a> Recorder<'a> {
    /// A recorder for one run.
    pub fn new(setup: &'a Setup) -> Recorder<'a> {
        Recorder {
            setup,
            from: Time::from(setup.warm_up),
            clock: Time::ZERO,
            ledger: Ledger::new(),
            gauges: Gauges::default(),
            admission: Admission::new(setup),
            startup: Startup::new(setup),
            running: Running::default(),
            disruption: Disruption::new(setup),
            photographer: Photographer::new(setup),
            series: Vec::new(),
            load: LoadRecorder::new(setup),
            occupancies: Occupancies::default(),
            attempts: 0,
            latency_ns: None,
        }
    }

    /// The record of what was observed; the run ends with the last observation.
    pub fn finish(mut self) -> RunRecord {
        if self.clock >= self.from {
            self.gauges.each(self.ledger.state(), Gauge::settle);
        }
        let summary = self.summary();
        let (occupancy_at_end, occupancy_at_peak) = self.occupancies.finish(self.from);
        RunRecord {
            summary,
            series: self.series,
            load: self.load.finish(),
            occupancy_at_end,
            occupancy_at_peak,
            rejections: self.admission.rejections,
            refusals: self.admission.refusals,
            classes: self.admission.classes,
            latency_ns: self.latency_ns,
        }
    }

    /// The state as of the last observation lasted until now.
    fn advance(&mut self, time: Time) {
        assert!(time >= self.clock, "observations come in the order of time");
        let nanos = time.0.saturating_sub(self.clock.max(self.from).0);
        self.clock = time;
        if nanos > 0 {
            self.gauges
                .each(self.ledger.state(), |gauge, value| gauge.hold(value, nanos as f64));
        }
    }

    fn decided(&mut self, subject: &Subject<'_>, verdict: Verdict, attempts: u32, latency: Option<u64>) {
        self.attempts = attempts;
        if let Some(nanos) = latency.filter(|_| self.clock >= self.from) {
            let histogram = self.latency_ns.get_or_insert_with(|| {
                Histogram::new_with_bounds(1, LATENCY_MAX_NS, LATENCY_DIGITS)
                    .expect("the bounds are constants, two or more apart, and the digits are at most five")
            });
            histogram.saturating_record(nanos);
        }
        match verdict {
            Verdict::Placed {
                container,
                soft,
                waited,
                rescheduled,
                ..
            } => {
                let submitted = if rescheduled {
                    self.disruption.placed_again(self.clock, subject.name);
                    None
                } else {
                    self.admission.placed(self.clock, subject, waited, soft)
                };
                self.startup.placed(container, submitted);
            }
            Verdict::Rejected(rejection) => self.admission.refused(self.clock, Reason::Rejection(rejection)),
        }
    }

    fn sample(&mut self, cluster: &Cluster) {
        let state = self.ledger.state();
        let snapshot = self.photographer.snapshot(cluster);
        let flow = self.admission.all;
        let row = SeriesRow {
            time: self.clock,
            submitted: flow.submitted,
            placed: flow.placed,
            rejected: flow.rejected,
            waiting: flow.waiting(),
            displaced: self.disruption.waiting() as u64,
            present: state.containers,
            running: self.running.total(),
            active_nodes: state.active_nodes,
            available_nodes: state.available_nodes,
            reserved_pct: state.reserved_pct,
            overcommitted_pct: state.overcommitted_pct,
            balance: snapshot.balance,
            stranded_pct: snapshot.stranded_pct,
            fragmented_pct: snapshot.fragmented_pct,
            packing_pct: snapshot.packing_pct,
            further_pct: snapshot.further_pct,
            pulled_bytes: self.startup.pulled_bytes.1,
        };
        // The regular sample and the last one may fall together; the later tells the state that lasts.
        match self.series.last_mut() {
            Some(last) if last.time == self.clock => *last = row,
            _ => self.series.push(row),
        }
        self.load.sample(self.clock, cluster);
        self.occupancies.sample(self.clock, self.from, cluster);
    }

    fn summary(&mut self) -> Summary {
        let in_window = || self.series.iter().filter(|row| row.time >= self.from);
        let mean = |figure: &dyn Fn(&SeriesRow) -> Option<f64>| {
            let (sum, count) = in_window()
                .filter_map(figure)
                .fold((0.0, 0_u64), |(sum, count), value| (sum + value, count + 1));
            (count > 0).then(|| sum / count as f64)
        };
        let fullest = in_window().reduce(|best, row| if row.present > best.present { row } else { best });
        let damage = self.disruption.damage();
        let mut recoveries = damage.as_ref().map(|damage| damage.recoveries.clone());
        let mut recovery = |percent| recoveries.as_mut()?.percentile(percent);
        let recovery = [recovery(50), recovery(100)];
        let waits = [50, 90, 99].map(|percent| self.admission.waits.percentile(percent));
        let startups = [50, 90, 99].map(|percent| self.startup.spans.percentile(percent));
        let Admission { counted, soft, .. } = &self.admission;
        let share = |part: u64, whole: u64| (whole > 0).then(|| 100.0 * part as f64 / whole as f64);
        let images = |figure: Option<f64>| figure.filter(|_| self.setup.images);
        let count = |number: u64| Some(number as f64);
        let damage = |figure: fn(&super::disruption::Damage) -> Option<u64>| Some(figure(damage.as_ref()?)? as f64);
        let gauges = &self.gauges;
        // Σ min(u, c) = Σu − Σ max(0, u − c), and both means are over the same time.
        let within = |reserved: &Gauge, excess: &Gauge| Some(reserved.mean()? - excess.mean()?);
        Summary::from_fn(|metric| match metric {
            Metric::Submitted => count(counted.submitted),
            Metric::Placed => count(counted.placed),
            Metric::Rejected => count(counted.rejected),
            Metric::RejectedShare => share(counted.rejected, counted.submitted),
            Metric::WaitingAtEnd => count(counted.waiting()),
            Metric::Retried => count(self.admission.retried),
            Metric::RefusedAttempts => count(self.admission.refusals.values().sum()),
            Metric::WaitMean => self.admission.waits.mean(),
            Metric::WaitP50 => waits[0],
            Metric::WaitP90 => waits[1],
            Metric::WaitP99 => waits[2],
            Metric::StartupP50 => startups[0],
            Metric::StartupP90 => startups[1],
            Metric::StartupP99 => startups[2],
            Metric::CpuUtilised => within(&gauges.reserved.cpu, &gauges.overcommitted.cpu),
            Metric::MemoryUtilised => within(&gauges.reserved.memory, &gauges.overcommitted.memory),
            Metric::FurtherReserved => mean(&|row| row.further_pct),
            Metric::FurtherReservedFinal => self.series.last().and_then(|row| row.further_pct),
            Metric::CpuReservedMean => gauges.reserved.cpu.mean(),
            Metric::CpuReservedPeak => gauges.reserved.cpu.peak(),
            Metric::CpuReservedFinal => gauges.reserved.cpu.last(),
            Metric::MemoryReservedMean => gauges.reserved.memory.mean(),
            Metric::MemoryReservedPeak => gauges.reserved.memory.peak(),
            Metric::MemoryReservedFinal => gauges.reserved.memory.last(),
            Metric::CpuOvercommitted => gauges.overcommitted.cpu.mean(),
            Metric::MemoryOvercommitted => gauges.overcommitted.memory.mean(),
            Metric::CpuCv => mean(&|row| Some(row.balance.cpu?.cv)),
            Metric::CpuJain => mean(&|row| Some(row.balance.cpu?.jain)),
            Metric::CpuMaxOverMean => mean(&|row| Some(row.balance.cpu?.max_over_mean)),
            Metric::MemoryCv => mean(&|row| Some(row.balance.memory?.cv)),
            Metric::MemoryJain => mean(&|row| Some(row.balance.memory?.jain)),
            Metric::MemoryMaxOverMean => mean(&|row| Some(row.balance.memory?.max_over_mean)),
            Metric::ActiveNodesMean => gauges.active_nodes.mean(),
            Metric::ActiveNodesPeak => gauges.active_nodes.peak(),
            Metric::Packing => mean(&|row| row.packing_pct),
            Metric::PackingPeak => fullest.and_then(|row| row.packing_pct),
            Metric::CpuStranded => mean(&|row| row.stranded_pct.cpu),
            Metric::MemoryStranded => mean(&|row| row.stranded_pct.memory),
            Metric::CpuFragmented => mean(&|row| row.fragmented_pct.cpu),
            Metric::MemoryFragmented => mean(&|row| row.fragmented_pct.memory),
            Metric::NodeFailures => damage(|damage| Some(damage.failures)),
            Metric::ContainersLost => damage(|damage| Some(damage.lost)),
            Metric::ContainersMoved => damage(|damage| Some(damage.moved)),
            Metric::ContainersRescheduled => damage(|damage| Some(damage.rescheduled)),
            Metric::ContainersNotReplaced => damage(|damage| Some(damage.not_replaced)),
            Metric::RecoveryP50 => recovery[0],
            Metric::RecoveryMax => recovery[1],
            Metric::FailuresNotRecovered => damage(|damage| damage.not_recovered),
            Metric::Restarts => count(self.startup.restarts).filter(|_| self.startup.exits > 0),
            Metric::SoftKept => share(soft.1, soft.0),
            Metric::PulledBytes => images(count(self.startup.pulled_bytes.0)),
            Metric::ColdStarts => images(share(self.startup.pulls.len(), self.startup.starts)),
            Metric::PullWaitMean => images(self.startup.pulls.mean()),
        })
    }
}

impl Observer for Recorder<'_> {
    fn observe(&mut self, time: Time, cluster: &Cluster, observation: &Observation<'_>) {
        self.advance(time);
        self.ledger.sync(cluster);
        match observation {
            Observation::Begin => self.load.begin(cluster),
            Observation::End => {}
            Observation::Submitted { subject, .. } => self.admission.submitted(time, subject),
            Observation::Decided {
                subject,
                verdict,
                attempts,
                latency,
            } => self.decided(subject, *verdict, *attempts, *latency),
            Observation::Retrying { subject, .. } => {
                // Further retries are of a container that is known to have been deferred.
                if self.attempts == 1 && !self.disruption.is_displaced(subject.name) {
                    self.admission.deferred(time);
                }
            }
            Observation::Queued { subject, .. } => {
                if !self.disruption.is_displaced(subject.name) {
                    self.admission.deferred(time);
                }
            }
            Observation::GaveUp {
                subject,
                rejection,
                waited,
            } => {
                if self.disruption.is_displaced(subject.name) {
                    self.disruption.gave_up(subject.name);
                } else {
                    let reason = rejection.map_or(Reason::QueueFull, Reason::Rejection);
                    self.admission.gave_up(time, subject, reason, *waited);
                }
            }
            Observation::Started {
                subject,
                node,
                container,
                delay,
            } => {
                if self.startup.started(time, *container, *delay) {
                    self.running.started(subject, *node);
                }
            }
            Observation::Exited {
                subject,
                node,
                restarts,
                ..
            } => {
                if !restarts {
                    self.running.exited(subject, *node);
                }
                self.startup.exited(time, *restarts);
            }
            Observation::Lost {
                subject,
                node,
                reschedules,
            } => {
                self.running.lost(subject, *node);
                self.disruption.lost(time, subject.name, *node, *reschedules);
            }
            Observation::Pulling { bytes, .. } => self.startup.pulling(time, *bytes),
            Observation::Node { node, change } => {
                if let NodeEvent::Failed | NodeEvent::Left = change {
                    self.running.node_lost(*node);
                }
                self.load.node(*node, *change);
                self.disruption.node(time, *node, *change);
            }
            Observation::Sample => self.sample(cluster),
        }
    }
}

impl Gauges {
    fn each(&mut self, state: &State, update: impl Fn(&mut Gauge, Option<f64>)) {
        let (reserved, overcommitted) = (state.reserved_pct, state.overcommitted_pct);
        update(&mut self.reserved.cpu, reserved.cpu);
        update(&mut self.reserved.memory, reserved.memory);
        update(&mut self.overcommitted.cpu, overcommitted.cpu);
        update(&mut self.overcommitted.memory, overcommitted.memory);
        update(&mut self.active_nodes, Some(f64::from(state.active_nodes)));
    }
}
