//! XML Source: the rows of a document, table by table.
//!
//! ```text
//! XML Source   AccessMode = 0   XMLData = C:\Data\Orders.xml   XMLSchemaDefinition = C:\Data\Orders.xsd
//!   Outputs[0]  RowsetID = Order   Order_Id ui8, Number i4, Date dbTimeStamp       <Orders><Order Number="1">
//!   Outputs[1]  RowsetID = Line    Order_Id ui8, Item wstr(255), Amount decimal      <Line><Item>…</Item>…</Line>
//!   Outputs[2…] the error outputs of these: values as text, ErrorCode, ErrorColumn
//! ```
//!
//! The schema says which elements are rows of which table (`schema`); keys that the source makes tie the rows of a
//! table to those around them. Elements and attributes that the schema does not know mean nothing, what is missing or nil
//! is NULL. The document is read element by element (`read`), values are converted on any lane.

mod read;
mod schema;
#[cfg(test)]
mod tests;
mod values;

use crate::shared::report_column;
use arrow::array::{Array, ArrayRef, AsArray, Int32Array, NullArray, UInt32Array, new_null_array};
use dtsx_engine::batch::{Batch, Faults};
use dtsx_engine::diag::{Diagnostic, Error, Owner, Result, codes};
use dtsx_engine::flow::faults::{ErrorOutput, FaultSite, Reject, RowFaults};
use dtsx_engine::flow::{
    BindCx, Bound, ComponentKind, ComponentSpec, Decode, Fetch, Layout, Morsel, OpenCx, Ports, Source, SpecialColumn,
};
use dtsx_engine::props::{PropertyDef, PropertyType};
use dtsx_engine::types::convert::{CastOptions, can_cast, cast_array};
use dtsx_engine::types::{DataType, Value};
use read::{Gathered, Piece, Reading, State};
use std::fs::File;
use std::io::{Cursor, Read};
use std::sync::Arc;

/// `Microsoft.XmlSourceAdapter`.
pub struct XmlSource;

const PROPERTIES: &[PropertyDef] = &[
    PropertyDef {
        name: "AccessMode",
        ty: PropertyType::Int,
        default: "0",
        doc: "Where the document is: the file XMLData 0, a file named by a variable 1, the text of a variable 2.",
    },
    PropertyDef { name: "XMLData", ty: PropertyType::Text, default: "", doc: "The path of the document." },
    PropertyDef {
        name: "XMLDataVariable",
        ty: PropertyType::VariableName,
        default: "",
        doc: "The variable that holds the path or the text of the document.",
    },
    PropertyDef {
        name: "XMLSchemaDefinition",
        ty: PropertyType::Text,
        default: "",
        doc: "The path of the document's schema (XSD).",
    },
    PropertyDef {
        name: "UseInlineSchema",
        ty: PropertyType::Bool,
        default: "false",
        doc: "Whether the document holds its schema as its first element.",
    },
    PropertyDef {
        name: "XMLIntegerMapping",
        ty: PropertyType::Int,
        default: "0",
        doc: "What the designer makes of xs:integer: decimal 0, int 1; columns have their types when a package runs.",
    },
    PropertyDef {
        name: "UserComponentTypeName",
        ty: PropertyType::Text,
        default: "Microsoft.XmlSourceAdapter",
        doc: "The class within the host of managed components.",
    },
];

