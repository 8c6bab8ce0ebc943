//! Records of the stream `Workbook` in an .xls file (BIFF8): found, replaced, left out, put between others.
//!
//! A record is a number, a length and as many bytes. Some records hold places of others in the stream; whoever changes
//! the stream gets the new places from [`Edits::apply`].

use super::append::Problem;
use std::collections::{HashMap, HashSet};

pub(super) const FORMULA: u16 = 0x0006;
pub(super) const EOF: u16 = 0x000A;
pub(super) const NAME: u16 = 0x0018;
pub(super) const DATE_MODE: u16 = 0x0022;
pub(super) const PASSWORD: u16 = 0x002F;
pub(super) const CONTINUE: u16 = 0x003C;
pub(super) const SHEET: u16 = 0x0085;
pub(super) const XF: u16 = 0x00E0;
pub(super) const STRINGS: u16 = 0x00FC;
pub(super) const STRING_CELL: u16 = 0x00FD;
pub(super) const STRING_INDEX: u16 = 0x00FF;
pub(super) const ROW_BLOCK: u16 = 0x00D7;
pub(super) const DIMENSIONS: u16 = 0x0200;
pub(super) const NUMBER: u16 = 0x0203;
pub(super) const BOOLEAN: u16 = 0x0205;
pub(super) const ROW: u16 = 0x0208;
pub(super) const INDEX: u16 = 0x020B;
pub(super) const BOF: u16 = 0x0809;
pub(super) const XF_CHECK: u16 = 0x087C;

/// What holds a cell, or several, of which each begins with its row: BLANK, BOOLERR, FORMULA, LABEL, LABELSST, MULBLANK,
/// MULRK, NUMBER, RK, RSTRING.
pub(super) const CELLS: [u16; 10] =
    [0x0201, BOOLEAN, FORMULA, 0x0204, STRING_CELL, 0x00BE, 0x00BD, NUMBER, 0x027E, 0x00D6];

/// What stands among them: ROW, STRING, SHRFMLA, ARRAY, TABLE, DBCELL.
pub(super) const AMONG_CELLS: [u16; 6] = [ROW, 0x0207, 0x04BC, 0x0221, 0x0236, ROW_BLOCK];

/// The most bytes of a record.
const LONGEST: usize = 8224;

/// A record of a stream.
#[derive(Clone, Copy, Debug)]
pub(super) struct Record {
    /// Where it begins.
    pub(super) start: usize,
    pub(super) id: u16,
    len: usize,
}

impl Record {
    /// What it holds.
    pub(super) fn data<'a>(&self, stream: &'a [u8]) -> &'a [u8] {
        &stream[self.start + 4..self.start + 4 + self.len]
    }
}

/// The records of a stream.
pub(super) fn records(stream: &[u8]) -> Result<Vec<Record>, Problem> {
    let mut records = Vec::new();
    let mut start = 0;
    while let Some(head) = stream.get(start..start + 4) {
        let (id, len) = (u16::from_le_bytes([head[0], head[1]]), usize::from(u16::from_le_bytes([head[2], head[3]])));
        if start + 4 + len > stream.len() {
            return Err(Problem::Other("it is damaged: a record ends beyond the file".into()));
        }
        records.push(Record { start, id, len });
        start += 4 + len;
    }
    Ok(records)
}

/// A record.
pub(super) fn record(id: u16, data: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(data.len() + 4);
    put(id, data, &mut bytes);
    bytes
}

/// Adds a record.
pub(super) fn put(id: u16, data: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&id.to_le_bytes());
    out.extend_from_slice(&(data.len() as u16).to_le_bytes());
    out.extend_from_slice(data);
}

/// A number of two bytes; 0 beyond the end.
pub(super) fn u16_at(data: &[u8], at: usize) -> u16 {
    data.get(at..at + 2).map_or(0, |b| u16::from_le_bytes([b[0], b[1]]))
}

/// A number of four bytes; 0 beyond the end.
pub(super) fn u32_at(data: &[u8], at: usize) -> u32 {
    data.get(at..at + 4).map_or(0, |b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]))
}

/// A text of which `cch` characters follow a byte that says how wide they are, and the bytes that it takes.
pub(super) fn text(data: &[u8], cch: usize) -> Option<(String, usize)> {
    let wide = data.first()? & 1 == 1;
    let bytes = data.get(1..1 + cch * if wide { 2 } else { 1 })?;
    let units: Vec<u16> = if wide {
        bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect()
    } else {
        bytes.iter().map(|b| u16::from(*b)).collect()
    };
    Some((String::from_utf16_lossy(&units), bytes.len() + 1))
}

/// What changes in a stream, by the index of a record.
#[derive(Default)]
pub(super) struct Edits {
    pub(super) replaced: HashMap<usize, Vec<u8>>,
    pub(super) dropped: HashSet<usize>,
    /// Behind the record.
    pub(super) added: HashMap<usize, Vec<u8>>,
}

