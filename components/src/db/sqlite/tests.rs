//! The contract of sessions, kept by SQLite.

use super::super::session::{Direction, LoadColumn, LoadOptions, Param, Relation, Session, StatementOptions};
use super::super::{ErrorKind, Rows, TableName, Target};
use super::*;
use arrow::array::{ArrayRef, AsArray, Int32Array, StringViewArray};
use arrow::datatypes::Int64Type;
use dtsx_engine::types::DataType;

fn session() -> (Box<dyn Session>, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let target = Target::sqlite(folder.path().join("t.db"));
    (SqliteDriver.open(&target).unwrap(), folder)
}

fn run(session: &mut dyn Session, sql: &str) -> Executed {
    session.execute(sql, &[], &StatementOptions::default()).unwrap()
}

/// All rows of a query, values joined by `|`.
fn rows(session: &mut dyn Session, sql: &str, params: &[Param]) -> Vec<String> {
    let mut cursor = session.query(sql, params, &StatementOptions::default()).unwrap();
    let mut out = Vec::new();
    while let Some(rows) = cursor.next().unwrap() {
        out.extend(crate::shared::testing::shown(dtsx_engine::batch::Batch::new(0, rows.len, rows.columns)));
    }
    out
}

#[test]
fn statements_parameters_and_rows() {
    let (mut session, _folder) = session();
    let done = run(&mut *session, "create table t(a int, b varchar(10)); insert into t values (1, 'x'), (2, null);");
    assert_eq!(done.rows, Some(2));
    let two = Param::input(DataType::I4, Value::I4(2));
    assert_eq!(
        rows(&mut *session, "select a, b, a * 1.5, 'c' from t where a <= ? order by a", std::slice::from_ref(&two)),
        ["1|x|1.5|c", "2|NULL|3.0|c"]
    );
    let named = Param { name: Some("@k".into()), ..two };
    assert_eq!(rows(&mut *session, "select a from t where a = @k", std::slice::from_ref(&named)), ["2"]);
    assert_eq!(rows(&mut *session, "select a from t where a = ?", std::slice::from_ref(&named)), ["2"]);
    let out = Param { direction: Direction::Output, ..named };
    let refused = session.execute("select ?", &[out], &StatementOptions::default()).unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Unsupported);
    for (sql, kind) in [
        ("select * from nowhere", ErrorKind::NoTable),
        ("selekt", ErrorKind::Statement),
        ("select 1/0 from t where", ErrorKind::Statement),
    ] {
        let error = session.query(sql, &[], &StatementOptions::default()).err().unwrap();
        assert_eq!((error.kind, error.source.as_str()), (kind, "SQLite"), "{sql}");
    }
}

#[test]
fn statements_take_their_parameters_one_after_the_other() {
    let (mut session, _folder) = session();
    let session = &mut *session;
    run(session, "create table t(a int); create table log(a int)");
    let number = |n: i32| Param::input(DataType::I4, Value::I4(n));
    let options = StatementOptions::default();
    let mut run = |sql: &str, params: &[Param], queried: bool| {
        session.execute("delete from t; delete from log; insert into t values (1), (2)", &[], &options).unwrap();
        let done = if queried {
            session.query(sql, params, &options).and_then(|cursor| cursor.finish()).map(drop)
        } else {
            session.execute(sql, params, &options).map(drop)
        };
        let mut left = rows(session, "select a from t", &[]);
        left.extend(rows(session, "select -a from log", &[]));
        (done.map_err(|e| e.message), left.join(" "))
    };
    for queried in [false, true] {
        for (sql, values, left) in [
            ("select a from t where a = ?; delete from t", &[1][..], ""),
            ("delete from t where a = ?; insert into log values (?); -- the end", &[1, 7], "2 -7"),
            ("insert into log values (?2); insert into log values (?1)", &[1, 7], "1 2 -7 -1"),
            ("insert into log values (@a); insert into log values (?)", &[3, 4], "1 2 -3 -4"),
            ("delete from t; select ?", &[1], ""),
        ] {
            let given: Vec<Param> = values.iter().map(|n| number(*n)).collect();
            assert_eq!(run(sql, &given, queried), (Ok(()), left.to_owned()), "{sql}");
        }
        let named = [Param { name: Some("@a".into()), ..number(5) }];
        let sql = "insert into log values (@a); insert into log values (@a)";
        assert_eq!(run(sql, &named, queried), (Ok(()), "1 2 -5 -5".to_owned()));
        // What is too much or too little is said before the statement runs that it is about.
        for (sql, values, left, why) in [
            ("delete from t where a = ?", &[1, 2][..], "1 2", "2 parameters are given, and the statement has 1"),
            (
                "delete from t where a = ?; delete from t;",
                &[1, 2],
                "2",
                "2 parameters are given, and the statement has 1",
            ),
            ("delete from t where a in (?, ?)", &[1], "1 2", "the statement has 2 parameters, and 1 are given"),
            (
                "delete from t where a = ?; delete from t where a = ?",
                &[1],
                "2",
                "the statement has 1 parameters, and 0 are",
            ),
        ] {
            let given: Vec<Param> = values.iter().map(|n| number(*n)).collect();
            let (done, found) = run(sql, &given, queried);
            assert!(done.as_ref().is_err_and(|e| e.contains(why)) && found == left, "{sql}: {done:?} {found}");
        }
    }
}

