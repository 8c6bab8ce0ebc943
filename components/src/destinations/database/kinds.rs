//! The four kinds: their properties, and how each says what it does.

use super::words::Words;
use super::{Commits, Request, bind};
use crate::db::{LoadOptions, TableName};
use crate::shared::properties::{DEFAULT_CODE_PAGE, OPEN_ROWSET, OPEN_ROWSET_VARIABLE, TABLE_NAME, TABLE_OR_VIEW_NAME};
use crate::shared::variable_text;
use dtsx_engine::diag::codes;
use dtsx_engine::flow::{BindCx, Bound, ComponentKind, ComponentSpec, Disposition};
use dtsx_engine::props::{PropertyBag, PropertyDef, PropertyType, property};
use std::time::Duration;

/// A timeout in seconds; 0: none.
fn timeout(properties: &PropertyBag, name: &str, default: i64) -> Option<Duration> {
    let seconds = properties.int(name).unwrap_or(default);
    u64::try_from(seconds).ok().filter(|s| *s > 0).map(Duration::from_secs)
}

/// When rows are committed, by an insert commit size: the largest number of 32 bits is the designer's way to say all.
fn commits(size: i64) -> Commits {
    match usize::try_from(size) {
        Ok(rows @ 1..) if size < i64::from(i32::MAX) => Commits::Every(rows),
        _ => Commits::AtEnd,
    }
}

/// A value that the property does not take.
fn wrong(spec: &ComponentSpec, cx: &mut BindCx<'_>, property: &str) {
    let code = codes::DTS_E_INCORRECTCUSTOMPROPERTYVALUE;
    cx.error(spec, code, code.message(&[&property]));
}

/// A name of a table; an empty one is reported.
fn table(spec: &ComponentSpec, cx: &mut BindCx<'_>, name: Option<String>) -> (Option<TableName>, String) {
    let Some(name) = name else { return (None, String::new()) };
    if name.trim().is_empty() {
        let code = codes::DTS_E_DESTINATIONTABLENAMENOTPROVIDED;
        cx.error(spec, code, code.message(&[]));
        return (None, name);
    }
    (Some(TableName::parse(&name)), name)
}

/// The table of a statement that only says which columns are filled: `SELECT a, b FROM t`. Nothing for any other.
fn table_of_select(sql: &str) -> Option<String> {
    let text = sql.trim().trim_end_matches(';').trim_end();
    let words: Vec<&str> = text.split_whitespace().collect();
    if !words.first()?.eq_ignore_ascii_case("select") {
        return None;
    }
    // The last FROM outside quotes: the columns may be quoted names with anything in them.
    let (mut quote, mut from, mut depth) = (None, None, 0_i32);
    let lower = text.to_ascii_lowercase();
    for (at, c) in lower.char_indices() {
        match quote {
            Some(end) if c == end => quote = None,
            Some(_) => {}
            None => match c {
                '[' => quote = Some(']'),
                '"' | '`' | '\'' => quote = Some(c),
                '(' => depth += 1,
                ')' => depth -= 1,
                // A second FROM: no such simple statement.
                _ if depth == 0
                    && lower[at..].starts_with("from")
                    && bounded(&lower, at, 4)
                    && from.replace(at).is_some() =>
                {
                    return None;
                }
                _ => {}
            },
        }
    }
    let name = text[from? + 4..].trim();
    // A name and nothing behind it: no alias, no condition, no second table.
    let parsed = TableName::parse(name);
    let plain = |part: &String| part.chars().all(|c| !c.is_whitespace() && !matches!(c, ',' | '(' | ')'));
    (parsed.quoted || parsed.parts.iter().all(plain)).then(|| name.to_owned())
}

fn bounded(text: &str, at: usize, len: usize) -> bool {
    let edge = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric() && c != '_');
    edge(text[..at].chars().next_back()) && edge(text[at + len..].chars().next())
}

/// Whether the bulk copy of the ADO NET Destination checks constraints and fires triggers (unconfirmed: its options are
/// documented nowhere; this leaves no row unchecked).
const BULK_COPY_CHECKS: bool = true;

/// FastLoadOptions of a package that says nothing.
const FAST_LOAD_OPTIONS: &str = "TABLOCK,CHECK_CONSTRAINTS";

