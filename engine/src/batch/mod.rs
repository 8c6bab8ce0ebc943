//! Batches: columns of the same rows, with an order and an optional selection.

use crate::diag::Result;
use arrow::array::{Array, ArrayRef, NullArray, UInt32Array};
use std::sync::Arc;

/// The rows of a batch that are meant, ascending. Shared: a split gives its outputs the same columns and different selections.
pub type Selection = Arc<Vec<u32>>;

/// Some rows on their way through a data flow.
///
/// A batch holds one array for each column of its port's [`crate::flow::Layout`], by slot. A column that nobody reads is
/// a [`NullArray`] of the right length: its slot stays, so that slots never move within a pipeline.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Position in the order of its source's output; one batch a port for each sequence number.
    pub seq: u64,
    /// Rows held by every column (selected or not).
    pub rows: usize,
    /// One array a slot.
    pub columns: Vec<ArrayRef>,
    /// The rows that are meant; None: all.
    pub selection: Option<Selection>,
    /// Where the rows stood in their source's morsel, for messages.
    pub origin: RowOrigin,
}

/// Where the rows of a batch stood in the morsel that they came from.
#[derive(Clone, Debug, Default)]
pub struct RowOrigin {
    /// Added to a row's index …
    pub base: u32,
    /// … or looked up here, once rows were dropped or gathered.
    pub map: Option<Arc<Vec<u32>>>,
}

impl RowOrigin {
    /// The place in the morsel of the batch's row `row`.
    pub fn of(&self, row: u32) -> u32 {
        match &self.map {
            Some(map) => map.get(row as usize).copied().unwrap_or(row),
            None => self.base + row,
        }
    }
}

impl Batch {
    /// A batch of all rows of `columns`.
    pub fn new(seq: u64, rows: usize, columns: Vec<ArrayRef>) -> Batch {
        debug_assert!(columns.iter().all(|c| c.len() == rows));
        Batch { seq, rows, columns, selection: None, origin: RowOrigin::default() }
    }

    /// No rows in `slots` columns that nobody will look at.
    pub fn empty(seq: u64, slots: usize) -> Batch {
        let nothing: ArrayRef = Arc::new(NullArray::new(0));
        Batch::new(seq, 0, vec![nothing; slots])
    }

    /// The number of rows that are meant.
    pub fn selected(&self) -> usize {
        self.selection.as_ref().map_or(self.rows, |s| s.len())
    }

    /// The same rows with no selection: columns are gathered if there was one.
    ///
    /// # Errors
    /// Only if Arrow cannot gather, a defect.
    pub fn compact(self) -> Result<Batch> {
        let Some(selection) = self.selection else { return Ok(self) };
        if selection.len() == self.rows {
            return Ok(Batch { selection: None, ..self });
        }
        let rows = selection.len();
        let indices = UInt32Array::from_iter_values(selection.iter().copied());
        let columns = self
            .columns
            .iter()
            .map(|column| -> Result<ArrayRef> {
                if column.data_type() == &arrow::datatypes::DataType::Null {
                    return Ok(Arc::new(NullArray::new(rows)));
                }
                Ok(arrow::compute::take(column, &indices, None)?)
            })
            .collect::<Result<Vec<_>>>()?;
        let map = selection.iter().map(|row| self.origin.of(*row)).collect();
        let origin = RowOrigin { base: 0, map: Some(Arc::new(map)) };
        Ok(Batch { seq: self.seq, rows, columns, selection: None, origin })
    }

    /// Rows `offset..offset + rows` of a batch without selection, as views.
    pub fn slice(&self, offset: usize, rows: usize) -> Batch {
        debug_assert!(self.selection.is_none());
        let columns = self.columns.iter().map(|c| c.slice(offset, rows)).collect();
        let origin = match &self.origin.map {
            None => RowOrigin { base: self.origin.base + offset as u32, map: None },
            Some(map) => {
                let end = (offset + rows).min(map.len());
                RowOrigin { base: 0, map: Some(Arc::new(map[offset.min(end)..end].to_vec())) }
            }
        };
        Batch { seq: self.seq, rows, columns, selection: None, origin }
    }

    /// Bytes that the columns hold, shared buffers counted each time.
    pub fn bytes(&self) -> usize {
        self.columns.iter().map(|c| c.get_array_memory_size()).sum()
    }
}

/// One row that could not be computed in one column: what a kernel reports beside its array.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fault {
    /// Row in the batch.
    pub row: u32,
    /// Why: the SSIS code, which becomes ErrorCode.
    pub code: crate::diag::Code,
    /// Whether the value was only cut (the truncation disposition applies, and the array holds the cut value); else the
    /// error disposition applies, and the array holds NULL.
    pub truncation: bool,
}

/// The faults of one column of a batch, ascending by row, at most one a row.
pub type Faults = Vec<Fault>;
