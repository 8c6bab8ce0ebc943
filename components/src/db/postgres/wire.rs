//! The protocol of PostgreSQL over a socket that waits: messages in, messages out, logging in, cancelling.

use super::failure;
use super::login::{Address, Binding};
use crate::db::error::{DbError, ErrorKind, Outcome};
use crate::db::socket::{CONNECT, Socket, waited};
use crate::db::tls::{Cover, Stage};
use bytes::BytesMut;
use postgres_protocol::authentication::md5_hash;
use postgres_protocol::authentication::sasl::{ChannelBinding, SCRAM_SHA_256, SCRAM_SHA_256_PLUS, ScramSha256};
use postgres_protocol::message::frontend;
use rustls::ClientConfig;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a server may take to hear that a statement is to be interrupted, and then to say that it was.
const PATIENCE: Duration = Duration::from_secs(5);
/// Bytes that are asked of the socket at a time.
const READ: usize = 256 * 1024;
/// How long a write waits for room before it is looked whether the server waits for room itself.
const STUCK: Duration = Duration::from_millis(20);
/// What stands before the end of an answer that nobody wants is read if it is no more than that, and comes that soon.
const LITTLE: usize = 4 * READ;
const SOON: Duration = Duration::from_millis(200);

/// Reaches the server, and has the connection encrypted as wanted.
fn open(address: &Address, timeout: Option<Duration>, cover: &Cover) -> Result<Socket, (Stage, DbError)> {
    let refused = |error: io::Error| {
        let message = format!("cannot connect to {}:{}: {error}", address.host, address.port);
        (Stage::Reach, DbError { source: "PostgreSQL".into(), ..DbError::new(ErrorKind::Connect, message) })
    };
    let socket = if address.is_local() {
        Socket::unix(&Path::new(&address.host).join(format!(".s.PGSQL.{}", address.port)))
    } else {
        Socket::tcp(&address.host, address.port, timeout)
    };
    let socket = socket.map_err(refused)?;
    socket.set_timeout(Some(timeout.unwrap_or(CONNECT))).map_err(refused)?;
    match (socket, cover.config()) {
        (Socket::Tcp(stream), Some(config)) => {
            encrypted(stream, address, cover, config).map_err(|e| (Stage::Encrypt, e))
        }
        (socket, _) => Ok(socket),
    }
}

fn encrypted(mut stream: TcpStream, address: &Address, cover: &Cover, config: &Arc<ClientConfig>) -> Outcome<Socket> {
    let mut request = BytesMut::new();
    frontend::ssl_request(&mut request);
    let mut answer = [0];
    let asked = stream.write_all(&request).and_then(|()| stream.read_exact(&mut answer));
    asked.map_err(|e| DbError { kind: ErrorKind::Connect, ..broken(&e) })?;
    match answer[0] {
        b'S' => address.protection.encrypt(config, &address.host, stream).map(|tls| Socket::Tls(Box::new(tls))),
        b'N' if matches!(cover, Cover::Offered(_)) => Ok(Socket::Tcp(stream)),
        _ => {
            let message =
                format!("the server {}:{} does not encrypt, and sslmode wants it", address.host, address.port);
            Err(DbError { source: "PostgreSQL".into(), ..DbError::new(ErrorKind::Connect, message) })
        }
    }
}

/// What interrupts the statement of a connection from another thread: a second connection that asks for it; if the server
/// does not answer that either, the end of this one.
#[derive(Clone)]
pub(super) struct Interrupter {
    address: Address,
    cover: Cover,
    key: Arc<Mutex<(i32, i32)>>,
    socket: Arc<Mutex<Option<Socket>>>,
    pub(super) cancelled: Arc<AtomicBool>,
}

