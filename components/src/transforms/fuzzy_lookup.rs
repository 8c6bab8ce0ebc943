//! Fuzzy Lookup: finds for each row the most similar rows of a reference table, and takes columns of them.
//!
//! ```text
//! FullName  (JoinToReferenceColumn FullName, JoinType 2 fuzzy, MinSimilarity 0)  ┐ reference rows at least MinSimilarity
//! City      (JoinToReferenceColumn City,     JoinType 1 exact)                   ┘ alike, the most similar first
//! ──▶ the row, columns of the reference row, _Similarity, _Confidence, _Similarity_FullName
//! ```
//!
//! A row has at most MaxOutputMatchesPerInput matches, each a row of its own; one without a match leaves once, with NULLs
//! from the reference, and 0 as similarity and confidence. The reference table is read before the first row and indexed,
//! on disk if the memory budget has no room for it. What similarity is stands in `crate::shared::fuzzy`; confidence is the similarity as a part of that of all
//! matches (unconfirmed), 1 if there is no other.

use crate::shared::fits;
use crate::shared::fuzzy::rows::{self, Rows, RowsWriter};
use crate::shared::fuzzy::{Builder, Finder, Folding, Index, Record, Room, Tokenizer, unescaped};
use crate::shared::reference::metadata;
use crate::shared::reference::query::ReferenceQuery;
use crate::shared::reference::{ReferenceColumn, ReferenceSpec};
use crate::shared::stream::{self, Emitted, Stream};
use crate::transforms::{one_input, one_output, report_column};
use arrow::array::{Array, ArrayRef, AsArray, Float32Array, UInt32Array};
use arrow::datatypes::DataType as ArrowType;
use dtsx_engine::batch::Batch;
use dtsx_engine::diag::{Diagnostic, Error, Result, codes};
use dtsx_engine::flow::{
    BindCx, Bound, ComponentKind, ComponentSpec, InputColumnSpec, Layout, OpenCx, RowRule, Slot, Stage, StageEnds,
};
use dtsx_engine::props::{PropertyDef, PropertyType, property};
use dtsx_engine::types::DataType;
use std::sync::Arc;

/// `Microsoft.FuzzyLookup`.
pub struct FuzzyLookup;

/// The delimiters of a component that names none.
const DELIMITERS: &str = " \t\r\n,.;:-\"'&/\\@!?()<>[]{}|#*^%";

