use crate::tasks::kit::{Ran, Single};

/// Loads a file into a table of four columns; the run, and the table's rows.
fn load(file: impl AsRef<[u8]>, attributes: &[(&str, &str)]) -> (Ran, Vec<String>) {
    load_in(file, attributes, |single| single)
}

/// The same with a change to the package.
fn load_in(
    file: impl AsRef<[u8]>,
    attributes: &[(&str, &str)],
    change: impl FnOnce(Single) -> Single,
) -> (Ran, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let (path, data) = (folder.path().join("t.db"), folder.path().join("data.txt"));
    std::fs::write(&data, file).unwrap();
    let db = rusqlite::Connection::open(&path).unwrap();
    db.execute_batch(
        "create table t (id int not null unique, name varchar(10) default 'none', price numeric(8,2), at date)",
    )
    .unwrap();
    let mut all = vec![
        ("SourceConnectionName", "File"),
        ("DestinationConnectionName", "Db"),
        ("DestinationTableName", "[dbo].[t]"),
        ("FieldTerminator", "Comma {,}"),
        ("RowTerminator", "{LF}"),
    ];
    all.extend_from_slice(attributes);
    let single = Single::new("Microsoft.BulkInsertTask", "BulkInsertTaskData", &all)
        .connection("File", "FILE", &data.display().to_string(), "0")
        .connection("Db", "OLEDB", &format!("sqlite:{}", path.display()), "0");
    let ran = change(single).run(|_| {});
    let mut statement = db
        .prepare("select id || ':' || coalesce(name, '-') || ':' || coalesce(price, '-') from t order by id")
        .unwrap();
    let rows = statement.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap();
    (ran, rows)
}

const FILE: &str = "1,a,1.50,2020-01-02\n2,b,,\n3,,7,2021-12-31\n";

#[test]
fn a_file_goes_into_the_columns_of_the_table() {
    let (ran, rows) = load(FILE, &[]);
    assert!(ran.succeeded(), "{:?}", ran.texts("OnError"));
    assert_eq!(rows, ["1:a:1.5", "2:b:-", "3:none:7"]);
    let (_, rows) = load(FILE, &[("KeepNulls", "True"), ("FirstRow", "2"), ("LastRow", "3")]);
    assert_eq!(rows, ["2:b:-", "3:-:7"]);
    // the last row needs no terminator, other terminators are other characters
    let (ran, rows) = load(
        "1|ž|2|\r\n2|\"q\"|3|",
        &[("FieldTerminator", "Vertical Bar {|}"), ("RowTerminator", "{CR}{LF}"), ("CodePage", "65001")],
    );
    assert!(ran.succeeded(), "{:?}", ran.texts("OnError"));
    assert_eq!(rows, ["1:ž:2", "2:\"q\":3"]);
    let (ran, rows) = load("", &[]);
    assert!(ran.succeeded());
    assert_eq!(rows, Vec::<String>::new());
}

#[test]
fn bad_rows_fail_the_task_and_nothing_stays() {
    for (file, says) in [
        ("1,a,1,\n2,b,x,\n", "row 2, column \"price\""),
        ("1,a,1,\n2,b\n", "row 2: the row has 2 fields, the table 4 columns"),
        ("1,a,1,\n1,b,2,\n", "row 2"),
        ("1,a,1,\n2,far too long a name,2,\n", "row 2, column \"name\""),
    ] {
        let (ran, rows) = load(file, &[]);
        assert!(!ran.succeeded(), "{file}");
        assert!(ran.texts("OnError").iter().any(|t| t.contains(says)), "{says}: {:?}", ran.texts("OnError"));
        assert_eq!(rows, Vec::<String>::new(), "{file}");
        let (ran, rows) = load(file, &[("MaximumErrors", "1")]);
        assert!(ran.succeeded(), "{file}: {:?}", ran.texts("OnError"));
        assert_eq!(rows, ["1:a:1"], "{file}");
        assert!(ran.texts("OnWarning").iter().any(|t| t.contains(says)), "{says}");
    }
}

#[test]
fn batches_are_kept() {
    let file: String = (1..=10).map(|i| format!("{i},a,1,\n")).collect();
    let (ran, rows) = load(format!("{file}1,again,1,\n"), &[("BatchSize", "4")]);
    assert!(!ran.succeeded());
    assert_eq!(rows.len(), 8);
    // A container's transaction is nobody's to commit before its end.
    let within = |single: Single| single.set(0, "TransactionOption", "2");
    let (ran, rows) = load_in(&file, &[("BatchSize", "4")], within);
    assert!(ran.succeeded(), "{:?}", ran.texts("OnError"));
    assert_eq!(rows.len(), 10);
    let (ran, rows) = load_in(format!("{file}1,again,1,\n"), &[("BatchSize", "4")], within);
    assert!(!ran.succeeded());
    assert_eq!(rows.len(), 0);
}

#[test]
fn what_this_build_lacks_is_refused() {
    for (attribute, value, says) in [
        ("UseFormatFile", "True", "format files"),
        ("DataFileType", "DTSBulkInsert_DataFileType_Native", "are not supported"),
        ("DestinationTableName", "", "specify a table name"),
        ("SourceConnectionName", "", "Data file name not specified"),
        ("SourceConnectionName", "Db", "either not valid"),
        ("DestinationConnectionName", "File", "destination connection"),
        ("CodePage", "99999", "no code page"),
        ("DestinationTableName", "[dbo].[nothing]", "retrieving the columns"),
    ] {
        let (ran, rows) = load(FILE, &[(attribute, value)]);
        assert!(!ran.succeeded(), "{says}");
        assert!(ran.texts("OnError").iter().any(|t| t.contains(says)), "{says}: {:?}", ran.texts("OnError"));
        assert_eq!(rows, Vec::<String>::new());
    }
}

#[test]
fn identity_values_are_those_of_the_database_unless_kept() {
    let folder = tempfile::tempdir().unwrap();
    let (path, data) = (folder.path().join("t.db"), folder.path().join("data.txt"));
    std::fs::write(&data, "70,a\n80,b\n").unwrap();
    let db = rusqlite::Connection::open(&path).unwrap();
    for (keep, expected) in [("False", "1a,2b"), ("True", "70a,80b")] {
        db.execute_batch("drop table if exists i; create table i (id integer primary key, name text)").unwrap();
        let attributes = [
            ("SourceConnectionName", "File"),
            ("DestinationConnectionName", "Db"),
            ("DestinationTableName", "i"),
            ("FieldTerminator", ","),
            ("RowTerminator", "{LF}"),
            ("KeepIdentity", keep),
        ];
        let ran = Single::new("Microsoft.BulkInsertTask", "BulkInsertTaskData", &attributes)
            .connection("File", "FILE", &data.display().to_string(), "0")
            .connection("Db", "OLEDB", &format!("sqlite:{}", path.display()), "0")
            .run(|_| {});
        assert!(ran.succeeded(), "{:?}", ran.texts("OnError"));
        let rows: String = db.query_row("select group_concat(id || name) from i", [], |row| row.get(0)).unwrap();
        assert_eq!(rows, expected);
    }
}
