//! Flat File Destination: rows become lines of a text file.
//!
//! ```text
//! Flat File Destination  (connection: a FLATFILE manager)
//!   Overwrite True     Header "…"     EscapeQualifier False
//! ```
//!
//! Values are printed as SSIS prints them (`.20` for a DT_NUMERIC, `1431.5` for a DT_CY); NULL is an empty field without
//! qualifiers. Lanes format batches (`encode`, with the hot writers of `cells`); blocks are written in order.

mod cells;
mod commit;
mod encode;
#[cfg(test)]
mod tests;

use crate::connections::flat_file::{ColumnEnd, Encoding, FlatFileFormat, bind_format};
use crate::shared::report_column;
use commit::{FlatFileCommit, Target};
use dtsx_engine::diag::{Diagnostic, Result, codes};
use dtsx_engine::flow::{BindCx, Bound, Commit, ComponentKind, ComponentSpec, Encode, Layout, OpenCx, Sink};
use dtsx_engine::props::{PropertyDef, PropertyType};
use dtsx_engine::types::code_page::CodePage;
use dtsx_engine::types::locale::Locale;
use encode::{FlatFileEncode, Mark, OutColumn, Plan, units};
use std::sync::{Arc, Mutex};

/// The kind of the Flat File Destination.
#[derive(Debug)]
pub struct FlatFileDestinationComponent;

const PROPERTIES: &[PropertyDef] = &[
    PropertyDef {
        name: "Overwrite",
        ty: PropertyType::Bool,
        default: "True",
        doc: "Whether an existing file is replaced; else rows are appended to it.",
    },
    PropertyDef {
        name: "Header",
        ty: PropertyType::Text,
        default: "",
        doc: "Text in front of everything else; it gets a line of its own.",
    },
    PropertyDef {
        name: "EscapeQualifier",
        ty: PropertyType::Bool,
        default: "False",
        doc: "Whether a text qualifier within a qualified value is doubled.",
    },
];

impl ComponentKind for FlatFileDestinationComponent {
    fn kind(&self) -> &'static str {
        "Microsoft.FlatFileDestination"
    }

    fn title(&self) -> &'static str {
        "Flat File Destination"
    }

    fn properties(&self) -> &'static [PropertyDef] {
        PROPERTIES
    }

    fn bind(&self, spec: &ComponentSpec, cx: &mut BindCx<'_>) -> Option<Bound> {
        Some(Bound::Sink(Box::new(bind(spec, cx)?)))
    }
}

fn bind(spec: &ComponentSpec, cx: &mut BindCx<'_>) -> Option<FlatFileDestination> {
    let format = bind_format(spec, cx)?;
    let Some(input) = spec.inputs.first() else {
        let code = codes::DTS_E_INCORRECTEXACTNUMBEROFINPUTS;
        cx.error(spec, code, code.message(&[&1]));
        return None;
    };
    let found = format.columns.iter().map(|c| (c.name.as_str(), c.data_type));
    crate::shared::external::compare(spec, cx, &input.external, found);
    let page = match format.encoding {
        Encoding::Utf16 | Encoding::CodePage(65001) => None,
        Encoding::CodePage(number) => match CodePage::require(number) {
            Ok(page) => Some(page),
            Err(error) => {
                cx.unsupported(spec, error.message());
                return None;
            }
        },
    };
    let before = cx.diagnostics.len();
    if format.path.is_empty() {
        let code = codes::DTS_E_DESTINATIONFLATFILEREQUIRED;
        cx.error(spec, code, code.message(&[]));
    }
    let mut columns = out_columns(&format, page);
    let layout = cx.inputs.first().cloned().unwrap_or_default();
    for column in &input.columns {
        let external = column.external.and_then(|i| input.external.get(i));
        let name = external.map_or(&column.name, |e| &e.name);
        let by_name = format.columns.iter().position(|c| c.name == *name);
        let Some(index) = by_name.or(column.external.filter(|i| *i < columns.len())) else {
            let code = codes::DTS_E_MISMATCHCONNECTIONMANAGERCOLUMN;
            let place = column.external.map_or(-1, |i| i as i64);
            report_column(spec, cx, column, code, code.message(&[name, &place, &place]));
            continue;
        };
        // A column that no path brings is reported by the engine.
        if let Some(slot) = layout.slot(column.lineage) {
            columns[index].source = Some((slot.0, layout.column(slot).data_type));
        }
    }
    if cx.diagnostics[before..].iter().any(Diagnostic::is_error) {
        return None;
    }
    let property = |name: &str, default: bool| spec.properties.bool(name).unwrap_or(default);
    let plan = Plan {
        columns,
        qualifier: encoded(&format.qualifier, page),
        escape: property("EscapeQualifier", false),
        encoding: format.encoding,
        page,
        locale: Locale::of(format.locale),
        spare: Mutex::default(),
    };
    let target = Target {
        prologue: prologue(&format, &plan, spec.properties.str("Header")),
        name: format.path,
        overwrite: property("Overwrite", true),
        encoding: format.encoding,
    };
    Some(FlatFileDestination { plan: Arc::new(plan), target: Arc::new(target) })
}

