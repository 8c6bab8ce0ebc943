//! Workbooks are made by the tests, with the library that writes them.

use super::ExcelSource;
use crate::shared::testing::{Recorder, bound, column, open_cx, shown};
use dtsx_engine::connections::ConnectionSpec;
use dtsx_engine::diag::Result;
use dtsx_engine::flow::OutputColumnSpec;
use dtsx_engine::flow::{
    BindCx, Bound, ColumnRef, ComponentKind, ComponentSpec, Disposition, Dispositions, ExternalColumnSpec, Layout,
    LineageId, OutputSpec, Ports, SpecialColumn, Step, Waker,
};
use dtsx_engine::props::{Origin, PropertyBag};
use dtsx_engine::types::DataType;
use rust_xlsxwriter::{Format, Workbook};
use std::path::Path;
use std::sync::Arc;

const TEXT: DataType = DataType::WStr { len: 255 };

/// A sheet `Data` from B3 on: `id, name, mixed, at, on, price` and rows; a sheet `Empty`; a name `Block`.
fn workbook(path: &Path) {
    let mut book = Workbook::new();
    let date = Format::new().set_num_format("yyyy-mm-dd hh:mm");
    let sheet = book.add_worksheet().set_name("Data").unwrap();
    for (place, name) in ["id", "name.x", "mixed", "at", "on", "price"].iter().enumerate() {
        sheet.write(2, 1 + place as u16, *name).unwrap();
    }
    for row in 0..12_u32 {
        let r = 3 + row;
        sheet.write(r, 1, f64::from(row) + 1.0).unwrap();
        sheet.write(r, 2, format!("name {row}")).unwrap();
        match row {
            0..=4 | 10 => sheet.write(r, 3, f64::from(row) + 0.5).unwrap(),
            _ => sheet.write(r, 3, format!("x{row}")).unwrap(),
        };
        // 2024-02-29 12:00 and the days after it
        sheet.write_with_format(r, 4, 45351.5 + f64::from(row), &date).unwrap();
        sheet.write(r, 5, row % 2 == 0).unwrap();
        if row != 1 {
            sheet.write(r, 6, f64::from(row) * 1.25).unwrap();
        }
    }
    book.add_worksheet().set_name("Empty").unwrap();
    book.define_name("Block", "=Data!$B$3:$C$6").unwrap();
    book.save(path).unwrap();
}

struct Test {
    table: String,
    properties: Vec<(&'static str, String)>,
    extended: &'static str,
    columns: Vec<OutputColumnSpec>,
    external: Vec<DataType>,
}

fn test(table: &str, columns: &[(&str, DataType)]) -> Test {
    Test {
        table: table.into(),
        properties: Vec::new(),
        extended: "HDR=YES",
        columns: columns.iter().map(|(n, t)| column(n, *t)).collect(),
        external: columns.iter().map(|(_, t)| *t).collect(),
    }
}

impl Test {
    fn extended(mut self, text: &'static str) -> Test {
        self.extended = text;
        self
    }

    fn external(mut self, types: &[DataType]) -> Test {
        self.external = types.to_vec();
        self
    }

    fn dispositions(mut self, error: Disposition, truncation: Disposition) -> Test {
        self.columns.iter_mut().for_each(|c| c.dispositions = Dispositions { error, truncation });
        self
    }

    fn query(mut self, sql: &str) -> Test {
        self.properties = vec![("AccessMode", "2".into()), ("SqlCommand", sql.into())];
        self
    }

