//! Encryption of connections, where a certificate is configured. HTTP/1.1 is all
//! that is spoken inside.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::settings::TlsFiles;

/// Why there is no encryption.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file can't be read, or is not what it should be.
    #[error("failed to read {what} from `{}` (`{setting}` names a PEM file with it)", .path.display())]
    File {
        /// What should be in it.
        what: &'static str,
        /// Which setting names it.
        setting: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: pem::Error,
    },
    /// There is one setting without the other.
    #[error("TLS needs both `http.tls_cert` and `http.tls_key`")]
    Half,
    /// The files do not go together.
    #[error(
        "the certificate and its key can't be used (do `http.tls_cert` and `http.tls_key` belong together?)"
    )]
    Mismatch(#[source] rustls::Error),
}

/// Reads the certificate and its key.
pub(super) fn config(files: &TlsFiles) -> Result<Arc<ServerConfig>, TlsError> {
    let TlsFiles { cert, key } = files;
    if [cert, key].iter().any(|path| path.as_os_str().is_empty()) {
        return Err(TlsError::Half);
    }
    let failed = |what, setting, path: &Path| {
        let path = path.to_path_buf();
        move |source| TlsError::File {
            what,
            setting,
            path,
            source,
        }
    };
    let chain = CertificateDer::pem_file_iter(cert)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .and_then(|chain| {
            if chain.is_empty() {
                Err(pem::Error::NoItemsFound)
            } else {
                Ok(chain)
            }
        })
        .map_err(failed("a certificate", "http.tls_cert", cert))?;
    let key =
        PrivateKeyDer::from_pem_file(key).map_err(failed("a private key", "http.tls_key", key))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
        .map_err(TlsError::Mismatch)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
