//! Functions of NULL.

use super::signature::{Gives, Takes};
use super::{BASE, FunctionDef, NullRule, example, types};
use crate::batch::Faults;
use crate::expr::kernels::datum::Datum;
use crate::expr::kernels::merge::{Branch, labelled, merge};
use crate::expr::typed::Typed;
use crate::types::DataType;
use crate::types::convert::can_cast;
use arrow::array::{Array, BooleanArray, new_null_array};
use arrow::buffer::BooleanBuffer;
use std::sync::Arc;

pub(super) const ISNULL: FunctionDef = FunctionDef {
    name: "ISNULL",
    syntax: "ISNULL(value)",
    types: types(&[Takes::Any], Gives::Always(DataType::Bool)),
    doc: "Whether a value is NULL; never NULL itself.",
    examples: &[
        example("ISNULL(NULL(DT_I4))", "True"),
        example("ISNULL(NULL(DT_I4) + 5)", "True"),
        example("ISNULL(\"\")", "False"),
    ],
    nulls: NullRule::Own,
    typing: |_| Ok(DataType::Bool),
    kernel: |call| {
        let bits = match &call.args[0] {
            Datum::Scalar(v) if v.is_null() => BooleanBuffer::new_set(call.rows),
            Datum::Scalar(_) => BooleanBuffer::new_unset(call.rows),
            Datum::Array(a) => match a.logical_nulls() {
                Some(nulls) => !nulls.inner(),
                None => BooleanBuffer::new_unset(call.rows),
            },
        };
        Ok((Arc::new(BooleanArray::new(bits, None)), Faults::new()))
    },
    ..BASE
};

pub(super) const REPLACENULL: FunctionDef = FunctionDef {
    name: "REPLACENULL",
    syntax: "REPLACENULL(value, replacement)",
    types: types(&[Takes::NoBlob, Takes::NoBlob], Gives::FirstOrText("twice that of value, plus 2")),
    arity: 2,
    doc: "The first argument, or, where it is NULL, the second, converted to the type of the first.",
    examples: &[
        example("REPLACENULL(NULL(DT_WSTR,10),\"1900-01-01\")", "1900-01-01"),
        example("REPLACENULL(NULL(DT_NUMERIC,8,2),0)", "0.00"),
        example("REPLACENULL(5,7)", "5"),
    ],
    nulls: NullRule::Own,
    typing: |args| {
        for i in 0..2 {
            if args.nodes[i].ty.is_blob() {
                return Err(args.wrong(i));
            }
        }
        let first = args.nodes[0].ty;
        let result = replaced_type(&first);
        // The replacement may be as long as the result is declared.
        if args.nodes[1].ty.code() != result.code() && !can_cast(&args.nodes[1].ty, &result) {
            return Err(args.wrong(1));
        }
        if is_cut(&args.nodes[1].ty, &result) {
            args.cast(1, result)?
        } else {
            args.convert(1, result)?
        }
        Ok(result)
    },
    fallible: every_row_may_fail,
    kernel: |call| {
        let (value, replacement) = (&call.args[0], &call.args[1]);
        let array = match value {
            Datum::Scalar(v) if v.is_null() => replacement.clone().into_array(call.result, call.rows)?,
            Datum::Scalar(_) => value.clone().into_array(call.result, call.rows)?,
            Datum::Array(a) => match a.logical_nulls().filter(|n| n.null_count() > 0) {
                None => labelled(a, call.result),
                Some(nulls) => {
                    let absent = !nulls.inner();
                    let branches = vec![
                        (nulls.inner().clone(), Branch::Whole(value.clone())),
                        (absent, Branch::Whole(replacement.clone())),
                    ];
                    merge(call.rows, branches, call.result)?
                }
            },
        };
        Ok((array, Faults::new()))
    },
    ..BASE
};

/// The replacement is computed and converted in every row, needed or not, and a row whose value is not NULL fails with it
/// (unconfirmed: SSIS may compute it where it is needed only).
fn every_row_may_fail(args: &[Typed]) -> bool {
    args[1].constant().is_none()
}

/// Whether a replacement has to be cast to the type of the first argument though both are the same in memory: a number of
/// more digits, more bytes. A text that is longer stays whole (unconfirmed), and is too long for its column then.
fn is_cut(replacement: &DataType, result: &DataType) -> bool {
    match (replacement, result) {
        (DataType::Numeric { precision: a, scale: x }, DataType::Numeric { precision: b, scale: y }) => x == y && a > b,
        (DataType::Decimal { scale: x }, DataType::Numeric { scale: y, .. }) => x == y,
        (DataType::Bytes { len: a }, DataType::Bytes { len: b }) => a > b,
        _ => false,
    }
}

/// The type of a REPLACENULL: that of its first argument; a text is declared twice as long as its bytes in the buffer,
/// 2·(50+1) for a DT_WSTR(50), as packages show (for a DT_STR unconfirmed).
fn replaced_type(first: &DataType) -> DataType {
    match first {
        DataType::WStr { len } | DataType::Str { len, .. } => {
            DataType::WStr { len: len.saturating_add(1).saturating_mul(2) }
        }
        other => *other,
    }
}

pub(super) const NULL: FunctionDef = FunctionDef {
    name: "NULL",
    syntax: "NULL(type)",
    types: types(&[Takes::TypeName], Gives::Named),
    doc: "NULL of a type. The types that have parameters in a cast have them here: NULL(DT_WSTR,10), \
          NULL(DT_STR,10,1252), NULL(DT_NUMERIC,8,2).",
    examples: &[
        example("NULL(DT_STR,10,1252)", "NULL"),
        example("NULL(DT_DATE)", "NULL"),
        example("NULL(DT_BOOL)", "NULL"),
    ],
    nulls: NullRule::Own,
    // The grammar reads the type; no argument is left to evaluate.
    kernel: |call| Ok((new_null_array(&call.result.arrow(), call.rows), Faults::new())),
    ..BASE
};
