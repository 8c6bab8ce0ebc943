//! Loading the rows.

use super::fields::RowReader;
use crate::db::{ColumnInfo, Database, DbError, Lease, LoadColumn, LoadOptions, Relation, Rows, TableName};
use arrow::array::{ArrayRef, StringViewBuilder};
use dtsx_engine::control::{Task, TaskCx, TaskOutcome};
use dtsx_engine::diag::{Error, Owner, Result, RowError, codes};
use dtsx_engine::events::Message;
use dtsx_engine::types::convert::{CastOptions, cast_array};
use dtsx_engine::types::{DataType, Value};
use std::fs::File;
use std::sync::Arc;

/// The task, ready to run.
pub(super) struct BulkInsert {
    pub source: String,
    pub destination: String,
    pub table: TableName,
    pub field: String,
    pub row: String,
    pub code_page: u32,
    pub first_row: u64,
    pub last_row: Option<u64>,
    pub batch_size: Option<u64>,
    pub maximum_errors: u64,
    pub options: LoadOptions,
}

/// Rows that are converted and handed to the database at once.
const BLOCK_ROWS: usize = 8192;
/// Bytes of text that such rows have, about.
const BLOCK_BYTES: usize = 8 << 20;

/// The locale of values in files of BULK INSERT: en-US.
const LOCALE: u32 = 1033;

/// Text of any length, as far as casts know it.
const FIELD: DataType = DataType::WStr { len: 4000 };

impl Task for BulkInsert {
    fn execute(&self, cx: &TaskCx) -> Result<TaskOutcome> {
        let source = cx.connections.get(&self.source)?;
        let path = cx.services.paths.resolve(source.connection_string());
        let file = File::open(&path).map_err(|error| {
            let code = codes::DTS_E_BITASKUNMANCONNECTION_CANNOT_OPEN_FILE;
            Error::new(Owner::Environment, code, format!("{} ({}: {error})", code.message(&[]), path.display()))
        })?;
        let destination = cx.connections.get(&self.destination)?;
        let database = Database::of(&destination, &cx.services).map_err(|e| not_acquired(&destination.name, e))?;
        let mut lease = database.lease().map_err(|e| not_acquired(&destination.name, e))?;
        let columns = self.columns(&mut lease)?;
        let own = !lease.in_transaction();
        if own {
            lease.begin().map_err(failed)?;
        }
        let loaded = self.load(cx, file, &path.display().to_string(), &mut lease, &columns, own);
        match loaded {
            Ok(rows) => {
                if own {
                    lease.commit().map_err(failed)?;
                }
                Ok(TaskOutcome { value: Some(Value::I8(rows as i64)), ..TaskOutcome::success() })
            }
            Err(error) => {
                if own && lease.in_transaction() {
                    // What was wrong first is what is told.
                    drop(lease.rollback());
                }
                Err(error)
            }
        }
    }
}

fn not_acquired(name: &str, error: DbError) -> Error {
    if error.kind == crate::db::ErrorKind::Cancelled {
        return Error::cancelled();
    }
    let code = codes::DTS_E_BITASK_CANNOT_ACQUIRE_CONNECTION;
    Error::new(error.owner(), code, format!("{} {error}", code.message(&[&name])))
}

fn failed(error: DbError) -> Error {
    if error.kind == crate::db::ErrorKind::Cancelled {
        return Error::cancelled();
    }
    let code = codes::DTS_E_BITASK_EXECUTION_FAILED;
    Error::new(error.owner(), code, format!("{} {error}", code.message(&[])))
}

/// A column of the table, and whether the file's values for it are kept.
struct Target {
    info: ColumnInfo,
    kept: bool,
}

impl BulkInsert {
    fn columns(&self, lease: &mut Lease) -> Result<Vec<Target>> {
        let described = lease.describe(&Relation::Table(&self.table)).map_err(|error| {
            let code = codes::DTS_E_BITASK_CANNOT_RETRIEVE_COLUMN_INFO;
            Error::new(error.owner(), code, format!("{} {error}", code.message(&[])))
        })?;
        let target = |info: ColumnInfo| Target { kept: !info.generated || self.options.keep_identity, info };
        Ok(described.into_iter().map(target).collect())
    }

    /// Loads the file; how many rows. With `own`, batches are committed.
    fn load(
        &self,
        cx: &TaskCx,
        file: File,
        path: &str,
        lease: &mut Lease,
        columns: &[Target],
        own: bool,
    ) -> Result<u64> {
        let encoding = encoding_of(self.code_page)?;
        let mut reader = RowReader::new(file, encoding, &self.row);
        let mut block = Block::new(columns.len());
        let mut errors = Errors { allowed: self.maximum_errors, path, cx };
        let (mut number, mut loaded, mut since_commit) = (0u64, 0u64, 0u64);
        loop {
            let row = reader.next().map_err(|e| {
                Error::new(
                    Owner::Environment,
                    codes::DTS_E_BITASK_EXECUTION_FAILED,
                    format!("{path}, row {}: {e}", number + 1),
                )
            })?;
            let ended = row.is_none() || self.last_row.is_some_and(|last| number >= last);
            if let Some(row) = row.filter(|_| !ended) {
                number += 1;
                if number >= self.first_row {
                    let fields = row.matches(self.field.as_str()).count() + 1;
                    if fields == columns.len() {
                        block.push(number, row.split(self.field.as_str()));
                    } else {
                        let why = format!("the row has {fields} fields, the table {} columns", columns.len());
                        errors.row(number, None, None, &why)?;
                    }
                }
            }
            let room = self.batch_size.map_or(BLOCK_ROWS, |size| BLOCK_ROWS.min((size - since_commit) as usize));
            if block.numbers.len() >= room || block.bytes >= BLOCK_BYTES || ended && !block.numbers.is_empty() {
                cx.services.cancel.check()?;
                let taken = std::mem::replace(&mut block, Block::new(columns.len()));
                since_commit += taken.numbers.len() as u64;
                loaded += self.write(lease, columns, taken, &mut errors)?;
                if self.batch_size.is_some_and(|size| since_commit >= size) {
                    if own {
                        lease.commit().and_then(|()| lease.begin()).map_err(failed)?;
                    }
                    since_commit = 0;
                }
            }
            if ended {
                return Ok(loaded);
            }
        }
    }

