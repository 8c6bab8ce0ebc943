//! The hot parsers: the plain spelling of a number or a date at a place in a block, eight digits at a step.
//!
//! They answer None for everything that is not plain (blanks, signs, exponents, qualifiers, other separators, nothing at
//! all); then the full parsers of [`dtsx_engine::types::parse`] decide, so that these hold no rules of their own. Each
//! reads up to [`super::fetch::FRONT`] bytes in front of its field.

use dtsx_engine::types::calendar;

const ZEROS: u64 = 0x3030_3030_3030_3030;

/// 1 to 8 digits that end before `end`.
#[inline(always)]
fn eight(bytes: &[u8], end: usize, len: usize) -> Option<u64> {
    let word = bytes.get(end.wrapping_sub(8)..end)?;
    let word = u64::from_le_bytes(*word.first_chunk::<8>()?);
    // The field is the upper part of the word; zeros stand in for what precedes it.
    let keep = u64::MAX << (64 - 8 * len as u32);
    word_digits((word & keep) | (ZEROS & !keep))
}

/// The number of eight digits.
#[inline(always)]
fn word_digits(word: u64) -> Option<u64> {
    let low = word.wrapping_sub(ZEROS);
    if (word.wrapping_add(0x4646_4646_4646_4646) | low) & 0x8080_8080_8080_8080 != 0 {
        return None;
    }
    let pairs = low.wrapping_mul(10).wrapping_add(low >> 8) & 0x00FF_00FF_00FF_00FF;
    let quads = pairs.wrapping_mul(100).wrapping_add(pairs >> 16) & 0x0000_FFFF_0000_FFFF;
    Some(quads.wrapping_mul(10_000).wrapping_add(quads >> 32) & 0xFFFF_FFFF)
}

