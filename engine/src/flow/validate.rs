//! What validation finds in the shape of a flow: ends of paths, names, the columns of ports and how they hang together.
//!
//! What a component makes of its columns is its kind's to validate (`bind`); here is what all kinds have in common.

use super::contract::ComponentKind;
use super::spec::{
    ComponentSpec, Disposition, Dispositions, FlowSpec, InputSpec, Layout, LineageId, OutputSpec, SpecialColumn, Usage,
};
use crate::diag::{Code, Diagnostic, codes};
use crate::types::DataType;
use std::collections::{HashMap, HashSet};

/// Components of the same name.
pub(super) fn names(flow: &FlowSpec, diagnostics: &mut Vec<Diagnostic>) {
    let mut first: HashMap<&str, &ComponentSpec> = HashMap::new();
    for spec in &flow.components {
        if let Some(other) = first.insert(&spec.name, spec) {
            let code = codes::DTS_E_DUPLICATENAMESINCOLLECTION;
            let message = code.message(&[&other.name, &spec.name]);
            diagnostics.push(Diagnostic::error(code, &spec.path, message).with_span(spec.span));
        }
    }
}

/// What is wrong with the ports of a component. `fed` and `taken` say which inputs and outputs have a path.
pub(super) fn shape(
    flow: &FlowSpec,
    spec: &ComponentSpec,
    fed: &[bool],
    taken: &[bool],
    diagnostics: &mut Vec<Diagnostic>,
) {
    let mut found = Found { spec, diagnostics };
    found.inputs(flow, fed);
    found.outputs(taken);
    found.groups();
    found.dispositions();
}

/// What a kind does not allow of its input columns.
pub(super) fn usage(spec: &ComponentSpec, kind: &dyn ComponentKind, diagnostics: &mut Vec<Diagnostic>) {
    if kind.replaces() {
        return;
    }
    for column in spec.inputs.iter().flat_map(|i| &i.columns).filter(|c| c.usage == Usage::ReadWrite) {
        let code = codes::DTS_E_INPUTCOLUMNUSAGETYPENOTREADONLY;
        let error = Diagnostic::error(code, &spec.path, code.message(&[&column.name]));
        diagnostics.push(error.with_column(&column.name).with_span(column.span.or(spec.span)));
    }
}

/// Every input column takes a column that its path brings, and no two take the same; what the package remembers of it is
/// what the path brings now, or there is a warning: the path counts.
pub(super) fn input_columns(spec: &ComponentSpec, inputs: &[Layout], fed: &[bool], diagnostics: &mut Vec<Diagnostic>) {
    let mut found = Found { spec, diagnostics };
    for (input, layout) in spec.inputs.iter().zip(inputs).zip(fed).filter(|(_, fed)| **fed).map(|(pair, _)| pair) {
        let mut seen: HashMap<LineageId, &str> = HashMap::new();
        // A lineage that no column of the flow has was reported when the package was compiled.
        for column in input.columns.iter().filter(|c| c.lineage != LineageId::default()) {
            let object = format!("{}.Inputs[{}].Columns[{}]", spec.name, input.name, column.name);
            if let Some(first) = seen.insert(column.lineage, &column.name) {
                let code = codes::DTS_E_DUPLICATELINEAGEIDSINCOLLECTION;
                let message = code.message(&[&column.lineage.0, &first, &column.name]);
                found.column(code, message, &column.name, column.span);
            }
            let Some(slot) = layout.slot(column.lineage) else {
                let code = codes::DTS_E_INVALIDINPUTLINEAGEID;
                let message = code.message(&[&object, &column.lineage.0]);
                found.column(code, message, &column.name, column.span);
                continue;
            };
            let now = layout.column(slot).data_type;
            if let Some(cached) = column.cached.filter(|cached| *cached != now) {
                let message = format!(
                    "{object} was {cached} when the package was saved. Its path brings {now}, and that is what counts."
                );
                let warning = Diagnostic::warning(codes::DTS_W_GENERICWARNING, &spec.path, message);
                found.diagnostics.push(warning.with_column(&column.name).with_span(column.span.or(spec.span)));
            }
        }
    }
}