/// FastLoadOptions: `TABLOCK,CHECK_CONSTRAINTS,ROWS_PER_BATCH = 1000,ORDER(a ASC, b DESC)`.
fn fast_load_options(text: &str, options: &mut LoadOptions) -> Result<(), String> {
    let (mut parts, mut depth, mut begin) = (Vec::new(), 0, 0);
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&text[begin..at]);
                begin = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[begin..]);
    for part in parts.into_iter().map(str::trim).filter(|p| !p.is_empty()) {
        let upper = part.to_ascii_uppercase();
        let number = || upper.split('=').nth(1).and_then(|n| n.trim().parse::<u64>().ok()).ok_or(part.to_owned());
        match upper.split(['=', '(', ' ']).next().unwrap_or("") {
            "TABLOCK" => options.table_lock = true,
            "CHECK_CONSTRAINTS" => options.check_constraints = true,
            "FIRE_TRIGGERS" => options.fire_triggers = true,
            "ROWS_PER_BATCH" => options.rows_per_batch = Some(number()?),
            // A hint of size, which no database here takes.
            "KILOBYTES_PER_BATCH" => drop(number()?),
            "ORDER" => {
                let list = part.find('(').zip(part.rfind(')')).filter(|(open, close)| open < close);
                let (open, close) = list.ok_or(part.to_owned())?;
                options.order = Some(part[open + 1..close].trim().to_owned());
            }
            _ => return Err(part.to_owned()),
        }
    }
    Ok(())
}

/// `Microsoft.OLEDBDestination`.
#[derive(Debug)]
pub struct OleDbDestination;

const OLE_DB: &[PropertyDef] = {
    use PropertyType::*;
    &[
        property(
            "AccessMode",
            Int,
            "3",
            "Where rows go: 0 a table, 1 a table that a variable names, 2 the table of a SELECT, 3 a table by fast load, 4 a table that a variable names by fast load.",
        ),
        OPEN_ROWSET,
        OPEN_ROWSET_VARIABLE,
        property("SqlCommand", Text, "", "A SELECT of the columns that are filled, from one table."),
        property("FastLoadKeepIdentity", Bool, "False", "Whether the values of identity columns come from the rows."),
        property("FastLoadKeepNulls", Bool, "False", "Whether NULL stays NULL where the column has a default."),
        property(
            "FastLoadOptions",
            Text,
            "TABLOCK,CHECK_CONSTRAINTS",
            "TABLOCK, CHECK_CONSTRAINTS, FIRE_TRIGGERS, ROWS_PER_BATCH = n, KILOBYTES_PER_BATCH = n, ORDER(…).",
        ),
        property(
            "FastLoadMaxInsertCommitSize",
            Int,
            "2147483647",
            "After how many rows is committed; 0 and 2147483647: after the last one.",
        ),
        property("CommandTimeout", Int, "0", "Seconds that a statement may take; 0 for any."),
        DEFAULT_CODE_PAGE,
        property(
            "AlwaysUseDefaultCodePage",
            Bool,
            "False",
            "Whether DefaultCodePage counts even where the database tells another; text goes in as Unicode here.",
        ),
    ]
};

