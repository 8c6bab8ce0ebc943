//! The serial half: creates the file, writes what stands in front of the rows, then block after block.

use super::encode::{Plan, Text};
use crate::connections::flat_file::Encoding;
use dtsx_engine::diag::{Error, Owner, Result, codes};
use dtsx_engine::flow::{Block, Commit, Committed, Waker};
use dtsx_engine::run::PathMap;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

/// The file to write.
#[derive(Debug)]
pub(super) struct Target {
    /// Its path as the package spells it.
    pub(super) name: String,
    /// Header and column names, in the form in which rows are built.
    pub(super) prologue: Vec<u8>,
    /// Overwrite.
    pub(super) overwrite: bool,
    pub(super) encoding: Encoding,
}

/// The serial half of the destination.
pub(super) struct FlatFileCommit {
    plan: Arc<Plan>,
    file: File,
    path: PathBuf,
    name: String,
}

impl FlatFileCommit {
    /// Creates or opens the file. Header, names and byte order mark are written where the file is new or empty.
    pub(super) fn open(plan: Arc<Plan>, target: &Target, paths: &PathMap) -> Result<FlatFileCommit> {
        let path = paths.resolve(&target.name);
        let cannot = |e: std::io::Error| {
            let code = codes::DTS_E_CANNOTOPENDATAFILE;
            let opened = path.display().to_string();
            let place = if opened == target.name { String::new() } else { format!(" ({opened})") };
            Error::new(Owner::Connection, code, format!("{}{place}: {e}", code.message(&[&target.name])))
        };
        let mut options = OpenOptions::new();
        options.create(true);
        if target.overwrite {
            options.write(true).truncate(true);
        } else {
            options.append(true);
        }
        let file = options.open(&path).map_err(cannot)?;
        let is_new = file.metadata().map_err(cannot)?.len() == 0;
        let mut commit = FlatFileCommit { plan, file, name: target.name.clone(), path: path.clone() };
        if is_new {
            let mut bytes = Vec::new();
            if target.encoding == Encoding::Utf16 {
                bytes.extend_from_slice(&[0xFF, 0xFE]);
                let text = String::from_utf8_lossy(&target.prologue);
                bytes.extend(text.encode_utf16().flat_map(u16::to_le_bytes));
            } else {
                bytes.extend_from_slice(&target.prologue);
            }
            commit.write(&bytes)?;
        }
        Ok(commit)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.write_all(bytes).map_err(|e| {
            let code = codes::DTS_E_CANNOTWRITETODATAFILE;
            let text = format!("{} \"{}\" ({}): {e}", code.message(&[]), self.name, self.path.display());
            Error::new(Owner::Environment, code, text)
        })
    }
}

impl Commit for FlatFileCommit {
    fn commit(&mut self, block: Block, _waker: &Waker) -> Result<Committed> {
        let Ok(text) = block.downcast::<Text>() else {
            return Err(Error::internal("a block of another destination"));
        };
        self.write(&text.bytes[..text.size])?;
        self.plan.recycle(text.bytes);
        Ok(Committed::Taken)
    }

    fn finish(&mut self) -> Result<()> {
        self.file.flush().map_err(Error::from)
    }
}
