//! The ODBC side of databases, through the drivers of SQLite, PostgreSQL and MariaDB: many rows at a time, every type
//! there and back.

#![expect(clippy::unwrap_used, clippy::panic, reason = "everything here is a test")]

use arrow::array::{Array, ArrayRef};
use dtsx_components::db::{Database, ErrorKind, LoadColumn, LoadOptions, Rows, Session, StatementOptions, TableName};
use dtsx_engine::connections::ConnectionSpec;
use dtsx_engine::props::Origin;
use dtsx_engine::run::{RunOptions, Services};
use dtsx_engine::types::{DataType, Value, scalar};
use dtsx_tests::servers;

/// A database behind an ODBC driver.
struct Subject {
    name: &'static str,
    string: String,
    _server: Option<servers::Database>,
    _folder: Option<tempfile::TempDir>,
}

fn installed(library: &str) -> bool {
    let folders = ["/usr/lib/x86_64-linux-gnu/odbc", "/usr/lib/aarch64-linux-gnu/odbc", "/usr/lib/odbc"];
    folders.iter().any(|folder| std::path::Path::new(folder).join(library).exists())
}

fn subjects() -> Vec<Subject> {
    let mut subjects = Vec::new();
    if installed("libsqlite3odbc.so") {
        let folder = tempfile::tempdir().unwrap();
        // A key that the SQLite inside does not know sends it to the driver.
        let string = format!("Driver=SQLite3;Database={};FKSupport=1", folder.path().join("t.db").display());
        subjects.push(Subject { name: "sqlite", string, _server: None, _folder: Some(folder) });
    }
    if let Some(server) = servers::postgres() {
        let database = server.database().unwrap();
        let string = database.odbc();
        subjects.push(Subject { name: "postgres", string, _server: Some(database), _folder: None });
    }
    if let Some(server) = servers::mariadb() {
        let database = server.database().unwrap();
        let string = database.odbc();
        subjects.push(Subject { name: "mariadb", string, _server: Some(database), _folder: None });
    }
    subjects
}

fn services() -> Services {
    Services::new(RunOptions { threads: 1, ..RunOptions::default() }).unwrap()
}

fn database(string: &str, services: &Services) -> Database {
    let mut spec = ConnectionSpec { name: "Db".into(), kind: "OLEDB".into(), ..ConnectionSpec::default() };
    spec.properties.set_text("ConnectionString", string, Origin::Override);
    Database::of(&spec, services).unwrap()
}

fn run(session: &mut dyn Session, sql: &str) {
    session.execute(sql, &[], &StatementOptions::default()).unwrap_or_else(|e| panic!("{sql}: {e}"));
}

