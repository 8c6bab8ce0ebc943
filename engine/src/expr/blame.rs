//! Which part of an expression made a row fail.

use super::error::ExprError;
use super::eval::{Frame, eval};
use super::fold::rejected;
use super::kernels::datum::{Datum, Ints};
use super::typed::{Op, Typed};
use crate::batch::Faults;
use crate::diag::Code;
use crate::types::Value;
use crate::types::scalar::value_at;

/// The error of the one row of `frame`, which fails in `root`: it points at the innermost part that fails.
pub(crate) fn blame(root: &Typed, frame: &Frame<'_>) -> Option<ExprError> {
    let code = failure(root, frame)?;
    let mut guilty = (root, code);
    // What fails below a part that fails is to blame, if the part evaluates it at all.
    while let Some(found) = evaluated(guilty.0, frame).into_iter().find_map(|p| Some((p, failure(p, frame)?))) {
        guilty = found;
    }
    let (node, code) = guilty;
    Some(rejected(node, code, |arg| integer(arg, frame)))
}

/// The code with which a node fails.
fn failure(node: &Typed, frame: &Frame<'_>) -> Option<Code> {
    let mut faults = Faults::new();
    eval(node, frame, &mut faults).ok()?;
    faults.first().map(|fault| fault.code)
}

/// The parts of a node that are evaluated for the row, in order.
fn evaluated<'a>(node: &'a Typed, frame: &Frame<'_>) -> Vec<&'a Typed> {
    match &node.op {
        Op::If(parts) => match truth(&parts[0], frame) {
            Some(true) => vec![&parts[0], &parts[1]],
            Some(false) => vec![&parts[0], &parts[2]],
            None => vec![&parts[0]],
        },
        Op::Logic { or, parts } if truth(&parts[0], frame) == Some(*or) => vec![&parts[0]],
        op => op.parts(),
    }
}

fn value(node: &Typed, frame: &Frame<'_>) -> Option<Value> {
    match eval(node, frame, &mut Faults::new()).ok()? {
        Datum::Scalar(value) => Some(value),
        Datum::Array(array) => value_at(&array, &node.ty, 0).ok(),
    }
}

fn truth(node: &Typed, frame: &Frame<'_>) -> Option<bool> {
    match value(node, frame)? {
        Value::Bool(truth) => Some(truth),
        _ => None,
    }
}

fn integer(node: &Typed, frame: &Frame<'_>) -> Option<i64> {
    Some(Ints::new(&Datum::Scalar(value(node, frame)?)).ok()?.get(0))
}
