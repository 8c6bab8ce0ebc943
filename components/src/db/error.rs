//! What databases say when something goes wrong.

use dtsx_engine::diag::{Code, Error, Owner, codes};
use std::fmt;

/// What kind of failure it is, as far as the driver tells.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ErrorKind {
    /// The database cannot be reached, or refuses the login.
    Connect,
    /// The connection broke.
    Lost,
    /// There is no driver for it here.
    NoDriver,
    /// The statement is wrong: syntax, or a name that the database does not have.
    Statement,
    /// There is no such table or view.
    NoTable,
    /// A constraint forbids the row.
    Constraint,
    /// A value does not fit its column.
    Value,
    /// The statement took longer than it may.
    Timeout,
    /// Somebody else holds what it needs; with a deadlock, the database may have undone the whole transaction.
    Busy,
    /// The transaction is not what it was: the database undid what was done in it before.
    Undone,
    /// It was interrupted.
    Cancelled,
    /// This build does not do that.
    Unsupported,
    /// Anything else that the database says.
    Other,
}

/// A failure of a database. Its text holds no secrets.
#[derive(Clone, PartialEq, Debug)]
pub struct DbError {
    /// What kind.
    pub kind: ErrorKind,
    /// SQLSTATE, or "".
    pub state: String,
    /// The database's own number, 0 if it has none.
    pub native: i32,
    /// What it says.
    pub message: String,
    /// Who says it: the driver.
    pub source: String,
}

/// The result of what a database does.
pub type Outcome<T> = Result<T, DbError>;

/// HRESULTs of OLE DB, by which SSIS tells the kinds of failures apart in its messages.
const DB_E_ERRORSINCOMMAND: u32 = 0x8004_0E14;
const DB_E_NOTABLE: u32 = 0x8004_0E37;
const DB_E_INTEGRITYVIOLATION: u32 = 0x8004_0E2F;
const DB_E_ABORTLIMITREACHED: u32 = 0x8004_0E31;
const DB_E_CANCELED: u32 = 0x8004_0E4E;
const DB_E_DATAOVERFLOW: u32 = 0x8004_0E57;
const E_FAIL: u32 = 0x8000_4005;

