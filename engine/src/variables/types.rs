//! The types of variables and parameters: VARTYPE and TypeCode numbers, text forms, assignment.

use crate::diag::{Error, Owner, Result, codes};
use crate::types::code_page::utf16_len;
use crate::types::decimal::{self, Rounding};
use crate::types::locale::Locale;
use crate::types::{DataType, Value, format, parse};

/// The type of a variable or parameter. It is fixed when the variable is created.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[expect(missing_docs, reason = "the variants are the names of .NET's TypeCode, as SSIS shows them")]
pub enum VariableType {
    Empty,
    DBNull,
    Int16,
    Int32,
    Single,
    Double,
    /// Currency, which old packages have.
    Currency,
    DateTime,
    #[default]
    String,
    Object,
    Boolean,
    Decimal,
    SByte,
    Byte,
    /// Stored as VARTYPE 18, so that it cannot be told from UInt16.
    Char,
    UInt32,
    Int64,
    UInt64,
}

/// VARTYPE, TypeCode, type, name.
const TYPES: [(i32, i32, VariableType, &str); 18] = [
    (0, 0, VariableType::Empty, "Empty"),
    (1, 2, VariableType::DBNull, "DBNull"),
    (2, 7, VariableType::Int16, "Int16"),
    (3, 9, VariableType::Int32, "Int32"),
    (4, 13, VariableType::Single, "Single"),
    (5, 14, VariableType::Double, "Double"),
    (6, -1, VariableType::Currency, "Currency"),
    (7, 16, VariableType::DateTime, "DateTime"),
    (8, 18, VariableType::String, "String"),
    (11, 3, VariableType::Boolean, "Boolean"),
    (13, 1, VariableType::Object, "Object"),
    (14, 15, VariableType::Decimal, "Decimal"),
    (16, 5, VariableType::SByte, "SByte"),
    (17, 6, VariableType::Byte, "Byte"),
    (18, 4, VariableType::Char, "Char"),
    (19, 10, VariableType::UInt32, "UInt32"),
    (20, 11, VariableType::Int64, "Int64"),
    (21, 12, VariableType::UInt64, "UInt64"),
];

impl VariableType {
    /// From the VARTYPE number of a `.dtsx` file.
    pub fn from_vartype(number: i32) -> Option<VariableType> {
        TYPES.iter().find(|t| t.0 == number).map(|t| t.2)
    }

    /// From the .NET TypeCode number of a project's manifest or parameters (8 is UInt16).
    pub fn from_type_code(number: i32) -> Option<VariableType> {
        let number = if number == 8 { 4 } else { number };
        TYPES.iter().find(|t| t.1 == number).map(|t| t.2)
    }

    /// From its name (`Int32`, also `UInt16`); letter case does not matter.
    pub fn from_name(name: &str) -> Option<VariableType> {
        let name = if name.eq_ignore_ascii_case("UInt16") { "Char" } else { name };
        TYPES.iter().find(|t| t.3.eq_ignore_ascii_case(name)).map(|t| t.2)
    }

    /// The VARTYPE number.
    pub fn vartype(self) -> i32 {
        TYPES.iter().find(|t| t.2 == self).map_or(0, |t| t.0)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        TYPES.iter().find(|t| t.2 == self).map_or("", |t| t.3)
    }

    /// The type that an expression sees, for a variable whose present value is `value`: a String has the length of its
    /// value. Object, Empty and DBNull are DT_NULL: expressions cannot use them.
    pub fn data_type(self, value: &Value) -> DataType {
        match self {
            VariableType::Empty | VariableType::DBNull | VariableType::Object => DataType::Null,
            VariableType::Int16 => DataType::I2,
            VariableType::Int32 => DataType::I4,
            VariableType::Single => DataType::R4,
            VariableType::Double => DataType::R8,
            VariableType::Currency => DataType::Cy,
            VariableType::DateTime => DataType::Date,
            VariableType::String => DataType::WStr { len: text_units(value) },
            VariableType::Boolean => DataType::Bool,
            VariableType::Decimal => DataType::Decimal {
                scale: match value {
                    Value::Decimal(_, scale) => *scale,
                    _ => 0,
                },
            },
            VariableType::SByte => DataType::I1,
            VariableType::Byte => DataType::UI1,
            VariableType::Char => DataType::UI2,
            VariableType::UInt32 => DataType::UI4,
            VariableType::Int64 => DataType::I8,
            VariableType::UInt64 => DataType::UI8,
        }
    }

