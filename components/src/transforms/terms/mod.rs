//! Term Extraction and Term Lookup: the words and phrases of English text.
//!
//! The original knows English by dictionaries of its own, which cannot be known; what stands for them here is a small set
//! of rules, all in `words`.

mod extraction;
mod lookup;
mod words;

pub use extraction::TermExtraction;
pub use lookup::TermLookup;

use crate::db::{Database, DbError, StatementOptions};
use arrow::array::{Array, ArrayRef, AsArray};
use dtsx_engine::connections::ConnectionSpec;
use dtsx_engine::diag::{Code, Error, Owner, Result, codes};
use dtsx_engine::flow::{BindCx, ComponentSpec};
use dtsx_engine::run::Services;
use dtsx_engine::types::DataType;
use dtsx_engine::types::convert::{CastOptions, cast_array};

/// A column of a reference table.
struct TermTable {
    connection: ConnectionSpec,
    table: String,
    column: String,
}

impl TermTable {
    /// Table and column by these properties, with the component's connection; `missing` if one is not set.
    fn bind(
        spec: &ComponentSpec,
        cx: &mut BindCx<'_>,
        (table, column): (&str, &str),
        missing: Code,
    ) -> Option<TermTable> {
        let [table, column] = [table, column].map(|name| spec.properties.str(name).trim().to_owned());
        if table.is_empty() || column.is_empty() {
            cx.error(spec, missing, missing.message(&[]));
            return None;
        }
        match cx.connection(spec, None) {
            Ok(connection) => Some(TermTable { connection, table, column }),
            Err(error) => {
                cx.error(spec, error.code().unwrap_or(codes::DTS_E_CONNECTIONNOTFOUND), error.message());
                None
            }
        }
    }

    /// The terms, without NULLs. This waits.
    ///
    /// # Errors
    /// What the database says; `wrong` for a column that is no text.
    fn read(&self, services: &Services, wrong: Code) -> Result<Vec<String>> {
        let said = DbError::into_oledb_error;
        let database = Database::of(&self.connection, services).map(Database::for_reading).map_err(said)?;
        let mut lease = database.lease().map_err(said)?;
        let column = self.column.trim_start_matches('[').trim_end_matches(']');
        let sql = format!("SELECT [{}] FROM {}", column.replace(']', "]]"), self.table);
        let sql = lease.dialect().translate(&sql).into_owned();
        let mut cursor = lease.query(&sql, &[], &StatementOptions::default()).map_err(said)?;
        let Some(data_type) = cursor.columns().first().map(|c| c.data_type) else {
            return Err(Error::new(Owner::Package, wrong, wrong.message(&[])));
        };
        if !data_type.is_string() && !matches!(data_type, DataType::Text { .. } | DataType::NText) {
            return Err(Error::new(Owner::Package, wrong, wrong.message(&[])));
        }
        let mut terms = Vec::new();
        while let Some(rows) = cursor.next().map_err(said)? {
            let from = cursor.columns()[0].data_type;
            let to = DataType::WStr { len: 4000 };
            let (array, _) = cast_array(&rows.columns[0], &from, &to, &CastOptions::data_flow(1033))?;
            terms.extend(texts(&array)?.into_iter().flatten().map(str::to_owned));
        }
        Ok(terms)
    }
}

/// The texts of a column.
fn texts(array: &ArrayRef) -> Result<Vec<Option<&str>>> {
    let text = array.as_string_view_opt().ok_or_else(|| Error::internal("a column that is no text"))?;
    Ok((0..text.len()).map(|row| text.is_valid(row).then(|| text.value(row))).collect())
}

/// Whether a column can be searched for terms.
fn is_searchable(data_type: &DataType) -> bool {
    matches!(data_type, DataType::WStr { .. } | DataType::NText)
}
