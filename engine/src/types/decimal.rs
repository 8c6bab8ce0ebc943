//! Arithmetic on 128-bit unscaled values with 256-bit intermediates: DT_NUMERIC, DT_DECIMAL, DT_CY.

use arrow::datatypes::i256;

/// Powers of ten that an i128 holds: 10^0 to 10^38.
pub const POW10: [i128; 39] = {
    let mut table = [1i128; 39];
    let mut i = 1;
    while i < 39 {
        table[i] = table[i - 1] * 10;
        i += 1;
    }
    table
};

/// The largest magnitude of a DT_NUMERIC(38,s).
pub const MAX_NUMERIC: i128 = POW10[38] - 1;
/// The largest magnitude of a DT_DECIMAL: 2^96 - 1.
pub const MAX_DECIMAL: i128 = (1 << 96) - 1;
/// The most fraction digits of a DT_DECIMAL.
pub const MAX_DECIMAL_SCALE: u8 = 28;

/// What happens to digits that a target has no room for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rounding {
    /// Dropped.
    Truncate,
    /// To the nearest, a half to the even neighbour.
    HalfEven,
    /// To the nearest, a half away from zero.
    HalfUp,
}

/// Non-integers to integers: the OLE DB rule drops the fraction (unconfirmed for every source type).
pub const INTEGER_ROUNDING: Rounding = Rounding::Truncate;
/// To DT_NUMERIC and DT_DECIMAL of a smaller scale: the OLE DB rule drops excess fraction digits (unconfirmed).
pub const EXCESS_FRACTION: Rounding = Rounding::Truncate;
/// To DT_CY: rounds to four decimals, as output of the original shows; that a half goes to the even neighbour is what
/// OLE automation does.
pub const CURRENCY_ROUNDING: Rounding = Rounding::HalfEven;
/// Division of decimals in expressions beyond the result's scale (unconfirmed).
pub const DIVISION_ROUNDING: Rounding = Rounding::Truncate;

/// `value / divisor`, rounded; `inexact` says that the value has further digits behind it.
pub(crate) fn divide_unsigned(value: u128, divisor: u128, inexact: bool, rounding: Rounding) -> u128 {
    let (quotient, rest) = (value / divisor, value % divisor);
    let up = match rounding {
        Rounding::Truncate => false,
        Rounding::HalfUp => rest >= divisor - rest,
        Rounding::HalfEven => rest > divisor - rest || rest == divisor - rest && (inexact || quotient % 2 == 1),
    };
    quotient + (up && divisor > 1) as u128
}

#[inline]
fn divide(value: i128, divisor: i128, rounding: Rounding) -> i128 {
    if rounding == Rounding::Truncate {
        return value / divisor;
    }
    let magnitude = divide_unsigned(value.unsigned_abs(), divisor.unsigned_abs(), false, rounding) as i128;
    if (value < 0) != (divisor < 0) { -magnitude } else { magnitude }
}

/// The unscaled value at another scale; None if it leaves 38 digits.
#[inline]
pub fn rescale(value: i128, from: u8, to: u8, rounding: Rounding) -> Option<i128> {
    if to >= from {
        let value = value.checked_mul(*POW10.get((to - from) as usize)?)?;
        (value.unsigned_abs() <= MAX_NUMERIC as u128).then_some(value)
    } else {
        Some(match POW10.get((from - to) as usize) {
            Some(divisor) => divide(value, *divisor, rounding),
            None => 0,
        })
    }
}

/// The value if it has at most `precision` digits.
#[inline]
pub fn fit(value: i128, precision: u8) -> Option<i128> {
    (value.unsigned_abs() < POW10[precision.min(38) as usize].unsigned_abs()).then_some(value)
}

/// The value if a DT_DECIMAL reaches it.
#[inline]
pub fn fit_decimal(value: i128) -> Option<i128> {
    (value.unsigned_abs() <= MAX_DECIMAL as u128).then_some(value)
}

fn pow10_256(power: u32) -> Option<i256> {
    let mut result = i256::ONE;
    let mut power = power;
    while power > 0 {
        let step = power.min(38);
        result = result.checked_mul(i256::from_i128(POW10[step as usize]))?;
        power -= step;
    }
    Some(result)
}

fn rescale_256(value: i256, from: u32, to: u32, rounding: Rounding) -> Option<i128> {
    let result = if to >= from {
        value.checked_mul(pow10_256(to - from)?)?
    } else {
        divide_256(value, pow10_256(from - to)?, rounding)?
    };
    let result = result.to_i128()?;
    (result.unsigned_abs() <= MAX_NUMERIC as u128).then_some(result)
}

