//! What is going to happen, in order of (time, sequence).

use std::collections::VecDeque;

use crate::model::Time;

/// Events by time; those of the same instant in the order in which they were added.
///
/// A radix heap (Ahuja, Mehlhorn, Orlin and Tarjan 1990): nothing is added before the latest event that was taken, so
/// events need not be sorted but by the highest bit in which their time differs from that instant. An event moves from
/// bucket to bucket, each time at least one bit closer, and always along with its neighbours; a binary heap compares it
/// with others all over memory. Events of the same time are in the same bucket, whenever they were added, and moving
/// keeps the order in a bucket: so they stay in sequence without a number.
#[derive(Clone, Debug)]
pub(super) struct EventQueue<E> {
    /// The instant that buckets are relative to: no event is earlier.
    now: Time,
    /// Those at that instant.
    due: VecDeque<E>,
    /// By the highest bit in which the time differs from `now`.
    buckets: Vec<Vec<(Time, E)>>,
    /// Which buckets are not empty, as bits.
    occupied: u64,
    /// When the first event is.
    next: Option<Time>,
}

impl<E> EventQueue<E> {
    pub(super) fn new() -> EventQueue<E> {
        EventQueue {
            now: Time::ZERO,
            due: VecDeque::new(),
            buckets: (0..u64::BITS).map(|_| Vec::new()).collect(),
            occupied: 0,
            next: None,
        }
    }

    /// Adds an event that is not before the latest one that was taken.
    pub(super) fn add(&mut self, time: Time, event: E) {
        debug_assert!(time >= self.now, "what is past does not change");
        let time = time.max(self.now);
        self.next = Some(self.next.map_or(time, |next| next.min(time)));
        self.put(time, event);
    }

    pub(super) fn next_time(&self) -> Option<Time> {
        self.next
    }

    pub(super) fn pop(&mut self) -> Option<(Time, E)> {
        let time = self.next?;
        if self.due.is_empty() {
            self.proceed(time);
        }
        let event = self.due.pop_front()?;
        self.next = if self.due.is_empty() {
            self.first_in_buckets()
        } else {
            Some(time)
        };
        Some((time, event))
    }

    fn put(&mut self, time: Time, event: E) {
        match (time.0 ^ self.now.0).checked_ilog2() {
            None => self.due.push_back(event),
            Some(bit) => {
                self.buckets[bit as usize].push((time, event));
                self.occupied |= 1 << bit;
            }
        }
    }

    /// Moves on to the time of the first event, which is in the lowest bucket: its events differ from one another in
    /// lower bits only, and those of other buckets differ from the new instant where they did from the old one.
    fn proceed(&mut self, time: Time) {
        self.now = time;
        let Some(lowest) = self.lowest() else { return };
        self.occupied &= !(1 << lowest);
        let mut events = std::mem::take(&mut self.buckets[lowest]);
        for (time, event) in events.drain(..) {
            self.put(time, event);
        }
        // Nothing was put where it came from; the bucket keeps its room.
        self.buckets[lowest] = events;
    }

    fn first_in_buckets(&self) -> Option<Time> {
        let bucket = &self.buckets[self.lowest()?];
        bucket.iter().map(|(time, _)| *time).min()
    }

    fn lowest(&self) -> Option<usize> {
        (self.occupied > 0).then(|| self.occupied.trailing_zeros() as usize)
    }
}

#[cfg(test)]
mod tests {
    use std::cmp::Reverse;
    use std::collections::BinaryHeap;

    use super::*;
    use proptest::prelude::*;

    #[test]
    fn equal_times_keep_their_order() {
        let mut queue = EventQueue::new();
        for (time, event) in [(2, 'c'), (1, 'a'), (2, 'd'), (1, 'b'), (0, '0')] {
            queue.add(Time(time), event);
        }
        let order: String = std::iter::from_fn(|| queue.pop()).map(|(_, event)| event).collect();
        assert_eq!(order, "0abcd");
    }

    #[test]
    fn the_end_of_time_is_a_time() {
        let mut queue = EventQueue::new();
        queue.add(Time::MAX, 'z');
        queue.add(Time::ZERO, 'a');
        queue.add(Time::MAX, '!');
        let order: String = std::iter::from_fn(|| queue.pop()).map(|(_, event)| event).collect();
        assert_eq!((order.as_str(), queue.next_time()), ("az!", None));
    }

    proptest! {
        /// Spans of every magnitude, none included, are added to the time of the latest event, between takings.
        #[test]
        fn the_order_is_that_of_time_and_sequence(
            steps in prop::collection::vec(prop::option::weighted(0.6, (0..64_u32, any::<u64>())), 1..300),
        ) {
            let mut queue = EventQueue::new();
            let mut heap = BinaryHeap::new();
            let mut now = 0_u64;
            let taking_all = [None; 300];
            for (sequence, step) in steps.iter().chain(&taking_all).enumerate() {
                match step {
                    Some((shift, span)) => {
                        let time = now.saturating_add(if *shift < 8 { u64::from(*shift / 4) } else { span >> shift });
                        queue.add(Time(time), sequence);
                        heap.push(Reverse((time, sequence)));
                    }
                    None => {
                        let expected = heap.pop().map(|Reverse((time, sequence))| (Time(time), sequence));
                        prop_assert_eq!(queue.pop(), expected);
                        now = expected.map_or(now, |(time, _)| time.0);
                    }
                }
                prop_assert_eq!(queue.next_time(), heap.peek().map(|Reverse((time, _))| Time(*time)));
            }
        }
    }
}
