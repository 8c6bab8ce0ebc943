//! Computation on columns: every kernel takes [`Datum`]s and gives `(Array, Faults)`.

pub(crate) mod arith;
pub(crate) mod compare;
pub(crate) mod datum;
pub(crate) mod logic;
pub(crate) mod merge;
pub(crate) mod text;
pub(crate) mod views;

use crate::batch::{Fault, Faults};
use crate::diag::Code;
use arrow::array::{ArrayRef, BooleanBufferBuilder};
use arrow::buffer::NullBuffer;

/// A column and the rows of it that could not be computed, which are NULL in it.
pub(crate) type Computed = (ArrayRef, Faults);

/// The nulls of a column whose faulty rows are NULL too.
pub(crate) fn null_out(nulls: Option<NullBuffer>, rows: usize, faults: &[Fault]) -> Option<NullBuffer> {
    if faults.is_empty() {
        return nulls;
    }
    let mut valid = BooleanBufferBuilder::new(rows);
    match &nulls {
        Some(nulls) => valid.append_buffer(nulls.inner()),
        None => valid.append_n(rows, true),
    }
    for fault in faults {
        valid.set_bit(fault.row as usize, false);
    }
    Some(NullBuffer::new(valid.finish()))
}

/// A row that could not be computed.
pub(crate) fn fault(row: usize, code: Code) -> Fault {
    Fault { row: row as u32, code, truncation: false }
}

/// Whether a row has a value.
#[inline]
pub(crate) fn is_valid(nulls: Option<&NullBuffer>, row: usize) -> bool {
    nulls.is_none_or(|n| n.is_valid(row))
}
