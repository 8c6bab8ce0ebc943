//! Builds a flow around the component of a test, and runs it.

use crate::text::{Cache, Cell, Column, FlowTest, Pairs, TestFile, csv, dispositions, key, typed};
use arrow::array::{Array, ArrayRef, RecordBatch, StringViewArray};
use dtsx::rows::{RowFormat, append_rows, csv_header};
use dtsx_components::catalog::Catalog;
use dtsx_components::db::{Database, StatementOptions};
use dtsx_engine::batch::{Batch, RowOrigin};
use dtsx_engine::connections::ConnectionSpec;
use dtsx_engine::control::Rowset;
use dtsx_engine::diag::{Code, Diagnostic, Error, Owner, Result, codes};
use dtsx_engine::events::{Events, Message};
use dtsx_engine::flow::*;
use dtsx_engine::props::{DataNode, Origin, PropertyBag};
use dtsx_engine::run::{CancelToken, ChaosOptions, PathMap, ReaderSink, RunOptions, Services};
use dtsx_engine::types::convert::{CastMode, CastOptions, cast_array};
use dtsx_engine::types::scalar::value_at;
use dtsx_engine::types::{DataType, Value};
use dtsx_engine::variables::{VariableAccess, VariableType, value_text};
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Rows in a morsel of the test source: few, so that several lanes have something to do.
const MORSEL_ROWS: usize = 4;

/// Stands among expected outputs for the client of a DataReader destination.
pub const READER: &str = "reader";

/// Stands in front of the name of an Object variable whose rowset is expected.
pub const ROWSET: &str = "rowset ";

/// The folder of a test's files, as its component spells it.
const FOLDER: &str = r"D:\T";

/// A header and rows.
pub type Table = (Vec<String>, Vec<Vec<Cell>>);

/// One way to run a test.
#[derive(Clone, Copy, Debug)]
pub struct Way {
    pub threads: usize,
    pub chaos: bool,
    pub batch_rows: Option<usize>,
    /// Rows that a batch holds beside each selected one, and that nobody may see: none, some, many.
    pub decoys: usize,
    /// Bytes for rows; None: no limit.
    pub memory: Option<usize>,
}

/// Every way to run a test.
pub fn ways() -> Vec<Way> {
    let mut ways = Vec::new();
    for threads in [1, 2, 4] {
        for chaos in [false, true] {
            for batch_rows in [Some(3), None] {
                for decoys in [0, 1, 3] {
                    ways.push(Way { threads, chaos, batch_rows, decoys, memory: None });
                }
            }
        }
    }
    ways
}

/// A flow made of a test: its inputs' sources, then the component.
pub struct Bench {
    flow: FlowSpec,
    sources: HashMap<String, &'static TestSource>,
    component: usize,
    variables: Arc<TestVariables>,
    connections: HashMap<String, ConnectionSpec>,
    /// The files as they are before a run.
    folder: tempfile::TempDir,
    /// What writes the caches before a run.
    fills: Vec<Arc<FlowPlan>>,
    /// Whether there are databases among them, to which a plan is bound.
    databases: bool,
    /// The batch of an output with which a run is cancelled, from 1; and the time after which it is.
    cancels_at_output: AtomicUsize,
    cancels_after: Mutex<Option<Duration>>,
}

/// What a run came to.
pub struct Ran {
    pub outcome: Result<()>,
    /// By output that ended in order, its header and rows; those of a DataReader destination are under [`READER`].
    pub outputs: HashMap<String, Table>,
    pub variables: Arc<TestVariables>,
    /// The folder with the files of the run.
    pub folder: tempfile::TempDir,
    /// The most bytes that rows were held in, and what was written away of them.
    pub peak: usize,
    pub spilled: u64,
}

impl Bench {
    /// Cancels the run when the source of an input gives that morsel, from 1; 0: never.
    pub fn cancel_at(&self, morsel: usize) {
        let morsel = if morsel == 0 { usize::MAX } else { morsel };
        self.sources.values().for_each(|source| source.cancels_at.store(morsel, Ordering::SeqCst));
    }

    /// Cancels the run when that batch comes out of a tapped output, from 1; 0: never.
    pub fn cancel_at_output(&self, batch: usize) {
        self.cancels_at_output.store(batch, Ordering::SeqCst);
    }

    /// Cancels the run when it has gone on for so long.
    pub fn cancel_after(&self, time: Duration) {
        *self.cancels_after.lock().unwrap() = Some(time);
    }

