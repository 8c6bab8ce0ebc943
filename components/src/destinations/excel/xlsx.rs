//! Adds rows to a sheet of an .xlsx or .xlsm workbook, and leaves everything else in it as it is.
//!
//! A workbook is an archive of XML parts. The rows go to the end of the sheet's part; the part of styles gets formats for
//! dates, the extent of a named range grows. All other parts are copied as they are packed: formats, charts, macros. The
//! new workbook takes the place of the old one when it is whole.

use super::append::{Place, Problem, serial, target};
use super::{CellKind, Column};
use crate::shared::excel::TableName;
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::Float64Type;
use dtsx_engine::diag::Result;
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

/// Rows of a sheet.
pub(super) const MAX_ROWS: u64 = 1_048_576;
const WORKBOOK: &str = "xl/workbook.xml";
const STYLES: &str = "xl/styles.xml";

/// Adds rows at a place; `name` is the table that it was found by.
pub(super) fn append(
    path: &Path,
    place: &Place,
    name: &TableName,
    columns: &[Column],
    rows: impl Iterator<Item = Result<RecordBatch>>,
) -> Result<(), Problem> {
    let mut archive = ZipArchive::new(File::open(path)?)?;
    if archive.file_names().flatten().any(|part| part.starts_with("_xmlsignatures/")) {
        return Err(Problem::Other("it is signed, and its signature would not hold any more".into()));
    }
    let workbook = part(&mut archive, WORKBOOK)?;
    let relations = part(&mut archive, "xl/_rels/workbook.xml.rels")?;
    let sheet_part = sheet_part(&workbook, &relations, &place.sheet).ok_or(Problem::NoTable)?;
    let sheet = part(&mut archive, &sheet_part)?;
    let at = insertion(&sheet)?;
    let first = place.first(at.rows)?;
    let dates = columns.iter().any(|c| c.kind.format().is_some());
    let styles =
        if dates { part(&mut archive, STYLES).ok().map(|text| with_formats(&text)).transpose()? } else { None };
    let target = target(path)?;
    let mut out = ZipWriter::new(target.as_file().try_clone()?);
    let changed = |name: &str| {
        name == sheet_part || (name == STYLES && styles.is_some()) || (name == WORKBOOK && place.next.is_some())
    };
    for index in 0..archive.len() {
        let file = archive.by_index_raw(index)?;
        if !changed(&file.name()?) {
            out.raw_copy_file(file)?;
        }
    }
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    out.start_file(sheet_part.as_str(), options)?;
    out.write_all(at.before(&sheet).as_bytes())?;
    let mut writer = Rows {
        prefix: &at.prefix,
        columns,
        places: &place.columns,
        first_format: styles.as_ref().map(|s| s.1),
        from_1904: from_1904(&workbook),
    };
    let mut next = first;
    let mut text = String::new();
    for batch in rows {
        let batch = batch.map_err(Problem::Rows)?;
        if next + batch.num_rows() as u64 > MAX_ROWS {
            return Err(Problem::Other(format!("a sheet has at most {MAX_ROWS} rows")));
        }
        text.clear();
        writer.write(&batch, next, &mut text);
        next += batch.num_rows() as u64;
        out.write_all(text.as_bytes())?;
    }
    out.write_all(at.after(&sheet).as_bytes())?;
    if let Some((styles, _)) = &styles {
        out.start_file(STYLES, options)?;
        out.write_all(styles.as_bytes())?;
    }
    if place.next.is_some() {
        let grown = match name {
            TableName::Named(name) if next > first => grown(&workbook, name, next).unwrap_or_else(|| workbook.clone()),
            _ => workbook.clone(),
        };
        out.start_file(WORKBOOK, options)?;
        out.write_all(grown.as_bytes())?;
    }
    out.finish()?.sync_all()?;
    target.persist(path)?;
    Ok(())
}

fn part(archive: &mut ZipArchive<File>, name: &str) -> Result<String, Problem> {
    let mut text = String::new();
    archive.by_name(name)?.read_to_string(&mut text)?;
    Ok(text)
}

