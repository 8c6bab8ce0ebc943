//! The serial half: reads a document element by element, and gathers the rows of its tables as text.
//!
//! Only the elements that are open are held, and the rows of one morsel: a document may be of any size.

use super::Plan;
use super::schema::{Shape, includes};
use crate::shared::decoding::Decoding;
use arrow::array::{StringViewBuilder, UInt64Builder};
use dtsx_engine::diag::{Code, Error, Owner, Result, codes};
use dtsx_engine::flow::{Fetch, Morsel, OpenCx, Step, Waker};
use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};
use std::io::{BufReader, Read};
use std::path::Path;
use std::sync::Arc;

/// Rows of a morsel, of all tables together.
const ROWS: usize = 8192;
/// Bytes of a morsel's text, about.
const BYTES: usize = 1 << 20;
/// Elements within each other, at most.
const MAX_DEPTH: usize = 1000;
/// Bytes of one piece of text, at most.
const MAX_TEXT: usize = 1 << 30;
/// The first value of a generated key. Which one SSIS begins with is unconfirmed; its keys count the rows of a table.
const FIRST_KEY: u64 = 0;

/// A document as UTF-8.
pub(super) type Input = Reader<BufReader<Decoding>>;

/// What a column of an output takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Take {
    /// A column of the table.
    Data(usize),
    /// The table's key.
    Key,
    /// The key of the table around it.
    ParentKey,
}

/// A column of a morsel.
pub(super) enum Gathered {
    Text(StringViewBuilder),
    Key(UInt64Builder),
}

/// The rows of one output.
pub(super) struct Rows {
    pub(super) rows: usize,
    pub(super) columns: Vec<Gathered>,
}

/// Some rows of every output.
pub(super) struct Piece {
    pub(super) outputs: Vec<Rows>,
    /// How the values of each output's columns are written.
    pub(super) bound: Arc<Bound>,
}

/// The outputs, bound to the tables of a document's shape.
pub(super) struct Bound {
    shape: Shape,
    /// By output of the plan, its table and what its columns take.
    pub(super) outputs: Vec<(usize, Vec<Take>)>,
}

/// Compares the outputs with what a schema declares: a table for each rowset, a column for each column, under one of its
/// elements. Gives what is wrong where no element fits, and the columns of tables that no column takes where one does.
pub(super) fn compare(plan: &Plan, schemas: &[String], name: &str) -> Result<Vec<(String, String)>> {
    let shapes = Shape::all(schemas).map_err(|why| plan.cannot_process(&why))?;
    let mut first = None;
    for shape in shapes {
        match Bound::of(plan, shape, name) {
            Ok(bound) => return Ok(bound.left_out(plan)),
            Err(error) => first = first.or(Some(error)),
        }
    }
    match first {
        Some(error) => Err(error),
        // Nothing is known of elements that are not supported; a document may have another root.
        None => Ok(Vec::new()),
    }
}

impl Bound {
    /// The columns of tables, each with its table, that no external column stands for.
    fn left_out(&self, plan: &Plan) -> Vec<(String, String)> {
        let mut missing = Vec::new();
        for ((table, takes), output) in self.outputs.iter().zip(&plan.outputs) {
            let columns = self.shape.tables[*table].columns.iter().enumerate();
            for (place, (column, _)) in columns.filter(|(_, (name, _))| !name.is_empty()) {
                let known = output.external.iter().any(|name| name == column);
                if !known && !takes.contains(&Take::Data(place)) {
                    missing.push((column.clone(), output.rowset.clone()));
                }
            }
        }
        missing
    }

