//! What is told of a store that cannot be followed, and when it is asked again.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::time::Duration;

use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

use super::DiscoveryError;
use super::store::StoreError;
use super::token::TokenError;

/// The first pause after a store could not be asked; each further one is twice as long.
const PAUSE_FIRST: Duration = Duration::from_millis(250);
/// The longest such pause.
const PAUSE_MAX: Duration = Duration::from_secs(10);

/// Kinds of trouble. Within one, texts may differ from try to try, such as by the member of a cluster that was asked
/// last, without anything having changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// The store answers questions, but cannot be waited for.
    Watch,
    /// It cannot be reached, or does not answer.
    Away,
    /// It refuses to answer.
    Refused,
    /// Its answers cannot be understood.
    Garbled,
    /// It has a list that is none.
    List,
    /// It has lost its list.
    Empty,
}

impl Trouble {
    /// What kind of trouble it is that the store cannot be asked.
    pub fn of(error: &DiscoveryError) -> Trouble {
        match error {
            DiscoveryError::Store(StoreError::Refused { .. }) => Trouble::Refused,
            DiscoveryError::Store(StoreError::Garbled { .. }) => Trouble::Garbled,
            DiscoveryError::Store(_) | DiscoveryError::Token(TokenError::Unreachable { .. }) => Trouble::Away,
            DiscoveryError::Token(TokenError::Fetch(_)) => Trouble::Refused,
            DiscoveryError::Token(_) => Trouble::Garbled,
            DiscoveryError::TurnedEmpty(_) => Trouble::Empty,
            _ => Trouble::List,
        }
    }
}

/// The state of somebody who follows a store by looking, waiting for a change, and looking again.
pub(super) struct Troubles {
    told: Option<Trouble>,
    has_wait_failed: bool,
    pauses: Pauses,
}

impl Troubles {
    /// Without any, and with pauses of `most` at most.
    pub fn none(most: Duration) -> Troubles {
        Troubles {
            told: None,
            has_wait_failed: false,
            pauses: Pauses::new(most),
        }
    }

    /// A look has shown what there is. Returns whether there was trouble until then.
    pub fn looked(&mut self) -> bool {
        let is_over = self.told.is_some_and(|trouble| trouble != Trouble::Watch);
        if is_over {
            self.waited();
        }
        is_over
    }

    /// A wait has come to its end.
    pub fn waited(&mut self) {
        self.told = None;
        self.has_wait_failed = false;
        self.pauses.restart();
    }

    /// A wait has failed. Returns whether to look at once and say nothing: it is the first one in a row, which ends with
    /// the connection or the member that it hangs on, while the store may be well.
    pub fn forgives(&mut self) -> bool {
        !std::mem::replace(&mut self.has_wait_failed, true)
    }

    /// There is trouble. Returns whether that is news.
    pub fn is_news(&mut self, trouble: Trouble) -> bool {
        self.told.replace(trouble) != Some(trouble)
    }

    /// How long to leave the store alone.
    pub fn pause(&mut self) -> Duration {
        self.pauses.next()
    }
}

/// Pauses that grow, each up to a fifth longer, so that those who lost a store together do not come back together.
pub(super) struct Pauses {
    next: Duration,
    most: Duration,
    rng: ChaCha8Rng,
}

impl Pauses {
    pub fn new(most: Duration) -> Pauses {
        Pauses {
            next: PAUSE_FIRST,
            most: most.clamp(PAUSE_FIRST, PAUSE_MAX),
            // The keys of a hash map are the randomness that the standard library offers.
            rng: ChaCha8Rng::seed_from_u64(RandomState::new().hash_one(0)),
        }
    }

    pub fn restart(&mut self) {
        self.next = PAUSE_FIRST;
    }

    pub fn next(&mut self) -> Duration {
        let pause = self.next.min(self.most);
        self.next = (self.next * 2).min(self.most);
        pause.mul_f64(self.rng.random_range(1.0..1.2))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: Duration = Duration::from_secs(1);

    #[test]
    fn trouble_is_news_once_until_it_changes_or_is_over() {
        let mut troubles = Troubles::none(MOST);
        assert!(!troubles.looked());
        assert!(troubles.is_news(Trouble::Away));
        assert!(!troubles.is_news(Trouble::Away));
        assert!(troubles.is_news(Trouble::Refused));
        assert!(troubles.looked(), "the list is told again");
        assert!(!troubles.looked());
        assert!(troubles.is_news(Trouble::Refused));
    }

    #[test]
    fn one_failed_wait_is_no_trouble_but_a_second_one_is() {
        let mut troubles = Troubles::none(MOST);
        assert!(troubles.forgives());
        troubles.waited();
        assert!(troubles.forgives());
        assert!(
            !troubles.looked(),
            "a look alone does not show that waiting works again"
        );
        assert!(!troubles.forgives());
        assert!(troubles.is_news(Trouble::Watch));
        assert!(!troubles.looked());
        assert!(!troubles.forgives());
        assert!(!troubles.is_news(Trouble::Watch));
        troubles.waited();
        assert!(troubles.forgives());
    }

    #[test]
    fn different_texts_of_one_trouble_are_one() {
        let away = |text: &str| Trouble::of(&StoreError::Unreachable(text.to_owned()).into());
        assert_eq!(away("one member"), away("another"));
        assert_eq!(
            away("one member"),
            Trouble::of(&StoreError::Silent("it".to_owned()).into())
        );
    }

    #[test]
    fn pauses_grow_within_bounds() {
        let mut pauses = Pauses::new(MOST);
        let taken: Vec<Duration> = (0..5).map(|_| pauses.next()).collect();
        for (pause, least) in taken.iter().zip([250, 500, 1000, 1000, 1000]) {
            let least = Duration::from_millis(least);
            assert!((least..least.mul_f64(1.2)).contains(pause), "{taken:?}");
        }
        pauses.restart();
        assert!(pauses.next() < PAUSE_FIRST * 2);
    }
}
