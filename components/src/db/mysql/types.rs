//! The types of MySQL and MariaDB as types of SSIS, and their rows, in binary form and as text, as Arrow columns.

use super::SOURCE;
use super::wire::number;
use crate::db::error::{DbError, ErrorKind, Outcome};
use crate::db::reading::{Brought, Strictness, precision};
use crate::db::rows::Rows;
use arrow::array::*;
use arrow::buffer::{Buffer, ScalarBuffer};
use dtsx_engine::batch::{Fault, Faults};
use dtsx_engine::types::convert::FaultCodes;
use dtsx_engine::types::{DataType, MAX_STR_BYTES, MAX_WSTR_UNITS, calendar, decimal};
use mysql_common::constants::{ColumnFlags, ColumnType as Kind};
use mysql_common::packets::Column as Definition;
use std::sync::Arc;

/// What a column becomes.
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
    /// Digits, rounded to a scale; or as a double, where there are more of them than a decimal holds.
    Decimal,
    DecimalAsDouble,
    Date,
    /// Seconds, or nanoseconds, since midnight.
    Time,
    Timestamp,
    Bytes,
    /// UTF-8.
    Text,
}

/// How a value stands in a row in binary form.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Width {
    Fixed(usize),
    /// A byte with the length before it.
    Short,
    /// A number of one to nine bytes with the length before it.
    Long,
}

/// One column of a result.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Column {
    pub(super) form: Form,
    pub(super) data_type: DataType,
    width: Width,
}

/// How rows are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Encoding {
    /// Those of prepared statements.
    Binary,
    /// Those of statements that are run as they are: every value as text.
    Text,
}

/// The character set of what is no text.
const BINARY: u16 = 63;
/// Bytes that a character has at most.
const WIDEST: u32 = 4;
/// Digits of a second that the server may have; more mean that it does not say.
const DIGITS: u8 = 6;
/// Nanoseconds of a day; times of MySQL go from -838 hours to 838.
const DAY: i64 = 86_400_000_000_000;

