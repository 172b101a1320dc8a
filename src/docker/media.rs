//! Which requests a daemon takes in JSON only, as Docker 20.10 does: a browser sends text and forms to any server, but
//! asks before it sends JSON.

use hyper::Method;
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, TRANSFER_ENCODING};

use super::ApiVersion;

/// The first version in which the start of a command has to be JSON.
const EXEC_START_SINCE: ApiVersion = ApiVersion { major: 1, minor: 22 };

/// Refuses a body of another type than JSON where daemons do. `path` is without the version, which is given if the
/// client wrote one. The error is the daemon's; its status is 400.
///
/// Without a type there must be no body; a type must be right even without one.
///
/// # Errors
///
/// What the daemon says.
pub fn check_type(method: &Method, path: &str, version: Option<ApiVersion>, headers: &HeaderMap) -> Result<(), String> {
    if !wants_json(method, path, version) {
        return Ok(());
    }
    let told = headers
        .get(CONTENT_TYPE)
        .map(|kind| String::from_utf8_lossy(kind.as_bytes()));
    let told = told.as_deref().unwrap_or_default().trim();
    let no_body = || {
        let length = headers.get(CONTENT_LENGTH).map(|length| length.as_bytes());
        !headers.contains_key(TRANSFER_ENCODING)
            && length.is_none_or(|length| length.iter().all(|digit| *digit == b'0'))
    };
    if told.is_empty() && no_body() || is_json(told) {
        return Ok(());
    }
    Err(format!("Content-Type specified ({told}) must be 'application/json'"))
}

fn wants_json(method: &Method, path: &str, version: Option<ApiVersion>) -> bool {
    if *method != Method::POST {
        return false;
    }
    // Names may have slashes in them.
    let path = path.trim_start_matches('/');
    let (first, rest) = path.split_once('/').unwrap_or((path, ""));
    let last = rest.rsplit('/').next().unwrap_or_default();
    match (first, last) {
        ("commit", _) => rest.is_empty(),
        ("containers" | "volumes" | "networks", "create") => rest == last,
        ("containers", "update" | "exec" | "copy") | ("networks", "connect" | "disconnect") => rest != last,
        ("exec", "start") => version.is_none_or(|version| version >= EXEC_START_SINCE),
        _ => false,
    }
}

/// Whether a media type is JSON's, with parameters of the right form.
fn is_json(told: &str) -> bool {
    let mut parts = told.split(';').map(str::trim);
    if !parts
        .next()
        .is_some_and(|kind| kind.eq_ignore_ascii_case("application/json"))
    {
        return false;
    }
    let mut names: Vec<String> = Vec::new();
    let is_token = |text: &str| {
        !text.is_empty()
            && text
                .bytes()
                .all(|byte| byte.is_ascii_graphic() && !br#"()<>@,;:\"/[]?="#.contains(&byte))
    };
    parts.filter(|part| !part.is_empty()).all(|part| {
        let Some((name, value)) = part.split_once('=') else {
            return false;
        };
        let name = name.trim().to_ascii_lowercase();
        let is_quoted = value.len() >= 2 && value.starts_with('"') && value.ends_with('"');
        let is_new = !names.contains(&name);
        names.push(name.clone());
        is_new && is_token(&name) && (is_token(value) || is_quoted)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, version: Option<ApiVersion>, lines: &[(&'static str, &str)]) -> Result<(), String> {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, value.parse().expect("a header's value"));
        }
        check_type(&Method::POST, path, version, &headers)
    }

    /// What Docker 20.10.24 answered.
    #[test]
    fn the_same_types_are_refused_as_by_daemons() {
        for (kind, is_taken) in [
            ("application/json", true),
            ("application/json; charset=utf-8", true),
            ("APPLICATION/JSON", true),
            ("application/json;", true),
            ("application/json; x", false),
            ("application/json, text/plain", false),
            ("application/jsonx", false),
            ("text/json", false),
            ("application/json;charset=\"utf-8", false),
            ("application/json; a=1; a=2", false),
            ("text/plain; a=application/json", false),
            ("multipart/form-data; boundary=x", false),
            ("application/x-www-form-urlencoded", false),
            ("application", false),
        ] {
            let expected = match is_taken {
                true => Ok(()),
                false => Err(format!("Content-Type specified ({kind}) must be 'application/json'")),
            };
            for body in [&[("content-length", "2")][..], &[("transfer-encoding", "chunked")], &[]] {
                let lines = [&[("content-type", kind)], body].concat();
                assert_eq!(check("/volumes/create", None, &lines), expected);
            }
        }
        let untyped = Err("Content-Type specified () must be 'application/json'".to_owned());
        assert_eq!(check("/volumes/create", None, &[("content-length", "2")]), untyped);
        assert_eq!(
            check("/volumes/create", None, &[("transfer-encoding", "chunked")]),
            untyped
        );
        assert_eq!(check("/volumes/create", None, &[("content-length", "0")]), Ok(()));
        assert_eq!(check("/volumes/create", None, &[]), Ok(()));
    }

    #[test]
    fn only_requests_that_are_read_as_json_have_to_be() {
        let text = [("content-type", "text/plain"), ("content-length", "2")];
        for path in [
            "/containers/create",
            "/containers/x/update",
            "/containers/node-1/x/exec",
            "/exec/x/start",
            "/commit",
            "/volumes/create",
            "/networks/create",
            "/networks/x/connect",
            "/networks/x/disconnect",
        ] {
            assert!(check(path, None, &text).is_err(), "{path}");
        }
        for path in [
            "/containers/x/start",
            "/containers/x/attach",
            "/exec/x/resize",
            "/auth",
            "/build",
            "/images/load",
            "/images/create",
            "/images/x/push",
            "/containers/prune",
            "/session",
            "/containers/update",
        ] {
            assert_eq!(check(path, None, &text), Ok(()), "{path}");
        }
        let old = Some(ApiVersion { major: 1, minor: 21 });
        assert_eq!(check("/exec/x/start", old, &text), Ok(()));
    }
}
