//! Runs the packages of `tests/packages/` and the example through the client, and compares what they write with
//! `expected/`. Every package runs with pools of one, two and four threads, in small batches and whole ones, and with
//! the scheduler's chaos switch on and off.

#![expect(clippy::expect_used, clippy::panic, reason = "everything here is a test")]

use dtsx::rows::{RowFormat, RowWriter};
use dtsx::{Package, RunOptions, RunResult};
use dtsx_components::db::{Database, Lease, StatementOptions};
use dtsx_engine::connections::ConnectionSpec;
use dtsx_engine::props::Origin;
use dtsx_engine::run::Services;
use dtsx_tests::compare::{Order, difference};
use dtsx_tests::{root, servers};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// A package, and what it must do.
#[derive(Clone, Copy)]
struct Case {
    /// Its name in `tests/packages/`, without `.dtsx`.
    package: &'static str,
    /// The folder in `expected/`.
    expected: &'static str,
    result: RunResult,
    /// The files that it writes.
    files: &'static [(&'static str, Order)],
    /// Files that it must not write.
    absent: &'static [&'static str],
    /// Variables at its end.
    variables: &'static [(&'static str, &'static str)],
}

const CASE: Case =
    Case { package: "", expected: "", result: RunResult::Success, files: &[], absent: &[], variables: &[] };

const DERIVE_AND_SPLIT: Case = Case {
    expected: "derive_and_split",
    files: &[("big.csv", Order::Kept), ("refunds.csv", Order::Kept), ("rest.csv", Order::Kept)],
    variables: &[("User::Big", "3"), ("User::Limit", "100")],
    ..CASE
};

const FOREACH_FILE: Case = Case { expected: "foreach_file", files: &[("all_parts.csv", Order::Kept)], ..CASE };

const FOREACH_TABLE: Case =
    Case { variables: &[("User::Report", "TABLE Orders=2;TABLE Regions=1;"), ("User::Table", "Regions")], ..CASE };

const CASES: &[Case] = &[
    Case { package: "foreach_table_2012", ..FOREACH_TABLE },
    Case { package: "foreach_table_2016", ..FOREACH_TABLE },
    Case { package: "derive_and_split_2005", ..DERIVE_AND_SPLIT },
    Case { package: "derive_and_split_2008", ..DERIVE_AND_SPLIT },
    Case { package: "derive_and_split_2016", ..DERIVE_AND_SPLIT },
    Case { package: "foreach_file_2008", ..FOREACH_FILE },
    Case { package: "foreach_file_2016", ..FOREACH_FILE },
    Case {
        package: "parallel_branches_2012",
        expected: "parallel_branches",
        files: &[
            ("north.csv", Order::Kept),
            ("south.csv", Order::Kept),
            ("ids.csv", Order::Any),
            ("amounts.csv", Order::Any),
        ],
        variables: &[("User::North", "2"), ("User::South", "3")],
        ..CASE
    },
    Case {
        package: "error_redirect_2016",
        expected: "error_redirect",
        files: &[("good.csv", Order::Kept), ("not_computed.csv", Order::Kept), ("not_read.csv", Order::Kept)],
        variables: &[("User::Bad", "3")],
        ..CASE
    },
    Case {
        package: "event_handlers_2016",
        expected: "event_handlers",
        result: RunResult::Failure,
        files: &[("on_error.csv", Order::Kept), ("on_failure.csv", Order::Kept)],
        absent: &["on_success.csv"],
        variables: &[("User::Trail", "begin,done"), ("User::Errors", "1")],
    },
    Case {
        package: "containers_2016",
        expected: "containers",
        files: &[("report.csv", Order::Kept)],
        variables: &[("User::Sum", "15"), ("User::I", "6"), ("User::Text", "sum=15 half=7")],
        ..CASE
    },
];

fn packages() -> PathBuf {
    root().join("tests/packages")
}

/// Every combination of pool, batch size and chaos that a case runs with.
fn schedules() -> impl Iterator<Item = RunOptions> {
    let switches = [(None, false), (Some(2), false), (Some(2), true)];
    [1, 2, 4].into_iter().flat_map(move |threads| {
        switches.into_iter().map(move |(batch_rows, park)| {
            let mut options = RunOptions { threads, batch_rows, ..RunOptions::default() };
            options.chaos.park = park;
            options
        })
    })
}

/// The package with its input in place and its output in a folder of its own.
fn open(package: &str) -> (Package, TempDir) {
    let out = tempfile::tempdir().expect("a temporary folder");
    let path = packages().join(package).with_extension("dtsx");
    let opened = Package::open(&path)
        .unwrap_or_else(|error| panic!("{package}: {error}"))
        .map(r"C:\Data\in", packages().join("in").to_string_lossy())
        .map(r"C:\Data\out", out.path().to_string_lossy());
    (opened, out)
}

