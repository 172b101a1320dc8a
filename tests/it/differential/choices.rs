//! Where generators get their choices from: a tape that proptest writes and shrinks, or a seeded generator.

use rand::RngExt;
use rand::rngs::ChaCha8Rng;

/// A source of choices. The first of several is the simplest.
pub trait Choices {
    /// A number below `n`.
    fn below(&mut self, n: usize) -> usize;

    /// True once in `n` times.
    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == n - 1
    }

    /// One of several.
    fn pick<T: Clone>(&mut self, items: &[T]) -> T {
        items[self.below(items.len())].clone()
    }

    /// One of several texts.
    fn text(&mut self, items: &[&str]) -> String {
        self.pick(items).to_owned()
    }

    /// Several things, fewer than `n`; none half of the time.
    fn some<T>(&mut self, n: usize, mut make: impl FnMut(&mut Self) -> T) -> Vec<T>
    where
        Self: Sized,
    {
        let count = if self.one_in(2) { 1 + self.below(n - 1) } else { 0 };
        (0..count).map(|_| make(self)).collect()
    }
}

impl Choices for ChaCha8Rng {
    fn below(&mut self, n: usize) -> usize {
        self.random_range(0..n)
    }
}

/// Choices written down. After the last one, everything is the simplest.
pub struct Tape<'a> {
    rest: std::slice::Iter<'a, u16>,
}

impl Tape<'_> {
    pub fn new(choices: &[u16]) -> Tape<'_> {
        Tape { rest: choices.iter() }
    }
}

impl Choices for Tape<'_> {
    fn below(&mut self, n: usize) -> usize {
        usize::from(*self.rest.next().unwrap_or(&0)) % n
    }
}
