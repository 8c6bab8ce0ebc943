//! Dates and times: the ISO forms, which every locale accepts, and the standard parsers by type.

use super::date_text::{self, Found};
use super::{ParseError, trim};
use crate::types::calendar::{self, OLE_EPOCH, OLE_MIN_DAY, TICKS_PER_SECOND};
use crate::types::locale::{DateOrder, Locale};

/// Two digits; 255 or more if one is none.
#[inline]
fn two(high: u8, low: u8) -> u32 {
    let (high, low) = (high.wrapping_sub(b'0'), low.wrapping_sub(b'0'));
    if high > 9 || low > 9 { 255 } else { high as u32 * 10 + low as u32 }
}

#[inline]
fn civil(text: &[u8; 10]) -> Option<i32> {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = *text else { return None };
    let (century, year) = (two(y1, y2), two(y3, y4));
    if century > 99 || year > 99 {
        return None;
    }
    calendar::date((century * 100 + year) as i32, two(m1, m2), two(d1, d2))
}

/// `yyyy-mm-dd` and nothing else: the day number.
#[inline]
pub fn iso_date(text: &[u8]) -> Option<i32> {
    civil(text.try_into().ok()?)
}

/// `hh:mm`, `hh:mm:ss` or `hh:mm:ss.f` with one to nine fraction digits: the ticks in a day. Digits beyond the seventh
/// are dropped.
#[inline]
pub fn iso_time(text: &[u8]) -> Option<i64> {
    let (head, tail) = text.split_first_chunk::<5>()?;
    let [h1, h2, b':', m1, m2] = *head else { return None };
    let (hour, minute) = (two(h1, h2), two(m1, m2));
    match *tail {
        [] => calendar::time(hour, minute, 0, 0),
        [b':', s1, s2] => calendar::time(hour, minute, two(s1, s2), 0),
        [b':', s1, s2, b'.', ref fraction @ ..] => calendar::time(hour, minute, two(s1, s2), self::fraction(fraction)?),
        _ => None,
    }
}

/// One to nine digits after the point, in ticks.
#[inline]
fn fraction(text: &[u8]) -> Option<u32> {
    if text.is_empty() || text.len() > 9 {
        return None;
    }
    let mut ticks = 0;
    for i in 0..7 {
        let digit = text.get(i).map_or(0, |b| b.wrapping_sub(b'0'));
        if digit > 9 {
            return None;
        }
        ticks = ticks * 10 + digit as u32;
    }
    text.iter().skip(7).all(u8::is_ascii_digit).then_some(ticks)
}

/// `yyyy-mm-dd`, or that, a blank or `T`, and a time of [`iso_time`]: ticks since 1970-01-01.
#[inline]
pub fn iso_timestamp(text: &[u8]) -> Option<i64> {
    let (date, rest) = text.split_first_chunk::<10>()?;
    let day = civil(date)?;
    match rest {
        [] => Some(calendar::join(day, 0)),
        [b' ' | b'T', time @ ..] => Some(calendar::join(day, iso_time(time)?)),
        _ => None,
    }
}

/// DT_DBDATE in the standard parse: `yyyy-mm-dd` in every locale, and the forms of the locale. A time that follows is
/// left off.
///
/// # Errors
/// What is wrong with the text.
#[inline]
pub fn parse_date(text: &[u8], locale: &Locale) -> Result<i32, ParseError> {
    match iso_date(text) {
        Some(day) => Ok(day),
        None => parse_timestamp(text, locale).map(|ticks| calendar::split(ticks).0),
    }
}

/// DT_DBTIME and DT_DBTIME2 in the standard parse: ticks in a day. A date that precedes is left off.
///
/// # Errors
/// What is wrong with the text.
#[inline]
pub fn parse_time(text: &[u8], locale: &Locale) -> Result<i64, ParseError> {
    match iso_time(text) {
        Some(ticks) => Ok(ticks),
        None => parse_timestamp(text, locale).map(|ticks| calendar::split(ticks).1),
    }
}

/// DT_DBTIME2 as it is written, `hh:mm[:ss[.f]]`, and nothing else but blanks around: ticks in a day.
///
/// # Errors
/// [`ParseError::Syntax`].
#[inline]
pub fn parse_time_strict(text: &[u8]) -> Result<i64, ParseError> {
    iso_time(text).or_else(|| iso_time(trim(text))).ok_or(ParseError::Syntax)
}

/// DT_DBTIMESTAMP in the standard parse: ISO in every locale, and the forms of the locale; ticks since 1970-01-01.
///
/// # Errors
/// What is wrong with the text.
#[inline]
pub fn parse_timestamp(text: &[u8], locale: &Locale) -> Result<i64, ParseError> {
    match iso_timestamp(text) {
        Some(ticks) => Ok(ticks),
        None => timestamp_of_text(text, locale),
    }
}

fn timestamp_of_text(text: &[u8], locale: &Locale) -> Result<i64, ParseError> {
    if let Some((day, rest)) = short_date(text, locale) {
        match rest {
            [] => return Ok(calendar::join(day, 0)),
            [b' ', time @ ..] if let Some(ticks) = iso_time(time) => return Ok(calendar::join(day, ticks)),
            _ => {}
        }
    }
    other_text(text, locale)
}

