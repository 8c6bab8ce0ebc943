//! What a package is: the object model, the reader and writer of `.dtsx`, projects, configurations.
//!
//! Start at [`model::Package`], and at [`dtsx::load`] and [`dtsx::save`] for files. Nothing in here runs anything or talks
//! to the network: a package is a value.
//!
//! ```
//! use dtsx_loader::dtsx::{self, LoadOptions};
//! use dtsx_loader::model::{Element, Executable, Package, PrecedenceConstraint, Variable};
//!
//! let mut package = Package::new("Greet");
//! package.root.variables.push(Variable::new("User", "n", 3, "0"));
//! for (name, expression) in [("First", "@[User::n] = 1"), ("Then", "@[User::n] = 2")] {
//!     let data = Element::new("ExpressionTask").with_attr("Expression", expression);
//!     package.root.executables.push(Executable::task("Microsoft.ExpressionTask", name, data));
//! }
//! let constraint = PrecedenceConstraint::new("Constraint", "Package\\First", "Package\\Then");
//! package.root.precedence_constraints.push(constraint);
//!
//! let text = dtsx::to_string(&package);
//! let again = dtsx::load_str(&text, &LoadOptions::default())?;
//! let then = again.resolve(again.root.precedence_constraints[0].to()).unwrap_or_default();
//! assert_eq!(again.object_path(&then), "\\Package\\Then");
//! # Ok::<(), Box<dtsx_loader::LoadError>>(())
//! ```

#![warn(missing_docs)]

pub mod compile;
pub mod configuration;
pub mod dtsx;
mod error;
pub mod ids;
pub mod model;
pub mod project;

pub use error::{Fault, LoadError, Result};
