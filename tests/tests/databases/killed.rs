//! Servers that go away: what a run says, what it leaves in the table, and that it ends.

use crate::stage::{Ran, Stage, Way, run};
use dtsx::{Execution, RunOptions, RunResult};
use dtsx_loader::model::{Component, Connection, CustomProperty, Disposition, OutputColumn, Package};
use dtsx_tests::designer::{Class, Flow, Typed, database, execute_sql, file};
use dtsx_tests::servers::{self, Make};
use std::time::{Duration, Instant};

/// How long a run may go on when its server is gone.
const SOON: Duration = Duration::from_secs(10);

/// What finds a statement of these tests among those that a server runs.
const MARK: &str = "/* dtsx killed */";

/// What the server does when it is killed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Doing {
    Read,
    Load,
    Lookup,
    ExecuteSql,
}

fn ole_db<'a>(class: &'a str, properties: &'a [(&'a str, &'a str)]) -> Class<'a> {
    Class { class, role: "OleDbConnection", manager: "Db", properties }
}

/// Rows without an end, as they come.
fn endless(way: Way) -> String {
    match way {
        // Its driver keeps a whole result before it gives the first row.
        Way::MariaDbOdbc => format!("select 1 as n, cast(sleep(100) as char(5)) as t {MARK}"),
        Way::SqlServer => format!(
            "with recursive a(n) as (select 1 union all select n + 1 from a limit 400000000) select cast(n as int) as n, \
             cast('some text' as nvarchar(20)) as t from a {MARK}"
        ),
        Way::MariaDb => format!(
            "select cast(a.seq as int) as n, cast('some text' as char(20)) as t from seq_1_to_20000 a, seq_1_to_20000 b {MARK}"
        ),
        _ => format!(
            "select a.n, cast('some text' as varchar(20)) as t from generate_series(1, 20000) a(n), \
             generate_series(1, 20000) b(n) {MARK}"
        ),
    }
}

pub fn package(stage: &Stage, doing: Doing) -> Package {
    let mut package = Package::new("Killed");
    let (keys, numbers): ([Typed<'_>; 1], [Typed<'_>; 2]) = ([("id", "i4")], [("n", "i4"), ("t", "wstr(20)")]);
    let db = database("OLEDB", "Db", &stage.string);
    let mut flow = Flow::new("Package", "Work");
    match doing {
        Doing::Read => {
            let sql = endless(stage.way);
            let properties = [("AccessMode", "2"), ("SqlCommand", sql.as_str())];
            let source = ole_db("Microsoft.OLEDBSource", &properties);
            let (rows, _) = flow.source("Reader", source, &numbers, Disposition::FailComponent);
            flow.flat_file_destination("Out", "Out", &rows, &numbers);
        }
        Doing::Load => {
            let rows = flow.flat_file_source("Rows", "Rows", &keys);
            let properties = [("AccessMode", "3"), ("OpenRowset", "t"), ("FastLoadMaxInsertCommitSize", "500")];
            let table = ole_db("Microsoft.OLEDBDestination", &properties);
            flow.destination("Loader", table, &rows, &keys, Disposition::FailComponent);
        }
        Doing::Lookup => {
            let rows = flow.flat_file_source("Rows", "Rows", &keys);
            let found = flow.transform("Finder", "Microsoft.Lookup", &rows, &["id"], finder);
            flow.flat_file_destination("Out", "Out", &found, &[("id", "i4"), ("v", "i4")]);
        }
        Doing::ExecuteSql => {
            let waits = match stage.way {
                Way::SqlServer => "waitfor delay '00:01:40'",
                way if way.is_maria() => "select sleep(100)",
                _ => "select pg_sleep(100)",
            };
            let task = execute_sql("Statement", &db, &format!("{waits} {MARK}"), &[]);
            package.root.executables.push(task);
        }
    }
    let columns = match doing {
        Doing::Lookup => vec![("id", "i4"), ("v", "i4")],
        _ => numbers.to_vec(),
    };
    package.root.connection_managers =
        vec![file("Rows", &stage.path("rows.csv"), &keys), file("Out", &stage.path("out.csv"), &columns), db];
    if doing != Doing::ExecuteSql {
        package.root.executables.push(flow.task());
    }
    package
}

