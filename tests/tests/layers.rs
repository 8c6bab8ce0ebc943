//! Holds the house to its layers: what each room may import, and what must be absent from it. `ARCHITECTURE.md` says why.

#![expect(clippy::expect_used, reason = "everything here is a test")]

use dtsx_components::catalog::{Family, STOCK};
use dtsx_tests::root;
use dtsx_tests::source::{Source, sources};
use std::fs;

/// A room: its folder, the rooms of ours that it may depend on, and third-party crates that it must not.
struct Room {
    folder: &'static str,
    may_use: &'static [&'static str],
    never: &'static [&'static str],
}

const ROOMS: &[Room] = &[
    Room {
        folder: "engine",
        may_use: &[],
        never: &["quick-xml", "roxmltree", "odbc-api", "odbc-sys", "rusqlite", "tokio", "async-std", "smol", "futures"],
    },
    // Tokio is there for the protocol of SQL Server alone: see `ASYNC_ROOM`.
    Room { folder: "components", may_use: &["dtsx-engine"], never: &["async-std", "smol"] },
    Room {
        folder: "loader",
        may_use: &["dtsx-engine", "dtsx-components"],
        never: &["rayon", "odbc-api", "odbc-sys", "ureq", "reqwest", "hyper", "tokio"],
    },
    Room {
        folder: "client",
        may_use: &["dtsx-loader", "dtsx-components", "dtsx-engine"],
        never: &["clap", "pyo3", "tokio"],
    },
    Room { folder: "cli", may_use: &["dtsx"], never: &["rayon", "quick-xml", "tokio"] },
];

/// What the code below a path must not name, outside its tests.
struct Absence {
    path: &'static str,
    words: &'static [&'static str],
    why: &'static str,
}

const ABSENT: &[Absence] = &[
    Absence {
        path: "engine/src/types/",
        words: &["crate::flow", "crate::control", "crate::expr", "crate::run", "crate::connections"],
        why: "types know nothing of what is made of them",
    },
    Absence {
        path: "engine/src/props/",
        words: &["crate::flow", "crate::control", "crate::expr", "crate::run"],
        why: "properties are plain data",
    },
    Absence {
        path: "engine/src/diag/",
        words: &["crate::flow", "crate::control", "crate::expr", "crate::run", "crate::batch"],
        why: "diagnostics are plain data",
    },
    Absence {
        path: "engine/src/expr/",
        words: &["crate::flow", "crate::control", "crate::run", "crate::connections"],
        why: "an expression does not know where it is used",
    },
    Absence {
        path: "engine/src/memory/",
        words: &["crate::flow", "crate::control", "crate::expr"],
        why: "the budget serves holders that it does not know",
    },
    Absence {
        path: "engine/src/flow/",
        words: &["crate::expr", "crate::control"],
        why: "data flows know neither expression syntax nor tasks",
    },
    Absence { path: "components/src/", words: &["dtsx_loader"], why: "components know nothing of package files" },
    Absence {
        path: "components/src/",
        words: &["thread::spawn", "thread::Builder", "thread::scope", "rayon::"],
        why: "components spawn no threads: they ask their context",
    },
    Absence {
        path: "loader/src/",
        words: &["std::net", "TcpStream", "UdpSocket"],
        why: "the loader does no network input or output",
    },
    Absence {
        path: "loader/src/model/",
        words: &["quick_xml", "arrow::", "rayon", "dtsx_components"],
        why: "the model knows neither XML nor arrays",
    },
    Absence {
        path: "loader/src/dtsx/",
        words: &["dtsx_engine::flow", "dtsx_engine::control", "dtsx_components"],
        why: "reading and writing files needs nothing that runs",
    },
    Absence {
        path: "client/src/",
        words: &["std::env::args", "std::net", "quick_xml"],
        why: "the client knows no argv, no sockets, no XML",
    },
];

/// The only rooms with `unsafe` code.
const UNSAFE_ROOMS: &[&str] = &["components/src/db/odbc/ffi", "client/src/ffi", "engine/src/expr/kernels/views"];

/// The only room that knows an asynchronous runtime: docs/decisions/0021-sql-server-by-its-own-protocol.md.
const ASYNC_ROOM: &str = "components/src/db/sql_server/";

/// Files that are tables and may be as long as they need.
const TABLES: &[&str] = &["engine/src/diag/codes.rs"];

const LONGEST: usize = 800;

const FOLDERS: &[&str] = &["engine/src", "components/src", "loader/src", "client/src", "cli/src", "benches/src"];

fn all() -> Vec<Source> {
    let root = root();
    FOLDERS.iter().flat_map(|folder| sources(&root, folder).expect("the room can be read")).collect()
}

fn assert_none(problems: Vec<String>) {
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
}

/// The names under `[dependencies]` and its sections by target or feature; what only tests use does not count.
fn dependencies(manifest: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut inside = false;
    for line in manifest.lines().map(str::trim) {
        if let Some(section) = line.strip_prefix('[') {
            let section = section.trim_end_matches(']');
            inside = section.ends_with("dependencies") && !section.ends_with("dev-dependencies");
        } else if inside && !line.starts_with('#') {
            let name = line.split(['.', '=', ' ']).next().unwrap_or_default();
            if !name.is_empty() {
                names.push(name.to_owned());
            }
        }
    }
    names
}

