//! The three kinds: their properties, and how each says what it reads.

use super::{Query, Request, bind, parameters, statement, table};
use crate::shared::properties::{DEFAULT_CODE_PAGE, OPEN_ROWSET, OPEN_ROWSET_VARIABLE, TABLE_NAME, TABLE_OR_VIEW_NAME};
use crate::shared::variable_text;
use dtsx_engine::diag::codes;
use dtsx_engine::flow::{BindCx, Bound, ComponentKind, ComponentSpec};
use dtsx_engine::props::{PropertyDef, PropertyType, property};

/// The code page that the property says where it counts: the database's own is better.
fn code_page(spec: &ComponentSpec) -> u32 {
    spec.properties.int("DefaultCodePage").and_then(|n| u32::try_from(n).ok()).unwrap_or(0)
}

/// An access mode that the kind does not have.
fn unknown_mode(spec: &ComponentSpec, cx: &mut BindCx<'_>) -> Option<Query> {
    let code = codes::DTS_E_INCORRECTCUSTOMPROPERTYVALUE;
    cx.error(spec, code, code.message(&[&"AccessMode", &spec.name]));
    None
}

/// The statement of each kind.
const SQL_COMMAND: PropertyDef = property("SqlCommand", PropertyType::Text, "", "The statement.");

/// What limits a statement that yields rows.
const ANSWER: &str = "Seconds that the database's answer, and each further part of it, is waited for; 0 for any.";

/// `Microsoft.OLEDBSource`.
#[derive(Debug)]
pub struct OleDbSource;

const OLE_DB: &[PropertyDef] = {
    use PropertyType::*;
    &[
        property(
            "AccessMode",
            Int,
            "0",
            "What is read: 0 a table, 1 a table that a variable names, 2 a statement, 3 a statement that a variable holds.",
        ),
        OPEN_ROWSET,
        OPEN_ROWSET_VARIABLE,
        SQL_COMMAND,
        property("SqlCommandVariable", VariableName, "", "The variable that holds the statement."),
        property(
            "ParameterMapping",
            Text,
            "",
            "The variables of the statement's parameters: `\"Parameter0:Input\",{GUID};`.",
        ),
        property("CommandTimeout", Int, "0", ANSWER),
        DEFAULT_CODE_PAGE,
        property(
            "AlwaysUseDefaultCodePage",
            Bool,
            "False",
            "Whether DefaultCodePage counts even where the database tells another.",
        ),
    ]
};

impl ComponentKind for OleDbSource {
    fn kind(&self) -> &'static str {
        "Microsoft.OLEDBSource"
    }

    fn title(&self) -> &'static str {
        "OLE DB Source"
    }

    fn properties(&self) -> &'static [PropertyDef] {
        OLE_DB
    }

    fn bind(&self, spec: &ComponentSpec, cx: &mut BindCx<'_>) -> Option<Bound> {
        let p = &spec.properties;
        let query = match p.int("AccessMode").unwrap_or(0) {
            0 => table(spec, cx, "OpenRowset", Some(p.str("OpenRowset").to_owned())),
            1 => {
                let name = variable_text(spec, cx, p.str("OpenRowsetVariable"));
                table(spec, cx, "OpenRowsetVariable", name)
            }
            2 => statement(spec, cx, "SqlCommand", Some(p.str("SqlCommand").to_owned())),
            3 => {
                let text = variable_text(spec, cx, p.str("SqlCommandVariable"));
                statement(spec, cx, "SqlCommandVariable", text)
            }
            _ => unknown_mode(spec, cx),
        };
        let params = match query {
            Some(Query::Statement(_)) => parameters::of_mapping(spec, cx, p.str("ParameterMapping")),
            _ => Some(Vec::new()),
        };
        let timeout = p.int("CommandTimeout").unwrap_or(0);
        let request = Request { query, params: params?, timeout, code_page: code_page(spec), ole_db: true };
        bind(spec, cx, request)
    }
}

