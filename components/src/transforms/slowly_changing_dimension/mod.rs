//! Slowly Changing Dimension: tells of each row whether the dimension has it, and what about it changed.
//!
//! ```text
//! the dimension has no such key                          → New Output
//! EnableInferredMember, and the member is inferred       → Inferred Member Updates Output
//! a fixed attribute differs                              → Fixed Attribute Output, or failure
//! a historical attribute differs                         → Historical Attribute Inserts Output (exclusion group 2)
//! a changing attribute differs                           → Changing Attribute Updates Output
//! nothing differs                                        → Unchanged Output
//! ```
//!
//! Where the original asks the database once a row, this reads the current rows of the dimension once, before the first
//! row; rows that the flow itself writes meanwhile are not seen. Text is compared exactly, whatever the collation of the
//! database.

mod dimension;

use super::{one_input, report_column};
use crate::db::{Database, Word, words};
use crate::shared::properties::DEFAULT_CODE_PAGE;
use arrow::array::{Array, ArrayRef};
use arrow::row::{RowConverter, Rows, SortField};
use dimension::{Attributes, Dimension};
use dtsx_engine::batch::Batch;
use dtsx_engine::connections::ConnectionSpec;
use dtsx_engine::diag::{Code, Diagnostic, Error, Owner, Result, RowError, codes};
use dtsx_engine::flow::{
    Apply, BindCx, Bound, ComponentKind, ComponentSpec, Inline, Layout, OpenCx, OutputSpec, Ports, RowRule, Slot,
};
use dtsx_engine::props::{PropertyDef, PropertyType, property};
use dtsx_engine::types::DataType;
use std::sync::Arc;

/// `Microsoft.SCD`.
pub struct SlowlyChangingDimension;

const PROPERTIES: &[PropertyDef] = &[
    property("SqlCommand", PropertyType::Text, "", "The query of the dimension's keys and attributes."),
    property(
        "CurrentRowWhere",
        PropertyType::Text,
        "",
        "The condition, in SQL, that current rows of the dimension meet.",
    ),
    property(
        "EnableInferredMember",
        PropertyType::Bool,
        "False",
        "Whether members may be in the dimension before their data.",
    ),
    property(
        "InferredMemberIndicator",
        PropertyType::Text,
        "",
        "The Boolean column that marks inferred members; without one a member is inferred if all of its \
                 attributes are NULL.",
    ),
    property("FailOnFixedAttributeChange", PropertyType::Bool, "False", "Whether a change of a fixed attribute fails."),
    property(
        "FailOnLookupFailure",
        PropertyType::Bool,
        "False",
        "Whether a row that the dimension does not have fails.",
    ),
    property(
        "IncomingRowChangeType",
        PropertyType::Int,
        "1",
        "1 finds out what changed; 0 takes all rows for new and asks nothing.",
    ),
    property(
        "UpdateChangingAttributeHistory",
        PropertyType::Bool,
        "False",
        "Whether a row with a historical change also leaves as an update of its changing attributes.",
    ),
    DEFAULT_CODE_PAGE,
];

