//! Term Extraction: the nouns and noun phrases of a text column, with how often they occur.

use super::words::{Speech, sentences, singular, speech_of};
use super::{TermTable, is_searchable, texts};
use crate::shared::stream::{Emitted, Stream, Streaming};
use crate::transforms::{one_input, one_output, report_column};
use arrow::array::{ArrayRef, Float64Array, StringViewArray};
use dtsx_engine::batch::Batch;
use dtsx_engine::diag::{Diagnostic, Result, codes};
use dtsx_engine::flow::faults::{ErrorOutput, FaultSite};
use dtsx_engine::flow::{BindCx, Bound, ComponentKind, ComponentSpec, Layout, OpenCx, RowRule, Slot};
use dtsx_engine::props::{PropertyDef, PropertyType, property};
use dtsx_engine::types::DataType;
use hashbrown::{HashMap, HashSet};
use std::sync::Arc;

/// `Microsoft.TermExtraction`.
pub struct TermExtraction;

const PROPERTIES: &[PropertyDef] = &[
    property("NeedReferenceData", PropertyType::Bool, "False", "Whether terms of a table are left out."),
    property("OutTermTable", PropertyType::Text, "", "The table with the terms to leave out."),
    property("OutTermColumn", PropertyType::Text, "", "The column with the terms to leave out."),
    property("WordOrPhrase", PropertyType::Int, "0", "0 finds nouns, 1 noun phrases, 2 both."),
    property("ScoreType", PropertyType::Int, "0", "0 scores by frequency, 1 by TFIDF."),
    property("FrequencyThreshold", PropertyType::Int, "2", "How often a term occurs at least."),
    property("MaxLengthOfTerm", PropertyType::Int, "12", "How many words a phrase has at most."),
    property("IsCaseSensitive", PropertyType::Bool, "False", "Whether terms that differ in letter case differ."),
];

impl ComponentKind for TermExtraction {
    fn kind(&self) -> &'static str {
        "Microsoft.TermExtraction"
    }

    fn title(&self) -> &'static str {
        "Term Extraction"
    }

    fn properties(&self) -> &'static [PropertyDef] {
        PROPERTIES
    }

    fn bind(&self, spec: &ComponentSpec, cx: &mut BindCx<'_>) -> Option<Bound> {
        let before = cx.diagnostics.len();
        one_input(spec, cx)?;
        let output = one_output(spec, cx)?;
        let slot = text_column(spec, cx);
        output_columns(spec, cx, output);
        let int = |name: &str, default: i64| spec.properties.int(name).unwrap_or(default);
        let (words, phrases) = match int("WordOrPhrase", 0) {
            0 => (true, false),
            1 => (false, true),
            2 => (true, true),
            _ => {
                let code = codes::DTS_E_TERMEXTRACTION_INCORRECTTERMTYPE;
                cx.error(spec, code, code.message(&[]));
                (true, true)
            }
        };
        let score = int("ScoreType", 0);
        if !matches!(score, 0 | 1) {
            let code = codes::DTS_E_TERMEXTRACTION_INCORRECTSCORETYPE;
            cx.error(spec, code, code.message(&[]));
        }
        let (threshold, longest) = (int("FrequencyThreshold", 2), int("MaxLengthOfTerm", 12));
        for (value, code) in [
            (threshold, codes::DTS_E_TERMEXTRACTION_INCORRECTFREQUENCYTHRESHOLD),
            (longest, codes::DTS_E_TERMEXTRACTION_INCORRECTMAXLENOFTERM),
        ] {
            if value < 1 {
                cx.error(spec, code, code.message(&[&1]));
            }
        }
        let excluded = spec.properties.bool("NeedReferenceData").unwrap_or(false).then(|| {
            let missing = codes::DTS_E_TERMEXTRACTION_OUTTERMTABLEANDCOLUMNNOTSET;
            TermTable::bind(spec, cx, ("OutTermTable", "OutTermColumn"), missing)
        });
        // No row fails here: the original's failures are those of its own buffers.
        let errors = ErrorOutput::of(spec, &cx.attached);
        if errors.attached() {
            ErrorOutput::bind(spec, cx, [&FaultSite::output(spec, output)]);
        }
        if cx.diagnostics[before..].iter().any(Diagnostic::is_error) {
            return None;
        }
        let plan = Plan {
            output,
            slot: slot?,
            columns: spec.outputs[output].columns.iter().map(|c| c.data_type).collect(),
            words,
            phrases,
            tfidf: score == 1,
            threshold: threshold as u64,
            longest: longest as usize,
            case_sensitive: spec.properties.bool("IsCaseSensitive").unwrap_or(false),
            excluded: excluded.flatten(),
        };
        Some(Bound::Stage(Box::new(Streaming::new(plan, RowRule::Other("a row for each term")))))
    }
}

/// The one input column, which is text.
fn text_column(spec: &ComponentSpec, cx: &mut BindCx<'_>) -> Option<Slot> {
    let [column] = &spec.inputs[0].columns[..] else {
        let code = codes::DTS_E_TERMEXTRACTION_INCORRECTEXACTNUMBEROFINPUTCOLUMNS;
        cx.error(spec, code, code.message(&[]));
        return None;
    };
    let slot = cx.inputs[0].slot(column.lineage)?;
    if !is_searchable(&cx.inputs[0].column(slot).data_type) {
        let code = codes::DTS_E_TERMEXTRACTION_INCORRECTDATATYPEOFINPUTCOLUMN;
        report_column(spec, cx, column, code, code.message(&[]));
        return None;
    }
    Some(slot)
}

