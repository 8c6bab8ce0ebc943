//! SQL types of ODBC as types of SSIS, and the C forms in which values are bound.

use super::ffi::{Bound, Buffer, Described};
use super::habits::{Habits, Lengths, Text};
use crate::db::cells::{self, Cell};
use crate::db::error::{DbError, ErrorKind, Outcome};
use crate::db::reading::precision;
use arrow::array::*;
use arrow::buffer::{BooleanBuffer, NullBuffer, ScalarBuffer};
use dtsx_engine::types::{DataType, MAX_STR_BYTES, MAX_WSTR_UNITS, calendar, decimal, parse};
use odbc_sys::{CDataType, Date, Len, NULL_DATA, ParamType, SqlDataType, Time, Timestamp};
use std::sync::Arc;

/// How a value stands in a buffer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Form {
    Bit,
    I1,
    U1,
    I2,
    U2,
    I4,
    U4,
    I8,
    U8,
    F4,
    F8,
    Date,
    Time,
    Timestamp,
    Guid,
    /// UTF-16.
    Text,
    /// UTF-8.
    Utf8,
    /// Bytes.
    Binary,
    /// A number, a time or a GUID as ASCII text.
    Ascii,
}

/// A column or parameter in buffers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Slot {
    pub(super) form: Form,
    /// Bytes of a value.
    pub(super) width: usize,
    pub(super) data_type: DataType,
    /// Whether values may be longer than any width: then they are fetched one by one.
    pub(super) long: bool,
}

/// Types of SQL Server's drivers.
const SS_VARIANT: i16 = -150;
const SS_UDT: i16 = -151;
const SS_XML: i16 = -152;
const SS_TIME2: i16 = -154;
const SS_TIMESTAMPOFFSET: i16 = -155;

/// The longest text or bytes that are bound; what may be longer is fetched value by value.
const LONGEST: usize = 8000;

impl Form {
    pub(super) fn c_type(self) -> CDataType {
        match self {
            Form::Bit => CDataType::Bit,
            Form::I1 => CDataType::STinyInt,
            Form::U1 => CDataType::UTinyInt,
            Form::I2 => CDataType::SShort,
            Form::U2 => CDataType::UShort,
            Form::I4 => CDataType::SLong,
            Form::U4 => CDataType::ULong,
            Form::I8 => CDataType::SBigInt,
            Form::U8 => CDataType::UBigInt,
            Form::F4 => CDataType::Float,
            Form::F8 => CDataType::Double,
            Form::Date => CDataType::TypeDate,
            Form::Time => CDataType::TypeTime,
            Form::Timestamp => CDataType::TypeTimestamp,
            Form::Guid => CDataType::Guid,
            Form::Text => CDataType::WChar,
            Form::Binary => CDataType::Binary,
            Form::Utf8 | Form::Ascii => CDataType::Char,
        }
    }

    fn width(self) -> usize {
        match self {
            Form::Bit | Form::I1 | Form::U1 => 1,
            Form::I2 | Form::U2 => 2,
            Form::I4 | Form::U4 | Form::F4 => 4,
            Form::I8 | Form::U8 | Form::F8 => 8,
            Form::Date | Form::Time => 6,
            Form::Timestamp | Form::Guid => 16,
            Form::Text | Form::Utf8 | Form::Binary | Form::Ascii => 0,
        }
    }
}

fn fixed(form: Form, data_type: DataType) -> Slot {
    Slot { form, width: form.width(), data_type, long: false }
}

fn ascii(width: usize, data_type: DataType) -> Slot {
    Slot { form: Form::Ascii, width: width + 1, data_type, long: false }
}

/// A column of text of that length; 0: of any.
fn text(length: usize, habits: Habits) -> Slot {
    let form = if habits.text == Text::Utf8 { Form::Utf8 } else { Form::Text };
    if !(1..=LONGEST).contains(&length) {
        return Slot { form, width: 0, data_type: DataType::NText, long: true };
    }
    let data_type = match u32::try_from(length) {
        Ok(len) if len <= MAX_WSTR_UNITS => DataType::WStr { len },
        _ => DataType::NText,
    };
    let width = match (form, habits.lengths) {
        (Form::Utf8, _) => length * 4 + 1,
        (_, Lengths::Characters) => (length * 2 + 1) * 2,
        _ => (length + 1) * 2,
    };
    // Where a value may be longer than was declared, each is asked for its length.
    Slot { form, width, data_type, long: habits.lengths == Lengths::Nothing }
}

