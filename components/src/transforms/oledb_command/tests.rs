//! What each failure of a statement is called.

use super::row_code;
use crate::db::{DbError, ErrorKind};
use dtsx_engine::diag::codes;

#[test]
fn failures_of_statements_by_what_the_database_says() {
    let said = |kind, state: &str| DbError { state: state.into(), ..DbError::new(kind, "no") };
    for (error, code) in [
        (said(ErrorKind::Value, "22001"), codes::DTS_E_COMMANDDESTINATIONADAPTERSTATIC_TRUNCATED),
        (said(ErrorKind::Value, "22003"), codes::DTS_E_COMMANDDESTINATIONADAPTERSTATIC_DATAOVERFLOW),
        (said(ErrorKind::Value, "22007"), codes::DTS_E_COMMANDDESTINATIONADAPTERSTATIC_CANTCONVERTVALUE),
        (said(ErrorKind::Constraint, "23505"), codes::DTS_E_COMMANDDESTINATIONADAPTERSTATIC_INTEGRITYVIOLATION),
        (said(ErrorKind::Other, ""), codes::DTS_E_COMMANDDESTINATIONADAPTERSTATIC_UNAVAILABLE),
    ] {
        assert_eq!(row_code(&error), code, "{error}");
    }
}