/// `m/d/yyyy` or `d/m/yyyy`, as the locale has it, and what follows; None sends the caller to the scanner, which also
/// knows the other order.
#[inline]
fn short_date<'a>(text: &'a [u8], locale: &Locale) -> Option<(i32, &'a [u8])> {
    let (first, rest) = part(text)?;
    let (second, rest) = part(rest)?;
    let (&[y1, y2, y3, y4], rest) = rest.split_first_chunk::<4>()?;
    let (century, year) = (two(y1, y2), two(y3, y4));
    let (month, day) = match locale.order() {
        DateOrder::Mdy => (first, second),
        DateOrder::Dmy => (second, first),
        DateOrder::Ymd => return None,
    };
    if century > 99 || year > 99 || matches!(rest, [b'0'..=b'9', ..]) {
        return None;
    }
    Some((calendar::date((century * 100 + year) as i32, month, day)?, rest))
}

/// One digit or two and a separator.
#[inline]
fn part(text: &[u8]) -> Option<(u32, &[u8])> {
    match text {
        [digit @ b'0'..=b'9', b'/' | b'.' | b'-', rest @ ..] => Some(((digit - b'0') as u32, rest)),
        [d1, d2, b'/' | b'.' | b'-', rest @ ..] => {
            let value = two(*d1, *d2);
            (value <= 99).then_some((value, rest))
        }
        _ => None,
    }
}

#[cold]
fn other_text(text: &[u8], locale: &Locale) -> Result<i64, ParseError> {
    let text = trim(text);
    if let Some(ticks) = iso_timestamp(text) {
        return Ok(ticks);
    }
    let Found { day, time } = date_text::scan(text, locale)?;
    Ok(calendar::join(day.unwrap_or(OLE_EPOCH), time.unwrap_or(0)))
}

/// DT_DATE in the standard parse, as [`parse_timestamp`], from 0100-01-01 on.
///
/// # Errors
/// What is wrong with the text.
#[inline]
pub fn parse_ole_date(text: &[u8], locale: &Locale) -> Result<i64, ParseError> {
    let ticks = parse_timestamp(text, locale)?;
    if ticks < calendar::join(OLE_MIN_DAY, 0) { Err(ParseError::Overflow) } else { Ok(ticks) }
}

/// DT_DBTIMESTAMP2 as it is written, `yyyy-mm-dd[ hh:mm[:ss[.f]]]`, and nothing else but blanks around.
///
/// # Errors
/// [`ParseError::Syntax`].
#[inline]
pub fn parse_timestamp_strict(text: &[u8]) -> Result<i64, ParseError> {
    iso_timestamp(text).or_else(|| iso_timestamp(trim(text))).ok_or(ParseError::Syntax)
}

/// DT_DBTIMESTAMPOFFSET as it is written, `yyyy-mm-dd hh:mm:ss[.f] [±hh:mm]` (a `Z`, and an offset without the blank,
/// do as well): ticks since 1970-01-01 UTC, and the offset in minutes.
///
/// # Errors
/// [`ParseError::Syntax`]; [`ParseError::Overflow`] for an offset beyond 14 hours and for a time that leaves
/// 0001..=9999 in UTC.
pub fn parse_offset(text: &[u8]) -> Result<(i64, i16), ParseError> {
    let text = trim(text);
    let sign = text.iter().rposition(|b| matches!(b, b'+' | b'-')).filter(|at| *at > 10);
    let (local, offset) = match (text, sign) {
        ([local @ .., b'Z'], _) => (local, 0),
        (_, Some(at)) => {
            // The reference writes "+ 5:35" and "-3:30" as well as "+05:35".
            let (hours, minutes) = match trim(&text[at + 1..]) {
                [h1, h2, b':', m1, m2] => (two(*h1, *h2), two(*m1, *m2)),
                [h, b':', m1, m2] => (two(b'0', *h), two(*m1, *m2)),
                _ => return Err(ParseError::Syntax),
            };
            if hours > 99 || minutes > 59 {
                return Err(ParseError::Syntax);
            }
            let offset = (hours * 60 + minutes) as i16;
            if offset > MAX_OFFSET {
                return Err(ParseError::Overflow);
            }
            (&text[..at], if text[at] == b'-' { -offset } else { offset })
        }
        _ => (text, 0),
    };
    let ticks = parse_timestamp_strict(local)? - offset as i64 * 60 * TICKS_PER_SECOND;
    if !(calendar::MIN_TICKS..=calendar::MAX_TICKS).contains(&ticks) {
        return Err(ParseError::Overflow);
    }
    Ok((ticks, offset))
}

/// DT_FILETIME as it is written, `yyyy-mm-dd hh:mm:ss:fff`; a point before the fraction, or no fraction, do as well; else
/// whatever a DT_DBTIMESTAMP is read from (unconfirmed: a package casts `"12:00:01"`, so the strict form cannot be all).
///
/// # Errors
/// What is wrong with the text.
pub fn parse_filetime(text: &[u8], locale: &Locale) -> Result<i64, ParseError> {
    let text = trim(text);
    if let Some((head, [b':', millis @ ..])) = text.split_first_chunk::<19>() {
        let ticks = iso_timestamp(head).ok_or(ParseError::Syntax)?;
        let fraction = fraction(millis).ok_or(ParseError::Syntax)?;
        return Ok(ticks + fraction as i64);
    }
    parse_timestamp(text, locale)
}

/// The largest offset, in minutes: fourteen hours.
pub const MAX_OFFSET: i16 = 14 * 60;