impl ComponentKind for FuzzyLookup {
    fn kind(&self) -> &'static str {
        "Microsoft.FuzzyLookup"
    }

    fn title(&self) -> &'static str {
        "Fuzzy Lookup"
    }

    fn properties(&self) -> &'static [PropertyDef] {
        use PropertyType::{Bool, Float, Int, Text};
        const {
            &[
                property("ReferenceTableName", Text, "", "The table that is looked up."),
                property(
                    "MatchIndexOptions",
                    Int,
                    "1",
                    "1 builds an index for the run; 2 and 3 would keep it in the database, which is not done; 0, an index of the original's, is refused.",
                ),
                property("MatchIndexName", Text, "", "The name of an index in the database; none is kept there."),
                property(
                    "DropExistingMatchIndex",
                    Int,
                    "1",
                    "Whether an index in the database is dropped; none is kept there.",
                ),
                property(
                    "CopyReferenceTable",
                    Int,
                    "1",
                    "Whether the reference table is copied first; it is read once, before the first row.",
                ),
                property("MaxOutputMatchesPerInput", Int, "1", "The most rows that leave for a row."),
                property("MinSimilarity", Float, "0", "The least similarity of a match, from 0 to 1."),
                property("Delimiters", Text, DELIMITERS, "The characters between tokens."),
                property(
                    "MaxMemoryUsage",
                    Int,
                    "",
                    "Megabytes that the original's index may take; the run's budget counts here.",
                ),
                property("ReferenceMetadataXml", Text, "", "Names and types of the reference columns."),
                property("Exhaustive", Bool, "False", "Whether a row is compared with every reference row."),
                property(
                    "WarmCaches",
                    Bool,
                    "True",
                    "Whether the index is loaded before the first row, as it is in any case.",
                ),
            ]
        }
    }

    fn bind(&self, spec: &ComponentSpec, cx: &mut BindCx<'_>) -> Option<Bound> {
        let before = cx.diagnostics.len();
        one_input(spec, cx)?;
        let output = one_output(spec, cx)?;
        options(spec, cx);
        let columns = columns(spec, cx)?;
        let mut plan = Plan {
            output,
            fuzzy: Vec::new(),
            exact: Vec::new(),
            tokenizer: Tokenizer::new(&unescaped(spec.properties.text("Delimiters").unwrap_or(DELIMITERS))),
            least: least(spec, cx),
            most: usize::try_from(spec.properties.int("MaxOutputMatchesPerInput").unwrap_or(1)).unwrap_or(1),
            exhaustive: spec.properties.bool("Exhaustive").unwrap_or(false),
            columns: Vec::new(),
        };
        for column in &spec.inputs[0].columns {
            join(spec, cx, column, &columns, &mut plan);
        }
        if plan.fuzzy.is_empty() && plan.exact.is_empty() {
            let code = codes::DTS_E_TXFUZZYLOOKUP_NO_JOIN_COLUMNS;
            cx.error(spec, code, code.message(&[]));
        } else if plan.fuzzy.is_empty() {
            let code = codes::DTS_W_TXFUZZYLOOKUP_NO_FUZZY_JOIN_COLUMNS;
            cx.warning(spec, code, code.message(&[]));
        }
        for column in 0..spec.outputs[output].columns.len() {
            let made = made(spec, cx, output, column, &columns, &plan);
            plan.columns.extend(made);
        }
        let database = match crate::connections::database::bind_for_reading(spec, cx) {
            Ok(database) => database,
            Err(diagnostic) => {
                cx.diagnostics.push(diagnostic.with_span(spec.span));
                None
            }
        };
        let table = unescaped(spec.properties.str("ReferenceTableName"));
        if table.trim().is_empty() {
            let code = codes::DTS_E_PROPERTYISEMPTY;
            cx.error(spec, code, code.message(&[&"ReferenceTableName"]));
        }
        if cx.diagnostics[before..].iter().any(Diagnostic::is_error) {
            return None;
        }
        let reference = Arc::new(ReferenceSpec { columns, keys: Vec::new() });
        let query = ReferenceQuery::new(database, reference, format!("select * from {table}"), spec.locale);
        Some(Bound::Stage(Box::new(Fuzzy { plan: Arc::new(plan), query: Arc::new(query) })))
    }
}

/// What is not done as the original does it.
fn options(spec: &ComponentSpec, cx: &mut BindCx<'_>) {
    let index = spec.properties.int("MatchIndexOptions").unwrap_or(1);
    match index {
        1 => {}
        0 => cx.unsupported(
            spec,
            "Fuzzy Lookup with an index that SQL Server made (MatchIndexOptions 0) is not supported by this build",
        ),
        2 | 3 => cx.warning(
            spec,
            codes::DTS_W_TXFUZZYLOOKUP_DELIMITERS_DONT_MATCH,
            format!("MatchIndexOptions {index}: the index is built for this run and not kept in the database"),
        ),
        _ => {
            let code = codes::DTS_E_TXFUZZYLOOKUP_INVALID_PROPERTY_VALUE;
            cx.error(spec, code, code.message(&[&index, &"MatchIndexOptions"]));
        }
    }
    if spec.properties.int("MaxOutputMatchesPerInput") == Some(0) {
        let code = codes::DTS_W_TXFUZZYLOOKUP_MAXRESULTS_IS_ZERO;
        cx.warning(spec, code, code.message(&[]));
    }
}

fn least(spec: &ComponentSpec, cx: &mut BindCx<'_>) -> f64 {
    let least = spec.properties.float("MinSimilarity").unwrap_or(0.0);
    if !(0.0..1.0).contains(&least) {
        let code = codes::DTS_E_TXFUZZYLOOKUP_MINSIMILARITY_INVALID;
        cx.error(spec, code, code.message(&[]));
    }
    least
}

