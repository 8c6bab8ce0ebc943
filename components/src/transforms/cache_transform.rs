//! Cache Transform: writes the rows that pass to the cache of a Cache connection manager, for Lookups of later data flows.
//!
//! Every column of the cache takes one input column (CacheColumnName). Of rows with equal keys the first in the order of
//! the source counts; the others are left out, with a warning, or an error if TreatDuplicateKeysAsError says so. The cache
//! is complete, and written to its file if the connection manager uses one, when the data flow has ended in order.

use super::{one_input, report_column};
use crate::connections::cache::{CacheFormat, Writing, format};
use crate::connections::cache_file;
use crate::shared::reference::{Builder, Order, duplicates};
use dtsx_engine::batch::Batch;
use dtsx_engine::diag::{Code, Diagnostic, Error, Result, codes};
use dtsx_engine::events::Message;
use dtsx_engine::flow::{Apply, BindCx, Bound, ComponentKind, ComponentSpec, Inline, Layout, OpenCx, Ports, Slot};
use dtsx_engine::props::{PropertyDef, PropertyType};
use std::sync::Arc;

/// `Microsoft.Cache`.
pub struct CacheTransform;

const TREAT_DUPLICATES: &str = "TreatDuplicateKeysAsError";

impl ComponentKind for CacheTransform {
    fn kind(&self) -> &'static str {
        "Microsoft.Cache"
    }

    fn title(&self) -> &'static str {
        "Cache Transform"
    }

    fn properties(&self) -> &'static [PropertyDef] {
        &[PropertyDef {
            name: TREAT_DUPLICATES,
            ty: PropertyType::Bool,
            default: "False",
            doc: "Whether rows with equal keys fail the component.",
        }]
    }

    fn bind(&self, spec: &ComponentSpec, cx: &mut BindCx<'_>) -> Option<Bound> {
        let before = cx.diagnostics.len();
        one_input(spec, cx)?;
        let format = format(spec, cx)?;
        let slots = mapping(spec, cx, &format);
        if cx.diagnostics[before..].iter().any(Diagnostic::is_error) {
            return None;
        }
        let fail = spec.properties.bool(TREAT_DUPLICATES).unwrap_or(false);
        let output = spec.outputs.iter().position(|o| !o.is_error);
        Some(Bound::Inline(Box::new(Cacher { format: Arc::new(format), slots: slots.into(), fail, output })))
    }
}

/// For each column of the cache, where the input has it.
fn mapping(spec: &ComponentSpec, cx: &mut BindCx<'_>, format: &CacheFormat) -> Vec<Slot> {
    let mut slots: Vec<Option<Slot>> = vec![None; format.spec.columns.len()];
    let input = &spec.inputs[0];
    for column in &input.columns {
        let name = column.properties.str("CacheColumnName");
        let object = format!("{}.Inputs[{}].Columns[{}]", spec.name, input.name, column.name);
        // A lineage that the path does not bring is reported for every component alike.
        let Some(slot) = cx.inputs[0].slot(column.lineage) else { continue };
        let data_type = cx.inputs[0].column(slot).data_type;
        let target = format.column(name);
        let (code, message): (Code, String) = match target {
            _ if name.is_empty() => {
                (codes::DTS_E_COLNOTMAPPEDTOCACHECOL, codes::DTS_E_COLNOTMAPPEDTOCACHECOL.message(&[&object]))
            }
            None => (codes::DTS_E_CACHECOLUMNOTFOUND, codes::DTS_E_CACHECOLUMNOTFOUND.message(&[&name])),
            Some(target) if slots[target].is_some() => {
                (codes::DTS_E_MULTICACHECOLMAPPINGS, codes::DTS_E_MULTICACHECOLMAPPINGS.message(&[&name]))
            }
            Some(target) => {
                let cached = format.spec.columns[target].data_type;
                let code = match cached {
                    _ if cached == data_type => {
                        slots[target] = Some(slot);
                        continue;
                    }
                    _ if cached.code() == data_type.code() => codes::DTS_E_CACHECOLDATATYPEPROPINCOMPAT,
                    _ => codes::DTS_E_CACHECOLDATATYPEINCOMPAT,
                };
                slots[target] = Some(slot);
                (code, format!("{} ({data_type} into {cached})", code.message(&[&column.name, &name])))
            }
        };
        report_column(spec, cx, column, code, message);
    }
    if !cx.failed(&spec.path) && slots.iter().any(Option::is_none) {
        let code = codes::DTS_E_INCORRECTINPUTCACHECOLCOUNT;
        cx.error(spec, code, code.message(&[]));
    }
    slots.into_iter().flatten().collect()
}

