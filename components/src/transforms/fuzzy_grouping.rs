//! Fuzzy Grouping: rows that are alike become a group, and one of them stands for all.
//!
//! ```text
//! name            _key_in  _key_out  name_clean      _score
//! Jon Smith       1        1         Jon Smith       1
//! Jonn Smith      2        1         Jon Smith       0.9…
//! Mary Jones      3        3         Mary Jones      1
//! ```
//!
//! Columns are compared as text (ExactFuzzy 2) or have to be equal (1); numbers at the ends of texts have to be equal if
//! LeadingTrailingNumeralsSignificant says so. A row that more rows are similar to than to any other stands for them; of
//! several the first; what is left is grouped in the same way (how the original chooses is not published). A group leaves
//! together, in the order of the rows that stand for groups. All rows are held, on disk where the memory budget has no room
//! for them. What similarity is stands in `crate::shared::fuzzy`.

use super::{one_input, one_output, report_column};
use crate::shared::blocking::{self, BATCH_ROWS, Blocking, Parts, Sealed};
use crate::shared::fits;
use crate::shared::fuzzy::rows::{self, Rows, RowsWriter};
use crate::shared::fuzzy::{
    Builder, Entries, EntriesWriter, Folding, Index, Match, Record, Room, Sorted, Sorter, Tokenizer, unescaped,
};
use arrow::array::{Array, ArrayRef, AsArray, Float32Array, Int32Array};
use arrow::datatypes::DataType as ArrowType;
use arrow::row::RowConverter;
use dtsx_engine::batch::Batch;
use dtsx_engine::diag::{Code, Diagnostic, Error, Result, codes};
use dtsx_engine::flow::{
    BindCx, Bound, ComponentKind, ComponentSpec, InputColumnSpec, Layout, OpenCx, Ports, RowRule, Slot, Stage,
    StageEnds,
};
use dtsx_engine::props::{PropertyDef, PropertyType, property};
use dtsx_engine::run::{CancelToken, on_pool};
use dtsx_engine::types::DataType;
use std::ops::Range;
use std::sync::Arc;

/// `Microsoft.FuzzyGrouping`.
pub struct FuzzyGrouping;

/// The least similarity of a component that names none.
const MIN_SIMILARITY: f64 = 0.8;

/// Rows that are compared between two looks at whether the run was cancelled.
const STEP: u32 = 1 << 10;
/// Rows that a thread compares at a time.
const PIECE: u32 = 1 << 4;

impl ComponentKind for FuzzyGrouping {
    fn kind(&self) -> &'static str {
        "Microsoft.FuzzyGrouping"
    }

    fn title(&self) -> &'static str {
        "Fuzzy Grouping"
    }

    fn properties(&self) -> &'static [PropertyDef] {
        use PropertyType::{Bool, Float, Int, Text};
        const {
            &[
                property("MinSimilarity", Float, "0.8", "The least similarity of the rows of a group, from 0 to 1."),
                property("Delimiters", Text, " \t\r\n,.;:-\"'&/\\@!?()<>[]{}|#*^%", "The characters between tokens."),
                property(
                    "MaxMemoryUsage",
                    Int,
                    "",
                    "Megabytes that the original's index may take; the run's budget counts here.",
                ),
                property("Exhaustive", Bool, "False", "Whether every row is compared with every other."),
            ]
        }
    }

    fn bind(&self, spec: &ComponentSpec, cx: &mut BindCx<'_>) -> Option<Bound> {
        let before = cx.diagnostics.len();
        one_input(spec, cx)?;
        let output = one_output(spec, cx)?;
        let least = spec.properties.float("MinSimilarity").unwrap_or(MIN_SIMILARITY);
        if !(0.0..=1.0).contains(&least) {
            let code = codes::DTS_E_TXFUZZYLOOKUP_INVALID_PROPERTY_VALUE;
            cx.error(spec, code, code.message(&[&least, &"MinSimilarity"]));
        }
        let grouped: Vec<Grouped> = spec.inputs[0].columns.iter().filter_map(|c| grouped(spec, cx, c)).collect();
        if grouped.is_empty() && !cx.failed(&spec.path) {
            let code = codes::DTS_E_TXFUZZYGROUPING_INSUFFICIENT_FUZZY_JOIN_COLUMNS;
            cx.error(spec, code, code.message(&[]));
        }
        let delimiters = spec.properties.text("Delimiters").unwrap_or(self.properties()[1].default);
        let mut plan = Plan {
            output,
            grouped,
            tokenizer: Tokenizer::new(&unescaped(delimiters)),
            least,
            exhaustive: spec.properties.bool("Exhaustive").unwrap_or(false),
            columns: Vec::new(),
        };
        for column in 0..spec.outputs[output].columns.len() {
            let made = made(spec, cx, output, column, &plan);
            plan.columns.extend(made);
        }
        if cx.diagnostics[before..].iter().any(Diagnostic::is_error) {
            return None;
        }
        Some(Bound::Stage(Box::new(Grouping(Arc::new(plan)))))
    }
}