    pub fn new(test: &FlowTest) -> Bench {
        let mut lineages = Lineages::default();
        let mut flow = FlowSpec { path: r"\Package\Flow".into(), optimized: false, ..FlowSpec::default() };
        let mut sources = HashMap::new();
        let mut inputs = Vec::new();
        for (index, input) in test.inputs.iter().enumerate() {
            let columns: Vec<Column> = input
                .columns
                .iter()
                .map(|(name, data_type)| Column { name: name.clone(), data_type: *data_type, keys: Pairs::new() })
                .collect();
            let mut columns: Vec<_> = columns.iter().map(|c| lineages.output_column(&input.name, c)).collect();
            for column in &mut columns {
                let keys = input.uses.iter().find(|u| u.name == column.name).map(|u| &u.keys);
                let number = |name| keys.and_then(|k| key(k, name)).map_or(0, |n| n.parse().unwrap());
                (column.sort_key, column.comparison_flags) = (number("sort"), number("flags") as u32);
            }
            let kind = format!("Test.Source.{index}");
            let mut external = Vec::new();
            let unused = |c: &&OutputColumnSpec| {
                input.uses.iter().any(|u| u.name == c.name && key(&u.keys, "usage") == Some("none"))
            };
            let taken = columns
                .iter()
                .filter(|c| !unused(c))
                .map(|c| input_column(c, input.uses.iter().find(|u| u.name == c.name), &mut external))
                .collect();
            inputs.push(InputSpec {
                id: input.name.clone(),
                name: input.name.clone(),
                dispositions: dispositions(&input.keys),
                columns: taken,
                external,
                properties: bag(&input.keys, &["error", "truncation"]),
                ..Default::default()
            });
            let source = TestSource {
                morsels: Arc::new(morsels(&input.columns, &input.rows)),
                fails: input.fails,
                decoys: Arc::default(),
                cancels_at: Arc::new(AtomicUsize::new(usize::MAX)),
            };
            sources.insert(kind.clone(), &*Box::leak(Box::new(source)));
            flow.components.push(ComponentSpec {
                name: input.name.clone(),
                path: format!(r"\Package\Flow\{}", input.name),
                kind,
                outputs: vec![OutputSpec {
                    name: "Out".into(),
                    is_sorted: columns.iter().any(|c| c.sort_key != 0),
                    columns,
                    ..OutputSpec::default()
                }],
                ..ComponentSpec::default()
            });
            flow.paths.push(PathSpec { name: input.name.clone(), from: (index, 0), to: (test.inputs.len(), index) });
        }
        let outputs = test.outputs.iter().map(|o| output(test, o, &mut lineages)).collect();
        flow.components.push(ComponentSpec {
            id: "Component".into(),
            name: "Component".into(),
            path: r"\Package\Flow\Component".into(),
            kind: test.kind.clone(),
            properties: bag(&test.properties, &[]),
            connections: test.connections.iter().map(|c| (c.name.clone(), c.name.clone())).collect(),
            locale: 1033,
            validate_external_metadata: true,
            inputs,
            outputs,
            ..ComponentSpec::default()
        });
        flow.lineage_names = Arc::new(lineages.names);
        let variables = test.variables.iter().map(|(name, data_type, text)| {
            let value = match data_type {
                DataType::I4 => Value::I4(text.parse().unwrap()),
                DataType::I8 => Value::I8(text.parse().unwrap()),
                DataType::WStr { .. } => Value::text(text),
                DataType::Null => Value::Null,
                other => {
                    let text: ArrayRef = Arc::new(StringViewArray::from_iter_values([text]));
                    let options = CastOptions { lcid: 1033, fast_parse: false, mode: CastMode::DataFlow };
                    let (array, faults) = cast_array(&text, &DataType::WStr { len: 4000 }, other, &options).unwrap();
                    assert!(faults.is_empty(), "variable {name}");
                    value_at(&array, other, 0).unwrap()
                }
            };
            (name.clone(), (*data_type, value))
        });
        let variables = Arc::new(TestVariables(Mutex::new(variables.collect())));
        let connections = test.connections.iter().map(|c| {
            let path = format!(r"\Package.Connections[{}]", c.name);
            let (name, kind, properties) = (c.name.clone(), c.kind.clone(), bag(&c.properties, &[]));
            (c.name.clone(), ConnectionSpec { id: c.name.clone(), name, path, kind, properties, ..Default::default() })
        });
        let folder = tempfile::tempdir().unwrap();
        for TestFile { name, bytes, .. } in &test.files {
            let path = folder.path().join(name);
            if name.ends_with(".db") {
                database(&path, std::str::from_utf8(bytes).unwrap());
            } else {
                std::fs::write(path, bytes).unwrap();
            }
        }
        let caches = test.caches.iter().map(|c| (c.name.clone(), cache_manager(c)));
        let connections: HashMap<String, ConnectionSpec> = connections.chain(caches).collect();
        let component = test.inputs.len();
        let fills = test.caches.iter().filter(|c| c.filled).map(|c| fill(c, &connections, &variables)).collect();
        for cache in &test.caches {
            flow.components[component].connections.push(("CacheConnection".into(), cache.name.clone()));
        }
        let databases = test.files.iter().any(|f| f.name.ends_with(".db"));
        let (cancels_at_output, cancels_after) = (AtomicUsize::new(0), Mutex::new(None));
        Bench {
            flow,
            sources,
            component,
            variables,
            connections,
            folder,
            fills,
            databases,
            cancels_at_output,
            cancels_after,
        }
    }

