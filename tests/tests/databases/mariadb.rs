//! MariaDB by its own protocol, on a real server: encryption and logins, every type in both forms of rows, results one after
//! the other, loads with bad rows, and what ends a statement early.

use crate::sessions::{lease, load_columns, load_cut_off, reach, read, read_slowly, rows_of, run, seconds, services};
use dtsx_components::db::{
    Direction, ErrorKind, Lease, LoadOptions, Param, RowFailure, Session, StatementOptions, TableName,
};
use dtsx_engine::types::{DataType, Value};
use dtsx_tests::servers;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

fn one(session: &mut dyn Session, sql: &str) -> String {
    read(session, sql, None).concat().join(" ")
}

#[test]
fn encryption_is_what_the_words_say() {
    let Some(server) = servers::mariadb() else { return };
    let database = server.database().unwrap();
    let (Some(root), Some(other)) = (database.file("root.crt"), database.file("other.crt")) else {
        eprintln!("skipped: there is no openssl that makes certificates");
        return;
    };
    let (certificate, key) = (database.file("client.crt").unwrap(), database.file("client.key").unwrap());
    let (port, name) = (database.port(), &database.name);
    let (secret, certified) = (format!("enc_{name}"), format!("cert_{name}"));
    database
        .sql(&format!(
            "create user {secret}@'%' identified by 'planted-secret' require ssl; grant all on *.* to {secret}@'%';
             create user {certified}@'%' require subject '/CN=by_certificate'; grant all on *.* to {certified}@'%'"
        ))
        .unwrap();
    let odbc = |host: &str, user: &str, more: &str| {
        let password = if user == secret { "planted-secret" } else { "" };
        format!("Driver=MariaDB Unicode;Server={host};Port={port};Database={name};Uid={user};Pwd={password};{more}")
    };
    let own = format!("SSLCERT={certificate};SSLKEY={key}");
    for (string, expected) in [
        (odbc("127.0.0.1", "tester", "SslMode=None"), Ok(false)),
        (odbc("127.0.0.1", "tester", ""), Ok(true)),
        (odbc("127.0.0.1", "tester", "FORCETLS=1"), Ok(true)),
        (odbc("127.0.0.1", "tester", &format!("SSLCA={root}")), Ok(true)),
        (odbc("127.0.0.1", "tester", &format!("SSLCA={other}")), Err("nobody in")),
        (odbc("localhost", "tester", &format!("SslMode=VerifyFull;SSLCA={root}")), Ok(true)),
        (odbc("127.0.0.1", "tester", &format!("SSLVERIFY=1;SSLCA={root}")), Err("not made out for 127.0.0.1, but for")),
        (odbc("localhost", "tester", "ssl-mode=VERIFY_IDENTITY"), Err("nobody whom this machine believes")),
        (odbc("127.0.0.1", "tester", "SslMode=sometimes"), Err("SslMode is \"sometimes\"")),
        (odbc("127.0.0.1", &secret, "SslMode=None"), Err("Access denied")),
        (odbc("127.0.0.1", &secret, "SslMode=Preferred"), Ok(true)),
        (odbc("127.0.0.1", &secret, "SslMode=Required").replace("planted", "another"), Err("Access denied")),
        (format!("mysql://{secret}:planted-secret@127.0.0.1:{port}/{name}?ssl-mode=REQUIRED"), Ok(true)),
        (
            format!(
                "Server=127.0.0.1;Port={port};Database={name};User Id={secret};Password=planted-secret;SslMode=Required;\
                 Pooling=false;AllowUserVariables=true"
            ),
            Ok(true),
        ),
        (
            format!(
                "Provider=MySQLProv;Data Source=127.0.0.1;Port={port};Initial Catalog={name};User ID={secret};\
                 Password=planted-secret"
            ),
            Ok(true),
        ),
        (odbc("127.0.0.1", &certified, &own), Ok(true)),
        (odbc("127.0.0.1", &certified, "SslMode=Required"), Err("Access denied")),
        (odbc("127.0.0.1", "tester", &format!("SSLCERT={certificate}")), Err("no SSLKEY")),
        (odbc("127.0.0.1", "tester", &format!("SSLCERT=/nowhere.pem;SSLKEY={key}")), Err("/nowhere.pem")),
        // The server's socket needs no encryption.
        (
            format!("Driver=MariaDB Unicode;Socket={};Database={name};Uid=tester", database.file("s").unwrap()),
            Ok(false),
        ),
    ] {
        let services = services();
        let reached = reach("OLEDB", &string, &services).unwrap();
        assert_eq!(reached.target().driver.name(), "MariaDB/MySQL", "{string}");
        match (reached.lease(), expected) {
            (Ok(mut session), Ok(encrypted)) => {
                let found = one(
                    &mut *session,
                    "select variable_value <> '' from information_schema.session_status where variable_name = 'ssl_cipher'",
                );
                assert_eq!(found, format!("I4({})", u8::from(encrypted)), "{string}");
                assert_eq!(one(&mut *session, "select database()"), *name, "{string}");
                let many = "select sum(length(v)) from (select repeat('x', seq) as v from seq_1_to_2000) t";
                assert_eq!(one(&mut *session, many), "Decimal(2001000, 0)", "{string}");
            }
            (Err(error), Err(words)) => {
                assert_eq!(error.kind, ErrorKind::Connect, "{string}: {error}");
                assert!(error.message.contains(words), "{string}: {error}");
                assert!(!error.message.contains("planted-secret"), "{error}");
            }
            (Ok(_), Err(words)) => panic!("{string}: it connects, and not: {words}"),
            (Err(error), Ok(_)) => panic!("{string}: {error}"),
        }
    }
    database.sql(&format!("drop user {secret}@'%', {certified}@'%'")).unwrap();
}

