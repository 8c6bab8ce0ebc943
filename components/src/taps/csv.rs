//! CSV as data taps and readers show rows: UTF-8, a header line, comma, LF, quotes where a field needs them.
//!
//! NULL is an empty field, an empty text is `""`. Numbers keep their scale (`0.20`), dates are ISO (`2008-04-30 00:00:00`,
//! with a fraction where there is one), GUIDs stand in braces, bytes are hexadecimal digits, Booleans `True` and `False`.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{
    ArrowPrimitiveType, Date32Type, Decimal128Type, Field, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, Time32SecondType, Time64NanosecondType, TimestampMicrosecondType, UInt8Type, UInt16Type, UInt32Type,
    UInt64Type,
};
use chrono::{DateTime, Datelike, NaiveDateTime, Timelike};
use dtsx_engine::batch::Batch;
use dtsx_engine::diag::{Error, Result};
use dtsx_engine::flow::Layout;
use dtsx_engine::types::DataType;
use memchr::memchr3;
use std::fmt::Display;
use std::io::Write;

/// Ticks (100 ns) a second.
const TICKS: i64 = 10_000_000;

/// The header line: the names of the used columns.
pub fn write_header(layout: &Layout, out: &mut Vec<u8>) {
    write_names(layout.columns.iter().filter(|c| c.used).map(|c| c.name.as_str()), out);
}

/// One line for each selected row: its used columns.
///
/// # Errors
/// [`dtsx_engine::diag::Owner::Internal`] if an array is not of its column's type.
pub fn write_rows(layout: &Layout, batch: &Batch, out: &mut Vec<u8>) -> Result<()> {
    let columns = layout.columns.iter().zip(&batch.columns).filter(|(c, _)| c.used);
    let columns = columns.map(|(c, array)| (c.data_type, array)).collect::<Vec<_>>();
    match &batch.selection {
        Some(selection) => write_lines(&columns, selection.iter().map(|row| *row as usize), out),
        None => write_lines(&columns, 0..batch.rows, out),
    }
}

/// The header line of a record batch.
pub fn write_batch_header(batch: &RecordBatch, out: &mut Vec<u8>) {
    write_names(batch.schema_ref().fields().iter().map(|f| f.name().as_str()), out);
}

/// One line for each row of a record batch whose fields are those of [`dtsx_engine::types::field_for`].
///
/// # Errors
/// [`dtsx_engine::diag::Owner::Internal`] for a field without a `DT_*` type, or an array that is not of it.
pub fn write_batch_rows(batch: &RecordBatch, out: &mut Vec<u8>) -> Result<()> {
    let columns = batch
        .schema_ref()
        .fields()
        .iter()
        .zip(batch.columns())
        .map(|(field, array)| {
            let data_type = data_type_of(field);
            data_type.map(|t| (t, array)).ok_or_else(|| Error::internal(format!("\"{}\" has no type", field.name())))
        })
        .collect::<Result<Vec<_>>>()?;
    write_lines(&columns, 0..batch.num_rows(), out)
}

/// The type that a field's metadata names.
fn data_type_of(field: &Field) -> Option<DataType> {
    let number = |key: &str| field.metadata().get(key).and_then(|v| v.parse::<u32>().ok()).unwrap_or(0);
    let small = |key: &str| u8::try_from(number(key)).unwrap_or(0);
    let name = field.metadata().get("dtsx.type")?;
    let (length, code_page) = (number("dtsx.length"), number("dtsx.codePage"));
    DataType::from_name(name, length, small("dtsx.precision"), small("dtsx.scale"), code_page)
}

fn write_names<'a>(names: impl Iterator<Item = &'a str>, out: &mut Vec<u8>) {
    for (place, name) in names.enumerate() {
        if place > 0 {
            out.push(b',');
        }
        text(name, out);
    }
    out.push(b'\n');
}

fn write_lines(columns: &[(DataType, &ArrayRef)], rows: impl Iterator<Item = usize>, out: &mut Vec<u8>) -> Result<()> {
    let cells = columns
        .iter()
        .map(|(data_type, array)| {
            cell(data_type, array).ok_or_else(|| Error::internal(format!("{data_type} in {}", array.data_type())))
        })
        .collect::<Result<Vec<_>>>()?;
    for row in rows {
        for (place, (cell, (_, array))) in cells.iter().zip(columns).enumerate() {
            if place > 0 {
                out.push(b',');
            }
            if array.is_valid(row) {
                cell(row, out);
            }
        }
        out.push(b'\n');
    }
    Ok(())
}

