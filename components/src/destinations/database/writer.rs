//! The thread half: writes the rows in order, finds those that the database refuses, commits.

use super::words::Words;
use super::{Commits, Plan};
use crate::db::{
    ColumnInfo, DbError, Durable, ErrorKind, Family, LoadColumn, LoadOptions, Outcome, Pen, Relation, RowFailure, Rows,
    Session, TableName,
};
use crate::shared::ashore::{Outbox, Work};
use crate::shared::castable;
use crate::shared::outgoing::Block;
use arrow::array::{Array, ArrayRef, UInt32Array};
use dtsx_engine::batch::Batch;
use dtsx_engine::diag::{Code, Error, Owner, Result, Severity, codes};
use dtsx_engine::events::Message;
use dtsx_engine::flow::faults::Reject;
use dtsx_engine::flow::{Disposition, LineageId, OpenCx, Ports};
use dtsx_engine::types::DataType;
use dtsx_engine::types::convert::{CastOptions, cast_array};
use std::sync::Arc;

/// Rows that leave through the error output.
pub(super) struct Rejected {
    pub(super) batch: Batch,
    pub(super) rejects: Vec<Reject>,
    /// Rows of the batch that leave by no output: ignored, or redirected and taken by nobody.
    pub(super) left_out: u64,
}

/// The savepoint that a piece of rows is written within.
const SAVEPOINT: &str = "dtsx_rows";

pub(super) struct Writer {
    plan: Arc<Plan>,
    cx: OpenCx,
    pen: Pen,
    target: Target,
    /// Rows that were offered since the last commit.
    since: usize,
    /// Rows that are written, and not committed yet.
    pending: u64,
    /// Rows that are there for good.
    committed: u64,
    /// Rows that the database refused, by ErrorCode: how many, and what it said of the first one.
    refused: Vec<(Code, u64, String)>,
}

/// How rows get into the table.
pub(super) struct Target {
    pub(super) columns: Vec<LoadColumn>,
    /// Their places among the columns of a block.
    pub(super) places: Vec<usize>,
    /// What the table says of them.
    pub(super) there: Vec<There>,
    pub(super) options: LoadOptions,
    /// Columns (of `columns`) that get their default where the value is NULL, if the loader cannot see to that.
    pub(super) defaults: Vec<usize>,
    /// Whether the database takes the others when it refuses a row.
    pub(super) isolates: bool,
    /// Whether the first row that fails ends it all.
    pub(super) first_only: bool,
    /// Whether what was written before that row stays.
    pub(super) keeps: bool,
    /// How a piece of rows is undone.
    pub(super) undo: Undo,
}

/// How a piece of rows is undone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Undo {
    /// It is written within a savepoint.
    Savepoint,
    /// Where savepoints do not last, and each piece has a transaction of its own: with that.
    Transaction,
    /// Not at all: rows are written one by one.
    Never,
}

/// A column of the table.
#[derive(Clone, Copy, Debug)]
pub(super) struct There {
    pub(super) data_type: DataType,
    /// A NULL that is given is refused.
    pub(super) needs_value: bool,
}

impl Writer {
    pub(super) fn open(plan: Arc<Plan>, cx: &OpenCx) -> Result<Writer> {
        let Some(database) = &plan.database else {
            return Err(Error::internal("a destination that was not bound to a server is run"));
        };
        let not_acquired = |e| crate::connections::database::not_acquired(database.name(), &e);
        let mut pen = Pen::new(database, cx).map_err(not_acquired)?;
        let target = {
            let mut session = pen.session().map_err(not_acquired)?;
            let known = session.describe(&Relation::Table(&plan.table)).map_err(|e| plan.words.failure(&plan, e))?;
            Target::of(&plan, &mut *session, &known, database.is_shared())?
        };
        Ok(Writer { plan, cx: cx.clone(), pen, target, since: 0, pending: 0, committed: 0, refused: Vec::new() })
    }

    /// A failure that ends everything, and what it left behind.
    fn broken(&self, error: DbError) -> Error {
        if error.kind == ErrorKind::Cancelled {
            return Error::cancelled();
        }
        let told = self.plan.words.failure(&self.plan, error);
        let text = format!(
            "{} {} row(s) were committed before that; {} row(s) that were written after them were not.",
            told.message(),
            self.committed,
            self.pending
        );
        Error::new(told.owner(), told.code(), text)
    }

    /// Writes some rows of a block; tells those that were refused, by their places among the block's rows.
    fn write(&mut self, rows: &Rows, from: usize, count: usize) -> Result<Vec<RowFailure>> {
        let mut failures = Vec::new();
        let written = match self.pen.write() {
            Ok(mut session) => self.target.isolate(&self.plan.table, &mut *session, rows, from, count, &mut failures),
            Err(error) => Err(error),
        };
        written.map_err(|e| self.broken(e))?;
        Ok(failures)
    }

