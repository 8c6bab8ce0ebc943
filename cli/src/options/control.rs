//! Whether and how it runs: `/Validate`, `/WarnAsError`, `/Verify…`, `/MaxConcurrent`.

use super::configure::set_package;
use super::{Argument, Effect, OptionDef};

pub(super) const OPTIONS: &[OptionDef] = &[
    OptionDef {
        name: "Validate",
        minimum: 2,
        argument: Argument::None,
        doc: "Stops after validation.",
        effect: Effect::Apply(|plain, _| {
            plain.validate = true;
            Ok(())
        }),
    },
    OptionDef {
        name: "WarnAsError",
        minimum: 1,
        argument: Argument::None,
        doc: "A warning during validation fails the package.",
        effect: Effect::Apply(|plain, _| {
            plain.warn_as_error = true;
            Ok(())
        }),
    },
    OptionDef {
        name: "MaxConcurrent",
        minimum: 1,
        argument: Argument::Required("number"),
        doc: "How many executables run at the same time; -1: processors + 2.",
        effect: Effect::Apply(|plain, value| match value.trim().parse::<i64>() {
            Ok(n) if n >= -1 => {
                set_package(plain, "MaxConcurrentExecutables", value.trim());
                Ok(())
            }
            _ => Err(format!("\"{value}\" is neither a number of executables nor -1")),
        }),
    },
    OptionDef {
        name: "VerifyBuild",
        minimum: 7,
        argument: Argument::Required("major[;minor[;build]]"),
        doc: "Runs the package only if it has this version.",
        effect: Effect::Apply(|plain, value| {
            let numbers = value.split(';').map(|n| n.trim().parse::<i64>()).collect::<Result<Vec<_>, _>>();
            match numbers {
                Ok(numbers) if numbers.len() <= 3 => {
                    plain.verify_build = numbers;
                    Ok(())
                }
                _ => Err("expected major[;minor[;build]]".to_owned()),
            }
        }),
    },
    OptionDef {
        name: "VerifyPackageID",
        minimum: 7,
        argument: Argument::Required("guid"),
        doc: "Runs the package only if it has this id.",
        effect: Effect::Apply(|plain, value| {
            plain.verify_package_id = Some(guid(value)?);
            Ok(())
        }),
    },
    OptionDef {
        name: "VerifyVersionID",
        minimum: 7,
        argument: Argument::Required("guid"),
        doc: "Runs the package only if it has this version id.",
        effect: Effect::Apply(|plain, value| {
            plain.verify_version_id = Some(guid(value)?);
            Ok(())
        }),
    },
    OptionDef {
        name: "VerifySigned",
        minimum: 7,
        argument: Argument::None,
        doc: "Runs the package only if its signature is valid.",
        effect: Effect::Refused,
    },
];

/// A GUID in braces and capital letters, however it was written.
pub(crate) fn guid(text: &str) -> Result<String, String> {
    let digits = text.trim().trim_start_matches('{').trim_end_matches('}');
    let lengths: Vec<usize> = digits.split('-').map(str::len).collect();
    if lengths == [8, 4, 4, 4, 12] && digits.bytes().all(|b| b == b'-' || b.is_ascii_hexdigit()) {
        Ok(format!("{{{}}}", digits.to_ascii_uppercase()))
    } else {
        Err(format!("\"{text}\" is no GUID"))
    }
}
