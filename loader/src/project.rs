//! Projects: which packages belong together, and the parameters and connection managers that they share.
//!
//! A project is a `.dtproj` with its files beside it, or, without one, the `*.conmgr` and `Project.params` that stand
//! beside a package.

use std::path::{Path, PathBuf};

use crate::dtsx::{LoadOptions, parse_document, read_connection_manager, read_file};
use crate::error::{Fault, LoadError, Result};
use crate::model::{ConnectionManager, Element, SourceText, Span};

/// The file of the parameters of a project.
pub const PARAMETERS_FILE: &str = "Project.params";
/// What an encrypted value of the user-key level starts with.
const DPAPI_PREFIX: &str = "AQAAANCMnd8";

/// A project.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Project {
    /// Its name; empty if there is no project file.
    pub name: String,
    /// The project file.
    pub file: Option<PathBuf>,
    /// The folder that holds its files.
    pub folder: PathBuf,
    /// How it is deployed.
    pub deployment: Deployment,
    /// How its secrets are protected, by name (`EncryptSensitiveWithUserKey`); packages must have the same.
    pub protection_level: String,
    /// Its packages; without a project file none are listed.
    pub packages: Vec<ProjectPackage>,
    /// Its parameters (`$Project::Name`).
    pub parameters: Vec<ProjectParameter>,
    /// Its connection managers, which its packages use as if they were their own.
    pub connection_managers: Vec<ConnectionManager>,
}

/// How a project is deployed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Deployment {
    /// As a whole, with parameters (2012 and later).
    #[default]
    Project,
    /// Package by package, with configurations.
    Package,
}

/// A package of a project.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProjectPackage {
    /// The name of the file, such as `Load.dtsx`.
    pub name: String,
    /// It is meant to be started (and not only to be called by others).
    pub entry_point: bool,
    /// Where the file is expected.
    pub path: PathBuf,
}

/// A parameter of a project.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProjectParameter {
    /// Its name.
    pub name: String,
    /// Its type: a VARTYPE number, as package parameters have (project files have .NET type codes).
    pub data_type: u16,
    /// The design-time value; nothing if it is encrypted.
    pub value: Option<String>,
    /// A value must be given for the execution.
    pub required: bool,
    /// The value is a secret.
    pub sensitive: bool,
    /// The value is encrypted.
    pub encrypted: bool,
    /// What the designer's user wrote about it.
    pub description: String,
    /// Where the parameter stands in its file.
    pub span: Span,
}

impl Project {
    /// Opens a project file and reads what it names: parameters and connection managers now, packages when they are asked
    /// for.
    ///
    /// # Errors
    /// If a file is missing, is not what it should be, or is encrypted as a whole.
    pub fn open(file: &Path, options: &LoadOptions) -> Result<Project> {
        let (mut project, managers) = Project::outline(file, options)?;
        if project.deployment == Deployment::Project {
            project.parameters = parameters_beside(&project.folder, options)?;
        }
        // What is listed but not there is missed by whoever refers to it, and by nobody else.
        for manager in managers.iter().map(|name| project.folder.join(name)).filter(|file| file.exists()) {
            project.connection_managers.push(read_connection_manager(&manager, options)?);
        }
        Ok(project)
    }

    /// What the project file itself says, and the names of the connection manager files.
    fn outline(file: &Path, options: &LoadOptions) -> Result<(Project, Vec<String>)> {
        let (source, _) = read_file(file, options)?;
        let root = parse_document(&source, options)?;
        if root.name.local() != "Project" {
            let message = format!("the top-level element is <{}>, not <Project>", root.name.as_str());
            return Err(LoadError::new(Fault::CantLoadFromNode, message).at(&source, root.span));
        }
        let mut project = Project {
            name: file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default(),
            file: Some(file.to_owned()),
            folder: file.parent().unwrap_or(Path::new("")).to_owned(),
            ..Project::default()
        };
        if root.child_text("DeploymentModel").as_deref() == Some("Package") {
            project.deployment = Deployment::Package;
        }
        for package in root.child("DTSPackages").into_iter().flat_map(Element::elements) {
            let name = package.child_text("FullPath").or_else(|| package.child_text("Name")).unwrap_or_default();
            project.packages.push(project.package(&name, true));
        }
        let manifest = root
            .child("DeploymentModelSpecificContent")
            .and_then(|content| content.child("Manifest"))
            .and_then(|manifest| manifest.child("Project"));
        let managers = manifest.map(|manifest| project.read_manifest(manifest)).unwrap_or_default();
        Ok((project, managers))
    }

