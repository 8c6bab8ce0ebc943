//! One execution of one executable: what it shares with the run, and what it counts.

use super::bubble::EventQueue;
use super::logging::Logs;
use super::permits::Permits;
use super::plan::{ExecutableIndex, ExecutableKind, ExecutablePlan, PACKAGE, PackagePlan};
use super::registry::Registry;
use super::system::Around;
use super::task::ExecResult;
use crate::diag::Result;
use crate::events::{EventBody, EventKind, EventListener, ExecutionInfo, Source};
use crate::props::{Origin, PropertyBag, parse_bool};
use crate::run::{Services, Transaction};
use crate::types::Value;
use crate::variables::{Scope, VariableStore, value_text};
use chrono::{DateTime, Local};
use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};

/// What everything in one running package shares.
pub(super) struct Run {
    pub(super) plan: Arc<PackagePlan>,
    pub(super) services: Services,
    pub(super) registry: Arc<Registry>,
    pub(super) store: Arc<VariableStore>,
    pub(super) listeners: Vec<Arc<dyn EventListener>>,
    pub(super) info: ExecutionInfo,
    pub(super) sources: Vec<Arc<Source>>,
    /// The variables around a child package.
    pub(super) outer: Option<Scope>,
    pub(super) interactive: bool,
    pub(super) server_execution: i64,
    /// Whether there are event handlers at all.
    pub(super) handlers: bool,
    /// The logs, while the package executes.
    pub(super) logs: OnceLock<Logs>,
    /// The object and the text of what is told once a run, and was told.
    pub(super) told: Mutex<HashSet<(String, String)>>,
}

/// One execution (or validation) of one executable. `parent` is the container around it; an event handler's is the
/// executable whose event it handles; a child package's is the task that runs it.
pub(super) struct Frame {
    pub(super) run: Arc<Run>,
    pub(super) index: ExecutableIndex,
    pub(super) parent: Option<Arc<Frame>>,
    pub(super) handling: Option<Handling>,
    pub(super) phase: Phase,
    /// What a task takes while it runs; None inside event handlers.
    pub(super) permits: Option<Arc<Permits>>,
    /// MaxConcurrentExecutables.
    pub(super) limit: usize,
    pub(super) started: OnceLock<DateTime<Local>>,
    errors: AtomicU32,
    failed_by_child: AtomicBool,
    properties: RwLock<Arc<PropertyBag>>,
    /// Settled when the executable begins.
    transaction: OnceLock<Option<Arc<Transaction>>>,
}

/// Why the frame exists.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Phase {
    Validation,
    Execution,
}

/// The event that an event handler handles.
pub(super) struct Handling {
    pub(super) kind: EventKind,
    pub(super) source: Arc<Source>,
    /// DTSID of the container of `source`.
    pub(super) source_parent: String,
    pub(super) body: Arc<EventBody>,
    /// Who raised it: the handlers that were running then are running still.
    pub(super) raised_by: Option<Arc<Frame>>,
    pub(super) propagate: AtomicBool,
    pub(super) cancel: AtomicBool,
}

impl Handling {
    pub(super) fn new(kind: EventKind, body: Arc<EventBody>, source: Arc<Source>, source_parent: String) -> Handling {
        Handling {
            kind,
            source,
            source_parent,
            body,
            raised_by: None,
            propagate: AtomicBool::new(true),
            cancel: AtomicBool::new(false),
        }
    }
}

impl Frame {
    /// The frame of the package.
    pub(super) fn package(run: Arc<Run>, phase: Phase, parent: Option<Arc<Frame>>) -> Arc<Frame> {
        let mut frame = Frame::bare(run, PACKAGE, phase);
        frame.parent = parent;
        frame.limit = max_concurrent(frame.int("MaxConcurrentExecutables").unwrap_or(-1));
        frame.permits = Some(Permits::new(frame.limit, &frame.run.services.cancel));
        Arc::new(frame)
    }

    /// The frame of a child of this container.
    pub(super) fn child(self: &Arc<Frame>, index: ExecutableIndex) -> Arc<Frame> {
        let mut frame = Frame::bare(self.run.clone(), index, self.phase);
        frame.parent = Some(self.clone());
        frame.permits = self.permits.clone();
        frame.limit = self.limit;
        Arc::new(frame)
    }

    /// The frame of an event handler of this executable. What is inside needs no permit, as the task that raised the
    /// event holds one while it waits for the handler.
    pub(super) fn handler(self: &Arc<Frame>, index: ExecutableIndex, handling: Handling) -> Arc<Frame> {
        let mut frame = Frame::bare(self.run.clone(), index, self.phase);
        // Handlers of events of the validation phase run: they are executed, not validated.
        frame.phase = if handling.raised_by.is_some() { Phase::Execution } else { Phase::Validation };
        frame.parent = Some(self.clone());
        frame.limit = self.limit;
        frame.handling = Some(handling);
        Arc::new(frame)
    }

    fn bare(run: Arc<Run>, index: ExecutableIndex, phase: Phase) -> Frame {
        let properties = RwLock::new(Arc::new(run.plan.executables[index].properties.clone()));
        Frame {
            index,
            parent: None,
            handling: None,
            phase,
            permits: None,
            limit: 1,
            started: OnceLock::new(),
            errors: AtomicU32::new(0),
            failed_by_child: AtomicBool::new(false),
            properties,
            transaction: OnceLock::new(),
            run,
        }
    }

