//! The protocol of MySQL and MariaDB over a socket that waits: packets in, packets out, logging in, cancelling.
//!
//! A packet is a length of 24 bits, a number, and as many bytes; what has 2^24 - 1 bytes goes on in the next one. Commands
//! are answered by OK, by an error, or by columns and rows; what is more to come is in the status of each.

mod handshake;

use super::login::Address;
use super::{SOURCE, failure};
use crate::db::error::{DbError, ErrorKind, Outcome};
use crate::db::socket::{CONNECT, Socket, waited};
use crate::db::tls::{Cover, Stage};
use mysql_common::io::ParseBuf;
use mysql_common::packets::{Column as Definition, HandshakePacket};
use std::io::{self, Read, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How long a server may take to hear that a statement is to be interrupted, and then to say that it was.
const PATIENCE: Duration = Duration::from_secs(5);
/// Bytes that are asked of the socket at a time.
const READ: usize = 256 * 1024;
/// The length of a packet that goes on in the next one.
const WHOLE: usize = 0xff_ffff;
/// What the other side is told of the longest packet that is taken here.
const LONGEST: u32 = 1 << 30;
/// The collation utf8mb4_general_ci, which every server since 5.5 has.
const COLLATION: u8 = 45;

/// Bits of a status.
const IN_TRANSACTION: u16 = 0x0001;
const MORE_RESULTS: u16 = 0x0008;
const OUTPUTS: u16 = 0x1000;

/// What interrupts the statement of a connection from another thread: a second connection that asks for it; if there is
/// none to be had, the end of this one.
#[derive(Clone)]
pub(super) struct Interrupter {
    address: Address,
    id: u32,
    socket: Arc<Mutex<Option<Socket>>>,
    pub(super) cancelled: Arc<AtomicBool>,
}

impl Interrupter {
    /// Has the server end what the connection does.
    pub(super) fn interrupt(&self) {
        let done = Wire::open(&self.address, Some(PATIENCE)).and_then(|mut wire| {
            wire.wait_no_longer_than(Some(PATIENCE))?;
            wire.send(&[&[COM_QUERY], format!("KILL QUERY {}", self.id).as_bytes()])?;
            wire.settle()?;
            wire.quit();
            Ok(())
        });
        if done.is_err_and(|e| !matches!(e.native, 1094)) {
            // The server is gone, or full: nobody is to wait for it.
            if let Some(socket) = self.socket.lock().unwrap_or_else(PoisonError::into_inner).as_ref() {
                socket.shut_down();
            }
        }
    }
}

pub(super) const COM_QUIT: u8 = 0x01;
pub(super) const COM_INIT_DB: u8 = 0x02;
pub(super) const COM_QUERY: u8 = 0x03;
pub(super) const COM_STMT_PREPARE: u8 = 0x16;
pub(super) const COM_STMT_EXECUTE: u8 = 0x17;
pub(super) const COM_STMT_CLOSE: u8 = 0x19;
pub(super) const COM_RESET_CONNECTION: u8 = 0x1f;
/// MariaDB's: one statement for many rows of parameters.
pub(super) const COM_STMT_BULK_EXECUTE: u8 = 0xfa;

/// What a server says to a command.
pub(super) enum Reply {
    /// Done, with so many rows affected.
    Done(u64),
    /// Rows of these columns follow. `outputs`: they are the one row of a call's output parameters.
    Rows { columns: Vec<Definition>, outputs: bool },
}

/// A statement that the server prepared.
pub(super) struct Prepared {
    pub(super) id: u32,
    pub(super) parameters: usize,
    pub(super) columns: Vec<Definition>,
}

/// A connection.
pub(super) struct Wire {
    socket: Socket,
    /// What was received and not looked at is at `at..end`.
    input: Vec<u8>,
    at: usize,
    end: usize,
    /// The number of the next packet.
    number: u8,
    /// What is sent next.
    frame: Vec<u8>,
    status: u16,
    /// How long each answer to a statement is waited for.
    timeout: Option<Duration>,
    /// The statement in hand took longer, and the server was asked to end it.
    overdue: bool,
    /// An interruption may come too late for the statement that was meant, and meet the next one.
    late: bool,
    pub(super) interrupter: Interrupter,
    pub(super) version: String,
    pub(super) is_maria: bool,
    /// Whether the server runs one statement for many rows of parameters.
    pub(super) bulk: bool,
}

fn broken(error: &io::Error) -> DbError {
    DbError { source: SOURCE.into(), ..DbError::new(ErrorKind::Lost, format!("the connection broke: {error}")) }
}

fn defect(what: &str) -> DbError {
    DbError { source: SOURCE.into(), ..DbError::new(ErrorKind::Lost, format!("the server sent {what}")) }
}

fn refused(message: impl Into<String>) -> DbError {
    DbError { source: SOURCE.into(), ..DbError::new(ErrorKind::Connect, message) }
}

impl Wire {
    /// Connects and logs in: encrypted or not, in the order that the mode says.
    pub(super) fn open(address: &Address, timeout: Option<Duration>) -> Outcome<Wire> {
        let mut last = defect("nothing");
        for cover in address.protection.covers(address.socket.is_some())? {
            match Wire::connect(address, timeout, &cover) {
                Ok(wire) => return Ok(wire),
                // Who cannot agree on an encryption may do without, where that is allowed.
                Err((Stage::Encrypt, error)) => last = error,
                Err((Stage::Reach | Stage::LogIn, error)) => return Err(error),
            }
        }
        Err(last)
    }

    fn connect(address: &Address, timeout: Option<Duration>, cover: &Cover) -> Result<Wire, (Stage, DbError)> {
        let patience = timeout.unwrap_or(CONNECT);
        let unreached = |error: io::Error| {
            let local = ["localhost", "127.0.0.1", "::1"].contains(&address.host.as_str());
            let advice = match local && address.socket.is_none() && error.kind() == io::ErrorKind::ConnectionRefused {
                true => "; one that listens at its socket alone is reached with Socket=PATH (/run/mysqld/mysqld.sock)",
                false => "",
            };
            (Stage::Reach, refused(format!("cannot connect to {}: {error}{advice}", address.place())))
        };
        let socket = match &address.socket {
            Some(path) => Socket::unix(path),
            None => Socket::tcp(&address.host, address.port, timeout),
        };
        let socket = socket.map_err(unreached)?;
        if let Some(after) = address.keep_alive {
            socket.set_keepalive(after).map_err(unreached)?;
        }
        let interrupter = Interrupter {
            address: address.clone(),
            id: 0,
            socket: Arc::default(),
            cancelled: Arc::new(AtomicBool::new(false)),
        };
        let mut wire = Wire {
            socket,
            input: Vec::new(),
            at: 0,
            end: 0,
            number: 0,
            frame: Vec::new(),
            status: 0,
            timeout: None,
            overdue: false,
            late: false,
            interrupter,
            version: String::new(),
            is_maria: false,
            bulk: false,
        };
        wire.wait_no_longer_than(Some(patience)).map_err(|e| (Stage::Reach, e))?;
        let login = |e: DbError| match e.kind {
            ErrorKind::Timeout => {
                let (place, seconds) = (address.place(), patience.as_secs_f32());
                (Stage::LogIn, refused(format!("the server {place} does not answer within {seconds} s")))
            }
            _ => (Stage::LogIn, DbError { kind: ErrorKind::Connect, ..e }),
        };
        let greeting = wire.packet().map_err(login)?;
        if greeting.first() == Some(&0xff) {
            return Err(login(failure(&greeting)));
        }
        let greeting: HandshakePacket<'_> =
            ParseBuf(&greeting).parse(()).map_err(|e| login(defect(&format!("no greeting: {e}"))))?;
        wire = wire.greeted(address, &greeting, cover)?;
        wire.log_in(address, &greeting).and_then(|()| wire.settings()).map_err(login)?;
        let handle = wire.socket.handle().map_err(unreached)?;
        *wire.interrupter.socket.lock().unwrap_or_else(PoisonError::into_inner) = Some(handle);
        wire.wait_no_longer_than(None).map_err(|e| (Stage::Reach, e))?;
        Ok(wire)
    }

    /// What every session begins with, and goes back to: UTF-8 both ways, and a server that waits for a reader who takes
    /// his time.
    pub(super) fn settings(&mut self) -> Outcome<()> {
        let sql = b"SET NAMES utf8mb4 COLLATE utf8mb4_general_ci, SESSION net_write_timeout = 31536000";
        self.send(&[&[COM_QUERY], sql])?;
        self.settle()
    }

    /// Says goodbye. A server that is gone need not be told.
    pub(super) fn quit(&mut self) {
        self.late = false;
        let _ = self.send(&[&[COM_QUIT]]);
    }

    /// Whether a transaction is open, as the server said last.
    pub(super) fn in_transaction(&self) -> bool {
        self.status & IN_TRANSACTION != 0
    }

    /// Takes note of a transaction that an error ended.
    pub(super) fn transaction_ended(&mut self) {
        self.status &= !IN_TRANSACTION;
    }

    /// Whether another result follows.
    pub(super) fn has_more(&self) -> bool {
        self.status & MORE_RESULTS != 0
    }

    /// How long each answer to a statement is waited for; what takes longer, the server is asked to end. The server's own
    /// timeouts (max_statement_time) would count the time in which somebody reads rows, too.
    pub(super) fn set_timeout(&mut self, timeout: Option<Duration>) -> Outcome<()> {
        if self.timeout != timeout {
            self.wait_no_longer_than(timeout)?;
            self.timeout = timeout;
        }
        Ok(())
    }

    fn wait_no_longer_than(&self, limit: Option<Duration>) -> Outcome<()> {
        self.socket.set_timeout(limit).and_then(|()| self.socket.set_write_timeout(limit)).map_err(|e| broken(&e))
    }

    /// Asks the server to end what the connection does. What is under way has yet to be read.
    pub(super) fn interrupt(&mut self) {
        self.interrupter.interrupt();
        self.late = true;
    }

    /// Says that an interruption may be under way that was meant for a statement before.
    pub(super) fn expect_late(&mut self) {
        self.late = true;
    }

    /// Has the server end a statement that takes too long, once. False: there is no more to be done about it.
    fn end_overdue(&mut self) -> bool {
        if self.overdue || self.timeout.is_none() || self.is_cancelled() {
            return false;
        }
        self.overdue = true;
        self.interrupt();
        self.wait_no_longer_than(Some(PATIENCE)).is_ok()
    }

    fn is_cancelled(&self) -> bool {
        self.interrupter.cancelled.load(Ordering::Relaxed)
    }

    /// Sends a command: the parts of one packet.
    pub(super) fn send(&mut self, parts: &[&[u8]]) -> Outcome<()> {
        if std::mem::take(&mut self.overdue) {
            self.wait_no_longer_than(self.timeout)?;
        }
        if std::mem::take(&mut self.late) {
            self.number = 0;
            self.write(&[&[COM_QUERY], b"DO 0"])?;
            // What came too late meets this one.
            if let Err(error) = self.settle()
                && error.kind == ErrorKind::Lost
            {
                return Err(error);
            }
        }
        self.number = 0;
        self.write(parts)
    }

    fn write(&mut self, parts: &[&[u8]]) -> Outcome<()> {
        let length: usize = parts.iter().map(|p| p.len()).sum();
        self.frame.clear();
        let (mut left, mut room) = (length, 0);
        let head = |frame: &mut Vec<u8>, number: &mut u8, left: usize| {
            let size = left.min(WHOLE);
            frame.extend_from_slice(&(size as u32).to_le_bytes()[..3]);
            frame.push(*number);
            *number = number.wrapping_add(1);
            size
        };
        for part in parts {
            let mut part = *part;
            while !part.is_empty() {
                if room == 0 {
                    room = head(&mut self.frame, &mut self.number, left);
                }
                let taken = part.len().min(room);
                self.frame.extend_from_slice(&part[..taken]);
                part = &part[taken..];
                room -= taken;
                left -= taken;
            }
        }
        if length.is_multiple_of(WHOLE) {
            head(&mut self.frame, &mut self.number, 0);
        }
        let frame = std::mem::take(&mut self.frame);
        let sent = self.socket.write_all(&frame).and_then(|()| self.socket.flush());
        if frame.capacity() <= 8 << 20 {
            self.frame = frame;
        }
        sent.map_err(|e| match waited(&e) {
            true => {
                self.end_overdue();
                self.lost(&e)
            }
            false => self.last_words().unwrap_or_else(|| self.lost(&e)),
        })
    }

    /// What the server said before it closed the connection that cannot be written to any more.
    fn last_words(&mut self) -> Option<DbError> {
        // Nothing can be done about a statement any more.
        self.overdue = true;
        self.wait_no_longer_than(Some(Duration::from_secs(1))).ok()?;
        let packet = self.packet().ok()?;
        let error = (packet.first() == Some(&0xff)).then(|| failure(&packet))?;
        Some(match error.kind {
            ErrorKind::Lost | ErrorKind::Cancelled => error,
            _ => DbError { kind: ErrorKind::Lost, ..error },
        })
    }

    fn lost(&mut self, error: &io::Error) -> DbError {
        let cancelled = self.is_cancelled();
        // Whoever asks again is not to wait again.
        self.socket.shut_down();
        if waited(error) && !cancelled {
            return self.timed_out("the server does not answer");
        }
        DbError { kind: if cancelled { ErrorKind::Cancelled } else { ErrorKind::Lost }, ..broken(error) }
    }

    fn timed_out(&self, what: &str) -> DbError {
        let limit = self.timeout.map_or(String::new(), |t| format!(", {} s", t.as_secs_f32()));
        let message = format!("{what} within the timeout of the statement{limit}");
        DbError { source: SOURCE.into(), ..DbError::new(ErrorKind::Timeout, message) }
    }

    /// What the server says of a failure, after which nothing more of the answer comes.
    fn failed(&mut self, packet: &[u8]) -> DbError {
        self.status &= !(MORE_RESULTS | OUTPUTS);
        let error = failure(packet);
        if error.kind == ErrorKind::Cancelled && !self.is_cancelled() && self.overdue {
            self.late = false;
            let told = self.timed_out("the statement does not end");
            return DbError { state: error.state, native: error.native, ..told };
        }
        error
    }

    /// The server speaks another language than this: what follows means nothing.
    fn misled(&self, what: &str) -> DbError {
        self.socket.shut_down();
        defect(what)
    }

    /// Reads more into the input.
    fn fill(&mut self) -> Outcome<()> {
        if self.at > 0 {
            self.input.copy_within(self.at..self.end, 0);
            self.end -= self.at;
            self.at = 0;
        }
        // Grown for the longest packet, and given back when there is none of that size any more.
        if self.input.len() > 16 * READ && self.end < READ {
            self.input = self.input[..self.end].to_vec();
        }
        if self.input.len() < self.end + READ {
            self.input.resize((self.end + READ).next_power_of_two(), 0);
        }
        let got = loop {
            match self.socket.read(&mut self.input[self.end..]) {
                // It was shut down, as nobody could be reached who would end the statement.
                Ok(0) if self.overdue => return Err(self.lost(&io::ErrorKind::TimedOut.into())),
                Ok(got) => break got,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if waited(&error) && self.end_overdue() => {}
                Err(error) => return Err(self.lost(&error)),
            }
        };
        self.end += got;
        if got == 0 {
            return Err(self.lost(&io::Error::new(io::ErrorKind::UnexpectedEof, "the server closed it")));
        }
        Ok(())
    }

    /// The length of the packet at `at`, if its head is here.
    fn length(&self, at: usize) -> Option<usize> {
        let head = self.input[..self.end].get(at..at + 4)?;
        Some(u32::from_le_bytes([head[0], head[1], head[2], 0]) as usize)
    }

    /// Where a packet with what it goes on in ends, and the length of what is in it, if all of it is here.
    fn whole(&self) -> Option<(usize, usize)> {
        let (mut at, mut size) = (self.at, 0);
        loop {
            let length = self.length(at)?;
            at += 4 + length;
            size += length;
            if at > self.end {
                return None;
            }
            if length < WHOLE {
                return Some((at, size));
            }
        }
    }

    /// Appends what is in the packet that ends at `end` to `out`, and goes behind it.
    fn take(&mut self, end: usize, out: &mut Vec<u8>) {
        while self.at < end {
            let length = self.length(self.at).unwrap_or(0);
            self.number = self.input[self.at + 3].wrapping_add(1);
            out.extend_from_slice(&self.input[self.at + 4..self.at + 4 + length]);
            self.at += 4 + length;
        }
    }

    /// The next packet.
    fn packet(&mut self) -> Outcome<Vec<u8>> {
        loop {
            if let Some((end, size)) = self.whole() {
                let mut out = Vec::with_capacity(size);
                self.take(end, &mut out);
                return Ok(out);
            }
            self.fill()?;
        }
    }

    /// Takes note of an OK; how many rows were affected.
    fn done(&mut self, packet: &[u8]) -> u64 {
        let mut rest = &packet[1..];
        let (affected, _) = (number(&mut rest).unwrap_or(0), number(&mut rest));
        if let Some(status) = rest.first_chunk::<2>() {
            self.status = u16::from_le_bytes(*status);
        }
        affected
    }

    /// Takes note of an EOF, if it is one.
    fn eof(&mut self, packet: &[u8]) -> bool {
        let ends = packet.first() == Some(&0xfe) && packet.len() < 9;
        if let Some(status) = packet.get(3..5).filter(|_| ends) {
            self.status = u16::from_le_bytes([status[0], status[1]]);
        }
        ends
    }

    /// The definitions of columns or parameters, and the EOF behind them.
    fn definitions(&mut self, count: usize) -> Outcome<Vec<Definition>> {
        let mut columns = Vec::with_capacity(count);
        for _ in 0..count {
            let packet = self.packet()?;
            columns.push(ParseBuf(&packet).parse(()).map_err(|e| self.misled(&format!("no column: {e}")))?);
        }
        if count > 0 {
            let packet = self.packet()?;
            if !self.eof(&packet) {
                return Err(self.misled("no end of the columns"));
            }
        }
        Ok(columns)
    }

    /// What the server says to a command, or next in its answer.
    pub(super) fn reply(&mut self) -> Outcome<Reply> {
        if let Some(reply) = self.said()? {
            return Ok(reply);
        }
        self.settle()?;
        let message = "the server asks for a file of this machine (LOAD DATA LOCAL), which it does not get";
        Err(DbError::unsupported(message))
    }

    /// The same; None: it asks for a file, which was not offered, and gets an empty one. It says something to that, too.
    fn said(&mut self) -> Outcome<Option<Reply>> {
        let packet = self.packet()?;
        match packet.first() {
            Some(0x00) => Ok(Some(Reply::Done(self.done(&packet)))),
            Some(0xff) => Err(self.failed(&packet)),
            Some(0xfb) => self.write(&[]).map(|()| None),
            _ => {
                let count = number(&mut &packet[..]).and_then(|count| u16::try_from(count).ok());
                let columns = self.definitions(count.ok_or_else(|| self.misled("no answer"))?.into())?;
                Ok(Some(Reply::Rows { columns, outputs: self.status & OUTPUTS != 0 }))
            }
        }
    }

    /// Prepares a statement.
    pub(super) fn prepare(&mut self, sql: &str) -> Outcome<Prepared> {
        self.send(&[&[COM_STMT_PREPARE], sql.as_bytes()])?;
        let packet = self.packet()?;
        if packet.first() == Some(&0xff) {
            return Err(self.failed(&packet));
        }
        let Some(head) = packet.get(..9) else { return Err(self.misled("no statement")) };
        let id = u32::from_le_bytes([head[1], head[2], head[3], head[4]]);
        let columns = usize::from(u16::from_le_bytes([head[5], head[6]]));
        let parameters = usize::from(u16::from_le_bytes([head[7], head[8]]));
        self.definitions(parameters)?;
        Ok(Prepared { id, parameters, columns: self.definitions(columns)? })
    }

    /// Forgets a statement. There is no answer to that.
    pub(super) fn close(&mut self, id: u32) -> Outcome<()> {
        self.send(&[&[COM_STMT_CLOSE], &id.to_le_bytes()])
    }

    /// Moves whole rows from the input to `block`, each with its length of 32 bits before it, up to about `bytes` and
    /// `rows`, waiting for more as need be. How many, and whether that was the last of them.
    pub(super) fn rows(&mut self, block: &mut Vec<u8>, bytes: usize, rows: usize) -> Outcome<(usize, bool)> {
        let mut count = 0;
        loop {
            // Those that lie one behind the other go together.
            let start = self.at;
            let mut other = false;
            while count < rows && block.len() + (self.at - start) < bytes {
                match self.length(self.at) {
                    Some(length) if length < WHOLE && self.at + 4 + length <= self.end => {
                        let first = if length == 0 { 0xfe } else { self.input[self.at + 4] };
                        if first == 0xff || (first == 0xfe && length < 9) {
                            other = true;
                            break;
                        }
                        // The number of the packet makes room for more of its length.
                        self.input[self.at + 3] = 0;
                        self.at += 4 + length;
                        count += 1;
                    }
                    _ => break,
                }
            }
            block.extend_from_slice(&self.input[start..self.at]);
            if other {
                return self.end_of_rows().map(|()| (count, true));
            }
            if count >= rows || block.len() >= bytes {
                return Ok((count, false));
            }
            // One that goes on in other packets.
            match self.length(self.at).and(self.whole()) {
                Some((end, size)) if size >= WHOLE => {
                    let size = u32::try_from(size).map_err(|_| self.misled("a row that is too long"))?;
                    block.extend_from_slice(&size.to_le_bytes());
                    self.take(end, block);
                    count += 1;
                }
                _ => self.fill()?,
            }
        }
    }

    fn end_of_rows(&mut self) -> Outcome<()> {
        let packet = self.packet()?;
        if self.eof(&packet) {
            return Ok(());
        }
        Err(self.failed(&packet))
    }

    /// Whether the rows that follow end within what was received.
    pub(super) fn ends_here(&self) -> bool {
        let mut at = self.at;
        while let Some(length) = self.length(at) {
            let first = self.input[..self.end].get(at + 4).copied();
            if at + 4 + length > self.end {
                return false;
            }
            if length < 9 && matches!(first, Some(0xfe)) || first == Some(0xff) {
                return true;
            }
            at += 4 + length;
        }
        false
    }

    /// Reads past rows that nobody wants.
    pub(super) fn skip_rows(&mut self) -> Outcome<()> {
        let mut block = Vec::new();
        loop {
            block.clear();
            if self.rows(&mut block, READ, usize::MAX)?.1 {
                return Ok(());
            }
        }
    }

    /// Reads to the end of an answer that nobody wants.
    pub(super) fn settle(&mut self) -> Outcome<()> {
        loop {
            match self.said()? {
                None => continue,
                Some(Reply::Rows { .. }) => self.skip_rows()?,
                Some(Reply::Done(_)) => {}
            }
            if !self.has_more() {
                return Ok(());
            }
        }
    }
}

/// A number of one to nine bytes, at the beginning of `rest`.
pub(super) fn number(rest: &mut &[u8]) -> Option<u64> {
    let (first, behind) = rest.split_first()?;
    let size = match first {
        0..=0xfa => {
            *rest = behind;
            return Some(u64::from(*first));
        }
        0xfc => 2,
        0xfd => 3,
        0xfe => 8,
        _ => return None,
    };
    let (digits, behind) = behind.split_at_checked(size)?;
    *rest = behind;
    Some(digits.iter().rev().fold(0, |n, d| n << 8 | u64::from(*d)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_every_length() {
        for (bytes, expected, left) in [
            (&[7_u8, 1][..], Some(7), 1),
            (&[0xfc, 1, 2], Some(0x0201), 0),
            (&[0xfd, 1, 2, 3], Some(0x03_0201), 0),
            (&[0xfe, 1, 0, 0, 0, 0, 0, 0, 1], Some(0x0100_0000_0000_0001), 0),
            (&[0xfb], None, 1),
            (&[0xfc, 1], None, 2),
            (&[], None, 0),
        ] {
            let mut rest = bytes;
            assert_eq!(number(&mut rest), expected, "{bytes:?}");
            assert!(expected.is_none() || rest.len() == left, "{bytes:?}");
        }
    }
}
