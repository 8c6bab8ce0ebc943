//! What a file of a test says of columns and outputs, as the engine is told it.

use crate::text::{Cell, Column, FlowTest, Pairs, dispositions, key, typed};
use arrow::array::{ArrayRef, StringViewArray};
use dtsx_engine::batch::Batch;
use dtsx_engine::flow::*;
use dtsx_engine::props::{Origin, PropertyBag};
use dtsx_engine::types::DataType;
use dtsx_engine::types::convert::{CastMode, CastOptions, cast_array};
use std::collections::HashMap;
use std::sync::Arc;

/// Rows in a morsel of the test source: few, so that several lanes have something to do.
const MORSEL_ROWS: usize = 4;

/// The numbers of columns, by `PORT.NAME`.
#[derive(Default)]
pub(super) struct Lineages {
    pub(super) names: HashMap<String, LineageId>,
}

impl Lineages {
    /// A column that begins at a port of that name, with the next number.
    pub(super) fn output_column(&mut self, port: &str, column: &Column) -> OutputColumnSpec {
        let lineage = LineageId(self.names.len() as u32 + 1);
        self.names.insert(format!("{port}.{}", column.name), lineage);
        OutputColumnSpec {
            id: format!("{port}.{}", column.name),
            sort_key: key(&column.keys, "sort").map_or(0, |k| k.parse().unwrap()),
            dispositions: dispositions(&column.keys),
            properties: bag(&column.keys, &["error", "truncation", "external", "sort"]),
            ..OutputColumnSpec::new(lineage.0, &column.name, column.data_type)
        }
    }
}

/// How the component uses a column.
pub(super) fn input_column(
    column: &OutputColumnSpec,
    used: Option<&Column>,
    external: &mut Vec<ExternalColumnSpec>,
) -> InputColumnSpec {
    let none = Pairs::new();
    let keys = used.map_or(&none, |u| &u.keys);
    let usage = if key(keys, "usage") == Some("readWrite") { Usage::ReadWrite } else { Usage::ReadOnly };
    InputColumnSpec {
        id: column.id.clone(),
        lineage: column.lineage,
        name: column.name.clone(),
        cached: Some(column.data_type),
        usage,
        dispositions: dispositions(keys),
        external: external_column(keys, column.data_type, external),
        properties: bag(keys, &["usage", "sort", "flags", "error", "truncation", "external", "param_flags"]),
        span: None,
    }
}

/// The external column that a column says it is mapped to.
fn external_column(keys: &Pairs, data_type: DataType, columns: &mut Vec<ExternalColumnSpec>) -> Option<usize> {
    let text = key(keys, "external")?;
    let (name, data_type) = if text.contains(' ') { typed(text) } else { (text.to_owned(), data_type) };
    let flags = key(keys, "param_flags").map(|flags| ("DBParamInfoFlags".to_owned(), flags.to_owned()));
    let properties = bag(&flags.into_iter().collect::<Pairs>(), &[]);
    columns.push(ExternalColumnSpec { id: name.clone(), name, data_type, properties });
    Some(columns.len() - 1)
}

/// An output of the component.
pub(super) fn output(test: &FlowTest, output: &crate::text::Output, lineages: &mut Lineages) -> OutputSpec {
    let is_error = key(&output.keys, "is_error") == Some("true");
    let mut columns: Vec<_> = output.columns.iter().map(|c| lineages.output_column(&output.name, c)).collect();
    if is_error {
        for (name, special) in [("ErrorCode", SpecialColumn::ErrorCode), ("ErrorColumn", SpecialColumn::ErrorColumn)] {
            let column = Column { name: name.into(), data_type: DataType::I4, keys: Pairs::new() };
            columns.push(OutputColumnSpec { special, ..lineages.output_column(&output.name, &column) });
        }
    }
    let mut external = Vec::new();
    for (column, said) in columns.iter_mut().zip(&output.columns) {
        column.external = external_column(&said.keys, said.data_type, &mut external);
    }
    let synchronous_input = match key(&output.keys, "sync") {
        Some("none") => None,
        Some(name) => test.inputs.iter().position(|i| i.name == name),
        None => (!test.inputs.is_empty()).then_some(0),
    };
    // What rows share with an error output, they leave by one or the other.
    let errors = test.outputs.iter().any(|o| key(&o.keys, "is_error") == Some("true"));
    let group = i32::from(errors && synchronous_input.is_some());
    OutputSpec {
        id: output.name.clone(),
        name: output.name.clone(),
        synchronous_input,
        exclusion_group: key(&output.keys, "group").map_or(group, |g| g.parse().unwrap()),
        is_error,
        is_sorted: key(&output.keys, "is_sorted") == Some("true") || columns.iter().any(|c| c.sort_key != 0),
        dangling: false,
        dispositions: dispositions(&output.keys),
        columns,
        external,
        properties: bag(&output.keys, &["is_error", "is_sorted", "sync", "group", "error", "truncation"]),
    }
}

/// The pairs that are properties. `expression:NAME` sets one as a property expression would.
pub(super) fn bag(pairs: &Pairs, but: &[&str]) -> PropertyBag {
    let mut bag = PropertyBag::default();
    for (name, value) in pairs.iter().filter(|(name, _)| !but.contains(&name.as_str())) {
        match name.strip_prefix("expression:") {
            Some(name) => bag.set_text(name, value, Origin::Expression),
            None => bag.set_text(name, value, Origin::Package),
        }
    }
    bag
}

/// Rows as batches.
pub(super) fn morsels(columns: &[(String, DataType)], rows: &[Vec<Cell>]) -> Vec<Batch> {
    let morsel = |(seq, rows): (usize, &[Vec<Cell>])| {
        let column = |(place, (name, data_type)): (usize, &(String, DataType))| {
            let cells: Vec<Option<&str>> = rows.iter().map(|row| row[place].as_deref()).collect();
            parsed(name, &cells, data_type)
        };
        Batch::new(seq as u64, rows.len(), columns.iter().enumerate().map(column).collect())
    };
    rows.chunks(MORSEL_ROWS).enumerate().map(morsel).collect()
}

/// Text as a type, parsed as the data flow converts it.
pub(super) fn parsed(name: &str, cells: &[Option<&str>], data_type: &DataType) -> ArrayRef {
    let options = CastOptions { lcid: 1033, fast_parse: false, mode: CastMode::DataFlow };
    let text: ArrayRef = Arc::new(cells.iter().collect::<StringViewArray>());
    let (array, faults) = cast_array(&text, &DataType::WStr { len: 4000 }, data_type, &options).unwrap();
    assert!(faults.is_empty(), "{name}: {faults:?}");
    array
}
