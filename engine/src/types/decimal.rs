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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::cmp::Ordering;

    #[test]
    fn roundings() {
        for (value, divisor, truncate, even, up) in [
            (14, 10, 1, 1, 1),
            (15, 10, 1, 2, 2),
            (25, 10, 2, 2, 3),
            (26, 10, 2, 3, 3),
            (-15, 10, -1, -2, -2),
            (-25, 10, -2, -2, -3),
            (7, 1, 7, 7, 7),
            (0, 10, 0, 0, 0),
        ] {
            assert_eq!(divide(value, divisor, Rounding::Truncate), truncate, "{value}");
            assert_eq!(divide(value, divisor, Rounding::HalfEven), even, "{value}");
            assert_eq!(divide(value, divisor, Rounding::HalfUp), up, "{value}");
        }
        // Half, but for a digit far behind it.
        assert_eq!(divide_unsigned(25, 10, true, Rounding::HalfEven), 3);
    }

    #[test]
    fn rescaling() {
        assert_eq!(rescale(123, 2, 4, EXCESS_FRACTION), Some(12_300));
        assert_eq!(rescale(12_399, 4, 2, EXCESS_FRACTION), Some(123));
        assert_eq!(rescale(-12_399, 4, 2, EXCESS_FRACTION), Some(-123));
        assert_eq!(rescale(MAX_NUMERIC, 0, 0, EXCESS_FRACTION), Some(MAX_NUMERIC));
        assert_eq!(rescale(MAX_NUMERIC, 0, 1, EXCESS_FRACTION), None);
        assert_eq!(rescale(POW10[37], 0, 1, EXCESS_FRACTION), None, "39 digits fit the integer, not the type");
        assert_eq!(rescale(1, 0, 38, EXCESS_FRACTION), None);
        assert_eq!(rescale(MAX_NUMERIC, 38, 0, Rounding::HalfUp), Some(1));
        assert_eq!(rescale(MAX_NUMERIC, 77, 0, EXCESS_FRACTION), Some(0));
    }

    #[test]
    fn arithmetic_goes_through_256_bits() {
        assert_eq!(add(150, 2, 25, 1, 2), Some(400));
        assert_eq!(sub(150, 2, 25, 1, 2), Some(-100));
        assert_eq!(add(MAX_NUMERIC, 0, 1, 0, 0), None);
        assert_eq!(add(MAX_NUMERIC, 0, -1, 38, 0), Some(MAX_NUMERIC - 1));
        assert_eq!(mul(150, 2, -25, 1, 3), Some(-3750));
        assert_eq!(mul(POW10[30], 15, POW10[30], 15, 0), Some(POW10[30]));
        assert_eq!(mul(POW10[30], 15, POW10[30], 15, 8), None);
        assert_eq!(mul(MAX_NUMERIC, 38, MAX_NUMERIC, 38, 38), Some(MAX_NUMERIC - 1));
        assert_eq!(mul(i64::MIN as i128, 0, i64::MIN as i128, 0, 0), Some(1 << 126));
        assert_eq!(div(1, 0, 3, 0, 6), Some(333_333));
        assert_eq!(div(-2, 0, 3, 0, 6), Some(-666_666));
        assert_eq!(div(10, 2, 4, 1, 3), Some(250));
        assert_eq!(div(MAX_NUMERIC, 0, 1, 38, 0), None);
        assert_eq!(div(MAX_NUMERIC, 38, MAX_NUMERIC, 38, 37), Some(POW10[37]));
        assert_eq!(div(1, 0, 0, 0, 6), None);
        assert_eq!(rem(750, 2, 2, 0, 2), Some(150));
        assert_eq!(rem(-750, 2, 2, 0, 2), Some(-150));
        assert_eq!(rem(1, 0, 0, 0, 0), None);
        assert_eq!(compare(100, 2, 1, 0), Ordering::Equal);
        assert_eq!(compare(MAX_NUMERIC, 0, MAX_NUMERIC, 38), Ordering::Greater);
        assert_eq!(compare(-MAX_NUMERIC, 0, MAX_NUMERIC, 38), Ordering::Less);
    }

    #[test]
    fn limits() {
        assert_eq!(MAX_DECIMAL, 79_228_162_514_264_337_593_543_950_335);
        assert_eq!(fit(999, 3), Some(999));
        assert_eq!(fit(-1000, 3), None);
        assert_eq!(fit(i128::MIN, 38), None);
        assert_eq!(fit_decimal(-MAX_DECIMAL), Some(-MAX_DECIMAL));
        assert_eq!(fit_decimal(MAX_DECIMAL + 1), None);
    }

    #[test]
    fn doubles_are_taken_at_fifteen_digits() {
        assert_eq!(from_f64(1.15, 2, Rounding::Truncate), Some(115), "1.15 is 1.149999999999999911");
        assert_eq!(from_f64(0.1 + 0.2, 17, Rounding::Truncate), Some(30_000_000_000_000_000));
        assert_eq!(from_f64(1e38, 0, Rounding::Truncate), None);
        assert_eq!(from_f64(f64::NAN, 0, Rounding::Truncate), None);
        assert_eq!(from_f32(0.1, 9, Rounding::Truncate), Some(100_000_000));
        assert_eq!(currency_from_f64(167.39999389648438), Some(1_674_000));
        assert_eq!(currency_from_f64(922_337_203_685_477.5), Some(9_223_372_036_854_775_000));
        assert_eq!(currency_from_f64(922_337_203_685_478.0), None);
        assert_eq!(currency_from_f64(f64::NAN), None);
    }

    proptest! {
        #[test]
        fn sums_and_products_of_integers_are_those_of_integers(a: i64, b: i64) {
            prop_assert_eq!(add(a as i128, 0, b as i128, 0, 0), Some(a as i128 + b as i128));
            prop_assert_eq!(mul(a as i128, 0, b as i128, 0, 0), Some(a as i128 * b as i128));
        }

        #[test]
        fn quotient_and_remainder_make_the_dividend(a: i64, b: i64, s in 0u8..10) {
            prop_assume!(b != 0);
            let (a, b) = (a as i128, b as i128);
            let whole = div(a, s, b, s, 0).unwrap();
            prop_assert_eq!(whole * b + rem(a, s, b, s, s).unwrap(), a);
        }

        #[test]
        fn scales_can_be_changed_and_changed_back(value: i64, from in 0u8..19, to in 0u8..19) {
            let there = rescale(value as i128, from, from + to, EXCESS_FRACTION).unwrap();
            prop_assert_eq!(rescale(there, from + to, from, EXCESS_FRACTION), Some(value as i128));
        }

        #[test]
        fn any_scales_are_taken(a: i128, b: i128, s in 0u8..=38, t in 0u8..=38, out in 0u8..=38) {
            for result in [add(a, s, b, t, out), sub(a, s, b, t, out), mul(a, s, b, t, out), div(a, s, b, t, out),
                           rem(a, s, b, t, out)].into_iter().flatten() {
                prop_assert!(result.unsigned_abs() <= MAX_NUMERIC as u128);
            }
            prop_assert_eq!(compare(a, s, b, t), compare(b, t, a, s).reverse());
        }

        #[test]
        fn doubles_of_decimals_are_the_nearest(value in -MAX_NUMERIC..=MAX_NUMERIC, scale in 0u8..=38) {
            prop_assert_eq!(to_f64(value, scale), format!("{value}e-{scale}").parse::<f64>().unwrap());
        }
    }
}
