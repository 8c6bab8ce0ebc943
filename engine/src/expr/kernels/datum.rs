//! An operand: a column, or one value for all rows, which is never spread out before it must be.

use crate::diag::{Error, Result};
use crate::types::scalar::array_of;
use crate::types::{DataType, Value};
use arrow::array::types::*;
use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, StringViewArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::DataType as ArrowType;

/// A column, or one value for all rows.
#[derive(Clone, Debug)]
pub(crate) enum Datum {
    Scalar(Value),
    Array(ArrayRef),
}

impl Datum {
    /// The column's nulls; None for no nulls and for a value.
    pub fn nulls(&self) -> Option<&NullBuffer> {
        match self {
            Datum::Scalar(_) => None,
            Datum::Array(a) => a.nulls().filter(|n| n.null_count() > 0),
        }
    }

    pub fn is_scalar(&self) -> bool {
        matches!(self, Datum::Scalar(_))
    }

    pub fn is_null_scalar(&self) -> bool {
        matches!(self, Datum::Scalar(Value::Null))
    }

    /// The column itself, or a column that repeats the value.
    pub fn into_array(self, data_type: &DataType, rows: usize) -> Result<ArrayRef> {
        match self {
            Datum::Array(a) => Ok(a),
            Datum::Scalar(v) => array_of(&v, data_type, rows),
        }
    }
}

/// The rows at which any of the operands is NULL.
pub(crate) fn union_nulls<'a>(args: impl IntoIterator<Item = &'a Datum>) -> Option<NullBuffer> {
    args.into_iter().fold(None, |nulls, arg| NullBuffer::union(nulls.as_ref(), arg.nulls()))
}

/// A defect of this program: a column or value is not of the type that the expression was compiled for.
pub(crate) fn mismatch(what: &str) -> Error {
    Error::internal(format!("expression: an operand is no {what}"))
}

/// How a value is kept in a primitive array.
pub(crate) trait Physical: ArrowPrimitiveType {
    /// The value, if it is of this form.
    fn of(value: &Value) -> Option<Self::Native>;
}

macro_rules! physical {
    ($($arrow:ty => $pattern:pat => $native:expr),* $(,)?) => {
        $(impl Physical for $arrow {
            fn of(value: &Value) -> Option<Self::Native> {
                match value { $pattern => Some($native), _ => None }
            }
        })*
    };
}

physical! {
    Int8Type => Value::I1(v) => *v,
    Int16Type => Value::I2(v) => *v,
    Int32Type => Value::I4(v) => *v,
    UInt8Type => Value::UI1(v) => *v,
    UInt16Type => Value::UI2(v) => *v,
    UInt32Type => Value::UI4(v) => *v,
    UInt64Type => Value::UI8(v) => *v,
    Float32Type => Value::R4(v) => *v,
    Float64Type => Value::R8(v) => *v,
    Decimal128Type => Value::Decimal(v, _) => *v,
    Date32Type => Value::Days(v) => *v,
    Time64NanosecondType => Value::Time(v) => *v,
    TimestampMicrosecondType => Value::Timestamp(v) => *v,
}

impl Physical for Int64Type {
    fn of(value: &Value) -> Option<i64> {
        match value {
            Value::I8(v) | Value::Ticks(v) => Some(*v),
            _ => None,
        }
    }
}

impl Physical for Time32SecondType {
    fn of(value: &Value) -> Option<i32> {
        match value {
            Value::Time(nanoseconds) => Some((nanoseconds / 1_000_000_000) as i32),
            _ => None,
        }
    }
}

/// A primitive operand.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Operand<'a, N> {
    One(N),
    Many(&'a [N]),
}

impl<N: Copy> Operand<'_, N> {
    #[inline]
    pub fn get(&self, row: usize) -> N {
        match self {
            Operand::One(v) => *v,
            Operand::Many(v) => v[row],
        }
    }
}

