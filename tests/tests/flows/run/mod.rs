//! Builds a flow around the component of a test, and runs it.

mod ends;
mod specs;
mod stores;
mod variables;

pub use stores::query;

use crate::text::{Cell, Column, FlowTest, TestFile, dispositions, key};
use dtsx_engine::connections::ConnectionSpec;
use dtsx_engine::control::Rowset;
use dtsx_engine::diag::{Diagnostic, Error, Owner, Result, codes};
use dtsx_engine::events::{Events, Quiet};
use dtsx_engine::flow::*;
use dtsx_engine::props::Origin;
use dtsx_engine::run::{ChaosOptions, PathMap, ReaderSink, RunOptions, Services};
use dtsx_engine::types::Value;
use dtsx_engine::variables::{VariableAccess, value_text};
use ends::{Client, Collected, TestKinds, TestSource};
use specs::{Lineages, bag, input_column, output};
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use stores::{cache_manager, database, fill};
use variables::TestVariables;

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
            let columns = input.columns.iter().map(|c| lineages.output_column(&input.name, &Column::of(c)));
            let mut columns: Vec<_> = columns.collect();
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
            sources.insert(kind.clone(), TestSource::of(&input.columns, &input.rows, input.fails));
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
        let variables = Arc::new(TestVariables::of(test));
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
        self.flow.components[1] = multicast("Multicast");
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

    /// Joins the rows of both inputs once more, by a component like the tested one, whose first input has the rows of the
    /// second and the other way round. Both inputs come through Multicasts.
    pub fn cross(&mut self) {
        let mut other = ComponentSpec {
            name: "Crosswise".into(),
            path: r"\Package\Flow\Crosswise".into(),
            ..self.flow.components[2].clone()
        };
        other.inputs.swap(0, 1);
        let mut names = (*self.flow.lineage_names).clone();
        for column in other.outputs.iter_mut().flat_map(|o| &mut o.columns) {
            column.lineage = LineageId(names.len() as u32 + 1);
            names.insert(format!("Crosswise.{}", column.name), column.lineage);
        }
        self.flow.lineage_names = Arc::new(names);
        self.flow.components.extend([multicast("Multicast 1"), multicast("Multicast 2"), other]);
        let path = |name: &str, from, to| PathSpec { name: name.into(), from, to };
        self.flow.paths = vec![path("in 1", (0, 0), (3, 0)), path("in 2", (1, 0), (4, 0))];
        self.flow.paths.extend([path("a1", (3, 0), (2, 0)), path("a2", (4, 0), (2, 1))]);
        self.flow.paths.extend([path("b2", (4, 1), (5, 0)), path("b1", (3, 1), (5, 1))]);
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
        let collected: Vec<Arc<Collected>> = tapped.iter().map(|_| Arc::new(Collected::new(cancels_at))).collect();
        let taps: Vec<Tap> = self
            .taps(tapped)
            .into_iter()
            .zip(&collected)
            .map(|((component, output), sink)| Tap { component, output, sink: sink.clone() })
            .collect();
        let variables: Arc<dyn VariableAccess> = self.variables.clone();
        let events: Arc<dyn Events> = Arc::new(Quiet);
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
            outputs.extend(collected.table().map(|table| (name.clone(), table)));
        }
        outputs.extend(client.table().map(|table| (READER.to_owned(), table)));
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

fn port(name: &str, from: &str) -> OutputSpec {
    OutputSpec { name: name.into(), id: format!("{from}.{name}"), ..OutputSpec::default() }
}

/// A Multicast with two outputs.
fn multicast(name: &str) -> ComponentSpec {
    let passed = |output: &str| OutputSpec { synchronous_input: Some(0), ..port(output, name) };
    ComponentSpec {
        name: name.into(),
        path: format!(r"\Package\Flow\{name}"),
        kind: "Microsoft.Multicast".into(),
        inputs: vec![InputSpec { name: "In".into(), ..InputSpec::default() }],
        outputs: vec![passed("A"), passed("B")],
        ..ComponentSpec::default()
    }
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
