//! Values of the wrong type, and texts that do not follow their grammar.

use super::{check, check_with_own_nodes};

#[test]
fn a_wrong_type_says_what_is_expected() {
    check(
        r#"title = 3
[run]
duration = 30
filters = "health"
repetitions = "2"
until = { x = 1 }
"#,
        r#"
error[S012]: expected a string, found an integer
 --> test.toml:1:9
  |
1 | title = 3
  |         ^
  |
  = help: write it in quotes: "3"

error[S012]: expected a duration, found an integer
 --> test.toml:3:12
  |
3 | duration = 30
  |            ^^
  |
  = help: write a duration in quotes, such as "10m"

error[S012]: expected a list, found a string
 --> test.toml:4:11
  |
4 | filters = "health"
  |           ^^^^^^^^
  |
  = help: write a list: ["health"]

error[S012]: expected an integer, found a string
 --> test.toml:5:15
  |
5 | repetitions = "2"
  |               ^^^
  |
  = help: write it without quotes: 2

error[S012]: expected "drained", found a table
 --> test.toml:6:9
  |
6 | until = { x = 1 }
  |         ^^^^^^^^^
"#,
    );
}

#[test]
fn a_choice_of_shapes_lists_them() {
    check(
        r#"[workload.web]
arrivals = { process = "at-start", count = 1 }
cpus = []
memory = true
lifetime = { meen = "1m" }
"#,
        r#"
error[S012]: expected a number of CPUs, a table with `choice` or a table with `distribution`, found a list
 --> test.toml:3:8
  |
3 | cpus = []
  |        ^^

error[S012]: expected an amount of memory, a table with `choice` or a table with `distribution`, found a boolean
 --> test.toml:4:10
  |
4 | memory = true
  |          ^^^^
  |
  = help: write an amount of memory in quotes, such as "512MiB"

error[S012]: expected a table with `choice` or a table with `distribution`
 --> test.toml:5:12
  |
5 | lifetime = { meen = "1m" }
  |            ^^^^^^^^^^^^^^^
  |
  = help: did you mean `mean`?
"#,
    );
}

#[test]
fn texts_with_a_grammar_pass_on_the_message_of_their_parser() {
    check_with_own_nodes(
        r#"[run]
duration = "10 min"
warm-up = "30"
sample = "-1s"
[cluster.nodes.db]
cpus = "500m"
memory = "32 gb"
bandwidth = "1Gbps"
[workload.web]
arrivals = { process = "poisson", rate = "2" }
ports = ["80:70000", "1-2:3"]
expose = ["80/icmp"]
restart = "allways"
"#,
        r#"
error[S014]: "10 min" is not a duration
 --> test.toml:2:12
  |
2 | duration = "10 min"
  |            ^^^^^^^^
  |
  = help: write "10m"

error[S014]: "30" is not a duration: the unit is missing
 --> test.toml:3:11
  |
3 | warm-up = "30"
  |           ^^^^
  |
  = help: say the unit: "30s", "30m" or "30h"

error[S014]: a duration cannot be negative, as "-1s" is
 --> test.toml:4:10
  |
4 | sample = "-1s"
  |          ^^^^^

error[S014]: "500m" is not a number of CPUs
 --> test.toml:6:8
  |
6 | cpus = "500m"
  |        ^^^^^^
  |
  = help: write "0.5"

error[S014]: "32 gb" is not an amount of memory
 --> test.toml:7:10
  |
7 | memory = "32 gb"
  |          ^^^^^^^
  |
  = help: write "32GiB", or "32GB" for powers of ten

error[S014]: "1Gbps" is not a bandwidth
 --> test.toml:8:13
  |
8 | bandwidth = "1Gbps"
  |             ^^^^^^^
  |
  = help: write "1Gbit/s"

error[S014]: "2" is not a rate
  --> test.toml:10:42
   |
10 | arrivals = { process = "poisson", rate = "2" }
   |                                          ^^^
   |
   = help: say the unit: "2/s", "2/min" or "2/h"

error[S014]: 70000 in "80:70000" is not a port number
  --> test.toml:11:10
   |
11 | ports = ["80:70000", "1-2:3"]
   |          ^^^^^^^^^^
   |
   = help: ports are numbered from 1 to 65535, without leading zeros

error[S014]: "1-2:3" is a range of ports
  --> test.toml:11:22
   |
11 | ports = ["80:70000", "1-2:3"]
   |                      ^^^^^^^
   |
   = help: list each port by itself

error[S014]: "icmp" in "80/icmp" is not a protocol
  --> test.toml:12:11
   |
12 | expose = ["80/icmp"]
   |           ^^^^^^^^^
   |
   = help: there are tcp, udp and sctp

error[S014]: "allways" is not a restart policy
  --> test.toml:13:11
   |
13 | restart = "allways"
   |           ^^^^^^^^^
   |
   = help: write "no", "always", "on-failure" or "on-failure:5"
"#,
    );
}

