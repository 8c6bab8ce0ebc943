//! Dates and times.

use super::day_and_time;
use crate::types::calendar::{self, OLE_EPOCH};
use crate::types::locale::Locale;

/// `00` to `99`, two bytes each.
const PAIRS: [[u8; 2]; 100] = {
    let mut table = [[0; 2]; 100];
    let mut i = 0;
    while i < 100 {
        table[i] = [b'0' + i as u8 / 10, b'0' + i as u8 % 10];
        i += 1;
    }
    table
};

#[inline]
fn pair(value: u32) -> [u8; 2] {
    PAIRS[value as usize % 100]
}

#[inline]
fn iso_day(day: i32) -> [u8; 10] {
    let (year, month, day) = calendar::civil_from_days(day);
    let [y1, y2] = pair(year as u32 / 100);
    let [y3, y4] = pair(year as u32 % 100);
    let [m1, m2] = pair(month);
    let [d1, d2] = pair(day);
    [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2]
}

#[inline]
fn iso_clock(ticks: i64) -> ([u8; 8], u32) {
    let (hour, minute, second, fraction) = calendar::clock(ticks);
    let [h1, h2] = pair(hour);
    let [m1, m2] = pair(minute);
    let [s1, s2] = pair(second);
    ([h1, h2, b':', m1, m2, b':', s1, s2], fraction)
}

/// DT_DBDATE: `yyyy-mm-dd`.
#[inline]
pub fn date(day: i32, out: &mut Vec<u8>) {
    out.extend_from_slice(&iso_day(day.clamp(calendar::MIN_DAY, calendar::MAX_DAY)));
}

/// DT_DBTIME: `hh:mm:ss`.
#[inline]
pub fn time_seconds(ticks: i64, out: &mut Vec<u8>) {
    out.extend_from_slice(&iso_clock(ticks).0);
}

/// The first `scale` of the seven fraction digits.
#[inline]
fn fraction_digits(fraction: u32, scale: u8, out: &mut Vec<u8>) {
    if scale == 0 {
        return;
    }
    let mut digits = [b'.'; 8];
    let mut rest = fraction;
    for digit in digits[1..].iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    out.extend_from_slice(&digits[..=scale.min(7) as usize]);
}

/// DT_DBTIME2: `hh:mm:ss[.fffffff]`, with as many fraction digits as the scale says.
#[inline]
pub fn time(ticks: i64, scale: u8, out: &mut Vec<u8>) {
    let (clock, fraction) = iso_clock(ticks);
    out.extend_from_slice(&clock);
    fraction_digits(fraction, scale, out);
}

/// DT_DBTIMESTAMP2: `yyyy-mm-dd hh:mm:ss[.fffffff]`, with as many fraction digits as the scale says.
#[inline]
pub fn timestamp(ticks: i64, scale: u8, out: &mut Vec<u8>) {
    let (day, rest) = day_and_time(ticks);
    out.extend_from_slice(&iso_day(day));
    out.push(b' ');
    time(rest, scale, out);
}

/// DT_DBTIMESTAMP: `yyyy-mm-dd hh:mm:ss`, and a fraction that is not zero in nine digits: `.078000000` (real output).
#[inline]
pub fn timestamp_full(ticks: i64, out: &mut Vec<u8>) {
    let (day, rest) = day_and_time(ticks);
    let (clock, fraction) = iso_clock(rest);
    out.extend_from_slice(&iso_day(day));
    out.push(b' ');
    out.extend_from_slice(&clock);
    if fraction != 0 {
        fraction_digits(fraction, 7, out);
        out.extend_from_slice(b"00");
    }
}

/// DT_DBTIMESTAMPOFFSET: `yyyy-mm-dd hh:mm:ss[.fffffff] ±hh:mm` in local time, from ticks in UTC.
pub fn timestamp_offset(ticks: i64, offset: i16, scale: u8, out: &mut Vec<u8>) {
    timestamp(ticks.saturating_add(offset as i64 * 60 * calendar::TICKS_PER_SECOND), scale, out);
    out.push(b' ');
    out.push(if offset < 0 { b'-' } else { b'+' });
    let minutes = offset.unsigned_abs() as u32;
    out.extend_from_slice(&pair(minutes / 60));
    out.push(b':');
    out.extend_from_slice(&pair(minutes % 60));
}

/// DT_FILETIME: `yyyy-mm-dd hh:mm:ss:fff`.
pub fn filetime(ticks: i64, out: &mut Vec<u8>) {
    let (day, rest) = day_and_time(ticks);
    out.extend_from_slice(&iso_day(day));
    out.push(b' ');
    let (clock, fraction) = iso_clock(rest);
    out.extend_from_slice(&clock);
    out.push(b':');
    let millis = fraction / 10_000;
    out.push(b'0' + (millis / 100) as u8);
    out.extend_from_slice(&pair(millis % 100));
}

