//! Sockets without opinions: listening and dialling on TCP, Unix sockets and TLS, a look at a request's head, tunnels,
//! and an HTTP client for one address.
//!
//! Owns bytes, sockets and certificates. Must not know Docker, Swarm or scheduling.

mod address;
pub mod answer;
mod body;
mod client;
mod dial;
mod follow;
pub mod guard;
pub mod head;
pub mod headers;
mod limits;
mod listen;
mod stream;
pub mod tls;
mod tunnel;

pub use address::{Address, AddressError};
pub use body::{Body, BoxError, Sender, channel, empty, full, streamed};
pub use client::{Client, SendError};
pub use dial::{DialError, dial, explain};
pub use follow::followed_by;
pub use guard::{Allowed, Guard, Refused};
pub use limits::{LimitError, open_files_allowed, raise_open_files, raise_open_files_at_most};
pub use listen::{Incoming, ListenError, Listener, part};
pub use stream::{Pace, Stream};
pub use tls::Tls;
pub use tunnel::{Moved, keep_behind, tunnel, tunnel_behind_head};