/// A column by its definition, as the reference maps it.
pub(super) fn column(definition: &Definition) -> Column {
    use DataType as T;
    let kind = definition.column_type();
    let unsigned = definition.flags().contains(ColumnFlags::UNSIGNED_FLAG);
    let binary = definition.character_set() == BINARY;
    let (length, digits) = (definition.column_length(), definition.decimals().min(DIGITS));
    let column = |form, data_type, width| Column { form, data_type, width };
    let integer = |signed, other, data_type, other_type, width| match unsigned {
        true => column(other, other_type, Width::Fixed(width)),
        false => column(signed, data_type, Width::Fixed(width)),
    };
    match kind {
        Kind::MYSQL_TYPE_TINY => integer(Form::I1, Form::U1, T::I1, T::UI1, 1),
        Kind::MYSQL_TYPE_SHORT | Kind::MYSQL_TYPE_YEAR => integer(Form::I2, Form::U2, T::I2, T::UI2, 2),
        Kind::MYSQL_TYPE_LONG | Kind::MYSQL_TYPE_INT24 => integer(Form::I4, Form::U4, T::I4, T::UI4, 4),
        Kind::MYSQL_TYPE_LONGLONG => integer(Form::I8, Form::U8, T::I8, T::UI8, 8),
        Kind::MYSQL_TYPE_FLOAT => column(Form::F4, T::R4, Width::Fixed(4)),
        Kind::MYSQL_TYPE_DOUBLE => column(Form::F8, T::R8, Width::Fixed(8)),
        Kind::MYSQL_TYPE_DECIMAL | Kind::MYSQL_TYPE_NEWDECIMAL => {
            let scale = definition.decimals();
            // The length counts the sign and the point.
            let precision = length.saturating_sub(u32::from(scale > 0)).saturating_sub(u32::from(!unsigned));
            match u8::try_from(precision) {
                Ok(precision @ 1..=38) if scale <= precision => {
                    column(Form::Decimal, T::Numeric { precision, scale }, Width::Long)
                }
                _ => column(Form::DecimalAsDouble, T::R8, Width::Long),
            }
        }
        Kind::MYSQL_TYPE_DATE | Kind::MYSQL_TYPE_NEWDATE => column(Form::Date, T::DbDate, Width::Short),
        Kind::MYSQL_TYPE_TIME | Kind::MYSQL_TYPE_TIME2 if digits == 0 => column(Form::Time, T::DbTime, Width::Short),
        Kind::MYSQL_TYPE_TIME | Kind::MYSQL_TYPE_TIME2 => {
            column(Form::Time, T::DbTime2 { scale: digits }, Width::Short)
        }
        Kind::MYSQL_TYPE_DATETIME
        | Kind::MYSQL_TYPE_DATETIME2
        | Kind::MYSQL_TYPE_TIMESTAMP
        | Kind::MYSQL_TYPE_TIMESTAMP2 => match digits {
            0..=3 => column(Form::Timestamp, T::DbTimeStamp, Width::Short),
            _ => column(Form::Timestamp, T::DbTimeStamp2 { scale: digits }, Width::Short),
        },
        Kind::MYSQL_TYPE_BIT if length <= 1 => column(Form::Bit, T::Bool, Width::Long),
        Kind::MYSQL_TYPE_BIT => column(Form::Bytes, T::Bytes { len: length.div_ceil(8) }, Width::Long),
        Kind::MYSQL_TYPE_GEOMETRY => column(Form::Bytes, T::Image, Width::Long),
        Kind::MYSQL_TYPE_TINY_BLOB
        | Kind::MYSQL_TYPE_MEDIUM_BLOB
        | Kind::MYSQL_TYPE_LONG_BLOB
        | Kind::MYSQL_TYPE_BLOB
            if binary =>
        {
            column(Form::Bytes, T::Image, Width::Long)
        }
        Kind::MYSQL_TYPE_TINY_BLOB
        | Kind::MYSQL_TYPE_MEDIUM_BLOB
        | Kind::MYSQL_TYPE_LONG_BLOB
        | Kind::MYSQL_TYPE_BLOB
        | Kind::MYSQL_TYPE_JSON
        | Kind::MYSQL_TYPE_NULL => column(Form::Text, T::NText, Width::Long),
        _ if binary => match length {
            1..=MAX_STR_BYTES => column(Form::Bytes, T::Bytes { len: length }, Width::Long),
            _ => column(Form::Bytes, T::Image, Width::Long),
        },
        _ => match length / WIDEST {
            len @ 1..=MAX_WSTR_UNITS => column(Form::Text, T::WStr { len }, Width::Long),
            _ => column(Form::Text, T::NText, Width::Long),
        },
    }
}

impl Brought for Column {
    fn data_type(&self) -> DataType {
        self.data_type
    }

    fn wished(self, wished: DataType) -> Column {
        use DataType as T;
        let as_type = |form| Column { form, data_type: wished, ..self };
        match (self.form, wished) {
            (Form::Decimal | Form::DecimalAsDouble, T::Cy | T::Decimal { .. } | T::Numeric { .. }) => {
                as_type(Form::Decimal)
            }
            (Form::Decimal | Form::DecimalAsDouble, T::R8) => as_type(Form::DecimalAsDouble),
            (Form::Timestamp, T::DbTimeStamp | T::Date | T::DbTimeStamp2 { scale: 6 | 7 }) => as_type(Form::Timestamp),
            (Form::Time, T::DbTime2 { scale: 6 | 7 }) => as_type(Form::Time),
            (Form::Text, T::NText) => as_type(Form::Text),
            (Form::Bytes, T::Image) => as_type(Form::Bytes),
            _ => self,
        }
    }
}

/// Why a value does not come in.
enum Wrong {
    /// It is a value, and none that the column's type has: a zero date, a time of more than a day.
    Value,
    /// It is none of its own type: server and reader misunderstand each other.
    Form,
}

fn misunderstood(column: &Column, value: &[u8], encoding: Encoding) -> DbError {
    let shown = match encoding {
        Encoding::Text => format!(": \"{}\"", String::from_utf8_lossy(value)),
        Encoding::Binary => String::new(),
    };
    let message = format!("the server sent a value that is no {}{shown}", column.data_type);
    DbError { source: SOURCE.into(), ..DbError::new(ErrorKind::Value, message) }
}

