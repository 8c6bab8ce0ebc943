use crate::tasks::kit::{Loop, Ran};
use dtsx_engine::props::DataNode;
use std::path::Path;

const TABLES: &str = "{C8B52229-5CF3-11CE-ADE5-00AA0044773D}";

fn enumerator(schema: &str, restrictions: &[&str]) -> Loop {
    let one = |value: &&str| DataNode {
        name: "Restriction".into(),
        attributes: vec![("Value".into(), (*value).into())],
        ..Default::default()
    };
    let made = Loop::new("Microsoft.ForEachSchemaRowsetEnumerator", "FEESchemaRowset")
        .attribute("Connection", "Db")
        .attribute("Schema", schema);
    restrictions.iter().map(one).fold(made, Loop::node)
}

fn run(path: &Path, schema: &str, restrictions: &[&str], columns: usize) -> Ran {
    let string = format!("sqlite:{}", path.display());
    enumerator(schema, restrictions)
        .connection("Db", "ADO.NET:SQL", &string)
        .columns(&vec!["Object"; columns])
        .run(|_| {})
}

fn database() -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.db");
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection
        .execute_batch(
            "create table Big (id integer primary key, name varchar(20) not null default 'x', price numeric(10,2)); \
             create table Small (id int references Big(id), note text, primary key (note, id)); \
             create index by_note on Small (note desc); create view Seen as select id from Big",
        )
        .unwrap();
    (folder, path)
}

#[test]
fn tables_by_their_columns() {
    let (_folder, path) = database();
    let ran = run(&path, TABLES, &["Stage", "dbo", "", "TABLE"], 4);
    assert!(ran.succeeded(), "{:?}", ran.texts("OnError"));
    assert_eq!(ran.items(), ",,Big,TABLE ,,Small,TABLE");
    assert_eq!(run(&path, "Tables", &["", "", "seen"], 4).items(), ",,Seen,VIEW");
    let none = run(&path, "DBSCHEMA_TABLES", &["", "", "None"], 1);
    assert!(none.succeeded());
    assert_eq!(none.passes(), 0);
}

#[test]
fn columns_keys_indexes_and_views() {
    let (_folder, path) = database();
    let columns = run(&path, "Columns", &["", "", "big"], 17);
    assert_eq!(
        columns.items(),
        ",,Big,id,,,1,False,,16,False,20,,,,19, ,,Big,name,,,2,True,'x',8,False,130,,20,40,, \
         ,,Big,price,,,3,False,,120,True,131,,,,10,2"
    );
    assert_eq!(run(&path, "Columns", &["", "", "Small", "NOTE"], 4).items(), ",,Small,note");
    assert_eq!(run(&path, "Primary_Keys", &[], 7).items(), ",,Big,id,,,1 ,,Small,note,,,1 ,,Small,id,,,2");
    let keys = run(&path, "Foreign Keys", &["", "", "Big"], 15);
    assert_eq!(keys.items(), ",,Big,id,,,,,Small,id,,,1,NO_ACTION,NO_ACTION");
    let indexes = run(&path, "Indexes", &["", "", "by_note", "1"], 21);
    assert_eq!(indexes.items(), ",,Small,,,by_note,False,False,False,1,,,0,,True,,1,note,,,2");
    assert_eq!(run(&path, "Indexes", &["", "", "by_note", "2"], 21).passes(), 0);
    assert_eq!(run(&path, "Views", &[], 3).items(), ",,Seen");
}

#[test]
fn sheets_and_ranges_of_a_workbook() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("book.xlsx");
    let mut book = rust_xlsxwriter::Workbook::new();
    for name in ["Sales", "My sheet"] {
        book.add_worksheet().set_name(name).unwrap().write(0, 0, "id").unwrap();
    }
    book.define_name("Rates", "=Sales!$A$1:$B$3").unwrap();
    book.save(&path).unwrap();
    let string = format!(
        "Provider=Microsoft.Jet.OLEDB.4.0;Data Source={};Extended Properties=\"Excel 8.0;HDR=YES\"",
        path.display()
    );
    let run = |schema: &str| {
        enumerator(schema, &["", "", "", "TABLE"])
            .connection("Db", "ADO.NET:System.Data.OleDb.OleDbConnection", &string)
            .columns(&["String", "String", "String"])
            .run(|_| {})
    };
    let ran = run(TABLES);
    assert!(ran.succeeded(), "{:?}", ran.texts("OnError"));
    assert_eq!(ran.items(), ",,'My_sheet$' ,,Rates ,,Sales$");
    assert!(run("Columns").texts("OnError")[0].contains("Excel workbooks"));
}

#[test]
fn what_is_not_there_is_refused_by_name() {
    let (_folder, path) = database();
    for (schema, restrictions, part) in [
        ("Procedures", &[][..], "The schema rowset Procedures is not supported for SQLite."),
        ("{c8b5222c-5cf3-11ce-ade5-00aa0044773d}", &[], "The schema rowset Provider_Types is not supported"),
        ("{00000000-5cf3-11ce-ade5-00aa0044773d}", &[], "The schema rowset {00000000"),
        ("", &[], "No schema is specified."),
        ("Tables", &["", "", "", "", "x"], "has 4 restrictions; \"x\" is the 5. one."),
        ("Indexes", &["", "", "", "unique"], "to TYPE is \"unique\", which is no number"),
    ] {
        let ran = run(&path, schema, restrictions, 1);
        assert!(!ran.succeeded(), "{schema}");
        assert!(ran.texts("OnError").iter().any(|t| t.contains(part)), "{schema}: {:?}", ran.texts("OnError"));
    }
    let odd =
        enumerator(TABLES, &[]).attribute("Filter", "x").connection("Db", "ADO.NET:SQL", "sqlite:x.db").run(|_| {});
    assert!(odd.texts("OnError")[0].contains("not understood: its data has the attribute Filter=\"x\"."));
    let gone = enumerator(TABLES, &[]).run(|_| {});
    assert_eq!(gone.codes("OnError")[0], "0xC001000E");
    let flat = enumerator(TABLES, &[]).connection("Db", "FLATFILE", "x.csv").run(|_| {});
    assert!(!flat.succeeded());
}

#[test]
fn properties_come_before_what_is_stored() {
    let (_folder, path) = database();
    let string = format!("sqlite:{}", path.display());
    let ran = enumerator("Tables", &[])
        .property("SchemaRowset", "Views")
        .property("Connection", "Other")
        .connection("Other", "ADO.NET:SQL", &string)
        .columns(&["Object", "Object", "String"])
        .run(|_| {});
    assert_eq!(ran.items(), ",,Seen", "{:?}", ran.texts("OnError"));
}
