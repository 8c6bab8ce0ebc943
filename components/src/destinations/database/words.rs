//! In whose words failures are told.

use super::Plan;
use crate::db::{DbError, ErrorKind};
use dtsx_engine::diag::{Code, Error, codes};

/// The kinds' manners of speaking.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Words {
    OleDb { fast: bool },
    AdoNet,
    Odbc,
    SqlServer,
}

impl Words {
    /// What ErrorCode holds for a row that the database refused; `blamed`: a column of it is known to be at fault. As in
    /// the original, a row that a key, a foreign key or a check forbids has no status: no column tells it.
    pub(super) fn row(self, error: &DbError, blamed: bool) -> Code {
        if self == Words::AdoNet {
            return codes::DTS_E_ADODESTERRORUPDATEROW;
        }
        match (error.kind, error.state.as_str()) {
            (_, "22001") => codes::DTS_E_OLEDBDESTINATIONADAPTERSTATIC_TRUNCATED,
            (_, "22003") => codes::DTS_E_OLEDBDESTINATIONADAPTERSTATIC_DATAOVERFLOW,
            (ErrorKind::Constraint, _) if blamed => codes::DTS_E_OLEDBDESTINATIONADAPTERSTATIC_INTEGRITYVIOLATION,
            (ErrorKind::Value, _) => codes::DTS_E_OLEDBDESTINATIONADAPTERSTATIC_CANTCONVERTVALUE,
            _ => codes::DTS_E_OLEDBDESTINATIONADAPTERSTATIC_UNAVAILABLE,
        }
    }

    /// Whether ErrorColumn names the column that is at fault: the ADO NET Destination knows rows only.
    pub(super) fn blames_columns(self) -> bool {
        self != Words::AdoNet
    }

    /// A failure of the database that is no row's.
    pub(super) fn failure(self, plan: &Plan, error: DbError) -> Error {
        let no_table = error.kind == ErrorKind::NoTable;
        let error = error.of_connection(plan.database.as_ref().map_or("", |d| d.name()));
        let told = match self {
            Words::OleDb { .. } | Words::SqlServer => error.into_oledb_error(),
            Words::AdoNet => {
                let code = codes::DTS_E_ADODESTINSERTIONFAILURE;
                let owner = error.into_error(code);
                Error::new(owner.owner(), code, code.message(&[&owner.message()]))
            }
            Words::Odbc => {
                let code = codes::DTS_E_ODBCERROR;
                let native = error.native;
                let told = error.into_error(code);
                Error::new(told.owner(), code, format!("{} {}", code.message(&[&native]), told.message()))
            }
        };
        let code = match self {
            _ if !no_table => return told,
            Words::OleDb { fast: true } | Words::SqlServer => codes::DTS_E_CANNOTGETIROWSETFASTLOAD,
            Words::OleDb { .. } => codes::DTS_E_CANNOTGETIROWSET,
            Words::AdoNet => codes::DTS_E_ADODESTGETSCHEMATABLEFAILED,
            Words::Odbc => return told,
        };
        Error::new(told.owner(), code, format!("{} {}", code.message(&[&plan.spelled]), told.message()))
    }
}

/// The status of a column that an OLE DB provider would return, for messages.
pub(super) fn status(code: Code) -> &'static str {
    match code {
        codes::DTS_E_OLEDBDESTINATIONADAPTERSTATIC_INTEGRITYVIOLATION => {
            "The value violated the integrity constraints for the column."
        }
        codes::DTS_E_OLEDBDESTINATIONADAPTERSTATIC_TRUNCATED => {
            "Text was truncated or one or more characters had no match in the target code page."
        }
        codes::DTS_E_OLEDBDESTINATIONADAPTERSTATIC_DATAOVERFLOW => {
            "Conversion failed because the data value overflowed the specified type."
        }
        _ => "The value could not be converted because of a potential loss of data.",
    }
}
