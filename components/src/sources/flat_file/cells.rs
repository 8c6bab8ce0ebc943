//! The hot parsers: the plain spelling of a number or a date at a place in a block, eight digits at a step.
//!
//! They answer None for everything that is not plain (blanks, signs, exponents, qualifiers, other separators, nothing at
//! all); then the full parsers of [`dtsx_engine::types::parse`] decide, so that these hold no rules of their own. Each
//! reads up to [`super::fetch::FRONT`] bytes in front of its field.

const ZEROS: u64 = 0x3030_3030_3030_3030;

/// 1 to 8 digits that end before `end`.
#[inline(always)]
fn eight(bytes: &[u8], end: usize, len: usize) -> Option<u64> {
    let word = bytes.get(end.wrapping_sub(8)..end)?;
    let word = u64::from_le_bytes(*word.first_chunk::<8>()?);
    // The field is the upper part of the word; zeros stand in for what precedes it.
    let keep = u64::MAX << (64 - 8 * len as u32);
    let word = (word & keep) | (ZEROS & !keep);
    let low = word.wrapping_sub(ZEROS);
    if (word.wrapping_add(0x4646_4646_4646_4646) | low) & 0x8080_8080_8080_8080 != 0 {
        return None;
    }
    let pairs = low.wrapping_mul(10).wrapping_add(low >> 8) & 0x00FF_00FF_00FF_00FF;
    let quads = pairs.wrapping_mul(100).wrapping_add(pairs >> 16) & 0x0000_FFFF_0000_FFFF;
    Some(quads.wrapping_mul(10_000).wrapping_add(quads >> 32) & 0xFFFF_FFFF)
}

/// 1 to 16 digits at `start..end`.
#[inline(always)]
fn digits(bytes: &[u8], start: usize, end: usize) -> Option<u64> {
    match end.wrapping_sub(start) {
        len @ 1..=8 => eight(bytes, end, len),
        len @ 9..=16 => Some(eight(bytes, end - 8, len - 8)? * 100_000_000 + eight(bytes, end, 8)?),
        _ => None,
    }
}

/// Up to 16 digits with or without a minus sign.
#[inline(always)]
pub(crate) fn integer(bytes: &[u8], start: usize, end: usize) -> Option<i64> {
    if bytes.get(start) == Some(&b'-') {
        return Some(-(digits(bytes, start + 1, end)? as i64));
    }
    Some(digits(bytes, start, end)? as i64)
}

/// Up to 16 digits, a separator and exactly `scale` (1 to 8) digits more, with or without a minus sign, or nothing in
/// front of the separator; the unscaled value. `power` is 10^scale.
#[inline(always)]
pub(crate) fn decimal(bytes: &[u8], start: usize, end: usize, scale: usize, power: u64, separator: u8) -> Option<i128> {
    let negative = bytes.get(start) == Some(&b'-');
    let start = start + negative as usize;
    let point = end.wrapping_sub(scale + 1);
    if point < start || point >= end || bytes.get(point) != Some(&separator) {
        return None;
    }
    let whole = if point == start { 0 } else { digits(bytes, start, point)? };
    let fraction = eight(bytes, end, scale)?;
    let value = i128::from(whole) * i128::from(power) + i128::from(fraction);
    Some(if negative { -value } else { value })
}

/// `yyyy-mm-dd`.
#[inline(always)]
pub(crate) fn date(bytes: &[u8], start: usize, end: usize) -> Option<i32> {
    dtsx_engine::types::parse::iso_date(bytes.get(start..end)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use dtsx_engine::types::parse;

    #[test]
    fn plain_numbers_are_read_as_the_full_parsers_read_them() {
        let texts = [
            "0",
            "7",
            "42",
            "1234567",
            "12345678",
            "123456789",
            "9999999999999999",
            "-1",
            "-12345678",
            "-",
            "",
            "+1",
            "1 ",
            " 1",
            "1a",
            "12:4",
            "1/2",
            "99999999999999999",
            "0.5",
            "٣",
        ];
        for text in texts {
            let bytes = [&b"3333333333333333"[..], text.as_bytes(), &[b'7'; 16]].concat();
            let got = integer(&bytes, 16, 16 + text.len());
            assert!(got.is_none() || got == parse::parse_i64(text.as_bytes()), "{text:?}: {got:?}");
            let plain = text.trim_start_matches('-');
            let regular = !plain.is_empty() && plain.len() <= 16 && plain.bytes().all(|b| b.is_ascii_digit());
            assert_eq!(got.is_some(), regular, "{text:?}");
        }
    }

    #[test]
    fn plain_decimals() {
        for (text, expected) in [
            ("17.00", Some(1700)),
            (".20", Some(20)),
            ("-0.04", Some(-4)),
            ("21168.23", Some(2_116_823)),
            ("1234567890123456.78", Some(123_456_789_012_345_678)),
            ("17", None),
            ("17.0", None),
            ("17.000", None),
            ("1,7.00", None),
            (".", None),
            ("-.", None),
            ("", None),
        ] {
            let bytes = [&b"3333333333333333"[..], text.as_bytes(), &[b'7'; 16]].concat();
            assert_eq!(decimal(&bytes, 16, 16 + text.len(), 2, 100, b'.'), expected, "{text:?}");
        }
    }
}