/// Digits with a point among them, times 10^scale, half rounded away from zero.
#[inline]
fn scaled(text: &[u8], scale: u8) -> Result<i128, Wrong> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    let point = memchr::memchr(b'.', digits).unwrap_or(digits.len());
    let (whole, behind) = (&digits[..point], digits.get(point + 1..).unwrap_or(&[]));
    let (kept, dropped) = behind.split_at(behind.len().min(scale.into()));
    if digits.is_empty() {
        return Err(Wrong::Form);
    }
    let missing = usize::from(scale) - kept.len();
    let value = if whole.len() + usize::from(scale) <= 18 {
        // The usual case, in 64 bits.
        let mut value = 0_i64;
        for digit in whole.iter().chain(kept) {
            value = value * 10 + i64::from(figure(*digit)?);
        }
        i128::from(value) * decimal::POW10[missing]
    } else {
        let mut value = 0_i128;
        for digit in whole.iter().chain(kept) {
            value =
                value.checked_mul(10).and_then(|v| v.checked_add(figure(*digit).ok()?.into())).ok_or(Wrong::Value)?;
        }
        let fill = decimal::POW10.get(missing).ok_or(Wrong::Value)?;
        value.checked_mul(*fill).ok_or(Wrong::Value)?
    };
    let value = value + i128::from(dropped.first().is_some_and(|d| *d >= b'5'));
    Ok(if negative { -value } else { value })
}

fn figure(byte: u8) -> Result<u8, Wrong> {
    match byte {
        b'0'..=b'9' => Ok(byte - b'0'),
        _ => Err(Wrong::Form),
    }
}

/// A day and the time of that day in 100 ns, in binary form: so many parts as are not zero.
fn moment(value: &[u8]) -> Result<(i32, i64), Wrong> {
    let number = |at: usize| value.get(at).copied().map_or(0, u32::from);
    let micros = value.get(7..11).and_then(|b| b.try_into().ok()).map_or(0, u32::from_le_bytes);
    let year = i32::from(value.first_chunk::<2>().map_or(0, |y| u16::from_le_bytes(*y)));
    let day = calendar::date(year, number(2), number(3)).ok_or(Wrong::Value)?;
    let time = calendar::time(number(4), number(5), number(6), micros.checked_mul(10).ok_or(Wrong::Form)?);
    Ok((day, time.ok_or(Wrong::Form)?))
}

/// The same as text: `2024-02-29 12:34:56.789`.
fn moment_of(text: &[u8]) -> Result<(i32, i64), Wrong> {
    let (date, time) = text.split_at_checked(10).ok_or(Wrong::Form)?;
    let digits = |range: std::ops::Range<usize>| -> Result<u32, Wrong> {
        date[range].iter().try_fold(0, |n, d| Ok(n * 10 + u32::from(figure(*d)?)))
    };
    let day = calendar::date(digits(0..4)? as i32, digits(5..7)?, digits(8..10)?).ok_or(Wrong::Value)?;
    let time = match time {
        [] => 0,
        [_, rest @ ..] => dtsx_engine::types::parse::iso_time(rest).ok_or(Wrong::Form)?,
    };
    Ok((day, time))
}

/// Nanoseconds, in binary form: a sign, days, hours, minutes, seconds, microseconds.
fn nanos(value: &[u8]) -> Result<i64, Wrong> {
    if value.is_empty() {
        return Ok(0);
    }
    let head = value.get(..8).ok_or(Wrong::Form)?;
    let days = u32::from_le_bytes([head[1], head[2], head[3], head[4]]);
    let micros = value.get(8..12).and_then(|b| b.try_into().ok()).map_or(0, u32::from_le_bytes);
    let seconds = i64::from(head[5]) * 3600 + i64::from(head[6]) * 60 + i64::from(head[7]);
    let nanos = seconds * 1_000_000_000 + i64::from(micros) * 1000;
    if days > 0 || nanos >= DAY || (head[0] != 0 && nanos > 0) { Err(Wrong::Value) } else { Ok(nanos) }
}

/// The same as text: `-838:59:59.000000`.
fn nanos_of(text: &[u8]) -> Result<i64, Wrong> {
    match dtsx_engine::types::parse::iso_time(text) {
        Some(ticks) => Ok(ticks * 100),
        None if text.iter().all(|b| b.is_ascii_digit() || matches!(b, b'-' | b':' | b'.')) => Err(Wrong::Value),
        None => Err(Wrong::Form),
    }
}

