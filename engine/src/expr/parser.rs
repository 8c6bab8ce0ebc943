//! Tokens to a tree.

use super::ast::{Ast, BinaryOp, Expr, ExprKind, UnaryOp};
use super::error::ExprError;
use super::functions::cast::TypeSpec;
use super::lexer::{Tok, Token, lex};
use crate::diag::codes;

/// How deep brackets and prefixes may nest. (A limit of this program; the reference states none.)
pub(crate) const MAX_NESTING: usize = 100;
/// How high a tree may grow: chains of operators and of `? :` nest no brackets, but grow the tree, by one each. As many as
/// fit in the 4000 characters that an expression had before SQL Server 2012; what walks a tree takes more stack as it needs
/// it ([`deeper`]), what drops or copies one needs little of it.
pub(crate) const MAX_HEIGHT: usize = 2000;
/// By how much prefixes and calls grow it: compiling them takes more of the stack, and nobody chains so many.
const STEEP: usize = 4;

/// Runs a step of a walk down a tree, on more stack if little is left.
pub(crate) fn deeper<R>(step: impl FnOnce() -> R) -> R {
    const LEFT: usize = 128 << 10;
    const MORE: usize = 1 << 20;
    stacker::maybe_grow(LEFT, MORE, step)
}

/// Parses an expression.
///
/// # Errors
/// An expression that cannot be read: DTS_E_EXPREVALINVALIDTOKEN, DTS_E_EXPREVALFAILEDTOPARSEEXPRESSION and the like.
pub fn parse(text: &str) -> Result<Ast, ExprError> {
    parse_as(text, false)
}

/// Parses an expression or an assignment `@x = …`, as the For Loop container and the Expression task have them.
/// [`Ast::target`] says which it is.
///
/// # Errors
/// As [`parse`].
pub fn parse_assignment(text: &str) -> Result<Ast, ExprError> {
    parse_as(text, true)
}

fn parse_as(text: &str, assignment: bool) -> Result<Ast, ExprError> {
    let tokens = lex(text, assignment)?;
    let mut parser = Parser { tokens, at: 0, nesting: 0 };
    parser.whole(text, assignment).map_err(|e| e.within(text))
}

/// A tree and its height.
type Grown = (Expr, usize);

struct Parser {
    tokens: Vec<Token>,
    at: usize,
    nesting: usize,
}

const OPERAND: &[&str] = &["a value", "a column", "a variable", "a function", "("];

impl Parser {
    fn peek(&self) -> &Tok {
        &self.tokens[self.at].tok
    }

    fn peek_second(&self) -> &Tok {
        self.tokens.get(self.at + 1).map_or(&Tok::End, |t| &t.tok)
    }

    fn start(&self) -> usize {
        self.tokens[self.at].span.start
    }

    /// The end of the token before.
    fn end(&self) -> usize {
        self.at.checked_sub(1).map_or(0, |i| self.tokens[i].span.end)
    }

    fn advance(&mut self) -> Token {
        let token = self.tokens[self.at].clone();
        // The end stays where it is.
        if token.tok != Tok::End {
            self.at += 1;
        }
        token
    }

    fn eat(&mut self, mark: &'static str) -> bool {
        let found = *self.peek() == Tok::Mark(mark);
        if found {
            self.at += 1;
        }
        found
    }

    fn unexpected(&self, expected: &[&str]) -> ExprError {
        let token = &self.tokens[self.at];
        let what = match &token.tok {
            Tok::End => "The expression ends too early".to_owned(),
            Tok::Mark(m) => format!("Unexpected {m}"),
            Tok::Ident(_) | Tok::Bracketed(_) => "Unexpected name".to_owned(),
            Tok::Variable(_) => "Unexpected variable".to_owned(),
            Tok::Lineage(_) => "Unexpected column".to_owned(),
            Tok::Literal(_) => "Unexpected value".to_owned(),
        };
        ExprError::new(codes::DTS_E_EXPREVALFAILEDTOPARSEEXPRESSION, token.span.clone(), &[])
            .saying(what)
            .expecting(expected)
    }

    fn expect(&mut self, mark: &'static str) -> Result<(), ExprError> {
        if self.eat(mark) { Ok(()) } else { Err(self.unexpected(&[mark])) }
    }

