//! Sorted rows on disk, with their keys.

use super::sides::Rows;
use crate::shared::sort_keys::{Keys, Tails};
use arrow::array::{Array, ArrayRef, AsArray, BinaryArray, BooleanArray, Decimal128Array, RecordBatch};
use arrow::datatypes::{Decimal128Type, Field, Schema, SchemaRef};
use dtsx_engine::batch::Batch;
use dtsx_engine::diag::{Error, Result};
use dtsx_engine::memory::{SpillFile, SpillManager, SpillReader, SpillWriter};
use std::collections::VecDeque;
use std::sync::Arc;

/// Rows that memory has no room for, in the order in which they were put here. They are taken from the front, or read
/// any number of times.
pub(crate) struct Overflow {
    spill: Arc<SpillManager>,
    /// What was written and not taken.
    front: Pass,
    /// What is being written behind it; the rows of a file have columns of the same types.
    writer: Option<(SchemaRef, SpillWriter)>,
    /// Batches of both that were not taken.
    batches: usize,
}

impl Overflow {
    pub(crate) fn new(spill: &Arc<SpillManager>) -> Overflow {
        Overflow { spill: spill.clone(), front: Pass::default(), writer: None, batches: 0 }
    }

    /// Whether nothing was put here, or everything was taken.
    pub(crate) fn is_empty(&self) -> bool {
        self.batches == 0
    }

    /// Puts rows at the end.
    ///
    /// # Errors
    /// A temporary file that cannot be written.
    pub(crate) fn push(&mut self, rows: &Rows) -> Result<()> {
        let batch = rows.to_record_batch()?;
        if self.writer.as_ref().is_some_and(|(schema, _)| *schema != batch.schema()) {
            self.end_file()?;
        }
        let (_, writer) = match &mut self.writer {
            Some(writer) => writer,
            none => none.insert((batch.schema(), self.spill.batches(&batch.schema())?)),
        };
        writer.write(&batch)?;
        self.batches += 1;
        Ok(())
    }

    fn end_file(&mut self) -> Result<()> {
        if let Some((_, writer)) = self.writer.take() {
            self.front.files.push_back(writer.finish()?);
        }
        Ok(())
    }

    /// Takes rows from the front.
    ///
    /// # Errors
    /// A temporary file that cannot be read, or not be ended.
    pub(crate) fn pop(&mut self) -> Result<Option<Rows>> {
        if self.batches == 0 {
            return Ok(None);
        }
        let rows = match self.front.next()? {
            None => {
                self.end_file()?;
                self.front.next()?
            }
            rows => rows,
        };
        self.batches -= 1;
        if self.batches == 0 {
            self.clear();
        }
        Ok(rows)
    }

    /// Lets go of all rows.
    pub(crate) fn clear(&mut self) {
        self.front = Pass::default();
        self.writer = None;
        self.batches = 0;
    }

    /// Reads all rows from the first one on; they stay. Not to be mixed with [`Overflow::pop`].
    ///
    /// # Errors
    /// A temporary file that cannot be ended.
    pub(crate) fn pass(&mut self) -> Result<Pass> {
        self.end_file()?;
        Ok(Pass { reader: None, files: self.front.files.clone() })
    }
}

/// Rows on disk that are read from the first to the last.
#[derive(Default)]
pub(crate) struct Pass {
    reader: Option<SpillReader>,
    files: VecDeque<SpillFile>,
}

impl Pass {
    /// The next rows.
    ///
    /// # Errors
    /// A temporary file that cannot be read.
    pub(crate) fn next(&mut self) -> Result<Option<Rows>> {
        loop {
            if let Some(batch) = self.reader.as_mut().and_then(Iterator::next) {
                return Rows::from_record_batch(&batch?).map(Some);
            }
            self.reader = None;
            let Some(file) = self.files.pop_front() else { return Ok(None) };
            self.reader = Some(file.read()?);
        }
    }
}

