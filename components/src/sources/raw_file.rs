//! Raw File Source: the rows of a raw file, as they were written.
//!
//! ```text
//! Raw File Source   AccessMode = 0   FileName = C:\Data\Orders.raw
//!   Outputs[0]  some columns of the file, by name
//! ```
//!
//! A batch of the file is a morsel: it is read as bytes, and becomes arrays on any lane. Columns that nobody reads are
//! not looked at. Files that SQL Server wrote are read as far as their layout is known.

use crate::shared::raw_file::foreign::{self, Header};
use crate::shared::raw_file::stream::{CONTINUATION, Message, Reader};
use crate::shared::raw_file::{self, FileName, RawColumn, damaged};
use crate::shared::{fits, report_column, taken};
use arrow::array::{ArrayRef, NullArray};
use dtsx_engine::batch::Batch;
use dtsx_engine::diag::{Diagnostic, Error, Owner, Result, Severity, codes};
use dtsx_engine::events::Message as Event;
use dtsx_engine::flow::{
    BindCx, Bound, ComponentKind, ComponentSpec, Decode, Fetch, Layout, Morsel, OpenCx, Ports, Source, Step, Waker,
};
use dtsx_engine::props::PropertyDef;
use dtsx_engine::types::DataType;
use dtsx_engine::types::convert::CastOptions;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::sync::Arc;

/// Bytes of a foreign file that are read at a time, about.
const BLOCK: usize = 256 * 1024;
/// The longest header of a foreign file that is looked at.
const MAX_HEADER: usize = 1 << 20;

/// `Microsoft.RawSource`.
pub struct RawFileSource;

impl ComponentKind for RawFileSource {
    fn kind(&self) -> &'static str {
        "Microsoft.RawSource"
    }

    fn title(&self) -> &'static str {
        "Raw File Source"
    }

    fn properties(&self) -> &'static [PropertyDef] {
        &raw_file::FILE_PROPERTIES
    }

    fn bind(&self, spec: &ComponentSpec, cx: &mut BindCx<'_>) -> Option<Bound> {
        let before = cx.diagnostics.len();
        let file = FileName::bind(spec, cx);
        let Some(port) = spec.outputs.iter().position(|o| !o.is_error) else {
            let code = codes::DTS_E_INCORRECTEXACTNUMBEROFOUTPUTS;
            cx.error(spec, code, code.message(&[&1]));
            return None;
        };
        let output = &spec.outputs[port];
        let mut columns = Vec::with_capacity(output.columns.len());
        for column in &output.columns {
            let external = column.external.and_then(|i| output.external.get(i));
            let name = external.map_or(&column.name, |e| &e.name).clone();
            if column.data_type.is_blob() {
                let code = codes::DTS_E_RAWNOLONGTYPES;
                report_column(spec, cx, column, code, code.message(&[&column.name]));
            }
            columns.push((name, column.data_type));
        }
        if cx.diagnostics[before..].iter().any(Diagnostic::is_error) {
            return None;
        }
        let plan = Plan { file: file?, port, columns };
        Some(Bound::Source(Box::new(RawSource { plan: Arc::new(plan) })))
    }
}

struct Plan {
    file: FileName,
    port: usize,
    /// By output column, its name in the file and its type.
    columns: Vec<(String, DataType)>,
}

/// What is known of a file once it is open; every morsel brings it to its lane.
struct Opened {
    name: Arc<str>,
    /// By output column, its place in the file.
    places: Vec<usize>,
    form: Form,
}

enum Form {
    Stream(arrow::datatypes::SchemaRef),
    Foreign(Header),
}

impl Plan {
    /// Where the output's columns stand among those of the file.
    fn places(&self, columns: &[RawColumn], name: &str) -> Result<Vec<usize>> {
        let place = |(wanted, data_type): &(String, DataType)| {
            let found = columns.iter().position(|c| c.name == *wanted);
            let Some(place) = found.or_else(|| columns.iter().position(|c| c.name.eq_ignore_ascii_case(wanted))) else {
                return Err(damaged(codes::DTS_E_RAWBADHEADER, name, format!("it has no column \"{wanted}\"")));
            };
            let actual = columns[place].data_type;
            if !fits(&actual, data_type) {
                let why = format!("the column \"{wanted}\" is {actual} there and {data_type} in the package");
                return Err(damaged(codes::DTS_E_RAWMETADATAMISMATCHTYPE, name, why));
            }
            Ok(place)
        };
        self.columns.iter().map(place).collect()
    }
}

struct RawSource {
    plan: Arc<Plan>,
}

impl Source for RawSource {
    fn open(&self, cx: &OpenCx) -> Result<Box<dyn Fetch>> {
        let name: Arc<str> = Arc::from(self.plan.file.now(&*cx.variables)?);
        let path = cx.services.paths.resolve(&name);
        let cannot = |e: std::io::Error| raw_file::cannot(codes::DTS_E_RAWFILECANTOPENREAD, &name, &path, &e);
        let mut file = File::open(&path).map_err(cannot)?;
        let bytes = file.metadata().map_err(cannot)?.len();
        let mut start = Vec::new();
        (&mut file).take(4).read_to_end(&mut start).map_err(cannot)?;
        file.seek(SeekFrom::Start(0)).map_err(cannot)?;
        if start == CONTINUATION {
            let reader = Reader::open(file, bytes, name.clone())?;
            let places = self.plan.places(&reader.columns, &name)?;
            let none = reader.columns.is_empty();
            let form = Form::Stream(reader.schema.clone());
            if none {
                no_columns(cx);
            }
            return Ok(Box::new(Messages { reader, opened: Arc::new(Opened { name, places, form }) }));
        }
        let mut head = Vec::new();
        (&mut file).take(MAX_HEADER as u64).read_to_end(&mut head).map_err(cannot)?;
        let header = foreign::header(&head, &name)?
            .ok_or_else(|| damaged(codes::DTS_E_RAWBADHEADER, &name, "it ends within its header"))?;
        file.seek(SeekFrom::Start(header.length as u64)).map_err(cannot)?;
        let places = self.plan.places(&header.columns, &name)?;
        let row = header.row_size();
        Ok(Box::new(ForeignRows { file, row, opened: Arc::new(Opened { name, places, form: Form::Foreign(header) }) }))
    }

