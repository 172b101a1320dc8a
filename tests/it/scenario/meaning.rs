//! Keys that exclude each other, names that refer to nothing, and what is doubted.

use super::{check, check_with_own_nodes};

#[test]
fn keys_that_exclude_each_other() {
    check_with_own_nodes(
        r#"[cluster.nodes.db]
cpus = 1
memory = "1GiB"
slots = 3
labels = { containerslots = "3" }
[images.a]
size = "1MiB"
layers = { base = "1MiB" }
[images.b]
layers = { base = "1MiB" }
[images.c]
layers = { base = "2MiB" }
[workload.web]
arrivals = { process = "at-start", count = 1 }
trace = { format = "csv", file = "missing.csv" }
[[events]]
at = "1m"
action = "fail"
mtbf = "1h"
nodes = "db-1"
"#,
        r#"
error[S021]: `slots` sets the label `containerslots`, which is given as well
 --> test.toml:4:9
  |
4 | slots = 3
  |         ^

error[S021]: `size` and `layers` exclude each other
 --> test.toml:7:8
  |
7 | size = "1MiB"
  |        ^^^^^^

error[S021]: another image says that the layer `base` has 1MiB
  --> test.toml:12:19
   |
12 | layers = { base = "2MiB" }
   |                   ^^^^^^
   |
   = help: layers of the same name are the same layer; give this one another name

error[S021]: `arrivals` and `trace` exclude each other
  --> test.toml:14:1
   |
14 | arrivals = { process = "at-start", count = 1 }
   | ^^^^^^^^
   |
   = help: the trace says it for each container

error[S040]: there is no file missing.csv
  --> test.toml:15:34
   |
15 | trace = { format = "csv", file = "missing.csv" }
   |                                  ^^^^^^^^^^^^^

error[S011]: the key `mttr` is missing in `events.0`
  --> test.toml:16:1
   |
16 | [[events]]
   | ^^^^^^^^^^
   |
   = help: say how long a failure lasts: mttr = "10m"

error[S021]: `at` and `mtbf` exclude each other
  --> test.toml:17:1
   |
17 | at = "1m"
   | ^^
   |
   = help: failures are either at a given time or random
"#,
    );
}

#[test]
fn missing_alternatives() {
    check_with_own_nodes(
        r#"[cluster.nodes.db]
cpus = 1
[images.a]
[workload.web]
replicas = 2
[[events]]
action = "drain"
nodes = "db-1"
"#,
        r#"
error[S011]: the key `memory` is missing in `cluster.nodes.db`
 --> test.toml:1:1
  |
1 | [cluster.nodes.db]
  | ^^^^^^^^^^^^^^^^^^
  |
  = help: say what each node has: memory = "32GiB"

error[S011]: the key `size` is missing in `images.a`
 --> test.toml:3:1
  |
3 | [images.a]
  | ^^^^^^^^^^
  |
  = help: say how large it is: size = "140MiB", or give its `layers`

error[S011]: the key `arrivals` is missing in `workload.web`
 --> test.toml:4:1
  |
4 | [workload.web]
  | ^^^^^^^^^^^^^^
  |
  = help: say when containers are asked for: arrivals = { process = "poisson", rate = "2/s" }, or give a `trace`

error[S011]: the key `at` is missing in `events.0`
 --> test.toml:6:1
  |
6 | [[events]]
  | ^^^^^^^^^^
  |
  = help: say when it happens: at = "10m"
"#,
    );
}

