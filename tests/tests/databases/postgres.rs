//! PostgreSQL by its own protocol, on a real server: encryption, types that have no counterpart, bulk loads with bad rows.

use crate::sessions::{all_as, lease, load_columns, load_cut_off, read, read_slowly, rows_of, run, seconds};
use dtsx_components::db::{ErrorKind, LoadOptions, Param, Session, StatementOptions, TableName};
use dtsx_engine::types::{DataType, Value};
use dtsx_tests::servers;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

#[test]
fn encryption_is_what_the_mode_says() {
    let Some(server) = servers::postgres() else { return };
    let database = server.database().unwrap();
    let (Some(root), Some(other)) = (database.file("root.crt"), database.file("other.crt")) else {
        eprintln!("skipped: there is no openssl that makes certificates");
        return;
    };
    let (certificate, key) = (database.file("client.crt").unwrap(), database.file("client.key").unwrap());
    let _ = database.sql("create role encrypted login password 'planted-secret'");
    let _ = database.sql("create role by_certificate login");
    let (port, name) = (database.port(), &database.name);
    let odbc = |host: &str, user: &str, more: &str| {
        format!(
            "Driver=PostgreSQL Unicode;Server={host};Port={port};Database={name};Uid={user};Pwd=planted-secret;{more}"
        )
    };
    let url = |user: &str, more: &str| format!("postgres://{user}:planted-secret@127.0.0.1:{port}/{name}?{more}");
    let certified = format!("SSLmode=require;sslcert={certificate};sslkey={key}");
    for (string, expected) in [
        (odbc("127.0.0.1", "postgres", "SSLmode=disable"), Ok("Bool(false)")),
        (odbc("127.0.0.1", "postgres", ""), Ok("Bool(true)")),
        (odbc("127.0.0.1", "postgres", "SSLmode=require"), Ok("Bool(true)")),
        (odbc("127.0.0.1", "postgres", &format!("SSLmode=verify-ca;sslrootcert={root}")), Ok("Bool(true)")),
        (odbc("127.0.0.1", "postgres", &format!("SSLmode=require;sslrootcert={other}")), Err("nobody in")),
        (odbc("localhost", "postgres", &format!("SSLmode=verify-full;sslrootcert={root}")), Ok("Bool(true)")),
        (
            odbc("127.0.0.1", "postgres", &format!("SSLmode=verify-full;sslrootcert={root}")),
            Err("not made out for 127.0.0.1, but for"),
        ),
        (odbc("localhost", "postgres", &format!("SSLmode=verify-full;sslrootcert={other}")), Err("nobody in")),
        (
            odbc("localhost", "postgres", "SSLmode=verify-full;sslrootcert=system"),
            Err("nobody whom this machine believes"),
        ),
        (odbc("127.0.0.1", "postgres", "SSLmode=sometimes"), Err("sslmode is \"sometimes\"")),
        (odbc("127.0.0.1", "postgres", "channel_binding=require"), Err("channel_binding=require")),
        (odbc("127.0.0.1", "postgres", &format!("sslcert=/nowhere.pem;sslkey={key}")), Err("/nowhere.pem")),
        // A user who is only let in over encrypted connections, by password.
        (odbc("127.0.0.1", "encrypted", "SSLmode=disable"), Err("no encryption")),
        (odbc("127.0.0.1", "encrypted", "SSLmode=allow"), Ok("Bool(true)")),
        (odbc("127.0.0.1", "encrypted", "SSLmode=prefer"), Ok("Bool(true)")),
        (odbc("127.0.0.1", "encrypted", "SSLmode=require;channel_binding=require"), Ok("Bool(true)")),
        (url("encrypted", "sslmode=require"), Ok("Bool(true)")),
        (url("encrypted", &format!("sslmode=verify-ca&sslrootcert={root}")), Ok("Bool(true)")),
        (
            format!("host=127.0.0.1 port={port} dbname={name} user=encrypted password=planted-secret sslmode=require"),
            Ok("Bool(true)"),
        ),
        (
            format!(
                "Host=127.0.0.1;Port={port};Database={name};Username=encrypted;Password=planted-secret;SSL Mode=Require;\
                 Trust Server Certificate=true"
            ),
            Ok("Bool(true)"),
        ),
        (url("encrypted", "sslmode=require").replace("planted", "another"), Err("password authentication failed")),
        // One whose certificate says who it is.
        (odbc("127.0.0.1", "by_certificate", &certified), Ok("Bool(true)")),
        (odbc("127.0.0.1", "by_certificate", "SSLmode=require"), Err("certificate")),
    ] {
        let found = lease(&string);
        match (found, expected) {
            (Ok(mut session), Ok(encrypted)) => {
                let rows = read(&mut *session, "select ssl from pg_stat_ssl where pid = pg_backend_pid()", None);
                assert_eq!(rows, [[encrypted]], "{string}");
                // A block of rows larger than one record, both ways.
                let many = "select sum(length(v)) from (select repeat('x', n) as v from generate_series(1, 2000) n) t";
                assert_eq!(read(&mut *session, many, None), [["I8(2001000)"]], "{string}");
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
}

#[test]
fn a_server_that_does_not_encrypt_is_refused_where_that_is_wanted() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = std::thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        let mut request = [0; 8];
        socket.read_exact(&mut request).unwrap();
        assert_eq!(request, [0, 0, 0, 8, 4, 210, 22, 47]);
        socket.write_all(b"N").unwrap();
        // Nothing of the login comes.
        assert_eq!(socket.read(&mut [0; 1]).unwrap_or(0), 0);
    });
    let error = lease(&format!("postgres://me:planted-secret@127.0.0.1:{port}/db?sslmode=require")).err().unwrap();
    assert!(error.message.contains("does not encrypt") && error.kind == ErrorKind::Connect, "{error}");
    server.join().unwrap();
}

