//! Adds rows to a sheet of an .xls workbook, and leaves everything else in it as it is.
//!
//! Such a workbook is a file of streams. One of them holds the records of the workbook and of its sheets, one after the
//! other; the others (macros, properties) stay as they are. Cells go behind the last cell of their sheet, their texts
//! behind the texts of the workbook, a format for each kind of date behind its formats, where it has none that fits. What
//! says where sheets begin follows; the index of texts, and of the rows of the sheet, which nobody needs, is left out.

use super::append::{Place, Problem, serial, target};
use super::biff::{self, Edits, Record, Strings, put, u16_at, u32_at};
use super::{CellKind, Column};
use crate::shared::excel::TableName;
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::Float64Type;
use dtsx_engine::diag::Result;
use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

/// Rows of a sheet.
pub(super) const MAX_ROWS: u64 = 65_536;
/// Columns of a sheet.
const MAX_COLUMNS: u32 = 256;
/// Rows that stand together: first what they are like, then their cells.
const BLOCK: usize = 32;
const STREAM: &str = "/Workbook";

/// Adds rows at a place; `name` is the table that it was found by.
pub(super) fn append(
    path: &Path,
    place: &Place,
    name: &TableName,
    columns: &[Column],
    rows: impl Iterator<Item = Result<RecordBatch>>,
) -> Result<(), Problem> {
    let stream = stream(path)?;
    let book = Book::parse(&stream)?;
    let sheet = book.sheet(&place.sheet)?;
    if place.columns.iter().any(|column| *column >= MAX_COLUMNS) {
        return Err(Problem::Other(format!("a sheet of an .xls workbook has at most {MAX_COLUMNS} columns")));
    }
    let first = place.first(sheet.rows.into())?;
    let mut edits = Edits::default();
    let formats = book.formats(columns, &mut edits)?;
    let mut writer = Cells {
        columns,
        places: &place.columns,
        formats,
        from_1904: book.from_1904,
        strings: Strings::new(book.texts()),
        block: (Vec::new(), Vec::new(), 0),
        out: Vec::new(),
    };
    let mut next = first;
    for batch in rows {
        let batch = batch.map_err(Problem::Rows)?;
        if next + batch.num_rows() as u64 > MAX_ROWS {
            return Err(Problem::Other(format!("a sheet of an .xls workbook has at most {MAX_ROWS} rows")));
        }
        writer.write(&batch, next as u16);
        next += batch.num_rows() as u64;
    }
    writer.flush();
    if next == first {
        return Ok(());
    }
    edits.added.entry(sheet.end).or_default().extend_from_slice(&writer.out);
    edits.dropped.extend(&sheet.indices);
    edits.replaced.insert(sheet.dimensions, book.dimensions(&sheet, first as u32, next as u32, &place.columns));
    book.add_texts(writer.strings, &mut edits);
    if let TableName::Named(name) = name
        && place.next.is_some()
    {
        book.grow(name, next as u16 - 1, &mut edits)?;
    }
    let stream = book.with(&edits);
    let mut target = target(path)?;
    std::io::copy(&mut File::open(path)?, &mut target)?;
    let mut container = cfb::CompoundFile::open(target.reopen_for_writing()?)?;
    container.create_stream(STREAM)?.write_all(&stream)?;
    container.flush()?;
    target.as_file().sync_all()?;
    target.persist(path)?;
    Ok(())
}

trait Reopen {
    /// The file, open for reading and writing.
    fn reopen_for_writing(&self) -> std::io::Result<File>;
}

impl Reopen for tempfile::NamedTempFile {
    fn reopen_for_writing(&self) -> std::io::Result<File> {
        File::options().read(true).write(true).open(self.path())
    }
}

/// The stream of a workbook that can be changed.
fn stream(path: &Path) -> Result<Vec<u8>, Problem> {
    let refused = |why: &str| Err(Problem::Other(why.into()));
    let mut container = cfb::open(path)?;
    if container.exists("/EncryptedPackage") {
        return refused("it is protected by a password");
    }
    if container.exists("/_signatures") || container.exists("/_xmlsignatures") {
        return refused("it is signed, and its signature would not hold any more");
    }
    if container.exists("/Revision Log") {
        return refused("it is shared and keeps a log of changes, in which the rows would be missing");
    }
    if !container.exists(STREAM) {
        return refused("it is no workbook of Excel 97 to 2003; older ones are not written");
    }
    let mut stream = Vec::new();
    container.open_stream(STREAM)?.read_to_end(&mut stream)?;
    Ok(stream)
}

