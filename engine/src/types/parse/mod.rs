//! Text to values: the standard parse (locale-aware, as OLE automation does it) and FastParse.
//!
//! Every parser reads bytes and allocates nothing. Each standard parser tries the plain ASCII form first (digits, ISO
//! dates) and falls back to the locale-aware scanner; [`fast`] holds the FastParse variants, which know no locale.

mod date;
mod date_text;
pub mod fast;
mod number;
mod number_text;
#[cfg(test)]
mod tests;

pub use date::{
    MAX_OFFSET, iso_date, iso_time, iso_timestamp, parse_date, parse_filetime, parse_offset, parse_ole_date,
    parse_time, parse_time_strict, parse_timestamp, parse_timestamp_strict,
};
pub use number::{Int, parse_currency, parse_decimal, parse_f32, parse_f64, parse_float, parse_i64, parse_int};

/// Why a text is no value of a type.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ParseError {
    /// It is not written as the type is written (an empty text included).
    Syntax,
    /// It is, but the type does not reach that far.
    Overflow,
    /// It is negative, and the type has no sign.
    Sign,
}

/// The text without blanks at both ends: those that OLE automation skips.
#[inline]
pub(crate) fn trim(mut text: &[u8]) -> &[u8] {
    while let [b' ' | b'\t'..=b'\r', rest @ ..] = text {
        text = rest;
    }
    while let [rest @ .., b' ' | b'\t'..=b'\r'] = text {
        text = rest;
    }
    text
}

/// DT_BOOL: `True` or `False` in any letter case, or a number, of which 0 is false.
///
/// # Errors
/// [`ParseError::Syntax`] for anything else, an empty text included.
pub fn parse_bool(text: &[u8], locale: &super::locale::Locale) -> Result<bool, ParseError> {
    let text = trim(text);
    if text.eq_ignore_ascii_case(b"true") {
        Ok(true)
    } else if text.eq_ignore_ascii_case(b"false") {
        Ok(false)
    } else {
        parse_f64(text, locale).map(|v| v != 0.0).map_err(|_| ParseError::Syntax)
    }
}

/// DT_GUID: `{8-4-4-4-12}` in hexadecimal, braces required; the bytes come in the order of the text.
///
/// # Errors
/// [`ParseError::Syntax`] for anything else.
pub fn parse_guid(text: &[u8]) -> Result<[u8; 16], ParseError> {
    let &[b'{', ref inner @ .., b'}'] = trim(text) else { return Err(ParseError::Syntax) };
    if inner.len() != 36 || [8, 13, 18, 23].iter().any(|&i| inner[i] != b'-') {
        return Err(ParseError::Syntax);
    }
    let mut guid = [0; 16];
    let mut digits = inner.iter().enumerate().filter(|(i, _)| !matches!(i, 8 | 13 | 18 | 23)).map(|(_, b)| hex(*b));
    for byte in &mut guid {
        match (digits.next().flatten(), digits.next().flatten()) {
            (Some(high), Some(low)) => *byte = high << 4 | low,
            _ => return Err(ParseError::Syntax),
        }
    }
    Ok(guid)
}

/// The value of a hexadecimal digit.
#[inline]
pub(crate) fn hex(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}
