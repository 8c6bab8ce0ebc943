//! Values as SQL Server's bulk load takes them: what form a column has, and a value written in it.
//!
//! What has no such form (a text for a number, a text that is too long or has characters which the column's code page
//! lacks, a number that is too large) is left to the server: its row goes in by an INSERT, and the server judges.

use super::types::{code_page, page_of};
use crate::db::cells::Cell;
use dtsx_engine::types::DataType;
use dtsx_engine::types::code_page::CodePage;
use mssql_tds::datatypes::bulk_copy_metadata::{BulkCopyColumnMetadata, SqlDbType};

/// Days from 0001-01-01 to 1970-01-01.
const EPOCH: i64 = 719_162;
/// Days from 1900-01-01 to 1970-01-01.
const FROM_1900: i64 = 25_567;
/// 100 ns in a day.
const DAY: i64 = 864_000_000_000;
/// Days from 0001-01-01 to 9999-12-31.
const LAST_DAY: i64 = 3_652_058;
/// datetime begins with 1753.
const FIRST_DATETIME: i64 = -53_690;
/// 9999-12-31, in days from 1900-01-01.
const LAST_DATETIME: i64 = 2_958_463;
/// 1/300 s in a day.
const THREE_HUNDREDTHS: i64 = 25_920_000;
/// The length of a value that comes in parts and is NULL.
const NO_PARTS: [u8; 8] = [0xFF; 8];
/// In front of a value of text, ntext and image: a pointer and a time that the server makes itself.
const POINTER: [u8; 25] = {
    let mut bytes = [0xFF; 25];
    bytes[0] = 16;
    bytes
};

/// What stands in front of a value of many bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Length {
    /// Its length, up to so many bytes.
    Short(usize),
    /// Its length, and it comes in parts.
    Parts,
    /// A pointer and its length.
    Pointer,
}

/// The form of a column's values.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Kind {
    Bit,
    TinyInt,
    Int(usize),
    Float(usize),
    Money(usize),
    Decimal { precision: u8, scale: u8 },
    Date,
    Time(u8),
    SmallDateTime,
    DateTime,
    DateTime2(u8),
    DateTimeOffset(u8),
    Guid,
    Narrow(CodePage, Length),
    Wide(Length),
    Bytes(Length),
}

/// How the values of a column are written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Form(Kind);

impl Form {
    /// Of a column of a table, for values of a type; None: they have none.
    pub(super) fn of(column: &BulkCopyColumnMetadata, from: &DataType) -> Option<Form> {
        let short = if column.is_plp() { Length::Parts } else { Length::Short(usize::try_from(column.length).ok()?) };
        let page = || column.collation.map_or_else(|| page_of(0), code_page);
        let kind = match column.sql_type {
            SqlDbType::Bit => Kind::Bit,
            SqlDbType::TinyInt => Kind::TinyInt,
            SqlDbType::SmallInt => Kind::Int(2),
            SqlDbType::Int => Kind::Int(4),
            SqlDbType::BigInt => Kind::Int(8),
            SqlDbType::Real => Kind::Float(4),
            SqlDbType::Float => Kind::Float(8),
            SqlDbType::SmallMoney => Kind::Money(4),
            SqlDbType::Money => Kind::Money(8),
            SqlDbType::Decimal | SqlDbType::Numeric => {
                Kind::Decimal { precision: column.precision, scale: column.scale }
            }
            SqlDbType::Date => Kind::Date,
            SqlDbType::Time => Kind::Time(column.scale),
            SqlDbType::SmallDateTime => Kind::SmallDateTime,
            SqlDbType::DateTime => Kind::DateTime,
            SqlDbType::DateTime2 => Kind::DateTime2(column.scale),
            SqlDbType::DateTimeOffset => Kind::DateTimeOffset(column.scale),
            SqlDbType::UniqueIdentifier => Kind::Guid,
            SqlDbType::Char | SqlDbType::VarChar => Kind::Narrow(page(), short),
            SqlDbType::Text => Kind::Narrow(page(), Length::Pointer),
            SqlDbType::NChar | SqlDbType::NVarChar => Kind::Wide(short),
            SqlDbType::NText => Kind::Wide(Length::Pointer),
            SqlDbType::Xml => Kind::Wide(Length::Parts),
            SqlDbType::Binary | SqlDbType::VarBinary | SqlDbType::Udt => Kind::Bytes(short),
            SqlDbType::Image => Kind::Bytes(Length::Pointer),
            SqlDbType::Variant | SqlDbType::Json | SqlDbType::Vector => return None,
        };
        (!column.is_encrypted && kind.takes(from)).then_some(Form(kind))
    }

