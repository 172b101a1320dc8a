//! The language of one Docker daemon: its API from the client's side, and what its answers mean.
//!
//! Owns how daemons write and what of it is a fact. Bodies stay maps in which what is not understood survives. Must not
//! know that there are many daemons.
