//! The ends of a flow: where its rows come from, and what keeps what becomes of them.

use super::Table;
use super::specs::morsels;
use crate::text::{Cell, csv};
use arrow::array::RecordBatch;
use dtsx::rows::{RowFormat, append_rows, csv_header};
use dtsx_components::catalog::Catalog;
use dtsx_engine::batch::{Batch, RowOrigin};
use dtsx_engine::diag::{Code, Diagnostic, Error, Owner, Result};
use dtsx_engine::flow::*;
use dtsx_engine::run::{CancelToken, ReaderSink};
use dtsx_engine::types::DataType;
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// The kinds of the catalog, and the sources of a test.
pub(super) struct TestKinds<'a> {
    pub(super) sources: &'a HashMap<String, &'static TestSource>,
}

impl Kinds for TestKinds<'_> {
    fn component(&self, kind: &str) -> Option<&'static dyn ComponentKind> {
        match self.sources.get(kind) {
            Some(source) => Some(*source),
            None => Catalog.component(kind),
        }
    }

    fn unknown_component(&self, spec: &ComponentSpec) -> Diagnostic {
        Catalog.unknown_component(spec)
    }
}

/// A source of the rows of a test.
#[derive(Clone)]
pub(super) struct TestSource {
    morsels: Arc<Vec<Batch>>,
    fails: bool,
    pub(super) decoys: Arc<AtomicUsize>,
    /// The morsel with which the run is cancelled.
    pub(super) cancels_at: Arc<AtomicUsize>,
}

impl TestSource {
    /// Of rows; it lives as long as the program, as kinds do.
    pub(super) fn of(columns: &[(String, DataType)], rows: &[Vec<Cell>], fails: bool) -> &'static TestSource {
        Box::leak(Box::new(TestSource {
            morsels: Arc::new(morsels(columns, rows)),
            fails,
            decoys: Arc::default(),
            cancels_at: Arc::new(AtomicUsize::new(usize::MAX)),
        }))
    }
}

impl ComponentKind for TestSource {
    fn kind(&self) -> &'static str {
        "Test.Source"
    }

    fn title(&self) -> &'static str {
        "Test Source"
    }

    fn bind(&self, _spec: &ComponentSpec, _cx: &mut BindCx<'_>) -> Option<Bound> {
        Some(Bound::Source(Box::new(self.clone())))
    }
}

impl Source for TestSource {
    fn open(&self, cx: &OpenCx) -> Result<Box<dyn Fetch>> {
        Ok(Box::new(Morsels {
            rest: (*self.morsels).clone().into_iter(),
            fails: self.fails,
            hesitate: false,
            cancels_in: self.cancels_at.load(Ordering::SeqCst),
            cancel: cx.services.cancel.clone(),
        }))
    }

    fn decoder(&self, _cx: &OpenCx, _outputs: &[Layout]) -> Result<Box<dyn Decode>> {
        Ok(Box::new(Among { decoys: self.decoys.load(Ordering::SeqCst) }))
    }
}

struct Morsels {
    rest: std::vec::IntoIter<Batch>,
    fails: bool,
    hesitate: bool,
    cancels_in: usize,
    cancel: CancelToken,
}

impl Fetch for Morsels {
    fn fetch(&mut self, waker: &Waker) -> Result<Step<Morsel>> {
        // Every other time there is nothing yet.
        self.hesitate = !self.hesitate;
        if self.hesitate {
            waker.wake();
            return Ok(Step::Parked);
        }
        self.cancels_in -= 1;
        if self.cancels_in == 0 {
            self.cancel.cancel();
        }
        match self.rest.next() {
            Some(batch) => Ok(Step::More(Box::new(batch))),
            None if self.fails => Err(Error::new(Owner::Data, Code(0xC020_2092), "the source fails")),
            None => Ok(Step::Done),
        }
    }
}

/// Puts decoys, copies of the rows that follow, among the rows.
struct Among {
    decoys: usize,
}

impl Decode for Among {
    fn decode(&mut self, seq: u64, morsel: Morsel, out: &mut Ports) -> Result<()> {
        let batch = Batch { seq, ..*morsel.downcast::<Batch>().unwrap() };
        let (rows, step) = (batch.rows as u32, self.decoys as u32 + 1);
        if step == 1 {
            out.put(0, batch);
            return Ok(());
        }
        let indices: Vec<u32> = (0..rows * step).map(|i| (i / step + i % step) % rows).collect();
        let map = (0..rows * step).map(|i| i / step).collect();
        let gathered = Batch { selection: Some(Arc::new(indices)), ..batch }.compact()?;
        let selection = (0..rows).map(|row| row * step).collect();
        let origin = RowOrigin { base: 0, map: Some(Arc::new(map)) };
        out.put(0, Batch { selection: Some(Arc::new(selection)), origin, ..gathered });
        out.set_rows_read(rows);
        Ok(())
    }
}