    /// Takes name, protection and packages from a manifest; the result are the names of the connection manager files.
    fn read_manifest(&mut self, manifest: &Element) -> Vec<String> {
        manifest.attr("ProtectionLevel").unwrap_or_default().clone_into(&mut self.protection_level);
        if let Some(name) = manifest.child("Properties").and_then(|list| property(list, "Name")) {
            self.name = name.text().trim().to_owned();
        }
        for package in manifest.child("Packages").into_iter().flat_map(Element::elements) {
            let is_entry = package.attr("EntryPoint").is_none_or(|value| value.trim() != "0");
            self.packages.push(self.package(package.attr("Name").unwrap_or_default(), is_entry));
        }
        let managers = manifest.child("ConnectionManagers").into_iter().flat_map(Element::elements);
        managers.filter_map(|manager| manager.attr("Name").map(str::to_owned)).collect()
    }

    fn package(&self, name: &str, entry_point: bool) -> ProjectPackage {
        ProjectPackage { name: name.to_owned(), entry_point, path: self.folder.join(name) }
    }

    /// The project that a package belongs to: the one whose `.dtproj` beside the package lists it, or else what stands
    /// beside the package (all `*.conmgr` and `Project.params`); nothing if there is nothing.
    ///
    /// # Errors
    /// If one of these files cannot be read.
    pub fn beside(package: &Path, options: &LoadOptions) -> Result<Option<Project>> {
        let folder = match package.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let name = package.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        for file in files_beside(folder, "dtproj") {
            // A broken project of other packages does not concern this one.
            let Ok((outline, _)) = Project::outline(&file, options) else { continue };
            if outline.packages.iter().any(|package| package.name.eq_ignore_ascii_case(&name)) {
                return Project::open(&file, options).map(Some);
            }
        }
        let mut project = Project { folder: folder.to_owned(), ..Project::default() };
        project.parameters = parameters_beside(folder, options)?;
        for file in files_beside(folder, "conmgr") {
            project.connection_managers.push(read_connection_manager(&file, options)?);
        }
        let is_something = !project.parameters.is_empty() || !project.connection_managers.is_empty();
        Ok(is_something.then_some(project))
    }

    /// A parameter by name.
    pub fn parameter(&self, name: &str) -> Option<&ProjectParameter> {
        self.parameters.iter().find(|parameter| parameter.name == name)
    }

    /// A connection manager by name, or by GUID with or without `:external`.
    pub fn connection_manager(&self, reference: &str) -> Option<&ConnectionManager> {
        let reference = reference.strip_suffix(":external").unwrap_or(reference);
        self.connection_managers
            .iter()
            .find(|manager| manager.name() == reference || manager.dtsid().eq_ignore_ascii_case(reference))
    }
}

/// Files of a folder by extension, in the order of their names.
fn files_beside(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut files: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|found| found.eq_ignore_ascii_case(extension))).collect();
    files.sort();
    files
}

fn parameters_beside(folder: &Path, options: &LoadOptions) -> Result<Vec<ProjectParameter>> {
    let file = folder.join(PARAMETERS_FILE);
    match file.is_file() {
        true => read_parameters(&file, options),
        false => Ok(Vec::new()),
    }
}

/// Reads a `Project.params`.
///
/// # Errors
/// If the file cannot be read or does not hold parameters.
pub fn read_parameters(file: &Path, options: &LoadOptions) -> Result<Vec<ProjectParameter>> {
    let (source, _) = read_file(file, options)?;
    parameters(&source, options)
}

