//! The types of SQL Server as types of SSIS, and rows as Arrow columns: values come from the protocol one by one, and each
//! goes straight into its column.

use super::SOURCE;
use crate::db::cells::{self, Cell};
use crate::db::error::{DbError, ErrorKind, Outcome};
use crate::db::rows::Rows;
use crate::db::session::ColumnInfo;
use arrow::array::*;
use arrow::buffer::{Buffer, NullBuffer, ScalarBuffer};
use dtsx_engine::types::code_page::CodePage;
use dtsx_engine::types::{DataType, MAX_STR_BYTES, MAX_WSTR_UNITS, calendar, decimal, scalar};
use mssql_tds::datatypes::column_values::{
    ColumnValues, SqlDate, SqlDateTime, SqlDateTime2, SqlDateTimeOffset, SqlMoney, SqlSmallDateTime, SqlSmallMoney,
    SqlTime, SqlXml,
};
use mssql_tds::datatypes::decoder::DecimalParts;
use mssql_tds::datatypes::row_writer::RowWriter;
use mssql_tds::datatypes::sql_json::SqlJson;
use mssql_tds::datatypes::sql_string::{EncodingType, ResolvedEncoding};
use mssql_tds::datatypes::sql_vector::SqlVector;
use mssql_tds::datatypes::sqldatatypes::TdsDataType as Kind;
use mssql_tds::query::metadata::ColumnMetadata;
use std::borrow::Cow;
use std::sync::Arc;
use uuid::Uuid;

/// How the text of a column is written on the wire.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Coding {
    /// UTF-16, little end first.
    Wide,
    /// The same, with a mark before it that is no part of the text: xml.
    Marked,
    Narrow(CodePage),
}

/// One column of a result.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Column {
    pub(super) data_type: DataType,
    /// Of a column of text.
    coding: Coding,
}

/// Digits of a second where the server does not say.
const DIGITS: u8 = 7;
/// The length that stands for (max).
const MAX: usize = 0xffff;
/// The user type of rowversion; its values are the server's own.
const ROWVERSION: u32 = 80;
/// Days since 1970-01-01 of 1900-01-01, day 0 of datetime.
const DAY_ZERO: i32 = calendar::days_from_civil(1900, 1, 1);
/// What stands before text in UTF-16, if anything does.
const MARK: [u8; 2] = [0xff, 0xfe];

/// The number of a code page. What the protocol's crate does not know is Western European to it.
pub(super) fn code_page(encoding: Option<ResolvedEncoding>) -> CodePage {
    let number = match encoding.map_or("", ResolvedEncoding::name) {
        "UTF-8" => 65_001,
        "IBM437" => 437,
        "IBM850" => 850,
        "Shift_JIS" => 932,
        "GBK" => 936,
        "EUC-KR" => 949,
        "Big5" => 950,
        "gb18030" => 54_936,
        name => name.strip_prefix("windows-").and_then(|n| n.parse().ok()).unwrap_or(0),
    };
    CodePage::of(number).or_else(|| CodePage::of(0)).unwrap_or_else(|| unreachable!("the default code page is there"))
}

