//! Loops over schema rowsets, on real servers: by their own protocols and through their drivers.

use crate::stage::{Stage, Way, run};
use dtsx::{RunOptions, RunResult};
use dtsx_loader::model::{
    Element, Executable, ForEachEnumerator, Package, PrecedenceConstraint, Variable, VariableMapping,
};
use dtsx_tests::designer::{database, execute_sql};

/// Columns of a rowset that a loop maps: their places and the types of the variables.
type Mapped<'a> = &'a [(i32, u16)];

const TEXT: u16 = 8;
const INT: u16 = 3;
const BOOL: u16 = 11;

/// What a loop yields: its rows, each with the mapped columns and a `;` at its end.
fn rows(stage: &Stage, schema: &str, restrictions: &[&str], mapped: Mapped<'_>) -> String {
    read(stage, None, schema, restrictions, mapped).0
}

/// The same, and the warnings that there were; perhaps in a transaction of the package, between two statements.
fn read(
    stage: &Stage,
    around: Option<[&str; 2]>,
    schema: &str,
    restrictions: &[&str],
    mapped: Mapped<'_>,
) -> (String, Vec<String>) {
    let data = Element::new("FEESchemaRowset").with_attr("Connection", "Db").with_attr("SchemaRowset", schema);
    let data = restrictions
        .iter()
        .fold(data, |data, value| data.with_child(Element::new("Restriction").with_attr("Value", value)));
    let mut package = Package::new("Schema");
    let db = database("ADO.NET:System.Data.OleDb.OleDbConnection", "Db", &stage.string);
    let mut each =
        Executable::for_each_loop("Loop", ForEachEnumerator::new("Microsoft.ForEachSchemaRowsetEnumerator", data));
    package.root.variables.push(Variable::new("User", "Out", TEXT, ""));
    let mut parts = vec!["@[User::Out]".to_owned()];
    for (n, (column, data_type)) in mapped.iter().enumerate() {
        let initial = if *data_type == TEXT { "" } else { "0" };
        package.root.variables.push(Variable::new("User", &format!("C{column}"), *data_type, initial));
        each.variable_mappings.push(VariableMapping::new(&format!("User::C{column}"), *column));
        let comma = if n == 0 { "" } else { "\",\" + " };
        parts.push(format!("{comma}(DT_WSTR,200)@[User::C{column}]"));
    }
    let expression = format!("@[User::Out] = {} + \";\"", parts.join(" + "));
    let note = Element::new("ExpressionTask").with_attr("Expression", &expression);
    each.executables.push(Executable::task("Microsoft.ExpressionTask", "Note", note));
    package.root.executables.push(each);
    if let Some([before, after]) = around {
        package.root.set_transaction_option(2);
        package.root.executables.insert(0, execute_sql("Before", &db, before, &[]));
        package.root.executables.push(execute_sql("After", &db, after, &[]));
        for (name, from, to) in [("To Loop", "Before", "Loop"), ("To After", "Loop", "After")] {
            let constraint = PrecedenceConstraint::new(name, &format!("Package\\{from}"), &format!("Package\\{to}"));
            package.root.precedence_constraints.push(constraint);
        }
    }
    package.root.connection_managers = vec![db];
    let ran = run(stage.package(&package), RunOptions::default());
    assert_eq!(ran.outcome.result, RunResult::Success, "{:?} {schema}: {:#?}", stage.way, ran.said("OnError"));
    let out = ran.outcome.variables.iter().find(|v| v.name == "User::Out");
    (out.and_then(|v| v.text()).unwrap_or_default().to_string(), ran.said("OnWarning"))
}

fn stages() -> impl Iterator<Item = Stage> {
    let ways = [Way::Sqlite, Way::Postgres, Way::PostgresOdbc, Way::MariaDb, Way::MariaDbOdbc];
    ways.into_iter().filter_map(Stage::new).inspect(|stage| {
        stage.sql(
            "create table parents (id int not null primary key, name varchar(20) default 'x', price decimal(10,2)); \
             create table children (id int not null, note varchar(30) not null, primary key (note, id), \
             constraint owned foreign key (id) references parents (id) on delete cascade); \
             create index by_price on parents (price); create view seen as select id from parents",
        );
    })
}

/// The schema that the tables of a stage are in, as its rowsets call it.
fn schema(stage: &Stage) -> String {
    match stage.way {
        Way::Sqlite => String::new(),
        Way::MariaDb | Way::MariaDbOdbc => stage.sql("select database()")[0].clone(),
        _ => "public".into(),
    }
}

#[test]
fn tables_and_their_columns() {
    const TABLES: &str = "{C8B52229-5CF3-11CE-ADE5-00AA0044773D}";
    for stage in stages() {
        let (way, own) = (stage.way, schema(&stage));
        let kinds: Mapped<'_> = &[(1, TEXT), (2, TEXT), (3, TEXT)];
        let tables = rows(&stage, TABLES, &["", &own, "", "TABLE"], kinds);
        assert_eq!(tables, format!("{own},children,TABLE;{own},parents,TABLE;"), "{way:?}");
        let all = rows(&stage, TABLES, &["", &own], &[(2, TEXT), (3, TEXT)]);
        assert_eq!(all, "children,TABLE;parents,TABLE;seen,VIEW;", "{way:?}");
        assert_eq!(rows(&stage, TABLES, &["", &own, "none"], kinds), "", "{way:?}");
        let columns: Mapped<'_> =
            &[(3, TEXT), (6, INT), (7, BOOL), (10, BOOL), (11, INT), (13, INT), (15, INT), (16, INT)];
        let found = rows(&stage, "Columns", &["", &own, "parents"], columns);
        let integer = if way == Way::Sqlite { ("20", "19") } else { ("3", "10") };
        let expected = format!(
            "id,1,False,False,{},0,{},0;name,2,True,True,130,20,0,0;price,3,False,True,131,0,10,2;",
            integer.0, integer.1
        );
        let expected = if way == Way::Sqlite { expected.replace("20,0,19", "3,0,10") } else { expected };
        assert_eq!(found, expected, "{way:?}");
        assert_eq!(rows(&stage, "Columns", &["", &own, "seen"], &[(2, TEXT), (3, TEXT)]), "seen,id;", "{way:?}");
    }
}

