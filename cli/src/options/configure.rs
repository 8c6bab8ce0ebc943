//! What is different this time: `/Set`, `/Connection`, `/ConfigFile`, `/Parameter`, checkpoints.

use super::words::parts;
use super::{Argument, Effect, OptionDef, Plain, Setting};

pub(super) const OPTIONS: &[OptionDef] = &[
    OptionDef {
        name: "Set",
        minimum: 3,
        argument: Argument::Required("propertyPath;value"),
        doc: "Sets a property, a variable, a parameter; may be repeated, the last one wins.",
        effect: Effect::Apply(set),
    },
    OptionDef {
        name: "Connection",
        minimum: 4,
        argument: Argument::Required("id_or_name;connection_string[;...]"),
        doc: "Sets the connection strings of connection managers.",
        effect: Effect::Apply(connection),
    },
    OptionDef {
        name: "ConfigFile",
        minimum: 4,
        argument: Argument::Required("filespec"),
        doc: "Applies a further XML configuration.",
        effect: Effect::Apply(|plain, value| {
            plain.settings.push(Setting::Configuration(value.to_owned()));
            Ok(())
        }),
    },
    OptionDef {
        name: "Parameter",
        minimum: 3,
        argument: Argument::Required("[$Package::|$Project::]name[(type)];value"),
        doc: "Sets a parameter of the package or the project.",
        effect: Effect::Apply(parameter),
    },
    OptionDef {
        name: "CheckFile",
        minimum: 6,
        argument: Argument::Optional("filespec"),
        doc: "Sets the file name of checkpoints.",
        effect: Effect::Apply(|plain, value| {
            set_package(plain, "CheckpointFileName", value);
            Ok(())
        }),
    },
    OptionDef {
        name: "CheckPointing",
        minimum: 6,
        argument: Argument::Optional("on|off"),
        doc: "Switches checkpoints off; on is not supported by this build.",
        effect: Effect::Apply(|plain, value| match value.to_ascii_lowercase().as_str() {
            "off" => {
                set_package(plain, "SaveCheckpoints", "False");
                Ok(())
            }
            "" | "on" => Err("checkpoints are not supported by this build".to_owned()),
            _ => Err(format!("\"{value}\" is neither on nor off")),
        }),
    },
    OptionDef {
        name: "Restart",
        minimum: 3,
        argument: Argument::Optional("deny|force|ifPossible"),
        doc: "Denies the use of checkpoints; the others are not supported by this build.",
        effect: Effect::Apply(|plain, value| match value.to_ascii_lowercase().as_str() {
            "deny" => {
                // CheckpointUsage Never.
                set_package(plain, "CheckpointUsage", "0");
                Ok(())
            }
            "" | "force" | "ifpossible" => Err("checkpoints are not supported by this build".to_owned()),
            _ => Err(format!("\"{value}\" is none of deny, force, ifPossible")),
        }),
    },
];

/// Sets a property of the package itself.
pub(super) fn set_package(plain: &mut Plain, property: &str, value: &str) {
    plain.settings.push(Setting::Property(format!(r"\Package.Properties[{property}]"), value.to_owned()));
}

/// `propertyPath;value`: the value is everything after the first semicolon outside brackets.
fn set(plain: &mut Plain, value: &str) -> Result<(), String> {
    let (path, value) = match parts(value).as_slice() {
        [(path, true), (value, _)] => (path.clone(), value.clone()),
        [(path, false), (text, true)] => (path.clone(), text.clone()),
        _ => {
            let at = semicolon_outside_brackets(value).ok_or("expected propertyPath;value")?;
            (value[..at].to_owned(), value[at + 1..].to_owned())
        }
    };
    if path.to_ascii_lowercase().starts_with("$sensitive::") {
        return Err("$Sensitive:: belongs to /ISServer, which is not supported by this build".to_owned());
    }
    if path.is_empty() {
        return Err("expected propertyPath;value".to_owned());
    }
    plain.settings.push(Setting::Property(path, value));
    Ok(())
}

fn semicolon_outside_brackets(text: &str) -> Option<usize> {
    let mut depth = 0usize;
    text.char_indices()
        .find(|(_, c)| {
            match c {
                '[' => depth += 1,
                ']' => depth = depth.saturating_sub(1),
                _ => {}
            }
            *c == ';' && depth == 0
        })
        .map(|(at, _)| at)
        .or_else(|| text.find(';'))
}

/// `name;string[;name;string…]`. A connection string without quotes goes on as long as parts have a `=`, as its own
/// semicolons are no separators.
fn connection(plain: &mut Plain, value: &str) -> Result<(), String> {
    let mut parts = parts(value).into_iter().peekable();
    while let Some((name, _)) = parts.next() {
        let Some((mut string, quoted)) = parts.next().filter(|_| !name.trim().is_empty()) else {
            return Err("expected id_or_name;connection_string".to_owned());
        };
        while !quoted && let Some((more, _)) = parts.next_if(|(p, q)| !q && (p.contains('=') || p.is_empty())) {
            string.push(';');
            string.push_str(&more);
        }
        plain.settings.push(Setting::Connection(name, string));
    }
    Ok(())
}

/// `[$Package::|$Project::]name[(type)];value`; without a scope, the package's.
fn parameter(plain: &mut Plain, value: &str) -> Result<(), String> {
    let (name, value) = value.split_once(';').ok_or("expected name;value")?;
    let value = super::unquote(value);
    let (name, type_name) = match name.strip_suffix(')').and_then(|n| n.rsplit_once('(')) {
        Some((name, type_name)) => (name, Some(type_name)),
        None => (name, None),
    };
    if let Some(type_name) = type_name {
        check_type(type_name, &value)?;
    }
    let name = match name.split_once("::") {
        None => format!("$Package::{name}"),
        Some((scope, _)) if scope.eq_ignore_ascii_case("$ServerOption") => {
            return Err("$ServerOption:: belongs to /ISServer, which is not supported by this build".to_owned());
        }
        Some((scope, name)) if scope.eq_ignore_ascii_case("$Package") => format!("$Package::{name}"),
        Some((scope, name)) if scope.eq_ignore_ascii_case("$Project") => format!("$Project::{name}"),
        Some((scope, _)) => return Err(format!("unknown scope \"{scope}::\"")),
    };
    plain.settings.push(Setting::Parameter(name, value));
    Ok(())
}

/// Whether a text is a value of a CLR type. The types are those that parameters can have.
fn check_type(type_name: &str, value: &str) -> Result<(), String> {
    let text = value.trim();
    let fits = match type_name.to_ascii_lowercase().as_str() {
        "string" | "datetime" | "decimal" => true,
        "boolean" => ["true", "false", "0", "1", "-1"].iter().any(|b| text.eq_ignore_ascii_case(b)),
        "sbyte" => text.parse::<i8>().is_ok(),
        "byte" => text.parse::<u8>().is_ok(),
        "int16" => text.parse::<i16>().is_ok(),
        "uint16" => text.parse::<u16>().is_ok(),
        "int32" => text.parse::<i32>().is_ok(),
        "uint32" => text.parse::<u32>().is_ok(),
        "int64" => text.parse::<i64>().is_ok(),
        "uint64" => text.parse::<u64>().is_ok(),
        "single" | "double" => text.parse::<f64>().is_ok(),
        _ => return Err(format!("unknown type \"{type_name}\"")),
    };
    if fits { Ok(()) } else { Err(format!("\"{value}\" is no {type_name}")) }
}
