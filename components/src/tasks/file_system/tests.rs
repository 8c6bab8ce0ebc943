//! Every operation on a folder of its own.

use super::super::kit::{Ran, Single, map};
use dtsx_engine::types::Value;
use dtsx_engine::variables::VariableType;
use std::fs;
use std::path::Path;

/// Runs an operation whose paths are variables in the package's world, `D:\` being the folder.
fn run(folder: &Path, operation: &str, source: &str, destination: &str, extra: &[(&str, &str)]) -> Ran {
    let mut attributes = vec![
        ("TaskOperationType", operation),
        ("TaskSourcePath", "User::Source"),
        ("TaskIsSourceVariable", "True"),
        ("TaskDestinationPath", "User::Destination"),
        ("TaskIsDestinationVariable", "True"),
    ];
    attributes.extend(extra);
    Single::new("Microsoft.FileSystemTask", "FileSystemData", &attributes)
        .variable("Source", VariableType::String, Value::text(source))
        .variable("Destination", VariableType::String, Value::text(destination))
        .run(|request| map(request, "D:", folder.to_str().unwrap()))
}

const OVERWRITE: (&str, &str) = ("TaskOverwriteDestFile", "True");

/// A folder with `a.txt` (a), `b.txt` (b), `in/c.txt` (c), `in/deep/d.txt` (d), `out/`.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("in/deep")).unwrap();
    fs::create_dir(folder.path().join("out")).unwrap();
    for (file, text) in [("a.txt", "a"), ("b.txt", "b"), ("in/c.txt", "c"), ("in/deep/d.txt", "d")] {
        fs::write(folder.path().join(file), text).unwrap();
    }
    folder
}

/// The files of a folder with their contents, in order.
fn tree(folder: &Path) -> String {
    let mut found = Vec::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(at) = waiting.pop() {
        for entry in fs::read_dir(&at).unwrap().map(Result::unwrap) {
            let name = entry.path().strip_prefix(folder).unwrap().to_str().unwrap().replace('\\', "/");
            if entry.path().is_dir() {
                found.push(format!("{name}/"));
                waiting.push(entry.path());
            } else {
                found.push(format!("{name}={}", fs::read_to_string(entry.path()).unwrap()));
            }
        }
    }
    found.sort();
    found.join(" ")
}

const UNTOUCHED: &str = "a.txt=a b.txt=b in/ in/c.txt=c in/deep/ in/deep/d.txt=d out/";

