//! One column of a block becomes an array and its faults.
//!
//! Dispatch on the type happens once a column and block; each loop tries the plain spelling ([`super::cells`]) and leaves
//! the rest (qualified, empty, missing, in another spelling, wrong) to one cold function.

use super::cells;
use super::fetch::{Fields, Rows, Rules};
use super::scan::Ends;
use super::split::{MISSING, Range};
use super::strings;
use crate::shared::text::TextForm;
use arrow::array::{
    ArrayRef, BinaryViewBuilder, BooleanArray, FixedSizeBinaryArray, Int16Array, Int64Array, NullArray, PrimitiveArray,
    StructArray,
};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer, ScalarBuffer};
use arrow::datatypes::{
    ArrowPrimitiveType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, Time32SecondType, Time64NanosecondType, TimestampMicrosecondType, UInt8Type, UInt16Type, UInt32Type,
    UInt64Type,
};
use dtsx_engine::batch::{Fault, Faults};
use dtsx_engine::diag::{Code, Error, Result, codes};
use dtsx_engine::types::locale::Locale;
use dtsx_engine::types::parse::{self, ParseError};
use dtsx_engine::types::{DataType, calendar};
use std::borrow::Cow;
use std::cell::OnceCell;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

/// A column of the file that an output column takes.
pub(crate) struct Column {
    /// Its place in the file.
    pub(crate) index: usize,
    /// The type of the output column.
    pub(crate) data_type: DataType,
    /// Whether qualifiers may stand around its values.
    pub(crate) qualified: bool,
    /// RetainNulls: an empty field is NULL.
    pub(crate) retain_nulls: bool,
    /// FastParse.
    pub(crate) fast_parse: bool,
    /// UseBinaryFormat.
    pub(crate) binary: bool,
    /// How numbers and dates are written.
    pub(crate) locale: &'static Locale,
    /// Bytes that the text of eight rows took last time.
    pub(crate) size_hint: AtomicUsize,
}

/// A column's values.
pub(crate) struct Decoded {
    pub(crate) array: ArrayRef,
    pub(crate) faults: Faults,
}

/// A block and what its bytes mean.
pub(crate) struct Block<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) fields: &'a Fields,
    pub(crate) columns: usize,
    pub(crate) rows: usize,
    pub(crate) form: TextForm,
    pub(crate) qualifier: &'a [u8],
    /// Where the rows are.
    data: &'a [u8],
    plain: OnceCell<bool>,
    has_nul: OnceCell<bool>,
}

/// What a field holds.
pub(crate) enum Field<'a> {
    /// Its row ended before it.
    Missing,
    /// This, without qualifiers.
    Bytes(Cow<'a, [u8]>),
}

