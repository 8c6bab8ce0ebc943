//! Import Column: reads the file that a column names into a column of DT_IMAGE, DT_TEXT or DT_NTEXT.
//!
//! ```text
//! Inputs[0].Columns[Path]   FileDataColumnID = the output column   ExpectBOM = False
//! Outputs[0].Columns[Picture]  image
//! ```
//!
//! Paths go through the run's path rules. Files are read in the order of the rows, a bounded amount at a time. A file that
//! cannot be read, or is not as ExpectBOM says, meets the dispositions of the path's column; ignored, the value is NULL.

use super::file_column::{Form, Reference, form, path_sources, reference};
use super::{one_input, one_output, report_column};
use crate::shared::stream::{Emitted, InOrder, Serial, Streaming};
use arrow::array::{ArrayRef, BinaryViewBuilder, StringViewBuilder};
use dtsx_engine::batch::{Batch, Fault, Faults};
use dtsx_engine::diag::{Code, Diagnostic, Result, codes};
use dtsx_engine::flow::faults::{ErrorOutput, FaultSite, RowFaults};
use dtsx_engine::flow::{BindCx, Bound, ComponentKind, ComponentSpec, Disposition, OpenCx, RowRule, Slot};
use dtsx_engine::types::DataType;
use std::path::Path;
use std::sync::Arc;

/// Bytes of files that one batch holds, if it holds more than one.
const BATCH_BYTES: u64 = 16 << 20;

/// `Microsoft.Inserter`.
pub struct ImportColumn;

impl ComponentKind for ImportColumn {
    fn kind(&self) -> &'static str {
        "Microsoft.Inserter"
    }

    fn title(&self) -> &'static str {
        "Import Column"
    }

    fn bind(&self, spec: &ComponentSpec, cx: &mut BindCx<'_>) -> Option<Bound> {
        one_input(spec, cx)?;
        let output = one_output(spec, cx)?;
        let before = cx.diagnostics.len();
        let imports: Vec<Import> =
            (0..spec.inputs[0].columns.len()).filter_map(|column| import(spec, cx, output, column)).collect();
        // What a wrong input column refers to is not known.
        let complete = imports.len() == spec.inputs[0].columns.len();
        for (place, column) in spec.outputs[output].columns.iter().enumerate() {
            let mut readers = imports.iter().filter(|i| i.target == place);
            if readers.next().is_none() && complete {
                let code = codes::DTS_E_INSERTERCOLUMNNOTREFERENCED;
                let object = FaultSite::output_column(spec, output, place).object;
                report_column(spec, cx, column, code, code.message(&[&object]));
            }
            if let Some(second) = readers.next() {
                let code = codes::DTS_E_INSERTERCOLUMNALREADYREFERENCED;
                let message = code.message(&[&second.site.object, &column.lineage.0, &column.name]);
                cx.error(spec, code, message);
            }
        }
        let errors = ErrorOutput::bind(spec, cx, imports.iter().map(|i| &i.site));
        if cx.diagnostics[before..].iter().any(Diagnostic::is_error) {
            return None;
        }
        let mut columns: Vec<Option<Import>> = spec.outputs[output].columns.iter().map(|_| None).collect();
        for import in imports {
            let target = import.target;
            columns[target] = Some(import);
        }
        let columns = columns.into_iter().collect::<Option<Vec<_>>>()?;
        let plan = Plan { name: spec.name.clone(), output, outputs: spec.outputs.len(), columns, errors };
        Some(Bound::Stage(Box::new(Streaming::new(Serial(plan), RowRule::Each))))
    }
}

/// One column that is read from files.
struct Import {
    path: Slot,
    /// Its place among the output's columns.
    target: usize,
    form: Form,
    expect_bom: bool,
    site: FaultSite,
}

