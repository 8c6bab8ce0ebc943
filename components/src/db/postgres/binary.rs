//! Values in the binary form of the server's types, for bulk loads: less than half the server's work of reading texts.
//!
//! The form does not bend: a value must come as exactly what the column is. So a [`Code`] is found for a type of the data
//! flow and a type of the server, where every value of the one means the same in text and in binary form; columns
//! without one, and values that do not fit (an integer that is too large), go as text, which the server judges.

use crate::db::cells::Cell;
use dtsx_engine::types::{DataType, decimal};

/// How the values of a column are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Code {
    Nothing,
    Bool,
    I2,
    I4,
    I8,
    F4,
    F8,
    Numeric,
    Text,
    Bytes,
    Uuid,
    Date,
    Time,
    /// With and without time zone: microseconds since 2000-01-01.
    Timestamp,
}

/// What a binary COPY begins with: its signature, no flags, no extension.
pub(super) const HEAD: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// What it ends with.
pub(super) const TAIL: &[u8] = &(-1_i16).to_be_bytes();

/// Days and 100 ns from 1970-01-01 to 2000-01-01.
const EPOCH_DAYS: i32 = 10_957;
const EPOCH_TICKS: i64 = EPOCH_DAYS as i64 * 864_000_000_000;

/// How values of `from` are written for a column of the server's type `oid`.
pub(super) fn code(from: &DataType, oid: u32) -> Option<Code> {
    use DataType as T;
    Some(match (oid, from) {
        (_, T::Null) => Code::Nothing,
        (16, T::Bool) => Code::Bool,
        (17, T::Bytes { .. } | T::Image) => Code::Bytes,
        (21, t) if t.is_integer() => Code::I2,
        (23, t) if t.is_integer() => Code::I4,
        (20, t) if t.is_integer() => Code::I8,
        (700, T::R4) => Code::F4,
        (701, T::R4 | T::R8) => Code::F8,
        (1700, t) if t.is_integer() => Code::Numeric,
        (1700, T::Cy | T::Decimal { .. } | T::Numeric { .. }) => Code::Numeric,
        (25 | 1042 | 1043, T::Str { .. } | T::WStr { .. } | T::Text { .. } | T::NText) => Code::Text,
        (1082, T::DbDate) => Code::Date,
        (1083, T::DbTime | T::DbTime2 { .. }) => Code::Time,
        (1114, T::DbDate | T::Date | T::DbTimeStamp | T::DbTimeStamp2 { .. } | T::FileTime) => Code::Timestamp,
        (1184, T::DbTimeStampOffset { .. }) => Code::Timestamp,
        (2950, T::Guid) => Code::Uuid,
        _ => return None,
    })
}

/// The text as far as the server takes it: it knows no NUL in texts, and SSIS's strings end at one.
pub(super) fn up_to_nul(text: &str) -> &str {
    text.find('\0').map_or(text, |end| &text[..end])
}

/// Microseconds of 100 ns, the fraction rounded; the server's times have six digits.
pub(super) fn micros(ticks: i64) -> i64 {
    let (whole, rest) = (ticks.div_euclid(10), ticks.rem_euclid(10));
    whole + i64::from(rest >= 5)
}

fn put<const N: usize>(out: &mut Vec<u8>, bytes: [u8; N]) {
    out.extend_from_slice(&(N as i32).to_be_bytes());
    out.extend_from_slice(&bytes);
}

fn put_slice(out: &mut Vec<u8>, bytes: &[u8]) -> Option<()> {
    out.extend_from_slice(&i32::try_from(bytes.len()).ok()?.to_be_bytes());
    out.extend_from_slice(bytes);
    Some(())
}

/// Appends a value with its length. None: it has no such form, and `out` may have a part of it.
#[inline]
pub(super) fn write(code: Code, cell: &Cell<'_>, out: &mut Vec<u8>) -> Option<()> {
    match (code, cell) {
        (_, Cell::Null) => out.extend_from_slice(&(-1_i32).to_be_bytes()),
        (Code::Text, Cell::Text(text)) => put_slice(out, up_to_nul(text).as_bytes())?,
        (Code::I2, Cell::Int(v)) => put(out, i16::try_from(*v).ok()?.to_be_bytes()),
        (Code::I4, Cell::Int(v)) => put(out, i32::try_from(*v).ok()?.to_be_bytes()),
        (Code::I8, Cell::Int(v)) => put(out, v.to_be_bytes()),
        (Code::I2, Cell::UInt(v)) => put(out, i16::try_from(*v).ok()?.to_be_bytes()),
        (Code::I4, Cell::UInt(v)) => put(out, i32::try_from(*v).ok()?.to_be_bytes()),
        (Code::I8, Cell::UInt(v)) => put(out, i64::try_from(*v).ok()?.to_be_bytes()),
        (Code::Numeric, Cell::Decimal(v, scale)) => numeric(*v, *scale, out)?,
        (Code::Numeric, Cell::Int(v)) => numeric(i128::from(*v), 0, out)?,
        (Code::Numeric, Cell::UInt(v)) => numeric(i128::from(*v), 0, out)?,
        (Code::Date, Cell::Date(day)) => put(out, (day - EPOCH_DAYS).to_be_bytes()),
        (Code::Timestamp, Cell::Date(day)) => {
            put(out, (i64::from(day - EPOCH_DAYS) * 86_400_000_000).to_be_bytes());
        }
        (Code::Timestamp, Cell::Timestamp(ticks, _) | Cell::TimestampOffset(ticks, ..)) => {
            put(out, micros(ticks.checked_sub(EPOCH_TICKS)?).to_be_bytes());
        }
        (Code::Time, Cell::Time(nanos, _)) => put(out, micros(nanos / 100).to_be_bytes()),
        (Code::Bool, Cell::Bool(v)) => put(out, [u8::from(*v)]),
        (Code::F8, Cell::Real(v)) => put(out, v.to_be_bytes()),
        (Code::F4, Cell::Real(v)) => put(out, (*v as f32).to_be_bytes()),
        (Code::Uuid, Cell::Guid(bytes)) => put(out, <[u8; 16]>::try_from(*bytes).ok()?),
        (Code::Bytes, Cell::Bytes(bytes)) => put_slice(out, bytes)?,
        _ => return None,
    }
    Some(())
}

