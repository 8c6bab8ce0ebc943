//! MariaDB and MySQL by their own protocol: statements and rows in binary form, loads by bulk execution.
//!
//! `login` is where the server is and who asks, `wire` the connection and its handshake; `types` reads rows and `values`
//! writes parameters; `statements` is what a session runs, `load` what is run for many rows. A block of rows is the packets
//! as they came; a lane decodes them, and texts stay where they are, as views into the block.

mod load;
mod login;
mod statements;
mod types;
mod values;
mod wire;

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
use login::Address;
use statements::Known;
use std::sync::atomic::Ordering;
use std::time::Duration;
use wire::{COM_INIT_DB, COM_RESET_CONNECTION, Wire};

pub(super) use login::understands;

/// Who says what goes wrong.
const SOURCE: &str = "MariaDB/MySQL";

/// How long a server may take to make a session as good as new; a new one may be had sooner then.
const RESET: Duration = Duration::from_secs(5);

/// Opens databases of MariaDB and MySQL.
pub struct MySqlDriver;

impl Driver for MySqlDriver {
    fn name(&self) -> &'static str {
        SOURCE
    }

    fn open(&self, target: &Target) -> Outcome<Box<dyn Session>> {
        let address = Address::of(&Pairs::parse(target.address.reveal()))?;
        let wire = Wire::open(&address, target.connect_timeout)?;
        let dialect = Dialect::of(Family::MySql);
        Ok(Box::new(MySqlSession { wire, dialect, address, prepared: None, known: Known::default() }))
    }
}

struct MySqlSession {
    wire: Wire,
    dialect: Dialect,
    address: Address,
    /// The statement that was prepared last: its text, its number, how many parameters it has. Statements that run once for
    /// each row are prepared once.
    prepared: Option<(String, u32, usize)>,
    /// What the server was asked and need not be asked again.
    known: Known,
}

/// What an error packet says: a number, a state, a text.
fn failure(packet: &[u8]) -> DbError {
    let native = packet.get(1..3).map_or(0, |b| i32::from(u16::from_le_bytes([b[0], b[1]])));
    let rest = packet.get(3..).unwrap_or(&[]);
    let (state, message) = match rest {
        [b'#', rest @ ..] if rest.len() >= 5 => rest.split_at(5),
        rest => (&b"HY000"[..], rest),
    };
    let (state, message) = (String::from_utf8_lossy(state).into_owned(), String::from_utf8_lossy(message).into_owned());
    let kind = super::odbc::kind_of(&state, native, "maodbc", &message);
    DbError { state, native, source: SOURCE.into(), ..DbError::new(kind, message) }
}

/// What ends a run of many rows, and is not the fault of one of them. What ends a transaction is, too.
fn fatal(error: &DbError) -> bool {
    matches!(
        error.kind,
        ErrorKind::Lost
            | ErrorKind::Cancelled
            | ErrorKind::Timeout
            | ErrorKind::Busy
            | ErrorKind::Undone
            | ErrorKind::NoTable
            | ErrorKind::Connect
    )
}

fn interrupted() -> DbError {
    DbError::new(ErrorKind::Cancelled, "interrupted")
}

impl MySqlSession {
    /// How long the answers to the statements that follow are waited for.
    fn set_timeout(&mut self, timeout: Option<Duration>) -> Outcome<()> {
        self.wire.set_timeout(timeout.or(self.address.command_timeout))
    }

    fn alive(&self) -> Outcome<()> {
        match self.wire.interrupter.cancelled.load(Ordering::Relaxed) {
            true => Err(interrupted()),
            false => Ok(()),
        }
    }

    /// What a failure is: one that comes because of an interruption is that, and nothing else is.
    fn told(&mut self, error: DbError) -> DbError {
        // A deadlock undoes the whole transaction.
        if error.native == 1213 {
            self.wire.transaction_ended();
        }
        let kind = match error.kind {
            _ if self.wire.interrupter.cancelled.load(Ordering::Relaxed) => ErrorKind::Cancelled,
            ErrorKind::Cancelled => ErrorKind::Other,
            kind => kind,
        };
        DbError { kind, ..error }
    }
}

impl Session for MySqlSession {
    fn dialect(&self) -> &Dialect {
        &self.dialect
    }

    fn server(&mut self) -> String {
        let name = if self.wire.is_maria { "MariaDB" } else { "MySQL" };
        format!("{name} {}", self.wire.version)
    }

