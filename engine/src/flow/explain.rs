//! Printing a plan: pipelines, what is fused, what blocks, what runs in parallel, what is owed for rows.

use super::contract::Bound;
use super::cut::{InlineStep, Target, cut};
use super::plan::FlowPlan;
use std::fmt::Write;

/// The plan of a flow as text: one pipeline after the other, each with the tree of what runs on its lanes.
pub fn explain(plan: &FlowPlan) -> String {
    let mut out = String::new();
    for (i, pipeline) in cut(plan, &[]).iter().enumerate() {
        let node = &plan.nodes[pipeline.root];
        let how = match &node.bound {
            Bound::Stage(stage) if stage.blocks() => format!("emits after its inputs have ended; {}", stage.row_rule()),
            Bound::Stage(stage) => format!("emits while its inputs flow; {}", stage.row_rule()),
            _ => "source: fetched in order, decoded on every lane".to_owned(),
        };
        let _ = writeln!(out, "pipeline {}: {} [{}] ({how})", i + 1, node.spec.name, node.spec.kind);
        targets(plan, pipeline.root, &pipeline.outputs, 1, &mut out);
    }
    out
}

fn targets(plan: &FlowPlan, from: usize, outputs: &[Vec<Target>], depth: usize, out: &mut String) {
    for (port, targets_of_port) in outputs.iter().enumerate() {
        for target in targets_of_port {
            let output = &plan.nodes[from].spec.outputs[port];
            let columns = &plan.nodes[from].outputs[port].columns;
            let used = columns.iter().filter(|c| c.used).count();
            let _ = write!(out, "{:w$}{} ({used} of {} columns) → ", "", output.name, columns.len(), w = depth * 2);
            match target {
                Target::Inline(InlineStep { node, outputs }) => {
                    let spec = &plan.nodes[*node].spec;
                    let rule = plan.nodes[*node].bound.row_rule();
                    let _ = writeln!(out, "{} [{}] (fused; {rule})", spec.name, spec.kind);
                    targets(plan, *node, outputs, depth + 1, out);
                }
                Target::Leaf { node, input } => {
                    let spec = &plan.nodes[*node].spec;
                    let how = match &plan.nodes[*node].bound {
                        Bound::Stage(stage) if stage.blocks() => "blocks",
                        Bound::Stage(_) => "hands over",
                        _ => "sink: encoded on every lane, committed in order",
                    };
                    let name = &spec.inputs[*input].name;
                    let _ = writeln!(out, "{} [{}] input \"{name}\" ({how})", spec.name, spec.kind);
                }
                Target::Tap(_) => {
                    let _ = writeln!(out, "data tap");
                }
            }
        }
    }
}