    /// Appends a value; None, and whatever was appended, if it has no such form.
    pub(super) fn write(&self, cell: &Cell<'_>, out: &mut Vec<u8>) -> Option<()> {
        if *cell == Cell::Null {
            match &self.0 {
                Kind::Narrow(_, length) | Kind::Wide(length) | Kind::Bytes(length) => match length {
                    Length::Short(_) => out.extend_from_slice(&[0xFF, 0xFF]),
                    Length::Parts => out.extend_from_slice(&NO_PARTS),
                    Length::Pointer => out.push(0),
                },
                _ => out.push(0),
            }
            return Some(());
        }
        match &self.0 {
            Kind::Bit => fixed(&[u8::from(whole(cell)? != 0)], out),
            Kind::TinyInt => fixed(&[u8::try_from(whole(cell)?).ok()?], out),
            Kind::Int(2) => fixed(&i16::try_from(whole(cell)?).ok()?.to_le_bytes(), out),
            Kind::Int(4) => fixed(&i32::try_from(whole(cell)?).ok()?.to_le_bytes(), out),
            Kind::Int(_) => fixed(&i64::try_from(whole(cell)?).ok()?.to_le_bytes(), out),
            Kind::Float(4) => fixed(&finite32(real(cell)?)?.to_le_bytes(), out),
            Kind::Float(_) => fixed(&Some(real(cell)?).filter(|f| f.is_finite())?.to_le_bytes(), out),
            Kind::Money(4) => fixed(&i32::try_from(scaled(cell, 4)?).ok()?.to_le_bytes(), out),
            Kind::Money(_) => {
                // The upper half comes first.
                let bytes = i64::try_from(scaled(cell, 4)?).ok()?.to_le_bytes();
                out.push(8);
                out.extend_from_slice(&bytes[4..]);
                out.extend_from_slice(&bytes[..4]);
            }
            Kind::Decimal { precision, scale } => {
                let value = scaled(cell, *scale)?;
                if value.unsigned_abs() >= 10_u128.checked_pow(u32::from(*precision))? {
                    return None;
                }
                let bytes = 4 * match precision {
                    ..=9 => 1,
                    10..=19 => 2,
                    20..=28 => 3,
                    _ => 4,
                };
                out.extend_from_slice(&[bytes as u8 + 1, u8::from(value >= 0)]);
                out.extend_from_slice(&value.unsigned_abs().to_le_bytes()[..bytes]);
            }
            Kind::Date => {
                out.push(3);
                day_of(moment(cell)?.div_euclid(DAY) + EPOCH, out)?;
            }
            Kind::Time(scale) => {
                let Cell::Time(nanos, _) = cell else { return None };
                let units = round(*nanos, 10_i64.pow(9 - u32::from((*scale).min(9))));
                // What rounds up to midnight is the server's to judge.
                let most = 86_400 * 10_i64.pow(u32::from(*scale));
                out.push(length_of_time(*scale) as u8);
                time_of(Some(units).filter(|u| *u < most)?, *scale, out);
            }
            Kind::DateTime => {
                let (days, part) = three_hundredths(moment(cell)?);
                if !(FIRST_DATETIME..=LAST_DATETIME).contains(&days) {
                    return None;
                }
                out.push(8);
                out.extend_from_slice(&(days as i32).to_le_bytes());
                out.extend_from_slice(&(part as u32).to_le_bytes());
            }
            Kind::SmallDateTime => {
                let (days, part) = three_hundredths(moment(cell)?);
                let minutes = round(part, 18_000);
                let (days, minutes) = (days + minutes / 1440, minutes % 1440);
                out.push(4);
                out.extend_from_slice(&u16::try_from(days).ok()?.to_le_bytes());
                out.extend_from_slice(&(minutes as u16).to_le_bytes());
            }
            Kind::DateTime2(scale) => {
                out.push(length_of_time(*scale) as u8 + 3);
                moment_of(moment(cell)?, *scale, out)?;
            }
            Kind::DateTimeOffset(scale) => {
                let (ticks, minutes) = match cell {
                    Cell::TimestampOffset(ticks, minutes, _) => (*ticks, *minutes),
                    cell => (moment(cell)?, 0),
                };
                // The moment at its place is to have a date, too.
                if !(-840..=840).contains(&minutes)
                    || !(0..=LAST_DAY).contains(&((ticks + i64::from(minutes) * 600_000_000).div_euclid(DAY) + EPOCH))
                {
                    return None;
                }
                out.push(length_of_time(*scale) as u8 + 5);
                moment_of(ticks, *scale, out)?;
                out.extend_from_slice(&minutes.to_le_bytes());
            }
            Kind::Guid => {
                let Cell::Guid(bytes) = cell else { return None };
                let b = <&[u8; 16]>::try_from(*bytes).ok()?;
                // Its first three parts are numbers, and have their lowest byte first.
                out.extend_from_slice(&[16, b[3], b[2], b[1], b[0], b[5], b[4], b[7], b[6]]);
                out.extend_from_slice(&b[8..]);
            }
            Kind::Narrow(page, length) => {
                let Cell::Text(text) = cell else { return None };
                let mut all = true;
                long(*length, out, |out| all = page.encode(text, out))?;
                // The server takes the nearest letter for one that is missing, where there is one.
                if !all {
                    return None;
                }
            }
            Kind::Wide(length) => {
                let Cell::Text(text) = cell else { return None };
                long(*length, out, |out| {
                    text.encode_utf16().for_each(|unit| out.extend_from_slice(&unit.to_le_bytes()))
                })?;
            }
            Kind::Bytes(length) => {
                let Cell::Bytes(bytes) = cell else { return None };
                long(*length, out, |out| out.extend_from_slice(bytes))?;
            }
        }
        Some(())
    }
}

