//! The rowset Columns: the columns of the tables that the rowset Tables has, as their descriptions tell. So a column has
//! here the type that a source gives it.

use super::known::{SchemaRowset, find};
use super::{means_home, read};
use crate::db::dialect::Family;
use crate::db::error::{DbError, ErrorKind, Outcome};
use crate::db::session::{ColumnInfo, Relation, Session};
use crate::db::table_name::TableName;
use dtsx_engine::types::{DataType, Value};

/// Tables of the system are described only if their schema is asked for. What the database cannot describe (a view of
/// something that is gone, a table that this user may not read) is left out, and told to `left_out`.
pub(super) fn columns(
    session: &mut dyn Session,
    rowset: &SchemaRowset,
    restrictions: &[Option<String>],
    left_out: &mut Vec<String>,
) -> Outcome<Vec<Vec<Value>>> {
    let tables = find("Tables").ok_or_else(|| DbError::unsupported("Tables"))?;
    let wanted = |at: usize| restrictions.get(at).and_then(Option::as_deref);
    let of_system = wanted(1).is_some_and(|schema| !means_home(session.dialect().family, "TABLE_SCHEMA", schema));
    let of_tables = &restrictions[..restrictions.len().min(3)];
    let mut out = Vec::new();
    for table in read(session, tables, of_tables, left_out)? {
        let part = |at: usize| if let Value::Text(text) = &table[at] { text.to_string() } else { String::new() };
        if part(3).starts_with("SYSTEM") && !of_system {
            continue;
        }
        // A catalog without a schema would be taken for one.
        let mut name: Vec<String> = [part(0), part(1), part(2)].to_vec();
        let leading = name.iter().position(|p| !p.is_empty()).unwrap_or(0);
        name.drain(..leading);
        let described = match describe(session, &TableName { parts: name, quoted: true }) {
            Ok(described) => described,
            Err(error) if matches!(error.kind, ErrorKind::NoTable | ErrorKind::Statement | ErrorKind::Other) => {
                left_out.push(format!("{} is left out: it cannot be described: {error}", part(2)));
                continue;
            }
            Err(error) => return Err(error),
        };
        for (at, column) in described.iter().enumerate() {
            if wanted(3).is_none_or(|wanted| wanted.eq_ignore_ascii_case(&column.name)) {
                out.push(row(rowset, &table, at, column));
            }
        }
    }
    Ok(out)
}

/// Describes a table. PostgreSQL ends a transaction in which a statement failed: there it is done behind a savepoint.
fn describe(session: &mut dyn Session, table: &TableName) -> Outcome<Vec<ColumnInfo>> {
    const BEFORE: &str = "dtsx_described";
    let relation = Relation::Table(table);
    let ends = session.dialect().family == Family::Postgres && session.in_transaction() && session.savepoints_last();
    if !ends {
        return session.describe(&relation);
    }
    session.savepoint(BEFORE)?;
    let described = session.describe(&relation);
    if described.is_err() {
        session.rollback_to(BEFORE)?;
    }
    session.release(BEFORE)?;
    described
}

fn row(rowset: &SchemaRowset, table: &[Value], at: usize, column: &ColumnInfo) -> Vec<Value> {
    let ty = &column.data_type;
    let nullable = column.nullable.unwrap_or(true);
    let mut values = vec![Value::Null; rowset.columns.len()];
    let mut set = |name: &str, value: Value| {
        if let Some(place) = rowset.columns.iter().position(|(n, _)| *n == name) {
            values[place] = value;
        }
    };
    set("TABLE_CATALOG", table[0].clone());
    set("TABLE_SCHEMA", table[1].clone());
    set("TABLE_NAME", table[2].clone());
    set("COLUMN_NAME", Value::text(&column.name));
    set("ORDINAL_POSITION", Value::UI4(at as u32 + 1));
    set("COLUMN_HASDEFAULT", Value::Bool(column.default.is_some()));
    set("COLUMN_DEFAULT", column.default.as_ref().map_or(Value::Null, Value::text));
    set("COLUMN_FLAGS", Value::UI4(flags(column, nullable)));
    set("IS_NULLABLE", Value::Bool(nullable));
    set("DATA_TYPE", Value::UI2(db_type(ty)));
    if let Some((characters, octets)) = lengths(ty) {
        set("CHARACTER_MAXIMUM_LENGTH", Value::UI4(characters));
        set("CHARACTER_OCTET_LENGTH", Value::UI4(octets));
    }
    if let Some((precision, scale)) = precision(ty) {
        set("NUMERIC_PRECISION", Value::UI2(precision));
        set("NUMERIC_SCALE", scale.map_or(Value::Null, Value::I2));
    }
    let digits = match ty {
        DataType::DbDate => Some(0),
        DataType::DbTime => Some(0),
        DataType::DbTimeStamp => Some(3),
        DataType::DbTime2 { scale } | DataType::DbTimeStamp2 { scale } | DataType::DbTimeStampOffset { scale } => {
            Some(u32::from(*scale))
        }
        _ => None,
    };
    set("DATETIME_PRECISION", digits.map_or(Value::Null, Value::UI4));
    values
}

/// DBCOLUMNFLAGS.
fn flags(column: &ColumnInfo, nullable: bool) -> u32 {
    const WRITE_UNKNOWN: u32 = 0x8;
    const IS_FIXED_LENGTH: u32 = 0x10;
    const IS_NULLABLE: u32 = 0x20;
    const MAY_BE_NULL: u32 = 0x40;
    const IS_LONG: u32 = 0x80;
    let long = matches!(column.data_type, DataType::Text { .. } | DataType::NText | DataType::Image);
    let fixed = lengths(&column.data_type).is_none();
    let when = |condition: bool, flags: u32| if condition { flags } else { 0 };
    when(!column.generated, WRITE_UNKNOWN)
        | when(fixed, IS_FIXED_LENGTH)
        | when(nullable, IS_NULLABLE | MAY_BE_NULL)
        | when(long, IS_LONG)
}

/// DBTYPE: the type indicator of OLE DB. Most numbers of SSIS's types are those; its types of long values are not.
fn db_type(ty: &DataType) -> u16 {
    match ty {
        DataType::Text { .. } => 129,
        DataType::NText => 130,
        DataType::Image => 128,
        DataType::DbTimeStamp2 { .. } => 135,
        other => u16::try_from(other.code()).unwrap_or_default(),
    }
}

/// The most characters and bytes of texts and binaries; 0 for those without a limit.
fn lengths(ty: &DataType) -> Option<(u32, u32)> {
    Some(match ty {
        DataType::Str { len, .. } => (*len, *len),
        DataType::WStr { len } => (*len, len.saturating_mul(2)),
        DataType::Bytes { len } => (*len, *len),
        DataType::Text { .. } | DataType::NText | DataType::Image => (0, 0),
        _ => return None,
    })
}

fn precision(ty: &DataType) -> Option<(u16, Option<i16>)> {
    Some(match ty {
        DataType::I1 | DataType::UI1 => (3, None),
        DataType::I2 | DataType::UI2 => (5, None),
        DataType::I4 | DataType::UI4 => (10, None),
        DataType::I8 => (19, None),
        DataType::UI8 => (20, None),
        DataType::R4 => (7, None),
        DataType::R8 => (15, None),
        DataType::Cy => (19, None),
        DataType::Decimal { scale } => (28, Some(i16::from(*scale))),
        DataType::Numeric { precision, scale } => (u16::from(*precision), Some(i16::from(*scale))),
        _ => return None,
    })
}
