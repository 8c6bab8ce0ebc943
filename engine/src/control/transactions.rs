//! TransactionOption: which containers begin a transaction, join one, or stay out.

use super::bubble::{raise_error, raise_message};
use super::connections::PackageConnections;
use super::frame::Frame;
use super::plan::{ExecutableIndex, ExecutableKind};
use super::task::ExecResult;
use crate::connections::Connections;
use crate::diag::{Diagnostic, codes};
use crate::events::Message;
use crate::run::Transaction;
use std::sync::Arc;

const NOT_SUPPORTED: i64 = 0;
const REQUIRED: i64 = 2;

/// IsolationLevel of a container that says none.
const SERIALIZABLE: i64 = 1_048_576;

/// Settles in which transaction an executable works; Some: the one that it begins, and has to end.
pub(super) fn enter(frame: &Arc<Frame>) -> Option<Arc<Transaction>> {
    let around = frame.parent.as_ref().and_then(|parent| parent.transaction());
    let (works_in, begun) = match frame.int("TransactionOption") {
        Some(NOT_SUPPORTED) => (None, None),
        Some(REQUIRED) if around.is_none() => {
            let isolation = frame.int("ISOLevel").or(frame.int("IsolationLevel")).unwrap_or(SERIALIZABLE);
            let begun = Arc::new(Transaction::new(isolation));
            (Some(begun.clone()), Some(begun))
        }
        _ => (around, None),
    };
    frame.set_transaction(works_in);
    if begun.is_some() {
        let code = codes::DTS_I_STARTINGTRANSACTION;
        raise_message(frame, Message::new(code, "", code.message(&[])));
    }
    begun
}

/// Ends the transaction that an executable began, as its result says; the result after that.
pub(super) fn leave(frame: &Arc<Frame>, begun: Option<Arc<Transaction>>, result: ExecResult) -> ExecResult {
    let Some(begun) = begun else { return result };
    let keep = matches!(result, ExecResult::Success | ExecResult::Completion);
    let code = if keep { codes::DTS_I_COMMITTINGTRANSACTION } else { codes::DTS_I_ABORTINGTRANSACTION };
    raise_message(frame, Message::new(code, "", code.message(&[])));
    match begun.end(keep) {
        Ok(()) => result,
        Err(error) => {
            raise_error(frame, &error);
            if keep { ExecResult::Failure } else { result }
        }
    }
}

/// Reports a container that begins a transaction in which more than one database would have to take part.
pub(super) fn check(frame: &Arc<Frame>, diagnostics: &mut Vec<Diagnostic>) {
    let plan = frame.plan();
    let begins = frame.int("TransactionOption") == Some(REQUIRED)
        && !frame.parent.as_ref().is_some_and(|parent| is_inside(parent));
    if !begins {
        return;
    }
    let connections = PackageConnections(frame.clone());
    let mut databases: Vec<(String, String)> = Vec::new();
    let mut inside = vec![frame.index];
    let mut at = 0;
    while let Some(&index) = inside.get(at) {
        at += 1;
        for name in written(frame, index) {
            let Ok(spec) = connections.get(&name) else { continue };
            if !frame.run.registry.enlists(&spec) {
                continue;
            }
            let string = spec.connection_string().to_owned();
            if !databases.iter().any(|(known, _)| *known == string) {
                databases.push((string, spec.name));
            }
        }
        let executable = &frame.run.plan.executables[index];
        let stays = |i: &&ExecutableIndex| {
            frame.run.plan.executables[**i].properties.int("TransactionOption") != Some(NOT_SUPPORTED)
        };
        inside.extend(executable.children.iter().filter(stays));
    }
    if databases.len() > 1 {
        let names: Vec<String> = databases.iter().map(|(_, name)| format!("\"{name}\"")).collect();
        let message = format!(
            "TransactionOption is Required, and the connections {} would have to take part in one distributed \
             transaction, which this build does not have. One database can take part.",
            names.join(", ")
        );
        let refused = Diagnostic::unsupported(&plan.path, message).with_span(plan.span);
        diagnostics.push(Diagnostic { code: Some(codes::DTS_E_BEGINTRANSACTION), ..refused });
    }
}

/// Whether what is in a container is in a transaction.
fn is_inside(frame: &Frame) -> bool {
    match frame.int("TransactionOption") {
        Some(REQUIRED) => true,
        Some(NOT_SUPPORTED) => false,
        _ => frame.parent.as_ref().is_some_and(|parent| is_inside(parent)),
    }
}

/// The connections whose databases a task changes.
fn written(frame: &Arc<Frame>, index: ExecutableIndex) -> Vec<String> {
    let executable = &frame.run.plan.executables[index];
    let ExecutableKind::Task(spec) = &executable.kind else { return Vec::new() };
    if executable.properties.bool("Disable") == Some(true) {
        return Vec::new();
    }
    match &spec.flow {
        Some(flow) => frame.run.registry.flows().written(flow),
        None => frame.run.registry.task(&spec.kind).map(|kind| kind.written(spec)).unwrap_or_default(),
    }
}
