//! `!`, `&&` and `||` in three-valued logic.

use super::datum::{Bools, Datum};
use crate::diag::Result;
use crate::types::Value;
use arrow::array::{Array, BooleanArray};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use std::sync::Arc;

/// `!a`.
pub(crate) fn not(a: &Datum) -> Result<Datum> {
    if a.is_null_scalar() {
        return Ok(Datum::Scalar(Value::Null));
    }
    Ok(match Bools::new(a)? {
        Bools::One(v) => Datum::Scalar(Value::Bool(!v)),
        Bools::Many(v) => Datum::Array(Arc::new(BooleanArray::new(!v.values(), v.nulls().cloned()))),
    })
}

/// Where an operand is TRUE and where it is FALSE; neither where it is NULL.
pub(crate) fn truths(a: &Datum, rows: usize) -> Result<(BooleanBuffer, BooleanBuffer)> {
    if a.is_null_scalar() {
        return Ok((BooleanBuffer::new_unset(rows), BooleanBuffer::new_unset(rows)));
    }
    Ok(match Bools::new(a)? {
        Bools::One(true) => (BooleanBuffer::new_set(rows), BooleanBuffer::new_unset(rows)),
        Bools::One(false) => (BooleanBuffer::new_unset(rows), BooleanBuffer::new_set(rows)),
        Bools::Many(v) => match v.nulls().filter(|n| n.null_count() > 0) {
            None => (v.values().clone(), !v.values()),
            Some(n) => (v.values() & n.inner(), &!v.values() & n.inner()),
        },
    })
}

/// `a && b` (`a || b` with `or`): FALSE (TRUE) decides over NULL.
pub(crate) fn combine(a: &Datum, b: &Datum, or: bool, rows: usize) -> Result<Datum> {
    let ((true_a, false_a), (true_b, false_b)) = (truths(a, rows)?, truths(b, rows)?);
    let (is_true, is_false) =
        if or { (&true_a | &true_b, &false_a & &false_b) } else { (&true_a & &true_b, &false_a | &false_b) };
    let known = &is_true | &is_false;
    let nulls = (known.count_set_bits() < rows).then(|| NullBuffer::new(known));
    Ok(Datum::Array(Arc::new(BooleanArray::new(is_true, nulls))))
}
