//! Percentage Sampling: each row is taken with a probability.

use super::{Outputs, SAMPLING_SEED, chance, outputs, seed};
use crate::transforms::one_input;
use dtsx_engine::batch::Batch;
use dtsx_engine::diag::{Result, codes};
use dtsx_engine::flow::{Apply, BindCx, Bound, ComponentKind, ComponentSpec, Inline, Layout, OpenCx, Ports};
use dtsx_engine::props::{PropertyDef, PropertyType};
use std::sync::Arc;

/// `Microsoft.PctSampling`.
pub struct PercentageSampling;

impl ComponentKind for PercentageSampling {
    fn kind(&self) -> &'static str {
        "Microsoft.PctSampling"
    }

    fn title(&self) -> &'static str {
        "Percentage Sampling"
    }

    fn properties(&self) -> &'static [PropertyDef] {
        &[
            PropertyDef {
                name: "SamplingValue",
                ty: PropertyType::Int,
                default: "10",
                doc: "How many of a hundred rows to take, about.",
            },
            SAMPLING_SEED,
        ]
    }

    fn bind(&self, spec: &ComponentSpec, cx: &mut BindCx<'_>) -> Option<Bound> {
        one_input(spec, cx)?;
        let outputs = outputs(spec, cx)?;
        let value = spec.properties.int("SamplingValue").unwrap_or(10);
        let Some(percent) = u64::try_from(value).ok().filter(|percent| *percent <= 100) else {
            let code = codes::DTS_E_TXSAMPLINGINVALIDPCT;
            cx.error(spec, code, code.message(&[&"SamplingValue", &value]));
            return None;
        };
        let seed = spec.properties.int("SamplingSeed").unwrap_or(0) as u64;
        Some(Bound::Inline(Box::new(Sampling { outputs, percent, seed })))
    }
}

struct Sampling {
    outputs: Outputs,
    percent: u64,
    seed: u64,
}

impl Inline for Sampling {
    fn accepts_selection(&self) -> bool {
        true
    }

    fn open(&self, _cx: &OpenCx, _input: &Layout) -> Result<Box<dyn Apply>> {
        Ok(Box::new(Lane { outputs: self.outputs, percent: self.percent, seed: seed(self.seed) }))
    }
}

struct Lane {
    outputs: Outputs,
    percent: u64,
    seed: u64,
}

impl Apply for Lane {
    fn apply(&mut self, batch: Batch, out: &mut Ports) -> Result<()> {
        // A row's place is its morsel and its place there: the same at any number of threads.
        let of_morsel = chance(self.seed, batch.seq);
        let (mut taken, mut rest) = (Vec::new(), Vec::new());
        let mut row = |row: u32| {
            let chance = chance(of_morsel, u64::from(batch.origin.of(row)));
            let into = if ((chance >> 32) * 100) >> 32 < self.percent { &mut taken } else { &mut rest };
            into.push(row);
        };
        match &batch.selection {
            Some(selection) => selection.iter().copied().for_each(&mut row),
            None => (0..batch.rows as u32).for_each(&mut row),
        }
        for (port, rows) in [(self.outputs.selected, taken), (self.outputs.unselected, rest)] {
            if !rows.is_empty() {
                let selection = (rows.len() < batch.rows).then(|| Arc::new(rows));
                out.put(port, Batch { selection, ..batch.clone() });
            }
        }
        Ok(())
    }
}