impl Interrupter {
    /// Asks the server to end what the connection does.
    pub(super) fn interrupt(&self) {
        let (process, secret) = *self.key.lock().unwrap_or_else(PoisonError::into_inner);
        let mut request = BytesMut::new();
        frontend::cancel_request(process, secret, &mut request);
        let asked = open(&self.address, Some(PATIENCE), &self.cover).map(|mut socket| {
            // The server closes when it has done what was asked.
            socket.write_all(&request).and_then(|()| socket.flush()).and_then(|()| socket.read(&mut [0; 1]))
        });
        let answered = match asked {
            Ok(Err(error)) => !waited(&error),
            Ok(Ok(_)) => true,
            Err(_) => false,
        };
        if !answered {
            // The server is gone, or full, or frozen: nobody is to wait for it.
            if let Some(socket) = self.socket.lock().unwrap_or_else(PoisonError::into_inner).as_ref() {
                socket.shut_down();
            }
        }
    }
}

/// How far a login came.
enum Login {
    /// Nothing was proved.
    Begun,
    /// The two sides prove to each other that they know the password.
    Scram(Box<ScramSha256>),
    /// The server proved it.
    Proved,
}

/// A connection.
pub(super) struct Wire {
    socket: Socket,
    /// How long each answer to a statement is waited for.
    timeout: Option<Duration>,
    /// The statement in hand took longer, and the server was asked to end it.
    overdue: bool,
    /// What was received and not looked at is at `at..end`.
    input: Vec<u8>,
    at: usize,
    end: usize,
    /// What is to be sent.
    pub(super) out: BytesMut,
    /// The transaction status of the last ReadyForQuery: `I`, `T`, `E`.
    pub(super) status: u8,
    pub(super) interrupter: Interrupter,
    pub(super) version: String,
    /// How the session writes intervals.
    intervals: String,
}

/// A message: its tag and where its body is in the input.
pub(super) struct Message {
    pub(super) tag: u8,
    pub(super) body: Vec<u8>,
}

fn broken(error: &io::Error) -> DbError {
    DbError { source: "PostgreSQL".into(), ..DbError::new(ErrorKind::Lost, format!("the connection broke: {error}")) }
}

fn defect(what: &str) -> DbError {
    DbError { source: "PostgreSQL".into(), ..DbError::new(ErrorKind::Lost, format!("the server sent {what}")) }
}

impl Wire {
    /// Connects and logs in: encrypted or not, in the order that the mode says.
    pub(super) fn open(address: &Address, timeout: Option<Duration>) -> Outcome<Wire> {
        let mut refused: Option<DbError> = None;
        for cover in address.protection.covers(address.is_local())? {
            let (again, error) = match Wire::connect(address, timeout, &cover) {
                Ok(wire) => return Ok(wire),
                Err((Stage::Reach, error)) => (false, error),
                Err((Stage::Encrypt, error)) => (true, error),
                // Whether a login is let in may depend on the encryption; whether its password is right does not.
                Err((Stage::LogIn, error)) => (error.state == "28000", error),
            };
            let error = match refused.take() {
                Some(first) if first.message != error.message => {
                    DbError { message: format!("{}; {}", first.message, error.message), ..error }
                }
                _ => error,
            };
            if !again {
                return Err(error);
            }
            refused = Some(error);
        }
        Err(refused.unwrap_or_else(|| defect("nothing")))
    }