/// A column by which rows are grouped.
struct Grouped {
    slot: Slot,
    /// Compared as text; else it has to be equal.
    fuzzy: bool,
    folding: Folding,
    least: f64,
    /// Numbers at the beginning, and at the end, have to be equal.
    numerals: (bool, bool),
}

/// What an input column is grouped by; None if it only passes.
fn grouped(spec: &ComponentSpec, cx: &mut BindCx<'_>, column: &InputColumnSpec) -> Option<Grouped> {
    if column.properties.bool("ToBeCleaned") != Some(true) {
        return None;
    }
    // A lineage that the path does not bring is reported for every component alike.
    let slot = cx.inputs[0].slot(column.lineage)?;
    let data_type = cx.inputs[0].column(slot).data_type;
    let number = |name: &str, default: i64| column.properties.int(name).unwrap_or(default);
    let mut wrong = |code: Code, message: String| {
        report_column(spec, cx, column, code, message);
        None
    };
    let value = codes::DTS_E_TXFUZZYLOOKUP_INVALID_PROPERTY_VALUE;
    let flags = number("FuzzyComparisonFlags", 1);
    let Ok(folding) = u32::try_from(flags).map_err(|_| 0).and_then(Folding::of) else {
        return wrong(value, value.message(&[&flags, &"FuzzyComparisonFlags"]));
    };
    let numerals = match number("LeadingTrailingNumeralsSignificant", 0) {
        n @ 0..=3 => (n & 1 != 0, n & 2 != 0),
        n => return wrong(value, value.message(&[&n, &"LeadingTrailingNumeralsSignificant"])),
    };
    let fuzzy = match number("ExactFuzzy", 2) {
        1 => false,
        2 if data_type.is_string() => true,
        2 => {
            let code = codes::DTS_E_TXFUZZYLOOKUP_UNSUPPORTEDDATATYPE;
            return wrong(code, code.message(&[&column.name]));
        }
        n => return wrong(value, value.message(&[&n, &"ExactFuzzy"])),
    };
    let least = column.properties.float("MinSimilarity").unwrap_or(0.0);
    Some(Grouped { slot, fuzzy, folding, least, numerals })
}

/// Where an output column comes from.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Made {
    KeyIn,
    KeyOut,
    Score,
    /// Of a column that is compared as text, by place among those; None: of one that has to be equal.
    ColumnSimilarity(Option<usize>),
    Input(Slot),
    /// Of the row that stands for the group.
    Canonical(Slot),
}

impl Made {
    /// The slot of the input that it is.
    fn slot(&self) -> Option<usize> {
        match self {
            Made::Input(slot) | Made::Canonical(slot) => Some(slot.0),
            _ => None,
        }
    }
}

