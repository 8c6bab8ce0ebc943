//! Merge Join: rows of two inputs whose keys are equal, in the order of the keys.
//!
//! Both inputs are sorted, so one pass over both does it, and no more is held than the rows of one key and a few batches.
//! The serial half only compares keys and says which rows belong together; lanes gather the columns.

use super::one_output;
use crate::shared::sort_keys::KeyColumn;
use crate::shared::sorted_inputs::{At, Head, Rows, Sides, SortedInlet, check_pair, share_an_ancestor, sorted_input};
use arrow::array::{Array, ArrayRef, UInt32Array, new_null_array};
use arrow::compute::{interleave, take};
use dtsx_engine::batch::Batch;
use dtsx_engine::diag::{Diagnostic, Error, Result, codes};
use dtsx_engine::flow::{
    BindCx, Bound, ComponentKind, ComponentSpec, Decode, Fetch, Layout, Morsel, OpenCx, Ports, RowRule, Sink, Source,
    Stage, StageEnds, Step, Waker,
};
use dtsx_engine::props::{PropertyDef, PropertyType};
use dtsx_engine::types::DataType;
use std::cmp::Ordering;
use std::ops::Range;
use std::sync::Arc;

/// Rows of an output batch, about.
const BATCH_ROWS: usize = 8192;
/// Stands for no row: the columns of that side are NULL.
const NONE: u32 = u32::MAX;

/// `Microsoft.MergeJoin`.
pub struct MergeJoin;

const PROPERTIES: &[PropertyDef] = &[
    PropertyDef {
        name: "JoinType",
        ty: PropertyType::Int,
        default: "2",
        doc: "0 full outer, 1 left outer, 2 inner join.",
    },
    PropertyDef {
        name: "NumKeyColumns",
        ty: PropertyType::Int,
        default: "1",
        doc: "How many of the sort key columns are compared.",
    },
    PropertyDef {
        name: "TreatNullsAsEqual",
        ty: PropertyType::Bool,
        default: "True",
        doc: "Whether NULL keys match each other; else they match nothing.",
    },
    PropertyDef {
        name: "MaxBuffersPerInput",
        ty: PropertyType::Int,
        default: "5",
        doc: "Buffers an input may be ahead; obsolete in the original, and of no effect here.",
    },
];

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum JoinType {
    Full,
    Left,
    Inner,
}

impl ComponentKind for MergeJoin {
    fn kind(&self) -> &'static str {
        "Microsoft.MergeJoin"
    }

    fn title(&self) -> &'static str {
        "Merge Join"
    }

    fn properties(&self) -> &'static [PropertyDef] {
        PROPERTIES
    }

    fn bind(&self, spec: &ComponentSpec, cx: &mut BindCx<'_>) -> Option<Bound> {
        let before = cx.diagnostics.len();
        if spec.inputs.len() != 2 {
            let code = codes::DTS_E_INCORRECTEXACTNUMBEROFINPUTS;
            cx.error(spec, code, code.message(&[&2]));
            return None;
        }
        let output = one_output(spec, cx)?;
        let join = join_type(spec, cx);
        let count = spec.properties.int("NumKeyColumns").unwrap_or(1);
        if count < 1 {
            let code = codes::DTS_E_TXMERGEJOININVALIDNUMKEYCOLS;
            cx.error(spec, code, code.message(&[]));
            return None;
        }
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        let order = sides(spec);
        let inputs = order.map(|input| sorted_input(spec, cx, input, count));
        for (input, sorted) in order.iter().zip(&inputs) {
            if !sorted.keys.is_empty() && sorted.keys.len() < count {
                let code = codes::DTS_E_TXMERGEJOINNOTENOUGHKEYCOLS;
                let object = format!("{}.Inputs[{}]", spec.name, spec.inputs[*input].name);
                cx.error(spec, code, code.message(&[&object, &count]));
            }
        }
        check_pair(spec, cx, &inputs[0], &inputs[1]);
        let columns = columns(spec, cx, output, order);
        if cx.diagnostics[before..].iter().any(Diagnostic::is_error) {
            return None;
        }
        let names = order.map(|input| format!("{}.Inputs[{}]", spec.name, spec.inputs[input].name));
        let plan = Plan {
            order,
            keys: inputs.map(|input| input.keys),
            names,
            columns,
            output,
            join: join?,
            nulls_match: spec.properties.bool("TreatNullsAsEqual").unwrap_or(true),
            shared: share_an_ancestor(spec, cx.flow),
        };
        Some(Bound::Stage(Box::new(JoinStage { plan: Arc::new(plan) })))
    }
}

