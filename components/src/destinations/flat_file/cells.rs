//! The hot writers: numbers and dates into a fixed window, eight digits at a step.
//!
//! What they write is what [`dtsx_engine::types::format`] writes for a flat file; the tests compare the two.

/// The bytes that must be free where a writer writes.
pub(super) const WINDOW: usize = 128;
/// A window. Writers begin within its first 16 bytes and touch 64 at most.
pub(super) type Window = [u8; WINDOW];

const ZEROS: u64 = 0x3030_3030_3030_3030;

/// Two digits for every number below 100, first digit in the lower byte.
static PAIRS: [u16; 100] = {
    let mut pairs = [0; 100];
    let mut i = 0;
    while i < 100 {
        pairs[i] = 0x3030 + (i / 10) as u16 + ((i % 10) as u16) * 256;
        i += 1;
    }
    pairs
};

#[inline(always)]
fn pair(value: u32) -> u64 {
    u64::from(PAIRS[(value as usize).min(99)])
}

/// Writes bytes at a place in the first half of the window.
#[inline(always)]
pub(super) fn put<const N: usize>(window: &mut Window, at: usize, bytes: [u8; N]) {
    const { assert!(N <= 64) };
    if let Some(place) = window[at & 63..].first_chunk_mut::<N>() {
        *place = bytes;
    }
}

/// The eight digits of a value below 10^8, first digit in the lowest byte, as numbers 0 to 9.
#[inline(always)]
fn eight(value: u32) -> u64 {
    let high = u64::from(value / 10_000);
    let quads = high | (u64::from(value) - high * 10_000) << 32;
    let hundreds = ((quads * 10_486) >> 20) & 0x0000_007F_0000_007F;
    let pairs = hundreds | (quads - hundreds * 100) << 16;
    let tens = ((pairs * 103) >> 10) & 0x000F_000F_000F_000F;
    tens | (pairs - tens * 10) << 8
}

/// An unsigned number at `at`; where it ends.
#[inline(always)]
pub(super) fn unsigned(value: u64, window: &mut Window, at: usize) -> usize {
    if value < 100_000_000 { up_to_eight(value as u32, window, at) } else { many(value, window, at) }
}

/// A number of nine digits or more.
fn many(value: u64, window: &mut Window, at: usize) -> usize {
    let (high, low) = (value / 100_000_000, (value % 100_000_000) as u32);
    let at = if high < 100_000_000 {
        up_to_eight(high as u32, window, at)
    } else {
        let at = up_to_eight((high / 100_000_000) as u32, window, at);
        put(window, at, (eight((high % 100_000_000) as u32) | ZEROS).to_le_bytes());
        at + 8
    };
    put(window, at, (eight(low) | ZEROS).to_le_bytes());
    at + 8
}

#[inline(always)]
fn up_to_eight(value: u32, window: &mut Window, at: usize) -> usize {
    let digits = eight(value);
    // A last digit of 0 stays.
    let skip = (digits | 1 << 56).trailing_zeros() / 8;
    put(window, at, ((digits | ZEROS) >> (8 * skip)).to_le_bytes());
    at + 8 - skip as usize
}

/// A signed number at `at`; where it ends.
#[inline(always)]
pub(super) fn signed(value: i64, window: &mut Window, at: usize) -> usize {
    put(window, at, *b"-");
    unsigned(value.unsigned_abs(), window, at + (value < 0) as usize)
}

/// A decimal of 18 digits at most with `scale` (1 to 8) of them behind the separator, and no zero in front of a bare one.
/// `power` is 10^scale.
#[inline(always)]
pub(super) fn decimal(value: i64, scale: u32, power: u64, separator: u8, window: &mut Window, at: usize) -> usize {
    put(window, at, *b"-");
    let magnitude = value.unsigned_abs();
    let (whole, fraction) = (magnitude / power, (magnitude % power) as u32);
    let mut at = at + (value < 0) as usize;
    if whole != 0 {
        at = unsigned(whole, window, at);
    }
    if scale == 2 {
        let [tens, ones, ..] = pair(fraction).to_le_bytes();
        put(window, at, [separator, tens, ones]);
        return at + 3;
    }
    put(window, at, [separator]);
    put(window, at + 1, ((eight(fraction) | ZEROS) >> (64 - 8 * scale)).to_le_bytes());
    at + 1 + scale as usize
}