impl ComponentKind for XmlSource {
    fn kind(&self) -> &'static str {
        "Microsoft.XmlSourceAdapter"
    }

    fn title(&self) -> &'static str {
        "XML Source"
    }

    fn properties(&self) -> &'static [PropertyDef] {
        PROPERTIES
    }

    fn bind(&self, spec: &ComponentSpec, cx: &mut BindCx<'_>) -> Option<Bound> {
        let before = cx.diagnostics.len();
        let p = &spec.properties;
        let variable = |cx: &mut BindCx<'_>| {
            let text = p.str("XMLDataVariable").trim();
            let name = cx.variables.name_of_id(text).unwrap_or_else(|| text.to_owned());
            if cx.variables.read(&name).is_err() {
                let code = codes::DTS_E_XMLSRCUNABLETOGETXMLDATAVARIABLE;
                cx.error(spec, code, code.message(&[&spec.name, &"XMLDataVariable"]));
            }
            name
        };
        let empty = |cx: &mut BindCx<'_>, name: &str| {
            let code = codes::DTS_E_XMLSRCEMPTYPROPERTY;
            cx.error(spec, code, code.message(&[&name, &spec.name]));
        };
        let document = match p.int("AccessMode").unwrap_or(0) {
            0 => {
                if p.str("XMLData").trim().is_empty() {
                    empty(cx, "XMLData");
                }
                Document::File(p.str("XMLData").trim().to_owned())
            }
            1 => Document::FileOf(variable(cx)),
            2 => Document::TextOf(variable(cx)),
            other => {
                let code = codes::DTS_E_RAWINVALIDACCESSMODE;
                cx.error(spec, code, code.message(&[&other]));
                return None;
            }
        };
        let inline = p.bool("UseInlineSchema").unwrap_or(false);
        let schema = p.str("XMLSchemaDefinition").trim();
        if schema.is_empty() && !inline {
            empty(cx, "XMLSchemaDefinition");
        }
        let schema = (!inline).then(|| schema.to_owned());
        let mut outputs = Vec::new();
        for port in 0..spec.outputs.len() {
            if !spec.outputs[port].is_error {
                outputs.extend(bind_output(spec, cx, port));
            }
        }
        if cx.diagnostics[before..].iter().any(Diagnostic::is_error) {
            return None;
        }
        let options = CastOptions::data_flow(LCID);
        let plan = Plan { name: spec.name.clone(), document, schema, outputs, options };
        if cx.online && spec.validate_external_metadata && !compare(spec, cx, &plan) {
            return None;
        }
        Some(Bound::Source(Box::new(Xml { plan: Arc::new(plan) })))
    }
}

/// Compares the outputs with the schema, if its file is there already; whether they go together.
fn compare(spec: &ComponentSpec, cx: &mut BindCx<'_>, plan: &Plan) -> bool {
    let Some(name) = &plan.schema else { return true };
    let path = cx.paths.resolve(name);
    if !path.exists() {
        // A task before this one may make it: the run says if none does.
        return true;
    }
    match read::schemas(&path, name).and_then(|texts| read::compare(plan, &texts, &spec.name)) {
        Ok(missing) => {
            for (column, table) in missing {
                let code = codes::DTS_E_XMLSRCSCHEMACOLUMNNOTINEXTERNALMETADATA;
                cx.warning(spec, code, code.message(&[&format!("\"{column}\""), &format!("\"{table}\"")]));
            }
            true
        }
        Err(error) => {
            cx.error(spec, error.code().unwrap_or(codes::DTS_E_XMLSRCUNABLETOPROCESSXMLDATA), error.message());
            false
        }
    }
}

/// Numbers and dates in documents do not depend on a locale; this one reads them as XML writes them.
const LCID: u32 = 1033;

/// Where the document is.
enum Document {
    File(String),
    FileOf(String),
    TextOf(String),
}

/// A column of an output.
struct Column {
    /// Its name in the schema.
    source: String,
    declared: DataType,
    data_type: DataType,
    site: FaultSite,
}

/// An output that is no error output.
struct Output {
    port: usize,
    name: String,
    rowset: String,
    columns: Vec<Column>,
    /// Names of its external columns.
    external: Vec<String>,
    errors: ErrorOutput,
    /// The columns of its error output: what they are, their type, and the column that they show.
    shown: Vec<(SpecialColumn, DataType, Option<usize>)>,
}

fn bind_output(spec: &ComponentSpec, cx: &mut BindCx<'_>, port: usize) -> Option<Output> {
    let output = &spec.outputs[port];
    let rowset = output.properties.str("RowsetID").to_owned();
    let mut columns = Vec::with_capacity(output.columns.len());
    for (index, column) in output.columns.iter().enumerate() {
        let external = column.external.and_then(|i| output.external.get(i));
        let (source, declared) = external.map_or((&column.name, column.data_type), |e| (&e.name, e.data_type));
        let site = FaultSite::output_column(spec, port, index);
        if !can_cast(&declared, &column.data_type) {
            let code = codes::DTS_E_XMLSRCOUTPUTCOLUMNDATATYPENOTSUPPORTED;
            let message = code.message(&[&column.data_type.name(), &site.object, &spec.name]);
            report_column(spec, cx, column, code, message);
        }
        columns.push(Column { source: source.clone(), declared, data_type: column.data_type, site });
    }
    // Each rowset has an error output of its own: the component is looked at as if it had no other.
    let own = |place: usize| spec.outputs[place].is_error && spec.outputs[place].properties.str("RowsetID") == rowset;
    let mut alone = spec.clone();
    for (place, other) in alone.outputs.iter_mut().enumerate() {
        other.is_error = own(place);
    }
    let errors = ErrorOutput::bind(&alone, cx, columns.iter().map(|c| &c.site));
    let shown = errors.port().map_or_else(Vec::new, |place| {
        let column = |name: &str| output.columns.iter().position(|c| c.name == name);
        spec.outputs[place].columns.iter().map(|c| (c.special, c.data_type, column(&c.name))).collect()
    });
    let external = output.external.iter().map(|e| e.name.clone()).collect();
    Some(Output { port, name: output.name.clone(), rowset, columns, external, errors, shown })
}