    /// Feeds both inputs of the component with the rows of the first, through a Multicast, and the second through a Sort
    /// by its first column as well.
    pub fn share(&mut self, sort: bool) {
        let columns = self.flow.components[0].outputs[0].columns.clone();
        let port = |name: &str, from: &str| OutputSpec {
            name: name.into(),
            id: format!("{from}.{name}"),
            ..OutputSpec::default()
        };
        let passed = |name: &str| OutputSpec { synchronous_input: Some(0), ..port(name, "Multicast") };
        self.flow.components[1] = ComponentSpec {
            name: "Multicast".into(),
            path: r"\Package\Flow\Multicast".into(),
            kind: "Microsoft.Multicast".into(),
            inputs: vec![InputSpec { name: "In".into(), ..InputSpec::default() }],
            outputs: vec![passed("A"), passed("B")],
            ..ComponentSpec::default()
        };
        let path = |name: &str, from, to| PathSpec { name: name.into(), from, to };
        self.flow.paths = vec![path("in", (0, 0), (1, 0)), path("a", (1, 0), (2, 0))];
        let mut taken = columns.clone();
        if sort {
            let mut names = (*self.flow.lineage_names).clone();
            for column in &mut taken {
                column.properties.set_text("SortColumnId", column.id.clone(), Origin::Package);
                column.lineage = LineageId(names.len() as u32 + 1);
                names.insert(format!("Sorted.{}", column.name), column.lineage);
            }
            self.flow.lineage_names = Arc::new(names);
            let used = columns.iter().map(|c| input_column(c, None, &mut Vec::new()));
            let mut used: Vec<_> = used.collect();
            used[0].properties.set_text("NewSortKeyPosition", "1", Origin::Package);
            self.flow.components.push(ComponentSpec {
                name: "Sort".into(),
                path: r"\Package\Flow\Sort".into(),
                kind: "Microsoft.Sort".into(),
                locale: 1033,
                inputs: vec![InputSpec { name: "In".into(), columns: used, ..InputSpec::default() }],
                outputs: vec![OutputSpec { columns: taken.clone(), is_sorted: true, ..port("Out", "Sort") }],
                ..ComponentSpec::default()
            });
            self.flow.paths.extend([path("b", (1, 1), (3, 0)), path("sorted", (3, 0), (2, 1))]);
        } else {
            self.flow.paths.push(path("b", (1, 1), (2, 1)));
        }
        for (column, taken) in self.flow.components[2].inputs[1].columns.iter_mut().zip(&taken) {
            column.lineage = taken.lineage;
        }
    }

    /// Binds the flow; every output of the component that `tapped` names counts as attached.
    pub fn bind(&self, tapped: &[String]) -> (Option<Arc<FlowPlan>>, Vec<Diagnostic>) {
        let mut services = Services::new(RunOptions { threads: 1, ..RunOptions::default() }).unwrap();
        services.paths = Arc::new(paths(self.folder.path()));
        self.bind_for(tapped, &services)
    }

    fn bind_for(&self, tapped: &[String], services: &Services) -> (Option<Arc<FlowPlan>>, Vec<Diagnostic>) {
        let connections = |id: &str| -> Result<ConnectionSpec> {
            let found = self.connections.get(id).cloned();
            found.ok_or_else(|| {
                let code = codes::DTS_E_CONNECTIONNOTFOUND;
                Error::new(Owner::Package, code, code.message(&[&id]))
            })
        };
        let env = BindEnv {
            kinds: &TestKinds { sources: &self.sources },
            variables: &*self.variables,
            connections: &connections,
            services,
            online: true,
            tapped: &self.taps(tapped),
        };
        let (plan, diagnostics) = bind(&self.flow, &env);
        (plan.map(Arc::new), diagnostics)
    }

    fn taps(&self, names: &[String]) -> Vec<(usize, usize)> {
        let outputs = &self.flow.components[self.component].outputs;
        let place =
            |name: &String| outputs.iter().position(|o| o.name == *name).unwrap_or_else(|| panic!("no output {name}"));
        names.iter().map(|name| (self.component, place(name))).collect()
    }