impl ComponentKind for SlowlyChangingDimension {
    fn kind(&self) -> &'static str {
        "Microsoft.SCD"
    }

    fn title(&self) -> &'static str {
        "Slowly Changing Dimension"
    }

    fn properties(&self) -> &'static [PropertyDef] {
        PROPERTIES
    }

    fn bind(&self, spec: &ComponentSpec, cx: &mut BindCx<'_>) -> Option<Bound> {
        let before = cx.diagnostics.len();
        one_input(spec, cx)?;
        let outputs = outputs(spec, cx)?;
        let columns: Vec<Member> = (0..spec.inputs[0].columns.len()).filter_map(|c| member(spec, cx, c)).collect();
        let typed = |column: &Member| !matches!(column.kind, ColumnType::Key | ColumnType::Other);
        if !columns.iter().any(|c| c.kind == ColumnType::Key) {
            let code = codes::DTS_E_TXSCD_INVALIDNUMBERSOFPARAMETERS;
            cx.error(spec, code, code.message(&[]));
        }
        if !columns.iter().any(typed) {
            let code = codes::DTS_E_TXSCD_NOTYPEDCOLUMNSATINPUT;
            cx.error(spec, code, code.message(&[]));
        }
        let flag = |name: &str| spec.properties.bool(name).unwrap_or(false);
        let text = |name: &str| spec.properties.str(name).trim().to_owned();
        let detect = spec.properties.int("IncomingRowChangeType").unwrap_or(1) != 0;
        if detect && text("SqlCommand").is_empty() {
            let code = codes::DTS_E_MISSINGSQLCOMMAND;
            cx.error(spec, code, code.message(&[]));
        }
        let indicator = flag("EnableInferredMember").then(|| text("InferredMemberIndicator"));
        if let Some(name) = indicator.as_deref().filter(|name| !name.is_empty()) {
            let column = spec.inputs[0].external.iter().find(|c| c.name.eq_ignore_ascii_case(name));
            let code = match column {
                None => Some(codes::DTS_E_TXSCD_CANNOTFINDEXTERNALCOLUMN),
                Some(column) if column.data_type != DataType::Bool => Some(codes::DTS_E_TXSCD_INFFEREDINDICATORNOTBOOL),
                Some(_) => None,
            };
            if let Some(code) = code {
                cx.error(spec, code, code.message(&[&name]));
            }
        }
        let connection = match cx.connection(spec, Some("LookupConnection")) {
            Ok(connection) => Some(connection),
            Err(error) => {
                cx.error(spec, error.code().unwrap_or(codes::DTS_E_CONNECTIONNOTFOUND), error.message());
                None
            }
        };
        let sql = current_rows(&text("SqlCommand"), &text("CurrentRowWhere"));
        if let Err(word) = &sql {
            cx.unsupported(
                spec,
                format!(
                    "CurrentRowWhere cannot be joined to a query with {word} outside of parentheses: put the condition \
                     into SqlCommand, or select from the whole, SELECT … FROM (… {word} …) AS d"
                ),
            );
        }
        if cx.diagnostics[before..].iter().any(Diagnostic::is_error) {
            return None;
        }
        let plan = Plan {
            name: spec.name.clone(),
            outputs,
            columns,
            connection: connection?,
            sql: sql.ok()?,
            code_page: spec.properties.int("DefaultCodePage").and_then(|n| u32::try_from(n).ok()).unwrap_or(1252),
            locale: spec.locale,
            detect,
            indicator,
            fail_fixed: flag("FailOnFixedAttributeChange"),
            fail_missing: flag("FailOnLookupFailure"),
            update_history: flag("UpdateChangingAttributeHistory"),
        };
        Some(Bound::Inline(Box::new(Compare { plan: Arc::new(plan), dimension: None })))
    }
}

/// What a column of the input is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum ColumnType {
    Other,
    Key,
    Changing,
    Historical,
    Fixed,
}

/// A column of the input, and what the dimension calls it.
struct Member {
    kind: ColumnType,
    slot: Slot,
    data_type: DataType,
    /// The column of the query's result; "" for one that is not looked at.
    external: String,
}

