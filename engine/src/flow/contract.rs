//! The component contract: what a component kind promises, and the four things that it can be.
//!
//! A kind is a static without state; [`ComponentKind::bind`] validates a [`ComponentSpec`] completely and yields a
//! [`Bound`], which is immutable. What changes during a run lives in the states that a `Bound` opens: one serial half,
//! and one *lane* half for each driver. Parallel means more lanes; order is restored by sequence number.
//!
//! | kind | serial half | lane half |
//! |---|---|---|
//! | [`Source`] | [`Fetch`]: the next morsel, in order | [`Decode`]: morsel → batches |
//! | [`Inline`] | – | [`Apply`]: batch → batches |
//! | [`Sink`] | [`Commit`]: blocks, in order | [`Encode`]: batch → block |
//! | [`Stage`] | sinks for its inputs and a source for its outputs, which share what they hold | |
//!
//! Nothing here ever waits: what has nothing to do says [`Step::Parked`] and keeps the [`Waker`].

use super::spec::{ComponentSpec, FlowSpec, Layout, LineageId};
use crate::batch::Batch;
use crate::connections::ConnectionSpec;
use crate::diag::{Code, Diagnostic, Result, Severity};
use crate::events::Events;
use crate::props::PropertyDef;
use crate::run::Services;
use crate::variables::VariableAccess;
use std::any::Any;
use std::sync::Arc;

/// What a serial half says after a step.
#[derive(Debug)]
pub enum Step<T> {
    /// Here is something; ask again.
    More(T),
    /// Nothing now. The waker that was given will be called when it is worth asking again.
    Parked,
    /// That was all.
    Done,
}

/// Wakes a parked driver; cheap to clone; may be called from any thread, any number of times.
#[derive(Clone)]
pub struct Waker(Arc<dyn Fn() + Send + Sync>);

impl Waker {
    /// A waker that calls `wake`.
    pub fn new(wake: impl Fn() + Send + Sync + 'static) -> Waker {
        Waker(Arc::new(wake))
    }

    /// Says that it is worth asking again.
    pub fn wake(&self) {
        (self.0)();
    }
}

/// What a source hands from its serial half to a lane: a block of bytes cut at a record boundary, a rowset.
pub type Morsel = Box<dyn Any + Send>;
/// What a sink hands from a lane to its serial half: formatted bytes, bound parameters.
pub type Block = Box<dyn Any + Send>;

/// What the open halves may use.
#[derive(Clone)]
pub struct OpenCx {
    /// The run's services.
    pub services: Services,
    /// Messages of this component.
    pub events: Arc<dyn Events>,
    /// Variables of the data flow task's scope (to be written in `finish` only).
    pub variables: Arc<dyn VariableAccess>,
    /// The component's path, for messages.
    pub path: Arc<str>,
    /// The component's name.
    pub name: Arc<str>,
}

/// Where [`Decode`] and [`Apply`] put what they made: one batch an output port at most; a port left empty is a batch of no rows.
#[derive(Debug, Default)]
pub struct Ports {
    slots: Vec<Option<Batch>>,
    rows_read: Option<u32>,
    left_out: u64,
}

impl Ports {
    /// Empty slots for `n` output ports.
    pub fn new(n: usize) -> Ports {
        Ports { slots: (0..n).map(|_| None).collect(), ..Ports::default() }
    }

    /// Puts the batch for output `port` (an index into [`ComponentSpec::outputs`]).
    pub fn put(&mut self, port: usize, batch: Batch) {
        debug_assert!(self.slots[port].is_none(), "one batch a port");
        self.slots[port] = Some(batch);
    }

    /// Says how many rows of the source the morsel held, where that is not the sum over the ports. Rows are numbered
    /// for messages by adding these up.
    pub fn set_rows_read(&mut self, rows: u32) {
        self.rows_read = Some(rows);
    }

