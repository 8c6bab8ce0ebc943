//! Components with inputs and outputs.

pub mod aggregate;
pub mod audit;
pub mod balanced_data_distributor;
pub mod cache_transform;
pub mod cdc_splitter;
pub mod character_map;
mod compute;
pub mod conditional_split;
pub mod copy_column;
pub mod data_conversion;
pub mod derived_column;
pub mod export_column;
mod expression;
mod file_column;
pub mod fuzzy_grouping;
pub mod fuzzy_lookup;
pub mod import_column;
pub mod lookup;
pub mod merge;
pub mod merge_join;
pub mod multicast;
pub mod oledb_command;
pub mod pivot;
pub mod row_count;
pub mod sampling;
pub mod slowly_changing_dimension;
pub mod sort;
pub mod terms;
pub mod union_all;
pub mod unpivot;

pub(crate) use crate::shared::{fits, shown};

use dtsx_engine::batch::Batch;
use dtsx_engine::diag::{Code, Diagnostic, Result, codes};
use dtsx_engine::flow::{BindCx, ComponentSpec, InputColumnSpec, OutputColumnSpec};

/// Reports DTS_E_INCORRECTEXACTNUMBEROFINPUTS unless there is exactly one input.
pub(crate) fn one_input(spec: &ComponentSpec, cx: &mut BindCx<'_>) -> Option<()> {
    if spec.inputs.len() == 1 {
        return Some(());
    }
    let code = codes::DTS_E_INCORRECTEXACTNUMBEROFINPUTS;
    cx.error(spec, code, code.message(&[&1]));
    None
}

/// The one output that is no error output; reports DTS_E_INCORRECTEXACTNUMBEROFOUTPUTS if there is another number of them.
pub(crate) fn one_output(spec: &ComponentSpec, cx: &mut BindCx<'_>) -> Option<usize> {
    let mut regular = spec.outputs.iter().enumerate().filter(|(_, o)| !o.is_error).map(|(i, _)| i);
    if let (Some(output), None) = (regular.next(), regular.next()) {
        return Some(output);
    }
    let code = codes::DTS_E_INCORRECTEXACTNUMBEROFOUTPUTS;
    cx.error(spec, code, code.message(&[&1]));
    None
}

/// Reports an error of an input column.
pub(crate) fn report_input_column(
    spec: &ComponentSpec,
    cx: &mut BindCx<'_>,
    column: &InputColumnSpec,
    code: Code,
    message: String,
) {
    let diagnostic = Diagnostic::error(code, &spec.path, message);
    cx.diagnostics.push(diagnostic.with_column(&column.name).with_span(column.span.or(spec.span)));
}

/// Reports an error of an output column.
pub(crate) fn report_output_column(
    spec: &ComponentSpec,
    cx: &mut BindCx<'_>,
    column: &OutputColumnSpec,
    code: Code,
    message: String,
) {
    let diagnostic = Diagnostic::error(code, &spec.path, message);
    cx.diagnostics.push(diagnostic.with_column(&column.name).with_span(column.span.or(spec.span)));
}

/// A batch worth computing on: one of which few rows are selected is gathered first.
pub(crate) fn dense(batch: Batch) -> Result<Batch> {
    if batch.selected() < batch.rows / 2 { batch.compact() } else { Ok(batch) }
}
