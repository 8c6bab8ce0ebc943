//! What a package stores for the enumerator.

use dtsx_engine::props::DataNode;

/// What the package asks for.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Asked {
    /// Id or name of the connection manager; "" if it is not said.
    pub(super) connection: String,
    /// GUID or name of the schema rowset.
    pub(super) schema: String,
    /// Restrictions by their places; None: not restricted.
    pub(super) restrictions: Vec<Option<String>>,
}

/// Reads the data of the enumerator. Its form is (unconfirmed): no package that has one is at hand. So it may be
///
/// ```text
/// <FEESchemaRowset Connection="{…}" Schema="{c8b52229-…}"><Restriction Value="dbo"/>…</FEESchemaRowset>
/// ```
/// with any element of a name that speaks of a schema; with `Connection…` and `Schema…` as attributes or as elements, in
/// any case; with the schema by GUID or by name; with restrictions as elements in their order (or with a number), alone or
/// in an element around them, or as attributes with a number. What is none of these is refused.
///
/// # Errors
/// What was found that is not understood.
pub(super) fn read(data: &DataNode) -> Result<Asked, String> {
    let mut asked = Asked::default();
    if data.name.is_empty() {
        return Ok(asked);
    }
    if !data.name.to_ascii_lowercase().contains("schema") {
        return Err(format!("its data is an element <{}>", data.name));
    }
    for (name, value) in &data.attributes {
        asked.take(name, value).ok_or_else(|| format!("its data has the attribute {name}=\"{value}\""))?;
    }
    for child in &data.children {
        asked.element(child)?;
    }
    Ok(asked)
}

impl Asked {
    /// Takes an attribute, or an element with a text. None: it is nothing that is known.
    fn take(&mut self, name: &str, value: &str) -> Option<()> {
        let name = name.to_ascii_lowercase();
        if name.starts_with("connection") {
            self.connection = value.trim().to_owned();
        } else if let Some(number) = name.strip_prefix("restriction") {
            let at: usize = number.trim_start_matches('s').trim_start_matches('_').parse().ok()?;
            self.restrict(at, value);
        } else if name.starts_with("schema") {
            self.schema = value.trim().to_owned();
        } else {
            return None;
        }
        Some(())
    }

    /// An empty text restricts nothing: the designer cannot tell it from none.
    fn restrict(&mut self, at: usize, value: &str) {
        // No schema rowset has as many columns.
        let at = at.min(64);
        if self.restrictions.len() <= at {
            self.restrictions.resize(at + 1, None);
        }
        self.restrictions[at] = Some(value.to_owned()).filter(|v| !v.is_empty());
    }

    fn element(&mut self, node: &DataNode) -> Result<(), String> {
        let name = node.name.to_ascii_lowercase();
        if !node.children.is_empty() {
            let around = name.contains("restriction") || name.contains("propert") || name.contains("schema");
            if !around || !node.attributes.is_empty() {
                return Err(format!("its data has an element <{}> with others in it", node.name));
            }
            return node.children.iter().try_for_each(|child| self.element(child));
        }
        if name.contains("restriction") || ["string", "anytype", "value"].contains(&name.as_str()) {
            return self.restriction(node);
        }
        // An element may hold properties as its attributes, as the data of the file enumerator does.
        let known = node.attributes.iter().all(|(name, value)| self.take(name, value).is_some());
        let text = node.text.trim();
        let itself = node.attributes.is_empty() && self.take(&node.name, text).is_some();
        if known && (itself || !node.attributes.is_empty() && text.is_empty()) {
            return Ok(());
        }
        Err(format!("its data has the element <{}>", node.name))
    }

