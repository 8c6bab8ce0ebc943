//! Columns as keys, and keys as columns again.
//!
//! Columns that fit are words side by side: one for what has 64 bits and for text that never has more than seven bytes,
//! two for decimals and for text of up to fifteen. A word that the type leaves free is NULL; types without one share a
//! word of bits. Everything else makes the key of a row a run of bytes.

use super::groups::{Keys, Texts};
use super::words::{self, Width};
use arrow::array::{Array, ArrayRef, AsArray, BinaryViewBuilder, StringViewBuilder};
use arrow::buffer::NullBuffer;
use dtsx_engine::batch::Batch;
use dtsx_engine::diag::{Error, Result};
use dtsx_engine::flow::Slot;
use dtsx_engine::types::DataType;
use dtsx_engine::types::collation::Collation;
use std::sync::Arc;

/// Words that a key may have; more make it bytes.
const MOST_WORDS: usize = 8;

/// A column of a key.
#[derive(Clone, Debug)]
pub(super) struct KeyColumn {
    /// Where batches have it.
    pub(super) slot: Slot,
    /// Its type.
    pub(super) data_type: DataType,
    /// How its text is compared; none: byte by byte.
    pub(super) comparison: Option<Collation>,
}

/// How a column stands in a key of words.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Place {
    Word,
    Long,
    /// Text of up to 7 bytes, its length in the upper byte.
    Text,
    /// Text of up to 15 bytes.
    LongText,
}

impl Place {
    fn words(self) -> usize {
        if matches!(self, Place::Word | Place::Text) { 1 } else { 2 }
    }
}

/// How the key of a row is made.
#[derive(Debug)]
pub(super) struct KeyPlan {
    columns: Vec<KeyColumn>,
    /// By column; None: keys are bytes.
    places: Option<Vec<Place>>,
    /// Words of a key.
    size: usize,
    /// The word with the NULL bits of columns whose words are all taken.
    null_word: Option<usize>,
}

fn place(column: &KeyColumn) -> Option<Place> {
    // A character of any code page, and a unit of UTF-16, takes three bytes of UTF-8 at most.
    let text = |len: u32| match 3 * u64::from(len) {
        0..=7 => Some(Place::Text),
        8..=15 => Some(Place::LongText),
        _ => None,
    };
    match (words::width(&column.data_type), &column.data_type) {
        (Width::One, _) => Some(Place::Word),
        (Width::Two, _) => Some(Place::Long),
        (_, DataType::Str { len, .. } | DataType::WStr { len }) if column.comparison.is_none() => text(*len),
        _ => None,
    }
}

impl KeyPlan {
    /// A plan for keys of these columns.
    pub(super) fn new(columns: Vec<KeyColumn>) -> KeyPlan {
        let places: Option<Vec<Place>> = columns.iter().map(place).collect();
        let mut size = places.iter().flatten().map(|p| p.words()).sum();
        let shares = columns.iter().any(|c| words::is_full(&c.data_type));
        let null_word = shares.then_some(size);
        size += usize::from(shares);
        let places = places.filter(|_| size <= MOST_WORDS);
        KeyPlan { columns, places, size, null_word }
    }

    /// Whether there are no columns.
    pub(super) fn is_empty(&self) -> bool {
        self.columns.is_empty()
    }

    /// The type of a column.
    #[cfg(test)]
    pub(super) fn data_type(&self, index: usize) -> DataType {
        self.columns[index].data_type
    }

    /// No keys.
    pub(super) fn none(&self) -> Keys {
        match self.places {
            Some(_) => Keys::Words { size: self.size, rows: 0, words: Vec::new() },
            None if self.columns.iter().any(|c| c.comparison.is_some()) => {
                Keys::Shown { keys: Texts::default(), shown: Texts::default() }
            }
            None => Keys::Bytes(Texts::default()),
        }
    }

    /// The key of every row.
    ///
    /// # Errors
    /// Internal, if a column is not in the physical form of its type.
    pub(super) fn encode(&self, batch: &Batch) -> Result<Keys> {
        match &self.places {
            Some(places) => self.encode_words(places, batch),
            None => self.encode_bytes(batch),
        }
    }

