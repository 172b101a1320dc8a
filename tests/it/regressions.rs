//! What once was wrong, each in its smallest form.

use std::sync::Arc;

use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use swarmlab::cluster::{Cluster, Identity, Image, NewNode, NodeChange, PlaceError, Placement};
use swarmlab::model::{Bytes, ContainerIdx, Cpus, NodeIdx, Overcommit, Request, Resources};
use swarmlab::scheduler::{
    CreateError, Creation, DaemonError, Decision, Filter, Rejection, Scheduler, Settings, SoftRules, Strategy, Strict,
    attempt_at,
};

fn cluster(names: &[&str]) -> (Cluster, Vec<NodeIdx>) {
    let mut cluster = Cluster::new();
    let nodes = names.iter().map(|name| {
        cluster.add_node(NewNode {
            name: name.to_string(),
            capacity: Resources::new(Cpus::whole(4), Bytes::from_gib(8)),
            overcommit: Overcommit::DEFAULT,
            ..NewNode::default()
        })
    });
    let nodes = nodes.collect();
    (cluster, nodes)
}

fn place(cluster: &mut Cluster, node: NodeIdx, name: &str, request: &Request) -> Result<ContainerIdx, PlaceError> {
    let placement = Placement {
        request: Arc::new(request.clone()),
        name: name.into(),
        swarm_id: String::new(),
    };
    cluster.place(node, placement)
}

fn decide(settings: &Settings, cluster: &Cluster, request: &Request) -> Result<Decision, Rejection> {
    let mut scheduler = Scheduler::new(settings.clone());
    let request = scheduler.prepare(Arc::new(request.clone()));
    scheduler.decide(cluster, &request, &mut ChaCha8Rng::seed_from_u64(1))
}

fn with_affinity(expression: &str) -> Request {
    Request {
        affinities: vec![expression.to_owned()],
        ..Request::default()
    }
}

#[test]
fn a_leading_slash_is_not_part_of_a_name() {
    let (mut cluster, nodes) = cluster(&["n1"]);
    let web = place(&mut cluster, nodes[0], "/web", &Request::default()).expect("the name is free");
    assert!(cluster.is_name_taken("web") && cluster.is_name_taken("/web"));
    assert!(!cluster.is_name_taken("/") && !cluster.is_name_taken("//web"));
    let again = place(&mut cluster, nodes[0], "/web", &Request::default());
    assert_eq!(
        again,
        Err(PlaceError::NameTaken("/web".into())),
        "the text says what the client said"
    );
    assert_eq!(
        ["web", "/web", "n1/web"].map(|query| cluster.find(query)),
        [Some(web); 3]
    );
    assert_eq!(cluster.container(web).map(|container| container.name()), Some("web"));
}

#[test]
fn a_container_without_a_name_takes_the_first_that_its_daemon_reports() {
    let (mut cluster, nodes) = cluster(&["n1", "n2"]);
    let container = place(&mut cluster, nodes[1], "", &Request::default()).expect("there is no name to be taken");
    let identity = Identity {
        id: "0123456789abcdef".into(),
        aliases: vec!["quirky".into(), "other/alias".into()],
        ..Identity::default()
    };
    cluster.commit(container, Some(identity));
    let settings = Settings::new(Strategy::Spread);
    for expression in ["container==quirky", "container==0123*"] {
        let decided = decide(&settings, &cluster, &with_affinity(expression));
        assert_eq!(decided.map(|decision| decision.node), Ok(nodes[1]), "{expression}");
    }
    let decided = decide(&settings, &cluster, &with_affinity("container==other/alias"));
    assert_eq!(
        decided,
        Err(Rejection::Filter(Filter::Affinity)),
        "only the first name counts"
    );
    assert_eq!(cluster.find("other/alias"), Some(container));
    assert_eq!(cluster.check(), Ok(()));
}

#[test]
fn sums_of_huge_further_resources_come_back() {
    let mut cluster = Cluster::new();
    let gpus = |amount| vec![("gpu".to_owned(), amount)];
    let node = cluster.add_node(NewNode {
        extra: gpus(8),
        ..NewNode::default()
    });
    let asking = |amount| Request {
        extra: gpus(amount),
        ..Request::default()
    };
    place(&mut cluster, node, "", &asking(5)).expect("nothing is checked");
    let huge = place(&mut cluster, node, "", &asking(u64::MAX)).expect("nothing is checked");
    cluster.remove(huge);
    assert_eq!(cluster.node(node).extra()[0].used, 5);
}

#[test]
fn a_strict_whitelist_treats_an_absent_label_as_a_constraint_does() {
    let (cluster, nodes) = cluster(&["n1"]);
    let mut settings = Settings::new(Strategy::Spread);
    settings.strict = Strict {
        whitelist: true,
        ..Strict::default()
    };
    let whitelist = |expression: &str| Request {
        whitelists: vec![expression.to_owned()],
        ..Request::default()
    };
    let accepted = Decision {
        node: nodes[0],
        soft: SoftRules::Enforced,
    };
    assert_eq!(decide(&settings, &cluster, &whitelist("rack==r1|")), Ok(accepted));
    let refused = Err(Rejection::Filter(Filter::Whitelist));
    assert_eq!(decide(&settings, &cluster, &whitelist("rack!=r1|")), refused);
}

