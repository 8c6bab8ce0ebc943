//! Evaluation of a typed tree over the rows of a batch.
//!
//! A row that fails in a node is NULL in its column from there on, and stands once in the faults; the program makes it
//! NULL in the result. Branches that can fail see only the rows that take them.

use super::ast::UnaryOp;
use super::functions::NullRule;
use super::kernels::datum::{Datum, Texts, union_nulls};
use super::kernels::merge::{Branch, merge};
use super::kernels::views::TextOut;
use super::kernels::{Computed, arith, compare, logic};
use super::parser::deeper;
use super::program::EvalContext;
use super::typed::{Op, Typed};
use crate::batch::{Fault, Faults};
use crate::diag::Result;
use crate::types::convert::{cast_array, cast_value};
use crate::types::scalar::value_at;
use crate::types::{DataType, Value};
use arrow::array::{ArrayRef, BinaryViewBuilder, BooleanArray, NullArray};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::compute::FilterBuilder;
use std::sync::Arc;

/// The rows that a node is evaluated on.
pub(crate) struct Frame<'a> {
    /// The program's columns; those that the node does not read may be anything.
    pub columns: &'a [ArrayRef],
    pub rows: usize,
    pub cx: &'a EvalContext,
}

/// Evaluates a node; faults are appended in no order.
pub(crate) fn eval(node: &Typed, frame: &Frame<'_>, faults: &mut Faults) -> Result<Datum> {
    match &node.op {
        Op::Const(value) => Ok(Datum::Scalar(value.clone())),
        Op::Column(number) => Ok(Datum::Array(frame.columns[*number as usize].clone())),
        _ => deeper(|| computed(node, frame, faults)),
    }
}

fn computed(node: &Typed, frame: &Frame<'_>, faults: &mut Faults) -> Result<Datum> {
    match &node.op {
        Op::Const(_) | Op::Column(_) => eval(node, frame, faults),
        Op::Unary(op, x) => unary(node, *op, x, frame, faults),
        Op::Binary(..) => binary(node, frame, faults),
        Op::Compare(..) => comparison(node, frame, faults),
        Op::Concat(parts) => concat(node, parts, frame, faults),
        Op::Logic { or, parts } => logical(*or, parts, frame, faults),
        Op::If(_) => conditional(node, frame, faults),
        Op::Cast(x) => cast(node, x, frame, faults),
        Op::Call(..) => call(node, frame, faults),
    }
}

/// What a kernel gave, as the value of a node: one value if it was computed from values only.
fn settle(
    (array, found): Computed,
    scalar: bool,
    node: &Typed,
    frame: &Frame<'_>,
    faults: &mut Faults,
) -> Result<Datum> {
    if !scalar {
        faults.extend(found);
        return Ok(Datum::Array(array));
    }
    if let Some(fault) = found.first() {
        faults.extend((0..frame.rows as u32).map(|row| Fault { row, ..*fault }));
        return Ok(Datum::Scalar(Value::Null));
    }
    Ok(Datum::Scalar(value_at(&array, &node.ty, 0)?))
}

/// Both operands, the number of rows, and the rows where one of them is NULL.
type Pair = (Datum, Datum, usize, Option<NullBuffer>);

fn pair(parts: &[Typed; 2], frame: &Frame<'_>, faults: &mut Faults) -> Result<Option<Pair>> {
    let a = eval(&parts[0], frame, faults)?;
    let b = eval(&parts[1], frame, faults)?;
    if a.is_null_scalar() || b.is_null_scalar() {
        return Ok(None);
    }
    let rows = if a.is_scalar() && b.is_scalar() { 1 } else { frame.rows };
    let nulls = union_nulls([&a, &b]);
    Ok(Some((a, b, rows, nulls)))
}

fn unary(node: &Typed, op: UnaryOp, x: &Typed, frame: &Frame<'_>, faults: &mut Faults) -> Result<Datum> {
    let datum = eval(x, frame, faults)?;
    if datum.is_null_scalar() {
        return Ok(datum);
    }
    let scalar = datum.is_scalar();
    let rows = if scalar { 1 } else { frame.rows };
    let nulls = datum.nulls().cloned();
    let computed = match op {
        UnaryOp::Not => return logic::not(&datum),
        UnaryOp::Minus => arith::negate(&datum, &node.ty, rows, nulls)?,
        UnaryOp::Complement => arith::complement(&datum, &node.ty, rows, nulls)?,
    };
    settle(computed, scalar, node, frame, faults)
}

fn binary(node: &Typed, frame: &Frame<'_>, faults: &mut Faults) -> Result<Datum> {
    let Op::Binary(op, parts) = &node.op else { return Ok(Datum::Scalar(Value::Null)) };
    let Some((a, b, rows, nulls)) = pair(parts, frame, faults)? else { return Ok(Datum::Scalar(Value::Null)) };
    let scalar = a.is_scalar() && b.is_scalar();
    let scales = (decimal_scale(&parts[0].ty), decimal_scale(&parts[1].ty));
    let computed = arith::binary(arith::Binary { op: *op, a: &a, b: &b, scales, result: &node.ty, rows, nulls })?;
    settle(computed, scalar, node, frame, faults)
}

