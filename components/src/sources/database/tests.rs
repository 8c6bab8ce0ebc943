//! Sources on SQLite: columns, conversions, dispositions, metadata.

use super::{AdoNetSource, OdbcSource, OleDbSource};
use crate::shared::testing::{Recorder, bound, column, open_cx, shown};
use dtsx_engine::connections::ConnectionSpec;
use dtsx_engine::diag::{Diagnostic, Result, codes};
use dtsx_engine::flow::{
    BindCx, Bound, ColumnRef, ComponentKind, ComponentSpec, Disposition, Dispositions, ExternalColumnSpec, FlowSpec,
    Layout, LineageId, OutputColumnSpec, OutputSpec, Ports, SpecialColumn, Step, Waker,
};
use dtsx_engine::props::{Origin, PropertyBag};
use dtsx_engine::run::{RunOptions, Services};
use dtsx_engine::types::DataType;
use rusqlite::Connection;
use std::sync::{Arc, Condvar, Mutex};

const WSTR: DataType = DataType::WStr { len: 5 };

/// A source on a database that holds what `sql` makes.
struct Bench {
    folder: tempfile::TempDir,
    connection: ConnectionSpec,
    spec: ComponentSpec,
}

impl Bench {
    fn new(sql: &str, properties: &[(&str, &str)], columns: &[(&str, DataType, Disposition)]) -> Bench {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("t.db");
        Connection::open(&file).unwrap().execute_batch(sql).unwrap();
        let mut connection = ConnectionSpec { kind: "OLEDB".into(), name: "Db".into(), ..ConnectionSpec::default() };
        let address = format!("sqlite:{}", file.display());
        connection.properties.set_text("ConnectionString", address, Origin::Package);
        let mut output = OutputSpec { name: "Output".into(), ..OutputSpec::default() };
        let mut errors = OutputSpec { name: "Error Output".into(), is_error: true, ..OutputSpec::default() };
        for (at, (name, data_type, disposition)) in columns.iter().enumerate() {
            let dispositions = Dispositions { error: *disposition, truncation: *disposition };
            output.columns.push(OutputColumnSpec {
                lineage: LineageId(at as u32 + 1),
                external: Some(at),
                dispositions,
                ..column(name, *data_type)
            });
            output.external.push(ExternalColumnSpec {
                id: (*name).into(),
                name: (*name).into(),
                data_type: *data_type,
                properties: PropertyBag::default(),
            });
            errors.columns.push(column(name, *data_type));
        }
        for (name, special) in [("ErrorCode", SpecialColumn::ErrorCode), ("ErrorColumn", SpecialColumn::ErrorColumn)] {
            errors.columns.push(OutputColumnSpec { special, ..column(name, DataType::I4) });
        }
        let mut spec = ComponentSpec {
            name: "Source".into(),
            connections: vec![("OleDbConnection".into(), "Db".into())],
            outputs: vec![output, errors],
            validate_external_metadata: true,
            ..ComponentSpec::default()
        };
        for (name, value) in properties {
            spec.properties.set_text(name, *value, Origin::Package);
        }
        Bench { folder, connection, spec }
    }

    fn bind(&self, kind: &dyn ComponentKind, online: bool) -> (Option<Bound>, Vec<Diagnostic>) {
        let services = Services::new(RunOptions { threads: 1, ..RunOptions::default() }).unwrap();
        let mut diagnostics = Vec::new();
        let connections = |_: &str| Ok(self.connection.clone());
        let mut cx = BindCx {
            flow: &FlowSpec::default(),
            inputs: Vec::new(),
            attached: vec![true, true],
            variables: &dtsx_engine::variables::NoVariables,
            connections: &connections,
            paths: &services.paths,
            services: &services,
            online,
            diagnostics: &mut diagnostics,
        };
        let bound = kind.bind(&self.spec, &mut cx);
        (bound, diagnostics)
    }

    /// Rows and error rows, values joined by `|`.
    fn read(&self, kind: &dyn ComponentKind) -> Result<(Vec<String>, Vec<String>)> {
        let source = bound(&self.spec, &self.connection, Layout::default(), |spec, cx| kind.bind(spec, cx));
        let Bound::Source(source) = source else { panic!("no source") };
        let layouts: Vec<Layout> = self.spec.outputs.iter().map(layout).collect();
        let events = Arc::new(Recorder::default());
        let cx = open_cx(&events);
        let mut fetch = source.open(&cx)?;
        let mut decode = source.decoder(&cx, &layouts)?;
        let (mut rows, mut errors) = (Vec::new(), Vec::new());
        let bell = Arc::new((Mutex::new(false), Condvar::new()));
        let ringing = bell.clone();
        let waker = Waker::new(move || {
            *ringing.0.lock().unwrap() = true;
            ringing.1.notify_all();
        });
        let mut seq = 0;
        loop {
            match fetch.fetch(&waker)? {
                Step::More(morsel) => {
                    let mut ports = Ports::new(2);
                    decode.decode(seq, morsel, &mut ports)?;
                    seq += 1;
                    rows.extend(ports.take(0).map(shown).unwrap_or_default());
                    errors.extend(ports.take(1).map(shown).unwrap_or_default());
                }
                Step::Parked => {
                    let mut rung = bell.0.lock().unwrap();
                    while !*rung {
                        rung = bell.1.wait(rung).unwrap();
                    }
                    *rung = false;
                }
                Step::Done => break,
            }
        }
        fetch.finish()?;
        Ok((rows, errors))
    }
}

