use super::*;

fn parsed(arguments: &[&str]) -> Result<Plain, String> {
    let files = |path: &Path| match path.to_str() {
        Some("more.txt") => Ok("/Set \"\\Package.Variables[User::B].Value;two words\"\n/Su".to_owned()),
        Some("self.txt") => Ok("/Com self.txt".to_owned()),
        _ => Err(std::io::ErrorKind::NotFound.into()),
    };
    parse(arguments.iter().map(|a| (*a).to_owned()), &files)
}

fn settings(arguments: &[&str]) -> Vec<Setting> {
    parsed(arguments).unwrap().settings
}

fn property(path: &str, value: &str) -> Setting {
    Setting::Property(path.to_owned(), value.to_owned())
}

#[test]
fn every_abbreviation_names_one_option() {
    for option in table() {
        for length in option.minimum..=option.name.len() {
            let word = format!("/{}", option.name[..length].to_ascii_uppercase());
            let found = find(&word).map(|o| o.name);
            assert_eq!(found, Some(option.name), "{word}");
        }
        if option.minimum > 1 {
            let short = &option.name[..option.minimum - 1];
            assert_ne!(find(&format!("-{short}")).map(|o| o.name), Some(option.name), "-{short} is too short");
        }
        assert!(option.doc.ends_with('.'), "{}", option.name);
    }
}

#[test]
fn words_that_are_no_options() {
    for word in ["/", "-", "/C", "/Con", "/Verify", "/tmp/x", "File", "/Filee", "/FileX", ""] {
        assert!(find(word).is_none(), "{word}");
    }
    assert_eq!(find("/?").map(|o| o.name), Some("Help"));
}

#[test]
fn file() {
    for arguments in [["/F", "a.dtsx"], ["-file", "a.dtsx"], ["/FIL", "\"a.dtsx\""]] {
        assert_eq!(parsed(&arguments).unwrap().file.as_deref(), Some("a.dtsx"));
    }
    assert_eq!(parsed(&["/F", "/tmp/a.dtsx"]).unwrap().file.as_deref(), Some("/tmp/a.dtsx"));
    assert!(parsed(&["/F"]).unwrap_err().contains("needs a value"));
    assert!(parsed(&["/F", "/Va"]).unwrap_err().contains("needs a value"));
    assert!(parsed(&["/F", "a", "/F", "b"]).is_err());
}

#[test]
fn project_and_package() {
    let target = parsed(&["/Proj", "a.ispac", "/Pack", "b.dtsx"]).unwrap().resolve().unwrap();
    assert_eq!(target, Target { package: "b.dtsx".into(), project: Some("a.ispac".into()) });
    for arguments in [
        &[][..],
        &["/Proj", "a"],
        &["/Pack", "b"],
        &["/F", "c", "/Proj", "a", "/Pack", "b"],
        &["/F", "c", "/Pack", "b"],
    ] {
        assert!(parsed(arguments).unwrap().resolve().is_err(), "{arguments:?}");
    }
}

#[test]
fn decrypt() {
    assert_eq!(parsed(&["/De", "Pa;ss"]).unwrap().password.as_deref(), Some("Pa;ss"));
}

#[test]
fn connection() {
    let connection = |name: &str, string: &str| Setting::Connection(name.to_owned(), string.to_owned());
    for (value, expected) in [
        ("A;Data Source=x", vec![connection("A", "Data Source=x")]),
        ("A;Data Source=x;Initial Catalog=y;", vec![connection("A", "Data Source=x;Initial Catalog=y;")]),
        (
            "A;Data Source=x;Initial Catalog=y;B;/tmp/b.csv",
            vec![connection("A", "Data Source=x;Initial Catalog=y"), connection("B", "/tmp/b.csv")],
        ),
        (
            "\"A;1\";\"Data Source=x;P=\"\"q\"\"\";\"B\";\"c\"",
            vec![connection("A;1", "Data Source=x;P=\"q\""), connection("B", "c")],
        ),
        ("{11111111-2222-3333-4444-555555555555};x", vec![connection("{11111111-2222-3333-4444-555555555555}", "x")]),
    ] {
        assert_eq!(settings(&["/Conn", value]), expected, "{value}");
    }
    for value in ["A", ";x", "A;x;B"] {
        assert!(parsed(&["/Conn", value]).is_err(), "{value}");
    }
}

