//! Rows on their way into a database: columns in the types of their external columns, and the rows that do not get that
//! far. What the lanes of destinations and commands do.

use super::{castable, shown};
use crate::db::Rows;
use arrow::array::{ArrayRef, UInt32Array};
use dtsx_engine::batch::{Batch, Fault, Faults};
use dtsx_engine::diag::{Code, Error, Result};
use dtsx_engine::flow::Disposition;
use dtsx_engine::flow::faults::{FaultSite, Reject, RowFaults};
use dtsx_engine::types::DataType;
use dtsx_engine::types::convert::{CastOptions, FaultCodes, cast_array};

/// A column that leaves the flow.
pub(crate) struct Column {
    /// Its place in the input.
    pub(crate) slot: usize,
    /// Its type in the flow.
    pub(crate) from: DataType,
    /// The type of its external column.
    pub(crate) to: DataType,
    /// The name of its external column.
    pub(crate) external: String,
    /// What ErrorColumn holds if its value cannot be converted; the dispositions are those of the input.
    pub(crate) site: FaultSite,
}

/// What leaves, and what becomes of rows that cannot.
pub(crate) struct Outgoing {
    /// The component's name.
    pub(crate) name: String,
    pub(crate) columns: Vec<Column>,
    /// The input as a whole, with the disposition that all columns share.
    pub(crate) site: FaultSite,
    /// What the component calls the faults of a conversion.
    pub(crate) codes: FaultCodes,
    pub(crate) locale: u32,
}

/// Rows on their way to the thread that writes them.
pub(crate) struct Block {
    /// As they came in: what error rows are made of.
    pub(crate) batch: Batch,
    /// Those that could be converted, in the columns that are written.
    pub(crate) rows: Rows,
    /// Where they stood in the batch; None: where they stand.
    places: Option<Vec<u32>>,
    /// Those that could not, and leave through the error output.
    pub(crate) rejects: Vec<Reject>,
    /// The row behind the last of `rows` fails the component.
    pub(crate) failure: Option<Error>,
}

impl Block {
    /// Where a row of `rows` stood in the batch.
    pub(crate) fn place(&self, row: usize) -> u32 {
        self.places.as_ref().and_then(|p| p.get(row).copied()).unwrap_or(row as u32)
    }
}

impl Outgoing {
    /// What becomes of a row that fails.
    pub(crate) fn disposition(&self) -> Disposition {
        self.site.dispositions.error
    }

    /// Whether a row that fails ends the component.
    pub(crate) fn fails(&self) -> bool {
        matches!(self.disposition(), Disposition::Fail | Disposition::NotUsed)
    }

    /// The error of a row that fails the component.
    pub(crate) fn failed(&self, block: &Block, row: usize, code: Code) -> Error {
        let mut faults = RowFaults::new(&block.batch);
        let fault = Fault { row: block.place(row), code, truncation: false };
        faults.column(&self.site, &[fault], &|_| None);
        faults.settle(&self.name).err().unwrap_or_else(|| Error::internal("a row that fails did not"))
    }

    /// The code of the component for what a cast reports.
    fn code(&self, code: Code) -> Code {
        FaultCodes::DATA_CONVERSION.translate(&self.codes, code).unwrap_or(self.codes.cannot_convert)
    }

    /// A column in the type of its external column, and the values that have none there. Text and bytes that are too
    /// long are faults; fractions that are cut are not, as a provider cuts them.
    fn convert(&self, column: &Column, source: &ArrayRef) -> Result<(ArrayRef, Faults)> {
        if column.from == column.to {
            return Ok((source.clone(), Faults::new()));
        }
        let options = CastOptions::data_flow(self.locale);
        let (array, mut faults) = cast_array(source, &castable(column.from), &column.to, &options)?;
        let lengths = matches!(column.to, DataType::Str { .. } | DataType::WStr { .. } | DataType::Bytes { .. });
        faults.retain(|fault| !fault.truncation || lengths);
        for fault in &mut faults {
            fault.code = self.code(fault.code);
            fault.truncation = false;
        }
        Ok((array, faults))
    }

    /// Converts a batch without selection.
    ///
    /// # Errors
    /// A defect; a row that fails the component is told in the block, as the rows before it may count.
    pub(crate) fn prepare(&self, batch: Batch) -> Result<Block> {
        let mut faults = RowFaults::new(&batch);
        let mut columns = Vec::with_capacity(self.columns.len());
        let ignores = self.disposition() == Disposition::Ignore;
        for column in &self.columns {
            let source = &batch.columns[column.slot];
            let (array, found) = self.convert(column, source)?;
            if !found.is_empty() {
                let mut site: FaultSite = column.site.clone();
                if ignores {
                    // A row that is ignored is left out, as one that the database refuses.
                    site.dispositions.error = Disposition::Redirect;
                }
                faults.column(&site, &found, &|row| shown(source, row));
            }
            columns.push(array);
        }
        let end = faults.failure().map_or(batch.rows, |f| f.fault.row as usize);
        if end == batch.rows && !faults.any_rejected() {
            let rows = Rows::new(batch.rows, columns);
            return Ok(Block { batch, rows, places: None, rejects: Vec::new(), failure: None });
        }
        let places: Vec<u32> = (0..end as u32).filter(|row| !faults.is_rejected(*row)).collect();
        let indices = UInt32Array::from_iter_values(places.iter().copied());
        let taken: std::result::Result<Vec<ArrayRef>, _> =
            columns.iter().map(|column| arrow::compute::take(column, &indices, None)).collect();
        let rows = Rows::new(places.len(), taken?);
        let (rejects, failure) = match faults.settle(&self.name) {
            Ok(_) if ignores => (Vec::new(), None),
            Ok((_, rejects)) => (rejects, None),
            Err(error) => (Vec::new(), Some(error)),
        };
        Ok(Block { batch, rows, places: Some(places), rejects, failure })
    }
}
