//! Any history of orders, and what is left of it.

use super::*;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};

const SECOND: u64 = 1000;

struct Scratch {
    directory: tempfile::TempDir,
    time: Arc<AtomicU64>,
    limits: Limits,
}

impl Scratch {
    fn new(limits: Limits) -> Scratch {
        Scratch {
            directory: tempfile::tempdir().expect("a directory"),
            time: Arc::new(AtomicU64::new(1_700_000_000_000)),
            limits,
        }
    }

    fn open(&self) -> Register {
        let time = Arc::clone(&self.time);
        let clock: Clock = Arc::new(move || time.load(Ordering::SeqCst));
        Register::open(&self.directory.path().join("register"), &self.limits, clock).expect("a register")
    }

    fn pass(&self, span: Duration) {
        self.time.fetch_add(millis(span), Ordering::SeqCst);
    }
}

fn token(number: u8) -> Token {
    Token([number; BYTES])
}

fn registration(number: u8, address: &str, seconds: u64) -> Order {
    Order::Register {
        token: token(number),
        address: address.to_owned(),
        ttl: Duration::from_secs(seconds),
    }
}

fn done(register: &Register, order: Order) -> Result<(), Refusal> {
    register.apply(&[order]).expect("it is written").remove(0)
}

fn listed(register: &Register, number: u8) -> Option<Vec<String>> {
    let listing = register.list(token(number)).expect("it is read");
    listing.map(|listing| listing.addresses)
}

#[test]
fn addresses_expire_unless_they_are_renewed_and_survive_a_new_start() {
    let scratch = Scratch::new(Limits::default());
    let register = scratch.open();
    assert_eq!(done(&register, registration(1, "a:1", 10)), Err(Refusal::NoSuchCluster));
    assert_eq!(listed(&register, 1), None);
    done(&register, Order::Create(token(1))).expect("created");
    done(&register, Order::Create(token(2))).expect("created");
    assert_eq!(listed(&register, 1), Some(Vec::new()));
    for (address, seconds) in [("b:1", 10), ("a:1", 20), ("a:10", 10)] {
        done(&register, registration(1, address, seconds)).expect("registered");
    }
    done(&register, registration(2, "other:1", 100)).expect("registered");
    assert_eq!(listed(&register, 1).expect("a list"), ["a:1", "a:10", "b:1"]);
    scratch.pass(Duration::from_secs(9));
    done(&register, registration(1, "b:1", 10)).expect("renewed");
    drop(register);
    scratch.pass(Duration::from_secs(1));
    let register = scratch.open();
    assert_eq!(
        listed(&register, 1).expect("a list"),
        ["a:1", "b:1"],
        "one has expired meanwhile"
    );
    assert_eq!(register.sizes().expect("sizes"), (2, 3), "and is swept");
    let withdrawn = |address: &str| Order::Withdraw {
        token: token(1),
        address: address.to_owned(),
    };
    assert_eq!(done(&register, withdrawn("a:1")), Ok(()));
    assert_eq!(done(&register, withdrawn("a:1")), Err(Refusal::NoSuchAddress));
    assert_eq!(listed(&register, 1).expect("a list"), ["b:1"]);
    assert_eq!(listed(&register, 2).expect("a list"), ["other:1"]);
}

#[test]
fn bounds_hold_and_what_has_expired_makes_room() {
    let scratch = Scratch::new(Limits {
        clusters: 2,
        entries: 2,
        entries_total: 3,
        ..Limits::default()
    });
    let register = scratch.open();
    done(&register, Order::Create(token(1))).expect("created");
    done(&register, Order::Create(token(2))).expect("created");
    assert_eq!(
        done(&register, Order::Create(token(3))),
        Err(Refusal::TooManyClusters(2))
    );
    done(&register, registration(1, "a:1", 10)).expect("registered");
    done(&register, registration(1, "b:1", 20)).expect("registered");
    assert_eq!(
        done(&register, registration(1, "c:1", 1)),
        Err(Refusal::TooManyEntries(2))
    );
    done(&register, registration(1, "a:1", 10)).expect("renewed");
    done(&register, registration(2, "a:1", 20)).expect("registered");
    assert_eq!(
        done(&register, registration(2, "b:1", 1)),
        Err(Refusal::TooManyEntriesInAll(3))
    );
    scratch.pass(Duration::from_secs(10));
    done(&register, registration(1, "c:1", 1)).expect("there is room");
}

