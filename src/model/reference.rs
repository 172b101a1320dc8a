//! What images are called.

/// A reference without its digest or tag. A colon before a slash is a registry's port.
pub fn repository(reference: &str) -> &str {
    split_reference(reference).0
}

/// A reference's repository, and its digest or tag, empty if it has none.
pub fn split_reference(reference: &str) -> (&str, &str) {
    if let Some(parts) = reference.split_once('@') {
        return parts;
    }
    match reference.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => (repository, tag),
        _ => (reference, ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registry_port_is_no_tag() {
        assert_eq!(repository("nginx:1.27"), "nginx");
        assert_eq!(repository("localhost:5000/nginx"), "localhost:5000/nginx");
        assert_eq!(repository("localhost:5000/nginx:1"), "localhost:5000/nginx");
        assert_eq!(repository("nginx@sha256:00"), "nginx");
    }
}
