//! The contract of database drivers.
//!
//! A [`Driver`] opens sessions, a [`Session`] does everything else. What all sessions do in the same way (pooling,
//! cancelling, translating names) is done around them, by [`super::Lease`]; a driver does only what its database needs.

use super::dialect::Dialect;
use super::error::{DbError, Outcome};
use super::resolve::Target;
use super::rows::{RowBlock, Rows};
use super::table_name::TableName;
use dtsx_engine::run::apart;
use dtsx_engine::types::{DataType, Value};
use std::sync::Arc;
use std::time::Duration;

/// Opens sessions. One static a driver.
pub trait Driver: Sync {
    /// Its name, for messages: `SQLite`, `ODBC`, `PostgreSQL`.
    fn name(&self) -> &'static str;

    /// Opens a session. Texts of errors hold no secrets of the target.
    ///
    /// # Errors
    /// The database cannot be reached, refuses the login, or has no driver here.
    fn open(&self, target: &Target) -> Outcome<Box<dyn Session>>;

    /// Whether a database takes one writer at a time, so that those of an execution have to share a session.
    fn one_writer(&self) -> bool {
        false
    }
}

/// Interrupts what a session does, from any thread; harmless when it does nothing.
#[derive(Clone)]
pub struct Canceller(Arc<dyn Fn() + Send + Sync>);

impl Canceller {
    /// One that calls `interrupt`.
    pub fn new(interrupt: impl Fn() + Send + Sync + 'static) -> Canceller {
        Canceller(Arc::new(interrupt))
    }

    /// Interrupts.
    pub fn cancel(&self) {
        (self.0)();
    }

    /// The same on a thread of its own, for somebody whom a server or a driver that does not answer must not hold up.
    pub fn cancel_apart(&self) {
        apart(&self.0);
    }
}

/// How a statement is run.
#[derive(Clone, Debug)]
pub struct StatementOptions {
    /// How long its answer is waited for, and each further part of that; None: as long as it takes. The time in which
    /// somebody reads what has come does not count.
    pub timeout: Option<Duration>,
    /// How many rows a block holds at most.
    pub block_rows: usize,
    /// How many bytes a block holds, about.
    pub block_bytes: usize,
    /// The code page of text whose code page the database does not tell; 0: the driver's own.
    pub code_page: u32,
    /// How many rows somebody reads; None: all. A driver that can spares the rest.
    pub most_rows: Option<u32>,
}

impl Default for StatementOptions {
    fn default() -> StatementOptions {
        StatementOptions { timeout: None, block_rows: 16_384, block_bytes: 4 << 20, code_page: 0, most_rows: None }
    }
}

impl StatementOptions {
    /// The same with a timeout in seconds, 0 for none, as components and tasks store it.
    #[must_use]
    pub fn with_timeout_seconds(mut self, seconds: i64) -> StatementOptions {
        self.timeout = u64::try_from(seconds).ok().filter(|s| *s > 0).map(Duration::from_secs);
        self
    }
}

/// Which way the value of a parameter goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Direction {
    /// To the database.
    #[default]
    Input,
    /// From the database.
    Output,
    /// Both.
    InputOutput,
    /// The return value of a procedure.
    ReturnValue,
}

/// A parameter of a statement: positional (`?`), or by name (`@name`).
#[derive(Clone, PartialEq, Debug)]
pub struct Param {
    /// Its name with its `@`, if it goes by name; None: its place counts.
    pub name: Option<String>,
    /// Which way.
    pub direction: Direction,
    /// Its type, also where the value is NULL or is to come.
    pub data_type: DataType,
    /// What goes in; NULL for an output.
    pub value: Value,
}

impl Param {
    /// A positional input.
    pub fn input(data_type: DataType, value: Value) -> Param {
        Param { name: None, direction: Direction::Input, data_type, value }
    }
}

/// What became of a statement.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Executed {
    /// Rows affected; None where the database does not say.
    pub rows: Option<u64>,
    /// By parameter: what came out of it; NULL for inputs.
    pub outputs: Vec<Value>,
}

/// A column of a result or of a table.
#[derive(Clone, PartialEq, Debug)]
pub struct ColumnInfo {
    /// Its name; "" where the database gives none.
    pub name: String,
    /// The type that its values have, as the reference maps database types.
    pub data_type: DataType,
    /// Whether it may be NULL; None: not known.
    pub nullable: Option<bool>,
    /// What the database calls its type, for messages.
    pub native: String,
    /// Whether the database makes its values (identity, serial, auto increment, computed).
    pub generated: bool,
    /// What the database fills in where an insert leaves the column out, in its own words.
    pub default: Option<String>,
}

