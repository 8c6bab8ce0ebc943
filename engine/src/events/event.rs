//! The event as handlers and listeners see it.

use super::Message;
use crate::diag::Severity;
use chrono::{DateTime, Local};
use std::fmt;
use std::sync::Arc;

/// The object that an event is about, or that it has bubbled up to.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Source {
    /// DTSID.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its description.
    pub description: String,
    /// `\Package\Seq\Task`.
    pub path: String,
    /// The canonical kind of a task (`Microsoft.FileSystemTask`), `STOCK:SEQUENCE` …
    pub kind: String,
    /// Whether it is a task and not a container.
    pub is_task: bool,
}

/// What an execution is, for listeners.
#[derive(Clone, Debug)]
pub struct ExecutionInfo {
    /// ExecutionInstanceGUID, `{GUID}`.
    pub execution_id: String,
    /// The package.
    pub package: Arc<Source>,
    /// The computer it runs on.
    pub machine: String,
    /// Who runs it (`domain\user` where there is a domain).
    pub user: String,
    /// When it began.
    pub started: DateTime<Local>,
}

/// The kinds of events: each name stands once.
macro_rules! event_kinds {
    ($($name:ident)*) => {
        /// Which event. The names are those of handlers, filters and logs.
        #[derive(Clone, PartialEq, Eq, Hash, Debug)]
        #[expect(missing_docs, reason = "the variants are the names of SSIS events")]
        pub enum EventKind {
            $($name,)*
            /// An event of a task's own.
            Custom(Arc<str>),
        }

        impl EventKind {
            /// The event's name.
            pub fn name(&self) -> &str {
                match self {
                    $(EventKind::$name => stringify!($name),)*
                    EventKind::Custom(name) => name,
                }
            }

            /// The event of a name, in any letters.
            pub fn named(name: &str) -> EventKind {
                let known = [$(EventKind::$name),*];
                let found = known.into_iter().find(|kind| kind.name().eq_ignore_ascii_case(name));
                found.unwrap_or_else(|| EventKind::Custom(name.into()))
            }
        }
    };
}

event_kinds! {
    PackageStart
    PackageEnd
    OnPreValidate
    OnPostValidate
    OnPreExecute
    OnPostExecute
    OnError
    OnWarning
    OnInformation
    OnProgress
    OnQueryCancel
    OnTaskFailed
    OnVariableValueChanged
}

impl EventKind {
    /// The event of a message.
    pub fn of(severity: Severity) -> EventKind {
        match severity {
            Severity::Error => EventKind::OnError,
            Severity::Warning => EventKind::OnWarning,
            Severity::Information => EventKind::OnInformation,
        }
    }

    /// Whether listeners hear of it again at every container that it bubbles up to. The original's logs repeat errors
    /// and warnings with each ancestor as their source, and write all other events once; information is taken to go
    /// with errors and warnings (unconfirmed).
    pub fn repeats_at_ancestors(&self) -> bool {
        matches!(self, EventKind::OnError | EventKind::OnWarning | EventKind::OnInformation)
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What an event carries.
#[derive(Clone, Debug)]
pub enum EventBody {
    /// Nothing but a data code: the result in PackageEnd, 0 elsewhere.
    Lifecycle(i32),
    /// OnError, OnWarning, OnInformation.
    Message(Message),
    /// OnProgress.
    Progress {
        /// What is going on: `Validating`.
        description: String,
        /// How far.
        percent: u8,
        /// Which part of the task.
        sub_component: String,
    },
    /// OnVariableValueChanged.
    Variable {
        /// DTSID.
        id: String,
        /// `User::X`.
        name: String,
        /// Description.
        description: String,
    },
    /// The text of a custom event.
    Text(String),
}

/// One event at one level of the container path.
#[derive(Clone, Debug)]
pub struct Event {
    /// Which.
    pub kind: EventKind,
    /// Who raised it.
    pub source: Arc<Source>,
    /// The container that it has reached: `source` itself, or one of its ancestors.
    pub at: Arc<Source>,
    /// When it was raised.
    pub time: DateTime<Local>,
    /// What it carries.
    pub body: Arc<EventBody>,
}

impl Event {
    /// Whether this is the event itself and not its repetition at an ancestor.
    pub fn is_original(&self) -> bool {
        Arc::ptr_eq(&self.source, &self.at)
    }

    /// The data code of logs: the code of a message, the percentage of progress, the result of PackageEnd.
    pub fn data_code(&self) -> i32 {
        match &*self.body {
            EventBody::Lifecycle(code) => *code,
            EventBody::Message(message) => message.code.signed(),
            EventBody::Progress { percent, .. } => i32::from(*percent),
            EventBody::Variable { .. } | EventBody::Text(_) => 0,
        }
    }

    /// The message of logs and displays.
    pub fn message(&self) -> &str {
        match (&self.kind, &*self.body) {
            (EventKind::PackageStart, _) => "Beginning of package execution.",
            (EventKind::PackageEnd, _) => "End of package execution.",
            (_, EventBody::Message(message)) => &message.text,
            (_, EventBody::Progress { description, .. }) => description,
            (_, EventBody::Variable { name, .. }) => name,
            (_, EventBody::Text(text)) => text,
            (_, EventBody::Lifecycle(_)) => "",
        }
    }

    /// The part of the source that speaks, or "".
    pub fn sub_component(&self) -> &str {
        match &*self.body {
            EventBody::Message(message) => &message.sub_component,
            EventBody::Progress { sub_component, .. } => sub_component,
            _ => "",
        }
    }
}

/// A log provider, a display, a server. Calls come from many threads, for one source in the order of its events.
pub trait EventListener: Send + Sync {
    /// The execution begins; called once before the first event.
    fn begin(&self, _execution: &ExecutionInfo) {}

    /// An event happened, or has reached an ancestor ([`Event::is_original`]).
    fn event(&self, event: &Event);

    /// The execution has ended; called once after the last event.
    fn end(&self) {}
}