fn member(spec: &ComponentSpec, cx: &mut BindCx<'_>, column: usize) -> Option<Member> {
    let column = &spec.inputs[0].columns[column];
    let kind = match column.properties.int("ColumnType") {
        None | Some(0) => ColumnType::Other,
        Some(1) => ColumnType::Key,
        Some(2) => ColumnType::Changing,
        Some(3) => ColumnType::Historical,
        Some(4) => ColumnType::Fixed,
        Some(_) => {
            let code = codes::DTS_E_TXSCD_INVALIDINPUTCOLUMNTYPE;
            report_column(spec, cx, column, code, code.message(&[&column.name]));
            return None;
        }
    };
    // A lineage that the path does not bring is reported for every component alike.
    let slot = cx.inputs[0].slot(column.lineage)?;
    let data_type = cx.inputs[0].column(slot).data_type;
    let external = column.external.and_then(|e| spec.inputs[0].external.get(e));
    let external = match (external, kind) {
        (_, ColumnType::Other) => String::new(),
        (Some(external), _) if same_type(&external.data_type, &data_type) => external.name.clone(),
        (external, _) => {
            let code = match external {
                Some(_) => codes::DTS_E_TXSCD_CANNOTMAPDIFFERENTTYPES,
                None => codes::DTS_E_TXSCD_CANNOTFINDEXTERNALCOLUMN,
            };
            let name = external.map_or("", |e| e.name.as_str());
            report_column(spec, cx, column, code, code.message(&[&column.name, &name]));
            return None;
        }
    };
    Some(Member { kind, slot, data_type, external })
}

/// Whether the types are the same but for lengths, precision and the like.
fn same_type(a: &DataType, b: &DataType) -> bool {
    std::mem::discriminant(a) == std::mem::discriminant(b)
}

/// The outputs, by what leaves through them. Real packages have them in this order, under names in the language of the
/// designer; the exclusion group alone tells the historical one apart.
#[derive(Clone, Copy, Debug)]
struct Outputs {
    unchanged: usize,
    new: usize,
    fixed: usize,
    changing: usize,
    historical: usize,
    inferred: usize,
}

fn outputs(spec: &ComponentSpec, cx: &mut BindCx<'_>) -> Option<Outputs> {
    let historical = |output: &OutputSpec| output.exclusion_group == 2;
    let alone: Vec<usize> = (0..spec.outputs.len()).filter(|o| historical(&spec.outputs[*o])).collect();
    let others: Vec<usize> = (0..spec.outputs.len()).filter(|o| !historical(&spec.outputs[*o])).collect();
    if let (&[historical], &[unchanged, new, fixed, changing, inferred]) = (&alone[..], &others[..]) {
        return Some(Outputs { unchanged, new, fixed, changing, historical, inferred });
    }
    let code = codes::DTS_E_INCORRECTEXACTNUMBEROFOUTPUTS;
    cx.error(spec, code, code.message(&[&6]));
    None
}

/// The query with the condition of current rows: with its own, if it has one, and before what groups or orders the rows.
///
/// # Errors
/// The word that joins several queries to one: which of their rows are current is nobody's to guess.
fn current_rows(sql: &str, condition: &str) -> std::result::Result<String, String> {
    let sql = sql.trim_end().trim_end_matches(';').trim_end();
    if condition.is_empty() {
        return Ok(sql.to_owned());
    }
    let (mut own, mut end, mut from) = (None, sql.len(), false);
    let words: Vec<Word<'_>> = words(sql).into_iter().filter(|word| word.depth == 0 && !word.in_name).collect();
    for (n, word) in words.iter().enumerate() {
        let joins = word.is(&["union", "except", "intersect"]) || word.is(&["minus"]) && follows(word, &["select"]);
        if joins {
            return Err(word.text.to_uppercase());
        } else if word.is(&["from"]) {
            from = true;
        } else if word.is(&["where"]) {
            (own, end) = (Some(word.at), sql.len());
        } else if from && end == sql.len() && ends_condition(&words[n..]) {
            end = word.at;
        }
    }
    let (before, behind) = sql.split_at(end);
    let (before, gap) = (before.trim_end(), if behind.is_empty() { "" } else { " " });
    // A line ends before a parenthesis does, where a comment may be.
    Ok(match own {
        Some(at) => {
            let (head, own) = before.split_at(at + "where".len());
            format!("{head} ({}\n) AND ({condition}){gap}{behind}", own.trim())
        }
        None => format!("{before}\nWHERE ({condition}){gap}{behind}"),
    })
}

fn follows(word: &Word<'_>, expected: &[&str]) -> bool {
    expected.iter().any(|next| word.next.eq_ignore_ascii_case(next))
}

