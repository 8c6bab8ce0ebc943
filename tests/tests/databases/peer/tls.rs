//! The encryption of the protocol in front of a peer: the handshake goes in packets of the kind that comes before a login,
//! and what follows is encrypted, all of it or the login alone.

use super::wire::{self, Answer};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};

/// What a server says about encryption.
const OFF: u8 = 0;
const ON: u8 = 1;

/// Listens in front of the peer at a port.
pub fn front(behind: u16, certificate: &Path, key: &Path, login_only: bool) -> TcpListener {
    let chain = vec![CertificateDer::from_pem_file(certificate).unwrap()];
    let key = PrivateKeyDer::from_pem_file(key).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    // What SQL Server has within its own protocol.
    let config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS12])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let (config, listener) = (Arc::new(config), TcpListener::bind("127.0.0.1:0").unwrap());
    let listening = listener.try_clone().unwrap();
    std::thread::spawn(move || {
        while let Ok((client, _)) = listening.accept() {
            let (config, server) = (config.clone(), TcpStream::connect(("127.0.0.1", behind)).unwrap());
            // A client that goes away, or that does not trust, is no failure.
            std::thread::spawn(move || pass(client, server, config, login_only));
        }
    });
    listener
}

fn pass(mut client: TcpStream, mut server: TcpStream, config: Arc<ServerConfig>, login_only: bool) -> Option<()> {
    wire::receive(&mut client).ok()?;
    let mut answer = Answer::new(client.try_clone().ok()?);
    answer.before_login(if login_only { OFF } else { ON }).ok()?;
    let mut tls = ServerConnection::new(config).ok()?;
    loop {
        while tls.wants_write() {
            tls.write_tls(&mut answer.out).ok()?;
        }
        if !answer.out.is_empty() {
            answer.end_of(wire::PRELOGIN).ok()?;
        }
        if !tls.is_handshaking() {
            break;
        }
        let message = wire::receive(&mut client).ok()?;
        take(&mut tls, &message.body, &mut Vec::new())?;
    }
    if login_only {
        let mut login = Vec::new();
        // The login's last packet says so.
        while !wire::is_whole(&login) {
            let mut piece = [0; 4096];
            let count = client.read(&mut piece).ok().filter(|n| *n > 0)?;
            take(&mut tls, &piece[..count], &mut login)?;
        }
        server.write_all(&login).ok()?;
        let (mut from, mut to) = (server.try_clone().ok()?, client.try_clone().ok()?);
        std::thread::spawn(move || {
            let _ = std::io::copy(&mut from, &mut to);
            let _ = to.shutdown(Shutdown::Both);
        });
        let _ = std::io::copy(&mut client, &mut server);
        let _ = server.shutdown(Shutdown::Both);
        return Some(());
    }
    let tls = Arc::new(Mutex::new(tls));
    let (mut from, mut to, other) = (server.try_clone().ok()?, client.try_clone().ok()?, tls.clone());
    std::thread::spawn(move || {
        let mut piece = [0; 8192];
        while let Ok(count) = from.read(&mut piece) {
            let mut tls = other.lock().unwrap();
            if count == 0 || tls.writer().write_all(&piece[..count]).is_err() {
                break;
            }
            let mut out = Vec::new();
            while tls.wants_write() {
                tls.write_tls(&mut out).unwrap();
            }
            if to.write_all(&out).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Both);
    });
    let mut piece = [0; 8192];
    loop {
        let mut out = Vec::new();
        let count = client.read(&mut piece).unwrap_or(0);
        if count == 0 || take(&mut tls.lock().unwrap(), &piece[..count], &mut out).is_none() {
            let _ = server.shutdown(Shutdown::Both);
            return Some(());
        }
        server.write_all(&out).ok()?;
    }
}

/// Takes bytes that came, and gives what they hold.
fn take(tls: &mut ServerConnection, mut bytes: &[u8], out: &mut Vec<u8>) -> Option<()> {
    while !bytes.is_empty() {
        tls.read_tls(&mut bytes).ok()?;
        tls.process_new_packets().ok()?;
        // That there is no more yet is an error, too.
        let _ = tls.reader().read_to_end(out);
    }
    Some(())
}