fn decimal_scale(t: &DataType) -> u8 {
    if *t == DataType::Cy { 4 } else { t.scale() }
}

fn comparison(node: &Typed, frame: &Frame<'_>, faults: &mut Faults) -> Result<Datum> {
    let Op::Compare(op, parts, order) = &node.op else { return Ok(Datum::Scalar(Value::Null)) };
    let Some((a, b, rows, nulls)) = pair(parts, frame, faults)? else { return Ok(Datum::Scalar(Value::Null)) };
    let scalar = a.is_scalar() && b.is_scalar();
    let array = compare::compare(*op, &a, &b, (&parts[0].ty, &parts[1].ty), order.as_ref(), rows, nulls)?;
    settle((array, Faults::new()), scalar, node, frame, faults)
}

/// All parts of a chain of `+` at once.
fn concat(node: &Typed, parts: &[Typed], frame: &Frame<'_>, faults: &mut Faults) -> Result<Datum> {
    let mut data = Vec::with_capacity(parts.len());
    for part in parts {
        data.push(eval(part, frame, faults)?);
    }
    if data.iter().any(Datum::is_null_scalar) {
        return Ok(Datum::Scalar(Value::Null));
    }
    let scalar = data.iter().all(Datum::is_scalar);
    let rows = if scalar { 1 } else { frame.rows };
    let nulls = union_nulls(&data);
    let array = if node.ty == DataType::Image {
        concat_bytes(&data, rows, nulls.as_ref())?
    } else {
        let texts = data.iter().map(Texts::new).collect::<Result<Vec<_>>>()?;
        let mut out = TextOut::new(rows);
        for row in 0..rows {
            if nulls.as_ref().is_some_and(|n| n.is_null(row)) {
                out.push_empty();
                continue;
            }
            out.push_with(|own| texts.iter().for_each(|text| own.push_str(text.get(row))));
        }
        out.finish(nulls)?
    };
    settle((array, Faults::new()), scalar, node, frame, faults)
}

fn concat_bytes(data: &[Datum], rows: usize, nulls: Option<&NullBuffer>) -> Result<ArrayRef> {
    use super::kernels::datum::mismatch;
    use arrow::array::AsArray;
    let mut out = BinaryViewBuilder::with_capacity(rows);
    let mut joined = Vec::new();
    for row in 0..rows {
        if nulls.is_some_and(|n| n.is_null(row)) {
            out.append_null();
            continue;
        }
        joined.clear();
        for datum in data {
            match datum {
                Datum::Scalar(Value::Bytes(b)) => joined.extend_from_slice(b),
                Datum::Array(a) => {
                    joined.extend_from_slice(a.as_binary_view_opt().ok_or_else(|| mismatch("byte string"))?.value(row))
                }
                _ => return Err(mismatch("byte string")),
            }
        }
        out.append_value(&joined);
    }
    Ok(Arc::new(out.finish()))
}

fn cast(node: &Typed, x: &Typed, frame: &Frame<'_>, faults: &mut Faults) -> Result<Datum> {
    let options = frame.cx.cast_options();
    match eval(x, frame, faults)? {
        Datum::Scalar(Value::Null) => Ok(Datum::Scalar(Value::Null)),
        Datum::Scalar(value) => match cast_value(&value, &x.ty, &node.ty, &options) {
            Ok(value) => Ok(Datum::Scalar(value)),
            Err(code) => {
                faults.extend((0..frame.rows).map(|row| super::kernels::fault(row, code)));
                Ok(Datum::Scalar(Value::Null))
            }
        },
        Datum::Array(array) => {
            let (array, found) = cast_array(&array, &x.ty, &node.ty, &options)?;
            // A cast cuts text and fractions silently.
            faults.extend(found.into_iter().filter(|f| !f.truncation));
            Ok(Datum::Array(array))
        }
    }
}

fn call(node: &Typed, frame: &Frame<'_>, faults: &mut Faults) -> Result<Datum> {
    let Op::Call(def, args) = &node.op else { return Ok(Datum::Scalar(Value::Null)) };
    let mut data = Vec::with_capacity(args.len());
    for arg in args {
        data.push(eval(arg, frame, faults)?);
    }
    let mut nulls = None;
    if def.nulls == NullRule::Propagate {
        if data.iter().any(Datum::is_null_scalar) {
            return Ok(Datum::Scalar(Value::Null));
        }
        nulls = union_nulls(&data);
    }
    let scalar = data.iter().all(Datum::is_scalar);
    let rows = if scalar { 1 } else { frame.rows };
    let call = super::functions::Call { def, args: &data, nodes: args, result: &node.ty, rows, nulls, cx: frame.cx };
    settle((def.kernel)(&call)?, scalar, node, frame, faults)
}

