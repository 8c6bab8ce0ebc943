//! `dtexec`: arguments to exit code and output.

mod common;

use common::{dtexec, package};

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