fn assert_file(found: &Path, expected: &Path, order: Order, context: &str) {
    let read = |path: &Path| fs::read(path).unwrap_or_else(|error| panic!("{context}: {}: {error}", path.display()));
    let (found, expected) = (read(found), read(expected));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if let Some(difference) = difference(&text(&found), &text(&expected), order) {
        panic!("{context}: {difference}\n{}", text(&found));
    }
}

fn run(case: &Case, options: RunOptions) {
    let context = format!("{} with {options:?}", case.package);
    let (package, out) = open(case.package);
    let outcome = package.run(options, &[]).unwrap_or_else(|error| panic!("{context}: {error} {:?}", error.findings()));
    assert_eq!(outcome.result, case.result, "{context}");
    let expected = packages().join("expected").join(case.expected);
    for (file, order) in case.files {
        assert_file(&out.path().join(file), &expected.join(file), *order, &format!("{context}: {file}"));
    }
    for file in case.absent {
        assert!(!out.path().join(file).exists(), "{context}: {file} was written");
    }
    for (name, value) in case.variables {
        let variable = outcome.variables.iter().find(|variable| variable.name == *name);
        let found = variable.and_then(|variable| variable.text());
        assert_eq!(found.as_deref(), Some(*value), "{context}: {name}");
    }
}

fn run_all(name: &str) {
    let mut n_found = 0;
    for case in CASES.iter().filter(|case| case.package.starts_with(name)) {
        n_found += 1;
        schedules().for_each(|options| run(case, options));
    }
    assert!(n_found > 0, "no case is called {name}");
}

#[test]
fn one_description_in_three_formats_gives_the_same_rows() {
    run_all("derive_and_split");
}

#[test]
fn a_foreach_loop_feeds_the_path_of_a_connection() {
    run_all("foreach_file");
}

#[test]
fn a_foreach_loop_walks_over_the_tables_of_a_database() {
    run_all("foreach_table");
}

#[test]
fn data_flows_side_by_side_come_before_the_one_that_waits_for_both() {
    run_all("parallel_branches");
}

#[test]
fn bad_rows_go_where_the_package_sends_them() {
    run_all("error_redirect");
}

/// The database of a folder, in a session of its own.
fn database(folder: &Path) -> Lease {
    let mut spec = ConnectionSpec { kind: "OLEDB".into(), ..ConnectionSpec::default() };
    let address = format!("sqlite:{}", folder.join("sales.db").display());
    spec.properties.set_text("ConnectionString", address, Origin::Package);
    let services = Services::new(dtsx_engine::run::RunOptions::default()).expect("a pool");
    Database::of(&spec, &services).and_then(|database| database.lease()).expect("a database")
}

#[test]
fn two_tables_of_one_database_are_loaded_and_refused_rows_leave() {
    for options in schedules() {
        let (package, out) = open("load_tables_2016");
        for table in ["Big", "Small"] {
            let sql = format!(
                "CREATE TABLE \"{table}\" (id int PRIMARY KEY, region varchar(10), amount numeric(10,2) CHECK \
                 (amount >= 0), sold date)"
            );
            database(out.path()).execute(&sql, &[], &StatementOptions::default()).expect("a table");
        }
        let outcome = package.run(options.clone(), &[]).expect("the package runs");
        assert!(outcome.succeeded(), "{options:?}");
        let expected = packages().join("expected/load_tables/refused.csv");
        assert_file(&out.path().join("refused.csv"), &expected, Order::Kept, "refused.csv");
        let sql = "SELECT group_concat(id || region || amount || sold, ';') AS c FROM ";
        for (table, rows) in [
            ("Big", "1 north 1502023-12-31;4north1002024-03-10;6south1234567.892024-05-05"),
            ("Small", "2south99.992024-01-01;5west02024-04-01"),
        ] {
            let mut session = database(out.path());
            let mut cursor = session.query(&format!("{sql}{table}"), &[], &StatementOptions::default()).expect("rows");
            let found = cursor.next().expect("rows").expect("a row");
            let text = arrow::util::display::array_value_to_string(&found.columns[0], 0).expect("text");
            assert_eq!(text, rows, "{table} {options:?}");
        }
    }
}

