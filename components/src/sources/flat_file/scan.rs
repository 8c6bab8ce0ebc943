//! The vector scanner: finds every delimiter outside text qualifiers, 64 bytes at a step.
//!
//! It knows one-byte column delimiters (the same for every column), `LF`, `CR LF` or another byte or pair of bytes as
//! the row delimiter, and a one-byte qualifier or none; and it knows when it does not know: rows with too few or too
//! many columns, a qualifier inside an unqualified value, a qualifier at a column that has none. Then it says so, and
//! the block goes to the exact splitter ([`super::split`]). What AlwaysCheckForRowDelimiters says makes a difference to such
//! rows only.

use crate::connections::flat_file::{ColumnEnd, FlatFileFormat};
use wide::u8x16;

/// Bytes that must be readable behind the last one scanned.
pub(crate) const SLACK: usize = 64;

/// What the scanner needs to know of a format.
#[derive(Clone, Debug)]
pub(crate) struct Scanner {
    delimiter: u8,
    row: Row,
    qualifier: Option<u8>,
    columns: usize,
    /// Columns without text qualifiers, when others have them.
    bare: Vec<u32>,
}

#[derive(Clone, Copy, Debug)]
enum Row {
    One(u8),
    Two(u8, u8),
}

/// Where fields end. Positions count from the start of the buffer.
#[derive(Debug, Default)]
pub(crate) struct Ends {
    /// The position before the first field, then the last byte of every delimiter in order; the first `len` count.
    at: Vec<u32>,
    len: usize,
    /// The second qualifier of every doubled one.
    pub(crate) doubled: Vec<u32>,
    /// Bytes of a row delimiter.
    pub(crate) row_size: u32,
}

impl Ends {
    /// The position before the first field, then the last byte of every delimiter in order.
    pub(crate) fn at(&self) -> &[u32] {
        &self.at[..self.len]
    }
}

/// What a scan found out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Scan {
    /// So many whole rows, the last of which ends before the offset.
    Rows(usize, usize),
    /// Something that the scanner does not know.
    Irregular,
}

impl Scanner {
    /// A scanner for the format, if it is of the kind that the scanner knows.
    pub(crate) fn new(format: &FlatFileFormat) -> Option<Scanner> {
        let (last, others) = format.columns.split_last()?;
        let ColumnEnd::Delimiter(row) = &last.end else { return None };
        let row = match row.as_bytes() {
            [a] => Row::One(*a),
            [a, b] if a != b => Row::Two(*a, *b),
            _ => return None,
        };
        let mut delimiter = None;
        for column in others {
            let ColumnEnd::Delimiter(text) = &column.end else { return None };
            let [byte] = text.as_bytes() else { return None };
            if *delimiter.get_or_insert(*byte) != *byte {
                return None;
            }
        }
        // With one column there is only the row delimiter.
        let delimiter = delimiter.unwrap_or(match row {
            Row::One(a) | Row::Two(_, a) => a,
        });
        let qualified = format.columns.iter().any(|c| c.text_qualified);
        let qualifier = match format.qualifier.as_bytes() {
            [] => None,
            _ if !qualified => None,
            [byte] => Some(*byte),
            _ => return None,
        };
        let clash = |byte: u8| match row {
            Row::One(a) => a == byte,
            Row::Two(a, b) => a == byte || b == byte,
        };
        if (clash(delimiter) && !others.is_empty()) || qualifier.is_some_and(|q| q == delimiter || clash(q)) {
            return None;
        }
        let bare = match qualifier {
            None => Vec::new(),
            Some(_) => (0..).zip(&format.columns).filter(|(_, c)| !c.text_qualified).map(|(i, _)| i).collect(),
        };
        Some(Scanner { delimiter, row, qualifier, columns: format.columns.len(), bare })
    }

    /// Finds the fields of `buffer[start..end]`, which begins with a row. [`SLACK`] bytes must follow `end`.
    pub(crate) fn scan(&self, buffer: &[u8], start: usize, end: usize, ends: &mut Ends) -> Scan {
        ends.doubled.clear();
        ends.reserve((end - start) / 8 + 128);
        ends.at[0] = (start as u32).wrapping_sub(1);
        ends.len = 1;
        let whole = match (self.row, self.qualifier) {
            (Row::One(r), None) => self.run::<false, false>(buffer, start, end, ends, [r, r]),
            (Row::One(r), Some(_)) => self.run::<false, true>(buffer, start, end, ends, [r, r]),
            (Row::Two(a, b), None) => self.run::<true, false>(buffer, start, end, ends, [a, b]),
            (Row::Two(a, b), Some(_)) => self.run::<true, true>(buffer, start, end, ends, [a, b]),
        };
        ends.row_size = match self.row {
            Row::One(_) => 1,
            Row::Two(..) => 2,
        };
        match whole {
            Some(row_ends) => self.check(buffer, ends, row_ends),
            None => Scan::Irregular,
        }
    }

