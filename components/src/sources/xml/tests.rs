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
    assert_eq!(includes(&schema("<xs:import namespace='u' schemaLocation='b.xsd'/>")).unwrap(), ["b.xsd"]);
    let xml = "<xs:import namespace='x' schemaLocation='http://www.w3.org/2001/xml.xsd'/><xs:import namespace='y'/>";
    assert_eq!(includes(&schema(xml)).unwrap(), Vec::<String>::new());
    assert!(includes(&schema("<xs:include schemaLocation='http://a/b.xsd'/>")).unwrap_err().contains("not a file"));
    assert!(includes(&schema("<xs:redefine schemaLocation='b.xsd'/>")).unwrap_err().contains("redefines"));
}

#[test]
fn names_of_two_namespaces() {
    let own = "<xs:schema xmlns:xs='http://www.w3.org/2001/XMLSchema' targetNamespace='o' xmlns='o' xmlns:p='p'>
        <xs:import namespace='p' schemaLocation='p.xsd'/>
        <xs:element name='r'><xs:complexType><xs:sequence>
          <xs:element name='one' type='T' maxOccurs='unbounded'/><xs:element name='two' type='p:T' maxOccurs='unbounded'/>
          <xs:element ref='p:three' maxOccurs='unbounded'/><xs:element name='four' type='Late'/>
        </xs:sequence></xs:complexType></xs:element>
        <xs:complexType name='T'><xs:attribute name='a'/></xs:complexType></xs:schema>";
    let other = "<xs:schema xmlns:xs='http://www.w3.org/2001/XMLSchema' targetNamespace='p' xmlns='p'>
        <xs:element name='three' type='T'/><xs:complexType name='T'><xs:attribute name='b'/></xs:complexType></xs:schema>";
    // has no namespace of its own, and takes that of the schema that includes it
    let late = schema("<xs:complexType name='Late'><xs:attribute name='c'/></xs:complexType>");
    let shape = Shape::of(&[own.into(), other.into(), late], "r").unwrap();
    let tables: Vec<String> = shape
        .tables
        .iter()
        .map(|t| format!("{}{:?}", t.name, t.columns.iter().map(|c| &c.0).collect::<Vec<_>>()))
        .collect();
    assert_eq!(tables.join(" "), r#"r[] one["a"] two["b"] three["b"] four["c"]"#);
}

/// What stands at the same place in two schemas is not the same.
#[test]
fn schemas_of_one_shape_are_not_recursive() {
    let within = |name: &str, inner: &str| {
        schema(&format!(
            "<xs:element name='{name}'><xs:complexType><xs:sequence>{inner}</xs:sequence></xs:complexType></xs:element>"
        ))
    };
    let texts = [within("r", "<xs:element ref='s'/>"), within("s", "<xs:element name='x'/>")];
    let shape = Shape::of(&texts, "r").unwrap();
    assert_eq!(shape.tables[1].columns[0].0, "x");
}

#[test]
fn what_restricts_a_type_has_its_attributes() {
    let body = "<xs:element name='r' type='narrow'/>
        <xs:complexType name='wide'><xs:sequence><xs:element name='x'/><xs:element name='y' minOccurs='0'/></xs:sequence>
          <xs:attribute name='a'/><xs:attribute name='b'/><xs:attributeGroup ref='g'/></xs:complexType>
        <xs:attributeGroup name='g'><xs:attribute name='c'/></xs:attributeGroup>
        <xs:complexType name='narrow'><xs:complexContent><xs:restriction base='wide'><xs:sequence><xs:element name='x'/>
          </xs:sequence><xs:attribute name='b' use='prohibited'/></xs:restriction></xs:complexContent></xs:complexType>";
    assert_eq!(shown(body, "r"), "r(x,a,c)<");
}

#[test]
fn schemas_that_include_each_other_are_read_once() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("sub")).unwrap();
    let a = folder.path().join("a.xsd");
    let including = |file: &str, name: &str| {
        schema(&format!("<xs:include schemaLocation='{file}'/><xs:element name='{name}' type='xs:int'/>"))
    };
    std::fs::write(&a, including(r"sub\b.xsd", "one")).unwrap();
    std::fs::write(folder.path().join("sub/b.xsd"), including("../a.xsd", "two")).unwrap();
    let texts = super::read::schemas(&a, "a.xsd").unwrap();
    assert_eq!(texts.len(), 2);
    assert!(Shape::of(&texts, "two").is_ok());
}

