//! Reading both sides, and finding the rows whose keys are equal.

use super::gather::{Joined, Lane};
use super::group::{Group, GroupState};
use super::{JoinType, Plan};
use crate::shared::sorted_inputs::{At, Head, Sides};
use dtsx_engine::diag::Result;
use dtsx_engine::flow::{Decode, Fetch, Layout, Morsel, OpenCx, Source, Step, Waker};
use std::cmp::Ordering;
use std::sync::Arc;

/// Rows of an output batch.
const BATCH_ROWS: usize = 8192;

pub(super) struct Outlet {
    pub(super) plan: Arc<Plan>,
    pub(super) sides: Arc<Sides>,
}

impl Source for Outlet {
    fn open(&self, cx: &OpenCx) -> Result<Box<dyn Fetch>> {
        Ok(Box::new(Joining {
            plan: self.plan.clone(),
            sides: self.sides.clone(),
            heads: [Head::new(0), Head::new(1)],
            group: Group::new(&cx.services),
            places: Vec::new(),
            out: Joined::default(),
        }))
    }

    fn decoder(&self, _cx: &OpenCx, _outputs: &[Layout]) -> Result<Box<dyn Decode>> {
        Ok(Box::new(Lane { plan: self.plan.clone() }))
    }
}

struct Joining {
    plan: Arc<Plan>,
    sides: Arc<Sides>,
    heads: [Head; 2],
    group: Group,
    /// The rows of the group as the output batch numbers them.
    places: Vec<(u32, u32)>,
    out: Joined,
}

impl Fetch for Joining {
    fn fetch(&mut self, waker: &Waker) -> Result<Step<Morsel>> {
        Ok(match self.step(waker)? {
            Went::Later => Step::Parked,
            Went::End if self.out.len() == 0 => Step::Done,
            Went::On | Went::End => self.emit(),
        })
    }
}

/// What a step came to.
enum Went {
    /// The output batch is full.
    On,
    Later,
    End,
}

impl Joining {
    fn emit(&mut self) -> Step<Morsel> {
        let mut out = Joined::default();
        out.rows.iter_mut().for_each(|rows| rows.reserve(BATCH_ROWS));
        Step::More(Box::new(std::mem::replace(&mut self.out, out)))
    }

    /// Takes rows of the present batches for as long as they last or the output batch is full.
    fn step(&mut self, waker: &Waker) -> Result<Went> {
        while self.out.len() < BATCH_ROWS {
            let left = self.heads[0].settle(&self.sides, waker)?;
            if left == At::Later || self.group.state == GroupState::Gathering && !self.gather(waker)? {
                return Ok(Went::Later);
            }
            if self.group.state == GroupState::Complete {
                if left == At::Row && self.match_group()? {
                    continue;
                }
                self.group.clear();
            }
            match (left, self.heads[1].settle(&self.sides, waker)?) {
                (At::Later, _) | (_, At::Later) => return Ok(Went::Later),
                (At::End, At::End) => return Ok(Went::End),
                (At::Row, At::End) => self.alone(0),
                (At::End, At::Row) => self.alone(1),
                (At::Row, At::Row) => self.compare(),
            }
        }
        Ok(Went::On)
    }

    /// Whether rows of a side leave that match nothing.
    fn stays_alone(&self, side: usize) -> bool {
        matches!((self.plan.join, side), (JoinType::Full, _) | (JoinType::Left, 0))
    }

    /// Passes the rows of a side of which the other one has no more.
    fn alone(&mut self, side: usize) {
        let stays = self.stays_alone(side);
        let head = &mut self.heads[side];
        let Some(rows) = &head.rows else { return };
        let end = rows.batch.rows;
        if stays {
            let batch = self.out.batch(side, rows);
            self.out.alone(side, batch, head.row..end);
        }
        head.row = end;
    }

