//! Values by key: pages of sorted entries, found by their first keys.

use super::store::{Room, Store, StoreWriter, long, short};
use dtsx_engine::diag::Result;
use dtsx_engine::memory::Reservation;

/// Bytes of a page, about: what is looked through for a key.
const PAGE: usize = 1 << 10;
/// Bytes of an entry beside its key: the key's length, and the value.
const HEAD: usize = 12;

/// Writes a [`Dictionary`].
pub(super) struct DictionaryWriter {
    pages: StoreWriter,
    page: Vec<u8>,
    list: Pages,
    memory: Reservation,
}

/// The first keys of pages, and where these end.
#[derive(Default)]
struct Pages {
    keys: Vec<u8>,
    /// By page, where its first key ends, and where it ends.
    ends: Vec<(usize, u64)>,
}

impl Pages {
    fn first(&self, page: usize) -> &[u8] {
        let start = page.checked_sub(1).map_or(0, |before| self.ends[before].0);
        &self.keys[start..self.ends[page].0]
    }

    /// The page that a key is on, if it is anywhere: where it begins, and its length.
    fn find(&self, key: &[u8]) -> Option<(u64, usize)> {
        let (mut low, mut high) = (0, self.ends.len());
        while low < high {
            let middle = (low + high) / 2;
            if self.first(middle) <= key { low = middle + 1 } else { high = middle }
        }
        let page = low.checked_sub(1)?;
        let start = page.checked_sub(1).map_or(0, |before| self.ends[before].1);
        Some((start, (self.ends[page].1 - start) as usize))
    }
}

impl DictionaryWriter {
    pub(super) fn new(room: &Room) -> DictionaryWriter {
        DictionaryWriter {
            pages: StoreWriter::new(room),
            page: Vec::new(),
            list: Pages::default(),
            memory: room.memory(),
        }
    }

    /// Adds a key, greater than those before it.
    pub(super) fn push(&mut self, key: &[u8], value: u64) -> Result<()> {
        if self.page.is_empty() {
            self.list.keys.extend_from_slice(key);
        }
        self.page.extend_from_slice(&(key.len() as u32).to_le_bytes());
        self.page.extend_from_slice(&value.to_le_bytes());
        self.page.extend_from_slice(key);
        if self.page.len() >= PAGE { self.cut() } else { Ok(()) }
    }

    fn cut(&mut self) -> Result<()> {
        self.pages.append(&self.page)?;
        self.page.clear();
        self.list.ends.push((self.list.keys.len(), self.pages.len()));
        // A small part of the pages; without it nothing is found.
        let held = self.list.keys.capacity() + self.list.ends.capacity() * size_of::<(usize, u64)>();
        self.memory.force(held.saturating_sub(self.memory.bytes()));
        Ok(())
    }

    pub(super) fn finish(mut self) -> Result<Dictionary> {
        if !self.page.is_empty() {
            self.cut()?;
        }
        Ok(Dictionary { pages: self.pages.finish()?, list: self.list, _memory: self.memory })
    }
}

/// Finds values by key.
pub(super) struct Dictionary {
    pages: Store,
    list: Pages,
    _memory: Reservation,
}

impl Dictionary {
    /// The value of a key; `scratch` is room for a page.
    pub(super) fn get(&self, key: &[u8], scratch: &mut Vec<u8>) -> Result<Option<u64>> {
        let Some((at, len)) = self.list.find(key) else { return Ok(None) };
        let mut page = self.pages.read(at, len, scratch)?;
        while page.len() >= HEAD {
            let end = HEAD + short(page) as usize;
            if &page[HEAD..end] == key {
                return Ok(Some(long(&page[4..])));
            }
            page = &page[end..];
        }
        Ok(None)
    }
}
