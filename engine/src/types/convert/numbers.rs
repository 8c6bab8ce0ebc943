//! Numbers and booleans among each other.

use super::{Cx, wrong_array};
use crate::diag::Result;
use crate::types::DataType;
use crate::types::decimal::{self, POW10, Rounding};
use crate::types::parse::{Int, ParseError};
use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, PrimitiveArray};
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::*;
use std::sync::Arc;

type Converted<T> = std::result::Result<T, ParseError>;

/// Runs `$body` with `$arrow` standing for the Arrow type of an integer type.
macro_rules! with_int {
    ($data_type:expr, $arrow:ident => $body:expr, else $other:expr) => {
        match $data_type {
            DataType::I1 => {
                type $arrow = Int8Type;
                $body
            }
            DataType::I2 => {
                type $arrow = Int16Type;
                $body
            }
            DataType::I4 => {
                type $arrow = Int32Type;
                $body
            }
            DataType::I8 => {
                type $arrow = Int64Type;
                $body
            }
            DataType::UI1 => {
                type $arrow = UInt8Type;
                $body
            }
            DataType::UI2 => {
                type $arrow = UInt16Type;
                $body
            }
            DataType::UI4 => {
                type $arrow = UInt32Type;
                $body
            }
            DataType::UI8 => {
                type $arrow = UInt64Type;
                $body
            }
            _ => $other,
        }
    };
}
pub(super) use with_int;

/// The range and scale of a decimal type.
#[derive(Clone, Copy)]
pub(super) struct DecimalTarget {
    pub scale: u8,
    low: i128,
    high: i128,
    /// What happens to fraction digits beyond the scale.
    pub rounding: Rounding,
}

impl DecimalTarget {
    /// Of DT_CY, DT_DECIMAL, DT_NUMERIC; None for other types.
    pub fn of(data_type: &DataType) -> Option<DecimalTarget> {
        let (scale, high, rounding) = match data_type {
            DataType::Cy => (4, i64::MAX as i128, decimal::CURRENCY_ROUNDING),
            DataType::Decimal { scale } => (*scale, decimal::MAX_DECIMAL, decimal::EXCESS_FRACTION),
            DataType::Numeric { precision, scale } => {
                (*scale, POW10[(*precision).min(38) as usize] - 1, decimal::EXCESS_FRACTION)
            }
            _ => return None,
        };
        let low = if *data_type == DataType::Cy { i64::MIN as i128 } else { -high };
        Some(DecimalTarget { scale, low, high, rounding })
    }

    #[inline]
    pub fn fit(&self, value: i128) -> Converted<i128> {
        if value < self.low || value > self.high { Err(ParseError::Overflow) } else { Ok(value) }
    }

    /// A value of another scale.
    #[inline]
    pub fn rescale(&self, value: i128, from: u8) -> Converted<i128> {
        if from > self.scale && self.rounding == Rounding::Truncate {
            // Most values are short, and short division is several times faster.
            if let (Ok(short), Some(divisor)) = (i64::try_from(value), POW10.get((from - self.scale) as usize))
                && let Ok(divisor) = i64::try_from(*divisor)
            {
                return self.fit((short / divisor) as i128);
            }
        }
        self.fit(decimal::rescale(value, from, self.scale, self.rounding).ok_or(ParseError::Overflow)?)
    }

    pub fn of_f64(&self, value: f64) -> Converted<i128> {
        // DT_CY takes the double as it is, the others its fifteen digits.
        let result = if self.rounding == decimal::CURRENCY_ROUNDING && self.low == i64::MIN as i128 {
            decimal::currency_from_f64(value).map(i128::from)
        } else {
            decimal::from_f64(value, self.scale, self.rounding)
        };
        self.fit(result.ok_or(ParseError::Overflow)?)
    }
}