/// How a column of a result is fetched, by the reference's table of ODBC types.
pub(super) fn column(described: &Described, habits: Habits) -> Slot {
    let (size, digits) = (described.size, described.digits);
    let scale = digits.clamp(0, 7) as u8;
    match described.sql_type {
        -7 => fixed(Form::Bit, DataType::Bool),
        -6 if described.unsigned => fixed(Form::U1, DataType::UI1),
        -6 => fixed(Form::I1, DataType::I1),
        5 if described.unsigned => fixed(Form::U2, DataType::UI2),
        5 => fixed(Form::I2, DataType::I2),
        4 if described.unsigned => fixed(Form::U4, DataType::UI4),
        4 => fixed(Form::I4, DataType::I4),
        -5 if described.unsigned => fixed(Form::U8, DataType::UI8),
        -5 => fixed(Form::I8, DataType::I8),
        // Through the wider form, which loses nothing: of blocks of the narrower, MariaDB's driver fills the first row alone.
        7 => fixed(Form::F8, DataType::R4),
        6 | 8 => fixed(Form::F8, DataType::R8),
        2 | 3 => match (u8::try_from(size), u8::try_from(digits)) {
            (Ok(precision @ 1..=38), Ok(scale)) if scale <= precision => {
                let money = described.type_name.to_ascii_lowercase().contains("money");
                let data_type = if money { DataType::Cy } else { DataType::Numeric { precision, scale } };
                ascii(usize::from(precision) + 3, data_type)
            }
            _ => fixed(Form::F8, DataType::R8),
        },
        9 | 91 => fixed(Form::Date, DataType::DbDate),
        // The structure of a time has no fractions of a second.
        10 | 92 if digits > 0 => ascii(20, DataType::DbTime2 { scale }),
        10 | 92 => fixed(Form::Time, DataType::DbTime),
        11 | 93 if digits <= 3 => fixed(Form::Timestamp, DataType::DbTimeStamp),
        11 | 93 => fixed(Form::Timestamp, DataType::DbTimeStamp2 { scale }),
        SS_TIME2 => ascii(20, DataType::DbTime2 { scale }),
        SS_TIMESTAMPOFFSET => ascii(36, DataType::DbTimeStampOffset { scale }),
        -11 => fixed(Form::Guid, DataType::Guid),
        -2 | -3 if (1..=MAX_STR_BYTES as usize).contains(&size) => {
            let long = habits.lengths == Lengths::Nothing;
            Slot { form: Form::Binary, width: size, data_type: DataType::Bytes { len: size as u32 }, long }
        }
        -2..=-2 | -3 | -4 | SS_UDT => Slot { form: Form::Binary, width: 0, data_type: DataType::Image, long: true },
        1 | 12 | -8 | -9 => text(size, habits),
        SS_VARIANT => text(MAX_WSTR_UNITS as usize, habits),
        -1 | -10 | SS_XML => text(0, habits),
        // Intervals and what a driver calls its own: as their text.
        _ => text(if (1..=LONGEST).contains(&size) { size.max(64) } else { 0 }, habits),
    }
}

fn nulls(buffer: &Buffer, rows: usize) -> Option<NullBuffer> {
    let indicators = &buffer.indicators[..rows];
    let any = indicators.contains(&NULL_DATA);
    any.then(|| NullBuffer::new(BooleanBuffer::collect_bool(rows, |row| indicators[row] != NULL_DATA)))
}

fn is_null(buffer: &Buffer, row: usize) -> bool {
    buffer.indicators[row] == NULL_DATA
}

macro_rules! numbers {
    ($array:ident, $buffer:expr, $rows:expr) => {{
        let values = $buffer.values($rows).to_vec();
        Arc::new($array::new(ScalarBuffer::from(values), nulls($buffer, $rows))) as ArrayRef
    }};
}

fn wrong(data_type: &DataType, text: &[u8]) -> DbError {
    let text = String::from_utf8_lossy(text);
    DbError::new(ErrorKind::Value, format!("the driver gives \"{text}\" for a value of {data_type}"))
}

