//! One package in the formats of 2008 and of today, made for these tests: read, compared, brought up to date, written back.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking, as tests do")]

use dtsx_loader::dtsx::{self, LoadOptions};
use dtsx_loader::model::{
    Component, Connection, ConnectionManager, Disposition, Executable, FlatFileColumn, Input, InputColumn, Object,
    Output, OutputColumn, Package, Parameter, Path, Pipeline, Secret, Sort, Usage,
};

const NEW: &str = include_str!("fixtures/orders8.dtsx");
const OLD: &str = include_str!("fixtures/orders3.dtsx");

fn load(text: &str) -> Package {
    dtsx::load_str(text, &LoadOptions::default()).unwrap()
}

/// A file in a form that ignores attribute order and white space between elements, made by another XML reader.
fn canonical(text: &str) -> String {
    fn write(node: roxmltree::Node<'_, '_>, out: &mut String) {
        if node.is_text() {
            let text = node.text().unwrap();
            if !text.trim().is_empty() || node.prev_sibling().is_none() && node.next_sibling().is_none() {
                out.push_str(&format!("{text:?}\n"));
            }
        }
        if node.is_comment() {
            out.push_str(&format!("comment {:?}\n", node.text()));
        }
        if node.is_element() {
            let name = node.tag_name();
            let mut attributes: Vec<_> =
                node.attributes().map(|a| format!("{:?}:{}={:?}", a.namespace(), a.name(), a.value())).collect();
            attributes.sort();
            out.push_str(&format!("<{:?}:{} {}\n", name.namespace(), name.name(), attributes.join(" ")));
            node.children().for_each(|child| write(child, out));
            out.push_str(">\n");
        }
    }
    let document = roxmltree::Document::parse(text).unwrap();
    let mut out = String::new();
    document.root().children().for_each(|node| write(node, &mut out));
    out
}

#[test]
fn both_formats_come_back_as_they_were() {
    for text in [NEW, OLD] {
        let package = load(text);
        let written = dtsx::to_string(&package);
        assert_eq!(dtsx::difference(text, &written).unwrap(), None);
        assert_eq!(dtsx::difference_from_source(&package), None);
        assert_eq!(canonical(&written), canonical(text));
    }
    assert_eq!(dtsx::to_string(&load(NEW)), NEW.trim_end(), "the designer's layout");
}

#[test]
fn the_old_package_brought_up_to_date_is_the_new_one() {
    let mut package = load(OLD);
    dtsx::upgrade(&mut package);
    let upgraded = dtsx::to_string(&package);
    // The designer's layout of formats 2 and 3 is of another kind; empty collections are written by the designer only.
    let design = NEW.find("<DTS:DesignTimeProperties>").unwrap();
    let expected = format!("{}</DTS:Executable>", &NEW[..design]).replace("<DTS:Variables />", "");
    assert_eq!(dtsx::difference(&upgraded, &expected).unwrap(), None);
    let again = load(&upgraded);
    assert_eq!(dtsx::difference(&upgraded, &dtsx::to_string(&again)).unwrap(), None);
}

/// The new package, spelled as another format spells its classes.
fn respelled(version: &str, spellings: &[(&str, &str)]) -> String {
    let text = NEW.replace("PackageFormatVersion\">8<", &format!("PackageFormatVersion\">{version}<"));
    spellings.iter().fold(text, |text, (new, old)| {
        assert!(text.contains(&format!("\"{new}\"")) || text.contains(&format!(">{new}<")), "{new}");
        text.replace(&format!("\"{new}\""), &format!("\"{old}\"")).replace(&format!(">{new}<"), &format!(">{old}<"))
    })
}

#[test]
fn a_package_of_2012_becomes_a_new_one() {
    let token = "Version=11.0.0.0, Culture=neutral, PublicKeyToken=89845dcd8080cc91";
    let sql =
        format!("Microsoft.SqlServer.Dts.Tasks.ExecuteSQLTask.ExecuteSQLTask, Microsoft.SqlServer.SQLTask, {token}");
    let script = format!("Microsoft.SqlServer.Dts.Pipeline.ScriptComponentHost, Microsoft.SqlServer.TxScript, {token}");
    let text = respelled(
        "6",
        &[
            ("Microsoft.Package", "SSIS.Package.3"),
            ("Microsoft.Pipeline", "{5918251B-2970-45A4-AB5F-01C3C588FE5A}"),
            ("Microsoft.ExecuteSQLTask", &sql),
            ("Microsoft.FlatFileSource", "{d23fd76b-f51d-420f-bbcb-19cbf6ac1ab4}"),
            ("Microsoft.DerivedColumn", "DTSTransform.DerivedColumn.3"),
            ("Microsoft.ManagedComponentHost", "{874F7595-FB5F-40FF-96AF-FBFF8250E3EF}"),
            ("Microsoft.ScriptComponentHost", &script),
            ("Microsoft.ForEachFileEnumerator", "DTS.ForEachFileEnumerator.3"),
            ("Microsoft.LogProviderTextFile", "DTS.LogProviderTextFile.3"),
        ],
    );
    let mut package = load(&text);
    assert_eq!(dtsx::difference(&text, &dtsx::to_string(&package)).unwrap(), None);
    dtsx::upgrade(&mut package);
    assert_eq!(dtsx::difference(NEW, &dtsx::to_string(&package)).unwrap(), None);
}

