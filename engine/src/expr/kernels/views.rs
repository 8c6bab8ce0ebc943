//! Columns of text, built as views: a part of an argument's text stays where it is, new text goes into blocks of its own.
//!
//! A room of `unsafe`, for one call: Arrow's array of views made without looking at every text again, which takes longer
//! than cutting it. What is in a [`TextOut`] is text by construction: a view is cut out of a view of an array that Arrow
//! has validated, at the ends of characters, which slicing a `str` checks; or it is made from a `str` that was appended to
//! the column's own block. A build with debug assertions has Arrow look all the same.

use super::datum::Texts;
use super::is_valid;
use super::text::is_inline_ascii;
use crate::diag::{Error, Result};
use arrow::array::{Array, ArrayRef, StringViewArray};
use arrow::buffer::{Buffer, NullBuffer};
use std::sync::Arc;

/// The longest text that a view holds itself.
pub(crate) const INLINE: usize = 12;

/// Where a block of new text is closed and the next one begun.
const BLOCK: usize = 1 << 20;

/// Builds a column of text from parts of an argument, and from new text.
pub(crate) struct TextOut<'s> {
    source: Texts<'s>,
    views: Vec<u128>,
    /// The blocks of `source`, which keep their numbers, then those of new text that are full.
    blocks: Vec<Buffer>,
    /// New text that its views do not hold.
    block: String,
    /// A view is a part of a text in a block of `source`.
    shares: bool,
    /// A text came that is longer than a view can say.
    too_long: bool,
}

impl<'s> TextOut<'s> {
    /// A column whose views may be parts of the texts of `source`.
    pub fn sharing(source: Texts<'s>, rows: usize) -> TextOut<'s> {
        let blocks = match source {
            Texts::Many(column) => column.data_buffers().to_vec(),
            Texts::One(_) => Vec::new(),
        };
        let views = Vec::with_capacity(rows);
        TextOut { source, views, blocks, block: String::new(), shares: false, too_long: false }
    }

    /// A column of new text.
    pub fn new(rows: usize) -> TextOut<'static> {
        TextOut::sharing(Texts::One(""), rows)
    }

    /// "", which is what stands under a NULL.
    #[inline]
    pub fn push_empty(&mut self) {
        self.views.push(0);
    }

    /// New text.
    #[inline]
    pub fn push(&mut self, text: &str) {
        if text.len() <= INLINE {
            self.views.push(inline(text.as_bytes()));
        } else {
            self.push_with(|own| own.push_str(text));
        }
    }