fn import(spec: &ComponentSpec, cx: &mut BindCx<'_>, output: usize, column: usize) -> Option<Import> {
    let column_spec = &spec.inputs[0].columns[column];
    let mut site = FaultSite::input_column(spec, 0, column);
    let text = column_spec.properties.str("FileDataColumnID");
    let lineage = match reference(text) {
        Reference::None => None,
        Reference::To(_) => cx.lineage(text),
    };
    let target = lineage.and_then(|l| spec.outputs[output].columns.iter().position(|c| c.lineage == l));
    let Some(target) = target else {
        let code = codes::DTS_E_INSERTERREFERENCEDCOLUMNNOTFOUND;
        report_column(spec, cx, column_spec, code, code.message(&[&site.object, &text]));
        return None;
    };
    // A lineage that the path does not bring is reported for every component alike.
    let path = cx.inputs[0].slot(column_spec.lineage)?;
    let data = &spec.outputs[output].columns[target];
    if !cx.inputs[0].column(path).data_type.is_string() {
        let code = codes::DTS_E_INSERTERINVALIDCOLUMNDATATYPE;
        report_column(spec, cx, column_spec, code, code.message(&[&site.object]));
        return None;
    }
    let expect_bom = column_spec.properties.bool("ExpectBOM").unwrap_or(false);
    if expect_bom && data.data_type != DataType::NText {
        let code = codes::DTS_E_INSERTEREXPECTBOMINVALIDTYPE;
        report_column(spec, cx, column_spec, code, code.message(&[&site.object, &data.name]));
        return None;
    }
    let code = codes::DTS_E_INSERTERDATACOLUMNNOTBLOB;
    let not_long = (code, code.message(&[&site.object, &data.name]));
    let form = form(spec, cx, column_spec, data.data_type, not_long)?;
    if site.dispositions.error == Disposition::NotUsed {
        site.dispositions = data.dispositions;
    }
    Some(Import { path, target, form, expect_bom, site })
}

struct Plan {
    name: String,
    output: usize,
    outputs: usize,
    /// By column of the output.
    columns: Vec<Import>,
    errors: ErrorOutput,
}

impl InOrder for Plan {
    fn step(&self, cx: &OpenCx, batch: Batch, out: &mut Emitted) -> Result<Option<Batch>> {
        let (batch, rest) = match self.rows_at_once(&batch, cx)? {
            all if all >= batch.rows => (batch, None),
            some => (batch.slice(0, some), Some(batch.slice(some, batch.rows - some))),
        };
        let mut rows = RowFaults::new(&batch);
        let mut columns = batch.columns.clone();
        for import in &self.columns {
            let paths = path_sources(&batch.columns[import.path.0], &cx.services.paths)?;
            let (array, faults) = import.read(&paths, cx)?;
            rows.column(&import.site, &faults, &|row| paths[row as usize].as_ref().map(|p| p.display().to_string()));
            columns.push(array);
        }
        let (selection, rejects) = rows.settle(&self.name)?;
        out.ports(self.outputs, |out| {
            self.errors.send(&batch, &rejects, out)?;
            out.put(self.output, Batch { columns, selection, ..batch });
            Ok(())
        })?;
        Ok(rest)
    }

    fn end(&self, cx: &OpenCx) {
        self.errors.report_lost(cx);
    }
}

impl Plan {
    /// How many rows of the batch may be read together; at least one.
    fn rows_at_once(&self, batch: &Batch, cx: &OpenCx) -> Result<usize> {
        let mut sizes = vec![0_u64; batch.rows];
        for import in &self.columns {
            let paths = path_sources(&batch.columns[import.path.0], &cx.services.paths)?;
            for (size, path) in sizes.iter_mut().zip(&paths) {
                *size += path.as_ref().and_then(|p| p.metadata().ok()).map_or(0, |m| m.len());
            }
        }
        let mut total = 0;
        let over = sizes.iter().position(|size| {
            total += size;
            total > BATCH_BYTES
        });
        Ok(over.map_or(batch.rows, |at| at.max(1)))
    }
}

