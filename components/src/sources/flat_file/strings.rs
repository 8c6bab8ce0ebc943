//! Text columns.
//!
//! The values of a column are gathered in one buffer, 16 bytes at a step, and checked to be UTF-8 there, once: a view array
//! over the block would check every value by itself, which costs several times what the copy does. A value that does
//! not stand in the block as it is (a doubled qualifier, a character of another code page, a NUL, a cut) is made by one
//! cold function.

use super::columns::{Block, Cells, Column, Decoded, Field, null_buffer, truncated};
use arrow::array::{NullArray, StringArray, StringViewArray};
use arrow::buffer::{Buffer, OffsetBuffer, ScalarBuffer};
use dtsx_engine::batch::Faults;
use dtsx_engine::diag::{Error, Result};
use dtsx_engine::types::DataType;
use dtsx_engine::types::code_page::{self, CodePage};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// How the length of a value counts.
#[derive(Clone, Copy)]
enum Limit {
    /// DT_STR: bytes of the code page.
    Bytes(u32, CodePage),
    /// DT_WSTR: UTF-16 code units.
    Units(u32),
    /// DT_TEXT, DT_NTEXT: none.
    None,
}

impl Limit {
    fn of(data_type: &DataType) -> Result<Limit> {
        Ok(match data_type {
            DataType::Str { len, code_page } => Limit::Bytes(*len, CodePage::require(*code_page)?),
            DataType::WStr { len } => Limit::Units(*len),
            _ => Limit::None,
        })
    }

    /// UTF-8 text of so many bytes is never too long.
    fn surely(&self) -> usize {
        match self {
            // The one code page in which a character may take more bytes than in UTF-8.
            Limit::Bytes(_, page) if page.number() == 54936 => 0,
            Limit::Bytes(len, _) | Limit::Units(len) => *len as usize,
            Limit::None => usize::MAX,
        }
    }

    /// The bytes of `text` that fit.
    fn fit(&self, text: &str) -> usize {
        match self {
            Limit::Bytes(len, page) => page.prefix(text, *len as usize),
            Limit::Units(len) => code_page::utf16_prefix(text, *len as usize),
            Limit::None => text.len(),
        }
    }
}

/// Decodes a text column.
pub(super) fn decode<C: Cells>(column: &Column, block: &Block<'_>, cells: C, used: bool) -> Result<Decoded> {
    let limit = Limit::of(&column.data_type)?;
    if !used {
        return Ok(Decoded { array: Arc::new(NullArray::new(block.rows)), faults: check(column, block, cells, limit) });
    }
    if block.plain()
        && let Some(decoded) = build(column, block, cells, limit, true)
    {
        return Ok(decoded);
    }
    build(column, block, cells, limit, false)
        .ok_or_else(|| Error::internal(format!("more text than an array holds in \"{}\"", column.data_type)))
}

/// The values of a column, one behind the other.
struct Values {
    /// Those of the first `at` bytes, and room.
    bytes: Vec<u8>,
    at: usize,
    nulls: Vec<u32>,
    faults: Faults,
    limit: Limit,
}

impl Values {
    fn new(limit: Limit) -> Values {
        Values { bytes: Vec::new(), at: 0, nulls: Vec::new(), faults: Vec::new(), limit }
    }

    #[cold]
    #[inline(never)]
    fn grow(&mut self, more: usize) {
        let size = (self.bytes.len() * 2).max(self.at + more + 1024);
        self.bytes.resize(size, 0);
    }
}

/// Only the faults: nobody reads the values.
fn check<C: Cells>(column: &Column, block: &Block<'_>, cells: C, limit: Limit) -> Faults {
    let mut values = Values::new(limit);
    let surely = limit.surely();
    let quote = match block.qualifier {
        [byte] if column.qualified => u16::from(*byte),
        // No byte.
        _ => 256,
    };
    for row in 0..block.rows {
        let (start, end) = cells.cell(row);
        let size = end - start;
        // A value is its field, or what is left of it without qualifiers.
        let within = |size| size > 1 && [block.bytes[start], block.bytes[end - 1]].map(u16::from) == [quote; 2];
        let short = size <= surely || size.saturating_sub(2) <= surely && within(size);
        if !short {
            values.cold(column, block, row, start, end);
            values.at = 0;
        }
    }
    values.faults
}

