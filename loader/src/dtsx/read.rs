//! Tree to package: the checks that the original makes while it loads, and the projection into the model.

use std::path::Path;
use std::sync::Arc;

use super::parse::{self, Document};
use super::schema::Item;
use super::{LoadOptions, text};
use crate::error::{Fault, LoadError, Result};
use crate::model::{
    ConnectionManager, Element, Encoding, Executable, FormatVersion, Namespace, Origin, Package, SourceText,
};

/// Loads a package from a file.
///
/// # Errors
/// The original's load errors, with their place: `DTS_E_OPENPACKAGEFILE`, `DTS_E_LOADPACKAGEXMLFILE`,
/// `DTS_E_FUNDAMENTALLOADINGERROR`, `DTS_E_INVALIDVERSIONNUMBER`, `DTS_E_PACKAGEUNPROTECT`, `DTS_E_PERSISTENCEERROR`.
pub fn load(path: &Path, options: &LoadOptions) -> Result<Package> {
    let (source, encoding) = read_file(path, options)?;
    load_source(source, encoding, options)
}

/// Loads a package from the bytes of a file; `path` is for messages.
///
/// # Errors
/// As [`load`].
pub fn load_bytes(bytes: Vec<u8>, path: Option<&Path>, options: &LoadOptions) -> Result<Package> {
    let (source, encoding) = decode(bytes, path, options)?;
    load_source(source, encoding, options)
}

/// Loads a package from text.
///
/// # Errors
/// As [`load`].
pub fn load_str(text: &str, options: &LoadOptions) -> Result<Package> {
    load_bytes(text.as_bytes().to_vec(), None, options)
}

/// Reads and decodes a file under the size cap.
pub(crate) fn read_file(path: &Path, options: &LoadOptions) -> Result<(SourceText, Encoding)> {
    let cannot_open = |error: std::io::Error| {
        let message = format!("Failed to open package file \"{}\": {error}", path.display());
        let mut fault = LoadError::new(Fault::OpenPackageFile, message);
        fault.file = Some(path.to_owned());
        fault
    };
    let size = std::fs::metadata(path).map_err(cannot_open)?.len();
    check_size(usize::try_from(size).unwrap_or(usize::MAX), Some(path), options)?;
    decode(std::fs::read(path).map_err(cannot_open)?, Some(path), options)
}

fn decode(bytes: Vec<u8>, path: Option<&Path>, options: &LoadOptions) -> Result<(SourceText, Encoding)> {
    check_size(bytes.len(), path, options)?;
    let (text, encoding) = text::decode(bytes).map_err(|mut fault| {
        if path.is_some() {
            fault = LoadError::new(Fault::LoadPackageXmlFile, fault.message);
            fault.file = path.map(Path::to_owned);
        }
        fault
    })?;
    Ok((SourceText { path: path.map(Path::to_owned), text }, encoding))
}

fn check_size(size: usize, path: Option<&Path>, options: &LoadOptions) -> Result<()> {
    if size <= options.max_bytes {
        return Ok(());
    }
    let message = format!("the file has {size} bytes, more than the limit of {}", options.max_bytes);
    let mut fault = LoadError::new(Fault::LoadPackageXmlFile, message);
    fault.file = path.map(Path::to_owned);
    Err(fault)
}

fn load_source(source: SourceText, encoding: Encoding, options: &LoadOptions) -> Result<Package> {
    let Document { prolog, root, epilog } = parse::parse(&source, options)?;
    refuse_encrypted(&root, &source)?;
    if root.name.namespace() != Namespace::Dts || root.name.local() != "Executable" {
        let message = format!(
            "Unable to load the package as XML because of package does not have a valid XML format: the top-level \
             element is <{}>, not <DTS:Executable>",
            root.name.as_str()
        );
        return Err(LoadError::new(Fault::FundamentalLoadingError, message).at(&source, root.span));
    }
    let format = format_version(&root, &source)?;
    let root = Executable::read(root);
    let package = Package { root, format, origin: Some(Origin { source: Arc::new(source), encoding }), prolog, epilog };
    super::check::check(&package)?;
    Ok(package)
}

/// A file that is encrypted as a whole has another root.
fn refuse_encrypted(root: &Element, source: &SourceText) -> Result<()> {
    if root.name.local() != "EncryptedData" {
        return Ok(());
    }
    let message = "Failed to remove package protection: the whole file is encrypted, \
                   and a password (or the Windows user who saved it) is needed to read it";
    Err(LoadError::new(Fault::PackageUnprotect, message).at(source, root.span))
}

/// The version of the format: a property element in all formats.
fn format_version(root: &Element, source: &SourceText) -> Result<FormatVersion> {
    let property =
        root.elements().find(|child| child.name.is("Property") && child.attr("Name") == Some("PackageFormatVersion"));
    let span = property.map_or(root.span, |property| property.span);
    let written = property.map(Element::text).or_else(|| root.attr("PackageFormatVersion").map(str::to_owned));
    let message = match written.as_deref().map(|text| text.trim().parse::<u32>()) {
        Some(Ok(version)) if version > FormatVersion::CURRENT.0 => format!(
            "The version number in the package is not valid. The version number cannot be greater than current version \
             number: the package has format version {version}, the newest known is {}",
            FormatVersion::CURRENT
        ),
        Some(Ok(version)) if version >= FormatVersion::SQL_2005.0 => return Ok(FormatVersion(version)),
        Some(_) => format!("The version number in the package is not valid: {:?}", written.unwrap_or_default()),
        None => "The version number in the package is not valid: the package has no PackageFormatVersion".to_owned(),
    };
    Err(LoadError::new(Fault::InvalidVersionNumber, message).at(source, span))
}

/// The tree of any other file of a project.
pub(crate) fn parse_document(source: &SourceText, options: &LoadOptions) -> Result<Element> {
    let root = parse::parse(source, options)?.root;
    refuse_encrypted(&root, source)?;
    Ok(root)
}

/// Reads a connection manager of a project (`.conmgr`).
pub(crate) fn read_connection_manager(path: &Path, options: &LoadOptions) -> Result<ConnectionManager> {
    let (source, _) = read_file(path, options)?;
    let root = parse_document(&source, options)?;
    if root.name.namespace() != Namespace::Dts || root.name.local() != "ConnectionManager" {
        let message = format!("the top-level element is <{}>, not <DTS:ConnectionManager>", root.name.as_str());
        return Err(LoadError::new(Fault::CantLoadFromNode, message).at(&source, root.span));
    }
    Ok(ConnectionManager::read(root))
}
