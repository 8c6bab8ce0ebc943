//! What a package says about a data flow, with references resolved and nothing of the file's syntax.

use crate::diag::Span;
use crate::props::PropertyBag;
use crate::types::{DataType, field_for};
use arrow::datatypes::{Schema, SchemaRef};
use std::collections::HashMap;
use std::sync::Arc;

/// The identity of an output column throughout its flow. The number is what ErrorColumn holds; 0 stands for no column.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
pub struct LineageId(pub u32);

/// What happens to a row that fails.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Disposition {
    /// Nothing is said: as [`Disposition::Fail`] where a row can fail.
    #[default]
    NotUsed,
    /// The component fails.
    Fail,
    /// The value becomes NULL (error), or stays cut (truncation).
    Ignore,
    /// The row leaves through the error output.
    Redirect,
}

impl Disposition {
    /// From the spelling of pipeline XML; None for an unknown one.
    pub fn from_name(name: &str) -> Option<Disposition> {
        Some(match name {
            "" | "NotUsed" => Disposition::NotUsed,
            "FailComponent" => Disposition::Fail,
            "IgnoreFailure" => Disposition::Ignore,
            "RedirectRow" => Disposition::Redirect,
            _ => return None,
        })
    }
}

/// The pair of dispositions of an input, an output or a column.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Dispositions {
    /// For values that cannot be computed.
    pub error: Disposition,
    /// For values that would be cut.
    pub truncation: Disposition,
}

/// How a component uses an input column.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Usage {
    /// It reads it.
    #[default]
    ReadOnly,
    /// It replaces its values.
    ReadWrite,
}

/// Columns that the engine fills in on error outputs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum SpecialColumn {
    /// An ordinary column.
    #[default]
    None,
    /// `specialFlags="1"`.
    ErrorCode,
    /// `specialFlags="2"`.
    ErrorColumn,
}

/// A column of an input.
#[derive(Clone, Debug, Default)]
pub struct InputColumnSpec {
    /// The column's own id in the package (refId or number).
    pub id: String,
    /// The column that it takes.
    pub lineage: LineageId,
    /// Its name (the cached one, or the name of the column it takes).
    pub name: String,
    /// The type that it had when the package was saved, if the package says so (formats 6 and 8).
    pub cached: Option<DataType>,
    /// Read or replaced.
    pub usage: Usage,
    /// Dispositions.
    pub dispositions: Dispositions,
    /// The external column that it is mapped to, as an index into [`InputSpec::external`].
    pub external: Option<usize>,
    /// Custom properties.
    pub properties: PropertyBag,
    /// Where it stands in the file.
    pub span: Option<Span>,
}

/// A column of an output.
#[derive(Clone, Debug)]
pub struct OutputColumnSpec {
    /// The column's own id in the package.
    pub id: String,
    /// Its identity in the flow.
    pub lineage: LineageId,
    /// Its name.
    pub name: String,
    /// Its type.
    pub data_type: DataType,
    /// 0 unsorted, ±n: n-th key, negative is descending.
    pub sort_key: i32,
    /// Comparison flags of a sort key.
    pub comparison_flags: u32,
    /// Whether the engine fills it in.
    pub special: SpecialColumn,
    /// Dispositions.
    pub dispositions: Dispositions,
    /// The external column that it is mapped to, as an index into [`OutputSpec::external`].
    pub external: Option<usize>,
    /// Custom properties.
    pub properties: PropertyBag,
    /// Where it stands in the file.
    pub span: Option<Span>,
}

impl OutputColumnSpec {
    /// A column of which nothing more is said; its id is its name.
    pub fn new(lineage: u32, name: &str, data_type: DataType) -> OutputColumnSpec {
        OutputColumnSpec {
            id: name.to_owned(),
            lineage: LineageId(lineage),
            name: name.to_owned(),
            data_type,
            sort_key: 0,
            comparison_flags: 0,
            special: SpecialColumn::None,
            dispositions: Dispositions::default(),
            external: None,
            properties: PropertyBag::default(),
            span: None,
        }
    }
}

/// A column outside the flow: of a file, a table.
#[derive(Clone, Debug)]
pub struct ExternalColumnSpec {
    /// Its id in the package.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its type.
    pub data_type: DataType,
    /// Custom properties.
    pub properties: PropertyBag,
}

/// An input.
#[derive(Clone, Debug, Default)]
pub struct InputSpec {
    /// Its id in the package.
    pub id: String,
    /// Its name (localised: for messages only).
    pub name: String,
    /// Whether it keeps its component from being optimised away.
    pub has_side_effects: bool,
    /// Whether it is there for a path yet to come.
    pub dangling: bool,
    /// Dispositions.
    pub dispositions: Dispositions,
    /// The columns that the component uses.
    pub columns: Vec<InputColumnSpec>,
    /// External columns.
    pub external: Vec<ExternalColumnSpec>,
    /// Custom properties.
    pub properties: PropertyBag,
}