/// The part of the archive that holds a sheet.
fn sheet_part(workbook: &str, relations: &str, sheet: &str) -> Option<String> {
    let workbook = roxmltree::Document::parse(workbook).ok()?;
    let named = |n: &roxmltree::Node<'_, '_>| n.tag_name().name() == "sheet" && n.attribute("name") == Some(sheet);
    let found = workbook.descendants().find(named)?;
    let id = found.attributes().find(|a| a.name() == "id" && a.namespace().is_some())?.value();
    let relations = roxmltree::Document::parse(relations).ok()?;
    let target = relations.descendants().find(|n| n.attribute("Id") == Some(id))?.attribute("Target")?;
    Some(match target.strip_prefix('/') {
        Some(absolute) => absolute.to_owned(),
        None => format!("xl/{target}"),
    })
}

/// Where rows go in the part of a sheet.
struct Insertion {
    /// `x:` where the elements of the part have this prefix.
    prefix: String,
    /// The rows that the sheet has, empty ones between them.
    rows: u64,
    /// The element that says which cells are used; it would be wrong afterwards, and is not needed.
    dimension: Option<(usize, usize)>,
    /// Where the rows end, and where what follows them begins.
    end: (usize, usize),
    /// Whether the sheet has an empty element for its rows.
    empty: bool,
}

impl Insertion {
    fn before(&self, sheet: &str) -> String {
        let head = match self.dimension {
            Some((start, end)) => format!("{}{}", &sheet[..start], &sheet[end..self.end.0]),
            None => sheet[..self.end.0].to_owned(),
        };
        if self.empty { format!("{head}<{}sheetData>", self.prefix) } else { head }
    }

    fn after<'a>(&self, sheet: &'a str) -> std::borrow::Cow<'a, str> {
        if self.empty {
            return format!("</{}sheetData>{}", self.prefix, &sheet[self.end.1..]).into();
        }
        sheet[self.end.1..].into()
    }
}

fn insertion(sheet: &str) -> Result<Insertion, Problem> {
    let mut reader = Reader::from_str(sheet);
    let (mut rows, mut dimension, mut open) = (0_u64, None, None);
    loop {
        let start = reader.buffer_position() as usize;
        let event = reader.read_event()?;
        let end = reader.buffer_position() as usize;
        match event {
            Event::Start(tag) if tag.local_name().as_ref() == "dimension" => open = Some(start),
            Event::End(tag) if tag.local_name().as_ref() == "dimension" => dimension = open.map(|start| (start, end)),
            Event::Empty(tag) if tag.local_name().as_ref() == "dimension" => dimension = Some((start, end)),
            Event::Start(tag) | Event::Empty(tag) if tag.local_name().as_ref() == "row" => {
                rows = number(&tag, "r").unwrap_or(rows + 1).max(rows);
            }
            Event::Empty(tag) if tag.local_name().as_ref() == "sheetData" => {
                return Ok(Insertion {
                    prefix: prefix(tag.name().as_ref()),
                    rows,
                    dimension,
                    end: (start, end),
                    empty: true,
                });
            }
            Event::End(tag) if tag.local_name().as_ref() == "sheetData" => {
                let prefix = prefix(tag.name().as_ref());
                return Ok(Insertion { prefix, rows, dimension, end: (start, start), empty: false });
            }
            Event::Eof => return Err(Problem::Other("the sheet has no place for rows".into())),
            _ => {}
        }
    }
}

fn prefix(name: &str) -> String {
    name.split_once(':').map_or(String::new(), |(prefix, _)| format!("{prefix}:"))
}

fn number(tag: &BytesStart<'_>, name: &str) -> Option<u64> {
    tag.attributes().flatten().find(|a| a.key.as_ref() == name)?.value.parse().ok()
}

