//! What sound scenarios are understood as.

use std::time::Duration;

use swarmlab::model::{Bytes, Cpus, Overcommit, ReschedulePolicy, Resources, Time};
use swarmlab::scenario::{Options, Scenario, load};
use swarmlab::scheduler::{Filter, Strategy, Strict};
use swarmlab::sim::{
    Action, Arrivals, Discipline, Distribution, End, Layer, OnRejection, Plan, Restart, RestartPlan, Sampler, Source,
    When,
};

use super::{NODES, WORK, read};

#[track_caller]
fn plan(text: &str) -> Plan {
    sound(text).plan
}

#[track_caller]
fn sound(text: &str) -> Scenario {
    read(text).unwrap_or_else(|complaints| panic!("{complaints}"))
}

#[test]
fn the_quickstart_is_sound_and_raises_no_doubts() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios/quickstart.toml");
    let scenario = load(path.as_ref(), &Options::default()).unwrap_or_else(|complaints| panic!("{complaints}"));
    assert_eq!(scenario.warnings.to_string(), "");
    assert_eq!(scenario.title, "Quickstart");
    assert_eq!(scenario.plan.nodes.len(), 8);
    assert_eq!(scenario.plan.classes.len(), 3);
    assert_eq!(scenario.plan.run.end, End::At(Time::from(Duration::from_secs(3600))));
}

#[test]
fn everything_has_a_default() {
    let scenario = sound(&format!("{NODES}{WORK}"));
    assert_eq!((scenario.title.as_str(), scenario.description.as_str()), ("test", ""));
    let run = scenario.plan.run;
    assert_eq!((run.seed, run.repetitions), (1, 1));
    assert_eq!(run.end, End::Drained { at_most: Time::MAX });
    assert_eq!(run.sample_interval, Duration::from_secs(30));
    assert_eq!(run.strategies, Strategy::ALL);
    assert_eq!(run.filters, Filter::DEFAULT);
    assert_eq!(run.strict, Strict::default());
    let class = &scenario.plan.classes[0];
    assert_eq!(
        (class.replicas, class.remove_on_exit, class.on_rejection),
        (1, true, OnRejection::Drop)
    );
    let Source::Synthetic {
        arrivals,
        start,
        stop,
        limit,
        cpus,
        memory,
        lifetime,
        ..
    } = &class.source
    else {
        panic!("not read from a trace");
    };
    assert!(matches!(arrivals, Arrivals::AtStart { count: 3 }));
    assert_eq!((*start, *stop, *limit), (Time::ZERO, Time::MAX, None));
    assert_eq!(
        (cpus, memory, lifetime),
        (&Sampler::fixed(0), &Sampler::fixed(0), &None)
    );
}

#[test]
fn a_run_is_understood() {
    let run = plan(&format!(
        "[run]\nseed = 7\nrepetitions = 3\nduration = \"2h\"\nuntil = \"drained\"\nwarm-up = \"1m\"\n\
         strategies = [\"binpacking\"]\nfilters = []\nstrict = [\"globs\", \"capacity\"]\ndetection = \"10s\"\n\
         start-latency = \"250ms\"\non-rejection = {{ action = \"queue\", limit = 9, discipline = \"backfill\" }}\n{NODES}{WORK}"
    ));
    let queue = |discipline| OnRejection::Queue {
        limit: Some(9),
        discipline,
    };
    assert_eq!(run.classes[0].on_rejection, queue(Discipline::Backfill));
    assert_eq!(
        run.disciplines().map(Discipline::name).collect::<Vec<_>>(),
        ["backfill"]
    );
    assert_eq!(Discipline::default(), Discipline::Fifo);
    let run = run.run;
    let at_most = Time::from(Duration::from_secs(7200));
    assert_eq!((run.seed, run.repetitions, run.end), (7, 3, End::Drained { at_most }));
    assert_eq!(run.sample_interval, Duration::from_secs(36), "a 200th of the duration");
    assert_eq!((run.strategies, run.filters), (vec![Strategy::Binpack], vec![]));
    let strict = Strict {
        globs: true,
        capacity: true,
        ..Strict::default()
    };
    assert_eq!(run.strict, strict);
    assert_eq!(
        (run.warm_up, run.detection),
        (Duration::from_secs(60), Duration::from_secs(10))
    );
    assert_eq!(run.start_latency, Duration::from_millis(250));
}

