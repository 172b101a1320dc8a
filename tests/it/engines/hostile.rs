//! Whatever is asked of an engine: it answers, and never panics.

use hyper::Method;
use proptest::prelude::*;
use serde_json::{Value, json};

use swarmlab::engines::{Ask, Reply, answer};
use swarmlab::model::Time;

use super::{model, nodes};

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[a-z:/0-9=.-]{0,9}".prop_map(Value::from),
        Just(json!("busybox")),
        Just(json!("always")),
        Just(json!("/data:/x:ro")),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        let keys = "(Image|HostConfig|Labels|Env|Cmd|Tty|OpenStdin|PortBindings|80/tcp|HostPort|HostIp|RestartPolicy|Name|\
                    NetworkingConfig|EndpointsConfig|bridge|Binds|Mounts|Target|Source|Volumes|Container|Driver|AutoRemove|\
                    NetworkMode|swarmlab.lifetime|AttachStdin|Detach|Memory|PublishAllPorts|ExposedPorts)";
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((keys, inner), 0..7).prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

fn any_target() -> impl Strategy<Value = String> {
    let word = "(containers|images|networks|volumes|exec|json|create|start|stop|kill|restart|pause|unpause|rename|update|\
                wait|logs|stats|top|attach|resize|prune|c1|web|busybox|bridge|events|info|version|_ping|system|df|tag|\
                history|connect|disconnect|commit|auth|load|get|archive|export|changes|build|[a-z0-9%é]{0,5}|)";
    let query = "((name|all|limit|filters|since|until|tail|stdout|stderr|follow|signal|condition|fromImage|tag|repo|force|v|\
                 before|stream|stdin|logs|path|t|dockerfile|names|container)=(web|c1|1|0|-1|busybox|x:y|%7B%22name%22%3A%5B%22%28%22%5D%7D|\
                 %7B%22label%22%3A%7B%22a%22%3Atrue%7D%7D|9999999999|removed|next-exit|KILL|%2Ftmp|[a-z0-9.%]{0,4})&){0,3}";
    (
        prop::option::of("/v1\\.(24|41|99|1)"),
        prop::collection::vec(word, 0..5),
        query,
    )
        .prop_map(|(version, words, query)| format!("{}/{}?{query}", version.unwrap_or_default(), words.join("/")))
}

/// An archive whose file is a Dockerfile, a list of images, or anything else; or one that is cut off.
fn any_archive() -> impl Strategy<Value = Vec<u8>> {
    let name = "(Dockerfile|manifest.json|[a-z./]{1,9})";
    let text = "(FROM (busybox|scratch|a)( AS a)?\n((COPY|ADD|LABEL|RUN|WORKDIR|X) [a-z. /=*]{0,9}\n){0,4}|\
                \\[\\{\"RepoTags\":\\[\"a:1\"\\],\"Layers\":\\[\"[a-z]{0,3}\"\\]\\}\\]|.{0,9})";
    (name, text, 0_usize..4000).prop_map(|(name, text, length)| {
        let mut builder = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        // Not every name is one for an archive.
        let _ = builder.append_data(&mut header, name, text.as_bytes());
        let mut bytes = builder.into_inner().expect("memory does not fail");
        bytes.truncate(length.max(1000) * 2);
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn any_requests_are_answered(
        asks in prop::collection::vec(
            (
                "(GET|POST|PUT|DELETE|HEAD|OPTIONS)",
                any_target(),
                prop_oneof![
                    any_value().prop_map(|value| value.to_string().into_bytes()),
                    ".{0,20}".prop_map(String::into_bytes),
                    any_archive(),
                ],
                0_u64..40,
            ),
            1..25,
        ),
    ) {
        let mut model = model(nodes(1));
        let mut now = Time::ZERO;
        let begin = [
            ("/images/create?fromImage=busybox&tag=latest", ""),
            ("/containers/create?name=web", r#"{"Image":"busybox","OpenStdin":true,"HostConfig":{"RestartPolicy":{"Name":"always"}}}"#),
            ("/containers/create?name=c1", r#"{"Image":"busybox","Labels":{"swarmlab.lifetime":"3s"}}"#),
            ("/containers/web/start", ""),
            ("/containers/c1/start", ""),
        ];
        let begin = begin.map(|(target, body)| ("POST".to_owned(), target.to_owned(), body.as_bytes().to_vec(), 0));
        for (method, target, body, seconds) in begin.into_iter().chain(asks) {
            now = now + std::time::Duration::from_secs(seconds);
            model.advance(now);
            let method = Method::from_bytes(method.as_bytes()).expect("a method");
            let Ok(ask) = Ask::new(method, &target, body.into()) else { continue };
            match answer(&mut model, &ask) {
                Reply::Json(status, _) | Reply::Empty(status) | Reply::Text(status, _) => {
                    prop_assert!((200..600).contains(&status), "{target}: {status}");
                }
                Reply::File { .. } => {}
                Reply::Later(later) => {
                    let _ = later.poll(&model);
                }
                Reply::Follow { mut follow, .. } => {
                    for _ in 0..20 {
                        let _ = follow.next(&model);
                    }
                }
                Reply::TakeOver(session) => {
                    session.feed(&mut model, b"hello\n");
                    let _ = session.follow().next(&model);
                    session.end_input(&mut model);
                }
            }
        }
    }
}
