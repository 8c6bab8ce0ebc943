//! Raw File Destination: rows go to a raw file, for a Raw File Source to read.
//!
//! ```text
//! Raw File Destination   FileName = C:\Data\Orders.raw   WriteOption = 0
//!   Inputs[0]  the columns of the file, in order
//! ```
//!
//! | WriteOption | |
//! |---|---|
//! | 0 Create always | the file is made anew |
//! | 1 Create once | the file must not be there |
//! | 2 Append | rows are added to a file of the same columns |
//! | 3 Truncate and append | the rows of such a file are replaced |
//!
//! Batches are encoded on any lane and written in order. A file that is appended to, or truncated, keeps its columns and
//! their order, which have to be those of the input.

use crate::shared::raw_file::stream::{CONTINUATION, END, Reader, Writer, header};
use crate::shared::raw_file::{self, FileName, RawColumn};
use crate::shared::{inputs, report_column};
use arrow::array::ArrayRef;
use dtsx_engine::batch::Batch;
use dtsx_engine::diag::{Code, Diagnostic, Error, Owner, Result, codes};
use dtsx_engine::flow::{
    BindCx, Block, Bound, Commit, Committed, ComponentKind, ComponentSpec, Encode, Layout, OpenCx, Sink, Slot, Waker,
};
use dtsx_engine::props::{PropertyDef, PropertyType};
use std::fs::{File, OpenOptions};
use std::io::{BufWriter, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// `Microsoft.RawDestination`.
pub struct RawFileDestination;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum WriteOption {
    CreateAlways,
    CreateOnce,
    Append,
    TruncateAndAppend,
}

const PROPERTIES: &[PropertyDef] = {
    let [mode, name, variable] = raw_file::FILE_PROPERTIES;
    &[
        mode,
        name,
        variable,
        PropertyDef {
            name: "WriteOption",
            ty: PropertyType::Int,
            default: "0",
            doc: "What becomes of a file that is there: Create always 0, Create once 1, Append 2, Truncate and append 3.",
        },
    ]
};

impl ComponentKind for RawFileDestination {
    fn kind(&self) -> &'static str {
        "Microsoft.RawDestination"
    }

    fn title(&self) -> &'static str {
        "Raw File Destination"
    }

    fn properties(&self) -> &'static [PropertyDef] {
        PROPERTIES
    }

    fn bind(&self, spec: &ComponentSpec, cx: &mut BindCx<'_>) -> Option<Bound> {
        let [input] = inputs(spec, cx)?;
        let before = cx.diagnostics.len();
        let file = FileName::bind(spec, cx);
        let option = match spec.properties.int("WriteOption").unwrap_or(0) {
            0 => WriteOption::CreateAlways,
            1 => WriteOption::CreateOnce,
            2 => WriteOption::Append,
            3 => WriteOption::TruncateAndAppend,
            other => {
                let code = codes::DTS_E_RAWCANTAPPENDTRUNCATE;
                cx.error(spec, code, format!("{} WriteOption is {other}.", code.message(&[])));
                return None;
            }
        };
        if input.columns.is_empty() {
            let code = codes::DTS_E_RAWDESTNOINPUTCOLUMNS;
            cx.error(spec, code, code.message(&[]));
        }
        let layout = cx.inputs[0].clone();
        let mut columns = Vec::with_capacity(input.columns.len());
        for column in &input.columns {
            // A lineage that the path does not bring is reported for every component alike.
            let slot = layout.slot(column.lineage)?;
            let external = column.external.and_then(|i| input.external.get(i));
            let name = external.map_or(&column.name, |e| &e.name);
            let name = if name.is_empty() { &layout.column(slot).name } else { name };
            let raw = RawColumn::of(name, &layout, slot);
            if raw.data_type.is_blob() {
                let code = codes::DTS_E_RAWDESTBLOBDATATYPE;
                let object = format!("{}.Inputs[{}].Columns[{}]", spec.name, input.name, column.name);
                report_column(spec, cx, column, code, code.message(&[&object]));
            }
            columns.push((slot, raw));
        }
        if cx.diagnostics[before..].iter().any(Diagnostic::is_error) {
            return None;
        }
        let plan = Plan { file: file?, option, columns, order: Mutex::default() };
        Some(Bound::Sink(Box::new(RawDestination { plan: Arc::new(plan) })))
    }
}

