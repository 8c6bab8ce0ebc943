//! Compiled expressions.

use super::Environment;
use super::ast::Ast;
use super::blame::blame;
use super::error::ExprError;
use super::eval::{Frame, eval};
use super::fold::rejected;
use super::kernels::datum::Datum;
use super::kernels::merge::labelled;
use super::parser::{parse, parse_assignment};
use super::typed::{Op, Typed};
use super::typing;
use crate::batch::Faults;
use crate::diag::{Diagnostic, Error, Result, codes};
use crate::types::convert::CastOptions;
use crate::types::scalar::value_at;
use crate::types::{DataType, MAX_STR_BYTES, MAX_WSTR_UNITS, Value};
use arrow::array::{Array, ArrayRef, BooleanArray, BooleanBufferBuilder};
use std::sync::Arc;

/// What time GETDATE and GETUTCDATE tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Clock {
    /// That of the machine, read once a batch. (Once a row in SSIS, unconfirmed; a batch is computed in no time.)
    #[default]
    System,
    /// This: microseconds since 1970-01-01 in local time and in UTC.
    Fixed {
        /// What GETDATE returns.
        local: i64,
        /// What GETUTCDATE returns.
        utc: i64,
    },
}

/// What evaluation takes from outside the rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EvalContext {
    /// What time it is.
    pub now: Clock,
    /// The locale of the component or package, as an LCID; 0: as en-US.
    pub lcid: u32,
}

impl EvalContext {
    /// The machine's clock and a locale.
    pub fn new(lcid: u32) -> EvalContext {
        EvalContext { now: Clock::System, lcid }
    }

    pub(crate) fn cast_options(&self) -> CastOptions {
        CastOptions::expression(self.lcid)
    }

    /// Microseconds since 1970-01-01, to the millisecond that a DT_DBTIMESTAMP keeps.
    pub(crate) fn now(&self, utc: bool) -> i64 {
        let micros = match (self.now, utc) {
            (Clock::Fixed { local, .. }, false) => local,
            (Clock::Fixed { utc, .. }, true) => utc,
            (Clock::System, false) => chrono::Local::now().naive_local().and_utc().timestamp_micros(),
            (Clock::System, true) => chrono::Utc::now().timestamp_micros(),
        };
        micros.div_euclid(1000) * 1000
    }
}

/// An expression ready to run: typed, folded, its columns bound to slots. Immutable and shared between threads.
#[derive(Clone, Debug)]
pub struct Program {
    root: Arc<Typed>,
    slots: Vec<usize>,
    warnings: Vec<Diagnostic>,
    text: Arc<str>,
}

/// Compiles an expression: reads it, resolves its names in `env`, types it as the designer does, and computes what is
/// constant.
///
/// ```
/// use dtsx_engine::expr::{EvalContext, compile};
/// use dtsx_engine::types::{DataType, Value};
///
/// let program = compile("UPPER(\"a\") + (DT_WSTR,4)7", &dtsx_engine::expr::NoNames)?;
/// assert_eq!(program.data_type(), DataType::WStr { len: 5 });
/// assert_eq!(program.eval_row(&EvalContext::default())?, Value::text("A7"));
/// # Ok::<(), dtsx_engine::expr::ExprError>(())
/// ```
///
/// # Errors
/// What is wrong with the expression, with the SSIS code and the place.
pub fn compile(text: &str, env: &dyn Environment) -> Result<Program, ExprError> {
    compile_ast(&parse(text)?, text, env)
}

/// Compiles an assignment `@x = …` as the For Loop container and the Expression task have them: the variable's name,
/// without `@` and brackets, and the program of the value.
///
/// # Errors
/// As [`compile`]; also if the expression assigns nothing.
pub fn compile_assignment(text: &str, env: &dyn Environment) -> Result<(String, Program), ExprError> {
    let ast = parse_assignment(text)?;
    let Some(target) = ast.target() else {
        return Err(ExprError::new(codes::DTS_E_EXPREVALFAILEDTOPARSEEXPRESSION, 0..text.len(), &[&text])
            .saying("The expression assigns no variable")
            .expecting(&["@variable = value"])
            .within(text));
    };
    Ok((target.to_owned(), compile_ast(&ast, text, env)?))
}

