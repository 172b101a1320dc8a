//! What a daemon says about itself.

use crate::docker::json::{self, Map};
use crate::docker::{FactsError, Timestamp, podman};
use crate::model::Labels;

/// A daemon, from its `/info` and `/version`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DaemonFacts {
    /// The daemon's own ID and its address, joined by a bar, so that cloned machines differ.
    pub id: String,
    /// The name of its machine.
    pub name: String,
    /// CPUs of its machine, at least 1.
    pub cpus: u64,
    /// Memory of its machine in bytes, at least 1.
    pub memory: u64,
    /// What is known of the machine (`storagedriver`, `kernelversion`, `operatingsystem`, `ostype`) and the labels that
    /// the daemon was started with.
    pub labels: Labels,
    /// The daemon's version.
    pub version: String,
    /// What its clock said when it answered.
    pub system_time: Option<Timestamp>,
    /// What an operator should know, in sentences: labels that are not used.
    pub warnings: Vec<String>,
}

impl DaemonFacts {
    /// Reads the answers to `/info` and `/version` of the daemon at `address` (`host:port`).
    ///
    /// # Errors
    ///
    /// A daemon without CPUs or memory, which is no daemon, or with a label that is no `key=value`.
    pub fn read(info: &Map, version: &Map, address: &str) -> Result<DaemonFacts, FactsError> {
        let amount = |key| {
            json::number(info, key)
                .and_then(|amount| u64::try_from(amount).ok())
                .unwrap_or_default()
        };
        let (cpus, memory) = (amount("NCPU"), amount("MemTotal"));
        if cpus == 0 || memory == 0 {
            return Err(FactsError::NoResources(address.to_owned()));
        }
        // Podman makes up another ID whenever it is asked, so that its machine has to stand for it.
        let own_id = if podman::is_podman(version) { "Name" } else { "ID" };
        let id = format!("{}|{address}", json::text(info, own_id));
        let mut warnings = Vec::new();
        let labels = labels(info, &id, address, &mut warnings)?;
        let version = match json::text(version, "Version") {
            "" => json::text(info, "ServerVersion"),
            version => version,
        };
        Ok(DaemonFacts {
            name: json::text(info, "Name").to_owned(),
            cpus,
            memory,
            labels,
            version: version.to_owned(),
            system_time: Timestamp::parse(json::text(info, "SystemTime")),
            warnings,
            id,
        })
    }
}

fn labels(info: &Map, id: &str, address: &str, warnings: &mut Vec<String>) -> Result<Labels, FactsError> {
    let known = [
        ("storagedriver", "Driver"),
        ("kernelversion", "KernelVersion"),
        ("operatingsystem", "OperatingSystem"),
        ("ostype", "OSType"),
    ];
    let known = known
        .iter()
        .map(|(label, key)| (*label, json::text(info, key)))
        .filter(|(_, value)| !value.is_empty());
    let mut labels: Labels = known
        .map(|(label, value)| (label.to_owned(), value.to_owned()))
        .collect();
    for label in json::texts(info, "Labels") {
        let Some((key, value)) = label.split_once('=') else {
            let (id, address, label) = (id.to_owned(), address.to_owned(), label.to_owned());
            return Err(FactsError::InvalidLabel { id, address, label });
        };
        // Expressions on `node` are about the daemon's name.
        if key == "node" {
            warnings.push(format!(
                "Engine (ID: {id}, Addr: {address}) contains a label ({label}) with key \"node\", which cannot be used."
            ));
        } else if let Some(kept) = labels.get(key) {
            warnings.push(format!(
                "Engine (ID: {id}, Addr: {address}) contains a label ({label}) whose key already has the value \
                 \"{kept}\", which is kept."
            ));
        } else {
            labels.insert(key.to_owned(), value.to_owned());
        }
    }
    Ok(labels)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(info: serde_json::Value) -> Result<DaemonFacts, FactsError> {
        let version = json!({"Version": "20.10.0"});
        DaemonFacts::read(
            info.as_object().expect("a map"),
            version.as_object().expect("a map"),
            "10.0.0.1:2375",
        )
    }

    #[test]
    fn a_daemon_is_what_it_says() {
        let facts = read(json!({
            "ID": "A", "Name": "node-0", "NCPU": 4, "MemTotal": 8_589_934_592_u64, "Driver": "overlay2",
            "KernelVersion": "5.10", "OperatingSystem": "", "OSType": "linux", "SystemTime": "2026-11-23T04:33:34.5Z",
            "Labels": ["zone=a=b", "node=x", "storagedriver=zz", "zone=c", "empty="]
        }))
        .expect("a daemon");
        let labels = [
            ("empty", ""),
            ("kernelversion", "5.10"),
            ("ostype", "linux"),
            ("storagedriver", "overlay2"),
            ("zone", "a=b"),
        ];
        assert_eq!(
            facts
                .labels
                .iter()
                .map(|(key, value)| (key.as_str(), value.as_str()))
                .collect::<Vec<_>>(),
            labels
        );
        assert_eq!(
            (facts.id.as_str(), facts.name.as_str(), facts.version.as_str()),
            ("A|10.0.0.1:2375", "node-0", "20.10.0")
        );
        assert_eq!((facts.cpus, facts.memory, facts.warnings.len()), (4, 8 << 30, 3));
        assert_eq!(facts.system_time, Timestamp::parse("2026-11-23T04:33:34.5Z"));
    }

    #[test]
    fn a_daemon_that_makes_up_its_id_is_known_by_its_machine() {
        let info = json!({ "ID": "random", "Name": "node-0", "NCPU": 1, "MemTotal": 1 });
        let version = json!({ "Version": "4.3.1", "Components": [{ "Name": "Podman Engine" }] });
        let (info, version) = (info.as_object().expect("a map"), version.as_object().expect("a map"));
        let facts = DaemonFacts::read(info, version, "10.0.0.1:2375").expect("a daemon");
        assert_eq!(facts.id, "node-0|10.0.0.1:2375");
    }

    #[test]
    fn what_is_no_daemon_or_badly_labelled_is_refused() {
        for info in [
            json!({"NCPU": 0, "MemTotal": 1}),
            json!({"NCPU": 1, "MemTotal": 0}),
            json!({}),
            json!({"NCPU": -1, "MemTotal": 1}),
        ] {
            assert_eq!(
                read(info).expect_err("nothing to run on").to_string(),
                "cannot get resources for this engine, make sure 10.0.0.1:2375 is a Docker Engine, not a Swarm manager"
            );
        }
        assert_eq!(
            read(json!({"ID": "A", "NCPU": 1, "MemTotal": 1, "Labels": ["a=b", "foo"]}))
                .expect_err("foo")
                .to_string(),
            "Engine (ID: A|10.0.0.1:2375, Addr: 10.0.0.1:2375) contains an invalid label (foo) \
             not formatted as \"key=value\"."
        );
    }
}
