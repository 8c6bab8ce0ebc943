//! From keys to row numbers.

use super::NONE;
use super::keys::KeyColumn;
use dtsx_engine::run::on_pool;

/// An array by value may have this many places a row: as much memory as a hash table takes at most.
const DIRECT_PLACES: u64 = 6;
/// Rows below which a hash table is built by one thread.
const ROWS_PER_PART: usize = 1 << 16;
/// A hash table has at most this many parts, built side by side.
const MAX_PARTS: usize = 64;

/// Finds a row number by key.
pub(super) enum Index {
    /// The row of the key `min + i` is `rows[i]`.
    Direct {
        min: i64,
        rows: Vec<u32>,
        /// The row whose key is NULL.
        null: u32,
    },
    /// Open addressing: a slot holds the low half of a hash and a row number plus one; 0 is an empty slot. The top bits of
    /// a hash choose the part, the bits below its place there.
    Hash { parts: Vec<Vec<u64>>, part_bits: u32 },
}

/// What a build came to.
pub(super) struct Built {
    pub(super) index: Index,
    /// Rows whose key an earlier row has, ascending.
    pub(super) duplicates: Vec<u32>,
}

impl Index {
    /// Bytes that the index of `rows` rows takes at most.
    pub(super) fn bytes(rows: usize) -> usize {
        // 8 bytes a slot, at most 8/3 slots a row (see `capacity`); hashes while it is built.
        rows * (DIRECT_PLACES as usize * 4 + 8) + 1024
    }

    /// Indexes the rows of `keys`; of rows with equal keys the first counts.
    pub(super) fn build(keys: &[KeyColumn]) -> Built {
        match keys {
            [key] => direct(key).unwrap_or_else(|| hashed(keys)),
            _ => hashed(keys),
        }
    }

    /// Appends to `found` the row number for each of `rows` keys in `keys`; `reference` are the keys that were indexed.
    pub(super) fn probe(
        &self,
        reference: &[KeyColumn],
        keys: &[KeyColumn],
        rows: usize,
        hashes: &mut Vec<u64>,
        found: &mut Vec<u32>,
    ) {
        match self {
            Index::Direct { min, rows: table, null } => {
                let find = |value: i64| {
                    let place = value.wrapping_sub(*min) as u64;
                    table.get(usize::try_from(place).unwrap_or(usize::MAX)).copied().unwrap_or(NONE)
                };
                keys[0].map_integers(*null, find, found);
            }
            Index::Hash { parts, part_bits } => {
                hashes.clear();
                hashes.resize(rows, 0);
                for (i, key) in keys.iter().enumerate() {
                    key.hash(0, i == 0, hashes);
                }
                found.resize(rows, NONE);
                probe_hashed(parts, *part_bits, reference, keys, hashes, found);
            }
        }
    }
}

/// Probes in rounds: first the slot of every key is read, and only then are keys compared, so that the reads, which miss
/// the processor's caches, overlap.
fn probe_hashed(
    parts: &[Vec<u64>],
    part_bits: u32,
    reference: &[KeyColumn],
    keys: &[KeyColumn],
    hashes: &[u64],
    found: &mut [u32],
) {
    const ROUND: usize = 64;
    let mut slots = [0u64; ROUND];
    for start in (0..hashes.len()).step_by(ROUND) {
        let round = &hashes[start..(start + ROUND).min(hashes.len())];
        for (slot, hash) in slots.iter_mut().zip(round) {
            let part = &parts[part_of(*hash, part_bits)];
            *slot = part[place_of(*hash, part_bits, part.len())];
        }
        for (i, hash) in round.iter().enumerate() {
            let row = start + i;
            let mut slot = slots[i];
            if slot == 0 {
                continue;
            }
            let part = &parts[part_of(*hash, part_bits)];
            let mut place = place_of(*hash, part_bits, part.len());
            loop {
                if slot == 0 {
                    break;
                }
                if (slot >> 32) == (*hash & 0xFFFF_FFFF) {
                    let candidate = slot as u32 - 1;
                    if keys.iter().zip(reference).all(|(k, r)| k.equal(row, r, candidate as usize)) {
                        found[row] = candidate;
                        break;
                    }
                }
                place = (place + 1) & (part.len() - 1);
                slot = part[place];
            }
        }
    }
}

