//! SQL Server by its own protocol (TDS): no ODBC driver is needed.
//!
//! `login` is where the server is and who asks; `statements` is what a session runs and reads, `rewriting` what becomes of a
//! statement's question marks, `types` says what columns are, `taking` reads rows and `values` writes parameters; `rows`
//! runs a statement for many rows, `load` fills a table, `forms` writes the values for that. The protocol is that of
//! Microsoft's crate, which is asynchronous: each session has a runtime of its own, on the thread that uses it, and nothing
//! of that is seen from outside of this folder.

mod forms;
mod load;
mod login;
mod rewriting;
mod rows;
mod statements;
mod taking;
mod types;
mod values;

use super::connection_string::Pairs;
use super::dialect::{Dialect, Family};
use super::error::{DbError, ErrorKind, Outcome};
use super::resolve::Target;
use super::rows::Rows;
use super::session::{
    Canceller, ColumnInfo, Cursor, Driver, Executed, LoadColumn, LoadOptions, Loader, Param, Relation, RowFailure,
    Session, StatementOptions,
};
use super::table_name::TableName;
use dtsx_engine::types::DataType;
use mssql_tds::connection::tds_client::{ExecuteOptions, TdsClient};
use mssql_tds::core::CancelHandle;
use mssql_tds::datatypes::bulk_copy_metadata::BulkCopyColumnMetadata;
use mssql_tds::error::{Error, SqlErrorInfo, TimeoutErrorType};
use mssql_tds::message::transaction_management::TransactionIsolationLevel;
use std::cell::Cell;
use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::runtime::Runtime;

pub(super) use login::{asks_windows, has_ticket, understands};

/// Who says what goes wrong.
const SOURCE: &str = "SQL Server";
/// The library by whose name the numbers of SQL Server's errors are known to `odbc::kind_of`.
const NUMBERS: &str = "msodbcsql";
/// How long saying goodbye may take, and undoing what a run did that was cancelled.
const FAREWELL: Duration = Duration::from_secs(1);
const UNDOING: Duration = Duration::from_secs(30);
/// From this severity on, the server ends the connection.
const FATAL: i32 = 20;
/// That a statement was ended is no news beside the reason.
const TERMINATED: u32 = 3621;

/// Opens databases of SQL Server.
pub struct SqlServerDriver;

impl Driver for SqlServerDriver {
    fn name(&self) -> &'static str {
        SOURCE
    }

    fn open(&self, target: &Target) -> Outcome<Box<dyn Session>> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|e| DbError::new(ErrorKind::Connect, e.to_string()))?;
        let pairs = Pairs::parse(target.address.reveal());
        let client = login::open(&runtime, &pairs, target.connect_timeout)?;
        Ok(Box::new(SqlServerSession {
            link: Link { client, runtime: Some(runtime) },
            dialect: Dialect::of(Family::SqlServer),
            interrupter: Arc::default(),
            prepared: None,
            bulk: None,
        }))
    }
}

/// The connection, and the runtime that drives it.
struct Link {
    client: TdsClient,
    /// There until the session ends.
    runtime: Option<Runtime>,
}

impl Link {
    /// Waits for what is done with the connection.
    fn wait<'l, T, F>(&'l mut self, work: impl FnOnce(&'l mut TdsClient) -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>>,
    {
        match &self.runtime {
            Some(runtime) => runtime.block_on(work(&mut self.client)),
            None => Err(Error::ConnectionClosed("the session has ended".to_owned())),
        }
    }
}

impl Link {
    /// The same, no longer than that; then the connection is of no more use.
    fn wait_for<'l, T, F>(&'l mut self, limit: Duration, work: impl FnOnce(&'l mut TdsClient) -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>>,
    {
        self.wait(|client| {
            let done = tokio::time::timeout(limit, work(client));
            async {
                done.await.unwrap_or_else(|_| Err(Error::ConnectionClosed("the server does not answer".to_owned())))
            }
        })
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // A server that does not listen is left without a farewell.
            let client = &mut self.client;
            let _ = runtime.block_on(async { tokio::time::timeout(FAREWELL, client.close_connection()).await });
            // A name that is being looked up is not waited for.
            runtime.shutdown_background();
        }
    }
}

/// Ends what a session does, from any thread.
#[derive(Default)]
struct Interrupter {
    cancelled: AtomicBool,
    handle: Mutex<CancelHandle>,
}

impl Interrupter {
    /// What a statement that begins now listens to.
    fn handle(&self) -> CancelHandle {
        self.handle.lock().unwrap_or_else(PoisonError::into_inner).child_handle()
    }

    fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }

    fn interrupt(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
        self.handle.lock().unwrap_or_else(PoisonError::into_inner).cancel();
    }

    fn resume(&self) {
        *self.handle.lock().unwrap_or_else(PoisonError::into_inner) = CancelHandle::new();
        self.cancelled.store(false, Ordering::Relaxed);
    }
}

struct SqlServerSession {
    link: Link,
    dialect: Dialect,
    interrupter: Arc<Interrupter>,
    /// The statement that was prepared last: those that run once for each row are prepared once.
    prepared: Option<rows::Prepared>,
    /// The table that was loaded last, and its columns: loads of one table follow each other.
    bulk: Option<(String, Arc<[BulkCopyColumnMetadata]>)>,
}

fn interrupted() -> DbError {
    DbError::new(ErrorKind::Cancelled, "interrupted")
}

/// What a failure of the protocol's crate says. Its texts hold no secrets: passwords are in none of its errors.
fn failure(error: Error) -> DbError {
    let said = error.to_string();
    let kind = match error {
        Error::SqlServerError { diagnostics } => return of_server(&diagnostics.errors),
        Error::TimeoutError(_) => {
            let message = "the statement took longer than it may";
            return DbError {
                state: "HYT00".into(),
                source: SOURCE.into(),
                ..DbError::new(ErrorKind::Timeout, message)
            };
        }
        Error::OperationCancelledError(_) => return interrupted(),
        Error::TypeConversionError(_) | Error::EncodedValueTooLong { .. } | Error::UnsupportedEncoding { .. } => {
            ErrorKind::Value
        }
        Error::UsageError(_) | Error::ImplementationError(_) | Error::BulkCopyError(_) => ErrorKind::Other,
        Error::UnimplementedFeature { .. } | Error::ColumnEncryptionError(_) => ErrorKind::Unsupported,
        // An answer that makes no sense leaves nobody knowing where the next one begins.
        _ => ErrorKind::Lost,
    };
    DbError { source: SOURCE.into(), ..DbError::new(kind, said) }
}

/// What the server says: the first of its errors.
fn of_server(errors: &[SqlErrorInfo]) -> DbError {
    let Some(error) = errors.iter().find(|e| e.number != TERMINATED).or_else(|| errors.first()) else {
        let said = "the server refused the statement and did not say why";
        return DbError { source: SOURCE.into(), ..DbError::new(ErrorKind::Other, said) };
    };
    let native = i32::try_from(error.number).unwrap_or(0);
    let state = state_of(error.number, error.class);
    let kind = super::odbc::kind_of(state, native, NUMBERS, &error.message);
    let kind = if error.class >= FATAL && kind == ErrorKind::Other { ErrorKind::Lost } else { kind };
    let place = match (error.proc_name.as_deref().unwrap_or(""), error.line_number.unwrap_or(0)) {
        ("", 0 | 1) => String::new(),
        ("", line) => format!(" (line {line})"),
        (procedure, line) => format!(" (procedure {procedure}, line {line})"),
    };
    let message = format!("{}{place}", error.message.trim_end());
    DbError { state: state.into(), native, source: SOURCE.into(), ..DbError::new(kind, message) }
}

/// The SQLSTATE that Microsoft's drivers give for a number (unconfirmed for the rarer ones).
fn state_of(number: u32, class: i32) -> &'static str {
    match number {
        208 | 3701 | 4902 => "42S02",
        207 => "42S22",
        2714 => "42S01",
        515 | 547 | 2601 | 2627 => "23000",
        550 => "44000",
        1205 => "40001",
        2628 | 8152 => "22001",
        220 | 232 | 8115 | 1007 => "22003",
        241 | 295 => "22007",
        242 | 517 => "22008",
        244 | 245 | 248 | 8114 => "22018",
        8169 => "22018",
        8134 => "22012",
        18_452 | 18_456 | 18_487 | 18_488 => "28000",
        _ if (11..=16).contains(&class) => "42000",
        _ => "HY000",
    }
}

