//! The types of the fields of a create request, which daemons insist on: what they are, and what a daemon says of a value
//! of another type. Fields that are not known here are not looked at.

use serde_json::{Number, Value};

use super::json::Map;

/// The type of a value. Names are those that daemons write.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Text(&'static str),
    Flag,
    /// Whole numbers, with their bounds.
    Whole(&'static str, i128, i128),
    /// A text, or several.
    Words,
    /// An object of the given fields.
    Fields(&'static str, &'static str, &'static [Field]),
    /// A list of values of a type; its name.
    List(&'static str, &'static Kind),
    /// An object with values of a type under any keys; its name.
    Table(&'static str, &'static Kind),
}

type Field = (&'static str, Kind);

const TEXT: Kind = Kind::Text("string");
const TEXTS: Kind = Kind::List("[]string", &TEXT);
const LABELS: Kind = Kind::Table("map[string]string", &TEXT);
const NOTHING: Kind = Kind::Fields("struct {}", "", &[]);
const INT: Kind = Kind::Whole("int", i64::MIN as i128, i64::MAX as i128);
const INT64: Kind = Kind::Whole("int64", i64::MIN as i128, i64::MAX as i128);
const UINT64: Kind = Kind::Whole("uint64", 0, u64::MAX as i128);
const UINT16: Kind = Kind::Whole("uint16", 0, u16::MAX as i128);
const SPAN: Kind = Kind::Whole("time.Duration", i64::MIN as i128, i64::MAX as i128);

/// What stands at the top level only.
const CONFIG: &[Field] = &[
    ("Hostname", TEXT),
    ("Domainname", TEXT),
    ("User", TEXT),
    ("AttachStdin", Kind::Flag),
    ("AttachStdout", Kind::Flag),
    ("AttachStderr", Kind::Flag),
    ("ExposedPorts", Kind::Table("nat.PortSet", &NOTHING)),
    ("Tty", Kind::Flag),
    ("OpenStdin", Kind::Flag),
    ("StdinOnce", Kind::Flag),
    ("Env", TEXTS),
    ("Cmd", Kind::Words),
    (
        "Healthcheck",
        Kind::Fields("container.HealthConfig", "HealthConfig", HEALTH),
    ),
    ("ArgsEscaped", Kind::Flag),
    ("Image", TEXT),
    ("Volumes", Kind::Table("map[string]struct {}", &NOTHING)),
    ("WorkingDir", TEXT),
    ("Entrypoint", Kind::Words),
    ("NetworkDisabled", Kind::Flag),
    ("MacAddress", TEXT),
    ("OnBuild", TEXTS),
    ("Labels", LABELS),
    ("StopSignal", TEXT),
    ("StopTimeout", INT),
    ("Shell", Kind::Words),
    ("Cpuset", TEXT),
    ("HostConfig", Kind::Fields("container.HostConfig", "HostConfig", HOST)),
    (
        "NetworkingConfig",
        Kind::Fields("network.NetworkingConfig", "NetworkingConfig", NETWORKING),
    ),
];

const HEALTH: &[Field] = &[
    ("Test", TEXTS),
    ("Interval", SPAN),
    ("Timeout", SPAN),
    ("StartPeriod", SPAN),
    ("Retries", INT),
];

const NETWORKING: &[Field] = &[(
    "EndpointsConfig",
    Kind::Table(
        "map[string]*network.EndpointSettings",
        &Kind::Fields(
            "network.EndpointSettings",
            "EndpointSettings",
            &[
                ("Links", TEXTS),
                ("Aliases", TEXTS),
                ("NetworkID", TEXT),
                ("EndpointID", TEXT),
                ("Gateway", TEXT),
                ("IPAddress", TEXT),
                ("MacAddress", TEXT),
                ("DriverOpts", LABELS),
            ],
        ),
    ),
)];

/// What stands below `HostConfig`; daemons read it at the top level as well.
const HOST: &[Field] = &[
    ("Binds", TEXTS),
    ("ContainerIDFile", TEXT),
    (
        "LogConfig",
        Kind::Fields(
            "container.LogConfig",
            "LogConfig",
            &[("Type", TEXT), ("Config", LABELS)],
        ),
    ),
    ("NetworkMode", Kind::Text("container.NetworkMode")),
    (
        "PortBindings",
        Kind::Table(
            "nat.PortMap",
            &Kind::List(
                "[]nat.PortBinding",
                &Kind::Fields(
                    "nat.PortBinding",
                    "PortBinding",
                    &[("HostIp", TEXT), ("HostPort", TEXT)],
                ),
            ),
        ),
    ),
    (
        "RestartPolicy",
        Kind::Fields(
            "container.RestartPolicy",
            "RestartPolicy",
            &[("Name", TEXT), ("MaximumRetryCount", INT)],
        ),
    ),
    ("AutoRemove", Kind::Flag),
    ("VolumeDriver", TEXT),
    ("VolumesFrom", TEXTS),
    ("CapAdd", Kind::Words),
    ("CapDrop", Kind::Words),
    ("CgroupnsMode", Kind::Text("container.CgroupnsMode")),
    ("Dns", TEXTS),
    ("DnsOptions", TEXTS),
    ("DnsSearch", TEXTS),
    ("ExtraHosts", TEXTS),
    ("GroupAdd", TEXTS),
    ("IpcMode", Kind::Text("container.IpcMode")),
    ("Cgroup", Kind::Text("container.CgroupSpec")),
    ("Links", TEXTS),
    ("OomScoreAdj", INT),
    ("PidMode", Kind::Text("container.PidMode")),
    ("Privileged", Kind::Flag),
    ("PublishAllPorts", Kind::Flag),
    ("ReadonlyRootfs", Kind::Flag),
    ("SecurityOpt", TEXTS),
    ("StorageOpt", LABELS),
    ("Tmpfs", LABELS),
    ("UTSMode", Kind::Text("container.UTSMode")),
    ("UsernsMode", Kind::Text("container.UsernsMode")),
    ("ShmSize", INT64),
    ("Sysctls", LABELS),
    ("Runtime", TEXT),
    ("Isolation", Kind::Text("container.Isolation")),
    ("CpuShares", INT64),
    ("Memory", INT64),
    ("NanoCpus", INT64),
    ("CgroupParent", TEXT),
    ("BlkioWeight", UINT16),
    ("CpuPeriod", INT64),
    ("CpuQuota", INT64),
    ("CpuRealtimePeriod", INT64),
    ("CpuRealtimeRuntime", INT64),
    ("CpusetCpus", TEXT),
    ("CpusetMems", TEXT),
    (
        "Devices",
        Kind::List(
            "[]container.DeviceMapping",
            &Kind::Fields(
                "container.DeviceMapping",
                "DeviceMapping",
                &[
                    ("PathOnHost", TEXT),
                    ("PathInContainer", TEXT),
                    ("CgroupPermissions", TEXT),
                ],
            ),
        ),
    ),
    ("DeviceCgroupRules", TEXTS),
    ("KernelMemory", INT64),
    ("KernelMemoryTCP", INT64),
    ("MemoryReservation", INT64),
    ("MemorySwap", INT64),
    ("MemorySwappiness", INT64),
    ("OomKillDisable", Kind::Flag),
    ("PidsLimit", INT64),
    (
        "Ulimits",
        Kind::List(
            "[]*units.Ulimit",
            &Kind::Fields(
                "units.Ulimit",
                "Ulimit",
                &[("Name", TEXT), ("Hard", INT64), ("Soft", INT64)],
            ),
        ),
    ),
    ("CpuCount", INT64),
    ("CpuPercent", INT64),
    ("IOMaximumIOps", UINT64),
    ("IOMaximumBandwidth", UINT64),
    (
        "Mounts",
        Kind::List(
            "[]mount.Mount",
            &Kind::Fields(
                "mount.Mount",
                "Mount",
                &[("Source", TEXT), ("Target", TEXT), ("ReadOnly", Kind::Flag)],
            ),
        ),
    ),
    ("MaskedPaths", TEXTS),
    ("ReadonlyPaths", TEXTS),
    ("Init", Kind::Flag),
];

/// Where a value is: the struct that it is a field of, and the fields on the way to it.
struct Place<'a> {
    owner: &'static str,
    way: &'a str,
}

/// Whether every known field of a create request has its type; `null` has every type.
///
/// # Errors
///
/// What a daemon says of the first field that has not; its status is 400 since Docker 23.
pub fn check_create(body: &Map) -> Result<(), String> {
    check_fields(body, "ContainerConfigWrapper", "", &[CONFIG, HOST])
}

fn check_fields(map: &Map, owner: &'static str, way: &str, tables: &[&'static [Field]]) -> Result<(), String> {
    for (key, value) in map {
        let mut fields = tables.iter().copied().flatten();
        let Some((name, kind)) = fields.find(|(name, _)| name.eq_ignore_ascii_case(key)) else {
            continue;
        };
        let way = if way.is_empty() {
            (*name).to_owned()
        } else {
            format!("{way}.{name}")
        };
        check(value, *kind, &Place { owner, way: &way })?;
    }
    Ok(())
}

