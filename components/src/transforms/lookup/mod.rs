//! Lookup: finds for each row the reference row with equal keys, and takes columns of it.
//!
//! ```text
//! key columns  (input columns with JoinToReferenceColumn)  ──▶ the first reference row whose columns are equal
//! found        ──▶ match output: the row, and the columns with CopyFromReferenceColumn
//! not found    ──▶ NoMatchBehavior 1: the no-match output
//!                  NoMatchBehavior 0: an error of the match output: fail, ignore (NULLs) or redirect
//! ```
//!
//! Reference rows come from a Cache connection manager (ConnectionType 1) or from a query (ConnectionType 0), which is
//! read before the first row with a full cache (CacheType 0), and asked for each key that is not known with a partial
//! cache (1) or none (2).

mod bind;
mod partial;
mod run;

use crate::shared::properties::DEFAULT_CODE_PAGE;
use dtsx_engine::flow::{BindCx, Bound, ComponentKind, ComponentSpec};
use dtsx_engine::props::{PropertyDef, PropertyType, property};

/// `Microsoft.Lookup`.
pub struct Lookup;

impl ComponentKind for Lookup {
    fn kind(&self) -> &'static str {
        "Microsoft.Lookup"
    }

    fn title(&self) -> &'static str {
        "Lookup"
    }

    fn replaces(&self) -> bool {
        true
    }

    fn properties(&self) -> &'static [PropertyDef] {
        use PropertyType::{Bool, Int, Text};
        const {
            &[
                property("SqlCommand", Text, "", "The query that yields the reference rows."),
                property(
                    "SqlCommandParam",
                    Text,
                    "",
                    "The query with a parameter for each key that partial and no caches ask.",
                ),
                property(
                    "ConnectionType",
                    Int,
                    "0",
                    "Where reference rows come from: 0 a database, 1 a Cache connection manager.",
                ),
                property("CacheType", Int, "0", "What is kept of them: 0 all, 1 what was asked for, 2 nothing."),
                property(
                    "NoMatchBehavior",
                    Int,
                    "0",
                    "What a row without a match is: 0 an error of the match output, 1 a row of the no-match output.",
                ),
                property(
                    "NoMatchCachePercentage",
                    Int,
                    "0",
                    "The part of a partial cache that keeps keys without a match, in percent.",
                ),
                property("MaxMemoryUsage", Int, "25", "Size of a partial cache on 32-bit systems, in megabytes."),
                property("MaxMemoryUsage64", Int, "25", "Size of a partial cache, in megabytes."),
                property("ReferenceMetadataXml", Text, "", "Names and types of the reference columns."),
                property(
                    "ParameterMap",
                    Text,
                    "",
                    "The input columns whose values are the parameters of SqlCommandParam, in order.",
                ),
                DEFAULT_CODE_PAGE,
                property(
                    "TreatDuplicateKeysAsError",
                    Bool,
                    "False",
                    "Whether reference rows with equal keys in a full cache fail the component.",
                ),
            ]
        }
    }

    fn bind(&self, spec: &ComponentSpec, cx: &mut BindCx<'_>) -> Option<Bound> {
        bind::bind(spec, cx)
    }
}
