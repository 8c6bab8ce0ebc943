//! Rows as Arrow columns: values come from the protocol one by one, and each goes straight into its column.

use super::SOURCE;
use super::texts::{Views, push_text};
use super::types::{Coding, Column, code_page, column, page_of};
use crate::db::cells::{self, Cell};
use crate::db::error::{DbError, ErrorKind, Outcome};
use crate::db::rows::Rows;
use arrow::array::*;
use arrow::buffer::NullBuffer;
use dtsx_engine::types::{DataType, Value, calendar, decimal, scalar};
use mssql_tds::datatypes::column_values::{
    ColumnValues, SqlDate, SqlDateTime, SqlDateTime2, SqlDateTimeOffset, SqlMoney, SqlSmallDateTime, SqlSmallMoney,
    SqlTime, SqlXml,
};
use mssql_tds::datatypes::decoder::DecimalParts;
use mssql_tds::datatypes::row_writer::RowWriter;
use mssql_tds::datatypes::sql_json::SqlJson;
use mssql_tds::datatypes::sql_string::EncodingType;
use mssql_tds::datatypes::sql_vector::SqlVector;
use mssql_tds::query::metadata::ColumnMetadata;
use std::borrow::Cow;
use std::sync::Arc;
use uuid::Uuid;

/// Days since 1970-01-01 of 1900-01-01, day 0 of datetime.
const DAY_ZERO: i32 = calendar::days_from_civil(1900, 1, 1);

enum Values {
    Skip,
    Bool(BooleanBuilder),
    U1(UInt8Builder),
    I2(Int16Builder),
    I4(Int32Builder),
    I8(Int64Builder),
    F4(Float32Builder),
    F8(Float64Builder),
    Decimal(Decimal128Builder, u8),
    Date(Date32Builder),
    Seconds(Time32SecondBuilder),
    Nanos(Time64NanosecondBuilder),
    Micros(TimestampMicrosecondBuilder),
    Ticks(Int64Builder),
    Offset(Vec<i64>, Vec<i16>, Vec<bool>),
    Guid(FixedSizeBinaryBuilder),
    Text(Views, Coding),
    Bytes(Views),
}

fn builder(column: &Column, rows: usize) -> Values {
    use DataType as T;
    let t = &column.data_type;
    let decimals = |scale| Values::Decimal(Decimal128Builder::with_capacity(rows).with_data_type(t.arrow()), scale);
    match t {
        T::Bool => Values::Bool(BooleanBuilder::with_capacity(rows)),
        T::UI1 => Values::U1(UInt8Builder::with_capacity(rows)),
        T::I2 => Values::I2(Int16Builder::with_capacity(rows)),
        T::I4 => Values::I4(Int32Builder::with_capacity(rows)),
        T::I8 => Values::I8(Int64Builder::with_capacity(rows)),
        T::R4 => Values::F4(Float32Builder::with_capacity(rows)),
        T::R8 => Values::F8(Float64Builder::with_capacity(rows)),
        T::Cy => decimals(4),
        T::Numeric { scale, .. } => decimals(*scale),
        T::DbDate => Values::Date(Date32Builder::with_capacity(rows)),
        T::DbTime => Values::Seconds(Time32SecondBuilder::with_capacity(rows)),
        T::DbTime2 { .. } => Values::Nanos(Time64NanosecondBuilder::with_capacity(rows)),
        T::Date | T::DbTimeStamp => Values::Micros(TimestampMicrosecondBuilder::with_capacity(rows)),
        T::DbTimeStamp2 { .. } => Values::Ticks(Int64Builder::with_capacity(rows)),
        T::DbTimeStampOffset { .. } => {
            Values::Offset(Vec::with_capacity(rows), Vec::with_capacity(rows), Vec::with_capacity(rows))
        }
        T::Guid => Values::Guid(FixedSizeBinaryBuilder::with_capacity(rows, 16)),
        T::Bytes { .. } | T::Image => Values::Bytes(Views::with_capacity(rows)),
        _ => Values::Text(Views::with_capacity(rows), column.coding),
    }
}

