//! Tells the program what it was built by and how: measurements of different builds are not comparable.

use std::env;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=src/bench/build.rs");
    println!("cargo::rerun-if-env-changed=RUSTC");
    let compiler = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let asked = Command::new(compiler).arg("--version").output();
    let version = asked.ok().and_then(|output| String::from_utf8(output.stdout).ok());
    let version = version.as_deref().map_or("unknown", str::trim);
    let given = |name: &str| env::var(name).unwrap_or_else(|_| "unknown".to_owned());
    println!("cargo::rustc-env=SWARMLAB_RUSTC={version}");
    println!("cargo::rustc-env=SWARMLAB_PROFILE={}", given("PROFILE"));
    println!("cargo::rustc-env=SWARMLAB_TARGET={}", given("TARGET"));
}
