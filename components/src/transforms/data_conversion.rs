//! Data Conversion: new columns that are others in another type.
//!
//! An output column names its source in SourceInputColumnLineageID and may ask for the fast, locale-free reading of text
//! (FastParse). A value that cannot be converted, or would be cut, meets the column's dispositions.

use super::compute::{self, Compute};
use super::{one_input, one_output, report_column, shown};
use dtsx_engine::batch::Batch;
use dtsx_engine::diag::{Result, codes};
use dtsx_engine::flow::faults::{ErrorOutput, FaultSite};
use dtsx_engine::flow::{BindCx, Bound, ComponentKind, ComponentSpec, Ports, Slot};
use dtsx_engine::types::DataType;
use dtsx_engine::types::convert::{CastOptions, can_cast, cast_array};

/// `Microsoft.DataConvert`.
pub struct DataConversion;

impl ComponentKind for DataConversion {
    fn kind(&self) -> &'static str {
        "Microsoft.DataConvert"
    }

    fn title(&self) -> &'static str {
        "Data Conversion"
    }

    fn bind(&self, spec: &ComponentSpec, cx: &mut BindCx<'_>) -> Option<Bound> {
        one_input(spec, cx)?;
        let output = one_output(spec, cx)?;
        let columns = (0..spec.outputs[output].columns.len()).map(|column| conversion(spec, cx, output, column));
        let columns: Vec<Option<Conversion>> = columns.collect();
        let errors = ErrorOutput::bind(spec, cx, columns.iter().flatten().map(|c| &c.site));
        let columns = columns.into_iter().collect::<Option<Vec<_>>>()?;
        let plan = Plan { name: spec.name.clone(), output, columns, errors };
        Some(compute::bound(plan))
    }
}

/// One output column.
struct Conversion {
    source: Slot,
    from: DataType,
    to: DataType,
    options: CastOptions,
    site: FaultSite,
}

fn conversion(spec: &ComponentSpec, cx: &mut BindCx<'_>, output: usize, column: usize) -> Option<Conversion> {
    let column_spec = &spec.outputs[output].columns[column];
    let reference = column_spec.properties.str("SourceInputColumnLineageID");
    let lineage = cx.lineage(reference).filter(|l| spec.inputs[0].columns.iter().any(|c| c.lineage == *l));
    let Some(source) = lineage.and_then(|lineage| cx.inputs[0].slot(lineage)) else {
        let code = codes::DTS_E_INPUTCOLUMNNOTFOUND;
        let message = code.message(&[&reference, &"SourceInputColumnLineageID", &column_spec.name]);
        report_column(spec, cx, column_spec, code, message);
        return None;
    };
    let (from, to) = (cx.inputs[0].column(source).data_type, column_spec.data_type);
    if !can_cast(&from, &to) {
        let code = codes::DTS_E_CANNOTCONVERTTYPES;
        report_column(spec, cx, column_spec, code, code.message(&[&from, &to]));
        return None;
    }
    let fast_parse = column_spec.properties.bool("FastParse").unwrap_or(false);
    let options = CastOptions { fast_parse, ..CastOptions::data_flow(spec.locale) };
    Some(Conversion { source, from, to, options, site: FaultSite::output_column(spec, output, column) })
}

struct Plan {
    name: String,
    output: usize,
    columns: Vec<Conversion>,
    errors: ErrorOutput,
}

impl Compute for Plan {
    fn errors(&self) -> &ErrorOutput {
        &self.errors
    }

    fn apply(&self, batch: Batch, out: &mut Ports) -> Result<()> {
        compute::columns(batch, (&self.name, self.output, &self.errors), out, |batch, rows, columns| {
            for column in &self.columns {
                let source = &batch.columns[column.source.0];
                if column.from == column.to {
                    columns.push(source.clone());
                    continue;
                }
                let (array, faults) = cast_array(source, &column.from, &column.to, &column.options)?;
                rows.column(&column.site, &faults, &|row| shown(source, row));
                columns.push(array);
            }
            Ok(())
        })
    }
}
