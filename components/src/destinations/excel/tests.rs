//! Workbooks are made with the library that writes them, and read with the one that reads them.

use super::ExcelDestination;
use crate::shared::testing::{Recorder, bound, open_cx};
use arrow::array::{ArrayRef, BooleanArray, Decimal128Array, Float64Array, StringViewArray};
use calamine::{Data, Reader, Xlsx};
use dtsx_engine::batch::Batch;
use dtsx_engine::connections::ConnectionSpec;
use dtsx_engine::diag::Result;
use dtsx_engine::flow::OutputColumnSpec;
use dtsx_engine::flow::{
    BindCx, Bound, ColumnRef, ComponentKind, ComponentSpec, Disposition, ExternalColumnSpec, InputColumnSpec,
    InputSpec, Layout, LineageId, OutputSpec, SpecialColumn, Waker,
};
use dtsx_engine::props::{Origin, PropertyBag};
use dtsx_engine::types::DataType;
use dtsx_engine::types::convert::{CastOptions, cast_array};
use rust_xlsxwriter::{Formula, Workbook};
use std::path::Path;
use std::sync::Arc;

fn workbook(path: &Path) {
    let mut book = Workbook::new();
    let sheet = book.add_worksheet().set_name("Orders").unwrap();
    for (column, name) in ["Id", "Name", "Paid", "At", "Day"].iter().enumerate() {
        sheet.write(0, column as u16, *name).unwrap();
    }
    sheet.write(1, 0, 1).unwrap().write(1, 1, "first").unwrap();
    let other = book.add_worksheet().set_name("Other").unwrap();
    other.write_formula(4, 4, Formula::new("=1+1").set_result("2")).unwrap();
    book.add_worksheet().set_name("Bare").unwrap();
    let block = book.add_worksheet().set_name("Block").unwrap();
    block.write(2, 1, "Name").unwrap().write(2, 2, "Id").unwrap();
    book.define_name("Named", "=Block!$B$3:$C$3").unwrap();
    book.define_name("Above", "=Orders!$A$1:$B$1").unwrap();
    book.save(path).unwrap();
}

struct Given {
    name: &'static str,
    from: DataType,
    external: DataType,
    array: ArrayRef,
}

fn text(name: &'static str, values: &[Option<&str>], external: DataType) -> Given {
    let array = Arc::new(values.iter().copied().collect::<StringViewArray>());
    Given { name, from: DataType::WStr { len: 4000 }, external, array }
}

fn dates(name: &'static str, values: &[Option<&str>], data_type: DataType) -> Given {
    let text: ArrayRef = Arc::new(values.iter().copied().collect::<StringViewArray>());
    let options = CastOptions::data_flow(1033);
    let (array, faults) = cast_array(&text, &DataType::WStr { len: 50 }, &data_type, &options).unwrap();
    assert!(faults.is_empty());
    Given { name, from: data_type, external: DataType::Date, array }
}

