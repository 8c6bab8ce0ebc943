//! Recordset Destination: the rows become a rowset in an Object variable, for a Foreach ADO loop or a script.
//!
//! ```text
//! Recordset Destination   VariableName = User::Orders
//!   Inputs[0]  the columns of the rowset, in order, under their names
//! ```
//!
//! The variable is set after the last row; when the flow fails it keeps what it held. Rows are reserved from the run's
//! budget while the flow runs; what does not fit fails the flow, as a rowset in a variable cannot be put aside on disk.

use crate::shared::inputs;
use dtsx_engine::batch::Batch;
use dtsx_engine::control::{Rowset, RowsetTable};
use dtsx_engine::diag::{Error, Owner, Result, codes};
use dtsx_engine::flow::{
    BindCx, Block, Bound, Commit, Committed, ComponentKind, ComponentSpec, Encode, Layout, OpenCx, Sink, Slot, Waker,
};
use dtsx_engine::memory::Reservation;
use dtsx_engine::props::{PropertyDef, PropertyType};
use dtsx_engine::types::{DataType, Value, scalar};
use dtsx_engine::variables::VariableType;
use std::sync::Arc;

/// `Microsoft.RecordsetDestination`.
pub struct RecordsetDestination;

impl ComponentKind for RecordsetDestination {
    fn kind(&self) -> &'static str {
        "Microsoft.RecordsetDestination"
    }

    fn title(&self) -> &'static str {
        "Recordset Destination"
    }

    fn properties(&self) -> &'static [PropertyDef] {
        &[PropertyDef {
            name: "VariableName",
            ty: PropertyType::VariableName,
            default: "",
            doc: "The Object variable that receives the rowset after the last row.",
        }]
    }

    fn bind(&self, spec: &ComponentSpec, cx: &mut BindCx<'_>) -> Option<Bound> {
        let [input] = inputs(spec, cx)?;
        let text = spec.properties.str("VariableName").trim();
        let variable = cx.variables.name_of_id(text).unwrap_or_else(|| text.to_owned());
        let problem = match cx.variables.read(&variable) {
            Err(_) => Some(codes::DTS_E_RSTDESTBADVARIABLENAME),
            Ok((data_type, _)) => match cx.variables.type_of(&variable) {
                Some(VariableType::Object) => None,
                None if data_type == DataType::Null => None,
                _ => Some(codes::DTS_E_RSTDESTBADVARIABLETYPE),
            },
        };
        if let Some(code) = problem {
            let mut message = code.message(&[&variable]);
            if code == codes::DTS_E_RSTDESTBADVARIABLENAME {
                message = format!("{message} \"{variable}\"");
            }
            cx.error(spec, code, message);
            return None;
        }
        let layout = &cx.inputs[0];
        let mut columns = Vec::with_capacity(input.columns.len());
        for column in &input.columns {
            // A lineage that the path does not bring is reported for every component alike.
            let slot = layout.slot(column.lineage)?;
            let name = if column.name.is_empty() { &layout.column(slot).name } else { &column.name };
            columns.push((name.clone(), slot, layout.column(slot).data_type));
        }
        Some(Bound::Sink(Box::new(Recordset { plan: Arc::new(Plan { variable, columns }) })))
    }
}

struct Plan {
    variable: String,
    columns: Vec<(String, Slot, DataType)>,
}

struct Recordset {
    plan: Arc<Plan>,
}

impl Sink for Recordset {
    fn open(&self, cx: &OpenCx, _input: &Layout) -> Result<Box<dyn Commit>> {
        let held = cx.services.memory.reservation();
        Ok(Box::new(Collect { plan: self.plan.clone(), cx: cx.clone(), rows: Vec::new(), held }))
    }

    fn encoder(&self, _cx: &OpenCx, _input: &Layout) -> Result<Box<dyn Encode>> {
        Ok(Box::new(Values { plan: self.plan.clone() }))
    }
}

/// The lane half: arrays become values.
struct Values {
    plan: Arc<Plan>,
}

/// Some rows, and about how many bytes they take.
struct Rows {
    rows: Vec<Vec<Value>>,
    bytes: usize,
}