/// Rows of a branch beyond which it is cheaper to evaluate it on all of them and to drop the faults of the others.
fn mostly(taken: usize, rows: usize) -> bool {
    taken * 4 >= rows * 3
}

/// Evaluates a branch for the rows that take it.
fn branch(node: &Typed, takes: &BooleanBuffer, frame: &Frame<'_>, faults: &mut Faults) -> Result<Branch> {
    if !node.fallible {
        return Ok(Branch::Whole(eval(node, frame, faults)?));
    }
    let taken = takes.count_set_bits();
    if taken == 0 {
        return Ok(Branch::Whole(Datum::Scalar(Value::Null)));
    }
    let mut found = Faults::new();
    if mostly(taken, frame.rows) {
        let datum = eval(node, frame, &mut found)?;
        faults.extend(found.into_iter().filter(|f| takes.value(f.row as usize)));
        return Ok(Branch::Whole(datum));
    }
    let filter = FilterBuilder::new(&BooleanArray::new(takes.clone(), None)).optimize().build();
    let unread: ArrayRef = Arc::new(NullArray::new(0));
    let mut columns = vec![unread; frame.columns.len()];
    for number in &node.columns {
        let number = *number as usize;
        columns[number] = filter.filter(&frame.columns[number])?;
    }
    let datum = eval(node, &Frame { columns: &columns, rows: taken, cx: frame.cx }, &mut found)?;
    if !found.is_empty() {
        let rows: Vec<usize> = takes.set_indices().collect();
        faults.extend(found.into_iter().map(|f| Fault { row: rows[f.row as usize] as u32, ..f }));
    }
    Ok(match datum {
        Datum::Array(a) => Branch::Packed(a),
        scalar => Branch::Whole(scalar),
    })
}

/// A chain `a ? b : c ? d : e` at once: rows leave it with the first condition that they fulfil.
fn conditional(node: &Typed, frame: &Frame<'_>, faults: &mut Faults) -> Result<Datum> {
    let mut branches = Vec::new();
    // The rows that no condition before has decided; None: all.
    let mut open: Option<BooleanBuffer> = None;
    let mut rest = node;
    while let Op::If(parts) = &rest.op {
        let condition = match &open {
            None => eval(&parts[0], frame, faults)?,
            Some(open) => match branch(&parts[0], open, frame, faults)? {
                Branch::Whole(datum) => datum,
                packed => Datum::Array(merge(frame.rows, vec![(open.clone(), packed)], &DataType::Bool)?),
            },
        };
        let (is_true, is_false) = match (&condition, &open) {
            (Datum::Scalar(Value::Bool(true)), None) => return eval(&parts[1], frame, faults),
            (Datum::Scalar(Value::Bool(false)), None) => {
                rest = &parts[2];
                continue;
            }
            (Datum::Scalar(Value::Null), None) => return Ok(Datum::Scalar(Value::Null)),
            _ => logic::truths(&condition, frame.rows)?,
        };
        let (takes, left) = match &open {
            None => (is_true, is_false),
            Some(open) => (open & &is_true, open & &is_false),
        };
        let taken = branch(&parts[1], &takes, frame, faults)?;
        branches.push((takes, taken));
        open = Some(left);
        rest = &parts[2];
    }
    let Some(open) = open else { return eval(rest, frame, faults) };
    let last = branch(rest, &open, frame, faults)?;
    branches.push((open, last));
    Ok(Datum::Array(merge(frame.rows, branches, &node.ty)?))
}

/// Whether the right side of && and || is not looked at, and cannot fail, where the left one decides (unconfirmed: the
/// reference says it of `?:` only).
pub(crate) const SHORT_CIRCUIT: bool = true;

fn logical(or: bool, parts: &[Typed; 2], frame: &Frame<'_>, faults: &mut Faults) -> Result<Datum> {
    let left = eval(&parts[0], frame, faults)?;
    if SHORT_CIRCUIT && matches!(left, Datum::Scalar(Value::Bool(decided)) if decided == or) {
        return Ok(left);
    }
    let right = if !SHORT_CIRCUIT || left.is_scalar() || !parts[1].fallible {
        eval(&parts[1], frame, faults)?
    } else {
        let (is_true, is_false) = logic::truths(&left, frame.rows)?;
        // The rows that the left side decides do not look at the right one.
        let open = if or { !&is_true } else { !&is_false };
        match branch(&parts[1], &open, frame, faults)? {
            Branch::Whole(datum) => datum,
            packed => Datum::Array(merge(frame.rows, vec![(open, packed)], &DataType::Bool)?),
        }
    };
    if left.is_scalar() && right.is_scalar() {
        let array = logic::combine(&left, &right, or, 1)?.into_array(&DataType::Bool, 1)?;
        return Ok(Datum::Scalar(value_at(&array, &DataType::Bool, 0)?));
    }
    logic::combine(&left, &right, or, frame.rows)
}
