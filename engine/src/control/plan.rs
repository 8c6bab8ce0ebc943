//! The plan of a package's control flow: immutable, indexed, free of the file's syntax.
//!
//! The loader compiles a package into a [`PackagePlan`]; nothing in it changes during a run. Executables live in one
//! vector and refer to each other by index; index 0 is the package itself.

use crate::connections::ConnectionSpec;
use crate::diag::Span;
use crate::flow::FlowSpec;
use crate::props::{DataNode, PropertyBag};
use crate::types::Value;
use crate::variables::VariableType;

/// The index of an executable in [`PackagePlan::executables`].
pub type ExecutableIndex = usize;

/// The package itself among the executables.
pub const PACKAGE: ExecutableIndex = 0;

/// A package that is ready to run.
#[derive(Clone, Debug, Default)]
pub struct PackagePlan {
    /// ObjectName.
    pub name: String,
    /// DTSID, `{GUID}`.
    pub id: String,
    /// VersionMajor, VersionMinor, VersionBuild.
    pub version: (i32, i32, i32),
    /// VersionGUID.
    pub version_guid: String,
    /// VersionComments.
    pub version_comments: String,
    /// CreatorName.
    pub creator_name: String,
    /// CreatorComputerName.
    pub creator_computer: String,
    /// CreationDate ([`Value::Timestamp`], or NULL).
    pub creation_date: Value,
    /// The package (index 0) and everything in it.
    pub executables: Vec<ExecutablePlan>,
    /// Connection managers of the package and of its project.
    pub connections: Vec<ConnectionPlan>,
    /// Parameters of the package and of its project, their values resolved.
    pub parameters: Vec<ParameterPlan>,
    /// Log providers.
    pub log_providers: Vec<LogProviderPlan>,
    /// Configurations that failed to apply, for System::FailedConfigurations.
    pub failed_configurations: Vec<String>,
}

impl PackagePlan {
    /// The executable at `path` (`\Package\Seq\Task`; letter case is ignored in the word `Package` only).
    pub fn find(&self, path: &str) -> Option<ExecutableIndex> {
        let tail = |p: &str| p.trim_start_matches('\\').split_once('\\').map(|(_, rest)| rest.to_owned());
        let wanted = tail(path);
        self.executables.iter().position(|e| tail(&e.path) == wanted)
    }
}

/// A container or a task.
#[derive(Clone, Debug, Default)]
pub struct ExecutablePlan {
    /// DTSID, `{GUID}`.
    pub id: String,
    /// ObjectName; for an event handler the name of its event.
    pub name: String,
    /// Description.
    pub description: String,
    /// `\Package\Seq\Task`; for an event handler `\Package\Seq.EventHandlers[OnError]`.
    pub path: String,
    /// CreationName as the package spells it.
    pub creation_name: String,
    /// What it is.
    pub kind: ExecutableKind,
    /// Properties that all executables share, by the names of the object model (`Disable`, `MaximumErrorCount`,
    /// `FailPackageOnFailure`, `MaxConcurrentExecutables` …). Those that a package leaves out are absent here, too.
    pub properties: PropertyBag,
    /// Property expressions, of the executable and of its task alike.
    pub expressions: Vec<PropertyExpression>,
    /// The variables that it defines.
    pub variables: Vec<VariablePlan>,
    /// What it contains, in the order of the package.
    pub children: Vec<ExecutableIndex>,
    /// The precedence constraints between its children.
    pub constraints: Vec<ConstraintPlan>,
    /// Its event handlers.
    pub handlers: Vec<ExecutableIndex>,
    /// What contains it; an event handler is contained by the executable whose events it handles. None: the package.
    pub parent: Option<ExecutableIndex>,
    /// What it logs.
    pub logging: LoggingPlan,
    /// Where it stands in the file.
    pub span: Option<Span>,
}

