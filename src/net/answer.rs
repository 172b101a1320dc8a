//! The head of an answer, read without an HTTP library, which would not let go of a connection that the answer takes
//! over; and the passing on of a body to its end (RFC 9112, section 6.3).

use std::io;

use bytes::{Bytes, BytesMut};
use hyper::StatusCode;
use hyper::header::{CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue, TRANSFER_ENCODING};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::Stream;
use super::head::{HEADERS_MAX, HeadError, length_of};

/// Bytes in which the head of an answer must end.
const HEAD_BYTES: usize = 64 << 10;
/// Bytes of a body that are passed on at a time.
const PIECE_BYTES: usize = 16 << 10;

/// How the body of an answer ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// After so many bytes.
    Length(u64),
    /// With the last chunk.
    Chunked,
    /// With the connection.
    Close,
}

/// The head of an answer to a request that is neither HEAD nor CONNECT.
#[derive(Clone, Debug)]
pub struct AnswerHead {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// How its body ends.
    pub ending: Ending,
    /// Everything received, with what came after the head.
    pub raw: Bytes,
    /// Bytes of `raw` that are the head, the empty line at its end included.
    pub length: usize,
}

impl AnswerHead {
    /// Whether the connection is from now on one of another protocol: the peer agrees to that, or it answers with
    /// success and a body that only the end of the connection ends.
    pub fn takes_over(&self) -> bool {
        match self.status {
            StatusCode::SWITCHING_PROTOCOLS => true,
            status => status.is_success() && self.ending == Ending::Close,
        }
    }

    /// What came after the head.
    pub fn rest(&self) -> Bytes {
        self.raw.slice(self.length..)
    }
}

/// Reads the head of an answer. Those that say that another one follows are left out.
///
/// # Errors
///
/// See [`HeadError`]. What was read is lost then.
pub async fn read(stream: &mut Stream) -> Result<AnswerHead, HeadError> {
    let mut raw = BytesMut::with_capacity(4096);
    loop {
        while let Some(head) = parse(&raw)? {
            if head.status.is_informational() && head.status != StatusCode::SWITCHING_PROTOCOLS {
                let _ = raw.split_to(head.length);
                continue;
            }
            let raw = raw.freeze();
            return Ok(AnswerHead { raw, ..head });
        }
        if raw.len() >= HEAD_BYTES {
            return Err(HeadError::TooLong(HEAD_BYTES));
        }
        let received = stream.read_buf(&mut raw).await;
        match received.map_err(|error| HeadError::Io(error.to_string()))? {
            0 if raw.is_empty() => return Err(HeadError::Closed),
            0 => return Err(HeadError::Truncated),
            _ => {}
        }
    }
}

/// The head that `bytes` begin with, without [`AnswerHead::raw`]; `None` if it is not complete yet.
fn parse(bytes: &[u8]) -> Result<Option<AnswerHead>, HeadError> {
    let garbled = |what: &dyn std::fmt::Display| HeadError::Garbled(what.to_string());
    let mut lines = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut answer = httparse::Response::new(&mut lines);
    let length = match answer.parse(bytes).map_err(|error| garbled(&error))? {
        httparse::Status::Complete(length) => length,
        httparse::Status::Partial => return Ok(None),
    };
    let status = StatusCode::from_u16(answer.code.unwrap_or_default()).map_err(|error| garbled(&error))?;
    let mut headers = HeaderMap::with_capacity(answer.headers.len());
    for line in answer.headers.iter() {
        let name = HeaderName::from_bytes(line.name.as_bytes()).map_err(|error| garbled(&error))?;
        let value = HeaderValue::from_bytes(line.value).map_err(|error| garbled(&error))?;
        headers.append(name, value);
    }
    let ending = ending(status, &headers).ok_or_else(|| garbled(&"its length is none"))?;
    Ok(Some(AnswerHead {
        status,
        headers,
        ending,
        raw: Bytes::new(),
        length,
    }))
}

fn ending(status: StatusCode, headers: &HeaderMap) -> Option<Ending> {
    if matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
        return Some(Ending::Length(0));
    }
    if let Some(codings) = headers.get_all(TRANSFER_ENCODING).iter().next_back() {
        let last = codings.to_str().ok()?.rsplit(',').next()?.trim();
        return Some(match last.eq_ignore_ascii_case("chunked") {
            true => Ending::Chunked,
            false => Ending::Close,
        });
    }
    match headers.contains_key(CONTENT_LENGTH) {
        true => length_of(headers).map(Ending::Length),
        false => Some(Ending::Close),
    }
}

/// Passes the body of an answer on, as it is, to its end.
///
/// # Errors
///
/// A side that breaks off, and chunks that are none.
pub async fn pass_body(head: &AnswerHead, from: &mut Stream, to: &mut Stream) -> io::Result<()> {
    let mut left = Left::of(head.ending);
    let mut piece = head.rest();
    loop {
        let taken = left.take(&piece)?;
        to.write_all(&piece[..taken]).await?;
        if left.is_none() {
            return to.flush().await;
        }
        let mut next = BytesMut::with_capacity(PIECE_BYTES);
        if from.read_buf(&mut next).await? == 0 {
            return match head.ending {
                Ending::Close => to.flush().await,
                Ending::Length(_) | Ending::Chunked => Err(io::ErrorKind::UnexpectedEof.into()),
            };
        }
        // What has arrived leaves, also if nothing follows it for long.
        to.flush().await?;
        piece = next.freeze();
    }
}

/// What is still to come of a body.
#[derive(Clone, Copy, Debug)]
enum Left {
    Bytes(u64),
    Chunks(Chunk),
    Everything,
}

