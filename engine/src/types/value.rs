//! One scalar value: what a variable holds, what an expression over no columns yields.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

/// A scalar in the physical form of [`super::DataType`]. Which `DT_*` type it has is said beside it, never inside.
#[derive(Clone, Default)]
pub enum Value {
    /// NULL, of whatever type stands beside it.
    #[default]
    Null,
    /// DT_BOOL.
    Bool(bool),
    /// DT_I1.
    I1(i8),
    /// DT_I2.
    I2(i16),
    /// DT_I4.
    I4(i32),
    /// DT_I8.
    I8(i64),
    /// DT_UI1.
    UI1(u8),
    /// DT_UI2.
    UI2(u16),
    /// DT_UI4.
    UI4(u32),
    /// DT_UI8.
    UI8(u64),
    /// DT_R4.
    R4(f32),
    /// DT_R8.
    R8(f64),
    /// DT_CY, DT_DECIMAL, DT_NUMERIC: unscaled value and scale.
    Decimal(i128, u8),
    /// DT_DBDATE: days since 1970-01-01.
    Days(i32),
    /// DT_DBTIME, DT_DBTIME2: nanoseconds since midnight.
    Time(i64),
    /// DT_DATE, DT_DBTIMESTAMP: microseconds since 1970-01-01.
    Timestamp(i64),
    /// DT_DBTIMESTAMP2, DT_FILETIME: 100 ns since 1970-01-01.
    Ticks(i64),
    /// DT_DBTIMESTAMPOFFSET: 100 ns since 1970-01-01 UTC, and the offset in minutes.
    TicksOffset(i64, i16),
    /// DT_GUID, bytes in the order of the text form.
    Guid([u8; 16]),
    /// DT_STR, DT_WSTR, DT_TEXT, DT_NTEXT.
    Text(Arc<str>),
    /// DT_BYTES, DT_IMAGE.
    Bytes(Arc<[u8]>),
    /// The value of an Object variable: a recordset, a list; opaque to expressions.
    Object(Arc<dyn Any + Send + Sync>),
}

impl Value {
    /// A text value.
    pub fn text(text: impl AsRef<str>) -> Value {
        Value::Text(Arc::from(text.as_ref()))
    }

    /// Whether this is NULL.
    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Null => f.write_str("Null"),
            Value::Bool(v) => write!(f, "Bool({v})"),
            Value::I1(v) => write!(f, "I1({v})"),
            Value::I2(v) => write!(f, "I2({v})"),
            Value::I4(v) => write!(f, "I4({v})"),
            Value::I8(v) => write!(f, "I8({v})"),
            Value::UI1(v) => write!(f, "UI1({v})"),
            Value::UI2(v) => write!(f, "UI2({v})"),
            Value::UI4(v) => write!(f, "UI4({v})"),
            Value::UI8(v) => write!(f, "UI8({v})"),
            Value::R4(v) => write!(f, "R4({v})"),
            Value::R8(v) => write!(f, "R8({v})"),
            Value::Decimal(v, s) => write!(f, "Decimal({v}, {s})"),
            Value::Days(v) => write!(f, "Days({v})"),
            Value::Time(v) => write!(f, "Time({v})"),
            Value::Timestamp(v) => write!(f, "Timestamp({v})"),
            Value::Ticks(v) => write!(f, "Ticks({v})"),
            Value::TicksOffset(v, o) => write!(f, "TicksOffset({v}, {o})"),
            Value::Guid(v) => write!(f, "Guid({v:02x?})"),
            Value::Text(v) => write!(f, "Text({v:?})"),
            Value::Bytes(v) => write!(f, "Bytes({} bytes)", v.len()),
            Value::Object(_) => f.write_str("Object"),
        }
    }
}

/// Equality of representation; NULL equals NULL, floats are equal bit by bit, two objects are equal when they are the same
/// object.
impl PartialEq for Value {
    fn eq(&self, other: &Value) -> bool {
        match (self, other) {
            (Value::Null, Value::Null) => true,
            (Value::Bool(a), Value::Bool(b)) => a == b,
            (Value::I1(a), Value::I1(b)) => a == b,
            (Value::I2(a), Value::I2(b)) => a == b,
            (Value::I4(a), Value::I4(b)) => a == b,
            (Value::I8(a), Value::I8(b)) => a == b,
            (Value::UI1(a), Value::UI1(b)) => a == b,
            (Value::UI2(a), Value::UI2(b)) => a == b,
            (Value::UI4(a), Value::UI4(b)) => a == b,
            (Value::UI8(a), Value::UI8(b)) => a == b,
            (Value::R4(a), Value::R4(b)) => a.to_bits() == b.to_bits(),
            (Value::R8(a), Value::R8(b)) => a.to_bits() == b.to_bits(),
            (Value::Decimal(a, s), Value::Decimal(b, t)) => (a, s) == (b, t),
            (Value::Days(a), Value::Days(b)) => a == b,
            (Value::Time(a), Value::Time(b)) => a == b,
            (Value::Timestamp(a), Value::Timestamp(b)) => a == b,
            (Value::Ticks(a), Value::Ticks(b)) => a == b,
            (Value::TicksOffset(a, o), Value::TicksOffset(b, p)) => (a, o) == (b, p),
            (Value::Guid(a), Value::Guid(b)) => a == b,
            (Value::Text(a), Value::Text(b)) => a == b,
            (Value::Bytes(a), Value::Bytes(b)) => a == b,
            (Value::Object(a), Value::Object(b)) => Arc::ptr_eq(a, b),
            _ => false,
        }
    }
}
