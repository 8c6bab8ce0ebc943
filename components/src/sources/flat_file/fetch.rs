//! The serial half: reads a block, skips header rows, cuts at the end of a row, and tells the fields apart.
//!
//! Where a row ends depends on every qualifier before it, so the split is made here, once and exactly; the lanes get
//! blocks with the places of their fields and convert them in parallel.

use super::scan::{Ends, Scan, Scanner};
use super::split::{Defect, Range, Split, Splitter};
use crate::connections::flat_file::{ColumnEnd, Encoding, FlatFileFormat};
use crate::shared::files::InputFile;
use crate::shared::text::{StreamDecoder, TextForm};
use dtsx_engine::diag::{Error, Owner, Result, RowError, Severity, codes};
use dtsx_engine::events::Message;
use dtsx_engine::flow::{Fetch, Morsel, OpenCx, Step, Waker};
use memchr::memmem::Finder;
use std::collections::VecDeque;
use std::fs::File;
use std::io::Read;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Bytes in front of the first field that may be read: the number parsers load words that end with a number.
pub(crate) const FRONT: usize = 16;
/// Bytes behind the last field that may be read.
const BACK: usize = super::scan::SLACK;
/// The longest row. SSIS has a limit as well (DTS_E_COLUMNDATAOVERFLOWDISKIOBUFFER), a much lower one.
const MAX_ROW: usize = 1 << 28;

/// Some whole rows of a file.
pub(crate) struct Rows {
    /// [`FRONT`] bytes, the rows, and enough bytes behind them.
    pub(crate) bytes: Vec<u8>,
    /// Where the first row begins and the last one ends.
    pub(crate) span: (usize, usize),
    pub(crate) fields: Fields,
    pub(crate) rows: usize,
    /// Rows of the file before these, skipped ones not counted.
    pub(crate) before: u64,
    pub(crate) file: InputFile,
}

/// Where the fields are, row by row.
pub(crate) enum Fields {
    Ends(Ends),
    Ranges(Vec<Range>),
}

/// How to tell rows apart, shared by every execution.
pub(crate) struct Rules {
    pub(crate) format: FlatFileFormat,
    pub(crate) scanner: Option<Scanner>,
    pub(crate) splitter: Splitter,
    pub(crate) form: TextForm,
    /// The text qualifier in that form; empty for none.
    pub(crate) qualifier: Vec<u8>,
    /// Bytes to read at a time.
    pub(crate) block: usize,
    /// Blocks and indexes that were used and may be used again.
    spare: Mutex<Spare>,
}

impl Rules {
    /// Rules for a format, for blocks of so many bytes.
    ///
    /// # Errors
    /// A code page that this build has not.
    pub(crate) fn new(format: FlatFileFormat, block: usize) -> Result<Rules> {
        let form = TextForm::of(&format)?;
        let splitter = Splitter::new(&format, format.encoding == Encoding::Utf16, |text| form.encode(text));
        let ascii = format.qualifier.is_ascii()
            && format.row_delimiter.is_ascii()
            && format.columns.iter().all(|c| match &c.end {
                ColumnEnd::Delimiter(text) => text.is_ascii(),
                ColumnEnd::Width(_) => true,
            });
        let scanner = if ascii { Scanner::new(&format) } else { None };
        let qualifier = form.encode(&format.qualifier);
        Ok(Rules { scanner, splitter, form, qualifier, format, block: block.max(FRONT), spare: Mutex::default() })
    }
}

#[derive(Default)]
struct Spare {
    blocks: Vec<Vec<u8>>,
    ends: Vec<Ends>,
}

impl Rules {
    fn spare(&self) -> MutexGuard<'_, Spare> {
        self.spare.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes back what a morsel was made of: fresh memory costs more than reading into it.
    pub(crate) fn recycle(&self, rows: Rows) {
        let mut spare = self.spare();
        if spare.blocks.len() < 16 && rows.bytes.len() <= 4 * self.block.max(1 << 16) {
            spare.blocks.push(rows.bytes);
        }
        if let Fields::Ends(ends) = rows.fields
            && spare.ends.len() < 16
        {
            spare.ends.push(ends);
        }
    }
}

/// The serial half of the source.
pub(crate) struct FlatFileFetch {
    rules: Arc<Rules>,
    files: VecDeque<InputFile>,
    open: Option<OpenFile>,
    cx: OpenCx,
    /// What comes after the rows that were handed out.
    failed: Option<Error>,
}

struct OpenFile {
    file: File,
    input: InputFile,
    decoder: Option<StreamDecoder>,
    /// What was read and belongs to no row yet.
    carry: Vec<u8>,
    at_end: bool,
    /// Bytes to read next; grows while a row does not fit.
    want: usize,
    started: bool,
    header_done: bool,
    rows: u64,
}

impl FlatFileFetch {
    /// Opens the first file.
    pub(crate) fn open(rules: Arc<Rules>, files: Vec<InputFile>, cx: &OpenCx) -> Result<FlatFileFetch> {
        let mut fetch = FlatFileFetch { rules, files: files.into(), open: None, cx: cx.clone(), failed: None };
        fetch.next_file()?;
        Ok(fetch)
    }

