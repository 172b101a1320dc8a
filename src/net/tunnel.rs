//! Two connections made one.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf, split};
use tokio::time::Instant;

/// Bytes read at once in each direction; all that a tunnel keeps.
const BUFFER_BYTES: usize = 64 << 10;

/// How long the first bytes of another protocol stay behind the head of the answer that agreed to it.
const BEHIND_HEAD: Duration = Duration::from_millis(50);

/// Waits until bytes may follow the head of an answer that was sent then.
///
/// Some clients read the head through a buffer and go on without it: what has arrived by then is lost to them. Docker's own
/// daemons send the head when they take a request, and the first bytes when a process has been started and writes, which
/// is as long after.
pub async fn keep_behind(head_sent: Instant) {
    tokio::time::sleep_until(head_sent + BEHIND_HEAD).await;
}

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
    both_ways(client, server, patience, None).await
}

/// The same right after the head of an answer was sent to the client: the server's first bytes stay behind it, see
/// [`keep_behind`].
///
/// # Errors
///
/// As for [`tunnel`].
pub async fn tunnel_behind_head<C, S>(client: C, server: S, patience: Duration) -> io::Result<Moved>
where
    C: AsyncRead + AsyncWrite + Unpin,
    S: AsyncRead + AsyncWrite + Unpin,
{
    both_ways(client, server, patience, Some(Instant::now())).await
}

async fn both_ways<C, S>(client: C, server: S, patience: Duration, head_sent: Option<Instant>) -> io::Result<Moved>
where
    C: AsyncRead + AsyncWrite + Unpin,
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (client_read, client_write) = split(client);
    let (server_read, server_write) = split(server);
    let (mut up_bytes, mut down_bytes) = (0, 0);
    {
        let mut up = std::pin::pin!(upwards(client_read, server_write, &mut up_bytes));
        let mut down = std::pin::pin!(downwards(server_read, client_write, head_sent, &mut down_bytes));
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
    head_sent: Option<Instant>,
    moved: &mut u64,
) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let received = from.read(&mut buffer).await?;
        if received == 0 {
            return to.shutdown().await;
        }
        if let Some(head_sent) = head_sent.filter(|_| *moved == 0) {
            keep_behind(head_sent).await;
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

#[cfg(test)]
mod tests {
    use super::*;

    /// What a daemon sends together with its head, or right after it, reaches the client on its own.
    #[tokio::test]
    async fn first_bytes_stay_behind_the_head() {
        let (client, mut outside) = tokio::io::duplex(64);
        let (server, mut daemon) = tokio::io::duplex(64);
        let head_sent = Instant::now();
        let moving = tokio::spawn(tunnel_behind_head(client, server, Duration::ZERO));
        daemon.write_all(b"first").await.expect("sent");
        let mut heard = [0; 5];
        outside.read_exact(&mut heard).await.expect("heard");
        assert!(head_sent.elapsed() >= BEHIND_HEAD && &heard == b"first");
        daemon.write_all(b"later").await.expect("sent");
        outside.read_exact(&mut heard).await.expect("heard");
        assert_eq!(&heard, b"later");
        // Both sides end.
        drop((daemon, outside));
        assert!(moving.await.expect("no panic").is_ok());
    }
}
