//! The messages of an Arrow IPC stream: written batch by batch on the lanes, and read without trust in the file.

use super::{RawColumn, columns_of, damaged, schema_of};
use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::buffer::Buffer;
use arrow::datatypes::{DataType as ArrowType, SchemaRef};
use arrow::ipc::convert::try_fb_to_schema;
use arrow::ipc::reader::read_record_batch;
use arrow::ipc::writer::StreamEncoder;
use arrow::ipc::{self, MessageHeader, root_as_message};
use dtsx_engine::diag::{Error, Owner, Result, codes};
use std::collections::HashMap;
use std::fs::File;
use std::io::{BufReader, Read};
use std::sync::Arc;

/// What every message begins with; a file that begins so is one of ours.
pub(crate) const CONTINUATION: [u8; 4] = [0xFF; 4];
/// What ends the stream.
pub(crate) const END: [u8; 8] = [0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0];
/// The longest description of a message; a batch of a thousand columns takes some hundred kilobytes.
const MAX_METADATA: usize = 16 << 20;

/// Writes batches as messages; one a lane.
pub(crate) struct Writer {
    encoder: StreamEncoder,
    schema: SchemaRef,
}

/// The bytes in front of the first batch.
///
/// # Errors
/// Only if Arrow cannot encode the schema, a defect.
pub(crate) fn header(columns: &[RawColumn]) -> Result<Vec<u8>> {
    let buffers = StreamEncoder::try_new(&schema_of(columns))?.finish()?;
    let mut bytes = joined(&buffers);
    bytes.truncate(bytes.len() - END.len());
    Ok(bytes)
}

fn joined(buffers: &[Buffer]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(buffers.iter().map(Buffer::len).sum());
    buffers.iter().for_each(|buffer| bytes.extend_from_slice(buffer));
    bytes
}

impl Writer {
    pub(crate) fn new(columns: &[RawColumn]) -> Result<Writer> {
        let schema = schema_of(columns);
        let mut encoder = StreamEncoder::try_new(&schema)?;
        // The first call also yields the schema, which the file has once.
        encoder.encode(&RecordBatch::new_empty(schema.clone()))?;
        Ok(Writer { encoder, schema })
    }

    /// The message of one batch. Views are gathered first, as they may be few of a large block.
    pub(crate) fn encode(&mut self, columns: Vec<ArrayRef>) -> Result<Vec<u8>> {
        let columns = columns.into_iter().map(gathered).collect();
        let batch = RecordBatch::try_new(self.schema.clone(), columns)?;
        Ok(joined(&self.encoder.encode(&batch)?))
    }
}

fn gathered(array: ArrayRef) -> ArrayRef {
    match array.data_type() {
        ArrowType::Utf8View => Arc::new(array.as_string_view().gc()),
        ArrowType::BinaryView => Arc::new(array.as_binary_view().gc()),
        _ => array,
    }
}

/// Reads messages from a file.
pub(crate) struct Reader {
    file: BufReader<File>,
    name: Arc<str>,
    /// Bytes that the file has left.
    left: u64,
    pub(crate) schema: SchemaRef,
    pub(crate) columns: Vec<RawColumn>,
}

/// A record batch as it lies in the file.
pub(crate) struct Message {
    metadata: Vec<u8>,
    body: Buffer,
}

impl Reader {
    /// Reads the schema of a file of so many bytes.
    ///
    /// # Errors
    /// DTS_E_RAWBADHEADER for anything but the beginning of a file of ours.
    pub(crate) fn open(file: File, bytes: u64, name: Arc<str>) -> Result<Reader> {
        let bad = |why: &str| damaged(codes::DTS_E_RAWBADHEADER, &name, why);
        let mut reader = Reader {
            file: BufReader::with_capacity(1 << 16, file),
            name: name.clone(),
            left: bytes,
            schema: SchemaRef::new(arrow::datatypes::Schema::empty()),
            columns: Vec::new(),
        };
        let message = reader.next()?.ok_or_else(|| bad("it has no schema"))?;
        let root = root_as_message(&message.metadata).map_err(|_| bad("the schema cannot be read"))?;
        let schema = root.header_as_schema().ok_or_else(|| bad("it does not begin with a schema"))?;
        let schema = try_fb_to_schema(schema).map_err(|_| bad("the schema cannot be read"))?;
        reader.columns = columns_of(&schema).ok_or_else(|| bad("the schema is not one of a raw file"))?;
        reader.schema = Arc::new(schema);
        Ok(reader)
    }

