//! Copy Column: new columns that are others.
//!
//! An output column names its source in copyColumnId, and is of the same type. The array is shared, not copied.

use super::{one_input, one_output, report_column};
use dtsx_engine::batch::Batch;
use dtsx_engine::diag::{Result, codes};
use dtsx_engine::flow::{Apply, BindCx, Bound, ComponentKind, ComponentSpec, Inline, Layout, OpenCx, Ports, Slot};

/// `Microsoft.CopyMap`.
pub struct CopyColumn;

impl ComponentKind for CopyColumn {
    fn kind(&self) -> &'static str {
        "Microsoft.CopyMap"
    }

    fn title(&self) -> &'static str {
        "Copy Column"
    }

    fn bind(&self, spec: &ComponentSpec, cx: &mut BindCx<'_>) -> Option<Bound> {
        one_input(spec, cx)?;
        let output = one_output(spec, cx)?;
        let columns = (0..spec.outputs[output].columns.len()).map(|column| source(spec, cx, output, column));
        let sources = columns.collect::<Vec<_>>().into_iter().collect::<Option<Vec<_>>>()?;
        Some(Bound::Inline(Box::new(Copy { output, sources })))
    }
}

/// Where the input has what an output column copies.
fn source(spec: &ComponentSpec, cx: &mut BindCx<'_>, output: usize, column: usize) -> Option<Slot> {
    let column = &spec.outputs[output].columns[column];
    let lineage = cx.lineage(column.properties.str("copyColumnId"));
    let lineage = lineage.filter(|l| spec.inputs[0].columns.iter().any(|c| c.lineage == *l));
    let found = lineage.and_then(|lineage| Some((lineage, cx.inputs[0].slot(lineage)?)));
    let (code, message) = match found {
        None => {
            let code = codes::DTS_E_TXCOPYMAP_INCORRECT_OUTPUT_COLUMN_MAPPING;
            (code, code.message(&[&column.lineage.0]))
        }
        Some((lineage, slot)) => {
            let from = cx.inputs[0].column(slot).data_type;
            if from == column.data_type {
                return Some(slot);
            }
            let code = codes::DTS_E_TXCOPYMAP_MISMATCHED_COLUMN_METADATA;
            let message = code.message(&[&lineage.0, &column.lineage.0]);
            (code, format!("{message} ({from} and {})", column.data_type))
        }
    };
    report_column(spec, cx, column, code, message);
    None
}

#[derive(Clone)]
struct Copy {
    output: usize,
    sources: Vec<Slot>,
}

impl Inline for Copy {
    fn accepts_selection(&self) -> bool {
        true
    }

    fn open(&self, _cx: &OpenCx, _input: &Layout) -> Result<Box<dyn Apply>> {
        Ok(Box::new(self.clone()))
    }
}

impl Apply for Copy {
    fn apply(&mut self, mut batch: Batch, out: &mut Ports) -> Result<()> {
        for source in &self.sources {
            let copy = batch.columns[source.0].clone();
            batch.columns.push(copy);
        }
        out.put(self.output, batch);
        Ok(())
    }
}