fn divide_256(value: i256, divisor: i256, rounding: Rounding) -> Option<i256> {
    let quotient = value.checked_div(divisor)?;
    if rounding == Rounding::Truncate {
        return Some(quotient);
    }
    let abs = |v: i256| if v < i256::ZERO { v.checked_neg() } else { Some(v) };
    let rest = abs(value.checked_rem(divisor)?)?;
    let other = abs(divisor)?.checked_sub(rest)?;
    let odd = quotient.checked_rem(i256::from_i128(2))? != i256::ZERO;
    if rest > other || rest == other && (rounding == Rounding::HalfUp || odd) {
        let one = if (value < i256::ZERO) != (divisor < i256::ZERO) { i256::MINUS_ONE } else { i256::ONE };
        return quotient.checked_add(one);
    }
    Some(quotient)
}

/// `a + b` at scale `out`; None on overflow of 38 digits.
#[inline]
pub fn add(a: i128, a_scale: u8, b: i128, b_scale: u8, out: u8) -> Option<i128> {
    if a_scale == b_scale && out == a_scale {
        let sum = a.checked_add(b)?;
        return (sum.unsigned_abs() <= MAX_NUMERIC as u128).then_some(sum);
    }
    let scale = a_scale.max(b_scale);
    let wide = |v: i128, s: u8| i256::from_i128(v).checked_mul(i256::from_i128(*POW10.get((scale - s) as usize)?));
    rescale_256(wide(a, a_scale)?.checked_add(wide(b, b_scale)?)?, scale as u32, out as u32, EXCESS_FRACTION)
}

/// `a - b` at scale `out`; None on overflow of 38 digits.
#[inline]
pub fn sub(a: i128, a_scale: u8, b: i128, b_scale: u8, out: u8) -> Option<i128> {
    add(a, a_scale, b.checked_neg()?, b_scale, out)
}

/// `a × b` at scale `out`; None on overflow of 38 digits.
#[inline]
pub fn mul(a: i128, a_scale: u8, b: i128, b_scale: u8, out: u8) -> Option<i128> {
    let scale = a_scale as u32 + b_scale as u32;
    if scale == out as u32 && (a as i64 as i128, b as i64 as i128) == (a, b) {
        return Some(a * b);
    }
    rescale_256(i256::from_i128(a).checked_mul(i256::from_i128(b))?, scale, out as u32, EXCESS_FRACTION)
}

/// `a / b` at scale `out`, further digits treated as [`DIVISION_ROUNDING`] says; None on overflow and on division by
/// zero (which the caller tells apart by looking at `b`).
pub fn div(a: i128, a_scale: u8, b: i128, b_scale: u8, out: u8) -> Option<i128> {
    if b == 0 {
        return None;
    }
    // a/10^as ÷ b/10^bs × 10^out = a × 10^(out + bs - as) ÷ b
    let shift = out as i32 + b_scale as i32 - a_scale as i32;
    let (mut top, mut bottom) = (i256::from_i128(a), i256::from_i128(b));
    if shift >= 0 {
        top = top.checked_mul(pow10_256(shift as u32)?)?;
    } else {
        bottom = bottom.checked_mul(pow10_256(shift.unsigned_abs())?)?;
    }
    let result = divide_256(top, bottom, DIVISION_ROUNDING)?.to_i128()?;
    (result.unsigned_abs() <= MAX_NUMERIC as u128).then_some(result)
}

/// The remainder of `a / b` at scale `out` with the sign of `a`; None on overflow and for `b` = 0.
pub fn rem(a: i128, a_scale: u8, b: i128, b_scale: u8, out: u8) -> Option<i128> {
    let scale = a_scale.max(b_scale);
    let wide = |v: i128, s: u8| i256::from_i128(v).checked_mul(i256::from_i128(*POW10.get((scale - s) as usize)?));
    rescale_256(wide(a, a_scale)?.checked_rem(wide(b, b_scale)?)?, scale as u32, out as u32, EXCESS_FRACTION)
}

/// Order of two decimals of any scales.
#[inline]
pub fn compare(a: i128, a_scale: u8, b: i128, b_scale: u8) -> std::cmp::Ordering {
    if a_scale == b_scale {
        return a.cmp(&b);
    }
    let scale = a_scale.max(b_scale) as usize;
    let wide = |v: i128, s: u8| i256::from_i128(v).wrapping_mul(i256::from_i128(POW10[(scale - s as usize).min(38)]));
    wide(a, a_scale).cmp(&wide(b, b_scale))
}

