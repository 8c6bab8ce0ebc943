//! Columns of new or short texts, made as one text that Arrow cuts into views: one store a row, whatever the row's length,
//! and one validation for all of them. Parts that a view does not hold are not for here: they share their blocks.

use super::is_valid;
use super::text::{INLINE, Piece, is_inline_ascii, piece, push_case, starts_ascii, units};
use crate::diag::Result;
use arrow::array::{Array, ArrayRef, StringArray, StringViewArray, StringViewBuilder};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use std::sync::Arc;

/// One text after the other.
struct Packed {
    /// Longer than what is in it, so that a text can be stored as sixteen bytes of which some count.
    bytes: Vec<u8>,
    at: usize,
    ends: Vec<i32>,
}

impl Packed {
    /// Room for `rows` texts of `total` bytes; None if they may be more than the positions count, where each of the bytes
    /// becomes at most three.
    fn new(rows: usize, total: usize) -> Option<Packed> {
        if total.saturating_mul(3) > i32::MAX as usize {
            return None;
        }
        let mut ends = Vec::with_capacity(rows + 1);
        ends.push(0);
        Some(Packed { bytes: vec![0; total + 16], at: 0, ends })
    }

    /// The first `len` of sixteen bytes, the lowest first.
    #[inline]
    fn push_low(&mut self, bytes: u128, len: usize) {
        match self.bytes.get_mut(self.at..).and_then(|rest| rest.first_chunk_mut::<16>()) {
            Some(room) => *room = bytes.to_le_bytes(),
            None => return self.push(&bytes.to_le_bytes()[..len]),
        }
        self.at += len;
    }

    /// Bytes of any number.
    fn push(&mut self, bytes: &[u8]) {
        let end = self.at + bytes.len();
        if end + 16 > self.bytes.len() {
            self.bytes.resize((end + 16).max(2 * self.bytes.len()), 0);
        }
        self.bytes[self.at..end].copy_from_slice(bytes);
        self.at = end;
    }

    /// The bytes `from..to` of a text.
    #[inline]
    fn push_part(&mut self, text: &[u8], from: usize, to: usize) {
        let len = to - from;
        match text[from..].first_chunk::<16>() {
            Some(chunk) if len <= 16 => self.push_low(u128::from_le_bytes(*chunk), len),
            Some(chunk) if len <= 32 => {
                // Two stores, the second over a part of the first.
                self.push_low(u128::from_le_bytes(*chunk), len - 16);
                if let Some(chunk) = text[..to].last_chunk::<16>() {
                    self.push_low(u128::from_le_bytes(*chunk), 16);
                }
            }
            _ => self.push(&text[from..to]),
        }
    }

    /// Ends a row.
    #[inline]
    fn end(&mut self) {
        self.ends.push(self.at as i32);
    }

    fn finish(mut self, nulls: Option<&NullBuffer>) -> Result<ArrayRef> {
        self.bytes.truncate(self.at);
        let texts = StringArray::try_new(OffsetBuffer::new(self.ends.into()), self.bytes.into(), nulls.cloned())?;
        Ok(Arc::new(StringViewArray::from(&texts)))
    }
}

/// The bytes of all texts.
fn total(column: &StringViewArray) -> usize {
    column.views().iter().map(|view| *view as u32 as usize).sum()
}

/// A column in upper or lower case; None if it is too large for one text.
pub(crate) fn case_column(
    column: &StringViewArray,
    upper: bool,
    nulls: Option<&NullBuffer>,
) -> Result<Option<ArrayRef>> {
    let total = total(column);
    let Some(mut out) = Packed::new(column.len(), total) else { return Ok(None) };
    for (row, view) in column.views().iter().enumerate() {
        if is_valid(nulls, row) {
            let len = *view as u32 as usize;
            if len <= INLINE {
                out.push_low(view >> 32, len)
            } else {
                let text = column.value(row).as_bytes();
                out.push_part(text, 0, text.len())
            }
        }
        out.end();
    }
    let all = &mut out.bytes[..out.at];
    if all.is_ascii() {
        if upper {
            all.make_ascii_uppercase()
        } else {
            all.make_ascii_lowercase()
        }
        return Ok(Some(out.finish(nulls)?));
    }
    let Some(mut out) = Packed::new(column.len(), total) else { return Ok(None) };
    let mut changed = Vec::new();
    for row in 0..column.len() {
        if is_valid(nulls, row) {
            changed.clear();
            push_case(&mut changed, column.value(row), upper);
            out.push(&changed);
        }
        out.end();
    }
    Ok(Some(out.finish(nulls)?))
}