/// Days since 1970-01-01, and 0 for what is no day (the zero dates of MySQL have none).
fn day(date: &Date) -> Option<i32> {
    calendar::date(date.year.into(), date.month.into(), date.day.into())
}

fn ticks(value: &Timestamp) -> Option<i64> {
    let day = calendar::date(value.year.into(), value.month.into(), value.day.into())?;
    let time = calendar::time(value.hour.into(), value.minute.into(), value.second.into(), value.fraction / 100)?;
    Some(calendar::join(day, time))
}

/// The values of a buffer as a column in the physical form of the slot's type.
pub(super) fn decode(slot: &Slot, buffer: &Buffer, rows: usize) -> Outcome<ArrayRef> {
    Ok(match slot.form {
        Form::Bit => {
            let values = buffer.values::<u8>(rows);
            Arc::new(BooleanArray::new(BooleanBuffer::collect_bool(rows, |row| values[row] != 0), nulls(buffer, rows)))
        }
        Form::I1 => numbers!(Int8Array, buffer, rows),
        Form::U1 => numbers!(UInt8Array, buffer, rows),
        Form::I2 => numbers!(Int16Array, buffer, rows),
        Form::U2 => numbers!(UInt16Array, buffer, rows),
        Form::I4 => numbers!(Int32Array, buffer, rows),
        Form::U4 => numbers!(UInt32Array, buffer, rows),
        Form::I8 => numbers!(Int64Array, buffer, rows),
        Form::U8 => numbers!(UInt64Array, buffer, rows),
        Form::F4 => numbers!(Float32Array, buffer, rows),
        Form::F8 if slot.data_type == DataType::R4 => {
            let values: Vec<f32> = buffer.values::<f64>(rows).iter().map(|v| *v as f32).collect();
            Arc::new(Float32Array::new(ScalarBuffer::from(values), nulls(buffer, rows)))
        }
        Form::F8 => numbers!(Float64Array, buffer, rows),
        Form::Date => {
            let values = buffer.values::<Date>(rows);
            Arc::new(Date32Array::from_iter(
                (0..rows).map(|row| if is_null(buffer, row) { None } else { day(&values[row]) }),
            ))
        }
        Form::Time => {
            let values = buffer.values::<Time>(rows);
            let seconds = |t: &Time| i32::from(t.hour) * 3600 + i32::from(t.minute) * 60 + i32::from(t.second);
            let values = (0..rows).map(|row| if is_null(buffer, row) { None } else { Some(seconds(&values[row])) });
            Arc::new(Time32SecondArray::from_iter(values))
        }
        Form::Timestamp => {
            let values = buffer.values::<Timestamp>(rows);
            let values = (0..rows).map(|row| if is_null(buffer, row) { None } else { ticks(&values[row]) });
            match slot.data_type {
                DataType::DbTimeStamp2 { .. } => Arc::new(Int64Array::from_iter(values)),
                // Ticks to microseconds, of which DT_DBTIMESTAMP keeps the milliseconds.
                _ => Arc::new(TimestampMicrosecondArray::from_iter(
                    values.map(|t| t.map(|t| t.div_euclid(10_000) * 1000)),
                )),
            }
        }
        Form::Guid => {
            let bytes = buffer.bytes();
            let mut out = FixedSizeBinaryBuilder::with_capacity(rows, 16);
            for row in 0..rows {
                if is_null(buffer, row) {
                    out.append_null();
                } else {
                    let done = out.append_value(text_order(&bytes[row * 16..row * 16 + 16]));
                    done.map_err(|e| DbError::new(ErrorKind::Other, e.to_string()))?;
                }
            }
            Arc::new(out.finish())
        }
        Form::Text => {
            let units = buffer.values::<u16>(rows * buffer.width / 2);
            let mut out = StringViewBuilder::with_capacity(rows);
            let (per_row, mut scratch) = (buffer.width / 2, String::new());
            for row in 0..rows {
                if is_null(buffer, row) {
                    out.append_null();
                    continue;
                }
                let length = (buffer.indicators[row].max(0) as usize / 2).min(per_row.saturating_sub(1));
                scratch.clear();
                let value = &units[row * per_row..row * per_row + length];
                if value.iter().all(|u| *u < 0x80) {
                    scratch.extend(value.iter().map(|u| *u as u8 as char));
                } else {
                    scratch.extend(char::decode_utf16(value.iter().copied()).map(|c| c.unwrap_or('\u{fffd}')));
                }
                out.append_value(&scratch);
            }
            Arc::new(out.finish())
        }
        Form::Utf8 => {
            let bytes = buffer.bytes();
            let mut out = StringViewBuilder::with_capacity(rows);
            for row in 0..rows {
                if is_null(buffer, row) {
                    out.append_null();
                    continue;
                }
                let length = (buffer.indicators[row].max(0) as usize).min(buffer.width.saturating_sub(1));
                let value = &bytes[row * buffer.width..row * buffer.width + length];
                match simdutf8::basic::from_utf8(value) {
                    Ok(text) => out.append_value(text),
                    Err(_) => out.append_value(String::from_utf8_lossy(value)),
                }
            }
            Arc::new(out.finish())
        }
        Form::Binary => {
            let bytes = buffer.bytes();
            let mut out = BinaryViewBuilder::with_capacity(rows);
            for row in 0..rows {
                if is_null(buffer, row) {
                    out.append_null();
                    continue;
                }
                let length = (buffer.indicators[row].max(0) as usize).min(buffer.width);
                out.append_value(&bytes[row * buffer.width..row * buffer.width + length]);
            }
            Arc::new(out.finish())
        }
        Form::Ascii => decode_ascii(slot, buffer, rows)?,
    })
}