#[test]
fn set() {
    let path = r"\Package.Variables[User::A].Value";
    for (value, expected) in [
        (format!("{path};x;y"), "x;y"),
        (format!("\"{path};x y\""), "x y"),
        (format!("{path};\"x;y\""), "x;y"),
        (format!("\"{path}\";\"x;y\""), "x;y"),
        (format!("{path};"), ""),
    ] {
        assert_eq!(settings(&["/Set", &value]), [property(path, expected)], "{value}");
    }
    assert_eq!(settings(&["/Set", r"\Package\a[b;c].Disable;1"]), [property(r"\Package\a[b;c].Disable", "1")]);
    assert!(parsed(&["/Set", path]).is_err());
    assert!(parsed(&["/Set", &format!("$Sensitive::{path};x")]).unwrap_err().contains("$Sensitive"));
}

#[test]
fn config_file_keeps_its_place() {
    assert_eq!(
        settings(&["/Set", "a;1", "/Conf", "c.dtsConfig", "/Set", "b;2"]),
        [property("a", "1"), Setting::Configuration("c.dtsConfig".to_owned()), property("b", "2")]
    );
}

#[test]
fn parameter() {
    let one = |name: &str, value: &str| vec![Setting::Parameter(name.to_owned(), value.to_owned())];
    assert_eq!(settings(&["/Par", "Name;x;y"]), one("$Package::Name", "x;y"));
    assert_eq!(settings(&["/Par", "$Project::N(Int32);5"]), one("$Project::N", "5"));
    assert_eq!(settings(&["/Par", "$package::Flag(Boolean);\"True\""]), one("$Package::Flag", "True"));
    for value in ["Name", "N(Int32);x", "N(Whatever);x", "$ServerOption::SYNCHRONIZED(Boolean);True", "$Odd::N;1"] {
        assert!(parsed(&["/Par", value]).is_err(), "{value}");
    }
}

#[test]
fn max_concurrent() {
    let path = r"\Package.Properties[MaxConcurrentExecutables]";
    assert_eq!(settings(&["/M", "4"]), [property(path, "4")]);
    assert_eq!(settings(&["/MaxC", "-1"]), [property(path, "-1")]);
    for value in ["-2", "many"] {
        assert!(parsed(&["/M", value]).is_err(), "{value}");
    }
}

#[test]
fn checkpoints() {
    assert_eq!(settings(&["/CheckF", "c.xml"]), [property(r"\Package.Properties[CheckpointFileName]", "c.xml")]);
    assert_eq!(settings(&["/CheckF", "/Va"]), [property(r"\Package.Properties[CheckpointFileName]", "")]);
    assert_eq!(settings(&["/CheckP", "OFF"]), [property(r"\Package.Properties[SaveCheckpoints]", "False")]);
    assert_eq!(settings(&["/Res", "deny"]), [property(r"\Package.Properties[CheckpointUsage]", "0")]);
    for arguments in [&["/CheckP"][..], &["/CheckP", "on"], &["/Res"], &["/Res", "ifPossible"]] {
        assert!(parsed(arguments).unwrap_err().contains("checkpoints are not supported"), "{arguments:?}");
    }
    assert!(parsed(&["/CheckP", "maybe"]).is_err());
}

#[test]
fn validate_and_warn_as_error() {
    let plain = parsed(&["/Va", "/W"]).unwrap();
    assert!(plain.validate && plain.warn_as_error);
}

#[test]
fn verify() {
    let plain = parsed(&["/VerifyB", "1;2;3", "/VerifyP", "11111111-2222-3333-4444-55555555555a"]).unwrap();
    assert_eq!(plain.verify_build, [1, 2, 3]);
    assert_eq!(plain.verify_package_id.as_deref(), Some("{11111111-2222-3333-4444-55555555555A}"));
    let plain = parsed(&["/VerifyV", "{11111111-2222-3333-4444-555555555555}"]).unwrap();
    assert_eq!(plain.verify_version_id.as_deref(), Some("{11111111-2222-3333-4444-555555555555}"));
    for arguments in [["/VerifyB", "x"], ["/VerifyB", "1;2;3;4"], ["/VerifyP", "abc"], ["/VerifyV", "{}"]] {
        assert!(parsed(&arguments).is_err(), "{arguments:?}");
    }
}

