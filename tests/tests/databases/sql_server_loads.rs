//! Loads into SQL Server by bulk copy, against the tests' peer.

use crate::peer::Peer;
use crate::sessions::{lease, load_columns, rows_of, run};
use dtsx_components::db::{ErrorKind, LoadOptions, RowFailure, Session, TableName};
use dtsx_engine::types::{DataType, Value};
use std::sync::Arc;
use std::time::{Duration, Instant};

fn loaded(
    session: &mut dyn Session,
    values: &[Vec<Value>],
    types: &[DataType],
    names: &[&str],
    options: &LoadOptions,
) -> Vec<RowFailure> {
    let columns = load_columns(names, types);
    let mut loader = session.loader(&TableName::parse("dbo.t"), &columns, options).unwrap_or_else(|e| panic!("{e}"));
    let failures = loader.write(&rows_of(values, types)).unwrap_or_else(|e| panic!("{e}"));
    loader.finish().unwrap();
    failures
}

#[test]
fn every_type_goes_in() {
    use DataType as T;
    let peer = Peer::start();
    let mut session = lease(&peer.string()).unwrap();
    let session = &mut *session;
    let day = 19_782_i64;
    let bytes = |b: &[u8]| Value::Bytes(Arc::from(b));
    for (kind, from, value, expected) in [
        ("bit", T::Bool, Value::Bool(true), "1"),
        ("tinyint", T::UI1, Value::UI1(255), "255"),
        ("smallint", T::I2, Value::I2(-32_768), "-32768"),
        ("int", T::I4, Value::I4(i32::MIN), "-2147483648"),
        ("bigint", T::I8, Value::I8(i64::MIN), "-9223372036854775808"),
        ("real", T::R4, Value::R4(1.5), "1.5"),
        ("float", T::R8, Value::R8(0.1), "0.1"),
        ("money", T::Cy, Value::Decimal(-12_345, 4), "-1.2345"),
        ("smallmoney", T::Cy, Value::Decimal(1, 4), "0.0001"),
        (
            "decimal(38,10)",
            T::Numeric { precision: 38, scale: 10 },
            Value::Decimal(-12_345_678_901_234_567_890, 10),
            "-1234567890.1234567890",
        ),
        ("numeric(9,1)", T::Numeric { precision: 9, scale: 2 }, Value::Decimal(125, 2), "1.3"),
        ("date", T::DbDate, Value::Days(19_782), "2024-02-29"),
        ("time(3)", T::DbTime2 { scale: 7 }, Value::Time(86_399_123_000_000), "23:59:59.123"),
        ("datetime", T::DbTimeStamp, Value::Timestamp(day * 86_400_000_000 + 999_000), "2024-02-29 00:00:01.000"),
        ("smalldatetime", T::DbTimeStamp, Value::Timestamp(day * 86_400_000_000 + 29_999_000), "2024-02-29 00:01:00"),
        (
            "datetime2(3)",
            T::DbTimeStamp2 { scale: 7 },
            Value::Ticks(day * 864_000_000_000 + 5_000),
            "2024-02-29 00:00:00.001",
        ),
        (
            "uniqueidentifier",
            T::WStr { len: 40 },
            Value::text("00112233-4455-6677-8899-AABBCCDDEEFF"),
            "00112233-4455-6677-8899-AABBCCDDEEFF",
        ),
        ("char(4)", T::Str { len: 4, code_page: 1252 }, Value::text("ab"), "ab  "),
        ("varchar(20)", T::WStr { len: 20 }, Value::text("Käse €"), "Käse €"),
        // Its code page lacks two of them: the server is to say what becomes of these (a real one writes "Lódz").
        ("varchar(20)", T::WStr { len: 20 }, Value::text("Łódź"), "Łódź"),
        ("nvarchar(20)", T::WStr { len: 20 }, Value::text("東京 🙂"), "東京 🙂"),
        ("nvarchar(max)", T::NText, Value::text("x".repeat(100_000)), &"x".repeat(100_000)),
        ("varchar(max)", T::NText, Value::text(""), ""),
        ("text", T::Text { code_page: 1252 }, Value::text("é"), "é"),
        ("ntext", T::NText, Value::text("東"), "東"),
        ("xml", T::NText, Value::text("<a>é</a>"), "<a>é</a>"),
        ("varbinary(9)", T::Bytes { len: 9 }, bytes(&[0, 255]), "00FF"),
        ("varbinary(max)", T::Image, bytes(&[1; 20_000]), &"01".repeat(20_000)),
        ("image", T::Image, bytes(&[7]), "07"),
    ] {
        run(session, "drop table if exists t");
        run(session, &format!("create table t(v {kind})"));
        let failures = loaded(session, &[vec![value], vec![Value::Null]], &[from], &["v"], &LoadOptions::default());
        assert!(failures.is_empty(), "{kind}: {failures:?}");
        assert_eq!(peer.sql("select v from t order by v is null"), [expected, "NULL"], "{kind}");
    }
    assert!(peer.bulk_rows() > 50, "they went in by bulk copy: {}", peer.bulk_rows());
}

