//! What is wrong with an expression, and where.

use crate::diag::{Code, Error, Owner};
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// Stands in a message for the text that is meant, where that is not known yet: [`ExprError::within`] puts it in.
pub(crate) const HERE: &str = "\u{1}";

/// An expression that cannot be read, typed or computed: the SSIS code, a message, the place in the text, and what
/// would have been legal there.
#[derive(Clone, Debug, PartialEq)]
pub struct ExprError {
    /// The SSIS code.
    pub code: Code,
    /// One sentence, in the words of the SSIS message where it has some.
    pub message: String,
    /// The bytes of the expression's text that are meant.
    pub span: Range<usize>,
    /// What would have been legal there; empty where that cannot be said shortly.
    pub expected: Vec<String>,
    /// The whole expression.
    pub text: Arc<str>,
}

impl ExprError {
    /// An error at `span`, its message made from the code's template and `args`.
    pub(crate) fn new(code: Code, span: Range<usize>, args: &[&dyn fmt::Display]) -> ExprError {
        ExprError { code, message: code.message(args), span, expected: Vec::new(), text: Arc::from("") }
    }

    /// The same with other words.
    pub(crate) fn saying(mut self, message: impl Into<String>) -> ExprError {
        self.message = message.into();
        self
    }

    /// The same with what would have been legal.
    pub(crate) fn expecting(mut self, what: &[&str]) -> ExprError {
        self.expected = what.iter().map(|w| (*w).to_owned()).collect();
        self
    }

    /// The same, said of `text`.
    pub(crate) fn within(mut self, text: &str) -> ExprError {
        if self.text.is_empty() {
            self.text = Arc::from(text);
            if self.message.contains(HERE) {
                self.message = self.message.replace(HERE, text.get(self.span.clone()).unwrap_or(text));
            }
        }
        self
    }

    /// Line and column, from 1, columns in characters, of the start of the span.
    pub fn position(&self) -> (usize, usize) {
        let before = self.text.get(..self.span.start).unwrap_or(&self.text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
    }
}

/// `message`, line and column, the line itself with the place marked, and what would be legal.
impl fmt::Display for ExprError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message.trim_end_matches('.'))?;
        if !self.text.is_empty() {
            let (line, column) = self.position();
            write!(f, " (line {line}, column {column})")?;
        }
        if !self.expected.is_empty() {
            write!(f, "; expected {}", self.expected.join(", "))?;
        }
        if let Some(shown) = self.text.lines().nth(self.position().0 - 1)
            && !self.text.is_empty()
        {
            let column = self.position().1 - 1;
            let marked = self.text.get(self.span.clone()).map_or(1, |s| s.lines().next().unwrap_or("").chars().count());
            write!(f, "\n  {}", shown.replace('\t', " "))?;
            write!(f, "\n  {}{}", " ".repeat(column), "^".repeat(marked.max(1)))?;
        }
        Ok(())
    }
}

impl std::error::Error for ExprError {}

/// An expression is part of the package, so its errors are the package's.
impl From<ExprError> for Error {
    fn from(e: ExprError) -> Error {
        Error::new(Owner::Package, e.code, e.to_string())
    }
}