fn decode_ascii(slot: &Slot, buffer: &Buffer, rows: usize) -> Outcome<ArrayRef> {
    let bytes = buffer.bytes();
    let value = |row: usize| -> Option<&[u8]> {
        if is_null(buffer, row) {
            return None;
        }
        let length = (buffer.indicators[row].max(0) as usize).min(buffer.width - 1);
        Some(&bytes[row * buffer.width..row * buffer.width + length])
    };
    let locale = dtsx_engine::types::locale::Locale::of(INVARIANT);
    match slot.data_type {
        DataType::DbTime2 { .. } => {
            let mut out = Time64NanosecondBuilder::with_capacity(rows);
            for row in 0..rows {
                let ticks = value(row).map(|text| parse::iso_time(text).ok_or_else(|| wrong(&slot.data_type, text)));
                out.append_option(ticks.transpose()?.map(|t| t * 100));
            }
            Ok(Arc::new(out.finish()))
        }
        DataType::DbTimeStampOffset { .. } => {
            let (mut ticks, mut minutes, mut valid) = (vec![0; rows], vec![0; rows], vec![true; rows]);
            for row in 0..rows {
                match value(row) {
                    Some(text) => {
                        (ticks[row], minutes[row]) =
                            parse::parse_offset(text).map_err(|_| wrong(&slot.data_type, text))?;
                    }
                    None => valid[row] = false,
                }
            }
            let nulls = NullBuffer::from(valid);
            dtsx_engine::types::scalar::offsets(ticks, minutes, Some(nulls))
                .map_err(|e| DbError::new(ErrorKind::Other, e.message()))
        }
        data_type => {
            let (precision, scale) = precision(&data_type);
            let mut out = Decimal128Builder::with_capacity(rows).with_data_type(data_type.arrow());
            for row in 0..rows {
                let number = value(row).map(|text| {
                    plain_decimal(text, precision, scale).map_or_else(
                        || parse::parse_decimal(text, precision, scale, locale).map_err(|_| wrong(&data_type, text)),
                        Ok,
                    )
                });
                out.append_option(number.transpose()?);
            }
            Ok(Arc::new(out.finish()))
        }
    }
}

/// Digits with at most `scale` of them after a point: the way in which drivers write decimals. None: it is something else, or
/// has more than `precision` digits.
fn plain_decimal(text: &[u8], precision: u8, scale: u8) -> Option<i128> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    if digits.is_empty() || digits.len() > 18 {
        return None;
    }
    let (mut value, mut after, mut point) = (0_i64, 0_u8, false);
    for byte in digits {
        match byte {
            b'0'..=b'9' => {
                value = value * 10 + i64::from(byte - b'0');
                after += u8::from(point);
            }
            b'.' if !point => point = true,
            _ => return None,
        }
    }
    let missing = scale.checked_sub(after)?;
    let value = decimal::fit(i128::from(value).checked_mul(10_i128.checked_pow(missing.into())?)?, precision)?;
    Some(if negative { -value } else { value })
}

