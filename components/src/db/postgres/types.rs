//! PostgreSQL's types as types of SSIS, and its binary form as Arrow columns.

use crate::db::error::{DbError, ErrorKind, Outcome};
use crate::db::reading::{Brought, Strictness, precision};
use crate::db::rows::Rows;
use arrow::array::*;
use arrow::buffer::{Buffer, NullBuffer, ScalarBuffer};
use dtsx_engine::batch::{Fault, Faults};
use dtsx_engine::types::convert::FaultCodes;
use dtsx_engine::types::{DataType, MAX_WSTR_UNITS, calendar, decimal, scalar};
use std::sync::Arc;

/// How a column comes, and what it becomes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Form {
    Bool,
    I2,
    I4,
    I8,
    U4,
    F4,
    F8,
    /// Digits of base 10000, rounded to a scale; or as a double, where no scale is known.
    Numeric,
    NumericAsDouble,
    /// 64 bits, with as many decimal places as its currency has.
    Money {
        digits: u8,
    },
    /// Days since 2000-01-01.
    Date,
    /// Microseconds since midnight.
    Time,
    /// Microseconds since 2000-01-01.
    Timestamp,
    TimestampTz,
    Uuid,
    Bytes,
    /// UTF-8.
    Text,
}

/// One column of a result.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Column {
    pub(super) form: Form,
    pub(super) data_type: DataType,
    /// Whether it is asked for in binary form; else in text.
    pub(super) binary: bool,
    /// The number of the server's type.
    pub(super) oid: u32,
}

/// Days from 1970-01-01 to 2000-01-01, PostgreSQL's epoch.
const EPOCH: i32 = 10_957;
/// The same in microseconds.
const EPOCH_MICROS: i64 = EPOCH as i64 * 86_400_000_000;
/// Microseconds of a day; PostgreSQL's times may be 24:00:00.
const DAY_MICROS: i64 = 86_400_000_000;

/// The column of a type, by its number and modifier.
pub(super) fn column(oid: u32, modifier: i32) -> Column {
    let binary = |form, data_type| Column { form, data_type, binary: true, oid };
    let length = u32::try_from(modifier - 4).ok().filter(|n| (1..=MAX_WSTR_UNITS).contains(n));
    let text = |len: Option<u32>| binary(Form::Text, len.map_or(DataType::NText, |len| DataType::WStr { len }));
    // Without a modifier, times have six digits.
    let digits = if (0..=6).contains(&modifier) { modifier as u8 } else { 6 };
    match oid {
        16 => binary(Form::Bool, DataType::Bool),
        17 => binary(Form::Bytes, DataType::Image),
        18 => text(Some(1)),
        19 => text(Some(63)),
        20 => binary(Form::I8, DataType::I8),
        21 => binary(Form::I2, DataType::I2),
        23 => binary(Form::I4, DataType::I4),
        25 | 114 | 142 | 705 => text(None),
        26 => binary(Form::U4, DataType::UI4),
        700 => binary(Form::F4, DataType::R4),
        701 => binary(Form::F8, DataType::R8),
        790 => binary(Form::Money { digits: 2 }, DataType::Cy),
        1042 | 1043 => text(length),
        1082 => binary(Form::Date, DataType::DbDate),
        1083 => binary(Form::Time, DataType::DbTime2 { scale: digits }),
        1114 if digits <= 3 => binary(Form::Timestamp, DataType::DbTimeStamp),
        1114 => binary(Form::Timestamp, DataType::DbTimeStamp2 { scale: digits }),
        1184 => binary(Form::TimestampTz, DataType::DbTimeStampOffset { scale: digits }),
        1700 if modifier >= 4 => {
            let (precision, scale) = (((modifier - 4) >> 16) & 0xffff, (modifier - 4) & 0x7ff);
            match (u8::try_from(precision), u8::try_from(scale)) {
                (Ok(precision @ 1..=38), Ok(scale)) if scale <= precision => {
                    binary(Form::Numeric, DataType::Numeric { precision, scale })
                }
                _ => binary(Form::NumericAsDouble, DataType::R8),
            }
        }
        1700 => binary(Form::NumericAsDouble, DataType::R8),
        2950 => binary(Form::Uuid, DataType::Guid),
        // Everything else has a text form.
        _ => Column { form: Form::Text, data_type: DataType::NText, binary: false, oid },
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
            (Form::Numeric | Form::NumericAsDouble, T::Cy | T::Decimal { .. } | T::Numeric { .. }) => {
                as_type(Form::Numeric)
            }
            (Form::Numeric | Form::NumericAsDouble, T::R8) => as_type(Form::NumericAsDouble),
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
    /// It is a value, and none that the column's type has: `NaN`, `infinity`, a date before the year 1.
    Value,
    /// It is none of its own type: server and reader misunderstand each other.
    Form,
}

fn misunderstood(column: &Column) -> DbError {
    let message = format!("the server sent a value that is no {}", column.data_type);
    DbError { source: "PostgreSQL".into(), ..DbError::new(ErrorKind::Value, message) }
}

/// A day that DT_DBDATE has: neither infinite nor before the year 1.
fn day(days: i32) -> Result<i32, Wrong> {
    let day = days.checked_add(EPOCH).filter(|d| (calendar::MIN_DAY..=calendar::MAX_DAY).contains(d));
    day.ok_or(Wrong::Value)
}

/// Microseconds since 1970-01-01, in the same range.
fn moment(micros: i64) -> Result<i64, Wrong> {
    let range = calendar::MIN_TICKS / 10..=calendar::MAX_TICKS / 10;
    micros.checked_add(EPOCH_MICROS).filter(|m| range.contains(m)).ok_or(Wrong::Value)
}

/// A numeric in its binary form.
struct Digits<'a> {
    weight: i32,
    sign: u16,
    digits: &'a [u8],
}