impl ComponentKind for OleDbDestination {
    fn kind(&self) -> &'static str {
        "Microsoft.OLEDBDestination"
    }

    fn title(&self) -> &'static str {
        "OLE DB Destination"
    }

    fn properties(&self) -> &'static [PropertyDef] {
        OLE_DB
    }

    fn writes(&self) -> bool {
        true
    }

    fn bind(&self, spec: &ComponentSpec, cx: &mut BindCx<'_>) -> Option<Bound> {
        let p = &spec.properties;
        let mode = p.int("AccessMode").unwrap_or(3);
        let fast = matches!(mode, 3 | 4);
        let name = match mode {
            0 | 3 => Some(p.str("OpenRowset").to_owned()),
            1 | 4 => variable_text(spec, cx, p.str("OpenRowsetVariable")),
            2 if p.str("SqlCommand").trim().is_empty() => {
                let code = codes::DTS_E_MISSINGSQLCOMMAND;
                cx.error(spec, code, code.message(&[]));
                None
            }
            2 => {
                let found = table_of_select(p.str("SqlCommand"));
                if found.is_none() {
                    cx.unsupported(spec, "an SQL command other than SELECT columns FROM one table as a destination");
                }
                found
            }
            _ => {
                wrong(spec, cx, "AccessMode");
                None
            }
        };
        let (table, spelled) = table(spec, cx, name);
        // Rows go in one by one otherwise, and a NULL that is given is a NULL.
        let mut options = LoadOptions {
            keep_identity: !fast || p.bool("FastLoadKeepIdentity").unwrap_or(false),
            keep_nulls: !fast || p.bool("FastLoadKeepNulls").unwrap_or(false),
            check_constraints: !fast,
            fire_triggers: !fast,
            row_by_row: !fast,
            timeout: timeout(p, "CommandTimeout", 0),
            ..LoadOptions::default()
        };
        let size = p.int("FastLoadMaxInsertCommitSize").unwrap_or(i64::from(i32::MAX));
        if fast {
            if fast_load_options(p.text("FastLoadOptions").unwrap_or(FAST_LOAD_OPTIONS), &mut options).is_err() {
                wrong(spec, cx, "FastLoadOptions");
            }
            if size < 0 {
                wrong(spec, cx, "FastLoadMaxInsertCommitSize");
            }
            let redirects = spec.inputs.first().is_some_and(|i| i.dispositions.error == Disposition::Redirect);
            if size == 0 && redirects {
                let code = codes::DTS_E_REDIRECTROWUNAVAILABLEWITHFASTLOADANDZEROMAXINSERTCOMMITSIZE;
                let input = &spec.inputs[0].name;
                cx.error(spec, code, code.message(&[&format!("{}.Inputs[{input}]", spec.name)]));
            }
        }
        let commits = if fast { commits(size) } else { Commits::Rows };
        let words = Words::OleDb { fast };
        bind(spec, cx, Request { table, spelled, commits, options, words, mixes_text: false })
    }
}

/// `Microsoft.ADONETDestination`.
#[derive(Debug)]
pub struct AdoNetDestination;

const ADO_NET: &[PropertyDef] = {
    use PropertyType::*;
    &[
        TABLE_OR_VIEW_NAME,
        property(
            "BatchSize",
            Int,
            "0",
            "Rows that are sent and committed at a time; 0: all, in batches of this build's choice.",
        ),
        property("CommandTimeout", Int, "30", "Seconds that a statement may take; 0 for any."),
        property(
            "UseBulkInsertWhenPossible",
            Bool,
            "True",
            "Whether rows are loaded in bulk: defaults take the place of NULLs, and values for identity columns are left out.",
        ),
    ]
};

impl ComponentKind for AdoNetDestination {
    fn kind(&self) -> &'static str {
        "Microsoft.ADONETDestination"
    }

    fn title(&self) -> &'static str {
        "ADO NET Destination"
    }

    fn properties(&self) -> &'static [PropertyDef] {
        ADO_NET
    }

    fn writes(&self) -> bool {
        true
    }

    fn bind(&self, spec: &ComponentSpec, cx: &mut BindCx<'_>) -> Option<Bound> {
        let p = &spec.properties;
        let (table, spelled) = table(spec, cx, Some(p.str("TableOrViewName").to_owned()));
        let size = p.int("BatchSize").unwrap_or(0);
        if size < 0 {
            let code = codes::DTS_E_ADODESTWRONGBATCHSIZE;
            cx.error(spec, code, code.message(&[]));
        }
        dispositions_of_columns(spec, cx);
        let redirects = spec.inputs.first().is_some_and(|i| i.dispositions.error == Disposition::Redirect);
        // Rows that may be redirected or ignored go in one by one.
        let bulk = p.bool("UseBulkInsertWhenPossible").unwrap_or(true) && !redirects;
        let options = LoadOptions {
            keep_identity: !bulk,
            keep_nulls: !bulk,
            check_constraints: !bulk || BULK_COPY_CHECKS,
            fire_triggers: !bulk || BULK_COPY_CHECKS,
            row_by_row: !bulk,
            timeout: timeout(p, "CommandTimeout", 30),
            ..LoadOptions::default()
        };
        let commits = if bulk { commits(size) } else { Commits::Rows };
        bind(spec, cx, Request { table, spelled, commits, options, words: Words::AdoNet, mixes_text: true })
    }
}

