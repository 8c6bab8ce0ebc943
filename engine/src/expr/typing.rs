//! Names resolved, types given: from the tree as written to a typed one.

use super::ast::{BinaryOp, Expr, ExprKind, Literal, UnaryOp};
use super::error::ExprError;
use super::eval::SHORT_CIRCUIT;
use super::fold::{OnFault, fold};
use super::functions::{self, Args, FunctionDef};
use super::lexer::MAX_LITERAL_UNITS;
use super::parser::deeper;
use super::program::EvalContext;
use super::promote::{self, Mismatch};
use super::typed::{Op, Origin, Typed};
use super::{Environment, Reference};
use crate::diag::{Diagnostic, codes};
use crate::types::convert::{TextLimit, can_cast};
use crate::types::{DataType, Value};
use std::ops::Range;

/// A typed tree and what came with it.
pub(crate) struct Outcome {
    pub root: Typed,
    /// The slots of the program's columns.
    pub slots: Vec<usize>,
    pub warnings: Vec<Diagnostic>,
}

/// Types an expression.
pub(crate) fn resolve(root: &Expr, env: &dyn Environment, text: &str) -> Result<Outcome, ExprError> {
    let mut typer = Typer {
        env,
        text,
        slots: Vec::new(),
        warnings: Vec::new(),
        cx: EvalContext::new(env.lcid()),
        on_fault: OnFault::Reject,
    };
    let root = typer.expr(root)?;
    Ok(Outcome { root, slots: typer.slots, warnings: typer.warnings })
}

struct Typer<'a> {
    env: &'a dyn Environment,
    text: &'a str,
    slots: Vec<usize>,
    warnings: Vec<Diagnostic>,
    cx: EvalContext,
    /// Whether the node being typed is certain to be evaluated.
    on_fault: OnFault,
}

