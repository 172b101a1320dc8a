//! Typical containers of a plan.

use std::sync::Arc;
use std::time::Duration;

use swarmlab::metrics::{Setup, TypicalShapes};
use swarmlab::model::{Bytes, Cpus, Overcommit, Request, Resources, Time};
use swarmlab::scheduler::{Filter, Strategy, Strict};
use swarmlab::sim::{
    Arrivals, ClassPlan, Distribution, End, NodePlan, OnRejection, Plan, Restart, RestartPlan, RunPlan, Sampler,
    Source, Trace, TraceRow,
};

const SECOND: u64 = 1_000_000_000;

fn class(name: &str, replicas: u32, source: Source) -> ClassPlan {
    ClassPlan {
        name: name.to_owned(),
        source,
        replicas,
        restart: RestartPlan {
            policy: Restart::No,
            failure: 0.0,
            delay: Duration::ZERO,
        },
        remove_on_exit: true,
        on_rejection: OnRejection::Drop,
    }
}

fn synthetic(arrivals: Arrivals, limit: Option<u64>, cpus: Sampler, memory: Sampler) -> Source {
    Source::Synthetic {
        arrivals,
        start: Time(10 * SECOND),
        stop: Time::MAX,
        limit,
        request: Box::default(),
        cpus,
        memory,
        lifetime: None,
    }
}

fn plan(classes: Vec<ClassPlan>) -> Plan {
    Plan {
        nodes: vec![NodePlan {
            name: "n0".to_owned(),
            group: "all".to_owned(),
            capacity: Resources::new(Cpus::whole(4), Bytes::from_gib(8)),
            overcommit: Overcommit::NONE,
            labels: Default::default(),
            extra: Vec::new(),
            images: Vec::new(),
            bandwidth: None,
            present: true,
        }],
        images: Vec::new(),
        classes,
        events: Vec::new(),
        run: RunPlan {
            seed: 1,
            repetitions: 1,
            end: End::At(Time(110 * SECOND)),
            warm_up: Duration::from_secs(7),
            sample_interval: Duration::from_secs(1),
            detection: Duration::ZERO,
            start_latency: Duration::from_millis(300),
            strategies: Strategy::ALL.to_vec(),
            filters: Filter::DEFAULT.to_vec(),
            strict: Strict::default(),
        },
    }
}

fn shape(cpus: u64, memory: u64) -> Resources {
    Resources::new(Cpus::from_nanos(cpus), Bytes::new(memory))
}

fn choice(values: &[(u64, f64)]) -> Sampler {
    Sampler {
        distribution: Distribution::Choice(values.to_vec()),
        ..Sampler::fixed(0)
    }
}

#[test]
fn classes_weigh_by_the_containers_to_expect() {
    let row = |at: u64, request: u32| TraceRow {
        at: Time(at * SECOND),
        lifetime: None,
        request,
        name: None,
    };
    let request = |resources: Resources| Request {
        resources,
        ..Request::default()
    };
    let trace = Trace {
        requests: vec![request(shape(1, 1)), request(shape(7, 7))],
        // The last rows are after the end of the run.
        rows: [vec![row(0, 0), row(1, 1), row(2, 0)], vec![row(500, 1); 99]].concat(),
        skipped: 0,
    };
    let plan = plan(vec![
        // 100 seconds of half a container per second.
        class(
            "web",
            1,
            synthetic(
                Arrivals::Poisson { rate: 0.5 },
                None,
                Sampler::fixed(5),
                Sampler::fixed(50),
            ),
        ),
        // Limited to 10 arrivals of 3, of which a fifth and four fifths.
        class(
            "batch",
            3,
            synthetic(
                Arrivals::Poisson { rate: 9.0 },
                Some(10),
                choice(&[(2, 1.0), (3, 4.0)]),
                Sampler::fixed(20),
            ),
        ),
        class("traced", 2, Source::Trace(Arc::new(trace))),
    ]);
    let found: Vec<_> = TypicalShapes::from_plan(&plan).iter().collect();
    // Of 86 containers 50, 24, 6 and 4 make up 95 %; the trace's 2 of the other shape are left out.
    let expected = [
        (shape(5, 50), 50.0),
        (shape(3, 20), 24.0),
        (shape(2, 20), 6.0),
        (shape(1, 1), 4.0),
    ];
    assert_eq!(found.len(), expected.len());
    for ((found, popularity), (shape, count)) in found.into_iter().zip(expected) {
        assert_eq!(found, shape);
        assert!((popularity - count / 84.0).abs() < 1e-12, "{popularity} of {shape:?}");
    }
}

#[test]
fn amounts_of_a_class_combine() {
    let uniform = Sampler {
        distribution: Distribution::Uniform { low: 0.0, high: 400.0 },
        step: 100,
        ..Sampler::fixed(0)
    };
    let both = synthetic(Arrivals::AtStart { count: 1 }, None, uniform.clone(), uniform);
    let plan = plan(vec![class("a", 1, both)]);
    let shapes = TypicalShapes::from_plan(&plan);
    assert!(shapes.iter().len() > 4 && shapes.iter().len() <= 16);
    assert!((shapes.iter().map(|(_, popularity)| popularity).sum::<f64>() - 1.0).abs() < 1e-12);
    assert_eq!(shapes, TypicalShapes::from_plan(&plan), "a plan has but one answer");
}

#[test]
fn a_setup_is_taken_from_the_plan() {
    let setup = Setup::from_plan(&plan(vec![class(
        "web",
        1,
        synthetic(
            Arrivals::AtStart { count: 1 },
            None,
            Sampler::fixed(5),
            Sampler::fixed(50),
        ),
    )]));
    assert_eq!(
        (setup.warm_up, setup.start_latency),
        (Duration::from_secs(7), Duration::from_millis(300))
    );
    assert_eq!(setup.nodes[0].name, "n0");
    assert_eq!(
        setup.nodes[0].capacity,
        Resources::new(Cpus::whole(4), Bytes::from_gib(8))
    );
    assert_eq!((setup.classes.len(), setup.images), (1, false));
    assert_eq!(setup.shapes.iter().collect::<Vec<_>>(), [(shape(5, 50), 1.0)]);
}