    /// What [`Ports::set_rows_read`] said, or the sum over the ports; then forgotten.
    pub fn take_rows_read(&mut self) -> u32 {
        let sum = self.slots.iter().flatten().map(|b| b.rows as u32).sum();
        self.rows_read.take().unwrap_or(sum)
    }

    /// Says that `rows` rows leave by no output: because they were asked to, or as errors that nobody takes.
    pub fn leave_out(&mut self, rows: u64) {
        self.left_out += rows;
    }

    /// What [`Ports::leave_out`] said; then forgotten.
    pub fn take_left_out(&mut self) -> u64 {
        std::mem::take(&mut self.left_out)
    }

    /// Takes what was put for output `port`.
    pub fn take(&mut self, port: usize) -> Option<Batch> {
        self.slots[port].take()
    }
}

/// What a component owes for the rows that it received: [`execute`](super::execute) checks it when a flow has ended, and a
/// component whose rows do not add up fails the run. When a flow has failed or was cancelled, rows may be missing, but there
/// may not be too many. Rows that leave by the error output, or are left out
/// ([`Ports::leave_out`]), are paid for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RowRule {
    /// Every row leaves by every output, but by one only of the outputs of an exclusion group.
    Each,
    /// The rows of all inputs leave, each by one of the outputs.
    Once,
    /// Another number of rows leaves; this says which.
    Other(&'static str),
}

impl std::fmt::Display for RowRule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            RowRule::Each => "every row leaves by every output, or by one of a group",
            RowRule::Once => "every row leaves once",
            RowRule::Other(which) => which,
        })
    }
}

/// A source of rows.
pub trait Source: Send + Sync {
    /// Opens the serial half: files, cursors. `optimised` columns (see [`super::ColumnRef::used`]) need no arrays.
    ///
    /// # Errors
    /// What cannot be opened.
    fn open(&self, cx: &OpenCx) -> Result<Box<dyn Fetch>>;

    /// A lane half.
    ///
    /// # Errors
    /// As [`Source::open`].
    fn decoder(&self, cx: &OpenCx, outputs: &[Layout]) -> Result<Box<dyn Decode>>;
}

/// The serial half of a source: fetches in order, cheaply.
pub trait Fetch: Send {
    /// The next morsel. With [`Step::Parked`], `waker` is kept and called later.
    ///
    /// # Errors
    /// Reading failed.
    fn fetch(&mut self, waker: &Waker) -> Result<Step<Morsel>>;

    /// Called once after everything was decoded and committed.
    ///
    /// # Errors
    /// What cannot be ended in order.
    fn finish(&mut self) -> Result<()> {
        Ok(())
    }
}

/// The lane half of a source: parses, converts.
pub trait Decode: Send {
    /// Turns the morsel with sequence number `seq` into one batch an output at most.
    ///
    /// # Errors
    /// A row that fails its component; with [`crate::diag::RowError::batch`] set, the engine numbers the row.
    fn decode(&mut self, seq: u64, morsel: Morsel, out: &mut Ports) -> Result<()>;
}

/// A component that passes its input's rows on, batch by batch.
pub trait Inline: Send + Sync {
    /// Whether [`Apply::apply`] honours a selection; if not, it is given compact batches.
    fn accepts_selection(&self) -> bool {
        false
    }

    /// Makes what the lanes of one execution share, and is called once before they open, on a thread that may wait: what
    /// it returns is opened and finished in this one's place. None: there is nothing to share.
    ///
    /// # Errors
    /// What cannot be opened.
    fn begin(&self, _cx: &OpenCx, _input: &Layout) -> Result<Option<Arc<dyn Inline>>> {
        Ok(None)
    }

    /// A lane half. `input` is the layout of its batches; outputs append their own columns to it.
    ///
    /// # Errors
    /// What cannot be opened.
    fn open(&self, cx: &OpenCx, input: &Layout) -> Result<Box<dyn Apply>>;

    /// What it owes for its rows.
    fn row_rule(&self) -> RowRule {
        RowRule::Each
    }

