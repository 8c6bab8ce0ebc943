//! Tables of a workbook: sheets, ranges of cells and named ranges, as the providers of Excel name them.
//!
//! | name | table |
//! |---|---|
//! | `Orders$`, `'My orders$'`, `[Orders$]` | what is used of the sheet |
//! | `Orders$B3:D20`, `Orders$B:D` | these cells of it |
//! | `Orders` | the named range |

use calamine::{Data, Range, Reader, Sheets};
use std::fs::File;
use std::io::BufReader;

/// The rows and columns of a range, both ends included; None: as far as cells are used.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Bounds {
    pub(crate) first_row: Option<u32>,
    pub(crate) first_column: Option<u32>,
    pub(crate) last_row: Option<u32>,
    pub(crate) last_column: Option<u32>,
}

/// What the name of a table stands for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum TableName {
    /// Cells of a sheet.
    Sheet(String, Bounds),
    /// A named range.
    Named(String),
}

impl TableName {
    /// Reads a name. None: it is empty, or what follows `$` is no range.
    pub(crate) fn parse(text: &str) -> Option<TableName> {
        let text = unquoted(text.trim());
        if text.is_empty() {
            return None;
        }
        let Some(at) = text.rfind('$').filter(|at| *at > 0) else { return Some(TableName::Named(text)) };
        let (sheet, range) = (text[..at].trim_end_matches('\''), &text[at + 1..]);
        let sheet = sheet.strip_prefix('\'').unwrap_or(sheet).replace("''", "'");
        let range = range.trim().trim_start_matches('\'').trim();
        let bounds = if range.is_empty() { Bounds::default() } else { bounds(range)? };
        Some(TableName::Sheet(sheet, bounds))
    }
}

/// Without the brackets, back quotes or quotes around it.
fn unquoted(text: &str) -> String {
    let pairs = [('[', ']'), ('`', '`'), ('"', '"')];
    let inner = pairs.iter().find_map(|(open, close)| text.strip_prefix(*open)?.strip_suffix(*close));
    let text = inner.unwrap_or(text);
    match text.strip_prefix('\'').and_then(|t| t.strip_suffix('\'')) {
        Some(text) => text.replace("''", "'"),
        None => text.to_owned(),
    }
}

/// `B3:D20`, `B:D`, `3:20`, `B3`; `$` signs do not matter.
fn bounds(range: &str) -> Option<Bounds> {
    let range: String = range.chars().filter(|c| *c != '$').collect();
    let (first, last) = range.split_once(':').unwrap_or((&range, &range));
    let ((first_column, first_row), (last_column, last_row)) = (cell(first.trim())?, cell(last.trim())?);
    let ordered = |a: Option<u32>, b: Option<u32>| a.zip(b).is_none_or(|(a, b)| a <= b);
    let fits = ordered(first_row, last_row) && ordered(first_column, last_column);
    fits.then_some(Bounds { first_row, first_column, last_row, last_column })
}

/// Column and row of a cell, from 0.
fn cell(text: &str) -> Option<(Option<u32>, Option<u32>)> {
    let letters = text.len() - text.trim_start_matches(|c: char| c.is_ascii_alphabetic()).len();
    let (letters, digits) = text.split_at(letters);
    if letters.len() > 3 || (letters.is_empty() && digits.is_empty()) {
        return None;
    }
    let column = letters.bytes().fold(0, |n, b| n * 26 + u32::from(b.to_ascii_uppercase() - b'A') + 1);
    let row: Option<u32> = if digits.is_empty() { None } else { Some(digits.parse().ok().filter(|n| *n > 0)?) };
    Some((column.checked_sub(1), row.map(|n| n - 1)))
}

/// A workbook that is open.
pub(crate) type Workbook = Sheets<BufReader<File>>;

/// The cells of a table.
pub(crate) struct Table {
    /// The sheet.
    pub(crate) sheet: String,
    pub(crate) cells: Range<Data>,
    /// The first cell of the table.
    pub(crate) start: (u32, u32),
    /// The last one.
    pub(crate) end: (u32, u32),
}