/// A workbook's records.
struct Book<'a> {
    stream: &'a [u8],
    records: Vec<Record>,
    /// The record that ends what all sheets share.
    shared_end: usize,
    from_1904: bool,
}

/// A sheet.
struct Sheet {
    /// The rows that it has, from its first one.
    rows: u32,
    /// The record behind which cells go.
    end: usize,
    /// The record of its extent.
    dimensions: usize,
    /// Records that say where rows begin.
    indices: Vec<usize>,
}

impl<'a> Book<'a> {
    fn parse(stream: &'a [u8]) -> Result<Book<'a>, Problem> {
        let records = biff::records(stream)?;
        let version = records.first().filter(|r| r.id == biff::BOF).map(|r| u16_at(r.data(stream), 0));
        if version != Some(0x0600) {
            return Err(Problem::Other("it is no workbook of Excel 97 to 2003; older ones are not written".into()));
        }
        let damaged = || Problem::Other("it is damaged: its first part has no end".into());
        let shared_end = records.iter().position(|r| r.id == biff::EOF).ok_or_else(damaged)?;
        let shared = &records[..shared_end];
        if shared.iter().any(|r| r.id == biff::PASSWORD) {
            return Err(Problem::Other("it is protected by a password".into()));
        }
        let mode = shared.iter().find(|r| r.id == biff::DATE_MODE);
        let from_1904 = mode.is_some_and(|r| u16_at(r.data(stream), 0) == 1);
        Ok(Book { stream, records, shared_end, from_1904 })
    }

    fn data(&self, record: usize) -> &'a [u8] {
        self.records[record].data(self.stream)
    }