/// The ADO NET Destination knows a disposition of its input alone.
fn dispositions_of_columns(spec: &ComponentSpec, cx: &mut BindCx<'_>) {
    let Some(input) = spec.inputs.first() else { return };
    let set = |d: Disposition| matches!(d, Disposition::Ignore | Disposition::Redirect);
    for (wrong, code) in [
        (input.columns.iter().any(|c| set(c.dispositions.error)), codes::DTS_E_ADODESTCOLUMNERRORDISPNOTSUPPORTED),
        (input.columns.iter().any(|c| set(c.dispositions.truncation)), codes::DTS_E_ADODESTCOLUMNTRUNDISPNOTSUPPORTED),
        (set(input.dispositions.truncation), codes::DTS_E_ADODESTINPUTTRUNDISPNOTSUPPORTED),
    ] {
        if wrong {
            cx.error(spec, code, code.message(&[]));
        }
    }
}

/// `Microsoft.SSISODBCDst`.
#[derive(Debug)]
pub struct OdbcDestination;

const ODBC: &[PropertyDef] = {
    use PropertyType::*;
    &[
        TABLE_NAME,
        property("InsertMethod", Int, "1", "0 row by row, 1 in batches; this build always sends batches."),
        property("BatchSize", Int, "1000", "Rows that are sent at a time; this build chooses them by their size."),
        property("TransactionSize", Int, "0", "After how many rows is committed; 0: each row for itself."),
        property("StatementTimeout", Int, "120", "Seconds that a statement may take; 0 for any."),
        DEFAULT_CODE_PAGE,
        property("BindCharColumnsAs", Int, "0", "Whether text is sent as Unicode (0) or in the code page (1)."),
        property("BindNumericAs", Int, "0", "Whether decimals are sent as text (0) or as numbers (1)."),
        property("LobChunkSize", Int, "32768", "Bytes of a long value that are sent at a time."),
    ]
};

impl ComponentKind for OdbcDestination {
    fn kind(&self) -> &'static str {
        "Microsoft.SSISODBCDst"
    }

    fn title(&self) -> &'static str {
        "ODBC Destination"
    }

    fn properties(&self) -> &'static [PropertyDef] {
        ODBC
    }

    fn writes(&self) -> bool {
        true
    }

    fn bind(&self, spec: &ComponentSpec, cx: &mut BindCx<'_>) -> Option<Bound> {
        let p = &spec.properties;
        let (table, spelled) = table(spec, cx, Some(p.str("TableName").to_owned()));
        if !matches!(p.int("InsertMethod").unwrap_or(1), 0 | 1) {
            wrong(spec, cx, "InsertMethod");
        }
        let options = LoadOptions {
            keep_identity: true,
            keep_nulls: true,
            check_constraints: true,
            fire_triggers: true,
            row_by_row: true,
            timeout: timeout(p, "StatementTimeout", 120),
            ..LoadOptions::default()
        };
        let size = p.int("TransactionSize").unwrap_or(0);
        if size < 0 {
            wrong(spec, cx, "TransactionSize");
        }
        let commits = if size > 0 { commits(size) } else { Commits::Rows };
        bind(spec, cx, Request { table, spelled, commits, options, words: Words::Odbc, mixes_text: true })
    }
}

/// `Microsoft.SQLServerDestination`.
#[derive(Debug)]
pub struct SqlServerDestination;

const SQL_SERVER: &[PropertyDef] = {
    use PropertyType::*;
    &[
        property("BulkInsertTableName", Text, "", "The table or view."),
        property("BulkInsertCheckConstraints", Bool, "True", "Whether constraints are checked."),
        property("BulkInsertFireTriggers", Bool, "False", "Whether triggers fire."),
        property("BulkInsertFirstRow", Int, "-1", "The first row that is written, from 1; -1: the first."),
        property("BulkInsertLastRow", Int, "-1", "The last row that is written; -1: the last."),
        property("BulkInsertMaxErrors", Int, "-1", "How many rows may be refused; -1: none."),
        property("BulkInsertKeepIdentity", Bool, "False", "Whether the values of identity columns come from the rows."),
        property("BulkInsertKeepNulls", Bool, "False", "Whether NULL stays NULL where the column has a default."),
        property("BulkInsertOrder", Text, "", "How the rows are sorted: `a ASC, b DESC`."),
        property("BulkInsertTablock", Bool, "True", "Whether the table is locked."),
        property("MaxInsertCommitSize", Int, "0", "After how many rows is committed; 0: after the last one."),
        property("Timeout", Int, "30", "Seconds that a statement may take; 0 for any."),
        DEFAULT_CODE_PAGE,
        property("AlwaysUseDefaultCodePage", Bool, "False", "Whether DefaultCodePage counts in any case."),
    ]
};

