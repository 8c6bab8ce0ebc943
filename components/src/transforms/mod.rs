//! Components with inputs and outputs.

pub mod multicast;
pub mod row_count;
pub mod union_all;

use dtsx_engine::diag::codes;
use dtsx_engine::flow::{BindCx, ComponentSpec};

/// Reports DTS_E_INCORRECTEXACTNUMBEROFINPUTS unless there is exactly one input.
pub(crate) fn one_input(spec: &ComponentSpec, cx: &mut BindCx<'_>) -> Option<()> {
    if spec.inputs.len() == 1 {
        return Some(());
    }
    let code = codes::DTS_E_INCORRECTEXACTNUMBEROFINPUTS;
    cx.error(spec, code, code.message(&[&1]));
    None
}

/// The one output that is no error output; reports DTS_E_INCORRECTEXACTNUMBEROFOUTPUTS if there is another number of them.
pub(crate) fn one_output(spec: &ComponentSpec, cx: &mut BindCx<'_>) -> Option<usize> {
    let mut regular = spec.outputs.iter().enumerate().filter(|(_, o)| !o.is_error).map(|(i, _)| i);
    if let (Some(output), None) = (regular.next(), regular.next()) {
        return Some(output);
    }
    let code = codes::DTS_E_INCORRECTEXACTNUMBEROFOUTPUTS;
    cx.error(spec, code, code.message(&[&1]));
    None
}