/// What ends a run of many rows, and is not the fault of one of them. What ends a transaction is, too.
fn fatal(error: &DbError) -> bool {
    use ErrorKind as K;
    matches!(error.kind, K::Lost | K::Cancelled | K::Timeout | K::Busy | K::Undone | K::NoTable | K::Connect)
}

/// A timeout in the seconds of the protocol's crate; it has no smaller ones.
fn seconds(timeout: Duration) -> u32 {
    u32::try_from(timeout.as_secs() + u64::from(timeout.subsec_nanos() > 0)).unwrap_or(u32::MAX).max(1)
}

/// How long each part of an answer is waited for, and how the waiting is ended.
struct Patience {
    limit: Option<Duration>,
    /// Of one statement alone; the session's ends it, too.
    cancel: CancelHandle,
}

impl Patience {
    /// The options of the statement. Its time is kept here: the crate's counts what is read, too.
    fn options(&self) -> ExecuteOptions<'_> {
        ExecuteOptions { cancel: Some(&self.cancel), ..ExecuteOptions::default() }
    }

    /// Waits for a part of the answer. `come` counts what has come of it: while that grows, nobody loses patience.
    async fn wait<T>(&self, come: &Cell<usize>, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let Some(limit) = self.limit else { return work.await };
        let mut work = pin!(work);
        loop {
            let before = come.get();
            match tokio::time::timeout(limit, work.as_mut()).await {
                Ok(done) => return done,
                Err(_) if come.get() != before => {}
                Err(_) => break,
            }
        }
        // The server is asked to stop, and what is under way is read.
        self.cancel.cancel();
        match work.await {
            Ok(_) | Err(Error::OperationCancelledError(_)) => {
                Err(Error::TimeoutError(TimeoutErrorType::String("the server was asked to stop".to_owned())))
            }
            Err(error) => Err(error),
        }
    }

    /// The same for what comes in one piece.
    async fn wait_once<T>(&self, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        self.wait(&Cell::new(0), work).await
    }
}

impl SqlServerSession {
    /// For a statement that begins now.
    fn patience(&self, limit: Option<Duration>) -> Patience {
        Patience { limit, cancel: self.interrupter.handle() }
    }

    fn alive(&self) -> Outcome<()> {
        match self.interrupter.is_cancelled() {
            true => Err(interrupted()),
            false => Ok(()),
        }
    }

    /// What a failure is: one that comes because of an interruption is that.
    fn told(&self, error: DbError) -> DbError {
        let kind = match error.kind {
            _ if self.interrupter.is_cancelled() => ErrorKind::Cancelled,
            ErrorKind::Other if self.link.client.is_connection_dead() => ErrorKind::Lost,
            kind => kind,
        };
        DbError { kind, ..error }
    }
}

impl Session for SqlServerSession {
    fn dialect(&self) -> &Dialect {
        &self.dialect
    }

    fn server(&mut self) -> String {
        let name = self.link.client.server_reported_name().filter(|n| !n.is_empty());
        let name = name.unwrap_or("Microsoft SQL Server").to_owned();
        match self.link.client.server_version() {
            Some(v) => format!("{name} {}.{}.{}", v.major, v.minor, v.build),
            None => name,
        }
    }

    fn execute(&mut self, sql: &str, params: &[Param], options: &StatementOptions) -> Outcome<Executed> {
        self.alive()?;
        self.bulk = None;
        let done = statements::SqlServerCursor::open(self, sql, params, options).and_then(|c| Box::new(c).finish());
        done.map_err(|e| self.told(e))
    }

    fn execute_rows(
        &mut self,
        sql: &str,
        rows: &Rows,
        types: &[DataType],
        options: &StatementOptions,
    ) -> Outcome<Vec<RowFailure>> {
        self.alive()?;
        rows::execute_rows(self, sql, rows, types, options).map_err(|e| self.told(e))
    }

