//! `dtsx`: arguments to exit code and output.

mod common;

use common::{Ran, package, ran};

fn dtsx(arguments: &[&str]) -> Ran {
    ran(env!("CARGO_BIN_EXE_dtsx"), arguments)
}

#[test]
fn usage_errors_are_6() {
    for arguments in [
        &[][..],
        &["fly"],
        &["run"],
        &["run", "a.dtsx", "--set", "nothing"],
        &["run", "a.dtsx", "--memory", "lots"],
        &["run", "a.dtsx", "--tap", "x"],
        &["read", "a.dtsx"],
        &["check"],
    ] {
        let ran = dtsx(arguments);
        assert_eq!(ran.code, 6, "{arguments:?}\n{}", ran.stderr);
        assert_eq!(ran.stdout, "", "{arguments:?}");
    }
}

#[test]
fn help_and_version_are_0() {
    for arguments in [&["--help"][..], &["run", "--help"], &["--version"]] {
        let ran = dtsx(arguments);
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{arguments:?}");
    }
    assert!(dtsx(&["run", "--help"]).stdout.contains("--dump-variables"));
}

#[test]
fn a_missing_package_is_4() {
    for command in ["run", "check", "explain"] {
        let ran = dtsx(&[command, "no/such.dtsx"]);
        assert_eq!(ran.code, 4, "{command}");
        assert!(format!("{}{}", ran.stdout, ran.stderr).contains("no/such.dtsx"), "{command}");
    }
    assert_eq!(dtsx(&["read", "no/such.dtsx", "Rows"]).code, 4);
    assert_eq!(dtsx(&["save", "no/such.dtsx", "b.dtsx"]).code, 4);
}

#[test]
fn what_is_no_package_is_5_and_shown_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("broken.dtsx");
    std::fs::write(
        &path,
        "<?xml version=\"1.0\"?>\n<DTS:Executable xmlns:DTS=\"www.microsoft.com/SqlServer/Dts\">\n  <oops\n",
    )
    .unwrap();
    let path = path.to_str().unwrap();
    for command in ["run", "explain"] {
        let ran = dtsx(&[command, path]);
        assert_eq!(ran.code, 5, "{command}\n{}", ran.stderr);
        assert!(
            ran.stderr.contains("DTS_E_LOADPACKAGEXMLFILE") && ran.stderr.contains("broken.dtsx:"),
            "{}",
            ran.stderr
        );
    }
    let ran = dtsx(&["check", path]);
    assert_eq!(ran.code, 5);
    assert!(ran.stdout.contains("cannot be loaded") && ran.stdout.contains("<oops"), "{}", ran.stdout);
    let ran = dtsx(&["check", path, "--format", "json"]);
    assert_eq!(ran.code, 5);
    assert!(
        ran.stdout.contains("\"loaded\":false") && ran.stdout.contains("\"code\":\"0xC0011004\""),
        "{}",
        ran.stdout
    );
}

#[test]
fn save_keeps_the_format_or_upgrades() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out.dtsx");
    let out = out.to_str().unwrap();
    let format = |path: &str| {
        let json = dtsx(&["check", path, "--format", "json"]).stdout;
        let at = json.find("\"format_version\":").unwrap() + "\"format_version\":".len();
        json[at..].split(',').next().unwrap().to_owned()
    };
    for (name, version) in [("derive_and_split_2005.dtsx", "2"), ("derive_and_split_2016.dtsx", "8")] {
        assert_eq!(dtsx(&["save", &package(name), out]).code, 0, "{name}");
        assert_eq!(format(out), version, "{name}");
    }
    assert_eq!(dtsx(&["save", &package("derive_and_split_2005.dtsx"), out, "--format-version", "8"]).code, 0);
    assert_eq!(format(out), "8");
    let ran = dtsx(&["save", &package("derive_and_split_2005.dtsx"), out, "--format-version", "7"]);
    assert_eq!(ran.code, 6);
    assert!(ran.stderr.contains("not in 7"), "{}", ran.stderr);
}

/// The package with loops and constraints, without the data flow in it.
const WITHOUT_FLOW: [&str; 2] = ["--set", r"\Package\Report\Write.Properties[Disable]=True"];

#[test]
fn a_run_shows_lines_and_dumps_variables() {
    let folder = tempfile::tempdir().unwrap();
    let variables = folder.path().join("variables.json");
    let path = package("containers_2016.dtsx");
    let ran = dtsx(&["run", &path, WITHOUT_FLOW[0], WITHOUT_FLOW[1], "--dump-variables", variables.to_str().unwrap()]);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, ""), "{}", ran.stderr);
    for line in [r"start   \Package\Report\Say", r"done    \Package\One to five in ", "success in "] {
        assert!(ran.stderr.contains(line), "no {line:?} in\n{}", ran.stderr);
    }
    let text = std::fs::read_to_string(variables).unwrap();
    assert_eq!(text, "{\"User::I\":6,\"User::Sum\":15,\"User::Text\":\"sum=15 half=7\"}\n");
}

