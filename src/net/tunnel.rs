//! Two connections made one.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf, split};

/// Bytes read at once in each direction; all that a tunnel keeps.
const BUFFER_BYTES: usize = 64 << 10;

/// How much went through a tunnel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moved {
    /// Bytes from the client to the server.
    pub up: u64,
    /// Bytes from the server to the client.
    pub down: u64,
}

/// Copies both ways until both sides have ended.
///
/// The end of one side is passed on and the other side can go on: a client that has no more input still gets its
/// output. A server that no longer reads does not end its output either. After the server has ended, the client has
/// `patience` to end too; one that does not has missed nothing.
///
/// # Errors
///
/// The server's side broke, or the client cannot be written to any more.
pub async fn tunnel<C, S>(client: C, server: S, patience: Duration) -> io::Result<Moved>
where
    C: AsyncRead + AsyncWrite + Unpin,
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (client_read, client_write) = split(client);
    let (server_read, server_write) = split(server);
    let (mut up_bytes, mut down_bytes) = (0, 0);
    {
        let mut up = std::pin::pin!(upwards(client_read, server_write, &mut up_bytes));
        let mut down = std::pin::pin!(downwards(server_read, client_write, &mut down_bytes));
        tokio::select! {
            outcome = &mut down => {
                outcome?;
                // Either outcome is the end.
                let _ = tokio::time::timeout(patience, up).await;
            }
            outcome = &mut up => {
                outcome?;
                down.await?;
            }
        }
    }
    Ok(Moved {
        up: up_bytes,
        down: down_bytes,
    })
}

/// From the client to the server. Errors only if the client broke; a server that does not read ends this direction.
async fn upwards<C: AsyncRead, S: AsyncWrite>(
    mut from: ReadHalf<C>,
    mut to: WriteHalf<S>,
    moved: &mut u64,
) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let received = from.read(&mut buffer).await?;
        if received == 0 {
            // If the server is gone, its other direction says so.
            let _ = to.shutdown().await;
            return Ok(());
        }
        if write(&mut to, &buffer[..received]).await.is_err() {
            return Ok(());
        }
        *moved += received as u64;
    }
}

/// From the server to the client.
async fn downwards<S: AsyncRead, C: AsyncWrite>(
    mut from: ReadHalf<S>,
    mut to: WriteHalf<C>,
    moved: &mut u64,
) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let received = from.read(&mut buffer).await?;
        if received == 0 {
            return to.shutdown().await;
        }
        write(&mut to, &buffer[..received]).await?;
        *moved += received as u64;
    }
}

/// Writes all of it and, as TLS may hold back a part, sees to it that it leaves.
async fn write(to: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> io::Result<()> {
    to.write_all(bytes).await?;
    to.flush().await
}