#[test]
fn operations_do_what_they_say() {
    for (operation, source, destination, extra, expected) in [
        (
            "CopyFile",
            r"D:\a.txt",
            r"D:\new.txt",
            None,
            "a.txt=a b.txt=b in/ in/c.txt=c in/deep/ in/deep/d.txt=d new.txt=a out/",
        ),
        ("0", r"D:\a.txt", r"D:\out", None, "a.txt=a b.txt=b in/ in/c.txt=c in/deep/ in/deep/d.txt=d out/ out/a.txt=a"),
        (
            "CopyFile",
            r"D:\a.txt",
            r"D:\b.txt",
            Some(OVERWRITE),
            "a.txt=a b.txt=a in/ in/c.txt=c in/deep/ in/deep/d.txt=d out/",
        ),
        ("MoveFile", r"D:\a.txt", r"D:\out", None, "b.txt=b in/ in/c.txt=c in/deep/ in/deep/d.txt=d out/ out/a.txt=a"),
        ("MoveFile", r"D:\in\c.txt", r"D:\", None, "a.txt=a b.txt=b c.txt=c in/ in/deep/ in/deep/d.txt=d out/"),
        ("RenameFile", r"D:\a.txt", r"D:\z.txt", None, "b.txt=b in/ in/c.txt=c in/deep/ in/deep/d.txt=d out/ z.txt=a"),
        (
            "RenameFile",
            r"D:\a.txt",
            r"D:\b.txt",
            Some(OVERWRITE),
            "b.txt=a in/ in/c.txt=c in/deep/ in/deep/d.txt=d out/",
        ),
        ("RenameFile", r"D:\a.txt", r"D:\a.txt", Some(OVERWRITE), UNTOUCHED),
        ("DeleteFile", r"D:\a.txt", "", None, "b.txt=b in/ in/c.txt=c in/deep/ in/deep/d.txt=d out/"),
        (
            "CreateDirectory",
            r"D:\x\y",
            "",
            None,
            "a.txt=a b.txt=b in/ in/c.txt=c in/deep/ in/deep/d.txt=d out/ x/ x/y/",
        ),
        ("CreateDirectory", r"D:\out", "", Some(OVERWRITE), UNTOUCHED),
        (
            "CopyDirectory",
            r"D:\in",
            r"D:\out",
            None,
            "a.txt=a b.txt=b in/ in/c.txt=c in/deep/ in/deep/d.txt=d out/ out/in/ out/in/c.txt=c out/in/deep/ out/in/deep/d.txt=d",
        ),
        (
            "MoveDirectory",
            r"D:\in",
            r"D:\out",
            None,
            "a.txt=a b.txt=b out/ out/in/ out/in/c.txt=c out/in/deep/ out/in/deep/d.txt=d",
        ),
        ("DeleteDirectory", r"D:\in", "", None, "a.txt=a b.txt=b out/"),
        ("DeleteDirectoryContent", r"D:\in", "", None, "a.txt=a b.txt=b in/ out/"),
    ] {
        let folder = folder();
        let ran = run(folder.path(), operation, source, destination, extra.as_slice());
        assert!(ran.succeeded(), "{operation} {source} {destination}: {:?}", ran.texts("OnError"));
        assert_eq!(tree(folder.path()), expected, "{operation} {source} {destination}");
    }
}

#[test]
fn what_is_in_the_way_stays() {
    const SAID: &str = "0xC002F304";
    for (operation, source, destination, code) in [
        ("CopyFile", r"D:\a.txt", r"D:\b.txt", SAID),
        ("MoveFile", r"D:\a.txt", r"D:\b.txt", SAID),
        ("RenameFile", r"D:\a.txt", r"D:\b.txt", SAID),
        ("RenameFile", r"D:\a.txt", r"D:\out", "0xC002F306"),
        ("CopyFile", r"D:\none.txt", r"D:\out", SAID),
        ("CopyFile", r"D:\in", r"D:\out", SAID),
        ("CopyFile", r"D:\a.txt", r"D:\none\x.txt", SAID),
        ("DeleteFile", r"D:\none.txt", "", SAID),
        ("DeleteDirectory", r"D:\none", "", SAID),
        ("DeleteDirectoryContent", r"D:\none", "", SAID),
        ("CreateDirectory", r"D:\out", "", "0xC002F307"),
        ("CopyDirectory", r"D:\none", r"D:\out", SAID),
        ("CopyDirectory", r"D:\in\deep", r"D:\in", "0xC002915A"),
        ("CopyDirectory", r"D:\in", r"D:\in\deep", SAID),
        ("MoveDirectory", r"D:\in", r"D:\in\deep", SAID),
    ] {
        let folder = folder();
        let ran = run(folder.path(), operation, source, destination, &[]);
        assert!(!ran.succeeded(), "{operation} {source} {destination}");
        assert_eq!(ran.codes("OnError"), [code], "{operation} {source} {destination}");
        assert_eq!(tree(folder.path()), UNTOUCHED, "{operation} {source} {destination}");
    }
}

#[test]
fn messages_show_the_packages_paths() {
    let folder = folder();
    let ran = run(folder.path(), "CopyFile", r"D:\a.txt", r"D:\b.txt", &[]);
    assert_eq!(
        ran.texts("OnError"),
        [r#"An error occurred with the following error message: "The file 'D:\b.txt' already exists."."#]
    );
    let ran = run(folder.path(), "DeleteFile", r"D:\a.txt", "", &[]);
    assert_eq!(ran.texts("OnInformation"), [r#"File or directory "D:\a.txt" was deleted."#]);
    assert_eq!(ran.codes("OnInformation"), ["0xC002F30E"]);
}

#[test]
fn attributes_set_what_this_system_has() {
    let folder = folder();
    let file = folder.path().join("a.txt");
    let ran = run(folder.path(), "SetAttributes", r"D:\a.txt", "", &[("TaskFileAttributes", "ReadOnly")]);
    assert!(ran.succeeded() && fs::metadata(&file).unwrap().permissions().readonly());
    let ran = run(folder.path(), "SetAttributes", r"D:\a.txt", "", &[("TaskFileAttributes", "Normal")]);
    assert!(ran.succeeded() && !fs::metadata(&file).unwrap().permissions().readonly());
    let ran = run(folder.path(), "SetAttributes", r"D:\a.txt", "", &[("TaskFileAttributes", "Hidden, System")]);
    assert!(ran.texts("OnWarning")[0].contains("Hidden, System"));
    let ran = run(folder.path(), "SetAttributes", r"D:\a.txt", "", &[("TaskFileAttributes", "Shiny")]);
    assert_eq!(ran.codes("OnError"), ["0xC0029159"]);
}

#[test]
fn specifications_that_cannot_work_are_refused() {
    let t = "True";
    for (attributes, code) in [
        (vec![("TaskOperationType", "2")], "0xC002915D"),
        (vec![("TaskOperationType", "Explode")], "0xC0029159"),
        (vec![("TaskSourcePath", "User::Text"), ("TaskIsSourceVariable", t)], "0xC002915C"),
        (vec![("TaskOperationType", "2"), ("TaskSourcePath", "User::No"), ("TaskIsSourceVariable", t)], "0xC002915F"),
        (vec![("TaskOperationType", "2"), ("TaskSourcePath", "User::Int"), ("TaskIsSourceVariable", t)], "0xC0029160"),
        (
            vec![("TaskOperationType", "2"), ("TaskSourcePath", "User::Empty"), ("TaskIsSourceVariable", t)],
            "0xC002F30D",
        ),
        (vec![("TaskOperationType", "2"), ("TaskSourcePath", "Nowhere")], "0xC001000E"),
        (vec![("TaskOperationType", "2"), ("TaskSourcePath", "Flat")], "0xC002915E"),
        (vec![("TaskOperationType", "2"), ("TaskSourcePath", "Missing")], "0xC0029163"),
        (vec![("TaskOperationType", "2"), ("TaskSourcePath", "Folder")], "0xC0029166"),
        (vec![("TaskOperationType", "8"), ("TaskSourcePath", "Missing")], "0xC0029166"),
        (
            vec![("TaskOperationType", "3"), ("TaskSourcePath", "{Present}"), ("TaskDestinationPath", "Folder")],
            "0xC0029165",
        ),
    ] {
        let folder = folder();
        let present = folder.path().join("a.txt");
        let ran = Single::new("Microsoft.FileSystemTask", "FileSystemData", &attributes)
            .variable("Text", VariableType::String, Value::text("x"))
            .variable("Int", VariableType::Int32, Value::I4(1))
            .variable("Empty", VariableType::String, Value::text(" "))
            .connection("Flat", "FLATFILE", "x", "0")
            .connection("Missing", "FILE", "/nowhere/x", "0")
            .connection("Folder", "FILE", folder.path().to_str().unwrap(), "2")
            .connection("Present", "FILE", present.to_str().unwrap(), "0")
            .run(|_| {});
        assert_eq!(ran.codes("OnError"), [code], "{attributes:?}");
        assert_eq!(tree(folder.path()), UNTOUCHED);
    }
}

#[test]
fn connections_lead_to_files_and_folders() {
    let folder = folder();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let ran = Single::new(
        "Microsoft.FileSystemTask",
        "FileSystemData",
        &[("TaskSourcePath", "{From}"), ("TaskDestinationPath", "To")],
    )
    .connection("From", "FILE", &path("a.txt"), "0")
    .connection("To", "FILE", &path("out"), "2")
    .run(|_| {});
    assert!(ran.succeeded(), "{:?}", ran.texts("OnError"));
    assert_eq!(fs::read_to_string(folder.path().join("out/a.txt")).unwrap(), "a");
}