/// An output.
#[derive(Clone, Debug, Default)]
pub struct OutputSpec {
    /// Its id in the package.
    pub id: String,
    /// Its name (localised: for messages and data taps only).
    pub name: String,
    /// The input whose rows it passes on; None: the output is asynchronous.
    pub synchronous_input: Option<usize>,
    /// 0: every row goes to the output; else a row goes to one output of the group.
    pub exclusion_group: i32,
    /// Whether it is an error output.
    pub is_error: bool,
    /// Whether its rows are promised to be sorted.
    pub is_sorted: bool,
    /// Whether it is there for a path yet to come.
    pub dangling: bool,
    /// Dispositions.
    pub dispositions: Dispositions,
    /// The columns that it adds (synchronous) or has (asynchronous).
    pub columns: Vec<OutputColumnSpec>,
    /// External columns.
    pub external: Vec<ExternalColumnSpec>,
    /// Custom properties.
    pub properties: PropertyBag,
}

/// A component of a data flow.
#[derive(Clone, Debug, Default)]
pub struct ComponentSpec {
    /// Its id in the package.
    pub id: String,
    /// Its name.
    pub name: String,
    /// `\Package\Data Flow Task\Component`.
    pub path: String,
    /// The canonical kind: `Microsoft.DerivedColumn`.
    pub kind: String,
    /// Custom properties.
    pub properties: PropertyBag,
    /// Its connections: the component's name for it (`OleDbConnection`) and the manager's DTSID or name.
    pub connections: Vec<(String, String)>,
    /// Windows LCID, resolved (never -1).
    pub locale: u32,
    /// Whether external metadata is compared with the live source.
    pub validate_external_metadata: bool,
    /// Inputs.
    pub inputs: Vec<InputSpec>,
    /// Outputs.
    pub outputs: Vec<OutputSpec>,
    /// Where it stands in the file.
    pub span: Option<Span>,
}

/// A path: an output and the input that takes its rows, each as (component, port).
#[derive(Clone, Debug, PartialEq)]
pub struct PathSpec {
    /// Its name.
    pub name: String,
    /// Component and output.
    pub from: (usize, usize),
    /// Component and input.
    pub to: (usize, usize),
}

/// A data flow.
#[derive(Clone, Debug, Default)]
pub struct FlowSpec {
    /// The path of its task.
    pub path: String,
    /// Its components.
    pub components: Vec<ComponentSpec>,
    /// Its paths.
    pub paths: Vec<PathSpec>,
    /// RunInOptimizedMode.
    pub optimized: bool,
    /// DefaultBufferMaxRows, a hint.
    pub buffer_rows: u32,
    /// How the package spells each lineage id (`Package\DFT\Src.Outputs[O].Columns[C]`, `123`), without `#` and braces.
    pub lineage_names: Arc<HashMap<String, LineageId>>,
}

/// The place of a column in the batches of a port.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Slot(pub usize);

/// A column of a [`Layout`].
#[derive(Clone, Debug, PartialEq)]
pub struct ColumnRef {
    /// Its identity.
    pub lineage: LineageId,
    /// Its name.
    pub name: String,
    /// The name of the component that made it, for `Comp.Col`.
    pub component: Arc<str>,
    /// Its type.
    pub data_type: DataType,
    /// 0 unsorted, ±n: n-th key of the port's order.
    pub sort_key: i32,
    /// Comparison flags of a sort key.
    pub comparison_flags: u32,
    /// Whether anybody reads it. The slot of a column that nobody reads may hold a NullArray.
    pub used: bool,
}

/// The columns of a port, by slot: those inherited from the synchronous input first, then the output's own.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Layout {
    /// By slot.
    pub columns: Vec<ColumnRef>,
}

impl Layout {
    /// The slot of a column.
    pub fn slot(&self, lineage: LineageId) -> Option<Slot> {
        self.columns.iter().position(|c| c.lineage == lineage).map(Slot)
    }

    /// The column in a slot.
    pub fn column(&self, slot: Slot) -> &ColumnRef {
        &self.columns[slot.0]
    }

    /// The Arrow schema of the used columns, in slot order.
    pub fn schema(&self) -> SchemaRef {
        Arc::new(Schema::new(
            self.columns.iter().filter(|c| c.used).map(|c| field_for(&c.name, &c.data_type)).collect::<Vec<_>>(),
        ))
    }
}
