//! Numbers: the plain ASCII paths, and what a scanned number becomes in each type.

use super::ParseError;
use super::number_text::{Scanned, scan};
use crate::types::decimal::{self, POW10};
use crate::types::locale::Locale;

/// An integer type that texts and numbers are converted to.
pub trait Int: Copy + Sized {
    /// Whether the type has a sign.
    const SIGNED: bool;
    /// The value, if the type reaches it.
    ///
    /// # Errors
    /// [`ParseError::Overflow`], or [`ParseError::Sign`] for a negative value of an unsigned type.
    fn from_i64(value: i64) -> Result<Self, ParseError>;
    /// The same from a wider value.
    ///
    /// # Errors
    /// As [`Int::from_i64`].
    fn from_i128(value: i128) -> Result<Self, ParseError>;
    /// The value in the widest type.
    fn to_i128(self) -> i128;
    /// The nearest double.
    fn to_f64(self) -> f64;
}

macro_rules! int {
    ($($t:ty, $signed:literal);*) => {$(
        impl Int for $t {
            const SIGNED: bool = $signed;
            #[inline]
            fn from_i64(value: i64) -> Result<Self, ParseError> {
                Self::try_from(value).map_err(|_| out_of_range($signed, value < 0))
            }
            #[inline]
            fn from_i128(value: i128) -> Result<Self, ParseError> {
                Self::try_from(value).map_err(|_| out_of_range($signed, value < 0))
            }
            #[inline]
            fn to_i128(self) -> i128 {
                self as i128
            }
            #[inline]
            fn to_f64(self) -> f64 {
                self as f64
            }
        }
    )*};
}
int!(i8, true; i16, true; i32, true; i64, true; u8, false; u16, false; u32, false; u64, false);

#[cold]
fn out_of_range(signed: bool, negative: bool) -> ParseError {
    if !signed && negative { ParseError::Sign } else { ParseError::Overflow }
}

/// Eight ASCII digits at once, or None if one of them is no digit.
#[inline]
fn eight_digits(bytes: [u8; 8]) -> Option<u64> {
    let chunk = u64::from_le_bytes(bytes);
    let low = chunk.wrapping_sub(0x3030_3030_3030_3030);
    if (chunk.wrapping_add(0x4646_4646_4646_4646) | low) & 0x8080_8080_8080_8080 != 0 {
        return None;
    }
    let pairs = low.wrapping_mul(10).wrapping_add(low >> 8) & 0x00FF_00FF_00FF_00FF;
    let quads = pairs.wrapping_mul(100).wrapping_add(pairs >> 16) & 0x0000_FFFF_0000_FFFF;
    Some(quads.wrapping_mul(10_000).wrapping_add(quads >> 32) & 0xFFFF_FFFF)
}

/// One to nineteen digits and nothing else, which always fit.
#[inline]
pub(super) fn digits(mut text: &[u8]) -> Option<u64> {
    if text.is_empty() || text.len() > 19 {
        return None;
    }
    let mut value = 0;
    while let Some((chunk, rest)) = text.split_first_chunk::<8>() {
        value = value * 100_000_000 + eight_digits(*chunk)?;
        text = rest;
    }
    for byte in text {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value * 10 + digit as u64;
    }
    Some(value)
}

/// A sign or none, then digits and nothing else, as far as an i64 reaches; None sends the caller to the full parser.
#[inline]
pub fn parse_i64(text: &[u8]) -> Option<i64> {
    match text {
        [b'-', rest @ ..] => {
            let value = digits(rest)?;
            (value <= 1 << 63).then_some((value as i64).wrapping_neg())
        }
        [b'+', rest @ ..] => i64::try_from(digits(rest)?).ok(),
        _ => i64::try_from(digits(text)?).ok(),
    }
}

/// An integer in the standard parse: blanks around, a sign before or after, parentheses, currency symbol, thousands
/// separators, exponent, and a fraction that is dropped as [`decimal::INTEGER_ROUNDING`] says.
///
/// # Errors
/// What is wrong with the text.
#[inline]
pub fn parse_int<T: Int>(text: &[u8], locale: &Locale) -> Result<T, ParseError> {
    match parse_i64(text) {
        Some(value) => T::from_i64(value),
        None => int_of_text(text, locale),
    }
}

#[cold]
fn int_of_text<T: Int>(text: &[u8], locale: &Locale) -> Result<T, ParseError> {
    let scanned = scan(text, locale)?;
    T::from_i128(unscaled(&scanned, 0, decimal::INTEGER_ROUNDING)?)
}

/// DT_NUMERIC and DT_DECIMAL: the unscaled value at `scale`; fraction digits beyond it are dropped as
/// [`decimal::EXCESS_FRACTION`] says.
///
/// # Errors
/// What is wrong with the text; [`ParseError::Overflow`] from `10^precision` on.
#[inline]
pub fn parse_decimal(text: &[u8], precision: u8, scale: u8, locale: &Locale) -> Result<i128, ParseError> {
    let value = match plain_decimal(text, scale, locale.decimal) {
        Some(value) => value,
        None => unscaled(&scan(text, locale)?, scale, decimal::EXCESS_FRACTION)?,
    };
    if value.unsigned_abs() < POW10[precision.min(38) as usize] as u128 { Ok(value) } else { Err(ParseError::Overflow) }
}

