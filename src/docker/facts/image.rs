//! What a daemon says about an image.

use crate::docker::json::{self, Map};
use crate::docker::{FactsError, Timestamp};
use crate::model::Labels;

/// An image, from its entry in the list of images.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageFacts {
    /// Its ID, usually with `sha256:` before it.
    pub id: String,
    /// Its names, `repo:tag`, as the daemon lists them: `<none>:<none>` may be among them.
    pub repo_tags: Vec<String>,
    /// Its names by content, `repo@digest`.
    pub repo_digests: Vec<String>,
    /// The ID of the image that it was built on; empty if that is not known.
    pub parent: String,
    /// Its labels.
    pub labels: Labels,
    /// When it was built.
    pub created: Option<Timestamp>,
    /// Its size in bytes.
    pub size_bytes: u64,
}

impl ImageFacts {
    /// Reads an entry of the list of images.
    ///
    /// # Errors
    ///
    /// An image without ID.
    pub fn read(listed: &Map) -> Result<ImageFacts, FactsError> {
        let id = json::text(listed, "Id");
        if id.is_empty() {
            return Err(FactsError::NoId("an image"));
        }
        Ok(ImageFacts {
            id: id.to_owned(),
            repo_tags: json::texts(listed, "RepoTags").map(str::to_owned).collect(),
            repo_digests: json::texts(listed, "RepoDigests").map(str::to_owned).collect(),
            parent: json::text(listed, "ParentId").to_owned(),
            labels: super::container::labels(json::map(listed, "Labels")),
            created: json::number(listed, "Created").map(Timestamp::from_seconds),
            size_bytes: json::number(listed, "Size")
                .and_then(|size| u64::try_from(size).ok())
                .unwrap_or_default(),
        })
    }
}
