use crate::tasks::kit::Single;
use dtsx_engine::control::plan::LoggingMode;
use dtsx_engine::types::Value;
use dtsx_engine::variables::VariableType;

/// A task that fails, in a package that logs errors.
fn failing() -> Single {
    Single::new("Microsoft.FileSystemTask", "FileSystemData", &[("TaskOperationType", "DeleteFile")])
}

fn utf16(bytes: &[u8]) -> String {
    let units: Vec<u16> = bytes.chunks_exact(2).map(|b| u16::from_le_bytes([b[0], b[1]])).collect();
    String::from_utf16(&units).unwrap()
}

const EVENTS: &[&str] = &["OnError", "OnPreValidate"];

#[test]
fn a_text_log_has_a_line_an_entry_and_is_continued() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.txt");
    for _ in 0..2 {
        let run = failing()
            .connection("Log.txt", "FILE", &path.display().to_string(), "1")
            .log("Microsoft.LogProviderTextFile", "Log.txt", EVENTS)
            .run(|request| {
                request.machine = "BOX".into();
                request.user = "D\\me".into();
            });
        assert!(!run.succeeded());
    }
    let bytes = std::fs::read(&path).unwrap();
    assert_eq!(bytes[..2], [0xFF, 0xFE]);
    let text = utf16(&bytes[2..]);
    let lines: Vec<&str> = text.split("\r\n").collect();
    assert!(lines[0].starts_with("#Fields: event,computer,operator,source,"), "{text}");
    assert_eq!(text.matches("#Fields").count(), 1);
    let errors: Vec<Vec<&str>> =
        lines.iter().filter(|l| l.starts_with("OnError,")).map(|l| l.splitn(11, ',').collect()).collect();
    // Twice each: at the task and at the package.
    let sources: Vec<&str> = errors.iter().map(|e| e[3]).collect();
    assert_eq!(sources.iter().filter(|s| **s == "Task").count(), sources.iter().filter(|s| **s == "Package").count());
    assert_eq!((errors[0][1], errors[0][2], errors[0][9]), ("BOX", "D\\me", "0x"));
    assert_eq!(errors[0][6], errors[0][7]);
    assert!(errors[0][6].ends_with("AM") || errors[0][6].ends_with("PM"), "{}", errors[0][6]);
    assert!(errors[0][8].starts_with('-'), "{}", errors[0][8]);
    assert!(text.contains("\r\n\r\nOn"), "messages of errors end with a line break: {text}");
    assert_eq!(text.matches("OnPreValidate,").count(), 4);
}

#[test]
fn an_xml_log_has_an_element_an_execution() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.xml");
    for _ in 0..3 {
        failing()
            .connection("Log <&>", "FILE", &path.display().to_string(), "1")
            .log("Microsoft.LogProviderXMLFile", "Log <&>", EVENTS)
            .run(|_| {});
    }
    let text = utf16(&std::fs::read(&path).unwrap()[2..]);
    let document = roxmltree::Document::parse(&text).unwrap();
    let logs: Vec<_> = document.root_element().children().filter(|n| n.has_tag_name("dtslog")).collect();
    assert_eq!(logs.len(), 3);
    for log in logs {
        let events: Vec<_> = log.descendants().filter(|n| n.has_tag_name("event")).filter_map(|n| n.text()).collect();
        assert!(events.contains(&"OnError") && events.contains(&"OnPreValidate"), "{events:?}");
    }
    std::fs::write(&path, "something else").unwrap();
    let run = failing()
        .connection("Log", "FILE", &path.display().to_string(), "1")
        .log("Microsoft.LogProviderXMLFile", "Log", EVENTS)
        .run(|_| {});
    assert_eq!(run.codes("OnWarning"), ["0xC001404B"]);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "something else");
}

#[test]
fn a_table_takes_a_row_an_entry() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.db");
    for _ in 0..2 {
        failing()
            .connection("Db", "OLEDB", &format!("sqlite:{}", path.display()), "0")
            .log("Microsoft.LogProviderSQLServer", "Db", EVENTS)
            .run(|_| {});
    }
    let db = rusqlite::Connection::open(&path).unwrap();
    let count = |sql: &str| db.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(count("select count(distinct executionid) from sysssislog"), 2);
    assert_eq!(count("select count(*) from sysssislog where event = 'OnPreValidate' and message = ''"), 4);
    assert!(count("select count(*) from sysssislog where event = 'OnError' and datacode < 0 and source = 'Task'") >= 2);
    assert_eq!(count("select count(*) from sysssislog where starttime <> endtime"), 0);
}

#[test]
fn containers_say_what_they_log() {
    let folder = tempfile::tempdir().unwrap();
    let log = |change: &dyn Fn(Single) -> Single| {
        let path = folder.path().join(format!("{}.txt", folder.path().read_dir().unwrap().count()));
        let single = failing().connection("Log", "FILE", &path.display().to_string(), "1");
        change(single.log("Microsoft.LogProviderTextFile", "Log", EVENTS)).run(|_| {});
        let rows = std::fs::read(&path).map(|bytes| utf16(&bytes[2..])).unwrap_or_default();
        let rows = rows.lines().filter(|l| l.contains(",0x,"));
        rows.map(|l| l.split(',').take(4).collect::<Vec<_>>()).map(|f| format!("{}@{}", f[0], f[3])).collect::<Vec<_>>()
    };
    let all = log(&|s| s);
    assert!(all.contains(&"OnError@Task".into()) && all.contains(&"OnError@Package".into()), "{all:?}");
    let task_off = log(&|s| s.logging(1, |l| l.mode = LoggingMode::Disabled));
    assert!(!task_off.contains(&"OnError@Task".into()) && task_off.contains(&"OnError@Package".into()));
    let package_off = log(&|s| s.logging(0, |l| l.mode = LoggingMode::Disabled));
    assert_eq!(package_off, Vec::<String>::new());
    let all_but_errors = log(&|s| {
        s.logging(0, |l| {
            l.exclude = true;
            l.events = vec!["OnError".into()];
        })
    });
    assert!(!all_but_errors.iter().any(|e| e.starts_with("OnError")), "{all_but_errors:?}");
    assert!(all_but_errors.contains(&"OnPreValidate@Task".into()));
    let no_source = log(&|s| s.logging(0, |l| l.hidden_columns = vec![("OnError".into(), vec!["SourceName".into()])]));
    assert!(no_source.contains(&"OnError@".into()), "{no_source:?}");
}

#[test]
fn a_package_runs_without_a_log_that_cannot_be_written_and_says_so() {
    for (connection, kind, path, code) in [
        ("Log", "FILE", "/nowhere/at/all/log.txt", "0xC001404B"),
        ("Log", "FLATFILE", "x", "0xC002410A"),
        ("Other", "FILE", "x", "0xC001000E"),
    ] {
        let run = Single::new("Microsoft.ExpressionTask", "ExpressionTask", &[("Expression", "@[User::n] = 1")])
            .variable("n", VariableType::Int32, Value::I4(0))
            .connection(connection, kind, path, "1")
            .log("Microsoft.LogProviderTextFile", "Log", EVENTS)
            .run(|_| {});
        assert!(run.succeeded(), "{code}: {:?}", run.texts("OnError"));
        assert_eq!(run.value("n"), Value::I4(1));
        assert!(run.codes("OnWarning").contains(&code.to_owned()), "{code}: {:?}", run.texts("OnWarning"));
    }
}
