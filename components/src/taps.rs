//! Data taps: what passes over a path is also written to a CSV file.
//!
//! A tap is a sink like any other; the flow's plan hangs it beside the path's own consumer. It sees every column of the
//! path, in the order of the layout. The text form is that of [`csv`].

pub mod csv;

use dtsx_engine::batch::Batch;
use dtsx_engine::diag::{Error, Owner, Result};
use dtsx_engine::flow::{Block, Commit, Committed, Encode, Layout, OpenCx, Sink, Waker};
use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

/// A tap that writes to a file. When its data flow runs again, in a loop, it goes on at the end of that file.
#[derive(Debug)]
pub struct CsvTap {
    path: PathBuf,
    begun: AtomicBool,
}

impl CsvTap {
    /// A tap that creates, or overwrites, the file at `path` when the flow begins.
    pub fn new(path: impl Into<PathBuf>) -> CsvTap {
        CsvTap { path: path.into(), begun: AtomicBool::new(false) }
    }

    fn failed(&self, e: &std::io::Error) -> Error {
        Error::new(Owner::Environment, None, format!("cannot write the data tap file \"{}\": {e}", self.path.display()))
    }
}

impl Sink for CsvTap {
    fn accepts_selection(&self) -> bool {
        true
    }

    fn open(&self, _cx: &OpenCx, input: &Layout) -> Result<Box<dyn Commit>> {
        let again = self.begun.swap(true, Ordering::SeqCst);
        let mut options = OpenOptions::new();
        let options = if again { options.append(true) } else { options.write(true).create(true).truncate(true) };
        let file = options.open(&self.path).map_err(|e| self.failed(&e))?;
        let mut file = BufWriter::new(file);
        if !again {
            let mut header = Vec::new();
            csv::write_header(input, &mut header);
            file.write_all(&header).map_err(|e| self.failed(&e))?;
        }
        Ok(Box::new(Writer { file }))
    }

    fn encoder(&self, _cx: &OpenCx, input: &Layout) -> Result<Box<dyn Encode>> {
        Ok(Box::new(Formatter { layout: input.clone() }))
    }
}

struct Formatter {
    layout: Layout,
}

impl Encode for Formatter {
    fn encode(&mut self, batch: Batch) -> Result<Block> {
        let mut text = Vec::with_capacity(batch.selected() * self.layout.columns.len() * 8);
        csv::write_rows(&self.layout, &batch, &mut text)?;
        Ok(Box::new(text))
    }
}

struct Writer {
    file: BufWriter<File>,
}

impl Commit for Writer {
    fn commit(&mut self, block: Block, _waker: &Waker) -> Result<Committed> {
        let text = block.downcast::<Vec<u8>>().map_err(|_| Error::internal("a block of another component"))?;
        self.file.write_all(&text)?;
        Ok(Committed::Taken)
    }

    fn finish(&mut self) -> Result<()> {
        Ok(self.file.flush()?)
    }

    /// What passed before the failure is what a tap is for.
    fn abort(&mut self) {
        let _ = self.file.flush();
    }
}