/// The code units `from..to` of every text, or if `FROM_END` the last `to`; None if views hold no more of them.
pub(crate) fn part_column<const FROM_END: bool>(
    column: &StringViewArray,
    (from, to): (usize, usize),
    nulls: Option<&NullBuffer>,
) -> Result<Option<ArrayRef>> {
    let most = to.saturating_sub(from);
    if most > INLINE {
        return Ok(None);
    }
    let Some(mut out) = Packed::new(column.len(), column.len().saturating_mul(most)) else { return Ok(None) };
    for (row, view) in column.views().iter().enumerate() {
        if is_valid(nulls, row) {
            let len = *view as u32 as usize;
            // Where the text is ASCII as far as it is looked at, code units are bytes.
            let (first, last) = if FROM_END { (len.saturating_sub(to), len) } else { (from.min(len), to.min(len)) };
            if is_inline_ascii(*view) {
                out.push_low(view >> 32 >> (8 * first), last - first);
            } else {
                let text = column.value(row);
                let ascii = if FROM_END { text.as_bytes()[first..].is_ascii() } else { starts_ascii(text, to) };
                if ascii {
                    out.push_part(text.as_bytes(), first, last);
                } else {
                    let all = if FROM_END { units(text) } else { 0 };
                    let (from, to) = if FROM_END { (all.saturating_sub(to), all) } else { (from, to) };
                    match piece(text, from, to) {
                        Piece::Bytes(from, to) => out.push_part(text.as_bytes(), from, to),
                        Piece::Broken(part) => out.push(part.as_bytes()),
                    }
                }
            }
        }
        out.end();
    }
    Ok(Some(out.finish(nulls)?))
}

/// As many spaces as a view of so many bytes holds.
const SPACES: [u128; INLINE + 1] = {
    let mut spaces = [0; INLINE + 1];
    let mut n = 1;
    while n <= INLINE {
        spaces[n] = spaces[n - 1] << 8 | 0x20;
        n += 1;
    }
    spaces
};

