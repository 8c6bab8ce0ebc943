//! Rows that a table refuses: on every server, by every destination, under every disposition.
//!
//! A thousand rows of a file, a few of them bad at known places: the first and the last one, neighbours, both sides of a
//! commit's border. The good ones are in the table, each once; the bad ones are in the error output with the codes of
//! SSIS, or left out; or the component fails, and what was committed before is there.

use crate::stage::{Ran, Stage, Way, lines, run};
use dtsx::{RunOptions, RunResult};
use dtsx_loader::model::{Disposition, Package};
use dtsx_tests::designer::{Class, Flow, Typed, database, file};

const ROWS: usize = 1000;
/// Where the bad rows are: first, at both sides of a border, neighbours, last.
const PLACES: [usize; 6] = [0, 99, 100, 499, 500, 999];
/// Where they are if the first one ends it all.
const FAILING: [usize; 2] = [250, 999];
/// A key that the table has from the beginning.
const TAKEN: usize = 100_000;

/// What is wrong with a row.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Bad {
    DuplicateKey,
    Null,
    TooLong,
    OutOfRange,
    NoDate,
    ForeignKey,
    Check,
}

const ALL: [Bad; 7] =
    [Bad::DuplicateKey, Bad::Null, Bad::TooLong, Bad::OutOfRange, Bad::NoDate, Bad::ForeignKey, Bad::Check];

/// A destination, as a package has it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Target {
    OleDbRows,
    OleDbFast,
    AdoNet,
    OdbcBatch,
    OdbcRows,
    SqlServer,
}

/// When it commits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Commit {
    Rows,
    Every(usize),
    AtEnd,
}

impl Target {
    fn kind(self) -> &'static str {
        match self {
            Target::OleDbRows | Target::OleDbFast | Target::SqlServer => "OLEDB",
            Target::AdoNet => "ADO.NET",
            Target::OdbcBatch | Target::OdbcRows => "ODBC",
        }
    }

    /// The sizes that its property for commits is given, and what they mean.
    fn commits(self, redirects: bool) -> Vec<(&'static str, Commit)> {
        match self {
            Target::OleDbRows => vec![("2147483647", Commit::Rows)],
            // A load that is committed at its end only refuses to redirect.
            Target::OleDbFast if redirects => vec![("100", Commit::Every(100)), ("2147483647", Commit::AtEnd)],
            Target::OleDbFast => {
                vec![("0", Commit::AtEnd), ("100", Commit::Every(100)), ("2147483647", Commit::AtEnd)]
            }
            // What may be redirected goes in one by one.
            Target::AdoNet if redirects => vec![("0", Commit::Rows), ("100", Commit::Rows)],
            Target::AdoNet => vec![("0", Commit::AtEnd), ("100", Commit::Every(100))],
            Target::OdbcBatch | Target::OdbcRows => vec![("0", Commit::Rows), ("100", Commit::Every(100))],
            Target::SqlServer => vec![("0", Commit::AtEnd), ("100", Commit::Every(100))],
        }
    }

    fn class<'a>(self, properties: &'a mut Vec<(&'static str, &'static str)>, size: &'static str) -> Class<'a> {
        let (class, role, own): (_, _, &[(&'static str, &'static str)]) = match self {
            Target::OleDbRows => {
                ("Microsoft.OLEDBDestination", "OleDbConnection", &[("AccessMode", "0"), ("OpenRowset", "[T]")])
            }
            Target::OleDbFast => (
                "Microsoft.OLEDBDestination",
                "OleDbConnection",
                &[
                    ("AccessMode", "3"),
                    ("OpenRowset", "[T]"),
                    ("FastLoadOptions", "TABLOCK,CHECK_CONSTRAINTS,ROWS_PER_BATCH = 60"),
                ],
            ),
            Target::AdoNet => ("Microsoft.ADONETDestination", "IDbConnection", &[("TableOrViewName", "\"T\"")]),
            Target::OdbcBatch => {
                ("Microsoft.SSISODBCDst", "OdbcConnection", &[("TableName", "\"T\""), ("InsertMethod", "1")])
            }
            Target::OdbcRows => {
                ("Microsoft.SSISODBCDst", "OdbcConnection", &[("TableName", "\"T\""), ("InsertMethod", "0")])
            }
            Target::SqlServer => {
                ("Microsoft.SQLServerDestination", "OleDbConnection", &[("BulkInsertTableName", "[T]")])
            }
        };
        properties.extend(own);
        properties.push(match self {
            Target::OleDbRows | Target::OleDbFast => ("FastLoadMaxInsertCommitSize", size),
            Target::AdoNet => ("BatchSize", size),
            Target::OdbcBatch | Target::OdbcRows => ("TransactionSize", size),
            Target::SqlServer => ("MaxInsertCommitSize", size),
        });
        Class { class, role, manager: "Db", properties }
    }
}