/// The reference columns.
fn columns(spec: &ComponentSpec, cx: &mut BindCx<'_>) -> Option<Vec<ReferenceColumn>> {
    match metadata::columns(&unescaped(spec.properties.str("ReferenceMetadataXml"))) {
        Ok(columns) if !columns.is_empty() => Some(columns),
        Ok(_) => {
            let code = codes::DTS_E_TXFUZZYLOOKUP_TOOFEWREFERENCECOLUMNS;
            cx.error(spec, code, code.message(&[]));
            None
        }
        Err(problem) => {
            let code = codes::DTS_E_TXLOOKUP_METADATAXMLCACHEERR;
            cx.error(spec, code, format!("{} ReferenceMetadataXml: {problem}", code.message(&[])));
            None
        }
    }
}

/// A column that is compared.
struct Joined {
    slot: Slot,
    reference: usize,
    folding: Folding,
    /// The least similarity of the column.
    least: f64,
}

fn join(
    spec: &ComponentSpec,
    cx: &mut BindCx<'_>,
    column: &InputColumnSpec,
    columns: &[ReferenceColumn],
    plan: &mut Plan,
) {
    let name = unescaped(column.properties.str("JoinToReferenceColumn"));
    // A lineage that the path does not bring is reported for every component alike.
    let Some(slot) = cx.inputs[0].slot(column.lineage).filter(|_| !name.is_empty()) else { return };
    let Some(reference) = columns.iter().position(|c| c.name == name) else {
        let code = codes::DTS_E_TXFUZZYLOOKUP_UNABLETOLOCATEREFCOLUMN;
        return report_column(spec, cx, column, code, code.message(&[&name]));
    };
    let flags = column.properties.int("FuzzyComparisonFlags").unwrap_or(1);
    let folding = match u32::try_from(flags).map_err(|_| 0).and_then(Folding::of) {
        Ok(folding) => folding,
        Err(_) => {
            let code = codes::DTS_E_TXFUZZYLOOKUP_INVALID_PROPERTY_VALUE;
            return report_column(spec, cx, column, code, code.message(&[&flags, &"FuzzyComparisonFlags"]));
        }
    };
    let least = column.properties.float("MinSimilarity").unwrap_or(0.0);
    let joined = Joined { slot, reference, folding, least };
    let (input, there) = (cx.inputs[0].column(slot).data_type, columns[reference].data_type);
    match column.properties.int("JoinType").unwrap_or(2) {
        1 if input.code() == there.code() || input.is_string() && there.is_string() => plan.exact.push(joined),
        1 => {
            let code = codes::DTS_E_TXFUZZYLOOKUP_INCOMPATIBLE_EXACT_JOIN_DATATYPES;
            report_column(spec, cx, column, code, code.message(&[&column.name, &name]));
        }
        2 if input.is_string() && there.is_string() => plan.fuzzy.push(joined),
        2 => {
            let code = codes::DTS_E_TXFUZZYLOOKUP_INCOMPATIBLE_FUZZY_JOIN_DATATYPES;
            report_column(spec, cx, column, code, code.message(&[&column.name, &name]));
        }
        other => {
            let code = codes::DTS_E_TXFUZZYLOOKUP_INVALID_PROPERTY_VALUE;
            report_column(spec, cx, column, code, code.message(&[&other, &"JoinType"]));
        }
    }
}

/// Where an output column comes from.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Made {
    Input(Slot),
    Reference(usize),
    Similarity,
    Confidence,
    /// Of a fuzzy column, by place.
    ColumnSimilarity(usize),
}

impl Made {
    /// The reference column that it is.
    fn reference(&self) -> Option<usize> {
        match self {
            Made::Reference(column) => Some(*column),
            _ => None,
        }
    }
}

