//! Columns of text made of views: results share the blocks of their input, or hold new text in blocks of their own.

use super::datum::Texts;
use crate::diag::Result;
use arrow::array::{ArrayRef, StringViewArray, make_view};
use arrow::buffer::{Buffer, NullBuffer};
use std::sync::Arc;

/// The longest text that a view holds itself.
pub(crate) const INLINE: usize = 12;
/// A block is closed before it grows past this, so that offsets stay in 32 bits.
const BLOCK_LIMIT: usize = 1 << 30;

/// Builds a column of text.
pub(crate) struct TextOut {
    views: Vec<u128>,
    blocks: Vec<Buffer>,
    own: Vec<u8>,
}

impl TextOut {
    /// A column whose views may point into the blocks of `source`.
    pub fn sharing(source: Texts<'_>, rows: usize) -> TextOut {
        let blocks = match source {
            Texts::Many(a) => a.data_buffers().to_vec(),
            Texts::One(_) => Vec::new(),
        };
        TextOut { views: Vec::with_capacity(rows), blocks, own: Vec::new() }
    }

    /// A column of new text, of about `bytes` bytes beyond what views hold.
    pub fn new(rows: usize, bytes: usize) -> TextOut {
        TextOut { views: Vec::with_capacity(rows), blocks: Vec::new(), own: Vec::with_capacity(bytes) }
    }

    /// "", which is what stands under a NULL.
    #[inline]
    pub fn push_empty(&mut self) {
        self.views.push(0);
    }

    /// A view into the shared blocks.
    #[inline]
    pub fn push_view(&mut self, view: u128) {
        self.views.push(view);
    }

    /// New text.
    #[inline]
    pub fn push(&mut self, text: &str) {
        self.push_parts(&[text]);
    }

    /// New text in parts.
    #[inline]
    pub fn push_parts(&mut self, parts: &[&str]) {
        let length: usize = parts.iter().map(|p| p.len()).sum();
        if length <= INLINE {
            let mut bytes = [0u8; INLINE];
            let mut at = 0;
            for part in parts {
                bytes[at..at + part.len()].copy_from_slice(part.as_bytes());
                at += part.len();
            }
            self.views.push(make_view(&bytes[..length], 0, 0));
            return;
        }
        let start = self.room(length);
        for part in parts {
            self.own.extend_from_slice(part.as_bytes());
        }
        self.push_own(start);
    }

    /// New text that `write` appends.
    pub fn push_with(&mut self, at_most: usize, write: impl FnOnce(&mut Vec<u8>)) {
        let start = self.room(at_most);
        write(&mut self.own);
        let length = self.own.len() - start;
        if length <= INLINE {
            let view = make_view(&self.own[start..], 0, 0);
            self.own.truncate(start);
            self.views.push(view);
        } else {
            self.push_own(start);
        }
    }

    /// ASCII text of more than [`INLINE`] bytes that [`TextOut::finish_case`] will change: its view has its length and
    /// first bytes.
    #[inline]
    pub fn push_for_case(&mut self, view: u128, text: &str, upper: bool) {
        let start = self.room(text.len());
        self.own.extend_from_slice(text.as_bytes());
        let head = inline_case(view & u128::from(u64::MAX), upper);
        self.views.push((start as u128) << 96 | (self.blocks.len() as u128) << 64 | head);
    }

    /// The column, its own text changed to upper or lower case where it is ASCII, in one go.
    pub fn finish_case(mut self, upper: bool, nulls: Option<NullBuffer>) -> Result<ArrayRef> {
        if upper {
            self.own.make_ascii_uppercase()
        } else {
            self.own.make_ascii_lowercase()
        }
        self.finish(nulls)
    }

    /// Where the next `length` bytes will begin in the open block.
    #[inline]
    fn room(&mut self, length: usize) -> usize {
        if self.own.len() + length > BLOCK_LIMIT && !self.own.is_empty() {
            self.blocks.push(Buffer::from(std::mem::take(&mut self.own)));
        }
        self.own.len()
    }

    #[inline]
    fn push_own(&mut self, start: usize) {
        self.views.push(make_view(&self.own[start..], self.blocks.len() as u32, start as u32));
    }

    /// The column; fails only if a view is wrong, a defect.
    pub fn finish(mut self, nulls: Option<NullBuffer>) -> Result<ArrayRef> {
        if !self.own.is_empty() {
            self.blocks.push(Buffer::from(self.own));
        }
        Ok(Arc::new(StringViewArray::try_new(self.views.into(), self.blocks, nulls)?))
    }
}