    fn encode_words(&self, places: &[Place], batch: &Batch) -> Result<Keys> {
        let (rows, size) = (batch.rows, self.size);
        let mut out = vec![0u64; rows * size];
        let mut at = 0;
        for (index, (column, place)) in self.columns.iter().zip(places).enumerate() {
            let array = &batch.columns[column.slot.0];
            let data_type = &column.data_type;
            match place {
                Place::Word => {
                    let words = words::words(array, data_type)?;
                    out.iter_mut().skip(at).step_by(size).zip(words.iter()).for_each(|(to, word)| *to = *word as u64);
                }
                Place::Long => {
                    let words = words::long_words(array, data_type)?;
                    for (to, word) in out.chunks_exact_mut(size).zip(words.iter()) {
                        to[at] = *word as u64;
                        to[at + 1] = (*word >> 64) as u64;
                    }
                }
                Place::Text => {
                    let mut longest = 0;
                    let views = array.as_string_view().views();
                    for (to, view) in out.iter_mut().skip(at).step_by(size).zip(views.iter()) {
                        let len = *view as u32;
                        longest = longest.max(len);
                        *to = (view >> 32) as u64 | u64::from(len) << 56;
                    }
                    if longest > 7
                        && (0..rows).any(|row| array.is_valid(row) && array.as_string_view().value(row).len() > 7)
                    {
                        return Err(too_long(data_type));
                    }
                }
                Place::LongText => {
                    let texts = array.as_string_view();
                    for (row, to) in out.chunks_exact_mut(size).enumerate() {
                        if texts.is_valid(row) {
                            let text = texts.value(row).as_bytes();
                            let mut bytes = [0u8; 16];
                            let Some(head) = bytes[..15].get_mut(..text.len()) else { return Err(too_long(data_type)) };
                            head.copy_from_slice(text);
                            bytes[15] = text.len() as u8;
                            let word = u128::from_le_bytes(bytes);
                            to[at] = word as u64;
                            to[at + 1] = (word >> 64) as u64;
                        }
                    }
                }
            }
            if let Some(nulls) = array.logical_nulls().filter(|n| n.null_count() > 0) {
                for row in (0..rows).filter(|row| nulls.is_null(*row)) {
                    let key = &mut out[row * size..(row + 1) * size];
                    let (mark, bit) = mark(*place, data_type, index);
                    key[at] = mark[0];
                    if place.words() == 2 {
                        key[at + 1] = mark[1];
                    }
                    if let (Some(word), true) = (self.null_word, bit != 0) {
                        key[word] |= bit;
                    }
                }
            }
            at += place.words();
        }
        Ok(Keys::Words { size, rows, words: out })
    }

    fn encode_bytes(&self, batch: &Batch) -> Result<Keys> {
        let readers = self.columns.iter().map(|c| Reader::new(c, batch)).collect::<Result<Vec<_>>>()?;
        let shows = self.columns.iter().any(|c| c.comparison.is_some());
        let (mut keys, mut shown) = (Texts::default(), Texts::default());
        for row in 0..batch.rows {
            for (reader, column) in readers.iter().zip(&self.columns) {
                match (&column.comparison, reader) {
                    (Some(comparison), Reader::Text(texts)) if texts.is_valid(row) => {
                        keys.bytes.push(1);
                        let start = keys.bytes.len();
                        keys.bytes.extend_from_slice(&[0; 4]);
                        comparison.equal_key(texts.value(row), &mut keys.bytes);
                        let len = (keys.bytes.len() - start - 4) as u32;
                        keys.bytes[start..start + 4].copy_from_slice(&len.to_le_bytes());
                    }
                    _ => reader.put(row, &mut keys.bytes),
                }
                if shows {
                    reader.put(row, &mut shown.bytes);
                }
            }
            keys.end();
            if shows {
                shown.end();
            }
        }
        Ok(if shows { Keys::Shown { keys, shown } } else { Keys::Bytes(keys) })
    }

    /// The columns again: key `order[i].1` of `keys[order[i].0]`, in that order.
    ///
    /// # Errors
    /// Internal, if the keys were not made by this plan.
    pub(super) fn columns(&self, keys: &[&Keys], order: &[(u32, u32)]) -> Result<Vec<ArrayRef>> {
        match &self.places {
            Some(places) => {
                let mut at = 0;
                let column = |(index, (column, place)): (usize, (&KeyColumn, &Place))| {
                    let array = self.word_column(keys, order, column, *place, index, at);
                    at += place.words();
                    array
                };
                self.columns.iter().zip(places).enumerate().map(column).collect()
            }
            None => self.byte_columns(keys, order),
        }
    }