fn check(value: &Value, kind: Kind, place: &Place<'_>) -> Result<(), String> {
    let wrong = |name: &str| Err(place.wrong(value, name));
    match (kind, value) {
        (_, Value::Null) | (Kind::Text(_), Value::String(_)) | (Kind::Flag, Value::Bool(_)) => Ok(()),
        (Kind::Whole(name, least, most), Value::Number(number)) => match whole(number) {
            Some(whole) if (least..=most).contains(&whole) => Ok(()),
            _ => Err(place.told(&format!("number {number}"), name)),
        },
        (Kind::Words, Value::String(_)) => Ok(()),
        (Kind::Words, Value::Array(words)) if words.iter().all(|word| word.is_string() || word.is_null()) => Ok(()),
        (Kind::Fields(_, owner, fields), Value::Object(map)) => check_fields(map, owner, place.way, &[fields]),
        (Kind::List(_, item), Value::Array(list)) => list.iter().try_for_each(|value| check(value, *item, place)),
        (Kind::Table(_, item), Value::Object(map)) => map.values().try_for_each(|value| check(value, *item, place)),
        (Kind::Flag, _) => wrong("bool"),
        (Kind::Words, _) => wrong("string"),
        (
            Kind::Text(name)
            | Kind::Whole(name, ..)
            | Kind::Fields(name, ..)
            | Kind::List(name, _)
            | Kind::Table(name, _),
            _,
        ) => wrong(name),
    }
}