/// Groups of four digits that 38 digits and a scale have at most.
const GROUPS: usize = 12;

/// Appends a decimal: a count of groups of four digits, the weight of the first, the sign, the scale, the groups.
fn numeric(value: i128, scale: u8, out: &mut Vec<u8>) -> Option<()> {
    let mut groups = [0_u16; GROUPS];
    let mut first = GROUPS;
    // As many digits behind the point as make whole groups.
    let places = usize::from(scale).div_ceil(4);
    let fill = decimal::POW10[places * 4 - usize::from(scale)].unsigned_abs();
    let magnitude = value.unsigned_abs();
    let scaled = u64::try_from(magnitude).ok().zip(u64::try_from(fill).ok()).and_then(|(m, f)| m.checked_mul(f));
    if let Some(mut rest) = scaled {
        while rest > 0 {
            first -= 1;
            groups[first] = (rest % 10_000) as u16;
            rest /= 10_000;
        }
    } else {
        let fraction = decimal::POW10[usize::from(scale)].unsigned_abs();
        // Behind the point and before it, each by itself: together they may have more digits than 128 bits.
        let (mut whole, mut behind) = (magnitude / fraction, magnitude % fraction);
        // Zeros fill the last group, and that alone: filling all of it could take more digits than 128 bits, too.
        let mut fill = fill;
        for _ in 0..places {
            first -= 1;
            groups[first] = (behind % (10_000 / fill) * fill) as u16;
            behind /= 10_000 / fill;
            fill = 1;
        }
        while whole > 0 {
            first = first.checked_sub(1)?;
            groups[first] = (whole % 10_000) as u16;
            whole /= 10_000;
        }
    }
    let mut end = GROUPS;
    while end > first && groups[end - 1] == 0 {
        end -= 1;
    }
    while first < end && groups[first] == 0 {
        first += 1;
    }
    let weight = if first == end { 0 } else { (GROUPS - places) as i16 - first as i16 - 1 };
    let sign: u16 = if value < 0 { 0x4000 } else { 0 };
    let count = (end - first) as u16;
    out.extend_from_slice(&(8 + i32::from(count) * 2).to_be_bytes());
    for part in [count, weight as u16, sign, u16::from(scale)] {
        out.extend_from_slice(&part.to_be_bytes());
    }
    for group in &groups[first..end] {
        out.extend_from_slice(&group.to_be_bytes());
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_come_back_as_they_went() {
        for (value, scale) in [
            (0, 2),
            (5, 2),
            (-5, 2),
            (1_250, 2),
            (10_000, 0),
            (100_000_000, 0),
            (123_456_789, 4),
            (-999_999_999_999_999, 2),
            (1, 38),
            (decimal::MAX_NUMERIC, 0),
            (-decimal::MAX_NUMERIC, 37),
            (decimal::MAX_NUMERIC, 38),
            (decimal::MAX_NUMERIC - 1, 35),
            (-decimal::MAX_NUMERIC + 1, 33),
            (12_345_678_901_234_567_890_123, 10),
            (1 << 64, 1),
        ] {
            let mut out = Vec::new();
            numeric(value, scale, &mut out).unwrap();
            let length = i32::from_be_bytes(out[..4].try_into().unwrap());
            assert_eq!(length as usize, out.len() - 4, "{value} {scale}");
            assert_eq!(super::super::types::scaled(&out[4..], scale), Some(value), "{value} {scale}");
        }
    }

    #[test]
    fn only_what_means_the_same_goes_in_binary_form() {
        for (from, oid, expected) in [
            (DataType::I8, 23, Some(Code::I4)),
            (DataType::I8, 1700, Some(Code::Numeric)),
            (DataType::I4, 25, None),
            (DataType::WStr { len: 5 }, 23, None),
            (DataType::WStr { len: 5 }, 1043, Some(Code::Text)),
            // A time without a zone means what the session's zone makes of it.
            (DataType::DbTimeStamp, 1184, None),
            (DataType::R8, 700, None),
        ] {
            assert_eq!(code(&from, oid), expected, "{from} {oid}");
        }
        let mut out = Vec::new();
        assert_eq!(write(Code::I4, &Cell::Int(i64::from(i32::MAX) + 1), &mut out), None);
        assert_eq!(write(Code::Text, &Cell::Text("a\0b"), &mut out), Some(()));
        assert_eq!(out, [0, 0, 0, 1, b'a']);
        assert_eq!((micros(-5), micros(-6), micros(15)), (0, -1, 2));
    }
}
