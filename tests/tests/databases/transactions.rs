//! Transactions: what reads, looks up and writes in one, on one connection; what is kept, and what is undone.

use crate::stage::{Stage, Way, run};
use dtsx::{RunOptions, RunResult};
use dtsx_loader::model::{
    Component, Connection, CustomProperty, Disposition, Executable, OutputColumn, Package, PrecedenceConstraint,
};
use dtsx_tests::designer::{Class, Flow, Typed, database, execute_sql, log};
use std::time::{Duration, Instant};

const ALL: [Way; 6] = [Way::Sqlite, Way::Postgres, Way::PostgresOdbc, Way::MariaDb, Way::MariaDbOdbc, Way::SqlServer];

/// Rows of the source.
const ROWS: usize = 1_000;

/// What a statement does that fails.
const BROKEN: &str = "insert into nowhere values (1)";

/// Tables: rows to read, a table for them, words to look up.
fn stage(way: Way) -> Option<Stage> {
    let stage = Stage::new(way)?;
    let numbers = match way {
        Way::Sqlite | Way::SqlServer => {
            format!("with recursive c(n) as (select 1 union all select n + 1 from c where n < {ROWS}) select n from c")
        }
        Way::MariaDb | Way::MariaDbOdbc => format!("select seq from seq_1_to_{ROWS}"),
        _ => format!("select n from generate_series(1, {ROWS}) n"),
    };
    stage.sql(&format!(
        "create table here (id int not null primary key);
         create table there (id int not null primary key, v int);
         create table words (id int not null primary key, v int);
         insert into here {numbers};
         insert into words select id, id * 2 from here where id % 100 = 0;
         insert into there values (0, 0)"
    ));
    Some(stage)
}

fn ole_db<'a>(class: &'a str, properties: &'a [(&'a str, &'a str)]) -> Class<'a> {
    Class { class, role: "OleDbConnection", manager: "Db", properties }
}

fn looks_up(component: &mut Component) {
    component.connections.push(Connection::new("OleDbConnection", "Package.ConnectionManagers[Db]"));
    component.set_value("CacheType", "System.Int32", "1");
    component.set_value("NoMatchBehavior", "System.Int32", "0");
    component.set_error(Disposition::IgnoreFailure);
    component.set_value("SqlCommand", "System.String", "select id, v from words");
    let input = &mut component.inputs[0];
    input.columns[0].properties.push(CustomProperty::text("JoinToReferenceColumn", "System.String", "id"));
    let mut column = OutputColumn::new("v", "i4", 0);
    column.properties.push(CustomProperty::text("CopyFromReferenceColumn", "System.String", "v"));
    component.outputs[0].columns.push(column);
}

trait Dispose {
    fn set_error(&mut self, disposition: Disposition);
}

impl Dispose for Component {
    fn set_error(&mut self, disposition: Disposition) {
        self.outputs[0].set_error_disposition(disposition);
    }
}

