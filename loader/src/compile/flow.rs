//! A pipeline of the model becomes a flow specification: ids become indices, references lineage ids, names types.

use super::data;
use crate::model::tree::Span as ModelSpan;
use crate::model::{
    Component, Disposition as ModelDisposition, ExternalColumn, InputColumn, OutputColumn, Pipeline, PipelineIndex,
    Usage as ModelUsage,
};
use dtsx_engine::diag::{Code, Diagnostic, codes};
use dtsx_engine::flow::{
    ComponentSpec, Disposition, Dispositions, ExternalColumnSpec, FlowSpec, InputColumnSpec, InputSpec, LineageId,
    OutputColumnSpec, OutputSpec, PathSpec, SpecialColumn, Usage,
};
use dtsx_engine::types::DataType;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// What the flow of one task is compiled with.
pub(super) struct FlowInput<'a> {
    /// The path of the task.
    pub path: &'a str,
    /// The locale of the task, resolved.
    pub locale: u32,
    /// The DTSID of the connection manager that a component's connection means.
    pub connection: &'a dyn Fn(&crate::model::Connection) -> String,
}

/// Compiles a pipeline.
pub(super) fn compile(pipeline: &Pipeline, input: &FlowInput<'_>, diagnostics: &mut Vec<Diagnostic>) -> FlowSpec {
    let index = pipeline.index();
    let lineage_names = Arc::new(lineages(pipeline));
    let mut cx = Cx { input, index: &index, pipeline, lineages: &lineage_names, diagnostics, component: String::new() };
    cx.duplicates();
    cx.sizes();
    let components = pipeline.components.iter().map(|component| cx.component(component)).collect();
    let paths = cx.paths();
    FlowSpec {
        path: input.path.to_owned(),
        components,
        paths,
        optimized: pipeline.run_in_optimized_mode(),
        buffer_rows: u32::try_from(pipeline.default_buffer_max_rows()).unwrap_or(10_000),
        lineage_names,
    }
}

/// A number for every lineage id of a pipeline: the package's own where it has numbers (formats 2 and 3), so that
/// ErrorColumn shows what the original shows; else counted from 1. Output columns are found by their own ids, too, as
/// some properties refer to them so.
fn lineages(pipeline: &Pipeline) -> HashMap<String, LineageId> {
    let columns = || pipeline.components.iter().flat_map(|c| &c.outputs).flat_map(|o| &o.columns);
    let numbers: Vec<Option<u32>> = columns().map(|c| c.lineage_id().parse().ok().filter(|n| *n != 0)).collect();
    let own: HashSet<u32> = numbers.iter().flatten().copied().collect();
    let unique = own.len() == numbers.len();
    let mut names = HashMap::new();
    for (i, (column, number)) in columns().zip(numbers).enumerate() {
        let id = LineageId(number.filter(|_| unique).unwrap_or(i as u32 + 1));
        names.entry(column.lineage_id().to_owned()).or_insert(id);
    }
    for column in columns() {
        if let Some(id) = names.get(column.lineage_id()).copied() {
            names.entry(column.id().to_owned()).or_insert(id);
        }
    }
    let inputs = pipeline.components.iter().flat_map(|c| &c.inputs).flat_map(|i| &i.columns);
    for column in inputs {
        if let Some(id) = names.get(column.lineage_id()).copied() {
            names.entry(column.id().to_owned()).or_insert(id);
        }
    }
    names
}

struct Cx<'a, 'd> {
    input: &'a FlowInput<'a>,
    index: &'a PipelineIndex<'a>,
    pipeline: &'a Pipeline,
    lineages: &'a HashMap<String, LineageId>,
    diagnostics: &'d mut Vec<Diagnostic>,
    component: String,
}

impl Cx<'_, '_> {
    fn error(&mut self, code: Code, message: String, span: ModelSpan) {
        let object = if self.component.is_empty() { self.input.path } else { self.component.as_str() };
        self.diagnostics.push(Diagnostic::error(code, object, message).with_span(data::span(span)));
    }

    /// Two output columns of one lineage, two objects of one id.
    fn duplicates(&mut self) {
        let pipeline = self.pipeline;
        let mut lineages: HashMap<&str, &OutputColumn> = HashMap::new();
        for column in pipeline.components.iter().flat_map(|c| &c.outputs).flat_map(|o| &o.columns) {
            let Some(first) = lineages.insert(column.lineage_id(), column).filter(|c| !c.lineage_id().is_empty())
            else {
                continue;
            };
            let code = codes::DTS_E_DUPLICATELINEAGEIDSINCOLLECTION;
            let message = code.message(&[&column.lineage_id(), &first.name(), &column.name()]);
            self.error(code, message, column.base.span);
        }
        let mut ids: HashSet<&str> = HashSet::new();
        for component in &pipeline.components {
            let own = std::iter::once((component.id(), component.base.span));
            let inputs = component.inputs.iter().map(|i| (i.id(), i.base.span));
            let outputs = component.outputs.iter().map(|o| (o.id(), o.base.span));
            for (id, span) in own.chain(inputs).chain(outputs) {
                if !id.is_empty() && !ids.insert(id) {
                    let code = codes::DTS_E_DUPLICATEIDFOUND;
                    self.error(code, code.message(&[&id]), span);
                }
            }
        }
    }

