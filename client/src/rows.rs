//! Rows as text: CSV and JSON lines, as `dtsx read` prints them and data taps write them.
//!
//! CSV: UTF-8, a header line, LF, commas; a field is quoted where it has to be. NULL is an empty field, an empty string
//! is `""`. JSON: one object a line, NULL is `null`, numbers are numbers (decimals with all their digits), everything
//! else is a string. Dates are `2024-01-31`, times `13:05:00`, both together `2024-01-31 13:05:00` with the fraction
//! only if there is one; a GUID is `{…}`; bytes are hexadecimal digits.

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryViewArray, BooleanArray, FixedSizeBinaryArray, Int16Array, Int64Array,
    StringViewArray, StructArray,
};
use arrow::datatypes::{DataType as ArrowType, Int16Type, Int64Type, SchemaRef};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use dtsx_engine::types::Value;
use std::fmt::Write as _;
use std::io::{self, Write};

/// The metadata key under which a field carries the name of its `DT_*` type.
const TYPE_KEY: &str = "dtsx.type";

/// A text form for rows.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum RowFormat {
    /// Comma-separated values with a header line.
    #[default]
    Csv,
    /// A JSON object a line.
    Json,
}

/// Writes batches of rows as text.
///
/// ```
/// use arrow::array::{ArrayRef, StringViewArray};
/// use arrow::record_batch::RecordBatch;
/// use std::sync::Arc;
///
/// let names: ArrayRef = Arc::new(StringViewArray::from(vec![Some("Ada"), None, Some("")]));
/// let batch = RecordBatch::try_from_iter_with_nullable([("name", names, true)])?;
/// let mut out = Vec::new();
/// let mut writer = dtsx::rows::RowWriter::new(&mut out, dtsx::rows::RowFormat::Csv);
/// writer.begin(&batch.schema())?;
/// writer.write(&batch)?;
/// assert_eq!(String::from_utf8(out)?, "name\nAda\n\n\"\"\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct RowWriter<W> {
    out: W,
    format: RowFormat,
    text: String,
}

impl<W: Write> RowWriter<W> {
    /// A writer of that format.
    pub fn new(out: W, format: RowFormat) -> RowWriter<W> {
        RowWriter { out, format, text: String::new() }
    }

    /// Writes what comes before the rows: the header line of CSV.
    ///
    /// # Errors
    /// What `out` says.
    pub fn begin(&mut self, schema: &SchemaRef) -> io::Result<()> {
        if self.format == RowFormat::Csv {
            self.out.write_all(csv_header(schema).as_bytes())?;
        }
        Ok(())
    }

    /// Writes the rows of a batch.
    ///
    /// # Errors
    /// What `out` says; an Arrow type that a data flow cannot have.
    pub fn write(&mut self, batch: &RecordBatch) -> io::Result<()> {
        self.text.clear();
        append_rows(&mut self.text, batch, self.format).map_err(io::Error::other)?;
        self.out.write_all(self.text.as_bytes())
    }

    /// Flushes, and gives the destination back.
    ///
    /// # Errors
    /// What it says.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.flush()?;
        Ok(self.out)
    }
}

/// The header line of CSV.
pub fn csv_header(schema: &SchemaRef) -> String {
    let mut line = String::new();
    for (i, field) in schema.fields().iter().enumerate() {
        if i > 0 {
            line.push(',');
        }
        push_csv(&mut line, field.name());
    }
    line.push('\n');
    line
}

