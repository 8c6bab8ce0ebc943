//! Dates and times as people write them, after `VarDateFromStr`: order of the locale with a swap where that is
//! impossible, month names, two-digit years, AM and PM.

use super::ParseError;
use crate::types::calendar;
use crate::types::locale::{DateOrder, Locale};

/// What a text holds; None for the part that is absent.
pub(super) struct Found {
    pub day: Option<i32>,
    pub time: Option<i64>,
}

/// The last year that a two-digit year can mean, the default of Windows (unconfirmed: newer ones say 2049).
const TWO_DIGIT_YEAR_MAX: i32 = 2029;

/// A number of a date: value and count of digits.
#[derive(Clone, Copy, Default)]
struct Part {
    value: i32,
    digits: usize,
}

impl Part {
    fn year(self) -> i32 {
        if self.digits > 2 {
            return self.value;
        }
        let year = TWO_DIGIT_YEAR_MAX - TWO_DIGIT_YEAR_MAX % 100 + self.value;
        if year > TWO_DIGIT_YEAR_MAX { year - 100 } else { year }
    }

    fn must_be_year(self) -> bool {
        self.digits > 2 || self.value > 31
    }
}

/// Hour, minute, second, fraction in ticks.
type Clock = (u32, u32, u32, u32);

enum Word {
    Month(u32),
    Am,
    Pm,
    Day,
}

/// Reads a date, a time, or both in either order.
pub(super) fn scan(text: &[u8], locale: &Locale) -> Result<Found, ParseError> {
    let mut rest = text;
    let mut parts = [Part::default(); 3];
    let (mut count, mut month, mut month_at) = (0, None, 0);
    let mut clock: Option<Clock> = None;
    let mut afternoon = None;
    loop {
        match rest {
            [] => break,
            [b' ' | b'\t' | b',', tail @ ..] => rest = tail,
            [b'/' | b'-' | b'.', tail @ ..] if count > 0 || month.is_some() => rest = tail,
            [b'0'..=b'9', ..] => {
                let (part, tail) = number(rest)?;
                rest = tail;
                if let [b':', tail @ ..] = rest {
                    if clock.is_some() {
                        return Err(ParseError::Syntax);
                    }
                    let (time, tail) = clock_after(part, tail)?;
                    (clock, rest) = (Some(time), tail);
                } else if clock.is_none() && afternoon.is_none() && meridiem_follows(rest, locale) {
                    clock = Some((part.value as u32, 0, 0, 0));
                } else if count < 3 {
                    parts[count] = part;
                    count += 1;
                } else {
                    return Err(ParseError::Syntax);
                }
            }
            _ => {
                let (word, tail) = word(rest, locale).ok_or(ParseError::Syntax)?;
                rest = tail;
                match word {
                    Word::Month(number) if month.is_none() => (month, month_at) = (Some(number), count),
                    Word::Am if afternoon.is_none() => afternoon = Some(false),
                    Word::Pm if afternoon.is_none() => afternoon = Some(true),
                    Word::Day => {}
                    _ => return Err(ParseError::Syntax),
                }
            }
        }
    }
    let time = match (clock, afternoon) {
        (None, None) => None,
        (None, Some(_)) => return Err(ParseError::Syntax),
        (Some((hour, minute, second, fraction)), afternoon) => {
            let hour = match afternoon {
                None => hour,
                Some(_) if hour == 0 || hour > 12 => return Err(ParseError::Syntax),
                Some(afternoon) => hour % 12 + if afternoon { 12 } else { 0 },
            };
            Some(calendar::time(hour, minute, second, fraction).ok_or(ParseError::Syntax)?)
        }
    };
    let day = match (month, &parts[..count]) {
        (None, []) => None,
        (Some(month), parts) => Some(with_name(month, month_at, parts)?),
        (None, parts) => Some(with_digits(parts, locale.order())?),
    };
    if day.is_none() && time.is_none() {
        return Err(ParseError::Syntax);
    }
    Ok(Found { day, time })
}

fn number(text: &[u8]) -> Result<(Part, &[u8]), ParseError> {
    let digits = text.iter().take_while(|b| b.is_ascii_digit()).count();
    if digits == 0 || digits > 4 {
        return Err(ParseError::Syntax);
    }
    let value = text[..digits].iter().fold(0, |value, b| value * 10 + (b - b'0') as i32);
    Ok((Part { value, digits }, &text[digits..]))
}

/// Minute, second and fraction after `h:`.
fn clock_after(hour: Part, text: &[u8]) -> Result<(Clock, &[u8]), ParseError> {
    let (minute, mut rest) = number(text)?;
    let (mut second, mut fraction) = (Part::default(), 0);
    if let [b':', tail @ ..] = rest {
        (second, rest) = number(tail)?;
        // Not in VarDateFromStr; the DB types accept it.
        if let [b'.', tail @ ..] = rest {
            let digits = tail.iter().take_while(|b| b.is_ascii_digit()).count();
            if digits == 0 || digits > 9 {
                return Err(ParseError::Syntax);
            }
            let seven = tail[..digits].iter().copied().chain(std::iter::repeat(b'0')).take(7);
            fraction = seven.fold(0, |ticks, b| ticks * 10 + (b - b'0') as u32);
            rest = &tail[digits..];
        }
    }
    if hour.digits > 2 || minute.digits > 2 || second.digits > 2 {
        return Err(ParseError::Syntax);
    }
    Ok(((hour.value as u32, minute.value as u32, second.value as u32, fraction), rest))
}

