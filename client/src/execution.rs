//! A run from outside: events, rows, the end.

use crate::backend::{self, Loaded};
use crate::counts::RowCounts;
use crate::error::{Error, Result};
use crate::event::{Event, Listener};
use crate::reader::{Channel, Reader};
use crate::settings::Settings;
use crossbeam::channel::{Receiver, Sender, unbounded};
use dtsx_engine::run::{CancelToken, RunOptions};
use dtsx_engine::types::Value;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

/// How a run ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RunResult {
    /// DTSER_SUCCESS.
    Success,
    /// DTSER_FAILURE.
    Failure,
    /// DTSER_CANCELED.
    Cancelled,
}

/// The rows that passed over a data path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathRows {
    /// The path of the data flow task.
    pub task: String,
    /// Where the rows come from: `component.output`.
    pub path: String,
    /// How many.
    pub rows: u64,
}

/// The rows of a component of a data flow: what came in, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ComponentRows {
    /// The path of the data flow task.
    pub task: String,
    /// The component's name.
    pub component: String,
    /// What it owes for its rows: "every row leaves once".
    pub rule: String,
    /// Rows that came in.
    pub received: u64,
    /// Rows that left, errors not counted.
    pub sent: u64,
    /// Rows that left by the error output.
    pub redirected: u64,
    /// Rows that were left out, redirected ones that nobody takes among them.
    pub left_out: u64,
}

/// A variable of the package container at the end of a run.
#[derive(Clone, Debug)]
pub struct Variable {
    /// `User::X`, `$Package::P`.
    pub name: String,
    /// Its value.
    pub value: Value,
}

/// What came of a run.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Success, failure, or cancelled.
    pub result: RunResult,
    /// The variables of the package container as they stand at the end, system variables not counted.
    pub variables: Vec<Variable>,
    /// Rows by data path.
    pub rows: Vec<PathRows>,
    /// Rows by component.
    pub components: Vec<ComponentRows>,
    /// How long it took.
    pub elapsed: Duration,
    /// What components held rows in.
    pub memory: MemoryUse,
}

/// The memory that sorts, aggregates, lookups and joins took; what is in flight between components is not counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct MemoryUse {
    /// The most bytes at once.
    pub peak: u64,
    /// Bytes that were written to disk because they did not fit.
    pub spilled: u64,
}

impl Variable {
    /// The value as text, in the forms of [`crate::rows`]; `None` for NULL and for objects.
    pub fn text(&self) -> Option<String> {
        crate::rows::value_text(&self.value)
    }
}

impl Outcome {
    /// Whether the package succeeded.
    pub fn succeeded(&self) -> bool {
        self.result == RunResult::Success
    }

    /// The value of a variable of the package container.
    pub fn variable(&self, name: &str) -> Option<&Value> {
        self.variables.iter().find(|v| v.name == name).map(|v| &v.value)
    }
}

/// A package that runs, on threads of its own. Dropping it does not end the run; [`CancelToken::cancel`] does.
pub struct Execution {
    events: Receiver<Event>,
    cancel: CancelToken,
    rows: RowCounts,
    readers: Vec<(String, Arc<Channel>)>,
    thread: JoinHandle<Result<Outcome>>,
}

impl Execution {
    pub(crate) fn start(
        loaded: Arc<Loaded>,
        settings: Settings,
        options: RunOptions,
        listeners: Vec<Arc<dyn Listener>>,
    ) -> Result<Execution> {
        let (sender, events) = unbounded();
        let mut readers: Vec<(String, Arc<Channel>)> = Vec::new();
        for name in &settings.readers {
            if !readers.iter().any(|(known, _)| known == name) {
                readers.push((name.clone(), Channel::new()));
            }
        }
        let prepared = backend::prepare(&loaded, &settings, options, &readers)?;
        let (cancel, rows) = (prepared.cancel(), prepared.row_counts());
        let channels = readers.clone();
        let thread = std::thread::Builder::new()
            .name("dtsx-run".to_owned())
            .spawn(move || {
                let result = prepared.run(Arc::new(Fan { sender, listeners }));
                let failure = match &result {
                    Ok(outcome) if outcome.succeeded() => None,
                    Ok(Outcome { result: RunResult::Cancelled, .. }) => Some("the run was cancelled".to_owned()),
                    Ok(_) => Some("the run failed before the destination had all its rows".to_owned()),
                    Err(error) => Some(error.to_string()),
                };
                channels.iter().for_each(|(_, channel)| channel.end(failure.clone()));
                result
            })
            .map_err(dtsx_engine::diag::Error::from)?;
        Ok(Execution { events, cancel, rows, readers, thread })
    }

    /// Events in order; the channel closes when the run ends. It is not bounded: a run does not wait for whoever reads it.
    pub fn events(&self) -> &Receiver<Event> {
        &self.events
    }

    /// Lets go of the events: nobody will read them.
    pub fn ignore_events(&mut self) {
        self.events = crossbeam::channel::never();
    }

    /// Ends the run when it is cancelled; may be kept and used anywhere.
    pub fn cancel_token(&self) -> CancelToken {
        self.cancel.clone()
    }

    /// The rows that have passed over each data path so far.
    pub fn rows(&self) -> Vec<PathRows> {
        self.rows.snapshot()
    }

    /// The rows of a DataReader destination that [`Package::reader`](crate::Package::reader) announced. Waits until the
    /// destination knows its columns.
    ///
    /// # Errors
    /// [`Error::NoReader`]: it was not announced, was asked for before, or did not run.
    pub fn reader(&mut self, name: &str) -> Result<Reader> {
        let missing = || Error::NoReader(name.to_owned());
        let at = self.readers.iter().position(|(known, _)| known == name).ok_or_else(missing)?;
        let (_, channel) = self.readers.remove(at);
        let schema = channel.wait_for_schema().ok_or_else(missing)?;
        Ok(Reader::new(channel, schema, self.cancel.clone()))
    }

    /// Waits for the end.
    ///
    /// # Errors
    /// When the engine gave up for a reason of its own.
    pub fn wait(self) -> Result<Outcome> {
        self.thread
            .join()
            .unwrap_or_else(|_| Err(dtsx_engine::diag::Error::internal("the run ended in a panic").into()))
    }
}

/// Tells listeners and the channel of events.
struct Fan {
    sender: Sender<Event>,
    listeners: Vec<Arc<dyn Listener>>,
}

impl Listener for Fan {
    fn event(&self, event: &Event) {
        for listener in &self.listeners {
            listener.event(event);
        }
        // Nobody has to listen.
        let _ = self.sender.send(event.clone());
    }
}
