//! `+ - * / %`, unary minus and the bitwise operators.
//!
//! Each loop computes all rows with a flag for overflow; only when a row raised it does a second pass look for the rows
//! that have values, so that what lies under a NULL raises no fault.

use super::datum::{Datum, Operand, Physical, mismatch, operand};
use super::{Computed, fault, is_valid, null_out};
use crate::batch::Faults;
use crate::diag::{Code, Result, codes};
use crate::expr::ast::BinaryOp;
use crate::types::DataType;
use crate::types::decimal::{self, POW10};
use arrow::array::PrimitiveArray;
use arrow::array::types::*;
use arrow::buffer::NullBuffer;
use std::sync::Arc;

/// Whether a float result that leaves the finite numbers is an overflow and not an infinity (unconfirmed).
pub(crate) const FLOAT_OVERFLOW_FAULTS: bool = true;

/// A binary operator on two operands and what it needs to know of the rows.
pub(crate) struct Binary<'a> {
    pub op: BinaryOp,
    pub a: &'a Datum,
    pub b: &'a Datum,
    /// Scales of decimal operands.
    pub scales: (u8, u8),
    /// Type of the result; integer and float operands are of this type too.
    pub result: &'a DataType,
    pub rows: usize,
    pub nulls: Option<NullBuffer>,
}

/// Arithmetic and bitwise operators. No operand is a NULL value.
pub(crate) fn binary(x: Binary<'_>) -> Result<Computed> {
    match x.result {
        DataType::I1 => integer::<Int8Type>(x),
        DataType::I2 => integer::<Int16Type>(x),
        DataType::I4 => integer::<Int32Type>(x),
        DataType::I8 => integer::<Int64Type>(x),
        DataType::UI1 => integer::<UInt8Type>(x),
        DataType::UI2 => integer::<UInt16Type>(x),
        DataType::UI4 => integer::<UInt32Type>(x),
        DataType::UI8 => integer::<UInt64Type>(x),
        DataType::R4 => float::<Float32Type>(x),
        DataType::R8 => float::<Float64Type>(x),
        DataType::Cy => currency(x),
        DataType::Decimal { .. } | DataType::Numeric { .. } => numeric(x),
        _ => Err(mismatch("number")),
    }
}

/// Applies `f` to every row; rows for which it raises the flag get the code that `why` gives.
fn compute<T: Physical>(
    x: &Binary<'_>,
    f: impl Fn(T::Native, T::Native) -> (T::Native, bool),
    why: impl Fn(T::Native, T::Native) -> Code,
) -> Result<Computed> {
    let (a, b) = (operand::<T>(x.a)?, operand::<T>(x.b)?);
    let mut raised = false;
    let mut values: Vec<T::Native> = Vec::with_capacity(x.rows);
    match (a, b) {
        (Operand::Many(a), Operand::Many(b)) => values.extend(a.iter().zip(b).map(|(a, b)| {
            let (value, flag) = f(*a, *b);
            raised |= flag;
            value
        })),
        (Operand::Many(a), Operand::One(b)) => values.extend(a.iter().map(|a| {
            let (value, flag) = f(*a, b);
            raised |= flag;
            value
        })),
        (Operand::One(a), Operand::Many(b)) => values.extend(b.iter().map(|b| {
            let (value, flag) = f(a, *b);
            raised |= flag;
            value
        })),
        (Operand::One(a), Operand::One(b)) => {
            let (value, flag) = f(a, b);
            raised |= flag;
            values.resize(x.rows, value);
        }
    }
    let mut faults = Faults::new();
    if raised {
        for row in 0..x.rows {
            let (a, b) = (a.get(row), b.get(row));
            if f(a, b).1 && is_valid(x.nulls.as_ref(), row) {
                faults.push(fault(row, why(a, b)));
            }
        }
    }
    let nulls = null_out(x.nulls.clone(), x.rows, &faults);
    let array = PrimitiveArray::<T>::try_new(values.into(), nulls)?.with_data_type(x.result.arrow());
    Ok((Arc::new(array), faults))
}