#[test]
fn dangling_containers() {
    check(
        r#"[workload.web]
arrivals = { process = "at-start", count = 1 }
links = ["appp-1:x", "app-4", "app-3:y", "app", "web-1"]
volumes-from = ["app-{index}:ro", "app-01"]
network = "container:zebra-1"
"#,
        r#"
error[S022]: no container is ever named `appp-1`
 --> test.toml:3:10
  |
3 | links = ["appp-1:x", "app-4", "app-3:y", "app", "web-1"]
  |          ^^^^^^^^^^
  |
  = help: the containers of class `app` are named `app-1`, `app-2` and so on

error[S022]: class `app` has only 3 containers
 --> test.toml:3:22
  |
3 | links = ["appp-1:x", "app-4", "app-3:y", "app", "web-1"]
  |                      ^^^^^^^
  |
  = help: they are named `app-1` to `app-3`

error[S022]: no container is ever named `app`
 --> test.toml:3:42
  |
3 | links = ["appp-1:x", "app-4", "app-3:y", "app", "web-1"]
  |                                          ^^^^^
  |
  = help: the containers of class `app` are named `app-1`, `app-2` and so on

error[S022]: `web-1` is of the same class
 --> test.toml:3:49
  |
3 | links = ["appp-1:x", "app-4", "app-3:y", "app", "web-1"]
  |                                                 ^^^^^^^
  |
  = help: a container cannot depend on its own class: the first one would wait for itself

error[S022]: no container is ever named `app-01`
 --> test.toml:4:35
  |
4 | volumes-from = ["app-{index}:ro", "app-01"]
  |                                   ^^^^^^^^
  |
  = help: the containers of class `app` are named `app-1`, `app-2` and so on

error[S022]: no container is ever named `zebra-1`
 --> test.toml:5:11
  |
5 | network = "container:zebra-1"
  |           ^^^^^^^^^^^^^^^^^^^
  |
  = help: containers are named CLASS-1, CLASS-2 and so on, and the classes are `app` and `web`
"#,
    );
}

#[test]
fn dangling_nodes() {
    check(
        r#"[[events]]
at = "1m"
action = "drain"
nodes = "wbe-1"
[[events]]
at = "1m"
action = "drain"
nodes = ["web-1", "db-*"]
[[events]]
at = "1m"
action = "drain"
nodes = { group = "wbe" }
[[events]]
at = "1m"
action = "drain"
nodes = { label = "zoen" }
[[events]]
at = "1m"
action = "drain"
nodes = { label = "zone", value = "x*" }
"#,
        r#"
error[S022]: there is no node "wbe-1"
 --> test.toml:4:9
  |
4 | nodes = "wbe-1"
  |         ^^^^^^^
  |
  = help: did you mean `web-1`?

error[S022]: no node's name matches "db-*"
 --> test.toml:8:19
  |
8 | nodes = ["web-1", "db-*"]
  |                   ^^^^^^
  |
  = help: there are `web-1`, `web-2` and `web-3`

error[S022]: there is no group `wbe`
  --> test.toml:12:19
   |
12 | nodes = { group = "wbe" }
   |                   ^^^^^
   |
   = help: did you mean `web`?

error[S022]: no node has a label `zoen`
  --> test.toml:16:19
   |
16 | nodes = { label = "zoen" }
   |                   ^^^^^^
   |
   = help: did you mean `zone`?

error[S022]: no node has the label `zone` with a value like "x*"
  --> test.toml:20:35
   |
20 | nodes = { label = "zone", value = "x*" }
   |                                   ^^^^
   |
   = help: there is only `a`
"#,
    );
}

#[test]
fn names_given_twice() {
    check(
        r#"[run]
strategies = ["binpack", "binpacking"]
[cluster.nodes.db]
count = 2
name = "same"
cpus = 1
memory = "1GiB"
[cluster.nodes.more]
name = "web-1"
cpus = 1
memory = "1GiB"
"#,
        r#"
error[S023]: the strategy `binpack` is there twice
 --> test.toml:2:26
  |
2 | strategies = ["binpack", "binpacking"]
  |                          ^^^^^^^^^^^^

error[S023]: all 2 nodes would be named "same"
 --> test.toml:5:8
  |
5 | name = "same"
  |        ^^^^^^
  |
  = help: add the number of the node: "same-{index}"

error[S023]: a node of group `more` is named "web-1" as well
  --> test.toml:12:16
   |
12 | [cluster.nodes.web]
   |                ^^^
   |
   = help: give the nodes of a group a name of their own: name = "web-{index}"
"#,
    );
}