/// Batches and their layout.
#[derive(Default)]
struct Kept {
    layout: Layout,
    batches: Vec<Batch>,
    ended: bool,
}

impl Kept {
    fn table(&self) -> Option<Table> {
        if !self.ended {
            return None;
        }
        let schema = self.layout.schema();
        let mut text = String::new();
        for batch in &self.batches {
            let columns = self.layout.columns.iter().zip(&batch.columns).filter(|(c, _)| c.used);
            let columns = columns.map(|(_, array)| array.clone()).collect();
            let batch = RecordBatch::try_new(schema.clone(), columns).unwrap();
            append_rows(&mut text, &batch, RowFormat::Csv).unwrap();
        }
        let header = csv(&csv_header(&schema)).remove(0).into_iter().map(Option::unwrap_or_default).collect();
        Some((header, if text.is_empty() { Vec::new() } else { csv(&text) }))
    }
}

/// A client that has no room every other time.
#[derive(Default)]
pub(super) struct Client(Mutex<ClientState>);

#[derive(Default)]
struct ClientState {
    kept: Kept,
    hesitate: bool,
}

impl Client {
    /// What it was given, if that ended in order.
    pub(super) fn table(&self) -> Option<Table> {
        self.0.lock().unwrap().kept.table()
    }
}

impl ReaderSink for Client {
    fn begin(&self, layout: &Layout) {
        self.0.lock().unwrap().kept.layout = layout.clone();
    }

    fn offer(&self, batch: Batch, wake: &Waker) -> Result<Option<Batch>> {
        let mut state = self.0.lock().unwrap();
        state.hesitate = !state.hesitate;
        if state.hesitate {
            wake.wake();
            return Ok(Some(batch));
        }
        state.kept.batches.push(batch);
        Ok(None)
    }

    fn finish(&self) {
        self.0.lock().unwrap().kept.ended = true;
    }
}

/// A tap that keeps what it sees.
pub(super) struct Collected {
    kept: Arc<Mutex<Kept>>,
    cancels_at: usize,
}

impl Collected {
    /// One that cancels the run with that batch, from 1; 0: never.
    pub(super) fn new(cancels_at: usize) -> Collected {
        Collected { kept: Arc::default(), cancels_at }
    }

    /// What came by, if that ended in order.
    pub(super) fn table(&self) -> Option<Table> {
        self.kept.lock().unwrap().table()
    }

    fn keep(&self, cx: &OpenCx) -> Keep {
        Keep {
            kept: self.kept.clone(),
            hesitate: false,
            cancels_at: self.cancels_at,
            cancel: cx.services.cancel.clone(),
        }
    }
}

impl Sink for Collected {
    fn open(&self, cx: &OpenCx, input: &Layout) -> Result<Box<dyn Commit>> {
        self.kept.lock().unwrap().layout = input.clone();
        Ok(Box::new(self.keep(cx)))
    }

    fn encoder(&self, cx: &OpenCx, _input: &Layout) -> Result<Box<dyn Encode>> {
        Ok(Box::new(self.keep(cx)))
    }
}

struct Keep {
    kept: Arc<Mutex<Kept>>,
    hesitate: bool,
    /// The batch with which the run is cancelled.
    cancels_at: usize,
    cancel: CancelToken,
}

impl Encode for Keep {
    fn encode(&mut self, batch: Batch) -> Result<Block> {
        Ok(Box::new(batch))
    }
}

impl Commit for Keep {
    fn commit(&mut self, block: Block, waker: &Waker) -> Result<Committed> {
        // Every other time there is no room yet.
        self.hesitate = !self.hesitate;
        if self.hesitate {
            waker.wake();
            return Ok(Committed::Parked(block));
        }
        let mut kept = self.kept.lock().unwrap();
        kept.batches.push(*block.downcast::<Batch>().unwrap());
        let batches = kept.batches.len();
        drop(kept);
        if batches == self.cancels_at {
            self.cancel.cancel();
        }
        Ok(Committed::Taken)
    }

    fn finish(&mut self) -> Result<()> {
        self.kept.lock().unwrap().ended = true;
        Ok(())
    }
}
