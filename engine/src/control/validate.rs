//! Validation: depth first before anything runs, and of each task again before it runs.

use super::bubble::{part_of, raise_error, raise_message, raise_plain};
use super::connections::PackageConnections;
use super::data_flow::BoundFlow;
use super::expressions::property_value;
use super::frame::{Frame, Handling};
use super::lifecycle::{flow_cx, raise_validation_error, validating};
use super::plan::{ConstraintPlan, EnumeratorSpec, EvalOp, ExecutableKind, ForLoopSpec, ForeachSpec, TaskSpec};
use super::task::{Enumerator, Task, TaskBindCx};
use crate::diag::{Code, Diagnostic, Owner, Severity, codes};
use crate::events::{EventBody, EventKind, Message};
use crate::props::Origin;
use crate::types::DataType;
use crate::variables::VariableAccess;
use std::borrow::Cow;
use std::sync::{Arc, PoisonError};

/// Validates an executable and what it contains, raising its events. Errors are counted in the frames.
pub(super) fn validate(frame: &Arc<Frame>) {
    if let Err(error) = frame.evaluate_properties() {
        raise_error(frame, &error);
        return;
    }
    if frame.flag("Disable") || frame.flag("DelayValidation") {
        return;
    }
    raise_plain(frame, EventKind::OnPreValidate);
    match &frame.plan().kind {
        ExecutableKind::Task(_) => drop(bind_task(frame)),
        _ => report(frame, &container_diagnostics(frame, true)),
    }
    for &child in &frame.plan().children {
        validate(&frame.child(child));
    }
    for &handler in &frame.plan().handlers {
        validate(&idle_handler(frame, handler));
    }
    raise_plain(frame, EventKind::OnPostValidate);
}

/// The frame of an event handler without an event, so that what it contains can be validated.
pub(super) fn idle_handler(frame: &Arc<Frame>, index: usize) -> Arc<Frame> {
    let event = match &frame.run.plan.executables[index].kind {
        ExecutableKind::EventHandler { event } => event.as_str(),
        _ => "",
    };
    let kind = EventKind::named(event);
    let handling = Handling::new(kind, Arc::new(EventBody::Lifecycle(0)), frame.source().clone(), String::new());
    frame.handler(index, handling)
}

/// Everything wrong with an executable and what it contains, without events: an offline check.
pub(super) fn check(frame: &Arc<Frame>, diagnostics: &mut Vec<Diagnostic>) {
    let plan = frame.plan();
    if let Err(error) = frame.evaluate_properties() {
        let code = error.code().unwrap_or(codes::DTS_E_PROPERTYEXPRESSIONEVAL);
        diagnostics.push(Diagnostic::error(code, &plan.path, error.message()).with_span(plan.span));
    }
    if frame.flag("Disable") {
        return;
    }
    match &plan.kind {
        ExecutableKind::Task(spec) => diagnostics.extend(task_diagnostics(frame, spec, false).1),
        _ => diagnostics.extend(container_diagnostics(frame, false)),
    }
    for &child in &plan.children {
        check(&frame.child(child), diagnostics);
    }
    for &handler in &plan.handlers {
        check(&idle_handler(frame, handler), diagnostics);
    }
}

/// A task that can be executed now.
pub(super) enum Ready {
    Task(Box<dyn Task>),
    Flow(Box<dyn BoundFlow>),
}

/// Validates a task, raising what is wrong; None if there were errors.
pub(super) fn bind_task(frame: &Arc<Frame>) -> Option<Ready> {
    let ExecutableKind::Task(spec) = &frame.plan().kind else { return None };
    let (ready, diagnostics) = task_diagnostics(frame, spec, true);
    report(frame, &diagnostics);
    if diagnostics.iter().any(Diagnostic::is_error) {
        raise_validation_error(frame);
        return None;
    }
    ready
}

/// Warnings of the design of a flow, which no run changes: told when they are found first, and not at each execution of
/// the task again.
const TOLD_ONCE: &[Code] = &[codes::DTS_W_UNUSEDOUTPUTDATA, codes::DTS_W_COMPONENTREMOVED];

/// Whether a diagnostic has to be told: not one that was, where once is enough.
fn is_news(frame: &Frame, diagnostic: &Diagnostic) -> bool {
    if !diagnostic.code.is_some_and(|code| TOLD_ONCE.contains(&code)) {
        return true;
    }
    let mut told = frame.run.told.lock().unwrap_or_else(PoisonError::into_inner);
    told.insert((diagnostic.object.clone(), diagnostic.message.clone()))
}

/// Raises diagnostics as events of the executable.
pub(super) fn report(frame: &Arc<Frame>, diagnostics: &[Diagnostic]) {
    for diagnostic in diagnostics.iter().filter(|d| is_news(frame, d)) {
        let code = diagnostic.code.filter(|c| c.0 != 0).unwrap_or(match diagnostic.severity {
            Severity::Error => codes::DTS_E_GENERICERROR,
            _ => codes::DTS_W_GENERICWARNING,
        });
        let sub_component = part_of(&diagnostic.object, &frame.plan().path);
        let text = diagnostic.message.clone();
        raise_message(frame, Message { severity: diagnostic.severity, code, sub_component, text });
    }
}

