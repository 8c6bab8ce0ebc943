//! The Flat File source: any bytes as the file, under several formats. Rows or errors, and no panic; every batch has the
//! columns of its output.
#![no_main]

use dtsx_components::catalog::find_component;
use dtsx_engine::connections::ConnectionSpec;
use dtsx_engine::diag::Result;
use dtsx_engine::events::Quiet;
use dtsx_engine::flow::{
    BindCx, Bound, ColumnRef, ComponentSpec, Disposition, Dispositions, ExternalColumnSpec, FlowSpec, Layout,
    LineageId, OpenCx, OutputColumnSpec, OutputSpec, Ports, Source, SpecialColumn, Step, Waker,
};
use dtsx_engine::props::{DataNode, Origin, PropertyBag};
use dtsx_engine::run::{PathMap, RunOptions, Services};
use dtsx_engine::types::DataType;
use dtsx_engine::variables::NoVariables;
use libfuzzer_sys::fuzz_target;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

/// Name and type of the file's columns.
const COLUMNS: [(&str, DataType); 6] = [
    ("i", DataType::I4),
    ("s", DataType::WStr { len: 6 }),
    ("n", DataType::Numeric { precision: 9, scale: 2 }),
    ("d", DataType::DbDate),
    ("t", DataType::Str { len: 9, code_page: 1252 }),
    ("b", DataType::Bool),
];

/// Column delimiter, row delimiter, qualifier, code page, header rows skipped, column names.
type Format = (&'static str, &'static str, &'static str, &'static str, &'static str, &'static str);

const FORMATS: [Format; 8] = [
    (",", "\n", "\"", "65001", "0", "False"),
    (",", "\r\n", "\"", "1252", "0", "True"),
    (";", "\r\n", "", "1252", "1", "False"),
    ("||", "~#~", "'", "65001", "0", "False"),
    ("\t", "\n", "\"", "932", "0", "False"),
    ("|", "|\n", "\"", "1251", "2", "True"),
    ("", "", "", "1252", "0", "False"),
    ("", "", "", "65001", "1", "False"),
];

fn file() -> &'static PathBuf {
    static FILE: OnceLock<PathBuf> = OnceLock::new();
    FILE.get_or_init(|| {
        let shm = PathBuf::from("/dev/shm");
        let base = if shm.is_dir() { shm } else { std::env::temp_dir() };
        base.join(format!("dtsx-fuzz-flat-file-{}", std::process::id()))
    })
}

fn connection(format: &Format) -> ConnectionSpec {
    let (column, row, qualifier, code_page, skip, names) = *format;
    let mut spec = ConnectionSpec { kind: "FLATFILE".into(), name: "File".into(), ..ConnectionSpec::default() };
    let fixed = column.is_empty();
    let path = file().to_string_lossy();
    for (name, value) in [
        ("ConnectionString", &*path),
        ("Format", if fixed { "FixedWidth" } else { "Delimited" }),
        ("TextQualifier", qualifier),
        ("CodePage", code_page),
        ("HeaderRowsToSkip", skip),
        ("ColumnNamesInFirstDataRow", names),
        ("HeaderRowDelimiter", if row.is_empty() { "\n" } else { row }),
        ("RowDelimiter", row),
        ("LocaleID", "1033"),
    ] {
        spec.properties.set_text(name, value, Origin::Package);
    }
    for (n, (name, of)) in COLUMNS.iter().enumerate() {
        let end = if n + 1 == COLUMNS.len() { row } else { column };
        let mut attributes = vec![
            ("ObjectName".to_owned(), (*name).to_owned()),
            ("DataType".to_owned(), of.code().to_string()),
            ("MaximumWidth".to_owned(), of.length().to_string()),
            ("DataPrecision".to_owned(), of.precision().to_string()),
            ("DataScale".to_owned(), of.scale().to_string()),
            ("TextQualified".to_owned(), "True".to_owned()),
        ];
        if fixed {
            attributes.push(("ColumnType".into(), "FixedWidth".into()));
            attributes.push(("ColumnWidth".into(), "5".into()));
        } else {
            attributes.push(("ColumnType".into(), "Delimited".into()));
            attributes.push(("ColumnDelimiter".into(), end.into()));
        }
        spec.data.children.push(DataNode { name: "FlatFileColumn".into(), attributes, ..DataNode::default() });
    }
    spec
}

fn column(name: &str, data_type: DataType) -> OutputColumnSpec {
    OutputColumnSpec::new(0, name, data_type)
}

