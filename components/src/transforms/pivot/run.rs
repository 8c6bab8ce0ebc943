//! Pivot at work. A lane finds the sets of a batch and gathers their rows; the serial half joins the set that a batch
//! ends with to the one that the next begins with.

use super::{Feed, Plan};
use crate::shared::stream::{Emitted, Stream};
use crate::transforms::shown;
use arrow::array::{ArrayRef, UInt32Array, new_null_array};
use arrow::compute::{concat, take};
use arrow::row::{RowConverter, Rows, SortField};
use dtsx_engine::batch::{Batch, Fault};
use dtsx_engine::diag::{Code, Result, Severity, codes};
use dtsx_engine::events::Message;
use dtsx_engine::flow::faults::RowFaults;
use dtsx_engine::flow::{Layout, OpenCx, Ports};
use hashbrown::HashSet;

/// No row of the set has that pivot key.
const NONE: u32 = u32::MAX;

/// Of so many different unknown pivot keys each is told; more say that the column is no key at all.
const TOLD: usize = 1000;

pub(super) struct Lane {
    set: Option<RowConverter>,
    key: RowConverter,
    /// Unknown keys that this lane has told.
    unknown: HashSet<Box<[u8]>>,
}

/// The sets of a batch.
pub(super) struct Piece {
    input: Batch,
    sets: usize,
    /// By column of the output, a value a set.
    columns: Vec<ArrayRef>,
    first_key: Box<[u8]>,
    last_key: Box<[u8]>,
    /// By pivot key, the row of the first set that has it.
    first: Vec<u32>,
    /// By pivot key, whether the last set has it.
    last: Vec<bool>,
    faults: Vec<Fault>,
    unknown: Vec<String>,
}

/// The last set so far, one row, which the next batch may go on with.
struct Open {
    key: Box<[u8]>,
    columns: Vec<ArrayRef>,
    seen: Vec<bool>,
}

pub(super) struct State {
    open: Option<Open>,
    unknown: Vec<String>,
}

impl Stream for Plan {
    type Piece = Piece;
    type Lane = Lane;
    type State = State;

    fn lane(&self, _cx: &OpenCx, _input: &Layout) -> Result<Lane> {
        let field = |data_type: &dtsx_engine::types::DataType| SortField::new(data_type.arrow());
        let set = (!self.set.is_empty()).then(|| RowConverter::new(self.set.iter().map(|(_, t)| field(t)).collect()));
        Ok(Lane { set: set.transpose()?, key: RowConverter::new(vec![field(&self.key.1)])?, unknown: HashSet::new() })
    }

    fn state(&self, _cx: &OpenCx, _input: &Layout) -> Result<State> {
        Ok(State { open: None, unknown: Vec::new() })
    }

    fn prepare(&self, lane: &mut Lane, batch: Batch) -> Result<Piece> {
        let columns: Vec<ArrayRef> = self.set.iter().map(|(slot, _)| batch.columns[slot.0].clone()).collect();
        let sets = lane.set.as_ref().map(|c| c.convert_columns(&columns)).transpose()?;
        let keys = lane.key.convert_columns(&[batch.columns[self.key.0.0].clone()])?;
        let starts = starts(sets.as_ref(), batch.rows);
        let width = self.places.len();
        let mut grid = vec![NONE; starts.len() * width];
        let (mut faults, mut unknown) = (Vec::new(), Vec::new());
        let mut ends = starts.iter().skip(1).copied().chain([batch.rows as u32]);
        for set in 0..starts.len() {
            let end = ends.next().unwrap_or_default();
            for row in starts[set]..end {
                let key = keys.row(row as usize);
                let fault = |code: Code| Fault { row, code, truncation: false };
                match self.places.get(key.as_ref()) {
                    Some(place) => {
                        let cell = &mut grid[set * width + *place as usize];
                        if *cell == NONE {
                            *cell = row;
                        } else {
                            faults.push(fault(codes::DTS_E_TXPIVOTRUNTIMEDUPLICATEPIVOTKEYVALUE));
                        }
                    }
                    None if !self.pass_unmatched => faults.push(fault(codes::DTS_E_TXPIVOTBADPIVOTKEYVALUE)),
                    None if lane.unknown.len() < TOLD && !lane.unknown.contains(key.as_ref()) => {
                        lane.unknown.insert(Box::from(key.as_ref()));
                        unknown.push(shown(&batch.columns[self.key.0.0], row).unwrap_or_else(|| "NULL".into()));
                    }
                    None => {}
                }
            }
        }
        let firsts = UInt32Array::from(starts.clone());
        let columns = self.feeds.iter().map(|feed| -> Result<ArrayRef> {
            Ok(match feed {
                Feed::Nothing(data_type) => new_null_array(&data_type.arrow(), starts.len()),
                Feed::First(slot) => take(&batch.columns[slot.0], &firsts, None)?,
                Feed::Value { slot, key } => {
                    let rows = grid.iter().skip(*key).step_by(width).map(|row| (*row != NONE).then_some(*row));
                    take(&batch.columns[slot.0], &rows.collect::<UInt32Array>(), None)?
                }
            })
        });
        let columns = columns.collect::<Result<Vec<_>>>()?;
        let key_of = |row: usize| sets.as_ref().map_or_else(Box::default, |sets| Box::from(sets.row(row).as_ref()));
        let (first_key, last_key) = match batch.rows {
            0 => Default::default(),
            rows => (key_of(0), key_of(rows - 1)),
        };
        let last = grid[grid.len().saturating_sub(width)..].iter().map(|row| *row != NONE).collect();
        grid.truncate(width);
        let sets = starts.len();
        Ok(Piece { input: batch, sets, columns, first_key, last_key, first: grid, last, faults, unknown })
    }

