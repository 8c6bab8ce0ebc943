//! Character Map: text in upper or lower case, as hiragana or katakana, half or full width.
//!
//! A new column names its source in InputColumnLineageID; a column used read-write is mapped in place. MapFlags are the
//! bits of LCMapString, as packages store them. A result that does not fit its column meets the truncation disposition.
//! Byte reversal and the Chinese mappings are not supported.

mod mapping;

use super::compute::{self, Compute};
use super::{one_input, one_output, report_column, shown};
use arrow::array::{Array, ArrayRef, AsArray, StringViewArray, StringViewBuilder};
use dtsx_engine::batch::Batch;
use dtsx_engine::diag::{Diagnostic, Error, Result, Span, codes};
use dtsx_engine::flow::faults::{ErrorOutput, FaultSite};
use dtsx_engine::flow::{BindCx, Bound, ComponentKind, ComponentSpec, Ports, Slot, Usage};
use dtsx_engine::props::PropertyBag;
use dtsx_engine::types::convert::{CastOptions, cast_array};
use dtsx_engine::types::{DataType, MAX_WSTR_UNITS};
use mapping::{Mapping, Unmappable};
use std::sync::Arc;

/// `Microsoft.CharacterMap`.
pub struct CharacterMap;

impl ComponentKind for CharacterMap {
    fn kind(&self) -> &'static str {
        "Microsoft.CharacterMap"
    }

    fn title(&self) -> &'static str {
        "Character Map"
    }

    fn replaces(&self) -> bool {
        true
    }

    fn bind(&self, spec: &ComponentSpec, cx: &mut BindCx<'_>) -> Option<Bound> {
        one_input(spec, cx)?;
        let output = one_output(spec, cx)?;
        let mut columns: Vec<Option<Mapped>> = Vec::new();
        for (place, column) in spec.inputs[0].columns.iter().enumerate() {
            if column.usage == Usage::ReadWrite {
                columns.push(in_place(spec, cx, place));
            }
        }
        for place in 0..spec.outputs[output].columns.len() {
            columns.push(added(spec, cx, output, place));
        }
        let errors = ErrorOutput::bind(spec, cx, columns.iter().flatten().map(|c| &c.site));
        let columns = columns.into_iter().collect::<Option<Vec<_>>>()?;
        let options = CastOptions::data_flow(spec.locale);
        let plan = Plan { name: spec.name.clone(), output, columns, errors, options };
        Some(compute::bound(plan))
    }
}

/// One column.
struct Mapped {
    source: Slot,
    /// The place of a column that is mapped in place; None: the column is new.
    place: Option<Slot>,
    mapping: Mapping,
    /// The column's type, if results may not fit it.
    fit: Option<DataType>,
    site: FaultSite,
}

fn in_place(spec: &ComponentSpec, cx: &mut BindCx<'_>, column: usize) -> Option<Mapped> {
    let site = FaultSite::input_column(spec, 0, column);
    let column = &spec.inputs[0].columns[column];
    // A lineage that the path does not bring is reported for every component alike.
    let slot = cx.inputs[0].slot(column.lineage)?;
    let to = cx.inputs[0].column(slot).data_type;
    let (mapping, fit) = checked(spec, cx, &site, &column.properties, column.span, slot, to)?;
    Some(Mapped { source: slot, place: Some(slot), mapping, fit, site })
}

fn added(spec: &ComponentSpec, cx: &mut BindCx<'_>, output: usize, column: usize) -> Option<Mapped> {
    let site = FaultSite::output_column(spec, output, column);
    let column = &spec.outputs[output].columns[column];
    let reference = column.properties.str("InputColumnLineageID");
    let lineage = cx.lineage(reference).filter(|l| spec.inputs[0].columns.iter().any(|c| c.lineage == *l));
    let Some(source) = lineage.and_then(|lineage| cx.inputs[0].slot(lineage)) else {
        let code = codes::DTS_E_INPUTCOLUMNNOTFOUND;
        let message = code.message(&[&reference, &"InputColumnLineageID", &column.name]);
        report_column(spec, cx, column, code, message);
        return None;
    };
    let (mapping, fit) = checked(spec, cx, &site, &column.properties, column.span, source, column.data_type)?;
    Some(Mapped { source, place: None, mapping, fit, site })
}

