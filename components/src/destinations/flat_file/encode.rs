//! The lane half: rows of a batch become bytes.
//!
//! Columns are looked at once a batch; then one loop over the rows writes cell after cell into a buffer that always has
//! a window of bytes free, so that a number is a few stores and no call.

use super::cells::{self, WINDOW, Window};
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
struct Out {
    bytes: Vec<u8>,
    at: usize,
}

impl Out {
    /// The next window, grown if need be.
    #[inline(always)]
    fn window(&mut self) -> &mut Window {
        if self.bytes.len() < self.at + 2 * WINDOW {
            self.grow(0);
        }
        match self.bytes[self.at..].first_chunk_mut::<WINDOW>() {
            Some(window) => window,
            // `grow` has made room for two.
            None => unreachable!("room was made for the window"),
        }
    }

    #[cold]
    #[inline(never)]
    fn grow(&mut self, more: usize) {
        let size = (self.bytes.len() * 3 / 2).max(self.at + more + 4096);
        self.bytes.resize(size, 0);
    }

    #[inline(always)]
    fn mark(&mut self, mark: &Mark) {
        if mark.long.is_empty() {
            let window = self.window();
            window[..8].copy_from_slice(&mark.word);
            self.at += mark.size;
        } else {
            self.slice(&mark.long);
        }
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
    column: &'a OutColumn,
    array: &'a ArrayRef,
    data_type: DataType,
    values: Values<'a>,
    nulls: Option<&'a NullBuffer>,
    /// Text of so many bytes needs no check.
    surely: usize,
}

impl Encode for FlatFileEncode {
    fn encode(&mut self, batch: Batch) -> Result<Block> {
        let plan = self.plan.clone();
        let sources: Vec<Source<'_>> = plan.columns.iter().map(|c| source(c, &batch, plan.page)).collect();
        let spare = plan.spare.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut out = Out { bytes: spare.unwrap_or_default(), at: 0 };
        match &batch.selection {
            None => {
                for row in 0..batch.rows {
                    self.row(&plan, &sources, &batch, row, &mut out)?;
                }
            }
            Some(selection) => {
                for row in selection.iter() {
                    self.row(&plan, &sources, &batch, *row as usize, &mut out)?;
                }
            }
        }
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
    #[inline(always)]
    fn row(&mut self, plan: &Plan, sources: &[Source<'_>], batch: &Batch, row: usize, out: &mut Out) -> Result<()> {
        for source in sources {
            let column = source.column;
            if let Some(nulls) = source.nulls
                && nulls.is_null(row)
            {
                empty(column, out);
                continue;
            }
            if column.width.is_some() {
                self.padded(plan, source, batch, row, out)?;
                continue;
            }
            out.mark(&column.open);
            match &source.values {
                Values::Absent => {
                    out.at -= column.open.size;
                    out.mark(&column.end);
                    continue;
                }
                Values::I8(v) => number(i64::from(v[row]), out),
                Values::I16(v) => number(i64::from(v[row]), out),
                Values::I32(v) => number(i64::from(v[row]), out),
                Values::I64(v) => number(v[row], out),
                Values::U8(v) => natural(u64::from(v[row]), out),
                Values::U16(v) => natural(u64::from(v[row]), out),
                Values::U32(v) => natural(u64::from(v[row]), out),
                Values::U64(v) => natural(v[row], out),
                Values::Cents(v) => match small(v[row]) {
                    Some(value) => out.at += cells::decimal(value, 2, 100, plan.locale.decimal, out.window()),
                    None => self.other(plan, source, row, out),
                },
                Values::Decimal(v, scale, power) => match small(v[row]) {
                    Some(value) => {
                        out.at += cells::decimal(value, *scale, *power, plan.locale.decimal, out.window());
                    }
                    None => self.other(plan, source, row, out),
                },
                Values::Day(v) => out.at += cells::date(v[row], out.window()),
                Values::Micros(v) => out.at += cells::timestamp(v[row], out.window()),
                Values::Text(views, buffers) => {
                    self.text(plan, source, batch, row, views[row], buffers, out)?;
                }
                Values::Other => self.other(plan, source, row, out),
            }
            out.mark(&column.close);
        }
        Ok(())
    }

    /// A text value in a delimited column.
    #[inline(always)]
    #[expect(clippy::too_many_arguments, reason = "one call, inlined into the loop")]
    fn text(
        &mut self,
        plan: &Plan,
        source: &Source<'_>,
        batch: &Batch,
        row: usize,
        view: u128,
        buffers: &[Buffer],
        out: &mut Out,
    ) -> Result<()> {
        let size = view as u32 as usize;
        let quote = match plan.qualifier.as_slice() {
            [byte] if plan.escape && source.column.qualified => Some(*byte),
            _ => None,
        };
        let plain = plan.page.is_none() && (quote.is_some() || !plan.escape || !source.column.qualified);
        if size <= 12 {
            let window = out.window();
            let bytes = (view >> 32) as u128;
            window[..16].copy_from_slice(&bytes.to_le_bytes());
            let used = (1u32 << size) - 1;
            let word = u8x16::new(bytes.to_le_bytes());
            let quoted = match quote {
                Some(byte) => word.simd_eq(u8x16::splat(byte)).to_bitmask() & used != 0,
                None => false,
            };
            let plain =
                plain || (word.to_bitmask() == 0 && (quote.is_some() || !plan.escape || !source.column.qualified));
            if plain && !quoted && size <= source.surely {
                out.at += size;
                return Ok(());
            }
            let text = bytes.to_le_bytes();
            return self.hard_text(plan, source, batch, row, &text[..size], out);
        }
        let (buffer, offset) = ((view >> 64) as u32 as usize, (view >> 96) as usize);
        let text = &buffers[buffer][offset..offset + size];
        if plain && size <= source.surely && out.copy(text, quote) {
            return Ok(());
        }
        self.hard_text(plan, source, batch, row, text, out)
    }

    /// Text that must be checked, escaped or transcoded.
    #[inline(never)]
    fn hard_text(
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
            _ if text.len() <= source.surely => true,
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

    /// A value of a type without a loop of its own.
    #[inline(never)]
    fn other(&mut self, plan: &Plan, source: &Source<'_>, row: usize, out: &mut Out) {
        self.scratch.clear();
        format_value(source, plan.locale, row, &mut self.scratch);
        out.slice(&self.scratch);
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
        out.mark(&column.end);
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

/// A field without a value.
fn empty(column: &OutColumn, out: &mut Out) {
    if let Some(width) = column.width {
        out.fill(b' ', width);
    }
    out.mark(&column.end);
}

#[inline(always)]
fn number(value: i64, out: &mut Out) {
    out.at += cells::signed(value, out.window());
}

#[inline(always)]
fn natural(value: u64, out: &mut Out) {
    out.at += cells::unsigned(value, out.window(), 0);
}

/// A decimal that the hot writer knows.
#[inline(always)]
fn small(value: i128) -> Option<i64> {
    const LIMIT: i64 = 1_000_000_000_000_000_000;
    i64::try_from(value).ok().filter(|v| *v < LIMIT && *v > -LIMIT)
}

impl Out {
    /// Copies text of more than 12 bytes, 16 at a step; false if `quote` occurs in it (then nothing counts).
    #[inline(always)]
    fn copy(&mut self, text: &[u8], quote: Option<u8>) -> bool {
        if self.bytes.len() < self.at + text.len() + 2 * WINDOW {
            self.grow(text.len() + WINDOW);
        }
        let to = &mut self.bytes[self.at..self.at + text.len()];
        match quote {
            None => to.copy_from_slice(text),
            Some(byte) => {
                let byte = u8x16::splat(byte);
                let (parts, rest) = text.as_chunks::<16>();
                let mut found = u8x16::splat(0);
                let (places, tail) = to.as_chunks_mut::<16>();
                for (part, place) in parts.iter().zip(places) {
                    *place = *part;
                    found |= u8x16::new(*part).simd_eq(byte);
                }
                let mut quoted = found.to_bitmask() != 0;
                match (text.last_chunk::<16>(), rest.is_empty()) {
                    (_, true) => {}
                    (Some(last), false) => {
                        quoted |= u8x16::new(*last).simd_eq(byte).to_bitmask() != 0;
                        if let Some(place) = to.last_chunk_mut::<16>() {
                            *place = *last;
                        }
                    }
                    (None, false) => {
                        let mut padded = [0; 16];
                        padded[..rest.len()].copy_from_slice(rest);
                        quoted |= u8x16::new(padded).simd_eq(byte).to_bitmask() != 0;
                        tail.copy_from_slice(rest);
                    }
                }
                if quoted {
                    return false;
                }
            }
        }
        self.at += text.len();
        true
    }
}

fn source<'a>(column: &'a OutColumn, batch: &'a Batch, page: Option<CodePage>) -> Source<'a> {
    static NOTHING: std::sync::LazyLock<ArrayRef> =
        std::sync::LazyLock::new(|| Arc::new(arrow::array::NullArray::new(0)));
    let Some((slot, data_type)) = &column.source else {
        let array = &*NOTHING;
        let data_type = DataType::Null;
        return Source { column, array, data_type, values: Values::Absent, nulls: None, surely: 0 };
    };
    use arrow::datatypes::DataType as A;
    let array = &batch.columns[*slot];
    let values = match (array.data_type(), data_type) {
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
    let surely = match (&column.file_type, page) {
        (DataType::Str { len: 0, .. } | DataType::WStr { len: 0 }, _) => usize::MAX,
        (DataType::Str { .. }, Some(page)) if page.number() == 54936 => 0,
        (DataType::Str { len, .. } | DataType::WStr { len }, _) => *len as usize,
        _ => usize::MAX,
    };
    Source { column, array, data_type: *data_type, values, nulls: array.nulls(), surely }
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
