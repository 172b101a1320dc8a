//! Texts that are not TOML.

use super::{check, check_whole};

#[test]
fn every_syntax_fault_is_reported() {
    check_whole(
        r#"title = "a
duration = 2h
[run
"#,
        r#"
error[S003]: invalid basic string, expected `"`
 --> test.toml:1:11
  |
1 | title = "a
  |           ^

error[S003]: string values must be quoted, expected literal string
 --> test.toml:2:12
  |
2 | duration = 2h
  |            ^^
  |
  = help: strings stand in quotes: "2h"

error[S003]: unclosed table, expected `]`
 --> test.toml:3:5
  |
3 | [run
  |     ^
"#,
    );
}

#[test]
fn a_key_given_twice_is_a_syntax_fault() {
    check(
        r#"[run]
seed = 1
seed = 2
"#,
        r#"
error[S003]: duplicate key
 --> test.toml:3:1
  |
3 | seed = 2
  | ^^^^
"#,
    );
}

#[test]
fn an_unquoted_value_is_shown_in_quotes() {
    check(
        r#"[run]
duration = 5 m # long
"#,
        r#"
error[S003]: string values must be quoted, expected literal string
 --> test.toml:2:12
  |
2 | duration = 5 m # long
  |            ^^^
  |
  = help: strings stand in quotes: "5 m"
"#,
    );
}
