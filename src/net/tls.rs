//! Certificates: one set of files that serves listening and dialling alike.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio_rustls::rustls;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tokio_rustls::rustls::server::{ResolvesServerCertUsingSni, WebPkiClientVerifier};
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{
    ClientConfig, DigitallySignedStruct, RootCertStore, ServerConfig, SignatureScheme, SupportedProtocolVersion,
};

/// TLS 1.2 and later.
const VERSIONS: [&SupportedProtocolVersion; 2] = [&TLS13, &TLS12];

/// The only protocol spoken inside: upgrades and hijacked connections need HTTP/1.1.
const ALPN: &[u8] = b"http/1.1";

/// Where the certificates are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    /// Certificates of the authorities that peers are verified against, PEM. Needed if `verify` is on.
    pub ca: Option<PathBuf>,
    /// The own certificate and those that lead to the authority, PEM. Shown to clients and to servers.
    pub cert: PathBuf,
    /// The key of `cert`, PEM, not encrypted.
    pub key: PathBuf,
    /// Whether peers are verified: servers by their name, clients by having a certificate of the authority. If not,
    /// every server is believed and no client is asked for a certificate.
    pub verify: bool,
}

/// Both sides of TLS, ready for use. Cheap to clone.
#[derive(Clone)]
pub struct Tls {
    pub(super) server: Arc<ServerConfig>,
    pub(super) client: Arc<ClientConfig>,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls")
    }
}

/// Why certificates cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TlsError {
    /// The own certificate or its key is unreadable, or they do not belong together.
    #[error("Couldn't load X509 key pair ({}, {}): {reason}. Key encrypted?", cert.display(), key.display())]
    KeyPair {
        /// File of the certificate.
        cert: PathBuf,
        /// File of the key.
        key: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The authority's certificate is missing, unreadable or none.
    #[error("Couldn't read CA certificate: {0}")]
    Authority(String),
}

/// Reads the files and checks that they can be used.
///
/// # Errors
///
/// Files that cannot be read or hold something else; a key that does not belong to the certificate; an authority that
/// is needed and missing.
pub fn load(files: &Files) -> Result<Tls, TlsError> {
    let provider = Arc::new(ring::default_provider());
    let fault = |reason: String| TlsError::KeyPair {
        cert: files.cert.clone(),
        key: files.key.clone(),
        reason,
    };
    let chain = certificates(&files.cert).map_err(&fault)?;
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|error| fault(pem_error(&files.key, &error)))?;
    let roots = if files.verify {
        let ca = files.ca.as_ref();
        let ca = ca.ok_or_else(|| TlsError::Authority("no file is given".to_owned()))?;
        Some(Arc::new(authorities(ca)?))
    } else {
        None
    };

    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&VERSIONS)
        .map_err(|error| fault(error.to_string()))?;
    let builder = match &roots {
        Some(roots) => {
            let verifier = WebPkiClientVerifier::builder_with_provider(roots.clone(), provider.clone())
                .build()
                .map_err(|error| TlsError::Authority(error.to_string()))?;
            builder.with_client_cert_verifier(verifier)
        }
        None => builder.with_no_client_auth(),
    };
    let mut server = builder
        .with_single_cert(chain.clone(), key.clone_key())
        .map_err(|error| fault(error.to_string()))?;
    server.alpn_protocols = vec![ALPN.to_vec()];

    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&VERSIONS)
        .map_err(|error| fault(error.to_string()))?;
    let builder = match roots {
        Some(roots) => builder.with_root_certificates(roots),
        None => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Credulous(provider))),
    };
    let mut client = builder
        .with_client_auth_cert(chain, key)
        .map_err(|error| fault(error.to_string()))?;
    client.alpn_protocols = vec![ALPN.to_vec()];
    Ok(Tls {
        server: Arc::new(server),
        client: Arc::new(client),
    })
}

/// For dialling only: verifies servers against the certificates in `ca`, and has none to show. Nobody can be served with
/// it.
///
/// # Errors
///
/// The file cannot be read, or holds something else.
pub fn trusting(ca: &Path) -> Result<Tls, TlsError> {
    let provider = Arc::new(ring::default_provider());
    let fault = |error: rustls::Error| TlsError::Authority(error.to_string());
    let mut client = ClientConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&VERSIONS)
        .map_err(fault)?
        .with_root_certificates(authorities(ca)?)
        .with_no_client_auth();
    client.alpn_protocols = vec![ALPN.to_vec()];
    let server = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&VERSIONS)
        .map_err(fault)?
        .with_no_client_auth()
        // It knows no name, so every handshake fails.
        .with_cert_resolver(Arc::new(ResolvesServerCertUsingSni::new()));
    Ok(Tls {
        server: Arc::new(server),
        client: Arc::new(client),
    })
}

/// All certificates of a file, at least one.
fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let read = CertificateDer::pem_file_iter(path).map_err(|error| pem_error(path, &error))?;
    let found = read
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| pem_error(path, &error))?;
    if found.is_empty() {
        return Err(format!("no PEM certificate in {}", path.display()));
    }
    Ok(found)
}

fn pem_error(path: &Path, error: &rustls::pki_types::pem::Error) -> String {
    match error {
        rustls::pki_types::pem::Error::Io(error) => format!("{}: {error}", path.display()),
        rustls::pki_types::pem::Error::NoItemsFound => format!("nothing of this kind in {}", path.display()),
        other => format!("{}: {other}", path.display()),
    }
}

fn authorities(path: &Path) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path).map_err(TlsError::Authority)? {
        roots
            .add(certificate)
            .map_err(|error| TlsError::Authority(format!("{}: {error}", path.display())))?;
    }
    Ok(roots)
}

/// Believes every server; what it says has to be signed with its certificate's key all the same.
#[derive(Debug)]
struct Credulous(Arc<CryptoProvider>);

impl ServerCertVerifier for Credulous {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(
            message,
            certificate,
            signature,
            &self.0.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(
            message,
            certificate,
            signature,
            &self.0.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
