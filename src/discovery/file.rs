//! `file://path`: a list that people edit, read whenever it has changed.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::mpsc;

use super::error::DiscoveryError;
use super::{Discovery, Entry, Registration, parse_list};

/// Most bytes of a file that are read: room for far more entries than a list may have.
pub const FILE_BYTES_MAX: u64 = 16 << 20;

/// Time between two looks at whether the file has changed. A change is taken in at the second look that finds the file
/// the same, so that a file that is just being rewritten is not mistaken for an empty list.
const LOOK: Duration = Duration::from_millis(400);
/// So many looks after a change at the latest, the file is read though it changes still.
const UNSETTLED_LOOKS_MAX: u32 = 5;

type Lists = mpsc::Sender<Result<Vec<Entry>, DiscoveryError>>;

/// A file with an entry or a range on each line.
pub struct File {
    path: PathBuf,
}

/// What tells one state of a file from another without reading it; none if there is no file.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Mark(Option<(Option<SystemTime>, u64)>);

impl Mark {
    fn of(path: &Path) -> Mark {
        let read = fs::metadata(path).ok();
        Mark(read.map(|found| (found.modified().ok(), found.len())))
    }
}

/// Reads the text of a list: an entry or a range on each line, `#` begins a comment.
fn parse(text: &str) -> Result<Vec<Entry>, DiscoveryError> {
    let lines: Vec<&str> = text
        .lines()
        .map(|line| line.split_once('#').map_or(line, |(entry, _)| entry).trim())
        .collect();
    parse_list(&lines)
}

impl File {
    /// The list in the file with this path, which need not be there yet.
    pub fn new(path: &str) -> File {
        File {
            path: PathBuf::from(path),
        }
    }

    fn read(&self) -> Result<Vec<Entry>, DiscoveryError> {
        let path = || self.path.display().to_string();
        let unreadable = |source| DiscoveryError::Unreadable { path: path(), source };
        // Opening a pipe would wait for somebody to write, and reading a device may never end.
        let found = fs::metadata(&self.path).map_err(unreadable)?;
        if !found.is_file() {
            return Err(unreadable(io::Error::other("it is not a regular file")));
        }
        let mut text = Vec::new();
        let file = fs::File::open(&self.path).map_err(unreadable)?;
        file.take(FILE_BYTES_MAX + 1)
            .read_to_end(&mut text)
            .map_err(unreadable)?;
        if text.len() as u64 > FILE_BYTES_MAX {
            return Err(DiscoveryError::FileTooLarge { path: path() });
        }
        parse(&String::from_utf8_lossy(&text))
    }

    /// Reads the file at once, then after each change and each period, until nobody listens any more.
    fn follow(&self, period: Duration, lists: &Lists) {
        let mut known = None;
        let mut seen = Mark::of(&self.path);
        loop {
            let mark = seen;
            let delivered = match self.read() {
                Ok(list) if known.as_ref() == Some(&list) => Ok(()),
                Ok(list) => {
                    known = Some(list.clone());
                    lists.blocking_send(Ok(list))
                }
                Err(error) => lists.blocking_send(Err(error)),
            };
            if delivered.is_err() {
                return;
            }
            let due = Instant::now().checked_add(period);
            let mut unsettled = 0;
            loop {
                thread::sleep(LOOK.min(period));
                if lists.is_closed() {
                    return;
                }
                let before = seen;
                seen = Mark::of(&self.path);
                let is_due = due.is_some_and(|due| Instant::now() >= due);
                if seen == before && (seen != mark || is_due) {
                    break;
                }
                unsettled = if seen == before { 0 } else { unsettled + 1 };
                if unsettled >= UNSETTLED_LOOKS_MAX {
                    break;
                }
            }
        }
    }
}

impl Discovery for File {
    fn watch(self: Arc<Self>, period: Duration) -> mpsc::Receiver<Result<Vec<Entry>, DiscoveryError>> {
        let (sender, receiver) = mpsc::channel(1);
        let lists = sender.clone();
        let path = self.path.display().to_string();
        // A thread of its own: a file system that does not answer then holds up nothing but this list.
        let started = thread::Builder::new()
            .name("discovery".to_owned())
            .spawn(move || self.follow(period.max(Duration::from_millis(1)), &lists));
        if let Err(source) = started {
            // The channel is new and has room for one message.
            let _ = sender.try_send(Err(DiscoveryError::Unreadable { path, source }));
        }
        receiver
    }

