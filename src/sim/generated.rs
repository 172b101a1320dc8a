//! The inputs that a plan and a seed give.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::sync::Arc;

use crate::model::{Request, Time};
use crate::scheduler::{Prepared, Scheduler, Settings, Strategy};

use super::arrivals::ClassArrivals;
use super::input::{Input, Inputs};
use super::node_events::NodeEvents;
use super::plan::Plan;
use super::streams::Streams;

/// Draws inputs as they are needed. At the same instant, events of nodes come before arrivals, and arrivals in the
/// order of their classes.
pub struct Generated<'a> {
    classes: Vec<ClassArrivals<'a>>,
    nodes: NodeEvents<'a>,
    prepare: Box<dyn FnMut(Arc<Request>) -> Prepared + 'a>,
    /// When each class that has another container asks for it; the first on top, and of several the first class.
    due: BinaryHeap<Reverse<(Time, usize)>>,
}

impl<'a> Generated<'a> {
    /// The inputs of one run. `prepare` parses requests, as the run's scheduler does.
    pub fn new(plan: &'a Plan, seed: u64, prepare: impl FnMut(Arc<Request>) -> Prepared + 'a) -> Generated<'a> {
        let streams = Streams::new(seed);
        let classes = plan.classes.iter().enumerate();
        let classes: Vec<_> = classes
            .map(|(class, plan)| ClassArrivals::new(class, plan, streams))
            .collect();
        let due = classes.iter().enumerate();
        Generated {
            due: due
                .filter_map(|(class, arrivals)| Some(Reverse((arrivals.next_time()?, class))))
                .collect(),
            classes,
            nodes: NodeEvents::new(plan, streams),
            prepare: Box::new(prepare),
        }
    }

    fn first_arrival(&self) -> Option<Time> {
        self.due.peek().map(|Reverse((time, _))| *time)
    }
}

/// What one more container of a class would ask for: the one that would arrive next after `time`, or, if none does, the
/// last one before.
pub fn one_more(plan: &Plan, class: usize, seed: u64, time: Time) -> Request {
    let mut scheduler = Scheduler::new(Settings::new(Strategy::Spread));
    let mut prepare = |request| scheduler.prepare(request);
    let mut arrivals = ClassArrivals::new(class, &plan.classes[class], Streams::new(seed));
    let mut found = Request::default();
    while let Some(due) = arrivals.next_time() {
        if let Some(submission) = arrivals.pop(&mut prepare) {
            found = Request::clone(submission.request.request());
        }
        if due >= time {
            break;
        }
    }
    found
}

impl Inputs for Generated<'_> {
    fn next_time(&mut self) -> Option<Time> {
        self.nodes.next_time().into_iter().chain(self.first_arrival()).min()
    }

    fn next_input(&mut self) -> Option<Input> {
        if let Some(time) = self.nodes.next_time()
            && self.first_arrival().is_none_or(|arrival| time <= arrival)
        {
            return self.nodes.pop().map(Input::Node);
        }
        let mut first = self.due.peek_mut()?;
        let class = first.0.1;
        let submission = self.classes[class].pop(&mut *self.prepare)?;
        match self.classes[class].next_time() {
            Some(time) => first.0.0 = time,
            None => {
                PeekMut::pop(first);
            }
        }
        Some(Input::Submit(submission))
    }

    fn only_random(&self) -> bool {
        self.nodes.only_random() && self.due.is_empty()
    }
}
