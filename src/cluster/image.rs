//! Images as the scheduler sees them.

pub use crate::model::repository;

use crate::model::split_reference as split;

/// An image that a node holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Image {
    /// Normally `sha256:…`.
    pub id: String,
    /// References such as `nginx:1.27`.
    pub tags: Vec<String>,
}

impl Image {
    /// An image known by one reference only, as in a scenario.
    pub fn tagged(reference: &str) -> Image {
        Image {
            id: String::new(),
            tags: vec![reference.to_owned()],
        }
    }

    /// What an `image` affinity compares with: the ID, every tag, and every tag's repository
    /// (`scheduler/RULES.md` §5.5).
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let tags = self.tags.iter().flat_map(|tag| [tag.as_str(), repository(tag)]);
        [self.id.as_str()].into_iter().chain(tags)
    }

    /// Whether `query` names this image (`manager/RULES.md` §7.2): its ID or a prefix of it longer than two characters,
    /// with or without the algorithm, or a reference; a query without tag matches every tag of its repository.
    pub fn matches(&self, query: &str) -> bool {
        let digits = self.id.split_once(':').map_or(self.id.as_str(), |(_, digits)| digits);
        let by_id = [self.id.as_str(), digits]
            .into_iter()
            .any(|id| !id.is_empty() && (id == query || (query.len() > 2 && id.starts_with(query))));
        let (repository, tag) = split(query);
        by_id
            || self.tags.iter().any(|own| {
                let (own_repository, own_tag) = split(own);
                own_repository == repository && (tag.is_empty() || own_tag == tag)
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_match_as_the_rules_say() {
        let image = Image {
            id: "sha256:06a1f7".into(),
            tags: ["busybox:1", "localhost:5000/app"].map(String::from).into(),
        };
        for query in [
            "sha256:06a1f7",
            "sha256:06a",
            "06a1f7",
            "06a",
            "busybox",
            "busybox:1",
            "busybox:",
            "localhost:5000/app",
        ] {
            assert!(image.matches(query), "{query}");
        }
        for query in [
            "",
            "06",
            "6a1",
            "busy",
            "busybox:2",
            "localhost:5000/app:1",
            "localhost",
            "busybox@sha256:00",
        ] {
            assert!(!image.matches(query), "{query}");
        }
        assert!(!Image::tagged("busybox").matches(""));
    }
}