impl DbError {
    /// A failure of `kind` that says `message`.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> DbError {
        DbError { kind, state: String::new(), native: 0, message: message.into(), source: String::new() }
    }

    /// What this build does not do.
    pub fn unsupported(message: impl Into<String>) -> DbError {
        DbError::new(ErrorKind::Unsupported, message)
    }

    /// The same with the connection manager's name, where the connection itself is what fails.
    #[must_use]
    pub fn of_connection(self, name: &str) -> DbError {
        match self.kind {
            ErrorKind::Lost | ErrorKind::Timeout => {
                DbError { message: format!("connection manager \"{name}\": {}", self.message), ..self }
            }
            _ => self,
        }
    }

    /// This failure of a step that only keeps a transaction in order (a savepoint), after `cause`: the transaction is not
    /// what it was, and the database may have undone all of it.
    #[must_use]
    pub(crate) fn of_transaction(self, cause: Option<&DbError>) -> DbError {
        if matches!(self.kind, ErrorKind::Lost | ErrorKind::Cancelled | ErrorKind::Timeout) {
            return self;
        }
        let (first, why) = (cause.unwrap_or(&self), cause.map_or(String::new(), |_| format!(" ({})", self.said())));
        let message = format!("{}; the transaction cannot be gone on with, and may be undone{why}", first.said());
        DbError { source: first.source.clone(), ..DbError::new(ErrorKind::Undone, message) }
    }

    /// This failure of a row that was taken before, and undone with others: it is nobody's to leave out now.
    #[must_use]
    pub(crate) fn again(self) -> DbError {
        let message = format!("a row that was taken before is refused when it is written again: {}", self.message);
        DbError { kind: ErrorKind::Undone, message, ..self }
    }

    /// Whether a column that takes no NULL was given one.
    pub(crate) fn refuses_null(&self) -> bool {
        const SQLITE_CONSTRAINT_NOTNULL: i32 = 1299;
        const MYSQL_BAD_NULL: i32 = 1048;
        const SQL_SERVER_NULL: i32 = 515;
        let numbers = [SQLITE_CONSTRAINT_NOTNULL, MYSQL_BAD_NULL, SQL_SERVER_NULL];
        self.kind == ErrorKind::Constraint && (self.state == "23502" || numbers.contains(&self.native))
    }

    /// The HRESULT that an OLE DB provider would give.
    pub fn hresult(&self) -> u32 {
        match self.kind {
            ErrorKind::Statement => DB_E_ERRORSINCOMMAND,
            ErrorKind::NoTable => DB_E_NOTABLE,
            ErrorKind::Constraint => DB_E_INTEGRITYVIOLATION,
            ErrorKind::Value => DB_E_DATAOVERFLOW,
            ErrorKind::Timeout => DB_E_ABORTLIMITREACHED,
            ErrorKind::Cancelled => DB_E_CANCELED,
            _ => E_FAIL,
        }
    }

    /// Whose fault it is.
    pub fn owner(&self) -> Owner {
        match self.kind {
            ErrorKind::Connect | ErrorKind::Lost | ErrorKind::Timeout => Owner::Connection,
            ErrorKind::Busy | ErrorKind::Undone => Owner::Connection,
            ErrorKind::NoDriver => Owner::Environment,
            ErrorKind::Statement | ErrorKind::NoTable => Owner::Package,
            ErrorKind::Constraint | ErrorKind::Value => Owner::Data,
            ErrorKind::Cancelled => Owner::Cancelled,
            ErrorKind::Unsupported => Owner::Unsupported,
            ErrorKind::Other => Owner::Connection,
        }
    }

    /// As an error of the engine with the code of what was being done (`DTS_E_OLEDBERROR` …).
    pub fn into_error(self, code: impl Into<Option<Code>>) -> Error {
        if self.kind == ErrorKind::Cancelled {
            return Error::cancelled();
        }
        Error::new(self.owner(), code, self.to_string())
    }

    /// As DTS_E_OLEDBERROR, in the words of the OLE DB components: the number, and the record of the provider.
    pub fn into_oledb_error(self) -> Error {
        if self.kind == ErrorKind::Cancelled {
            return Error::cancelled();
        }
        let (code, number) = (codes::DTS_E_OLEDBERROR, format!("{:08X}", self.hresult()));
        let message = format!(
            "{} An OLE DB record is available. Source: \"{}\" Hresult: 0x{number} Description: \"{}\".",
            code.message(&[&number]),
            self.source,
            self.said(),
        );
        Error::new(self.owner(), code, message)
    }

    fn said(&self) -> String {
        match (self.state.as_str(), self.native) {
            ("", 0) => self.message.clone(),
            ("", native) => format!("{} ({native})", self.message),
            (state, 0) => format!("{} ({state})", self.message),
            (state, native) => format!("{} ({state}, {native})", self.message),
        }
    }
}

impl fmt::Display for DbError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.source.is_empty() {
            write!(f, "{}: ", self.source)?;
        }
        f.write_str(&self.said())
    }
}

impl std::error::Error for DbError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_say_who_what_and_which_number() {
        let error = DbError {
            state: "42P01".into(),
            native: 7,
            source: "PostgreSQL".into(),
            ..DbError::new(ErrorKind::NoTable, "relation \"t\" does not exist")
        };
        assert_eq!(error.to_string(), "PostgreSQL: relation \"t\" does not exist (42P01, 7)");
        let gone = DbError::new(ErrorKind::Statement, "no such savepoint");
        let undone = gone.clone().of_transaction(Some(&error));
        assert_eq!((undone.kind, undone.source.as_str()), (ErrorKind::Undone, "PostgreSQL"));
        assert!(undone.message.contains("does not exist") && undone.message.contains("no such savepoint"), "{undone}");
        assert!(gone.of_transaction(None).message.contains("no such savepoint"));
        let said = error.into_oledb_error();
        assert_eq!((said.owner(), said.code()), (Owner::Package, Some(codes::DTS_E_OLEDBERROR)));
        assert!(said.message().contains("0x80040E37"), "{said}");
        assert_eq!(DbError::new(ErrorKind::Cancelled, "").into_error(None).owner(), Owner::Cancelled);
    }
}
