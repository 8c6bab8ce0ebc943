//! Flat File Source: rows of a text file, typed.
//!
//! ```text
//! Flat File Source  (connection: a FLATFILE or MULTIFLATFILE manager)
//!   Outputs[0]  id i4, name str(50) …      errors: fail, ignore or redirect, column by column
//!   Outputs[1]  the raw row, ErrorCode, ErrorColumn
//! ```
//!
//! A block of bytes passes three places: `fetch` reads it and tells its fields apart (`scan`, by 64 bytes; or
//! `split`, exactly, for what the scanner does not know), `decode` makes columns of it on any lane (`columns`,
//! `strings`), with the plain spellings of numbers first (`cells`).

mod cells;
mod columns;
mod decode;
mod fetch;
mod scan;
mod split;
mod strings;
#[cfg(test)]
mod tests;

use crate::connections::flat_file::FlatFileFormat;
use crate::shared::files;
use crate::shared::report_column;
use columns::Column;
use decode::{FlatFileDecode, Plan, Slot};
use dtsx_engine::diag::{Diagnostic, Owner, Result, codes};
use dtsx_engine::flow::faults::{ErrorOutput, FaultSite};
use dtsx_engine::flow::{
    BindCx, Bound, ComponentKind, ComponentSpec, Decode, Fetch, Layout, OpenCx, OutputColumnSpec, OutputSpec, Source,
};
use dtsx_engine::props::{PropertyDef, PropertyType};
use dtsx_engine::types::DataType;
use dtsx_engine::types::locale::Locale;
use fetch::{FlatFileFetch, Rules};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

/// Bytes read at a time. Smaller blocks stay in the second-level cache and cost more system calls; between 256 KB and 1 MB
/// it comes to the same, and batches of some thousand rows suit what follows.
const BLOCK: usize = 512 * 1024;

/// The kind of the Flat File Source.
#[derive(Debug)]
pub struct FlatFileSourceComponent;

const PROPERTIES: &[PropertyDef] = &[
    PropertyDef {
        name: "RetainNulls",
        ty: PropertyType::Bool,
        default: "False",
        doc: "Whether a field without text is NULL; else it is the empty text, 0, or the first day of its type.",
    },
    PropertyDef {
        name: "FileNameColumnName",
        ty: PropertyType::Text,
        default: "",
        doc: "The name of an output column that takes the path of the file; empty for none.",
    },
];

impl ComponentKind for FlatFileSourceComponent {
    fn kind(&self) -> &'static str {
        "Microsoft.FlatFileSource"
    }

    fn title(&self) -> &'static str {
        "Flat File Source"
    }

    fn properties(&self) -> &'static [PropertyDef] {
        PROPERTIES
    }

    fn bind(&self, spec: &ComponentSpec, cx: &mut BindCx<'_>) -> Option<Bound> {
        Some(Bound::Source(Box::new(bind(spec, cx, BLOCK)?)))
    }
}

/// Binds the source; `block` is the number of bytes read at a time.
pub(crate) fn bind(spec: &ComponentSpec, cx: &mut BindCx<'_>, block: usize) -> Option<FlatFileSource> {
    let format = crate::connections::flat_file::bind_format(spec, cx)?;
    let Some(port) = spec.outputs.iter().position(|o| !o.is_error) else {
        let code = codes::DTS_E_INCORRECTMINIMUMNUMBEROFOUTPUTS;
        cx.error(spec, code, code.message(&[&1]));
        return None;
    };
    let before = cx.diagnostics.len();
    let output = &spec.outputs[port];
    let found = format.columns.iter().map(|c| (c.name.as_str(), c.data_type));
    crate::shared::external::compare(spec, cx, &output.external, found);
    let mut slots = Vec::with_capacity(output.columns.len());
    let file_name = spec.properties.str("FileNameColumnName");
    for (index, column) in output.columns.iter().enumerate() {
        if !file_name.is_empty() && column.name == file_name && column.external.is_none() {
            slots.push(Slot::FileName);
        } else if let Some(bound) = bind_column(spec, output, column, &format, cx) {
            slots.push(Slot::Column(Box::new(bound), FaultSite::output_column(spec, port, index)));
        }
    }
    let sites = slots.iter().filter_map(|s| match s {
        Slot::Column(_, site) => Some(site),
        Slot::FileName => None,
    });
    let errors = ErrorOutput::bind(spec, cx, sites);
    let rules = match Rules::new(format, block) {
        Ok(rules) => rules,
        Err(error) if error.owner() == Owner::Unsupported => {
            cx.unsupported(spec, error.message());
            return None;
        }
        Err(error) => {
            let code = error.code().unwrap_or(codes::DTS_E_FAILEDTOINITIALIZEFLATFILEPARSER);
            cx.error(spec, code, error.message());
            return None;
        }
    };
    if cx.diagnostics[before..].iter().any(Diagnostic::is_error) {
        return None;
    }
    Some(FlatFileSource { plan: Arc::new(Plan { rules: Arc::new(rules), slots, port, errors }) })
}

/// The file's column behind an output column: by the name of its external column, else by its place.
fn bind_column(
    spec: &ComponentSpec,
    output: &OutputSpec,
    column: &OutputColumnSpec,
    format: &FlatFileFormat,
    cx: &mut BindCx<'_>,
) -> Option<Column> {
    let external = column.external.and_then(|i| output.external.get(i));
    let name = external.map_or(&column.name, |e| &e.name);
    let by_name = format.columns.iter().position(|c| c.name == *name);
    let Some(index) = by_name.or(column.external.filter(|i| *i < format.columns.len())) else {
        let code = codes::DTS_E_MISMATCHCONNECTIONMANAGERCOLUMN;
        let place = column.external.map_or(-1, |i| i as i64);
        let text = code.message(&[name, &place, &place]);
        report_column(spec, cx, column, code, text);
        return None;
    };
    let fast_parse = column.properties.bool("FastParse").unwrap_or(false);
    if fast_parse && !allows_fast_parse(&column.data_type) {
        let code = codes::DTS_E_FASTPARSENOTALLOWED;
        report_column(spec, cx, column, code, code.message(&[&column.name]));
        return None;
    }
    Some(Column {
        index,
        data_type: column.data_type,
        qualified: format.columns[index].text_qualified,
        // Only delimited columns can be empty.
        retain_nulls: spec.properties.bool("RetainNulls").unwrap_or(false),
        fast_parse,
        binary: column.properties.bool("UseBinaryFormat").unwrap_or(false),
        locale: Locale::of(format.locale),
        size_hint: AtomicUsize::new(8 * 16),
    })
}

fn allows_fast_parse(data_type: &DataType) -> bool {
    data_type.is_integer() || data_type.is_date_time()
}

/// The Flat File Source, bound.
pub(crate) struct FlatFileSource {
    plan: Arc<Plan>,
}

impl Source for FlatFileSource {
    fn open(&self, cx: &OpenCx) -> Result<Box<dyn Fetch>> {
        let format = &self.plan.rules.format;
        let inputs = files::inputs(&format.path, format.multi, &cx.services.paths)?;
        Ok(Box::new(FlatFileFetch::open(self.plan.rules.clone(), inputs, cx)?))
    }

    fn decoder(&self, cx: &OpenCx, outputs: &[Layout]) -> Result<Box<dyn Decode>> {
        let used = match outputs.get(self.plan.port) {
            Some(layout) => layout.columns.iter().map(|c| c.used).collect(),
            None => vec![true; self.plan.slots.len()],
        };
        Ok(Box::new(FlatFileDecode::new(self.plan.clone(), used, cx)))
    }
}
