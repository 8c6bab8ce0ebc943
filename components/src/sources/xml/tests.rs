//! Shapes of schemas; what is not well-formed is an error.

use super::schema::{Shape, includes};

fn schema(body: &str) -> String {
    format!("<xs:schema xmlns:xs='http://www.w3.org/2001/XMLSchema'>{body}</xs:schema>")
}

/// The tables of a shape: name, columns, key of the table around it.
fn shown(body: &str, root: &str) -> String {
    let shape = Shape::of(&[schema(body)], root).unwrap();
    let table = |table: &super::schema::Table| {
        let columns: Vec<&str> = table.columns.iter().map(|(n, _)| if n.is_empty() { "text()" } else { n }).collect();
        let parent = table.parent.map_or("", |p| &shape.tables[p].name);
        format!("{}({})<{parent}", table.name, columns.join(","))
    };
    shape.tables.iter().map(table).collect::<Vec<_>>().join(" ")
}

#[test]
fn what_is_a_table_and_what_a_column() {
    let orders = "<xs:element name='Orders'><xs:complexType><xs:sequence>
        <xs:element name='Order' maxOccurs='unbounded'><xs:complexType><xs:sequence>
          <xs:element name='Date' type='xs:date'/>
          <xs:element name='Tag' type='xs:string' maxOccurs='3'/>
          <xs:element name='Ship'><xs:complexType><xs:attribute name='by'/></xs:complexType></xs:element>
        </xs:sequence><xs:attribute name='no' type='xs:int'/></xs:complexType></xs:element>
        </xs:sequence></xs:complexType></xs:element>";
    assert_eq!(shown(orders, "Orders"), "Orders()< Order(Date,no)<Orders Tag(text())<Order Ship(by)<Order");
}

#[test]
fn types_groups_and_references() {
    let body = "<xs:element name='r'><xs:complexType><xs:sequence><xs:element ref='item'/><xs:group ref='g'/></xs:sequence>
          </xs:complexType></xs:element>
        <xs:element name='item' type='money'/>
        <xs:complexType name='money'><xs:simpleContent><xs:extension base='xs:decimal'>
          <xs:attributeGroup ref='a'/></xs:extension></xs:simpleContent></xs:complexType>
        <xs:attributeGroup name='a'><xs:attribute name='unit'/></xs:attributeGroup>
        <xs:group name='g'><xs:choice><xs:element name='x' type='xs:int'/><xs:element name='y' type='wide'/></xs:choice></xs:group>
        <xs:complexType name='base'><xs:sequence><xs:element name='one'/></xs:sequence></xs:complexType>
        <xs:complexType name='wide'><xs:complexContent><xs:extension base='base'><xs:sequence>
          <xs:element name='two'/></xs:sequence></xs:extension></xs:complexContent></xs:complexType>";
    assert_eq!(shown(body, "r"), "r(x)< item(text(),unit)<r y(one,two)<r");
}

#[test]
fn names_of_tables() {
    let leaf = "<xs:element name='v' maxOccurs='unbounded'><xs:complexType><xs:attribute name='n'/></xs:complexType></xs:element>";
    let within = |name: &str| {
        format!(
            "<xs:element name='{name}'><xs:complexType><xs:sequence>{leaf}</xs:sequence></xs:complexType></xs:element>"
        )
    };
    let body = format!(
        "<xs:element name='r'><xs:complexType><xs:sequence>{}{}</xs:sequence></xs:complexType></xs:element>",
        within("a"),
        within("b")
    );
    let shape = Shape::of(&[schema(&body)], "r").unwrap();
    let (one, two) = (shape.table("r__a__v").unwrap(), shape.table("r__b__v").unwrap());
    assert_ne!(one, two);
    assert_eq!(shape.tables[shape.tables[two].parent.unwrap()].name, "b");
    assert_eq!(shape.table("b"), shape.tables[two].parent);
    assert!(shape.table("c").is_none());
    assert!(shape.is_key(one, "v_Id") && shape.is_key(one, "r__a__v_Id") && !shape.is_key(one, "n_Id"));
}

#[test]
fn what_is_not_supported_is_said() {
    let recursive = "<xs:element name='part' type='part'/><xs:complexType name='part'><xs:sequence>
        <xs:element name='part' type='part'/></xs:sequence></xs:complexType>";
    for (text, part) in [
        (schema(recursive), "recursive at \"part/part\""),
        (schema("<xs:element name='other'/>"), "no element \"part\""),
        ("<a/>".to_owned(), "begins with the element \"a\""),
        ("<a".to_owned(), "not well-formed"),
    ] {
        let error = Shape::of(&[text], "part").unwrap_err();
        assert!(error.contains(part), "{error}");
    }
    assert_eq!(includes(&schema("<xs:include schemaLocation='b.xsd'/>")).unwrap(), ["b.xsd"]);
    assert!(includes(&schema("<xs:import namespace='u' schemaLocation='b.xsd'/>")).unwrap_err().contains("imports"));
}
