//! Data flows of formats 2 and 3: numbers to refIds, in attributes and inside of expressions.

use std::collections::HashMap;

use super::super::schema::designer_rank;
use super::super::table;
use crate::ids;
use crate::model::{Base, CustomProperty, Name, Node, OutputColumn, Pipeline};

/// Class names to the short names of the newest format.
pub(super) fn canonical_classes(pipeline: &mut Pipeline) {
    for component in &mut pipeline.components {
        let Some(class) = ids::component(component.class_id()) else { continue };
        component.set_class_id(class);
        if class != ids::MANAGED_HOST {
            continue;
        }
        let hosted = component.properties.iter_mut().find(|p| p.name() == ids::USER_COMPONENT_TYPE_NAME);
        if let Some(property) = hosted
            && let Some(kind) = ids::managed_component(&property.value())
        {
            property.set_value(kind);
        }
    }
}

/// What an input column keeps of the column that it comes from.
#[derive(Clone)]
struct Cached {
    name: String,
    values: Vec<(&'static str, String)>,
}

impl Cached {
    fn of(column: &OutputColumn) -> Cached {
        let mut values = vec![("cachedDataType", column.data_type().to_owned())];
        let numbers = [
            ("cachedLength", column.length()),
            ("cachedPrecision", column.precision()),
            ("cachedScale", column.scale()),
            ("cachedCodepage", column.code_page()),
            ("cachedSortKeyPosition", column.sort_key_position()),
        ];
        values.extend(numbers.into_iter().filter(|(_, n)| *n != 0).map(|(name, n)| (name, n.to_string())));
        Cached { name: column.name().to_owned(), values }
    }
}

/// Replaces the numbers of a data flow with refIds under the refId of its task; `managers` are the connection managers of
/// the package as (upper-case GUID, refId).
pub(super) fn numbers_to_ref_ids(pipeline: &mut Pipeline, task: &str, managers: &[(String, String)]) {
    let cached: HashMap<String, Cached> = pipeline
        .components
        .iter()
        .flat_map(|component| &component.outputs)
        .flat_map(|output| &output.columns)
        .map(|column| (column.lineage_id().to_owned(), Cached::of(column)))
        .collect();
    for column in pipeline.components.iter_mut().flat_map(|c| &mut c.inputs).flat_map(|i| &mut i.columns) {
        let written = column.base.properties.get("name").filter(|name| !name.is_empty()).map(str::to_owned);
        column.base.properties.remove("name");
        let source = cached.get(column.lineage_id());
        let name = written.or_else(|| source.map(|source| source.name.clone())).unwrap_or_default();
        column.base.properties.set(Name::plain("cachedName"), name);
        for (name, value) in source.iter().flat_map(|source| &source.values) {
            column.base.properties.set(Name::plain(name), value.clone());
        }
    }

    let numbers = give_ref_ids(pipeline, task);
    pipeline.each_identified(&mut |base| {
        base.properties.sort_by(|property| designer_rank(property.qualified_name()));
    });
    let of = |number: &str| numbers.get(number.trim()).cloned();
    let refer = |base: &mut Base, names: &[&str]| {
        for name in names {
            if let Some(id) = base.properties.get(name).and_then(&of) {
                base.properties.set(Name::plain(name), id);
            }
        }
    };

    tidy(&mut pipeline.base, &["id", "name", "description"]);
    pipeline.base.properties.set(Name::plain("version"), "1");
    for component in &mut pipeline.components {
        tidy(&mut component.base, &[]);
        properties(&mut component.properties, &of);
        for connection in &mut component.connections {
            tidy(&mut connection.base, &[]);
            let manager = managers.iter().find(|(guid, _)| connection.manager_id().eq_ignore_ascii_case(guid));
            if let Some((_, ref_id)) = manager {
                connection.set_manager_id(ref_id);
                connection.set_manager_ref_id(ref_id);
            }
        }
        for input in &mut component.inputs {
            tidy(&mut input.base, &[]);
            properties(&mut input.properties, &of);
            for column in &mut input.columns {
                tidy(&mut column.base, &[]);
                refer(&mut column.base, &["lineageId", "externalMetadataColumnId"]);
                properties(&mut column.properties, &of);
            }
            if let Some(external) = &mut input.external {
                tidy(&mut external.base, &[]);
                for column in &mut external.columns {
                    tidy(&mut column.base, &[]);
                    properties(&mut column.properties, &of);
                }
            }
        }
        for output in &mut component.outputs {
            tidy(&mut output.base, &[]);
            refer(&mut output.base, &["synchronousInputId"]);
            properties(&mut output.properties, &of);
            for column in &mut output.columns {
                tidy(&mut column.base, &[]);
                refer(&mut column.base, &["lineageId", "externalMetadataColumnId"]);
                properties(&mut column.properties, &of);
            }
            if let Some(external) = &mut output.external {
                tidy(&mut external.base, &[]);
                for column in &mut external.columns {
                    tidy(&mut column.base, &[]);
                    properties(&mut column.properties, &of);
                }
            }
        }
    }
    for path in &mut pipeline.paths {
        tidy(&mut path.base, &[]);
        refer(&mut path.base, &["startId", "endId"]);
    }
}

/// Gives refIds to all objects; the result maps their old numbers to them, lineage ids included.
fn give_ref_ids(pipeline: &mut Pipeline, task: &str) -> HashMap<String, String> {
    let mut old: Vec<String> = Vec::new();
    pipeline.each_identified(&mut |base| {
        old.push(base.properties.get("id").unwrap_or_default().to_owned());
        base.properties.remove("id");
    });
    pipeline.assign_ref_ids(task);
    let mut numbers = HashMap::new();
    let mut old = old.into_iter();
    let mut lineages = Vec::new();
    pipeline.each_identified(&mut |base| {
        let new = base.properties.get("refId").unwrap_or_default().to_owned();
        if let Some(number) = old.next().filter(|number| !number.is_empty() && number != "0") {
            numbers.insert(number, new);
        }
    });
    for column in pipeline.components.iter().flat_map(|c| &c.outputs).flat_map(|o| &o.columns) {
        if let Some(lineage) = column.base.properties.get("lineageId").filter(|lineage| !matches!(*lineage, "" | "0")) {
            lineages.push((lineage.to_owned(), column.id().to_owned()));
        }
    }
    numbers.extend(lineages);
    numbers
}

/// Leaves out defaults, what later formats do not have, and what is named.
fn tidy(base: &mut Base, drop: &[&str]) {
    base.properties.retain(|property| {
        let name = property.name();
        let is_default = table::find(table::PIPELINE, name).and_then(|row| row.2).is_some_and(|default| {
            property.value().eq_ignore_ascii_case(default) || (property.value().is_empty() && !default.is_empty())
        });
        !is_default && !table::PIPELINE_RETIRED.contains(&name) && !drop.contains(&name)
    });
}

fn properties(properties: &mut [CustomProperty], of: &impl Fn(&str) -> Option<String>) {
    for property in properties {
        tidy(&mut property.base, &[]);
        property.base.properties.sort_by(|attribute| designer_rank(attribute.qualified_name()));
        if !property.contains_id() {
            continue;
        }
        // Numbers stand alone in properties that hold one id, behind '#' in expressions and lists.
        let is_number = property.data_type().eq_ignore_ascii_case("System.Int32");
        for node in &mut property.content {
            let (Node::Text(text) | Node::CData(text)) = node else { continue };
            let changed = match is_number {
                true => of(text).map(|id| format!("#{{{id}}}")),
                false => Some(replace_numbers(text, of)),
            };
            if let Some(changed) = changed {
                *text = changed;
            }
        }
    }
}

/// Replaces `#123` with `#{refId}`, but not inside of string literals and bracketed names.
fn replace_numbers(text: &str, of: &impl Fn(&str) -> Option<String>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let length = match c {
            '"' => literal_length(rest),
            '[' => rest.find(']').map_or(rest.len(), |end| end + 1),
            '#' => {
                let digits = rest[1..].bytes().take_while(u8::is_ascii_digit).count();
                if let Some(id) = of(&rest[1..1 + digits]) {
                    out.push_str("#{");
                    out.push_str(&id);
                    out.push('}');
                    rest = &rest[1 + digits..];
                    continue;
                }
                1 + digits
            }
            c => c.len_utf8(),
        };
        out.push_str(&rest[..length]);
        rest = &rest[length..];
    }
    out
}

/// The length of the string literal at the start of a text, quotes included; a backslash takes the next character with it.
fn literal_length(text: &str) -> usize {
    let mut characters = text.char_indices().skip(1);
    while let Some((at, c)) = characters.next() {
        match c {
            '\\' => {
                characters.next();
            }
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_replaced_only_where_they_are_ids() {
        let of = |number: &str| (number == "12").then(|| "Package\\F\\S.Outputs[O].Columns[C]".to_owned());
        let id = "#{Package\\F\\S.Outputs[O].Columns[C]}";
        let table = [
            ("[UPPER](#12) + #13", format!("[UPPER]({id}) + #13")),
            ("\"#12\" + #12", format!("\"#12\" + {id}")),
            ("\"a\\\"#12\" + [x#12] + #12", format!("\"a\\\"#12\" + [x#12] + {id}")),
            ("#12;#12;", format!("{id};{id};")),
            ("#", "#".to_owned()),
            ("é#12", format!("é{id}")),
            ("\"open", "\"open".to_owned()),
        ];
        for (text, expected) in table {
            assert_eq!(replace_numbers(text, &of), expected, "{text}");
        }
    }
}
