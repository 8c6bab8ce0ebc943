//! Two inputs that are sorted, read side by side: what Merge and Merge Join have in common.
//!
//! Lanes make the keys of a batch and check that its rows are in order; batches then wait in a short queue a side.
//! The output reads both queues and parks on the one that is empty. A full queue parks its input, with one exception: rows
//! of both inputs may come from the same upstream (a Multicast, or a Multicast and a Sort), which hands them out in step,
//! or from two that another such component joins as well. If such an input were parked while the output waits for the
//! other one, none of them would ever go on; so the queue grows until the other side has rows, on disk once the memory
//! budget has no room for it.

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
            shared: hold_each_other_up(spec, cx.flow),
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

/// Kinds that wait for rows of one input while another one is full.
const WAITING: [&str; 2] = ["Microsoft.Merge", "Microsoft.MergeJoin"];

/// Whether an input may be held up by the other one being full: rows of some component reach both, or what feeds them meets
/// elsewhere, at a component that waits for one of its inputs as this one does.
fn hold_each_other_up(spec: &ComponentSpec, flow: &FlowSpec) -> bool {
    let Some(this) = flow.components.iter().position(|c| c.path == spec.path) else { return false };
    // From an input that has no rows to what may be the reason. Who has no rows waits for all that feed it; who feeds
    // somebody waits for all that it feeds, one of which may be full; who is full waits for what it feeds in turn, or for
    // rows of another input.
    #[derive(Clone, Copy, PartialEq, Eq, Hash)]
    enum Waits {
        ForRows,
        ForRoom,
    }
    let mut seen: HashSet<(usize, Waits)> = HashSet::new();
    let feeds = |component: usize| flow.paths.iter().filter(move |p| p.to.0 == component).map(|p| p.from.0);
    let mut open: Vec<(usize, Waits)> =
        flow.paths.iter().filter(|p| p.to == (this, 1)).map(|p| (p.from.0, Waits::ForRows)).collect();
    while let Some((component, waits)) = open.pop() {
        if component == this || !seen.insert((component, waits)) {
            continue;
        }
        if waits == Waits::ForRows || WAITING.contains(&flow.components[component].kind.as_str()) {
            open.extend(feeds(component).map(|feeding| (feeding, Waits::ForRows)));
        }
        for path in flow.paths.iter().filter(|p| p.from.0 == component) {
            if path.to == (this, 0) {
                return true;
            }
            open.push((path.to.0, Waits::ForRoom));
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use dtsx_engine::flow::PathSpec;

    /// Components and paths, `from to.input`; whether the inputs of J hold each other up.
    fn judged(components: &[(&str, &str)], paths: &str) -> bool {
        let component = |(name, kind): &(&str, &str)| ComponentSpec {
            path: (*name).to_owned(),
            kind: (*kind).to_owned(),
            ..ComponentSpec::default()
        };
        let place = |name: &str| components.iter().position(|(n, _)| *n == name).unwrap();
        let path = |text: &str| {
            let (from, to) = text.split_once(' ').unwrap();
            let (to, input) = to.split_once('.').unwrap();
            PathSpec { name: text.to_owned(), from: (place(from), 0), to: (place(to), input.parse().unwrap()) }
        };
        let flow = FlowSpec {
            components: components.iter().map(component).collect(),
            paths: paths.split(", ").map(path).collect(),
            ..FlowSpec::default()
        };
        hold_each_other_up(&flow.components[place("J")], &flow)
    }

    #[test]
    fn inputs_hold_each_other_up_where_what_feeds_them_waits_in_a_circle() {
        let (join, union) = ("Microsoft.MergeJoin", "Microsoft.UnionAll");
        let two = [("A", "source"), ("B", "source"), ("J", join), ("K", join), ("U", union), ("S", "Microsoft.Sort")];
        for (paths, held_up) in [
            ("A J.0, B J.1", false),
            ("A J.0, A J.1", true),
            ("A J.0, A S.0, S J.1", true),
            ("A S.0, S J.0, A J.1", true),
            ("A J.0, B J.1, B K.0, A K.1", true),
            ("A J.0, B J.1, A K.0, B K.1", true),
            ("A J.0, B J.1, A K.0, B S.0, S K.1", true),
            ("A J.0, B J.1, A U.0, B U.1", false),
            ("A J.0, B J.1, J K.0, B K.1", false),
        ] {
            assert_eq!(judged(&two, paths), held_up, "{paths}");
        }
    }
}
