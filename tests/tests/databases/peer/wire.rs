//! Packets and tokens of the protocol, from the server's side.

use std::io::{Read, Write};
use std::net::TcpStream;

pub const SQL_BATCH: u8 = 1;
pub const RPC: u8 = 3;
pub const ATTENTION: u8 = 6;
pub const BULK: u8 = 7;
pub const TRANSACTION: u8 = 14;
pub const LOGIN: u8 = 16;
pub const PRELOGIN: u8 = 18;
const ANSWER: u8 = 4;

/// Of a packet: it is the last of its message, and the message is to be ignored.
const LAST: u8 = 1;
const IGNORED: u8 = 2;
/// Of the first packet of a message: the session is to be as good as new before.
const RESET: u8 = 8;

/// What a server says of encryption: there is none.
pub const NOT_ENCRYPTED: u8 = 2;

/// Of a DONE.
pub const MORE: u16 = 1;
pub const ERROR: u16 = 2;
pub const COUNT: u16 = 16;
pub const ATTENDED: u16 = 32;

/// What a client sent.
#[derive(Debug)]
pub struct Message {
    pub kind: u8,
    pub body: Vec<u8>,
    /// It took its words back.
    pub ignored: bool,
    pub reset: bool,
}

/// Reads a message. One that breaks off for an attention is forgotten.
pub fn receive(stream: &mut TcpStream) -> std::io::Result<Message> {
    let mut message = Message { kind: 0, body: Vec::new(), ignored: false, reset: false };
    loop {
        let mut header = [0; 8];
        stream.read_exact(&mut header)?;
        let length = usize::from(u16::from_be_bytes([header[2], header[3]])).saturating_sub(8);
        if header[0] != message.kind {
            message = Message { kind: header[0], body: Vec::new(), ignored: false, reset: false };
        }
        message.reset |= header[1] & RESET != 0;
        let from = message.body.len();
        message.body.resize(from + length, 0);
        stream.read_exact(&mut message.body[from..])?;
        if header[1] & LAST != 0 {
            message.ignored = header[1] & IGNORED != 0;
            return Ok(message);
        }
    }
}

/// An answer, sent in packets as it grows.
pub struct Answer {
    stream: TcpStream,
    pub out: Vec<u8>,
    packet: usize,
    number: u8,
}

impl Answer {
    pub fn new(stream: TcpStream) -> Answer {
        Answer { stream, out: Vec::new(), packet: 4096, number: 1 }
    }

    fn send(&mut self, kind: u8, length: usize, last: bool) -> std::io::Result<()> {
        let size = (length as u16 + 8).to_be_bytes();
        let mut packet = vec![kind, u8::from(last), size[0], size[1], 0, 0, self.number, 0];
        packet.extend(self.out.drain(..length));
        self.number = if last { 1 } else { self.number.wrapping_add(1) };
        self.stream.write_all(&packet)
    }

    /// Sends what fills packets.
    pub fn flow(&mut self) -> std::io::Result<()> {
        while self.out.len() > self.packet - 8 {
            self.send(ANSWER, self.packet - 8, false)?;
        }
        Ok(())
    }

    /// Sends the rest, as the end.
    pub fn end(&mut self) -> std::io::Result<()> {
        self.flow()?;
        self.send(ANSWER, self.out.len(), true)
    }

    /// Sends everything as one packet of a kind.
    pub fn end_of(&mut self, kind: u8) -> std::io::Result<()> {
        self.send(kind, self.out.len(), true)
    }

    pub fn done(&mut self, token: u8, status: u16, command: u16, rows: u64) {
        self.out.push(token);
        self.out.extend_from_slice(&status.to_le_bytes());
        self.out.extend_from_slice(&command.to_le_bytes());
        self.out.extend_from_slice(&rows.to_le_bytes());
    }

    fn sized(&mut self, token: u8, body: &[u8]) {
        self.out.push(token);
        self.out.extend_from_slice(&(body.len() as u16).to_le_bytes());
        self.out.extend_from_slice(body);
    }