const DOCUMENT: &str = "<?xml version=\"1.0\"?><r xmlns:n='u'><t n='1'><s>a &amp; b</s><u>2024-02-29T00:00:00</u><v w='x'/><v/></t>\
    <!-- c --><t n='2'><s><![CDATA[<]]></s><v w='y'>text</v></t></r>";

/// The rows of both outputs of a document.
fn read(document: &[u8]) -> dtsx_engine::diag::Result<Vec<String>> {
    use crate::shared::testing::{Recorder, bound, column, open_cx, shown};
    use dtsx_engine::flow::*;
    use dtsx_engine::props::Origin;
    use dtsx_engine::types::DataType;
    use std::sync::Arc;

    let folder = tempfile::tempdir().unwrap();
    let (xml, xsd) = (folder.path().join("a.xml"), folder.path().join("a.xsd"));
    std::fs::write(&xml, document).unwrap();
    let body = "<xs:element name='r'><xs:complexType><xs:sequence>
        <xs:element name='t' maxOccurs='unbounded'><xs:complexType><xs:sequence>
          <xs:element name='s' type='xs:string'/><xs:element name='u' type='xs:dateTime'/>
          <xs:element name='v' maxOccurs='9'><xs:complexType><xs:attribute name='w'/></xs:complexType></xs:element>
        </xs:sequence><xs:attribute name='n' type='xs:int'/></xs:complexType></xs:element>
        </xs:sequence></xs:complexType></xs:element>";
    std::fs::write(&xsd, schema(body)).unwrap();
    let output = |id: &str, columns: Vec<OutputColumnSpec>| {
        let mut output = OutputSpec { name: id.into(), columns, ..Default::default() };
        output.properties.set_text("RowsetID", id, Origin::Package);
        output
    };
    let text = |name: &str| column(name, DataType::WStr { len: 50 });
    let outputs = vec![
        output("t", vec![column("t_Id", DataType::UI8), column("n", DataType::I4), text("s")]),
        output("v", vec![text("w"), column("t_Id", DataType::UI8)]),
    ];
    let mut spec = ComponentSpec { name: "X".into(), outputs, ..Default::default() };
    spec.properties.set_text("XMLData", xml.to_string_lossy(), Origin::Package);
    spec.properties.set_text("XMLSchemaDefinition", xsd.to_string_lossy(), Origin::Package);
    let kind = |spec: &ComponentSpec, cx: &mut BindCx<'_>| super::XmlSource.bind(spec, cx);
    let Bound::Source(source) = bound(&spec, &Default::default(), Layout::default(), kind) else { panic!("no source") };
    let cx = open_cx(&Arc::new(Recorder::default()));
    let (mut fetch, mut decode) = (source.open(&cx)?, source.decoder(&cx, &[])?);
    let mut rows = Vec::new();
    while let Step::More(morsel) = fetch.fetch(&Waker::new(|| {}))? {
        let mut ports = Ports::new(2);
        decode.decode(0, morsel, &mut ports)?;
        for port in 0..2 {
            rows.extend(ports.take(port).map(shown).unwrap_or_default());
        }
    }
    Ok(rows)
}

#[test]
fn a_document_in_two_tables() {
    assert_eq!(read(DOCUMENT.as_bytes()).unwrap(), ["0|1|a & b", "1|2|<", "x|0", "NULL|0", "y|1"]);
}

#[test]
fn every_cut_is_an_error() {
    for cut in 0..DOCUMENT.len() {
        assert!(read(&DOCUMENT.as_bytes()[..cut]).is_err(), "{cut} bytes");
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(300))]

    /// Whatever becomes of a document: an error or rows, never a panic.
    #[test]
    fn damage_is_an_error_or_rows(
        changes in proptest::collection::vec((proptest::prelude::any::<proptest::sample::Index>(), proptest::prelude::any::<u8>()), 1..5),
    ) {
        let mut bytes = DOCUMENT.as_bytes().to_vec();
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        let _ = read(&bytes);
    }
}
