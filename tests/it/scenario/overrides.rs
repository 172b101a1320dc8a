//! Values given on the command line.

use std::path::Path;

use swarmlab::scenario::{Options, Override, Scenario, parse};
use swarmlab::sim::{Action, Source};

use super::{NODES, WORK};

const EVENT: &str =
    "[[events]]\nat = \"1m\"\naction = \"drain\"\nnodes = \"web-1\"\n[images.\"nginx:1.27\"]\nsize = \"9MiB\"\n";

fn read(overrides: &[&str]) -> Result<Scenario, String> {
    let overrides = overrides
        .iter()
        .map(|text| text.parse())
        .collect::<Result<_, String>>()?;
    let options = Options {
        overrides,
        ..Options::default()
    };
    let text = format!("title = \"a\"\n{NODES}{WORK}{EVENT}");
    parse("test.toml", &text, Path::new(""), &options).map_err(|complaints| complaints.to_string())
}

#[track_caller]
fn sound(overrides: &[&str]) -> Scenario {
    read(overrides).unwrap_or_else(|complaints| panic!("{complaints}"))
}

#[track_caller]
fn check(given: &str, expected: &str) {
    match read(&[given]) {
        Ok(_) => panic!("{given} was accepted"),
        Err(complaints) => assert_eq!(complaints.trim_end(), expected.trim(), "complaints about {given}"),
    }
}

#[test]
fn values_of_every_kind_are_replaced() {
    assert_eq!(sound(&["title=b"]).title, "b");
    assert_eq!(
        sound(&["title=2024"]).title,
        "2024",
        "what looks like a number is a string where one is wanted"
    );
    assert_eq!(sound(&["title=1.10"]).title, "1.10");
    assert_eq!(sound(&["title=\"3\""]).title, "3");
    assert_eq!(sound(&["title=a=b"]).title, "a=b");
    assert_eq!(sound(&["run.seed=7"]).plan.run.seed, 7);
    assert_eq!(
        sound(&["run.seed=7", "run.seed=8"]).plan.run.seed,
        8,
        "the last one counts"
    );
    assert_eq!(sound(&["run.strategies=[\"random\"]"]).plan.run.strategies.len(), 1);
    assert_eq!(sound(&["workload.app.replicas=3"]).plan.classes[0].replicas, 3);
    assert_eq!(sound(&["cluster.nodes.web.count=5"]).plan.nodes.len(), 5);
    assert_eq!(
        sound(&["cluster.nodes.web.labels.rack=7"]).plan.nodes[0].labels["rack"],
        "7"
    );
    assert_eq!(
        sound(&["images.\"nginx:1.27\".size=1MiB"]).plan.images[0].layers[0].bytes,
        1 << 20
    );
    assert_eq!(sound(&["events.0.nodes=web-*"]).plan.events[0].nodes.len(), 3);
    assert!(matches!(
        sound(&["events.0.action=undrain"]).plan.events[0].action,
        Action::Undrain
    ));
}

#[test]
fn tables_and_list_items_can_be_added() {
    let added = sound(&[
        "workload.more={arrivals={process=\"at-start\",count=1},links=[\"app-1\"]}",
        "workload.more.replicas=2",
        "events.1={at=\"2m\",action=\"drain\",nodes=\"web-2\"}",
    ]);
    assert_eq!(added.plan.classes[1].replicas, 2);
    assert_eq!(added.plan.events[1].nodes, [1]);
    let Source::Synthetic { request, .. } = &added.plan.classes[1].source else {
        panic!("not read from a trace");
    };
    assert_eq!(request.links, ["app-1"]);
}

#[test]
fn an_override_is_split_at_the_first_equals_sign_outside_quotes() {
    let given: Override = "images.\"a=b\".size = 1MiB".parse().expect("a key and a value");
    assert_eq!(
        (given.key.as_str(), given.value.as_str()),
        ("images.\"a=b\".size", "1MiB")
    );
    let complaint = "run.seed".parse::<Override>();
    assert_eq!(
        complaint,
        Err("\"run.seed\" is not of the form KEY=VALUE, such as run.seed=7".to_owned())
    );
}

