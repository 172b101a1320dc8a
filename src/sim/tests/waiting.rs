//! Who waits in the queue, in which order it is served, and who need not wait at all.

use super::*;
use crate::model::Labels;
use crate::sim::Discipline;

const FIFO: OnRejection = OnRejection::Queue {
    limit: None,
    discipline: Discipline::Fifo,
};
const BACKFILL: OnRejection = OnRejection::Queue {
    limit: None,
    discipline: Discipline::Backfill,
};
const RETRY: OnRejection = OnRejection::Retry {
    backoff: Duration::from_secs(7),
    factor: 1.0,
    backoff_max: Duration::from_secs(7),
    limit: 100,
};

/// One container that arrives at a time, reserves CPUs and runs for a minute.
fn job(name: &str, time: u64, cpus: u64, on_rejection: OnRejection) -> ClassPlan {
    let mut job = class(name, Request::default(), Some(60), 1);
    if let Source::Synthetic {
        start, cpus: reserved, ..
    } = &mut job.source
    {
        *start = Time::from(seconds(time));
        *reserved = Sampler::fixed(Cpus::whole(cpus).nanos());
    }
    job.on_rejection = on_rejection;
    job
}

fn requesting(mut class: ClassPlan, alter: impl FnOnce(&mut Request)) -> ClassPlan {
    if let Source::Synthetic { request, .. } = &mut class.source {
        alter(request);
    }
    class
}

/// The story of these jobs on nodes of 4 CPUs, with what happens to those. The lines of one job only.
fn story(nodes: &[&str], jobs: Vec<ClassPlan>, events: Vec<EventPlan>, about: &str) -> Vec<String> {
    let mut plan = plan();
    plan.nodes = nodes.iter().map(|name| node(name)).collect();
    plan.classes = jobs;
    plan.events = events;
    lines(&plan, about)
}

fn last(story: &[String]) -> &str {
    story.last().map_or("", String::as_str)
}

fn lines(plan: &Plan, about: &str) -> Vec<String> {
    let story = tell(plan);
    let own = story.lines().filter(|line| line.contains(about));
    own.map(|line| line.trim().to_owned()).collect()
}

#[test]
fn what_fits_on_no_empty_node_is_rejected_at_once_and_holds_nobody_up() {
    for on_rejection in [FIFO, BACKFILL, RETRY] {
        let jobs = || {
            vec![
                job("a", 0, 1, on_rejection),
                job("huge", 10, 64, on_rejection),
                job("b", 20, 1, on_rejection),
            ]
        };
        assert_eq!(
            story(&["n1", "n2"], jobs(), vec![], "huge-1"),
            [
                "10.0 huge-1 submitted",
                "10.0 huge-1 rejected by no-resources",
                "10.0 huge-1 gives up"
            ]
        );
        let placed = story(&["n1", "n2"], jobs(), vec![], "b-1 placed");
        assert_eq!(placed, ["20.0 b-1 placed on n2"]);
    }
    // Nor does it wait for its turn to be told so.
    let jobs = vec![job("a", 0, 3, FIFO), job("b", 10, 3, FIFO), job("huge", 20, 64, FIFO)];
    let told = story(&["n1"], jobs, vec![], "huge-1");
    assert_eq!(told, ["20.0 huge-1 submitted", "20.0 huge-1 gives up"]);
}

#[test]
fn it_waits_for_a_node_that_will_come_and_gives_up_when_the_last_one_is_gone() {
    let large = |present| NodePlan {
        capacity: Resources::new(Cpus::whole(64), Bytes::from_gib(8)),
        present,
        ..node("large")
    };
    let with = |events: Vec<EventPlan>, present: bool| {
        let mut plan = plan();
        plan.nodes = vec![node("n1"), large(present)];
        plan.classes = vec![job("huge", 10, 64, FIFO), job("b", 20, 1, FIFO)];
        plan.events = events;
        (lines(&plan, "huge-1"), lines(&plan, "b-1 placed"))
    };
    let fail = |repair: Option<u64>| Action::Fail {
        repair: repair.map(|seconds| Sampler::fixed(seconds * 1_000_000_000)),
    };
    let placed_at = |story: &[String], time: &str| assert_eq!(story[3], format!("{time} huge-1 placed on large"));
    let (huge, b) = with(vec![at(30, 1, Action::Join)], false);
    placed_at(&huge, "30.0");
    assert_eq!(b, ["30.0 b-1 placed on n1"]);
    for (down, up) in [
        (at(5, 1, fail(Some(35))), None),
        (at(5, 1, fail(None)), Some(at(40, 1, Action::Recover))),
        (at(5, 1, Action::Drain), Some(at(40, 1, Action::Undrain))),
        (at(5, 1, Action::Leave), Some(at(40, 1, Action::Join))),
        (at(5, 1, Action::Health(0)), Some(at(40, 1, Action::Health(50)))),
    ] {
        let (huge, _) = with([down].into_iter().chain(up).collect(), true);
        placed_at(&huge, "40.0");
    }
    // One that has gone for good is nothing to wait for, whether before or while somebody waits.
    for gone in [fail(None), Action::Drain, Action::Leave, Action::Health(0)] {
        let (huge, b) = with(vec![at(5, 1, gone.clone())], true);
        assert_eq!(last(&huge), "10.0 huge-1 gives up", "{gone:?}");
        assert_eq!(b, ["20.0 b-1 placed on n1"]);
        let (huge, b) = with(
            vec![at(5, 1, Action::Drain), at(15, 1, Action::Undrain), at(25, 1, gone)],
            true,
        );
        placed_at(&huge, "15.0");
        assert_eq!(b, ["20.0 b-1 placed on n1"]);
    }
    let (huge, b) = with(
        vec![
            at(5, 1, Action::Drain),
            at(25, 1, Action::Leave),
            at(35, 1, Action::Undrain),
        ],
        true,
    );
    assert_eq!(huge[2..], ["10.0 huge-1 queues as number 1", "25.0 huge-1 gives up"]);
    assert_eq!(b, ["25.0 b-1 placed on n1"]);
}