#[test]
fn types_without_a_counterpart_come_as_text() {
    let Some(server) = servers::postgres() else { return };
    let database = server.database().unwrap();
    database.sql("create type mood as enum ('sad', 'glad'); create domain small as int check (value < 10)").unwrap();
    let mut session = lease(&database.url()).unwrap();
    for (sql, expected) in [
        ("select interval '1 year 2 days 03:04:05.6'", "1 year 2 days 03:04:05.6"),
        ("select '{\"a\": [1, 2]}'::json", "{\"a\": [1, 2]}"),
        ("select '{\"a\":1}'::jsonb", "{\"a\": 1}"),
        ("select array[1, null, 3]", "{1,NULL,3}"),
        ("select array[0.1::float8]", "{0.1}"),
        ("select '10.0.0.1/8'::inet", "10.0.0.1/8"),
        ("select b'1011'", "1011"),
        ("select 'glad'::mood", "glad"),
        ("select '<a/>'::xml", "<a/>"),
        ("select 'x'::\"char\"", "x"),
        ("select 'ab'::char(4)", "ab  "),
        ("select '13:00:00+02'::timetz", "13:00:00+02"),
        ("select point(1, 2)", "(1,2)"),
        ("select 7::small", "I4(7)"),
        ("select 12.34::money", "Decimal(123400, 4)"),
        (
            "select 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid",
            "Guid([a0, ee, bc, 99, 9c, 0b, 4e, f8, bb, 6d, 6b, b9, bd, 38, 0a, 11])",
        ),
        ("select '\\x00ff'::bytea", "Bytes(2 bytes)"),
        ("select timestamptz '2024-01-01 12:00:00+02'", "TicksOffset(17041032000000000, 0)"),
        ("select 'NaN'::float8", "R8(NaN)"),
        ("select null::interval", "Null"),
    ] {
        assert_eq!(read(&mut *session, sql, None), [[expected]], "{sql}");
    }
    // What a column cannot hold is a fault of its row, if faults are asked for, and else an error.
    for (wish, kind, values) in [
        (
            DataType::DbDate,
            "date",
            &[
                ("infinity", "fault"),
                ("2024-02-29", "Days(19782)"),
                ("-infinity", "fault"),
                ("0044-03-15 BC", "fault"),
                ("9999-12-31", "Days(2932896)"),
            ][..],
        ),
        (
            DataType::DbTimeStamp,
            "timestamp",
            &[("infinity", "fault"), ("1970-01-01", "Timestamp(0)"), ("294276-01-01", "fault")],
        ),
        (DataType::DbTime2 { scale: 6 }, "time", &[("24:00:00", "fault"), ("00:00:01", "Time(1000000000)")]),
        (
            DataType::Numeric { precision: 5, scale: 2 },
            "numeric",
            &[
                ("NaN", "fault"),
                ("999.99", "Decimal(99999, 2)"),
                ("Infinity", "fault"),
                ("1000", "fault"),
                ("-12.345", "Decimal(-1235, 2)"),
            ],
        ),
    ] {
        let rows: Vec<String> = values.iter().map(|(value, _)| format!("('{value}'::{kind})")).collect();
        let sql = format!("select v from (values {}) t(v)", rows.join(", "));
        let expected: Vec<&str> = values.iter().map(|(_, expected)| *expected).collect();
        assert_eq!(read(&mut *session, &sql, Some(wish)).concat(), expected, "{sql}");
        if kind != "numeric" {
            let mut cursor = session.query(&sql, &[], &StatementOptions::default()).unwrap();
            assert_eq!(cursor.next().err().map(|e| e.kind), Some(ErrorKind::Value), "{sql}");
        }
    }
}

