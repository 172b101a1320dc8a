//! The certificates that stores and services are spoken to with, as options name them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::net::{Tls, tls};

use super::DiscoveryError;

const AUTHORITY: &str = "kv.cacertfile";
const CERTIFICATE: &str = "kv.certfile";
const KEY: &str = "kv.keyfile";

/// Reads the files: none if no option names any, and without a certificate to show if only the authority is named.
///
/// # Errors
///
/// A file that is missing beside others (the original then goes on without TLS, and what was to be secret is not), and
/// files that cannot be used.
pub(super) fn read(options: &BTreeMap<String, String>) -> Result<Option<Tls>, DiscoveryError> {
    let file = |key| options.get(key).filter(|name| !name.is_empty()).map(PathBuf::from);
    match (file(AUTHORITY), file(CERTIFICATE), file(KEY)) {
        (None, None, None) => Ok(None),
        (Some(ca), None, None) => Ok(Some(tls::trusting(&ca)?)),
        (Some(ca), Some(cert), Some(key)) => {
            let files = tls::Files {
                ca: Some(ca),
                cert,
                key,
                verify: true,
            };
            Ok(Some(tls::load(&files)?))
        }
        (None, _, _) => Err(DiscoveryError::FileMissing(AUTHORITY)),
        (_, None, _) => Err(DiscoveryError::FileMissing(CERTIFICATE)),
        (_, _, None) => Err(DiscoveryError::FileMissing(KEY)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_file_is_named() {
        let fault = |given: &[&str]| {
            let options = given
                .iter()
                .map(|key| ((*key).to_owned(), "/nowhere".to_owned()))
                .collect();
            read(&options).err().map(|error| error.to_string()).unwrap_or_default()
        };
        assert_eq!(fault(&[]), "");
        for (given, missing) in [
            (&[CERTIFICATE][..], AUTHORITY),
            (&[KEY], AUTHORITY),
            (&[CERTIFICATE, KEY], AUTHORITY),
            (&[AUTHORITY, CERTIFICATE], KEY),
            (&[AUTHORITY, KEY], CERTIFICATE),
        ] {
            let fault = fault(given);
            let expected = format!("--discovery-opt {missing} is missing");
            assert!(fault.starts_with(&expected), "{given:?}: {fault}");
        }
        for complete in [&[AUTHORITY][..], &[AUTHORITY, CERTIFICATE, KEY]] {
            let fault = fault(complete);
            assert!(fault.contains("/nowhere"), "{complete:?}: {fault}");
        }
    }

    #[test]
    fn an_empty_name_names_no_file() {
        let options = [(CERTIFICATE.to_owned(), String::new())].into();
        assert!(read(&options).expect("no fault").is_none());
    }
}