struct Plan {
    file: FileName,
    option: WriteOption,
    columns: Vec<(Slot, RawColumn)>,
    /// The columns as the file at hand orders them; set when it is opened.
    order: Mutex<Vec<(Slot, RawColumn)>>,
}

struct RawDestination {
    plan: Arc<Plan>,
}

impl Sink for RawDestination {
    fn open(&self, cx: &OpenCx, _input: &Layout) -> Result<Box<dyn Commit>> {
        let name = self.plan.file.now(&*cx.variables)?;
        let target = Target { path: cx.services.paths.resolve(&name), name };
        let (file, order) = target.open(&self.plan)?;
        *self.plan.order.lock().unwrap_or_else(PoisonError::into_inner) = order;
        Ok(Box::new(RawCommit { file: BufWriter::new(file), target }))
    }

    fn encoder(&self, _cx: &OpenCx, _input: &Layout) -> Result<Box<dyn Encode>> {
        let order = self.plan.order.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let columns: Vec<RawColumn> = order.iter().map(|(_, column)| column.clone()).collect();
        let slots = order.iter().map(|(slot, _)| *slot).collect();
        Ok(Box::new(RawEncode { slots, writer: Writer::new(&columns)? }))
    }
}

/// The file to write.
struct Target {
    /// Its path as the package spells it.
    name: String,
    path: PathBuf,
}

type Columns = Vec<(Slot, RawColumn)>;

impl Target {
    fn cannot(&self, code: Code, cause: &std::io::Error) -> Error {
        raw_file::cannot(code, &self.name, &self.path, cause)
    }

    /// Opens the file for writing, at the place where the first batch goes, and orders the columns as it does.
    fn open(&self, plan: &Plan) -> Result<(File, Columns)> {
        let cannot = |e: std::io::Error| self.cannot(codes::DTS_E_RAWFILECANTOPEN, &e);
        let mut options = OpenOptions::new();
        match plan.option {
            WriteOption::CreateAlways => options.write(true).create(true).truncate(true),
            WriteOption::CreateOnce => options.write(true).create_new(true),
            // That there must be a file to append to is unconfirmed for a file that is not there yet.
            WriteOption::Append | WriteOption::TruncateAndAppend => options.read(true).write(true),
        };
        let mut file = options.open(&self.path).map_err(|e| match e.kind() {
            ErrorKind::AlreadyExists => {
                let code = codes::DTS_E_RAWEXISTSCREATEONCE;
                Error::new(Owner::Environment, code, format!("{} File \"{}\".", code.message(&[]), self.name))
            }
            _ => cannot(e),
        })?;
        let order = match plan.option {
            WriteOption::CreateAlways | WriteOption::CreateOnce => plan.columns.clone(),
            WriteOption::Append | WriteOption::TruncateAndAppend => self.matched(&mut file, plan)?,
        };
        let columns: Vec<RawColumn> = order.iter().map(|(_, column)| column.clone()).collect();
        if plan.option == WriteOption::Append {
            self.seek_end_mark(&mut file)?;
        } else {
            file.set_len(0).map_err(cannot)?;
            file.seek(SeekFrom::Start(0)).map_err(cannot)?;
            file.write_all(&header(&columns)?).map_err(cannot)?;
        }
        Ok((file, order))
    }

