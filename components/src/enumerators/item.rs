//! Foreach Item Enumerator: items that stand in the package, each with typed columns.
//!
//! ```text
//! <FEIEItem><FEIEItemValue Type="8" Value="a"/><FEIEItemValue Type="3" Value="1"/></FEIEItem>
//! ```

use dtsx_engine::control::plan::EnumeratorSpec;
use dtsx_engine::control::{Enumerator, EnumeratorKind, Items, TaskBindCx, TaskCx};
use dtsx_engine::diag::{Result, codes};
use dtsx_engine::types::Value;
use dtsx_engine::variables::VariableType;

/// `Microsoft.ForEachItemEnumerator`.
pub struct ItemEnumeratorKind;

struct ItemEnumerator {
    items: Vec<Vec<Value>>,
}

impl EnumeratorKind for ItemEnumeratorKind {
    fn kind(&self) -> &'static str {
        "Microsoft.ForEachItemEnumerator"
    }

    fn title(&self) -> &'static str {
        "Foreach Item Enumerator"
    }

    fn bind(&self, spec: &EnumeratorSpec, cx: &mut TaskBindCx<'_>) -> Option<Box<dyn Enumerator>> {
        let mut items = Vec::new();
        for item in spec.data.all("FEIEItem") {
            let mut columns = Vec::new();
            for value in item.all("FEIEItemValue") {
                let number = value.attr("Type").unwrap_or("8");
                let text = value.attr("Value").unwrap_or(&value.text);
                let Some(ty) = number.parse().ok().and_then(VariableType::from_vartype) else {
                    let message = format!("An item has a value of the unknown type {number}.");
                    cx.error(&spec.path, value.span.or(spec.span), codes::DTS_E_INVALIDVARIABLEVALUE, message);
                    continue;
                };
                match ty.parse(text) {
                    Ok(value) => columns.push(value),
                    Err(error) => {
                        let code = error.code().unwrap_or(codes::DTS_E_INVALIDVARIABLEVALUE);
                        cx.error(&spec.path, value.span.or(spec.span), code, error.message());
                    }
                }
            }
            items.push(columns);
        }
        (!cx.failed()).then(|| Box::new(ItemEnumerator { items }) as Box<dyn Enumerator>)
    }
}

impl Enumerator for ItemEnumerator {
    fn open(&self, _: &TaskCx) -> Result<Items> {
        Ok(Box::new(self.items.clone().into_iter().map(Ok)))
    }
}

#[cfg(test)]
mod tests {
    use crate::tasks::kit::Loop;
    use dtsx_engine::props::DataNode;

    fn item(values: &[(&str, &str)]) -> DataNode {
        let value = |(ty, value): &(&str, &str)| DataNode {
            name: "FEIEItemValue".into(),
            attributes: vec![("Type".into(), (*ty).into()), ("Value".into(), (*value).into())],
            ..Default::default()
        };
        DataNode { name: "FEIEItem".into(), children: values.iter().map(value).collect(), ..Default::default() }
    }

    #[test]
    fn items_have_typed_columns() {
        let ran = Loop::new("Microsoft.ForEachItemEnumerator", "FEIEItems")
            .node(item(&[("8", "a"), ("3", "1")]))
            .node(item(&[("8", "b"), ("3", "2")]))
            .columns(&["String", "Int32"])
            .run(|_| {});
        assert_eq!(ran.items(), "a,1 b,2");
    }

    #[test]
    fn text_does_not_fit_a_number() {
        let ran = Loop::new("Microsoft.ForEachItemEnumerator", "FEIEItems")
            .node(item(&[("8", "1")]))
            .columns(&["Int32"])
            .run(|_| {});
        assert_eq!(ran.codes("OnError"), ["0xC001F009", "0xC001C012"]);
    }

    #[test]
    fn values_that_are_not_of_their_type_are_refused() {
        let ran = Loop::new("Microsoft.ForEachItemEnumerator", "FEIEItems")
            .node(item(&[("3", "x"), ("99", "y")]))
            .run(|_| {});
        assert_eq!(ran.codes("OnError"), ["0xC001000C", "0xC001000C"]);
    }
}