    fn commit(&mut self, last: bool) -> Result<()> {
        let durable = self.pen.commit(last).map_err(|e| self.broken(e))?;
        self.since = 0;
        if durable == Durable::Yes {
            self.committed += std::mem::take(&mut self.pending);
        }
        Ok(())
    }

    /// What ErrorCode and ErrorColumn hold for a row that the database refused, and the column's place among the plan's.
    fn blame(&self, rows: &Rows, failure: &RowFailure) -> (Code, LineageId, Option<usize>) {
        let plan = &*self.plan;
        let place = self.target.blame(rows, failure).filter(|_| plan.words.blames_columns());
        let lineage = place.map_or(plan.out.site.lineage, |place| plan.out.columns[place].site.lineage);
        (plan.words.row(&failure.error, place.is_some()), lineage, place)
    }

    /// A row that the database refused leaves, or is left out: what the database said of it is told at the end.
    fn note(&mut self, code: Code, failure: &RowFailure) {
        match self.refused.iter_mut().find(|(known, ..)| *known == code) {
            Some((_, count, _)) => *count += 1,
            None => self.refused.push((code, 1, failure.error.to_string())),
        }
    }

    /// Tells of the rows that the database refused: an error output has their codes, and nobody has the database's words.
    fn tell_refused(&mut self) {
        for (code, count, first) in std::mem::take(&mut self.refused) {
            let text =
                format!("The database refused {count} row(s) ({}); it said of the first one: {first}", code.name());
            let sub_component = self.plan.out.name.clone();
            self.cx.events.fire(Message { severity: Severity::Information, code, sub_component, text });
        }
    }

    /// A row that the database refused fails the component.
    fn failed(&mut self, block: &Block, failure: &RowFailure) -> Error {
        self.tell_refused();
        let (code, _, place) = self.blame(&block.rows, failure);
        let plan = &*self.plan;
        let told = plan.words.failure(plan, failure.error.clone());
        self.cx.events.fire(Message {
            severity: Severity::Error,
            code: told.code().unwrap_or(code),
            sub_component: plan.out.name.clone(),
            text: told.message().to_owned(),
        });
        if let Some(place) = place {
            let status = codes::DTS_E_COLUMNSTATUSERROR;
            let (column, input) = (&plan.out.columns[place].site.object, &plan.out.site.object);
            self.cx.events.fire(Message {
                severity: Severity::Error,
                code: status,
                sub_component: plan.out.name.clone(),
                text: status.message(&[column, input, &super::words::status(code)]),
            });
        }
        plan.out.failed(block, failure.row, code)
    }

    /// Fast loads tell of their last commit.
    fn tell_commit(&self, code: Code) {
        if matches!(self.plan.words, Words::OleDb { fast: true } | Words::SqlServer) {
            let text = code.message(&[&self.plan.out.name]);
            self.cx.events.fire(Message::new(code, &self.plan.out.name, text));
        }
    }

    fn send(&self, block: Block, mut rejects: Vec<Reject>, written: usize, out: &Outbox<Rejected>) -> Result<()> {
        let mut left_out = (block.batch.rows - written) as u64;
        if self.plan.errors.attached() {
            left_out -= rejects.len() as u64;
        } else {
            // Nobody takes them: they are counted.
            self.plan.errors.send(&block.batch, &rejects, &mut Ports::new(self.plan.outputs))?;
            rejects.clear();
        }
        if rejects.is_empty() && left_out == 0 {
            return Ok(());
        }
        rejects.sort_by_key(|r| r.row);
        out.send(Rejected { batch: block.batch, rejects, left_out })
    }
}

impl Work<Block, Rejected> for Writer {
    fn take(&mut self, mut block: Block, out: &Outbox<Rejected>) -> Result<()> {
        let mut rejects = std::mem::take(&mut block.rejects);
        let (mut at, mut written) = (0, 0);
        while at < block.rows.len {
            let left = block.rows.len - at;
            let count = match self.plan.commits {
                Commits::Every(rows) => left.min(rows - self.since),
                _ => left,
            };
            let failures = self.write(&block.rows, at, count)?;
            if let Some(first) = failures.first().filter(|_| self.plan.out.fails()) {
                if self.plan.commits == Commits::Rows {
                    self.pending += (first.row - at) as u64;
                    self.commit(true)?;
                }
                return Err(self.failed(&block, first));
            }
            self.since += count;
            written += count - failures.len();
            self.pending += (count - failures.len()) as u64;
            for failure in &failures {
                let (code, column, _) = self.blame(&block.rows, failure);
                self.note(code, failure);
                if self.plan.out.disposition() == Disposition::Redirect {
                    rejects.push(Reject { row: block.place(failure.row), code, column });
                }
            }
            match self.plan.commits {
                Commits::Every(rows) if self.since < rows => {}
                Commits::AtEnd => {}
                Commits::Rows | Commits::Every(_) => self.commit(false)?,
            }
            at += count;
        }
        match block.failure.take() {
            Some(failure) => Err(failure),
            None => self.send(block, rejects, written, out),
        }
    }

