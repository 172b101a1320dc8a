//! Answers that the manager gives itself: JSON, and errors as clients know them.

use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};
use serde::Serialize;
use serde_json::{Value, json};

use crate::docker::{CallError, FiltersError};
use crate::net::{Body, full};

/// An answer whose body is streamed.
pub(super) type Answer = Response<Body>;

/// Why a request is not done. It becomes `{"message": …}`, which clients of every age read.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Failure {
    pub status: StatusCode,
    pub message: String,
    /// Further fields of the body, such as why each node refused.
    pub details: Option<(&'static str, Value)>,
}

impl Failure {
    pub(super) fn new(status: StatusCode, message: impl Into<String>) -> Failure {
        Failure {
            status,
            message: message.into(),
            details: None,
        }
    }

    pub(super) fn bad_request(message: impl Into<String>) -> Failure {
        Failure::new(StatusCode::BAD_REQUEST, message)
    }

    pub(super) fn not_found(message: impl Into<String>) -> Failure {
        Failure::new(StatusCode::NOT_FOUND, message)
    }

    pub(super) fn internal(message: impl Into<String>) -> Failure {
        Failure::new(StatusCode::INTERNAL_SERVER_ERROR, message)
    }

    /// What clients are sent.
    pub(super) fn body(&self) -> Value {
        let mut body = json!({ "message": self.message });
        if let (Some((name, details)), Some(body)) = (&self.details, body.as_object_mut()) {
            body.insert((*name).to_owned(), details.clone());
        }
        body
    }

    pub(super) fn into_answer(self) -> Answer {
        json_with(self.status, &self.body())
    }
}

impl From<CallError> for Failure {
    /// What a daemon refuses keeps its status only where the caller says so: the original makes it 500
    /// (`manager/API.md` §1). Its text before the message is left out, since clients of today write it themselves.
    fn from(error: CallError) -> Failure {
        let told = error.told();
        match advises_swarm_mode(&told) {
            true => Failure::internal(format!(
                "An engine refuses what needs swarm mode, of which this cluster makes no use: the engines of a standalone \
                 cluster stay outside of it ({}).",
                told.split(". ").next().unwrap_or(&told)
            )),
            false => Failure::internal(told),
        }
    }
}

/// Whether a daemon's text gives advice that is none here: to make it a node of Docker's swarm mode.
pub(super) fn advises_swarm_mode(told: &str) -> bool {
    told.contains("docker swarm init")
}

impl From<FiltersError> for Failure {
    fn from(error: FiltersError) -> Failure {
        let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::BAD_REQUEST);
        Failure::new(status, error.to_string())
    }
}

/// Status 200 with a body in JSON.
pub(super) fn json_answer(body: &impl Serialize) -> Answer {
    json_with(StatusCode::OK, body)
}

/// A body in JSON.
pub(super) fn json_with(status: StatusCode, body: &impl Serialize) -> Answer {
    // Everything that is answered has keys of text and finite numbers, so that it can be written.
    let text = serde_json::to_vec(body).unwrap_or_default();
    let mut answer = Response::new(full(text));
    *answer.status_mut() = status;
    answer
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}

/// A status without a body.
pub(super) fn bare(status: StatusCode) -> Answer {
    let mut answer = Response::new(crate::net::empty());
    *answer.status_mut() = status;
    answer
}