    /// Converts and writes a block; how many rows went in.
    fn write(&self, lease: &mut Lease, columns: &[Target], block: Block, errors: &mut Errors<'_>) -> Result<u64> {
        let Block { numbers, builders, .. } = block;
        let options = CastOptions { lcid: LOCALE, ..CastOptions::data_flow(LOCALE) };
        let mut arrays: Vec<ArrayRef> = Vec::new();
        let mut load = Vec::new();
        let mut bad = std::collections::BTreeSet::new();
        for (target, mut builder) in columns.iter().zip(builders).filter(|(target, _)| target.kept) {
            let text: ArrayRef = Arc::new(builder.finish());
            let data_type = target.info.data_type;
            let (array, faults) = match data_type {
                DataType::NText | DataType::Text { .. } => (text, Vec::new()),
                _ => cast_array(&text, &FIELD, &data_type, &options)?,
            };
            for fault in faults.iter() {
                if bad.insert(fault.row) {
                    let why = format!("the value is no {data_type}, or too long for one");
                    errors.row(numbers[fault.row as usize], Some(&target.info.name), None, &why)?;
                }
            }
            arrays.push(array);
            load.push(LoadColumn { name: target.info.name.clone(), data_type });
        }
        let kept: Vec<u32> = (0..numbers.len() as u32).filter(|row| !bad.contains(row)).collect();
        if kept.len() < numbers.len() {
            let indices = arrow::array::UInt32Array::from(kept.clone());
            let take = |array: &ArrayRef| arrow::compute::take(array.as_ref(), &indices, None);
            arrays = arrays.iter().map(take).collect::<std::result::Result<_, _>>()?;
        }
        let rows = Rows::new(kept.len(), arrays);
        let mut loader = lease.loader(&self.table, &load, &self.options).map_err(failed)?;
        let refused = loader.write(&rows).map_err(failed)?;
        loader.finish().map_err(failed)?;
        for failure in &refused {
            errors.row(numbers[kept[failure.row] as usize], None, None, &failure.error.to_string())?;
        }
        Ok((kept.len() - refused.len()) as u64)
    }
}

fn encoding_of(code_page: u32) -> Result<&'static encoding_rs::Encoding> {
    let named = match code_page {
        65001 => Some(encoding_rs::UTF_8),
        1200 => Some(encoding_rs::UTF_16LE),
        1201 => Some(encoding_rs::UTF_16BE),
        number => encoding_rs::Encoding::for_label(format!("windows-{number}").as_bytes())
            .or_else(|| encoding_rs::Encoding::for_label(format!("cp{number}").as_bytes()))
            .or_else(|| encoding_rs::Encoding::for_label(format!("ibm{number}").as_bytes())),
    };
    named.ok_or_else(|| {
        let message = format!("files of code page {code_page} are not supported by the Bulk Insert Task of this build");
        Error::new(Owner::Unsupported, codes::DTS_E_BITASKUNMANCONNECTION_OEM_CONVERSION_FAILED, message)
    })
}

/// Fields that wait to be converted.
struct Block {
    /// The rows' numbers in the file.
    numbers: Vec<u64>,
    builders: Vec<StringViewBuilder>,
    bytes: usize,
}

impl Block {
    fn new(columns: usize) -> Block {
        Block { numbers: Vec::new(), builders: (0..columns).map(|_| StringViewBuilder::new()).collect(), bytes: 0 }
    }

    fn push<'a>(&mut self, number: u64, fields: impl Iterator<Item = &'a str>) {
        self.numbers.push(number);
        for (builder, field) in self.builders.iter_mut().zip(fields) {
            self.bytes += field.len();
            builder.append_option(Some(field).filter(|f| !f.is_empty()));
        }
    }
}

/// Counts rows that fail, as long as MaximumErrors allows.
struct Errors<'a> {
    allowed: u64,
    path: &'a str,
    cx: &'a TaskCx,
}

impl Errors<'_> {
    fn row(&mut self, number: u64, column: Option<&str>, value: Option<String>, why: &str) -> Result<()> {
        let code = codes::DTS_E_BITASK_ERROR_IN_DB_OPERATION;
        let of = column.map_or(String::new(), |c| format!(", column \"{c}\""));
        let message = format!("{} {}, row {number}{of}: {why}", code.message(&[]), self.path);
        if self.allowed == 0 {
            let row =
                RowError { number: Some(number), column: column.map(str::to_owned), value, ..RowError::default() };
            return Err(Error::new(Owner::Data, code, message).with_row(row));
        }
        self.allowed -= 1;
        self.cx.events.fire(Message::new(codes::DTS_W_GENERICWARNING, "", message));
        Ok(())
    }
}