/// A component, ready to run any number of times.
struct Cacher {
    format: Arc<CacheFormat>,
    /// By column of the cache.
    slots: Arc<[Slot]>,
    /// Duplicates are errors.
    fail: bool,
    output: Option<usize>,
}

impl Inline for Cacher {
    fn accepts_selection(&self) -> bool {
        true
    }

    fn begin(&self, cx: &OpenCx, _input: &Layout) -> Result<Option<Arc<dyn Inline>>> {
        let writing = self.format.cache(&cx.services).write(&cx.path)?;
        let builder = Arc::new(Builder::new(self.format.spec.clone(), &cx.services));
        let run = Run {
            format: self.format.clone(),
            slots: self.slots.clone(),
            fail: self.fail,
            output: self.output,
            builder,
            writing,
        };
        Ok(Some(Arc::new(run)))
    }

    fn open(&self, _cx: &OpenCx, _input: &Layout) -> Result<Box<dyn Apply>> {
        Err(Error::internal("a cache that nobody began to write"))
    }
}

/// One execution.
struct Run {
    format: Arc<CacheFormat>,
    slots: Arc<[Slot]>,
    fail: bool,
    output: Option<usize>,
    builder: Arc<Builder>,
    writing: Writing,
}

impl Inline for Run {
    fn accepts_selection(&self) -> bool {
        true
    }

    fn open(&self, _cx: &OpenCx, _input: &Layout) -> Result<Box<dyn Apply>> {
        Ok(Box::new(Lane {
            slots: self.slots.clone(),
            output: self.output,
            builder: self.builder.clone(),
            next: (0, 0),
        }))
    }

    fn finish(&self, cx: &OpenCx) -> Result<()> {
        let say = |code: Code, args: &[&dyn std::fmt::Display]| {
            let (severity, text) = (code.severity(), code.message(args));
            cx.events.fire(Message { severity, code, sub_component: cx.name.to_string(), text });
        };
        say(codes::DTS_I_BEGINHASHINGCACHE, &[&self.builder.rows()]);
        let table = cx.services.pool.install(|| self.builder.finish())?;
        duplicates(cx, table.duplicates(), self.fail)?;
        say(codes::DTS_I_SUCCEEDEDHASHINGCACHE, &[&cx.name, &table.rows()]);
        if let Some(file) = &self.format.file {
            say(codes::DTS_I_CACHEFILEWRITESTARTED, &[&cx.name, file]);
            cache_file::write(&self.format, &table, file, &cx.name, &cx.services)?;
            say(codes::DTS_I_CACHEFILEWRITESUCCEEDED, &[&cx.name, file]);
        }
        self.writing.fill(Arc::new(table));
        Ok(())
    }
}

struct Lane {
    slots: Arc<[Slot]>,
    output: Option<usize>,
    builder: Arc<Builder>,
    /// Where the next batch stands among all batches, if it is of the same morsel as the last one.
    next: Order,
}

impl Apply for Lane {
    fn apply(&mut self, batch: Batch, out: &mut Ports) -> Result<()> {
        // The batches of a morsel come in order, all to one lane.
        self.next = if self.next.0 == batch.seq { (batch.seq, self.next.1 + 1) } else { (batch.seq, 0) };
        let columns = self.slots.iter().map(|slot| batch.columns[slot.0].clone()).collect();
        let rows = Batch { columns, ..batch.clone() }.compact()?;
        self.builder.add(self.next, &rows.columns)?;
        if let Some(output) = self.output {
            out.put(output, batch);
        }
        Ok(())
    }
}