fn finish(values: Values, rows: usize) -> Outcome<ArrayRef> {
    let defect = |e: &dyn std::fmt::Display| DbError::new(ErrorKind::Value, format!("a value of the server: {e}"));
    Ok(match values {
        Values::Skip => Arc::new(NullArray::new(rows)),
        Values::Bool(mut b) => Arc::new(b.finish()),
        Values::U1(mut b) => Arc::new(b.finish()),
        Values::I2(mut b) => Arc::new(b.finish()),
        Values::I4(mut b) => Arc::new(b.finish()),
        Values::I8(mut b) | Values::Ticks(mut b) => Arc::new(b.finish()),
        Values::F4(mut b) => Arc::new(b.finish()),
        Values::F8(mut b) => Arc::new(b.finish()),
        Values::Decimal(mut b, _) => Arc::new(b.finish()),
        Values::Date(mut b) => Arc::new(b.finish()),
        Values::Seconds(mut b) => Arc::new(b.finish()),
        Values::Nanos(mut b) => Arc::new(b.finish()),
        Values::Micros(mut b) => Arc::new(b.finish()),
        Values::Offset(ticks, minutes, valid) => {
            let nulls = valid.contains(&false).then(|| NullBuffer::from(valid));
            scalar::offsets(ticks, minutes, nulls).map_err(|e| DbError::new(ErrorKind::Other, e.message()))?
        }
        Values::Guid(mut b) => Arc::new(b.finish()),
        Values::Text(views, _) => {
            let (views, buffers, nulls) = views.parts();
            Arc::new(StringViewArray::try_new(views, buffers, nulls).map_err(|e| defect(&e))?)
        }
        Values::Bytes(views) => {
            let (views, buffers, nulls) = views.parts();
            Arc::new(BinaryViewArray::try_new(views, buffers, nulls).map_err(|e| defect(&e))?)
        }
    })
}

/// Takes the values of rows as they come off the wire.
pub(super) struct Taker {
    columns: Vec<Values>,
    /// How many rows are whole.
    pub(super) rows: usize,
    /// Bytes taken, about.
    pub(super) bytes: usize,
    row_bytes: usize,
    /// A column whose value is none of its type: server and reader misunderstand each other.
    wrong: Option<usize>,
}

impl Taker {
    pub(super) fn new(columns: &[Column], wanted: &[bool], rows: usize) -> Taker {
        let columns = columns.iter().zip(wanted).map(|(c, w)| if *w { builder(c, rows) } else { Values::Skip });
        let columns: Vec<Values> = columns.collect();
        Taker { row_bytes: 16 * columns.len(), columns, rows: 0, bytes: 0, wrong: None }
    }

    /// One that looks at nothing.
    pub(super) fn nothing(columns: usize) -> Taker {
        let columns = (0..columns).map(|_| Values::Skip).collect();
        Taker { columns, rows: 0, bytes: 0, row_bytes: 0, wrong: None }
    }

    pub(super) fn finish(self) -> Outcome<Rows> {
        if let Some(column) = self.wrong {
            let message = format!("the server sent a value that is none of the type of column {}", column + 1);
            return Err(DbError { source: SOURCE.into(), ..DbError::new(ErrorKind::Lost, message) });
        }
        let rows = self.rows;
        let columns = self.columns.into_iter().map(|values| finish(values, rows));
        Ok(Rows::new(rows, columns.collect::<Outcome<_>>()?))
    }

    #[inline]
    fn integer(&mut self, col: usize, value: i64) {
        match self.columns.get_mut(col) {
            Some(Values::I4(b)) => b.append_value(value as i32),
            Some(Values::I8(b)) => b.append_value(value),
            Some(Values::I2(b)) => b.append_value(value as i16),
            Some(Values::U1(b)) => b.append_value(value as u8),
            _ => self.variant(col, &Cell::Int(value)),
        }
    }