/// Appends the rows of a batch to `text`.
///
/// # Errors
/// An Arrow type that a data flow cannot have.
pub fn append_rows(text: &mut String, batch: &RecordBatch, format: RowFormat) -> Result<(), ArrowError> {
    let schema = batch.schema();
    let cells = schema
        .fields()
        .iter()
        .zip(batch.columns())
        .map(|(field, array)| Cells::new(array, field.metadata().get(TYPE_KEY).map_or("", String::as_str)))
        .collect::<Result<Vec<_>, _>>()?;
    match format {
        RowFormat::Csv => {
            for row in 0..batch.num_rows() {
                for (i, cell) in cells.iter().enumerate() {
                    if i > 0 {
                        text.push(',');
                    }
                    cell.push_csv(text, row)?;
                }
                text.push('\n');
            }
        }
        RowFormat::Json => {
            let keys: Vec<String> = schema
                .fields()
                .iter()
                .map(|field| {
                    let mut key = String::new();
                    push_json(&mut key, field.name());
                    key.push(':');
                    key
                })
                .collect();
            for row in 0..batch.num_rows() {
                text.push('{');
                for (i, (key, cell)) in keys.iter().zip(&cells).enumerate() {
                    if i > 0 {
                        text.push(',');
                    }
                    text.push_str(key);
                    cell.push_json(text, row)?;
                }
                text.push_str("}\n");
            }
        }
    }
    Ok(())
}

const OPTIONS: FormatOptions<'static> = FormatOptions::new()
    .with_display_error(false)
    .with_timestamp_format(Some("%Y-%m-%d %H:%M:%S%.f"))
    .with_time_format(Some("%H:%M:%S%.f"));