    pub fn run(&self, plan: &Arc<FlowPlan>, tapped: &[String], way: Way) -> Ran {
        self.sources.values().for_each(|source| source.decoys.store(way.decoys, Ordering::SeqCst));
        let temp = tempfile::tempdir().unwrap();
        let options = RunOptions {
            threads: way.threads,
            batch_rows: way.batch_rows,
            chaos: ChaosOptions { park: way.chaos },
            memory: way.memory,
            temp: Some(temp.path().to_owned()),
            ..RunOptions::default()
        };
        let mut services = Services::new(options).unwrap();
        let folder = tempfile::tempdir().unwrap();
        for file in std::fs::read_dir(self.folder.path()).unwrap() {
            let file = file.unwrap();
            std::fs::copy(file.path(), folder.path().join(file.file_name())).unwrap();
        }
        services.paths = Arc::new(paths(folder.path()));
        self.variables.reset();
        let client = Arc::new(Client::default());
        services.readers = Arc::new(HashMap::from([("Component".to_owned(), client.clone() as Arc<dyn ReaderSink>)]));
        let cancels_at = self.cancels_at_output.load(Ordering::SeqCst);
        let tap = |_: &String| Arc::new(Collected { kept: Arc::default(), cancels_at });
        let collected: Vec<Arc<Collected>> = tapped.iter().map(tap).collect();
        let taps: Vec<Tap> = self
            .taps(tapped)
            .into_iter()
            .zip(&collected)
            .map(|((component, output), sink)| Tap { component, output, sink: sink.clone() })
            .collect();
        let variables: Arc<dyn VariableAccess> = self.variables.clone();
        let events: Arc<dyn Events> = Arc::new(Silence);
        for fill in &self.fills {
            execute(fill, &services, &variables, &events, &[], None).unwrap();
        }
        // A database is found when a plan is bound: this run's is another one.
        let bound = if self.databases { self.bind_for(tapped, &services).0 } else { None };
        let cancel = (*self.cancels_after.lock().unwrap()).map(|time| {
            let token = services.cancel.clone();
            std::thread::spawn(move || {
                std::thread::sleep(time);
                token.cancel();
            })
        });
        let outcome = execute(bound.as_ref().unwrap_or(plan), &services, &variables, &events, &taps, None).map(|_| ());
        cancel.into_iter().for_each(|cancel| cancel.join().unwrap());
        let mut outputs = HashMap::new();
        for (name, collected) in tapped.iter().zip(&collected) {
            let kept = collected.kept.lock().unwrap();
            if kept.ended {
                outputs.insert(name.clone(), kept.table());
            }
        }
        let client = &client.0.lock().unwrap().kept;
        if client.ended {
            outputs.insert(READER.into(), client.table());
        }
        for (name, (_, value)) in self.variables.0.lock().unwrap().iter() {
            if let Some(rowset) = Rowset::of(value) {
                outputs.insert(format!("{ROWSET}{name}"), rowset_table(&rowset));
            }
        }
        nothing_stays(temp.path());
        let (peak, spilled) = (services.memory.peak(), services.spill.written());
        Ran { outcome, outputs, variables: self.variables.clone(), folder, peak, spilled }
    }

    /// The number of a column that is spelled `In.name`.
    pub fn lineage(&self, name: &str) -> Option<u32> {
        self.flow.lineage_names.get(name).map(|l| l.0)
    }
}

/// The rows of a query, `NAME.db SELECT …`, in a database of the folder.
pub fn query(folder: &std::path::Path, text: &str) -> Table {
    let (file, sql) = text.split_once(' ').unwrap();
    let mut spec = ConnectionSpec { kind: "OLEDB".into(), ..ConnectionSpec::default() };
    let address = format!("sqlite:{}", folder.join(file).display());
    spec.properties.set_text("ConnectionString", address, Origin::Package);
    let services = Services::new(RunOptions { threads: 1, ..RunOptions::default() }).unwrap();
    let mut session = Database::of(&spec, &services).unwrap().lease().unwrap();
    let mut cursor = session.query(sql, &[], &StatementOptions::default()).unwrap();
    let header: Vec<String> = cursor.columns().iter().map(|c| c.name.clone()).collect();
    let mut rows = Vec::new();
    while let Some(block) = cursor.next().unwrap() {
        let cell = |column: &ArrayRef, row: usize| {
            (!column.is_null(row)).then(|| arrow::util::display::array_value_to_string(column, row).unwrap())
        };
        rows.extend((0..block.len).map(|row| block.columns.iter().map(|c| cell(c, row)).collect::<Vec<Cell>>()));
    }
    (header, rows)
}

/// Makes an SQLite database by the statements in `sql`, one a line.
fn database(path: &std::path::Path, sql: &str) {
    let mut spec = ConnectionSpec { kind: "OLEDB".into(), ..ConnectionSpec::default() };
    spec.properties.set_text("ConnectionString", format!("sqlite:{}", path.display()), Origin::Package);
    let services = Services::new(RunOptions { threads: 1, ..RunOptions::default() }).unwrap();
    let mut session = Database::of(&spec, &services).unwrap().lease().unwrap();
    for statement in sql.lines() {
        session.execute(statement, &[], &StatementOptions::default()).unwrap();
    }
}

