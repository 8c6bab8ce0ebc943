//! Property paths: `\Package\Seq\Task.Properties[Name]` and what they set.
//!
//! Configurations, `--set` and the API name what they change by such a path; it is applied to the plan.

use dtsx_engine::control::plan::{ExecutableKind, PackagePlan};
use dtsx_engine::diag::{Code, codes};
use dtsx_engine::props::Origin;

/// Why a path could not be applied.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Refused {
    pub code: Code,
    pub message: String,
}

fn not_found(path: &str) -> Refused {
    let code = codes::DTS_W_CANNOTFINDOBJECT;
    Refused { code, message: code.message(&[&path]) }
}

/// A step of a suffix: `.Properties[Name]` is ("Properties", Some("Name")), `.Value` is ("Value", None).
fn steps(suffix: &str) -> Option<Vec<(&str, Option<&str>)>> {
    let mut steps = Vec::new();
    let mut rest = suffix;
    while !rest.is_empty() {
        rest = rest.strip_prefix('.')?;
        let end = rest.find(['.', '[']).unwrap_or(rest.len());
        let name = &rest[..end];
        rest = &rest[end..];
        let mut argument = None;
        if rest.starts_with('[') {
            // Brackets nest: `.Properties[[Lookup].[SqlCommand]]`.
            let mut depth = 0usize;
            let close = rest.char_indices().find_map(|(at, c)| {
                match c {
                    '[' => depth += 1,
                    ']' => depth -= 1,
                    _ => {}
                }
                (depth == 0).then_some(at)
            })?;
            argument = Some(&rest[1..close]);
            rest = &rest[close + 1..];
        }
        steps.push((name, argument));
    }
    Some(steps)
}

/// Sets what `path` names to `value`.
///
/// The root is the literal `\Package` in any letter case; the names of objects are matched exactly.
pub(super) fn set(plan: &mut PackagePlan, path: &str, value: &str, origin: Origin) -> Result<(), Refused> {
    let trimmed = path.trim();
    let Some(inner) = trimmed.strip_prefix('\\') else {
        let code = codes::DTS_W_CONFIGFORMATINVALID_PACKAGEDELIMITER;
        return Err(Refused { code, message: code.message(&[&path]) });
    };
    // The longest executable whose path begins this one, at the border of a suffix: names may hold dots.
    let tail = |p: &str| p.get("\\Package".len()..).map(str::to_owned);
    let rest = inner.get(.."Package".len()).filter(|root| root.eq_ignore_ascii_case("Package"));
    let rest = rest.map(|root| &inner[root.len()..]).ok_or_else(|| not_found(path))?;
    let owner = plan
        .executables
        .iter()
        .enumerate()
        .filter_map(|(i, e)| Some((i, rest.strip_prefix(tail(&e.path)?.as_str())?)))
        .filter(|(_, suffix)| suffix.starts_with('.'))
        .min_by_key(|(_, suffix)| suffix.len());
    let (owner, suffix) = owner.ok_or_else(|| not_found(path))?;
    let steps = steps(suffix).ok_or_else(|| {
        let code = codes::DTS_W_CONFIGFORMATINVALID;
        Refused { code, message: code.message(&[&path]) }
    })?;
    apply(plan, owner, &steps, value, origin, path)
}

