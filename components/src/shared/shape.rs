//! The shape of a component: how many inputs and outputs it has; and what is wrong with a column of one.

use dtsx_engine::diag::{Code, Diagnostic, Span, codes};
use dtsx_engine::flow::{BindCx, ComponentSpec, InputColumnSpec, InputSpec, OutputColumnSpec};

/// The inputs of a component that has just so many; reports DTS_E_INCORRECTEXACTNUMBEROFINPUTS if it has not.
pub(crate) fn inputs<'s, const N: usize>(spec: &'s ComponentSpec, cx: &mut BindCx<'_>) -> Option<&'s [InputSpec; N]> {
    let inputs = spec.inputs.as_slice().try_into().ok();
    if inputs.is_none() {
        let code = codes::DTS_E_INCORRECTEXACTNUMBEROFINPUTS;
        cx.error(spec, code, code.message(&[&N]));
    }
    inputs
}

/// The one output that is no error output; reports DTS_E_INCORRECTEXACTNUMBEROFOUTPUTS if there is another number of them.
pub(crate) fn one_output(spec: &ComponentSpec, cx: &mut BindCx<'_>) -> Option<usize> {
    let mut regular = spec.outputs.iter().enumerate().filter(|(_, o)| !o.is_error).map(|(i, _)| i);
    if let (Some(output), None) = (regular.next(), regular.next()) {
        return Some(output);
    }
    let code = codes::DTS_E_INCORRECTEXACTNUMBEROFOUTPUTS;
    cx.error(spec, code, code.message(&[&1]));
    None
}

/// A column of an input or of an output.
pub(crate) trait ColumnSpec {
    /// Its name, and where it stands in the file.
    fn place(&self) -> (&str, Option<Span>);
}

impl ColumnSpec for InputColumnSpec {
    fn place(&self) -> (&str, Option<Span>) {
        (&self.name, self.span)
    }
}

impl ColumnSpec for OutputColumnSpec {
    fn place(&self) -> (&str, Option<Span>) {
        (&self.name, self.span)
    }
}

/// Reports an error of a column.
pub(crate) fn report_column(
    spec: &ComponentSpec,
    cx: &mut BindCx<'_>,
    column: &impl ColumnSpec,
    code: Code,
    message: impl Into<String>,
) {
    let (name, span) = column.place();
    let diagnostic = Diagnostic::error(code, &spec.path, message);
    cx.diagnostics.push(diagnostic.with_column(name).with_span(span.or(spec.span)));
}