    fn decimal(&mut self, col: usize, value: i128, from: u8) {
        match self.columns.get_mut(col) {
            Some(Values::Decimal(b, scale)) if *scale == from => b.append_value(value),
            Some(Values::Decimal(b, scale)) => {
                let fitting = decimal::rescale(value, from, *scale, decimal::Rounding::HalfUp);
                match fitting {
                    Some(value) => b.append_value(value),
                    None => {
                        b.append_null();
                        self.wrong = Some(col);
                    }
                }
            }
            _ => self.variant(col, &Cell::Decimal(value, from)),
        }
    }

    /// A moment in ticks since 1970-01-01.
    fn moment(&mut self, col: usize, ticks: i64, digits: u8) {
        match self.columns.get_mut(col) {
            Some(Values::Ticks(b)) => b.append_value(ticks),
            Some(Values::Micros(b)) => b.append_value(ticks.div_euclid(10)),
            _ => self.variant(col, &Cell::Timestamp(ticks, digits)),
        }
    }

    fn time(&mut self, col: usize, ticks: i64, digits: u8) {
        match self.columns.get_mut(col) {
            Some(Values::Nanos(b)) => b.append_value(ticks * 100),
            Some(Values::Seconds(b)) => b.append_value((ticks / calendar::TICKS_PER_SECOND) as i32),
            _ => self.variant(col, &Cell::Time(ticks * 100, digits)),
        }
    }

    /// A value of a column of sql_variant, as text; what else comes here is wrong.
    fn variant(&mut self, col: usize, cell: &Cell<'_>) {
        match self.columns.get_mut(col) {
            Some(Values::Skip) => {}
            Some(Values::Text(views, _)) => {
                let from = views.bytes.len();
                variant_text(cell, &mut views.bytes);
                views.end(from);
            }
            _ => self.wrong = self.wrong.or(Some(col)),
        }
    }
}

/// A value of sql_variant as text (unconfirmed: what a provider of OLE DB makes of each type).
fn variant_text(cell: &Cell<'_>, out: &mut Vec<u8>) {
    match cell {
        Cell::Bool(v) => out.push(if *v { b'1' } else { b'0' }),
        Cell::Int(v) => out.extend_from_slice(itoa::Buffer::new().format(*v).as_bytes()),
        Cell::Real(v) => out.extend_from_slice(v.to_string().as_bytes()),
        Cell::Decimal(v, scale) => {
            let mut text = String::new();
            cells::decimal_text(*v, *scale, &mut text);
            out.extend_from_slice(text.as_bytes());
        }
        Cell::Text(text) => out.extend_from_slice(text.as_bytes()),
        Cell::Bytes(bytes) => bytes.iter().for_each(|byte| {
            let digit = |d: u8| b"0123456789ABCDEF"[usize::from(d & 15)];
            out.extend_from_slice(&[digit(byte >> 4), digit(*byte)]);
        }),
        other => {
            cells::write_iso(other, out);
        }
    }
}

/// Ticks since 1970-01-01 of days since 0001-01-01 and ticks in that day.
fn moment_of(value: &SqlDateTime2) -> i64 {
    calendar::join(calendar::MIN_DAY + value.days as i32, ticks_of(&value.time))
}

/// Ticks since midnight. The crate's field counts 100 ns, whatever it is called.
fn ticks_of(time: &SqlTime) -> i64 {
    time.time_nanoseconds as i64
}