struct Found<'a> {
    spec: &'a ComponentSpec,
    diagnostics: &'a mut Vec<Diagnostic>,
}

impl Found<'_> {
    fn error(&mut self, code: Code, message: String) {
        self.diagnostics.push(Diagnostic::error(code, &self.spec.path, message).with_span(self.spec.span));
    }

    fn column(&mut self, code: Code, message: String, column: &str, span: Option<crate::diag::Span>) {
        let error = Diagnostic::error(code, &self.spec.path, message);
        self.diagnostics.push(error.with_column(column).with_span(span.or(self.spec.span)));
    }

    fn inputs(&mut self, flow: &FlowSpec, fed: &[bool]) {
        let spec = self.spec;
        // An optimised flow leaves out a component of which no input is connected.
        let needed = !flow.optimized || fed.contains(&true);
        for (input, fed) in spec.inputs.iter().zip(fed) {
            match (input.dangling, fed) {
                (false, false) if needed => {
                    let code = codes::DTS_E_INPUTWITHOUTPATHS;
                    self.error(code, format!("{} ({})", code.message(&[]), port(spec, "Inputs", &input.name)));
                }
                (true, true) => self.dangling(&port(spec, "Inputs", &input.name)),
                _ => {}
            }
        }
    }

    fn dangling(&mut self, object: &str) {
        let code = codes::DTS_E_DANGLINGWITHPATH;
        self.error(code, code.message(&[&object]));
    }

    fn outputs(&mut self, taken: &[bool]) {
        let spec = self.spec;
        for (output, taken) in spec.outputs.iter().zip(taken) {
            let object = port(spec, "Outputs", &output.name);
            let synchronous = output.synchronous_input.is_some();
            if output.dangling && *taken {
                self.dangling(&object);
            }
            if output.exclusion_group != 0 && !synchronous {
                let code = codes::DTS_E_EXCLGRPNOSYNCINP;
                self.error(code, code.message(&[&object]));
            }
            if output.is_error && synchronous && output.exclusion_group == 0 {
                let code = codes::DTS_E_ERROROUTCANTBEONSYNCNONEXCLUSIVEOUTPUT;
                self.error(code, code.message(&[&object]));
            }
            // One that nobody reads has not been defined yet, and costs nothing.
            if !synchronous && output.columns.is_empty() && *taken {
                let code = codes::DTS_E_NOOUTPUTCOLUMNS;
                self.error(code, code.message(&[&object]));
            }
            if !synchronous {
                self.sort_keys(output, &object);
            }
            self.output_columns(output, &object);
        }
    }

    /// The keys of an output are numbered from 1, and it says that it is sorted.
    fn sort_keys(&mut self, output: &OutputSpec, object: &str) {
        let mut keys: Vec<u32> = output.columns.iter().map(|c| c.sort_key.unsigned_abs()).filter(|k| *k != 0).collect();
        keys.sort_unstable();
        if !output.is_sorted {
            if !keys.is_empty() {
                let code = codes::DTS_E_NONSORTEDOUTPUTHASSORTKEYPOSITIONS;
                self.error(code, code.message(&[&object, &keys.len()]));
            }
        } else if keys.is_empty() {
            let code = codes::DTS_W_SORTEDOUTPUTHASNOSORTKEYPOSITIONS;
            let warning = Diagnostic::warning(code, &self.spec.path, code.message(&[&object]));
            self.diagnostics.push(warning.with_span(self.spec.span));
        } else if !keys.iter().copied().eq(1..=keys.len() as u32) {
            let code = codes::DTS_E_SORTEDOUTPUTHASINVALIDSORTKEYPOSITIONS;
            self.error(code, code.message(&[&object]));
        }
    }

    fn output_columns(&mut self, output: &OutputSpec, object: &str) {
        let mut names = HashSet::new();
        let mut mapped = HashSet::new();
        for column in &output.columns {
            let own = format!("{object}.Columns[{}]", column.name);
            let mut error = |code: Code, message: String| self.column(code, message, &column.name, column.span);
            if column.name.is_empty() {
                let code = codes::DTS_E_BLANKOUTPUTCOLUMNNAME;
                error(code, code.message(&[&own]));
            } else if !names.insert(column.name.as_str()) {
                let code = codes::DTS_E_DUPLICATEOUTPUTCOLUMNNAMES;
                error(code, code.message(&[&own]));
            }
            if column.special != SpecialColumn::None && column.data_type != DataType::I4 {
                let code = codes::DTS_E_INVALIDDATATYPEFORERRORCOLUMNS;
                error(code, code.message(&[&own]));
            }
            if let Some(external) = column.external.filter(|place| !mapped.insert(*place)) {
                let code = codes::DTS_E_COLUMNMAPPEDTOALREADYMAPPEDEXTERNALMETADATACOLUMN;
                let id = output.external.get(external).map_or("", |e| e.id.as_str());
                error(code, code.message(&[&own, &id]));
            }
        }
    }

    /// Outputs of one exclusion group share the rows of one input.
    fn groups(&mut self) {
        let spec = self.spec;
        let grouped = |o: &&OutputSpec| o.exclusion_group != 0 && o.synchronous_input.is_some();
        for (place, output) in spec.outputs.iter().enumerate().filter(|(_, o)| grouped(o)) {
            let earlier = spec.outputs[..place].iter().filter(grouped);
            let mut other = earlier.filter(|o| {
                o.exclusion_group == output.exclusion_group && o.synchronous_input != output.synchronous_input
            });
            if let Some(other) = other.next() {
                let code = codes::DTS_E_INVALIDEXCLUSIONGROUP;
                let (a, b) = (port(spec, "Outputs", &other.name), port(spec, "Outputs", &output.name));
                self.error(code, code.message(&[&a, &b]));
            }
        }
    }

    /// Rows can be redirected only where there is an error output.
    fn dispositions(&mut self) {
        let spec = self.spec;
        if spec.outputs.iter().any(|o| o.is_error) {
            return;
        }
        self.ignores();
        let redirects = |d: &Dispositions| d.error == Disposition::Redirect || d.truncation == Disposition::Redirect;
        let code = codes::DTS_E_INVALIDERRORDISPOSITION;
        let input = |input: &InputSpec| port(spec, "Inputs", &input.name);
        for port in spec.inputs.iter().filter(|i| redirects(&i.dispositions)).map(input) {
            self.error(code, code.message(&[&port]));
        }
        let output = |output: &OutputSpec| port(spec, "Outputs", &output.name);
        for port in spec.outputs.iter().filter(|o| redirects(&o.dispositions)).map(output) {
            self.error(code, code.message(&[&port]));
        }
        for input in &spec.inputs {
            for column in input.columns.iter().filter(|c| redirects(&c.dispositions)) {
                let object = format!("{}.Columns[{}]", port(spec, "Inputs", &input.name), column.name);
                self.column(code, code.message(&[&object]), &column.name, column.span);
            }
        }
        for output in &spec.outputs {
            for column in output.columns.iter().filter(|c| redirects(&c.dispositions)) {
                let object = format!("{}.Columns[{}]", port(spec, "Outputs", &output.name), column.name);
                self.column(code, code.message(&[&object]), &column.name, column.span);
            }
        }
    }

    /// A component without an error output uses no dispositions in the original: one that ignores failures is told of.
    fn ignores(&mut self) {
        let spec = self.spec;
        let mut sites: Vec<(String, Dispositions)> = Vec::new();
        for input in &spec.inputs {
            let object = port(spec, "Inputs", &input.name);
            let columns = input.columns.iter().map(|c| (format!("{object}.Columns[{}]", c.name), c.dispositions));
            sites.extend(columns);
            sites.push((object, input.dispositions));
        }
        for output in &spec.outputs {
            let object = port(spec, "Outputs", &output.name);
            let columns = output.columns.iter().map(|c| (format!("{object}.Columns[{}]", c.name), c.dispositions));
            sites.extend(columns);
            sites.push((object, output.dispositions));
        }
        for (object, dispositions) in sites {
            for (disposition, code) in [
                (dispositions.error, codes::DTS_E_ERRORROWDISPMUSTBENOTUSED),
                (dispositions.truncation, codes::DTS_E_TRUNCROWDISPMUSTBENOTUSED),
            ] {
                if disposition == Disposition::Ignore {
                    let warning = Diagnostic::warning(code, &spec.path, code.message(&[&object]));
                    self.diagnostics.push(warning.with_span(spec.span));
                }
            }
        }
    }
}

