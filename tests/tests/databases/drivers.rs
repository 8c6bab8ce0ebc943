//! Drivers of databases against the contract of sessions, on real servers: the embedded SQLite, and PostgreSQL and
//! MariaDB through ODBC and through their own protocols.

use crate::sessions::{MOMENT, all_as, lease, load_columns, reach, rows_of, run, services};
use dtsx_components::db::{ErrorKind, LoadOptions, Param, Relation, StatementOptions, TableName};
use dtsx_engine::types::{DataType, Value};
use dtsx_tests::servers;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A database to be tested, and how to seed it.
struct Subject {
    name: &'static str,
    string: String,
    /// A type of each kind, in the words of this database.
    types: Vec<(&'static str, DataType, Value)>,
    server: Option<servers::Database>,
    _folder: Option<tempfile::TempDir>,
}

fn text(value: &str) -> Value {
    Value::text(value)
}

fn common() -> Vec<(&'static str, DataType, Value)> {
    vec![
        ("smallint", DataType::I2, Value::I2(-7)),
        ("int", DataType::I4, Value::I4(i32::MIN)),
        ("bigint", DataType::I8, Value::I8(i64::MAX)),
        ("double precision", DataType::R8, Value::R8(1.0e300)),
        ("decimal(15,2)", DataType::Numeric { precision: 15, scale: 2 }, Value::Decimal(-123_456_789, 2)),
        (
            "decimal(38,10)",
            DataType::Numeric { precision: 38, scale: 10 },
            Value::Decimal(12_345_678_901_234_567_890_123, 10),
        ),
        ("varchar(20)", DataType::WStr { len: 20 }, text("Köln – 東京")),
        ("varchar(20)", DataType::WStr { len: 20 }, text("")),
        ("text", DataType::NText, text(&"long text, ä ".repeat(5000))),
        ("date", DataType::DbDate, Value::Days(19_782)),
        ("int", DataType::I4, Value::Null),
    ]
}

fn subjects() -> Vec<Subject> {
    let folder = tempfile::tempdir().unwrap();
    let string = format!("sqlite:{}", folder.path().join("t.db").display());
    let mut types = common();
    // SQLite keeps decimals as floats of 15 digits, whatever is declared.
    types.retain(|(native, ..)| *native != "decimal(38,10)");
    types.push(("datetime", DataType::DbTimeStamp, Value::Timestamp(MOMENT)));
    types.push(("blob", DataType::Image, Value::Bytes(Arc::from([0_u8, 255, 7].as_slice()))));
    let mut subjects = vec![Subject { name: "sqlite", string, types, server: None, _folder: Some(folder) }];
    if let Some(server) = servers::postgres() {
        let mut types = common();
        types.push(("timestamp(3)", DataType::DbTimeStamp, Value::Timestamp(MOMENT)));
        types.push(("boolean", DataType::Bool, Value::Bool(true)));
        types.push(("real", DataType::R4, Value::R4(0.1)));
        types.push(("bytea", DataType::Image, Value::Bytes(Arc::from([0_u8, 255, 7].as_slice()))));
        for (name, url) in [("postgres by odbc", false), ("postgres", true)] {
            let database = server.database().unwrap();
            let string = if url { database.url() } else { database.odbc() };
            subjects.push(Subject { name, string, types: types.clone(), server: Some(database), _folder: None });
        }
    }
    if let Some(server) = servers::mariadb() {
        let mut types = common();
        // Its `text` ends at 64 KB.
        types.iter_mut().filter(|(native, ..)| *native == "text").for_each(|t| t.0 = "longtext");
        types.push(("datetime(3)", DataType::DbTimeStamp, Value::Timestamp(MOMENT)));
        types.push(("blob", DataType::Image, Value::Bytes(Arc::from([0_u8, 255, 7].as_slice()))));
        for (name, url) in [("mariadb by odbc", false), ("mariadb", true)] {
            let database = server.database().unwrap();
            let string = if url { database.url() } else { database.odbc() };
            subjects.push(Subject { name, string, types: types.clone(), server: Some(database), _folder: None });
        }
    }
    subjects
}

#[test]
fn every_type_goes_in_and_comes_back() {
    for subject in subjects() {
        let mut session = lease(&subject.string).unwrap();
        for (at, (native, data_type, value)) in subject.types.iter().enumerate() {
            let table = format!("t{at}");
            run(&mut *session, &format!("create table {table}(v {native})"));
            let given = Param::input(*data_type, value.clone());
            session
                .execute(&format!("insert into {table} values (?)"), &[given], &StatementOptions::default())
                .unwrap_or_else(|e| panic!("{} {native}: {e}", subject.name));
            let back = all_as(&mut *session, &format!("select v from {table}"), &[], Some(&[*data_type]));
            let shown = |v: &Value| format!("{v:?}").chars().take(200).collect::<String>();
            assert_eq!(back.len(), 1);
            assert!(same(&back[0][0], value), "{} {native}: {} for {}", subject.name, shown(&back[0][0]), shown(value));
            // And through a loader.
            run(&mut *session, &format!("delete from {table}"));
            let columns = load_columns(&["v"], &[*data_type]);
            let name = TableName::parse(&table);
            let mut loader = session.loader(&name, &columns, &LoadOptions::default()).unwrap();
            let failures = loader.write(&rows_of(&[vec![value.clone()], vec![Value::Null]], &[*data_type])).unwrap();
            assert!(failures.is_empty(), "{} {native}: {failures:?}", subject.name);
            loader.finish().unwrap();
            let back =
                all_as(&mut *session, &format!("select v from {table} where v is not null"), &[], Some(&[*data_type]));
            assert!(value.is_null() || same(&back[0][0], value), "{} {native} loaded: {}", subject.name, back.len());
        }
    }
}

/// Equal as values: decimals of different scales, moments in microseconds or ticks.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Decimal(a, s), Value::Decimal(b, t)) => {
            a * 10_i128.pow(u32::from(*t)) == b * 10_i128.pow(u32::from(*s))
        }
        (Value::Ticks(a), Value::Timestamp(b)) => a / 10 == *b,
        (Value::I8(a), Value::I4(b)) => *a == i64::from(*b),
        (a, b) => a == b,
    }
}

