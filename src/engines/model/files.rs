//! The files of a container or an image: a tree in memory that remembers what is put into it, and comes out as an
//! archive. Nothing in it is ever executed.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::sync::{Arc, LazyLock};

use tar::{Archive, Builder, EntryType, Header};

/// Bytes of all files of one container: what a client may make us keep.
const BYTES_MAX: u64 = 64 << 20;
/// The permissions of a directory that nobody asked for.
const DIRECTORY_MODE: u32 = 0o755;
/// When files are from that were there from the start: the beginning of the year 2024.
const START: u64 = 1_704_067_200;
/// Directories that every container has.
const USUAL: [&str; 7] = ["/bin", "/etc", "/home", "/root", "/tmp", "/usr", "/var"];

/// A tree of files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    /// By absolute path, without a slash at its end; the root is not among them.
    nodes: BTreeMap<String, Node>,
}

/// A file or directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// What it is.
    pub kind: Kind,
    /// Its permissions.
    pub mode: u32,
    /// When it was changed, in seconds since 1970.
    pub modified: u64,
}

/// What a node is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A directory.
    Directory,
    /// A file with its content.
    File(Vec<u8>),
    /// A symbolic link.
    Link(String),
}

/// Why an archive is not taken in.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// It is no archive.
    #[error("the archive cannot be read: {0}")]
    Archive(#[from] io::Error),
    /// The path is none, or no directory.
    #[error("{0} is not a directory")]
    NotDirectory(String),
    /// It would take too much memory.
    #[error("simulated engines keep at most {} MiB of files in a container", BYTES_MAX >> 20)]
    TooLarge,
}

impl Default for Files {
    fn default() -> Files {
        let directory = |path: &str| (path.to_owned(), Node::directory());
        Files {
            nodes: USUAL.into_iter().map(directory).collect(),
        }
    }
}

impl Node {
    /// A file of now.
    pub fn file(bytes: Vec<u8>) -> Node {
        Node {
            kind: Kind::File(bytes),
            mode: 0o644,
            modified: START,
        }
    }

    /// A directory.
    pub fn directory() -> Node {
        Node {
            kind: Kind::Directory,
            mode: DIRECTORY_MODE,
            modified: START,
        }
    }

    /// Its size in bytes.
    pub fn size(&self) -> u64 {
        match &self.kind {
            Kind::Directory => 4096,
            Kind::File(bytes) => bytes.len() as u64,
            Kind::Link(target) => target.len() as u64,
        }
    }
}

/// An absolute path without dots, doubled slashes or one at the end; the root is empty.
pub fn normal(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.iter().map(|part| format!("/{part}")).collect()
}

/// The last part of a path; a slash for the root.
pub fn base(path: &str) -> &str {
    match path.rsplit_once('/') {
        Some((_, name)) if !name.is_empty() => name,
        _ => "/",
    }
}

impl Files {
    /// Nothing at all.
    pub fn empty() -> Files {
        Files { nodes: BTreeMap::new() }
    }

    /// What every container has from the start, once for all of them.
    pub fn usual() -> Arc<Files> {
        static USUAL: LazyLock<Arc<Files>> = LazyLock::new(Arc::default);
        Arc::clone(&USUAL)
    }

    /// Everything below a directory, by its path in it.
    pub fn below(&self, directory: &str) -> BTreeMap<String, Node> {
        let below = format!("{}/", normal(directory));
        let inner = self.nodes.range(below.clone()..);
        inner
            .map_while(|(path, node)| Some((path.strip_prefix(&below)?.to_owned(), node.clone())))
            .collect()
    }

    /// What is at a path.
    pub fn get(&self, path: &str) -> Option<Node> {
        match normal(path).as_str() {
            "" => Some(Node::directory()),
            path => self.nodes.get(path).cloned(),
        }
    }

    fn is_directory(&self, path: &str) -> bool {
        self.get(path).is_some_and(|node| node.kind == Kind::Directory)
    }

    /// Puts a node at a path, with the directories above it. What was there is gone, unless both are directories.
    pub fn put(&mut self, path: &str, node: Node) -> Result<(), FilesError> {
        let path = normal(path);
        if path.is_empty() {
            return Ok(());
        }
        let mut above = String::new();
        let parents = path.rsplit_once('/').map_or("", |(parents, _)| parents);
        for part in parents.split('/').filter(|part| !part.is_empty()) {
            above = format!("{above}/{part}");
            match self.nodes.get(&above) {
                None => {
                    self.nodes.insert(above.clone(), Node::directory());
                }
                Some(node) if node.kind == Kind::Directory => {}
                Some(_) => return Err(FilesError::NotDirectory(above)),
            }
        }
        if node.kind != Kind::Directory {
            let below = format!("{path}/");
            self.nodes.retain(|other, _| !other.starts_with(&below));
        }
        self.nodes.insert(path, node);
        match self.nodes.values().map(Node::size).sum::<u64>() > BYTES_MAX {
            true => Err(FilesError::TooLarge),
            false => Ok(()),
        }
    }