/// A double to an integer, its fraction treated as [`decimal::INTEGER_ROUNDING`] says.
#[inline]
pub(super) fn int_of_f64<T: Int>(value: f64) -> Converted<T> {
    let whole = match decimal::INTEGER_ROUNDING {
        Rounding::Truncate => value.trunc(),
        Rounding::HalfEven => value.round_ties_even(),
        Rounding::HalfUp => value.round(),
    };
    if (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&whole) {
        T::from_i64(whole as i64)
    } else if (0.0..18_446_744_073_709_551_616.0).contains(&whole) {
        T::from_i128(whole as u64 as i128)
    } else if !T::SIGNED && whole < 0.0 {
        Err(ParseError::Sign)
    } else {
        Err(ParseError::Overflow)
    }
}

#[inline]
fn int_of_decimal<T: Int>(value: i128, scale: u8) -> Converted<T> {
    T::from_i128(decimal::rescale(value, scale, 0, decimal::INTEGER_ROUNDING).ok_or(ParseError::Overflow)?)
}

#[inline]
fn f32_of_f64(value: f64) -> Converted<f32> {
    let single = value as f32;
    if single.is_infinite() && value.is_finite() { Err(ParseError::Overflow) } else { Ok(single) }
}

/// TRUE as a number: -1, as VARIANT_TRUE; in an unsigned type 1 (unconfirmed).
#[inline]
fn bool_number(value: bool, signed: bool) -> i64 {
    match (value, signed) {
        (false, _) => 0,
        (true, true) => -1,
        (true, false) => 1,
    }
}

fn booleans(array: &dyn Array, value: impl FnMut(usize) -> bool) -> ArrayRef {
    Arc::new(BooleanArray::new(BooleanBuffer::collect_bool(array.len(), value), array.nulls().cloned()))
}

fn primitive<'a, T: ArrowPrimitiveType>(array: &'a ArrayRef, from: &DataType) -> Result<&'a PrimitiveArray<T>> {
    array.as_primitive_opt::<T>().ok_or_else(|| wrong_array(array, from))
}

pub(super) fn cast(cx: &mut Cx, array: &ArrayRef, from: &DataType, to: &DataType) -> Result<ArrayRef> {
    match from {
        DataType::R4 => {
            let values = primitive::<Float32Type>(array, from)?.values();
            match (to, DecimalTarget::of(to)) {
                (DataType::Cy, Some(target)) => {
                    Ok(cx.primitive::<Decimal128Type>(array, to, |_, i| target.of_f64(values[i] as f64)))
                }
                (_, Some(target)) => Ok(cx.primitive::<Decimal128Type>(array, to, |_, i| {
                    let value = decimal::from_f32(values[i], target.scale, target.rounding);
                    target.fit(value.ok_or(ParseError::Overflow)?)
                })),
                _ => from_doubles(cx, array, to, |i| values[i] as f64),
            }
        }
        DataType::R8 => {
            let values = primitive::<Float64Type>(array, from)?.values();
            from_doubles(cx, array, to, |i| values[i])
        }
        DataType::Cy | DataType::Decimal { .. } | DataType::Numeric { .. } => {
            let scale = if *from == DataType::Cy { 4 } else { from.scale() };
            let values = primitive::<Decimal128Type>(array, from)?.values();
            from_decimals(cx, array, to, scale, |i| values[i])
        }
        DataType::Bool => {
            let values = array.as_boolean_opt().ok_or_else(|| wrong_array(array, from))?.values();
            let signed = !matches!(to, DataType::UI1 | DataType::UI2 | DataType::UI4 | DataType::UI8);
            from_ints(cx, array, to, |i| bool_number(values.value(i), signed))
        }
        _ => with_int!(from, Source => {
            let values = primitive::<Source>(array, from)?.values();
            from_ints(cx, array, to, |i| values[i])
        }, else Err(wrong_array(array, from))),
    }
}