impl RowWriter for Taker {
    fn write_null(&mut self, col: usize) {
        let Some(values) = self.columns.get_mut(col) else { return };
        match values {
            Values::Skip => {}
            Values::Bool(b) => b.append_null(),
            Values::U1(b) => b.append_null(),
            Values::I2(b) => b.append_null(),
            Values::I4(b) => b.append_null(),
            Values::I8(b) | Values::Ticks(b) => b.append_null(),
            Values::F4(b) => b.append_null(),
            Values::F8(b) => b.append_null(),
            Values::Decimal(b, _) => b.append_null(),
            Values::Date(b) => b.append_null(),
            Values::Seconds(b) => b.append_null(),
            Values::Nanos(b) => b.append_null(),
            Values::Micros(b) => b.append_null(),
            Values::Offset(ticks, minutes, valid) => {
                ticks.push(0);
                minutes.push(0);
                valid.push(false);
            }
            Values::Guid(b) => b.append_null(),
            Values::Text(views, _) | Values::Bytes(views) => views.null(),
        }
    }

    fn write_bool(&mut self, col: usize, val: bool) {
        match self.columns.get_mut(col) {
            Some(Values::Bool(b)) => b.append_value(val),
            _ => self.variant(col, &Cell::Bool(val)),
        }
    }

    fn write_u8(&mut self, col: usize, val: u8) {
        self.integer(col, val.into());
    }

    fn write_i16(&mut self, col: usize, val: i16) {
        self.integer(col, val.into());
    }

    fn write_i32(&mut self, col: usize, val: i32) {
        self.integer(col, val.into());
    }

    fn write_i64(&mut self, col: usize, val: i64) {
        self.integer(col, val);
    }

    fn write_f32(&mut self, col: usize, val: f32) {
        match self.columns.get_mut(col) {
            Some(Values::F4(b)) => b.append_value(val),
            Some(Values::F8(b)) => b.append_value(val.into()),
            _ => self.variant(col, &Cell::Text(&val.to_string())),
        }
    }

    fn write_f64(&mut self, col: usize, val: f64) {
        match self.columns.get_mut(col) {
            Some(Values::F8(b)) => b.append_value(val),
            _ => self.variant(col, &Cell::Real(val)),
        }
    }

    #[inline]
    fn write_string(&mut self, col: usize, bytes: Cow<'_, [u8]>, encoding_type: EncodingType) {
        match self.columns.get_mut(col) {
            Some(Values::Text(views, coding)) => {
                let from = views.bytes.len();
                let coding = match (encoding_type, *coding) {
                    (EncodingType::Utf16, Coding::Marked) => Coding::Marked,
                    (EncodingType::Utf16, _) => Coding::Wide,
                    // Of its column; a value of sql_variant has one of its own.
                    (_, narrow @ Coding::Narrow(_)) => narrow,
                    (EncodingType::LcidBased(own), _) => Coding::Narrow(code_page(own)),
                    (EncodingType::Utf8, _) => Coding::Narrow(page_of(65_001)),
                    (EncodingType::DelayedSet, _) => Coding::Narrow(page_of(0)),
                };
                push_text(&bytes, coding, &mut views.bytes);
                self.bytes += views.bytes.len() - from;
                views.end(from);
            }
            _ => self.variant(col, &Cell::Null),
        }
    }

    #[inline]
    fn write_bytes(&mut self, col: usize, bytes: Cow<'_, [u8]>) {
        match self.columns.get_mut(col) {
            Some(Values::Bytes(views)) => {
                let from = views.bytes.len();
                views.bytes.extend_from_slice(&bytes);
                self.bytes += bytes.len();
                views.end(from);
            }
            _ => self.variant(col, &Cell::Bytes(&bytes)),
        }
    }

    fn write_decimal(&mut self, col: usize, val: DecimalParts) {
        // No number of 38 digits fills the sign's bit.
        let magnitude = val.magnitude() as i128;
        self.decimal(col, if val.is_positive { magnitude } else { -magnitude }, val.scale);
    }

    fn write_numeric(&mut self, col: usize, val: DecimalParts) {
        self.write_decimal(col, val);
    }