fn made(spec: &ComponentSpec, cx: &mut BindCx<'_>, output: usize, column: usize, plan: &Plan) -> Option<Made> {
    let column = &spec.outputs[output].columns[column];
    let slot = cx.lineage(column.properties.str("InputId")).and_then(|lineage| cx.inputs[0].slot(lineage));
    let kind = column.properties.int("ColumnType").unwrap_or(0);
    let by = slot.and_then(|slot| plan.grouped.iter().find(|g| g.slot == slot));
    let same = slot.is_some_and(|s| fits(&cx.inputs[0].column(s).data_type, &column.data_type));
    match (kind, slot, column.data_type) {
        (1, _, DataType::I4) => Some(Made::KeyIn),
        (2, _, DataType::I4) => Some(Made::KeyOut),
        (3, _, DataType::R4) => Some(Made::Score),
        (4, Some(slot), DataType::R4) if by.is_some() => {
            let mut fuzzy = plan.grouped.iter().filter(|g| g.fuzzy);
            Some(Made::ColumnSimilarity(fuzzy.position(|g| g.slot == slot)))
        }
        (5, Some(slot), _) if same => Some(Made::Input(slot)),
        (6, Some(slot), _) if same && by.is_some() => Some(Made::Canonical(slot)),
        (4 | 6, Some(slot), _) if by.is_none() => {
            let code = codes::DTS_E_TXGROUPDUPS_INPUTCOLUMNNOTJOINED;
            let name = cx.inputs[0].column(slot).name.clone();
            report_column(spec, cx, column, code, code.message(&[&name, &"InputId", &column.name]));
            None
        }
        _ => {
            let code = codes::DTS_E_TXFUZZYLOOKUP_INVALID_PROPERTY_VALUE;
            report_column(spec, cx, column, code, code.message(&[&kind, &"ColumnType"]));
            None
        }
    }
}

struct Plan {
    output: usize,
    grouped: Vec<Grouped>,
    tokenizer: Tokenizer,
    least: f64,
    exhaustive: bool,
    columns: Vec<Made>,
}

impl Plan {
    fn records(&self, batch: &Batch) -> Vec<Record> {
        let mut records = vec![Record::default(); batch.rows];
        for by in &self.grouped {
            let array = &batch.columns[by.slot.0];
            for (row, record) in records.iter_mut().enumerate() {
                if !by.fuzzy {
                    let text = crate::shared::shown(array, row as u32);
                    record.exact.push(text.map(|text| by.folding.fold(&text)));
                    continue;
                }
                let texts = array.as_string_view();
                let text = if texts.is_null(row) { "" } else { texts.value(row) };
                record.tokens.push(self.tokenizer.tokens(text, by.folding));
                let (leading, trailing) = numerals(text);
                record.exact.extend(by.numerals.0.then(|| Some(leading.to_owned())));
                record.exact.extend(by.numerals.1.then(|| Some(trailing.to_owned())));
            }
        }
        records
    }
}

/// The digits at the beginning and at the end of a text.
fn numerals(text: &str) -> (&str, &str) {
    let text = text.trim();
    let rest = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let start = text.trim_end_matches(|c: char| c.is_ascii_digit());
    (&text[..text.len() - rest.len()], &text[start.len()..])
}

/// The component, ready to run any number of times.
struct Grouping(Arc<Plan>);

impl Stage for Grouping {
    fn open(&self, cx: &OpenCx, inputs: &[Layout]) -> Result<StageEnds> {
        let (plan, input) = (self.0.clone(), inputs.first().cloned().unwrap_or_default());
        // Columns that leave, and their types.
        let mut taken: Vec<usize> = plan.columns.iter().filter_map(Made::slot).collect();
        taken.sort_unstable();
        taken.dedup();
        // An input without a path brings no rows.
        taken.retain(|slot| *slot < input.columns.len());
        let types = taken.iter().map(|slot| input.columns[*slot].data_type.arrow()).collect();
        let room = Room::new(&cx.services);
        let run = Run { plan, taken, types, room, cancel: cx.services.cancel.clone() };
        Ok(blocking::ends(run, inputs.len()))
    }

    fn blocks(&self) -> bool {
        true
    }

    fn row_rule(&self) -> RowRule {
        RowRule::Once
    }
}

/// One execution.
struct Run {
    plan: Arc<Plan>,
    /// The slots of the columns that leave.
    taken: Vec<usize>,
    types: Vec<ArrowType>,
    room: Room,
    cancel: CancelToken,
}

/// What is gathered of the input.
struct Gathered {
    records: Builder,
    rows: RowsWriter,
}

/// A row on its way out: its number, that of the row that stands for its group, and how similar it is to that one.
struct Member {
    row: u32,
    canonical: u32,
    score: f32,
    columns: Vec<f32>,
}

/// Rows of the output, and all rows of the input.
struct Part {
    members: Vec<Member>,
    rows: Arc<Rows>,
}

impl Blocking for Run {
    type Lane = RowConverter;
    type Item = (Vec<Record>, arrow::row::Rows);
    type Kept = Option<Gathered>;
    type Part = Part;

    fn lane(&self, _input: usize) -> Result<RowConverter> {
        rows::converter(&self.types)
    }