    /// New text that `write` appends.
    #[inline]
    pub fn push_with(&mut self, write: impl FnOnce(&mut NewText<'_>)) {
        if self.block.len() >= BLOCK {
            self.blocks.push(std::mem::take(&mut self.block).into_bytes().into());
        }
        let at = self.block.len();
        write(&mut NewText(&mut self.block));
        let text = &self.block.as_bytes()[at..];
        if text.len() <= INLINE {
            self.views.push(inline(text));
            self.block.truncate(at);
        } else if text.len() > i32::MAX as usize {
            self.too_long = true;
            self.views.push(0);
            self.block.truncate(at);
        } else {
            self.views.push(long(text, self.blocks.len() as u32, at as u32));
        }
    }

    /// The bytes `from..to` of a row of the source, which stay where they are unless the view holds all of them.
    #[inline(always)]
    pub fn push_part(&mut self, row: usize, from: usize, to: usize) {
        let column = match self.source {
            Texts::Many(column) => column,
            Texts::One(text) => return self.push(&text[from..to]),
        };
        let view = column.views()[row];
        if is_inline_ascii(view) && from <= to && to <= view as u32 as usize {
            // Every byte is a character.
            self.views.push(short(view >> (8 * from), to - from));
            return;
        }
        self.push_of(view, column.value(row), (from, to));
    }

    /// The bytes of a row's text that `cut` gives, as by [`push_part`](TextOut::push_part); nothing, and false, if it gives
    /// none.
    #[inline(always)]
    pub fn push_cut(&mut self, row: usize, cut: impl FnOnce(&str) -> Option<(usize, usize)>) -> bool {
        let text = self.source.get(row);
        let Some((from, to)) = cut(text) else { return false };
        match self.source {
            Texts::Many(column) => self.push_of(column.views()[row], text, (from, to)),
            Texts::One(_) => self.push(&text[from..to]),
        }
        true
    }

    /// A part of a text of the source, whose view this is.
    #[inline(always)]
    fn push_of(&mut self, view: u128, text: &str, (from, to): (usize, usize)) {
        // The ends of the part are those of characters, or this is the end of it.
        let part = &text[from..to];
        self.views.push(if part.len() > INLINE {
            let (block, offset) = ((view >> 64) as u32, (view >> 96) as u32);
            self.shares = true;
            long(part.as_bytes(), block, offset + from as u32)
        } else if let Some(chunk) = text.as_bytes()[from..].first_chunk::<16>() {
            short(u128::from_le_bytes(*chunk) << 32, part.len())
        } else {
            inline(part.as_bytes())
        });
    }

    /// The column.
    ///
    /// # Errors
    /// A text of more than 2 GiB; nulls of another number of rows, a defect.
    pub fn finish(mut self, nulls: Option<NullBuffer>) -> Result<ArrayRef> {
        if self.too_long {
            return Err(Error::internal("a text of no more than 2 GiB"));
        }
        if !self.block.is_empty() {
            self.blocks.push(std::mem::take(&mut self.block).into_bytes().into());
        }
        if !self.shares {
            self.leave_source();
        }
        column(self.views, self.blocks, nulls)
    }

    /// Lets go of the blocks of the source, in which no view has its text: they may be much longer than the column.
    fn leave_source(&mut self) {
        let Texts::Many(column) = self.source else { return };
        let theirs = column.data_buffers().len();
        self.blocks.drain(..theirs);
        if theirs == 0 || self.blocks.is_empty() {
            return;
        }
        for view in &mut self.views {
            if *view as u32 as usize > INLINE {
                *view -= (theirs as u128) << 64;
            }
        }
    }
}

/// The end of a block, to which text is appended; what is before it cannot be reached.
pub(crate) struct NewText<'b>(&'b mut String);

impl NewText<'_> {
    /// Appends.
    #[inline]
    pub fn push_str(&mut self, text: &str) {
        self.0.push_str(text);
    }
}

/// A column of nothing but ASCII in upper or lower case; None if it holds other text, or more than one block.
///
/// # Errors
/// Nulls of another number of rows, a defect.
pub(crate) fn ascii_case(texts: &StringViewArray, upper: bool, nulls: Option<&NullBuffer>) -> Result<Option<ArrayRef>> {
    let total: usize = texts.views().iter().map(|view| *view as u32 as usize).sum();
    if total > i32::MAX as usize {
        return Ok(None);
    }
    let first = if upper { b'a' } else { b'A' };
    let mut views = Vec::with_capacity(texts.len());
    let mut block = vec![0; total];
    let (mut at, mut seen) = (0, 0);
    for (row, view) in texts.views().iter().enumerate() {
        let len = *view as u32 as usize;
        if !is_valid(nulls, row) {
            views.push(0);
        } else if len <= INLINE {
            seen |= view & TEXT[len];
            views.push(short(other_case(*view, first), len));
        } else {
            let text = texts.value(row).as_bytes();
            copy(text, &mut block[at..]);
            let start = other_case(view >> 32 & u128::from(u32::MAX), first);
            views.push((at as u128) << 96 | start << 32 | len as u128);
            at += len;
        }
    }
    block.truncate(at);
    if seen & HIGH_BITS != 0 || !block.is_ascii() {
        return Ok(None);
    }
    if upper {
        block.make_ascii_uppercase()
    } else {
        block.make_ascii_lowercase()
    }
    // Every byte is a character, so that every view is a text.
    Ok(Some(column(views, vec![block.into()], nulls.cloned())?))
}

/// The column of views that are parts of these blocks, or hold their text: see the head of this file.
fn column(views: Vec<u128>, blocks: Vec<Buffer>, nulls: Option<NullBuffer>) -> Result<ArrayRef> {
    if nulls.as_ref().is_some_and(|nulls| nulls.len() != views.len()) {
        return Err(Error::internal("as many nulls as texts"));
    }
    #[cfg(debug_assertions)]
    StringViewArray::try_new(views.clone().into(), blocks.clone(), nulls.clone())?;
    // SAFETY: every view was made in this file, by `short` or `inline` out of the bytes of a text that is cut at the ends
    // of characters, with zeros behind them, or by `long` or `ascii_case` with the place of such a text in one of
    // `blocks`, whose first bytes it holds; the blocks of a source stand where its views look for them. There are as many
    // nulls as views.
    #[expect(unsafe_code, reason = "looking at each text again takes longer than making it")]
    let texts = unsafe { StringViewArray::new_unchecked(views.into(), blocks.into(), nulls) };
    Ok(Arc::new(texts))
}