    fn write_date(&mut self, col: usize, val: SqlDate) {
        let day = calendar::MIN_DAY + val.get_days() as i32;
        match self.columns.get_mut(col) {
            Some(Values::Date(b)) => b.append_value(day),
            _ => self.variant(col, &Cell::Date(day)),
        }
    }

    fn write_time(&mut self, col: usize, val: SqlTime) {
        self.time(col, ticks_of(&val), val.scale);
    }

    fn write_datetime(&mut self, col: usize, val: SqlDateTime) {
        // Three hundredths of a second, as the milliseconds that the server shows for them: 0, 3, 7.
        let millis = (i64::from(val.time) * 10 + 1) / 3;
        self.moment(col, calendar::join(DAY_ZERO + val.days, millis * 10_000), 3);
    }

    fn write_smalldatetime(&mut self, col: usize, val: SqlSmallDateTime) {
        let ticks = i64::from(val.time) * 60 * calendar::TICKS_PER_SECOND;
        self.moment(col, calendar::join(DAY_ZERO + i32::from(val.days), ticks), 0);
    }

    fn write_datetime2(&mut self, col: usize, val: SqlDateTime2) {
        self.moment(col, moment_of(&val), val.time.scale);
    }

    fn write_datetimeoffset(&mut self, col: usize, val: SqlDateTimeOffset) {
        let ticks = moment_of(&val.datetime2);
        match self.columns.get_mut(col) {
            Some(Values::Offset(all, minutes, valid)) => {
                all.push(ticks);
                minutes.push(val.offset);
                valid.push(true);
            }
            _ => self.variant(col, &Cell::TimestampOffset(ticks, val.offset, val.datetime2.time.scale)),
        }
    }

    fn write_money(&mut self, col: usize, val: SqlMoney) {
        let value = (i64::from(val.msb_part) << 32) | i64::from(val.lsb_part as u32);
        self.decimal(col, value.into(), 4);
    }

    fn write_smallmoney(&mut self, col: usize, val: SqlSmallMoney) {
        self.decimal(col, val.int_val.into(), 4);
    }

    fn write_uuid(&mut self, col: usize, val: Uuid) {
        match self.columns.get_mut(col) {
            // In the order of its text, which is what the crate made of the order on the wire.
            Some(Values::Guid(b)) => {
                if b.append_value(val.as_bytes()).is_err() {
                    self.wrong = Some(col);
                }
            }
            _ => self.variant(col, &Cell::Guid(val.as_bytes())),
        }
    }

    fn write_xml(&mut self, col: usize, val: SqlXml) {
        self.write_string(col, Cow::Owned(val.bytes), EncodingType::Utf16);
    }

    fn write_json(&mut self, col: usize, val: SqlJson) {
        self.write_string(col, Cow::Owned(val.bytes), EncodingType::Utf8);
    }

    fn write_vector(&mut self, col: usize, val: SqlVector) {
        let numbers: Vec<String> = val.as_f32().unwrap_or(&[]).iter().map(f32::to_string).collect();
        self.variant(col, &Cell::Text(&format!("[{}]", numbers.join(","))));
    }

    fn end_row(&mut self) {
        self.rows += 1;
        self.bytes += self.row_bytes;
    }
}

