//! Aggregate: groups of rows, and what each group comes to: counts, sums, averages, extremes.
//!
//! ```text
//! Aggregate  (one input)
//!   Outputs[0]  region: group by, total: sum(amount), orders: count all
//!   Outputs[1]  day: group by, customers: count distinct(customer)
//! ```
//!
//! Groups leave when the last row has come, in the order in which their first rows came. NULLs are one group; counts of
//! a column, sums, averages and extremes pass NULLs over. What a result is does not depend on the number of lanes or on
//! the memory: lanes reduce batches (`block`), tables of partitions take what is left in the order of the input
//! (`table`, `stage`), and a partition that finds no memory goes to disk (`spill`).

mod accumulate;
mod bind;
mod block;
mod codec;
mod column;
mod encode;
mod groups;
mod spill;
mod stage;
mod table;
#[cfg(test)]
mod tests;
mod words;

use crate::shared::blocking;
use dtsx_engine::diag::Result;
use dtsx_engine::flow::{BindCx, Bound, ComponentKind, ComponentSpec, Layout, OpenCx, RowRule, Stage, StageEnds};
use dtsx_engine::props::{PropertyDef, PropertyType};
use stage::{Aggregation, Grouping};
use std::sync::Arc;

/// `Microsoft.Aggregate`.
#[derive(Debug)]
pub struct Aggregate;

const PROPERTIES: &[PropertyDef] = &[
    PropertyDef {
        name: "KeyScale",
        ty: PropertyType::Int,
        default: "0",
        doc: "About how many groups to expect: 0 unspecified, 1 low (500,000), 2 medium (5 million), 3 high (25 million). \
              Tables grow as they need to, so that it only has to be one of these.",
    },
    PropertyDef {
        name: "Keys",
        ty: PropertyType::Text,
        default: "",
        doc: "How many groups to expect; it overrides KeyScale, and is as little needed.",
    },
    PropertyDef {
        name: "CountDistinctScale",
        ty: PropertyType::Int,
        default: "0",
        doc: "About how many distinct values to expect, as KeyScale.",
    },
    PropertyDef {
        name: "CountDistinctKeys",
        ty: PropertyType::Text,
        default: "",
        doc: "How many distinct values to expect; it overrides CountDistinctScale.",
    },
    PropertyDef {
        name: "AutoExtendFactor",
        ty: PropertyType::Int,
        default: "25",
        doc: "By how many percent SSIS lets memory grow, 1 to 100; here memory grows as it needs to.",
    },
    PropertyDef {
        name: "WarnOnDivideByZero",
        ty: PropertyType::Bool,
        default: "True",
        doc: "Has no effect: the average of no values is NULL.",
    },
];

impl ComponentKind for Aggregate {
    fn kind(&self) -> &'static str {
        "Microsoft.Aggregate"
    }

    fn title(&self) -> &'static str {
        "Aggregate"
    }

    fn properties(&self) -> &'static [PropertyDef] {
        PROPERTIES
    }

    fn bind(&self, spec: &ComponentSpec, cx: &mut BindCx<'_>) -> Option<Bound> {
        let groupings = Arc::new(bind::bind(spec, cx)?);
        Some(Bound::Stage(Box::new(AggregateStage { groupings })))
    }
}

struct AggregateStage {
    groupings: Arc<Vec<Grouping>>,
}

impl Stage for AggregateStage {
    fn open(&self, cx: &OpenCx, inputs: &[Layout]) -> Result<StageEnds> {
        Ok(blocking::ends(Aggregation::new(self.groupings.clone(), cx), inputs.len()))
    }

    fn blocks(&self) -> bool {
        true
    }

    fn row_rule(&self) -> RowRule {
        RowRule::Other("a row for each group")
    }
}