impl<'a> Block<'a> {
    pub(crate) fn new(rows: &'a Rows, rules: &'a Rules) -> Block<'a> {
        let bytes = &rows.bytes[..];
        let data = &bytes[rows.span.0..rows.span.1];
        Block {
            bytes,
            fields: &rows.fields,
            columns: rules.format.columns.len(),
            rows: rows.rows,
            form: rules.form,
            qualifier: &rules.qualifier,
            data,
            plain: OnceCell::new(),
            has_nul: OnceCell::new(),
        }
    }

    /// Whether the bytes are text as they stand: ASCII, or UTF-8 (not checked yet).
    pub(crate) fn plain(&self) -> bool {
        *self.plain.get_or_init(|| self.form.is_utf8() || self.data.is_ascii())
    }

    /// Whether a NUL occurs, which ends a value.
    pub(crate) fn has_nul(&self) -> bool {
        *self.has_nul.get_or_init(|| memchr::memchr(0, self.data).is_some())
    }

    /// The field at `start..end`, qualifiers removed and doubled ones made one.
    pub(crate) fn field(&self, qualified: bool, start: usize, end: usize) -> Field<'a> {
        let Some(bytes) = self.bytes.get(start..end) else { return Field::Missing };
        if !qualified || self.qualifier.is_empty() || !bytes.starts_with(self.qualifier) {
            return Field::Bytes(Cow::Borrowed(bytes));
        }
        let quote = self.qualifier;
        let inner = &bytes[quote.len()..];
        let inner = inner.strip_suffix(quote).unwrap_or(inner);
        let mut rest = inner;
        let mut whole = Vec::new();
        while let Some(found) = memchr::memmem::find(rest, quote) {
            whole.extend_from_slice(&rest[..found + quote.len()]);
            rest = &rest[found + quote.len()..];
            rest = rest.strip_prefix(quote).unwrap_or(rest);
        }
        if whole.is_empty() {
            return Field::Bytes(Cow::Borrowed(inner));
        }
        whole.extend_from_slice(rest);
        Field::Bytes(Cow::Owned(whole))
    }

    /// The value of a row, for messages.
    pub(crate) fn shown(&self, column: &Column, row: usize) -> String {
        let (start, end) = match self.fields {
            Fields::Ends(ends) => EndsCells::new(ends, self.columns, column.index).cell(row),
            Fields::Ranges(ranges) => RangeCells { ranges, columns: self.columns, index: column.index }.cell(row),
        };
        match self.field(column.qualified, start, end) {
            Field::Missing => String::new(),
            Field::Bytes(bytes) => self.form.decode(&bytes).into_owned(),
        }
    }
}

/// Where the fields of one column are.
pub(crate) trait Cells: Copy {
    /// First byte and one past the last; beyond every block where there is no field.
    fn cell(&self, row: usize) -> (usize, usize);
    /// The second qualifiers of doubled ones, if they are known.
    fn doubled(&self) -> Option<&[u32]>;
}

#[derive(Clone, Copy)]
pub(crate) struct EndsCells<'a> {
    at: &'a [u32],
    doubled: &'a [u32],
    columns: usize,
    /// Bytes of the delimiter before its last one.
    back: u32,
}

impl<'a> EndsCells<'a> {
    fn new(ends: &'a Ends, columns: usize, index: usize) -> EndsCells<'a> {
        let back = if index + 1 == columns { ends.row_size - 1 } else { 0 };
        EndsCells { at: &ends.at()[index..], doubled: &ends.doubled, columns, back }
    }
}

impl Cells for EndsCells<'_> {
    #[inline(always)]
    fn cell(&self, row: usize) -> (usize, usize) {
        let at = row * self.columns;
        (self.at[at].wrapping_add(1) as usize, (self.at[at + 1] - self.back) as usize)
    }

    fn doubled(&self) -> Option<&[u32]> {
        Some(self.doubled)
    }
}

#[derive(Clone, Copy)]
pub(crate) struct RangeCells<'a> {
    ranges: &'a [Range],
    columns: usize,
    index: usize,
}

impl Cells for RangeCells<'_> {
    #[inline(always)]
    fn cell(&self, row: usize) -> (usize, usize) {
        match self.ranges[row * self.columns + self.index] {
            MISSING => (usize::MAX, usize::MAX),
            (start, end) => (start as usize, end as usize),
        }
    }

    fn doubled(&self) -> Option<&[u32]> {
        None
    }
}

/// What a value without text is when nulls are not retained: 0, or the first day that the type's neighbours know.
/// (unconfirmed: 1753-01-01 was seen in SQL Server; 1899-12-30 is day 0 of DT_DATE.)
mod empty {
    use dtsx_engine::types::calendar::{self, FILETIME_EPOCH, OLE_EPOCH, TICKS_PER_DAY};

    pub(super) const DATE: i64 = OLE_EPOCH as i64 * TICKS_PER_DAY;
    pub(super) const DAY: i32 = calendar::days_from_civil(1753, 1, 1);
    pub(super) const TIMESTAMP: i64 = DAY as i64 * TICKS_PER_DAY;
    pub(super) const FILETIME: i64 = FILETIME_EPOCH as i64 * TICKS_PER_DAY;
}

