//! Rows that are fetched again by number.

use super::store::{Entries, EntriesWriter, Room};
use arrow::array::{ArrayRef, UInt32Array, new_null_array};
use arrow::datatypes::DataType;
use arrow::row::{RowConverter, SortField};
use dtsx_engine::diag::Result;
use std::collections::HashMap;

/// Makes bytes of rows of columns of `types`, and rows of bytes.
pub(crate) fn converter(types: &[DataType]) -> Result<RowConverter> {
    Ok(RowConverter::new(types.iter().cloned().map(SortField::new).collect())?)
}

/// Gathers rows.
pub(crate) struct RowsWriter {
    types: Vec<DataType>,
    rows: EntriesWriter,
}

impl RowsWriter {
    pub(crate) fn new(room: &Room, types: Vec<DataType>) -> RowsWriter {
        RowsWriter { types, rows: EntriesWriter::new(room) }
    }

    /// Adds rows that [`converter`] made bytes of.
    ///
    /// # Errors
    /// A temporary file that cannot be written.
    pub(crate) fn push(&mut self, rows: &arrow::row::Rows) -> Result<()> {
        rows.iter().try_for_each(|row| self.rows.push(row.as_ref()))
    }

    /// Ends gathering.
    ///
    /// # Errors
    /// A temporary file that cannot be written.
    pub(crate) fn finish(self) -> Result<Rows> {
        Ok(Rows { types: self.types, rows: self.rows.finish()? })
    }
}

/// Rows by number.
pub(crate) struct Rows {
    types: Vec<DataType>,
    rows: Entries,
}

impl Rows {
    /// The columns of the rows `wanted`; NULL where there is none.
    ///
    /// # Errors
    /// A temporary file that cannot be read.
    pub(crate) fn fetch(&self, wanted: &[Option<u32>]) -> Result<Vec<ArrayRef>> {
        if self.types.is_empty() {
            return Ok(Vec::new());
        }
        let mut places: HashMap<u32, u32> = HashMap::new();
        let (mut bytes, mut ends, mut scratch) = (Vec::new(), Vec::new(), Vec::new());
        let mut indices = Vec::with_capacity(wanted.len());
        for number in wanted {
            let Some(number) = number else {
                indices.push(None);
                continue;
            };
            let place = match places.get(number) {
                Some(place) => *place,
                None => {
                    bytes.extend_from_slice(self.rows.get(*number, &mut scratch)?);
                    ends.push(bytes.len());
                    let place = ends.len() as u32 - 1;
                    places.insert(*number, place);
                    place
                }
            };
            indices.push(Some(place));
        }
        if ends.is_empty() {
            return Ok(self.types.iter().map(|t| new_null_array(t, wanted.len())).collect());
        }
        let converter = converter(&self.types)?;
        let parser = converter.parser();
        let starts = std::iter::once(0).chain(ends.iter().copied());
        let columns =
            converter.convert_rows(starts.zip(&ends).map(|(start, end)| parser.parse(&bytes[start..*end])))?;
        let indices = UInt32Array::from(indices);
        columns.iter().map(|column| Ok(arrow::compute::take(column, &indices, None)?)).collect()
    }
}