/// None: some value is no UTF-8.
fn build<C: Cells>(column: &Column, block: &Block<'_>, cells: C, limit: Limit, plain: bool) -> Option<Decoded> {
    let bytes = block.bytes;
    let surely = limit.surely();
    let mut values = Values::new(limit);
    values.grow(column.size_hint.load(Ordering::Relaxed) * block.rows / 8 + 64);
    let mut quotes = Quotes {
        // Without a list of doubled qualifiers, every qualified value is searched for them.
        search: cells.doubled().is_none(),
        doubled: cells.doubled().unwrap_or(&[]),
    };
    let quote = match block.qualifier {
        [byte] if column.qualified => u16::from(*byte),
        // No byte.
        _ => 256,
    };
    // Nothing is plain if a NUL occurs, or if qualifiers are long.
    let plain = plain && !block.has_nul() && (block.qualifier.len() < 2 || !column.qualified);
    let mut offsets = vec![0i32; block.rows + 1];
    // What the loop needs, in registers: `values` and `quotes` are looked at by the cold paths.
    let mut room = std::mem::take(&mut values.bytes);
    let mut at = 0;
    let mut next_doubled = quotes.next();
    for (row, offset) in offsets[1..].iter_mut().enumerate() {
        let (start, end) = cells.cell(row);
        let hot = 'hot: {
            let Some(first) = bytes.get(start).filter(|_| plain) else { break 'hot false };
            let (mut from, mut size) = (start, end - start);
            if u16::from(*first) == quote {
                if end > next_doubled {
                    let clean = quotes.look(bytes, start, end);
                    next_doubled = quotes.next();
                    if !clean {
                        break 'hot false;
                    }
                }
                // The scanner has seen the qualifier that closes it.
                from += 1;
                size = size.wrapping_sub(2);
            }
            if size.wrapping_sub(1) >= surely {
                break 'hot size == 0 && !column.retain_nulls;
            }
            // The block has bytes to read behind every field.
            match (bytes.get(from..from + size + 16), room.get_mut(at..at + size + 16)) {
                (Some(from), Some(to)) => copy(from, to, size),
                _ => break 'hot false,
            }
            at += size;
            true
        };
        if !hot {
            (values.bytes, values.at) = (room, at);
            values.cold(column, block, row, start, end);
            (room, at) = (std::mem::take(&mut values.bytes), values.at);
        }
        *offset = at as i32;
    }
    (values.bytes, values.at) = (room, at);
    let Values { bytes: mut gathered, at, nulls, faults, .. } = values;
    i32::try_from(at).ok()?;
    gathered.truncate(at);
    // Bytes in eight rows, with a little more.
    column.size_hint.store(at * 9 / block.rows.max(1) + 1, Ordering::Relaxed);
    let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
    let nulls = null_buffer(&nulls, block.rows);
    let array = StringArray::try_new(offsets, Buffer::from_vec(gathered), nulls).ok()?;
    Some(Decoded { array: Arc::new(StringViewArray::from(&array)), faults })
}

/// What is known of qualifiers within qualified values.
struct Quotes<'a> {
    /// The places of doubled qualifiers, those before the present row left out.
    doubled: &'a [u32],
    /// They are not known.
    search: bool,
}

impl Quotes<'_> {
    /// A qualified value that ends before this place has none in it.
    fn next(&self) -> usize {
        match self.doubled.first() {
            _ if self.search => 0,
            Some(at) => *at as usize,
            None => usize::MAX,
        }
    }

    /// Whether the qualified value at `start..end` is closed and has no qualifier in it.
    #[cold]
    #[inline(never)]
    fn look(&mut self, bytes: &[u8], start: usize, end: usize) -> bool {
        if self.search {
            return match &bytes[start..end] {
                [open, inner @ .., close] => open == close && memchr::memchr(*open, inner).is_none(),
                _ => false,
            };
        }
        let before = self.doubled.iter().take_while(|at| (**at as usize) < start).count();
        self.doubled = &self.doubled[before..];
        self.next() >= end
    }
}

/// Copies `size` bytes, at least one, 16 at a step; both slices are 16 bytes longer.
#[inline(always)]
fn copy(from: &[u8], to: &mut [u8], size: usize) {
    if let (Some(from), Some(to)) = (from.first_chunk::<16>(), to.first_chunk_mut::<16>()) {
        *to = *from;
    }
    if size > 16
        && let (Some(from), Some(to)) = (from.get(16..), to.get_mut(16..))
    {
        for (to, from) in to.as_chunks_mut::<16>().0.iter_mut().zip(from.as_chunks::<16>().0) {
            *to = *from;
        }
    }
}

impl Values {
    /// Appends a value that is not plain, or notes that it is NULL.
    #[cold]
    #[inline(never)]
    fn cold(&mut self, column: &Column, block: &Block<'_>, row: usize, start: usize, end: usize) {
        let Field::Bytes(field) = block.field(column.qualified, start, end) else {
            self.nulls.push(row as u32);
            return;
        };
        let text = block.form.decode(&field);
        let text = match memchr::memchr(0, text.as_bytes()) {
            // A value ends at its first NUL.
            Some(end) => &text[..end],
            None => &*text,
        };
        if text.is_empty() && column.retain_nulls {
            self.nulls.push(row as u32);
            return;
        }
        let fits = if text.len() <= self.limit.surely() { text.len() } else { self.limit.fit(text) };
        if fits < text.len() {
            self.faults.push(truncated(row));
        }
        if self.bytes.len() < self.at + fits + 16 {
            self.grow(fits + 16);
        }
        self.bytes[self.at..self.at + fits].copy_from_slice(&text.as_bytes()[..fits]);
        self.at += fits;
    }
}