/// The part of styles with one format more for each kind of date, and the number of the first of these.
fn with_formats(styles: &str) -> Result<(String, u64), Problem> {
    let mut reader = Reader::from_str(styles);
    let (mut start, mut formats) = (None, 0);
    loop {
        let at = reader.buffer_position() as usize;
        let event = reader.read_event()?;
        let end = reader.buffer_position() as usize;
        match event {
            Event::Start(tag) if tag.local_name().as_ref() == "cellXfs" => start = Some((at, end)),
            Event::Start(tag) | Event::Empty(tag) if start.is_some() && tag.local_name().as_ref() == "xf" => {
                formats += 1
            }
            Event::End(tag) if tag.local_name().as_ref() == "cellXfs" => {
                let Some((from, to)) = start else { continue };
                let prefix = prefix(tag.name().as_ref());
                let mut added = String::new();
                for id in CellKind::FORMATS {
                    added.push_str(&format!(
                        "<{prefix}xf numFmtId=\"{id}\" fontId=\"0\" fillId=\"0\" borderId=\"0\" xfId=\"0\" applyNumberFormat=\"1\"/>"
                    ));
                }
                let count = format!("<{prefix}cellXfs count=\"{}\">", formats + CellKind::FORMATS.len() as u64);
                let text = [&styles[..from], count.as_str(), &styles[to..at], added.as_str(), &styles[at..]].concat();
                return Ok((text, formats));
            }
            Event::Eof => return Err(Problem::Other("the workbook has no formats of cells".into())),
            _ => {}
        }
    }
}

/// Whether the workbook counts days from 1904.
fn from_1904(workbook: &str) -> bool {
    let Ok(document) = roxmltree::Document::parse(workbook) else { return false };
    let properties = document.descendants().find(|n| n.tag_name().name() == "workbookPr");
    properties.and_then(|n| n.attribute("date1904")).is_some_and(|text| matches!(text, "1" | "true"))
}

/// The workbook with the named range `name` reaching to row `last`.
fn grown(workbook: &str, name: &str, last: u64) -> Option<String> {
    let document = roxmltree::Document::parse(workbook).ok()?;
    let is = |n: &roxmltree::Node<'_, '_>| {
        n.tag_name().name() == "definedName" && n.attribute("name").is_some_and(|text| text.eq_ignore_ascii_case(name))
    };
    let range = document.descendants().find(is)?.first_child()?.range();
    let formula = workbook[range.clone()].trim_end();
    let digits = formula.trim_end_matches(|c: char| c.is_ascii_digit());
    Some(format!("{}{digits}{last}{}", &workbook[..range.start], &workbook[range.end..]))
}

/// Writes rows as XML.
struct Rows<'a> {
    prefix: &'a str,
    columns: &'a [Column],
    places: &'a [u32],
    first_format: Option<u64>,
    from_1904: bool,
}

impl Rows<'_> {
    fn write(&mut self, batch: &RecordBatch, first: u64, out: &mut String) {
        let p = self.prefix;
        // Cells stand in the order of the sheet's columns.
        let mut order: Vec<usize> = (0..self.places.len()).collect();
        order.sort_by_key(|column| self.places[*column]);
        for row in 0..batch.num_rows() {
            let number = first + row as u64 + 1;
            out.push_str(&format!("<{p}row r=\"{number}\">"));
            for column in &order {
                let array = batch.column(*column);
                if array.is_null(row) {
                    continue;
                }
                let cell = format!("{}{number}", letters(self.places[*column]));
                let kind = self.columns[*column].kind;
                match kind {
                    CellKind::Text => {
                        let text = array.as_string_view().value(row);
                        out.push_str(&format!(
                            "<{p}c r=\"{cell}\" t=\"inlineStr\"><{p}is><{p}t xml:space=\"preserve\">"
                        ));
                        text_of(text, out);
                        out.push_str(&format!("</{p}t></{p}is></{p}c>"));
                    }
                    CellKind::Bool => {
                        let value = u8::from(array.as_boolean().value(row));
                        out.push_str(&format!("<{p}c r=\"{cell}\" t=\"b\"><{p}v>{value}</{p}v></{p}c>"));
                    }
                    CellKind::Number | CellKind::Date | CellKind::DateTime | CellKind::Time => {
                        let value = serial(array.as_primitive::<Float64Type>().value(row), kind, self.from_1904);
                        let style = match (kind.format(), self.first_format) {
                            (Some(format), Some(first)) => format!(" s=\"{}\"", first + format),
                            _ => String::new(),
                        };
                        out.push_str(&format!("<{p}c r=\"{cell}\"{style}><{p}v>{value}</{p}v></{p}c>"));
                    }
                }
            }
            out.push_str(&format!("</{p}row>"));
        }
    }
}