#[test]
fn rooms_depend_only_on_the_rooms_below_them() {
    let mut problems = Vec::new();
    for room in ROOMS {
        let manifest = fs::read_to_string(root().join(room.folder).join("Cargo.toml")).expect("a manifest");
        for name in dependencies(&manifest) {
            let ours = name == "dtsx" || name.starts_with("dtsx-");
            if (ours && !room.may_use.contains(&name.as_str())) || room.never.contains(&name.as_str()) {
                problems.push(format!("{} must not depend on {name}", room.folder));
            }
        }
    }
    assert_none(problems);
}

#[test]
fn what_must_be_absent_is_absent() {
    let mut problems = Vec::new();
    for source in all() {
        let rules = ABSENT.iter().filter(|rule| source.path.starts_with(rule.path)).collect::<Vec<_>>();
        for line in source.code() {
            for rule in &rules {
                for word in rule.words.iter().filter(|word| line.code.contains(*word)) {
                    problems.push(format!("{}:{}: {word}: {}", source.path, line.number, rule.why));
                }
            }
        }
    }
    assert_none(problems);
}

/// What a package may name and the engine must not: every component and task of SSIS. Containers and the Data Flow task
/// are the engine's own.
fn names_of_components() -> Vec<&'static str> {
    let families = [Family::Source, Family::Transform, Family::Destination, Family::Task];
    let stock = STOCK.iter().filter(|stock| families.contains(&stock.family) && stock.kind != "Microsoft.Pipeline");
    stock.map(|stock| stock.kind).chain(["DTSAdapter.", "DTSTransform."]).collect()
}

#[test]
fn the_engine_names_no_component() {
    let names = names_of_components();
    assert!(names.len() > 50);
    let mut problems = Vec::new();
    for source in all().iter().filter(|source| source.path.starts_with("engine/") && !is_table(&source.path)) {
        for line in source.code() {
            if names.iter().any(|name| line.strings.contains(name)) {
                problems.push(format!("{}:{}: {}", source.path, line.number, line.strings));
            }
        }
    }
    assert_none(problems);
}

#[test]
fn the_engine_has_no_global_state() {
    let mut problems = Vec::new();
    for source in all().iter().filter(|source| source.path.starts_with("engine/")) {
        for line in source.code() {
            let code = line.code.trim_start().trim_start_matches("pub ").trim_start_matches("pub(crate) ");
            let shared = ["Mutex<", "RwLock<", "Atomic", "OnceLock<", "Cell<"].iter().any(|word| code.contains(word));
            let is_static = code.starts_with("static ") && shared;
            if is_static || code.starts_with("static mut") || code.contains("thread_local!") {
                problems.push(format!("{}:{}: {code}", source.path, line.number));
            }
        }
    }
    assert_none(problems);
}

#[test]
fn unsafe_code_stays_in_its_rooms() {
    let mut problems = Vec::new();
    for source in all() {
        if UNSAFE_ROOMS.iter().any(|room| source.path.starts_with(room)) {
            continue;
        }
        for line in source.code() {
            let words = line.code.split(|c: char| !c.is_alphanumeric() && c != '_');
            if words.into_iter().any(|word| word == "unsafe" || word == "unsafe_code") {
                problems.push(format!("{}:{}: {}", source.path, line.number, line.code.trim()));
            }
        }
    }
    assert_none(problems);
}

#[test]
fn asynchronous_code_stays_in_its_room() {
    let mut problems = Vec::new();
    for source in all().iter().filter(|source| !source.path.starts_with(ASYNC_ROOM)) {
        for line in source.code() {
            let mut words = line.code.split(|c: char| !c.is_alphanumeric() && c != '_');
            if words.any(|word| matches!(word, "async" | "await" | "tokio")) {
                problems.push(format!("{}:{}: {}", source.path, line.number, line.code.trim()));
            }
        }
    }
    assert_none(problems);
}

fn is_table(path: &str) -> bool {
    TABLES.contains(&path)
}

#[test]
fn files_stay_short() {
    let long = all().into_iter().filter(|source| !is_table(&source.path) && source.text.lines().count() > LONGEST);
    assert_none(long.map(|source| format!("{}: {} lines", source.path, source.text.lines().count())).collect());
}

#[test]
fn every_file_says_what_it_is() {
    let silent = all().into_iter().filter(|source| {
        let first = source.text.lines().next().unwrap_or_default();
        !first.starts_with("//! ") || first.contains("placeholder") || source.text.lines().count() < 3
    });
    assert_none(silent.map(|source| source.path).collect());
}

#[test]
fn the_rooms_with_a_public_interface_warn_of_missing_docs() {
    for room in ["engine", "components", "loader", "client"] {
        let text = fs::read_to_string(root().join(room).join("src/lib.rs")).expect("a crate root");
        assert!(text.contains("#![warn(missing_docs)]") || text.contains("#![deny(missing_docs)]"), "{room}");
    }
}

#[test]
fn manifests_are_read_with_their_sections() {
    let manifest = "[package]\nname = \"x\"\n[dependencies]\na.workspace = true\nb = \"1\"\n# c = \"1\"\n\
                    [target.'cfg(unix)'.dependencies]\nd = { version = \"1\" }\n[dev-dependencies]\ne = \"1\"\n";
    assert_eq!(dependencies(manifest), ["a", "b", "d"]);
}
