//! Every route of the API, and which of them a request asks for (`manager/API.md` §1 and §2).

use hyper::Method;

/// What is done for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Action {
    Ping,
    Info,
    Version,
    Events,
    Metrics,
    ListContainers,
    InspectContainer,
    CreateContainer,
    StartContainer,
    RemoveContainer,
    RenameContainer,
    /// Answered by the container's daemon, which is passed through.
    ProxyContainer,
    /// The same, after which the container is looked at again.
    ProxyAndRefreshContainer,
    /// The client takes over the connection to the container's daemon.
    HijackContainer,
    CreateExec,
    ProxyExec,
    StartExec,
    Commit,
    ListImages,
    SearchImages,
    SaveImages,
    SaveImage,
    ProxyImage,
    PullImage,
    LoadImage,
    PushImage,
    TagImage,
    RemoveImage,
    VisualiseImages,
    Authenticate,
    Build,
    CancelBuild,
    Session,
    ListNetworks,
    InspectNetwork,
    CreateNetwork,
    ConnectNetwork,
    DisconnectNetwork,
    RemoveNetwork,
    ListVolumes,
    InspectVolume,
    CreateVolume,
    RemoveVolume,
    PruneContainers,
    PruneImages,
    PruneNetworks,
    PruneVolumes,
    PruneBuilds,
    DiskUsage,
}

impl Action {
    /// Whether the answer is passed on while an engine writes it, for as long as it writes.
    pub(super) fn is_streamed(self) -> bool {
        matches!(
            self,
            Action::ProxyContainer
                | Action::HijackContainer
                | Action::StartExec
                | Action::SaveImages
                | Action::SaveImage
                | Action::PullImage
                | Action::LoadImage
                | Action::PushImage
                | Action::Build
        )
    }
}