/// Whether the first of these words begins what stands behind the condition of a query. Most of them may be names, too,
/// and what follows tells.
fn ends_condition(words: &[Word<'_>]) -> bool {
    let Some(word) = words.first() else { return false };
    // A number, a parameter, an expression.
    let counts = || word.next.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '?' | '$' | '@' | ':' | '('));
    match word.text.to_ascii_lowercase().as_str() {
        "having" => true,
        "group" | "order" => follows(word, &["by"]),
        "option" => follows(word, &["("]),
        "limit" => counts() || follows(word, &["all"]),
        "offset" => counts(),
        "fetch" => follows(word, &["first", "next"]),
        // FOR SYSTEM_TIME belongs to a table.
        "for" => follows(word, &["update", "share", "no", "key", "read", "fetch", "browse", "xml", "json"]),
        "lock" => follows(word, &["in"]),
        "window" => words.get(2).is_some_and(|third| third.is(&["as"])),
        _ => false,
    }
}

struct Plan {
    name: String,
    outputs: Outputs,
    columns: Vec<Member>,
    connection: ConnectionSpec,
    sql: String,
    code_page: u32,
    locale: u32,
    detect: bool,
    /// With EnableInferredMember, the indicator, perhaps "".
    indicator: Option<String>,
    fail_fixed: bool,
    fail_missing: bool,
    update_history: bool,
}

impl Plan {
    fn of(&self, kind: ColumnType) -> impl Iterator<Item = &Member> {
        self.columns.iter().filter(move |column| column.kind == kind)
    }

    /// Converts columns of a kind to rows that can be compared; None if there are none.
    fn converter(&self, kind: ColumnType) -> Result<Option<RowConverter>> {
        let fields: Vec<SortField> = self.of(kind).map(|c| SortField::new(c.data_type.arrow())).collect();
        if fields.is_empty() { Ok(None) } else { Ok(Some(RowConverter::new(fields)?)) }
    }
}

struct Compare {
    plan: Arc<Plan>,
    dimension: Option<Arc<Dimension>>,
}

impl Inline for Compare {
    fn begin(&self, cx: &OpenCx, _input: &Layout) -> Result<Option<Arc<dyn Inline>>> {
        if !self.plan.detect {
            return Ok(None);
        }
        let database = Database::of(&self.plan.connection, &cx.services)
            .map(Database::for_reading)
            .map_err(|e| e.into_oledb_error())?;
        let dimension = Dimension::read(&self.plan, &database, &cx.services)?;
        Ok(Some(Arc::new(Compare { plan: self.plan.clone(), dimension: Some(Arc::new(dimension)) })))
    }

    fn row_rule(&self) -> RowRule {
        RowRule::Other("a row with historical changes may leave twice, or not by the first group")
    }

    fn open(&self, _cx: &OpenCx, _input: &Layout) -> Result<Box<dyn Apply>> {
        let plan = self.plan.clone();
        Ok(Box::new(Lane {
            key: plan.converter(ColumnType::Key)?,
            fixed: plan.converter(ColumnType::Fixed)?,
            changing: plan.converter(ColumnType::Changing)?,
            historical: plan.converter(ColumnType::Historical)?,
            dimension: self.dimension.clone(),
            plan,
        }))
    }
}

struct Lane {
    plan: Arc<Plan>,
    dimension: Option<Arc<Dimension>>,
    key: Option<RowConverter>,
    fixed: Option<RowConverter>,
    changing: Option<RowConverter>,
    historical: Option<RowConverter>,
}

/// The rows of a batch by output.
#[derive(Default)]
struct Sorted {
    unchanged: Vec<u32>,
    new: Vec<u32>,
    fixed: Vec<u32>,
    changing: Vec<u32>,
    historical: Vec<u32>,
    inferred: Vec<u32>,
}