impl Kind {
    /// Whether values of a type have this form, as a rule.
    fn takes(&self, from: &DataType) -> bool {
        use DataType as T;
        let integer = matches!(from, T::Bool | T::I1 | T::I2 | T::I4 | T::I8 | T::UI1 | T::UI2 | T::UI4 | T::UI8);
        let exact = integer || matches!(from, T::Cy | T::Decimal { .. } | T::Numeric { .. });
        let dated = matches!(from, T::DbDate | T::Date | T::DbTimeStamp | T::DbTimeStamp2 { .. } | T::FileTime);
        match self {
            _ if *from == T::Null => true,
            Kind::Bit | Kind::TinyInt | Kind::Int(_) => integer,
            Kind::Float(_) => integer || matches!(from, T::R4 | T::R8),
            Kind::Money(_) | Kind::Decimal { .. } => exact,
            Kind::Date | Kind::SmallDateTime | Kind::DateTime | Kind::DateTime2(_) => dated,
            Kind::Time(_) => matches!(from, T::DbTime | T::DbTime2 { .. }),
            Kind::DateTimeOffset(_) => dated || matches!(from, T::DbTimeStampOffset { .. }),
            Kind::Guid => *from == T::Guid,
            Kind::Narrow(..) | Kind::Wide(_) => {
                matches!(from, T::Str { .. } | T::WStr { .. } | T::Text { .. } | T::NText)
            }
            Kind::Bytes(_) => matches!(from, T::Bytes { .. } | T::Image),
        }
    }
}

fn fixed(bytes: &[u8], out: &mut Vec<u8>) {
    out.push(bytes.len() as u8);
    out.extend_from_slice(bytes);
}

/// A value of many bytes, which `write` appends, behind its length.
fn long(length: Length, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) -> Option<()> {
    let from = out.len();
    match length {
        Length::Short(_) => out.extend_from_slice(&[0; 2]),
        Length::Parts => out.extend_from_slice(&[0; 12]),
        Length::Pointer => {
            out.extend_from_slice(&POINTER);
            out.extend_from_slice(&[0; 4]);
        }
    }
    let begin = out.len();
    write(out);
    let bytes = out.len() - begin;
    match length {
        Length::Short(most) if bytes > most => return None,
        Length::Short(_) => out[from..begin].copy_from_slice(&u16::try_from(bytes).ok()?.to_le_bytes()),
        Length::Parts => {
            out[from..from + 8].copy_from_slice(&(bytes as u64).to_le_bytes());
            if bytes == 0 {
                // A part without bytes is the end.
                out.truncate(from + 8);
            } else {
                out[from + 8..begin].copy_from_slice(&u32::try_from(bytes).ok()?.to_le_bytes());
            }
            out.extend_from_slice(&[0; 4]);
        }
        Length::Pointer => out[begin - 4..begin].copy_from_slice(&i32::try_from(bytes).ok()?.to_le_bytes()),
    }
    Some(())
}

