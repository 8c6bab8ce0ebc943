//! Columns of text made of views: results share the blocks of their input, or hold new text in blocks of their own.

use super::datum::Texts;
use crate::diag::Result;
use arrow::array::{ArrayRef, BooleanArray, StringViewBuilder};
use arrow::buffer::NullBuffer;
use std::sync::Arc;

/// The longest text that a view holds itself.
pub(crate) const INLINE: usize = 12;

/// Builds a column of text. Nothing is validated that was text before: Arrow's builder takes `&str` as it is, where an
/// array of views looks at every one of them again.
pub(crate) struct TextOut {
    builder: StringViewBuilder,
    scratch: String,
}

impl TextOut {
    /// A column whose views may point into the blocks of `source`.
    pub fn sharing(source: Texts<'_>, rows: usize) -> TextOut {
        let mut out = TextOut::new(rows);
        if let Texts::Many(column) = source {
            // They keep their numbers.
            for block in column.data_buffers().iter() {
                out.builder.append_block(block.clone());
            }
        }
        out
    }

    /// A column of new text.
    pub fn new(rows: usize) -> TextOut {
        TextOut { builder: StringViewBuilder::with_capacity(rows), scratch: String::new() }
    }

    /// "", which is what stands under a NULL.
    #[inline]
    pub fn push_empty(&mut self) {
        self.builder.append_value("");
    }

    /// New text.
    #[inline]
    pub fn push(&mut self, text: &str) {
        self.builder.append_value(text);
    }

    /// New text in parts.
    #[inline]
    pub fn push_parts<'t>(&mut self, parts: impl Iterator<Item = &'t str>) {
        self.scratch.clear();
        parts.for_each(|part| self.scratch.push_str(part));
        self.builder.append_value(&self.scratch);
    }

    /// New text that `write` appends.
    pub fn push_with(&mut self, write: impl FnOnce(&mut String)) {
        self.scratch.clear();
        write(&mut self.scratch);
        self.builder.append_value(&self.scratch);
    }

    /// The bytes `from..to` of a row's text, which stays where it is unless the view holds all of it. The row is one of
    /// the column that was given to [`TextOut::sharing`].
    ///
    /// # Errors
    /// The bytes are no text of the column, a defect.
    #[inline]
    pub fn push_part(&mut self, view: u128, text: &str, from: usize, to: usize) -> Result<()> {
        let part = &text[from..to];
        if part.len() <= INLINE {
            self.builder.append_value(part);
            return Ok(());
        }
        let (block, offset) = ((view >> 64) as u32, (view >> 96) as u32);
        Ok(self.builder.try_append_view(block, offset + from as u32, part.len() as u32)?)
    }

    /// The column.
    pub fn finish(mut self, nulls: Option<NullBuffer>) -> Result<ArrayRef> {
        let texts: ArrayRef = Arc::new(self.builder.finish());
        match nulls {
            Some(nulls) => Ok(arrow::compute::nullif(&texts, &BooleanArray::new(!nulls.inner(), None))?),
            None => Ok(texts),
        }
    }
}

/// Whether the text of a view is ASCII, where that can be seen from the view.
#[inline]
pub(crate) fn is_inline_ascii(view: u128) -> bool {
    const HIGH_BITS: u128 = 0x8080_8080_8080_8080_8080_8080 << 32;
    view as u32 as usize <= INLINE && view & HIGH_BITS == 0
}

/// Whether the first `n` bytes of a text, or all that it has, are ASCII.
#[inline]
pub(crate) fn starts_ascii(text: &str, n: usize) -> bool {
    const HIGH_BITS: u128 = 0x8080_8080_8080_8080_8080_8080_8080_8080;
    let n = n.min(text.len());
    let bytes = text.as_bytes();
    match (bytes.first_chunk::<16>(), bytes[..n].last_chunk::<16>()) {
        (Some(chunk), None) => u128::from_le_bytes(*chunk) & HIGH_BITS & ((1 << (8 * n)) - 1) == 0,
        (Some(first), Some(last)) if n <= 32 => {
            (u128::from_le_bytes(*first) | u128::from_le_bytes(*last)) & HIGH_BITS == 0
        }
        _ => bytes[..n].is_ascii(),
    }
}

/// A part of a text, by UTF-16 code units.
#[derive(Debug, PartialEq)]
pub(crate) enum Piece {
    /// The bytes from and to.
    Bytes(usize, usize),
    /// The part begins or ends within a pair of code units, whose half is U+FFFD.
    Broken(String),
}

/// The code units `from..to` of a text, as many of them as there are.
pub(crate) fn piece(text: &str, from: usize, to: usize) -> Piece {
    let bytes = text.as_bytes();
    let from = from.min(to);
    let (start, left) = skip_units(bytes, 0, from);
    // One unit left before a character of two: the part begins with its second half.
    let broken_start = left == 1 && start < bytes.len();
    let (inner, wanted) = if broken_start && to > from { (start + 4, to - from - 1) } else { (start, to - from) };
    let (end, left) = skip_units(bytes, inner, wanted);
    let broken_end = left == 1 && end < bytes.len();
    if !broken_start && !broken_end || to == from {
        return Piece::Bytes(start, if to == from { start } else { end });
    }
    let mut part = String::with_capacity(end - inner + 6);
    if broken_start {
        part.push(char::REPLACEMENT_CHARACTER);
    }
    part.push_str(&text[inner..end]);
    if broken_end {
        part.push(char::REPLACEMENT_CHARACTER);
    }
    Piece::Broken(part)
}

