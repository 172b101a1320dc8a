//! JSON objects that arrive one after the other: events, and the progress of pulls and builds.

use std::time::Duration;

use bytes::{Buf, BytesMut};
use http_body_util::BodyExt;
use hyper::body::Incoming;

use crate::net::Address;

use super::CallError;
use super::json::Map;

/// Bytes of one object. The largest are messages of builds, with a few hundred kilobytes.
pub const OBJECT_BYTES_MAX: usize = 4 << 20;

/// Why a stream of objects cannot be read on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// An object without end.
    #[error("an object of more than {OBJECT_BYTES_MAX} bytes")]
    TooLarge,
    /// No object.
    #[error("no JSON object: {0}")]
    Garbled(String),
}

/// Finds objects in bytes that come in pieces of any size, written by lines or back to back.
#[derive(Debug, Default)]
pub struct Decoder {
    buffer: BytesMut,
    /// Bytes of the buffer that have been looked at.
    scanned: usize,
    /// Open braces and brackets at that place.
    depth: usize,
    /// Whether that place is inside a text.
    in_text: bool,
    /// Whether the next byte of that text is escaped.
    escaped: bool,
}

impl Decoder {
    /// Takes the next piece.
    pub fn push(&mut self, piece: &[u8]) {
        self.buffer.extend_from_slice(piece);
    }

    /// The next object that is complete; `None` until more has been pushed.
    ///
    /// # Errors
    ///
    /// Something else than an object, or one that is too large. Nothing can be read after that.
    pub fn next_object(&mut self) -> Result<Option<Map>, DecodeError> {
        if self.scanned == 0 {
            let blank = self.buffer.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
            self.buffer.advance(blank);
            match self.buffer.first() {
                None => return Ok(None),
                Some(b'{') => {}
                Some(other) => return Err(DecodeError::Garbled(format!("begins with byte {other:#04x}"))),
            }
        }
        let Some(end) = self.scan() else {
            return if self.buffer.len() > OBJECT_BYTES_MAX {
                Err(DecodeError::TooLarge)
            } else {
                Ok(None)
            };
        };
        if end > OBJECT_BYTES_MAX {
            return Err(DecodeError::TooLarge);
        }
        let object =
            serde_json::from_slice(&self.buffer[..end]).map_err(|error| DecodeError::Garbled(error.to_string()))?;
        self.buffer.advance(end);
        (self.scanned, self.depth, self.in_text, self.escaped) = (0, 0, false, false);
        Ok(Some(object))
    }

    /// Whether nothing is left of an object that did not end.
    pub fn is_between_objects(&self) -> bool {
        self.buffer.iter().all(u8::is_ascii_whitespace)
    }

    /// Looks for the end of the object that the buffer begins with, every byte once.
    fn scan(&mut self) -> Option<usize> {
        while let Some(byte) = self.buffer.get(self.scanned) {
            self.scanned += 1;
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' if self.in_text => self.escaped = true,
                b'"' => self.in_text = !self.in_text,
                _ if self.in_text => {}
                b'{' | b'[' => self.depth += 1,
                // Brackets of the wrong kind are for the parser to find.
                b'}' | b']' => {
                    self.depth = self.depth.saturating_sub(1);
                    if self.depth == 0 {
                        return Some(self.scanned);
                    }
                }
                _ => {}
            }
        }
        None
    }
}

/// An answer that is read object by object. Dropping it ends the request.
#[derive(Debug)]
pub struct Events {
    address: Address,
    body: Incoming,
    decoder: Decoder,
}

impl Events {
    pub(super) fn new(address: Address, body: Incoming) -> Events {
        Events {
            address,
            body,
            decoder: Decoder::default(),
        }
    }

    /// Waits for the next object, for as long as it takes; `None` when the daemon has ended the stream properly.
    ///
    /// # Errors
    ///
    /// The connection broke, or what came is no object. The stream cannot be read on.
    pub async fn next(&mut self) -> Result<Option<Map>, CallError> {
        loop {
            match self.decoder.next_object() {
                Ok(Some(object)) => return Ok(Some(object)),
                Ok(None) => {}
                Err(error) => return Err(CallError::Garbled(format!("{}: {error}", self.address))),
            }
            match self.body.frame().await {
                Some(Ok(frame)) => {
                    if let Some(piece) = frame.data_ref() {
                        self.decoder.push(piece);
                    }
                }
                Some(Err(error)) => return Err(CallError::broken(&self.address, &error)),
                None if self.decoder.is_between_objects() => return Ok(None),
                None => return Err(CallError::broken(&self.address, &"the stream ended within an object")),
            }
        }
    }

    /// All objects until the end, at most `objects_max` of them, within `patience`.
    ///
    /// # Errors
    ///
    /// As [`Events::next`]; too slow, or too many.
    pub async fn collect(mut self, objects_max: usize, patience: Duration) -> Result<Vec<Map>, CallError> {
        let address = self.address.clone();
        let all = async {
            let mut objects = Vec::new();
            while let Some(object) = self.next().await? {
                if objects.len() == objects_max {
                    return Err(CallError::Garbled(format!(
                        "{address}: more than {objects_max} objects"
                    )));
                }
                objects.push(object);
            }
            Ok(objects)
        };
        tokio::time::timeout(patience, all)
            .await
            .unwrap_or_else(|_| Err(CallError::no_daemon(&address)))
    }
}
