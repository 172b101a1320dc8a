//! The one thread that writes: what arrives while the disk is busy is written together.

use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tracing::error;

use super::register::{Order, Refusal, Register, RegisterError};

/// Orders that are written together at most.
const BATCH_MAX: usize = 512;
/// Orders that wait for the thread; whoever has one more waits for room.
const QUEUE: usize = 1024;

type Outcome = Result<(), Refusal>;

/// Hands orders to the thread, which ends when the last of these is dropped.
#[derive(Clone, Debug)]
pub(super) struct Writer {
    orders: mpsc::Sender<(Order, oneshot::Sender<Outcome>)>,
    broken: CancellationToken,
}

/// The thread. What it returns is why it could not go on, if it could not.
pub(super) type Writing = JoinHandle<Result<(), RegisterError>>;

impl Writer {
    /// Starts the thread.
    pub fn start(register: Arc<Register>) -> Result<(Writer, Writing), RegisterError> {
        let (orders, queue) = mpsc::channel(QUEUE);
        let broken = CancellationToken::new();
        let told = broken.clone();
        let thread = thread::Builder::new().name("register".to_owned()).spawn(move || {
            // Also when it panics: nobody may go on waiting for a thread that is gone.
            let _told = told.drop_guard();
            write(&register, queue)
        });
        let thread = thread.map_err(|error: io::Error| RegisterError::Ended(error.to_string()))?;
        Ok((Writer { orders, broken }, thread))
    }

    /// Has an order carried out. When this returns, it is on the disk.
    pub async fn carry_out(&self, order: Order) -> Outcome {
        let (sender, outcome) = oneshot::channel();
        if self.orders.send((order, sender)).await.is_err() {
            return Err(Refusal::Failed);
        }
        outcome.await.unwrap_or(Err(Refusal::Failed))
    }

    /// Has an order carried out that nobody waits for, unless there is much to do.
    pub fn suggest(&self, order: Order) {
        let (sender, _) = oneshot::channel();
        // It is suggested again at the next occasion.
        let _ = self.orders.try_send((order, sender));
    }

    /// Waits until the thread has ended.
    pub async fn broken(&self) {
        self.broken.cancelled().await;
    }
}

fn write(
    register: &Register,
    mut queue: mpsc::Receiver<(Order, oneshot::Sender<Outcome>)>,
) -> Result<(), RegisterError> {
    let mut batch = Vec::new();
    while let Some(first) = queue.blocking_recv() {
        batch.push(first);
        while batch.len() < BATCH_MAX
            && let Ok(next) = queue.try_recv()
        {
            batch.push(next);
        }
        let (orders, waiting): (Vec<Order>, Vec<_>) = batch.drain(..).unzip();
        let outcomes = match register.apply(&orders) {
            Ok(outcomes) => outcomes,
            Err(fault) => {
                error!("{fault}");
                // Whether anything of it is on the disk is not known, so nothing is acknowledged. Nothing more may be
                // written either: a system that has failed to write may say of the next write that all is well.
                for waiting in waiting {
                    let _ = waiting.send(Err(Refusal::Failed));
                }
                return Err(fault);
            }
        };
        for (waiting, outcome) in waiting.into_iter().zip(outcomes) {
            // Who does not wait any more has gone, as clients do.
            let _ = waiting.send(outcome);
        }
    }
    Ok(())
}