fn apply(
    plan: &mut PackagePlan,
    owner: usize,
    steps: &[(&str, Option<&str>)],
    value: &str,
    origin: Origin,
    path: &str,
) -> Result<(), Refused> {
    let lower: Vec<String> = steps.iter().map(|(name, _)| name.to_ascii_lowercase()).collect();
    let lower: Vec<&str> = lower.iter().map(String::as_str).collect();
    match (lower.as_slice(), steps) {
        (["variables", ..], [(_, Some(name)), last @ ..]) => {
            let property = last_name(last).ok_or_else(|| not_found(path))?;
            set_variable(plan, owner, name, property, value, path)
        }
        (["connections", ..], [(_, Some(name)), last @ ..]) => {
            let property = last_name(last).ok_or_else(|| not_found(path))?;
            let found =
                plan.connections.iter_mut().find(|c| c.spec.name == *name || c.spec.id.eq_ignore_ascii_case(name));
            let connection = found.ok_or_else(|| not_found(path))?;
            connection.spec.properties.set_text(property, value, origin);
            Ok(())
        }
        (["foreachenumerator", ..], [_, last @ ..]) => {
            let property = last_name(last).ok_or_else(|| not_found(path))?;
            let ExecutableKind::ForeachLoop(foreach) = &mut plan.executables[owner].kind else {
                return Err(not_found(path));
            };
            foreach.enumerator.properties.set_text(property, value, origin);
            Ok(())
        }
        (["logproviders", ..], [(_, Some(name)), last @ ..]) => {
            let provider = plan.log_providers.iter_mut().find(|p| p.name == *name);
            let provider = provider.ok_or_else(|| not_found(path))?;
            match last_name(last) {
                Some(p) if p.eq_ignore_ascii_case("ConfigString") => value.clone_into(&mut provider.config_string),
                _ => return Err(not_found(path)),
            }
            Ok(())
        }
        (["properties"], [(_, Some(property))]) => set_property(plan, owner, property, value, origin, path),
        ([_], [(property, None)]) => set_property(plan, owner, property, value, origin, path),
        _ => Err(not_found(path)),
    }
}

/// `.Properties[Value]` or `.Value`.
fn last_name<'a>(steps: &[(&'a str, Option<&'a str>)]) -> Option<&'a str> {
    match steps {
        [(properties, Some(name))] if properties.eq_ignore_ascii_case("Properties") => Some(name),
        [(name, None)] => Some(name),
        _ => None,
    }
}

fn set_variable(
    plan: &mut PackagePlan,
    owner: usize,
    name: &str,
    property: &str,
    value: &str,
    path: &str,
) -> Result<(), Refused> {
    let convert_failed = |error: dtsx_engine::diag::Error| {
        let code = codes::DTS_W_PROCESSCONFIGURATIONFAILEDSET;
        Refused { code, message: format!("{} {error}", code.message(&[&path])) }
    };
    if let Some((namespace, short)) = name.split_once("::").filter(|(n, _)| n.starts_with('$')) {
        let found = plan.parameters.iter_mut().find(|p| p.namespace == namespace && p.name == short);
        let parameter = found.ok_or_else(|| not_found(path))?;
        parameter.value = parameter.data_type.parse(value).map_err(convert_failed)?;
        parameter.required = false;
        return Ok(());
    }
    let matches = |v: &dtsx_engine::control::plan::VariablePlan| match name.split_once("::") {
        Some((namespace, short)) => v.namespace == namespace && v.name == short,
        None => v.name == name,
    };
    let variable = plan.executables[owner].variables.iter_mut().find(|v| matches(v)).ok_or_else(|| not_found(path))?;
    match property.to_ascii_lowercase().as_str() {
        "value" => variable.value = variable.data_type.parse(value).map_err(convert_failed)?,
        "expression" => variable.expression = Some(value.to_owned()).filter(|e| !e.is_empty()),
        "evaluateasexpression" => {
            if dtsx_engine::props::parse_bool(value) == Some(false) {
                variable.expression = None;
            }
        }
        "readonly" => variable.read_only = dtsx_engine::props::parse_bool(value).unwrap_or(variable.read_only),
        "description" => value.clone_into(&mut variable.description),
        _ => return Err(not_found(path)),
    }
    Ok(())
}

