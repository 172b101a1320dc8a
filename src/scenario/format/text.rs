//! Texts with a grammar of their own, and texts out of a list.
//!
//! Each is described once: the parser, the words that complaints use and the entry in the JSON Schema belong together.

use std::borrow::Cow;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use serde_json::Value;

use crate::model::{Bytes, Cpus, PortBinding};
use crate::scenario::docker;
use crate::scenario::units::{self, Bandwidth, Complaint, Rate};
use crate::scheduler::{Filter, Strategy, Strict};
use crate::sim::Restart;

/// Something written in a text with a grammar of its own.
pub(in crate::scenario) trait Humane: Sized {
    /// The `format` in the JSON Schema, by which the parser is found again.
    const FORMAT: &'static str;
    /// The name of the schema's definition.
    const NAME: &'static str;
    /// With its article, as in "expected a duration".
    const NOUN: &'static str;
    /// Valid examples, the most typical first.
    const EXAMPLES: &'static [&'static str];
    /// What a person should know, for the schema.
    const DESCRIPTION: &'static str;
    /// Types of JSON that carry it.
    const TYPES: &'static [&'static str] = &["string"];

    /// Reads it from a text, or from a number written as one.
    fn parse(text: &str) -> Result<Self, Complaint>;
}

/// What a check needs to know of a [`Humane`] type.
#[derive(Clone, Copy)]
pub(in crate::scenario) struct TextFormat {
    /// [`Humane::FORMAT`].
    pub name: &'static str,
    /// [`Humane::NOUN`].
    pub noun: &'static str,
    /// The first of [`Humane::EXAMPLES`].
    pub example: &'static str,
    /// Whether the text can be parsed.
    pub check: fn(&str) -> Result<(), Complaint>,
}

impl TextFormat {
    const fn of<T: Humane>() -> TextFormat {
        TextFormat {
            name: T::FORMAT,
            noun: T::NOUN,
            example: T::EXAMPLES[0],
            check: |text| T::parse(text).map(drop),
        }
    }

    /// Every format there is.
    pub const ALL: [TextFormat; 8] = [
        TextFormat::of::<Duration>(),
        TextFormat::of::<Bytes>(),
        TextFormat::of::<Cpus>(),
        TextFormat::of::<Rate>(),
        TextFormat::of::<Bandwidth>(),
        TextFormat::of::<PortBinding>(),
        TextFormat::of::<ExposedPort>(),
        TextFormat::of::<Restart>(),
    ];

    /// The format of that name.
    pub fn find(name: &str) -> Option<TextFormat> {
        TextFormat::ALL.into_iter().find(|format| format.name == name)
    }
}

/// A value that stands in the file as a text in its own format.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::scenario) struct Text<T>(pub T);

impl<'de, T: Humane> Deserialize<'de> for Text<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Text<T>, D::Error> {
        let text = match Value::deserialize(deserializer)? {
            Value::String(text) => text,
            // The shortest decimal that is this number, which is what was written.
            Value::Number(number) => number_text(&number),
            other => return Err(D::Error::custom(format!("{other} is not {}", T::NOUN))),
        };
        T::parse(&text).map(Text).map_err(D::Error::custom)
    }
}

/// A number in plain decimal notation.
pub(in crate::scenario) fn number_text(number: &serde_json::Number) -> String {
    match number.as_f64() {
        // `Display` of a float never uses an exponent, whereas a JSON number may.
        Some(float) if number.is_f64() => float.to_string(),
        _ => number.to_string(),
    }
}

impl Serialize for Text<Duration> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&units::show_duration(self.0))
    }
}

impl<T: Humane> JsonSchema for Text<T> {
    fn schema_name() -> Cow<'static, str> {
        Cow::Borrowed(T::NAME)
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let types: Value = match T::TYPES {
            [single] => (*single).into(),
            several => several.into(),
        };
        json_schema!({
            "description": T::DESCRIPTION,
            "type": types,
            "format": T::FORMAT,
            "examples": T::EXAMPLES,
        })
    }
}

impl Humane for Duration {
    const FORMAT: &'static str = "duration";
    const NAME: &'static str = "Duration";
    const NOUN: &'static str = "a duration";
    const EXAMPLES: &'static [&'static str] = &["10m", "90s", "1h30m", "250ms", "1.5h", "2d"];
    const DESCRIPTION: &'static str =
        "A span of time: numbers with the units ns, us, ms, s, m, h and d, one after the other.";

    fn parse(text: &str) -> Result<Duration, Complaint> {
        units::duration(text)
    }
}

impl Humane for Bytes {
    const FORMAT: &'static str = "bytes";
    const NAME: &'static str = "Bytes";
    const NOUN: &'static str = "an amount of memory";
    const EXAMPLES: &'static [&'static str] = &["512MiB", "1.5GiB", "100MB", "512m"];
    const DESCRIPTION: &'static str = "An amount of memory or storage: KiB, MiB, GiB and so on are powers of 1024, as are Docker's k, m and g; kB, MB and GB are powers of 1000; a plain number counts bytes.";
    const TYPES: &'static [&'static str] = &["string", "integer"];

    fn parse(text: &str) -> Result<Bytes, Complaint> {
        units::bytes(text)
    }
}

