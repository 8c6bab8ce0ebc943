//! SQL Server by its own protocol (TDS): no ODBC driver is needed.
//!
//! `login` is where the server is and who asks, `link` the connection, `failures` what goes wrong with it; `statements` is
//! what a session runs and reads, `rewriting` what becomes of a statement's question marks, `types` says what columns are,
//! `taking` reads rows (`texts` what is in them) and `values` writes parameters; `rows` runs a statement for many rows,
//! `load` fills a table, `forms` writes the values for that. The protocol is that of Microsoft's crate, which is
//! asynchronous: each session has a runtime of its own, on the thread that uses it, and nothing of that is seen from
//! outside of this folder.

mod failures;
mod forms;
mod link;
mod load;
mod login;
mod rewriting;
mod rows;
mod statements;
mod taking;
mod texts;
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
use mssql_tds::message::transaction_management::TransactionIsolationLevel;
use std::sync::Arc;
use std::time::Duration;

use failures::{failure, fatal, interrupted};
use link::{Interrupter, Link, Patience, seconds};
pub(super) use login::{asks_windows, has_ticket, understands};

/// Who says what goes wrong.
const SOURCE: &str = "SQL Server";
/// How long undoing may take what a run did that was cancelled.
const UNDOING: Duration = Duration::from_secs(30);

/// The first version that has the types of dates and times, and the procedures, that are used here.
const OLDEST: u8 = 10;

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
        if let Some(version) = client.server_version().filter(|v| v.major < OLDEST) {
            let message = format!(
                "this server is of version {}, and the protocol here is spoken from SQL Server 2008 (10) on; an ODBC driver \
                 reaches it through a data source: DSN=…",
                version.major
            );
            return Err(DbError { source: SOURCE.into(), ..DbError::new(ErrorKind::Connect, message) });
        }
        Ok(Box::new(SqlServerSession {
            link: Link::new(client, runtime),
            dialect: Dialect::of(Family::SqlServer),
            interrupter: Arc::default(),
            prepared: None,
            bulk: None,
        }))
    }
}

struct SqlServerSession {
    link: Link,
    dialect: Dialect,
    interrupter: Arc<Interrupter>,
    /// The statement that was prepared last: those that run once for each row are prepared once.
    prepared: Option<rows::Prepared>,
    /// The table that was loaded last: loads of one table follow each other.
    bulk: Option<load::Known>,
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
            ErrorKind::Cancelled => ErrorKind::Other,
            ErrorKind::Other if self.link.is_dead() => ErrorKind::Lost,
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
        self.bulk = None;
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
        if self.link.is_dead() {
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
        self.link.wait_for(UNDOING, |c| c.rollback_transaction(None, None)).map_err(failure)
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
        if self.link.is_dead() {
            return false;
        }
        self.link.client.prepare_reset_connection(false);
        // The level of isolation survives a reset on servers before 2014; and the server's answer tells that it is there.
        let sql = "SET TRANSACTION ISOLATION LEVEL READ COMMITTED";
        self.execute(sql, &[], &StatementOptions::default()).is_ok()
    }
}
