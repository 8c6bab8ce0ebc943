//! Schema rowsets of OLE DB: what a database says of its tables, columns, keys, procedures.
//!
//! ```text
//! Tables, restricted to (NULL, 'dbo', NULL, 'TABLE') ─read─▶ rows of nine columns, in OLE DB's order
//! ```
//! `known` lists the rowsets: their identities, columns and restrictions; `postgres`, `my_sql`, `sqlite` and `sql_server`
//! are the queries that answer them. A database without catalogs or schemas has NULL there, and a restriction to one does
//! not count, as with the names of tables ([`Dialect::table`](super::Dialect::table)).

mod described;
mod known;
mod my_sql;
mod postgres;
mod sql_server;
mod sqlite;
#[cfg(test)]
mod tests;

use super::dialect::{Dialect, Family};
use super::error::{DbError, ErrorKind, Outcome};
use super::session::{Param, Session, StatementOptions};
use dtsx_engine::types::{DataType, Value, scalar};
pub(crate) use known::{SchemaRowset, find, name_of, names};
use std::cmp::Ordering;

/// The type of a column of a rowset, as OLE DB documents it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Ty {
    Text,
    Bool,
    I2,
    I4,
    U2,
    U4,
    U8,
    Moment,
    /// Identities that no database here has: always NULL.
    Guid,
}

/// What answers a rowset: what stands for its columns (those that it does not name are NULL), and what they are taken from,
/// up to a condition that others may follow.
struct Query {
    columns: &'static [(&'static str, &'static str)],
    from: &'static str,
    /// A condition that holds where no schema is asked for.
    home: Option<&'static str>,
}

/// How a family answers a rowset.
fn query(family: Family, rowset: &SchemaRowset) -> Option<&'static Query> {
    match family {
        Family::Postgres => postgres::query(rowset.name),
        Family::MySql => my_sql::query(rowset.name),
        Family::Sqlite => sqlite::query(rowset.name),
        Family::SqlServer => sql_server::query(rowset.name),
        _ => None,
    }
}

/// Whether a database of that family can answer.
///
/// # Errors
/// Unsupported: what it lacks.
pub(crate) fn supports(family: Family, rowset: &SchemaRowset) -> Outcome<()> {
    let tables = known::COLUMNS == rowset.name;
    let found = if tables {
        find("Tables").is_some_and(|t| query(family, t).is_some())
    } else {
        query(family, rowset).is_some()
    };
    match (found, family) {
        (true, _) => Ok(()),
        (false, Family::Postgres | Family::MySql | Family::Sqlite | Family::SqlServer) => {
            let name = match family {
                Family::Postgres => "PostgreSQL",
                Family::MySql => "MySQL and MariaDB",
                Family::Sqlite => "SQLite",
                _ => "SQL Server",
            };
            Err(DbError::unsupported(format!("the schema rowset {} is not supported for {name}", rowset.name)))
        }
        _ => Err(DbError::unsupported(format!("schema rowsets are not supported for databases of {family:?}'s kind"))),
    }
}

/// The rows of a rowset. `restrictions` go by their places; None restricts nothing. What the rowset lacks, and why, is added
/// to `left_out`.
///
/// # Errors
/// What the database says; Unsupported for a rowset that it does not have.
pub(crate) fn read(
    session: &mut dyn Session,
    rowset: &SchemaRowset,
    restrictions: &[Option<String>],
    left_out: &mut Vec<String>,
) -> Outcome<Vec<Vec<Value>>> {
    let family = session.dialect().family;
    supports(family, rowset)?;
    let mut rows = if rowset.name == known::COLUMNS {
        described::columns(session, rowset, restrictions, left_out)?
    } else {
        answered(session, rowset, restrictions)?
    };
    let keys = rowset.order;
    rows.sort_by(|a, b| keys.iter().map(|k| compare(&a[*k], &b[*k])).find(|o| o.is_ne()).unwrap_or(Ordering::Equal));
    Ok(rows)
}

/// NULL first, then by value; values of a column are of one type.
fn compare(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::Text(a), Value::Text(b)) => a.cmp(b),
        (Value::Null, Value::Null) => Ordering::Equal,
        (Value::Null, _) => Ordering::Less,
        (_, Value::Null) => Ordering::Greater,
        _ => number(a).cmp(&number(b)),
    }
}

/// Whether SQL Server's default schema is meant where it is not there: see [`Dialect::table`].
fn means_home(family: Family, column: &str, value: &str) -> bool {
    family == Family::MySql && column.ends_with("_SCHEMA") && value.eq_ignore_ascii_case("dbo")
}

