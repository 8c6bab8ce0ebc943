//! Values as XML Schema writes them, in the types of columns.

use super::schema::Lexical;
use arrow::array::{Array, ArrayRef, BinaryViewBuilder, StringViewArray};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use dtsx_engine::batch::{Fault, Faults};
use dtsx_engine::diag::{Result, codes};
use dtsx_engine::types::DataType;
use dtsx_engine::types::convert::{CastOptions, cast_array};
use std::borrow::Cow;
use std::sync::Arc;

/// The longest text column; text that becomes another type is no longer.
const LONGEST: DataType = DataType::WStr { len: dtsx_engine::types::MAX_WSTR_UNITS };

/// Text of a document in the type `to`.
///
/// # Errors
/// Only for a type that the column's own declaration rules out.
pub(super) fn typed(
    text: &StringViewArray,
    to: &DataType,
    lexical: Lexical,
    options: &CastOptions,
) -> Result<(ArrayRef, Faults)> {
    let all = |array: StringViewArray| -> ArrayRef { Arc::new(array) };
    match to {
        DataType::WStr { .. } | DataType::NText => cast_array(&all(text.clone()), &DataType::NText, to, options),
        DataType::Str { .. } | DataType::Text { .. } => cast_array(&all(text.clone()), &LONGEST, to, options),
        DataType::Bytes { .. } | DataType::Image if lexical != Lexical::Plain => {
            let (array, mut faults) = binary(text, lexical);
            let (array, more) = cast_array(&array, &DataType::Image, to, options)?;
            faults.extend(more);
            faults.sort_by_key(|fault| fault.row);
            Ok((array, faults))
        }
        to => {
            let rewritten = text.iter().map(|value| value.map(|value| plain(value.trim(), to))).collect();
            cast_array(&all(rewritten), &LONGEST, to, options)
        }
    }
}

/// A value of XML Schema as the conversions of a data flow read it.
fn plain<'a>(value: &'a str, to: &DataType) -> Cow<'a, str> {
    if to.is_date_time() {
        return date(value, to);
    }
    match to {
        DataType::Guid if !value.starts_with('{') => Cow::Owned(format!("{{{value}}}")),
        DataType::Bool => match value {
            "1" => Cow::Borrowed("True"),
            "0" => Cow::Borrowed("False"),
            value => Cow::Borrowed(value),
        },
        _ => Cow::Borrowed(value),
    }
}

/// A date or time: `2024-02-29T12:30:00.5+02:00`, `2024-02-29Z`, `12:30:00`. A type with an offset keeps it. Others have
/// none: a time with one is told in UTC, as on a machine whose zone that is (unconfirmed).
fn date<'a>(value: &'a str, to: &DataType) -> Cow<'a, str> {
    let (local, offset) = zone(value);
    let text = local.replacen('T', " ", 1);
    match (offset, to) {
        (None, DataType::DbTimeStampOffset { .. }) => Cow::Owned(format!("{text} +00:00")),
        (None, _) => Cow::Owned(text),
        (Some(minutes), DataType::DbTimeStampOffset { .. }) => {
            let sign = if minutes < 0 { '-' } else { '+' };
            Cow::Owned(format!("{text} {sign}{:02}:{:02}", minutes.abs() / 60, minutes.abs() % 60))
        }
        (Some(0), _) => Cow::Owned(text),
        (Some(minutes), _) => {
            let at = chrono::NaiveDateTime::parse_from_str(&text, "%Y-%m-%d %H:%M:%S%.f").ok();
            match at.and_then(|at| at.checked_sub_signed(chrono::Duration::minutes(i64::from(minutes)))) {
                Some(at) => Cow::Owned(at.format("%Y-%m-%d %H:%M:%S%.f").to_string()),
                // A date or a time alone, or one that no calendar has, stays as it is written.
                None => Cow::Owned(text),
            }
        }
    }
}

/// What stands in front of a zone, and the zone in minutes.
fn zone(value: &str) -> (&str, Option<i32>) {
    if let Some(local) = value.strip_suffix('Z') {
        return (local, Some(0));
    }
    let Some(at) = value.len().checked_sub(6).filter(|at| value.is_char_boundary(*at)) else { return (value, None) };
    let (local, zone) = value.split_at(at);
    let sign = match zone.as_bytes()[0] {
        b'+' => 1,
        b'-' => -1,
        _ => return (value, None),
    };
    match zone[1..].split_once(':').map(|(hours, minutes)| (hours.parse::<i32>(), minutes.parse::<i32>())) {
        Some((Ok(hours), Ok(minutes))) => (local, Some(sign * (hours * 60 + minutes))),
        _ => (value, None),
    }
}

fn binary(text: &StringViewArray, lexical: Lexical) -> (ArrayRef, Faults) {
    let mut builder = BinaryViewBuilder::with_capacity(text.len());
    let mut faults = Faults::new();
    for (row, value) in text.iter().enumerate() {
        let Some(value) = value else {
            builder.append_null();
            continue;
        };
        let digits: Vec<u8> = value.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
        let bytes = match lexical {
            Lexical::Hex => hex(&digits),
            _ => STANDARD.decode(&digits).ok(),
        };
        match bytes {
            Some(bytes) => builder.append_value(bytes),
            None => {
                builder.append_null();
                let code = codes::DTS_E_TXDATACONVERTSTATIC_CANTCONVERTVALUE;
                faults.push(Fault { row: row as u32, code, truncation: false });
            }
        }
    }
    (Arc::new(builder.finish()), faults)
}

fn hex(digits: &[u8]) -> Option<Vec<u8>> {
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    let digit = |b: u8| (b as char).to_digit(16);
    digits.chunks(2).map(|pair| Some((digit(pair[0])? * 16 + digit(pair[1])?) as u8)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_with_and_without_a_zone() {
        let stamp = DataType::DbTimeStamp;
        let offset = DataType::DbTimeStampOffset { scale: 3 };
        for (text, to, expected) in [
            ("2024-02-29T12:30:00", &stamp, "2024-02-29 12:30:00"),
            ("2024-02-29T12:30:00.125Z", &stamp, "2024-02-29 12:30:00.125"),
            ("2024-03-01T00:30:00+02:00", &stamp, "2024-02-29 22:30:00"),
            ("2024-02-29", &stamp, "2024-02-29"),
            ("2024-02-29-05:00", &stamp, "2024-02-29"),
            ("2024-02-29T12:30:00-05:30", &offset, "2024-02-29 12:30:00 -05:30"),
            ("2024-02-29T12:30:00", &offset, "2024-02-29 12:30:00 +00:00"),
            ("12:30:00Z", &DataType::DbTime, "12:30:00"),
            ("no date", &stamp, "no date"),
            ("-262143-01-01T00:00:00+05:00", &stamp, "-262143-01-01 00:00:00"),
            ("é+01:0", &stamp, "é+01:0"),
        ] {
            assert_eq!(date(text, to), expected, "{text}");
        }
    }
}
