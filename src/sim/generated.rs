//! The inputs that a plan and a seed give.

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
    /// Who is next: kept, since it is asked for more often than it changes.
    next: Option<(Time, From)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum From {
    Nodes,
    Class(usize),
}

impl<'a> Generated<'a> {
    /// The inputs of one run. `prepare` parses requests, as the run's scheduler does.
    pub fn new(plan: &'a Plan, seed: u64, prepare: impl FnMut(Arc<Request>) -> Prepared + 'a) -> Generated<'a> {
        let streams = Streams::new(seed);
        let classes = plan.classes.iter().enumerate();
        let mut generated = Generated {
            classes: classes
                .map(|(class, plan)| ClassArrivals::new(class, plan, streams))
                .collect(),
            nodes: NodeEvents::new(plan, streams),
            prepare: Box::new(prepare),
            next: None,
        };
        generated.find_next();
        generated
    }

    fn find_next(&mut self) {
        let nodes = self.nodes.next_time().map(|time| (time, From::Nodes));
        let classes = self.classes.iter().enumerate();
        let classes = classes.filter_map(|(class, arrivals)| Some((arrivals.next_time()?, From::Class(class))));
        self.next = nodes.into_iter().chain(classes).min();
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
        self.next.map(|(time, _)| time)
    }

    fn next_input(&mut self) -> Option<Input> {
        let input = match self.next?.1 {
            From::Nodes => Input::Node(self.nodes.pop()?),
            From::Class(class) => Input::Submit(self.classes[class].pop(&mut *self.prepare)?),
        };
        self.find_next();
        Some(input)
    }

    fn only_random(&self) -> bool {
        self.nodes.only_random() && self.classes.iter().all(|class| class.next_time().is_none())
    }
}
