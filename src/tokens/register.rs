//! The register in its file: clusters, their addresses, and when each address expires.
//!
//! Times are milliseconds since the Unix epoch, so that what is due while nothing runs is gone at the next start. Every
//! transaction is on the disk before it counts as done.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use redb::backends::FileBackend;
use redb::{
    Database, ReadableDatabase, ReadableTable, ReadableTableMetadata, Table, TableDefinition, WriteTransaction,
};

use super::Limits;
use super::token::{BYTES, Token};

type Key = &'static [u8; BYTES];

/// When a cluster was last used, how many addresses it has, whether it ever had any.
const CLUSTERS: TableDefinition<'static, Key, (u64, u64, bool)> = TableDefinition::new("clusters");
/// When an address in a cluster expires.
const ENTRIES: TableDefinition<'static, (Key, &'static str), u64> = TableDefinition::new("entries");
/// The same, in the order in which they expire.
const EXPIRIES: TableDefinition<'static, (u64, Key, &'static str), ()> = TableDefinition::new("expiries");

/// How long a cluster without addresses is kept after it was last listed or registered with.
pub(super) const IDLE: Duration = Duration::from_secs(30 * 24 * 3600);
/// How long a cluster is kept that has never had an address.
pub(super) const UNUSED: Duration = Duration::from_secs(24 * 3600);
/// How exactly it is noted when a cluster was last used.
const USE_IS_NOTED: Duration = Duration::from_secs(3600);
/// What one transaction removes, of addresses and of clusters each. What is left is next.
const REMOVALS_MAX: usize = 10_000;
/// Memory for pages of the file.
const CACHE_BYTES: usize = 32 << 20;

/// Tells the time, in milliseconds since the Unix epoch.
pub(crate) type Clock = Arc<dyn Fn() -> u64 + Send + Sync>;

/// The system's time.
pub(super) fn now() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    millis(since.unwrap_or_default())
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// Why the register cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RegisterError {
    /// It cannot be opened: there is another file of this name, say, or another service has it open.
    #[error("cannot open the register {}: {reason}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What is in the way.
        reason: String,
    },
    /// It cannot be read or written.
    #[error("the register failed: {0}")]
    Failed(String),
    /// What works on it has ended unasked.
    #[error("the discovery service broke off: {0}")]
    Ended(String),
}

impl RegisterError {
    fn failed(error: impl Into<redb::Error>) -> RegisterError {
        RegisterError::Failed(error.into().to_string())
    }
}

/// Why an order is not carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("no such cluster")]
    NoSuchCluster,
    #[error("no such address in the cluster")]
    NoSuchAddress,
    #[error("this service has {0} clusters, the most that it takes")]
    TooManyClusters(u64),
    #[error("the cluster has {0} addresses, the most that it takes")]
    TooManyEntries(u64),
    #[error("this service has {0} addresses, the most that it takes")]
    TooManyEntriesInAll(u64),
    /// The register could not be written; the log says why.
    #[error("the register failed")]
    Failed,
}

/// An alteration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Create(Token),
    Register {
        token: Token,
        address: String,
        ttl: Duration,
    },
    Withdraw {
        token: Token,
        address: String,
    },
    /// The cluster has been listed.
    Note(Token),
    /// Whatever is due is to go.
    Sweep,
}

/// The addresses of a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listing {
    /// In the order of their bytes.
    pub addresses: Vec<String>,
    /// Whether the use of the cluster should be noted.
    pub note: bool,
}

/// See the module.
pub(super) struct Register {
    database: Database,
    limits: Limits,
    clock: Clock,
}

impl Register {
    /// Opens the register in a file, or makes one.
    pub fn open(path: &Path, limits: &Limits, clock: Clock) -> Result<Register, RegisterError> {
        let fault = |reason: String| RegisterError::Open {
            path: path.to_owned(),
            reason,
        };
        let is_new = !path.exists();
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            // Tokens are keys: nobody else should read them.
            .mode(0o600)
            .open(path)
            .map_err(|error| fault(error.to_string()))?;
        let file = FileBackend::new(file).map_err(|error| fault(error.to_string()))?;
        let database = Database::builder()
            .set_cache_size(CACHE_BYTES)
            .create_with_backend(file)
            .map_err(|error| fault(error.to_string()))?;
        let register = Register {
            database,
            limits: limits.clone(),
            clock,
        };
        register.prepare().map_err(|error| fault(error.to_string()))?;
        if is_new {
            // The name of a file is on the disk only when its directory is.
            let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
            let directory = fs::canonicalize(directory.unwrap_or(Path::new(".")));
            let synced = directory.and_then(|directory| File::open(directory)?.sync_all());
            synced.map_err(|error| fault(error.to_string()))?;
        }
        Ok(register)
    }

