//! Images as the scheduler sees them.

/// An image that a node holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
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

    /// What an `image` affinity compares with: the ID, every tag, and every tag's repository (`scheduling.md` §5.5).
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let tags = self.tags.iter().flat_map(|tag| [tag.as_str(), repository(tag)]);
        [self.id.as_str()].into_iter().chain(tags)
    }

    /// Whether `query` names this image (`live-manager.md` §7.2): its ID or a prefix of it longer than two characters,
    /// with or without the algorithm, or a reference; a query without tag matches every tag of its repository.
    pub fn matches(&self, query: &str) -> bool {
        let digits = self.id.split_once(':').map_or(self.id.as_str(), |(_, digits)| digits);
        let by_id = [self.id.as_str(), digits]
            .into_iter()
            .any(|id| !id.is_empty() && (id == query || (query.len() > 2 && id.starts_with(query))));
        let tagged = repository(query).len() < query.len();
        by_id
            || self
                .tags
                .iter()
                .any(|tag| if tagged { tag == query } else { repository(tag) == query })
    }
}

/// A reference without its digest or tag. A colon before a slash is a registry's port (`live-manager.md` §7.2).
pub fn repository(reference: &str) -> &str {
    if let Some((repository, _digest)) = reference.split_once('@') {
        return repository;
    }
    match reference.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => repository,
        _ => reference,
    }
}

#[cfg(test)]
mod tests {
    use super::repository;

    #[test]
    fn a_registry_port_is_no_tag() {
        assert_eq!(repository("nginx:1.27"), "nginx");
        assert_eq!(repository("localhost:5000/nginx"), "localhost:5000/nginx");
        assert_eq!(repository("localhost:5000/nginx:1"), "localhost:5000/nginx");
        assert_eq!(repository("nginx@sha256:00"), "nginx");
    }
}
