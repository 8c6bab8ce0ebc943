//! SQL Server by its own protocol, against the tests' peer: logins, every type, parameters, results, transactions, errors,
//! and what ends a statement early.

use crate::peer::{PASSWORD, Peer};
use crate::sessions::{all_as, lease, reach, read, run, services};
use dtsx_components::db::{Direction, ErrorKind, Param, Relation, Session, StatementOptions, TableName};
use dtsx_engine::types::{DataType, Value};
use std::time::{Duration, Instant};

fn one(session: &mut dyn Session, sql: &str) -> String {
    read(session, sql, None).concat().join(" ")
}

#[test]
fn ways_of_logging_in() {
    let peer = Peer::start();
    let own = |user: &str, password: &str, more: &str| {
        format!(
            "Data Source=tcp:127.0.0.1,{};Initial Catalog=peer;User ID={user};Password={password};{more}",
            peer.port
        )
    };
    for string in [
        peer.string(),
        own("me", PASSWORD, "Provider=SQLNCLI11.1;Application Name=Nightly load;Current Language=Deutsch"),
        own("me", PASSWORD, "Encrypt=False;Application Name=Nightly load;Current Language=Deutsch"),
        format!(
            "Driver={{ODBC Driver 18 for SQL Server}};Server=127.0.0.1,{};Database=peer;UID=me;PWD={PASSWORD};Encrypt=no",
            peer.port
        ),
    ] {
        let services = services();
        let reached = reach("OLEDB", &string, &services).unwrap();
        assert_eq!(reached.target().driver.name(), "SQL Server", "{string}");
        let mut session = reached.lease().unwrap_or_else(|e| panic!("{string}: {e}"));
        assert_eq!(one(&mut *session, "select 7 as n"), "I4(7)", "{string}");
        assert!(session.server().contains("16.0"), "{}", session.server());
    }
    assert_eq!(peer.logins()[1], ["me", PASSWORD, "Nightly load", "Deutsch", "peer"]);
    for (string, words) in [
        (own("me", "another-secret", "Encrypt=False"), "Login failed for user 'me'"),
        (own("me", PASSWORD, "Encrypt=False").replace("=peer", "=nowhere"), "nowhere"),
        (own("me", PASSWORD, "Encrypt=True"), "encrypt"),
        (own("me", PASSWORD, "Encrypt=Strict"), ""),
    ] {
        let error = lease(&string).err().unwrap_or_else(|| panic!("{string}: it connects"));
        assert_eq!(error.kind, ErrorKind::Connect, "{string}: {error}");
        assert!(error.message.to_lowercase().contains(&words.to_lowercase()), "{string}: {error}");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}

#[test]
fn every_type_is_read() {
    let peer = Peer::start();
    let mut session = lease(&peer.string()).unwrap();
    let session = &mut *session;
    let long = "0123456789".repeat(2000);
    for (kind, value, expected) in [
        ("bit", "1", "Bool(true)"),
        ("tinyint", "255", "UI1(255)"),
        ("smallint", "-32768", "I2(-32768)"),
        ("int", "-2147483648", "I4(-2147483648)"),
        ("bigint", "-9223372036854775808", "I8(-9223372036854775808)"),
        ("real", "1.5", "R4(1.5)"),
        ("float", "0.1", "R8(0.1)"),
        ("smallmoney", "'-0.0001'", "Decimal(-1, 4)"),
        ("money", "'-922337203685477.5808'", "Decimal(-9223372036854775808, 4)"),
        (
            "decimal(38,10)",
            "'-1234567890123456789012345678.9012345678'",
            "Decimal(-12345678901234567890123456789012345678, 10)",
        ),
        ("numeric(9,2)", "'1234567.89'", "Decimal(123456789, 2)"),
        ("date", "'2024-02-29'", "Days(19782)"),
        ("time(3)", "'23:59:59.999'", "Time(86399999000000)"),
        ("smalldatetime", "'1970-01-02 00:01:00'", "Timestamp(86460000000)"),
        ("datetime", "'1970-01-01 00:00:00.997'", "Timestamp(997000)"),
        ("datetime2(7)", "'1970-01-01 00:00:01.1234567'", "Ticks(11234567)"),
        ("datetime2(0)", "'0001-01-01 00:00:00'", "Ticks(-621355968000000000)"),
        (
            "uniqueidentifier",
            "'00112233-4455-6677-8899-AABBCCDDEEFF'",
            "Guid([00, 11, 22, 33, 44, 55, 66, 77, 88, 99, aa, bb, cc, dd, ee, ff])",
        ),
        ("char(4)", "'ab  '", "ab  "),
        ("varchar(20)", "'Käse €'", "Käse €"),
        ("nvarchar(20)", "N'Köln – 東京 🙂'", "Köln – 東京 🙂"),
        ("nvarchar(20)", "N''", ""),
        ("varchar(max)", long.as_str(), long.as_str()),
        ("nvarchar(max)", long.as_str(), long.as_str()),
        ("text", "'some'", "some"),
        ("ntext", "N'東京'", "東京"),
        ("xml", "N'<a>é</a>'", "<a>é</a>"),
        ("varbinary(9)", "x'00ff5c'", "Bytes(3 bytes)"),
        ("varbinary(max)", "x'00ff'", "Bytes(2 bytes)"),
        ("image", "x'00ff'", "Bytes(2 bytes)"),
    ] {
        let value =
            if kind.ends_with("(max)") && !value.starts_with('x') { format!("'{value}'") } else { value.to_owned() };
        run(session, "drop table if exists t");
        run(session, &format!("create table t(v {kind})"));
        run(session, &format!("insert into t values ({value}), (null)"));
        let found = read(session, "select v from t", None);
        assert_eq!(found, [[expected], ["Null"]], "{kind}");
    }
    run(session, "create table o(v datetimeoffset(2))");
    run(session, "insert into o values ('2024-03-01 00:30:00.25 +02:00')");
    let found = all_as(session, "select v from o", &[], None);
    assert!(format!("{found:?}").contains("120"), "{found:?}");
}

#[test]
fn parameters_go_in_as_they_are() {
    let peer = Peer::start();
    let mut session = lease(&peer.string()).unwrap();
    let session = &mut *session;
    let input = |t: DataType, v: Value| Param::input(t, v);
    for (param, expected) in [
        (input(DataType::I4, Value::I4(-7)), "-7"),
        (input(DataType::I8, Value::I8(i64::MIN)), "-9223372036854775808"),
        (input(DataType::Bool, Value::Bool(true)), "1"),
        (input(DataType::R8, Value::R8(0.1)), "0.1"),
        (input(DataType::WStr { len: 20 }, Value::text("Köln 🙂")), "Köln 🙂"),
        (input(DataType::WStr { len: 20 }, Value::Null), "NULL"),
        (input(DataType::NText, Value::text("x".repeat(9000))), &"x".repeat(9000)),
        (input(DataType::Numeric { precision: 9, scale: 2 }, Value::Decimal(-1250, 2)), "-12.50"),
        (input(DataType::DbDate, Value::Days(19_782)), "2024-02-29"),
    ] {
        run(session, "drop table if exists p");
        run(session, "create table p(v anything_blob)");
        let done =
            session.execute("insert into p values (?)", std::slice::from_ref(&param), &StatementOptions::default());
        assert_eq!(done.unwrap_or_else(|e| panic!("{param:?}: {e}")).rows, Some(1), "{param:?}");
        assert_eq!(peer.sql("select v from p"), [expected], "{param:?}");
    }
}

#[test]
fn what_comes_out_of_parameters() {
    let peer = Peer::start();
    let mut session = lease(&peer.string()).unwrap();
    let out = |t: DataType, v: Value| Param { direction: Direction::InputOutput, ..Param::input(t, v) };
    let params = [
        out(DataType::I4, Value::I4(20)),
        Param::input(DataType::I4, Value::I4(1)),
        out(DataType::WStr { len: 20 }, Value::text("a")),
        out(DataType::R8, Value::R8(0.5)),
    ];
    let sql = "set ? = ? + 41; set ? = 'Köln'; select ? as same";
    let done = session.execute(sql, &params, &StatementOptions::default()).unwrap();
    assert_eq!(done.outputs, [Value::I4(42), Value::Null, Value::text("Köln"), Value::R8(0.5)]);
}

#[test]
fn results_come_one_after_the_other() {
    let peer = Peer::start();
    peer.make("create table t(id int not null primary key, v nvarchar(20))");
    let mut session = lease(&peer.string()).unwrap();
    let session = &mut *session;
    let sql = "select 1 as a; insert into t values (1, 'a'), (2, 'b'); select v from t order by id";
    let mut cursor = session.query(sql, &[], &StatementOptions::default()).unwrap();
    assert_eq!(cursor.columns()[0].name, "a");
    assert!(cursor.next_result().unwrap());
    assert_eq!(cursor.columns()[0].name, "v");
    assert_eq!(cursor.next().unwrap().unwrap().len, 2);
    assert!(!cursor.next_result().unwrap());
    assert_eq!(cursor.finish().unwrap().rows, Some(2));
    // What comes after a statement that fails is not run.
    let error = session.execute(
        "insert into t values (9, 'c'); insert into t values (9, 'd'); delete from t",
        &[],
        &StatementOptions::default(),
    );
    let error = error.unwrap_err();
    assert_eq!((error.kind, error.native), (ErrorKind::Constraint, 2627), "{error}");
    assert_eq!(one(session, "select count(*) as n from t"), "I4(3)");
    // A result that nobody reads to its end is in nobody's way.
    for read in [0, 1] {
        let options = StatementOptions { block_rows: 1000, ..StatementOptions::default() };
        let many = "with recursive c(n) as (select 1 union all select n + 1 from c limit 3000000) select n from c";
        let mut cursor = session.query(many, &[], &options).unwrap();
        for _ in 0..read {
            assert_eq!(cursor.next().unwrap().unwrap().len, 1000);
        }
        drop(cursor);
        assert_eq!(one(session, "select 'there' as a"), "there");
    }
}

#[test]
fn tables_and_queries_are_described() {
    let peer = Peer::start();
    peer.make("create table t(id int identity(1,1) primary key, n nvarchar(5) not null, d decimal(9,2) default 7)");
    let mut session = lease(&peer.string()).unwrap();
    let found = session.describe(&Relation::Table(&TableName::parse("[dbo].[t]"))).unwrap();
    let told: Vec<_> =
        found.iter().map(|c| (c.name.as_str(), c.data_type, c.nullable, c.generated, c.default.as_deref())).collect();
    assert_eq!(
        told,
        [
            ("id", DataType::I4, Some(false), true, None),
            ("n", DataType::WStr { len: 5 }, Some(false), false, None),
            ("d", DataType::Numeric { precision: 9, scale: 2 }, Some(true), false, Some("(7)")),
        ]
    );
    let query = session.describe(&Relation::Query("select n, d from t where id = ?")).unwrap();
    let told: Vec<_> = query.iter().map(|c| (c.name.as_str(), c.data_type, c.nullable)).collect();
    assert_eq!(
        told,
        [
            ("n", DataType::WStr { len: 5 }, Some(false)),
            ("d", DataType::Numeric { precision: 9, scale: 2 }, Some(true)),
        ]
    );
    let missing = session.describe(&Relation::Table(&TableName::parse("nowhere"))).unwrap_err();
    assert_eq!((missing.kind, missing.native), (ErrorKind::NoTable, 208), "{missing}");
}

#[test]
fn transactions_keep_and_undo() {
    let peer = Peer::start();
    peer.make("create table t(id int not null primary key)");
    let mut session = lease(&peer.string()).unwrap();
    let session = &mut *session;
    session.begin().unwrap();
    assert!(session.in_transaction());
    run(session, "insert into t values (1)");
    session.savepoint("here").unwrap();
    run(session, "insert into t values (2)");
    session.rollback_to("here").unwrap();
    assert_eq!(peer.sql("select count(*) from t"), ["0"]);
    session.commit().unwrap();
    assert!(!session.in_transaction());
    assert_eq!(peer.sql("select id from t"), ["1"]);
    session.begin().unwrap();
    run(session, "insert into t values (3)");
    session.rollback().unwrap();
    assert_eq!(peer.sql("select id from t"), ["1"]);
    // One that the server ended is not committed.
    session.begin().unwrap();
    run(session, "insert into t values (4)");
    run(session, "rollback transaction");
    assert!(!session.in_transaction());
    assert_eq!(session.commit().unwrap_err().kind, ErrorKind::Undone);
    assert_eq!(peer.sql("select id from t"), ["1"]);
}

#[test]
fn errors_have_the_numbers_of_the_server() {
    let peer = Peer::start();
    peer.make("create table t(id int not null primary key, n nvarchar(3) not null, a int check (a > 0))");
    peer.make("insert into t values (1, 'x', 1)");
    let mut session = lease(&peer.string()).unwrap();
    for (sql, kind, native) in [
        ("insert into t values (1, 'y', 1)", ErrorKind::Constraint, 2627),
        ("insert into t values (2, null, 1)", ErrorKind::Constraint, 515),
        ("insert into t values (2, 'y', -1)", ErrorKind::Constraint, 547),
        ("insert into t values (2, 'long', 1)", ErrorKind::Value, 2628),
        ("select * from nowhere", ErrorKind::NoTable, 208),
        ("select missing from t", ErrorKind::Statement, 207),
        ("selekt 1", ErrorKind::Statement, 102),
        ("raiserror('stop it', 16, 1)", ErrorKind::Statement, 50_000),
    ] {
        let error = session.execute(sql, &[], &StatementOptions::default()).unwrap_err();
        assert_eq!((error.kind, error.native), (kind, native), "{sql}: {error}");
        assert_eq!(one(&mut *session, "select 'there' as a"), "there", "{sql}");
    }
}

#[test]
fn statements_end_when_they_are_told_to() {
    let peer = Peer::start();
    let mut session = lease(&peer.string()).unwrap();
    let begun = Instant::now();
    let options = StatementOptions::default().with_timeout_seconds(1);
    let error = session.execute("waitfor delay '00:01:00'", &[], &options).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Timeout, "{error}");
    assert_eq!(one(&mut *session, "select 'there' as a"), "there");
    let canceller = session.canceller();
    let cancelling = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(300));
        canceller.cancel();
    });
    let error = session.execute("waitfor delay '00:01:00'", &[], &StatementOptions::default()).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Cancelled, "{error}");
    cancelling.join().unwrap();
    let error = session.execute("select 1 as a", &[], &StatementOptions::default()).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Cancelled, "{error}");
    session.resume();
    assert_eq!(one(&mut *session, "select 'there' as a"), "there");
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
}