/// Rows of which some are bad, each for a reason of its own.
#[test]
fn a_load_finds_every_bad_row() {
    let peer = Peer::start();
    peer.make(
        "create table kinds(k int not null primary key); insert into kinds values (1), (2);
         create table t(id int not null primary key, name nvarchar(5) not null, kind int, part smallint check (part <> 13),
                        at datetime2(6) default '2000-01-01 00:00:00', foreign key (kind) references kinds (k))",
    );
    let types =
        [DataType::I4, DataType::WStr { len: 20 }, DataType::I4, DataType::I4, DataType::DbTimeStamp2 { scale: 7 }];
    let names = ["id", "name", "kind", "part", "at"];
    let bad = |row: usize| match row % 1000 {
        100 => Some((2627, ErrorKind::Constraint)),
        101 => Some((515, ErrorKind::Constraint)),
        333 => Some((2628, ErrorKind::Value)),
        500 | 501 => Some((547, ErrorKind::Constraint)),
        502 => Some((8115, ErrorKind::Value)),
        _ => None,
    };
    let values: Vec<Vec<Value>> = (0..2500)
        .map(|row| {
            let wrong = row % 1000;
            let name = match wrong {
                101 => Value::Null,
                333 => Value::text("too long"),
                _ => Value::text("é🙂"),
            };
            let part = match wrong {
                501 => 13,
                502 => 40_000,
                _ => 7,
            };
            let at = if row % 3 == 0 { Value::Null } else { Value::Ticks(17_091_648_000_000_010) };
            let id = if wrong == 100 { row - 3 } else { row };
            vec![Value::I4(id), name, Value::I4(if wrong == 500 { 3 } else { 1 }), Value::I4(part), at]
        })
        .collect();
    let expected: Vec<usize> = (0..2500).filter(|row| bad(*row).is_some()).collect();
    let mut session = lease(&peer.string()).unwrap();
    let session = &mut *session;
    let given =
        LoadOptions { check_constraints: true, fire_triggers: true, table_lock: true, ..LoadOptions::default() };
    for (transaction, keep_nulls) in [(true, false), (true, true), (false, false)] {
        let context = format!("{transaction} {keep_nulls}");
        peer.sql("delete from t");
        if transaction {
            session.begin().unwrap();
        }
        let failures = loaded(session, &values, &types, &names, &LoadOptions { keep_nulls, ..given.clone() });
        if transaction {
            assert!(session.in_transaction(), "{context}");
            session.commit().unwrap();
        }
        assert_eq!(failures.iter().map(|f| f.row).collect::<Vec<_>>(), expected, "{context}");
        for failure in &failures {
            let told = (failure.error.native, failure.error.kind);
            assert_eq!(Some(told), bad(failure.row), "{context} {}: {}", failure.row, failure.error);
        }
        let good = (0..2500).filter(|row| bad(*row).is_none());
        let (count, sum) = (good.clone().count(), good.clone().sum::<usize>());
        let thirds = if keep_nulls { good.filter(|row| row % 3 == 0).count() } else { 0 };
        let found = peer.sql("select count(*), sum(id), sum(at is null), min(at), max(at) from t");
        let (least, most) = match keep_nulls {
            true => ("2024-02-29 00:00:00.000001", "2024-02-29 00:00:00.000001"),
            false => ("2000-01-01 00:00:00", "2024-02-29 00:00:00.000001"),
        };
        assert_eq!(found, [format!("{count}|{sum}|{thirds}|{least}|{most}")], "{context}");
    }
    let statement = peer.heard().into_iter().rfind(|s| s.starts_with("INSERT BULK")).unwrap();
    for word in ["TABLOCK", "CHECK_CONSTRAINTS", "FIRE_TRIGGERS", "nvarchar(5) COLLATE SQL_Latin1_General_CP1_CI_AS"] {
        assert!(statement.contains(word), "{statement}");
    }
}

#[test]
fn identity_columns_are_given_or_made() {
    let peer = Peer::start();
    peer.make("create table t(id int identity(1,1) primary key, v int)");
    let mut session = lease(&peer.string()).unwrap();
    let types = [DataType::I4, DataType::I4];
    let rows = [vec![Value::I4(70), Value::I4(1)], vec![Value::I4(60), Value::I4(2)]];
    let keeping = LoadOptions { keep_identity: true, ..LoadOptions::default() };
    assert!(loaded(&mut *session, &rows, &types, &["id", "v"], &keeping).is_empty());
    assert!(loaded(&mut *session, &[vec![Value::I4(3)]], &types[..1], &["v"], &LoadOptions::default()).is_empty());
    assert_eq!(peer.sql("select id, v from t order by id"), ["60|2", "70|1", "71|3"]);
}

#[test]
fn a_table_that_is_not_there_says_so() {
    let peer = Peer::start();
    let mut session = lease(&peer.string()).unwrap();
    let columns = load_columns(&["v"], &[DataType::I4]);
    let found = session.loader(&TableName::parse("nowhere"), &columns, &LoadOptions::default());
    let error = found.err().unwrap();
    assert_eq!((error.kind, error.native), (ErrorKind::NoTable, 208), "{error}");
}

