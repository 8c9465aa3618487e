//! TLS: the certificate, read anew when its files change.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use fdfs_conf::gateway::TlsConf;
use net::Stop;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, version};
use tokio::task::spawn_blocking;
use tokio::time::sleep;
use tokio_rustls::TlsAcceptor;

use crate::StartError;

/// How often the files are looked at.
const LOOK_EACH: Duration = Duration::from_secs(2);

/// The certificate in use.
#[derive(Debug)]
pub(crate) struct Certificate {
    conf: TlsConf,
    now: ArcSwap<CertifiedKey>,
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.now.load_full())
    }
}

impl Certificate {
    pub(crate) fn load(conf: &TlsConf) -> Result<Arc<Self>, StartError> {
        let now = read(conf).map_err(|(path, reason)| StartError::File { path: path.to_owned(), reason })?;
        Ok(Arc::new(Self { conf: conf.clone(), now: ArcSwap::from_pointee(now) }))
    }

    /// Takes clients: HTTP/2 for those who speak it.
    pub(crate) fn acceptor(self: &Arc<Self>) -> Result<TlsAcceptor, rustls::Error> {
        let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_protocol_versions(&[&version::TLS13, &version::TLS12])?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(self) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        config.ticketer = aws_lc_rs::Ticketer::new()?;
        Ok(TlsAcceptor::from(Arc::new(config)))
    }

    /// Watches the files until `stop`. One that can't be used leaves the certificate as it is, and is said once.
    pub(crate) async fn follow(self: Arc<Self>, mut stop: Stop) {
        let keep = async {
            let mut seen = self.look().await;
            loop {
                sleep(LOOK_EACH).await;
                let new = self.look().await;
                if new == seen {
                    continue;
                }
                seen = new;
                let this = Arc::clone(&self);
                match spawn_blocking(move || {
                    read(&this.conf).map_err(|(path, reason)| (path.to_owned(), reason))
                })
                .await
                {
                    Ok(Ok(certificate)) => {
                        self.now.store(Arc::new(certificate));
                        tracing::info!(path = %self.conf.cert.display(), "a new certificate is in use");
                    }
                    Ok(Err((path, reason))) => {
                        tracing::error!(path = %path.display(), reason, "the new certificate can't be used, the old one stays in use");
                    }
                    Err(error) => tracing::error!(%error, "the new certificate could not be read"),
                }
            }
        };
        tokio::select! {
            () = keep => {}
            () = stop.wait() => {}
        }
    }

    /// What tells one version of the files from another.
    async fn look(&self) -> Option<[(u64, i64, i64, u64); 2]> {
        let paths = [self.conf.cert.clone(), self.conf.key.clone()];
        let look = move || {
            paths.map(|path| {
                let metadata = std::fs::metadata(path).ok();
                metadata
                    .map_or((0, 0, 0, 0), |file| (file.ino(), file.mtime(), file.mtime_nsec(), file.len()))
            })
        };
        spawn_blocking(look).await.ok()
    }
}

/// Reads both files. An error says which is at fault, and why.
fn read(conf: &TlsConf) -> Result<CertifiedKey, (&Path, String)> {
    let chain = CertificateDer::pem_file_iter(&conf.cert)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| (conf.cert.as_path(), error.to_string()))?;
    if chain.is_empty() {
        return Err((&conf.cert, "it holds no certificate".to_owned()));
    }
    let key =
        PrivateKeyDer::from_pem_file(&conf.key).map_err(|error| (conf.key.as_path(), error.to_string()))?;
    // Refuses a key that is not the certificate's.
    CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider())
        .map_err(|error| (conf.key.as_path(), format!("with {}: {error}", conf.cert.display())))
}

/// A client that begins TLS, within `patience`.
pub(crate) async fn accept<S>(
    acceptor: &TlsAcceptor,
    stream: S,
    patience: Duration,
) -> io::Result<tokio_rustls::server::TlsStream<S>>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    match tokio::time::timeout(patience, acceptor.accept(stream)).await {
        Ok(accepted) => accepted,
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    }
}
