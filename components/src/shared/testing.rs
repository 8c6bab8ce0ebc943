//! A source or a destination of flat files on its own, for tests.

use dtsx_engine::batch::Batch;
use dtsx_engine::connections::ConnectionSpec;
use dtsx_engine::diag::{Error, Result};
use dtsx_engine::events::{Events, Message};
use dtsx_engine::flow::{
    BindCx, ColumnRef, ComponentSpec, Disposition, Dispositions, ExternalColumnSpec, FlowSpec, Layout, LineageId,
    OpenCx, OutputColumnSpec, OutputSpec, Ports, Source, SpecialColumn, Step, Waker,
};
use dtsx_engine::props::{DataNode, Origin, PropertyBag};
use dtsx_engine::run::{RunOptions, Services};
use dtsx_engine::types::DataType;
use dtsx_engine::variables::NoVariables;
use std::sync::{Arc, Mutex};

/// A column of a file.
#[derive(Clone)]
pub(crate) struct Column {
    node: DataNode,
}

impl Column {
    fn new(name: &str, data_type: DataType, end: &[(&str, String)]) -> Column {
        let mut attributes = vec![
            ("ObjectName".to_owned(), name.to_owned()),
            ("DataType".to_owned(), data_type.code().to_string()),
            ("MaximumWidth".to_owned(), data_type.length().to_string()),
            ("DataPrecision".to_owned(), data_type.precision().to_string()),
            ("DataScale".to_owned(), data_type.scale().to_string()),
            ("TextQualified".to_owned(), "True".to_owned()),
        ];
        attributes.extend(end.iter().map(|(n, v)| ((*n).to_owned(), v.clone())));
        let node = DataNode { name: "FlatFileColumn".into(), attributes, ..DataNode::default() };
        Column { node }
    }

    /// Ends with a delimiter.
    pub(crate) fn delimited(name: &str, data_type: DataType, delimiter: &str) -> Column {
        let end = [("ColumnType", "Delimited".to_owned()), ("ColumnDelimiter", delimiter.to_owned())];
        Column::new(name, data_type, &end)
    }

    /// Ends after a width.
    pub(crate) fn fixed(name: &str, data_type: DataType, width: u32) -> Column {
        Column::new(name, data_type, &[("ColumnType", "FixedWidth".to_owned()), ("ColumnWidth", width.to_string())])
    }

    /// The same with TextQualified = False.
    pub(crate) fn bare(mut self) -> Column {
        for (name, value) in &mut self.node.attributes {
            if name == "TextQualified" {
                *value = "False".into();
            }
        }
        self
    }
}

/// A Flat File connection manager.
pub(crate) fn connection(properties: &[(&str, &str)], columns: &[Column]) -> ConnectionSpec {
    let mut spec = ConnectionSpec { kind: "FLATFILE".into(), name: "File".into(), ..ConnectionSpec::default() };
    for (name, value) in properties {
        spec.properties.set_text(name, *value, Origin::Package);
    }
    spec.data.children = columns.iter().map(|c| c.node.clone()).collect();
    spec
}

/// A column of an output.
pub(crate) fn column(name: &str, data_type: DataType) -> OutputColumnSpec {
    OutputColumnSpec::new(0, name, data_type)
}

/// Everything that was fired.
#[derive(Default)]
pub(crate) struct Recorder(Mutex<Vec<(String, String)>>);