struct Plan {
    name: String,
    document: Document,
    /// The path of the schema; None: the document holds it.
    schema: Option<String>,
    outputs: Vec<Output>,
    options: CastOptions,
}

impl Plan {
    fn cannot_process(&self, why: &str) -> Error {
        let code = codes::DTS_E_XMLSRCUNABLETOPROCESSXMLDATA;
        Error::new(Owner::Data, code, code.message(&[&self.name, &why]))
    }
}

struct Xml {
    plan: Arc<Plan>,
}

impl Source for Xml {
    fn open(&self, cx: &OpenCx) -> Result<Box<dyn Fetch>> {
        let plan = &self.plan;
        let text = |variable: &String| match cx.variables.read(variable) {
            Ok((_, Value::Text(text))) => Ok(text.to_string()),
            _ => {
                let code = codes::DTS_E_XMLSRCUNABLETOGETXMLDATAVARIABLE;
                Err(Error::new(Owner::Package, code, code.message(&[&plan.name, &"XMLDataVariable"])))
            }
        };
        let file = |name: String| -> Result<Box<dyn Read + Send>> {
            let path = cx.services.paths.resolve(&name);
            let file = File::open(&path).map_err(|e| {
                let code = codes::DTS_E_XMLSRCFAILEDTOCREATEREADER;
                let why = format!("\"{name}\" ({}): {e}", path.display());
                Error::new(Owner::Connection, code, code.message(&[&plan.name, &why]))
            })?;
            Ok(Box::new(file))
        };
        let bytes: Box<dyn Read + Send> = match &plan.document {
            Document::File(name) => file(name.clone())?,
            Document::FileOf(variable) => file(text(variable)?)?,
            // The declaration of a text names the encoding that it had as a file.
            Document::TextOf(variable) => Box::new(Cursor::new([MARK, text(variable)?.as_bytes()].concat())),
        };
        let schemas = match &plan.schema {
            Some(name) => Some(read::schemas(&cx.services.paths.resolve(name), name)?),
            None => None,
        };
        Ok(Box::new(Reading {
            plan: plan.clone(),
            cx: cx.clone(),
            input: read::input(bytes)?,
            buffer: Vec::new(),
            schemas,
            state: State::Start,
        }))
    }

    fn decoder(&self, cx: &OpenCx, outputs: &[Layout]) -> Result<Box<dyn Decode>> {
        let used = |output: &Output| match outputs.get(output.port) {
            Some(layout) => layout.columns.iter().map(|c| c.used).collect(),
            None => vec![true; output.columns.len()],
        };
        let used = self.plan.outputs.iter().map(used).collect();
        Ok(Box::new(Converting { plan: self.plan.clone(), name: cx.name.clone(), used }))
    }
}

/// The byte order mark of UTF-8.
const MARK: &[u8] = &[0xEF, 0xBB, 0xBF];

struct Converting {
    plan: Arc<Plan>,
    name: Arc<str>,
    /// By output and column: whether somebody reads it.
    used: Vec<Vec<bool>>,
}

