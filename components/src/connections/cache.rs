//! Cache connection manager (`CACHE`): rows in memory, written by a Cache Transform and read by Lookups of later data
//! flows of the same execution; with UseFile, kept in a file too.
//!
//! ```text
//! UseFile=True  ConnectionString=C:\caches\customers.caw
//!   CustomerCode   wstr(10)   IndexPosition 1      (the key, in this order)
//!   CustomerId     i4
//! ```
//!
//! [`CacheFormat::from_spec`] reads the properties once. The rows are in the execution's [`Cache`] of that connection
//! manager, which knows who writes and who reads: one Cache Transform writes, and nobody reads until it is done.

use crate::shared::reference::{ReferenceColumn, ReferenceSpec, Table};
use dtsx_engine::connections::ConnectionSpec;
use dtsx_engine::diag::{Code, Diagnostic, Error, Owner, Result, codes};
use dtsx_engine::flow::{BindCx, ComponentSpec};
use dtsx_engine::props::DataNode;
use dtsx_engine::run::Services;
use dtsx_engine::types::DataType;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The typed form of a Cache connection manager.
#[derive(Clone, Debug)]
pub(crate) struct CacheFormat {
    /// What identifies the connection manager in an execution.
    pub id: String,
    /// Its columns; the keys are those with an index position, in the order of the positions.
    pub spec: Arc<ReferenceSpec>,
    /// The file, if one is used (UseFile).
    pub file: Option<String>,
}