/// Errors are redirected, ignored, or end the reading.
fn component(disposition: Disposition) -> ComponentSpec {
    let mut output = OutputSpec { name: "Output".into(), ..OutputSpec::default() };
    for (n, (name, of)) in COLUMNS.iter().enumerate() {
        let dispositions = Dispositions { error: disposition, truncation: disposition };
        output.columns.push(OutputColumnSpec {
            lineage: LineageId(n as u32 + 1),
            external: Some(n),
            dispositions,
            ..column(name, *of)
        });
        output.external.push(ExternalColumnSpec {
            id: (*name).to_owned(),
            name: (*name).to_owned(),
            data_type: *of,
            properties: PropertyBag::default(),
        });
    }
    let special = |name: &str, special| OutputColumnSpec { special, ..column(name, DataType::I4) };
    let errors = OutputSpec {
        name: "Error Output".into(),
        is_error: true,
        columns: vec![
            column("Flat File Source Error Output Column", DataType::Text { code_page: 1252 }),
            special("ErrorCode", SpecialColumn::ErrorCode),
            special("ErrorColumn", SpecialColumn::ErrorColumn),
        ],
        ..OutputSpec::default()
    };
    ComponentSpec {
        kind: "Microsoft.FlatFileSource".into(),
        name: "Component".into(),
        connections: vec![("FlatFileConnection".into(), "File".into())],
        outputs: vec![output, errors],
        ..ComponentSpec::default()
    }
}

/// A source for each format and disposition, and the layouts of its outputs.
struct Bench {
    sources: Vec<(Box<dyn Source>, Vec<Layout>)>,
    context: OpenCx,
}

fn bench() -> &'static Bench {
    static BENCH: OnceLock<Bench> = OnceLock::new();
    BENCH.get_or_init(|| {
        std::fs::write(file(), b"").expect("a file");
        let services = Services::new(RunOptions { threads: 1, ..RunOptions::default() }).expect("services");
        let kind = find_component("Microsoft.FlatFileSource").expect("the source");
        let mut sources = Vec::new();
        for format in &FORMATS {
            for disposition in [Disposition::Redirect, Disposition::Ignore, Disposition::Fail] {
                let spec = component(disposition);
                let mut diagnostics = Vec::new();
                let connection = connection(format);
                let connections = |_: &str| Ok(connection.clone());
                let mut cx = BindCx {
                    flow: &FlowSpec::default(),
                    inputs: vec![Layout::default()],
                    attached: vec![true; spec.outputs.len()],
                    variables: &NoVariables,
                    connections: &connections,
                    paths: &PathMap::default(),
                    online: true,
                    services: &services,
                    diagnostics: &mut diagnostics,
                };
                let Some(Bound::Source(source)) = kind.bind(&spec, &mut cx) else { panic!("{diagnostics:#?}") };
                let layout = |output: &OutputSpec| Layout {
                    columns: output
                        .columns
                        .iter()
                        .map(|c| ColumnRef {
                            lineage: c.lineage,
                            name: c.name.clone(),
                            component: Arc::from("Component"),
                            data_type: c.data_type,
                            sort_key: 0,
                            comparison_flags: 0,
                            used: true,
                        })
                        .collect(),
                };
                sources.push((source, spec.outputs.iter().map(layout).collect()));
            }
        }
        let context = OpenCx {
            services,
            events: Arc::new(Quiet),
            variables: Arc::new(NoVariables),
            path: Arc::from(r"\Package\Data Flow Task\Component"),
            name: Arc::from("Component"),
        };
        Bench { sources, context }
    })
}

fn read(source: &dyn Source, layouts: &[Layout], cx: &OpenCx) -> Result<usize> {
    let mut fetch = source.open(cx)?;
    let mut decode = source.decoder(cx, layouts)?;
    let waker = Waker::new(|| {});
    let (mut seq, mut rows) = (0, 0);
    while let Step::More(morsel) = fetch.fetch(&waker)? {
        let mut ports = Ports::new(2);
        decode.decode(seq, morsel, &mut ports)?;
        seq += 1;
        for (port, layout) in layouts.iter().enumerate() {
            if let Some(batch) = ports.take(port) {
                assert_eq!(batch.columns.len(), layout.columns.len());
                assert!(batch.columns.iter().all(|column| column.len() == batch.columns[0].len()));
                rows += batch.rows;
            }
        }
    }
    fetch.finish()?;
    Ok(rows)
}

fuzz_target!(|data: &[u8]| {
    let Some((choice, text)) = data.split_first() else { return };
    let bench = bench();
    let (source, layouts) = &bench.sources[*choice as usize % bench.sources.len()];
    std::fs::write(file(), text).expect("a file");
    let first = read(source.as_ref(), layouts, &bench.context).ok();
    assert_eq!(first, read(source.as_ref(), layouts, &bench.context).ok(), "the same file twice");
});
