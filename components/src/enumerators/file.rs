//! Foreach File Enumerator: the files of a folder.
//!
//! ```text
//! Directory          D:\In                 FileSpec   *.csv
//! FileNameRetrieval  0 fully qualified, 1 name and extension, 2 name only
//! Recurse            False
//! ```
//! The folder is listed where path prefixes map it; the names that the loop gets begin with the folder as the package
//! has it. Files come in the order of their names, without regard to letter case, as on NTFS; those of a folder before
//! those of its subfolders (unconfirmed). The list is taken once, when the loop begins.

use super::setting;
use super::wildcard::Wildcard;
use dtsx_engine::control::plan::EnumeratorSpec;
use dtsx_engine::control::{Enumerator, EnumeratorKind, Items, TaskBindCx, TaskCx};
use dtsx_engine::diag::{Error, Owner, Result, codes};
use dtsx_engine::events::Message;
use dtsx_engine::props::{PropertyDef, PropertyType, parse_bool};
use dtsx_engine::types::Value;
use std::collections::VecDeque;
use std::fs;

/// `Microsoft.ForEachFileEnumerator`.
pub struct FileEnumeratorKind;

/// What an item tells of its file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Retrieval {
    FullyQualified,
    NameAndExtension,
    NameOnly,
}

struct FileEnumerator {
    folder: String,
    pattern: Wildcard,
    retrieval: Retrieval,
    recurse: bool,
}

impl EnumeratorKind for FileEnumeratorKind {
    fn kind(&self) -> &'static str {
        "Microsoft.ForEachFileEnumerator"
    }

    fn title(&self) -> &'static str {
        "Foreach File Enumerator"
    }

    fn properties(&self) -> &'static [PropertyDef] {
        &[
            PropertyDef { name: "Directory", ty: PropertyType::Text, default: "", doc: "The folder." },
            PropertyDef { name: "FileSpec", ty: PropertyType::Text, default: "*.*", doc: "Names with `*` and `?`." },
            PropertyDef {
                name: "FileNameRetrieval",
                ty: PropertyType::Int,
                default: "0",
                doc: "Fully qualified 0, name and extension 1, name only 2.",
            },
            PropertyDef { name: "Recurse", ty: PropertyType::Bool, default: "False", doc: "Subfolders, too." },
        ]
    }

    fn bind(&self, spec: &EnumeratorSpec, cx: &mut TaskBindCx<'_>) -> Option<Box<dyn Enumerator>> {
        let text = |property: &str, attribute: &str| {
            let stored = || spec.data.all("FEFEProperty").find_map(|p| p.attr(attribute));
            setting(spec, property, attribute).or_else(stored).unwrap_or("").to_owned()
        };
        let retrieval = match text("FileNameRetrieval", "FileNameRetrievalType").trim() {
            "" | "0" => Retrieval::FullyQualified,
            "1" => Retrieval::NameAndExtension,
            "2" => Retrieval::NameOnly,
            other => {
                let message = format!("There is no way \"{other}\" to retrieve file names: it is 0, 1 or 2.");
                cx.error(&spec.path, spec.span, codes::DTS_E_GENERICERROR, message);
                return None;
            }
        };
        Some(Box::new(FileEnumerator {
            folder: text("Directory", "Folder"),
            pattern: Wildcard::new(&text("FileSpec", "FileSpec")),
            retrieval,
            recurse: parse_bool(&text("Recurse", "Recurse")).unwrap_or(false),
        }))
    }
}

impl Enumerator for FileEnumerator {
    fn open(&self, cx: &TaskCx) -> Result<Items> {
        let files = self.list(cx)?;
        if files.is_empty() {
            let code = codes::DTS_W_FILEENUMEMPTY;
            let text = format!(
                "{} The For Each File enumerator did not find any files that matched the file pattern, \
                 or the specified directory was empty.",
                code.message(&[])
            );
            cx.events.fire(Message::new(code, "", text));
        }
        Ok(Box::new(files.into_iter().map(|file| Ok(vec![Value::text(file)]))))
    }
}

