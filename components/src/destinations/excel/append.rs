//! Adds rows to a table of a workbook: where they go, and by which of the two formats.

use super::{CellKind, Column, xls, xlsx};
use crate::shared::excel::{Table, TableName};
use arrow::array::RecordBatch;
use dtsx_engine::diag::Result;
use std::path::Path;
use tempfile::NamedTempFile;

/// Why rows cannot be added.
pub(super) enum Problem {
    /// There is no such table.
    NoTable,
    /// There is no such column.
    NoColumn(String),
    /// Anything else.
    Other(String),
    /// Of the rows themselves.
    Rows(dtsx_engine::diag::Error),
}

impl<E: std::fmt::Display> From<E> for Problem {
    fn from(error: E) -> Problem {
        Problem::Other(error.to_string())
    }
}

/// Where the rows go.
pub(super) struct Place {
    pub(super) sheet: String,
    /// By column, its place in the sheet, from 0.
    pub(super) columns: Vec<u32>,
    /// The row after the last one of the table, from 0; None: after the last one of the sheet.
    pub(super) next: Option<u32>,
    /// How many rows the sheet has room for.
    pub(super) room: u64,
}

/// What a named range says that has no room below it.
const NO_ROOM: &str = "Cannot expand named range.";

impl Place {
    /// The row that the first one goes to, from 0, in a sheet whose cells end before the row `end`.
    pub(super) fn first(&self, end: u64) -> Result<u64, Problem> {
        match self.next.map(u64::from) {
            Some(next) if next < end => Err(Problem::Other(NO_ROOM.into())),
            next => Ok(next.unwrap_or(end)),
        }
    }
}

/// Adds rows to the table `name`.
pub(super) fn append(
    path: &Path,
    name: &TableName,
    header: bool,
    columns: &[Column],
    rows: impl Iterator<Item = Result<RecordBatch>>,
) -> Result<(), Problem> {
    let place = place(path, name, header, columns)?;
    if is_xls(path) {
        xls::append(path, &place, name, columns, rows)
    } else {
        xlsx::append(path, &place, name, columns, rows)
    }
}

/// Whether a workbook is one of Excel 97 to 2003.
fn is_xls(path: &Path) -> bool {
    path.extension().is_some_and(|e| e.eq_ignore_ascii_case("xls"))
}

/// The file that a new workbook is written to, beside the old one, whose place it takes when it is whole.
pub(super) fn target(path: &Path) -> std::io::Result<NamedTempFile> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let permissions = std::fs::metadata(path)?.permissions();
    let target = NamedTempFile::new_in(folder)?;
    target.as_file().set_permissions(permissions)?;
    Ok(target)
}

/// A number as a cell holds it: dates are days since 1899-12-30, or since 1904-01-01 in workbooks that count so.
pub(super) fn serial(value: f64, kind: CellKind, from_1904: bool) -> f64 {
    const DAYS: f64 = 1462.0;
    match kind {
        CellKind::Date | CellKind::DateTime if from_1904 => value - DAYS,
        _ => value,
    }
}

/// Finds the table and its columns.
pub(super) fn place(path: &Path, name: &TableName, header: bool, columns: &[Column]) -> Result<Place, Problem> {
    let max = if is_xls(path) { xls::MAX_ROWS } else { xlsx::MAX_ROWS };
    let mut workbook = calamine::open_workbook_auto(path)?;
    let names = calamine::Reader::sheet_names(&workbook);
    let open = Table::open(&mut workbook, name)?;
    let Some(table) = open else {
        // A sheet without cells takes columns by their numbers.
        let TableName::Sheet(sheet, _) = name else { return Err(Problem::NoTable) };
        let found = names.iter().find(|n| n.to_lowercase() == sheet.to_lowercase()).ok_or(Problem::NoTable)?;
        let place = |column: &Column| {
            let number =
                column.name.strip_prefix('F').and_then(|n| n.parse::<u32>().ok()).filter(|n| *n > 0 && !header);
            number.map(|n| n - 1).ok_or_else(|| Problem::NoColumn(column.name.clone()))
        };
        let columns = columns.iter().map(place).collect::<Result<Vec<_>, _>>()?;
        return Ok(Place { sheet: found.clone(), columns, next: None, room: max });
    };
    let known = table.names(header);
    let place = |column: &Column| match known.iter().position(|n| n.eq_ignore_ascii_case(&column.name)) {
        Some(place) => Ok(table.start.1 + place as u32),
        None => Err(Problem::NoColumn(column.name.clone())),
    };
    let columns = columns.iter().map(place).collect::<Result<Vec<_>, _>>()?;
    let whole = matches!(name, TableName::Sheet(_, bounds) if bounds.last_row.is_none());
    let below = table.cells.end().is_some_and(|end| end.0 > table.end.0);
    if !whole && below {
        return Err(Problem::Other(NO_ROOM.into()));
    }
    let used = table.cells.end().map_or(0, |end| u64::from(end.0) + 1);
    let room = max.saturating_sub(used);
    Ok(Place { sheet: table.sheet, columns, next: (!whole).then_some(table.end.0 + 1), room })
}