const HIGH_BITS: u128 = 0x8080_8080_8080_8080_8080_8080_8080_8080;

/// The view of a text in a block.
#[inline]
fn long(text: &[u8], block: u32, offset: u32) -> u128 {
    let start = text.first_chunk().map_or(0, |start| u32::from_le_bytes(*start));
    u128::from(offset) << 96 | u128::from(block) << 64 | u128::from(start) << 32 | text.len() as u128
}

/// The view of `len` bytes, at most [`INLINE`], which stand where a view has them: the first in the fifth byte.
#[inline]
fn short(bytes: u128, len: usize) -> u128 {
    bytes & TEXT[len] | len as u128
}

/// The bits of a view that are its text, by its length.
const TEXT: [u128; INLINE + 1] = {
    let mut bits = [0; INLINE + 1];
    let mut n = 1;
    while n <= INLINE {
        bits[n] = bits[n - 1] << 8 | 0xFF << 32;
        n += 1;
    }
    bits
};

/// The view of a text of at most [`INLINE`] bytes.
#[inline]
fn inline(text: &[u8]) -> u128 {
    // Two chunks that may lie over each other are faster than a copy of any length.
    let low = |n: u64, high: u64, size: usize| u128::from(n) | u128::from(high) << (8 * (text.len() - size));
    let bytes = if let (Some(first), Some(last)) = (text.first_chunk(), text.last_chunk()) {
        low(u64::from_le_bytes(*first), u64::from_le_bytes(*last), 8)
    } else if let (Some(first), Some(last)) = (text.first_chunk(), text.last_chunk()) {
        low(u32::from_le_bytes(*first).into(), u32::from_le_bytes(*last).into(), 4)
    } else {
        text.iter().rev().fold(0, |bytes, byte| bytes << 8 | u128::from(*byte))
    };
    bytes << 32 | text.len() as u128
}

/// Copies a text of more than [`INLINE`] bytes to the start of `room`.
#[inline]
fn copy(text: &[u8], room: &mut [u8]) {
    /// The first and the last `N` bytes, which lie over each other.
    fn ends<const N: usize>(text: &[u8], room: &mut [u8]) {
        if let (Some(first), Some(last)) = (text.first_chunk::<N>(), text.last_chunk::<N>()) {
            room[..N].copy_from_slice(first);
            room[text.len() - N..text.len()].copy_from_slice(last);
        }
    }
    match text.len() {
        8..16 => ends::<8>(text, room),
        16..=32 => ends::<16>(text, room),
        len => room[..len].copy_from_slice(text),
    }
}

