//! Versions of Docker's API.

use std::fmt;

/// A version of Docker's API. All have been 1 so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ApiVersion {
    /// Before the dot.
    pub major: u16,
    /// After the dot.
    pub minor: u16,
}

impl ApiVersion {
    /// What this client asks in if the daemon speaks it: nothing that came later is needed, and what went later is not
    /// missed. It says nothing about the requests of others that are passed on.
    pub const HIGHEST: ApiVersion = ApiVersion { major: 1, minor: 40 };
    /// What a daemon speaks that does not say.
    pub const LOWEST: ApiVersion = ApiVersion { major: 1, minor: 24 };

    /// Reads `1.40`.
    pub fn parse(text: &str) -> Option<ApiVersion> {
        let (major, minor) = text.split_once('.')?;
        Some(ApiVersion {
            major: major.parse().ok()?,
            minor: minor.parse().ok()?,
        })
    }

    /// As one number for atomic variables; not 0 for any version that there is.
    pub(super) fn packed(self) -> u32 {
        (u32::from(self.major) << 16) | u32::from(self.minor)
    }

    /// The version behind [`ApiVersion::packed`]; `None` for 0.
    pub(super) fn unpacked(packed: u32) -> Option<ApiVersion> {
        // Both halves have sixteen bits.
        let (major, minor) = ((packed >> 16) as u16, packed as u16);
        (packed != 0).then_some(ApiVersion { major, minor })
    }
}

impl fmt::Display for ApiVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}
