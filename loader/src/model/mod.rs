//! The object model: a package as a value that can be read, made, changed and compared.
//!
//! Start at [`Package`]; its tree is made of [`Executable`]s, and a Data Flow task holds a [`Pipeline`]. Every object keeps
//! its properties as text in the order of the file ([`PropertyList`]), and offers typed accessors over them; parts that the
//! model does not know stay where they were. The model knows nothing of files, XML or running.

mod connection;
mod control;
mod data;
mod executable;
mod identity;
pub(crate) mod object;
mod package;
mod pipeline;
mod properties;
pub mod tree;
mod variable;

pub use connection::{
    CacheColumn, ConnectionData, ConnectionManager, FlatFileColumn, Secret, decode_delimiter, encode_delimiter,
};
pub use control::{
    Configuration, ConstraintEnd, ForEachEnumerator, LogProvider, LoggingOptions, PrecedenceConstraint,
    SelectedLogProvider, VariableMapping, length_prefixed_list,
};
pub use data::{ObjectData, Part};
pub use executable::{Executable, Sort};
pub use object::{Base, Object};
pub(crate) use object::{Layout, Slot, Wrapper};
pub use package::{Encoding, ExecutablePath, FormatVersion, Origin, Package, PackageIndex, SourceText, Step};
pub use pipeline::{
    Component, Connection, CustomProperty, Disposition, ExternalColumn, ExternalMetadata, Input, InputColumn, Output,
    OutputColumn, Path, Pipeline, PipelineIndex, Place, Usage,
};
pub(crate) use properties::is_true;
pub use properties::{ElementForm, Form, Property, PropertyList};
pub use tree::{Attribute, Element, Name, Namespace, Node, Span};
pub use variable::{PackageVariable, Parameter, PropertyExpression, Variable, property_expression};