#[test]
fn a_connection_that_breaks_is_lost() {
    let peer = Peer::start();
    let mut session = lease(&peer.string()).unwrap();
    let options = StatementOptions { block_rows: 100, ..StatementOptions::default() };
    let many = "with recursive c(n) as (select 1 union all select n + 1 from c limit 30000000) select n from c";
    let mut cursor = session.query(many, &[], &options).unwrap();
    cursor.next().unwrap();
    peer.cut();
    let error = loop {
        match cursor.next() {
            Ok(Some(_)) => {}
            Ok(None) => panic!("it came to its end"),
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind, ErrorKind::Lost, "{error}");
    drop(cursor);
    let error = session.execute("select 1 as a", &[], &StatementOptions::default()).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Lost, "{error}");
}

#[test]
fn encryption_is_what_the_words_say() {
    let peer = Peer::start();
    let (Some(own), Some(other)) = (peer.certificate("own"), peer.certificate("other")) else {
        eprintln!("skipped: there is no openssl that makes certificates");
        return;
    };
    let (all, login) = (peer.encrypted(&own, false), peer.encrypted(&own, true));
    let pinned = |(certificate, _): &(std::path::PathBuf, _)| {
        format!("Encrypt=True;ServerCertificate={}", certificate.display())
    };
    for (port, words, expected) in [
        (all, "Encrypt=True;TrustServerCertificate=True", Ok(())),
        // The server wants it.
        (all, "Encrypt=False", Ok(())),
        (all, &pinned(&own), Ok(())),
        (all, &pinned(&other), Err("certificate")),
        (all, "Encrypt=True", Err("certificate")),
        (all, "Encrypt=Mandatory;HostNameInCertificate=localhost", Err("certificate")),
        (login, "Encrypt=False", Ok(())),
        (login, "Encrypt=True;TrustServerCertificate=True", Err("encrypt")),
    ] {
        let string =
            format!("Data Source=localhost,{port};Initial Catalog=peer;User ID=me;Password={PASSWORD};{words}");
        match (lease(&string), expected) {
            (Ok(mut session), Ok(())) => {
                let many =
                    "with recursive c(n) as (select 1 union all select n + 1 from c limit 100000) select n from c";
                assert_eq!(all_as(&mut *session, many, &[], None).len(), 100_000, "{string}");
            }
            (Err(error), Err(said)) => {
                assert_eq!(error.kind, ErrorKind::Connect, "{string}: {error}");
                assert!(error.message.to_lowercase().contains(said), "{string}: {error}");
                assert!(!error.to_string().contains(PASSWORD), "{error}");
            }
            (Ok(_), Err(said)) => panic!("{string}: it connects, and not: {said}"),
            (Err(error), Ok(())) => panic!("{string}: {error}"),
        }
    }
}
