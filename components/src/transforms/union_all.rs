//! Union All: the rows of all inputs leave through one output, in no promised order.
//!
//! Batches pass by reference: an input's columns take the places of the output's, and a column that an input does not
//! feed is NULL. Between inputs and output stands a short queue; a full one parks the inputs, an empty one the output.

use super::{fits, one_output};
use arrow::array::{ArrayRef, NullArray, new_null_array};
use dtsx_engine::batch::{Batch, RowOrigin};
use dtsx_engine::diag::{Diagnostic, Error, Result, codes};
use dtsx_engine::flow::{
    BindCx, Block, Bound, Commit, Committed, ComponentKind, ComponentSpec, Decode, Encode, Fetch, InputColumnSpec,
    Layout, Morsel, OpenCx, Ports, RowRule, Sink, Slot, Source, Stage, Step, Waker,
};
use dtsx_engine::types::DataType;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Batches that may stand between the inputs and the output: enough to keep both sides busy, little memory.
const QUEUE: usize = 8;

/// A batch with fewer rows than one in so many selected is gathered.
const SPARSE: usize = 4;

/// `Microsoft.UnionAll`.
pub struct UnionAll;

impl ComponentKind for UnionAll {
    fn kind(&self) -> &'static str {
        "Microsoft.UnionAll"
    }

    fn title(&self) -> &'static str {
        "Union All"
    }

    fn bind(&self, spec: &ComponentSpec, cx: &mut BindCx<'_>) -> Option<Bound> {
        let before = cx.diagnostics.len();
        let output = one_output(spec, cx)?;
        let inputs: Vec<Mapping> = (0..spec.inputs.len()).map(|i| mapping(spec, cx, i, output)).collect();
        if cx.diagnostics[before..].iter().any(Diagnostic::is_error) {
            return None;
        }
        Some(Bound::Stage(Box::new(Union { output, inputs })))
    }
}

/// For each column of the output, where an input has it; None: the input leaves it NULL.
type Mapping = Vec<(Option<Slot>, DataType)>;

fn mapping(spec: &ComponentSpec, cx: &mut BindCx<'_>, input: usize, output: usize) -> Mapping {
    let columns = &spec.outputs[output].columns;
    let mut mapping: Mapping = columns.iter().map(|c| (None, c.data_type)).collect();
    // An input without a path is a leftover of the designer ("dangling"): it brings no rows, and does not matter.
    if cx.inputs[input].columns.is_empty() {
        return mapping;
    }
    for column in &spec.inputs[input].columns {
        let target = cx
            .lineage(column.properties.str("OutputColumnLineageID"))
            .and_then(|lineage| columns.iter().position(|c| c.lineage == lineage));
        let found = cx.inputs[input].slot(column.lineage).map(|slot| (slot, cx.inputs[input].column(slot).data_type));
        // A lineage that the path does not bring is reported for every component alike.
        let Some((slot, data_type)) = found else { continue };
        let code = match target {
            None => codes::DTS_E_UNMAPPEDINPUTCOLUMN,
            Some(target) if mapping[target].0.is_some() => codes::DTS_E_MULTIPLYMAPPEDOUTCOL,
            Some(target) if !fits(&data_type, &columns[target].data_type) => {
                codes::DTS_E_METADATAMISMATCHWITHOUTPUTCOLUMN
            }
            Some(target) => {
                mapping[target].0 = Some(slot);
                continue;
            }
        };
        let object = format!("{}.Inputs[{}].Columns[{}]", spec.name, spec.inputs[input].name, column.name);
        let mut message = code.message(&[&object]);
        if let Some(target) = target {
            message =
                format!("{message} ({data_type} into \"{}\" {})", columns[target].name, columns[target].data_type);
        }
        report(spec, cx, column, Diagnostic::error(code, &spec.path, message));
    }
    mapping
}

fn report(spec: &ComponentSpec, cx: &mut BindCx<'_>, column: &InputColumnSpec, diagnostic: Diagnostic) {
    cx.diagnostics.push(diagnostic.with_column(&column.name).with_span(column.span.or(spec.span)));
}

struct Union {
    output: usize,
    inputs: Vec<Mapping>,
}

impl Stage for Union {
    fn open(&self, _cx: &OpenCx, _inputs: &[Layout]) -> Result<(Vec<Arc<dyn Sink>>, Arc<dyn Source>)> {
        let queue = Arc::new(Queue::default());
        let sink = |mapping: &Mapping| -> Arc<dyn Sink> {
            Arc::new(Inlet { queue: queue.clone(), mapping: Arc::new(mapping.clone()) })
        };
        let sinks = self.inputs.iter().map(sink).collect();
        Ok((sinks, Arc::new(Outlet { queue, port: self.output })))
    }