/// A number without decimals.
fn whole(cell: &Cell<'_>) -> Option<i128> {
    match cell {
        Cell::Bool(value) => Some(i128::from(*value)),
        Cell::Int(value) => Some(i128::from(*value)),
        Cell::UInt(value) => Some(i128::from(*value)),
        _ => None,
    }
}

fn real(cell: &Cell<'_>) -> Option<f64> {
    match cell {
        Cell::Real(value) => Some(*value),
        cell => Some(whole(cell)?).filter(|n| n.unsigned_abs() < 1 << 53).map(|n| n as f64),
    }
}

fn finite32(value: f64) -> Option<f32> {
    Some(value as f32).filter(|f| f.is_finite())
}

/// A number without its point, with so many decimals. Those that it has more are rounded, as the server does.
fn scaled(cell: &Cell<'_>, scale: u8) -> Option<i128> {
    let (value, has) = match cell {
        Cell::Decimal(value, has) => (*value, *has),
        cell => (whole(cell)?, 0),
    };
    let power = |digits: u8| 10_i128.checked_pow(u32::from(digits));
    if has <= scale {
        return value.checked_mul(power(scale - has)?);
    }
    let divisor = power(has - scale)?;
    let (quotient, rest) = (value / divisor, value % divisor);
    // Halves go away from zero.
    Some(if rest.unsigned_abs() * 2 >= divisor.unsigned_abs() { quotient + value.signum() } else { quotient })
}

/// `value` in units of `unit`, halves up.
fn round(value: i64, unit: i64) -> i64 {
    (value + unit / 2).div_euclid(unit)
}

/// 100 ns since 1970-01-01.
fn moment(cell: &Cell<'_>) -> Option<i64> {
    match cell {
        Cell::Date(day) => Some(i64::from(*day) * DAY),
        Cell::Timestamp(ticks, _) => Some(*ticks),
        _ => None,
    }
}

/// Days since 1900-01-01, and 1/300 s.
fn three_hundredths(ticks: i64) -> (i64, i64) {
    let (days, rest) = (ticks.div_euclid(DAY) + FROM_1900, ticks.rem_euclid(DAY));
    let part = round(rest * 3, 100_000);
    (days + part / THREE_HUNDREDTHS, part % THREE_HUNDREDTHS)
}

fn length_of_time(scale: u8) -> usize {
    match scale {
        ..=2 => 3,
        3 | 4 => 4,
        _ => 5,
    }
}

fn time_of(units: i64, scale: u8, out: &mut Vec<u8>) {
    out.extend_from_slice(&units.to_le_bytes()[..length_of_time(scale)]);
}

/// A day, counted from 0001-01-01.
fn day_of(days: i64, out: &mut Vec<u8>) -> Option<()> {
    let days = Some(days).filter(|d| (0..=LAST_DAY).contains(d))?;
    out.extend_from_slice(&days.to_le_bytes()[..3]);
    Some(())
}

