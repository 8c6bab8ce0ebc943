//! Keys that are told apart, and the numbers that they get: 0, 1, 2, … in the order in which they first come.

use dtsx_engine::diag::{Error, Owner, Result, codes};
use std::hash::{BuildHasher, Hasher};

/// Some keys, one a row or one a group.
#[derive(Clone, Debug)]
pub(super) enum Keys {
    /// Every key has so many words (none: all keys are the same).
    Words { size: usize, rows: usize, words: Vec<u64> },
    /// Keys are bytes, one behind the other.
    Bytes(Texts),
    /// Keys are bytes, and what their first row held is something else: text that is compared by rules.
    Shown { keys: Texts, shown: Texts },
}

/// Bytes of several rows, one behind the other.
#[derive(Clone, Default, Debug)]
pub(super) struct Texts {
    pub(super) bytes: Vec<u8>,
    /// Where each ends.
    pub(super) ends: Vec<usize>,
}

impl Texts {
    /// What a row holds.
    pub(super) fn get(&self, row: usize) -> &[u8] {
        let start = if row == 0 { 0 } else { self.ends[row - 1] };
        &self.bytes[start..self.ends[row]]
    }

    /// Ends a row, whose bytes were put.
    pub(super) fn end(&mut self) {
        self.ends.push(self.bytes.len());
    }

    fn push(&mut self, text: &[u8]) {
        self.bytes.extend_from_slice(text);
        self.end();
    }

    fn heap(&self) -> usize {
        self.bytes.capacity() + 8 * self.ends.capacity()
    }
}

impl Keys {
    /// No keys, of the same kind.
    pub(super) fn none_like(&self) -> Keys {
        match self {
            Keys::Words { size, .. } => Keys::Words { size: *size, rows: 0, words: Vec::new() },
            Keys::Bytes(_) => Keys::Bytes(Texts::default()),
            Keys::Shown { .. } => Keys::Shown { keys: Texts::default(), shown: Texts::default() },
        }
    }

    /// The number of keys.
    pub(super) fn len(&self) -> usize {
        match self {
            Keys::Words { rows, .. } => *rows,
            Keys::Bytes(texts) | Keys::Shown { keys: texts, .. } => texts.ends.len(),
        }
    }

    /// Appends the key of another set.
    fn push(&mut self, other: &Keys, row: usize) {
        match (self, other) {
            (Keys::Words { size, rows, words }, Keys::Words { words: from, .. }) => {
                words.extend_from_slice(&from[row * *size..(row + 1) * *size]);
                *rows += 1;
            }
            (Keys::Bytes(texts), Keys::Bytes(from)) => texts.push(from.get(row)),
            (Keys::Shown { keys, shown }, Keys::Shown { keys: from, shown: from_shown }) => {
                keys.push(from.get(row));
                shown.push(from_shown.get(row));
            }
            _ => debug_assert!(false, "keys of two kinds"),
        }
    }

    /// Some of the keys.
    pub(super) fn select(&self, rows: &[u32]) -> Keys {
        let mut selected = self.none_like();
        rows.iter().for_each(|row| selected.push(self, *row as usize));
        selected
    }

    /// Bytes held.
    pub(super) fn heap(&self) -> usize {
        match self {
            Keys::Words { words, .. } => 8 * words.capacity(),
            Keys::Bytes(texts) => texts.heap(),
            Keys::Shown { keys, shown } => keys.heap() + shown.heap(),
        }
    }

    /// Bytes that the keys `rows` take, about.
    pub(super) fn size_of(&self, rows: &[u32]) -> usize {
        match self {
            Keys::Words { size, .. } => 8 * size * rows.len(),
            Keys::Bytes(texts) => rows.iter().map(|r| texts.get(*r as usize).len() + 8).sum(),
            Keys::Shown { keys, shown } => {
                rows.iter().map(|r| keys.get(*r as usize).len() + shown.get(*r as usize).len() + 16).sum()
            }
        }
    }

    /// A number for each key, by which equal keys meet: the same in every run.
    pub(super) fn hashes(&self) -> Vec<u64> {
        match self {
            Keys::Words { size: 0, rows, .. } => vec![0; *rows],
            Keys::Words { size, words, .. } => {
                let hash = |key: &[u64]| {
                    let mut hasher = SEED.build_hasher();
                    key.iter().for_each(|word| hasher.write_u64(*word));
                    hasher.finish()
                };
                // The common sizes, known to the compiler.
                match size {
                    1 => words.as_chunks::<1>().0.iter().map(|k| hash(k)).collect(),
                    2 => words.as_chunks::<2>().0.iter().map(|k| hash(k)).collect(),
                    3 => words.as_chunks::<3>().0.iter().map(|k| hash(k)).collect(),
                    size => words.chunks_exact(*size).map(hash).collect(),
                }
            }
            Keys::Bytes(texts) | Keys::Shown { keys: texts, .. } => {
                let hash = |row| {
                    let mut hasher = SEED.build_hasher();
                    hasher.write(texts.get(row));
                    hasher.finish()
                };
                (0..texts.ends.len()).map(hash).collect()
            }
        }
    }
}

