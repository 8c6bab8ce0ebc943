//! Reading: blocks of rows in bound columns, or value by value where values may be of any length.
//!
//! Buffers are as large as the columns' declared lengths times as many rows as fit into a block; blocks that were decoded
//! give theirs back, so that reading needs two or three of them, however long the result is.

use super::ffi::{Buffer, Statement};
use super::habits::{Habits, Lengths};
use super::told;
use super::types::{self, Form, Slot};
use super::writer::{Row, Running};
use crate::db::dialect::{Dialect, Family};
use crate::db::error::{DbError, ErrorKind, Outcome};
use crate::db::intake::{Intake, Stored};
use crate::db::rows::{RowBlock, Rows};
use crate::db::session::{ColumnInfo, Cursor, Executed, StatementOptions};
use crate::db::table_name::TableName;
use arrow::array::NullArray;
use dtsx_engine::types::{DataType, scalar};
use odbc_sys::CDataType;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Buffers that wait for their next block.
type Spare = Arc<Mutex<Vec<Vec<Buffer>>>>;

/// Rows of a block that is fetched value by value.
const SINGLE_ROWS: usize = 1024;

pub(super) struct OdbcCursor {
    statement: Statement,
    columns: Vec<ColumnInfo>,
    slots: Arc<Vec<Slot>>,
    /// By column: whether somebody reads it.
    wanted: Arc<Vec<bool>>,
    /// Whether the types of the columns are those that somebody wished for.
    wished: bool,
    rows: usize,
    block_bytes: usize,
    block_rows: usize,
    spare: Spare,
    done: bool,
    /// The statement ended without a result.
    ended: bool,
    /// Rows affected before the first result.
    counted: Option<u64>,
    cancelled: Arc<AtomicBool>,
    running: Running,
}

/// The columns of a result that is prepared or open.
pub(super) fn describe(statement: &mut Statement, habits: Habits) -> Outcome<Vec<ColumnInfo>> {
    Ok(described(statement, habits)?.into_iter().map(|(info, _)| info).collect())
}

/// The defaults of a table's columns, in the database's words. Drivers that do not tell them tell none.
pub(super) fn defaults(
    statement: &mut Statement,
    dialect: &Dialect,
    table: &TableName,
) -> Outcome<Vec<(String, String)>> {
    let schema = table.schema().filter(|s| !s.is_empty());
    let (catalog, schema) = match dialect.family {
        // A database of MySQL is ODBC's catalog.
        Family::MySql => (schema.filter(|s| !s.eq_ignore_ascii_case("dbo")), None),
        _ if dialect.schemas => (None, schema),
        _ => (None, None),
    };
    statement.columns_of(catalog, schema, table.table())?;
    statement.bind_columns(Vec::new(), 1)?;
    let (mut defaults, mut value, mut scratch) = (Vec::new(), Vec::new(), String::new());
    while statement.fetch()? > 0 {
        // TABLE_NAME, COLUMN_NAME, COLUMN_DEF.
        let mut texts = [const { String::new() }; 3];
        for (text, place) in texts.iter_mut().zip([3, 4, 13]) {
            if statement.get_data(place, CDataType::WChar, &mut value)?
                && let Stored::Text(bytes) = stored(CDataType::WChar, &value, &mut scratch)
            {
                *text = String::from_utf8_lossy(bytes).into_owned();
            }
        }
        // The name of the table was a pattern.
        let [name, column, default] = texts;
        let none = matches!(default.trim().to_ascii_uppercase().as_str(), "" | "NULL" | "(NULL)");
        if name.eq_ignore_ascii_case(table.table()) && !none {
            defaults.push((column, default));
        }
    }
    Ok(defaults)
}

fn described(statement: &mut Statement, habits: Habits) -> Outcome<Vec<(ColumnInfo, Slot)>> {
    let width = statement.width()?;
    let column = |at: u16| {
        let described = statement.describe(at)?;
        let slot = types::column(&described, habits);
        let info = ColumnInfo {
            nullable: described.nullable,
            native: described.type_name,
            generated: described.auto,
            ..ColumnInfo::new(described.name, slot.data_type)
        };
        Ok((info, slot))
    };
    (1..=width).map(column).collect()
}

/// The first row of the result at hand, if it has one.
pub(super) fn first_row(statement: &mut Statement, habits: Habits) -> Outcome<Option<Row>> {
    let columns = described(statement, habits)?;
    statement.bind_columns(Vec::new(), 1)?;
    if statement.fetch()? == 0 {
        return Ok(None);
    }
    let (mut row, mut value, mut scratch) = (Row::new(), Vec::new(), String::new());
    for (at, (info, slot)) in columns.iter().enumerate() {
        let mut intake = Intake::new(Some(info.data_type), true, 1)?;
        let kind = single_type(slot.form);
        let there = statement.get_data(at as u16 + 1, kind, &mut value)?;
        intake.push(if there { stored(kind, &value, &mut scratch) } else { Stored::Null })?;
        let (array, _) = intake.finish()?;
        let value = scalar::value_at(array.as_ref(), &info.data_type, 0);
        row.push((value.map_err(|e| DbError::new(ErrorKind::Other, e.message()))?, info.data_type));
    }
    Ok(Some(row))
}

