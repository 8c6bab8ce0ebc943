//! Expressions as written, without blanks and brackets that mean nothing.
//!
//! An [`Ast`] prints as an expression that parses to the same tree.

use crate::types::DataType;
use std::fmt;
use std::ops::Range;

/// A parsed expression.
#[derive(Clone, Debug, PartialEq)]
pub struct Ast {
    pub(crate) root: Expr,
    /// The variable that the value is assigned to: `@x = …`, only when parsed as an assignment.
    pub(crate) target: Option<String>,
}

impl Ast {
    /// The variable that an assignment assigns to, without `@` and brackets.
    pub fn target(&self) -> Option<&str> {
        self.target.as_deref()
    }

    /// The variables that the expression reads, in the order of the text, without `@` and brackets.
    pub fn variables(&self) -> Vec<&str> {
        let mut found = Vec::new();
        self.root.walk(&mut |e| {
            if let ExprKind::Variable(name) = &e.kind {
                found.push(name.as_str());
            }
        });
        found
    }
}

/// A node and the bytes of the text that it stands for. Two nodes are equal wherever they stand.
#[derive(Clone, Debug)]
pub(crate) struct Expr {
    pub kind: ExprKind,
    pub span: Range<usize>,
}

impl PartialEq for Expr {
    fn eq(&self, other: &Expr) -> bool {
        self.kind == other.kind
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ExprKind {
    Literal(Literal),
    /// `#123`, `#{…}`.
    Lineage(String),
    /// `Col`, `[a b]`, `Comp.Col`.
    Column {
        component: Option<String>,
        column: String,
    },
    Variable(String),
    Unary(UnaryOp, Box<Expr>),
    Binary(BinaryOp, Box<Expr>, Box<Expr>),
    Conditional(Box<[Expr; 3]>),
    Cast(DataType, Box<Expr>),
    /// `NULL(DT_WSTR,5)`.
    NullOf(DataType),
    Call(String, Vec<Expr>),
}

#[derive(Clone, Debug)]
pub(crate) enum Literal {
    I4(i32),
    UI4(u32),
    I8(i64),
    UI8(u64),
    /// Unscaled value, precision (digits as written), scale.
    Numeric(i128, u8, u8),
    R4(f32),
    R8(f64),
    Text(String),
    Bool(bool),
}

/// Equality of what is written: floats by their bits.
impl PartialEq for Literal {
    fn eq(&self, other: &Literal) -> bool {
        match (self, other) {
            (Literal::I4(a), Literal::I4(b)) => a == b,
            (Literal::UI4(a), Literal::UI4(b)) => a == b,
            (Literal::I8(a), Literal::I8(b)) => a == b,
            (Literal::UI8(a), Literal::UI8(b)) => a == b,
            (Literal::Numeric(a, p, s), Literal::Numeric(b, q, t)) => (a, p, s) == (b, q, t),
            (Literal::R4(a), Literal::R4(b)) => a.to_bits() == b.to_bits(),
            (Literal::R8(a), Literal::R8(b)) => a.to_bits() == b.to_bits(),
            (Literal::Text(a), Literal::Text(b)) => a == b,
            (Literal::Bool(a), Literal::Bool(b)) => a == b,
            _ => false,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UnaryOp {
    Minus,
    Not,
    Complement,
}

impl UnaryOp {
    pub fn symbol(self) -> &'static str {
        match self {
            UnaryOp::Minus => "-",
            UnaryOp::Not => "!",
            UnaryOp::Complement => "~",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BinaryOp {
    Multiply,
    Divide,
    Modulo,
    Add,
    Subtract,
    Less,
    Greater,
    LessEqual,
    GreaterEqual,
    Equal,
    NotEqual,
    BitAnd,
    BitXor,
    BitOr,
    And,
    Or,
}

/// Binding strength of a unary operator and of a cast; both are prefixes, so which is stronger cannot be seen.
pub(crate) const PREFIX: u8 = 11;

impl BinaryOp {
    pub fn symbol(self) -> &'static str {
        match self {
            BinaryOp::Multiply => "*",
            BinaryOp::Divide => "/",
            BinaryOp::Modulo => "%",
            BinaryOp::Add => "+",
            BinaryOp::Subtract => "-",
            BinaryOp::Less => "<",
            BinaryOp::Greater => ">",
            BinaryOp::LessEqual => "<=",
            BinaryOp::GreaterEqual => ">=",
            BinaryOp::Equal => "==",
            BinaryOp::NotEqual => "!=",
            BinaryOp::BitAnd => "&",
            BinaryOp::BitXor => "^",
            BinaryOp::BitOr => "|",
            BinaryOp::And => "&&",
            BinaryOp::Or => "||",
        }
    }

    /// Binding strength, greater is tighter; all binary operators associate to the left.
    pub fn strength(self) -> u8 {
        match self {
            BinaryOp::Multiply | BinaryOp::Divide | BinaryOp::Modulo => 10,
            BinaryOp::Add | BinaryOp::Subtract => 9,
            BinaryOp::Less | BinaryOp::Greater | BinaryOp::LessEqual | BinaryOp::GreaterEqual => 8,
            BinaryOp::Equal | BinaryOp::NotEqual => 7,
            BinaryOp::BitAnd => 6,
            BinaryOp::BitXor => 5,
            BinaryOp::BitOr => 4,
            BinaryOp::And => 3,
            BinaryOp::Or => 2,
        }
    }
}

impl Expr {
    /// Calls `f` for this node and every node below it, in the order of the text.
    pub fn walk<'a>(&'a self, f: &mut impl FnMut(&'a Expr)) {
        let mut pending = vec![self];
        while let Some(e) = pending.pop() {
            f(e);
            match &e.kind {
                ExprKind::Unary(_, x) | ExprKind::Cast(_, x) => pending.push(x),
                ExprKind::Binary(_, a, b) => pending.extend([&**b, &**a]),
                ExprKind::Conditional(parts) => pending.extend(parts.iter().rev()),
                ExprKind::Call(_, args) => pending.extend(args.iter().rev()),
                _ => {}
            }
        }
    }

    fn strength(&self) -> u8 {
        match &self.kind {
            ExprKind::Conditional(_) => 1,
            ExprKind::Binary(op, ..) => op.strength(),
            ExprKind::Unary(..) | ExprKind::Cast(..) => PREFIX,
            _ => PREFIX + 1,
        }
    }

    fn print(&self, f: &mut fmt::Formatter<'_>, at_least: u8) -> fmt::Result {
        if self.strength() < at_least {
            f.write_str("(")?;
            self.print(f, 0)?;
            return f.write_str(")");
        }
        match &self.kind {
            ExprKind::Literal(literal) => write!(f, "{literal}"),
            ExprKind::Lineage(id) if id.bytes().all(|b| b.is_ascii_digit()) && !id.is_empty() => write!(f, "#{id}"),
            ExprKind::Lineage(id) => write!(f, "#{{{id}}}"),
            ExprKind::Column { component, column } => {
                if let Some(component) = component {
                    write!(f, "{}.", Name(component))?;
                }
                write!(f, "{}", Name(column))
            }
            ExprKind::Variable(name) if is_identifier(name) => write!(f, "@{name}"),
            ExprKind::Variable(name) => write!(f, "@[{name}]"),
            ExprKind::Unary(op, x) => {
                f.write_str(op.symbol())?;
                x.print(f, PREFIX)
            }
            ExprKind::Binary(op, a, b) => {
                a.print(f, op.strength())?;
                write!(f, " {} ", op.symbol())?;
                b.print(f, op.strength() + 1)
            }
            ExprKind::Conditional(parts) => {
                let [condition, yes, no] = &**parts;
                condition.print(f, 2)?;
                f.write_str(" ? ")?;
                yes.print(f, 0)?;
                f.write_str(" : ")?;
                no.print(f, 0)
            }
            ExprKind::Cast(to, x) => {
                write!(f, "({})", TypeSyntax(to))?;
                x.print(f, PREFIX)
            }
            ExprKind::NullOf(data_type) => write!(f, "NULL({})", TypeSyntax(data_type)),
            ExprKind::Call(name, args) => {
                if is_identifier(name) {
                    write!(f, "{name}(")?;
                } else {
                    write!(f, "[{name}](")?;
                }
                for (i, arg) in args.iter().enumerate() {
                    if i > 0 {
                        f.write_str(",")?;
                    }
                    arg.print(f, 0)?;
                }
                f.write_str(")")
            }
        }
    }
}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.print(f, 0)
    }
}

impl fmt::Display for Ast {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.target {
            Some(name) if is_identifier(name) => write!(f, "@{name} = ")?,
            Some(name) => write!(f, "@[{name}] = ")?,
            None => {}
        }
        write!(f, "{}", self.root)
    }
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Literal::I4(v) => write!(f, "{v}"),
            Literal::UI4(v) => write!(f, "{v}U"),
            Literal::I8(v) => write!(f, "{v}L"),
            Literal::UI8(v) => write!(f, "{v}UL"),
            Literal::Numeric(v, precision, scale) => {
                let digits = format!("{v:0width$}", width = *precision as usize);
                let (whole, fraction) = digits.split_at(digits.len() - *scale as usize);
                write!(f, "{whole}.{fraction}")
            }
            Literal::R4(v) => write!(f, "{v:e}F"),
            Literal::R8(v) => write!(f, "{v:e}L"),
            Literal::Text(text) => write!(f, "{}", quoted(text)),
            Literal::Bool(true) => f.write_str("TRUE"),
            Literal::Bool(false) => f.write_str("FALSE"),
        }
    }
}

/// A text as the language writes it: in quotation marks, what cannot be seen escaped. Read again it is the same text.
pub fn quoted(text: &str) -> impl fmt::Display + '_ {
    Quoted(text)
}

struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"")?;
        for c in self.0.chars() {
            match c {
                '\u{07}' => f.write_str("\\a")?,
                '\u{08}' => f.write_str("\\b")?,
                '\u{0C}' => f.write_str("\\f")?,
                '\n' => f.write_str("\\n")?,
                '\r' => f.write_str("\\r")?,
                '\t' => f.write_str("\\t")?,
                '\u{0B}' => f.write_str("\\v")?,
                '"' => f.write_str("\\\"")?,
                '\\' => f.write_str("\\\\")?,
                // The language has no escape for it.
                '\0' => f.write_str("\0")?,
                c if is_invisible(c) => {
                    for unit in c.encode_utf16(&mut [0; 2]) {
                        write!(f, "\\x{unit:04X}")?;
                    }
                }
                c => write!(f, "{c}")?,
            }
        }
        f.write_str("\"")
    }
}

/// Whether a character leaves no mark of its own: controls, blanks but the space, joiners, what is not assigned.
fn is_invisible(c: char) -> bool {
    // Rust's escapes know; after a letter, a combining mark is seen.
    c.is_control() || c != ' ' && c.is_whitespace() || !c.is_ascii() && format!("a{c}").escape_debug().count() > 2
}

/// A column or component name, bracketed where it must be.
struct Name<'a>(&'a str);

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if is_identifier(self.0) { f.write_str(self.0) } else { write!(f, "[{}]", self.0) }
    }
}

