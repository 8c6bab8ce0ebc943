//! Parameters: values of SSIS as those of SQL Server, each with a type that its column's type tells, NULL or not.

use crate::db::cells::{self, Cell, Cells};
use crate::db::error::{DbError, ErrorKind, Outcome};
use crate::db::session::{Direction, Param};
use dtsx_engine::types::{DataType, calendar};
use mssql_tds::datatypes::column_values::{SqlDate, SqlDateTime, SqlDateTime2, SqlDateTimeOffset, SqlTime};
use mssql_tds::datatypes::decoder::DecimalParts;
use mssql_tds::datatypes::sql_string::{EncodingType, SqlString};
use mssql_tds::datatypes::sqltypes::SqlType;
use mssql_tds::message::parameters::rpc_parameters::{RpcParameter, RpcTypeMetadata, StatusFlags};
use uuid::Uuid;

/// The most units of UTF-16, and bytes, that a parameter has which is not of a (max) type.
const WIDEST: u16 = 4000;
const LONGEST: u16 = 8000;
/// Days since 1970-01-01 of 1900-01-01, day 0 of datetime, and of the first day that it has.
const DAY_ZERO: i32 = calendar::days_from_civil(1900, 1, 1);
const FIRST_DATETIME: i32 = calendar::days_from_civil(1753, 1, 1);

/// How values of a type are sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Form {
    data_type: DataType,
    /// Values may be longer than others than (max) hold.
    long: bool,
    /// All values have the plainer one of two types: varchar for nvarchar, datetime for datetime2.
    plain: bool,
}

/// How long a value is, in units of UTF-16 or bytes.
fn length(cell: &Cell<'_>) -> usize {
    match cell {
        Cell::Text(text) if text.is_ascii() => text.len(),
        Cell::Text(text) => text.encode_utf16().count(),
        Cell::Bytes(bytes) => bytes.len(),
        _ => 0,
    }
}