    /// The value that a variable of this type has when the package says none.
    pub fn default_value(self) -> Value {
        match self {
            VariableType::String => Value::text(""),
            VariableType::DateTime => Value::Timestamp(OLE_EPOCH_DAYS * MICROS_PER_DAY),
            VariableType::Boolean => Value::Bool(false),
            VariableType::Empty | VariableType::DBNull | VariableType::Object => Value::Null,
            VariableType::Single => Value::R4(0.0),
            VariableType::Double => Value::R8(0.0),
            _ => self.number(0, 0).unwrap_or_default(),
        }
    }

    /// Reads the text form of packages, configurations, `--set` and the API: numbers invariant, Booleans `True`, `-1`,
    /// `0` …, dates as `9/16/2023 4:29:44 PM` or in ISO form.
    ///
    /// # Errors
    /// DTS_E_INVALIDVARIABLEVALUE if the text is no value of this type.
    pub fn parse(self, text: &str) -> Result<Value> {
        let trimmed = text.trim();
        let value = match self {
            VariableType::String => Some(Value::text(text)),
            VariableType::Empty | VariableType::DBNull | VariableType::Object => Some(Value::Null),
            VariableType::Boolean => crate::props::parse_bool(trimmed).map(Value::Bool),
            VariableType::DateTime => parse_date_time(trimmed).map(Value::Timestamp),
            VariableType::Double => trimmed.parse().ok().map(Value::R8),
            VariableType::Single => trimmed.parse().ok().map(Value::R4),
            VariableType::Decimal | VariableType::Currency => parse_decimal(trimmed).map(|(v, s)| Value::Decimal(v, s)),
            VariableType::Char => trimmed.parse().ok().map(Value::UI2).or_else(|| {
                let mut units = text.encode_utf16();
                Some(Value::UI2(units.next()?)).filter(|_| units.next().is_none())
            }),
            _ => parse_decimal(trimmed)
                .or_else(|| Some((-i128::from(crate::props::parse_bool(trimmed)?), 0)))
                .and_then(|(v, s)| self.number(v, s)),
        };
        value.ok_or_else(|| {
            let code = codes::DTS_E_INVALIDVARIABLEVALUE;
            let message = format!("{} \"{text}\" is no {}.", code.template(), self.name());
            Error::new(Owner::Package, code, message)
        })
    }

    /// The value as this type holds it: numbers convert to numbers if they fit, dates to dates; an Object takes anything.
    /// Text stays text: SSIS converts no text into a number when it assigns.
    ///
    /// # Errors
    /// DTS_E_RUNTIMEVARIABLETYPECHANGE, naming `variable`.
    pub fn coerce(self, value: Value, variable: &str) -> Result<Value> {
        let refuse = || {
            let code = codes::DTS_E_RUNTIMEVARIABLETYPECHANGE;
            Error::new(Owner::Package, code, code.message(&[&variable]))
        };
        if value.is_null() {
            return Ok(if self == VariableType::Object {
                Value::Null
            } else {
                self.null_value().ok_or_else(refuse)?
            });
        }
        let coerced = match self {
            VariableType::Object => Some(value),
            VariableType::Empty | VariableType::DBNull => None,
            VariableType::String => match value {
                Value::Text(_) => Some(value),
                Value::Guid(_) => Some(Value::text(value_text(&value))),
                _ => None,
            },
            VariableType::Boolean => match value {
                Value::Bool(_) => Some(value),
                _ => None,
            },
            VariableType::DateTime => match value {
                Value::Timestamp(_) => Some(value),
                Value::Days(days) => Some(Value::Timestamp(i64::from(days) * MICROS_PER_DAY)),
                Value::Time(nanos) => Some(Value::Timestamp(OLE_EPOCH_DAYS * MICROS_PER_DAY + nanos / 1000)),
                Value::Ticks(ticks) | Value::TicksOffset(ticks, _) => Some(Value::Timestamp(ticks.div_euclid(10))),
                _ => None,
            },
            VariableType::Char => match &value {
                Value::Text(text) => {
                    let mut units = text.encode_utf16();
                    units.next().filter(|_| units.next().is_none()).map(Value::UI2)
                }
                _ => exact(&value).and_then(|(v, s)| self.number(v, s)),
            },
            VariableType::Double => float(&value).map(Value::R8),
            VariableType::Single => float(&value).map(|v| Value::R4(v as f32)),
            _ => exact(&value).and_then(|(v, s)| self.number(v, s)),
        };
        coerced.ok_or_else(refuse)
    }