impl Recorder {
    pub(crate) fn taken(&self) -> Vec<(String, String)> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl Events for Recorder {
    fn fire(&self, message: Message) {
        self.0.lock().unwrap().push((message.code.to_string(), message.text));
    }
    fn progress(&self, _: &str, _: u8, _: &str) {}
}

/// What open halves are given.
pub(crate) fn open_cx(events: &Arc<Recorder>) -> OpenCx {
    OpenCx {
        services: Services::new(RunOptions { threads: 1, ..RunOptions::default() }).unwrap(),
        events: events.clone(),
        variables: Arc::new(NoVariables),
        path: Arc::from(r"\Package\Data Flow Task\Component"),
        name: Arc::from("Component"),
    }
}

/// Calls `bind` for `spec` with one connection and one input layout; panics at errors.
pub(crate) fn bound<T>(
    spec: &ComponentSpec,
    connection: &ConnectionSpec,
    input: Layout,
    bind: impl FnOnce(&ComponentSpec, &mut BindCx<'_>) -> Option<T>,
) -> T {
    let mut diagnostics = Vec::new();
    let services = Services::new(RunOptions { threads: 1, ..RunOptions::default() }).unwrap();
    let connections = |_: &str| Ok(connection.clone());
    let mut cx = BindCx {
        flow: &FlowSpec::default(),
        inputs: vec![input],
        attached: vec![true; spec.outputs.len()],
        variables: &NoVariables,
        connections: &connections,
        paths: &services.paths,
        services: &services,
        online: true,
        diagnostics: &mut diagnostics,
    };
    let bound = bind(spec, &mut cx);
    bound.unwrap_or_else(|| panic!("{diagnostics:#?}"))
}

/// A Flat File Source with an output column for each column of the file.
#[derive(Clone)]
pub(crate) struct Harness {
    connection: ConnectionSpec,
    spec: ComponentSpec,
    unread: Vec<String>,
    block: usize,
}

/// What a source made of a file: rows as `a|b`, error rows with code and column.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) rows: Vec<String>,
    pub(crate) errors: Vec<String>,
    pub(crate) events: Vec<(String, String)>,
}

impl Read {
    pub(crate) fn codes(&self) -> Vec<&str> {
        self.events.iter().map(|(code, _)| code.as_str()).collect()
    }
}

impl Harness {
    pub(crate) fn source(connection: ConnectionSpec) -> Harness {
        let format = crate::connections::flat_file::FlatFileFormat::from_spec(&connection).unwrap();
        let mut output = OutputSpec { name: "Output".into(), ..OutputSpec::default() };
        for (i, c) in format.columns.iter().enumerate() {
            let lineage = LineageId(i as u32 + 1);
            output.columns.push(OutputColumnSpec { lineage, external: Some(i), ..column(&c.name, c.data_type) });
            output.external.push(ExternalColumnSpec {
                id: c.name.clone(),
                name: c.name.clone(),
                data_type: c.data_type,
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
        let spec = ComponentSpec {
            name: "Component".into(),
            connections: vec![("FlatFileConnection".into(), "File".into())],
            outputs: vec![output, errors],
            ..ComponentSpec::default()
        };
        Harness { connection, spec, unread: Vec::new(), block: 1 << 16 }
    }

    /// Bytes read at a time.
    pub(crate) fn block(mut self, block: usize) -> Harness {
        self.block = block;
        self
    }

    pub(crate) fn property(mut self, name: &str, value: &str) -> Harness {
        self.spec.properties.set_text(name, value, Origin::Package);
        self
    }

    pub(crate) fn output(mut self, column: OutputColumnSpec) -> Harness {
        self.spec.outputs[0].columns.push(column);
        self
    }

    pub(crate) fn disposition(mut self, name: &str, error: Disposition, truncation: Disposition) -> Harness {
        for column in self.spec.outputs[0].columns.iter_mut().filter(|c| c.name == name) {
            column.dispositions = Dispositions { error, truncation };
        }
        self
    }

    pub(crate) fn unread(mut self, names: &[&str]) -> Harness {
        self.unread = names.iter().map(|n| (*n).to_owned()).collect();
        self
    }

    /// Reads `text` as the file.
    pub(crate) fn read(&self, text: impl AsRef<[u8]>) -> Result<Read> {
        self.read_events(text.as_ref()).0
    }

    /// The error, and what was fired before it.
    pub(crate) fn fail(&self, text: &str) -> (Error, Vec<(String, String)>) {
        let (read, events) = self.read_events(text.as_bytes());
        (read.unwrap_err(), events)
    }

    fn read_events(&self, text: &[u8]) -> (Result<Read>, Vec<(String, String)>) {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let mut harness = self.clone();
        let path = file.path().to_string_lossy();
        harness.connection.properties.set_text("ConnectionString", path, Origin::Package);
        harness.run_events()
    }

    /// Reads the file that the connection names.
    pub(crate) fn run(&self) -> Result<Read> {
        self.run_events().0
    }

    fn run_events(&self) -> (Result<Read>, Vec<(String, String)>) {
        let events = Arc::new(Recorder::default());
        let rows = self.rows(&events);
        let events = events.taken();
        let read = rows.map(|(rows, errors)| Read { rows, errors, events: events.clone() });
        (read, events)
    }

    fn rows(&self, events: &Arc<Recorder>) -> Result<(Vec<String>, Vec<String>)> {
        let bind = |spec: &ComponentSpec, cx: &mut BindCx<'_>| crate::sources::flat_file::bind(spec, cx, self.block);
        let source = bound(&self.spec, &self.connection, Layout::default(), bind);
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
                    used: !self.unread.contains(&c.name),
                })
                .collect(),
        };
        let layouts: Vec<Layout> = self.spec.outputs.iter().map(layout).collect();
        let cx = open_cx(events);
        let mut fetch = source.open(&cx)?;
        let mut decode = source.decoder(&cx, &layouts)?;
        let (mut rows, mut errors) = (Vec::new(), Vec::new());
        let waker = Waker::new(|| {});
        let mut seq = 0;
        while let Step::More(morsel) = fetch.fetch(&waker)? {
            let mut ports = Ports::new(2);
            decode.decode(seq, morsel, &mut ports)?;
            seq += 1;
            for (port, into) in [(0, &mut rows), (1, &mut errors)] {
                if let Some(batch) = ports.take(port) {
                    into.extend(shown(batch));
                }
            }
        }
        fetch.finish()?;
        Ok((rows, errors))
    }
}

/// The selected rows of a batch, values joined by `|`; `-` for a column that nobody reads.
pub(crate) fn shown(batch: Batch) -> Vec<String> {
    use arrow::datatypes::DataType as A;
    use arrow::util::display::{ArrayFormatter, FormatOptions};
    let batch = batch.compact().unwrap();
    let options = FormatOptions::default().with_null("NULL");
    let value = |column: &arrow::array::ArrayRef, row: usize| match column.data_type() {
        A::Null => "-".to_owned(),
        _ => ArrayFormatter::try_new(column, &options).unwrap().value(row).to_string(),
    };
    (0..batch.rows).map(|row| batch.columns.iter().map(|c| value(c, row)).collect::<Vec<_>>().join("|")).collect()
}
