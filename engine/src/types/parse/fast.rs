//! FastParse: no locale, no names, ISO 8601 dates and times only.

use super::number::{Int, digits, parse_i64};
use super::{ParseError, trim};
use crate::types::calendar::{self, MAX_TICKS, MIN_TICKS, TICKS_PER_DAY, TICKS_PER_SECOND};

/// An integer: blanks around it, one sign, digits; an all-blank text is 0.
///
/// # Errors
/// What is wrong with the text.
#[inline]
pub fn int<T: Int>(text: &[u8]) -> Result<T, ParseError> {
    match parse_i64(text) {
        Some(value) => T::from_i64(value),
        None => int_of_text(text),
    }
}

#[cold]
fn int_of_text<T: Int>(text: &[u8]) -> Result<T, ParseError> {
    let text = trim(text);
    if text.is_empty() {
        return T::from_i64(0);
    }
    let (negative, mut body) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    if body.is_empty() || !body.iter().all(u8::is_ascii_digit) {
        return Err(ParseError::Syntax);
    }
    while body.len() > 1 && body[0] == b'0' {
        body = &body[1..];
    }
    if body.len() > 20 {
        return Err(ParseError::Overflow);
    }
    let value = body.iter().fold(0i128, |value, b| value * 10 + (b - b'0') as i128);
    T::from_i128(if negative { -value } else { value })
}

/// Leading blanks go; trailing ones do as well.
fn take(text: &[u8], count: usize) -> Option<(u32, &[u8])> {
    let (head, rest) = text.split_at_checked(count)?;
    Some((digits(head)? as u32, rest))
}

/// The date at the start and what follows it: `YYYYMMDD`, `YYYY-MM-DD`, `YYYY-MM`, `YYYY`.
fn date_prefix(text: &[u8]) -> Option<(i32, &[u8])> {
    let (year, rest) = take(text, 4)?;
    let (month, day, rest) = match rest {
        [b'0'..=b'9', ..] => {
            let (month, rest) = take(rest, 2)?;
            let (day, rest) = take(rest, 2)?;
            (month, day, rest)
        }
        [b'-', rest @ ..] => {
            let (month, rest) = take(rest, 2)?;
            match rest {
                [b'-', rest @ ..] => {
                    let (day, rest) = take(rest, 2)?;
                    (month, day, rest)
                }
                _ => (month, 1, rest),
            }
        }
        _ => (1, 1, rest),
    };
    Some((calendar::date(year as i32, month, day)?, rest))
}

/// DT_DBDATE: the day number.
///
/// # Errors
/// [`ParseError::Syntax`].
pub fn date(text: &[u8]) -> Result<i32, ParseError> {
    match date_prefix(trim(text)) {
        Some((day, [])) => Ok(day),
        // A time behind the date is read and left off.
        Some((_, [b'T', ..])) => timestamp(text).map(|ticks| calendar::split(ticks).0),
        _ => Err(ParseError::Syntax),
    }
}

/// The ticks of a time, at most one day, and what follows it: 24 hours; `HHMISS`, `HH:MI:SS`, `HHMI`, `HH:MI`, `HH`, a
/// fraction on the last unit; 24:00 is midnight; a leap second counts as the next second.
fn time_prefix(text: &[u8]) -> Option<(i64, &[u8])> {
    let (hour, mut rest) = take(text, 2)?;
    let mut units = [hour, 0, 0];
    let mut last = 0;
    let extended = rest.first() == Some(&b':');
    while last < 2 {
        let next = match rest {
            [b':', b'0'..=b'9', ..] if extended => &rest[1..],
            [b'0'..=b'9', ..] if !extended => rest,
            _ => break,
        };
        let (value, next) = take(next, 2)?;
        last += 1;
        units[last] = value;
        rest = next;
    }
    let [hour, minute, second] = units;
    if hour > 24 || minute > 59 || second > 60 || hour == 24 && (minute, second) != (0, 0) {
        return None;
    }
    let mut ticks = (hour as i64 * 3600 + minute as i64 * 60 + second as i64) * TICKS_PER_SECOND;
    if let [b'.' | b',', tail @ ..] = rest {
        let count = tail.iter().take_while(|b| b.is_ascii_digit()).count();
        if count == 0 {
            return None;
        }
        // The unit in ticks has at most 11 digits, so 18 digits of fraction are more than enough.
        let kept = &tail[..count.min(18)];
        let unit = [3600, 60, 1][last] as i128 * TICKS_PER_SECOND as i128;
        let fraction = digits(kept)? as i128 * unit / 10i128.pow(kept.len() as u32);
        if hour == 24 && fraction != 0 {
            return None;
        }
        ticks += fraction as i64;
        rest = &tail[count..];
    }
    Some((ticks, rest))
}