#[test]
fn ways_of_logging_in() {
    let Some(server) = servers::mariadb() else { return };
    let database = server.database().unwrap();
    let name = &database.name;
    let own = |user: &str, password: &str| database.url().replace("//tester@", &format!("//{user}:{password}@"));
    let _ = database.sql("install soname 'auth_ed25519'");
    for (at, how) in ["mysql_native_password as password('p@ss')", "ed25519 using password('p@ss')"].iter().enumerate()
    {
        let user = format!("l{at}_{name}");
        if database.sql(&format!("create user {user}@'%' identified via {how}")).is_err() {
            eprintln!("skipped: the server has no {how}");
            continue;
        }
        assert!(lease(&own(&user, "p%40ss").replace(&format!("/{name}"), "/")).is_ok(), "{how}");
        let error = lease(&own(&user, "planted-secret")).err().unwrap();
        assert_eq!(error.kind, ErrorKind::Connect, "{how}: {error}");
        assert!(error.message.contains("Access denied") && !error.message.contains("planted"), "{how}: {error}");
        database.sql(&format!("drop user {user}@'%'")).unwrap();
    }
    let error = lease(&own("tester", "").replace(&format!("/{name}"), "/nowhere")).err().unwrap();
    assert!(error.kind == ErrorKind::Connect && error.message.contains("nowhere"), "{error}");
}

