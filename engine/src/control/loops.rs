//! For Loop and Foreach Loop.

use super::bubble::{raise_code, raise_error};
use super::expressions::condition;
use super::frame::Frame;
use super::lifecycle::task_cx;
use super::plan::{ForLoopSpec, ForeachSpec};
use super::schedule::run_children;
use super::task::ExecResult;
use super::validate::{bind_enumerator, report};
use crate::diag::{Code, Diagnostic, Error, Owner, codes};
use crate::types::Value;
use crate::variables::VariableAccess;
use std::sync::Arc;

/// Init once; then, while Eval holds, the body and Assign.
pub(super) fn execute_for(frame: &Arc<Frame>, spec: &ForLoopSpec) -> ExecResult {
    let properties = frame.properties();
    let scope = frame.scope();
    let text = |name: &str, own: &str| properties.text(name).unwrap_or(own).to_owned();
    let (init, eval, assign) = (
        text("InitExpression", &spec.init),
        text("EvalExpression", &spec.eval),
        text("AssignExpression", &spec.assign),
    );
    let fail = |code: Code, error: &Error| {
        let text = format!("{} {}", code.template(), error.message());
        raise_code(frame, code, text);
        ExecResult::Failure
    };
    if eval.trim().is_empty() {
        let code = codes::DTS_E_FORLOOPHASNOEXPRESSION;
        raise_code(frame, code, code.message(&[]));
        return ExecResult::Failure;
    }
    if !init.trim().is_empty()
        && let Err(error) = scope.assign(&init)
    {
        return fail(codes::DTS_E_FORLOOPINITEXPRESSIONINVALID, &error);
    }
    loop {
        match condition(&eval, &scope) {
            Ok(true) => {}
            Ok(false) => return ExecResult::Success,
            Err(error) => return fail(codes::DTS_E_FORLOOPEVALEXPRESSIONINVALID, &error),
        }
        if run_children(frame) == ExecResult::Canceled {
            return ExecResult::Canceled;
        }
        if has_failed(frame) {
            return ExecResult::Success;
        }
        if !assign.trim().is_empty()
            && let Err(error) = scope.assign(&assign)
        {
            return fail(codes::DTS_E_FORLOOPASSIGNEXPRESSIONINVALID, &error);
        }
    }
}

/// One pass for each item, its columns mapped to variables.
pub(super) fn execute_foreach(frame: &Arc<Frame>, spec: &ForeachSpec) -> ExecResult {
    let mut diagnostics = Vec::new();
    let enumerator = bind_enumerator(frame, &spec.enumerator, true, &mut diagnostics);
    report(frame, &diagnostics);
    let Some(enumerator) = enumerator else {
        if !diagnostics.iter().any(Diagnostic::is_error) {
            let code = codes::DTS_E_GENERICERROR;
            raise_code(frame, code, format!("The enumerator of \"{}\" cannot be used.", frame.plan().name));
        }
        return ExecResult::Failure;
    };
    let items = match enumerator.open(&task_cx(frame)) {
        Ok(items) => items,
        Err(error) => {
            raise_error(frame, &error);
            return ExecResult::Failure;
        }
    };
    for item in items {
        if frame.cancelled() {
            return ExecResult::Canceled;
        }
        match item {
            Ok(columns) => {
                if map_item(frame, spec, &columns).is_err() {
                    return ExecResult::Failure;
                }
            }
            Err(error) => {
                raise_error(frame, &error);
                return ExecResult::Failure;
            }
        }
        if run_children(frame) == ExecResult::Canceled {
            return ExecResult::Canceled;
        }
        if has_failed(frame) {
            break;
        }
    }
    ExecResult::Success
}

/// Whether a loop starts no further pass: its MaximumErrorCount is reached, or a child has failed it.
fn has_failed(frame: &Frame) -> bool {
    frame.reached_maximum_errors() || frame.failed_by_child()
}

/// A mapping failed, and the events that say so were raised.
struct Raised;

/// Gives the columns of an item to the mapped variables. A value that does not fit raises why, and that the mapping
/// cannot be applied.
fn map_item(frame: &Arc<Frame>, spec: &ForeachSpec, columns: &[Value]) -> Result<(), Raised> {
    let scope = frame.scope();
    for (number, mapping) in spec.mappings.iter().enumerate() {
        let column = usize::try_from(mapping.index).ok().and_then(|i| columns.get(i));
        let written = match column {
            Some(value) => scope.write(&mapping.variable, value.clone()),
            None => {
                let code = codes::DTS_E_INVALIDENUMERATORINDEX;
                Err(Error::new(Owner::Package, code, code.message(&[&mapping.index])))
            }
        };
        if let Err(error) = written {
            raise_error(frame, &error);
            let code = codes::DTS_E_FOREACHVARIABLEMAPPING;
            raise_code(frame, code, code.message(&[&(number + 1), &mapping.variable]));
            return Err(Raised);
        }
    }
    Ok(())
}