impl FileEnumerator {
    /// The items, in order. A folder that is not there has no files (unconfirmed: the original warns of an empty
    /// enumerator in both cases).
    fn list(&self, cx: &TaskCx) -> Result<Vec<String>> {
        let separator = if self.folder.contains('/') && !self.folder.contains('\\') { '/' } else { '\\' };
        let root = self.folder.trim_end_matches(['\\', '/']);
        if self.folder.trim().is_empty() {
            return Ok(Vec::new());
        }
        let mut items = Vec::new();
        let mut folders = VecDeque::from([root.to_owned()]);
        while let Some(folder) = folders.pop_front() {
            cx.services.cancel.check()?;
            // The trailing separator keeps the root of a drive or of a file system what it is.
            let real = cx.services.paths.resolve(&format!("{folder}{separator}"));
            if !real.is_dir() {
                continue;
            }
            let (mut files, mut subfolders) = (Vec::new(), Vec::new());
            let entries = fs::read_dir(&real).map_err(|e| unreadable(&folder, &e))?;
            for entry in entries {
                let entry = entry.map_err(|e| unreadable(&folder, &e))?;
                let name = entry.file_name().to_string_lossy().into_owned();
                // Links count as what they lead to; one that leads nowhere is no file.
                let Ok(metadata) = fs::metadata(entry.path()) else { continue };
                if metadata.is_dir() {
                    // A link to a folder is not followed: it could lead back here.
                    if self.recurse && entry.file_type().is_ok_and(|t| t.is_dir()) {
                        subfolders.push(name);
                    }
                } else if self.pattern.matches(&name) {
                    files.push(name);
                }
            }
            files.sort_by_cached_key(|name| sort_key(name));
            subfolders.sort_by_cached_key(|name| sort_key(name));
            items.extend(files.iter().map(|name| self.item(&folder, separator, name)));
            // Depth first: the subfolders of this folder come before its siblings.
            for name in subfolders.iter().rev() {
                folders.push_front(format!("{folder}{separator}{name}"));
            }
        }
        Ok(items)
    }

    fn item(&self, folder: &str, separator: char, name: &str) -> String {
        match self.retrieval {
            Retrieval::FullyQualified => format!("{folder}{separator}{name}"),
            Retrieval::NameAndExtension => name.to_owned(),
            Retrieval::NameOnly => name.rsplit_once('.').map_or(name, |(stem, _)| stem).to_owned(),
        }
    }
}

/// NTFS keeps names in the order of their upper-case UTF-16 form.
fn sort_key(name: &str) -> (Vec<u16>, String) {
    let folded: String = name.chars().map(|c| c.to_uppercase().next().unwrap_or(c)).collect();
    (folded.encode_utf16().collect(), name.to_owned())
}

fn unreadable(folder: &str, error: &std::io::Error) -> Error {
    let code = codes::DTS_E_INVALIDFILE;
    Error::new(Owner::Environment, code, format!("{} {folder}: {error}", code.message(&[])))
}

#[cfg(test)]
mod tests {
    use crate::tasks::kit::{Loop, map};
    use std::fs;

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.csv", "A.csv", "c.CSV", "d.csvx", "no.txt", "sub/e.csv", "sub/deep/f.csv", "zub/g.csv"] {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        folder
    }

    #[test]
    fn files_come_in_name_order_in_the_packages_world() {
        let folder = folder();
        let to = folder.path().to_str().unwrap();
        for (retrieval, recurse, expected) in [
            ("0", "0", r"D:\In\A.csv D:\In\b.csv D:\In\c.CSV D:\In\d.csvx"),
            ("1", "0", "A.csv b.csv c.CSV d.csvx"),
            ("2", "False", "A b c d"),
            ("1", "-1", "A.csv b.csv c.CSV d.csvx e.csv f.csv g.csv"),
            (
                "0",
                "True",
                r"D:\In\A.csv D:\In\b.csv D:\In\c.CSV D:\In\d.csvx D:\In\sub\e.csv D:\In\sub\deep\f.csv D:\In\zub\g.csv",
            ),
        ] {
            for directory in [r"D:\In", r"D:\In\"] {
                let ran = Loop::new("Microsoft.ForEachFileEnumerator", "ForEachFileEnumeratorProperties")
                    .child("FEFEProperty", &[("Folder", directory)])
                    .child("FEFEProperty", &[("FileSpec", "*.csv")])
                    .child("FEFEProperty", &[("FileNameRetrievalType", retrieval)])
                    .child("FEFEProperty", &[("Recurse", recurse)])
                    .run(|request| map(request, r"d:\in", to));
                assert_eq!(ran.items(), expected, "{retrieval} {recurse}");
            }
        }
    }

    #[test]
    fn paths_of_this_system_keep_their_separator() {
        let folder = folder();
        let directory = folder.path().to_str().unwrap();
        let ran = Loop::new("Microsoft.ForEachFileEnumerator", "ForEachFileEnumeratorProperties")
            .property("Directory", directory)
            .property("FileSpec", "no.*")
            .run(|_| {});
        assert_eq!(ran.items(), format!("{directory}/no.txt"));
    }

    #[test]
    fn nothing_found_is_a_warning() {
        for directory in ["/nowhere/at/all", ""] {
            let ran = Loop::new("Microsoft.ForEachFileEnumerator", "ForEachFileEnumeratorProperties")
                .property("Directory", directory)
                .run(|_| {});
            assert_eq!(ran.items(), "");
            assert!(ran.succeeded());
            assert_eq!(ran.codes("OnWarning"), ["0x8001C004"]);
        }
    }
}
