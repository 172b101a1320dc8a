//! A connection of any kind.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes, BytesMut};
use hyper::upgrade::Upgraded;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What a connection is made of.
trait Transport: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Transport for T {}

/// A connection: TCP, a Unix socket, TLS over either, or what an upgraded HTTP connection became. Bytes that were read
/// can be put back. Shutting down ends the writing side only; the peer sees the end and can go on writing.
pub struct Stream {
    /// Bytes put back, to be read before those of the transport.
    front: Bytes,
    transport: Box<dyn Transport>,
}

impl Stream {
    /// Wraps any transport.
    pub fn new(transport: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> Stream {
        Stream {
            front: Bytes::new(),
            transport: Box::new(transport),
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
        Pin::new(&mut self.transport).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.transport).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.transport).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.transport).poll_write_vectored(cx, slices)
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