#[inline]
fn part_of(hash: u64, part_bits: u32) -> usize {
    if part_bits == 0 { 0 } else { (hash >> (64 - part_bits)) as usize }
}

/// The place where a hash begins to probe, in a table of a power of two: the top bits below those of the part, as a slot
/// remembers the lower half.
#[inline]
fn place_of(hash: u64, part_bits: u32, capacity: usize) -> usize {
    ((hash << part_bits) >> 1 >> (63 - capacity.trailing_zeros())) as usize
}

fn direct(key: &KeyColumn) -> Option<Built> {
    let (mut min, mut max, mut any) = (i64::MAX, i64::MIN, false);
    let integers = key.integers(|_, value| {
        min = min.min(value);
        max = max.max(value);
        any = true;
    });
    if !integers {
        return None;
    }
    let places = if any { (max as u64).wrapping_sub(min as u64).checked_add(1)? } else { 0 };
    if places > (key.len() as u64).max(16) * DIRECT_PLACES {
        return None;
    }
    let mut rows = vec![NONE; usize::try_from(places).ok()?];
    let mut duplicates = Vec::new();
    key.integers(|row, value| {
        let place = &mut rows[value.wrapping_sub(min) as usize];
        if *place == NONE {
            *place = row as u32;
        } else {
            duplicates.push(row as u32);
        }
    });
    let null = key.first_null().map_or(NONE, |row| row as u32);
    if key.null_count() > 1 {
        duplicates.extend(key.null_rows().skip(1).map(|row| row as u32));
        duplicates.sort_unstable();
    }
    Some(Built { index: Index::Direct { min, rows, null }, duplicates })
}

fn hashed(keys: &[KeyColumn]) -> Built {
    let rows = keys.first().map_or(0, KeyColumn::len);
    let mut hashes = vec![0u64; rows];
    on_pool(hashes.chunks_mut(ROWS_PER_PART).enumerate().collect(), |(chunk, hashes)| {
        for (i, key) in keys.iter().enumerate() {
            key.hash(chunk * ROWS_PER_PART, i == 0, hashes);
        }
    });
    let n_parts = (rows / ROWS_PER_PART).next_power_of_two().min(MAX_PARTS);
    let part_bits = n_parts.trailing_zeros();
    let mut members: Vec<Vec<u32>> = vec![Vec::new(); n_parts];
    if n_parts == 1 {
        members[0] = (0..rows as u32).collect();
    } else {
        for (row, hash) in hashes.iter().enumerate() {
            members[part_of(*hash, part_bits)].push(row as u32);
        }
    }
    let parts = on_pool(members, |members| fill(keys, &hashes, &members, part_bits));
    let (parts, duplicates): (Vec<Vec<u64>>, Vec<Vec<u32>>) = parts.into_iter().unzip();
    let mut duplicates = duplicates.concat();
    duplicates.sort_unstable();
    Built { index: Index::Hash { parts, part_bits }, duplicates }
}

/// Slots for `rows` rows: a power of two, at most three quarters full.
fn capacity(rows: usize) -> usize {
    (rows + rows / 3 + 1).next_power_of_two()
}

/// The table of the rows in `members`, ascending, and those whose key an earlier one has.
fn fill(keys: &[KeyColumn], hashes: &[u64], members: &[u32], part_bits: u32) -> (Vec<u64>, Vec<u32>) {
    let capacity = capacity(members.len());
    let mut table = vec![0u64; capacity];
    let mut duplicates = Vec::new();
    for row in members {
        let hash = hashes[*row as usize];
        let tag = hash & 0xFFFF_FFFF;
        let mut place = place_of(hash, part_bits, capacity);
        loop {
            let slot = table[place];
            if slot == 0 {
                table[place] = (tag << 32) | u64::from(*row + 1);
                break;
            }
            let earlier = slot as u32 - 1;
            if (slot >> 32) == tag && keys.iter().all(|k| k.equal(*row as usize, k, earlier as usize)) {
                duplicates.push(*row);
                break;
            }
            place = (place + 1) & (capacity - 1);
        }
    }
    (table, duplicates)
}