    /// Makes the tables, so that readers find them, and removes what came to be due while nothing ran.
    fn prepare(&self) -> Result<(), redb::Error> {
        let transaction = self.database.begin_write()?;
        {
            let now = (self.clock)();
            let mut tables = Tables::open(&transaction, &self.limits)?;
            tables.expire(now)?;
            tables.sweep(now)?;
        }
        Ok(transaction.commit()?)
    }

    /// Carries out orders in one transaction. When this returns, it is on the disk, or nothing of it has happened.
    pub fn apply(&self, orders: &[Order]) -> Result<Vec<Result<(), Refusal>>, RegisterError> {
        self.transact(orders).map_err(RegisterError::failed)
    }

    fn transact(&self, orders: &[Order]) -> Result<Vec<Result<(), Refusal>>, redb::Error> {
        let now = (self.clock)();
        let mut transaction = self.database.begin_write()?;
        // So that a start after a crash does not have to read the whole file.
        transaction.set_quick_repair(true);
        let (outcomes, altered) = {
            let mut tables = Tables::open(&transaction, &self.limits)?;
            // First, so that what is due is in nobody's way.
            tables.expire(now)?;
            let outcomes = orders.iter().map(|order| tables.carry_out(order, now));
            (outcomes.collect::<Result<Vec<_>, redb::Error>>()?, tables.altered)
        };
        // What is refused costs the disk nothing.
        match altered {
            true => transaction.commit()?,
            false => transaction.abort()?,
        }
        Ok(outcomes)
    }

    /// The addresses of a cluster that have not expired; none if there is no such cluster.
    pub fn list(&self, token: Token) -> Result<Option<Listing>, RegisterError> {
        self.look_up(token).map_err(RegisterError::failed)
    }

    fn look_up(&self, token: Token) -> Result<Option<Listing>, redb::Error> {
        let now = (self.clock)();
        let reading = self.database.begin_read()?;
        let Some(cluster) = reading.open_table(CLUSTERS)?.get(&token.0)? else {
            return Ok(None);
        };
        let (used, _, _) = cluster.value();
        let entries = reading.open_table(ENTRIES)?;
        let mut addresses = Vec::new();
        for entry in entries.range((&token.0, "")..)? {
            let (key, expiry) = entry?;
            let (owner, address) = key.value();
            if *owner != token.0 {
                break;
            }
            if expiry.value() > now {
                addresses.push(address.to_owned());
            }
        }
        let note = used.saturating_add(millis(USE_IS_NOTED)) <= now;
        Ok(Some(Listing { addresses, note }))
    }

    /// How many clusters and addresses there are, those included that are due to go.
    pub fn sizes(&self) -> Result<(u64, u64), RegisterError> {
        let count = || -> Result<(u64, u64), redb::Error> {
            let reading = self.database.begin_read()?;
            Ok((
                reading.open_table(CLUSTERS)?.len()?,
                reading.open_table(ENTRIES)?.len()?,
            ))
        };
        count().map_err(RegisterError::failed)
    }
}

/// The tables in a transaction that writes.
struct Tables<'a> {
    clusters: Table<'a, Key, (u64, u64, bool)>,
    entries: Table<'a, (Key, &'static str), u64>,
    expiries: Table<'a, (u64, Key, &'static str), ()>,
    limits: &'a Limits,
    /// Whether there is anything to write.
    altered: bool,
}

