//! Values that fit the format and make no sense.

use super::{NODES, WORK, check, check_with_own_nodes, read};

#[test]
fn impossible_times() {
    check(
        r#"[run]
duration = "2h"
warm-up = "2h"
sample = "0s"
[workload.web]
arrivals = { process = "fixed", interval = "0s" }
start = "10m"
stop = "10m"
"#,
        r#"
error[S020]: a warm-up of 2h leaves nothing of a run of 2h
 --> test.toml:3:11
  |
3 | warm-up = "2h"
  |           ^^^^
  |
  = help: make it shorter than `duration`

error[S020]: the interval must be above zero
 --> test.toml:4:10
  |
4 | sample = "0s"
  |          ^^^^
  |
  = help: leave it out for the default

error[S020]: an interval must be above zero
 --> test.toml:6:44
  |
6 | arrivals = { process = "fixed", interval = "0s" }
  |                                            ^^^^
  |
  = help: for arrivals all at once, use "at-start"

error[S020]: arrivals would stop before they start
 --> test.toml:8:8
  |
8 | stop = "10m"
  |        ^^^^^
  |
  = help: make `stop` later than `start`
"#,
    );
}

#[test]
fn impossible_nodes() {
    check_with_own_nodes(
        r#"[cluster]
overcommit = -1
[cluster.nodes.db]
count = 2000000
cpus = 0
memory = "0"
[cluster.nodes."a b"]
cpus = 1
memory = "1GiB"
[cluster.nodes.x]
name = "x-{i}"
"#,
        r#"
error[S020]: -1 cannot be an overcommitment
 --> test.toml:2:14
  |
2 | overcommit = -1
  |              ^^
  |
  = help: it is a fraction above -1, such as 0.05 for 5 %, and at most 1000

error[S020]: there are more than 1000000 nodes
 --> test.toml:4:9
  |
4 | count = 2000000
  |         ^^^^^^^
  |
  = help: simulate a part of the cluster

error[S020]: "a b" cannot be the name of a group
 --> test.toml:7:16
  |
7 | [cluster.nodes."a b"]
  |                ^^^^^
  |
  = help: names consist of letters, digits, `_`, `.` and `-`, and start with a letter or a digit

error[S011]: the key `cpus` is missing in `cluster.nodes.x`
  --> test.toml:10:1
   |
10 | [cluster.nodes.x]
   | ^^^^^^^^^^^^^^^^^
   |
   = help: say what each node has: cpus = 8

error[S011]: the key `memory` is missing in `cluster.nodes.x`
  --> test.toml:10:1
   |
10 | [cluster.nodes.x]
   | ^^^^^^^^^^^^^^^^^
   |
   = help: say what each node has: memory = "32GiB"

error[S020]: "x-{i}" cannot be the name of a node
  --> test.toml:11:8
   |
11 | name = "x-{i}"
   |        ^^^^^^^
   |
   = help: only {index} is replaced; names consist of letters, digits, `_`, `.` and `-`, and start with a letter or a digit
"#,
    );
}

#[test]
fn impossible_distributions() {
    check(
        r#"[workload.web]
arrivals = { process = "at-start", count = 1 }
cpus = { distribution = "lognormal", median = 1, sigma = -1 }
memory = { distribution = "uniform", low = "2GiB", high = "1GiB" }
lifetime = { distribution = "pareto", scale = "1s", shape = 0, min = "1h", max = "1m" }
[workload.db]
arrivals = { process = "at-start", count = 1 }
cpus = { choice = [{ value = 1, weight = 0 }] }
memory = 0
lifetime = { distribution = "exponential", mean = "0s" }
"#,
        r#"
error[S011]: the key `max` is missing in `workload.web.cpus`
 --> test.toml:3:8
  |
3 | cpus = { distribution = "lognormal", median = 1, sigma = -1 }
  |        ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
  |
  = help: without one, a draw may be larger than any node

error[S020]: `sigma` cannot be negative
 --> test.toml:3:58
  |
3 | cpus = { distribution = "lognormal", median = 1, sigma = -1 }
  |                                                          ^^
  |
  = help: 0 is always the median

error[S020]: `low`, 2GiB, is more than `high`, 1GiB
 --> test.toml:4:44
  |
4 | memory = { distribution = "uniform", low = "2GiB", high = "1GiB" }
  |                                            ^^^^^^
  |
  = help: swap them

error[S020]: `shape` must be above zero
 --> test.toml:5:61
  |
5 | lifetime = { distribution = "pareto", scale = "1s", shape = 0, min = "1h", max = "1m" }
  |                                                             ^
  |
  = help: 2 is a tail that is heavy but has a mean

error[S020]: the smallest amount, 1h, is more than the largest, 1m
 --> test.toml:5:70
  |
5 | lifetime = { distribution = "pareto", scale = "1s", shape = 0, min = "1h", max = "1m" }
  |                                                                      ^^^^
  |
  = help: make `min` smaller or `max` larger

error[S020]: a weight must be above zero
 --> test.toml:8:42
  |
8 | cpus = { choice = [{ value = 1, weight = 0 }] }
  |                                          ^
  |
  = help: leave out what is never chosen

error[S020]: this must be above zero
 --> test.toml:9:10
  |
9 | memory = 0
  |          ^
  |
  = help: leave it out to reserve nothing

error[S020]: this must be above zero
  --> test.toml:10:51
   |
10 | lifetime = { distribution = "exponential", mean = "0s" }
   |                                                   ^^^^
   |
   = help: this describes the typical amount
"#,
    );
}