enum Values {
    Skip,
    Bool(BooleanBuilder),
    I1(Int8Builder),
    U1(UInt8Builder),
    I2(Int16Builder),
    U2(UInt16Builder),
    I4(Int32Builder),
    U4(UInt32Builder),
    I8(Int64Builder),
    U8(UInt64Builder),
    F4(Float32Builder),
    F8(Float64Builder),
    Decimal(Decimal128Builder),
    Date(Date32Builder),
    Seconds(Time32SecondBuilder),
    Nanos(Time64NanosecondBuilder),
    Micros(TimestampMicrosecondBuilder),
    Ticks(Int64Builder),
    /// Views into the block: where each value is.
    Views(Vec<u128>, NullBufferBuilder),
}

/// Decodes rows, each with its length of 32 bits before it, into columns.
pub(super) fn decode(
    block: Vec<u8>,
    rows: usize,
    columns: &[Column],
    wanted: &[bool],
    encoding: Encoding,
    strictness: Strictness,
) -> Outcome<Rows> {
    let mut builders: Vec<Values> =
        columns.iter().zip(wanted).map(|(c, w)| if *w { builder(c, rows) } else { Values::Skip }).collect();
    let mut faults: Vec<Faults> = vec![Faults::new(); columns.len()];
    let short = || DbError::new(ErrorKind::Lost, "the server sent a row that ends early");
    let block = Buffer::from_vec(block);
    let bytes = block.as_slice();
    let (mut at, bitmap) = (0, columns.len().saturating_add(9) / 8);
    for row in 0..rows {
        let length = bytes.get(at..at + 4).and_then(|b| b.try_into().ok()).map(u32::from_le_bytes).ok_or_else(short)?;
        let (begin, end) = (at + 4, at + 4 + length as usize);
        let packet = bytes.get(..end).ok_or_else(short)?;
        let nulls = match encoding {
            Encoding::Binary => packet.get(begin + 1..begin + 1 + bitmap).ok_or_else(short)?,
            Encoding::Text => &[],
        };
        let mut place = begin + if encoding == Encoding::Binary { 1 + bitmap } else { 0 };
        for (index, (values, column)) in builders.iter_mut().zip(columns).enumerate() {
            let null = match encoding {
                // The first two bits are not used.
                Encoding::Binary => nulls[(index + 2) / 8] & (1 << ((index + 2) % 8)) != 0,
                Encoding::Text => packet.get(place) == Some(&0xfb),
            };
            if null {
                place += usize::from(encoding == Encoding::Text);
                self::null(values);
                continue;
            }
            let width = if encoding == Encoding::Text { Width::Long } else { column.width };
            let (from, size) = match width {
                Width::Fixed(size) => (place, size),
                Width::Short => (place + 1, usize::from(*packet.get(place).ok_or_else(short)?)),
                Width::Long => match packet.get(place) {
                    Some(size @ 0..=0xfa) => (place + 1, usize::from(*size)),
                    _ => {
                        let mut rest = &packet[place.min(packet.len())..];
                        let size = number(&mut rest).ok_or_else(short)?;
                        (packet.len() - rest.len(), usize::try_from(size).map_err(|_| short())?)
                    }
                },
            };
            let value = from.checked_add(size).and_then(|to| packet.get(from..to)).ok_or_else(short)?;
            place = from + size;
            let pushed = match encoding {
                Encoding::Binary => push(values, column, value, from),
                Encoding::Text => push_text(values, column, value, from),
            };
            match pushed {
                Ok(()) => {}
                Err(Wrong::Value) if strictness == Strictness::Faults => {
                    self::null(values);
                    let code = FaultCodes::DATABASE_SOURCE.overflow;
                    faults[index].push(Fault { row: row as u32, code, truncation: false });
                }
                Err(_) => return Err(misunderstood(column, value, encoding)),
            }
        }
        at = end;
    }
    let finished = builders.into_iter().zip(columns).map(|(values, column)| finish(values, column, &block, rows));
    Ok(Rows { len: rows, columns: finished.collect::<Outcome<_>>()?, faults })
}

