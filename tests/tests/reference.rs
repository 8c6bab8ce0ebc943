//! Keeps `docs/reference/parts.md` what the catalog says, and `functions.md` what the functions of expressions say.
//! `DTSX_BLESS=1 cargo test -p dtsx-tests --test reference` writes them anew.

use dtsx_components::catalog::{ENUMERATORS, Family, STOCK, TASKS, components};
use dtsx_engine::expr::{NoNames, NullRule, compile, functions};
use dtsx_engine::props::{PropertyDef, PropertyType};
use dtsx_tests::root;
use std::fmt::Write as _;
use std::fs;

const FAMILIES: &[(Family, &str)] = &[
    (Family::Source, "Sources"),
    (Family::Transform, "Transformations"),
    (Family::Destination, "Destinations"),
    (Family::Container, "Containers"),
    (Family::Task, "Tasks"),
    (Family::Enumerator, "Foreach enumerators"),
    (Family::Connection, "Connection managers"),
    (Family::LogProvider, "Log providers"),
];

fn type_name(ty: PropertyType) -> &'static str {
    match ty {
        PropertyType::Bool => "Boolean",
        PropertyType::Int => "integer",
        PropertyType::Float => "number",
        PropertyType::Text => "text",
        PropertyType::TextList => "list of texts",
        PropertyType::Expression => "expression",
        PropertyType::VariableName => "variable",
        PropertyType::Lineage => "column",
    }
}

fn property_row(property: &PropertyDef) -> String {
    let default = if property.default.is_empty() { String::new() } else { format!("`{}`", property.default) };
    let doc = property.doc.replace('\n', " ").replace('|', "\\|");
    format!("| {} | {} | {default} | {doc} |\n", property.name, type_name(property.ty))
}

fn page() -> String {
    let mut page = String::from(
        "# Parts\n\n\
         Everything that SSIS has in stock, and whether this build runs it. A package with a part that it does not run is\n\
         loaded all the same; `dtsx check` names the part, and a run is refused. This page is generated from the catalog\n\
         (`components/src/catalog.rs`) and checked by a test.\n",
    );
    for (family, title) in FAMILIES {
        let stock: Vec<_> = STOCK.iter().filter(|stock| stock.family == *family).collect();
        let n_here = stock.iter().filter(|stock| stock.supported()).count();
        let _ = write!(
            page,
            "\n## {title}: {n_here} of {}\n\n| part | name in packages | runs |\n|---|---|---|\n",
            stock.len()
        );
        for stock in stock {
            let runs = if stock.supported() { "yes" } else { "" };
            let _ = writeln!(page, "| {} | {} | {runs} |", stock.title, stock.kind);
        }
    }
    page.push_str("\n# Properties of components\n");
    for component in components() {
        properties(&mut page, component.title(), component.properties());
    }
    page.push_str("\n# Properties of tasks and enumerators\n");
    for task in TASKS {
        properties(&mut page, task.title(), task.properties());
    }
    for enumerator in ENUMERATORS {
        properties(&mut page, enumerator.title(), enumerator.properties());
    }
    page
}

fn properties(page: &mut String, title: &str, properties: &[PropertyDef]) {
    let _ = write!(page, "\n## {title}\n\n");
    if properties.is_empty() {
        page.push_str("None of its own.\n");
        return;
    }
    page.push_str("| property | type | default | |\n|---|---|---|---|\n");
    properties.iter().for_each(|property| page.push_str(&property_row(property)));
}

fn function_page() -> String {
    let mut page = String::from(
        "# Functions of expressions\n\n\
         Names may be written in any letter case, and in brackets. Text is counted in UTF-16 code units; the first position\n\
         is 1. This page is generated from the table of functions (`engine/src/expr/functions`) and checked by a test, as\n\
         are the examples.\n",
    );
    for f in functions() {
        let strict = f.nulls == NullRule::Propagate && f.arity > 0;
        let null = if strict { " NULL if an argument is NULL." } else { "" };
        let _ = write!(page, "\n## {}\n\n`{}`\n\n{}{null}\n\n", f.name, f.syntax, f.doc);
        let takes: Vec<String> = f.arguments().map(|(name, takes)| format!("`{name}`, {takes}")).collect();
        if !takes.is_empty() {
            let _ = writeln!(page, "Takes: {}.", takes.join("; "));
        }
        let _ = writeln!(page, "Gives: {}.\n", f.types.gives);
        page.push_str("| example | result | type |\n|---|---|---|\n");
        for example in f.examples {
            let result = match example.result {
                "" => "(empty)".to_owned(),
                result => format!("`{}`", result.replace('\t', "\\t")),
            };
            let ty = compile(example.text, &NoNames).map_or(String::new(), |program| program.data_type().to_string());
            let _ = writeln!(page, "| `{}` | {result} | {ty} |", example.text.replace('|', "\\|"));
        }
    }
    page
}

fn assert_fresh(name: &str, page: &str) {
    let path = root().join("docs/reference").join(name);
    if std::env::var_os("DTSX_BLESS").is_some() {
        assert!(fs::write(&path, page).is_ok(), "{} cannot be written", path.display());
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(found == page, "{} is stale: run this test with DTSX_BLESS=1", path.display());
}

#[test]
fn the_page_of_parts_is_fresh() {
    assert_fresh("parts.md", &page());
}

#[test]
fn the_page_of_functions_is_fresh() {
    assert_fresh("functions.md", &function_page());
}