fn all(session: &mut dyn Session, sql: &str) -> Vec<Vec<Value>> {
    let mut cursor = session.query(sql, &[], &StatementOptions::default()).unwrap_or_else(|e| panic!("{sql}: {e}"));
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

fn number(value: &Value) -> i64 {
    match value {
        Value::I4(n) => i64::from(*n),
        Value::I8(n) => *n,
        other => panic!("{other:?} is no number"),
    }
}

fn numbers(session: &mut dyn Session, sql: &str) -> Vec<i64> {
    all(session, sql).iter().map(|row| number(&row[0])).collect()
}

fn rows_of(values: &[Vec<Value>], types: &[DataType]) -> Rows {
    let column = |at: usize| {
        let cells: Vec<ArrayRef> =
            values.iter().map(|row| scalar::array_of(&row[at], &types[at], 1).unwrap()).collect();
        let cells: Vec<&dyn Array> = cells.iter().map(AsRef::as_ref).collect();
        arrow::compute::concat(&cells).unwrap()
    };
    Rows::new(values.len(), (0..types.len()).map(column).collect())
}

const PAIR: [DataType; 2] = [DataType::I4, DataType::WStr { len: 200 }];

fn pair(id: i32, name: &str) -> Vec<Value> {
    vec![Value::I4(id), Value::text(name)]
}

fn columns() -> Vec<LoadColumn> {
    ["id", "name"].iter().zip(PAIR).map(|(n, data_type)| LoadColumn { name: (*n).into(), data_type }).collect()
}

/// Rows that the database refuses, in every place of what goes over in one go: exactly they are told, and exactly the
/// others are there, once.
#[test]
fn refused_rows_are_told_and_the_others_are_there_once() {
    let places: [&[usize]; 6] =
        [&[], &[0], &[2999], &[5, 6, 7], &[0, 1000, 1001, 2999], &[1, 4, 9, 16, 25, 36, 49, 64, 81, 100, 2500]];
    for subject in subjects() {
        let services = services();
        let database = database(&subject.string, &services);
        let mut session = database.lease().unwrap();
        let session = &mut *session;
        run(session, "create table t(id int not null primary key, name varchar(200))");
        for transaction in [true, false] {
            for bad in places {
                let context = format!("{} {transaction} {bad:?}", subject.name);
                run(session, "delete from t");
                run(session, "insert into t values (-1, 'there')");
                let count = if transaction { 3000 } else { 101 };
                let bad: Vec<usize> = bad.iter().copied().filter(|row| *row < count).collect();
                let row = |at: usize| {
                    let id = if bad.contains(&at) { -1 } else { at as i32 };
                    // Texts of different lengths, beyond ASCII and beyond 16 bits.
                    pair(id, &"xä🙂".repeat(at % 40))
                };
                let given = rows_of(&(0..count).map(row).collect::<Vec<_>>(), &PAIR);
                if transaction {
                    session.begin().unwrap();
                }
                let mut loader = session.loader(&TableName::parse("t"), &columns(), &LoadOptions::default()).unwrap();
                let failures = loader.write(&given).unwrap();
                loader.finish().unwrap();
                if transaction {
                    session.commit().unwrap();
                }
                let told: Vec<usize> = failures.iter().map(|f| f.row).collect();
                assert_eq!(told, bad, "{context}");
                assert!(failures.iter().all(|f| f.error.kind == ErrorKind::Constraint), "{context}: {failures:?}");
                let there = numbers(session, "select id from t where id >= 0 order by id");
                let expected: Vec<i64> = (0..count).filter(|at| !bad.contains(at)).map(|at| at as i64).collect();
                assert_eq!(there, expected, "{context}");
                let name = all(session, "select name from t where id = 98");
                assert_eq!(name, [[Value::text("xä🙂".repeat(98 % 40).as_str())]], "{context}");
            }
        }
    }
}

/// The same for statements that are no loads, some of whose rows touch nothing.
#[test]
fn statements_for_many_rows_fail_row_by_row() {
    for subject in subjects() {
        let services = services();
        let database = database(&subject.string, &services);
        let mut session = database.lease().unwrap();
        let session = &mut *session;
        run(session, "create table t(id int not null primary key, name varchar(200), unique (name))");
        for transaction in [true, false] {
            let context = format!("{} {transaction}", subject.name);
            run(session, "delete from t");
            session.begin().unwrap();
            let seed = rows_of(&(0..500).map(|id| pair(id, &format!("old{id}"))).collect::<Vec<_>>(), &PAIR);
            let mut loader = session.loader(&TableName::parse("t"), &columns(), &LoadOptions::default()).unwrap();
            assert_eq!(loader.write(&seed).unwrap(), []);
            loader.finish().unwrap();
            session.commit().unwrap();
            // Rows 10 and 300 want a name that is taken; rows from 450 on are not there.
            let new = |id: i32| match id {
                10 | 300 => "old499".to_owned(),
                _ => format!("new{id}"),
            };
            let types = [DataType::WStr { len: 200 }, DataType::I4];
            let given: Vec<Vec<Value>> = (0..450)
                .map(|id| vec![Value::text(new(id).as_str()), Value::I4(id)])
                .chain((1000..1050).map(|id| vec![Value::text("nobody"), Value::I4(id)]))
                .collect();
            if transaction {
                session.begin().unwrap();
            }
            let options = StatementOptions::default();
            let sql = "update t set name = ? where id = ?";
            let failures = session.execute_rows(sql, &rows_of(&given, &types), &types, &options).unwrap();
            if transaction {
                session.commit().unwrap();
            }
            assert_eq!(failures.iter().map(|f| f.row).collect::<Vec<_>>(), [10, 300], "{context}: {failures:?}");
            let old = numbers(session, "select id from t where name like 'old%' order by id");
            let expected: Vec<i64> = [10, 300].into_iter().chain(450..500).collect();
            assert_eq!(old, expected, "{context}");
        }
    }
}

/// A table whose engine undoes nothing: rows before one that fails must not be there twice.
#[test]
fn tables_without_transactions_get_each_row_once() {
    let Some(subject) = subjects().into_iter().find(|s| s.name == "mariadb") else { return };
    let services = services();
    let database = database(&subject.string, &services);
    let mut session = database.lease().unwrap();
    let session = &mut *session;
    run(session, "create table t(id int, name varchar(200), key (id)) engine=MyISAM");
    run(session, "create table u(id int not null primary key, name varchar(200)) engine=Aria");
    for table in ["t", "u"] {
        let mut values: Vec<Vec<Value>> = (0..50).map(|id| pair(id, "x")).collect();
        values[30] = if table == "t" { pair(30, &"long".repeat(51)) } else { pair(7, "twice") };
        session.begin().unwrap();
        let mut loader = session.loader(&TableName::parse(table), &columns(), &LoadOptions::default()).unwrap();
        let types = [DataType::I4, DataType::WStr { len: 4000 }];
        let failures = loader.write(&rows_of(&values, &types)).unwrap();
        loader.finish().unwrap();
        session.commit().unwrap();
        assert_eq!(failures.iter().map(|f| f.row).collect::<Vec<_>>(), [30], "{table}");
        assert_eq!(numbers(session, &format!("select count(*) from {table}")), [49], "{table}");
    }
}

/// Runs this test program again with other variables: drivers are looked up once a process.
fn again(test: &str, folder: &std::path::Path, extra: &[(&str, &str)]) {
    let program = std::env::current_exe().unwrap();
    let mut command = std::process::Command::new(program);
    command.args(["--exact", test, "--ignored", "--nocapture"]).env("ODBCSYSINI", folder).env_remove("ODBCINI");
    let output = command.env("HOME", folder).envs(extra.iter().copied()).output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

#[test]
fn drivers_and_data_sources_of_a_private_folder() {
    if !installed("libsqlite3odbc.so") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: String| std::fs::write(folder.path().join(name), text).unwrap();
    // As Debian registers them: a library without its folder.
    write("odbcinst.ini", "[My Lite]\nDriver=libsqlite3odbc.so\n\n[Gone]\nDriver=/nowhere/libgone.so\n".into());
    let path = |name: &str| folder.path().join(name).display().to_string();
    write(
        "odbc.ini",
        format!(
            "[ODBC Data Sources]\nstage=My Lite\n\n[Stage]\nDriver=My Lite\nDatabase={}\nFKSupport=1\n",
            path("s.db")
        ),
    );
    write(
        "own.ini",
        format!("[stage]\nDriver=My Lite\nDatabase={}\nFKSupport=1\nPassword=planted-secret\n", path("o.db")),
    );
    again("private_drivers", folder.path(), &[("DTSX_TEST_DB", path("s.db").as_str())]);
    let own = path("own.ini");
    again("private_drivers", folder.path(), &[("ODBCINI", own.as_str()), ("DTSX_TEST_DB", path("o.db").as_str())]);
}

/// What [`drivers_and_data_sources_of_a_private_folder`] runs in a process of its own.
#[test]
#[ignore = "run by another test, with its variables"]
fn private_drivers() {
    let file = std::env::var("DTSX_TEST_DB").unwrap();
    let services = services();
    for (at, string) in [
        "DSN=Stage".to_owned(),
        "Dsn=stage;Timeout=100".to_owned(),
        format!("Driver={{My Lite}};Database={file};FKSupport=1"),
        format!("Driver=my lite;Database={file};FKSupport=1"),
        format!("Driver=libsqlite3odbc.so;Database={file};FKSupport=1"),
        "Provider=MSDASQL.1;Data Source=Stage".to_owned(),
    ]
    .iter()
    .enumerate()
    {
        let database = database(string, &services);
        let mut session = database.lease().unwrap_or_else(|e| panic!("{string}: {e}"));
        run(&mut *session, "create table if not exists t(id int)");
        run(&mut *session, &format!("insert into t values ({at})"));
        assert!(std::path::Path::new(&file).exists(), "{string}");
        assert!(!format!("{:?}", database.target()).contains("planted"), "{string}");
    }
    let database = database("DSN=stage", &services);
    let mut session = database.lease().unwrap();
    assert_eq!(numbers(&mut *session, "select id from t order by id"), [0, 1, 2, 3, 4, 5]);
    // What is not there is told with what is.
    let refused = |string: &str| {
        let mut spec = ConnectionSpec { name: "Db".into(), kind: "ODBC".into(), ..ConnectionSpec::default() };
        spec.properties.set_text("ConnectionString", string, Origin::Override);
        let error = Database::of(&spec, &services).and_then(|d| d.lease().map(drop)).unwrap_err();
        assert_eq!(error.kind, ErrorKind::NoDriver, "{error}");
        error.to_string()
    };
    let said = refused("DSN=Elsewhere;UID=me;PWD=planted-secret");
    assert!(
        said.contains("\"Elsewhere\"") && said.to_lowercase().contains("stage") && !said.contains("planted"),
        "{said}"
    );
    let said = refused("Driver={ODBC Driver 18 for SQL Server};Server=db;UID=me;PWD=planted-secret");
    assert!(said.contains("My Lite") && said.contains("odbcinst.ini") && !said.contains("planted"), "{said}");
    assert!(said.contains("install"), "{said}");
    let said = refused("Driver=Gone;Server=db");
    assert!(said.contains("/nowhere/libgone.so") && said.contains("odbcinst.ini"), "{said}");
}