/// The ErrorCode of a text that is no value.
fn code_of(error: ParseError) -> Code {
    match error {
        ParseError::Syntax => codes::DTS_E_FLATFILESOURCEADAPTERSTATIC_CANTCONVERTVALUE,
        ParseError::Overflow => codes::DTS_E_FLATFILESOURCEADAPTERSTATIC_DATAOVERFLOW,
        ParseError::Sign => codes::DTS_E_FLATFILESOURCEADAPTERSTATIC_SIGNMISMATCH,
    }
}

/// The OLE DB status value and its text, for DTS_E_FAILEDCOLUMNDATACONVERSIONSTATUS.
pub(crate) fn status(code: Code, truncation: bool) -> (i32, &'static str) {
    if truncation {
        return (4, "Text was truncated or one or more characters had no match in the target code page.");
    }
    if code == codes::DTS_E_FLATFILESOURCEADAPTERSTATIC_SIGNMISMATCH {
        (5, "The value violated the sign of the type.")
    } else if code == codes::DTS_E_FLATFILESOURCEADAPTERSTATIC_DATAOVERFLOW {
        (6, "The value overflowed the type.")
    } else {
        (2, "The value could not be converted because of a potential loss of data.")
    }
}

/// The full parser of a type.
type Cold<'p, T> = &'p dyn Fn(&[u8]) -> Result<T, ParseError>;

/// 10^0 … 10^8.
const POWERS: [u64; 9] = [1, 10, 100, 1000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000];

impl Column {
    /// Decodes the column. `used` says whether somebody reads it; if not, it is only checked.
    pub(crate) fn decode(&self, block: &Block<'_>, used: bool) -> Result<Decoded> {
        let mut decoded = match block.fields {
            Fields::Ends(ends) => self.dispatch(block, EndsCells::new(ends, block.columns, self.index), used)?,
            Fields::Ranges(ranges) => {
                self.dispatch(block, RangeCells { ranges, columns: block.columns, index: self.index }, used)?
            }
        };
        if !used {
            decoded.array = Arc::new(NullArray::new(block.rows));
        }
        Ok(decoded)
    }