    fn too_deep(&self) -> ExprError {
        ExprError::new(codes::DTS_E_EXPREVALFAILEDTOPARSEEXPRESSION, self.start()..self.start(), &[])
            .saying("The expression is nested too deeply")
    }

    fn grow(&self, kind: ExprKind, start: usize, below: usize) -> Result<Grown, ExprError> {
        let step = match kind {
            ExprKind::Unary(..) | ExprKind::Cast(..) | ExprKind::Call(..) => STEEP,
            _ => 1,
        };
        if below + step > MAX_HEIGHT {
            return Err(self.too_deep());
        }
        Ok((Expr { kind, span: start..self.end() }, below + step))
    }

    fn whole(&mut self, text: &str, assignment: bool) -> Result<Ast, ExprError> {
        if *self.peek() == Tok::End {
            return Err(ExprError::new(codes::DTS_E_EXPREVALEXPRESSIONEMPTY, 0..text.len(), &[]));
        }
        let mut target = None;
        if assignment && let (Tok::Variable(name), Tok::Mark("=")) = (self.peek().clone(), self.peek_second()) {
            target = Some(name);
            self.at += 2;
        }
        let (root, _) = self.conditional()?;
        if *self.peek() != Tok::End {
            return Err(self.unexpected(&["an operator", "the end"]));
        }
        Ok(Ast { root, target })
    }

    /// `a ? b : c ? d : e`: the chain of last branches is read in a loop, and built from its end.
    fn conditional(&mut self) -> Result<Grown, ExprError> {
        self.nesting += 1;
        if self.nesting > MAX_NESTING {
            return Err(self.too_deep());
        }
        let mut chain = Vec::new();
        let mut last = self.binary(0)?;
        while self.eat("?") {
            let yes = self.conditional()?;
            self.expect(":")?;
            chain.push((last, yes));
            last = self.binary(0)?;
        }
        while let Some(((condition, h1), (yes, h2))) = chain.pop() {
            let (no, h3) = last;
            let start = condition.span.start;
            let parts = Box::new([condition, yes, no]);
            last = self.grow(ExprKind::Conditional(parts), start, h1.max(h2).max(h3))?;
        }
        self.nesting -= 1;
        Ok(last)
    }

    fn binary(&mut self, at_least: u8) -> Result<Grown, ExprError> {
        let mut left = self.prefix()?;
        while let Tok::Mark(mark) = self.peek()
            && let Some(op) = operator(mark)
            && op.strength() >= at_least
        {
            self.at += 1;
            // At most one frame for each strength.
            let (b, hb) = self.binary(op.strength() + 1)?;
            let (a, ha) = left;
            let start = a.span.start;
            left = self.grow(ExprKind::Binary(op, Box::new(a), Box::new(b)), start, ha.max(hb))?;
        }
        Ok(left)
    }

    /// Prefixes in a loop, applied from the innermost.
    fn prefix(&mut self) -> Result<Grown, ExprError> {
        enum Prefix {
            Unary(UnaryOp),
            Cast(crate::types::DataType),
        }
        let mut prefixes = Vec::new();
        loop {
            let start = self.start();
            let op = match self.peek() {
                Tok::Mark("-") => Prefix::Unary(UnaryOp::Minus),
                Tok::Mark("!") => Prefix::Unary(UnaryOp::Not),
                Tok::Mark("~") => Prefix::Unary(UnaryOp::Complement),
                Tok::Mark("(") => match self.cast()? {
                    Some(data_type) => {
                        prefixes.push((Prefix::Cast(data_type), start));
                        continue;
                    }
                    None => break,
                },
                _ => break,
            };
            self.at += 1;
            prefixes.push((op, start));
        }
        let (mut operand, mut height) = self.primary()?;
        while let Some((prefix, start)) = prefixes.pop() {
            let kind = match prefix {
                Prefix::Unary(op) => ExprKind::Unary(op, Box::new(operand)),
                Prefix::Cast(to) => ExprKind::Cast(to, Box::new(operand)),
            };
            (operand, height) = self.grow(kind, start, height)?;
        }
        Ok((operand, height))
    }

