//! Package configurations that are kept in a table.

use super::error::Outcome;
use super::pool::Database;
use super::session::{Param, StatementOptions};
use super::table_name::TableName;
use super::{DbError, ErrorKind};
use dtsx_engine::connections::ConnectionSpec;
use dtsx_engine::run::Services;
use dtsx_engine::types::{DataType, Value, scalar};
use dtsx_engine::variables::value_text;

/// One row of a configuration table.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConfigurationRow {
    /// PackagePath.
    pub path: String,
    /// ConfiguredValue.
    pub value: String,
    /// ConfiguredValueType.
    pub value_type: String,
}

/// The rows of a configuration table (`[dbo].[SSIS Configurations]`) whose ConfigurationFilter is `filter`.
///
/// # Errors
/// The database cannot be reached, has no such table, or the table has not these columns.
pub fn configuration_rows(
    connection: &ConnectionSpec,
    table: &str,
    filter: &str,
    services: &Services,
) -> Outcome<Vec<ConfigurationRow>> {
    let mut lease = Database::of(connection, services)?.lease()?;
    let dialect = lease.dialect();
    let [path, value, value_type, key] =
        ["PackagePath", "ConfiguredValue", "ConfiguredValueType", "ConfigurationFilter"].map(|c| dialect.quote(c));
    let marker = if dialect.numbered_parameters { "$1" } else { "?" };
    let table = dialect.table(&TableName::parse(table));
    let sql = format!("SELECT {path}, {value}, {value_type} FROM {table} WHERE {key} = {marker}");
    let wanted = [Param::input(DataType::WStr { len: 255 }, Value::text(filter))];
    let mut cursor = lease.query(&sql, &wanted, &StatementOptions::default())?;
    let mut found = Vec::new();
    while let Some(rows) = cursor.next()? {
        for row in 0..rows.len {
            let text = |column: usize| {
                let info = cursor.columns().get(column).zip(rows.columns.get(column));
                let value = info.map(|(c, array)| scalar::value_at(array.as_ref(), &c.data_type, row)).transpose();
                let value = value.map_err(|e| DbError::new(ErrorKind::Other, e.message()))?;
                Ok(value.map(|v| value_text(&v)).unwrap_or_default())
            };
            found.push(ConfigurationRow { path: text(0)?, value: text(1)?, value_type: text(2)? });
        }
    }
    Ok(found)
}