    fn finish(&mut self, _out: &Outbox<Rejected>) -> Result<()> {
        let given = self.since as u64 + self.committed;
        let written = self.pending + self.committed;
        self.tell_commit(codes::DTS_I_FINALCOMMITSTARTED);
        self.commit(true)?;
        self.tell_commit(codes::DTS_I_FINALCOMMITENDED);
        if self.plan.words == Words::AdoNet && given > 0 && written == 0 {
            let code = codes::DTS_W_ADODESTNOROWSINSERTED;
            self.cx.events.fire(Message::new(code, &self.plan.out.name, code.message(&[])));
        }
        self.tell_refused();
        self.plan.errors.report_lost(&self.cx);
        Ok(())
    }

    fn abort(&mut self) {
        self.tell_refused();
        self.pen.rollback();
    }
}

impl Target {
    fn of(plan: &Plan, session: &mut dyn Session, known: &[ColumnInfo], enlisted: bool) -> Result<Target> {
        let family = session.dialect().family;
        // SQLite has no identity columns: a row id that is given counts.
        let generates = |column: &ColumnInfo| column.generated && family != Family::Sqlite;
        let sees_to_defaults = session.sees_to_defaults();
        let mut target = Target {
            columns: Vec::new(),
            places: Vec::new(),
            there: Vec::new(),
            options: plan.options.clone(),
            defaults: Vec::new(),
            isolates: session.isolates_rows(),
            first_only: plan.out.fails(),
            keeps: plan.commits == Commits::Rows,
            undo: match session.savepoints_last() {
                true => Undo::Savepoint,
                false if !enlisted && plan.commits == Commits::Rows => Undo::Transaction,
                false => Undo::Never,
            },
        };
        for (place, column) in plan.out.columns.iter().enumerate() {
            let Some(there) = super::metadata::find(known, &column.external) else {
                let code = codes::DTS_E_COLUMNMAPPEDTONONEXISTENTEXTERNALMETADATACOLUMN;
                let text = format!(
                    "{} The table {} has no column \"{}\".",
                    code.message(&[&column.site.object]),
                    plan.spelled,
                    column.external
                );
                return Err(Error::new(Owner::Package, code, text));
            };
            if generates(there) && !plan.options.keep_identity {
                continue;
            }
            let gives_way = !plan.options.keep_nulls && there.default.is_some();
            if gives_way && !sees_to_defaults {
                target.defaults.push(target.columns.len());
            }
            let needs_value = there.nullable == Some(false) && !gives_way;
            target.there.push(There { data_type: there.data_type, needs_value });
            target.columns.push(LoadColumn { name: there.name.clone(), data_type: column.to });
            target.places.push(place);
        }
        Ok(target)
    }

    /// The column that made the database refuse a row, as far as the row tells: one that takes no NULL, or one whose type
    /// has no such value. Its place among the columns of a block.
    pub(super) fn blame(&self, rows: &Rows, failure: &RowFailure) -> Option<usize> {
        let value = |at: usize| rows.columns[self.places[at]].slice(failure.row, 1);
        let at_fault = |at: &usize| match failure.error.kind {
            ErrorKind::Constraint => self.there[*at].needs_value && value(*at).is_null(0),
            ErrorKind::Value => {
                let from = castable(self.columns[*at].data_type);
                let cast = cast_array(&value(*at), &from, &self.there[*at].data_type, &CastOptions::data_flow(0));
                cast.is_ok_and(|(_, faults)| !faults.is_empty())
            }
            _ => false,
        };
        (0..self.there.len()).find(at_fault).map(|at| self.places[at])
    }

    /// Whether a piece may have to be undone.
    fn guarded(&self) -> bool {
        !self.isolates || (self.first_only && self.keeps)
    }