impl Form {
    /// For values of which `cells` are all.
    pub(super) fn of<'c>(data_type: DataType, cells: impl IntoIterator<Item = Cell<'c>>) -> Form {
        use DataType as T;
        let mut cells = cells.into_iter();
        let mut long = |most: u16| cells.any(|cell| length(&cell) > usize::from(most));
        match data_type {
            T::Bytes { .. } | T::Image => Form { data_type, long: long(LONGEST), plain: false },
            T::WStr { .. } | T::NText | T::Null => Form { data_type, long: long(WIDEST), plain: false },
            T::Str { .. } | T::Text { .. } => {
                let (mut plain, mut longest) = (true, 0_usize);
                for cell in cells {
                    plain &= goes_as_varchar(&cell);
                    longest = longest.max(length(&cell));
                }
                Form { data_type, long: longest > usize::from(if plain { LONGEST } else { WIDEST }), plain }
            }
            T::Date | T::DbTimeStamp => {
                Form { data_type, long: false, plain: cells.all(|cell| goes_as_datetime(&cell)) }
            }
            _ => Form { data_type, long: false, plain: false },
        }
    }

    /// For values that a column stores: moments as they are, and not as datetime has them.
    pub(super) fn stored(self) -> Form {
        let moment = matches!(self.data_type, DataType::Date | DataType::DbTimeStamp);
        Form { plain: self.plain && !moment, ..self }
    }

    /// For what a procedure gives back: of any length.
    fn returning(data_type: DataType) -> Form {
        Form { data_type, long: true, plain: false }
    }

    /// A parameter with that value.
    pub(super) fn parameter(self, name: String, cell: &Cell<'_>, output: bool) -> Outcome<RpcParameter> {
        let (value, metadata) = self.value(cell)?;
        let flags = if output { StatusFlags::BY_REF_VALUE } else { StatusFlags::NONE };
        let parameter = RpcParameter::new(Some(name), flags, value);
        Ok(match metadata {
            Some(metadata) => parameter.with_type_metadata(metadata),
            None => parameter,
        })
    }

    fn value(self, cell: &Cell<'_>) -> Outcome<(SqlType, Option<RpcTypeMetadata>)> {
        use DataType as T;
        let null = *cell == Cell::Null;
        let integer = match cell {
            Cell::Int(v) => Some(*v),
            Cell::UInt(v) => i64::try_from(*v).ok(),
            _ => None,
        };
        let real = match cell {
            Cell::Real(v) => Some(*v),
            _ => None,
        };
        let scaled = |scale| Some(RpcTypeMetadata { precision: None, scale: Some(scale) });
        let decimal = |precision: u8, scale: u8| {
            let value = match cell {
                Cell::Decimal(v, _) => Some(*v),
                Cell::UInt(v) => Some(i128::from(*v)),
                _ => None,
            };
            let parts = value.map(|v| DecimalParts::new(v >= 0, precision, scale, v.unsigned_abs()));
            let metadata = RpcTypeMetadata { precision: Some(precision), scale: Some(scale) };
            (SqlType::Numeric(parts), Some(metadata))
        };
        let moment = |scale: u8| match cell {
            Cell::Timestamp(ticks, _) => Some(moment(*ticks, scale)),
            _ => None,
        };
        let sent = match self.data_type {
            T::Bool => match cell {
                Cell::Bool(v) => (SqlType::Bit(Some(*v)), None),
                _ => (SqlType::Bit(None), None),
            },
            T::UI1 => (SqlType::TinyInt(integer.map(|v| v as u8)), None),
            T::I1 | T::I2 => (SqlType::SmallInt(integer.map(|v| v as i16)), None),
            T::UI2 | T::I4 => (SqlType::Int(integer.map(|v| v as i32)), None),
            T::UI4 | T::I8 => (SqlType::BigInt(integer), None),
            T::UI8 => decimal(20, 0),
            T::R4 => (SqlType::Real(real.map(|v| v as f32)), None),
            T::R8 => (SqlType::Float(real), None),
            T::Cy => decimal(19, 4),
            T::Decimal { scale } => decimal(29, scale),
            T::Numeric { precision, scale } => decimal(precision.clamp(1, 38), scale),
            T::DbDate => match cell {
                Cell::Date(day) => {
                    let day = u32::try_from(day - calendar::MIN_DAY).unwrap_or(0);
                    let date = SqlDate::create(day).map_err(|e| DbError::new(ErrorKind::Value, e.to_string()))?;
                    (SqlType::Date(Some(date)), None)
                }
                _ => (SqlType::Date(None), None),
            },
            T::DbTime => (SqlType::Time(time(cell, 0)), scaled(0)),
            T::DbTime2 { scale } => (SqlType::Time(time(cell, scale)), scaled(scale)),
            T::Date | T::DbTimeStamp if self.plain => match cell {
                Cell::Timestamp(ticks, _) => (SqlType::DateTime(datetime(*ticks)), None),
                _ => (SqlType::DateTime(None), None),
            },
            T::Date | T::DbTimeStamp => (SqlType::DateTime2(moment(3)), scaled(3)),
            T::FileTime => (SqlType::DateTime2(moment(7)), scaled(7)),
            T::DbTimeStamp2 { scale } => (SqlType::DateTime2(moment(scale)), scaled(scale)),
            T::DbTimeStampOffset { scale } => {
                let value = match cell {
                    Cell::TimestampOffset(ticks, minutes, _) => {
                        Some(SqlDateTimeOffset { datetime2: self::moment(*ticks, scale), offset: *minutes })
                    }
                    _ => None,
                };
                (SqlType::DateTimeOffset(value), scaled(scale))
            }
            T::Guid => match cell {
                Cell::Guid(bytes) => (SqlType::Uuid(Uuid::from_slice(bytes).ok()), None),
                _ => (SqlType::Uuid(None), None),
            },
            T::Bytes { .. } | T::Image => {
                let bytes = match cell {
                    Cell::Bytes(bytes) => Some(bytes.to_vec()),
                    _ => None,
                };
                (if self.long { SqlType::VarBinaryMax(bytes) } else { SqlType::VarBinary(bytes, LONGEST) }, None)
            }
            T::Null | T::Str { .. } | T::WStr { .. } | T::Text { .. } | T::NText => {
                let text = match cell {
                    Cell::Text(text) if self.plain => Some(narrow(text)),
                    Cell::Text(text) => Some(wide(text)),
                    _ => None,
                };
                let value = match (self.plain, self.long) {
                    (true, true) => SqlType::VarcharMax(text),
                    (true, false) => SqlType::Varchar(text, LONGEST),
                    (false, true) => SqlType::NVarcharMax(text),
                    (false, false) => SqlType::NVarchar(text, WIDEST),
                };
                (value, None)
            }
        };
        if null == is_null(&sent.0) {
            return Ok(sent);
        }
        Err(DbError::new(ErrorKind::Other, format!("a value of a column of {} is of another type", self.data_type)))
    }
}