fn port(spec: &ComponentSpec, collection: &str, name: &str) -> String {
    format!("{}.{collection}[{name}]", spec.name)
}

#[cfg(test)]
mod tests {
    use super::super::spec::{ColumnRef, InputColumnSpec, OutputColumnSpec};
    use super::*;

    fn column(name: &str, lineage: u32, sort_key: i32) -> OutputColumnSpec {
        OutputColumnSpec { sort_key, ..OutputColumnSpec::new(lineage, name, DataType::I4) }
    }

    fn component() -> ComponentSpec {
        let output = |name: &str, is_error, columns| OutputSpec {
            name: name.into(),
            synchronous_input: Some(0),
            exclusion_group: 1,
            is_error,
            columns,
            ..OutputSpec::default()
        };
        ComponentSpec {
            name: "C".into(),
            inputs: vec![InputSpec { name: "In".into(), ..InputSpec::default() }],
            outputs: vec![output("Out", false, vec![column("a", 1, 0)]), output("Errors", true, Vec::new())],
            ..ComponentSpec::default()
        }
    }

    /// The names of the codes that a changed component brings, without their prefix.
    fn found(change: impl Fn(&mut ComponentSpec)) -> Vec<&'static str> {
        let mut spec = component();
        change(&mut spec);
        let mut diagnostics = Vec::new();
        let taken = vec![true; spec.outputs.len()];
        let fed: Vec<bool> = spec.inputs.iter().map(|i| i.name != "Free").collect();
        shape(&FlowSpec::default(), &spec, &fed, &taken, &mut diagnostics);
        diagnostics.iter().filter_map(|d| d.code).map(|c| c.name().split_at(6).1).collect()
    }

    #[test]
    fn shapes_that_are_wrong_have_a_code() {
        assert_eq!(found(|_| ()), Vec::<&str>::new());
        let input = |dangling| InputSpec { name: "Free".into(), dangling, ..InputSpec::default() };
        let no_input = |spec: &mut ComponentSpec, columns| {
            spec.outputs[0] = OutputSpec { name: "Out".into(), columns, ..OutputSpec::default() };
        };
        type Change<'a> = &'a dyn Fn(&mut ComponentSpec);
        let cases: &[(Change<'_>, &str)] = &[
            (&|s| s.inputs.push(input(false)), "INPUTWITHOUTPATHS"),
            (&|s| s.inputs[0].dangling = true, "DANGLINGWITHPATH"),
            (&|s| s.outputs[0].dangling = true, "DANGLINGWITHPATH"),
            (&|s| s.outputs[0].synchronous_input = None, "EXCLGRPNOSYNCINP"),
            (&|s| s.outputs[1].exclusion_group = 0, "ERROROUTCANTBEONSYNCNONEXCLUSIVEOUTPUT"),
            (&|s| s.outputs[1].synchronous_input = Some(1), "INVALIDEXCLUSIONGROUP"),
            (&|s| no_input(s, Vec::new()), "NOOUTPUTCOLUMNS"),
            (&|s| no_input(s, vec![column("a", 1, 1)]), "NONSORTEDOUTPUTHASSORTKEYPOSITIONS"),
            (
                &|s| {
                    no_input(s, vec![column("a", 1, -1), column("b", 2, 3)]);
                    s.outputs[0].is_sorted = true;
                },
                "SORTEDOUTPUTHASINVALIDSORTKEYPOSITIONS",
            ),
            (
                &|s| {
                    no_input(s, vec![column("a", 1, 0)]);
                    s.outputs[0].is_sorted = true;
                },
                "SORTEDOUTPUTHASNOSORTKEYPOSITIONS",
            ),
            (&|s| s.outputs[0].columns[0].name.clear(), "BLANKOUTPUTCOLUMNNAME"),
            (&|s| s.outputs[0].columns.push(column("a", 2, 0)), "DUPLICATEOUTPUTCOLUMNNAMES"),
            (
                &|s| {
                    s.outputs[0].columns[0].special = SpecialColumn::ErrorCode;
                    s.outputs[0].columns[0].data_type = DataType::I8;
                },
                "INVALIDDATATYPEFORERRORCOLUMNS",
            ),
            (
                &|s| {
                    s.outputs[0].columns.push(column("b", 2, 0));
                    s.outputs[0].columns.iter_mut().for_each(|c| c.external = Some(0));
                },
                "COLUMNMAPPEDTOALREADYMAPPEDEXTERNALMETADATACOLUMN",
            ),
            (
                &|s| {
                    s.outputs.pop();
                    s.outputs[0].columns[0].dispositions.truncation = Disposition::Redirect;
                },
                "INVALIDERRORDISPOSITION",
            ),
            (
                &|s| {
                    s.outputs.pop();
                    s.outputs[0].columns[0].dispositions.truncation = Disposition::Ignore;
                },
                "TRUNCROWDISPMUSTBENOTUSED",
            ),
            (
                &|s| {
                    s.outputs.pop();
                    s.inputs[0].dispositions.error = Disposition::Ignore;
                },
                "ERRORROWDISPMUSTBENOTUSED",
            ),
            (
                &|s| {
                    s.outputs.pop();
                    s.outputs[0].dispositions.error = Disposition::Ignore;
                },
                "ERRORROWDISPMUSTBENOTUSED",
            ),
        ];
        for (change, code) in cases {
            assert_eq!(found(change), [*code]);
        }
        assert_eq!(found(|s| s.inputs.push(input(true))), Vec::<&str>::new());
    }

    #[test]
    fn columns_of_inputs_come_once_from_their_path() {
        let given = |lineage: u32, cached| InputColumnSpec {
            lineage: LineageId(lineage),
            name: format!("c{lineage}"),
            cached,
            ..InputColumnSpec::default()
        };
        let mut spec = component();
        let long = Some(DataType::I8);
        spec.inputs[0].columns = vec![given(1, None), given(1, None), given(2, None), given(3, long), given(0, None)];
        let place = |lineage| ColumnRef {
            lineage: LineageId(lineage),
            name: String::new(),
            component: "S".into(),
            data_type: DataType::I4,
            sort_key: 0,
            comparison_flags: 0,
            used: true,
        };
        let layout = Layout { columns: vec![place(1), place(3)] };
        let mut diagnostics = Vec::new();
        input_columns(&spec, &[layout], &[true], &mut diagnostics);
        let codes: Vec<_> = diagnostics.iter().filter_map(|d| d.code).collect();
        let expected = [
            codes::DTS_E_DUPLICATELINEAGEIDSINCOLLECTION,
            codes::DTS_E_INVALIDINPUTLINEAGEID,
            codes::DTS_W_GENERICWARNING,
        ];
        assert_eq!(codes, expected);
        assert!(diagnostics[2].message.contains("was DT_I8"), "{}", diagnostics[2].message);
    }
}
