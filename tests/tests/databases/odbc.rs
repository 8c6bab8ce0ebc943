//! The ODBC side of databases, through the drivers of SQLite, PostgreSQL and MariaDB, and MariaDB by its own protocol beside
//! them: many rows at a time, every type there and back.

use crate::sessions::{MOMENT, all, lease, load_columns, reach, rows_of, run, seconds, services};
use dtsx_components::db::{
    Direction, ErrorKind, LoadColumn, LoadOptions, Param, Relation, Session, StatementOptions, TableName,
};
use dtsx_engine::types::{DataType, Value};
use dtsx_tests::servers;
use std::path::Path;

/// A database behind an ODBC driver.
struct Subject {
    name: &'static str,
    string: String,
    _server: Option<servers::Database>,
    _folder: Option<tempfile::TempDir>,
}

fn installed(library: &str) -> bool {
    let folders = ["/usr/lib/x86_64-linux-gnu/odbc", "/usr/lib/aarch64-linux-gnu/odbc", "/usr/lib/odbc"];
    folders.iter().any(|folder| Path::new(folder).join(library).exists())
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
        for (name, own) in [("mariadb", false), ("mariadb itself", true)] {
            let database = server.database().unwrap();
            let string = if own { database.url() } else { database.odbc() };
            subjects.push(Subject { name, string, _server: Some(database), _folder: None });
        }
    }
    subjects
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

const PAIR: [DataType; 2] = [DataType::I4, DataType::WStr { len: 200 }];

fn pair(id: i32, name: &str) -> Vec<Value> {
    vec![Value::I4(id), Value::text(name)]
}

fn columns() -> Vec<LoadColumn> {
    load_columns(&["id", "name"], &PAIR)
}

