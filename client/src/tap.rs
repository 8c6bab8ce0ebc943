//! Data taps: the rows that pass over a data path, written to a CSV file.

use crate::reader::record_batch;
use crate::rows::{RowFormat, append_rows, csv_header};
use dtsx_engine::batch::Batch;
use dtsx_engine::diag::{Error, Owner, Result};
use dtsx_engine::flow::contract::{Block, Commit, Committed, Encode, OpenCx, Sink};
use dtsx_engine::flow::{Layout, Waker};
use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

/// A data tap of the SSIS catalog: which path of which data flow goes to which file as well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tap {
    /// The path of the data flow task: `\Package\Data Flow Task`.
    pub task: String,
    /// The output that the data path begins at: `Paths[component.output]`.
    pub path_id: String,
    /// The file, made anew when the data flow begins.
    pub file: PathBuf,
}

/// Formats on the lanes, writes in order.
pub(crate) struct TapSink {
    file: PathBuf,
    /// In a loop the data flow runs again: then its rows go behind those that are there.
    begun: AtomicBool,
}

impl TapSink {
    pub(crate) fn new(file: PathBuf) -> TapSink {
        TapSink { file, begun: AtomicBool::new(false) }
    }

    fn error(&self, e: &std::io::Error) -> Error {
        Error::new(Owner::Environment, None, format!("cannot write the data tap {}: {e}", self.file.display()))
    }
}

impl Sink for TapSink {
    fn open(&self, _cx: &OpenCx, input: &Layout) -> Result<Box<dyn Commit>> {
        let again = self.begun.swap(true, Ordering::SeqCst);
        let mut options = OpenOptions::new();
        let options = if again { options.append(true) } else { options.write(true).create(true).truncate(true) };
        let mut out = BufWriter::with_capacity(1 << 16, options.open(&self.file).map_err(|e| self.error(&e))?);
        if !again {
            out.write_all(csv_header(&input.schema()).as_bytes()).map_err(|e| self.error(&e))?;
        }
        Ok(Box::new(TapFile { out }))
    }

    fn encoder(&self, _cx: &OpenCx, input: &Layout) -> Result<Box<dyn Encode>> {
        Ok(Box::new(TapEncoder { layout: input.clone() }))
    }
}

struct TapEncoder {
    layout: Layout,
}

impl Encode for TapEncoder {
    fn encode(&mut self, batch: Batch) -> Result<Block> {
        let mut text = String::new();
        append_rows(&mut text, &record_batch(batch, &self.layout, &self.layout.schema())?, RowFormat::Csv)?;
        Ok(Box::new(text))
    }
}

struct TapFile {
    out: BufWriter<File>,
}

impl Commit for TapFile {
    fn commit(&mut self, block: Block, _waker: &Waker) -> Result<Committed> {
        let text = block.downcast::<String>().map_err(|_| Error::internal("a data tap was given another's block"))?;
        self.out.write_all(text.as_bytes())?;
        Ok(Committed::Taken)
    }

    fn finish(&mut self) -> Result<()> {
        Ok(self.out.flush()?)
    }

    /// What passed before the failure is what a tap is for.
    fn abort(&mut self) {
        // The run fails for a better reason.
        let _ = self.out.flush();
    }
}