    fn register_all<'a>(&'a self, _advertise: &'a [&'a str], _ttl: Duration) -> Registration<'a> {
        Box::pin(async { Err(DiscoveryError::CannotRegister) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn texts(list: &[Entry]) -> Vec<String> {
        list.iter().map(Entry::to_string).collect()
    }

    #[test]
    fn lines_are_trimmed_and_comments_dropped() {
        let text = "# c\n10.0.0.[1:2]:2375 # hi\n\n  192.168.0.1:[1:2]375  \r\n";
        assert_eq!(
            texts(&parse(text).expect("a list")),
            ["10.0.0.1:2375", "10.0.0.2:2375", "192.168.0.1:1375", "192.168.0.1:2375"]
        );
        assert!(parse("").expect("a list").is_empty());
        let error = parse("a:1\nnohost").expect_err("no port").to_string();
        assert_eq!(error, "address nohost: missing port in address");
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let scratch = tempfile::tempdir().expect("a directory");
        let fault = |path: &Path| {
            let error = File::new(&path.display().to_string()).read().expect_err("a fault");
            error.to_string()
        };
        let missing = scratch.path().join("missing");
        assert!(fault(&missing).starts_with(&format!("failed to read '{}': No such file", missing.display())));
        assert!(fault(scratch.path()).contains("not a regular file"));
        let large = scratch.path().join("large");
        let file = fs::File::create(&large).expect("a file");
        file.set_len(FILE_BYTES_MAX + 1).expect("room");
        assert!(fault(&large).contains("more than 16777216 bytes"));
    }

    /// The next list or error; long waits only on a machine that is very busy.
    async fn next(lists: &mut mpsc::Receiver<Result<Vec<Entry>, DiscoveryError>>) -> Result<Vec<String>, String> {
        let next = tokio::time::timeout(Duration::from_secs(60), lists.recv()).await;
        let next = next.expect("in time").expect("the channel stays open");
        next.map(|list| texts(&list)).map_err(|error| error.to_string())
    }

    #[tokio::test]
    async fn edits_are_taken_in_and_errors_keep_the_list() {
        let scratch = tempfile::tempdir().expect("a directory");
        let path = scratch.path().join("nodes");
        fs::write(&path, "a:1\n").expect("a file");
        let file = Arc::new(File::new(&path.display().to_string()));
        // Only looks can find the edits: the period does not end within this test.
        let mut lists = file.watch(Duration::from_secs(100_000));
        assert_eq!(next(&mut lists).await.expect("the first list"), ["a:1"]);
        fs::write(&path, "a:1\nb:2\n").expect("an edit");
        assert_eq!(next(&mut lists).await.expect("a longer list"), ["a:1", "b:2"]);
        fs::remove_file(&path).expect("removed");
        assert!(next(&mut lists).await.expect_err("an error").contains("failed to read"));
        fs::write(&path, "# nobody\n").expect("an edit");
        assert_eq!(next(&mut lists).await.expect("an empty list"), [""; 0]);
    }

    #[tokio::test]
    async fn a_missing_file_is_reported_every_period() {
        let scratch = tempfile::tempdir().expect("a directory");
        let path = scratch.path().join("nodes");
        let mut lists = Arc::new(File::new(&path.display().to_string())).watch(Duration::from_millis(5));
        for _ in 0..3 {
            assert!(next(&mut lists).await.is_err());
        }
        fs::write(&path, "a:1").expect("a file");
        let mut list = next(&mut lists).await;
        // What was found before the file was there may still be on its way.
        for _ in 0..3 {
            if list.is_err() {
                list = next(&mut lists).await;
            }
        }
        assert_eq!(list.expect("the list"), ["a:1"]);
    }

    proptest! {
        #[test]
        fn any_text_is_a_list_or_an_error(text in any::<String>()) {
            let _ = parse(&text);
        }
    }
}
