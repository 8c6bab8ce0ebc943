//! The lane half: rows of a batch become bytes.
//!
//! Columns are looked at once a batch; then one loop over the rows writes cell after cell into a buffer that always has
//! a window of bytes free, so that a number is a few stores and no call.

use super::cells::{self, WINDOW};
use crate::connections::flat_file::Encoding;
use arrow::array::{Array, ArrayRef, AsArray};
use arrow::buffer::{Buffer, NullBuffer};
use arrow::datatypes as arrow_types;
use dtsx_engine::batch::Batch;
use dtsx_engine::diag::{Error, Owner, Result, RowError, codes};
use dtsx_engine::flow::{Block, Encode};
use dtsx_engine::types::code_page::{self, CodePage};
use dtsx_engine::types::locale::Locale;
use dtsx_engine::types::{DataType, format};
use std::borrow::Cow;
use std::sync::{Arc, Mutex, PoisonError};
use wide::u8x16;

/// A short text written between values: a qualifier, a delimiter, both.
#[derive(Clone, Debug, Default)]
pub(super) struct Mark {
    /// The text, if it is short.
    word: [u8; 8],
    size: usize,
    /// The text, if it does not fit the word.
    long: Vec<u8>,
}

impl Mark {
    pub(super) fn new(text: &[u8]) -> Mark {
        let mut mark = Mark { size: text.len(), ..Mark::default() };
        match mark.word.get_mut(..text.len()) {
            Some(place) => place.copy_from_slice(text),
            None => mark.long = text.to_vec(),
        }
        mark
    }

    fn is_short(&self) -> bool {
        self.long.is_empty()
    }

    fn text(&self) -> &[u8] {
        if self.is_short() { &self.word[..self.size] } else { &self.long }
    }
}

/// A column of the file, and where its values come from.
#[derive(Clone, Debug)]
pub(super) struct OutColumn {
    /// Its name.
    pub(super) name: String,
    /// The slot of the input, and the type there; None: nothing is mapped to it.
    pub(super) source: Option<(usize, DataType)>,
    /// The type of the file's column: bounds the length of text.
    pub(super) file_type: DataType,
    /// Padded to this.
    pub(super) width: Option<usize>,
    /// In front of a value.
    pub(super) open: Mark,
    /// Behind a value: closing qualifier and delimiter.
    pub(super) close: Mark,
    /// Behind no value: the delimiter.
    pub(super) end: Mark,
    /// Whether qualifiers stand around values.
    pub(super) qualified: bool,
}

/// What the lanes share.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) columns: Vec<OutColumn>,
    pub(super) qualifier: Vec<u8>,
    /// EscapeQualifier.
    pub(super) escape: bool,
    pub(super) encoding: Encoding,
    /// The code page that text is transcoded to; None: UTF-8, or UTF-16 at the end.
    pub(super) page: Option<CodePage>,
    pub(super) locale: &'static Locale,
    /// Buffers that were written and may be used again.
    pub(super) spare: Mutex<Vec<Vec<u8>>>,
}

impl Plan {
    /// Keeps a buffer for the next block.
    pub(super) fn recycle(&self, buffer: Vec<u8>) {
        let mut spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner);
        if spare.len() < 16 {
            spare.push(buffer);
        }
    }
}

/// Formatted rows: the first `size` bytes.
pub(super) struct Text {
    pub(super) bytes: Vec<u8>,
    pub(super) size: usize,
}

/// A lane half of the destination.
pub(super) struct FlatFileEncode {
    plan: Arc<Plan>,
    scratch: Vec<u8>,
}

impl FlatFileEncode {
    pub(super) fn new(plan: Arc<Plan>) -> FlatFileEncode {
        FlatFileEncode { plan, scratch: Vec::new() }
    }
}

/// The bytes being written. Everything from `at` on is free.
#[derive(Default)]
struct Out {
    bytes: Vec<u8>,
    at: usize,
}

impl Out {
    /// Makes room for `more` bytes and a window behind them.
    #[cold]
    #[inline(never)]
    fn grow(&mut self, more: usize) {
        let size = (self.bytes.len() * 3 / 2).max(self.at + more + 4096);
        self.bytes.resize(size, 0);
    }

