//! Constraints that are checked when a transaction is committed (`DEFERRABLE INITIALLY DEFERRED`): a load whose commit is
//! refused has failed, in the server's words, and what was committed before is there.

use crate::stage::{Stage, Way, run};
use dtsx::{RunOptions, RunResult};
use dtsx_loader::model::{Disposition, Package};
use dtsx_tests::designer::{Class, Flow, Typed, database, file};

/// A destination, the size of its commits, and how many rows are in the table when the row 250 of 1000 has no parent.
struct Case {
    kind: &'static str,
    class: &'static str,
    role: &'static str,
    properties: &'static [(&'static str, &'static str)],
    committed: &'static str,
}

const OLE_DB: Case = Case {
    kind: "OLEDB",
    class: "Microsoft.OLEDBDestination",
    role: "OleDbConnection",
    properties: &[],
    committed: "0",
};

const CASES: &[Case] = &[
    Case { properties: &[("AccessMode", "3"), ("OpenRowset", "t"), ("FastLoadMaxInsertCommitSize", "0")], ..OLE_DB },
    Case {
        properties: &[("AccessMode", "3"), ("OpenRowset", "t"), ("FastLoadMaxInsertCommitSize", "2147483647")],
        ..OLE_DB
    },
    Case {
        properties: &[("AccessMode", "3"), ("OpenRowset", "t"), ("FastLoadMaxInsertCommitSize", "100")],
        committed: "200",
        ..OLE_DB
    },
    Case {
        kind: "ODBC",
        class: "Microsoft.SSISODBCDst",
        role: "OdbcConnection",
        properties: &[("TableName", "t"), ("InsertMethod", "1"), ("TransactionSize", "100")],
        committed: "200",
    },
    Case {
        kind: "ADO.NET",
        class: "Microsoft.ADONETDestination",
        role: "IDbConnection",
        properties: &[("TableOrViewName", "t"), ("BatchSize", "0")],
        committed: "0",
    },
];

#[test]
fn a_commit_that_is_refused_fails_the_load() {
    for way in [Way::Postgres, Way::PostgresOdbc] {
        let Some(stage) = Stage::new(way) else { continue };
        stage.sql(
            "create table p (id int primary key); insert into p select n from generate_series(1, 1000) n where n <> 250;
             create table t (id int references p (id) deferrable initially deferred)",
        );
        stage.write("rows.csv", &(1..=1000).map(|n| format!("{n}\r\n")).collect::<String>());
        let keys: [Typed<'_>; 1] = [("id", "i4")];
        for case in CASES {
            let context = format!("{way:?} {} {:?}", case.class, case.properties);
            let mut package = Package::new("Deferred");
            let mut flow = Flow::new("Package", "Work");
            let rows = flow.flat_file_source("Rows", "Rows", &keys);
            let table = Class { class: case.class, role: case.role, manager: "Db", properties: case.properties };
            flow.destination("Loader", table, &rows, &keys, Disposition::FailComponent);
            package.root.connection_managers =
                vec![file("Rows", &stage.path("rows.csv"), &keys), database(case.kind, "Db", &stage.string)];
            package.root.executables.push(flow.task());
            let options = RunOptions { threads: 2, batch_rows: Some(100), ..RunOptions::default() };
            let ran = run(stage.package(&package), options);
            let said = ran.said("OnError").join("\n");
            assert_eq!(ran.outcome.result, RunResult::Failure, "{context}\n{said}");
            for part in ["Loader", "violates foreign key constraint"] {
                assert!(said.contains(part), "{context}: nothing says {part}:\n{said}");
            }
            let there = stage.sql("select count(*) from t")[0].trim().to_owned();
            assert_eq!(there, case.committed, "{context}\n{said}");
            if there != "0" {
                let told = format!("{there} row(s) were committed before that");
                assert!(said.contains(&told), "{context}: nothing says {told}:\n{said}");
            }
            stage.sql("delete from t");
        }
    }
}