    /// What NULL becomes when it is assigned: SSIS variables of simple types hold no NULL, an expression that yields
    /// NULL leaves the type's default in a String (unconfirmed for the other types).
    fn null_value(self) -> Option<Value> {
        match self {
            VariableType::Empty | VariableType::DBNull | VariableType::Object => Some(Value::Null),
            _ => Some(self.default_value()),
        }
    }

    /// An exact number as a value of this exact type, if it fits; fractions round to even as the automation library does.
    fn number(self, unscaled: i128, scale: u8) -> Option<Value> {
        let whole = || decimal::rescale(unscaled, scale, 0, Rounding::HalfEven).unwrap_or(i128::MAX);
        Some(match self {
            VariableType::Decimal | VariableType::Currency => Value::Decimal(unscaled, scale),
            VariableType::Int16 => Value::I2(whole().try_into().ok()?),
            VariableType::Int32 => Value::I4(whole().try_into().ok()?),
            VariableType::Int64 => Value::I8(whole().try_into().ok()?),
            VariableType::SByte => Value::I1(whole().try_into().ok()?),
            VariableType::Byte => Value::UI1(whole().try_into().ok()?),
            VariableType::Char => Value::UI2(whole().try_into().ok()?),
            VariableType::UInt32 => Value::UI4(whole().try_into().ok()?),
            VariableType::UInt64 => Value::UI8(whole().try_into().ok()?),
            _ => return None,
        })
    }
}

/// Days from 1970-01-01 to 1899-12-30, day 0 of automation dates.
const OLE_EPOCH_DAYS: i64 = -25569;
const MICROS_PER_DAY: i64 = 86_400_000_000;

fn text_units(value: &Value) -> u32 {
    match value {
        Value::Text(text) => utf16_len(text) as u32,
        _ => 0,
    }
}

/// A number without loss: unscaled value and scale.
fn exact(value: &Value) -> Option<(i128, u8)> {
    Some(match value {
        Value::I1(v) => (i128::from(*v), 0),
        Value::I2(v) => (i128::from(*v), 0),
        Value::I4(v) => (i128::from(*v), 0),
        Value::I8(v) => (i128::from(*v), 0),
        Value::UI1(v) => (i128::from(*v), 0),
        Value::UI2(v) => (i128::from(*v), 0),
        Value::UI4(v) => (i128::from(*v), 0),
        Value::UI8(v) => (i128::from(*v), 0),
        Value::Decimal(v, s) => (*v, *s),
        Value::R4(v) => return parse_decimal(&v.to_string()),
        Value::R8(v) => return parse_decimal(&v.to_string()),
        _ => return None,
    })
}

fn float(value: &Value) -> Option<f64> {
    Some(match value {
        Value::R4(v) => f64::from(*v),
        Value::R8(v) => *v,
        _ => {
            let (unscaled, scale) = exact(value)?;
            decimal::to_f64(unscaled, scale)
        }
    })
}