/// Method, path with at most one `{}`, and what it means. `{}` stands for any text, slashes included, so the first row
/// that matches counts.
type Row = (Method, &'static str, Action);

const ROUTES: &[Row] = &[
    (Method::HEAD, "/_ping", Action::Ping),
    (Method::GET, "/_ping", Action::Ping),
    (Method::GET, "/info", Action::Info),
    (Method::GET, "/version", Action::Version),
    (Method::GET, "/events", Action::Events),
    (Method::GET, "/metrics", Action::Metrics),
    (Method::GET, "/containers/json", Action::ListContainers),
    (Method::GET, "/containers/ps", Action::ListContainers),
    (Method::GET, "/containers/{}/json", Action::InspectContainer),
    (Method::HEAD, "/containers/{}/archive", Action::ProxyContainer),
    (Method::GET, "/containers/{}/archive", Action::ProxyContainer),
    (Method::PUT, "/containers/{}/archive", Action::ProxyContainer),
    (Method::GET, "/containers/{}/export", Action::ProxyContainer),
    (Method::GET, "/containers/{}/changes", Action::ProxyContainer),
    (Method::GET, "/containers/{}/top", Action::ProxyContainer),
    (Method::GET, "/containers/{}/logs", Action::ProxyContainer),
    (Method::GET, "/containers/{}/stats", Action::ProxyContainer),
    (Method::GET, "/containers/{}/attach/ws", Action::HijackContainer),
    (Method::POST, "/containers/create", Action::CreateContainer),
    (Method::POST, "/containers/{}/start", Action::StartContainer),
    (Method::POST, "/containers/{}/kill", Action::ProxyAndRefreshContainer),
    (Method::POST, "/containers/{}/pause", Action::ProxyAndRefreshContainer),
    (Method::POST, "/containers/{}/unpause", Action::ProxyAndRefreshContainer),
    (Method::POST, "/containers/{}/restart", Action::ProxyAndRefreshContainer),
    (Method::POST, "/containers/{}/stop", Action::ProxyAndRefreshContainer),
    (Method::POST, "/containers/{}/update", Action::ProxyAndRefreshContainer),
    (Method::POST, "/containers/{}/wait", Action::ProxyAndRefreshContainer),
    (Method::POST, "/containers/{}/rename", Action::RenameContainer),
    (Method::POST, "/containers/{}/resize", Action::ProxyContainer),
    (Method::POST, "/containers/{}/copy", Action::ProxyContainer),
    (Method::POST, "/containers/{}/attach", Action::HijackContainer),
    (Method::POST, "/containers/{}/exec", Action::CreateExec),
    (Method::DELETE, "/containers/{}", Action::RemoveContainer),
    (Method::GET, "/exec/{}/json", Action::ProxyExec),
    (Method::POST, "/exec/{}/start", Action::StartExec),
    (Method::POST, "/exec/{}/resize", Action::ProxyExec),
    (Method::GET, "/images/json", Action::ListImages),
    (Method::GET, "/images/viz", Action::VisualiseImages),
    (Method::GET, "/images/search", Action::SearchImages),
    (Method::GET, "/images/get", Action::SaveImages),
    (Method::GET, "/images/{}/get", Action::SaveImage),
    (Method::GET, "/images/{}/history", Action::ProxyImage),
    (Method::GET, "/images/{}/json", Action::ProxyImage),
    (Method::POST, "/images/create", Action::PullImage),
    (Method::POST, "/images/load", Action::LoadImage),
    (Method::POST, "/images/{}/push", Action::PushImage),
    (Method::POST, "/images/{}/tag", Action::TagImage),
    (Method::DELETE, "/images/{}", Action::RemoveImage),
    (Method::POST, "/auth", Action::Authenticate),
    (Method::POST, "/commit", Action::Commit),
    (Method::POST, "/build", Action::Build),
    (Method::POST, "/build/cancel", Action::CancelBuild),
    (Method::POST, "/session", Action::Session),
    (Method::GET, "/networks", Action::ListNetworks),
    (Method::GET, "/networks/{}", Action::InspectNetwork),
    (Method::POST, "/networks/create", Action::CreateNetwork),
    (Method::POST, "/networks/{}/connect", Action::ConnectNetwork),
    (Method::POST, "/networks/{}/disconnect", Action::DisconnectNetwork),
    (Method::DELETE, "/networks/{}", Action::RemoveNetwork),
    (Method::GET, "/volumes", Action::ListVolumes),
    (Method::GET, "/volumes/{}", Action::InspectVolume),
    (Method::POST, "/volumes/create", Action::CreateVolume),
    (Method::DELETE, "/volumes/{}", Action::RemoveVolume),
    (Method::POST, "/containers/prune", Action::PruneContainers),
    (Method::POST, "/images/prune", Action::PruneImages),
    (Method::POST, "/networks/prune", Action::PruneNetworks),
    (Method::POST, "/volumes/prune", Action::PruneVolumes),
    (Method::POST, "/build/prune", Action::PruneBuilds),
    (Method::GET, "/system/df", Action::DiskUsage),
];

/// What this endpoint does not have, by the first segment of the path, and what to do instead.
const ABSENT: &[(&str, &str)] = &[
    (
        "swarm",
        "there is nothing to initialise or to join: start `swarmlab join` or list the engines' addresses, and see `docker \
         info`",
    ),
    ("nodes", "`docker info` lists its nodes"),
    (
        "services",
        "it has no services: start containers with `docker run` or `docker-compose`, and let them move with their node's \
         failure with the label `com.docker.swarm.reschedule-policies`",
    ),
    (
        "tasks",
        "it has no services, and so no tasks: `docker ps` lists its containers",
    ),
    (
        "secrets",
        "it has no secrets: give them to containers as files or variables",
    ),
    (
        "configs",
        "it has no configs: give them to containers as files or variables",
    ),
    (
        "plugins",
        "plugins belong to single engines: ask the engine itself, whose address `docker info` lists",
    ),
    (
        "distribution",
        "it asks no registry itself: ask an engine, whose address `docker info` lists",
    ),
    (
        "grpc",
        "BuildKit is reached by `docker build` only: other builders ask an engine itself",
    ),
];

/// Why there is no route with this method and path.
pub(super) fn absence(method: &Method, path: &str) -> String {
    let (_, rest) = split_version(path);
    let first = rest.trim_start_matches('/').split('/').next().unwrap_or_default();
    let known = ABSENT.iter().find(|(segment, _)| *segment == first);
    match known {
        Some((_, instead)) => {
            format!(
                "This endpoint is a standalone cluster of Docker engines, not one in swarm mode, and has no /{first}: {instead}"
            )
        }
        None if is_known(path) => {
            format!("404 page not found: this endpoint serves {path}, but not with the method {method}")
        }
        None => format!("404 page not found: {method} {path} is not part of the Docker API as this endpoint serves it"),
    }
}

/// A request's route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Matched {
    pub action: Action,
    /// What stands for `{}`, decoded; empty if the route has none.
    pub name: String,
    /// The path as the client wrote it, before and after what stands for `{}`: from these the path for a daemon is made.
    pub before: String,
    pub after: String,
    /// The version that the path begins with, such as (1, 40).
    pub version: Option<(u32, u32)>,
}

