//! The rows of a DataReader destination, as an Arrow record batch reader over a bounded channel.

use arrow::array::RecordBatchOptions;
use arrow::datatypes::{Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::record_batch::{RecordBatch, RecordBatchReader};
use dtsx_engine::batch::Batch;
use dtsx_engine::diag::{Error, Result};
use dtsx_engine::flow::{Layout, Waker};
use dtsx_engine::run::{CancelToken, ReaderSink};
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// Batches that a channel holds before the destination has to pause.
const CAPACITY: usize = 4;

/// The engine's end of a channel. It never waits: a full channel gives the batch back and keeps the waker.
pub(crate) struct Channel {
    state: Mutex<State>,
    /// Notified when there is something new for the reader.
    changed: Condvar,
}

#[derive(Default)]
struct State {
    schema: Option<SchemaRef>,
    layout: Option<Layout>,
    queue: VecDeque<RecordBatch>,
    wakers: Vec<Waker>,
    /// Flows that began and have not finished.
    open: usize,
    /// The run is over, and why its rows may be incomplete.
    ended: Option<Option<String>>,
    /// The reader is gone.
    abandoned: bool,
}

impl Channel {
    pub(crate) fn new() -> Arc<Channel> {
        Arc::new(Channel { state: Mutex::default(), changed: Condvar::new() })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says that the run is over. `failure`: what the reader is told if the destination did not finish.
    pub(crate) fn end(&self, failure: Option<String>) {
        let mut state = self.lock();
        let cut = state.open > 0;
        state.ended = Some(if cut { failure.or_else(|| Some("the run ended early".to_owned())) } else { None });
        drop(state);
        self.changed.notify_all();
    }

    /// Waits until the columns are known, or until the run is over without a row.
    pub(crate) fn wait_for_schema(&self) -> Option<SchemaRef> {
        let mut state = self.lock();
        loop {
            match (&state.schema, &state.ended) {
                (Some(schema), _) => return Some(schema.clone()),
                (None, Some(_)) => return None,
                (None, None) => state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }
}

impl ReaderSink for Channel {
    fn begin(&self, layout: &Layout) {
        let mut state = self.lock();
        if state.schema.is_none() {
            state.schema = Some(layout.schema());
        }
        state.layout = Some(layout.clone());
        state.open += 1;
        drop(state);
        self.changed.notify_all();
    }

    fn offer(&self, batch: Batch, wake: &Waker) -> Result<Option<Batch>> {
        let mut state = self.lock();
        if state.abandoned {
            return Err(Error::cancelled());
        }
        if state.queue.len() >= CAPACITY {
            state.wakers.push(wake.clone());
            return Ok(Some(batch));
        }
        let batch = match (&state.schema, &state.layout) {
            (Some(schema), Some(layout)) => record_batch(batch, layout, schema)?,
            _ => return Err(Error::internal("a DataReader destination offers rows before it says their columns")),
        };
        state.queue.push_back(batch);
        drop(state);
        self.changed.notify_all();
        Ok(None)
    }

    fn finish(&self) {
        let mut state = self.lock();
        state.open = state.open.saturating_sub(1);
        drop(state);
        self.changed.notify_all();
    }
}

/// The used columns of a batch, compacted, under `schema`.
pub(crate) fn record_batch(batch: Batch, layout: &Layout, schema: &SchemaRef) -> Result<RecordBatch> {
    let batch = batch.compact()?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.rows));
    let columns =
        batch.columns.into_iter().zip(&layout.columns).filter(|(_, c)| c.used).map(|(array, _)| array).collect();
    Ok(RecordBatch::try_new_with_options(schema.clone(), columns, &options)?)
}

/// The rows of a DataReader destination, batch by batch.
///
/// A slow reader makes the data flow wait; dropping the reader before its end cancels the run. The reader ends when the
/// run does; if the run failed before the destination had all its rows, the last item says so.
pub struct Reader {
    channel: Arc<Channel>,
    schema: SchemaRef,
    cancel: CancelToken,
    done: bool,
}

impl Reader {
    pub(crate) fn new(channel: Arc<Channel>, schema: SchemaRef, cancel: CancelToken) -> Reader {
        Reader { channel, schema, cancel, done: false }
    }
}

impl Iterator for Reader {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let mut state = self.channel.lock();
        loop {
            if let Some(batch) = state.queue.pop_front() {
                let wakers = std::mem::take(&mut state.wakers);
                drop(state);
                // Outside the lock: a woken driver may run on this very thread.
                wakers.iter().for_each(Waker::wake);
                return Some(Ok(batch));
            }
            if let Some(failure) = state.ended.clone() {
                drop(state);
                self.done = true;
                return failure.map(|reason| Err(ArrowError::ExternalError(reason.into())));
            }
            state = self.channel.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl RecordBatchReader for Reader {
    fn schema(&self) -> Arc<Schema> {
        self.schema.clone()
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let mut state = self.channel.lock();
        let early = state.ended.is_none();
        state.abandoned = true;
        state.queue.clear();
        let wakers = std::mem::take(&mut state.wakers);
        drop(state);
        if early {
            self.cancel.cancel();
        }
        wakers.iter().for_each(Waker::wake);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{ArrayRef, Int32Array, NullArray};
    use dtsx_engine::flow::{ColumnRef, LineageId};
    use dtsx_engine::types::DataType;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn layout() -> Layout {
        let column = |n: u32, used| ColumnRef {
            lineage: LineageId(n),
            name: format!("c{n}"),
            component: Arc::from("Source"),
            data_type: DataType::I4,
            sort_key: 0,
            comparison_flags: 0,
            used,
        };
        Layout { columns: vec![column(1, false), column(2, true)] }
    }

    fn batch(seq: u64, values: Vec<i32>) -> Batch {
        let rows = values.len();
        let columns: Vec<ArrayRef> = vec![Arc::new(NullArray::new(rows)), Arc::new(Int32Array::from(values))];
        Batch::new(seq, rows, columns)
    }

    fn reader(channel: &Arc<Channel>, cancel: &CancelToken) -> Reader {
        Reader::new(channel.clone(), channel.wait_for_schema().unwrap(), cancel.clone())
    }

    #[test]
    fn a_full_channel_gives_the_batch_back_and_wakes_when_there_is_room() {
        let channel = Channel::new();
        channel.begin(&layout());
        let woken = Arc::new(AtomicUsize::new(0));
        let waker = Waker::new({
            let woken = woken.clone();
            move || {
                woken.fetch_add(1, Ordering::SeqCst);
            }
        });
        for seq in 0..CAPACITY as u64 {
            assert!(channel.offer(batch(seq, vec![seq as i32]), &waker).unwrap().is_none());
        }
        let back = channel.offer(batch(9, vec![9]), &waker).unwrap().unwrap();
        assert_eq!((back.seq, woken.load(Ordering::SeqCst)), (9, 0));

        let cancel = CancelToken::default();
        let mut reader = reader(&channel, &cancel);
        let first = reader.next().unwrap().unwrap();
        assert_eq!((first.num_columns(), first.num_rows(), first.schema().field(0).name().as_str()), (1, 1, "c2"));
        assert_eq!(woken.load(Ordering::SeqCst), 1);
        assert!(channel.offer(back, &waker).unwrap().is_none());
        channel.finish();
        channel.end(None);
        assert_eq!(reader.by_ref().map(|b| b.unwrap().num_rows()).sum::<usize>(), CAPACITY);
        drop(reader);
        assert!(!cancel.is_cancelled(), "a reader that saw the end cancels nothing");
    }

    #[test]
    fn a_dropped_reader_cancels_and_refuses_further_rows() {
        let (channel, cancel) = (Channel::new(), CancelToken::default());
        channel.begin(&layout());
        drop(reader(&channel, &cancel));
        assert!(cancel.is_cancelled());
        assert!(channel.offer(batch(0, vec![1]), &Waker::new(|| {})).is_err());
    }

    #[test]
    fn a_run_that_fails_midway_ends_with_an_error_after_its_rows() {
        let (channel, cancel) = (Channel::new(), CancelToken::default());
        channel.begin(&layout());
        channel.offer(batch(0, vec![1, 2]), &Waker::new(|| {})).unwrap();
        let mut reader = reader(&channel, &cancel);
        channel.end(Some("conversion failed".to_owned()));
        assert_eq!(reader.next().unwrap().unwrap().num_rows(), 2);
        assert!(reader.next().unwrap().unwrap_err().to_string().contains("conversion failed"));
        assert!(reader.next().is_none());
    }

    #[test]
    fn a_destination_that_never_runs_has_no_columns() {
        let channel = Channel::new();
        channel.end(None);
        assert_eq!(channel.wait_for_schema(), None);
    }
}