fn join_type(spec: &ComponentSpec, cx: &mut BindCx<'_>) -> Option<JoinType> {
    match spec.properties.int("JoinType").unwrap_or(2) {
        0 => Some(JoinType::Full),
        1 => Some(JoinType::Left),
        2 => Some(JoinType::Inner),
        other => {
            let code = codes::DTS_E_TXMERGEJOININVALIDJOINTYPE;
            cx.error(spec, code, code.message(&[&spec.name, &other]));
            None
        }
    }
}

/// The inputs that are left and right. The left one is the first in the file, except where the designer's "Swap Inputs"
/// has put the input that it named right before the one that it named left: there the names are believed (unconfirmed).
fn sides(spec: &ComponentSpec) -> [usize; 2] {
    let named = |input: usize, name: &str| spec.inputs[input].name == name;
    if named(0, "Merge Join Right Input") && named(1, "Merge Join Left Input") { [1, 0] } else { [0, 1] }
}

/// Where a column of the output comes from.
#[derive(Clone, Copy, Debug)]
struct ColumnOf {
    side: usize,
    slot: usize,
    data_type: DataType,
}

fn columns(spec: &ComponentSpec, cx: &mut BindCx<'_>, output: usize, order: [usize; 2]) -> Vec<ColumnOf> {
    let plain = |id: &str| -> String {
        let id = id.trim().trim_start_matches('#');
        id.strip_prefix('{').and_then(|id| id.strip_suffix('}')).unwrap_or(id).to_owned()
    };
    let mut columns = Vec::new();
    for column in &spec.outputs[output].columns {
        let wanted = plain(column.properties.str("InputColumnID"));
        let found = order.iter().enumerate().find_map(|(side, input)| {
            let taken = spec.inputs[*input].columns.iter().find(|c| plain(&c.id) == wanted)?;
            Some((side, *input, taken))
        });
        let object = || format!("{}.Outputs[{}].Columns[{}]", spec.name, spec.outputs[output].name, column.name);
        let diagnostic = match found {
            None => {
                let code = codes::DTS_E_TXMERGEJOINOUTPUTCOLMUSTHAVEASSOCIATEDINPUTCOL;
                Diagnostic::error(code, &spec.path, code.message(&[&object()]))
            }
            Some((side, input, taken)) => match cx.inputs[input].slot(taken.lineage) {
                // An input without a path brings no rows; a column that a path does not bring is reported elsewhere.
                None if cx.inputs[input].columns.is_empty() => {
                    columns.push(ColumnOf { side, slot: 0, data_type: column.data_type });
                    continue;
                }
                None => continue,
                Some(slot) => {
                    let data_type = cx.inputs[input].column(slot).data_type;
                    if same(&data_type, &column.data_type) {
                        columns.push(ColumnOf { side, slot: slot.0, data_type: column.data_type });
                        continue;
                    }
                    let code = codes::DTS_E_METADATAMISMATCHWITHOUTPUTCOLUMN;
                    let text = format!("{} ({data_type} into {})", code.message(&[&object()]), column.data_type);
                    Diagnostic::error(code, &spec.path, text)
                }
            },
        };
        cx.diagnostics.push(diagnostic.with_column(&column.name).with_span(column.span.or(spec.span)));
    }
    columns
}

/// Whether values stand in the output as they are.
fn same(input: &DataType, output: &DataType) -> bool {
    input.arrow() == output.arrow() && input.code() == output.code()
}

struct Plan {
    /// The inputs that are left and right.
    order: [usize; 2],
    keys: [Vec<KeyColumn>; 2],
    names: [String; 2],
    columns: Vec<ColumnOf>,
    output: usize,
    join: JoinType,
    nulls_match: bool,
    shared: bool,
}

struct JoinStage {
    plan: Arc<Plan>,
}

