//! The runner of data flows: binds them, tells of their phases, executes them, and says of a failure what the original
//! says, from the component outward.

use super::data_flow::{BoundFlow, FlowCx, FlowRunner, FlowSummary};
use crate::diag::{Code, Diagnostic, Error, Owner, Result, Severity, codes};
use crate::events::{Events, Message};
use crate::flow::{self, BindEnv, Bound, FlowEvents, FlowMetrics, FlowPlan, FlowSpec, Kinds, PlanNode, Sink, Tap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Who speaks of phases.
const SPEAKER: &str = "SSIS.Pipeline";

/// A data tap, by the names that the catalog of the original gives to paths.
#[derive(Clone)]
pub struct TapRequest {
    /// The path of the data flow task: `\Package\Data Flow Task`.
    pub task: String,
    /// The output that the path begins at: `Paths[component.output]`.
    pub path_id: String,
    /// Where the rows go.
    pub sink: Arc<dyn Sink>,
}

/// Runs data flows on the pool of the run's services.
#[derive(Clone)]
pub struct Pipelines {
    kinds: Arc<dyn Kinds>,
    taps: Vec<TapRequest>,
    observer: Option<Arc<dyn FlowEvents>>,
}

impl Pipelines {
    /// A runner that looks component kinds up in `kinds`.
    pub fn new(kinds: Arc<dyn Kinds>) -> Pipelines {
        Pipelines { kinds, taps: Vec::new(), observer: None }
    }

    /// The same with data taps.
    #[must_use]
    pub fn with_taps(mut self, taps: Vec<TapRequest>) -> Pipelines {
        self.taps = taps;
        self
    }

    /// The same with somebody who is shown the counters of every flow that begins.
    #[must_use]
    pub fn with_observer(mut self, observer: Arc<dyn FlowEvents>) -> Pipelines {
        self.observer = Some(observer);
        self
    }

    /// The taps of a flow as (component, output) and sink.
    fn taps_of(&self, spec: &FlowSpec, diagnostics: &mut Vec<Diagnostic>) -> Vec<Tap> {
        let mut taps = Vec::new();
        for request in self.taps.iter().filter(|t| t.task.eq_ignore_ascii_case(&spec.path)) {
            match find_output(spec, &request.path_id) {
                Some((component, output)) => taps.push(Tap { component, output, sink: request.sink.clone() }),
                None => {
                    let message = format!("the data flow has no path {} to tap", request.path_id);
                    diagnostics.push(Diagnostic::error(codes::DTS_E_OBJECTIDNOTFOUND, &spec.path, message));
                }
            }
        }
        taps
    }
}

/// The component and output that `Paths[component.output]` names.
pub fn find_output(spec: &FlowSpec, path_id: &str) -> Option<(usize, usize)> {
    let name = path_id.strip_prefix("Paths[")?.strip_suffix(']')?;
    spec.components.iter().enumerate().find_map(|(c, component)| {
        let output = name.strip_prefix(component.name.as_str())?.strip_prefix('.')?;
        Some((c, component.outputs.iter().position(|o| o.name == output)?))
    })
}

impl FlowRunner for Pipelines {
    fn written(&self, spec: &FlowSpec) -> Vec<String> {
        let writers = spec.components.iter().filter(|c| self.kinds.component(&c.kind).is_some_and(|k| k.writes()));
        writers.flat_map(|c| c.connections.iter().map(|(_, id)| id.clone())).collect()
    }

    fn bind(&self, spec: &FlowSpec, cx: &FlowCx) -> (Option<Box<dyn BoundFlow>>, Vec<Diagnostic>) {
        begin(&*cx.events, codes::DTS_I_EXECUTIONPHASE_VALIDATE);
        let mut diagnostics = Vec::new();
        let taps = self.taps_of(spec, &mut diagnostics);
        let tapped: Vec<(usize, usize)> = taps.iter().map(|t| (t.component, t.output)).collect();
        let env = BindEnv {
            kinds: &*self.kinds,
            variables: &*cx.variables,
            connections: &|id| cx.connections.get(id),
            services: &cx.services,
            online: cx.online,
            tapped: &tapped,
        };
        cx.events.progress("Validating", 0, "");
        let (plan, found) = flow::bind(spec, &env);
        diagnostics.extend(found);
        shares(&*cx.events, "Validating", spec.components.len());
        if diagnostics.iter().any(Diagnostic::is_error) {
            if cx.online {
                verdict(spec, &mut diagnostics);
            }
            return (None, diagnostics);
        }
        let bound = plan.map(|plan| {
            let observer = self.observer.clone();
            Box::new(Ready { plan: Arc::new(plan), taps, observer }) as Box<dyn BoundFlow>
        });
        (bound, diagnostics)
    }
}

/// Says of a flow that failed validation what the pipeline of the original says: which components are not valid and how,
/// and whether they or the layout are to blame.
fn verdict(spec: &FlowSpec, diagnostics: &mut Vec<Diagnostic>) {
    let speaker = format!("{}\\{SPEAKER}", spec.path);
    let mut components = false;
    let mut said = Vec::new();
    for component in &spec.components {
        let own = || diagnostics.iter().filter(|d| d.is_error() && d.object == component.path);
        if own().next().is_none() {
            continue;
        }
        components = true;
        let code = codes::DTS_E_INDIVIDUALVALIDATIONSTATUSFAILED;
        if own().any(|d| d.code == Some(code)) {
            continue;
        }
        let stale = own().all(|d| d.code.is_some_and(|code| NEW_METADATA.contains(&code)));
        let status = if stale { "VS_NEEDSNEWMETADATA" } else { "VS_ISBROKEN" };
        said.push(Diagnostic::error(code, &speaker, code.message(&[&component.name, &status])));
    }
    let layout = diagnostics.iter().any(|d| d.is_error() && !spec.components.iter().any(|c| c.path == d.object));
    let code = match (layout, components) {
        (true, true) => codes::DTS_E_VALIDATIONFAILED,
        (true, false) => codes::DTS_E_VALIDATIONFAILEDONLAYOUT,
        _ => codes::DTS_E_VALIDATIONFAILEDONCOMPONENTS,
    };
    said.push(Diagnostic::error(code, &speaker, code.message(&[])));
    diagnostics.extend(said);
}

/// What fetching the metadata anew would mend.
const NEW_METADATA: &[Code] = &[
    codes::DTS_E_COLUMNMAPPEDTONONEXISTENTEXTERNALMETADATACOLUMN,
    codes::DTS_E_COLUMNNOTMAPPEDTOEXTERNALMETADATACOLUMN,
    codes::DTS_E_METADATAMISMATCHWITHINPUTCOLUMN,
    codes::DTS_E_METADATAMISMATCHWITHOUTPUTCOLUMN,
    codes::DTS_E_XMLSRCEXTERNALMETADATACOLUMNNOTINSCHEMA,
];

/// A flow that is bound.
struct Ready {
    plan: Arc<FlowPlan>,
    taps: Vec<Tap>,
    observer: Option<Arc<dyn FlowEvents>>,
}

/// Tells when rows begin to flow.
struct Begin<'a> {
    events: &'a Arc<dyn Events>,
    observer: Option<&'a dyn FlowEvents>,
    begun: AtomicBool,
}