#[test]
fn what_cannot_be_described_is_left_out_and_told() {
    for stage in stages().filter(|s| matches!(s.way, Way::Sqlite | Way::MariaDb | Way::MariaDbOdbc)) {
        stage.sql("create table gone (id int); create view broken as select id from gone; drop table gone");
        let (found, warnings) = read(&stage, None, "Columns", &["", &schema(&stage)], &[(2, TEXT), (3, TEXT)]);
        let expected = "children,id;children,note;parents,id;parents,name;parents,price;seen,id;";
        assert_eq!(found, expected, "{:?}", stage.way);
        let told = |w: &String| w.contains("The schema rowset Columns of \"Db\": broken is left out");
        assert!(warnings.len() == 1 && warnings.iter().all(told), "{:?} {warnings:?}", stage.way);
    }
}

/// PostgreSQL ends a transaction in which a statement failed.
#[test]
fn what_cannot_be_described_ends_no_transaction() {
    for stage in stages().filter(|s| matches!(s.way, Way::Postgres | Way::PostgresOdbc)) {
        let weak = format!("weak_{:?}", stage.way).to_lowercase();
        stage.sql(&format!(
            "create role {weak}; grant all on parents to {weak}; create schema hidden; create table hidden.kept (id int); \
             grant all on hidden.kept to {weak}"
        ));
        let around = [&format!("set role {weak}")[..], "insert into parents values (7, 'y', 1)"];
        let (found, warnings) = read(&stage, Some(around), "Columns", &["", "hidden"], &[(2, TEXT), (3, TEXT)]);
        assert_eq!((found.as_str(), warnings.len()), ("", 1), "{:?} {warnings:?}", stage.way);
        assert!(warnings[0].contains("kept is left out: it cannot be described"), "{:?} {warnings:?}", stage.way);
        assert_eq!(stage.sql("select id from parents"), ["7"], "{:?}", stage.way);
    }
}

#[test]
fn keys_indexes_views_and_constraints() {
    for stage in stages() {
        let (way, own) = (stage.way, schema(&stage));
        let named = way != Way::Sqlite;
        let keys = rows(&stage, "Primary_Keys", &["", &own], &[(2, TEXT), (3, TEXT), (6, INT)]);
        assert_eq!(keys, "children,note,1;children,id,2;parents,id,1;", "{way:?}");
        let foreign: Mapped<'_> = &[(2, TEXT), (3, TEXT), (8, TEXT), (9, TEXT), (12, INT), (14, TEXT), (16, TEXT)];
        let foreign = rows(&stage, "Foreign_Keys", &["", "", "parents", "", &own, "children"], foreign);
        let name = if named { "owned" } else { "" };
        assert_eq!(foreign, format!("parents,id,children,id,1,CASCADE,{name};"), "{way:?}");
        let indexes =
            rows(&stage, "Indexes", &["", &own, "by_price", "1"], &[(2, TEXT), (7, BOOL), (17, TEXT), (20, INT)]);
        assert_eq!(indexes, "parents,False,price,1;", "{way:?}");
        assert_eq!(rows(&stage, "Views", &["", &own], &[(2, TEXT)]), "seen;", "{way:?}");
        if named {
            let constraints: Mapped<'_> = &[(2, TEXT), (5, TEXT), (6, TEXT)];
            let constraints = rows(&stage, "Table_Constraints", &["", &own, "owned"], constraints);
            assert_eq!(constraints, "owned,children,FOREIGN KEY;", "{way:?}");
            let usage = rows(&stage, "Key_Column_Usage", &["", "", "owned"], &[(6, TEXT), (9, INT)]);
            assert_eq!(usage, "id,1;", "{way:?}");
            let rules = rows(&stage, "Referential_Constraints", &["", &own, "owned"], &[(2, TEXT), (8, TEXT)]);
            assert_eq!(rules, "owned,CASCADE;", "{way:?}");
            assert_eq!(rows(&stage, "Schemata", &["", &own], &[(1, TEXT)]), format!("{own};"), "{way:?}");
        }
    }
}

/// Every rowset that a family has can be read at all.
#[test]
fn rowsets_that_hold_nothing_are_read_to_their_end() {
    for stage in stages().filter(|s| s.way != Way::Sqlite) {
        let mut all = vec!["Catalogs", "Check_Constraints", "Procedures"];
        if !stage.way.is_maria() {
            all.extend(["Table_Privileges", "Column_Privileges", "Constraint_Column_Usage", "Constraint_Table_Usage"]);
            all.extend(["View_Table_Usage", "View_Column_Usage"]);
        }
        for name in all {
            let found =
                rows(&stage, name, &["none", "none", "none"][..if name == "Catalogs" { 1 } else { 3 }], &[(0, TEXT)]);
            assert_eq!(found, "", "{:?} {name}", stage.way);
        }
    }
}