impl Import {
    fn read(&self, paths: &[Option<std::path::PathBuf>], cx: &OpenCx) -> Result<(ArrayRef, Faults)> {
        let mut faults = Faults::new();
        let mut bytes = BinaryViewBuilder::new();
        let mut text = StringViewBuilder::new();
        for (row, path) in paths.iter().enumerate() {
            cx.services.cancel.check()?;
            // A row without a path has no file (unconfirmed: SSIS may as well leave NULL).
            let read = match path {
                None => Err(codes::DTS_E_TXFILEINSERTERSTATIC_FILEOPENERR_FORREAD),
                Some(path) => read(path),
            };
            let value = read.and_then(|read| self.decode(read));
            match (&self.form, value) {
                (Form::Bytes, Ok(Content::Bytes(value))) => bytes.append_value(value),
                (_, Ok(Content::Text(value))) => text.append_value(value),
                (Form::Bytes, Err(code)) => {
                    bytes.append_null();
                    faults.push(Fault { row: row as u32, code, truncation: false });
                }
                (_, Err(code)) => {
                    text.append_null();
                    faults.push(Fault { row: row as u32, code, truncation: false });
                }
                (_, Ok(Content::Bytes(_))) => text.append_null(),
            }
        }
        let array: ArrayRef = match self.form {
            Form::Bytes => Arc::new(bytes.finish()),
            _ => Arc::new(text.finish()),
        };
        Ok((array, faults))
    }

    fn decode(&self, bytes: Vec<u8>) -> Result<Content, Code> {
        Ok(match &self.form {
            Form::Bytes => Content::Bytes(bytes),
            Form::Text(page) => Content::Text(page.decode(&bytes).into_owned()),
            Form::Unicode => Content::Text(unicode(&bytes, self.expect_bom)?),
        })
    }
}

enum Content {
    Bytes(Vec<u8>),
    Text(String),
}

/// UTF-16, little endian. With ExpectBOM the mark has to be there and is no part of the value; without, a mark is a
/// character like any other (unconfirmed).
fn unicode(bytes: &[u8], expect_bom: bool) -> Result<String, Code> {
    let bytes = match (expect_bom, bytes.strip_prefix(&[0xFF, 0xFE])) {
        (true, Some(rest)) => rest,
        (true, None) => return Err(codes::DTS_E_TXFILEINSERTERSTATIC_INSERTERINVALIDBOM),
        (false, _) => bytes,
    };
    let units = bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
    Ok(char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect())
}

/// The longest value of a column: what a view can say.
const LONGEST: u64 = i32::MAX as u64;

fn read(path: &Path) -> Result<Vec<u8>, Code> {
    if path.metadata().is_ok_and(|m| m.len() > LONGEST) {
        return Err(codes::DTS_E_TXFILEINSERTERSTATIC_INSERTERCANTREAD);
    }
    std::fs::read(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound if path.parent().is_some_and(|p| p.as_os_str().is_empty() || p.is_dir()) => {
            codes::DTS_E_TXFILEINSERTERSTATIC_FILEOPENERR_FORREAD_FILENOTFOUND
        }
        std::io::ErrorKind::NotFound => codes::DTS_E_TXFILEINSERTERSTATIC_FILEOPENERR_FORREAD_PATHNOTFOUND,
        std::io::ErrorKind::PermissionDenied => codes::DTS_E_TXFILEINSERTERSTATIC_FILEOPENERR_FORREAD_ACCESSDENIED,
        // EMFILE has no kind of its own.
        _ if error.raw_os_error() == Some(24) => codes::DTS_E_TXFILEINSERTERSTATIC_FILEOPENERR_FORREAD_TOOMANYOPENFILES,
        _ => codes::DTS_E_TXFILEINSERTERSTATIC_FILEOPENERR_FORREAD,
    })
}