#[test]
fn values_meet_the_types_that_are_wished_for() {
    let (mut session, _folder) = session();
    run(
        &mut *session,
        "create table t(a int, b varchar(3), c datetime, d numeric(9,2), e);
         insert into t values (1, 'abc', '2024-02-29 12:00:00', 1.25, 'x'), ('many', 'abcdef', 'never', 7, 2), (3000000000, null, '2024-02-29', '12.5', null)",
    );
    let mut cursor = session.query("select * from t", &[], &StatementOptions::default()).unwrap();
    let wishes = [
        Some(DataType::I4),
        Some(DataType::WStr { len: 3 }),
        Some(DataType::DbTimeStamp),
        Some(DataType::Numeric { precision: 9, scale: 2 }),
        None,
    ];
    cursor.wish(&wishes).unwrap();
    let rows = cursor.next().unwrap().unwrap();
    let faults = |at: usize| rows.faults_of(at).iter().map(|f| (f.row, f.truncation)).collect::<Vec<_>>();
    assert_eq!(
        (faults(0), faults(1), faults(2), faults(3)),
        (vec![(1, false), (2, false)], vec![(1, true)], vec![(1, false)], vec![])
    );
    let shown = crate::shared::testing::shown(dtsx_engine::batch::Batch::new(0, rows.len, rows.columns));
    assert_eq!(
        shown,
        ["1|abc|2024-02-29T12:00:00|1.25|-", "NULL|abc|NULL|7.00|-", "NULL|NULL|2024-02-29T00:00:00|12.50|-"]
    );
    drop(cursor);
    let mut cursor = session.query("select a from t", &[], &StatementOptions::default()).unwrap();
    assert_eq!(
        cursor.next().err().unwrap().kind,
        ErrorKind::Value,
        "without a wish, a value of another kind is an error"
    );
}

#[test]
fn blocks_are_bounded_and_the_statement_goes_on() {
    let (mut session, _folder) = session();
    run(
        &mut *session,
        "create table t(a int); with recursive n(i) as (select 1 union all select i + 1 from n where i < 100) insert into t select i from n",
    );
    let options = StatementOptions { block_rows: 7, ..StatementOptions::default() };
    let mut cursor = session.query("select a from t order by a", &[], &options).unwrap();
    let mut seen = Vec::new();
    while let Some(rows) = cursor.next().unwrap() {
        assert!(rows.len <= 7);
        seen.extend(rows.columns[0].as_primitive::<Int64Type>().values().iter().copied());
    }
    assert_eq!(seen, (1..=100).collect::<Vec<i64>>());
    drop(cursor);
    run(&mut *session, "drop table t");
}

#[test]
fn tables_and_queries_are_described() {
    let (mut session, _folder) = session();
    run(&mut *session, "create table [T x](id integer primary key, n varchar(5) not null, d int default 7)");
    let columns = session.describe(&Relation::Table(&TableName::parse("[dbo].[T x]"))).unwrap();
    let found: Vec<_> =
        columns.iter().map(|c| (c.name.as_str(), c.data_type, c.nullable, c.generated, c.default.as_deref())).collect();
    assert_eq!(
        found,
        [
            ("id", DataType::I8, Some(false), true, None),
            ("n", DataType::WStr { len: 5 }, Some(false), false, None),
            ("d", DataType::I4, Some(true), false, Some("7")),
        ]
    );
    let columns = session.describe(&Relation::Query("select n, d + 1 as e from [T x]")).unwrap();
    assert_eq!(columns.iter().map(|c| c.name.as_str()).collect::<Vec<_>>(), ["n", "e"]);
    let error = session.describe(&Relation::Table(&TableName::parse("nowhere"))).unwrap_err();
    assert_eq!(error.kind, ErrorKind::NoTable);
}