#[test]
fn a_system_that_the_daemon_demands_stays_in_the_label() {
    let (cluster, _) = cluster(&["n1"]);
    let mut creation = Creation::new(Request::default(), 0);
    let message = "image operating system \"windows\" cannot be used on this platform";
    let error = CreateError::from(DaemonError::response(message, 500));
    assert!(creation.retry_after(&error, &cluster), "once more");
    assert_eq!(creation.asked().constraints, ["ostype==windows"]);
    let labels = &creation.request().labels;
    assert_eq!(labels["com.docker.swarm.constraints"], r#"["ostype==windows"]"#);
    assert!(!creation.retry_after(&error, &cluster), "only once");
}

/// The image is on n1 only, and only n2 may not be asked for it.
fn creation_of_a_held_image(request: Request) -> (Cluster, Vec<NodeIdx>, Creation) {
    let (mut cluster, nodes) = cluster(&["n1", "n2"]);
    cluster.update_node(nodes[0], NodeChange::AddImage(Arc::new(Image::tagged("private:1"))));
    let image = "private:1".to_owned();
    (cluster, nodes, Creation::new(Request { image, ..request }, 0))
}

#[test]
fn an_image_affinity_is_not_placed_with_the_container() {
    let (mut cluster, nodes, mut creation) = creation_of_a_held_image(with_affinity("container!=db"));
    let error = CreateError::from(DaemonError::pull("private:1", "repository does not exist"));
    assert!(creation.retry_after(&error, &cluster));
    let mut scheduler = Scheduler::new(Settings::new(Strategy::Spread));
    // n1 would not be the first choice.
    place(&mut cluster, nodes[0], "", &Request::default()).expect("there is room");
    let attempt = creation.attempt(
        &mut scheduler,
        &mut cluster,
        "c1",
        "",
        &mut ChaCha8Rng::seed_from_u64(1),
    );
    let (container, decision) = attempt.expect("n1 takes it");
    assert_eq!(decision.node, nodes[0]);
    let placed = cluster.container(container).expect("it has been placed").request();
    assert_eq!(placed.affinities, ["container!=db"]);
    assert_eq!(placed.labels["com.docker.swarm.affinities"], r#"["container!=db"]"#);
}

#[test]
fn the_text_of_any_error_may_say_that_an_image_is_missing() {
    let (cluster, _, mut creation) = creation_of_a_held_image(Request::default());
    let rejected = CreateError::Rejected {
        rejection: Rejection::Filter(Filter::Dependency),
        message: "conditions \n[--link=image private:1 not found]".into(),
    };
    assert!(creation.retry_after(&rejected, &cluster));
    assert_eq!(creation.asked().affinities, ["image==private:1"]);
}

/// No expression has an `@`, with which the original hid the first error.
#[test]
fn an_image_is_found_by_its_digest() {
    let reference = "private@sha256:00";
    let (mut cluster, nodes) = cluster(&["n1", "n2", "n3"]);
    let held = |id: &str| Image {
        id: id.to_owned(),
        tags: vec![reference.to_owned()],
    };
    let wanted = || Request {
        image: reference.into(),
        ..Request::default()
    };
    let error = CreateError::from(DaemonError::response("no such image", 404));
    // An image without an ID cannot be asked for; then the first error is the last.
    cluster.update_node(nodes[2], NodeChange::AddImage(Arc::new(held(""))));
    assert!(!Creation::new(wanted(), 0).retry_after(&error, &cluster));

    let mut scheduler = Scheduler::new(Settings::new(Strategy::Spread));
    let mut generator = ChaCha8Rng::seed_from_u64(1);
    // Another store calls the same image differently.
    for (node, id, affinity) in [
        (nodes[1], "sha256:a1", "image==sha256:a1"),
        (nodes[0], "sha256:b2", "image==/^(sha256:a1|sha256:b2)$/"),
    ] {
        cluster.update_node(node, NodeChange::AddImage(Arc::new(held(id))));
        let mut creation = Creation::new(wanted(), 0);
        assert!(creation.retry_after(&error, &cluster));
        assert_eq!(creation.asked().affinities, [affinity]);
        let attempt = creation.attempt(&mut scheduler, &mut cluster, "", "", &mut generator);
        let (container, decision) = attempt.expect("a node that has it");
        assert_eq!(decision.node, node, "the emptier of those");
        let placed = cluster.container(container).expect("it has been placed").request();
        assert!(placed.affinities.is_empty());
        assert!(!creation.retry_after(&error, &cluster), "once");
    }
}

/// A group of containers goes to one node. That node was once named by a constraint, and a constraint's value is a
/// pattern: it held for a second node whose name ends like the first one's.
#[test]
fn room_at_one_node_is_at_no_other() {
    let (mut cluster, nodes) = cluster(&["node1", "my-node1"]);
    let mut scheduler = Scheduler::new(Settings::new(Strategy::Spread));
    let request = Request {
        resources: Resources::new(Cpus::whole(3), Bytes::from_gib(1)),
        constraints: vec!["node==~nowhere".to_owned()],
        ..Request::default()
    };
    let asked = scheduler.prepare(Arc::new(request.clone()));
    let mut at = |name: &str| {
        let placement = Placement {
            request: Arc::new(request.clone()),
            name: name.into(),
            swarm_id: String::new(),
        };
        attempt_at(&scheduler, &mut cluster, nodes[0], &asked, placement)
            .map(|placed| cluster.container(placed).map(|known| known.node()))
    };
    assert_eq!(
        at("first").ok().flatten(),
        Some(nodes[0]),
        "soft expressions choose between nodes only"
    );
    assert!(matches!(at("first"), Err(CreateError::Place(PlaceError::NameTaken(_)))));
    let refused = at("second").expect_err("the other node has room, but was not asked");
    assert!(
        matches!(
            refused,
            CreateError::Rejected {
                rejection: Rejection::NoResources,
                ..
            }
        ),
        "{refused}"
    );
    cluster.remove_node(nodes[0]);
    assert!(scheduler.judge(&cluster, &asked, nodes[0]).is_err());
    assert_eq!(scheduler.judge(&cluster, &asked, nodes[1]), Ok(()));
}