impl ColumnInfo {
    /// A column of which only name and type are known.
    pub fn new(name: impl Into<String>, data_type: DataType) -> ColumnInfo {
        ColumnInfo {
            name: name.into(),
            data_type,
            nullable: None,
            native: String::new(),
            generated: false,
            default: None,
        }
    }
}

/// What can be described.
#[derive(Clone, PartialEq, Debug)]
pub enum Relation<'a> {
    /// A table or view.
    Table(&'a TableName),
    /// The result of a query.
    Query(&'a str),
}

/// A column that a [`Loader`] writes, and the type of the arrays that it is given for it.
#[derive(Clone, PartialEq, Debug)]
pub struct LoadColumn {
    /// The column's name in the table.
    pub name: String,
    /// The type of what is given.
    pub data_type: DataType,
}

/// How a load is done. Databases without an option ignore it where that only costs time, and refuse it where rows would
/// come out otherwise.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct LoadOptions {
    /// Values of identity columns are given.
    pub keep_identity: bool,
    /// A NULL stays NULL where the column has a default.
    pub keep_nulls: bool,
    /// Constraints are checked.
    pub check_constraints: bool,
    /// The table is locked.
    pub table_lock: bool,
    /// Triggers fire.
    pub fire_triggers: bool,
    /// Each row has a statement of its own, as far as triggers can tell.
    pub row_by_row: bool,
    /// How rows are sorted as they come, in the words of the database: `a ASC, b DESC`.
    pub order: Option<String>,
    /// ROWS_PER_BATCH.
    pub rows_per_batch: Option<u64>,
    /// How long a statement may take; None: as long as it needs.
    pub timeout: Option<Duration>,
}

/// A row that the database refused.
#[derive(Clone, PartialEq, Debug)]
pub struct RowFailure {
    /// Its place in the rows that were given.
    pub row: usize,
    /// Why.
    pub error: DbError,
}

/// A connection to a database, used from one thread at a time.
pub trait Session: Send {
    /// How the database spells things.
    fn dialect(&self) -> &Dialect;

    /// Its product name and version, as it says itself.
    fn server(&mut self) -> String;

    /// Runs a statement to its end. Rows that it yields are thrown away.
    ///
    /// # Errors
    /// What the database says.
    fn execute(&mut self, sql: &str, params: &[Param], options: &StatementOptions) -> Outcome<Executed>;

    /// Runs a statement once for each row of `rows`, whose columns are its `?` parameters in order (`types` are theirs).
    /// A row that the database refuses is told, and the others are run nevertheless.
    ///
    /// # Errors
    /// What ends everything: a statement that cannot be prepared, a broken connection, cancelling.
    fn execute_rows(
        &mut self,
        sql: &str,
        rows: &Rows,
        types: &[DataType],
        options: &StatementOptions,
    ) -> Outcome<Vec<RowFailure>>;