fn layout(output: &OutputSpec) -> Layout {
    let column = |c: &OutputColumnSpec| ColumnRef {
        lineage: c.lineage,
        name: c.name.clone(),
        component: Arc::from("Source"),
        data_type: c.data_type,
        sort_key: 0,
        comparison_flags: 0,
        used: true,
    };
    Layout { columns: output.columns.iter().map(column).collect() }
}

const FAIL: Disposition = Disposition::Fail;
const TABLE: &str = "create table T(id int, name varchar(50), extra int);
    insert into T values (1, 'one', 9), (2, 'forty-two', 9), (3, null, 9), ('x', 'four', 9)";

#[test]
fn tables_and_statements_in_the_words_of_each_kind() {
    let good = "create table T(id int, name varchar(5)); insert into T values (1, 'one'), (2, null)";
    let columns = [("name", WSTR, FAIL), ("ID", DataType::I4, FAIL)];
    let expected = ["one|1", "NULL|2"];
    type Way<'a> = (&'a dyn ComponentKind, &'a [(&'a str, &'a str)]);
    let kinds: [Way<'_>; 7] = [
        (&OleDbSource, &[("AccessMode", "0"), ("OpenRowset", "[dbo].[T]")]),
        (&OleDbSource, &[("AccessMode", "2"), ("SqlCommand", "select * from [dbo].[T] order by [id]")]),
        (&AdoNetSource, &[("AccessMode", "0"), ("TableOrViewName", "\"dbo\".\"T\"")]),
        (&AdoNetSource, &[("AccessMode", "2"), ("SqlCommand", "select name, id from T")]),
        (&AdoNetSource, &[("SqlCommand", "select name, id from T")]),
        (&OdbcSource, &[("AccessMode", "0"), ("TableName", "T")]),
        (&OdbcSource, &[("AccessMode", "1"), ("SqlCommand", "select id, name from T;")]),
    ];
    for (kind, properties) in kinds {
        let (rows, errors) = Bench::new(good, properties, &columns).read(kind).unwrap();
        assert_eq!((rows, errors), (expected.map(String::from).to_vec(), vec![]), "{properties:?}");
    }
}

#[test]
fn values_that_do_not_fit_meet_the_dispositions() {
    let table = [("AccessMode", "0"), ("OpenRowset", "T")];
    let read = |disposition| {
        let columns = [("id", DataType::I4, disposition), ("name", WSTR, disposition)];
        Bench::new(TABLE, &table, &columns).read(&OleDbSource)
    };
    let error = read(FAIL).unwrap_err();
    assert_eq!(error.code(), Some(codes::DTS_E_INDUCEDTRANSFORMFAILUREONTRUNCATION), "{error}");
    let (rows, errors) = read(Disposition::Ignore).unwrap();
    assert_eq!((rows, errors.len()), (["1|one", "2|forty", "3|NULL", "NULL|four"].map(String::from).to_vec(), 0));
    let (rows, errors) = read(Disposition::Redirect).unwrap();
    assert_eq!(rows, ["1|one", "3|NULL"]);
    let code = |code: dtsx_engine::diag::Code| code.signed();
    assert_eq!(
        errors,
        [
            format!("2|forty|{}|2", code(codes::DTS_E_TRUNCATIONTRIGGEREDREDIRECTION)),
            format!("NULL|four|{}|1", code(codes::DTS_E_OLEDBSOURCEADAPTERSTATIC_CANTCONVERTVALUE)),
        ]
    );
}

