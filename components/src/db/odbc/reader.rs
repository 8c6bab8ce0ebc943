//! Reading: blocks of rows in bound columns, or value by value where values may be of any length.
//!
//! Buffers are as large as the columns' declared lengths times as many rows as fit into a block; blocks that were decoded
//! give theirs back, so that reading needs two or three of them, however long the result is.

use super::ffi::{Buffer, Statement};
use super::habits::Habits;
use super::told;
use super::types::{self, Form, Slot};
use crate::db::error::{DbError, ErrorKind, Outcome};
use crate::db::intake::{Intake, Stored};
use crate::db::rows::{RowBlock, Rows};
use crate::db::session::{ColumnInfo, Cursor, Executed, Param, StatementOptions};
use arrow::array::NullArray;
use dtsx_engine::types::DataType;
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
    rows: usize,
    block_bytes: usize,
    block_rows: usize,
    spare: Spare,
    done: bool,
    cancelled: Arc<AtomicBool>,
    habits: Habits,
    params: Vec<Param>,
}

/// The columns of a result that is prepared or open.
pub(super) fn describe(statement: &mut Statement) -> Outcome<Vec<ColumnInfo>> {
    Ok(described(statement)?.into_iter().map(|(info, _)| info).collect())
}

fn described(statement: &mut Statement) -> Outcome<Vec<(ColumnInfo, Slot)>> {
    let width = statement.width()?;
    let column = |at: u16| {
        let described = statement.describe(at)?;
        let slot = types::column(&described);
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

impl OdbcCursor {
    /// The result of a statement that ran; the first that has columns, if it has several.
    pub(super) fn open(
        mut statement: Statement,
        params: &[Param],
        options: &StatementOptions,
        habits: Habits,
        cancelled: Arc<AtomicBool>,
    ) -> Outcome<OdbcCursor> {
        while statement.width()? == 0 {
            if !statement.more_results()? {
                break;
            }
        }
        let mut cursor = OdbcCursor {
            statement,
            columns: Vec::new(),
            slots: Arc::default(),
            wanted: Arc::default(),
            rows: 1,
            block_bytes: options.block_bytes,
            block_rows: options.block_rows.max(1),
            spare: Spare::default(),
            done: false,
            cancelled,
            habits,
            params: params.to_vec(),
        };
        cursor.prepare()?;
        Ok(cursor)
    }

    /// Learns the columns of the result at hand.
    fn prepare(&mut self) -> Outcome<()> {
        let (columns, slots): (Vec<ColumnInfo>, Vec<Slot>) = described(&mut self.statement)?.into_iter().unzip();
        let bytes: usize = slots.iter().map(|s| s.width + size_of::<isize>()).sum();
        self.rows = (self.block_bytes / bytes.max(1)).clamp(1, self.block_rows);
        self.done = columns.is_empty();
        self.wanted = Arc::new(vec![true; columns.len()]);
        self.slots = Arc::new(slots);
        self.columns = columns;
        self.spare = Spare::default();
        Ok(())
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
        for (slot, wanted) in self.slots.iter().zip(self.wanted.iter()) {
            intakes.push(Intake::new(wanted.then_some(slot.data_type), true, 64)?);
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
        _ => CDataType::WChar,
    }
}

fn stored<'a>(kind: CDataType, value: &'a [u8], scratch: &'a mut String) -> Stored<'a> {
    match kind {
        CDataType::SBigInt => Stored::Int(value.try_into().map(i64::from_ne_bytes).unwrap_or_default()),
        CDataType::Double => Stored::Real(value.try_into().map(f64::from_ne_bytes).unwrap_or_default()),
        CDataType::Binary => Stored::Blob(value),
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
        while self.statement.more_results()? {}
        let outputs = super::writer::outputs(&self.statement, &self.params, self.habits.text)?;
        Ok(Executed { rows: self.statement.row_count(), outputs })
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