/// What an integer type can do; the flag says that the result does not fit.
trait Integer: Copy + PartialEq + Default {
    fn add(self, other: Self) -> (Self, bool);
    fn subtract(self, other: Self) -> (Self, bool);
    fn multiply(self, other: Self) -> (Self, bool);
    /// Flagged for a divisor of 0 as well.
    fn divide(self, other: Self) -> (Self, bool);
    /// Flagged for a divisor of 0; the sign is that of the dividend (unconfirmed).
    fn modulo(self, other: Self) -> (Self, bool);
    fn and(self, other: Self) -> Self;
    fn or(self, other: Self) -> Self;
    fn xor(self, other: Self) -> Self;
    fn negate(self) -> (Self, bool);
    fn complement(self) -> Self;
}

macro_rules! integer {
    ($($t:ty),*) => {
        $(impl Integer for $t {
            #[inline]
            fn add(self, other: Self) -> (Self, bool) { self.overflowing_add(other) }
            #[inline]
            fn subtract(self, other: Self) -> (Self, bool) { self.overflowing_sub(other) }
            #[inline]
            fn multiply(self, other: Self) -> (Self, bool) { self.overflowing_mul(other) }
            #[inline]
            fn divide(self, other: Self) -> (Self, bool) {
                if other == 0 { (0, true) } else { self.overflowing_div(other) }
            }
            #[inline]
            fn modulo(self, other: Self) -> (Self, bool) {
                if other == 0 { (0, true) } else { (self.wrapping_rem(other), false) }
            }
            #[inline]
            fn and(self, other: Self) -> Self { self & other }
            #[inline]
            fn or(self, other: Self) -> Self { self | other }
            #[inline]
            fn xor(self, other: Self) -> Self { self ^ other }
            #[inline]
            fn negate(self) -> (Self, bool) { self.overflowing_neg() }
            #[inline]
            fn complement(self) -> Self { !self }
        })*
    };
}

integer!(i8, i16, i32, i64, u8, u16, u32, u64);

const OVERFLOW: Code = codes::DTS_E_EXPREVALBINARYOPOVERFLOW;
const ZERO: Code = codes::DTS_E_EXPREVALDIVBYZERO;

