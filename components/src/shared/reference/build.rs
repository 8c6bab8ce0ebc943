//! Gathering reference rows, from any number of lanes, until they are a [`Table`].

use super::index::Index;
use super::keys::KeyColumn;
use super::paged::Spill;
use super::{Body, ReferenceSpec, Table, compacted};
use arrow::array::{ArrayRef, new_empty_array};
use dtsx_engine::diag::{Error, Owner, Result};
use dtsx_engine::memory::{Budget, Reservation, SpillManager};
use dtsx_engine::run::Services;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Where rows stand among all rows: by the first number, then the second, then their place in their chunk.
pub(crate) type Order = (u64, u32);

/// Chunks above which the buffers of their text are merged: every batch that is fetched refers to every buffer.
const MANY_CHUNKS: usize = 256;

/// Gathers rows. Lanes add chunks in any order; of equal keys the first by [`Order`] will count.
pub(crate) struct Builder {
    spec: Arc<ReferenceSpec>,
    budget: Arc<Budget>,
    spill: Arc<SpillManager>,
    state: Mutex<State>,
}

struct State {
    chunks: Vec<Chunk>,
    memory: Reservation,
    spill: Option<Spill>,
    rows: u64,
}

struct Chunk {
    order: Order,
    columns: Vec<ArrayRef>,
}

impl Builder {
    /// No rows yet; memory and temporary files come from `services`.
    pub(crate) fn new(spec: Arc<ReferenceSpec>, services: &Services) -> Builder {
        Builder::with(spec, &services.memory, &services.spill)
    }

    /// No rows yet; memory comes from `budget`, temporary files from `spill`.
    pub(super) fn with(spec: Arc<ReferenceSpec>, budget: &Arc<Budget>, spill: &Arc<SpillManager>) -> Builder {
        let state = State { chunks: Vec::new(), memory: budget.reservation(), spill: None, rows: 0 };
        Builder { spec, budget: budget.clone(), spill: spill.clone(), state: Mutex::new(state) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds rows: all columns of the specification, in its order and of its types.
    ///
    /// # Errors
    /// A temporary file that cannot be written.
    pub(crate) fn add(&self, order: Order, columns: &[ArrayRef]) -> Result<()> {
        let rows = columns.first().map_or(0, |c| c.len());
        if rows == 0 {
            return Ok(());
        }
        let columns: Vec<ArrayRef> = columns.iter().map(compacted).collect();
        // Columns are joined one after the other, so that one more than there are chunks is held at a time.
        let bytes: usize = columns.iter().map(|c| c.get_array_memory_size()).sum::<usize>() + Index::bytes(rows);
        let mut state = self.lock();
        state.rows += rows as u64;
        if state.spill.is_none() && state.rows < u64::from(super::NONE) && state.memory.try_grow(bytes) {
            state.chunks.push(Chunk { order, columns });
            return Ok(());
        }
        state.spilled(self)?.add(order, &columns)
    }

    /// Rows added so far.
    pub(crate) fn rows(&self) -> u64 {
        self.lock().rows
    }

    /// Indexes what was added. Call it on the pool.
    ///
    /// # Errors
    /// A temporary file that cannot be written or read.
    pub(crate) fn finish(&self) -> Result<Table> {
        let mut state = self.lock();
        let spec = self.spec.clone();
        let memory = std::mem::replace(&mut state.memory, self.budget.reservation());
        if let Some(spill) = state.spill.take() {
            let table = spill.finish()?;
            let (rows, duplicates) = (table.rows(), state.rows - table.rows());
            return Ok(Table { spec, body: Body::Paged(Arc::new(table)), rows, duplicates, _memory: memory });
        }
        let mut chunks = std::mem::take(&mut state.chunks);
        chunks.sort_by_key(|chunk| chunk.order);
        let mut columns = Vec::with_capacity(spec.columns.len());
        for (i, column) in spec.columns.iter().enumerate() {
            let pieces = chunks
                .iter_mut()
                .map(|c| std::mem::replace(&mut c.columns[i], new_empty_array(&column.data_type.arrow())));
            columns.push(joined(pieces.collect(), &column.data_type.arrow())?);
        }
        let keys = spec.keys.iter().map(|k| KeyColumn::of(&columns[*k])).collect::<Result<Vec<_>>>()?;
        let built = Index::build(&keys);
        let duplicates = built.duplicates.len() as u64;
        let body = Body::Memory { columns, keys, index: built.index, hidden: built.duplicates };
        Ok(Table { spec, body, rows: state.rows - duplicates, duplicates, _memory: memory })
    }
}

impl State {
    /// The temporary file, to which everything goes that was held in memory.
    fn spilled(&mut self, builder: &Builder) -> Result<&mut Spill> {
        if self.spill.is_none() {
            let mut spill = Spill::new(&builder.spec, builder.budget.reservation(), &builder.spill)?;
            for chunk in std::mem::take(&mut self.chunks) {
                spill.add(chunk.order, &chunk.columns)?;
            }
            self.memory.shrink(self.memory.bytes());
            self.spill = Some(spill);
        }
        self.spill.as_mut().ok_or_else(|| Error::new(Owner::Internal, None, "rows were spilled and are gone"))
    }
}

/// One array of all pieces; views of text share the pieces' buffers, merged if there are many.
fn joined(pieces: Vec<ArrayRef>, data_type: &arrow::datatypes::DataType) -> Result<ArrayRef> {
    let join = |pieces: &[ArrayRef]| -> Result<ArrayRef> {
        let pieces: Vec<&dyn arrow::array::Array> = pieces.iter().map(AsRef::as_ref).collect();
        Ok(arrow::compute::concat(&pieces)?)
    };
    match pieces.len() {
        0 => Ok(new_empty_array(data_type)),
        1 => Ok(pieces[0].clone()),
        many if many <= MANY_CHUNKS => join(&pieces),
        many => {
            let groups = pieces.chunks(many.div_ceil(MANY_CHUNKS / 2));
            let merged = groups.map(|group| Ok(compacted(&join(group)?))).collect::<Result<Vec<_>>>()?;
            drop(pieces);
            join(&merged)
        }
    }
}
