//! The containers of one class, in order of arrival.

use std::f64::consts::TAU;
use std::sync::Arc;
use std::time::Duration;

use rand::rngs::ChaCha8Rng;
use rustc_hash::FxHashMap;

use crate::model::{Bytes, Cpus, Name, Request, Resources, Time};
use crate::scheduler::Prepared;

use super::input::Submission;
use super::plan::{Arrivals, ClassPlan, Source};
use super::sampler::unit;
use super::streams::{Purpose, Streams};

/// Placeholder in a request's texts for the number of the container within its class.
const INDEX: &str = "{index}";
/// Prepared requests remembered per class: sizes are drawn in steps, so they recur.
const REMEMBERED: usize = 1 << 14;

/// Hands out one class's containers.
pub(super) struct ClassArrivals<'a> {
    class: usize,
    plan: &'a ClassPlan,
    /// When the next arrival is due.
    next: Option<Time>,
    /// Arrivals handed out in full.
    arrived: u64,
    /// Containers handed out.
    number: u64,
    /// Replicas left of the arrival that is being handed out, and what they are.
    copies: u32,
    copy: Option<(Prepared, Option<Duration>)>,
    burst_left: u32,
    requests: Requests<'a>,
    arrival_rng: ChaCha8Rng,
    size_rng: ChaCha8Rng,
    lifetime_rng: ChaCha8Rng,
}

