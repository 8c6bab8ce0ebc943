//! The input of a sort: rows become bytes and keys on any lane, and are handed over in order.

use super::store::{BLOCK_ROWS, Chunk, Store, foreign};
use crate::shared::sort_keys::KeyEncoder;
use arrow::array::ArrayRef;
use dtsx_engine::batch::Batch;
use dtsx_engine::diag::Result;
use dtsx_engine::flow::{Block, Commit, Committed, Encode, Layout, OpenCx, Sink, Waker};
use std::sync::Arc;

pub(super) struct Inlet {
    pub(super) store: Arc<Store>,
}

impl Sink for Inlet {
    fn open(&self, _cx: &OpenCx, _input: &Layout) -> Result<Box<dyn Commit>> {
        self.store.lock().open += 1;
        Ok(Box::new(End { store: self.store.clone() }))
    }

    fn encoder(&self, _cx: &OpenCx, _input: &Layout) -> Result<Box<dyn Encode>> {
        let keys = KeyEncoder::new(self.store.plan.keys.clone());
        Ok(Box::new(Lane { store: self.store.clone(), keys }))
    }
}

struct Lane {
    store: Arc<Store>,
    keys: KeyEncoder,
}

impl Encode for Lane {
    fn encode(&mut self, batch: Batch) -> Result<Block> {
        let mut chunks = Vec::with_capacity(batch.rows.div_ceil(BLOCK_ROWS));
        for start in (0..batch.rows).step_by(BLOCK_ROWS) {
            let rows = BLOCK_ROWS.min(batch.rows - start);
            let part: Vec<ArrayRef>;
            let columns = if rows == batch.rows {
                &batch.columns
            } else {
                part = batch.columns.iter().map(|c| c.slice(start, rows)).collect();
                &part
            };
            let keys = self.keys.encode(columns, rows)?;
            chunks.push(Chunk { keys, block: self.store.plan.rows.write(columns, 0, rows)? });
        }
        Ok(Box::new(chunks))
    }
}

struct End {
    store: Arc<Store>,
}

impl Commit for End {
    fn commit(&mut self, block: Block, _waker: &Waker) -> Result<Committed> {
        let chunks = block.downcast::<Vec<Chunk>>().map_err(|_| foreign())?;
        chunks.into_iter().try_for_each(|chunk| self.store.take(chunk))?;
        Ok(Committed::Taken)
    }

    // After an abort the input never ends: the output must not take the failure of the input for its end.
    fn finish(&mut self) -> Result<()> {
        self.store.close();
        Ok(())
    }

    fn abort(&mut self) {
        self.store.clear();
    }
}