    fn slice(&mut self, text: &[u8]) {
        if self.bytes.len() < self.at + text.len() + WINDOW {
            self.grow(text.len());
        }
        self.bytes[self.at..self.at + text.len()].copy_from_slice(text);
        self.at += text.len();
    }

    fn fill(&mut self, byte: u8, count: usize) {
        if self.bytes.len() < self.at + count + WINDOW {
            self.grow(count);
        }
        self.bytes[self.at..self.at + count].fill(byte);
        self.at += count;
    }
}

/// The values of a column, by the loop that writes them.
enum Values<'a> {
    Absent,
    I8(&'a [i8]),
    I16(&'a [i16]),
    I32(&'a [i32]),
    I64(&'a [i64]),
    U8(&'a [u8]),
    U16(&'a [u16]),
    U32(&'a [u32]),
    U64(&'a [u64]),
    /// Scale 2, the most common.
    Cents(&'a [i128]),
    /// Scale 1 to 8 and 10 to its power.
    Decimal(&'a [i128], u32, u64),
    Day(&'a [i32]),
    Micros(&'a [i64]),
    Text(&'a [u128], &'a [Buffer]),
    /// Any other type, through the format functions.
    Other,
}

struct Source<'a> {
    values: Values<'a>,
    nulls: Option<&'a NullBuffer>,
    /// Neither a width nor long marks: the hot loop may write it.
    simple: bool,
    open: [u8; 8],
    open_size: usize,
    close: [u8; 8],
    close_size: usize,
    /// Text of so many bytes is never too long; 0 if all text must be looked at.
    surely: usize,
    /// The byte to look for in text.
    quote: Option<u8>,
    /// Text of a column in a code page must be ASCII.
    ascii: bool,
    column: &'a OutColumn,
    array: &'a ArrayRef,
    data_type: DataType,
}

impl Encode for FlatFileEncode {
    fn encode(&mut self, batch: Batch) -> Result<Block> {
        let plan = self.plan.clone();
        let sources: Vec<Source<'_>> = plan.columns.iter().map(|c| source(c, &batch, &plan)).collect();
        let spare = plan.spare.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let out = Out { bytes: spare.unwrap_or_default(), at: 0 };
        let out = match &batch.selection {
            None => self.rows(&plan, &sources, &batch, 0..batch.rows, out)?,
            Some(selection) => self.rows(&plan, &sources, &batch, selection.iter().map(|row| *row as usize), out)?,
        };
        let Out { mut bytes, at: mut size } = out;
        if plan.encoding == Encoding::Utf16 {
            let text = String::from_utf8_lossy(&bytes[..size]);
            let wide: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
            plan.recycle(bytes);
            size = wide.len();
            bytes = wide;
        }
        Ok(Box::new(Text { bytes, size }))
    }
}

impl FlatFileEncode {
    /// The loop over rows and columns.
    #[inline(always)]
    fn rows(
        &mut self,
        plan: &Plan,
        sources: &[Source<'_>],
        batch: &Batch,
        rows: impl Iterator<Item = usize>,
        mut out: Out,
    ) -> Result<Out> {
        let separator = plan.locale.decimal;
        // In registers, not behind a reference.
        let mut bytes = std::mem::take(&mut out.bytes);
        let mut at = out.at;
        for row in rows {
            for source in sources {
                let written = 'hot: {
                    if !source.simple || source.nulls.is_some_and(|n| n.is_null(row)) {
                        break 'hot None;
                    }
                    let Some(window) = bytes.get_mut(at..).and_then(|b| b.first_chunk_mut::<WINDOW>()) else {
                        break 'hot None;
                    };
                    cells::put(window, 0, source.open);
                    let from = source.open_size;
                    let end = match &source.values {
                        Values::I8(v) => cells::signed(i64::from(v[row]), window, from),
                        Values::I16(v) => cells::signed(i64::from(v[row]), window, from),
                        Values::I32(v) => cells::signed(i64::from(v[row]), window, from),
                        Values::I64(v) => cells::signed(v[row], window, from),
                        Values::U8(v) => cells::unsigned(u64::from(v[row]), window, from),
                        Values::U16(v) => cells::unsigned(u64::from(v[row]), window, from),
                        Values::U32(v) => cells::unsigned(u64::from(v[row]), window, from),
                        Values::U64(v) => cells::unsigned(v[row], window, from),
                        Values::Cents(v) => match small(v[row]) {
                            Some(value) => cells::decimal(value, 2, 100, separator, window, from),
                            None => break 'hot None,
                        },
                        Values::Decimal(v, scale, power) => match small(v[row]) {
                            Some(value) => cells::decimal(value, *scale, *power, separator, window, from),
                            None => break 'hot None,
                        },
                        Values::Day(v) => cells::date(v[row], window, from),
                        Values::Micros(v) => cells::timestamp(v[row], window, from),
                        Values::Text(views, buffers) => {
                            let view = views[row];
                            let size = view as u32 as usize;
                            if size > source.surely {
                                break 'hot None;
                            }
                            if size > 12 {
                                let (buffer, offset) = ((view >> 64) as u32 as usize, (view >> 96) as usize);
                                let text = &buffers[buffer][offset..offset + size];
                                let Some(place) = bytes.get_mut(at + from..at + from + size + WINDOW) else {
                                    break 'hot None;
                                };
                                if !copy(text, place, source.quote, source.ascii) {
                                    break 'hot None;
                                }
                                if let Some(close) = place.get_mut(size..).and_then(|b| b.first_chunk_mut::<8>()) {
                                    *close = source.close;
                                }
                                break 'hot Some(from + size);
                            }
                            let text = (view >> 32).to_le_bytes();
                            if !inline_is_plain(text, size, source.quote, source.ascii) {
                                break 'hot None;
                            }
                            cells::put(window, from, text);
                            from + size
                        }
                        Values::Absent | Values::Other => break 'hot None,
                    };
                    cells::put(window, end, source.close);
                    Some(end)
                };
                match written {
                    Some(size) => at += size + source.close_size,
                    None => {
                        let mut out = Out { bytes, at };
                        self.any(plan, source, batch, row, &mut out)?;
                        Out { bytes, at } = out;
                    }
                }
            }
        }
        Ok(Out { bytes, at })
    }

    /// Any cell: for what the hot loop leaves.
    #[inline(never)]
    fn any(&mut self, plan: &Plan, source: &Source<'_>, batch: &Batch, row: usize, out: &mut Out) -> Result<()> {
        if out.bytes.len() < out.at + 4 * WINDOW {
            // Room, so that the next cells are hot again.
            out.grow(4 * WINDOW);
        }
        let column = source.column;
        if matches!(source.values, Values::Absent) || source.nulls.is_some_and(|n| n.is_null(row)) {
            if let Some(width) = column.width {
                out.fill(b' ', width);
            }
            out.slice(column.end.text());
            return Ok(());
        }
        if column.width.is_some() {
            return self.padded(plan, source, batch, row, out);
        }
        out.slice(column.open.text());
        if let Values::Text(..) = source.values {
            let text = source.array.as_string_view().value(row);
            self.text(plan, source, batch, row, text.as_bytes(), out)?;
        } else {
            self.scratch.clear();
            format_value(source, plan.locale, row, &mut self.scratch);
            out.slice(&self.scratch);
        }
        out.slice(column.close.text());
        Ok(())
    }

    /// Text that must be checked, escaped or transcoded.
    fn text(
        &mut self,
        plan: &Plan,
        source: &Source<'_>,
        batch: &Batch,
        row: usize,
        text: &[u8],
        out: &mut Out,
    ) -> Result<()> {
        let text = self.checked(plan, source, batch, row, text)?;
        if plan.escape && source.column.qualified && !plan.qualifier.is_empty() {
            let mut rest = &text[..];
            while let Some(found) = memchr::memmem::find(rest, &plan.qualifier) {
                let end = found + plan.qualifier.len();
                out.slice(&rest[..end]);
                out.slice(&plan.qualifier);
                rest = &rest[end..];
            }
            out.slice(rest);
        } else {
            out.slice(&text);
        }
        Ok(())
    }

    /// Text in the file's form, if it is not too long and has no character that the code page lacks.
    fn checked<'t>(
        &self,
        plan: &Plan,
        source: &Source<'_>,
        batch: &Batch,
        row: usize,
        text: &'t [u8],
    ) -> Result<Cow<'t, [u8]>> {
        let string = String::from_utf8_lossy(text);
        let fits = match (&source.column.file_type, plan.page) {
            (DataType::Str { len: 0, .. } | DataType::WStr { len: 0 }, _) => true,
            (DataType::WStr { len }, _) => code_page::utf16_len(&string) <= *len as usize,
            (DataType::Str { len, .. }, Some(page)) => page.encoded_len(&string) <= *len as usize,
            (DataType::Str { len, .. }, None) => string.len() <= *len as usize,
            _ => true,
        };
        if !fits {
            return Err(bad_value(source, batch, row, &string));
        }
        match plan.page {
            Some(page) if !string.is_ascii() => {
                if page.round_trip(&string) != *string {
                    return Err(bad_value(source, batch, row, &string));
                }
                let mut bytes = Vec::with_capacity(text.len());
                page.encode(&string, &mut bytes);
                Ok(Cow::Owned(bytes))
            }
            _ => Ok(Cow::Borrowed(text)),
        }
    }

    /// A value of a column with a width: padded with blanks.
    fn padded(&mut self, plan: &Plan, source: &Source<'_>, batch: &Batch, row: usize, out: &mut Out) -> Result<()> {
        let column = source.column;
        let width = column.width.unwrap_or(0);
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.clear();
        if let Values::Text(..) = source.values {
            let text = source.array.as_string_view().value(row);
            let text = self.checked(plan, source, batch, row, text.as_bytes())?;
            scratch.extend_from_slice(&text);
        } else {
            format_value(source, plan.locale, row, &mut scratch);
        }
        let size = units(plan, &scratch);
        if size > width {
            return Err(bad_value(source, batch, row, &String::from_utf8_lossy(&scratch)));
        }
        out.slice(&scratch);
        out.fill(b' ', width - size);
        out.slice(column.end.text());
        self.scratch = scratch;
        Ok(())
    }
}

/// What a width counts: UTF-16 code units in a Unicode file, else bytes.
pub(super) fn units(plan: &Plan, text: &[u8]) -> usize {
    match plan.encoding {
        Encoding::Utf16 => code_page::utf16_len(&String::from_utf8_lossy(text)),
        Encoding::CodePage(_) => text.len(),
    }
}

/// A decimal that the hot writer knows.
#[inline(always)]
fn small(value: i128) -> Option<i64> {
    const LIMIT: i64 = 1_000_000_000_000_000_000;
    i64::try_from(value).ok().filter(|v| *v < LIMIT && *v > -LIMIT)
}

/// Whether a text of at most 12 bytes may be written as it is.
#[inline(always)]
fn inline_is_plain(text: [u8; 16], size: usize, quote: Option<u8>, ascii: bool) -> bool {
    let text = u8x16::new(text);
    // Behind the text there are zeros, except above the twelfth byte.
    let used = (1u32 << size) - 1;
    let quoted = match quote {
        Some(byte) => text.simd_eq(u8x16::splat(byte)).to_bitmask() & used,
        None => 0,
    };
    quoted == 0 && !(ascii && text.to_bitmask() & used != 0)
}

/// Copies text of more than 12 bytes to the start of `place`, which is longer; false if `quote` occurs in it, or, with
/// `ascii`, a byte that is none (then what was copied does not count).
#[inline(always)]
fn copy(text: &[u8], place: &mut [u8], quote: Option<u8>, ascii: bool) -> bool {
    let mut found = u8x16::splat(0);
    // A text without the byte, if there is none to look for.
    let byte = u8x16::splat(quote.unwrap_or(0xFF));
    let mut high = u8x16::splat(0);
    let mut look = |part: &[u8; 16]| {
        let part = u8x16::new(*part);
        found |= part.simd_eq(byte);
        high |= part;
    };
    let (parts, rest) = text.as_chunks::<16>();
    let (places, _) = place.as_chunks_mut::<16>();
    for (part, place) in parts.iter().zip(places) {
        look(part);
        *place = *part;
    }
    if !rest.is_empty() {
        // The last 16 bytes, some of them again; or what there is.
        match (text.last_chunk::<16>(), place.get_mut(text.len().wrapping_sub(16)..)) {
            (Some(part), Some(place)) => {
                look(part);
                if let Some(place) = place.first_chunk_mut::<16>() {
                    *place = *part;
                }
            }
            _ => {
                let mut part = [0; 16];
                for (to, from) in part.iter_mut().zip(rest) {
                    *to = *from;
                }
                look(&part);
                if let Some(place) = place.first_chunk_mut::<16>() {
                    *place = part;
                }
            }
        }
    }
    (quote.is_none() || found.to_bitmask() == 0) && !(ascii && high.to_bitmask() != 0)
}

fn source<'a>(column: &'a OutColumn, batch: &'a Batch, plan: &Plan) -> Source<'a> {
    static NOTHING: std::sync::LazyLock<ArrayRef> =
        std::sync::LazyLock::new(|| Arc::new(arrow::array::NullArray::new(0)));
    let (array, data_type) = match &column.source {
        Some((slot, data_type)) => (&batch.columns[*slot], *data_type),
        None => (&*NOTHING, DataType::Null),
    };
    use arrow::datatypes::DataType as A;
    let values = match (array.data_type(), &data_type) {
        (A::Null, _) => Values::Absent,
        (A::Int8, _) => Values::I8(array.as_primitive::<arrow_types::Int8Type>().values()),
        (A::Int16, _) => Values::I16(array.as_primitive::<arrow_types::Int16Type>().values()),
        (A::Int32, _) => Values::I32(array.as_primitive::<arrow_types::Int32Type>().values()),
        (A::Int64, DataType::I8) => Values::I64(array.as_primitive::<arrow_types::Int64Type>().values()),
        (A::UInt8, _) => Values::U8(array.as_primitive::<arrow_types::UInt8Type>().values()),
        (A::UInt16, _) => Values::U16(array.as_primitive::<arrow_types::UInt16Type>().values()),
        (A::UInt32, _) => Values::U32(array.as_primitive::<arrow_types::UInt32Type>().values()),
        (A::UInt64, _) => Values::U64(array.as_primitive::<arrow_types::UInt64Type>().values()),
        (A::Decimal128(_, 2), DataType::Numeric { .. } | DataType::Decimal { .. }) => {
            Values::Cents(array.as_primitive::<arrow_types::Decimal128Type>().values())
        }
        (A::Decimal128(_, scale @ 1..=8), DataType::Numeric { .. } | DataType::Decimal { .. }) => {
            let scale = u32::from(scale.unsigned_abs());
            Values::Decimal(array.as_primitive::<arrow_types::Decimal128Type>().values(), scale, 10u64.pow(scale))
        }
        (A::Date32, _) => Values::Day(array.as_primitive::<arrow_types::Date32Type>().values()),
        (A::Timestamp(..), DataType::DbTimeStamp) => {
            Values::Micros(array.as_primitive::<arrow_types::TimestampMicrosecondType>().values())
        }
        (A::Utf8View, _) => {
            let array = array.as_string_view();
            Values::Text(array.views(), array.data_buffers())
        }
        _ => Values::Other,
    };
    let mut surely = match (&column.file_type, plan.page) {
        (DataType::Str { len: 0, .. } | DataType::WStr { len: 0 }, _) => usize::MAX,
        // The one code page in which a character may take more bytes than in UTF-8.
        (DataType::Str { .. }, Some(page)) if page.number() == 54936 => 0,
        (DataType::Str { len, .. } | DataType::WStr { len }, _) => *len as usize,
        _ => usize::MAX,
    };
    let mut quote = None;
    if plan.escape && column.qualified {
        match plan.qualifier.as_slice() {
            [byte] => quote = Some(*byte),
            _ => surely = 0,
        }
    }
    Source {
        values,
        nulls: array.nulls(),
        simple: column.width.is_none() && column.open.is_short() && column.close.is_short(),
        open: column.open.word,
        open_size: column.open.size,
        close: column.close.word,
        close_size: column.close.size,
        surely,
        quote,
        ascii: plan.page.is_some(),
        column,
        array,
        data_type,
    }
}

/// Any value but text, as a flat file shows it.
fn format_value(source: &Source<'_>, locale: &Locale, row: usize, out: &mut Vec<u8>) {
    use arrow_types::*;
    let array = source.array;
    match &source.data_type {
        dtsx_engine::types::DataType::Null => {}
        dtsx_engine::types::DataType::I1 => format::int(array.as_primitive::<Int8Type>().value(row), out),
        dtsx_engine::types::DataType::I2 => format::int(array.as_primitive::<Int16Type>().value(row), out),
        dtsx_engine::types::DataType::I4 => format::int(array.as_primitive::<Int32Type>().value(row), out),
        dtsx_engine::types::DataType::I8 => format::int(array.as_primitive::<Int64Type>().value(row), out),
        dtsx_engine::types::DataType::UI1 => format::int(array.as_primitive::<UInt8Type>().value(row), out),
        dtsx_engine::types::DataType::UI2 => format::int(array.as_primitive::<UInt16Type>().value(row), out),
        dtsx_engine::types::DataType::UI4 => format::int(array.as_primitive::<UInt32Type>().value(row), out),
        dtsx_engine::types::DataType::UI8 => format::int(array.as_primitive::<UInt64Type>().value(row), out),
        dtsx_engine::types::DataType::R4 => format::r4(array.as_primitive::<Float32Type>().value(row), locale, out),
        dtsx_engine::types::DataType::R8 => format::r8(array.as_primitive::<Float64Type>().value(row), locale, out),
        dtsx_engine::types::DataType::Cy => {
            format::currency_flat(array.as_primitive::<Decimal128Type>().value(row), locale, out);
        }
        dtsx_engine::types::DataType::Decimal { scale } | dtsx_engine::types::DataType::Numeric { scale, .. } => {
            format::decimal_flat(array.as_primitive::<Decimal128Type>().value(row), *scale, locale, out);
        }
        dtsx_engine::types::DataType::Bool => format::boolean(array.as_boolean().value(row), out),
        dtsx_engine::types::DataType::Date => {
            let micros = array.as_primitive::<TimestampMicrosecondType>().value(row);
            format::date_of_locale(micros * 10, locale, out);
        }
        dtsx_engine::types::DataType::DbTimeStamp => {
            format::timestamp_full(array.as_primitive::<TimestampMicrosecondType>().value(row) * 10, out);
        }
        dtsx_engine::types::DataType::DbDate => format::date(array.as_primitive::<Date32Type>().value(row), out),
        dtsx_engine::types::DataType::DbTime => {
            let seconds = array.as_primitive::<Time32SecondType>().value(row);
            format::time_seconds(i64::from(seconds) * dtsx_engine::types::calendar::TICKS_PER_SECOND, out);
        }
        dtsx_engine::types::DataType::DbTime2 { scale } => {
            format::time(array.as_primitive::<Time64NanosecondType>().value(row) / 100, *scale, out);
        }
        dtsx_engine::types::DataType::DbTimeStamp2 { scale } => {
            format::timestamp(array.as_primitive::<Int64Type>().value(row), *scale, out);
        }
        dtsx_engine::types::DataType::FileTime => {
            format::filetime(array.as_primitive::<Int64Type>().value(row), out);
        }
        dtsx_engine::types::DataType::DbTimeStampOffset { scale } => {
            let parts = array.as_struct();
            let ticks = parts.column(0).as_primitive::<Int64Type>().value(row);
            let offset = parts.column(1).as_primitive::<Int16Type>().value(row);
            format::timestamp_offset(ticks, offset, *scale, out);
        }
        dtsx_engine::types::DataType::Guid => {
            if let Ok(bytes) = array.as_fixed_size_binary().value(row).try_into() {
                format::guid(bytes, out);
            }
        }
        dtsx_engine::types::DataType::Bytes { .. } | dtsx_engine::types::DataType::Image => {
            format::hex(array.as_binary_view().value(row), out);
        }
        dtsx_engine::types::DataType::Str { .. }
        | dtsx_engine::types::DataType::WStr { .. }
        | dtsx_engine::types::DataType::Text { .. }
        | dtsx_engine::types::DataType::NText => out.extend_from_slice(array.as_string_view().value(row).as_bytes()),
    }
}

/// DTS_E_FAILEDCOLUMNDATACONVERSIONSTATUS, status 4: too long, or no match in the code page.
#[cold]
fn bad_value(source: &Source<'_>, batch: &Batch, row: usize, value: &str) -> Error {
    let code = codes::DTS_E_FAILEDCOLUMNDATACONVERSIONSTATUS;
    let status = "Text was truncated or one or more characters had no match in the target code page.";
    let shown: String = value.chars().take(100).collect();
    Error::new(Owner::Data, code, code.message(&[&source.column.name, &4, &status])).with_row(RowError {
        batch: Some((batch.seq, batch.origin.of(row as u32))),
        number: None,
        column: Some(source.column.name.clone()),
        value: Some(shown),
    })
}