/// Writes the columns; the rows that the error output got.
fn write(path: &Path, table: &str, extended: &str, given: &[Given], errors: Disposition) -> Result<usize> {
    let rows = given[0].array.len();
    let mut input = InputSpec::default();
    input.dispositions.error = errors;
    let mut layout = Layout::default();
    for (place, column) in given.iter().enumerate() {
        let (lineage, name) = (LineageId(place as u32 + 1), column.name.to_owned());
        input.columns.push(InputColumnSpec {
            lineage,
            name: name.clone(),
            external: Some(place),
            ..Default::default()
        });
        let properties = PropertyBag::default();
        let data_type = column.external;
        input.external.push(ExternalColumnSpec { id: name.clone(), name: name.clone(), data_type, properties });
        layout.columns.push(ColumnRef {
            lineage,
            name,
            component: Arc::from("S"),
            data_type: column.from,
            sort_key: 0,
            comparison_flags: 0,
            used: true,
        });
    }
    let special =
        |name: &str, special| OutputColumnSpec { special, ..crate::shared::testing::column(name, DataType::I4) };
    let output = OutputSpec {
        is_error: true,
        synchronous_input: Some(0),
        columns: vec![
            special("ErrorCode", SpecialColumn::ErrorCode),
            special("ErrorColumn", SpecialColumn::ErrorColumn),
        ],
        ..Default::default()
    };
    let mut spec = ComponentSpec {
        name: "D".into(),
        locale: 1033,
        connections: vec![("OleDbConnection".into(), "Book".into())],
        inputs: vec![input],
        outputs: vec![output],
        ..Default::default()
    };
    spec.properties.set_text("OpenRowset", table, Origin::Package);
    let mut connection = ConnectionSpec { kind: "EXCEL".into(), ..Default::default() };
    let string = format!(
        "Provider=Microsoft.ACE.OLEDB.12.0;Data Source={};Extended Properties=\"EXCEL 12.0 XML;{extended}\"",
        path.display()
    );
    connection.properties.set_text("ConnectionString", string, Origin::Package);
    let kind = |spec: &ComponentSpec, cx: &mut BindCx<'_>| ExcelDestination.bind(spec, cx);
    let Bound::Stage(stage) = bound(&spec, &connection, layout.clone(), kind) else { panic!("no stage") };
    let cx = open_cx(&Arc::new(Recorder::default()));
    let (sinks, source) = stage.open(&cx, std::slice::from_ref(&layout))?;
    let mut commit = sinks[0].open(&cx, &layout)?;
    let mut encode = sinks[0].encoder(&cx, &layout)?;
    let batch = Batch::new(0, rows, given.iter().map(|g| g.array.clone()).collect());
    commit.commit(encode.encode(batch)?, &Waker::new(|| {}))?;
    commit.finish()?;
    let mut fetch = source.open(&cx)?;
    let mut decode = source.decoder(&cx, &[])?;
    let mut rejected = 0;
    while let dtsx_engine::flow::Step::More(morsel) = fetch.fetch(&Waker::new(|| {}))? {
        let mut ports = dtsx_engine::flow::Ports::new(1);
        decode.decode(0, morsel, &mut ports)?;
        rejected += ports.take(0).map_or(0, |b| b.selected());
    }
    Ok(rejected)
}

fn cells(path: &Path, sheet: &str) -> Vec<String> {
    let mut book = calamine::open_workbook_auto(path).unwrap();
    let range = book.worksheet_range(sheet).unwrap();
    let row = |row: &[Data]| row.iter().map(crate::shared::excel::text_of).collect::<Vec<_>>().join("|");
    range.rows().map(row).collect()
}

fn book() -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.xlsx");
    workbook(&path);
    (folder, path)
}

#[test]
fn rows_of_all_types_go_behind_those_that_are_there() {
    let (_folder, path) = book();
    let amount = Decimal128Array::from(vec![Some(1_2345), None]).with_precision_and_scale(19, 4).unwrap();
    let given = [
        dates("At", &[Some("2024-02-29 12:30:15"), None], DataType::DbTimeStamp),
        text("Name", &[Some("<A & \"B\">\u{1}"), Some("")], DataType::WStr { len: 255 }),
        Given { name: "Id", from: DataType::Cy, external: DataType::R8, array: Arc::new(amount) },
        Given {
            name: "Paid",
            from: DataType::Bool,
            external: DataType::Bool,
            array: Arc::new(BooleanArray::from(vec![true, false])),
        },
        Given {
            external: DataType::DbDate,
            ..dates("Day", &[Some("2024-02-29"), Some("1900-03-01")], DataType::DbDate)
        },
    ];
    for _ in 0..2 {
        write(&path, "Orders$", "HDR=YES", &given, Disposition::Fail).unwrap();
    }
    let rows = cells(&path, "Orders");
    assert_eq!(rows.len(), 6);
    assert_eq!(rows[1], "1|first|||");
    assert_eq!(rows[2], "1.2345|<A & \"B\">\u{1}|TRUE|2/29/2024 12:30:15 PM|2/29/2024");
    assert_eq!(rows[3], "||FALSE||3/1/1900");
    assert_eq!(rows[4..], rows[2..4]);
    // what else is in the workbook is as it was
    let mut book: Xlsx<_> = calamine::open_workbook(&path).unwrap();
    assert_eq!(book.worksheet_formula("Other").unwrap().get_value((4, 4)).unwrap(), "1+1");
}

#[test]
fn named_ranges_grow() {
    let (_folder, path) = book();
    let given = || [text("Name", &[Some("a"), Some("b")], DataType::WStr { len: 255 })];
    write(&path, "Named", "HDR=YES", &given(), Disposition::Fail).unwrap();
    write(&path, "Named", "HDR=YES", &given(), Disposition::Fail).unwrap();
    assert_eq!(cells(&path, "Block"), ["Name|Id", "a|", "b|", "a|", "b|"]);
    let book: Xlsx<_> = calamine::open_workbook(&path).unwrap();
    assert!(
        book.defined_names().iter().any(|(n, f)| n == "Named" && f.ends_with("$C$7")),
        "{:?}",
        book.defined_names()
    );
    // rows stand below this one
    let error = write(&path, "Above", "HDR=YES", &given(), Disposition::Fail).unwrap_err();
    assert!(error.message().contains("Cannot expand named range"), "{error}");
}

