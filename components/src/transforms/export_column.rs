//! Export Column: writes the value of a column into the file that another column names.
//!
//! ```text
//! Inputs[0].Columns[Path]   FileDataColumnID = the data column   AllowAppend   ForceTruncate   WriteBOM
//! Inputs[0].Columns[Data]   image, text or ntext
//! ```
//!
//! | AllowAppend | ForceTruncate | the file exists |
//! |---|---|---|
//! | False | False | the row fails |
//! | True | False | the value is appended |
//! | False | True | the file is made anew |
//! | True | True | refused |
//!
//! Rows are written in their order. A file that cannot be written meets the dispositions of the path's column.

use super::file_column::{Form, Reference, form, path_sources, reference};
use super::{one_input, report_column};
use crate::shared::stream::{Emitted, InOrder, Serial, Streaming};
use arrow::array::{Array, ArrayRef, AsArray};
use dtsx_engine::batch::{Batch, Fault, Faults};
use dtsx_engine::diag::{Code, Diagnostic, Error, Result, codes};
use dtsx_engine::flow::faults::{ErrorOutput, FaultSite, RowFaults};
use dtsx_engine::flow::{BindCx, Bound, ComponentKind, ComponentSpec, OpenCx, RowRule, Slot};
use std::borrow::Cow;
use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::Path;

/// `Microsoft.Extractor`.
pub struct ExportColumn;

impl ComponentKind for ExportColumn {
    fn kind(&self) -> &'static str {
        "Microsoft.Extractor"
    }

    fn title(&self) -> &'static str {
        "Export Column"
    }

    fn bind(&self, spec: &ComponentSpec, cx: &mut BindCx<'_>) -> Option<Bound> {
        one_input(spec, cx)?;
        let before = cx.diagnostics.len();
        let columns = &spec.inputs[0].columns;
        let mut exports: Vec<Export> = Vec::new();
        let mut referenced = vec![false; columns.len()];
        for place in 0..columns.len() {
            let Reference::To(id) = reference(columns[place].properties.str("FileDataColumnID")) else { continue };
            if let Some((data, export)) = export(spec, cx, place, id) {
                if referenced[data] {
                    let code = codes::DTS_E_EXTRACTORCOLUMNALREADYREFERENCED;
                    let first = exports.iter().find(|e| e.data_place == data).map_or("", |e| e.site.object.as_str());
                    let message = code.message(&[&export.site.object, &columns[data].lineage.0, &first]);
                    report_column(spec, cx, &columns[place], code, message);
                }
                referenced[data] = true;
                exports.push(export);
            }
        }
        for (place, column) in columns.iter().enumerate() {
            let is_path = matches!(reference(column.properties.str("FileDataColumnID")), Reference::To(_));
            if !is_path && !referenced[place] && !cx.diagnostics[before..].iter().any(Diagnostic::is_error) {
                let code = codes::DTS_E_EXTRACTORUNREFERENCED;
                let object = FaultSite::input_column(spec, 0, place).object;
                report_column(spec, cx, column, code, code.message(&[&object]));
            }
        }
        let errors = ErrorOutput::bind(spec, cx, exports.iter().map(|e| &e.site));
        if cx.diagnostics[before..].iter().any(Diagnostic::is_error) {
            return None;
        }
        let output = spec.outputs.iter().position(|o| !o.is_error);
        let plan = Plan { name: spec.name.clone(), output, outputs: spec.outputs.len(), exports, errors };
        Some(Bound::Stage(Box::new(Streaming::new(Serial(plan), RowRule::Each))))
    }
}

/// One pair of a path and a value.
struct Export {
    path: Slot,
    data: Slot,
    /// The place of the data column among the input's.
    data_place: usize,
    form: Form,
    append: bool,
    truncate: bool,
    bom: bool,
    site: FaultSite,
}

/// The export that the column at `place` asks for, and the place of the data column.
fn export(spec: &ComponentSpec, cx: &mut BindCx<'_>, place: usize, id: &str) -> Option<(usize, Export)> {
    let column = &spec.inputs[0].columns[place];
    let site = FaultSite::input_column(spec, 0, place);
    let lineage = cx.lineage(id);
    let columns = &spec.inputs[0].columns;
    let by_id = columns.iter().position(|c| c.id == id);
    let Some(data_place) = by_id.or_else(|| columns.iter().position(|c| Some(c.lineage) == lineage)) else {
        let code = codes::DTS_E_EXTRACTORREFERENCEDCOLUMNNOTFOUND;
        report_column(spec, cx, column, code, code.message(&[&site.object, &id]));
        return None;
    };
    // A lineage that the path does not bring is reported for every component alike.
    let (path, data) = (cx.inputs[0].slot(column.lineage)?, cx.inputs[0].slot(columns[data_place].lineage)?);
    if !cx.inputs[0].column(path).data_type.is_string() {
        let code = codes::DTS_E_EXTRACTORFILENAMECOLUMNNOTSTRING;
        report_column(spec, cx, column, code, code.message(&[&site.object]));
        return None;
    }
    let code = codes::DTS_E_EXTRACTORDATACOLUMNNOTBLOB;
    let not_long = (code, code.message(&[&site.object, &columns[data_place].name]));
    let data_type = cx.inputs[0].column(data).data_type;
    let form = form(spec, cx, column, data_type, not_long)?;
    let flag = |name: &str| column.properties.bool(name).unwrap_or(false);
    let (append, truncate) = (flag("AllowAppend"), flag("ForceTruncate"));
    if append && truncate {
        let code = codes::DTS_E_EXTRACTORCANTAPPENDTRUNCATE;
        let message = format!("{} AllowAppend and ForceTruncate are both set on {}.", code.message(&[]), site.object);
        report_column(spec, cx, column, code, message);
        return None;
    }
    // Only Unicode text has a mark.
    let bom = flag("WriteBOM") && matches!(form, Form::Unicode);
    Some((data_place, Export { path, data, data_place, form, append, truncate, bom, site }))
}