/// The view of the bytes `from..to` of a text, given its view. Lengths vary from row to row, so nothing here branches on
/// them but the question whether they are inline.
#[inline]
pub(crate) fn sub_view(view: u128, text: &str, from: usize, to: usize) -> u128 {
    let length = to - from;
    if view as u32 as usize <= INLINE {
        return inline_part(view, from, length);
    }
    let bytes = text.as_bytes();
    if length <= INLINE {
        // Sixteen bytes of the text that hold the part, moved to its start.
        let window = from.min(bytes.len().saturating_sub(16));
        return match bytes[window..].first_chunk::<16>() {
            // An empty part may begin at the end, which is no byte of the window.
            Some(chunk) => {
                let moved = u128::from_le_bytes(*chunk) >> (8 * (from - window).min(15));
                (moved & mask(length)) << 32 | length as u128
            }
            None => make_view(&bytes[from..to], 0, 0),
        };
    }
    let prefix = bytes[from..].first_chunk::<4>().map_or(0, |p| u32::from_le_bytes(*p));
    let place = (view >> 64) + ((from as u128) << 32);
    place << 64 | u128::from(prefix) << 32 | length as u128
}

/// The low bytes that a text of `length` up to [`INLINE`] takes.
#[inline]
fn mask(length: usize) -> u128 {
    (1u128 << (8 * length)) - 1
}

/// The view of a part of a text that its view holds itself.
#[inline]
pub(crate) fn inline_part(view: u128, from: usize, length: usize) -> u128 {
    ((view >> 32) >> (8 * from) & mask(length)) << 32 | length as u128
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
    match text.as_bytes().first_chunk::<16>() {
        Some(chunk) if n < 16 => u128::from_le_bytes(*chunk) & HIGH_BITS & ((1 << (8 * n)) - 1) == 0,
        _ => text.as_bytes()[..n.min(text.len())].is_ascii(),
    }
}

/// The bytes that texts of a column take in all.
pub(crate) fn total_bytes(texts: Texts<'_>, rows: usize) -> usize {
    match texts {
        Texts::One(text) => text.len() * rows,
        Texts::Many(column) => column.views().iter().map(|v| *v as u32 as usize).sum(),
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

/// The ASCII letters of an inline view in the other case, all at once.
#[inline]
pub(crate) fn inline_case(view: u128, upper: bool) -> u128 {
    const ONES: u128 = 0x0101_0101_0101_0101_0101_0101;
    let bytes = view >> 32;
    let (first, last) = if upper { (b'a', b'z') } else { (b'A', b'Z') };
    // The high bit of each byte: at or above the first letter, and not above the last. No byte has it set before.
    let at_least = bytes + ONES * u128::from(0x80 - first);
    let beyond = bytes + ONES * u128::from(0x7F - last);
    let letters = at_least & !beyond & (ONES * 0x80);
    ((bytes ^ letters >> 2) << 32) | (view & 0xFFFF_FFFF)
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

    #[test]
    fn views_of_parts_are_views_of_the_text() {
        let text = "a long text that no view holds itself";
        let whole = make_view(text.as_bytes(), 3, 100);
        for (from, to) in [(0, 37), (0, 5), (2, 14), (2, 15), (7, 7), (5, 36)] {
            let expected = make_view(&text.as_bytes()[from..to], 3, 100 + from as u32);
            assert_eq!(sub_view(whole, text, from, to), expected, "{from}..{to}");
        }
        let short = make_view(b"abcdefghijkl", 0, 0);
        for (from, to) in [(0, 12), (0, 0), (3, 12), (11, 12), (12, 12), (4, 7)] {
            let expected = make_view(&b"abcdefghijkl"[from..to], 0, 0);
            assert_eq!(sub_view(short, "abcdefghijkl", from, to), expected, "{from}..{to}");
        }
    }

    #[test]
    fn inline_case_is_ascii_case() {
        for text in ["", "abcXYZ@[`{09", "zZaA", "\u{7f}~"] {
            let view = make_view(text.as_bytes(), 0, 0);
            assert_eq!(inline_case(view, true), make_view(text.to_ascii_uppercase().as_bytes(), 0, 0), "{text}");
            assert_eq!(inline_case(view, false), make_view(text.to_ascii_lowercase().as_bytes(), 0, 0), "{text}");
        }
    }
}
