//! Cases 17 to 22: reservations, strategies and health.

use std::sync::Arc;

use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use swarmlab::cluster::{Cluster, NewNode, Placement};
use swarmlab::model::{Bytes, Cpus, Overcommit, Request, Resources};
use swarmlab::scheduler::{Rejection, Scheduler, Settings, Strategy, from_shares};

use super::env;
use super::manager::{Config, Failure, Manager};

#[test]
fn case_17_reservations() {
    let mut manager = Manager::with_two_nodes();
    let refused = Failure {
        status: 500,
        body: "no resources available to schedule container\n".into(),
    };
    let much_memory = Config {
        memory: 100 << 30,
        ..Config::default()
    };
    assert_eq!(manager.create("a", much_memory).expect_err("it is too large"), refused);
    let many_cpus = Config {
        cpus: 5,
        ..Config::default()
    };
    assert_eq!(manager.create("a", many_cpus).expect_err("it is too large"), refused);
    manager
        .create(
            "a",
            Config {
                cpus: 1,
                ..env(&["constraint:node==n1"])
            },
        )
        .expect("n1 takes it");
    assert_eq!(manager.inspect("a").cpu_shares, 256);
    let (node, shares) = (manager.node("n1"), 256);
    let reserved = format!("{} / {}", Cpus::from_nanos(node.used().cpus), node.total().cpus);
    assert_eq!(reserved, "1 / 4");
    assert_eq!(
        from_shares(shares, node.capacity().cpus),
        Cpus::whole(1),
        "what is read back"
    );
}

#[test]
fn case_18_spread_by_size_or_by_number() {
    let two_sizes = || {
        let mut manager = Manager::new(Strategy::Spread);
        manager.add_node("n1", 21, Bytes::from_gib(8), &[]);
        manager.add_node("n2", 42, Bytes::from_gib(8), &[]);
        manager
    };
    let mut manager = two_sizes();
    for _ in 0..60 {
        manager
            .create(
                "",
                Config {
                    cpus: 1,
                    ..Config::default()
                },
            )
            .expect("there is room");
    }
    assert_eq!((manager.count("n1"), manager.count("n2")), (20, 40));
    let mut manager = two_sizes();
    for _ in 0..60 {
        manager.lands(&[]).expect("there is room");
    }
    assert_eq!((manager.count("n1"), manager.count("n2")), (30, 30));
}

#[test]
fn case_19_binpack_fills_a_node_first() {
    let mut manager = Manager::new(Strategy::Binpack);
    manager.add_node("n1", 4, Bytes::from_gib(2), &[]);
    manager.add_node("n2", 4, Bytes::from_gib(2), &[]);
    let mut create = || {
        manager
            .create(
                "",
                Config {
                    memory: 1 << 30,
                    ..Config::default()
                },
            )
            .expect("there is room")
            .node
    };
    let [first, second, third] = [create(), create(), create()];
    assert_eq!(first, second);
    assert_ne!(second, third);
}

#[test]
fn case_20_equal_weights_are_told_apart_by_number() {
    for (strategy, expected) in [(Strategy::Binpack, "n2"), (Strategy::Spread, "n1")] {
        let mut manager = Manager::new(strategy);
        manager.add_node("n1", 4, Bytes::from_gib(2), &[]);
        manager.add_node("n2", 4, Bytes::from_gib(2), &[]);
        manager.lands(&["constraint:node==n1"]).expect("n1 takes it");
        manager.lands(&["constraint:node==n2"]).expect("n2 takes it");
        manager.lands(&["constraint:node==n2"]).expect("n2 takes it");
        assert_eq!(manager.lands(&[]).as_deref(), Ok(expected), "{strategy}");
    }
}

#[test]
fn case_21_health_counts_more_than_load() {
    for strategy in [Strategy::Spread, Strategy::Binpack] {
        for (loaded, ailing) in [("n1", "n2"), ("n2", "n1"), ("n1", "n1"), ("n2", "n2")] {
            let mut manager = Manager::new(strategy);
            manager.add_node("n1", 4, Bytes::from_gib(8), &[]);
            manager.add_node("n2", 4, Bytes::from_gib(8), &[]);
            let load = Config {
                cpus: 3,
                memory: 7 << 30,
                ..env(&[&format!("constraint:node=={loaded}")])
            };
            manager.create("load", load).expect("there is room");
            manager.set_failures(ailing, 1);
            assert_eq!(manager.node(ailing).health(), 67);
            let created = manager.create(
                "",
                Config {
                    cpus: 1,
                    memory: 1 << 30,
                    ..Config::default()
                },
            );
            assert_ne!(
                created.expect("there is room").node,
                ailing,
                "{strategy}, {loaded} is loaded"
            );
        }
    }
}

#[test]
fn case_22_truncation_admits_almost_one_percent_more() {
    for as_cpus in [false, true] {
        let amount = |amount| match as_cpus {
            true => Resources::new(Cpus::whole(amount), Bytes::ZERO),
            false => Resources::new(Cpus::ZERO, Bytes::new(amount)),
        };
        for (used, accepted) in [(9, true), (10, false)] {
            let mut cluster = Cluster::new();
            let node = cluster.add_node(NewNode {
                capacity: Resources::new(Cpus::whole(1000), Bytes::new(1000)),
                overcommit: Overcommit::NONE,
                ..NewNode::default()
            });
            let asking = |resources| {
                Arc::new(Request {
                    resources,
                    ..Request::default()
                })
            };
            let placement = Placement {
                request: asking(amount(used)),
                name: "".into(),
                swarm_id: String::new(),
            };
            cluster.place(node, placement).expect("the node exists");
            let mut scheduler = Scheduler::new(Settings::new(Strategy::Spread));
            let request = scheduler.prepare(asking(amount(1000)));
            let mut rng = ChaCha8Rng::seed_from_u64(1);
            let decided = scheduler.decide(&cluster, &request, &mut rng);
            assert_eq!(decided.is_ok(), accepted, "{used} used");
            if let Err(rejection) = decided {
                assert_eq!(rejection, Rejection::NoResources);
            }
        }
    }
}