impl Table {
    /// Finds a table; None: there is none of that name, or nothing is in it.
    ///
    /// # Errors
    /// What the workbook's reader says.
    pub(crate) fn open(workbook: &mut Workbook, name: &TableName) -> Result<Option<Table>, calamine::Error> {
        let named;
        let (sheet, bounds) = match name {
            TableName::Sheet(sheet, bounds) => (sheet, *bounds),
            TableName::Named(text) => {
                let found = workbook.defined_names().iter().find(|(n, _)| n.eq_ignore_ascii_case(text));
                named = match found.and_then(|(_, formula)| reference(formula)) {
                    Some(found) => found,
                    // A sheet may be named without its `$`.
                    None => (text.clone(), Bounds::default()),
                };
                (&named.0, named.1)
            }
        };
        let names = workbook.sheet_names();
        let exact = names.iter().find(|n| *n == sheet);
        let Some(sheet) = exact.or_else(|| names.iter().find(|n| n.to_lowercase() == sheet.to_lowercase())) else {
            return Ok(None);
        };
        let cells = workbook.worksheet_range(sheet)?;
        let (Some(start), Some(end)) = (cells.start(), cells.end()) else { return Ok(None) };
        // Whether a range that reaches beyond the used cells brings empty rows is unconfirmed; here it does not.
        let first = (bounds.first_row.unwrap_or(start.0), bounds.first_column.unwrap_or(start.1));
        let last = (bounds.last_row.unwrap_or(end.0).min(end.0), bounds.last_column.unwrap_or(end.1));
        if first.0 > last.0 || first.1 > last.1 {
            return Ok(None);
        }
        Ok(Some(Table { sheet: sheet.clone(), cells, start: first, end: last }))
    }

    /// How many columns it has.
    pub(crate) fn width(&self) -> usize {
        (self.end.1 - self.start.1 + 1) as usize
    }

    /// How many rows, the header among them.
    pub(crate) fn height(&self) -> usize {
        (self.end.0 - self.start.0 + 1) as usize
    }

    /// The value of a cell, counted from the table's first.
    pub(crate) fn value(&self, row: usize, column: usize) -> &Data {
        let place = (self.start.0 + row as u32, self.start.1 + column as u32);
        self.cells.get_value(place).unwrap_or(&Data::Empty)
    }

    /// The names of the columns, as the providers make them of the first row: what no name may have is replaced, an empty
    /// cell is `F` and the column's number, a name that is there already gets a number.
    pub(crate) fn names(&self, header: bool) -> Vec<String> {
        let mut names: Vec<String> = Vec::with_capacity(self.width());
        for column in 0..self.width() {
            let text = if header { text_of(self.value(0, column)) } else { String::new() };
            let text: String = text.trim().chars().map(allowed).take(MAX_NAME).collect();
            let base = if text.is_empty() { format!("F{}", column + 1) } else { text };
            let taken = |name: &str| names.iter().any(|n| n.eq_ignore_ascii_case(name));
            let name = match taken(&base) {
                false => base,
                true => (1..).map(|n| format!("{base}{n}")).find(|name| !taken(name)).unwrap_or(base),
            };
            names.push(name);
        }
        names
    }
}

/// The longest name of a column.
const MAX_NAME: usize = 64;

/// What stands in a column's name for a character that none may have.
fn allowed(c: char) -> char {
    match c {
        '.' => '#',
        '!' | '`' => '_',
        '[' => '(',
        ']' => ')',
        '\r' | '\n' | '\t' => ' ',
        c => c,
    }
}

/// The sheet and the cells of a formula such as `'My sheet'!$B$3:$D$20`.
fn reference(formula: &str) -> Option<(String, Bounds)> {
    let (sheet, range) = formula.trim_start_matches('=').rsplit_once('!')?;
    let sheet = sheet.trim();
    let sheet = sheet.strip_prefix('\'').and_then(|s| s.strip_suffix('\'')).unwrap_or(sheet).replace("''", "'");
    Some((sheet, bounds(range.trim())?))
}