/// The table, its parents, and a row that is there already.
fn make(stage: &Stage) {
    let (begin, end) = if stage.way.is_maria() { ("`", "`") } else { ("\"", "\"") };
    let run = |sql: &str| match &stage.peer {
        Some(peer) => peer.make(sql),
        None => drop(stage.sql(sql)),
    };
    run(&format!(
        "CREATE TABLE {begin}P{end} (id int NOT NULL PRIMARY KEY);
         INSERT INTO {begin}P{end} VALUES (1), (2);
         CREATE TABLE {begin}T{end} (id int NOT NULL PRIMARY KEY, name varchar(10) NOT NULL,
           amount decimal(8,2) CHECK (amount >= 0), born date, parent int,
           FOREIGN KEY (parent) REFERENCES {begin}P{end} (id));
         INSERT INTO {begin}T{end} VALUES ({TAKEN}, 'taken', 1, NULL, 1)"
    ));
}

/// The keys in the table, which is emptied for the next run.
fn keys(stage: &Stage) -> Vec<String> {
    let t = if stage.way.is_maria() { "`T`" } else { "\"T\"" };
    stage.sql(&format!("SELECT id FROM {t} ORDER BY id; DELETE FROM {t} WHERE id < {TAKEN}"))
}

/// The rows of the file: number, id, name, amount, date, parent.
fn text(bad: Bad, places: &[usize]) -> String {
    let mut text = String::new();
    for n in 0..ROWS {
        let (mut id, mut name, mut amount) = (n + 1, format!("n{n}"), format!("{}.25", n % 700));
        let (mut born, mut parent) = (format!("2024-01-{:02}", n % 28 + 1), n % 2 + 1);
        if places.contains(&n) {
            match bad {
                // A key that the table has, or the one of the row before.
                Bad::DuplicateKey => id = if n % 2 == 0 { TAKEN } else { n },
                Bad::Null => name.clear(),
                Bad::TooLong => name = "much too long for it".into(),
                Bad::OutOfRange => amount = "12345678.50".into(),
                Bad::NoDate => born = "2024-02-30".into(),
                Bad::ForeignKey => parent = 9,
                Bad::Check => amount = "-1.00".into(),
            }
        }
        text.push_str(&format!("{n},{id},{name},{amount},{born},{parent}\r\n"));
    }
    text
}

const FILE: [Typed<'static>; 6] = [
    ("n", "i4"),
    ("id", "i4"),
    ("name", "wstr(50)"),
    ("amount", "numeric(18,2)"),
    ("born", "wstr(10)"),
    ("parent", "i4"),
];

/// ErrorCode and ErrorColumn of a bad row, which the server refused, if it was asked: a value that cannot be converted
/// never gets there, and names its column in every destination.
fn codes(bad: Bad, target: Target, asked: bool) -> (u32, usize) {
    let (code, column) = match bad {
        Bad::DuplicateKey | Bad::ForeignKey | Bad::Check => (0xC020_907B, 0),
        Bad::Null => (0xC020_907D, 3),
        Bad::TooLong => (0xC020_9078, 3),
        Bad::OutOfRange => (0xC020_907A, 4),
        Bad::NoDate => (0xC020_9077, 5),
    };
    if target == Target::AdoNet && asked { (0xC020_844F, 0) } else { (code, column) }
}

