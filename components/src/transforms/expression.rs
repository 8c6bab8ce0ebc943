//! Expressions over the columns of an input, as Derived Column and Conditional Split have them.

use super::shown;
use arrow::array::ArrayRef;
use dtsx_engine::batch::{Batch, Faults};
use dtsx_engine::diag::{Code, Diagnostic, Result, Span, codes};
use dtsx_engine::expr::{self, Environment, EvalContext, Program, Reference};
use dtsx_engine::flow::{BindCx, ColumnRef, ComponentSpec};
use dtsx_engine::props::{Origin, PropertyBag};
use dtsx_engine::types::{DataType, Value};

/// What an expression belongs to.
pub(crate) struct Owner<'a> {
    /// Its properties.
    pub properties: &'a PropertyBag,
    /// How messages call it.
    pub object: &'a str,
    /// Its column, if it is one.
    pub column: Option<&'a str>,
    /// Where it stands in the file.
    pub span: Option<Span>,
}

impl Owner<'_> {
    /// Reports an error of this column or output.
    pub(crate) fn report(&self, spec: &ComponentSpec, cx: &mut BindCx<'_>, code: Code, message: String) {
        let span = ["Expression", "FriendlyExpression"].iter().find_map(|p| self.properties.get(p)?.span);
        let mut diagnostic = Diagnostic::error(code, &spec.path, message).with_span(span.or(self.span).or(spec.span));
        diagnostic.column = self.column.map(str::to_owned);
        cx.diagnostics.push(diagnostic);
    }

    /// The text that runs: Expression, the machine form with lineage ids; but FriendlyExpression if something other than
    /// the package file set it, as that is the form that property expressions reach (or if there is no other).
    pub(crate) fn text(&self) -> &str {
        let friendly = self.properties.get("FriendlyExpression").is_some_and(|p| p.origin > Origin::Package);
        let machine = self.properties.str("Expression");
        if friendly || machine.trim().is_empty() { self.properties.str("FriendlyExpression") } else { machine }
    }

    /// Compiles the expression; reports what is wrong with it.
    pub(crate) fn compile(&self, spec: &ComponentSpec, cx: &mut BindCx<'_>) -> Option<Formula> {
        let text = self.text();
        if text.trim().is_empty() {
            let code = codes::DTS_E_PROPERTYISEMPTY;
            self.report(spec, cx, code, code.message(&[&"Expression"]));
            return None;
        }
        let program = match expr::compile(text, &InputColumns { spec, cx: &*cx }) {
            Ok(program) => program,
            Err(error) => {
                let invalid = codes::DTS_E_EXPRESSIONVALIDATIONFAILED.message(&[&text, &self.object]);
                self.report(spec, cx, error.code, format!("{invalid} {error}"));
                return None;
            }
        };
        for warning in program.warnings() {
            let mut warning = warning.clone().with_span(self.span.or(spec.span));
            warning.object.clone_from(&spec.path);
            warning.column = self.column.map(str::to_owned);
            cx.diagnostics.push(warning);
        }
        let layout = &cx.inputs[0].columns;
        let operands = program.slots().iter().map(|slot| (*slot, layout[*slot].name.clone())).collect();
        Some(Formula { program, operands, cx: EvalContext::new(spec.locale) })
    }
}

/// A compiled expression over the batches of an input.
pub(crate) struct Formula {
    program: Program,
    /// The places and names of the columns that it reads.
    operands: Vec<(usize, String)>,
    cx: EvalContext,
}

impl Formula {
    /// The type of its results.
    pub(crate) fn data_type(&self) -> DataType {
        self.program.data_type()
    }

    /// Its results for every row of the batch, selected or not.
    pub(crate) fn eval(&self, batch: &Batch) -> Result<(ArrayRef, Faults)> {
        self.program.eval(&batch.columns, batch.rows, &self.cx)
    }

    /// What it read from a row, for messages: `price=0.20, quantity=NULL`.
    pub(crate) fn operands(&self, batch: &Batch, row: u32) -> Option<String> {
        let operand = |(slot, name): &(usize, String)| {
            let value = shown(&batch.columns[*slot], row);
            format!("{name}={}", value.as_deref().unwrap_or("NULL"))
        };
        let operands: Vec<String> = self.operands.iter().map(operand).collect();
        (!operands.is_empty()).then(|| operands.join(", "))
    }
}

/// What an expression may name: the columns that the component's first input takes, and the task's variables.
struct InputColumns<'a, 'b> {
    spec: &'a ComponentSpec,
    cx: &'a BindCx<'b>,
}

impl InputColumns<'_, '_> {
    /// Places and columns that match.
    fn matching(&self, matches: impl Fn(&ColumnRef) -> bool) -> Vec<(usize, &ColumnRef)> {
        let taken = |column: &ColumnRef| self.spec.inputs[0].columns.iter().any(|c| c.lineage == column.lineage);
        let columns = self.cx.inputs[0].columns.iter().enumerate();
        columns.filter(|(_, column)| matches(column) && taken(column)).collect()
    }

    fn find(&self, reference: &Reference<'_>) -> Vec<(usize, &ColumnRef)> {
        match reference {
            Reference::Lineage(spelling) => match self.cx.lineage(spelling) {
                Some(lineage) => self.matching(|c| c.lineage == lineage),
                None => Vec::new(),
            },
            Reference::Name { component, column } => self.matching(|c| {
                same_name(&c.name, column) && component.is_none_or(|component| same_name(&c.component, component))
            }),
        }
    }
}

/// Names of columns and components match without regard to letter case (unconfirmed).
fn same_name(a: &str, b: &str) -> bool {
    a == b || a.to_lowercase() == b.to_lowercase()
}

impl Environment for InputColumns<'_, '_> {
    fn column(&self, reference: &Reference<'_>) -> Option<(usize, DataType)> {
        match self.find(reference)[..] {
            [(slot, column)] => Some((slot, column.data_type)),
            _ => None,
        }
    }

    fn variable(&self, name: &str) -> Result<(DataType, Value)> {
        self.cx.variables.read(name)
    }

    fn lcid(&self) -> u32 {
        self.spec.locale
    }

    fn is_ambiguous(&self, reference: &Reference<'_>) -> bool {
        self.find(reference).len() > 1
    }
}