    pub(super) fn plan(&self) -> &ExecutablePlan {
        &self.run.plan.executables[self.index]
    }

    pub(super) fn source(&self) -> &Arc<Source> {
        &self.run.sources[self.index]
    }

    pub(super) fn is_task(&self) -> bool {
        matches!(self.plan().kind, ExecutableKind::Task(_))
    }

    /// The frame of the package that this one is in.
    pub(super) fn root(self: &Arc<Frame>) -> Arc<Frame> {
        let mut at = self;
        while at.index != PACKAGE {
            match &at.parent {
                Some(parent) => at = parent,
                None => break,
            }
        }
        at.clone()
    }

    /// The variables as this executable sees them.
    pub(super) fn scope(self: &Arc<Frame>) -> Scope {
        self.scope_with(None)
    }

    /// The same for code that must not wait: changes of variables are told through `queue`.
    pub(super) fn scope_with(self: &Arc<Frame>, queue: Option<EventQueue>) -> Scope {
        Scope::new(self.run.store.clone(), self.index, Arc::new(Around { frame: self.clone(), queue }))
    }

    /// The nearest of this frame and those around it, inside the package, of which `of` tells something.
    pub(super) fn nearest<'a, T>(&'a self, of: impl Fn(&'a Frame) -> Option<T>) -> Option<T> {
        let mut at = Some(self);
        while let Some(frame) = at {
            if let Some(found) = of(frame) {
                return Some(found);
            }
            at = frame.parent.as_deref().filter(|parent| Arc::ptr_eq(&parent.run, &frame.run));
        }
        None
    }

    /// The properties as they stand now.
    pub(super) fn properties(&self) -> Arc<PropertyBag> {
        self.properties.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A Boolean property; absent or unreadable is False, the default of all of them.
    pub(super) fn flag(&self, name: &str) -> bool {
        self.properties().bool(name).unwrap_or(false)
    }

    /// An integer property.
    pub(super) fn int(&self, name: &str) -> Option<i64> {
        self.properties().int(name)
    }

    /// Evaluates the property expressions, so that [`Frame::properties`] tells their results.
    pub(super) fn evaluate_properties(self: &Arc<Frame>) -> Result<()> {
        let plan = self.plan();
        if plan.expressions.is_empty() {
            return Ok(());
        }
        let mut properties = plan.properties.clone();
        let scope = self.scope();
        for expression in &plan.expressions {
            let value = super::expressions::property_value(expression, &scope)?;
            properties.set_text(&expression.property, value, Origin::Expression);
        }
        *self.properties.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(properties);
        Ok(())
    }

    /// Windows LCID: of the innermost container that has one.
    pub(super) fn locale(&self) -> u32 {
        let own = |frame: &Frame| frame.int("LocaleID").and_then(|l| u32::try_from(l).ok()).filter(|l| *l != 0);
        self.nearest(own).unwrap_or(DEFAULT_LOCALE)
    }

    /// The transaction that this executable works in.
    pub(super) fn transaction(&self) -> Option<Arc<Transaction>> {
        self.transaction.get().cloned().flatten()
    }

    pub(super) fn set_transaction(&self, transaction: Option<Arc<Transaction>>) {
        let _ = self.transaction.set(transaction);
    }

    /// The run's services, with the transaction of this executable.
    pub(super) fn services(&self) -> Services {
        Services { transaction: self.transaction(), ..self.run.services.clone() }
    }

    pub(super) fn add_error(&self) {
        self.errors.fetch_add(1, Ordering::SeqCst);
    }

    pub(super) fn errors(&self) -> u32 {
        self.errors.load(Ordering::SeqCst)
    }

    pub(super) fn fail_by_child(&self) {
        self.failed_by_child.store(true, Ordering::SeqCst);
    }

    pub(super) fn failed_by_child(&self) -> bool {
        self.failed_by_child.load(Ordering::SeqCst)
    }

    /// MaximumErrorCount, 0: no limit.
    pub(super) fn maximum_errors(&self) -> u32 {
        self.int("MaximumErrorCount").and_then(|n| u32::try_from(n).ok()).unwrap_or(1)
    }

    /// Whether so many errors were raised inside that the container has failed.
    pub(super) fn reached_maximum_errors(&self) -> bool {
        let maximum = self.maximum_errors();
        maximum > 0 && self.errors() >= maximum
    }

    /// ForceExecutionResult.
    pub(super) fn forced_result(&self) -> Option<ExecResult> {
        match self.int("ForceExecutionResult")? {
            0 => Some(ExecResult::Success),
            1 => Some(ExecResult::Failure),
            2 => Some(ExecResult::Completion),
            _ => None,
        }
    }

    pub(super) fn cancelled(&self) -> bool {
        self.run.services.cancel.is_cancelled()
    }
}

/// The locale of a package that names none (English, United States); the original takes the computer's.
pub(super) const DEFAULT_LOCALE: u32 = 1033;

/// MaxConcurrentExecutables as a number of tasks: -1 is processors + 2.
fn max_concurrent(property: i64) -> usize {
    match usize::try_from(property) {
        Ok(n) if n > 0 => n,
        _ => std::thread::available_parallelism().map_or(1, usize::from) + 2,
    }
}

/// A Boolean that a handler assigns to a system variable.
pub(super) fn value_bool(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(v) => Some(*v),
        other => parse_bool(&value_text(other)),
    }
}
