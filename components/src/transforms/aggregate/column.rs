//! Entries by group in chunks: one that grows neither copies what it has nor holds it twice.

use std::ops::{Index, IndexMut};

/// Entries of a chunk.
const CHUNK: usize = 256;

/// An entry for each group.
#[derive(Clone, Debug, Default)]
pub(super) struct Column<T> {
    chunks: Vec<Box<[T; CHUNK]>>,
    len: usize,
}

impl<T: Copy> Column<T> {
    /// No entries.
    pub(super) fn new() -> Column<T> {
        Column { chunks: Vec::new(), len: 0 }
    }

    /// Makes it longer, with entries that are `value` as long as nobody sets them. The same value every time.
    pub(super) fn resize(&mut self, len: usize, value: T) {
        while self.chunks.len() * CHUNK < len {
            self.chunks.push(Box::new([value; CHUNK]));
        }
        self.len = len;
    }

    /// The entries, in order.
    pub(super) fn to_vec(&self) -> Vec<T> {
        self.chunks.iter().flat_map(|chunk| chunk.iter().copied()).take(self.len).collect()
    }

    /// Some of the entries.
    pub(super) fn select(&self, groups: &[u32], fill: T) -> Column<T> {
        Column::from_values(groups.len(), fill, groups.iter().map(|g| self[*g as usize]))
    }

    /// These entries; `fill` is what new ones begin with.
    pub(super) fn from_values(len: usize, fill: T, values: impl IntoIterator<Item = T>) -> Column<T> {
        let mut column = Column::new();
        column.resize(len, fill);
        values.into_iter().take(len).enumerate().for_each(|(at, value)| column[at] = value);
        column
    }
}

impl<T> Index<usize> for Column<T> {
    type Output = T;

    #[inline(always)]
    fn index(&self, at: usize) -> &T {
        &self.chunks[at / CHUNK][at % CHUNK]
    }
}

impl<T> IndexMut<usize> for Column<T> {
    #[inline(always)]
    fn index_mut(&mut self, at: usize) -> &mut T {
        &mut self.chunks[at / CHUNK][at % CHUNK]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_stay_where_they_are() {
        let mut column = Column::new();
        for len in [0, 1, CHUNK, CHUNK + 1, 5 * CHUNK] {
            column.resize(len, 7);
            if let Some(last) = len.checked_sub(1) {
                column[last] += len;
            }
        }
        let expected =
            |at: usize| 7 + [1, CHUNK, CHUNK + 1, 5 * CHUNK].iter().filter(|len| at + 1 == **len).sum::<usize>();
        assert_eq!(column.to_vec(), (0..5 * CHUNK).map(expected).collect::<Vec<_>>());
        assert_eq!(column.select(&[0, 255, 3], 0).to_vec(), [8, 7 + CHUNK, 7]);
        let read = Column::from_values(3, 9, [1, 2, 3]);
        assert_eq!((read.to_vec(), read[2]), (vec![1, 2, 3], 3));
    }
}