    /// Sizes that the task does not take.
    fn sizes(&mut self) {
        /// The most bytes of a buffer; the least (unconfirmed).
        const BYTES: (i64, i64) = (65_536, i32::MAX as i64);
        let pipeline = self.pipeline;
        if !(BYTES.0..=BYTES.1).contains(&pipeline.default_buffer_size()) {
            let code = codes::DTS_E_BUFFERSIZEOUTOFRANGE;
            self.error(code, code.message(&[&BYTES.0, &BYTES.1]), pipeline.base.span);
        }
        if pipeline.default_buffer_max_rows() <= 0 {
            let code = codes::DTS_E_BUFFERMAXROWSIZEOUTOFRANGE;
            self.error(code, code.message(&[&0]), pipeline.base.span);
        }
        if pipeline.engine_threads() <= 0 {
            let code = codes::DTS_E_THREADCOUNTOUTOFRANGE;
            let message = code.message(&[&"", &"", &pipeline.engine_threads()]);
            self.error(code, message, pipeline.base.span);
        }
    }

    /// The place of the external column that a column is mapped to. One that does not exist is an error, unless the
    /// package keeps none at all for the port: some connectors leave them out.
    fn external_place(&mut self, id: Option<&str>, external: &[&str], name: &str, span: ModelSpan) -> Option<usize> {
        let id = id.filter(|id| !matches!(id.trim(), "" | "0"))?;
        let place = external.iter().position(|e| *e == id);
        if place.is_none() && !external.is_empty() {
            let code = codes::DTS_E_COLUMNMAPPEDTONONEXISTENTEXTERNALMETADATACOLUMN;
            let message = code.message(&[&format!("column \"{name}\" ({id})")]);
            let error = Diagnostic::error(code, &self.component, message);
            self.diagnostics.push(error.with_column(name).with_span(data::span(span)));
        }
        place
    }

    fn component(&mut self, component: &Component) -> ComponentSpec {
        self.component = format!("{}\\{}", self.input.path, component.name());
        let locale = component.locale_id();
        ComponentSpec {
            id: component.id().to_owned(),
            name: component.name().to_owned(),
            path: self.component.clone(),
            kind: component.kind().into_owned(),
            properties: data::custom(&component.properties),
            connections: component
                .connections
                .iter()
                .map(|c| (c.name().to_owned(), (self.input.connection)(c)))
                .collect(),
            locale: if locale > 0 { locale as u32 } else { self.input.locale },
            validate_external_metadata: component.validate_external_metadata(),
            inputs: component.inputs.iter().map(|input| self.input_spec(input)).collect(),
            outputs: component.outputs.iter().map(|output| self.output_spec(component, output)).collect(),
            span: data::span(component.base.span),
        }
    }

    fn input_spec(&mut self, input: &crate::model::Input) -> InputSpec {
        let external_ids: Vec<&str> = input.external_columns().iter().map(ExternalColumn::id).collect();
        InputSpec {
            id: input.id().to_owned(),
            name: input.name().to_owned(),
            has_side_effects: input.has_side_effects(),
            dangling: input.dangling(),
            dispositions: dispositions(input.error_disposition(), input.truncation_disposition()),
            columns: input
                .columns
                .iter()
                .filter(|c| c.usage() != ModelUsage::Ignored)
                .map(|c| self.input_column(c, &external_ids))
                .collect(),
            external: input.external_columns().iter().map(|c| self.external(c)).collect(),
            properties: data::custom(&input.properties),
        }
    }