fn integer<T: Physical>(x: Binary<'_>) -> Result<Computed>
where
    T::Native: Integer,
{
    let overflow = |_, _| OVERFLOW;
    let division = |_, b: T::Native| if b == T::Native::default() { ZERO } else { OVERFLOW };
    match x.op {
        BinaryOp::Add => compute::<T>(&x, Integer::add, overflow),
        BinaryOp::Subtract => compute::<T>(&x, Integer::subtract, overflow),
        BinaryOp::Multiply => compute::<T>(&x, Integer::multiply, overflow),
        BinaryOp::Divide => compute::<T>(&x, Integer::divide, division),
        BinaryOp::Modulo => compute::<T>(&x, Integer::modulo, division),
        BinaryOp::BitAnd => compute::<T>(&x, |a, b| (a.and(b), false), overflow),
        BinaryOp::BitOr => compute::<T>(&x, |a, b| (a.or(b), false), overflow),
        BinaryOp::BitXor => compute::<T>(&x, |a, b| (a.xor(b), false), overflow),
        _ => Err(mismatch("arithmetic operator")),
    }
}

trait Float: Copy + PartialEq + Default + std::ops::Add<Output = Self> {
    fn finite(self) -> bool;
    fn apply(self, op: BinaryOp, other: Self) -> Self;
}

macro_rules! float {
    ($($t:ty),*) => {
        $(impl Float for $t {
            #[inline]
            fn finite(self) -> bool { self.is_finite() }
            #[inline]
            fn apply(self, op: BinaryOp, other: Self) -> Self {
                match op {
                    BinaryOp::Add => self + other,
                    BinaryOp::Subtract => self - other,
                    BinaryOp::Multiply => self * other,
                    _ => self / other,
                }
            }
        })*
    };
}

float!(f32, f64);

fn float<T: Physical>(x: Binary<'_>) -> Result<Computed>
where
    T::Native: Float,
{
    let op = x.op;
    let checked = |a: T::Native, b: T::Native| {
        let value = a.apply(op, b);
        (value, FLOAT_OVERFLOW_FAULTS && !value.finite() && a.finite() && b.finite())
    };
    match op {
        BinaryOp::Divide => {
            let zero = T::Native::default();
            compute::<T>(
                &x,
                |a, b| if b == zero { (zero, true) } else { checked(a, b) },
                |_, b| if b == zero { ZERO } else { OVERFLOW },
            )
        }
        BinaryOp::Add | BinaryOp::Subtract | BinaryOp::Multiply => compute::<T>(&x, checked, |_, _| OVERFLOW),
        _ => Err(mismatch("arithmetic operator")),
    }
}

/// DT_CY with DT_CY: the unscaled values are 64-bit integers of ten-thousandths.
fn currency(x: Binary<'_>) -> Result<Computed> {
    let fit = |v: Option<i128>| match v {
        Some(v) if i64::try_from(v).is_ok() => (v, false),
        _ => (0, true),
    };
    let overflow = |_, _| OVERFLOW;
    match x.op {
        BinaryOp::Add => compute::<Decimal128Type>(&x, |a, b| fit(a.checked_add(b)), overflow),
        BinaryOp::Subtract => compute::<Decimal128Type>(&x, |a, b| fit(a.checked_sub(b)), overflow),
        BinaryOp::Multiply => {
            compute::<Decimal128Type>(&x, |a, b| fit(a.checked_mul(b).and_then(currency_product)), overflow)
        }
        BinaryOp::Divide => compute::<Decimal128Type>(
            &x,
            |a, b| if b == 0 { (0, true) } else { fit(currency_quotient(a, b)) },
            |_, b| if b == 0 { ZERO } else { OVERFLOW },
        ),
        _ => Err(mismatch("arithmetic operator")),
    }
}

/// Ten-thousandths of a product, of hundred-millionths: rounded as all DT_CY are.
#[inline]
fn currency_product(product: i128) -> Option<i128> {
    let Ok(small) = i64::try_from(product) else {
        return decimal::rescale(product, 8, 4, decimal::CURRENCY_ROUNDING);
    };
    let (quotient, rest) = (small / 10_000, small % 10_000);
    let up = rest.abs() > 5_000 || rest.abs() == 5_000 && quotient % 2 != 0;
    Some(i128::from(if up { quotient + rest.signum() } else { quotient }))
}

/// Ten-thousandths of a quotient, rounded as DT_CY is: to the nearest, a half to the even neighbour.
fn currency_quotient(a: i128, b: i128) -> Option<i128> {
    let scaled = a.checked_mul(10_000)?;
    let (quotient, rest) = (scaled / b, (scaled % b).unsigned_abs());
    let other = b.unsigned_abs() - rest;
    let up = rest > other || rest == other && quotient % 2 != 0;
    Some(if !up {
        quotient
    } else if (a < 0) != (b < 0) {
        quotient - 1
    } else {
        quotient + 1
    })
}

/// DT_NUMERIC: the typing gives the result room for every digit, so the 128-bit paths take all rows but those whose
/// operands are beyond their own precision.
fn numeric(x: Binary<'_>) -> Result<Computed> {
    let ((s1, s2), out) = (x.scales, x.result.scale());
    let flag = |v: Option<i128>| v.map_or((0, true), |v| (v, false));
    let overflow = |_, _| codes::DTS_E_EXPREVALBINARYOPNUMERICOVERFLOW;
    let small = is_small(operand::<Decimal128Type>(x.a)?) && is_small(operand::<Decimal128Type>(x.b)?);
    match x.op {
        BinaryOp::Add | BinaryOp::Subtract => {
            let (up1, up2) = (POW10[(out - s1) as usize], POW10[(out - s2) as usize]);
            let add = x.op == BinaryOp::Add;
            if small && i64::try_from(up1).is_ok() && i64::try_from(up2).is_ok() {
                let up2 = if add { up2 } else { -up2 };
                let sum = |a, b| (wide_product(a, up1) + wide_product(b, up2), false);
                return compute::<Decimal128Type>(&x, sum, overflow);
            }
            compute::<Decimal128Type>(
                &x,
                |a, b| flag(if add { decimal::add(a, s1, b, s2, out) } else { decimal::sub(a, s1, b, s2, out) }),
                overflow,
            )
        }
        BinaryOp::Multiply if small => compute::<Decimal128Type>(&x, |a, b| (wide_product(a, b), false), overflow),
        BinaryOp::Multiply => compute::<Decimal128Type>(&x, |a, b| flag(decimal::mul(a, s1, b, s2, out)), overflow),
        BinaryOp::Divide => {
            let shift = POW10[(out + s2 - s1).min(38) as usize];
            compute::<Decimal128Type>(
                &x,
                |a, b| match (a.checked_mul(shift), b) {
                    (_, 0) => (0, true),
                    // What the result has no digit for is dropped: decimal::DIVISION_ROUNDING.
                    (Some(a), b) if decimal::DIVISION_ROUNDING == decimal::Rounding::Truncate => (a / b, false),
                    _ => flag(decimal::div(a, s1, b, s2, out)),
                },
                |_, b| if b == 0 { ZERO } else { codes::DTS_E_EXPREVALBINARYOPNUMERICOVERFLOW },
            )
        }
        _ => Err(mismatch("arithmetic operator")),
    }
}

/// Whether all values are numbers of 64 bits, as nearly all are: then no product of two leaves 128 bits.
fn is_small(values: Operand<'_, i128>) -> bool {
    let beyond = |v: i128| (v ^ v as i64 as i128) as u128;
    match values {
        Operand::One(v) => beyond(v) == 0,
        Operand::Many(values) => values.iter().fold(0, |all, v| all | beyond(*v)) == 0,
    }
}

/// The product of two numbers of 64 bits.
#[inline]
fn wide_product(a: i128, b: i128) -> i128 {
    i128::from(a as i64) * i128::from(b as i64)
}

fn unary_loop<T: Physical>(
    datum: &Datum,
    data_type: &DataType,
    rows: usize,
    nulls: Option<NullBuffer>,
    f: impl Fn(T::Native) -> (T::Native, bool),
    code: Code,
) -> Result<Computed> {
    let a = operand::<T>(datum)?;
    let mut raised = false;
    let values: Vec<T::Native> = (0..rows)
        .map(|row| {
            let (value, flag) = f(a.get(row));
            raised |= flag;
            value
        })
        .collect();
    let mut faults = Faults::new();
    if raised {
        faults.extend((0..rows).filter(|r| f(a.get(*r)).1 && is_valid(nulls.as_ref(), *r)).map(|row| fault(row, code)));
    }
    let nulls = null_out(nulls, rows, &faults);
    let array = PrimitiveArray::<T>::try_new(values.into(), nulls)?.with_data_type(data_type.arrow());
    Ok((Arc::new(array), faults))
}

/// Unary minus on a signed type.
pub(crate) fn negate(datum: &Datum, data_type: &DataType, rows: usize, nulls: Option<NullBuffer>) -> Result<Computed> {
    const CODE: Code = codes::DTS_E_EXPREVALUNARYOPOVERFLOW;
    match data_type {
        DataType::I1 => unary_loop::<Int8Type>(datum, data_type, rows, nulls, Integer::negate, CODE),
        DataType::I2 => unary_loop::<Int16Type>(datum, data_type, rows, nulls, Integer::negate, CODE),
        DataType::I4 => unary_loop::<Int32Type>(datum, data_type, rows, nulls, Integer::negate, CODE),
        DataType::I8 => unary_loop::<Int64Type>(datum, data_type, rows, nulls, Integer::negate, CODE),
        DataType::R4 => unary_loop::<Float32Type>(datum, data_type, rows, nulls, |v| (-v, false), CODE),
        DataType::R8 => unary_loop::<Float64Type>(datum, data_type, rows, nulls, |v| (-v, false), CODE),
        DataType::Cy => {
            let least = i64::MIN as i128;
            unary_loop::<Decimal128Type>(datum, data_type, rows, nulls, |v| (v.wrapping_neg(), v == least), CODE)
        }
        DataType::Decimal { .. } | DataType::Numeric { .. } => {
            unary_loop::<Decimal128Type>(datum, data_type, rows, nulls, i128::overflowing_neg, CODE)
        }
        _ => Err(mismatch("signed number")),
    }
}

/// `~` on an integer.
pub(crate) fn complement(
    datum: &Datum,
    data_type: &DataType,
    rows: usize,
    nulls: Option<NullBuffer>,
) -> Result<Computed> {
    fn run<T: Physical>(d: &Datum, t: &DataType, rows: usize, nulls: Option<NullBuffer>) -> Result<Computed>
    where
        T::Native: Integer,
    {
        unary_loop::<T>(d, t, rows, nulls, |v| (v.complement(), false), codes::DTS_E_EXPREVALUNARYOPOVERFLOW)
    }
    match data_type {
        DataType::I1 => run::<Int8Type>(datum, data_type, rows, nulls),
        DataType::I2 => run::<Int16Type>(datum, data_type, rows, nulls),
        DataType::I4 => run::<Int32Type>(datum, data_type, rows, nulls),
        DataType::I8 => run::<Int64Type>(datum, data_type, rows, nulls),
        DataType::UI1 => run::<UInt8Type>(datum, data_type, rows, nulls),
        DataType::UI2 => run::<UInt16Type>(datum, data_type, rows, nulls),
        DataType::UI4 => run::<UInt32Type>(datum, data_type, rows, nulls),
        DataType::UI8 => run::<UInt64Type>(datum, data_type, rows, nulls),
        _ => Err(mismatch("integer")),
    }
}

/// Magnitude: flagged where it does not fit.
pub(crate) fn magnitude(
    datum: &Datum,
    data_type: &DataType,
    rows: usize,
    nulls: Option<NullBuffer>,
) -> Result<Computed> {
    const CODE: Code = codes::DTS_E_EXPREVALFUNCTIONOVERFLOW;
    match data_type {
        DataType::I1 => unary_loop::<Int8Type>(datum, data_type, rows, nulls, i8::overflowing_abs, CODE),
        DataType::I2 => unary_loop::<Int16Type>(datum, data_type, rows, nulls, i16::overflowing_abs, CODE),
        DataType::I4 => unary_loop::<Int32Type>(datum, data_type, rows, nulls, i32::overflowing_abs, CODE),
        DataType::I8 => unary_loop::<Int64Type>(datum, data_type, rows, nulls, i64::overflowing_abs, CODE),
        DataType::UI1 => unary_loop::<UInt8Type>(datum, data_type, rows, nulls, |v| (v, false), CODE),
        DataType::UI2 => unary_loop::<UInt16Type>(datum, data_type, rows, nulls, |v| (v, false), CODE),
        DataType::UI4 => unary_loop::<UInt32Type>(datum, data_type, rows, nulls, |v| (v, false), CODE),
        DataType::UI8 => unary_loop::<UInt64Type>(datum, data_type, rows, nulls, |v| (v, false), CODE),
        DataType::R4 => unary_loop::<Float32Type>(datum, data_type, rows, nulls, |v| (v.abs(), false), CODE),
        DataType::R8 => unary_loop::<Float64Type>(datum, data_type, rows, nulls, |v| (v.abs(), false), CODE),
        DataType::Cy => {
            let fits = |v: i128| (v.wrapping_abs(), v == i64::MIN as i128);
            unary_loop::<Decimal128Type>(datum, data_type, rows, nulls, fits, CODE)
        }
        DataType::Decimal { .. } | DataType::Numeric { .. } => {
            unary_loop::<Decimal128Type>(datum, data_type, rows, nulls, i128::overflowing_abs, CODE)
        }
        _ => Err(mismatch("number")),
    }
}

/// Applies `f` to the unscaled values of decimals: a loop for functions that keep the type.
pub(crate) fn map_decimals(
    datum: &Datum,
    data_type: &DataType,
    rows: usize,
    nulls: Option<NullBuffer>,
    f: impl Fn(i128) -> (i128, bool),
) -> Result<Computed> {
    unary_loop::<Decimal128Type>(datum, data_type, rows, nulls, f, codes::DTS_E_EXPREVALFUNCTIONOVERFLOW)
}

/// Applies `f` to doubles; rows for which it gives a code are faults.
pub(crate) fn map_doubles(
    datum: &Datum,
    rows: usize,
    nulls: Option<NullBuffer>,
    f: impl Fn(f64) -> std::result::Result<f64, Code>,
) -> Result<Computed> {
    let a = operand::<Float64Type>(datum)?;
    let mut faults = Faults::new();
    let mut values = Vec::with_capacity(rows);
    for row in 0..rows {
        values.push(match f(a.get(row)) {
            Ok(v) => v,
            Err(code) => {
                if is_valid(nulls.as_ref(), row) {
                    faults.push(fault(row, code));
                }
                0.0
            }
        });
    }
    let nulls = null_out(nulls, rows, &faults);
    Ok((Arc::new(PrimitiveArray::<Float64Type>::try_new(values.into(), nulls)?), faults))
}

/// Applies `f` to singles, which keeps the type.
pub(crate) fn map_singles(
    datum: &Datum,
    rows: usize,
    nulls: Option<NullBuffer>,
    f: impl Fn(f32) -> f32,
) -> Result<Computed> {
    let code = codes::DTS_E_EXPREVALFUNCTIONOVERFLOW;
    unary_loop::<Float32Type>(datum, &DataType::R4, rows, nulls, |v| (f(v), false), code)
}
