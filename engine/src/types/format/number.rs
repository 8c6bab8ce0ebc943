//! Numbers.

use crate::types::decimal::{POW10, shortest_digits};
use crate::types::locale::Locale;

/// Any integer.
#[inline]
pub fn int(value: impl itoa::Integer, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// DT_R8: the shortest digits that read back the same, with an exponent from 10^15 on and below 10^-5, as `%.15G` would
/// place it. Real output shows sixteen digits (`1.373382979540176E+32`), so the count is not cut to fifteen.
pub fn r8(value: f64, locale: &Locale, out: &mut Vec<u8>) {
    if value.is_finite() {
        float(shortest_digits(ryu::Buffer::new().format_finite(value)), 15, locale, out);
    } else {
        not_finite(value, out);
    }
}

/// DT_R4: as [`r8`], with an exponent from 10^7 on.
pub fn r4(value: f32, locale: &Locale, out: &mut Vec<u8>) {
    if value.is_finite() {
        float(shortest_digits(ryu::Buffer::new().format_finite(value)), 7, locale, out);
    } else {
        not_finite(value as f64, out);
    }
}

/// The spelling of the C runtime (unconfirmed).
fn not_finite(value: f64, out: &mut Vec<u8>) {
    out.extend_from_slice(if value.is_nan() {
        b"-1.#IND"
    } else if value > 0.0 {
        b"1.#INF"
    } else {
        b"-1.#INF"
    });
}

fn float((negative, digits, exponent): (bool, u64, i32), precision: i32, locale: &Locale, out: &mut Vec<u8>) {
    if negative && digits != 0 {
        out.push(b'-');
    }
    let mut buffer = itoa::Buffer::new();
    let digits = buffer.format(digits).as_bytes();
    // The exponent that scientific notation would show.
    let top = digits.len() as i32 - 1 + exponent;
    if top >= precision || top < -5 {
        out.push(digits[0]);
        if digits.len() > 1 {
            out.push(locale.decimal);
            out.extend_from_slice(&digits[1..]);
        }
        out.extend_from_slice(if top < 0 { b"E-" } else { b"E+" });
        if top.unsigned_abs() < 10 {
            out.push(b'0');
        }
        int(top.unsigned_abs(), out);
    } else if exponent >= 0 {
        out.extend_from_slice(digits);
        out.extend(std::iter::repeat_n(b'0', exponent as usize));
    } else if top >= 0 {
        let (whole, fraction) = digits.split_at(top as usize + 1);
        out.extend_from_slice(whole);
        out.push(locale.decimal);
        out.extend_from_slice(fraction);
    } else {
        out.push(b'0');
        out.push(locale.decimal);
        out.extend(std::iter::repeat_n(b'0', (-1 - top) as usize));
        out.extend_from_slice(digits);
    }
}

/// The digits of a decimal, with or without a zero before a bare point, with or without trailing zeros.
#[inline]
fn fixed(value: i128, scale: u8, zero_before: bool, keep_zeros: bool, point: u8, out: &mut Vec<u8>) {
    if value < 0 {
        out.push(b'-');
    }
    let magnitude = value.unsigned_abs();
    let divisor = POW10[scale.min(38) as usize].unsigned_abs();
    let (whole, mut fraction) = match u64::try_from(magnitude) {
        // 64-bit division is far cheaper than 128-bit, and nearly every value is short.
        Ok(small) => match u64::try_from(divisor) {
            Ok(divisor) => ((small / divisor) as u128, (small % divisor) as u128),
            Err(_) => (0, magnitude),
        },
        Err(_) => (magnitude / divisor, magnitude % divisor),
    };
    let mut scale = scale as usize;
    if !keep_zeros {
        while scale > 0 && fraction % 10 == 0 {
            fraction /= 10;
            scale -= 1;
        }
    }
    if whole != 0 || zero_before || scale == 0 {
        match u64::try_from(whole) {
            Ok(whole) => int(whole, out),
            Err(_) => int(whole, out),
        }
    }
    if scale > 0 {
        out.push(point);
        let mut buffer = itoa::Buffer::new();
        let digits = match u64::try_from(fraction) {
            Ok(fraction) => buffer.format(fraction),
            Err(_) => buffer.format(fraction),
        };
        out.extend(std::iter::repeat_n(b'0', scale.saturating_sub(digits.len())));
        out.extend_from_slice(digits.as_bytes());
    }
}

/// DT_NUMERIC and DT_DECIMAL in expressions and Data Conversion: the scale is kept, a zero stands before a bare point
/// (unconfirmed; [`decimal_flat`] has none).
#[inline]
pub fn decimal(value: i128, scale: u8, locale: &Locale, out: &mut Vec<u8>) {
    fixed(value, scale, true, true, locale.decimal, out);
}

/// DT_NUMERIC and DT_DECIMAL in a flat file: the scale is kept, no zero stands before a bare point: `.20`, `4.00`
/// (real output).
#[inline]
pub fn decimal_flat(value: i128, scale: u8, locale: &Locale, out: &mut Vec<u8>) {
    fixed(value, scale, false, true, locale.decimal, out);
}

/// DT_CY in ten-thousandths, in expressions and Data Conversion: no trailing zeros: `1431.5`, `0`, `0.5`.
#[inline]
pub fn currency(value: i128, locale: &Locale, out: &mut Vec<u8>) {
    fixed(value, 4, true, false, locale.decimal, out);
}

/// DT_CY in a flat file: no trailing zeros (real output: `1431.5`, `34.99`, `0`); that it is also without the zero before
/// a bare point, as DT_NUMERIC is, is unconfirmed.
#[inline]
pub fn currency_flat(value: i128, locale: &Locale, out: &mut Vec<u8>) {
    fixed(value, 4, false, false, locale.decimal, out);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(write: impl Fn(&Locale, &mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(Locale::of(1033), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn doubles() {
        for (value, expected) in [
            (0.0, "0"),
            (-0.0, "0"),
            (1.0, "1"),
            (-1.5, "-1.5"),
            (0.1, "0.1"),
            (3.737766961828337, "3.737766961828337"),
            (1.373382979540176e32, "1.373382979540176E+32"),
            (100_000_000_000_000.0, "100000000000000"),
            (999_999_999_999_999.0, "999999999999999"),
            (1e15, "1E+15"),
            (1.5e15, "1.5E+15"),
            (0.00001, "0.00001"),
            (0.000012, "0.000012"),
            (0.0000012, "1.2E-06"),
            (1e100, "1E+100"),
            (f64::MAX, "1.7976931348623157E+308"),
            (5e-324, "5E-324"),
            (f64::INFINITY, "1.#INF"),
        ] {
            assert_eq!(text(|l, out| r8(value, l, out)), expected);
        }
        let mut german = Vec::new();
        r8(-1234.5, Locale::of(1031), &mut german);
        assert_eq!(german, b"-1234,5");
    }

    #[test]
    fn singles() {
        for (value, expected) in
            [(0.1, "0.1"), (16_777_216.0, "1.6777216E+07"), (1_234_567.0, "1234567"), (1e7, "1E+07"), (3.5, "3.5")]
        {
            assert_eq!(text(|l, out| r4(value, l, out)), expected);
        }
    }

    #[test]
    fn decimals_in_both_styles() {
        let most = 99_999_999_999_999_999_999_999_999_999_999_999_999i128;
        for (value, scale, plain, flat) in [
            (20, 2, "0.20", ".20"),
            (400, 2, "4.00", "4.00"),
            (-5, 1, "-0.5", "-.5"),
            (0, 2, "0.00", ".00"),
            (0, 0, "0", "0"),
            (-7, 0, "-7", "-7"),
            (1, 38, "0.00000000000000000000000000000000000001", ".00000000000000000000000000000000000001"),
            (most, 0, "99999999999999999999999999999999999999", "99999999999999999999999999999999999999"),
            (-most, 19, "-9999999999999999999.9999999999999999999", "-9999999999999999999.9999999999999999999"),
            (u64::MAX as i128 + 1, 0, "18446744073709551616", "18446744073709551616"),
        ] {
            assert_eq!(text(|l, out| decimal(value, scale, l, out)), plain);
            assert_eq!(text(|l, out| decimal_flat(value, scale, l, out)), flat);
        }
    }

    #[test]
    fn currency_drops_trailing_zeros() {
        for (value, plain, flat) in [
            (14_315_000, "1431.5", "1431.5"),
            (349_900, "34.99", "34.99"),
            (0, "0", "0"),
            (5000, "0.5", ".5"),
            (-1, "-0.0001", "-.0001"),
            (i64::MIN as i128, "-922337203685477.5808", "-922337203685477.5808"),
        ] {
            assert_eq!(text(|l, out| currency(value, l, out)), plain);
            assert_eq!(text(|l, out| currency_flat(value, l, out)), flat);
        }
    }
}