    /// `(DT_…)` or `(DT_…,n,m)`; None, and nothing read, if the bracket holds something else.
    fn cast(&mut self) -> Result<Option<crate::types::DataType>, ExprError> {
        let Tok::Ident(name) = self.peek_second() else { return Ok(None) };
        let after = self.tokens.get(self.at + 2).map_or(&Tok::End, |t| &t.tok);
        if !name.get(..3).is_some_and(|p| p.eq_ignore_ascii_case("DT_"))
            || !matches!(after, Tok::Mark(")") | Tok::Mark(","))
        {
            return Ok(None);
        }
        self.at += 1;
        let spec = self.type_spec(TypeSpec::CAST)?;
        Ok(Some(spec))
    }

    /// `DT_STR,10,1252)` with its closing bracket.
    fn type_spec(&mut self, mut spec: TypeSpec) -> Result<crate::types::DataType, ExprError> {
        let Tok::Ident(name) = self.peek().clone() else {
            return Err(self.unexpected(&["a type: DT_I4, DT_WSTR, …"]));
        };
        spec.name(name, self.advance().span);
        while self.eat(",") {
            let start = self.start();
            let minus = self.eat("-");
            let token = self.advance();
            spec.param(minus, &token.tok, start..token.span.end)?;
        }
        self.expect(")")?;
        spec.resolve()
    }

    fn primary(&mut self) -> Result<Grown, ExprError> {
        let start = self.start();
        let kind = match self.peek().clone() {
            Tok::Literal(literal) => {
                self.at += 1;
                ExprKind::Literal(literal)
            }
            Tok::Variable(name) => {
                self.at += 1;
                ExprKind::Variable(name)
            }
            Tok::Lineage(id) => {
                self.at += 1;
                ExprKind::Lineage(id)
            }
            Tok::Ident(name) | Tok::Bracketed(name) => {
                self.at += 1;
                if self.eat("(") {
                    return self.call(name, start);
                }
                self.column(name)?
            }
            Tok::Mark("(") => {
                self.at += 1;
                let inner = self.conditional()?;
                if !self.eat(")") {
                    return Err(self.unexpected(&["an operator", ")"]));
                }
                return Ok(inner);
            }
            _ => return Err(self.unexpected(OPERAND)),
        };
        self.grow(kind, start, 0)
    }

    fn column(&mut self, first: String) -> Result<ExprKind, ExprError> {
        if !self.eat(".") {
            return Ok(ExprKind::Column { component: None, column: first });
        }
        match self.peek().clone() {
            Tok::Ident(column) | Tok::Bracketed(column) => {
                self.at += 1;
                Ok(ExprKind::Column { component: Some(first), column })
            }
            _ => Err(self.unexpected(&["the name of a column"])),
        }
    }

    fn call(&mut self, name: String, start: usize) -> Result<Grown, ExprError> {
        if name.eq_ignore_ascii_case("NULL") {
            let data_type = self.type_spec(TypeSpec::NULL)?;
            return self.grow(ExprKind::NullOf(data_type), start, 0);
        }
        let mut args = Vec::new();
        let mut height = 0;
        if !self.eat(")") {
            loop {
                let (arg, h) = self.conditional()?;
                args.push(arg);
                height = height.max(h);
                if self.eat(")") {
                    break;
                }
                if !self.eat(",") {
                    return Err(self.unexpected(&["an operator", ",", ")"]));
                }
            }
        }
        self.grow(ExprKind::Call(name, args), start, height)
    }
}

fn operator(mark: &str) -> Option<BinaryOp> {
    Some(match mark {
        "*" => BinaryOp::Multiply,
        "/" => BinaryOp::Divide,
        "%" => BinaryOp::Modulo,
        "+" => BinaryOp::Add,
        "-" => BinaryOp::Subtract,
        "<" => BinaryOp::Less,
        ">" => BinaryOp::Greater,
        "<=" => BinaryOp::LessEqual,
        ">=" => BinaryOp::GreaterEqual,
        "==" => BinaryOp::Equal,
        "!=" => BinaryOp::NotEqual,
        "&" => BinaryOp::BitAnd,
        "^" => BinaryOp::BitXor,
        "|" => BinaryOp::BitOr,
        "&&" => BinaryOp::And,
        "||" => BinaryOp::Or,
        _ => return None,
    })
}
