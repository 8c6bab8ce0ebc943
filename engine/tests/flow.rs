//! The flow executor: order, bounds, parking, failure, cancellation; with pools of 1, 2 and 4 threads, chaos off and on.

#![expect(clippy::unwrap_used, reason = "everything here is a test")]

use arrow::array::{Array, ArrayRef, Int64Array};
use dtsx_engine::batch::Batch;
use dtsx_engine::connections::ConnectionSpec;
use dtsx_engine::diag::{Code, Diagnostic, Error, Owner, Result, RowError};
use dtsx_engine::events::{Events, Quiet};
use dtsx_engine::flow::*;
use dtsx_engine::run::{ChaosOptions, Handover, RunOptions, Services};
use dtsx_engine::types::DataType;
use dtsx_engine::variables::{NoVariables, VariableAccess};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// Emits 0..morsels*rows in morsels; fails at the row named by property `fail_at`.
struct Numbers {
    morsels: u64,
    rows: u64,
    fail_at: Option<u64>,
}
struct NumbersFetch(u64, u64);
struct NumbersDecode {
    rows: u64,
    fail_at: Option<u64>,
}
impl Source for Numbers {
    fn open(&self, _: &OpenCx) -> Result<Box<dyn Fetch>> {
        Ok(Box::new(NumbersFetch(0, self.morsels)))
    }
    fn decoder(&self, _: &OpenCx, _: &[Layout]) -> Result<Box<dyn Decode>> {
        Ok(Box::new(NumbersDecode { rows: self.rows, fail_at: self.fail_at }))
    }
}
impl Fetch for NumbersFetch {
    fn fetch(&mut self, _: &Waker) -> Result<Step<Morsel>> {
        if self.0 == self.1 {
            return Ok(Step::Done);
        }
        self.0 += 1;
        Ok(Step::More(Box::new(self.0 - 1)))
    }
}
impl Decode for NumbersDecode {
    fn decode(&mut self, seq: u64, morsel: Morsel, out: &mut Ports) -> Result<()> {
        let m = *morsel.downcast::<u64>().unwrap();
        assert_eq!(m, seq);
        let values: Vec<i64> = (m * self.rows..(m + 1) * self.rows).map(|v| v as i64).collect();
        if let Some(at) = self.fail_at.filter(|at| (m * self.rows..(m + 1) * self.rows).contains(at)) {
            out.put(0, Batch::new(seq, values.len(), vec![Arc::new(Int64Array::from(values)) as ArrayRef]));
            let row = RowError { batch: Some((seq, (at - m * self.rows) as u32)), ..RowError::default() };
            return Err(Error::new(Owner::Data, Code(0xC0209029), "bad").with_row(row));
        }
        out.put(0, Batch::new(seq, values.len(), vec![Arc::new(Int64Array::from(values)) as ArrayRef]));
        Ok(())
    }
}

/// Splits odd and even numbers by selection.
struct Parity;
impl Inline for Parity {
    fn accepts_selection(&self) -> bool {
        false
    }
    fn open(&self, _: &OpenCx, _: &Layout) -> Result<Box<dyn Apply>> {
        Ok(Box::new(Parity))
    }
}
impl Apply for Parity {
    fn apply(&mut self, batch: Batch, out: &mut Ports) -> Result<()> {
        let values = batch.columns[0].as_any().downcast_ref::<Int64Array>().unwrap();
        for parity in 0..2 {
            let rows: Vec<u32> =
                (0..values.len()).filter(|i| values.value(*i) % 2 == parity).map(|i| i as u32).collect();
            out.put(parity as usize, Batch { selection: Some(Arc::new(rows)), ..batch.clone() });
        }
        Ok(())
    }
}