    fn decoder(&self, _cx: &OpenCx, outputs: &[Layout]) -> Result<Box<dyn Decode>> {
        let used = match outputs.get(self.plan.port) {
            Some(layout) => layout.columns.iter().map(|c| c.used).collect(),
            None => vec![true; self.plan.columns.len()],
        };
        Ok(Box::new(RawDecode { plan: self.plan.clone(), used }))
    }
}

fn no_columns(cx: &OpenCx) {
    let code = codes::DTS_I_RAWSOURCENOCOLUMNS;
    let sub_component = cx.name.to_string();
    cx.events.fire(Event { severity: Severity::Information, code, sub_component, text: code.message(&[]) });
}

/// Some rows of a file, as bytes.
struct Rows {
    opened: Arc<Opened>,
    bytes: Bytes,
}

enum Bytes {
    Message(Message),
    /// Whole rows of a foreign file.
    Foreign(Vec<u8>),
}

struct Messages {
    reader: Reader,
    opened: Arc<Opened>,
}

impl Fetch for Messages {
    fn fetch(&mut self, _waker: &Waker) -> Result<Step<Morsel>> {
        Ok(match self.reader.next()? {
            Some(message) => Step::More(Box::new(Rows { opened: self.opened.clone(), bytes: Bytes::Message(message) })),
            None => Step::Done,
        })
    }
}

struct ForeignRows {
    file: File,
    row: usize,
    opened: Arc<Opened>,
}

impl Fetch for ForeignRows {
    fn fetch(&mut self, _waker: &Waker) -> Result<Step<Morsel>> {
        let want = self.row * (BLOCK / self.row).max(1);
        let mut block = Vec::with_capacity(want);
        (&mut self.file).take(want as u64).read_to_end(&mut block).map_err(|e| {
            let code = codes::DTS_E_RAWCANTREAD;
            Error::new(Owner::Environment, code, format!("{} {e}", code.message(&[&want, &self.opened.name])))
        })?;
        if block.is_empty() {
            return Ok(Step::Done);
        }
        if block.len() % self.row != 0 {
            let code = codes::DTS_E_RAWUNEXPECTEDEOF;
            return Err(Error::new(Owner::Data, code, code.message(&[&self.row, &self.opened.name])));
        }
        Ok(Step::More(Box::new(Rows { opened: self.opened.clone(), bytes: Bytes::Foreign(block) })))
    }
}

struct RawDecode {
    plan: Arc<Plan>,
    used: Vec<bool>,
}

/// Values of a file in the type of their column. Arrow knows no lengths: a file that another program wrote may hold texts
/// and bytes that are longer than it says.
fn measured(array: &ArrayRef, (column, data_type): &(String, DataType), name: &str) -> Result<ArrayRef> {
    let (array, faults) = taken(array, *data_type, data_type, &CastOptions::data_flow(1033))?;
    match faults.first() {
        None => Ok(array),
        Some(_) => {
            let why = format!("the column \"{column}\" has a value that is no {data_type}");
            Err(damaged(codes::DTS_E_RAWBADHEADER, name, why))
        }
    }
}

impl Decode for RawDecode {
    fn decode(&mut self, seq: u64, morsel: Morsel, out: &mut Ports) -> Result<()> {
        let Ok(block) = morsel.downcast::<Rows>() else {
            return Err(Error::internal("a morsel of another source"));
        };
        let Opened { name, places, form } = &*block.opened;
        let wanted = |(place, used): (&usize, &bool)| used.then_some(*place);
        let wanted: Vec<Option<usize>> = places.iter().zip(&self.used).map(wanted).collect();
        let (rows, columns) = match (form, &block.bytes) {
            (Form::Stream(schema), Bytes::Message(message)) => {
                let projection: Vec<usize> = wanted.iter().flatten().copied().collect();
                let (rows, read) = message.batch(schema, &projection, name)?;
                let mut read = read.into_iter();
                let column = |(wanted, planned): (&Option<usize>, &(String, DataType))| match wanted {
                    Some(_) => {
                        let array = read.next().ok_or_else(|| Error::internal("fewer columns than asked for"))?;
                        measured(&array, planned, name)
                    }
                    None => Ok(nothing(rows)),
                };
                (rows, wanted.iter().zip(&self.plan.columns).map(column).collect::<Result<Vec<_>>>()?)
            }
            (Form::Foreign(header), Bytes::Foreign(bytes)) => {
                let rows = header.rows(bytes, name)?;
                let column = |wanted: &Option<usize>| match wanted {
                    Some(place) => header.column(bytes, *place),
                    None => Ok(nothing(rows)),
                };
                (rows, wanted.iter().map(column).collect::<Result<Vec<_>>>()?)
            }
            _ => return Err(Error::internal("bytes of another form")),
        };
        out.put(self.plan.port, Batch::new(seq, rows, columns));
        Ok(())
    }
}

/// A column that nobody reads.
fn nothing(rows: usize) -> ArrayRef {
    Arc::new(NullArray::new(rows))
}