impl Stage for JoinStage {
    fn open(&self, cx: &OpenCx, _inputs: &[Layout]) -> Result<StageEnds> {
        let sides = Arc::new(Sides::new(self.plan.shared, &cx.services.memory));
        let sink = |input: usize| -> Arc<dyn Sink> {
            let side = usize::from(self.plan.order[1] == input);
            let (keys, name) = (self.plan.keys[side].clone(), self.plan.names[side].clone());
            Arc::new(SortedInlet { sides: sides.clone(), side, keys, name })
        };
        Ok((vec![sink(0), sink(1)], Arc::new(Outlet { plan: self.plan.clone(), sides: sides.clone() })))
    }

    fn blocks(&self) -> bool {
        false
    }

    fn row_rule(&self) -> RowRule {
        RowRule::Other("a row for each pair that matches")
    }
}

struct Outlet {
    plan: Arc<Plan>,
    sides: Arc<Sides>,
}

impl Source for Outlet {
    fn open(&self, _cx: &OpenCx) -> Result<Box<dyn Fetch>> {
        Ok(Box::new(Joining {
            plan: self.plan.clone(),
            sides: self.sides.clone(),
            heads: [Head::new(0), Head::new(1)],
            group: Group::default(),
            places: Vec::new(),
            out: Joined::default(),
        }))
    }

    fn decoder(&self, _cx: &OpenCx, _outputs: &[Layout]) -> Result<Box<dyn Decode>> {
        Ok(Box::new(Lane { plan: self.plan.clone() }))
    }
}

/// The rows of the right side that have the key of some row, all of them or not yet: rows of earlier batches, and of the
/// batch that the right side stands in.
#[derive(Default)]
struct Group {
    earlier: Vec<(Arc<Rows>, Range<usize>)>,
    present: Range<usize>,
    state: GroupState,
}

#[derive(Clone, Copy, PartialEq, Eq, Default)]
enum GroupState {
    /// There is none.
    #[default]
    None,
    /// More rows may follow.
    Gathering,
    Complete,
}

/// Rows that belong together: for each side, which batches, and by output row, which of them and which row.
#[derive(Default)]
struct Joined {
    batches: [Vec<Arc<Rows>>; 2],
    rows: [Vec<(u32, u32)>; 2],
}

impl Joined {
    /// The number of a batch. Rows come in order, so it is the last one or a new one; within a group, one of the last few.
    fn batch(&mut self, side: usize, rows: &Arc<Rows>) -> u32 {
        let batches = &mut self.batches[side];
        let batch = batches.iter().rposition(|known| Arc::ptr_eq(known, rows)).unwrap_or_else(|| {
            batches.push(rows.clone());
            batches.len() - 1
        });
        batch as u32
    }

    fn len(&self) -> usize {
        self.rows[0].len()
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
        loop {
            if self.out.len() >= BATCH_ROWS {
                return Ok(self.emit());
            }
            match self.step(waker) {
                Went::On => {}
                Went::Later => return Ok(Step::Parked),
                Went::End if self.out.len() > 0 => return Ok(self.emit()),
                Went::End => return Ok(Step::Done),
            }
        }
    }
}

