//! `dtexec`: arguments to exit code and output.

mod common;

use common::{Ran, package, ran};

fn dtexec(arguments: &[&str]) -> Ran {
    ran(env!("CARGO_BIN_EXE_dtexec"), arguments)
}

#[test]
fn wrong_command_lines_are_6() {
    for (arguments, message) in [
        (&[][..], "No package is named"),
        (&["package.dtsx"], "no option"),
        (&["/Foo"], "Option \"Foo\" is not valid."),
        (&["/F"], "needs a value"),
        (&["/SQ", "x"], "Option \"SQL\" is not supported"),
        (&["/ISServer", "x"], "Option \"ISServer\" is not supported"),
        (&["/F", "a.dtsx", "/CheckP", "on"], "checkpoints are not supported"),
        (&["/Com", "no/such.txt"], "no/such.txt"),
        (&["/Pack", "a.dtsx"], "/Package needs /Project"),
    ] {
        let ran = dtexec(arguments);
        assert_eq!(ran.code, 6, "{arguments:?}");
        assert!(ran.stderr.contains(message), "{arguments:?}\n{}", ran.stderr);
    }
}

#[test]
fn help_stops_everything_else() {
    let ran = dtexec(&["/F", "no/such.dtsx", "-?"]);
    assert_eq!(ran.code, 0);
    assert!(ran.stdout.contains("/Conn[ection] id_or_name;connection_string"), "{}", ran.stdout);
}

#[test]
fn a_missing_package_is_4_and_a_broken_one_5() {
    let ran = dtexec(&["/File", "no/such.dtsx"]);
    assert_eq!(ran.code, 4);
    assert!(ran.stdout.contains("Could not load package \"no/such.dtsx\""), "{}", ran.stdout);
    assert!(ran.stdout.contains("Elapsed:  "), "{}", ran.stdout);
    let ran = dtexec(&["-f", &package("designer.py")]);
    assert_eq!(ran.code, 5);
    assert!(ran.stdout.contains("because of error 0xC0011004."), "{}", ran.stdout);
}

#[test]
fn verification_keeps_another_package_from_running() {
    let path = package("derive_and_split_2016.dtsx");
    for arguments in [
        ["/VerifyB", "999"],
        ["/VerifyP", "{11111111-2222-3333-4444-555555555555}"],
        ["/VerifyV", "{11111111-2222-3333-4444-555555555555}"],
    ] {
        let ran = dtexec(&["/F", &path, arguments[0], arguments[1]]);
        assert_eq!(ran.code, 1, "{arguments:?}");
        assert!(ran.stdout.contains("is not the one to verify"), "{}", ran.stdout);
        assert!(ran.stdout.contains("DTSER_FAILURE (1)"), "{}", ran.stdout);
    }
}

#[test]
fn a_run_is_reported_as_dtexec_does() {
    let path = package("containers_2016.dtsx");
    let without_flow = r"\Package\Report\Write.Properties[Disable];True";
    let ran = dtexec(&["/F", &path, "/Set", without_flow, "/Set", "\\Package.Variables[User::Sum].Value;\"0\""]);
    assert_eq!(ran.code, 0, "{}", ran.stdout);
    let lines: Vec<&str> = ran.stdout.lines().collect();
    let at = lines.iter().position(|l| *l == "DTExec: The package execution returned DTSER_SUCCESS (0).").unwrap();
    for (line, start) in lines[at + 1..].iter().zip(["Started:  ", "Finished: ", "Elapsed:  "]) {
        assert!(line.starts_with(start), "{}", ran.stdout);
    }
}

#[test]
fn a_failure_has_blocks_of_code_source_and_description() {
    let path = package("containers_2016.dtsx");
    // A loop whose condition divides by zero.
    let broken = "\\Package\\One to five.Properties[EvalExpression];1/0 == 1";
    let ran = dtexec(&["/F", &path, "/Set", broken, "/Rep", "E"]);
    assert_eq!(ran.code, 1, "{}", ran.stdout);
    for part in ["Error: ", "   Code: 0xC00", "   Source: ", "   Description: ", "End Error", "DTSER_FAILURE (1)"] {
        assert!(ran.stdout.contains(part), "no {part:?} in\n{}", ran.stdout);
    }
    assert!(!ran.stdout.contains("Progress:"), "{}", ran.stdout);
    let quiet = dtexec(&["/F", &path, "/Set", broken, "/Rep", "N"]);
    assert_eq!(quiet.code, 1);
    assert!(!quiet.stdout.contains("Error:") && quiet.stdout.contains("DTSER_FAILURE (1)"), "{}", quiet.stdout);
}
