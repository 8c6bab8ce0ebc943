//! The lane half: rows of a block become columns of the declared types; values that do not fit meet the dispositions.

use super::fetch::{Delivered, Fetched};
use super::{OutColumn, Plan};
use crate::db::{DbError, ErrorKind};
use crate::shared::{castable, shown, taken};
use arrow::array::{Array, ArrayRef, NullArray, UInt32Array, new_null_array};
use dtsx_engine::batch::{Batch, Faults};
use dtsx_engine::diag::{Error, Owner, Result, codes};
use dtsx_engine::flow::faults::{Reject, RowFaults};
use dtsx_engine::flow::{Decode, Layout, Morsel, Ports};
use dtsx_engine::types::convert::{CastOptions, cast_array};
use std::sync::Arc;

pub(super) struct Lane {
    plan: Arc<Plan>,
    /// By output column: whether somebody reads it.
    used: Vec<bool>,
}

impl Lane {
    pub(super) fn new(plan: &Arc<Plan>, outputs: &[Layout]) -> Lane {
        let layout = outputs.get(plan.port);
        let used = (0..plan.columns.len()).map(|at| layout.and_then(|l| l.columns.get(at)).is_none_or(|c| c.used));
        Lane { plan: plan.clone(), used: used.collect() }
    }
}

impl Decode for Lane {
    fn decode(&mut self, seq: u64, morsel: Morsel, out: &mut Ports) -> Result<()> {
        let plan = &*self.plan;
        let fetched = morsel.downcast::<Fetched>().map_err(|_| Error::internal("a morsel of another source"))?;
        let Fetched { block, columns: delivered } = *fetched;
        let rows = block.decode().map_err(|error| decoding(plan, error))?;
        let mut faults = RowFaults::of_rows(seq, rows.len);
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(plan.columns.len());
        for (at, (column, came)) in plan.columns.iter().zip(delivered.iter()).enumerate() {
            let source = &rows.columns[came.place];
            let (array, found) = convert(plan, column, came, source, rows.faults_of(came.place))?;
            faults.column(&column.site, &found, &|row| shown(source, row));
            columns.push(if self.used[at] { array } else { Arc::new(NullArray::new(rows.len)) });
        }
        let (selection, rejects) = faults.settle(&plan.name)?;
        if !rejects.is_empty() {
            send(plan, seq, &columns, &rejects, out)?;
        }
        out.set_rows_read(rows.len as u32);
        out.put(plan.port, Batch { selection, ..Batch::new(seq, rows.len, columns) });
        Ok(())
    }
}

fn decoding(plan: &Plan, error: DbError) -> Error {
    match error.kind {
        ErrorKind::Value => {
            let code = codes::DTS_E_INDUCEDTRANSFORMFAILUREONERROR;
            Error::new(Owner::Data, code, code.message(&[&plan.name, &error.message, &plan.name]))
        }
        _ => plan.failure(error),
    }
}

/// A column in its declared type, and the faults of both ways: of what the database holds, and of the conversion.
fn convert(
    plan: &Plan,
    column: &OutColumn,
    came: &Delivered,
    source: &ArrayRef,
    known: &[dtsx_engine::batch::Fault],
) -> Result<(ArrayRef, Faults)> {
    let options = CastOptions::data_flow(plan.locale);
    let (array, mut faults) = taken(source, came.data_type, &column.data_type, &options).map_err(|error| {
        let code = error.code().unwrap_or(codes::DTS_E_CANNOTCONVERTTYPES);
        Error::new(Owner::Package, code, format!("{}: {}", column.site.object, error.message()))
    })?;
    for fault in &mut faults {
        fault.code = crate::db::source_code(fault.code);
    }
    if !known.is_empty() {
        faults.extend_from_slice(known);
        faults.sort_by_key(|f| (f.row, f.truncation));
        faults.dedup_by_key(|f| f.row);
    }
    Ok((array, faults))
}

/// Sends rejected rows: the columns of the output as they could be had, NULL where they could not.
fn send(plan: &Plan, seq: u64, columns: &[ArrayRef], rejects: &[Reject], out: &mut Ports) -> Result<()> {
    let indices = UInt32Array::from_iter_values(rejects.iter().map(|r| r.row));
    let mut failed = None;
    plan.errors.send_own(
        seq,
        rejects,
        |place, data_type| {
            let nothing = || new_null_array(&data_type.arrow(), rejects.len());
            let Some(at) = plan.error_columns.get(place).copied().flatten() else { return nothing() };
            let from = &plan.columns[at].data_type;
            if columns[at].data_type() == &arrow::datatypes::DataType::Null {
                return nothing();
            }
            let rejected = arrow::compute::take(&columns[at], &indices, None).map_err(Error::from);
            let cast = rejected.and_then(|array| {
                cast_array(&array, &castable(*from), data_type, &CastOptions::data_flow(plan.locale)).map(|(a, _)| a)
            });
            cast.unwrap_or_else(|error| {
                failed.get_or_insert(error);
                nothing()
            })
        },
        out,
    );
    failed.map_or(Ok(()), Err)
}
