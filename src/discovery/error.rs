//! What can be wrong with a list of addresses or with the place where it is kept.

use std::io;

use super::entry::EntryError;
use super::file::FILE_BYTES_MAX;
use super::range::{ENTRIES_MAX, ENTRY_BYTES_MAX};
use super::store::StoreError;
use super::token::TokenError;
use crate::net::tls::TlsError;

/// Why there is no list, or no registration.
#[derive(Debug, thiserror::Error)]
pub enum DiscoveryError {
    /// The scheme of the URL is none that is known.
    #[error("discovery service not supported")]
    NotSupported,
    /// The scheme is known, but nothing stands behind it.
    #[error("{0}:// discovery is not built in yet; use file://<path> or [nodes://]<ip1>:<port>,<ip2>:<port>")]
    NotBuiltIn(&'static str),
    /// `consul://` with more than one host.
    #[error("consul does not support multiple endpoints")]
    ManyEndpoints,
    /// The address of a store is none.
    #[error("{0} is no address of a store: {1}")]
    Endpoint(String, String),
    /// The value of an option cannot be used.
    #[error("--discovery-opt {0}: {1}")]
    Option(&'static str, String),
    /// One of the files that TLS needs is not named, though others are.
    #[error(
        "--discovery-opt {0} is missing: TLS needs kv.cacertfile, and to show a certificate both kv.certfile and \
         kv.keyfile"
    )]
    FileMissing(&'static str),
    /// The certificates for a store cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// A store does not do what it is asked for.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A discovery service does not do what it is asked for, or none is named.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// A list that is to be kept when it turns empty has done so.
    #[error("the store no longer has any of {0} addresses; they are kept as long as it is empty (kv.keep-when-empty)")]
    TurnedEmpty(usize),
    /// The list is not one that others can add to.
    #[error("not implemented in this discovery service")]
    CannotRegister,
    /// One entry is not of the form `host:port`, which makes the whole list void.
    #[error(transparent)]
    Entry(#[from] EntryError),
    /// The same in the URL itself, where a forgotten scheme is the usual cause.
    #[error("{0}, please check you are using the correct discovery (missing token:// ?)")]
    Nodes(EntryError),
    /// More entries than are taken in.
    #[error("the list has more than {ENTRIES_MAX} entries, the most that are taken in; is a range mistyped?")]
    TooManyEntries,
    /// An entry that is longer than any host name.
    #[error("an entry of the list has more than {ENTRY_BYTES_MAX} bytes, the most that are taken in")]
    EntryTooLong,
    /// The file cannot be read.
    #[error("failed to read '{path}': {source}")]
    Unreadable {
        /// The file.
        path: String,
        /// What the system says.
        source: io::Error,
    },
    /// The file is larger than any sensible list.
    #[error("failed to read '{path}': it has more than {FILE_BYTES_MAX} bytes, the most that are read")]
    FileTooLarge {
        /// The file.
        path: String,
    },
}