    fn of(plan: &Plan, shape: Shape, name: &str) -> Result<Bound> {
        let mut outputs = Vec::with_capacity(plan.outputs.len());
        for output in &plan.outputs {
            let Some(table) = shape.table(&output.rowset) else {
                let why = format!("The schema has no element for the rowset \"{}\".", output.rowset);
                return Err(plan.cannot_process(&why));
            };
            let take = |wanted: &String| {
                let found = &shape.tables[table];
                if let Some(place) = found.columns.iter().position(|(n, _)| n == wanted) {
                    return Ok(Take::Data(place));
                }
                if shape.is_key(table, wanted) {
                    return Ok(Take::Key);
                }
                if found.parent.is_some_and(|parent| shape.is_key(parent, wanted)) {
                    return Ok(Take::ParentKey);
                }
                // How the column of an element's own text is called is unconfirmed.
                let stems =
                    [found.name.as_str(), &format!("{}_Text", found.name), &format!("{}_Column", found.name), "text"];
                match found.text {
                    Some(place) if stems.iter().any(|s| s.eq_ignore_ascii_case(wanted)) => Ok(Take::Data(place)),
                    _ => {
                        let code = codes::DTS_E_XMLSRCEXTERNALMETADATACOLUMNNOTINSCHEMA;
                        let object = format!("{name}.Outputs[{}].Columns[{wanted}]", output.name);
                        Err(Error::new(Owner::Package, code, code.message(&[&object])))
                    }
                }
            };
            outputs.push((table, output.columns.iter().map(|c| take(&c.source)).collect::<Result<Vec<_>>>()?));
        }
        Ok(Bound { shape, outputs })
    }

    /// How the values of a column are written.
    pub(super) fn lexical(&self, output: usize, column: usize) -> super::schema::Lexical {
        let (table, takes) = &self.outputs[output];
        match takes[column] {
            Take::Data(place) => self.shape.tables[*table].columns[place].1,
            _ => super::schema::Lexical::Plain,
        }
    }

    fn empty(&self) -> Vec<Rows> {
        let column = |take: &Take| match take {
            Take::Data(_) => Gathered::Text(StringViewBuilder::new()),
            _ => Gathered::Key(UInt64Builder::new()),
        };
        let rows = |(_, takes): &(usize, Vec<Take>)| Rows { rows: 0, columns: takes.iter().map(column).collect() };
        self.outputs.iter().map(rows).collect()
    }
}

/// An element that is open.
struct Frame {
    node: usize,
    /// Its row, if it is one of a table.
    row: Option<Row>,
    text: String,
    nil: bool,
}

struct Row {
    table: usize,
    key: u64,
    values: Vec<Option<String>>,
}

/// The serial half of the source.
pub(super) struct Reading {
    pub(super) plan: Arc<Plan>,
    pub(super) cx: OpenCx,
    pub(super) input: Input,
    pub(super) buffer: Vec<u8>,
    /// The texts of the schema, or None where the document has its own.
    pub(super) schemas: Option<Vec<String>>,
    pub(super) state: State,
}

/// Where the reader is in the document.
pub(super) enum State {
    /// Before the root.
    Start,
    Inside(Box<Inside>),
    End,
}

/// Within the root element.
pub(super) struct Inside {
    bound: Arc<Bound>,
    frames: Vec<Frame>,
    /// How many elements that the schema does not know are open.
    skipped: usize,
    /// By table, the key of the next row.
    keys: Vec<u64>,
    /// By table, the outputs that take its rows.
    takers: Vec<Vec<usize>>,
    /// Whether the root was empty, and is to be closed.
    close: bool,
}

/// What a step of the reader came to, free of its buffer.
enum Tag {
    Open(Element),
    Text(String),
    Close,
    Nothing,
    End,
}

struct Element {
    name: String,
    attributes: Vec<(String, String)>,
    nil: bool,
    empty: bool,
}

impl Reading {
    fn broken(&self, why: impl std::fmt::Display) -> Error {
        let code = codes::DTS_E_XMLSRCFAILEDTOCREATEREADER;
        let at = self.input.error_position();
        Error::new(Owner::Data, code, code.message(&[&self.cx.name, &format!("{why} (at byte {at})")]))
    }