    /// Called once after the last batch of every lane; sets result variables.
    ///
    /// # Errors
    /// A variable that cannot be set.
    fn finish(&self, _cx: &OpenCx) -> Result<()> {
        Ok(())
    }
}

/// The lane half of an inline component.
pub trait Apply: Send {
    /// One batch in, one batch an output at most.
    ///
    /// # Errors
    /// A row that fails its component.
    fn apply(&mut self, batch: Batch, out: &mut Ports) -> Result<()>;
}

/// An end of a flow.
pub trait Sink: Send + Sync {
    /// Whether [`Encode::encode`] honours a selection; if not, it is given compact batches.
    fn accepts_selection(&self) -> bool {
        false
    }

    /// Opens the serial half: creates files, begins transactions.
    ///
    /// # Errors
    /// What cannot be opened.
    fn open(&self, cx: &OpenCx, input: &Layout) -> Result<Box<dyn Commit>>;

    /// A lane half.
    ///
    /// # Errors
    /// As [`Sink::open`].
    fn encoder(&self, cx: &OpenCx, input: &Layout) -> Result<Box<dyn Encode>>;
}

/// The lane half of a sink.
pub trait Encode: Send {
    /// Formats a batch.
    ///
    /// # Errors
    /// A row that fails the component.
    fn encode(&mut self, batch: Batch) -> Result<Block>;
}

/// The serial half of a sink: at most one call at a time, in sequence order.
pub trait Commit: Send {
    /// Takes a block. If there is no room now, gives it back as `Parked` (the waker is kept and called later).
    ///
    /// # Errors
    /// Writing failed.
    fn commit(&mut self, block: Block, waker: &Waker) -> Result<Committed>;

    /// Called once after the last block; makes everything durable.
    ///
    /// # Errors
    /// Writing failed.
    fn finish(&mut self) -> Result<()>;

    /// Called instead of `finish` when the flow fails or is cancelled; or after it, if that happens before the sink ended.
    fn abort(&mut self) {}

    /// Asked after `finish` or `abort` whether the sink has ended: one with a thread of its own may still have blocks to
    /// write. With [`Ended::Parked`], `waker` is kept and called later.
    ///
    /// # Errors
    /// As `finish`.
    fn ended(&mut self, _waker: &Waker) -> Result<Ended> {
        Ok(Ended::Done)
    }
}

/// Whether a sink has ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ended {
    /// Everything that will be written is.
    Done,
    /// Not yet: ask again after the waker was called.
    Parked,
}

/// What became of a block.
pub enum Committed {
    /// It was taken.
    Taken,
    /// There is no room: here it is back; offer it again after the waker was called.
    Parked(Block),
}

/// The ends of one execution of a [`Stage`]: a sink for each input, and the source of its outputs.
pub type StageEnds = (Vec<Arc<dyn Sink>>, Arc<dyn Source>);

/// An asynchronous component: its inputs are sinks, its outputs a source, and they share what is between them. The
/// source's `fetch` says [`Step::Parked`] until there is something to emit.
pub trait Stage: Send + Sync {
    /// Makes the ends of one execution: one sink for each input, in order, and the source of its outputs.
    ///
    /// # Errors
    /// What cannot be opened.
    fn open(&self, cx: &OpenCx, inputs: &[Layout]) -> Result<StageEnds>;

    /// Whether all inputs must have ended before the first row leaves.
    fn blocks(&self) -> bool;

    /// What it owes for its rows.
    fn row_rule(&self) -> RowRule;
}

/// What a kind made of a specification: immutable, ready to run any number of times.
pub enum Bound {
    /// Rows come from here.
    Source(Box<dyn Source>),
    /// Rows pass through.
    Inline(Box<dyn Inline>),
    /// Rows end here and others begin.
    Stage(Box<dyn Stage>),
    /// Rows end here.
    Sink(Box<dyn Sink>),
}