#[test]
fn reporting() {
    use dtsx::{Code, Event, EventKind, Message, Source};
    let event = |kind| Event { time: std::time::SystemTime::UNIX_EPOCH, source: Source::default(), kind };
    let message = || Message { code: Code(0), sub_component: String::new(), text: String::new() };
    let events = [
        event(EventKind::Error(message())),
        event(EventKind::Warning(message())),
        event(EventKind::Information(message())),
        event(EventKind::Custom { name: "Diagnostic".into(), text: String::new() }),
        event(EventKind::Custom { name: "PipelineComponentTime".into(), text: String::new() }),
        event(EventKind::Progress { description: String::new(), percent: 0, sub_component: String::new() }),
        event(EventKind::PreExecute),
    ];
    let shown =
        |reporting: Reporting| events.iter().map(|e| if reporting.shows(e) { 'x' } else { '.' }).collect::<String>();
    assert_eq!(shown(parsed(&[]).unwrap().reporting), "xx...x.");
    for (level, expected) in [
        ("N", "......."),
        ("V", "xxxxxx."),
        ("e", "x......"),
        ("EWCDI", "xxxxx.."),
        ("V;OnWarning;onprogress", "x.xxx.."),
    ] {
        assert_eq!(shown(parsed(&["/Rep", level]).unwrap().reporting), expected, "{level}");
    }
    for level in ["X", "EN", "VE", ""] {
        assert!(parsed(&["/Rep", level]).is_err(), "{level}");
    }
}

#[test]
fn command_file() {
    let plain = parsed(&["/Set", "a;1", "/Com", "more.txt", "/Set", "c;3"]).unwrap();
    assert!(plain.sum);
    assert_eq!(
        plain.settings,
        [property("a", "1"), property(r"\Package.Variables[User::B].Value", "two words"), property("c", "3")]
    );
    assert!(parsed(&["/Com", "absent.txt"]).unwrap_err().contains("absent.txt"));
    assert!(parsed(&["/Com", "self.txt"]).unwrap_err().contains("too many"));
}

#[test]
fn options_without_effect() {
    assert_eq!(parsed(&["/Rem", "some words", "/Ca", "Agent", "/X86"]).unwrap(), Plain::default());
}

#[test]
fn options_that_are_refused() {
    for (arguments, name) in [
        (&["/SQ", "x"][..], "SQL"),
        (&["/D", "x"], "Dts"),
        (&["/ISServer", "x"], "ISServer"),
        (&["/Ser", "x"], "Server"),
        (&["/U", "x"], "User"),
        (&["/P", "x"], "Password"),
        (&["/Env", "1"], "EnvReference"),
        (&["/Cons"], "ConsoleLog"),
        (&["/L", "x;y"], "Logger"),
        (&["/VLog"], "VLog"),
        (&["/Dump", "0xC0"], "Dump"),
        (&["/DumpOnError"], "DumpOnError"),
        (&["/VerifyS"], "VerifySigned"),
    ] {
        let error = parsed(arguments).unwrap_err();
        assert_eq!(error, format!("Option \"{name}\" is not supported by this build."), "{arguments:?}");
    }
}

#[test]
fn mistakes_are_named() {
    assert_eq!(parsed(&["/Foo"]).unwrap_err(), "Option \"Foo\" is not valid.");
    assert!(parsed(&["package.dtsx"]).unwrap_err().contains("no option"));
}

#[test]
fn help_lists_every_option_or_one() {
    assert_eq!(parsed(&["/?"]).unwrap().help.as_deref(), Some(""));
    assert_eq!(parsed(&["/H", "Set", "/nonsense"]).unwrap().help.as_deref(), Some("Set"));
    let all = help("");
    for option in table() {
        assert!(all.contains(option.doc), "{}", option.name);
    }
    let one = help("set");
    assert!(one.contains("/Set propertyPath;value") && !one.contains("/F[ile]"), "{one}");
}
