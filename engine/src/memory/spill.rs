//! Rows on disk: what a holder that was refused memory writes away, and reads back.
//!
//! A run's [`SpillManager`] makes its folder when the first file is asked for, and the folder goes with the last file:
//! every holder owns its files, so that no ending (success, failure, cancel, a caught panic) leaves anything behind. A
//! process that was killed leaves its folder; the lock in it is free then, and the next run that spills removes it.

use crate::diag::{Error, Owner, Result};
use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{DataType, SchemaRef};
use arrow::ipc::CompressionType;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::{IpcWriteOptions, StreamWriter};
use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

/// The environment variable that names the folder for temporary files.
pub const TEMP_VARIABLE: &str = "DTSX_TEMP";

/// What the names of spill folders begin with.
const PREFIX: &str = "dtsx-spill-";
/// The file that is locked while a folder's process lives.
const LOCK: &str = "lock";
/// A folder without its lock may be on its way to one, so young folders are left alone.
const SETTLED: Duration = Duration::from_secs(60);
/// Bytes that a file is written and read by: few, as a holder may have many files. Larger blocks go past them.
const CHUNK: usize = 1 << 16;

/// Makes files for rows that do not fit into memory.
#[derive(Debug)]
pub struct SpillManager {
    parent: PathBuf,
    folder: Mutex<Weak<Folder>>,
    names: AtomicU64,
    written: Arc<AtomicU64>,
}

/// The folder of a run, while it has files. The lock is held until the process ends or the folder is gone.
#[derive(Debug)]
struct Folder {
    dir: tempfile::TempDir,
    _lock: File,
}

impl SpillManager {
    /// Files below `parent`; None: below `$DTSX_TEMP`, or else the system's folder for temporary files.
    pub fn new(parent: Option<PathBuf>) -> SpillManager {
        let named = || std::env::var_os(TEMP_VARIABLE).filter(|v| !v.is_empty()).map(PathBuf::from);
        SpillManager {
            parent: parent.or_else(named).unwrap_or_else(std::env::temp_dir),
            folder: Mutex::new(Weak::new()),
            names: AtomicU64::new(0),
            written: Arc::default(),
        }
    }

    /// A file for record batches of `schema`: an Arrow IPC stream, compressed with lz4.
    ///
    /// # Errors
    /// The folder or the file cannot be made.
    pub fn batches(&self, schema: &SchemaRef) -> Result<SpillWriter> {
        let (file, out) = self.create()?;
        let options = IpcWriteOptions::default().try_with_compression(Some(CompressionType::LZ4_FRAME))?;
        let out = StreamWriter::try_new_with_options(out, schema, options)?;
        Ok(SpillWriter { file, out, batches: 0, rows: 0 })
    }

    /// A file for blocks of bytes of the holder's own making.
    ///
    /// # Errors
    /// The folder or the file cannot be made.
    pub fn blocks(&self) -> Result<BlockWriter> {
        let (file, out) = self.create()?;
        Ok(BlockWriter { file, out })
    }

    /// A file that is written at its end and read anywhere.
    ///
    /// # Errors
    /// The folder or the file cannot be made.
    pub fn scratch(&self) -> Result<ScratchFile> {
        let (file, out) = self.create()?;
        let input = File::open(&file.path).map_err(|e| refused(&file.path, &e))?;
        Ok(ScratchFile { file, out, input })
    }

    /// Bytes written to disk so far, by all holders.
    pub fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    fn create(&self) -> Result<(Stored, Counted)> {
        let folder = self.folder().map_err(|e| refused(&self.parent, &e))?;
        let name = self.names.fetch_add(1, Ordering::Relaxed);
        let path = folder.dir.path().join(format!("{name}.spill"));
        let out = File::create_new(&path).map_err(|e| refused(&path, &e))?;
        let counted = Counted { out: BufWriter::with_capacity(CHUNK, out), written: self.written.clone(), bytes: 0 };
        Ok((Stored { path, _folder: folder }, counted))
    }