impl Typer<'_> {
    fn expr(&mut self, e: &Expr) -> Result<Typed, ExprError> {
        deeper(|| self.expr_of(e))
    }

    fn expr_of(&mut self, e: &Expr) -> Result<Typed, ExprError> {
        match &e.kind {
            ExprKind::Literal(literal) => Ok(self.literal(literal, &e.span)),
            ExprKind::Lineage(id) => self.column(&Reference::Lineage(id), &e.span),
            ExprKind::Column { component, column } => {
                self.column(&Reference::Name { component: component.as_deref(), column }, &e.span)
            }
            ExprKind::Variable(name) => self.variable(name, &e.span),
            ExprKind::NullOf(ty) => Ok(Typed::new(Op::Const(Value::Null), *ty, e.span.clone())),
            ExprKind::Unary(op, x) => self.unary(*op, x, e),
            ExprKind::Binary(op @ (BinaryOp::And | BinaryOp::Or), a, b) => self.logic(*op, a, b, e),
            ExprKind::Binary(op, a, b) => self.binary(*op, a, b, e),
            ExprKind::Conditional(_) => self.conditional(e),
            ExprKind::Cast(to, x) => self.cast(*to, x, e),
            ExprKind::Call(name, args) => self.call(name, args, e),
        }
    }

    fn fold(&self, node: Typed) -> Result<Typed, ExprError> {
        fold(node, &self.cx, self.on_fault)
    }

    fn show(&self, span: &Range<usize>) -> String {
        self.text.get(span.clone()).unwrap_or_default().to_owned()
    }

    fn literal(&self, literal: &Literal, span: &Range<usize>) -> Typed {
        let (ty, value) = match literal {
            Literal::I4(v) => (DataType::I4, Value::I4(*v)),
            Literal::UI4(v) => (DataType::UI4, Value::UI4(*v)),
            Literal::I8(v) => (DataType::I8, Value::I8(*v)),
            Literal::UI8(v) => (DataType::UI8, Value::UI8(*v)),
            Literal::Numeric(v, precision, scale) => {
                (DataType::Numeric { precision: *precision, scale: *scale }, Value::Decimal(*v, *scale))
            }
            Literal::R4(v) => (DataType::R4, Value::R4(*v)),
            Literal::R8(v) => (DataType::R8, Value::R8(*v)),
            Literal::Text(text) => (DataType::WStr { len: utf16_len(text) }, Value::text(text)),
            Literal::Bool(v) => (DataType::Bool, Value::Bool(*v)),
        };
        Typed { origin: Origin::Literal, ..Typed::new(Op::Const(value), ty, span.clone()) }
    }

    fn column(&mut self, reference: &Reference<'_>, span: &Range<usize>) -> Result<Typed, ExprError> {
        let Some((slot, ty)) = self.env.column(reference) else { return Err(self.no_column(reference, span)) };
        if ty == DataType::Null {
            return Err(ExprError::new(codes::DTS_E_EXPREVALUNSUPPORTEDTYPE, span.clone(), &[&ty.name()]));
        }
        let number = self.slots.iter().position(|s| *s == slot).unwrap_or_else(|| {
            self.slots.push(slot);
            self.slots.len() - 1
        });
        Ok(Typed { origin: Origin::Column, ..Typed::new(Op::Column(number as u32), ty, span.clone()) })
    }

    fn no_column(&self, reference: &Reference<'_>, span: &Range<usize>) -> ExprError {
        let none = codes::DTS_E_EXPREVALNOINPUTCOLUMNCOLLECTIONFORCOLUMNNAME;
        let not_found = codes::DTS_E_EXPREVALSTATIC_INPUTCOLUMNNAMENOTFOUND.0;
        let span = span.clone();
        match reference {
            Reference::Lineage(id) if !self.env.has_columns() => {
                ExprError::new(codes::DTS_E_EXPREVALNOINPUTCOLUMNCOLLECTIONFORCOLUMNID, span, &[id])
            }
            Reference::Name { .. } if !self.env.has_columns() => {
                let shown = self.show(&span);
                ExprError::new(none, span, &[&shown]).expecting(&["a literal, a variable or a function"])
            }
            Reference::Lineage(id) => {
                let code = codes::DTS_E_EXPREVALINPUTCOLUMNIDNOTFOUND;
                ExprError::new(code, span, &[]).saying(format!("There is no input column with lineage {id}"))
            }
            Reference::Name { column, .. } if self.env.is_ambiguous(reference) => {
                ExprError::new(codes::DTS_E_EXPREVALAMBIGUOUSINPUTCOLUMNNAME, span, &[column])
                    .expecting(&["the name of the component before it: Component.Column"])
            }
            Reference::Name { component: Some(component), column } => {
                let code = codes::DTS_E_EXPREVALDOTTEDINPUTCOLUMNNAMENOTFOUND;
                ExprError::new(code, span, &[])
                    .saying(format!("There is no input column [{component}].[{column}] (0x{not_found:08X})"))
            }
            Reference::Name { component: None, column } => {
                let code = codes::DTS_E_EXPREVALINPUTCOLUMNNAMENOTFOUND;
                ExprError::new(code, span, &[])
                    .saying(format!("There is no input column named \"{column}\" (0x{not_found:08X})"))
            }
        }
    }

    fn variable(&mut self, name: &str, span: &Range<usize>) -> Result<Typed, ExprError> {
        let (ty, value) = self.env.variable(name).map_err(|error| {
            let code = error.code().unwrap_or(codes::DTS_E_EXPREVALVARIABLENOTFOUND);
            ExprError::new(code, span.clone(), &[]).saying(error.message())
        })?;
        if ty == DataType::Null || matches!(value, Value::Object(_)) {
            return Err(ExprError::new(codes::DTS_E_EXPREVALVARIABLETYPENOTSUPPORTED, span.clone(), &[&name]));
        }
        // A text counts as as long as it is now.
        let ty = match (&value, ty.is_string()) {
            (Value::Text(text), true) => DataType::WStr { len: utf16_len(text) },
            (_, true) => DataType::WStr { len: 0 },
            _ => ty,
        };
        if self.limits_variables() && ty.length() as usize > MAX_LITERAL_UNITS {
            let code = codes::DTS_E_EXPREVALSTRINGVARIABLETOOLONG;
            return Err(ExprError::new(code, span.clone(), &[&name, &MAX_LITERAL_UNITS]));
        }
        Ok(Typed { variable: true, ..Typed::new(Op::Const(value), ty, span.clone()) })
    }

    /// Texts of more than 4000 characters in variables are refused in data flows only: since 2012 other expressions
    /// take and give texts of any length (where exactly the limit still stands is unconfirmed).
    fn limits_variables(&self) -> bool {
        self.env.has_columns()
    }

    fn unary(&mut self, op: UnaryOp, x: &Expr, e: &Expr) -> Result<Typed, ExprError> {
        let x = self.expr(x)?;
        self.unary_of(op, x, e)
    }

    fn unary_of(&self, op: UnaryOp, x: Typed, e: &Expr) -> Result<Typed, ExprError> {
        let ty = x.ty;
        let legal = match op {
            UnaryOp::Not => ty == DataType::Bool,
            UnaryOp::Complement => ty.is_integer(),
            UnaryOp::Minus => ty.is_numeric() && promote::is_signed(&ty) != Some(false),
        };
        if !legal {
            let code = codes::DTS_E_EXPREVALUNSUPPORTEDUNNARYTYPE;
            return Err(ExprError::new(code, e.span.clone(), &[&ty.name(), &op.symbol()]));
        }
        let fallible = op == UnaryOp::Minus && ty.is_integer();
        self.fold(Typed::new(Op::Unary(op, Box::new(x)), ty, e.span.clone()).failing(fallible))
    }

    fn logic(&mut self, op: BinaryOp, a: &Expr, b: &Expr, e: &Expr) -> Result<Typed, ExprError> {
        let a = self.expr(a)?;
        let certain = !SHORT_CIRCUIT || matches!(a.literal(), Some(v) if *v != Value::Bool(op == BinaryOp::Or));
        let b = self.guarded(b, certain)?;
        self.logic_of(op, a, b, e)
    }

    fn logic_of(&self, op: BinaryOp, a: Typed, b: Typed, e: &Expr) -> Result<Typed, ExprError> {
        for side in [&a, &b] {
            if side.ty != DataType::Bool {
                let code = codes::DTS_E_EXPREVALUNSUPPORTEDBINARYTYPE;
                return Err(
                    ExprError::new(code, side.span.clone(), &[&side.ty.name(), &op.symbol()]).expecting(&["DT_BOOL"])
                );
            }
        }
        let parts = Box::new([a, b]);
        self.fold(Typed::new(Op::Logic { or: op == BinaryOp::Or, parts }, DataType::Bool, e.span.clone()))
    }

    /// Types what is evaluated only for some rows, or for none.
    fn guarded(&mut self, e: &Expr, certain: bool) -> Result<Typed, ExprError> {
        let outer = self.on_fault;
        if !certain {
            self.on_fault = OnFault::Keep;
        }
        let result = self.expr(e);
        self.on_fault = outer;
        result
    }

    /// A chain `a ? b : c ? d : e` is walked down its last branches, and typed from its end: chains may be long.
    fn conditional(&mut self, e: &Expr) -> Result<Typed, ExprError> {
        let mut chain = Vec::new();
        let mut rest = e;
        while let ExprKind::Conditional(parts) = &rest.kind {
            let condition = self.condition(&parts[0])?;
            let decided = condition.literal().cloned();
            let yes = self.guarded(&parts[1], decided == Some(Value::Bool(true)))?;
            chain.push((condition, yes, rest, self.on_fault));
            if decided != Some(Value::Bool(false)) {
                self.on_fault = OnFault::Keep;
            }
            rest = &parts[2];
        }
        let mut last = self.expr(rest)?;
        while let Some((condition, yes, e, on_fault)) = chain.pop() {
            self.on_fault = on_fault;
            last = self.unify(condition, yes, last, e)?;
        }
        Ok(last)
    }

    fn condition(&mut self, e: &Expr) -> Result<Typed, ExprError> {
        let condition = self.expr(e)?;
        if condition.ty != DataType::Bool {
            let code = codes::DTS_E_EXPREVALCONDITIONALOPINVALIDCONDITIONTYPE;
            let shown = self.show(&condition.span);
            return Err(
                ExprError::new(code, condition.span.clone(), &[&shown, &condition.ty.name()]).expecting(&["DT_BOOL"])
            );
        }
        Ok(condition)
    }

    fn unify(&self, condition: Typed, yes: Typed, no: Typed, e: &Expr) -> Result<Typed, ExprError> {
        let ty = self.common_type(&yes, &no, e)?;
        let yes = self.coerce(yes, ty)?;
        let no = self.coerce(no, ty)?;
        self.fold(Typed::new(Op::If(Box::new([condition, yes, no])), ty, e.span.clone()))
    }

    fn common_type(&self, yes: &Typed, no: &Typed, e: &Expr) -> Result<DataType, ExprError> {
        for side in [yes, no] {
            if is_bare_str(side) {
                let code = codes::DTS_E_EXPREVALCONDITIONALOPDTSTRNOTSUPPORTED;
                return Err(ExprError::new(code, side.span.clone(), &[]).expecting(&["a cast to DT_WSTR"]));
            }
        }
        if let (DataType::Text { code_page: a }, DataType::Text { code_page: b }) = (yes.ty, no.ty)
            && a != b
        {
            let code = codes::DTS_E_EXPREVALCONDITIONALOPCODEPAGEMISMATCH;
            return Err(ExprError::new(code, e.span.clone(), &[&self.show(&e.span), &yes.ty.name()]));
        }
        promote::unified(&yes.ty, &no.ty).map_err(|why| {
            let code = codes::DTS_E_EXPREVALCONDITIONALOPTYPEMISMATCH;
            let mut error = ExprError::new(code, e.span.clone(), &[&yes.ty.name(), &no.ty.name()]);
            if why == Mismatch::TooLarge {
                error.message.push_str(" Their common type would need more than 38 digits.");
            }
            error.expecting(&["two branches of one type: cast one of them"])
        })
    }

    /// The node as a value of type `to`, which it converts to without loss.
    fn coerce(&self, node: Typed, to: DataType) -> Result<Typed, ExprError> {
        coerce(node, to, &self.cx, self.on_fault)
    }

    fn binary(&mut self, op: BinaryOp, a: &Expr, b: &Expr, e: &Expr) -> Result<Typed, ExprError> {
        let a = self.expr(a)?;
        let b = self.expr(b)?;
        self.binary_of(op, a, b, e)
    }

    fn binary_of(&self, op: BinaryOp, a: Typed, b: Typed, e: &Expr) -> Result<Typed, ExprError> {
        for side in [&a, &b] {
            if is_bare_str(side) {
                let code = codes::DTS_E_EXPREVALBINARYOPDTSTRNOTSUPPORTED;
                return Err(
                    ExprError::new(code, side.span.clone(), &[&side.ty.name()]).expecting(&["a cast to DT_WSTR"])
                );
            }
            if !takes(op, &side.ty) {
                let code = codes::DTS_E_EXPREVALUNSUPPORTEDBINARYTYPE;
                return Err(ExprError::new(code, side.span.clone(), &[&side.ty.name(), &op.symbol()]));
            }
        }
        let (x, y) = (a.ty, b.ty);
        let fail = |why: Mismatch| match why {
            Mismatch::Incompatible => {
                let code = codes::DTS_E_EXPREVALBINARYTYPEMISMATCH;
                ExprError::new(code, e.span.clone(), &[&x.name(), &y.name(), &op.symbol()])
                    .expecting(&["two operands that go together: cast one of them"])
            }
            Mismatch::TooLarge => {
                let code = codes::DTS_E_EXPREVALBINARYOPNUMERICOVERFLOW;
                let mut error = ExprError::new(code, e.span.clone(), &[&op.symbol(), &x, &y]);
                error.message.push_str(" The result would need more than 38 digits.");
                error.expecting(&["a cast of an operand to fewer digits"])
            }
        };
        match op {
            BinaryOp::Add if !x.is_numeric() || !y.is_numeric() => self.concat(a, b, e, fail),
            BinaryOp::Add | BinaryOp::Subtract | BinaryOp::Multiply | BinaryOp::Divide => {
                let ty = promote::arithmetic(op, &x, &y).map_err(fail)?;
                let (a, b) = match ty {
                    DataType::Numeric { .. } => (self.decimal(a)?, self.decimal(b)?),
                    _ => (self.coerce(a, ty)?, self.coerce(b, ty)?),
                };
                self.fold(Typed::new(Op::Binary(op, Box::new([a, b])), ty, e.span.clone()).failing(true))
            }
            BinaryOp::Modulo | BinaryOp::BitAnd | BinaryOp::BitOr | BinaryOp::BitXor => {
                let bitwise = op != BinaryOp::Modulo;
                if bitwise && promote::is_signed(&x) != promote::is_signed(&y) {
                    let code = codes::DTS_E_EXPREVALBINARYSIGNMISMATCH;
                    return Err(ExprError::new(code, e.span.clone(), &[&op.symbol(), &self.show(&e.span)])
                        .expecting(&["two signed or two unsigned integers"]));
                }
                let ty = promote::integers(&x, &y).ok_or(Mismatch::Incompatible).map_err(fail)?;
                let parts = Box::new([self.coerce(a, ty)?, self.coerce(b, ty)?]);
                self.fold(Typed::new(Op::Binary(op, parts), ty, e.span.clone()).failing(!bitwise))
            }
            _ => self.comparison(op, a, b, e, fail),
        }
    }

    /// A number as a decimal of its own precision and scale.
    fn decimal(&self, node: Typed) -> Result<Typed, ExprError> {
        match promote::decimal_form(&node.ty) {
            Some((precision, scale)) if node.ty.is_integer() => {
                self.coerce(node, DataType::Numeric { precision, scale })
            }
            _ => Ok(node),
        }
    }

    fn concat(&self, a: Typed, b: Typed, e: &Expr, fail: impl Fn(Mismatch) -> ExprError) -> Result<Typed, ExprError> {
        let ty = match (promote::text_length(&a.ty), promote::text_length(&b.ty)) {
            (Some(x), Some(y)) => DataType::WStr { len: x.saturating_add(y) },
            (None, None) if a.ty.is_blob() && a.ty.code() == b.ty.code() => {
                self.same_code_page(BinaryOp::Add, &a, &b, e)?;
                a.ty
            }
            _ => return Err(fail(Mismatch::Incompatible)),
        };
        // a + b + c is one node of three parts.
        let mut parts = match a {
            Typed { op: Op::Concat(parts), .. } => parts,
            a => vec![a],
        };
        parts.push(b);
        self.fold(Typed::new(Op::Concat(parts), ty, e.span.clone()))
    }

    fn same_code_page(&self, op: BinaryOp, a: &Typed, b: &Typed, e: &Expr) -> Result<(), ExprError> {
        match (a.ty, b.ty) {
            (DataType::Text { code_page: x }, DataType::Text { code_page: y }) if x != y => {
                let code = codes::DTS_E_EXPREVALBINARYOPERATORCODEPAGEMISMATCH;
                Err(ExprError::new(code, e.span.clone(), &[&op.symbol(), &a.ty.name()]))
            }
            _ => Ok(()),
        }
    }

    fn comparison(
        &self,
        op: BinaryOp,
        a: Typed,
        b: Typed,
        e: &Expr,
        fail: impl Fn(Mismatch) -> ExprError,
    ) -> Result<Typed, ExprError> {
        let (x, y) = (a.ty, b.ty);
        let (a, b) = if x.is_numeric() && y.is_numeric() {
            match promote::compared_numbers(&x, &y).map_err(fail)? {
                Some(ty) => (self.coerce(a, ty)?, self.coerce(b, ty)?),
                None => (self.decimal(a)?, self.decimal(b)?),
            }
        } else if x.is_date_time() && y.is_date_time() {
            let ty = promote::dates(&x, &y).ok_or(Mismatch::Incompatible).map_err(fail)?;
            (self.coerce(a, ty)?, self.coerce(b, ty)?)
        } else if x.is_string() && y.is_string() || x.code() == y.code() {
            self.same_code_page(op, &a, &b, e)?;
            (a, b)
        } else {
            return Err(fail(Mismatch::Incompatible));
        };
        let order = promote::text_order(op, &a.ty, self.cx.lcid);
        self.fold(Typed::new(Op::Compare(op, Box::new([a, b]), order), DataType::Bool, e.span.clone()))
    }

    fn cast(&mut self, to: DataType, x: &Expr, e: &Expr) -> Result<Typed, ExprError> {
        let x = self.expr(x)?;
        self.cast_of(to, x, e)
    }

    fn cast_of(&mut self, to: DataType, x: Typed, e: &Expr) -> Result<Typed, ExprError> {
        if let (DataType::Str { code_page: from, .. }, DataType::Str { code_page, .. }) = (x.ty, to)
            && from != code_page
        {
            let code = codes::DTS_E_EXPREVALCASTCODEPAGEMISMATCH;
            let shown = self.show(&x.span);
            return Err(ExprError::new(code, e.span.clone(), &[&shown, &x.ty.name(), &to.name(), &from, &code_page])
                .expecting(&["a cast to DT_WSTR first"]));
        }
        if x.ty.code() != to.code() && !can_cast(&x.ty, &to) {
            let code = codes::DTS_E_EXPREVALINVALIDCAST;
            return Err(ExprError::new(code, e.span.clone(), &[&self.show(&x.span), &x.ty.name(), &to.name()]));
        }
        if to.is_string()
            && let Some(text) = x.constant_text()
            && TextLimit::of(&to).is_ok_and(|limit| limit.fit(text) < text.len())
        {
            let code = codes::DTS_W_STATICTRUNCATIONINEXPRESSION;
            self.warnings.push(Diagnostic::warning(code, "", code.message(&[&self.show(&e.span)])));
        }
        let origin = if x.origin == Origin::Literal { Origin::CastLiteral } else { Origin::Cast };
        let span = e.span.clone();
        // A time takes the date of the day on which it is converted.
        let pure = !(promote::is_time_only(&x.ty) && to.is_date_time() && !promote::is_time_only(&to));
        let fallible = !cannot_fail(&x.ty, &to);
        let mut node = Typed::new(Op::Cast(Box::new(x)), to, span).failing(fallible);
        node.pure &= pure;
        let node = self.fold(node)?;
        Ok(Typed { origin, ..node })
    }

    fn call(&mut self, name: &str, args: &[Expr], e: &Expr) -> Result<Typed, ExprError> {
        let def = find(name, args.len(), e)?;
        let mut nodes = Vec::with_capacity(args.len());
        for arg in args {
            nodes.push(self.expr(arg)?);
        }
        self.call_of(def, nodes, e)
    }

    fn call_of(&self, def: &'static FunctionDef, nodes: Vec<Typed>, e: &Expr) -> Result<Typed, ExprError> {
        let mut args = Args { def, nodes, cx: &self.cx, on_fault: self.on_fault };
        let ty = (def.typing)(&mut args)?;
        let nodes = args.nodes;
        let fallible = (def.fallible)(&nodes);
        let mut node = Typed::new(Op::Call(def, nodes), ty, e.span.clone()).failing(fallible);
        node.pure &= !def.volatile;
        self.fold(node)
    }
}