#[test]
fn nodes_are_numbered_labelled_and_equipped() {
    let plan = plan(&format!(
        r#"
[cluster]
overcommit = 0.5
[cluster.nodes.z]
count = 12
name = "n{{index}}-z"
cpus = 0.1
memory = 1073741824
labels = {{ zone = {{ cycle = ["a", "b", "c"] }}, disk = {{ weighted = {{ ssd = 1, hdd = 2 }} }}, tier = "x" }}
images = ["nginx"]
slots = 20
resources = {{ gpu = 4, fpga = 1 }}
bandwidth = "1Gbit/s"
[cluster.nodes.a]
cpus = "1.5"
memory = "1GiB"
overcommit = 0.0
present = false
[[events]]
at = "1m"
action = "join"
nodes = {{ group = "a" }}
{WORK}"#
    ));
    let names: Vec<&str> = plan.nodes.iter().map(|node| node.name.as_str()).collect();
    assert_eq!(&names[..2], ["n01-z", "n02-z"], "the order is that of the file");
    assert_eq!(&names[11..], ["n12-z", "a-1"]);
    let node = &plan.nodes[4];
    assert_eq!(
        node.capacity,
        Resources::new(Cpus::from_millis(100), Bytes::from_gib(1))
    );
    assert_eq!(node.overcommit.percent(), 50);
    assert_eq!(node.extra, [("fpga".to_owned(), 1), ("gpu".to_owned(), 4)]);
    assert_eq!(
        (node.bandwidth, node.present, node.group.as_str()),
        (Some(125_000_000), true, "z")
    );
    let labels: Vec<_> = node
        .labels
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    assert_eq!(labels, ["containerslots=20", "disk=ssd", "tier=x", "zone=b"]);
    let ssds = plan
        .nodes
        .iter()
        .filter(|node| node.labels.get("disk").is_some_and(|disk| disk == "ssd"));
    assert_eq!(ssds.count(), 4, "a third of twelve");
    let last = &plan.nodes[12];
    assert_eq!(
        (last.overcommit, last.present, last.bandwidth),
        (Overcommit::NONE, false, None)
    );
    assert_eq!(last.capacity.cpus, Cpus::from_millis(1500));
    assert_eq!(plan.events[0].nodes, [12]);
}

#[test]
fn layers_are_shared_by_name() {
    let plan = plan(&format!(
        "[images.a]\nsize = \"1MiB\"\n[images.b]\nlayers = {{ base = \"2MiB\", b = \"3MiB\" }}\n\
         [images.c]\nlayers = {{ base = \"2MiB\" }}\n{NODES}{WORK}"
    ));
    let layer = |id, mib: u64| Layer { id, bytes: mib << 20 };
    let layers: Vec<_> = plan
        .images
        .into_iter()
        .map(|image| (image.name, image.layers))
        .collect();
    let expected = [
        ("a".to_owned(), vec![layer(0, 1)]),
        ("b".to_owned(), vec![layer(1, 2), layer(2, 3)]),
        ("c".to_owned(), vec![layer(1, 2)]),
    ];
    assert_eq!(layers, expected);
}