/// The statement of a query, and its parameters.
fn statement(
    dialect: &Dialect,
    query: &Query,
    rowset: &SchemaRowset,
    restrictions: &[Option<String>],
) -> (String, Vec<Param>) {
    let given = |(at, column): (usize, &usize)| {
        let value = restrictions.get(at)?.as_deref()?;
        let (name, ty) = rowset.columns[*column];
        (ty == Ty::Text && !means_home(dialect.family, name, value)).then_some((name, value))
    };
    let given: Vec<(&str, &str)> = rowset.restrictions.iter().enumerate().filter_map(given).collect();
    // SQL Server reads the catalog of another database through its name.
    let catalog = given.iter().find(|(name, _)| dialect.family == Family::SqlServer && name.ends_with("_CATALOG"));
    let place = catalog.map(|(_, value)| format!("{}.", dialect.quote(value))).unwrap_or_default();
    let catalog_name = catalog.map_or("DB_NAME()".to_owned(), |(_, value)| format!("N'{}'", value.replace('\'', "''")));
    let fill = |text: &str| text.replace("{db}", &place).replace("{catalog}", &catalog_name);
    let columns =
        query.columns.iter().map(|(name, expression)| format!("{} AS {}", fill(expression), dialect.quote(name)));
    let mut sql = format!("SELECT {} FROM {}", columns.collect::<Vec<_>>().join(", "), fill(query.from));
    let mut params = Vec::new();
    let mut at_home = true;
    for (name, value) in given {
        at_home &= !name.ends_with("_SCHEMA");
        let through_name = !place.is_empty() && name.ends_with("_CATALOG");
        let Some((_, expression)) = query.columns.iter().find(|(n, _)| *n == name).filter(|_| !through_name) else {
            continue;
        };
        params.push(Param::input(DataType::WStr { len: 4000 }, Value::text(value)));
        let marker = if dialect.numbered_parameters { format!("${}", params.len()) } else { "?".to_owned() };
        sql.push_str(&format!(" AND {} = {marker}", fill(expression)));
    }
    if let Some(home) = query.home.filter(|_| at_home) {
        sql.push_str(&format!(" AND {home}"));
    }
    (sql, params)
}

/// What a query of the family says.
fn answered(
    session: &mut dyn Session,
    rowset: &SchemaRowset,
    restrictions: &[Option<String>],
) -> Outcome<Vec<Vec<Value>>> {
    let dialect = *session.dialect();
    let Some(query) = query(dialect.family, rowset) else { return Ok(Vec::new()) };
    let (sql, params) = statement(&dialect, query, rowset, restrictions);
    let places: Vec<usize> =
        query.columns.iter().filter_map(|(name, _)| rowset.columns.iter().position(|(n, _)| n == name)).collect();
    let mut cursor = session.query(&sql, &params, &StatementOptions::default())?;
    let mut out = Vec::new();
    while let Some(rows) = cursor.next()? {
        for row in 0..rows.len {
            let mut values = vec![Value::Null; rowset.columns.len()];
            for (place, (info, array)) in places.iter().zip(cursor.columns().iter().zip(&rows.columns)) {
                let value = scalar::value_at(array.as_ref(), &info.data_type, row);
                let value = value.map_err(|e| DbError::new(ErrorKind::Other, e.message()))?;
                values[*place] = of_type(value, rowset.columns[*place].1);
            }
            if fits(rowset, restrictions, &values) {
                out.push(values);
            }
        }
    }
    Ok(out)
}

/// Whether a row is what restrictions to numbers ask for; the database has seen to texts.
fn fits(rowset: &SchemaRowset, restrictions: &[Option<String>], values: &[Value]) -> bool {
    rowset.restrictions.iter().zip(restrictions).all(|(column, wanted)| {
        let wanted = wanted.as_deref().filter(|_| rowset.columns[*column].1 != Ty::Text);
        wanted.is_none_or(|wanted| number(&values[*column]).is_some_and(|n| wanted.trim().parse() == Ok(n)))
    })
}

fn number(value: &Value) -> Option<i64> {
    Some(match value {
        Value::Bool(v) => (*v).into(),
        Value::I1(v) => (*v).into(),
        Value::I2(v) => (*v).into(),
        Value::I4(v) => (*v).into(),
        Value::I8(v) | Value::Timestamp(v) => *v,
        Value::UI1(v) => (*v).into(),
        Value::UI2(v) => (*v).into(),
        Value::UI4(v) => (*v).into(),
        Value::UI8(v) => i64::try_from(*v).ok()?,
        Value::R8(v) => *v as i64,
        Value::Decimal(v, scale) => i64::try_from(*v / 10_i128.pow((*scale).into())).ok()?,
        Value::Text(v) => v.trim().parse().ok()?,
        _ => return None,
    })
}

/// A value in the type of its column; databases differ in what they count with. What does not fit is NULL.
fn of_type(value: Value, ty: Ty) -> Value {
    let converted = match ty {
        Ty::Text if matches!(value, Value::Text(_)) => Some(value),
        Ty::Text | Ty::Guid => None,
        Ty::Moment => match value {
            Value::Timestamp(_) => Some(value),
            Value::Ticks(ticks) => Some(Value::Timestamp(ticks.div_euclid(10))),
            _ => None,
        },
        Ty::Bool => number(&value).map(|n| Value::Bool(n != 0)),
        Ty::I2 => number(&value).and_then(|n| n.try_into().ok()).map(Value::I2),
        Ty::I4 => number(&value).and_then(|n| n.try_into().ok()).map(Value::I4),
        Ty::U2 => number(&value).and_then(|n| n.try_into().ok()).map(Value::UI2),
        Ty::U4 => number(&value).and_then(|n| n.try_into().ok()).map(Value::UI4),
        Ty::U8 => number(&value).and_then(|n| n.try_into().ok()).map(Value::UI8),
    };
    converted.unwrap_or(Value::Null)
}