/// The bytes of a text without the spaces at its start or its end.
#[inline]
pub(crate) fn kept(text: &[u8], start: bool, end: bool) -> (usize, usize) {
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

/// Every text without the spaces at its start or its end; None if views do not hold all of them.
pub(crate) fn trim_column(
    column: &StringViewArray,
    start: bool,
    end: bool,
    nulls: Option<&NullBuffer>,
) -> Result<Option<ArrayRef>> {
    if column.views().iter().any(|view| *view as u32 as usize > INLINE) {
        return Ok(None);
    }
    // One by one: their lengths differ, and cutting one text by lengths that cannot be foreseen takes longer.
    let mut out = StringViewBuilder::with_capacity(column.len());
    for (row, view) in column.views().iter().enumerate() {
        if !is_valid(nulls, row) {
            out.append_null();
            continue;
        }
        let len = *view as u32 as usize;
        let others = view >> 32 ^ SPACES[len.min(INLINE)];
        let to = if end { 16 - others.leading_zeros() as usize / 8 } else { len };
        let from = if start { (others.trailing_zeros() as usize / 8).min(to) } else { 0 };
        // Spaces are characters of their own, so that this is always a text.
        out.append_value(column.value(row).get(from..to).unwrap_or_default());
    }
    Ok(Some(Arc::new(out.finish())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::AsArray;

    /// Every length around what a view holds and what is copied at once, with spaces and other scripts in every place.
    fn column() -> (Vec<Option<String>>, StringViewArray) {
        let mut texts = vec![None, Some(String::new()), Some(" ".into())];
        for len in [1, 2, 3, 7, 11, 12, 13, 15, 16, 17, 19, 31, 32, 33, 40] {
            let plain: String = ('a'..='z').cycle().take(len).collect();
            texts.push(Some(" ".repeat(len)));
            texts.push(None);
            for at in 0..=len {
                for part in [" ", "é", "😀", "ß"] {
                    texts.push(Some(format!("{}{part}{}", &plain[..at], &plain[at..])));
                    texts.push(Some(format!("  {}{part}{} ", &plain[..at], &plain[at..])));
                }
            }
            texts.push(Some(plain));
        }
        let column = StringViewArray::from_iter(texts.iter().map(Option::as_deref));
        (texts, column)
    }

    fn assert_rows(name: &str, got: &ArrayRef, texts: &[Option<String>], expected: impl Fn(&str) -> String) {
        for (row, text) in texts.iter().enumerate() {
            let got = got.is_valid(row).then(|| got.as_string_view().value(row).to_owned());
            assert_eq!(got, text.as_deref().map(&expected), "{name} of {text:?}");
        }
    }

    #[test]
    fn parts_are_those_of_utf16() {
        let (texts, column) = column();
        for count in [0, 1, 2, 3, 8, 11, 12] {
            for from in [0, 1, 4, 11, 12, 13, 30] {
                let got = part_column::<false>(&column, (from, from + count), column.nulls()).unwrap().unwrap();
                assert_rows(&format!("{from}+{count}"), &got, &texts, |text| {
                    let wide: Vec<u16> = text.encode_utf16().skip(from).take(count).collect();
                    String::from_utf16_lossy(&wide)
                });
            }
            let got = part_column::<true>(&column, (0, count), column.nulls()).unwrap().unwrap();
            assert_rows(&format!("last {count}"), &got, &texts, |text| {
                let wide: Vec<u16> = text.encode_utf16().collect();
                String::from_utf16_lossy(&wide[wide.len().saturating_sub(count)..])
            });
        }
        assert!(part_column::<false>(&column, (0, INLINE + 1), None).unwrap().is_none());
    }

    #[test]
    fn trimmed() {
        let (all, column) = column();
        let texts: Vec<_> = all.iter().filter(|t| t.as_ref().is_none_or(|t| t.len() <= INLINE)).cloned().collect();
        let short = StringViewArray::from_iter(texts.iter().map(Option::as_deref));
        for (start, end) in [(true, true), (true, false), (false, true)] {
            let expected = |text: &str| {
                let text = if start { text.trim_start_matches(' ') } else { text };
                if end { text.trim_end_matches(' ') } else { text }.to_owned()
            };
            let got = trim_column(&short, start, end, short.nulls()).unwrap().unwrap();
            assert_rows("trimmed", &got, &texts, expected);
            for text in all.iter().flatten() {
                let one = StringViewArray::from_iter_values([text]);
                assert_eq!(is_trim(&one, start, end, None), expected(text) == *text, "{text:?}");
            }
        }
        assert!(trim_column(&column, true, true, column.nulls()).unwrap().is_none());
    }

    #[test]
    fn cases() {
        let (texts, column) = column();
        let upper = case_column(&column, true, column.nulls()).unwrap().unwrap();
        assert_rows("upper", &upper, &texts, |text| {
            text.split('ß').map(str::to_uppercase).collect::<Vec<_>>().join("ß")
        });
        let lower = case_column(upper.as_string_view(), false, upper.nulls()).unwrap().unwrap();
        assert_rows("lower", &lower, &texts, |text| text.to_lowercase());
        // Nothing but ASCII.
        let column = StringViewArray::from_iter([Some("a text of more than twelve"), None, Some("Az[`{@")]);
        let upper = case_column(&column, true, column.nulls()).unwrap().unwrap();
        let expected = StringViewArray::from_iter([Some("A TEXT OF MORE THAN TWELVE"), None, Some("AZ[`{@")]);
        assert_eq!(upper.as_string_view(), &expected);
    }
}