/// The mapping of a column of type `to`, and the type if results may not fit; reports what is wrong.
fn checked(
    spec: &ComponentSpec,
    cx: &mut BindCx<'_>,
    site: &FaultSite,
    properties: &PropertyBag,
    span: Option<Span>,
    source: Slot,
    to: DataType,
) -> Option<(Mapping, Option<DataType>)> {
    let from = cx.inputs[0].column(source).data_type;
    let name = site.column.as_deref().unwrap_or("");
    let diagnostic = if !is_text(&from) || !is_text(&to) {
        let code = codes::DTS_E_TXCHARMAPINVALIDCOLUMNDATATYPE;
        Diagnostic::error(code, &spec.path, code.message(&[&site.object]))
    } else if from.code() != to.code() || from.code_page() != to.code_page() {
        let code = codes::DTS_E_METADATAMISMATCHWITHINPUTCOLUMN;
        Diagnostic::error(code, &spec.path, format!("{} ({from} and {to})", code.message(&[&site.object])))
    } else {
        let Some(flags) = properties.int("MapFlags").and_then(|flags| u32::try_from(flags).ok()) else {
            let code = codes::DTS_E_MISSINGCUSTOMPROPERTY;
            let message = code.message(&[&site.object, &"MapFlags"]);
            cx.diagnostics.push(Diagnostic::error(code, &spec.path, message).with_column(name).with_span(span));
            return None;
        };
        match Mapping::of(flags, spec.locale) {
            Ok(mapping) => {
                // Case leaves the number of UTF-16 units alone, but not that of bytes in a code page.
                let fits = !to.is_string()
                    || (matches!(to, DataType::WStr { .. }) && mapping.keeps_length() && from.length() <= to.length());
                return Some((mapping, (!fits).then_some(to)));
            }
            Err(Unmappable::Conflict(code)) => Diagnostic::error(code, &spec.path, code.message(&[&name])),
            Err(Unmappable::Unsupported(what)) => {
                let message = format!("Character Map: {what} (MapFlags {flags:#X}) is not supported by this build");
                Diagnostic::unsupported(&spec.path, message)
            }
        }
    };
    cx.diagnostics.push(diagnostic.with_column(name).with_span(span.or(spec.span)));
    None
}

fn is_text(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Str { .. } | DataType::WStr { .. } | DataType::Text { .. } | DataType::NText)
}

struct Plan {
    name: String,
    output: usize,
    columns: Vec<Mapped>,
    errors: ErrorOutput,
    options: CastOptions,
}

impl Compute for Plan {
    fn errors(&self) -> &ErrorOutput {
        &self.errors
    }

    fn apply(&self, batch: Batch, out: &mut Ports) -> Result<()> {
        compute::columns(batch, (&self.name, self.output, &self.errors), out, |batch, rows, columns| {
            for column in &self.columns {
                let source = &batch.columns[column.source.0];
                let texts =
                    source.as_string_view_opt().ok_or_else(|| Error::internal("a text column of another type"))?;
                let mut array: ArrayRef = Arc::new(mapped(texts, &column.mapping));
                if let Some(to) = &column.fit {
                    let (fitted, faults) =
                        cast_array(&array, &DataType::WStr { len: MAX_WSTR_UNITS }, to, &self.options)?;
                    rows.column(&column.site, &faults, &|row| shown(source, row));
                    array = fitted;
                }
                match column.place {
                    Some(slot) => columns[slot.0] = array,
                    None => columns.push(array),
                }
            }
            Ok(())
        })
    }
}

fn mapped(texts: &StringViewArray, mapping: &Mapping) -> StringViewArray {
    let mut builder = StringViewBuilder::with_capacity(texts.len());
    let mut scratch = String::new();
    for text in texts {
        match text {
            Some(text) => builder.append_value(mapping.map(text, &mut scratch)),
            None => builder.append_null(),
        }
    }
    builder.finish()
}
