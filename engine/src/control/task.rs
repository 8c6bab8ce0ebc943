//! The contract of tasks and of Foreach enumerators: what a kind promises, and what the engine lends to it.
//!
//! A kind is a static without state. Its `bind` validates a specification completely and yields something that runs; it
//! is called when the package is validated and again right before each execution, so that it sees the properties, the
//! variables and the connections as they stand then. Tasks run on threads of their own: they may wait.

use super::frame::Frame;
use super::plan::{EnumeratorSpec, TaskSpec};
use crate::connections::{ConnectionSpec, Connections};
use crate::diag::{Code, Diagnostic, Result, Severity, Span};
use crate::events::{Events, Source};
use crate::props::PropertyDef;
use crate::run::{PathMap, Services};
use crate::types::Value;
use crate::variables::{Scope, VariableAccess};
use std::sync::Arc;

/// How an executable ended: DTSExecResult.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum ExecResult {
    /// 0.
    #[default]
    Success,
    /// 1.
    Failure,
    /// 2: ForceExecutionResult only.
    Completion,
    /// 3.
    Canceled,
}

impl ExecResult {
    /// The number that logs show.
    pub fn number(self) -> i32 {
        match self {
            ExecResult::Success => 0,
            ExecResult::Failure => 1,
            ExecResult::Completion => 2,
            ExecResult::Canceled => 3,
        }
    }
}

/// How a task ended that could say so itself.
#[derive(Clone, Debug, Default)]
pub struct TaskOutcome {
    /// Success, Failure (then the task has fired why) or Canceled.
    pub result: ExecResult,
    /// ExecutionValue, where the task has one.
    pub value: Option<Value>,
}

impl TaskOutcome {
    /// The task did what it should.
    pub fn success() -> TaskOutcome {
        TaskOutcome::default()
    }

    /// The task failed, and has fired why.
    pub fn failure() -> TaskOutcome {
        TaskOutcome { result: ExecResult::Failure, value: None }
    }
}

/// A task class. One static for each, in the catalog.
pub trait TaskKind: Sync {
    /// The canonical kind: `Microsoft.FileSystemTask`.
    fn kind(&self) -> &'static str;

    /// The name in the designer: `File System Task`.
    fn title(&self) -> &'static str;

    /// Its properties, by the names of the object model.
    fn properties(&self) -> &'static [PropertyDef] {
        &[]
    }

    /// The connection managers whose databases the task changes, as far as the specification tells: those that take part
    /// in the transaction around it.
    fn written(&self, _spec: &TaskSpec) -> Vec<String> {
        Vec::new()
    }

    /// Validates the specification, reporting everything that is wrong, and makes it runnable. None if there were errors.
    fn bind(&self, spec: &TaskSpec, cx: &mut TaskBindCx<'_>) -> Option<Box<dyn Task>>;
}

/// A task that is ready to run.
pub trait Task: Send + Sync {
    /// Does what the task does, on a thread that may wait.
    ///
    /// # Errors
    /// Why it failed; the engine fires it as OnError. A task that has fired its errors itself says
    /// [`TaskOutcome::failure`].
    fn execute(&self, cx: &TaskCx) -> Result<TaskOutcome>;
}

/// What a running task may use.
#[derive(Clone)]
pub struct TaskCx {
    /// The run's services: paths, cancellation, options.
    pub services: Services,
    /// The variables that the task sees; assignments by expression go through [`Scope::assign`].
    pub variables: Scope,
    /// Connection managers, their expressions evaluated when they are asked for.
    pub connections: Arc<dyn Connections>,
    /// Where it fires its messages and progress; they bubble up the container path.
    pub events: Arc<dyn Events>,
    /// Its id, name and path.
    pub source: Arc<Source>,
    /// Windows LCID, resolved (never -1).
    pub locale: u32,
    /// ExecutionInstanceGUID.
    pub execution_id: Arc<str>,
    pub(super) frame: Arc<Frame>,
}