#[test]
fn a_bulk_load_finds_every_bad_row() {
    let Some(server) = servers::postgres() else { return };
    let database = server.database().unwrap();
    database
        .sql(
            "create table kinds(k int primary key); insert into kinds values (1), (2);
             create table t(id int primary key, name varchar(5) not null, kind int references kinds,
                            part smallint check (part <> 13), at timestamp default '2000-01-01')",
        )
        .unwrap();
    let types =
        [DataType::I8, DataType::WStr { len: 20 }, DataType::I4, DataType::I4, DataType::DbTimeStamp2 { scale: 7 }];
    let names = ["id", "name", "kind", "part", "at"];
    let columns = load_columns(&names, &types);
    let bad = |row: usize| match row % 1000 {
        100 => Some("key"),
        101 => Some("null"),
        333 => Some("long"),
        500 => Some("kind"),
        501 => Some("check"),
        502 => Some("range"),
        503 => Some("id"),
        _ => None,
    };
    let values: Vec<Vec<Value>> = (0..2500)
        .map(|row| {
            let wrong = bad(row).unwrap_or("");
            let id = match wrong {
                "key" => row as i64 - 3,
                "id" => i64::from(i32::MAX) + 1,
                _ => row as i64,
            };
            let name = match wrong {
                "null" => Value::Null,
                "long" => Value::text("too long"),
                // NUL ends a string; the rest of these have to be escaped in text form.
                _ if row % 7 == 0 => Value::text("a\t\\\n\0b"),
                _ => Value::text("é東"),
            };
            let part = match wrong {
                "check" => 13,
                "range" => 40_000,
                _ => 7,
            };
            // The last digit is one more than the server has.
            let at = if row % 3 == 0 { Value::Null } else { Value::Ticks(17_091_648_000_000_005) };
            vec![Value::I8(id), name, Value::I4(if wrong == "kind" { 3 } else { 1 }), Value::I4(part), at]
        })
        .collect();
    let expected: Vec<usize> = (0..2500).filter(|row| bad(*row).is_some()).collect();
    let mut session = lease(&database.url()).unwrap();
    for (transaction, keep_nulls) in [(false, true), (true, true), (true, false)] {
        database.sql("delete from t").unwrap();
        if transaction {
            session.begin().unwrap();
        }
        let options = LoadOptions { keep_nulls, ..LoadOptions::default() };
        let mut loader = session.loader(&TableName::parse("t"), &columns, &options).unwrap();
        let failures = loader.write(&rows_of(&values, &types)).unwrap();
        loader.finish().unwrap();
        if transaction {
            session.commit().unwrap();
        }
        let told: Vec<usize> = failures.iter().map(|f| f.row).collect();
        assert_eq!(told, expected, "{transaction} {keep_nulls}");
        for failure in &failures {
            let words = match bad(failure.row) {
                Some("key") => "duplicate key",
                Some("null") => "null value",
                Some("long") => "value too long for type character varying(5)",
                Some("kind") => "foreign key",
                Some("check") => "check constraint",
                _ => "out of range",
            };
            assert!(failure.error.message.contains(words), "row {}: {}", failure.row, failure.error);
        }
        let at = if keep_nulls { "0" } else { "833" };
        let sums = "select count(*), sum(id), count(*) filter (where name = E'a\\t\\\\\\n'), \
                    count(*) filter (where at = '2000-01-01'), count(distinct at) from t";
        let good = (0..2500).filter(|row| bad(*row).is_none());
        let count = good.clone().count();
        let sevenths = good.clone().filter(|row| row % 7 == 0).count();
        let thirds = if at == "0" { 0 } else { good.clone().filter(|row| row % 3 == 0).count() };
        let wanted = format!("{count}|{}|{sevenths}|{thirds}|{}", good.sum::<usize>(), if keep_nulls { 1 } else { 2 });
        assert_eq!(database.sql(sums).unwrap().trim(), wanted, "{transaction} {keep_nulls}");
    }
}