impl Encode for Values {
    fn encode(&mut self, batch: Batch) -> Result<Block> {
        let columns = &self.plan.columns;
        let mut rows: Vec<Vec<Value>> = (0..batch.rows).map(|_| Vec::with_capacity(columns.len())).collect();
        let row_bytes = size_of::<Vec<Value>>() + columns.len() * size_of::<Value>();
        let mut bytes = batch.rows * row_bytes;
        for (_, slot, data_type) in columns {
            let array = &batch.columns[slot.0];
            for (index, row) in rows.iter_mut().enumerate() {
                let value = scalar::value_at(array, data_type, index)?;
                bytes += heap_bytes(&value);
                row.push(value);
            }
        }
        Ok(Box::new(Rows { rows, bytes }))
    }
}

/// Bytes that a value holds beside itself.
fn heap_bytes(value: &Value) -> usize {
    // Two reference counts stand in front of what an Arc holds.
    const COUNTS: usize = 2 * size_of::<usize>();
    match value {
        Value::Text(text) => COUNTS + text.len(),
        Value::Bytes(bytes) => COUNTS + bytes.len(),
        _ => 0,
    }
}

/// The serial half: keeps the rows in order.
struct Collect {
    plan: Arc<Plan>,
    cx: OpenCx,
    rows: Vec<Vec<Value>>,
    held: Reservation,
}

impl Commit for Collect {
    fn commit(&mut self, block: Block, _waker: &Waker) -> Result<Committed> {
        let Ok(block) = block.downcast::<Rows>() else {
            return Err(Error::internal("a block of another destination"));
        };
        if !self.held.try_grow(block.bytes) {
            let code = codes::DTS_E_RSTDESTRSTWRITEPROBLEM;
            let text = format!(
                "{} {} rows take {} bytes, and {} more do not fit into the memory limit.",
                code.message(&[]),
                self.rows.len(),
                self.held.bytes(),
                block.bytes
            );
            return Err(Error::new(Owner::Environment, code, text));
        }
        self.rows.extend(block.rows);
        Ok(Committed::Taken)
    }

    fn finish(&mut self) -> Result<()> {
        let columns = self.plan.columns.iter().map(|(name, ..)| name.clone()).collect();
        let table = RowsetTable { columns, rows: std::mem::take(&mut self.rows) };
        let rowset = Value::Object(Arc::new(Rowset { tables: vec![table] }));
        self.cx.variables.write(&self.plan.variable, rowset).map_err(|cause| {
            let code = codes::DTS_E_RSTDESTBADVARIABLE;
            Error::new(Owner::Package, code, format!("{} {}", code.message(&[]), cause.message()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shared::testing::{Recorder, open_cx};
    use arrow::array::{ArrayRef, StringViewArray};
    use dtsx_engine::memory::Budget;

    #[test]
    fn rows_are_reserved_and_what_does_not_fit_fails() {
        let data_type = DataType::WStr { len: 4000 };
        let columns = vec![("text".to_owned(), Slot(0), data_type)];
        let sink = Recordset { plan: Arc::new(Plan { variable: "User::Rows".into(), columns }) };
        let mut cx = open_cx(&Arc::new(Recorder::default()));
        cx.services.memory = Arc::new(Budget::new(Some(10_000)));
        let mut commit = sink.open(&cx, &Layout::default()).unwrap();
        let mut encode = sink.encoder(&cx, &Layout::default()).unwrap();
        let text = "x".repeat(1000);
        let column: ArrayRef = Arc::new(StringViewArray::from(vec![Some(text.as_str()), None, Some("")]));
        let mut commit_one = || {
            let block = encode.encode(Batch::new(0, 3, vec![column.clone()])).unwrap();
            commit.commit(block, &Waker::new(|| {})).map(|_| ())
        };
        assert!((0..5).all(|_| commit_one().is_ok()));
        assert!(cx.services.memory.used() > 5 * 1000);
        let error = (0..10).find_map(|_| commit_one().err()).unwrap();
        assert_eq!(error.code(), Some(codes::DTS_E_RSTDESTRSTWRITEPROBLEM));
        drop(commit);
        assert_eq!(cx.services.memory.used(), 0);
    }
}
