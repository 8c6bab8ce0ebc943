//! A Lookup whose reference rows are all at hand before the first row: probing, and where the rows go.

use crate::connections::cache::{CacheFormat, Reading};
use crate::connections::cache_file;
use crate::shared::reference::query::ReferenceQuery;
use crate::shared::reference::{Found, NONE, Prober, Table};
use crate::transforms::{dense, shown};
use arrow::array::ArrayRef;
use dtsx_engine::batch::{Batch, Fault, Faults};
use dtsx_engine::diag::{Error, Result, codes};
use dtsx_engine::events::Message;
use dtsx_engine::flow::faults::{ErrorOutput, FaultSite, RowFaults};
use dtsx_engine::flow::{Apply, Inline, Layout, OpenCx, Ports, Slot};
use dtsx_engine::types::DataType;
use dtsx_engine::types::convert::{CastOptions, cast_array};
use std::sync::Arc;

/// A column that is taken from the reference rows.
pub(super) struct Copied {
    /// Its place among the reference columns.
    pub column: usize,
    /// Its type there.
    pub from: DataType,
    /// The type that it is converted to, if it is.
    pub convert: Option<DataType>,
    /// The column of the input that it replaces; None: a new column.
    pub place: Option<Slot>,
    pub site: FaultSite,
}

/// What every form of the component knows.
pub(super) struct Plan {
    pub name: String,
    pub matched: usize,
    /// Where rows without a match go; None: they are errors.
    pub no_match: Option<usize>,
    /// The key columns, in the order of the reference's keys.
    pub keys: Vec<Slot>,
    pub key_names: Vec<String>,
    /// Replaced columns and new ones; the new ones in the order of the match output.
    pub copies: Vec<Copied>,
    pub errors: ErrorOutput,
    pub miss: FaultSite,
    pub options: CastOptions,
}

impl Plan {
    /// The reference columns that are taken, in the order of [`Plan::copies`].
    pub(super) fn wanted(&self) -> Vec<usize> {
        self.copies.iter().map(|c| c.column).collect()
    }

    /// The values of the key columns.
    pub(super) fn keys_of(&self, batch: &Batch) -> Vec<ArrayRef> {
        self.keys.iter().map(|slot| batch.columns[slot.0].clone()).collect()
    }

    /// Sends the rows of a batch on. `found` says by row whether there is a match, and `fetched` holds the wanted columns,
    /// NULL where there is none.
    pub(super) fn send(&self, batch: Batch, found: &[u32], fetched: Vec<ArrayRef>, out: &mut Ports) -> Result<()> {
        let misses = misses(&batch, found);
        let batch = match self.no_match {
            Some(port) if !misses.is_empty() => {
                let hits = hits(&batch, found);
                // The port's own columns, if a package has some there, are NULL.
                out.put(port, Batch { selection: Some(Arc::new(misses)), ..batch.clone() });
                Batch { selection: Some(Arc::new(hits)), ..batch }
            }
            Some(_) => batch,
            None => return self.settle(batch, &misses, fetched, out),
        };
        self.settle(batch, &[], fetched, out)
    }

    /// Sends the rows to the match output, but for those that the dispositions send elsewhere; `misses` are errors.
    fn settle(&self, batch: Batch, misses: &[u32], fetched: Vec<ArrayRef>, out: &mut Ports) -> Result<()> {
        let mut rows = RowFaults::new(&batch);
        if !misses.is_empty() {
            let code = codes::DTS_E_TXLOOKUP_ROWLOOKUPERROR;
            let faults: Faults = misses.iter().map(|row| Fault { row: *row, code, truncation: false }).collect();
            rows.column(&self.miss, &faults, &|row| Some(self.key_values(&batch, row)));
        }
        let mut columns = Vec::with_capacity(batch.columns.len() + self.copies.len());
        columns.extend(batch.columns.iter().cloned());
        for (copied, mut array) in self.copies.iter().zip(fetched) {
            if let Some(to) = &copied.convert {
                let (converted, faults) = cast_array(&array, &copied.from, to, &self.options)?;
                rows.column(&copied.site, &faults, &|row| shown(&array, row));
                array = converted;
            }
            match copied.place {
                Some(slot) => columns[slot.0] = array,
                None => columns.push(array),
            }
        }
        let (selection, rejects) = rows.settle(&self.name)?;
        self.errors.send(&batch, &rejects, out)?;
        out.put(self.matched, Batch { columns, selection, ..batch });
        Ok(())
    }