#[test]
fn impossible_behaviour() {
    check(
        r#"[workload.web]
arrivals = { process = "diurnal", rate = "1/s", amplitude = 1.5 }
limit = 10
failure = 2
restart = "always"
restart-delay = "0s"
on-rejection = { action = "retry", factor = 0.5, backoff = "2m" }
"#,
        r#"
error[S020]: 1.5 is not between 0 and 1
 --> test.toml:2:61
  |
2 | arrivals = { process = "diurnal", rate = "1/s", amplitude = 1.5 }
  |                                                             ^^^
  |
  = help: 0 is a constant rate, 1 a rate that drops to nothing

error[S020]: 2 is not a probability
 --> test.toml:4:11
  |
4 | failure = 2
  |           ^
  |
  = help: write a number between 0 and 1

error[S020]: the delay must be above zero
 --> test.toml:6:17
  |
6 | restart-delay = "0s"
  |                 ^^^^
  |
  = help: a container that exits at once would restart for ever at the same instant

error[S020]: waits cannot become shorter
 --> test.toml:7:45
  |
7 | on-rejection = { action = "retry", factor = 0.5, backoff = "2m" }
  |                                             ^^^
  |
  = help: 1 keeps them equal, 2 doubles them

error[S020]: the longest wait is shorter than the first
 --> test.toml:7:60
  |
7 | on-rejection = { action = "retry", factor = 0.5, backoff = "2m" }
  |                                                            ^^^^
  |
  = help: make `backoff-max` larger
"#,
    );
}

#[test]
fn endless_arrivals_need_a_duration() {
    check(
        r#"[workload.web]
arrivals = { process = "poisson", rate = "1/s" }
"#,
        r#"
error[S024]: the run needs a `duration`: containers of class `web` arrive without end
--> test.toml
 = help: add duration = "2h" to [run], or `stop` or `limit` to the class `web`
"#,
    );
}

#[test]
fn waiting_for_endless_restarts_is_refused() {
    check(
        r#"[run]
until = "drained"
[workload.web]
arrivals = { process = "at-start", count = 1 }
lifetime = "1m"
restart = "always"
"#,
        r#"
error[S024]: the run would never end: containers of class `web` restart without end
 --> test.toml:2:9
  |
2 | until = "drained"
  |         ^^^^^^^^^
  |
  = help: add duration = "2h" to [run]
"#,
    );
}

#[test]
fn numbers_that_would_fill_the_memory() {
    let forever = "arrivals = { process = \"at-start\", count = 1 }\nlifetime = \"10000h\"\n";
    for (text, expected) in [
        (
            format!("[run]\nrepetitions = 4000000000\n{NODES}{WORK}"),
            "4000000000 are more than the 100000 that are possible",
        ),
        (
            format!(
                "[run]\nduration = \"1h\"\n{NODES}[workload.w]\nreplicas = 4000000000\n\
                 arrivals = {{ process = \"fixed\", interval = \"1s\" }}\n"
            ),
            "more than 100000000 containers would be asked for at once",
        ),
        // The end is not given, and can be told all the same.
        (
            format!("[run]\nsample = \"1ms\"\n{NODES}[workload.w]\n{forever}"),
            "there would be more than 10000000 samples",
        ),
        (
            format!(
                "{NODES}{WORK}[[events]]\nnodes = \"*\"\nat = \"1s\"\naction = \"flap\"\ndown = \"1s\"\nup = \"1s\"\n\
                 times = 4000000000\n"
            ),
            "there would be more than 10000000 events of nodes",
        ),
    ] {
        let complaints = read(&text).expect_err(expected);
        assert!(complaints.to_string().contains(expected), "{complaints}");
    }
}
