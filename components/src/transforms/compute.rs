//! What the components that compute columns, or sort rows by what they compute, have in common: lanes that hold nothing
//! of their own, and rows that fail.

use super::dense;
use arrow::array::ArrayRef;
use dtsx_engine::batch::Batch;
use dtsx_engine::diag::Result;
use dtsx_engine::flow::faults::{ErrorOutput, RowFaults};
use dtsx_engine::flow::{Apply, Bound, Inline, Layout, OpenCx, Ports};
use std::sync::Arc;

/// The plan of an inline component whose lanes need nothing else.
pub(crate) trait Compute: Send + Sync + 'static {
    /// One batch in, one batch an output at most; selections are honoured.
    ///
    /// # Errors
    /// A row that fails its component.
    fn apply(&self, batch: Batch, out: &mut Ports) -> Result<()>;

    /// Where rows that fail leave.
    fn errors(&self) -> &ErrorOutput;
}

/// The component of a plan.
pub(crate) fn bound(plan: impl Compute) -> Bound {
    Bound::Inline(Box::new(Computed(Arc::new(plan))))
}

struct Computed<P>(Arc<P>);

impl<P: Compute> Inline for Computed<P> {
    fn accepts_selection(&self) -> bool {
        true
    }

    fn open(&self, _cx: &OpenCx, _input: &Layout) -> Result<Box<dyn Apply>> {
        Ok(Box::new(Lane(self.0.clone())))
    }

    fn finish(&self, cx: &OpenCx) -> Result<()> {
        self.0.errors().report_lost(cx);
        Ok(())
    }
}

struct Lane<P>(Arc<P>);

impl<P: Compute> Apply for Lane<P> {
    fn apply(&mut self, batch: Batch, out: &mut Ports) -> Result<()> {
        self.0.apply(batch, out)
    }
}

/// Sends a batch on with the columns that `compute` adds or replaces. What it reports as faults meets the dispositions:
/// `component` is named if a row fails it, and rows that are rejected leave as they came in.
///
/// # Errors
/// A row that fails the component; what `compute` says.
pub(crate) fn columns(
    batch: Batch,
    (component, output, errors): (&str, usize, &ErrorOutput),
    out: &mut Ports,
    compute: impl FnOnce(&Batch, &mut RowFaults, &mut Vec<ArrayRef>) -> Result<()>,
) -> Result<()> {
    let batch = dense(batch)?;
    let mut rows = RowFaults::new(&batch);
    let mut columns = batch.columns.clone();
    compute(&batch, &mut rows, &mut columns)?;
    let (selection, rejects) = rows.settle(component)?;
    errors.send(&batch, &rejects, out)?;
    out.put(output, Batch { columns, selection, ..batch });
    Ok(())
}