#[test]
fn a_bare_sheet_takes_columns_by_number() {
    let (_folder, path) = book();
    let given = [text("F2", &[Some("b")], DataType::NText), text("F1", &[Some("a")], DataType::NText)];
    write(&path, "Bare$", "HDR=NO", &given, Disposition::Fail).unwrap();
    assert_eq!(cells(&path, "Bare"), ["a|b"]);
    let error = write(&path, "Bare$", "HDR=YES", &given[..1], Disposition::Fail).unwrap_err();
    assert_eq!(error.code().unwrap().name(), "DTS_E_COLUMNNOTFOUND");
}

#[test]
fn rows_that_do_not_fit() {
    let (_folder, path) = book();
    let long = "x".repeat(300);
    let given = || [text("Name", &[Some("ok"), Some(long.as_str()), None], DataType::WStr { len: 255 })];
    let error = write(&path, "Orders$", "HDR=YES", &given(), Disposition::Fail).unwrap_err();
    assert_eq!(error.code().unwrap().name(), "DTS_E_INDUCEDTRANSFORMFAILUREONERROR");
    assert_eq!(cells(&path, "Orders").len(), 2);
    assert_eq!(write(&path, "Orders$", "HDR=YES", &given(), Disposition::Redirect).unwrap(), 1);
    // a row without a value is a row all the same, though nothing shows it
    assert_eq!(cells(&path, "Orders")[2..], ["|ok|||"]);
    let huge = "x".repeat(40_000);
    let given = [text("Name", &[Some(huge.as_str())], DataType::NText)];
    assert_eq!(write(&path, "Orders$", "HDR=YES", &given, Disposition::Redirect).unwrap(), 1);
}

#[test]
fn what_is_not_there() {
    let (_folder, path) = book();
    let given = || {
        let array = Arc::new(Float64Array::from(vec![1.0]));
        [Given { name: "Id", from: DataType::R8, external: DataType::R8, array }]
    };
    let code = |table: &str, path: &Path| {
        write(path, table, "HDR=YES", &given(), Disposition::Fail).unwrap_err().code().unwrap().name().to_owned()
    };
    assert_eq!(code("None$", &path), "DTS_E_CANNOTGETIROWSET");
    assert_eq!(code("Other$", &path), "DTS_E_COLUMNNOTFOUND");
    let missing = path.with_file_name("b.xlsx");
    assert_eq!(code("Orders$", &missing), "DTS_E_CANNOTACQUIRECONNECTIONFROMCONNECTIONMANAGER");
    std::fs::write(&missing, "no workbook").unwrap();
    assert_eq!(code("Orders$", &missing), "DTS_E_CANNOTACQUIRECONNECTIONFROMCONNECTIONMANAGER");
}