/// Whether AM or PM follows, and is not that of a clock behind it (`4 上午 11:06`).
fn meridiem_follows(text: &[u8], locale: &Locale) -> bool {
    let blanks = |text: &[u8]| text.iter().take_while(|b| matches!(b, b' ' | b'\t')).count();
    match word(&text[blanks(text)..], locale) {
        Some((Word::Am | Word::Pm, rest)) => {
            let rest = &rest[blanks(rest)..];
            let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
            digits == 0 || rest.get(digits) != Some(&b':')
        }
        _ => false,
    }
}

/// A word of letters (everything beyond ASCII counts as one), with a point if it is abbreviated.
fn word<'a>(text: &'a [u8], locale: &Locale) -> Option<(Word, &'a [u8])> {
    for (name, word) in [(locale.am, Word::Am), (locale.pm, Word::Pm)] {
        if !name.is_empty() && text.len() >= name.len() && text[..name.len()].eq_ignore_ascii_case(name.as_bytes()) {
            let rest = &text[name.len()..];
            if !matches!(rest, [b'a'..=b'z' | b'A'..=b'Z', ..]) {
                return Some((word, rest));
            }
        }
    }
    let length = text.iter().take_while(|b| b.is_ascii_alphabetic() || **b >= 0x80).count();
    let (name, mut rest) = text.split_at(length);
    let name = std::str::from_utf8(name).ok()?;
    let lower = name.to_lowercase();
    let word = match lower.as_str() {
        "" => return None,
        "a" | "am" => Word::Am,
        "p" | "pm" => Word::Pm,
        _ => match month_named(&lower, locale.months).or_else(|| month_named(&lower, Locale::of(1033).months)) {
            Some(month) => Word::Month(month),
            None if weekday(&lower) => Word::Day,
            None => return None,
        },
    };
    if let [b'.', tail @ ..] = rest {
        rest = tail;
    }
    Some((word, rest))
}

fn month_named(lower: &str, months: &[&str; 12]) -> Option<u32> {
    let names = || months.iter().zip(1..).map(|(name, number)| (name.to_lowercase(), number));
    if let Some((_, number)) = names().find(|(name, _)| name == lower) {
        return Some(number);
    }
    if lower.chars().count() < 3 {
        return None;
    }
    let mut matching = names().filter(|(name, _)| name.starts_with(lower));
    match (matching.next(), matching.next()) {
        (Some((_, number)), None) => Some(number),
        _ => None,
    }
}

fn weekday(lower: &str) -> bool {
    ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
        .iter()
        .any(|name| lower.len() >= 3 && name.starts_with(lower))
}

fn with_name(month: u32, month_at: usize, parts: &[Part]) -> Result<i32, ParseError> {
    let (year, day) = match *parts {
        [only] if only.must_be_year() => (only.year(), 1),
        [only] => (this_year(), only.value),
        [first, second] if first.must_be_year() => (first.year(), second.value),
        // The name in the middle, first or last: the day comes before the year.
        [first, second] if month_at <= 2 => (second.year(), first.value),
        _ => return Err(ParseError::Syntax),
    };
    calendar::date(year, month, day as u32).ok_or(ParseError::Syntax)
}

fn with_digits(parts: &[Part], order: DateOrder) -> Result<i32, ParseError> {
    let date = |year: Part, month: Part, day: Part| calendar::date(year.year(), month.value as u32, day.value as u32);
    let found = match *parts {
        [a, b] if a.must_be_year() => calendar::date(a.year(), b.value as u32, 1),
        [a, b] if b.must_be_year() => calendar::date(b.year(), a.value as u32, 1),
        [a, b] => {
            let year = this_year();
            let (month, day) = if order == DateOrder::Dmy { (b, a) } else { (a, b) };
            calendar::date(year, month.value as u32, day.value as u32)
                .or_else(|| calendar::date(year, day.value as u32, month.value as u32))
        }
        [a, b, c] if a.digits > 2 => year_first(a, b, c),
        [a, b, c] if c.digits > 2 || order != DateOrder::Ymd => {
            let (mdy, dmy) = (date(c, a, b), date(c, b, a));
            let own = if order == DateOrder::Dmy { dmy.or(mdy) } else { mdy.or(dmy) };
            own.or_else(|| if c.digits > 2 { None } else { date(a, b, c) })
        }
        [a, b, c] => date(a, b, c).or_else(|| date(c, b, a)).or_else(|| date(c, a, b)),
        _ => None,
    };
    found.ok_or(ParseError::Syntax)
}

/// Year, month and day; if there is no such month, year, day and month: 2024-13-05 is 13 May (unconfirmed).
fn year_first(year: Part, b: Part, c: Part) -> Option<i32> {
    let date = |month: Part, day: Part| calendar::date(year.year(), month.value as u32, day.value as u32);
    date(b, c).or_else(|| date(c, b))
}

fn this_year() -> i32 {
    calendar::civil_from_days(calendar::today()).0
}