    fn word_column(
        &self,
        keys: &[&Keys],
        order: &[(u32, u32)],
        column: &KeyColumn,
        place: Place,
        index: usize,
        at: usize,
    ) -> Result<ArrayRef> {
        let size = self.size;
        let words: Vec<&[u64]> =
            keys.iter().map(|k| if let Keys::Words { words, .. } = k { &words[..] } else { &[] }).collect();
        let key = |(set, number): &(u32, u32)| &words[*set as usize][*number as usize * size..][..size];
        let data_type = &column.data_type;
        let (mark, bit) = mark(place, data_type, index);
        let is_null = |key: &[u64]| match (self.null_word, bit) {
            (Some(word), 1..) => key[word] & bit != 0,
            _ => key[at] == mark[0] && (place.words() == 1 || key[at + 1] == mark[1]),
        };
        let nulls = || {
            let valid: Vec<bool> = order.iter().map(|o| !is_null(key(o))).collect();
            valid.contains(&false).then(|| NullBuffer::from(valid))
        };
        let array = match place {
            Place::Word => {
                let nulls = nulls();
                let valid = |i: usize| nulls.as_ref().is_none_or(|n| n.is_valid(i));
                let word = |(i, o)| if valid(i) { key(o)[at] as i64 } else { 0 };
                let words = order.iter().enumerate().map(word).collect();
                words::from_words(words, nulls, data_type)
            }
            Place::Long => {
                let word = |o| {
                    let key = key(o);
                    i128::from(key[at + 1] as i64) << 64 | i128::from(key[at])
                };
                words::from_long_words(order.iter().map(word).collect(), nulls(), data_type)
            }
            Place::Text | Place::LongText => {
                let mut builder = StringViewBuilder::with_capacity(order.len());
                for o in order {
                    let key = key(o);
                    if is_null(key) {
                        builder.append_null();
                        continue;
                    }
                    let high = if place == Place::Text { 0 } else { key[at + 1] };
                    let bytes = (u128::from(high) << 64 | u128::from(key[at])).to_le_bytes();
                    let last = if place == Place::Text { 7 } else { 15 };
                    let text = bytes.get(..bytes[last] as usize).and_then(|b| std::str::from_utf8(b).ok());
                    builder.append_value(text.ok_or_else(foreign)?);
                }
                Some(Arc::new(builder.finish()) as ArrayRef)
            }
        };
        array.ok_or_else(foreign)
    }

    fn byte_columns(&self, keys: &[&Keys], order: &[(u32, u32)]) -> Result<Vec<ArrayRef>> {
        let mut builders: Vec<Builder> = self.columns.iter().map(|c| Builder::new(&c.data_type, order.len())).collect();
        for (set, number) in order {
            let (Keys::Bytes(texts) | Keys::Shown { shown: texts, .. }) = keys[*set as usize] else {
                return Err(foreign());
            };
            let mut rest = texts.get(*number as usize);
            for builder in &mut builders {
                rest = builder.take(rest).ok_or_else(foreign)?;
            }
        }
        builders.into_iter().zip(&self.columns).map(|(b, c)| b.finish(&c.data_type).ok_or_else(foreign)).collect()
    }
}

fn foreign() -> Error {
    Error::internal("a key that was made otherwise")
}

fn too_long(data_type: &DataType) -> Error {
    Error::internal(format!("a text is longer than its column, {data_type}"))
}

/// What stands for NULL: words, or a bit of the word of bits.
fn mark(place: Place, data_type: &DataType, index: usize) -> ([u64; 2], u64) {
    if words::is_full(data_type) {
        return ([0, 0], 1 << (index % 64));
    }
    match place {
        Place::Word => ([i64::MIN as u64, 0], 0),
        Place::Long => ([0, i64::MIN as u64], 0),
        Place::Text | Place::LongText => ([u64::MAX, u64::MAX], 0),
    }
}