    /// Records of what all sheets share, by their number.
    fn shared(&self, id: u16) -> impl Iterator<Item = usize> + '_ {
        (0..self.shared_end).filter(move |record| self.records[*record].id == id)
    }

    fn sheet(&self, name: &str) -> Result<Sheet, Problem> {
        let named = |record: &usize| {
            let data = self.data(*record);
            let count = usize::from(*data.get(6).unwrap_or(&0));
            data.get(7..).and_then(|rest| biff::text(rest, count)).is_some_and(|(text, _)| text == name)
        };
        let bound = self.shared(biff::SHEET).find(named).ok_or(Problem::NoTable)?;
        let start = u32_at(self.data(bound), 0) as usize;
        let damaged = || Problem::Other(format!("it is damaged: the sheet {name} is not where it should be"));
        let first = self.records.binary_search_by_key(&start, |r| r.start).map_err(|_| damaged())?;
        let (mut depth, mut rows, mut end, mut dimensions, mut indices) = (0, 0, None, None, Vec::new());
        for (index, record) in self.records.iter().enumerate().skip(first) {
            let data = record.data(self.stream);
            match record.id {
                biff::BOF => depth += 1,
                biff::EOF if depth == 1 => break,
                biff::EOF => depth -= 1,
                // What is within a chart is not of the sheet.
                _ if depth != 1 => {}
                biff::DIMENSIONS => {
                    dimensions = Some(index);
                    end = end.or(Some(index));
                }
                biff::INDEX => indices.push(index),
                id if biff::CELLS.contains(&id) || biff::AMONG_CELLS.contains(&id) => {
                    if id == biff::ROW || biff::CELLS.contains(&id) {
                        rows = rows.max(u32::from(u16_at(data, 0)) + 1);
                    }
                    if id == biff::ROW_BLOCK {
                        indices.push(index);
                    }
                    end = Some(index);
                }
                // What goes on in a further record goes on before new cells.
                biff::CONTINUE if end == Some(index - 1) => end = Some(index),
                _ => {}
            }
        }
        let dimensions = dimensions.filter(|d| self.data(*d).len() >= 12).ok_or_else(damaged)?;
        Ok(Sheet { rows, end: end.ok_or_else(damaged)?, dimensions, indices })
    }

    /// How many texts it has; None: it has no record for them.
    fn texts(&self) -> Option<u32> {
        self.shared(biff::STRINGS).next().map(|record| u32_at(self.data(record), 4))
    }

    fn add_texts(&self, strings: Strings, edits: &mut Edits) {
        let (used, new) = (strings.used, strings.len());
        if used == 0 {
            return;
        }
        let Some(record) = self.shared(biff::STRINGS).next() else {
            edits.added.entry(self.shared_end - 1).or_default().extend(strings.records(false));
            return;
        };
        let mut data = self.data(record).to_vec();
        let counts = [u32_at(&data, 0) + used, u32_at(&data, 4) + new].map(u32::to_le_bytes);
        data.splice(..8, counts.concat());
        edits.replaced.insert(record, biff::record(biff::STRINGS, &data));
        let more = self.records[record + 1..].iter().take_while(|r| r.id == biff::CONTINUE).count();
        edits.added.entry(record + more).or_default().extend(strings.records(true));
        edits.dropped.extend(self.shared(biff::STRING_INDEX));
    }

    /// The format of each column's cells; those that the workbook lacks are added to it.
    fn formats(&self, columns: &[Column], edits: &mut Edits) -> Result<Vec<u16>, Problem> {
        let known: Vec<&[u8]> = self.shared(biff::XF).map(|r| self.data(r)).collect();
        // The first one that is no format of styles is that of cells without a format of their own.
        let is_cell = |xf: &&[u8]| xf.len() == 20 && xf[4] & 4 == 0;
        let plain = known.iter().position(is_cell);
        let plain = plain.ok_or_else(|| Problem::Other("the workbook has no formats of cells".into()))?;
        let mut added: Vec<Vec<u8>> = Vec::new();
        let mut found: [Option<u16>; 3] = [None; 3];
        let mut formats = Vec::with_capacity(columns.len());
        for column in columns {
            let Some(kind) = column.kind.format() else {
                formats.push(plain as u16);
                continue;
            };
            let slot = &mut found[kind as usize];
            let number = slot.unwrap_or_else(|| {
                let mut xf = known[plain].to_vec();
                xf[2..4].copy_from_slice(&(CellKind::FORMATS[kind as usize] as u16).to_le_bytes());
                // It has a number format of its own.
                xf[9] |= 4;
                let same = known.iter().position(|other| *other == xf.as_slice());
                let place = same.unwrap_or_else(|| {
                    added.push(xf);
                    known.len() + added.len() - 1
                });
                place as u16
            });
            *slot = Some(number);
            formats.push(number);
        }
        if let (Some(last), false) = (self.shared(biff::XF).last(), added.is_empty()) {
            let all = || known.iter().copied().chain(added.iter().map(Vec::as_slice));
            for check in self.shared(biff::XF_CHECK).filter(|r| self.data(*r).len() >= 20) {
                let mut data = self.data(check).to_vec();
                data[14..16].copy_from_slice(&(all().count() as u16).to_le_bytes());
                data[16..20].copy_from_slice(&biff::checksum(all()).to_le_bytes());
                edits.replaced.insert(check, biff::record(biff::XF_CHECK, &data));
            }
            let bytes: Vec<u8> = added.iter().flat_map(|xf| biff::record(biff::XF, xf)).collect();
            edits.added.entry(last).or_default().extend(bytes);
        }
        Ok(formats)
    }

    /// The record of a sheet's extent once rows `first` to `last`, the latter excluded, are in it.
    fn dimensions(&self, sheet: &Sheet, first: u32, last: u32, places: &[u32]) -> Vec<u8> {
        let mut data = self.data(sheet.dimensions).to_vec();
        let empty = u32_at(&data, 4) == 0;
        let (low, high) = (u16_at(&data, 8), u16_at(&data, 10));
        let (left, right) = edges(places);
        let rows = [if empty { first } else { u32_at(&data, 0).min(first) }, u32_at(&data, 4).max(last)];
        let columns = [if empty { left } else { low.min(left) }, high.max(right)];
        data.splice(..8, rows.map(u32::to_le_bytes).concat());
        data.splice(8..12, columns.map(u16::to_le_bytes).concat());
        biff::record(biff::DIMENSIONS, &data)
    }

    /// Makes a named range reach to row `last`.
    fn grow(&self, name: &str, last: u16, edits: &mut Edits) -> Result<(), Problem> {
        /// What stands in front of a name's text.
        const HEAD: usize = 14;
        for record in self.shared(biff::NAME) {
            let data = self.data(record);
            let count = usize::from(*data.get(3).unwrap_or(&0));
            let Some((text, taken)) = data.get(HEAD..).and_then(|rest| biff::text(rest, count)) else { continue };
            if !text.eq_ignore_ascii_case(name) {
                continue;
            }
            let formula = &data[HEAD + taken..];
            let (sheet, rows, columns) = match formula {
                // one cell: sheet, row, column; a range: sheet, rows, columns
                [0x3A, rest @ ..] if rest.len() >= 6 => (&rest[..2], &rest[2..4], [&rest[4..6], &rest[4..6]].concat()),
                [0x3B, rest @ ..] if rest.len() >= 10 => (&rest[..2], &rest[2..4], rest[6..10].to_vec()),
                _ => return Err(Problem::Other("Cannot expand named range.".into())),
            };
            let range = [&[0x3B], sheet, rows, &last.to_le_bytes(), &columns].concat();
            let mut changed = data[..HEAD + taken].to_vec();
            changed[4..6].copy_from_slice(&(range.len() as u16).to_le_bytes());
            changed.extend(range);
            edits.replaced.insert(record, biff::record(biff::NAME, &changed));
        }
        Ok(())
    }

    /// The stream with the changes, and with the places of records in it where they are now.
    fn with(&self, edits: &Edits) -> Vec<u8> {
        let (mut stream, starts) = edits.apply(self.stream, &self.records);
        let moved = |old: u32| {
            let found = self.records.binary_search_by_key(&(old as usize), |r| r.start);
            found.map_or(old, |record| starts[record] as u32)
        };
        for (index, record) in self.records.iter().enumerate() {
            let places = match record.id {
                biff::SHEET => 0..4,
                // behind its rows, the record of default widths, and the last record of each block of rows
                biff::INDEX if !edits.dropped.contains(&index) => 12..record.data(self.stream).len(),
                _ => continue,
            };
            for at in places.step_by(4) {
                let at_new = starts[index] + 4 + at;
                let old = u32_at(record.data(self.stream), at);
                if let Some(bytes) = stream.get_mut(at_new..at_new + 4) {
                    bytes.copy_from_slice(&moved(old).to_le_bytes());
                }
            }
        }
        stream
    }
}