/// What an executable is.
#[derive(Clone, Debug, Default)]
pub enum ExecutableKind {
    /// The package.
    Package,
    /// A sequence container.
    #[default]
    Sequence,
    /// A For Loop container.
    ForLoop(ForLoopSpec),
    /// A Foreach Loop container.
    ForeachLoop(Box<ForeachSpec>),
    /// A task.
    Task(Box<TaskSpec>),
    /// An event handler: a container that runs when its event fires.
    EventHandler {
        /// EventName: `OnError`.
        event: String,
    },
}

/// The expressions of a For Loop; "" where the package has none.
#[derive(Clone, Debug, Default)]
pub struct ForLoopSpec {
    /// InitExpression, an assignment.
    pub init: String,
    /// EvalExpression, Boolean.
    pub eval: String,
    /// AssignExpression, an assignment.
    pub assign: String,
}

/// A Foreach Loop.
#[derive(Clone, Debug, Default)]
pub struct ForeachSpec {
    /// What it enumerates.
    pub enumerator: EnumeratorSpec,
    /// Which variable takes which column of an item.
    pub mappings: Vec<ForeachMapping>,
}

/// One ForEachVariableMapping.
#[derive(Clone, Debug, Default)]
pub struct ForeachMapping {
    /// `User::X`.
    pub variable: String,
    /// ValueIndex, from 0.
    pub index: i64,
    /// Where it stands in the file.
    pub span: Option<Span>,
}

/// A Foreach enumerator as a package describes it.
#[derive(Clone, Debug, Default)]
pub struct EnumeratorSpec {
    /// The canonical kind: `Microsoft.ForEachFileEnumerator`.
    pub kind: String,
    /// ObjectName.
    pub name: String,
    /// `\Package\Loop.ForEachEnumerator`.
    pub path: String,
    /// What the package stores for it (the first element in its ObjectData).
    pub data: DataNode,
    /// What expressions, configurations and overrides say, by the names of the object model (`Directory`, `FileSpec` …).
    pub properties: PropertyBag,
    /// Property expressions.
    pub expressions: Vec<PropertyExpression>,
    /// Where it stands in the file.
    pub span: Option<Span>,
}

/// A task as a package describes it.
#[derive(Clone, Debug, Default)]
pub struct TaskSpec {
    /// The canonical kind: `Microsoft.FileSystemTask`.
    pub kind: String,
    /// The path of its executable.
    pub path: String,
    /// Its name.
    pub name: String,
    /// What the package stores for it (the first element in its ObjectData).
    pub data: DataNode,
    /// What expressions, configurations and overrides say, by the names of the object model (`Source`, `Operation` …);
    /// a value here replaces the one in `data`.
    pub properties: PropertyBag,
    /// The data flow, if it is the task that runs one.
    pub flow: Option<Box<FlowSpec>>,
    /// Where it stands in the file.
    pub span: Option<Span>,
}

/// `DTS:PropertyExpression`.
#[derive(Clone, Debug, Default)]
pub struct PropertyExpression {
    /// The property's name in the object model; for a data flow `[Component].[Property]`.
    pub property: String,
    /// The expression.
    pub text: String,
    /// Where it stands in the file.
    pub span: Option<Span>,
}

/// A variable.
#[derive(Clone, Debug, Default)]
pub struct VariablePlan {
    /// Namespace, `User` for most.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// DTSID.
    pub id: String,
    /// Description.
    pub description: String,
    /// Its type, which never changes.
    pub data_type: VariableType,
    /// Its value at the start.
    pub value: Value,
    /// Its expression, if EvaluateAsExpression is set.
    pub expression: Option<String>,
    /// ReadOnly.
    pub read_only: bool,
    /// RaiseChangedEvent.
    pub raise_changed_event: bool,
    /// Where it stands in the file.
    pub span: Option<Span>,
}