#[test]
fn a_load_whose_connection_is_ended_says_what_the_server_said() {
    let Some(server) = servers::postgres() else { return };
    let database = server.database().unwrap();
    database.sql("create table t(id int, v text)").unwrap();
    let mut session = lease(&database.url()).unwrap();
    let error = load_cut_off(&database, &mut *session);
    assert!(error.message.contains("terminating connection"), "{error}");
}

#[test]
fn statements_end_within_their_time() {
    let Some(server) = servers::postgres() else { return };
    let database = server.database().unwrap();
    let mut session = lease(&database.url()).unwrap();
    let session = &mut *session;
    run(session, "create table t(id int); insert into t values (1), (2)");
    for sql in ["select pg_sleep(100)", "update t set id = id + 1 where pg_sleep(50) is not null"] {
        let error = session.execute(sql, &[], &seconds(1)).unwrap_err();
        assert!(error.kind == ErrorKind::Timeout && error.message.contains("1 s"), "{sql}: {error}");
        let found = session.query(sql, &[], &seconds(1)).and_then(|mut cursor| cursor.next());
        assert_eq!(found.err().unwrap().kind, ErrorKind::Timeout, "{sql}");
    }
    assert_eq!(read(session, "select sum(id) from t", None).concat(), ["I8(3)"]);
    // The server's own is told as one, too.
    run(session, "set statement_timeout = 200");
    let error = session.execute("select pg_sleep(100)", &[], &StatementOptions::default()).unwrap_err();
    assert!(error.kind == ErrorKind::Timeout && error.message.contains("statement timeout"), "{error}");
}

#[test]
fn rows_may_be_read_for_longer_than_their_answer_is_waited_for() {
    let Some(server) = servers::postgres() else { return };
    let mut session = lease(&server.database().unwrap().url()).unwrap();
    let many = "select repeat('x', 200) from generate_series(1, 300000)";
    assert_eq!(read_slowly(&mut *session, many), 300_000);
}

