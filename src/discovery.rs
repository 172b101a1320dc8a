//! Who is in the cluster: lists of addresses, from wherever they are kept.
//!
//! Owns the forms in which such lists are written. Must not know what the addresses are used for.