/// A workbook of Excel 97 to 2003 with the sheets `Orders`, a header and a row, and `Block`, a header in B3:C3 that is the
/// range `Named`, and with a stream of something else.
fn old_workbook(path: &Path, from_1904: bool) {
    use super::biff::{self, put};
    fn text(text: &str) -> Vec<u8> {
        [&[text.len() as u8, 0], text.as_bytes()].concat()
    }
    fn string_cell(row: u16, column: u16, number: u32) -> Vec<u8> {
        [[row, column, 15].map(u16::to_le_bytes).concat(), number.to_le_bytes().to_vec()].concat()
    }
    let sheet = |cells: &dyn Fn(&mut Vec<u8>), extent: [u16; 4]| {
        let mut out = Vec::new();
        put(biff::BOF, &[0x0600_u16, 0x0010, 0, 0, 0, 0, 0, 0].map(u16::to_le_bytes).concat(), &mut out);
        put(biff::INDEX, &[0; 16], &mut out);
        let [first, last, left, right] = extent;
        let extent = [first, 0, last, 0, left, right, 0].map(u16::to_le_bytes).concat();
        put(biff::DIMENSIONS, &extent, &mut out);
        cells(&mut out);
        put(0x023E, &[0; 18], &mut out);
        put(biff::EOF, &[], &mut out);
        out
    };
    let orders = sheet(
        &|out| {
            for column in 0..5 {
                put(biff::STRING_CELL, &string_cell(0, column, column.into()), out);
            }
            put(
                biff::NUMBER,
                &[[1, 0, 15].map(u16::to_le_bytes).concat(), 1.0_f64.to_le_bytes().to_vec()].concat(),
                out,
            );
            put(biff::STRING_CELL, &string_cell(1, 1, 5), out);
            put(biff::ROW_BLOCK, &[0; 6], out);
        },
        [0, 2, 0, 5],
    );
    let block = sheet(
        &|out| {
            put(biff::STRING_CELL, &string_cell(2, 1, 1), out);
            put(biff::STRING_CELL, &string_cell(2, 2, 0), out);
        },
        [2, 3, 1, 3],
    );
    let mut stream = Vec::new();
    put(biff::BOF, &[0x0600_u16, 0x0005, 0, 0, 0, 0, 0, 0].map(u16::to_le_bytes).concat(), &mut stream);
    put(0x0042, &1200_u16.to_le_bytes(), &mut stream);
    put(biff::DATE_MODE, &u16::from(from_1904).to_le_bytes(), &mut stream);
    for number in 0..16_u16 {
        let style: u16 = if number < 15 { 0xFFF5 } else { 1 };
        let mut xf = [0, 0, style, 0, 0, 0, 0, 0, 0, 0].map(u16::to_le_bytes).concat();
        xf[8] = 0x20;
        put(biff::XF, &xf, &mut stream);
    }
    put(biff::XF_CHECK, &[0; 20], &mut stream);
    let mut bounds = Vec::new();
    for name in ["Orders", "Block"] {
        bounds.push(stream.len() + 4);
        put(biff::SHEET, &[&[0; 6], text(name).as_slice()].concat(), &mut stream);
    }
    put(0x01AE, &[2_u16, 0x0401].map(u16::to_le_bytes).concat(), &mut stream);
    put(0x0017, &[1_u16, 0, 1, 1].map(u16::to_le_bytes).concat(), &mut stream);
    let formula = [&[0x3B], [0_u16, 2, 2, 1, 2].map(u16::to_le_bytes).concat().as_slice()].concat();
    let head = [0, 0, 0, 5, formula.len() as u8, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    put(biff::NAME, &[&head, &text("Named")[1..], &formula].concat(), &mut stream);
    let words = ["Id", "Name", "Paid", "At", "Day", "first"];
    let mut strings = [7_u32, 6].map(u32::to_le_bytes).concat();
    for word in words {
        strings.extend([&[word.len() as u8, 0, 0], word.as_bytes()].concat());
    }
    put(biff::STRINGS, &strings, &mut stream);
    put(biff::STRING_INDEX, &[8, 0], &mut stream);
    put(biff::EOF, &[], &mut stream);
    for (sheet, at) in [orders, block].iter().zip(bounds) {
        let place = stream.len() as u32;
        stream[at..at + 4].copy_from_slice(&place.to_le_bytes());
        stream.extend_from_slice(sheet);
    }
    let mut container = cfb::create(path).unwrap();
    std::io::Write::write_all(&mut container.create_stream("/Workbook").unwrap(), &stream).unwrap();
    std::io::Write::write_all(&mut container.create_stream("/Other").unwrap(), b"kept").unwrap();
    container.flush().unwrap();
}

fn old_book(from_1904: bool) -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.xls");
    old_workbook(&path, from_1904);
    (folder, path)
}