    /// Rows, and rows of the error output.
    fn read(self, path: &Path) -> Result<(Vec<String>, Vec<String>)> {
        let mut output = OutputSpec { name: "Out".into(), columns: self.columns, ..Default::default() };
        for (place, data_type) in self.external.iter().enumerate() {
            let name = output.columns[place].name.clone();
            output.columns[place].external = Some(place);
            output.columns[place].lineage = LineageId(place as u32 + 1);
            let properties = PropertyBag::default();
            output.external.push(ExternalColumnSpec { id: name.clone(), name, data_type: *data_type, properties });
        }
        let mut errors = OutputSpec { is_error: true, columns: output.columns.clone(), ..Default::default() };
        let special = |name: &str, special| OutputColumnSpec { special, ..column(name, DataType::I4) };
        errors.columns.push(special("ErrorCode", SpecialColumn::ErrorCode));
        errors.columns.push(special("ErrorColumn", SpecialColumn::ErrorColumn));
        let layout = |output: &OutputSpec| Layout {
            columns: output
                .columns
                .iter()
                .map(|c| ColumnRef {
                    lineage: c.lineage,
                    name: c.name.clone(),
                    component: Arc::from("S"),
                    data_type: c.data_type,
                    sort_key: 0,
                    comparison_flags: 0,
                    used: true,
                })
                .collect(),
        };
        let layouts = [layout(&output), layout(&errors)];
        let mut spec = ComponentSpec {
            name: "S".into(),
            locale: 1033,
            connections: vec![("OleDbConnection".into(), "Book".into())],
            outputs: vec![output, errors],
            ..Default::default()
        };
        spec.properties.set_text("OpenRowset", self.table, Origin::Package);
        for (name, value) in self.properties {
            spec.properties.set_text(name, value, Origin::Package);
        }
        let mut connection = ConnectionSpec { kind: "EXCEL".into(), ..Default::default() };
        let text = format!(
            "Provider=Microsoft.ACE.OLEDB.12.0;Data Source={};Extended Properties=\"EXCEL 12.0 XML;{}\"",
            path.display(),
            self.extended
        );
        connection.properties.set_text("ConnectionString", text, Origin::Package);
        let kind = |spec: &ComponentSpec, cx: &mut BindCx<'_>| ExcelSource.bind(spec, cx);
        let Bound::Source(source) = bound(&spec, &connection, Layout::default(), kind) else { panic!("no source") };
        let cx = open_cx(&Arc::new(Recorder::default()));
        let mut fetch = source.open(&cx)?;
        let mut decode = source.decoder(&cx, &layouts)?;
        let (mut rows, mut rejected) = (Vec::new(), Vec::new());
        while let Step::More(morsel) = fetch.fetch(&Waker::new(|| {}))? {
            let mut ports = Ports::new(2);
            decode.decode(0, morsel, &mut ports)?;
            rows.extend(ports.take(0).map(shown).unwrap_or_default());
            rejected.extend(ports.take(1).map(shown).unwrap_or_default());
        }
        fetch.finish()?;
        Ok((rows, rejected))
    }

    fn rows(self, path: &Path) -> Vec<String> {
        self.read(path).unwrap().0
    }
}

fn book() -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.xlsx");
    workbook(&path);
    (folder, path)
}

#[test]
fn a_sheet_with_all_kinds_of_columns() {
    let (_folder, path) = book();
    let columns = [
        ("id", DataType::R8),
        ("name#x", TEXT),
        ("at", DataType::Date),
        ("on", DataType::Bool),
        ("price", DataType::Cy),
    ];
    let rows = test("Data$", &columns).rows(&path);
    assert_eq!(rows.len(), 12);
    assert_eq!(rows[0], "1.0|name 0|2024-02-29T12:00:00|true|0.0000");
    assert_eq!(rows[1], "2.0|name 1|2024-03-01T12:00:00|false|NULL");
    assert_eq!(rows[3], "4.0|name 3|2024-03-03T12:00:00|false|3.7500");
}

#[test]
fn values_of_another_type_are_null_unless_mixed_columns_are_text() {
    let (_folder, path) = book();
    let numbers = test("Data$", &[("mixed", DataType::R8)]).rows(&path);
    assert_eq!(numbers[..6], ["0.5", "1.5", "2.5", "3.5", "4.5", "NULL"]);
    assert_eq!(numbers[10], "10.5");
    let text = test("Data$", &[("mixed", TEXT)]).extended("HDR=YES;IMEX=1").rows(&path);
    assert_eq!((text[0].as_str(), text[5].as_str(), text[10].as_str()), ("0.5", "x5", "10.5"));
    // all twelve rows: six numbers and six texts, numbers win
    let all = test("Data$", &[("mixed", DataType::R8)]).extended("HDR=YES;TypeGuessRows=0").rows(&path);
    assert_eq!((all[0].as_str(), all[6].as_str()), ("0.5", "NULL"));
    // only texts are seen
    let rows = test("Data$D9:D15", &[("F1", TEXT)]).extended("HDR=NO").rows(&path);
    assert_eq!(rows[..3], ["x5", "x6", "x7"]);
    assert_eq!(rows[5], "NULL");
}

#[test]
fn ranges_names_and_headers() {
    let (_folder, path) = book();
    assert_eq!(
        test("Block", &[("name#x", TEXT), ("ID", DataType::I4)]).rows(&path),
        ["name 0|1", "name 1|2", "name 2|3"]
    );
    assert_eq!(test("Data$B4:C5", &[("F2", TEXT)]).extended("HDR=NO").rows(&path), ["name 0", "name 1"]);
    assert_eq!(test("'Data$'", &[("id", DataType::I4)]).rows(&path).len(), 12);
    // beyond the used cells there are no rows
    assert_eq!(test("Data$B3:B100", &[("id", DataType::I4)]).rows(&path).len(), 12);
    // a header alone
    assert!(test("Data$B3:C3", &[("id", TEXT)]).rows(&path).is_empty());
}

