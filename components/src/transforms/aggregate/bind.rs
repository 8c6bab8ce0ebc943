//! What the designer stored becomes groupings, or is refused.

use super::accumulate::{Aggregate, Function};
use super::encode::{KeyColumn, KeyPlan};
use super::stage::{Grouping, Source};
use crate::transforms::{one_input, report_column};
use dtsx_engine::diag::{Diagnostic, Result, codes};
use dtsx_engine::flow::{BindCx, ComponentSpec, OutputColumnSpec, Slot};
use dtsx_engine::props::PropertyBag;
use dtsx_engine::types::DataType;
use dtsx_engine::types::collation::Collation;

/// The groupings of a component, an output each. None if something is wrong, which was reported.
pub(super) fn bind(spec: &ComponentSpec, cx: &mut BindCx<'_>) -> Option<Vec<Grouping>> {
    let before = cx.diagnostics.len();
    one_input(spec, cx)?;
    scales(spec, &spec.properties, cx);
    let used = spec.outputs.iter().enumerate().any(|(port, o)| !o.is_error && cx.attached[port]);
    let mut groupings = Vec::new();
    for (port, output) in spec.outputs.iter().enumerate().filter(|(_, o)| !o.is_error) {
        if used && !cx.attached[port] {
            let code = codes::DTS_E_OUTPUTNOTUSED;
            cx.error(spec, code, format!("{} (\"{}\")", code.message(&[&output.id]), output.name));
        }
        scales(spec, &output.properties, cx);
        let (mut keys, mut aggregates, mut columns) = (Vec::new(), Vec::new(), Vec::new());
        for column in &output.columns {
            scales(spec, &column.properties, cx);
            match bind_column(spec, column, cx) {
                Some(Bound::Key(key)) => {
                    columns.push(Source::Key(keys.len()));
                    keys.push(key);
                }
                Some(Bound::Aggregate(aggregate)) => {
                    columns.push(Source::Aggregate(aggregates.len()));
                    aggregates.push(aggregate);
                }
                None => {}
            }
        }
        groupings.push(Grouping { port, keys: KeyPlan::new(keys), aggregates, columns });
    }
    if groupings.is_empty() {
        let code = codes::DTS_E_INCORRECTMINIMUMNUMBEROFOUTPUTS;
        cx.error(spec, code, code.message(&[&1]));
    }
    let wrong = cx.diagnostics[before..].iter().any(Diagnostic::is_error);
    if wrong { None } else { Some(groupings) }
}

enum Bound {
    Key(KeyColumn),
    Aggregate(Aggregate),
}

fn bind_column(spec: &ComponentSpec, column: &OutputColumnSpec, cx: &mut BindCx<'_>) -> Option<Bound> {
    let number = column.properties.int("AggregationType").unwrap_or(0);
    let Some(function) = Function::from_number(number) else {
        let code = codes::DTS_E_TXAGG_INVALIDOUTPUTDATATYPEFORAGGREGATE;
        let text = format!("AggregationType {number} of \"{}\" is none of 0 to 7", column.name);
        report_column(spec, cx, column, code, text);
        return None;
    };
    let input = match function {
        Function::CountAll => None,
        _ => Some(input_of(spec, column, cx)?),
    };
    let flags = column.properties.int("AggregationComparisonFlags").unwrap_or(0);
    if flags != 0 {
        let name = "AggregationComparisonFlags";
        let compares = matches!(function, Function::GroupBy | Function::CountDistinct);
        let text = input.is_some_and(|(_, t)| t.is_string());
        if !compares || !text {
            let code = match compares {
                true => codes::DTS_E_TXAGG_COMPFLAGS_BADDATATYPE,
                false => codes::DTS_E_TXAGG_COMPFLAGS_BADAGGREGATIONTYPE,
            };
            report_column(spec, cx, column, code, code.message(&[&name]));
            return None;
        }
    }
    if let Some((_, data_type)) = &input
        && !takes(function, data_type)
    {
        let code = codes::DTS_E_TXAGG_INVALIDINPUTDATATYPEFORAGGREGATE;
        report_column(spec, cx, column, code, code.message(&[&data_type.to_string(), &column.name]));
        return None;
    }
    if !gives(function, input.as_ref().map(|(_, t)| t), &column.data_type) {
        let code = match function {
            Function::GroupBy | Function::Minimum | Function::Maximum => codes::DTS_E_TXAGG_INPUTOUTPUTDATATYPEMISMATCH,
            _ => codes::DTS_E_TXAGG_INVALIDOUTPUTDATATYPEFORAGGREGATE,
        };
        let of = input.map_or_else(String::new, |(_, t)| format!(" of {t}"));
        let ids = match code == codes::DTS_E_TXAGG_INPUTOUTPUTDATATYPEMISMATCH {
            true => code.message(&[&column.properties.str("AggregationColumnId"), &column.id]),
            false => code.message(&[&column.id]),
        };
        report_column(spec, cx, column, code, format!("{ids} ({function:?}{of} as {})", column.data_type));
        return None;
    }
    let comparison = match comparison(spec.locale, flags) {
        Ok(comparison) => comparison,
        Err(error) => {
            let code = error.code().unwrap_or(codes::DTS_E_TXAGG_SORTKEYGENFAILED);
            report_column(spec, cx, column, code, error.message().to_owned());
            return None;
        }
    };
    let key = |(slot, data_type): (Slot, DataType)| KeyColumn { slot, data_type, comparison: comparison.clone() };
    Some(match (function, input) {
        (Function::GroupBy, Some(input)) => Bound::Key(key(input)),
        (function, input) => Bound::Aggregate(Aggregate {
            function,
            input,
            output: column.data_type,
            distinct: input.filter(|_| function == Function::CountDistinct).map(|i| KeyPlan::new(vec![key(i)])),
            name: column.name.clone(),
        }),
    })
}

