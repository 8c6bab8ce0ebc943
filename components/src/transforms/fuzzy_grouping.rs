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
//! together, in the order of the rows that stand for groups. What similarity is stands in `crate::shared::fuzzy`.

use super::{one_input, one_output, report_output_column};
use crate::shared::blocking::{self, BATCH_ROWS, Blocking, Parts, Sealed};
use crate::shared::fuzzy::{Folding, Index, Match, Record, Tokenizer, unescaped};
use crate::shared::reference::compacted;
use arrow::array::{Array, ArrayRef, AsArray, Float32Array, Int32Array, UInt32Array};
use dtsx_engine::batch::Batch;
use dtsx_engine::diag::{Code, Diagnostic, Error, Owner, Result, codes};
use dtsx_engine::flow::{
    BindCx, Bound, ComponentKind, ComponentSpec, InputColumnSpec, Layout, OpenCx, Ports, RowRule, Slot, Stage,
    StageEnds,
};
use dtsx_engine::memory::Reservation;
use dtsx_engine::props::{PropertyDef, PropertyType};
use dtsx_engine::run::{CancelToken, on_pool};
use dtsx_engine::types::DataType;
use std::sync::{Arc, Mutex, PoisonError};

/// `Microsoft.FuzzyGrouping`.
pub struct FuzzyGrouping;

/// The least similarity of a component that names none.
const MIN_SIMILARITY: f64 = 0.8;

/// Bytes that a row takes beside its columns: its tokens and their parts, in parts of the columns' bytes.
const OVERHEAD: usize = 5;

const fn property(name: &'static str, ty: PropertyType, default: &'static str, doc: &'static str) -> PropertyDef {
    PropertyDef { name, ty, default, doc }
}

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
        let diagnostic = Diagnostic::error(code, &spec.path, message);
        cx.diagnostics.push(diagnostic.with_column(&column.name).with_span(column.span.or(spec.span)));
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

fn made(spec: &ComponentSpec, cx: &mut BindCx<'_>, output: usize, column: usize, plan: &Plan) -> Option<Made> {
    let column = &spec.outputs[output].columns[column];
    let slot = cx.lineage(column.properties.str("InputId")).and_then(|lineage| cx.inputs[0].slot(lineage));
    let kind = column.properties.int("ColumnType").unwrap_or(0);
    let by = slot.and_then(|slot| plan.grouped.iter().find(|g| g.slot == slot));
    let same = slot.is_some_and(|s| cx.inputs[0].column(s).data_type.arrow() == column.data_type.arrow());
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
            report_output_column(spec, cx, column, code, code.message(&[&name, &"InputId", &column.name]));
            None
        }
        _ => {
            let code = codes::DTS_E_TXFUZZYLOOKUP_INVALID_PROPERTY_VALUE;
            report_output_column(spec, cx, column, code, code.message(&[&kind, &"ColumnType"]));
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
        let memory = Mutex::new(cx.services.memory.reservation());
        let run = Run { plan: self.0.clone(), memory, cancel: cx.services.cancel.clone() };
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
    memory: Mutex<Reservation>,
    cancel: CancelToken,
}

/// A row on its way out: its number, that of the row that stands for its group, and how similar it is to that one.
#[derive(Clone)]
struct Member {
    row: u32,
    canonical: u32,
    score: f32,
    columns: Vec<f32>,
}

/// Rows of the output, and all rows of the input.
struct Part {
    members: Vec<Member>,
    rows: Arc<Vec<ArrayRef>>,
}

impl Blocking for Run {
    type Lane = ();
    type Item = (Batch, Vec<Record>);
    type Kept = Vec<(Batch, Vec<Record>)>;
    type Part = Part;

    fn lane(&self, _input: usize) -> Result<()> {
        Ok(())
    }

    fn take(&self, (): &mut (), batch: Batch) -> Result<(Batch, Vec<Record>)> {
        let records = self.plan.records(&batch);
        let columns: Vec<ArrayRef> = batch.columns.iter().map(compacted).collect();
        let bytes: usize = columns.iter().map(|c| c.get_array_memory_size()).sum();
        if !self.memory.lock().unwrap_or_else(PoisonError::into_inner).try_grow(bytes * OVERHEAD) {
            let text = "Fuzzy Grouping has to hold all rows in memory, and --memory does not leave room for them";
            return Err(Error::new(Owner::Environment, codes::DTS_E_FUZZYLOOKUP_REFERENCECACHEFULL, text));
        }
        Ok((Batch { columns, ..batch }, records))
    }