#[test]
fn external_columns_are_compared_with_the_database() {
    let table = [("AccessMode", "0"), ("OpenRowset", "T")];
    let columns = [("id", DataType::I4, FAIL), ("gone", WSTR, FAIL), ("name", DataType::I4, FAIL)];
    let bench = Bench::new(TABLE, &table, &columns);
    let (bound, diagnostics) = bench.bind(&OleDbSource, true);
    assert!(bound.is_none());
    let said: Vec<String> = diagnostics.iter().filter(|d| d.is_error()).map(|d| d.message.clone()).collect();
    assert!(said.iter().any(|m| m.contains("\"gone\"")), "{said:?}");
    assert!(said.iter().any(|m| m.contains("VS_NEEDSNEWMETADATA")), "{said:?}");
    let warned = diagnostics.iter().find(|d| d.code == Some(codes::DTS_W_EXTERNALMETADATACOLUMNSOUTOFSYNC)).unwrap();
    for part in ["\"gone\"", "\"name\"", "DT_WSTR(50)", "\"extra\" needs to be added"] {
        assert!(warned.message.contains(part), "{part} in {}", warned.message);
    }
    let (bound, diagnostics) = bench.bind(&OleDbSource, false);
    assert!(bound.is_some() && diagnostics.iter().all(|d| !d.is_error()), "no server is asked: {diagnostics:?}");
    let mut lenient = Bench::new(TABLE, &table, &columns);
    lenient.spec.validate_external_metadata = false;
    assert!(lenient.bind(&OleDbSource, true).0.is_some());
    let error = lenient.read(&OleDbSource).unwrap_err();
    assert!(error.message().contains("\"gone\"") && error.message().contains("id, name, extra"), "{error}");
}

#[test]
fn what_is_wrong_is_said_with_its_code() {
    let columns = [("id", DataType::I4, FAIL)];
    let code_of = |properties: &[(&str, &str)], kind: &str| {
        let mut bench = Bench::new(TABLE, properties, &columns);
        bench.connection.kind = kind.into();
        let (_, diagnostics) = bench.bind(&OleDbSource, true);
        let first = diagnostics.iter().find(|d| d.is_error()).unwrap();
        (first.code, first.message.clone())
    };
    for (properties, kind, code) in [
        (&[("AccessMode", "0")][..], "OLEDB", codes::DTS_E_INCORRECTCUSTOMPROPERTYVALUE),
        (&[("AccessMode", "2"), ("SqlCommand", " ")], "OLEDB", codes::DTS_E_INCORRECTCUSTOMPROPERTYVALUE),
        (&[("AccessMode", "7")], "OLEDB", codes::DTS_E_INCORRECTCUSTOMPROPERTYVALUE),
        (&[("OpenRowset", "T")], "FILE", codes::DTS_E_INCORRECTCONNECTIONMANAGERTYPE),
        (&[("OpenRowset", "[dbo].[Nowhere]")], "OLEDB", codes::DTS_E_CANNOTGETIROWSET),
        (&[("AccessMode", "2"), ("SqlCommand", "selekt 1")], "OLEDB", codes::DTS_E_OLEDBERROR),
        (
            &[("AccessMode", "2"), ("SqlCommand", "select ?"), ("ParameterMapping", "x")],
            "OLEDB",
            codes::DTS_E_INCORRECTPARAMETERMAPPINGFORMAT,
        ),
        (
            &[("AccessMode", "2"), ("SqlCommand", "select ?"), ("ParameterMapping", "\"Parameter0:Input\",{X};")],
            "OLEDB",
            codes::DTS_E_VARIABLENOTFOUNDINCOLL,
        ),
    ] {
        let (found, message) = code_of(properties, kind);
        assert_eq!(found, Some(code), "{properties:?}: {message}");
    }
    let mut bench = Bench::new(TABLE, &[("OpenRowset", "T")], &columns);
    bench.connection.kind = "MSOLAP100".into();
    let (_, diagnostics) = bench.bind(&OleDbSource, false);
    assert!(diagnostics.iter().any(|d| d.unsupported && d.message.contains("MSOLAP100")), "{diagnostics:?}");
    let _ = bench.folder.path();
}

#[test]
fn a_table_without_rows_has_no_rows() {
    let bench = Bench::new("create table T(id int)", &[("OpenRowset", "T")], &[("id", DataType::I4, FAIL)]);
    assert_eq!(bench.read(&OleDbSource).unwrap(), (vec![], vec![]));
}

#[test]
fn a_source_that_is_dropped_lets_go_of_its_statement() {
    let endless = "with recursive n(id) as (select 1 union all select id + 1 from n) select id from n";
    let properties = [("AccessMode", "2"), ("SqlCommand", endless)];
    let bench = Bench::new("create table T(id int)", &properties, &[("id", DataType::I4, FAIL)]);
    let source = bound(&bench.spec, &bench.connection, Layout::default(), |spec, cx| OleDbSource.bind(spec, cx));
    let Bound::Source(source) = source else { panic!("no source") };
    let cx = open_cx(&Arc::new(Recorder::default()));
    let fetch = source.open(&cx).unwrap();
    drop(fetch);
    drop(source);
    // The thread holds the last reference to the plan's pool; it ends as its queue is abandoned.
    drop(cx);
}
