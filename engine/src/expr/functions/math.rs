//! Functions of numbers.

use super::signature::{Gives, Takes};
use super::{Args, BASE, Call, FunctionDef, OVERFLOW, Typing, always, example, types};
use crate::batch::Faults;
use crate::diag::{Code, Result, codes};
use crate::expr::kernels::datum::{Datum, Ints, mismatch, operand};
use crate::expr::kernels::views::TextOut;
use crate::expr::kernels::{Computed, arith, fault, is_valid, null_out};
use crate::expr::promote;
use crate::types::decimal::{POW10, fit};
use crate::types::{DataType, Value};
use arrow::array::types::*;
use arrow::array::{Array, ArrowPrimitiveType, AsArray, Int32Array, PrimitiveArray};
use arrow::datatypes::DataType as ArrowType;
use std::sync::Arc;

pub(super) const ABS: FunctionDef = FunctionDef {
    name: "ABS",
    syntax: "ABS(number)",
    types: types(&[Takes::Number], Gives::First),
    doc: "The magnitude of a number, of the same type. The least integer of a type has none: an error.",
    examples: &[
        example("ABS(-1.23)", "1.23"),
        example("ABS(1.23)", "1.23"),
        example("ABS((DT_I1)(-128))", "error 0xC004707F"),
    ],
    typing: same_type,
    fallible: |args| args[0].ty.is_integer(),
    kernel: |call| arith::magnitude(&call.args[0], call.result, call.rows, call.nulls.clone()),
    ..BASE
};

fn same_type(args: &mut Args<'_>) -> Typing<DataType> {
    args.numeric(0)?;
    Ok(args.nodes[0].ty)
}

pub(super) const CEILING: FunctionDef = FunctionDef {
    name: "CEILING",
    syntax: "CEILING(number)",
    types: types(&[Takes::Number], Gives::First),
    doc: "The least whole number that is not less, of the same type and scale.",
    examples: &[
        example("CEILING(123.74)", "124.00"),
        example("CEILING(-124.27)", "-124.00"),
        example("CEILING(0.00)", "0.00"),
    ],
    typing: same_type,
    fallible: always,
    kernel: |call| {
        whole(call, f64::ceil, f32::ceil, |v, unit| v.div_euclid(unit) + i128::from(v.rem_euclid(unit) != 0))
    },
    ..BASE
};

pub(super) const FLOOR: FunctionDef = FunctionDef {
    name: "FLOOR",
    syntax: "FLOOR(number)",
    types: types(&[Takes::Number], Gives::First),
    doc: "The greatest whole number that is not greater, of the same type and scale.",
    examples: &[
        example("FLOOR(123.45)", "123.00"),
        example("FLOOR(-123.45)", "-124.00"),
        example("FLOOR(0.00)", "0.00"),
    ],
    typing: same_type,
    fallible: always,
    kernel: |call| whole(call, f64::floor, f32::floor, |v, unit| v.div_euclid(unit)),
    ..BASE
};

/// Whole numbers of the argument's type; `decimal` gives the units of an unscaled value.
fn whole(
    call: &Call<'_>,
    double: fn(f64) -> f64,
    single: fn(f32) -> f32,
    decimal: fn(i128, i128) -> i128,
) -> Result<Computed> {
    let (arg, nulls) = (&call.args[0], call.nulls.clone());
    match call.result {
        DataType::R8 => arith::map_doubles(arg, call.rows, nulls, |v| Ok(double(v))),
        DataType::R4 => arith::map_singles(arg, call.rows, nulls, single),
        t if t.is_integer() => Ok((arg.clone().into_array(t, call.rows)?, Faults::new())),
        t => {
            let unit = POW10[usize::from(decimal_scale(t))];
            arith::map_decimals(arg, t, call.rows, nulls, |v| keep(decimal(v, unit).checked_mul(unit), t))
        }
    }
}

fn decimal_scale(t: &DataType) -> u8 {
    promote::decimal_form(t).map_or(0, |(_, scale)| scale)
}

/// The value, if the type has digits for it: 99.5 of a DT_NUMERIC(3,1) has no ceiling (unconfirmed: SSIS may widen).
fn keep(value: Option<i128>, t: &DataType) -> (i128, bool) {
    let precision = promote::decimal_form(t).map_or(38, |(precision, _)| precision);
    match value.and_then(|v| fit(v, precision)) {
        Some(v) if *t != DataType::Cy || i64::try_from(v).is_ok() => (v, false),
        _ => (0, true),
    }
}

/// Functions that take any number as a double and give one.
const DOUBLE: FunctionDef = FunctionDef {
    typing: |args| {
        for i in 0..args.def.arity {
            args.double(i)?;
        }
        Ok(DataType::R8)
    },
    fallible: always,
    ..BASE
};

