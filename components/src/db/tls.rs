//! Encryption of connections to servers that are spoken to by their own protocols: rustls with ring, and whose certificates
//! are believed. What the words of a connection string mean by it is the protocol's own.

use super::error::{DbError, ErrorKind, Outcome};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, RootCertStore, SignatureScheme, StreamOwned};
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How much of it is wanted.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Debug)]
pub(super) enum Mode {
    Disable,
    Allow,
    Prefer,
    Require,
    VerifyCa,
    VerifyFull,
}

/// Whose signatures are believed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Roots {
    Nobodys,
    /// Those that this machine believes.
    System,
    File(PathBuf),
}

/// What a connection string says of encryption.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Protection {
    pub(super) mode: Mode,
    pub(super) roots: Roots,
    /// The files of the client's own certificate and of its key.
    pub(super) own: Option<(PathBuf, PathBuf)>,
    /// Who says what goes wrong: the database's name.
    pub(super) by: &'static str,
}

/// How a connection is protected, and by what.
#[derive(Clone, Debug)]
pub(super) enum Cover {
    Plain,
    /// Encrypted if the server can.
    Offered(Arc<ClientConfig>),
    Encrypted(Arc<ClientConfig>),
}

impl Cover {
    pub(super) fn config(&self) -> Option<&Arc<ClientConfig>> {
        match self {
            Cover::Plain => None,
            Cover::Offered(config) | Cover::Encrypted(config) => Some(config),
        }
    }
}

/// How far connecting came when it failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Stage {
    Reach,
    Encrypt,
    LogIn,
}

impl Protection {
    /// The covers that are tried one after the other; `local`: through a socket of this machine. What is wrong with the
    /// files of this side is found before anybody is asked: it is no reason to do without encryption.
    pub(super) fn covers(&self, local: bool) -> Outcome<Vec<Cover>> {
        if local || self.mode == Mode::Disable {
            return Ok(vec![Cover::Plain]);
        }
        let config = Arc::new(self.config()?);
        Ok(match self.mode {
            Mode::Disable | Mode::Allow => vec![Cover::Plain, Cover::Encrypted(config)],
            Mode::Prefer => vec![Cover::Offered(config), Cover::Plain],
            Mode::Require | Mode::VerifyCa | Mode::VerifyFull => vec![Cover::Encrypted(config)],
        })
    }

    fn refused(&self, message: String) -> DbError {
        DbError { source: self.by.into(), ..DbError::new(ErrorKind::Connect, message) }
    }

    fn config(&self) -> Outcome<ClientConfig> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let (mut roots, mut known) = (RootCertStore::empty(), Vec::new());
        if self.mode >= Mode::VerifyCa {
            match &self.roots {
                Roots::Nobodys => {}
                Roots::System => {
                    let found = rustls_native_certs::load_native_certs();
                    roots.add_parsable_certificates(found.certs);
                }
                Roots::File(path) => {
                    known = self.certificates(path, "the file of roots")?;
                    roots.add_parsable_certificates(known.iter().cloned());
                }
            }
            if roots.is_empty() {
                return Err(self.refused("there is no certificate to believe".to_owned()));
            }
        }
        let verifier = Verifier { mode: self.mode, roots, known, provider: provider.clone() };
        let defect = |e: rustls::Error| self.refused(format!("encryption: {e}"));
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(defect)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier));
        match &self.own {
            None => Ok(config.with_no_client_auth()),
            Some((certificate, key)) => {
                let chain = self.certificates(certificate, "the client's certificate")?;
                let key = PrivateKeyDer::from_pem_file(key).map_err(|e| {
                    let advice = "it must be an unencrypted key in PEM form";
                    self.refused(format!("the client's key {}: {e}; {advice}", key.display()))
                })?;
                config.with_client_auth_cert(chain, key).map_err(defect)
            }
        }
    }

    /// Encrypts a connection whose server agreed to it.
    pub(super) fn encrypt(&self, config: &Arc<ClientConfig>, host: &str, mut socket: TcpStream) -> Outcome<Tls> {
        let name = ServerName::try_from(host.to_owned()).map_err(|e| self.refused(format!("the host {host}: {e}")))?;
        let told = |error: &dyn std::fmt::Display| {
            self.refused(format!("the connection to {host} cannot be encrypted: {error}"))
        };
        let mut connection = ClientConnection::new(config.clone(), name).map_err(|e| told(&e))?;
        while connection.is_handshaking() {
            connection.complete_io(&mut socket).map_err(|error| match inner(&error) {
                Some(rustls::Error::InvalidCertificate(reason)) => {
                    self.refused(format!("the certificate of {host} is not accepted: {}", self.reason(host, reason)))
                }
                _ => told(&error),
            })?;
        }
        let end_point = connection.peer_certificates().and_then(|chain| end_point(chain.first()?));
        Ok(Tls { stream: StreamOwned::new(connection, socket), end_point })
    }

    fn certificates(&self, path: &Path, key: &str) -> Outcome<Vec<CertificateDer<'static>>> {
        let told = |e: &dyn std::fmt::Display| self.refused(format!("{key} {}: {e}", path.display()));
        let all = CertificateDer::pem_file_iter(path).map_err(|e| told(&e))?;
        let all = all.collect::<Result<Vec<_>, _>>().map_err(|e| told(&e))?;
        if all.is_empty() { Err(told(&"there is no certificate in PEM form in it")) } else { Ok(all) }
    }

    fn reason(&self, host: &str, error: &rustls::CertificateError) -> String {
        use rustls::CertificateError as E;
        match error {
            E::UnknownIssuer => match &self.roots {
                Roots::File(path) => format!("nobody in {} has signed it", path.display()),
                _ => "nobody whom this machine believes has signed it".to_owned(),
            },
            E::NotValidForName => format!("it is not made out for {host}"),
            E::NotValidForNameContext { presented, .. } if presented.is_empty() => {
                format!("it is not made out for {host}, nor for any other host: it has no subject alternative names")
            }
            E::NotValidForNameContext { presented, .. } => {
                format!("it is not made out for {host}, but for {}", presented.join(", "))
            }
            other => other.to_string(),
        }
    }
}

