//! Runs one task, or one loop, in a package of its own; for tests.

use dtsx_engine::connections::ConnectionSpec;
use dtsx_engine::control::plan::*;
use dtsx_engine::control::*;
use dtsx_engine::diag::{Diagnostic, Result};
use dtsx_engine::events::EventRecorder;
use dtsx_engine::flow::FlowSpec;
use dtsx_engine::props::{DataNode, Origin};
use dtsx_engine::run::{Expressions, PathMap, RunOptions, Services};
use dtsx_engine::types::Value;
use dtsx_engine::variables::{VariableAccess, VariableType, value_text};
use std::sync::{Arc, Mutex};

/// Maps a path prefix for the run.
pub fn map(request: &mut RunRequest, from: &str, to: &str) {
    let mut paths = PathMap::default();
    paths.add(from, to);
    request.services.paths = Arc::new(paths);
}

struct NoFlows;

impl FlowRunner for NoFlows {
    fn bind(&self, _: &FlowSpec, _: &FlowCx) -> (Option<Box<dyn BoundFlow>>, Vec<Diagnostic>) {
        (None, Vec::new())
    }
}

fn variable(name: &str, data_type: VariableType, value: Value) -> VariablePlan {
    let namespace = "User".into();
    VariablePlan { namespace, name: name.into(), data_type, value, ..Default::default() }
}

fn package() -> PackagePlan {
    let path = "\\Package".into();
    let package = ExecutablePlan { name: "Package".into(), path, kind: ExecutableKind::Package, ..Default::default() };
    PackagePlan { name: "Package".into(), executables: vec![package], ..Default::default() }
}

fn connection(name: &str, kind: &str, path: &str, properties: &[(&str, &str)]) -> ConnectionPlan {
    let mut spec =
        ConnectionSpec { id: format!("{{{name}}}"), name: name.into(), kind: kind.into(), ..Default::default() };
    spec.properties.set_text("ConnectionString", path, Origin::Package);
    for (name, value) in properties {
        spec.properties.set_text(name, *value, Origin::Package);
    }
    ConnectionPlan { spec, ..Default::default() }
}

fn execute(plan: PackagePlan, change: impl FnOnce(&mut RunRequest), visits: Arc<Mutex<Vec<String>>>) -> Ran {
    let services = Services::new(RunOptions { threads: 1, ..Default::default() }).unwrap();
    let probe: &'static dyn TaskKind = Box::leak(Box::new(Probe(visits.clone())));
    let registry = Registry::new(Arc::new(NoFlows), Arc::new(Expressions::default()))
        .with_tasks(super::ALL.iter().copied().chain([probe]))
        .with_enumerators(crate::enumerators::ALL.iter().copied())
        .enlisting(crate::db::enlists)
        .with_log_providers(crate::log_providers::ALL.iter().copied());
    let recorder = Arc::new(EventRecorder::default());
    let mut request = RunRequest::new(services, Arc::new(registry));
    request.listeners.push(recorder.clone());
    change(&mut request);
    let outcome = run(&Arc::new(plan), &request).unwrap();
    let visits = visits.lock().unwrap().clone();
    Ran { outcome, recorder, visits }
}

/// What a run left.
pub struct Ran {
    pub outcome: Outcome,
    recorder: Arc<EventRecorder>,
    visits: Vec<String>,
}

impl Ran {
    /// The items of a loop: columns joined by `,`, blanks shown as `_`.
    pub fn items(&self) -> String {
        self.visits.join(" ")
    }

    pub fn passes(&self) -> usize {
        self.visits.len()
    }

    pub fn succeeded(&self) -> bool {
        self.outcome.result == ExecResult::Success
    }

    /// The codes of an event where it was raised.
    pub fn codes(&self, event: &str) -> Vec<String> {
        let events = self.recorder.events().into_iter().filter(|e| e.event == event && e.original);
        let codes = events.map(|e| format!("0x{:08X}", e.code));
        codes.filter(|c| c != "0x80019002" && c != "0xC0024107").collect()
    }