/// Writes the valid value of a row.
type Cell<'a> = Box<dyn Fn(usize, &mut Vec<u8>) + 'a>;

/// How values of a column are written; None if the array is not of the type.
fn cell<'a>(data_type: &DataType, array: &'a ArrayRef) -> Option<Cell<'a>> {
    use DataType::*;
    if array.data_type() == &arrow::datatypes::DataType::Null {
        return Some(Box::new(|_, _| ()));
    }
    Some(match *data_type {
        Null => Box::new(|_, _| ()),
        I1 => display::<Int8Type>(array)?,
        I2 => display::<Int16Type>(array)?,
        I4 => display::<Int32Type>(array)?,
        I8 => display::<Int64Type>(array)?,
        UI1 => display::<UInt8Type>(array)?,
        UI2 => display::<UInt16Type>(array)?,
        UI4 => display::<UInt32Type>(array)?,
        UI8 => display::<UInt64Type>(array)?,
        R4 => number::<Float32Type>(array, |v, out| float(f64::from(v), &v, out))?,
        R8 => number::<Float64Type>(array, |v, out| float(v, &v, out))?,
        Cy => number::<Decimal128Type>(array, |v, out| decimal(v, 4, out))?,
        Decimal { scale } | Numeric { scale, .. } => {
            number::<Decimal128Type>(array, move |v, out| decimal(v, scale, out))?
        }
        Bool => {
            let array = array.as_boolean_opt()?;
            Box::new(move |row, out| out.extend_from_slice(if array.value(row) { b"True" } else { b"False" }))
        }
        Date | DbTimeStamp => number::<TimestampMicrosecondType>(array, |micros, out| {
            let digits = if micros % 1_000_000 == 0 { 0 } else { 6 - 3 * u8::from(micros % 1000 == 0) };
            moment(micros.saturating_mul(10), digits, out);
        })?,
        DbDate => number::<Date32Type>(array, |days, out| {
            if let Some(date) = DateTime::from_timestamp(i64::from(days) * 86_400, 0) {
                day(&date.naive_utc(), out);
            }
        })?,
        DbTime => number::<Time32SecondType>(array, |seconds, out| time(i64::from(seconds) * TICKS, 0, out))?,
        DbTime2 { scale } => number::<Time64NanosecondType>(array, move |nanos, out| time(nanos / 100, scale, out))?,
        DbTimeStamp2 { scale } => number::<Int64Type>(array, move |ticks, out| moment(ticks, scale, out))?,
        FileTime => {
            number::<Int64Type>(array, |ticks, out| moment(ticks, if ticks % TICKS == 0 { 0 } else { 7 }, out))?
        }
        DbTimeStampOffset { scale } => {
            let parts = array.as_struct_opt()?;
            let ticks = parts.column_by_name("ticks")?.as_primitive_opt::<Int64Type>()?;
            let offsets = parts.column_by_name("offset")?.as_primitive_opt::<Int16Type>()?;
            Box::new(move |row, out| {
                let offset = offsets.value(row);
                moment(ticks.value(row).saturating_add(i64::from(offset) * 60 * TICKS), scale, out);
                let sign = if offset < 0 { '-' } else { '+' };
                let _ = write!(out, " {sign}{:02}:{:02}", offset.unsigned_abs() / 60, offset.unsigned_abs() % 60);
            })
        }
        Guid => {
            let array = array.as_fixed_size_binary_opt()?;
            Box::new(move |row, out| guid(array.value(row), out))
        }
        Str { .. } | WStr { .. } | Text { .. } | NText => {
            let array = array.as_string_view_opt()?;
            Box::new(move |row, out| text(array.value(row), out))
        }
        Bytes { .. } | Image => {
            let array = array.as_binary_view_opt()?;
            Box::new(move |row, out| {
                let bytes = array.value(row);
                if bytes.is_empty() {
                    text("", out);
                }
                hex(bytes, out);
            })
        }
    })
}

fn number<'a, T: ArrowPrimitiveType>(
    array: &'a ArrayRef,
    write: impl Fn(T::Native, &mut Vec<u8>) + 'a,
) -> Option<Cell<'a>> {
    let array = array.as_primitive_opt::<T>()?;
    Some(Box::new(move |row, out| write(array.value(row), out)))
}

fn display<'a, T: ArrowPrimitiveType<Native: itoa::Integer>>(array: &'a ArrayRef) -> Option<Cell<'a>> {
    number::<T>(array, |v, out| out.extend_from_slice(itoa::Buffer::new().format(v).as_bytes()))
}

