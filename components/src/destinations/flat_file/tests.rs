use super::*;
use crate::shared::testing::{Column as File, Recorder, bound, connection, open_cx};
use arrow::array::{
    Array, ArrayRef, BinaryViewArray, BooleanArray, Date32Array, Decimal128Array, FixedSizeBinaryArray, Float64Array,
    Int16Array, Int32Array, Int64Array, StringViewArray, StructArray, Time32SecondArray, Time64NanosecondArray,
    TimestampMicrosecondArray, UInt64Array,
};
use dtsx_engine::batch::Batch;
use dtsx_engine::connections::ConnectionSpec;
use dtsx_engine::flow::{ColumnRef, Committed, InputColumnSpec, InputSpec, LineageId, Waker};
use dtsx_engine::props::Origin;
use dtsx_engine::types::DataType;

/// A destination whose input columns have the names of the file's columns.
struct Writer {
    connection: ConnectionSpec,
    properties: Vec<(&'static str, String)>,
    columns: Vec<(&'static str, DataType, ArrayRef)>,
}

impl Writer {
    fn new(connection: ConnectionSpec, columns: Vec<(&'static str, DataType, ArrayRef)>) -> Writer {
        Writer { connection, properties: Vec::new(), columns }
    }

    fn property(mut self, name: &'static str, value: &str) -> Writer {
        self.properties.push((name, value.to_owned()));
        self
    }

    /// What the file holds afterwards.
    fn write(&self) -> Vec<u8> {
        self.write_over(None, None).unwrap()
    }

    fn text(&self) -> String {
        String::from_utf8(self.write()).unwrap()
    }

    fn write_over(&self, before: Option<&str>, selection: Option<Vec<u32>>) -> Result<Vec<u8>> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.txt");
        if let Some(before) = before {
            std::fs::write(&path, before).unwrap();
        }
        let mut connection = self.connection.clone();
        connection.properties.set_text("ConnectionString", path.to_string_lossy(), Origin::Package);
        let mut spec = ComponentSpec { name: "Destination".into(), ..ComponentSpec::default() };
        spec.connections = vec![("FlatFileConnection".into(), "File".into())];
        for (name, value) in &self.properties {
            spec.properties.set_text(name, value, Origin::Package);
        }
        let mut input = InputSpec::default();
        let mut layout = Layout::default();
        for (i, (name, data_type, _)) in self.columns.iter().enumerate() {
            let lineage = LineageId(i as u32 + 1);
            input.columns.push(InputColumnSpec { lineage, name: (*name).into(), ..InputColumnSpec::default() });
            layout.columns.push(ColumnRef {
                lineage,
                name: (*name).into(),
                component: Arc::from("Source"),
                data_type: *data_type,
                sort_key: 0,
                comparison_flags: 0,
                used: true,
            });
        }
        spec.inputs = vec![input];
        let sink = bound(&spec, &connection, layout.clone(), bind);
        let cx = open_cx(&Arc::new(Recorder::default()));
        let mut commit = sink.open(&cx, &layout)?;
        let mut encode = sink.encoder(&cx, &layout)?;
        let arrays: Vec<ArrayRef> = self.columns.iter().map(|c| c.2.clone()).collect();
        let rows = arrays.first().map_or(0, |a| a.len());
        let batch = Batch { selection: selection.map(Arc::new), ..Batch::new(0, rows, arrays) };
        let block = encode.encode(batch)?;
        assert!(matches!(commit.commit(block, &Waker::new(|| {}))?, Committed::Taken));
        commit.finish()?;
        Ok(std::fs::read(path).unwrap())
    }
}

const UTF8: &[(&str, &str)] = &[("CodePage", "65001"), ("LocaleID", "1033")];
const QUOTED: &[(&str, &str)] = &[("CodePage", "65001"), ("TextQualifier", "\"")];

fn text(values: &[Option<&str>]) -> ArrayRef {
    Arc::new(StringViewArray::from_iter(values.iter().copied()))
}

fn decimals(values: &[Option<i128>], precision: u8, scale: i8) -> ArrayRef {
    let array = Decimal128Array::from_iter(values.iter().copied());
    Arc::new(array.with_precision_and_scale(precision, scale).unwrap())
}

/// One column of one type, in a file with a line for each value.
fn lines(data_type: DataType, array: ArrayRef) -> Vec<String> {
    let format = connection(UTF8, &[File::delimited("x", DataType::WStr { len: 0 }, "\n")]);
    Writer::new(format, vec![("x", data_type, array)]).text().lines().map(str::to_owned).collect()
}

#[test]
fn every_type_is_printed_as_ssis_prints_it() {
    let numeric = |scale| DataType::Numeric { precision: 38, scale };
    assert_eq!(
        lines(numeric(2), decimals(&[Some(20), Some(400), Some(0), Some(-5), None, Some(123_456_789_012)], 38, 2)),
        [".20", "4.00", ".00", "-.05", "", "1234567890.12"]
    );
    let most = 99_999_999_999_999_999_999_999_999_999_999_999_999i128;
    assert_eq!(
        lines(numeric(5), decimals(&[Some(most), Some(1), Some(-most)], 38, 5)),
        ["999999999999999999999999999999999.99999", ".00001", "-999999999999999999999999999999999.99999"]
    );
    assert_eq!(lines(numeric(0), decimals(&[Some(0), Some(-17)], 38, 0)), ["0", "-17"]);
    assert_eq!(
        lines(DataType::Cy, decimals(&[Some(14_315_000), Some(349_900), Some(0)], 19, 4)),
        ["1431.5", "34.99", "0"]
    );
    let integers = [i64::MIN, -1, 0, 7, 10, 99_999_999, 100_000_000, i64::MAX];
    assert_eq!(lines(DataType::I8, Arc::new(Int64Array::from(integers.to_vec()))), integers.map(|v| v.to_string()));
    assert_eq!(lines(DataType::UI8, Arc::new(UInt64Array::from(vec![u64::MAX, 0]))), ["18446744073709551615", "0"]);
    assert_eq!(lines(DataType::R8, Arc::new(Float64Array::from(vec![0.1, -1.5, 1e20]))), ["0.1", "-1.5", "1E+20"]);
    assert_eq!(lines(DataType::Bool, Arc::new(BooleanArray::from(vec![true, false]))), ["True", "False"]);
    assert_eq!(
        lines(DataType::DbDate, Arc::new(Date32Array::from(vec![0, -1, 19_000]))),
        ["1970-01-01", "1969-12-31", "2022-01-08"]
    );
    // 2008-04-30, and GETDATE() on 2022-12-20.
    let stamps = vec![1_209_513_600_000_000, 1_671_562_062_078_000];
    assert_eq!(
        lines(DataType::DbTimeStamp, Arc::new(TimestampMicrosecondArray::from(stamps))),
        ["2008-04-30 00:00:00", "2022-12-20 18:47:42.078000000"]
    );
    assert_eq!(lines(DataType::DbTime, Arc::new(Time32SecondArray::from(vec![37_230]))), ["10:20:30"]);
    let time2 = Arc::new(Time64NanosecondArray::from(vec![37_230_123_000_000]));
    assert_eq!(lines(DataType::DbTime2 { scale: 3 }, time2), ["10:20:30.123"]);
    let ticks = Arc::new(Int64Array::from(vec![16_715_620_620_780_000]));
    assert_eq!(lines(DataType::DbTimeStamp2 { scale: 7 }, ticks), ["2022-12-20 18:47:42.0780000"]);
    let arrow::datatypes::DataType::Struct(fields) = (DataType::DbTimeStampOffset { scale: 0 }).arrow() else { return };
    let parts: Vec<ArrayRef> =
        vec![Arc::new(Int64Array::from(vec![16_715_620_620_000_000])), Arc::new(Int16Array::from(vec![60]))];
    let array = Arc::new(StructArray::new(fields, parts, None));
    assert_eq!(lines(DataType::DbTimeStampOffset { scale: 0 }, array), ["2022-12-20 19:47:42 +01:00"]);
    let guid = FixedSizeBinaryArray::try_from_iter([[0xABu8; 16]].iter()).unwrap();
    assert_eq!(lines(DataType::Guid, Arc::new(guid)), ["{ABABABAB-ABAB-ABAB-ABAB-ABABABABABAB}"]);
    let bytes = Arc::new(BinaryViewArray::from_iter_values([[0x0Au8, 0xFF]]));
    assert_eq!(lines(DataType::Bytes { len: 2 }, bytes), ["0AFF"]);
}

#[test]
fn numbers_follow_the_locale_of_the_connection() {
    let format = connection(
        &[("CodePage", "65001"), ("LocaleID", "1031")],
        &[File::delimited("x", DataType::WStr { len: 0 }, "\n")],
    );
    let numeric = DataType::Numeric { precision: 9, scale: 2 };
    assert_eq!(Writer::new(format, vec![("x", numeric, decimals(&[Some(1234)], 9, 2))]).text(), "12,34\n");
}

fn two(properties: &[(&str, &str)]) -> Writer {
    let wide = DataType::WStr { len: 40 };
    let columns = [
        File::delimited("id", DataType::I4, ","),
        File::delimited("gap", wide, ",").bare(),
        File::delimited("name", wide, "\r\n"),
    ];
    let values = [
        Some("plain"),
        Some("a \"q\" b"),
        None,
        Some(""),
        Some("\""),
        Some("thirteen char"),
        Some("a text of more than 32 characters\"!"),
    ];
    let ids = Arc::new(Int32Array::from(vec![Some(1), None, Some(3), Some(4), Some(5), Some(6), Some(-7)]));
    Writer::new(connection(properties, &columns), vec![("name", wide, text(&values)), ("id", DataType::I4, ids)])
}

#[test]
fn unqualified_rows_with_an_unmapped_column() {
    assert_eq!(
        two(UTF8).text(),
        "1,,plain\r\n,,a \"q\" b\r\n3,,\r\n4,,\r\n5,,\"\r\n6,,thirteen char\r\n-7,,a text of more than 32 characters\"!\r\n"
    );
}

#[test]
fn qualifiers_stand_around_values_and_are_escaped_if_asked_for() {
    assert_eq!(
        two(QUOTED).text(),
        "\"1\",,\"plain\"\r\n,,\"a \"q\" b\"\r\n\"3\",,\r\n\"4\",,\"\"\r\n\"5\",,\"\"\"\r\n\"6\",,\"thirteen char\"\r\n\"-7\",,\"a text of more than 32 characters\"!\"\r\n"
    );
    assert_eq!(
        two(QUOTED).property("EscapeQualifier", "true").text(),
        "\"1\",,\"plain\"\r\n,,\"a \"\"q\"\" b\"\r\n\"3\",,\r\n\"4\",,\"\"\r\n\"5\",,\"\"\"\"\r\n\"6\",,\"thirteen char\"\r\n\"-7\",,\"a text of more than 32 characters\"\"!\"\r\n"
    );
}

#[test]
fn header_and_names_stand_in_front_of_a_new_file_only() {
    let named = [QUOTED, &[("ColumnNamesInFirstDataRow", "True"), ("HeaderRowDelimiter", "\r\n")]].concat();
    let writer = two(&named).property("Header", "Report");
    let front = "Report\r\n\"id\",gap,\"name\"\r\n";
    let first = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let selection = || Some(vec![0, 5]);
    let rows = "\"1\",,\"plain\"\r\n\"6\",,\"thirteen char\"\r\n";
    assert_eq!(first(writer.write_over(None, selection()).unwrap()), [front, rows].concat());
    assert_eq!(first(writer.write_over(Some("old\r\n"), selection()).unwrap()), [front, rows].concat());
    let appending = writer.property("Overwrite", "False");
    assert_eq!(first(appending.write_over(Some("old\r\n"), selection()).unwrap()), ["old\r\n", rows].concat());
    assert_eq!(first(appending.write_over(Some(""), selection()).unwrap()), [front, rows].concat());
    assert_eq!(first(appending.write_over(None, selection()).unwrap()), [front, rows].concat());
}

#[test]
fn code_pages_and_unicode() {
    let wide = DataType::WStr { len: 30 };
    let columns = [File::delimited("a", wide, "|"), File::delimited("b", wide, "\n")];
    let values = |a: &str| vec![("a", wide, text(&[Some(a)])), ("b", wide, text(&[Some("twelve and more äöü")]))];
    let page = |number: &str| connection(&[("CodePage", number)], &columns);
    assert_eq!(Writer::new(page("1252"), values("é€")).write(), b"\xE9\x80|twelve and more \xE4\xF6\xFC\n");
    let unicode = connection(&[("Unicode", "True")], &columns);
    let expected: Vec<u8> = "\u{feff}Ж😀|twelve and more äöü\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(Writer::new(unicode, values("Ж😀")).write(), expected);
    let error = Writer::new(page("1252"), values("ok Ж")).write_over(None, None).unwrap_err();
    assert_eq!(error.code(), Some(codes::DTS_E_FAILEDCOLUMNDATACONVERSIONSTATUS));
    let row = error.row().unwrap();
    assert_eq!((row.column.as_deref(), row.value.as_deref(), row.batch), (Some("a"), Some("ok Ж"), Some((0, 0))));
}

#[test]
fn text_longer_than_its_column_fails() {
    let columns = [File::delimited("a", DataType::Str { len: 3, code_page: 1252 }, "\n")];
    let format = connection(&[("CodePage", "1252")], &columns);
    let write = |value| {
        Writer::new(format.clone(), vec![("a", DataType::WStr { len: 9 }, text(&[Some(value)]))]).write_over(None, None)
    };
    assert_eq!(write("äöü").unwrap(), b"\xE4\xF6\xFC\n");
    assert!(write("abcd").is_err());
}

#[test]
fn fixed_width_is_padded_and_ragged_right_is_not_at_the_end() {
    let wide = DataType::WStr { len: 4 };
    let id = || -> ArrayRef { Arc::new(Int32Array::from(vec![Some(12), None])) };
    let columns = [File::fixed("a", wide, 4), File::fixed("n", DataType::I4, 5), File::delimited("z", wide, "\r\n")];
    let properties = [("Format", "RaggedRight"), ("CodePage", "1252"), ("ColumnNamesInFirstDataRow", "True")];
    let values = || {
        vec![("a", wide, text(&[Some("äb"), None])), ("n", DataType::I4, id()), ("z", wide, text(&[Some("end"), None]))]
    };
    let writer = Writer::new(connection(&properties, &columns), values());
    assert_eq!(writer.write(), b"a   n    z\r\n\xE4b  12   end\r\n         \r\n");
    let columns = [File::fixed("a", wide, 4), File::fixed("n", DataType::I4, 1), File::fixed("z", wide, 3)];
    let fixed = connection(&[("Format", "FixedWidth"), ("CodePage", "1252")], &columns);
    let error = Writer::new(fixed, values()).write_over(None, None).unwrap_err();
    assert_eq!(error.row().unwrap().column.as_deref(), Some("n"));
}

#[test]
fn long_marks() {
    let wide = DataType::WStr { len: 40 };
    let columns = [File::delimited("a", wide, "<column>end</column>"), File::delimited("b", wide, "\n<!-- row -->\n")];
    let format = connection(&[("CodePage", "65001"), ("TextQualifier", "''")], &columns);
    let values = vec![("a", wide, text(&[Some("x''y")])), ("b", wide, text(&[Some("2")]))];
    let writer = Writer::new(format, values).property("EscapeQualifier", "True");
    assert_eq!(writer.text(), "''x''''y''<column>end</column>''2''\n<!-- row -->\n");
}