fn finite(value: f64) -> std::result::Result<f64, Code> {
    if value.is_finite() { Ok(value) } else { Err(OVERFLOW) }
}

pub(super) const EXP: FunctionDef = FunctionDef {
    name: "EXP",
    syntax: "EXP(number)",
    types: types(&[Takes::Number], Gives::Always(DataType::R8)),
    doc: "e to the power of a number, as DT_R8.",
    examples: &[example("EXP(0)", "1"), example("EXP(1000)", "error 0xC004707F")],
    kernel: |call| arith::map_doubles(&call.args[0], call.rows, call.nulls.clone(), |v| finite(v.exp())),
    ..DOUBLE
};

pub(super) const LN: FunctionDef = FunctionDef {
    name: "LN",
    syntax: "LN(number)",
    types: types(&[Takes::Number], Gives::Always(DataType::R8)),
    doc: "The natural logarithm, as DT_R8. Zero and negative numbers have none: an error, NULL where it is ignored.",
    examples: &[example("LN(1)", "0"), example("LN(0)", "error 0xC00470E0")],
    kernel: |call| logarithm(call, f64::ln, codes::DTS_E_EXPREVALLNINVALIDPARAM),
    ..DOUBLE
};

pub(super) const LOG: FunctionDef = FunctionDef {
    name: "LOG",
    syntax: "LOG(number)",
    types: types(&[Takes::Number], Gives::Always(DataType::R8)),
    doc: "The logarithm to base 10, as DT_R8. Zero and negative numbers have none: an error, NULL where it is ignored.",
    examples: &[example("LOG(100)", "2"), example("LOG(-1)", "error 0xC00470E1")],
    kernel: |call| logarithm(call, f64::log10, codes::DTS_E_EXPREVALLOGINVALIDPARAM),
    ..DOUBLE
};

fn logarithm(call: &Call<'_>, f: fn(f64) -> f64, code: Code) -> Result<Computed> {
    arith::map_doubles(&call.args[0], call.rows, call.nulls.clone(), |v| if v > 0.0 { Ok(f(v)) } else { Err(code) })
}

pub(super) const SQRT: FunctionDef = FunctionDef {
    name: "SQRT",
    syntax: "SQRT(number)",
    types: types(&[Takes::Number], Gives::Always(DataType::R8)),
    doc: "The square root, as DT_R8. Negative numbers have none: an error.",
    examples: &[
        example("SQRT(144)", "12"),
        example("SQRT(SQUARE(3) + SQUARE(4))", "5"),
        example("SQRT(-1)", "error 0xC00470DF"),
    ],
    kernel: |call| {
        const NEGATIVE: Code = codes::DTS_E_EXPREVALSQRTINVALIDPARAM;
        let root = |v: f64| if v < 0.0 { Err(NEGATIVE) } else { Ok(v.sqrt()) };
        arith::map_doubles(&call.args[0], call.rows, call.nulls.clone(), root)
    },
    ..DOUBLE
};

pub(super) const SQUARE: FunctionDef = FunctionDef {
    name: "SQUARE",
    syntax: "SQUARE(number)",
    types: types(&[Takes::Number], Gives::Always(DataType::R8)),
    doc: "The square of a number, as DT_R8.",
    examples: &[example("SQUARE(12)", "144"), example("SQUARE(12 - 4)", "64")],
    kernel: |call| arith::map_doubles(&call.args[0], call.rows, call.nulls.clone(), |v| finite(v * v)),
    ..DOUBLE
};

pub(super) const POWER: FunctionDef = FunctionDef {
    name: "POWER",
    syntax: "POWER(number, power)",
    types: types(&[Takes::Number, Takes::Number], Gives::Always(DataType::R8)),
    arity: 2,
    doc: "A number to a power, which may be fractional, as DT_R8. What is indeterminate, as zero to a negative power, is \
          an error.",
    examples: &[
        example("POWER(4,3)", "64"),
        example("POWER(8,2)", "64"),
        example("POWER(0,-1)", "error 0xC00470E2"),
        example("POWER(-8,0.5)", "error 0xC00470E2"),
    ],
    kernel: |call| {
        let (base, power) = (operand::<Float64Type>(&call.args[0])?, operand::<Float64Type>(&call.args[1])?);
        let mut faults = Faults::new();
        let mut values = Vec::with_capacity(call.rows);
        for row in 0..call.rows {
            let (b, p) = (base.get(row), power.get(row));
            let value = b.powf(p);
            let wrong = if value.is_nan() || b == 0.0 && p < 0.0 {
                Some(codes::DTS_E_EXPREVALPOWERINVALIDPARAM)
            } else if value.is_infinite() {
                Some(OVERFLOW)
            } else {
                None
            };
            values.push(value);
            if let Some(code) = wrong.filter(|_| is_valid(call.nulls.as_ref(), row)) {
                faults.push(fault(row, code));
            }
        }
        let nulls = null_out(call.nulls.clone(), call.rows, &faults);
        Ok((Arc::new(PrimitiveArray::<Float64Type>::try_new(values.into(), nulls)?), faults))
    },
    ..DOUBLE
};

