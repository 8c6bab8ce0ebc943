//! Damaged and hostile files: an error or a package, never a panic, an endless loop or a stack that runs over.
#![expect(clippy::expect_used, reason = "helpers of tests fail by panicking, as tests do")]

use dtsx_loader::configuration::ConfigurationFile;
use dtsx_loader::dtsx::{self, LoadOptions};
use dtsx_loader::model::Package;
use proptest::prelude::*;

const FIXTURES: [&str; 2] = [include_str!("fixtures/orders8.dtsx"), include_str!("fixtures/orders3.dtsx")];

/// Everything that a program does with a package once it is loaded.
fn use_package(mut package: Package) {
    let written = dtsx::to_string(&package);
    let again = dtsx::load_str(&written, &LoadOptions::default()).expect("what was written can be read");
    assert_eq!(dtsx::difference(&written, &dtsx::to_string(&again)).expect("well-formed"), None);
    for (path, executable) in package.walk() {
        let _ = (package.object_path(&path), executable.kind(), executable.sort());
        if let Some(pipeline) = executable.pipeline() {
            let _ = pipeline.index();
            pipeline.components.iter().for_each(|component| drop(component.kind()));
        }
    }
    dtsx::upgrade(&mut package);
    let _ = dtsx::to_bytes(&package);
}

#[derive(Clone, Debug)]
enum Damage {
    Truncate(usize),
    Remove(usize, usize),
    Repeat(usize, usize),
    Replace(usize, u8),
    Move(usize, usize, usize),
}

fn damage() -> impl Strategy<Value = Damage> {
    let at = 0..60_000usize;
    prop_oneof![
        at.clone().prop_map(Damage::Truncate),
        (at.clone(), 1..400usize).prop_map(|(at, length)| Damage::Remove(at, length)),
        (at.clone(), 1..4000usize).prop_map(|(at, length)| Damage::Repeat(at, length)),
        (at.clone(), any::<u8>()).prop_map(|(at, byte)| Damage::Replace(at, byte)),
        (at.clone(), 1..2000usize, at).prop_map(|(from, length, to)| Damage::Move(from, length, to)),
    ]
}

fn apply(bytes: &mut Vec<u8>, damage: &Damage) {
    let clamp = |at: usize| at % (bytes.len() + 1);
    match *damage {
        Damage::Truncate(at) => bytes.truncate(clamp(at)),
        Damage::Remove(at, length) => {
            let at = clamp(at);
            bytes.drain(at..(at + length).min(bytes.len()));
        }
        Damage::Repeat(at, length) => {
            let at = clamp(at);
            let piece = bytes[at..(at + length).min(bytes.len())].to_vec();
            bytes.splice(at..at, piece);
        }
        Damage::Replace(at, byte) => {
            let at = clamp(at);
            if let Some(found) = bytes.get_mut(at) {
                *found = byte;
            }
        }
        Damage::Move(from, length, to) => {
            let from = clamp(from);
            let piece: Vec<u8> = bytes.drain(from..(from + length).min(bytes.len())).collect();
            let to = to % (bytes.len() + 1);
            bytes.splice(to..to, piece);
        }
    }
}

/// Elements of a package, to be removed, doubled or exchanged as wholes: the result stays well-formed.
fn elements(text: &str) -> Vec<std::ops::Range<usize>> {
    let document = roxmltree::Document::parse(text).expect("fixture");
    document
        .descendants()
        .filter(|node| node.is_element() && node.parent_element().is_some())
        .map(|n| n.range())
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn damaged_bytes_never_panic(which in 0..2usize, damages in prop::collection::vec(damage(), 1..4)) {
        let mut bytes = FIXTURES[which].as_bytes().to_vec();
        damages.iter().for_each(|damage| apply(&mut bytes, damage));
        if let Ok(package) = dtsx::load_bytes(bytes, None, &LoadOptions::default()) {
            use_package(package);
        }
    }

    #[test]
    fn misplaced_elements_never_panic(which in 0..2usize, swaps in prop::collection::vec((any::<usize>(), any::<usize>(), 0..3u8), 1..4)) {
        let mut text = FIXTURES[which].to_owned();
        for (from, to, what) in swaps {
            let ranges = elements(&text);
            if ranges.is_empty() {
                break;
            }
            let source = ranges[from % ranges.len()].clone();
            let target = ranges[to % ranges.len()].clone();
            let piece = text[source].to_owned();
            match what {
                0 => text.replace_range(target, ""),
                1 => text.insert_str(target.end, &piece),
                _ => text.replace_range(target, &piece),
            }
            // An element may have lost the declaration of its prefix on the way.
            if roxmltree::Document::parse(&text).is_err() {
                break;
            }
        }
        if let Ok(package) = dtsx::load_str(&text, &LoadOptions::default()) {
            prop_assert_eq!(dtsx::difference_from_source(&package), None);
            use_package(package);
        }
    }
}