    fn blocks(&self) -> bool {
        false
    }

    fn row_rule(&self) -> RowRule {
        RowRule::Once
    }
}

/// What stands between the inputs and the output.
#[derive(Default)]
struct Queue(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    batches: VecDeque<Batch>,
    /// Inputs that were opened and have not ended.
    open: usize,
    /// The output, parked on an empty queue.
    output: Option<Waker>,
    /// Inputs, parked on a full one.
    inputs: Vec<Waker>,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends one input.
    fn close(&self) {
        let output = {
            let mut waiting = self.lock();
            waiting.open -= 1;
            waiting.output.take()
        };
        if let Some(output) = output {
            output.wake();
        }
    }
}

/// An input.
struct Inlet {
    queue: Arc<Queue>,
    mapping: Arc<Mapping>,
}

impl Sink for Inlet {
    fn accepts_selection(&self) -> bool {
        true
    }

    // Every input that has a path is opened before the first row flows, so that the count is right from the start.
    fn open(&self, _cx: &OpenCx, _input: &Layout) -> Result<Box<dyn Commit>> {
        self.queue.lock().open += 1;
        Ok(Box::new(InletEnd { queue: self.queue.clone() }))
    }

    fn encoder(&self, _cx: &OpenCx, _input: &Layout) -> Result<Box<dyn Encode>> {
        Ok(Box::new(Rearrange { mapping: self.mapping.clone() }))
    }
}

struct Rearrange {
    mapping: Arc<Mapping>,
}

impl Encode for Rearrange {
    fn encode(&mut self, batch: Batch) -> Result<Block> {
        // A few rows should not keep whole columns alive in the queue.
        let batch = if batch.selected() * SPARSE < batch.rows { batch.compact()? } else { batch };
        let place = |(slot, data_type): &(Option<Slot>, DataType)| -> ArrayRef {
            match slot {
                Some(slot) => batch.columns[slot.0].clone(),
                None => nulls(data_type, batch.rows),
            }
        };
        let columns = self.mapping.iter().map(place).collect();
        Ok(Box::new(Batch { columns, origin: RowOrigin::default(), ..batch }))
    }
}

fn nulls(data_type: &DataType, rows: usize) -> ArrayRef {
    match data_type {
        DataType::Null => Arc::new(NullArray::new(rows)),
        data_type => new_null_array(&data_type.arrow(), rows),
    }
}

struct InletEnd {
    queue: Arc<Queue>,
}

impl Commit for InletEnd {
    fn commit(&mut self, block: Block, waker: &Waker) -> Result<Committed> {
        let output = {
            let mut waiting = self.queue.lock();
            if waiting.batches.len() >= QUEUE {
                waiting.inputs.push(waker.clone());
                return Ok(Committed::Parked(block));
            }
            let batch = block.downcast::<Batch>().map_err(|_| Error::internal("a block of another component"))?;
            waiting.batches.push_back(*batch);
            waiting.output.take()
        };
        if let Some(output) = output {
            output.wake();
        }
        Ok(Committed::Taken)
    }

    // After an abort the input never ends: the output must not take the failure of an input for its end.
    fn finish(&mut self) -> Result<()> {
        self.queue.close();
        Ok(())
    }
}

/// The output.
struct Outlet {
    queue: Arc<Queue>,
    port: usize,
}

impl Source for Outlet {
    fn open(&self, _cx: &OpenCx) -> Result<Box<dyn Fetch>> {
        Ok(Box::new(OutletEnd { queue: self.queue.clone() }))
    }

    fn decoder(&self, _cx: &OpenCx, _outputs: &[Layout]) -> Result<Box<dyn Decode>> {
        Ok(Box::new(Renumber { port: self.port }))
    }
}

struct OutletEnd {
    queue: Arc<Queue>,
}

impl Fetch for OutletEnd {
    fn fetch(&mut self, waker: &Waker) -> Result<Step<Morsel>> {
        let (batch, inputs) = {
            let mut waiting = self.queue.lock();
            let Some(batch) = waiting.batches.pop_front() else {
                if waiting.open == 0 {
                    return Ok(Step::Done);
                }
                waiting.output = Some(waker.clone());
                return Ok(Step::Parked);
            };
            (batch, std::mem::take(&mut waiting.inputs))
        };
        inputs.iter().for_each(Waker::wake);
        Ok(Step::More(Box::new(batch)))
    }
}

struct Renumber {
    port: usize,
}

impl Decode for Renumber {
    fn decode(&mut self, seq: u64, morsel: Morsel, out: &mut Ports) -> Result<()> {
        let batch = morsel.downcast::<Batch>().map_err(|_| Error::internal("a morsel of another component"))?;
        out.put(self.port, Batch { seq, ..*batch });
        Ok(())
    }
}