/// How text is told apart. Without flags it is by its characters, exactly: what SSIS's linguistic comparison without
/// flags takes for equal beyond that is unconfirmed.
fn comparison(lcid: u32, flags: i64) -> Result<Option<Collation>> {
    if flags == 0 {
        return Ok(None);
    }
    // Flags that do not exist are refused there.
    Collation::new(lcid, u32::try_from(flags).unwrap_or(u32::MAX)).map(Some)
}

/// The input column that an output column is made of.
fn input_of(spec: &ComponentSpec, column: &OutputColumnSpec, cx: &mut BindCx<'_>) -> Option<(Slot, DataType)> {
    let spelling = column.properties.str("AggregationColumnId");
    let lineage = cx.lineage(spelling).filter(|l| spec.inputs[0].columns.iter().any(|c| c.lineage == *l));
    let layout = &cx.inputs[0];
    let found = lineage.and_then(|l| layout.slot(l)).map(|slot| (slot, layout.column(slot).data_type));
    if found.is_none() {
        let code = codes::DTS_E_TXAGG_INPUTNOTFOUNDFOROUTPUT;
        report_column(spec, cx, column, code, code.message(&[&spelling, &column.id]));
    }
    found
}

/// Whether a function takes columns of a type.
fn takes(function: Function, data_type: &DataType) -> bool {
    match function {
        Function::GroupBy | Function::CountDistinct => !data_type.is_blob() && *data_type != DataType::Null,
        Function::Count | Function::CountAll => true,
        Function::Sum | Function::Average => data_type.is_numeric(),
        Function::Minimum | Function::Maximum => data_type.is_numeric() || data_type.is_date_time(),
    }
}

/// Whether a function's result can be declared so. The designer declares: counts DT_UI8 (distinct ones DT_UI4), sums of
/// integers DT_I8, sums and averages of floats DT_R8, averages of integers DT_R8, everything else as the input is;
/// without IsBig smaller types. A result that does not fit what is declared fails the run.
fn gives(function: Function, input: Option<&DataType>, output: &DataType) -> bool {
    let float = |t: &DataType| matches!(t, DataType::R4 | DataType::R8);
    let exact = |t: &DataType| matches!(t, DataType::Decimal { .. } | DataType::Numeric { .. });
    match (function, input) {
        (Function::Count | Function::CountAll | Function::CountDistinct, _) => output.is_integer(),
        (Function::Sum, Some(input)) if input.is_integer() => output.is_integer(),
        (Function::Average, Some(input)) if input.is_integer() => float(output),
        (Function::Sum | Function::Average, Some(input)) if float(input) => float(output),
        (Function::Sum | Function::Average, Some(input)) if exact(input) => {
            exact(output) && input.scale() == output.scale()
        }
        (_, Some(input)) => fits(input, output),
        (_, None) => false,
    }
}

/// Whether values stand in the output column as they are.
fn fits(input: &DataType, output: &DataType) -> bool {
    match (input, output) {
        (DataType::Str { len, .. }, DataType::Str { len: room, .. })
        | (DataType::WStr { len }, DataType::WStr { len: room })
        | (DataType::Bytes { len }, DataType::Bytes { len: room }) => len <= room,
        _ => input == output,
    }
}

/// Hints must be hints: a scale of 0 to 3, nothing or a number of keys.
fn scales(spec: &ComponentSpec, properties: &PropertyBag, cx: &mut BindCx<'_>) {
    for name in ["Keys", "CountDistinctKeys"] {
        let text = properties.str(name).trim();
        if !text.is_empty() && text.parse::<u32>().is_err() {
            let code = codes::DTS_E_TXAGG_BADKEYSVALUE;
            cx.error(spec, code, code.message(&[&name, &0, &u32::MAX]));
        }
    }
    let limits = [("KeyScale", 0..=3), ("CountDistinctScale", 0..=3), ("AutoExtendFactor", 1..=100)];
    for (name, limits) in limits {
        if let Some(number) = properties.int(name)
            && !limits.contains(&number)
        {
            let code = codes::DTS_E_INCORRECTCUSTOMPROPERTYVALUE;
            cx.error(spec, code, format!("{} ({number})", code.message(&[&name])));
        }
    }
}