/// Two columns: the term, and its score.
fn output_columns(spec: &ComponentSpec, cx: &mut BindCx<'_>, output: usize) {
    let columns = &spec.outputs[output].columns;
    let [term, score] = &columns[..] else {
        let code = codes::DTS_E_TERMEXTRACTION_INCORRECTEXACTNUMBEROFOUTPUTCOLUMNS;
        return cx.error(spec, code, code.message(&[]));
    };
    for (column, fits, wanted) in [
        (term, matches!(term.data_type, DataType::WStr { .. }), "DT_WSTR"),
        (score, score.data_type == DataType::R8, "DT_R8"),
    ] {
        if !fits {
            let code = codes::DTS_E_TERMEXTRACTION_INCORRECTDATATYPEOFOUTPUTCOLUMN;
            report_column(spec, cx, column, code, code.message(&[&column.lineage.0, &wanted]));
        }
    }
}

struct Plan {
    output: usize,
    slot: Slot,
    /// The types of Term and Score.
    columns: Vec<DataType>,
    words: bool,
    phrases: bool,
    tfidf: bool,
    threshold: u64,
    longest: usize,
    case_sensitive: bool,
    excluded: Option<TermTable>,
}

/// How often a term occurs, and in how many rows.
#[derive(Clone, Copy, Default)]
struct Count {
    times: u64,
    rows: u64,
}

#[derive(Default)]
pub(super) struct State {
    rows: u64,
    counts: HashMap<String, Count>,
    excluded: HashSet<String>,
}

impl Stream for Plan {
    type Piece = (u64, HashMap<String, Count>);
    type Lane = ();
    type State = State;

    fn lane(&self, _cx: &OpenCx, _input: &Layout) -> Result<()> {
        Ok(())
    }

    fn state(&self, cx: &OpenCx, _input: &Layout) -> Result<State> {
        let wrong = codes::DTS_E_TERMEXTRACTION_INCORRECTDATATYPEOFREFERENCECOLUMN;
        let excluded = self.excluded.as_ref().map(|table| table.read(&cx.services, wrong)).transpose()?;
        let excluded = excluded.unwrap_or_default().iter().map(|term| self.cased(term)).collect();
        Ok(State { excluded, ..State::default() })
    }

    fn prepare(&self, (): &mut (), batch: Batch) -> Result<(u64, HashMap<String, Count>)> {
        let mut counts: HashMap<String, Count> = HashMap::new();
        let mut seen: HashMap<String, u64> = HashMap::new();
        for text in texts(&batch.columns[self.slot.0])?.into_iter().flatten() {
            self.count(text, &mut seen);
            for (term, times) in seen.drain() {
                let count = counts.entry(term).or_default();
                count.times += times;
                count.rows += 1;
            }
        }
        Ok((batch.rows as u64, counts))
    }

    fn step(&self, state: &mut State, (rows, counts): Self::Piece, _: &mut Emitted) -> Result<Option<Self::Piece>> {
        state.rows += rows;
        for (term, more) in counts {
            let count = state.counts.entry(term).or_default();
            count.times += more.times;
            count.rows += more.rows;
        }
        Ok(None)
    }

    fn end(&self, state: &mut State, _cx: &OpenCx, out: &mut Emitted) -> Result<()> {
        let kept = |(term, count): &(String, Count)| count.times >= self.threshold && !state.excluded.contains(term);
        let mut terms: Vec<(String, Count)> = state.counts.drain().filter(kept).collect();
        terms.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        let room = self.columns[0].length() as usize;
        let names: StringViewArray = terms.iter().map(|(term, _)| Some(cut(term, room))).collect();
        let score = |(_, count): &(String, Count)| match self.tfidf {
            false => count.times as f64,
            true => count.times as f64 * (state.rows as f64 / count.rows as f64).ln(),
        };
        let scores: Float64Array = terms.iter().map(score).collect::<Vec<_>>().into();
        let columns: Vec<ArrayRef> = vec![Arc::new(names), Arc::new(scores)];
        out.put(self.output, Batch::new(0, terms.len(), columns));
        Ok(())
    }
}

impl Plan {
    fn cased(&self, term: &str) -> String {
        if self.case_sensitive { term.to_owned() } else { term.to_lowercase() }
    }

    /// Counts the terms of one text: every noun, as its singular, and every longest run of modifiers and nouns that ends
    /// in a noun and has at least two words.
    fn count(&self, text: &str, seen: &mut HashMap<String, u64>) {
        for sentence in sentences(text) {
            let mut phrase: Vec<(&str, Speech)> = Vec::new();
            for word in sentence.into_iter().map(Some).chain([None]) {
                let speech = word.map_or(Speech::Other, speech_of);
                if let (Some(word), Speech::Noun | Speech::Modifier) = (word, speech) {
                    phrase.push((word, speech));
                    continue;
                }
                while phrase.last().is_some_and(|(_, speech)| *speech == Speech::Modifier) {
                    phrase.pop();
                }
                if self.words {
                    for (noun, _) in phrase.iter().filter(|(_, speech)| *speech == Speech::Noun) {
                        *seen.entry(self.cased(&singular(noun))).or_default() += 1;
                    }
                }
                if self.phrases && (2..=self.longest).contains(&phrase.len()) {
                    let last = phrase.len() - 1;
                    let words = phrase.iter().enumerate();
                    let words = words.map(|(i, (word, _))| if i == last { singular(word) } else { (*word).to_owned() });
                    *seen.entry(self.cased(&words.collect::<Vec<_>>().join(" "))).or_default() += 1;
                }
                phrase.clear();
            }
        }
    }
}

/// `text` in `room` UTF-16 units.
pub(super) fn cut(text: &str, room: usize) -> &str {
    let mut units = 0;
    for (at, c) in text.char_indices() {
        units += c.len_utf16();
        if units > room {
            return &text[..at];
        }
    }
    text
}