    fn step(&self, state: &mut State, mut piece: Piece, out: &mut Emitted) -> Result<Option<Piece>> {
        for key in piece.unknown.drain(..) {
            if state.unknown.len() < TOLD && !state.unknown.contains(&key) {
                state.unknown.push(key);
            }
        }
        if piece.sets == 0 {
            return Ok(None);
        }
        let open = state.open.take();
        let (open, before) = match open {
            Some(open) if open.key == piece.first_key => (Some(open), None),
            before => (None, before),
        };
        if let Some(open) = open {
            self.go_on(&open, &mut piece)?;
        }
        self.settle(&piece, out)?;
        let last = piece.sets - 1;
        let mut closed: Vec<ArrayRef> = Vec::with_capacity(piece.columns.len());
        for (place, column) in piece.columns.iter().enumerate() {
            let whole = column.slice(0, last);
            closed.push(match &before {
                Some(before) => concat(&[before.columns[place].as_ref(), whole.as_ref()])?,
                None => whole,
            });
        }
        let rows = last + usize::from(before.is_some());
        out.put(self.output, Batch::new(0, rows, closed));
        let columns = piece.columns.iter().map(|column| column.slice(last, 1)).collect();
        state.open = Some(Open { key: piece.last_key, columns, seen: piece.last });
        Ok(None)
    }

    fn end(&self, state: &mut State, cx: &OpenCx, out: &mut Emitted) -> Result<()> {
        if let Some(open) = state.open.take() {
            out.put(self.output, Batch::new(0, 1, open.columns));
        }
        if !state.unknown.is_empty() {
            let keys: Vec<String> = state.unknown.drain(..).map(|key| format!("[{key}]")).collect();
            let text = format!("Pivot key values without an output column: {}", keys.join(","));
            let message =
                Message { severity: Severity::Information, code: Code(0), sub_component: cx.name.to_string(), text };
            cx.events.fire(message);
        }
        self.errors.report_lost(cx);
        Ok(())
    }
}

impl Plan {
    /// Lets the first set of a piece go on with `open`: what that has, stays, and a pivot key that both have is a fault.
    fn go_on(&self, open: &Open, piece: &mut Piece) -> Result<()> {
        let mut again = false;
        for (seen, row) in open.seen.iter().zip(&piece.first) {
            if *seen && *row != NONE {
                let code = codes::DTS_E_TXPIVOTRUNTIMEDUPLICATEPIVOTKEYVALUE;
                piece.faults.push(Fault { row: *row, code, truncation: false });
                again = true;
            }
        }
        if again {
            piece.faults.sort_by_key(|fault| fault.row);
        }
        for (column, (old, feed)) in piece.columns.iter_mut().zip(open.columns.iter().zip(&self.feeds)) {
            let keeps = match feed {
                Feed::Nothing(_) => false,
                Feed::First(_) => true,
                Feed::Value { key, .. } => open.seen[*key],
            };
            if keeps {
                *column = concat(&[old.as_ref(), column.slice(1, piece.sets - 1).as_ref()])?;
            }
        }
        if piece.sets == 1 {
            piece.last.iter_mut().zip(&open.seen).for_each(|(last, seen)| *last |= seen);
        }
        Ok(())
    }

    /// Applies the disposition to the faults of a piece.
    fn settle(&self, piece: &Piece, out: &mut Emitted) -> Result<()> {
        if piece.faults.is_empty() {
            return Ok(());
        }
        let mut rows = RowFaults::new(&piece.input);
        rows.column(&self.site, &piece.faults, &|row| shown(&piece.input.columns[self.key.0.0], row));
        let (_, rejects) = rows.settle(&self.name)?;
        let mut ports = Ports::new(self.errors.port().map_or(0, |port| port + 1));
        self.errors.send(&piece.input, &rejects, &mut ports)?;
        if let Some(port) = self.errors.port()
            && let Some(batch) = ports.take(port)
        {
            out.put(port, batch);
        }
        Ok(())
    }
}

/// The rows that begin a set. A row begins or goes on with the set of its set key whatever its pivot key is, so that a
/// set of which every row leaves still has a row, of NULLs (unconfirmed).
fn starts(sets: Option<&Rows>, rows: usize) -> Vec<u32> {
    match sets {
        Some(sets) => (0..rows).filter(|r| *r == 0 || sets.row(*r) != sets.row(r - 1)).map(|r| r as u32).collect(),
        None => (0..rows.min(1) as u32).collect(),
    }
}