#[test]
fn a_load_whose_connection_is_ended_says_so() {
    let peer = Peer::start();
    peer.make("create table t(id int, v nvarchar(max))");
    let mut session = lease(&peer.string()).unwrap();
    let types = [DataType::I4, DataType::NText];
    let row = vec![Value::I4(1), Value::text("x".repeat(100_000))];
    let rows = rows_of(&vec![row; 100], &types);
    session.begin().unwrap();
    let columns = load_columns(&["id", "v"], &types);
    let mut loader = session.loader(&TableName::parse("t"), &columns, &LoadOptions::default()).unwrap();
    assert!(loader.write(&rows).unwrap().is_empty());
    peer.cut();
    let error = loader.write(&rows).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Lost, "{error}");
    drop(loader);
    assert_ne!(session.commit().unwrap_err().kind, ErrorKind::Cancelled);
    assert_eq!(peer.sql("select count(*) from t"), ["0"]);
}

#[test]
fn a_load_that_is_cancelled_ends() {
    let peer = Peer::start();
    peer.make("create table t(id int, v nvarchar(max))");
    let mut session = lease(&peer.string()).unwrap();
    let types = [DataType::I4, DataType::NText];
    let rows = rows_of(&[vec![Value::I4(1), Value::text("x")]], &types);
    session.begin().unwrap();
    let canceller = session.canceller();
    let columns = load_columns(&["id", "v"], &types);
    let mut loader = session.loader(&TableName::parse("t"), &columns, &LoadOptions::default()).unwrap();
    assert!(loader.write(&rows).unwrap().is_empty());
    canceller.cancel();
    assert_eq!(loader.write(&rows).unwrap_err().kind, ErrorKind::Cancelled);
    drop(loader);
    session.resume();
    session.rollback().unwrap();
    assert_eq!(peer.sql("select count(*) from t"), ["0"]);
}

/// A trigger sees the rows of a statement: where a package writes rows one by one, each has its own.
#[test]
fn triggers_see_the_statements_that_they_would_see() {
    let peer = Peer::start();
    peer.make("create table t(v int); create table seen(v int)");
    peer.sql("create trigger noted after insert on t begin insert into seen values (new.v); end");
    let mut session = lease(&peer.string()).unwrap();
    let types = [DataType::I4];
    let rows = [vec![Value::I4(1)], vec![Value::I4(2)], vec![Value::I4(3)]];
    let alone =
        LoadOptions { row_by_row: true, fire_triggers: true, check_constraints: true, ..LoadOptions::default() };
    assert!(loaded(&mut *session, &rows, &types, &["v"], &alone).is_empty());
    assert_eq!((peer.bulk_rows(), peer.sql("select group_concat(v) from seen")), (0, vec!["1,2,3".to_owned()]));
    let inserts = peer.heard().iter().filter(|s| s.starts_with("INSERT INTO")).count();
    assert_eq!(inserts, 3, "{:?}", peer.heard());
    // A table without any takes rows in bulk either way.
    run(&mut *session, "drop trigger noted");
    assert!(loaded(&mut *session, &rows, &types, &["v"], &alone).is_empty());
    assert_eq!((peer.bulk_rows(), peer.sql("select count(*) from t")), (3, vec!["6".to_owned()]));
}

/// Somebody else has the table: the load says so, or that it took too long, or that it was cancelled, and leaves nothing.
#[test]
fn a_load_that_waits_for_somebody_ends() {
    let peer = Peer::start();
    peer.make("create table t(v int)");
    let types = [DataType::I4];
    let rows = rows_of(&[vec![Value::I4(1)], vec![Value::I4(2)]], &types);
    let mut other = lease(&peer.string()).unwrap();
    for (timeout, cancelled, kind) in
        [(None, false, ErrorKind::Busy), (Some(1), false, ErrorKind::Timeout), (None, true, ErrorKind::Cancelled)]
    {
        let mut session = lease(&peer.string()).unwrap();
        let options = LoadOptions { timeout: timeout.map(Duration::from_secs), ..LoadOptions::default() };
        let columns = load_columns(&["v"], &types);
        let mut loader = session.loader(&TableName::parse("t"), &columns, &options).unwrap();
        other.begin().unwrap();
        run(&mut *other, "insert into t values (7)");
        drop(loader);
        let canceller = session.canceller();
        let cancelling = std::thread::spawn(move || {
            if cancelled {
                std::thread::sleep(Duration::from_millis(300));
                canceller.cancel();
            }
        });
        let begun = Instant::now();
        loader = session.loader(&TableName::parse("t"), &columns, &options).unwrap();
        let error = loader.write(&rows).unwrap_err();
        assert_eq!(error.kind, kind, "{error}");
        assert!(begun.elapsed() < Duration::from_secs(20), "{kind:?}: {:?}", begun.elapsed());
        cancelling.join().unwrap();
        drop(loader);
        drop(session);
        other.rollback().unwrap();
    }
    assert_eq!(peer.sql("select count(*) from t"), ["0"]);
}
