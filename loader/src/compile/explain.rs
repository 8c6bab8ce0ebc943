//! Printing a package's plan: the control flow as a tree with its constraints, and the pipelines of each data flow.

use dtsx_engine::control::plan::{ConstraintPlan, EvalOp, ExecutableIndex, ExecutableKind, PackagePlan};
use dtsx_engine::control::{self, FlowCx, RunRequest};
use dtsx_engine::diag::Result;
use dtsx_engine::flow::{self, BindEnv, FlowSpec, Kinds};
use std::collections::HashMap;
use std::fmt::Write;
use std::sync::Arc;

/// The plan of a package as text.
///
/// # Errors
/// As [`control::check`].
pub fn explain(plan: &Arc<PackagePlan>, request: &RunRequest, kinds: &dyn Kinds) -> Result<String> {
    let mut flows: HashMap<ExecutableIndex, String> = HashMap::new();
    control::visit_scopes(plan, request, &mut |index, _, cx| {
        if let ExecutableKind::Task(task) = &plan.executables[index].kind
            && let Some(spec) = &task.flow
        {
            flows.insert(index, explain_flow(spec, cx, kinds));
        }
    })?;
    let mut out = String::new();
    let limit = plan.executables.first().and_then(|p| p.properties.int("MaxConcurrentExecutables")).unwrap_or(-1);
    let limit = if limit == -1 { "processors + 2".to_owned() } else { limit.to_string() };
    let _ = writeln!(out, "package {} (at most {limit} tasks at once)", plan.name);
    children(plan, 0, 1, &flows, &mut out);
    Ok(out)
}

fn explain_flow(spec: &FlowSpec, cx: &FlowCx, kinds: &dyn Kinds) -> String {
    let connections = |id: &str| cx.connections.get(id);
    let env = BindEnv {
        kinds,
        variables: cx.variables.as_ref(),
        connections: &connections,
        services: &cx.services,
        online: false,
        tapped: &[],
    };
    match flow::bind(spec, &env) {
        (Some(plan), _) => flow::explain(&plan),
        (None, diagnostics) => {
            let mut out = "cannot run:\n".to_owned();
            for diagnostic in diagnostics.iter().filter(|d| d.is_error()) {
                let _ = writeln!(out, "  {}: {}", diagnostic.object, diagnostic.message);
            }
            out
        }
    }
}

// Recursive over containers, whose depth the reader caps.
fn children(
    plan: &PackagePlan,
    of: ExecutableIndex,
    depth: usize,
    flows: &HashMap<ExecutableIndex, String>,
    out: &mut String,
) {
    let owner = &plan.executables[of];
    let indent = "  ".repeat(depth);
    let first: Vec<&str> = owner
        .children
        .iter()
        .filter(|c| !owner.constraints.iter().any(|k| k.to == **c))
        .map(|c| plan.executables[*c].name.as_str())
        .collect();
    if first.len() > 1 {
        let _ = writeln!(out, "{indent}at once: {}", first.join(", "));
    }
    for &child in &owner.children {
        let executable = &plan.executables[child];
        let disabled = if executable.properties.bool("Disable") == Some(true) { " (disabled)" } else { "" };
        let _ = writeln!(out, "{indent}{} [{}]{disabled}", executable.name, kind(&executable.kind));
        for constraint in owner.constraints.iter().filter(|k| k.to == child) {
            let _ = writeln!(out, "{indent}  after {}", after(plan, constraint));
        }
        for line in flows.get(&child).iter().flat_map(|text| text.lines()) {
            let _ = writeln!(out, "{indent}  {line}");
        }
        children(plan, child, depth + 1, flows, out);
    }
    for &handler in &owner.handlers {
        let _ = writeln!(out, "{indent}on {} of {}:", plan.executables[handler].name, owner.name);
        children(plan, handler, depth + 1, flows, out);
    }
}

fn kind(kind: &ExecutableKind) -> String {
    match kind {
        ExecutableKind::Package => "Package".to_owned(),
        ExecutableKind::Sequence => "Sequence container".to_owned(),
        ExecutableKind::ForLoop(spec) => format!("For Loop while {}", spec.eval),
        ExecutableKind::ForeachLoop(spec) => format!("Foreach Loop over {}", spec.enumerator.kind),
        ExecutableKind::Task(task) => task.kind.clone(),
        ExecutableKind::EventHandler { event } => format!("event handler {event}"),
    }
}

fn after(plan: &PackagePlan, constraint: &ConstraintPlan) -> String {
    let from = &plan.executables[constraint.from].name;
    let result = format!("{:?}", constraint.value).to_lowercase();
    let text = match constraint.eval_op {
        EvalOp::Constraint => format!("{result} of {from}"),
        EvalOp::Expression => format!("{from}, if {}", constraint.expression),
        EvalOp::ExpressionAndConstraint => format!("{result} of {from} and if {}", constraint.expression),
        EvalOp::ExpressionOrConstraint => format!("{result} of {from} or if {}", constraint.expression),
    };
    if constraint.logical_and { text } else { format!("{text} (or another)") }
}
