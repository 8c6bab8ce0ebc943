//! ParameterMapping of the OLE DB Source: `"Parameter0:Input",{GUID of a variable};"@name:Input",{GUID};`.

use crate::db::Param;
use dtsx_engine::diag::codes;
use dtsx_engine::flow::{BindCx, ComponentSpec};

/// One entry of a mapping: the parameter's name, its direction, the variable's DTSID.
type Entry<'a> = (&'a str, &'a str, &'a str);

/// The entries of a mapping. None: it is not in that form.
fn entries(mapping: &str) -> Option<Vec<Entry<'_>>> {
    let mut entries = Vec::new();
    let mut rest = mapping.trim();
    while !rest.is_empty() {
        let (name, after) = rest.strip_prefix('"')?.split_once('"')?;
        let (id, after) =
            after.trim_start().strip_prefix(',')?.split_once(';').unwrap_or((&after.trim_start()[1..], ""));
        let (name, direction) = match name.rsplit_once(':') {
            Some((name, direction)) => (name, direction),
            None => (name, "Input"),
        };
        entries.push((name.trim(), direction.trim(), id.trim()));
        rest = after.trim_start();
    }
    Some(entries)
}

/// The parameters that a mapping gives, in the order of the statement, with the values of the variables as they are now.
/// None: it was reported what is wrong.
pub(super) fn of_mapping(spec: &ComponentSpec, cx: &mut BindCx<'_>, mapping: &str) -> Option<Vec<Param>> {
    let Some(entries) = entries(mapping) else {
        let code = codes::DTS_E_INCORRECTPARAMETERMAPPINGFORMAT;
        cx.error(spec, code, code.message(&[]));
        return None;
    };
    let mut params: Vec<(usize, Param)> = Vec::with_capacity(entries.len());
    for (at, (name, direction, id)) in entries.into_iter().enumerate() {
        if !direction.eq_ignore_ascii_case("Input") {
            cx.unsupported(
                spec,
                format!("the parameter \"{name}\" of a source is {direction}; only inputs are supported"),
            );
            return None;
        }
        let read = cx.variables.name_of_id(id).map(|variable| cx.variables.read(&variable));
        let (data_type, value) = match read {
            Some(Ok(found)) => found,
            Some(Err(error)) => {
                cx.error(spec, error.code().unwrap_or(codes::DTS_E_VARIABLENOTFOUND), error.message());
                return None;
            }
            None => {
                let code = codes::DTS_E_VARIABLENOTFOUNDINCOLL;
                cx.error(spec, code, code.message(&[&id]));
                return None;
            }
        };
        // `Parameter3`, `3` or `Param_3` go by place, everything else by name.
        let digits = name.trim_start_matches("Parameter").trim_start_matches("Param_");
        match digits.parse::<usize>() {
            Ok(place) => params.push((place, Param::input(data_type, value))),
            Err(_) => params.push((at, Param { name: Some(name.to_owned()), ..Param::input(data_type, value) })),
        }
    }
    params.sort_by_key(|(place, _)| *place);
    Some(params.into_iter().map(|(_, param)| param).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mappings_are_read() {
        for (text, expected) in [
            ("", Some(vec![])),
            ("\"Parameter0:Input\",{A-1};", Some(vec![("Parameter0", "Input", "{A-1}")])),
            ("\"Parameter0\",{A};\"@x:Input\",{B}", Some(vec![("Parameter0", "Input", "{A}"), ("@x", "Input", "{B}")])),
            ("\"0:Output\", {A};", Some(vec![("0", "Output", "{A}")])),
            ("Parameter0,{A};", None),
            ("\"Parameter0\" {A};", None),
        ] {
            assert_eq!(entries(text), expected, "{text}");
        }
    }
}