fn task_diagnostics(frame: &Arc<Frame>, spec: &TaskSpec, online: bool) -> (Option<Ready>, Vec<Diagnostic>) {
    let mut diagnostics = common_diagnostics(frame);
    let spec = effective_task(frame, spec);
    if let Some(flow) = &spec.flow {
        let (bound, found) = frame.run.registry.flows().bind(flow, &flow_cx(frame, None, online));
        diagnostics.extend(found);
        return (bound.map(Ready::Flow), diagnostics);
    }
    let Some(kind) = frame.run.registry.task(&spec.kind) else {
        let name = if spec.kind.is_empty() { frame.plan().creation_name.as_str() } else { spec.kind.as_str() };
        diagnostics.push(frame.run.registry.refusal(&spec.path, name).with_span(spec.span));
        return (None, diagnostics);
    };
    let scope = frame.scope();
    let connections = PackageConnections(frame.clone());
    let mut cx = TaskBindCx {
        variables: &scope,
        connections: &connections,
        paths: &frame.run.services.paths,
        services: &frame.run.services,
        online,
        executing: online && !validating(frame),
        diagnostics: &mut diagnostics,
    };
    let task = kind.bind(&spec, &mut cx);
    if task.is_none() && !diagnostics.iter().any(Diagnostic::is_error) {
        let code = codes::DTS_E_TASKVALIDATIONERROR;
        diagnostics.push(Diagnostic::error(code, &spec.path, code.message(&[])).with_span(spec.span));
    }
    (task.map(Ready::Task), diagnostics)
}

/// The task with the results of its property expressions; `[Component].[Property]` goes to the component of its flow.
fn effective_task<'a>(frame: &Arc<Frame>, spec: &'a TaskSpec) -> Cow<'a, TaskSpec> {
    let expressions = &frame.plan().expressions;
    if expressions.is_empty() {
        return Cow::Borrowed(spec);
    }
    let properties = frame.properties();
    let mut spec = spec.clone();
    for expression in expressions {
        let Some(value) = properties.get(&expression.property).cloned() else { continue };
        let component = component_property(&expression.property);
        match (&mut spec.flow, component) {
            (Some(flow), Some((component, property))) => {
                if let Some(component) = flow.components.iter_mut().find(|c| c.name == component) {
                    component.properties.set(property, value);
                }
            }
            _ => spec.properties.set(&expression.property, value),
        }
    }
    Cow::Owned(spec)
}

/// `[Component].[Property]`.
fn component_property(name: &str) -> Option<(&str, &str)> {
    name.strip_prefix('[')?.strip_suffix(']')?.split_once("].[")
}

/// What is wrong with a container itself.
fn container_diagnostics(frame: &Arc<Frame>, online: bool) -> Vec<Diagnostic> {
    let mut diagnostics = common_diagnostics(frame);
    let plan = frame.plan();
    match &plan.kind {
        ExecutableKind::Package => check_package(frame, &mut diagnostics),
        ExecutableKind::ForLoop(spec) => check_for(frame, spec, &mut diagnostics),
        ExecutableKind::ForeachLoop(spec) => {
            check_mappings(frame, spec, &mut diagnostics);
            drop(bind_enumerator(frame, &spec.enumerator, online, &mut diagnostics));
        }
        _ => {}
    }
    for constraint in plan.constraints.iter().filter(|c| c.eval_op != EvalOp::Constraint) {
        check_constraint(frame, constraint, &mut diagnostics);
    }
    diagnostics
}

/// What any executable may ask for that this build lacks.
fn common_diagnostics(frame: &Arc<Frame>) -> Vec<Diagnostic> {
    let mut diagnostics = Vec::new();
    super::transactions::check(frame, &mut diagnostics);
    diagnostics
}

fn check_package(frame: &Arc<Frame>, diagnostics: &mut Vec<Diagnostic>) {
    const ALWAYS: i64 = 2;
    let plan = frame.plan();
    let properties = frame.properties();
    if frame.flag("FailPackageOnFailure") {
        let code = codes::DTS_E_FAILPACKAGEONFAILURENA;
        diagnostics.push(Diagnostic::error(code, &plan.path, code.message(&[])).with_span(plan.span));
    }
    if properties.int("MaxConcurrentExecutables") == Some(0) {
        let message = "MaxConcurrentExecutables is 0. It must be -1 (as many as suit the computer) or at least 1.";
        diagnostics.push(Diagnostic::error(codes::DTS_E_GENERICERROR, &plan.path, message).with_span(plan.span));
    }
    super::logging::check(frame, diagnostics);
    // A file that an earlier run left would have to be obeyed: then this run must not start from the beginning.
    let usage = properties.int("CheckpointUsage").unwrap_or(0);
    let file = properties.str("CheckpointFileName");
    let left = usage != 0 && !file.is_empty() && frame.run.services.paths.resolve(file).exists();
    if usage == ALWAYS || left {
        let message = "The package is to be restarted from a checkpoint, and this build has no checkpoints. \
                       Set CheckpointUsage to Never to run it from the beginning.";
        diagnostics.push(Diagnostic::unsupported(&plan.path, message).with_span(plan.span));
    } else if frame.flag("SaveCheckpoints") {
        let message = "SaveCheckpoints is ignored: this build has no checkpoints.";
        let code = codes::DTS_W_GENERICWARNING;
        diagnostics.push(Diagnostic::warning(code, &plan.path, message).with_span(plan.span));
    }
}

