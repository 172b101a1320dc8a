//! Consul, which Debian has no longer: the package of the last release that had it is fetched from the mirror that the
//! machine uses, and unpacked beside the tests without being installed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{apt_get, find};
use crate::guardian;

/// The last release of Debian with Consul.
const RELEASE: &str = "bullseye";
/// Debian's keys, that of the release among them.
const KEYS: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// Where the program is, or would be.
pub fn consul() -> PathBuf {
    find("consul").unwrap_or_else(|| guardian::parent_path().join("consul/root/usr/bin/consul"))
}

pub(super) fn fetch_consul(apt: &Path, scratch: &Path) -> Result<(), String> {
    let mirror = mirror().ok_or("no mirror of Debian is known")?;
    let place = scratch.join("consul");
    let say = |error: std::io::Error| format!("{}: {error}", place.display());
    for directory in ["lists/partial", "cache/archives/partial", "root"] {
        fs::create_dir_all(place.join(directory)).map_err(say)?;
    }
    let source = format!("deb [signed-by={KEYS}] {mirror} {RELEASE} main\n");
    fs::write(place.join("sources.list"), source).map_err(say)?;
    eprintln!("swarmlab: fetching consul from Debian's {RELEASE} for the tests on real stores");
    let own = [
        format!("-oDir::Etc::sourcelist={}", place.join("sources.list").display()),
        "-oDir::Etc::sourceparts=/dev/null".to_owned(),
        format!("-oDir::State::lists={}", place.join("lists").display()),
        format!("-oDir::Cache={}", place.join("cache").display()),
    ];
    let own: Vec<&str> = own.iter().map(String::as_str).collect();
    apt_get(apt, &[&["update"], own.as_slice()].concat(), scratch)?;
    // It downloads into its cache, checks the signature there, and installs nothing.
    let package = [
        "install",
        "--download-only",
        "--yes",
        "--reinstall",
        "--no-install-recommends",
        "consul",
    ];
    apt_get(apt, &[&package, own.as_slice()].concat(), scratch)?;
    let archives = fs::read_dir(place.join("cache/archives")).map_err(say)?;
    let is_consul = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("consul_") && name.ends_with(".deb")
    };
    let package = archives.filter_map(|entry| Some(entry.ok()?.path())).find(is_consul);
    let package = package.ok_or("the package of consul was not fetched")?;
    let unpacked = Command::new("dpkg-deb")
        .arg("-x")
        .args([package, place.join("root")])
        .stdin(Stdio::null())
        .status();
    match unpacked {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("dpkg-deb ended with {status}")),
        Err(error) => Err(format!("dpkg-deb does not start: {error}")),
    }
}

/// The mirror of Debian from which the machine installs.
fn mirror() -> Option<String> {
    let lists = Path::new("/etc/apt");
    let mut files = vec![lists.join("sources.list")];
    let more = fs::read_dir(lists.join("sources.list.d")).into_iter().flatten();
    files.extend(more.filter_map(|entry| Some(entry.ok()?.path())));
    let texts = files.iter().filter_map(|file| fs::read_to_string(file).ok());
    let words: Vec<String> = texts
        .flat_map(|text| {
            let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
            let words = lines.flat_map(str::split_whitespace).map(str::to_owned);
            words.collect::<Vec<_>>()
        })
        .collect();
    let is_mirror = |word: &&String| word.contains("://") && word.trim_end_matches('/').ends_with("/debian");
    words.iter().find(is_mirror).cloned()
}