#[test]
fn what_depends_on_others_is_never_hopeless() {
    let needs_db = |request: &mut Request| request.affinities = vec!["container==db-1".to_owned()];
    let jobs = vec![
        requesting(job("web", 0, 1, FIFO), needs_db),
        job("db", 30, 1, OnRejection::Drop),
    ];
    assert_eq!(
        story(&["n1"], jobs, vec![], "web-1 placed"),
        ["30.0 web-1 placed on n1"]
    );
    let linked = |request: &mut Request| request.links = vec!["db-1:db".to_owned()];
    let jobs = vec![
        requesting(job("web", 0, 1, FIFO), linked),
        job("db", 30, 1, OnRejection::Drop),
    ];
    assert_eq!(
        story(&["n1"], jobs, vec![], "web-1 placed"),
        ["30.0 web-1 placed on n1"]
    );
}

#[test]
fn labels_count_if_some_node_has_them_in_time() {
    let relabel = |time, value: &str| {
        let changes = vec![("zone".to_owned(), Some(value.to_owned()))];
        at(time, 0, Action::Relabel(changes))
    };
    let wants_b = || {
        requesting(job("web", 10, 1, FIFO), |request| {
            request.constraints = vec!["zone==b".to_owned()]
        })
    };
    let told = |events| story(&["n1"], vec![wants_b()], events, "web-1");
    assert_eq!(last(&told(vec![relabel(5, "a")])), "10.0 web-1 gives up");
    assert_eq!(
        last(&told(vec![relabel(5, "b"), relabel(7, "a")])),
        "10.0 web-1 gives up"
    );
    assert_eq!(told(vec![relabel(50, "b")])[3], "50.0 web-1 placed on n1");
    // Soft constraints and lists of names are not forgotten, and what cannot be read is refused at once.
    let with = |alter: fn(&mut Request)| {
        story(
            &["n1"],
            vec![requesting(job("web", 10, 1, RETRY), alter)],
            vec![],
            "web-1",
        )
    };
    assert_eq!(
        with(|request| request.constraints = vec!["zone==~b".to_owned()])[1],
        "10.0 web-1 placed on n1"
    );
    for alter in [
        (|request| request.whitelists = vec!["node==n7".to_owned()]) as fn(&mut Request),
        |request| request.affinities = vec!["zone".to_owned()],
        |request| request.constraints = vec!["zone".to_owned()],
    ] {
        assert_eq!(last(&with(alter)), "10.0 web-1 gives up");
    }
    // A node without a single slot, ever.
    let mut full = plan();
    full.nodes = vec![NodePlan {
        labels: Labels::from([("containerslots".to_owned(), "0".to_owned())]),
        ..node("n1")
    }];
    full.classes = vec![job("web", 10, 1, FIFO)];
    assert_eq!(last(&lines(&full, "web-1")), "10.0 web-1 gives up");
}

#[test]
fn with_backfill_the_small_pass_the_large_and_equals_keep_their_order() {
    let jobs = |discipline| {
        vec![
            job("first", 0, 3, discipline),
            job("large", 10, 4, discipline),
            job("x", 20, 1, discipline),
            job("y", 30, 1, discipline),
            job("z", 40, 1, discipline),
        ]
    };
    let placed = |discipline| story(&["n1"], jobs(discipline), vec![], "placed");
    let fifo = ["0.0 first-1", "60.0 large-1", "120.0 x-1", "120.0 y-1", "120.0 z-1"];
    assert_eq!(placed(FIFO), fifo.map(|line| format!("{line} placed on n1")));
    // The last two are equal. The large one gets its turn when nobody small is left.
    let backfill = ["0.0 first-1", "20.0 x-1", "60.0 y-1", "60.0 z-1", "120.0 large-1"];
    assert_eq!(placed(BACKFILL), backfill.map(|line| format!("{line} placed on n1")));
    // A class that may not pass does not, though others do.
    let mut mixed = jobs(BACKFILL);
    mixed[3].on_rejection = FIFO;
    let expected = ["0.0 first-1", "20.0 x-1", "60.0 z-1", "120.0 large-1", "180.0 y-1"];
    assert_eq!(
        story(&["n1"], mixed, vec![], "placed"),
        expected.map(|line| format!("{line} placed on n1"))
    );
}

#[test]
fn one_who_waits_for_another_behind_it_is_tried_again() {
    let needs_db = |request: &mut Request| request.affinities = vec!["container==db-1".to_owned()];
    let jobs = vec![
        job("first", 0, 4, BACKFILL),
        requesting(job("web", 10, 1, BACKFILL), needs_db),
        job("db", 20, 1, BACKFILL),
    ];
    let placed = story(&["n1"], jobs, vec![], "placed");
    assert_eq!(placed[1..], ["60.0 db-1 placed on n1", "60.0 web-1 placed on n1"]);
}
