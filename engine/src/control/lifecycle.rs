//! The life of an executable: OnPreExecute, validation again for a task, its work, its result, OnPostExecute.

use super::bubble::{EventQueue, Queued, TaskEvents, raise, raise_code, raise_error, raise_message, raise_plain};
use super::connections::PackageConnections;
use super::data_flow::{BoundFlow, FlowCx};
use super::frame::{Frame, Phase};
use super::plan::ExecutableKind;
use super::task::{ExecResult, Task, TaskCx, TaskOutcome};
use super::validate::{self, Ready};
use super::{loops, schedule, transactions};
use crate::diag::{Error, Owner, Result, codes};
use crate::events::{EventKind, Events, Message};
use crate::types::Value;
use crate::variables::VariableAccess;
use chrono::Local;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// Executes an executable on this thread, raising all its events. The result counts for precedence constraints; its
/// effects on the container around are done.
pub(super) fn execute(frame: &Arc<Frame>) -> ExecResult {
    let evaluated = frame.evaluate_properties();
    if frame.flag("Disable") {
        return RESULT_OF_A_DISABLED_EXECUTABLE;
    }
    let cancel = &frame.run.services.cancel;
    let permit = frame.permits.as_ref().filter(|_| frame.is_task()).and_then(|permits| permits.take(cancel));
    if frame.cancelled() {
        return ExecResult::Canceled;
    }
    let _ = frame.started.set(Local::now());
    raise_plain(frame, EventKind::OnPreExecute);
    let begun = transactions::enter(frame);
    let worked = match evaluated {
        Err(error) => {
            raise_error(frame, &error);
            ExecResult::Failure
        }
        Ok(()) => work(frame),
    };
    let result = transactions::leave(frame, begun, settle(frame, worked));
    if result == ExecResult::Failure && frame.is_task() {
        raise_plain(frame, EventKind::OnTaskFailed);
    }
    raise_plain(frame, EventKind::OnPostExecute);
    drop(permit);
    if result == ExecResult::Failure {
        fail_around(frame);
    }
    result
}

/// What a disabled executable is for the constraints that leave it: it is skipped, without events, as if it had
/// succeeded (unconfirmed).
const RESULT_OF_A_DISABLED_EXECUTABLE: ExecResult = ExecResult::Success;

fn work(frame: &Arc<Frame>) -> ExecResult {
    match &frame.plan().kind {
        ExecutableKind::Task(_) => execute_task(frame),
        ExecutableKind::ForLoop(spec) => loops::execute_for(frame, spec),
        ExecutableKind::ForeachLoop(spec) => loops::execute_foreach(frame, spec),
        ExecutableKind::Package | ExecutableKind::Sequence | ExecutableKind::EventHandler { .. } => {
            schedule::run_children(frame)
        }
    }
}

/// The result of an executable whose work ended with `worked`: a child with FailParentOnFailure or FailPackageOnFailure
/// fails it, so do MaximumErrorCount errors, and ForceExecutionResult has the last word.
fn settle(frame: &Arc<Frame>, worked: ExecResult) -> ExecResult {
    let mut result = worked;
    if result == ExecResult::Success && frame.failed_by_child() {
        result = ExecResult::Failure;
    }
    if result == ExecResult::Success && frame.reached_maximum_errors() {
        let code = codes::DTS_W_MAXIMUMERRORCOUNTREACHED;
        let text = code.message(&[&frame.errors(), &frame.maximum_errors()]);
        raise_message(frame, Message::new(code, "", text));
        result = ExecResult::Failure;
    }
    if result == ExecResult::Canceled {
        return result;
    }
    frame.forced_result().unwrap_or(result)
}

/// FailParentOnFailure and FailPackageOnFailure of an executable that failed.
fn fail_around(frame: &Arc<Frame>) {
    if frame.flag("FailParentOnFailure")
        && let Some(parent) = &frame.parent
    {
        parent.fail_by_child();
    }
    if frame.flag("FailPackageOnFailure") {
        frame.root().fail_by_child();
    }
}

