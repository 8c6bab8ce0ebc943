//! One execution of a package, from validation to the last event.

use super::bubble::{raise, raise_message};
use super::data_flow::FlowCx;
use super::frame::{Frame, Phase, Run};
use super::lifecycle;
use super::logging::Logs;
use super::plan::{ExecutableIndex, ExecutableKind, ExecutablePlan, PackagePlan};
use super::registry::Registry;
use super::task::{ExecResult, TaskCx};
use super::validate;
use crate::diag::{Diagnostic, Error, Owner, Result, Severity, codes};
use crate::events::{EventBody, EventKind, EventListener, ExecutionInfo, Message, Source};
use crate::run::Services;
use crate::types::Value;
use crate::variables::{Scope, VariableStore, VariableType};
use chrono::{DateTime, Local};
use std::sync::{Arc, Mutex, OnceLock};

/// What an execution is given.
#[derive(Clone)]
pub struct RunRequest {
    /// Pool, paths, cancellation, options.
    pub services: Services,
    /// The kinds of tasks and enumerators, and what runs flows and expressions.
    pub registry: Arc<Registry>,
    /// Who hears of events.
    pub listeners: Vec<Arc<dyn EventListener>>,
    /// Values for variables of the package container and for parameters, by qualified name.
    pub overrides: Vec<(String, Value)>,
    /// System::MachineName.
    pub machine: String,
    /// System::UserName.
    pub user: String,
    /// System::InteractiveMode.
    pub interactive: bool,
    /// System::ServerExecutionID, 0 unless a server runs the package.
    pub server_execution: i64,
}

impl RunRequest {
    /// A request without listeners and overrides, on behalf of this computer's user.
    pub fn new(services: Services, registry: Arc<Registry>) -> RunRequest {
        RunRequest {
            services,
            registry,
            listeners: Vec::new(),
            overrides: Vec::new(),
            machine: machine_name(),
            user: user_name(),
            interactive: false,
            server_execution: 0,
        }
    }
}

/// How an execution ended.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Success, Failure or Canceled (Completion if the package forces it).
    pub result: ExecResult,
    /// ExecutionInstanceGUID.
    pub execution_id: String,
    /// The variables of the package container at the end: qualified name, type, value; no system variables.
    pub variables: Vec<(String, VariableType, Value)>,
    /// When it began.
    pub started: DateTime<Local>,
    /// When it ended.
    pub finished: DateTime<Local>,
    /// OnError events that reached the package.
    pub errors: u32,
}

/// Runs a package to its end on this thread and the threads that it starts.
///
/// The whole package is validated first (except what delays its validation); if there are errors, nothing runs.
///
/// # Errors
/// An override that does not fit. Everything that goes wrong later is an event and a result.
pub fn run(plan: &Arc<PackagePlan>, request: &RunRequest) -> Result<Outcome> {
    run_inside(plan, request, None, execute)
}

/// Validates a package as [`run`] does before it executes, raising the same events: files and servers are touched,
/// nothing is executed.
///
/// # Errors
/// As [`run`].
pub fn validate_only(plan: &Arc<PackagePlan>, request: &RunRequest) -> Result<Outcome> {
    run_inside(plan, request, None, |run, parent| {
        let (failed, frame) = validate_package(run, parent);
        (failed.unwrap_or(ExecResult::Success), frame)
    })
}

/// Validates a package without touching files or servers, without events: everything that is wrong.
///
/// # Errors
/// As [`run`].
pub fn check(plan: &Arc<PackagePlan>, request: &RunRequest) -> Result<Vec<Diagnostic>> {
    let run = Arc::new(prepare(plan, &RunRequest { listeners: Vec::new(), ..request.clone() }, None)?);
    let mut diagnostics = Vec::new();
    validate::check(&Frame::package(run, Phase::Validation, None), &mut diagnostics);
    Ok(diagnostics)
}

/// Visits every executable of a package that is not run, parents before children: with its view of the variables at
/// their design values, and with what a data flow in it may use.
///
/// # Errors
/// As [`run`].
pub fn visit_scopes(
    plan: &Arc<PackagePlan>,
    request: &RunRequest,
    visit: &mut dyn FnMut(ExecutableIndex, &Scope, &FlowCx),
) -> Result<()> {
    let run = Arc::new(prepare(plan, &RunRequest { listeners: Vec::new(), ..request.clone() }, None)?);
    let mut waiting = vec![Frame::package(run, Phase::Validation, None)];
    while let Some(frame) = waiting.pop() {
        visit(frame.index, &frame.scope(), &lifecycle::flow_cx(&frame, None, false));
        let handlers = frame.plan().handlers.iter().map(|h| validate::idle_handler(&frame, *h));
        waiting.extend(handlers.chain(frame.plan().children.iter().map(|c| frame.child(*c))).collect::<Vec<_>>());
    }
    Ok(())
}

impl TaskCx {
    /// Runs another package as a part of this execution, on this thread: its events bubble into this task and its
    /// containers, and it sees their variables behind its own.
    ///
    /// # Errors
    /// As [`run`].
    pub fn run_package(&self, plan: &Arc<PackagePlan>, overrides: Vec<(String, Value)>) -> Result<Outcome> {
        let run = &self.frame.run;
        let request = RunRequest {
            services: self.frame.services(),
            registry: run.registry.clone(),
            listeners: run.listeners.clone(),
            overrides,
            machine: run.info.machine.clone(),
            user: run.info.user.clone(),
            interactive: run.interactive,
            server_execution: run.server_execution,
        };
        run_inside(plan, &request, Some(&self.frame), execute)
    }
}