/// The package, with its file, in the stage's folder.
fn package(stage: &Stage, target: Target, size: &'static str, disposition: Disposition, transaction: bool) -> Package {
    // SQLite holds texts and numbers of any length: its table is described as the designer finds it.
    let narrow = stage.way == Way::Sqlite;
    let there: [Typed<'_>; 5] = [
        ("id", "i4"),
        ("name", if narrow { "wstr(10)" } else { "wstr(50)" }),
        ("amount", if narrow { "numeric(8,2)" } else { "numeric(18,2)" }),
        ("born", "dbDate"),
        ("parent", "i4"),
    ];
    let mut package = Package::new("Bad rows");
    let errors: [Typed<'_>; 3] = [("n", "i4"), ("ErrorCode", "i4"), ("ErrorColumn", "i4")];
    package.root.connection_managers = vec![
        file("Rows", &stage.path("rows.csv"), &FILE),
        database(target.kind(), "Db", &stage.string),
        file("Refused", &stage.path("refused.csv"), &errors),
    ];
    let mut flow = Flow::new("Package", "Load");
    let rows = flow.flat_file_source("Rows", "Rows", &FILE);
    let mut properties = Vec::new();
    let class = target.class(&mut properties, size);
    let refused = flow.destination("Table", class, &rows, &there, disposition);
    if disposition == Disposition::RedirectRow {
        flow.flat_file_destination("Refused", "Refused", &refused, &errors);
    }
    package.root.executables.push(flow.task());
    if transaction {
        package.root.set_transaction_option(2);
    }
    package
}

/// What a case comes to.
struct Case<'a> {
    stage: &'a Stage,
    target: Target,
    bad: Bad,
    disposition: Disposition,
    size: &'static str,
    commit: Commit,
    transaction: bool,
    options: RunOptions,
}