impl Matched {
    /// The path with something else in place of the name.
    pub(super) fn path_with(&self, name: &str) -> String {
        format!("{}{name}{}", self.before, self.after)
    }
}

/// The route of a method and a path, which begins with a slash.
pub(super) fn find(method: &Method, path: &str) -> Option<Matched> {
    let (version, rest) = split_version(path);
    let prefix = &path[..path.len() - rest.len()];
    ROUTES
        .iter()
        .filter(|(own, _, _)| own == method)
        .find_map(|(_, pattern, action)| {
            let (before, after, name) = match pattern.split_once("{}") {
                None => (rest == *pattern).then_some((rest, "", ""))?,
                Some((before, after)) => {
                    let name = rest.strip_prefix(before)?.strip_suffix(after)?;
                    (!name.is_empty()).then_some((before, after, name))?
                }
            };
            Some(Matched {
                action: *action,
                name: decode(name),
                before: format!("{prefix}{before}"),
                after: after.to_owned(),
                version,
            })
        })
}

/// Whether some method has a route with this path.
pub(super) fn is_known(path: &str) -> bool {
    let methods = [Method::GET, Method::POST, Method::PUT, Method::DELETE, Method::HEAD];
    methods.iter().any(|method| find(method, path).is_some())
}

/// The path without empty, `.` and `..` segments, if it has any: clients are sent there.
pub(super) fn cleaned(path: &str) -> Option<String> {
    let mut kept: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                kept.pop();
            }
            name => kept.push(name),
        }
    }
    let mut clean = format!("/{}", kept.join("/"));
    if path.ends_with('/') && clean != "/" {
        clean.push('/');
    }
    (clean != path).then_some(clean)
}

/// The version at the beginning of a path, and what follows it.
pub(super) fn split_version(path: &str) -> (Option<(u32, u32)>, &str) {
    let version = || {
        let (version, _) = path.strip_prefix("/v")?.split_once('/')?;
        let (major, minor) = version.split_once('.')?;
        let number = |digits: &str| {
            let all_digits = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
            // A number that does not fit is still a version.
            all_digits.then(|| digits.parse().unwrap_or(u32::MAX))
        };
        Some(((number(major)?, number(minor)?), &path["/v".len() + version.len()..]))
    };
    version().map_or((None, path), |(version, rest)| (Some(version), rest))
}

