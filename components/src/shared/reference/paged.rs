//! Reference rows on disk: for a table that the memory budget refuses.
//!
//! Rows are written to parts of one temporary file by the top bits of their keys' hashes, part by part sorted by hash,
//! freed of duplicates and written to a second file as pages of a few kilobytes. A prober sorts the hashes of a batch, so
//! that it needs each page once a batch, and keeps the pages that the budget has room for. Keys and rows are in Arrow's
//! row format.

use super::build::Order;
use super::{NONE, ReferenceSpec};
use arrow::array::{ArrayRef, UInt32Array, new_null_array};
use arrow::row::{RowConverter, SortField};
use dtsx_engine::diag::Result;
use dtsx_engine::memory::{Reservation, ScratchFile, SpillManager};
use std::collections::{HashMap, VecDeque};
use std::hash::BuildHasher;
use std::sync::Arc;

/// Parts of the first file.
const PARTS: usize = 64;
/// Bits that choose the part.
const PART_BITS: u32 = 6;
/// Bytes that wait in memory before they are written.
const BUFFERED: usize = 4 << 20;
/// Bytes of a page, about; one hash is never on two pages.
const PAGE: usize = 8 << 10;
/// Rows that are decoded at a time.
const ROWS: usize = 1 << 14;

fn hash(key: &[u8]) -> u64 {
    foldhash::fast::FixedState::with_seed(0).hash_one(key)
}

fn converter(spec: &ReferenceSpec, columns: impl Iterator<Item = usize>) -> Result<RowConverter> {
    Ok(RowConverter::new(columns.map(|c| SortField::new(spec.columns[c].data_type.arrow())).collect())?)
}

fn keys_of(spec: &ReferenceSpec) -> Result<RowConverter> {
    converter(spec, spec.keys.iter().copied())
}

fn rows_of(spec: &ReferenceSpec) -> Result<RowConverter> {
    converter(spec, 0..spec.columns.len())
}

/// Where rows are written to while they come.
pub(super) struct Spill {
    spec: Arc<ReferenceSpec>,
    keys: RowConverter,
    rows: RowConverter,
    file: ScratchFile,
    parts: Vec<Part>,
    buffered: usize,
    memory: Reservation,
    manager: Arc<SpillManager>,
}

#[derive(Default)]
struct Part {
    buffer: Vec<u8>,
    /// Offset and length of what was written.
    written: Vec<(u64, usize)>,
    rows: usize,
}

impl Part {
    /// Bytes of what was written.
    fn bytes(&self) -> usize {
        self.written.iter().map(|(_, len)| len).sum()
    }
}

/// A row in the first file: this head, its key, the row.
struct Head {
    hash: u64,
    order: Order,
    row: u32,
    key: usize,
    len: usize,
}

impl Head {
    const BYTES: usize = 32;

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.hash.to_le_bytes());
        out.extend_from_slice(&self.order.0.to_le_bytes());
        for number in [self.order.1, self.row, self.key as u32, self.len as u32] {
            out.extend_from_slice(&number.to_le_bytes());
        }
    }

    fn read(bytes: &[u8]) -> Head {
        Head {
            hash: long(bytes, 0),
            order: (long(bytes, 8), short(bytes, 16)),
            row: short(bytes, 20),
            key: short(bytes, 24) as usize,
            len: short(bytes, 28) as usize,
        }
    }
}

fn long(bytes: &[u8], at: usize) -> u64 {
    bytes[at..at + 8].try_into().map_or(0, u64::from_le_bytes)
}

fn short(bytes: &[u8], at: usize) -> u32 {
    bytes[at..at + 4].try_into().map_or(0, u32::from_le_bytes)
}

impl Spill {
    pub(super) fn new(spec: &Arc<ReferenceSpec>, memory: Reservation, manager: &Arc<SpillManager>) -> Result<Spill> {
        Ok(Spill {
            spec: spec.clone(),
            keys: keys_of(spec)?,
            rows: rows_of(spec)?,
            file: manager.scratch()?,
            parts: (0..PARTS).map(|_| Part::default()).collect(),
            buffered: 0,
            memory,
            manager: manager.clone(),
        })
    }