    pub fn texts(&self, event: &str) -> Vec<String> {
        let events = self.recorder.events();
        events.into_iter().filter(|e| e.event == event && e.original).map(|e| e.message).collect()
    }

    pub fn value(&self, name: &str) -> Value {
        let found = self.outcome.variables.iter().find(|(n, ..)| n == &format!("User::{name}"));
        found.map(|(_, _, v)| v.clone()).unwrap_or_default()
    }
}

/// Writes down User::C0, User::C1 … of each pass.
struct Probe(Arc<Mutex<Vec<String>>>);

impl TaskKind for Probe {
    fn kind(&self) -> &'static str {
        "Test.Probe"
    }

    fn title(&self) -> &'static str {
        "Probe"
    }

    fn bind(&self, _: &TaskSpec, _: &mut TaskBindCx<'_>) -> Option<Box<dyn Task>> {
        Some(Box::new(Probe(self.0.clone())))
    }
}

impl Task for Probe {
    fn execute(&self, cx: &TaskCx) -> Result<TaskOutcome> {
        let columns = (0..).map_while(|i| cx.variables.read(&format!("User::C{i}")).ok());
        let columns: Vec<String> = columns.map(|(_, v)| value_text(&v).replace(' ', "_")).collect();
        self.0.lock().unwrap().push(columns.join(","));
        Ok(TaskOutcome::success())
    }
}

/// A Foreach loop around the probe.
pub struct Loop {
    enumerator: EnumeratorSpec,
    columns: Vec<String>,
    source: Value,
    connections: Vec<ConnectionPlan>,
}

impl Loop {
    pub fn new(kind: &str, element: &str) -> Loop {
        let data = DataNode { name: element.into(), ..Default::default() };
        let path = "\\Package\\Loop.ForEachEnumerator".into();
        let enumerator = EnumeratorSpec { kind: kind.into(), data, path, ..Default::default() };
        Loop { enumerator, columns: vec!["String".into()], source: Value::Null, connections: Vec::new() }
    }

    /// Sets an attribute of the data, replacing one of that name.
    pub fn attribute(mut self, name: &str, value: &str) -> Loop {
        self.enumerator.data.attributes.retain(|(n, _)| n != name);
        self.enumerator.data.attributes.push((name.into(), value.into()));
        self
    }

    pub fn property(mut self, name: &str, value: &str) -> Loop {
        self.enumerator.properties.set_text(name, value, Origin::Package);
        self
    }

    pub fn child(self, name: &str, attributes: &[(&str, &str)]) -> Loop {
        let attributes = attributes.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        self.node(DataNode { name: name.into(), attributes, ..Default::default() })
    }

    pub fn node(mut self, node: DataNode) -> Loop {
        self.enumerator.data.children.push(node);
        self
    }

    /// The types of the mapped variables, one a column.
    pub fn columns(mut self, types: &[&str]) -> Loop {
        self.columns = types.iter().map(|t| (*t).to_owned()).collect();
        self
    }

    /// The value of User::Source.
    pub fn source(mut self, value: Value) -> Loop {
        self.source = value;
        self
    }

    pub fn connection(mut self, name: &str, kind: &str, path: &str) -> Loop {
        self.connections.push(connection(name, kind, path, &[]));
        self
    }

    pub fn run(self, change: impl FnOnce(&mut RunRequest)) -> Ran {
        let mut plan = package();
        plan.connections = self.connections;
        let source_type =
            if matches!(self.source, Value::Text(_)) { VariableType::String } else { VariableType::Object };
        plan.executables[0].variables.push(variable("Source", source_type, self.source));
        let mut mappings = Vec::new();
        for (i, ty) in self.columns.iter().enumerate() {
            let ty = VariableType::from_name(ty).unwrap();
            plan.executables[0].variables.push(variable(&format!("C{i}"), ty, Value::Null));
            mappings.push(ForeachMapping { variable: format!("User::C{i}"), index: i as i64, span: None });
        }
        let enumerator = self.enumerator;
        plan.executables[0].children.push(1);
        plan.executables.push(ExecutablePlan {
            name: "Loop".into(),
            path: "\\Package\\Loop".into(),
            kind: ExecutableKind::ForeachLoop(Box::new(ForeachSpec { enumerator, mappings })),
            children: vec![2],
            parent: Some(0),
            ..Default::default()
        });
        plan.executables.push(task("Test.Probe", "Probe", Some(1), DataNode::default()));
        execute(plan, change, Arc::default())
    }
}

