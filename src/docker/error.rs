//! How a call to a daemon fails.

use crate::net::{Address, DialError, SendError};

use super::json::{self, Map};

/// Characters of an error text that a daemon, or what poses as one, can make us keep.
const MESSAGE_CHARS_MAX: usize = 4096;

/// Why a call did not succeed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The daemon cannot be reached, or stopped in the middle of an answer: a failure of the daemon, whoever asked.
    #[error("{0}")]
    Unreachable(String),
    /// The same after the request was sent: what it asks for may happen nevertheless.
    #[error("{0}")]
    Unanswered(String),
    /// The daemon has not carried out an order in time, but may nevertheless: some orders take long.
    #[error("{0}")]
    Late(String),
    /// The daemon does not answer, as others have found out. What was asked for may happen nevertheless.
    #[error("The Docker daemon at {0} does not answer")]
    BrokenOff(Address),
    /// The daemon answered, and refuses. It is alive.
    #[error("Error response from daemon: {message}")]
    Answered {
        /// Status of the answer.
        status: u16,
        /// What the daemon says.
        message: String,
    },
    /// What answers does not speak as a daemon does, or says more than it may.
    #[error("cannot understand the answer: {0}")]
    Garbled(String),
    /// The request cannot be sent: it is wrong, or its own body failed. The daemon has no part in it.
    #[error("cannot send the request: {0}")]
    Request(String),
}

impl CallError {
    /// The text that users of Docker know for a daemon that is not there.
    pub fn no_daemon(address: &Address) -> CallError {
        CallError::Unreachable(format!(
            "Cannot connect to the Docker daemon at {address}. Is the docker daemon running?"
        ))
    }

    /// The same for one that has not carried out an order in time.
    pub fn late(address: &Address) -> CallError {
        CallError::Late(CallError::no_daemon(address).to_string())
    }

    /// The connection to a daemon ended in the middle.
    pub fn broken(address: &Address, reason: &dyn std::fmt::Display) -> CallError {
        CallError::Unanswered(format!("error during connect: {address}: {reason}"))
    }

    /// What a client is told: a daemon's message as the daemon wrote it, since clients of today introduce it themselves.
    pub fn told(&self) -> String {
        match self {
            CallError::Answered { message, .. } => message.clone(),
            other => other.to_string(),
        }
    }

    /// Whether the daemon counts as not reachable.
    pub fn is_unreachable(&self) -> bool {
        self.is_unanswered() || matches!(self, CallError::Unreachable(_))
    }

    /// Whether the daemon is only known to take more time for an order than it has.
    pub fn is_late(&self) -> bool {
        matches!(self, CallError::Late(_))
    }

    /// Whether the daemon may do what it was asked for all the same.
    pub fn is_unanswered(&self) -> bool {
        matches!(
            self,
            CallError::Unanswered(_) | CallError::BrokenOff(_) | CallError::Late(_)
        )
    }

    /// Whether the daemon does not have what was asked for.
    pub fn is_not_found(&self) -> bool {
        self.status() == Some(404)
    }

    /// The status of the daemon's answer, if it gave one.
    pub fn status(&self) -> Option<u16> {
        match self {
            CallError::Answered { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// The error that an answer of `status` with this body is: `message` of its JSON, or else its text.
    pub(super) fn answered(status: u16, body: &[u8]) -> CallError {
        let message = match serde_json::from_slice::<Map>(body) {
            Ok(map) if !json::text(&map, "message").is_empty() => json::text(&map, "message").to_owned(),
            _ => String::from_utf8_lossy(body).trim().to_owned(),
        };
        let message = match message.char_indices().nth(MESSAGE_CHARS_MAX) {
            Some((end, _)) => format!("{}…", &message[..end]),
            None if message.is_empty() => format!("status {status} without a message"),
            None => message,
        };
        CallError::Answered { status, message }
    }
}

impl From<DialError> for CallError {
    fn from(error: DialError) -> CallError {
        match &error {
            DialError::Refused { address } | DialError::Timeout { address, .. } => CallError::no_daemon(address),
            // A Unix socket whose file is not there.
            DialError::Other {
                address: address @ Address::Unix(_),
                ..
            } => CallError::no_daemon(address),
            _ => CallError::Unreachable(format!("error during connect: {error}")),
        }
    }
}

impl From<SendError> for CallError {
    fn from(error: SendError) -> CallError {
        match error {
            SendError::Dial(error) => error.into(),
            SendError::Broken { address, reason } => CallError::broken(&address, &reason),
            SendError::Garbled { .. } => CallError::Garbled(error.to_string()),
            SendError::Request(reason) => CallError::Request(reason),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn daemons_say_what_is_wrong_in_several_ways() {
        for (body, text) in [
            (
                r#"{"message":"No such container: x"}"#,
                "Error response from daemon: No such container: x",
            ),
            (
                r#"{"cause":"c","message":"m","response":404}"#,
                "Error response from daemon: m",
            ),
            ("404 page not found\n", "Error response from daemon: 404 page not found"),
            ("", "Error response from daemon: status 404 without a message"),
            ("[1]", "Error response from daemon: [1]"),
        ] {
            assert_eq!(CallError::answered(404, body.as_bytes()).to_string(), text);
        }
    }

    #[test]
    fn a_message_without_end_is_cut() {
        let CallError::Answered { message, .. } = CallError::answered(500, "é".repeat(100_000).as_bytes()) else {
            panic!("an answer is an answer");
        };
        assert_eq!(message.chars().count(), MESSAGE_CHARS_MAX + 1);
    }
}