/// The function that a call names and has the right number of arguments for.
fn find(name: &str, args: usize, e: &Expr) -> Result<&'static FunctionDef, ExprError> {
    let Some(def) = functions::find(name) else {
        let code = codes::DTS_E_EXPREVALINVALIDFUNCTION;
        return Err(ExprError::new(code, e.span.clone(), &[&name]).expecting(&functions::similar(name)));
    };
    if args == def.arity {
        return Ok(def);
    }
    let code = match (def.arity, args) {
        (1, _) => codes::DTS_E_EXPREVALINVALIDNUMBEROFPARAMSSINGULARPLURAL,
        (_, 1) => codes::DTS_E_EXPREVALINVALIDNUMBEROFPARAMSPLURALSINGULAR,
        _ => codes::DTS_E_EXPREVALINVALIDNUMBEROFPARAMSPLURALPLURAL,
    };
    Err(ExprError::new(code, e.span.clone(), &[&def.name, &def.arity, &args]).expecting(&[def.syntax]))
}

/// A DT_STR that is neither a column nor a cast, which operators do not take.
fn is_bare_str(node: &Typed) -> bool {
    matches!(node.ty, DataType::Str { .. })
        && !matches!(node.origin, Origin::Column | Origin::Cast | Origin::CastLiteral)
}

