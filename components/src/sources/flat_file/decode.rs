//! The lane half: columns of a block become arrays, column by column.

use super::columns::{self, Column};
use super::fetch::{Fields, Rows, Rules};
use super::split::MISSING;
use crate::shared::text::TextForm;
use arrow::array::{ArrayRef, NullArray, StringViewArray, StringViewBuilder};
use dtsx_engine::batch::Batch;
use dtsx_engine::diag::{Error, Owner, Result, RowError, Severity, codes};
use dtsx_engine::events::Message;
use dtsx_engine::flow::faults::{ErrorOutput, Failure, FaultSite, RowFaults};
use dtsx_engine::flow::{Decode, Morsel, OpenCx, Ports};
use std::borrow::Cow;
use std::sync::Arc;

/// What stands in a slot of the main output.
pub(crate) enum Slot {
    /// A column of the file.
    Column(Box<Column>, FaultSite),
    /// The name of the file.
    FileName,
}

/// What the lanes share.
pub(crate) struct Plan {
    pub(crate) rules: Arc<Rules>,
    pub(crate) slots: Vec<Slot>,
    /// The main output, if there is one.
    pub(crate) port: usize,
    pub(crate) errors: ErrorOutput,
}

/// A lane half of the source.
pub(crate) struct FlatFileDecode {
    plan: Arc<Plan>,
    /// By slot: whether somebody reads it.
    used: Vec<bool>,
    cx: OpenCx,
}

impl FlatFileDecode {
    pub(crate) fn new(plan: Arc<Plan>, used: Vec<bool>, cx: &OpenCx) -> FlatFileDecode {
        FlatFileDecode { plan, used, cx: cx.clone() }
    }

    /// Fires what SSIS says before the row's own message: the conversion's status, and what `induced` says.
    fn fail(&self, rows: &Rows, failure: &Failure, induced: &Error) -> Error {
        let fire = |code: dtsx_engine::diag::Code, text: String| {
            let sub_component = self.cx.name.to_string();
            self.cx.events.fire(Message { severity: Severity::Error, code, sub_component, text });
        };
        let column = failure.site.column.clone().unwrap_or_default();
        let (status, text) = columns::status(failure.fault.code, failure.fault.truncation);
        let code = codes::DTS_E_FAILEDCOLUMNDATACONVERSIONSTATUS;
        fire(code, code.message(&[&column, &status, &text]));
        if let Some(code) = induced.code() {
            fire(code, induced.message().to_owned());
        }
        let number = rows.before + u64::from(failure.fault.row) + 1;
        let code = codes::DTS_E_ERRORWHILEREADINGDATAROWS;
        let row = RowError { number: Some(number), ..induced.row().cloned().unwrap_or_default() };
        Error::new(Owner::Data, code, code.message(&[&rows.file.name, &number])).with_row(row)
    }
}

impl Decode for FlatFileDecode {
    fn decode(&mut self, seq: u64, morsel: Morsel, out: &mut Ports) -> Result<()> {
        let Ok(rows) = morsel.downcast::<Rows>() else {
            return Err(Error::internal("a morsel of another source"));
        };
        let plan = &self.plan;
        let block = columns::Block::new(&rows, &plan.rules);
        let mut arrays: Vec<ArrayRef> = Vec::with_capacity(plan.slots.len());
        let mut faults = Vec::new();
        for (index, slot) in plan.slots.iter().enumerate() {
            match slot {
                Slot::Column(column, site) => {
                    let decoded = column.decode(&block, self.used[index])?;
                    arrays.push(decoded.array);
                    if !decoded.faults.is_empty() {
                        faults.push((column, site, decoded.faults));
                    }
                }
                Slot::FileName if self.used[index] => arrays.push(repeated(&rows.file.name, rows.rows)),
                Slot::FileName => arrays.push(Arc::new(NullArray::new(rows.rows))),
            }
        }
        out.set_rows_read(rows.rows as u32);
        let mut batch = Batch::new(seq, rows.rows, arrays);
        if !faults.is_empty() {
            let mut decided = RowFaults::of_rows(seq, rows.rows);
            for (column, site, faults) in &faults {
                decided.column(site, faults, &|row| Some(block.shown(column, row as usize)));
            }
            let failure = decided.failure().cloned();
            let (kept, rejects) = decided.settle(&self.cx.name).map_err(|induced| match failure {
                Some(failure) => self.fail(&rows, &failure, &induced),
                None => induced,
            })?;
            let line = |_: usize, _: &dtsx_engine::types::DataType| -> ArrayRef {
                Arc::new(StringViewArray::from_iter_values(
                    rejects.iter().map(|r| raw_row(&rows, &plan.rules, r.row as usize)),
                ))
            };
            plan.errors.send_own(seq, &rejects, line, out);
            batch.selection = kept;
        }
        plan.rules.recycle(*rows);
        out.put(plan.port, batch);
        Ok(())
    }
}

/// A row as it stands in the file. Whether SSIS keeps the row delimiter in it is unconfirmed; here it does not.
fn raw_row<'a>(rows: &'a Rows, rules: &Rules, row: usize) -> Cow<'a, str> {
    let columns = rules.format.columns.len();
    let bytes = &rows.bytes[..];
    let (start, end) = match &rows.fields {
        Fields::Ends(ends) => {
            let at = ends.at();
            (at[row * columns].wrapping_add(1), at[(row + 1) * columns] + 1 - ends.row_size)
        }
        Fields::Ranges(ranges) => {
            let ranges = &ranges[row * columns..(row + 1) * columns];
            let end = ranges.iter().rev().find(|r| **r != MISSING).map_or(0, |r| r.1);
            (ranges[0].0, end)
        }
    };
    let form: TextForm = rules.form;
    form.decode(&bytes[start as usize..end as usize])
}

/// The same text in every row.
fn repeated(text: &str, rows: usize) -> ArrayRef {
    let mut builder = StringViewBuilder::with_capacity(rows).with_deduplicate_strings();
    for _ in 0..rows {
        builder.append_value(text);
    }
    Arc::new(builder.finish())
}
