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
    BindCx, Bound, ComponentKind, ComponentSpec, Decode, Fetch, Layout, Morsel, OpenCx, Ports, Sink, Source, Stage,
    StageEnds, Step, Waker,
};
use dtsx_engine::props::{PropertyDef, PropertyType};
use dtsx_engine::types::DataType;
use std::cmp::Ordering;
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
            out: Joined::default(),
        }))
    }

    fn decoder(&self, _cx: &OpenCx, _outputs: &[Layout]) -> Result<Box<dyn Decode>> {
        Ok(Box::new(Lane { plan: self.plan.clone() }))
    }
}

/// The rows of the right side that have the key of some row, all of them or not yet.
#[derive(Default)]
struct Group {
    rows: Vec<(Arc<Rows>, usize)>,
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
    fn push(&mut self, side: usize, row: Option<(&Arc<Rows>, usize)>) {
        let Some((rows, row)) = row else {
            self.rows[side].push((NONE, NONE));
            return;
        };
        let batches = &mut self.batches[side];
        // Rows come in order, so it is the last batch or a new one; within a group, one of the last few.
        let batch = match batches.iter().rposition(|known| Arc::ptr_eq(known, rows)) {
            Some(batch) => batch,
            None => {
                batches.push(rows.clone());
                batches.len() - 1
            }
        };
        self.rows[side].push((batch as u32, row as u32));
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
        Step::More(Box::new(std::mem::take(&mut self.out)))
    }

    /// Takes rows of the present batches for as long as they last or the output batch is full.
    fn step(&mut self, waker: &Waker) -> Went {
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
                return Went::On;
            }
            self.group = Group::default();
        }
        let right = self.heads[1].settle(&self.sides, waker);
        match (left, right) {
            (At::Later, _) | (_, At::Later) => Went::Later,
            (At::End, At::End) => Went::End,
            (At::Row, At::End) => {
                self.alone(0, usize::MAX);
                Went::On
            }
            (At::End, At::Row) => {
                self.alone(1, usize::MAX);
                Went::On
            }
            (At::Row, At::Row) => {
                self.compare();
                Went::On
            }
        }
    }

    /// Passes rows of a side that have no match: at most `limit`, and not beyond the batch.
    fn alone(&mut self, side: usize, limit: usize) {
        let head = &mut self.heads[side];
        let Some(rows) = &head.rows else { return };
        let end = rows.batch.rows.min(head.row.saturating_add(limit));
        let kept = matches!((self.plan.join, side), (JoinType::Full, _) | (JoinType::Left, 0));
        if kept {
            for row in head.row..end {
                self.out.push(side, Some((rows, row)));
                self.out.push(1 - side, None);
            }
        }
        head.row = end;
    }

    /// Goes on to where the rows of both sides are equal; that begins a group.
    fn compare(&mut self) {
        while self.out.len() < BATCH_ROWS {
            let [Head { rows: Some(left), row: l, .. }, Head { rows: Some(right), row: r, .. }] = &self.heads else {
                return;
            };
            if *l == left.batch.rows || *r == right.batch.rows {
                return;
            }
            match left.keys.compare(*l, &right.keys, *r) {
                Ordering::Less => self.alone(0, 1),
                Ordering::Greater => self.alone(1, 1),
                Ordering::Equal if !self.plan.nulls_match && left.nulls.as_ref().is_some_and(|nulls| nulls[*l]) => {
                    self.alone(0, 1);
                }
                Ordering::Equal => {
                    self.group.state = GroupState::Gathering;
                    return;
                }
            }
        }
    }

    /// Gathers the rows of the right side that are equal to its present one, or to the group's first.
    fn gather(&mut self, waker: &Waker) -> Option<Went> {
        loop {
            match self.heads[1].settle(&self.sides, waker) {
                At::Later => return Some(Went::Later),
                At::End => break,
                At::Row => {}
            }
            let head = &mut self.heads[1];
            let Some(rows) = &head.rows else { break };
            while head.row < rows.batch.rows {
                if let Some((first, row)) = self.group.rows.first()
                    && first.keys.compare(*row, &rows.keys, head.row) != Ordering::Equal
                {
                    self.group.state = GroupState::Complete;
                    return None;
                }
                self.group.rows.push((rows.clone(), head.row));
                head.row += 1;
            }
        }
        self.group.state = GroupState::Complete;
        None
    }

    /// Joins rows of the left side with the group for as long as they are equal; false if the present one is not.
    fn match_group(&mut self) -> bool {
        let head = &mut self.heads[0];
        let (Some(left), Some((first, row))) = (&head.rows, self.group.rows.first()) else { return false };
        let start = head.row;
        while head.row < left.batch.rows && self.out.len() < BATCH_ROWS {
            if left.keys.compare(head.row, &first.keys, *row) != Ordering::Equal {
                break;
            }
            for (rows, row) in &self.group.rows {
                self.out.push(0, Some((left, head.row)));
                self.out.push(1, Some((rows, *row)));
            }
            head.row += 1;
        }
        head.row > start
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
