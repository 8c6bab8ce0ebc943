//! Dispositions: what becomes of the rows that a component could not compute.
//!
//! Kernels report [`Faults`](crate::batch::Faults) beside their arrays; a component hands them, column by column in evaluation order, to
//! [`RowFaults`], which decides, and sends the rejected rows through its [`ErrorOutput`]:
//!
//! ```text
//! let mut rows = RowFaults::new(&batch);
//! for column in &self.columns {
//!     let (array, faults) = column.program.eval(…)?;
//!     rows.column(&column.site, &faults, &|row| None);
//! }
//! let (kept, rejects) = rows.settle(&cx.name)?;          // Err: a row failed the component
//! self.errors.send(&batch, &rejects, out)?;
//! out.put(0, Batch { selection: kept, ..result });
//! ```
//!
//! What each disposition means: *fail* ends the component with DTS_E_INDUCEDTRANSFORMFAILUREONERROR or …ONTRUNCATION for
//! the lowest such row; *ignore* leaves NULL (error) or the cut value (truncation) where the kernel put it; *redirect*
//! moves the input row to the error output. A row leaves with the first column that rejects it: later columns of that row
//! no longer count (unconfirmed).

use super::contract::{BindCx, OpenCx, Ports};
use super::spec::{ComponentSpec, Disposition, Dispositions, InputColumnSpec, LineageId, OutputSpec, SpecialColumn};
use crate::batch::{Batch, Fault, RowOrigin, Selection};
use crate::diag::{Code, Error, Owner, Result, RowError, Severity, codes};
use crate::events::Message;
use crate::types::DataType;
use arrow::array::{ArrayRef, Int32Array, new_null_array};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Values in messages are cut to this many characters.
const MESSAGE_VALUE_CHARS: usize = 100;

/// What rows may fail in: a column, or a whole input or output. Made once, at bind.
#[derive(Clone, Debug)]
pub struct FaultSite {
    /// How messages call it: `Derived Column.Outputs[Derived Column Output].Columns[Total]`.
    pub object: String,
    /// The column's name; None for an input or an output.
    pub column: Option<String>,
    /// What ErrorColumn holds; 0 where no column is to blame.
    pub lineage: LineageId,
    /// What to do.
    pub dispositions: Dispositions,
}

impl FaultSite {
    /// A column of output `output`.
    pub fn output_column(spec: &ComponentSpec, output: usize, column: usize) -> FaultSite {
        let port = &spec.outputs[output];
        let column = &port.columns[column];
        FaultSite {
            object: format!("{}.Outputs[{}].Columns[{}]", spec.name, port.name, column.name),
            column: Some(column.name.clone()),
            lineage: column.lineage,
            dispositions: column.dispositions,
        }
    }

    /// A column of input `input`.
    pub fn input_column(spec: &ComponentSpec, input: usize, column: usize) -> FaultSite {
        let port = &spec.inputs[input];
        let InputColumnSpec { name, lineage, dispositions, .. } = &port.columns[column];
        FaultSite {
            object: format!("{}.Inputs[{}].Columns[{name}]", spec.name, port.name),
            column: Some(name.clone()),
            lineage: *lineage,
            dispositions: *dispositions,
        }
    }

    /// Output `output` as a whole.
    pub fn output(spec: &ComponentSpec, output: usize) -> FaultSite {
        let port = &spec.outputs[output];
        FaultSite {
            object: format!("{}.Outputs[{}]", spec.name, port.name),
            column: None,
            lineage: LineageId(0),
            dispositions: port.dispositions,
        }
    }

    /// Input `input` as a whole.
    pub fn input(spec: &ComponentSpec, input: usize) -> FaultSite {
        let port = &spec.inputs[input];
        FaultSite {
            object: format!("{}.Inputs[{}]", spec.name, port.name),
            column: None,
            lineage: LineageId(0),
            dispositions: port.dispositions,
        }
    }

    fn disposition(&self, fault: &Fault) -> Disposition {
        if fault.truncation { self.dispositions.truncation } else { self.dispositions.error }
    }
}

/// A row that leaves through the error output.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reject {
    /// Its place in the batch.
    pub row: u32,
    /// What ErrorCode will hold.
    pub code: Code,
    /// What ErrorColumn will hold.
    pub column: LineageId,
}

