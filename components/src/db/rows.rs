//! Rows on their way out of a database: fetched by one thread, decoded by any.

use super::error::Outcome;
use arrow::array::ArrayRef;
use dtsx_engine::batch::Faults;

/// Rows as columns, each in the physical form of the column's type. A column that nobody asked for is a `NullArray`.
#[derive(Clone, Debug, Default)]
pub struct Rows {
    /// How many.
    pub len: usize,
    /// One array a column of the cursor.
    pub columns: Vec<ArrayRef>,
    /// By column: the values that were none of the column's type, which are NULL (or cut) in the array. Empty where a
    /// driver cannot have such values.
    pub faults: Vec<Faults>,
}

impl Rows {
    /// Rows of `columns` without faults.
    pub fn new(len: usize, columns: Vec<ArrayRef>) -> Rows {
        Rows { len, columns, faults: Vec::new() }
    }

    /// The faults of a column.
    pub fn faults_of(&self, column: usize) -> &[dtsx_engine::batch::Fault] {
        self.faults.get(column).map_or(&[], Vec::as_slice)
    }
}

/// Rows as the driver got them: what [`Cursor::next_block`](super::Cursor::next_block) yields. Decoding them needs no
/// connection and may happen on another thread, while the next block is fetched.
pub trait RowBlock: Send {
    /// How many rows.
    fn rows(&self) -> usize;

    /// Converts the rows.
    ///
    /// # Errors
    /// A value that the driver does not understand, a defect of either.
    fn decode(self: Box<Self>) -> Outcome<Rows>;
}

impl RowBlock for Rows {
    fn rows(&self) -> usize {
        self.len
    }

    fn decode(self: Box<Self>) -> Outcome<Rows> {
        Ok(*self)
    }
}
