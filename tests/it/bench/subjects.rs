//! What is measured: clusters of any size from one, and requests that leave them as they were.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use swarmlab::bench::{Case, FIRST_SIGHT, Stage, Subject, SubjectError, Trial};
use swarmlab::cluster::Cluster;
use swarmlab::model::Time;
use swarmlab::scenario::{self, Options};
use swarmlab::scheduler::Strategy;

fn scenario(name: &str, at: Duration) -> Subject {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios").join(name);
    let plan = scenario::load(&path, &Options::default())
        .expect("a shipped scenario")
        .plan;
    Subject::scenario(plan, 1, Time::from(at)).expect("it has a workload")
}

fn stage<T>(subject: Subject, nodes: usize, kind: &str, look: impl FnOnce(&mut Trial) -> T) -> T {
    let case = Case {
        strategy: Strategy::Spread,
        kind: kind.to_owned(),
        nodes,
    };
    let mut stage = Stage::new(subject);
    look(
        stage
            .trial(&case, &|| false)
            .expect("not interrupted")
            .expect("a known kind"),
    )
}

fn by_label(cluster: &Cluster, label: &str) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for (_, node) in cluster.nodes() {
        *counts
            .entry(node.labels().get(label).cloned().unwrap_or_default())
            .or_insert(0) += 1;
    }
    counts
}

#[test]
fn the_built_in_kinds_are_what_they_are_called() {
    let subject = Subject::builtin();
    let kinds: Vec<String> = subject.kinds().iter().map(|kind| kind.name.clone()).collect();
    let expected = [
        "plain",
        "constraint",
        "regex",
        "affinity",
        "soft-affinity-miss",
        "port",
        "rejected",
        FIRST_SIGHT,
    ];
    assert_eq!(kinds, expected);
    for kind in kinds {
        stage(subject.clone(), 20, &kind, |trial| {
            let (before, revision) = (trial.cluster().totals(), trial.cluster().revision());
            assert_eq!(before.containers, 600);
            for _ in 0..50 {
                trial.once();
            }
            assert_eq!(trial.cluster().totals(), before, "{kind}");
            trial.cluster().check().expect("sums and tables are true");
            let changed = trial.cluster().revision() > revision;
            assert_eq!(changed, kind != "rejected", "only {kind} is never placed");
        });
    }
}

#[test]
fn a_scenario_grows_in_proportion() {
    stage(scenario("zones.toml", Duration::ZERO), 240, "front", |trial| {
        let zones = by_label(trial.cluster(), "zone");
        assert_eq!(
            zones,
            BTreeMap::from([("a".into(), 100), ("b".into(), 100), ("c".into(), 40)])
        );
        let disks = by_label(trial.cluster(), "disk");
        assert_eq!(
            disks,
            BTreeMap::from([("hdd".into(), 190), ("ssd".into(), 50)]),
            "labels go on in turn"
        );
        assert_eq!(trial.cluster().totals().containers, 0, "empty at the start");
        trial.once();
        trial.cluster().check().expect("sums and tables are true");
    });
}

#[test]
fn a_scenario_at_its_own_size_is_the_cluster_of_its_run() {
    let (nodes, at) = (24, Duration::from_secs(3 * 3600));
    let (one, load) = stage(scenario("zones.toml", at), nodes, "report", |trial| {
        trial.once();
        let cluster = trial.cluster();
        let named = |name: &str| {
            cluster
                .nodes()
                .find(|(_, node)| node.name() == name)
                .map(|(_, node)| node.used())
        };
        (cluster.totals(), named("a-05"))
    });
    assert!(one.containers > 50 && load.is_some());
    stage(scenario("zones.toml", at), 10 * nodes, "report", |trial| {
        let ten = trial.cluster().totals();
        assert_eq!(ten.containers, 10 * one.containers, "as full as the original");
        assert_eq!((ten.cpus, ten.memory), (10 * one.cpus, 10 * one.memory));
        trial.cluster().check().expect("sums and tables are true");
    });
}

#[test]
fn one_cluster_serves_every_kind_and_strategy() {
    let mut stage = Stage::new(scenario("quickstart.toml", Duration::from_secs(2000)));
    let kinds: Vec<String> = stage.subject().kinds().iter().map(|kind| kind.name.clone()).collect();
    assert_eq!(kinds, ["web", "cache", "batch", FIRST_SIGHT]);
    for strategy in Strategy::ALL {
        for kind in &kinds {
            for nodes in [1, 8, 30] {
                let case = Case {
                    strategy,
                    kind: kind.clone(),
                    nodes,
                };
                let trial = stage.trial(&case, &|| false).expect("not interrupted").expect("known");
                assert_eq!(trial.cluster().order().len(), nodes);
                (0..10).for_each(|_| trial.once());
                trial.cluster().check().expect("sums and tables are true");
            }
        }
    }
    let unknown = Case {
        strategy: Strategy::Spread,
        kind: "absent".to_owned(),
        nodes: 1,
    };
    assert!(stage.trial(&unknown, &|| false).expect("not interrupted").is_none());
}

#[test]
fn nothing_to_measure_is_said() {
    let parse = |text: &str| {
        scenario::parse("s.toml", text, Path::new(""), &Options::default())
            .expect("sound")
            .plan
    };
    let mut plan = parse(
        "[run]\nduration = \"1h\"\n[cluster.nodes.n]\ncpus = 1\nmemory = \"1GiB\"\n[workload.w]\narrivals = { process = \
         \"at-start\", count = 1 }\ncpus = 1\n",
    );
    let case = Case {
        strategy: Strategy::Spread,
        kind: "w".to_owned(),
        nodes: 1,
    };
    let mut interrupted = Stage::new(Subject::scenario(plan.clone(), 1, Time::MAX).expect("a class"));
    // A run this short ends before it looks up; it must not fail either.
    assert!(interrupted.trial(&case, &|| true).is_ok());
    plan.nodes.clear();
    let mut stage = Stage::new(Subject::scenario(plan.clone(), 1, Time::ZERO).expect("a class"));
    assert_eq!(stage.trial(&case, &|| false).err(), Some(SubjectError::NoNodes));
    plan.classes.clear();
    assert_eq!(
        Subject::scenario(plan, 1, Time::ZERO).err(),
        Some(SubjectError::NoKinds)
    );
}