struct Plan {
    name: String,
    output: Option<usize>,
    outputs: usize,
    exports: Vec<Export>,
    errors: ErrorOutput,
}

impl InOrder for Plan {
    fn step(&self, cx: &OpenCx, batch: Batch, out: &mut Emitted) -> Result<Option<Batch>> {
        let mut rows = RowFaults::new(&batch);
        for export in &self.exports {
            let paths = path_sources(&batch.columns[export.path.0], &cx.services.paths)?;
            let mut faults = Faults::new();
            for (row, path) in paths.iter().enumerate() {
                cx.services.cancel.check()?;
                if rows.is_rejected(row as u32) {
                    continue;
                }
                // A row without a path has no file.
                let written = match path {
                    None => Err(codes::DTS_E_TXFILEEXTRACTORSTATIC_FILEOPENERR_FORWRITE),
                    Some(path) => export.write(path, &export.value(&batch.columns[export.data.0], row)?),
                };
                if let Err(code) = written {
                    faults.push(Fault { row: row as u32, code, truncation: false });
                    // Rows after the one that fails the component are not written.
                    if !matches!(
                        export.site.dispositions.error,
                        dtsx_engine::flow::Disposition::Ignore | dtsx_engine::flow::Disposition::Redirect
                    ) {
                        break;
                    }
                }
            }
            rows.column(&export.site, &faults, &|row| paths[row as usize].as_ref().map(|p| p.display().to_string()));
            if rows.failure().is_some() {
                break;
            }
        }
        let (selection, rejects) = rows.settle(&self.name)?;
        out.ports(self.outputs, |out| {
            self.errors.send(&batch, &rejects, out)?;
            if let Some(port) = self.output {
                out.put(port, Batch { selection, ..batch });
            }
            Ok(())
        })?;
        Ok(None)
    }

    fn end(&self, cx: &OpenCx) {
        self.errors.report_lost(cx);
    }
}

impl Export {
    /// The bytes that a row has for its file. NULL is a file without bytes (unconfirmed).
    fn value<'a>(&self, column: &'a ArrayRef, row: usize) -> Result<Cow<'a, [u8]>> {
        let wrong = || Error::internal(format!("values come as {}", column.data_type()));
        if column.is_null(row) {
            return Ok(Cow::Borrowed(&[]));
        }
        let text = || Ok::<_, Error>(column.as_string_view_opt().ok_or_else(wrong)?.value(row));
        Ok(match &self.form {
            Form::Bytes => Cow::Borrowed(column.as_binary_view_opt().ok_or_else(wrong)?.value(row)),
            Form::Unicode => Cow::Owned(text()?.encode_utf16().flat_map(u16::to_le_bytes).collect()),
            Form::Text(page) => {
                let mut bytes = Vec::new();
                // A character that the code page does not have becomes what the page has instead, as in a conversion.
                page.encode(text()?, &mut bytes);
                Cow::Owned(bytes)
            }
        })
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), Code> {
        let mut options = OpenOptions::new();
        match (self.append, self.truncate) {
            (true, _) => options.append(true).create(true),
            (_, true) => options.write(true).create(true).truncate(true),
            _ => options.write(true).create_new(true),
        };
        let mut file = options.open(path).map_err(|error| open_code(path, &error))?;
        let failed = |error: std::io::Error| match error.kind() {
            ErrorKind::StorageFull => codes::DTS_E_TXFILEEXTRACTORSTATIC_FILEWRITEERR_DISKFULL,
            _ => codes::DTS_E_TXFILEEXTRACTORSTATIC_EXTRACTORCANTWRITE,
        };
        let is_new = || file.metadata().is_ok_and(|m| m.len() == 0);
        if self.bom && is_new() {
            file.write_all(&[0xFF, 0xFE]).map_err(failed)?;
        }
        file.write_all(bytes).map_err(failed)
    }
}

fn open_code(path: &Path, error: &std::io::Error) -> Code {
    match error.kind() {
        ErrorKind::AlreadyExists => codes::DTS_E_TXFILEEXTRACTORSTATIC_FILEOPENERR_FORWRITE_FILEEXISTS,
        ErrorKind::NotFound if path.parent().is_some_and(Path::is_dir) => {
            codes::DTS_E_TXFILEEXTRACTORSTATIC_FILEOPENERR_FORWRITE_FILENOTFOUND
        }
        ErrorKind::NotFound => codes::DTS_E_TXFILEEXTRACTORSTATIC_FILEOPENERR_FORWRITE_PATHNOTFOUND,
        ErrorKind::PermissionDenied => codes::DTS_E_TXFILEEXTRACTORSTATIC_FILEOPENERR_FORWRITE_ACCESSDENIED,
        // EMFILE has no kind of its own.
        _ if error.raw_os_error() == Some(24) => {
            codes::DTS_E_TXFILEEXTRACTORSTATIC_FILEOPENERR_FORWRITE_TOOMANYOPENFILES
        }
        _ => codes::DTS_E_TXFILEEXTRACTORSTATIC_FILEOPENERR_FORWRITE,
    }
}
