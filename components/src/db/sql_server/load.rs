//! Loads by bulk copy: `INSERT BULK`, and the rows behind it in one stream.
//!
//! A piece of rows is written out as it goes over the wire, and sent as one statement, which undoes itself where it fails.
//! Then its halves are sent, down to single rows, so that each row is there once or told with the server's number and words.
//! A value that its column cannot hold never comes so far: its row goes in by an INSERT, and the server says what it
//! thinks of it. So do the rows of tables that take no bulk copy (of another server, with columns of sql_variant), and
//! those of tables with triggers where each row is to have a statement of its own.
//!
//! ROWS_PER_BATCH and ORDER are hints to the server's optimizer, which the protocol's crate has no words for.

use super::forms::Form;
use super::rows::{self, Batch};
use super::{Interrupter, SqlServerSession, failure, fatal, interrupted, seconds};
use crate::db::cells::{Cell, Cells};
use crate::db::error::{DbError, ErrorKind, Outcome};
use crate::db::rows::Rows;
use crate::db::session::{
    ColumnInfo, LoadColumn, LoadOptions, Loader, Relation, RowFailure, Session, StatementOptions,
};
use crate::db::table_name::TableName;
use arrow::array::{ArrayRef, UInt32Array};
use async_trait::async_trait;
use dtsx_engine::types::DataType;
use mssql_tds::connection::bulk_copy::{BulkCopy, BulkLoadRow, ColumnMapping};
use mssql_tds::core::TdsResult;
use mssql_tds::datatypes::bulk_copy_metadata::BulkCopyColumnMetadata;
use mssql_tds::error::Error;
use mssql_tds::message::bulk_load::StreamingBulkLoadWriter;
use std::sync::Arc;
use std::time::Duration;

/// Bytes of a statement's rows, about.
const MOST_BYTES: usize = 8 << 20;
/// Rows of one INSERT at most: the server takes no more.
const MOST_INSERTED: usize = 1000;
/// Bytes that are sent before somebody looks whether the load was cancelled.
const STEP: usize = 256 * 1024;
/// How often somebody looks meanwhile, and how long a server has to answer to it.
const GLANCE: Duration = Duration::from_millis(100);
const PATIENCE: Duration = Duration::from_secs(1);
/// What begins a row.
const ROW: u8 = 0xD1;
/// Parts of a name that bulk copy takes; one with a server in front has more.
const MOST_PARTS: usize = 3;
/// What the server says where a table or a login takes no bulk copy at all.
const NO_BULK: [i32; 4] = [4801, 4808, 4816, 4834];

/// What the server said of a table.
pub(super) struct Known {
    table: String,
    columns: Arc<[BulkCopyColumnMetadata]>,
    /// Whether it has triggers.
    fires: Option<bool>,
}

/// How the rows of a table are written.
enum Manner {
    /// By bulk copy.
    Bulk(Bulk),
    Insert,
}

/// Where the columns of a load are in the table, in the order of the table.
struct Bulk {
    columns: Vec<Sent>,
}

struct Sent {
    /// The place among the columns of the load.
    place: usize,
    /// The place among the columns of the table that can be written.
    ordinal: usize,
    name: String,
    form: Form,
}

/// Rows as they go over the wire.
struct Piece {
    bytes: Vec<u8>,
    /// By row: where it ends, and its place in the rows that were given.
    rows: Vec<(usize, usize)>,
}

/// Some of them, on their way.
struct Stream<'p> {
    bytes: &'p [u8],
    columns: usize,
    cancelled: &'p (dyn Fn() -> bool + Sync),
}

#[async_trait]
impl BulkLoadRow for Stream<'_> {
    /// What begins the first row is there already.
    async fn write_to_packet(
        &self,
        writer: &mut StreamingBulkLoadWriter<'_>,
        column_index: &mut usize,
    ) -> TdsResult<()> {
        for step in self.bytes.get(1..).unwrap_or(&[]).chunks(STEP) {
            if (self.cancelled)() {
                return Err(Error::OperationCancelledError("the load was cancelled".to_owned()));
            }
            writer.write_raw_bytes(step).await?;
        }
        *column_index = self.columns;
        Ok(())
    }
}

/// Waits for what the server does not end when it is cancelled, but not for long then.
async fn unless_cancelled<T>(
    interrupter: &Interrupter,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let mut work = std::pin::pin!(work);
    let mut patience = PATIENCE;
    while patience > Duration::ZERO {
        match tokio::time::timeout(GLANCE, work.as_mut()).await {
            Ok(done) => return done,
            Err(_) if interrupter.is_cancelled() => patience = patience.saturating_sub(GLANCE),
            Err(_) => {}
        }
    }
    Err(Error::OperationCancelledError("the load was cancelled".to_owned()))
}

