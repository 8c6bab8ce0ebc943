//! The hot writers: numbers and dates into a fixed window, eight digits at a step.
//!
//! What they write is what [`dtsx_engine::types::format`] writes for a flat file; the tests compare the two.

use dtsx_engine::types::calendar;

/// The bytes that a writer may touch, whatever it writes. What it returns is how many count.
pub(super) const WINDOW: usize = 64;
/// A window.
pub(super) type Window = [u8; WINDOW];

const ZEROS: u64 = 0x3030_3030_3030_3030;

/// The eight digits of a value below 10^8, first digit in the lowest byte, as numbers 0 to 9.
#[inline(always)]
fn eight(value: u32) -> u64 {
    let value = u64::from(value);
    let high = value / 10_000;
    let quads = high | (value - high * 10_000) << 32;
    let hundreds = ((quads * 10_486) >> 20) & 0x0000_007F_0000_007F;
    let pairs = hundreds | (quads - hundreds * 100) << 16;
    let tens = ((pairs * 103) >> 10) & 0x000F_000F_000F_000F;
    tens | (pairs - tens * 10) << 8
}

/// `WINDOW` bytes are enough for all that follows a place below 48.
#[inline(always)]
fn put(window: &mut Window, at: usize, word: u64) {
    if let Some(place) = window.get_mut(at..at + 8) {
        place.copy_from_slice(&word.to_le_bytes());
    }
}

/// An unsigned number at `at`; where it ends.
#[inline(always)]
pub(super) fn unsigned(value: u64, window: &mut Window, at: usize) -> usize {
    if value < 100_000_000 {
        return up_to_eight(value as u32, window, at);
    }
    let (high, low) = (value / 100_000_000, (value % 100_000_000) as u32);
    let at = if high < 100_000_000 {
        up_to_eight(high as u32, window, at)
    } else {
        let at = up_to_eight((high / 100_000_000) as u32, window, at);
        put(window, at, eight((high % 100_000_000) as u32) | ZEROS);
        at + 8
    };
    put(window, at, eight(low) | ZEROS);
    at + 8
}

#[inline(always)]
fn up_to_eight(value: u32, window: &mut Window, at: usize) -> usize {
    let digits = eight(value);
    // A last digit of 0 stays.
    let skip = (digits | 1 << 56).trailing_zeros() / 8;
    put(window, at, (digits | ZEROS) >> (8 * skip));
    at + 8 - skip as usize
}

/// A signed number; its length.
#[inline(always)]
pub(super) fn signed(value: i64, window: &mut Window) -> usize {
    let negative = value < 0;
    window[0] = b'-';
    unsigned(value.unsigned_abs(), window, negative as usize)
}

/// A decimal of 18 digits at most with `scale` (1 to 8) of them behind the separator, and no zero in front of a bare one.
/// `power` is 10^scale.
#[inline(always)]
pub(super) fn decimal(value: i64, scale: u32, power: u64, separator: u8, window: &mut Window) -> usize {
    let negative = value < 0;
    window[0] = b'-';
    let magnitude = value.unsigned_abs();
    let (whole, fraction) = (magnitude / power, (magnitude % power) as u32);
    let mut at = negative as usize;
    if whole != 0 {
        at = unsigned(whole, window, at);
    }
    if let Some(place) = window.get_mut(at) {
        *place = separator;
    }
    put(window, at + 1, (eight(fraction) | ZEROS) >> (64 - 8 * scale));
    at + 1 + scale as usize
}

/// `yyyy-mm-dd` of a day number within 0001..=9999.
#[inline(always)]
pub(super) fn date(day: i32, window: &mut Window) -> usize {
    let (year, month, of_month) = calendar::civil_from_days(day);
    let digits = eight(year as u32 * 10_000 + month * 100 + of_month) | ZEROS;
    let bytes = digits.to_le_bytes();
    let [y1, y2, y3, y4, m1, m2, d1, d2] = bytes;
    window[..10].copy_from_slice(&[y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2]);
    10
}

/// DT_DBTIMESTAMP from microseconds: `yyyy-mm-dd hh:mm:ss`, and nine digits more if there is a fraction.
#[inline(always)]
pub(super) fn timestamp(micros: i64, window: &mut Window) -> usize {
    const DAY: i64 = 86_400_000_000;
    let day = micros.div_euclid(DAY);
    let of_day = micros.rem_euclid(DAY) as u64;
    date(day as i32, window);
    let (seconds, fraction) = ((of_day / 1_000_000) as u32, (of_day % 1_000_000) as u32);
    let clock = seconds / 3600 * 10_000 + seconds / 60 % 60 * 100 + seconds % 60;
    let [_, _, h1, h2, m1, m2, s1, s2] = (eight(clock) | ZEROS).to_le_bytes();
    window[10..19].copy_from_slice(&[b' ', h1, h2, b':', m1, m2, b':', s1, s2]);
    if fraction == 0 {
        return 19;
    }
    window[19] = b'.';
    put(window, 20, (eight(fraction) | ZEROS) >> 16);
    window[26..29].copy_from_slice(b"000");
    29
}

#[cfg(test)]
mod tests {
    use super::*;
    use dtsx_engine::types::format;
    use dtsx_engine::types::locale::Locale;

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
            let size = signed(value, &mut window);
            assert_eq!(&window[..size], value.to_string().as_bytes());
            if value.unsigned_abs() < 10u64.pow(18) {
                for scale in 1..=8 {
                    let mut expected = Vec::new();
                    format::decimal_flat(i128::from(value), scale as u8, locale, &mut expected);
                    let size = decimal(value, scale, 10u64.pow(scale), b'.', &mut window);
                    assert_eq!(&window[..size], &expected[..], "{value} scale {scale}");
                }
            }
        }
        for day in (calendar::MIN_DAY..=calendar::MAX_DAY).step_by(97).chain([-1, 0, 1, calendar::MAX_DAY]) {
            let mut window = [b'x'; WINDOW];
            let mut expected = Vec::new();
            format::date(day, &mut expected);
            let size = date(day, &mut window);
            assert_eq!(&window[..size], &expected[..]);
            for of_day in [0, 1_000, 78_000, 67_662_078_000, 86_399_999_999i64] {
                let micros = i64::from(day) * 86_400_000_000 + of_day;
                let mut expected = Vec::new();
                format::timestamp_full(micros * 10, &mut expected);
                let size = timestamp(micros, &mut window);
                assert_eq!(&window[..size], &expected[..]);
            }
        }
    }
}
