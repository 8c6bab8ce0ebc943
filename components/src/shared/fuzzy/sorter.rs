//! Sorting entries of bytes, with runs on disk for those that memory has no room for.

use super::store::{Room, short};
use dtsx_engine::diag::Result;
use dtsx_engine::memory::{BlockFile, BlockReader, BlockWriter, Reservation};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Bytes of entries that are gathered whatever the budget says: runs that are shorter would be too many.
const FLOOR: usize = 1 << 15;
/// Bytes of entries that are gathered at most, so that places take four bytes.
const MOST: usize = 1 << 30;
/// Bytes of a block of a run.
const BLOCK: usize = 1 << 14;
/// Runs that are merged at once.
const FAN_IN: usize = 48;

/// Where an entry is: its beginning as a number, for comparing, and its place and length.
type Place = (u64, u32, u32);

/// Gathers entries to be sorted.
pub(crate) struct Sorter {
    room: Room,
    memory: Reservation,
    bytes: Vec<u8>,
    places: Vec<Place>,
    runs: Vec<BlockFile>,
}

impl Sorter {
    pub(crate) fn new(room: &Room) -> Sorter {
        Sorter { room: room.clone(), memory: room.memory(), bytes: Vec::new(), places: Vec::new(), runs: Vec::new() }
    }

    /// Adds an entry.
    ///
    /// # Errors
    /// A temporary file that cannot be written.
    pub(crate) fn push(&mut self, entry: &[u8]) -> Result<()> {
        if self.bytes.len() + entry.len() > MOST {
            self.write_run()?;
        }
        let fits = self.bytes.len() + entry.len() <= self.bytes.capacity();
        if !fits || self.places.len() == self.places.capacity() {
            self.grow(entry.len())?;
        }
        self.places.push((beginning(entry), self.bytes.len() as u32, entry.len() as u32));
        self.bytes.extend_from_slice(entry);
        Ok(())
    }

    /// Makes room for an entry more: in memory if there is some, or by writing the others away.
    fn grow(&mut self, entry: usize) -> Result<()> {
        let held = |bytes: usize, places: usize| bytes + places * size_of::<Place>();
        let (bytes, places) = (self.bytes.capacity(), self.places.capacity());
        let wanted = (
            (self.bytes.len() + entry).max(if bytes - self.bytes.len() < entry { 2 * bytes } else { bytes }).max(1024),
            if self.places.len() == places { (2 * places).max(64) } else { places },
        );
        let more = held(wanted.0, wanted.1) - held(bytes, places);
        if !self.memory.try_grow(more) {
            if held(self.bytes.len(), self.places.len()) >= FLOOR {
                self.write_run()?;
                if entry <= bytes {
                    return Ok(());
                }
            }
            self.memory.force(more);
        }
        self.bytes.reserve_exact(wanted.0 - self.bytes.len());
        self.places.reserve_exact(wanted.1 - self.places.len());
        Ok(())
    }

    fn sort(&mut self) {
        let bytes = &self.bytes;
        let entry = |place: &Place| &bytes[place.1 as usize..][..place.2 as usize];
        self.places.sort_unstable_by(|a, b| a.0.cmp(&b.0).then_with(|| entry(a).cmp(entry(b))));
    }

    fn write_run(&mut self) -> Result<()> {
        self.sort();
        let mut run = RunWriter::new(self.room.spill().blocks()?);
        for (_, at, len) in &self.places {
            run.push(&self.bytes[*at as usize..][..*len as usize])?;
        }
        self.bytes.clear();
        self.places.clear();
        self.runs.push(run.finish()?);
        Ok(())
    }

    /// The entries in the order of their bytes.
    ///
    /// # Errors
    /// A temporary file that cannot be written or read.
    pub(crate) fn finish(mut self) -> Result<Sorted> {
        if self.runs.is_empty() {
            self.sort();
            let (bytes, places) = (self.bytes, self.places);
            return Ok(Sorted(Form::Memory { bytes, places, at: 0, _memory: self.memory }));
        }
        self.write_run()?;
        let (room, mut runs) = (self.room, self.runs);
        drop((self.bytes, self.places, self.memory));
        while runs.len() > FAN_IN {
            let later = runs.split_off(FAN_IN);
            let mut merger = Merger::new(&runs)?;
            let mut joined = RunWriter::new(room.spill().blocks()?);
            while let Some(entry) = merger.next()? {
                joined.push(entry)?;
            }
            runs = later;
            runs.push(joined.finish()?);
        }
        Ok(Sorted(Form::Disk(Merger::new(&runs)?)))
    }
}

