//! `create`: a token of the hosted discovery service, which is gone.

use anyhow::anyhow;

use super::args::CreateArguments;
use super::{Fatal, program_name};

pub fn create(arguments: &CreateArguments) -> Result<(), Fatal> {
    if !arguments.arguments.is_empty() {
        return Err(Fatal::Plain(anyhow!(
            "the `create` command takes no arguments. See '{} create --help'.",
            program_name()
        )));
    }
    // The original would try, and fail with an error about the network that does not say why.
    Err(Fatal::Plain(anyhow!(
        "no token can be created: the hosted discovery service was shut down in 2019. Keep the addresses of the \
         cluster in a file (file://path/to/file) or name them ([nodes://]<ip1>:<port>,<ip2>:<port>) instead."
    )))
}
