//! The external columns of the package compared with what the database has.
//!
//! A column that an output takes and the database lacks, or has in a type from which there is no way to the declared one,
//! keeps the package from running (VS_NEEDSNEWMETADATA); other differences are warnings, each with its column.

use super::{Plan, fetch};
use crate::db::{ColumnInfo, ErrorKind};
use dtsx_engine::diag::{Diagnostic, codes};
use dtsx_engine::flow::{BindCx, ComponentSpec, OutputSpec};
use dtsx_engine::types::DataType;
use dtsx_engine::types::convert::can_cast;

/// Asks the database and reports what differs.
pub(super) fn validate(spec: &ComponentSpec, cx: &mut BindCx<'_>, plan: &Plan, output: &OutputSpec) {
    let columns = match fetch::describe(plan) {
        Ok(columns) => columns,
        Err(error) => {
            let acquired = !matches!(error.kind, ErrorKind::Connect | ErrorKind::NoDriver | ErrorKind::Lost);
            let error = if acquired { plan.failure(error) } else { plan.not_acquired(error) };
            cx.error(spec, error.code().unwrap_or(codes::DTS_E_OLEDBERROR), error.message());
            return;
        }
    };
    if columns.is_empty() {
        // A statement whose columns are known only when it runs (a procedure, a batch).
        return;
    }
    let before = cx.diagnostics.len();
    let mut differences = Vec::new();
    for (at, external) in output.external.iter().enumerate() {
        let taken = output.columns.iter().any(|c| c.external == Some(at));
        let found = fetch::find(&columns, &external.name).map(|place| &columns[place]);
        if let Some(problem) = compare(spec, external.name.as_str(), external.data_type, found, taken) {
            differences.push(problem);
        }
    }
    for column in &columns {
        if fetch::find_external(output, &column.name).is_none() {
            let code = codes::DTS_W_EXTERNALMETADATACOLUMNCOLLECTIONNEEDSADDITION;
            differences
                .push(Diagnostic::warning(code, &spec.path, code.message(&[&column.name])).with_column(&column.name));
        }
    }
    if differences.is_empty() {
        return;
    }
    let code = codes::DTS_W_EXTERNALMETADATACOLUMNSOUTOFSYNC;
    let list: Vec<&str> = differences.iter().map(|d| d.message.as_str()).collect();
    cx.warning(spec, code, code.message(&[&spec.name, &list.join(" ")]));
    for problem in differences.into_iter().filter(Diagnostic::is_error) {
        cx.diagnostics.push(problem.with_span(spec.span));
    }
    if cx.diagnostics[before..].iter().any(Diagnostic::is_error) {
        let code = codes::DTS_E_INDIVIDUALVALIDATIONSTATUSFAILED;
        cx.error(spec, code, code.message(&[&spec.name, &"VS_NEEDSNEWMETADATA"]));
    }
}

/// What differs in one external column.
fn compare(
    spec: &ComponentSpec,
    name: &str,
    declared: DataType,
    found: Option<&ColumnInfo>,
    taken: bool,
) -> Option<Diagnostic> {
    let Some(found) = found else {
        let code = codes::DTS_W_EXTERNALMETADATACOLUMNCOLLECTIONNEEDSREMOVAL;
        let subject = format!("external column \"{name}\"");
        let message = code.message(&[&subject]);
        let problem = if taken {
            let code = codes::DTS_E_COLUMNMAPPEDTONONEXISTENTEXTERNALMETADATACOLUMN;
            let message = format!("{message} {}", code.message(&[&subject]));
            Diagnostic::error(code, &spec.path, message)
        } else {
            Diagnostic::warning(code, &spec.path, message)
        };
        return Some(problem.with_column(name));
    };
    let (there, native) = (found.data_type, &found.native);
    if same_kind(there, declared) {
        return None;
    }
    let shown = if native.is_empty() { there.to_string() } else { format!("{there} ({native})") };
    let code = codes::DTS_W_EXTERNALMETADATACOLUMNCOLLECTIONNEEDSUPDATE;
    let message = format!("{} It is {declared} in the package and {shown} in the database.", code.message(&[&name]));
    let problem = match reachable(there, declared) || !taken {
        true => Diagnostic::warning(code, &spec.path, message),
        false => Diagnostic::error(codes::DTS_E_CANNOTCONVERTTYPES, &spec.path, message),
    };
    Some(problem.with_column(name))
}

/// Whether two types differ at most in what databases of different makes call the same: the width of a text without
/// limit, one or the other kind of string, the precision of a time.
fn same_kind(there: DataType, declared: DataType) -> bool {
    use DataType as T;
    if there == declared {
        return true;
    }
    match (there, declared) {
        (T::WStr { len: a } | T::Str { len: a, .. }, T::WStr { len: b } | T::Str { len: b, .. }) => a <= b,
        (T::NText | T::Text { .. }, T::NText | T::Text { .. }) => true,
        _ => false,
    }
}

/// Whether values of the one type can become values of the other.
pub(super) fn reachable(from: DataType, to: DataType) -> bool {
    from == to || can_cast(&crate::shared::castable(from), &to)
}
