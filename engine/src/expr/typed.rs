//! Expressions with types: names resolved, implicit conversions made explicit, ready to be evaluated.

use super::ast::{BinaryOp, UnaryOp};
use super::functions::FunctionDef;
use crate::types::collation::Collation;
use crate::types::{DataType, Value};
use std::ops::Range;

/// A node with the type of its value.
#[derive(Clone, Debug)]
pub(crate) struct Typed {
    pub op: Op,
    pub ty: DataType,
    pub span: Range<usize>,
    pub origin: Origin,
    /// Whether a row can fail in this node or below.
    pub fallible: bool,
    /// Whether the value is the same whenever it is computed from the same rows.
    pub pure: bool,
    /// Whether the value of a variable is read in this node or below.
    pub variable: bool,
    /// The program's columns that are read in this node and below, ascending.
    pub columns: Vec<u32>,
}

#[derive(Clone, Debug)]
pub(crate) enum Op {
    Const(Value),
    /// A column, by its number in the program.
    Column(u32),
    Unary(UnaryOp, Box<Typed>),
    /// Arithmetic and bitwise.
    Binary(BinaryOp, Box<[Typed; 2]>),
    /// The order is that of texts, for `< > <= >=` of two.
    Compare(BinaryOp, Box<[Typed; 2]>, Option<Collation>),
    Concat(Vec<Typed>),
    /// `&&`, or `||`.
    Logic {
        or: bool,
        parts: Box<[Typed; 2]>,
    },
    /// `condition ? yes : no`, both of the node's type.
    If(Box<[Typed; 3]>),
    Cast(Box<Typed>),
    Call(&'static FunctionDef, Vec<Typed>),
}

/// What a node was written as, where a rule asks for that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    Column,
    Literal,
    Cast,
    /// A cast of a literal.
    CastLiteral,
    Other,
}

impl Typed {
    /// A node over `parts`; what it can do follows from what they can.
    pub fn new(op: Op, ty: DataType, span: Range<usize>) -> Typed {
        let mut columns: Vec<u32> = match &op {
            Op::Column(number) => vec![*number],
            _ => op.parts().iter().flat_map(|p| p.columns.iter().copied()).collect(),
        };
        columns.sort_unstable();
        columns.dedup();
        let fallible = op.parts().iter().any(|p| p.fallible);
        let pure = op.parts().iter().all(|p| p.pure);
        let variable = op.parts().iter().any(|p| p.variable);
        Typed { op, ty, span, origin: Origin::Other, fallible, pure, variable, columns }
    }

    /// The same; its rows can fail if `fallible`.
    pub fn failing(mut self, fallible: bool) -> Typed {
        self.fallible |= fallible;
        self
    }

    pub fn constant(&self) -> Option<&Value> {
        match &self.op {
            Op::Const(v) => Some(v),
            _ => None,
        }
    }

    /// The value of a constant that no variable can change.
    pub fn literal(&self) -> Option<&Value> {
        self.constant().filter(|_| !self.variable)
    }

    /// The value of a constant integer.
    pub fn constant_integer(&self) -> Option<i64> {
        Some(match self.constant()? {
            Value::I1(v) => i64::from(*v),
            Value::I2(v) => i64::from(*v),
            Value::I4(v) => i64::from(*v),
            Value::I8(v) => *v,
            Value::UI1(v) => i64::from(*v),
            Value::UI2(v) => i64::from(*v),
            Value::UI4(v) => i64::from(*v),
            Value::UI8(v) => i64::try_from(*v).ok()?,
            _ => return None,
        })
    }

    /// The text of a constant.
    pub fn constant_text(&self) -> Option<&str> {
        match self.constant()? {
            Value::Text(t) => Some(t),
            _ => None,
        }
    }
}

impl Op {
    /// The nodes below.
    pub fn parts(&self) -> Vec<&Typed> {
        match self {
            Op::Const(_) | Op::Column(_) => Vec::new(),
            Op::Unary(_, x) | Op::Cast(x) => vec![x],
            Op::Binary(_, parts) | Op::Compare(_, parts, _) | Op::Logic { parts, .. } => parts.iter().collect(),
            Op::If(parts) => parts.iter().collect(),
            Op::Concat(parts) | Op::Call(_, parts) => parts.iter().collect(),
        }
    }
}