#[test]
fn statements_transactions_and_descriptions() {
    for subject in subjects() {
        let mut session = lease(&subject.string).unwrap();
        let session = &mut *session;
        run(session, "create table t(id int not null primary key, name varchar(30))");
        assert_eq!(run(session, "insert into t values (1, 'one'), (2, 'two')"), Some(2), "{}", subject.name);
        let key = Param::input(DataType::I4, Value::I4(2));
        let found = all_as(session, "select name from t where id = ?", &[key], None);
        assert_eq!(found, [[text("two")]], "{}", subject.name);
        let columns = session.describe(&Relation::Table(&TableName::parse("t"))).unwrap();
        assert_eq!(columns.iter().map(|c| c.name.as_str()).collect::<Vec<_>>(), ["id", "name"], "{}", subject.name);
        assert_eq!(columns[1].data_type, DataType::WStr { len: 30 }, "{}", subject.name);
        let columns = session.describe(&Relation::Query("select id as a, name as b from t")).unwrap();
        assert_eq!(columns.iter().map(|c| c.name.as_str()).collect::<Vec<_>>(), ["a", "b"], "{}", subject.name);
        for (sql, kind) in [("select * from nowhere", ErrorKind::NoTable), ("selekt", ErrorKind::Statement)] {
            let failed = session.query(sql, &[], &StatementOptions::default()).err();
            assert_eq!(failed.map(|e| e.kind), Some(kind), "{}: {sql}", subject.name);
        }
        session.begin().unwrap();
        run(session, "insert into t values (3, 'three')");
        session.savepoint("p").unwrap();
        run(session, "insert into t values (4, 'four')");
        session.rollback_to("p").unwrap();
        session.commit().unwrap();
        session.begin().unwrap();
        run(session, "delete from t");
        session.rollback().unwrap();
        assert!(!session.in_transaction());
        assert_eq!(
            all_as(session, "select id from t order by id", &[], Some(&[DataType::I4])).len(),
            3,
            "{}",
            subject.name
        );
        // Rows that a key forbids are told, with and without a transaction around.
        let types = [DataType::I4, DataType::WStr { len: 30 }];
        let columns = load_columns(&["id", "name"], &types);
        for transaction in [false, true] {
            run(session, "delete from t where id > 3");
            if transaction {
                session.begin().unwrap();
            }
            let row = |id: i32| vec![Value::I4(id), text("x")];
            let given = rows_of(&[row(10), row(1), row(11), row(10)], &types);
            let mut loader = session.loader(&TableName::parse("t"), &columns, &LoadOptions::default()).unwrap();
            let failures = loader.write(&given).unwrap();
            loader.finish().unwrap();
            let told: Vec<(usize, ErrorKind)> = failures.iter().map(|f| (f.row, f.error.kind)).collect();
            assert_eq!(
                told,
                [(1, ErrorKind::Constraint), (3, ErrorKind::Constraint)],
                "{} {transaction}: {failures:?}",
                subject.name
            );
            if transaction {
                session.commit().unwrap();
            }
            let ids = all_as(session, "select id from t where id > 3 order by id", &[], Some(&[DataType::I4]));
            assert_eq!(ids, [[Value::I4(10)], [Value::I4(11)]], "{}", subject.name);
        }
    }
}

