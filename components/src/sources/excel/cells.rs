//! The types that the providers of Excel see in the cells of a column.

use crate::connections::excel::ExcelConnection;
use crate::shared::excel::{Table, date_of, text_of};
use arrow::array::{ArrayRef, BooleanArray, Float64Array, StringViewBuilder};
use calamine::Data;
use dtsx_engine::diag::Result;
use dtsx_engine::types::DataType;
use dtsx_engine::types::code_page::utf16_prefix;
use dtsx_engine::types::convert::{CastOptions, cast_array};
use std::sync::Arc;

/// Characters of a column of text; what is longer makes it a memo, or is cut.
const TEXT: usize = 255;

/// What the provider yields for a column.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Number,
    Date,
    Bool,
    /// At most 255 characters.
    Text {
        mixed: bool,
    },
    Memo {
        mixed: bool,
    },
}

/// An output column among the cells.
pub(super) struct Column {
    /// The column of the table.
    pub(super) place: usize,
    pub(super) kind: Kind,
}

/// What a cell holds by itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Held {
    Nothing,
    Number,
    Date,
    Bool,
    Text,
}

fn held(value: &Data) -> Held {
    match value {
        Data::Empty | Data::Error(_) => Held::Nothing,
        Data::Int(_) | Data::Float(_) => Held::Number,
        Data::DateTime(_) => Held::Date,
        Data::Bool(_) => Held::Bool,
        Data::String(_) | Data::DateTimeIso(_) | Data::DurationIso(_) => Held::Text,
    }
}

impl Kind {
    /// The type of its values.
    pub(super) fn data_type(self) -> DataType {
        match self {
            Kind::Number => DataType::R8,
            Kind::Date => DataType::Date,
            Kind::Bool => DataType::Bool,
            Kind::Text { .. } => DataType::WStr { len: TEXT as u32 },
            Kind::Memo { .. } => DataType::NText,
        }
    }
}

/// The kind of a column, by its first rows: the one that most values have. Of as many numbers as texts, numbers win;
/// the order among the others is unconfirmed. A column without a value there is what the package declares.
pub(super) fn guess(
    table: &Table,
    header: usize,
    place: usize,
    connection: &ExcelConnection,
    declared: &DataType,
) -> Kind {
    let all = table.height() - header;
    let rows = if connection.guess_rows == 0 { all } else { all.min(connection.guess_rows) };
    let mut counts = [(Held::Number, 0), (Held::Date, 0), (Held::Bool, 0), (Held::Text, 0)];
    let mut long = false;
    for row in 0..rows {
        let value = table.value(header + row, place);
        let found = held(value);
        for (_, count) in counts.iter_mut().filter(|(h, _)| *h == found) {
            *count += 1;
        }
        long |= matches!(value, Data::String(text) if text.encode_utf16().nth(TEXT).is_some());
    }
    let kinds = counts.iter().filter(|(_, count)| *count > 0).count();
    let mixed = connection.mixed_as_text;
    let text = if long { Kind::Memo { mixed } } else { Kind::Text { mixed } };
    if kinds == 0 {
        return declared_kind(declared, mixed);
    }
    if kinds > 1 && mixed {
        return text;
    }
    // The first of the largest: `max_by_key` would take the last.
    let most = counts.iter().rev().max_by_key(|(_, count)| *count).map_or(Held::Text, |(held, _)| *held);
    match most {
        Held::Number => Kind::Number,
        Held::Date => Kind::Date,
        Held::Bool => Kind::Bool,
        Held::Text | Held::Nothing => text,
    }
}

fn declared_kind(declared: &DataType, mixed: bool) -> Kind {
    match declared {
        DataType::NText | DataType::Text { .. } => Kind::Memo { mixed },
        DataType::Bool => Kind::Bool,
        other if other.is_date_time() => Kind::Date,
        other if other.is_numeric() => Kind::Number,
        _ => Kind::Text { mixed },
    }
}

impl Column {
    /// The values of rows `first..first + rows` of the table, in the type of the kind.
    pub(super) fn read(&self, table: &Table, first: usize, rows: usize, lcid: u32) -> Result<ArrayRef> {
        let values = (first..first + rows).map(|row| table.value(row, self.place));
        Ok(match self.kind {
            Kind::Number => Arc::new(values.map(number).collect::<Float64Array>()),
            Kind::Date => {
                let serials: ArrayRef = Arc::new(values.map(number).collect::<Float64Array>());
                cast_array(&serials, &DataType::R8, &DataType::Date, &CastOptions::data_flow(lcid))?.0
            }
            Kind::Bool => Arc::new(
                values
                    .map(|value| match value {
                        Data::Bool(value) => Some(*value),
                        _ => None,
                    })
                    .collect::<BooleanArray>(),
            ),
            Kind::Text { mixed } | Kind::Memo { mixed } => {
                let mut builder = StringViewBuilder::with_capacity(rows);
                for value in values {
                    match held(value) {
                        Held::Text => {
                            let text = text_of(value);
                            // A column of text is cut without a word, as its type is made of its first rows.
                            let length = match self.kind {
                                Kind::Text { .. } => utf16_prefix(&text, TEXT),
                                _ => text.len(),
                            };
                            builder.append_value(&text[..length]);
                        }
                        Held::Nothing => builder.append_null(),
                        _ if mixed => builder.append_value(text_of(value)),
                        _ => builder.append_null(),
                    }
                }
                Arc::new(builder.finish())
            }
        })
    }
}

/// The number of a cell; a date is its day since 1899-12-30.
fn number(value: &Data) -> Option<f64> {
    match value {
        Data::Int(value) => Some(*value as f64),
        Data::Float(value) => Some(*value),
        Data::DateTime(at) => Some(serial(at)),
        _ => None,
    }
}

/// Days since 1899-12-30, also of a workbook that counts from 1904.
fn serial(at: &calamine::ExcelDateTime) -> f64 {
    /// Days between the two beginnings.
    const SINCE_1904: f64 = 1462.0;
    let days = at.as_f64();
    // The library does not tell which beginning a workbook has; what it makes of the number does.
    match date_of(at) {
        Some(date) => {
            let origin = chrono::NaiveDate::from_ymd_opt(1899, 12, 30).map(|d| d.and_time(chrono::NaiveTime::MIN));
            let counted = origin.map_or(days, |o| (date - o).num_seconds() as f64 / 86_400.0);
            if counted - days > SINCE_1904 / 2.0 { days + SINCE_1904 } else { days }
        }
        _ => days,
    }
}
