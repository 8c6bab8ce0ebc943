//! `dtsx read`: the rows of a DataReader destination on standard output.

use crate::args::{ReadArgs, ReadFormat};
use crate::output::{CommandResult, Failure, Out};
use crate::progress::{Display, Lines};
use crate::run::exit_code;
use crate::signals::cancel_on_interrupt;
use arrow::error::ArrowError;
use arrow::ipc::writer::StreamWriter;
use arrow::record_batch::RecordBatchReader;
use dtsx::Reader;
use dtsx::rows::{RowFormat, RowWriter};
use std::io::{self, Write};

/// Runs the package and prints the rows as they come. Errors and warnings go to standard error.
///
/// # Errors
/// A package that cannot be begun, a destination that it does not have; standard output.
pub fn run(args: &ReadArgs, out: &mut Out) -> CommandResult {
    let package = args.settings.open(&args.package)?.reader(&args.destination);
    let copy = package.clone();
    let in_package = |error: dtsx::Error| Failure::InPackage(error, Box::new(copy.clone()));
    let mut execution = package.execute(args.resources.clone().into()).map_err(in_package)?;
    cancel_on_interrupt(execution.cancel_token());

    let events = execution.events().clone();
    let messages = std::thread::spawn(move || {
        let mut lines = Lines::new(false);
        for event in events.iter().filter(|event| event.kind.message().is_some()) {
            // Lines on standard error: nothing to do about a failure.
            let _ = lines.event(&event);
        }
    });
    // The reader is dropped in `write`: an early end there cancels the run.
    let written = execution.reader(&args.destination).map(|reader| write(reader, args.format, out));
    let outcome = execution.wait();
    // It ends with the channel of events, which ends with the run.
    let _ = messages.join();
    match written {
        Ok(written) => {
            written?;
            Ok(exit_code(outcome.map_err(in_package)?.result))
        }
        Err(missing) => match outcome.map_err(in_package)? {
            outcome if outcome.succeeded() => Err(missing.into()),
            // A run that failed before it came to the destination has said why.
            outcome => Ok(exit_code(outcome.result)),
        },
    }
}

/// Writes all rows. That the run failed is no failure here: its outcome says so. An Arrow stream then lacks its end mark.
fn write(mut reader: Reader, format: ReadFormat, out: &mut Out) -> io::Result<()> {
    let schema = reader.schema();
    match format {
        ReadFormat::Csv | ReadFormat::Json => {
            let format = if format == ReadFormat::Csv { RowFormat::Csv } else { RowFormat::Json };
            let mut writer = RowWriter::new(&mut *out, format);
            writer.begin(&schema)?;
            for batch in reader.map_while(Result::ok) {
                writer.write(&batch)?;
            }
        }
        ReadFormat::Arrow => {
            let mut writer = StreamWriter::try_new(&mut *out, &schema).map_err(as_io)?;
            let whole = reader.try_for_each(|batch| match batch {
                Ok(batch) => writer.write(&batch).map_err(|e| Some(as_io(e))),
                Err(_) => Err(None),
            });
            match whole {
                Ok(()) => writer.finish().map_err(as_io)?,
                Err(None) => {}
                Err(Some(e)) => return Err(e),
            }
        }
    }
    out.flush()
}

/// The writer's own error if there is one, so that a broken pipe is seen to be one.
fn as_io(error: ArrowError) -> io::Error {
    match error {
        ArrowError::IoError(_, e) => e,
        other => io::Error::other(other),
    }
}
