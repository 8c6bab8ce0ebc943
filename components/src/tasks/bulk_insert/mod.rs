//! Bulk Insert Task: loads a delimited file into a table.
//!
//! ```text
//! file → rows by RowTerminator → fields by FieldTerminator → the table's columns, in order → the database's fast load
//! ```
//! The original runs BULK INSERT, and the server reads the file. Here the file is read where the package runs, so that
//! every database will do; the rules are those of BULK INSERT: no text qualifiers, an empty field is NULL (or the
//! column's default), values are read in the invariant form. Native files and format files are refused by name.

mod fields;
mod load;

use super::{flag, setting};
use crate::db::TableName;
use dtsx_engine::control::plan::TaskSpec;
use dtsx_engine::control::{Task, TaskBindCx, TaskKind};
use dtsx_engine::diag::{Code, codes};
use dtsx_engine::props::{PropertyDef, PropertyType, property as p};
use load::BulkInsert;

/// `Microsoft.BulkInsertTask`.
pub struct BulkInsertTaskKind;

impl TaskKind for BulkInsertTaskKind {
    fn kind(&self) -> &'static str {
        "Microsoft.BulkInsertTask"
    }

    fn title(&self) -> &'static str {
        "Bulk Insert Task"
    }

    fn properties(&self) -> &'static [PropertyDef] {
        use PropertyType::{Bool, Int, Text};
        const TABLE: &[PropertyDef] = &[
            p("SourceConnection", Text, "", "The File connection manager of the data file."),
            p("DestinationConnection", Text, "", "The connection manager of the database."),
            p("DestinationTableName", Text, "", "The table."),
            p("FieldTerminator", Text, "Tab", "What ends a field: `Comma {,}`, `Tab`, or the characters themselves."),
            p("RowTerminator", Text, "{CR}{LF}", "What ends a row."),
            p("FirstRow", Int, "1", "The first row that is loaded, counted from 1."),
            p("LastRow", Int, "0", "The last row that is loaded; 0: that of the file."),
            p("BatchSize", Int, "0", "Rows that are committed together; 0: all."),
            p("MaximumErrors", Int, "0", "Rows that may fail before the task does."),
            p("CodePage", Text, "RAW", "The code page of the file: RAW, ACP, OEM or a number."),
            p("DataFileType", Int, "0", "Char 0, Native 1, WideChar 2, WideNative 3."),
            p("UseFormatFile", Bool, "False", "Whether FormatFile describes the file."),
            p("FormatFile", Text, "", "The File connection manager of a format file."),
            p("SortedData", Text, "", "How the rows of the file are sorted: columns, with ASC or DESC."),
            p("CheckConstraints", Bool, "True", "Whether constraints are checked."),
            p("KeepIdentity", Bool, "False", "Whether the file's values of an identity column are kept."),
            p("KeepNulls", Bool, "False", "Whether an empty field stays NULL where the column has a default."),
            p("TableLock", Bool, "False", "Whether the table is locked."),
            p("FireTriggers", Bool, "False", "Whether triggers fire."),
        ];
        TABLE
    }

    fn written(&self, spec: &TaskSpec) -> Vec<String> {
        setting(spec, "DestinationConnection", "DestinationConnectionName").map(str::to_owned).into_iter().collect()
    }

    fn bind(&self, spec: &TaskSpec, cx: &mut TaskBindCx<'_>) -> Option<Box<dyn Task>> {
        let before = cx.diagnostics.iter().filter(|d| d.is_error()).count();
        if !spec.data.name.is_empty() && !spec.data.name.eq_ignore_ascii_case("BulkInsertTaskData") {
            let code = codes::DTS_E_BITASK_INITIALIZATION_WITH_WRONG_XML_ELEMENT;
            fail(spec, cx, code, code.message(&[]));
            return None;
        }
        let source = source(spec, cx);
        let destination = destination(spec, cx);
        let table = setting(spec, "DestinationTableName", "DestinationTableName").unwrap_or("").trim().to_owned();
        if table.is_empty() {
            let code = codes::DTS_E_BITASK_DESTINATION_TABLE_NOT_SPECIFIED;
            fail(spec, cx, code, code.message(&[]));
        }
        if flag(spec, "UseFormatFile", "UseFormatFile") {
            cx.unsupported(
                &spec.path,
                spec.span,
                "format files of the Bulk Insert Task are not supported by this build",
            );
        }
        let file_type = setting(spec, "DataFileType", "DataFileType").unwrap_or("0").trim();
        let wide = match file_type.rsplit('_').next().unwrap_or("") {
            "0" | "Char" => false,
            "2" | "WideChar" => true,
            _ => {
                let message = format!("data files of type {file_type} are not supported by this build");
                cx.unsupported(&spec.path, spec.span, message);
                false
            }
        };
        let code_page = self::code_page(setting(spec, "CodePage", "CodePage").unwrap_or("RAW"), wide);
        if code_page.is_none() {
            let message = format!("There is no code page \"{}\".", setting(spec, "CodePage", "CodePage").unwrap_or(""));
            fail(spec, cx, codes::DTS_E_TASKVALIDATIONERROR, message);
        }
        let terminator =
            |property: &str, default: &str| fields::terminator(setting(spec, property, property).unwrap_or(default));
        let field = terminator("FieldTerminator", "Tab");
        let row = terminator("RowTerminator", "{CR}{LF}");
        if field.is_empty() || row.is_empty() {
            let message = "A field or row terminator is empty.";
            fail(spec, cx, codes::DTS_E_TASKVALIDATIONERROR, message.to_owned());
        }
        if cx.diagnostics.iter().filter(|d| d.is_error()).count() > before {
            return None;
        }
        let number = |property: &str, default: u64| {
            setting(spec, property, property).and_then(|t| t.trim().parse().ok()).unwrap_or(default)
        };
        let yes = |property: &str, default: bool| {
            setting(spec, property, property).and_then(dtsx_engine::props::parse_bool).unwrap_or(default)
        };
        let order = setting(spec, "SortedData", "SortedData").map(str::trim).filter(|t| !t.is_empty());
        Some(Box::new(BulkInsert {
            source: source?,
            destination: destination?,
            table: TableName::parse(&table),
            field,
            row,
            code_page: code_page?,
            first_row: number("FirstRow", 1).max(1),
            last_row: Some(number("LastRow", 0)).filter(|last| *last > 0),
            batch_size: Some(number("BatchSize", 0)).filter(|size| *size > 0),
            maximum_errors: number("MaximumErrors", 0),
            options: crate::db::LoadOptions {
                keep_identity: yes("KeepIdentity", false),
                keep_nulls: yes("KeepNulls", false),
                check_constraints: yes("CheckConstraints", true),
                table_lock: yes("TableLock", false),
                fire_triggers: yes("FireTriggers", false),
                order: order.map(str::to_owned),
                rows_per_batch: None,
                row_by_row: false,
                timeout: None,
            },
        }))
    }
}