impl OdbcCursor {
    /// The result of a statement that ran; the first that has columns, if it has several.
    pub(super) fn open(
        mut statement: Statement,
        running: Running,
        options: &StatementOptions,
        cancelled: Arc<AtomicBool>,
    ) -> Outcome<OdbcCursor> {
        let (mut ended, mut counted) = (false, None);
        while !ended && statement.width()? == 0 {
            if let Some(rows) = statement.row_count() {
                *counted.get_or_insert(0) += rows;
            }
            ended = !statement.more_results()?;
        }
        let mut cursor = OdbcCursor {
            statement,
            columns: Vec::new(),
            slots: Arc::default(),
            wanted: Arc::default(),
            wished: false,
            rows: 1,
            block_bytes: options.block_bytes,
            block_rows: options.block_rows.max(1),
            spare: Spare::default(),
            done: ended,
            ended,
            counted,
            cancelled,
            running,
        };
        // Of a statement that came to its end without a result, the driver manager lets nobody ask any more.
        if !ended {
            cursor.prepare()?;
        }
        Ok(cursor)
    }

    /// Learns the columns of the result at hand.
    fn prepare(&mut self) -> Outcome<()> {
        let described = described(&mut self.statement, self.running.habits())?;
        let (mut columns, mut slots): (Vec<ColumnInfo>, Vec<Slot>) = described.into_iter().unzip();
        if self.binds_nobody() {
            // As long as they are, whatever was declared, unless somebody wishes for less.
            for (column, slot) in columns.iter_mut().zip(&mut slots).filter(|(_, slot)| slot.long) {
                slot.data_type = if slot.form == Form::Binary { DataType::Image } else { DataType::NText };
                column.data_type = slot.data_type;
            }
        }
        self.wished = false;
        let bytes: usize = slots.iter().map(|s| s.width + size_of::<isize>()).sum();
        self.rows = (self.block_bytes / bytes.max(1)).clamp(1, self.block_rows);
        self.done = columns.is_empty();
        self.wanted = Arc::new(vec![true; columns.len()]);
        self.slots = Arc::new(slots);
        self.columns = columns;
        self.spare = Spare::default();
        Ok(())
    }

    /// Whether what was declared of columns binds nobody.
    fn binds_nobody(&self) -> bool {
        self.running.habits().lengths == Lengths::Nothing
    }

    fn buffers(&self) -> Vec<Buffer> {
        let spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner).pop();
        spare.unwrap_or_else(|| self.slots.iter().map(|s| Buffer::new(s.form.c_type(), s.width, self.rows)).collect())
    }

    fn bulk(&mut self) -> Outcome<Option<Box<dyn RowBlock>>> {
        let buffers = self.buffers();
        self.statement.bind_columns(buffers, self.rows)?;
        let rows = self.statement.fetch()?;
        let buffers = self.statement.unbind();
        if rows == 0 {
            self.done = true;
            return Ok(None);
        }
        // A driver that gives less than was asked for may have more; only nothing is the end.
        let (slots, wanted, spare) = (self.slots.clone(), self.wanted.clone(), self.spare.clone());
        Ok(Some(Box::new(Block { rows, buffers, slots, wanted, spare })))
    }

    /// Row by row and value by value, as every driver can.
    fn single(&mut self) -> Outcome<Option<Box<dyn RowBlock>>> {
        let mut intakes = Vec::with_capacity(self.slots.len());
        for (column, wanted) in self.columns.iter().zip(self.wanted.iter()) {
            intakes.push(Intake::new(wanted.then_some(column.data_type), !self.wished, 64)?);
        }
        self.statement.bind_columns(Vec::new(), 1)?;
        let (mut len, mut bytes, mut value, mut scratch) = (0, 0, Vec::new(), String::new());
        while len < self.block_rows.min(SINGLE_ROWS) && bytes < self.block_bytes {
            if self.statement.fetch()? == 0 {
                self.done = true;
                break;
            }
            for (at, intake) in intakes.iter_mut().enumerate() {
                let kind = single_type(self.slots[at].form);
                if !self.wanted[at] {
                    intake.push(Stored::Null)?;
                    continue;
                }
                let there = self.statement.get_data(at as u16 + 1, kind, &mut value)?;
                bytes += value.len();
                intake.push(if there { stored(kind, &value, &mut scratch) } else { Stored::Null })?;
            }
            len += 1;
        }
        if len == 0 {
            return Ok(None);
        }
        let mut rows = Rows { len, ..Rows::default() };
        for intake in intakes {
            let (array, faults) = intake.finish()?;
            rows.columns.push(array);
            rows.faults.push(faults);
        }
        Ok(Some(Box::new(rows)))
    }
}

