//! Puts the branches of `? :` together.

use super::datum::Datum;
use crate::diag::Result;
use crate::types::DataType;
use crate::types::scalar::array_of;
use arrow::array::types::Decimal128Type;
use arrow::array::{Array, ArrayRef, AsArray, new_null_array};
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::DataType as ArrowType;
use std::sync::Arc;

/// What a branch gave.
#[derive(Debug)]
pub(crate) enum Branch {
    /// A value or a column over all rows.
    Whole(Datum),
    /// A column over the rows that take the branch.
    Packed(ArrayRef),
}

impl Branch {
    fn is_null(&self) -> bool {
        matches!(self, Branch::Whole(d) if d.is_null_scalar())
    }

    /// The column to take rows from, and how row `row`, the `nth` of the branch, is numbered in it.
    fn source(&self, data_type: &DataType) -> Result<(ArrayRef, Numbering)> {
        Ok(match self {
            Branch::Whole(Datum::Scalar(v)) => (array_of(v, data_type, 1)?, Numbering::First),
            Branch::Whole(Datum::Array(a)) => (labelled(a, data_type), Numbering::Row),
            Branch::Packed(a) => (labelled(a, data_type), Numbering::Nth),
        })
    }
}

#[derive(Clone, Copy)]
enum Numbering {
    First,
    Row,
    Nth,
}

/// The same column under the precision of `data_type`: decimals that agree in scale are alike but for that label.
pub(crate) fn labelled(array: &ArrayRef, data_type: &DataType) -> ArrayRef {
    let wanted = data_type.arrow();
    match (array.data_type(), &wanted) {
        (ArrowType::Decimal128(p, s), ArrowType::Decimal128(q, t)) if p != q && s == t => {
            Arc::new(array.as_primitive::<Decimal128Type>().clone().with_data_type(wanted))
        }
        _ => array.clone(),
    }
}

/// A column that is `yes` in the rows `takes_yes`, `no` in the rows `takes_no`, and NULL in the others.
pub(crate) fn merge(
    takes_yes: &BooleanBuffer,
    takes_no: &BooleanBuffer,
    yes: Branch,
    no: Branch,
    data_type: &DataType,
) -> Result<ArrayRef> {
    let rows = takes_yes.len();
    if yes.is_null() && no.is_null() {
        return Ok(new_null_array(&data_type.arrow(), rows));
    }
    let (yes, yes_rows) = yes.source(data_type)?;
    let (no, no_rows) = no.source(data_type)?;
    let null = new_null_array(&data_type.arrow(), 1);
    let number = |numbering: Numbering, row: usize, nth: usize| match numbering {
        Numbering::First => 0,
        Numbering::Row => row,
        Numbering::Nth => nth,
    };
    let (mut nth_yes, mut nth_no) = (0, 0);
    let indices: Vec<(usize, usize)> = (0..rows)
        .map(|row| {
            if takes_yes.value(row) {
                nth_yes += 1;
                (0, number(yes_rows, row, nth_yes - 1))
            } else if takes_no.value(row) {
                nth_no += 1;
                (1, number(no_rows, row, nth_no - 1))
            } else {
                (2, 0)
            }
        })
        .collect();
    Ok(arrow::compute::interleave(&[&*yes, &*no, &*null], &indices)?)
}
