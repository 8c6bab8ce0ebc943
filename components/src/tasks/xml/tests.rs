//! The task in a package of its own.

use crate::tasks::kit::{Ran, Single};
use dtsx_engine::types::Value;
use dtsx_engine::variables::VariableType;

const SHOP: &str = "<?xml version=\"1.0\"?>\n<shop xmlns:m='urn:m'><book id='1'><p>12</p></book>\n<book id='2'><p>55.5</p><m:t>A &amp; B</m:t></book></shop>";

fn run(attributes: &[(&str, &str)]) -> Ran {
    let mut all = vec![
        ("SourceType", "Variable"),
        ("Source", "User::Doc"),
        ("SaveOperationResult", "True"),
        ("DestinationType", "Variable"),
        ("Destination", "User::Out"),
    ];
    all.retain(|(name, _)| !attributes.iter().any(|(n, _)| n == name));
    all.extend_from_slice(attributes);
    Single::new("Microsoft.XMLTask", "XMLTaskData", &all)
        .variable("Doc", VariableType::String, Value::text(SHOP))
        .variable("Second", VariableType::String, Value::text("<?xml version='1.0'?><book id='3'/>"))
        .variable("Out", VariableType::String, Value::text("before"))
        .run(|_| {})
}

fn out(ran: &Ran) -> String {
    match ran.value("Out") {
        Value::Text(text) => text.replace("\r\n", "|"),
        other => format!("{other:?}"),
    }
}

#[test]
fn expressions() {
    for (operation, in_one_node, expression, expected) in [
        ("Evaluation", "False", "sum(//p)", "67.5"),
        ("Evaluation", "True", "count(//book)", "<ResultRootNode>2</ResultRootNode>"),
        ("0", "False", "//p = 12", "True"),
        ("Evaluation", "False", "string(//m:t)", "A &amp; B"),
        ("Values", "False", "//book/@id", "1|2"),
        ("1", "True", "//p", "<ResultRootNode>12|55.5</ResultRootNode>"),
        ("NodeList", "False", "//p", "<p>12</p>|<p>55.5</p>"),
        ("2", "True", "//book[1]", "<ResultRootNode><book id=\"1\">|  <p>12</p>|</book></ResultRootNode>"),
        ("NodeList", "False", "//m:t", "<m:t xmlns:m=\"urn:m\">A &amp; B</m:t>"),
        ("NodeList", "False", "//book/@id", "id=\"1\"|id=\"2\""),
    ] {
        let ran = run(&[
            ("OperationType", "XPATH"),
            ("SecondOperand", expression),
            ("XPathOperation", operation),
            ("PutResultInOneNode", in_one_node),
        ]);
        assert!(ran.succeeded(), "{expression}: {:?}", ran.texts("OnError"));
        assert_eq!(out(&ran), expected, "{expression}");
    }
}

#[test]
fn what_an_expression_cannot_be() {
    for (operation, expression, code) in [
        ("Evaluation", "//p", "0xC002926B"),
        ("NodeList", "//none", "0xC0029268"),
        ("Values", "count(//p)", "0xC002926B"),
        ("Values", "//[", "0xC002926B"),
        ("Values", "//x:p", "0xC002926B"),
        ("Values", "", "0xC002927E"),
        ("Other", "//p", "0xC002926A"),
    ] {
        let ran = run(&[("OperationType", "XPATH"), ("SecondOperand", expression), ("XPathOperation", operation)]);
        assert_eq!(ran.codes("OnError"), [code], "{operation} {expression}: {:?}", ran.texts("OnError"));
        assert_eq!(out(&ran), "before");
    }
}

#[test]
fn merges() {
    let merged = |place: &str| {
        let ran = run(&[
            ("OperationType", "Merge"),
            ("SecondOperandType", "Variable"),
            ("SecondOperand", "User::Second"),
            ("XPathStringSource", place),
        ]);
        assert!(ran.succeeded(), "{:?}", ran.texts("OnError"));
        out(&ran)
    };
    let end = merged("");
    assert!(end.starts_with("<?xml version=\"1.0\"?>|<shop xmlns:m=\"urn:m\">|  <book id=\"1\">"), "{end}");
    assert!(end.ends_with("|  </book>|  <book id=\"3\" />|</shop>"), "{end}");
    assert!(merged("/shop/book[1]").contains("<p>12</p>|    <book id=\"3\" />|  </book>"));
    let ran = run(&[("OperationType", "Merge"), ("SecondOperand", "<a/>"), ("XPathStringSource", "/none")]);
    assert_eq!(ran.codes("OnError"), ["0xC0029269"]);
    let ran = run(&[("OperationType", "Merge"), ("SecondOperand", "<a>")]);
    assert_eq!(ran.codes("OnError"), ["0xC0029265"]);
}

#[test]
fn files() {
    let folder = tempfile::tempdir().unwrap();
    let (source, target) = (folder.path().join("a.xml"), folder.path().join("b.xml"));
    std::fs::write(&source, b"<?xml version='1.0' encoding='windows-1252'?><a><b>caf\xe9</b><b/></a>").unwrap();
    let run = |overwrite: &str, expression: &str| {
        let attributes = [
            ("OperationType", "XPATH"),
            ("Source", "In"),
            ("SecondOperand", expression),
            ("SaveOperationResult", "True"),
            ("Destination", "Out"),
            ("OverwriteDestination", overwrite),
            ("XPathOperation", "NodeList"),
        ];
        Single::new("Microsoft.XMLTask", "XMLTaskData", &attributes)
            .connection("In", "FILE", &source.to_string_lossy(), "0")
            .connection("Out", "FILE", &target.to_string_lossy(), "1")
            .run(|_| {})
    };
    assert!(run("False", "//b").succeeded());
    assert_eq!(std::fs::read_to_string(&target).unwrap(), "\u{feff}<b>café</b>\r\n<b />");
    assert_eq!(run("False", "//b").codes("OnError"), ["0xC0029290"]);
    assert!(run("True", "//b[1]").succeeded());
    assert_eq!(std::fs::read_to_string(&target).unwrap(), "\u{feff}<b>café</b>");
    std::fs::remove_file(&source).unwrap();
    assert_eq!(run("True", "//b").codes("OnError"), ["0xC002928E"]);
}

#[test]
fn what_is_not_supported_is_refused_by_name() {
    for operation in ["Validate", "XSLT", "Diff", "Patch", "5"] {
        let ran = run(&[("OperationType", operation), ("SecondOperand", "x")]);
        assert!(!ran.succeeded());
        let name = if operation == "5" { "Patch" } else { operation };
        assert!(ran.texts("OnError").iter().any(|t| t.contains(name) && t.contains("not supported")), "{operation}");
    }
    assert_eq!(run(&[("OperationType", "Weld")]).codes("OnError"), ["0xC002926A"]);
    let ran = run(&[("OperationType", "XPATH"), ("SecondOperand", "1"), ("Source", "")]);
    assert_eq!(ran.codes("OnError"), ["0xC002927D"]);
}