    /// Writes rows and finds those that are refused. When it returns, the others are written; or, where the first that
    /// fails ends it all, those before it (if they are to stay).
    pub(super) fn isolate(
        &self,
        table: &TableName,
        session: &mut dyn Session,
        rows: &Rows,
        from: usize,
        count: usize,
        failures: &mut Vec<RowFailure>,
    ) -> Outcome<()> {
        if count == 0 {
            return Ok(());
        }
        if self.guarded() && self.undo == Undo::Never && count > 1 {
            for row in from..from + count {
                self.isolate(table, session, rows, row, 1, failures)?;
                if self.first_only && !failures.is_empty() {
                    break;
                }
            }
            return Ok(());
        }
        let within = self.guarded() && self.undo == Undo::Savepoint;
        if within {
            session.savepoint(SAVEPOINT)?;
        }
        let found = match self.load(table, session, rows, from, count) {
            Ok(found) => found,
            Err(error) if matches!(error.kind, ErrorKind::Constraint | ErrorKind::Value) => {
                (0..count).map(|row| RowFailure { row, error: error.clone() }).collect()
            }
            Err(error) => return Err(error),
        };
        let undo = |session: &mut dyn Session| match self.undo {
            Undo::Savepoint => {
                session.rollback_to(SAVEPOINT).map_err(|e| e.of_transaction(found.first().map(|f| &f.error)))
            }
            Undo::Transaction => session.rollback().and_then(|()| session.begin()),
            Undo::Never => Ok(()),
        };
        let end = |session: &mut dyn Session| if within { session.release(SAVEPOINT) } else { Ok(()) };
        let Some(first) = found.first().cloned() else { return end(session) };
        let at = |failure: RowFailure| RowFailure { row: from + failure.row, ..failure };
        if found.len() < count || self.isolates {
            // The database told which.
            if !self.first_only {
                failures.extend(found.into_iter().map(at));
            } else {
                if self.guarded() && self.undo != Undo::Never {
                    undo(session)?;
                    if first.row > 0
                        && let Some(again) = self.load(table, session, rows, from, first.row)?.into_iter().next()
                    {
                        return Err(again.error.again());
                    }
                }
                failures.push(at(first));
            }
            return end(session);
        }
        undo(session)?;
        end(session)?;
        if count == 1 {
            failures.push(at(first));
            return Ok(());
        }
        let half = count / 2;
        self.isolate(table, session, rows, from, half, failures)?;
        if self.first_only && !failures.is_empty() {
            return Ok(());
        }
        self.isolate(table, session, rows, from + half, count - half, failures)
    }

    /// Writes rows in one go; where NULLs give way to defaults that the loader does not see to, in one go for each
    /// pattern of them.
    fn load(
        &self,
        table: &TableName,
        session: &mut dyn Session,
        rows: &Rows,
        from: usize,
        count: usize,
    ) -> Outcome<Vec<RowFailure>> {
        let columns: Vec<ArrayRef> = self.places.iter().map(|p| rows.columns[*p].slice(from, count)).collect();
        if self.defaults.iter().all(|c| columns[*c].null_count() == 0) {
            return write(session, table, &self.columns, &self.options, &Rows::new(count, columns));
        }
        let options = LoadOptions { keep_nulls: true, ..self.options.clone() };
        let pattern = |row: usize| self.defaults.iter().map(|c| columns[*c].is_null(row)).collect::<Vec<bool>>();
        let mut patterns: Vec<(Vec<bool>, Vec<u32>)> = Vec::new();
        for row in 0..count {
            let nulls = pattern(row);
            match patterns.iter_mut().find(|(known, _)| *known == nulls) {
                Some((_, rows)) => rows.push(row as u32),
                None => patterns.push((nulls, vec![row as u32])),
            }
        }
        let mut failures = Vec::new();
        for (nulls, rows) in patterns {
            let left_out = |column: usize| self.defaults.iter().zip(&nulls).any(|(c, null)| *c == column && *null);
            let kept: Vec<usize> = (0..self.columns.len()).filter(|c| !left_out(*c)).collect();
            let indices = UInt32Array::from(rows.clone());
            let taken = |c: &usize| {
                let taken = arrow::compute::take(&columns[*c], &indices, None);
                taken.map_err(|e| DbError::new(ErrorKind::Other, e.to_string()))
            };
            let arrays = kept.iter().map(taken).collect::<Outcome<Vec<_>>>()?;
            let names: Vec<LoadColumn> = kept.iter().map(|c| self.columns[*c].clone()).collect();
            let found = write(session, table, &names, &options, &Rows::new(rows.len(), arrays))?;
            if !self.isolates && found.len() == rows.len() {
                // Nothing of this pattern is written: nothing of the piece is to be.
                return Ok((0..count).map(|row| RowFailure { row, error: found[0].error.clone() }).collect());
            }
            failures.extend(found.into_iter().map(|f| RowFailure { row: rows[f.row] as usize, ..f }));
        }
        failures.sort_by_key(|f| f.row);
        Ok(failures)
    }
}

fn write(
    session: &mut dyn Session,
    table: &TableName,
    columns: &[LoadColumn],
    options: &LoadOptions,
    rows: &Rows,
) -> Outcome<Vec<RowFailure>> {
    let mut loader = session.loader(table, columns, options)?;
    let failures = loader.write(rows)?;
    loader.finish()?;
    Ok(failures)
}