/// Rows that the database refuses, in every place of what goes over in one go: exactly they are told, and exactly the
/// others are there, once.
#[test]
fn refused_rows_are_told_and_the_others_are_there_once() {
    let places: [&[usize]; 6] =
        [&[], &[0], &[2999], &[5, 6, 7], &[0, 1000, 1001, 2999], &[1, 4, 9, 16, 25, 36, 49, 64, 81, 100, 2500]];
    for subject in subjects() {
        let mut session = lease(&subject.string).unwrap();
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

/// Rows of forty columns: a statement has more parameters than some drivers can take unless its rows are counted.
#[test]
fn wide_rows_are_loaded_in_statements_that_the_driver_takes() {
    const COLUMNS: usize = 40;
    const ROWS: usize = 1500;
    for subject in subjects() {
        let mut session = lease(&subject.string).unwrap();
        let session = &mut *session;
        let names: Vec<String> = (0..COLUMNS).map(|n| format!("c{n}")).collect();
        run(session, &format!("create table wide({})", names.join(" int, ") + " int"));
        let row = |at: usize| (0..COLUMNS).map(|n| Value::I4((at * COLUMNS + n) as i32)).collect::<Vec<_>>();
        let given = rows_of(&(0..ROWS).map(row).collect::<Vec<_>>(), &[DataType::I4; COLUMNS]);
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let columns = load_columns(&names, &[DataType::I4; COLUMNS]);
        session.begin().unwrap();
        let mut loader = session.loader(&TableName::parse("wide"), &columns, &LoadOptions::default()).unwrap();
        assert_eq!(loader.write(&given).unwrap(), [], "{}", subject.name);
        loader.finish().unwrap();
        session.commit().unwrap();
        assert_eq!(numbers(session, "select count(*) from wide"), [ROWS as i64], "{}", subject.name);
        let last = (ROWS * COLUMNS) as i64 - 1;
        assert_eq!(numbers(session, "select max(c39) from wide"), [last], "{}", subject.name);
        assert_eq!(numbers(session, "select count(distinct c0) from wide"), [ROWS as i64], "{}", subject.name);
    }
}

/// The same for statements that are no loads, some of whose rows touch nothing.
#[test]
fn statements_for_many_rows_fail_row_by_row() {
    for subject in subjects() {
        let mut session = lease(&subject.string).unwrap();
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
    for subject in subjects().into_iter().filter(|s| s.name.starts_with("mariadb")) {
        let mut session = lease(&subject.string).unwrap();
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
}

/// Runs this test program again with other variables: drivers are looked up once a process.
fn again(test: &str, folder: &Path, extra: &[(&str, &str)]) {
    let program = std::env::current_exe().unwrap();
    let mut command = std::process::Command::new(program);
    command.args(["--exact", test, "--nocapture"]).env("ODBCSYSINI", folder).env_remove("ODBCINI");
    let output = command.env("HOME", folder).envs(extra.iter().copied()).output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

/// Names the file of the database to a process that [`again`] starts.
const PRIVATE: &str = "DTSX_TEST_DB";

#[test]
fn drivers_and_data_sources_of_a_private_folder() {
    if let Ok(file) = std::env::var(PRIVATE) {
        return private_drivers(&file);
    }
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
    let test = "odbc::drivers_and_data_sources_of_a_private_folder";
    again(test, folder.path(), &[(PRIVATE, &path("s.db"))]);
    again(test, folder.path(), &[("ODBCINI", &path("own.ini")), (PRIVATE, &path("o.db"))]);
}

/// What [`drivers_and_data_sources_of_a_private_folder`] does in a process of its own.
fn private_drivers(file: &str) {
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
        let database = reach("OLEDB", string, &services).unwrap();
        let mut session = database.lease().unwrap_or_else(|e| panic!("{string}: {e}"));
        run(&mut *session, "create table if not exists t(id int)");
        run(&mut *session, &format!("insert into t values ({at})"));
        assert!(Path::new(file).exists(), "{string}");
        assert!(!format!("{:?}", database.target()).contains("planted"), "{string}");
    }
    let mut session = lease("DSN=stage").unwrap();
    assert_eq!(numbers(&mut *session, "select id from t order by id"), [0, 1, 2, 3, 4, 5]);
    // What is not there is told with what is.
    let refused = |string: &str| {
        let error = reach("ODBC", string, &services).and_then(|d| d.lease().map(drop)).unwrap_err();
        assert_eq!(error.kind, ErrorKind::NoDriver, "{error}");
        error.to_string()
    };
    let said = refused("DSN=Elsewhere;UID=me;PWD=planted-secret");
    assert!(
        said.contains("\"Elsewhere\"") && said.to_lowercase().contains("stage") && !said.contains("planted"),
        "{said}"
    );
    let said = refused("Driver={Oracle in OraClient19Home1};DBQ=db;UID=me;PWD=planted-secret");
    assert!(said.contains("My Lite") && said.contains("odbcinst.ini") && !said.contains("planted"), "{said}");
    assert!(said.contains("install"), "{said}");
    let said = refused("Driver=Gone;Server=db");
    assert!(said.contains("/nowhere/libgone.so") && said.contains("odbcinst.ini"), "{said}");
}

fn texts() -> Vec<Value> {
    ["", " ", "x", "ä ö", "東京 – Köln", "🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂", "a\tb\nc", "it's \"so\" \\ %", "NULL"]
        .map(Value::text)
        .to_vec()
}

fn long_texts() -> Vec<Value> {
    let long = |piece: &str, bytes: usize| Value::text(piece.repeat(bytes / piece.len()).as_str());
    vec![
        Value::text(""),
        Value::text("short"),
        long("ä🙂x", 9000),
        long("0123456789", 70_000),
        long("Zeile ü\n", 5 << 20),
    ]
}

fn bytes(values: &[&[u8]]) -> Vec<Value> {
    values.iter().map(|b| Value::Bytes(std::sync::Arc::from(*b))).collect()
}

/// A type of a database, the type of the columns that go in, and values of it.
type Kind = (&'static str, DataType, Vec<Value>);

fn kinds(subject: &str) -> Vec<Kind> {
    let numeric = |precision, scale| DataType::Numeric { precision, scale };
    let ticks = |micros: i64| Value::Ticks(micros * 10);
    let mut kinds: Vec<Kind> = vec![
        ("smallint", DataType::I2, vec![Value::I2(i16::MIN), Value::I2(0), Value::I2(i16::MAX)]),
        ("int", DataType::I4, vec![Value::I4(i32::MIN), Value::I4(-1), Value::I4(i32::MAX)]),
        ("bigint", DataType::I8, vec![Value::I8(i64::MIN), Value::I8(0), Value::I8(i64::MAX)]),
        (
            "double precision",
            DataType::R8,
            [0.0, -0.5, 0.1, 1.0e300, f64::MAX, f64::MIN_POSITIVE, 1.0 / 3.0].map(Value::R8).to_vec(),
        ),
        ("decimal(15,2)", numeric(15, 2), [0, -1, 1, 99, 999_999_999_999_999].map(|v| Value::Decimal(v, 2)).to_vec()),
        ("varchar(20)", DataType::WStr { len: 20 }, texts()),
        ("varchar(20)", DataType::Str { len: 20, code_page: 1252 }, vec![Value::text(""), Value::text("naïve €")]),
        ("date", DataType::DbDate, [0, -25_000, 19_782, 2_932_896].map(Value::Days).to_vec()),
    ];
    let longest = numeric(38, 10);
    let large = [0, 1, -12_345_678_901_234_567_890_123, 99_999_999_999_999_999_999_999_999_999_999_999_999];
    let large = large.map(|v: i128| Value::Decimal(v, 10)).to_vec();
    let moments: Vec<Value> = [0, MOMENT, -1_000, 253_402_300_799_999_000].map(Value::Timestamp).to_vec();
    let guid = |b: u8| Value::Guid([b, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]);
    let blobs = bytes(&[b"", b"\0", &[0, 255, 7, 26, 39, 92], &[7; 20_000]]);
    match subject {
        "mariadb" | "mariadb itself" => kinds.extend([
            ("tinyint", DataType::I1, vec![Value::I1(i8::MIN), Value::I1(0), Value::I1(i8::MAX)]),
            ("tinyint unsigned", DataType::UI1, vec![Value::UI1(0), Value::UI1(255)]),
            ("smallint unsigned", DataType::UI2, vec![Value::UI2(0), Value::UI2(u16::MAX)]),
            ("int unsigned", DataType::UI4, vec![Value::UI4(0), Value::UI4(u32::MAX)]),
            ("bigint unsigned", DataType::UI8, vec![Value::UI8(0), Value::UI8(u64::MAX)]),
            ("bit(1)", DataType::Bool, vec![Value::Bool(true), Value::Bool(false)]),
            ("float", DataType::R4, [0.0, 0.1, -1.5e30].map(Value::R4).to_vec()),
            ("decimal(38,10)", longest, large),
            ("datetime(3)", DataType::DbTimeStamp, moments),
            ("datetime(6)", DataType::DbTimeStamp2 { scale: 6 }, vec![ticks(MOMENT + 123), ticks(0)]),
            ("time", DataType::DbTime, vec![Value::Time(0), Value::Time(86_399_000_000_000)]),
            ("time(6)", DataType::DbTime2 { scale: 6 }, vec![Value::Time(1_000), Value::Time(86_399_999_999_000)]),
            ("uuid", DataType::Guid, vec![guid(0), guid(255)]),
            ("longtext", DataType::NText, long_texts()),
            ("varbinary(30)", DataType::Bytes { len: 30 }, blobs[..3].to_vec()),
            ("longblob", DataType::Image, blobs),
        ]),
        "postgres" => kinds.extend([
            ("boolean", DataType::Bool, vec![Value::Bool(true), Value::Bool(false)]),
            ("real", DataType::R4, [0.0, 0.1, -1.5e30].map(Value::R4).to_vec()),
            ("decimal(38,10)", longest, large),
            ("timestamp(3)", DataType::DbTimeStamp, moments),
            ("timestamp(6)", DataType::DbTimeStamp2 { scale: 6 }, vec![ticks(MOMENT + 123), ticks(0)]),
            ("time(0)", DataType::DbTime, vec![Value::Time(0), Value::Time(86_399_000_000_000)]),
            ("time(6)", DataType::DbTime2 { scale: 6 }, vec![Value::Time(1_000), Value::Time(86_399_999_999_000)]),
            ("uuid", DataType::Guid, vec![guid(0), guid(255)]),
            ("text", DataType::NText, long_texts()),
            ("bytea", DataType::Image, blobs),
        ]),
        _ => {
            // Its driver reads numbers through texts of 15 digits; the SQLite inside this program does not.
            kinds.retain(|(native, ..)| *native != "double precision");
            let doubles = [0.0, -0.5, 0.1, 1.0e300].map(Value::R8).to_vec();
            kinds.extend([("double precision", DataType::R8, doubles)]);
            kinds.extend([
                ("datetime", DataType::DbTimeStamp, moments[..3].to_vec()),
                ("text", DataType::NText, long_texts()),
                // What is declared binds nobody there.
                ("varchar(5)", DataType::NText, long_texts()[..3].to_vec()),
                ("blob", DataType::Image, blobs),
            ])
        }
    }
    kinds
}

/// Equal as values, in whatever type they come back.
fn same(back: &Value, given: &Value) -> bool {
    match (back, given) {
        (Value::Decimal(a, s), Value::Decimal(b, t)) if s >= t => {
            b.checked_mul(10_i128.pow(u32::from(s - t))) == Some(*a)
        }
        (Value::R8(a), Value::Decimal(b, t)) => (a - *b as f64 / 10_f64.powi(i32::from(*t))).abs() <= a.abs() * 1e-14,
        (Value::Text(a), Value::Decimal(b, t)) => a.parse() == Ok(*b as f64 / 10_f64.powi(i32::from(*t))),
        (Value::Ticks(a), Value::Timestamp(b)) => *a == b * 10,
        (Value::Timestamp(a), Value::Ticks(b)) => a * 10 == *b,
        (Value::Text(a), Value::Guid(b)) => {
            Value::text(format!("{{{a}}}").to_uppercase().as_str()) == Value::text(braced(b).as_str())
        }
        (a, b) => a == b,
    }
}

fn braced(guid: &[u8; 16]) -> String {
    let mut text = String::from("{");
    for (at, byte) in guid.iter().enumerate() {
        text += if matches!(at, 4 | 6 | 8 | 10) { "-" } else { "" };
        text += &format!("{byte:02X}");
    }
    text + "}"
}

#[test]
fn every_type_goes_there_and_comes_back() {
    let mut wrong = Vec::new();
    for subject in subjects() {
        let mut session = lease(&subject.string).unwrap();
        let session = &mut *session;
        for (at, (native, data_type, values)) in kinds(subject.name).into_iter().enumerate() {
            let table = format!("k{at}");
            run(session, &format!("create table {table}(id int not null primary key, v {native})"));
            let types = [DataType::I4, data_type];
            // A NULL between all others, and one at the end.
            let mut values: Vec<Value> = values.into_iter().flat_map(|v| [v, Value::Null]).collect();
            values.insert(0, Value::Null);
            let rows: Vec<Vec<Value>> =
                values.iter().enumerate().map(|(id, v)| vec![Value::I4(id as i32), v.clone()]).collect();
            let columns = load_columns(&["id", "v"], &types);
            session.begin().unwrap();
            let mut loader = session.loader(&TableName::parse(&table), &columns, &LoadOptions::default()).unwrap();
            let failures =
                loader.write(&rows_of(&rows, &types)).unwrap_or_else(|e| panic!("{} {native}: {e}", subject.name));
            loader.finish().unwrap();
            session.commit().unwrap();
            if !failures.is_empty() {
                wrong.push(format!("{} {native} {data_type}: {failures:?}", subject.name));
                continue;
            }
            let back = all(session, &format!("select v from {table} order by id"));
            let shown = |v: &Value| format!("{v:?}").chars().take(120).collect::<String>();
            assert_eq!(back.len(), values.len());
            for (back, given) in back.iter().zip(&values) {
                if !same(&back[0], given) {
                    wrong.push(format!(
                        "{} {native} {data_type}: {} for {}",
                        subject.name,
                        shown(&back[0]),
                        shown(given)
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_null_gives_way_to_a_default_unless_nulls_are_kept() {
    for subject in subjects().into_iter().filter(|s| s.name != "sqlite") {
        let mut session = lease(&subject.string).unwrap();
        run(&mut *session, "create table t(id int not null, n int default 7, s varchar(9) default 'x', plain int)");
        let columns = session.describe(&Relation::Table(&TableName::parse("t"))).unwrap();
        let has: Vec<bool> = columns.iter().map(|c| c.default.is_some()).collect();
        assert_eq!(has, [false, true, true, false], "{}: {columns:?}", subject.name);
    }
}

#[test]
fn what_procedures_give_back_is_there() {
    for subject in subjects().into_iter().filter(|s| s.name.starts_with("mariadb")) {
        let mut session = lease(&subject.string).unwrap();
        let session = &mut *session;
        run(
            session,
            "create procedure p(in a bigint, out b bigint, inout t varchar(50), out at datetime(3), out d decimal(10,2), out n int)
             begin select 1 as one, 2 as two; set b = a * 2; set t = concat(t, ' 🙂 ', a); set at = '2024-02-29 12:34:56.789';
             set d = -12.5; end",
        );
        let param = |direction, data_type, value| Param { name: None, direction, data_type, value };
        let params = [
            Param::input(DataType::I8, Value::I8(21)),
            param(Direction::Output, DataType::I4, Value::Null),
            param(Direction::InputOutput, DataType::WStr { len: 50 }, Value::text("grüß")),
            param(Direction::Output, DataType::DbTimeStamp, Value::Null),
            param(Direction::Output, DataType::Numeric { precision: 10, scale: 2 }, Value::Null),
            param(Direction::Output, DataType::I4, Value::Null),
        ];
        let expected = [
            Value::Null,
            Value::I4(42),
            Value::text("grüß 🙂 21"),
            Value::Timestamp(MOMENT),
            Value::Decimal(-1250, 2),
            Value::Null,
        ];
        let options = StatementOptions::default();
        for sql in [
            "{CALL p(?, ?, ?, ?, ?, ?)}",
            "CALL p(?, ?, ?, ?, ?, ?)",
            "EXEC [dbo].[p] ?, ? OUTPUT, ? OUTPUT, ? OUTPUT, ? OUTPUT, ? OUT",
        ] {
            let sql = session.dialect().translate(sql).into_owned();
            let executed = session.execute(&sql, &params, &options).unwrap_or_else(|e| panic!("{sql}: {e}"));
            assert_eq!(executed.outputs, expected, "{sql}");
            // With the rows that it yields before.
            let mut cursor = session.query(&sql, &params, &options).unwrap();
            assert_eq!(cursor.columns().len(), 2);
            assert_eq!(cursor.next().unwrap().unwrap().len, 1);
            assert_eq!(cursor.finish().unwrap().outputs, expected, "{sql}");
        }
        let returned = [param(Direction::ReturnValue, DataType::I4, Value::Null)];
        let error = session.execute("EXEC ? = p", &returned, &options).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unsupported, "{error}");
    }
}

#[test]
fn passwords_with_special_characters_open_a_session() {
    let Some(server) = servers::mariadb() else { return };
    let database_there = server.database().unwrap();
    for (at, password) in ["p;w", "p}w", "{pw", " pw ", "p=w'\"", "pässwörd 🙂"].iter().enumerate() {
        let user = format!("u{at}_{}", std::process::id());
        let said = password.replace('\'', "''");
        let sql = format!("create user '{user}'@'%' identified by '{said}'; grant all on *.* to '{user}'@'%'");
        database_there.sql(&sql).unwrap();
        let escaped = password.replace('}', "}}");
        let by_driver = database_there.odbc();
        let by_driver = by_driver.split("Uid=").next().unwrap();
        let strings = [by_driver.to_owned(), by_driver.replace("NO_CACHE=1;", "")];
        let sessions = strings.map(|string| {
            let services = services();
            let database = reach("OLEDB", &format!("{string}Uid={user};Pwd={{{escaped}}}"), &services).unwrap();
            (database.target().driver.name(), database.lease().map(drop))
        });
        database_there.sql(&format!("drop user '{user}'@'%'")).unwrap();
        for (driver, session) in sessions {
            if password.starts_with(' ') && driver == "ODBC" {
                // The driver takes the blanks away: better no session than a wrong password.
                let error = session.unwrap_err().to_string();
                assert!(error.contains("Pwd") && error.contains("blanks"), "{error}");
                continue;
            }
            session.unwrap_or_else(|e| panic!("{driver} {password}: {e}"));
        }
    }
}

/// A deadlock undoes the whole transaction: what the database did of the rows before is gone, and says so.
#[test]
fn a_query_ends_within_its_time() {
    for subject in subjects() {
        let slow = match subject.name {
            "sqlite" => continue,
            "postgres" => "select count(*) from generate_series(1, 1000000000) a(n)",
            _ => "select count(*) from seq_1_to_100000000 a, seq_1_to_100000000 b",
        };
        let mut session = lease(&subject.string).unwrap();
        let found = session.query(slow, &[], &seconds(1)).and_then(|mut cursor| cursor.next());
        let error = found.err().unwrap();
        assert!(matches!(error.kind, ErrorKind::Timeout | ErrorKind::Cancelled), "{}: {error:?}", subject.name);
        if subject.name.starts_with("mariadb") {
            assert_eq!(error.kind, ErrorKind::Timeout, "{}: {error}", subject.name);
        }
        assert_eq!(numbers(&mut *session, "select 7"), [7], "{}", subject.name);
    }
}

#[test]
fn a_deadlock_is_no_rows_failure() {
    for subject in subjects().into_iter().filter(|s| s.name.starts_with("mariadb")) {
        for doing in ["load", "update", "call"] {
            let context = format!("{} {doing}", subject.name);
            let (mut here, mut there) = (lease(&subject.string).unwrap(), lease(&subject.string).unwrap());
            let watching = &mut *lease(&subject.string).unwrap();
            run(&mut *here, "drop table if exists t, heavy");
            run(&mut *here, "create table t(id int not null primary key, name varchar(200)) engine=InnoDB");
            run(&mut *here, "create table heavy(id int not null) engine=InnoDB");
            run(&mut *here, "create or replace procedure p(v varchar(200), k int) update t set name = v where id = k");
            if doing != "load" {
                run(&mut *here, "insert into t select seq, 'old' from seq_1_to_100");
            }
            // The other one has done more, and so it is this one that the server ends.
            there.begin().unwrap();
            run(&mut *there, "insert into heavy select seq from seq_1_to_5000");
            let (theirs, wanted) = match doing {
                "load" => ("insert into t values (50, 'theirs')", "insert into t values (1, 'theirs')"),
                _ => ("update t set name = 'theirs' where id = 50", "update t set name = 'theirs' where id = 1"),
            };
            run(&mut *there, theirs);
            here.begin().unwrap();
            // The server gives the same answer again to who asks more often.
            let pause = || std::thread::sleep(std::time::Duration::from_millis(250));
            let waiting = "select count(*) from information_schema.innodb_lock_waits";
            while numbers(watching, waiting) != [0] {
                pause();
            }
            let ended = std::thread::scope(|scope| {
                let (here, there) = (&mut here, &mut there);
                let first = scope.spawn(move || {
                    let options = StatementOptions::default();
                    if doing == "load" {
                        let rows = rows_of(&(1..=100).map(|id| pair(id, "ours")).collect::<Vec<_>>(), &PAIR);
                        let mut loader = here.loader(&TableName::parse("t"), &columns(), &LoadOptions::default())?;
                        return loader.write(&rows);
                    }
                    let types = [DataType::WStr { len: 200 }, DataType::I4];
                    let given: Vec<Vec<Value>> = (1..=100).map(|id| vec![Value::text("ours"), Value::I4(id)]).collect();
                    let sql = if doing == "call" { "call p(?, ?)" } else { "update t set name = ? where id = ?" };
                    here.execute_rows(sql, &rows_of(&given, &types), &types, &options)
                });
                let begun = std::time::Instant::now();
                while numbers(watching, waiting) == [0] && begun.elapsed().as_secs() < 20 {
                    pause();
                }
                run(&mut **there, wanted);
                // Whoever tries again waits no longer.
                there.commit().unwrap();
                first.join().unwrap()
            });
            let error = ended.expect_err(&context);
            assert!(matches!(error.kind, ErrorKind::Busy | ErrorKind::Undone), "{context}: {error}");
            assert!(error.to_string().contains("Deadlock"), "{context}: {error}");
        }
    }
}

#[test]
fn a_transaction_that_a_query_begins_is_open() {
    for subject in subjects() {
        let mut session = lease(&subject.string).unwrap();
        let session = &mut *session;
        run(session, "create table t(id int)");
        for (begin, end) in [("begin", "rollback"), ("begin", "commit")] {
            drop(session.query(begin, &[], &StatementOptions::default()).unwrap());
            assert!(session.in_transaction(), "{} {begin}", subject.name);
            run(session, "insert into t values (1)");
            drop(session.query(end, &[], &StatementOptions::default()).unwrap());
            assert!(!session.in_transaction(), "{} {end}", subject.name);
        }
        assert_eq!(numbers(session, "select count(*) from t"), [1], "{}", subject.name);
    }
}