    /// One restriction: the next one, or that of its number.
    fn restriction(&mut self, node: &DataNode) -> Result<(), String> {
        let (mut at, mut value, mut null) = (self.restrictions.len(), node.text.trim().to_owned(), false);
        for (name, text) in &node.attributes {
            match name.to_ascii_lowercase().as_str() {
                "value" | "restriction" | "restrictionvalue" | "text" => value = text.clone(),
                "index" | "ordinal" | "position" | "id" | "number" => {
                    at = text
                        .trim()
                        .parse()
                        .map_err(|_| format!("its data has a restriction of the number \"{text}\""))?;
                }
                "null" | "isnull" | "nil" => null = text.eq_ignore_ascii_case("true") || text == "1" || text == "-1",
                // The column's name says what the place says.
                "name" | "column" | "columnname" => {}
                _ => return Err(format!("its data has a restriction with the attribute {name}=\"{text}\"")),
            }
        }
        self.restrict(at, if null { "" } else { &value });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(name: &str, attributes: &[(&str, &str)], text: &str, children: Vec<DataNode>) -> DataNode {
        let attributes = attributes.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        DataNode { name: name.into(), attributes, children, text: text.into(), ..Default::default() }
    }

    fn restriction(value: &str) -> DataNode {
        node("Restriction", &[("Value", value)], "", Vec::new())
    }

    #[test]
    fn forms_that_mean_the_same() {
        let all = Asked {
            connection: "{C}".into(),
            schema: "Tables".into(),
            restrictions: vec![None, Some("dbo".into()), None, Some("TABLE".into())],
        };
        let given = [("Connection", "{C}"), ("Schema", "Tables")];
        let ordered = || vec![restriction(""), restriction("dbo"), restriction(""), restriction("TABLE")];
        let numbered = |name: &str| {
            let one = |at: &str, v: &str| node(name, &[("Index", at), ("Value", v)], "", Vec::new());
            vec![one("1", "dbo"), one("3", "TABLE")]
        };
        let texts = ["", "dbo", "", "TABLE"].map(|t| node("string", &[], t, Vec::new())).to_vec();
        let element = |name: &str, text: &str| node(name, &[], text, Vec::new());
        let cases = [
            node("FEESchemaRowset", &given, "", ordered()),
            node("FEESCHEMA", &[("CONNECTION", "{C}"), ("schemarowset", "Tables")], "", numbered("Restriction")),
            node("ForEachSchemaRowset", &given, "", vec![node("Restrictions", &[], "", texts.clone())]),
            node(
                "FEESchemaRowset",
                &[
                    ("ConnectionID", "{C}"),
                    ("SchemaGuid", "Tables"),
                    ("Restriction1", "dbo"),
                    ("Restriction3", "TABLE"),
                ],
                "",
                Vec::new(),
            ),
            node(
                "FEESchemaProperties",
                &[],
                "",
                vec![
                    node("FEESchemaProperty", &[("Connection", "{C}")], "", Vec::new()),
                    node("FEESchemaProperty", &[("Schema", "Tables")], "", Vec::new()),
                    node("Restrictions", &[], "", ordered()),
                ],
            ),
            node(
                "FEESchemaRowset",
                &[],
                "",
                [vec![element("Connection", "{C}"), element("SchemaRowset", "Tables")], texts].concat(),
            ),
        ];
        for case in cases {
            assert_eq!(read(&case).as_ref(), Ok(&all), "{case:?}");
        }
        assert_eq!(read(&DataNode::default()), Ok(Asked::default()));
    }

    #[test]
    fn what_is_not_understood_is_named() {
        let odd = |attribute: (&str, &str)| node("FEESchema", &[attribute], "", Vec::new());
        let with = |child: DataNode| node("FEESchema", &[], "", vec![child]);
        for (case, part) in [
            (node("FEEADO", &[], "", Vec::new()), "<FEEADO>"),
            (odd(("Filter", "x")), "Filter=\"x\""),
            (odd(("RestrictionX", "x")), "RestrictionX"),
            (with(node("Filter", &[], "x", Vec::new())), "<Filter>"),
            (with(node("Filter", &[], "", vec![restriction("x")])), "<Filter>"),
            (with(node("Restriction", &[("Index", "one")], "", Vec::new())), "\"one\""),
            (with(node("Restriction", &[("Kind", "x")], "", Vec::new())), "Kind"),
        ] {
            assert!(read(&case).is_err_and(|e| e.contains(part)), "{case:?}: {:?}", read(&case));
        }
    }
}
