//! Bytes that are written once, in order, and read anywhere: in memory for as long as the budget has room, else on disk.

use dtsx_engine::diag::Result;
use dtsx_engine::memory::{Budget, Reservation, ScratchFile, SpillManager};
use dtsx_engine::run::Services;
use std::sync::Arc;

/// Where memory and disk come from.
#[derive(Clone)]
pub(crate) struct Room {
    budget: Arc<Budget>,
    spill: Arc<SpillManager>,
}

impl Room {
    pub(crate) fn new(services: &Services) -> Room {
        Room { budget: services.memory.clone(), spill: services.spill.clone() }
    }

    pub(super) fn memory(&self) -> Reservation {
        self.budget.reservation()
    }

    pub(super) fn spill(&self) -> &SpillManager {
        &self.spill
    }
}

/// Writes a [`Store`].
pub(super) struct StoreWriter {
    room: Room,
    memory: Reservation,
    bytes: Vec<u8>,
    disk: Option<ScratchFile>,
    len: u64,
}

impl StoreWriter {
    pub(super) fn new(room: &Room) -> StoreWriter {
        StoreWriter { room: room.clone(), memory: room.memory(), bytes: Vec::new(), disk: None, len: 0 }
    }

    /// Bytes written so far.
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    pub(super) fn append(&mut self, bytes: &[u8]) -> Result<()> {
        self.len += bytes.len() as u64;
        if let Some(disk) = &mut self.disk {
            disk.append(bytes)?;
            return Ok(());
        }
        let needed = self.bytes.len() + bytes.len();
        let capacity = self.bytes.capacity();
        if needed > capacity {
            let more = needed.max(capacity + capacity / 2) - capacity;
            if !self.memory.try_grow(more) {
                let disk = self.disk.insert(self.room.spill().scratch()?);
                disk.append(&self.bytes)?;
                disk.append(bytes)?;
                self.bytes = Vec::new();
                self.memory.shrink(self.memory.bytes());
                return Ok(());
            }
            self.bytes.reserve_exact(capacity + more - self.bytes.len());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    pub(super) fn finish(mut self) -> Result<Store> {
        if let Some(disk) = &mut self.disk {
            disk.flush()?;
        }
        Ok(Store { bytes: self.bytes, disk: self.disk, _memory: self.memory })
    }
}

/// Bytes that are read anywhere, by any number of threads.
pub(super) struct Store {
    bytes: Vec<u8>,
    disk: Option<ScratchFile>,
    _memory: Reservation,
}

impl Store {
    /// `len` bytes from `at` on; `scratch` is room for them.
    pub(super) fn read<'a>(&'a self, at: u64, len: usize, scratch: &'a mut Vec<u8>) -> Result<&'a [u8]> {
        let Some(disk) = &self.disk else {
            let at = at as usize;
            return Ok(&self.bytes[at..at + len]);
        };
        scratch.resize(len, 0);
        disk.read(scratch, at)?;
        Ok(scratch)
    }
}

/// Writes [`Entries`].
pub(crate) struct EntriesWriter {
    ends: StoreWriter,
    bytes: StoreWriter,
    count: u32,
}

impl EntriesWriter {
    pub(crate) fn new(room: &Room) -> EntriesWriter {
        EntriesWriter { ends: StoreWriter::new(room), bytes: StoreWriter::new(room), count: 0 }
    }

    /// Adds the next entry.
    ///
    /// # Errors
    /// A temporary file that cannot be written.
    pub(crate) fn push(&mut self, entry: &[u8]) -> Result<()> {
        self.bytes.append(entry)?;
        self.ends.append(&self.bytes.len().to_le_bytes())?;
        self.count += 1;
        Ok(())
    }

    /// Entries so far.
    pub(crate) fn count(&self) -> u32 {
        self.count
    }

    /// Ends writing.
    ///
    /// # Errors
    /// A temporary file that cannot be written.
    pub(crate) fn finish(self) -> Result<Entries> {
        Ok(Entries { ends: self.ends.finish()?, bytes: self.bytes.finish()?, count: self.count })
    }
}

/// Entries of bytes, by number.
pub(crate) struct Entries {
    ends: Store,
    bytes: Store,
    count: u32,
}

impl Entries {
    pub(crate) fn count(&self) -> u32 {
        self.count
    }

    /// An entry; `scratch` is room for it.
    ///
    /// # Errors
    /// A temporary file that cannot be read.
    pub(crate) fn get<'a>(&'a self, number: u32, scratch: &'a mut Vec<u8>) -> Result<&'a [u8]> {
        let (start, end) = match u64::from(number) {
            0 => (0, long(self.ends.read(0, 8, scratch)?)),
            number => {
                let ends = self.ends.read(8 * (number - 1), 16, scratch)?;
                (long(ends), long(&ends[8..]))
            }
        };
        self.bytes.read(start, (end - start) as usize, scratch)
    }
}

/// The number at the beginning of `bytes`.
pub(super) fn long(bytes: &[u8]) -> u64 {
    bytes.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

/// The number at the beginning of `bytes`.
pub(super) fn short(bytes: &[u8]) -> u32 {
    bytes.first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes))
}