    /// The scan itself: the number of row delimiters, None if there was a qualifier where none can be.
    fn run<const TWO: bool, const QUALIFIED: bool>(
        &self,
        buffer: &[u8],
        start: usize,
        end: usize,
        ends: &mut Ends,
        row: [u8; 2],
    ) -> Option<usize> {
        let delimiter = u8x16::splat(self.delimiter);
        let (row_first, row_last) = (u8x16::splat(row[0]), u8x16::splat(row[1]));
        let quote = u8x16::splat(self.qualifier.unwrap_or(0));
        let one_column = self.columns == 1;
        // Carries from word to word: inside a qualified value; the byte before was the first half of a row delimiter;
        // it ended a field or the row (the block's start does); it was a closing qualifier; a closing qualifier and the
        // first half of a row delimiter, so that the second half must follow.
        let mut inside = 0u64;
        let mut first_half = 0u64;
        let mut boundary = 1u64;
        let mut closed = 0u64;
        let mut must_end = 0u64;
        let mut strange = 0u64;
        let mut rows = 0usize;
        let words = (end - start).div_ceil(64);
        let blocks = buffer[start..start + words * 64].as_chunks::<64>().0;
        for (index, block) in blocks.iter().enumerate() {
            let at = start + index * 64;
            let valid = if at + 64 <= end { u64::MAX } else { (1u64 << (end - at)) - 1 };
            let mut column = equal(block, delimiter);
            let mut row_end = equal(block, row_last);
            let mut first = 0;
            if TWO {
                first = equal(block, row_first);
                row_end &= first << 1 | first_half;
                first_half = first >> 63;
            }
            if one_column {
                column = 0;
            }
            let mut found = (column | row_end) & valid;
            row_end &= valid;
            if QUALIFIED {
                let quotes = equal(block, quote) & valid;
                if quotes | inside | closed | must_end != 0 {
                    let within = prefix_xor(quotes) ^ inside;
                    inside = ((within as i64) >> 63) as u64;
                    found &= !within;
                    row_end &= !within;
                    let opens = quotes & within;
                    let closes = quotes & !within;
                    let after_close = closes << 1 | closed;
                    strange |= opens & !((found << 1 | boundary) | after_close);
                    strange |= after_close & !(found | quotes | first) & valid;
                    if TWO {
                        let half = after_close & first;
                        strange |= (half << 1 | must_end) & !found & valid;
                        must_end = half >> 63;
                    }
                    let mut doubled = opens & after_close;
                    closed = closes >> 63;
                    while doubled != 0 {
                        ends.doubled.push(at as u32 + doubled.trailing_zeros());
                        doubled &= doubled - 1;
                    }
                }
                boundary = found >> 63;
            }
            rows += (row_end != 0) as usize;
            if row_end & row_end.wrapping_sub(1) != 0 {
                rows += row_end.count_ones() as usize - 1;
            }
            ends.push(found, at as u32);
        }
        (strange == 0).then_some(rows)
    }

    /// Checks that every `columns`-th delimiter found ends a row, and no other; drops what belongs to an unfinished row.
    fn check(&self, buffer: &[u8], ends: &mut Ends, row_ends: usize) -> Scan {
        let columns = self.columns;
        let rows = (ends.len - 1) / columns;
        if rows != row_ends {
            return Scan::Irregular;
        }
        let row_last = match self.row {
            Row::One(b) | Row::Two(_, b) => b,
        };
        ends.len = 1 + rows * columns;
        let at = ends.at();
        let mut regular = true;
        for position in at[1..].iter().skip(columns - 1).step_by(columns) {
            regular &= buffer[*position as usize] == row_last;
        }
        if let Some(quote) = self.qualifier {
            for row in at[..rows * columns].chunks_exact(columns) {
                for column in &self.bare {
                    // The field begins behind the delimiter before it.
                    regular &= buffer[row[*column as usize].wrapping_add(1) as usize] != quote;
                }
            }
        }
        let end = at[rows * columns].wrapping_add(1) as usize;
        if regular { Scan::Rows(rows, end) } else { Scan::Irregular }
    }
}

/// Which of the 64 bytes equal the one that fills `byte`.
#[inline(always)]
fn equal(block: &[u8; 64], byte: u8x16) -> u64 {
    let (parts, _) = block.as_chunks::<16>();
    let mask = |i: usize| u64::from(u8x16::new(parts[i]).simd_eq(byte).to_bitmask());
    mask(0) | mask(1) << 16 | mask(2) << 32 | mask(3) << 48
}

/// Bit i: the parity of the bits up to and with i.
#[inline(always)]
fn prefix_xor(mut bits: u64) -> u64 {
    for shift in [1, 2, 4, 8, 16, 32] {
        bits ^= bits << shift;
    }
    bits
}

impl Ends {
    /// Room for so many positions more, and for a word's beyond them.
    fn reserve(&mut self, more: usize) {
        let size = self.len + more + 64;
        if self.at.len() < size {
            self.at.resize(size, 0);
        }
    }

    /// Appends the positions of the bits, eight at a time: most words have fewer, and what is written too much does not
    /// count.
    #[inline(always)]
    fn push(&mut self, mut bits: u64, base: u32) {
        let count = bits.count_ones() as usize;
        if self.at.len() < self.len + 64 {
            self.reserve(self.len / 2 + 64);
        }
        let mut place = &mut self.at[self.len..];
        self.len += count;
        loop {
            let Some((eight, rest)) = place.split_first_chunk_mut::<8>() else { return };
            let mut positions = [0; 8];
            for position in &mut positions {
                *position = base + bits.trailing_zeros();
                bits &= bits.wrapping_sub(1);
            }
            *eight = positions;
            if bits == 0 {
                return;
            }
            place = rest;
        }
    }
}