#[test]
fn what_runs_long_is_interrupted() {
    for subject in subjects() {
        let Some(_) = &subject.server else { continue };
        let services = services();
        let database = reach("OLEDB", &subject.string, &services).unwrap();
        let mut session = database.lease().unwrap();
        let sleep = if subject.name.contains("mariadb") {
            "select benchmark(2000000000, sha1('x'))"
        } else {
            "select count(*) from generate_series(1, 100000000000)"
        };
        let cancel = services.cancel.clone();
        let started = Instant::now();
        let other = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(300));
            cancel.cancel();
        });
        let ended = session.query(sleep, &[], &StatementOptions::default()).and_then(|mut c| c.next().map(drop));
        assert_eq!(ended.err().map(|e| e.kind), Some(ErrorKind::Cancelled), "{}", subject.name);
        assert!(started.elapsed() < Duration::from_secs(20), "{}", subject.name);
        other.join().unwrap();
    }
}

#[test]
fn a_connection_that_is_killed_says_so_soon() {
    for subject in subjects() {
        // MariaDB's driver keeps a whole result before it gives the first row.
        let Some(server) = subject.server.as_ref().filter(|_| subject.name != "mariadb by odbc") else { continue };
        let mut session = lease(&subject.string).unwrap();
        let many = if subject.name == "mariadb" {
            "select seq as n, repeat('x', 50) as t from seq_1_to_3000000"
        } else {
            "select n, repeat('x', 50) as t from generate_series(1, 3000000) n"
        };
        let options = StatementOptions { block_rows: 1000, ..StatementOptions::default() };
        let mut cursor = session.query(many, &[], &options).unwrap();
        assert!(cursor.next().unwrap().is_some());
        server.kill_connections().unwrap();
        let started = Instant::now();
        let error = loop {
            match cursor.next() {
                Ok(Some(_)) => {}
                Ok(None) => panic!("{}: a killed connection read to the end", subject.name),
                Err(error) => break error,
            }
        };
        assert!(started.elapsed() < Duration::from_secs(5), "{}", subject.name);
        assert_eq!(error.kind, ErrorKind::Lost, "{}: {error}", subject.name);
        assert!(!error.to_string().contains("planted-secret"), "{error}");
    }
}