    pub(super) fn add(&mut self, order: Order, columns: &[ArrayRef]) -> Result<()> {
        let key_columns: Vec<ArrayRef> = self.spec.keys.iter().map(|k| columns[*k].clone()).collect();
        let keys = self.keys.convert_columns(&key_columns)?;
        let rows = self.rows.convert_columns(columns)?;
        for row in 0..rows.num_rows() {
            let (key, bytes) = (keys.row(row), rows.row(row));
            let (key, bytes) = (key.as_ref(), bytes.as_ref());
            let hash = hash(key);
            let head = Head { hash, order, row: row as u32, key: key.len(), len: bytes.len() };
            let part = &mut self.parts[(hash >> (64 - PART_BITS)) as usize];
            part.rows += 1;
            let buffer = &mut part.buffer;
            head.write(buffer);
            buffer.extend_from_slice(key);
            buffer.extend_from_slice(bytes);
            self.buffered += Head::BYTES + key.len() + bytes.len();
            while self.memory.bytes() < self.buffered {
                let refused = !self.memory.try_grow(PAGE * PARTS / 8);
                if refused || self.buffered > BUFFERED {
                    self.flush()?;
                    break;
                }
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        for part in self.parts.iter_mut().filter(|p| !p.buffer.is_empty()) {
            part.written.push((self.file.append(&part.buffer)?, part.buffer.len()));
            part.buffer = Vec::new();
        }
        self.buffered = 0;
        self.memory.shrink(self.memory.bytes());
        Ok(())
    }

    /// Sorts what was written into pages.
    pub(super) fn finish(mut self) -> Result<PagedTable> {
        self.flush()?;
        self.file.flush()?;
        let mut pages =
            Pages { out: self.manager.scratch()?, page: Vec::new(), first: 0, last: None, list: Vec::new(), rows: 0 };
        for part in &self.parts {
            // A part has to be held whole; there is nothing left to give back if it does not fit.
            let needed = part.bytes() + part.rows * size_of::<PlacedHead>();
            if !self.memory.try_grow(needed) {
                self.memory.force(needed);
            }
            let mut bytes = Vec::with_capacity(part.bytes());
            for (offset, len) in &part.written {
                let start = bytes.len();
                bytes.resize(start + len, 0);
                self.file.read(&mut bytes[start..], *offset)?;
            }
            pages.part(&bytes, part.rows)?;
            self.memory.shrink(needed);
        }
        pages.cut()?;
        let mut file = pages.out;
        file.flush()?;
        Ok(PagedTable { spec: self.spec, file, pages: pages.list, rows: pages.rows, memory: self.memory })
    }
}

/// A head, and where its key begins.
type PlacedHead = (usize, Head);

/// Writes pages.
struct Pages {
    out: ScratchFile,
    page: Vec<u8>,
    first: u64,
    last: Option<u64>,
    list: Vec<Page>,
    rows: u64,
}

impl Pages {
    /// Adds the rows of a part: of equal keys the first in order.
    fn part(&mut self, bytes: &[u8], rows: usize) -> Result<()> {
        let mut heads: Vec<PlacedHead> = Vec::with_capacity(rows);
        let mut at = 0;
        while at < bytes.len() {
            let head = Head::read(&bytes[at..]);
            let next = at + Head::BYTES + head.key + head.len;
            heads.push((at + Head::BYTES, head));
            at = next;
        }
        heads.sort_unstable_by_key(|(_, head)| (head.hash, head.order, head.row));
        let key = |(at, head): &PlacedHead| &bytes[*at..at + head.key];
        let mut same_hash = 0;
        for i in 0..heads.len() {
            let (at, head) = &heads[i];
            if heads[same_hash].1.hash != head.hash {
                same_hash = i;
            }
            if heads[same_hash..i].iter().any(|earlier| key(earlier) == key(&heads[i])) {
                continue;
            }
            if self.page.len() >= PAGE && self.last != Some(head.hash) {
                self.cut()?;
            }
            if self.page.is_empty() {
                self.first = head.hash;
            }
            self.last = Some(head.hash);
            self.rows += 1;
            self.page.extend_from_slice(&head.hash.to_le_bytes());
            self.page.extend_from_slice(&(head.key as u32).to_le_bytes());
            self.page.extend_from_slice(&(head.len as u32).to_le_bytes());
            self.page.extend_from_slice(&bytes[*at..at + head.key + head.len]);
        }
        Ok(())
    }

    fn cut(&mut self) -> Result<()> {
        if self.page.is_empty() {
            return Ok(());
        }
        let offset = self.out.append(&self.page)?;
        self.list.push(Page { first: self.first, offset, len: self.page.len() });
        self.page.clear();
        Ok(())
    }
}

/// The head of a row on a page: hash, length of the key, length of the row.
const PAGE_HEAD: usize = 16;

/// The rows of a page: hash, key, row.
fn rows_on(page: &[u8]) -> impl Iterator<Item = (u64, &[u8], &[u8])> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let head = page.get(at..at + PAGE_HEAD)?;
        let (key, len) = (short(head, 8) as usize, short(head, 12) as usize);
        let body = &page[at + PAGE_HEAD..at + PAGE_HEAD + key + len];
        at += PAGE_HEAD + key + len;
        Some((long(head, 0), &body[..key], &body[key..]))
    })
}