/// Digits with an optional sign, point and exponent.
fn parse_decimal(text: &str) -> Option<(i128, u8)> {
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(at) => (&text[..at], text[at + 1..].parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (sign, digits) = match mantissa.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, mantissa.strip_prefix('+').unwrap_or(mantissa)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty() && fraction.is_empty() || !whole.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit()) {
        return None;
    }
    let mut unscaled: i128 = format!("0{whole}{fraction}").parse().ok()?;
    let mut scale = fraction.len() as i32 - exponent;
    while scale < 0 {
        unscaled = unscaled.checked_mul(10)?;
        scale += 1;
    }
    Some((sign * unscaled, u8::try_from(scale).ok().filter(|s| *s <= 38)?))
}

/// Date text of packages (en-US, with or without a time) and ISO text, as microseconds since 1970-01-01.
fn parse_date_time(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    let ticks = parse::parse_timestamp(bytes, package_locale()).ok();
    let date = || Some(i64::from(parse::parse_date(bytes, package_locale()).ok()?) * MICROS_PER_DAY);
    ticks.map(|ticks| ticks.div_euclid(10)).or_else(date)
}

/// The locale of dates and numbers inside packages, whatever locale the package has: en-US.
fn package_locale() -> &'static Locale {
    Locale::of(1033)
}

fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut out = Vec::new();
    write(&mut out);
    String::from_utf8_lossy(&out).into_owned()
}

/// A value in the invariant text form of packages, as a property takes it: Booleans `True` and `False`, numbers with a
/// point, dates as [`VariableType::parse`] reads them. NULL and objects are "".
pub fn value_text(value: &Value) -> String {
    let date = |micros| written(|out| format::date_of_locale(micros, package_locale(), out));
    match value {
        Value::Null | Value::Object(_) => String::new(),
        Value::Bool(v) => written(|out| format::boolean(*v, out)),
        Value::R4(v) => written(|out| format::r4(*v, package_locale(), out)),
        Value::R8(v) => written(|out| format::r8(*v, package_locale(), out)),
        Value::Days(days) => date(i64::from(*days) * MICROS_PER_DAY * 10),
        Value::Time(nanos) => {
            written(|out| format::time(nanos / 100, if nanos % 1_000_000_000 == 0 { 0 } else { 7 }, out))
        }
        Value::Timestamp(micros) => date(micros.saturating_mul(10)),
        Value::Ticks(ticks) | Value::TicksOffset(ticks, _) => date(*ticks),
        Value::Guid(bytes) => written(|out| format::guid(bytes, out)),
        Value::Text(text) => text.to_string(),
        Value::Bytes(bytes) => written(|out| format::hex(bytes, out)),
        number => match exact(number) {
            Some((v, s)) => written(|out| format::decimal(v, s, package_locale(), out)),
            None => String::new(),
        },
    }
}