/// The package's two tables on a server; without one (or without its driver) this is said and left out.
fn on_a_server(server: Option<&'static servers::Server>) -> Option<servers::Database> {
    let database = server?.database().expect("a database");
    let columns = "(id int PRIMARY KEY, region varchar(10), amount numeric(10,2) CHECK (amount >= 0), sold date, n int DEFAULT 7)";
    let dbo = database.odbc().contains("PostgreSQL");
    let (schema, [begin, end]) = if dbo { ("CREATE SCHEMA dbo;", ["dbo.\"", "\""]) } else { ("", ["`", "`"]) };
    let sql = format!("{schema}CREATE TABLE {begin}Big{end} {columns};CREATE TABLE {begin}Small{end} {columns};");
    database.sql(&sql).expect("tables");
    Some(database)
}

fn load_on_a_server(server: Option<&'static servers::Server>) {
    let Some(database) = on_a_server(server) else { return };
    let (begin, end) = if database.odbc().contains("PostgreSQL") { ("dbo.\"", "\"") } else { ("`", "`") };
    for options in schedules() {
        let (package, out) = open("load_tables_2016");
        let package = package.connect("Sales database", database.odbc());
        let outcome = match package.run(options.clone(), &[]) {
            Ok(outcome) => outcome,
            Err(error) => panic!("{options:?}: {error} {:?}", error.findings()),
        };
        assert!(outcome.succeeded(), "{options:?}");
        let expected = packages().join("expected/load_tables/refused.csv");
        assert_file(&out.path().join("refused.csv"), &expected, Order::Kept, "refused.csv");
        for (table, rows) in [
            ("Big", "1: north :150.00:2023-12-31:7\n4:north:100.00:2024-03-10:7\n6:south:1234567.89:2024-05-05:7"),
            ("Small", "2:south:99.99:2024-01-01:7\n5:west:0.00:2024-04-01:7"),
        ] {
            let sql =
                format!("SELECT concat_ws(':', id, region, amount, sold, n) FROM {begin}{table}{end} ORDER BY id");
            assert_eq!(database.sql(&sql).expect("rows").trim_end(), rows, "{table} {options:?}");
            database.sql(&format!("DELETE FROM {begin}{table}{end}")).expect("no rows");
        }
    }
}

#[test]
fn tables_of_postgresql_are_loaded() {
    load_on_a_server(servers::postgres());
}

#[test]
fn tables_of_mariadb_are_loaded() {
    load_on_a_server(servers::mariadb());
}