    fn dispatch<C: Cells>(&self, block: &Block<'_>, cells: C, used: bool) -> Result<Decoded> {
        use DataType::*;
        let locale = self.locale;
        Ok(match self.data_type {
            I1 => self.integers::<Int8Type, C>(block, cells, used),
            I2 => self.integers::<Int16Type, C>(block, cells, used),
            I4 => self.integers::<Int32Type, C>(block, cells, used),
            I8 => self.integers::<Int64Type, C>(block, cells, used),
            UI1 => self.integers::<UInt8Type, C>(block, cells, used),
            UI2 => self.integers::<UInt16Type, C>(block, cells, used),
            UI4 => self.integers::<UInt32Type, C>(block, cells, used),
            UI8 => self.integers::<UInt64Type, C>(block, cells, used),
            R4 => self.primitive::<Float32Type, C>(block, cells, 0.0, none, &|t: &[u8]| parse::parse_f32(t, locale)),
            R8 => self.primitive::<Float64Type, C>(block, cells, 0.0, none, &|t: &[u8]| parse::parse_f64(t, locale)),
            Cy => {
                let limit = i64::MAX as u64;
                let hot = |b: &[u8], s, e| cells::decimal(b, s, e, 4, 10_000, limit, locale.decimal);
                let cold = |t: &[u8]| parse::parse_currency(t, locale).map(i128::from);
                if !used {
                    let plain = |b: &[u8], s, e| cells::is_decimal(b, s, e, 4, 14, locale.decimal);
                    return Ok(self.check(block, cells, 0i128, plain, &cold));
                }
                self.decimals(block, cells, 19, 4, hot, &cold)?
            }
            Decimal { scale } => self.numeric(block, cells, 29, scale, used)?,
            Numeric { precision, scale } => self.numeric(block, cells, precision, scale, used)?,
            Bool => {
                let (values, nulls, faults) =
                    self.values(block, cells, false, none, &|t: &[u8]| parse::parse_bool(t, locale));
                Decoded { array: Arc::new(BooleanArray::new(BooleanBuffer::from(values), nulls)), faults }
            }
            Date => self.timestamps(block, cells, empty::DATE, |t| parse::parse_ole_date(t, locale), 10),
            DbTimeStamp => {
                self.timestamps(block, cells, empty::TIMESTAMP, |t| parse::parse_timestamp(t, locale), 10_000)
            }
            DbDate if self.fast_parse => {
                let hot = |b: &[u8], s, e| cells::date(b, s, e);
                if !used {
                    return Ok(self.check(block, cells, empty::DAY, cells::is_date, &parse::fast::date));
                }
                self.primitive::<Date32Type, C>(block, cells, empty::DAY, hot, &parse::fast::date)
            }
            DbDate => {
                let hot = |b: &[u8], s, e| cells::date(b, s, e);
                let cold = |t: &[u8]| parse::parse_date(t, locale);
                if !used {
                    return Ok(self.check(block, cells, empty::DAY, cells::is_date, &cold));
                }
                self.primitive::<Date32Type, C>(block, cells, empty::DAY, hot, &cold)
            }
            DbTime => {
                let cold = |t: &[u8]| self.time(t).map(|ticks| (ticks / calendar::TICKS_PER_SECOND) as i32);
                self.primitive::<Time32SecondType, C>(block, cells, 0, none, &cold)
            }
            DbTime2 { scale } => {
                let unit = 10i64.pow(7 - u32::from(scale.min(7)));
                let cold = |t: &[u8]| match self.fast_parse {
                    true => parse::fast::time(t),
                    false => parse::parse_time_strict(t),
                };
                let cold = |t: &[u8]| cold(t).map(|ticks| ticks / unit * unit * 100);
                self.primitive::<Time64NanosecondType, C>(block, cells, 0, none, &cold)
            }
            DbTimeStamp2 { scale } => {
                let unit = 10i64.pow(7 - u32::from(scale.min(7)));
                let cold = |t: &[u8]| match self.fast_parse {
                    true => parse::fast::timestamp(t),
                    false => parse::parse_timestamp_strict(t),
                };
                let cold = |t: &[u8]| cold(t).map(|ticks| ticks.div_euclid(unit) * unit);
                self.primitive::<Int64Type, C>(block, cells, empty::TIMESTAMP, none, &cold)
            }
            FileTime => {
                let cold = |t: &[u8]| parse::parse_timestamp(t, locale);
                self.primitive::<Int64Type, C>(block, cells, empty::FILETIME, none, &cold)
            }
            DbTimeStampOffset { scale } => {
                let unit = 10i64.pow(7 - u32::from(scale.min(7)));
                let cold = |t: &[u8]| match self.fast_parse {
                    true => parse::fast::timestamp_offset(t),
                    false => parse::parse_offset(t),
                };
                let cold = |t: &[u8]| cold(t).map(|(ticks, offset)| (ticks.div_euclid(unit) * unit, offset));
                let (values, nulls, faults) = self.values(block, cells, (empty::TIMESTAMP, 0), none, &cold);
                let ticks = Int64Array::from_iter_values(values.iter().map(|v| v.0));
                let offsets = Int16Array::from_iter_values(values.iter().map(|v| v.1));
                let arrow::datatypes::DataType::Struct(fields) = self.data_type.arrow() else {
                    return Err(Error::internal("DT_DBTIMESTAMPOFFSET is a struct"));
                };
                let array = StructArray::try_new(fields, vec![Arc::new(ticks), Arc::new(offsets)], nulls)?;
                Decoded { array: Arc::new(array), faults }
            }
            Guid => {
                let (values, nulls, faults) = self.values(block, cells, [0u8; 16], none, &parse::parse_guid);
                let bytes = Buffer::from_vec(values.into_flattened());
                Decoded { array: Arc::new(FixedSizeBinaryArray::try_new(16, bytes, nulls)?), faults }
            }
            Str { .. } | WStr { .. } | Text { .. } | NText => strings::decode(self, block, cells, used)?,
            Bytes { len } => self.bytes(block, cells, len as usize),
            Image => self.bytes(block, cells, usize::MAX),
            Null => Decoded { array: Arc::new(NullArray::new(block.rows)), faults: Vec::new() },
        })
    }