/// Windows LCID of the invariant locale.
const INVARIANT: u32 = 127;

/// A GUID as ODBC has it (three numbers of this machine, eight bytes), in the order of its text; and back.
fn text_order(bytes: &[u8]) -> [u8; 16] {
    let mut out = [0; 16];
    for (to, from) in [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15].into_iter().enumerate() {
        out[to] = bytes.get(from).copied().unwrap_or(0);
    }
    out
}

/// Whether values of a type are of different lengths.
pub(super) fn varies(data_type: &DataType) -> bool {
    use DataType as T;
    matches!(
        data_type,
        T::Str { .. } | T::WStr { .. } | T::Text { .. } | T::NText | T::Bytes { .. } | T::Image | T::Null
    )
}

/// How values of a type are bound as parameters; `longest` is that of the values in hand, in UTF-16 units or bytes.
pub(super) fn parameter(data_type: DataType, longest: usize, text: Text) -> (Slot, SqlDataType, usize, i16) {
    use DataType as T;
    let wide = |units: usize| {
        let units = units.max(1);
        if text == Text::Utf8 {
            let sql = if units > LONGEST { SqlDataType::EXT_LONG_VARCHAR } else { SqlDataType::VARCHAR };
            return (Slot { form: Form::Utf8, width: units + 1, data_type, long: false }, sql, units, 0);
        }
        let sql = if units > LONGEST / 2 { SqlDataType::EXT_W_LONG_VARCHAR } else { SqlDataType::EXT_W_VARCHAR };
        (Slot { form: Form::Text, width: (units + 1) * 2, data_type, long: false }, sql, units, 0)
    };
    match data_type {
        T::Bool => (fixed(Form::Bit, data_type), SqlDataType::EXT_BIT, 1, 0),
        T::I1 | T::I2 | T::UI1 => (fixed(Form::I2, data_type), SqlDataType::SMALLINT, 5, 0),
        T::I4 | T::UI2 => (fixed(Form::I4, data_type), SqlDataType::INTEGER, 10, 0),
        T::I8 | T::UI4 => (fixed(Form::I8, data_type), SqlDataType::EXT_BIG_INT, 19, 0),
        T::UI8 => (ascii(20, data_type), SqlDataType::NUMERIC, 20, 0),
        T::R4 => (fixed(Form::F4, data_type), SqlDataType::REAL, 24, 0),
        T::R8 => (fixed(Form::F8, data_type), SqlDataType::DOUBLE, 53, 0),
        T::Cy => (ascii(22, data_type), SqlDataType::NUMERIC, 19, 4),
        T::Decimal { scale } => (ascii(32, data_type), SqlDataType::NUMERIC, 29, scale.into()),
        T::Numeric { precision, scale } => {
            (ascii(41, data_type), SqlDataType::NUMERIC, precision.max(1).into(), scale.into())
        }
        T::DbDate => (fixed(Form::Date, data_type), SqlDataType::DATE, 10, 0),
        T::DbTime => (fixed(Form::Time, data_type), SqlDataType::TIME, 8, 0),
        T::Date | T::DbTimeStamp => (fixed(Form::Timestamp, data_type), SqlDataType::TIMESTAMP, 23, 3),
        T::FileTime => (fixed(Form::Timestamp, data_type), SqlDataType::TIMESTAMP, 23, 3),
        T::DbTimeStamp2 { scale } => {
            let size = if scale == 0 { 19 } else { 20 + usize::from(scale) };
            (fixed(Form::Timestamp, data_type), SqlDataType::TIMESTAMP, size, scale.into())
        }
        T::DbTime2 { .. } => wide(16),
        T::DbTimeStampOffset { .. } => wide(36),
        T::Guid => wide(36),
        T::Bytes { .. } | T::Image => {
            let bytes = longest.max(1);
            let sql = if bytes > LONGEST { SqlDataType::EXT_LONG_VAR_BINARY } else { SqlDataType::EXT_VAR_BINARY };
            (Slot { form: Form::Binary, width: bytes, data_type, long: false }, sql, bytes, 0)
        }
        T::Null | T::Str { .. } | T::WStr { .. } | T::Text { .. } | T::NText => wide(longest),
    }
}