fn run_inside(
    plan: &Arc<PackagePlan>,
    request: &RunRequest,
    parent: Option<&Arc<Frame>>,
    work: impl FnOnce(&Arc<Run>, Option<&Arc<Frame>>) -> (ExecResult, Arc<Frame>),
) -> Result<Outcome> {
    let run = Arc::new(prepare(plan, request, parent)?);
    if parent.is_none() {
        for listener in &run.listeners {
            listener.begin(&run.info);
        }
    }
    let (result, frame) = work(&run, parent);
    let outcome = Outcome {
        result,
        execution_id: run.info.execution_id.clone(),
        variables: frame.scope().snapshot(),
        started: run.info.started,
        finished: Local::now(),
        errors: frame.errors(),
    };
    if parent.is_none() {
        for listener in &run.listeners {
            listener.end();
        }
    }
    Ok(outcome)
}

/// Validates; says why not to go on.
fn validate_package(run: &Arc<Run>, parent: Option<&Arc<Frame>>) -> (Option<ExecResult>, Arc<Frame>) {
    let frame = Frame::package(run.clone(), Phase::Validation, parent.cloned());
    validate::validate(&frame);
    let result = if frame.cancelled() {
        Some(ExecResult::Canceled)
    } else {
        (frame.errors() > 0).then_some(ExecResult::Failure)
    };
    (result, frame)
}

/// Validation, then execution between PackageStart and PackageEnd.
fn execute(run: &Arc<Run>, parent: Option<&Arc<Frame>>) -> (ExecResult, Arc<Frame>) {
    let validation = Frame::package(run.clone(), Phase::Validation, parent.cloned());
    let (logs, failed) = Logs::open(&validation);
    let _ = run.logs.set(logs);
    for error in failed {
        let code = error.code().unwrap_or(codes::DTS_E_OPENLOGFAILED);
        let (severity, sub_component) = (Severity::Warning, String::new());
        raise_message(&validation, Message { severity, code, sub_component, text: error.message().to_owned() });
    }
    let ended = execute_logged(run, parent);
    if let Some(logs) = run.logs.get() {
        for error in logs.close() {
            super::bubble::raise_error(&ended.1, &error);
        }
    }
    ended
}

fn execute_logged(run: &Arc<Run>, parent: Option<&Arc<Frame>>) -> (ExecResult, Arc<Frame>) {
    if let (Some(result), validation) = validate_package(run, parent) {
        return (result, validation);
    }
    let frame = Frame::package(run.clone(), Phase::Execution, parent.cloned());
    tell(&frame, EventKind::PackageStart, 0);
    let result = lifecycle::execute(&frame);
    tell(&frame, EventKind::PackageEnd, result.number());
    (result, frame)
}

/// PackageStart and PackageEnd are log entries: no handler hears of them.
fn tell(frame: &Arc<Frame>, kind: EventKind, code: i32) {
    raise(frame, kind, EventBody::Lifecycle(code));
}

fn prepare(plan: &Arc<PackagePlan>, request: &RunRequest, parent: Option<&Arc<Frame>>) -> Result<Run> {
    if plan.executables.is_empty() {
        return Err(Error::new(Owner::Internal, None, "the plan has no package"));
    }
    let store = VariableStore::new(plan.clone(), &request.overrides, request.registry.evaluator().clone())?;
    let sources: Vec<Arc<Source>> = plan.executables.iter().map(|e| Arc::new(source(e))).collect();
    let execution_id = format!("{{{}}}", uuid::Uuid::new_v4().hyphenated().to_string().to_uppercase());
    Ok(Run {
        services: request.services.clone(),
        registry: request.registry.clone(),
        store: Arc::new(store),
        listeners: request.listeners.clone(),
        info: ExecutionInfo {
            execution_id,
            package: sources[super::plan::PACKAGE].clone(),
            machine: request.machine.clone(),
            user: request.user.clone(),
            started: Local::now(),
        },
        sources,
        outer: parent.map(Frame::scope),
        interactive: request.interactive,
        server_execution: request.server_execution,
        logs: OnceLock::new(),
        told: Mutex::default(),
        handlers: plan.executables.iter().any(|e| !e.handlers.is_empty()),
        plan: plan.clone(),
    })
}

fn source(executable: &ExecutablePlan) -> Source {
    let (kind, is_task) = match &executable.kind {
        ExecutableKind::Package => ("Microsoft.Package", false),
        ExecutableKind::Sequence => ("STOCK:SEQUENCE", false),
        ExecutableKind::ForLoop(_) => ("STOCK:FORLOOP", false),
        ExecutableKind::ForeachLoop(_) => ("STOCK:FOREACHLOOP", false),
        ExecutableKind::Task(spec) => (spec.kind.as_str(), true),
        ExecutableKind::EventHandler { .. } => ("EventHandler", false),
    };
    Source {
        id: executable.id.clone(),
        name: executable.name.clone(),
        description: executable.description.clone(),
        path: executable.path.clone(),
        kind: kind.to_owned(),
        is_task,
    }
}

/// The computer's name, as the environment or the system tells it.
fn machine_name() -> String {
    let named = ["COMPUTERNAME", "HOSTNAME"].iter().find_map(|v| std::env::var(v).ok().filter(|n| !n.is_empty()));
    let system = || std::fs::read_to_string("/etc/hostname").ok().map(|n| n.trim().to_owned());
    named.or_else(system).unwrap_or_else(|| "localhost".to_owned())
}

/// `domain\user`, or the user alone where there is no domain.
fn user_name() -> String {
    let var = |name: &str| std::env::var(name).ok().filter(|n| !n.is_empty());
    let user = var("USERNAME").or_else(|| var("USER")).or_else(|| var("LOGNAME")).unwrap_or_default();
    match var("USERDOMAIN") {
        Some(domain) => format!("{domain}\\{user}"),
        None => user,
    }
}