/// Writes the values of a column into byte keys: 0 for NULL; else 1, and the word, or a length and the bytes.
enum Reader<'a> {
    Word(arrow::buffer::ScalarBuffer<i64>, Option<NullBuffer>),
    Long(arrow::buffer::ScalarBuffer<i128>, Option<NullBuffer>),
    Text(&'a arrow::array::StringViewArray),
    Binary(&'a arrow::array::BinaryViewArray),
}

impl<'a> Reader<'a> {
    fn new(column: &KeyColumn, batch: &'a Batch) -> Result<Reader<'a>> {
        let array = &batch.columns[column.slot.0];
        let data_type = &column.data_type;
        Ok(match words::width(data_type) {
            Width::One => Reader::Word(words::words(array, data_type)?, array.logical_nulls()),
            Width::Two => Reader::Long(words::long_words(array, data_type)?, array.logical_nulls()),
            Width::Long if array.data_type() != &data_type.arrow() => {
                return Err(Error::internal(format!("a column of {data_type} comes as {}", array.data_type())));
            }
            Width::Long if matches!(data_type, DataType::Bytes { .. }) => Reader::Binary(array.as_binary_view()),
            Width::Long => Reader::Text(array.as_string_view()),
        })
    }

    fn put(&self, row: usize, out: &mut Vec<u8>) {
        fn valid(nulls: &Option<NullBuffer>, row: usize) -> bool {
            nulls.as_ref().is_none_or(|n| n.is_valid(row))
        }
        fn long(bytes: &[u8], out: &mut Vec<u8>) {
            out.push(1);
            out.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
            out.extend_from_slice(bytes);
        }
        match self {
            Reader::Word(words, nulls) if valid(nulls, row) => {
                out.push(1);
                out.extend_from_slice(&words[row].to_le_bytes());
            }
            Reader::Long(words, nulls) if valid(nulls, row) => {
                out.push(1);
                out.extend_from_slice(&words[row].to_le_bytes());
            }
            Reader::Text(texts) if texts.is_valid(row) => long(texts.value(row).as_bytes(), out),
            Reader::Binary(values) if values.is_valid(row) => long(values.value(row), out),
            _ => out.push(0),
        }
    }
}

/// Reads what [`Reader`] wrote.
enum Builder {
    Word(Vec<i64>, Vec<bool>),
    Long(Vec<i128>, Vec<bool>),
    Text(StringViewBuilder),
    Binary(BinaryViewBuilder),
}

impl Builder {
    fn new(data_type: &DataType, rows: usize) -> Builder {
        match words::width(data_type) {
            Width::One => Builder::Word(Vec::with_capacity(rows), Vec::with_capacity(rows)),
            Width::Two => Builder::Long(Vec::with_capacity(rows), Vec::with_capacity(rows)),
            Width::Long if matches!(data_type, DataType::Bytes { .. }) => {
                Builder::Binary(BinaryViewBuilder::with_capacity(rows))
            }
            Width::Long => Builder::Text(StringViewBuilder::with_capacity(rows)),
        }
    }

    /// Takes a value from the front of `bytes`, and gives back the rest.
    fn take<'b>(&mut self, bytes: &'b [u8]) -> Option<&'b [u8]> {
        fn long(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
            let (len, rest) = bytes.split_first_chunk::<4>()?;
            rest.split_at_checked(u32::from_le_bytes(*len) as usize)
        }
        let (tag, bytes) = bytes.split_first()?;
        if *tag == 0 {
            match self {
                Builder::Word(words, valid) => (words.push(0), valid.push(false)).1,
                Builder::Long(words, valid) => (words.push(0), valid.push(false)).1,
                Builder::Text(builder) => builder.append_null(),
                Builder::Binary(builder) => builder.append_null(),
            }
            return Some(bytes);
        }
        Some(match self {
            Builder::Word(words, valid) => {
                let (word, rest) = bytes.split_first_chunk::<8>()?;
                words.push(i64::from_le_bytes(*word));
                valid.push(true);
                rest
            }
            Builder::Long(words, valid) => {
                let (word, rest) = bytes.split_first_chunk::<16>()?;
                words.push(i128::from_le_bytes(*word));
                valid.push(true);
                rest
            }
            Builder::Text(builder) => {
                let (text, rest) = long(bytes)?;
                builder.append_value(std::str::from_utf8(text).ok()?);
                rest
            }
            Builder::Binary(builder) => {
                let (value, rest) = long(bytes)?;
                builder.append_value(value);
                rest
            }
        })
    }

    fn finish(self, data_type: &DataType) -> Option<ArrayRef> {
        let nulls = |valid: Vec<bool>| valid.contains(&false).then(|| NullBuffer::from(valid));
        match self {
            Builder::Word(words, valid) => words::from_words(words, nulls(valid), data_type),
            Builder::Long(words, valid) => words::from_long_words(words, nulls(valid), data_type),
            Builder::Text(mut builder) => Some(Arc::new(builder.finish())),
            Builder::Binary(mut builder) => Some(Arc::new(builder.finish())),
        }
    }
}
