//! What the executor costs by itself: morsels of one tiny batch through a source, a chain of components that do nothing,
//! and a sink that forgets. The time an element is the time a morsel.
#![expect(clippy::expect_used, reason = "a benchmark whose flow fails has nothing to measure")]

use arrow::array::{ArrayRef, Int64Array};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use dtsx_engine::batch::Batch;
use dtsx_engine::diag::Result;
use dtsx_engine::events::{Events, Quiet};
use dtsx_engine::flow::{
    Apply, Block, Bound, Commit, Committed, ComponentSpec, Decode, Encode, Fetch, FlowPlan, Inline, InputSpec, Layout,
    Morsel, OpenCx, OutputSpec, PlanNode, Ports, Sink, Source, Step, Waker, execute,
};
use dtsx_engine::run::{RunOptions, Services};
use dtsx_engine::variables::{NoVariables, VariableAccess};
use std::sync::Arc;

const N_MORSELS: u64 = 2_000;

/// Sends the same rows again and again.
struct Same(ArrayRef);

impl Source for Same {
    fn open(&self, _: &OpenCx) -> Result<Box<dyn Fetch>> {
        Ok(Box::new(Countdown(N_MORSELS)))
    }
    fn decoder(&self, _: &OpenCx, _: &[Layout]) -> Result<Box<dyn Decode>> {
        Ok(Box::new(Same(self.0.clone())))
    }
}

impl Decode for Same {
    fn decode(&mut self, seq: u64, _: Morsel, out: &mut Ports) -> Result<()> {
        out.put(0, Batch::new(seq, self.0.len(), vec![self.0.clone()]));
        Ok(())
    }
}

struct Countdown(u64);

impl Fetch for Countdown {
    fn fetch(&mut self, _: &Waker) -> Result<Step<Morsel>> {
        match self.0.checked_sub(1) {
            Some(left) => {
                self.0 = left;
                Ok(Step::More(Box::new(())))
            }
            None => Ok(Step::Done),
        }
    }
}

/// Hands every batch on.
struct Pass;

impl Inline for Pass {
    fn open(&self, _: &OpenCx, _: &Layout) -> Result<Box<dyn Apply>> {
        Ok(Box::new(Pass))
    }
}

impl Apply for Pass {
    fn apply(&mut self, batch: Batch, out: &mut Ports) -> Result<()> {
        out.put(0, batch);
        Ok(())
    }
}

/// Takes every batch and forgets it.
struct Forget;

impl Sink for Forget {
    fn open(&self, _: &OpenCx, _: &Layout) -> Result<Box<dyn Commit>> {
        Ok(Box::new(Forget))
    }
    fn encoder(&self, _: &OpenCx, _: &Layout) -> Result<Box<dyn Encode>> {
        Ok(Box::new(Forget))
    }
}

impl Encode for Forget {
    fn encode(&mut self, batch: Batch) -> Result<Block> {
        Ok(Box::new(batch.rows))
    }
}

impl Commit for Forget {
    fn commit(&mut self, _: Block, _: &Waker) -> Result<Committed> {
        Ok(Committed::Taken)
    }
    fn finish(&mut self) -> Result<()> {
        Ok(())
    }
}

fn node(name: String, bound: Bound, n_inputs: usize, n_outputs: usize) -> PlanNode {
    let spec = ComponentSpec {
        path: format!("\\Package\\Flow\\{name}"),
        name,
        inputs: vec![InputSpec::default(); n_inputs],
        outputs: vec![OutputSpec::default(); n_outputs],
        ..ComponentSpec::default()
    };
    PlanNode { spec, bound, inputs: vec![Layout::default(); n_inputs], outputs: vec![Layout::default(); n_outputs] }
}

/// A source, `n_passes` components in a row, a sink.
fn chain(n_passes: usize) -> Arc<FlowPlan> {
    let rows: ArrayRef = Arc::new(Int64Array::from_iter_values(0..16));
    let mut nodes = vec![node("source".to_owned(), Bound::Source(Box::new(Same(rows))), 0, 1)];
    nodes.extend((0..n_passes).map(|n| node(format!("pass {n}"), Bound::Inline(Box::new(Pass)), 1, 1)));
    nodes.push(node("sink".to_owned(), Bound::Sink(Box::new(Forget)), 1, 0));
    let last = nodes.len() - 1;
    let consumers = (0..last).map(|n| vec![Some((n + 1, 0))]).chain([Vec::new()]).collect();
    let path_names = (0..last).map(|_| vec![String::new()]).chain([Vec::new()]).collect();
    Arc::new(FlowPlan { path: "\\Package\\Flow".to_owned(), nodes, consumers, path_names })
}

fn flow(c: &mut Criterion) {
    let variables: Arc<dyn VariableAccess> = Arc::new(NoVariables);
    let events: Arc<dyn Events> = Arc::new(Quiet);
    let mut group = c.benchmark_group("flow");
    group.throughput(Throughput::Elements(N_MORSELS));
    for threads in [1, 2, 4] {
        let options = RunOptions { threads, ..RunOptions::default() };
        let services = Services::new(options).expect("a pool");
        for n_passes in [0, 8] {
            let plan = chain(n_passes);
            group.bench_function(
                BenchmarkId::new(format!("{n_passes} components"), format!("{threads} threads")),
                |b| {
                    b.iter(|| execute(&plan, &services, &variables, &events, &[], None).expect("the flow runs"));
                },
            );
        }
    }
    group.finish();
}

criterion_group!(benches, flow);
criterion_main!(benches);