    fn take(&self, converter: &mut RowConverter, batch: Batch) -> Result<Self::Item> {
        let taken: Vec<ArrayRef> = self.taken.iter().map(|slot| batch.columns[*slot].clone()).collect();
        let rows = if taken.is_empty() { converter.empty_rows(0, 0) } else { converter.convert_columns(&taken)? };
        Ok((self.plan.records(&batch), rows))
    }

    fn keep(&self, kept: &mut Self::Kept, (records, rows): Self::Item) -> Result<()> {
        let gathered = kept.get_or_insert_with(|| Gathered {
            records: Builder::new(&self.room, self.plan.exhaustive),
            rows: RowsWriter::new(&self.room, self.types.clone()),
        });
        gathered.rows.push(&rows)?;
        records.iter().try_for_each(|record| gathered.records.add(record))
    }

    fn seal(&self, inputs: Vec<Sealed<RowConverter, Self::Kept>>) -> Result<Parts<Part>> {
        let Some(gathered) = inputs.into_iter().find_map(|sealed| sealed.kept) else {
            return Ok(Box::new(std::iter::empty()));
        };
        let rows = Arc::new(gathered.rows.finish()?);
        let index = Arc::new(gathered.records.finish(&self.cancel)?);
        let mut members = self.groups(&index)?;
        Ok(Box::new(std::iter::from_fn(move || {
            let mut part = Vec::with_capacity(BATCH_ROWS);
            while part.len() < BATCH_ROWS {
                match members.next() {
                    Ok(Some(member)) => part.push(Member::read(member)),
                    Ok(None) => break,
                    Err(error) => return Some(Err(error)),
                }
            }
            (!part.is_empty()).then(|| Ok(Part { members: part, rows: rows.clone() }))
        })))
    }

    fn emit(&self, seq: u64, part: Part, out: &mut Ports) -> Result<()> {
        let Part { members, rows } = part;
        let canonicals = self.plan.columns.iter().any(|made| matches!(made, Made::Canonical(_)));
        let own = rows.fetch(&members.iter().map(|m| Some(m.row)).collect::<Vec<_>>())?;
        let canonical = members.iter().map(|m| Some(m.canonical)).filter(|_| canonicals).collect::<Vec<_>>();
        let canonical = rows.fetch(&canonical)?;
        let of = |columns: &[ArrayRef], slot: &Slot| -> Result<ArrayRef> {
            let place = self.taken.binary_search(&slot.0);
            Ok(columns[place.map_err(|_| Error::internal("a column that was not kept"))?].clone())
        };
        let column = |made: &Made| -> Result<ArrayRef> {
            let key = |row: u32| row as i32 + 1;
            Ok(match made {
                Made::KeyIn => Arc::new(Int32Array::from_iter_values(members.iter().map(|m| key(m.row)))),
                Made::KeyOut => Arc::new(Int32Array::from_iter_values(members.iter().map(|m| key(m.canonical)))),
                Made::Score => Arc::new(Float32Array::from_iter_values(members.iter().map(|m| m.score))),
                Made::ColumnSimilarity(column) => {
                    let of = |m: &Member| column.and_then(|c| m.columns.get(c).copied()).unwrap_or(1.0);
                    Arc::new(Float32Array::from_iter_values(members.iter().map(of)))
                }
                Made::Input(slot) => of(&own, slot)?,
                Made::Canonical(slot) => of(&canonical, slot)?,
            })
        };
        let columns = self.plan.columns.iter().map(column).collect::<Result<Vec<_>>>()?;
        out.put(self.plan.output, Batch::new(seq, members.len(), columns));
        Ok(())
    }
}

impl Run {
    /// The groups, one after the other, in the order of the rows that stand for them.
    fn groups(&self, index: &Arc<Index>) -> Result<Sorted> {
        let (similar, mut order) = self.similar(index)?;
        let mut grouped = vec![false; index.count() as usize];
        let columns = self.plan.grouped.iter().filter(|g| g.fuzzy).count();
        let itself = vec![1.0; columns];
        let mut members = Sorter::new(&self.room);
        let (mut entry, mut scratch) = (Vec::new(), Vec::new());
        while let Some(place) = order.next()? {
            let canonical = number(place, 4);
            if std::mem::replace(&mut grouped[canonical as usize], true) {
                continue;
            }
            Member { row: canonical, canonical, score: 1.0, columns: itself.clone() }.write(&mut entry);
            members.push(&entry)?;
            for alike in similar.get(canonical, &mut scratch)?.chunks_exact(8 + 4 * columns) {
                let row = number(alike, 0);
                if !std::mem::replace(&mut grouped[row as usize], true) {
                    let score = |at: usize| f32::from_bits(number(alike, at));
                    let columns = (0..columns).map(|column| score(8 + 4 * column)).collect();
                    Member { row, canonical, score: score(4), columns }.write(&mut entry);
                    members.push(&entry)?;
                }
            }
        }
        members.finish()
    }