#[test]
fn events_are_json_lines() {
    let ran = dtsx(&["run", &package("containers_2016.dtsx"), WITHOUT_FLOW[0], WITHOUT_FLOW[1], "--format", "json"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    let lines: Vec<&str> = ran.stdout.lines().collect();
    assert!(lines.iter().all(|line| line.starts_with("{\"event\":\"") && line.ends_with('}')), "{}", ran.stdout);
    let adds = lines.iter().filter(|l| l.contains("OnPreExecute") && l.contains(r"One to five\\Add")).count();
    assert_eq!(adds, 5, "one for each iteration");
    assert!(lines.last().unwrap().contains("\"result\":\"success\",\"exit_code\":0"), "{}", lines.last().unwrap());
}

#[test]
fn settings_that_fit_nothing_are_6() {
    let path = package("containers_2016.dtsx");
    for (option, value, message) in [
        ("--set", r"\Package\Nowhere.Properties[Disable]=True", r"\Package\Nowhere"),
        ("--connect", "Nowhere=x", "Nowhere"),
        ("--param", "$Package::Nowhere=x", "Nowhere"),
        ("--tap", r"\Package\Nowhere;Paths[a.b]=/tmp/never", r"no data flow task \Package\Nowhere"),
        ("--tap", r"\Package\Report\Write;Paths[a.b]=/tmp/never", "has no path Paths[a.b]"),
    ] {
        let ran = dtsx(&["run", &path, option, value]);
        assert_eq!(ran.code, 6, "{option} {value}\n{}", ran.stderr);
        assert!(ran.stderr.contains(message), "{option} {value}\n{}", ran.stderr);
    }
    let ran = dtsx(&["read", &path, "Nowhere"]);
    assert_eq!(ran.code, 6, "{}", ran.stderr);
}

#[test]
fn expressions_have_a_type_and_a_value() {
    for (arguments, expected) in [
        (&["UPPER(\"a\") + (DT_WSTR,4)7"][..], "type   DT_WSTR(5)\nvalue  \"A7\"\n"),
        (&["-3 + @[User::A]", "--var", "User::A:Int32=-1"], "type   DT_I4\nvalue  -4\n"),
        (&["@A + \"\\n\"", "--var", "User::A=b=c"], "type   DT_WSTR(4)\nvalue  \"b=c\\n\"\n"),
        (&["Price * 2", "--column", "Price:DT_NUMERIC(10,2)=19.90"], "type   DT_NUMERIC(21,2)\nvalue  39.80\n"),
        (&["@[User::x]", "--var", "x=a\u{a0}\u{7}"], "type   DT_WSTR(3)\nvalue  \"a\\x00A0\\a\"\n"),
        (&["@I = @I + 1", "--var", "I:Int32=5"], "sets   User::I (Int32)\ntype   DT_I4\nvalue  6\n"),
        (
            &["@I = 1L", "--var", "I:Int32=5", "--format", "json"],
            "{\"variable\":\"User::I\",\"variable_type\":\"Int32\",\"expression_type\":\"DT_I8\",\"type\":\"DT_I4\",\"value\":\"1\",\"warnings\":[]}\n",
        ),
        (
            &["@I = 1L", "--var", "I:Int32=5"],
            "sets   User::I (Int32)\ntype   DT_I4, of an expression of DT_I8\nvalue  1\n",
        ),
        (&["Price", "--column", "[Source].[Price]:i4=1"], "type   DT_I4\nvalue  1\n"),
        (
            &[
                "[Src].[c] + #{P\\T\\S.Outputs[O].Columns[C]}",
                "--column",
                "[Src].[c]:i4=5",
                "--column",
                "#{P\\T\\S.Outputs[O].Columns[C]}:DT_I4=1",
            ],
            "type   DT_I4\nvalue  6\n",
        ),
        (&["[My Name]", "--column", "[My Name]:DT_STR(20,1252)"], "type   DT_WSTR(20)\nvalue  NULL\n"),
        (&["YEAR((DT_DATE)\"31.12.2024\")", "--locale", "1031"], "type   DT_I4\nvalue  2024\n"),
        (
            &["(DT_NUMERIC,5,2)1", "--format", "json"],
            "{\"type\":\"DT_NUMERIC\",\"precision\":5,\"scale\":2,\"value\":\"1.00\",\"warnings\":[]}\n",
        ),
    ] {
        let ran = dtsx(&[&["eval"], arguments].concat());
        assert_eq!((ran.code, ran.stderr.as_str(), ran.stdout.as_str()), (0, "", expected), "{arguments:?}");
    }
}

#[test]
fn a_wrong_expression_is_1_and_shown_with_its_place() {
    let ran = dtsx(&["eval", "1 +\n  LEN(i)", "--column", "i:DT_I4=4"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (1, ""));
    for part in ["0xC0047089 DTS_E_EXPREVALPARAMTYPEMISMATCH", "expression:2:7", "LEN(i)", "expected: LEN(text)"] {
        assert!(ran.stderr.contains(part), "no {part:?} in\n{}", ran.stderr);
    }
    let ran = dtsx(&["eval", "1 / @N", "--var", "N:Int32=0", "--format", "json"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (1, ""));
    for part in ["\"code\":\"0xC004707B\"", "\"line\":1,\"column\":1,\"text\":\"1 / @N\""] {
        assert!(ran.stdout.contains(part), "no {part:?} in\n{}", ran.stdout);
    }
    let ran = dtsx(&["eval", "(DT_WSTR,2)\"abc\""]);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "type   DT_WSTR(2)\nvalue  \"ab\"\n"));
    assert!(ran.stderr.contains("DTS_W_STATICTRUNCATIONINEXPRESSION"), "{}", ran.stderr);
    let ran = dtsx(&["eval", "(DT_WSTR,2)\"abc\"", "--format", "json"]);
    assert!(ran.stdout.contains("\"symbol\":\"DTS_W_STATICTRUNCATIONINEXPRESSION\",\"message\":\""), "{}", ran.stdout);
    for (option, value, said) in [
        ("--var", ":Int32=5", "expected a name"),
        ("--locale", "9999", "no locale is known by the LCID 9999"),
        ("--column", "c:foo=x", "\"foo\" is no type; there are DT_I2, "),
        ("--column", "c:DT_WSTR=x", "DT_WSTR(length)"),
        ("--column", "c:DT_NUMERIC(10,2)=19.909", "\"19.909\" does not fit in DT_NUMERIC(10,2)"),
        ("--column", "c:DT_I4=NULL", "for NULL leave out the = and the value"),
    ] {
        let ran = dtsx(&["eval", "1", option, value]);
        assert_eq!(ran.code, 6, "{value}");
        assert!(ran.stderr.contains(said), "{value}\n{}", ran.stderr);
    }
    for arguments in [
        &["eval"][..],
        &["eval", "x", "--var", "x=1", "--var", "User::x=1"],
        &["eval", "x", "--column", "x:i4", "--column", "X:i4"],
        &["eval", "x", "--var", "x"],
        &["eval", "x", "--var", "x:Int32=y"],
        &["eval", "x", "--column", "x=1"],
        &["eval", "x", "--column", "x:DT_WSTR(2)=abc"],
    ] {
        assert_eq!(dtsx(arguments).code, 6, "{arguments:?}");
    }
}

#[test]
fn functions_are_explained() {
    let ran = dtsx(&["functions", "left"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    assert!(ran.stdout.starts_with("LEFT(text, length)\n    The first characters of a text"), "{}", ran.stdout);
    assert!(ran.stdout.contains("  ->  error 0xC00470E7\n"), "{}", ran.stdout);
    let ran = dtsx(&["functions", "--format", "json"]);
    assert_eq!((ran.code, ran.stdout.lines().count()), (0, 39));
    assert!(ran.stdout.lines().all(|line| line.starts_with("{\"name\":\"") && line.ends_with('}')));
    for part in [
        "    length: an integer\n",
        "    result: DT_WSTR(length, if constant; else that of text)\n",
        "->  DT_WSTR(8)  Mount",
    ] {
        assert!(dtsx(&["functions", "left"]).stdout.contains(part), "no {part:?}");
    }
    let json = dtsx(&["functions", "dateadd", "--format", "json"]).stdout;
    for part in [
        r#""arguments":[{"name":"part","type":"a text literal"},{"name":"number","type":"an integer"},"#,
        r#""result_type":"DT_DBTIMESTAMP""#,
        r#""volatile":false"#,
        r#""type":"DT_DBTIMESTAMP"}"#,
    ] {
        assert!(json.contains(part), "no {part:?} in\n{json}");
    }
    for (name, said) in [
        ("coalesce", "there is no function \"coalesce\"; there are ABS, CEILING,"),
        ("SUBSTR", "there is no function \"SUBSTR\"; did you mean SUBSTRING?"),
        ("", "there is no function \"\"; there are ABS"),
    ] {
        let ran = dtsx(&["functions", name]);
        assert_eq!(ran.code, 6, "{name}");
        assert!(ran.stderr.contains(said), "{}", ran.stderr);
    }
    for command in ["eval", "functions", "check", "connections"] {
        assert!(!dtsx(&[command, "--help"]).stdout.contains("Live on a terminal"), "{command}");
    }
}

#[cfg(unix)]
#[test]
fn an_interrupt_cancels() {
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};
    let endless = r"\Package\One to five.Properties[EvalExpression]=true";
    let mut child = Command::new(env!("CARGO_BIN_EXE_dtsx"))
        .args(["run", &package("containers_2016.dtsx"), "--set", endless])
        .args(WITHOUT_FLOW)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.contains("done")), "it runs");
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
    assert!(lines.any(|line| line.contains("cancelled in")), "it says so");
    assert_eq!(child.wait().unwrap().code(), Some(3));
}