/// DT_DATE: short date and time of the locale, `3/4/2005 11:06:18 AM`; midnight shows the date alone and 1899-12-30 the
/// time alone, as `VarBstrFromDate` does. Fractions of a second are not shown.
pub fn date_of_locale(ticks: i64, locale: &Locale, out: &mut Vec<u8>) {
    let (day, rest) = day_and_time(ticks);
    let seconds = rest - rest % calendar::TICKS_PER_SECOND;
    if day != OLE_EPOCH || seconds == 0 {
        let (year, month, day) = calendar::civil_from_days(day);
        pattern(locale.short_date, out, |letter, count, out| match (letter, count) {
            (b'd', 1) => super::int(day, out),
            (b'd', _) => out.extend_from_slice(&pair(day)),
            (b'M', 1) => super::int(month, out),
            (b'M', _) => out.extend_from_slice(&pair(month)),
            (b'y', 1 | 2) => out.extend_from_slice(&pair(year as u32)),
            _ => {
                out.extend_from_slice(&pair(year as u32 / 100));
                out.extend_from_slice(&pair(year as u32));
            }
        });
        if seconds == 0 {
            return;
        }
        out.push(b' ');
    }
    time_of_locale(rest, locale, out);
}

/// The time of a day in the locale's form: `11:06:18 AM`.
pub fn time_of_locale(ticks_of_day: i64, locale: &Locale, out: &mut Vec<u8>) {
    let (hour, minute, second, _) = calendar::clock(ticks_of_day);
    let twelve = if hour % 12 == 0 { 12 } else { hour % 12 };
    pattern(locale.time, out, |letter, count, out| match (letter, count) {
        (b'h', 1) => super::int(twelve, out),
        (b'h', _) => out.extend_from_slice(&pair(twelve)),
        (b'H', 1) => super::int(hour, out),
        (b'H', _) => out.extend_from_slice(&pair(hour)),
        (b'm', _) => out.extend_from_slice(&pair(minute)),
        (b's', _) => out.extend_from_slice(&pair(second)),
        _ => out.extend_from_slice(if hour < 12 { locale.am } else { locale.pm }.as_bytes()),
    });
}

/// Runs of a letter go to `field`, anything else is copied.
fn pattern(pattern: &str, out: &mut Vec<u8>, field: impl Fn(u8, usize, &mut Vec<u8>)) {
    let mut rest = pattern.as_bytes();
    while let [byte, ..] = *rest {
        let count = rest.iter().take_while(|b| **b == byte).count();
        if byte.is_ascii_alphabetic() {
            field(byte, count, out);
        } else {
            out.extend_from_slice(&rest[..count]);
        }
        rest = &rest[count..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::parse::iso_timestamp;

    fn at(text: &str) -> i64 {
        iso_timestamp(text.as_bytes()).unwrap()
    }

    fn text(write: impl Fn(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn timestamps_of_each_type() {
        let ticks = at("2022-12-20 18:47:42.0780001");
        assert_eq!(text(|o| timestamp_full(at("2022-12-20 18:47:42.078"), o)), "2022-12-20 18:47:42.078000000");
        assert_eq!(text(|o| timestamp_full(at("2008-04-30"), o)), "2008-04-30 00:00:00");
        assert_eq!(text(|o| timestamp(ticks, 7, o)), "2022-12-20 18:47:42.0780001");
        assert_eq!(text(|o| timestamp(ticks, 3, o)), "2022-12-20 18:47:42.078");
        assert_eq!(text(|o| timestamp(ticks, 0, o)), "2022-12-20 18:47:42");
        assert_eq!(text(|o| filetime(ticks, o)), "2022-12-20 18:47:42:078");
        assert_eq!(text(|o| timestamp_offset(ticks, -330, 2, o)), "2022-12-20 13:17:42.07 -05:30");
        assert_eq!(text(|o| timestamp_offset(at("9999-12-31 23:59:59"), 0, 0, o)), "9999-12-31 23:59:59 +00:00");
        assert_eq!(text(|o| timestamp_full(i64::MIN, o)), "0001-01-01 00:00:00");
    }

    #[test]
    fn ole_dates_take_the_form_of_the_locale() {
        let ticks = at("2005-03-04 11:06:18.9");
        for (lcid, expected) in [
            (1033, "3/4/2005 11:06:18 AM"),
            (2057, "04/03/2005 11:06:18"),
            (1031, "04.03.2005 11:06:18"),
            (1038, "2005. 03. 04. 11:06:18"),
            (1028, "2005/3/4 上午 11:06:18"),
            (2060, "04-03-05 11:06:18"),
        ] {
            assert_eq!(text(|o| date_of_locale(ticks, Locale::of(lcid), o)), expected);
        }
        let en = Locale::of(1033);
        assert_eq!(text(|o| date_of_locale(at("2005-03-04 00:00:00"), en, o)), "3/4/2005");
        assert_eq!(text(|o| date_of_locale(at("1899-12-30 00:30:00"), en, o)), "12:30:00 AM");
        assert_eq!(text(|o| date_of_locale(at("1899-12-30 12:30:00"), en, o)), "12:30:00 PM");
        assert_eq!(text(|o| date_of_locale(at("1899-12-30"), en, o)), "12/30/1899");
    }
}
