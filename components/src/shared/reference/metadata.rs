//! What a package tells of reference rows before they are read: ReferenceMetadataXml.

use super::ReferenceColumn;
use dtsx_engine::types::DataType;

/// The columns in `<referenceMetadata><referenceColumns><referenceColumn name dataType length precision scale codePage/>…`;
/// none for an empty text.
///
/// # Errors
/// What is wrong with the text.
pub(crate) fn columns(xml: &str) -> Result<Vec<ReferenceColumn>, String> {
    if xml.trim().is_empty() {
        return Ok(Vec::new());
    }
    let document = roxmltree::Document::parse(xml).map_err(|e| e.to_string())?;
    let elements = document.descendants().filter(|n| n.tag_name().name().eq_ignore_ascii_case("referenceColumn"));
    elements
        .map(|element| {
            let name = element.attribute("name").unwrap_or_default().to_owned();
            let number = |name: &str| element.attribute(name).and_then(|v| v.trim().parse::<u32>().ok()).unwrap_or(0);
            let small = |name: &str| u8::try_from(number(name)).unwrap_or(u8::MAX);
            let type_name = element.attribute("dataType").unwrap_or_default();
            let data_type = DataType::from_name(
                type_name,
                number("length"),
                small("precision"),
                small("scale"),
                number("codePage"),
            );
            match data_type {
                Some(data_type) => Ok(ReferenceColumn { name, data_type }),
                None => Err(format!("the column \"{name}\" has the type \"{type_name}\"")),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_types() {
        let xml = r#"<referenceMetadata><referenceColumns><referenceColumn name="Row Id" dataType="DT_I4" length="0"
            precision="0" scale="0" codePage="0"/><referenceColumn name="N&amp;N" dataType="DT_NUMERIC" length="0"
            precision="18" scale="2" codePage="0"/><referenceColumn name="City" dataType="DT_STR" length="100"
            precision="0" scale="0" codePage="1252"/></referenceColumns></referenceMetadata>"#;
        let columns = columns(xml).unwrap();
        let shown: Vec<String> = columns.iter().map(|c| format!("{} {}", c.name, c.data_type)).collect();
        assert_eq!(shown, ["Row Id DT_I4", "N&N DT_NUMERIC(18,2)", "City DT_STR(100,1252)"]);
    }

    #[test]
    fn nothing_and_nonsense() {
        assert_eq!(columns(" ").unwrap(), []);
        assert!(columns("<referenceMetadata>").is_err());
        assert!(columns("<r><referenceColumn name=\"a\" dataType=\"DT_X\"/></r>").unwrap_err().contains("DT_X"));
    }
}