#[test]
fn what_is_prepared_has_a_name_that_nobody_else_gives() {
    let Some(server) = servers::postgres() else { return };
    let database = server.database().unwrap();
    let (mut one, mut other) = (lease(&database.url()).unwrap(), lease(&database.url()).unwrap());
    let ask = |session: &mut dyn Session, sql: &str| {
        let param = Param::input(DataType::I4, Value::I4(7));
        all_as(session, sql, &[param], None)
    };
    let names = |session: &mut dyn Session| read(session, "select name from pg_prepared_statements", None).concat();
    let mut all = Vec::new();
    for session in [&mut one, &mut other] {
        for sql in ["select 1 + ?::int", "select 2 + ?::int"] {
            let expected = if sql.contains('1') { 8 } else { 9 };
            for _ in 0..4 {
                assert_eq!(ask(&mut **session, sql), [[Value::I4(expected)]]);
            }
            let now = names(&mut **session);
            assert_eq!(now.len(), 1, "{now:?}");
            all.extend(now);
        }
    }
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 4, "{all:?}");
    // Behind somebody who deals out connections, the next one may not know it: it is asked without, then and from then on.
    let session = &mut *one;
    assert!(session.query("deallocate all", &[], &StatementOptions::default()).unwrap().next().unwrap().is_none());
    for _ in 0..4 {
        assert_eq!(ask(session, "select 2 + ?::int"), [[Value::I4(9)]]);
        assert!(names(session).is_empty());
    }
    // Statements that run for each row have no name.
    run(session, "create table t(id int)");
    let types = [DataType::I4];
    let rows = rows_of(&(0..1000).map(|id| vec![Value::I4(id)]).collect::<Vec<_>>(), &types);
    for _ in 0..2 {
        let failures = session.execute_rows("insert into t values (?)", &rows, &types, &StatementOptions::default());
        assert!(failures.unwrap().is_empty());
        assert!(names(session).is_empty());
    }
    let wrong = session.execute_rows("insert into t value (?)", &rows, &types, &StatementOptions::default());
    assert_eq!(wrong.unwrap_err().kind, ErrorKind::Statement);
}

/// Passes bytes on to a server, and counts the connections.
fn relay(server: u16) -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (port, count) = (listener.local_addr().unwrap().port(), Arc::new(AtomicUsize::new(0)));
    let counted = count.clone();
    std::thread::spawn(move || {
        for near in listener.incoming() {
            let (near, far) = (near.unwrap(), TcpStream::connect(("127.0.0.1", server)).unwrap());
            counted.fetch_add(1, Ordering::Relaxed);
            near.set_nodelay(true).unwrap();
            far.set_nodelay(true).unwrap();
            for (mut from, mut to) in [(near.try_clone().unwrap(), far.try_clone().unwrap()), (far, near)] {
                std::thread::spawn(move || {
                    let _ = std::io::copy(&mut from, &mut to);
                    let _ = to.shutdown(Shutdown::Both);
                });
            }
        }
    });
    (port, count)
}

#[test]
fn a_cursor_that_is_left_early_leaves_its_session_as_it_was() {
    let Some(server) = servers::postgres() else { return };
    let database = server.database().unwrap();
    let (port, connections) = relay(server.port);
    let mut session = lease(&database.url().replace(&format!(":{}/", server.port), &format!(":{port}/"))).unwrap();
    let one = StatementOptions { block_rows: 1, ..StatementOptions::default() };
    for n in 0..50 {
        let mut cursor = session.query(&format!("select {n}"), &[], &one).unwrap();
        assert!(cursor.next().unwrap().is_some());
    }
    assert_eq!(connections.load(Ordering::Relaxed), 1, "one row is not worth a second connection");
    let many = "select repeat('x', 1000) from generate_series(1, 20000)";
    for transaction in [true, false] {
        if transaction {
            session.begin().unwrap();
            run(&mut *session, "create table t(id int)");
        }
        assert!(session.query(many, &[], &one).unwrap().next().unwrap().is_some());
        // A transaction whose statement was stopped would refuse this.
        run(&mut *session, "insert into t values (1)");
        if transaction {
            session.commit().unwrap();
        }
    }
    assert_eq!(database.sql("select count(*) from t").unwrap().trim(), "2");
    assert_eq!(connections.load(Ordering::Relaxed), 2, "outside of a transaction, much is stopped");
}

