//! The current rows of a dimension, read once.

use super::{ColumnType, Plan};
use crate::db::{Database, DbError, StatementOptions};
use arrow::array::{Array, ArrayRef, AsArray, BooleanArray};
use arrow::compute::{concat, nullif};
use arrow::row::{Row, Rows};
use dtsx_engine::batch::Faults;
use dtsx_engine::diag::{Error, Owner, Result, codes};
use dtsx_engine::memory::Reservation;
use dtsx_engine::run::Services;
use dtsx_engine::types::DataType;
use dtsx_engine::types::convert::{CastOptions, cast_array};
use hashbrown::HashMap;

/// The attributes of one kind, in a form that compares with those of the input.
pub(super) struct Attributes {
    rows: Rows,
    /// By row, whether a value does not fit the type of the input's column: it equals none of its values. Empty: all fit.
    unfit: Vec<bool>,
}

impl Attributes {
    /// Whether those of a member are others than these.
    pub(super) fn differ(&self, member: usize, ours: Row<'_>) -> bool {
        self.is_unfit(member) || ours.as_ref() != self.rows.row(member).as_ref()
    }

    fn is_unfit(&self, member: usize) -> bool {
        self.unfit.get(member).copied().unwrap_or(false)
    }
}

/// The current rows, by key.
pub(super) struct Dimension {
    places: HashMap<Box<[u8]>, usize>,
    pub(super) fixed: Option<Attributes>,
    pub(super) changing: Option<Attributes>,
    pub(super) historical: Option<Attributes>,
    /// By row, whether it is an inferred member.
    pub(super) inferred: Vec<bool>,
    /// What all of this takes.
    _reservation: Reservation,
}

/// A column of the query's result. A value that does not fit is NULL.
struct Column {
    array: ArrayRef,
    /// By row, whether the value did not fit; empty: all did.
    unfit: Vec<bool>,
}

impl Dimension {
    /// The row with that key.
    pub(super) fn find(&self, key: &[u8]) -> Option<usize> {
        self.places.get(key).copied()
    }

    /// Runs the query. This waits.
    ///
    /// # Errors
    /// What the database says, a column that the query does not give, memory that cannot be had.
    pub(super) fn read(plan: &Plan, database: &Database, services: &Services) -> Result<Dimension> {
        let mut gathered = services.memory.reservation();
        let (columns, indicator) = columns(plan, database, &mut gathered)?;
        let of = |kind: ColumnType| {
            let of_kind = plan.columns.iter().filter(|c| c.kind != ColumnType::Other).zip(&columns);
            of_kind.filter(move |(column, _)| column.kind == kind).map(|(_, column)| column)
        };
        let rows = |kind: ColumnType| -> Result<Option<Rows>> {
            let arrays: Vec<ArrayRef> = of(kind).map(|column| column.array.clone()).collect();
            plan.converter(kind)?.map(|converter| Ok(converter.convert_columns(&arrays)?)).transpose()
        };
        let attributes = |kind: ColumnType| -> Result<Option<Attributes>> {
            let unfit = of(kind).map(|column| &column.unfit).fold(Vec::new(), |all, one| either(all, one));
            Ok(rows(kind)?.map(|rows| Attributes { rows, unfit }))
        };
        let keys = rows(ColumnType::Key)?.ok_or_else(|| Error::internal("no key"))?;
        let (fixed, changing, historical) =
            (attributes(ColumnType::Fixed)?, attributes(ColumnType::Changing)?, attributes(ColumnType::Historical)?);
        let mut reservation = services.memory.reservation();
        let sizes = [&fixed, &changing, &historical].into_iter().flatten().map(|a| a.rows.size() + a.unfit.len());
        if !reservation.try_grow(2 * keys.size() + sizes.sum::<usize>() + keys.num_rows()) {
            return Err(too_many(keys.num_rows()));
        }
        let mut places = HashMap::with_capacity(keys.num_rows());
        for row in 0..keys.num_rows() {
            // Of several current rows the first counts (unconfirmed).
            places.entry(Box::from(keys.row(row).as_ref())).or_insert(row);
        }
        let kinds = [ColumnType::Fixed, ColumnType::Changing, ColumnType::Historical];
        let attributes: Vec<&Column> = kinds.into_iter().flat_map(of).collect();
        let inferred = |row: usize| match (&plan.indicator, &indicator) {
            (None, _) => false,
            (Some(_), Some(flags)) => flags.array.as_boolean_opt().is_some_and(|f| f.is_valid(row) && f.value(row)),
            (Some(_), None) => attributes
                .iter()
                .all(|column| column.array.is_null(row) && !column.unfit.get(row).is_some_and(|unfit| *unfit)),
        };
        let inferred = (0..keys.num_rows()).map(inferred).collect();
        Ok(Dimension { places, fixed, changing, historical, inferred, _reservation: reservation })
    }
}