/// Both forms of rows: that of prepared statements, and text, in which statements come that are given together.
#[test]
fn every_type_comes_in_both_forms_of_rows() {
    let Some(server) = servers::mariadb() else { return };
    let database = server.database().unwrap();
    let mut session = lease(&database.url()).unwrap();
    let session = &mut *session;
    let long = "0123456789".repeat(7000);
    for (kind, value, expected) in [
        ("tinyint", "-128", "I1(-128)"),
        ("tinyint unsigned", "255", "UI1(255)"),
        ("smallint", "-32768", "I2(-32768)"),
        ("year", "2024", "UI2(2024)"),
        ("mediumint", "-8388608", "I4(-8388608)"),
        ("int unsigned", "4294967295", "UI4(4294967295)"),
        ("bigint", "-9223372036854775808", "I8(-9223372036854775808)"),
        ("bigint unsigned", "18446744073709551615", "UI8(18446744073709551615)"),
        ("float", "1.5", "R4(1.5)"),
        ("double", "0.1", "R8(0.1)"),
        (
            "decimal(38,10)",
            "-1234567890123456789012345678.9012345678",
            "Decimal(-12345678901234567890123456789012345678, 10)",
        ),
        ("decimal(20,0) unsigned", "99999999999999999999", "Decimal(99999999999999999999, 0)"),
        ("decimal(65,30)", "1.5", "R8(1.5)"),
        ("bit(1)", "b'1'", "Bool(true)"),
        ("bit(12)", "b'101'", "Bytes(2 bytes)"),
        ("date", "'2024-02-29'", "Days(19782)"),
        ("time", "'23:59:59'", "Time(86399000000000)"),
        ("time(6)", "'00:00:00.000001'", "Time(1000)"),
        ("datetime", "'1970-01-01 00:00:01'", "Timestamp(1000000)"),
        ("datetime(3)", "'1970-01-01 00:00:00.5'", "Timestamp(500000)"),
        ("datetime(6)", "'1000-01-01'", "Ticks(-306102240000000000)"),
        ("char(4)", "'ab'", "ab"),
        ("varchar(20)", "'Köln – 東京 🙂'", "Köln – 東京 🙂"),
        ("varchar(20) character set latin1", "'Käse €'", "Käse €"),
        ("varchar(20)", "''", ""),
        ("longtext", long.as_str(), long.as_str()),
        ("enum('a','b')", "'b'", "b"),
        ("set('a','b')", "'a,b'", "a,b"),
        ("json", "'{\"a\": [1]}'", "{\"a\": [1]}"),
        ("uuid", "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
        ("inet6", "'::1'", "::1"),
        ("varbinary(9)", "x'00ff5c'", "Bytes(3 bytes)"),
        ("blob", "x'00ff'", "Bytes(2 bytes)"),
        ("point", "point(1, 2)", "Bytes(25 bytes)"),
        ("int", "null", "Null"),
        ("longtext", "null", "Null"),
    ] {
        let value = if kind == "longtext" && value != "null" { format!("'{value}'") } else { value.to_owned() };
        run(session, &format!("create or replace table t(v {kind})"));
        run(session, &format!("insert into t values ({value}), (null)"));
        for sql in ["select v from t", "select v from t; select 1"] {
            assert_eq!(read(session, sql, None), [[expected], ["Null"]], "{kind} {sql}");
        }
    }
    // What a column cannot hold is a fault of its row, if faults are asked for, and else an error.
    run(session, "set sql_mode = ''");
    for (wish, kind, values) in [
        (
            DataType::DbDate,
            "date",
            &[("0000-00-00", "fault"), ("2024-02-29", "Days(19782)"), ("2024-00-01", "fault")][..],
        ),
        (DataType::DbTimeStamp, "datetime", &[("0000-00-00", "fault"), ("1970-01-01", "Timestamp(0)")]),
        (
            DataType::DbTime2 { scale: 6 },
            "time(6)",
            &[("24:00:00", "fault"), ("00:00:01", "Time(1000000000)"), ("-00:00:01", "fault"), ("838:59:59", "fault")],
        ),
        (
            DataType::Numeric { precision: 5, scale: 2 },
            "decimal(65,30)",
            &[("999.99", "Decimal(99999, 2)"), ("1000", "fault"), ("-12.345", "Decimal(-1235, 2)")],
        ),
    ] {
        run(session, &format!("create or replace table t(n int auto_increment primary key, v {kind})"));
        let rows: Vec<String> = values.iter().map(|(value, _)| format!("('{value}')")).collect();
        run(session, &format!("insert into t(v) values {}", rows.join(", ")));
        let expected: Vec<&str> = values.iter().map(|(_, expected)| *expected).collect();
        for sql in ["select v from t order by n", "select v from t order by n; select 1"] {
            assert_eq!(read(session, sql, Some(wish)).concat(), expected, "{kind} {sql}");
            if kind != "decimal(65,30)" {
                let mut cursor = session.query(sql, &[], &StatementOptions::default()).unwrap();
                assert_eq!(cursor.next().err().map(|e| e.kind), Some(ErrorKind::Value), "{kind}");
            }
        }
    }
}

#[test]
fn results_come_one_after_the_other() {
    let Some(server) = servers::mariadb() else { return };
    let database = server.database().unwrap();
    let mut session = lease(&database.url()).unwrap();
    let session = &mut *session;
    run(session, "create table t(id int primary key, v varchar(20))");
    run(
        session,
        "create procedure p(in a int) begin select a as one; insert into t values (a, 'p'); select 'x' as two; end",
    );
    let number = |n: i32| Param::input(DataType::I4, Value::I4(n));
    for (sql, params, results, rows) in [
        ("select 1 as a; insert into t values (1, 'a'), (2, 'b'); select v from t order by id", vec![], "a,v", 2),
        ("call p(3)", vec![], "one,two", 1),
        ("call p(?)", vec![number(4)], "one,two", 1),
        (
            "select ? as a; delete from t where id < ?; select 'a;b' as b, ? as c",
            vec![number(1), number(3), number(7)],
            "a,b",
            2,
        ),
        ("update t set v = 'z'", vec![], "", 2),
        ("show databases like 'nobody'", vec![], "Database (nobody)", 0),
    ] {
        let mut cursor =
            session.query(sql, &params, &StatementOptions::default()).unwrap_or_else(|e| panic!("{sql}: {e}"));
        let mut found = Vec::new();
        while let Some(column) = cursor.columns().first() {
            found.push(column.name.clone());
            // The rows of every other one are left.
            if found.len() % 2 == 1 {
                cursor.next().unwrap();
            }
            if !cursor.next_result().unwrap() {
                break;
            }
        }
        assert_eq!(found.join(","), results, "{sql}");
        assert_eq!(cursor.finish().unwrap().rows.unwrap_or(0), rows, "{sql}");
    }
    // Of statements that are run to their end, what comes after one that fails is not run.
    let error = session.execute(
        "insert into t values (9, 'c'); insert into t values (9, 'd'); delete from t",
        &[],
        &StatementOptions::default(),
    );
    assert_eq!(error.unwrap_err().kind, ErrorKind::Constraint);
    assert_eq!(one(session, "select count(*) from t"), "I8(3)");
    let wrong = session.execute("delete from t where id = ?", &[number(1), number(2)], &StatementOptions::default());
    assert!(wrong.unwrap_err().message.contains("1 parameters, and 2 are given"));
    // A result that nobody reads to its end is in nobody's way.
    for read in [0, 1] {
        let options = StatementOptions { block_rows: 1000, ..StatementOptions::default() };
        let mut cursor = session.query("select repeat('x', 100) from seq_1_to_10000000", &[], &options).unwrap();
        for _ in 0..read {
            assert_eq!(cursor.next().unwrap().unwrap().len, 1000);
        }
        drop(cursor);
        assert_eq!(one(session, "select 'there'"), "there");
        assert_eq!(one(session, "select 'still'"), "still");
    }
}

#[test]
fn values_longer_than_a_packet_of_the_protocol() {
    let Some(server) = servers::mariadb() else { return };
    let database = server.database().unwrap();
    database.sql("set global max_allowed_packet = 64 * 1024 * 1024").unwrap();
    let mut session = lease(&database.url()).unwrap();
    let session = &mut *session;
    run(session, "create table t(id int primary key, v longblob)");
    let types = [DataType::I4, DataType::Image];
    // Around the border of packets, with whatever else is in the row; more than the server takes at all.
    let border = 0xff_ffff - 10;
    let lengths = [0, border - 1, border, border + 1, border + 2, 40 << 20, 3, 65 << 20];
    let value = |length: usize| Value::Bytes(Arc::from(vec![0xfe_u8; length].as_slice()));
    let rows: Vec<Vec<Value>> =
        lengths.iter().enumerate().map(|(id, l)| vec![Value::I4(id as i32), value(*l)]).collect();
    session.begin().unwrap();
    let columns = load_columns(&["id", "v"], &types);
    let mut loader = session.loader(&TableName::parse("t"), &columns, &LoadOptions::default()).unwrap();
    let failures = loader.write(&rows_of(&rows, &types)).unwrap();
    loader.finish().unwrap();
    session.commit().unwrap();
    assert_eq!(failures.iter().map(|f| f.row).collect::<Vec<_>>(), [7], "{failures:?}");
    assert!(failures[0].error.message.contains("max_allowed_packet"), "{}", failures[0].error);
    for sql in ["select id, v from t order by id", "select id, v from t order by id; select 1"] {
        let mut cursor = session.query(sql, &[], &StatementOptions::default()).unwrap();
        let mut found = Vec::new();
        while let Some(rows) = cursor.next().unwrap() {
            let values = rows.columns[1].as_any().downcast_ref::<arrow::array::BinaryViewArray>().unwrap();
            found.extend(values.iter().map(|v| {
                let v = v.unwrap();
                assert!(v == vec![0xfe; v.len()]);
                v.len()
            }));
        }
        assert_eq!(found, lengths[..7], "{sql}");
    }
}

fn loaded(session: &mut dyn Session, values: &[Vec<Value>], types: &[DataType], names: &[&str]) -> Vec<RowFailure> {
    let columns = load_columns(names, types);
    let mut loader = session.loader(&TableName::parse("t"), &columns, &LoadOptions::default()).unwrap();
    let failures = loader.write(&rows_of(values, types)).unwrap();
    loader.finish().unwrap();
    failures
}

#[test]
fn a_load_finds_every_bad_row() {
    let Some(server) = servers::mariadb() else { return };
    let database = server.database().unwrap();
    database
        .sql(
            "create table kinds(k int primary key); insert into kinds values (1), (2); create table seen(id bigint);
             create table t(id int primary key, name varchar(5) not null, kind int, part smallint check (part <> 13),
                            at datetime(6) default '2000-01-01', foreign key (kind) references kinds (k));
             create trigger noted after insert on t for each row insert into seen values (new.id)",
        )
        .unwrap();
    let types =
        [DataType::I8, DataType::WStr { len: 20 }, DataType::I4, DataType::I4, DataType::DbTimeStamp2 { scale: 7 }];
    let names = ["id", "name", "kind", "part", "at"];
    let bad = |row: usize| match row % 1000 {
        100 => Some("Duplicate entry"),
        101 => Some("'name' cannot be null"),
        333 => Some("Data too long for column 'name'"),
        500 => Some("foreign key constraint fails"),
        501 => Some("CONSTRAINT `t.part` failed"),
        502 => Some("Out of range value for column 'part'"),
        503 => Some("Out of range value for column 'id'"),
        _ => None,
    };
    let values: Vec<Vec<Value>> = (0..2500)
        .map(|row| {
            let wrong = row % 1000;
            let id = match wrong {
                100 => row as i64 - 3,
                503 => i64::from(i32::MAX) + 1,
                _ => row as i64,
            };
            let name = match wrong {
                101 => Value::Null,
                333 => Value::text("too long"),
                _ if row % 7 == 0 => Value::text("\t\\\n\0'"),
                _ => Value::text("é🙂"),
            };
            let part = match wrong {
                501 => 13,
                502 => 40_000,
                _ => 7,
            };
            let at = if row % 3 == 0 { Value::Null } else { Value::Ticks(17_091_648_000_000_010) };
            vec![Value::I8(id), name, Value::I4(if wrong == 500 { 3 } else { 1 }), Value::I4(part), at]
        })
        .collect();
    let expected: Vec<usize> = (0..2500).filter(|row| bad(*row).is_some()).collect();
    let mut session = lease(&database.url()).unwrap();
    let session = &mut *session;
    // A server that cuts what does not fit, too, is told not to for a load, and goes back to that behind it.
    for (mode, transaction) in
        [("STRICT_TRANS_TABLES", false), ("STRICT_TRANS_TABLES", true), ("", true), ("ANSI", false)]
    {
        let context = format!("{mode} {transaction}");
        database.sql("delete from t; delete from seen").unwrap();
        run(session, &format!("set sql_mode = '{mode}'"));
        let before = one(session, "select @@sql_mode");
        if transaction {
            session.begin().unwrap();
        }
        let failures = loaded(session, &values, &types, &names);
        if transaction {
            assert!(session.in_transaction(), "{context}");
            session.commit().unwrap();
        }
        assert!(!session.in_transaction(), "{context}");
        assert_eq!(one(session, "select @@sql_mode"), before, "{context}");
        assert_eq!(failures.iter().map(|f| f.row).collect::<Vec<_>>(), expected, "{context}");
        for failure in &failures {
            let words = bad(failure.row).unwrap();
            assert!(failure.error.message.contains(words), "{context} row {}: {}", failure.row, failure.error);
            assert!(failure.error.native > 0 && failure.error.state.len() == 5, "{context}: {}", failure.error);
        }
        let sums = r"select count(*), sum(id), sum(name = '\t\\\n\0\''), sum(at is null), count(distinct at),
                     min(at), (select count(*) from seen) from t";
        let good = (0..2500).filter(|row| bad(*row).is_none());
        let (count, sum) = (good.clone().count(), good.clone().sum::<usize>());
        let sevenths = good.clone().filter(|row| row % 7 == 0).count();
        let thirds = good.filter(|row| row % 3 == 0).count();
        let wanted = format!("{count}\t{sum}\t{sevenths}\t{thirds}\t1\t2024-02-29 00:00:00.000001\t{count}");
        assert_eq!(database.sql(sums).unwrap().trim(), wanted, "{context}");
    }
}

#[test]
fn what_somebody_else_holds_ends_a_load_and_loses_nothing() {
    let Some(server) = servers::mariadb() else { return };
    let database = server.database().unwrap();
    database.sql("create table t(id int primary key, v int); insert into t values (1, 0), (2, 0)").unwrap();
    let (mut one_of, mut other) = (lease(&database.url()).unwrap(), lease(&database.url()).unwrap());
    let types = [DataType::I4, DataType::I4];
    let rows = rows_of(&(10..20).map(|id| vec![Value::I4(id), Value::I4(0)]).collect::<Vec<_>>(), &types);
    // A row that somebody else is about to write.
    run(&mut *other, "set innodb_lock_wait_timeout = 1");
    one_of.begin().unwrap();
    run(&mut *one_of, "insert into t values (15, 1)");
    other.begin().unwrap();
    let columns = load_columns(&["id", "v"], &types);
    let mut loader = other.loader(&TableName::parse("t"), &columns, &LoadOptions::default()).unwrap();
    let error = loader.write(&rows).unwrap_err();
    drop(loader);
    assert_eq!((error.kind, error.native), (ErrorKind::Busy, 1205), "{error}");
    other.rollback().unwrap();
    one_of.commit().unwrap();
    // A deadlock undoes the transaction of one of the two; the rows that it had written are not gone on with.
    one_of.begin().unwrap();
    other.begin().unwrap();
    run(&mut *other, "insert into t values (100, 0)");
    run(&mut *one_of, "update t set v = 1 where id = 1");
    run(&mut *other, "update t set v = 2 where id = 2");
    let waits = std::thread::spawn(move || {
        let done = one_of.execute("update t set v = 1 where id = 2", &[], &StatementOptions::default());
        (one_of, done.map(drop))
    });
    std::thread::sleep(Duration::from_millis(200));
    let given = rows_of(&[vec![Value::I4(2), Value::I4(1)]], &types);
    let mine = other.execute_rows("update t set v = ? where id = ?", &given, &types, &StatementOptions::default());
    let (mut one_of, theirs) = waits.join().unwrap();
    let failed: Vec<_> = mine.as_ref().err().into_iter().chain(theirs.as_ref().err()).collect();
    assert_eq!(failed.len(), 1, "{mine:?} {theirs:?}");
    assert_eq!((failed[0].kind, failed[0].native), (ErrorKind::Busy, 1213), "{}", failed[0]);
    let loser = if mine.is_err() { &mut other } else { &mut one_of };
    assert!(!loser.in_transaction());
    one_of.rollback().unwrap();
    other.rollback().unwrap();
    assert_eq!(database.sql("select group_concat(id order by id) from t").unwrap().trim(), "1,2,15");
}

#[test]
fn statements_end_within_their_time() {
    let Some(server) = servers::mariadb() else { return };
    let database = server.database().unwrap();
    let mut session = lease(&database.url()).unwrap();
    let begun = Instant::now();
    for sql in [
        "select count(*) from seq_1_to_100000000 a, seq_1_to_100000000 b",
        "create table t as select a.seq from seq_1_to_100000000 a, seq_1_to_100000000 b",
    ] {
        let error = session.execute(sql, &[], &seconds(1)).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Timeout, "{sql}: {error}");
        assert!(begun.elapsed() < Duration::from_secs(20), "{sql}");
        assert_eq!(one(&mut *session, "select 'there'"), "there");
    }
    // A statement that changes rows is ended, too, and so is one that yields rows and is slow to find the first.
    run(&mut *session, "create table t(id int); insert into t select seq from seq_1_to_1000");
    let slow = "update t set id = id + 1 where sleep(0.1) = 0";
    assert_eq!(session.execute(slow, &[], &seconds(1)).unwrap_err().kind, ErrorKind::Timeout);
    assert_eq!(one(&mut *session, "select sum(id) from t"), "Decimal(500500, 0)");
    let slow = "select a.seq from seq_1_to_100000000 a, seq_1_to_100000000 b where a.seq + b.seq < 2";
    let found = session.query(slow, &[], &seconds(1)).and_then(|mut cursor| cursor.next());
    assert_eq!(found.err().unwrap().kind, ErrorKind::Timeout);
    assert_eq!(one(&mut *session, "select 'there'"), "there");
}