/// The connection manager of a cache.
fn cache_manager(cache: &Cache) -> ConnectionSpec {
    let mut data = DataNode { name: "ConnectionManager".into(), ..DataNode::default() };
    for (name, data_type, position) in &cache.columns {
        let attributes = [
            ("ObjectName", name.clone()),
            ("DataType", data_type.code().to_string()),
            ("Length", data_type.length().to_string()),
            ("Precision", data_type.precision().to_string()),
            ("Scale", data_type.scale().to_string()),
            ("CodePage", data_type.code_page().to_string()),
            ("IndexPosition", position.to_string()),
        ];
        let attributes = attributes.into_iter().map(|(n, v)| (n.to_owned(), v)).collect();
        data.children.push(DataNode { name: "CacheColumn".into(), attributes, ..DataNode::default() });
    }
    ConnectionSpec {
        id: cache.name.clone(),
        name: cache.name.clone(),
        path: format!(r"\Package.Connections[{}]", cache.name),
        kind: "CACHE".into(),
        properties: bag(&cache.properties, &[]),
        data,
    }
}

/// The flow that writes the rows of a cache.
fn fill(cache: &Cache, connections: &HashMap<String, ConnectionSpec>, variables: &Arc<TestVariables>) -> Arc<FlowPlan> {
    let columns: Vec<(String, DataType)> = cache.columns.iter().map(|(n, t, _)| (n.clone(), *t)).collect();
    let source = TestSource {
        morsels: Arc::new(morsels(&columns, &cache.rows)),
        fails: false,
        decoys: Arc::default(),
        cancels_at: Arc::new(AtomicUsize::new(usize::MAX)),
    };
    let sources = HashMap::from([("Test.Source".to_owned(), &*Box::leak(Box::new(source)))]);
    let mut lineages = Lineages::default();
    let made = |(name, data_type): &(String, DataType)| Column {
        name: name.clone(),
        data_type: *data_type,
        keys: Pairs::new(),
    };
    let outputs: Vec<_> = columns.iter().map(|c| lineages.output_column("Rows", &made(c))).collect();
    let mut input = InputSpec { id: "In".into(), name: "In".into(), ..InputSpec::default() };
    for column in &outputs {
        let mut taken = input_column(column, None, &mut Vec::new());
        taken.properties.set_text("CacheColumnName", column.name.clone(), Origin::Package);
        input.columns.push(taken);
    }
    let rows = ComponentSpec {
        name: "Rows".into(),
        path: r"\Package\Fill\Rows".into(),
        kind: "Test.Source".into(),
        outputs: vec![OutputSpec { name: "Out".into(), columns: outputs, ..OutputSpec::default() }],
        ..ComponentSpec::default()
    };
    let writer = ComponentSpec {
        name: "Writer".into(),
        path: r"\Package\Fill\Writer".into(),
        kind: "Microsoft.Cache".into(),
        connections: vec![("CacheConnection".into(), cache.name.clone())],
        inputs: vec![input],
        outputs: vec![OutputSpec { name: "Out".into(), synchronous_input: Some(0), ..OutputSpec::default() }],
        ..ComponentSpec::default()
    };
    let flow = FlowSpec {
        path: r"\Package\Fill".into(),
        components: vec![rows, writer],
        paths: vec![PathSpec { name: "Rows".into(), from: (0, 0), to: (1, 0) }],
        lineage_names: Arc::new(lineages.names),
        ..FlowSpec::default()
    };
    let env = BindEnv {
        kinds: &TestKinds { sources: &sources },
        variables: &**variables,
        connections: &|id: &str| Ok(connections[id].clone()),
        services: &Services::new(RunOptions { threads: 1, ..RunOptions::default() }).unwrap(),
        online: true,
        tapped: &[],
    };
    let (plan, diagnostics) = bind(&flow, &env);
    Arc::new(plan.unwrap_or_else(|| panic!("the cache {}: {diagnostics:#?}", cache.name)))
}

/// However a run ends, it leaves no temporary files, from the moment in which it has ended.
fn nothing_stays(temp: &std::path::Path) {
    let files: Vec<_> = std::fs::read_dir(temp).unwrap().collect();
    assert!(files.is_empty(), "temporary files stay: {files:?}");
}

/// The rules by which the component finds its files.
fn paths(folder: &std::path::Path) -> PathMap {
    let mut paths = PathMap::default();
    paths.add(FOLDER, &folder.to_string_lossy());
    paths
}

/// The first table of a rowset, as text.
fn rowset_table(rowset: &Rowset) -> Table {
    let table = &rowset.tables[0];
    let cell = |value: &Value| (!value.is_null()).then(|| value_text(value));
    (table.columns.clone(), table.rows.iter().map(|row| row.iter().map(cell).collect()).collect())
}