/// The place `units` code units after `at`, the start of a character, and how many units are left: some at the end of the
/// text, one before a character of two.
fn skip_units(bytes: &[u8], mut at: usize, mut units: usize) -> (usize, usize) {
    while let Some(chunk) = bytes[at..].first_chunk::<8>() {
        let here = units_in(u64::from_le_bytes(*chunk));
        if here > units {
            break;
        }
        units -= here;
        at += 8;
    }
    loop {
        while at < bytes.len() && bytes[at] & 0xC0 == 0x80 {
            at += 1;
        }
        let width = if at < bytes.len() && bytes[at] >= 0xF0 { 2 } else { 1 };
        if at == bytes.len() || units < width {
            return (at, units);
        }
        units -= width;
        at += 1;
    }
}

/// Length in UTF-16 code units.
#[inline]
pub(crate) fn units(text: &str) -> usize {
    if text.is_ascii() {
        return text.len();
    }
    let (chunks, rest) = text.as_bytes().as_chunks::<8>();
    let whole: usize = chunks.iter().map(|chunk| units_in(u64::from_le_bytes(*chunk))).sum();
    // Every byte that begins a character is a unit; a character of four bytes is a second one.
    whole + rest.iter().map(|b| usize::from(b & 0xC0 != 0x80) + usize::from(*b >= 0xF0)).sum::<usize>()
}

/// The code units that begin in eight bytes.
#[inline]
fn units_in(word: u64) -> usize {
    const HIGH: u64 = 0x8080_8080_8080_8080;
    // A byte that continues a character is 10xxxxxx, the first of a character of two units 11110xxx.
    let continuing = word & !(word << 1) & HIGH;
    let first_of_two = word & word << 1 & word << 2 & word << 3 & HIGH;
    8 - continuing.count_ones() as usize + first_of_two.count_ones() as usize
}

/// Appends a text in upper or lower case, character by character: a character whose other case is several characters (ß)
/// keeps its own, as in Windows. The locale changes nothing (unconfirmed: Turkish i).
pub(crate) fn push_case(out: &mut Vec<u8>, text: &str, upper: bool) {
    fn only(c: char, mut mapped: impl Iterator<Item = char>) -> char {
        match (mapped.next(), mapped.next()) {
            (Some(m), None) if m.len_utf16() == c.len_utf16() => m,
            _ => c,
        }
    }
    let mut rest = text;
    while let Some(at) = rest.bytes().position(|b| !b.is_ascii()) {
        push_ascii_case(out, &rest[..at], upper);
        rest = &rest[at..];
        let Some(c) = rest.chars().next() else { break };
        let mapped = match c {
            // The scripts of East Asia have no case.
            '\u{2E80}'..'\u{A640}' => c,
            c if upper => only(c, c.to_uppercase()),
            c => only(c, c.to_lowercase()),
        };
        out.extend_from_slice(mapped.encode_utf8(&mut [0; 4]).as_bytes());
        rest = &rest[c.len_utf8()..];
    }
    push_ascii_case(out, rest, upper);
}

fn push_ascii_case(out: &mut Vec<u8>, text: &str, upper: bool) {
    let start = out.len();
    out.extend_from_slice(text.as_bytes());
    if upper { out[start..].make_ascii_uppercase() } else { out[start..].make_ascii_lowercase() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_count_code_units() {
        for (text, from, to, expected) in [
            ("elephant", 3, 5, Piece::Bytes(3, 5)),
            ("elephant", 3, 50, Piece::Bytes(3, 8)),
            ("äöü", 1, 2, Piece::Bytes(2, 4)),
            ("äöü", 1, 6, Piece::Bytes(2, 6)),
            ("äöü", 3, 4, Piece::Bytes(6, 6)),
            ("a😀b", 1, 3, Piece::Bytes(1, 5)),
            ("a😀b", 3, 4, Piece::Bytes(5, 6)),
            ("a😀b", 0, 2, Piece::Broken("a\u{FFFD}".into())),
            ("a😀b", 2, 4, Piece::Broken("\u{FFFD}b".into())),
            ("a😀b", 2, 3, Piece::Broken("\u{FFFD}".into())),
            ("a😀b", 1, 2, Piece::Broken("\u{FFFD}".into())),
            ("a😀", 1, 2, Piece::Broken("\u{FFFD}".into())),
            ("😀😀", 1, 3, Piece::Broken("\u{FFFD}\u{FFFD}".into())),
            ("", 0, 3, Piece::Bytes(0, 0)),
        ] {
            assert_eq!(piece(text, from, to), expected, "{text} {from}..{to}");
        }
    }

    #[test]
    fn pieces_are_those_of_utf16() {
        for text in ["", "abc", "äöü", "a😀b", "😀😀", "日本語x😀"] {
            let wide: Vec<u16> = text.encode_utf16().collect();
            assert_eq!(units(text), wide.len());
            for from in 0..=wide.len() + 1 {
                for to in from..=wide.len() + 2 {
                    let expected = String::from_utf16_lossy(
                        &wide[from.min(wide.len())..to.min(wide.len()).max(from.min(wide.len()))],
                    );
                    let got = match piece(text, from, to) {
                        Piece::Bytes(a, b) => text[a..b].to_owned(),
                        Piece::Broken(s) => s,
                    };
                    assert_eq!(got, expected, "{text} {from}..{to}");
                }
            }
        }
    }
}