impl Apply for Lane {
    fn apply(&mut self, batch: Batch, out: &mut Ports) -> Result<()> {
        let mut sorted = Sorted::default();
        match &self.dimension {
            Some(dimension) => self.compare(dimension, &batch, &mut sorted)?,
            None => sorted.new = (0..batch.rows as u32).collect(),
        }
        let outputs = self.plan.outputs;
        let by_output = [
            (outputs.unchanged, sorted.unchanged),
            (outputs.new, sorted.new),
            (outputs.fixed, sorted.fixed),
            (outputs.changing, sorted.changing),
            (outputs.historical, sorted.historical),
            (outputs.inferred, sorted.inferred),
        ];
        for (port, rows) in by_output {
            if !rows.is_empty() {
                let selection = (rows.len() < batch.rows).then(|| Arc::new(rows));
                out.put(port, Batch { selection, ..batch.clone() });
            }
        }
        Ok(())
    }
}

impl Lane {
    fn rows(&self, converter: Option<&RowConverter>, kind: ColumnType, batch: &Batch) -> Result<Option<Rows>> {
        let Some(converter) = converter else { return Ok(None) };
        let columns: Vec<ArrayRef> = self.plan.of(kind).map(|c| batch.columns[c.slot.0].clone()).collect();
        Ok(Some(converter.convert_columns(&columns)?))
    }

    fn compare(&self, dimension: &Dimension, batch: &Batch, sorted: &mut Sorted) -> Result<()> {
        let plan = &*self.plan;
        let keys = self.rows(self.key.as_ref(), ColumnType::Key, batch)?.ok_or_else(|| Error::internal("no key"))?;
        let fixed = self.rows(self.fixed.as_ref(), ColumnType::Fixed, batch)?;
        let changing = self.rows(self.changing.as_ref(), ColumnType::Changing, batch)?;
        let historical = self.rows(self.historical.as_ref(), ColumnType::Historical, batch)?;
        let key_columns: Vec<&ArrayRef> = plan.of(ColumnType::Key).map(|c| &batch.columns[c.slot.0]).collect();
        for row in 0..batch.rows {
            let at = row as u32;
            // A key that is NULL is nobody's.
            let whole = key_columns.iter().all(|column| column.is_valid(row));
            let Some(member) = whole.then(|| dimension.find(keys.row(row).as_ref())).flatten() else {
                if plan.fail_missing {
                    return Err(self.failure(batch, at, codes::DTS_E_TXSCD_LOOKUPFAILURE));
                }
                sorted.new.push(at);
                continue;
            };
            let differs = |ours: &Option<Rows>, theirs: &Option<Attributes>| match (ours, theirs) {
                (Some(ours), Some(theirs)) => theirs.differ(member, ours.row(row)),
                _ => false,
            };
            if dimension.inferred[member] {
                sorted.inferred.push(at);
                continue;
            }
            if differs(&fixed, &dimension.fixed) {
                if plan.fail_fixed {
                    return Err(self.failure(batch, at, codes::DTS_E_TXSCD_FIXEDATTRIBUTECHANGE));
                }
                sorted.fixed.push(at);
                continue;
            }
            let changed = (differs(&changing, &dimension.changing), differs(&historical, &dimension.historical));
            let (as_update, as_insert) = leaves(changed, plan.update_history);
            if as_update {
                sorted.changing.push(at);
            }
            if as_insert {
                sorted.historical.push(at);
            }
            if !as_update && !as_insert {
                sorted.unchanged.push(at);
            }
        }
        Ok(())
    }

    fn failure(&self, batch: &Batch, row: u32, code: Code) -> Error {
        let message = format!("\"{}\": {}", self.plan.name, code.message(&[]));
        Error::new(Owner::Data, code, message).with_row(RowError {
            batch: Some((batch.seq, batch.origin.of(row))),
            number: None,
            column: None,
            value: None,
        })
    }
}