/// The letters of a column, from 0.
fn letters(column: u32) -> String {
    let (mut rest, mut letters) = (column + 1, Vec::new());
    while rest > 0 {
        letters.push(b'A' + ((rest - 1) % 26) as u8);
        rest = (rest - 1) / 26;
    }
    letters.iter().rev().map(|b| *b as char).collect()
}

/// Text as a cell holds it: what XML cannot hold is spelled `_xHHHH_`, and so is the beginning of what looks like that.
fn text_of(text: &str, out: &mut String) {
    for (at, c) in text.char_indices() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '_' if looks_escaped(&text[at..]) => out.push_str("_x005F_"),
            '\t' | '\n' => out.push(c),
            c if c < ' ' || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push_str(&format!("_x{:04X}_", c as u32)),
            c => out.push(c),
        }
    }
}

fn looks_escaped(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() >= 7 && bytes[1] == b'x' && bytes[6] == b'_' && bytes[2..6].iter().all(u8::is_ascii_hexdigit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_of_columns() {
        assert_eq!([0, 25, 26, 51, 52, 701, 702, 16383].map(letters), ["A", "Z", "AA", "AZ", "BA", "ZZ", "AAA", "XFD"]);
    }

    #[test]
    fn text_that_xml_cannot_hold() {
        let mut out = String::new();
        text_of("a<b>&\u{1}_x0041_ _x_\té", &mut out);
        assert_eq!(out, "a&lt;b&gt;&amp;_x0001__x005F_x0041_ _x_\té");
    }

    #[test]
    fn rows_go_behind_those_that_are_there() {
        let before_after = |sheet: &str| {
            let Ok(at) = insertion(sheet) else { panic!("{sheet}") };
            (format!("{}|{}", at.before(sheet), at.after(sheet)), at.rows)
        };
        for (sheet, expected, rows) in [
            (
                "<w><dimension ref='A1'/><sheetData><row r='3'/></sheetData><x/></w>",
                "<w><sheetData><row r='3'/>|</sheetData><x/></w>",
                3,
            ),
            ("<w><sheetData/><x/></w>", "<w><sheetData>|</sheetData><x/></w>", 0),
            (
                "<x:w><x:sheetData><x:row/><x:row/></x:sheetData></x:w>",
                "<x:w><x:sheetData><x:row/><x:row/>|</x:sheetData></x:w>",
                2,
            ),
        ] {
            assert_eq!(before_after(sheet), (expected.to_owned(), rows));
        }
        assert!(insertion("<w/>").is_err());
    }

    #[test]
    fn formats_of_dates_are_added() {
        let Ok((text, first)) = with_formats("<s><cellXfs count=\"2\"><xf/><xf/></cellXfs><y/></s>") else { panic!() };
        assert_eq!(first, 2);
        assert!(
            text.starts_with("<s><cellXfs count=\"5\"><xf/><xf/><xf numFmtId=\"22\"")
                && text.ends_with("</cellXfs><y/></s>")
        );
    }

    #[test]
    fn a_named_range_grows() {
        let book = "<w><definedNames><definedName name='B'>S!$A$1:$C$9</definedName></definedNames></w>";
        assert!(grown(book, "b", 12).unwrap().contains("S!$A$1:$C$12</definedName>"));
        assert!(grown(book, "c", 12).is_none());
    }
}