fn builder(column: &Column, rows: usize) -> Values {
    let t = &column.data_type;
    match column.form {
        Form::Bit => Values::Bool(BooleanBuilder::with_capacity(rows)),
        Form::I1 => Values::I1(Int8Builder::with_capacity(rows)),
        Form::U1 => Values::U1(UInt8Builder::with_capacity(rows)),
        Form::I2 => Values::I2(Int16Builder::with_capacity(rows)),
        Form::U2 => Values::U2(UInt16Builder::with_capacity(rows)),
        Form::I4 => Values::I4(Int32Builder::with_capacity(rows)),
        Form::U4 => Values::U4(UInt32Builder::with_capacity(rows)),
        Form::I8 => Values::I8(Int64Builder::with_capacity(rows)),
        Form::U8 => Values::U8(UInt64Builder::with_capacity(rows)),
        Form::F4 => Values::F4(Float32Builder::with_capacity(rows)),
        Form::F8 | Form::DecimalAsDouble => Values::F8(Float64Builder::with_capacity(rows)),
        Form::Decimal => Values::Decimal(Decimal128Builder::with_capacity(rows).with_data_type(t.arrow())),
        Form::Date => Values::Date(Date32Builder::with_capacity(rows)),
        Form::Time if *t == DataType::DbTime => Values::Seconds(Time32SecondBuilder::with_capacity(rows)),
        Form::Time => Values::Nanos(Time64NanosecondBuilder::with_capacity(rows)),
        Form::Timestamp => match t {
            DataType::DbTimeStamp2 { .. } => Values::Ticks(Int64Builder::with_capacity(rows)),
            _ => Values::Micros(TimestampMicrosecondBuilder::with_capacity(rows)),
        },
        Form::Bytes | Form::Text => Values::Views(Vec::with_capacity(rows), NullBufferBuilder::new(rows)),
    }
}

fn null(values: &mut Values) {
    match values {
        Values::Skip => {}
        Values::Bool(b) => b.append_null(),
        Values::I1(b) => b.append_null(),
        Values::U1(b) => b.append_null(),
        Values::I2(b) => b.append_null(),
        Values::U2(b) => b.append_null(),
        Values::I4(b) => b.append_null(),
        Values::U4(b) => b.append_null(),
        Values::I8(b) | Values::Ticks(b) => b.append_null(),
        Values::U8(b) => b.append_null(),
        Values::F4(b) => b.append_null(),
        Values::F8(b) => b.append_null(),
        Values::Decimal(b) => b.append_null(),
        Values::Date(b) => b.append_null(),
        Values::Seconds(b) => b.append_null(),
        Values::Nanos(b) => b.append_null(),
        Values::Micros(b) => b.append_null(),
        Values::Views(views, nulls) => {
            views.push(0);
            nulls.append_null();
        }
    }
}

/// What both forms of rows write in the same way.
#[inline]
fn push_common(values: &mut Values, column: &Column, value: &[u8], place: usize) -> Result<(), Wrong> {
    match values {
        Values::Decimal(b) => {
            let (precision, scale) = precision(&column.data_type);
            b.append_value(decimal::fit(scaled(value, scale)?, precision).ok_or(Wrong::Value)?);
        }
        Values::F8(b) => {
            let number = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
            b.append_value(number.ok_or(Wrong::Form)?);
        }
        Values::Bool(b) => b.append_value(value.iter().any(|byte| *byte != 0)),
        Values::Views(views, nulls) => {
            views.push(arrow::array::make_view(value, 0, place as u32));
            nulls.append_non_null();
        }
        _ => {}
    }
    Ok(())
}

fn push_moment(values: &mut Values, column: &Column, (day, time): (i32, i64)) {
    let ticks = calendar::join(day, time);
    match values {
        Values::Ticks(b) => b.append_value(ticks),
        Values::Micros(b) => {
            let micros = ticks.div_euclid(10);
            // DT_DBTIMESTAMP keeps milliseconds.
            b.append_value(if column.data_type == DataType::Date { micros } else { micros - micros.rem_euclid(1000) });
        }
        Values::Date(b) => b.append_value(day),
        _ => {}
    }
}

