//! The functions: one table entry each.
//!
//! To add a function: an entry in the file of its family, and its name in [`FUNCTIONS`].

pub(crate) mod cast;
mod date;
mod math;
mod null;
mod search;
mod signature;
mod string;

pub use signature::{Gives, Signature, Takes};

use super::error::ExprError;
use super::fold::{OnFault, fold};
use super::kernels::Computed;
use super::kernels::datum::{Datum, mismatch};
use super::program::EvalContext;
use super::typed::{Op, Typed};
use super::typing;
use crate::diag::{Code, Result, codes};
use crate::types::DataType;
use arrow::buffer::NullBuffer;
use signature::types;
use std::fmt;

/// How a function takes NULL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NullRule {
    /// Any NULL argument gives NULL.
    Propagate,
    /// The function says.
    Own,
}

/// A call and what it gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Example {
    /// The call.
    pub text: &'static str,
    /// Its value as text, `NULL`, or `error 0x…`.
    pub result: &'static str,
}

/// A function of the expression language: what it is called, takes, gives and does.
pub struct FunctionDef {
    /// Its name; letter case does not matter in a call.
    pub name: &'static str,
    /// How a call looks: `SUBSTRING(text, start, length)`.
    pub syntax: &'static str,
    /// The types of its arguments and of its result.
    pub types: Signature,
    /// How many arguments it takes.
    pub arity: usize,
    /// What it does, in a sentence or two.
    pub doc: &'static str,
    /// Calls and results; they are its tests as well.
    pub examples: &'static [Example],
    /// How it takes NULL.
    pub nulls: NullRule,
    /// Whether it may give another value each time.
    pub volatile: bool,
    /// The type of the result; converts arguments where it must.
    pub(crate) typing: fn(&mut Args<'_>) -> std::result::Result<DataType, ExprError>,
    /// Whether a row can fail.
    pub(crate) fallible: fn(&[Typed]) -> bool,
    pub(crate) kernel: fn(&Call<'_>) -> Result<Computed>,
}

impl FunctionDef {
    /// The arguments: their names in the syntax, and which types they take.
    pub fn arguments(&self) -> impl Iterator<Item = (&'static str, Takes)> {
        let inside = self.syntax.split_once('(').map_or("", |(_, rest)| rest.trim_end_matches(')'));
        let names = inside.split(',').map(|name| name.trim().trim_matches('"'));
        names.zip(self.types.takes.iter().copied())
    }
}

impl fmt::Debug for FunctionDef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.syntax)
    }
}

/// What most functions are: strict, and the same value for the same arguments, whatever they are.
pub(crate) const BASE: FunctionDef = FunctionDef {
    name: "",
    syntax: "",
    types: types(&[], Gives::First),
    arity: 1,
    doc: "",
    examples: &[],
    nulls: NullRule::Propagate,
    volatile: false,
    typing: |args| Ok(args.nodes.first().map_or(DataType::Null, |n| n.ty)),
    fallible: never,
    kernel: |_| Err(mismatch("function")),
};

pub(crate) fn never(_args: &[Typed]) -> bool {
    false
}

pub(crate) fn always(_args: &[Typed]) -> bool {
    true
}

/// The code of a result that its type cannot hold: a date outside of the years 1 to 9999, an infinite EXP or SQUARE, a
/// REPLICATE too long (unconfirmed: the reference names a code for each function's arguments, none for results).
pub(crate) const OVERFLOW: Code = codes::DTS_E_EXPREVALFUNCTIONOVERFLOW;

/// An example.
pub(crate) const fn example(text: &'static str, result: &'static str) -> Example {
    Example { text, result }
}

/// In the order of the documentation.
static FUNCTIONS: &[FunctionDef] = &[
    math::ABS,
    math::CEILING,
    math::EXP,
    math::FLOOR,
    math::LN,
    math::LOG,
    math::POWER,
    math::ROUND,
    math::SIGN,
    math::SQRT,
    math::SQUARE,
    string::CODEPOINT,
    search::FINDSTRING,
    math::HEX,
    string::LEFT,
    string::LEN,
    string::LOWER,
    string::LTRIM,
    string::REPLACE,
    string::REPLICATE,
    string::REVERSE,
    string::RIGHT,
    string::RTRIM,
    string::SUBSTRING,
    search::TOKEN,
    search::TOKENCOUNT,
    string::TRIM,
    string::UPPER,
    date::DATEADD,
    date::DATEDIFF,
    date::DATEPART,
    date::DAY,
    date::GETDATE,
    date::GETUTCDATE,
    date::MONTH,
    date::YEAR,
    null::ISNULL,
    null::NULL,
    null::REPLACENULL,
];

