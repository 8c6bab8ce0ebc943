//! A listener that keeps everything in memory; for tests and for clients that look afterwards.

use super::{Event, EventListener};
use std::fmt;
use std::sync::{Mutex, PoisonError};

/// What [`EventRecorder`] keeps of an event.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RecordedEvent {
    /// The event's name.
    pub event: String,
    /// The name of the container that it has reached.
    pub at: String,
    /// The data code.
    pub code: i32,
    /// The message.
    pub message: String,
    /// Whether it was raised there.
    pub original: bool,
}

impl fmt::Display for RecordedEvent {
    /// `OnError Task 0xC0029163`, `OnProgress Task 33 Validating`, `OnPreExecute Task`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.event, self.at)?;
        match self.event.as_str() {
            "OnError" | "OnWarning" | "OnInformation" => write!(f, " 0x{:08X}", self.code),
            "OnProgress" => write!(f, " {} {}", self.code, self.message),
            _ if self.code != 0 => write!(f, " {}", self.code),
            _ => Ok(()),
        }
    }
}

/// Keeps every event in the order of arrival.
#[derive(Debug, Default)]
pub struct EventRecorder {
    events: Mutex<Vec<RecordedEvent>>,
}

impl EventRecorder {
    /// Everything so far.
    pub fn events(&self) -> Vec<RecordedEvent> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Everything so far, one line an event.
    pub fn lines(&self) -> Vec<String> {
        self.events().iter().map(ToString::to_string).collect()
    }
}

impl EventListener for EventRecorder {
    fn event(&self, event: &Event) {
        let recorded = RecordedEvent {
            event: event.kind.name().to_owned(),
            at: event.at.name.clone(),
            code: event.data_code(),
            message: event.message().to_owned(),
            original: event.is_original(),
        };
        self.events.lock().unwrap_or_else(PoisonError::into_inner).push(recorded);
    }
}