#[test]
fn rows_may_be_read_for_longer_than_their_answer_is_waited_for() {
    let Some(server) = servers::mariadb() else { return };
    let mut session = lease(&server.database().unwrap().url()).unwrap();
    let many = "select repeat('x', 200) from seq_1_to_300000";
    assert_eq!(read_slowly(&mut *session, many), 300_000);
    assert_eq!(one(&mut *session, "select 'there'"), "there");
}

#[test]
fn an_output_that_does_not_fit_leaves_the_session_in_step() {
    let Some(server) = servers::mariadb() else { return };
    let database = server.database().unwrap();
    let mut session = lease(&database.url()).unwrap();
    let session = &mut *session;
    run(session, "set sql_mode = ''");
    run(session, "create table t(id int primary key)");
    for (kind, value, data_type) in [
        ("date", "'0000-00-00'", DataType::DbDate),
        ("time", "'30:00:00'", DataType::DbTime),
        ("int", "300", DataType::UI1),
    ] {
        run(session, &format!("create or replace procedure p(out v {kind}) begin set v = {value}; select 1 as a; end"));
        let out = Param { name: None, direction: Direction::Output, data_type, value: Value::Null };
        let error = session.execute("call p(?)", &[out], &StatementOptions::default()).unwrap_err();
        assert_ne!(error.kind, ErrorKind::Lost, "{kind}: {error}");
        run(session, "insert into t values (1)");
        let twice = session.execute("insert into t values (1)", &[], &StatementOptions::default());
        assert_eq!(twice.unwrap_err().kind, ErrorKind::Constraint, "{kind}");
        assert_eq!(run(session, "delete from t"), Some(1), "{kind}");
    }
}