impl Case<'_> {
    fn check(&self) {
        let Case { stage, target, bad, disposition, size, commit, transaction, options } = self;
        let context =
            format!("{:?} {target:?} {bad:?} {disposition:?} commit {size} {transaction} {options:?}", stage.way);
        let fails = *disposition == Disposition::FailComponent;
        let places: &[usize] = if fails { &FAILING } else { &PLACES };
        stage.write("rows.csv", &text(*bad, places));
        let made = package(stage, *target, size, *disposition, *transaction);
        let toml = stage.write("estate.toml", &estate(stage));
        let opened = stage.package(&made).connections_file(toml);
        let ran = run(opened, options.clone());
        let found = keys(stage);
        let n_good = match (fails, transaction, commit) {
            (false, ..) => ROWS,
            (true, true, _) | (true, _, Commit::AtEnd) => 0,
            (true, _, Commit::Every(rows)) => FAILING[0] / rows * rows,
            (true, _, Commit::Rows) => FAILING[0],
        };
        let good = (0..n_good).filter(|n| fails || !places.contains(n)).map(|n| n + 1).chain([TAKEN]);
        let good: Vec<String> = good.map(|id| id.to_string()).collect();
        let said = ran.said("OnError");
        assert_eq!(found.len(), good.len(), "{context}\n{said:#?}");
        assert_eq!(found, good, "{context}");
        if fails {
            assert_eq!(ran.outcome.result, RunResult::Failure, "{context}");
            self.failed(&ran, &context);
            return;
        }
        assert_eq!(ran.outcome.result, RunResult::Success, "{context}\n{said:#?}");
        assert!(said.is_empty(), "{context}\n{said:#?}");
        let n_bad = places.len() as u64;
        if *disposition == Disposition::IgnoreFailure {
            assert_eq!(ran.rows("Table"), (ROWS as u64, 0, n_bad), "{context}");
        } else {
            assert_eq!(ran.rows("Table"), (ROWS as u64, n_bad, 0), "{context}");
            let (code, column) = codes(*bad, *target, self.word().is_some());
            let expected: Vec<String> = places.iter().map(|n| format!("{n},{},{column}", code as i32)).collect();
            assert_eq!(lines(&stage.path("refused.csv")), expected, "{context}");
        }
        if let Some(word) = self.word() {
            let told = ran.said("OnInformation");
            let told: Vec<_> = told.iter().filter(|t| t.starts_with("Table: ") && t.contains(word)).collect();
            assert!(!told.is_empty(), "{context}: nothing says {word}: {:#?}", ran.said("OnInformation"));
        }
    }

    /// A word of what the server says of the bad row; None if it is not asked.
    fn word(&self) -> Option<&'static str> {
        let sqlite = self.stage.way == Way::Sqlite;
        let mariadb = self.stage.way.is_maria();
        let sql_server = self.stage.way == Way::SqlServer;
        Some(match self.bad {
            Bad::NoDate => return None,
            Bad::TooLong | Bad::OutOfRange if sqlite => return None,
            Bad::DuplicateKey if sqlite => "UNIQUE constraint failed: T.id",
            Bad::DuplicateKey if sql_server => "Violation of PRIMARY KEY constraint",
            Bad::Null if sql_server => "Cannot insert the value NULL into column 'name'",
            Bad::TooLong if sql_server => "String or binary data would be truncated",
            Bad::OutOfRange if sql_server => "Arithmetic overflow",
            Bad::ForeignKey if sql_server => "FOREIGN KEY constraint",
            Bad::Check if sql_server => "CHECK constraint",
            Bad::DuplicateKey if mariadb => "for key 'PRIMARY'",
            Bad::DuplicateKey => "duplicate key value violates unique constraint",
            Bad::Null if sqlite => "NOT NULL constraint failed: T.name",
            Bad::Null if mariadb => "'name' cannot be null",
            Bad::Null => "null value in column \"name\"",
            Bad::TooLong if mariadb => "Data too long for column 'name'",
            Bad::TooLong => "value too long for type character varying(10)",
            Bad::OutOfRange if mariadb => "Out of range value for column 'amount'",
            Bad::OutOfRange => "numeric field overflow",
            Bad::ForeignKey if sqlite => "FOREIGN KEY constraint failed",
            Bad::ForeignKey => "foreign key constraint",
            Bad::Check if sqlite => "CHECK constraint failed",
            Bad::Check if mariadb => "CONSTRAINT `T.amount` failed",
            Bad::Check => "check constraint",
        })
    }

    /// What a run that fails says: the component's name, the code, and the server's words.
    fn failed(&self, ran: &Ran, context: &str) {
        let said = ran.said("OnError").join("\n");
        let (code, _) = codes(self.bad, self.target, self.word().is_some());
        for part in [format!("{code:08X}"), "\"Table\"".into(), self.word().unwrap_or("").into()] {
            assert!(said.contains(&part), "{context}: nothing says {part}:\n{said}");
        }
    }
}

/// SQLite checks foreign keys when it is told so.
fn estate(stage: &Stage) -> String {
    match stage.way {
        Way::Sqlite => format!("[connections.Db]\nconnect = '{}'\ninit = ['PRAGMA foreign_keys = ON']\n", stage.string),
        _ => String::new(),
    }
}

