//! The head of a request, read before an HTTP library sees the connection.
//!
//! Clients may take over a connection without announcing it, and what is not understood here has to be forwarded byte
//! by byte; so the head is kept exactly as it was received.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Version};
use tokio::io::AsyncReadExt;

use super::Stream;

/// Header lines of one head, more than any client sends.
const HEADERS_MAX: usize = 256;

/// How much is read for a head, and how long.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes in which the head must end.
    pub bytes: usize,
    /// Time within which the head must be complete.
    pub patience: Duration,
}

impl Default for Limits {
    /// 64 KiB, as much as the largest registry credentials need with room to spare; 30 seconds.
    fn default() -> Limits {
        Limits {
            bytes: 64 << 10,
            patience: Duration::from_secs(30),
        }
    }
}

/// The head of a request.
#[derive(Clone, Debug)]
pub struct Head {
    /// Its method.
    pub method: Method,
    /// What is asked for, as written: usually a path with its query.
    pub target: String,
    /// HTTP/1.0 or HTTP/1.1.
    pub version: Version,
    /// Its headers.
    pub headers: HeaderMap,
    /// Everything received, with what came after the head.
    pub raw: Bytes,
    /// Bytes of `raw` that are the head, the empty line at its end included.
    pub length: usize,
}

/// Why there is no head.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeadError {
    /// The client closed the connection before it said anything, as clients do that keep connections for later.
    #[error("the connection was closed")]
    Closed,
    /// The client closed the connection in the middle.
    #[error("the connection was closed within the head of a request")]
    Truncated,
    /// No end of the head within the limit.
    #[error("the head of the request is longer than {0} bytes")]
    TooLong(usize),
    /// No end of the head in time.
    #[error("the head of the request took longer than {} ms", .0.as_millis())]
    Timeout(Duration),
    /// Not HTTP/1.
    #[error("not a request of HTTP/1: {0}")]
    Garbled(String),
    /// The connection broke.
    #[error("{0}")]
    Io(String),
}

/// Reads the head of the next request. Whatever was read is in [`Head::raw`], for [`Stream::put_back`] or to be sent
/// on.
///
/// # Errors
///
/// See [`HeadError`]. What was read is lost then.
pub async fn read(stream: &mut Stream, limits: Limits) -> Result<Head, HeadError> {
    match tokio::time::timeout(limits.patience, receive(stream, limits.bytes)).await {
        Ok(outcome) => outcome,
        Err(_) => Err(HeadError::Timeout(limits.patience)),
    }
}

async fn receive(stream: &mut Stream, bytes_max: usize) -> Result<Head, HeadError> {
    let mut raw = BytesMut::with_capacity(4096);
    loop {
        let before = raw.len();
        let received = stream
            .read_buf(&mut raw)
            .await
            .map_err(|error| HeadError::Io(error.to_string()))?;
        if received == 0 {
            return Err(if before == 0 {
                HeadError::Closed
            } else {
                HeadError::Truncated
            });
        }
        // Parsing begins at the first byte each time, so it waits for what can be the end; a client that sends byte by
        // byte would cost much otherwise. The first bytes are looked at to refuse other protocols at once.
        let worthwhile = before == 0 || ends(&raw[before.saturating_sub(2)..]);
        if worthwhile && let Some(head) = parse(&raw)? {
            return Ok(Head {
                raw: raw.freeze(),
                ..head
            });
        }
        if raw.len() >= bytes_max {
            return Err(HeadError::TooLong(bytes_max));
        }
    }
}

/// Whether an empty line is in sight.
fn ends(bytes: &[u8]) -> bool {
    bytes.windows(2).any(|pair| pair == b"\n\n") || bytes.windows(3).any(|three| three == b"\n\r\n")
}

/// The head that `bytes` begin with, without [`Head::raw`]; `None` if it is not complete yet.
///
/// # Errors
///
/// [`HeadError::Garbled`].
pub fn parse(bytes: &[u8]) -> Result<Option<Head>, HeadError> {
    let garbled = |what: &dyn std::fmt::Display| HeadError::Garbled(what.to_string());
    let mut lines = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut request = httparse::Request::new(&mut lines);
    let length = match request.parse(bytes).map_err(|error| garbled(&error))? {
        httparse::Status::Complete(length) => length,
        httparse::Status::Partial => return Ok(None),
    };
    let method = request.method.unwrap_or_default();
    let mut headers = HeaderMap::with_capacity(request.headers.len());
    for line in request.headers.iter() {
        let name = HeaderName::from_bytes(line.name.as_bytes()).map_err(|error| garbled(&error))?;
        let value = HeaderValue::from_bytes(line.value).map_err(|error| garbled(&error))?;
        headers.append(name, value);
    }
    Ok(Some(Head {
        method: Method::from_bytes(method.as_bytes()).map_err(|error| garbled(&error))?,
        target: request.path.unwrap_or_default().to_owned(),
        version: if request.version == Some(0) {
            Version::HTTP_10
        } else {
            Version::HTTP_11
        },
        headers,
        raw: Bytes::new(),
        length,
    }))
}

impl Head {
    /// The path of the target, without the query.
    pub fn path(&self) -> &str {
        self.target
            .split_once('?')
            .map_or(self.target.as_str(), |(path, _)| path)
    }

    /// Everything received, with one more header line.
    pub fn raw_with(&self, name: &HeaderName, value: &HeaderValue) -> Bytes {
        // The head has been parsed, so it has a first line; only empty ones may come before.
        let start = self.raw.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        let line = self.raw[start..].iter().position(|byte| *byte == b'\n');
        let end = line.map_or(start, |line| start + line + 1);
        let mut raw = BytesMut::with_capacity(self.raw.len() + name.as_str().len() + value.len() + 4);
        raw.extend_from_slice(&self.raw[..end]);
        raw.extend_from_slice(name.as_str().as_bytes());
        raw.extend_from_slice(b": ");
        raw.extend_from_slice(value.as_bytes());
        raw.extend_from_slice(b"\r\n");
        raw.extend_from_slice(&self.raw[end..]);
        raw.freeze()
    }

    /// Everything received, asking for `target` instead: all other bytes stay.
    pub fn raw_for(&self, target: &str) -> Bytes {
        // The head has been parsed, so it begins with the method, one space, the target and one space; only empty lines
        // may come first.
        let start = self.raw.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        let start = start + self.method.as_str().len() + 1;
        let end = start + self.target.len();
        if self.raw.get(start..end) != Some(self.target.as_bytes()) {
            return self.raw.clone();
        }
        let mut raw = BytesMut::with_capacity(self.raw.len() + target.len());
        raw.extend_from_slice(&self.raw[..start]);
        raw.extend_from_slice(target.as_bytes());
        raw.extend_from_slice(&self.raw[end..]);
        raw.freeze()
    }
}
