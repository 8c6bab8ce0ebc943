//! Parameters in binary form: the type of each, and their values.

use crate::db::cells::{self, Cell};
use dtsx_engine::types::{DataType, calendar};
use mysql_common::constants::ColumnType as Kind;

/// What stands before a value of a bulk execution.
const VALUE: u8 = 0;
const NULL: u8 = 1;

/// How the values of a type are sent: the number of the server's type, and whether it is unsigned.
pub(super) fn kind(data_type: &DataType) -> [u8; 2] {
    use DataType as T;
    let (kind, unsigned) = match data_type {
        T::Bool | T::I1 => (Kind::MYSQL_TYPE_TINY, false),
        T::UI1 => (Kind::MYSQL_TYPE_TINY, true),
        T::I2 => (Kind::MYSQL_TYPE_SHORT, false),
        T::UI2 => (Kind::MYSQL_TYPE_SHORT, true),
        T::I4 => (Kind::MYSQL_TYPE_LONG, false),
        T::UI4 => (Kind::MYSQL_TYPE_LONG, true),
        T::I8 => (Kind::MYSQL_TYPE_LONGLONG, false),
        T::UI8 => (Kind::MYSQL_TYPE_LONGLONG, true),
        // A float of 32 bits as the double that is written as it is: 0.1, and not 0.10000000149011612.
        T::R4 | T::R8 => (Kind::MYSQL_TYPE_DOUBLE, false),
        T::Cy | T::Decimal { .. } | T::Numeric { .. } => (Kind::MYSQL_TYPE_NEWDECIMAL, false),
        T::DbDate => (Kind::MYSQL_TYPE_DATE, false),
        T::DbTime | T::DbTime2 { .. } => (Kind::MYSQL_TYPE_TIME, false),
        T::Date | T::DbTimeStamp | T::FileTime | T::DbTimeStamp2 { .. } => (Kind::MYSQL_TYPE_DATETIME, false),
        T::Bytes { .. } | T::Image => (Kind::MYSQL_TYPE_BLOB, false),
        T::Null
        | T::Guid
        | T::DbTimeStampOffset { .. }
        | T::Str { .. }
        | T::WStr { .. }
        | T::Text { .. }
        | T::NText => (Kind::MYSQL_TYPE_VAR_STRING, false),
    };
    [kind as u8, if unsigned { 0x80 } else { 0 }]
}

/// Appends a value with its length before it.
fn counted(bytes: &[u8], out: &mut Vec<u8>) {
    match bytes.len() {
        length @ 0..=0xfa => out.push(length as u8),
        length @ 0xfb..=0xffff => {
            out.push(0xfc);
            out.extend_from_slice(&(length as u16).to_le_bytes());
        }
        length @ 0x1_0000..=0xff_ffff => {
            out.push(0xfd);
            out.extend_from_slice(&(length as u32).to_le_bytes()[..3]);
        }
        length => {
            out.push(0xfe);
            out.extend_from_slice(&(length as u64).to_le_bytes());
        }
    }
    out.extend_from_slice(bytes);
}

fn day(day: i32, out: &mut Vec<u8>) {
    let (year, month, day) = calendar::civil_from_days(day);
    out.extend_from_slice(&(year as u16).to_le_bytes());
    out.extend_from_slice(&[month as u8, day as u8]);
}

/// Appends a value that is not NULL, of a column whose type is sent as `kind`.
#[inline]
pub(super) fn write(kind: [u8; 2], cell: &Cell<'_>, scratch: &mut String, out: &mut Vec<u8>) {
    let integer = |value: i64, out: &mut Vec<u8>| {
        let width = match kind[0] {
            k if k == Kind::MYSQL_TYPE_TINY as u8 => 1,
            k if k == Kind::MYSQL_TYPE_SHORT as u8 => 2,
            k if k == Kind::MYSQL_TYPE_LONG as u8 => 4,
            _ => 8,
        };
        out.extend_from_slice(&value.to_le_bytes()[..width]);
    };
    match cell {
        Cell::Null => {}
        Cell::Bool(v) => out.push(u8::from(*v)),
        Cell::Int(v) => integer(*v, out),
        Cell::UInt(v) => out.extend_from_slice(&v.to_le_bytes()),
        Cell::Real(v) => out.extend_from_slice(&v.to_le_bytes()),
        Cell::Decimal(v, scale) => {
            scratch.clear();
            cells::decimal_text(*v, *scale, scratch);
            counted(scratch.as_bytes(), out);
        }
        Cell::Text(text) => counted(text.as_bytes(), out),
        Cell::Bytes(bytes) => counted(bytes, out),
        Cell::Date(v) => {
            out.push(4);
            day(*v, out);
        }
        Cell::Time(nanos, _) => {
            let (seconds, micros) = (nanos / 1_000_000_000, nanos % 1_000_000_000 / 1000);
            out.push(if micros == 0 { 8 } else { 12 });
            // No sign, no days.
            out.extend_from_slice(&[0; 5]);
            out.extend_from_slice(&[(seconds / 3600) as u8, (seconds / 60 % 60) as u8, (seconds % 60) as u8]);
            if micros != 0 {
                out.extend_from_slice(&(micros as u32).to_le_bytes());
            }
        }
        Cell::Timestamp(ticks, _) => {
            let (date, rest) = calendar::split(*ticks);
            let (hour, minute, second, fraction) = calendar::clock(rest);
            let micros = fraction / 10;
            out.push(if micros == 0 { 7 } else { 11 });
            day(date, out);
            out.extend_from_slice(&[hour as u8, minute as u8, second as u8]);
            if micros != 0 {
                out.extend_from_slice(&micros.to_le_bytes());
            }
        }
        Cell::TimestampOffset(..) | Cell::Guid(_) => {
            counted(cells::iso_text(cell).unwrap_or_default().as_bytes(), out);
        }
    }
}