/// The C type in which a value is asked for on its own: one of those that an intake knows.
fn single_type(form: Form) -> CDataType {
    match form {
        Form::Bit | Form::I1 | Form::U1 | Form::I2 | Form::U2 | Form::I4 | Form::U4 | Form::I8 => CDataType::SBigInt,
        Form::F4 | Form::F8 => CDataType::Double,
        Form::Binary => CDataType::Binary,
        Form::Utf8 => CDataType::Char,
        _ => CDataType::WChar,
    }
}

fn stored<'a>(kind: CDataType, value: &'a [u8], scratch: &'a mut String) -> Stored<'a> {
    match kind {
        CDataType::SBigInt => Stored::Int(value.try_into().map(i64::from_ne_bytes).unwrap_or_default()),
        CDataType::Double => Stored::Real(value.try_into().map(f64::from_ne_bytes).unwrap_or_default()),
        CDataType::Binary => Stored::Blob(value),
        CDataType::Char => Stored::Text(value),
        _ => {
            let units = value.chunks_exact(2).map(|pair| u16::from_ne_bytes([pair[0], pair[1]]));
            scratch.clear();
            scratch.extend(char::decode_utf16(units).map(|c| c.unwrap_or('\u{fffd}')));
            Stored::Text(scratch.as_bytes())
        }
    }
}

impl Cursor for OdbcCursor {
    fn columns(&self) -> &[ColumnInfo] {
        &self.columns
    }

    fn wish(&mut self, types: &[Option<DataType>]) -> Outcome<()> {
        self.wanted = Arc::new(types.iter().map(Option::is_some).collect());
        if self.binds_nobody() && self.slots.iter().any(|slot| slot.long) {
            // Values come one by one, and are made what is wished for; those that cannot be are faults.
            for (column, wished) in self.columns.iter_mut().zip(types) {
                column.data_type = wished.unwrap_or(column.data_type);
            }
            self.wished = true;
        }
        Ok(())
    }

    fn next_block(&mut self) -> Outcome<Option<Box<dyn RowBlock>>> {
        if self.cancelled.load(Ordering::Relaxed) {
            return Err(DbError::new(ErrorKind::Cancelled, "interrupted"));
        }
        if self.done {
            return Ok(None);
        }
        let long = self.slots.iter().any(|s| s.long);
        let block = if long { self.single() } else { self.bulk() };
        told(&self.cancelled, block)
    }

    fn next_result(&mut self) -> Outcome<bool> {
        if self.ended {
            return Ok(false);
        }
        let mut more = self.statement.more_results();
        // Counts of rows stand between results.
        while matches!(more, Ok(true)) && self.statement.width()? == 0 {
            more = self.statement.more_results();
        }
        if !told(&self.cancelled, more)? {
            return Ok(false);
        }
        self.prepare()?;
        Ok(true)
    }

    fn finish(mut self: Box<Self>) -> Outcome<Executed> {
        // Output parameters come after the last result.
        let mut last = None;
        while !self.ended && self.statement.more_results()? {
            let width = self.statement.width()?;
            self.running.note(&mut self.statement, width, &mut last)?;
        }
        let outputs = self.running.outputs(&self.statement, last)?;
        Ok(Executed { rows: self.statement.row_count().or(self.counted), outputs })
    }
}

/// Rows in the buffers that the driver wrote.
struct Block {
    rows: usize,
    buffers: Vec<Buffer>,
    slots: Arc<Vec<Slot>>,
    wanted: Arc<Vec<bool>>,
    spare: Spare,
}

impl RowBlock for Block {
    fn rows(&self) -> usize {
        self.rows
    }

    fn decode(self: Box<Self>) -> Outcome<Rows> {
        let mut columns = Vec::with_capacity(self.slots.len());
        for ((slot, buffer), wanted) in self.slots.iter().zip(&self.buffers).zip(self.wanted.iter()) {
            columns.push(match wanted {
                true => types::decode(slot, buffer, self.rows)?,
                false => Arc::new(NullArray::new(self.rows)),
            });
            cut(slot, buffer, self.rows)?;
        }
        Ok(Rows::new(self.rows, columns))
    }
}

/// A value that is longer than the driver said the column could hold.
fn cut(slot: &Slot, buffer: &Buffer, rows: usize) -> Outcome<()> {
    let room = match slot.form {
        Form::Text => buffer.width - 2,
        Form::Utf8 | Form::Ascii => buffer.width - 1,
        Form::Binary => buffer.width,
        _ => return Ok(()),
    };
    match buffer.indicators[..rows].iter().find(|i| **i == odbc_sys::NO_TOTAL || **i > room as isize) {
        Some(_) => {
            let message = format!("a value is longer than the driver told of its column ({})", slot.data_type);
            Err(DbError::new(ErrorKind::Value, message))
        }
        None => Ok(()),
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        let buffers = std::mem::take(&mut self.buffers);
        self.spare.lock().unwrap_or_else(PoisonError::into_inner).push(buffers);
    }
}