#[inline]
fn push(values: &mut Values, column: &Column, value: &[u8], place: usize) -> Result<(), Wrong> {
    macro_rules! number {
        ($t:ty) => {
            <$t>::from_le_bytes(value.try_into().map_err(|_| Wrong::Form)?)
        };
    }
    match values {
        Values::Skip => {}
        Values::I1(b) => b.append_value(number!(i8)),
        Values::U1(b) => b.append_value(number!(u8)),
        Values::I2(b) => b.append_value(number!(i16)),
        Values::U2(b) => b.append_value(number!(u16)),
        Values::I4(b) => b.append_value(number!(i32)),
        Values::U4(b) => b.append_value(number!(u32)),
        Values::I8(b) => b.append_value(number!(i64)),
        Values::U8(b) => b.append_value(number!(u64)),
        Values::F4(b) => b.append_value(number!(f32)),
        Values::F8(b) if column.form == Form::F8 => b.append_value(number!(f64)),
        Values::Date(_) | Values::Micros(_) | Values::Ticks(_) => push_moment(values, column, moment(value)?),
        Values::Seconds(b) => b.append_value((nanos(value)? / 1_000_000_000) as i32),
        Values::Nanos(b) => b.append_value(nanos(value)?),
        _ => push_common(values, column, value, place)?,
    }
    Ok(())
}

fn push_text(values: &mut Values, column: &Column, value: &[u8], place: usize) -> Result<(), Wrong> {
    macro_rules! number {
        () => {
            std::str::from_utf8(value).ok().and_then(|text| text.parse().ok()).ok_or(Wrong::Form)?
        };
    }
    match values {
        Values::Skip => {}
        Values::I1(b) => b.append_value(number!()),
        Values::U1(b) => b.append_value(number!()),
        Values::I2(b) => b.append_value(number!()),
        Values::U2(b) => b.append_value(number!()),
        Values::I4(b) => b.append_value(number!()),
        Values::U4(b) => b.append_value(number!()),
        Values::I8(b) => b.append_value(number!()),
        Values::U8(b) => b.append_value(number!()),
        Values::F4(b) => b.append_value(number!()),
        Values::Date(_) | Values::Micros(_) | Values::Ticks(_) => push_moment(values, column, moment_of(value)?),
        Values::Seconds(b) => b.append_value((nanos_of(value)? / 1_000_000_000) as i32),
        Values::Nanos(b) => b.append_value(nanos_of(value)?),
        _ => push_common(values, column, value, place)?,
    }
    Ok(())
}