impl Rows {
    /// The columns, and behind them the prefixes of the keys, their tails, and what is NULL.
    fn to_record_batch(&self) -> Result<RecordBatch> {
        let rows = self.batch.rows;
        let prefixes = Decimal128Array::from_iter_values(self.keys.prefix.iter().map(|prefix| *prefix as i128));
        let tails = BinaryArray::from_iter_values((0..rows).map(|row| self.keys.tail(row)));
        let nulls = BooleanArray::from(self.nulls.clone().unwrap_or_else(|| vec![false; rows]));
        let keys: [ArrayRef; 3] = [Arc::new(prefixes), Arc::new(tails), Arc::new(nulls)];
        let columns: Vec<ArrayRef> = self.batch.columns.iter().cloned().chain(keys).collect();
        let fields: Vec<Field> = columns.iter().map(|c| Field::new("", c.data_type().clone(), true)).collect();
        Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?)
    }

    fn from_record_batch(stored: &RecordBatch) -> Result<Rows> {
        let mut columns = stored.columns().to_vec();
        let (Some(nulls), Some(tails), Some(prefixes)) = (columns.pop(), columns.pop(), columns.pop()) else {
            return Err(Error::internal("rows on disk without their keys"));
        };
        let prefix = prefixes.as_primitive::<Decimal128Type>().values().iter().map(|value| *value as u128).collect();
        let bytes = tails.as_binary::<i32>();
        let tails = (!bytes.value_data().is_empty()).then(|| {
            let mut tails = Tails::default();
            bytes.iter().for_each(|tail| tails.push(tail.unwrap_or_default()));
            tails
        });
        let nulls = nulls.as_boolean();
        let nulls = (nulls.true_count() > 0).then(|| nulls.values().iter().collect());
        let batch = Batch::new(0, stored.num_rows(), columns);
        Ok(Rows { batch, keys: Keys { prefix, tails }, nulls })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Int64Array, NullArray, StringViewArray};

    fn rows(from: i64, column: ArrayRef) -> Rows {
        let count = column.len();
        let prefix = (0..count as i64).map(|row| ((from + row) as u128) << 64).collect();
        let tails = (from % 2 == 0).then(|| {
            let mut tails = Tails::default();
            (0..count).for_each(|row| tails.push(&vec![7; row]));
            tails
        });
        let nulls = (from % 3 == 0).then(|| (0..count).map(|row| row == 1).collect());
        Rows { batch: Batch::new(0, count, vec![column]), keys: Keys { prefix, tails }, nulls }
    }

    fn assert_same(found: Option<Rows>, wanted: &Rows) {
        let found = found.unwrap();
        assert_eq!(found.batch.columns, wanted.batch.columns);
        assert_eq!((found.keys.prefix, found.nulls), (wanted.keys.prefix.clone(), wanted.nulls.clone()));
        (0..wanted.batch.rows).for_each(|row| {
            assert_eq!(found.keys.tails.as_ref().map_or(&[][..], |tails| tails.of(row)), wanted.keys.tail(row));
        });
    }

    #[test]
    fn rows_come_back_as_they_went() {
        let temp = tempfile::tempdir().unwrap();
        let mut overflow = Overflow::new(&Arc::new(SpillManager::new(Some(temp.path().to_owned()))));
        let numbers = |from| rows(from, Arc::new(Int64Array::from_iter(from..from + 3)));
        let texts =
            |from| rows(from, Arc::new(StringViewArray::from_iter_values(["a", "some longer text than a view"])));
        let nothing = |from| rows(from, Arc::new(NullArray::new(2)));
        // Taken while more is put behind it, some of it of another type.
        let mut waiting = VecDeque::new();
        for from in 0..40 {
            let more = [numbers(from), texts(from), nothing(from), texts(from + 1)];
            let more = more.into_iter().skip(from as usize % 3);
            for rows in more {
                overflow.push(&rows).unwrap();
                waiting.push_back(rows);
            }
            for _ in 0..2 + from % 2 {
                assert_same(overflow.pop().unwrap(), &waiting.pop_front().unwrap());
            }
            assert_eq!(overflow.is_empty(), waiting.is_empty());
        }
        overflow.clear();
        assert!(overflow.pop().unwrap().is_none());
        let all = [numbers(1), numbers(4), texts(6)];
        all.iter().for_each(|rows| overflow.push(rows).unwrap());
        for _ in 0..2 {
            let mut pass = overflow.pass().unwrap();
            all.iter().for_each(|rows| assert_same(pass.next().unwrap(), rows));
            assert!(pass.next().unwrap().is_none());
        }
        overflow.clear();
        assert_eq!(std::fs::read_dir(temp.path()).unwrap().count(), 0);
    }
}