pub(super) const ROUND: FunctionDef = FunctionDef {
    name: "ROUND",
    syntax: "ROUND(number, digits)",
    types: types(&[Takes::Number, Takes::Integer], Gives::First),
    arity: 2,
    doc: "A number rounded to so many digits after the point, a half away from zero; of the same type and scale. A negative \
          number of digits is an error.",
    examples: &[
        example("ROUND(137.1574,3)", "137.1570"),
        example("ROUND(137.1575,3)", "137.1580"),
        example("ROUND(-2.5,0)", "-3.0"),
        example("ROUND(1.5,-1)", "error 0xC00470E7"),
    ],
    typing: |args| {
        args.numeric(0)?;
        args.integer(1)?;
        Ok(args.nodes[0].ty)
    },
    fallible: always,
    kernel: round,
    ..BASE
};

/// The code of a ROUND to less than no digits: that of a negative length (unconfirmed).
const NEGATIVE_DIGITS: Code = codes::DTS_E_EXPREVALFNRIGHTINVALIDLENGTH;

fn round(call: &Call<'_>) -> Result<Computed> {
    let digits = Ints::new(&call.args[1])?;
    let number = &call.args[0];
    let (array, mut faults) = match call.result {
        DataType::R8 => {
            let values = operand::<Float64Type>(number)?;
            let rounded = (0..call.rows).map(|row| round_double(values.get(row), digits.get(row)));
            (Arc::new(PrimitiveArray::<Float64Type>::from_iter_values(rounded)) as _, Faults::new())
        }
        DataType::R4 => {
            let values = operand::<Float32Type>(number)?;
            let rounded = (0..call.rows).map(|row| round_double(f64::from(values.get(row)), digits.get(row)) as f32);
            (Arc::new(PrimitiveArray::<Float32Type>::from_iter_values(rounded)) as _, Faults::new())
        }
        t if t.is_integer() => (number.clone().into_array(t, call.rows)?, Faults::new()),
        t => {
            let values = operand::<Decimal128Type>(number)?;
            let scale = i64::from(decimal_scale(t));
            let mut faults = Faults::new();
            let mut rounded = Vec::with_capacity(call.rows);
            for row in 0..call.rows {
                let dropped = scale.saturating_sub(digits.get(row)).clamp(0, scale) as usize;
                let (value, lost) = keep(round_decimal(values.get(row), POW10[dropped]), t);
                rounded.push(value);
                if lost && call.is_valid(row) {
                    faults.push(fault(row, OVERFLOW));
                }
            }
            let array = PrimitiveArray::<Decimal128Type>::new(rounded.into(), None).with_data_type(t.arrow());
            (Arc::new(array) as _, faults)
        }
    };
    for row in 0..call.rows {
        if digits.get(row) < 0 && call.is_valid(row) {
            faults.push(fault(row, NEGATIVE_DIGITS));
        }
    }
    faults.sort_by_key(|f| f.row);
    faults.dedup_by_key(|f| f.row);
    let nulls = null_out(call.nulls.clone(), call.rows, &faults);
    let array = arrow::array::make_array(array.to_data().into_builder().nulls(nulls).build()?);
    Ok((array, faults))
}

/// To the nearest multiple of `unit`, a half away from zero.
fn round_decimal(value: i128, unit: i128) -> Option<i128> {
    let rest = value % unit;
    let down = value - rest;
    if rest.unsigned_abs() < unit.unsigned_abs() - rest.unsigned_abs() {
        return Some(down);
    }
    if rest == 0 { Some(down) } else { down.checked_add(unit * rest.signum()) }
}

/// A half away from zero; a double that has no digits to drop, or none left, stays.
fn round_double(value: f64, digits: i64) -> f64 {
    let Ok(digits) = i32::try_from(digits) else { return value };
    let unit = 10f64.powi(digits.clamp(0, 308));
    let scaled = value * unit;
    if scaled.abs() < 4_503_599_627_370_496.0 { scaled.round() / unit } else { value }
}

