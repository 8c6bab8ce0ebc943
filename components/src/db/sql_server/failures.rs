//! What goes wrong: what the server says, and what becomes of it here.

use super::SOURCE;
use crate::db::error::{DbError, ErrorKind};
use crate::db::odbc::kind_of;
use mssql_tds::error::{BulkCopyError, Error, SqlErrorInfo};

/// The library by whose name the numbers of SQL Server's errors are known to [`kind_of`].
const NUMBERS: &str = "msodbcsql";
/// From this severity on, the server ends the connection.
const FATAL: i32 = 20;
/// How the protocol's crate begins to say that it waits no longer.
const MANY: &str = "Too many Done tokens";
/// What is wrong with a table, a login or a whole database, and not with a row: no right to write, a file or a log that is
/// full, a database that is read only, no such object.
const WHOLE: [i32; 7] = [229, 230, 1088, 1101, 1105, 3906, 9002];
/// That a statement was ended is no news beside the reason.
const TERMINATED: u32 = 3621;

pub(super) fn interrupted() -> DbError {
    DbError::new(ErrorKind::Cancelled, "interrupted")
}

/// What a failure of the protocol's crate says. Its texts hold no secrets: passwords are in none of its errors.
pub(super) fn failure(error: Error) -> DbError {
    let mut said = error.to_string();
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
        Error::BulkCopyError(BulkCopyError::Timeout(_)) => ErrorKind::Timeout,
        Error::UnimplementedFeature { .. } | Error::ColumnEncryptionError(_) => ErrorKind::Unsupported,
        Error::UsageError(what) if what.starts_with(MANY) => {
            let advice = "more than 10,000 statements in a row gave neither rows nor counts, and no more are waited for; \
                          SET NOCOUNT ON at the beginning of the batch or procedure spares their answers";
            said = advice.to_owned();
            ErrorKind::Lost
        }
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
    let kind = kind_of(state, native, NUMBERS, &error.message);
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
pub(super) fn fatal(error: &DbError) -> bool {
    use ErrorKind as K;
    matches!(error.kind, K::Lost | K::Cancelled | K::Timeout | K::Busy | K::Undone | K::NoTable | K::Connect)
        || WHOLE.contains(&error.native)
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn failures_of_the_connection() {
        let cancelled = Error::OperationCancelledError("x".into());
        assert_eq!(failure(cancelled).kind, ErrorKind::Cancelled);
        assert_eq!(failure(Error::ConnectionClosed("gone".into())).kind, ErrorKind::Lost);
        let many = failure(Error::UsageError("Too many Done tokens with has_more=true without ColMetadata".into()));
        assert!(many.kind == ErrorKind::Lost && many.message.contains("NOCOUNT"), "{many}");
    }
}