    /// Runs a statement that yields rows. One that yields none gives a cursor without columns.
    ///
    /// # Errors
    /// What the database says.
    fn query<'s>(
        &'s mut self,
        sql: &str,
        params: &[Param],
        options: &StatementOptions,
    ) -> Outcome<Box<dyn Cursor + 's>>;

    /// The columns of a table or of a query's result, without reading rows.
    ///
    /// # Errors
    /// What the database says; [`super::ErrorKind::NoTable`] for a table that it does not have.
    fn describe(&mut self, relation: &Relation<'_>) -> Outcome<Vec<ColumnInfo>>;

    /// Begins to load rows into a table. It neither begins nor ends a transaction.
    ///
    /// # Errors
    /// What the database says; an option that it cannot honour.
    fn loader<'s>(
        &'s mut self,
        table: &TableName,
        columns: &[LoadColumn],
        options: &LoadOptions,
    ) -> Outcome<Box<dyn Loader + 's>>;

    /// Begins a transaction.
    ///
    /// # Errors
    /// What the database says.
    fn begin(&mut self) -> Outcome<()>;

    /// Ends the transaction, keeping what was done.
    ///
    /// # Errors
    /// What the database says.
    fn commit(&mut self) -> Outcome<()>;

    /// Ends the transaction, keeping what was done, unless somebody else stands in the way now: then it stays open, and
    /// may be gone on with.
    ///
    /// # Errors
    /// What the database says.
    fn commit_soon(&mut self) -> Outcome<bool> {
        self.commit().map(|()| true)
    }

    /// Whether a row that the database refuses leaves the others of the same call written, and the transaction usable.
    fn isolates_rows(&self) -> bool {
        false
    }

    /// Whether a loader puts a column's default where a NULL is given, unless NULLs are kept.
    fn sees_to_defaults(&self) -> bool {
        false
    }

    /// Ends the transaction, undoing what was done.
    ///
    /// # Errors
    /// What the database says.
    fn rollback(&mut self) -> Outcome<()>;

    /// Whether a transaction is open.
    fn in_transaction(&self) -> bool;

    /// Whether a savepoint that is set stays where it is until it is gone back to. A driver that sets some of its own may
    /// lose it.
    fn savepoints_last(&self) -> bool {
        true
    }

    /// Sets a savepoint.
    ///
    /// # Errors
    /// What the database says.
    fn savepoint(&mut self, name: &str) -> Outcome<()> {
        let sql = self.dialect().savepoint(name);
        self.execute(&sql, &[], &StatementOptions::default()).map(drop)
    }

    /// Undoes what was done since the savepoint, which stays.
    ///
    /// # Errors
    /// What the database says.
    fn rollback_to(&mut self, name: &str) -> Outcome<()> {
        let sql = self.dialect().rollback_to(name);
        self.execute(&sql, &[], &StatementOptions::default()).map(drop)
    }

    /// Forgets the savepoint, keeping what was done.
    ///
    /// # Errors
    /// What the database says.
    fn release(&mut self, name: &str) -> Outcome<()> {
        match self.dialect().release(name) {
            Some(sql) => self.execute(&sql, &[], &StatementOptions::default()).map(drop),
            None => Ok(()),
        }
    }

    /// Interrupts this session from another thread, and all that it is asked for from then on.
    fn canceller(&self) -> Canceller;

    /// Forgets that it was interrupted: somebody else goes on with it.
    fn resume(&mut self);

    /// Makes the session as good as new (no temporary tables, no settings), if that is cheaper than a new one.
    fn reset(&mut self) -> bool {
        false
    }
}

/// The rows of a query, in blocks.
pub trait Cursor {
    /// Its columns, with the types in which their values come.
    fn columns(&self) -> &[ColumnInfo];

    /// Says, by column, which type is wished for (None: nobody reads the column). A driver that can deliver that type
    /// at no loss does, and [`Cursor::columns`] says so afterwards; others go on as before. Called before the first block.
    ///
    /// # Errors
    /// What the database says.
    fn wish(&mut self, _types: &[Option<DataType>]) -> Outcome<()> {
        Ok(())
    }

    /// The next block of rows, not decoded yet; None at the end.
    ///
    /// # Errors
    /// What the database says.
    fn next_block(&mut self) -> Outcome<Option<Box<dyn RowBlock>>>;

    /// The next block of rows.
    ///
    /// # Errors
    /// What the database says.
    fn next(&mut self) -> Outcome<Option<Rows>> {
        match self.next_block()? {
            Some(block) => block.decode().map(Some),
            None => Ok(None),
        }
    }

    /// Goes to the next result of the statement, if it has more than one.
    ///
    /// # Errors
    /// What the database says.
    fn next_result(&mut self) -> Outcome<bool> {
        Ok(false)
    }

    /// After the last row: rows affected and output parameters.
    ///
    /// # Errors
    /// What the database says.
    fn finish(self: Box<Self>) -> Outcome<Executed> {
        Ok(Executed::default())
    }
}

/// Takes rows into a table.
pub trait Loader {
    /// Writes rows; `rows.columns` are those that the loader was opened with. Rows that the database refuses are told, in
    /// order; then the others of this call are written nevertheless, if the database can tell them apart, or none of
    /// this call is (then all of them are told).
    ///
    /// # Errors
    /// What ends the load: a broken connection, cancelling.
    fn write(&mut self, rows: &Rows) -> Outcome<Vec<RowFailure>>;

    /// Ends the load: everything written is now in the table (and in the transaction, if one is open).
    ///
    /// # Errors
    /// What the database says.
    fn finish(self: Box<Self>) -> Outcome<()>;
}
