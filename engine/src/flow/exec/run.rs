//! Opening a plan, running its pipelines, ending it as one.

use super::super::contract::{
    Bound, Ended, Fetch, Inline, Morsel, OpenCx, Ports, Sink, Source, StageEnds, Step, Waker,
};
use super::super::cut::{Pipeline, Target, cut};
use super::super::plan::{FlowPlan, Tap};
use super::super::spec::Layout;
use super::accounts;
use super::driver::Driver;
use super::failure::Failure;
use super::leaf::Leaf;
use super::metrics::FlowMetrics;
use crate::diag::{Error, Owner, Result};
use crate::events::Events;
use crate::run::Services;
use crate::variables::VariableAccess;
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// What a flow tells while it runs.
pub trait FlowEvents: Send + Sync {
    /// Everything is open, rows begin to flow; the counters may be read from now on.
    fn executing(&self, plan: &Arc<FlowPlan>, metrics: &Arc<FlowMetrics>);
}

/// What a flow came to.
#[derive(Debug)]
pub struct FlowOutcome {
    /// The counters at the end.
    pub metrics: Arc<FlowMetrics>,
}

/// What the pipelines of one execution share.
pub(super) struct FlowShared {
    pub plan: Arc<FlowPlan>,
    pub services: Services,
    pub metrics: Arc<FlowMetrics>,
    stop: AtomicBool,
    pipelines: Mutex<Vec<Arc<PipelineRun>>>,
    state: Mutex<FlowState>,
    ended: Condvar,
}