/// Whether a value to be sent is NULL.
fn is_null(value: &SqlType) -> bool {
    use SqlType as S;
    match value {
        S::Bit(v) => v.is_none(),
        S::TinyInt(v) => v.is_none(),
        S::SmallInt(v) => v.is_none(),
        S::Int(v) => v.is_none(),
        S::BigInt(v) => v.is_none(),
        S::Real(v) => v.is_none(),
        S::Float(v) => v.is_none(),
        S::Numeric(v) => v.is_none(),
        S::Date(v) => v.is_none(),
        S::Time(v) => v.is_none(),
        S::DateTime(v) => v.is_none(),
        S::DateTime2(v) => v.is_none(),
        S::DateTimeOffset(v) => v.is_none(),
        S::Uuid(v) => v.is_none(),
        S::VarBinary(v, _) | S::VarBinaryMax(v) => v.is_none(),
        S::Varchar(v, _) | S::VarcharMax(v) => v.is_none(),
        S::NVarchar(v, _) | S::NVarcharMax(v) => v.is_none(),
        _ => false,
    }
}

/// Whether a value of a narrow type goes as varchar: for an nvarchar the server would convert the varchar column
/// that it is compared with, past its indexes and by other rules. ASCII is the same bytes in every code page.
fn goes_as_varchar(cell: &Cell<'_>) -> bool {
    !matches!(cell, Cell::Text(text) if !text.is_ascii())
}

/// Whether a moment goes as datetime, namely if that shows just this one: OLE DB sends DBTYPE_DBTIMESTAMP and dates so
/// where it does not know the column's type (unconfirmed). A datetime column is found by what was read of it (.003 s is
/// 1/300 s there), and days can be added to the parameter. A datetime2 column is found by whole seconds and hundredths;
/// one that has .xx3 or .xx7 is now missed.
fn goes_as_datetime(cell: &Cell<'_>) -> bool {
    !matches!(cell, Cell::Timestamp(ticks, _) if datetime(*ticks).is_none())
}

/// The datetime that is shown as that moment, in milliseconds that end in 0, 3 or 7.
fn datetime(ticks: i64) -> Option<SqlDateTime> {
    let (day, rest) = calendar::split(ticks);
    let (millis, below) = (rest / 10_000, rest % 10_000);
    let shown = below == 0 && matches!(millis % 10, 0 | 3 | 7);
    // In three hundredths of a second.
    let time = u32::try_from((millis * 3 + 5) / 10).ok()?;
    let there = shown && (FIRST_DATETIME..=calendar::MAX_DAY).contains(&day);
    there.then(|| SqlDateTime { days: day - DAY_ZERO, time })
}

/// ASCII, as which the crate hands it on in the code page of the session.
fn narrow(text: &str) -> SqlString {
    SqlString::new(text.as_bytes().to_vec(), EncodingType::Utf8)
}

fn wide(text: &str) -> SqlString {
    let mut bytes = Vec::with_capacity(text.len() * 2);
    text.encode_utf16().for_each(|unit| bytes.extend_from_slice(&unit.to_le_bytes()));
    SqlString::new(bytes, EncodingType::Utf16)
}

/// Ticks of 100 ns, without the digits that the type does not have.
fn cut(ticks: i64, scale: u8) -> u64 {
    let unit = 10_i64.pow(7 - u32::from(scale.min(7)));
    (ticks - ticks.rem_euclid(unit)) as u64
}

fn moment(ticks: i64, scale: u8) -> SqlDateTime2 {
    let (day, rest) = calendar::split(ticks);
    let days = u32::try_from(day - calendar::MIN_DAY).unwrap_or(0);
    SqlDateTime2 { days, time: SqlTime { time_nanoseconds: cut(rest, scale), scale: scale.min(7) } }
}

fn time(cell: &Cell<'_>, scale: u8) -> Option<SqlTime> {
    match cell {
        Cell::Time(nanos, _) => Some(SqlTime { time_nanoseconds: cut(nanos / 100, scale), scale: scale.min(7) }),
        _ => None,
    }
}