fn from_ints<T: Int>(cx: &mut Cx, array: &ArrayRef, to: &DataType, value: impl Fn(usize) -> T) -> Result<ArrayRef> {
    if let Some(target) = DecimalTarget::of(to) {
        let factor = POW10[target.scale.min(38) as usize];
        return Ok(cx.primitive::<Decimal128Type>(array, to, |_, i| {
            let value = value(i).to_i128();
            // 20 digits times 10^18 stay within 128 bits.
            let scaled = if target.scale <= 18 { Some(value.wrapping_mul(factor)) } else { value.checked_mul(factor) };
            target.fit(scaled.ok_or(ParseError::Overflow)?)
        }));
    }
    Ok(match to {
        DataType::Bool => booleans(array, |i| value(i).to_i128() != 0),
        DataType::R4 => cx.primitive::<Float32Type>(array, to, |_, i| Ok(value(i).to_f64() as f32)),
        DataType::R8 => cx.primitive::<Float64Type>(array, to, |_, i| Ok(value(i).to_f64())),
        _ => with_int!(to, Target => {
            cx.primitive::<Target>(array, to, |_, i| Int::from_i128(value(i).to_i128()))
        }, else return Err(wrong_array(array, to))),
    })
}

/// From DT_R8, and from DT_R4 to what takes it as a double.
pub(super) fn from_doubles(
    cx: &mut Cx,
    array: &dyn Array,
    to: &DataType,
    value: impl Fn(usize) -> f64,
) -> Result<ArrayRef> {
    if let Some(target) = DecimalTarget::of(to) {
        return Ok(cx.primitive::<Decimal128Type>(array, to, |_, i| target.of_f64(value(i))));
    }
    Ok(match to {
        DataType::Bool => booleans(array, |i| value(i) != 0.0),
        DataType::R4 => cx.primitive::<Float32Type>(array, to, |_, i| f32_of_f64(value(i))),
        DataType::R8 => cx.primitive::<Float64Type>(array, to, |_, i| Ok(value(i))),
        _ => with_int!(to, Target => {
            cx.primitive::<Target>(array, to, |_, i| int_of_f64(value(i)))
        }, else return Err(wrong_array(array, to))),
    })
}

fn from_decimals(
    cx: &mut Cx,
    array: &ArrayRef,
    to: &DataType,
    scale: u8,
    value: impl Fn(usize) -> i128,
) -> Result<ArrayRef> {
    if let Some(target) = DecimalTarget::of(to) {
        return Ok(cx.primitive::<Decimal128Type>(array, to, |_, i| target.rescale(value(i), scale)));
    }
    Ok(match to {
        DataType::Bool => booleans(array, |i| value(i) != 0),
        DataType::R4 => cx.primitive::<Float32Type>(array, to, |_, i| f32_of_f64(decimal::to_f64(value(i), scale))),
        DataType::R8 => cx.primitive::<Float64Type>(array, to, |_, i| Ok(decimal::to_f64(value(i), scale))),
        _ => with_int!(to, Target => {
            cx.primitive::<Target>(array, to, |_, i| int_of_decimal(value(i), scale))
        }, else return Err(wrong_array(array, to))),
    })
}

/// A numeric or boolean column as doubles, for day numbers.
pub(super) fn doubles(array: &ArrayRef, from: &DataType) -> Result<Vec<f64>> {
    let rows = 0..array.len();
    Ok(match from {
        DataType::R4 => primitive::<Float32Type>(array, from)?.values().iter().map(|v| *v as f64).collect(),
        DataType::R8 => primitive::<Float64Type>(array, from)?.values().to_vec(),
        DataType::Cy | DataType::Decimal { .. } | DataType::Numeric { .. } => {
            let scale = if *from == DataType::Cy { 4 } else { from.scale() };
            let values = primitive::<Decimal128Type>(array, from)?.values();
            values.iter().map(|v| decimal::to_f64(*v, scale)).collect()
        }
        DataType::Bool => {
            let values = array.as_boolean_opt().ok_or_else(|| wrong_array(array, from))?.values();
            rows.map(|i| bool_number(values.value(i), true) as f64).collect()
        }
        _ => with_int!(from, Source => {
            primitive::<Source>(array, from)?.values().iter().map(|v| v.to_f64()).collect()
        }, else return Err(wrong_array(array, from))),
    })
}
