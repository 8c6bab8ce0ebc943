//! Files of caches (`.caw`): an Arrow IPC file of the rows that can be found.
//!
//! The schema has the columns of the connection manager in its order, with their `DT_*` identity in the metadata of the
//! fields (`dtsx.type` …, as everywhere) and the position in the index as `dtsx.indexPosition`; the metadata of the schema
//! has `dtsx.cache` = `1`. Buffers are compressed with lz4. The index is built anew when a file is read. Files that SQL
//! Server writes have a form of its own, which is not documented: they are refused.

use super::cache::CacheFormat;
use crate::shared::reference::{Builder, Table};
use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{Field, Schema, SchemaRef};
use arrow::ipc::CompressionType;
use arrow::ipc::reader::FileReader;
use arrow::ipc::writer::{FileWriter, IpcWriteOptions};
use dtsx_engine::diag::{Code, Error, Owner, Result, codes};
use dtsx_engine::run::Services;
use dtsx_engine::types::field_for;
use std::collections::HashMap;
use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Seek, SeekFrom};
use std::sync::Arc;

/// The key of the schema's metadata that tells a cache, and the version of the form.
const MARK: (&str, &str) = ("dtsx.cache", "1");
/// The key of a field's metadata that tells its position in the index.
const INDEX_POSITION: &str = "dtsx.indexPosition";
/// What Arrow IPC files begin with.
const MAGIC: &[u8] = b"ARROW1";

fn schema(format: &CacheFormat) -> SchemaRef {
    let spec = &format.spec;
    let field = |(place, column): (usize, &crate::shared::reference::ReferenceColumn)| -> Field {
        let mut field = field_for(&column.name, &column.data_type);
        if let Some(position) = spec.keys.iter().position(|k| *k == place) {
            field.metadata_mut().insert(INDEX_POSITION.to_owned(), (position + 1).to_string());
        }
        field
    };
    let fields: Vec<Field> = spec.columns.iter().enumerate().map(field).collect();
    let mark = HashMap::from([(MARK.0.to_owned(), MARK.1.to_owned())]);
    Arc::new(Schema::new_with_metadata(fields, mark))
}

/// Writes `table` to the file that the package calls `name`.
///
/// # Errors
/// DTS_E_CACHEFILEWRITEFAILED.
pub(crate) fn write(format: &CacheFormat, table: &Table, name: &str, by: &str, services: &Services) -> Result<()> {
    let code = codes::DTS_E_CACHEFILEWRITEFAILED;
    let failed = |cause: String| {
        Error::new(Owner::Environment, code, format!("{} {cause}", code.message(&[&by, &name, &"80004005"])))
    };
    let path = services.paths.resolve(name);
    let schema = schema(format);
    let write = || -> Result<(), Box<dyn std::error::Error>> {
        let options = IpcWriteOptions::default().try_with_compression(Some(CompressionType::LZ4_FRAME))?;
        let file = BufWriter::new(File::create(&path)?);
        let mut out = FileWriter::try_new_with_options(file, &schema, options)?;
        table.each(|columns| {
            services.cancel.check()?;
            Ok(out.write(&RecordBatch::try_new(schema.clone(), columns)?)?)
        })?;
        out.finish()?;
        Ok(())
    };
    write().map_err(|e| failed(e.to_string()))
}

/// Reads the file that the package calls `name`.
///
/// # Errors
/// DTS_E_FAILEDTOLOADCACHE: there is no such file, or its columns are not those of the connection manager;
/// DTS_E_CACHEBADHEADER: it is no cache of this program.
pub(crate) fn load(format: &CacheFormat, name: &str, services: &Services) -> Result<Table> {
    let code = codes::DTS_E_FAILEDTOLOADCACHE;
    let failed = |code: Code, cause: String| {
        let message = codes::DTS_E_FAILEDTOLOADCACHE.message(&[&name]);
        Error::new(Owner::Environment, code, format!("{message} {cause}"))
    };
    let cannot = |e: std::io::Error| failed(code, e.to_string());
    let mut file = File::open(services.paths.resolve(name)).map_err(cannot)?;
    let mut magic = [0; MAGIC.len()];
    if file.read_exact(&mut magic).is_err() || magic != MAGIC {
        let bad = codes::DTS_E_CACHEBADHEADER;
        let why = "This program reads the cache files that it writes itself; those of SQL Server have a form that is not documented.";
        return Err(failed(bad, format!("{} {why}", bad.message(&[]))));
    }
    file.seek(SeekFrom::Start(0)).map_err(cannot)?;
    let broken = |e: arrow::error::ArrowError| {
        let bad = codes::DTS_E_CACHEBADHEADER;
        failed(bad, format!("{} {e}", bad.message(&[])))
    };
    let reader = FileReader::try_new(BufReader::new(file), None).map_err(broken)?;
    let (expected, found) = (schema(format), reader.schema());
    if found.metadata().get(MARK.0).map(String::as_str) != Some(MARK.1) {
        let bad = codes::DTS_E_CACHEBADHEADER;
        return Err(failed(bad, bad.message(&[])));
    }
    let mut places = Vec::with_capacity(expected.fields().len());
    for field in expected.fields() {
        match found.column_with_name(field.name()) {
            Some((place, other)) if other.metadata() == field.metadata() => places.push(place),
            Some(_) => return Err(failed(code, format!("The column \"{}\" is of another type there.", field.name()))),
            None => return Err(failed(code, codes::DTS_E_CACHECOLUMNOTFOUND.message(&[field.name()]))),
        }
    }
    let builder = Builder::new(format.spec.clone(), services);
    for (place, batch) in reader.enumerate() {
        services.cancel.check()?;
        let batch = batch.map_err(broken)?;
        let columns: Vec<ArrayRef> = places.iter().map(|p| batch.column(*p).clone()).collect();
        builder.add((place as u64, 0), &columns)?;
    }
    services.pool.install(|| builder.finish())
}
