//! The engine's events as the client tells them.

use crate::counts::RowCounts;
use crate::event::{Event, EventKind, Listener, Message, Source};
use dtsx_engine::diag::Severity;
use dtsx_engine::events::{self, EventBody, EventListener};
use std::sync::Arc;

/// Passes events on, each once: not again at every container that it bubbles up to.
pub(crate) struct Forward {
    pub listener: Arc<dyn Listener>,
    /// The end of a data flow comes with its rows.
    pub counts: RowCounts,
}

impl EventListener for Forward {
    fn event(&self, event: &events::Event) {
        if event.is_original() {
            self.listener.event(&self.translated(event));
        }
    }
}

impl Forward {
    fn translated(&self, event: &events::Event) -> Event {
        let source =
            Source { name: event.source.name.clone(), path: event.source.path.clone(), id: event.source.id.clone() };
        let kind = match (&event.kind, &*event.body) {
            (_, EventBody::Message(m)) => {
                let message = Message { code: m.code, sub_component: m.sub_component.clone(), text: m.text.clone() };
                match m.severity {
                    Severity::Error => EventKind::Error(message),
                    Severity::Warning => EventKind::Warning(message),
                    Severity::Information => EventKind::Information(message),
                }
            }
            (_, EventBody::Progress { description, percent, sub_component }) => EventKind::Progress {
                description: description.clone(),
                percent: *percent,
                sub_component: sub_component.clone(),
            },
            (_, EventBody::Variable { name, .. }) => EventKind::VariableValueChanged { variable: name.clone() },
            (kind, EventBody::Text(text)) => EventKind::Custom { name: kind.name().to_owned(), text: text.clone() },
            (events::EventKind::PackageStart, _) => EventKind::PackageStart,
            (events::EventKind::PackageEnd, _) => EventKind::PackageEnd,
            (events::EventKind::OnPreValidate, _) => EventKind::PreValidate,
            (events::EventKind::OnPostValidate, _) => EventKind::PostValidate,
            (events::EventKind::OnPreExecute, _) => EventKind::PreExecute,
            (events::EventKind::OnPostExecute, _) => {
                EventKind::PostExecute { rows: self.counts.end(&event.source.path) }
            }
            (events::EventKind::OnTaskFailed, _) => EventKind::TaskFailed,
            (events::EventKind::OnQueryCancel, _) => EventKind::QueryCancel,
            (kind, _) => EventKind::Custom { name: kind.name().to_owned(), text: String::new() },
        };
        Event { time: event.time.into(), source, kind }
    }
}
