//! `create`: a new cluster of a discovery service, whose token is printed.

use std::io::{self, Write};

use anyhow::{Context, anyhow};
use tokio::runtime::Builder;

use crate::discovery;

use super::args::CreateArguments;
use super::checks::{Environment, discovery_options};
use super::{Fatal, program_name};

pub fn create(arguments: &CreateArguments, environment: &Environment) -> Result<(), Fatal> {
    if !arguments.arguments.is_empty() {
        return Err(Fatal::Plain(anyhow!(
            "the `create` command takes no arguments. See '{} create --help'.",
            program_name()
        )));
    }
    // Read as every command reads them, which logs its errors.
    let options = discovery_options(&arguments.discovery_opt, arguments.discovery_url.as_ref(), environment)?;
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime
        .context("cannot start to ask for a token")
        .map_err(Fatal::Plain)?;
    let created = runtime.block_on(discovery::create_token(&options));
    let token = created.map_err(|error| Fatal::Plain(error.into()))?;
    writeln!(io::stdout(), "{token}").map_err(|error| Fatal::Plain(error.into()))
}