/// All functions.
pub fn functions() -> &'static [FunctionDef] {
    FUNCTIONS
}

/// The function of that name, in any letter case.
pub(crate) fn find(name: &str) -> Option<&'static FunctionDef> {
    FUNCTIONS.iter().find(|f| f.name.eq_ignore_ascii_case(name))
}

/// The functions whose names are at most two letters off, or continue it, for whoever mistyped one; the nearest first.
pub fn similar(name: &str) -> Vec<&'static str> {
    let name = name.to_ascii_uppercase();
    // Of a name that shares no letter, none is near.
    let near = |f: &&FunctionDef| {
        distance(&name, f.name) <= 2.min(name.len().saturating_sub(1)) || name.len() >= 3 && f.name.starts_with(&name)
    };
    let mut found: Vec<&str> = FUNCTIONS.iter().filter(near).map(|f| f.name).collect();
    found.sort_by_key(|found| distance(&name, found));
    found
}

/// Letters to insert, delete or change between two names.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let changed = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

/// The arguments of a call that is being typed.
pub(crate) struct Args<'a> {
    pub def: &'static FunctionDef,
    pub nodes: Vec<Typed>,
    pub cx: &'a EvalContext,
    pub on_fault: OnFault,
}

type Typing<T> = std::result::Result<T, ExprError>;

impl Args<'_> {
    /// The function does not take the type of argument `i` (from 0).
    pub fn wrong(&self, i: usize) -> ExprError {
        let code = codes::DTS_E_EXPREVALPARAMTYPEMISMATCH;
        ExprError::new(code, self.nodes[i].span.clone(), &[&self.def.name, &self.nodes[i].ty.name(), &(i + 1)])
            .expecting(&[self.def.syntax])
    }

    /// The length of a text argument.
    pub fn text(&self, i: usize) -> Typing<u32> {
        super::promote::text_length(&self.nodes[i].ty).ok_or_else(|| self.wrong(i))
    }

    pub fn integer(&self, i: usize) -> Typing<()> {
        if self.nodes[i].ty.is_integer() { Ok(()) } else { Err(self.wrong(i)) }
    }

    pub fn numeric(&self, i: usize) -> Typing<()> {
        if self.nodes[i].ty.is_numeric() { Ok(()) } else { Err(self.wrong(i)) }
    }

    /// Makes an argument a value of another type.
    pub fn convert(&mut self, i: usize, to: DataType) -> Typing<()> {
        let node = self.nodes.remove(i);
        let node = typing::coerce(node, to, self.cx, self.on_fault)?;
        self.nodes.insert(i, node);
        Ok(())
    }

    /// Casts an argument, of whatever type it is.
    pub fn cast(&mut self, i: usize, to: DataType) -> Typing<()> {
        let node = self.nodes.remove(i);
        let span = node.span.clone();
        self.nodes.insert(i, fold(Typed::new(Op::Cast(Box::new(node)), to, span), self.cx, self.on_fault)?);
        Ok(())
    }

    /// Makes a numeric argument a DT_R8.
    pub fn double(&mut self, i: usize) -> Typing<()> {
        self.numeric(i)?;
        self.convert(i, DataType::R8)
    }
}

/// A call that is being evaluated.
pub(crate) struct Call<'a> {
    pub def: &'static FunctionDef,
    pub args: &'a [Datum],
    /// The arguments as compiled.
    pub nodes: &'a [Typed],
    pub result: &'a DataType,
    /// Rows to compute: 1 if all arguments are values.
    pub rows: usize,
    /// The rows with a NULL argument, for functions that propagate NULL.
    pub nulls: Option<NullBuffer>,
    pub cx: &'a EvalContext,
}

impl Call<'_> {
    /// Whether a row has all its arguments.
    #[inline]
    pub fn is_valid(&self, row: usize) -> bool {
        super::kernels::is_valid(self.nulls.as_ref(), row)
    }
}