/// `Microsoft.DataReaderSourceAdapter`.
#[derive(Debug)]
pub struct AdoNetSource;

const ADO_NET: &[PropertyDef] = {
    use PropertyType::*;
    &[
        property("AccessMode", Int, "0", "What is read: 0 a table, 2 a statement."),
        TABLE_OR_VIEW_NAME,
        SQL_COMMAND,
        property("CommandTimeout", Int, "30", ANSWER),
        property(
            "AllowImplicitStringConversion",
            Bool,
            "True",
            "Whether values of types that SSIS does not know come as text.",
        ),
    ]
};

impl ComponentKind for AdoNetSource {
    fn kind(&self) -> &'static str {
        "Microsoft.DataReaderSourceAdapter"
    }

    fn title(&self) -> &'static str {
        "ADO NET Source"
    }

    fn properties(&self) -> &'static [PropertyDef] {
        ADO_NET
    }

    fn bind(&self, spec: &ComponentSpec, cx: &mut BindCx<'_>) -> Option<Bound> {
        let p = &spec.properties;
        // Old packages have a statement and no access mode.
        let query = match p.int("AccessMode").unwrap_or(if p.str("TableOrViewName").is_empty() { 2 } else { 0 }) {
            0 => table(spec, cx, "TableOrViewName", Some(p.str("TableOrViewName").to_owned())),
            2 => statement(spec, cx, "SqlCommand", Some(p.str("SqlCommand").to_owned())),
            _ => unknown_mode(spec, cx),
        };
        let timeout = p.int("CommandTimeout").unwrap_or(30);
        bind(spec, cx, Request { query, params: Vec::new(), timeout, code_page: 0, ole_db: false })
    }
}

/// `Microsoft.SSISODBCSrc`.
#[derive(Debug)]
pub struct OdbcSource;

const ODBC: &[PropertyDef] = {
    use PropertyType::*;
    &[
        property("AccessMode", Int, "0", "What is read: 0 a table, 1 a statement."),
        TABLE_NAME,
        SQL_COMMAND,
        property("BatchSize", Int, "1000", "Rows that are fetched at a time; this build chooses them by their size."),
        property("FetchMethod", Int, "1", "0 row by row, 1 in batches; this build always fetches batches."),
        property(
            "BindCharColumnsAs",
            Int,
            "0",
            "Whether text is fetched as Unicode (0) or in the code page (1); the text is the same.",
        ),
        property(
            "BindNumericAs",
            Int,
            "0",
            "Whether decimals are fetched as text (0) or as numbers (1); the values are the same.",
        ),
        property("ExposeCharColumnsAsUnicode", Bool, "False", "Whether the designer takes text columns for DT_WSTR."),
        property(
            "LobChunkSize",
            Int,
            "32768",
            "Bytes of a long value that are fetched at a time; this build chooses them by the length.",
        ),
        property("StatementTimeout", Int, "0", ANSWER),
        DEFAULT_CODE_PAGE,
    ]
};

impl ComponentKind for OdbcSource {
    fn kind(&self) -> &'static str {
        "Microsoft.SSISODBCSrc"
    }

    fn title(&self) -> &'static str {
        "ODBC Source"
    }

    fn properties(&self) -> &'static [PropertyDef] {
        ODBC
    }

    fn bind(&self, spec: &ComponentSpec, cx: &mut BindCx<'_>) -> Option<Bound> {
        let p = &spec.properties;
        let query = match p.int("AccessMode").unwrap_or(0) {
            0 => table(spec, cx, "TableName", Some(p.str("TableName").to_owned())),
            1 => statement(spec, cx, "SqlCommand", Some(p.str("SqlCommand").to_owned())),
            _ => unknown_mode(spec, cx),
        };
        let timeout = p.int("StatementTimeout").unwrap_or(0);
        bind(spec, cx, Request { query, params: Vec::new(), timeout, code_page: code_page(spec), ole_db: false })
    }
}