    fn connect(address: &Address, timeout: Option<Duration>, cover: &Cover) -> Result<Wire, (Stage, DbError)> {
        let socket = open(address, timeout, cover)?;
        socket.set_write_timeout(Some(STUCK)).map_err(|e| (Stage::Reach, broken(&e)))?;
        let cover = match cover.config() {
            Some(config) if matches!(socket, Socket::Tls(_)) => Cover::Encrypted(config.clone()),
            _ => Cover::Plain,
        };
        let interrupter = Interrupter {
            address: address.clone(),
            cover,
            key: Arc::default(),
            socket: Arc::new(Mutex::new(socket.handle().ok())),
            cancelled: Arc::new(AtomicBool::new(false)),
        };
        let mut wire = Wire {
            socket,
            timeout: None,
            overdue: false,
            input: Vec::new(),
            at: 0,
            end: 0,
            out: BytesMut::new(),
            status: b'I',
            interrupter,
            version: String::new(),
            intervals: String::new(),
        };
        let mut parameters = vec![
            ("user", address.user.as_str()),
            ("database", address.database.as_str()),
            ("client_encoding", "UTF8"),
            ("DateStyle", "ISO"),
        ];
        parameters.extend(address.settings.iter().map(|(key, value)| (*key, value.as_str())));
        let begun = frontend::startup_message(parameters, &mut wire.out).map_err(|e| broken(&e));
        let logged_in = begun.and_then(|()| wire.log_in(address)).and_then(|()| wire.settings());
        logged_in.map_err(|e| {
            let message = match e.kind {
                ErrorKind::Timeout => {
                    let (host, port, seconds) = (&address.host, address.port, timeout.unwrap_or(CONNECT).as_secs_f32());
                    format!("the server {host}:{port} does not answer within {seconds} s")
                }
                _ => e.message,
            };
            (Stage::LogIn, DbError { kind: ErrorKind::Connect, message, ..e })
        })?;
        match wire.socket.set_timeout(None) {
            Ok(()) => Ok(wire),
            Err(error) => Err((Stage::Reach, broken(&error))),
        }
    }

    /// Settings that the texts of values hang on, where the server or the database has others. They are no part of the
    /// login: those who deal out connections (PgBouncer) refuse logins with settings that they do not know.
    pub(super) fn settings(&mut self) -> Outcome<()> {
        let mut sql = String::new();
        if !self.intervals.is_empty() && self.intervals != "postgres" {
            sql.push_str("SET IntervalStyle = postgres;");
        }
        let major = self.version.split(|c: char| !c.is_ascii_digit()).next().and_then(|n| n.parse().ok()).unwrap_or(0);
        // Since 12, floats are written with as many digits as they need.
        if major < 12 {
            sql.push_str("SET extra_float_digits = 3;");
        }
        if sql.is_empty() {
            return Ok(());
        }
        frontend::query(&sql, &mut self.out).map_err(|e| broken(&e))?;
        self.send()?;
        self.settle()
    }

    fn log_in(&mut self, address: &Address) -> Outcome<()> {
        self.send()?;
        let mut login = Login::Begun;
        loop {
            let message = self.receive()?;
            match message.tag {
                b'R' => self.authenticate(&message.body, address, &mut login)?,
                b'K' => {
                    let number = |at: usize| {
                        message.body.get(at..at + 4).and_then(|b| b.try_into().ok()).map(i32::from_be_bytes)
                    };
                    let key = (number(0).unwrap_or(0), number(4).unwrap_or(0));
                    *self.interrupter.key.lock().unwrap_or_else(PoisonError::into_inner) = key;
                }
                b'E' => return Err(failure(&message.body)),
                b'Z' => return Ok(()),
                _ => {}
            }
        }
    }

