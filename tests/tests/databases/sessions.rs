//! Sessions with the databases of tests: opened by a connection string, loaded, and read.

use arrow::array::{Array, ArrayRef};
use dtsx_components::db::{
    Database, DbError, ErrorKind, Lease, LoadColumn, LoadOptions, Outcome, Param, Rows, Session, StatementOptions,
    TableName,
};
use dtsx_engine::connections::ConnectionSpec;
use dtsx_engine::props::Origin;
use dtsx_engine::run::{RunOptions, Services};
use dtsx_engine::types::{DataType, Value, scalar};
use dtsx_tests::servers;
use std::time::{Duration, Instant};

/// 2024-02-29 12:34:56.789, in microseconds.
pub const MOMENT: i64 = 1_709_210_096_789_000;

pub fn services() -> Services {
    Services::new(RunOptions { threads: 1, ..RunOptions::default() }).unwrap()
}

/// What a connection manager of a kind (`OLEDB`, `ODBC`) with that connection string reaches.
pub fn reach(kind: &str, string: &str, services: &Services) -> Outcome<Database> {
    let mut spec = ConnectionSpec { name: "Db".into(), kind: kind.into(), ..ConnectionSpec::default() };
    spec.properties.set_text("ConnectionString", string, Origin::Override);
    Database::of(&spec, services)
}

/// A session by a connection string, for a run of its own.
pub fn lease(string: &str) -> Outcome<Lease> {
    reach("OLEDB", string, &services())?.lease()
}

/// Runs a statement: the rows that it touched, as far as they are counted.
pub fn run(session: &mut dyn Session, sql: &str) -> Option<u64> {
    session.execute(sql, &[], &StatementOptions::default()).unwrap_or_else(|e| panic!("{sql}: {e}")).rows
}

/// All rows of a query.
pub fn all(session: &mut dyn Session, sql: &str) -> Vec<Vec<Value>> {
    all_as(session, sql, &[], None)
}

/// All rows of a query with parameters; `wish` asks for types first.
pub fn all_as(session: &mut dyn Session, sql: &str, params: &[Param], wish: Option<&[DataType]>) -> Vec<Vec<Value>> {
    let mut cursor = session.query(sql, params, &StatementOptions::default()).unwrap_or_else(|e| panic!("{sql}: {e}"));
    if let Some(types) = wish {
        let wishes: Vec<Option<DataType>> = types.iter().copied().map(Some).collect();
        cursor.wish(&wishes).unwrap();
    }
    let mut out = Vec::new();
    while let Some(rows) = cursor.next().unwrap_or_else(|e| panic!("{sql}: {e}")) {
        let types: Vec<DataType> = cursor.columns().iter().map(|c| c.data_type).collect();
        for row in 0..rows.len {
            let value = |(c, t): (&ArrayRef, &DataType)| scalar::value_at(c.as_ref(), t, row).unwrap();
            out.push(rows.columns.iter().zip(&types).map(value).collect());
        }
    }
    out
}

/// The rows of a query: each value as text, or its fault; `wish` asks for a type of all columns.
pub fn read(session: &mut dyn Session, sql: &str, wish: Option<DataType>) -> Vec<Vec<String>> {
    let mut cursor = session.query(sql, &[], &StatementOptions::default()).unwrap_or_else(|e| panic!("{sql}: {e}"));
    if let Some(wish) = wish {
        let wishes = vec![Some(wish); cursor.columns().len()];
        cursor.wish(&wishes).unwrap();
    }
    let mut out = Vec::new();
    while let Some(rows) = cursor.next().unwrap_or_else(|e| panic!("{sql}: {e}")) {
        let types: Vec<DataType> = cursor.columns().iter().map(|c| c.data_type).collect();
        for row in 0..rows.len {
            let value = |(at, (column, data_type)): (usize, (&ArrayRef, &DataType))| {
                if rows.faults_of(at).iter().any(|f| f.row as usize == row) {
                    assert!(column.is_null(row));
                    return "fault".to_owned();
                }
                match scalar::value_at(column.as_ref(), data_type, row).unwrap() {
                    Value::Text(text) => text.to_string(),
                    other => format!("{other:?}"),
                }
            };
            out.push(rows.columns.iter().zip(&types).enumerate().map(value).collect());
        }
    }
    out
}

/// How long each answer of a statement is waited for.
pub fn seconds(seconds: i64) -> StatementOptions {
    StatementOptions::default().with_timeout_seconds(seconds)
}

/// Reads a query whose answers are waited for a second at most, and takes longer than that between two blocks; how many
/// rows came.
pub fn read_slowly(session: &mut dyn Session, sql: &str) -> usize {
    let options = StatementOptions { block_rows: 1000, ..seconds(1) };
    let mut cursor = session.query(sql, &[], &options).unwrap_or_else(|e| panic!("{sql}: {e}"));
    let mut rows = 0;
    while let Some(block) = cursor.next().unwrap_or_else(|e| panic!("{sql}, after {rows} rows: {e}")) {
        if rows == 0 {
            std::thread::sleep(Duration::from_secs(3));
        }
        rows += block.len;
    }
    rows
}

/// Begins a load in a transaction and has the server end the connection: what is said of the rows that follow.
pub fn load_cut_off(database: &servers::Database, session: &mut dyn Session) -> DbError {
    let types = [DataType::I4, DataType::NText];
    let row = vec![Value::I4(1), Value::text("x".repeat(100_000))];
    let rows = rows_of(&vec![row; 300], &types);
    session.begin().unwrap();
    let columns = load_columns(&["id", "v"], &types);
    let mut loader = session.loader(&TableName::parse("t"), &columns, &LoadOptions::default()).unwrap();
    assert!(loader.write(&rows).unwrap().is_empty());
    database.kill_connections().unwrap();
    let started = Instant::now();
    let error = loader.write(&rows).unwrap_err();
    assert!(started.elapsed() < Duration::from_secs(5));
    assert_eq!(error.kind, ErrorKind::Lost, "{error}");
    error
}

/// Columns to load.
pub fn load_columns(names: &[&str], types: &[DataType]) -> Vec<LoadColumn> {
    names.iter().zip(types).map(|(name, t)| LoadColumn { name: (*name).into(), data_type: *t }).collect()
}

/// Rows to load, each of values of these types.
pub fn rows_of(values: &[Vec<Value>], types: &[DataType]) -> Rows {
    let column = |at: usize| {
        let cells: Vec<ArrayRef> =
            values.iter().map(|row| scalar::array_of(&row[at], &types[at], 1).unwrap()).collect();
        let cells: Vec<&dyn Array> = cells.iter().map(AsRef::as_ref).collect();
        arrow::compute::concat(&cells).unwrap()
    };
    Rows::new(values.len(), (0..types.len()).map(column).collect())
}