/// Collects numbers; parks every `park`-th offer until another thread wakes it.
#[derive(Clone)]
struct Collect {
    into: Arc<Mutex<Vec<i64>>>,
    park: u64,
    ended: Arc<AtomicU64>,
}
struct CollectCommit(Collect, u64);
impl Sink for Collect {
    fn open(&self, _: &OpenCx, _: &Layout) -> Result<Box<dyn Commit>> {
        Ok(Box::new(CollectCommit(self.clone(), 0)))
    }
    fn encoder(&self, _: &OpenCx, _: &Layout) -> Result<Box<dyn Encode>> {
        Ok(Box::new(self.clone()))
    }
}
impl Encode for Collect {
    fn encode(&mut self, batch: Batch) -> Result<Block> {
        let values = batch.columns[0].as_any().downcast_ref::<Int64Array>().unwrap();
        Ok(Box::new(values.values().to_vec()))
    }
}
impl Commit for CollectCommit {
    fn commit(&mut self, block: Block, waker: &Waker) -> Result<Committed> {
        self.1 += 1;
        if self.0.park > 0 && self.1.is_multiple_of(self.0.park) {
            let waker = waker.clone();
            std::thread::spawn(move || {
                std::thread::sleep(std::time::Duration::from_micros(300));
                waker.wake();
            });
            return Ok(Committed::Parked(block));
        }
        self.0.into.lock().unwrap().extend(*block.downcast::<Vec<i64>>().unwrap());
        Ok(Committed::Taken)
    }
    fn finish(&mut self) -> Result<()> {
        self.0.ended.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
    fn abort(&mut self) {
        self.0.ended.fetch_add(100, Ordering::SeqCst);
    }
}

/// A bounded queue between two inputs and one output: a small Union All.
struct Queue {
    state: Mutex<QueueState>,
}
#[derive(Default)]
struct QueueState {
    items: VecDeque<Vec<i64>>,
    open: usize,
    readers: Vec<Waker>,
    writers: Vec<Waker>,
}
struct Union;
impl Stage for Union {
    fn open(&self, _: &OpenCx, inputs: &[Layout]) -> Result<(Vec<Arc<dyn Sink>>, Arc<dyn Source>)> {
        let queue = Arc::new(Queue { state: Mutex::new(QueueState { open: inputs.len(), ..QueueState::default() }) });
        let sinks = inputs.iter().map(|_| Arc::new(QueueEnd(queue.clone())) as Arc<dyn Sink>).collect();
        Ok((sinks, Arc::new(QueueEnd(queue))))
    }
    fn blocks(&self) -> bool {
        false
    }
    fn row_rule(&self) -> RowRule {
        RowRule::Once
    }
}
#[derive(Clone)]
struct QueueEnd(Arc<Queue>);
impl Sink for QueueEnd {
    fn open(&self, _: &OpenCx, _: &Layout) -> Result<Box<dyn Commit>> {
        Ok(Box::new(self.clone()))
    }
    fn encoder(&self, _: &OpenCx, _: &Layout) -> Result<Box<dyn Encode>> {
        Ok(Box::new(Collect { into: Arc::default(), park: 0, ended: Arc::default() }))
    }
}
impl Commit for QueueEnd {
    fn commit(&mut self, block: Block, waker: &Waker) -> Result<Committed> {
        let mut q = self.0.state.lock().unwrap();
        if q.items.len() >= 2 {
            q.writers.push(waker.clone());
            return Ok(Committed::Parked(block));
        }
        q.items.push_back(*block.downcast::<Vec<i64>>().unwrap());
        q.readers.drain(..).for_each(|w| w.wake());
        Ok(Committed::Taken)
    }
    fn finish(&mut self) -> Result<()> {
        let mut q = self.0.state.lock().unwrap();
        q.open -= 1;
        q.readers.drain(..).for_each(|w| w.wake());
        Ok(())
    }
}
impl Source for QueueEnd {
    fn open(&self, _: &OpenCx) -> Result<Box<dyn Fetch>> {
        Ok(Box::new(self.clone()))
    }
    fn decoder(&self, _: &OpenCx, _: &[Layout]) -> Result<Box<dyn Decode>> {
        Ok(Box::new(self.clone()))
    }
}
impl Fetch for QueueEnd {
    fn fetch(&mut self, waker: &Waker) -> Result<Step<Morsel>> {
        let mut q = self.0.state.lock().unwrap();
        match q.items.pop_front() {
            Some(item) => {
                q.writers.drain(..).for_each(|w| w.wake());
                Ok(Step::More(Box::new(item)))
            }
            None if q.open == 0 => Ok(Step::Done),
            None => {
                q.readers.push(waker.clone());
                Ok(Step::Parked)
            }
        }
    }
}
impl Decode for QueueEnd {
    fn decode(&mut self, seq: u64, morsel: Morsel, out: &mut Ports) -> Result<()> {
        let values = *morsel.downcast::<Vec<i64>>().unwrap();
        out.put(0, Batch::new(seq, values.len(), vec![Arc::new(Int64Array::from(values)) as ArrayRef]));
        Ok(())
    }
}

fn column() -> OutputColumnSpec {
    OutputColumnSpec::new(1, "n", DataType::I8)
}
fn layout() -> Layout {
    let output = column();
    Layout {
        columns: vec![ColumnRef {
            lineage: output.lineage,
            name: output.name,
            component: "src".into(),
            data_type: DataType::I8,
            sort_key: 0,
            comparison_flags: 0,
            used: true,
        }],
    }
}
fn node(name: &str, bound: Bound, inputs: usize, outputs: usize) -> PlanNode {
    let spec = ComponentSpec {
        name: name.into(),
        path: format!("\\Package\\Flow\\{name}"),
        inputs: vec![InputSpec::default(); inputs],
        outputs: vec![OutputSpec::default(); outputs],
        ..ComponentSpec::default()
    };
    PlanNode { spec, bound, inputs: vec![layout(); inputs], outputs: vec![layout(); outputs] }
}

fn settings() -> Vec<RunOptions> {
    let mut all = Vec::new();
    for threads in [1, 2, 4] {
        for park in [false, true] {
            for batch_rows in [None, Some(3)] {
                all.push(RunOptions { threads, batch_rows, chaos: ChaosOptions { park }, ..RunOptions::default() });
            }
        }
    }
    all
}
fn run(plan: FlowPlan, services: &Services) -> Result<FlowOutcome> {
    let variables: Arc<dyn VariableAccess> = Arc::new(NoVariables);
    let events: Arc<dyn Events> = Arc::new(Quiet);
    execute(&Arc::new(plan), services, &variables, &events, &[], None)
}
fn collector(park: u64) -> (Collect, Arc<Mutex<Vec<i64>>>, Arc<AtomicU64>) {
    let into = Arc::new(Mutex::new(Vec::new()));
    let ended = Arc::new(AtomicU64::new(0));
    (Collect { into: into.clone(), park, ended: ended.clone() }, into, ended)
}

#[test]
fn a_split_keeps_order_and_every_row() {
    for options in settings() {
        let (even, evens, ended) = collector(0);
        let (odd, odds, _) = collector(4);
        let plan = FlowPlan {
            path: "\\Package\\Flow".into(),
            nodes: vec![
                node("src", Bound::Source(Box::new(Numbers { morsels: 97, rows: 11, fail_at: None })), 0, 1),
                node("split", Bound::Inline(Box::new(Parity)), 1, 2),
                node("even", Bound::Sink(Box::new(even)), 1, 0),
                node("odd", Bound::Sink(Box::new(odd)), 1, 0),
            ],
            consumers: vec![vec![Some((1, 0))], vec![Some((2, 0)), Some((3, 0))], vec![], vec![]],
            path_names: vec![vec![String::new()], vec![String::new(); 2], vec![], vec![]],
        };
        let outcome = run(plan, &Services::new(options.clone()).unwrap()).unwrap();
        let n = 97 * 11;
        assert_eq!(*evens.lock().unwrap(), (0..n).filter(|v| v % 2 == 0).collect::<Vec<i64>>(), "{options:?}");
        assert_eq!(*odds.lock().unwrap(), (0..n).filter(|v| v % 2 == 1).collect::<Vec<i64>>(), "{options:?}");
        assert_eq!(ended.load(Ordering::SeqCst), 1);
        assert_eq!(outcome.metrics.rows_sent(0, 0), n as u64);
        assert_eq!(outcome.metrics.rows_received(2) + outcome.metrics.rows_received(3), n as u64);
    }
}

#[test]
fn a_stage_with_two_inputs_takes_every_row_once() {
    for options in settings() {
        let (all, rows, _) = collector(5);
        let source = || Bound::Source(Box::new(Numbers { morsels: 60, rows: 7, fail_at: None }));
        let plan = FlowPlan {
            path: "\\Package\\Flow".into(),
            nodes: vec![
                node("a", source(), 0, 1),
                node("b", source(), 0, 1),
                node("union", Bound::Stage(Box::new(Union)), 2, 1),
                node("all", Bound::Sink(Box::new(all)), 1, 0),
            ],
            consumers: vec![vec![Some((2, 0))], vec![Some((2, 1))], vec![Some((3, 0))], vec![]],
            path_names: vec![vec![String::new()], vec![String::new()], vec![String::new()], vec![]],
        };
        run(plan, &Services::new(options.clone()).unwrap()).unwrap();
        let mut rows = rows.lock().unwrap().clone();
        rows.sort_unstable();
        let expected: Vec<i64> = (0..420).flat_map(|v| [v, v]).collect();
        assert_eq!(rows, expected, "{options:?}");
    }
}

#[test]
fn the_first_bad_row_in_source_order_decides() {
    for options in settings() {
        let (sink, rows, ended) = collector(0);
        let plan = FlowPlan {
            path: "\\Package\\Flow".into(),
            nodes: vec![
                node("src", Bound::Source(Box::new(Numbers { morsels: 50, rows: 10, fail_at: Some(237) })), 0, 1),
                node("sink", Bound::Sink(Box::new(sink)), 1, 0),
            ],
            consumers: vec![vec![Some((1, 0))], vec![]],
            path_names: vec![vec![String::new()], vec![]],
        };
        let error = run(plan, &Services::new(options.clone()).unwrap()).unwrap_err();
        assert_eq!(error.row().unwrap().number, Some(238), "{options:?}");
        assert_eq!(error.object(), "\\Package\\Flow\\src");
        assert_eq!(*rows.lock().unwrap(), (0..230).collect::<Vec<i64>>(), "every earlier morsel is committed");
        assert_eq!(ended.load(Ordering::SeqCst), 100, "the sink is aborted, not finished");
    }
}

/// A sink with a thread of its own, which is slower than the flow.
struct Ashore {
    into: Arc<Mutex<Vec<i64>>>,
    /// The value that it fails at.
    fail_at: Option<i64>,
}
/// How a sink ended, and who waits for it.
type End = Arc<Mutex<(Option<Result<()>>, Option<Waker>)>>;

struct AshoreCommit {
    queue: Handover<Batch>,
    end: End,
}
impl Sink for Ashore {
    fn open(&self, cx: &OpenCx, _: &Layout) -> Result<Box<dyn Commit>> {
        let queue: Handover<Batch> = Handover::new(2);
        let end: End = Arc::default();
        let (taken, told, into, fail_at) = (queue.clone(), end.clone(), self.into.clone(), self.fail_at);
        let work = move || -> Result<()> {
            while let Some(batch) = taken.receive()? {
                std::thread::sleep(std::time::Duration::from_millis(1));
                let column = batch.columns[0].as_any().downcast_ref::<Int64Array>().unwrap();
                for (row, value) in column.values().iter().enumerate() {
                    if Some(*value) == fail_at {
                        let batch = Some((batch.seq, batch.origin.of(row as u32)));
                        let error = Error::internal("full").with_row(RowError { batch, ..RowError::default() });
                        taken.fail(error.clone());
                        return Err(error);
                    }
                    into.lock().unwrap().push(*value);
                }
            }
            Ok(())
        };
        cx.services.own_thread("ashore", work, move |done| {
            let mut end = told.lock().unwrap();
            end.0 = Some(done.clone());
            if let Some(waker) = end.1.take() {
                waker.wake();
            }
        })?;
        Ok(Box::new(AshoreCommit { queue, end }))
    }
    fn encoder(&self, _: &OpenCx, _: &Layout) -> Result<Box<dyn Encode>> {
        Ok(Box::new(Whole))
    }
}
struct Whole;
impl Encode for Whole {
    fn encode(&mut self, batch: Batch) -> Result<Block> {
        Ok(Box::new(batch))
    }
}
impl Commit for AshoreCommit {
    fn commit(&mut self, block: Block, waker: &Waker) -> Result<Committed> {
        let batch = *block.downcast::<Batch>().unwrap();
        Ok(self.queue.offer(batch, waker)?.map_or(Committed::Taken, |batch| Committed::Parked(Box::new(batch))))
    }
    fn finish(&mut self) -> Result<()> {
        self.queue.end();
        Ok(())
    }
    fn abort(&mut self) {
        self.queue.end();
    }
    fn ended(&mut self, waker: &Waker) -> Result<Ended> {
        let mut end = self.end.lock().unwrap();
        match end.0.take() {
            Some(done) => done.map(|()| Ended::Done),
            None => {
                end.1 = Some(waker.clone());
                Ok(Ended::Parked)
            }
        }
    }
}

#[test]
fn a_flow_ends_when_its_slowest_sink_has_ended() {
    for options in settings() {
        // What fails: nothing, a row at the sink, a row at the source before and after that.
        for (at_sink, at_source, first) in [
            (None, None, None),
            (Some(219), None, Some(220)),
            (Some(219), Some(237), Some(220)),
            (Some(219), Some(21), Some(22)),
        ] {
            let into = Arc::new(Mutex::new(Vec::new()));
            let sink = Ashore { into: into.clone(), fail_at: at_sink };
            let plan = FlowPlan {
                path: "\\Package\\Flow".into(),
                nodes: vec![
                    node("src", Bound::Source(Box::new(Numbers { morsels: 25, rows: 10, fail_at: at_source })), 0, 1),
                    node("sink", Bound::Sink(Box::new(sink)), 1, 0),
                ],
                consumers: vec![vec![Some((1, 0))], vec![]],
                path_names: vec![vec![String::new()], vec![]],
            };
            let ran = run(plan, &Services::new(options.clone()).unwrap());
            let number = ran.as_ref().err().and_then(|e| e.row()).and_then(|r| r.number);
            assert_eq!(number, first, "{options:?}");
            let written = match first {
                None => 250,
                Some(220) => 219,
                Some(_) => 20,
            };
            assert_eq!(*into.lock().unwrap(), (0..written).collect::<Vec<i64>>(), "{options:?}");
        }
    }
}

/// A stage whose output fails as interrupted when its input is aborted, and whose input ends after that only.
struct Interrupted;
#[derive(Clone)]
struct InterruptedEnd {
    queue: Handover<Batch>,
    /// Whether the output has ended, and who waits for that.
    gone: Arc<Mutex<(bool, Option<Waker>)>>,
}
struct InterruptedFetch(InterruptedEnd);
impl Stage for Interrupted {
    fn open(&self, _: &OpenCx, _: &[Layout]) -> Result<StageEnds> {
        let end = InterruptedEnd { queue: Handover::new(2), gone: Arc::default() };
        Ok((vec![Arc::new(end.clone())], Arc::new(end)))
    }
    fn blocks(&self) -> bool {
        false
    }
    fn row_rule(&self) -> RowRule {
        RowRule::Once
    }
}
impl Sink for InterruptedEnd {
    fn open(&self, _: &OpenCx, _: &Layout) -> Result<Box<dyn Commit>> {
        Ok(Box::new(self.clone()))
    }
    fn encoder(&self, _: &OpenCx, _: &Layout) -> Result<Box<dyn Encode>> {
        Ok(Box::new(Whole))
    }
}
impl Commit for InterruptedEnd {
    fn commit(&mut self, block: Block, waker: &Waker) -> Result<Committed> {
        let batch = *block.downcast::<Batch>().unwrap();
        Ok(self.queue.offer(batch, waker)?.map_or(Committed::Taken, |batch| Committed::Parked(Box::new(batch))))
    }
    fn finish(&mut self) -> Result<()> {
        self.queue.end();
        Ok(())
    }
    fn abort(&mut self) {
        self.queue.fail(Error::cancelled());
    }
    fn ended(&mut self, waker: &Waker) -> Result<Ended> {
        let mut gone = self.gone.lock().unwrap();
        if gone.0 {
            return Ok(Ended::Done);
        }
        gone.1 = Some(waker.clone());
        Ok(Ended::Parked)
    }
}
impl Source for InterruptedEnd {
    fn open(&self, _: &OpenCx) -> Result<Box<dyn Fetch>> {
        Ok(Box::new(InterruptedFetch(self.clone())))
    }
    fn decoder(&self, _: &OpenCx, _: &[Layout]) -> Result<Box<dyn Decode>> {
        Ok(Box::new(self.clone()))
    }
}
impl Fetch for InterruptedFetch {
    fn fetch(&mut self, waker: &Waker) -> Result<Step<Morsel>> {
        Ok(match self.0.queue.poll_receive(waker)? {
            Step::More(batch) => Step::More(Box::new(batch)),
            Step::Parked => Step::Parked,
            Step::Done => Step::Done,
        })
    }
}
impl Drop for InterruptedFetch {
    fn drop(&mut self) {
        let mut gone = self.0.gone.lock().unwrap();
        gone.0 = true;
        if let Some(waker) = gone.1.take() {
            waker.wake();
        }
    }
}
impl Decode for InterruptedEnd {
    fn decode(&mut self, _: u64, morsel: Morsel, out: &mut Ports) -> Result<()> {
        out.put(0, *morsel.downcast::<Batch>().unwrap());
        Ok(())
    }
}

#[test]
fn a_flow_fails_with_what_failed_and_not_with_what_that_interrupted() {
    for options in settings() {
        let (sink, _, ended) = collector(0);
        let source = Numbers { morsels: 50, rows: 10, fail_at: Some(237) };
        let plan = FlowPlan {
            path: "\\Package\\Flow".into(),
            nodes: vec![
                node("src", Bound::Source(Box::new(source)), 0, 1),
                node("stage", Bound::Stage(Box::new(Interrupted)), 1, 1),
                node("sink", Bound::Sink(Box::new(sink)), 1, 0),
            ],
            consumers: vec![vec![Some((1, 0))], vec![Some((2, 0))], vec![]],
            path_names: vec![vec![String::new()], vec![String::new()], vec![]],
        };
        let error = run(plan, &Services::new(options.clone()).unwrap()).unwrap_err();
        assert_eq!((error.owner(), error.row().and_then(|r| r.number)), (Owner::Data, Some(238)), "{options:?}");
        assert_eq!(ended.load(Ordering::SeqCst), 100, "the sink is aborted, not finished");
    }
}

#[test]
fn a_lane_that_cannot_be_opened_aborts_what_was() {
    struct NoLane;
    impl Source for NoLane {
        fn open(&self, _: &OpenCx) -> Result<Box<dyn Fetch>> {
            Ok(Box::new(NumbersFetch(0, 1)))
        }
        fn decoder(&self, _: &OpenCx, _: &[Layout]) -> Result<Box<dyn Decode>> {
            Err(Error::new(Owner::Environment, Code(0xC0209029), "no lane"))
        }
    }
    let (sink, _, ended) = collector(0);
    let plan = FlowPlan {
        path: "\\Package\\Flow".into(),
        nodes: vec![
            node("src", Bound::Source(Box::new(NoLane)), 0, 1),
            node("sink", Bound::Sink(Box::new(sink)), 1, 0),
        ],
        consumers: vec![vec![Some((1, 0))], vec![]],
        path_names: vec![vec![String::new()], vec![]],
    };
    let error = run(plan, &Services::new(RunOptions::default()).unwrap()).unwrap_err();
    assert_eq!(error.object(), "\\Package\\Flow\\src");
    assert_eq!(ended.load(Ordering::SeqCst), 100, "the sink that was opened is aborted");
}

#[test]
fn cancelling_ends_a_flow_that_is_parked() {
    struct Never;
    impl Source for Never {
        fn open(&self, _: &OpenCx) -> Result<Box<dyn Fetch>> {
            Ok(Box::new(Never))
        }
        fn decoder(&self, _: &OpenCx, _: &[Layout]) -> Result<Box<dyn Decode>> {
            Ok(Box::new(NumbersDecode { rows: 1, fail_at: None }))
        }
    }
    impl Fetch for Never {
        fn fetch(&mut self, _: &Waker) -> Result<Step<Morsel>> {
            Ok(Step::Parked)
        }
    }
    for options in settings() {
        let (sink, _, ended) = collector(0);
        let plan = FlowPlan {
            path: String::new(),
            nodes: vec![
                node("src", Bound::Source(Box::new(Never)), 0, 1),
                node("sink", Bound::Sink(Box::new(sink)), 1, 0),
            ],
            consumers: vec![vec![Some((1, 0))], vec![]],
            path_names: vec![vec![String::new()], vec![]],
        };
        let services = Services::new(options).unwrap();
        let cancel = services.cancel.clone();
        let thread = std::thread::spawn(move || {
            std::thread::sleep(std::time::Duration::from_millis(20));
            cancel.cancel();
        });
        assert_eq!(run(plan, &services).unwrap_err().owner(), Owner::Cancelled);
        assert_eq!(ended.load(Ordering::SeqCst), 100);
        thread.join().unwrap();
    }
}

#[test]
fn a_panic_in_a_component_is_an_internal_error() {
    struct Bomb;
    impl Inline for Bomb {
        fn open(&self, _: &OpenCx, _: &Layout) -> Result<Box<dyn Apply>> {
            Ok(Box::new(Bomb))
        }
    }
    impl Apply for Bomb {
        fn apply(&mut self, batch: Batch, _: &mut Ports) -> Result<()> {
            assert!(batch.seq < 3, "bomb");
            Ok(())
        }
    }
    let plan = FlowPlan {
        path: String::new(),
        nodes: vec![
            node("src", Bound::Source(Box::new(Numbers { morsels: 9, rows: 2, fail_at: None })), 0, 1),
            node("bomb", Bound::Inline(Box::new(Bomb)), 1, 1),
        ],
        consumers: vec![vec![Some((1, 0))], vec![None]],
        path_names: vec![vec![String::new()], vec![String::new()]],
    };
    let services = Services::new(RunOptions { threads: 2, ..RunOptions::default() }).unwrap();
    let error = run(plan, &services).unwrap_err();
    assert_eq!(error.owner(), Owner::Internal);
    assert!(error.to_string().contains("bomb"), "{error}");
}

#[test]
fn binding_reports_a_cycle_and_an_unknown_component() {
    struct Nothing;
    impl Kinds for Nothing {
        fn component(&self, _: &str) -> Option<&'static dyn ComponentKind> {
            None
        }
        fn unknown_component(&self, spec: &ComponentSpec) -> Diagnostic {
            Diagnostic::unsupported(&spec.path, format!("{} is not supported", spec.kind))
        }
    }
    let component = |name: &str| ComponentSpec {
        name: name.into(),
        path: format!("\\Package\\Flow\\{name}"),
        kind: "Microsoft.Imaginary".into(),
        inputs: vec![InputSpec::default()],
        outputs: vec![OutputSpec { synchronous_input: Some(0), ..OutputSpec::default() }],
        ..ComponentSpec::default()
    };
    let mut flow = FlowSpec {
        path: "\\Package\\Flow".into(),
        components: vec![component("a"), component("b")],
        paths: vec![PathSpec { name: "p".into(), from: (0, 0), to: (1, 0) }],
        ..FlowSpec::default()
    };
    let connections = |id: &str| -> Result<ConnectionSpec> { Err(Error::internal(id)) };
    let services = Services::new(RunOptions { threads: 1, ..RunOptions::default() }).unwrap();
    let env = BindEnv {
        kinds: &Nothing,
        variables: &NoVariables,
        connections: &connections,
        services: &services,
        online: false,
        tapped: &[],
    };
    let (plan, diagnostics) = bind(&flow, &env);
    assert!(plan.is_none());
    let refused = diagnostics.iter().filter(|d| d.unsupported).count();
    assert_eq!(refused, 2, "both components are reported: {diagnostics:?}");
    // The first one's input has no path, too.
    assert_eq!(diagnostics.len(), 3, "{diagnostics:?}");
    assert_eq!(diagnostics[0].code, Some(Code(0xC0047003)));
    flow.paths.push(PathSpec { name: "back".into(), from: (1, 0), to: (0, 0) });
    let (plan, diagnostics) = bind(&flow, &env);
    assert!(plan.is_none());
    assert_eq!(diagnostics[0].code, Some(Code(0xC0047000)));
}