#[test]
fn old_workbooks_take_rows_of_all_types() {
    for from_1904 in [false, true] {
        let (_folder, path) = old_book(from_1904);
        let long = "é".repeat(20_000);
        let given = [
            dates("At", &[Some("2024-02-29 12:30:15"), None], DataType::DbTimeStamp),
            text("Name", &[Some("жук <&>"), Some(long.as_str())], DataType::NText),
            Given {
                name: "Id",
                from: DataType::R8,
                external: DataType::R8,
                array: Arc::new(Float64Array::from(vec![Some(1.25), None])),
            },
            Given {
                name: "Paid",
                from: DataType::Bool,
                external: DataType::Bool,
                array: Arc::new(BooleanArray::from(vec![true, false])),
            },
            Given { external: DataType::DbDate, ..dates("Day", &[Some("2024-02-29"), None], DataType::DbDate) },
        ];
        assert_eq!(cells(&path, "Orders"), ["Id|Name|Paid|At|Day", "1|first|||"]);
        for _ in 0..2 {
            write(&path, "Orders$", "HDR=YES", &given, Disposition::Fail).unwrap();
        }
        let rows = cells(&path, "Orders");
        assert_eq!(rows.len(), 6);
        assert_eq!(rows[1], "1|first|||");
        assert_eq!(rows[2], "1.25|жук <&>|TRUE|2/29/2024 12:30:15 PM|2/29/2024");
        assert_eq!(rows[3], format!("|{long}|FALSE||"));
        assert_eq!(rows[4..], rows[2..4]);
        assert_eq!(cells(&path, "Block"), ["Name|Id"]);
        let mut other = String::new();
        let mut container = cfb::open(&path).unwrap();
        std::io::Read::read_to_string(&mut container.open_stream("/Other").unwrap(), &mut other).unwrap();
        assert_eq!(other, "kept");
    }
}

#[test]
fn named_ranges_of_old_workbooks_grow() {
    let (_folder, path) = old_book(false);
    let given = || [text("Name", &[Some("a"), Some("b")], DataType::WStr { len: 255 })];
    for _ in 0..2 {
        write(&path, "Named", "HDR=YES", &given(), Disposition::Fail).unwrap();
    }
    assert_eq!(cells(&path, "Block"), ["Name|Id", "a|", "b|", "a|", "b|"]);
    let book: calamine::Xls<_> = calamine::open_workbook(&path).unwrap();
    let names = book.defined_names();
    assert!(names.iter().any(|(n, f)| n == "Named" && f.replace('$', "").ends_with("B3:C7")), "{names:?}");
    assert_eq!(cells(&path, "Orders").len(), 2);
}

#[test]
fn a_sheet_that_is_full_rejects_rows() {
    let (_folder, path) = old_book(false);
    let array = || -> ArrayRef { Arc::new((0..65_600).map(f64::from).collect::<Float64Array>()) };
    let given = || [Given { name: "Id", from: DataType::R8, external: DataType::R8, array: array() }];
    let error = write(&path, "Orders$", "HDR=YES", &given(), Disposition::Fail).unwrap_err();
    assert_eq!(error.code().unwrap().name(), "DTS_E_INDUCEDTRANSFORMFAILUREONERROR");
    assert_eq!(cells(&path, "Orders").len(), 2);
    assert_eq!(write(&path, "Orders$", "HDR=YES", &given(), Disposition::Redirect).unwrap(), 65_600 - 65_534);
    let rows = cells(&path, "Orders");
    assert_eq!((rows.len(), rows[65_535].as_str()), (65_536, "65533||||"));
    assert_eq!(write(&path, "Orders$", "HDR=YES", &given(), Disposition::Redirect).unwrap(), 65_600);
}

#[test]
fn what_would_be_lost_is_refused() {
    let given = || [text("Name", &[Some("a")], DataType::WStr { len: 255 })];
    for (stream, part) in [("/_signatures", "signed"), ("/Revision Log", "shared"), ("/EncryptedPackage", "password")] {
        let (_folder, path) = old_book(false);
        cfb::open_rw(&path).unwrap().create_stream(stream).unwrap();
        let before = std::fs::read(&path).unwrap();
        let error = write(&path, "Orders$", "HDR=YES", &given(), Disposition::Fail).unwrap_err();
        assert!(error.message().contains(part), "{error}");
        assert_eq!(std::fs::read(&path).unwrap(), before);
    }
    let (_folder, path) = book();
    let mut archive =
        zip::ZipWriter::new_append(std::fs::File::options().read(true).write(true).open(&path).unwrap()).unwrap();
    archive.start_file("_xmlsignatures/sig1.xml", zip::write::SimpleFileOptions::default()).unwrap();
    archive.finish().unwrap();
    let error = write(&path, "Orders$", "HDR=YES", &given(), Disposition::Fail).unwrap_err();
    assert!(error.message().contains("signed"), "{error}");
}

#[test]
fn numbers_that_no_cell_holds_are_errors() {
    let (_folder, path) = book();
    let array: ArrayRef = Arc::new(Float64Array::from(vec![1.0, f64::NAN, f64::INFINITY]));
    let given = [Given { name: "Id", from: DataType::R8, external: DataType::R8, array }];
    assert_eq!(write(&path, "Orders$", "HDR=YES", &given, Disposition::Redirect).unwrap(), 2);
}
