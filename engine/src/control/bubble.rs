//! Events on their way up: handlers at every level, then listeners.

use super::frame::{Frame, Handling, Phase};
use super::lifecycle;
use super::plan::{ExecutableIndex, ExecutableKind};
use crate::diag::{Code, Error, Owner, codes};
use crate::events::{Event, EventBody, EventKind, Events, Message};
use chrono::Local;
use crossbeam::channel::Sender;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// An error inside an event handler counts for the container whose event it handles, too, as it bubbles on from there
/// (unconfirmed).
const HANDLER_ERRORS_REACH_THE_OWNER: bool = true;

/// Raises an event at a container and lets it bubble: at each level its handlers run, on this thread, and an error is
/// counted; a handler that sets System::Propagate to False ends the way. Then the listeners hear of every level reached.
pub(super) fn raise(frame: &Arc<Frame>, kind: EventKind, body: EventBody) {
    let (time, body) = (Local::now(), Arc::new(body));
    let mut levels: Vec<Arc<Frame>> = Vec::new();
    let mut next = Some(frame.clone());
    while let Some(at) = next {
        if kind == EventKind::OnError {
            at.add_error();
        }
        let propagate = run_handlers(&at, frame, &kind, &body);
        let parent = at.parent.clone();
        let leaves_package = parent.as_ref().is_none_or(|p| !Arc::ptr_eq(&p.run, &at.run));
        let leaves_handler = at.handling.is_some() && !HANDLER_ERRORS_REACH_THE_OWNER;
        // Propagate is ignored during validation, and does not keep an event from a parent package.
        let go_on = propagate || frame.phase == Phase::Validation || leaves_package;
        levels.push(at);
        next = parent.filter(|_| go_on && !leaves_handler);
    }
    if !kind.repeats_at_ancestors() {
        levels.truncate(1);
    }
    for level in &levels {
        let (source, at) = (frame.source().clone(), level.source().clone());
        let event = Event { kind: kind.clone(), source, at, time, body: body.clone() };
        for listener in &frame.run.listeners {
            listener.event(&event);
        }
        // A child package's events reach the logs of its parents, too; an event handler logs as its owner does.
        if let Some(logs) = level.run.logs.get() {
            logs.write(&level.run.plan, level.index, &level.run.info, &event);
        }
    }
}

/// Runs the handlers that a container has for an event; whether the event goes on.
fn run_handlers(at: &Arc<Frame>, raised_by: &Arc<Frame>, kind: &EventKind, body: &Arc<EventBody>) -> bool {
    if !at.run.handlers || at.plan().handlers.is_empty() || at.flag("DisableEventHandlers") {
        return true;
    }
    let mut propagate = true;
    for &index in &at.plan().handlers {
        let ExecutableKind::EventHandler { event } = &at.run.plan.executables[index].kind else { continue };
        if !event.eq_ignore_ascii_case(kind.name()) || is_running(raised_by, at, index) {
            continue;
        }
        let parent = raised_by.parent.as_ref().map_or(String::new(), |p| p.source().id.clone());
        let mut handling = Handling::new(kind.clone(), body.clone(), raised_by.source().clone(), parent);
        handling.raised_by = Some(raised_by.clone());
        let handler = at.handler(index, handling);
        lifecycle::execute(&handler);
        if let Some(handling) = &handler.handling {
            propagate &= handling.propagate.load(Ordering::SeqCst);
            if handling.cancel.load(Ordering::SeqCst) {
                at.run.services.cancel.cancel();
            }
        }
    }
    propagate
}

/// Whether the event was raised, directly or through further handlers, inside this very handler: it is not entered again.
fn is_running(raised_by: &Arc<Frame>, owner: &Arc<Frame>, handler: ExecutableIndex) -> bool {
    let mut at = Some(raised_by.clone());
    while let Some(frame) = at {
        if frame.index == handler && Arc::ptr_eq(&frame.run, &owner.run) {
            return true;
        }
        let raiser = frame.handling.as_ref().and_then(|h| h.raised_by.clone());
        at = raiser.or_else(|| frame.parent.clone());
    }
    false
}

