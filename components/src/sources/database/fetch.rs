//! The serial half: a thread that runs the statement and fetches blocks, and a short queue to the pool.

use super::ahead::Ahead;
use super::{Plan, Query};
use crate::db::{Canceller, ColumnInfo, Cursor, DbError, ErrorKind, Outcome, RowBlock};
use dtsx_engine::diag::{Error, Owner, Result, codes};
use dtsx_engine::flow::{ExternalColumnSpec, Fetch, Morsel, OpenCx, OutputSpec, Step, Waker};
use dtsx_engine::run::{CancelHook, Handover, OwnThread, Services};
use dtsx_engine::types::DataType;
use std::sync::{Arc, Mutex, PoisonError};

/// Blocks between the thread and the pool: one is decoded, one waits, one is fetched.
const QUEUE: usize = 2;

/// A block, and where its columns belong.
pub(super) struct Fetched {
    pub(super) block: Box<dyn RowBlock>,
    pub(super) columns: Arc<Vec<Delivered>>,
}

/// How an output column comes: its place in the cursor, and its type there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Delivered {
    pub(super) place: usize,
    pub(super) data_type: DataType,
}

/// What interrupts the thread, once it has a session.
type Interrupt = Arc<Mutex<Option<Canceller>>>;

struct DatabaseFetch {
    plan: Arc<Plan>,
    queue: Handover<Morsel>,
    thread: Option<OwnThread>,
    interrupt: Interrupt,
    cx: OpenCx,
    _hook: CancelHook,
}

/// Begins to read.
pub(super) fn open(plan: &Arc<Plan>, cx: &OpenCx) -> Result<Box<dyn Fetch>> {
    let queue: Handover<Morsel> = Handover::new(QUEUE);
    let interrupt = Interrupt::default();
    let hook = queue.cancelled_by(&cx.services.cancel);
    let (other, reading, shared, services) = (queue.clone(), plan.clone(), interrupt.clone(), cx.services.clone());
    let told = queue.clone();
    let work = move || read(&reading, &other, &shared, &services);
    let thread = cx.services.own_thread("source", work, move |done| match done {
        Ok(()) => told.end(),
        Err(error) => told.fail(error.clone()),
    })?;
    let (plan, cx) = (plan.clone(), cx.clone());
    Ok(Box::new(DatabaseFetch { plan, queue, thread: Some(thread), interrupt, cx, _hook: hook }))
}

impl Fetch for DatabaseFetch {
    fn fetch(&mut self, waker: &Waker) -> Result<Step<Morsel>> {
        self.queue.poll_receive(waker)
    }

    fn finish(&mut self) -> Result<()> {
        self.plan.errors.report_lost(&self.cx);
        self.thread.take().map_or(Ok(()), OwnThread::join)
    }
}

impl Drop for DatabaseFetch {
    fn drop(&mut self) {
        self.queue.abandon();
        let running = self.thread.as_ref().is_some_and(|t| !t.is_finished());
        let interrupt = self.interrupt.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(interrupt) = interrupt.filter(|_| running) {
            interrupt.cancel_apart();
        }
    }
}

/// Reads everything; on the source's own thread.
fn read(plan: &Plan, queue: &Handover<Morsel>, interrupt: &Interrupt, services: &Services) -> Result<()> {
    let Some(database) = &plan.database else {
        return Err(Error::internal("a source that was not bound to a server is run"));
    };
    let told = |error: DbError| plan.failure(error);
    let interrupted_by = |canceller| *interrupt.lock().unwrap_or_else(PoisonError::into_inner) = canceller;
    // Others of this flow may need the session before these rows have got anywhere.
    let ahead = database.is_shared();
    let mut session = database.lease().map_err(|e| plan.not_acquired(e))?;
    interrupted_by(Some(session.canceller()));
    let sql = match &plan.query {
        Query::Table(name) => session.dialect().select_all(name),
        Query::Statement(text) => session.dialect().translate(text).into_owned(),
    };
    let mut cursor = session.query(&sql, &plan.params, &plan.options).map_err(told)?;
    let columns = Arc::new(deliver(plan, &mut *cursor)?);
    if ahead {
        let read = Ahead::read(&mut *cursor, services, told)?;
        cursor.finish().map_err(told)?;
        interrupted_by(None);
        drop(session);
        return read.each(|rows| queue.send(Box::new(Fetched { block: Box::new(rows), columns: columns.clone() })));
    }
    while let Some(block) = cursor.next_block().map_err(told)? {
        queue.send(Box::new(Fetched { block, columns: columns.clone() }))?;
    }
    // What the statement does behind its rows is done, and may fail.
    cursor.finish().map_err(told)?;
    Ok(())
}