fn parameters(source: &SourceText, options: &LoadOptions) -> Result<Vec<ProjectParameter>> {
    let root = parse_document(source, options)?;
    if root.name.local() != "Parameters" {
        let message = format!("the top-level element is <{}>, not <SSIS:Parameters>", root.name.as_str());
        return Err(LoadError::new(Fault::CantLoadFromNode, message).at(source, root.span));
    }
    root.children_named("Parameter")
        .map(|element| {
            parameter(element).ok_or_else(|| {
                let message = "a parameter has no name, or a data type that is not known";
                LoadError::new(Fault::CantLoadFromNode, message).at(source, element.span)
            })
        })
        .collect()
}

/// A parameter; nothing without a name or with an unknown type.
fn parameter(element: &Element) -> Option<ProjectParameter> {
    let list = element.child("Properties")?;
    let text = |name: &str| property(list, name).map(Element::text).unwrap_or_default();
    let flag = |name: &str| crate::model::is_true(&text(name));
    let value = property(list, "Value");
    let is_blob = |value: &Element| {
        value.child("EncryptedData").is_some()
            || value.attr("Encrypted").is_some_and(crate::model::is_true)
            || (flag("Sensitive") && value.text().starts_with(DPAPI_PREFIX))
    };
    let encrypted = value.is_some_and(is_blob);
    Some(ProjectParameter {
        name: element.attr("Name")?.to_owned(),
        data_type: match text("DataType").trim() {
            "" => 8,
            code => vartype(code.parse().ok()?)?,
        },
        value: value.filter(|_| !encrypted).map(designer_text),
        required: flag("Required"),
        sensitive: flag("Sensitive"),
        encrypted,
        description: text("Description").trim().to_owned(),
        span: element.span,
    })
}

/// The text of a property. Project files break the line inside of empty elements: white space alone is nothing.
fn designer_text(element: &Element) -> String {
    let text = element.text();
    match text.trim().is_empty() {
        true => String::new(),
        false => text,
    }
}

fn property<'e>(list: &'e Element, name: &str) -> Option<&'e Element> {
    list.children_named("Property").find(|property| property.attr("Name") == Some(name))
}

