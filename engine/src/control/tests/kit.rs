//! Plans in a few lines, tasks that do what their test says, an evaluator for `a op b`.

use crate::control::plan::*;
use crate::control::*;
use crate::diag::{Code, Diagnostic, Error, Owner, Result, codes};
use crate::events::{EventRecorder, Message};
use crate::flow::FlowSpec;
use crate::props::{DataNode, Origin};
use crate::run::{RunOptions, Services};
use crate::types::{DataType, Value};
use crate::variables::{Evaluator, VariableAccess, VariableType, natural_type};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// Builds a plan; the package is index 0.
pub struct Plan(pub PackagePlan);

impl Plan {
    pub fn new() -> Plan {
        let package = ExecutablePlan {
            name: "Package".into(),
            id: "{P}".into(),
            path: "\\Package".into(),
            kind: ExecutableKind::Package,
            ..Default::default()
        };
        let mut plan = Plan(PackagePlan { executables: vec![package], ..Default::default() });
        plan.0.name = "Package".into();
        plan.0.id = "{P}".into();
        plan.variable(PACKAGE, "Log", VariableType::String, Value::text(""));
        plan
    }

    pub fn add(&mut self, parent: usize, name: &str, kind: ExecutableKind) -> usize {
        let index = self.0.executables.len();
        let path = format!("{}\\{name}", self.0.executables[parent].path);
        let (id, name) = (format!("{{{name}}}"), name.to_owned());
        self.0.executables.push(ExecutablePlan { id, name, path, kind, parent: Some(parent), ..Default::default() });
        if !matches!(self.0.executables[index].kind, ExecutableKind::EventHandler { .. }) {
            self.0.executables[parent].children.push(index);
        }
        index
    }

    pub fn sequence(&mut self, parent: usize, name: &str) -> usize {
        self.add(parent, name, ExecutableKind::Sequence)
    }

    /// A task that does `actions`, see [`TestTask`].
    pub fn task(&mut self, parent: usize, name: &str, actions: &str) -> usize {
        let path = format!("{}\\{name}", self.0.executables[parent].path);
        let data = DataNode { attributes: vec![("Do".into(), actions.into())], ..Default::default() };
        let spec = TaskSpec { kind: "Test.Task".into(), name: name.into(), path, data, ..Default::default() };
        self.add(parent, name, ExecutableKind::Task(Box::new(spec)))
    }

    pub fn handler(&mut self, owner: usize, event: &str) -> usize {
        let index = self.add(owner, event, ExecutableKind::EventHandler { event: event.into() });
        self.0.executables[owner].handlers.push(index);
        index
    }

    pub fn for_loop(&mut self, parent: usize, name: &str, init: &str, eval: &str, assign: &str) -> usize {
        let spec = ForLoopSpec { init: init.into(), eval: eval.into(), assign: assign.into() };
        self.add(parent, name, ExecutableKind::ForLoop(spec))
    }

    /// A Foreach loop over `items` (`;` between items, `,` between columns), mapping column i to the i-th variable.
    pub fn foreach(&mut self, parent: usize, name: &str, items: &str, variables: &[&str]) -> usize {
        let data = DataNode { attributes: vec![("Items".into(), items.into())], ..Default::default() };
        let path = format!("{}\\{name}.ForEachEnumerator", self.0.executables[parent].path);
        let enumerator = EnumeratorSpec { kind: "Test.Enumerator".into(), path, data, ..Default::default() };
        let map = |(i, v): (usize, &&str)| ForeachMapping { variable: (*v).into(), index: i as i64, span: None };
        let mappings = variables.iter().enumerate().map(map).collect();
        self.add(parent, name, ExecutableKind::ForeachLoop(Box::new(ForeachSpec { enumerator, mappings })))
    }

    pub fn then(&mut self, from: usize, to: usize, value: ConstraintValue) -> &mut ConstraintPlan {
        let container = self.0.executables[from].parent.unwrap();
        let constraints = &mut self.0.executables[container].constraints;
        constraints.push(ConstraintPlan { from, to, value, logical_and: true, ..Default::default() });
        constraints.last_mut().unwrap()
    }

    pub fn set(&mut self, executable: usize, property: &str, value: &str) -> &mut Plan {
        self.0.executables[executable].properties.set_text(property, value, Origin::Package);
        self
    }

    pub fn express(&mut self, executable: usize, property: &str, text: &str) -> &mut Plan {
        let expression = PropertyExpression { property: property.into(), text: text.into(), span: None };
        self.0.executables[executable].expressions.push(expression);
        self
    }

