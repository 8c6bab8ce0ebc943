//! The rows of one key of the right side.

use crate::shared::sort_keys::Keys;
use crate::shared::sorted_inputs::{Overflow, Pass, Rows};
use dtsx_engine::diag::Result;
use dtsx_engine::memory::Reservation;
use dtsx_engine::run::Services;
use std::ops::Range;
use std::sync::Arc;

/// Some rows of a batch.
pub(super) type Part = (Arc<Rows>, Range<usize>);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum GroupState {
    /// There is none.
    None,
    /// More rows may follow.
    Gathering,
    Complete,
}

/// The rows of the right side that have the key of some row, all of them or not yet: in memory, then on disk, then in the
/// batch that the right side stands in.
pub(super) struct Group {
    pub(super) state: GroupState,
    /// The key, of one row.
    pub(super) key: Keys,
    /// Rows of batches that the right side has left. The first of them were held anyway; the others are reserved for.
    earlier: Vec<Part>,
    memory: Reservation,
    overflow: Overflow,
    /// Rows of the batch that the right side stands in.
    pub(super) present: Range<usize>,
    /// Rows but those.
    left: usize,
    /// How far the row of the left side is that is being joined.
    pass: Option<GroupPass>,
}

/// A pass over a group.
struct GroupPass {
    /// Parts in memory that were passed.
    earlier: usize,
    disk: Pass,
    /// Whether the present batch was.
    present: bool,
    /// What was given back.
    rest: Option<Part>,
}

impl Group {
    pub(super) fn new(services: &Services) -> Group {
        Group {
            state: GroupState::None,
            key: Keys::default(),
            earlier: Vec::new(),
            memory: services.memory.reservation(),
            overflow: Overflow::new(&services.spill),
            present: 0..0,
            left: 0,
            pass: None,
        }
    }

    /// Begins a group with the key of a row of the right side.
    pub(super) fn begin(&mut self, keys: &Keys, row: usize) {
        self.state = GroupState::Gathering;
        self.key.set(keys, row..row + 1);
        self.present = row..row;
    }

    /// Ends the group.
    pub(super) fn clear(&mut self) {
        self.state = GroupState::None;
        if self.left > 0 {
            self.left = 0;
            self.earlier.clear();
            self.memory.shrink(self.memory.bytes());
            self.overflow.clear();
        }
    }

    /// How many rows it has.
    pub(super) fn rows(&self) -> usize {
        self.left + self.present.len()
    }

    /// The right side leaves its batch: takes the present rows over.
    ///
    /// # Errors
    /// A temporary file that cannot be written.
    pub(super) fn leave(&mut self, rows: &Arc<Rows>) -> Result<()> {
        let range = std::mem::replace(&mut self.present, 0..0);
        if range.is_empty() {
            return Ok(());
        }
        self.left += range.len();
        if self.left == range.len() {
            self.earlier.push((rows.clone(), range));
            return Ok(());
        }
        let own = rows.part(range);
        if !self.overflow.is_empty() || !self.memory.try_grow(own.memory()) {
            return self.overflow.push(&own);
        }
        let all = 0..own.batch.rows;
        self.earlier.push((Arc::new(own), all));
        Ok(())
    }

    /// All rows, if they are in memory and nobody is among them: parts, in order. `present` is the batch that the right
    /// side stands in.
    pub(super) fn at_hand<'a>(
        &'a self,
        present: Option<&'a Arc<Rows>>,
    ) -> Option<impl Iterator<Item = (&'a Arc<Rows>, Range<usize>)>> {
        if self.pass.is_some() || !self.overflow.is_empty() {
            return None;
        }
        let present = present.filter(|_| !self.present.is_empty()).map(|rows| (rows, self.present.clone()));
        Some(self.earlier.iter().map(|(rows, range)| (rows, range.clone())).chain(present))
    }

    /// The next rows for a row of the left side, in order; None after the last ones.
    ///
    /// # Errors
    /// A temporary file that cannot be read.
    pub(super) fn next(&mut self, present: Option<&Arc<Rows>>) -> Result<Option<Part>> {
        let pass = match &mut self.pass {
            Some(pass) => pass,
            none => none.insert(GroupPass { earlier: 0, disk: self.overflow.pass()?, present: false, rest: None }),
        };
        if let Some(rest) = pass.rest.take() {
            return Ok(Some(rest));
        }
        if let Some(part) = self.earlier.get(pass.earlier) {
            pass.earlier += 1;
            return Ok(Some(part.clone()));
        }
        if let Some(rows) = pass.disk.next()? {
            let all = 0..rows.batch.rows;
            return Ok(Some((Arc::new(rows), all)));
        }
        if let Some(rows) = present.filter(|_| !self.present.is_empty() && !pass.present) {
            pass.present = true;
            return Ok(Some((rows.clone(), self.present.clone())));
        }
        self.pass = None;
        Ok(None)
    }

    /// Gives rows back that there was no room for.
    pub(super) fn put_back(&mut self, part: Part) {
        if let Some(pass) = &mut self.pass {
            pass.rest = Some(part);
        }
    }
}
