//! Keys and values that do not fit the format.

use super::{check, check_with_own_nodes};

#[test]
fn an_unknown_key_suggests_the_nearest() {
    check(
        r#"[run]
warmup = "1m"
"#,
        r#"
error[S010]: unknown key `warmup` in `run`
 --> test.toml:2:1
  |
2 | warmup = "1m"
  | ^^^^^^
  |
  = help: did you mean `warm-up`?
"#,
    );
}

#[test]
fn an_unknown_key_lists_what_there_is() {
    check(
        r#"[run]
tuesday = 1
"#,
        r#"
error[S010]: unknown key `tuesday` in `run`
 --> test.toml:2:1
  |
2 | tuesday = 1
  | ^^^^^^^
  |
  = help: there are `seed`, `repetitions`, `duration`, `until`, `warm-up`, `sample`, `strategies`, `filters`, `strict`, `detection`, `start-latency` and `on-rejection`
"#,
    );
}

#[test]
fn a_key_of_another_section_is_sent_there() {
    check(
        r#"seed = 3
"#,
        r#"
error[S010]: unknown key `seed`
 --> test.toml:1:1
  |
1 | seed = 3
  | ^^^^
  |
  = help: `seed` belongs in `[run]`
"#,
    );
}

#[test]
fn a_key_of_the_top_is_sent_there() {
    check(
        r#"[run]
title = "x"
"#,
        r#"
error[S010]: unknown key `title` in `run`
 --> test.toml:2:1
  |
2 | title = "x"
  | ^^^^^
  |
  = help: `title` belongs at the top of the file, before the first table
"#,
    );
}

#[test]
fn a_key_of_another_variant_is_sent_there() {
    check(
        r#"[[events]]
at = "1m"
action = "drain"
nodes = "web-1"
repair = "5m"
"#,
        r#"
error[S010]: unknown key `repair` in `events.0`
 --> test.toml:5:1
  |
5 | repair = "5m"
  | ^^^^^^
  |
  = help: `repair` goes with `action = "fail"`
"#,
    );
}

#[test]
fn a_missing_section_has_no_position() {
    check_with_own_nodes(
        r#"title = "nothing"
"#,
        r#"
error[S011]: the key `cluster` is missing
--> test.toml
"#,
    );
}

#[test]
fn a_missing_key_shows_its_table() {
    check(
        r#"[[events]]
at = "1m"
action = "flap"
nodes = "web-1"
"#,
        r#"
error[S011]: the key `down` is missing in `events.0`
 --> test.toml:1:1
  |
1 | [[events]]
  | ^^^^^^^^^^
  |
  = help: it takes a duration: down = "10m"

error[S011]: the key `times` is missing in `events.0`
 --> test.toml:1:1
  |
1 | [[events]]
  | ^^^^^^^^^^

error[S011]: the key `up` is missing in `events.0`
 --> test.toml:1:1
  |
1 | [[events]]
  | ^^^^^^^^^^
  |
  = help: it takes a duration: up = "10m"
"#,
    );
}

#[test]
fn a_missing_tag_lists_the_variants() {
    check(
        r#"[workload.web]
arrivals = { rate = "2/s" }
"#,
        r#"
error[S011]: the key `process` is missing in `workload.web.arrivals`
 --> test.toml:2:12
  |
2 | arrivals = { rate = "2/s" }
  |            ^^^^^^^^^^^^^^^^
  |
  = help: `process` is one of "poisson", "fixed", "burst", "diurnal" and "at-start"
"#,
    );
}

#[test]
fn a_misspelt_tag_is_recognised() {
    check(
        r#"[workload.web]
arrivals = { proces = "poisson", rate = "2/s" }
"#,
        r#"
error[S010]: unknown key `proces` in `workload.web.arrivals`
 --> test.toml:2:14
  |
2 | arrivals = { proces = "poisson", rate = "2/s" }
  |              ^^^^^^
  |
  = help: did you mean `process`? `process` is one of "poisson", "fixed", "burst", "diurnal" and "at-start"
"#,
    );
}

#[test]
fn a_misspelt_required_key_is_not_missing_as_well() {
    check(
        r#"[workload.web]
arrivals = { process = "poisson", rat = "2/s" }
"#,
        r#"
error[S010]: unknown key `rat` in `workload.web.arrivals`
 --> test.toml:2:35
  |
2 | arrivals = { process = "poisson", rat = "2/s" }
  |                                   ^^^
  |
  = help: did you mean `rate`?
"#,
    );
}

#[test]
fn an_unknown_variant_suggests_the_nearest() {
    check(
        r#"[workload.web]
arrivals = { process = "poison", rate = "2/s" }
"#,
        r#"
error[S013]: unknown name "poison"
 --> test.toml:2:24
  |
2 | arrivals = { process = "poison", rate = "2/s" }
  |                        ^^^^^^^^
  |
  = help: did you mean "poisson"? There are "poisson", "fixed", "burst", "diurnal" and "at-start"
"#,
    );
}

#[test]
fn an_unknown_strategy_suggests_the_nearest() {
    check(
        r#"[run]
strategies = ["sprad"]
"#,
        r#"
error[S013]: unknown name "sprad"
 --> test.toml:2:15
  |
2 | strategies = ["sprad"]
  |               ^^^^^^^
  |
  = help: did you mean "spread"? There are "spread", "binpack", "random" and "binpacking"
"#,
    );
}

#[test]
fn an_unknown_filter_and_strict_setting() {
    check(
        r#"[run]
filters = ["ports"]
strict = ["everything"]
"#,
        r#"
error[S013]: unknown name "ports"
 --> test.toml:2:12
  |
2 | filters = ["ports"]
  |            ^^^^^^^
  |
  = help: did you mean "port"? There are "health", "port", "containerslots", "dependency", "affinity", "constraint", "whitelist" and "resources"

error[S013]: unknown name "everything"
 --> test.toml:3:11
  |
3 | strict = ["everything"]
  |           ^^^^^^^^^^^^
  |
  = help: there are "globs", "port-protocol", "capacity", "random-capacity", "whitelist" and "stopped-ports"
"#,
    );
}
