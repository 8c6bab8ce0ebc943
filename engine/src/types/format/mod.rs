//! Values to text. The writers append to a byte buffer and allocate nothing else; what they append is valid UTF-8.

mod date;
mod number;

pub use date::{
    date, date_of_locale, filetime, time, time_of_locale, time_seconds, timestamp, timestamp_full, timestamp_offset,
};
pub use number::{currency, currency_flat, decimal, decimal_flat, int, r4, r8};

use super::calendar;
use super::locale::Locale;
use super::{DataType, Value};

/// DT_BOOL: `True`, `False`.
#[inline]
pub fn boolean(value: bool, out: &mut Vec<u8>) {
    out.extend_from_slice(if value { b"True" } else { b"False" });
}

/// DT_GUID: `{8-4-4-4-12}`, upper-case.
pub fn guid(value: &[u8; 16], out: &mut Vec<u8>) {
    out.push(b'{');
    for (i, byte) in value.iter().enumerate() {
        if matches!(i, 4 | 6 | 8 | 10) {
            out.push(b'-');
        }
        hex_byte(*byte, out);
    }
    out.push(b'}');
}

/// Binary data as OLE DB makes it a text: two upper-case hexadecimal digits a byte (unconfirmed).
pub fn hex(value: &[u8], out: &mut Vec<u8>) {
    out.reserve(value.len() * 2);
    for byte in value {
        hex_byte(*byte, out);
    }
}

#[inline]
fn hex_byte(byte: u8, out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    out.push(DIGITS[(byte >> 4) as usize]);
    out.push(DIGITS[(byte & 15) as usize]);
}

/// The text of a value as a cast to DT_WSTR makes it; empty for NULL and for objects.
///
/// `data_type` tells apart what one physical form stands for (DT_DATE and DT_DBTIMESTAMP, DT_CY and DT_NUMERIC).
pub fn format_value(value: &Value, data_type: &DataType, lcid: u32) -> String {
    let locale = Locale::of(lcid);
    let mut out = Vec::new();
    match value {
        Value::Null | Value::Object(_) => {}
        Value::Text(text) => return text.to_string(),
        Value::Bool(v) => boolean(*v, &mut out),
        Value::I1(v) => int(*v, &mut out),
        Value::I2(v) => int(*v, &mut out),
        Value::I4(v) => int(*v, &mut out),
        Value::I8(v) => int(*v, &mut out),
        Value::UI1(v) => int(*v, &mut out),
        Value::UI2(v) => int(*v, &mut out),
        Value::UI4(v) => int(*v, &mut out),
        Value::UI8(v) => int(*v, &mut out),
        Value::R4(v) => r4(*v, locale, &mut out),
        Value::R8(v) => r8(*v, locale, &mut out),
        Value::Decimal(v, scale) if *data_type == DataType::Cy => {
            let value = super::decimal::rescale(*v, *scale, 4, super::decimal::CURRENCY_ROUNDING).unwrap_or(*v);
            currency(value, locale, &mut out);
        }
        Value::Decimal(v, scale) => decimal(*v, *scale, locale, &mut out),
        Value::Days(v) => date(*v, &mut out),
        Value::Time(v) => match data_type {
            DataType::DbTime2 { scale } => time(v / 100, *scale, &mut out),
            _ => time_seconds(v / 100, &mut out),
        },
        Value::Timestamp(v) => match data_type {
            DataType::Date => date_of_locale(v.saturating_mul(10), locale, &mut out),
            _ => timestamp_full(v.saturating_mul(10), &mut out),
        },
        Value::Ticks(v) => match data_type {
            DataType::FileTime => filetime(*v, &mut out),
            _ => timestamp(*v, data_type.scale(), &mut out),
        },
        Value::TicksOffset(v, offset) => timestamp_offset(*v, *offset, data_type.scale(), &mut out),
        Value::Guid(v) => guid(v, &mut out),
        Value::Bytes(v) => hex(v, &mut out),
    }
    text_of(out)
}

/// What the writers wrote, as a string.
fn text_of(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned())
}

/// Ticks of the day and the day, clamped to what a text can show.
fn day_and_time(ticks: i64) -> (i32, i64) {
    calendar::split(ticks.clamp(calendar::MIN_TICKS, calendar::MAX_TICKS))
}