/// DT_CY: ten-thousandths, rounded as [`decimal::CURRENCY_ROUNDING`] says.
///
/// # Errors
/// What is wrong with the text.
#[inline]
pub fn parse_currency(text: &[u8], locale: &Locale) -> Result<i64, ParseError> {
    let plain = if decimals(text, locale.decimal) <= 4 { plain_decimal(text, 4, locale.decimal) } else { None };
    let value = match plain {
        Some(value) => value,
        None => unscaled(&scan(text, locale)?, 4, decimal::CURRENCY_ROUNDING)?,
    };
    i64::try_from(value).map_err(|_| ParseError::Overflow)
}

/// Bytes after the last decimal separator.
#[inline]
fn decimals(text: &[u8], separator: u8) -> usize {
    text.iter().rev().position(|b| *b == separator).unwrap_or(0)
}

/// Sign, digits, one separator, digits, eighteen digits at most.
#[inline]
fn plain_decimal(text: &[u8], scale: u8, separator: u8) -> Option<i128> {
    let (negative, body) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    if body.len() > 19 || body.is_empty() {
        return None;
    }
    let mut value = 0u64;
    let mut point = usize::MAX;
    for (i, byte) in body.iter().enumerate() {
        let digit = byte.wrapping_sub(b'0');
        if digit <= 9 {
            value = value.wrapping_mul(10).wrapping_add(digit as u64);
        } else if *byte == separator && point == usize::MAX {
            point = i;
        } else {
            return None;
        }
    }
    let fraction = if point == usize::MAX { 0 } else { body.len() - 1 - point };
    let count = body.len() - (point != usize::MAX) as usize;
    if count == 0 || count > 18 {
        return None;
    }
    let scale = scale as usize;
    let value = if fraction <= scale {
        // 18 digits and a scale of at most 20 more stay below 10^38.
        if scale - fraction > 19 {
            return None;
        }
        value as i128 * POW10[scale - fraction]
    } else if decimal::EXCESS_FRACTION == decimal::Rounding::Truncate {
        (value / POW10[fraction - scale] as u64) as i128
    } else {
        return None;
    };
    Some(if negative { -value } else { value })
}

/// The unscaled value of a scanned number at a scale.
fn unscaled(scanned: &Scanned, scale: u8, rounding: decimal::Rounding) -> Result<i128, ParseError> {
    let shift = scanned.exponent.saturating_add(scale as i32);
    let magnitude = if scanned.mantissa == 0 {
        0
    } else if shift >= 0 {
        let factor = POW10.get(shift as usize).ok_or(ParseError::Overflow)?;
        scanned.mantissa.checked_mul(*factor as u128).ok_or(ParseError::Overflow)?
    } else {
        match POW10.get(shift.unsigned_abs() as usize) {
            Some(divisor) => decimal::divide_unsigned(scanned.mantissa, *divisor as u128, scanned.inexact, rounding),
            None => 0,
        }
    };
    let value = i128::try_from(magnitude).map_err(|_| ParseError::Overflow)?;
    Ok(if scanned.negative { -value } else { value })
}

/// A float type.
pub trait Float: lexical_core::FromLexical + Copy {
    /// Whether it is neither infinite nor NaN.
    fn finite(self) -> bool;
    /// With the sign turned.
    fn negated(self) -> Self;
}
impl Float for f32 {
    fn finite(self) -> bool {
        self.is_finite()
    }
    fn negated(self) -> Self {
        -self
    }
}
impl Float for f64 {
    fn finite(self) -> bool {
        self.is_finite()
    }
    fn negated(self) -> Self {
        -self
    }
}

/// DT_R4 and DT_R8 in the standard parse, correctly rounded.
///
/// # Errors
/// What is wrong with the text; a number beyond the type's range is an overflow, one too near to 0 is 0.
#[inline]
pub fn parse_float<T: Float>(text: &[u8], locale: &Locale) -> Result<T, ParseError> {
    // Words that only a float parser knows (inf, nan) begin with a letter; they are no numbers here.
    if locale.decimal == b'.'
        && matches!(text, [b'0'..=b'9', ..] | [b'-', b'0'..=b'9', ..])
        && let Ok(value) = lexical_core::parse::<T>(text)
    {
        return if value.finite() { Ok(value) } else { Err(ParseError::Overflow) };
    }
    float_of_text(text, locale)
}

#[cold]
fn float_of_text<T: Float>(text: &[u8], locale: &Locale) -> Result<T, ParseError> {
    let scanned = scan(text, locale)?;
    // `mantissa e exponent` for the float parser: 39 digits, 'e', sign, 10 digits.
    let mut buffer = [0u8; 64];
    let mut cursor = std::io::Cursor::new(&mut buffer[..]);
    use std::io::Write;
    if write!(cursor, "{}e{}", scanned.mantissa, scanned.exponent).is_err() {
        return Err(ParseError::Syntax);
    }
    let length = cursor.position() as usize;
    let value: T = lexical_core::parse(&buffer[..length]).map_err(|_| ParseError::Syntax)?;
    if !value.finite() {
        return Err(ParseError::Overflow);
    }
    Ok(if scanned.negative { value.negated() } else { value })
}

/// DT_R8; see [`parse_float`].
///
/// # Errors
/// As [`parse_float`].
#[inline]
pub fn parse_f64(text: &[u8], locale: &Locale) -> Result<f64, ParseError> {
    parse_float(text, locale)
}

/// DT_R4; see [`parse_float`].
///
/// # Errors
/// As [`parse_float`].
#[inline]
pub fn parse_f32(text: &[u8], locale: &Locale) -> Result<f32, ParseError> {
    parse_float(text, locale)
}