#[derive(Default)]
struct FlowState {
    remaining: usize,
    /// What the flow fails with, and the root of the pipeline that said so.
    error: Option<(usize, Error)>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl FlowShared {
    /// Whether all pipelines should end.
    pub fn stopping(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Records what the pipeline of `root` fails with, or says more exactly what it said before. The first pipeline to fail
    /// decides; but what it was interrupted by is no failure, unless the run was cancelled.
    fn failed(&self, root: usize, error: Error) {
        let mut state = lock(&self.state);
        let decided = state.error.as_ref().is_some_and(|(first, earlier)| {
            *first != root && (earlier.owner() != Owner::Cancelled || self.services.cancel.is_cancelled())
        });
        if !decided {
            state.error = Some((root, error));
        }
    }

    // On the pool, as it may be a sink that asks for the end, or a listener that it tells something: whoever ends a
    // pipeline takes its sinks in hand.
    fn stop(&self) {
        self.stop.store(true, Ordering::SeqCst);
        let pipelines = lock(&self.pipelines).clone();
        for pipeline in pipelines {
            pipeline.wake_all();
            self.services.pool.spawn_fifo(move || pipeline.maybe_complete());
        }
    }
}

/// One pipeline of a running flow.
pub(super) struct PipelineRun {
    pub flow: Arc<FlowShared>,
    /// The component that its rows come from.
    pub root: usize,
    /// By output of the root, what takes its rows.
    pub targets: Vec<Vec<RunTarget>>,
    pub leaves: Vec<Leaf>,
    pub fetch: Mutex<FetchHalf>,
    pub fetched: AtomicU64,
    pub decoded: AtomicU64,
    pub failure: Failure,
    pub lanes: usize,
    pub retired: AtomicUsize,
    /// A lane found the source busy and parked.
    pub contended: AtomicBool,
    completed: AtomicBool,
    /// How far ending is; None before and after.
    ending: Mutex<Option<Ending>>,
    sched: Mutex<Sched>,
}

/// How far the ending of a pipeline is.
#[derive(Default)]
struct Ending {
    /// The leaf in hand.
    leaf: usize,
    /// It was told to end …
    begun: bool,
    /// … and not in order.
    aborted: bool,
}

/// The serial half of the source, and the next sequence number.
pub(super) struct FetchHalf {
    pub fetch: Box<dyn Fetch>,
    pub next: u64,
    pub done: bool,
}

#[derive(Default)]
pub(super) struct Sched {
    pub parked: Vec<Driver>,
    pub notified: bool,
}

/// [`Target`], with the indices of a lane's halves.
pub(super) enum RunTarget {
    Inline { node: usize, apply: usize, selection: bool, outputs: Vec<Vec<RunTarget>> },
    Leaf { leaf: usize, selection: bool, tap: bool },
}

impl PipelineRun {
    pub fn sched(&self) -> MutexGuard<'_, Sched> {
        lock(&self.sched)
    }

    /// Ends the pipeline, once, when all lanes have retired and all that was fetched is committed (or will never be).
    pub fn maybe_complete(self: &Arc<Self>) {
        if self.retired.load(Ordering::SeqCst) < self.lanes {
            return;
        }
        // What came before the failing morsel is still committed, so that a run fails in one way only.
        let end = self.failure.seq().unwrap_or_else(|| self.fetched.load(Ordering::SeqCst));
        if !self.flow.stopping() && self.leaves.iter().any(|l| l.committed() < end) {
            return;
        }
        if !self.completed.swap(true, Ordering::SeqCst) {
            *lock(&self.ending) = Some(Ending::default());
        }
        self.end();
    }

    /// Ends the leaves one after the other. Called again by a leaf that was not through yet, and when the flow stops.
    fn end(self: &Arc<Self>) {
        {
            let mut slot = lock(&self.ending);
            let Some(ending) = slot.as_mut() else { return };
            let pipeline = Arc::downgrade(self);
            let waker = Waker::new(move || {
                if let Some(pipeline) = pipeline.upgrade() {
                    pipeline.flow.clone().services.pool.spawn_fifo(move || pipeline.end());
                }
            });
            while let Some(leaf) = self.leaves.get(ending.leaf) {
                // Before the leaf is aborted: what is behind it may fail for that, and end before this pipeline does.
                if let Some(error) = self.failure.error() {
                    self.flow.failed(self.root, error);
                }
                match self.end_leaf(leaf, ending, &waker) {
                    Ok(Ended::Parked) => return,
                    Ok(Ended::Done) => {}
                    Err(error) if error.owner() == Owner::Cancelled => {}
                    Err(error) => {
                        let seq = Failure::place(&error).unwrap_or(u64::MAX);
                        self.failure.fail(seq, error.at(&self.flow.plan.nodes[leaf.node].spec.path));
                    }
                }
                *ending = Ending { leaf: ending.leaf + 1, ..Ending::default() };
            }
            *slot = None;
        }
        let mut error = self.failure.error();
        if error.is_none() && !self.flow.stopping() {
            let path = &self.flow.plan.nodes[self.root].spec.path;
            error = lock(&self.fetch).fetch.finish().map_err(|e| e.at(path)).err();
        }
        let failed = error.is_some();
        // What the halves hold, files on disk among it, goes before the run can be seen to have ended.
        lock(&self.fetch).fetch = Box::new(Closed);
        self.leaves.iter().for_each(Leaf::close);
        if let Some(error) = error {
            self.flow.failed(self.root, error);
        }
        lock(&self.flow.state).remaining -= 1;
        self.flow.ended.notify_all();
        if failed {
            self.flow.stop();
        }
    }

    /// One step of ending a leaf: in order, unless something failed.
    fn end_leaf(&self, leaf: &Leaf, ending: &mut Ending, waker: &Waker) -> Result<Ended> {
        if !ending.aborted && (self.failure.has_failed() || self.flow.stopping()) {
            ending.aborted = true;
            leaf.abort();
        } else if !ending.begun {
            leaf.finish()?;
        }
        ending.begun = true;
        leaf.ended(waker)
    }
}

/// Stands for a source that has ended.
struct Closed;

impl Fetch for Closed {
    fn fetch(&mut self, _waker: &Waker) -> Result<Step<Morsel>> {
        Ok(Step::Done)
    }
}

/// Runs a plan to its end on the pool; the calling thread waits. Inline components set their result variables when every
/// row has passed.
///
/// # Errors
/// The first failure: what cannot be opened, the first row (in its source's order) that fails its component, what cannot be
/// written; or that the run was cancelled.
pub fn execute(
    plan: &Arc<FlowPlan>,
    services: &Services,
    variables: &Arc<dyn VariableAccess>,
    events: &Arc<dyn Events>,
    taps: &[Tap],
    observer: Option<&dyn FlowEvents>,
) -> Result<FlowOutcome> {
    services.cancel.check()?;
    let metrics = Arc::new(FlowMetrics::new(plan.nodes.iter().map(|n| n.outputs.len())));
    let shared = Arc::new(FlowShared {
        plan: plan.clone(),
        services: services.clone(),
        metrics: metrics.clone(),
        stop: AtomicBool::new(false),
        pipelines: Mutex::new(Vec::new()),
        state: Mutex::new(FlowState::default()),
        ended: Condvar::new(),
    });
    let mut opener = Opener { shared: &shared, variables, events, taps, begun: HashMap::new() };
    let drivers = opener.open()?;
    if let Some(observer) = observer {
        observer.executing(plan, &metrics);
    }
    let hook = {
        let shared = Arc::downgrade(&shared);
        services.cancel.on_cancel(move || {
            if let Some(shared) = shared.upgrade() {
                shared.stop();
            }
        })
    };
    for driver in drivers {
        services.pool.spawn_fifo(move || driver.run());
    }
    let error = {
        let mut state = lock(&shared.state);
        while state.remaining > 0 {
            state = shared.ended.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.error.take().map(|(_, error)| error)
    };
    drop(hook);
    // Pipelines and the flow hold each other.
    lock(&shared.pipelines).clear();
    if let Err(error) = error.map_or_else(|| services.cancel.check(), Err) {
        return match accounts::check(plan, &metrics, accounts::Ended::Early) {
            Ok(()) => Err(error),
            Err(defect) => Err(Error::internal(format!("{defect}; the flow ended with: {error}"))),
        };
    }
    accounts::check(plan, &metrics, accounts::Ended::InOrder)?;
    for node in 0..plan.nodes.len() {
        if matches!(plan.nodes[node].bound, Bound::Inline(_)) {
            let PlanNodeRef { inline, .. } = opener.inline(node)?;
            inline.finish(&opener.cx(node)).map_err(|e| e.at(&plan.nodes[node].spec.path))?;
        }
    }
    Ok(FlowOutcome { metrics })
}

/// Opens the halves of every component.
struct Opener<'a> {
    shared: &'a Arc<FlowShared>,
    variables: &'a Arc<dyn VariableAccess>,
    events: &'a Arc<dyn Events>,
    taps: &'a [Tap],
    /// What stands in for inline components during this execution, by node.
    begun: HashMap<usize, Arc<dyn Inline>>,
}

type Stages = HashMap<usize, StageEnds>;

impl Opener<'_> {
    fn cx(&self, node: usize) -> OpenCx {
        let spec = &self.shared.plan.nodes[node].spec;
        OpenCx {
            services: self.shared.services.clone(),
            events: self.events.clone(),
            variables: self.variables.clone(),
            path: Arc::from(spec.path.as_str()),
            name: Arc::from(spec.name.as_str()),
        }
    }

