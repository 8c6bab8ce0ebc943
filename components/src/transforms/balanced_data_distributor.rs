//! Balanced Data Distributor: batches go to its outputs in turn.
//!
//! Which output a batch goes to depends on its place in the order of the source alone, so that runs are alike however
//! many threads there are.

use super::one_input;
use dtsx_engine::batch::Batch;
use dtsx_engine::diag::Result;
use dtsx_engine::flow::{Apply, BindCx, Bound, ComponentKind, ComponentSpec, Inline, Layout, OpenCx, Ports};

/// `Microsoft.BDD`.
pub struct BalancedDataDistributor;

impl ComponentKind for BalancedDataDistributor {
    fn kind(&self) -> &'static str {
        "Microsoft.BDD"
    }

    fn title(&self) -> &'static str {
        "Balanced Data Distributor"
    }

    fn bind(&self, spec: &ComponentSpec, cx: &mut BindCx<'_>) -> Option<Bound> {
        one_input(spec, cx)?;
        let ports =
            (0..spec.outputs.len()).filter(|port| cx.attached[*port] && !spec.outputs[*port].is_error).collect();
        Some(Bound::Inline(Box::new(Turns { ports })))
    }
}

/// The outputs that somebody takes.
#[derive(Clone)]
struct Turns {
    ports: Vec<usize>,
}

impl Inline for Turns {
    fn accepts_selection(&self) -> bool {
        true
    }

    fn open(&self, _cx: &OpenCx, _input: &Layout) -> Result<Box<dyn Apply>> {
        Ok(Box::new(self.clone()))
    }
}

impl Apply for Turns {
    fn apply(&mut self, batch: Batch, out: &mut Ports) -> Result<()> {
        if self.ports.is_empty() {
            out.leave_out(batch.selected() as u64);
        } else {
            let turn = batch.seq % self.ports.len() as u64;
            out.put(self.ports[turn as usize], batch);
        }
        Ok(())
    }
}