impl FlowEvents for Begin<'_> {
    fn executing(&self, plan: &Arc<FlowPlan>, metrics: &Arc<FlowMetrics>) {
        self.begun.store(true, Ordering::Relaxed);
        shares(&**self.events, "Pre-Execute", plan.nodes.len());
        begin(&**self.events, codes::DTS_I_EXECUTIONPHASE_EXECUTE);
        if let Some(observer) = self.observer {
            observer.executing(plan, metrics);
        }
    }
}

impl BoundFlow for Ready {
    fn run(&self, cx: &FlowCx) -> Result<FlowSummary> {
        let events = &cx.events;
        begin(&**events, codes::DTS_I_EXECUTIONPHASE_PREPAREFOREXECUTE);
        events.progress("Prepare for Execute", 0, "");
        shares(&**events, "Prepare for Execute", self.plan.nodes.len());
        begin(&**events, codes::DTS_I_EXECUTIONPHASE_PREEXECUTE);
        events.progress("Pre-Execute", 0, "");
        let watch = Begin { events, observer: self.observer.as_deref(), begun: AtomicBool::new(false) };
        let done = flow::execute(&self.plan, &cx.services, &cx.variables, events, &self.taps, Some(&watch));
        let outcome = match done {
            Ok(outcome) => outcome,
            Err(error) if error.owner() == Owner::Cancelled => return Err(error),
            Err(error) => return Err(self.failed(error, watch.begun.load(Ordering::Relaxed), &**events)),
        };
        begin(&**events, codes::DTS_I_EXECUTIONPHASE_POSTEXECUTE);
        events.progress("Post Execute", 0, "");
        shares(&**events, "Post Execute", self.plan.nodes.len());
        let mut summary = FlowSummary::default();
        for (index, node) in self.plan.nodes.iter().enumerate().filter(|(_, n)| is_destination(n)) {
            let rows = outcome.metrics.rows_received(index);
            summary.rows += rows;
            let code = codes::DTS_I_ROWS_WRITTEN;
            events.fire(Message::new(code, SPEAKER, code.message(&[&node.spec.name, &rows])));
        }
        begin(&**events, codes::DTS_I_EXECUTIONPHASE_CLEANUP);
        events.progress("Cleanup", 0, "");
        shares(&**events, "Cleanup", self.plan.nodes.len());
        Ok(summary)
    }
}