#[test]
fn a_server_that_talks_while_rows_are_loaded_is_listened_to() {
    let Some(server) = servers::postgres() else { return };
    let database = server.database().unwrap();
    database
        .sql(
            "create table t(id int);
             create function talk() returns trigger language plpgsql as
             $$ begin raise notice '%', repeat('x', 2000); return new; end $$;
             create trigger talks before insert on t for each row execute function talk()",
        )
        .unwrap();
    let types = [DataType::I4];
    let values: Vec<Vec<Value>> = (0..60_000).map(|row| vec![Value::I4(row)]).collect();
    let rows = rows_of(&values, &types);
    let columns = load_columns(&["id"], &types);
    for string in [database.url(), format!("{}?sslmode=disable", database.url())] {
        let mut session = lease(&string).unwrap();
        let mut loader = session.loader(&TableName::parse("t"), &columns, &LoadOptions::default()).unwrap();
        assert!(loader.write(&rows).unwrap().is_empty());
        loader.finish().unwrap();
    }
    assert_eq!(database.sql("select count(*) from t").unwrap().trim(), "120000");
}

#[test]
fn a_server_that_does_not_prove_what_it_knows_is_not_trusted() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = std::thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        let mut head = [0; 4];
        socket.read_exact(&mut head).unwrap();
        let mut startup = vec![0; u32::from_be_bytes(head) as usize - 4];
        socket.read_exact(&mut startup).unwrap();
        // It asks for SCRAM, and lets in whoever begins with it.
        socket.write_all(b"R\0\0\0\x17\0\0\0\x0aSCRAM-SHA-256\0\0").unwrap();
        let _ = socket.read(&mut [0; 512]).unwrap();
        let _ = socket.write_all(b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I");
        let _ = socket.read(&mut [0; 1]);
    });
    let error = lease(&format!("postgres://me:planted-secret@127.0.0.1:{port}/db?sslmode=disable")).err().unwrap();
    assert!(error.message.contains("without proving") && error.kind == ErrorKind::Connect, "{error}");
    server.join().unwrap();
}

#[test]
fn a_deadlock_is_no_rows_failure() {
    let Some(server) = servers::postgres() else { return };
    for load in [false, true] {
        let database = server.database().unwrap();
        database.sql("create table t(id int primary key, v int)").unwrap();
        let (mut here, mut there) = (lease(&database.url()).unwrap(), lease(&database.url()).unwrap());
        // Whoever looks first finds it, and is the one that is ended.
        run(&mut *here, "set deadlock_timeout = '3s'");
        run(&mut *there, "set deadlock_timeout = '1min'");
        let statement = |id: i32| match load {
            true => format!("insert into t values ({id}, 1)"),
            false => format!("update t set v = 1 where id = {id}"),
        };
        if !load {
            run(&mut *here, "insert into t select n, 0 from generate_series(1, 100) n");
        }
        there.begin().unwrap();
        run(&mut *there, &statement(50));
        here.begin().unwrap();
        let ended = std::thread::scope(|scope| {
            let first = scope.spawn(|| {
                let types = [DataType::I4, DataType::I4];
                let rows: Vec<Vec<Value>> = (1..=100).map(|id| vec![Value::I4(id), Value::I4(id)]).collect();
                if load {
                    let columns = load_columns(&["id", "v"], &types);
                    let mut loader = here.loader(&TableName::parse("t"), &columns, &LoadOptions::default())?;
                    return loader.write(&rows_of(&rows, &types));
                }
                let (sql, options) = ("update t set v = ? where id = ?", StatementOptions::default());
                here.execute_rows(sql, &rows_of(&rows, &types), &types, &options)
            });
            let waiting = || database.sql("select count(*) from pg_locks where not granted").unwrap();
            let begun = Instant::now();
            while waiting().trim() == "0" && begun.elapsed() < Duration::from_secs(2) {
                std::thread::sleep(Duration::from_millis(20));
            }
            run(&mut *there, &statement(1));
            there.commit().unwrap();
            first.join().unwrap()
        });
        let error = ended.unwrap_err();
        assert!(error.state == "40P01" && error.kind == ErrorKind::Busy, "{load}: {error}");
    }
}