    fn open(&mut self) -> Result<Vec<Driver>> {
        let plan = &self.shared.plan;
        for (index, node) in plan.nodes.iter().enumerate() {
            if let (Bound::Inline(inline), Some(input)) = (&node.bound, node.inputs.first()) {
                let begun = inline.begin(&self.cx(index), input).map_err(|e| e.at(&node.spec.path))?;
                if let Some(begun) = begun {
                    self.begun.insert(index, begun);
                }
            }
        }
        let mut stages: Stages = HashMap::new();
        for (index, node) in plan.nodes.iter().enumerate() {
            if let Bound::Stage(stage) = &node.bound {
                let ends = stage.open(&self.cx(index), &node.inputs).map_err(|e| e.at(&node.spec.path))?;
                stages.insert(index, ends);
            }
        }
        let taps: Vec<(usize, usize)> = self.taps.iter().map(|t| (t.component, t.output)).collect();
        let pipelines = cut(plan, &taps);
        let mut drivers = Vec::new();
        let mut opened: Vec<Arc<PipelineRun>> = Vec::new();
        for pipeline in &pipelines {
            match self.open_pipeline(pipeline, &stages, &mut drivers) {
                Ok(run) => opened.push(run),
                Err(error) => {
                    opened.iter().flat_map(|p| &p.leaves).for_each(Leaf::abort);
                    return Err(error);
                }
            }
        }
        lock(&self.shared.state).remaining = opened.len();
        *lock(&self.shared.pipelines) = opened;
        Ok(drivers)
    }

