//! Percentage Sampling and Row Sampling: some rows leave through one output, the others through the other.
//!
//! A row's chance comes from SamplingSeed and the row's place alone, so that a seed gives the same sample however many
//! threads there are; SamplingSeed 0 takes another seed every time. Which rows the original takes for a seed cannot be
//! known.

mod percentage;
mod rows;

pub use percentage::PercentageSampling;
pub use rows::RowSampling;

use dtsx_engine::diag::codes;
use dtsx_engine::flow::{BindCx, ComponentSpec};
use dtsx_engine::props::{PropertyDef, PropertyType};
use std::time::{SystemTime, UNIX_EPOCH};

const SAMPLING_SEED: PropertyDef = PropertyDef {
    name: "SamplingSeed",
    ty: PropertyType::Int,
    default: "0",
    doc: "The seed of the choice; 0 takes another one in every run.",
};

/// The outputs of a sampling component.
#[derive(Clone, Copy, Debug)]
struct Outputs {
    selected: usize,
    unselected: usize,
}

/// Finds the two outputs by their property Selected; reports if they are not these two.
fn outputs(spec: &ComponentSpec, cx: &mut BindCx<'_>) -> Option<Outputs> {
    let regular: Vec<usize> = (0..spec.outputs.len()).filter(|o| !spec.outputs[*o].is_error).collect();
    let &[first, second] = &regular[..] else {
        let code = codes::DTS_E_INCORRECTEXACTNUMBEROFOUTPUTS;
        cx.error(spec, code, code.message(&[&2]));
        return None;
    };
    let selected = |output: usize| spec.outputs[output].properties.bool("Selected");
    match (selected(first), selected(second)) {
        (Some(true), Some(false)) => Some(Outputs { selected: first, unselected: second }),
        (Some(false), Some(true)) => Some(Outputs { selected: second, unselected: first }),
        _ => {
            let code = codes::DTS_E_INCORRECTCUSTOMPROPERTYVALUE;
            cx.error(spec, code, code.message(&[&"Selected"]));
            None
        }
    }
}

/// The seed that a run uses.
fn seed(spec: u64) -> u64 {
    match spec {
        0 => SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |t| t.as_nanos() as u64),
        seed => seed,
    }
}

/// A number for a row that looks random (SplitMix64 over the row's place).
fn chance(seed: u64, place: u64) -> u64 {
    let mut z = seed.wrapping_add(place.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
