//! A connection to a server that is spoken to by its own protocol: TCP, a socket of this machine, or encrypted.

use super::tls::Tls;
use socket2::{SockRef, TcpKeepalive};
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

/// How long connecting may take where nothing else is said.
pub(super) const CONNECT: Duration = Duration::from_secs(15);

/// The least that one address of several is waited for.
const LEAST: Duration = Duration::from_millis(10);

/// Whether a read or a write gave up waiting.
pub(super) fn waited(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

pub(super) enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
    Tls(Box<Tls>),
}

impl Socket {
    /// Reaches a host by one of its addresses, within the timeout altogether: each that is left has its part of the time
    /// that is.
    pub(super) fn tcp(host: &str, port: u16, timeout: Option<Duration>) -> io::Result<Socket> {
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
        let (begun, timeout) = (Instant::now(), timeout.unwrap_or(CONNECT));
        let places: Vec<SocketAddr> = (host, port).to_socket_addrs()?.collect();
        for (at, place) in places.iter().enumerate() {
            let left = timeout.saturating_sub(begun.elapsed()) / (places.len() - at).try_into().unwrap_or(u32::MAX);
            match TcpStream::connect_timeout(place, left.max(LEAST)) {
                Ok(stream) => {
                    stream.set_nodelay(true)?;
                    // So that a peer that is gone without a word is found out, some time.
                    SockRef::from(&stream).set_keepalive(true)?;
                    return Ok(Socket::Tcp(stream));
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// After how long without a word it is asked whether the peer is still there.
    pub(super) fn set_keepalive(&self, after: Duration) -> io::Result<()> {
        match self {
            Socket::Tcp(stream) => SockRef::from(stream).set_tcp_keepalive(&TcpKeepalive::new().with_time(after)),
            Socket::Tls(tls) => {
                SockRef::from(&tls.stream.sock).set_tcp_keepalive(&TcpKeepalive::new().with_time(after))
            }
            Socket::Unix(_) => Ok(()),
        }
    }

    /// Reaches a server of this machine by its socket.
    pub(super) fn unix(path: &Path) -> io::Result<Socket> {
        UnixStream::connect(path).map(Socket::Unix)
    }

    /// How long an answer is waited for.
    pub(super) fn set_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        match self {
            Socket::Tcp(stream) => stream.set_read_timeout(timeout),
            Socket::Unix(stream) => stream.set_read_timeout(timeout),
            Socket::Tls(tls) => tls.stream.sock.set_read_timeout(timeout),
        }
    }

    /// How long a write waits for room.
    pub(super) fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        match self {
            Socket::Tcp(stream) => stream.set_write_timeout(timeout),
            Socket::Unix(stream) => stream.set_write_timeout(timeout),
            Socket::Tls(tls) => tls.stream.sock.set_write_timeout(timeout),
        }
    }

    /// Whether nothing waits at all.
    pub(super) fn set_nonblocking(&self, on: bool) -> io::Result<()> {
        match self {
            Socket::Tcp(stream) => stream.set_nonblocking(on),
            Socket::Unix(stream) => stream.set_nonblocking(on),
            Socket::Tls(tls) => tls.stream.sock.set_nonblocking(on),
        }
    }

    /// Ends it both ways, for whoever waits in it.
    pub(super) fn shut_down(&self) {
        // It may be gone already.
        let _ = match self {
            Socket::Tcp(stream) => stream.shutdown(Shutdown::Both),
            Socket::Unix(stream) => stream.shutdown(Shutdown::Both),
            Socket::Tls(tls) => tls.stream.sock.shutdown(Shutdown::Both),
        };
    }

    /// The same connection without its encryption: to shut it down from another thread.
    pub(super) fn handle(&self) -> io::Result<Socket> {
        Ok(match self {
            Socket::Tcp(stream) => Socket::Tcp(stream.try_clone()?),
            Socket::Unix(stream) => Socket::Unix(stream.try_clone()?),
            Socket::Tls(tls) => Socket::Tcp(tls.stream.sock.try_clone()?),
        })
    }
}

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Socket::Tcp(stream) => stream.read(buffer),
            Socket::Unix(stream) => stream.read(buffer),
            Socket::Tls(tls) => tls.read(buffer),
        }
    }
}

impl Write for Socket {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        match self {
            Socket::Tcp(stream) => stream.write(buffer),
            Socket::Unix(stream) => stream.write(buffer),
            Socket::Tls(tls) => tls.write(buffer),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Socket::Tls(tls) => tls.flush(),
            Socket::Tcp(_) | Socket::Unix(_) => Ok(()),
        }
    }
}
