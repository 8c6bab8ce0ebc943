//! Derived Column: new columns, or new values for columns, from expressions over the input row.
//!
//! A new column is an output column with an Expression; a replaced one is an input column used read-write with one, and
//! keeps its lineage, place and type. All expressions see the row as it came in. A result is converted to its column's
//! type; what cannot be computed or converted, or would be cut, meets the column's dispositions.

use super::compute::{self, Compute};
use super::expression::{Formula, Owner};
use super::{one_input, one_output};
use dtsx_engine::batch::Batch;
use dtsx_engine::diag::{Result, codes};
use dtsx_engine::flow::faults::{ErrorOutput, FaultSite};
use dtsx_engine::flow::{BindCx, Bound, ComponentKind, ComponentSpec, Ports, Slot, Usage};
use dtsx_engine::types::DataType;
use dtsx_engine::types::convert::{CastOptions, can_cast, cast_array};

/// `Microsoft.DerivedColumn`.
pub struct DerivedColumn;

impl ComponentKind for DerivedColumn {
    fn kind(&self) -> &'static str {
        "Microsoft.DerivedColumn"
    }

    fn title(&self) -> &'static str {
        "Derived Column"
    }

    fn replaces(&self) -> bool {
        true
    }

    fn bind(&self, spec: &ComponentSpec, cx: &mut BindCx<'_>) -> Option<Bound> {
        one_input(spec, cx)?;
        let output = one_output(spec, cx)?;
        // Replaced columns first, in the order of the input, then new ones: the order decides which column's disposition
        // a row meets that fails in several (unconfirmed).
        let mut columns: Vec<Option<Derived>> = Vec::new();
        for (place, column) in spec.inputs[0].columns.iter().enumerate() {
            let expressions = ["Expression", "FriendlyExpression"].map(|p| column.properties.str(p).trim());
            if column.usage == Usage::ReadWrite || expressions != ["", ""] {
                columns.push(replaced(spec, cx, place));
            }
        }
        for column in 0..spec.outputs[output].columns.len() {
            columns.push(added(spec, cx, output, column));
        }
        let errors = ErrorOutput::bind(spec, cx, columns.iter().flatten().map(|c| &c.site));
        let columns = columns.into_iter().collect::<Option<Vec<_>>>()?;
        let options = CastOptions::data_flow(spec.locale);
        let plan = Plan { name: spec.name.clone(), output, columns, errors, options };
        Some(compute::bound(plan))
    }
}

/// One column.
struct Derived {
    formula: Formula,
    /// The place of a replaced column; None: the column is new.
    place: Option<Slot>,
    /// The column's type, if the results have to be converted to it.
    convert: Option<DataType>,
    site: FaultSite,
}

/// A column that is replaced.
fn replaced(spec: &ComponentSpec, cx: &mut BindCx<'_>, column: usize) -> Option<Derived> {
    let column_spec = &spec.inputs[0].columns[column];
    let site = FaultSite::input_column(spec, 0, column);
    let owner = Owner {
        properties: &column_spec.properties,
        object: &site.object,
        column: Some(&column_spec.name),
        span: column_spec.span,
    };
    let wrong = match (column_spec.usage, owner.text().trim()) {
        (Usage::ReadWrite, "") => Some(codes::DTS_E_READWRITECOLUMNMISSINGREQUIREDCUSTOMPROPERTY),
        (Usage::ReadWrite, _) => None,
        (Usage::ReadOnly, _) => Some(codes::DTS_E_INVALIDUSAGETYPEFORCUSTOMPROPERTY),
    };
    if let Some(code) = wrong {
        owner.report(spec, cx, code, code.message(&[&site.object, &"Expression"]));
        return None;
    }
    // A lineage that the path does not bring is reported for every component alike.
    let slot = cx.inputs[0].slot(column_spec.lineage)?;
    let to = cx.inputs[0].column(slot).data_type;
    let formula = owner.compile(spec, cx)?;
    let convert = conversion(spec, cx, &owner, formula.data_type(), to)?;
    Some(Derived { formula, place: Some(slot), convert, site })
}

/// A new column.
fn added(spec: &ComponentSpec, cx: &mut BindCx<'_>, output: usize, column: usize) -> Option<Derived> {
    let column_spec = &spec.outputs[output].columns[column];
    let site = FaultSite::output_column(spec, output, column);
    let owner = Owner {
        properties: &column_spec.properties,
        object: &site.object,
        column: Some(&column_spec.name),
        span: column_spec.span,
    };
    let formula = owner.compile(spec, cx)?;
    let convert = conversion(spec, cx, &owner, formula.data_type(), column_spec.data_type)?;
    Some(Derived { formula, place: None, convert, site })
}

/// How results of type `from` become values of a column of type `to`; reports a conversion that is not possible.
fn conversion(
    spec: &ComponentSpec,
    cx: &mut BindCx<'_>,
    owner: &Owner<'_>,
    from: DataType,
    to: DataType,
) -> Option<Option<DataType>> {
    if from == to && !matches!(to, DataType::WStr { .. }) {
        return Some(None);
    }
    if !can_cast(&from, &to) {
        let code = codes::DTS_E_EXPREVALCANNOTCONVERTRESULT;
        owner.report(spec, cx, code, code.message(&[&from, &to]));
        return None;
    }
    Some(Some(to))
}

/// The type of an expression's values. A text may be longer than it is declared, as that of a REPLACE, or of more than 4000
/// characters; to see that none is takes no time.
fn given(declared: DataType) -> DataType {
    match declared {
        DataType::WStr { .. } => DataType::WStr { len: u32::MAX },
        other => other,
    }
}

struct Plan {
    name: String,
    output: usize,
    columns: Vec<Derived>,
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
                let (mut array, faults) = column.formula.eval(batch)?;
                rows.column(&column.site, &faults, &|row| column.formula.operands(batch, row));
                if let Some(to) = &column.convert {
                    let (converted, faults) =
                        cast_array(&array, &given(column.formula.data_type()), to, &self.options)?;
                    rows.column(&column.site, &faults, &|row| super::shown(&array, row));
                    array = converted;
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
