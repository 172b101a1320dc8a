//! Connections to processes: what a client writes is echoed to it until the process ends.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt, split};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::follow::{Session, Step};
use super::house::House;
use crate::net::{self, Stream};

/// Bytes read at once.
const BUFFER_BYTES: usize = 8 << 10;

/// Passes on both ways until the process, or the client, has ended. To be called when the head of the answer has been
/// sent, behind which the first bytes stay a while.
pub(super) async fn run(house: Arc<House>, number: usize, stream: Stream, session: Session) -> io::Result<()> {
    let head_sent = Instant::now();
    let (mut from, mut to) = split(stream);
    let engine = &house.engines[number];
    let ends = engine.conduct().connections.clone();
    // Whether output is on its way: input that is echoed waits for that, or a client that reads nothing would fill the memory.
    let (busy, idle) = (AtomicBool::new(false), Notify::new());
    let reading = async {
        let mut buffer = vec![0; BUFFER_BYTES];
        while let Ok(received) = from.read(&mut buffer).await {
            if received == 0 {
                break;
            }
            if session.stdin {
                engine.with(&house, number, |model| session.feed(model, &buffer[..received]));
                // What it has come to is sent first.
                tokio::task::yield_now().await;
                while busy.load(Ordering::Relaxed) {
                    idle.notified().await;
                }
            }
        }
        if session.stdin {
            engine.with(&house, number, |model| session.end_input(model));
        }
        // The end of the input is not that of the output.
        std::future::pending::<()>().await;
    };
    let writing = async {
        let mut follow = session.follow();
        loop {
            let changed = engine.changed.notified();
            let mut changed = std::pin::pin!(changed);
            changed.as_mut().enable();
            match engine.with(&house, number, |model| follow.next(model)) {
                Step::Send(bytes) => {
                    busy.store(true, Ordering::Relaxed);
                    net::keep_behind(head_sent).await;
                    to.write_all(&bytes).await?;
                }
                Step::End => return to.shutdown().await,
                Step::Wait(_) => {
                    busy.store(false, Ordering::Relaxed);
                    idle.notify_one();
                    changed.await;
                }
            }
        }
    };
    tokio::select! {
        biased;
        () = ends.cancelled() => Ok(()),
        () = house.stop.cancelled() => Ok(()),
        written = writing => written,
        () = reading => Ok(()),
    }
}