#[test]
fn a_statement_is_for_the_database_that_is_in_use() {
    let Some(server) = servers::mariadb() else { return };
    let (here, there) = (server.database().unwrap(), server.database().unwrap());
    for database in [&here, &there] {
        database.sql("create table t(id int)").unwrap();
    }
    let mut session = lease(&here.url()).unwrap();
    let session = &mut *session;
    let types = [DataType::I4];
    let rows = rows_of(&[vec![Value::I4(1)]], &types);
    let insert = |session: &mut dyn Session| {
        let sql = "insert into t values (?)";
        assert!(session.execute_rows(sql, &rows, &types, &StatementOptions::default()).unwrap().is_empty());
    };
    let counts = || [&here, &there].map(|d| d.sql("select count(*) from t").unwrap().trim().to_owned());
    for (at, expected) in [["1", "1"], ["2", "2"]].into_iter().enumerate() {
        run(session, &format!("use {}", here.name));
        insert(session);
        // As one statement, and as several.
        let change = format!("use {}", there.name);
        run(session, &if at == 0 { change } else { format!("select 1; {change}") });
        insert(session);
        assert_eq!(counts(), expected);
    }
}

#[test]
fn a_session_that_is_reset_is_as_good_as_new() {
    let Some(server) = servers::mariadb() else { return };
    let database = server.database().unwrap();
    let mut session: Lease = lease(&database.url()).unwrap();
    let session = &mut *session;
    let settings =
        "select concat_ws(' ', @@character_set_client, @@collation_connection, @@net_write_timeout, database())";
    let before = one(session, settings);
    assert!(before.starts_with("utf8mb4 utf8mb4_general_ci 31536000 t"), "{before}");
    run(session, "create temporary table mine(v int); set @x = 7; set names latin1; use information_schema");
    assert!(session.reset());
    assert_eq!(one(session, settings), before);
    assert_eq!(one(session, "select @x"), "Null");
    let error = session.query("select v from mine", &[], &StatementOptions::default()).err().unwrap();
    assert_eq!(error.kind, ErrorKind::NoTable, "{error}");
    // Of a string without a database nothing leads back to none.
    let nowhere = database.url().replace(&format!("/{}", database.name), "/");
    let mut session: Lease = lease(&nowhere).unwrap();
    assert!(session.reset());
    run(&mut *session, &format!("use {}", database.name));
    assert!(!session.reset());
}

