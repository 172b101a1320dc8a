//! `list`: the addresses that the discovery knows.

use std::io::{self, Write};
use std::time::Duration;

use anyhow::{Context, anyhow};
use tokio::runtime::Builder;

use crate::discovery::{self, Discovery, Entry};

use super::Fatal;
use super::args::ListArguments;
use super::checks::{self, Environment, discovery_options, positive_span};

pub fn list(arguments: &ListArguments, environment: &Environment) -> Result<(), Fatal> {
    let url = checks::discovery(&arguments.discovery, environment, "list").map_err(Fatal::Plain)?;
    let timeout = positive_span("timeout", &arguments.timeout).map_err(Fatal::Plain)?;
    // The original reads these where every command does, and that logs its errors.
    let options = discovery_options(&arguments.discovery_opt, arguments.discovery_url.as_ref(), environment)
        .map_err(Fatal::Logged)?;
    let opened = discovery::open(&url, &options);
    let discovery = opened.map_err(|error| Fatal::Plain(error.into()))?;
    let entries = first(discovery, timeout).map_err(Fatal::Plain)?;
    write(&entries).map_err(|error| Fatal::Plain(error.into()))
}

/// The first list.
fn first(discovery: std::sync::Arc<dyn Discovery>, timeout: Duration) -> anyhow::Result<Vec<Entry>> {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start to wait for the list")?;
    runtime.block_on(async {
        let mut lists = discovery.watch(timeout);
        match tokio::time::timeout(timeout, lists.recv()).await {
            Ok(Some(list)) => Ok(list?),
            Ok(None) => Err(anyhow!("the discovery has ended without a list")),
            Err(_) => Err(anyhow!("Timed out")),
        }
    })
}

fn write(entries: &[Entry]) -> io::Result<()> {
    let mut output = io::BufWriter::new(io::stdout().lock());
    for entry in entries {
        writeln!(output, "{entry}")?;
    }
    output.flush()
}