    /// The key of a row, for messages.
    fn key_values(&self, batch: &Batch, row: u32) -> String {
        let value = |(slot, name): (&Slot, &String)| {
            let value = shown(&batch.columns[slot.0], row);
            format!("{name}={}", value.as_deref().unwrap_or("NULL"))
        };
        self.keys.iter().zip(&self.key_names).map(value).collect::<Vec<_>>().join(", ")
    }
}

/// The selected rows without a match.
fn misses(batch: &Batch, found: &[u32]) -> Vec<u32> {
    match &batch.selection {
        Some(selection) => selection.iter().copied().filter(|row| found[*row as usize] == NONE).collect(),
        None if !found.contains(&NONE) => Vec::new(),
        None => (0..batch.rows as u32).filter(|row| found[*row as usize] == NONE).collect(),
    }
}

/// The selected rows with a match.
fn hits(batch: &Batch, found: &[u32]) -> Vec<u32> {
    let hit = |row: &u32| found[*row as usize] != NONE;
    match &batch.selection {
        Some(selection) => selection.iter().copied().filter(hit).collect(),
        None => (0..batch.rows as u32).filter(hit).collect(),
    }
}

/// Where the reference rows come from.
pub(super) enum Reference {
    /// A Cache connection manager.
    Cache(Arc<CacheFormat>),
    /// A query.
    Database(Arc<ReferenceQuery>),
}

/// A Lookup with a full cache, ready to run any number of times.
pub(super) struct CachedLookup {
    pub plan: Arc<Plan>,
    pub reference: Reference,
}

impl Inline for CachedLookup {
    fn accepts_selection(&self) -> bool {
        true
    }

    fn begin(&self, cx: &OpenCx, _input: &Layout) -> Result<Option<Arc<dyn Inline>>> {
        let (table, reading) = match &self.reference {
            Reference::Cache(format) => {
                let load = |file: &str| cache_file::load(format, file, &cx.services);
                let reading = format.cache(&cx.services).read(&cx.path, format.file.as_deref(), load)?;
                (reading.table().clone(), Some(reading))
            }
            Reference::Database(reference) => (Arc::new(reference.load(cx)?), None),
        };
        let code = codes::DTS_I_TXLOOKUP_CACHE_FINAL;
        let text = code.message(&[&cx.name, &table.rows()]);
        cx.events.fire(Message { severity: code.severity(), code, sub_component: cx.name.to_string(), text });
        Ok(Some(Arc::new(Run { plan: self.plan.clone(), table, _reading: reading })))
    }

    fn open(&self, _cx: &OpenCx, _input: &Layout) -> Result<Box<dyn Apply>> {
        Err(Error::internal("a lookup without reference rows"))
    }
}

/// One execution.
struct Run {
    plan: Arc<Plan>,
    table: Arc<Table>,
    _reading: Option<Reading>,
}

impl Inline for Run {
    fn accepts_selection(&self) -> bool {
        true
    }

    fn open(&self, _cx: &OpenCx, _input: &Layout) -> Result<Box<dyn Apply>> {
        Ok(Box::new(Lane { plan: self.plan.clone(), prober: self.table.prober(self.plan.wanted())? }))
    }

    fn finish(&self, cx: &OpenCx) -> Result<()> {
        self.plan.errors.report_lost(cx);
        Ok(())
    }
}

struct Lane {
    plan: Arc<Plan>,
    prober: Prober,
}

impl Apply for Lane {
    fn apply(&mut self, batch: Batch, out: &mut Ports) -> Result<()> {
        let batch = dense(batch)?;
        let found: Found = self.prober.find(&self.plan.keys_of(&batch), batch.rows)?;
        let fetched = self.prober.fetch(&found)?;
        self.plan.send(batch, &found.rows, fetched, out)
    }
}