    fn execute(&mut self, sql: &str, params: &[Param], options: &StatementOptions) -> Outcome<Executed> {
        self.alive()?;
        self.known = Known::default();
        let done = self.set_timeout(options.timeout).and_then(|()| self.run(sql, params));
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
        let done = self.set_timeout(options.timeout).and_then(|()| load::execute_rows(self, sql, rows, types));
        done.map_err(|e| self.told(e))
    }

    fn query<'s>(
        &'s mut self,
        sql: &str,
        params: &[Param],
        options: &StatementOptions,
    ) -> Outcome<Box<dyn Cursor + 's>> {
        self.alive()?;
        let begun = self.set_timeout(options.timeout).and_then(|()| self.begin_query(sql, params));
        let begun = begun.map_err(|e| self.told(e))?;
        let cancelled = self.wire.interrupter.cancelled.clone();
        let cursor = statements::MySqlCursor::open(self, begun, options)?;
        // Some statements end as if they had come to their end when they are interrupted.
        match cancelled.load(Ordering::Relaxed) {
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
        match load::Manner::of(self, table) {
            Ok(manner) => Ok(Box::new(load::MySqlLoader::open(self, table, columns, options, manner)?)),
            Err(error) => Err(self.told(error)),
        }
    }

    fn isolates_rows(&self) -> bool {
        true
    }

    fn begin(&mut self) -> Outcome<()> {
        self.alive()?;
        self.simple("START TRANSACTION")
    }

    fn commit(&mut self) -> Outcome<()> {
        self.simple("COMMIT")
    }

    fn rollback(&mut self) -> Outcome<()> {
        // What was undone may be the table.
        self.known = Known::default();
        self.simple("ROLLBACK")
    }

    fn savepoint(&mut self, name: &str) -> Outcome<()> {
        self.simple(&self.dialect.savepoint(name))
    }

    fn rollback_to(&mut self, name: &str) -> Outcome<()> {
        self.simple(&self.dialect.rollback_to(name))
    }

    fn release(&mut self, name: &str) -> Outcome<()> {
        self.dialect.release(name).map_or(Ok(()), |sql| self.simple(&sql))
    }

    fn in_transaction(&self) -> bool {
        self.wire.in_transaction()
    }

    fn canceller(&self) -> Canceller {
        let interrupter = self.wire.interrupter.clone();
        Canceller::new(move || {
            interrupter.cancelled.store(true, Ordering::Relaxed);
            interrupter.interrupt();
        })
    }

    fn resume(&mut self) {
        self.wire.interrupter.cancelled.store(false, Ordering::Relaxed);
        self.wire.expect_late();
    }

    fn reset(&mut self) -> bool {
        self.prepared = None;
        self.known = Known::default();
        let again = |session: &mut MySqlSession| {
            session.wire.set_timeout(Some(RESET))?;
            session.wire.send(&[&[COM_RESET_CONNECTION]])?;
            session.wire.settle()?;
            session.wire.settings()?;
            // A statement may have gone to another database, and nothing goes back to none.
            let clean = if session.address.database.is_empty() {
                session.texts("SELECT DATABASE()")?.concat().iter().all(Option::is_none)
            } else {
                session.wire.send(&[&[COM_INIT_DB], session.address.database.as_bytes()])?;
                session.wire.settle()?;
                true
            };
            session.wire.set_timeout(None)?;
            Ok(clean)
        };
        let clean: Outcome<bool> = again(self);
        clean.unwrap_or(false)
    }
}

impl Drop for MySqlSession {
    fn drop(&mut self) {
        self.wire.quit();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_with_and_without_a_state() {
        for (packet, state, native, kind, message) in [
            (&b"\xff\x26\x04#23000Duplicate entry"[..], "23000", 1062, ErrorKind::Constraint, "Duplicate entry"),
            (
                b"\xff\x7a\x04#42S02Table 't' doesn't exist",
                "42S02",
                1146,
                ErrorKind::NoTable,
                "Table 't' doesn't exist",
            ),
            (b"\xff\x10\x04Too many connections", "HY000", 1040, ErrorKind::Other, "Too many connections"),
            (b"\xff\xbd\x04#40001Deadlock", "40001", 1213, ErrorKind::Busy, "Deadlock"),
            (
                b"\xff\xb1\x07#70100Query execution was interrupted",
                "70100",
                1969,
                ErrorKind::Timeout,
                "Query execution was interrupted",
            ),
            (b"\xff", "HY000", 0, ErrorKind::Other, ""),
        ] {
            let found = failure(packet);
            assert_eq!((found.state.as_str(), found.native, found.kind), (state, native, kind), "{message}");
            assert_eq!(found.message, message);
        }
    }
}