fn check_for(frame: &Arc<Frame>, spec: &ForLoopSpec, diagnostics: &mut Vec<Diagnostic>) {
    let plan = frame.plan();
    let properties = frame.properties();
    let scope = frame.scope();
    let evaluator = frame.run.registry.evaluator();
    let mut error = |code: Code, why: &str| {
        let message = format!("{} {why}", code.message(&[&plan.name]));
        diagnostics.push(Diagnostic::error(code, &plan.path, message.trim_end()).with_span(plan.span));
    };
    let text = |name: &str, own: &str| properties.text(name).unwrap_or(own).to_owned();
    let eval = text("EvalExpression", &spec.eval);
    if eval.trim().is_empty() {
        error(codes::DTS_E_NOEVALEXPRESSION, "");
    } else {
        match evaluator.check(&eval, &scope) {
            Ok(DataType::Bool | DataType::Null) => {}
            Ok(_) => error(codes::DTS_E_FORLOOPEVALEXPRESSIONINVALID, "It must evaluate to True or False."),
            Err(e) => error(codes::DTS_E_FORLOOPEVALEXPRESSIONINVALID, e.message()),
        }
    }
    for (text, code) in [
        (text("InitExpression", &spec.init), codes::DTS_E_FORLOOPINITEXPRESSIONINVALID),
        (text("AssignExpression", &spec.assign), codes::DTS_E_FORLOOPASSIGNEXPRESSIONINVALID),
    ] {
        if !text.trim().is_empty()
            && let Err(e) = evaluator.check_assignment(&text, &scope)
        {
            error(code, e.message());
        }
    }
}

fn check_mappings(frame: &Arc<Frame>, spec: &ForeachSpec, diagnostics: &mut Vec<Diagnostic>) {
    let plan = frame.plan();
    let scope = frame.scope();
    for (number, mapping) in spec.mappings.iter().enumerate() {
        let number = number + 1;
        let mut error = |code: Code, message: String| {
            diagnostics.push(Diagnostic::error(code, &plan.path, message).with_span(mapping.span.or(plan.span)));
        };
        if mapping.index < 0 {
            let code = codes::DTS_E_VALUEINDEXNEGATIVE;
            error(code, code.message(&[&number, &mapping.variable]));
        }
        if scope.type_of(&mapping.variable).is_none() {
            let code = codes::DTS_E_VARIABLENOTFOUNDINCOLL;
            error(code, code.message(&[&mapping.variable]));
        }
    }
}

fn check_constraint(frame: &Arc<Frame>, constraint: &ConstraintPlan, diagnostics: &mut Vec<Diagnostic>) {
    let executables = &frame.run.plan.executables;
    let (from, to) = (&executables[constraint.from].name, &executables[constraint.to].name);
    let why = match frame.run.registry.evaluator().check(&constraint.expression, &frame.scope()) {
        Ok(DataType::Bool | DataType::Null) => return,
        Ok(_) => codes::DTS_E_EXPRESSIONNOTBOOLEAN.message(&[&constraint.expression]),
        Err(e) => e.message().to_owned(),
    };
    let code = codes::DTS_E_PRECEDENCECONSTRAINT;
    let message = format!("{} {why}", code.message(&[from, to]));
    let span = constraint.span.or(frame.plan().span);
    diagnostics.push(Diagnostic::error(code, &frame.plan().path, message).with_span(span));
}

/// Binds the enumerator of a Foreach loop with the results of its property expressions.
pub(super) fn bind_enumerator(
    frame: &Arc<Frame>,
    spec: &EnumeratorSpec,
    online: bool,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Box<dyn Enumerator>> {
    let scope = frame.scope();
    let mut spec = Cow::Borrowed(spec);
    for expression in &spec.clone().expressions {
        match property_value(expression, &scope) {
            Ok(value) => spec.to_mut().properties.set_text(&expression.property, value, Origin::Expression),
            Err(error) => {
                let code = error.code().filter(|_| error.owner() == Owner::Package);
                let code = code.unwrap_or(codes::DTS_E_PROPERTYEXPRESSIONEVAL);
                diagnostics.push(Diagnostic::error(code, &spec.path, error.message()).with_span(expression.span));
                return None;
            }
        }
    }
    let Some(kind) = frame.run.registry.enumerator(&spec.kind) else {
        diagnostics.push(frame.run.registry.refusal(&spec.path, &spec.kind).with_span(spec.span));
        return None;
    };
    let connections = PackageConnections(frame.clone());
    let mut cx = TaskBindCx {
        variables: &scope,
        connections: &connections,
        paths: &frame.run.services.paths,
        services: &frame.run.services,
        online,
        executing: online && !validating(frame),
        diagnostics,
    };
    kind.bind(&spec, &mut cx)
}