/// A type as a cast spells it: `DT_STR,10,1252`.
pub(crate) struct TypeSyntax<'a>(pub &'a DataType);

impl fmt::Display for TypeSyntax<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.name())?;
        match *self.0 {
            DataType::Str { len, code_page } => write!(f, ",{len},{code_page}"),
            DataType::WStr { len } | DataType::Bytes { len } => write!(f, ",{len}"),
            DataType::Text { code_page } => write!(f, ",{code_page}"),
            DataType::Numeric { precision, scale } => write!(f, ",{precision},{scale}"),
            DataType::Decimal { scale }
            | DataType::DbTime2 { scale }
            | DataType::DbTimeStamp2 { scale }
            | DataType::DbTimeStampOffset { scale } => write!(f, ",{scale}"),
            _ => Ok(()),
        }
    }
}

/// Whether a name can stand without brackets: letter or `_`, then letters, digits, `_ @ $ #`, and not a word that means
/// something else.
pub(crate) fn is_identifier(name: &str) -> bool {
    let mut chars = name.chars();
    chars.next().is_some_and(starts_identifier)
        && chars.all(continues_identifier)
        && !name.eq_ignore_ascii_case("true")
        && !name.eq_ignore_ascii_case("false")
        && !name.get(..3).is_some_and(|p| p.eq_ignore_ascii_case("DT_"))
}

pub(crate) fn starts_identifier(c: char) -> bool {
    c.is_alphabetic() || c == '_'
}

pub(crate) fn continues_identifier(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '@' | '$' | '#')
}