    fn folder(&self) -> std::io::Result<Arc<Folder>> {
        let mut known = self.folder.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(folder) = known.upgrade() {
            return Ok(folder);
        }
        std::fs::create_dir_all(&self.parent)?;
        remove_orphans(&self.parent);
        let dir = tempfile::Builder::new().prefix(PREFIX).tempdir_in(&self.parent)?;
        let lock = File::create_new(dir.path().join(LOCK))?;
        // Where the file system knows no locks, a folder that a crash leaves stays; nothing else is lost.
        let _ = lock.lock();
        let folder = Arc::new(Folder { dir, _lock: lock });
        *known = Arc::downgrade(&folder);
        Ok(folder)
    }
}

/// Removes the folders of runs that ended without a chance to do it themselves. What cannot be removed is left.
fn remove_orphans(parent: &Path) {
    let Ok(entries) = std::fs::read_dir(parent) else { return };
    for entry in entries.flatten().filter(|e| e.file_name().to_string_lossy().starts_with(PREFIX)) {
        let age = entry.metadata().and_then(|m| m.modified()).ok().and_then(|m| m.elapsed().ok());
        let free = File::open(entry.path().join(LOCK)).is_ok_and(|lock| lock.try_lock().is_ok());
        if free && age.is_some_and(|age| age > SETTLED) {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

fn refused(path: &Path, error: &std::io::Error) -> Error {
    let text = format!("cannot use {} for rows that do not fit into memory: {error}", path.display());
    Error::new(Owner::Environment, None, text)
}

/// A file that is removed when nobody needs it any more, and the folder with the last one.
#[derive(Debug)]
struct Stored {
    path: PathBuf,
    _folder: Arc<Folder>,
}

impl Stored {
    fn read(&self) -> Result<BufReader<File>> {
        let file = File::open(&self.path).map_err(|e| refused(&self.path, &e))?;
        Ok(BufReader::with_capacity(CHUNK, file))
    }
}

impl Drop for Stored {
    fn drop(&mut self) {
        // The folder goes with everything in it in the end.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Counts what goes through it.
#[derive(Debug)]
struct Counted {
    out: BufWriter<File>,
    written: Arc<AtomicU64>,
    bytes: u64,
}

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.written.fetch_add(written as u64, Ordering::Relaxed);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.out.flush()
    }
}

/// Writes record batches away.
pub struct SpillWriter {
    file: Stored,
    out: StreamWriter<Counted>,
    batches: usize,
    rows: u64,
}

impl SpillWriter {
    /// Writes a batch. Views are compacted first, so that a slice does not bring its whole buffers along.
    ///
    /// # Errors
    /// The disk is full, or fails.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let columns = batch.columns().iter().map(own).collect();
        let compact = RecordBatch::try_new(batch.schema(), columns)?;
        self.out.write(&compact).map_err(|e| self.failed(&e.to_string()))?;
        self.batches += 1;
        self.rows += batch.num_rows() as u64;
        Ok(())
    }

    fn failed(&self, reason: &str) -> Error {
        refused(&self.file.path, &std::io::Error::other(reason.to_owned()))
    }

    /// Ends the file.
    ///
    /// # Errors
    /// The disk is full, or fails.
    pub fn finish(mut self) -> Result<SpillFile> {
        self.out.finish().map_err(|e| self.failed(&e.to_string()))?;
        let bytes = self.out.get_ref().bytes;
        Ok(SpillFile { file: Arc::new(self.file), batches: self.batches, rows: self.rows, bytes })
    }
}

/// The column with its own text only.
fn own(column: &ArrayRef) -> ArrayRef {
    match column.data_type() {
        DataType::Utf8View => Arc::new(column.as_string_view().gc()),
        DataType::BinaryView => Arc::new(column.as_binary_view().gc()),
        _ => column.clone(),
    }
}

/// Record batches on disk; removed when the last clone and the last reader are gone.
#[derive(Clone, Debug)]
pub struct SpillFile {
    file: Arc<Stored>,
    batches: usize,
    rows: u64,
    bytes: u64,
}

impl SpillFile {
    /// How many batches.
    pub fn batches(&self) -> usize {
        self.batches
    }

    /// How many rows.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Bytes on disk.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Reads the batches in order, one at a time; any number of readers at once.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn read(&self) -> Result<SpillReader> {
        let batches = StreamReader::try_new(self.file.read()?, None)?;
        Ok(SpillReader { batches, _file: self.file.clone() })
    }
}

/// Record batches as they come from disk.
pub struct SpillReader {
    batches: StreamReader<BufReader<File>>,
    _file: Arc<Stored>,
}

impl Iterator for SpillReader {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Result<RecordBatch>> {
        Some(self.batches.next()?.map_err(Error::from))
    }
}

/// Writes blocks of bytes away.
#[derive(Debug)]
pub struct BlockWriter {
    file: Stored,
    out: Counted,
}

impl BlockWriter {
    /// Writes a block.
    ///
    /// # Errors
    /// The disk is full, or fails.
    pub fn write(&mut self, block: &[u8]) -> Result<()> {
        let length = (block.len() as u64).to_le_bytes();
        let written = self.out.write_all(&length).and_then(|()| self.out.write_all(block));
        written.map_err(|e| refused(&self.file.path, &e))
    }

    /// Ends the file.
    ///
    /// # Errors
    /// The disk is full, or fails.
    pub fn finish(mut self) -> Result<BlockFile> {
        self.out.flush().map_err(|e| refused(&self.file.path, &e))?;
        Ok(BlockFile { bytes: self.out.bytes, file: Arc::new(self.file) })
    }
}

/// Bytes on disk, appended by one and read by many; removed when it is dropped.
#[derive(Debug)]
pub struct ScratchFile {
    file: Stored,
    out: Counted,
    input: File,
}

impl ScratchFile {
    /// Writes `bytes` at the end, and tells where they begin.
    ///
    /// # Errors
    /// The disk is full, or fails.
    pub fn append(&mut self, bytes: &[u8]) -> Result<u64> {
        let at = self.out.bytes;
        self.out.write_all(bytes).map_err(|e| refused(&self.file.path, &e))?;
        Ok(at)
    }

    /// Makes what was written readable.
    ///
    /// # Errors
    /// The disk is full, or fails.
    pub fn flush(&mut self) -> Result<()> {
        self.out.flush().map_err(|e| refused(&self.file.path, &e))
    }

    /// Fills `into` with the bytes from `at` on, which were flushed; from any number of threads at once.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn read(&self, into: &mut [u8], at: u64) -> Result<()> {
        read_at(&self.input, into, at).map_err(|e| refused(&self.file.path, &e))
    }
}