    fn keep(&self, kept: &mut Self::Kept, item: Self::Item) -> Result<()> {
        kept.push(item);
        Ok(())
    }

    fn seal(&self, inputs: Vec<Sealed<(), Self::Kept>>) -> Result<Parts<Part>> {
        let mut records = Vec::new();
        let mut columns: Vec<Vec<ArrayRef>> = Vec::new();
        for (batch, more) in inputs.into_iter().flat_map(|sealed| sealed.kept) {
            records.extend(more);
            columns.resize(batch.columns.len(), Vec::new());
            batch.columns.into_iter().zip(&mut columns).for_each(|(array, all)| all.push(array));
        }
        let join = |pieces: Vec<ArrayRef>| -> Result<ArrayRef> {
            let pieces: Vec<&dyn Array> = pieces.iter().map(AsRef::as_ref).collect();
            Ok(arrow::compute::concat(&pieces)?)
        };
        let rows = Arc::new(columns.into_iter().map(join).collect::<Result<Vec<_>>>()?);
        let members = self.groups(records)?;
        let pieces: Vec<Vec<Member>> = members.chunks(BATCH_ROWS).map(<[Member]>::to_vec).collect();
        Ok(Box::new(pieces.into_iter().map(move |members| Ok(Part { members, rows: rows.clone() }))))
    }

    fn emit(&self, seq: u64, part: Part, out: &mut Ports) -> Result<()> {
        let Part { members, rows } = part;
        let own = UInt32Array::from_iter_values(members.iter().map(|m| m.row));
        let canonical = UInt32Array::from_iter_values(members.iter().map(|m| m.canonical));
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
                Made::Input(slot) => arrow::compute::take(&rows[slot.0], &own, None)?,
                Made::Canonical(slot) => arrow::compute::take(&rows[slot.0], &canonical, None)?,
            })
        };
        let columns = self.plan.columns.iter().map(column).collect::<Result<Vec<_>>>()?;
        out.put(self.plan.output, Batch::new(seq, members.len(), columns));
        Ok(())
    }
}

impl Run {
    /// The groups, one after the other, in the order of the rows that stand for them.
    fn groups(&self, records: Vec<Record>) -> Result<Vec<Member>> {
        let least: Vec<f64> = self.plan.grouped.iter().filter(|g| g.fuzzy).map(|g| g.least).collect();
        let index = Index::new(records, self.plan.exhaustive);
        let alike = |record: &Record| -> Result<Vec<Match>> {
            self.cancel.check()?;
            Ok(index.matches(record, self.plan.least, &least))
        };
        let matches = on_pool(index.records().iter().collect(), alike);
        let matches: Vec<Vec<Match>> = matches.into_iter().collect::<Result<_>>()?;
        // By row, the rows that are similar to it.
        let mut similar: Vec<Vec<(u32, &Match)>> = vec![Vec::new(); matches.len()];
        for (row, found) in matches.iter().enumerate() {
            for m in found {
                similar[m.record as usize].push((row as u32, m));
            }
        }
        let mut order: Vec<u32> = (0..matches.len() as u32).collect();
        order.sort_by_key(|row| (std::cmp::Reverse(similar[*row as usize].len()), *row));
        let mut members: Vec<Option<Member>> = vec![None; matches.len()];
        for canonical in order {
            if members[canonical as usize].is_some() {
                continue;
            }
            members[canonical as usize] =
                Some(Member { row: canonical, canonical, score: 1.0, columns: vec![1.0; least.len()] });
            for (row, m) in &similar[canonical as usize] {
                let member = &mut members[*row as usize];
                if member.is_none() {
                    let columns = m.columns.iter().map(|s| *s as f32).collect();
                    *member = Some(Member { row: *row, canonical, score: m.similarity as f32, columns });
                }
            }
        }
        let mut members: Vec<Member> = members.into_iter().flatten().collect();
        members.sort_by_key(|m| (m.canonical, m.row != m.canonical, m.row));
        Ok(members)
    }
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
