//! System variables: what a container knows of itself and of what is around it.

use super::bubble::{self, EventQueue};
use super::frame::{Frame, Handling, value_bool};
use super::plan::ExecutableIndex;
use crate::events::{EventBody, EventKind};
use crate::types::Value;
use crate::variables::{Surroundings, VariableAccess, VariableType as Type};
use chrono::{DateTime, Local};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// The surroundings of a scope: a frame, and where changes of variables are told.
pub(super) struct Around {
    pub(super) frame: Arc<Frame>,
    /// None: at once, on the thread that changes the variable.
    pub(super) queue: Option<EventQueue>,
}

impl Surroundings for Around {
    fn system(&self, name: &str) -> Option<(Type, Value)> {
        let frame = &self.frame;
        frame.own(name).or_else(|| frame.inherited(name)).or_else(|| frame.of_package(name))
    }

    fn set_system(&self, name: &str, value: &Value) -> bool {
        let Some(handling) = self.frame.nearest(|f| f.handling.as_ref()) else { return false };
        let (Some(flag), Some(_)) = (value_bool(value), event_variable(handling, name)) else { return false };
        match name {
            "Propagate" => handling.propagate.store(flag, Ordering::SeqCst),
            "Cancel" => handling.cancel.store(flag, Ordering::SeqCst),
            _ => return false,
        }
        true
    }

    fn changed(&self, owner: ExecutableIndex, variable: usize) {
        bubble::variable_changed(&self.frame, self.queue.as_ref(), owner, variable);
    }

    fn outer(&self) -> Option<&dyn VariableAccess> {
        self.frame.run.outer.as_ref().map(|scope| scope as &dyn VariableAccess)
    }
}

impl Frame {
    /// What the executable itself has.
    fn own(&self, name: &str) -> Option<(Type, Value)> {
        match name {
            "LocaleID" | "LocaleId" => Some((Type::Int32, Value::I4(self.locale() as i32))),
            "ContainerStartTime" => Some((Type::DateTime, self.started.get().map_or(Value::Null, date))),
            _ => None,
        }
    }

    /// What the nearest task and the nearest event handler around have.
    fn inherited(&self, name: &str) -> Option<(Type, Value)> {
        let task = match name {
            "TaskName" | "TaskID" | "CreationName" | "TaskTransactionOption" => {
                self.nearest(|f| f.is_task().then_some(f))
            }
            _ => None,
        };
        if let Some(task) = task {
            let plan = task.plan();
            return Some(match name {
                "TaskName" => text(&plan.name),
                "TaskID" => text(&plan.id),
                "CreationName" => text(&plan.creation_name),
                _ => (Type::Int32, Value::I4(task.int("TransactionOption").unwrap_or(1) as i32)),
            });
        }
        let handler = self.nearest(|f| f.handling.is_some().then_some(f))?;
        if name == "EventHandlerStartTime" {
            return Some((Type::DateTime, handler.started.get().map_or(Value::Null, date)));
        }
        event_variable(handler.handling.as_ref()?, name)
    }

    fn of_package(&self, name: &str) -> Option<(Type, Value)> {
        let (run, plan) = (&self.run, &self.run.plan);
        Some(match name {
            "CancelEvent" => (Type::Int32, Value::I4(0)),
            "CreationDate" => (Type::DateTime, plan.creation_date.clone()),
            "CreatorComputerName" => text(&plan.creator_computer),
            "CreatorName" => text(&plan.creator_name),
            "ExecutionInstanceGUID" => text(&run.info.execution_id),
            "FailedConfigurations" => text(&plan.failed_configurations.join(";")),
            "IgnoreConfigurationsOnLoad" => (Type::Boolean, Value::Bool(false)),
            "InteractiveMode" => (Type::Boolean, Value::Bool(run.interactive)),
            "MachineName" => text(&run.info.machine),
            "OfflineMode" => (Type::Boolean, Value::Bool(false)),
            "PackageID" => text(&plan.id),
            "PackageName" => text(&plan.name),
            "ServerExecutionID" => (Type::Int64, Value::I8(run.server_execution)),
            "StartTime" => (Type::DateTime, date(&run.info.started)),
            "UserName" => text(&run.info.user),
            "VersionMajor" => (Type::Int32, Value::I4(plan.version.0)),
            "VersionMinor" => (Type::Int32, Value::I4(plan.version.1)),
            "VersionBuild" => (Type::Int32, Value::I4(plan.version.2)),
            "VersionComments" => text(&plan.version_comments),
            "VersionGUID" => text(&plan.version_guid),
            _ => return None,
        })
    }
}

/// The variables of an event handler, by its event.
fn event_variable(handling: &Handling, name: &str) -> Option<(Type, Value)> {
    use EventKind::{OnError, OnInformation, OnQueryCancel, OnWarning};
    let kind = &handling.kind;
    let int = |v: i32| (Type::Int32, Value::I4(v));
    match (name, &*handling.body) {
        ("SourceName", _) => return Some(text(&handling.source.name)),
        ("SourceID", _) => return Some(text(&handling.source.id)),
        ("SourceDescription", _) => return Some(text(&handling.source.description)),
        ("SourceParentGUID", _) => return Some(text(&handling.source_parent)),
        ("Propagate", _) => return Some((Type::Boolean, Value::Bool(handling.propagate.load(Ordering::SeqCst)))),
        ("Cancel", _) if matches!(kind, OnError | OnWarning | OnQueryCancel) => {
            return Some((Type::Boolean, Value::Bool(handling.cancel.load(Ordering::SeqCst))));
        }
        _ => {}
    }
    Some(match (name, &*handling.body) {
        ("ErrorCode", EventBody::Message(message)) => int(message.code.signed()),
        ("ErrorDescription", EventBody::Message(message)) => text(&message.text),
        // While handlers are validated there is no message yet.
        ("ErrorCode", _) if matches!(kind, OnError | OnWarning | OnInformation) => int(0),
        ("ErrorDescription", _) if matches!(kind, OnError | OnWarning | OnInformation) => text(""),
        ("PercentComplete", EventBody::Progress { percent, .. }) => int(i32::from(*percent)),
        ("ProgressDescription", EventBody::Progress { description, .. }) => text(description),
        ("PercentComplete", _) if *kind == EventKind::OnProgress => int(0),
        ("ProgressDescription", _) if *kind == EventKind::OnProgress => text(""),
        ("ProgressCountHigh" | "ProgressCountLow", _) if *kind == EventKind::OnProgress => int(0),
        ("VariableID", EventBody::Variable { id, .. }) => text(id),
        ("VariableDescription", EventBody::Variable { description, .. }) => text(description),
        ("VariableName", EventBody::Variable { name, .. }) => text(name),
        ("VariableID" | "VariableDescription" | "VariableName", _) if *kind == EventKind::OnVariableValueChanged => {
            text("")
        }
        ("ExecutionValue", _) if *kind == EventKind::OnTaskFailed => (Type::DBNull, Value::Null),
        _ => return None,
    })
}

fn text(text: &str) -> (Type, Value) {
    (Type::String, Value::text(text))
}

/// A moment as DateTime variables hold it: local time in whole seconds, as the original's start times show (unconfirmed
/// for fractions).
fn date(at: &DateTime<Local>) -> Value {
    Value::Timestamp(at.naive_local().and_utc().timestamp() * 1_000_000)
}