    fn authenticate(&mut self, body: &[u8], address: &Address, login: &mut Login) -> Outcome<()> {
        let kind = body.get(..4).and_then(|b| b.try_into().ok()).map_or(-1, i32::from_be_bytes);
        let rest = body.get(4..).unwrap_or(&[]);
        let (user, password) = (address.user.as_bytes(), address.password.as_bytes());
        if password.is_empty() && matches!(kind, 3 | 5 | 10) {
            let user = &address.user;
            let mut message = format!("the server asks for the password of \"{user}\", and the connection has none");
            if let Some(why) = &address.passed_over {
                message.push_str(&format!("; {why}"));
            }
            return Err(DbError { source: "PostgreSQL".into(), ..DbError::new(ErrorKind::Connect, message) });
        }
        if address.binding == Binding::Required && matches!(kind, 3 | 5) {
            let message = "channel_binding=require: the server asks for a password that nothing binds";
            return Err(DbError { source: "PostgreSQL".into(), ..DbError::new(ErrorKind::Connect, message) });
        }
        match kind {
            0 => {
                let message = match login {
                    Login::Proved => return Ok(()),
                    Login::Begun if address.binding == Binding::Required => {
                        "channel_binding=require: the server lets everybody in"
                    }
                    Login::Begun => return Ok(()),
                    Login::Scram(_) => "the server ended the login without proving that it knows the password",
                };
                return Err(DbError { source: "PostgreSQL".into(), ..DbError::new(ErrorKind::Connect, message) });
            }
            3 => frontend::password_message(password, &mut self.out),
            5 => {
                let salt = rest.get(..4).and_then(|s| s.try_into().ok()).ok_or_else(|| defect("no salt"))?;
                frontend::password_message(md5_hash(user, password, salt).as_bytes(), &mut self.out)
            }
            10 => {
                let offered = rest.split(|b| *b == 0).any(|name| name == SCRAM_SHA_256_PLUS.as_bytes());
                let end_point = match &self.socket {
                    Socket::Tls(tls) if address.binding != Binding::Never => tls.end_point.clone(),
                    _ => None,
                };
                let (mechanism, binding) = match end_point {
                    Some(hash) if offered => (SCRAM_SHA_256_PLUS, ChannelBinding::tls_server_end_point(hash)),
                    _ if address.binding == Binding::Required => {
                        let message =
                            "channel_binding=require: the server does not bind logins to encrypted connections";
                        return Err(DbError {
                            source: "PostgreSQL".into(),
                            ..DbError::new(ErrorKind::Connect, message)
                        });
                    }
                    // That we could is said, so that nobody in between can hide that the server can.
                    Some(_) => (SCRAM_SHA_256, ChannelBinding::unrequested()),
                    None => (SCRAM_SHA_256, ChannelBinding::unsupported()),
                };
                let made = ScramSha256::new(password, binding);
                let sent = frontend::sasl_initial_response(mechanism, made.message(), &mut self.out);
                *login = Login::Scram(Box::new(made));
                sent
            }
            11 => {
                let Login::Scram(scram) = login else { return Err(defect("an answer to nothing")) };
                scram.update(rest).map_err(|e| broken(&e))?;
                frontend::sasl_response(scram.message(), &mut self.out)
            }
            12 => {
                let Login::Scram(scram) = login else { return Err(defect("an answer to nothing")) };
                scram.finish(rest).map_err(|e| broken(&e))?;
                *login = Login::Proved;
                return Ok(());
            }
            other => {
                let name = match other {
                    2 => "Kerberos 5",
                    7 | 8 => "GSSAPI",
                    9 => "SSPI",
                    _ => "one that is not known here",
                };
                let message = format!("the server asks for a way of logging in ({name}) that this build does not have");
                return Err(DbError::unsupported(message));
            }
        }
        .map_err(|e| broken(&e))?;
        self.send()
    }

    /// Sends what is in `out`.
    pub(super) fn send(&mut self) -> Outcome<()> {
        let out = std::mem::take(&mut self.out);
        let sent = self.write(&out);
        self.out = out;
        self.out.clear();
        sent.map_err(|e| match waited(&e) {
            true => {
                self.end_overdue();
                self.lost(&e)
            }
            false => self.last_words().unwrap_or_else(|| self.lost(&e)),
        })
    }

