//! Answers that are only read, again and again.

use bytes::Bytes;
use hdrhistogram::Histogram;
use hyper::Method;
use tokio::time::Instant;

use super::Options;
use super::latency::histogram;
use super::worker::{Failure, send};
use crate::net::Client;

/// How long it took to read an answer.
#[derive(Clone, Debug)]
pub struct Reading {
    /// What was asked for.
    pub path: String,
    /// Latencies in nanoseconds, up to the last byte.
    pub latencies_ns: Histogram<u64>,
    /// The size of the last answer.
    pub bytes: u64,
    /// What went wrong first, if anything did.
    pub error: Option<String>,
}

/// Reads an answer so often, one time after the other.
pub async fn read(options: &Options, path: &str, times: u64) -> Reading {
    let client = Client::new(options.target.clone(), None, options.patience);
    let mut reading = Reading {
        path: path.to_owned(),
        latencies_ns: histogram(),
        bytes: 0,
        error: None,
    };
    for _ in 0..times {
        let sent = Instant::now();
        let asked = send(&client, Method::GET, path, None);
        let outcome = tokio::select! {
            () = options.stop.cancelled() => return reading,
            outcome = tokio::time::timeout(options.patience, asked) => outcome,
        };
        match outcome.unwrap_or_else(|_| Err(Failure::no_answer("no answer in time"))) {
            Ok(body) => {
                let nanos = u64::try_from(sent.elapsed().as_nanos()).unwrap_or(u64::MAX);
                reading.latencies_ns.saturating_record(nanos);
                reading.bytes = body.len() as u64;
            }
            Err(error) => {
                reading.error.get_or_insert(error.to_string());
            }
        }
    }
    reading
}

/// Reads an answer once.
///
/// # Errors
///
/// What is wrong, in a line.
pub async fn get(options: &Options, path: &str) -> Result<Bytes, String> {
    let client = Client::new(options.target.clone(), None, options.patience);
    let answer = send(&client, Method::GET, path, None).await;
    answer.map_err(|failure| failure.to_string())
}