fn matrix(way: Way, target: Target) {
    let Some(stage) = Stage::new(way) else { return };
    make(&stage);
    let dispositions = [Disposition::FailComponent, Disposition::RedirectRow, Disposition::IgnoreFailure];
    let mut n_runs = 0;
    for disposition in dispositions {
        // The SQL Server Destination has no error output.
        if target == Target::SqlServer && disposition != Disposition::FailComponent {
            continue;
        }
        let sizes = target.commits(disposition == Disposition::RedirectRow);
        for (at, bad) in ALL.into_iter().enumerate() {
            for (place, (size, commit)) in sizes.iter().enumerate() {
                // Every size with keys, the others in turn; what is ignored is found as what is redirected is.
                let ignored = disposition == Disposition::IgnoreFailure && at % 2 == 1;
                if bad != Bad::DuplicateKey && (at % sizes.len() != place || ignored) {
                    continue;
                }
                n_runs += 1;
                let batch_rows = [None, Some(90), Some(7)][n_runs % 3];
                let options = RunOptions { threads: 1 + n_runs % 2, batch_rows, ..RunOptions::default() };
                let (size, commit) = (*size, *commit);
                Case { stage: &stage, target, bad, disposition, size, commit, transaction: false, options }.check();
            }
        }
        // ODBC connections take no part in transactions.
        if target.kind() != "ODBC" {
            for bad in [Bad::DuplicateKey, Bad::TooLong] {
                let (size, commit) = sizes[sizes.len() - 1];
                let options = RunOptions { threads: 2, batch_rows: Some(90), ..RunOptions::default() };
                Case { stage: &stage, target, bad, disposition, size, commit, transaction: true, options }.check();
            }
        }
    }
}

macro_rules! matrix {
    ($($way:ident $target:ident: $name:ident;)*) => {
        $(#[test]
        fn $name() {
            matrix(Way::$way, Target::$target);
        })*
    };
}

matrix! {
    Sqlite OleDbRows: sqlite_ole_db_row_by_row;
    Sqlite OleDbFast: sqlite_ole_db_fast_load;
    Sqlite AdoNet: sqlite_ado_net;
    Sqlite OdbcBatch: sqlite_odbc_batches;
    Sqlite OdbcRows: sqlite_odbc_row_by_row;
    Sqlite SqlServer: sqlite_sql_server_destination;
    Postgres OleDbRows: postgres_ole_db_row_by_row;
    Postgres OleDbFast: postgres_ole_db_fast_load;
    Postgres AdoNet: postgres_ado_net;
    Postgres OdbcBatch: postgres_odbc_batches;
    Postgres OdbcRows: postgres_odbc_row_by_row;
    Postgres SqlServer: postgres_sql_server_destination;
    PostgresOdbc OleDbRows: psqlodbc_ole_db_row_by_row;
    PostgresOdbc OleDbFast: psqlodbc_ole_db_fast_load;
    PostgresOdbc AdoNet: psqlodbc_ado_net;
    PostgresOdbc OdbcBatch: psqlodbc_odbc_batches;
    PostgresOdbc OdbcRows: psqlodbc_odbc_row_by_row;
    PostgresOdbc SqlServer: psqlodbc_sql_server_destination;
    MariaDb OleDbRows: mariadb_ole_db_row_by_row;
    MariaDb OleDbFast: mariadb_ole_db_fast_load;
    MariaDb AdoNet: mariadb_ado_net;
    MariaDb OdbcBatch: mariadb_odbc_batches;
    MariaDb OdbcRows: mariadb_odbc_row_by_row;
    MariaDb SqlServer: mariadb_sql_server_destination;
    MariaDbOdbc OleDbRows: maodbc_ole_db_row_by_row;
    MariaDbOdbc OleDbFast: maodbc_ole_db_fast_load;
    MariaDbOdbc AdoNet: maodbc_ado_net;
    MariaDbOdbc OdbcBatch: maodbc_odbc_batches;
    MariaDbOdbc OdbcRows: maodbc_odbc_row_by_row;
    MariaDbOdbc SqlServer: maodbc_sql_server_destination;
    SqlServer OleDbRows: sql_server_ole_db_row_by_row;
    SqlServer OleDbFast: sql_server_ole_db_fast_load;
    SqlServer AdoNet: sql_server_ado_net;
    SqlServer SqlServer: sql_server_sql_server_destination;
}