/// A value as text, as a cell without a format shows it (General). How the providers show numbers and dates in a column
/// of text is unconfirmed.
pub(crate) fn text_of(value: &Data) -> String {
    match value {
        Data::Empty | Data::Error(_) => String::new(),
        Data::String(text) | Data::DateTimeIso(text) | Data::DurationIso(text) => text.clone(),
        Data::Bool(true) => "TRUE".into(),
        Data::Bool(false) => "FALSE".into(),
        Data::Int(number) => number.to_string(),
        Data::Float(number) => general(*number),
        Data::DateTime(at) => match date_of(at) {
            Some(at) if at.time() == chrono::NaiveTime::MIN => at.format("%-m/%-d/%Y").to_string(),
            Some(at) => at.format("%-m/%-d/%Y %-I:%M:%S %p").to_string(),
            None => general(at.as_f64()),
        },
    }
}

/// The date that a cell shows; None for a duration, or a number that is no date.
pub(crate) fn date_of(at: &calamine::ExcelDateTime) -> Option<chrono::NaiveDateTime> {
    if !at.is_datetime() {
        return None;
    }
    let (year, month, day, hour, minute, second, milli) = at.to_ymd_hms_milli();
    chrono::NaiveDate::from_ymd_opt(year.into(), month.into(), day.into())?.and_hms_milli_opt(
        hour.into(),
        minute.into(),
        second.into(),
        milli.into(),
    )
}

/// A number with at most fifteen digits.
fn general(number: f64) -> String {
    if number == 0.0 {
        return "0".into();
    }
    let rounded: f64 = format!("{number:.14e}").parse().unwrap_or(number);
    let size = rounded.abs();
    if (1e-5..1e15).contains(&size) {
        return format!("{rounded}");
    }
    let text = format!("{rounded:E}");
    let Some((digits, exponent)) = text.split_once('E') else { return text };
    let power: i32 = exponent.parse().unwrap_or(0);
    format!("{digits}E{}{:02}", if power < 0 { '-' } else { '+' }, power.abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_tables() {
        let sheet = |name: &str, bounds: [Option<u32>; 4]| {
            let [first_row, first_column, last_row, last_column] = bounds;
            Some(TableName::Sheet(name.into(), Bounds { first_row, first_column, last_row, last_column }))
        };
        let all = [None; 4];
        for (text, expected) in [
            ("Sheet1$", sheet("Sheet1", all)),
            ("'List of cities, villages & town$'", sheet("List of cities, villages & town", all)),
            ("'It''s$'", sheet("It's", all)),
            ("[Sheet1$]", sheet("Sheet1", all)),
            ("`Sheet1$`", sheet("Sheet1", all)),
            ("Sheet1$A1:D20", sheet("Sheet1", [Some(0), Some(0), Some(19), Some(3)])),
            ("'My sheet$'A1:D20", sheet("My sheet", [Some(0), Some(0), Some(19), Some(3)])),
            ("'My sheet'$B2", sheet("My sheet", [Some(1), Some(1), Some(1), Some(1)])),
            ("Sheet1$AA:AB", sheet("Sheet1", [None, Some(26), None, Some(27)])),
            ("Sheet1$5:7", sheet("Sheet1", [Some(4), None, Some(6), None])),
            ("Cost $ total$", sheet("Cost $ total", all)),
            ("Query", Some(TableName::Named("Query".into()))),
            ("", None),
            ("Sheet1$D1:A1", None),
            ("Sheet1$A0", None),
            ("Sheet1$banana", None),
        ] {
            assert_eq!(TableName::parse(text), expected, "{text}");
        }
        let named = reference("'It''s here'!$B$3:$D$20").unwrap();
        assert_eq!(named.0, "It's here");
        assert_eq!((named.1.first_row, named.1.last_column), (Some(2), Some(3)));
        assert_eq!(reference("#REF!"), None);
    }

    #[test]
    fn numbers_without_a_format() {
        for (number, text) in [
            (0.1 + 0.2, "0.3"),
            (12.0, "12"),
            (-1.5, "-1.5"),
            (123456789012345.0, "123456789012345"),
            (1e15, "1E+15"),
            (1.25e-7, "1.25E-07"),
            (0.0, "0"),
        ] {
            assert_eq!(general(number), text);
        }
    }
}