/// A column by what the server says of it, as the reference maps it.
pub(super) fn column(metadata: &ColumnMetadata) -> Column {
    use DataType as T;
    let length = metadata.type_info.length;
    let long = metadata.is_plp() || length >= MAX;
    let scale = metadata.get_scale().map_or(DIGITS, |s| s.min(DIGITS));
    let narrow = || {
        let coding = metadata.get_collation().map(EncodingType::LcidBased);
        code_page(coding.and_then(|c| c.resolved_encoding()))
    };
    let of = |data_type| Column { data_type, coding: Coding::Wide };
    match metadata.data_type {
        Kind::Bit | Kind::BitN => of(T::Bool),
        Kind::Int1 => of(T::UI1),
        Kind::Int2 => of(T::I2),
        Kind::Int4 => of(T::I4),
        Kind::Int8 => of(T::I8),
        Kind::IntN => of(match length {
            1 => T::UI1,
            2 => T::I2,
            4 => T::I4,
            _ => T::I8,
        }),
        Kind::Flt4 => of(T::R4),
        Kind::Flt8 => of(T::R8),
        Kind::FltN => of(if length == 4 { T::R4 } else { T::R8 }),
        Kind::Decimal | Kind::Numeric | Kind::DecimalN | Kind::NumericN => {
            let precision = metadata.get_precision().unwrap_or(38).clamp(1, 38);
            of(T::Numeric { precision, scale: metadata.get_scale().unwrap_or(0).min(precision) })
        }
        Kind::Money | Kind::Money4 | Kind::MoneyN => of(T::Cy),
        Kind::DateN => of(T::DbDate),
        Kind::TimeN => of(T::DbTime2 { scale }),
        Kind::DateTime | Kind::DateTim4 | Kind::DateTimeN => of(T::DbTimeStamp),
        Kind::DateTime2N => of(T::DbTimeStamp2 { scale }),
        Kind::DateTimeOffsetN => of(T::DbTimeStampOffset { scale }),
        Kind::Guid => of(T::Guid),
        Kind::BigChar | Kind::BigVarChar | Kind::Char | Kind::VarChar | Kind::Text => {
            let page = narrow();
            let data_type = match u32::try_from(length) {
                Ok(len @ 1..=MAX_STR_BYTES) if !long && metadata.data_type != Kind::Text => {
                    T::Str { len, code_page: page.number() }
                }
                _ => T::Text { code_page: page.number() },
            };
            Column { data_type, coding: Coding::Narrow(page) }
        }
        Kind::NChar | Kind::NVarChar => match u32::try_from(length / 2) {
            Ok(len @ 1..=MAX_WSTR_UNITS) if !long => of(T::WStr { len }),
            _ => of(T::NText),
        },
        Kind::SsVariant => of(T::WStr { len: MAX_WSTR_UNITS }),
        Kind::NText => of(T::NText),
        Kind::Xml => Column { data_type: T::NText, coding: Coding::Marked },
        Kind::Json | Kind::Vector => Column { data_type: T::NText, coding: Coding::Narrow(utf8()) },
        Kind::BigBinary | Kind::BigVarBinary | Kind::Binary | Kind::VarBinary => match u32::try_from(length) {
            Ok(len @ 1..=MAX_STR_BYTES) if !long => of(T::Bytes { len }),
            _ => of(T::Image),
        },
        // Types of the CLR among them: their own bytes.
        Kind::Image | Kind::Udt => of(T::Image),
        Kind::Void | Kind::SqlTable | Kind::None => of(T::NText),
    }
}

fn utf8() -> CodePage {
    code_page(Some(ResolvedEncoding::EncodingRs(encoding_rs::UTF_8)))
}

/// What is known of a column of a result.
pub(super) fn info(metadata: &ColumnMetadata, column: &Column) -> ColumnInfo {
    let rowversion = metadata.user_type == ROWVERSION && matches!(column.data_type, DataType::Bytes { len: 8 });
    ColumnInfo {
        nullable: Some(metadata.is_nullable()),
        generated: metadata.is_identity() || metadata.is_computed() || rowversion,
        native: native(metadata),
        ..ColumnInfo::new(metadata.column_name.as_str(), column.data_type)
    }
}

/// What the server calls a type.
fn native(metadata: &ColumnMetadata) -> String {
    let length = metadata.type_info.length;
    let name = match metadata.data_type {
        Kind::IntN => match length {
            1 => "tinyint",
            2 => "smallint",
            4 => "int",
            _ => "bigint",
        },
        Kind::BitN => "bit",
        Kind::FltN if length == 4 => "real",
        Kind::FltN => "float",
        Kind::MoneyN if length == 4 => "smallmoney",
        Kind::MoneyN => "money",
        Kind::DateTimeN if length == 4 => "smalldatetime",
        Kind::DateTimeN => "datetime",
        Kind::BigBinary if metadata.user_type == ROWVERSION => "rowversion",
        kind => kind.get_meta_type_name().unwrap_or(""),
    };
    let long = metadata.is_plp() || length >= MAX;
    match metadata.data_type {
        Kind::BigChar | Kind::BigVarChar | Kind::BigBinary | Kind::BigVarBinary | Kind::NChar | Kind::NVarChar
            if long =>
        {
            format!("{name}(max)")
        }
        Kind::NChar | Kind::NVarChar => format!("{name}({})", length / 2),
        Kind::BigChar | Kind::BigVarChar | Kind::BigBinary | Kind::BigVarBinary if name != "rowversion" => {
            format!("{name}({length})")
        }
        Kind::DecimalN | Kind::NumericN => {
            format!("{name}({},{})", metadata.get_precision().unwrap_or(0), metadata.get_scale().unwrap_or(0))
        }
        Kind::TimeN | Kind::DateTime2N | Kind::DateTimeOffsetN => {
            format!("{name}({})", metadata.get_scale().unwrap_or(DIGITS))
        }
        _ => name.to_owned(),
    }
}

