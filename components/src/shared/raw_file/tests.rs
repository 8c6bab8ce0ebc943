//! What a destination writes, a source reads; what is damaged is an error.

use crate::destinations::raw_file::RawFileDestination;
use crate::shared::testing::{Recorder, bound, column, open_cx, shown};
use crate::sources::raw_file::RawFileSource;
use arrow::array::{ArrayRef, StringViewArray};
use dtsx_engine::batch::Batch;
use dtsx_engine::connections::ConnectionSpec;
use dtsx_engine::diag::Result;
use dtsx_engine::flow::{
    BindCx, Bound, ColumnRef, ComponentKind, ComponentSpec, InputColumnSpec, InputSpec, Layout, LineageId, OutputSpec,
    Ports, Step, Waker,
};
use dtsx_engine::props::Origin;
use dtsx_engine::types::DataType;
use dtsx_engine::types::convert::{CastOptions, cast_array};
use proptest::prelude::*;
use std::path::Path;
use std::sync::Arc;

const TYPES: &[(&str, DataType)] = &[
    ("id", DataType::I4),
    ("name", DataType::WStr { len: 100 }),
    ("ansi", DataType::Str { len: 20, code_page: 1251 }),
    ("amount", DataType::Numeric { precision: 38, scale: 4 }),
    ("cy", DataType::Cy),
    ("at", DataType::DbTimeStamp),
    ("day", DataType::DbDate),
    ("time", DataType::DbTime2 { scale: 7 }),
    ("zone", DataType::DbTimeStampOffset { scale: 7 }),
    ("file", DataType::FileTime),
    ("on", DataType::Bool),
    ("guid", DataType::Guid),
    ("bytes", DataType::Bytes { len: 20 }),
    ("r8", DataType::R8),
    ("ui8", DataType::UI8),
];

const ROWS: &[[Option<&str>; 15]] = &[
    [
        Some("1"),
        Some("a text that is longer than twelve bytes"),
        Some("Привет"),
        Some("-12345678901234567890.1234"),
        Some("1.5"),
        Some("2024-02-29 12:30:15.123"),
        Some("0001-01-01"),
        Some("23:59:59.9999999"),
        Some("2024-02-29 12:30:15.1234567 +05:30"),
        Some("2024-02-29 12:30:15"),
        Some("True"),
        Some("{01234567-89AB-CDEF-0123-456789ABCDEF}"),
        Some("00ff10"),
        Some("1e300"),
        Some("18446744073709551615"),
    ],
    [None; 15],
    [
        Some("2"),
        Some(""),
        Some(""),
        Some("0"),
        Some("-0.0001"),
        Some("1753-01-01 00:00:00"),
        Some("9999-12-31"),
        Some("00:00:00"),
        Some("0001-01-01 00:00:00 +00:00"),
        Some("1601-01-01 00:00:00"),
        Some("False"),
        Some("{00000000-0000-0000-0000-000000000000}"),
        Some("00"),
        Some("-0"),
        Some("0"),
    ],
];

fn batch(seq: u64, types: &[(&str, DataType)], rows: &[[Option<&str>; 15]]) -> Batch {
    let options = CastOptions::data_flow(1033);
    let array = |(place, (name, data_type)): (usize, &(&str, DataType))| -> ArrayRef {
        let text: ArrayRef = Arc::new(rows.iter().map(|row| row[place]).collect::<StringViewArray>());
        let (array, faults) = cast_array(&text, &DataType::WStr { len: 4000 }, data_type, &options).unwrap();
        assert!(faults.is_empty(), "{name}: {faults:?}");
        array
    };
    Batch::new(seq, rows.len(), types.iter().enumerate().map(array).collect())
}

fn layout(types: &[(&str, DataType)]) -> Layout {
    let column = |(place, (name, data_type)): (usize, &(&str, DataType))| ColumnRef {
        lineage: LineageId(place as u32 + 1),
        name: (*name).into(),
        component: Arc::from("S"),
        data_type: *data_type,
        sort_key: if place == 0 { 1 } else { 0 },
        comparison_flags: 0,
        used: true,
    };
    Layout { columns: types.iter().enumerate().map(column).collect() }
}