/// Takes percent-encoding away. What is no valid encoding stays as it is.
pub(super) fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let digit = |offset: usize| char::from(*bytes.get(at + offset)?).to_digit(16);
        match (bytes[at], digit(1), digit(2)) {
            // Two digits of sixteen fit in a byte.
            (b'%', Some(high), Some(low)) => {
                decoded.push((high * 16 + low) as u8);
                at += 3;
            }
            (byte, _, _) => {
                decoded.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn action(method: Method, path: &str) -> Option<(Action, String)> {
        find(&method, path).map(|matched| (matched.action, matched.name))
    }

    #[test]
    fn names_may_have_slashes_and_fixed_paths_come_first() {
        let list = Some((Action::ListContainers, String::new()));
        assert_eq!(action(Method::GET, "/containers/json"), list);
        assert_eq!(action(Method::GET, "/v1.24/containers/json"), list);
        let inspect = |name: &str| Some((Action::InspectContainer, name.to_owned()));
        assert_eq!(action(Method::GET, "/containers/web/json"), inspect("web"));
        assert_eq!(
            action(Method::GET, "/v1.40/containers/node-1/web/json"),
            inspect("node-1/web")
        );
        assert_eq!(
            action(Method::GET, "/containers/node-1%2Fweb/json"),
            inspect("node-1/web")
        );
        let socket = Some((Action::HijackContainer, "web".to_owned()));
        assert_eq!(action(Method::GET, "/containers/web/attach/ws"), socket);
        assert_eq!(
            action(Method::DELETE, "/images/localhost:5000/app:1"),
            Some((Action::RemoveImage, "localhost:5000/app:1".to_owned()))
        );
        for (method, path) in [
            (Method::POST, "/info"),
            (Method::GET, "/services"),
            (Method::GET, "/containers//json"),
            (Method::GET, "/v1/info"),
            (Method::GET, "/v1.x/info"),
            (Method::DELETE, "/containers/"),
            (Method::GET, ""),
        ] {
            assert_eq!(action(method, path), None, "{path}");
        }
    }

    #[test]
    fn what_there_is_not_is_said() {
        for (method, path, told) in [
            (Method::GET, "/v1.41/nodes", "standalone cluster of Docker engines"),
            (Method::POST, "/v1.41/swarm/init", "swarmlab join"),
            (Method::GET, "/services/web", "no services"),
            (Method::POST, "/info", "not with the method POST"),
            (Method::GET, "/nonsense", "GET /nonsense is not part of"),
        ] {
            assert_eq!(find(&method, path), None);
            assert!(absence(&method, path).contains(told), "{}", absence(&method, path));
        }
    }

    #[test]
    fn a_daemon_is_asked_by_the_clients_version_and_another_name() {
        let matched = find(&Method::GET, "/v1.30/containers/node-1/web/logs").expect("a route");
        assert_eq!(matched.path_with("0123"), "/v1.30/containers/0123/logs");
        assert_eq!(matched.version, Some((1, 30)));
        let matched = find(&Method::GET, "/containers/logs/logs").expect("a route");
        assert_eq!(matched.path_with("0123"), "/containers/0123/logs");
    }

    #[test]
    fn paths_are_cleaned() {
        let cleaned = |path| cleaned(path);
        assert_eq!(cleaned("/containers//json"), Some("/containers/json".to_owned()));
        assert_eq!(cleaned("/a/./b/../c"), Some("/a/c".to_owned()));
        assert_eq!(cleaned("/../.."), Some("/".to_owned()));
        assert_eq!(cleaned(""), Some("/".to_owned()));
        assert_eq!(cleaned("/info"), None);
        assert_eq!(cleaned("/info/"), None);
    }

    #[test]
    fn decoding_never_fails() {
        assert_eq!(decode("a%2Fb%20c"), "a/b c");
        assert_eq!(decode("100%"), "100%");
        assert_eq!(decode("%zz%4"), "%zz%4");
        assert_eq!(decode("%c3%a9"), "é");
        assert_eq!(decode("%ff"), "\u{fffd}");
    }

    proptest::proptest! {
        #[test]
        fn paths_never_panic(path in "(/v[0-9]{0,3}[.x]?[0-9]{0,3})?(/(containers|images|exec|networks|json|[.]{0,3}|\\PC{0,4}|%[0-9a-g]{0,2}))*",
            method in 0..ROUTES.len(),
        ) {
            if let Some(clean) = cleaned(&path) {
                proptest::prop_assert_eq!(cleaned(&clean), None);
            }
            let _ = decode(&path);
            let _ = is_known(&path);
            if let Some(matched) = find(&ROUTES[method].0, &path) {
                // Nothing of what the client wrote is lost but the name.
                let with_name = matched.path_with("");
                proptest::prop_assert!(with_name.len() <= path.len() && path.starts_with(&matched.before));
                proptest::prop_assert!(path.ends_with(&matched.after));
            }
        }

        #[test]
        fn every_name_finds_its_way(name in "[a-z/:.@_-]{1,20}", version in "(/v[0-9]{1,3}[.][0-9]{1,3})?") {
            let matched = find(&Method::GET, &format!("{version}/images/{name}/history")).expect("a route");
            proptest::prop_assert_eq!(matched.action, Action::ProxyImage);
            proptest::prop_assert_eq!(matched.name, name);
        }
    }
}