/// A value that came back from a procedure, with its type: a row of one column.
pub(super) fn returned(metadata: &ColumnMetadata, value: &ColumnValues) -> Outcome<(Value, DataType)> {
    let column = column(metadata);
    let mut taker = Taker::new(&[column], &[true], 1);
    match value.clone() {
        ColumnValues::Null => taker.write_null(0),
        ColumnValues::TinyInt(v) => taker.write_u8(0, v),
        ColumnValues::SmallInt(v) => taker.write_i16(0, v),
        ColumnValues::Int(v) => taker.write_i32(0, v),
        ColumnValues::BigInt(v) => taker.write_i64(0, v),
        ColumnValues::Real(v) => taker.write_f32(0, v),
        ColumnValues::Float(v) => taker.write_f64(0, v),
        ColumnValues::Decimal(v) | ColumnValues::Numeric(v) => taker.write_decimal(0, v),
        ColumnValues::Bit(v) => taker.write_bool(0, v),
        ColumnValues::String(v) => {
            let (bytes, encoding) = v.into_parts();
            taker.write_string(0, Cow::Owned(bytes), encoding);
        }
        ColumnValues::DateTime(v) => taker.write_datetime(0, v),
        ColumnValues::Date(v) => taker.write_date(0, v),
        ColumnValues::Time(v) => taker.write_time(0, v),
        ColumnValues::DateTime2(v) => taker.write_datetime2(0, v),
        ColumnValues::DateTimeOffset(v) => taker.write_datetimeoffset(0, v),
        ColumnValues::SmallDateTime(v) => taker.write_smalldatetime(0, v),
        ColumnValues::SmallMoney(v) => taker.write_smallmoney(0, v),
        ColumnValues::Money(v) => taker.write_money(0, v),
        ColumnValues::Bytes(v) => taker.write_bytes(0, Cow::Owned(v)),
        ColumnValues::Xml(v) => taker.write_xml(0, v),
        ColumnValues::Uuid(v) => taker.write_uuid(0, v),
        ColumnValues::Json(v) => taker.write_json(0, v),
        ColumnValues::Vector(v) => taker.write_vector(0, v),
    }
    taker.end_row();
    let rows = taker.finish()?;
    let value = rows.columns.first().map(|array| scalar::value_at(array.as_ref(), &column.data_type, 0));
    match value {
        Some(Ok(value)) => Ok((value, column.data_type)),
        _ => Err(DbError::new(ErrorKind::Other, "a value that a procedure gave back cannot be read")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wide(text: &str) -> Vec<u8> {
        text.encode_utf16().flat_map(u16::to_le_bytes).collect()
    }

    /// What a column of that type has after some values.
    fn taken(data_type: DataType, coding: Coding, write: impl FnOnce(&mut Taker)) -> Vec<Value> {
        let mut taker = Taker::new(&[Column { data_type, coding }], &[true], 4);
        write(&mut taker);
        taker.rows = 2;
        let rows = taker.finish().unwrap();
        (0..2).map(|row| scalar::value_at(rows.columns[0].as_ref(), &data_type, row).unwrap()).collect()
    }

    #[test]
    fn values_of_every_type() {
        use DataType as T;
        // 2024-02-29 12:34:56.7, in days and in ticks of that day.
        const DAY: i32 = calendar::days_from_civil(2024, 2, 29);
        const CLOCK: i64 = 452_967_000_000;
        let days = |day: i32| (day - calendar::MIN_DAY) as u32;
        let time = |ticks: i64, scale| SqlTime { time_nanoseconds: ticks as u64, scale };
        let moment = |scale| SqlDateTime2 { days: days(DAY), time: time(CLOCK, scale) };
        let datetime = SqlDateTime { days: DAY - DAY_ZERO, time: 13_589_010 };
        let small = SqlSmallDateTime { days: (DAY - DAY_ZERO) as u16, time: 754 };
        let money = |lsb_part, msb_part| SqlMoney { lsb_part, msb_part };
        let parts = |positive, scale, v| DecimalParts::new(positive, 38, scale, v);
        let ticks = calendar::join(DAY, CLOCK);
        let minute = calendar::join(DAY, 754 * 60 * calendar::TICKS_PER_SECOND);
        let most = 10_u128.pow(38) - 1;
        let guid = Uuid::from_bytes([7; 16]);
        for (data_type, write, expected) in [
            (T::Bool, &(|t: &mut Taker| t.write_bool(0, true)) as &dyn Fn(&mut Taker), Value::Bool(true)),
            (T::UI1, &|t| t.write_u8(0, 255), Value::UI1(255)),
            (T::I2, &|t| t.write_i16(0, -2), Value::I2(-2)),
            (T::I4, &|t| t.write_i32(0, i32::MIN), Value::I4(i32::MIN)),
            (T::I8, &|t| t.write_i64(0, i64::MAX), Value::I8(i64::MAX)),
            (T::R4, &|t| t.write_f32(0, 0.5), Value::R4(0.5)),
            (T::R8, &|t| t.write_f64(0, -0.25), Value::R8(-0.25)),
            (
                T::Numeric { precision: 38, scale: 2 },
                &|t| t.write_decimal(0, parts(false, 2, most)),
                Value::Decimal(-(most as i128), 2),
            ),
            (
                T::Numeric { precision: 9, scale: 4 },
                &|t| t.write_numeric(0, parts(true, 2, 125)),
                Value::Decimal(12_500, 4),
            ),
            (T::Cy, &|t| t.write_money(0, money(-12_500, -1)), Value::Decimal(-12_500, 4)),
            (T::Cy, &|t| t.write_money(0, money(0, 1)), Value::Decimal(1 << 32, 4)),
            (T::Cy, &|t| t.write_money(0, money(-1, i32::MAX)), Value::Decimal(i64::MAX.into(), 4)),
            (T::Cy, &|t| t.write_money(0, money(0, i32::MIN)), Value::Decimal(i64::MIN.into(), 4)),
            (T::Cy, &|t| t.write_smallmoney(0, SqlSmallMoney { int_val: -5 }), Value::Decimal(-5, 4)),
            (T::DbDate, &|t| t.write_date(0, SqlDate::create(days(DAY)).unwrap()), Value::Days(DAY)),
            (T::DbDate, &|t| t.write_date(0, SqlDate::create(0).unwrap()), Value::Days(calendar::MIN_DAY)),
            (T::DbTime, &|t| t.write_time(0, time(19_999_999, 7)), Value::Time(1_000_000_000)),
            (T::DbTime2 { scale: 7 }, &|t| t.write_time(0, time(863_999_999_999, 7)), Value::Time(86_399_999_999_900)),
            (T::DbTimeStamp, &|t| t.write_datetime(0, datetime.clone()), Value::Timestamp(ticks / 10)),
            (T::Date, &|t| t.write_datetime(0, datetime.clone()), Value::Timestamp(ticks / 10)),
            (T::DbTimeStamp2 { scale: 7 }, &|t| t.write_datetime(0, datetime.clone()), Value::Ticks(ticks)),
            (T::DbTimeStamp, &|t| t.write_smalldatetime(0, small.clone()), Value::Timestamp(minute / 10)),
            (T::DbTimeStamp2 { scale: 3 }, &|t| t.write_datetime2(0, moment(3)), Value::Ticks(ticks)),
            (
                T::DbTimeStampOffset { scale: 7 },
                &|t| t.write_datetimeoffset(0, SqlDateTimeOffset { datetime2: moment(7), offset: -90 }),
                Value::TicksOffset(ticks, -90),
            ),
            (T::Guid, &|t| t.write_uuid(0, guid), Value::Guid([7; 16])),
            (T::Bytes { len: 3 }, &|t| t.write_bytes(0, Cow::Borrowed(&[1, 2, 3])), Value::Bytes([1, 2, 3].into())),
            (T::Image, &|t| t.write_bytes(0, Cow::Owned(vec![9; 20])), Value::Bytes([9; 20].into())),
        ] {
            let found = taken(data_type, Coding::Wide, |t| {
                write(t);
                t.write_null(0);
            });
            assert_eq!(found, [expected, Value::Null], "{data_type}");
        }
    }

    #[test]
    fn milliseconds_of_datetime_are_those_that_the_server_shows() {
        for (part, millis) in [(0, 0), (1, 3), (2, 7), (3, 10), (299, 997), (25_919_999, 86_399_997)] {
            let found = taken(DataType::DbTimeStamp2 { scale: 3 }, Coding::Wide, |t| {
                t.write_datetime(0, SqlDateTime { days: -DAY_ZERO, time: part });
                t.write_null(0);
            });
            assert_eq!(found[0], Value::Ticks(millis * 10_000), "{part}");
        }
    }

    #[test]
    fn texts_in_every_coding() {
        let long = "abcdefghijklmnop";
        for text in ["", "a", "abcdefgh", long, "abcdefghä", "äbcdefgh", "\u{1f600}", &format!("{long}\u{1f600}{long}")]
        {
            let found = taken(DataType::NText, Coding::Wide, |t| {
                t.write_string(0, Cow::Borrowed(&wide(text)), EncodingType::Utf16);
                t.write_null(0);
            });
            assert_eq!(found, [Value::text(text), Value::Null]);
        }
        let narrow = |page, bytes: &[u8]| {
            let coding = Coding::Narrow(page_of(page));
            let found = taken(DataType::Text { code_page: page }, coding, |t| {
                t.write_string(0, Cow::Borrowed(bytes), EncodingType::Utf8);
                t.write_null(0);
            });
            found.into_iter().next().unwrap()
        };
        assert_eq!(narrow(1252, b"caf\xe9 \x80"), Value::text("caf\u{e9} \u{20ac}"));
        assert_eq!(narrow(1251, b"\xc0"), Value::text("\u{410}"));
        assert_eq!(narrow(932, &[0x82, 0xa0]), Value::text("\u{3042}"));
        assert_eq!(narrow(65_001, "\u{e9}".as_bytes()), Value::text("\u{e9}"));
        // What is none of the code page's is no reason to stop.
        assert_eq!(narrow(65_001, &[b'a', 0xff]), Value::text("a\u{fffd}"));
    }

    #[test]
    fn variants_are_texts_of_their_values() {
        let shown = |write: &dyn Fn(&mut Taker)| {
            let found = taken(DataType::WStr { len: 4000 }, Coding::Wide, |t| {
                write(t);
                t.write_null(0);
            });
            match found.into_iter().next() {
                Some(Value::Text(text)) => text.to_string(),
                other => format!("{other:?}"),
            }
        };
        for (write, expected) in [
            (&(|t: &mut Taker| t.write_i32(0, -7)) as &dyn Fn(&mut Taker), "-7"),
            (&|t| t.write_bool(0, true), "1"),
            (&|t| t.write_f64(0, 0.5), "0.5"),
            (&|t| t.write_f32(0, 0.1), "0.1"),
            (&|t| t.write_decimal(0, DecimalParts::new(false, 9, 2, 5)), "-0.05"),
            (&|t| t.write_money(0, SqlMoney { lsb_part: 12_500, msb_part: 0 }), "1.2500"),
            (&|t| t.write_bytes(0, Cow::Borrowed(&[0x0a, 0xff])), "0AFF"),
            (&|t| t.write_date(0, SqlDate::create(-calendar::MIN_DAY as u32).unwrap()), "1970-01-01"),
            (&|t| t.write_string(0, Cow::Borrowed(&wide("x")), EncodingType::Utf16), "x"),
        ] {
            assert_eq!(shown(write), expected);
        }
    }

    #[test]
    fn a_value_of_another_type_ends_the_reading() {
        let mut taker = Taker::new(&[Column { data_type: DataType::I4, coding: Coding::Wide }], &[true], 1);
        taker.write_bool(0, true);
        taker.end_row();
        assert_eq!(taker.finish().map(|r| r.len).map_err(|e| e.kind), Err(ErrorKind::Lost));
        let mut nothing = Taker::new(&[Column { data_type: DataType::I4, coding: Coding::Wide }], &[false], 1);
        nothing.write_i32(0, 1);
        nothing.end_row();
        assert_eq!(nothing.finish().unwrap().columns[0].data_type(), &arrow::datatypes::DataType::Null);
    }
}