    pub fn variable(&mut self, owner: usize, name: &str, data_type: VariableType, value: Value) -> &mut VariablePlan {
        let (namespace, bare) = name.split_once("::").unwrap_or(("User", name));
        let plan = VariablePlan {
            namespace: namespace.into(),
            name: bare.into(),
            id: format!("{{id of {name}}}"),
            data_type,
            value,
            ..Default::default()
        };
        self.0.executables[owner].variables.push(plan);
        self.0.executables[owner].variables.last_mut().unwrap()
    }

    pub fn int(&mut self, owner: usize, name: &str, value: i32) -> &mut VariablePlan {
        self.variable(owner, name, VariableType::Int32, Value::I4(value))
    }

    pub fn run(self) -> Ran {
        self.run_with(|_| {})
    }

    pub fn run_with(self, change: impl FnOnce(&mut RunRequest)) -> Ran {
        let recorder = Arc::new(EventRecorder::default());
        let mut request = request();
        request.listeners.push(recorder.clone());
        change(&mut request);
        let outcome = run(&Arc::new(self.0), &request).unwrap();
        Ran { outcome, recorder }
    }
}

pub fn request() -> RunRequest {
    let services = Services::new(RunOptions { threads: 1, ..Default::default() }).unwrap();
    let registry = Registry::new(Arc::new(TestFlows), Arc::new(TestEvaluator))
        .with_tasks([&TestTaskKind as &dyn TaskKind])
        .with_enumerators([&TestEnumeratorKind as &dyn EnumeratorKind]);
    RunRequest::new(services, Arc::new(registry))
}

/// What a run left.
pub struct Ran {
    pub outcome: Outcome,
    pub recorder: Arc<EventRecorder>,
}

impl Ran {
    pub fn result(&self) -> ExecResult {
        self.outcome.result
    }

    pub fn value(&self, name: &str) -> Value {
        let found = self.outcome.variables.iter().find(|(n, ..)| n == &format!("User::{name}"));
        found.map(|(_, _, v)| v.clone()).unwrap_or_default()
    }

    /// What the tasks wrote, one word each.
    pub fn log(&self) -> String {
        match self.value("Log") {
            Value::Text(text) => text.trim().to_owned(),
            other => format!("{other:?}"),
        }
    }

    /// The events, without those of validation and OnQueryCancel.
    pub fn events(&self) -> Vec<String> {
        let noise = ["OnPreValidate", "OnPostValidate", "OnQueryCancel"];
        let lines = self.recorder.lines();
        lines.into_iter().filter(|l| !noise.iter().any(|n| l.starts_with(n))).collect()
    }

    /// The events whose line begins with one of the words.
    pub fn only(&self, words: &[&str]) -> Vec<String> {
        self.recorder.lines().into_iter().filter(|l| words.iter().any(|w| l.starts_with(w))).collect()
    }

    pub fn texts(&self, event: &str) -> Vec<String> {
        let events = self.recorder.events();
        events.into_iter().filter(|e| e.event == event && e.original).map(|e| e.message).collect()
    }
}

/// Values by text.
pub fn values(text: &str) -> Value {
    text.trim().parse().map(Value::I4).unwrap_or_else(|_| Value::text(text.trim()))
}

struct TestTaskKind;

/// A task that does the actions in its attribute `Do` (or the property `Do`), `;` between them: `log` (its name, into
/// User::Log), `log TEXT`, `show VARIABLE` (its value, into User::Log), `error CODE`, `warn CODE`, `info CODE`,
/// `progress P`, `fail` (returns failure without an event), `err` (returns an error), `panic`, `cancel`,
/// `set VARIABLE = VALUE`, `assign EXPRESSION`, `count` (raises and lowers a gauge), `meet` (waits for another task that
/// meets), `invalid` (fails validation), `value N` (execution value), `child` (runs a package).
pub struct TestTask {
    name: String,
    actions: Vec<String>,
}

impl TaskKind for TestTaskKind {
    fn kind(&self) -> &'static str {
        "Test.Task"
    }

    fn title(&self) -> &'static str {
        "Test Task"
    }

    fn bind(&self, spec: &TaskSpec, cx: &mut TaskBindCx<'_>) -> Option<Box<dyn Task>> {
        let text = spec.properties.text("Do").or_else(|| spec.data.attr("Do")).unwrap_or("").to_owned();
        let actions: Vec<String> = text.split(';').map(|a| a.trim().to_owned()).collect();
        if actions.iter().any(|a| a == "invalid") {
            cx.error(&spec.path, None, Code(0xC0011111), "invalid by design");
            return None;
        }
        Some(Box::new(TestTask { name: spec.name.clone(), actions }))
    }
}

