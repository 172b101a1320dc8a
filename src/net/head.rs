//! The head of a request, read before an HTTP library sees the connection.
//!
//! Clients may take over a connection without announcing it, and what is not understood here has to be forwarded byte
//! by byte; so the head is kept exactly as it was received.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use hyper::header::{CONTENT_LENGTH, EXPECT, HeaderMap, HeaderName, HeaderValue, TRANSFER_ENCODING};
use hyper::{Method, Version};
use tokio::io::AsyncReadExt;

use super::{Stream, headers};

/// Header lines of one head, more than any client sends.
pub(super) const HEADERS_MAX: usize = 256;

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

/// The one length that the headers give; `None` if it is no number, or there are several.
pub(super) fn length_of(headers: &HeaderMap) -> Option<u64> {
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    let first = lengths.next()?;
    let digits = first.to_str().ok()?;
    let is_one = lengths.all(|other| other == first) && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_one.then(|| digits.parse().ok()).flatten()
}

impl Head {
    /// The path of the target, without the query.
    pub fn path(&self) -> &str {
        self.target
            .split_once('?')
            .map_or(self.target.as_str(), |(path, _)| path)
    }

    /// The host and port in the target, if that is a whole URL.
    pub fn authority(&self) -> Option<&str> {
        let (_, rest) = self
            .target
            .split_once("://")
            .filter(|_| !self.target.starts_with('/'))?;
        rest.split(['/', '?']).next()
    }

    /// Bytes of the body; `None` if something else than one length says where it ends, or if the client waits to be
    /// asked for it.
    pub fn body_length(&self) -> Option<u64> {
        if self.headers.contains_key(TRANSFER_ENCODING) || self.headers.contains_key(EXPECT) {
            return None;
        }
        match self.headers.contains_key(CONTENT_LENGTH) {
            true => length_of(&self.headers),
            false => Some(0),
        }
    }

    /// Whether the client has more to ask on the same connection.
    pub fn keeps_alive(&self) -> bool {
        match self.version {
            Version::HTTP_10 => headers::has_option(&self.headers, "keep-alive"),
            _ => !headers::has_option(&self.headers, "close"),
        }
    }

    /// Everything received, with other headers.
    pub fn raw_headed(&self, headers: &HeaderMap) -> Bytes {
        let version = match self.version {
            Version::HTTP_10 => "HTTP/1.0",
            _ => "HTTP/1.1",
        };
        let mut raw = BytesMut::from(format!("{} {} {version}\r\n", self.method, self.target).as_bytes());
        headers::write(headers, &mut raw);
        raw.extend_from_slice(&self.raw[self.length..]);
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