#[test]
fn reschedule_policies_are_refused_at_once() {
    check(
        r#"[workload.web]
arrivals = { process = "at-start", count = 1 }
env = ["reschedule:sometimes"]
[workload.db]
arrivals = { process = "at-start", count = 1 }
env = ["reschedule:off"]
reschedule = "off"
"#,
        r#"
error[S020]: invalid reschedule policy: sometimes
 --> test.toml:3:8
  |
3 | env = ["reschedule:sometimes"]
  |        ^^^^^^^^^^^^^^^^^^^^^^
  |
  = help: there are "off" and "on-node-failure", and only one of them can be asked for

error[S020]: too many reschedule policies
 --> test.toml:6:8
  |
6 | env = ["reschedule:off"]
  |        ^^^^^^^^^^^^^^^^
  |
  = help: there are "off" and "on-node-failure", and only one of them can be asked for
"#,
    );
}

#[test]
fn doubts() {
    check(
        r#"[images."nginx:1.27"]
size = "140MiB"
[workload.web]
arrivals = { process = "at-start", count = 1 }
image = "nginx:1.72"
cpus = 9
memory = "17GiB"
constraints = ["zoen==a", "zone=a", "n==x", "rack==~1"]
labels = { "com.docker.swarm.affinities" = "x" }
resources = { gpu = 1 }
start = "3h"
[run]
duration = "2h"
[cluster.nodes.spare]
cpus = 1
memory = "1GiB"
present = false
"#,
        r#"
warning[S102]: the image "nginx:1.72" is not listed in [images], so that its pull takes no time
 --> test.toml:5:9
  |
5 | image = "nginx:1.72"
  |         ^^^^^^^^^^^^
  |
  = help: did you mean "nginx:1.27"?

warning[S103]: no node offers more than 8 CPUs, overcommitment included
 --> test.toml:6:8
  |
6 | cpus = 9
  |        ^

warning[S103]: no node offers more than 16.79GiB, overcommitment included
 --> test.toml:7:10
  |
7 | memory = "17GiB"
  |          ^^^^^^^

warning[S102]: no node has a label `zoen`
 --> test.toml:8:16
  |
8 | constraints = ["zoen==a", "zone=a", "n==x", "rack==~1"]
  |                ^^^^^^^^^
  |
  = help: did you mean `zone`?

warning[S101]: the scheduler rejects every request with this constraint: One of operator ==, != is expected
 --> test.toml:8:27
  |
8 | constraints = ["zoen==a", "zone=a", "n==x", "rack==~1"]
  |                           ^^^^^^^^
  |
  = help: expressions have the form KEY==VALUE or KEY!=VALUE, a soft one KEY==~VALUE

warning[S101]: the scheduler rejects every request with this constraint: Key 'n' is invalid
 --> test.toml:8:37
  |
8 | constraints = ["zoen==a", "zone=a", "n==x", "rack==~1"]
  |                                     ^^^^^^
  |
  = help: expressions have the form KEY==VALUE or KEY!=VALUE, a soft one KEY==~VALUE

warning[S104]: the scheduler ignores a label that is no JSON list
 --> test.toml:9:44
  |
9 | labels = { "com.docker.swarm.affinities" = "x" }
  |                                            ^^^
  |
  = help: write it like this: '["zone==a"]'

warning[S104]: no filter looks at the resource `gpu`
  --> test.toml:10:21
   |
10 | resources = { gpu = 1 }
   |                     ^
   |
   = help: add "resources" to the `filters` of [run]

warning[S104]: the run ends before this class starts
  --> test.toml:11:9
   |
11 | start = "3h"
   |         ^^^^

warning[S104]: the nodes of this group never join the cluster
  --> test.toml:14:1
   |
14 | [cluster.nodes.spare]
   | ^^^^^^^^^^^^^^^^^^^^^
   |
   = help: add an event with `action = "join"`, or remove `present`
"#,
    );
}