impl<'a> Digits<'a> {
    fn read(bytes: &'a [u8]) -> Option<Digits<'a>> {
        let (head, digits) = bytes.split_first_chunk::<8>()?;
        let count = u16::from_be_bytes([head[0], head[1]]);
        let weight = i16::from_be_bytes([head[2], head[3]]).into();
        let sign = u16::from_be_bytes([head[4], head[5]]);
        (digits.len() == usize::from(count) * 2).then_some(Digits { weight, sign, digits })
    }

    fn groups(&self) -> impl Iterator<Item = i128> + '_ {
        self.digits.chunks_exact(2).map(|pair| i128::from(u16::from_be_bytes([pair[0], pair[1]])))
    }

    /// The value times 10^scale, half rounded away from zero. None: it is no number, or has more than 38 digits.
    #[inline]
    fn scaled(&self, scale: u8) -> Option<i128> {
        let negative = match self.sign {
            0x0000 => false,
            0x4000 => true,
            _ => return None,
        };
        let groups = self.digits.len() as i32 / 2;
        if groups == 0 {
            // Zero has no digits, and the weight of none.
            return Some(0);
        }
        // Decimal places of the last group; negative: zeros that follow it.
        let places = (groups - 1 - self.weight) * 4;
        let shift = i32::from(scale) - places;
        let value = if groups <= 4 {
            // Up to sixteen digits, the usual case.
            let value = self
                .digits
                .chunks_exact(2)
                .fold(0_i64, |v, p| v * 10_000 + i64::from(u16::from_be_bytes([p[0], p[1]])));
            i128::from(value)
        } else {
            self.kept(scale)?
        };
        let value = match shift {
            0 => value,
            1.. => value.checked_mul(10_i128.checked_pow(shift as u32)?)?,
            _ if groups > 4 => value,
            _ => {
                let divisor = 10_i128.checked_pow(shift.unsigned_abs()).unwrap_or(i128::MAX);
                let (whole, rest) = (value / divisor, value % divisor);
                whole + i128::from(rest >= divisor - rest)
            }
        };
        Some(if negative { -value } else { value })
    }

    /// The digits as far as `scale` places behind the point, or as many as there are, half rounded up: those behind them,
    /// too, may be more than 128 bits hold.
    fn kept(&self, scale: u8) -> Option<i128> {
        let (mut value, mut up) = (0_i128, false);
        for (at, group) in self.groups().enumerate() {
            match (at as i32 - self.weight) * 4 - i32::from(scale) {
                ..=0 => value = value.checked_mul(10_000)?.checked_add(group)?,
                dropped @ 1..=4 => {
                    let unit = 10_i128.pow(dropped as u32);
                    value = value.checked_mul(10_000 / unit)?.checked_add(group / unit)?;
                    up = group % unit >= unit / 2;
                }
                _ => break,
            }
        }
        Some(value + i128::from(up))
    }