    fn step(&mut self) -> Result<Tag> {
        self.buffer.clear();
        let event = match self.input.read_event_into(&mut self.buffer) {
            Ok(event) => event,
            Err(error) => return Err(self.broken(error)),
        };
        let made = match event {
            Event::Start(tag) => element(&tag, false).map(Tag::Open),
            Event::Empty(tag) => element(&tag, true).map(Tag::Open),
            Event::End(_) => Ok(Tag::Close),
            Event::Text(text) => Ok(Tag::Text(text.xml_content(XmlVersion::Implicit1_0).into_owned())),
            Event::CData(text) => Ok(Tag::Text(text.xml_content(XmlVersion::Implicit1_0).into_owned())),
            Event::GeneralRef(reference) => match reference.resolve_char_ref() {
                Ok(Some(c)) => Ok(Tag::Text(c.into())),
                Ok(None) => match quick_xml::escape::resolve_xml_entity(&reference) {
                    Some(text) => Ok(Tag::Text(text.into())),
                    None => Err(format!("the entity \"{}\" is not declared", &*reference)),
                },
                Err(error) => Err(error.to_string()),
            },
            Event::DocType(_) => Err("a document type definition (DTD) is not allowed".into()),
            Event::Eof => Ok(Tag::End),
            Event::Decl(_) | Event::Comment(_) | Event::PI(_) => Ok(Tag::Nothing),
        };
        made.map_err(|why| self.broken(why))
    }

    /// Reads up to the root element, and binds the outputs to its shape.
    fn start(&mut self) -> Result<State> {
        loop {
            match self.step()? {
                Tag::Open(root) => {
                    let schemas = match self.schemas.take() {
                        Some(schemas) => schemas,
                        None => vec![self.inline_schema(&root)?],
                    };
                    let shape = Shape::of(&schemas, &root.name).map_err(|why| self.plan.cannot_process(&why))?;
                    let bound = Arc::new(Bound::of(&self.plan, shape, &self.cx.name)?);
                    let tables = bound.shape.tables.len();
                    let mut takers = vec![Vec::new(); tables];
                    for (output, (table, _)) in bound.outputs.iter().enumerate() {
                        takers[*table].push(output);
                    }
                    let keys = vec![FIRST_KEY; tables];
                    let close = root.empty;
                    let mut inside = Inside { bound, frames: Vec::new(), skipped: 0, keys, takers, close };
                    inside.open(0, root);
                    return Ok(State::Inside(Box::new(inside)));
                }
                Tag::Text(text) if !text.trim().is_empty() => {
                    return Err(self.broken("text in front of the root element"));
                }
                Tag::End => return Err(self.broken("the document has no root element")),
                _ => {}
            }
        }
    }

    /// The schema that is the first element of the document, as a text of its own.
    fn inline_schema(&mut self, root: &Element) -> Result<String> {
        if root.empty {
            return Err(self.plan.cannot_process("The document holds no schema."));
        }
        let mut writer = quick_xml::Writer::new(Vec::new());
        let mut depth = 0_usize;
        loop {
            self.buffer.clear();
            let event = match self.input.read_event_into(&mut self.buffer) {
                Ok(event) => event,
                Err(error) => return Err(self.broken(error)),
            };
            let written = match &event {
                Event::Start(tag) | Event::Empty(tag) if depth == 0 => {
                    if tag.local_name().as_ref() != "schema" {
                        return Err(self.plan.cannot_process("The document does not begin with its schema."));
                    }
                    // Prefixes of the schema may be declared by the root.
                    let mut own = tag.to_owned();
                    for (name, value) in root.attributes.iter().filter(|(n, _)| n == "xmlns" || n.starts_with("xmlns:"))
                    {
                        if !tag.attributes().flatten().any(|a| a.key.as_ref() == name) {
                            own.push_attribute((name.as_str(), value.as_str()));
                        }
                    }
                    let is_empty = matches!(event, Event::Empty(_));
                    depth += 1;
                    let written = writer.write_event(if is_empty { Event::Empty(own) } else { Event::Start(own) });
                    if is_empty {
                        depth = 0;
                    }
                    written
                }
                Event::Start(_) => {
                    depth += 1;
                    writer.write_event(event.borrow())
                }
                Event::End(_) if depth == 0 => return Err(self.plan.cannot_process("The document holds no schema.")),
                Event::End(_) => {
                    depth -= 1;
                    writer.write_event(event.borrow())
                }
                Event::Eof => return Err(self.broken("the document ends within its schema")),
                Event::DocType(_) => return Err(self.broken("a document type definition (DTD) is not allowed")),
                _ if depth > 0 => writer.write_event(event.borrow()),
                _ => Ok(()),
            };
            written.map_err(Error::from)?;
            if depth == 0 && !writer.get_ref().is_empty() {
                break;
            }
        }
        String::from_utf8(writer.into_inner()).map_err(|_| self.broken("the schema is no text"))
    }
}