/// Raises an event that carries nothing but a data code.
pub(super) fn raise_plain(frame: &Arc<Frame>, kind: EventKind) {
    raise(frame, kind, EventBody::Lifecycle(0));
}

/// Raises OnError, OnWarning or OnInformation.
pub(super) fn raise_message(frame: &Arc<Frame>, message: Message) {
    raise(frame, EventKind::of(message.severity), EventBody::Message(message));
}

/// Raises OnError with a code of the table.
pub(super) fn raise_code(frame: &Arc<Frame>, code: Code, text: impl Into<String>) {
    raise_message(frame, Message::new(code, "", text));
}

/// Raises OnError for what ended something; nothing for a cancellation.
pub(super) fn raise_error(frame: &Arc<Frame>, error: &Error) {
    if error.owner() == Owner::Cancelled {
        return;
    }
    let sub_component = part_of(error.object(), &frame.plan().path);
    let code = error.code().unwrap_or(codes::DTS_E_GENERICERROR);
    let severity = crate::diag::Severity::Error;
    raise_message(frame, Message { severity, code, sub_component, text: error.to_string() });
}

/// The part of a task that an object path names: `\Package\DFT\Source` in `\Package\DFT` is `Source`.
pub(super) fn part_of(object: &str, task: &str) -> String {
    object.strip_prefix(task).map_or("", |rest| rest.trim_start_matches(['\\', '.'])).to_owned()
}

/// Tells that a variable has a new value, at the container that owns it.
pub(super) fn variable_changed(
    frame: &Arc<Frame>,
    queue: Option<&EventQueue>,
    owner: ExecutableIndex,
    variable: usize,
) {
    let mut at = frame.clone();
    while at.index != owner {
        match at.parent.clone() {
            Some(parent) => at = parent,
            None => return,
        }
    }
    let plan = &at.plan().variables[variable];
    let body = EventBody::Variable {
        id: plan.id.clone(),
        name: format!("{}::{}", plan.namespace, plan.name),
        description: plan.description.clone(),
    };
    match queue {
        Some(queue) => queue.send(at, EventKind::OnVariableValueChanged, body),
        None => raise(&at, EventKind::OnVariableValueChanged, body),
    }
}

/// What goes over an [`EventQueue`].
pub(super) enum Queued {
    /// An event on its way to the thread that raises it.
    Event(Arc<Frame>, EventKind, EventBody),
    /// There will be no more.
    Closed,
}

/// Takes events from threads that must not wait (those of the pool); a thread of the control flow raises them.
#[derive(Clone)]
pub(super) struct EventQueue(pub(super) Sender<Queued>);

impl EventQueue {
    fn send(&self, frame: Arc<Frame>, kind: EventKind, body: EventBody) {
        // The receiving thread outlives the flow; what comes after it is too late for anybody.
        let _ = self.0.send(Queued::Event(frame, kind, body));
    }

    pub(super) fn close(&self) {
        let _ = self.0.send(Queued::Closed);
    }
}

/// Where a task fires its messages.
pub(super) struct TaskEvents {
    pub(super) frame: Arc<Frame>,
    /// None: handlers run on the thread that fires.
    pub(super) queue: Option<EventQueue>,
}

impl TaskEvents {
    fn send(&self, kind: EventKind, body: EventBody) {
        match &self.queue {
            Some(queue) => queue.send(self.frame.clone(), kind, body),
            None => raise(&self.frame, kind, body),
        }
    }
}

impl Events for TaskEvents {
    fn fire(&self, message: Message) {
        self.send(EventKind::of(message.severity), EventBody::Message(message));
    }

    fn progress(&self, description: &str, percent: u8, sub_component: &str) {
        let (description, sub_component) = (description.to_owned(), sub_component.to_owned());
        self.send(EventKind::OnProgress, EventBody::Progress { description, percent, sub_component });
    }

    fn custom(&self, name: &str, text: &str) {
        self.send(EventKind::Custom(name.into()), EventBody::Text(text.to_owned()));
    }
}
