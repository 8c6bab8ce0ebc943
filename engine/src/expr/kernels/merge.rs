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

/// A column that is each branch in the rows that take it, of which no two share one, and NULL in all others.
pub(crate) fn merge(rows: usize, branches: Vec<(BooleanBuffer, Branch)>, data_type: &DataType) -> Result<ArrayRef> {
    // Index 0 is NULL.
    let mut sources = vec![new_null_array(&data_type.arrow(), 1)];
    let mut indices = vec![(0, 0); rows];
    for (takes, branch) in branches {
        if branch.is_null() {
            continue;
        }
        let (source, numbering) = branch.source(data_type)?;
        let number = sources.len();
        sources.push(source);
        for (nth, row) in takes.set_indices().enumerate() {
            indices[row] = match numbering {
                Numbering::First => (number, 0),
                Numbering::Row => (number, row),
                Numbering::Nth => (number, nth),
            };
        }
    }
    if sources.len() == 1 {
        return Ok(new_null_array(&data_type.arrow(), rows));
    }
    let sources: Vec<&dyn Array> = sources.iter().map(|s| &**s).collect();
    Ok(arrow::compute::interleave(&sources, &indices)?)
}