struct SqlServerLoader<'s> {
    session: &'s mut SqlServerSession,
    table: TableName,
    columns: Vec<LoadColumn>,
    types: Vec<DataType>,
    options: LoadOptions,
    manner: Manner,
}

/// Begins to load a table.
pub(super) fn loader<'s>(
    session: &'s mut SqlServerSession,
    table: &TableName,
    columns: &[LoadColumn],
    options: &LoadOptions,
) -> Outcome<Box<dyn Loader + 's>> {
    let manner = Manner::of(session, table, columns, options).map_err(|e| session.told(e))?;
    Ok(Box::new(SqlServerLoader {
        session,
        table: table.clone(),
        columns: columns.to_vec(),
        types: columns.iter().map(|c| c.data_type).collect(),
        options: options.clone(),
        manner,
    }))
}

impl Manner {
    fn of(
        session: &mut SqlServerSession,
        table: &TableName,
        columns: &[LoadColumn],
        options: &LoadOptions,
    ) -> Outcome<Manner> {
        if table.parts.len() > MOST_PARTS || columns.is_empty() {
            return Ok(Manner::Insert);
        }
        let there = session.bulk_columns(table, options)?;
        // A trigger sees the rows of a statement, and some are written for one. What others answer on their own, the
        // protocol's crate does not expect behind a bulk copy.
        if (options.row_by_row || options.fire_triggers) && session.fires(table)? {
            return Ok(Manner::Insert);
        }
        let mut sent = Vec::new();
        for (place, column) in columns.iter().enumerate() {
            let named = |exactly: bool| {
                there.iter().position(|c| match exactly {
                    true => c.column_name == column.name,
                    false => c.column_name.eq_ignore_ascii_case(&column.name),
                })
            };
            let Some(ordinal) = named(true).or_else(|| named(false)) else { return Ok(Manner::Insert) };
            let Some(form) = Form::of(&there[ordinal], &column.data_type) else { return Ok(Manner::Insert) };
            sent.push(Sent { place, ordinal, name: there[ordinal].column_name.clone(), form });
        }
        // Bulk copy has the columns in the order of the table.
        sent.sort_by_key(|s| s.ordinal);
        Ok(Manner::Bulk(Bulk { columns: sent }))
    }
}

impl SqlServerSession {
    /// The columns of a table as bulk copy knows them.
    fn bulk_columns(&mut self, table: &TableName, options: &LoadOptions) -> Outcome<Arc<[BulkCopyColumnMetadata]>> {
        let spelled = self.dialect.table(table);
        if let Some(known) = self.bulk.as_ref().filter(|known| known.table == spelled) {
            return Ok(known.columns.clone());
        }
        let (name, timeout) = (spelled.clone(), limit(options));
        let found = self.link.wait(|client| async move {
            BulkCopy::new(client, name).timeout(timeout).retrieve_destination_metadata().await
        });
        let columns: Arc<[BulkCopyColumnMetadata]> = match found {
            Ok(columns) => columns.into(),
            Err(error) => {
                // What was asked may have ended before the describing did.
                self.with_rows()?;
                return Err(failure(error));
            }
        };
        self.bulk = Some(Known { table: spelled, columns: columns.clone(), fires: None });
        Ok(columns)
    }

    /// Whether the table that was asked for last has triggers.
    fn fires(&mut self, table: &TableName) -> Outcome<bool> {
        if let Some(fires) = self.bulk.as_ref().and_then(|known| known.fires) {
            return Ok(fires);
        }
        let fires = self.has_triggers(table)?;
        if let Some(known) = &mut self.bulk {
            known.fires = Some(fires);
        }
        Ok(fires)
    }
}

/// How long a statement may take, as bulk copy is told: 0 is as long as it needs.
fn limit(options: &LoadOptions) -> Duration {
    options.timeout.map_or(Duration::ZERO, |t| Duration::from_secs(seconds(t).into()))
}