/// The nearest double.
pub fn to_f64(value: i128, scale: u8) -> f64 {
    // Up to 2^53 over up to 10^22 both are exact doubles, and IEEE division rounds once.
    if value.unsigned_abs() <= 1 << 53 && scale <= 22 {
        return value as f64 / POW10[scale as usize] as f64;
    }
    let mut buffer = [0u8; 64];
    let mut cursor = std::io::Cursor::new(&mut buffer[..]);
    use std::io::Write;
    let written = write!(cursor, "{value}e-{scale}").is_ok();
    let length = cursor.position() as usize;
    match lexical_core::parse(&buffer[..length]) {
        Ok(number) if written => number,
        _ => value as f64 / 10f64.powi(scale as i32),
    }
}

/// The unscaled value of a double at a scale, as OLE automation does it: the double is taken at 15 significant digits,
/// and fraction digits beyond the scale are treated as `rounding` says. None beyond 38 digits and for infinities.
pub fn from_f64(value: f64, scale: u8, rounding: Rounding) -> Option<i128> {
    let mut buffer = ryu::Buffer::new();
    from_shortest(if value.is_finite() { buffer.format_finite(value) } else { return None }, 15, scale, rounding)
}

/// The same for a single, taken at 7 significant digits.
pub fn from_f32(value: f32, scale: u8, rounding: Rounding) -> Option<i128> {
    let mut buffer = ryu::Buffer::new();
    from_shortest(if value.is_finite() { buffer.format_finite(value) } else { return None }, 7, scale, rounding)
}

/// A double to ten-thousandths of DT_CY.
#[inline]
pub fn currency_from_f64(value: f64) -> Option<i64> {
    // Whole and fraction apart, as their product in one double would lose digits from 10^11 on.
    let whole = value.trunc();
    if !(-1e15..=1e15).contains(&whole) {
        return None;
    }
    let scaled = (value - whole) * 10_000.0;
    let fraction = match CURRENCY_ROUNDING {
        Rounding::Truncate => scaled.trunc(),
        Rounding::HalfEven => scaled.round_ties_even(),
        Rounding::HalfUp => scaled.round(),
    };
    (whole as i64).checked_mul(10_000)?.checked_add(fraction as i64)
}

fn from_shortest(text: &str, significant: u32, scale: u8, rounding: Rounding) -> Option<i128> {
    let (negative, digits, exponent) = shortest_digits(text);
    let (mut mantissa, mut exponent) = (digits, exponent);
    let count = if mantissa == 0 { 1 } else { mantissa.ilog10() + 1 };
    if count > significant {
        let cut = count - significant;
        mantissa = divide_unsigned(mantissa as u128, POW10[cut as usize] as u128, false, Rounding::HalfEven) as u64;
        exponent += cut as i32;
    }
    let shift = exponent + scale as i32;
    let magnitude = if mantissa == 0 {
        0
    } else if shift >= 0 {
        (mantissa as i128).checked_mul(*POW10.get(shift as usize)?)?
    } else {
        match POW10.get(shift.unsigned_abs() as usize) {
            Some(divisor) => divide_unsigned(mantissa as u128, *divisor as u128, false, rounding) as i128,
            None => 0,
        }
    };
    (magnitude <= MAX_NUMERIC).then_some(if negative { -magnitude } else { magnitude })
}

/// Sign, digits and power of ten of a float that the shortest formatter wrote (`1.5`, `1e16`, `-1.25e-7`).
pub(crate) fn shortest_digits(text: &str) -> (bool, u64, i32) {
    let (mut negative, mut digits, mut exponent) = (false, 0u64, 0i32);
    let mut fraction = false;
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'-' => negative = true,
            b'.' => fraction = true,
            b'e' => {
                let (mut minus, mut power) = (false, 0);
                for byte in bytes.by_ref() {
                    match byte {
                        b'-' => minus = true,
                        digit => power = power * 10 + (digit.wrapping_sub(b'0')) as i32,
                    }
                }
                exponent += if minus { -power } else { power };
            }
            digit => {
                digits = digits * 10 + (digit.wrapping_sub(b'0')) as u64;
                exponent -= fraction as i32;
            }
        }
    }
    while digits != 0 && digits % 10 == 0 {
        digits /= 10;
        exponent += 1;
    }
    (negative, digits, if digits == 0 { 0 } else { exponent })
}