impl Bound {
    /// What it owes for its rows.
    pub fn row_rule(&self) -> RowRule {
        match self {
            Bound::Source(_) => RowRule::Other("the rows that it reads"),
            Bound::Inline(inline) => inline.row_rule(),
            Bound::Stage(stage) => stage.row_rule(),
            Bound::Sink(_) => RowRule::Other("no row leaves"),
        }
    }
}

/// A component class. One static for each, in the catalog.
pub trait ComponentKind: Sync {
    /// The canonical kind: `Microsoft.DerivedColumn`.
    fn kind(&self) -> &'static str;

    /// The name in the designer: `Derived Column`.
    fn title(&self) -> &'static str;

    /// Its component-level properties.
    fn properties(&self) -> &'static [PropertyDef] {
        &[]
    }

    /// Whether it changes what is behind its connections, and so takes part in the transaction around it.
    fn writes(&self) -> bool {
        false
    }

    /// Whether it may put other values into its input columns (their usage type is read/write).
    fn replaces(&self) -> bool {
        false
    }

    /// Validates the specification, reporting everything that is wrong, and makes it runnable. None if there were errors.
    fn bind(&self, spec: &ComponentSpec, cx: &mut BindCx<'_>) -> Option<Bound>;
}

/// What `bind` may use.
pub struct BindCx<'a> {
    /// The flow around the component.
    pub flow: &'a FlowSpec,
    /// The layouts of the component's inputs, in order. An input without a path has an empty layout.
    pub inputs: Vec<Layout>,
    /// Which outputs have a path (or a tap).
    pub attached: Vec<bool>,
    /// Variables as they stand now (at check time: their design values).
    pub variables: &'a dyn VariableAccess,
    /// Finds a connection manager by DTSID or name, its expressions evaluated.
    pub connections: &'a dyn Fn(&str) -> Result<ConnectionSpec>,
    /// Path prefix rules.
    pub paths: &'a crate::run::PathMap,
    /// The run's services; at an offline check, those of the check.
    pub services: &'a Services,
    /// Whether files and servers may be touched (a run) or not (an offline check).
    pub online: bool,
    /// What was found.
    pub diagnostics: &'a mut Vec<Diagnostic>,
}

impl BindCx<'_> {
    /// The lineage id that the package spells so (`#{…}`, `#123`, or without the ornaments).
    pub fn lineage(&self, spelling: &str) -> Option<LineageId> {
        let text = spelling.trim().trim_start_matches('#');
        let text = text.strip_prefix('{').and_then(|t| t.strip_suffix('}')).unwrap_or(text);
        self.flow.lineage_names.get(text).copied()
    }

    /// Reports an error of the component.
    pub fn error(&mut self, spec: &ComponentSpec, code: Code, message: impl Into<String>) {
        self.diagnostics.push(Diagnostic::error(code, &spec.path, message).with_span(spec.span));
    }

    /// Reports a warning of the component.
    pub fn warning(&mut self, spec: &ComponentSpec, code: Code, message: impl Into<String>) {
        self.diagnostics.push(Diagnostic::warning(code, &spec.path, message).with_span(spec.span));
    }

    /// Reports that this build lacks something the component asks for.
    pub fn unsupported(&mut self, spec: &ComponentSpec, message: impl Into<String>) {
        self.diagnostics.push(Diagnostic::unsupported(&spec.path, message).with_span(spec.span));
    }

    /// Whether an error was reported for the component at `path`.
    pub fn failed(&self, path: &str) -> bool {
        self.diagnostics.iter().any(|d| d.severity == Severity::Error && d.object == path)
    }

    /// The connection that the component calls `name` (None: its first).
    ///
    /// # Errors
    /// DTS_E_CONNECTIONNOTFOUND, or a failing property expression.
    pub fn connection(&self, spec: &ComponentSpec, name: Option<&str>) -> Result<ConnectionSpec> {
        let found = match name {
            Some(name) => spec.connections.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)),
            None => spec.connections.first(),
        };
        let id = found.map_or("", |(_, id)| id.as_str());
        (self.connections)(id)
    }
}