    /// ERROR or INFO.
    pub fn says(&mut self, number: i32, class: u8, message: &str) {
        let mut body = number.to_le_bytes().to_vec();
        body.extend_from_slice(&[1, class]);
        let units: Vec<u16> = message.encode_utf16().collect();
        body.extend_from_slice(&(units.len() as u16).to_le_bytes());
        body.extend(units.iter().flat_map(|u| u.to_le_bytes()));
        short_text(&mut body, "PEER");
        short_text(&mut body, "");
        body.extend_from_slice(&1_i32.to_le_bytes());
        self.sized(if class > 10 { 0xAA } else { 0xAB }, &body);
    }

    /// ENVCHANGE of texts.
    pub fn changed(&mut self, what: u8, to: &str, from: &str) {
        let mut body = vec![what];
        short_text(&mut body, to);
        short_text(&mut body, from);
        self.sized(0xE3, &body);
    }

    /// ENVCHANGE of bytes: collations and transactions.
    pub fn changed_bytes(&mut self, what: u8, to: &[u8], from: &[u8]) {
        let mut body = vec![what, to.len() as u8];
        body.extend_from_slice(to);
        body.push(from.len() as u8);
        body.extend_from_slice(from);
        self.sized(0xE3, &body);
    }

    pub fn logged_in(&mut self) {
        let mut body = vec![1, 0x74, 0, 0, 4];
        short_text(&mut body, "Microsoft SQL Server");
        body.extend_from_slice(&[16, 0, 0x10, 0x09]);
        self.sized(0xAD, &body);
    }

    /// What a PRELOGIN gets: a version, and whether anything is encrypted.
    pub fn before_login(&mut self, encryption: u8) -> std::io::Result<()> {
        self.out = vec![
            0, 0, 21, 0, 6, 1, 0, 27, 0, 1, 2, 0, 28, 0, 1, 4, 0, 29, 0, 1, 0xFF, // where what is
            16, 0, 0x10, 0x09, 0, 0, encryption, 0, 0,
        ];
        self.end()
    }
}

/// A text with its length in one byte.
pub fn short_text(out: &mut Vec<u8>, text: &str) {
    let units: Vec<u16> = text.encode_utf16().collect();
    out.push(units.len() as u8);
    out.extend(units.iter().flat_map(|u| u.to_le_bytes()));
}

/// Whether bytes are all packets of a message.
pub fn is_whole(mut bytes: &[u8]) -> bool {
    while let [_, status, high, low, ..] = bytes {
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        if bytes.len() < length {
            return false;
        }
        if status & LAST != 0 {
            return true;
        }
        bytes = &bytes[length..];
    }
    false
}

/// Bytes of a message, one after the other. They are the tests' own client's: what is missing is a defect.
pub struct Bytes<'m>(pub &'m [u8]);

impl<'m> Bytes<'m> {
    pub fn take(&mut self, count: usize) -> &'m [u8] {
        let (taken, rest) = self.0.split_at(count);
        self.0 = rest;
        taken
    }

    pub fn byte(&mut self) -> u8 {
        self.take(1)[0]
    }

    pub fn short(&mut self) -> u16 {
        u16::from_le_bytes(self.take(2).try_into().unwrap())
    }

    pub fn int(&mut self) -> u32 {
        u32::from_le_bytes(self.take(4).try_into().unwrap())
    }

    pub fn text(&mut self, units: usize) -> String {
        utf16(self.take(units * 2))
    }

    /// Behind the headers, which a message of requests begins with.
    pub fn headers(&mut self) {
        let all = u32::from_le_bytes(self.0[..4].try_into().unwrap()) as usize;
        self.take(all);
    }
}

pub fn utf16(bytes: &[u8]) -> String {
    let units: Vec<u16> = bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
    String::from_utf16_lossy(&units)
}

/// What a LOGIN7 says: user, password, application, language, database.
pub fn login(message: &[u8]) -> [String; 5] {
    let field = |at: usize, hidden: bool| {
        let number = |at: usize| usize::from(u16::from_le_bytes([message[at], message[at + 1]]));
        let (from, units) = (number(at), number(at + 2));
        let byte = |b: &u8| if hidden { (b ^ 0xA5).rotate_left(4) } else { *b };
        let bytes: Vec<u8> = message[from..from + units * 2].iter().map(byte).collect();
        utf16(&bytes)
    };
    [field(40, false), field(44, true), field(48, false), field(64, false), field(68, false)]
}
