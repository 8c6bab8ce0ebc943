//! What each failure of a statement is called.

use super::{blame, row_code};
use crate::db::{DbError, ErrorKind, Rows};
use arrow::array::{ArrayRef, Int32Array, StringViewArray};
use dtsx_engine::diag::codes;
use dtsx_engine::types::DataType;
use std::sync::Arc;

fn said(kind: ErrorKind, state: &str, native: i32) -> DbError {
    DbError { state: state.into(), native, ..DbError::new(kind, "no") }
}

#[test]
fn failures_of_statements_by_what_the_database_says() {
    for (error, blamed, code) in [
        (said(ErrorKind::Value, "22001", 0), false, codes::DTS_E_COMMANDDESTINATIONADAPTERSTATIC_TRUNCATED),
        (said(ErrorKind::Value, "22003", 0), true, codes::DTS_E_COMMANDDESTINATIONADAPTERSTATIC_DATAOVERFLOW),
        (said(ErrorKind::Value, "22007", 0), true, codes::DTS_E_COMMANDDESTINATIONADAPTERSTATIC_CANTCONVERTVALUE),
        (
            said(ErrorKind::Constraint, "23502", 0),
            true,
            codes::DTS_E_COMMANDDESTINATIONADAPTERSTATIC_INTEGRITYVIOLATION,
        ),
        (said(ErrorKind::Constraint, "23505", 0), false, codes::DTS_E_COMMANDDESTINATIONADAPTERSTATIC_UNAVAILABLE),
        (said(ErrorKind::Other, "", 0), false, codes::DTS_E_COMMANDDESTINATIONADAPTERSTATIC_UNAVAILABLE),
    ] {
        assert_eq!(row_code(&error, blamed), code, "{error}");
    }
}

#[test]
fn the_parameter_at_fault_is_the_only_one_that_can_be_meant() {
    let wide = DataType::WStr { len: 20 };
    let numbers: ArrayRef = Arc::new(Int32Array::from(vec![Some(1), None, Some(3)]));
    let texts = |values: [Option<&str>; 3]| -> ArrayRef { Arc::new(StringViewArray::from(values.to_vec())) };
    let rows = Rows::new(3, vec![numbers, texts([Some("a"), Some("b"), None]), texts([Some("c"), None, None])]);
    let types = [DataType::I4, wide, wide];
    for (error, row, place) in [
        (said(ErrorKind::Constraint, "23502", 0), 0, None),
        (said(ErrorKind::Constraint, "23502", 0), 1, None),
        (said(ErrorKind::Value, "22001", 0), 0, None),
        (said(ErrorKind::Value, "22001", 0), 1, Some(1)),
        (said(ErrorKind::Value, "22001", 0), 2, None),
        (said(ErrorKind::Value, "22003", 0), 0, Some(0)),
        (said(ErrorKind::Value, "22003", 0), 1, None),
        (said(ErrorKind::Value, "22P02", 0), 1, Some(1)),
        (said(ErrorKind::Value, "22P02", 0), 0, None),
        (said(ErrorKind::Constraint, "23505", 0), 2, None),
    ] {
        assert_eq!(blame(&error, &rows, row, &types), place, "{error} {row}");
    }
    let one = Rows::new(1, vec![texts([None, None, None]).slice(0, 1)]);
    for native in [1299, 1048, 515] {
        assert_eq!(blame(&said(ErrorKind::Constraint, "23000", native), &one, 0, &[wide]), Some(0), "{native}");
    }
    assert_eq!(blame(&said(ErrorKind::Constraint, "23000", 2627), &one, 0, &[wide]), None);
}