#[test]
fn rows_are_loaded_and_bad_ones_told() {
    let (mut session, _folder) = session();
    run(&mut *session, "create table t(id int primary key, n varchar(5) default 'none')");
    let table = TableName::parse("[dbo].[t]");
    let columns = [
        LoadColumn { name: "id".into(), data_type: DataType::I4 },
        LoadColumn { name: "n".into(), data_type: DataType::WStr { len: 5 } },
    ];
    let ids: ArrayRef = Arc::new(Int32Array::from(vec![1, 2, 2, 3]));
    let names: ArrayRef = Arc::new(StringViewArray::from(vec![Some("a"), Some("b"), Some("c"), None]));
    let given = Rows::new(4, vec![ids, names]);
    for (keep_nulls, last) in [(false, "3|none"), (true, "3|NULL")] {
        let options = LoadOptions { keep_nulls, ..LoadOptions::default() };
        let mut loader = session.loader(&table, &columns, &options).unwrap();
        let failures = loader.write(&given).unwrap();
        assert_eq!(failures.iter().map(|f| (f.row, f.error.kind)).collect::<Vec<_>>(), [(2, ErrorKind::Constraint)]);
        loader.finish().unwrap();
        assert_eq!(rows(&mut *session, "select * from t order by 1", &[]), ["1|a", "2|b", last]);
        run(&mut *session, "delete from t");
    }
}

#[test]
fn statements_run_for_each_row() {
    let (mut session, _folder) = session();
    run(&mut *session, "create table t(id int primary key, n int); insert into t values (1, 0), (2, 0)");
    let n: ArrayRef = Arc::new(Int32Array::from(vec![Some(10), None]));
    let id: ArrayRef = Arc::new(Int32Array::from(vec![1, 2]));
    let given = Rows::new(2, vec![n, id]);
    let types = [DataType::I4, DataType::I4];
    let options = StatementOptions::default();
    let failures = session.execute_rows("update t set n = ? where id = ?", &given, &types, &options).unwrap();
    assert!(failures.is_empty());
    assert_eq!(rows(&mut *session, "select * from t order by 1", &[]), ["1|10", "2|NULL"]);
}

#[test]
fn transactions_and_savepoints() {
    let (mut session, _folder) = session();
    run(&mut *session, "create table t(a int)");
    session.begin().unwrap();
    run(&mut *session, "insert into t values (1)");
    session.savepoint("p").unwrap();
    run(&mut *session, "insert into t values (2)");
    session.rollback_to("p").unwrap();
    session.release("p").unwrap();
    assert!(session.in_transaction());
    session.commit().unwrap();
    session.begin().unwrap();
    run(&mut *session, "insert into t values (3)");
    session.rollback().unwrap();
    assert_eq!(rows(&mut *session, "select a from t", &[]), ["1"]);
}

#[test]
fn what_takes_too_long_is_interrupted() {
    let endless = "with recursive n(i) as (select 1 union all select i + 1 from n) select count(*) from n";
    let (mut session, _folder) = session();
    let options = StatementOptions { timeout: Some(Duration::from_millis(50)), ..StatementOptions::default() };
    assert_eq!(session.query(endless, &[], &options).err().unwrap().kind, ErrorKind::Timeout);
    // What somebody does with the rows takes as long as it takes.
    let many = "with recursive n(i) as (select 1 union all select i + 1 from n where i < 100000) select i from n";
    let options = StatementOptions { timeout: Some(Duration::from_secs(1)), block_rows: 30_000, ..options };
    let (mut cursor, mut rows) = (session.query(many, &[], &options).unwrap(), 0);
    while let Some(block) = cursor.next().unwrap() {
        rows += block.len;
        if rows == block.len {
            std::thread::sleep(Duration::from_millis(1100));
        }
    }
    assert_eq!(rows, 100_000);
    drop(cursor);
    let canceller = session.canceller();
    let other = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(50));
        canceller.cancel();
    });
    let error = session.query(endless, &[], &StatementOptions::default()).err().unwrap();
    assert_eq!(error.kind, ErrorKind::Cancelled);
    other.join().unwrap();
    let error = session.execute("select 1", &[], &StatementOptions::default()).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Cancelled, "a session that was cancelled stays so");
}