/// The values of an operand of a primitive type. A value must not be NULL.
pub(crate) fn operand<T: Physical>(datum: &Datum) -> Result<Operand<'_, T::Native>> {
    match datum {
        Datum::Scalar(v) => T::of(v).map(Operand::One),
        Datum::Array(a) => a.as_primitive_opt::<T>().map(|a| Operand::Many(a.values())),
    }
    .ok_or_else(|| mismatch(&T::DATA_TYPE.to_string()))
}

/// An operand of any integer type but DT_UI8 beyond DT_I8, as DT_I8.
#[derive(Debug)]
pub(crate) enum Ints<'a> {
    One(i64),
    I4(&'a [i32]),
    Other(Vec<i64>),
}

impl<'a> Ints<'a> {
    pub fn new(datum: &'a Datum) -> Result<Ints<'a>> {
        fn wide<T: ArrowPrimitiveType>(a: &ArrayRef, f: impl Fn(T::Native) -> i64) -> Ints<'static> {
            Ints::Other(a.as_primitive::<T>().values().iter().map(|v| f(*v)).collect())
        }
        // No count or position reaches past DT_I8.
        let unsigned = |v: u64| i64::try_from(v).unwrap_or(i64::MAX);
        Ok(match datum {
            Datum::Scalar(v) => Ints::One(match v {
                Value::I1(v) => *v as i64,
                Value::I2(v) => *v as i64,
                Value::I4(v) => *v as i64,
                Value::I8(v) => *v,
                Value::UI1(v) => *v as i64,
                Value::UI2(v) => *v as i64,
                Value::UI4(v) => *v as i64,
                Value::UI8(v) => unsigned(*v),
                _ => return Err(mismatch("integer")),
            }),
            Datum::Array(a) => match a.data_type() {
                ArrowType::Int8 => wide::<Int8Type>(a, i64::from),
                ArrowType::Int16 => wide::<Int16Type>(a, i64::from),
                ArrowType::Int32 => Ints::I4(a.as_primitive::<Int32Type>().values()),
                ArrowType::Int64 => wide::<Int64Type>(a, |v| v),
                ArrowType::UInt8 => wide::<UInt8Type>(a, i64::from),
                ArrowType::UInt16 => wide::<UInt16Type>(a, i64::from),
                ArrowType::UInt32 => wide::<UInt32Type>(a, i64::from),
                ArrowType::UInt64 => wide::<UInt64Type>(a, unsigned),
                _ => return Err(mismatch("integer")),
            },
        })
    }

    #[inline]
    pub fn get(&self, row: usize) -> i64 {
        match self {
            Ints::One(v) => *v,
            Ints::I4(v) => i64::from(v[row]),
            Ints::Other(v) => v[row],
        }
    }
}

/// A text operand.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Texts<'a> {
    One(&'a str),
    Many(&'a StringViewArray),
}

impl<'a> Texts<'a> {
    pub fn new(datum: &'a Datum) -> Result<Texts<'a>> {
        match datum {
            Datum::Scalar(Value::Text(t)) => Some(Texts::One(t)),
            Datum::Array(a) => a.as_string_view_opt().map(Texts::Many),
            _ => None,
        }
        .ok_or_else(|| mismatch("text"))
    }

    #[inline]
    pub fn get(&self, row: usize) -> &'a str {
        match self {
            Texts::One(t) => t,
            Texts::Many(a) => a.value(row),
        }
    }
}

/// A Boolean operand.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Bools<'a> {
    One(bool),
    Many(&'a BooleanArray),
}

impl<'a> Bools<'a> {
    pub fn new(datum: &'a Datum) -> Result<Bools<'a>> {
        match datum {
            Datum::Scalar(Value::Bool(v)) => Some(Bools::One(*v)),
            Datum::Array(a) => a.as_boolean_opt().map(Bools::Many),
            _ => None,
        }
        .ok_or_else(|| mismatch("Boolean"))
    }
}