fn made(
    spec: &ComponentSpec,
    cx: &mut BindCx<'_>,
    output: usize,
    column: usize,
    columns: &[ReferenceColumn],
    plan: &Plan,
) -> Option<Made> {
    let column = &spec.outputs[output].columns[column];
    let copied = unescaped(column.properties.str("CopyFromReferenceColumn"));
    let lineage = cx.lineage(column.properties.str("SourceInputColumnLineageID"));
    let source = lineage.and_then(|l| cx.inputs[0].slot(l));
    match (column.properties.int("ColumnType").unwrap_or(0), source) {
        (1, _) if column.data_type == DataType::R4 => Some(Made::Similarity),
        (2, _) if column.data_type == DataType::R4 => Some(Made::Confidence),
        (3, Some(slot)) if column.data_type == DataType::R4 => {
            // The similarity of a column that is not compared as text is 1 where there is a match.
            Some(plan.fuzzy.iter().position(|f| f.slot == slot).map_or(Made::Similarity, Made::ColumnSimilarity))
        }
        (0, Some(slot)) if copied.is_empty() => {
            let from = cx.inputs[0].column(slot).data_type;
            if fits(&from, &column.data_type) {
                return Some(Made::Input(slot));
            }
            let code = codes::DTS_E_TXFUZZYLOOKUP_INCOMPATIBLE_PASSTHRUCOLUMN_DATATYPES;
            let name = cx.inputs[0].column(slot).name.clone();
            report_column(spec, cx, column, code, code.message(&[&name, &column.name]));
            None
        }
        (0, None) if !copied.is_empty() => match columns.iter().position(|c| c.name == copied) {
            Some(place) if copies(&columns[place].data_type, &column.data_type) => Some(Made::Reference(place)),
            Some(_) => {
                let code = codes::DTS_E_TXFUZZYLOOKUP_INCOMPATIBLE_COPYCOLUMN_DATATYPES;
                report_column(spec, cx, column, code, code.message(&[&copied, &column.name]));
                None
            }
            None => {
                let code = codes::DTS_E_TXFUZZYLOOKUP_UNABLETOLOCATEREFCOLUMN;
                report_column(spec, cx, column, code, code.message(&[&copied]));
                None
            }
        },
        _ => {
            let code = codes::DTS_E_TXFUZZYLOOKUP_OUTPUT_COLUMN_MUST_BE_PASSTHRU_COLUMN_OR_A_COPY_COLUMN;
            report_column(spec, cx, column, code, code.message(&[]));
            None
        }
    }
}

/// Whether values of a reference column stand in an output column as they are. Text of a code page does in Unicode text.
fn copies(reference: &DataType, output: &DataType) -> bool {
    match (reference, output) {
        (DataType::Str { len, .. }, DataType::WStr { len: room }) => len <= room,
        _ => fits(reference, output),
    }
}

struct Plan {
    output: usize,
    fuzzy: Vec<Joined>,
    exact: Vec<Joined>,
    tokenizer: Tokenizer,
    least: f64,
    most: usize,
    exhaustive: bool,
    columns: Vec<Made>,
}

impl Plan {
    /// The records of rows; `column` gives the array of a joined column.
    fn records<'a>(&self, rows: usize, column: impl Fn(&Joined) -> &'a ArrayRef) -> Vec<Record> {
        let mut records = vec![Record::default(); rows];
        for joined in &self.fuzzy {
            let array = column(joined).as_string_view();
            for (row, record) in records.iter_mut().enumerate() {
                let text = if array.is_null(row) { "" } else { array.value(row) };
                record.tokens.push(self.tokenizer.tokens(text, joined.folding));
            }
        }
        for joined in &self.exact {
            let array = column(joined);
            for (row, record) in records.iter_mut().enumerate() {
                let text = crate::shared::shown(array, row as u32);
                record.exact.push(text.map(|text| joined.folding.fold(&text)));
            }
        }
        records
    }
}

/// The component, ready to run any number of times.
struct Fuzzy {
    plan: Arc<Plan>,
    query: Arc<ReferenceQuery>,
}

