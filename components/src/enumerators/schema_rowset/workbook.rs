//! Tables of an Excel workbook, as Jet tells of them: its sheets, with a `$`, and its named ranges. Both are of the type
//! TABLE.

use crate::connections::excel::ExcelConnection;
use crate::db::DbError;
use crate::db::connection_string::Pairs;
use crate::db::schema_rowsets::SchemaRowset;
use calamine::Reader;
use dtsx_engine::connections::ConnectionSpec;
use dtsx_engine::diag::{Error, Owner, Result, codes};
use dtsx_engine::run::Services;
use dtsx_engine::types::Value;

/// Whether a connection manager, of whatever kind, stands for a workbook.
pub(super) fn is_workbook(spec: &ConnectionSpec) -> bool {
    let pairs = Pairs::parse(spec.connection_string());
    let extended = pairs.filled(&["Extended Properties"]).unwrap_or("").trim_matches('"').trim().to_ascii_lowercase();
    spec.kind.eq_ignore_ascii_case("EXCEL") || (super::is_database(&spec.kind) && extended.starts_with("excel"))
}

pub(super) fn supports(rowset: &SchemaRowset) -> std::result::Result<(), DbError> {
    match rowset.name {
        "Tables" => Ok(()),
        name => Err(DbError::unsupported(format!("the schema rowset {name} is not supported for Excel workbooks"))),
    }
}

/// The rows of Tables.
pub(super) fn tables(
    spec: &ConnectionSpec,
    services: &Services,
    rowset: &SchemaRowset,
    restrictions: &[Option<String>],
) -> Result<Vec<Vec<Value>>> {
    let connection = ExcelConnection::from_spec(spec).map_err(|why| Error::new(Owner::Package, None, why))?;
    let path = services.paths.resolve(&connection.path);
    let cannot = |cause: String| {
        let code = codes::DTS_E_CANNOTACQUIRECONNECTIONFROMCONNECTIONMANAGER;
        Error::new(Owner::Connection, code, format!("The workbook \"{}\": {cause}", connection.path))
    };
    std::fs::File::open(&path).map_err(|e| cannot(e.to_string()))?;
    let workbook = calamine::open_workbook_auto(&path).map_err(|e| cannot(e.to_string()))?;
    let sheets = workbook.sheet_names().into_iter().map(|name| sheet(&name));
    // Names that Excel keeps for itself (print areas, filters) are none of tables.
    let ranges = workbook.defined_names().iter().map(|(name, _)| name.clone()).filter(|n| !n.starts_with("_xlnm"));
    let mut names: Vec<String> = sheets.chain(ranges).collect();
    names.sort();
    names.dedup();
    let wanted = |at: usize| restrictions.get(at).and_then(Option::as_deref);
    // It has neither catalogs nor schemas: restrictions to them do not count.
    let of_type = wanted(3).is_none_or(|ty| ty.eq_ignore_ascii_case("TABLE"));
    names.retain(|name| of_type && wanted(2).is_none_or(|wanted| wanted.eq_ignore_ascii_case(name)));
    let row = |name: String| {
        let mut values = vec![Value::Null; rowset.columns.len()];
        values[2] = Value::text(name);
        values[3] = Value::text("TABLE");
        values
    };
    Ok(names.into_iter().map(row).collect())
}

/// The name of a sheet as a table: quoted where it is no plain name.
fn sheet(name: &str) -> String {
    let plain =
        name.chars().all(|c| c.is_alphanumeric() || c == '_') && !name.starts_with(|c: char| c.is_ascii_digit());
    if plain { format!("{name}$") } else { format!("'{}$'", name.replace('\'', "''")) }
}