/// Tasks that run now, and the most that ever did.
pub static RUNNING: AtomicUsize = AtomicUsize::new(0);
pub static MOST: AtomicUsize = AtomicUsize::new(0);
/// One test at a time uses the gauge.
pub static GAUGE: Mutex<()> = Mutex::new(());
static MEETING: std::sync::Barrier = std::sync::Barrier::new(2);

impl Task for TestTask {
    fn execute(&self, cx: &TaskCx) -> Result<TaskOutcome> {
        let mut outcome = TaskOutcome::success();
        for action in &self.actions {
            let (verb, rest) = action.split_once(' ').unwrap_or((action, ""));
            let code = || Code(u32::from_str_radix(rest.trim_start_matches("0x"), 16).unwrap_or(0xC0012345));
            match verb {
                "log" => {
                    let word = if rest.is_empty() { &self.name } else { rest };
                    cx.variables.assign(&format!("@[User::Log] = @[User::Log] + \"{word} \""))?;
                }
                "show" => {
                    let shown = crate::variables::value_text(&cx.variables.read(rest)?.1).replace(' ', "_");
                    cx.variables.assign(&format!("@[User::Log] = @[User::Log] + \"{shown} \""))?;
                }
                "error" => cx.events.fire(Message::new(code(), "", "it went wrong")),
                "warn" => cx.events.fire(Message::new(Code(0x80012345), "", "beware")),
                "info" => cx.events.fire(Message::new(Code(0x40012345), "", "by the way")),
                "progress" => cx.events.progress("Working", rest.parse().unwrap(), ""),
                "fail" => return Ok(TaskOutcome::failure()),
                "err" => return Err(Error::new(Owner::Data, Code(0xC0019999), "no good")),
                "panic" => panic!("by design"),
                "cancel" => cx.services.cancel.cancel(),
                "set" => {
                    let (name, value) = rest.split_once('=').unwrap();
                    cx.variables.write(name.trim(), values(value))?;
                }
                "assign" => cx.variables.assign(rest)?,
                "count" => {
                    let running = RUNNING.fetch_add(1, Ordering::SeqCst) + 1;
                    MOST.fetch_max(running, Ordering::SeqCst);
                    std::thread::sleep(std::time::Duration::from_millis(5));
                    RUNNING.fetch_sub(1, Ordering::SeqCst);
                }
                "meet" => drop(MEETING.wait()),
                "value" => outcome.value = Some(values(rest)),
                "child" => {
                    let mut child = Plan::new();
                    child.0.executables[0].variables.clear();
                    child.0.executables[0].name = "Child".into();
                    child.task(PACKAGE, "Inner", "log; show User::X; error 0xC0010042");
                    outcome.result = cx.run_package(&Arc::new(child.0), Vec::new())?.result;
                }
                "" => {}
                other => panic!("no action {other}"),
            }
        }
        Ok(outcome)
    }
}

struct TestEnumeratorKind;
struct TestItems(Vec<Vec<Value>>);

impl EnumeratorKind for TestEnumeratorKind {
    fn kind(&self) -> &'static str {
        "Test.Enumerator"
    }

    fn title(&self) -> &'static str {
        "Test Enumerator"
    }

    fn bind(&self, spec: &EnumeratorSpec, _: &mut TaskBindCx<'_>) -> Option<Box<dyn Enumerator>> {
        let items = spec.properties.text("Items").or_else(|| spec.data.attr("Items")).unwrap_or("");
        let items = items.split(';').filter(|i| !i.is_empty());
        Some(Box::new(TestItems(items.map(|i| i.split(',').map(values).collect()).collect())))
    }
}

impl Enumerator for TestItems {
    fn open(&self, _: &TaskCx) -> Result<Items> {
        Ok(Box::new(self.0.clone().into_iter().map(Ok)))
    }
}

/// Flows whose path says what they do: `ok`, `wide …` (with a column that nobody reads, and one that is out of step),
/// `bad` (invalid), else they fire from a thread of the pool.
struct TestFlows;
struct TestFlow(String);

