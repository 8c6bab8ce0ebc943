//! Which rows belong together, and making columns of them.

use super::{ColumnOf, Plan};
use crate::shared::sorted_inputs::Rows;
use arrow::array::{Array, ArrayRef, UInt32Array, new_null_array};
use arrow::compute::{interleave, take};
use dtsx_engine::batch::Batch;
use dtsx_engine::diag::{Error, Result};
use dtsx_engine::flow::{Decode, Morsel, Ports};
use std::ops::Range;
use std::sync::Arc;

/// Stands for no row: the columns of that side are NULL.
const NONE: u32 = u32::MAX;

/// Batches among which one is looked for.
const RECENT: usize = 16;

/// Rows that belong together: for each side, which batches, and by output row, which of them and which row.
#[derive(Default)]
pub(super) struct Joined {
    pub(super) batches: [Vec<Arc<Rows>>; 2],
    pub(super) rows: [Vec<(u32, u32)>; 2],
}

impl Joined {
    /// The number of a batch. Rows come in order, so it is the last one or a new one; within a group, one of the last
    /// few. One that stood further back gets another number, which costs nothing.
    pub(super) fn batch(&mut self, side: usize, rows: &Arc<Rows>) -> u32 {
        let batches = &mut self.batches[side];
        let known = batches.iter().enumerate().rev().take(RECENT).find(|(_, known)| Arc::ptr_eq(known, rows));
        if let Some((batch, _)) = known {
            return batch as u32;
        }
        batches.push(rows.clone());
        batches.len() as u32 - 1
    }

    pub(super) fn len(&self) -> usize {
        self.rows[0].len()
    }

    /// Adds rows of a side that match nothing.
    pub(super) fn alone(&mut self, side: usize, batch: u32, rows: Range<usize>) {
        self.rows[1 - side].extend(rows.clone().map(|_| (NONE, NONE)));
        self.rows[side].extend(rows.map(|row| (batch, row as u32)));
    }
}

/// Makes the columns of the output.
pub(super) struct Lane {
    pub(super) plan: Arc<Plan>,
}

impl Decode for Lane {
    fn decode(&mut self, seq: u64, morsel: Morsel, out: &mut Ports) -> Result<()> {
        let joined = morsel.downcast::<Joined>().map_err(|_| Error::internal("a morsel of another component"))?;
        let rows = joined.len();
        let picks = [Picks::of(&joined.rows[0]), Picks::of(&joined.rows[1])];
        let mut columns = Vec::with_capacity(self.plan.columns.len());
        for column in &self.plan.columns {
            let batches = &joined.batches[column.side];
            columns.push(picks[column.side].gather(column, batches, rows)?);
        }
        out.put(self.plan.output, Batch::new(seq, rows, columns));
        Ok(())
    }
}

/// Rows of one side, in the cheapest form.
enum Picks {
    /// None at all.
    Nothing,
    /// Rows of one batch, one after the other.
    Range(u32, usize),
    /// Rows of one batch, or none.
    One(u32, UInt32Array),
    /// Rows of several batches, or none.
    Several(Vec<(usize, usize)>),
}

impl Picks {
    fn of(rows: &[(u32, u32)]) -> Picks {
        let Some((batch, _)) = rows.iter().find(|(batch, _)| *batch != NONE) else { return Picks::Nothing };
        if rows.iter().any(|(b, _)| b != batch && *b != NONE) {
            // Place 0 is a row of nulls.
            let place =
                |(batch, row): &(u32, u32)| if *batch == NONE { (0, 0) } else { (*batch as usize + 1, *row as usize) };
            return Picks::Several(rows.iter().map(place).collect());
        }
        let start = rows[0].1;
        if rows.iter().enumerate().all(|(at, (_, row))| u64::from(*row) == u64::from(start) + at as u64) {
            return Picks::Range(*batch, start as usize);
        }
        Picks::One(*batch, rows.iter().map(|(batch, row)| (*batch != NONE).then_some(*row)).collect())
    }

    fn gather(&self, column: &ColumnOf, batches: &[Arc<Rows>], rows: usize) -> Result<ArrayRef> {
        let array = |batch: u32| &batches[batch as usize].batch.columns[column.slot];
        Ok(match self {
            Picks::Nothing => new_null_array(&column.data_type.arrow(), rows),
            Picks::Range(batch, start) => array(*batch).slice(*start, rows),
            Picks::One(batch, indices) => take(array(*batch), indices, None)?,
            Picks::Several(places) => {
                let nothing = new_null_array(&column.data_type.arrow(), 1);
                let mut arrays: Vec<&dyn Array> = vec![&nothing];
                arrays.extend(batches.iter().map(|rows| rows.batch.columns[column.slot].as_ref()));
                interleave(&arrays, places)?
            }
        })
    }
}
