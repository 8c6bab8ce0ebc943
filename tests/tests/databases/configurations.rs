//! Package configurations that are kept in a table.

use crate::stage::{Stage, Way, run};
use dtsx::{RunOptions, RunResult};
use dtsx_loader::model::{Package, Variable};
use dtsx_tests::designer::{configuration, database, execute_sql};

/// A package whose variables a table configures; what they are at its end, and the warnings.
fn configured(stage: &Stage, filter: &str, rows: &str) -> (RunResult, Vec<(String, String)>, Vec<String>) {
    let q = if stage.way.is_maria() { "`" } else { "\"" };
    let names = ["ConfigurationFilter", "ConfiguredValue", "PackagePath", "ConfiguredValueType"];
    let columns = names.map(|name| format!("{q}{name}{q} varchar(255)")).join(", ");
    let insert =
        if rows.is_empty() { String::new() } else { format!("insert into {q}SSIS Configurations{q} values {rows}") };
    stage.sql(&format!("create table {q}SSIS Configurations{q} ({columns}); create table mark (n int); {insert}"));
    let mut package = Package::new("Configured");
    let db = database("OLEDB", "Configurations", &stage.string);
    package.root.variables =
        vec![Variable::new("User", "Count", 3, "1"), Variable::new("User", "Sql", 8, "insert into mark values (1)")];
    configuration(&mut package, 7, &format!("\"Configurations\";\"[SSIS Configurations]\";\"{filter}\";"));
    let mut task = execute_sql("Mark", &db, "", &[]);
    let data = task.object_data.as_mut().unwrap().element_mut().unwrap();
    data.set_attr("SQLTask:SqlStmtSourceType", "Variable");
    data.set_attr("SQLTask:SqlStatementSource", "User::Sql");
    package.root.executables.push(task);
    package.root.connection_managers = vec![db];
    let ran = run(stage.package(&package), RunOptions::default());
    let variables = ran.outcome.variables.iter().filter(|v| v.name.starts_with("User::"));
    let variables = variables.map(|v| (v.name.clone(), v.text().unwrap_or_default())).collect();
    let mut warnings = ran.said("OnWarning");
    warnings.extend(ran.said("OnError"));
    (ran.outcome.result, variables, warnings)
}

#[test]
fn a_table_configures_a_package() {
    for way in [Way::Sqlite, Way::Postgres, Way::PostgresOdbc, Way::MariaDb, Way::MariaDbOdbc] {
        let Some(stage) = Stage::new(way) else { continue };
        let path = |name: &str| {
            let path = format!(r"\Package.Variables[User::{name}].Properties[Value]");
            // A backslash in a text of MariaDB stands for what follows it.
            if way.is_maria() { path.replace('\\', r"\\") } else { path }
        };
        let rows = format!(
            "('Nightly', '42', '{}', 'Int32'), ('Nightly', 'insert into mark values (7)', '{}', 'String'), \
             ('Other', '99', '{}', 'Int32')",
            path("Count"),
            path("Sql"),
            path("Count")
        );
        let (result, variables, said) = configured(&stage, "Nightly", &rows);
        assert_eq!(result, RunResult::Success, "{way:?} {said:#?}");
        assert!(said.is_empty(), "{way:?} {said:#?}");
        let expected = [("User::Count", "42"), ("User::Sql", "insert into mark values (7)")];
        assert_eq!(variables, expected.map(|(n, v)| (n.to_owned(), v.to_owned())), "{way:?}");
        assert_eq!(stage.sql("select n from mark"), ["7"], "{way:?}");
    }
}

#[test]
fn what_a_table_does_not_hold_leaves_the_design_values_and_a_warning() {
    for way in [Way::Sqlite, Way::Postgres] {
        let Some(stage) = Stage::new(way) else { continue };
        let (result, variables, said) = configured(&stage, "Nobody", "");
        assert_eq!(result, RunResult::Success, "{way:?} {said:#?}");
        assert_eq!(variables[0], ("User::Count".to_owned(), "1".to_owned()), "{way:?}");
        assert!(said.iter().any(|s| s.contains("SSIS Configurations")), "{way:?} {said:#?}");
    }
}
