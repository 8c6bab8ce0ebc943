//! Text columns: views into the block.
//!
//! A value that stands in the block as it is becomes a view of it; one that does not (a doubled qualifier, a character of
//! another code page, a NUL, a cut) is written to a side buffer.

use super::columns::{Block, Cells, Column, Decoded, Field, null_buffer, truncated};
use arrow::array::{ArrayRef, NullArray, StringViewArray};
use arrow::buffer::{Buffer, ScalarBuffer};
use dtsx_engine::batch::Faults;
use dtsx_engine::diag::Result;
use dtsx_engine::types::DataType;
use dtsx_engine::types::code_page::{self, CodePage};
use std::sync::Arc;

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
    let state = Views { side: Vec::new(), nulls: Vec::new(), faults: Vec::new(), limit };
    if !used {
        return Ok(Decoded { array: Arc::new(NullArray::new(block.rows)), faults: check(column, block, cells, state) });
    }
    if block.plain {
        // Validates the values of the column, and no more than them.
        let tried = build(column, block, cells, state, true);
        if let Some(decoded) = tried {
            return Ok(decoded);
        }
    }
    let state = Views { side: Vec::new(), nulls: Vec::new(), faults: Vec::new(), limit };
    build(column, block, cells, state, false)
        .ok_or_else(|| dtsx_engine::diag::Error::internal("text that was made valid is not"))
}

struct Views {
    side: Vec<u8>,
    nulls: Vec<u32>,
    faults: Faults,
    limit: Limit,
}

/// Only the faults: nobody reads the values.
fn check<C: Cells>(column: &Column, block: &Block<'_>, cells: C, mut state: Views) -> Faults {
    let surely = state.limit.surely();
    for row in 0..block.rows {
        let (start, end) = cells.cell(row);
        if end - start > surely {
            state.cold(column, block, row, start, end);
            state.side.clear();
        }
    }
    state.faults
}

/// None: some value is no UTF-8.
fn build<C: Cells>(column: &Column, block: &Block<'_>, cells: C, mut state: Views, plain: bool) -> Option<Decoded> {
    let bytes = block.bytes;
    let surely = state.limit.surely();
    let doubled = cells.doubled();
    let quote = match block.qualifier {
        [first, ..] if column.qualified => u16::from(*first),
        // No byte.
        _ => 256,
    };
    // Without a list of doubled qualifiers, every qualified value is searched for them.
    let search = doubled.is_none();
    let short_qualifier = block.qualifier.len() == 1;
    let mut doubled = doubled.unwrap_or(&[]).iter().copied();
    let mut next_doubled = doubled.next().unwrap_or(u32::MAX) as usize;
    let mut views = vec![0u128; block.rows];
    let mut long = false;
    for (row, view) in views.iter_mut().enumerate() {
        let (mut start, mut end) = cells.cell(row);
        let mut plain = plain && !block.has_nul;
        if bytes.get(start).is_some_and(|b| u16::from(*b) == quote) {
            while next_doubled < start {
                next_doubled = doubled.next().unwrap_or(u32::MAX) as usize;
            }
            plain &= short_qualifier && next_doubled >= end && end - start >= 2 && u16::from(bytes[end - 1]) == quote;
            if plain && search {
                plain = memchr::memchr(quote as u8, &bytes[start + 1..end - 1]).is_none();
            }
            if plain {
                start += 1;
                end -= 1;
            }
        }
        let size = end.wrapping_sub(start);
        if size == 0 && plain && start < bytes.len() {
            if column.retain_nulls {
                state.nulls.push(row as u32);
            }
        } else if size <= surely && plain && size != 0 {
            match inline(bytes, start, size) {
                Some(made) => *view = made,
                None => {
                    long = true;
                    *view = by_reference(bytes, start, size, 0);
                }
            }
        } else if let Some((from, size)) = state.cold(column, block, row, start, end) {
            *view = if size <= 12 {
                short(&state.side[from..from + size])
            } else {
                by_reference(&state.side, from, size, 1)
            };
        }
    }
    let buffers = match (long, state.side.is_empty()) {
        (false, true) => Vec::new(),
        (true, true) => vec![block.buffer.clone()],
        (_, false) => vec![block.buffer.clone(), Buffer::from_vec(state.side)],
    };
    let nulls = null_buffer(&state.nulls, block.rows);
    let array = StringViewArray::try_new(ScalarBuffer::from(views), buffers, nulls).ok()?;
    let array: ArrayRef = Arc::new(array);
    Some(Decoded { array, faults: state.faults })
}

/// The view of 12 bytes at most: the bytes are in it.
#[inline(always)]
fn inline(bytes: &[u8], start: usize, size: usize) -> Option<u128> {
    if size > 12 {
        return None;
    }
    let word = bytes.get(start..start + 16)?.first_chunk::<16>()?;
    let keep = (1u128 << (8 * size as u32)) - 1;
    Some((u128::from_le_bytes(*word) & keep) << 32 | size as u128)
}

/// The same for bytes that may stand at the end of a buffer.
fn short(bytes: &[u8]) -> u128 {
    let mut view = [0u8; 16];
    view[..4].copy_from_slice(&(bytes.len() as u32).to_le_bytes());
    view[4..4 + bytes.len()].copy_from_slice(bytes);
    u128::from_le_bytes(view)
}

/// The view of more than 12 bytes: length, four bytes, buffer, offset.
#[inline(always)]
fn by_reference(bytes: &[u8], start: usize, size: usize, buffer: u32) -> u128 {
    let prefix = match bytes.get(start..).and_then(|b| b.first_chunk::<4>()) {
        Some(prefix) => u32::from_le_bytes(*prefix),
        None => 0,
    };
    size as u128 | u128::from(prefix) << 32 | u128::from(buffer) << 64 | (start as u128) << 96
}

impl Views {
    /// A value that is not plain, written to the side buffer: its place there. None: NULL.
    #[cold]
    #[inline(never)]
    fn cold(
        &mut self,
        column: &Column,
        block: &Block<'_>,
        row: usize,
        start: usize,
        end: usize,
    ) -> Option<(usize, usize)> {
        let Field::Bytes(field) = block.field(column.qualified, start, end) else {
            self.nulls.push(row as u32);
            return None;
        };
        let text = block.form.decode(&field);
        let text = match memchr::memchr(0, text.as_bytes()) {
            // A value ends at its first NUL.
            Some(end) => &text[..end],
            None => &*text,
        };
        if text.is_empty() {
            if column.retain_nulls {
                self.nulls.push(row as u32);
                return None;
            }
            return Some((self.side.len(), 0));
        }
        let fits = if text.len() <= self.limit.surely() { text.len() } else { self.limit.fit(text) };
        if fits < text.len() {
            self.faults.push(truncated(row));
        }
        let from = self.side.len();
        self.side.extend_from_slice(&text.as_bytes()[..fits]);
        Some((from, fits))
    }
}
