//! Servers that stop in the middle of everything, as those of a machine that hangs do: their connections stay, and nothing
//! comes. A run ends when a timeout is over or when it is cancelled.

use crate::killed::{Doing, package, running, until};
use crate::stage::{Stage, Way, run};
use dtsx::{Execution, RunOptions, RunResult};
use dtsx_loader::model::Package;
use dtsx_tests::servers::{self, Make, Server};
use std::time::{Duration, Instant};

/// More than any of these timeouts: what takes this long would hang.
const HANGS: Duration = Duration::from_secs(40);

/// A server, stopped for as long as this lives.
struct Stopped<'a>(&'a Server, Instant);

impl<'a> Stopped<'a> {
    fn now(server: &'a Server) -> Stopped<'a> {
        server.signal("STOP").unwrap();
        Stopped(server, Instant::now())
    }
}

impl Drop for Stopped<'_> {
    fn drop(&mut self) {
        let _ = self.0.signal("CONT");
    }
}

fn stage(way: Way) -> Option<(Stage, &'static Server)> {
    let server = servers::of_its_own(if way.is_maria() { Make::MariaDb } else { Make::Postgres })?;
    let stage = Stage::on(way, Some(server.database().unwrap()));
    stage.sql("create table t (id int not null primary key); create table k (id int not null primary key, v int)");
    stage.write("rows.csv", &(1..=200_000).map(|n| format!("{n}\r\n")).collect::<String>());
    Some((stage, server))
}

/// The package with a timeout of two seconds for its statement.
fn impatient(stage: &Stage, doing: Doing) -> Package {
    let mut made = package(stage, doing);
    let task = &mut made.root.executables[0];
    match doing {
        Doing::ExecuteSql => {
            task.object_data.as_mut().unwrap().element_mut().unwrap().set_attr("SQLTask:TimeOut", "2");
        }
        _ => {
            let components = &mut task.pipeline_mut().unwrap().components;
            let database =
                components.iter_mut().find(|c| !c.connections.is_empty() && c.name() != "Rows" && c.name() != "Out");
            database.unwrap().set_value("CommandTimeout", "System.Int32", "2");
        }
    }
    made
}

/// Runs a package and stops its server in the middle.
fn stopped_while<'a>(stage: &Stage, server: &'a Server, doing: Doing, made: &Package) -> (Execution, Stopped<'a>) {
    let execution = stage.package(made).execute(RunOptions::default()).unwrap();
    until("frozen", &execution, || match doing {
        Doing::Load => stage.sql("select count(*) from t")[0].trim() != "0",
        _ => running(stage) > 0,
    });
    (execution, Stopped::now(server))
}

fn said(execution: &Execution) -> String {
    let texts: Vec<String> = execution
        .events()
        .iter()
        .filter(|e| e.kind.name() == "OnError")
        .filter_map(|e| e.kind.message().map(|m| m.text.clone()))
        .collect();
    texts.join("\n")
}

/// Waits until nothing of the run is left at the server, and empties the table.
fn settled(stage: &Stage) {
    let begun = Instant::now();
    while running(stage) > 0 && begun.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(100));
    }
    stage.sql("delete from t");
}

#[test]
fn a_statement_meets_its_timeout() {
    for way in [Way::Postgres, Way::MariaDb] {
        let Some((stage, server)) = stage(way) else { continue };
        for doing in [Doing::Read, Doing::Load, Doing::ExecuteSql] {
            let made = impatient(&stage, doing);
            let (execution, stopped) = stopped_while(&stage, server, doing, &made);
            let said = said(&execution);
            let outcome = execution.wait().unwrap();
            assert!(stopped.1.elapsed() < HANGS, "{way:?} {doing:?}: {:?}\n{said}", stopped.1.elapsed());
            drop(stopped);
            assert_eq!(outcome.result, RunResult::Failure, "{way:?} {doing:?}\n{said}");
            assert!(said.contains("does not answer") && said.contains("\"Db\""), "{way:?} {doing:?}\n{said}");
            settled(&stage);
        }
    }
}

#[test]
fn a_login_meets_the_timeout_of_the_connection() {
    for way in [Way::Postgres, Way::PostgresOdbc, Way::MariaDb, Way::MariaDbOdbc] {
        let Some((stage, server)) = stage(way) else { continue };
        let string = match way {
            Way::Postgres | Way::MariaDb => format!("{}?connect_timeout=2", stage.string),
            _ => format!("{};Connect Timeout=2", stage.string.trim_end_matches(';')),
        };
        let impatient = Stage { string, ..Stage::on(way, stage.server.clone()) };
        impatient.write("rows.csv", "1\r\n");
        let stopped = Stopped::now(server);
        for doing in [Doing::Read, Doing::ExecuteSql] {
            let begun = Instant::now();
            let ran = run(impatient.package(&package(&impatient, doing)), RunOptions::default());
            let said = ran.said("OnError").join("\n");
            assert_eq!(ran.outcome.result, RunResult::Failure, "{way:?} {doing:?}\n{said}");
            assert!(begun.elapsed() < HANGS, "{way:?} {doing:?}: {:?}\n{said}", begun.elapsed());
            assert!(said.contains("\"Db\""), "{way:?} {doing:?}\n{said}");
        }
        drop(stopped);
    }
}

#[test]
fn cancelling_ends_what_waits() {
    let Some((stage, server)) = stage(Way::Postgres) else { return };
    for doing in [Doing::Read, Doing::Load, Doing::ExecuteSql] {
        let made = package(&stage, doing);
        let (execution, stopped) = stopped_while(&stage, server, doing, &made);
        let cancelled = Instant::now();
        execution.cancel_token().cancel();
        let outcome = execution.wait().unwrap();
        assert!(cancelled.elapsed() < HANGS, "{doing:?}: {:?}", cancelled.elapsed());
        drop(stopped);
        assert_eq!(outcome.result, RunResult::Cancelled, "{doing:?}");
        settled(&stage);
    }
}

#[test]
fn cancelling_ends_a_login() {
    for way in [Way::Postgres, Way::PostgresOdbc, Way::MariaDb, Way::MariaDbOdbc] {
        let Some((stage, server)) = stage(way) else { continue };
        let stopped = Stopped::now(server);
        let execution = stage.package(&package(&stage, Doing::ExecuteSql)).execute(RunOptions::default()).unwrap();
        std::thread::sleep(Duration::from_millis(500));
        let cancelled = Instant::now();
        execution.cancel_token().cancel();
        let outcome = execution.wait().unwrap();
        assert!(cancelled.elapsed() < HANGS, "{way:?}: {:?}", cancelled.elapsed());
        drop(stopped);
        assert_eq!(outcome.result, RunResult::Cancelled, "{way:?}");
    }
}
