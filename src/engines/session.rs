//! Connections to processes: what a client writes is echoed to it until the process ends.

use std::io;
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt, split};

use super::follow::{Session, Step};
use super::house::House;
use crate::net::Stream;

/// Bytes read at once.
const BUFFER_BYTES: usize = 8 << 10;

/// Passes on both ways until the process, or the client, has ended.
pub(super) async fn run(house: Arc<House>, number: usize, stream: Stream, session: Session) -> io::Result<()> {
    let (mut from, mut to) = split(stream);
    let engine = &house.engines[number];
    let ends = engine.conduct().connections.clone();
    let reading = async {
        let mut buffer = vec![0; BUFFER_BYTES];
        while let Ok(received) = from.read(&mut buffer).await {
            if received == 0 {
                break;
            }
            if session.stdin {
                engine.with(&house, number, |model| session.feed(model, &buffer[..received]));
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
                Step::Send(bytes) => to.write_all(&bytes).await?,
                Step::End => return to.shutdown().await,
                Step::Wait(_) => changed.await,
            }
        }
    };
    tokio::select! {
        () = ends.cancelled() => Ok(()),
        () = house.stop.cancelled() => Ok(()),
        () = reading => Ok(()),
        written = writing => written,
    }
}