    fn open_pipeline(
        &self,
        pipeline: &Pipeline,
        stages: &Stages,
        drivers: &mut Vec<Driver>,
    ) -> Result<Arc<PipelineRun>> {
        let plan = &self.shared.plan;
        let root = pipeline.root;
        let source: &dyn Source = match (&plan.nodes[root].bound, stages.get(&root)) {
            (Bound::Source(source), _) => source.as_ref(),
            (_, Some((_, source))) => source.as_ref(),
            _ => return Err(Error::internal("a pipeline begins at a component that is no source")),
        };
        let mut tree = Tree { opener: self, stages, leaves: Vec::new(), leaf_sinks: Vec::new(), inlines: Vec::new() };
        let at_root = |e: Error| e.at(&plan.nodes[root].spec.path);
        let targets = match tree.targets(root, &pipeline.outputs) {
            Ok(targets) => targets,
            Err(error) => {
                tree.leaves.iter().for_each(Leaf::abort);
                return Err(error);
            }
        };
        let Tree { leaves, leaf_sinks, inlines, .. } = tree;
        let lanes = self.shared.services.pool.current_num_threads().max(1);
        let fetch = match source.open(&self.cx(root)) {
            Ok(fetch) => fetch,
            Err(error) => {
                leaves.iter().for_each(Leaf::abort);
                return Err(at_root(error));
            }
        };
        let run = Arc::new(PipelineRun {
            flow: self.shared.clone(),
            root,
            targets,
            leaves,
            fetch: Mutex::new(FetchHalf { fetch, next: 0, done: false }),
            fetched: AtomicU64::new(0),
            decoded: AtomicU64::new(0),
            failure: Failure::default(),
            lanes,
            retired: AtomicUsize::new(0),
            contended: AtomicBool::new(false),
            completed: AtomicBool::new(false),
            ending: Mutex::new(None),
            sched: Mutex::new(Sched::default()),
        });
        match self.lanes(&run, source, &inlines, &leaf_sinks) {
            Ok(lanes) => drivers.extend(lanes),
            Err(error) => {
                run.leaves.iter().for_each(Leaf::abort);
                return Err(error);
            }
        }
        Ok(run)
    }

    /// The drivers of a pipeline: a lane half of every component for each.
    fn lanes(
        &self,
        run: &Arc<PipelineRun>,
        source: &dyn Source,
        inlines: &[usize],
        leaf_sinks: &[(SinkRef<'_>, usize, Layout)],
    ) -> Result<Vec<Driver>> {
        let plan = &self.shared.plan;
        let root = run.root;
        let mut drivers = Vec::with_capacity(run.lanes);
        for _ in 0..run.lanes {
            let mut ports = vec![Ports::new(plan.nodes[root].outputs.len())];
            let mut applies = Vec::new();
            for node in inlines {
                let PlanNodeRef { inline, input } = self.inline(*node)?;
                applies.push(inline.open(&self.cx(*node), input).map_err(|e| e.at(&plan.nodes[*node].spec.path))?);
                ports.push(Ports::new(plan.nodes[*node].outputs.len()));
            }
            let mut encoders = Vec::new();
            for (sink, node, layout) in leaf_sinks {
                let encoder = sink.get().encoder(&self.cx(*node), layout);
                encoders.push(encoder.map_err(|e| e.at(&plan.nodes[*node].spec.path))?);
            }
            drivers.push(Driver {
                pipeline: run.clone(),
                decoder: source
                    .decoder(&self.cx(root), &plan.nodes[root].outputs)
                    .map_err(|e| e.at(&plan.nodes[root].spec.path))?,
                applies,
                blocks: encoders.iter().map(|_| VecDeque::new()).collect(),
                encoders,
                ports,
            });
        }
        Ok(drivers)
    }

    fn inline(&self, node: usize) -> Result<PlanNodeRef<'_>> {
        let planned = &self.shared.plan.nodes[node];
        match (&planned.bound, planned.inputs.first()) {
            (Bound::Inline(inline), Some(input)) => {
                let inline = self.begun.get(&node).map_or(inline.as_ref(), AsRef::as_ref);
                Ok(PlanNodeRef { inline, input })
            }
            _ => Err(Error::internal("a fused component is no inline component with an input")),
        }
    }
}

struct PlanNodeRef<'a> {
    inline: &'a dyn super::super::Inline,
    input: &'a Layout,
}

