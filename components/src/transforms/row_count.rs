//! Row Count: counts the rows that pass, and sets a variable when the last one has.

use super::one_input;
use dtsx_engine::batch::Batch;
use dtsx_engine::diag::{Result, codes};
use dtsx_engine::flow::{Apply, BindCx, Bound, ComponentKind, ComponentSpec, Inline, Layout, OpenCx, Ports};
use dtsx_engine::props::{PropertyDef, PropertyType};
use dtsx_engine::types::Value;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// `Microsoft.RowCount`.
pub struct RowCount;

impl ComponentKind for RowCount {
    fn kind(&self) -> &'static str {
        "Microsoft.RowCount"
    }

    fn title(&self) -> &'static str {
        "Row Count"
    }

    fn properties(&self) -> &'static [PropertyDef] {
        &[PropertyDef {
            name: "VariableName",
            ty: PropertyType::VariableName,
            default: "",
            doc: "The integer variable that receives the number of rows after the last one has passed.",
        }]
    }

    fn bind(&self, spec: &ComponentSpec, cx: &mut BindCx<'_>) -> Option<Bound> {
        one_input(spec, cx)?;
        let text = spec.properties.str("VariableName");
        let variable = cx.variables.name_of_id(text).unwrap_or_else(|| text.to_owned());
        let code = match cx.variables.read(&variable) {
            Err(_) => codes::DTS_E_ROWCOUNTBADVARIABLENAME,
            Ok((data_type, _)) if !data_type.is_integer() => codes::DTS_E_ROWCOUNTBADVARIABLETYPE,
            Ok(_) => {
                let port = spec.outputs.iter().position(|o| !o.is_error);
                let count = Arc::new(AtomicU64::new(0));
                return Some(Bound::Inline(Box::new(Counter { port, variable, count })));
            }
        };
        cx.error(spec, code, code.message(&[&variable]));
        None
    }
}

struct Counter {
    port: Option<usize>,
    variable: String,
    /// Rows of all lanes since the last `finish`.
    count: Arc<AtomicU64>,
}

impl Inline for Counter {
    fn accepts_selection(&self) -> bool {
        true
    }

    fn open(&self, _cx: &OpenCx, _input: &Layout) -> Result<Box<dyn Apply>> {
        Ok(Box::new(Lane { port: self.port, count: self.count.clone() }))
    }

    fn finish(&self, cx: &OpenCx) -> Result<()> {
        let rows = self.count.swap(0, Ordering::Relaxed);
        cx.variables.write(&self.variable, Value::I8(i64::try_from(rows).unwrap_or(i64::MAX)))
    }
}

struct Lane {
    port: Option<usize>,
    count: Arc<AtomicU64>,
}

impl Apply for Lane {
    fn apply(&mut self, batch: Batch, out: &mut Ports) -> Result<()> {
        self.count.fetch_add(batch.selected() as u64, Ordering::Relaxed);
        if let Some(port) = self.port {
            out.put(port, batch);
        }
        Ok(())
    }
}