    fn input_column(&mut self, column: &InputColumn, external: &[&str]) -> InputColumnSpec {
        let lineage = self.lineages.get(column.lineage_id()).copied().unwrap_or_default();
        let produced = self.index.lineages.get(column.lineage_id());
        let produced = produced.and_then(|place| self.pipeline.output_column(*place));
        // Formats 6 and 8 cache the name. What 2 and 3 call the input column may be qualified by its source: the name of
        // the column that it takes is the one that counts.
        let cached = column.base.properties.get("cachedName").filter(|name| !name.is_empty());
        let name = cached.or_else(|| produced.map(OutputColumn::name)).unwrap_or_else(|| column.name());
        let name = if name.is_empty() { column.lineage_id() } else { name }.to_owned();
        if lineage == LineageId::default() {
            let code = codes::DTS_E_INVALIDINPUTLINEAGEID;
            let message = code.message(&[&format!("input column \"{name}\""), &column.lineage_id()]);
            let span = data::span(column.base.span);
            self.diagnostics.push(Diagnostic::error(code, &self.component, message).with_column(&name).with_span(span));
        }
        let external = self.external_place(column.external_column_id(), external, &name, column.base.span);
        InputColumnSpec {
            id: column.id().to_owned(),
            lineage,
            name,
            cached: cached_type(column),
            usage: if column.usage() == ModelUsage::ReadWrite { Usage::ReadWrite } else { Usage::ReadOnly },
            dispositions: dispositions(column.error_disposition(), column.truncation_disposition()),
            external,
            properties: data::custom(&column.properties),
            span: data::span(column.base.span),
        }
    }

    fn output_spec(&mut self, component: &Component, output: &crate::model::Output) -> OutputSpec {
        let external_ids: Vec<&str> = output.external_columns().iter().map(ExternalColumn::id).collect();
        let synchronous = output.synchronous_input();
        let synchronous_input = synchronous.and_then(|id| component.inputs.iter().position(|input| input.id() == id));
        if let (Some(id), None) = (synchronous, synchronous_input) {
            let code = codes::DTS_E_INVALIDSYNCHRONOUSINPUT;
            let object = format!("{}.Outputs[{}]", component.name(), output.name());
            self.error(code, code.message(&[&object, &id]), output.base.span);
        }
        OutputSpec {
            id: output.id().to_owned(),
            name: output.name().to_owned(),
            synchronous_input,
            exclusion_group: output.exclusion_group(),
            is_error: output.is_error_output(),
            is_sorted: output.is_sorted(),
            dangling: output.dangling(),
            dispositions: dispositions(output.error_disposition(), output.truncation_disposition()),
            columns: output.columns.iter().map(|c| self.output_column(c, &external_ids)).collect(),
            external: output.external_columns().iter().map(|c| self.external(c)).collect(),
            properties: data::custom(&output.properties),
        }
    }

    fn output_column(&mut self, column: &OutputColumn, external: &[&str]) -> OutputColumnSpec {
        let sizes = (column.length(), column.precision(), column.scale(), column.code_page());
        OutputColumnSpec {
            id: column.id().to_owned(),
            lineage: self.lineages.get(column.lineage_id()).copied().unwrap_or_default(),
            name: column.name().to_owned(),
            data_type: self.data_type(column.name(), column.data_type(), sizes, column.base.span),
            sort_key: column.sort_key_position(),
            comparison_flags: column.comparison_flags() as u32,
            special: match column.special_flags() {
                1 => SpecialColumn::ErrorCode,
                2 => SpecialColumn::ErrorColumn,
                _ => SpecialColumn::None,
            },
            dispositions: dispositions(column.error_disposition(), column.truncation_disposition()),
            external: self.external_place(column.external_column_id(), external, column.name(), column.base.span),
            properties: data::custom(&column.properties),
            span: data::span(column.base.span),
        }
    }

    fn external(&mut self, column: &ExternalColumn) -> ExternalColumnSpec {
        let sizes = (column.length(), column.precision(), column.scale(), column.code_page());
        ExternalColumnSpec {
            id: column.id().to_owned(),
            name: column.name().to_owned(),
            data_type: self.data_type(column.name(), column.data_type(), sizes, column.base.span),
            properties: data::custom(&column.properties),
        }
    }

    fn data_type(
        &mut self,
        column: &str,
        name: &str,
        (length, precision, scale, code_page): (i32, i32, i32, i32),
        span: ModelSpan,
    ) -> DataType {
        let small = |n: i32| u8::try_from(n).unwrap_or(u8::MAX);
        let large = |n: i32| u32::try_from(n).unwrap_or(0);
        let found = DataType::from_name(name, large(length), small(precision), small(scale), large(code_page));
        found.unwrap_or_else(|| {
            let message = format!("the column \"{column}\" has the data type \"{name}\", which does not exist");
            self.diagnostics.push(
                Diagnostic::error(codes::DTS_E_VALIDATIONFAILEDONLAYOUT, &self.component, message)
                    .with_column(column)
                    .with_span(data::span(span)),
            );
            DataType::Null
        })
    }