struct Page {
    first: u64,
    offset: u64,
    len: usize,
}

/// Rows on disk, sorted by the hashes of their keys.
pub(super) struct PagedTable {
    spec: Arc<ReferenceSpec>,
    file: ScratchFile,
    pages: Vec<Page>,
    rows: u64,
    memory: Reservation,
}

impl PagedTable {
    pub(super) fn rows(&self) -> u64 {
        self.rows
    }

    /// Hands every row to `take`, some at a time.
    pub(super) fn each(&self, mut take: impl FnMut(Vec<ArrayRef>) -> Result<()>) -> Result<()> {
        let rows = rows_of(&self.spec)?;
        let (mut arena, mut page) = (Arena::default(), Vec::new());
        for i in 0..self.pages.len() {
            self.read(i, &mut page)?;
            rows_on(&page).for_each(|(_, _, row)| arena.push(row));
            if arena.len() >= ROWS || i + 1 == self.pages.len() {
                take(arena.columns(&rows)?)?;
                arena.clear();
            }
        }
        Ok(())
    }

    fn read(&self, page: usize, into: &mut Vec<u8>) -> Result<()> {
        let Page { offset, len, .. } = self.pages[page];
        into.clear();
        into.resize(len, 0);
        self.file.read(into, offset)
    }
}

/// Rows in Arrow's row format, one after the other.
#[derive(Default)]
struct Arena {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Arena {
    fn push(&mut self, row: &[u8]) {
        self.bytes.extend_from_slice(row);
        self.ends.push(self.bytes.len());
    }

    fn len(&self) -> usize {
        self.ends.len()
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    fn columns(&self, converter: &RowConverter) -> Result<Vec<ArrayRef>> {
        let parser = converter.parser();
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        let rows = starts.zip(&self.ends).map(|(start, end)| parser.parse(&self.bytes[start..*end]));
        Ok(converter.convert_rows(rows)?)
    }
}

/// Looks up keys of one lane.
pub(super) struct PagedProber {
    table: Arc<PagedTable>,
    keys: RowConverter,
    rows: RowConverter,
    cache: PageCache,
    found: Arena,
    order: Vec<(u64, u32)>,
}

impl PagedProber {
    pub(super) fn new(table: &Arc<PagedTable>) -> Result<PagedProber> {
        Ok(PagedProber {
            table: table.clone(),
            keys: keys_of(&table.spec)?,
            rows: rows_of(&table.spec)?,
            cache: PageCache {
                pages: HashMap::new(),
                queue: VecDeque::new(),
                memory: table.memory.budget().reservation(),
                scratch: Vec::new(),
            },
            found: Arena::default(),
            order: Vec::new(),
        })
    }

