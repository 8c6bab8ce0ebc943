//! Events: what happens during a run, for handlers, log providers, displays.
//!
//! A task or component fires a [`Message`] or progress through [`Events`]. The engine turns it into an [`Event`] at the
//! container that raised it and lets it bubble up the container path: at each level the event handlers of the container
//! run, then, after the last level, the [`EventListener`]s hear of it.

mod event;
mod recorder;

pub use event::{Event, EventBody, EventKind, EventListener, ExecutionInfo, Source};
pub use recorder::{EventRecorder, RecordedEvent};

use crate::diag::{Code, Severity};

/// An error, warning or information that a component or a task fires.
#[derive(Clone, Debug)]
pub struct Message {
    /// Which of the three events.
    pub severity: Severity,
    /// The SSIS code.
    pub code: Code,
    /// The component or part that says it ("SSIS.Pipeline", a component's name), or "".
    pub sub_component: String,
    /// The text.
    pub text: String,
}

impl Message {
    /// A message whose severity is that of its code.
    pub fn new(code: Code, sub_component: impl Into<String>, text: impl Into<String>) -> Message {
        Message { severity: code.severity(), code, sub_component: sub_component.into(), text: text.into() }
    }
}

/// Where a component or a task fires its messages and progress; the engine adds the source and lets them bubble.
pub trait Events: Send + Sync {
    /// Fires OnError, OnWarning or OnInformation.
    fn fire(&self, message: Message);

    /// Fires OnProgress: what, and how far in percent.
    fn progress(&self, description: &str, percent: u8, sub_component: &str);

    /// Fires an event of the task's own (`FileSystemOperation`), which handlers and logs know by its name.
    fn custom(&self, _name: &str, _text: &str) {}
}

/// Hears nothing: for what runs on its own, outside a package.
#[derive(Clone, Copy, Default, Debug)]
pub struct Quiet;

impl Events for Quiet {
    fn fire(&self, _message: Message) {}

    fn progress(&self, _description: &str, _percent: u8, _sub_component: &str) {}
}