    /// Goes on to where the rows of both sides are equal; that begins a group.
    fn compare(&mut self) {
        let stay = [self.stays_alone(0), self.stays_alone(1)];
        let [left, right] = &mut self.heads;
        let (Some(l), Some(r)) = (&left.rows, &right.rows) else { return };
        let batches = [self.out.batch(0, l), self.out.batch(1, r)];
        while left.row < l.batch.rows && right.row < r.batch.rows && self.out.len() < BATCH_ROWS {
            let order = l.keys.compare(left.row, &r.keys, right.row);
            let side = match order {
                Ordering::Less => 0,
                Ordering::Greater => 1,
                // A NULL that matches nothing: its row goes alone, and so will those of the other side.
                Ordering::Equal if !self.plan.nulls_match && l.nulls.as_ref().is_some_and(|n| n[left.row]) => 0,
                Ordering::Equal => return self.group.begin(&r.keys, right.row),
            };
            let row = if side == 0 { &mut left.row } else { &mut right.row };
            if stay[side] {
                self.out.alone(side, batches[side], *row..*row + 1);
            }
            *row += 1;
        }
    }

    /// Gathers the rows of the right side that are equal to the one where the group began; false if there are none now
    /// and may be some later.
    fn gather(&mut self, waker: &Waker) -> Result<bool> {
        let head = &mut self.heads[1];
        loop {
            if let Some(rows) = &head.rows {
                while head.row < rows.batch.rows {
                    if self.group.key.compare(0, &rows.keys, head.row) != Ordering::Equal {
                        self.group.state = GroupState::Complete;
                        return Ok(true);
                    }
                    head.row += 1;
                    self.group.present.end = head.row;
                }
                // The batch is at its end, and the head is about to let go of it.
                self.group.leave(rows)?;
                head.rows = None;
            }
            match head.settle(&self.sides, waker)? {
                At::Later => return Ok(false),
                At::Row => {}
                At::End => {
                    self.group.state = GroupState::Complete;
                    return Ok(true);
                }
            }
        }
    }

    /// Joins rows of the left side with the group for as long as they are equal and the output batch has room; false if
    /// the present one is not equal.
    fn match_group(&mut self) -> Result<bool> {
        let [left, right] = &mut self.heads;
        let Some(l) = &left.rows else { return Ok(false) };
        let equal = |row: usize| l.keys.compare(row, &self.group.key, 0) == Ordering::Equal;
        if !equal(left.row) {
            return Ok(false);
        }
        let present = right.rows.as_ref();
        let fit = (BATCH_ROWS - self.out.len()) / self.group.rows().max(1);
        if let Some(parts) = self.group.at_hand(present).filter(|_| fit > 0) {
            let limit = l.batch.rows.min(left.row + fit);
            let end = (left.row + 1..limit).find(|row| !equal(*row)).unwrap_or(limit);
            self.places.clear();
            for (rows, range) in parts {
                let batch = self.out.batch(1, rows);
                self.places.extend(range.map(|row| (batch, row as u32)));
            }
            let batch = self.out.batch(0, l);
            for row in left.row..end {
                self.out.rows[0].extend(self.places.iter().map(|_| (batch, row as u32)));
                self.out.rows[1].extend_from_slice(&self.places);
            }
            left.row = end;
            return Ok(true);
        }
        // The rows of the group one part after the other, for one row of the left side.
        let batch = self.out.batch(0, l);
        while self.out.len() < BATCH_ROWS {
            let Some((rows, range)) = self.group.next(present)? else {
                left.row += 1;
                break;
            };
            let end = range.end.min(range.start + BATCH_ROWS - self.out.len());
            let right = self.out.batch(1, &rows);
            self.out.rows[0].extend((range.start..end).map(|_| (batch, left.row as u32)));
            self.out.rows[1].extend((range.start..end).map(|row| (right, row as u32)));
            if end < range.end {
                self.group.put_back((rows, end..range.end));
            }
        }
        Ok(true)
    }
}