/// What a step came to.
enum Went {
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
    fn step(&mut self, waker: &Waker) -> Went {
        loop {
            let left = self.heads[0].settle(&self.sides, waker);
            if left == At::Later {
                return Went::Later;
            }
            if self.group.state == GroupState::Gathering
                && let Some(went) = self.gather(waker)
            {
                return went;
            }
            if self.group.state == GroupState::Complete {
                if left == At::Row && self.match_group() {
                    if self.out.len() >= BATCH_ROWS {
                        return Went::On;
                    }
                    continue;
                }
                self.group.earlier.clear();
                self.group.state = GroupState::None;
            }
            match (left, self.heads[1].settle(&self.sides, waker)) {
                (At::Later, _) | (_, At::Later) => return Went::Later,
                (At::End, At::End) => return Went::End,
                (At::Row, At::End) => self.alone(0),
                (At::End, At::Row) => self.alone(1),
                (At::Row, At::Row) => self.compare(),
            }
            if self.out.len() >= BATCH_ROWS {
                return Went::On;
            }
        }
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
            self.out.rows[side].extend((head.row..end).map(|row| (batch, row as u32)));
            self.out.rows[1 - side].extend((head.row..end).map(|_| (NONE, NONE)));
        }
        head.row = end;
    }

    /// Goes on to where the rows of both sides are equal; that begins a group.
    fn compare(&mut self) {
        let stay = [self.stays_alone(0), self.stays_alone(1)];
        let [left, right] = &mut self.heads;
        let (Some(l), Some(r)) = (&left.rows, &right.rows) else { return };
        let batches = [self.out.batch(0, l), self.out.batch(1, r)];
        while left.row < l.batch.rows && right.row < r.batch.rows && self.out.rows[0].len() < BATCH_ROWS {
            let order = l.keys.compare(left.row, &r.keys, right.row);
            let side = match order {
                Ordering::Less => 0,
                Ordering::Greater => 1,
                // A NULL that matches nothing: its row goes alone, and so will those of the other side.
                Ordering::Equal if !self.plan.nulls_match && l.nulls.as_ref().is_some_and(|n| n[left.row]) => 0,
                Ordering::Equal => {
                    self.group.state = GroupState::Gathering;
                    self.group.present = right.row..right.row;
                    return;
                }
            };
            let row = if side == 0 { &mut left.row } else { &mut right.row };
            if stay[side] {
                self.out.rows[side].push((batches[side], *row as u32));
                self.out.rows[1 - side].push((NONE, NONE));
            }
            *row += 1;
        }
    }

    /// Gathers the rows of the right side that are equal to the one where the group began.
    fn gather(&mut self, waker: &Waker) -> Option<Went> {
        loop {
            let head = &mut self.heads[1];
            if let Some(rows) = &head.rows {
                let (first, start) = match self.group.earlier.first() {
                    Some((first, range)) => (first, range.start),
                    None => (rows, self.group.present.start),
                };
                while head.row < rows.batch.rows {
                    if first.keys.compare(start, &rows.keys, head.row) != Ordering::Equal {
                        self.group.state = GroupState::Complete;
                        return None;
                    }
                    head.row += 1;
                    self.group.present.end = head.row;
                }
                // The batch is at its end, and the head is about to let go of it.
                self.group.earlier.push((rows.clone(), self.group.present.clone()));
                self.group.present = 0..0;
                head.rows = None;
            }
            match head.settle(&self.sides, waker) {
                At::Later => return Some(Went::Later),
                At::End => break,
                At::Row => {}
            }
        }
        self.group.state = GroupState::Complete;
        None
    }

    /// Joins rows of the left side with the group for as long as they are equal; false if the present one is not.
    fn match_group(&mut self) -> bool {
        let [left, right] = &mut self.heads;
        let Some(l) = &left.rows else { return false };
        let (first, start) = match (self.group.earlier.first(), &right.rows) {
            (Some((first, range)), _) => (first, range.start),
            (None, Some(rows)) => (rows, self.group.present.start),
            (None, None) => return false,
        };
        // About as many rows as a batch has: those of the left side that still fit, one at least.
        let count: usize = self.group.earlier.iter().map(|(_, range)| range.len()).sum();
        let room = BATCH_ROWS.saturating_sub(self.out.len()) / (count + self.group.present.len()).max(1);
        let from = left.row;
        let limit = l.batch.rows.min(from + room.max(1));
        let mut end = from;
        while end < limit && l.keys.compare(end, &first.keys, start) == Ordering::Equal {
            end += 1;
        }
        if end == from {
            return false;
        }
        self.places.clear();
        for (rows, range) in &self.group.earlier {
            let batch = self.out.batch(1, rows);
            self.places.extend(range.clone().map(|row| (batch, row as u32)));
        }
        if let Some(rows) = right.rows.as_ref().filter(|_| !self.group.present.is_empty()) {
            let batch = self.out.batch(1, rows);
            self.places.extend(self.group.present.clone().map(|row| (batch, row as u32)));
        }
        let batch = self.out.batch(0, l);
        for row in from..end {
            self.out.rows[0].extend(self.places.iter().map(|_| (batch, row as u32)));
            self.out.rows[1].extend_from_slice(&self.places);
        }
        left.row = end;
        true
    }
}

struct Lane {
    plan: Arc<Plan>,
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