impl CacheFormat {
    /// Reads a connection manager.
    ///
    /// # Errors
    /// Everything that is wrong with it: positions of the index (DTS_E_CACHE_INVALID_INDEXPOS, …_DUPLICATE_INDEXPOS,
    /// …_INDEXPOS_NOT_CONTINUOUS, …_TOO_FEW_INDEX_COLUMNS), UseFile without a name (DTS_E_INVALIDCACHEFILENAME), types.
    pub(crate) fn from_spec(connection: &ConnectionSpec) -> Result<CacheFormat, Vec<Diagnostic>> {
        let mut problems = Vec::new();
        let mut wrong = |code: Code, args: &[&dyn std::fmt::Display]| {
            problems.push(Diagnostic::error(code, &connection.path, code.message(args)));
        };
        if !connection.kind.eq_ignore_ascii_case("CACHE") {
            wrong(codes::DTS_E_UNKNOWNCONNECTIONMANAGERTYPE, &[&connection.kind, &connection.name]);
            return Err(problems);
        }
        let mut columns = Vec::new();
        let mut positions: Vec<(i64, usize)> = Vec::new();
        for node in connection.data.all("CacheColumn") {
            let name = node.attr("ObjectName").unwrap_or_default().to_owned();
            let Some(data_type) = data_type(node) else {
                wrong(codes::DTS_E_INVALIDDATATYPE, &[&name]);
                continue;
            };
            // No BLOBs in caches.
            if data_type.is_blob() {
                wrong(codes::DTS_E_INVALIDDATATYPE, &[&name]);
            }
            let position = node.attr("IndexPosition").and_then(|p| p.trim().parse::<i64>().ok()).unwrap_or(0);
            match position {
                0 => {}
                p if p < 0 => wrong(codes::DTS_E_CACHE_INVALID_INDEXPOS, &[&p]),
                p if positions.iter().any(|(other, _)| *other == p) => {
                    wrong(codes::DTS_E_CACHE_DUPLICATE_INDEXPOS, &[&p]);
                }
                p => positions.push((p, columns.len())),
            }
            columns.push(ReferenceColumn { name, data_type });
        }
        positions.sort_unstable();
        if positions.is_empty() {
            wrong(codes::DTS_E_CACHE_TOO_FEW_INDEX_COLUMNS, &[]);
        } else if positions.iter().zip(1..).any(|((p, _), expected)| *p != expected) {
            wrong(codes::DTS_E_CACHE_INDEXPOS_NOT_CONTINUOUS, &[]);
        }
        let use_file = connection.properties.bool("UseFile").unwrap_or(false);
        let path = connection.connection_string();
        if use_file && path.trim().is_empty() {
            wrong(codes::DTS_E_INVALIDCACHEFILENAME, &[]);
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let keys = positions.into_iter().map(|(_, column)| column).collect();
        Ok(CacheFormat {
            id: if connection.id.is_empty() { connection.path.clone() } else { connection.id.to_ascii_uppercase() },
            spec: Arc::new(ReferenceSpec { columns, keys }),
            file: use_file.then(|| path.to_owned()),
        })
    }

    /// The place of the column of that name.
    pub(crate) fn column(&self, name: &str) -> Option<usize> {
        self.spec.columns.iter().position(|c| c.name == name)
    }

    /// The cache of this connection manager in an execution.
    pub(crate) fn cache(&self, services: &Services) -> Arc<Cache> {
        services.shared.get::<Cache>(&self.id)
    }
}

fn data_type(node: &DataNode) -> Option<DataType> {
    let number = |name: &str| node.attr(name).and_then(|v| v.trim().parse::<u32>().ok()).unwrap_or(0);
    let small = |name: &str| u8::try_from(number(name)).unwrap_or(u8::MAX);
    let code = node.attr("DataType").and_then(|v| v.trim().parse().ok())?;
    let found = DataType::from_code(code, number("Length"), small("Precision"), small("Scale"), number("CodePage"))?;
    (found != DataType::Null).then_some(found)
}

/// The cache that the component's connection means; reports what is wrong with it.
pub(crate) fn format(spec: &ComponentSpec, cx: &mut BindCx<'_>) -> Option<CacheFormat> {
    // One name in all versions, but the name of the only connection does not matter.
    let connection = cx.connection(spec, Some("CacheConnection")).or_else(|_| cx.connection(spec, None));
    let format = match connection {
        Ok(connection) => CacheFormat::from_spec(&connection),
        Err(error) => {
            let code = error.code().unwrap_or(codes::DTS_E_CONNECTIONNOTFOUND);
            cx.error(spec, code, error.message());
            return None;
        }
    };
    match format {
        Ok(format) => Some(format),
        Err(problems) => {
            let shown = |mut d: Diagnostic| {
                d.message = format!("{} (connection manager of \"{}\")", d.message, spec.name);
                d.object.clone_from(&spec.path);
                d.with_span(spec.span)
            };
            cx.diagnostics.extend(problems.into_iter().map(shown));
            None
        }
    }
}

/// The rows of a Cache connection manager in one execution.
#[derive(Default)]
pub(crate) struct Cache(Mutex<State>);

#[derive(Default)]
struct State {
    content: Content,
    /// Components that read.
    readers: Vec<String>,
}

#[derive(Default)]
enum Content {
    #[default]
    Empty,
    /// A Cache Transform writes.
    Written { by: String },
    /// A Cache Transform wrote.
    Filled { by: String, table: Arc<Table> },
    /// A Lookup read a file.
    Loaded { by: String, file: String, table: Arc<Table> },
}

fn refused(code: Code, args: &[&dyn std::fmt::Display]) -> Error {
    Error::new(Owner::Package, code, code.message(args))
}

impl Cache {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins to write in the name of the component at path `by`; what a Cache Transform wrote when it ran before (in a
    /// loop) is replaced (unconfirmed).
    ///
    /// # Errors
    /// DTS_E_MULTIPLECACHEWRITES, DTS_E_CACHELOADEDFROMFILE, DTS_E_WRITEWHILECACHEINUSE.
    pub(crate) fn write(self: &Arc<Self>, by: &str) -> Result<Writing> {
        let mut state = self.lock();
        match &state.content {
            Content::Written { by: other } => return Err(refused(codes::DTS_E_MULTIPLECACHEWRITES, &[&by, other])),
            Content::Filled { by: other, .. } if other != by => {
                return Err(refused(codes::DTS_E_MULTIPLECACHEWRITES, &[&by, other]));
            }
            Content::Loaded { by: other, .. } => return Err(refused(codes::DTS_E_CACHELOADEDFROMFILE, &[&by, other])),
            Content::Empty | Content::Filled { .. } => {}
        }
        if let Some(reader) = state.readers.first() {
            return Err(refused(codes::DTS_E_WRITEWHILECACHEINUSE, &[reader, &by]));
        }
        state.content = Content::Written { by: by.to_owned() };
        Ok(Writing { cache: self.clone(), by: by.to_owned() })
    }

    /// Begins to read in the name of the component at path `by`; `load` reads the file, if there is one to read.
    ///
    /// # Errors
    /// DTS_E_READUNINITIALIZEDCACHE, DTS_E_READNOTFILLEDCACHE, DTS_E_CACHERELOADEDDIFFERENTFILES; those of `load`.
    pub(crate) fn read(
        self: &Arc<Self>,
        by: &str,
        file: Option<&str>,
        load: impl FnOnce(&str) -> Result<Table>,
    ) -> Result<Reading> {
        let mut state = self.lock();
        let table = match &state.content {
            Content::Written { by: writer } => {
                return Err(refused(codes::DTS_E_READNOTFILLEDCACHE, &[writer, &by]));
            }
            Content::Filled { table, .. } => table.clone(),
            Content::Loaded { file: other, table, .. } => match file {
                Some(file) if file != other => {
                    return Err(refused(codes::DTS_E_CACHERELOADEDDIFFERENTFILES, &[&by, &file, other]));
                }
                _ => table.clone(),
            },
            Content::Empty => {
                let Some(file) = file else { return Err(refused(codes::DTS_E_READUNINITIALIZEDCACHE, &[&by])) };
                let table = Arc::new(load(file)?);
                state.content = Content::Loaded { by: by.to_owned(), file: file.to_owned(), table: table.clone() };
                table
            }
        };
        state.readers.push(by.to_owned());
        Ok(Reading { cache: self.clone(), by: by.to_owned(), table })
    }
}

/// The right to write a cache. Dropped without [`Writing::fill`], it leaves the cache empty.
pub(crate) struct Writing {
    cache: Arc<Cache>,
    by: String,
}

impl Writing {
    /// The rows are complete.
    pub(crate) fn fill(&self, table: Arc<Table>) {
        self.cache.lock().content = Content::Filled { by: self.by.clone(), table };
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        let mut state = self.cache.lock();
        if matches!(&state.content, Content::Written { by } if *by == self.by) {
            state.content = Content::Empty;
        }
    }
}

/// The right to read a cache, and its rows.
pub(crate) struct Reading {
    cache: Arc<Cache>,
    by: String,
    table: Arc<Table>,
}

impl Reading {
    /// The rows.
    pub(crate) fn table(&self) -> &Arc<Table> {
        &self.table
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        let mut state = self.cache.lock();
        if let Some(place) = state.readers.iter().position(|r| *r == self.by) {
            state.readers.swap_remove(place);
        }
    }
}
