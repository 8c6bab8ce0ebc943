//! Term Lookup: how often the terms of a table occur in a text, a row for each term that does.
//!
//! A text is read from left to right, and at each word the longest term that begins there is taken. A plural counts as
//! its singular if the table has only that.

use super::extraction::cut;
use super::words::{sentences, singular};
use super::{TermTable, is_searchable, texts};
use crate::shared::stream::{self, Emitted, Stream};
use crate::transforms::{fits, one_input, one_output, report_column};
use arrow::array::{ArrayRef, Int32Array, StringViewArray, UInt32Array};
use arrow::compute::take;
use dtsx_engine::batch::Batch;
use dtsx_engine::diag::{Diagnostic, Result, codes};
use dtsx_engine::flow::{BindCx, Bound, ComponentKind, ComponentSpec, Layout, OpenCx, RowRule, Slot};
use dtsx_engine::props::{PropertyDef, PropertyType};
use dtsx_engine::types::DataType;
use hashbrown::HashMap;
use std::sync::{Arc, OnceLock};

/// `Microsoft.TermLookup`.
pub struct TermLookup;

impl ComponentKind for TermLookup {
    fn kind(&self) -> &'static str {
        "Microsoft.TermLookup"
    }

    fn title(&self) -> &'static str {
        "Term Lookup"
    }

    fn properties(&self) -> &'static [PropertyDef] {
        &[
            PropertyDef { name: "RefTermTable", ty: PropertyType::Text, default: "", doc: "The table with the terms." },
            PropertyDef {
                name: "RefTermColumn",
                ty: PropertyType::Text,
                default: "",
                doc: "The column with the terms.",
            },
            PropertyDef {
                name: "IsCaseSensitive",
                ty: PropertyType::Bool,
                default: "False",
                doc: "Whether terms that differ in letter case differ.",
            },
        ]
    }

    fn bind(&self, spec: &ComponentSpec, cx: &mut BindCx<'_>) -> Option<Bound> {
        let before = cx.diagnostics.len();
        one_input(spec, cx)?;
        let output = one_output(spec, cx)?;
        let slot = text_column(spec, cx);
        let feeds = feeds(spec, cx, output);
        let missing = codes::DTS_E_TERMLOOKUP_REFERENCETERMTABLEANDCOLUMNNOTSET;
        let table = TermTable::bind(spec, cx, ("RefTermTable", "RefTermColumn"), missing);
        if cx.diagnostics[before..].iter().any(Diagnostic::is_error) {
            return None;
        }
        let case_sensitive = spec.properties.bool("IsCaseSensitive").unwrap_or(false);
        let plan = Plan { output, slot: slot?, feeds, table: table?, case_sensitive };
        Some(Bound::Stage(Box::new(Looking(Arc::new(plan)))))
    }
}

/// The one column that is searched: InputColumnType 1, or 2 if it is passed through as well.
fn text_column(spec: &ComponentSpec, cx: &mut BindCx<'_>) -> Option<Slot> {
    let searched = |kind: Option<i64>| matches!(kind, Some(1 | 2));
    let mut columns = spec.inputs[0].columns.iter().filter(|c| searched(c.properties.int("InputColumnType")));
    let (Some(column), None) = (columns.next(), columns.next()) else {
        let code = codes::DTS_E_TERMLOOKUP_INCORRECTEXACTNUMBEROFTEXTCOLUMNS;
        cx.error(spec, code, code.message(&[]));
        return None;
    };
    let slot = cx.inputs[0].slot(column.lineage)?;
    if !is_searchable(&cx.inputs[0].column(slot).data_type) {
        let code = codes::DTS_E_TERMLOOKUP_TEXTINPUTCOLUMNHAVEINCORRECTDATATYPE;
        report_column(spec, cx, column, code, code.message(&[]));
        return None;
    }
    Some(slot)
}

/// Where a column of the output gets its value.
enum Feed {
    Term { room: usize },
    Frequency,
    Pass(Slot),
}

/// A column with a CustomLineageID passes one of the input; of the others the text is the term, and the number how often.
fn feeds(spec: &ComponentSpec, cx: &mut BindCx<'_>, output: usize) -> Vec<Feed> {
    let mut feeds = Vec::new();
    for column in &spec.outputs[output].columns {
        let lineage = column.properties.str("CustomLineageID").trim();
        if lineage.is_empty() || lineage == "-1" || lineage == "0" {
            match column.data_type {
                DataType::WStr { len } => feeds.push(Feed::Term { room: len as usize }),
                DataType::I4 => feeds.push(Feed::Frequency),
                _ => {
                    let code = codes::DTS_E_TXTERMLOOKUP_MISMATCHED_COLUMN_METADATA;
                    report_column(spec, cx, column, code, code.message(&[&column.lineage.0, &0]));
                }
            }
            continue;
        }
        let slot = cx.lineage(lineage).and_then(|lineage| cx.inputs[0].slot(lineage));
        match slot {
            Some(slot) if fits(&cx.inputs[0].column(slot).data_type, &column.data_type) => feeds.push(Feed::Pass(slot)),
            Some(slot) => {
                let code = codes::DTS_E_TXTERMLOOKUP_MISMATCHED_COLUMN_METADATA;
                let other = cx.inputs[0].column(slot).lineage.0;
                report_column(spec, cx, column, code, code.message(&[&column.lineage.0, &other]));
            }
            None => {
                let code = codes::DTS_E_TERMLOOKUP_TEXTIDINPUTCOLUMNNOTMAPPEDWITHOUTPUTCOLUMN;
                report_column(spec, cx, column, code, code.message(&[]));
            }
        }
    }
    let has = |wanted: fn(&Feed) -> bool| feeds.iter().any(wanted);
    if !has(|f| matches!(f, Feed::Term { .. })) || !has(|f| matches!(f, Feed::Frequency)) {
        let code = codes::DTS_E_TERMLOOKUP_TOOFEWOUTPUTCOLUMNS;
        cx.error(spec, code, code.message(&[]));
    }
    feeds
}

