//! Something that is done when a body has been passed on.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Frame, SizeHint};
use tokio::task::JoinHandle;

use super::{Body, BoxError};

/// What is to be done.
type Work = Pin<Box<dyn Future<Output = ()> + Send + Sync>>;

/// A body after whose end something is done before its reader sees the end. Of a body whose length is known the last
/// piece is the end, and waits. It is also done, beside everything else, if the reader goes away.
struct Followed {
    body: Body,
    stage: Stage,
}

enum Stage {
    Passing(Option<Work>),
    /// With what is to be passed on afterwards.
    Working(JoinHandle<()>, Option<Frame<Bytes>>),
    Done,
}

/// The same body, with something that is done after it.
///
/// To be called and read inside a tokio runtime.
pub fn followed_by(body: Body, work: impl Future<Output = ()> + Send + Sync + 'static) -> Body {
    let followed = Followed {
        body,
        stage: Stage::Passing(Some(Box::pin(work))),
    };
    followed.boxed()
}

impl hyper::body::Body for Followed {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        loop {
            match &mut self.stage {
                Stage::Passing(work) => {
                    let work = work.take();
                    match Pin::new(&mut self.body).poll_frame(context) {
                        Poll::Ready(None) => {
                            self.stage = work.map_or(Stage::Done, |work| Stage::Working(tokio::spawn(work), None));
                        }
                        Poll::Ready(Some(Ok(last))) if self.body.is_end_stream() => match work {
                            Some(work) => self.stage = Stage::Working(tokio::spawn(work), Some(last)),
                            None => return Poll::Ready(Some(Ok(last))),
                        },
                        other => {
                            self.stage = Stage::Passing(work);
                            return other;
                        }
                    }
                }
                Stage::Working(task, last) => {
                    // Whatever became of it, the body is at its end.
                    let _ = ready!(Pin::new(task).poll(context));
                    let last = last.take();
                    self.stage = Stage::Done;
                    if let Some(last) = last {
                        return Poll::Ready(Some(Ok(last)));
                    }
                }
                Stage::Done => return Poll::Ready(None),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.stage, Stage::Done)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Followed {
    fn drop(&mut self) {
        let Stage::Passing(work) = &mut self.stage else { return };
        if let (Some(work), Ok(runtime)) = (work.take(), tokio::runtime::Handle::try_current()) {
            runtime.spawn(work);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;
    use crate::net::{channel, full};

    fn counted() -> (Arc<AtomicU32>, impl Future<Output = ()> + Send + Sync + 'static) {
        let done = Arc::new(AtomicU32::new(0));
        let counter = Arc::clone(&done);
        (done, async move {
            tokio::task::yield_now().await;
            counter.fetch_add(1, Ordering::SeqCst);
        })
    }

    #[tokio::test]
    async fn the_end_is_seen_when_the_work_is_done() {
        let (done, work) = counted();
        let body = followed_by(full("abc"), work);
        let collected = body.collect().await.expect("the body is whole").to_bytes();
        assert_eq!((collected.as_ref(), done.load(Ordering::SeqCst)), (&b"abc"[..], 1));
    }

    #[tokio::test]
    async fn who_knows_the_length_knows_the_end() {
        let (done, work) = counted();
        let mut body = followed_by(full("abc"), work);
        let last = body.frame().await.expect("a frame").expect("no error");
        assert_eq!(last.into_data().expect("data"), "abc");
        assert_eq!(done.load(Ordering::SeqCst), 1);
        assert!(body.frame().await.is_none());
    }

    #[tokio::test]
    async fn it_is_done_once_also_if_the_reader_goes_away() {
        let (done, work) = counted();
        let (mut sender, body) = channel();
        let mut body = followed_by(body, work);
        sender
            .send_data(Bytes::from_static(b"abc"))
            .await
            .expect("there is a reader");
        body.frame().await.expect("a frame").expect("no error");
        assert_eq!(done.load(Ordering::SeqCst), 0);
        drop(body);
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert_eq!(done.load(Ordering::SeqCst), 1);
    }
}