/// Fixed, so that the same rows take the same ways in every run.
const SEED: foldhash::quality::FixedState = foldhash::quality::FixedState::with_seed(0x5353_4953);

/// Keys looked up at a time: first where they should be, all at once, then whether they are there.
const STEP: usize = 128;

/// Keys, each once.
#[derive(Debug)]
pub(super) struct Groups {
    pub(super) keys: Keys,
    /// An open hash table: the lower half of the hash, and the number of the key plus one; 0 is free.
    slots: Vec<u64>,
}

impl Groups {
    /// No keys, of the kind of `like`.
    pub(super) fn new(like: &Keys) -> Groups {
        Groups { keys: like.none_like(), slots: Vec::new() }
    }

    /// The number of keys.
    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    /// Bytes held.
    pub(super) fn heap(&self) -> usize {
        self.keys.heap() + 8 * self.slots.capacity()
    }

    /// Bytes that the table will hold more when so many keys come, if all are new.
    pub(super) fn growth(&self, more: usize) -> usize {
        let slots = slots_for(self.len() + more);
        if slots > self.slots.len() { 8 * slots } else { 0 }
    }

    /// By key, the half of its hash that the table knows.
    pub(super) fn heads(&self) -> Vec<u32> {
        let mut heads = vec![0; self.len()];
        for slot in self.slots.iter().filter(|s| **s != 0) {
            heads[(*slot as u32 - 1) as usize] = (*slot >> 32) as u32;
        }
        heads
    }

    /// Keys that are all different, with their [`Groups::heads`].
    ///
    /// # Errors
    /// DTS_E_TXAGG_TOOMANYKEYS.
    pub(super) fn restore(keys: Keys, heads: &[u32]) -> Result<Groups> {
        let mut groups = Groups { keys, slots: Vec::new() };
        groups.reserve(0)?;
        let mask = groups.slots.len() - 1;
        for (number, head) in heads.iter().enumerate() {
            let mut at = *head as usize & mask;
            while groups.slots[at] != 0 {
                at = (at + 1) & mask;
            }
            groups.slots[at] = u64::from(*head) << 32 | (number as u64 + 1);
        }
        Ok(groups)
    }

    /// Forgets all keys, and gives them away.
    pub(super) fn take(&mut self) -> Keys {
        let empty = self.keys.none_like();
        self.slots.clear();
        std::mem::replace(&mut self.keys, empty)
    }

    /// Appends to `numbers` the numbers of the keys `rows` of `keys`, and to `fresh` those of `rows` that were new.
    ///
    /// # Errors
    /// DTS_E_TXAGG_TOOMANYKEYS.
    pub(super) fn find(
        &mut self,
        keys: &Keys,
        hashes: &[u64],
        rows: &[u32],
        numbers: &mut Vec<u32>,
        fresh: &mut Vec<u32>,
    ) -> Result<()> {
        numbers.reserve(rows.len());
        for rows in rows.chunks(STEP) {
            self.reserve(rows.len())?;
            match keys {
                Keys::Words { size: 0, .. } => self.find_none(keys, rows, numbers, fresh),
                Keys::Words { size: 1, .. } => self.find_words::<1>(keys, hashes, rows, numbers, fresh),
                Keys::Words { size: 2, .. } => self.find_words::<2>(keys, hashes, rows, numbers, fresh),
                Keys::Words { size: 3, .. } => self.find_words::<3>(keys, hashes, rows, numbers, fresh),
                Keys::Words { size: 4, .. } => self.find_words::<4>(keys, hashes, rows, numbers, fresh),
                _ => self.find_bytes(keys, hashes, rows, numbers, fresh),
            }
        }
        Ok(())
    }

    /// The one key that has no words.
    fn find_none(&mut self, keys: &Keys, rows: &[u32], numbers: &mut Vec<u32>, fresh: &mut Vec<u32>) {
        if self.len() == 0
            && let Some(first) = rows.first()
        {
            self.keys.push(keys, *first as usize);
            fresh.push(*first);
        }
        numbers.extend(rows.iter().map(|_| 0));
    }

    fn find_words<const N: usize>(
        &mut self,
        keys: &Keys,
        hashes: &[u64],
        rows: &[u32],
        numbers: &mut Vec<u32>,
        fresh: &mut Vec<u32>,
    ) {
        let Keys::Words { words: wanted, .. } = keys else { return };
        let Keys::Words { words, rows: count, .. } = &mut self.keys else { return };
        let wanted = wanted.as_chunks::<N>().0;
        let mask = self.slots.len() - 1;
        let mut guess = [0u64; STEP];
        for (guess, row) in guess.iter_mut().zip(rows) {
            *guess = self.slots[hashes[*row as usize] as u32 as usize & mask];
        }
        for (guess, row) in guess.iter().zip(rows) {
            let (hash, key) = (hashes[*row as usize] as u32, &wanted[*row as usize]);
            let same = |words: &[u64], slot: u64| {
                slot >> 32 == u64::from(hash) && words.as_chunks::<N>().0[(slot as u32 - 1) as usize] == *key
            };
            if *guess != 0 && same(words, *guess) {
                numbers.push(*guess as u32 - 1);
                continue;
            }
            let mut at = hash as usize & mask;
            let number = loop {
                match self.slots[at] {
                    0 => {
                        words.extend_from_slice(key);
                        *count += 1;
                        self.slots[at] = u64::from(hash) << 32 | *count as u64;
                        fresh.push(*row);
                        break *count as u32 - 1;
                    }
                    slot if same(words, slot) => break slot as u32 - 1,
                    _ => at = (at + 1) & mask,
                }
            };
            numbers.push(number);
        }
    }

