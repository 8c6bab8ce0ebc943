//! The proleptic Gregorian calendar: civil dates and day numbers, ticks of 100 ns, OLE automation dates.

/// Days since 1970-01-01 of 0001-01-01, the first day of every type but DT_DATE.
pub const MIN_DAY: i32 = days_from_civil(1, 1, 1);
/// Days since 1970-01-01 of 9999-12-31, the last day of every type.
pub const MAX_DAY: i32 = days_from_civil(9999, 12, 31);
/// Days since 1970-01-01 of 0100-01-01, the first day of an OLE automation date (DT_DATE).
pub const OLE_MIN_DAY: i32 = days_from_civil(100, 1, 1);
/// Days since 1970-01-01 of 1899-12-30, day 0 of an OLE automation date, and the date of a text that has only a time.
pub const OLE_EPOCH: i32 = days_from_civil(1899, 12, 30);
/// Days since 1970-01-01 of 1601-01-01, where DT_FILETIME starts.
pub const FILETIME_EPOCH: i32 = days_from_civil(1601, 1, 1);

/// Ticks of 100 ns in a second.
pub const TICKS_PER_SECOND: i64 = 10_000_000;
/// Ticks of 100 ns in a day.
pub const TICKS_PER_DAY: i64 = 86_400 * TICKS_PER_SECOND;
/// Ticks of 0001-01-01 00:00:00.
pub const MIN_TICKS: i64 = MIN_DAY as i64 * TICKS_PER_DAY;
/// Ticks of 9999-12-31 23:59:59.9999999.
pub const MAX_TICKS: i64 = (MAX_DAY as i64 + 1) * TICKS_PER_DAY - 1;

/// Days since 1970-01-01 of a civil date (which is taken to be valid), after Howard Hinnant.
#[inline]
pub const fn days_from_civil(year: i32, month: u32, day: u32) -> i32 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400) as u32;
    let shifted = if month > 2 { month - 3 } else { month + 9 };
    let of_year = (153 * shifted + 2) / 5 + day - 1;
    let day_of_era = of_era * 365 + of_era / 4 - of_era / 100 + of_year;
    era * 146_097 + day_of_era as i32 - 719_468
}

/// Year, month and day of a day number, after Howard Hinnant.
#[inline]
pub const fn civil_from_days(days: i32) -> (i32, u32, u32) {
    let days = days as i64 + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097) as u32;
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era as i64 + era * 400 + if month <= 2 { 1 } else { 0 };
    (year as i32, month, day)
}

/// Whether a year has a 29 February.
#[inline]
pub const fn is_leap(year: i32) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// The length of a month (of 1..=12).
#[inline]
pub const fn days_in_month(year: i32, month: u32) -> u32 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// The day number of a civil date, if it is one in 0001..=9999.
#[inline]
pub const fn date(year: i32, month: u32, day: u32) -> Option<i32> {
    if year < 1 || year > 9999 || month < 1 || month > 12 || day < 1 || day > 28 && day > days_in_month(year, month) {
        return None;
    }
    Some(days_from_civil(year, month, day))
}

/// The ticks in a day of a time, if it is one (no leap second).
#[inline]
pub const fn time(hour: u32, minute: u32, second: u32, fraction: u32) -> Option<i64> {
    if hour > 23 || minute > 59 || second > 59 || fraction as i64 >= TICKS_PER_SECOND {
        return None;
    }
    Some((hour as i64 * 3600 + minute as i64 * 60 + second as i64) * TICKS_PER_SECOND + fraction as i64)
}

/// Day number and ticks in that day.
#[inline]
pub const fn split(ticks: i64) -> (i32, i64) {
    (ticks.div_euclid(TICKS_PER_DAY) as i32, ticks.rem_euclid(TICKS_PER_DAY))
}

/// Ticks since 1970-01-01 of a day and the ticks in it.
#[inline]
pub const fn join(day: i32, ticks: i64) -> i64 {
    day as i64 * TICKS_PER_DAY + ticks
}

/// Hour, minute, second and fraction in ticks.
#[inline]
pub const fn clock(ticks_of_day: i64) -> (u32, u32, u32, u32) {
    let seconds = (ticks_of_day / TICKS_PER_SECOND) as u32;
    (seconds / 3600, seconds / 60 % 60, seconds % 60, (ticks_of_day % TICKS_PER_SECOND) as u32)
}

/// The ticks of an OLE automation date: whole days since 1899-12-30, and a fraction that counts forward even when the
/// number is negative (-1.25 is 06:00 on 1899-12-29). None outside 0100..=9999.
///
/// Rounded to the millisecond, as a double is no finer than that far from its epoch.
pub fn ticks_from_ole(value: f64) -> Option<i64> {
    if !(-657_435.0..2_958_466.0).contains(&value) {
        return None;
    }
    let day = value.trunc();
    let millis = ((value - day).abs() * 86_400_000.0).round() as i64;
    let ticks = join(day as i32 + OLE_EPOCH, millis * 10_000);
    (join(OLE_MIN_DAY, 0)..=MAX_TICKS).contains(&ticks).then_some(ticks)
}

/// The OLE automation date of ticks, the inverse of [`ticks_from_ole`].
pub fn ole_from_ticks(ticks: i64) -> f64 {
    let (day, rest) = split(ticks);
    let day = (day - OLE_EPOCH) as f64;
    let part = rest as f64 / TICKS_PER_DAY as f64;
    if day < 0.0 { day - part } else { day + part }
}

/// Today, in local time: what a time becomes part of when it is converted to a type with a date.
pub fn today() -> i32 {
    use chrono::Datelike;
    let now = chrono::Local::now();
    days_from_civil(now.year(), now.month(), now.day())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_day_from_0001_to_9999_and_back() {
        let (mut y, mut m, mut d) = (1, 1, 1);
        for day in MIN_DAY..=MAX_DAY {
            assert_eq!(civil_from_days(day), (y, m, d));
            assert_eq!(date(y, m, d), Some(day));
            d += 1;
            if d > days_in_month(y, m) {
                (m, d) = (m + 1, 1);
                assert_eq!(date(y, m - 1, days_in_month(y, m - 1) + 1), None);
            }
            if m > 12 {
                (y, m) = (y + 1, 1);
            }
        }
        assert_eq!((y, m, d), (10000, 1, 1));
    }

    #[test]
    fn ole_dates() {
        for (number, text) in [
            (0.0, (1899, 12, 30, 0)),
            (-1.25, (1899, 12, 29, 6)),
            (1.75, (1899, 12, 31, 18)),
            (2_958_465.5, (9999, 12, 31, 12)),
            (-657_434.0, (100, 1, 1, 0)),
            (38_415.0, (2005, 3, 4, 0)),
        ] {
            let ticks = ticks_from_ole(number).unwrap();
            let (day, rest) = split(ticks);
            let (y, m, d) = civil_from_days(day);
            assert_eq!((y, m, d, clock(rest).0), text, "{number}");
            assert_eq!(ole_from_ticks(ticks), number);
        }
        for number in [-657_435.0, 2_958_466.0, f64::NAN, f64::INFINITY] {
            assert_eq!(ticks_from_ole(number), None, "{number}");
        }
    }

    #[test]
    fn ticks_reach_both_ends() {
        assert_eq!(split(MIN_TICKS), (MIN_DAY, 0));
        assert_eq!(split(MAX_TICKS), (MAX_DAY, TICKS_PER_DAY - 1));
        assert_eq!(clock(TICKS_PER_DAY - 1), (23, 59, 59, 9_999_999));
        assert_eq!(time(24, 0, 0, 0), None);
    }
}
