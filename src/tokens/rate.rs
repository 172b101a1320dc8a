//! How often clients may ask, and how many connections they may have. Takes a bounded amount of memory, whoever asks.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Clients of which it is known how often they have asked. Others, if there are so many, share one account.
const CLIENTS_MAX: usize = 10_000;
/// Shortest time between two looks for clients that can be forgotten.
const FORGET_EVERY: Duration = Duration::from_secs(1);

/// Whom limits are about: an address, or the network that one household or host has in IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Client(IpAddr);

impl Client {
    /// The client at the other end of a connection: `ip:port`. None on a Unix socket, which is its owner's.
    pub fn of(peer: &str) -> Option<Client> {
        let peer: SocketAddr = peer.parse().ok()?;
        Some(match peer.ip().to_canonical() {
            IpAddr::V6(address) => {
                let network = address.to_bits() & !u128::from(u64::MAX);
                Client(IpAddr::V6(Ipv6Addr::from_bits(network)))
            }
            address => Client(address),
        })
    }

    /// All those that there is no room for.
    const OTHERS: Client = Client(IpAddr::V6(Ipv6Addr::UNSPECIFIED));
}

/// Token buckets, one a client.
#[derive(Debug)]
pub(super) struct Rates {
    per_second: f64,
    burst: f64,
    accounts: Mutex<Accounts>,
}

#[derive(Debug)]
struct Accounts {
    clients: HashMap<Client, Account>,
    forgotten: Instant,
}

#[derive(Clone, Copy, Debug)]
struct Account {
    left: f64,
    at: Instant,
}

impl Rates {
    /// As many requests a second, and twice as many at once; any number if it is zero.
    pub fn new(per_second: u32) -> Rates {
        Rates {
            per_second: f64::from(per_second),
            // What costs most can be afforded once.
            burst: (2.0 * f64::from(per_second)).max(super::routes::COST_MAX),
            accounts: Mutex::new(Accounts {
                clients: HashMap::new(),
                forgotten: Instant::now(),
            }),
        }
    }

    /// Takes `cost` from what a client has left. If that is not enough, says when it will be.
    pub fn take(&self, client: Client, cost: f64, now: Instant) -> Result<(), Duration> {
        if self.per_second == 0.0 {
            return Ok(());
        }
        let mut accounts = locked(&self.accounts);
        let client = accounts.room_for(client, now, |account| self.left(account, now) >= self.burst);
        let fresh = Account {
            left: self.burst,
            at: now,
        };
        let account = accounts.clients.entry(client).or_insert(fresh);
        let left = self.left(account, now);
        let enough = left >= cost;
        *account = Account {
            left: if enough { left - cost } else { left },
            at: now.max(account.at),
        };
        match enough {
            true => Ok(()),
            false => Err(Duration::from_secs_f64((cost - left) / self.per_second)),
        }
    }

    fn left(&self, account: &Account, now: Instant) -> f64 {
        let earned = now.saturating_duration_since(account.at).as_secs_f64() * self.per_second;
        (account.left + earned).min(self.burst)
    }
}

impl Accounts {
    /// Whose account is used for a client. Accounts for which `is_full` say nothing that a new one would not.
    fn room_for(&mut self, client: Client, now: Instant, is_full: impl Fn(&Account) -> bool) -> Client {
        if self.clients.contains_key(&client) || self.clients.len() < CLIENTS_MAX {
            return client;
        }
        if now.saturating_duration_since(self.forgotten) >= FORGET_EVERY {
            self.forgotten = now;
            self.clients.retain(|_, account| !is_full(account));
        }
        match self.clients.len() < CLIENTS_MAX {
            true => client,
            false => Client::OTHERS,
        }
    }
}

/// Connections by client.
#[derive(Clone, Debug)]
pub(super) struct Crowd {
    each_max: usize,
    connections: Arc<Mutex<HashMap<Client, usize>>>,
}

/// A connection that counts until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    crowd: Crowd,
    client: Client,
}

impl Crowd {
    /// So many connections for each client.
    pub fn new(each_max: usize) -> Crowd {
        Crowd {
            each_max,
            connections: Arc::default(),
        }
    }

    /// A place for one more connection of a client, if it may have one.
    pub fn admit(&self, client: Client) -> Option<Place> {
        let mut connections = locked(&self.connections);
        let count = connections.entry(client).or_default();
        if *count >= self.each_max {
            return None;
        }
        *count += 1;
        Some(Place {
            crowd: self.clone(),
            client,
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut connections = locked(&self.crowd.connections);
        if let Some(count) = connections.get_mut(&self.client) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                connections.remove(&self.client);
            }
        }
    }
}

/// Counts stay counts, whoever panicked while holding the lock.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(number: u32) -> Client {
        Client(IpAddr::V4(number.into()))
    }

    #[test]
    fn clients_are_addresses_or_networks() {
        assert_eq!(Client::of("@"), None);
        assert_eq!(Client::of("1.2.3.4:5"), Client::of("[::ffff:1.2.3.4]:6"));
        assert_ne!(Client::of("1.2.3.4:5"), Client::of("1.2.3.5:5"));
        assert_eq!(Client::of("[2001:db8::1]:5"), Client::of("[2001:db8::2]:5"));
        assert_ne!(Client::of("[2001:db8::1]:5"), Client::of("[2001:db8:0:1::1]:5"));
    }

    #[test]
    fn what_is_spent_comes_back_with_time() {
        let rates = Rates::new(10);
        let start = Instant::now();
        for _ in 0..20 {
            assert_eq!(rates.take(client(1), 1.0, start), Ok(()));
        }
        assert_eq!(rates.take(client(1), 1.0, start), Err(Duration::from_millis(100)));
        assert_eq!(rates.take(client(2), 10.0, start), Ok(()), "another client");
        let later = start + Duration::from_millis(250);
        assert_eq!(rates.take(client(1), 1.0, later), Ok(()));
        assert_eq!(rates.take(client(1), 1.0, later), Ok(()));
        assert!(rates.take(client(1), 1.0, later).is_err());
        assert_eq!(
            rates.take(client(1), 1.0, start),
            Err(Duration::from_millis(50)),
            "earlier"
        );
        assert_eq!(Rates::new(0).take(client(1), 1e9, start), Ok(()));
        assert_eq!(
            Rates::new(1).take(client(1), super::super::routes::COST_MAX, start),
            Ok(())
        );
    }

    #[test]
    fn memory_is_bounded_and_nobody_is_let_off() {
        let rates = Rates::new(10);
        let start = Instant::now();
        for number in 0..2 * CLIENTS_MAX as u32 {
            let _ = rates.take(client(number), 20.0, start);
        }
        assert!(locked(&rates.accounts).clients.len() <= CLIENTS_MAX + 1);
        assert!(rates.take(client(5), 1.0, start).is_err(), "still known");
        assert!(rates.take(client(u32::MAX), 1.0, start).is_err(), "one of the others");
        let later = start + Duration::from_secs(2);
        assert_eq!(rates.take(client(u32::MAX), 20.0, later), Ok(()));
        assert_eq!(locked(&rates.accounts).clients.len(), 1);
    }

    #[test]
    fn connections_are_counted() {
        let crowd = Crowd::new(2);
        let places = [crowd.admit(client(1)), crowd.admit(client(1))];
        assert!(places.iter().all(Option::is_some));
        assert!(crowd.admit(client(1)).is_none());
        assert!(crowd.admit(client(2)).is_some());
        drop(places);
        assert!(crowd.admit(client(1)).is_some());
        assert!(locked(&crowd.connections).is_empty());
    }
}