#[test]
fn clusters_that_nobody_uses_are_swept() {
    let scratch = Scratch::new(Limits::default());
    let register = scratch.open();
    for number in 1..=3 {
        done(&register, Order::Create(token(number))).expect("created");
    }
    for number in 2..=3 {
        done(&register, registration(number, "a:1", 10)).expect("registered");
    }
    let has = |number| listed(&register, number).is_some();
    scratch.pass(UNUSED - Duration::from_secs(1));
    done(&register, Order::Sweep).expect("swept");
    assert!(has(1) && has(2) && has(3));
    scratch.pass(Duration::from_secs(1));
    done(&register, Order::Sweep).expect("swept");
    assert!(!has(1) && has(2) && has(3));
    assert!(register.list(token(3)).expect("it is read").expect("a list").note);
    done(&register, Order::Note(token(3))).expect("noted");
    assert!(!register.list(token(3)).expect("it is read").expect("a list").note);
    scratch.pass(IDLE - UNUSED);
    done(&register, Order::Sweep).expect("swept");
    assert!(!has(2) && has(3), "listing is a use");
}

#[test]
fn files_that_are_no_register_are_told() {
    let scratch = Scratch::new(Limits::default());
    let path = scratch.directory.path().join("text");
    std::fs::write(
        &path,
        "not a register, but long enough to be taken for one, were it not for its first bytes",
    )
    .expect("a file");
    let fault = |path: &Path| {
        let opened = Register::open(path, &scratch.limits, Arc::new(now));
        opened.err().map_or_else(String::new, |error| error.to_string())
    };
    assert!(
        fault(&path).starts_with("cannot open the register /"),
        "{}",
        fault(&path)
    );
    assert!(fault(&scratch.directory.path().join("none/register")).contains("none/register"));
    let _open = scratch.open();
    let mode = std::fs::metadata(scratch.directory.path().join("register"))
        .expect("a file")
        .permissions();
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&mode) & 0o777, 0o600);
    assert!(
        fault(&scratch.directory.path().join("register")).contains("open"),
        "only once at a time"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// Any history leaves the same lists as a map does, and the figures in the file agree with one another.
    #[test]
    fn it_keeps_what_a_map_keeps(
        steps in proptest::collection::vec((0u8..3, 0u8..4, 1u64..20, 0u64..5, any::<bool>()), 1..25)
    ) {
        let scratch = Scratch::new(Limits { entries: 3, ..Limits::default() });
        let mut register = scratch.open();
        let mut model: BTreeMap<(u8, String), u64> = BTreeMap::new();
        for number in 0..3 {
            done(&register, Order::Create(token(number))).expect("created");
        }
        for (number, address, seconds, passing, withdraw) in steps {
            let now = scratch.time.load(Ordering::SeqCst);
            let address = format!("h{address}:1");
            model.retain(|_, expiry| *expiry > now);
            if withdraw && seconds < 5 {
                let order = Order::Withdraw { token: token(number), address: address.clone() };
                let known = model.remove(&(number, address)).is_some();
                prop_assert_eq!(done(&register, order).is_ok(), known);
            } else {
                let key = (number, address.clone());
                let room = model.contains_key(&key) || model.keys().filter(|(own, _)| *own == number).count() < 3;
                let outcome = done(&register, registration(number, &address, seconds));
                prop_assert_eq!(outcome.is_ok(), room);
                if room {
                    model.insert(key, now + seconds * SECOND);
                }
            }
            scratch.pass(Duration::from_secs(passing));
            if passing == 4 {
                drop(register);
                register = scratch.open();
            }
            let now = scratch.time.load(Ordering::SeqCst);
            for number in 0..3 {
                let expected: BTreeSet<String> = model
                    .iter()
                    .filter(|((own, _), expiry)| *own == number && **expiry > now)
                    .map(|((_, address), _)| address.clone())
                    .collect();
                let listed = listed(&register, number).expect("a list");
                prop_assert_eq!(listed, expected.into_iter().collect::<Vec<_>>());
            }
        }
    }
}