/// What rustls says inside an error of a socket.
fn inner(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}

/// An encrypted connection.
pub(super) struct Tls {
    pub(super) stream: StreamOwned<ClientConnection, TcpStream>,
    /// What a login is bound to: the hash of the server's certificate.
    pub(super) end_point: Option<Vec<u8>>,
}

impl Tls {
    /// Takes what is to be written. It never reads, which might wait for ever.
    pub(super) fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.flush()?;
        let taken = self.stream.conn.writer().write(buffer)?;
        // What finds no room now goes with the next piece, or with the flush, and so does what is wrong.
        let _ = self.flush();
        Ok(taken)
    }

    /// Writes what was taken.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        while self.stream.conn.wants_write() {
            self.stream.conn.write_tls(&mut self.stream.sock)?;
        }
        Ok(())
    }

    /// Reads, also where nothing can be written any more: what the server said last may be there.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let StreamOwned { conn, sock } = &mut self.stream;
        loop {
            match conn.reader().read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                done => return done,
            }
            if conn.read_tls(sock)? == 0 {
                return Ok(0);
            }
            conn.process_new_packets().map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e))?;
            if conn.wants_write() {
                // An answer to the other side's encryption; if it does not get there, reading says why.
                let _ = conn.write_tls(sock);
            }
        }
    }
}

/// Looks at the server's certificate as far as the mode asks.
#[derive(Debug)]
struct Verifier {
    mode: Mode,
    roots: RootCertStore,
    /// The certificates in the file of roots.
    known: Vec<CertificateDer<'static>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if self.mode >= Mode::VerifyCa {
            let certificate = ParsedCertificate::try_from(end_entity)?;
            // One that signed itself and is in the file needs nobody else to vouch for it.
            if !self.known.iter().any(|known| known == end_entity) {
                let algorithms = self.provider.signature_verification_algorithms.all;
                verify_server_cert_signed_by_trust_anchor(&certificate, &self.roots, intermediates, now, algorithms)?;
            }
            if self.mode >= Mode::VerifyFull {
                verify_server_name(&certificate, server_name)?;
            }
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// The hash of a certificate by the algorithm of its signature, SHA-256 where that is a weaker one (RFC 5929). None:
/// the algorithm says none.
fn end_point(certificate: &[u8]) -> Option<Vec<u8>> {
    use ring::digest::{SHA256, SHA384, SHA512, digest};
    let (whole, _) = element(certificate)?;
    let (_, behind) = element(whole)?;
    let (algorithm, _) = element(behind)?;
    let (identifier, _) = element(algorithm)?;
    let hash = match identifier {
        // sha…WithRSAEncryption: 1.2.840.113549.1.1.n
        [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, kind] => match kind {
            4 | 5 | 11 => &SHA256,
            12 => &SHA384,
            13 => &SHA512,
            _ => return None,
        },
        // ecdsa-with-SHA…: 1.2.840.10045.4.1, 1.2.840.10045.4.3.n
        [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x01] => &SHA256,
        [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, kind] => match kind {
            2 => &SHA256,
            3 => &SHA384,
            4 => &SHA512,
            _ => return None,
        },
        _ => return None,
    };
    Some(digest(hash, certificate).as_ref().to_vec())
}

/// The content of the first element of DER, and what follows it.
fn element(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = match *bytes.get(1)? {
        short @ 0..0x80 => (usize::from(short), bytes.get(2..)?),
        long => {
            let count = usize::from(long & 0x7f);
            let digits = bytes.get(2..2 + count).filter(|d| d.len() <= 4)?;
            (digits.iter().fold(0, |n, d| n << 8 | usize::from(*d)), bytes.get(2 + count..)?)
        }
    };
    rest.split_at_checked(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_of_der() {
        assert_eq!(element(&[0x30, 2, 1, 2, 9]), Some((&[1, 2][..], &[9][..])));
        assert_eq!(element(&[0x30, 0x82, 0, 1, 7]), Some((&[7][..], &[][..])));
        assert_eq!(element(&[0x30, 5, 1]), None);
        assert_eq!(end_point(&[0x30, 3, 0x30, 0, 0x30]), None);
    }
}