/// ASCII whose letters from `first` on, 'a' or 'A', are in the other case.
#[inline]
fn other_case(bytes: u128, first: u8) -> u128 {
    const EACH: u128 = 0x0101_0101_0101_0101_0101_0101_0101_0101;
    // The high bit of a byte tells that it is not less than a letter; no byte of ASCII carries into the next.
    let from = bytes.wrapping_add(EACH * u128::from(0x80 - first));
    let behind = bytes.wrapping_add(EACH * u128::from(0x80 - first - 26));
    bytes ^ (from & !behind & HIGH_BITS) >> 2
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::AsArray;
    use proptest::prelude::*;

    /// Texts of every length about what a view and a chunk hold.
    fn text() -> impl Strategy<Value = Option<String>> {
        prop_oneof![
            1 => Just(None),
            4 => proptest::string::string_regex("[ -~]{0,40}").unwrap().prop_map(Some),
            4 => proptest::string::string_regex(r"[ aZ\[\{é😀日]{0,24}").unwrap().prop_map(Some),
        ]
    }

    fn rows(array: &ArrayRef) -> Vec<Option<&str>> {
        array.as_string_view().iter().collect()
    }

    proptest! {
        /// Parts, new text and text in parts; `finish` has Arrow validate all of it in a build with debug assertions.
        #[test]
        fn what_is_pushed_comes_out(texts in prop::collection::vec((text(), any::<[prop::sample::Index; 2]>()), 0..50)) {
            let whole = StringViewArray::from_iter(texts.iter().map(|(text, _)| text.as_deref()));
            let mut parts = TextOut::sharing(Texts::Many(&whole), texts.len());
            let mut both = TextOut::sharing(Texts::Many(&whole), texts.len());
            let mut new = TextOut::new(texts.len());
            let mut expected = Vec::new();
            for (row, (text, ends)) in texts.iter().enumerate() {
                let Some(text) = text else {
                    [&mut parts, &mut both, &mut new].into_iter().for_each(TextOut::push_empty);
                    expected.push(None);
                    continue;
                };
                let places: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
                let mut ends = ends.map(|end| places[end.index(places.len())]);
                ends.sort_unstable();
                let part = &text[ends[0]..ends[1]];
                parts.push_part(row, ends[0], ends[1]);
                if row % 2 == 0 { both.push_part(row, ends[0], ends[1]) } else { both.push(part) }
                new.push_with(|own| part.chars().for_each(|c| own.push_str(c.encode_utf8(&mut [0; 4]))));
                expected.push(Some(part));
            }
            for out in [parts, both, new] {
                let column = out.finish(whole.nulls().cloned()).unwrap();
                prop_assert_eq!(rows(&column), expected.clone());
            }
        }

        #[test]
        fn cases_of_ascii(texts in prop::collection::vec(text(), 0..50)) {
            let column = StringViewArray::from_iter(texts.iter().map(Option::as_deref));
            let is_ascii = texts.iter().flatten().all(|text| text.is_ascii());
            for upper in [true, false] {
                let got = ascii_case(&column, upper, column.nulls()).unwrap();
                prop_assert_eq!(got.is_some(), is_ascii);
                let change = |text: &String| if upper { text.to_ascii_uppercase() } else { text.to_ascii_lowercase() };
                let expected: Vec<_> = texts.iter().map(|text| text.as_ref().map(change)).collect();
                if let Some(got) = got {
                    prop_assert_eq!(rows(&got), expected.iter().map(Option::as_deref).collect::<Vec<_>>());
                }
            }
        }
    }

    #[test]
    fn a_column_without_parts_of_its_source_lets_go_of_it() {
        let (text, new) = ("a text that no view holds", "another text that no view holds");
        let source = StringViewArray::from_iter_values([text; 3]);
        let blocks = |fill: &dyn Fn(&mut TextOut<'_>)| {
            let mut out = TextOut::sharing(Texts::Many(&source), 3);
            fill(&mut out);
            let column = out.finish(None).unwrap();
            (
                rows(&column).into_iter().flatten().collect::<Vec<_>>().join("/"),
                column.as_string_view().data_buffers().len(),
            )
        };
        let parts: &dyn Fn(&mut TextOut<'_>) = &|out| (0..3).for_each(|row| out.push_part(row, 0, 6));
        assert_eq!(blocks(parts), ("a text/a text/a text".into(), 0));
        let both: &dyn Fn(&mut TextOut<'_>) = &|out| {
            out.push(new);
            out.push_part(1, 0, 6);
            out.push(new);
        };
        assert_eq!(blocks(both), (format!("{new}/a text/{new}"), 1));
        let shared: &dyn Fn(&mut TextOut<'_>) = &|out| {
            out.push(new);
            out.push_part(1, 2, text.len());
        };
        assert_eq!(blocks(shared), (format!("{new}/{}", &text[2..]), 2));
    }

    #[test]
    fn blocks_are_closed() {
        let text = "0123456789".repeat(BLOCK / 25);
        let mut out = TextOut::new(9);
        (0..9).for_each(|_| out.push(&text));
        let array = out.finish(None).unwrap();
        assert!(array.as_string_view().iter().all(|got| got == Some(text.as_str())));
        assert!(array.as_string_view().data_buffers().len() > 1);
    }

    #[test]
    fn nulls_are_as_many_as_texts() {
        let mut out = TextOut::new(1);
        out.push("one");
        assert!(out.finish(Some(NullBuffer::new_null(2))).is_err());
    }
}