fn beginning(entry: &[u8]) -> u64 {
    match entry.first_chunk() {
        Some(bytes) => u64::from_be_bytes(*bytes),
        None => entry.iter().chain(&[0; 8]).take(8).fold(0, |number, byte| number << 8 | u64::from(*byte)),
    }
}

/// Sorted entries, one after the other.
pub(crate) struct Sorted(Form);

enum Form {
    Memory { bytes: Vec<u8>, places: Vec<Place>, at: usize, _memory: Reservation },
    Disk(Merger),
}

impl Sorted {
    /// The next entry.
    ///
    /// # Errors
    /// A temporary file that cannot be read.
    pub(crate) fn next(&mut self) -> Result<Option<&[u8]>> {
        match &mut self.0 {
            Form::Memory { bytes, places, at, .. } => {
                let place = places.get(*at);
                *at += 1;
                Ok(place.map(|(_, at, len)| &bytes[*at as usize..][..*len as usize]))
            }
            Form::Disk(merger) => merger.next(),
        }
    }
}

/// Writes sorted entries: each with its length, in blocks.
struct RunWriter {
    out: BlockWriter,
    block: Vec<u8>,
}

impl RunWriter {
    fn new(out: BlockWriter) -> RunWriter {
        RunWriter { out, block: Vec::new() }
    }

    fn push(&mut self, entry: &[u8]) -> Result<()> {
        self.block.extend_from_slice(&(entry.len() as u32).to_le_bytes());
        self.block.extend_from_slice(entry);
        if self.block.len() >= BLOCK {
            self.out.write(&self.block)?;
            self.block.clear();
        }
        Ok(())
    }

    fn finish(mut self) -> Result<BlockFile> {
        self.out.write(&self.block)?;
        self.out.finish()
    }
}

/// A run that is being read.
struct RunReader {
    input: BlockReader,
    block: Vec<u8>,
    at: usize,
}

impl RunReader {
    /// Puts the next entry into `entry`; false at the end.
    fn read(&mut self, entry: &mut Vec<u8>) -> Result<bool> {
        while self.at == self.block.len() {
            if !self.input.read(&mut self.block)? {
                return Ok(false);
            }
            self.at = 0;
        }
        let len = short(&self.block[self.at..]) as usize;
        let start = self.at + 4;
        entry.clear();
        entry.extend_from_slice(&self.block[start..start + len]);
        self.at = start + len;
        Ok(true)
    }
}

/// Merges runs.
struct Merger {
    runs: Vec<RunReader>,
    /// The next entry of each run, the least on top.
    heap: BinaryHeap<Reverse<(Vec<u8>, usize)>>,
    present: Vec<u8>,
}

impl Merger {
    fn new(files: &[BlockFile]) -> Result<Merger> {
        let mut runs = Vec::with_capacity(files.len());
        let mut heap = BinaryHeap::with_capacity(files.len());
        for (number, file) in files.iter().enumerate() {
            let mut run = RunReader { input: file.read()?, block: Vec::new(), at: 0 };
            let mut entry = Vec::new();
            if run.read(&mut entry)? {
                heap.push(Reverse((entry, number)));
            }
            runs.push(run);
        }
        Ok(Merger { runs, heap, present: Vec::new() })
    }

    fn next(&mut self) -> Result<Option<&[u8]>> {
        let Some(Reverse((entry, run))) = self.heap.pop() else { return Ok(None) };
        let mut next = std::mem::replace(&mut self.present, entry);
        if self.runs[run].read(&mut next)? {
            self.heap.push(Reverse((next, run)));
        }
        Ok(Some(&self.present))
    }
}
