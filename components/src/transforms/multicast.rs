//! Multicast: every row goes to every output.
//!
//! Batches are shared, never copied: an output costs one `Arc` a column.

use super::one_input;
use dtsx_engine::batch::Batch;
use dtsx_engine::diag::Result;
use dtsx_engine::flow::{Apply, BindCx, Bound, ComponentKind, ComponentSpec, Inline, Layout, OpenCx, Ports};

/// `Microsoft.Multicast`.
pub struct Multicast;

impl ComponentKind for Multicast {
    fn kind(&self) -> &'static str {
        "Microsoft.Multicast"
    }

    fn title(&self) -> &'static str {
        "Multicast"
    }

    fn bind(&self, spec: &ComponentSpec, cx: &mut BindCx<'_>) -> Option<Bound> {
        one_input(spec, cx)?;
        let ports = (0..spec.outputs.len()).filter(|port| cx.attached[*port]).collect();
        Some(Bound::Inline(Box::new(Fan { ports })))
    }
}

/// The outputs that somebody takes.
#[derive(Clone)]
struct Fan {
    ports: Vec<usize>,
}

impl Inline for Fan {
    fn accepts_selection(&self) -> bool {
        true
    }

    fn open(&self, _cx: &OpenCx, _input: &Layout) -> Result<Box<dyn Apply>> {
        Ok(Box::new(self.clone()))
    }
}

impl Apply for Fan {
    fn apply(&mut self, batch: Batch, out: &mut Ports) -> Result<()> {
        if let Some((last, others)) = self.ports.split_last() {
            for port in others {
                out.put(*port, batch.clone());
            }
            out.put(*last, batch);
        }
        Ok(())
    }
}
