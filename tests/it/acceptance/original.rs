//! Decisions on which the original's own code was asked, and on which the two once differed.

use swarmlab::model::{Bytes, PortBinding};
use swarmlab::scheduler::Strategy;

use super::manager::{Config, Created, Failure, Manager};
use super::{CONSTRAINTS, env, labels, publish};

/// One node n1 with the label `zone`.
fn one_node(zone: &str) -> Manager {
    let mut manager = Manager::new(Strategy::Spread);
    manager.add_node("n1", 4, Bytes::new(1000), &[("zone", zone)]);
    manager
}

fn create(manager: &mut Manager, config: Config) -> Result<Created, Failure> {
    manager.create("", config)
}

/// The last line of the error text.
fn reason(manager: &mut Manager, config: Config) -> String {
    let failure = create(manager, config).expect_err("no node should take it");
    assert_eq!(failure.status, 500);
    failure.last_line().to_owned()
}

fn with_label(label: &str) -> Config {
    Config {
        labels: labels(&[(CONSTRAINTS, label)]),
        ..Config::default()
    }
}

#[test]
fn an_element_of_a_label_that_is_no_text_refuses_the_container() {
    let no_operator = "error from constraint filter: One of operator ==, != is expected";
    for label in [
        "[null]",
        "[1]",
        r#"["zone!=a",1]"#,
        r#"["zone==b",null]"#,
        r#"["zone==b",["zone==b"]]"#,
        r#"[{"zone":"b"},"zone==b"]"#,
        "[true]",
    ] {
        assert_eq!(reason(&mut one_node("b"), with_label(label)), no_operator, "{label}");
    }
    let surrogate = with_label(r#"["zone!=\ud800"]"#);
    let expected = "error from constraint filter: Value '\u{fffd}' is invalid";
    assert_eq!(reason(&mut one_node("b"), surrogate), expected);
    // What is no list is ignored as before.
    for label in ["zone==a", r#""zone==a""#, r#"{"zone":"a"}"#, "null", r#"["zone==a""#] {
        assert!(create(&mut one_node("b"), with_label(label)).is_ok(), "{label}");
    }
}

#[test]
fn expressions_of_the_environment_come_after_those_of_a_label_that_is_in_part_wrong() {
    let mut manager = one_node("b");
    let config = Config {
        env: env(&["whitelist:node==n1"]).env,
        labels: labels(&[("com.docker.swarm.whitelists", r#"[7,"node==~x"]"#)]),
        ..Config::default()
    };
    manager.set_filters(&[]);
    manager.create("c1", config).expect("no filter reads it");
    let told = manager.inspect("c1");
    assert_eq!(
        told.labels["com.docker.swarm.whitelists"],
        r#"["","node==~x","node==n1"]"#
    );
}

#[test]
fn the_unspecified_address_of_version_4_is_one_also_when_it_is_written_in_version_6() {
    for (held, asked, clash) in [
        ("127.0.0.1", "::ffff:0.0.0.0", true),
        ("::ffff:0:0", "10.0.0.1", true),
        ("::ffff:0:0", "0.0.0.0", true),
        ("::ffff:127.0.0.1", "10.0.0.1", false),
        ("::ffff:127.0.0.1", "127.0.0.1", false),
    ] {
        let mut manager = one_node("a");
        create(&mut manager, publish(held, "80")).expect("nobody has the port");
        let second = create(&mut manager, publish(asked, "80"));
        assert_eq!(second.is_err(), clash, "{held} and {asked}: {second:?}");
    }
}

#[test]
fn regular_expressions_match_up_to_the_limits_and_are_refused_beyond_them() {
    let nested = |operator: &str, levels: usize| {
        let (open, close) = ("(".repeat(levels), ")".repeat(levels));
        env(&[&format!("constraint:zone{operator}/{open}a{close}/")])
    };
    for levels in [250, 251, 999] {
        assert!(create(&mut one_node("a"), nested("==", levels)).is_ok(), "{levels}");
        let (open, close) = ("(".repeat(levels), ")".repeat(levels));
        let listed = format!("[zone!=/{open}a{close}/]");
        assert_eq!(reason(&mut one_node("a"), nested("!=", levels)), listed);
    }
    for operator in ["==", "!="] {
        let refused = reason(&mut one_node("a"), nested(operator, 1000));
        let end = "is too large a regular expression: it is nested more than 1000 levels deep";
        assert!(
            refused.starts_with("error from constraint filter: Value '/(((") && refused.ends_with(end),
            "{refused}"
        );
    }
    for (atom, letter, counts) in [(r"\pL", "é", [24, 25, 30]), (".", "a", [1000, 2000, 3000])] {
        for count in counts {
            let zone = letter.repeat(count);
            let pattern = format!("/^{}$/", atom.repeat(count));
            let equal = env(&[&format!("constraint:zone=={pattern}")]);
            assert!(create(&mut one_node(&zone), equal).is_ok(), "{count} times {atom}");
            let unequal = env(&[&format!("constraint:zone!={pattern}")]);
            assert_eq!(reason(&mut one_node(&zone), unequal), format!("[zone!={pattern}]"));
        }
    }
}

/// In the original such a container does not exist on its node until the node reports it: a second one would get its
/// port. Its memory is in the sums of neither.
#[test]
fn a_pending_container_larger_than_its_node_keeps_its_port_its_slot_and_its_name() {
    let mut manager = Manager::new(Strategy::Random);
    manager.add_node("n1", 4, Bytes::new(1000), &[("containerslots", "2")]);
    let large = Config {
        memory: 2000,
        port_bindings: vec![PortBinding {
            container_port: "80/tcp".into(),
            host_ip: "".into(),
            host_port: "80".into(),
        }],
        ..Config::default()
    };
    let pending = manager.start("large", large).expect("random looks at no capacity");
    assert_eq!(manager.count("n1"), 1);
    assert_eq!(manager.node("n1").used().memory, 0);
    assert_eq!(reason(&mut manager, publish("", "80")), "[port 80 (Bridge mode)]");
    manager.lands(&["affinity:container==large"]).expect("n1 has it");
    assert_eq!(reason(&mut manager, env(&[])), "[available container slots]");
    manager.finish(pending).expect("the daemon takes it");
    assert_eq!(manager.node("n1").used().memory, 2000);
}

#[test]
fn the_long_s_and_the_kelvin_sign_are_letters_of_keys_and_values() {
    for expression in ["zone!=\u{212a}", "zone\u{17f}!=a", "zone==/(?i)^\u{212a}$/"] {
        let landed = one_node("k").lands(&[&format!("constraint:{expression}")]);
        assert!(landed.is_ok(), "{expression}: {landed:?}");
    }
    let listed = "[zone==\u{212a}]";
    assert_eq!(reason(&mut one_node("k"), env(&["constraint:zone==\u{212a}"])), listed);
    let invalid = "error from constraint filter: Value 'é' is invalid";
    assert_eq!(reason(&mut one_node("k"), env(&["constraint:zone!=é"])), invalid);
}

#[test]
fn a_slash_is_a_name_to_whitelists_and_invalid_elsewhere() {
    assert_eq!(
        reason(&mut one_node("a"), env(&["whitelist:node==/"])),
        "[node==/ (soft=false)]"
    );
    assert!(one_node("a").lands(&["whitelist:node==~/"]).is_ok());
    assert!(one_node("a").lands(&["whitelist:node==/|n1"]).is_ok());
    for kind in ["constraint", "affinity"] {
        for value in ["/", "~/"] {
            let invalid = format!("error from {kind} filter: Value '{value}' is invalid");
            assert_eq!(
                reason(&mut one_node("a"), env(&[&format!("{kind}:node=={value}")])),
                invalid
            );
        }
    }
}