impl Bulk {
    /// Rows from the first of them on, as far as they go together, and behind which row that ends. Those that have a
    /// value without a form are told, too.
    fn piece(&self, cells: &[Cells<'_>], (from, to): (usize, usize), unfit: &mut Vec<usize>) -> (Piece, usize) {
        let mut piece = Piece { bytes: Vec::new(), rows: Vec::with_capacity(to - from) };
        for row in from..to {
            let begin = piece.bytes.len();
            if begin >= MOST_BYTES {
                return (piece, row);
            }
            piece.bytes.push(ROW);
            let written =
                self.columns.iter().try_for_each(|c| c.form.write(&cells.get(c.place)?.get(row), &mut piece.bytes));
            match written {
                Some(()) => piece.rows.push((piece.bytes.len(), row)),
                None => {
                    piece.bytes.truncate(begin);
                    unfit.push(row);
                }
            }
        }
        (piece, to)
    }
}

impl SqlServerLoader<'_> {
    /// Sends some rows of a piece: all of them, or none and what the server says.
    fn send(&mut self, bulk: &Bulk, piece: &Piece, (from, to): (usize, usize)) -> Outcome<Result<(), DbError>> {
        let begin = from.checked_sub(1).map_or(0, |before| piece.rows[before].0);
        let interrupter = self.session.interrupter.clone();
        let cancelled = || interrupter.is_cancelled();
        let stream = Stream {
            bytes: &piece.bytes[begin..piece.rows[to - 1].0],
            columns: bulk.columns.len(),
            cancelled: &cancelled,
        };
        let inside = self.session.in_transaction();
        let (table, options) = (self.session.dialect.table(&self.table), &self.options);
        let timeout = limit(options);
        let looking = &interrupter;
        let done = self.session.link.wait(|client| async move {
            let mut copy = BulkCopy::new(&mut *client, table)
                // Of an identity column that is not kept, no values are given.
                .keep_identity(true)
                .keep_nulls(options.keep_nulls)
                .check_constraints(options.check_constraints)
                .fire_triggers(options.fire_triggers)
                .table_lock(options.table_lock)
                .timeout(timeout);
            for (at, column) in bulk.columns.iter().enumerate() {
                copy = copy.add_column_mapping(ColumnMapping::by_ordinal(at, &column.name));
            }
            let copied = unless_cancelled(looking, copy.write_to_server_zerocopy(std::iter::once(stream))).await;
            drop(copy);
            if let Err(Error::OperationCancelledError(_)) = &copied {
                // Nobody knows how far it came; the server undoes it when the connection ends.
                client.mark_connection_dead();
            }
            copied
        });
        let Err(error) = done else { return Ok(Ok(())) };
        let error = failure(error);
        if fatal(&error) {
            return Err(error);
        }
        // What was written before is gone with it.
        if inside && !self.session.in_transaction() {
            return Err(
                DbError::new(ErrorKind::Undone, "the server ended the transaction").of_transaction(Some(&error))
            );
        }
        Ok(Err(error))
    }

    /// Sends a piece; in parts, where it cannot go as a whole. False: the table takes no bulk copy.
    fn copy(&mut self, bulk: &Bulk, piece: &Piece, failures: &mut Vec<RowFailure>) -> Outcome<bool> {
        let mut waiting = vec![(0, piece.rows.len())];
        while let Some((from, to)) = waiting.pop() {
            if from == to {
                continue;
            }
            match self.send(bulk, piece, (from, to))? {
                Ok(()) => {}
                Err(error) if NO_BULK.contains(&error.native) && to - from == piece.rows.len() => return Ok(false),
                Err(error) if to - from == 1 => failures.push(RowFailure { row: piece.rows[from].1, error }),
                Err(_) => {
                    let middle = from + (to - from) / 2;
                    waiting.extend([(middle, to), (from, middle)]);
                }
            }
        }
        Ok(true)
    }

    fn bulk(&mut self, bulk: &Bulk, rows: &Rows) -> Outcome<Option<Vec<RowFailure>>> {
        let types = self.types.clone();
        let cells = rows.columns.iter().zip(&types).map(|(c, t)| Cells::of(c, t)).collect::<Outcome<Vec<_>>>()?;
        let (mut failures, mut unfit, mut from) = (Vec::new(), Vec::new(), 0);
        while from < rows.len {
            let (piece, end) = bulk.piece(&cells, (from, rows.len), &mut unfit);
            if !self.copy(bulk, &piece, &mut failures)? {
                // It says so of the first row or of none.
                return if from == 0 { Ok(None) } else { Err(self.no_more()) };
            }
            from = end;
        }
        failures.extend(self.insert(rows, &cells, &unfit)?);
        Ok(Some(failures))
    }

    fn no_more(&self) -> DbError {
        let message = format!("the table {} takes no bulk copy any more", self.session.dialect.table(&self.table));
        DbError::new(ErrorKind::Other, message)
    }