impl Place<'_> {
    fn wrong(&self, value: &Value, name: &str) -> String {
        let kind = match value {
            Value::Null => "null",
            Value::Bool(_) => "bool",
            Value::Number(_) => "number",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
        };
        self.told(kind, name)
    }

    fn told(&self, what: &str, name: &str) -> String {
        let Place { owner, way } = self;
        format!("json: cannot unmarshal {what} into Go struct field {owner}.{way} of type {name}")
    }
}

fn whole(number: &Number) -> Option<i128> {
    number
        .as_i64()
        .map(i128::from)
        .or_else(|| number.as_u64().map(i128::from))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Docker 20.10.24 answered.
    #[test]
    fn values_of_the_wrong_type_are_told_as_daemons_tell_them() {
        for (body, told) in [
            (
                r#"{"Image":1}"#,
                "number into Go struct field ContainerConfigWrapper.Image of type string",
            ),
            (
                r#"{"labels":{"a":1}}"#,
                "number into Go struct field ContainerConfigWrapper.Labels of type string",
            ),
            (
                r#"{"Labels":[]}"#,
                "array into Go struct field ContainerConfigWrapper.Labels of type map[string]string",
            ),
            (
                r#"{"Env":"x"}"#,
                "string into Go struct field ContainerConfigWrapper.Env of type []string",
            ),
            (
                r#"{"Env":[1]}"#,
                "number into Go struct field ContainerConfigWrapper.Env of type string",
            ),
            (
                r#"{"ExposedPorts":[1]}"#,
                "array into Go struct field ContainerConfigWrapper.ExposedPorts of type nat.PortSet",
            ),
            (
                r#"{"ExposedPorts":{"80/tcp":1}}"#,
                "number into Go struct field ContainerConfigWrapper.ExposedPorts of type struct {}",
            ),
            (
                r#"{"HostConfig":"no"}"#,
                "string into Go struct field ContainerConfigWrapper.HostConfig of type container.HostConfig",
            ),
            (
                r#"{"HostConfig":{"Memory":"1g"}}"#,
                "string into Go struct field HostConfig.HostConfig.Memory of type int64",
            ),
            (
                r#"{"HostConfig":{"Memory":1.5}}"#,
                "number 1.5 into Go struct field HostConfig.HostConfig.Memory of type int64",
            ),
            (
                r#"{"HostConfig":{"PortBindings":{"80/tcp":"x"}}}"#,
                "string into Go struct field HostConfig.HostConfig.PortBindings of type []nat.PortBinding",
            ),
            (
                r#"{"HostConfig":{"PortBindings":{"80/tcp":[{"HostPort":80}]}}}"#,
                "number into Go struct field PortBinding.HostConfig.PortBindings.HostPort of type string",
            ),
            (
                r#"{"HostConfig":{"NetworkMode":1}}"#,
                "number into Go struct field HostConfig.HostConfig.NetworkMode of type container.NetworkMode",
            ),
            (
                r#"{"NetworkingConfig":{"EndpointsConfig":{"a":1}}}"#,
                "number into Go struct field NetworkingConfig.NetworkingConfig.EndpointsConfig of type \
                 network.EndpointSettings",
            ),
            (
                r#"{"Cmd":[1]}"#,
                "array into Go struct field ContainerConfigWrapper.Cmd of type string",
            ),
            (
                r#"{"Tty":"x"}"#,
                "string into Go struct field ContainerConfigWrapper.Tty of type bool",
            ),
            (
                r#"{"Memory":"x"}"#,
                "string into Go struct field ContainerConfigWrapper.Memory of type int64",
            ),
            (
                r#"{"HostConfig":{"Ulimits":{}}}"#,
                "object into Go struct field HostConfig.HostConfig.Ulimits of type []*units.Ulimit",
            ),
        ] {
            let map: Map = serde_json::from_str(body).expect("an object");
            assert_eq!(
                check_create(&map),
                Err(format!("json: cannot unmarshal {told}")),
                "{body}"
            );
        }
        for body in [
            r#"{"Image":null,"Labels":{"a":null},"Env":null,"HostConfig":null,"ExposedPorts":{"80/tcp":null}}"#,
            r#"{"Image":"b","Cmd":"x","Entrypoint":["x"],"Env":["A=1"],"Labels":{"a":"1"},"Unknown":1}"#,
            r#"{"HostConfig":{"Memory":1000,"PortBindings":{"80/tcp":[{"HostPort":"80"}]},"Future":[1]},"Volumes":{"/a":{}}}"#,
        ] {
            let map: Map = serde_json::from_str(body).expect("an object");
            assert_eq!(check_create(&map), Ok(()), "{body}");
        }
    }
}