/// A parameter with room for `rows` values of at most `longest`.
pub(super) fn bound(
    data_type: DataType,
    longest: usize,
    rows: usize,
    direction: ParamType,
    text: Text,
) -> (Bound, Slot) {
    let (slot, sql_type, size, digits) = parameter(data_type, longest, text);
    let buffer = Buffer::new(slot.form.c_type(), slot.width, rows);
    (Bound { buffer, direction, sql_type, size, digits }, slot)
}

/// How long a value is, in the unit of [`parameter`].
pub(super) fn length(cell: &Cell<'_>, text: Text) -> usize {
    match cell {
        Cell::Text(value) if text == Text::Utf8 || value.is_ascii() => value.len(),
        Cell::Text(text) => text.encode_utf16().count(),
        Cell::Bytes(bytes) => bytes.len(),
        _ => 0,
    }
}

/// Writes a value into row `row` of a parameter.
pub(super) fn write(slot: &Slot, buffer: &mut Buffer, row: usize, cell: &Cell<'_>) {
    let set = |buffer: &mut Buffer, length: usize| buffer.indicators[row] = length as Len;
    macro_rules! number {
        ($t:ty, $value:expr) => {{
            buffer.values_mut::<$t>(row + 1)[row] = $value as $t;
            set(buffer, size_of::<$t>());
        }};
    }
    match (slot.form, cell) {
        (_, Cell::Null) => buffer.indicators[row] = NULL_DATA,
        (Form::Bit, Cell::Bool(v)) => number!(u8, *v),
        (Form::I2, Cell::Int(v)) => number!(i16, *v),
        (Form::I4, Cell::Int(v)) => number!(i32, *v),
        (Form::I8, Cell::Int(v)) => number!(i64, *v),
        (Form::F4, Cell::Real(v)) => number!(f32, *v),
        (Form::F8, Cell::Real(v)) => number!(f64, *v),
        (Form::Date, Cell::Date(v)) => {
            let (year, month, day) = calendar::civil_from_days(*v);
            buffer.values_mut::<Date>(row + 1)[row] = Date { year: year as i16, month: month as u16, day: day as u16 };
            set(buffer, 6);
        }
        (Form::Time, Cell::Time(nanos, _)) => {
            let s = nanos / 1_000_000_000;
            let time = Time { hour: (s / 3600) as u16, minute: (s / 60 % 60) as u16, second: (s % 60) as u16 };
            buffer.values_mut::<Time>(row + 1)[row] = time;
            set(buffer, 6);
        }
        (Form::Timestamp, Cell::Timestamp(ticks, scale)) => {
            buffer.values_mut::<Timestamp>(row + 1)[row] = timestamp(*ticks, *scale);
            set(buffer, 16);
        }
        (Form::Binary, Cell::Bytes(bytes)) => {
            let at = row * buffer.width;
            buffer.bytes_mut()[at..at + bytes.len()].copy_from_slice(bytes);
            set(buffer, bytes.len());
        }
        (Form::Ascii, Cell::Decimal(v, scale)) => {
            let mut text = String::new();
            cells::decimal_text(*v, *scale, &mut text);
            write_bytes(buffer, row, text.as_bytes());
        }
        (Form::Ascii, Cell::UInt(v)) => write_bytes(buffer, row, v.to_string().as_bytes()),
        (Form::Text, Cell::Text(text)) => write_units(buffer, row, text),
        (Form::Utf8, Cell::Text(text)) => write_bytes(buffer, row, text.as_bytes()),
        (Form::Utf8, other) => write_bytes(buffer, row, cells::iso_text(other).unwrap_or_default().as_bytes()),
        (_, other) => write_units(buffer, row, &cells::iso_text(other).unwrap_or_default()),
    }
}

fn write_bytes(buffer: &mut Buffer, row: usize, bytes: &[u8]) {
    let (at, length) = (row * buffer.width, bytes.len().min(buffer.width));
    buffer.bytes_mut()[at..at + length].copy_from_slice(&bytes[..length]);
    buffer.indicators[row] = length as Len;
}