impl Humane for Cpus {
    const FORMAT: &'static str = "cpus";
    const NAME: &'static str = "Cpus";
    const NOUN: &'static str = "a number of CPUs";
    const EXAMPLES: &'static [&'static str] = &["0.25", "2"];
    const DESCRIPTION: &'static str = "A number of CPUs, exact to a billionth; a number or a text.";
    const TYPES: &'static [&'static str] = &["string", "number"];

    fn parse(text: &str) -> Result<Cpus, Complaint> {
        units::cpus(text)
    }
}

impl Humane for Rate {
    const FORMAT: &'static str = "rate";
    const NAME: &'static str = "Rate";
    const NOUN: &'static str = "a rate";
    const EXAMPLES: &'static [&'static str] = &["2/s", "30/min", "5/h", "1/day"];
    const DESCRIPTION: &'static str =
        "How often something happens on average: a number per second, minute, hour or day.";

    fn parse(text: &str) -> Result<Rate, Complaint> {
        units::rate(text)
    }
}

impl Humane for Bandwidth {
    const FORMAT: &'static str = "bandwidth";
    const NAME: &'static str = "Bandwidth";
    const NOUN: &'static str = "a bandwidth";
    const EXAMPLES: &'static [&'static str] = &["1Gbit/s", "100MiB/s", "100MB/s"];
    const DESCRIPTION: &'static str = "A speed of transfer, in bits or bytes per second.";

    fn parse(text: &str) -> Result<Bandwidth, Complaint> {
        units::bandwidth(text)
    }
}

impl Humane for PortBinding {
    const FORMAT: &'static str = "published-port";
    const NAME: &'static str = "PublishedPort";
    const NOUN: &'static str = "a published port";
    const EXAMPLES: &'static [&'static str] = &["8080:80", "127.0.0.1:53:53/udp", "[::1]:80:80", "80"];
    const DESCRIPTION: &'static str =
        "A published port as `docker run -p` takes it: [[ADDRESS:]HOST-PORT:]PORT[/PROTOCOL].";

    fn parse(text: &str) -> Result<PortBinding, Complaint> {
        docker::published_port(text)
    }
}

/// A port that a container exposes, with its protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::scenario) struct ExposedPort(pub String);

impl Humane for ExposedPort {
    const FORMAT: &'static str = "exposed-port";
    const NAME: &'static str = "ExposedPort";
    const NOUN: &'static str = "a port";
    const EXAMPLES: &'static [&'static str] = &["80", "53/udp"];
    const DESCRIPTION: &'static str = "A port as `docker run --expose` takes it: PORT[/PROTOCOL].";

    fn parse(text: &str) -> Result<ExposedPort, Complaint> {
        docker::exposed_port(text).map(ExposedPort)
    }
}

impl Humane for Restart {
    const FORMAT: &'static str = "restart-policy";
    const NAME: &'static str = "RestartPolicy";
    const NOUN: &'static str = "a restart policy";
    const EXAMPLES: &'static [&'static str] = &["no", "always", "on-failure", "on-failure:5"];
    const DESCRIPTION: &'static str = "What happens when a container exits, as `docker run --restart` takes it.";

    fn parse(text: &str) -> Result<Restart, Complaint> {
        docker::restart_policy(text)
    }
}

/// Something chosen from a list of names.
pub(in crate::scenario) trait Listed: Sized {
    /// The name of the schema's definition.
    const NAME: &'static str;
    /// What a person should know, for the schema.
    const DESCRIPTION: &'static str;

    /// The names, each with its meaning.
    fn list() -> Vec<(&'static str, Self)>;
}

/// A value that stands in the file as a name out of a list.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::scenario) struct Named<T>(pub T);

impl<'de, T: Listed> Deserialize<'de> for Named<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Named<T>, D::Error> {
        let text = String::deserialize(deserializer)?;
        let found = T::list().into_iter().find(|(name, _)| *name == text);
        found
            .map(|(_, value)| Named(value))
            .ok_or_else(|| D::Error::custom(format!("unknown name {text:?}")))
    }
}

impl<T: Listed> JsonSchema for Named<T> {
    fn schema_name() -> Cow<'static, str> {
        Cow::Borrowed(T::NAME)
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let names: Vec<&str> = T::list().into_iter().map(|(name, _)| name).collect();
        json_schema!({ "description": T::DESCRIPTION, "type": "string", "enum": names })
    }
}

impl Listed for Strategy {
    const NAME: &'static str = "Strategy";
    const DESCRIPTION: &'static str = "Which of the nodes that may take a container gets it: the emptiest, the fullest, or any. `binpacking` is the same as `binpack`.";

    fn list() -> Vec<(&'static str, Strategy)> {
        let mut list: Vec<_> = Strategy::ALL
            .into_iter()
            .map(|strategy| (strategy.name(), strategy))
            .collect();
        list.push(("binpacking", Strategy::Binpack));
        list
    }
}

impl Listed for Filter {
    const NAME: &'static str = "Filter";
    const DESCRIPTION: &'static str =
        "A rule that says which nodes may take a container. All but `resources` are the original's.";

    fn list() -> Vec<(&'static str, Filter)> {
        Filter::ALL.into_iter().map(|filter| (filter.name(), filter)).collect()
    }
}

/// The name of one of the corrections in [`Strict`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::scenario) struct StrictSetting(pub &'static str);

impl Listed for StrictSetting {
    const NAME: &'static str = "StrictSetting";
    const DESCRIPTION: &'static str = "A correction of something that the original gets wrong.";

    fn list() -> Vec<(&'static str, StrictSetting)> {
        Strict::NAMES
            .into_iter()
            .map(|name| (name, StrictSetting(name)))
            .collect()
    }
}