#[test]
fn amounts_become_samplers() {
    let plan = plan(&format!(
        r#"
[run]
duration = "1h"
[workload.drawn]
arrivals = {{ process = "burst", size = 50, interval = "10m" }}
start = "1m"
stop = "30m"
limit = 1000
cpus = {{ distribution = "normal", mean = 1, deviation = "0.5", max = 4 }}
memory = {{ choice = [{{ value = "1GiB", weight = 3 }}, {{ value = "2GiB" }}] }}
lifetime = {{ distribution = "weibull", scale = "1m", shape = 0.7, min = "1s", max = "1h", step = "1s" }}
[workload.uniform]
arrivals = {{ process = "diurnal", rate = "30/min", amplitude = 0.8, peak = "14h" }}
cpus = {{ distribution = "uniform", low = 1, high = 2 }}
memory = "1GiB"
lifetime = "10m"
{NODES}"#
    ));
    let Source::Synthetic {
        arrivals,
        start,
        stop,
        limit,
        cpus,
        memory,
        lifetime,
        ..
    } = &plan.classes[0].source
    else {
        panic!("not read from a trace");
    };
    let minutes = |count: u64| Duration::from_secs(60 * count);
    assert!(matches!(arrivals, Arrivals::Burst { size: 50, interval } if *interval == minutes(10)));
    assert_eq!(
        (*start, *stop, *limit),
        (minutes(1).into(), minutes(30).into(), Some(1000))
    );
    let expected = Sampler {
        distribution: Distribution::Normal {
            mean: 1e9,
            deviation: 5e8,
        },
        min: 10_000_000,
        max: 4_000_000_000,
        step: 10_000_000,
    };
    assert_eq!(cpus, &expected);
    let choice = vec![(1 << 30, 3.0), (2 << 30, 1.0)];
    assert_eq!(memory.distribution, Distribution::Choice(choice));
    let expected = Sampler {
        distribution: Distribution::Weibull {
            scale: 6e10,
            shape: 0.7,
        },
        min: 1_000_000_000,
        max: 3_600_000_000_000,
        step: 1_000_000_000,
    };
    assert_eq!(lifetime.as_ref(), Some(&expected));
    let Source::Synthetic {
        arrivals,
        cpus,
        memory,
        lifetime,
        ..
    } = &plan.classes[1].source
    else {
        panic!("not read from a trace");
    };
    let Arrivals::Diurnal {
        rate,
        amplitude,
        period,
        peak,
    } = arrivals
    else {
        panic!("not {arrivals:?}");
    };
    assert_eq!(
        (*rate, *amplitude, *period, *peak),
        (0.5, 0.8, minutes(24 * 60), minutes(14 * 60))
    );
    assert_eq!((cpus.min, cpus.max), (10_000_000, 2_000_000_000));
    assert_eq!(
        (memory.as_fixed(), lifetime.as_ref().and_then(Sampler::as_fixed)),
        (Some(1 << 30), Some(600_000_000_000))
    );
}

#[test]
fn a_request_is_understood_as_by_docker() {
    let plan = plan(&format!(
        r#"
[workload.web]
arrivals = {{ process = "at-start", count = 1 }}
image = "nginx:1.27"
labels = {{ tier = "web", "com.docker.swarm.constraints" = '["zone==a"]' }}
env = ["A=b", "constraint:zone!=b", "affinity:container!=web*"]
constraints = ["node!=web-9"]
whitelists = ["node==web-1|web-2"]
ports = ["8080:80", "127.0.0.1:53:53/udp", "[::1]:443:443", "10.0.0.1::9", "7"]
expose = ["80/tcp", "1000"]
network = "container:app-1"
links = ["app-2:a", "app-{{index}}:b"]
volumes-from = ["app-3:ro"]
restart = "on-failure:5"
failure = 0.1
replicas = 3
reschedule = "on-node-failure"
remove-on-exit = false
on-rejection = {{ action = "retry", backoff = "2s" }}
{NODES}{WORK}"#
    ));
    let class = &plan.classes[0];
    let Source::Synthetic { request, .. } = &class.source else {
        panic!("not read from a trace");
    };
    assert_eq!(
        request.constraints,
        ["zone==a", "zone!=b", "node!=web-9"],
        "labels, environment, keys"
    );
    assert_eq!(request.affinities, ["container!=web*"]);
    assert_eq!(request.whitelists, ["node==web-1|web-2"]);
    assert_eq!(
        request.labels["com.docker.swarm.constraints"],
        r#"["zone==a","zone!=b","node!=web-9"]"#
    );
    assert_eq!(request.labels["tier"], "web");
    let ports: Vec<_> = request
        .port_bindings
        .iter()
        .map(|port| {
            (
                port.host_ip.as_str(),
                port.host_port.as_str(),
                port.container_port.as_str(),
            )
        })
        .collect();
    let expected = [
        ("", "8080", "80/tcp"),
        ("127.0.0.1", "53", "53/udp"),
        ("::1", "443", "443/tcp"),
        ("10.0.0.1", "", "9/tcp"),
        ("", "", "7/tcp"),
    ];
    assert_eq!(ports, expected);
    assert_eq!(
        request.exposed_ports,
        ["1000/tcp", "443/tcp", "53/udp", "7/tcp", "80/tcp", "9/tcp"]
    );
    assert_eq!(request.network_mode, "container:app-1");
    assert_eq!(request.links, ["app-2:a", "app-{index}:b"]);
    assert_eq!(request.volumes_from, ["app-3:ro"]);
    assert_eq!(request.reschedule, ReschedulePolicy::OnNodeFailure);
    let restart = RestartPlan {
        policy: Restart::OnFailure { limit: Some(5) },
        failure: 0.1,
        delay: Duration::from_millis(100),
    };
    assert_eq!(
        (class.restart, class.replicas, class.remove_on_exit),
        (restart, 3, false)
    );
    let retry = OnRejection::Retry {
        backoff: Duration::from_secs(2),
        factor: 2.0,
        backoff_max: Duration::from_secs(60),
        limit: 5,
    };
    assert_eq!(class.on_rejection, retry);
}