/// A time with so many digits of a second, and its day.
fn moment_of(ticks: i64, scale: u8, out: &mut Vec<u8>) -> Option<()> {
    let unit = 10_i64.pow(7 - u32::from(scale.min(7)));
    let units = ticks.div_euclid(unit) + i64::from(ticks.rem_euclid(unit) * 2 >= unit && unit > 1);
    time_of(units.rem_euclid(DAY / unit), scale, out);
    day_of(units.div_euclid(DAY / unit) + EPOCH, out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use mssql_tds::datatypes::bulk_copy_metadata::TypeLength;
    use mssql_tds::token::tokens::SqlCollation;

    fn column(sql_type: SqlDbType) -> BulkCopyColumnMetadata {
        BulkCopyColumnMetadata::new("c", sql_type, sql_type.to_bulk_copy_tds_type())
    }

    fn written(column: &BulkCopyColumnMetadata, from: DataType, cell: Cell<'_>) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        Form::of(column, &from).unwrap().write(&cell, &mut out)?;
        Some(out)
    }

    #[test]
    fn numbers() {
        let decimal = |p, s| column(SqlDbType::Decimal).with_precision_scale(p, s);
        for (column, cell, expected) in [
            (column(SqlDbType::Bit), Cell::Bool(true), Some(&[1, 1][..])),
            (column(SqlDbType::Bit), Cell::Int(7), Some(&[1, 1])),
            (column(SqlDbType::TinyInt), Cell::Int(255), Some(&[1, 255])),
            (column(SqlDbType::TinyInt), Cell::Int(-1), None),
            (column(SqlDbType::SmallInt), Cell::Int(40_000), None),
            (column(SqlDbType::Int), Cell::Int(-2), Some(&[4, 0xFE, 0xFF, 0xFF, 0xFF])),
            (column(SqlDbType::BigInt), Cell::UInt(u64::MAX), None),
            (column(SqlDbType::Int), Cell::Null, Some(&[0])),
            (column(SqlDbType::SmallMoney), Cell::Decimal(15, 1), Some(&[4, 0x98, 0x3A, 0, 0])),
            (column(SqlDbType::Money), Cell::Decimal(-1, 4), Some(&[8, 255, 255, 255, 255, 255, 255, 255, 255])),
            (column(SqlDbType::Money), Cell::Decimal(1, 4), Some(&[8, 0, 0, 0, 0, 1, 0, 0, 0])),
            (column(SqlDbType::Money), Cell::Decimal(5, 5), Some(&[8, 0, 0, 0, 0, 1, 0, 0, 0])),
            (decimal(5, 2), Cell::Decimal(-12_345, 2), Some(&[5, 0, 0x39, 0x30, 0, 0])),
            (decimal(5, 2), Cell::Decimal(99_999, 2), Some(&[5, 1, 0x9F, 0x86, 1, 0])),
            (decimal(5, 2), Cell::Decimal(100_000, 2), None),
            (decimal(5, 2), Cell::Decimal(999_995, 3), None),
            (decimal(10, 0), Cell::Decimal(-5, 1), Some(&[9, 0, 1, 0, 0, 0, 0, 0, 0, 0])),
            (decimal(10, 0), Cell::Decimal(4, 1), Some(&[9, 1, 0, 0, 0, 0, 0, 0, 0, 0])),
        ] {
            let numeric = DataType::Numeric { precision: 38, scale: 0 };
            let from = if matches!(column.sql_type, SqlDbType::Decimal | SqlDbType::Money | SqlDbType::SmallMoney) {
                numeric
            } else {
                DataType::I8
            };
            assert_eq!(written(&column, from, cell.clone()).as_deref(), expected, "{column:?} {cell:?}");
        }
        assert_eq!(written(&column(SqlDbType::Float), DataType::R8, Cell::Real(f64::NAN)), None);
        assert_eq!(written(&column(SqlDbType::Real), DataType::R8, Cell::Real(1e300)), None);
        assert_eq!(written(&column(SqlDbType::Real), DataType::R4, Cell::Real(1.5)).unwrap(), [4, 0, 0, 0xC0, 0x3F]);
        assert_eq!(Form::of(&column(SqlDbType::Int), &DataType::WStr { len: 5 }), None);
        assert_eq!(Form::of(&column(SqlDbType::Variant), &DataType::I4), None);
    }

    #[test]
    fn dates_and_times() {
        let at = |days: i64, ticks: i64| Cell::Timestamp(days * DAY + ticks, 7);
        let scaled = |t, scale| column(t).with_scale(scale);
        let last = LAST_DAY - EPOCH;
        for (column, cell, expected) in [
            (column(SqlDbType::Date), Cell::Date(0), Some(&[3, 0x3A, 0xF9, 0x0A][..])),
            (column(SqlDbType::Date), at(-EPOCH, 0), Some(&[3, 0, 0, 0])),
            (column(SqlDbType::Date), at(-EPOCH - 1, 0), None),
            // .998 s is 299.4 of 1/300 s, .999 s is 299.7; half of one goes up.
            (column(SqlDbType::DateTime), at(-FROM_1900, 9_980_000), Some(&[8, 0, 0, 0, 0, 43, 1, 0, 0])),
            (column(SqlDbType::DateTime), at(-FROM_1900, 9_990_000), Some(&[8, 0, 0, 0, 0, 44, 1, 0, 0])),
            (column(SqlDbType::DateTime), at(-FROM_1900, 9_950_000), Some(&[8, 0, 0, 0, 0, 43, 1, 0, 0])),
            (column(SqlDbType::DateTime), at(-FROM_1900, DAY - 10_000), Some(&[8, 1, 0, 0, 0, 0, 0, 0, 0])),
            (column(SqlDbType::DateTime), at(last, DAY - 10_000), None),
            (column(SqlDbType::DateTime), at(FIRST_DATETIME - FROM_1900 - 1, 0), None),
            (column(SqlDbType::SmallDateTime), at(-FROM_1900, 299_980_000), Some(&[4, 0, 0, 0, 0])),
            (column(SqlDbType::SmallDateTime), at(-FROM_1900, 299_990_000), Some(&[4, 0, 0, 1, 0])),
            (column(SqlDbType::SmallDateTime), at(-FROM_1900 - 1, 0), None),
            (scaled(SqlDbType::DateTime2, 7), at(-EPOCH, 1), Some(&[8, 1, 0, 0, 0, 0, 0, 0, 0])),
            (scaled(SqlDbType::DateTime2, 3), at(-EPOCH, 5_000), Some(&[7, 1, 0, 0, 0, 0, 0, 0])),
            (scaled(SqlDbType::DateTime2, 0), at(-EPOCH, DAY - 1), Some(&[6, 0, 0, 0, 1, 0, 0])),
            (scaled(SqlDbType::DateTime2, 0), at(last, DAY - 1), None),
        ] {
            let found = written(&column, DataType::DbTimeStamp2 { scale: 7 }, cell.clone());
            assert_eq!(found.as_deref(), expected, "{column:?} {cell:?}");
        }
        let time = |scale, nanos| {
            written(&scaled(SqlDbType::Time, scale), DataType::DbTime2 { scale: 7 }, Cell::Time(nanos, 7))
        };
        assert_eq!(time(7, 100).unwrap(), [5, 1, 0, 0, 0, 0]);
        assert_eq!(time(3, 1_500_000).unwrap(), [4, 2, 0, 0, 0]);
        assert_eq!(time(0, 86_400_000_000_000 - 1), None);
        let offset = scaled(SqlDbType::DateTimeOffset, 0);
        let from = DataType::DbTimeStampOffset { scale: 7 };
        let cell = Cell::TimestampOffset(-EPOCH * DAY + 36_000_000_000, -60, 7);
        assert_eq!(written(&offset, from, cell).unwrap(), [8, 0x10, 0x0E, 0, 0, 0, 0, 0xC4, 0xFF]);
        let cell = Cell::TimestampOffset(-EPOCH * DAY, -60, 7);
        assert_eq!(written(&offset, from, cell), None);
    }

    #[test]
    fn texts_and_bytes() {
        let latin = SqlCollation { info: 0x00D0_0409, lcid_language_id: 0x409, col_flags: 0, sort_id: 52 };
        let sized = |t, bytes| column(t).with_length(bytes, TypeLength::Variable(bytes)).with_collation(latin);
        let parts = |t| column(t).with_length(-1, TypeLength::Plp).with_collation(latin);
        let text = DataType::WStr { len: 10 };
        for (column, value, expected) in [
            (sized(SqlDbType::VarChar, 3), "aé€", Some(&[3, 0, b'a', 0xE9, 0x80][..])),
            (sized(SqlDbType::VarChar, 3), "aéł", None),
            (sized(SqlDbType::VarChar, 3), "a?", Some(&[2, 0, b'a', b'?'])),
            (parts(SqlDbType::VarChar), "ł", None),
            (sized(SqlDbType::VarChar, 3), "abcd", None),
            (sized(SqlDbType::Char, 3), "", Some(&[0, 0])),
            (sized(SqlDbType::NVarChar, 4), "é", Some(&[2, 0, 0xE9, 0])),
            (sized(SqlDbType::NVarChar, 4), "🙂", Some(&[4, 0, 0x3D, 0xD8, 0x42, 0xDE])),
            (sized(SqlDbType::NVarChar, 4), "🙂a", None),
            (parts(SqlDbType::NVarChar), "", Some(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])),
            (parts(SqlDbType::VarChar), "ab", Some(&[2, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, b'a', b'b', 0, 0, 0, 0])),
        ] {
            assert_eq!(written(&column, text, Cell::Text(value)).as_deref(), expected, "{column:?} {value}");
        }
        assert_eq!(written(&parts(SqlDbType::Xml), text, Cell::Null).unwrap(), [0xFF; 8]);
        assert_eq!(written(&sized(SqlDbType::NChar, 4), text, Cell::Null).unwrap(), [0xFF, 0xFF]);
        let image = written(&column(SqlDbType::Image), DataType::Image, Cell::Bytes(&[7])).unwrap();
        assert_eq!((image[0], &image[25..]), (16, &[1, 0, 0, 0, 7][..]));
        let guid = written(
            &column(SqlDbType::UniqueIdentifier),
            DataType::Guid,
            Cell::Guid(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]),
        );
        assert_eq!(guid.unwrap(), [16, 3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15]);
        let japanese = SqlCollation { info: 0x411, lcid_language_id: 0x411, col_flags: 0, sort_id: 0 };
        let column = column(SqlDbType::VarChar).with_length(4, TypeLength::Variable(4)).with_collation(japanese);
        assert_eq!(written(&column, text, Cell::Text("日本")).unwrap(), [4, 0, 0x93, 0xFA, 0x96, 0x7B]);
        assert_eq!(written(&column, text, Cell::Text("한")), None);
        let hungarian = SqlCollation { info: 0x1_040E, lcid_language_id: 0x1_040E, col_flags: 0, sort_id: 0 };
        let column = column.with_collation(hungarian);
        assert_eq!(written(&column, text, Cell::Text("őű")).unwrap(), [2, 0, 0xF5, 0xFB]);
    }

    /// What FreeTDS's bulk copy sends for the same values, byte for byte.
    #[test]
    fn another_client_writes_the_same() {
        use DataType as T;
        let numeric = |p, s| column(SqlDbType::Numeric).with_precision_scale(p, s);
        let at = |micros: i64| Cell::Timestamp(19_782 * DAY + micros * 10, 7);
        let moment = 45_296_123_456 * 10 + 7;
        for (column, from, cell, expected) in [
            (column(SqlDbType::SmallInt), T::I2, Cell::Int(-32_768), "020080"),
            (column(SqlDbType::BigInt), T::I8, Cell::Int(i64::MIN), "080000000000000080"),
            (column(SqlDbType::Float), T::R8, Cell::Real(0.1), "089a9999999999b93f"),
            (column(SqlDbType::Money), T::Cy, Cell::Decimal(-12_345, 4), "08ffffffffc7cfffff"),
            (column(SqlDbType::SmallMoney), T::Cy, Cell::Decimal(1, 4), "0401000000"),
            (
                numeric(38, 10),
                T::Numeric { precision: 38, scale: 10 },
                Cell::Decimal(-12_345_678_901_234_567_890_123_456_789_012_345_678, 10),
                "11004ef338de50904 9c4133302f0f6b04909",
            ),
            (numeric(9, 2), T::Numeric { precision: 9, scale: 2 }, Cell::Decimal(123_456_789, 2), "050115cd5b07"),
            (column(SqlDbType::Date), T::DbDate, Cell::Date(19_782), "0380460b"),
            (
                column(SqlDbType::Time).with_scale(7),
                T::DbTime2 { scale: 7 },
                Cell::Time(86_399_123_000_000, 7),
                "0530eee329c9",
            ),
            (column(SqlDbType::SmallDateTime), T::DbTimeStamp, at(45_240_000_000), "0425b1f202"),
            (column(SqlDbType::DateTime), T::DbTimeStamp, at(45_296_997_000), "0825b100006b5acf00"),
            (
                column(SqlDbType::DateTime2).with_scale(7),
                T::DbTimeStamp2 { scale: 7 },
                Cell::Timestamp(19_782 * DAY + moment, 7),
                "0887ee97766980460b",
            ),
            (
                column(SqlDbType::UniqueIdentifier),
                T::Guid,
                Cell::Guid(&[
                    0, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xAA, 0xBB, 0xCC, 0xDD, 0xEE, 0xFF,
                ]),
                "1033221100554477668899aabbccddeeff",
            ),
            (
                column(SqlDbType::NText),
                T::NText,
                Cell::Text("ntext"),
                &format!("10{}0a0000006e007400650078007400", "ff".repeat(24)),
            ),
            (column(SqlDbType::NText), T::NText, Cell::Null, "00"),
        ] {
            let bytes = written(&column, from, cell.clone()).unwrap();
            let found: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
            assert_eq!(found, expected.replace(' ', ""), "{column:?} {cell:?}");
        }
    }
}