/// `yyyy-mm-dd` of a day number within 0001..=9999, at `at`; where it ends. The calendar is that of C. Neri and
/// L. Schneider, "Euclidean affine functions and their application to calendar algorithms": years begin in March.
#[inline(always)]
pub(super) fn date(day: i32, window: &mut Window, at: usize) -> usize {
    let quarters = 4 * (day + 719_468) as u32 + 3;
    let century = quarters / 146_097;
    let of_century = (quarters % 146_097) | 3;
    let product = 2_939_745 * u64::from(of_century);
    let of_year = (product as u32) / 2_939_745 / 4;
    let months = 2_141 * of_year + 197_913;
    let in_next_year = of_year >= 306;
    let year = 100 * century + (product >> 32) as u32 + u32::from(in_next_year);
    let month = (months >> 16) - if in_next_year { 12 } else { 0 };
    let of_month = (months & 0xFFFF) / 2_141 + 1;
    let dash = u64::from(b'-');
    let word = pair(year / 100) | pair(year % 100) << 16 | dash << 32 | pair(month) << 40 | dash << 56;
    let [d1, d2, ..] = pair(of_month).to_le_bytes();
    put(window, at, word.to_le_bytes());
    put(window, at + 8, [d1, d2]);
    at + 10
}

/// DT_DBTIMESTAMP from microseconds: `yyyy-mm-dd hh:mm:ss`, and nine digits more if there is a fraction.
#[inline(always)]
pub(super) fn timestamp(micros: i64, window: &mut Window, at: usize) -> usize {
    const DAY: i64 = 86_400_000_000;
    let at = date(micros.div_euclid(DAY) as i32, window, at);
    let of_day = micros.rem_euclid(DAY) as u64;
    let (seconds, fraction) = ((of_day / 1_000_000) as u32, (of_day % 1_000_000) as u32);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let colon = u64::from(b':');
    let clock = pair(hour) | colon << 16 | pair(minute) << 24 | colon << 40 | pair(second) << 48;
    put(window, at, *b" ");
    put(window, at + 1, clock.to_le_bytes());
    if fraction == 0 {
        return at + 9;
    }
    put(window, at + 9, *b".");
    put(window, at + 10, ((eight(fraction) | ZEROS) >> 16).to_le_bytes());
    put(window, at + 16, *b"000");
    at + 19
}

#[cfg(test)]
mod tests {
    use super::*;
    use dtsx_engine::types::locale::Locale;
    use dtsx_engine::types::{calendar, format};

    #[test]
    fn they_write_what_the_format_functions_write() {
        let locale = Locale::of(1033);
        let mut values = vec![0i64, 1, -1, 9, 10, 99, 100, i64::MAX, i64::MIN, 12_345_678, 123_456_789];
        let mut power = 1i64;
        for _ in 0..18 {
            power *= 10;
            values.extend([power - 1, power, power + 1, -power, power / 3]);
        }
        for value in values {
            let mut window = [b'x'; WINDOW];
            let end = signed(value, &mut window, 5);
            assert_eq!(&window[5..end], value.to_string().as_bytes());
            if value.unsigned_abs() < 10u64.pow(18) {
                for scale in 1..=8 {
                    let mut expected = Vec::new();
                    format::decimal_flat(i128::from(value), scale as u8, locale, &mut expected);
                    let end = decimal(value, scale, 10u64.pow(scale), b'.', &mut window, 8);
                    assert_eq!(&window[8..end], &expected[..], "{value} scale {scale}");
                }
            }
        }
        for day in (calendar::MIN_DAY..=calendar::MAX_DAY).step_by(7).chain([-1, 0, 1, calendar::MAX_DAY]) {
            let mut window = [b'x'; WINDOW];
            let mut expected = Vec::new();
            format::date(day, &mut expected);
            let end = date(day, &mut window, 1);
            assert_eq!(&window[1..end], &expected[..]);
            for of_day in [0, 1_000, 78_000, 67_662_078_000, 86_399_999_999i64] {
                let micros = i64::from(day) * 86_400_000_000 + of_day;
                let mut expected = Vec::new();
                format::timestamp_full(micros * 10, &mut expected);
                let end = timestamp(micros, &mut window, 1);
                assert_eq!(&window[1..end], &expected[..]);
            }
        }
    }
}