    fn query<'s>(
        &'s mut self,
        sql: &str,
        params: &[Param],
        options: &StatementOptions,
    ) -> Outcome<Box<dyn Cursor + 's>> {
        self.alive()?;
        let interrupter = self.interrupter.clone();
        let cursor = statements::SqlServerCursor::open(self, sql, params, options)?;
        match interrupter.is_cancelled() {
            true => Err(interrupted()),
            false => Ok(Box::new(cursor)),
        }
    }

    fn describe(&mut self, relation: &Relation<'_>) -> Outcome<Vec<ColumnInfo>> {
        self.alive()?;
        let described = match relation {
            Relation::Table(table) => self.describe_table(table),
            Relation::Query(sql) => self.describe_query(sql),
        };
        described.map_err(|e| self.told(e))
    }

    fn loader<'s>(
        &'s mut self,
        table: &TableName,
        columns: &[LoadColumn],
        options: &LoadOptions,
    ) -> Outcome<Box<dyn Loader + 's>> {
        self.alive()?;
        load::loader(self, table, columns, options)
    }

    fn isolates_rows(&self) -> bool {
        true
    }

    fn sees_to_defaults(&self) -> bool {
        true
    }

    fn begin(&mut self) -> Outcome<()> {
        self.alive()?;
        let patience = self.patience(None);
        // At the level that the session has; somebody else sets that.
        let level = TransactionIsolationLevel::NoChange;
        let begun = self.link.wait(|c| c.begin_transaction_with_options(level, None, patience.options()));
        begun.map_err(|e| self.told(failure(e)))
    }

    fn commit(&mut self) -> Outcome<()> {
        if !self.in_transaction() {
            let message = "the server ended the transaction, and undid what was done in it";
            return Err(DbError { source: SOURCE.into(), ..DbError::new(ErrorKind::Undone, message) });
        }
        self.link.wait(|c| c.commit_transaction(None, None)).map_err(|e| self.told(failure(e)))
    }

    fn rollback(&mut self) -> Outcome<()> {
        // What was undone may be the table.
        self.bulk = None;
        if self.link.client.is_connection_dead() {
            return Err(DbError { source: SOURCE.into(), ..DbError::new(ErrorKind::Lost, "the connection broke") });
        }
        // Some failures end the transaction; then there is none to be undone.
        if !self.in_transaction() {
            return Ok(());
        }
        // Who cancels does not wait for a server that has stopped listening.
        if !self.interrupter.is_cancelled() {
            return self.link.wait(|c| c.rollback_transaction(None, None)).map_err(failure);
        }
        let undone = self.link.wait_for(UNDOING, |c| c.rollback_transaction(None, None)).map_err(failure);
        if undone.is_err() {
            self.link.client.mark_connection_dead();
        }
        undone
    }

    fn savepoint(&mut self, name: &str) -> Outcome<()> {
        self.simple(&self.dialect.savepoint(name))
    }

    fn rollback_to(&mut self, name: &str) -> Outcome<()> {
        // What was undone may be the table.
        self.bulk = None;
        self.simple(&self.dialect.rollback_to(name))
    }

    fn in_transaction(&self) -> bool {
        self.link.client.has_active_transaction()
    }

    fn canceller(&self) -> Canceller {
        let interrupter = self.interrupter.clone();
        Canceller::new(move || interrupter.interrupt())
    }

    fn resume(&mut self) {
        self.interrupter.resume();
    }

    fn reset(&mut self) -> bool {
        self.prepared = None;
        self.bulk = None;
        if self.link.client.is_connection_dead() {
            return false;
        }
        self.link.client.prepare_reset_connection(false);
        // The level of isolation survives a reset on servers before 2014; and the server's answer tells that it is there.
        let sql = "SET TRANSACTION ISOLATION LEVEL READ COMMITTED";
        self.execute(sql, &[], &StatementOptions::default()).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::rc::Rc;

    fn error(number: u32, class: i32, message: &str) -> SqlErrorInfo {
        SqlErrorInfo {
            message: message.into(),
            state: 1,
            class,
            number,
            server_name: None,
            proc_name: None,
            line_number: Some(1),
        }
    }

    #[test]
    fn failures_by_the_number_of_the_server() {
        use ErrorKind as K;
        for (number, class, state, kind) in [
            (102, 15, "42000", K::Statement),
            (207, 16, "42S22", K::Statement),
            (208, 16, "42S02", K::NoTable),
            (2812, 16, "42000", K::Statement),
            (50_000, 16, "42000", K::Statement),
            (515, 16, "23000", K::Constraint),
            (547, 16, "23000", K::Constraint),
            (2601, 14, "23000", K::Constraint),
            (2627, 14, "23000", K::Constraint),
            (550, 16, "44000", K::Constraint),
            (2628, 16, "22001", K::Value),
            (8152, 16, "22001", K::Value),
            (220, 16, "22003", K::Value),
            (8115, 16, "22003", K::Value),
            (241, 16, "22007", K::Value),
            (245, 16, "22018", K::Value),
            (8134, 16, "22012", K::Value),
            (1205, 13, "40001", K::Busy),
            (1222, 16, "42000", K::Busy),
            (3960, 16, "42000", K::Busy),
            (3930, 16, "42000", K::Undone),
            (3998, 16, "42000", K::Undone),
            (3903, 16, "42000", K::Statement),
            (18_456, 14, "28000", K::Connect),
            (4060, 11, "42000", K::Connect),
            (596, 21, "HY000", K::Lost),
            (1105, 17, "HY000", K::Other),
        ] {
            let found = of_server(&[error(number, class, "m")]);
            assert_eq!((found.state.as_str(), found.kind, found.native), (state, kind, number as i32), "{number}");
        }
    }

    #[test]
    fn the_first_error_is_told_with_its_place() {
        let terminated = error(3621, 0, "The statement has been terminated.");
        let within = SqlErrorInfo {
            proc_name: Some("dbo.p".into()),
            line_number: Some(7),
            ..error(2627, 14, "Violation of PRIMARY KEY constraint.\n")
        };
        let found = of_server(&[terminated.clone(), within, error(50_000, 16, "later")]);
        assert_eq!(found.message, "Violation of PRIMARY KEY constraint. (procedure dbo.p, line 7)");
        assert_eq!((found.native, found.source.as_str()), (2627, SOURCE));
        assert_eq!(of_server(&[terminated]).native, 3621);
        assert_eq!(of_server(&[]).kind, ErrorKind::Other);
        let later = SqlErrorInfo { line_number: Some(3), ..error(102, 15, "Incorrect syntax") };
        assert_eq!(of_server(&[later]).message, "Incorrect syntax (line 3)");
    }

    #[test]
    fn timeouts_are_whole_seconds_and_never_none() {
        for (millis, expected) in [(1, 1), (1000, 1), (1001, 2), (0, 1), (u64::MAX, u32::MAX)] {
            assert_eq!(seconds(Duration::from_millis(millis)), expected, "{millis}");
        }
        let cancelled = Error::OperationCancelledError("x".into());
        assert_eq!(failure(cancelled).kind, ErrorKind::Cancelled);
        assert_eq!(failure(Error::ConnectionClosed("gone".into())).kind, ErrorKind::Lost);
    }

    #[test]
    fn patience_lasts_while_something_comes() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.unwrap();
        let sleep = |millis| tokio::time::sleep(Duration::from_millis(millis));
        let patience =
            |limit: Option<u64>| Patience { limit: limit.map(Duration::from_millis), cancel: CancelHandle::new() };
        runtime.block_on(async {
            let slow = |come: Rc<Cell<usize>>, step: usize| async move {
                for _ in 0..5 {
                    sleep(20).await;
                    come.set(come.get() + step);
                }
                Ok(come.get())
            };
            for (limit, step, fine) in
                [(None, 0, true), (Some(30), 1, true), (Some(30), 0, false), (Some(60_000), 0, true)]
            {
                let come = Rc::new(Cell::new(0));
                let done = patience(limit).wait(&come.clone(), slow(come, step)).await;
                match done {
                    Ok(rows) => assert!(fine && rows == step * 5, "{limit:?} {step}"),
                    Err(error) => assert!(!fine && failure(error).kind == ErrorKind::Timeout, "{limit:?} {step}"),
                }
            }
            let broken = async {
                sleep(100).await;
                Err::<(), _>(Error::ConnectionClosed("gone".into()))
            };
            let told = patience(Some(20)).wait_once(broken).await;
            assert_eq!(told.map_err(|e| failure(e).kind), Err(ErrorKind::Lost));
        });
    }

    #[test]
    fn an_interruption_holds_until_somebody_goes_on() {
        let interrupter = Interrupter::default();
        assert!(!interrupter.is_cancelled());
        interrupter.interrupt();
        assert!(interrupter.is_cancelled());
        interrupter.resume();
        assert!(!interrupter.is_cancelled());
    }
}