/// A parameter of a statement that is run once.
pub(super) fn parameter(name: String, param: &Param) -> Outcome<RpcParameter> {
    let column = cells::one(&param.value, &param.data_type)?;
    let cell = Cells::of(&column, &param.data_type)?.get(0);
    let output = param.direction != Direction::Input;
    let form = if output { Form::returning(param.data_type) } else { Form::of(param.data_type, [cell.clone()]) };
    form.parameter(name, &cell, output)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(data_type: DataType, cell: Cell<'_>) -> (SqlType, Option<RpcTypeMetadata>) {
        Form::of(data_type, [cell.clone()]).value(&cell).unwrap()
    }

    #[test]
    fn values_of_every_type() {
        use DataType as T;
        let day = -calendar::MIN_DAY as u32;
        let time = |ticks, scale| SqlTime { time_nanoseconds: ticks, scale };
        let numeric = |precision, scale, v: i128| {
            SqlType::Numeric(Some(DecimalParts::new(v >= 0, precision, scale, v.unsigned_abs())))
        };
        for (data_type, cell, expected) in [
            (T::Bool, Cell::Bool(true), SqlType::Bit(Some(true))),
            (T::UI1, Cell::Int(255), SqlType::TinyInt(Some(255))),
            (T::I1, Cell::Int(-1), SqlType::SmallInt(Some(-1))),
            (T::UI2, Cell::Int(65_535), SqlType::Int(Some(65_535))),
            (T::UI4, Cell::Int(4_294_967_295), SqlType::BigInt(Some(4_294_967_295))),
            (T::UI8, Cell::UInt(u64::MAX), numeric(20, 0, u64::MAX.into())),
            (T::R4, Cell::Real(0.1), SqlType::Real(Some(0.1))),
            (T::Cy, Cell::Decimal(-12_500, 4), numeric(19, 4, -12_500)),
            (T::Numeric { precision: 9, scale: 2 }, Cell::Decimal(125, 2), numeric(9, 2, 125)),
            (T::DbDate, Cell::Date(0), SqlType::Date(SqlDate::create(day).ok())),
            (T::DbTime, Cell::Time(1_900_000_000, 0), SqlType::Time(Some(time(10_000_000, 0)))),
            (T::DbTime2 { scale: 7 }, Cell::Time(1_900, 7), SqlType::Time(Some(time(19, 7)))),
            (
                T::DbTimeStamp,
                Cell::Timestamp(12_345, 3),
                SqlType::DateTime2(Some(SqlDateTime2 { days: day, time: time(10_000, 3) })),
            ),
            (
                T::FileTime,
                Cell::Timestamp(12_345, 7),
                SqlType::DateTime2(Some(SqlDateTime2 { days: day, time: time(12_345, 7) })),
            ),
            (
                T::DbTimeStampOffset { scale: 7 },
                Cell::TimestampOffset(-1, 120, 7),
                SqlType::DateTimeOffset(Some(SqlDateTimeOffset {
                    datetime2: SqlDateTime2 { days: day - 1, time: time(863_999_999_999, 7) },
                    offset: 120,
                })),
            ),
            (T::NText, Cell::Text("ä"), SqlType::NVarchar(Some(SqlString::from_utf8_string("ä".into())), 4000)),
            (T::Bytes { len: 2 }, Cell::Bytes(&[1, 2]), SqlType::VarBinary(Some(vec![1, 2]), 8000)),
            (T::Guid, Cell::Guid(&[7; 16]), SqlType::Uuid(Some(Uuid::from_bytes([7; 16])))),
        ] {
            let found = sent(data_type, cell).0;
            assert_eq!(format!("{found:?}"), format!("{expected:?}"), "{data_type}");
        }
    }

    #[test]
    fn nulls_have_the_types_of_their_columns() {
        use DataType as T;
        for (data_type, expected, metadata) in [
            (T::I4, "Int(None)", None),
            (T::Numeric { precision: 20, scale: 3 }, "Numeric(None)", Some((Some(20), Some(3)))),
            (T::DbTimeStamp2 { scale: 5 }, "DateTime2(None)", Some((None, Some(5)))),
            (T::DbTimeStamp, "DateTime(None)", None),
            (T::FileTime, "DateTime2(None)", Some((None, Some(7)))),
            (T::NText, "NVarchar(None, 4000)", None),
            (T::Str { len: 5, code_page: 1252 }, "Varchar(None, 8000)", None),
            (T::Null, "NVarchar(None, 4000)", None),
        ] {
            let (value, found) = sent(data_type, Cell::Null);
            assert_eq!(format!("{value:?}"), expected);
            assert_eq!(found.map(|m| (m.precision, m.scale)), metadata, "{data_type}");
        }
    }

    #[test]
    fn moments_that_datetime_shows_go_as_such() {
        let at = |year, month, day, ticks| calendar::join(calendar::days_from_civil(year, month, day), ticks);
        const MILLI: i64 = 10_000;
        for (ticks, expected) in [
            (at(1900, 1, 1, 0), Some((0, 0))),
            (at(1900, 1, 1, 3 * MILLI), Some((0, 1))),
            (at(1900, 1, 1, 7 * MILLI), Some((0, 2))),
            (at(1900, 1, 1, 10 * MILLI), Some((0, 3))),
            (at(1900, 1, 1, 997 * MILLI), Some((0, 299))),
            (at(1900, 1, 2, 1000 * MILLI), Some((1, 300))),
            (at(1899, 12, 31, 86_399_997 * MILLI), Some((-1, 25_919_999))),
            (at(1753, 1, 1, 0), Some((-53_690, 0))),
            (at(9999, 12, 31, 0), Some((2_958_463, 0))),
            (at(1752, 12, 31, 0), None),
            (at(1900, 1, 1, MILLI), None),
            (at(1900, 1, 1, 999 * MILLI), None),
            (at(1900, 1, 1, 3 * MILLI + 1), None),
        ] {
            assert_eq!(datetime(ticks).map(|d| (d.days, d.time)), expected, "{ticks}");
            let kind = if expected.is_some() { "DateTime(" } else { "DateTime2(" };
            for data_type in [DataType::Date, DataType::DbTimeStamp] {
                let found = format!("{:?}", sent(data_type, Cell::Timestamp(ticks, 3)).0);
                assert!(found.starts_with(kind), "{data_type} {found}");
            }
        }
        // One for all rows.
        let (whole, other) = (Cell::Timestamp(0, 3), Cell::Timestamp(MILLI, 3));
        let mixed = Form::of(DataType::DbTimeStamp, [whole.clone(), other, Cell::Null]);
        for cell in [whole, Cell::Null] {
            assert!(matches!(mixed.value(&cell).unwrap().0, SqlType::DateTime2(_)));
        }
        let plain = Form::of(DataType::DbTimeStamp, [Cell::Timestamp(3 * MILLI, 3)]);
        assert!(matches!(plain.value(&Cell::Timestamp(3 * MILLI, 3)).unwrap().0, SqlType::DateTime(_)));
        assert!(matches!(plain.stored().value(&Cell::Timestamp(3 * MILLI, 3)).unwrap().0, SqlType::DateTime2(_)));
        let back = Form::returning(DataType::DbTimeStamp);
        assert!(matches!(back.value(&Cell::Timestamp(0, 3)).unwrap().0, SqlType::DateTime2(Some(_))));
    }

    #[test]
    fn narrow_texts_of_ascii_go_as_varchar() {
        use DataType as T;
        let (edge, long) = ("x".repeat(8000), "x".repeat(8001));
        let (str, text) = (T::Str { len: 50, code_page: 1252 }, T::Text { code_page: 1251 });
        for (data_type, value, expected) in [
            (str, "", "Varchar(Some(\"\"), 8000)"),
            (str, "a~\\", "Varchar(Some(\"a~\\\\\"), 8000)"),
            (str, "é", "NVarchar(Some(\"é\"), 4000)"),
            (text, "b", "Varchar(Some(\"b\"), 8000)"),
            (text, "ж", "NVarchar(Some(\"ж\"), 4000)"),
            (T::WStr { len: 5 }, "a", "NVarchar(Some(\"a\"), 4000)"),
        ] {
            assert_eq!(format!("{:?}", sent(data_type, Cell::Text(value)).0), expected, "{data_type}");
        }
        assert!(matches!(sent(text, Cell::Text(&edge)).0, SqlType::Varchar(Some(_), 8000)));
        assert!(matches!(sent(text, Cell::Text(&long)).0, SqlType::VarcharMax(Some(_))));
        // One for all rows.
        let mixed = Form::of(text, [Cell::Text("é"), Cell::Text(&edge), Cell::Null]);
        for cell in [Cell::Text("short"), Cell::Null] {
            assert!(matches!(mixed.value(&cell).unwrap().0, SqlType::NVarcharMax(_)));
        }
        assert!(matches!(Form::returning(str).value(&Cell::Text("a")).unwrap().0, SqlType::NVarcharMax(Some(_))));
    }

    #[test]
    fn long_values_are_of_the_long_types() {
        let (text, bytes) = ("x".repeat(4001), vec![0; 8001]);
        assert!(matches!(sent(DataType::NText, Cell::Text(&text)).0, SqlType::NVarcharMax(Some(_))));
        assert!(matches!(sent(DataType::Image, Cell::Bytes(&bytes)).0, SqlType::VarBinaryMax(Some(_))));
        let mixed = Form::of(DataType::NText, [Cell::Text("short"), Cell::Text(&text), Cell::Null]);
        assert!(matches!(mixed.value(&Cell::Text("short")).unwrap().0, SqlType::NVarcharMax(Some(_))));
        assert!(Form::of(DataType::I4, [Cell::Null]).value(&Cell::Bool(true)).is_err());
    }
}