    /// For each row its place in what [`PagedProber::fetch`] will give, or [`NONE`].
    pub(super) fn find(&mut self, keys: &[ArrayRef], rows: usize) -> Result<Vec<u32>> {
        let keys = self.keys.convert_columns(keys)?;
        let mut found = vec![NONE; rows];
        self.found.clear();
        self.order.clear();
        self.order.extend((0..rows).map(|row| (hash(keys.row(row).as_ref()), row as u32)));
        self.order.sort_unstable();
        let pages = &self.table.pages;
        let mut page = 0;
        for i in 0..self.order.len() {
            let (hash, row) = self.order[i];
            let key = keys.row(row as usize);
            if let Some((_, before)) = i.checked_sub(1).map(|i| self.order[i])
                && keys.row(before as usize) == key
            {
                found[row as usize] = found[before as usize];
                continue;
            }
            page += pages[page..].partition_point(|p| p.first <= hash).saturating_sub(1);
            if pages.get(page).is_none_or(|p| p.first > hash) {
                continue;
            }
            let bytes = self.cache.page(&self.table, page)?;
            let mut candidates = rows_on(bytes).skip_while(|(h, _, _)| *h < hash).take_while(|(h, _, _)| *h == hash);
            if let Some((_, _, bytes)) = candidates.find(|(_, k, _)| *k == key.as_ref()) {
                found[row as usize] = self.found.len() as u32;
                self.found.push(bytes);
            }
        }
        Ok(found)
    }

    pub(super) fn fetch(&mut self, wanted: &[usize], indices: &UInt32Array) -> Result<Vec<ArrayRef>> {
        if self.found.len() == 0 {
            let none = |c: &usize| {
                new_null_array(&self.table.spec.columns[*c].data_type.arrow(), arrow::array::Array::len(indices))
            };
            return Ok(wanted.iter().map(none).collect());
        }
        let columns = self.found.columns(&self.rows)?;
        let column = |c: &usize| Ok(arrow::compute::take(&columns[*c], indices, None)?);
        wanted.iter().map(column).collect()
    }
}

/// Pages that were read, as many as the budget has room for; the ones that are not used again go first.
struct PageCache {
    pages: HashMap<usize, (Vec<u8>, bool)>,
    queue: VecDeque<usize>,
    memory: Reservation,
    scratch: Vec<u8>,
}

impl PageCache {
    fn page(&mut self, table: &PagedTable, page: usize) -> Result<&[u8]> {
        if !self.pages.contains_key(&page) {
            if !self.make_room(table.pages[page].len) {
                table.read(page, &mut self.scratch)?;
                return Ok(&self.scratch);
            }
            let mut bytes = Vec::new();
            table.read(page, &mut bytes)?;
            self.pages.insert(page, (bytes, false));
            self.queue.push_back(page);
        }
        match self.pages.get_mut(&page) {
            Some((bytes, used)) => {
                *used = true;
                Ok(bytes)
            }
            None => Ok(&[]),
        }
    }

    fn make_room(&mut self, bytes: usize) -> bool {
        while !self.memory.try_grow(bytes) {
            let Some(oldest) = self.queue.pop_front() else { return false };
            match self.pages.get_mut(&oldest) {
                Some((_, used)) if *used => {
                    *used = false;
                    self.queue.push_back(oldest);
                }
                _ => {
                    if let Some((page, _)) = self.pages.remove(&oldest) {
                        self.memory.shrink(page.len());
                    }
                }
            }
        }
        true
    }
}