/// Whether an operator takes operands of a type at all.
fn takes(op: BinaryOp, ty: &DataType) -> bool {
    match op {
        BinaryOp::Add => ty.is_numeric() || ty.is_string() || ty.is_blob(),
        BinaryOp::Subtract | BinaryOp::Multiply | BinaryOp::Divide => ty.is_numeric(),
        BinaryOp::Modulo | BinaryOp::BitAnd | BinaryOp::BitOr | BinaryOp::BitXor => ty.is_integer(),
        BinaryOp::Equal | BinaryOp::NotEqual => *ty != DataType::Null,
        BinaryOp::Less | BinaryOp::LessEqual | BinaryOp::Greater | BinaryOp::GreaterEqual => {
            ty.is_numeric() || ty.is_string() || ty.is_date_time()
        }
        BinaryOp::And | BinaryOp::Or => *ty == DataType::Bool,
    }
}

/// Casts that take every value.
fn cannot_fail(from: &DataType, to: &DataType) -> bool {
    let text = |t: &DataType| t.is_string() || matches!(t, DataType::Text { .. } | DataType::NText);
    text(from) && text(to) || from == to
}

/// The node as a value of type `to`, which it converts to without loss.
pub(crate) fn coerce(node: Typed, to: DataType, cx: &EvalContext, on_fault: OnFault) -> Result<Typed, ExprError> {
    // Both text types are the same in memory, and so are decimals of one scale.
    let alike = node.ty.is_string() && to.is_string()
        || matches!((node.ty, to), (DataType::Bytes { .. }, DataType::Bytes { .. }))
        || matches!(
            (node.ty, to),
            (DataType::Decimal { scale: a } | DataType::Numeric { scale: a, .. }, DataType::Numeric { scale: b, .. }) if a == b
        );
    if node.ty == to || alike {
        // The node keeps its own type: that of a cast says where it cuts.
        return Ok(node);
    }
    let (span, origin) = (node.span.clone(), node.origin);
    let node = fold(Typed::new(Op::Cast(Box::new(node)), to, span), cx, on_fault)?;
    Ok(Typed { origin, ..node })
}

/// Length in UTF-16 code units.
pub(crate) fn utf16_len(text: &str) -> u32 {
    u32::try_from(super::kernels::text::units(text)).unwrap_or(u32::MAX)
}