struct Plan {
    output: usize,
    slot: Slot,
    feeds: Vec<Feed>,
    table: TermTable,
    case_sensitive: bool,
}

/// Each execution reads the table anew.
struct Looking(Arc<Plan>);

impl dtsx_engine::flow::Stage for Looking {
    fn open(&self, _cx: &OpenCx, _inputs: &[Layout]) -> Result<dtsx_engine::flow::StageEnds> {
        Ok(stream::ends(Arc::new(Search { plan: self.0.clone(), terms: OnceLock::new() })))
    }

    fn blocks(&self) -> bool {
        false
    }

    fn row_rule(&self) -> RowRule {
        RowRule::Other("a row for each term in a row's text")
    }
}

struct Search {
    plan: Arc<Plan>,
    /// Read when the serial half opens, which is before the lanes do.
    terms: OnceLock<Arc<Terms>>,
}

/// The terms of the table.
struct Terms {
    /// As the table spells them.
    spellings: Vec<String>,
    /// By first word, the words of the terms that begin with it, the longest first.
    by_first: HashMap<String, Vec<(Vec<String>, usize)>>,
}

impl Terms {
    fn new(terms: Vec<String>, case_sensitive: bool) -> Terms {
        let mut by_first: HashMap<String, Vec<(Vec<String>, usize)>> = HashMap::new();
        let mut spellings: Vec<String> = Vec::new();
        for term in terms {
            let words: Vec<String> =
                sentences(&term).into_iter().flatten().map(|word| cased(word, case_sensitive)).collect();
            let Some(first) = words.first().cloned() else { continue };
            let of_first = by_first.entry(first).or_default();
            // A term that the table has twice counts once.
            if !of_first.iter().any(|(known, _)| *known == words) {
                of_first.push((words, spellings.len()));
                spellings.push(term);
            }
        }
        by_first.values_mut().for_each(|terms| terms.sort_by_key(|(words, _)| std::cmp::Reverse(words.len())));
        Terms { spellings, by_first }
    }

    /// The longest term that `words` begin with, and its number of words.
    fn longest(&self, words: &[String]) -> Option<(usize, usize)> {
        let first = words.first()?;
        let at = |word: &str| {
            let found = self.by_first.get(word)?.iter().find(|(term, _)| begins(words, term));
            found.map(|(term, index)| (*index, term.len()))
        };
        at(first).or_else(|| at(&singular(first)))
    }
}

/// Whether `words` begin with `term`; a plural does for its singular.
fn begins(words: &[String], term: &[String]) -> bool {
    words.len() >= term.len() && words.iter().zip(term).all(|(word, term)| word == term || singular(word) == *term)
}

fn cased(word: &str, case_sensitive: bool) -> String {
    if case_sensitive { word.to_owned() } else { word.to_lowercase() }
}

impl Stream for Search {
    type Piece = Batch;
    type Lane = Arc<Terms>;
    type State = ();

    fn state(&self, cx: &OpenCx, _input: &Layout) -> Result<()> {
        let terms = self.plan.table.read(&cx.services, codes::DTS_E_TERMLOOKUP_INCORRECTDATATYPEOFREFERENCECOLUMN)?;
        let _ = self.terms.set(Arc::new(Terms::new(terms, self.plan.case_sensitive)));
        Ok(())
    }

    fn lane(&self, _cx: &OpenCx, _input: &Layout) -> Result<Arc<Terms>> {
        let opened = || dtsx_engine::diag::Error::internal("a lane opens before its table is read");
        self.terms.get().cloned().ok_or_else(opened)
    }

    fn prepare(&self, terms: &mut Arc<Terms>, batch: Batch) -> Result<Batch> {
        let plan = &*self.plan;
        let (mut rows, mut found, mut times) = (Vec::new(), Vec::new(), Vec::new());
        for (row, text) in texts(&batch.columns[plan.slot.0])?.into_iter().enumerate() {
            let mut counts: Vec<(usize, i32)> = Vec::new();
            for sentence in sentences(text.unwrap_or_default()) {
                let words: Vec<String> = sentence.into_iter().map(|word| cased(word, plan.case_sensitive)).collect();
                let mut at = 0;
                while at < words.len() {
                    let Some((term, length)) = terms.longest(&words[at..]) else {
                        at += 1;
                        continue;
                    };
                    at += length;
                    match counts.iter_mut().find(|(known, _)| *known == term) {
                        Some((_, count)) => *count += 1,
                        None => counts.push((term, 1)),
                    }
                }
            }
            for (term, count) in counts {
                rows.push(row as u32);
                found.push(term);
                times.push(count);
            }
        }
        let length = rows.len();
        let rows = UInt32Array::from(rows);
        let column = |feed: &Feed| -> Result<ArrayRef> {
            Ok(match feed {
                Feed::Term { room } => {
                    let names = found.iter().map(|term| Some(cut(&terms.spellings[*term], *room)));
                    Arc::new(names.collect::<StringViewArray>())
                }
                Feed::Frequency => Arc::new(Int32Array::from(times.clone())),
                Feed::Pass(slot) => take(&batch.columns[slot.0], &rows, None)?,
            })
        };
        let columns = plan.feeds.iter().map(column).collect::<Result<Vec<_>>>()?;
        Ok(Batch::new(0, length, columns))
    }

    fn step(&self, (): &mut (), piece: Batch, out: &mut Emitted) -> Result<Option<Batch>> {
        out.put(self.plan.output, piece);
        Ok(None)
    }
}
