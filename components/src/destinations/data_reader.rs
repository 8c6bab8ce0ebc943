//! DataReader Destination: rows go to a client in this process, batch by batch, as it takes them.
//!
//! The client is the [`ReaderSink`] of the destination's name among the run's services. A client that is slow parks the
//! flow (ReadTimeout does not apply: nothing is dropped); when nobody reads, the rows end here.

use crate::shared::inputs;
use dtsx_engine::batch::Batch;
use dtsx_engine::diag::{Error, Result};
use dtsx_engine::flow::{
    BindCx, Block, Bound, ColumnRef, Commit, Committed, ComponentKind, ComponentSpec, Encode, InputColumnSpec,
    InputSpec, Layout, OpenCx, Sink, Slot, Waker,
};
use dtsx_engine::props::{PropertyDef, PropertyType};
use dtsx_engine::run::ReaderSink;
use std::sync::Arc;

/// `Microsoft.DataReaderDestinationAdapter`.
pub struct DataReaderDestination;

impl ComponentKind for DataReaderDestination {
    fn kind(&self) -> &'static str {
        "Microsoft.DataReaderDestinationAdapter"
    }

    fn title(&self) -> &'static str {
        "DataReader Destination"
    }

    fn properties(&self) -> &'static [PropertyDef] {
        &[
            PropertyDef {
                name: "ReadTimeout",
                ty: PropertyType::Int,
                default: "30000",
                doc: "Milliseconds to wait for the client; not applied, as a slow client only slows the flow down.",
            },
            PropertyDef {
                name: "FailOnTimeout",
                ty: PropertyType::Bool,
                default: "false",
                doc: "Whether the component fails when the client is late; not applied.",
            },
            PropertyDef {
                name: "DataReader",
                ty: PropertyType::Text,
                default: "",
                doc: "The reader object of a hosting program; not stored in packages.",
            },
            PropertyDef {
                name: "UserComponentTypeName",
                ty: PropertyType::Text,
                default: "Microsoft.DataReaderDestinationAdapter",
                doc: "The class within the host of managed components.",
            },
        ]
    }

    fn bind(&self, spec: &ComponentSpec, cx: &mut BindCx<'_>) -> Option<Bound> {
        let [input] = inputs(spec, cx)?;
        let layout = &cx.inputs[0];
        let mut slots = Vec::with_capacity(input.columns.len());
        let mut columns = Vec::with_capacity(input.columns.len());
        for column in &input.columns {
            // A lineage that the path does not bring is reported for every component alike.
            let slot = layout.slot(column.lineage)?;
            slots.push(slot);
            columns.push(ColumnRef { used: true, ..layout.column(slot).clone() });
        }
        let columns = distinguished(&columns, input);
        let shape = Shape { slots, layout: Layout { columns } };
        Some(Bound::Sink(Box::new(Reader { shape: Arc::new(shape) })))
    }
}

/// The columns under the names that they were made with; where several of one name are taken, under the names that the
/// input gives them (`Change Types.HireDate`).
fn distinguished(columns: &[ColumnRef], input: &InputSpec) -> Vec<ColumnRef> {
    let named = |(column, taken): (&ColumnRef, &InputColumnSpec)| {
        let alone = columns.iter().filter(|c| c.name == column.name).count() == 1;
        ColumnRef { name: if alone { column.name.clone() } else { taken.name.clone() }, ..column.clone() }
    };
    columns.iter().zip(&input.columns).map(named).collect()
}

/// The columns that the client sees, and where the input has them.
struct Shape {
    slots: Vec<Slot>,
    layout: Layout,
}

struct Reader {
    shape: Arc<Shape>,
}

impl Sink for Reader {
    fn open(&self, cx: &OpenCx, _input: &Layout) -> Result<Box<dyn Commit>> {
        let client = cx.services.readers.get(&*cx.name).cloned();
        if let Some(client) = &client {
            client.begin(&self.shape.layout);
        }
        Ok(Box::new(ToClient { client }))
    }

    fn encoder(&self, _cx: &OpenCx, _input: &Layout) -> Result<Box<dyn Encode>> {
        Ok(Box::new(Project { shape: self.shape.clone() }))
    }
}

struct Project {
    shape: Arc<Shape>,
}

impl Encode for Project {
    fn encode(&mut self, batch: Batch) -> Result<Block> {
        let columns = self.shape.slots.iter().map(|slot| batch.columns[slot.0].clone()).collect();
        Ok(Box::new(Batch { columns, ..batch }))
    }
}

struct ToClient {
    client: Option<Arc<dyn ReaderSink>>,
}

impl Commit for ToClient {
    fn commit(&mut self, block: Block, waker: &Waker) -> Result<Committed> {
        let Some(client) = &self.client else { return Ok(Committed::Taken) };
        let batch = block.downcast::<Batch>().map_err(|_| Error::internal("a block of another component"))?;
        Ok(match client.offer(*batch, waker)? {
            None => Committed::Taken,
            Some(batch) => Committed::Parked(Box::new(batch)),
        })
    }

    fn finish(&mut self) -> Result<()> {
        if let Some(client) = &self.client {
            client.finish();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dtsx_engine::flow::LineageId;
    use dtsx_engine::types::DataType;

    #[test]
    fn only_names_that_occur_twice_are_qualified() {
        let column = |name: &str| ColumnRef {
            lineage: LineageId(1),
            name: name.into(),
            component: Arc::from("C"),
            data_type: DataType::I4,
            sort_key: 0,
            comparison_flags: 0,
            used: true,
        };
        let taken = |name: &str| InputColumnSpec { name: name.into(), ..InputColumnSpec::default() };
        let input =
            InputSpec { columns: vec![taken("A"), taken("S.B"), taken("C.D"), taken("D")], ..InputSpec::default() };
        let named = distinguished(&["A", "B", "D", "D"].map(column), &input);
        assert_eq!(named.iter().map(|c| c.name.as_str()).collect::<Vec<_>>(), ["A", "B", "C.D", "D"]);
    }
}