/// The `DT_*` type that a value has by itself, where nobody says one.
pub fn natural_type(value: &Value) -> DataType {
    match value {
        Value::Null | Value::Object(_) => DataType::Null,
        Value::Bool(_) => DataType::Bool,
        Value::I1(_) => DataType::I1,
        Value::I2(_) => DataType::I2,
        Value::I4(_) => DataType::I4,
        Value::I8(_) => DataType::I8,
        Value::UI1(_) => DataType::UI1,
        Value::UI2(_) => DataType::UI2,
        Value::UI4(_) => DataType::UI4,
        Value::UI8(_) => DataType::UI8,
        Value::R4(_) => DataType::R4,
        Value::R8(_) => DataType::R8,
        Value::Decimal(_, scale) => DataType::Numeric { precision: 38, scale: *scale },
        Value::Days(_) => DataType::DbDate,
        Value::Time(_) => DataType::DbTime2 { scale: 7 },
        Value::Timestamp(_) => DataType::Date,
        Value::Ticks(_) => DataType::DbTimeStamp2 { scale: 7 },
        Value::TicksOffset(..) => DataType::DbTimeStampOffset { scale: 7 },
        Value::Guid(_) => DataType::Guid,
        Value::Text(_) => DataType::WStr { len: text_units(value) },
        Value::Bytes(bytes) => DataType::Bytes { len: bytes.len() as u32 },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names_agree() {
        for (vartype, type_code, ty, name) in TYPES {
            assert_eq!(VariableType::from_vartype(vartype), Some(ty));
            assert_eq!(VariableType::from_name(name), Some(ty));
            assert_eq!(ty.vartype(), vartype);
            if type_code >= 0 {
                assert_eq!(VariableType::from_type_code(type_code), Some(ty));
            }
        }
        assert_eq!(VariableType::from_type_code(8), Some(VariableType::Char));
        assert_eq!(VariableType::from_vartype(99), None);
    }

    #[test]
    fn package_text_is_read() {
        use VariableType as T;
        for (ty, text, expected) in [
            (T::Int32, " 42 ", Some(Value::I4(42))),
            (T::Int32, "3000000000", None),
            (T::Int32, "x", None),
            (T::Int32, "True", Some(Value::I4(-1))),
            (T::Boolean, "-1", Some(Value::Bool(true))),
            (T::Boolean, "False", Some(Value::Bool(false))),
            (T::Boolean, "maybe", None),
            (T::String, " a ", Some(Value::text(" a "))),
            (T::Double, "1.5E2", Some(Value::R8(150.0))),
            (T::Decimal, "-12.340", Some(Value::Decimal(-12340, 3))),
            (T::Decimal, "1E3", Some(Value::Decimal(1000, 0))),
            (T::Char, "65", Some(Value::UI2(65))),
            (T::Char, "A", Some(Value::UI2(65))),
            (T::DateTime, "1/1/1970 12:00:01 AM", Some(Value::Timestamp(1_000_000))),
            (T::DateTime, "1/2/1970", Some(Value::Timestamp(86_400_000_000))),
            (T::DateTime, "1970-01-01T00:00:00.5", Some(Value::Timestamp(500_000))),
            (T::Object, "anything", Some(Value::Null)),
        ] {
            assert_eq!(ty.parse(text).ok(), expected, "{ty:?} {text:?}");
        }
    }

    #[test]
    fn assignment_keeps_the_type() {
        use VariableType as T;
        for (ty, value, expected) in [
            (T::Int32, Value::I8(7), Some(Value::I4(7))),
            (T::Int32, Value::I8(1 << 40), None),
            (T::Int32, Value::text("7"), None),
            (T::Int32, Value::Bool(true), None),
            (T::Int32, Value::Decimal(25, 1), Some(Value::I4(2))),
            (T::Int32, Value::Decimal(35, 1), Some(Value::I4(4))),
            (T::String, Value::I4(7), None),
            (T::String, Value::Null, Some(Value::text(""))),
            (T::Double, Value::I4(7), Some(Value::R8(7.0))),
            (T::DateTime, Value::Days(1), Some(Value::Timestamp(86_400_000_000))),
            (T::Object, Value::I4(7), Some(Value::I4(7))),
            (T::Char, Value::text("A"), Some(Value::UI2(65))),
            (T::Decimal, Value::R8(0.25), Some(Value::Decimal(25, 2))),
        ] {
            assert_eq!(ty.coerce(value.clone(), "User::X").ok(), expected, "{ty:?} {value:?}");
        }
        let error = T::Int32.coerce(Value::text("7"), "User::X").unwrap_err();
        assert_eq!(error.code(), Some(codes::DTS_E_RUNTIMEVARIABLETYPECHANGE));
        assert!(error.message().contains("User::X"), "{error}");
    }

    #[test]
    fn values_print_as_packages_write_them() {
        for (value, expected) in [
            (Value::Bool(true), "True"),
            (Value::Decimal(-5, 2), "-0.05"),
            (Value::R8(1.0), "1"),
            (Value::Timestamp(1_694_881_784_000_000), "9/16/2023 4:29:44 PM"),
            (Value::Timestamp(86_400_000_000), "1/2/1970"),
            (Value::Time(3_723_000_000_000), "01:02:03"),
            (Value::Time(3_723_500_000_000), "01:02:03.5000000"),
            (Value::Null, ""),
        ] {
            assert_eq!(value_text(&value), expected);
        }
    }
}