fn compile_ast(ast: &Ast, text: &str, env: &dyn Environment) -> Result<Program, ExprError> {
    let typing::Outcome { mut root, slots, mut warnings } =
        typing::resolve(&ast.root, env, text).map_err(|e| e.within(text))?;
    if let (Op::Column(_), DataType::Str { len, .. }) = (&root.op, root.ty) {
        // A column of DT_STR is a DT_WSTR to expressions, and packages store it so; only a cast and NULL give DT_STR.
        root.ty = DataType::WStr { len };
    }
    let longest = match &mut root.ty {
        DataType::WStr { len } => Some((len, MAX_WSTR_UNITS)),
        DataType::Str { len, .. } | DataType::Bytes { len } => Some((len, MAX_STR_BYTES)),
        _ => None,
    };
    if let Some((len, most)) = longest
        && *len > most
    {
        // What the type cannot say, a value may still be: variables take texts of any length.
        *len = most;
        let code = codes::DTS_W_EXPREVALPOTENTIALSTRINGTRUNCATION;
        warnings.push(Diagnostic::warning(code, "", code.message(&[&text, &most])));
    }
    Ok(Program { root: Arc::new(root), slots, warnings, text: Arc::from(text) })
}

impl Program {
    /// The type of the result; a DT_WSTR is no longer than 4000, a DT_STR or DT_BYTES than 8000.
    pub fn data_type(&self) -> DataType {
        self.root.ty
    }

    /// The slots of the columns that the expression names, each once.
    pub fn slots(&self) -> &[usize] {
        &self.slots
    }

    /// What is worth a warning, without the object that it is said of.
    pub fn warnings(&self) -> &[Diagnostic] {
        &self.warnings
    }

    /// The expression's text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The value, if it is the same for all rows and all times.
    pub fn constant(&self) -> Option<&Value> {
        self.root.constant()
    }

    /// Evaluates the expression for `rows` rows; `columns` holds an array for every slot of the batch. A row that cannot
    /// be computed is a fault and NULL in the array.
    ///
    /// # Errors
    /// Only defects: a slot that is not there or an array of another type than its column.
    pub fn eval(&self, columns: &[ArrayRef], rows: usize, cx: &EvalContext) -> Result<(ArrayRef, Faults)> {
        let columns = self.bound(columns, rows)?;
        let mut faults = Faults::new();
        let datum = eval(&self.root, &Frame { columns: &columns, rows, cx }, &mut faults)?;
        let array = labelled(&datum.into_array(&self.root.ty, rows)?, &self.root.ty);
        if faults.is_empty() {
            return Ok((array, faults));
        }
        // The first fault of a row, in the order of evaluation, is the one that SSIS would have stopped at.
        faults.sort_by_key(|f| f.row);
        faults.dedup_by_key(|f| f.row);
        let mut failed = BooleanBufferBuilder::new(rows);
        failed.append_n(rows, false);
        faults.iter().for_each(|f| failed.set_bit(f.row as usize, true));
        let array = arrow::compute::nullif(&array, &BooleanArray::new(failed.finish(), None))?;
        Ok((array, faults))
    }

    /// Evaluates an expression without columns: property expressions, variables, constraints, loops.
    ///
    /// # Errors
    /// A value that cannot be computed, with its code; an expression that reads columns.
    pub fn eval_row(&self, cx: &EvalContext) -> Result<Value, ExprError> {
        if !self.slots.is_empty() {
            let code = codes::DTS_E_EXPREVALNOINPUTCOLUMNCOLLECTIONFORCOLUMNNAME;
            return Err(ExprError::new(code, 0..self.text.len(), &[&self.text]).within(&self.text));
        }
        self.eval_one(&[], cx)
    }

    /// Evaluates the expression for one row; `columns` holds an array of one row for every slot.
    ///
    /// # Errors
    /// A value that cannot be computed: the code, and the part of the expression that fails.
    pub fn eval_one(&self, columns: &[ArrayRef], cx: &EvalContext) -> Result<Value, ExprError> {
        let fail = |e: Error| {
            let code = e.code().unwrap_or(codes::DTS_E_EXPREVALCOMPUTEFAILED);
            ExprError::new(code, self.root.span.clone(), &[]).saying(e.to_string()).within(&self.text)
        };
        let columns = self.bound(columns, 1).map_err(fail)?;
        let frame = Frame { columns: &columns, rows: 1, cx };
        let mut faults = Faults::new();
        let datum = eval(&self.root, &frame, &mut faults).map_err(fail)?;
        if let Some(fault) = faults.first() {
            // What a clock gave may not fail twice: then the whole is to blame.
            let error = blame(&self.root, &frame).unwrap_or_else(|| rejected(&self.root, fault.code, |_| None));
            return Err(error.within(&self.text));
        }
        match datum {
            Datum::Scalar(value) => Ok(value),
            Datum::Array(array) => value_at(&array, &self.root.ty, 0).map_err(fail),
        }
    }

    /// The arrays of the program's slots.
    fn bound(&self, columns: &[ArrayRef], rows: usize) -> Result<Vec<ArrayRef>> {
        let bound = self.slots.iter().map(|slot| match columns.get(*slot) {
            Some(column) if column.len() == rows => Ok(column.clone()),
            _ => Err(Error::internal(format!("expression: no column of {rows} rows in slot {slot}"))),
        });
        bound.collect()
    }
}