/// Shortest digits that read back as the same number; with an exponent where plain digits would be long.
fn float(value: f64, shown: &(impl Display + std::fmt::LowerExp), out: &mut Vec<u8>) {
    let plain = value == 0.0 || !value.is_finite() || (1e-5..1e16).contains(&value.abs());
    let _ = if plain { write!(out, "{shown}") } else { write!(out, "{shown:e}") };
}

fn decimal(unscaled: i128, scale: u8, out: &mut Vec<u8>) {
    if unscaled < 0 {
        out.push(b'-');
    }
    let mut buffer = itoa::Buffer::new();
    let digits = buffer.format(unscaled.unsigned_abs()).as_bytes();
    let scale = usize::from(scale);
    let whole = digits.len().saturating_sub(scale);
    out.extend_from_slice(if whole == 0 { b"0" } else { &digits[..whole] });
    if scale > 0 {
        out.push(b'.');
        out.extend(std::iter::repeat_n(b'0', scale.saturating_sub(digits.len())));
        out.extend_from_slice(&digits[whole..]);
    }
}

fn moment(ticks: i64, digits: u8, out: &mut Vec<u8>) {
    let Some(moment) = DateTime::from_timestamp(ticks.div_euclid(TICKS), 0) else { return };
    let moment = moment.naive_utc();
    day(&moment, out);
    let seconds = i64::from(moment.num_seconds_from_midnight());
    out.push(b' ');
    time(seconds * TICKS + ticks.rem_euclid(TICKS), digits, out);
}

fn day(moment: &NaiveDateTime, out: &mut Vec<u8>) {
    let _ = write!(out, "{:04}-{:02}-{:02}", moment.year(), moment.month(), moment.day());
}

/// Ticks since midnight, with `digits` digits of the second's fraction.
fn time(ticks: i64, digits: u8, out: &mut Vec<u8>) {
    let seconds = ticks / TICKS;
    let _ = write!(out, "{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    if digits > 0 {
        let digits = usize::from(digits.min(7));
        let fraction = format!("{:07}", ticks % TICKS);
        out.push(b'.');
        out.extend_from_slice(&fraction.as_bytes()[..digits]);
    }
}

fn guid(bytes: &[u8], out: &mut Vec<u8>) {
    out.push(b'{');
    for (place, part) in [0..4, 4..6, 6..8, 8..10, 10..16].into_iter().enumerate() {
        if place > 0 {
            out.push(b'-');
        }
        hex(bytes.get(part).unwrap_or_default(), out);
    }
    out.push(b'}');
}