    fn find_bytes(&mut self, keys: &Keys, hashes: &[u64], rows: &[u32], numbers: &mut Vec<u32>, fresh: &mut Vec<u32>) {
        let mask = self.slots.len() - 1;
        for row in rows {
            let (hash, row) = (hashes[*row as usize] as u32, *row as usize);
            let mut at = hash as usize & mask;
            let number = loop {
                let slot = self.slots[at];
                if slot == 0 {
                    self.keys.push(keys, row);
                    let count = self.keys.len();
                    self.slots[at] = u64::from(hash) << 32 | count as u64;
                    fresh.push(row as u32);
                    break count as u32 - 1;
                }
                if slot >> 32 == u64::from(hash) && same_key(&self.keys, (slot as u32 - 1) as usize, keys, row) {
                    break slot as u32 - 1;
                }
                at = (at + 1) & mask;
            };
            numbers.push(number);
        }
    }

    /// Room for so many keys more.
    fn reserve(&mut self, more: usize) -> Result<()> {
        let slots = slots_for(self.len() + more);
        if slots <= self.slots.len() {
            return Ok(());
        }
        if u32::try_from(self.len() + more + 1).is_err() {
            let code = codes::DTS_E_TXAGG_TOOMANYKEYS;
            return Err(Error::new(Owner::Data, code, code.message(&[])));
        }
        let old = std::mem::replace(&mut self.slots, vec![0; slots]);
        for slot in old.into_iter().filter(|s| *s != 0) {
            let mut at = (slot >> 32) as usize & (slots - 1);
            while self.slots[at] != 0 {
                at = (at + 1) & (slots - 1);
            }
            self.slots[at] = slot;
        }
        Ok(())
    }
}

/// Half of the slots are free at least.
fn slots_for(keys: usize) -> usize {
    (2 * keys).next_power_of_two().max(256)
}

fn same_key(a: &Keys, i: usize, b: &Keys, j: usize) -> bool {
    match (a, b) {
        (Keys::Words { size, words, .. }, Keys::Words { words: other, .. }) => {
            words[i * size..(i + 1) * size] == other[j * size..(j + 1) * size]
        }
        (Keys::Bytes(a) | Keys::Shown { keys: a, .. }, Keys::Bytes(b) | Keys::Shown { keys: b, .. }) => {
            a.get(i) == b.get(j)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(groups: &mut Groups, keys: &Keys) -> (Vec<u32>, Vec<u32>) {
        let rows: Vec<u32> = (0..keys.len() as u32).collect();
        let (mut numbers, mut fresh) = (Vec::new(), Vec::new());
        groups.find(keys, &keys.hashes(), &rows, &mut numbers, &mut fresh).unwrap();
        (numbers, fresh)
    }

    #[test]
    fn keys_are_numbered_in_the_order_in_which_they_first_come() {
        for size in 1..=6 {
            let words: Vec<u64> = [7, 9, 7, 7, 1, 9].iter().flat_map(|k| std::iter::repeat_n(*k, size)).collect();
            let keys = Keys::Words { size, rows: 6, words };
            let mut groups = Groups::new(&keys);
            assert_eq!(number(&mut groups, &keys), (vec![0, 1, 0, 0, 2, 1], vec![0, 1, 4]), "{size}");
            assert_eq!(number(&mut groups, &keys), (vec![0, 1, 0, 0, 2, 1], vec![]), "{size}");
        }
        let none = Keys::Words { size: 0, rows: 3, words: Vec::new() };
        assert_eq!(number(&mut Groups::new(&none), &none), (vec![0, 0, 0], vec![0]));
    }

    #[test]
    fn many_keys_are_found_again() {
        let texts = |from: usize, to: usize| {
            let mut texts = Texts::default();
            (from..to).for_each(|i| texts.push(format!("key {}", i % 70_000).as_bytes()));
            Keys::Bytes(texts)
        };
        let words = |from: usize, to: usize| {
            let words = (from..to).flat_map(|i| [i as u64 % 70_000, 3]).collect();
            Keys::Words { size: 2, rows: to - from, words }
        };
        for make in [&texts as &dyn Fn(usize, usize) -> Keys, &words] {
            let mut groups = Groups::new(&make(0, 0));
            let all: Vec<u32> =
                (0..10).flat_map(|i| number(&mut groups, &make(i * 20_000, (i + 1) * 20_000)).0).collect();
            assert_eq!(groups.len(), 70_000);
            assert!(all.iter().enumerate().all(|(i, n)| *n as usize == i % 70_000));
        }
    }
}
