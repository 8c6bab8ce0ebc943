//! The values of a column, one by one, as databases take them: for drivers that bind or write values row by row.

use super::error::{DbError, ErrorKind, Outcome};
use arrow::array::*;
use dtsx_engine::types::{DataType, Value, format, scalar};

/// A value on its way into a database.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Cell<'a> {
    /// NULL.
    Null,
    /// A Boolean.
    Bool(bool),
    /// A signed integer, or an unsigned one that fits.
    Int(i64),
    /// An unsigned integer of 64 bits.
    UInt(u64),
    /// A float.
    Real(f64),
    /// Unscaled value and scale.
    Decimal(i128, u8),
    /// Text.
    Text(&'a str),
    /// Bytes.
    Bytes(&'a [u8]),
    /// Bytes in the order of the text form.
    Guid(&'a [u8]),
    /// Days since 1970-01-01.
    Date(i32),
    /// Nanoseconds since midnight, and how many digits of a second.
    Time(i64, u8),
    /// 100 ns since 1970-01-01, and how many digits of a second.
    Timestamp(i64, u8),
    /// 100 ns since 1970-01-01 UTC, minutes, and how many digits of a second.
    TimestampOffset(i64, i16, u8),
}

/// Ticks of 100 ns in a microsecond.
const TICKS: i64 = 10;

enum Values<'a> {
    Null,
    Bool(&'a BooleanArray),
    I1(&'a Int8Array),
    I2(&'a Int16Array),
    I4(&'a Int32Array),
    I8(&'a Int64Array),
    U1(&'a UInt8Array),
    U2(&'a UInt16Array),
    U4(&'a UInt32Array),
    U8(&'a UInt64Array),
    R4(&'a Float32Array),
    R8(&'a Float64Array),
    Decimal(&'a Decimal128Array, u8),
    Date(&'a Date32Array),
    Seconds(&'a Time32SecondArray),
    Nanos(&'a Time64NanosecondArray, u8),
    Micros(&'a TimestampMicrosecondArray),
    Ticks(&'a Int64Array, u8),
    Offset(&'a StructArray, &'a Int64Array, &'a Int16Array, u8),
    Guid(&'a FixedSizeBinaryArray),
    Text(&'a StringViewArray),
    Bytes(&'a BinaryViewArray),
}

/// The values of one column.
pub(crate) struct Cells<'a>(Values<'a>);

impl<'a> Cells<'a> {
    /// Of a column in the physical form of `data_type`.
    ///
    /// # Errors
    /// Internal: it is in another form.
    pub(crate) fn of(array: &'a dyn Array, data_type: &DataType) -> Outcome<Cells<'a>> {
        use DataType as T;
        if array.data_type() == &arrow::datatypes::DataType::Null {
            return Ok(Cells(Values::Null));
        }
        let values = match data_type {
            T::Null => Some(Values::Null),
            T::Bool => array.as_boolean_opt().map(Values::Bool),
            T::I1 => array.as_primitive_opt().map(Values::I1),
            T::I2 => array.as_primitive_opt().map(Values::I2),
            T::I4 => array.as_primitive_opt().map(Values::I4),
            T::I8 => array.as_primitive_opt().map(Values::I8),
            T::UI1 => array.as_primitive_opt().map(Values::U1),
            T::UI2 => array.as_primitive_opt().map(Values::U2),
            T::UI4 => array.as_primitive_opt().map(Values::U4),
            T::UI8 => array.as_primitive_opt().map(Values::U8),
            T::R4 => array.as_primitive_opt().map(Values::R4),
            T::R8 => array.as_primitive_opt().map(Values::R8),
            T::Cy => array.as_primitive_opt().map(|a| Values::Decimal(a, 4)),
            T::Decimal { scale } | T::Numeric { scale, .. } => {
                array.as_primitive_opt().map(|a| Values::Decimal(a, *scale))
            }
            T::DbDate => array.as_primitive_opt().map(Values::Date),
            T::DbTime => array.as_primitive_opt().map(Values::Seconds),
            T::DbTime2 { scale } => array.as_primitive_opt().map(|a| Values::Nanos(a, *scale)),
            T::Date | T::DbTimeStamp => array.as_primitive_opt().map(Values::Micros),
            T::FileTime => array.as_primitive_opt().map(|a| Values::Ticks(a, 3)),
            T::DbTimeStamp2 { scale } => array.as_primitive_opt().map(|a| Values::Ticks(a, *scale)),
            T::DbTimeStampOffset { scale } => array.as_struct_opt().and_then(|s| match s.columns() {
                [ticks, minutes] => {
                    Some(Values::Offset(s, ticks.as_primitive_opt()?, minutes.as_primitive_opt()?, *scale))
                }
                _ => None,
            }),
            T::Guid => array.as_fixed_size_binary_opt().map(Values::Guid),
            T::Str { .. } | T::WStr { .. } | T::Text { .. } | T::NText => array.as_string_view_opt().map(Values::Text),
            T::Bytes { .. } | T::Image => array.as_binary_view_opt().map(Values::Bytes),
        };
        values.map(Cells).ok_or_else(|| {
            DbError::new(ErrorKind::Other, format!("a column of {data_type} comes as {}", array.data_type()))
        })
    }

    /// The value of a row.
    pub(crate) fn get(&self, row: usize) -> Cell<'a> {
        macro_rules! cell {
            ($array:expr, $value:expr) => {
                if $array.is_null(row) { Cell::Null } else { $value }
            };
        }
        match &self.0 {
            Values::Null => Cell::Null,
            Values::Bool(a) => cell!(a, Cell::Bool(a.value(row))),
            Values::I1(a) => cell!(a, Cell::Int(a.value(row).into())),
            Values::I2(a) => cell!(a, Cell::Int(a.value(row).into())),
            Values::I4(a) => cell!(a, Cell::Int(a.value(row).into())),
            Values::I8(a) => cell!(a, Cell::Int(a.value(row))),
            Values::U1(a) => cell!(a, Cell::Int(a.value(row).into())),
            Values::U2(a) => cell!(a, Cell::Int(a.value(row).into())),
            Values::U4(a) => cell!(a, Cell::Int(a.value(row).into())),
            Values::U8(a) => cell!(a, Cell::UInt(a.value(row))),
            // Through its text: 0.1 of 32 bits is 0.1, and not 0.10000000149011612.
            Values::R4(a) => cell!(a, Cell::Real(single(a.value(row)))),
            Values::R8(a) => cell!(a, Cell::Real(a.value(row))),
            Values::Decimal(a, scale) => cell!(a, Cell::Decimal(a.value(row), *scale)),
            Values::Date(a) => cell!(a, Cell::Date(a.value(row))),
            Values::Seconds(a) => cell!(a, Cell::Time(i64::from(a.value(row)) * 1_000_000_000, 0)),
            Values::Nanos(a, scale) => cell!(a, Cell::Time(a.value(row), *scale)),
            Values::Micros(a) => cell!(a, Cell::Timestamp(a.value(row).saturating_mul(TICKS), 3)),
            Values::Ticks(a, scale) => cell!(a, Cell::Timestamp(a.value(row), *scale)),
            Values::Offset(s, ticks, minutes, scale) => {
                cell!(s, Cell::TimestampOffset(ticks.value(row), minutes.value(row), *scale))
            }
            Values::Guid(a) => cell!(a, Cell::Guid(a.value(row))),
            Values::Text(a) => cell!(a, Cell::Text(a.value(row))),
            Values::Bytes(a) => cell!(a, Cell::Bytes(a.value(row))),
        }
    }
}

fn single(value: f32) -> f64 {
    value.to_string().parse().unwrap_or(f64::from(value))
}

/// A column of one value.
///
/// # Errors
/// The value is none of the type.
pub(crate) fn one(value: &Value, data_type: &DataType) -> Outcome<ArrayRef> {
    scalar::array_of(value, data_type, 1).map_err(|e| DbError::new(ErrorKind::Value, e.message()))
}

/// A decimal as text with a point, `-12.50`.
pub(crate) fn decimal_text(value: i128, scale: u8, out: &mut String) {
    let scale = usize::from(scale);
    let digits = value.unsigned_abs().to_string();
    if value < 0 {
        out.push('-');
    }
    if scale == 0 {
        out.push_str(&digits);
        return;
    }
    let whole = digits.len().saturating_sub(scale);
    out.push_str(if whole == 0 { "0" } else { &digits[..whole] });
    out.push('.');
    out.extend(std::iter::repeat_n('0', scale.saturating_sub(digits.len())));
    out.push_str(&digits[whole..]);
}

/// The text form of dates, times and GUIDs that databases read: ISO 8601 with a space.
pub(crate) fn iso_text(cell: &Cell<'_>) -> Option<String> {
    let mut out = Vec::with_capacity(32);
    write_iso(cell, &mut out).then(|| String::from_utf8(out).unwrap_or_default())
}

/// Appends what [`iso_text`] gives; false, and nothing, if the cell has no such form.
pub(crate) fn write_iso(cell: &Cell<'_>, out: &mut Vec<u8>) -> bool {
    match cell {
        Cell::Date(day) => format::date(*day, out),
        Cell::Time(nanos, scale) => format::time(nanos / 100, *scale, out),
        Cell::Timestamp(ticks, scale) => format::timestamp(*ticks, *scale, out),
        Cell::TimestampOffset(ticks, minutes, scale) => format::timestamp_offset(*ticks, *minutes, *scale, out),
        Cell::Guid(bytes) => {
            let Ok(bytes) = <&[u8; 16]>::try_from(*bytes) else { return false };
            format::guid(bytes, out);
            out.retain(|b| !matches!(b, b'{' | b'}'));
        }
        _ => return false,
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_as_text() {
        for (value, scale, expected) in
            [(0, 0, "0"), (5, 2, "0.05"), (-5, 2, "-0.05"), (12345, 2, "123.45"), (-100, 0, "-100"), (10, 1, "1.0")]
        {
            let mut out = String::new();
            decimal_text(value, scale, &mut out);
            assert_eq!(out, expected);
        }
    }

    #[test]
    fn times_as_text() {
        let day = 19_723;
        for (cell, expected) in [
            (Cell::Date(day), "2024-01-01"),
            (Cell::Time(3_723_500_000_000, 3), "01:02:03.500"),
            (Cell::Timestamp(i64::from(day) * 864_000_000_000 + 5_000_000, 3), "2024-01-01 00:00:00.500"),
            (Cell::Guid(&[0x11; 16]), "11111111-1111-1111-1111-111111111111"),
        ] {
            assert_eq!(iso_text(&cell).as_deref(), Some(expected), "{cell:?}");
        }
    }
}