impl Stage for Fuzzy {
    fn open(&self, cx: &OpenCx, _inputs: &[Layout]) -> Result<StageEnds> {
        let (plan, columns) = (&self.plan, &self.query.spec().columns);
        // Reference columns that leave, and where each of them stands among those.
        let mut taken: Vec<usize> = plan.columns.iter().filter_map(Made::reference).collect();
        taken.sort_unstable();
        taken.dedup();
        let types: Vec<ArrowType> = taken.iter().map(|c| columns[*c].data_type.arrow()).collect();
        let room = Room::new(&cx.services);
        let converter = rows::converter(&types)?;
        let (mut records, mut rows) = (Builder::new(&room, plan.exhaustive), RowsWriter::new(&room, types));
        self.query.each(&cx.services, |block| {
            let count = block.first().map_or(0, |c| c.len());
            plan.records(count, |joined| &block[joined.reference]).iter().try_for_each(|record| records.add(record))?;
            if taken.is_empty() {
                return Ok(());
            }
            let taken: Vec<ArrayRef> = taken.iter().map(|c| block[*c].clone()).collect();
            rows.push(&converter.convert_columns(&taken)?)
        })?;
        let index = Arc::new(records.finish(&cx.services.cancel)?);
        let run = Run { plan: plan.clone(), index, taken, reference: rows.finish()? };
        Ok(stream::ends(Arc::new(run)))
    }

    fn blocks(&self) -> bool {
        false
    }

    fn row_rule(&self) -> RowRule {
        RowRule::Other("a row for each match, and one for a row without a match")
    }
}

/// One execution.
struct Run {
    plan: Arc<Plan>,
    index: Arc<Index>,
    /// The reference columns that leave.
    taken: Vec<usize>,
    reference: Rows,
}

impl Stream for Run {
    type Piece = Batch;
    type Lane = Finder;
    type State = ();

    fn lane(&self, _cx: &OpenCx, _input: &Layout) -> Result<Finder> {
        Ok(self.index.finder())
    }

    fn state(&self, _cx: &OpenCx, _input: &Layout) -> Result<()> {
        Ok(())
    }

    fn prepare(&self, finder: &mut Finder, batch: Batch) -> Result<Batch> {
        let plan = &*self.plan;
        let records = plan.records(batch.rows, |joined| &batch.columns[joined.slot.0]);
        let columns_least: Vec<f64> = plan.fuzzy.iter().map(|f| f.least).collect();
        let (mut rows, mut found): (Vec<u32>, Vec<Option<u32>>) = (Vec::new(), Vec::new());
        let (mut similarity, mut confidence): (Vec<f32>, Vec<f32>) = (Vec::new(), Vec::new());
        let mut by_column: Vec<Vec<f32>> = vec![Vec::new(); plan.fuzzy.len()];
        for (row, record) in records.iter().enumerate() {
            let matches = finder.matches(record, plan.least, &columns_least)?;
            let total: f64 = matches.iter().map(|m| m.similarity).sum();
            for m in matches.iter().take(plan.most) {
                rows.push(row as u32);
                found.push(Some(m.record));
                similarity.push(m.similarity as f32);
                confidence.push(if total > 0.0 { (m.similarity / total) as f32 } else { 0.0 });
                m.columns.iter().zip(&mut by_column).for_each(|(s, all)| all.push(*s as f32));
            }
            if matches.is_empty() || plan.most == 0 {
                rows.push(row as u32);
                found.push(None);
                similarity.push(0.0);
                confidence.push(0.0);
                by_column.iter_mut().for_each(|all| all.push(0.0));
            }
        }
        let n = rows.len();
        let rows = UInt32Array::from(rows);
        let reference = self.reference.fetch(&found)?;
        let numbers = |values: &Vec<f32>| -> ArrayRef { Arc::new(Float32Array::from(values.clone())) };
        let column = |made: &Made| -> Result<ArrayRef> {
            Ok(match made {
                Made::Input(slot) => arrow::compute::take(&batch.columns[slot.0], &rows, None)?,
                Made::Reference(column) => {
                    let place = self.taken.binary_search(column);
                    reference[place.map_err(|_| Error::internal("a reference column that was not kept"))?].clone()
                }
                Made::Similarity => numbers(&similarity),
                Made::Confidence => numbers(&confidence),
                Made::ColumnSimilarity(column) => numbers(&by_column[*column]),
            })
        };
        let columns = plan.columns.iter().map(column).collect::<Result<Vec<_>>>()?;
        Ok(Batch::new(batch.seq, n, columns))
    }

    fn step(&self, (): &mut (), piece: Batch, out: &mut Emitted) -> Result<Option<Batch>> {
        out.put(self.plan.output, piece);
        Ok(None)
    }
}