/// Text in the form in which rows are built: the code page, or UTF-8.
fn encoded(text: &str, page: Option<CodePage>) -> Vec<u8> {
    match page {
        None => text.as_bytes().to_vec(),
        Some(page) => {
            let mut out = Vec::new();
            page.encode(text, &mut out);
            out
        }
    }
}

fn out_columns(format: &FlatFileFormat, page: Option<CodePage>) -> Vec<OutColumn> {
    let column = |column: &crate::connections::flat_file::FlatFileColumn| {
        let (delimiter, width) = match &column.end {
            ColumnEnd::Delimiter(text) => (encoded(text, page), None),
            ColumnEnd::Width(width) => (Vec::new(), Some(*width as usize)),
        };
        let qualified = column.text_qualified && width.is_none() && !format.qualifier.is_empty();
        let qualifier = if qualified { encoded(&format.qualifier, page) } else { Vec::new() };
        OutColumn {
            name: column.name.clone(),
            source: None,
            file_type: column.data_type,
            width,
            close: Mark::new(&[&qualifier[..], &delimiter].concat()),
            open: Mark::new(&qualifier),
            end: Mark::new(&delimiter),
            qualified,
        }
    };
    format.columns.iter().map(column).collect()
}

/// What stands in front of the rows: the Header property on a line of its own, then the names of the columns.
///
/// That names are qualified as values are, and that Header gets a line end, is unconfirmed.
fn prologue(format: &FlatFileFormat, plan: &Plan, header: &str) -> Vec<u8> {
    let mut out = encoded(header, plan.page);
    if !header.is_empty() && !header.ends_with(&format.header_row_delimiter) {
        out.extend(encoded(&format.header_row_delimiter, plan.page));
    }
    if format.names_in_first_row {
        for (column, planned) in format.columns.iter().zip(&plan.columns) {
            let name = encoded(&column.name, plan.page);
            let qualifier = if planned.qualified { &plan.qualifier[..] } else { &[] };
            out.extend_from_slice(qualifier);
            out.extend_from_slice(&name);
            out.extend_from_slice(qualifier);
            match &column.end {
                ColumnEnd::Delimiter(text) => out.extend(encoded(text, plan.page)),
                ColumnEnd::Width(width) => {
                    let missing = (*width as usize).saturating_sub(units(plan, &name));
                    out.extend(std::iter::repeat_n(b' ', missing));
                }
            }
        }
    }
    out
}

/// The Flat File Destination, bound.
struct FlatFileDestination {
    plan: Arc<Plan>,
    target: Arc<Target>,
}

impl Sink for FlatFileDestination {
    fn accepts_selection(&self) -> bool {
        true
    }

    fn open(&self, cx: &OpenCx, _input: &Layout) -> Result<Box<dyn Commit>> {
        Ok(Box::new(FlatFileCommit::open(self.plan.clone(), &self.target, &cx.services.paths)?))
    }

    fn encoder(&self, _cx: &OpenCx, _input: &Layout) -> Result<Box<dyn Encode>> {
        Ok(Box::new(FlatFileEncode::new(self.plan.clone())))
    }
}