/// What `bind` of a task or enumerator may use.
pub struct TaskBindCx<'a> {
    /// The variables that the task sees, as they stand now.
    pub variables: &'a Scope,
    /// Connection managers, their expressions evaluated.
    pub connections: &'a dyn Connections,
    /// Path prefix rules.
    pub paths: &'a PathMap,
    /// The run's services; at an offline check, those of the check.
    pub services: &'a Services,
    /// Whether files and servers may be touched (a run) or not (an offline check).
    pub online: bool,
    /// Whether what bind yields is executed next: values that an earlier task sets are there only then.
    pub executing: bool,
    /// What was found.
    pub diagnostics: &'a mut Vec<Diagnostic>,
}

impl TaskBindCx<'_> {
    /// Reports an error of the object at `path`.
    pub fn error(&mut self, path: &str, span: Option<Span>, code: Code, message: impl Into<String>) {
        self.diagnostics.push(Diagnostic::error(code, path, message).with_span(span));
    }

    /// Reports a warning of the object at `path`.
    pub fn warning(&mut self, path: &str, span: Option<Span>, code: Code, message: impl Into<String>) {
        self.diagnostics.push(Diagnostic::warning(code, path, message).with_span(span));
    }

    /// Reports that this build lacks something that the object at `path` asks for.
    pub fn unsupported(&mut self, path: &str, span: Option<Span>, message: impl Into<String>) {
        self.diagnostics.push(Diagnostic::unsupported(path, message).with_span(span));
    }

    /// Whether an error was reported.
    pub fn failed(&self) -> bool {
        self.diagnostics.iter().any(|d| d.severity == Severity::Error)
    }

    /// The connection manager with that DTSID or name.
    ///
    /// # Errors
    /// DTS_E_CONNECTIONNOTFOUND, or a failing property expression.
    pub fn connection(&self, id_or_name: &str) -> Result<ConnectionSpec> {
        self.connections.get(id_or_name)
    }

    /// The present value of a text variable. None: there is no such variable, or it holds no text.
    pub fn text_variable(&self, name: &str) -> Option<String> {
        match self.variables.read(name) {
            Ok((_, Value::Text(text))) => Some(text.to_string()),
            _ => None,
        }
    }
}

/// A Foreach enumerator class. One static for each, in the catalog.
pub trait EnumeratorKind: Sync {
    /// The canonical kind: `Microsoft.ForEachFileEnumerator`.
    fn kind(&self) -> &'static str;

    /// The name in the designer: `Foreach File Enumerator`.
    fn title(&self) -> &'static str;

    /// Its properties, by the names of the object model.
    fn properties(&self) -> &'static [PropertyDef] {
        &[]
    }

    /// Validates the specification, reporting everything that is wrong, and makes it runnable. None if there were errors.
    fn bind(&self, spec: &EnumeratorSpec, cx: &mut TaskBindCx<'_>) -> Option<Box<dyn Enumerator>>;
}

/// The items of a Foreach loop: the columns of each, by index.
pub type Items = Box<dyn Iterator<Item = Result<Vec<Value>>> + Send>;

/// An enumerator that is ready to run.
pub trait Enumerator: Send + Sync {
    /// Begins the enumeration. Items are asked for one by one, each after the pass of the one before.
    ///
    /// # Errors
    /// What cannot be enumerated.
    fn open(&self, cx: &TaskCx) -> Result<Items>;
}

/// A collection that an Object variable holds, for the enumerators that walk over one (ADO, From Variable).
///
/// What puts a rowset or a list into an Object variable (the Recordset Destination, a full result set of a query) stores
/// an `Arc<dyn Any>` whose concrete type is [`Rowset`].
#[derive(Clone, Debug, Default)]
pub struct Rowset {
    /// Its tables; a list of scalars is one table with one column.
    pub tables: Vec<RowsetTable>,
}

/// One table of a [`Rowset`].
#[derive(Clone, Debug, Default)]
pub struct RowsetTable {
    /// Column names.
    pub columns: Vec<String>,
    /// Rows.
    pub rows: Vec<Vec<Value>>,
}

impl Rowset {
    /// The rowset that an Object variable holds, if it holds one.
    pub fn of(value: &Value) -> Option<Arc<Rowset>> {
        match value {
            Value::Object(object) => object.clone().downcast::<Rowset>().ok(),
            _ => None,
        }
    }
}
