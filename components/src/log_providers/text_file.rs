//! Text files: a line of columns joined by commas an entry, nothing quoted.
//!
//! ```text
//! #Fields: event,computer,operator,source,sourceid,executionid,starttime,endtime,datacode,databytes,message
//! PackageStart,SERVER,DOMAIN\user,Load,{…},{…},5/23/2021 8:41:45 PM,5/23/2021 8:41:45 PM,0,0x,Beginning of …
//! ```
//! UTF-16 with a byte order mark. A file that exists is continued.

use super::{MARK, NO_BYTES, broken, cannot, file, time, utf16};
use dtsx_engine::control::{LogEntry, LogProviderCx, LogProviderKind, LogWriter};
use dtsx_engine::diag::Result;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::PathBuf;

/// `Microsoft.LogProviderTextFile`.
pub struct TextFileLog;

const FIELDS: &str =
    "#Fields: event,computer,operator,source,sourceid,executionid,starttime,endtime,datacode,databytes,message\r\n";

impl LogProviderKind for TextFileLog {
    fn kind(&self) -> &'static str {
        "Microsoft.LogProviderTextFile"
    }

    fn title(&self) -> &'static str {
        "SSIS log provider for Text files"
    }

    fn accepts(&self, connection_kind: &str) -> bool {
        connection_kind.eq_ignore_ascii_case("FILE")
    }

    fn open(&self, cx: &LogProviderCx) -> Result<Box<dyn LogWriter>> {
        let path = file(cx);
        let opened = OpenOptions::new().append(true).create(true).open(&path).map_err(|e| cannot(&path, &e))?;
        let empty = opened.metadata().map_err(|e| cannot(&path, &e))?.len() == 0;
        let mut log = TextLog { path, file: opened, row: Vec::new() };
        if empty {
            log.row.extend(MARK);
            utf16(FIELDS, &mut log.row);
            log.flush()?;
        }
        Ok(Box::new(log))
    }
}

struct TextLog {
    path: PathBuf,
    file: File,
    row: Vec<u8>,
}

impl TextLog {
    fn flush(&mut self) -> Result<()> {
        let written = self.file.write_all(&self.row);
        self.row.clear();
        written.or_else(|e| broken(&self.path, &e))
    }
}

impl LogWriter for TextLog {
    fn write(&mut self, entry: &LogEntry<'_>) -> Result<()> {
        let at = time(&entry.time);
        let code = entry.data_code.to_string();
        if entry.custom {
            utf16("User:", &mut self.row);
        }
        let fields = [
            entry.event,
            entry.computer,
            entry.operator,
            entry.source,
            entry.source_id,
            entry.execution_id,
            &at,
            &at,
            &code,
            NO_BYTES,
            entry.message,
        ];
        utf16(&fields.join(","), &mut self.row);
        utf16("\r\n", &mut self.row);
        // Entry by entry: a log is read when something went wrong.
        self.flush()
    }
}