    fn double(&self) -> Option<f64> {
        match self.sign {
            0x0000 | 0x4000 => {}
            0xC000 => return Some(f64::NAN),
            0xD000 => return Some(f64::INFINITY),
            0xF000 => return Some(f64::NEG_INFINITY),
            _ => return None,
        }
        // Through text, which rounds once.
        let mut text = String::from(if self.sign == 0x4000 { "-" } else { "" });
        text.extend(self.groups().map(|g| format!("{g:04}")));
        let exponent = (self.weight + 1 - self.digits.len() as i32 / 2) * 4;
        text.push_str(if self.digits.is_empty() { "0" } else { "" });
        text.push_str(&format!("e{exponent}"));
        text.parse().ok()
    }
}

enum Values {
    Skip,
    Bool(BooleanBuilder),
    I2(Int16Builder),
    I4(Int32Builder),
    I8(Int64Builder),
    U4(UInt32Builder),
    F4(Float32Builder),
    F8(Float64Builder),
    Decimal(Decimal128Builder),
    Date(Date32Builder),
    Time(Time64NanosecondBuilder),
    Micros(TimestampMicrosecondBuilder),
    Ticks(Int64Builder),
    Offset(Vec<i64>, Vec<bool>),
    Guid(FixedSizeBinaryBuilder),
    /// Views into the block: where each value is.
    Views(Vec<u128>, NullBufferBuilder),
}

/// A numeric as its server sends it, times 10^scale.
#[cfg(test)]
pub(super) fn scaled(bytes: &[u8], scale: u8) -> Option<i128> {
    Digits::read(bytes)?.scaled(scale)
}

/// Decodes messages of rows (a tag, a length, a count of values, the values) into columns.
pub(super) fn decode(
    block: Vec<u8>,
    rows: usize,
    columns: &[Column],
    wanted: &[bool],
    strictness: Strictness,
) -> Outcome<Rows> {
    let mut builders: Vec<Values> =
        columns.iter().zip(wanted).map(|(c, w)| if *w { builder(c, rows) } else { Values::Skip }).collect();
    let mut faults: Vec<Faults> = vec![Faults::new(); columns.len()];
    let short = || DbError::new(ErrorKind::Lost, "the server sent a row that ends early");
    let block = Buffer::from_vec(block);
    let bytes = block.as_slice();
    let mut at = 0;
    for number in 0..rows {
        let length =
            bytes.get(at + 1..at + 5).and_then(|b| b.try_into().ok()).map(u32::from_be_bytes).ok_or_else(short)?;
        let end = at + 1 + length as usize;
        let mut place = at + 7;
        let row = bytes.get(..end).ok_or_else(short)?;
        for (index, (values, column)) in builders.iter_mut().zip(columns).enumerate() {
            let size =
                row.get(place..place + 4).and_then(|b| b.try_into().ok()).map(i32::from_be_bytes).ok_or_else(short)?;
            place += 4;
            if size < 0 {
                null(values);
                continue;
            }
            let value = row.get(place..place + size as usize).ok_or_else(short)?;
            match push(values, column, value, place) {
                Ok(()) => {}
                Err(Wrong::Value) if strictness == Strictness::Faults => {
                    null(values);
                    let code = FaultCodes::DATABASE_SOURCE.overflow;
                    faults[index].push(Fault { row: number as u32, code, truncation: false });
                }
                Err(_) => return Err(misunderstood(column)),
            }
            place += size as usize;
        }
        at = end;
    }
    let finished = builders.into_iter().zip(columns).map(|(values, column)| finish(values, column, &block, rows));
    Ok(Rows { len: rows, columns: finished.collect::<Outcome<_>>()?, faults })
}

