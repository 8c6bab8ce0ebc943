//! What happens during a run, for displays and logs.

use crate::execution::PathRows;
use dtsx_engine::diag::Code;
use std::time::SystemTime;

/// Something that happened.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// When.
    pub time: SystemTime,
    /// The executable that it happened to.
    pub source: Source,
    /// What.
    pub kind: EventKind,
}

/// The executable that an event comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Source {
    /// Its name.
    pub name: String,
    /// Its path: `\Package\Data Flow Task`.
    pub path: String,
    /// Its DTSID, `{GUID}`.
    pub id: String,
}

/// What happened, by the names of the run-time events of SSIS.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum EventKind {
    /// PackageStart: validation went well, execution begins.
    PackageStart,
    /// PackageEnd.
    PackageEnd,
    /// OnPreValidate.
    PreValidate,
    /// OnPostValidate.
    PostValidate,
    /// OnPreExecute.
    PreExecute,
    /// OnPostExecute.
    PostExecute {
        /// The rows that passed over each path, if it was a data flow.
        rows: Vec<PathRows>,
    },
    /// OnError.
    Error(Message),
    /// OnWarning.
    Warning(Message),
    /// OnInformation.
    Information(Message),
    /// OnProgress.
    Progress {
        /// What is going on.
        description: String,
        /// How far, from 0 to 100.
        percent: u8,
        /// The part of the executable that says it, or "".
        sub_component: String,
    },
    /// OnTaskFailed.
    TaskFailed,
    /// OnQueryCancel.
    QueryCancel,
    /// OnVariableValueChanged.
    VariableValueChanged {
        /// The variable: `User::X`.
        variable: String,
    },
    /// An event with a name of its own, as tasks and data flows log them (`PipelineComponentTime`, `Diagnostic`).
    Custom {
        /// Its name.
        name: String,
        /// What it says.
        text: String,
    },
}

/// An error, a warning, an information.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// The SSIS code.
    pub code: Code,
    /// The part of the executable that says it (`SSIS.Pipeline`, a component), or "".
    pub sub_component: String,
    /// The text.
    pub text: String,
}

impl EventKind {
    /// The name of the event, as event handlers and logs spell it.
    pub fn name(&self) -> &str {
        match self {
            EventKind::PackageStart => "PackageStart",
            EventKind::PackageEnd => "PackageEnd",
            EventKind::PreValidate => "OnPreValidate",
            EventKind::PostValidate => "OnPostValidate",
            EventKind::PreExecute => "OnPreExecute",
            EventKind::PostExecute { .. } => "OnPostExecute",
            EventKind::Error(_) => "OnError",
            EventKind::Warning(_) => "OnWarning",
            EventKind::Information(_) => "OnInformation",
            EventKind::Progress { .. } => "OnProgress",
            EventKind::TaskFailed => "OnTaskFailed",
            EventKind::QueryCancel => "OnQueryCancel",
            EventKind::VariableValueChanged { .. } => "OnVariableValueChanged",
            EventKind::Custom { name, .. } => name,
        }
    }

    /// The message of an error, a warning, an information.
    pub fn message(&self) -> Option<&Message> {
        match self {
            EventKind::Error(m) | EventKind::Warning(m) | EventKind::Information(m) => Some(m),
            _ => None,
        }
    }
}

/// Is told of every event, in order, on the thread where it happens: do little.
///
/// Closures are listeners.
pub trait Listener: Send + Sync {
    /// Something happened.
    fn event(&self, event: &Event);
}

impl<F: Fn(&Event) + Send + Sync> Listener for F {
    fn event(&self, event: &Event) {
        self(event);
    }
}

/// All of them, one after the other.
impl Listener for Vec<std::sync::Arc<dyn Listener>> {
    fn event(&self, event: &Event) {
        for listener in self {
            listener.event(event);
        }
    }
}
