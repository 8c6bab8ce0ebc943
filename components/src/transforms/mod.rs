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

pub(crate) use crate::shared::{fits, one_output, report_column, shown};

use crate::shared::inputs;
use dtsx_engine::batch::Batch;
use dtsx_engine::diag::Result;
use dtsx_engine::flow::{BindCx, ComponentSpec};

/// Reports DTS_E_INCORRECTEXACTNUMBEROFINPUTS unless there is exactly one input.
pub(crate) fn one_input(spec: &ComponentSpec, cx: &mut BindCx<'_>) -> Option<()> {
    inputs::<1>(spec, cx).map(drop)
}

/// A batch worth computing on: one of which few rows are selected is gathered first.
pub(crate) fn dense(batch: Batch) -> Result<Batch> {
    if batch.selected() < batch.rows / 2 { batch.compact() } else { Ok(batch) }
}