#[derive(Default)]
struct Lineages {
    names: HashMap<String, LineageId>,
}

impl Lineages {
    fn output_column(&mut self, port: &str, column: &Column) -> OutputColumnSpec {
        let lineage = LineageId(self.names.len() as u32 + 1);
        self.names.insert(format!("{port}.{}", column.name), lineage);
        OutputColumnSpec {
            id: format!("{port}.{}", column.name),
            lineage,
            name: column.name.clone(),
            data_type: column.data_type,
            sort_key: key(&column.keys, "sort").map_or(0, |k| k.parse().unwrap()),
            comparison_flags: 0,
            special: SpecialColumn::None,
            dispositions: dispositions(&column.keys),
            external: None,
            properties: bag(&column.keys, &["error", "truncation", "external", "sort"]),
            span: None,
        }
    }
}

/// How the component uses a column.
fn input_column(
    column: &OutputColumnSpec,
    used: Option<&Column>,
    external: &mut Vec<ExternalColumnSpec>,
) -> InputColumnSpec {
    let none = Pairs::new();
    let keys = used.map_or(&none, |u| &u.keys);
    let usage = if key(keys, "usage") == Some("readWrite") { Usage::ReadWrite } else { Usage::ReadOnly };
    InputColumnSpec {
        id: column.id.clone(),
        lineage: column.lineage,
        name: column.name.clone(),
        cached: Some(column.data_type),
        usage,
        dispositions: dispositions(keys),
        external: external_column(keys, column.data_type, external),
        properties: bag(keys, &["usage", "sort", "flags", "error", "truncation", "external", "param_flags"]),
        span: None,
    }
}

/// The external column that a column says it is mapped to.
fn external_column(keys: &Pairs, data_type: DataType, columns: &mut Vec<ExternalColumnSpec>) -> Option<usize> {
    let text = key(keys, "external")?;
    let (name, data_type) = if text.contains(' ') { typed(text) } else { (text.to_owned(), data_type) };
    let flags = key(keys, "param_flags").map(|flags| ("DBParamInfoFlags".to_owned(), flags.to_owned()));
    let properties = bag(&flags.into_iter().collect::<Pairs>(), &[]);
    columns.push(ExternalColumnSpec { id: name.clone(), name, data_type, properties });
    Some(columns.len() - 1)
}

fn output(test: &FlowTest, output: &crate::text::Output, lineages: &mut Lineages) -> OutputSpec {
    let is_error = key(&output.keys, "is_error") == Some("true");
    let mut columns: Vec<_> = output.columns.iter().map(|c| lineages.output_column(&output.name, c)).collect();
    if is_error {
        for (name, special) in [("ErrorCode", SpecialColumn::ErrorCode), ("ErrorColumn", SpecialColumn::ErrorColumn)] {
            let column = Column { name: name.into(), data_type: DataType::I4, keys: Pairs::new() };
            columns.push(OutputColumnSpec { special, ..lineages.output_column(&output.name, &column) });
        }
    }
    let mut external = Vec::new();
    for (column, said) in columns.iter_mut().zip(&output.columns) {
        column.external = external_column(&said.keys, said.data_type, &mut external);
    }
    let synchronous_input = match key(&output.keys, "sync") {
        Some("none") => None,
        Some(name) => test.inputs.iter().position(|i| i.name == name),
        None => (!test.inputs.is_empty()).then_some(0),
    };
    // What rows share with an error output, they leave by one or the other.
    let errors = test.outputs.iter().any(|o| key(&o.keys, "is_error") == Some("true"));
    let group = i32::from(errors && synchronous_input.is_some());
    OutputSpec {
        id: output.name.clone(),
        name: output.name.clone(),
        synchronous_input,
        exclusion_group: key(&output.keys, "group").map_or(group, |g| g.parse().unwrap()),
        is_error,
        is_sorted: key(&output.keys, "is_sorted") == Some("true") || columns.iter().any(|c| c.sort_key != 0),
        dangling: false,
        dispositions: dispositions(&output.keys),
        columns,
        external,
        properties: bag(&output.keys, &["is_error", "is_sorted", "sync", "group", "error", "truncation"]),
    }
}

/// The pairs that are properties. `expression:NAME` sets one as a property expression would.
fn bag(pairs: &Pairs, but: &[&str]) -> PropertyBag {
    let mut bag = PropertyBag::default();
    for (name, value) in pairs.iter().filter(|(name, _)| !but.contains(&name.as_str())) {
        match name.strip_prefix("expression:") {
            Some(name) => bag.set_text(name, value, Origin::Expression),
            None => bag.set_text(name, value, Origin::Package),
        }
    }
    bag
}

