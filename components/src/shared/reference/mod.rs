//! Reference rows: what a lookup looks up. Rows are gathered by a [`Builder`], indexed by key, and probed by batch.
//!
//! ```text
//! Builder ── rows, in any order of arrival ──▶ Table ── one Prober a lane ──▶ Found ──▶ columns
//! ```
//!
//! Of rows with equal keys the first in order counts. Values compare exactly, as SSIS compares in a full cache: letter
//! case, accents, width and trailing blanks matter, and NULL equals NULL ([`NULLS_MATCH`]).
//!
//! A table is columns and an index of row numbers: a plain array by value for integer keys that lie close together, else
//! a hash table. When the memory budget refuses it, the rows go to a temporary file, sorted by the hashes of their keys,
//! of which the probers read the pages that they need; what comes out is the same.

mod build;
mod index;
mod keys;
pub(crate) mod metadata;
mod paged;
pub(crate) mod query;

pub(crate) use build::{Builder, Order};

use arrow::array::{Array, ArrayRef, UInt32Array};
use arrow::buffer::NullBuffer;
use dtsx_engine::diag::{Error, Owner, Result, Severity, codes};
use dtsx_engine::events::Message;
use dtsx_engine::flow::OpenCx;
use dtsx_engine::memory::Reservation;
use dtsx_engine::types::DataType;
use index::Index;
use keys::KeyColumn;
use paged::{PagedProber, PagedTable};
use std::sync::Arc;

/// Whether a NULL in the input matches a NULL in the reference (unconfirmed for full caches).
pub(crate) const NULLS_MATCH: bool = true;

/// In [`Found::rows`]: there is no such row.
pub(crate) const NONE: u32 = u32::MAX;

/// A column of reference rows.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct ReferenceColumn {
    /// Its name.
    pub name: String,
    /// Its type.
    pub data_type: DataType,
}

/// What the rows are, and which columns are their key, in order.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct ReferenceSpec {
    pub columns: Vec<ReferenceColumn>,
    pub keys: Vec<usize>,
}

/// Reference rows with an index: immutable, shared by every lane that probes it.
pub(crate) struct Table {
    spec: Arc<ReferenceSpec>,
    body: Body,
    /// Rows that can be found.
    rows: u64,
    /// Rows that cannot, as an earlier one has the same key.
    duplicates: u64,
    _memory: Reservation,
}

enum Body {
    Memory { columns: Vec<ArrayRef>, keys: Vec<KeyColumn>, index: Index, hidden: Vec<u32> },
    Paged(Arc<PagedTable>),
}

impl Table {
    /// Rows that can be found.
    pub(crate) fn rows(&self) -> u64 {
        self.rows
    }

    /// Rows that cannot be found, as an earlier one has the same key.
    pub(crate) fn duplicates(&self) -> u64 {
        self.duplicates
    }

    /// Whether the rows are on disk.
    #[cfg(test)]
    pub(crate) fn is_paged(&self) -> bool {
        matches!(self.body, Body::Paged(_))
    }

    /// Hands every row that can be found to `take`, some at a time, all columns.
    ///
    /// # Errors
    /// Those of `take`; a temporary file that cannot be read.
    pub(crate) fn each(&self, mut take: impl FnMut(Vec<ArrayRef>) -> Result<()>) -> Result<()> {
        const ROWS: usize = 1 << 16;
        match &self.body {
            Body::Memory { columns, hidden, .. } => {
                let rows = columns.first().map_or(0, |c| c.len());
                let mut hidden = hidden.iter().copied().peekable();
                for start in (0..rows).step_by(ROWS) {
                    let end = rows.min(start + ROWS);
                    let mut kept = Vec::with_capacity(end - start);
                    kept.extend((start as u32..end as u32).filter(|row| hidden.next_if_eq(row).is_none()));
                    if kept.len() == end - start {
                        take(columns.iter().map(|c| c.slice(start, end - start)).collect())?;
                    } else {
                        let kept = UInt32Array::from(kept);
                        let taken = columns.iter().map(|c| arrow::compute::take(c, &kept, None));
                        take(taken.collect::<std::result::Result<_, _>>()?)?;
                    }
                }
                Ok(())
            }
            Body::Paged(table) => table.each(take),
        }
    }