fn finish(values: Values, column: &Column, block: &Buffer, rows: usize) -> Outcome<ArrayRef> {
    let defect = |e: &dyn std::fmt::Display| DbError::new(ErrorKind::Value, format!("a text of the server: {e}"));
    Ok(match values {
        Values::Skip => Arc::new(NullArray::new(rows)),
        Values::Bool(mut b) => Arc::new(b.finish()),
        Values::I1(mut b) => Arc::new(b.finish()),
        Values::U1(mut b) => Arc::new(b.finish()),
        Values::I2(mut b) => Arc::new(b.finish()),
        Values::U2(mut b) => Arc::new(b.finish()),
        Values::I4(mut b) => Arc::new(b.finish()),
        Values::U4(mut b) => Arc::new(b.finish()),
        Values::I8(mut b) | Values::Ticks(mut b) => Arc::new(b.finish()),
        Values::U8(mut b) => Arc::new(b.finish()),
        Values::F4(mut b) => Arc::new(b.finish()),
        Values::F8(mut b) => Arc::new(b.finish()),
        Values::Decimal(mut b) => Arc::new(b.finish()),
        Values::Date(mut b) => Arc::new(b.finish()),
        Values::Seconds(mut b) => Arc::new(b.finish()),
        Values::Nanos(mut b) => Arc::new(b.finish()),
        Values::Micros(mut b) => Arc::new(b.finish()),
        Values::Views(views, mut nulls) => {
            let (views, buffers, nulls) = (ScalarBuffer::from(views), vec![block.clone()], nulls.finish());
            match column.form {
                Form::Bytes => Arc::new(BinaryViewArray::try_new(views, buffers, nulls).map_err(|e| defect(&e))?),
                _ => Arc::new(StringViewArray::try_new(views, buffers, nulls).map_err(|e| defect(&e))?),
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn definition(kind: Kind, length: u32, decimals: u8, flags: ColumnFlags, charset: u16) -> Definition {
        Definition::new(kind)
            .with_column_length(length)
            .with_decimals(decimals)
            .with_flags(flags)
            .with_character_set(charset)
    }

    #[test]
    fn types_as_the_reference_maps_them() {
        let (none, unsigned) = (ColumnFlags::empty(), ColumnFlags::UNSIGNED_FLAG);
        for (kind, length, decimals, flags, charset, expected) in [
            (Kind::MYSQL_TYPE_TINY, 4, 0, none, 63, DataType::I1),
            (Kind::MYSQL_TYPE_TINY, 3, 0, unsigned, 63, DataType::UI1),
            (Kind::MYSQL_TYPE_YEAR, 4, 0, unsigned, 63, DataType::UI2),
            (Kind::MYSQL_TYPE_INT24, 9, 0, none, 63, DataType::I4),
            (Kind::MYSQL_TYPE_LONGLONG, 20, 0, unsigned, 63, DataType::UI8),
            (Kind::MYSQL_TYPE_NEWDECIMAL, 17, 2, none, 63, DataType::Numeric { precision: 15, scale: 2 }),
            (Kind::MYSQL_TYPE_NEWDECIMAL, 38, 0, unsigned, 63, DataType::Numeric { precision: 38, scale: 0 }),
            (Kind::MYSQL_TYPE_NEWDECIMAL, 67, 30, none, 63, DataType::R8),
            (Kind::MYSQL_TYPE_TIME, 10, 0, none, 63, DataType::DbTime),
            (Kind::MYSQL_TYPE_TIME, 17, 6, none, 63, DataType::DbTime2 { scale: 6 }),
            (Kind::MYSQL_TYPE_DATETIME, 23, 3, none, 63, DataType::DbTimeStamp),
            (Kind::MYSQL_TYPE_TIMESTAMP, 26, 6, none, 63, DataType::DbTimeStamp2 { scale: 6 }),
            (Kind::MYSQL_TYPE_DATETIME, 26, 39, none, 63, DataType::DbTimeStamp2 { scale: 6 }),
            (Kind::MYSQL_TYPE_BIT, 1, 0, unsigned, 63, DataType::Bool),
            (Kind::MYSQL_TYPE_BIT, 12, 0, unsigned, 63, DataType::Bytes { len: 2 }),
            (Kind::MYSQL_TYPE_VAR_STRING, 80, 0, none, 45, DataType::WStr { len: 20 }),
            (Kind::MYSQL_TYPE_VAR_STRING, 40_000, 0, none, 45, DataType::NText),
            (Kind::MYSQL_TYPE_VAR_STRING, 30, 0, none, 63, DataType::Bytes { len: 30 }),
            (Kind::MYSQL_TYPE_STRING, 12, 0, ColumnFlags::ENUM_FLAG, 45, DataType::WStr { len: 3 }),
            (Kind::MYSQL_TYPE_BLOB, 65_535, 0, none, 63, DataType::Image),
            (Kind::MYSQL_TYPE_BLOB, 262_140, 0, none, 45, DataType::NText),
            (Kind::MYSQL_TYPE_JSON, u32::MAX, 0, none, 63, DataType::NText),
            (Kind::MYSQL_TYPE_NULL, 0, 0, none, 63, DataType::NText),
        ] {
            let found = column(&definition(kind, length, decimals, flags, charset));
            assert_eq!(found.data_type, expected, "{kind:?} {length}");
        }
    }

    #[test]
    fn decimals_of_every_length() {
        for (text, scale, expected) in [
            ("12.50", 2, Some(1250)),
            ("-0.05", 2, Some(-5)),
            ("7", 3, Some(7000)),
            ("1.235", 2, Some(124)),
            ("-1.235", 2, Some(-124)),
            ("1.2349999", 2, Some(123)),
            ("99999999999999999999999999999999999999", 0, Some(decimal::MAX_NUMERIC)),
            ("1.000000000000000000000000000000", 10, Some(10_000_000_000)),
            ("12345678901234567890123456789.1234567890123456789", 4, Some(123_456_789_012_345_678_901_234_567_891_235)),
            ("99999999999999999999999999999999999999999", 0, None),
            ("1e5", 2, None),
            ("", 2, None),
        ] {
            assert_eq!(scaled(text.as_bytes(), scale).ok(), expected, "{text}");
        }
    }

    /// A block of rows of one column; None: NULL.
    fn block(encoding: Encoding, values: &[Option<&[u8]>]) -> Vec<u8> {
        let mut block = Vec::new();
        for value in values {
            let mut row = match (encoding, value) {
                (Encoding::Binary, Some(_)) => vec![0, 0],
                (Encoding::Binary, None) => vec![0, 4],
                (Encoding::Text, Some(value)) => vec![value.len() as u8],
                (Encoding::Text, None) => vec![0xfb],
            };
            row.extend(value.unwrap_or(&[]));
            block.extend((row.len() as u32).to_le_bytes());
            block.extend(row);
        }
        block
    }

    #[test]
    fn values_that_no_column_has_are_faults_of_their_rows() {
        use Encoding::{Binary, Text};
        let none = ColumnFlags::empty();
        let date = definition(Kind::MYSQL_TYPE_DATE, 10, 0, none, 63);
        let moment = definition(Kind::MYSQL_TYPE_DATETIME, 26, 6, none, 63);
        let time = definition(Kind::MYSQL_TYPE_TIME, 17, 6, none, 63);
        let small = definition(Kind::MYSQL_TYPE_NEWDECIMAL, 5, 1, none, 63);
        for (encoding, definition, good, bad) in [
            (Binary, &date, &[4_u8, 0xe8, 7, 2, 29][..], &[0_u8][..]),
            (Binary, &date, &[4, 1, 0, 1, 1], &[4, 0xe8, 7, 0, 0]),
            (Text, &date, b"2024-02-29", b"0000-00-00"),
            (Binary, &moment, &[11, 0xe8, 7, 2, 29, 1, 2, 3, 1, 0, 0, 0], &[0]),
            (Binary, &moment, &[7, 0xe8, 7, 2, 29, 1, 2, 3], &[4, 0, 0, 1, 1]),
            (Text, &moment, b"2024-02-29 12:34:56.000001", b"2024-00-00 12:34:56.000001"),
            (Binary, &time, &[0], &[8, 0, 1, 0, 0, 0, 0, 0, 0]),
            (Binary, &time, &[12, 0, 0, 0, 0, 0, 23, 59, 59, 1, 0, 0, 0], &[8, 1, 0, 0, 0, 0, 0, 0, 1]),
            (Binary, &time, &[0], &[8, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 0]),
            (Text, &time, b"23:59:59.000001", b"-838:59:59.000000"),
            (Binary, &small, b"\x05-99.9", b"\x06-999.9"),
        ] {
            let column = column(definition);
            let columns = [column.wished(column.data_type)];
            let values = [Some(good), Some(bad), None, Some(bad)];
            let bytes = block(encoding, &values);
            let rows = decode(bytes.clone(), 4, &columns, &[true], encoding, Strictness::Faults).unwrap();
            assert_eq!(rows.faults_of(0).iter().map(|f| f.row).collect::<Vec<_>>(), [1, 3], "{good:?} {bad:?}");
            let nulls: Vec<bool> = (0..4).map(|row| rows.columns[0].is_null(row)).collect();
            assert_eq!(nulls, [false, true, true, true], "{bad:?}");
            let strict = decode(bytes, 4, &columns, &[true], encoding, Strictness::Strict);
            assert!(strict.is_err_and(|e| e.kind == ErrorKind::Value), "{bad:?}");
        }
    }

    #[test]
    fn rows_that_end_early_are_told() {
        let columns = [column(&definition(Kind::MYSQL_TYPE_LONGLONG, 20, 0, ColumnFlags::empty(), 63))];
        let whole = block(Encoding::Binary, &[Some(&[1, 0, 0, 0, 0, 0, 0, 0])]);
        let read = |bytes: &[u8]| {
            decode(bytes.to_vec(), 1, &columns, &[true], Encoding::Binary, Strictness::Faults).map(|r| r.len)
        };
        assert_eq!(read(&whole), Ok(1));
        for end in 0..whole.len() {
            assert!(read(&whole[..end]).is_err(), "{end}");
        }
    }
}