#[test]
fn events_find_their_nodes() {
    let event = |body: &str| {
        let plan = plan(&format!("{NODES}{WORK}[[events]]\n{body}"));
        plan.events.into_iter().next().expect("there is one event")
    };
    let fail = event("at = \"10m\"\nstagger = \"5m\"\naction = \"fail\"\nrepair = \"2m\"\nnodes = \"web-*\"");
    assert_eq!(fail.nodes, [0, 1, 2]);
    let When::At { time, stagger } = fail.when else {
        panic!("{fail:?}")
    };
    assert_eq!(
        (time, stagger),
        (Duration::from_secs(600).into(), Duration::from_secs(300))
    );
    assert!(matches!(fail.action, Action::Fail { repair: Some(repair) } if repair.as_fixed() == Some(120_000_000_000)));

    let random = event(
        "action = \"fail\"\nmtbf = { distribution = \"exponential\", mean = \"1h\" }\nmttr = \"5m\"\n\
         nodes = [\"web-3\", \"web-1\", \"*-1\"]",
    );
    assert_eq!(random.nodes, [0, 2]);
    let When::Random { between } = random.when else {
        panic!("{random:?}")
    };
    assert_eq!(between.distribution, Distribution::Exponential { mean: 3.6e12 });
    assert!(matches!(random.action, Action::Fail { repair: Some(_) }));

    let relabel = event(
        "at = \"1m\"\naction = \"relabel\"\nlabels = { zone = \"b\", old = false }\nnodes = { label = \"zone\" }",
    );
    assert_eq!(relabel.nodes, [0, 1, 2]);
    let Action::Relabel(changes) = relabel.action else {
        panic!("{relabel:?}")
    };
    assert_eq!(
        changes,
        [("zone".to_owned(), Some("b".to_owned())), ("old".to_owned(), None)]
    );

    let flap = event(
        "at = \"0s\"\naction = \"flap\"\ndown = \"1s\"\nup = \"2s\"\ntimes = 3\nnodes = { label = \"zone\", value = \"a\" }",
    );
    assert!(matches!(flap.action, Action::Flap { times: 3, .. }));
    let health = event("at = \"0s\"\naction = \"health\"\nvalue = 67\nnodes = { group = \"web\" }");
    assert!(matches!(health.action, Action::Health(67)));
}

#[test]
fn the_hash_tells_texts_overrides_and_leniency_apart() {
    let text = format!("{NODES}{WORK}");
    let hash = |name: &str, text: &str, options: &Options| {
        let scenario = swarmlab::scenario::parse(name, text, "".as_ref(), options);
        scenario.unwrap_or_else(|complaints| panic!("{complaints}")).hash
    };
    let plain = Options::default();
    let base = hash("a.toml", &text, &plain);
    assert_eq!(
        base,
        hash("elsewhere/b.toml", &text, &plain),
        "the name is not part of it"
    );
    assert_eq!(base.len(), 64);
    let overridden = Options {
        overrides: vec!["run.seed=1".parse().expect("a key and a value")],
        ..Options::default()
    };
    let lenient = Options {
        lenient: true,
        ..Options::default()
    };
    let commented = format!("# Hello.\n{text}");
    let others = [
        hash("a.toml", &text, &overridden),
        hash("a.toml", &text, &lenient),
        hash("a.toml", &commented, &plain),
    ];
    assert!(others.iter().all(|other| *other != base), "{others:?}");
}