    /// A prober for one lane; `wanted` are the columns that it fetches.
    pub(crate) fn prober(self: &Arc<Self>, wanted: Vec<usize>) -> Result<Prober> {
        let paged = match &self.body {
            Body::Memory { .. } => None,
            Body::Paged(table) => Some(PagedProber::new(table)?),
        };
        Ok(Prober { table: self.clone(), wanted, hashes: Vec::new(), paged })
    }
}

/// Looks keys up, batch by batch.
pub(crate) struct Prober {
    table: Arc<Table>,
    wanted: Vec<usize>,
    hashes: Vec<u64>,
    paged: Option<PagedProber>,
}

/// What a [`Prober`] found for the rows of a batch.
pub(crate) struct Found {
    /// For each row of the batch the number of a reference row, or [`NONE`].
    pub rows: Vec<u32>,
}

impl Prober {
    /// Looks up the keys in `keys`, columns of `rows` values in the order of [`ReferenceSpec::keys`] and of their types.
    ///
    /// # Errors
    /// A temporary file that cannot be read.
    pub(crate) fn find(&mut self, keys: &[ArrayRef], rows: usize) -> Result<Found> {
        match (&self.table.body, &mut self.paged) {
            (Body::Memory { keys: reference, index, .. }, _) => {
                let keys = keys.iter().map(KeyColumn::of).collect::<Result<Vec<_>>>()?;
                let mut found = Vec::with_capacity(rows);
                index.probe(reference, &keys, rows, &mut self.hashes, &mut found);
                if !NULLS_MATCH {
                    keys::exclude_nulls(&keys, &mut found);
                }
                Ok(Found { rows: found })
            }
            (_, Some(paged)) => Ok(Found { rows: paged.find(keys, rows)? }),
            (Body::Paged(_), None) => Ok(Found { rows: vec![NONE; rows] }),
        }
    }

    /// The wanted columns for what was found last; NULL where nothing was.
    ///
    /// # Errors
    /// Only if Arrow cannot gather, a defect.
    pub(crate) fn fetch(&mut self, found: &Found) -> Result<Vec<ArrayRef>> {
        let misses = found.rows.contains(&NONE);
        let nulls = misses.then(|| found.rows.iter().map(|row| *row != NONE).collect::<NullBuffer>());
        match (&self.table.body, &mut self.paged) {
            (Body::Memory { columns, .. }, _) => {
                if columns.first().is_none_or(|c| c.is_empty()) {
                    let spec = &self.table.spec.columns;
                    let none = |c: &usize| arrow::array::new_null_array(&spec[*c].data_type.arrow(), found.rows.len());
                    return Ok(self.wanted.iter().map(none).collect());
                }
                let indices = UInt32Array::new(found.rows.clone().into(), nulls);
                let column = |c: &usize| Ok(arrow::compute::take(&columns[*c], &indices, None)?);
                self.wanted.iter().map(column).collect()
            }
            (_, Some(paged)) => paged.fetch(&self.wanted, &UInt32Array::new(found.rows.clone().into(), nulls)),
            (Body::Paged(_), None) => Ok(Vec::new()),
        }
    }
}

/// What to do about `rows` rows with keys that earlier rows have: a warning, or an error if `fail` says so. SSIS has one
/// code for both (that the error has the warning's code is unconfirmed).
pub(crate) fn duplicates(cx: &OpenCx, rows: u64, fail: bool) -> Result<()> {
    if rows == 0 {
        return Ok(());
    }
    let code = codes::DTS_W_TXLOOKUP_DUPLICATE_KEYS;
    let text = format!("{} ({rows} row(s))", code.message(&[&cx.name]));
    if fail {
        return Err(Error::new(Owner::Data, code, text));
    }
    cx.events.fire(Message { severity: Severity::Warning, code, sub_component: cx.name.to_string(), text });
    Ok(())
}

/// `array` without what it does not need of the buffers that it shares.
pub(crate) fn compacted(array: &ArrayRef) -> ArrayRef {
    use arrow::array::AsArray;
    use arrow::datatypes::DataType as A;
    match array.data_type() {
        A::Utf8View => Arc::new(array.as_string_view().gc()),
        A::BinaryView => Arc::new(array.as_binary_view().gc()),
        // A slice of something much larger.
        _ if array
            .to_data()
            .get_slice_memory_size()
            .is_ok_and(|own| own * 2 + 4096 < array.get_array_memory_size()) =>
        {
            let all = UInt32Array::from_iter_values(0..array.len() as u32);
            arrow::compute::take(array, &all, None).unwrap_or_else(|_| array.clone())
        }
        _ => array.clone(),
    }
}

#[cfg(test)]
mod tests;