/// Whether a row with a (changing, historical) change leaves as an update and as an insert. The insert brings the new
/// values of changing attributes along, so that the update is needed only where the member's older rows are to have them
/// as well (unconfirmed).
fn leaves((changing, historical): (bool, bool), update_history: bool) -> (bool, bool) {
    (changing && (!historical || update_history), historical)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_condition_of_current_rows_joins_the_query() {
        for (sql, condition, expected) in [
            ("SELECT a FROM t", "", "SELECT a FROM t"),
            ("SELECT a FROM t; ", "[e] IS NULL", "SELECT a FROM t\nWHERE ([e] IS NULL)"),
            ("SELECT whereabouts FROM t", "c = 2", "SELECT whereabouts FROM t\nWHERE (c = 2)"),
            // AND would bind its last part only.
            ("select a from t where b = 1 OR b = 3", "c = 2", "select a from t where (b = 1 OR b = 3\n) AND (c = 2)"),
            ("select a from t where b = 1 order by a", "c", "select a from t where (b = 1\n) AND (c) order by a"),
            ("select a from t -- where\ngroup by a", "c", "select a from t -- where\nWHERE (c) group by a"),
            (
                "select [where], 'where' from (select a from u where a > 0 order by a) t",
                "c",
                "select [where], 'where' from (select a from u where a > 0 order by a) t\nWHERE (c)",
            ),
        ] {
            assert_eq!(current_rows(sql, condition).as_deref(), Ok(expected), "{sql}");
        }
    }

    #[test]
    fn the_condition_stands_before_what_ends_a_query_and_behind_names_like_it() {
        for (sql, expected) in [
            ("select a from t join u on t.limit = u.limit where t.b = 1", None),
            ("select a from t where limit > 5 and offset = fetch", None),
            ("select a from t where [group] = t.order and window = lock", None),
            ("select a from t for system_time all where b", None),
            ("select a from t where b limit 5 offset 2", Some("limit 5 offset 2")),
            ("select a from t where b LIMIT ALL", Some("LIMIT ALL")),
            ("select a from t where b limit ?", Some("limit ?")),
            (
                "select a from t where b offset 5 rows fetch next 3 rows only",
                Some("offset 5 rows fetch next 3 rows only"),
            ),
            ("select a from t where b fetch first 3 rows only", Some("fetch first 3 rows only")),
            ("select a from t where b for update", Some("for update")),
            ("select a from t where b window w as (order by a)", Some("window w as (order by a)")),
            ("select a from t where b option (recompile)", Some("option (recompile)")),
        ] {
            let (whole, behind) = match expected {
                Some(behind) => (sql.strip_suffix(behind).unwrap().trim_end(), format!(" {behind}")),
                None => (sql, String::new()),
            };
            let (head, own) = whole.split_once("where").unwrap();
            let expected = format!("{head}where ({}\n) AND (c){behind}", own.trim());
            assert_eq!(current_rows(sql, "c"), Ok(expected), "{sql}");
        }
    }

    #[test]
    fn several_queries_in_one_have_no_condition_of_current_rows() {
        for (sql, word) in [
            ("select a from t where b union select a from u", "UNION"),
            ("select a from t except all select a from u", "EXCEPT"),
            ("(select a from t) intersect (select a from u)", "INTERSECT"),
            ("select a from t minus select a from u", "MINUS"),
        ] {
            assert_eq!(current_rows(sql, "c"), Err(word.to_owned()), "{sql}");
            assert_eq!(current_rows(sql, "").as_deref(), Ok(sql));
        }
        let inside = "with d as (select a from t union select a from u) select a from d";
        assert_eq!(current_rows(inside, "c"), Ok(format!("{inside}\nWHERE (c)")));
    }

    #[test]
    fn a_historical_change_takes_changing_ones_along() {
        assert_eq!(leaves((false, false), true), (false, false));
        assert_eq!(leaves((true, false), false), (true, false));
        assert_eq!(leaves((true, true), false), (false, true));
        assert_eq!(leaves((true, true), true), (true, true));
    }
}
