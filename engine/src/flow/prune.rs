//! What an optimised flow leaves out, and says of it.

use super::plan::Producers;
use super::spec::{FlowSpec, LineageId};
use crate::diag::{Diagnostic, codes};
use std::collections::HashSet;

/// By component and output, the component and input that takes its rows.
pub(super) type Consumers = Vec<Vec<Option<(usize, usize)>>>;

/// Takes out of the paths what has no effect, as RunInOptimizedMode says, with a warning for each component: one of
/// which nobody takes an output and that has no input with side effects, or none that is connected. Sources stay, and are
/// read: a value that they cannot convert fails the task, whoever takes their rows.
pub(super) fn removed(
    flow: &FlowSpec,
    consumers: &mut Consumers,
    producers: &Producers,
    tapped: &[(usize, usize)],
    diagnostics: &mut Vec<Diagnostic>,
) -> HashSet<usize> {
    let mut removed = HashSet::new();
    if !flow.optimized {
        return removed;
    }
    loop {
        let idle = |index: &usize| {
            let (spec, paths) = (&flow.components[*index], &producers[*index]);
            let outputs = 0..spec.outputs.len();
            let taken = outputs.clone().any(|o| consumers[*index][o].is_some() || tapped.contains(&(*index, o)));
            let gives = outputs.clone().any(|o| !spec.outputs[o].is_error);
            let connected = paths.iter().any(Option::is_some);
            let effects = spec.inputs.iter().zip(paths).any(|(input, path)| path.is_some() && input.has_side_effects);
            let source = spec.inputs.is_empty();
            !taken && !source && (!connected || gives && !effects)
        };
        let Some(index) = (0..flow.components.len()).find(|i| !removed.contains(i) && idle(i)) else { break };
        removed.insert(index);
        for (from, output) in producers[index].iter().flatten() {
            consumers[*from][*output] = None;
        }
        let spec = &flow.components[index];
        let code = codes::DTS_W_COMPONENTREMOVED;
        let message = code.message(&[&spec.name, &number(&spec.id, index)]);
        diagnostics.push(Diagnostic::warning(code, &spec.path, message).with_span(spec.span));
    }
    removed
}

/// Warns of the columns that a path brings and nobody reads, in an optimised flow.
pub(super) fn unused_columns(
    flow: &FlowSpec,
    consumers: &Consumers,
    used: &HashSet<LineageId>,
    diagnostics: &mut Vec<Diagnostic>,
) {
    if !flow.optimized {
        return;
    }
    for (index, spec) in flow.components.iter().enumerate() {
        for (port, output) in spec.outputs.iter().enumerate() {
            if output.is_error || consumers[index][port].is_none() {
                continue;
            }
            for column in output.columns.iter().filter(|c| !used.contains(&c.lineage)) {
                let code = codes::DTS_W_UNUSEDOUTPUTDATA;
                let (output_id, id) = (number(&output.id, port), number(&spec.id, index));
                let message =
                    code.message(&[&column.name, &column.lineage.0, &output.name, &output_id, &spec.name, &id]);
                let warning = Diagnostic::warning(code, &spec.path, message);
                diagnostics.push(warning.with_column(&column.name).with_span(column.span.or(spec.span)));
            }
        }
    }
}

/// The number that messages give an object: its own id in old formats, else its place.
fn number(id: &str, place: usize) -> usize {
    id.parse().unwrap_or(place + 1)
}
