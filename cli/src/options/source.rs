//! Which package: `/File`, `/Project`, `/Package`, `/Decrypt`, and the stores that this build does not have.

use super::{Argument, Effect, OptionDef};

pub(super) const OPTIONS: &[OptionDef] = &[
    OptionDef {
        name: "File",
        minimum: 1,
        argument: Argument::Required("filespec"),
        doc: "The package file.",
        effect: Effect::Apply(|plain, value| {
            if plain.file.is_some() {
                return Err("given twice; one package at a time".to_owned());
            }
            plain.file = Some(not_empty(value)?);
            Ok(())
        }),
    },
    OptionDef {
        name: "Project",
        minimum: 4,
        argument: Argument::Required("project"),
        doc: "The project (.ispac or .dtproj) that /Package is in.",
        effect: Effect::Apply(|plain, value| {
            plain.project = Some(not_empty(value)?);
            Ok(())
        }),
    },
    OptionDef {
        name: "Package",
        minimum: 4,
        argument: Argument::Required("name"),
        doc: "The package in /Project.",
        effect: Effect::Apply(|plain, value| {
            plain.package = Some(not_empty(value)?);
            Ok(())
        }),
    },
    OptionDef {
        name: "Decrypt",
        minimum: 2,
        argument: Argument::Required("password"),
        doc: "The password of an encrypted package.",
        effect: Effect::Apply(|plain, value| {
            plain.password = Some(value.to_owned());
            Ok(())
        }),
    },
    OptionDef {
        name: "SQL",
        minimum: 2,
        argument: Argument::Required("path"),
        doc: "A package in msdb.",
        effect: Effect::Refused,
    },
    OptionDef {
        name: "Dts",
        minimum: 1,
        argument: Argument::Required("path"),
        doc: "A package in the package store.",
        effect: Effect::Refused,
    },
    OptionDef {
        name: "ISServer",
        minimum: 8,
        argument: Argument::Required("path"),
        doc: "A package in the catalog of a server.",
        effect: Effect::Refused,
    },
    OptionDef {
        name: "Server",
        minimum: 3,
        argument: Argument::Required("server"),
        doc: "The server of /SQL, /Dts, /ISServer.",
        effect: Effect::Refused,
    },
    OptionDef {
        name: "User",
        minimum: 1,
        argument: Argument::Required("name"),
        doc: "The user of /SQL.",
        effect: Effect::Refused,
    },
    OptionDef {
        name: "Password",
        minimum: 1,
        argument: Argument::Optional("password"),
        doc: "The password of /User.",
        effect: Effect::Refused,
    },
    OptionDef {
        name: "EnvReference",
        minimum: 3,
        argument: Argument::Required("id"),
        doc: "The environment of /ISServer.",
        effect: Effect::Refused,
    },
];

fn not_empty(value: &str) -> Result<String, String> {
    if value.trim().is_empty() { Err("the value is empty".to_owned()) } else { Ok(value.to_owned()) }
}
