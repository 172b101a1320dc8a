//! `GET /events`: what happens in the cluster, as it happens (`manager/API.md` §6).

use std::time::Duration;

use hyper::header::{CONTENT_TYPE, HeaderValue};
use tokio::sync::broadcast::error::RecvError;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::answer::{Answer, Failure};
use super::server::Call;
use crate::docker::{FilteredEvent, Filters, Map, json, wants_event};
use crate::model::Labels;
use crate::net;

/// How long a client may leave an event unread.
const UNREAD_MAX: Duration = Duration::from_secs(10);

/// Streams events until the time that the client gave, or until one of both sides goes away.
pub(super) fn stream(call: &Call) -> Result<Answer, Failure> {
    let filters = call.filters()?;
    let until = match call.parameter("until") {
        "" => None,
        text => {
            // Clients of today send a fraction of a second as well.
            let whole = text.split('.').next().unwrap_or(text);
            let seconds: i64 = whole
                .parse()
                .map_err(|_| Failure::bad_request(format!("until={text} is no time in seconds")))?;
            (seconds > 0).then_some(seconds)
        }
    };
    let ends = until.map(|seconds| {
        let left = u64::try_from(seconds.saturating_sub(call.manager.now().seconds())).unwrap_or(0);
        Instant::now() + Duration::from_secs(left)
    });
    let mut listening = call.manager.hub.listen();
    let stop = call.manager.stop.clone();
    let (mut sender, body) = net::channel();
    // A client that goes away while nothing happens is noticed as well.
    let gone = CancellationToken::new();
    let left = gone.clone();
    let body = net::followed_by(body, async move { left.cancel() });
    tokio::spawn(async move {
        let end = async {
            match ends {
                Some(instant) => tokio::time::sleep_until(instant).await,
                None => std::future::pending().await,
            }
        };
        let mut end = std::pin::pin!(end);
        loop {
            tokio::select! {
                biased;
                () = &mut end => return,
                () = stop.cancelled() => return,
                () = gone.cancelled() => return,
                told = listening.recv() => match told {
                    Ok(told) if !wanted(&filters, &told.event) => {}
                    Ok(told) => {
                        let sent = tokio::time::timeout(UNREAD_MAX, sender.send_data(told.text)).await;
                        if !matches!(sent, Ok(Ok(()))) {
                            return;
                        }
                    }
                    // Who falls so far behind must not believe to have seen everything.
                    Err(RecvError::Lagged(_) | RecvError::Closed) => return,
                },
            }
        }
    });
    let mut answer = Answer::new(body);
    answer
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(answer)
}

/// Whether a client asked for an event. The original ignored filters.
fn wanted(filters: &Filters, event: &Map) -> bool {
    let nothing = Map::new();
    let actor = json::map(event, "Actor").unwrap_or(&nothing);
    let attributes: Labels = json::map(actor, "Attributes")
        .into_iter()
        .flatten()
        .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
        .collect();
    let event = FilteredEvent {
        kind: json::text(event, "Type"),
        action: json::text(event, "Action"),
        id: json::text(actor, "ID"),
        scope: json::text(event, "scope"),
        attributes: &attributes,
    };
    // dockerd's own filter of this name is about the nodes of Swarm mode.
    filters.equals("node", attributes.get("node.name").map_or("", String::as_str)) && wants_event(filters, &event)
}
