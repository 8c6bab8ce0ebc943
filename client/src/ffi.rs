//! Rows for other languages in this process: the Arrow C stream interface.
//!
//! Whoever takes the stream calls its `release`, which drops the reader and so cancels a run that has not ended.

use crate::reader::Reader;
use arrow::ffi_stream::FFI_ArrowArrayStream;

/// The rows of a reader as a C stream, to be moved to whoever reads it.
///
/// ```no_run
/// let reader = dtsx::Package::open("load.dtsx")?.read("DataReaderDest")?;
/// let stream = dtsx::ffi::c_stream(reader);
/// # let _: arrow::ffi_stream::FFI_ArrowArrayStream = stream;
/// # Ok::<(), dtsx::Error>(())
/// ```
pub fn c_stream(reader: Reader) -> FFI_ArrowArrayStream {
    FFI_ArrowArrayStream::new(Box::new(reader))
}

/// Writes the rows of a reader as a C stream into memory that another language has set aside, as the interface wants it.
///
/// # Safety
/// `out` must be valid for writing an `ArrowArrayStream`, aligned, and hold nothing that has to be released: what is there
/// is overwritten.
#[expect(unsafe_code, reason = "the C stream interface hands memory over by pointer")]
pub unsafe fn export_c_stream(reader: Reader, out: *mut FFI_ArrowArrayStream) {
    // SAFETY: the caller promises that `out` is valid, aligned, and holds nothing.
    unsafe { std::ptr::write(out, c_stream(reader)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reader::Channel;
    use arrow::array::{ArrayRef, Int32Array};
    use arrow::ffi_stream::RecordBatchStreamReader;
    use arrow::record_batch::RecordBatchReader;
    use dtsx_engine::batch::Batch;
    use dtsx_engine::flow::{ColumnRef, Layout, LineageId, Waker};
    use dtsx_engine::run::{CancelToken, ReaderSink};
    use dtsx_engine::types::DataType;
    use std::sync::Arc;

    #[test]
    #[expect(unsafe_code, reason = "the other side of the interface")]
    fn rows_and_types_pass_the_border_and_release_cancels() {
        let channel = Channel::new();
        let column = ColumnRef {
            lineage: LineageId(1),
            name: "n".to_owned(),
            component: Arc::from("Source"),
            data_type: DataType::I4,
            sort_key: 0,
            comparison_flags: 0,
            used: true,
        };
        channel.begin(&Layout { columns: vec![column] });
        let values: ArrayRef = Arc::new(Int32Array::from(vec![1, 2, 3]));
        channel.offer(Batch::new(0, 3, vec![values]), &Waker::new(|| {})).unwrap();

        let cancel = CancelToken::default();
        let reader = Reader::new(channel.clone(), channel.wait_for_schema().unwrap(), cancel.clone());
        let mut stream = FFI_ArrowArrayStream::empty();
        // SAFETY: the stream is ours and empty.
        unsafe { export_c_stream(reader, &raw mut stream) };
        let mut back = RecordBatchStreamReader::try_new(stream).unwrap();
        assert_eq!(back.schema().field(0).metadata()["dtsx.type"], "DT_I4");
        assert_eq!(back.next().unwrap().unwrap().num_rows(), 3);
        assert!(!cancel.is_cancelled());
        drop(back);
        assert!(cancel.is_cancelled());
    }
}