/// A parameter with its resolved value.
#[derive(Clone, Debug, Default)]
pub struct ParameterPlan {
    /// `$Package` or `$Project`.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// DTSID.
    pub id: String,
    /// Its type.
    pub data_type: VariableType,
    /// The execution value, or the server's, or the design value.
    pub value: Value,
    /// Whether it must be given a value from outside.
    pub required: bool,
    /// Whether its value must not be shown.
    pub sensitive: bool,
    /// Where it stands in the file.
    pub span: Option<Span>,
}

/// A precedence constraint between two children of a container.
#[derive(Clone, Debug, Default)]
pub struct ConstraintPlan {
    /// Its name.
    pub name: String,
    /// The executable that must end first.
    pub from: ExecutableIndex,
    /// The executable that waits.
    pub to: ExecutableIndex,
    /// Which result it wants.
    pub value: ConstraintValue,
    /// Whether result, expression or both decide.
    pub eval_op: EvalOp,
    /// True: all constraints into `to` must hold; false: one is enough.
    pub logical_and: bool,
    /// Boolean expression, "" if none.
    pub expression: String,
    /// Where it stands in the file.
    pub span: Option<Span>,
}

/// The result that a precedence constraint wants of its executable.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum ConstraintValue {
    /// 0.
    #[default]
    Success,
    /// 1.
    Failure,
    /// 2: any result.
    Completion,
    /// 3.
    Canceled,
}

impl ConstraintValue {
    /// From the number that packages store.
    pub fn from_number(number: i64) -> Option<ConstraintValue> {
        Some(match number {
            0 => ConstraintValue::Success,
            1 => ConstraintValue::Failure,
            2 => ConstraintValue::Completion,
            3 => ConstraintValue::Canceled,
            _ => return None,
        })
    }
}

/// What decides a precedence constraint.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum EvalOp {
    /// 1: the expression alone.
    Expression,
    /// 2: the result alone.
    #[default]
    Constraint,
    /// 3: both must hold.
    ExpressionAndConstraint,
    /// 4: one is enough.
    ExpressionOrConstraint,
}

impl EvalOp {
    /// From the number that packages store.
    pub fn from_number(number: i64) -> Option<EvalOp> {
        Some(match number {
            1 => EvalOp::Expression,
            2 => EvalOp::Constraint,
            3 => EvalOp::ExpressionAndConstraint,
            4 => EvalOp::ExpressionOrConstraint,
            _ => return None,
        })
    }
}

/// A connection manager before its expressions are evaluated.
#[derive(Clone, Debug, Default)]
pub struct ConnectionPlan {
    /// Its description, overrides and configurations applied.
    pub spec: ConnectionSpec,
    /// Property expressions, evaluated in the package's scope each time the connection is acquired.
    pub expressions: Vec<PropertyExpression>,
    /// DelayValidation.
    pub delay_validation: bool,
    /// Where it stands in the file.
    pub span: Option<Span>,
}

/// A log provider.
#[derive(Clone, Debug, Default)]
pub struct LogProviderPlan {
    /// DTSID.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The canonical kind: `Microsoft.LogProviderTextFile`.
    pub kind: String,
    /// ConfigString: the name of a connection manager.
    pub config_string: String,
    /// Property expressions.
    pub expressions: Vec<PropertyExpression>,
    /// Where it stands in the file.
    pub span: Option<Span>,
}

/// `DTS:LoggingOptions` of an executable.
#[derive(Clone, Debug, Default)]
pub struct LoggingPlan {
    /// Whether it logs.
    pub mode: LoggingMode,
    /// True: `events` lists what is not logged (FilterKind 1).
    pub exclude: bool,
    /// EventFilter.
    pub events: Vec<String>,
    /// ColumnFilter: an event, and the columns that are switched off for it.
    pub hidden_columns: Vec<(String, Vec<String>)>,
    /// The DTSIDs of the selected log providers.
    pub providers: Vec<String>,
}

/// LoggingMode.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum LoggingMode {
    /// 0: as the parent says; a package has none and does not log.
    #[default]
    UseParentSetting,
    /// 1.
    Enabled,
    /// 2.
    Disabled,
}
