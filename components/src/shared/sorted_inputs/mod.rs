//! Two inputs that are sorted, read side by side: what Merge and Merge Join have in common.
//!
//! Lanes make the keys of a batch and check that its rows are in order; batches then wait in a short queue a side.
//! The output reads both queues and parks on the one that is empty. A full queue parks its input, with one exception: rows
//! of both inputs may come from the same upstream (a Multicast, or a Multicast and a Sort), which hands them out in step.
//! If such an input were parked while the output waits for the other one, none of the three would ever go on; so the
//! queue grows until the other side has rows, on disk once the memory budget has no room for it.

mod overflow;
mod sides;

pub(crate) use overflow::{Overflow, Pass};
pub(crate) use sides::{At, Head, Rows, Sides};

use self::sides::SortedInlet;
use super::sort_keys::KeyColumn;
use dtsx_engine::diag::{Diagnostic, codes};
use dtsx_engine::flow::{BindCx, ColumnRef, ComponentSpec, FlowSpec, OpenCx, Sink};
use dtsx_engine::types::collation::Collation;
use std::collections::HashSet;
use std::sync::Arc;

/// The sort key columns of an input, by position.
pub(crate) struct SortedInput {
    /// Keys, in order.
    pub(crate) keys: Vec<KeyColumn>,
    /// The same columns as the path brings them.
    pub(crate) columns: Vec<ColumnRef>,
}

/// The sort key of an input, as its path promises it; reports DTS_E_INPUTMUSTBESORTED if there is none, and what is wrong
/// with it otherwise. `limit` columns at most are looked at.
pub(crate) fn sorted_input(spec: &ComponentSpec, cx: &mut BindCx<'_>, input: usize, limit: usize) -> SortedInput {
    let layout = cx.inputs[input].clone();
    let name = &spec.inputs[input].name;
    let mut columns: Vec<(usize, ColumnRef)> =
        layout.columns.iter().cloned().enumerate().filter(|(_, c)| c.sort_key != 0).collect();
    columns.sort_by_key(|(_, column)| column.sort_key.unsigned_abs());
    columns.truncate(limit);
    if columns.is_empty() && !layout.columns.is_empty() {
        let code = codes::DTS_E_INPUTMUSTBESORTED;
        cx.error(spec, code, code.message(&[&format!("{}.Inputs[{name}]", spec.name)]));
    }
    let mut keys = Vec::with_capacity(columns.len());
    for (position, (slot, column)) in columns.iter().enumerate() {
        if column.sort_key.unsigned_abs() as usize != position + 1 {
            let code = codes::DTS_E_TXMERGEJOININVALIDSORTKEYPOS;
            cx.error(spec, code, code.message(&[&column.sort_key, &(position + 1)]));
        }
        let data_type = column.data_type;
        if !data_type.is_string() && column.comparison_flags != 0 {
            let code = codes::DTS_E_TXMERGEJOINNONSTRINGCOMPARISONFLAGSNOTZERO;
            cx.diagnostics.push(
                Diagnostic::error(code, &spec.path, code.message(&[])).with_column(&column.name).with_span(spec.span),
            );
        }
        let collation = if data_type.is_string() {
            match Collation::new(spec.locale, column.comparison_flags) {
                Ok(collation) => Some(collation),
                Err(error) => {
                    let code = error.code().unwrap_or(codes::DTS_E_INVALIDCOMPARISONFLAGS);
                    cx.diagnostics.push(
                        Diagnostic::error(code, &spec.path, error.message())
                            .with_column(&column.name)
                            .with_span(spec.span),
                    );
                    None
                }
            }
        } else {
            None
        };
        keys.push(KeyColumn { slot: *slot, data_type, descending: column.sort_key < 0, collation });
    }
    SortedInput { keys, columns: columns.into_iter().map(|(_, column)| column).collect() }
}

/// Two inputs that are read side by side.
pub(crate) struct Pair {
    /// Which input is the first side, and which the second.
    order: [usize; 2],
    keys: [Vec<KeyColumn>; 2],
    names: [String; 2],
    shared: bool,
}