fn set_property(
    plan: &mut PackagePlan,
    owner: usize,
    property: &str,
    value: &str,
    origin: Origin,
    path: &str,
) -> Result<(), Refused> {
    let executable = &mut plan.executables[owner];
    match &mut executable.kind {
        ExecutableKind::ForLoop(spec) => match property.to_ascii_lowercase().as_str() {
            "initexpression" => value.clone_into(&mut spec.init),
            "evalexpression" => value.clone_into(&mut spec.eval),
            "assignexpression" => value.clone_into(&mut spec.assign),
            _ => {}
        },
        ExecutableKind::Task(task) => {
            if let Some((component, name)) = component_property(property) {
                let flow = task.flow.as_mut().ok_or_else(|| not_found(path))?;
                let found = flow.components.iter_mut().find(|c| c.name == component);
                found.ok_or_else(|| not_found(path))?.properties.set_text(name, value, origin);
                return Ok(());
            }
            task.properties.set_text(property, value, origin);
        }
        _ => {}
    }
    executable.properties.set_text(property, value, origin);
    Ok(())
}

/// `[Component].[Property]`.
fn component_property(property: &str) -> Option<(&str, &str)> {
    property.strip_prefix('[')?.strip_suffix(']')?.split_once("].[")
}

#[cfg(test)]
mod tests {
    use super::*;
    use dtsx_engine::control::plan::{ConnectionPlan, ExecutablePlan, VariablePlan};
    use dtsx_engine::types::Value;
    use dtsx_engine::variables::VariableType;

    fn plan() -> PackagePlan {
        let mut plan = PackagePlan::default();
        let executable = |path: &str| ExecutablePlan { path: path.into(), ..ExecutablePlan::default() };
        plan.executables = vec![executable(r"\Package"), executable(r"\Package\A.B"), executable(r"\Package\A")];
        plan.executables[0].variables.push(VariablePlan {
            namespace: "User".into(),
            name: "N".into(),
            data_type: VariableType::Int32,
            ..VariablePlan::default()
        });
        let mut connection = ConnectionPlan::default();
        connection.spec.name = "File.csv".into();
        plan.connections.push(connection);
        plan
    }

    #[test]
    fn paths_name_variables_connections_and_properties() {
        let mut p = plan();
        let set = |p: &mut PackagePlan, path: &str, value: &str| super::set(p, path, value, Origin::Override);
        assert_eq!(set(&mut p, r"\package.Variables[User::N].Value", "42"), Ok(()));
        assert_eq!(p.executables[0].variables[0].value, Value::I4(42));
        assert_eq!(set(&mut p, r"\Package.Variables[N].Properties[Value]", "7"), Ok(()));
        assert_eq!(p.executables[0].variables[0].value, Value::I4(7));
        assert_eq!(set(&mut p, r"\Package.Connections[File.csv].Properties[ConnectionString]", "/x"), Ok(()));
        assert_eq!(p.connections[0].spec.connection_string(), "/x");
        assert_eq!(set(&mut p, r"\Package\A.B.Disable", "True"), Ok(()));
        assert_eq!(p.executables[1].properties.bool("Disable"), Some(true));
        assert_eq!(p.executables[2].properties.bool("Disable"), None);
    }

    #[test]
    fn what_is_not_there_is_refused() {
        for (path, code) in [
            (r"\Package.Variables[User::M].Value", 0x8001_2017),
            (r"\Package\Nowhere.Properties[X]", 0x8001_2017),
            (r"Package.Variables[User::N].Value", 0x8001_2018),
            (r"\Package.Variables[User::N", 0x8001_2019),
        ] {
            let refused = set(&mut plan(), path, "1", Origin::Override).unwrap_err();
            assert_eq!(refused.code.0, code, "{path}");
        }
        let refused = set(&mut plan(), r"\Package.Variables[User::N].Value", "abc", Origin::Override).unwrap_err();
        assert_eq!(refused.code.0, 0x8001_2028);
    }

    #[test]
    fn brackets_nest() {
        assert_eq!(
            steps(".Properties[[Lookup].[SqlCommand]]"),
            Some(vec![("Properties", Some("[Lookup].[SqlCommand]"))])
        );
        assert_eq!(component_property("[Lookup].[SqlCommand]"), Some(("Lookup", "SqlCommand")));
    }
}