fn write(path: &Path, option: &str, types: &[(&str, DataType)], batches: &[Batch]) -> Result<()> {
    let taken = |(place, (name, _)): (usize, &(&str, DataType))| InputColumnSpec {
        lineage: LineageId(place as u32 + 1),
        name: (*name).into(),
        ..Default::default()
    };
    let input = InputSpec { columns: types.iter().enumerate().map(taken).collect(), ..Default::default() };
    let mut spec = ComponentSpec { name: "D".into(), inputs: vec![input], ..Default::default() };
    spec.properties.set_text("FileName", path.to_string_lossy(), Origin::Package);
    spec.properties.set_text("WriteOption", option, Origin::Package);
    let layout = layout(types);
    let kind = |spec: &ComponentSpec, cx: &mut BindCx<'_>| RawFileDestination.bind(spec, cx);
    let Bound::Sink(sink) = bound(&spec, &ConnectionSpec::default(), layout.clone(), kind) else { panic!("no sink") };
    let cx = open_cx(&Arc::new(Recorder::default()));
    let mut commit = sink.open(&cx, &layout)?;
    let mut encode = sink.encoder(&cx, &layout)?;
    for batch in batches {
        commit.commit(encode.encode(batch.clone())?, &Waker::new(|| {}))?;
    }
    commit.finish()
}

fn read(path: &Path, types: &[(&str, DataType)], unread: &[&str]) -> Result<Vec<String>> {
    let output = OutputSpec { columns: types.iter().map(|(n, t)| column(n, *t)).collect(), ..Default::default() };
    let mut spec = ComponentSpec { name: "S".into(), outputs: vec![output], ..Default::default() };
    spec.properties.set_text("FileName", path.to_string_lossy(), Origin::Package);
    let kind = |spec: &ComponentSpec, cx: &mut BindCx<'_>| RawFileSource.bind(spec, cx);
    let Bound::Source(source) = bound(&spec, &ConnectionSpec::default(), Layout::default(), kind) else {
        panic!("no source")
    };
    let cx = open_cx(&Arc::new(Recorder::default()));
    let mut layout = layout(types);
    layout.columns.iter_mut().for_each(|c| c.used = !unread.contains(&c.name.as_str()));
    let mut fetch = source.open(&cx)?;
    let mut decode = source.decoder(&cx, &[layout])?;
    let mut rows = Vec::new();
    while let Step::More(morsel) = fetch.fetch(&Waker::new(|| {}))? {
        let mut ports = Ports::new(1);
        decode.decode(0, morsel, &mut ports)?;
        rows.extend(shown(ports.take(0).unwrap()));
    }
    Ok(rows)
}

fn code(result: Result<impl Sized>) -> String {
    result.err().unwrap().code().unwrap().name().to_owned()
}

#[test]
fn rows_come_back_as_they_were() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.raw");
    let (first, second) = (batch(0, TYPES, ROWS), batch(1, TYPES, &ROWS[..1]));
    write(&path, "0", TYPES, &[first.clone(), second.clone()]).unwrap();
    let expected = [shown(first), shown(second)].concat();
    assert_eq!(read(&path, TYPES, &[]).unwrap(), expected);
    // a source may take some columns, in an order of its own, and look at fewer
    let some = [TYPES[4], TYPES[1], TYPES[0]];
    assert_eq!(read(&path, &some, &["name"]).unwrap()[0], "1.5000|-|1");
    // every Arrow reader reads it
    let reader = arrow::ipc::reader::StreamReader::try_new(std::fs::File::open(&path).unwrap(), None).unwrap();
    assert_eq!(reader.schema().field(0).metadata()["dtsx.sortKey"], "1");
    assert_eq!(reader.map(|batch| batch.unwrap().num_rows()).sum::<usize>(), 4);
}

#[test]
fn values_longer_than_their_columns_are_damage() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.raw");
    let types = [("name", DataType::WStr { len: 5 })];
    for (text, fits) in [("fünf.", true), ("sechs.", false)] {
        let columns: Vec<ArrayRef> = vec![Arc::new(StringViewArray::from_iter_values([text]))];
        write(&path, "0", &types, &[Batch::new(0, 1, columns)]).unwrap();
        let read = read(&path, &types, &[]);
        match fits {
            true => assert_eq!(read.unwrap(), [text]),
            false => assert_eq!(code(read), "DTS_E_RAWBADHEADER"),
        }
    }
}

#[test]
fn no_rows_are_a_file_without_rows() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.raw");
    write(&path, "0", TYPES, &[]).unwrap();
    assert!(read(&path, TYPES, &[]).unwrap().is_empty());
}

