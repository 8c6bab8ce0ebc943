//! External columns: what a component remembers of the columns outside the flow, beside what is there now.

use dtsx_engine::diag::codes;
use dtsx_engine::flow::{BindCx, ComponentSpec, ExternalColumnSpec};
use dtsx_engine::types::DataType;

/// Warns with DTS_W_EXTERNALMETADATACOLUMNSOUTOFSYNC, unless ValidateExternalMetadata is off, if the external columns of a
/// component's input or output are not the columns `found`: columns to add, to update, to remove.
pub(crate) fn compare<'a>(
    spec: &ComponentSpec,
    cx: &mut BindCx<'_>,
    external: &[ExternalColumnSpec],
    found: impl Iterator<Item = (&'a str, DataType)> + Clone,
) {
    if !spec.validate_external_metadata || external.is_empty() {
        return;
    }
    let mut steps = Vec::new();
    for (name, data_type) in found.clone() {
        match external.iter().find(|column| column.name == name) {
            None => steps.push(codes::DTS_W_EXTERNALMETADATACOLUMNCOLLECTIONNEEDSADDITION.message(&[&name])),
            Some(column) if differs(&column.data_type, &data_type) => {
                let code = codes::DTS_W_EXTERNALMETADATACOLUMNCOLLECTIONNEEDSUPDATE;
                steps.push(format!("{} ({} is {data_type} now)", code.message(&[&name]).trim(), column.data_type));
            }
            Some(_) => {}
        }
    }
    for column in external.iter().filter(|column| !found.clone().any(|(name, _)| name == column.name)) {
        let code = codes::DTS_W_EXTERNALMETADATACOLUMNCOLLECTIONNEEDSREMOVAL;
        steps.push(code.message(&[&format!("external column \"{}\"", column.name)]));
    }
    if !steps.is_empty() {
        let steps: Vec<&str> = steps.iter().map(|step| step.trim()).collect();
        let code = codes::DTS_W_EXTERNALMETADATACOLUMNSOUTOFSYNC;
        cx.warning(spec, code, code.message(&[&spec.name, &steps.join(" ")]));
    }
}

/// Whether the types differ. Old packages leave the width of a delimited column of text open: then any length will do.
fn differs(known: &DataType, now: &DataType) -> bool {
    let open = now.is_string() && now.length() == 0 && std::mem::discriminant(known) == std::mem::discriminant(now);
    known != now && !open
}