    /// Writes rows by INSERTs. Rows whose NULLs stand for defaults go without those columns.
    fn insert(&mut self, rows: &Rows, cells: &[Cells<'_>], which: &[usize]) -> Outcome<Vec<RowFailure>> {
        if which.is_empty() {
            return Ok(Vec::new());
        }
        let known = match self.options.keep_nulls {
            true => Vec::new(),
            false => self.session.describe(&Relation::Table(&self.table))?,
        };
        let gives_way = |info: &ColumnInfo, name: &str| info.name.eq_ignore_ascii_case(name) && info.default.is_some();
        let defaults: Vec<bool> =
            self.columns.iter().map(|c| known.iter().any(|info| gives_way(info, &c.name))).collect();
        let mut groups: Vec<(Vec<bool>, Vec<u32>)> = Vec::new();
        for row in which {
            let left: Vec<bool> = defaults.iter().zip(cells).map(|(d, c)| *d && c.get(*row) == Cell::Null).collect();
            match groups.iter_mut().find(|(known, _)| *known == left) {
                Some((_, rows)) => rows.push(*row as u32),
                None => groups.push((left, vec![*row as u32])),
            }
        }
        self.identity(true)?;
        let mut failures = Vec::new();
        let mut written = Ok(());
        for (left, group) in groups {
            written = self.group(rows, &left, &group).map(|found| failures.extend(found));
            if written.is_err() {
                break;
            }
        }
        // One table at a time may be given such values; after a connection that broke, nothing matters any more.
        let ended = self.identity(false);
        written.and(ended).map(|()| failures)
    }

    fn group(&mut self, rows: &Rows, left_out: &[bool], group: &[u32]) -> Outcome<Vec<RowFailure>> {
        let taken: Vec<usize> = (0..self.columns.len()).filter(|at| !left_out[*at]).collect();
        let dialect = self.session.dialect;
        let table = dialect.table(&self.table);
        let hinted = format!("{table}{}", dialect.load_hint(self.options.table_lock));
        let names = || taken.iter().map(|at| self.columns[*at].name.as_str());
        let insert = |rows: usize| match taken.is_empty() {
            true => format!("INSERT INTO {hinted} DEFAULT VALUES"),
            false => dialect.insert(&self.table, names(), rows).replacen(&table, &hinted, 1),
        };
        let most = if taken.is_empty() || self.options.row_by_row {
            1
        } else {
            (dialect.max_parameters / taken.len()).clamp(1, MOST_INSERTED)
        };
        let indices = UInt32Array::from(group.to_vec());
        let of = |at: &usize| arrow::compute::take(&rows.columns[*at], &indices, None);
        let arrays = taken.iter().map(of).collect::<Result<Vec<ArrayRef>, _>>();
        let given = Rows::new(group.len(), arrays.map_err(|e| DbError::new(ErrorKind::Other, e.to_string()))?);
        let types: Vec<DataType> = taken.iter().map(|at| self.types[*at]).collect();
        let options = StatementOptions { timeout: self.options.timeout, ..StatementOptions::default() };
        let one = insert(1);
        let batch = Batch::of(&one, &given, &types, &options)?.storing();
        let (mut failures, mut from) = (Vec::new(), 0);
        while from < given.len {
            let to = (from + most).min(given.len);
            let together = match to - from {
                1 => None,
                rows => Some(rows::together(self.session, &batch, &insert(rows), (from, to))),
            };
            match together {
                Some(Ok(())) => {}
                Some(Err(error)) if fatal(&error) => return Err(error),
                // One by one, to find out which.
                _ => (from..to).try_for_each(|row| rows::single(self.session, &batch, row, false, &mut failures))?,
            }
            from = to;
        }
        Ok(failures.into_iter().map(|f| RowFailure { row: group[f.row] as usize, ..f }).collect())
    }

    /// Says whether values of identity columns are given from now on.
    fn identity(&mut self, on: bool) -> Outcome<()> {
        match self.session.dialect.identity_insert(&self.table, on).filter(|_| self.options.keep_identity) {
            Some(sql) => self.session.execute(&sql, &[], &StatementOptions::default()).map(drop),
            None => Ok(()),
        }
    }

    fn load(&mut self, rows: &Rows) -> Outcome<Vec<RowFailure>> {
        let manner = std::mem::replace(&mut self.manner, Manner::Insert);
        if let Manner::Bulk(bulk) = &manner
            && let Some(mut failures) = self.bulk(bulk, rows)?
        {
            self.manner = manner;
            failures.sort_by_key(|f| f.row);
            return Ok(failures);
        }
        let types = self.types.clone();
        let cells = rows.columns.iter().zip(&types).map(|(c, t)| Cells::of(c, t)).collect::<Outcome<Vec<_>>>()?;
        let mut failures = self.insert(rows, &cells, &(0..rows.len).collect::<Vec<_>>())?;
        failures.sort_by_key(|f| f.row);
        Ok(failures)
    }
}

impl Loader for SqlServerLoader<'_> {
    fn write(&mut self, rows: &Rows) -> Outcome<Vec<RowFailure>> {
        if self.session.interrupter.is_cancelled() {
            return Err(interrupted());
        }
        self.load(rows).map_err(|e| self.session.told(e))
    }

    fn finish(self: Box<Self>) -> Outcome<()> {
        Ok(())
    }
}
