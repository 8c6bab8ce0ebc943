//! Audit: columns that say which run a row came through.
//!
//! An output column's LineageItemSelected names the item; every row has the same value. Package name, machine name, user
//! name and task name take the length of their column.

use super::{one_input, one_output, report_column};
use arrow::array::ArrayRef;
use dtsx_engine::batch::Batch;
use dtsx_engine::diag::{Diagnostic, Error, Result, codes};
use dtsx_engine::flow::{Apply, BindCx, Bound, ComponentKind, ComponentSpec, Inline, Layout, OpenCx, Ports};
use dtsx_engine::types::convert::{CastOptions, cast_array};
use dtsx_engine::types::scalar::{array_of, value_at};
use dtsx_engine::types::{DataType, Value};
use std::sync::Arc;

/// What the items are, in the order of LineageItemSelected: the system variable, and a column's type.
const ITEMS: &[(&str, DataType)] = &[
    ("System::ExecutionInstanceGUID", DataType::Guid),
    ("System::PackageID", DataType::Guid),
    ("System::PackageName", DataType::WStr { len: 64 }),
    ("System::VersionGUID", DataType::Guid),
    ("System::StartTime", DataType::Date),
    ("System::MachineName", DataType::WStr { len: 64 }),
    ("System::UserName", DataType::WStr { len: 64 }),
    ("System::TaskName", DataType::WStr { len: 64 }),
    ("System::TaskID", DataType::Guid),
];

/// `Microsoft.Lineage`.
pub struct Audit;

impl ComponentKind for Audit {
    fn kind(&self) -> &'static str {
        "Microsoft.Lineage"
    }

    fn title(&self) -> &'static str {
        "Audit"
    }

    fn bind(&self, spec: &ComponentSpec, cx: &mut BindCx<'_>) -> Option<Bound> {
        let before = cx.diagnostics.len();
        one_input(spec, cx)?;
        let output = one_output(spec, cx)?;
        let columns = (0..spec.outputs[output].columns.len()).filter_map(|c| column(spec, cx, output, c)).collect();
        if cx.diagnostics[before..].iter().any(Diagnostic::is_error) {
            return None;
        }
        let options = CastOptions::data_flow(spec.locale);
        Some(Bound::Inline(Box::new(Audited { output, columns: Arc::new(columns), options })))
    }
}

/// The variable of a column and its type; reports what is wrong with it.
fn column(spec: &ComponentSpec, cx: &mut BindCx<'_>, output: usize, column: usize) -> Option<(&'static str, DataType)> {
    let column = &spec.outputs[output].columns[column];
    let number = column.properties.int("LineageItemSelected").unwrap_or(-1);
    let Some((variable, expected)) = usize::try_from(number).ok().and_then(|n| ITEMS.get(n)) else {
        let code = codes::DTS_E_TXLINEAGEINVALIDLINEAGEITEM;
        report_column(spec, cx, column, code, code.message(&[&number, &0, &(ITEMS.len() - 1)]));
        return None;
    };
    let same = match (expected, &column.data_type) {
        (DataType::WStr { .. }, DataType::WStr { .. }) => true,
        (expected, found) => expected == found,
    };
    if !same {
        let code = codes::DTS_E_TXLINEAGEDATATYPEMISMATCH;
        report_column(spec, cx, column, code, code.message(&[&column.name]));
        return None;
    }
    Some((variable, column.data_type))
}

struct Audited {
    output: usize,
    columns: Arc<Vec<(&'static str, DataType)>>,
    options: CastOptions,
}

impl Inline for Audited {
    fn accepts_selection(&self) -> bool {
        true
    }

    fn open(&self, cx: &OpenCx, _input: &Layout) -> Result<Box<dyn Apply>> {
        let value = |(variable, data_type): &(&str, DataType)| -> Result<(Value, DataType)> {
            let (from, value) = cx.variables.read(variable)?;
            let one = array_of(&value, &from, 1)?;
            // A name that is too long is cut (unconfirmed).
            let (one, faults) = cast_array(&one, &from, data_type, &self.options)?;
            if let Some(fault) = faults.iter().find(|fault| !fault.truncation) {
                return Err(Error::internal(format!("{variable} is no {data_type} ({})", fault.code)));
            }
            Ok((value_at(&one, data_type, 0)?, *data_type))
        };
        let values = self.columns.iter().map(value).collect::<Result<Vec<_>>>()?;
        Ok(Box::new(Lane { output: self.output, values, made: Vec::new() }))
    }
}

struct Lane {
    output: usize,
    values: Vec<(Value, DataType)>,
    /// The longest columns so far; shorter batches take slices.
    made: Vec<ArrayRef>,
}

impl Apply for Lane {
    fn apply(&mut self, mut batch: Batch, out: &mut Ports) -> Result<()> {
        if self.made.first().is_none_or(|column| column.len() < batch.rows) {
            let column = |(value, data_type): &(Value, DataType)| array_of(value, data_type, batch.rows);
            self.made = self.values.iter().map(column).collect::<Result<_>>()?;
        }
        batch.columns.extend(self.made.iter().map(|column| column.slice(0, batch.rows)));
        out.put(self.output, batch);
        Ok(())
    }
}
