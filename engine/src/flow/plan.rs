//! Binding a flow: every component becomes something that runs, every port gets its layout.

use super::contract::{Apply, BindCx, Bound, ComponentKind, Inline, OpenCx, Ports};
use super::spec::{ColumnRef, ComponentSpec, FlowSpec, Layout, LineageId, OutputSpec};
use super::{prune, validate};
use crate::connections::ConnectionSpec;
use crate::diag::{Diagnostic, Result, codes};
use crate::run::Services;
use crate::variables::VariableAccess;
use std::collections::HashSet;
use std::sync::Arc;

/// Where kinds are looked up.
pub trait Kinds: Send + Sync {
    /// The component class of that canonical kind, if this build has it.
    fn component(&self, kind: &str) -> Option<&'static dyn ComponentKind>;
    /// What to say of a component whose class [`Kinds::component`] does not know.
    fn unknown_component(&self, spec: &ComponentSpec) -> Diagnostic;
}

/// A data tap: the rows that leave an output also go to a sink.
pub struct Tap {
    /// The component, by index.
    pub component: usize,
    /// Its output, by index.
    pub output: usize,
    /// Where the rows go.
    pub sink: Arc<dyn super::Sink>,
}

/// What binding a flow may use.
pub struct BindEnv<'a> {
    /// The component classes.
    pub kinds: &'a dyn Kinds,
    /// Variables as they stand now.
    pub variables: &'a dyn VariableAccess,
    /// Finds a connection manager by DTSID or name, its expressions evaluated.
    pub connections: &'a dyn Fn(&str) -> Result<ConnectionSpec>,
    /// The run's services; at an offline check, those of the check.
    pub services: &'a Services,
    /// Whether files and servers may be touched.
    pub online: bool,
    /// Outputs that are tapped, as (component, output).
    pub tapped: &'a [(usize, usize)],
}

/// A component, bound.
pub struct PlanNode {
    /// What the package says about it.
    pub spec: ComponentSpec,
    /// What it became.
    pub bound: Bound,
    /// The layout of each input (empty for one without a path).
    pub inputs: Vec<Layout>,
    /// The layout of each output.
    pub outputs: Vec<Layout>,
}

/// A flow, bound: immutable; runs once or many times.
pub struct FlowPlan {
    /// The path of its task.
    pub path: String,
    /// Its components, by the index of [`FlowSpec::components`].
    pub nodes: Vec<PlanNode>,
    /// For each component and output, the component and input that takes its rows.
    pub consumers: Vec<Vec<Option<(usize, usize)>>>,
    /// The name of the path behind each output.
    pub path_names: Vec<Vec<String>>,
}

/// Binds every component of a flow; reports everything that is wrong. No plan if there was an error.
pub fn bind(flow: &FlowSpec, env: &BindEnv<'_>) -> (Option<FlowPlan>, Vec<Diagnostic>) {
    let mut diagnostics = Vec::new();
    let (mut consumers, path_names, producers) = wire(flow, &mut diagnostics);
    validate::names(flow, &mut diagnostics);
    let Some(order) = topological(flow, &consumers) else {
        let message = codes::DTS_E_CYCLEINEXECUTIONTREE.message(&[]);
        diagnostics.push(Diagnostic::error(codes::DTS_E_CYCLEINEXECUTIONTREE, &flow.path, message));
        let code = codes::DTS_W_NOLINEAGEVALIDATION;
        diagnostics.push(Diagnostic::warning(code, &flow.path, code.message(&[])));
        return (None, diagnostics);
    };
    let removed = prune::removed(flow, &mut consumers, &producers, env.tapped, &mut diagnostics);
    let used = used_columns(flow, &removed);
    // A tap reads everything that passes it: then no column is left out.
    let all_used = !env.tapped.is_empty();
    if !all_used {
        prune::unused_columns(flow, &consumers, &used, &mut diagnostics);
    }
    let mut layouts: Vec<Vec<Layout>> = flow.components.iter().map(|_| Vec::new()).collect();
    let mut nodes: Vec<Option<PlanNode>> = flow.components.iter().map(|_| None).collect();
    for index in order {
        let spec = &flow.components[index];
        let inputs: Vec<Layout> = (0..spec.inputs.len())
            .map(|i| producers[index][i].map_or_else(Layout::default, |(c, o)| layouts[c][o].clone()))
            .collect();
        let fed: Vec<bool> = producers[index].iter().map(Option::is_some).collect();
        let taken: Vec<bool> = consumers[index].iter().map(Option::is_some).collect();
        validate::shape(flow, spec, &fed, &taken, &mut diagnostics);
        validate::input_columns(spec, &inputs, &fed, &mut diagnostics);
        let tapped = |output: usize| env.tapped.contains(&(index, output));
        let outputs: Vec<Layout> =
            spec.outputs.iter().map(|output| output_layout(spec, output, &inputs, &used, all_used)).collect();
        layouts[index] = outputs.clone();
        // What nobody brings rows to, and is not run either, cannot be bound: its columns come from nowhere.
        if removed.contains(&index) && !spec.inputs.is_empty() && producers[index].iter().all(Option::is_none) {
            nodes[index] = Some(PlanNode { spec: spec.clone(), bound: nothing(), inputs, outputs });
            continue;
        }
        let before = diagnostics.len();
        let mut cx = BindCx {
            flow,
            inputs: inputs.clone(),
            attached: (0..spec.outputs.len()).map(|o| consumers[index][o].is_some() || tapped(o)).collect(),
            variables: env.variables,
            connections: env.connections,
            paths: &env.services.paths,
            services: env.services,
            online: env.online,
            diagnostics: &mut diagnostics,
        };
        let bound = match env.kinds.component(&spec.kind) {
            Some(kind) => {
                validate::usage(spec, kind, cx.diagnostics);
                kind.bind(spec, &mut cx)
            }
            None => {
                diagnostics.push(env.kinds.unknown_component(spec));
                None
            }
        };
        match bound {
            Some(_) if removed.contains(&index) => {
                nodes[index] = Some(PlanNode { spec: spec.clone(), bound: nothing(), inputs, outputs });
            }
            Some(bound) => nodes[index] = Some(PlanNode { spec: spec.clone(), bound, inputs, outputs }),
            None if !diagnostics[before..].iter().any(Diagnostic::is_error) => {
                let message = codes::DTS_E_INDIVIDUALVALIDATIONSTATUSFAILED.message(&[&spec.name, &"VS_ISBROKEN"]);
                diagnostics.push(
                    Diagnostic::error(codes::DTS_E_INDIVIDUALVALIDATIONSTATUSFAILED, &spec.path, message)
                        .with_span(spec.span),
                );
            }
            None => {}
        }
    }
    let plan = if diagnostics.iter().any(Diagnostic::is_error) {
        None
    } else {
        let nodes: Option<Vec<PlanNode>> = nodes.into_iter().collect();
        nodes.map(|nodes| FlowPlan { path: flow.path.clone(), nodes, consumers, path_names })
    };
    (plan, diagnostics)
}

