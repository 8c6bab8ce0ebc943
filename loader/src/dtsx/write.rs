//! Package to text: in the format that it has.

use std::path::Path;

use super::schema::{Item, Style};
use super::{parse, print, text};
use crate::error::{Fault, LoadError, Result};
use crate::model::{Attribute, Element, Encoding, Name, Namespace, Package, Span};

/// The declaration as the designer writes it.
const DECLARATION: &str = "<?xml version=\"1.0\"?>";
const DECLARATION_UTF16: &str = "<?xml version=\"1.0\" encoding=\"utf-16\"?>";

/// Writes a package as text, in the format of [`Package::format`].
///
/// A package that was loaded comes back canonically identical: attribute order and white space aside, every part is what
/// and where it was. Objects that were made in code get the ids that they lack ([`Package::assign_ids`]).
pub fn to_string(package: &Package) -> String {
    let declaration = match package.origin.as_ref().map(|origin| origin.encoding) {
        Some(Encoding::Utf16LittleMark | Encoding::Utf16BigMark) => DECLARATION_UTF16,
        _ => DECLARATION,
    };
    let completed = package.lacks_ids().then(|| {
        let mut completed = package.clone();
        completed.assign_ids();
        completed
    });
    let root = to_element(completed.as_ref().unwrap_or(package));
    print::print(&package.prolog, &root, &package.epilog, declaration)
}

/// Writes a package as the bytes of a file, in the encoding that it was loaded in.
pub fn to_bytes(package: &Package) -> Vec<u8> {
    let encoding = package.origin.as_ref().map_or(Encoding::default(), |origin| origin.encoding);
    text::encode(&to_string(package), encoding)
}

/// Saves a package to a file.
///
/// # Errors
/// `DTS_E_SAVEPACKAGEFILE` if the file cannot be written.
pub fn save(package: &Package, path: &Path) -> Result<()> {
    std::fs::write(path, to_bytes(package)).map_err(|error| {
        let message = format!("Failed to save package file \"{}\": {error}", path.display());
        let mut fault = LoadError::new(Fault::SavePackageFile, message);
        fault.file = Some(path.to_owned());
        fault
    })
}

/// The package as a tree.
pub(super) fn to_element(package: &Package) -> Element {
    let style = Style { attributes: package.format.uses_attributes() };
    let mut root = package.root.write(Name::dts("Executable"), style);
    declare_dts(&mut root);
    root
}

/// The writer spells everything it knows with the usual prefix.
fn declare_dts(root: &mut Element) {
    let declaration = "xmlns:DTS";
    if !root.attributes.iter().any(|attribute| attribute.name.as_str() == declaration) {
        let name = Name::new(declaration, Namespace::Declaration);
        let value = parse::DTS_NAMESPACE.to_owned();
        root.attributes.insert(0, Attribute { name, value, span: Span::default() });
    }
}