/// Appends the value of a row of a bulk execution.
#[inline]
pub(super) fn write_marked(kind: [u8; 2], cell: &Cell<'_>, scratch: &mut String, out: &mut Vec<u8>) {
    if *cell == Cell::Null {
        out.push(NULL);
    } else {
        out.push(VALUE);
        write(kind, cell, scratch, out);
    }
}

/// What an execution says of its parameters: which are NULL, their types, and their values.
pub(super) fn parameters(kinds: &[[u8; 2]], cells: &[Cell<'_>], scratch: &mut String, out: &mut Vec<u8>) {
    if cells.is_empty() {
        return;
    }
    let at = out.len();
    out.resize(at + cells.len().div_ceil(8), 0);
    for (index, _) in cells.iter().enumerate().filter(|(_, cell)| **cell == Cell::Null) {
        out[at + index / 8] |= 1 << (index % 8);
    }
    out.push(1);
    let repeated = kinds.iter().cycle().take(cells.len());
    repeated.clone().for_each(|kind| out.extend_from_slice(kind));
    for (kind, cell) in repeated.zip(cells) {
        write(*kind, cell, scratch, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_in_binary_form() {
        let (micro, second) = (10, 10_000_000);
        for (data_type, cell, expected) in [
            (DataType::Bool, Cell::Bool(true), &[1_u8][..]),
            (DataType::I1, Cell::Int(-1), &[255]),
            (DataType::UI2, Cell::Int(65_535), &[255, 255]),
            (DataType::I4, Cell::Int(-2), &[254, 255, 255, 255]),
            (DataType::UI8, Cell::UInt(u64::MAX), &[255; 8]),
            (DataType::Cy, Cell::Decimal(-12_500, 4), b"\x07-1.2500"),
            (DataType::NText, Cell::Text("ä"), &[2, 0xc3, 0xa4]),
            (DataType::DbDate, Cell::Date(19_782), &[4, 0xe8, 7, 2, 29]),
            (DataType::DbTime, Cell::Time(86_399_000_000_000, 0), &[8, 0, 0, 0, 0, 0, 23, 59, 59]),
            (DataType::DbTime2 { scale: 7 }, Cell::Time(1_900, 7), &[12, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0]),
            (DataType::DbTimeStamp, Cell::Timestamp(second, 3), &[7, 0xb2, 7, 1, 1, 0, 0, 1]),
            (DataType::DbTimeStamp2 { scale: 6 }, Cell::Timestamp(micro, 6), &[11, 0xb2, 7, 1, 1, 0, 0, 0, 1, 0, 0, 0]),
        ] {
            let mut out = Vec::new();
            write(kind(&data_type), &cell, &mut String::new(), &mut out);
            assert_eq!(out, expected, "{data_type}");
        }
        for (length, head) in [(250, &[250_u8][..]), (251, &[0xfc, 251, 0]), (65_536, &[0xfd, 0, 0, 1])] {
            let mut out = Vec::new();
            counted(&vec![7; length], &mut out);
            assert_eq!((&out[..head.len()], out.len()), (head, head.len() + length));
        }
    }

    #[test]
    fn nulls_are_bits_or_marks() {
        let (kinds, mut scratch, mut out) = ([kind(&DataType::UI1)], String::new(), Vec::new());
        parameters(&kinds, &[Cell::Int(7), Cell::Null], &mut scratch, &mut out);
        assert_eq!(out, [0b10, 1, 1, 0x80, 1, 0x80, 7]);
        out.clear();
        write_marked(kinds[0], &Cell::Null, &mut scratch, &mut out);
        write_marked(kinds[0], &Cell::Int(7), &mut scratch, &mut out);
        assert_eq!(out, [1, 0, 7]);
    }
}