    fn next_file(&mut self) -> Result<()> {
        self.open = match self.files.pop_front() {
            None => None,
            Some(input) => Some(OpenFile {
                file: File::open(&input.path).map_err(|e| cannot_open(&input, &e))?,
                decoder: self.rules.form.stream_decoder(),
                input,
                carry: Vec::new(),
                at_end: false,
                want: self.rules.block,
                started: false,
                header_done: false,
                rows: 0,
            }),
        };
        Ok(())
    }

    fn warn(&self, code: dtsx_engine::diag::Code) {
        self.cx.events.fire(Message {
            severity: Severity::Warning,
            code,
            sub_component: self.cx.name.to_string(),
            text: code.message(&[]),
        });
    }
}

fn cannot_open(input: &InputFile, cause: &std::io::Error) -> Error {
    let code = codes::DTS_E_CANNOTOPENDATAFILE;
    let opened = input.path.display().to_string();
    let place = if *opened == *input.name { String::new() } else { format!(" ({opened})") };
    Error::new(Owner::Connection, code, format!("{}{place}: {cause}", code.message(&[&input.name])))
}

impl Fetch for FlatFileFetch {
    fn fetch(&mut self, _waker: &Waker) -> Result<Step<Morsel>> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        loop {
            let rules = self.rules.clone();
            let Some(open) = &mut self.open else { return Ok(Step::Done) };
            let (bytes, end) = open.read(&rules)?;
            let start = if open.header_done {
                FRONT
            } else {
                match open.skip_header(&rules, &bytes[..end]) {
                    Header::Ends(at) => at,
                    Header::NeedMore => {
                        open.keep(&bytes[..end], FRONT)?;
                        continue;
                    }
                    Header::EndOfFile => {
                        // A file that has exactly its header is no surprise.
                        if rules.format.header_rows > 0 && end == FRONT {
                            self.warn(codes::DTS_W_ENDOFFILEREACHWHILEREADINGHEADERROWS);
                        }
                        self.next_file()?;
                        continue;
                    }
                }
            };
            let at_end = open.at_end;
            let (fields, rows, cut) = match rules.scanner.as_ref().map(|s| {
                let mut ends = rules.spare().ends.pop().unwrap_or_default();
                (s.scan(&bytes, start, end, &mut ends), ends)
            }) {
                // The last row of a file may end without its delimiter: it is left to the splitter.
                Some((Scan::Rows(rows, cut), ends)) if rows > 0 || (!at_end && end > start) => {
                    (Fields::Ends(ends), rows, cut)
                }
                _ => {
                    let (ranges, rows, cut, stop) = split_all(&rules.splitter, &bytes, start, end, at_end);
                    match stop {
                        Some(Split::Partial) => self.cx.events.fire(Message {
                            severity: Severity::Warning,
                            code: codes::DTS_W_PARTIALROWFOUNDATENDOFFILE,
                            sub_component: self.cx.name.to_string(),
                            text: codes::DTS_W_PARTIALROWFOUNDATENDOFFILE.message(&[]),
                        }),
                        Some(Split::Broken(column, defect)) => {
                            let error = broken(&rules.format, open, column, defect, rows as u64);
                            if rows == 0 {
                                return Err(error);
                            }
                            self.failed = Some(error);
                        }
                        _ => {}
                    }
                    (Fields::Ranges(ranges), rows, cut)
                }
            };
            let Some(open) = &mut self.open else { return Ok(Step::Done) };
            let before = open.rows;
            open.rows += rows as u64;
            let input = open.input.clone();
            if at_end && (cut >= end || rows == 0) {
                self.next_file()?;
            } else if rows == 0 {
                open.keep(&bytes[..end], start)?;
                continue;
            } else {
                open.carry.clear();
                open.carry.extend_from_slice(&bytes[cut..end]);
                open.want = rules.block;
            }
            if rows > 0 {
                return Ok(Step::More(Box::new(Rows { bytes, span: (start, cut), fields, rows, before, file: input })));
            }
        }
    }
}

/// Splits every row of a block: the ranges, the rows, where the last one ends, and what stopped it.
fn split_all(
    splitter: &Splitter,
    bytes: &[u8],
    start: usize,
    end: usize,
    at_end: bool,
) -> (Vec<Range>, usize, usize, Option<Split>) {
    let mut ranges = Vec::new();
    let (mut at, mut rows) = (start, 0);
    while at < end {
        match splitter.split(&bytes[..end], at, at_end, &mut ranges) {
            Split::Row(next) => {
                at = next;
                rows += 1;
            }
            Split::Partial => return (ranges, rows, end, Some(Split::Partial)),
            stop => return (ranges, rows, at, Some(stop)),
        }
    }
    (ranges, rows, at, None)
}