/// Rows as batches: parsed as the data flow converts text.
fn morsels(columns: &[(String, DataType)], rows: &[Vec<Cell>]) -> Vec<Batch> {
    let options = CastOptions { lcid: 1033, fast_parse: false, mode: CastMode::DataFlow };
    let morsel = |(seq, rows): (usize, &[Vec<Cell>])| {
        let column = |(place, (name, data_type)): (usize, &(String, DataType))| {
            let text: StringViewArray = rows.iter().map(|row| row[place].as_deref()).collect();
            let text: ArrayRef = Arc::new(text);
            let (array, faults) = cast_array(&text, &DataType::WStr { len: 4000 }, data_type, &options).unwrap();
            assert!(faults.is_empty(), "column {name}: {faults:?}");
            array
        };
        Batch::new(seq as u64, rows.len(), columns.iter().enumerate().map(column).collect())
    };
    rows.chunks(MORSEL_ROWS).enumerate().map(morsel).collect()
}

struct TestKinds<'a> {
    sources: &'a HashMap<String, &'static TestSource>,
}

impl Kinds for TestKinds<'_> {
    fn component(&self, kind: &str) -> Option<&'static dyn ComponentKind> {
        match self.sources.get(kind) {
            Some(source) => Some(*source),
            None => Catalog.component(kind),
        }
    }

    fn unknown_component(&self, spec: &ComponentSpec) -> Diagnostic {
        Catalog.unknown_component(spec)
    }
}

/// A source of the rows of a test.
#[derive(Clone)]
struct TestSource {
    morsels: Arc<Vec<Batch>>,
    fails: bool,
    decoys: Arc<AtomicUsize>,
    /// The morsel with which the run is cancelled.
    cancels_at: Arc<AtomicUsize>,
}

impl ComponentKind for TestSource {
    fn kind(&self) -> &'static str {
        "Test.Source"
    }

    fn title(&self) -> &'static str {
        "Test Source"
    }

    fn bind(&self, _spec: &ComponentSpec, _cx: &mut BindCx<'_>) -> Option<Bound> {
        Some(Bound::Source(Box::new(self.clone())))
    }
}

impl Source for TestSource {
    fn open(&self, cx: &OpenCx) -> Result<Box<dyn Fetch>> {
        Ok(Box::new(Morsels {
            rest: (*self.morsels).clone().into_iter(),
            fails: self.fails,
            hesitate: false,
            cancels_in: self.cancels_at.load(Ordering::SeqCst),
            cancel: cx.services.cancel.clone(),
        }))
    }

    fn decoder(&self, _cx: &OpenCx, _outputs: &[Layout]) -> Result<Box<dyn Decode>> {
        Ok(Box::new(Among { decoys: self.decoys.load(Ordering::SeqCst) }))
    }
}

struct Morsels {
    rest: std::vec::IntoIter<Batch>,
    fails: bool,
    hesitate: bool,
    cancels_in: usize,
    cancel: CancelToken,
}

impl Fetch for Morsels {
    fn fetch(&mut self, waker: &Waker) -> Result<Step<Morsel>> {
        // Every other time there is nothing yet.
        self.hesitate = !self.hesitate;
        if self.hesitate {
            waker.wake();
            return Ok(Step::Parked);
        }
        self.cancels_in -= 1;
        if self.cancels_in == 0 {
            self.cancel.cancel();
        }
        match self.rest.next() {
            Some(batch) => Ok(Step::More(Box::new(batch))),
            None if self.fails => Err(Error::new(Owner::Data, Code(0xC020_2092), "the source fails")),
            None => Ok(Step::Done),
        }
    }
}

/// Puts decoys, copies of the rows that follow, among the rows.
struct Among {
    decoys: usize,
}

impl Decode for Among {
    fn decode(&mut self, seq: u64, morsel: Morsel, out: &mut Ports) -> Result<()> {
        let batch = Batch { seq, ..*morsel.downcast::<Batch>().unwrap() };
        let (rows, step) = (batch.rows as u32, self.decoys as u32 + 1);
        if step == 1 {
            out.put(0, batch);
            return Ok(());
        }
        let indices: Vec<u32> = (0..rows * step).map(|i| (i / step + i % step) % rows).collect();
        let map = (0..rows * step).map(|i| i / step).collect();
        let gathered = Batch { selection: Some(Arc::new(indices)), ..batch }.compact()?;
        let selection = (0..rows).map(|row| row * step).collect();
        let origin = RowOrigin { base: 0, map: Some(Arc::new(map)) };
        out.put(0, Batch { selection: Some(Arc::new(selection)), origin, ..gathered });
        out.set_rows_read(rows);
        Ok(())
    }
}

/// Batches and their layout.
#[derive(Default)]
struct Kept {
    layout: Layout,
    batches: Vec<Batch>,
    ended: bool,
}

