use super::parameters::{Api, data_type};
use crate::tasks::kit::{Ran, Single};
use dtsx_engine::control::Rowset;
use dtsx_engine::props::DataNode;
use dtsx_engine::types::{DataType, Value};
use dtsx_engine::variables::VariableType as T;

/// A database file of its own, and a task on it.
struct Sql {
    _folder: tempfile::TempDir,
    task: Single,
    path: String,
}

fn sql(statement: &str, attributes: &[(&str, &str)]) -> Sql {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.db").display().to_string();
    setup(&path);
    let mut all = vec![("Connection", "Db"), ("SqlStatementSource", statement)];
    all.extend_from_slice(attributes);
    let task = Single::new("Microsoft.ExecuteSQLTask", "SqlTaskData", &all).connection(
        "Db",
        "OLEDB",
        &format!("sqlite:{path}"),
        "0",
    );
    Sql { _folder: folder, task, path }
}

fn setup(path: &str) {
    let db = rusqlite::Connection::open(path).unwrap();
    db.execute_batch("create table t (id integer not null primary key, name text, at timestamp); insert into t values (1, 'a', null), (2, 'b', null)")
        .unwrap();
}

impl Sql {
    fn variable(mut self, name: &str, data_type: T, value: Value) -> Sql {
        self.task = self.task.variable(name, data_type, value);
        self
    }

    fn parameter(self, name: &str, variable: &str, direction: &str, number: &str) -> Sql {
        self.child(
            "ParameterBinding",
            &[
                ("ParameterName", name),
                ("DtsVariableName", variable),
                ("ParameterDirection", direction),
                ("DataType", number),
                ("ParameterSize", "-1"),
            ],
        )
    }

    fn result(self, name: &str, variable: &str) -> Sql {
        self.child("ResultBinding", &[("ResultName", name), ("DtsVariableName", variable)])
    }

    fn child(mut self, name: &str, attributes: &[(&str, &str)]) -> Sql {
        let attributes = attributes.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        self.task = self.task.child(DataNode { name: name.into(), attributes, ..Default::default() });
        self
    }

    fn connection(mut self, name: &str, kind: &str, path: &str) -> Sql {
        self.task = self.task.connection(name, kind, path, "0");
        self
    }

    fn run(self) -> (Ran, Vec<String>) {
        let Sql { _folder, task, path } = self;
        let ran = task.run(|_| {});
        let db = rusqlite::Connection::open(&path).unwrap();
        let mut statement = db.prepare("select id || ':' || coalesce(name, 'NULL') from t order by id").unwrap();
        let rows = statement.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap();
        (ran, rows)
    }
}

const SINGLE: (&str, &str) = ("ResultType", "ResultSetType_SingleRow");
const FULL: (&str, &str) = ("ResultType", "ResultSetType_Rowset");

#[test]
fn statements_run_with_the_values_of_variables() {
    let (ran, rows) = sql("INSERT INTO [dbo].[t] (id, name) VALUES (?, ?)", &[])
        .variable("Id", T::Int32, Value::I4(7))
        .variable("Name", T::String, Value::text("it's"))
        // ordinals, not the order of the file, say which marker
        .parameter("1", "User::Name", "Input", "129")
        .parameter("0", "User::Id", "Input", "3")
        .run();
    assert!(ran.succeeded(), "{:?}", ran.texts("OnError"));
    assert_eq!(rows, ["1:a", "2:b", "7:it's"]);
}

#[test]
fn batches_run_one_after_the_other_and_take_their_own_markers() {
    let text = "insert into t (id, name) values (?, 'GO')\nGO\nupdate t set name = ? where id = 1\ngo\n";
    let (ran, rows) = sql(text, &[])
        .variable("Id", T::Int32, Value::I4(3))
        .variable("Name", T::String, Value::text("x"))
        .parameter("0", "User::Id", "Input", "3")
        .parameter("1", "User::Name", "Input", "130")
        .run();
    assert!(ran.succeeded(), "{:?}", ran.texts("OnError"));
    assert_eq!(rows, ["1:x", "2:b", "3:GO"]);
}

#[test]
fn a_single_row_goes_into_variables_by_name_or_ordinal() {
    let (ran, _) = sql("select count(*) as N, max(name) as M, '12' as T, 1.5 as R from t", &[SINGLE])
        .variable("n", T::Int32, Value::I4(0))
        .variable("m", T::String, Value::text(""))
        .variable("t", T::Int64, Value::I8(0))
        .variable("r", T::Double, Value::R8(0.0))
        .variable("s", T::String, Value::text(""))
        .result("n", "User::n")
        .result("1", "User::m")
        .result("T", "User::t")
        .result("3", "User::r")
        .result("N", "User::s")
        .run();
    assert!(ran.succeeded(), "{:?}", ran.texts("OnError"));
    assert_eq!(ran.value("n"), Value::I4(2));
    assert_eq!(ran.value("m"), Value::text("b"));
    assert_eq!(ran.value("t"), Value::I8(12));
    assert_eq!(ran.value("r"), Value::R8(1.5));
    assert_eq!(ran.value("s"), Value::text("2"));
}

