//! Events: what happens during a run, for handlers, log providers, displays.

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

/// Where a component or a task fires its messages and progress; the engine adds the source and lets them bubble.
pub trait Events: Send + Sync {
    /// Fires OnError, OnWarning or OnInformation.
    fn fire(&self, message: Message);

    /// Fires OnProgress: what, and how far in percent.
    fn progress(&self, description: &str, percent: u8, sub_component: &str);
}