impl FlowRunner for TestFlows {
    fn bind(&self, spec: &FlowSpec, cx: &FlowCx) -> (Option<Box<dyn BoundFlow>>, Vec<Diagnostic>) {
        for percent in [0, 33, 66, 100] {
            cx.events.progress("Validating", percent, "");
        }
        if spec.path == "bad" {
            let error = Diagnostic::error(Code(0xC004706B), "bad\\Source", "validation failed");
            return (None, vec![error]);
        }
        let warning = |code: Code| Diagnostic::warning(code, format!("{}\\Source", spec.path), "a column");
        let mut warnings = vec![warning(codes::DTS_W_UNUSEDOUTPUTDATA), warning(Code(0x800470C8))];
        warnings.retain(|_| spec.path.starts_with("wide"));
        (Some(Box::new(TestFlow(spec.path.clone()))), warnings)
    }
}

impl BoundFlow for TestFlow {
    fn run(&self, cx: &FlowCx) -> Result<FlowSummary> {
        if self.0 != "ok" && !self.0.starts_with("wide") {
            let cx = cx.clone();
            let at = self.0.clone();
            std::thread::Builder::new()
                .name("pool".into())
                .spawn(move || {
                    cx.events.fire(Message::new(Code(0x80040004), "SSIS.Pipeline", "careful"));
                    if at == "error" {
                        cx.events.fire(Message::new(Code(0xC0040004), "SSIS.Pipeline", "broken"));
                    }
                    cx.variables.write("User::X", Value::I4(9)).unwrap();
                })
                .unwrap()
                .join()
                .unwrap();
        }
        for phase in ["Prepare for Execute", "Pre-Execute", "Post Execute", "Cleanup"] {
            for percent in [0, 33, 66, 100] {
                cx.events.progress(phase, percent, "");
            }
        }
        Ok(FlowSummary { rows: 7 })
    }
}

/// `operand` or `operand op operand` with `+ - < ==`; operands are integers, texts in quotes, TRUE, FALSE and variables.
struct TestEvaluator;

impl TestEvaluator {
    fn operand(text: &str, variables: &dyn VariableAccess) -> Result<Value> {
        let text = text.trim();
        if let Some(name) = text.strip_prefix('@') {
            return Ok(variables.read(name.trim_start_matches('[').trim_end_matches(']'))?.1);
        }
        Ok(match text {
            "TRUE" => Value::Bool(true),
            "FALSE" => Value::Bool(false),
            "NULL" => Value::Null,
            _ => match (text.parse(), text.strip_prefix('"').and_then(|t| t.strip_suffix('"'))) {
                (Ok(number), _) => Value::I4(number),
                (_, Some(text)) => Value::text(text),
                _ => return Err(Error::new(Owner::Package, codes::DTS_E_EXPREVALVARIABLENOTFOUND, "bad syntax")),
            },
        })
    }
}

impl Evaluator for TestEvaluator {
    fn evaluate(&self, text: &str, variables: &dyn VariableAccess) -> Result<(DataType, Value)> {
        let binary = [" + ", " - ", " < ", " == "].iter().find_map(|op| Some((*op, text.split_once(op)?)));
        let value = match binary {
            None => Self::operand(text, variables)?,
            Some((op, (a, b))) => match (op, Self::operand(a, variables)?, Self::operand(b, variables)?) {
                (" + ", Value::I4(a), Value::I4(b)) => Value::I4(a + b),
                (" - ", Value::I4(a), Value::I4(b)) => Value::I4(a - b),
                (" < ", Value::I4(a), Value::I4(b)) => Value::Bool(a < b),
                (" + ", Value::Text(a), Value::Text(b)) => Value::text(format!("{a}{b}")),
                (" == ", a, b) => Value::Bool(a == b),
                (_, a, b) => {
                    let message = format!("{a:?}{op}{b:?} does not go");
                    return Err(Error::new(Owner::Package, codes::DTS_E_EXPREVALVARIABLENOTFOUND, message));
                }
            },
        };
        Ok((natural_type(&value), value))
    }

    fn assignment(&self, text: &str, variables: &dyn VariableAccess) -> Result<(String, DataType, Value)> {
        let (target, text) = text
            .split_once(" = ")
            .ok_or_else(|| Error::new(Owner::Package, codes::DTS_E_EXPREVALVARIABLENOTFOUND, "no assignment"))?;
        let name = target.trim().trim_start_matches(['@', '[']).trim_end_matches(']').to_owned();
        let (data_type, value) = self.evaluate(text, variables)?;
        Ok((name, data_type, value))
    }

    fn check(&self, text: &str, variables: &dyn VariableAccess) -> Result<DataType> {
        Ok(self.evaluate(text, variables)?.0)
    }

    fn check_assignment(&self, text: &str, variables: &dyn VariableAccess) -> Result<String> {
        Ok(self.assignment(text, variables)?.0)
    }
}