    /// The next message; None at the end mark.
    ///
    /// # Errors
    /// DTS_E_RAWUNEXPECTEDEOF if the file ends before the mark, DTS_E_RAWBADHEADER for what is no message.
    pub(crate) fn next(&mut self) -> Result<Option<Message>> {
        let start = self.take(8)?;
        let bad = |why: &str| damaged(codes::DTS_E_RAWBADHEADER, &self.name, why);
        if start[..4] != CONTINUATION {
            return Err(bad("a message does not begin as one"));
        }
        let length = u32::from_le_bytes([start[4], start[5], start[6], start[7]]) as usize;
        if length == 0 {
            return Ok(None);
        }
        if length > MAX_METADATA {
            return Err(bad("the description of a message is too long"));
        }
        let metadata = self.take(length)?;
        let bad = |why: &str| damaged(codes::DTS_E_RAWBADHEADER, &self.name, why);
        let root = root_as_message(&metadata).map_err(|_| bad("a message cannot be read"))?;
        let body = usize::try_from(root.bodyLength()).map_err(|_| bad("a message has no length"))?;
        let body = Buffer::from(self.take(body)?);
        Ok(Some(Message { metadata, body }))
    }

    fn take(&mut self, bytes: usize) -> Result<Vec<u8>> {
        let short = || {
            let code = codes::DTS_E_RAWUNEXPECTEDEOF;
            Error::new(Owner::Data, code, code.message(&[&bytes, &self.name]))
        };
        if bytes as u64 > self.left {
            return Err(short());
        }
        let mut buffer = vec![0; bytes];
        self.file.read_exact(&mut buffer).map_err(|e| {
            let code = codes::DTS_E_RAWCANTREAD;
            Error::new(Owner::Environment, code, format!("{} {e}", code.message(&[&bytes, &self.name])))
        })?;
        self.left -= bytes as u64;
        Ok(buffer)
    }
}

/// Whether the views of every column of texts or bytes are of sixteen bytes each: Arrow panics at a part of one.
fn views_are_whole(schema: &SchemaRef, batch: ipc::RecordBatch<'_>) -> bool {
    let mut buffers = batch.buffers().into_iter().flatten();
    let mut blocks = batch.variadicBufferCounts().into_iter().flatten();
    schema.fields().iter().all(|field| match field.data_type() {
        ArrowType::Utf8View | ArrowType::BinaryView => {
            let views = buffers.nth(1);
            buffers.by_ref().take(blocks.next().unwrap_or(0) as usize).for_each(drop);
            views.is_some_and(|views| views.length() % 16 == 0)
        }
        // Validity, and validity and values of each field.
        ArrowType::Struct(fields) => buffers.nth(2 * fields.len()).is_some(),
        _ => buffers.nth(1).is_some(),
    })
}

impl Message {
    /// The columns `projection` of the batch, and its number of rows.
    ///
    /// # Errors
    /// DTS_E_RAWBADHEADER for a message that is no record batch of the schema.
    pub(crate) fn batch(&self, schema: &SchemaRef, projection: &[usize], name: &str) -> Result<(usize, Vec<ArrayRef>)> {
        let bad = |why: String| damaged(codes::DTS_E_RAWBADHEADER, name, why);
        let root = root_as_message(&self.metadata).map_err(|_| bad("a message cannot be read".into()))?;
        if root.header_type() != MessageHeader::RecordBatch {
            return Err(bad("a message is no record batch".into()));
        }
        let batch = root.header_as_record_batch().ok_or_else(|| bad("a message is no record batch".into()))?;
        // Arrow checks values, but takes these on trust.
        let rows = u32::try_from(batch.length()).map_err(|_| bad("a batch has no number of rows".into()))?;
        let size = self.body.len() as u64;
        let inside = |offset: i64, length: i64| match (u64::try_from(offset), u64::try_from(length)) {
            (Ok(offset), Ok(length)) => offset.checked_add(length).is_some_and(|end| end <= size),
            _ => false,
        };
        if batch.compression().is_some()
            || batch.nodes().is_none_or(|nodes| {
                nodes.len() < schema.fields().len()
                    || nodes
                        .iter()
                        .any(|n| n.length() != i64::from(rows) || !(0..=n.length()).contains(&n.null_count()))
            })
            || batch.buffers().is_none_or(|buffers| buffers.iter().any(|b| !inside(b.offset(), b.length())))
            || batch.variadicBufferCounts().is_some_and(|counts| counts.iter().any(|c| !(0..=1 << 20).contains(&c)))
            || !views_are_whole(schema, batch)
        {
            return Err(bad("a batch is not as it says".into()));
        }
        let read =
            read_record_batch(&self.body, batch, schema.clone(), &HashMap::new(), Some(projection), &root.version())
                .map_err(|e| bad(e.to_string()))?;
        Ok((rows as usize, read.columns().to_vec()))
    }
}