enum SinkRef<'a> {
    Planned(&'a dyn Sink),
    Shared(Arc<dyn Sink>),
}

impl SinkRef<'_> {
    fn get(&self) -> &dyn Sink {
        match self {
            SinkRef::Planned(sink) => *sink,
            SinkRef::Shared(sink) => sink.as_ref(),
        }
    }
}

/// Gathers the leaves and inline components of one pipeline while its tree is turned into run targets.
struct Tree<'a> {
    opener: &'a Opener<'a>,
    stages: &'a Stages,
    leaves: Vec<Leaf>,
    leaf_sinks: Vec<(SinkRef<'a>, usize, Layout)>,
    inlines: Vec<usize>,
}

impl<'a> Tree<'a> {
    fn targets(&mut self, from: usize, outputs: &[Vec<Target>]) -> Result<Vec<Vec<RunTarget>>> {
        let mut result = Vec::with_capacity(outputs.len());
        for (port, targets) in outputs.iter().enumerate() {
            result.push(targets.iter().map(|t| self.target(from, port, t)).collect::<Result<Vec<_>>>()?);
        }
        Ok(result)
    }

    fn target(&mut self, from: usize, port: usize, target: &Target) -> Result<RunTarget> {
        let plan: &'a FlowPlan = &self.opener.shared.plan;
        match target {
            Target::Inline(step) => {
                let apply = self.inlines.len();
                self.inlines.push(step.node);
                let selection = self.opener.inline(step.node)?.inline.accepts_selection();
                let outputs = self.targets(step.node, &step.outputs)?;
                Ok(RunTarget::Inline { node: step.node, apply, selection, outputs })
            }
            Target::Leaf { node, input } => {
                let sink = match (&plan.nodes[*node].bound, self.stages.get(node)) {
                    (Bound::Sink(sink), _) => SinkRef::Planned(sink.as_ref()),
                    (_, Some((sinks, _))) => {
                        let sink = sinks.get(*input).ok_or_else(|| Error::internal("a stage without that input"))?;
                        SinkRef::Shared(sink.clone())
                    }
                    _ => return Err(Error::internal("a path ends at a source")),
                };
                self.leaf(sink, *node, plan.nodes[*node].inputs[*input].clone(), false)
            }
            Target::Tap(tap) => {
                let layout = plan.nodes[from].outputs[port].clone();
                self.leaf(SinkRef::Shared(self.opener.taps[*tap].sink.clone()), from, layout, true)
            }
        }
    }

    fn leaf(&mut self, sink: SinkRef<'a>, node: usize, layout: Layout, tap: bool) -> Result<RunTarget> {
        let path = &self.opener.shared.plan.nodes[node].spec.path;
        let commit = sink.get().open(&self.opener.cx(node), &layout).map_err(|e| e.at(path))?;
        let selection = sink.get().accepts_selection();
        self.leaves.push(Leaf::new(node, commit));
        self.leaf_sinks.push((sink, node, layout));
        Ok(RunTarget::Leaf { leaf: self.leaves.len() - 1, selection, tap })
    }
}