/// A zone, `Z` or `±HH[:MI]` or `±HHMI`, in minutes; an absent one is 0.
fn zone(text: &[u8]) -> Option<i16> {
    let (negative, rest) = match text {
        [] | [b'Z'] => return Some(0),
        [b'+', rest @ ..] => (false, rest),
        [b'-', rest @ ..] => (true, rest),
        _ => return None,
    };
    let (hours, rest) = take(rest, 2)?;
    let minutes = match rest {
        [] => 0,
        [b':', rest @ ..] | rest => match take(rest, 2)? {
            (minutes, []) => minutes,
            _ => return None,
        },
    };
    let offset = (hours * 60 + minutes) as i16;
    (minutes < 60 && offset <= super::date::MAX_OFFSET).then_some(if negative { -offset } else { offset })
}

/// DT_DBTIME and DT_DBTIME2: ticks in a day; a zone is read and ignored.
///
/// # Errors
/// [`ParseError::Syntax`].
pub fn time(text: &[u8]) -> Result<i64, ParseError> {
    let (ticks, rest) = time_prefix(trim(text)).ok_or(ParseError::Syntax)?;
    zone(rest).ok_or(ParseError::Syntax)?;
    Ok(ticks % TICKS_PER_DAY)
}

fn date_time(text: &[u8]) -> Result<(i64, i16), ParseError> {
    let (day, rest) = date_prefix(trim(text)).ok_or(ParseError::Syntax)?;
    let (ticks, offset) = match rest {
        [] => (0, 0),
        [b'T', rest @ ..] => {
            let (ticks, rest) = time_prefix(rest).ok_or(ParseError::Syntax)?;
            (ticks, zone(rest).ok_or(ParseError::Syntax)?)
        }
        _ => return Err(ParseError::Syntax),
    };
    // 24:00 is the midnight that ends the day.
    let ticks = calendar::join(day, ticks);
    if ticks > MAX_TICKS { Err(ParseError::Overflow) } else { Ok((ticks, offset)) }
}

/// DT_DATE, DT_DBTIMESTAMP, DT_DBTIMESTAMP2, DT_FILETIME: ticks since 1970-01-01; a zone is read and ignored.
///
/// # Errors
/// What is wrong with the text.
pub fn timestamp(text: &[u8]) -> Result<i64, ParseError> {
    match super::iso_date(text) {
        Some(day) => Ok(calendar::join(day, 0)),
        None => date_time(text).map(|(ticks, _)| ticks),
    }
}

/// DT_DBTIMESTAMPOFFSET: ticks since 1970-01-01 UTC and the offset in minutes.
///
/// # Errors
/// What is wrong with the text.
pub fn timestamp_offset(text: &[u8]) -> Result<(i64, i16), ParseError> {
    let (local, offset) = date_time(text)?;
    let ticks = local - offset as i64 * 60 * TICKS_PER_SECOND;
    if (MIN_TICKS..=MAX_TICKS).contains(&ticks) { Ok((ticks, offset)) } else { Err(ParseError::Overflow) }
}