    fn paths(&mut self) -> Vec<PathSpec> {
        let mut paths = Vec::new();
        for path in &self.pipeline.paths {
            let from = self.index.outputs.get(path.start_id());
            let to = self.index.inputs.get(path.end_id());
            if let (Some(from), Some(to)) = (from, to) {
                let name = path.name().to_owned();
                let (from, to) = ((from.component, from.port), (to.component, to.port));
                paths.push(PathSpec { name, from, to });
            } else {
                let message = format!("the path \"{}\" begins or ends at something that does not exist", path.name());
                self.diagnostics.push(
                    Diagnostic::error(codes::DTS_E_VALIDATIONFAILEDONLAYOUT, self.input.path, message)
                        .with_span(data::span(path.base.span)),
                );
            }
        }
        paths
    }
}

/// The type that an input column had when the package was saved.
fn cached_type(column: &InputColumn) -> Option<DataType> {
    let small = |n: i32| u8::try_from(n).unwrap_or(u8::MAX);
    let large = |n: i32| u32::try_from(n).unwrap_or(0);
    let name = column.cached_data_type()?;
    let (length, code_page) = (large(column.cached_length()), large(column.cached_code_page()));
    DataType::from_name(name, length, small(column.cached_precision()), small(column.cached_scale()), code_page)
}

fn dispositions(error: ModelDisposition, truncation: ModelDisposition) -> Dispositions {
    let one = |d: ModelDisposition| Disposition::from_name(d.name()).unwrap_or_default();
    Dispositions { error: one(error), truncation: one(truncation) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Input, Output, Path};

    /// The codes of what is wrong with a source and a destination, once `change` was made to them.
    fn found(change: impl Fn(&mut Pipeline)) -> Vec<&'static str> {
        let mut pipeline = Pipeline::default();
        let (mut from, mut to) =
            (Component::new("Microsoft.FlatFileSource", "A"), Component::new("Microsoft.Sort", "B"));
        let (mut output, mut input) = (Output::new("Out"), Input::new("In"));
        for name in ["x", "y"] {
            let mut column = OutputColumn::new(name, "i4", 0);
            column.set_lineage_id(name);
            output.columns.push(column);
            let mut external = ExternalColumn::new(name, "i4", 0);
            external.set_ref_id(name);
            output.external.get_or_insert_default().columns.push(external);
        }
        output.set_ref_id("out");
        input.set_ref_id("in");
        input.columns.push(InputColumn::new("x", "x"));
        from.outputs.push(output);
        to.inputs.push(input);
        pipeline.components = vec![from, to];
        pipeline.paths.push(Path::new("p", "out", "in"));
        change(&mut pipeline);
        let mut diagnostics = Vec::new();
        let input = FlowInput { path: "Flow", locale: 1033, connection: &|_| String::new() };
        compile(&pipeline, &input, &mut diagnostics);
        diagnostics.iter().filter_map(|d| d.code).map(|code| code.name()).collect()
    }

    #[test]
    fn references_that_lead_nowhere_and_ids_that_stand_twice() {
        assert_eq!(found(|_| ()), Vec::<&str>::new());
        type Change<'a> = &'a dyn Fn(&mut Pipeline);
        let cases: &[(Change<'_>, &str)] = &[
            (&|p| p.components[0].outputs[0].set_synchronous_input("no"), "DTS_E_INVALIDSYNCHRONOUSINPUT"),
            (&|p| p.components[0].outputs[0].columns[1].set_lineage_id("x"), "DTS_E_DUPLICATELINEAGEIDSINCOLLECTION"),
            (&|p| p.components[1].inputs[0].columns[0].set_lineage_id("z"), "DTS_E_INVALIDINPUTLINEAGEID"),
            (
                &|p| p.components[0].outputs[0].columns[1].set_external_column_id("no"),
                "DTS_E_COLUMNMAPPEDTONONEXISTENTEXTERNALMETADATACOLUMN",
            ),
            (&|p| p.components[1].set_ref_id("out"), "DTS_E_DUPLICATEIDFOUND"),
            (&|p| p.paths[0].set_end_id("no"), "DTS_E_VALIDATIONFAILEDONLAYOUT"),
            (&|p| p.set_default_buffer_size(1), "DTS_E_BUFFERSIZEOUTOFRANGE"),
            (&|p| p.set_default_buffer_max_rows(0), "DTS_E_BUFFERMAXROWSIZEOUTOFRANGE"),
            (&|p| p.set_engine_threads(0), "DTS_E_THREADCOUNTOUTOFRANGE"),
        ];
        for (change, code) in cases {
            assert_eq!(found(change), [*code]);
        }
        // Some connectors keep no external columns at all.
        let none = |p: &mut Pipeline| {
            p.components[0].outputs[0].columns[1].set_external_column_id("no");
            p.components[0].outputs[0].external = None;
        };
        assert_eq!(found(none), Vec::<&str>::new());
    }
}
