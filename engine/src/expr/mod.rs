//! The expression language: text to values.
//!
//! An expression is read ([`parse`]), typed with the lengths, precisions and scales that the designer stores, folded, and
//! evaluated either over the columns of a batch ([`Program::eval`]) or once ([`Program::eval_row`]). It knows columns and
//! variables through an [`Environment`], and nothing of data flows or containers.
//!
//! Rules that the reference does not confirm stand in one named function or constant each, which says so.
//!
//! Start reading at [`compile`], then the rules of types in `typing` and `promote`, then [`functions`].

mod ast;
mod blame;
mod error;
mod eval;
mod fold;
mod functions;
mod kernels;
mod lexer;
mod parser;
mod program;
mod promote;
mod typed;
mod typing;

#[cfg(test)]
mod tests;

pub use ast::{Ast, quoted};
pub use error::ExprError;
pub use functions::{Example, FunctionDef, Gives, NullRule, Signature, Takes, functions, similar as similar_functions};
pub use parser::{parse, parse_assignment};
pub use program::{Clock, EvalContext, Program, compile, compile_assignment};

use crate::diag::{Code, Error, Owner, codes};
use crate::types::{DataType, Value};

/// How an expression names a column.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Reference<'a> {
    /// `#123` (the number) or `#{Package\…}` (the path), without the marks.
    Lineage(&'a str),
    /// `Column` or `Component.Column`.
    Name {
        /// The component that the column comes from, if the name is qualified.
        component: Option<&'a str>,
        /// The column's name.
        column: &'a str,
    },
}

/// What an expression can name: the columns of an input and the variables in scope.
pub trait Environment {
    /// The slot and type of a column; None if there is none, or more than one, of that name.
    fn column(&self, reference: &Reference<'_>) -> Option<(usize, DataType)>;

    /// Type and present value of a variable or parameter, named as in the expression without `@` and brackets. It is
    /// read while the expression is compiled, and stays the same for the run (unconfirmed: SSIS reads it when a component
    /// begins).
    ///
    /// # Errors
    /// No such variable, or an unqualified name that several have (DTS_E_EXPREVALAMBIGUOUSVARIABLENNAME).
    fn variable(&self, name: &str) -> Result<(DataType, Value), Error>;

    /// The locale, as an LCID, for texts that are computed while the expression is compiled.
    fn lcid(&self) -> u32;

    /// Whether there are columns at all: false for property expressions and constraints.
    fn has_columns(&self) -> bool {
        true
    }

    /// Whether several columns have the name for which [`Environment::column`] found none.
    fn is_ambiguous(&self, _reference: &Reference<'_>) -> bool {
        false
    }
}

/// No columns and no variables.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoNames;

impl Environment for NoNames {
    fn column(&self, _reference: &Reference<'_>) -> Option<(usize, DataType)> {
        None
    }

    fn variable(&self, name: &str) -> Result<(DataType, Value), Error> {
        const CODE: Code = codes::DTS_E_EXPREVALVARIABLENOTFOUND;
        Err(Error::new(Owner::Package, CODE, CODE.message(&[&name])))
    }

    fn lcid(&self) -> u32 {
        0
    }

    fn has_columns(&self) -> bool {
        false
    }
}