/// A Lookup without a cache, of every key in a table.
fn finder(component: &mut Component) {
    component.connections.push(Connection::new("OleDbConnection", "Package.ConnectionManagers[Db]"));
    component.set_value("CacheType", "System.Int32", "2");
    component.set_value("NoMatchBehavior", "System.Int32", "0");
    component.set_value("SqlCommand", "System.String", &format!("select id, v from k {MARK}"));
    let input = &mut component.inputs[0];
    input.columns[0].properties.push(CustomProperty::text("JoinToReferenceColumn", "System.String", "id"));
    let mut column = OutputColumn::new("v", "i4", 0);
    column.properties.push(CustomProperty::text("CopyFromReferenceColumn", "System.String", "v"));
    component.outputs[0].columns.push(column);
}

/// How many statements of these tests run, sessions that ran one last among them.
pub fn running(stage: &Stage) -> usize {
    let mark = MARK.trim_matches(|c| "/* ".contains(c));
    if let Some(peer) = &stage.peer {
        return peer.heard().iter().filter(|statement| statement.contains(mark)).count();
    }
    let sql = match stage.way {
        Way::MariaDb | Way::MariaDbOdbc => {
            format!(
                "select count(*) from information_schema.processlist where id <> connection_id() and \
                 (info like '%{mark}%' or db = database())"
            )
        }
        _ => format!(
            "select count(*) from pg_stat_activity where pid <> pg_backend_pid() and query like '%{mark}%' and datname = \
             current_database()"
        ),
    };
    stage.sql(&sql)[0].trim().parse().unwrap()
}