fn builder(column: &Column, rows: usize) -> Values {
    let t = &column.data_type;
    match column.form {
        Form::Bool => Values::Bool(BooleanBuilder::with_capacity(rows)),
        Form::I2 => Values::I2(Int16Builder::with_capacity(rows)),
        Form::I4 => Values::I4(Int32Builder::with_capacity(rows)),
        Form::I8 => Values::I8(Int64Builder::with_capacity(rows)),
        Form::U4 => Values::U4(UInt32Builder::with_capacity(rows)),
        Form::F4 => Values::F4(Float32Builder::with_capacity(rows)),
        Form::F8 | Form::NumericAsDouble => Values::F8(Float64Builder::with_capacity(rows)),
        Form::Numeric | Form::Money { .. } => {
            Values::Decimal(Decimal128Builder::with_capacity(rows).with_data_type(t.arrow()))
        }
        Form::Date => Values::Date(Date32Builder::with_capacity(rows)),
        Form::Time => Values::Time(Time64NanosecondBuilder::with_capacity(rows)),
        Form::Timestamp => match t {
            DataType::DbTimeStamp2 { .. } => Values::Ticks(Int64Builder::with_capacity(rows)),
            _ => Values::Micros(TimestampMicrosecondBuilder::with_capacity(rows)),
        },
        Form::TimestampTz => Values::Offset(Vec::with_capacity(rows), Vec::with_capacity(rows)),
        Form::Uuid => Values::Guid(FixedSizeBinaryBuilder::with_capacity(rows, 16)),
        Form::Bytes | Form::Text => Values::Views(Vec::with_capacity(rows), NullBufferBuilder::new(rows)),
    }
}

fn null(values: &mut Values) {
    match values {
        Values::Skip => {}
        Values::Bool(b) => b.append_null(),
        Values::I2(b) => b.append_null(),
        Values::I4(b) => b.append_null(),
        Values::I8(b) | Values::Ticks(b) => b.append_null(),
        Values::U4(b) => b.append_null(),
        Values::F4(b) => b.append_null(),
        Values::F8(b) => b.append_null(),
        Values::Decimal(b) => b.append_null(),
        Values::Date(b) => b.append_null(),
        Values::Time(b) => b.append_null(),
        Values::Micros(b) => b.append_null(),
        Values::Offset(ticks, valid) => {
            ticks.push(0);
            valid.push(false);
        }
        Values::Guid(b) => b.append_null(),
        Values::Views(views, nulls) => {
            views.push(0);
            nulls.append_null();
        }
    }
}

/// An amount with so many decimal places as DT_CY, which has four. None: that does not reach it.
fn money(amount: i64, digits: u8) -> Option<i128> {
    let scaled = match 4_u32.checked_sub(digits.into()) {
        Some(missing) => i128::from(amount) * 10_i128.pow(missing),
        None => {
            let divisor = 10_i128.checked_pow(u32::from(digits) - 4)?;
            let amount = i128::from(amount);
            (amount % divisor == 0).then_some(amount / divisor)?
        }
    };
    i64::try_from(scaled).ok().map(i128::from)
}

#[inline]
fn push(values: &mut Values, column: &Column, value: &[u8], place: usize) -> Result<(), Wrong> {
    macro_rules! number {
        ($t:ty) => {
            <$t>::from_be_bytes(value.try_into().map_err(|_| Wrong::Form)?)
        };
    }
    match values {
        Values::Skip => {}
        Values::Bool(b) => b.append_value(value.first().is_some_and(|v| *v != 0)),
        Values::I2(b) => b.append_value(number!(i16)),
        Values::I4(b) => b.append_value(number!(i32)),
        Values::I8(b) => b.append_value(number!(i64)),
        Values::U4(b) => b.append_value(number!(u32)),
        Values::F4(b) => b.append_value(number!(f32)),
        Values::F8(b) if column.form == Form::F8 => b.append_value(number!(f64)),
        Values::F8(b) => b.append_value(Digits::read(value).and_then(|d| d.double()).ok_or(Wrong::Form)?),
        Values::Decimal(b) => {
            let value = if let Form::Money { digits } = column.form {
                money(number!(i64), digits)
            } else {
                let (precision, scale) = precision(&column.data_type);
                let digits = Digits::read(value).ok_or(Wrong::Form)?;
                // NaN and the infinities are no numbers here, and what is too large is none of the column's.
                digits.scaled(scale).and_then(|v| decimal::fit(v, precision))
            };
            b.append_value(value.ok_or(Wrong::Value)?);
        }
        Values::Date(b) => b.append_value(day(number!(i32))?),
        Values::Time(b) => match number!(i64) {
            micros @ 0..DAY_MICROS => b.append_value(micros * 1000),
            _ => return Err(Wrong::Value),
        },
        Values::Micros(b) => {
            let micros = moment(number!(i64))?;
            // DT_DBTIMESTAMP keeps milliseconds.
            b.append_value(if column.data_type == DataType::Date { micros } else { micros - micros.rem_euclid(1000) });
        }
        Values::Ticks(b) => b.append_value(moment(number!(i64))? * 10),
        Values::Offset(all, valid) => {
            all.push(moment(number!(i64))? * 10);
            valid.push(true);
        }
        Values::Guid(b) => b.append_value(value).map_err(|_| Wrong::Form)?,
        Values::Views(views, nulls) => {
            views.push(arrow::array::make_view(value, 0, place as u32));
            nulls.append_non_null();
        }
    }
    Ok(())
}