/// The error of a row whose fields cannot be told apart; `ahead` rows of this block come before it.
fn broken(format: &FlatFileFormat, open: &OpenFile, column: usize, defect: Defect, ahead: u64) -> Error {
    let name = &format.columns[column].name;
    let code = match defect {
        Defect::NoDelimiter => codes::DTS_E_COLUMNDELIMITERNOTFOUND,
        Defect::NoQualifier => codes::DTS_E_TEXTQUALIFIERNOTFOUND,
    };
    let number = open.rows + ahead + 1;
    let place = codes::DTS_E_ERRORWHILEREADINGDATAROWS.message(&[&open.input.name, &number]);
    Error::new(Owner::Data, code, format!("{} {place}", code.message(&[name]))).with_row(RowError {
        number: Some(number),
        column: Some(name.clone()),
        ..RowError::default()
    })
}

/// Reads until `to` is full or the file ends; how much.
fn fill(mut file: &File, to: &mut [u8]) -> std::io::Result<usize> {
    let mut filled = 0;
    while filled < to.len() {
        match file.read(&mut to[filled..]) {
            Ok(0) => break,
            Ok(got) => filled += got,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(filled)
}

enum Header {
    Ends(usize),
    NeedMore,
    EndOfFile,
}

impl OpenFile {
    /// A buffer with what was kept and the next block of the file, and where that ends. [`BACK`] bytes follow; what is
    /// in them does not matter.
    fn read(&mut self, rules: &Rules) -> Result<(Vec<u8>, usize)> {
        let mut bytes = rules.spare().blocks.pop().unwrap_or_default();
        let mut end = FRONT + self.carry.len();
        // A block that was used before is long enough, and needs no zeros.
        let size = end + self.want + BACK;
        if bytes.len() < size {
            bytes.resize(size + self.want / 8, 0);
        }
        bytes[FRONT..end].copy_from_slice(&self.carry);
        if !self.at_end {
            let got = match &mut self.decoder {
                None => {
                    let got = fill(&self.file, &mut bytes[end..end + self.want]);
                    got.inspect(|got| end += got)
                }
                Some(decoder) => {
                    let mut raw = vec![0; self.want];
                    let got = fill(&self.file, &mut raw);
                    got.inspect(|got| {
                        bytes.truncate(end);
                        decoder.decode(&raw[..*got], *got < self.want, &mut bytes);
                        end = bytes.len();
                        bytes.resize(end + BACK, 0);
                    })
                }
            };
            let got = got.map_err(|e| {
                let code = codes::DTS_E_DISKIOFAILED;
                Error::new(Owner::Environment, code, format!("{} \"{}\": {e}", code.message(&[]), self.input.name))
            })?;
            self.at_end = got < self.want;
        }
        if !self.started {
            self.started = true;
            if rules.form.is_utf8_file() && bytes[FRONT..end].starts_with(b"\xEF\xBB\xBF") {
                bytes.copy_within(FRONT + 3..end, FRONT);
                end -= 3;
            }
        }
        Ok((bytes, end))
    }

    /// Keeps everything from `start` for a bigger block.
    fn keep(&mut self, bytes: &[u8], start: usize) -> Result<()> {
        self.carry.clear();
        self.carry.extend_from_slice(&bytes[start..]);
        self.want = self.carry.len().max(self.want);
        if self.carry.len() > MAX_ROW {
            let code = codes::DTS_E_COLUMNDATAOVERFLOWDISKIOBUFFER;
            let row = RowError { number: Some(self.rows + 1), ..RowError::default() };
            return Err(Error::new(Owner::Data, code, code.message(&[&self.input.name])).with_row(row));
        }
        Ok(())
    }

    /// Where the data begins: behind HeaderRowsToSkip, the names row and DataRowsToSkip.
    fn skip_header(&mut self, rules: &Rules, bytes: &[u8]) -> Header {
        let format = &rules.format;
        let mut at = FRONT;
        if format.header_rows > 0 {
            let delimiter = rules.form.encode(&format.header_row_delimiter);
            let finder = Finder::new(&delimiter);
            for _ in 0..format.header_rows {
                match finder.find(&bytes[at..]) {
                    Some(found) => at += found + delimiter.len(),
                    None if self.at_end => return Header::EndOfFile,
                    None => return Header::NeedMore,
                }
            }
        }
        let mut ranges = Vec::new();
        for _ in 0..format.names_in_first_row as usize + format.data_rows_to_skip {
            if at >= bytes.len() {
                return if self.at_end { Header::EndOfFile } else { Header::NeedMore };
            }
            match rules.splitter.split(bytes, at, self.at_end, &mut ranges) {
                Split::Row(next) => at = next,
                Split::NeedMore => return Header::NeedMore,
                // What is skipped may be of any form: it ends where a row delimiter stands.
                Split::Partial => return Header::EndOfFile,
                Split::Broken(..) => match Finder::new(&rules.form.encode(&format.row_delimiter)).find(&bytes[at..]) {
                    Some(found) => at += found + format.row_delimiter.len(),
                    None if self.at_end => return Header::EndOfFile,
                    None => return Header::NeedMore,
                },
            }
            ranges.clear();
        }
        self.header_done = true;
        Header::Ends(at)
    }
}