/// The VARTYPE number for a .NET type code.
fn vartype(type_code: u16) -> Option<u16> {
    let table = [
        (1, 13),
        (3, 11),
        (4, 18),
        (5, 16),
        (6, 17),
        (7, 2),
        (8, 18),
        (9, 3),
        (10, 19),
        (11, 20),
        (12, 21),
        (13, 4),
        (14, 5),
        (15, 14),
        (16, 7),
        (18, 8),
    ];
    table.iter().find(|(code, _)| *code == type_code).map(|(_, vartype)| *vartype)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARAMETERS: &str = r#"<?xml version="1.0"?>
<SSIS:Parameters xmlns:SSIS="www.microsoft.com/SqlServer/SSIS">
  <SSIS:Parameter SSIS:Name="Folder"><SSIS:Properties>
    <SSIS:Property SSIS:Name="Required">1</SSIS:Property><SSIS:Property SSIS:Name="Sensitive">0</SSIS:Property>
    <SSIS:Property SSIS:Name="Value">/data</SSIS:Property><SSIS:Property SSIS:Name="DataType">18</SSIS:Property>
  </SSIS:Properties></SSIS:Parameter>
  <SSIS:Parameter SSIS:Name="Secret"><SSIS:Properties>
    <SSIS:Property SSIS:Name="Sensitive">1</SSIS:Property>
    <SSIS:Property SSIS:Name="Value" SSIS:Sensitive="1">AQAAANCMnd8BFdERjHoAwE</SSIS:Property>
    <SSIS:Property SSIS:Name="DataType">9</SSIS:Property>
  </SSIS:Properties></SSIS:Parameter>
</SSIS:Parameters>"#;

    const MANAGER: &str = r#"<?xml version="1.0"?>
<DTS:ConnectionManager xmlns:DTS="www.microsoft.com/SqlServer/Dts" DTS:ObjectName="Files"
  DTS:DTSID="{0A000000-0000-0000-0000-000000000001}" DTS:CreationName="FILE">
  <DTS:ObjectData><DTS:ConnectionManager DTS:FileUsageType="2" DTS:ConnectionString="/in"/></DTS:ObjectData>
</DTS:ConnectionManager>"#;

    fn project_file(packages: &str) -> String {
        format!(
            r#"<Project><DeploymentModel>Project</DeploymentModel><DeploymentModelSpecificContent><Manifest>
<SSIS:Project SSIS:ProtectionLevel="DontSaveSensitive" xmlns:SSIS="www.microsoft.com/SqlServer/SSIS">
<SSIS:Properties><SSIS:Property SSIS:Name="Name">Nightly</SSIS:Property></SSIS:Properties>
<SSIS:Packages>{packages}</SSIS:Packages>
<SSIS:ConnectionManagers><SSIS:ConnectionManager SSIS:Name="Files.conmgr"/></SSIS:ConnectionManagers>
</SSIS:Project></Manifest></DeploymentModelSpecificContent></Project>"#
        )
    }

    fn folder(project: Option<&str>) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(PARAMETERS_FILE), PARAMETERS).unwrap();
        std::fs::write(folder.path().join("Files.conmgr"), MANAGER).unwrap();
        if let Some(project) = project {
            std::fs::write(folder.path().join("P.dtproj"), project).unwrap();
        }
        folder
    }

    #[test]
    fn a_project_file_names_its_parts() {
        let packages = r#"<SSIS:Package SSIS:Name="A.dtsx" SSIS:EntryPoint="1"/><SSIS:Package SSIS:Name="B.dtsx" SSIS:EntryPoint="0"/>"#;
        let folder = folder(Some(&project_file(packages)));
        std::fs::write(folder.path().join("Other.conmgr"), MANAGER).unwrap();
        let project = Project::beside(&folder.path().join("b.dtsx"), &LoadOptions::default()).unwrap().unwrap();
        assert_eq!(project.name, "Nightly");
        assert_eq!(project.protection_level, "DontSaveSensitive");
        let packages: Vec<_> = project.packages.iter().map(|p| (p.name.as_str(), p.entry_point)).collect();
        assert_eq!(packages, [("A.dtsx", true), ("B.dtsx", false)]);
        assert_eq!(project.connection_managers.len(), 1, "Other.conmgr is not part of the project");
        let manager = project.connection_manager("{0a000000-0000-0000-0000-000000000001}:external").unwrap();
        assert_eq!((manager.name(), manager.connection_string(), manager.kind()), ("Files", "/in", "FILE"));
        let folder = project.parameter("Folder").unwrap();
        assert_eq!((folder.data_type, folder.value.as_deref(), folder.required), (8, Some("/data"), true));
        let secret = project.parameter("Secret").unwrap();
        assert_eq!((secret.data_type, secret.value.as_deref(), secret.encrypted), (3, None, true));
    }

    #[test]
    fn without_a_project_file_the_folder_is_the_project() {
        for project in [None, Some(project_file(r#"<SSIS:Package SSIS:Name="Else.dtsx"/>"#))] {
            let folder = folder(project.as_deref());
            let project = Project::beside(&folder.path().join("A.dtsx"), &LoadOptions::default()).unwrap().unwrap();
            assert_eq!((project.parameters.len(), project.connection_managers.len()), (2, 1));
            assert_eq!(project.file, None);
        }
        let empty = tempfile::tempdir().unwrap();
        assert_eq!(Project::beside(&empty.path().join("A.dtsx"), &LoadOptions::default()).unwrap(), None);
    }

    #[test]
    fn faults_name_the_file_and_the_place() {
        let folder = folder(None);
        std::fs::write(folder.path().join(PARAMETERS_FILE), "<SSIS:Parameters>").unwrap();
        let error = Project::beside(&folder.path().join("A.dtsx"), &LoadOptions::default()).unwrap_err();
        assert_eq!(error.name, "DTS_E_LOADPACKAGEXMLFILE");
        assert!(error.file.unwrap().ends_with(PARAMETERS_FILE));
        assert_eq!(error.line, 1);
    }
}