#[cfg(unix)]
fn read_at(file: &File, into: &mut [u8], at: u64) -> std::io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, into, at)
}

#[cfg(windows)]
fn read_at(file: &File, into: &mut [u8], at: u64) -> std::io::Result<()> {
    let mut done = 0;
    while done < into.len() {
        match std::os::windows::fs::FileExt::seek_read(file, &mut into[done..], at + done as u64)? {
            0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            n => done += n,
        }
    }
    Ok(())
}

/// Blocks of bytes on disk; removed when the last clone and the last reader are gone.
#[derive(Clone, Debug)]
pub struct BlockFile {
    file: Arc<Stored>,
    bytes: u64,
}

impl BlockFile {
    /// Bytes on disk.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Reads the blocks in order.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn read(&self) -> Result<BlockReader> {
        Ok(BlockReader { input: self.file.read()?, left: self.bytes, file: self.file.clone() })
    }
}

/// Blocks of bytes as they come from disk.
#[derive(Debug)]
pub struct BlockReader {
    input: BufReader<File>,
    left: u64,
    file: Arc<Stored>,
}

impl BlockReader {
    /// Reads the next block into `block`, whose room is used again; false at the end.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn read(&mut self, block: &mut Vec<u8>) -> Result<bool> {
        if self.left == 0 {
            return Ok(false);
        }
        let mut length = [0; 8];
        let failed = |e: std::io::Error| refused(&self.file.path, &e);
        self.input.read_exact(&mut length).map_err(failed)?;
        let length = u64::from_le_bytes(length);
        block.resize(usize::try_from(length).unwrap_or(usize::MAX), 0);
        self.input.read_exact(block).map_err(failed)?;
        self.left -= 8 + length;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Int32Array, StringViewArray};
    use arrow::datatypes::{Field, Schema};

    fn entries(path: &Path) -> usize {
        std::fs::read_dir(path).unwrap().count()
    }

    #[test]
    fn batches_come_back_and_nothing_stays() {
        let parent = tempfile::tempdir().unwrap();
        let manager = SpillManager::new(Some(parent.path().join("below")));
        let fields = vec![Field::new("n", DataType::Int32, true), Field::new("t", DataType::Utf8View, true)];
        let schema = Arc::new(Schema::new(fields));
        let text = ["", "short", "rather longer than a view holds"];
        let batch = |from: i32| {
            let numbers: Int32Array = (from..from + 100).map(|n| (n % 7 != 0).then_some(n)).collect();
            let texts: StringViewArray = (from..from + 100).map(|n| text.get(n as usize % 4)).collect();
            RecordBatch::try_new(schema.clone(), vec![Arc::new(numbers), Arc::new(texts)]).unwrap()
        };
        let mut writer = manager.batches(&schema).unwrap();
        let written: Vec<RecordBatch> = (0..5).map(|n| batch(n * 100).slice(n as usize, 50)).collect();
        written.iter().for_each(|b| writer.write(b).unwrap());
        let file = writer.finish().unwrap();
        assert_eq!((file.batches(), file.rows(), file.bytes()), (5, 250, manager.written()));
        let reader = file.read().unwrap();
        let second = file.read().unwrap();
        drop(file);
        assert_eq!(reader.collect::<Result<Vec<_>>>().unwrap(), written);
        assert_eq!(second.collect::<Result<Vec<_>>>().unwrap(), written);
        assert_eq!(entries(&parent.path().join("below")), 0);
    }

    #[test]
    fn blocks_come_back_and_nothing_stays() {
        let parent = tempfile::tempdir().unwrap();
        let manager = SpillManager::new(Some(parent.path().to_owned()));
        let blocks = [vec![], vec![1u8; 10], (0..=255).cycle().take(1_000_000).collect::<Vec<u8>>()];
        let mut writer = manager.blocks().unwrap();
        blocks.iter().for_each(|b| writer.write(b).unwrap());
        let unfinished = manager.blocks().unwrap();
        assert_eq!(entries(parent.path()), 1);
        let mut reader = writer.finish().unwrap().read().unwrap();
        let mut block = Vec::new();
        for expected in &blocks {
            assert!(reader.read(&mut block).unwrap());
            assert_eq!(&block, expected);
        }
        assert!(!reader.read(&mut block).unwrap());
        drop(reader);
        assert_eq!(entries(parent.path()), 1);
        drop(unfinished);
        assert_eq!(entries(parent.path()), 0);
    }

    #[test]
    fn what_a_killed_run_left_is_removed_and_what_lives_is_not() {
        let parent = tempfile::tempdir().unwrap();
        let folder = |name: &str| {
            let path = parent.path().join(format!("{PREFIX}{name}"));
            std::fs::create_dir(&path).unwrap();
            let lock = File::create(path.join(LOCK)).unwrap();
            std::fs::write(path.join("0.spill"), "rows").unwrap();
            let old = std::time::SystemTime::now() - 2 * SETTLED;
            (path.clone(), lock, old)
        };
        let (dead, lock, old) = folder("dead");
        drop(lock);
        File::open(&dead).unwrap().set_modified(old).unwrap();
        let (live, lock, old) = folder("live");
        lock.lock().unwrap();
        File::open(&live).unwrap().set_modified(old).unwrap();
        let (young, _, _) = folder("young");
        let file = SpillManager::new(Some(parent.path().to_owned())).blocks().unwrap();
        assert_eq!((dead.exists(), live.exists(), young.exists()), (false, true, true));
        drop(file);
        assert_eq!(entries(parent.path()), 2);
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = SpillManager::new(Some(file.path().join("no"))).blocks().unwrap_err();
        assert!(error.to_string().contains(&file.path().display().to_string()), "{error}");
    }
}