impl ComponentKind for SqlServerDestination {
    fn kind(&self) -> &'static str {
        "Microsoft.SQLServerDestination"
    }

    fn title(&self) -> &'static str {
        "SQL Server Destination"
    }

    fn properties(&self) -> &'static [PropertyDef] {
        SQL_SERVER
    }

    fn writes(&self) -> bool {
        true
    }

    fn bind(&self, spec: &ComponentSpec, cx: &mut BindCx<'_>) -> Option<Bound> {
        let p = &spec.properties;
        let (table, spelled) = table(spec, cx, Some(p.str("BulkInsertTableName").to_owned()));
        // What only a part of the rows would be subject to is refused by name, not left out.
        for name in ["BulkInsertFirstRow", "BulkInsertLastRow", "BulkInsertMaxErrors"] {
            let value = p.int(name).unwrap_or(-1);
            let none = value <= 0 || (name == "BulkInsertFirstRow" && value == 1);
            if !none {
                cx.unsupported(spec, format!("{name} = {value}"));
            }
        }
        let flag = |name: &str, default: bool| p.bool(name).unwrap_or(default);
        let options = LoadOptions {
            keep_identity: flag("BulkInsertKeepIdentity", false),
            keep_nulls: flag("BulkInsertKeepNulls", false),
            check_constraints: flag("BulkInsertCheckConstraints", true),
            table_lock: flag("BulkInsertTablock", true),
            fire_triggers: flag("BulkInsertFireTriggers", false),
            order: Some(p.str("BulkInsertOrder").trim().to_owned()).filter(|o| !o.is_empty()),
            rows_per_batch: None,
            row_by_row: false,
            timeout: timeout(p, "Timeout", 30),
        };
        let commits = commits(p.int("MaxInsertCommitSize").unwrap_or(0));
        bind(spec, cx, Request { table, spelled, commits, options, words: Words::SqlServer, mixes_text: false })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commit_sizes() {
        for (size, expected) in
            [(0, Commits::AtEnd), (2_147_483_647, Commits::AtEnd), (1, Commits::Every(1)), (-1, Commits::AtEnd)]
        {
            assert_eq!(commits(size), expected, "{size}");
        }
    }

    #[test]
    fn options_of_a_fast_load() {
        let read = |text: &str| {
            let mut options = LoadOptions::default();
            fast_load_options(text, &mut options).map(|()| options)
        };
        let all = read("TABLOCK, check_constraints,FIRE_TRIGGERS,ROWS_PER_BATCH = 5,ORDER([a] ASC, b DESC)").unwrap();
        assert!(all.table_lock && all.check_constraints && all.fire_triggers);
        assert_eq!((all.rows_per_batch, all.order.as_deref()), (Some(5), Some("[a] ASC, b DESC")));
        assert_eq!(read("").unwrap(), LoadOptions::default());
        assert_eq!(read("KILOBYTES_PER_BATCH=3").unwrap(), LoadOptions::default());
        for wrong in ["TABLOK", "ROWS_PER_BATCH", "ROWS_PER_BATCH=x", "ORDER"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn statements_that_name_a_table() {
        for (sql, table) in [
            ("SELECT a, b FROM [dbo].[T];", Some("[dbo].[T]")),
            ("select [from], \"x\" from t", Some("t")),
            ("SELECT * FROM t WHERE a = 1", None),
            ("SELECT * FROM a, b", None),
            ("SELECT * FROM (SELECT 1 AS a) x", None),
            ("INSERT INTO t VALUES (1)", None),
            ("", None),
        ] {
            assert_eq!(table_of_select(sql).as_deref(), table, "{sql}");
        }
    }
}