#[test]
fn every_type_comes_back_as_it_went_in() {
    let (mut session, _folder) = session();
    let values = [
        (DataType::Bool, Value::Bool(true)),
        (DataType::I1, Value::I1(-5)),
        (DataType::UI8, Value::UI8(1 << 40)),
        (DataType::R4, Value::R4(0.1)),
        (DataType::R8, Value::R8(1e300)),
        (DataType::Cy, Value::Decimal(123_450, 4)),
        (DataType::Numeric { precision: 38, scale: 10 }, Value::Decimal(12_345_678_901_234_567_890_123_456_789, 10)),
        (DataType::DbDate, Value::Days(-10)),
        (DataType::DbTime2 { scale: 3 }, Value::Time(3_723_500_000_000)),
        (DataType::DbTimeStamp, Value::Timestamp(1_700_000_000_123_000)),
        (DataType::DbTimeStamp2 { scale: 7 }, Value::Ticks(17_000_000_000_000_001)),
        (DataType::DbTimeStampOffset { scale: 7 }, Value::TicksOffset(17_000_000_000_000_000, -90)),
        (DataType::Guid, Value::Guid([7; 16])),
        (DataType::WStr { len: 5 }, Value::text("Köln")),
        (DataType::Bytes { len: 4 }, Value::Bytes(Arc::from([0_u8, 255].as_slice()))),
        (DataType::I4, Value::Null),
    ];
    run(&mut *session, "create table t(v)");
    for (data_type, value) in values {
        run(&mut *session, "delete from t");
        let given = Param::input(data_type, value.clone());
        session.execute("insert into t values (?)", &[given], &StatementOptions::default()).unwrap();
        let mut cursor = session.query("select v from t", &[], &StatementOptions::default()).unwrap();
        cursor.wish(&[Some(data_type)]).unwrap();
        let rows = cursor.next().unwrap().unwrap();
        let back = dtsx_engine::types::scalar::value_at(&rows.columns[0], &data_type, 0).unwrap();
        assert_eq!((back, rows.faults_of(0)), (value, &[][..]), "{data_type}");
    }
}

#[test]
fn what_stands_behind_a_query_is_run() {
    let (mut session, _folder) = session();
    run(&mut *session, "create table t(id int, done int); insert into t values (1, 0), (2, 0)");
    let sql = "create trigger x after update on t begin select 1; select ';'; end; -- begin;\n
               select max(id) from t; update t set done = ? /* ; */; select done from t; delete from t where id = 1;";
    let one = [Param { name: Some("@p".into()), ..Param::input(DataType::I4, Value::I4(7)) }];
    let options = StatementOptions::default();
    let count = |session: &mut dyn Session, sql: &str| {
        let rows = session.query(sql, &[], &StatementOptions::default()).unwrap().next().unwrap().unwrap();
        rows.columns[0].as_primitive::<Int64Type>().value(0)
    };
    // One row is read, and the rest is run when that is said.
    let mut cursor = session.query(sql, &one, &options).unwrap();
    assert_eq!(cursor.next().unwrap().unwrap().columns[0].as_primitive::<Int64Type>().value(0), 2);
    cursor.finish().unwrap();
    assert_eq!(count(&mut *session, "select count(*) from t where done = 7"), 1);
    // Results one after the other.
    run(&mut *session, "drop trigger x; insert into t values (1, 0)");
    let mut cursor = session.query(sql, &one, &options).unwrap();
    assert!(cursor.next_result().unwrap());
    assert_eq!(cursor.columns()[0].name, "done");
    assert_eq!(cursor.next().unwrap().unwrap().len, 2);
    assert!(!cursor.next_result().unwrap());
    drop(cursor);
    assert_eq!(count(&mut *session, "select count(*) from t"), 1);
}

#[test]
fn a_row_that_ends_the_transaction_ends_the_load() {
    let (mut session, _folder) = session();
    run(
        &mut *session,
        "create table t(id int primary key on conflict rollback);
         create table u(id int); create trigger x before insert on u when new.id = 2 begin select raise(rollback, 'no'); end",
    );
    for name in ["t", "u"] {
        let table = TableName::parse(name);
        let columns = [LoadColumn { name: "id".into(), data_type: DataType::I4 }];
        let ids: ArrayRef = Arc::new(Int32Array::from(vec![1, 2, 2, 3]));
        session.begin().unwrap();
        let mut loader = session.loader(&table, &columns, &LoadOptions::default()).unwrap();
        let error = loader.write(&Rows::new(4, vec![ids])).unwrap_err();
        drop(loader);
        assert_eq!(error.kind, ErrorKind::Undone, "{name}: {error}");
        assert!(!session.in_transaction());
        let mut cursor =
            session.query(&format!("select count(*) from {name}"), &[], &StatementOptions::default()).unwrap();
        assert_eq!(cursor.next().unwrap().unwrap().columns[0].as_primitive::<Int64Type>().value(0), 0, "{name}");
    }
}