pub(super) const SIGN: FunctionDef = FunctionDef {
    name: "SIGN",
    syntax: "SIGN(number)",
    types: types(&[Takes::SignedNumber], Gives::Always(DataType::I4)),
    doc: "-1, 0 or 1, as DT_I4, for a negative number, zero and a positive one of a type that has a sign.",
    examples: &[example("SIGN(-123.45)", "-1"), example("SIGN(0)", "0"), example("SIGN(7L)", "1")],
    typing: |args| {
        args.numeric(0)?;
        if promote::is_signed(&args.nodes[0].ty) == Some(false) {
            return Err(args.wrong(0));
        }
        Ok(DataType::I4)
    },
    kernel: |call| {
        fn signs<T: crate::expr::kernels::datum::Physical>(call: &Call<'_>) -> Result<Vec<i32>>
        where
            T::Native: PartialOrd + Default,
        {
            let (values, zero) = (operand::<T>(&call.args[0])?, T::Native::default());
            Ok((0..call.rows).map(|r| i32::from(values.get(r) > zero) - i32::from(values.get(r) < zero)).collect())
        }
        let signs = match call.nodes[0].ty {
            DataType::I1 => signs::<Int8Type>(call),
            DataType::I2 => signs::<Int16Type>(call),
            DataType::I4 => signs::<Int32Type>(call),
            DataType::I8 => signs::<Int64Type>(call),
            DataType::R4 => signs::<Float32Type>(call),
            DataType::R8 => signs::<Float64Type>(call),
            _ => signs::<Decimal128Type>(call),
        }?;
        Ok((Arc::new(Int32Array::try_new(signs.into(), call.nulls.clone())?), Faults::new()))
    },
    ..BASE
};

pub(super) const HEX: FunctionDef = FunctionDef {
    name: "HEX",
    syntax: "HEX(integer)",
    types: types(&[Takes::Integer], Gives::Text("2, 4, 8 or 16 digits, by the width of the integer")),
    doc: "An integer in hexadecimal digits, upper case, without leading zeros. A negative one is shown as the bits of its \
          type.",
    examples: &[example("HEX(400)", "190"), example("HEX((DT_I2)750)", "2EE"), example("HEX((DT_I1)(-1))", "FF")],
    typing: |args| {
        args.integer(0)?;
        let len = match args.nodes[0].ty {
            DataType::I1 | DataType::UI1 => 2,
            DataType::I2 | DataType::UI2 => 4,
            DataType::I4 | DataType::UI4 => 8,
            _ => 16,
        };
        Ok(DataType::WStr { len })
    },
    kernel: |call| {
        let bits = bits(&call.args[0], call.rows)?;
        let mut out = TextOut::new(call.rows);
        for (row, bits) in bits.into_iter().enumerate() {
            if call.is_valid(row) { out.push(&format!("{bits:X}")) } else { out.push_empty() }
        }
        Ok((out.finish(call.nulls.clone())?, Faults::new()))
    },
    ..BASE
};

/// The bits of integers: two's complement in the width of the type (unconfirmed for negative ones).
fn bits(datum: &Datum, rows: usize) -> Result<Vec<u64>> {
    fn all<T: ArrowPrimitiveType>(array: &dyn Array, f: impl Fn(T::Native) -> u64) -> Vec<u64> {
        array.as_primitive::<T>().values().iter().map(|v| f(*v)).collect()
    }
    Ok(match datum {
        Datum::Scalar(value) => {
            let bits = match value {
                Value::I1(v) => u64::from(*v as u8),
                Value::I2(v) => u64::from(*v as u16),
                Value::I4(v) => u64::from(*v as u32),
                Value::I8(v) => *v as u64,
                Value::UI1(v) => u64::from(*v),
                Value::UI2(v) => u64::from(*v),
                Value::UI4(v) => u64::from(*v),
                Value::UI8(v) => *v,
                _ => return Err(mismatch("integer")),
            };
            vec![bits; rows]
        }
        Datum::Array(a) => match a.data_type() {
            ArrowType::Int8 => all::<Int8Type>(a, |v| u64::from(v as u8)),
            ArrowType::Int16 => all::<Int16Type>(a, |v| u64::from(v as u16)),
            ArrowType::Int32 => all::<Int32Type>(a, |v| u64::from(v as u32)),
            ArrowType::Int64 => all::<Int64Type>(a, |v| v as u64),
            ArrowType::UInt8 => all::<UInt8Type>(a, u64::from),
            ArrowType::UInt16 => all::<UInt16Type>(a, u64::from),
            ArrowType::UInt32 => all::<UInt32Type>(a, u64::from),
            ArrowType::UInt64 => all::<UInt64Type>(a, |v| v),
            _ => return Err(mismatch("integer")),
        },
    })
}
