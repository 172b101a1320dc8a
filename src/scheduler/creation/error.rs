//! Why a container was not created, in the original's words.

use crate::cluster::PlaceError;
use crate::scheduler::{Rejection, ReschedulePolicyError};

/// Why a container was not created. The texts are the original's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CreateError {
    /// Its reschedule policy is none.
    #[error(transparent)]
    Policy(#[from] ReschedulePolicyError),
    /// The name is taken, or the chosen node is gone.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// No node may take it.
    #[error("{message}")]
    Rejected {
        /// In short.
        rejection: Rejection,
        /// In the original's words.
        message: String,
    },
    /// The daemon did not create it.
    #[error(transparent)]
    Daemon(#[from] DaemonError),
}

/// A daemon's refusal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct DaemonError {
    /// The error text.
    pub text: String,
    /// Whether the daemon answered 404.
    pub not_found: bool,
    /// The status of the answer to the client, where it is not the usual one: see [`CreateError::status`].
    pub status: Option<u16>,
}

impl CreateError {
    /// The status of the answer to the client: 409 if the text begins with `Conflict`, else 500
    /// (`scheduler/RULES.md` §1); but what a daemon says is the client's fault keeps its status, which clients of today
    /// look at.
    pub fn status(&self) -> u16 {
        if let CreateError::Daemon(DaemonError {
            status: Some(status), ..
        }) = self
        {
            *status
        } else if self.to_string().starts_with("Conflict") {
            409
        } else {
            500
        }
    }

    /// Whether it says that the image or its repository cannot be found (`scheduler/RULES.md` §9.4).
    pub(super) fn is_image_missing(&self) -> bool {
        let text = self.to_string();
        let says_not_found = |word: &str| {
            text.match_indices(word).any(|(at, _)| {
                let after = &text[at + word.len()..];
                let name_end = after.find([' ', '\t', '\n', '\x0c', '\r']).unwrap_or(after.len());
                after[name_end..].starts_with(" not found")
            })
        };
        matches!(self, CreateError::Daemon(error) if error.not_found)
            || says_not_found("image ")
            || says_not_found("repository ")
            || text.contains("repository does not exist")
    }

    /// The operating system of an image that the daemon's platform cannot run (`scheduler/RULES.md` §9.3).
    pub(super) fn demanded_system(&self) -> Option<String> {
        demanded_system(&self.to_string()).map(str::to_owned)
    }
}

/// The operating system of an image that a daemon's platform cannot run, as the daemon says it.
pub fn demanded_system(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once("image operating system \"")?;
    let (system, rest) = rest.split_once('"')?;
    (!system.is_empty() && rest.starts_with(" cannot be used on this platform")).then_some(system)
}

impl DaemonError {
    /// The daemon answered with an error status.
    pub fn response(message: &str, status: u16) -> DaemonError {
        DaemonError::answered(format!("Error response from daemon: {message}"), status)
    }

    /// The same with a text that is taken as it is.
    pub fn answered(text: String, status: u16) -> DaemonError {
        DaemonError {
            text,
            not_found: status == 404,
            status: clients_fault(status),
        }
    }

    /// The daemon at this address cannot be reached.
    pub fn unreachable(address: &str) -> DaemonError {
        DaemonError::silent(format!(
            "Cannot connect to the Docker daemon at tcp://{address}. Is the docker daemon running?"
        ))
    }

    /// The daemon has not answered, as this text says.
    pub fn silent(text: String) -> DaemonError {
        DaemonError {
            text,
            not_found: false,
            status: None,
        }
    }

    /// The daemon could not pull the image (`scheduler/RULES.md` §9.2).
    pub fn pull(image: &str, message: &str) -> DaemonError {
        DaemonError::silent(format!("Failed to load {image}: {message}"))
    }
}

/// A status that says that the client is at fault: 400 for what it cannot mean, 409 for a name that is taken. A 404 is
/// none: a client would pull the image that it takes for missing, which has been tried.
fn clients_fault(status: u16) -> Option<u16> {
    matches!(status, 400 | 409).then_some(status)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says(text: &str) -> CreateError {
        DaemonError::response(text, 500).into()
    }

    #[test]
    fn missing_images_are_recognised_by_the_text_or_the_status() {
        for text in [
            "image a:1 not found",
            "x repository a/b not found: y",
            "repository does not exist",
            "image  not found",
        ] {
            assert!(says(text).is_image_missing(), "{text}");
        }
        for text in [
            "image not found",
            "image a b not found",
            "the image a is not found",
            "Image a not found",
        ] {
            assert!(!says(text).is_image_missing(), "{text}");
        }
        assert!(CreateError::from(DaemonError::response("", 404)).is_image_missing());
    }

    #[test]
    fn demanded_systems_are_recognised_by_the_text() {
        let text = "image operating system \"windows\" cannot be used on this platform";
        assert_eq!(says(text).demanded_system(), Some("windows".to_owned()));
        assert_eq!(says(&text.replace("windows", "")).demanded_system(), None);
        assert_eq!(
            says("image operating system \"windows\" is new").demanded_system(),
            None
        );
    }
}