fn finish(values: Values, column: &Column, block: &Buffer, rows: usize) -> Outcome<ArrayRef> {
    let defect = |e: &dyn std::fmt::Display| DbError::new(ErrorKind::Value, format!("a text of the server: {e}"));
    Ok(match values {
        Values::Skip => Arc::new(NullArray::new(rows)),
        Values::Bool(mut b) => Arc::new(b.finish()),
        Values::I2(mut b) => Arc::new(b.finish()),
        Values::I4(mut b) => Arc::new(b.finish()),
        Values::I8(mut b) | Values::Ticks(mut b) => Arc::new(b.finish()),
        Values::U4(mut b) => Arc::new(b.finish()),
        Values::F4(mut b) => Arc::new(b.finish()),
        Values::F8(mut b) => Arc::new(b.finish()),
        Values::Decimal(mut b) => Arc::new(b.finish()),
        Values::Date(mut b) => Arc::new(b.finish()),
        Values::Time(mut b) => Arc::new(b.finish()),
        Values::Micros(mut b) => Arc::new(b.finish()),
        Values::Offset(ticks, valid) => {
            let minutes = vec![0; ticks.len()];
            scalar::offsets(ticks, minutes, Some(NullBuffer::from(valid))).map_err(|e| defect(&e))?
        }
        Values::Guid(mut b) => Arc::new(b.finish()),
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

    fn numeric(weight: i16, sign: u16, digits: &[u16]) -> Vec<u8> {
        let mut out = Vec::new();
        for part in [digits.len() as u16, weight as u16, sign, 0] {
            out.extend(part.to_be_bytes());
        }
        digits.iter().for_each(|d| out.extend(d.to_be_bytes()));
        out
    }

    #[test]
    fn numerics_of_every_size() {
        for (weight, sign, digits, scale, expected) in [
            (0, 0, &[12_u16, 5000][..], 2, Some(1250)),
            (0, 0x4000, &[12, 5000], 2, Some(-1250)),
            (-1, 0, &[500], 2, Some(5)),
            (1, 0, &[1], 0, Some(10_000)),
            (0, 0, &[], 2, Some(0)),
            (0, 0, &[], 38, Some(0)),
            (0, 0x4000, &[], 35, Some(0)),
            (0, 0, &[1, 2350], 2, Some(124)),
            (0, 0, &[1, 2349], 2, Some(123)),
            (-3, 0, &[1], 2, Some(0)),
            (5, 0, &[1, 0, 0, 0, 0, 1], 0, Some(100_000_000_000_000_000_001)),
            (0, 0, &[1, 2349, 9999, 9999, 9999, 9999], 2, Some(123)),
            (0, 0x4000, &[1, 2350, 0, 0, 0, 1], 2, Some(-124)),
            (0, 0, &[9, 9999, 9999, 9999, 9999, 9995], 19, Some(100_000_000_000_000_000_000)),
            (1, 0, &[1, 0, 0, 0, 1], 13, Some(100_000_000_000_000_010)),
            (-2, 0, &[9999, 1, 1, 1, 1], 2, Some(0)),
            (-2, 0, &[9999, 1, 1, 1, 1], 4, Some(1)),
            (0, 0xC000, &[], 2, None),
        ] {
            let bytes = numeric(weight, sign, digits);
            assert_eq!(Digits::read(&bytes).unwrap().scaled(scale), expected, "{weight} {digits:?}");
        }
        assert_eq!(Digits::read(&numeric(0, 0x4000, &[12, 5000])).unwrap().double(), Some(-12.5));
        assert_eq!(Digits::read(&numeric(0, 0, &[])).unwrap().double(), Some(0.0));
    }

    #[test]
    fn amounts_have_as_many_places_as_their_currency() {
        for (amount, digits, expected) in [
            (1250, 2, Some(125_000)),
            (-1250, 0, Some(-12_500_000)),
            (1250, 3, Some(12_500)),
            (12_500, 5, Some(1250)),
            (12_501, 5, None),
            (i64::MAX, 2, None),
            (i64::MAX / 100, 2, Some(9_223_372_036_854_775_800)),
        ] {
            assert_eq!(money(amount, digits), expected, "{amount} {digits}");
        }
    }

    #[test]
    fn values_that_no_column_has_are_faults_of_their_rows() {
        let timestamp = |micros: i64| micros.to_be_bytes().to_vec();
        let (first, last) = (i64::from(calendar::MIN_DAY - EPOCH), i64::from(calendar::MAX_DAY - EPOCH));
        for (oid, modifier, good, bad) in [
            (
                1082,
                -1,
                [(first as i32).to_be_bytes().to_vec(), (last as i32).to_be_bytes().to_vec()],
                [i32::MIN, i32::MAX].map(|d| d.to_be_bytes().to_vec()),
            ),
            (
                1082,
                -1,
                [0, 1].map(|d: i32| d.to_be_bytes().to_vec()),
                [first as i32 - 1, last as i32 + 1].map(|d| d.to_be_bytes().to_vec()),
            ),
            (
                1114,
                6,
                [timestamp(first * DAY_MICROS), timestamp((last + 1) * DAY_MICROS - 1)],
                [timestamp(i64::MIN), timestamp(i64::MAX)],
            ),
            (
                1114,
                3,
                [timestamp(0), timestamp(1)],
                [timestamp(first * DAY_MICROS - 1), timestamp((last + 1) * DAY_MICROS)],
            ),
            (1184, -1, [timestamp(0), timestamp(1)], [timestamp(i64::MIN), timestamp(i64::MAX)]),
            (1083, -1, [timestamp(0), timestamp(DAY_MICROS - 1)], [timestamp(DAY_MICROS), timestamp(-1)]),
            (
                1700,
                (4 << 16 | 2) + 4,
                [numeric(0, 0, &[99, 9900]), numeric(0, 0x4000, &[1])],
                [numeric(0, 0xC000, &[]), numeric(0, 0, &[100])],
            ),
        ] {
            let mut block = Vec::new();
            for value in [&good[0], &bad[0], &good[1], &bad[1]] {
                block.push(b'D');
                block.extend((4 + 2 + 4 + value.len() as u32).to_be_bytes());
                block.extend(1_u16.to_be_bytes());
                block.extend((value.len() as u32).to_be_bytes());
                block.extend(value);
            }
            let columns = [column(oid, modifier)];
            let rows = decode(block.clone(), 4, &columns, &[true], Strictness::Faults).unwrap();
            assert_eq!(rows.faults_of(0).iter().map(|f| f.row).collect::<Vec<_>>(), [1, 3], "{oid} {modifier}");
            let nulls: Vec<bool> = (0..4).map(|row| rows.columns[0].is_null(row)).collect();
            assert_eq!(nulls, [false, true, false, true], "{oid} {modifier}");
            assert!(decode(block, 4, &columns, &[true], Strictness::Strict).is_err(), "{oid} {modifier}");
        }
    }

    #[test]
    fn types_by_number() {
        for (oid, modifier, expected) in [
            (1700, (15 << 16 | 2) + 4, DataType::Numeric { precision: 15, scale: 2 }),
            (1700, -1, DataType::R8),
            (1043, 24, DataType::WStr { len: 20 }),
            (1043, -1, DataType::NText),
            (1114, 3, DataType::DbTimeStamp),
            (1114, -1, DataType::DbTimeStamp2 { scale: 6 }),
            (3802, -1, DataType::NText),
        ] {
            assert_eq!(column(oid, modifier).data_type, expected, "{oid}");
        }
        assert!(!column(3802, -1).binary);
    }
}