#[test]
fn a_package_made_in_code_can_be_saved_and_loaded() {
    let mut pipeline = Pipeline::default();
    let mut source = Component::new("Microsoft.FlatFileSource", "Read");
    source.connections.push(Connection::new("FlatFileConnection", "Package.ConnectionManagers[In]"));
    let mut output = Output::new("Rows");
    output.columns.push(OutputColumn::new("Name", "wstr", 50));
    source.outputs.push(output);
    let lineage = pipeline.add("Package\\Flow", source).outputs[0].columns[0].lineage_id().to_owned();
    let mut target = Component::new("Microsoft.DataReaderDestinationAdapter", "Give");
    let mut input = Input::new("In");
    input.columns.push(InputColumn::new("Name", &lineage));
    target.inputs.push(input);
    target.set_value("ReadTimeout", "System.Int32", "30000");
    pipeline.add("Package\\Flow", target);
    let ends = ["Package\\Flow\\Read.Outputs[Rows]", "Package\\Flow\\Give.Inputs[In]"];
    pipeline.paths.push(Path::new("Rows", ends[0], ends[1]));

    let mut package = Package::new("Made");
    let columns = vec![FlatFileColumn::delimited("Name", 130, 50, "\r\n")];
    package.root.connection_managers.push(ConnectionManager::flat_file("In", "in.csv", columns));
    package.root.parameters.push(Parameter::new("Folder", 8, "/data"));
    package.root.executables.push(Executable::data_flow("Flow", pipeline));
    let mut handler = Executable::event_handler("OnError");
    handler.executables.push(Executable::for_loop("Again", "@i = 0", "@i < 3", "@i = @i + 1"));
    package.root.event_handlers.push(handler);

    let again = load(&dtsx::to_string(&package));
    let root = &again.root;
    assert_eq!(root.connection_managers[0].ref_id(), "Package.ConnectionManagers[In]");
    assert_eq!(root.connection_managers[0].data().unwrap().columns[0].delimiter(), "\r\n");
    assert_eq!(root.parameters[0].value(), Some("/data"));
    assert_eq!(root.event_handlers[0].executables[0].sort(), Sort::ForLoop);
    assert_eq!(root.event_handlers[0].executables[0].ref_id(), "Package.EventHandlers[OnError]\\Again");
    assert!(again.walk().iter().all(|(_, executable)| executable.dtsid().len() == 38));
    let pipeline = root.executables[0].pipeline().unwrap();
    assert_eq!(pipeline.components[1].kind(), "Microsoft.DataReaderDestinationAdapter");
    let index = pipeline.index();
    assert_eq!(index.outputs[ends[0]].component, 0);
    assert_eq!(index.inputs[ends[1]].component, 1);
    let column = &pipeline.components[1].inputs[0].columns[0];
    assert_eq!(pipeline.output_column(index.lineages[column.lineage_id()]).unwrap().length(), 50);
}

