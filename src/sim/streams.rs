//! One random stream per purpose, all from one seed.
//!
//! Strategies are compared on common random numbers: what a class asks for, and what happens to a node, is drawn from
//! streams that no placement touches, so every strategy sees the same of both.

use std::convert::Infallible;

use rand::rngs::ChaCha8Rng;
use rand::{SeedableRng, TryRng};

/// What a stream is for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Purpose {
    /// Times of arrival of a class.
    Arrivals,
    /// CPU and memory of a class.
    Sizes,
    /// Lifetimes of a class.
    Lifetimes,
    /// Failures and further lifetimes of one container.
    Exits,
    /// Failures and repairs of one node by one event.
    Faults,
    /// The draws of the strategy `random`.
    Placement,
}

/// The streams of one run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Streams {
    seed: u64,
}

impl Streams {
    pub(super) fn new(seed: u64) -> Streams {
        Streams { seed }
    }

    /// The stream of a purpose for something named, independent of all others.
    pub(super) fn stream(&self, purpose: Purpose, name: &str, number: u64) -> ChaCha8Rng {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        let mut hash = fnv1a(0xcbf2_9ce4_8422_2325, &[purpose as u8]);
        hash = fnv1a(hash, name.as_bytes());
        hash = fnv1a(hash, &[0]);
        hash = fnv1a(hash, &number.to_le_bytes());
        rng.set_stream(hash);
        rng
    }
}

/// The FNV-1a hash: fixed for ever, unlike those of hash tables.
fn fnv1a(start: u64, bytes: &[u8]) -> u64 {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    bytes.iter().fold(start, step)
}

/// The generator of the strategy `random`. It can be cloned, so that an explanation can draw what the next decision
/// will draw without disturbing it.
#[derive(Debug)]
pub struct PlacementRng(ChaCha8Rng);

impl PlacementRng {
    pub(super) fn new(streams: Streams) -> PlacementRng {
        PlacementRng(streams.stream(Purpose::Placement, "", 0))
    }
}

impl Clone for PlacementRng {
    fn clone(&self) -> PlacementRng {
        PlacementRng(ChaCha8Rng::deserialize_state(&self.0.serialize_state()))
    }
}

impl TryRng for PlacementRng {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        self.0.try_next_u32()
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        self.0.try_next_u64()
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.0.try_fill_bytes(bytes)
    }
}