#[test]
fn results_that_do_not_come_fail() {
    for (statement, result, code) in [
        ("select id from t where id > 5", "0", "0xC00291EE"),
        ("select id from t", "nothing", "0xC00291F7"),
        ("select id from t", "3", "0xC00291F6"),
        ("select null as id", "id", "0xC002F309"),
        ("select 'x' as id", "id", "0xC002F309"),
        ("select id from nowhere", "id", "0xC002F210"),
        ("selekt 1", "id", "0xC002F210"),
    ] {
        let task = sql(statement, &[SINGLE]).variable("n", T::Int32, Value::I4(9)).result(result, "User::n");
        let (ran, _) = task.run();
        assert!(!ran.succeeded(), "{statement}");
        assert_eq!(ran.codes("OnError"), [code], "{statement}: {:?}", ran.texts("OnError"));
        assert_eq!(ran.value("n"), Value::I4(9), "{statement}");
    }
}

#[test]
fn without_conversion_types_have_to_fit() {
    let task = |mode| {
        sql("select '5' as n", &[SINGLE, ("TypeConversionMode", mode)])
            .variable("n", T::Int32, Value::I4(0))
            .result("n", "User::n")
    };
    assert_eq!(task("Allowed").run().0.value("n"), Value::I4(5));
    assert_eq!(task("None").run().0.codes("OnError"), ["0xC002F309"]);
}

#[test]
fn a_full_result_is_a_rowset() {
    let (ran, _) = sql("select id, name from t order by id", &[FULL])
        .variable("rows", T::Object, Value::Null)
        .result("0", "User::rows")
        .run();
    assert!(ran.succeeded(), "{:?}", ran.texts("OnError"));
    let rowset = Rowset::of(&ran.value("rows")).unwrap();
    assert_eq!(rowset.tables[0].columns, ["id", "name"]);
    assert_eq!(rowset.tables[0].rows.len(), 2);
    assert_eq!(rowset.tables[0].rows[1][1], Value::text("b"));
}

#[test]
fn an_xml_result_is_what_the_rows_hold() {
    let (ran, _) = sql("select '<r id=\"' || id || '\"/>' from t", &[("ResultType", "ResultSetType_XML")])
        .variable("x", T::String, Value::text(""))
        .result("0", "User::x")
        .run();
    assert_eq!(ran.value("x"), Value::text("<ROOT><r id=\"1\"/><r id=\"2\"/></ROOT>"));
}

#[test]
fn statements_come_from_variables_and_files() {
    let (ran, rows) = sql("User::Sql", &[("SqlStmtSourceType", "Variable")])
        .variable("Sql", T::String, Value::text("delete from t where id = 1"))
        .run();
    assert!(ran.succeeded(), "{:?}", ran.texts("OnError"));
    assert_eq!(rows, ["2:b"]);

    let folder = tempfile::tempdir().unwrap();
    let utf16: Vec<u8> =
        "\u{feff}update t set name = 'ž' where id = 2".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let ansi = b"update t set name = '\x9e' where id = 2".to_vec();
    for (name, bytes) in [("a.sql", "update t set name = 'ž' where id = 2".into()), ("b.sql", utf16), ("c.sql", ansi)]
    {
        let path = folder.path().join(name);
        std::fs::write(&path, &bytes).unwrap();
        let (ran, rows) = sql("File", &[("SqlStmtSourceType", "FileConnection"), ("CodePage", "1250")])
            .connection("File", "FILE", &path.display().to_string())
            .run();
        assert!(ran.succeeded(), "{name}: {:?}", ran.texts("OnError"));
        assert_eq!(rows, ["1:a", "2:ž"], "{name}");
    }
}

#[test]
fn what_is_missing_is_refused_before_it_runs() {
    let plain = |statement, attributes: &[(&str, &str)]| sql(statement, attributes);
    let cases: Vec<(Sql, &str)> = vec![
        (plain("", &[]), "No Transact-SQL statement specified."),
        (plain("select 1", &[("Connection", "")]), "No connection manager is specified."),
        (plain("select 1", &[("Connection", "Nothing")]), "Connection manager \"Nothing\" does not exist."),
        (plain("User::No", &[("SqlStmtSourceType", "Variable")]), "Variable \"User::No\" does not exist"),
        (plain("Db", &[("SqlStmtSourceType", "FileConnection")]), "is not a file connection manager"),
        (plain("select 1", &[SINGLE]), "invalid number of result bindings"),
        (
            plain("select 1", &[FULL]).variable("o", T::Object, Value::Null).result("x", "User::o"),
            "must be set to zero for full result set",
        ),
        (plain("select 1", &[SINGLE]).result("0", "System::PackageName"), "it is read-only"),
        (plain("select ?", &[]).parameter("0", "User::No", "Input", "3"), "Variable \"User::No\" does not exist"),
        (plain("select ?", &[]).parameter("0", "System::PackageName", "Output", "3"), "cannot be used as an \"out\""),
        (plain("select ?", &[]).parameter("0", "System::PackageName", "Input", "999"), "Unsupported data type"),
        (
            plain("select ?", &[]).parameter("0", "System::PackageName", "Input", "129").parameter(
                "x",
                "System::PackageName",
                "Input",
                "129",
            ),
            "mix of ordinal and named",
        ),
    ];
    for (task, expected) in cases {
        // a later attribute of the same name replaces an earlier one
        let (ran, rows) = task.run();
        assert!(!ran.succeeded(), "{expected}");
        let texts = ran.texts("OnError");
        assert!(texts.iter().any(|t| t.contains(expected)), "{expected}: {texts:?}");
        assert_eq!(rows, ["1:a", "2:b"]);
    }
}

