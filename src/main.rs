//! The program; see the library for everything.

use std::process::ExitCode;

/// A manager in front of a thousand engines does little but read and write JSON, in small pieces of memory.
#[cfg(unix)]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    swarmlab::cli::main()
}