pub fn until(what: &str, execution: &Execution, mut done: impl FnMut() -> bool) {
    let patience = Instant::now() + Duration::from_secs(60);
    while !done() {
        let heard: Vec<_> = execution.events().try_iter().collect();
        let failed = heard.iter().any(|e| e.kind.name() == "OnError");
        assert!(!failed && Instant::now() < patience, "{what}: {heard:#?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn killed(way: Way) {
    let make = if way.is_maria() { Make::MariaDb } else { Make::Postgres };
    let Some(server) = servers::of_its_own(make) else { return };
    let stage = Stage::on(way, Some(server.database().unwrap()));
    stage.sql("create table t (id int not null primary key); create table k (id int not null primary key, v int)");
    let (begin, end) = if way.is_maria() {
        ("select seq, seq from seq_1_to_200000", "")
    } else {
        ("select n, n from generate_series(1, 200000)", " n")
    };
    stage.sql(&format!("insert into k {begin}{end}"));
    stage.write("rows.csv", &(1..=200_000).map(|n| format!("{n}\r\n")).collect::<String>());
    for doing in [Doing::Read, Doing::Load, Doing::Lookup, Doing::ExecuteSql] {
        kill_while(&stage, doing, &|| server.signal("KILL").unwrap());
        server.again().unwrap();
        committed(&stage, doing);
    }
}

/// What a load said that it had committed is there.
fn committed(stage: &Stage, doing: Doing) {
    let way = stage.way;
    if doing == Doing::Load {
        let there: u64 = stage.sql("select count(*) from t")[0].trim().parse().unwrap();
        let said = std::fs::read_to_string(stage.path("said")).unwrap();
        let told: u64 = said
            .split(" row(s) were committed")
            .next()
            .and_then(|s| s.split_whitespace().last())
            .unwrap()
            .parse()
            .unwrap();
        // The answer to the last commit may not have come through.
        assert!(told > 0 && (told..=told + 500).contains(&there), "{way:?}: told {told}, there {there}: {said}");
    }
}

fn kill_while(stage: &Stage, doing: Doing, kill: &dyn Fn()) {
    let context = format!("{:?} {doing:?}", stage.way);
    let temp = tempfile::tempdir().unwrap();
    let options = RunOptions { threads: 2, temp: Some(temp.path().to_owned()), ..RunOptions::default() };
    let opened = stage.package(&package(stage, doing));
    let execution = opened.execute(options).unwrap_or_else(|e| panic!("{context}: {e} {:?}", e.findings()));
    until(&context, &execution, || match doing {
        Doing::Load => stage.sql("select count(*) from t")[0].trim() != "0",
        Doing::Read if stage.way != Way::MariaDbOdbc => execution.rows().iter().any(|r| r.rows > 0),
        Doing::Lookup => running(stage) > 0 && execution.rows().iter().any(|r| r.rows > 0),
        _ => running(stage) > 0,
    });
    let killed = Instant::now();
    kill();
    let mut said = String::new();
    for event in execution.events().iter().filter(|e| e.kind.name() == "OnError") {
        let message = event.kind.message().unwrap();
        said.push_str(&format!("{} | {} | {}\n", event.source.name, message.sub_component, message.text));
    }
    let outcome = execution.wait().unwrap();
    let took = killed.elapsed();
    assert_eq!(outcome.result, RunResult::Failure, "{context}\n{said}");
    assert!(took < SOON, "{context}: {took:?}\n{said}");
    let who = match doing {
        Doing::Read => "Reader",
        Doing::Load => "Loader",
        Doing::Lookup => "Finder",
        Doing::ExecuteSql => "Statement",
    };
    for part in [who, "\"Db\""] {
        assert!(said.contains(part), "{context}: nothing says {part}:\n{said}");
    }
    if doing == Doing::Load {
        assert!(said.contains("row(s) were committed before that"), "{context}:\n{said}");
        stage.write("said", &said);
    }
    let left: Vec<_> = std::fs::read_dir(temp.path()).unwrap().collect();
    assert!(left.is_empty(), "{context}: {left:?}");
}

#[test]
fn postgres_is_killed() {
    killed(Way::Postgres);
}

#[test]
fn postgres_is_killed_behind_its_driver() {
    killed(Way::PostgresOdbc);
}

#[test]
fn mariadb_is_killed() {
    killed(Way::MariaDb);
}

#[test]
fn mariadb_is_killed_behind_its_driver() {
    killed(Way::MariaDbOdbc);
}

#[test]
fn sql_server_breaks_its_connections() {
    let stage = Stage::new(Way::SqlServer).unwrap();
    let peer = stage.peer.as_ref().unwrap();
    peer.make("create table t (id int not null primary key); create table k (id int not null primary key, v int)");
    peer.sql(
        "insert into k with recursive c(n) as (select 1 union all select n + 1 from c limit 200000) select n, n from c",
    );
    stage.write("rows.csv", &(1..=200_000).map(|n| format!("{n}\r\n")).collect::<String>());
    for doing in [Doing::Read, Doing::Load, Doing::Lookup, Doing::ExecuteSql] {
        kill_while(&stage, doing, &|| peer.cut());
        committed(&stage, doing);
        peer.forget();
    }
}

/// Runs a source and a statement on a connection string that leads nowhere.
fn refused(stage: &Stage, string: &str) -> Vec<(&'static str, Ran)> {
    let stage = Stage { string: string.to_owned(), ..Stage::on(stage.way, stage.server.clone()) };
    stage.write("rows.csv", "1\r\n");
    let mut ran = Vec::new();
    for (who, doing) in [("Reader", Doing::Read), ("Loader", Doing::Load), ("Statement", Doing::ExecuteSql)] {
        ran.push((who, run(stage.package(&package(&stage, doing)), RunOptions::default())));
    }
    ran
}

#[test]
fn servers_that_are_not_there_and_servers_that_are_full() {
    for way in [Way::Postgres, Way::PostgresOdbc, Way::MariaDb, Way::MariaDbOdbc] {
        let Some(stage) = Stage::new(way) else { continue };
        let here = stage.server.as_ref().unwrap();
        let closed = stage.string.replace(&here.port().to_string(), "1");
        let few = format!("few_{}", here.name);
        let full = if way.is_maria() {
            here.sql(&format!("create user {few}@'%' with max_user_connections 1; grant all on *.* to {few}@'%'"))
                .unwrap();
            stage.string.replace("Uid=tester", &format!("Uid={few}")).replace("//tester@", &format!("//{few}@"))
        } else {
            here.sql(&format!("create role {few} login connection limit 0")).unwrap();
            stage.string.replace("Uid=postgres", &format!("Uid={few}")).replace("//postgres:", &format!("//{few}:"))
        };
        let holder = (way.is_maria()).then(|| here.hold(&few));
        for (string, words) in [(&closed, &["refused", "connect"][..]), (&full, &["too many", "exceeded"])] {
            for (who, ran) in refused(&stage, string) {
                let said = ran.said("OnError").join("\n");
                assert_eq!(ran.outcome.result, RunResult::Failure, "{way:?} {who}\n{said}");
                assert!(said.contains("\"Db\""), "{way:?} {who}: no connection manager\n{said}");
                let lower = said.to_lowercase();
                assert!(words.iter().any(|w| lower.contains(w)), "{way:?} {who}: none of {words:?}\n{said}");
                assert!(!said.contains("planted-secret"), "{said}");
            }
        }
        if let Some(mut holder) = holder {
            let _ = holder.kill();
            let _ = holder.wait();
        }
    }
}