    /// Unpacks an archive into a directory.
    ///
    /// # Errors
    ///
    /// See [`FilesError`]; some of it may have been unpacked.
    pub fn unpack(&mut self, directory: &str, archive: &[u8]) -> Result<(), FilesError> {
        if !self.is_directory(directory) {
            return Err(FilesError::NotDirectory(directory.to_owned()));
        }
        for entry in Archive::new(archive).entries()? {
            let mut entry = entry?;
            let path = entry.path()?.to_string_lossy().into_owned();
            let header = entry.header();
            let (mode, modified) = (header.mode()? & 0o7777, header.mtime()?);
            let kind = match header.entry_type() {
                EntryType::Directory => Kind::Directory,
                EntryType::Symlink => {
                    let target = entry.link_name()?.map(|target| target.to_string_lossy().into_owned());
                    Kind::Link(target.unwrap_or_default())
                }
                EntryType::Link => {
                    let target = entry.link_name()?.map(|target| target.to_string_lossy().into_owned());
                    let target = format!("{directory}/{}", target.unwrap_or_default());
                    self.get(&target).map_or(Kind::File(Vec::new()), |node| node.kind)
                }
                kind if kind.is_file() => {
                    let mut bytes = Vec::new();
                    entry.read_to_end(&mut bytes)?;
                    Kind::File(bytes)
                }
                // Devices and the like are of no use here.
                _ => continue,
            };
            let node = Node { kind, mode, modified };
            self.put(&format!("{directory}/{path}"), node)?;
        }
        Ok(())
    }

    /// What is at a path and below it, as an archive in which the path's last part is the root. `None` if there is nothing.
    ///
    /// # Errors
    ///
    /// A name that no archive can hold.
    pub fn pack(&self, path: &str) -> Option<io::Result<Vec<u8>>> {
        let path = normal(path);
        let root = self.get(&path)?;
        let mut builder = Builder::new(Vec::new());
        let pack = |builder: &mut Builder<Vec<u8>>| {
            let name = base(&path).trim_start_matches('/').to_owned();
            if !name.is_empty() {
                append(builder, &name, &root)?;
            }
            let below = format!("{path}/");
            for (inner, node) in self.nodes.range(below.clone()..) {
                let Some(rest) = inner.strip_prefix(&below) else { break };
                let inner = if name.is_empty() {
                    rest.to_owned()
                } else {
                    format!("{name}/{rest}")
                };
                append(builder, &inner, node)?;
            }
            builder.finish()
        };
        Some(pack(&mut builder).and_then(|()| builder.into_inner()))
    }

    /// Paths that are not the same as in another tree, each with 0 if it has changed and 1 if it was added, as in
    /// `docker diff`. Nothing is ever removed here.
    pub fn changes(&self, from: &Files) -> Vec<(&str, u8)> {
        let here = self.nodes.iter().filter_map(|(path, node)| match from.nodes.get(path) {
            None => Some((path.as_str(), 1)),
            Some(other) if other != node => Some((path.as_str(), 0)),
            Some(_) => None,
        });
        here.collect()
    }

    /// A number that trees with other files do not have.
    pub fn digest(&self) -> String {
        let shown = self.pack("/").and_then(Result::ok).unwrap_or_default();
        super::hash_bytes(&shown)
    }
}

fn append(builder: &mut Builder<Vec<u8>>, path: &str, node: &Node) -> io::Result<()> {
    let mut header = Header::new_gnu();
    header.set_mode(node.mode);
    header.set_mtime(node.modified);
    header.set_size(0);
    match &node.kind {
        Kind::Directory => {
            header.set_entry_type(EntryType::Directory);
            builder.append_data(&mut header, format!("{path}/"), io::empty())
        }
        Kind::File(bytes) => {
            header.set_entry_type(EntryType::Regular);
            header.set_size(bytes.len() as u64);
            builder.append_data(&mut header, path, bytes.as_slice())
        }
        Kind::Link(target) => {
            header.set_entry_type(EntryType::Symlink);
            builder.append_link(&mut header, path, target)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> Node {
        Node {
            kind: Kind::File(text.as_bytes().to_vec()),
            mode: 0o640,
            modified: 7,
        }
    }

    #[test]
    fn what_is_put_in_comes_out_again() {
        let mut files = Files::default();
        files.put("/tmp/a/../b/hello", file("hello")).expect("room");
        let archive = files.pack("/tmp/b").expect("it is there").expect("an archive");
        let mut others = Files::default();
        others.unpack("/home", &archive).expect("it fits");
        assert_eq!(others.get("/home/b/hello"), Some(file("hello")));
        assert_eq!(
            others.changes(&Files::default()),
            [("/home/b", 1), ("/home/b/hello", 1)]
        );
        assert!(files.pack("/nowhere").is_none() && files.pack("/").is_some());
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let mut files = Files::default();
        files.put("/tmp/a", file("x")).expect("room");
        assert!(matches!(files.put("/tmp/a/b", file("x")), Err(FilesError::NotDirectory(path)) if path == "/tmp/a"));
        assert!(matches!(files.unpack("/tmp/a", &[]), Err(FilesError::NotDirectory(_))));
        assert!(matches!(
            files.unpack("/tmp", b"no archive at all"),
            Err(FilesError::Archive(_))
        ));
        assert_eq!(
            (normal("/../a//b/./"), base("/a/b"), base("")),
            ("/a/b".to_owned(), "b", "/")
        );
    }
}