#[test]
fn rows_that_an_update_leaves_as_they_are_count_as_the_client_of_the_string_has_it() {
    let Some(server) = servers::mariadb() else { return };
    let database = server.database().unwrap();
    let (port, name) = (database.port(), &database.name);
    database
        .sql(&format!(
            "create table t(id int); insert into t values (1), (2);
             create user net_{name}@'%' identified by 'planted-secret'; grant all on *.* to net_{name}@'%'"
        ))
        .unwrap();
    let net = format!(
        "Server=127.0.0.1;Port={port};Database={name};User Id=net_{name};Password=planted-secret;SslMode=Preferred"
    );
    for (string, rows) in [
        (net.clone(), 2),
        (format!("{net};UseAffectedRows=true"), 0),
        (format!("{net};Use Affected Rows=false"), 2),
        (format!("Driver=MariaDB Unicode;Server=127.0.0.1;Port={port};Database={name};Uid=tester"), 0),
        (database.url(), 0),
    ] {
        let mut session = lease(&string).unwrap();
        assert_eq!(run(&mut *session, "update t set id = id"), Some(rows), "{string}");
    }
    database.sql(&format!("drop user net_{name}@'%'")).unwrap();
}

/// The greeting of a server that can do these things.
fn greeting(abilities: u32) -> Vec<u8> {
    let mut payload = b"\x0a8.0.0\0\x01\0\0\0saltsalt\0".to_vec();
    payload.extend_from_slice(&abilities.to_le_bytes()[..2]);
    payload.extend_from_slice(&[45, 2, 0]);
    payload.extend_from_slice(&abilities.to_le_bytes()[2..]);
    payload.push(21);
    payload.extend_from_slice(&[0; 10]);
    payload.extend_from_slice(b"saltsaltsalt\0mysql_native_password\0");
    packet(0, &payload)
}

