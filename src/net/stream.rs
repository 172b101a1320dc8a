//! A connection of any kind.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use hyper::upgrade::Upgraded;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

/// What a connection is made of.
trait Transport: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Transport for T {}

/// A connection: TCP, a Unix socket, TLS over either, or what an upgraded HTTP connection became. Bytes that were read
/// can be put back. Shutting down ends the writing side only; the peer sees the end and can go on writing.
pub struct Stream {
    /// Bytes put back, to be read before those of the transport.
    front: Bytes,
    transport: Box<dyn Transport>,
    pace: Pace,
    /// Since when the peer takes nothing, and when that is looked at again.
    stalled: Option<(Instant, Pin<Box<Sleep>>)>,
}

/// How long the peer of a connection may leave unread what is written to it. Every byte that it takes begins the time anew,
/// so that slow peers are served, and those that have stopped are not waited for. Clones are about the same connection.
#[derive(Clone, Debug, Default)]
pub struct Pace(Arc<AtomicU64>);

impl Pace {
    /// Sets the limit; `None` if the peer alone decides.
    pub fn set(&self, limit: Option<Duration>) {
        let millis = limit.map_or(0, |limit| u64::try_from(limit.as_millis()).unwrap_or(u64::MAX).max(1));
        self.0.store(millis, Ordering::Relaxed);
    }

    fn get(&self) -> Option<Duration> {
        match self.0.load(Ordering::Relaxed) {
            0 => None,
            millis => Some(Duration::from_millis(millis)),
        }
    }
}

impl Stream {
    /// Wraps any transport.
    pub fn new(transport: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> Stream {
        Stream {
            front: Bytes::new(),
            transport: Box::new(transport),
            pace: Pace::default(),
            stalled: None,
        }
    }

    /// How long the peer may leave unread what is written; without a limit at first.
    pub fn pace(&self) -> &Pace {
        &self.pace
    }

    /// The outcome of an attempt to write, or that the peer has not read for too long.
    fn paced<T>(&mut self, context: &mut Context<'_>, outcome: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if outcome.is_ready() {
            self.stalled = None;
            return outcome;
        }
        loop {
            let Some(limit) = self.pace.get() else {
                self.stalled = None;
                return Poll::Pending;
            };
            let (since, look) = self.stalled.get_or_insert_with(|| {
                let now = Instant::now();
                (now, Box::pin(tokio::time::sleep_until(now + limit)))
            });
            ready!(look.as_mut().poll(context));
            // The limit may have changed meanwhile.
            let end = *since + limit;
            if Instant::now() >= end {
                let text = format!("the peer has read nothing for {} ms", limit.as_millis());
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, text)));
            }
            look.as_mut().reset(end);
        }
    }

    /// Lets `bytes` be read again, before all else.
    pub fn put_back(&mut self, bytes: Bytes) {
        if self.front.is_empty() {
            self.front = bytes;
        } else {
            let mut joined = BytesMut::from(bytes.as_ref());
            joined.extend_from_slice(&self.front);
            self.front = joined.freeze();
        }
    }
}

impl From<Upgraded> for Stream {
    fn from(upgraded: Upgraded) -> Stream {
        Stream::new(TokioIo::new(upgraded))
    }
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stream")
            .field("put_back", &self.front.len())
            .finish_non_exhaustive()
    }
}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.front.is_empty() {
            return Pin::new(&mut self.transport).poll_read(cx, buffer);
        }
        let taken = self.front.len().min(buffer.remaining());
        buffer.put_slice(&self.front[..taken]);
        self.front.advance(taken);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.transport).poll_write(cx, bytes);
        self.paced(cx, outcome)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.transport).poll_flush(cx);
        self.paced(cx, outcome)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.transport).poll_shutdown(cx);
        self.paced(cx, outcome)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.transport).poll_write_vectored(cx, slices);
        self.paced(cx, outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.transport.is_write_vectored()
    }
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    const SHORT: Duration = Duration::from_millis(20);

    #[tokio::test]
    async fn a_peer_that_stops_reading_is_waited_for_as_long_as_was_said() {
        let (mut peer, own) = duplex(16);
        let mut stream = Stream::new(own);
        stream.pace().set(Some(SHORT));
        let error = stream.write_all(&[0; 64]).await.expect_err("nobody reads");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        // Without a limit, the peer decides.
        stream.pace().set(None);
        let writing = tokio::spawn(async move { stream.write_all(&[0; 64]).await });
        tokio::time::sleep(5 * SHORT).await;
        assert!(!writing.is_finished());
        peer.read_exact(&mut [0; 80]).await.expect("all of it");
        writing.await.expect("no panic").expect("it is read");
    }

    #[tokio::test]
    async fn a_limit_that_is_lifted_meanwhile_ends_nothing() {
        let (mut peer, own) = duplex(16);
        let mut stream = Stream::new(own);
        let pace = stream.pace().clone();
        pace.set(Some(5 * SHORT));
        let writing = tokio::spawn(async move { stream.write_all(&[0; 64]).await });
        tokio::time::sleep(SHORT).await;
        pace.set(None);
        tokio::time::sleep(10 * SHORT).await;
        assert!(!writing.is_finished());
        peer.read_exact(&mut [0; 64]).await.expect("all of it");
        writing.await.expect("no panic").expect("it is read");
    }
}