/// A flow that reads, looks up if told so, and writes, all by one connection manager.
fn flow(fast: bool, lookup: bool) -> Executable {
    let mut flow = Flow::new("Package", "Copy");
    let columns: [Typed<'_>; 1] = [("id", "i4")];
    let source = ole_db("Microsoft.OLEDBSource", &[("AccessMode", "0"), ("OpenRowset", "here")]);
    let (mut rows, _) = flow.source("Here", source, &columns, Disposition::FailComponent);
    let mut written = columns.to_vec();
    if lookup {
        rows = flow.transform("Words", "Microsoft.Lookup", &rows, &["id"], looks_up);
        written.push(("v", "i4"));
    }
    let mode = if fast { "3" } else { "0" };
    let properties = [("AccessMode", mode), ("OpenRowset", "there"), ("FastLoadMaxInsertCommitSize", "2147483647")];
    let table = ole_db("Microsoft.OLEDBDestination", &properties);
    flow.destination("There", table, &rows, &written, Disposition::FailComponent);
    flow.task()
}

/// The package with its tasks one after the other.
fn in_order(package: &mut Package, tasks: Vec<Executable>) {
    let names: Vec<String> = tasks.iter().map(|t| t.name().to_owned()).collect();
    for pair in names.windows(2) {
        let (from, to) = (format!("Package\\{}", pair[0]), format!("Package\\{}", pair[1]));
        let constraint = PrecedenceConstraint::new(&format!("To {}", pair[1]), &from, &to);
        package.root.precedence_constraints.push(constraint);
    }
    package.root.executables = tasks;
}

fn count(stage: &Stage) -> Vec<String> {
    stage.sql("select count(*) from there; select coalesce(sum(v), 0) from there; delete from there; insert into there values (0, 0)")
}

/// Runs a package; it must not take long, as nobody waits for somebody who waits.
fn quickly(stage: &Stage, package: &Package, memory: Option<usize>, context: &str) -> (RunResult, String) {
    let begun = Instant::now();
    let options = RunOptions { threads: 2, memory, batch_rows: Some(100), ..RunOptions::default() };
    let ran = run(stage.package(package), options);
    assert!(begun.elapsed() < Duration::from_secs(40), "{context}: {:?}", begun.elapsed());
    (ran.outcome.result, ran.said("OnError").join("\n"))
}

#[test]
fn a_source_a_lookup_and_a_destination_share_the_transaction_of_their_container() {
    for way in ALL {
        let Some(stage) = stage(way) else { continue };
        for (fast, lookup, last) in
            [(true, false, "select 1 as n"), (false, true, "select 1 as n"), (true, true, BROKEN)]
        {
            let context = format!("{way:?} fast {fast} lookup {lookup} {last}");
            let mut package = Package::new("Transaction");
            let db = database("OLEDB", "Db", &stage.string);
            // What the first task did is seen by the source: it reads in the transaction.
            let first = execute_sql("First", &db, "delete from here where id > 600", &[]);
            let tasks = vec![first, flow(fast, lookup), execute_sql("Last", &db, last, &[])];
            in_order(&mut package, tasks);
            package.root.set_transaction_option(2);
            package.root.connection_managers = vec![db];
            let memory = lookup.then_some(10_000);
            let (result, said) = quickly(&stage, &package, memory, &context);
            let here = stage.sql("select count(*) from here");
            let there = count(&stage);
            if last == BROKEN {
                assert_eq!(result, RunResult::Failure, "{context}\n{said}");
                assert_eq!((here[0].trim(), there[0].trim()), ("1000", "1"), "{context}: all of it is undone");
                continue;
            }
            assert_eq!(result, RunResult::Success, "{context}\n{said}");
            assert_eq!((here[0].trim(), there[0].trim()), ("600", "601"), "{context}");
            let sum: u64 = (1..=6).map(|n| n * 200).sum();
            assert_eq!(there[1].trim(), if lookup { sum.to_string() } else { "0".into() }, "{context}");
            stage.sql("delete from here");
            let again = match way {
                Way::Sqlite | Way::SqlServer => format!(
                    "with recursive c(n) as (select 1 union all select n + 1 from c where n < {ROWS}) select n from c"
                ),
                Way::MariaDb | Way::MariaDbOdbc => format!("select seq from seq_1_to_{ROWS}"),
                _ => format!("select n from generate_series(1, {ROWS}) n"),
            };
            stage.sql(&format!("insert into here {again}"));
        }
    }
}

#[test]
fn a_transaction_that_a_package_begins_on_a_retained_connection_holds_its_flows() {
    for way in ALL {
        let Some(stage) = stage(way) else { continue };
        for (end, rows) in [("COMMIT", "1001"), ("ROLLBACK", "1")] {
            let context = format!("{way:?} {end}");
            let mut package = Package::new("Retained");
            let mut db = database("OLEDB", "Db", &stage.string);
            db.data_mut().unwrap().set_retain_same_connection(true);
            let begin = match way {
                Way::SqlServer => "BEGIN TRANSACTION",
                way if way.is_maria() => "START TRANSACTION",
                _ => "BEGIN",
            };
            let tasks =
                vec![execute_sql("Begin", &db, begin, &[]), flow(true, true), execute_sql("End", &db, end, &[])];
            in_order(&mut package, tasks);
            package.root.connection_managers = vec![db];
            let (result, said) = quickly(&stage, &package, None, &context);
            assert_eq!(result, RunResult::Success, "{context}\n{said}");
            assert_eq!(count(&stage)[0].trim(), rows, "{context}");
        }
    }
}

#[test]
fn a_log_beside_a_transaction_is_complete_whatever_becomes_of_it() {
    // What is behind SQL Server's protocol in these tests has one writer at a time.
    for way in ALL.into_iter().filter(|way| *way != Way::SqlServer) {
        let Some(stage) = stage(way) else { continue };
        for last in ["select 1 as n", BROKEN] {
            let context = format!("{way:?} {last}");
            let mut package = Package::new("Logged");
            let mut db = database("OLEDB", "Db", &stage.string);
            db.data_mut().unwrap().set_retain_same_connection(matches!(way, Way::Postgres | Way::MariaDb));
            log(&mut package, "Microsoft.LogProviderSQLServer", &db);
            let first = execute_sql("First", &db, "insert into there values (-1, 1)", &[]);
            in_order(&mut package, vec![first, flow(true, false), execute_sql("Last", &db, last, &[])]);
            package.root.set_transaction_option(2);
            package.root.connection_managers = vec![db];
            let (result, said) = quickly(&stage, &package, None, &context);
            let fails = last == BROKEN;
            assert_eq!(result == RunResult::Failure, fails, "{context}\n{said}");
            let events = |name: &str| {
                let sql = format!("select count(*) from sysssislog where event = '{name}'");
                stage.sql(&sql)[0].trim().parse::<usize>().unwrap()
            };
            // The package, and its tasks as far as they came.
            assert_eq!((events("PackageStart"), events("PackageEnd")), (1, 1), "{context}");
            assert_eq!(events("OnPreExecute"), 4, "{context}");
            assert_eq!(events("OnError") > 0, fails, "{context}");
            stage.sql("drop table sysssislog");
            assert_eq!(count(&stage)[0].trim(), if fails { "1" } else { "1002" }, "{context}");
        }
    }
}

/// `TRUNCATE` commits on MariaDB.
#[test]
fn nothing_is_written_where_the_transaction_of_the_container_has_ended() {
    for (way, ends) in [
        (Way::Sqlite, "commit"),
        (Way::Postgres, "commit"),
        (Way::MariaDb, "truncate table there"),
        (Way::MariaDb, "commit"),
    ] {
        let Some(stage) = stage(way) else { continue };
        for retain in [false, true] {
            let context = format!("{way:?} {ends} {retain}");
            let mut package = Package::new("Ended");
            let mut db = database("OLEDB", "Db", &stage.string);
            db.data_mut().unwrap().set_retain_same_connection(retain);
            in_order(&mut package, vec![execute_sql("Ends", &db, ends, &[]), flow(true, true)]);
            package.root.set_transaction_option(2);
            package.root.connection_managers = vec![db];
            let (result, said) = quickly(&stage, &package, Some(10_000), &context);
            assert_eq!(result, RunResult::Failure, "{context}");
            for part in ["a statement committed it, or the database undid it", "ended before its container did"] {
                assert!(said.contains(part), "{context}\n{said}");
            }
            assert_eq!(count(&stage)[0].trim(), if ends == "commit" { "1" } else { "0" }, "{context}");
        }
    }
}