/// Where in a chunked body the next byte is.
#[derive(Clone, Copy, Debug)]
enum Chunk {
    /// In the size of a chunk; how many digits there were.
    Size(u64, u8),
    /// Between a size and the end of its line.
    Extension(u64),
    /// In the data, or the two bytes at its end.
    Data(u64),
    /// In a line after the last chunk; whether it has anything in it.
    Trailer(bool),
    Done,
}

impl Left {
    fn of(ending: Ending) -> Left {
        match ending {
            Ending::Length(length) => Left::Bytes(length),
            Ending::Chunked => Left::Chunks(Chunk::Size(0, 0)),
            Ending::Close => Left::Everything,
        }
    }

    fn is_none(self) -> bool {
        matches!(self, Left::Bytes(0) | Left::Chunks(Chunk::Done))
    }

    /// How many of the bytes belong to the body.
    fn take(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Left::Everything => Ok(bytes.len()),
            Left::Bytes(left) => {
                let taken = usize::try_from(*left).map_or(bytes.len(), |left| left.min(bytes.len()));
                *left -= taken as u64;
                Ok(taken)
            }
            Left::Chunks(chunk) => {
                let mut at = 0;
                while at < bytes.len() && !matches!(chunk, Chunk::Done) {
                    at += chunk.step(&bytes[at..])?;
                }
                Ok(at)
            }
        }
    }
}

impl Chunk {
    /// Goes on by some of the bytes, of which there is one at least; gives how many.
    fn step(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let wrong = || io::Error::new(io::ErrorKind::InvalidData, "a chunk of the body has no size");
        let byte = bytes[0];
        *self = match *self {
            Chunk::Size(size, digits) => match (char::from(byte).to_digit(16), byte) {
                // Fifteen digits of four bits, so that nothing overflows, not even with the end of the data.
                (Some(digit), _) if digits < 15 => Chunk::Size(size * 16 + u64::from(digit), digits + 1),
                (None, b'\n') if digits > 0 => Chunk::after(size),
                (None, b';' | b'\r' | b' ' | b'\t') if digits > 0 => Chunk::Extension(size),
                _ => return Err(wrong()),
            },
            Chunk::Extension(size) if byte == b'\n' => Chunk::after(size),
            Chunk::Extension(size) => Chunk::Extension(size),
            Chunk::Data(left) => {
                let taken = usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len()));
                *self = match left - taken as u64 {
                    0 => Chunk::Size(0, 0),
                    left => Chunk::Data(left),
                };
                return Ok(taken);
            }
            Chunk::Trailer(false) if byte == b'\n' => Chunk::Done,
            Chunk::Trailer(_) if byte == b'\n' => Chunk::Trailer(false),
            Chunk::Trailer(full) => Chunk::Trailer(full || byte != b'\r'),
            Chunk::Done => return Ok(0),
        };
        Ok(1)
    }

    fn after(size: u64) -> Chunk {
        match size {
            0 => Chunk::Trailer(false),
            size => Chunk::Data(size + 2),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_agreement_and_bodies_without_end_take_a_connection_over() {
        for (head, ending, takes_over) in [
            ("101 UPGRADED\r\nUpgrade: tcp", Ending::Close, true),
            (
                "200 OK\r\nContent-Type: application/vnd.docker.raw-stream",
                Ending::Close,
                true,
            ),
            ("200 OK\r\nContent-Length: 0", Ending::Length(0), false),
            ("200 OK\r\nTransfer-Encoding: gzip, chunked", Ending::Chunked, false),
            ("204 No Content", Ending::Length(0), false),
            ("404 Not Found\r\nContent-Length: 7", Ending::Length(7), false),
            ("404 Not Found", Ending::Close, false),
            (
                "500 Oh\r\nContent-Length: 7\r\nContent-Length: 7",
                Ending::Length(7),
                false,
            ),
        ] {
            let parsed = parse(format!("HTTP/1.1 {head}\r\n\r\n").as_bytes())
                .expect(head)
                .expect(head);
            assert_eq!((parsed.ending, parsed.takes_over()), (ending, takes_over), "{head}");
        }
        for head in [
            "200 OK\r\nContent-Length: 7\r\nContent-Length: 8",
            "200 OK\r\nContent-Length: +7",
        ] {
            assert!(parse(format!("HTTP/1.1 {head}\r\n\r\n").as_bytes()).is_err(), "{head}");
        }
    }

    proptest! {
        #[test]
        fn a_chunked_body_ends_where_it_ends(
            chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 0..5),
            trailer in "(X-A: b\r\n)?",
            piece in 1..9_usize,
        ) {
            let mut body = Vec::new();
            for chunk in &chunks {
                body.extend_from_slice(format!("{:X};a=b\r\n", chunk.len()).as_bytes());
                body.extend_from_slice(chunk);
                body.extend_from_slice(b"\r\n");
            }
            body.extend_from_slice(format!("0\r\n{trailer}\r\n").as_bytes());
            let length = body.len();
            body.extend_from_slice(b"HTTP/1.1 200 OK");
            let (mut left, mut taken) = (Left::of(Ending::Chunked), 0);
            for piece in body.chunks(piece) {
                taken += left.take(piece).expect("chunks");
            }
            prop_assert!(left.is_none());
            prop_assert_eq!(taken, length);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in "\\PC{0,20}|[0-9a-f;\r\n ]{0,40}") {
            let _ = Left::of(Ending::Chunked).take(bytes.as_bytes());
            let _ = parse(bytes.as_bytes());
        }
    }
}
