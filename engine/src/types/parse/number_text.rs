//! The locale-aware number scanner, after `VarParseNumFromStr` with NUMPRS_STD.

use super::{ParseError, hex, trim};
use crate::types::locale::Locale;

/// A number taken apart: `mantissa × 10^exponent`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Scanned {
    /// A sign, or parentheses.
    pub negative: bool,
    /// The first 38 significant digits.
    pub mantissa: u128,
    /// The power of ten.
    pub exponent: i32,
    /// Whether digits other than 0 were left off the mantissa.
    pub inexact: bool,
}

/// The mantissa takes another digit below this.
const MANTISSA_ROOM: u128 = 10u128.pow(37);

/// Reads a number: blanks around it, one sign before or after, parentheses for negative, the currency symbol before or
/// after, thousands separators between digits, a fraction, an exponent; or `&H` and `&O` (unconfirmed).
pub(super) fn scan(text: &[u8], locale: &Locale) -> Result<Scanned, ParseError> {
    let mut rest = trim(text);
    let (mut sign, mut open, mut currency) = (None, false, false);
    loop {
        match rest {
            [b'+', tail @ ..] if sign.is_none() => (sign, rest) = (Some(false), tail),
            [b'-', tail @ ..] if sign.is_none() => (sign, rest) = (Some(true), tail),
            [b'(', tail @ ..] if !open => (open, rest) = (true, tail),
            [b' ' | b'\t', tail @ ..] => rest = tail,
            _ => match currency_after(rest, locale) {
                Some(tail) if !currency => (currency, rest) = (true, tail),
                _ => break,
            },
        }
    }
    let mut number = Scanned { negative: false, mantissa: 0, exponent: 0, inexact: false };
    rest = match rest {
        [b'&', b'h' | b'H', tail @ ..] => radix(tail, 16, &mut number)?,
        [b'&', b'o' | b'O', tail @ ..] => radix(tail, 8, &mut number)?,
        _ => decimal(rest, locale, &mut number)?,
    };
    let mut close = false;
    loop {
        match rest {
            [] => break,
            [b' ' | b'\t', tail @ ..] => rest = tail,
            [b')', tail @ ..] if open && !close => (close, rest) = (true, tail),
            [b'+', tail @ ..] if sign.is_none() => (sign, rest) = (Some(false), tail),
            [b'-', tail @ ..] if sign.is_none() => (sign, rest) = (Some(true), tail),
            _ => match currency_after(rest, locale) {
                Some(tail) if !currency => (currency, rest) = (true, tail),
                _ => return Err(ParseError::Syntax),
            },
        }
    }
    if open != close {
        return Err(ParseError::Syntax);
    }
    number.negative = (open || sign == Some(true)) && number.mantissa != 0;
    Ok(number)
}

/// What follows the locale's currency symbol.
fn currency_after<'a>(text: &'a [u8], locale: &Locale) -> Option<&'a [u8]> {
    let symbol = locale.currency.as_bytes();
    if symbol.is_empty() { None } else { text.strip_prefix(symbol) }
}

/// What follows a thousands separator; where that is a kind of space, the plain space does as well.
fn thousands_after<'a>(text: &'a [u8], locale: &Locale) -> Option<&'a [u8]> {
    let separator = locale.thousands.as_bytes();
    if let Some(rest) = text.strip_prefix(separator) {
        return Some(rest);
    }
    if locale.thousands != "\u{a0}" {
        return None;
    }
    text.strip_prefix(b" ").or_else(|| text.strip_prefix("\u{202f}".as_bytes()))
}

fn decimal<'a>(text: &'a [u8], locale: &Locale, number: &mut Scanned) -> Result<&'a [u8], ParseError> {
    let mut rest = text;
    let (mut any, mut fraction) = (false, false);
    loop {
        match rest {
            [digit @ b'0'..=b'9', tail @ ..] => {
                any = true;
                let digit = (digit - b'0') as u128;
                if number.mantissa < MANTISSA_ROOM {
                    number.mantissa = number.mantissa * 10 + digit;
                    number.exponent -= fraction as i32;
                } else {
                    number.inexact |= digit != 0;
                    number.exponent = number.exponent.saturating_add(!fraction as i32);
                }
                rest = tail;
            }
            [byte, tail @ ..] if *byte == locale.decimal && !fraction => (fraction, rest) = (true, tail),
            _ if any && !fraction => match thousands_after(rest, locale) {
                Some(tail @ [b'0'..=b'9', ..]) => rest = tail,
                _ => break,
            },
            _ => break,
        }
    }
    if !any {
        return Err(ParseError::Syntax);
    }
    if let [b'e' | b'E', tail @ ..] = rest {
        let (negative, tail) = match tail {
            [b'-', tail @ ..] => (true, tail),
            [b'+', tail @ ..] => (false, tail),
            _ => (false, tail),
        };
        let length = tail.iter().take_while(|b| b.is_ascii_digit()).count();
        if length == 0 {
            return Err(ParseError::Syntax);
        }
        let power =
            tail[..length].iter().fold(0i32, |power, b| power.saturating_mul(10).saturating_add((b - b'0') as i32));
        number.exponent = number.exponent.saturating_add(if negative { -power } else { power }).clamp(-99_999, 99_999);
        rest = &tail[length..];
    }
    Ok(rest)
}

fn radix<'a>(text: &'a [u8], base: u128, number: &mut Scanned) -> Result<&'a [u8], ParseError> {
    let length = text.iter().take_while(|b| hex(**b).is_some_and(|d| (d as u128) < base)).count();
    if length == 0 {
        return Err(ParseError::Syntax);
    }
    for byte in &text[..length] {
        let digit = hex(*byte).unwrap_or(0) as u128;
        number.mantissa = number.mantissa.checked_mul(base).ok_or(ParseError::Overflow)? + digit;
        if number.mantissa > u64::MAX as u128 {
            return Err(ParseError::Overflow);
        }
    }
    Ok(&text[length..])
}
