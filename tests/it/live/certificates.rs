//! Certificates for tests, made when they are needed.

use std::fs;
use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tempfile::TempDir;

use swarmlab::net::tls::Files;

/// An authority, with the directory in which it puts what it makes.
pub struct Authority {
    directory: TempDir,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    /// An authority of this name, with its certificate in `ca.pem`.
    pub fn new(name: &str) -> Authority {
        Authority::within(name, &std::env::temp_dir())
    }

    /// The same with its directory below another one.
    pub fn within(name: &str, parent: &Path) -> Authority {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().expect("a key");
        let issuer = CertifiedIssuer::self_signed(params, key).expect("a certificate");
        let directory = tempfile::tempdir_in(parent).expect("a directory");
        fs::write(directory.path().join("ca.pem"), issuer.pem()).expect("a file");
        Authority { directory, issuer }
    }

    /// The authority's certificate.
    pub fn ca(&self) -> PathBuf {
        self.directory.path().join("ca.pem")
    }

    /// A path for something that a test makes itself.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// A certificate for `names`, valid until the end of `last_year`, whose owner believes this authority.
    pub fn certify(&self, file: &str, names: &[&str], last_year: i32) -> Files {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).expect("names");
        params.not_before = rcgen::date_time_ymd(2000, 1, 1);
        params.not_after = rcgen::date_time_ymd(last_year, 12, 31);
        let pair = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&pair, &self.issuer).expect("a certificate");
        let (cert, key) = (
            self.path(&format!("{file}-cert.pem")),
            self.path(&format!("{file}-key.pem")),
        );
        fs::write(&cert, certificate.pem()).expect("a file");
        fs::write(&key, pair.serialize_pem()).expect("a file");
        Files {
            ca: Some(self.ca()),
            cert,
            key,
            verify: true,
        }
    }
}