fn packet(number: u8, payload: &[u8]) -> Vec<u8> {
    let mut packet = (payload.len() as u32).to_le_bytes()[..3].to_vec();
    packet.push(number);
    packet.extend_from_slice(payload);
    packet
}

fn hear(socket: &mut TcpStream) -> std::io::Result<()> {
    let mut head = [0; 4];
    socket.read_exact(&mut head)?;
    let mut body = vec![0; u32::from_le_bytes([head[0], head[1], head[2], 0]) as usize];
    socket.read_exact(&mut body)
}

const PLAIN: u32 = 0x000f_a201;
const ENCRYPTS: u32 = PLAIN | 0x800;
const OK: &[u8] = &[0, 0, 0, 2, 0, 0, 0];

#[test]
fn what_a_server_says_before_its_turn_is_not_taken_for_an_answer() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = std::thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        socket.write_all(&[greeting(ENCRYPTS), packet(2, OK)].concat()).unwrap();
        let _ = socket.read(&mut [0; 1]);
        // Nor is it a reason to come again without encryption.
        listener.set_nonblocking(true).unwrap();
        listener.accept().is_err()
    });
    let error = lease(&format!("mysql://me:planted-secret@127.0.0.1:{port}/db")).err().unwrap();
    assert!(error.message.contains("before its turn") && error.kind == ErrorKind::Connect, "{error}");
    assert!(server.join().unwrap());
}