/// The row that fails the component.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Where and why.
    pub fault: Fault,
    /// In what.
    pub site: FaultSite,
    /// The offending value, if the component could tell.
    pub value: Option<String>,
}

/// What the dispositions made of one batch so far.
#[derive(Debug)]
pub struct RowFaults {
    seq: u64,
    rows: usize,
    selection: Option<Selection>,
    origin: RowOrigin,
    /// By row; empty until a row is rejected.
    rejected: Vec<Option<(Code, LineageId)>>,
    failure: Option<Failure>,
    ignored: u64,
}

impl RowFaults {
    /// Nothing is wrong with `batch` yet.
    pub fn new(batch: &Batch) -> RowFaults {
        let (selection, origin) = (batch.selection.clone(), batch.origin.clone());
        RowFaults { selection, origin, ..RowFaults::of_rows(batch.seq, batch.rows) }
    }

    /// Nothing is wrong yet with the `rows` rows of a source's morsel `seq`.
    pub fn of_rows(seq: u64, rows: usize) -> RowFaults {
        RowFaults {
            seq,
            rows,
            selection: None,
            origin: RowOrigin::default(),
            rejected: Vec::new(),
            failure: None,
            ignored: 0,
        }
    }

    /// Applies the dispositions of `site` to its faults, ascending by row. Faults of rows that the batch does not select,
    /// or that left already, do not count. `value` tells the offending value of a row, for the message.
    pub fn column(&mut self, site: &FaultSite, faults: &[Fault], value: &dyn Fn(u32) -> Option<String>) {
        let selection = self.selection.clone();
        let mut selected = selection.as_ref().map(|s| s.iter().copied().peekable());
        for fault in faults {
            if let Some(selected) = &mut selected {
                while selected.next_if(|row| *row < fault.row).is_some() {}
                if selected.peek() != Some(&fault.row) {
                    continue;
                }
            }
            if self.is_rejected(fault.row) {
                continue;
            }
            match site.disposition(fault) {
                Disposition::Ignore => self.ignored += 1,
                Disposition::Redirect => self.reject(Reject {
                    row: fault.row,
                    code: if fault.truncation { codes::DTS_E_TRUNCATIONTRIGGEREDREDIRECTION } else { fault.code },
                    column: site.lineage,
                }),
                Disposition::NotUsed | Disposition::Fail => {
                    if self.failure.as_ref().is_none_or(|first| fault.row < first.fault.row) {
                        self.failure = Some(Failure { fault: *fault, site: site.clone(), value: value(fault.row) });
                    }
                    break;
                }
            }
        }
    }

    /// Whether the row left already.
    pub fn is_rejected(&self, row: u32) -> bool {
        self.rejected.get(row as usize).is_some_and(Option::is_some)
    }

    /// Whether some row left already.
    pub fn any_rejected(&self) -> bool {
        !self.rejected.is_empty()
    }

    /// The row that will fail the component, if one will: for a component that has a message of its own to fire first.
    pub fn failure(&self) -> Option<&Failure> {
        self.failure.as_ref()
    }

    /// How many faults were ignored.
    pub fn ignored(&self) -> u64 {
        self.ignored
    }

    fn reject(&mut self, reject: Reject) {
        if self.rejected.is_empty() {
            self.rejected = vec![None; self.rows];
        }
        self.rejected[reject.row as usize] = Some((reject.code, reject.column));
    }

    /// The rows that stay, as a selection of the batch, and the rows that leave, ascending. `component` is its name, for
    /// the message.
    ///
    /// # Errors
    /// [`Owner::Data`], DTS_E_INDUCEDTRANSFORMFAILUREONERROR or …ONTRUNCATION, if a disposition says *fail*: the lowest
    /// such row.
    pub fn settle(self, component: &str) -> Result<(Option<Selection>, Vec<Reject>)> {
        if let Some(failure) = &self.failure {
            return Err(failure.error(component, (self.seq, self.origin.of(failure.fault.row))));
        }
        if self.rejected.is_empty() {
            return Ok((self.selection, Vec::new()));
        }
        let rejects = |(row, reject): (usize, &Option<(Code, LineageId)>)| {
            reject.map(|(code, column)| Reject { row: row as u32, code, column })
        };
        let rejects: Vec<Reject> = self.rejected.iter().enumerate().filter_map(rejects).collect();
        let stays = |row: &u32| self.rejected[*row as usize].is_none();
        let kept: Vec<u32> = match &self.selection {
            Some(selection) => selection.iter().copied().filter(stays).collect(),
            None => (0..self.rows as u32).filter(stays).collect(),
        };
        Ok((Some(Arc::new(kept)), rejects))
    }
}