fn fail(spec: &TaskSpec, cx: &mut TaskBindCx<'_>, code: Code, message: String) {
    cx.error(&spec.path, spec.span, code, message);
}

fn source(spec: &TaskSpec, cx: &mut TaskBindCx<'_>) -> Option<String> {
    let name = setting(spec, "SourceConnection", "SourceConnectionName").unwrap_or("").trim().to_owned();
    if name.is_empty() {
        let code = codes::DTS_E_BITASK_DATA_FILE_NOT_SPECIFIED;
        fail(spec, cx, code, code.message(&[]));
        return None;
    }
    let code = codes::DTS_E_BITASK_INVALIDSOURCECONNECTIONNAME;
    match cx.connection(&name) {
        // A Flat File connection manager will do for the name of the file.
        Ok(found) if ["FILE", "FLATFILE"].iter().any(|k| found.kind.eq_ignore_ascii_case(k)) => {
            let path = found.connection_string();
            if cx.online && !cx.paths.resolve(path).is_file() {
                let code = codes::DTS_E_BITASKUNMANCONNECTION_CANNOT_OPEN_FILE;
                fail(spec, cx, code, format!("{} ({path})", code.message(&[])));
                return None;
            }
            Some(name)
        }
        Ok(found) => {
            fail(spec, cx, code, code.message(&[&found.name]));
            None
        }
        Err(_) => {
            fail(spec, cx, code, code.message(&[&name]));
            None
        }
    }
}

fn destination(spec: &TaskSpec, cx: &mut TaskBindCx<'_>) -> Option<String> {
    let name = setting(spec, "DestinationConnection", "DestinationConnectionName").unwrap_or("").trim().to_owned();
    if cx.connection(&name).is_ok_and(|found| crate::connections::database::is_database(&found.kind)) {
        return Some(name);
    }
    let code = codes::DTS_E_BITASK_INVALIDDESTCONNECTIONNAME;
    fail(spec, cx, code, code.message(&[]));
    None
}

/// The code page of the file. RAW, ACP and OEM are the server's in the original: here those of the United States.
fn code_page(text: &str, wide: bool) -> Option<u32> {
    const ANSI: u32 = 1252;
    const OEM: u32 = 437;
    const UTF16: u32 = 1200;
    if wide {
        return Some(UTF16);
    }
    match text.trim().to_ascii_uppercase().as_str() {
        "RAW" | "ACP" | "" => Some(ANSI),
        "OEM" => Some(OEM),
        number => number.parse().ok().filter(|n| dtsx_engine::types::code_page::supported(*n)),
    }
}

#[cfg(test)]
mod tests;
