//! What the live commands check alike: where the cluster's addresses are kept, spans, and the address to announce.

use std::collections::BTreeMap;
use std::env;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};

use crate::discovery::{CONSUL_TOKEN_OPTION, PASSWORD_OPTION, URL_OPTION, is_advertisable};
use crate::manager::TlsFiles;

use super::args::TlsArguments;
use super::duration::GoDuration;
use super::{go, program_name};

/// What the environment says about flags that were not given.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    pub debug: bool,
    pub discovery: Option<String>,
    pub discovery_url: Option<String>,
    /// What Consul's own programs read their token from. On a command line, every user of the machine could read it.
    pub consul_token: Option<String>,
    /// The password for a store, for the same reason.
    pub discovery_password: Option<String>,
    pub advertise: Option<String>,
    pub host: Option<String>,
}

impl Environment {
    pub fn read() -> Environment {
        let text = |name| env::var(name).ok().filter(|text| !text.is_empty());
        Environment {
            // What is no truth value counts as none, as in the original.
            debug: text("DEBUG").is_some_and(|text| go::parse_bool(&text).unwrap_or(false)),
            discovery: text("SWARM_DISCOVERY"),
            discovery_url: text("SWARM_DISCOVERY_URL"),
            consul_token: text("CONSUL_HTTP_TOKEN"),
            discovery_password: text("SWARM_DISCOVERY_PASSWORD"),
            advertise: text("SWARM_ADVERTISE"),
            host: text("SWARM_HOST"),
        }
    }
}

/// The discovery URL: the only argument, or what the environment says.
pub fn discovery(arguments: &[String], environment: &Environment, command: &str) -> anyhow::Result<String> {
    let url = match arguments {
        [url] => Some(url),
        _ => environment.discovery.as_ref(),
    };
    if let Some(late) = arguments.iter().skip(1).find(|argument| argument.starts_with('-')) {
        tracing::warn!("{late} stands behind an argument, so it is not read as a flag; flags come first");
    }
    match url {
        Some(url) if !url.is_empty() => Ok(url.clone()),
        _ => bail!(
            "discovery required to {command} a cluster. See '{} {command} --help'.",
            program_name()
        ),
    }
}

/// The values of `--discovery-opt`; the last one with a key counts. Where the service of `token://` is, is one of them,
/// which `--discovery-url` replaces and the environment provides; the latter has Consul's token and a store's
/// password, too.
pub fn discovery_options(
    options: &[String],
    url: Option<&String>,
    environment: &Environment,
) -> anyhow::Result<BTreeMap<String, String>> {
    let mut options: BTreeMap<String, String> = options
        .iter()
        .map(|option| option.split_once('='))
        .map(|pair| pair.map(|(key, value)| (key.to_owned(), value.to_owned())))
        .collect::<Option<_>>()
        .context("--discovery-opt must contain key=value strings")?;
    if let Some(url) = url {
        options.insert(URL_OPTION.to_owned(), url.clone());
    } else if let Some(url) = &environment.discovery_url {
        options.entry(URL_OPTION.to_owned()).or_insert_with(|| url.clone());
    }
    for (option, secret) in [
        (CONSUL_TOKEN_OPTION, &environment.consul_token),
        (PASSWORD_OPTION, &environment.discovery_password),
    ] {
        if let Some(secret) = secret {
            options.entry(option.to_owned()).or_insert_with(|| secret.clone());
        }
    }
    Ok(options)
}

/// The value of a flag that is a span.
pub fn span(flag: &str, text: &str) -> anyhow::Result<GoDuration> {
    // Not as a chain of causes, which would read the same but is not one.
    text.parse()
        .map_err(|error| anyhow::anyhow!("invalid --{flag}: {error}"))
}

/// The same, where it must be above zero.
pub fn positive_span(flag: &str, text: &str) -> anyhow::Result<Duration> {
    match span(flag, text)?.get() {
        Some(span) if !span.is_zero() => Ok(span),
        _ => bail!("--{flag} should be a positive number"),
    }
}

/// The value of `--heartbeat`.
pub fn heartbeat(text: &str) -> anyhow::Result<Duration> {
    match span("heartbeat", text)?.get() {
        Some(span) if span >= Duration::from_secs(1) => Ok(span),
        _ => bail!("--heartbeat should be at least one second"),
    }
}

/// The value of `--ttl`.
pub fn ttl(text: &str, heartbeat: Duration) -> anyhow::Result<Duration> {
    match span("ttl", text)?.get() {
        Some(ttl) if ttl > heartbeat => Ok(ttl),
        _ => bail!("--ttl must be strictly superior to the heartbeat value"),
    }
}

/// The address to announce: the flag, or what the environment says. `missing` is the complaint if there is none.
pub fn advertise(flag: Option<&String>, environment: &Environment, missing: &'static str) -> anyhow::Result<String> {
    let address = flag.or(environment.advertise.as_ref());
    let address = address.filter(|address| !address.is_empty()).context(missing)?;
    match is_advertisable(address) {
        true => Ok(address.clone()),
        false => bail!("--advertise should be of the form ip:port or hostname:port"),
    }
}

/// The files for TLS, if it is wanted.
pub fn tls(arguments: &TlsArguments) -> anyhow::Result<Option<TlsFiles>> {
    let file = |path: &Option<String>| path.as_ref().map(PathBuf::from);
    let (ca, cert, key) = (
        file(&arguments.tlscacert),
        file(&arguments.tlscert),
        file(&arguments.tlskey),
    );
    let verify = arguments.tlsverify;
    if !arguments.tls && !verify {
        if ca.is_some() || cert.is_some() || key.is_some() {
            bail!("--tlscert, --tlskey and --tlscacert require the use of either --tls or --tlsverify");
        }
        return Ok(None);
    }
    let (Some(cert), Some(key)) = (cert, key) else {
        bail!("--tlscert and --tlskey must be provided when using --tls");
    };
    if verify && ca.is_none() {
        bail!("--tlscacert must be provided when using --tlsverify");
    }
    Ok(Some(TlsFiles { ca, cert, key, verify }))
}

/// The value of a flag that is a number above zero.
pub fn count<T: TryFrom<i64>>(flag: &str, value: i64) -> anyhow::Result<T> {
    match T::try_from(value) {
        Ok(count) if value > 0 => Ok(count),
        _ => bail!("--{flag} should be a positive number"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_has_what_no_option_says() {
        let environment = Environment {
            discovery_url: Some("http://h:1".to_owned()),
            consul_token: Some("secret".to_owned()),
            discovery_password: Some("word".to_owned()),
            ..Environment::default()
        };
        let read = |options: &[&str]| {
            let options: Vec<String> = options.iter().map(|option| (*option).to_owned()).collect();
            discovery_options(&options, None, &environment).expect("options")
        };
        let both = read(&[]);
        assert_eq!(both[URL_OPTION], "http://h:1");
        assert_eq!(both[CONSUL_TOKEN_OPTION], "secret");
        assert_eq!(both[PASSWORD_OPTION], "word");
        let other = read(&["kv.token=other", "kv.password=own"]);
        assert_eq!(other[CONSUL_TOKEN_OPTION], "other");
        assert_eq!(other[PASSWORD_OPTION], "own");
    }
}