#[test]
fn answers_that_make_no_sense_end_the_connection() {
    for (answer, words) in [
        (packet(1, &[0xfe; 9]), "no answer"),
        (packet(1, &[0xfd, 0, 0, 1]), "no answer"),
        (packet(1, &[0xfb]).repeat(50_000), "closed it"),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = std::thread::spawn(move || {
            let (mut socket, _) = listener.accept().unwrap();
            socket.write_all(&greeting(PLAIN)).unwrap();
            hear(&mut socket).unwrap();
            socket.write_all(&packet(2, OK)).unwrap();
            hear(&mut socket).unwrap();
            socket.write_all(&packet(1, OK)).unwrap();
            hear(&mut socket).unwrap();
            socket.write_all(&answer).unwrap();
            socket.shutdown(std::net::Shutdown::Write).unwrap();
            while hear(&mut socket).is_ok() {}
        });
        let mut session = lease(&format!("mysql://me@127.0.0.1:{port}/db?ssl-mode=DISABLED")).unwrap();
        let error = session.execute("do 1", &[], &StatementOptions::default()).unwrap_err();
        assert!(error.kind == ErrorKind::Lost && error.message.contains(words), "{error}");
        drop(session);
        server.join().unwrap();
    }
}

#[test]
fn a_server_that_does_not_greet_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let place = listener.local_addr().unwrap();
    let error = lease(&format!("mysql://me@{place}/db?Connect Timeout=1")).err().unwrap();
    let expected = format!("the server {place} does not answer within 1 s");
    assert!(error.kind == ErrorKind::Connect && error.message.contains(&expected), "{error}");
    drop(listener);
    let error = lease(&format!("mysql://me@{place}/db")).err().unwrap();
    assert!(error.message.contains("Socket="), "{error}");
}

#[test]
fn a_load_whose_connection_is_ended_says_so() {
    let Some(server) = servers::mariadb() else { return };
    let database = server.database().unwrap();
    database.sql("create table t(id int, v longtext)").unwrap();
    let mut session = lease(&database.url()).unwrap();
    load_cut_off(&database, &mut *session);
    assert_eq!(session.commit().unwrap_err().kind, ErrorKind::Lost);
}