#[test]
fn write_options() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.raw");
    let one = batch(0, TYPES, &ROWS[..1]);
    assert_eq!(code(write(&path, "2", TYPES, &[])), "DTS_E_RAWFILECANTOPEN");
    write(&path, "1", TYPES, std::slice::from_ref(&one)).unwrap();
    assert_eq!(code(write(&path, "1", TYPES, &[])), "DTS_E_RAWEXISTSCREATEONCE");
    write(&path, "2", TYPES, std::slice::from_ref(&one)).unwrap();
    assert_eq!(read(&path, TYPES, &[]).unwrap().len(), 2);
    // columns of another order go where the file has them
    let turned: Vec<_> = TYPES.iter().rev().copied().collect();
    let columns: Vec<ArrayRef> = one.columns.iter().rev().cloned().collect();
    write(&path, "2", &turned, &[Batch::new(0, 1, columns)]).unwrap();
    let rows = read(&path, TYPES, &[]).unwrap();
    assert_eq!(rows.len(), 3);
    assert!(rows.iter().all(|row| *row == rows[0]));
    write(&path, "3", TYPES, &[one]).unwrap();
    assert_eq!(read(&path, TYPES, &[]).unwrap().len(), 1);
}

#[test]
fn what_is_appended_has_the_columns_of_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.raw");
    write(&path, "0", &TYPES[..2], &[]).unwrap();
    let with = |column: (&'static str, DataType)| vec![TYPES[0], column];
    for option in ["2", "3"] {
        for (types, expected) in [
            (TYPES[..3].to_vec(), "DTS_E_RAWMETADATACOUNTMISMATCH"),
            (with(("other", DataType::I4)), "DTS_E_RAWMETADATAMISMATCH"),
            (with(("name", DataType::I4)), "DTS_E_RAWMETADATAMISMATCHTYPE"),
            (with(("name", DataType::WStr { len: 99 })), "DTS_E_RAWMETADATAMISMATCHSIZE"),
        ] {
            assert_eq!(code(write(&path, option, &types, &[])), expected);
        }
    }
    std::fs::write(&path, super::foreign::VERSION).unwrap();
    assert_eq!(code(write(&path, "2", &TYPES[..1], &[])), "DTS_E_RAWVERSIONINCOMPATIBLEAPPEND");
}

#[test]
fn what_is_not_as_the_package_says() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.raw");
    write(&path, "0", &TYPES[..2], &[]).unwrap();
    assert_eq!(code(read(&path, &[("none", DataType::I4)], &[])), "DTS_E_RAWBADHEADER");
    assert_eq!(code(read(&path, &[("id", DataType::I8)], &[])), "DTS_E_RAWMETADATAMISMATCHTYPE");
    assert_eq!(code(read(&path, &[("name", DataType::WStr { len: 99 })], &[])), "DTS_E_RAWMETADATAMISMATCHTYPE");
    assert!(read(&path, &[("NAME", DataType::WStr { len: 200 })], &[]).unwrap().is_empty());
    assert_eq!(code(read(&folder.path().join("none.raw"), TYPES, &[])), "DTS_E_RAWFILECANTOPENREAD");
    for bytes in ["", "x", "no raw file at all"] {
        std::fs::write(&path, bytes).unwrap();
        assert!(read(&path, TYPES, &[]).is_err(), "{bytes:?}");
    }
}

#[test]
fn a_file_without_its_end_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.raw");
    write(&path, "0", TYPES, &[batch(0, TYPES, ROWS)]).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    for cut in [1, 8, 9, 64, bytes.len() / 2, bytes.len() - 4] {
        std::fs::write(&path, &bytes[..bytes.len() - cut]).unwrap();
        assert!(read(&path, TYPES, &[]).is_err(), "{cut} bytes less");
    }
    assert_eq!(code(write(&path, "2", TYPES, &[])), "DTS_E_RAWUNEXPECTEDEOF");
}

/// The bytes of a file with rows.
fn sound() -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.raw");
    write(&path, "0", TYPES, &[batch(0, TYPES, ROWS)]).unwrap();
    std::fs::read(&path).unwrap()
}

/// Every byte that says where something is, changed: an error or rows, never a panic.
#[test]
fn damage_anywhere_is_an_error_or_rows() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("b.raw");
    let sound = sound();
    for at in 0..sound.len() {
        for value in [sound[at] ^ 1, sound[at].wrapping_add(0x7F)] {
            let mut bytes = sound.clone();
            bytes[at] = value;
            std::fs::write(&path, bytes).unwrap();
            let _ = read(&path, TYPES, &[]);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Whatever becomes of a file: an error or rows, never a panic.
    #[test]
    fn damage_is_an_error_or_rows(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        thread_local! {
            static SOUND: Vec<u8> = sound();
        }
        let mut bytes = SOUND.with(Clone::clone);
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("b.raw");
        std::fs::write(&path, bytes).unwrap();
        let _ = read(&path, TYPES, &[]);
    }
}