    /// Writes everything. A server that has a lot to say meanwhile (notices of a trigger, row by row) reads nothing more
    /// until it could say it: it is listened to whenever there is no room.
    fn write(&mut self, out: &[u8]) -> io::Result<()> {
        let (mut at, mut moved) = (0, Instant::now());
        loop {
            let done = match at < out.len() {
                true => self.socket.write(&out[at..]),
                false => self.socket.flush().map(|()| 0),
            };
            match done {
                Ok(_) if at == out.len() => return Ok(()),
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    at += written;
                    moved = Instant::now();
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if waited(&error) => {
                    if self.listen()? > 0 {
                        moved = Instant::now();
                    }
                    let patience = match self.interrupter.cancelled.load(Ordering::Relaxed) {
                        true => Some(PATIENCE),
                        false => self.timeout,
                    };
                    if patience.is_some_and(|patience| moved.elapsed() > patience) {
                        return Err(error);
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Reads what has come, without waiting; how many bytes.
    fn listen(&mut self) -> io::Result<usize> {
        self.socket.set_nonblocking(true)?;
        let mut bytes = 0;
        let heard = loop {
            match self.more() {
                // That it was closed is found out by whoever reads next.
                Ok(0) => break Ok(bytes),
                Ok(got) => bytes += got,
                Err(error) if waited(&error) => break Ok(bytes),
                Err(error) => break Err(error),
            }
        };
        self.socket.set_nonblocking(false)?;
        heard
    }

    /// What the server said before it closed the connection that cannot be written to any more.
    fn last_words(&mut self) -> Option<DbError> {
        // Nothing can be done about a statement any more.
        self.overdue = true;
        self.socket.set_timeout(Some(Duration::from_secs(1))).ok()?;
        let message = loop {
            let message = self.receive().ok()?;
            if message.tag == b'E' {
                break message;
            }
        };
        let error = failure(&message.body);
        Some(match error.kind {
            ErrorKind::Lost | ErrorKind::Cancelled => error,
            _ => DbError { kind: ErrorKind::Lost, ..error },
        })
    }

    /// How long each answer to a statement is waited for; what takes longer, the server is asked to end. Its own
    /// statement_timeout would count the time in which somebody reads rows, too.
    pub(super) fn set_timeout(&mut self, timeout: Option<Duration>) -> Outcome<()> {
        if std::mem::take(&mut self.overdue) || self.timeout != timeout {
            self.socket.set_timeout(timeout).map_err(|e| broken(&e))?;
            self.timeout = timeout;
        }
        Ok(())
    }

    /// Has the server end a statement that takes too long, once. False: there is no more to be done about it.
    fn end_overdue(&mut self) -> bool {
        if self.overdue || self.timeout.is_none() || self.is_cancelled() {
            return false;
        }
        self.overdue = true;
        self.interrupter.interrupt();
        self.socket.set_timeout(Some(PATIENCE)).is_ok()
    }

    fn is_cancelled(&self) -> bool {
        self.interrupter.cancelled.load(Ordering::Relaxed)
    }

    /// What an interruption is that nobody asked for: a statement's that took too long, or the server's own.
    pub(super) fn timed_out(&self, error: DbError) -> DbError {
        match self.overdue {
            true => DbError { state: error.state, ..self.past_timeout("the statement does not end") },
            false => DbError { kind: ErrorKind::Timeout, ..error },
        }
    }

    fn past_timeout(&self, what: &str) -> DbError {
        let limit = self.timeout.map_or(String::new(), |t| format!(", {} s", t.as_secs_f32()));
        let message = format!("{what} within the timeout of the statement{limit}");
        DbError { source: "PostgreSQL".into(), ..DbError::new(ErrorKind::Timeout, message) }
    }

    fn lost(&mut self, error: &io::Error) -> DbError {
        // Whoever asks again is not to wait again.
        self.socket.shut_down();
        let cancelled = self.is_cancelled();
        if waited(error) && !cancelled {
            return self.past_timeout("the server does not answer");
        }
        let kind = match cancelled {
            true => ErrorKind::Cancelled,
            false => ErrorKind::Lost,
        };
        DbError { kind, ..broken(error) }
    }

    /// Reads more into the input; how many bytes, 0 where the server closed the connection.
    fn more(&mut self) -> io::Result<usize> {
        if self.at > 0 {
            self.input.copy_within(self.at..self.end, 0);
            self.end -= self.at;
            self.at = 0;
        }
        // Grown once for the longest message, and never cleared.
        if self.input.len() < self.end + READ {
            self.input.resize((self.end + READ).next_power_of_two(), 0);
        }
        let got = loop {
            match self.socket.read(&mut self.input[self.end..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                done => break done?,
            }
        };
        self.end += got;
        Ok(got)
    }

    /// Reads more into the input.
    fn fill(&mut self) -> Outcome<()> {
        loop {
            return match self.more() {
                // It was shut down, as nobody could be reached who would end the statement.
                Ok(0) if self.overdue => Err(self.lost(&io::ErrorKind::TimedOut.into())),
                Ok(0) => Err(self.lost(&io::Error::new(io::ErrorKind::UnexpectedEof, "the server closed it"))),
                Ok(_) => Ok(()),
                Err(error) if waited(&error) && self.end_overdue() => continue,
                Err(error) => Err(self.lost(&error)),
            };
        }
    }

    /// The tag and the whole length of the next message, if its head is here.
    fn head(&self) -> Option<(u8, usize)> {
        let head = self.input[..self.end].get(self.at..self.at + 5)?;
        let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
        Some((head[0], length.max(4) + 1))
    }

    /// The next message, waited for.
    pub(super) fn receive(&mut self) -> Outcome<Message> {
        loop {
            if let Some(message) = self.message() {
                return Ok(message);
            }
            self.fill()?;
        }
    }

    /// The next message that has come; notices and settings are passed over.
    fn message(&mut self) -> Option<Message> {
        loop {
            let (tag, length) = self.head().filter(|(_, length)| self.end - self.at >= *length)?;
            let body = self.input[self.at + 5..self.at + length].to_vec();
            self.at += length;
            match tag {
                b'N' | b'A' => {}
                b'S' => {
                    let value = |name: &[u8]| {
                        let value = body.strip_prefix(name)?.strip_prefix(b"\0")?;
                        Some(String::from_utf8_lossy(value).trim_end_matches('\0').to_owned())
                    };
                    if let Some(version) = value(b"server_version") {
                        self.version = version;
                    }
                    if let Some(style) = value(b"IntervalStyle") {
                        self.intervals = style;
                    }
                }
                b'Z' => {
                    self.status = body.first().copied().unwrap_or(b'I');
                    return Some(Message { tag, body });
                }
                _ => return Some(Message { tag, body }),
            }
        }
    }

    /// Moves whole messages with tag `tag` (rows) from the input to `block`, up to about `bytes` and `rows`, waiting for
    /// more as need be. How many rows; it ends early at a message with another tag, which stays.
    pub(super) fn rows(&mut self, tag: u8, block: &mut Vec<u8>, bytes: usize, rows: usize) -> Outcome<usize> {
        let mut count = 0;
        loop {
            let start = self.at;
            let mut other = false;
            while count < rows && block.len() + (self.at - start) < bytes {
                match self.head() {
                    Some((next, length)) if self.end - self.at >= length => {
                        if next == tag {
                            self.at += length;
                            count += 1;
                        } else {
                            other = true;
                            break;
                        }
                    }
                    _ => break,
                }
            }
            block.extend_from_slice(&self.input[start..self.at]);
            if other || count >= rows || block.len() >= bytes {
                return Ok(count);
            }
            self.fill()?;
        }
    }

    /// Reads up to ReadyForQuery, after an error or where nobody wants the rest.
    pub(super) fn settle(&mut self) -> Outcome<()> {
        while self.receive()?.tag != b'Z' {}
        Ok(())
    }

    /// The same if that is soon done. False: more is to come than is worth reading, or it takes its time.
    pub(super) fn settle_soon(&mut self) -> Outcome<bool> {
        let mut left = LITTLE;
        loop {
            while let Some(message) = self.message() {
                if message.tag == b'Z' {
                    return Ok(true);
                }
            }
            if left == 0 {
                return Ok(false);
            }
            self.socket.set_timeout(Some(SOON)).map_err(|e| broken(&e))?;
            let got = self.more();
            self.socket.set_timeout(self.timeout).map_err(|e| broken(&e))?;
            match got {
                Ok(0) => return Err(self.lost(&io::Error::new(io::ErrorKind::UnexpectedEof, "the server closed it"))),
                Ok(got) => left = left.saturating_sub(got),
                Err(error) if waited(&error) => return Ok(false),
                Err(error) => return Err(self.lost(&error)),
            }
        }
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        frontend::terminate(&mut self.out);
        // A server that is gone need not be told.
        let _ = self.send();
    }
}