#[test]
fn an_unknown_key_suggests_the_nearest() {
    check(
        r#"run.sed=3"#,
        r#"
error[S010]: unknown key `sed` in `run`
 --> command line:1:11
  |
1 | --set run.sed=3
  |           ^^^
  |
  = help: did you mean `seed`?
"#,
    );
}

#[test]
fn an_unknown_class_suggests_the_nearest() {
    check(
        r#"workload.appp.replicas=3"#,
        r#"
error[S030]: there is no `workload.appp` to be changed
 --> command line:1:16
  |
1 | --set workload.appp.replicas=3
  |                ^^^^
  |
  = help: did you mean `app`?
"#,
    );
}

#[test]
fn an_unknown_group_lists_what_there_is() {
    check(
        r#"cluster.nodes.other.count=3"#,
        r#"
error[S030]: there is no `cluster.nodes.other` to be changed
 --> command line:1:21
  |
1 | --set cluster.nodes.other.count=3
  |                     ^^^^^
  |
  = help: `cluster.nodes` has `web`
"#,
    );
}

#[test]
fn a_wrong_type_is_shown_as_typed() {
    check(
        r#"workload.app.replicas=many"#,
        r#"
error[S012]: expected an integer, found a string
 --> command line:1:29
  |
1 | --set workload.app.replicas=many
  |                             ^^^^
"#,
    );
}

#[test]
fn a_number_is_no_table() {
    check(
        r#"cluster=3"#,
        r#"
error[S012]: expected a table, found an integer
 --> command line:1:15
  |
1 | --set cluster=3
  |               ^
"#,
    );
}

#[test]
fn a_bad_amount_is_shown_as_typed() {
    check(
        r#"run.duration=10 min"#,
        r#"
error[S014]: "10 min" is not a duration
 --> command line:1:20
  |
1 | --set run.duration=10 min
  |                    ^^^^^^
  |
  = help: write "10m"
"#,
    );
}

#[test]
fn an_index_beyond_the_end() {
    check(
        r#"events.3.at=5m"#,
        r#"
error[S030]: there is no `3` in `events`
 --> command line:1:14
  |
1 | --set events.3.at=5m
  |              ^
  |
  = help: `events` is a list, numbered from 0 to 0
"#,
    );
}

#[test]
fn a_name_where_an_index_is_needed() {
    check(
        r#"events.first.at=5m"#,
        r#"
error[S030]: there is no `first` in `events`
 --> command line:1:14
  |
1 | --set events.first.at=5m
  |              ^^^^^
  |
  = help: `events` is a list, numbered from 0 to 0
"#,
    );
}

#[test]
fn nothing_is_below_a_string() {
    check(
        r#"workload.app.arrivals.process.x=1"#,
        r#"
error[S030]: `workload.app.arrivals.process` is neither a table nor a list
 --> command line:1:37
  |
1 | --set workload.app.arrivals.process.x=1
  |                                     ^
  |
  = help: it is one value: --set workload.app.arrivals.process=VALUE
"#,
    );
}

#[test]
fn an_empty_segment() {
    check(
        r#"run..seed=1"#,
        r#"
error[S030]: a segment of the key is empty
 --> command line:1:11
  |
1 | --set run..seed=1
  |           ^^^^^
  |
  = help: write segments between dots, those with dots of their own in quotes: images."nginx:1.27".size
"#,
    );
}

#[test]
fn a_quote_that_is_not_closed() {
    check(
        r#"run.strategies=["spread"#,
        r#"
error[S003]: unclosed array, expected `]`
 --> command line:1:22
  |
1 | --set run.strategies=["spread
  |                      ^^^^^^^^
"#,
    );
}

#[test]
fn meaning_is_checked_too() {
    check(
        r#"events.0.nodes=db-*"#,
        r#"
error[S022]: no node's name matches "db-*"
 --> command line:1:22
  |
1 | --set events.0.nodes=db-*
  |                      ^^^^
  |
  = help: there are `web-1`, `web-2` and `web-3`
"#,
    );
}

#[test]
fn a_value_that_cannot_be_represented() {
    check(
        r#"run.seed=nan"#,
        r#"
error[S012]: nan is not a number that can be used here
 --> command line:1:16
  |
1 | --set run.seed=nan
  |                ^^^
  |
  = help: write a finite number
"#,
    );
}