fn hex(bytes: &[u8], out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for byte in bytes {
        out.extend_from_slice(&[DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
    }
}

/// A text field: quoted if it is empty (it is not NULL), or holds a comma, a quote or a line end.
fn text(value: &str, out: &mut Vec<u8>) {
    let bytes = value.as_bytes();
    if !bytes.is_empty() && memchr3(b',', b'"', b'\n', bytes).is_none() && memchr::memchr(b'\r', bytes).is_none() {
        return out.extend_from_slice(bytes);
    }
    out.push(b'"');
    for (place, part) in value.split('"').enumerate() {
        if place > 0 {
            out.extend_from_slice(b"\"\"");
        }
        out.extend_from_slice(part.as_bytes());
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::*;
    use arrow::buffer::NullBuffer;
    use arrow::datatypes::Schema;
    use dtsx_engine::types::field_for;
    use std::sync::Arc;

    /// The lines that rows of one column make.
    fn lines(data_type: DataType, array: impl Array + 'static) -> String {
        let array: ArrayRef = Arc::new(array);
        let rows = array.len();
        let mut out = Vec::new();
        write_lines(&[(data_type, &array)], 0..rows, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn text_is_quoted_where_needed() {
        let array = StringViewArray::from(vec![
            Some("plain"),
            Some(""),
            None,
            Some(" a b "),
            Some("a,b"),
            Some("say \"x\""),
            Some("l\nf"),
            Some("c\rr"),
            Some("é"),
        ]);
        let expected = "plain\n\"\"\n\n a b \n\"a,b\"\n\"say \"\"x\"\"\"\n\"l\nf\"\n\"c\rr\"\né\n";
        assert_eq!(lines(DataType::NText, array), expected);
    }

    #[test]
    fn numbers_keep_their_scale() {
        let decimals =
            |scale, values: Vec<i128>| Decimal128Array::from(values).with_precision_and_scale(19, scale).unwrap();
        let numeric = DataType::Numeric { precision: 19, scale: 2 };
        assert_eq!(lines(numeric, decimals(2, vec![20, -5, 12345, 0])), "0.20\n-0.05\n123.45\n0.00\n");
        assert_eq!(lines(DataType::Cy, decimals(4, vec![800_000_000])), "80000.0000\n");
        assert_eq!(lines(DataType::Decimal { scale: 0 }, decimals(0, vec![-7])), "-7\n");
        assert_eq!(lines(DataType::I8, Int64Array::from(vec![Some(i64::MIN), None])), "-9223372036854775808\n\n");
        assert_eq!(lines(DataType::R8, Float64Array::from(vec![1.0, 0.1, -2.5e300, 0.0])), "1\n0.1\n-2.5e300\n0\n");
        assert_eq!(lines(DataType::R4, Float32Array::from(vec![0.1])), "0.1\n");
    }

    #[test]
    fn dates_are_iso() {
        let day = 14_000 * 86_400 * 1_000_000;
        let stamps = TimestampMicrosecondArray::from(vec![day, day + 1_500_000, day + 1, -62_135_596_800_000_000]);
        let expected =
            "2008-05-01 00:00:00\n2008-05-01 00:00:01.500\n2008-05-01 00:00:00.000001\n0001-01-01 00:00:00\n";
        assert_eq!(lines(DataType::DbTimeStamp, stamps), expected);
        assert_eq!(lines(DataType::DbDate, Date32Array::from(vec![14_000, -1])), "2008-05-01\n1969-12-31\n");
        assert_eq!(lines(DataType::DbTime, Time32SecondArray::from(vec![86_399])), "23:59:59\n");
        let time2 = Time64NanosecondArray::from(vec![3_600_000_000_100]);
        assert_eq!(lines(DataType::DbTime2 { scale: 7 }, time2), "01:00:00.0000001\n");
        let ticks = Int64Array::from(vec![-1]);
        assert_eq!(lines(DataType::DbTimeStamp2 { scale: 3 }, ticks), "1969-12-31 23:59:59.999\n");
        let offset = StructArray::new(
            match (DataType::DbTimeStampOffset { scale: 0 }).arrow() {
                arrow::datatypes::DataType::Struct(fields) => fields,
                other => panic!("{other}"),
            },
            vec![Arc::new(Int64Array::from(vec![0])), Arc::new(Int16Array::from(vec![-90]))],
            None::<NullBuffer>,
        );
        assert_eq!(lines(DataType::DbTimeStampOffset { scale: 0 }, offset), "1969-12-31 22:30:00 -01:30\n");
    }

    #[test]
    fn the_rest() {
        assert_eq!(lines(DataType::Bool, BooleanArray::from(vec![Some(true), None, Some(false)])), "True\n\nFalse\n");
        let guid = FixedSizeBinaryArray::try_from_iter([(0u8..16).collect::<Vec<_>>()].into_iter()).unwrap();
        assert_eq!(lines(DataType::Guid, guid), "{00010203-0405-0607-0809-0A0B0C0D0E0F}\n");
        let bytes = BinaryViewArray::from_iter_values([b"\x00\xff".as_slice(), b""]);
        assert_eq!(lines(DataType::Image, bytes), "00FF\n\"\"\n");
        assert!(write_lines(&[(DataType::I4, &(Arc::new(NullArray::new(1)) as ArrayRef))], 0..1, &mut vec![]).is_ok());
        let wrong: ArrayRef = Arc::new(Int8Array::from(vec![1]));
        assert!(write_lines(&[(DataType::I4, &wrong)], 0..1, &mut vec![]).is_err());
    }

    #[test]
    fn a_record_batch_reads_the_same() {
        let types = [DataType::Numeric { precision: 5, scale: 1 }, DataType::Str { len: 3, code_page: 1252 }];
        let fields = vec![field_for("n", &types[0]), field_for("a,b", &types[1])];
        let numbers = Decimal128Array::from(vec![15]).with_precision_and_scale(5, 1).unwrap();
        let columns: Vec<ArrayRef> = vec![Arc::new(numbers), Arc::new(StringViewArray::from(vec!["x"]))];
        let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap();
        let mut out = Vec::new();
        write_batch_header(&batch, &mut out);
        write_batch_rows(&batch, &mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "n,\"a,b\"\n1.5,x\n");
    }
}