/// What stands in the plan for a component that an optimised flow leaves out: no path leads to it.
fn nothing() -> Bound {
    Bound::Inline(Box::new(Nothing))
}

struct Nothing;

impl Inline for Nothing {
    fn open(&self, _cx: &OpenCx, _input: &Layout) -> Result<Box<dyn Apply>> {
        Ok(Box::new(Nothing))
    }
}

impl Apply for Nothing {
    fn apply(&mut self, batch: crate::batch::Batch, out: &mut Ports) -> Result<()> {
        out.leave_out(batch.selected() as u64);
        Ok(())
    }
}

/// By component and input, the component and output that its rows come from.
pub(super) type Producers = Vec<Vec<Option<(usize, usize)>>>;

type Wiring = (prune::Consumers, Vec<Vec<String>>, Producers);

/// Consumers and path names by output, producers by input.
fn wire(flow: &FlowSpec, diagnostics: &mut Vec<Diagnostic>) -> Wiring {
    let mut consumers: Vec<Vec<Option<(usize, usize)>>> =
        flow.components.iter().map(|c| vec![None; c.outputs.len()]).collect();
    let mut names: Vec<Vec<String>> = flow.components.iter().map(|c| vec![String::new(); c.outputs.len()]).collect();
    let mut producers: Vec<Vec<Option<(usize, usize)>>> =
        flow.components.iter().map(|c| vec![None; c.inputs.len()]).collect();
    for path in &flow.paths {
        let ((from, output), (to, input)) = (path.from, path.to);
        if consumers[from][output].is_some() || producers[to][input].is_some() {
            let message = format!("the path \"{}\" begins or ends where another path does", path.name);
            diagnostics.push(Diagnostic::error(codes::DTS_E_VALIDATIONFAILEDONLAYOUT, &flow.path, message));
            continue;
        }
        consumers[from][output] = Some(path.to);
        names[from][output].clone_from(&path.name);
        producers[to][input] = Some(path.from);
    }
    (consumers, names, producers)
}

/// An order in which every component comes after those that feed it; None if there is a cycle.
fn topological(flow: &FlowSpec, consumers: &[Vec<Option<(usize, usize)>>]) -> Option<Vec<usize>> {
    let mut waiting = vec![0usize; flow.components.len()];
    for (to, _) in consumers.iter().flatten().flatten() {
        waiting[*to] += 1;
    }
    let mut ready: std::collections::VecDeque<usize> = (0..waiting.len()).filter(|i| waiting[*i] == 0).collect();
    let mut order = Vec::with_capacity(waiting.len());
    while let Some(index) = ready.pop_front() {
        order.push(index);
        for (to, _) in consumers[index].iter().flatten() {
            waiting[*to] -= 1;
            if waiting[*to] == 0 {
                ready.push_back(*to);
            }
        }
    }
    (order.len() == flow.components.len()).then_some(order)
}

/// The columns that some component reads.
fn used_columns(flow: &FlowSpec, removed: &HashSet<usize>) -> HashSet<LineageId> {
    let kept = flow.components.iter().enumerate().filter(|(index, _)| !removed.contains(index));
    kept.map(|(_, component)| component).flat_map(|c| &c.inputs).flat_map(|i| &i.columns).map(|c| c.lineage).collect()
}

fn output_layout(
    spec: &ComponentSpec,
    output: &OutputSpec,
    inputs: &[Layout],
    used: &HashSet<LineageId>,
    all: bool,
) -> Layout {
    let mut columns = match output.synchronous_input {
        Some(input) => inputs.get(input).map(|l| l.columns.clone()).unwrap_or_default(),
        None => Vec::new(),
    };
    let component: Arc<str> = Arc::from(spec.name.as_str());
    columns.extend(output.columns.iter().map(|c| ColumnRef {
        lineage: c.lineage,
        name: c.name.clone(),
        component: component.clone(),
        data_type: c.data_type,
        sort_key: c.sort_key,
        comparison_flags: c.comparison_flags,
        used: all || used.contains(&c.lineage),
    }));
    Layout { columns }
}