#[test]
fn what_is_not_there() {
    let (_folder, path) = book();
    let failed = |test: Test, path: &Path| {
        let error = test.read(path).unwrap_err();
        (error.code().unwrap().name().to_owned(), error.message().to_owned())
    };
    let (code, message) = failed(test("None$", &[("id", TEXT)]), &path);
    assert_eq!(code, "DTS_E_CANNOTGETIROWSET");
    assert!(message.contains("None$") && message.contains("a.xlsx"), "{message}");
    assert_eq!(failed(test("Empty$", &[("id", TEXT)]), &path).0, "DTS_E_CANNOTGETIROWSET");
    let (code, message) = failed(test("Data$", &[("nothing", TEXT)]), &path);
    assert_eq!((code.as_str(), message.contains("\"nothing\"")), ("DTS_E_COLUMNNOTFOUND", true));
    let missing = path.with_file_name("b.xlsx");
    assert_eq!(failed(test("Data$", &[]), &missing).0, "DTS_E_CANNOTACQUIRECONNECTIONFROMCONNECTIONMANAGER");
    std::fs::write(&missing, "no workbook").unwrap();
    assert_eq!(failed(test("Data$", &[]), &missing).0, "DTS_E_CANNOTACQUIRECONNECTIONFROMCONNECTIONMANAGER");
}

#[test]
fn dispositions() {
    let (_folder, path) = book();
    let narrow = || test("Data$", &[("name#x", DataType::WStr { len: 6 })]).external(&[TEXT]);
    // names with two digits do not fit
    let error = narrow().read(&path).unwrap_err();
    assert_eq!(error.code().unwrap().name(), "DTS_E_INDUCEDTRANSFORMFAILUREONTRUNCATION");
    assert_eq!(error.row().unwrap().value.as_deref(), Some("name 10"));
    let (rows, _) = narrow().dispositions(Disposition::Fail, Disposition::Ignore).read(&path).unwrap();
    assert_eq!(rows[10..], ["name 1", "name 1"]);
    let (rows, rejected) = narrow().dispositions(Disposition::Fail, Disposition::Redirect).read(&path).unwrap();
    assert_eq!((rows.len(), rejected.len()), (10, 2));
    assert!(rejected[0].starts_with("name 1|") && rejected[0].ends_with("|1"), "{}", rejected[0]);

    let words = || test("Data$", &[("name#x", DataType::I4)]).external(&[TEXT]);
    assert_eq!(words().read(&path).unwrap_err().code().unwrap().name(), "DTS_E_INDUCEDTRANSFORMFAILUREONERROR");
    let (rows, _) = words().dispositions(Disposition::Ignore, Disposition::Fail).read(&path).unwrap();
    assert_eq!(rows[0], "NULL");
    let (rows, rejected) = words().dispositions(Disposition::Redirect, Disposition::Fail).read(&path).unwrap();
    assert_eq!((rows.len(), rejected.len()), (0, 12));
    let code = dtsx_engine::diag::codes::DTS_E_OLEDBSOURCEADAPTERSTATIC_CANTCONVERTVALUE;
    assert_eq!(rejected[0], format!("NULL|{}|1", code.signed()));
}

#[test]
fn long_text() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.xlsx");
    let mut book = Workbook::new();
    let sheet = book.add_worksheet();
    let long = "é".repeat(300);
    for (column, first) in [(0, "short"), (1, long.as_str())] {
        sheet.write(0, column, ["a", "b"][column as usize]).unwrap();
        sheet.write(1, column, first).unwrap();
        for row in 2..9 {
            sheet.write(row, column, "x").unwrap();
        }
        sheet.write(9, column, long.as_str()).unwrap();
    }
    book.save(&path).unwrap();
    let rows = test("Sheet1$", &[("a", TEXT), ("b", DataType::NText)]).rows(&path);
    let lengths: Vec<usize> = rows[8].split('|').map(|t| t.chars().count()).collect();
    assert_eq!(lengths, [255, 300]);
    // a memo does not fit where the package says text
    let cut = test("Sheet1$", &[("b", TEXT)]).read(&path).unwrap_err();
    assert_eq!(cut.code().unwrap().name(), "DTS_E_INDUCEDTRANSFORMFAILUREONTRUNCATION");
}

#[test]
fn queries() {
    let (_folder, path) = book();
    let rows = test("", &[("id", DataType::R8), ("n", TEXT)])
        .query("SELECT id, [name#x] AS n FROM [Data$] WHERE [name#x] = 'NAME 3' OR price > 12 ORDER BY id DESC")
        .rows(&path);
    assert_eq!(rows, ["12.0|name 11", "11.0|name 10", "4.0|name 3"]);
    let rows = test("", &[("n", DataType::I4), ("total", DataType::R8)])
        .query("SELECT COUNT(*) AS n, SUM(id) AS total FROM `Block`;")
        .rows(&path);
    assert_eq!(rows, ["3|6.0"]);
    assert!(test("", &[("id", DataType::R8)]).query("SELECT id FROM [Data$] WHERE id > 100").rows(&path).is_empty());
    let error = test("", &[]).query("SELECT id FROM [Nothing$]").read(&path).unwrap_err();
    assert!(error.message().contains("Nothing$"), "{error}");
}