fn element(tag: &BytesStart<'_>, empty: bool) -> Result<Element, String> {
    let mut attributes = Vec::new();
    let mut nil = false;
    for attribute in tag.attributes().with_checks(true) {
        let attribute = attribute.map_err(|e| e.to_string())?;
        let value = attribute.normalized_value(XmlVersion::Implicit1_0).map_err(|e| e.to_string())?.into_owned();
        let key = attribute.key;
        nil |= key.local_name().as_ref() == "nil" && key.prefix().is_some() && matches!(value.trim(), "true" | "1");
        attributes.push((key.as_ref().to_owned(), value));
    }
    Ok(Element { name: tag.local_name().as_ref().to_owned(), attributes, nil, empty })
}

impl Inside {
    /// Opens an element of the shape.
    fn open(&mut self, node: usize, element: Element) {
        let shape = &self.bound.shape;
        let row = shape.nodes[node].table.map(|table| {
            let key = self.keys[table];
            self.keys[table] += 1;
            let columns = if self.takers[table].is_empty() { 0 } else { shape.tables[table].columns.len() };
            let mut values = vec![None; columns];
            if columns > 0 {
                for (name, value) in element.attributes {
                    let local = name.rsplit(':').next().unwrap_or(&name);
                    if let Some(column) = shape.nodes[node].attributes.get(local) {
                        values[*column] = Some(value);
                    }
                }
            }
            Row { table, key, values }
        });
        self.frames.push(Frame { node, row, text: String::new(), nil: element.nil });
    }

    /// Closes the innermost element; its row, or its value, is whole now.
    fn close(&mut self, rows: &mut [Rows]) -> (usize, usize) {
        let Some(frame) = self.frames.pop() else { return (0, 0) };
        let node = &self.bound.shape.nodes[frame.node];
        let value = if frame.nil { None } else { Some(frame.text) };
        let Some(mut row) = frame.row else {
            let around = self.frames.last_mut().and_then(|f| f.row.as_mut());
            if let (Some(column), Some(around)) = (node.column, around)
                && let Some(place) = around.values.get_mut(column)
            {
                *place = value;
            }
            return (0, 0);
        };
        if let Some(place) = node.text.and_then(|column| row.values.get_mut(column)) {
            *place = value;
        }
        let parent = self.frames.last().and_then(|f| f.row.as_ref()).map(|r| r.key);
        let mut added = (0, 0);
        for output in &self.takers[row.table] {
            let into = &mut rows[*output];
            into.rows += 1;
            added.0 += 1;
            for (take, column) in self.bound.outputs[*output].1.iter().zip(&mut into.columns) {
                match (take, column) {
                    (Take::Data(place), Gathered::Text(column)) => {
                        let value = row.values.get(*place).and_then(Option::as_deref);
                        added.1 += value.map_or(0, str::len);
                        column.append_option(value);
                    }
                    (Take::Key, Gathered::Key(column)) => column.append_value(row.key),
                    (Take::ParentKey, Gathered::Key(column)) => column.append_option(parent),
                    // Columns are made for what they take.
                    (_, Gathered::Text(column)) => column.append_null(),
                    (_, Gathered::Key(column)) => column.append_null(),
                }
            }
        }
        added
    }
}

