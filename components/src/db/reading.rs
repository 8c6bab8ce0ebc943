//! What reading rows over a database's own protocol has in common, whichever that is: which of a result's columns somebody
//! reads, in which types, and what becomes of values that those do not have.

use super::session::ColumnInfo;
use dtsx_engine::types::DataType;
use std::sync::Arc;

/// How a block is decoded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Strictness {
    /// A value that the column's type does not have is a fault of its row.
    Faults,
    /// It fails the block: nobody looks at faults.
    Strict,
}

/// A column as a protocol brings it.
pub(super) trait Brought: Copy {
    /// The type in which its values come.
    fn data_type(&self) -> DataType;

    /// The column, delivered as `wished` where that costs nothing.
    fn wished(self, wished: DataType) -> Self;
}

/// How the rows of a result are read.
#[derive(Clone, Debug)]
pub(super) struct Reading<C> {
    pub(super) columns: Arc<Vec<C>>,
    /// By column: whether somebody reads it.
    pub(super) wanted: Arc<Vec<bool>>,
    pub(super) strictness: Strictness,
}

impl<C: Brought> Reading<C> {
    /// All columns, as they are.
    pub(super) fn all(columns: Vec<C>) -> Reading<C> {
        let wanted = Arc::new(vec![true; columns.len()]);
        Reading { columns: Arc::new(columns), wanted, strictness: Strictness::Strict }
    }

    /// Those that are wished for, in the types that are; `infos` are told which types come of it.
    pub(super) fn wish(&mut self, wishes: &[Option<DataType>], infos: &mut [ColumnInfo]) {
        let columns = self.columns.iter().zip(wishes).map(|(c, w)| w.map_or(*c, |w| c.wished(w)));
        self.columns = Arc::new(columns.collect());
        self.wanted = Arc::new(wishes.iter().map(Option::is_some).collect());
        self.strictness = Strictness::Faults;
        for (info, column) in infos.iter_mut().zip(self.columns.iter()) {
            info.data_type = column.data_type();
        }
    }
}

/// Precision and scale of a decimal type.
pub(super) fn precision(data_type: &DataType) -> (u8, u8) {
    match data_type {
        DataType::Cy => (19, 4),
        DataType::Decimal { scale } => (29, *scale),
        other => (other.precision(), other.scale()),
    }
}
