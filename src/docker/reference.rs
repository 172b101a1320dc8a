//! What daemons take for an image's name.

/// A reference with its tag, `latest` if it has none, without what stands for the public registry.
pub fn tagged(reference: &str) -> String {
    let short = reference
        .strip_prefix("docker.io/library/")
        .or_else(|| reference.strip_prefix("library/"))
        .or_else(|| reference.strip_prefix("docker.io/"))
        .unwrap_or(reference);
    let name = short.rsplit('/').next().unwrap_or(short);
    match name.contains([':', '@']) {
        true => short.to_owned(),
        false => format!("{short}:latest"),
    }
}

/// Of several images, each with its ID and names, the one that a reference stands for, as dockerd finds it: by its name, or
/// else by the beginning of an ID that only it has.
pub fn find<'a, T: Copy>(
    reference: &str,
    images: impl Iterator<Item = (T, &'a str, [&'a [String]; 2])> + Clone,
) -> Option<T> {
    let wanted = tagged(reference);
    let mut named = images.clone();
    if let Some((image, ..)) = named.find(|(_, _, names)| names.iter().any(|names| names.contains(&wanted))) {
        return Some(image);
    }
    let digits = reference.strip_prefix("sha256:").unwrap_or(reference);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let begins = |id: &str| id.strip_prefix("sha256:").unwrap_or(id).starts_with(digits);
    let mut found = images.filter(|(_, id, _)| begins(id));
    match (found.next(), found.next()) {
        (Some((only, ..)), None) => Some(only),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_found_as_dockerd_finds_it() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let (busybox, child) = (names(&["busybox:latest", "org/busy:2"]), names(&["child:1"]));
        let images = [(1, "sha256:1aae4d", &busybox), (2, "sha256:1b9603", &child)];
        let found = |reference: &str| {
            let images = images.iter().map(|(key, id, tags)| (*key, *id, [tags.as_slice(), &[]]));
            find(reference, images)
        };
        for (reference, expected) in [
            ("busybox", Some(1)),
            ("busybox:latest", Some(1)),
            ("docker.io/library/busybox", Some(1)),
            ("org/busy:2", Some(1)),
            ("org/busy", None),
            ("child", None),
            ("child:1", Some(2)),
            ("1a", Some(1)),
            ("sha256:1b9603", Some(2)),
            ("1", None),
            ("aae4d", None),
            ("", None),
            ("BAD NAME", None),
        ] {
            assert_eq!(found(reference), expected, "{reference}");
        }
    }
}