/// By row, whether either holds.
fn either(mut all: Vec<bool>, one: &[bool]) -> Vec<bool> {
    all.resize(all.len().max(one.len()), false);
    all.iter_mut().zip(one).for_each(|(all, one)| *all |= one);
    all
}

fn too_many(rows: usize) -> Error {
    let message = format!("the {rows} rows of the dimension do not fit the memory of this run");
    Error::new(Owner::Environment, None, message)
}

/// The columns of the query that the input is mapped to, in its order and as its types, and the indicator; `reservation`
/// grows by what they take.
fn columns(plan: &Plan, database: &Database, reservation: &mut Reservation) -> Result<(Vec<Column>, Option<Column>)> {
    let mut wanted: Vec<(&str, DataType)> = plan
        .columns
        .iter()
        .filter(|c| c.kind != ColumnType::Other)
        .map(|c| (c.external.as_str(), c.data_type))
        .collect();
    let indicator = plan.indicator.as_deref().filter(|name| !name.is_empty());
    wanted.extend(indicator.map(|name| (name, DataType::Bool)));
    let mut lease = database.lease().map_err(DbError::into_oledb_error)?;
    let options = StatementOptions { code_page: plan.code_page, ..StatementOptions::default() };
    let sql = lease.dialect().translate(&plan.sql).into_owned();
    let mut cursor = lease.query(&sql, &[], &options).map_err(DbError::into_oledb_error)?;
    let mut places = Vec::with_capacity(wanted.len());
    for (name, _) in &wanted {
        let place = cursor.columns().iter().position(|c| c.name.eq_ignore_ascii_case(name));
        places.push(place.ok_or_else(|| {
            let code = codes::DTS_E_TXSCD_CANNOTFINDEXTERNALCOLUMN;
            Error::new(Owner::Package, code, code.message(&[name]))
        })?);
    }
    let mut wishes = vec![None; cursor.columns().len()];
    for (place, (_, data_type)) in places.iter().zip(&wanted) {
        wishes[*place] = Some(*data_type);
    }
    cursor.wish(&wishes).map_err(DbError::into_oledb_error)?;
    let from: Vec<DataType> = places.iter().map(|place| cursor.columns()[*place].data_type).collect();
    let cast = CastOptions::data_flow(plan.locale);
    let mut blocks: Vec<Vec<ArrayRef>> = vec![Vec::new(); wanted.len()];
    let mut unfit: Vec<Vec<bool>> = vec![Vec::new(); wanted.len()];
    let mut read = 0;
    while let Some(rows) = cursor.next().map_err(DbError::into_oledb_error)? {
        for (column, place) in places.iter().enumerate() {
            let (array, to) = (&rows.columns[*place], wanted[column].1);
            let (array, lost) = match from[column] == to {
                true => (array.clone(), Faults::new()),
                false => cast_array(array, &from[column], &to, &cast)?,
            };
            let faults = rows.faults_of(*place);
            let array = if faults.is_empty() && lost.is_empty() {
                array
            } else {
                let unfit = &mut unfit[column];
                unfit.resize(read + rows.len, false);
                faults.iter().chain(&lost).for_each(|fault| unfit[read + fault.row as usize] = true);
                nullif(&array, &BooleanArray::from(unfit[read..].to_vec()))?
            };
            if !reservation.try_grow(array.get_array_memory_size()) {
                return Err(too_many(read + rows.len));
            }
            blocks[column].push(array);
        }
        read += rows.len;
    }
    let joined = blocks.iter().zip(&wanted).zip(unfit).map(|((blocks, (_, data_type)), unfit)| -> Result<Column> {
        let array = match &blocks[..] {
            [] => arrow::array::new_empty_array(&data_type.arrow()),
            blocks => concat(&blocks.iter().map(|a| a.as_ref() as &dyn Array).collect::<Vec<_>>())?,
        };
        Ok(Column { array, unfit })
    });
    let mut joined = joined.collect::<Result<Vec<_>>>()?;
    let indicator = indicator.and_then(|_| joined.pop());
    Ok((joined, indicator))
}