/// The requests of a class, prepared.
enum Requests<'a> {
    /// The texts have the container's number in them: every request is its own.
    Numbered(&'a Request),
    /// Only CPU and memory differ.
    Sized(&'a Request, FxHashMap<Resources, Prepared>),
    /// Those of a trace.
    Listed(Vec<Option<Prepared>>),
}

impl<'a> ClassArrivals<'a> {
    pub(super) fn new(class: usize, plan: &'a ClassPlan, streams: Streams) -> ClassArrivals<'a> {
        let (next, requests) = match &plan.source {
            Source::Synthetic { request, start, .. } if is_numbered(request) => {
                (Some(*start), Requests::Numbered(request))
            }
            Source::Synthetic { request, start, .. } => (Some(*start), Requests::Sized(request, FxHashMap::default())),
            Source::Trace(trace) => (
                trace.rows.first().map(|row| row.at),
                Requests::Listed(vec![None; trace.requests.len()]),
            ),
        };
        let mut arrivals = ClassArrivals {
            class,
            plan,
            next,
            arrived: 0,
            number: 0,
            copies: 0,
            copy: None,
            burst_left: 0,
            requests,
            arrival_rng: streams.stream(Purpose::Arrivals, &plan.name, 0),
            size_rng: streams.stream(Purpose::Sizes, &plan.name, 0),
            lifetime_rng: streams.stream(Purpose::Lifetimes, &plan.name, 0),
        };
        arrivals.first();
        arrivals
    }

    /// When the next container is asked for.
    pub(super) fn next_time(&self) -> Option<Time> {
        self.next
    }

    /// The next container.
    pub(super) fn pop(&mut self, prepare: &mut dyn FnMut(Arc<Request>) -> Prepared) -> Option<Submission> {
        let now = self.next?;
        self.number += 1;
        if self.copies == 0 {
            self.copies = self.plan.replicas.max(1);
            self.copy = None;
        }
        let (request, lifetime) = match (&self.copy, &self.requests) {
            (Some((_, lifetime)), Requests::Numbered(template)) => {
                let request = self.numbered(template);
                (prepare(Arc::new(request)), *lifetime)
            }
            (Some(copy), _) => copy.clone(),
            (None, _) => self.draw(prepare),
        };
        let name = match &self.plan.source {
            Source::Trace(trace) if self.plan.replicas <= 1 => {
                trace.rows.get(self.arrived as usize).and_then(|row| row.name.clone())
            }
            _ => None,
        };
        self.copy = Some((request.clone(), lifetime));
        self.copies -= 1;
        if self.copies == 0 {
            self.arrived += 1;
            self.next = self.following(now);
        }
        Some(Submission {
            class: self.class,
            name: name.unwrap_or_else(|| Name::numbered(&self.plan.name, '-', self.number)),
            request,
            lifetime,
        })
    }

    /// What the next arrival asks for.
    fn draw(&mut self, prepare: &mut dyn FnMut(Arc<Request>) -> Prepared) -> (Prepared, Option<Duration>) {
        match &self.plan.source {
            Source::Synthetic {
                cpus, memory, lifetime, ..
            } => {
                let resources = Resources {
                    cpus: Cpus::from_nanos(cpus.sample(&mut self.size_rng)),
                    memory: Bytes::new(memory.sample(&mut self.size_rng)),
                };
                let drawn = lifetime.as_ref().map(|sampler| sampler.sample(&mut self.lifetime_rng));
                let lifetime = drawn.map(Duration::from_nanos);
                let request = match &mut self.requests {
                    Requests::Sized(template, remembered) => {
                        if remembered.len() > REMEMBERED {
                            remembered.clear();
                        }
                        let prepared = remembered.entry(resources).or_insert_with(|| {
                            let mut request = Request::clone(template);
                            request.resources = resources;
                            prepare(Arc::new(request))
                        });
                        prepared.clone()
                    }
                    Requests::Numbered(template) => {
                        let mut request = numbered(template, self.number);
                        request.resources = resources;
                        prepare(Arc::new(request))
                    }
                    Requests::Listed(_) => unreachable!("only traces list their requests"),
                };
                (request, lifetime)
            }
            Source::Trace(trace) => {
                let row = &trace.rows[self.arrived as usize];
                let Requests::Listed(prepared) = &mut self.requests else {
                    unreachable!("traces list their requests")
                };
                let listed = &trace.requests[row.request as usize];
                let slot = &mut prepared[row.request as usize];
                let request = slot.get_or_insert_with(|| prepare(Arc::new(listed.clone())));
                (request.clone(), row.lifetime)
            }
        }
    }

    /// A further replica of an arrival: sized as the first, numbered as itself.
    fn numbered(&self, template: &Request) -> Request {
        let mut request = numbered(template, self.number);
        if let Some((first, _)) = &self.copy {
            request.resources = first.request().resources;
        }
        request
    }

    /// Moves from the start of the class to its first arrival.
    fn first(&mut self) {
        let Source::Synthetic { arrivals, start, .. } = &self.plan.source else {
            return;
        };
        self.next = match arrivals {
            Arrivals::Poisson { .. } | Arrivals::Diurnal { .. } => self.random_arrival(*start),
            Arrivals::Fixed { .. } | Arrivals::AtStart { .. } => Some(*start),
            Arrivals::Burst { size, .. } => {
                self.burst_left = size.saturating_sub(1);
                Some(*start)
            }
        };
        self.stop();
    }

    /// When the arrival after the one at `now` is due.
    fn following(&mut self, now: Time) -> Option<Time> {
        self.next = match &self.plan.source {
            Source::Trace(trace) => trace.rows.get(self.arrived as usize).map(|row| row.at),
            Source::Synthetic { arrivals, .. } => match arrivals {
                Arrivals::Poisson { .. } | Arrivals::Diurnal { .. } => self.random_arrival(now),
                Arrivals::Fixed { interval } => Some(now + *interval),
                Arrivals::Burst { size, interval } => {
                    if self.burst_left > 0 {
                        self.burst_left -= 1;
                        Some(now)
                    } else {
                        self.burst_left = size.saturating_sub(1);
                        Some(now + *interval)
                    }
                }
                Arrivals::AtStart { count } => (self.arrived < *count).then_some(now),
            },
        };
        self.stop();
        self.next
    }

    /// Cuts off what is due after the class's end or above its limit.
    fn stop(&mut self) {
        if let Source::Synthetic { stop, limit, .. } = &self.plan.source {
            let over = limit.is_some_and(|limit| self.arrived >= limit);
            self.next = self.next.filter(|next| *next < *stop && !over);
        }
    }

    /// The first random arrival after `from`; `None` if it lies beyond the class's end.
    fn random_arrival(&mut self, from: Time) -> Option<Time> {
        let Source::Synthetic { arrivals, stop, .. } = &self.plan.source else {
            return None;
        };
        let rng = &mut self.arrival_rng;
        let gap = |rate: f64, rng: &mut ChaCha8Rng| {
            let seconds = -libm::log(1.0 - unit(rng)) / rate;
            // The cast saturates.
            Duration::from_nanos((seconds * 1e9).round() as u64)
        };
        match arrivals {
            Arrivals::Poisson { rate } => Some(from + gap(*rate, rng)),
            Arrivals::Diurnal {
                rate,
                amplitude,
                period,
                peak,
            } => {
                // Thinning (Lewis and Shedler 1979): arrivals at the highest rate, each kept with the probability that
                // the rate at its time has in it.
                let highest = rate * (1.0 + amplitude);
                let mut time = from;
                loop {
                    time = time + gap(highest, rng);
                    if time >= *stop {
                        return None;
                    }
                    let phase = (time.as_secs_f64() - peak.as_secs_f64()) / period.as_secs_f64();
                    let now = rate * (1.0 + amplitude * libm::cos(TAU * phase));
                    if unit(rng) * highest < now {
                        return Some(time);
                    }
                }
            }
            Arrivals::Fixed { .. } | Arrivals::Burst { .. } | Arrivals::AtStart { .. } => None,
        }
    }
}

/// The texts of a request that may have the container's number in them.
fn numbered_texts(request: &mut Request) -> impl Iterator<Item = &mut String> {
    let lists = [
        &mut request.constraints,
        &mut request.affinities,
        &mut request.links,
        &mut request.volumes_from,
    ];
    lists.into_iter().flatten().chain([&mut request.network_mode])
}

fn is_numbered(request: &Request) -> bool {
    let lists = [
        &request.constraints,
        &request.affinities,
        &request.links,
        &request.volumes_from,
    ];
    lists
        .into_iter()
        .flatten()
        .chain([&request.network_mode])
        .any(|text| text.contains(INDEX))
}

fn numbered(template: &Request, number: u64) -> Request {
    let mut request = template.clone();
    let number = number.to_string();
    for text in numbered_texts(&mut request) {
        if text.contains(INDEX) {
            *text = text.replace(INDEX, &number);
        }
    }
    request
}
