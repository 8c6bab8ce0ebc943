//! Computes what is constant while an expression is compiled.

use super::error::{ExprError, HERE};
use super::eval::{Frame, SHORT_CIRCUIT, eval};
use super::kernels::datum::Datum;
use super::program::EvalContext;
use super::typed::{Op, Typed};
use crate::batch::Faults;
use crate::diag::{Code, codes};
use crate::types::Value;

/// What to do with a constant that cannot be computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnFault {
    /// The expression is wrong: the reference rejects `1 / 0` when it validates.
    Reject,
    /// The node stands in a branch that may never be taken: it fails the rows that take it.
    Keep,
}

/// The node, or the constant that it always is.
pub(crate) fn fold(node: Typed, cx: &EvalContext, on_fault: OnFault) -> Result<Typed, ExprError> {
    match &node.op {
        Op::Const(_) | Op::Column(_) => return Ok(node),
        Op::If(parts) => {
            if let Some(condition) = parts[0].constant() {
                let taken = match condition {
                    Value::Bool(true) => &parts[1],
                    Value::Bool(false) => &parts[2],
                    _ => return Ok(constant(node, Value::Null)),
                };
                if let Some(value) = taken.constant().cloned() {
                    return Ok(constant(node, value));
                }
                let (fallible, pure) = (taken.fallible, taken.pure);
                return Ok(Typed { fallible, pure, ..node });
            }
        }
        Op::Logic { or, parts } if SHORT_CIRCUIT && parts[0].constant() == Some(&Value::Bool(*or)) => {
            let decided = Value::Bool(*or);
            return Ok(constant(node, decided));
        }
        _ => {}
    }
    if !node.pure || !node.op.parts().iter().all(|p| p.constant().is_some()) {
        return Ok(node);
    }
    let mut faults = Faults::new();
    let value = match eval(&node, &Frame { columns: &[], rows: 1, cx }, &mut faults) {
        Ok(Datum::Scalar(value)) => value,
        // Nodes over values give values; and what cannot be evaluated now says so when it runs.
        Ok(Datum::Array(_)) | Err(_) => return Ok(node),
    };
    match faults.first() {
        None => Ok(constant(node, value)),
        Some(_) if on_fault == OnFault::Keep || fails_when_run(&node) => Ok(node),
        Some(fault) => Err(rejected(&node, fault.code, Typed::constant_integer)),
    }
}

/// Whether a fault of constants is told only when the expression runs: of one with a variable's value. The reference has it
/// that `1 / @[User::Zero]` is refused as `1 / 0` is, when it is validated. Here it is not (a deviation, unconfirmed): a
/// package is validated before anything sets its variables, so that refusing it would refuse packages that run.
fn fails_when_run(node: &Typed) -> bool {
    node.variable
}

fn constant(node: Typed, value: Value) -> Typed {
    Typed { op: Op::Const(value), fallible: false, pure: true, columns: Vec::new(), ..node }
}

/// The error of a node whose value cannot be computed; `integer` gives the value of its arguments where it is known.
pub(crate) fn rejected(node: &Typed, code: Code, integer: impl Fn(&Typed) -> Option<i64>) -> ExprError {
    let ty = node.ty.name();
    let message = match (&node.op, code) {
        (Op::Call(def, _), codes::DTS_E_EXPREVALFUNCTIONOVERFLOW) => code.message(&[&def.name, &ty]),
        (Op::Call(def, _), codes::DTS_E_EXPREVALFUNCTIONCOMPUTEFAILED) => code.message(&[&def.name, &code.0]),
        (Op::Call(def, args), _) => {
            let at = if code == codes::DTS_E_EXPREVALFNSUBSTRINGINVALIDSTARTINDEX { 1 } else { args.len().max(1) - 1 };
            code.message(&[&args.get(at).and_then(integer).unwrap_or_default(), &def.name])
        }
        // The message of the code names no types.
        (Op::Cast(x), codes::DTS_E_EXPREVALSTATIC_CASTFAILED) => {
            format!("{} from {} to {ty}.", code.template().trim_end_matches('.'), x.ty.name())
        }
        (Op::Cast(x), _) => code.message(&[&x.ty.name(), &ty]),
        (Op::Binary(op, parts), codes::DTS_E_EXPREVALBINARYOPNUMERICOVERFLOW) => {
            code.message(&[&op.symbol(), &parts[0].ty.name(), &parts[1].ty.name()])
        }
        (Op::Binary(op, _), codes::DTS_E_EXPREVALBINARYOPOVERFLOW) => code.message(&[&op.symbol(), &ty]),
        _ => code.message(&[&HERE, &ty]),
    };
    let error = ExprError::new(code, node.span.clone(), &[]).saying(message);
    match wanted(code) {
        "" => error,
        wanted => error.expecting(&[wanted]),
    }
}

/// What would have been computed.
fn wanted(code: Code) -> &'static str {
    match code {
        codes::DTS_E_EXPREVALDIVBYZERO => "a divisor other than 0",
        codes::DTS_E_EXPREVALBINARYOPOVERFLOW | codes::DTS_E_EXPREVALUNARYOPOVERFLOW => {
            "operands of a larger type: cast them"
        }
        codes::DTS_E_EXPREVALFNSUBSTRINGINVALIDSTARTINDEX => "a start from 1",
        codes::DTS_E_EXPREVALFNFINDSTRINGINVALIDOCCURRENCECOUNT => "an occurrence from 1",
        codes::DTS_E_EXPREVALFNSUBSTRINGINVALIDLENGTH | codes::DTS_E_EXPREVALFNRIGHTINVALIDLENGTH => "a length from 0",
        codes::DTS_E_EXPREVALFNREPLICATEINVALIDREPEATCOUNT => "a count from 0",
        codes::DTS_E_EXPREVALSQRTINVALIDPARAM => "a number from 0",
        codes::DTS_E_EXPREVALLNINVALIDPARAM | codes::DTS_E_EXPREVALLOGINVALIDPARAM => "a number above 0",
        _ => "",
    }
}