impl Failure {
    /// The error that ends `component`; `place` is the morsel of the source that the row is of, and where it stood there.
    fn error(&self, component: &str, place: (u64, u32)) -> Error {
        let Failure { fault, site, value } = self;
        let (code, mut message) = if fault.truncation {
            let code = codes::DTS_E_INDUCEDTRANSFORMFAILUREONTRUNCATION;
            (code, code.message(&[&component, &site.object]))
        } else {
            let code = codes::DTS_E_INDUCEDTRANSFORMFAILUREONERROR;
            let cause = match fault.code.name() {
                "" => format!("{:08X}", fault.code.0),
                name => format!("{:08X} ({name})", fault.code.0),
            };
            (code, code.message(&[&component, &cause, &site.object]))
        };
        let why = fault.code.template();
        if !fault.truncation && !why.is_empty() && !why.contains('%') {
            message.push(' ');
            message.push_str(why);
        }
        Error::new(Owner::Data, code, message).with_row(RowError {
            batch: Some(place),
            number: None,
            column: site.column.clone(),
            value: value.as_deref().map(|v| shortened(v, MESSAGE_VALUE_CHARS)),
        })
    }
}

/// `text` cut to `chars` characters, with `…` if something was cut.
fn shortened(text: &str, chars: usize) -> String {
    match text.char_indices().nth(chars) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

/// A component's error output: the layout of its input, if it is synchronous, then its own columns in the order of the
/// specification, ErrorCode and ErrorColumn among them.
#[derive(Debug)]
pub struct ErrorOutput {
    port: Option<usize>,
    attached: bool,
    own: Vec<(SpecialColumn, DataType)>,
    lost: AtomicU64,
}

impl ErrorOutput {
    /// The error output of `spec`, if it has one, with what SSIS has to say of it: DTS_W_REDIRECTWITHNOATTACHEDERROROUTPUTS
    /// if one of `sites` redirects and nobody takes the rows, DTS_W_NOREDIRECTWITHATTACHEDERROROUTPUTS the other way
    /// round, DTS_E_MORETHANONEERROROUTPUTFOUND.
    pub fn bind<'s>(
        spec: &ComponentSpec,
        cx: &mut BindCx<'_>,
        sites: impl IntoIterator<Item = &'s FaultSite>,
    ) -> ErrorOutput {
        let redirects = sites.into_iter().any(|s| {
            s.dispositions.error == Disposition::Redirect || s.dispositions.truncation == Disposition::Redirect
        });
        if spec.outputs.iter().filter(|o| o.is_error).count() > 1 {
            let code = codes::DTS_E_MORETHANONEERROROUTPUTFOUND;
            cx.error(spec, code, code.message(&[]));
        }
        let errors = ErrorOutput::of(spec, &cx.attached);
        let warning = match (redirects, errors.attached) {
            (true, false) => Some(codes::DTS_W_REDIRECTWITHNOATTACHEDERROROUTPUTS),
            (false, true) => Some(codes::DTS_W_NOREDIRECTWITHATTACHEDERROROUTPUTS),
            _ => None,
        };
        if let Some(code) = warning {
            cx.warning(spec, code, code.message(&[]));
        }
        errors
    }

    /// The error output of `spec` without a word; `attached` as in [`BindCx::attached`].
    pub fn of(spec: &ComponentSpec, attached: &[bool]) -> ErrorOutput {
        let port = spec.outputs.iter().position(|o| o.is_error);
        let own = |o: &OutputSpec| o.columns.iter().map(|c| (c.special, c.data_type)).collect();
        ErrorOutput {
            port,
            attached: port.is_some_and(|p| attached.get(p).copied().unwrap_or(false)),
            own: port.map(|p| own(&spec.outputs[p])).unwrap_or_default(),
            lost: AtomicU64::new(0),
        }
    }

    /// Its place among the component's outputs.
    pub fn port(&self) -> Option<usize> {
        self.port
    }

    /// Whether somebody takes its rows.
    pub fn attached(&self) -> bool {
        self.attached
    }

    /// How many redirected rows nobody took.
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// Says how many redirected rows nobody took, if there were some; for a component's `finish`.
    pub fn report_lost(&self, cx: &OpenCx) {
        let lost = self.lost.swap(0, Ordering::Relaxed);
        if lost > 0 {
            let code = codes::DTS_W_REDIRECTWITHNOATTACHEDERROROUTPUTS;
            cx.events.fire(Message {
                severity: Severity::Warning,
                code,
                sub_component: cx.name.to_string(),
                text: format!("{} {lost} row(s) were lost.", code.message(&[])),
            });
        }
    }

    /// Sends the rejected rows of `input`, a synchronous component's input batch: its columns as they came in, and the
    /// output's own. Few rows are gathered; many share the arrays and leave by selection. If nobody takes the rows,
    /// they are counted and lost.
    ///
    /// # Errors
    /// Only if Arrow cannot gather, a defect.
    pub fn send(&self, input: &Batch, rejects: &[Reject], out: &mut Ports) -> Result<()> {
        let Some(port) = self.port.filter(|_| self.attached) else {
            self.lost.fetch_add(rejects.len() as u64, Ordering::Relaxed);
            out.leave_out(rejects.len() as u64);
            return Ok(());
        };
        if rejects.is_empty() {
            return Ok(());
        }
        let selection: Selection = Arc::new(rejects.iter().map(|r| r.row).collect());
        let base = Batch { selection: Some(selection), ..input.clone() };
        let mut batch = if rejects.len() < input.rows / 4 { base.compact()? } else { base };
        if batch.selection.is_none() {
            batch.columns.extend(self.own_columns(rejects, |_, ty| new_null_array(&ty.arrow(), rejects.len())));
        } else {
            let (rows, mut dense) = (input.rows, Vec::with_capacity(input.rows));
            for reject in rejects {
                dense.resize(reject.row as usize, Reject { row: 0, code: Code(0), column: LineageId(0) });
                dense.push(*reject);
            }
            dense.resize(rows, Reject { row: 0, code: Code(0), column: LineageId(0) });
            batch.columns.extend(self.own_columns(&dense, |_, ty| new_null_array(&ty.arrow(), rows)));
        }
        out.put(port, batch);
        Ok(())
    }

    /// Sends rejected rows whose input is no batch, as a source has it: the output's own columns alone, one row a reject.
    /// `other` makes the columns that are neither ErrorCode nor ErrorColumn, given their place and type. Lost rows are
    /// counted as by [`ErrorOutput::send`].
    pub fn send_own(
        &self,
        seq: u64,
        rejects: &[Reject],
        other: impl FnMut(usize, &DataType) -> ArrayRef,
        out: &mut Ports,
    ) {
        let Some(port) = self.port.filter(|_| self.attached) else {
            self.lost.fetch_add(rejects.len() as u64, Ordering::Relaxed);
            out.leave_out(rejects.len() as u64);
            return;
        };
        if !rejects.is_empty() {
            out.put(port, Batch::new(seq, rejects.len(), self.own_columns(rejects, other)));
        }
    }

    /// The output's own columns for `rejects`, in the order of the specification.
    fn own_columns(&self, rejects: &[Reject], mut other: impl FnMut(usize, &DataType) -> ArrayRef) -> Vec<ArrayRef> {
        let column = |(place, (special, data_type)): (usize, &(SpecialColumn, DataType))| -> ArrayRef {
            match special {
                SpecialColumn::ErrorCode => {
                    Arc::new(Int32Array::from_iter_values(rejects.iter().map(|r| r.code.signed())))
                }
                SpecialColumn::ErrorColumn => {
                    Arc::new(Int32Array::from_iter_values(rejects.iter().map(|r| r.column.0 as i32)))
                }
                SpecialColumn::None => other(place, data_type),
            }
        };
        self.own.iter().enumerate().map(column).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::OutputColumnSpec;
    use arrow::array::{Array, AsArray};
    use arrow::datatypes::Int32Type;

    const CAST: Code = codes::DTS_E_TXDATACONVERTSTATIC_CANTCONVERTVALUE;

    fn site(name: &str, lineage: u32, error: Disposition, truncation: Disposition) -> FaultSite {
        FaultSite {
            object: format!("C.Outputs[O].Columns[{name}]"),
            column: Some(name.into()),
            lineage: LineageId(lineage),
            dispositions: Dispositions { error, truncation },
        }
    }

    fn faults(rows: &[u32]) -> Vec<Fault> {
        rows.iter().map(|&row| Fault { row, code: CAST, truncation: false }).collect()
    }

    fn cuts(rows: &[u32]) -> Vec<Fault> {
        rows.iter().map(|&row| Fault { row, code: CAST, truncation: true }).collect()
    }

    fn batch(rows: usize, selection: Option<Vec<u32>>) -> Batch {
        let column: ArrayRef = Arc::new(Int32Array::from_iter_values(0..rows as i32));
        Batch { selection: selection.map(Arc::new), ..Batch::new(7, rows, vec![column]) }
    }

    fn error_output(attached: bool) -> ErrorOutput {
        let column =
            |name: &str, special| OutputColumnSpec { special, ..OutputColumnSpec::new(90, name, DataType::I4) };
        let columns = vec![
            column("Own", SpecialColumn::None),
            column("ErrorCode", SpecialColumn::ErrorCode),
            column("ErrorColumn", SpecialColumn::ErrorColumn),
        ];
        let spec = ComponentSpec {
            outputs: vec![OutputSpec::default(), OutputSpec { is_error: true, columns, ..Default::default() }],
            ..Default::default()
        };
        ErrorOutput::of(&spec, &[true, attached])
    }

    fn ints(array: &ArrayRef) -> Vec<i32> {
        array.as_primitive::<Int32Type>().values().to_vec()
    }

    use Disposition::{Fail, Ignore, NotUsed, Redirect};

    #[test]
    fn nothing_wrong_keeps_the_selection() {
        for selection in [None, Some(vec![1, 3])] {
            let rows = RowFaults::new(&batch(5, selection.clone()));
            let (kept, rejects) = rows.settle("C").unwrap();
            assert_eq!(kept.map(|s| s.to_vec()), selection);
            assert!(rejects.is_empty());
        }
    }

    #[test]
    fn ignored_rows_stay() {
        let mut rows = RowFaults::new(&batch(5, None));
        rows.column(&site("a", 1, Ignore, Fail), &faults(&[0, 4]), &|_| None);
        assert_eq!(rows.ignored(), 2);
        assert!(rows.settle("C").unwrap().0.is_none());
    }

    #[test]
    fn the_first_column_that_rejects_a_row_decides() {
        let mut rows = RowFaults::new(&batch(6, None));
        rows.column(&site("a", 1, Redirect, Fail), &faults(&[1, 4]), &|_| None);
        rows.column(&site("b", 2, Fail, Redirect), &cuts(&[1, 2]), &|_| None);
        rows.column(&site("c", 3, Fail, Fail), &faults(&[1, 2]), &|_| None);
        let (kept, rejects) = rows.settle("C").unwrap();
        assert_eq!(*kept.unwrap(), [0, 3, 5]);
        let cut = codes::DTS_E_TRUNCATIONTRIGGEREDREDIRECTION;
        let expected = [(1, CAST, 1), (2, cut, 2), (4, CAST, 1)];
        let expected = expected.map(|(row, code, column)| Reject { row, code, column: LineageId(column) });
        assert_eq!(rejects, expected);
    }

    #[test]
    fn rows_outside_the_selection_do_not_count() {
        let mut rows = RowFaults::new(&batch(6, Some(vec![0, 2, 5])));
        rows.column(&site("a", 1, Fail, Fail), &faults(&[1, 3, 4]), &|_| None);
        rows.column(&site("b", 2, Redirect, Fail), &faults(&[1, 2, 3]), &|_| None);
        let (kept, rejects) = rows.settle("C").unwrap();
        assert_eq!(*kept.unwrap(), [0, 5]);
        assert_eq!(rejects.iter().map(|r| r.row).collect::<Vec<_>>(), [2]);
    }

    #[test]
    fn the_lowest_failing_row_is_reported() {
        for disposition in [Fail, NotUsed] {
            let mut rows = RowFaults::new(&batch(9, None));
            rows.column(&site("a", 1, disposition, Fail), &faults(&[5, 8]), &|row| Some(format!("v{row}")));
            rows.column(&site("b", 2, disposition, Fail), &faults(&[3]), &|row| Some(format!("{row}").repeat(200)));
            assert_eq!(rows.failure().unwrap().fault.row, 3);
            let error = rows.settle("Conv").unwrap_err();
            assert_eq!(error.owner(), Owner::Data);
            assert_eq!(error.code(), Some(codes::DTS_E_INDUCEDTRANSFORMFAILUREONERROR));
            let message = error.message();
            for part in
                ["\"Conv\"", "0xC020907F (DTS_E_TXDATACONVERTSTATIC_CANTCONVERTVALUE)", "C.Outputs[O].Columns[b]"]
            {
                assert!(message.contains(part), "{message}");
            }
            let row = error.row().unwrap();
            assert_eq!((row.batch, row.column.as_deref()), (Some((7, 3)), Some("b")));
            assert_eq!(row.value.as_deref(), Some(format!("{}…", "3".repeat(100)).as_str()));
        }
    }

    #[test]
    fn truncation_has_its_own_code() {
        let mut rows = RowFaults::new(&batch(3, None));
        rows.column(&site("a", 1, Ignore, Fail), &cuts(&[1]), &|_| None);
        let error = rows.settle("C").unwrap_err();
        assert_eq!(error.code(), Some(codes::DTS_E_INDUCEDTRANSFORMFAILUREONTRUNCATION));
    }

    #[test]
    fn error_rows_are_the_input_and_the_own_columns() {
        // few rows are gathered, many leave by selection: the same rows either way
        for (rows, rejected) in [(100, vec![3, 70]), (5, vec![0, 2, 3, 4])] {
            let errors = error_output(true);
            let rejects: Vec<Reject> =
                rejected.iter().map(|&row| Reject { row, code: CAST, column: LineageId(row + 10) }).collect();
            let mut out = Ports::new(2);
            errors.send(&batch(rows, None), &rejects, &mut out).unwrap();
            let sent = out.take(1).unwrap();
            assert_eq!((sent.seq, sent.selection.is_some()), (7, rows == 5));
            assert!(sent.columns.iter().all(|c| c.len() == sent.rows));
            let sent = sent.compact().unwrap();
            let expected: Vec<i32> = rejected.iter().map(|r| *r as i32).collect();
            assert_eq!(ints(&sent.columns[0]), expected);
            assert_eq!(sent.columns[1].null_count(), rejected.len());
            assert_eq!(ints(&sent.columns[2]), vec![CAST.signed(); rejected.len()]);
            assert_eq!(ints(&sent.columns[3]), expected.iter().map(|r| r + 10).collect::<Vec<_>>());
            assert_eq!(errors.lost(), 0);
        }
    }

    #[test]
    fn rows_that_nobody_takes_are_counted() {
        let errors = error_output(false);
        let rejects = [Reject { row: 1, code: CAST, column: LineageId(1) }];
        let mut out = Ports::new(2);
        errors.send(&batch(4, None), &rejects, &mut out).unwrap();
        errors.send_own(0, &rejects, |_, ty| new_null_array(&ty.arrow(), 1), &mut out);
        assert!(out.take(1).is_none());
        assert_eq!(errors.lost(), 2);
    }

    #[test]
    fn a_source_sends_its_own_columns_alone() {
        let errors = error_output(true);
        let rejects = [Reject { row: 8, code: CAST, column: LineageId(4) }];
        let mut out = Ports::new(2);
        errors.send_own(3, &rejects, |place, _| Arc::new(Int32Array::from(vec![place as i32 + 40])), &mut out);
        let sent = out.take(1).unwrap();
        assert_eq!(sent.columns.iter().map(|c| ints(c)[0]).collect::<Vec<_>>(), [40, CAST.signed(), 4]);
    }
}