    /// The input's columns in the order of the file, which must have the same.
    fn matched(&self, file: &mut File, plan: &Plan) -> Result<Columns> {
        let cannot = |e: std::io::Error| self.cannot(codes::DTS_E_RAWFILECANTOPENFORMETADATA, &e);
        let bytes = file.metadata().map_err(cannot)?.len();
        let mut start = Vec::new();
        (&mut *file).take(4).read_to_end(&mut start).map_err(cannot)?;
        file.seek(SeekFrom::Start(0)).map_err(cannot)?;
        if start != CONTINUATION {
            let code = codes::DTS_E_RAWVERSIONINCOMPATIBLEAPPEND;
            return Err(Error::new(Owner::Data, code, format!("{} File \"{}\".", code.message(&[]), self.name)));
        }
        let reader = Reader::open(file.try_clone().map_err(cannot)?, bytes, Arc::from(self.name.as_str()))?;
        let mismatch =
            |code: Code, text: String| Error::new(Owner::Data, code, format!("{text} File \"{}\".", self.name));
        if reader.columns.len() != plan.columns.len() {
            let code = codes::DTS_E_RAWMETADATACOUNTMISMATCH;
            return Err(mismatch(code, code.message(&[])));
        }
        if let Some((_, lost)) =
            plan.columns.iter().find(|(_, wanted)| !reader.columns.iter().any(|c| c.name == wanted.name))
        {
            let code = codes::DTS_E_RAWMETADATAMISMATCH;
            return Err(mismatch(code, code.message(&[&lost.name])));
        }
        let mut order = Columns::with_capacity(plan.columns.len());
        for column in &reader.columns {
            let Some((slot, wanted)) = plan.columns.iter().find(|(_, wanted)| wanted.name == column.name) else {
                let code = codes::DTS_E_RAWMETADATACOUNTMISMATCH;
                return Err(mismatch(code, code.message(&[])));
            };
            if let Some(code) = difference(wanted, column) {
                let text = format!(
                    "{} The column \"{}\" is {} there and {} here.",
                    code.message(&[]),
                    column.name,
                    column.data_type,
                    wanted.data_type
                );
                return Err(mismatch(code, text));
            }
            order.push((*slot, column.clone()));
        }
        Ok(order)
    }

    /// Goes to the end mark, over which the next batch is written.
    fn seek_end_mark(&self, file: &mut File) -> Result<()> {
        let cannot = |e: std::io::Error| self.cannot(codes::DTS_E_RAWFILECANTOPENFORMETADATA, &e);
        let mut end = [0; END.len()];
        let found = file.seek(SeekFrom::End(-(END.len() as i64))).and_then(|_| file.read_exact(&mut end));
        if found.is_err() || end != END {
            let code = codes::DTS_E_RAWUNEXPECTEDEOF;
            return Err(Error::new(Owner::Data, code, code.message(&[&END.len(), &self.name])));
        }
        file.seek(SeekFrom::End(-(END.len() as i64))).map_err(cannot)?;
        Ok(())
    }
}

/// How the types of two columns of one name differ.
fn difference(wanted: &RawColumn, actual: &RawColumn) -> Option<Code> {
    let (a, b) = (&wanted.data_type, &actual.data_type);
    if a == b {
        None
    } else if a.code() != b.code() {
        Some(codes::DTS_E_RAWMETADATAMISMATCHTYPE)
    } else if a.length() != b.length() {
        Some(codes::DTS_E_RAWMETADATAMISMATCHSIZE)
    } else if a.code_page() != b.code_page() {
        Some(codes::DTS_E_RAWMETADATAMISMATCHCODEPAGE)
    } else if a.precision() != b.precision() {
        Some(codes::DTS_E_RAWMETADATAMISMATCHPRECISION)
    } else {
        Some(codes::DTS_E_RAWMETADATAMISMATCHSCALE)
    }
}

struct RawEncode {
    slots: Vec<Slot>,
    writer: Writer,
}

impl Encode for RawEncode {
    fn encode(&mut self, batch: Batch) -> Result<Block> {
        let columns: Vec<ArrayRef> = self.slots.iter().map(|slot| batch.columns[slot.0].clone()).collect();
        let bytes = if batch.rows == 0 { Vec::new() } else { self.writer.encode(columns)? };
        Ok(Box::new(bytes))
    }
}

struct RawCommit {
    file: BufWriter<File>,
    target: Target,
}

impl RawCommit {
    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.write_all(bytes).map_err(|e| {
            let code = codes::DTS_E_RAWCANTWRITE;
            let text = format!("{} {e}", code.message(&[&bytes.len(), &self.target.name]));
            Error::new(Owner::Environment, code, text)
        })
    }
}

impl Commit for RawCommit {
    fn commit(&mut self, block: Block, _waker: &Waker) -> Result<Committed> {
        let Ok(bytes) = block.downcast::<Vec<u8>>() else {
            return Err(Error::internal("a block of another destination"));
        };
        self.write(&bytes)?;
        Ok(Committed::Taken)
    }

    // A file that a failed flow leaves has no end mark, and so cannot be taken for a whole one.
    fn finish(&mut self) -> Result<()> {
        self.write(&END)?;
        self.file.flush().map_err(|e| self.target.cannot(codes::DTS_E_RAWFILECANTBUFFER, &e))
    }
}