impl Decode for Converting {
    fn decode(&mut self, seq: u64, morsel: Morsel, out: &mut Ports) -> Result<()> {
        let Ok(piece) = morsel.downcast::<Piece>() else {
            return Err(Error::internal("a morsel of another source"));
        };
        let Piece { outputs, bound } = *piece;
        for (index, mut rows) in outputs.into_iter().enumerate() {
            if rows.rows == 0 {
                continue;
            }
            let output = &self.plan.outputs[index];
            let given: Vec<ArrayRef> = rows
                .columns
                .iter_mut()
                .map(|column| -> ArrayRef {
                    match column {
                        Gathered::Text(builder) => Arc::new(builder.finish()),
                        Gathered::Key(builder) => Arc::new(builder.finish()),
                    }
                })
                .collect();
            let mut decided = RowFaults::of_rows(seq, rows.rows);
            let mut arrays: Vec<ArrayRef> = Vec::with_capacity(given.len());
            for (place, column) in output.columns.iter().enumerate() {
                let (array, faults) = column.convert(&given[place], bound.lexical(index, place), &self.plan.options)?;
                decided.column(&column.site, &faults, &|row| shown(&given[place], row as usize));
                arrays.push(if self.used[index][place] { array } else { Arc::new(NullArray::new(rows.rows)) });
            }
            let failure = decided.failure().cloned();
            let (selection, rejects) = decided.settle(&self.name).map_err(|induced| match &failure {
                Some(failure) => induced_by(&self.name, &output.name, failure, &induced),
                None => induced,
            })?;
            output.reject(seq, &rejects, &given, out);
            out.put(output.port, Batch { selection, ..Batch::new(seq, rows.rows, arrays) });
        }
        Ok(())
    }
}

/// The words of the XML Source for a row that fails it.
fn induced_by(name: &str, output: &str, failure: &dtsx_engine::flow::faults::Failure, induced: &Error) -> Error {
    let (code, fault) = (failure.fault.code, &failure.fault);
    let (code, message) = if fault.truncation {
        let own = codes::DTS_E_XMLSRC_INDUCEDTRANSFORMFAILUREONTRUNCATION;
        (own, own.message(&[&name, &failure.site.object, &output]))
    } else {
        let own = codes::DTS_E_XMLSRC_INDUCEDTRANSFORMFAILUREONERROR;
        let number = format!("{:08X}", code.0);
        (own, own.message(&[&name, &number, &failure.site.object, &output]))
    };
    let error = Error::new(Owner::Data, code, message);
    match induced.row() {
        Some(row) => error.with_row(row.clone()),
        None => error,
    }
}

fn shown(array: &ArrayRef, row: usize) -> Option<String> {
    let text = array.as_string_view_opt()?;
    (!text.is_null(row)).then(|| text.value(row).to_owned())
}

impl Output {
    /// Sends rejected rows to the output's error output: their values as text.
    fn reject(&self, seq: u64, rejects: &[Reject], given: &[ArrayRef], out: &mut Ports) {
        if rejects.is_empty() {
            return;
        }
        let Some(port) = self.errors.port().filter(|_| self.errors.attached()) else {
            self.errors.send_own(seq, rejects, |_, ty| new_null_array(&ty.arrow(), rejects.len()), out);
            return;
        };
        let indices = UInt32Array::from_iter_values(rejects.iter().map(|r| r.row));
        let column = |(special, data_type, source): &(SpecialColumn, DataType, Option<usize>)| -> ArrayRef {
            match special {
                SpecialColumn::ErrorCode => {
                    Arc::new(Int32Array::from_iter_values(rejects.iter().map(|r| r.code.signed())))
                }
                SpecialColumn::ErrorColumn => {
                    Arc::new(Int32Array::from_iter_values(rejects.iter().map(|r| r.column.0 as i32)))
                }
                SpecialColumn::None => {
                    let taken = source.and_then(|s| arrow::compute::take(&given[s], &indices, None).ok());
                    let text = taken.map(|array| match array.as_primitive_opt::<arrow::datatypes::UInt64Type>() {
                        Some(keys) => Arc::new(
                            keys.iter().map(|k| k.map(|k| k.to_string())).collect::<arrow::array::StringViewArray>(),
                        ),
                        None => array,
                    });
                    text.filter(|array| array.data_type() == &data_type.arrow())
                        .unwrap_or_else(|| new_null_array(&data_type.arrow(), rejects.len()))
                }
            }
        };
        out.put(port, Batch::new(seq, rejects.len(), self.shown.iter().map(column).collect()));
    }
}

impl Column {
    /// Values of the document in the type of the output.
    fn convert(&self, given: &ArrayRef, lexical: schema::Lexical, options: &CastOptions) -> Result<(ArrayRef, Faults)> {
        let (array, mut faults) = match given.as_string_view_opt() {
            None => cast_array(given, &DataType::UI8, &self.declared, options)?,
            Some(text) => values::typed(text, &self.declared, lexical, options)?,
        };
        let (array, more) = cast_array(&array, &self.declared, &self.data_type, options)?;
        if !more.is_empty() {
            faults.extend(more);
            faults.sort_by_key(|fault| (fault.row, fault.truncation));
            faults.dedup_by_key(|fault| fault.row);
        }
        Ok((array, faults))
    }
}