/// Whether rows end here: nothing but rejected rows leaves.
fn is_destination(node: &PlanNode) -> bool {
    !matches!(node.bound, Bound::Source(_)) && node.spec.outputs.iter().all(|output| output.is_error)
}

impl Ready {
    /// Fires what the component says, and gives what the pipeline makes of it: that a component failed before rows
    /// flowed, that a source, or that another component failed while they did.
    fn failed(&self, error: Error, begun: bool, events: &dyn Events) -> Error {
        let Some(index) = self.plan.nodes.iter().position(|n| n.spec.path == error.object()) else { return error };
        let node = &self.plan.nodes[index];
        let name = &node.spec.name;
        let cause = error.code().unwrap_or(codes::DTS_E_GENERICERROR);
        let severity = Severity::Error;
        events.fire(Message { severity, code: cause, sub_component: name.clone(), text: error.to_string() });
        let number = format!("{:08X}", cause.0);
        let (code, text) = match &node.bound {
            _ if !begun => {
                let code = codes::DTS_E_INDIVIDUALPREEXECUTEFAILED;
                (code, code.message(&[name, &number]))
            }
            Bound::Source(_) => {
                let code = codes::DTS_E_PRIMEOUTPUTFAILED;
                (code, code.message(&[name, &number]))
            }
            _ => {
                let code = codes::DTS_E_PROCESSINPUTFAILED;
                let input = node.spec.inputs.first().map_or("", |i| i.name.as_str());
                // The original numbers components and inputs as it loads them; ours count in file order (unconfirmed).
                (code, code.message(&[name, &(index + 1), &number, &input, &1]))
            }
        };
        Error::new(error.owner(), code, text).at(&format!("{}\\{SPEAKER}", self.plan.path))
    }
}

/// Tells how far a phase is after each component: the share of those that are done, as the original's logs show it.
fn shares(events: &dyn Events, phase: &str, components: usize) {
    for done in 1..=components {
        events.progress(phase, (done * 100 / components) as u8, "");
    }
}

/// Tells that a phase begins.
fn begin(events: &dyn Events, phase: Code) {
    events.fire(Message::new(phase, SPEAKER, phase.message(&[])));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::{ComponentSpec, OutputSpec};

    #[test]
    fn taps_find_outputs_by_component_and_name() {
        let component = |name: &str, outputs: &[&str]| ComponentSpec {
            name: name.to_owned(),
            outputs: outputs.iter().map(|o| OutputSpec { name: (*o).to_owned(), ..OutputSpec::default() }).collect(),
            ..ComponentSpec::default()
        };
        let spec = FlowSpec {
            components: vec![component("A", &["x"]), component("A.B", &["x", "Error Output"])],
            ..FlowSpec::default()
        };
        for (path, expected) in [
            ("Paths[A.x]", Some((0, 0))),
            ("Paths[A.B.x]", Some((1, 0))),
            ("Paths[A.B.Error Output]", Some((1, 1))),
            ("Paths[A.y]", None),
            ("A.x", None),
        ] {
            assert_eq!(find_output(&spec, path), expected, "{path}");
        }
    }
}
