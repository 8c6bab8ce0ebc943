//! Rows that are read before any of them goes on: some in memory, the rest on disk.

use crate::db::{Cursor, DbError, Rows};
use arrow::array::{Array, ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{Field, Schema, SchemaRef};
use dtsx_engine::batch::Faults;
use dtsx_engine::diag::{Error, Result};
use dtsx_engine::memory::{Reservation, SpillFile, SpillWriter};
use dtsx_engine::run::Services;
use std::sync::Arc;

/// Bytes that are kept in memory, where the run has no limit of its own below that.
const MOST: usize = 64 << 20;

/// All rows of a cursor.
pub(super) struct Ahead {
    kept: Vec<Rows>,
    held: Reservation,
    spilled: Option<SpillFile>,
    /// By batch on disk.
    faults: Vec<Vec<Faults>>,
}

impl Ahead {
    /// Reads to the end; `told` says what a failure of the database is.
    pub(super) fn read(cursor: &mut dyn Cursor, services: &Services, told: impl Fn(DbError) -> Error) -> Result<Ahead> {
        let mut writer: Option<SpillWriter> = None;
        let (mut kept, mut faults) = (Vec::new(), Vec::new());
        let mut held = services.memory.reservation();
        while let Some(rows) = cursor.next().map_err(&told)? {
            services.cancel.check()?;
            let bytes: usize = rows.columns.iter().map(|column| column.get_array_memory_size()).sum();
            if writer.is_none() && held.bytes() + bytes <= MOST && held.try_grow(bytes) {
                kept.push(rows);
                continue;
            }
            let batch = batch(&rows)?;
            let writer = match &mut writer {
                Some(writer) => writer,
                None => writer.insert(services.spill.batches(&batch.schema())?),
            };
            writer.write(&batch)?;
            faults.push(rows.faults);
        }
        let spilled = writer.map(SpillWriter::finish).transpose()?;
        Ok(Ahead { kept, held, spilled, faults })
    }

    /// Hands the rows on, in order.
    pub(super) fn each(self, mut take: impl FnMut(Rows) -> Result<()>) -> Result<()> {
        let Ahead { kept, mut held, spilled, faults } = self;
        for rows in kept {
            let bytes: usize = rows.columns.iter().map(|column| column.get_array_memory_size()).sum();
            take(rows)?;
            held.shrink(bytes);
        }
        let Some(file) = spilled else { return Ok(()) };
        for (batch, faults) in file.read()?.zip(faults) {
            let batch = batch?;
            take(Rows { len: batch.num_rows(), columns: batch.columns().to_vec(), faults })?;
        }
        Ok(())
    }
}

fn batch(rows: &Rows) -> Result<RecordBatch> {
    let field = |(at, column): (usize, &ArrayRef)| Field::new(at.to_string(), column.data_type().clone(), true);
    let schema: SchemaRef = Arc::new(Schema::new(rows.columns.iter().enumerate().map(field).collect::<Vec<_>>()));
    let options = RecordBatchOptions::new().with_row_count(Some(rows.len));
    Ok(RecordBatch::try_new_with_options(schema, rows.columns.clone(), &options)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::{ColumnInfo, Outcome, RowBlock};
    use arrow::array::{AsArray, Int32Array, StringViewArray};
    use arrow::datatypes::Int32Type;
    use dtsx_engine::batch::Fault;
    use dtsx_engine::diag::codes;
    use dtsx_engine::run::RunOptions;

    /// Blocks of ten rows.
    struct Tens(i32);

    impl Cursor for Tens {
        fn columns(&self) -> &[ColumnInfo] {
            &[]
        }

        fn next_block(&mut self) -> Outcome<Option<Box<dyn RowBlock>>> {
            let from = self.0 * 10;
            self.0 += 1;
            if from >= 200 {
                return Ok(None);
            }
            let numbers: ArrayRef = Arc::new(Int32Array::from_iter_values(from..from + 10));
            let texts = (from..from + 10).map(|n| (n % 3 > 0).then(|| format!("a text that is not short: {n}")));
            let texts: ArrayRef = Arc::new(texts.collect::<StringViewArray>());
            let fault = Fault { row: 3, code: codes::DTS_E_GENERICERROR, truncation: from % 20 == 0 };
            let rows = Rows { len: 10, columns: vec![numbers, texts], faults: vec![vec![fault], Faults::new()] };
            Ok(Some(Box::new(rows)))
        }
    }

    #[test]
    fn rows_come_back_in_order_from_memory_and_from_disk() {
        for memory in [None, Some(5_000), Some(0)] {
            let services = Services::new(RunOptions { threads: 1, memory, ..RunOptions::default() }).unwrap();
            let read = Ahead::read(&mut Tens(0), &services, |e| e.into_error(None)).unwrap();
            assert_eq!(services.spill.written() > 0, memory.is_some());
            let (mut numbers, mut n_texts, mut cut) = (Vec::new(), 0, Vec::new());
            let each = |rows: Rows| {
                numbers.extend(rows.columns[0].as_primitive::<Int32Type>().values().iter().copied());
                n_texts += rows.len - rows.columns[1].null_count();
                cut.push(rows.faults_of(0)[0].truncation);
                Ok(())
            };
            read.each(each).unwrap();
            assert_eq!(numbers, (0..200).collect::<Vec<_>>());
            assert_eq!((n_texts, cut.len(), cut.iter().filter(|c| **c).count()), (133, 20, 10));
            assert_eq!(services.memory.used(), 0);
        }
    }
}