impl Edits {
    /// The stream with the changes, and where each record begins in it.
    pub(super) fn apply(&self, stream: &[u8], records: &[Record]) -> (Vec<u8>, Vec<usize>) {
        let grown: usize = self.added.values().chain(self.replaced.values()).map(Vec::len).sum();
        let mut out = Vec::with_capacity(stream.len() + grown);
        let mut starts = Vec::with_capacity(records.len());
        for (index, record) in records.iter().enumerate() {
            starts.push(out.len());
            match self.replaced.get(&index) {
                Some(bytes) => out.extend_from_slice(bytes),
                None if self.dropped.contains(&index) => {}
                None => out.extend_from_slice(&stream[record.start..record.start + 4 + record.len]),
            }
            if let Some(bytes) = self.added.get(&index) {
                out.extend_from_slice(bytes);
            }
        }
        (out, starts)
    }
}

/// Texts that are added to those of a workbook, each once.
pub(super) struct Strings {
    known: HashMap<Box<str>, u32>,
    /// The number of the first one.
    first: u32,
    /// How many cells hold one.
    pub(super) used: u32,
    /// What the records hold, in order. The first has room for the counts where the workbook had no texts.
    parts: Vec<Vec<u8>>,
}

impl Strings {
    /// `first` is the number of texts that the workbook has; None: it has no record for them yet.
    pub(super) fn new(first: Option<u32>) -> Strings {
        let parts = if first.is_some() { Vec::new() } else { vec![vec![0; 8]] };
        Strings { known: HashMap::new(), first: first.unwrap_or(0), used: 0, parts }
    }

    /// How many there are.
    pub(super) fn len(&self) -> u32 {
        self.known.len() as u32
    }

    /// The number of a text.
    pub(super) fn number(&mut self, text: &str) -> u32 {
        self.used += 1;
        if let Some(number) = self.known.get(text) {
            return *number;
        }
        let number = self.first + self.len();
        self.known.insert(text.into(), number);
        self.write(text);
        number
    }

    fn write(&mut self, text: &str) {
        let units: Vec<u16> = text.encode_utf16().collect();
        let wide = units.iter().any(|unit| *unit > 0xFF);
        let size = if wide { 2 } else { 1 };
        let fits = self.parts.last().is_some_and(|part| part.len() + 3 + units.len() * size <= LONGEST);
        if !fits {
            self.parts.push(Vec::new());
        }
        let mut rest = units.as_slice();
        let mut head: Vec<u8> = [(units.len() as u16).to_le_bytes().as_slice(), &[u8::from(wide)]].concat();
        loop {
            let Some(part) = self.parts.last_mut() else { return };
            part.append(&mut head);
            let (now, later) = rest.split_at(rest.len().min((LONGEST - part.len()) / size));
            for unit in now {
                part.extend_from_slice(&unit.to_le_bytes()[..size]);
            }
            rest = later;
            if rest.is_empty() {
                return;
            }
            // What goes on in another record says again how wide its characters are.
            head = vec![u8::from(wide)];
            self.parts.push(Vec::new());
        }
    }

    /// The records that follow those of the workbook; with none there, the first is the record of texts itself.
    pub(super) fn records(mut self, existing: bool) -> Vec<u8> {
        let counts = [self.used.to_le_bytes(), self.len().to_le_bytes()].concat();
        let mut out = Vec::new();
        for (place, part) in self.parts.iter_mut().enumerate() {
            if place == 0 && !existing {
                part[..8].copy_from_slice(&counts);
                put(STRINGS, part, &mut out);
            } else {
                put(CONTINUE, part, &mut out);
            }
        }
        out
    }
}

/// The checksum that a workbook keeps of its formats.
pub(super) fn checksum<'a>(parts: impl Iterator<Item = &'a [u8]>) -> u32 {
    let table: Vec<u32> = (0..256_u32)
        .map(|index| {
            let step = |value: u32, _| if value & 0x8000_0000 != 0 { (value << 1) ^ 0xAF } else { value << 1 };
            (0..8).fold(index << 24, step) & 0xFFFF
        })
        .collect();
    let step = |sum: u32, byte: &u8| (sum << 8) ^ table[((sum >> 24) as u8 ^ byte) as usize];
    parts.flatten().fold(0, step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_go_on_in_further_records() {
        let mut strings = Strings::new(Some(7));
        let long = "é".repeat(9000);
        let wide = "ж".repeat(5000);
        assert_eq!(
            [strings.number("a"), strings.number(&long), strings.number("a"), strings.number(&wide)],
            [7, 8, 7, 9]
        );
        assert_eq!((strings.used, strings.len()), (4, 3));
        let bytes = strings.records(true);
        let Ok(found) = records(&bytes) else { panic!() };
        let lengths: Vec<usize> = found.iter().map(|r| r.data(&bytes).len()).collect();
        assert!(found.iter().all(|r| r.id == CONTINUE));
        // "a"; then 3 bytes and 8221 characters, a byte and 779 of them; then the same with two bytes a character
        assert_eq!(lengths, [4, 8224, 780, 3 + 2 * 4110, 1 + 2 * 890]);
        assert_eq!(found[3].data(&bytes)[..3], [0x88, 0x13, 1]);
        assert_eq!(found[4].data(&bytes)[0], 1);
    }

    #[test]
    fn what_is_damaged_is_no_stream() {
        assert!(records(&[0xFC, 0, 9, 0, 1]).is_err());
        assert_eq!(records(&[0x0A, 0, 0, 0]).map(|r| r.len()).unwrap_or(0), 1);
    }
}