/// The column, delivered as `wished` where nothing is lost by that.
pub(super) fn wished(column: Column, wished: DataType) -> Column {
    use DataType as T;
    let fits = match (column.data_type, wished) {
        (T::Str { .. } | T::WStr { .. } | T::Text { .. }, T::NText) => true,
        // A byte is a unit of UTF-16 at most.
        (T::Str { len, .. } | T::WStr { len }, T::WStr { len: room }) => len <= room,
        (T::Str { len, code_page }, T::Str { len: room, code_page: other }) => code_page == other && len <= room,
        (T::Str { code_page, .. }, T::Text { code_page: other }) => code_page == other,
        (T::Bytes { .. }, T::Image) => true,
        (T::Bytes { len }, T::Bytes { len: room }) => len <= room,
        (T::Numeric { precision, scale }, T::Numeric { precision: room, scale: other }) => {
            scale == other && precision <= room
        }
        (T::Cy, T::Numeric { precision, scale: 4 }) => precision >= 19,
        (T::DbTimeStamp, T::Date | T::DbTimeStamp2 { scale: 3..=7 }) => true,
        (T::DbTimeStamp2 { scale: 0..=3 }, T::DbTimeStamp | T::Date) => true,
        (T::DbTimeStamp2 { scale }, T::DbTimeStamp2 { scale: room }) => scale <= room,
        (T::DbTime2 { scale }, T::DbTime2 { scale: room }) => scale <= room,
        (T::DbTime2 { scale: 0 }, T::DbTime) => true,
        _ => false,
    };
    if fits { Column { data_type: wished, ..column } } else { column }
}

/// Appends text in UTF-16 as UTF-8. Halves of pairs that stand alone become U+FFFD.
#[inline]
fn push_wide(bytes: &[u8], out: &mut Vec<u8>) {
    const STEP: usize = 8;
    let mut rest = bytes;
    out.reserve(bytes.len() / 2);
    // ASCII, eight characters at a time.
    while let Some((chunk, after)) = rest.split_first_chunk::<{ 2 * STEP }>() {
        let (mut narrow, mut all) = ([0_u8; STEP], 0_u16);
        for (to, pair) in narrow.iter_mut().zip(chunk.chunks_exact(2)) {
            let unit = u16::from_le_bytes([pair[0], pair[1]]);
            all |= unit;
            *to = unit as u8;
        }
        if all >= 0x80 {
            break;
        }
        out.extend_from_slice(&narrow);
        rest = after;
    }
    let units = rest.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
    for c in char::decode_utf16(units) {
        let c = c.unwrap_or('\u{fffd}');
        match u8::try_from(c) {
            Ok(byte @ 0..=0x7f) => out.push(byte),
            _ => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
}

#[inline]
fn push_text(bytes: &[u8], coding: Coding, out: &mut Vec<u8>) {
    match coding {
        Coding::Wide => push_wide(bytes, out),
        Coding::Marked => push_wide(bytes.strip_prefix(&MARK).unwrap_or(bytes), out),
        Coding::Narrow(_) if bytes.is_ascii() => out.extend_from_slice(bytes),
        Coding::Narrow(page) => out.extend_from_slice(page.decode(bytes).as_bytes()),
    }
}

/// Values of different lengths: views into the bytes of all of them.
#[derive(Default)]
struct Views {
    views: Vec<u128>,
    nulls: Vec<bool>,
    bytes: Vec<u8>,
    any_null: bool,
}

impl Views {
    fn with_capacity(rows: usize) -> Views {
        Views { views: Vec::with_capacity(rows), nulls: Vec::with_capacity(rows), ..Views::default() }
    }

    /// Ends a value that begins at `from`.
    #[inline]
    fn end(&mut self, from: usize) {
        self.views.push(arrow::array::make_view(&self.bytes[from..], 0, from as u32));
        self.nulls.push(true);
    }

    fn null(&mut self) {
        self.views.push(0);
        self.nulls.push(false);
        self.any_null = true;
    }

    fn parts(self) -> (ScalarBuffer<u128>, Vec<Buffer>, Option<NullBuffer>) {
        let nulls = self.any_null.then(|| NullBuffer::from(self.nulls));
        (ScalarBuffer::from(self.views), vec![Buffer::from_vec(self.bytes)], nulls)
    }
}

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
                    (own, _) => Coding::Narrow(code_page(own.resolved_encoding())),
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
pub(super) fn returned(
    metadata: &ColumnMetadata,
    value: &ColumnValues,
) -> Outcome<(dtsx_engine::types::Value, DataType)> {
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