#[test]
fn both_formats_mean_the_same() {
    for text in [NEW, OLD] {
        let package = load(text);
        let root = &package.root;
        assert_eq!((root.name(), root.sort(), root.kind()), ("Orders", Sort::Package, "Microsoft.Package"));
        assert_eq!((root.max_error_count(), root.locale_id(), root.enable_configurations()), (5, 1033, true));
        assert_eq!(root.expression("maxconcurrentexecutables"), Some("@[User::HasFolder] ? 4 : 1"));

        let file = root.connection_manager("{20000000-0000-0000-0000-000000000001}").unwrap();
        assert_eq!(file.kind(), "FLATFILE");
        assert_eq!(file.expressions[0].value(), "@[User::Folder] + \"\\\\in.csv\"");
        let data = file.data().unwrap();
        assert_eq!((data.format(), data.code_page(), data.header_rows_to_skip()), ("Delimited", 1252, 2));
        assert!(data.column_names_in_first_data_row());
        assert_eq!(data.decoded("TextQualifier").as_deref(), Some("\""));
        let columns: Vec<_> =
            data.columns.iter().map(|c| (c.name(), c.data_type(), c.maximum_width(), c.delimiter())).collect();
        assert_eq!(columns, [("Id", 3, 0, ",".to_owned()), ("Name", 129, 50, "\r\n".to_owned())]);
        assert!(data.columns[0].text_qualified());
        let mail = root.connection_manager("Mail").unwrap();
        assert!(mail.connection_string().starts_with("SmtpServer=mail.example.com;"));
        assert_eq!(root.connection_manager("Ftp").unwrap().data().unwrap().secret("Password"), None::<Secret>);

        let variables: Vec<_> =
            root.variables.iter().map(|v| (v.qualified_name(), v.data_type(), v.value_text().to_owned())).collect();
        let expected = [("User::Folder", 8, "C:\\data"), ("User::HasFolder", 11, "-1"), ("User::Blank", 8, " ")];
        assert_eq!(variables, expected.map(|(name, t, value)| (name.to_owned(), t, value.to_owned())));
        assert!(root.variable("User::HasFolder").unwrap().evaluate_as_expression());

        let configuration = &root.configurations[0];
        assert_eq!((configuration.configuration_type(), configuration.configuration_string()), (2, "ORDERS_FOLDER"));
        assert_eq!(root.log_providers[0].kind(), "Microsoft.LogProviderTextFile");
        let logging = root.logging.as_ref().unwrap();
        assert_eq!((logging.logging_mode(), logging.filter_kind()), (1, 0));
        assert_eq!(logging.events(), ["OnError", "OnWarning"]);
        let filter = [("Computer".to_owned(), true), ("DataBytes".to_owned(), false)];
        assert_eq!(logging.column_filter("OnError").as_deref(), Some(&filter[..]));
        assert_eq!(logging.providers[0].instance_id(), root.log_providers[0].dtsid());

        let each = &root.executables[0];
        assert_eq!(each.sort(), Sort::ForEachLoop);
        let enumerator = each.enumerator.as_ref().unwrap();
        assert_eq!(enumerator.kind(), "Microsoft.ForEachFileEnumerator");
        let folder = enumerator.data().unwrap().elements().find_map(|property| property.attr("Folder"));
        assert_eq!(folder, Some("C:\\data"));
        assert_eq!(each.variable_mappings[0].variable_name(), "User::Folder");
        let constraint = &each.precedence_constraints[0];
        assert_eq!((constraint.value(), constraint.eval_op(), constraint.logical_and()), (2, 3, true));
        let ends = [constraint.from(), constraint.to()].map(|end| package.object_path(&package.resolve(end).unwrap()));
        assert_eq!(ends, ["\\Package\\Each file\\Load", "\\Package\\Each file\\Count"]);

        let count = &each.executables[1];
        assert_eq!((count.kind(), count.disabled()), ("Microsoft.ExecuteSQLTask", true));
        assert_eq!(count.task_data().unwrap().attr("SqlStatementSource"), Some("SELECT 1\nFROM t\tWHERE a < 2"));
        let handler = &root.event_handlers[0];
        assert_eq!((handler.sort(), handler.event_name()), (Sort::EventHandler, "OnError"));
        assert_eq!(handler.executables[0].kind(), "Acme.Tasks.Beep, Acme.Tasks, Version=1.0.0.0");
        data_flow(&each.executables[0]);
    }
}

fn data_flow(task: &Executable) {
    assert!(task.delay_validation());
    let pipeline = task.pipeline().unwrap();
    let kinds: Vec<_> = pipeline.components.iter().map(|component| component.kind()).collect();
    assert_eq!(kinds, ["Microsoft.FlatFileSource", "Microsoft.DerivedColumn", "Microsoft.ScriptComponentHost"]);
    let index = pipeline.index();
    let path = &pipeline.paths[0];
    assert_eq!(index.outputs[path.start_id()].component, 0);
    assert_eq!(index.inputs[path.end_id()].component, 1);
    let output = &pipeline.components[0].outputs[0];
    assert!(output.synchronous_input().is_none() && pipeline.components[0].outputs[1].is_error_output());
    assert!(output.external.as_ref().unwrap().is_used());
    let name = &output.columns[1];
    assert_eq!((name.data_type(), name.length(), name.code_page()), ("str", 50, 1252));
    assert_eq!(name.error_disposition(), Disposition::RedirectRow);
    assert_eq!(name.truncation_disposition(), Disposition::IgnoreFailure);
    assert_eq!(
        output.external_columns()[index.output_externals[name.external_column_id().unwrap()].column].name(),
        "Name"
    );
    let input = &pipeline.components[1].inputs[0].columns[0];
    assert_eq!(input.usage(), Usage::ReadWrite);
    assert_eq!(pipeline.output_column(index.lineages[input.lineage_id()]).unwrap().name(), "Name");
    assert!(input.custom("expression").unwrap().contains_id());
    let code = pipeline.components[2].custom("SourceCode").unwrap().array().unwrap();
    assert_eq!(code, ["main.cs", "a < b && c > d;\n"]);
}