/// Finds the columns of the output in the cursor and says which types they should have.
fn deliver(plan: &Plan, cursor: &mut dyn Cursor) -> Result<Vec<Delivered>> {
    let places = places(plan, cursor.columns())?;
    let mut wishes: Vec<Option<DataType>> = vec![None; cursor.columns().len()];
    for (place, column) in places.iter().zip(&plan.columns) {
        // Two output columns of one column: it comes once, as the first of them has it.
        wishes[*place].get_or_insert(column.data_type);
    }
    cursor.wish(&wishes).map_err(|e| plan.failure(e))?;
    let columns = cursor.columns();
    Ok(places.into_iter().map(|place| Delivered { place, data_type: columns[place].data_type }).collect())
}

/// The place of each output column among the columns of the database: by name, letter case ignored if need be.
pub(super) fn find(columns: &[ColumnInfo], name: &str) -> Option<usize> {
    let exact = columns.iter().position(|c| c.name == name);
    exact.or_else(|| columns.iter().position(|c| c.name.eq_ignore_ascii_case(name)))
}

/// The external column of that name.
pub(super) fn find_external<'o>(output: &'o OutputSpec, name: &str) -> Option<&'o ExternalColumnSpec> {
    output.external.iter().find(|e| e.name.eq_ignore_ascii_case(name))
}

fn places(plan: &Plan, columns: &[ColumnInfo]) -> Result<Vec<usize>> {
    let place = |column: &super::OutColumn| {
        find(columns, &column.external).ok_or_else(|| {
            let code = codes::DTS_E_COLUMNMAPPEDTONONEXISTENTEXTERNALMETADATACOLUMN;
            let there: Vec<&str> = columns.iter().map(|c| c.name.as_str()).collect();
            let message = format!(
                "{} The database has no column \"{}\"; it has {}.",
                code.message(&[&column.site.object]),
                column.external,
                if there.is_empty() { "none".to_owned() } else { there.join(", ") }
            );
            Error::new(Owner::Package, code, message)
        })
    };
    plan.columns.iter().map(place).collect()
}

impl Plan {
    /// A failure of the database, in the words of the kind.
    pub(super) fn failure(&self, error: DbError) -> Error {
        let no_table = error.kind == ErrorKind::NoTable;
        let error = error.of_connection(self.database.as_ref().map_or("", |d| d.name()));
        let told = if self.ole_db { error.into_oledb_error() } else { error.into_error(None) };
        match &self.query {
            Query::Table(name) if no_table => {
                let code = codes::DTS_E_CANNOTGETIROWSET;
                let message = format!("{} {}", code.message(&[name]), told.message());
                Error::new(told.owner(), code, message)
            }
            _ => told,
        }
    }

    /// No session could be had.
    pub(super) fn not_acquired(&self, error: DbError) -> Error {
        if error.kind == ErrorKind::Cancelled {
            return Error::cancelled();
        }
        let name = self.database.as_ref().map_or("", |d| d.name());
        crate::connections::database::not_acquired(name, &error)
    }
}

/// What the query yields, without running it.
pub(super) fn describe(plan: &Plan) -> Outcome<Vec<ColumnInfo>> {
    let Some(database) = &plan.database else { return Ok(Vec::new()) };
    let mut session = database.lease()?;
    match &plan.query {
        Query::Table(name) => session.describe(&crate::db::Relation::Table(name)),
        Query::Statement(text) => {
            let sql = session.dialect().translate(text).into_owned();
            session.describe(&crate::db::Relation::Query(&sql))
        }
    }
}