impl Fetch for Reading {
    fn fetch(&mut self, _waker: &Waker) -> Result<Step<Morsel>> {
        if matches!(self.state, State::Start) {
            self.state = self.start()?;
        }
        let mut inside = match std::mem::replace(&mut self.state, State::End) {
            State::Inside(inside) => inside,
            _ => return Ok(Step::Done),
        };
        let mut rows = inside.bound.empty();
        let (mut count, mut bytes) = (0, 0);
        let bound = inside.bound.clone();
        if std::mem::take(&mut inside.close) {
            (count, bytes) = inside.close(&mut rows);
        }
        while count < ROWS && bytes < BYTES {
            match self.step()? {
                Tag::Open(element) if inside.skipped > 0 => inside.skipped += usize::from(!element.empty),
                Tag::Open(element) => {
                    let Some(frame) = inside.frames.last() else {
                        return Err(self.broken("a second root element"));
                    };
                    if inside.frames.len() >= MAX_DEPTH {
                        return Err(self.broken(format!("more than {MAX_DEPTH} elements within each other")));
                    }
                    let empty = element.empty;
                    match bound.shape.nodes[frame.node].children.get(&element.name) {
                        Some(node) => {
                            inside.open(*node, element);
                            if empty {
                                let added = inside.close(&mut rows);
                                count += added.0;
                                bytes += added.1;
                            }
                        }
                        None => inside.skipped += usize::from(!empty),
                    }
                }
                Tag::Close if inside.skipped > 0 => inside.skipped -= 1,
                Tag::Close => {
                    let added = inside.close(&mut rows);
                    count += added.0;
                    bytes += added.1;
                }
                Tag::Text(text) if inside.skipped == 0 => {
                    if let Some(frame) = inside.frames.last_mut() {
                        if frame.text.len() + text.len() > MAX_TEXT {
                            return Err(self.broken("a text is too long"));
                        }
                        let node = &bound.shape.nodes[frame.node];
                        // Text between the elements of an element means nothing.
                        if node.column.is_some() || node.text.is_some() {
                            frame.text.push_str(&text);
                        }
                    }
                }
                Tag::Text(_) | Tag::Nothing => {}
                Tag::End => {
                    if !inside.frames.is_empty() || inside.skipped > 0 {
                        return Err(self.broken("the document ends within an element"));
                    }
                    return Ok(if count == 0 { Step::Done } else { piece(rows, bound) });
                }
            }
        }
        self.state = State::Inside(inside);
        Ok(piece(rows, bound))
    }

    fn finish(&mut self) -> Result<()> {
        self.plan.outputs.iter().for_each(|output| output.errors.report_lost(&self.cx));
        Ok(())
    }
}

fn piece(outputs: Vec<Rows>, bound: Arc<Bound>) -> Step<Morsel> {
    Step::More(Box::new(Piece { outputs, bound }))
}

/// Text of any encoding as UTF-8, for a reader of XML.
pub(super) fn input(bytes: Box<dyn Read + Send>) -> Result<Input> {
    let mut reader = Reader::from_reader(BufReader::with_capacity(1 << 16, Decoding::xml(bytes)?));
    reader.config_mut().check_end_names = true;
    Ok(reader)
}

/// The texts of a schema and of everything that it includes.
pub(super) fn schemas(path: &Path, name: &str) -> Result<Vec<String>> {
    let mut texts: Vec<String> = Vec::new();
    let mut waiting = vec![path.to_path_buf()];
    let mut seen: Vec<std::path::PathBuf> = Vec::new();
    while let Some(path) = waiting.pop() {
        let cannot = |why: &dyn std::fmt::Display| schema_error(name, &path, why);
        // Two schemas may include each other, each by a path of its own.
        let file = path.canonicalize().map_err(|e| cannot(&e))?;
        if seen.contains(&file) {
            continue;
        }
        seen.push(file);
        let file = std::fs::File::open(&path).map_err(|e| cannot(&e))?;
        let mut text = String::new();
        let mut decoded = BufReader::new(Decoding::xml(Box::new(file))?);
        decoded.read_to_string(&mut text).map_err(|e| cannot(&e))?;
        for include in includes(&text).map_err(|why| cannot(&why))? {
            let folder = path.parent().unwrap_or(Path::new("."));
            let include = include.strip_prefix("file://").unwrap_or(&include).replace('\\', "/");
            waiting.push(folder.join(include));
        }
        texts.push(text);
    }
    Ok(texts)
}

fn schema_error(name: &str, path: &Path, why: &dyn std::fmt::Display) -> Error {
    let code: Code = codes::DTS_E_XMLSRCUNABLETOPROCESSXMLDATA;
    let text = format!("The schema \"{name}\" ({}): {why}", path.display());
    Error::new(Owner::Connection, code, code.message(&[&"XML Source", &text]))
}