/// A package of the format with an executable in an executable in an executable …
fn nested(levels: usize) -> String {
    let open =
        "<DTS:Executable DTS:ExecutableType=\"STOCK:SEQUENCE\"><DTS:Property DTS:Name=\"ObjectName\">S</DTS:Property>";
    format!(
        "<DTS:Executable xmlns:DTS=\"www.microsoft.com/SqlServer/Dts\" DTS:ExecutableType=\"SSIS.Package.2\">\
         <DTS:Property DTS:Name=\"PackageFormatVersion\">3</DTS:Property>{}{}</DTS:Executable>",
        open.repeat(levels),
        "</DTS:Executable>".repeat(levels)
    )
}

#[test]
fn the_deepest_package_fits_a_small_stack() {
    let thread = std::thread::Builder::new().stack_size(2 * 1024 * 1024).spawn(|| {
        let package = dtsx::load_str(&nested(254), &LoadOptions::default()).expect("within the cap");
        assert_eq!(package.walk().len(), 255);
        let copy = package.clone();
        assert!(copy == package);
        use_package(package);
        let error = dtsx::load_str(&nested(256), &LoadOptions::default()).expect_err("deeper than the cap");
        assert!(error.message.contains("deeper"), "{error}");
    });
    assert!(thread.expect("a thread").join().is_ok());
}

#[test]
fn entities_and_document_types_are_refused() {
    let laughs = "<!DOCTYPE l [<!ENTITY a 'ha'><!ENTITY b '&a;&a;&a;'>]><l>&b;</l>";
    let outside = "<!DOCTYPE l [<!ENTITY a SYSTEM 'file:///etc/passwd'>]><l>&a;</l>";
    for text in [laughs, outside] {
        let error = dtsx::load_str(text, &LoadOptions::default()).expect_err("refused");
        assert!(error.message.contains("DOCTYPE"), "{error}");
        assert!(ConfigurationFile::parse(text, &LoadOptions::default()).is_err());
    }
}

#[test]
fn many_attributes_are_refused_before_they_cost_much() {
    let attributes: String = (0..10_000).map(|n| format!(" a{n}='1'")).collect();
    let error = dtsx::load_str(&format!("<l{attributes}/>"), &LoadOptions::default()).expect_err("refused");
    assert!(error.message.contains("attributes"), "{error}");
}

#[test]
fn marks_and_utf_16_come_back_as_bytes() {
    let text = FIXTURES[0].replace("Orders", "Заказы 注文 😀");
    let utf16 = |to_bytes: fn(u16) -> [u8; 2], mark: [u8; 2]| {
        let declared = text.replace("<?xml version=\"1.0\"?>", "<?xml version=\"1.0\" encoding=\"utf-16\"?>");
        mark.into_iter().chain(declared.encode_utf16().flat_map(to_bytes)).collect::<Vec<u8>>()
    };
    let files = [
        text.as_bytes().to_vec(),
        [b"\xEF\xBB\xBF", text.as_bytes()].concat(),
        utf16(u16::to_le_bytes, [0xFF, 0xFE]),
        utf16(u16::to_be_bytes, [0xFE, 0xFF]),
    ];
    for bytes in files {
        let package = dtsx::load_bytes(bytes.clone(), None, &LoadOptions::default()).expect("loads");
        assert_eq!(package.name(), "Заказы 注文 😀");
        // The fixture ends with a line break, which the writer leaves out.
        let written = dtsx::to_bytes(&package);
        assert_eq!(written, bytes[..written.len()]);
        assert!(bytes.len() - written.len() <= 2);
    }
}