/// One column of a batch, seen as text.
enum Cells<'a> {
    Null,
    Text(&'a StringViewArray),
    Bytes(&'a BinaryViewArray),
    Bool(&'a BooleanArray),
    Guid(&'a FixedSizeBinaryArray),
    /// 100 ns since 1970-01-01.
    Ticks(&'a Int64Array),
    /// The same in UTC, with the offset in minutes of the local time that is shown.
    TicksOffset(&'a StructArray, &'a Int64Array, &'a Int16Array),
    Number(&'a ArrayRef, ArrayFormatter<'a>),
    Other(&'a ArrayRef, ArrayFormatter<'a>),
}

impl<'a> Cells<'a> {
    fn new(array: &'a ArrayRef, type_name: &str) -> Result<Cells<'a>, ArrowError> {
        Ok(match array.data_type() {
            ArrowType::Null => Cells::Null,
            ArrowType::Utf8View => Cells::Text(array.as_string_view()),
            ArrowType::BinaryView => Cells::Bytes(array.as_binary_view()),
            ArrowType::Boolean => Cells::Bool(array.as_boolean()),
            ArrowType::FixedSizeBinary(16) => Cells::Guid(array.as_fixed_size_binary()),
            ArrowType::Int64 if matches!(type_name, "DT_DBTIMESTAMP2" | "DT_FILETIME") => {
                Cells::Ticks(array.as_primitive())
            }
            ArrowType::Struct(_) if type_name == "DT_DBTIMESTAMPOFFSET" => {
                let row = array.as_struct();
                Cells::TicksOffset(
                    row,
                    row.column(0).as_primitive::<Int64Type>(),
                    row.column(1).as_primitive::<Int16Type>(),
                )
            }
            t if t.is_numeric() => Cells::Number(array, ArrayFormatter::try_new(array, &OPTIONS)?),
            _ => Cells::Other(array, ArrayFormatter::try_new(array, &OPTIONS)?),
        })
    }

    fn is_null(&self, row: usize) -> bool {
        match self {
            Cells::Null => true,
            Cells::Text(a) => a.is_null(row),
            Cells::Bytes(a) => a.is_null(row),
            Cells::Bool(a) => a.is_null(row),
            Cells::Guid(a) => a.is_null(row),
            Cells::Ticks(a) => a.is_null(row),
            Cells::TicksOffset(a, ..) => a.is_null(row),
            Cells::Number(a, _) | Cells::Other(a, _) => a.is_null(row),
        }
    }

    /// The text of a value that is neither NULL nor character data: nothing in it ever needs quoting.
    fn push_plain(&self, text: &mut String, row: usize) -> Result<(), ArrowError> {
        let written = match self {
            Cells::Null => Ok(()),
            Cells::Text(a) => text.write_str(a.value(row)),
            Cells::Bytes(a) => a.value(row).iter().try_for_each(|byte| write!(text, "{byte:02x}")),
            Cells::Bool(a) => text.write_str(if a.value(row) { "True" } else { "False" }),
            Cells::Guid(a) => push_guid(text, a.value(row)),
            Cells::Ticks(a) => push_ticks(text, a.value(row)),
            Cells::TicksOffset(_, ticks, offset) => push_ticks_offset(text, ticks.value(row), offset.value(row)),
            Cells::Number(_, formatter) | Cells::Other(_, formatter) => return formatter.value(row).write(text),
        };
        written.map_err(|e| ArrowError::CastError(e.to_string()))
    }

    fn push_csv(&self, text: &mut String, row: usize) -> Result<(), ArrowError> {
        if self.is_null(row) {
            return Ok(());
        }
        if let Cells::Text(a) = self {
            push_csv(text, a.value(row));
            return Ok(());
        }
        self.push_plain(text, row)
    }

    fn push_json(&self, text: &mut String, row: usize) -> Result<(), ArrowError> {
        if self.is_null(row) {
            text.push_str("null");
            return Ok(());
        }
        match self {
            Cells::Text(a) => push_json(text, a.value(row)),
            Cells::Bool(a) => text.push_str(if a.value(row) { "true" } else { "false" }),
            Cells::Number(_, formatter) => {
                let from = text.len();
                formatter.value(row).write(text)?;
                // JSON has no number for these.
                if matches!(&text[from..], "NaN" | "inf" | "-inf") {
                    text.replace_range(from.., "null");
                }
            }
            _ => {
                text.push('"');
                self.push_plain(text, row)?;
                text.push('"');
            }
        }
        Ok(())
    }
}

/// A CSV field that is not NULL.
fn push_csv(text: &mut String, field: &str) {
    if field.is_empty() || field.bytes().any(|b| matches!(b, b',' | b'"' | b'\n' | b'\r')) {
        text.push('"');
        for (i, part) in field.split('"').enumerate() {
            if i > 0 {
                text.push_str("\"\"");
            }
            text.push_str(part);
        }
        text.push('"');
    } else {
        text.push_str(field);
    }
}

/// A JSON string.
fn push_json(text: &mut String, value: &str) {
    text.push('"');
    for c in value.chars() {
        match c {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            c if c < ' ' => {
                // Writing to a String cannot fail.
                let _ = write!(text, "\\u{:04x}", u32::from(c));
            }
            c => text.push(c),
        }
    }
    text.push('"');
}

fn push_guid(text: &mut String, bytes: &[u8]) -> std::fmt::Result {
    text.push('{');
    for (i, byte) in bytes.iter().enumerate() {
        if matches!(i, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        write!(text, "{byte:02X}")?;
    }
    text.push('}');
    Ok(())
}

/// The text of a variable's value, in the same forms as those of columns; `None` for NULL and for objects.
pub(crate) fn value_text(value: &Value) -> Option<String> {
    let mut text = String::new();
    let written = match value {
        Value::Null | Value::Object(_) => return None,
        Value::Bool(v) => text.write_str(if *v { "True" } else { "False" }),
        Value::I1(v) => write!(text, "{v}"),
        Value::I2(v) => write!(text, "{v}"),
        Value::I4(v) => write!(text, "{v}"),
        Value::I8(v) => write!(text, "{v}"),
        Value::UI1(v) => write!(text, "{v}"),
        Value::UI2(v) => write!(text, "{v}"),
        Value::UI4(v) => write!(text, "{v}"),
        Value::UI8(v) => write!(text, "{v}"),
        Value::R4(v) => write!(text, "{v}"),
        Value::R8(v) => write!(text, "{v}"),
        Value::Decimal(v, scale) => push_decimal(&mut text, *v, usize::from(*scale)),
        Value::Days(v) => push_date(&mut text, i64::from(*v)),
        Value::Time(v) => push_time(&mut text, v.div_euclid(100)),
        Value::Timestamp(v) => push_ticks(&mut text, v.saturating_mul(10)),
        Value::Ticks(v) => push_ticks(&mut text, *v),
        Value::TicksOffset(utc, offset) => push_ticks_offset(&mut text, *utc, *offset),
        Value::Guid(v) => push_guid(&mut text, v),
        Value::Text(v) => text.write_str(v),
        Value::Bytes(v) => v.iter().try_for_each(|byte| write!(text, "{byte:02x}")),
    };
    written.is_ok().then_some(text)
}

fn push_decimal(text: &mut String, unscaled: i128, scale: usize) -> std::fmt::Result {
    let sign = if unscaled < 0 { "-" } else { "" };
    let digits = format!("{:0width$}", unscaled.unsigned_abs(), width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    write!(text, "{sign}{whole}")?;
    if fraction.is_empty() { Ok(()) } else { write!(text, ".{fraction}") }
}

const TICKS_PER_SECOND: i64 = 10_000_000;
const SECONDS_PER_DAY: i64 = 86_400;

/// `2024-01-31 13:05:00.1234567`, the fraction without final zeros.
fn push_ticks(text: &mut String, ticks: i64) -> std::fmt::Result {
    let (seconds, fraction) = (ticks.div_euclid(TICKS_PER_SECOND), ticks.rem_euclid(TICKS_PER_SECOND));
    push_date(text, seconds.div_euclid(SECONDS_PER_DAY))?;
    text.push(' ');
    push_time(text, seconds.rem_euclid(SECONDS_PER_DAY) * TICKS_PER_SECOND + fraction)
}

fn push_date(text: &mut String, days: i64) -> std::fmt::Result {
    let (year, month, day) = civil(days);
    write!(text, "{year:04}-{month:02}-{day:02}")
}

/// A time of day, from ticks since midnight.
fn push_time(text: &mut String, ticks: i64) -> std::fmt::Result {
    let (second, fraction) = (ticks / TICKS_PER_SECOND, ticks % TICKS_PER_SECOND);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    write!(text, "{hour:02}:{minute:02}:{second:02}")?;
    if fraction != 0 {
        let digits = format!("{fraction:07}");
        write!(text, ".{}", digits.trim_end_matches('0'))?;
    }
    Ok(())
}

fn push_ticks_offset(text: &mut String, utc: i64, offset: i16) -> std::fmt::Result {
    push_ticks(text, utc.saturating_add(i64::from(offset) * 60 * TICKS_PER_SECOND))?;
    let sign = if offset < 0 { '-' } else { '+' };
    let minutes = offset.unsigned_abs();
    write!(text, " {sign}{:02}:{:02}", minutes / 60, minutes % 60)
}

/// Year, month and day of a day number (0 is 1970-01-01) in the proleptic Gregorian calendar. Years are counted from
/// March, so that the leap day ends a year; 400 years have 146,097 days.
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Decimal128Array, Float64Array, Int32Array, TimestampMicrosecondArray};
    use arrow::datatypes::Schema;
    use dtsx_engine::types::{DataType, field_for};
    use std::sync::Arc;

    fn batch() -> RecordBatch {
        let offset = StructArray::from(vec![
            (
                Arc::new(arrow::datatypes::Field::new("ticks", ArrowType::Int64, false)),
                Arc::new(Int64Array::from(vec![0, 0])) as ArrayRef,
            ),
            (
                Arc::new(arrow::datatypes::Field::new("offset", ArrowType::Int16, false)),
                Arc::new(Int16Array::from(vec![-90, 60])) as ArrayRef,
            ),
        ]);
        let columns: Vec<(&str, DataType, ArrayRef)> = vec![
            ("i", DataType::I4, Arc::new(Int32Array::from(vec![Some(-5), None]))),
            ("s,t", DataType::WStr { len: 9 }, Arc::new(StringViewArray::from(vec!["a \"b\",\n", ""]))),
            ("b", DataType::Bool, Arc::new(BooleanArray::from(vec![true, false]))),
            (
                "n",
                DataType::Numeric { precision: 9, scale: 2 },
                Arc::new(Decimal128Array::from(vec![Some(-150), Some(7)]).with_precision_and_scale(9, 2).unwrap()),
            ),
            ("r", DataType::R8, Arc::new(Float64Array::from(vec![0.1, f64::NAN]))),
            (
                "ts",
                DataType::DbTimeStamp,
                Arc::new(TimestampMicrosecondArray::from(vec![1_706_659_200_000_000, 1_706_659_200_120_000])),
            ),
            (
                "ts2",
                DataType::DbTimeStamp2 { scale: 7 },
                Arc::new(Int64Array::from(vec![17_066_592_001_234_560, -621_355_968_000_000_000])),
            ),
            ("dto", DataType::DbTimeStampOffset { scale: 0 }, Arc::new(offset)),
            (
                "g",
                DataType::Guid,
                Arc::new(FixedSizeBinaryArray::try_from_iter([[0xABu8; 16], [1; 16]].into_iter()).unwrap()),
            ),
            ("x", DataType::Bytes { len: 2 }, Arc::new(BinaryViewArray::from(vec![Some(&[0u8, 255][..]), None]))),
        ];
        let schema = Schema::new(columns.iter().map(|(n, t, _)| field_for(n, t)).collect::<Vec<_>>());
        RecordBatch::try_new(Arc::new(schema), columns.into_iter().map(|(_, _, a)| a).collect()).unwrap()
    }

    fn written(format: RowFormat) -> String {
        let batch = batch();
        let mut writer = RowWriter::new(Vec::new(), format);
        writer.begin(&batch.schema()).unwrap();
        writer.write(&batch).unwrap();
        String::from_utf8(writer.finish().unwrap()).unwrap()
    }

    #[test]
    fn csv_tells_null_from_empty_and_quotes_what_needs_it() {
        assert_eq!(
            written(RowFormat::Csv),
            "i,\"s,t\",b,n,r,ts,ts2,dto,g,x\n\
             -5,\"a \"\"b\"\",\n\",True,-1.50,0.1,2024-01-31 00:00:00,2024-01-31 00:00:00.123456,1969-12-31 22:30:00 -01:30,\
             {ABABABAB-ABAB-ABAB-ABAB-ABABABABABAB},00ff\n\
             ,\"\",False,0.07,NaN,2024-01-31 00:00:00.120,0001-01-01 00:00:00,1970-01-01 01:00:00 +01:00,\
             {01010101-0101-0101-0101-010101010101},\n"
        );
    }

    #[test]
    fn json_has_numbers_null_and_escapes() {
        let text = written(RowFormat::Json);
        let lines: Vec<&str> = text.lines().collect();
        assert!(
            lines[0]
                .starts_with(r#"{"i":-5,"s,t":"a \"b\",\n","b":true,"n":-1.50,"r":0.1,"ts":"2024-01-31 00:00:00","#)
        );
        assert!(lines[1].starts_with(r#"{"i":null,"s,t":"","b":false,"n":0.07,"r":null,"#));
        assert!(lines[1].ends_with(r#""x":null}"#));
    }

    #[test]
    fn values_of_variables_have_the_same_forms() {
        for (value, text) in [
            (Value::Null, None),
            (Value::Bool(true), Some("True")),
            (Value::Decimal(-5, 2), Some("-0.05")),
            (Value::Decimal(1200, 0), Some("1200")),
            (Value::Timestamp(1_706_659_200_500_000), Some("2024-01-31 00:00:00.5")),
            (Value::Time(3_600_000_000_000), Some("01:00:00")),
            (Value::Days(-1), Some("1969-12-31")),
            (Value::text("x,y"), Some("x,y")),
        ] {
            assert_eq!(value_text(&value).as_deref(), text, "{value:?}");
        }
    }

    #[test]
    fn days_become_dates() {
        for (days, date) in [(0, (1970, 1, 1)), (-1, (1969, 12, 31)), (19_782, (2024, 2, 29)), (-719_162, (1, 1, 1))] {
            assert_eq!(civil(days), date);
        }
    }
}