impl Pair {
    /// The sides in their order; reports where their keys do not go together.
    pub(crate) fn bind(spec: &ComponentSpec, cx: &mut BindCx<'_>, order: [usize; 2], inputs: [SortedInput; 2]) -> Pair {
        check_pair(spec, cx, &inputs[0], &inputs[1]);
        Pair {
            order,
            keys: inputs.map(|input| input.keys),
            names: order.map(|input| format!("{}.Inputs[{}]", spec.name, spec.inputs[input].name)),
            shared: share_an_ancestor(spec, cx.flow),
        }
    }

    /// The queues of one execution, and the inputs that fill them.
    pub(crate) fn open(&self, cx: &OpenCx) -> (Arc<Sides>, Vec<Arc<dyn Sink>>) {
        let sides = Arc::new(Sides::new(self.shared, &cx.services));
        let inlet = |input: usize| -> Arc<dyn Sink> {
            let side = usize::from(self.order[1] == input);
            let (keys, name) = (self.keys[side].clone(), self.names[side].clone());
            Arc::new(SortedInlet { sides: sides.clone(), side, keys, name })
        };
        let inlets = vec![inlet(0), inlet(1)];
        (sides, inlets)
    }
}

/// Reports where the keys of two inputs do not go together: types, directions, comparison flags.
fn check_pair(spec: &ComponentSpec, cx: &mut BindCx<'_>, left: &SortedInput, right: &SortedInput) {
    for (position, (a, b)) in left.columns.iter().zip(&right.columns).enumerate() {
        let code = if !comparable(a, b) {
            codes::DTS_E_TXMERGEJOINDATATYPEMISMATCH
        } else if (a.sort_key < 0) != (b.sort_key < 0) {
            codes::DTS_E_TXMERGEJOINSORTDIRECTIONMISMATCH
        } else if a.comparison_flags != b.comparison_flags {
            codes::DTS_E_TXMERGEJOINCOMPARISONFLAGSMISMATCH
        } else {
            continue;
        };
        let text = format!(
            "{} (\"{}\" {} and \"{}\" {})",
            code.message(&[&(position + 1)]),
            a.name,
            a.data_type,
            b.name,
            b.data_type
        );
        cx.diagnostics.push(Diagnostic::error(code, &spec.path, text).with_column(&a.name).with_span(spec.span));
    }
}

/// Whether keys of both columns can be compared: of one type, whatever the lengths. Text of a code page goes with Unicode
/// text: packages in production join the two, and it is the same text (unconfirmed: the documentation asks for matching
/// metadata and names numbers beside text as what does not match).
fn comparable(a: &ColumnRef, b: &ColumnRef) -> bool {
    use dtsx_engine::types::DataType;
    match (&a.data_type, &b.data_type) {
        (DataType::Str { .. } | DataType::WStr { .. }, DataType::Str { .. } | DataType::WStr { .. })
        | (DataType::Bytes { .. }, DataType::Bytes { .. }) => true,
        (DataType::Numeric { scale: x, .. }, DataType::Numeric { scale: y, .. }) => x == y,
        (a, b) => a == b,
    }
}

/// Whether rows of some component reach both inputs.
fn share_an_ancestor(spec: &ComponentSpec, flow: &FlowSpec) -> bool {
    let Some(this) = flow.components.iter().position(|c| c.path == spec.path) else { return false };
    let ancestors = |input: usize| {
        let mut found: HashSet<usize> = HashSet::new();
        let mut open: Vec<usize> = flow.paths.iter().filter(|p| p.to == (this, input)).map(|p| p.from.0).collect();
        while let Some(component) = open.pop() {
            if found.insert(component) {
                open.extend(flow.paths.iter().filter(|p| p.to.0 == component).map(|p| p.from.0));
            }
        }
        found
    };
    !ancestors(0).is_disjoint(&ancestors(1))
}