impl Kept {
    fn table(&self) -> Table {
        let schema = self.layout.schema();
        let mut text = String::new();
        for batch in &self.batches {
            let columns = self.layout.columns.iter().zip(&batch.columns).filter(|(c, _)| c.used);
            let columns = columns.map(|(_, array)| array.clone()).collect();
            let batch = RecordBatch::try_new(schema.clone(), columns).unwrap();
            append_rows(&mut text, &batch, RowFormat::Csv).unwrap();
        }
        let header = csv(&csv_header(&schema)).remove(0).into_iter().map(Option::unwrap_or_default).collect();
        (header, if text.is_empty() { Vec::new() } else { csv(&text) })
    }
}

/// A client that has no room every other time.
#[derive(Default)]
struct Client(Mutex<ClientState>);

#[derive(Default)]
struct ClientState {
    kept: Kept,
    hesitate: bool,
}

impl ReaderSink for Client {
    fn begin(&self, layout: &Layout) {
        self.0.lock().unwrap().kept.layout = layout.clone();
    }

    fn offer(&self, batch: Batch, wake: &Waker) -> Result<Option<Batch>> {
        let mut state = self.0.lock().unwrap();
        state.hesitate = !state.hesitate;
        if state.hesitate {
            wake.wake();
            return Ok(Some(batch));
        }
        state.kept.batches.push(batch);
        Ok(None)
    }

    fn finish(&self) {
        self.0.lock().unwrap().kept.ended = true;
    }
}

/// A tap that keeps what it sees.
struct Collected {
    kept: Arc<Mutex<Kept>>,
    cancels_at: usize,
}

impl Collected {
    fn keep(&self, cx: &OpenCx) -> Keep {
        Keep {
            kept: self.kept.clone(),
            hesitate: false,
            cancels_at: self.cancels_at,
            cancel: cx.services.cancel.clone(),
        }
    }
}

impl Sink for Collected {
    fn open(&self, cx: &OpenCx, input: &Layout) -> Result<Box<dyn Commit>> {
        self.kept.lock().unwrap().layout = input.clone();
        Ok(Box::new(self.keep(cx)))
    }

    fn encoder(&self, cx: &OpenCx, _input: &Layout) -> Result<Box<dyn Encode>> {
        Ok(Box::new(self.keep(cx)))
    }
}

struct Keep {
    kept: Arc<Mutex<Kept>>,
    hesitate: bool,
    /// The batch with which the run is cancelled.
    cancels_at: usize,
    cancel: CancelToken,
}

impl Encode for Keep {
    fn encode(&mut self, batch: Batch) -> Result<Block> {
        Ok(Box::new(batch))
    }
}

impl Commit for Keep {
    fn commit(&mut self, block: Block, waker: &Waker) -> Result<Committed> {
        // Every other time there is no room yet.
        self.hesitate = !self.hesitate;
        if self.hesitate {
            waker.wake();
            return Ok(Committed::Parked(block));
        }
        let mut kept = self.kept.lock().unwrap();
        kept.batches.push(*block.downcast::<Batch>().unwrap());
        let batches = kept.batches.len();
        drop(kept);
        if batches == self.cancels_at {
            self.cancel.cancel();
        }
        Ok(Committed::Taken)
    }

    fn finish(&mut self) -> Result<()> {
        self.kept.lock().unwrap().ended = true;
        Ok(())
    }
}

/// The variables of a test.
pub struct TestVariables(pub Mutex<HashMap<String, (DataType, Value)>>);

impl TestVariables {
    /// Empties Object variables, as each run finds them.
    fn reset(&self) {
        for (data_type, value) in self.0.lock().unwrap().values_mut() {
            if *data_type == DataType::Null {
                *value = Value::Null;
            }
        }
    }
}

impl VariableAccess for TestVariables {
    fn read(&self, name: &str) -> Result<(DataType, Value)> {
        let found = self.0.lock().unwrap().get(name).cloned();
        found.ok_or_else(|| Error::new(Owner::Package, Code(0xC0010001), format!("no variable {name}")))
    }

    fn write(&self, name: &str, value: Value) -> Result<()> {
        self.read(name)?;
        self.0.lock().unwrap().entry(name.into()).and_modify(|(_, v)| *v = value);
        Ok(())
    }

    /// A variable's id is its name in braces.
    fn name_of_id(&self, id: &str) -> Option<String> {
        let name = id.strip_prefix('{')?.strip_suffix('}')?;
        self.read(name).ok().map(|_| name.to_owned())
    }

    fn type_of(&self, name: &str) -> Option<VariableType> {
        match self.read(name).ok()?.0 {
            DataType::Null => Some(VariableType::Object),
            DataType::I4 => Some(VariableType::Int32),
            DataType::I8 => Some(VariableType::Int64),
            _ => Some(VariableType::String),
        }
    }
}

struct Silence;

impl Events for Silence {
    fn fire(&self, _message: Message) {}

    fn progress(&self, _description: &str, _percent: u8, _sub_component: &str) {}
}