fn write_units(buffer: &mut Buffer, row: usize, text: &str) {
    let per_row = buffer.width / 2;
    let units = buffer.values_mut::<u16>((row + 1) * per_row);
    let mut length = 0;
    for (to, unit) in units[row * per_row..].iter_mut().zip(text.encode_utf16()) {
        *to = unit;
        length += 1;
    }
    buffer.indicators[row] = length as Len * 2;
}

fn timestamp(ticks: i64, scale: u8) -> Timestamp {
    let (day, rest) = (ticks.div_euclid(calendar::TICKS_PER_DAY), ticks.rem_euclid(calendar::TICKS_PER_DAY));
    let (year, month, day) = calendar::civil_from_days(day as i32);
    let (seconds, fraction) = (rest / calendar::TICKS_PER_SECOND, rest % calendar::TICKS_PER_SECOND);
    // Drivers refuse more digits than the parameter declares.
    let unit = 10_i64.pow(7 - u32::from(scale.min(7)));
    Timestamp {
        year: year as i16,
        month: month as u16,
        day: day as u16,
        hour: (seconds / 3600) as u16,
        minute: (seconds / 60 % 60) as u16,
        second: (seconds % 60) as u16,
        fraction: (fraction / unit * unit * 100) as u32,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::dialect::Family;

    fn described(sql_type: i16, size: usize, digits: i16) -> Described {
        Described {
            name: "c".into(),
            sql_type,
            size,
            digits,
            nullable: None,
            unsigned: false,
            auto: false,
            type_name: String::new(),
        }
    }

    #[test]
    fn sql_types_as_the_reference_maps_them() {
        let habits = Habits::of("", Family::Other, None);
        for (sql_type, size, digits, expected) in [
            (-7, 1, 0, DataType::Bool),
            (-5, 19, 0, DataType::I8),
            (3, 15, 2, DataType::Numeric { precision: 15, scale: 2 }),
            (2, 1000, 0, DataType::R8),
            (93, 23, 3, DataType::DbTimeStamp),
            (93, 27, 7, DataType::DbTimeStamp2 { scale: 7 }),
            (92, 8, 0, DataType::DbTime),
            (92, 15, 6, DataType::DbTime2 { scale: 6 }),
            (12, 50, 0, DataType::WStr { len: 50 }),
            (12, 5000, 0, DataType::NText),
            (-1, 65535, 0, DataType::NText),
            (-3, 20, 0, DataType::Bytes { len: 20 }),
            (-4, 0, 0, DataType::Image),
            (-154, 16, 7, DataType::DbTime2 { scale: 7 }),
            (-155, 34, 7, DataType::DbTimeStampOffset { scale: 7 }),
        ] {
            assert_eq!(column(&described(sql_type, size, digits), habits).data_type, expected, "{sql_type} {size}");
        }
        assert!(column(&described(-1, 0, 0), habits).long && column(&described(12, 0, 0), habits).long);
        for (driver, family, width, long) in [
            ("libmsodbcsql-18.3.so.2.1", Family::SqlServer, 22, false),
            ("psqlodbcw.so", Family::Postgres, 41, false),
            ("libmaodbc.so", Family::MySql, 41, false),
            ("sqlite3odbc.so", Family::Sqlite, 22, true),
        ] {
            let slot = column(&described(12, 10, 0), Habits::of(driver, family, Some(1)));
            assert_eq!((slot.width, slot.long), (width, long), "{driver}");
        }
    }

    #[test]
    fn decimals_as_drivers_write_them() {
        for (text, scale, expected) in [
            ("12.50", 2, Some(1250)),
            ("-0.05", 2, Some(-5)),
            (".5", 2, Some(50)),
            ("7", 3, Some(7000)),
            ("1.234", 2, None),
            ("1e5", 2, None),
            ("", 2, None),
        ] {
            assert_eq!(plain_decimal(text.as_bytes(), 38, scale), expected, "{text}");
        }
        // More digits than the column has, and more than any number here has.
        assert_eq!(plain_decimal(b"123.4", 4, 2), None);
        assert_eq!(plain_decimal(b"999999999999999999", 38, 38), None);
    }
}