#[test]
fn every_api_has_its_own_numbers_of_types() {
    let text = Some(DataType::NText);
    for (api, number, size, expected) in [
        (Api::OleDb, 3, None, Some(Some(DataType::I4))),
        (Api::OleDb, 129, None, Some(text)),
        (Api::OleDb, 130, Some(50), Some(Some(DataType::WStr { len: 50 }))),
        (Api::OleDb, 135, None, Some(Some(DataType::DbTimeStamp))),
        (Api::OleDb, 12, None, Some(None)),
        (Api::OleDb, 999, None, None),
        (Api::Odbc, 4, None, Some(Some(DataType::I4))),
        (Api::Odbc, -9, None, Some(text)),
        (Api::Odbc, 3, None, Some(Some(DataType::Numeric { precision: 38, scale: 10 }))),
        (Api::AdoNet, 11, None, Some(Some(DataType::I4))),
        (Api::AdoNet, 16, None, Some(text)),
        (Api::AdoNet, 3, None, Some(Some(DataType::Bool))),
        (Api::Ado, 200, None, Some(text)),
    ] {
        assert_eq!(data_type(api, number, size), expected, "{api:?} {number}");
    }
}

/// Two statements, the second of which may fail, in a package that may be a transaction.
fn two(second: &str, change: impl FnOnce(Single) -> Single) -> (Ran, Vec<String>) {
    let Sql { _folder, task, path } = sql("insert into t (id, name) values (7, 'new')", &[]);
    let task = task.then(
        "Microsoft.ExecuteSQLTask",
        "Second",
        "SqlTaskData",
        &[("Connection", "Db"), ("SqlStatementSource", second)],
    );
    Sql { _folder, task: change(task), path }.run()
}

#[test]
fn a_required_transaction_is_kept_or_undone_as_one() {
    const FAILS: &str = "insert into t (id) values (1)";
    let kept = ["1:a", "2:b", "7:new"];
    // without a transaction, what was done stays
    assert_eq!(two(FAILS, |s| s).1, kept);
    let (ran, rows) = two(FAILS, |s| s.set(0, "TransactionOption", "2"));
    assert!(!ran.succeeded());
    assert_eq!(rows, ["1:a", "2:b"]);
    assert_eq!(ran.codes("OnInformation"), ["0x4001100A", "0x4001100C"]);
    let (ran, rows) = two("update t set name = 'x' where id = 7", |s| s.set(0, "TransactionOption", "2"));
    assert!(ran.succeeded(), "{:?}", ran.texts("OnError"));
    assert_eq!(rows, ["1:a", "2:b", "7:x"]);
    assert_eq!(ran.codes("OnInformation"), ["0x4001100A", "0x4001100B"]);
    // a task that begins its own keeps what it did; one that stays out does, too
    let own = |s: Single| s.set(1, "TransactionOption", "2");
    assert_eq!(two(FAILS, own).1, kept);
    let (_, rows) = two("select nothing", |s| s.set(0, "TransactionOption", "2").set(2, "TransactionOption", "0"));
    assert_eq!(rows, ["1:a", "2:b"]);
}

#[test]
fn a_transaction_over_two_databases_is_refused_before_anything_runs() {
    let folder = tempfile::tempdir().unwrap();
    let other = folder.path().join("other.db").display().to_string();
    setup(&other);
    let Sql { _folder, task, path } = sql("insert into t (id, name) values (7, 'new')", &[]);
    let task = task
        .connection("Other", "OLEDB", &format!("sqlite:{other}"), "0")
        .then(
            "Microsoft.ExecuteSQLTask",
            "Second",
            "SqlTaskData",
            &[("Connection", "Other"), ("SqlStatementSource", "delete from t")],
        )
        .set(0, "TransactionOption", "2");
    let (ran, rows) = Sql { _folder, task, path }.run();
    assert!(!ran.succeeded());
    assert_eq!(rows, ["1:a", "2:b"]);
    assert!(ran.codes("OnError").contains(&"0xC001401A".to_owned()), "{:?}", ran.texts("OnError"));
    assert!(ran.texts("OnError")[0].contains("\"Db\", \"Other\""), "{:?}", ran.texts("OnError"));
}