/// The first column, and the one behind the last.
fn edges(places: &[u32]) -> (u16, u16) {
    let (low, high) = (places.iter().min(), places.iter().max());
    (low.map_or(0, |c| *c as u16), high.map_or(0, |c| *c as u16 + 1))
}

/// Writes rows as records.
struct Cells<'a> {
    columns: &'a [Column],
    places: &'a [u32],
    formats: Vec<u16>,
    from_1904: bool,
    strings: Strings,
    /// The rows of a block, their cells, and how many they are.
    block: (Vec<u8>, Vec<u8>, usize),
    out: Vec<u8>,
}

impl Cells<'_> {
    fn write(&mut self, batch: &RecordBatch, first: u16) {
        // Cells stand in the order of the sheet's columns.
        let mut order: Vec<usize> = (0..self.places.len()).collect();
        order.sort_by_key(|column| self.places[*column]);
        let (left, right) = edges(self.places);
        for row in 0..batch.num_rows() {
            let number = first + row as u16;
            // of the usual height, hidden or grouped in no way, without a format of its own
            let line = [number, left, right, 0x00FF, 0, 0, 0x0100, 0x000F].map(u16::to_le_bytes).concat();
            put(biff::ROW, &line, &mut self.block.0);
            for column in &order {
                let array = batch.column(*column);
                if array.is_null(row) {
                    continue;
                }
                let mut cell =
                    [number, self.places[*column] as u16, self.formats[*column]].map(u16::to_le_bytes).concat();
                let kind = self.columns[*column].kind;
                let id = match kind {
                    CellKind::Text => {
                        let text = self.strings.number(array.as_string_view().value(row));
                        cell.extend(text.to_le_bytes());
                        biff::STRING_CELL
                    }
                    CellKind::Bool => {
                        cell.extend([u8::from(array.as_boolean().value(row)), 0]);
                        biff::BOOLEAN
                    }
                    CellKind::Number | CellKind::Date | CellKind::DateTime | CellKind::Time => {
                        let value = array.as_primitive::<Float64Type>().value(row);
                        cell.extend(serial(value, kind, self.from_1904).to_le_bytes());
                        biff::NUMBER
                    }
                };
                put(id, &cell, &mut self.block.1);
            }
            self.block.2 += 1;
            if self.block.2 == BLOCK {
                self.flush();
            }
        }
    }

    /// Puts the block that has begun behind the others.
    fn flush(&mut self) {
        self.out.append(&mut self.block.0);
        self.out.append(&mut self.block.1);
        self.block.2 = 0;
    }
}