    fn integers<T, C: Cells>(&self, block: &Block<'_>, cells: C, used: bool) -> Decoded
    where
        T: ArrowPrimitiveType,
        T::Native: parse::Int + TryFrom<i64>,
    {
        let hot = |bytes: &[u8], start, end| T::Native::try_from(cells::integer(bytes, start, end)?).ok();
        let locale = self.locale;
        if !used {
            // So many digits fit surely.
            let most = [2, 4, 9, 16][size_of::<T::Native>().trailing_zeros() as usize & 3];
            let signed = T::Native::try_from(-1).is_ok();
            let plain = |b: &[u8], s, e| cells::is_integer(b, s, e, most) && (signed || b.get(s) != Some(&b'-'));
            let cold = |text: &[u8]| match self.fast_parse {
                true => parse::fast::int::<T::Native>(text),
                false => parse::parse_int::<T::Native>(text, locale),
            };
            return self.check(block, cells, T::Native::default(), plain, &cold);
        }
        if self.fast_parse {
            self.primitive::<T, C>(block, cells, T::Native::default(), hot, &parse::fast::int::<T::Native>)
        } else {
            let cold = |text: &[u8]| parse::parse_int::<T::Native>(text, locale);
            self.primitive::<T, C>(block, cells, T::Native::default(), hot, &cold)
        }
    }

    fn time(&self, text: &[u8]) -> Result<i64, ParseError> {
        if self.fast_parse { parse::fast::time(text) } else { parse::parse_time(text, self.locale) }
    }

    /// DT_DATE, DT_DBTIMESTAMP: microseconds, of which `unit` ticks of 100 ns are kept.
    fn timestamps<C: Cells>(
        &self,
        block: &Block<'_>,
        cells: C,
        empty: i64,
        standard: impl Fn(&[u8]) -> Result<i64, ParseError>,
        unit: i64,
    ) -> Decoded {
        let micros = |ticks: i64| ticks.div_euclid(unit) * (unit / 10);
        let hot = |b: &[u8], s, e| Some(micros(parse::iso_timestamp(b.get(s..e)?)?)).filter(|_| !self.fast_parse);
        let cold = |t: &[u8]| if self.fast_parse { parse::fast::timestamp(t) } else { standard(t) }.map(micros);
        // An ISO date before 0100 is none of DT_DATE's: the full parser knows.
        let old = matches!(self.data_type, DataType::Date);
        let first = i64::from(calendar::OLE_MIN_DAY) * (calendar::TICKS_PER_DAY / 10);
        let hot = |b: &[u8], s, e| hot(b, s, e).filter(|v| !old || *v >= first);
        self.primitive::<TimestampMicrosecondType, C>(block, cells, empty / 10, hot, &cold)
    }

    fn numeric<C: Cells>(&self, block: &Block<'_>, cells: C, precision: u8, scale: u8, used: bool) -> Result<Decoded> {
        let locale = self.locale;
        let cold = |text: &[u8]| parse::parse_decimal(text, precision, scale, locale);
        let separator = locale.decimal;
        if !used && scale <= 8 && precision > scale {
            let most = usize::from(precision.min(16) - scale.min(precision.min(16) - 1)).min(16);
            return Ok(match scale {
                0 => self.check(block, cells, 0i128, |b: &[u8], s, e| cells::is_integer(b, s, e, most), &cold),
                2 => {
                    let plain = |b: &[u8], s, e| cells::is_decimal(b, s, e, 2, most, separator);
                    self.check(block, cells, 0i128, plain, &cold)
                }
                _ => {
                    let plain = |b: &[u8], s, e| cells::is_decimal(b, s, e, scale as usize, most, separator);
                    self.check(block, cells, 0i128, plain, &cold)
                }
            });
        }
        match scale {
            0 => {
                let limit = 10i128.pow(u32::from(precision.min(38)));
                let hot = |b: &[u8], s, e| cells::integer(b, s, e).map(i128::from).filter(|v| v.abs() < limit);
                self.decimals(block, cells, precision, scale, hot, &cold)
            }
            2 => {
                // The most common scale, known to the compiler.
                let limit = 10u64.pow(u32::from(precision.min(18)));
                let hot = |b: &[u8], s, e| cells::decimal(b, s, e, 2, 100, limit, separator);
                self.decimals(block, cells, precision, scale, hot, &cold)
            }
            1..=8 => {
                let power = POWERS[scale as usize];
                let limit = 10u64.pow(u32::from(precision.min(18)));
                let hot = |b: &[u8], s, e| cells::decimal(b, s, e, scale as usize, power, limit, separator);
                self.decimals(block, cells, precision, scale, hot, &cold)
            }
            _ => self.decimals(block, cells, precision, scale, none, &cold),
        }
    }

    fn decimals<C: Cells>(
        &self,
        block: &Block<'_>,
        cells: C,
        precision: u8,
        scale: u8,
        hot: impl Fn(&[u8], usize, usize) -> Option<i128>,
        cold: Cold<'_, i128>,
    ) -> Result<Decoded> {
        let (values, nulls, faults) = self.values(block, cells, 0i128, hot, &cold);
        let array = PrimitiveArray::<Decimal128Type>::new(ScalarBuffer::from(values), nulls);
        Ok(Decoded { array: Arc::new(array.with_precision_and_scale(precision, scale as i8)?), faults })
    }

    fn primitive<T: ArrowPrimitiveType, C: Cells>(
        &self,
        block: &Block<'_>,
        cells: C,
        empty: T::Native,
        hot: impl Fn(&[u8], usize, usize) -> Option<T::Native>,
        cold: Cold<'_, T::Native>,
    ) -> Decoded {
        let (values, nulls, faults) = self.values(block, cells, empty, hot, &cold);
        Decoded { array: Arc::new(PrimitiveArray::<T>::new(ScalarBuffer::from(values), nulls)), faults }
    }

    /// The loop of every type but text: `hot` for what is plain, `cold` for the text of everything else.
    #[inline(always)]
    fn values<T: Copy + Default, C: Cells>(
        &self,
        block: &Block<'_>,
        cells: C,
        empty: T,
        hot: impl Fn(&[u8], usize, usize) -> Option<T>,
        cold: Cold<'_, T>,
    ) -> (Vec<T>, Option<NullBuffer>, Faults) {
        let mut values = vec![T::default(); block.rows];
        let mut rest = Rest { nulls: Vec::new(), faults: Vec::new() };
        for (row, slot) in values.iter_mut().enumerate() {
            let (start, end) = cells.cell(row);
            match hot(block.bytes, start, end) {
                Some(value) => *slot = value,
                None => {
                    if let Some(value) = self.cold(block, row, start, end, empty, cold, &mut rest) {
                        *slot = value;
                    }
                }
            }
        }
        (values, rest.nulls(block.rows), rest.faults)
    }

    /// Only the faults of a column that nobody reads: `plain` says what is surely a value, `cold` reads everything else.
    #[inline(always)]
    fn check<T: Copy, C: Cells>(
        &self,
        block: &Block<'_>,
        cells: C,
        empty: T,
        plain: impl Fn(&[u8], usize, usize) -> bool,
        cold: Cold<'_, T>,
    ) -> Decoded {
        let mut rest = Rest { nulls: Vec::new(), faults: Vec::new() };
        for row in 0..block.rows {
            let (start, end) = cells.cell(row);
            if !plain(block.bytes, start, end) {
                self.cold(block, row, start, end, empty, cold, &mut rest);
            }
        }
        Decoded { array: Arc::new(NullArray::new(block.rows)), faults: rest.faults }
    }

    /// A field that is not plain. None: NULL, for its own sake or with a fault.
    #[cold]
    #[inline(never)]
    #[expect(clippy::too_many_arguments, reason = "one call, out of the hot loop")]
    fn cold<T>(
        &self,
        block: &Block<'_>,
        row: usize,
        start: usize,
        end: usize,
        empty: T,
        parse: Cold<'_, T>,
        rest: &mut Rest,
    ) -> Option<T> {
        let Field::Bytes(bytes) = block.field(self.qualified, start, end) else {
            rest.nulls.push(row as u32);
            return None;
        };
        if bytes.is_empty() {
            if self.retain_nulls {
                rest.nulls.push(row as u32);
                return None;
            }
            return Some(empty);
        }
        let parsed = match block.form {
            TextForm::Page(page) if !bytes.is_ascii() => parse(page.decode(&bytes).as_bytes()),
            _ => parse(&bytes),
        };
        match parsed {
            Ok(value) => Some(value),
            Err(error) => {
                rest.nulls.push(row as u32);
                rest.faults.push(Fault { row: row as u32, code: code_of(error), truncation: false });
                None
            }
        }
    }

    /// DT_BYTES and DT_IMAGE: the bytes of the field (UseBinaryFormat), or two hexadecimal digits a byte.
    fn bytes<C: Cells>(&self, block: &Block<'_>, cells: C, limit: usize) -> Decoded {
        let mut builder = BinaryViewBuilder::with_capacity(block.rows);
        let mut faults = Vec::new();
        for row in 0..block.rows {
            let (start, end) = cells.cell(row);
            let Field::Bytes(bytes) = block.field(self.qualified, start, end) else {
                builder.append_null();
                continue;
            };
            if bytes.is_empty() && self.retain_nulls {
                builder.append_null();
                continue;
            }
            let value = if self.binary { Some(bytes) } else { unhex(&bytes).map(Cow::Owned) };
            match value {
                Some(value) => {
                    if value.len() > limit {
                        faults.push(truncated(row));
                    }
                    builder.append_value(&value[..value.len().min(limit)]);
                }
                None => {
                    let code = code_of(ParseError::Syntax);
                    faults.push(Fault { row: row as u32, code, truncation: false });
                    builder.append_null();
                }
            }
        }
        Decoded { array: Arc::new(builder.finish()), faults }
    }
}

/// The fault of a value that was cut.
pub(crate) fn truncated(row: usize) -> Fault {
    Fault { row: row as u32, code: codes::DTS_E_FLATFILESOURCEADAPTERSTATIC_TRUNCATED, truncation: true }
}

/// No plain spelling.
fn none<T>(_: &[u8], _: usize, _: usize) -> Option<T> {
    None
}

/// What a column gathers besides values.
struct Rest {
    nulls: Vec<u32>,
    faults: Faults,
}

impl Rest {
    fn nulls(&self, rows: usize) -> Option<NullBuffer> {
        null_buffer(&self.nulls, rows)
    }
}

/// Validity with NULL in `nulls`, ascending; None if there is none.
pub(crate) fn null_buffer(nulls: &[u32], rows: usize) -> Option<NullBuffer> {
    if nulls.is_empty() {
        return None;
    }
    let mut valid = vec![true; rows];
    for row in nulls {
        valid[*row as usize] = false;
    }
    Some(NullBuffer::from(valid))
}

fn unhex(text: &[u8]) -> Option<Vec<u8>> {
    let text = text.strip_prefix(b"0x").or_else(|| text.strip_prefix(b"0X")).unwrap_or(text);
    let digit = |b: u8| char::from(b).to_digit(16).map(|d| d as u8);
    let (pairs, rest) = text.as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect()
}