fn task(kind: &str, name: &str, parent: Option<usize>, data: DataNode) -> ExecutablePlan {
    let path = format!("\\Package\\{name}");
    let spec = TaskSpec { kind: kind.into(), name: name.into(), path: path.clone(), data, ..Default::default() };
    let kind = ExecutableKind::Task(Box::new(spec));
    ExecutablePlan { name: name.into(), path, kind, parent, ..Default::default() }
}

/// A package with one task.
pub struct Single {
    plan: PackagePlan,
}

impl Single {
    pub fn new(kind: &str, element: &str, attributes: &[(&str, &str)]) -> Single {
        let mut kept: Vec<(String, String)> = Vec::new();
        for (name, value) in attributes {
            kept.retain(|(n, _)| n != name);
            kept.push(((*name).to_owned(), (*value).to_owned()));
        }
        let data = DataNode { name: element.into(), attributes: kept, ..Default::default() };
        let mut plan = package();
        plan.executables[0].children.push(1);
        plan.executables.push(task(kind, "Task", Some(0), data));
        Single { plan }
    }

    pub fn variable(mut self, name: &str, data_type: VariableType, value: Value) -> Single {
        self.plan.executables[0].variables.push(variable(name, data_type, value));
        self
    }

    pub fn connection(mut self, name: &str, kind: &str, path: &str, usage: &str) -> Single {
        self.plan.connections.push(connection(name, kind, path, &[("FileUsageType", usage)]));
        self
    }

    /// Logs events of the package and of the task with a provider on a connection.
    pub fn log(mut self, kind: &str, connection: &str, events: &[&str]) -> Single {
        let id = format!("{{{kind}}}");
        let (kind, config_string) = (kind.into(), connection.into());
        let provider =
            LogProviderPlan { id: id.clone(), name: "Log".into(), kind, config_string, ..Default::default() };
        self.plan.log_providers.push(provider);
        let logging = &mut self.plan.executables[0].logging;
        logging.mode = LoggingMode::Enabled;
        logging.events = events.iter().map(|e| (*e).to_owned()).collect();
        logging.providers.push(id);
        self
    }

    /// Changes what a container logs: 0 the package, 1 the task.
    pub fn logging(mut self, index: usize, change: impl FnOnce(&mut LoggingPlan)) -> Single {
        change(&mut self.plan.executables[index].logging);
        self
    }

    /// Sets a property of an executable: 0 the package, 1 the first task.
    pub fn set(mut self, index: usize, property: &str, value: &str) -> Single {
        self.plan.executables[index].properties.set_text(property, value, Origin::Package);
        self
    }

    /// Adds another task, which runs after the last one, whatever that one came to.
    pub fn then(mut self, kind: &str, name: &str, element: &str, attributes: &[(&str, &str)]) -> Single {
        let attributes = attributes.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        let data = DataNode { name: element.into(), attributes, ..Default::default() };
        let (from, to) = (self.plan.executables.len() - 1, self.plan.executables.len());
        self.plan.executables.push(task(kind, name, Some(0), data));
        self.plan.executables[0].children.push(to);
        let value = ConstraintValue::Completion;
        self.plan.executables[0].constraints.push(ConstraintPlan { from, to, value, ..Default::default() });
        self
    }

    /// Adds a child to the task's data.
    pub fn child(mut self, node: DataNode) -> Single {
        if let ExecutableKind::Task(spec) = &mut self.plan.executables[1].kind {
            spec.data.children.push(node);
        }
        self
    }

    pub fn run(self, change: impl FnOnce(&mut RunRequest)) -> Ran {
        execute(self.plan, change, Arc::default())
    }
}