#[test]
fn unknown_parts_and_edits_live_together() {
    let mut package = load(NEW);
    package.root.executables[0].executables.push(Executable::new("STOCK:SEQUENCE", "More"));
    package.root.executables[0].executables[1].set_disabled(false);
    package.root.executables.push(Executable::sequence("Last"));
    package.root.variables.remove(0);
    package.root.log_providers.clear();
    let text = dtsx::to_string(&package);
    let again = load(&text);
    assert_eq!(again.walk().len(), load(NEW).walk().len() + 2);
    assert_eq!(again.root.variables.len(), 2);
    assert_eq!(again.root.executables[0].executables[2].ref_id(), "Package\\Each file\\More");
    assert!(!again.root.executables[1].dtsid().is_empty());
    let unknown: Vec<_> =
        again.root.unknown_parts().into_iter().filter_map(|node| node.as_element()).map(|e| e.name.local()).collect();
    assert_eq!(unknown, ["Unheard", "DesignTimeProperties"]);
    assert_eq!(again.prolog.len(), 1);
}

#[test]
fn places_lead_back_into_the_file() {
    let package = load(NEW);
    let source = &package.origin.as_ref().unwrap().source;
    let task = &package.root.executables[0].executables[1];
    assert!(source.slice(task.span()).starts_with("<DTS:Executable"));
    assert_eq!(source.slice(task.property_span("ObjectName")), "Count");
    let (line, column) = package.line_column(task.property_span("ObjectName")).unwrap();
    assert_eq!(source.text.lines().nth(line - 1).unwrap().trim(), "DTS:ObjectName=\"Count\"");
    assert_eq!(column, "          DTS:ObjectName=\"".len() + 1);
}

#[test]
fn faults_say_what_and_where() {
    let table = [
        ("PackageFormatVersion\">8", "PackageFormatVersion\">9", "DTS_E_INVALIDVERSIONNUMBER", 0xC001_700A, None),
        ("PackageFormatVersion\">8", "PackageFormatVersion\">new", "DTS_E_INVALIDVERSIONNUMBER", 0xC001_700A, None),
        (
            "DTS:EvalOp=\"3\"",
            "DTS:EvalOp=\"both\"",
            "DTS_E_PERSISTENCEERROR",
            0xC001_0018,
            Some("\\Package\\Each file"),
        ),
        (
            "DTS:Disabled=\"True\"",
            "DTS:Disabled=\"so\"",
            "DTS_E_PERSISTENCEERROR",
            0xC001_0018,
            Some("\\Package\\Each file\\Count"),
        ),
        ("length=\"50\"", "length=\"long\"", "DTS_E_PERSISTENCEERROR", 0xC001_0018, Some("\\Package\\Each file\\Load")),
        (
            "DTS:ObjectName=\"HasFolder\"",
            "DTS:ObjectName=\"Folder\"",
            "DTS_E_NAMEALREADYADDED",
            0xC001_4100,
            Some("\\Package"),
        ),
        ("<DTS:Executable xmlns", "<DTS:Package xmlns", "DTS_E_LOADPACKAGEXML", 0xC001_1003, None),
    ];
    for (from, to, name, code, object) in table {
        let text = NEW.replacen(from, to, 1);
        let error = dtsx::load_str(&text, &LoadOptions::default()).unwrap_err();
        assert_eq!((error.name, error.code, error.object.as_deref()), (name, code, object), "{error}");
        assert!(error.line > 1, "{error}");
    }
    let encrypted =
        r#"<EncryptedData Type="http://www.w3.org/2001/04/xmlenc#Element" xmlns="http://www.w3.org/2001/04/xmlenc#"/>"#;
    let error = dtsx::load_str(encrypted, &LoadOptions::default()).unwrap_err();
    assert_eq!((error.name, error.code), ("DTS_E_PACKAGEUNPROTECT", 0xC001_4036));
    let error = dtsx::load_str("<html/>", &LoadOptions::default()).unwrap_err();
    assert_eq!((error.name, error.code), ("DTS_E_FUNDAMENTALLOADINGERROR", 0xC001_1007));
    let error = dtsx::load(std::path::Path::new("/nowhere/at.dtsx"), &LoadOptions::default()).unwrap_err();
    assert_eq!((error.name, error.code), ("DTS_E_OPENPACKAGEFILE", 0xC001_1002));
    let small = LoadOptions { max_bytes: 100, ..LoadOptions::default() };
    assert!(dtsx::load_str(NEW, &small).unwrap_err().message.contains("limit"));
}