impl<'a> Tables<'a> {
    fn open(transaction: &'a WriteTransaction, limits: &'a Limits) -> Result<Tables<'a>, redb::Error> {
        Ok(Tables {
            clusters: transaction.open_table(CLUSTERS)?,
            entries: transaction.open_table(ENTRIES)?,
            expiries: transaction.open_table(EXPIRIES)?,
            limits,
            altered: false,
        })
    }

    fn carry_out(&mut self, order: &Order, now: u64) -> Result<Result<(), Refusal>, redb::Error> {
        match order {
            Order::Create(token) => {
                if self.clusters.len()? >= self.limits.clusters {
                    return Ok(Err(Refusal::TooManyClusters(self.limits.clusters)));
                }
                self.put(*token, (now, 0, false))?;
            }
            Order::Register { token, address, ttl } => return self.register(*token, address, *ttl, now),
            Order::Withdraw { token, address } => {
                let Some((_, entries, _)) = self.cluster(*token)? else {
                    return Ok(Err(Refusal::NoSuchCluster));
                };
                let known = self
                    .entries
                    .remove((&token.0, address.as_str()))?
                    .map(|old| old.value());
                let Some(expiry) = known else {
                    return Ok(Err(Refusal::NoSuchAddress));
                };
                self.expiries.remove((expiry, &token.0, address.as_str()))?;
                self.put(*token, (now, entries.saturating_sub(1), true))?;
            }
            Order::Note(token) => {
                if let Some((_, entries, ever)) = self.cluster(*token)? {
                    self.put(*token, (now, entries, ever))?;
                }
            }
            Order::Sweep => self.sweep(now)?,
        }
        Ok(Ok(()))
    }

    fn cluster(&self, token: Token) -> Result<Option<(u64, u64, bool)>, redb::Error> {
        Ok(self.clusters.get(&token.0)?.map(|cluster| cluster.value()))
    }

    /// Every order that alters anything alters its cluster, if only when it was last used.
    fn put(&mut self, token: Token, cluster: (u64, u64, bool)) -> Result<(), redb::Error> {
        self.altered = true;
        self.clusters.insert(&token.0, cluster)?;
        Ok(())
    }

    fn register(
        &mut self,
        token: Token,
        address: &str,
        ttl: Duration,
        now: u64,
    ) -> Result<Result<(), Refusal>, redb::Error> {
        let Some((_, mut entries, _)) = self.cluster(token)? else {
            return Ok(Err(Refusal::NoSuchCluster));
        };
        let key = (&token.0, address);
        let known = self.entries.get(key)?.map(|expiry| expiry.value());
        match known {
            Some(expiry) => {
                self.expiries.remove((expiry, &token.0, address))?;
            }
            None if entries >= self.limits.entries => {
                return Ok(Err(Refusal::TooManyEntries(self.limits.entries)));
            }
            None if self.entries.len()? >= self.limits.entries_total => {
                return Ok(Err(Refusal::TooManyEntriesInAll(self.limits.entries_total)));
            }
            None => entries += 1,
        }
        let expiry = now.saturating_add(millis(ttl));
        self.entries.insert(key, expiry)?;
        self.expiries.insert((expiry, &token.0, address), ())?;
        self.put(token, (now, entries, true))?;
        Ok(Ok(()))
    }

    /// Removes addresses that have expired.
    fn expire(&mut self, now: u64) -> Result<(), redb::Error> {
        let mut due = Vec::new();
        for entry in self
            .expiries
            .range(..(now.saturating_add(1), &[0; BYTES], ""))?
            .take(REMOVALS_MAX)
        {
            let (key, ()) = entry.map(|(key, _)| (key, ()))?;
            let (expiry, owner, address) = key.value();
            due.push((expiry, *owner, address.to_owned()));
        }
        for (expiry, owner, address) in due {
            self.expiries.remove((expiry, &owner, address.as_str()))?;
            self.entries.remove((&owner, address.as_str()))?;
            self.altered = true;
            if let Some((used, entries, ever)) = self.cluster(Token(owner))? {
                self.put(Token(owner), (used, entries.saturating_sub(1), ever))?;
            }
        }
        Ok(())
    }

    /// Removes clusters that nobody has used for long.
    fn sweep(&mut self, now: u64) -> Result<(), redb::Error> {
        let mut due = Vec::new();
        for cluster in self.clusters.iter()? {
            let (key, cluster) = cluster?;
            let (used, entries, ever) = cluster.value();
            let kept = if ever { IDLE } else { UNUSED };
            if entries == 0 && used.saturating_add(millis(kept)) <= now {
                due.push(*key.value());
                if due.len() == REMOVALS_MAX {
                    break;
                }
            }
        }
        for token in due {
            self.clusters.remove(&token)?;
            self.altered = true;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
