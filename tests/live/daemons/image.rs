//! The one image there is: Debian's static busybox under all its names.
//!
//! It is made here, byte for byte the same for every daemon, so that it has one ID in the whole cluster, as an image
//! from a registry would. (`docker import` would give it another one on each daemon.)

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde_json::json;
use sha2::{Digest, Sha256};

use crate::{guardian, programs};

/// How the image is called everywhere.
pub const NAME: &str = "busybox:latest";

const EPOCH: &str = "2020-01-01T00:00:00Z";

/// The image in the form that `docker load` reads.
pub fn archive() -> &'static Path {
    static ARCHIVE: OnceLock<PathBuf> = OnceLock::new();
    ARCHIVE.get_or_init(make)
}

fn make() -> PathBuf {
    let place = guardian::laboratory().expect("in the laboratory").join("image");
    let root = place.join("root");
    for directory in ["bin", "etc", "root", "tmp", "usr", "var"] {
        fs::create_dir_all(root.join(directory)).expect("a directory of the image");
    }
    let busybox = programs::find("busybox").expect("busybox was installed");
    fs::copy(&busybox, root.join("bin/busybox")).expect("busybox is copied");
    let listed = Command::new(&busybox).arg("--list").output().expect("busybox starts");
    for name in String::from_utf8_lossy(&listed.stdout)
        .lines()
        .filter(|name| *name != "busybox")
    {
        symlink("busybox", root.join("bin").join(name)).expect("a link in the image");
    }
    fs::write(
        root.join("etc/passwd"),
        "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n",
    )
    .expect("users of the image");
    fs::write(root.join("etc/group"), "root:x:0:\nnobody:x:65534:\n").expect("groups of the image");

    let whole = place.join("whole");
    fs::create_dir_all(whole.join("layer")).expect("a directory");
    tar(&root, &whole.join("layer/layer.tar"), &["."]);
    let layer = hex(&fs::read(whole.join("layer/layer.tar")).expect("the layer"));
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    let configuration = json!({
        "architecture": architecture,
        "os": "linux",
        "created": EPOCH,
        "config": { "Cmd": ["sh"], "Env": ["PATH=/bin"] },
        "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{layer}")] },
        "history": [{ "created": EPOCH, "created_by": "busybox-static" }],
    })
    .to_string();
    let name = format!("{}.json", hex(configuration.as_bytes()));
    fs::write(whole.join(&name), configuration).expect("the configuration");
    let manifest = json!([{ "Config": name, "RepoTags": [NAME], "Layers": ["layer/layer.tar"] }]);
    fs::write(whole.join("manifest.json"), manifest.to_string()).expect("the manifest");
    let archive = place.join("busybox.tar");
    tar(&whole, &archive, &["manifest.json", &name, "layer"]);
    archive
}

fn tar(directory: &Path, archive: &Path, names: &[&str]) {
    let status = Command::new("tar")
        .args([
            "--sort=name",
            "--mtime=@0",
            "--owner=0",
            "--group=0",
            "--numeric-owner",
            "--mode=u=rwX,go=rX",
        ])
        .args(["--format=gnu", "-cf"])
        .arg(archive)
        .arg("-C")
        .arg(directory)
        .args(names)
        .status()
        .expect("tar starts");
    assert!(status.success(), "tar of {}", directory.display());
}

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
