//! Cutting a plan into pipelines: chains of inline components between sources, stages and sinks fuse into one tree.

use super::contract::Bound;
use super::plan::FlowPlan;

/// What takes the rows of an output.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Target {
    /// An inline component, fused into the same pipeline.
    Inline(InlineStep),
    /// An input of a sink or of a stage: a leaf, the end of the pipeline.
    Leaf {
        /// The component.
        node: usize,
        /// Its input.
        input: usize,
    },
    /// A data tap, by index.
    Tap(usize),
}

/// An inline component and what follows it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct InlineStep {
    /// The component.
    pub node: usize,
    /// By output, what takes its rows.
    pub outputs: Vec<Vec<Target>>,
}

/// A pipeline: a source (or the outputs of a stage), and the tree of what takes its rows.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Pipeline {
    /// The source or stage.
    pub root: usize,
    /// By output, what takes its rows.
    pub outputs: Vec<Vec<Target>>,
}

/// Cuts a plan. `taps` are (component, output).
pub(super) fn cut(plan: &FlowPlan, taps: &[(usize, usize)]) -> Vec<Pipeline> {
    plan.nodes
        .iter()
        .enumerate()
        .filter(|(_, node)| matches!(node.bound, Bound::Source(_) | Bound::Stage(_)))
        .map(|(root, _)| Pipeline { root, outputs: outputs(plan, taps, root) })
        .collect()
}

// The recursion is bounded by the number of components, which the loader caps; a plan has no cycles.
fn outputs(plan: &FlowPlan, taps: &[(usize, usize)], node: usize) -> Vec<Vec<Target>> {
    (0..plan.nodes[node].spec.outputs.len())
        .map(|output| {
            let tapped = taps.iter().enumerate().filter(|(_, t)| **t == (node, output)).map(|(i, _)| Target::Tap(i));
            let consumer = plan.consumers[node][output].map(|(to, input)| match &plan.nodes[to].bound {
                Bound::Inline(_) => Target::Inline(InlineStep { node: to, outputs: outputs(plan, taps, to) }),
                _ => Target::Leaf { node: to, input },
            });
            tapped.chain(consumer).collect()
        })
        .collect()
}