fn execute_task(frame: &Arc<Frame>) -> ExecResult {
    raise_plain(frame, EventKind::OnPreValidate);
    let ready = validate::bind_task(frame);
    raise_plain(frame, EventKind::OnPostValidate);
    let Some(ready) = ready else { return ExecResult::Failure };
    raise_plain(frame, EventKind::OnQueryCancel);
    if frame.cancelled() {
        return ExecResult::Canceled;
    }
    let done = catch_unwind(AssertUnwindSafe(|| match ready {
        Ready::Task(task) => run_task(frame, &*task),
        Ready::Flow(flow) => run_flow(frame, &*flow),
    }));
    let done = done.unwrap_or_else(|panic| Err(Error::internal(format!("the task ended abruptly: {}", said(&*panic)))));
    let cancelled = frame.cancelled();
    match done {
        Ok(outcome) => {
            let stored = keep_execution_value(frame, outcome.value);
            match (stored, outcome.result) {
                (Err(error), _) => {
                    raise_error(frame, &error);
                    ExecResult::Failure
                }
                (Ok(()), ExecResult::Failure) if cancelled => ExecResult::Canceled,
                (Ok(()), result) => result,
            }
        }
        Err(error) if cancelled || error.owner() == Owner::Cancelled => ExecResult::Canceled,
        Err(error) => {
            raise_error(frame, &error);
            ExecResult::Failure
        }
    }
}

fn run_task(frame: &Arc<Frame>, task: &dyn Task) -> Result<TaskOutcome> {
    task.execute(&task_cx(frame))
}

/// What a task or enumerator of this frame may use.
pub(super) fn task_cx(frame: &Arc<Frame>) -> TaskCx {
    TaskCx {
        services: frame.services(),
        variables: frame.scope(),
        connections: Arc::new(PackageConnections(frame.clone())),
        events: Arc::new(TaskEvents { frame: frame.clone(), queue: None }),
        source: frame.source().clone(),
        locale: frame.locale(),
        execution_id: frame.run.info.execution_id.as_str().into(),
        frame: frame.clone(),
    }
}

/// What a data flow of this frame may use. With a queue, nothing that it calls ever waits.
pub(super) fn flow_cx(frame: &Arc<Frame>, queue: Option<EventQueue>, online: bool) -> FlowCx {
    let variables: Arc<dyn VariableAccess> = Arc::new(frame.scope_with(queue.clone()));
    let events: Arc<dyn Events> = Arc::new(TaskEvents { frame: frame.clone(), queue });
    FlowCx {
        services: frame.services(),
        variables,
        connections: Arc::new(PackageConnections(frame.clone())),
        events,
        online,
    }
}

/// Runs a data flow on this thread, while a second one raises the events that the pool's threads fire.
fn run_flow(frame: &Arc<Frame>, flow: &dyn BoundFlow) -> Result<TaskOutcome> {
    let (sender, receiver) = crossbeam::channel::unbounded();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            // Something may keep its end of the queue longer than the flow runs: the closing message counts.
            while let Ok(Queued::Event(at, kind, body)) = receiver.recv() {
                raise(&at, kind, body);
            }
        });
        let queue = EventQueue(sender);
        let _closing = Closing(queue.clone());
        let summary = flow.run(&flow_cx(frame, Some(queue), true))?;
        Ok(TaskOutcome { result: ExecResult::Success, value: Some(Value::I8(summary.rows as i64)) })
    })
}

/// Closes a queue of events when the flow has ended, however it ended.
struct Closing(EventQueue);

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// ExecValueVariable takes the execution value, or the forced one.
fn keep_execution_value(frame: &Arc<Frame>, value: Option<Value>) -> Result<()> {
    let properties = frame.properties();
    let variable = properties.str("ExecValueVariable");
    if variable.is_empty() {
        return Ok(());
    }
    let scope = frame.scope();
    let failed = |error: Error| {
        let code = codes::DTS_E_FAILEDSETEXECVALVARIABLE;
        Error::new(Owner::Package, code, format!("{} {}", code.template(), error.message()))
    };
    let value = if properties.bool("ForceExecutionValue") == Some(true) {
        // Files spell it ExecValue.
        let text = properties.text("ForcedExecutionValue").unwrap_or_else(|| properties.str("ExecValue"));
        let ty = scope.type_of(variable).unwrap_or_default();
        Some(ty.parse(text).map_err(failed)?)
    } else {
        value
    };
    match value {
        Some(value) => scope.write(variable, value).map_err(failed),
        None => Ok(()),
    }
}

fn said(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}

/// Raises the errors of an executable that cannot be validated before it runs.
pub(super) fn raise_validation_error(frame: &Arc<Frame>) {
    if frame.is_task() {
        let code = codes::DTS_E_TASKVALIDATIONERROR;
        raise_code(frame, code, code.message(&[]));
    }
}

/// Whether a phase only validates.
pub(super) fn validating(frame: &Frame) -> bool {
    frame.phase == Phase::Validation
}