#[test]
fn a_near_miss_of_forever() {
    check(
        r#"[workload.web]
arrivals = { process = "at-start", count = 1 }
lifetime = "for ever"
"#,
        r#"
error[S014]: "for ever" is not a duration
 --> test.toml:3:12
  |
3 | lifetime = "for ever"
  |            ^^^^^^^^^^
  |
  = help: did you mean "forever"?
"#,
    );
}

#[test]
fn dates_infinities_and_huge_numbers_are_no_values() {
    check(
        r#"[run]
duration = 2026-01-01
seed = 99999999999999999999999
[cluster]
overcommit = inf
"#,
        r#"
error[S012]: 2026-01-01 is a date or a time of day
 --> test.toml:2:12
  |
2 | duration = 2026-01-01
  |            ^^^^^^^^^^
  |
  = help: a scenario starts at zero: write the time since its start, such as "10m"

error[S012]: 99999999999999999999999 is too large for a whole number
 --> test.toml:3:8
  |
3 | seed = 99999999999999999999999
  |        ^^^^^^^^^^^^^^^^^^^^^^^
  |
  = help: whole numbers have 64 bits

error[S012]: inf is not a number that can be used here
 --> test.toml:5:14
  |
5 | overcommit = inf
  |              ^^^
  |
  = help: write a finite number
"#,
    );
}

#[test]
fn numbers_out_of_range() {
    check(
        r#"[run]
repetitions = 0
seed = -1
[[events]]
at = "1m"
action = "health"
value = 101
nodes = []
[workload.web]
replicas = 5000000000
"#,
        r#"
error[S020]: 0 is too small: the least is 1
 --> test.toml:2:15
  |
2 | repetitions = 0
  |               ^

error[S020]: -1 is too small: the least is 0
 --> test.toml:3:8
  |
3 | seed = -1
  |        ^^

error[S020]: 101 is too large: the most is 100
 --> test.toml:7:9
  |
7 | value = 101
  |         ^^^

error[S020]: `events.0.nodes` is empty
 --> test.toml:8:9
  |
8 | nodes = []
  |         ^^

error[S020]: 5000000000 is too large: the most is 4294967295
  --> test.toml:10:12
   |
10 | replicas = 5000000000
   |            ^^^^^^^^^^
"#,
    );
}

#[test]
fn a_label_is_removed_by_false_only() {
    check(
        r#"[[events]]
at = "1m"
action = "relabel"
nodes = "*"
labels = { a = true, b = 1 }
"#,
        r#"
error[S020]: expected false, found true
 --> test.toml:5:16
  |
5 | labels = { a = true, b = 1 }
  |                ^^^^

error[S012]: expected a string or false, found an integer
 --> test.toml:5:26
  |
5 | labels = { a = true, b = 1 }
  |                          ^
  |
  = help: write it in quotes: "1"
"#,
    );
}
