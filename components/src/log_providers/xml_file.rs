//! XML files: one `dtslog` element an execution, one `record` an entry.
//!
//! UTF-16 with a byte order mark. A file that exists is continued: its end tag makes room for the new element.

use super::{MARK, NO_BYTES, broken, cannot, file, time, utf16};
use dtsx_engine::control::{LogEntry, LogProviderCx, LogProviderKind, LogWriter};
use dtsx_engine::diag::{Error, Owner, Result, codes};
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::PathBuf;

/// `Microsoft.LogProviderXMLFile`.
pub struct XmlFileLog;

const HEAD: &str = "<?xml version=\"1.0\"?>\r\n<dtslogs>\r\n";
const BEGIN: &str = "\t<dtslog>\r\n";
const END: &str = "\t</dtslog>\r\n";
const TAIL: &str = "</dtslogs>";

impl LogProviderKind for XmlFileLog {
    fn kind(&self) -> &'static str {
        "Microsoft.LogProviderXMLFile"
    }

    fn title(&self) -> &'static str {
        "SSIS log provider for XML files"
    }

    fn accepts(&self, connection_kind: &str) -> bool {
        connection_kind.eq_ignore_ascii_case("FILE")
    }

    fn open(&self, cx: &LogProviderCx) -> Result<Box<dyn LogWriter>> {
        let path = file(cx);
        let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let mut opened = opened.map_err(|e| cannot(&path, &e))?;
        let mut text = Vec::new();
        let continued = continue_at(&mut opened).map_err(|e| cannot(&path, &e))?;
        match continued {
            Some(0) => {
                text.extend(MARK);
                utf16(HEAD, &mut text);
            }
            Some(_) => utf16("\r\n", &mut text),
            None => {
                let message = format!("{} is no log of this kind: it does not end with {TAIL}", path.display());
                return Err(Error::new(Owner::Environment, codes::DTS_E_OPENLOGFAILED, message));
            }
        }
        utf16(BEGIN, &mut text);
        let mut log = XmlLog { path, file: opened, text };
        log.flush()?;
        Ok(Box::new(log))
    }
}

/// Goes to where the next element belongs: 0 in an empty file, else in the place of the end tag. None: there is none.
fn continue_at(file: &mut File) -> std::io::Result<Option<u64>> {
    let length = file.metadata()?.len();
    if length == 0 {
        return Ok(Some(0));
    }
    let mut tail = Vec::new();
    utf16(TAIL, &mut tail);
    // White space may follow the tag.
    const ROOM: u64 = 64;
    let window = length.min(tail.len() as u64 + ROOM);
    file.seek(SeekFrom::Start(length - window))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let Some(at) = bytes.windows(tail.len()).rposition(|w| w == tail) else { return Ok(None) };
    let place = length - window + at as u64;
    file.set_len(place)?;
    file.seek(SeekFrom::Start(place))?;
    Ok(Some(place))
}

struct XmlLog {
    path: PathBuf,
    file: File,
    text: Vec<u8>,
}

impl XmlLog {
    fn flush(&mut self) -> Result<()> {
        let written = self.file.write_all(&self.text);
        self.text.clear();
        written.or_else(|e| broken(&self.path, &e))
    }
}

/// Text as the content of an element; what XML cannot hold becomes a question mark.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\t' | '\n' | '\r' | '\u{20}'..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'.. => out.push(c),
            _ => out.push('?'),
        }
    }
    out
}

impl LogWriter for XmlLog {
    fn write(&mut self, entry: &LogEntry<'_>) -> Result<()> {
        let at = time(&entry.time);
        let code = entry.data_code.to_string();
        let event = if entry.custom { format!("User:{}", entry.event) } else { entry.event.to_owned() };
        let fields = [
            ("event", event.as_str()),
            ("message", entry.message),
            ("computer", entry.computer),
            ("operator", entry.operator),
            ("source", entry.source),
            ("sourceid", entry.source_id),
            ("executionid", entry.execution_id),
            ("starttime", &at),
            ("endtime", &at),
            ("datacode", &code),
            ("databytes", NO_BYTES),
        ];
        utf16("<record>", &mut self.text);
        for (name, value) in fields {
            utf16(&format!("<{name}>{}</{name}>", escaped(value)), &mut self.text);
        }
        utf16("</record>", &mut self.text);
        self.flush()
    }

    fn close(&mut self) -> Result<()> {
        utf16(END, &mut self.text);
        utf16(TAIL, &mut self.text);
        self.flush()
    }
}
