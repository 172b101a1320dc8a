//! Sockets without opinions: listening and dialling on TCP, Unix sockets and TLS, a look at a request's head, tunnels, and
//! an HTTP client for one address.
//!
//! Owns bytes, sockets and certificates. Must not know Docker, Swarm or scheduling.
