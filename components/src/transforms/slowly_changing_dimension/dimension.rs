//! The current rows of a dimension, read once.

use super::{ColumnType, Plan};
use crate::db::{Database, DbError, StatementOptions};
use arrow::array::{Array, ArrayRef, AsArray, BooleanArray};
use arrow::compute::{concat, nullif};
use arrow::row::Rows;
use dtsx_engine::batch::Faults;
use dtsx_engine::diag::{Error, Owner, Result, codes};
use dtsx_engine::memory::Reservation;
use dtsx_engine::run::Services;
use dtsx_engine::types::DataType;
use dtsx_engine::types::convert::{CastOptions, cast_array};
use hashbrown::HashMap;

/// The current rows, by key; attributes in a form that compares with those of the input.
pub(super) struct Dimension {
    places: HashMap<Box<[u8]>, usize>,
    pub(super) fixed: Option<Rows>,
    pub(super) changing: Option<Rows>,
    pub(super) historical: Option<Rows>,
    /// By row, whether it is an inferred member.
    pub(super) inferred: Vec<bool>,
    /// What all of this takes.
    _reservation: Reservation,
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
        let (columns, indicator) = columns(plan, database)?;
        let of = |kind: ColumnType| -> Vec<ArrayRef> {
            let of_kind = plan.columns.iter().filter(|c| c.kind != ColumnType::Other).zip(&columns);
            of_kind.filter(|(column, _)| column.kind == kind).map(|(_, array)| array.clone()).collect()
        };
        let rows = |kind: ColumnType| -> Result<Option<Rows>> {
            plan.converter(kind)?.map(|converter| Ok(converter.convert_columns(&of(kind))?)).transpose()
        };
        let keys = rows(ColumnType::Key)?.ok_or_else(|| Error::internal("no key"))?;
        let (fixed, changing, historical) =
            (rows(ColumnType::Fixed)?, rows(ColumnType::Changing)?, rows(ColumnType::Historical)?);
        let mut reservation = services.memory.reservation();
        let attributes: usize = [&fixed, &changing, &historical].into_iter().flatten().map(Rows::size).sum();
        if !reservation.try_grow(2 * keys.size() + attributes + keys.num_rows()) {
            let message = format!("the {} rows of the dimension do not fit the memory of this run", keys.num_rows());
            return Err(Error::new(Owner::Environment, None, message));
        }
        let mut places = HashMap::with_capacity(keys.num_rows());
        for row in 0..keys.num_rows() {
            // Of several current rows the first counts (unconfirmed).
            places.entry(Box::from(keys.row(row).as_ref())).or_insert(row);
        }
        let kinds = [ColumnType::Fixed, ColumnType::Changing, ColumnType::Historical];
        let attributes: Vec<ArrayRef> = kinds.into_iter().flat_map(of).collect();
        let inferred = |row: usize| match (&plan.indicator, &indicator) {
            (None, _) => false,
            (Some(_), Some(flags)) => flags.as_boolean_opt().is_some_and(|f| f.is_valid(row) && f.value(row)),
            (Some(_), None) => attributes.iter().all(|column| column.is_null(row)),
        };
        let inferred = (0..keys.num_rows()).map(inferred).collect();
        Ok(Dimension { places, fixed, changing, historical, inferred, _reservation: reservation })
    }
}

/// The columns of the query that the input is mapped to, in its order and as its types, and the indicator.
fn columns(plan: &Plan, database: &Database) -> Result<(Vec<ArrayRef>, Option<ArrayRef>)> {
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
    while let Some(rows) = cursor.next().map_err(DbError::into_oledb_error)? {
        for (column, place) in places.iter().enumerate() {
            let (array, to) = (&rows.columns[*place], wanted[column].1);
            let (array, lost) = match from[column] == to {
                true => (array.clone(), Faults::new()),
                false => cast_array(array, &from[column], &to, &cast)?,
            };
            // A value that does not fit the type of the input's column equals none of its values.
            let mut unfit = vec![false; rows.len];
            rows.faults_of(*place).iter().chain(&lost).for_each(|fault| unfit[fault.row as usize] = true);
            blocks[column].push(nullif(&array, &BooleanArray::from(unfit))?);
        }
    }
    let joined = blocks.iter().zip(&wanted).map(|(blocks, (_, data_type))| -> Result<ArrayRef> {
        match &blocks[..] {
            [] => Ok(arrow::array::new_empty_array(&data_type.arrow())),
            blocks => Ok(concat(&blocks.iter().map(|a| a.as_ref() as &dyn Array).collect::<Vec<_>>())?),
        }
    });
    let mut joined = joined.collect::<Result<Vec<_>>>()?;
    let indicator = indicator.and_then(|_| joined.pop());
    Ok((joined, indicator))
}