    /// By row, the rows that are similar to it, each with its scores; and the order in which rows may stand for others:
    /// those with the most similar rows first, then the first.
    fn similar(&self, index: &Arc<Index>) -> Result<(Entries, Sorted)> {
        let least: Vec<f64> = self.plan.grouped.iter().filter(|g| g.fuzzy).map(|g| g.least).collect();
        let alike = |rows: Range<u32>| -> Result<Vec<(u32, Vec<Match>)>> {
            let mut finder = index.finder();
            rows.map(|row| Ok((row, finder.matches_of(row, self.plan.least, &least)?))).collect()
        };
        let mut pairs = Sorter::new(&self.room);
        let mut entry = Vec::new();
        for step in pieces(0..index.count(), STEP) {
            self.cancel.check()?;
            let pieces: Vec<Range<u32>> = pieces(step, PIECE).collect();
            for found in on_pool(pieces, alike) {
                for (row, found) in found?.iter().flat_map(|(row, found)| found.iter().map(move |m| (row, m))) {
                    entry.clear();
                    entry.extend(found.record.to_be_bytes());
                    entry.extend(row.to_be_bytes());
                    let scores = std::iter::once(&found.similarity).chain(&found.columns);
                    entry.extend(scores.flat_map(|score| (*score as f32).to_bits().to_be_bytes()));
                    pairs.push(&entry)?;
                }
            }
        }
        let (mut similar, mut order) = (EntriesWriter::new(&self.room), Sorter::new(&self.room));
        let mut end = |list: &mut Vec<u8>| -> Result<()> {
            let rows = (list.len() / (8 + 4 * least.len())) as u32;
            let place = [(u32::MAX - rows).to_be_bytes(), similar.count().to_be_bytes()].concat();
            order.push(&place)?;
            similar.push(list)?;
            list.clear();
            Ok(())
        };
        let mut pairs = pairs.finish()?;
        let (mut present, mut list) = (0, Vec::new());
        while let Some(pair) = pairs.next()? {
            while present < number(pair, 0) {
                end(&mut list)?;
                present += 1;
            }
            list.extend_from_slice(&pair[4..]);
        }
        for _ in present..index.count() {
            end(&mut list)?;
        }
        Ok((similar.finish()?, order.finish()?))
    }
}

impl Member {
    /// As bytes whose order is that of the output: by group, the row that stands for it first.
    fn write(&self, out: &mut Vec<u8>) {
        out.clear();
        out.extend(self.canonical.to_be_bytes());
        out.push(u8::from(self.row != self.canonical));
        out.extend(self.row.to_be_bytes());
        let scores = std::iter::once(&self.score).chain(&self.columns);
        out.extend(scores.flat_map(|score| score.to_bits().to_be_bytes()));
    }

    fn read(bytes: &[u8]) -> Member {
        let score = |at: usize| f32::from_bits(number(bytes, at));
        let columns = (13..bytes.len()).step_by(4).map(score).collect();
        Member { row: number(bytes, 5), canonical: number(bytes, 0), score: score(9), columns }
    }
}

/// The number at a place.
fn number(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..).and_then(|bytes| bytes.first_chunk()).map_or(0, |bytes| u32::from_be_bytes(*bytes))
}

/// A range in pieces of `size`.
fn pieces(range: Range<u32>, size: u32) -> impl Iterator<Item = Range<u32>> {
    let end = range.end;
    range.step_by(size as usize).map(move |start| start..end.min(start.saturating_add(size)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_at_the_ends() {
        assert_eq!(numerals(" 12 Main St 7"), ("12", "7"));
        assert_eq!(numerals("Main"), ("", ""));
        assert_eq!(numerals("42"), ("42", "42"));
    }
}