#[test]
fn rows_that_do_not_add_up_fail_the_run_and_name_the_component() {
    // Parity sends odd numbers through its second output: without a place for them in the group, rows are missing.
    let run_split = |group: i32, taken: bool| {
        let (even, _, _) = collector(0);
        let (odd, _, _) = collector(0);
        let mut split = node("split", Bound::Inline(Box::new(Parity)), 1, 2);
        for output in &mut split.spec.outputs {
            output.synchronous_input = Some(0);
            output.exclusion_group = group;
        }
        let plan = FlowPlan {
            path: "\\Package\\Flow".into(),
            nodes: vec![
                node("src", Bound::Source(Box::new(Numbers { morsels: 5, rows: 11, fail_at: None })), 0, 1),
                split,
                node("even", Bound::Sink(Box::new(even)), 1, 0),
                node("odd", Bound::Sink(Box::new(odd)), 1, 0),
            ],
            consumers: vec![vec![Some((1, 0))], vec![Some((2, 0)), taken.then_some((3, 0))], vec![], vec![]],
            path_names: vec![vec![String::new()], vec![String::new(); 2], vec![], vec![]],
        };
        run(plan, &Services::new(RunOptions { threads: 2, ..RunOptions::default() }).unwrap())
    };
    assert!(run_split(1, true).is_ok());
    assert!(run_split(1, false).is_ok());
    let error = run_split(0, true).unwrap_err();
    assert_eq!((error.owner(), error.object()), (Owner::Internal, "\\Package\\Flow\\split"));
    assert!(error.message().contains("rows of \"split\" do not add up: 55 came in, 28 left"), "{error}");
}