#[test]
fn a_connection_that_breaks_in_a_load_says_what_was_committed() {
    let Some(database) = on_a_server(servers::postgres()) else { return };
    let blocker = database.clone();
    let lock = "BEGIN; LOCK TABLE dbo.\"Big\", dbo.\"Small\" IN SHARE MODE; SELECT pg_sleep(60)";
    let blocking = std::thread::spawn(move || blocker.sql(lock));
    let locked = "SELECT count(*) FROM pg_locks WHERE mode = 'ShareLock' AND granted AND database = \
                  (SELECT oid FROM pg_database WHERE datname = current_database())";
    let waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted";
    let until = |sql: &str| {
        while database.sql(sql).expect("locks").trim() == "0" {
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
    };
    until(locked);
    let (package, _out) = open("load_tables_2016");
    let package = package.connect("Sales database", database.odbc());
    let execution = package.execute(RunOptions { threads: 2, ..RunOptions::default() }).expect("it starts");
    until(waiting);
    database.kill_connections().expect("killed");
    let mut said = String::new();
    for event in execution.events().iter() {
        said.push_str(&format!("{event:?}\n"));
    }
    let outcome = execution.wait().expect("a result");
    assert_eq!(outcome.result, RunResult::Failure);
    assert!(said.contains("0 row(s) were committed before that"), "{said}");
    let _ = blocking.join();
}

#[test]
fn a_failing_task_raises_its_handlers_and_takes_the_failure_branch() {
    run_all("event_handlers");
}

#[test]
fn loops_scopes_and_conditions() {
    run_all("containers");
}

#[test]
fn the_rows_of_a_data_reader_destination_reach_the_caller() {
    for options in schedules() {
        let (package, _out) = open("data_reader_2016");
        let mut execution = package.reader("Rows").execute(options.clone()).expect("the package starts");
        let reader = execution.reader("Rows").expect("the destination runs");
        let mut writer = RowWriter::new(Vec::new(), RowFormat::Csv);
        writer.begin(&arrow::record_batch::RecordBatchReader::schema(&reader)).expect("memory");
        for batch in reader {
            writer.write(&batch.expect("rows")).expect("memory");
        }
        let text = String::from_utf8(writer.finish().expect("memory")).expect("UTF-8");
        let expected = fs::read_to_string(packages().join("expected/data_reader/Rows.csv")).expect("expected rows");
        assert_eq!(difference(&text, &expected, Order::Kept), None, "{options:?}\n{text}");
        assert!(execution.wait().expect("a result").succeeded());
    }
}

#[test]
fn the_example_does_what_its_page_says() {
    let example = root().join("examples/orders");
    let out = tempfile::tempdir().expect("a temporary folder");
    let outcome = Package::open(example.join("orders.dtsx"))
        .expect("the example opens")
        .map(r"C:\Orders\in", example.join("in").to_string_lossy())
        .map(r"C:\Orders\out", out.path().to_string_lossy())
        .connect("Warehouse", format!("sqlite:{}", out.path().join("orders.db").display()))
        .run(RunOptions::default(), &[])
        .expect("the example runs");
    assert!(outcome.succeeded());
    for file in ["large.csv", "small.csv", "rejected.txt"] {
        assert_file(&out.path().join(file), &example.join("expected").join(file), Order::Kept, file);
    }
    for file in ["large_copy_1.csv", "large_copy_2.csv"] {
        assert_file(&out.path().join(file), &example.join("expected/large.csv"), Order::Kept, file);
    }
    let summary = outcome.variables.iter().find(|variable| variable.name == "User::Summary");
    assert_eq!(summary.and_then(|variable| variable.text()).as_deref(), Some("3 large, 3 small, 2 rejected"));
    let loaded = outcome.variables.iter().find(|variable| variable.name == "User::Loaded");
    assert_eq!(loaded.and_then(|variable| variable.text()).as_deref(), Some("3"));
}

#[test]
fn a_data_flow_takes_part_in_the_transaction_of_its_package() {
    let example = root().join("examples/orders");
    for (count, kept) in
        [("SELECT COUNT(*) AS n FROM [dbo].[LargeOrders]", 3), ("SELECT 1 AS n FROM [dbo].[Nowhere]", 0)]
    {
        let out = tempfile::tempdir().expect("a temporary folder");
        let database = out.path().join("orders.db");
        let outcome = Package::open(example.join("orders.dtsx"))
            .expect("the example opens")
            .map(r"C:\Orders\in", example.join("in").to_string_lossy())
            .map(r"C:\Orders\out", out.path().to_string_lossy())
            .connect("Warehouse", format!("sqlite:{}", database.display()))
            .set(r"\Package.Properties[TransactionOption]", "2")
            .set(r"\Package\Count.Properties[SqlStatementSource]", count)
            .run(RunOptions::default(), &[])
            .expect("the example runs");
        assert_eq!(outcome.succeeded(), kept > 0);
        let database = rusqlite::Connection::open(&database).expect("the database");
        // Undone, there is not even the table.
        let rows = database.query_row("select count(*) from LargeOrders", [], |row| row.get::<_, i64>(0));
        assert_eq!(rows.unwrap_or_default(), kept, "{count}");
    }
}

/// Every package that the project brings along.
fn every_package() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for folder in ["tests/packages", "examples/orders", "benches/workloads"] {
        let entries = fs::read_dir(root().join(folder)).expect("a folder");
        let paths = entries.map(|entry| entry.expect("an entry").path());
        found.extend(paths.filter(|path| path.extension().is_some_and(|extension| extension == "dtsx")));
    }
    found.sort();
    assert!(found.len() >= CASES.len() + 5, "{found:?}");
    found
}

#[test]
fn what_is_read_is_written_again() {
    for path in every_package() {
        let package = dtsx_loader::dtsx::load(&path, &Default::default())
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert_eq!(dtsx_loader::dtsx::difference_from_source(&package), None, "{}", path.display());
    }
}

#[test]
fn nothing_is_wrong_with_any_package() {
    for path in every_package() {
        let report = Package::open(&path).expect("a package").check();
        let errors: Vec<_> = report.findings.iter().filter(|finding| finding.is_error()).collect();
        assert!(errors.is_empty(), "{}: {errors:#?}", path.display());
    }
}

#[test]
fn every_package_is_what_its_script_makes() {
    let made = tempfile::tempdir().expect("a temporary folder");
    for script in ["tests/packages/make.py", "benches/workloads/make.py"] {
        let python = Command::new("python3").arg("-B").arg(root().join(script)).arg(made.path()).output();
        let Ok(output) = python else {
            eprintln!("skipped: there is no python3");
            return;
        };
        assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
    }
    for path in every_package() {
        let name = path.file_name().expect("a file name");
        let (committed, fresh) = (fs::read(&path).ok(), fs::read(made.path().join(name)).ok());
        assert!(committed == fresh, "{}: run its make.py again", path.display());
    }
}
