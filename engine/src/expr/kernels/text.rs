//! Text counted in UTF-16 code units, its case, and the spaces at its ends.

use super::datum::Texts;
use super::is_valid;
use super::views::INLINE;
use arrow::array::StringViewArray;
use arrow::buffer::NullBuffer;

/// Whether the text of a view is ASCII, where that can be seen from the view.
#[inline]
pub(crate) fn is_inline_ascii(view: u128) -> bool {
    const HIGH_BITS: u128 = 0x8080_8080_8080_8080_8080_8080 << 32;
    view as u32 as usize <= INLINE && view & HIGH_BITS == 0
}

/// Whether the first `n` bytes of a text, or all that it has, are ASCII.
#[inline]
pub(crate) fn starts_ascii(text: &str, n: usize) -> bool {
    const HIGH_BITS: u64 = 0x8080_8080_8080_8080;
    const WIDE_BITS: u128 = 0x8080_8080_8080_8080_8080_8080_8080_8080;
    let all = text.as_bytes();
    let bytes = &all[..n.min(all.len())];
    match (all.first_chunk(), bytes.last_chunk()) {
        (Some(first), None) => u64::from_le_bytes(*first) & HIGH_BITS & ((1 << (8 * bytes.len())) - 1) == 0,
        // The two lie over each other.
        (Some(first), Some(last)) if bytes.len() <= 16 => {
            (u64::from_le_bytes(*first) | u64::from_le_bytes(*last)) & HIGH_BITS == 0
        }
        _ => match (bytes.first_chunk(), bytes.last_chunk()) {
            (Some(first), Some(last)) if bytes.len() <= 32 => {
                (u128::from_le_bytes(*first) | u128::from_le_bytes(*last)) & WIDE_BITS == 0
            }
            _ => bytes.is_ascii(),
        },
    }
}

/// The views of as many spaces.
const SPACES: [u128; INLINE + 1] = {
    let mut spaces = [0; INLINE + 1];
    let mut n = 1;
    while n <= INLINE {
        spaces[n] = (spaces[n - 1] << 8 & !0 << 32) | 0x20 << 32 | n as u128;
        n += 1;
    }
    spaces
};

/// The bytes of a row's text without the spaces at its start or its end.
#[inline]
pub(crate) fn kept(texts: Texts<'_>, row: usize, start: bool, end: bool) -> (usize, usize) {
    if let Texts::Many(column) = texts
        && let view = column.views()[row]
        && let len = view as u32 as usize
        && len <= INLINE
    {
        // What is left are the bytes that are no spaces, from the fifth on.
        let others = view ^ SPACES[len];
        let to = if end { (16 - others.leading_zeros() as usize / 8).saturating_sub(4) } else { len };
        let from = if start { (others.trailing_zeros() as usize / 8).saturating_sub(4).min(to) } else { 0 };
        return (from, to);
    }
    let text = texts.get(row).as_bytes();
    let to = if end { text.iter().rposition(|b| *b != b' ').map_or(0, |at| at + 1) } else { text.len() };
    let from = if start { text[..to].iter().position(|b| *b != b' ').unwrap_or(to) } else { 0 };
    (from, to)
}

/// Whether no text has a space at its start or its end.
pub(crate) fn is_trim(column: &StringViewArray, start: bool, end: bool, nulls: Option<&NullBuffer>) -> bool {
    column.views().iter().enumerate().all(|(row, view)| {
        let len = *view as u32 as usize;
        let last =
            || if len <= INLINE { (view >> 24 >> (8 * len)) as u8 } else { column.value(row).as_bytes()[len - 1] };
        // A longer text, too, begins in its view.
        let spaces = len > 0 && (start && (view >> 32) as u8 == b' ' || end && last() == b' ');
        !spaces || !is_valid(nulls, row)
    })
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
pub(crate) fn push_case(out: &mut String, text: &str, upper: bool) {
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
        out.push(mapped);
        rest = &rest[c.len_utf8()..];
    }
    push_ascii_case(out, rest, upper);
}

fn push_ascii_case(out: &mut String, text: &str, upper: bool) {
    let start = out.len();
    out.push_str(text);
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
