//! Bodies of requests and answers: none, at hand, or on their way.

use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Empty, Full};

/// Any error of a body.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A body in either direction, passed on as it arrives.
pub type Body = BoxBody<Bytes, BoxError>;

/// The writing end of a [`channel`]. Dropping it ends the body; `abort` breaks it off, which the reader can tell.
pub type Sender = http_body_util::channel::Sender<Bytes, BoxError>;

/// Frames that a channel holds before its writer has to wait: enough to keep both ends busy, little enough that a
/// reader who stops costs nothing.
const CHANNEL_FRAMES: usize = 16;

/// No body.
pub fn empty() -> Body {
    Empty::new().map_err(|never| match never {}).boxed()
}

/// A body that is all there.
pub fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed()
}

/// A body that is written while it is sent.
pub fn channel() -> (Sender, Body) {
    let (sender, body) = http_body_util::channel::Channel::new(CHANNEL_FRAMES);
    (sender, body.boxed())
}

/// A body that comes from a peer and is passed on as it arrives.
pub fn streamed(body: hyper::body::Incoming) -> Body {
    body.map_err(BoxError::from).boxed()
}