/// Two digits that end before `end`.
#[inline(always)]
fn two(bytes: &[u8], end: usize) -> Option<u64> {
    let [tens, ones] = *bytes.get(end.wrapping_sub(2)..end)?.first_chunk::<2>()?;
    let (tens, ones) = (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0'));
    if tens > 9 || ones > 9 { None } else { Some(u64::from(tens) * 10 + u64::from(ones)) }
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

/// Whether every byte from `len` (1 to 8) before `end` on is a digit.
#[inline(always)]
fn all_digits(bytes: &[u8], end: usize, len: usize) -> bool {
    let Some(word) = bytes.get(end.wrapping_sub(8)..end).and_then(|w| w.first_chunk::<8>()) else { return false };
    let keep = u64::MAX << (64 - 8 * len as u32);
    let word = (u64::from_le_bytes(*word) & keep) | (ZEROS & !keep);
    (word.wrapping_add(0x4646_4646_4646_4646) | word.wrapping_sub(ZEROS)) & 0x8080_8080_8080_8080 == 0
}

/// Whether [`integer`] reads a number of up to `most` (1 to 16) digits.
#[inline(always)]
pub(crate) fn is_integer(bytes: &[u8], start: usize, end: usize, most: usize) -> bool {
    let start = start.wrapping_add((bytes.get(start) == Some(&b'-')) as usize);
    is_digits(bytes, start, end, most)
}

/// Whether [`decimal`] reads a number with up to `most` (1 to 16) digits before the separator.
#[inline(always)]
pub(crate) fn is_decimal(bytes: &[u8], start: usize, end: usize, scale: usize, most: usize, separator: u8) -> bool {
    let start = start.wrapping_add((bytes.get(start) == Some(&b'-')) as usize);
    let len = end.wrapping_sub(start);
    if scale < 7 && len <= 8 && len > scale && len <= most + scale + 1 {
        let Some(word) = bytes.get(end.wrapping_sub(8)..end).and_then(|w| w.first_chunk::<8>()) else { return false };
        let word = u64::from_le_bytes(*word);
        let place = 8 * (7 - scale as u32);
        // The separator and what precedes the field count as zeros.
        let keep = u64::MAX << (64 - 8 * len as u32) & !(0xFF << place);
        let digits = (word & keep) | (ZEROS & !keep);
        let strange = (digits.wrapping_add(0x4646_4646_4646_4646) | digits.wrapping_sub(ZEROS)) & 0x8080_8080_8080_8080;
        return (word >> place) as u8 == separator && strange == 0;
    }
    let point = end.wrapping_sub(scale + 1);
    if point < start || point >= end || bytes.get(point) != Some(&separator) {
        return false;
    }
    let fraction = all_digits(bytes, end, scale);
    fraction && (point == start || is_digits(bytes, start, point, most))
}

/// Whether these are 1 to `most` (up to 16) digits.
#[inline(always)]
fn is_digits(bytes: &[u8], start: usize, end: usize, most: usize) -> bool {
    match end.wrapping_sub(start) {
        len if len > most => false,
        len @ 1..=8 => all_digits(bytes, end, len),
        len @ 9..=16 => all_digits(bytes, end - 8, len - 8) && all_digits(bytes, end, 8),
        _ => false,
    }
}

/// Up to 16 digits, a separator and exactly `scale` (1 to 8) digits more, with or without a minus sign, or nothing in
/// front of the separator; the unscaled value, below `limit`. `power` is 10^scale.
#[inline(always)]
pub(crate) fn decimal(
    bytes: &[u8],
    start: usize,
    end: usize,
    scale: usize,
    power: u64,
    limit: u64,
    separator: u8,
) -> Option<i128> {
    let negative = bytes.get(start) == Some(&b'-');
    let start = start.wrapping_add(negative as usize);
    // Most are short: the digits before the separator move over it, and all are read at once.
    let len = end.wrapping_sub(start);
    if scale < 7 && len <= 8 && len > scale {
        let word = bytes.get(end.wrapping_sub(8)..end)?;
        let word = u64::from_le_bytes(*word.first_chunk::<8>()?);
        let place = 8 * (7 - scale as u32);
        if (word >> place) as u8 != separator {
            return None;
        }
        let behind = u64::MAX << place << 8;
        let word = (word & behind) | (word & !(u64::MAX << place)) << 8;
        let keep = u64::MAX << (72 - 8 * len as u32);
        let value = word_digits((word & keep) | (ZEROS & !keep))?;
        let value = i64::try_from(value).ok().filter(|v| (*v as u64) < limit)?;
        return Some(i128::from(if negative { -value } else { value }));
    }
    let point = end.wrapping_sub(scale + 1);
    if point < start || point >= end || bytes.get(point) != Some(&separator) {
        return None;
    }
    let whole = if point == start { 0 } else { digits(bytes, start, point)? };
    let fraction = if scale == 2 { two(bytes, end)? } else { eight(bytes, end, scale)? };
    let value = whole.checked_mul(power)?.checked_add(fraction)?;
    let value = i64::try_from(value).ok().filter(|v| (*v as u64) < limit)?;
    Some(i128::from(if negative { -value } else { value }))
}

/// Year, month and day of `yyyy-mm-dd`, a day that exists in 0001..=9999.
#[inline(always)]
fn civil(bytes: &[u8], start: usize, end: usize) -> Option<(u32, u32, u32)> {
    let text = bytes.get(start..end)?.as_array::<10>()?;
    let [head @ .., d1, d2] = *text;
    let word = u64::from_le_bytes(head);
    // yyyy-mm- with the dashes made zeros.
    const DASHES: u64 = 0xFF00_00FF_0000_0000;
    if word & DASHES != 0x2D00_002D_0000_0000 {
        return None;
    }
    let digits = (word & !DASHES) | (ZEROS & DASHES);
    let low = digits.wrapping_sub(ZEROS);
    if (digits.wrapping_add(0x4646_4646_4646_4646) | low) & 0x8080_8080_8080_8080 != 0 {
        return None;
    }
    let (d1, d2) = (u32::from(d1.wrapping_sub(b'0')), u32::from(d2.wrapping_sub(b'0')));
    // Bytes: y1 y2 y3 y4 0 m1 m2 0; every second one becomes the number of two digits.
    let pairs = low.wrapping_mul(10).wrapping_add(low >> 8);
    let year = (pairs & 0xFF) as u32 * 100 + (pairs >> 16 & 0xFF) as u32;
    let month = (pairs >> 40 & 0xFF) as u32;
    let day = d1 * 10 + d2;
    if d1 > 9 || d2 > 9 || year == 0 || day == 0 || month.wrapping_sub(1) > 11 {
        return None;
    }
    if day > 28 && day > calendar::days_in_month(year as i32, month) {
        return None;
    }
    Some((year, month, day))
}

/// Whether [`date`] reads a day.
#[inline(always)]
pub(crate) fn is_date(bytes: &[u8], start: usize, end: usize) -> bool {
    civil(bytes, start, end).is_some()
}

/// `yyyy-mm-dd` of a day that exists in 0001..=9999, in days since 1970-01-01.
#[inline(always)]
pub(crate) fn date(bytes: &[u8], start: usize, end: usize) -> Option<i32> {
    let (year, month, day) = civil(bytes, start, end)?;
    // Years that begin in March, so that a leap day is the last.
    let january = u32::from(month < 3);
    let (year, month) = (year - january, month + 12 * january);
    let century = year / 100;
    let days = 1461 * year / 4 - century + century / 4 + (979 * month - 2919) / 32 + day;
    Some(days as i32 - 719_469)
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
            assert_eq!(is_integer(&bytes, 16, 16 + text.len(), 16), regular, "{text:?}");
            let short = regular && plain.len() <= 9;
            assert_eq!(is_integer(&bytes, 16, 16 + text.len(), 9), short, "{text:?}");
        }
    }

    #[test]
    fn dates_of_every_month_and_no_others() {
        let read = |text: &str| {
            let bytes = [text.as_bytes(), b"0"].concat();
            date(&bytes, 0, text.len())
        };
        for year in (1..=9999).step_by(3).chain([4, 100, 400, 1900, 2000, 2024]) {
            for month in 0..=13 {
                for day in [0, 1, 2, 28, 29, 30, 31, 32] {
                    let text = format!("{year:04}-{month:02}-{day:02}");
                    assert_eq!(read(&text), parse::iso_date(text.as_bytes()), "{text}");
                    assert_eq!(is_date(text.as_bytes(), 0, text.len()), read(&text).is_some(), "{text}");
                }
            }
        }
        for text in ["2020-1-01", "2020-01-1x", "2020/01/01", "20x0-01-01", "2020-01-010", "0000-01-01", "2020-0:-01"] {
            assert_eq!(read(text), None, "{text}");
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
            assert_eq!(decimal(&bytes, 16, 16 + text.len(), 2, 100, u64::MAX, b'.'), expected, "{text:?}");
            assert_eq!(is_decimal(&bytes, 16, 16 + text.len(), 2, 16, b'.'), expected.is_some(), "{text:?}");
        }
    }
}
