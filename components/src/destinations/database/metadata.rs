//! The external columns of the package compared with those of the table.
//!
//! A column that is written and that the table lacks, or has in a type that no value of the package's gets into, keeps the
//! package from running (VS_NEEDSNEWMETADATA). Types that differ only as databases of different makes do are no matter.

use super::Plan;
use crate::db::{ColumnInfo, ErrorKind, Outcome, Relation};
use crate::shared::castable;
use dtsx_engine::diag::{Diagnostic, codes};
use dtsx_engine::flow::{BindCx, ComponentSpec, InputSpec};
use dtsx_engine::types::DataType;
use dtsx_engine::types::convert::can_cast;

/// The column of that name, letter case ignored if need be.
pub(super) fn find<'c>(columns: &'c [ColumnInfo], name: &str) -> Option<&'c ColumnInfo> {
    let exact = columns.iter().find(|c| c.name == name);
    exact.or_else(|| columns.iter().find(|c| c.name.eq_ignore_ascii_case(name)))
}

fn describe(plan: &Plan) -> Outcome<Vec<ColumnInfo>> {
    let Some(database) = &plan.database else { return Ok(Vec::new()) };
    // Looking at the table makes nobody take part in a transaction.
    database.clone().for_reading().lease()?.describe(&Relation::Table(&plan.table))
}

/// Asks the database and reports what differs.
pub(super) fn validate(spec: &ComponentSpec, cx: &mut BindCx<'_>, plan: &Plan, input: &InputSpec) {
    let columns = match describe(plan) {
        Ok(columns) => columns,
        Err(error) => {
            let acquired = !matches!(error.kind, ErrorKind::Connect | ErrorKind::NoDriver | ErrorKind::Lost);
            let error = match &plan.database {
                Some(database) if !acquired => crate::connections::database::not_acquired(database.name(), &error),
                _ => plan.words.failure(plan, error),
            };
            cx.error(spec, error.code().unwrap_or(codes::DTS_E_OLEDBERROR), error.message());
            return;
        }
    };
    let mut differences: Vec<Diagnostic> = Vec::new();
    for (at, external) in input.external.iter().enumerate() {
        let mapped = input.columns.iter().any(|c| c.external == Some(at));
        let found = find(&columns, &external.name);
        differences.extend(compare(spec, plan, &external.name, external.data_type, found, mapped));
    }
    for column in &columns {
        let external = input.external.iter().position(|e| e.name.eq_ignore_ascii_case(&column.name));
        let mapped = external.is_some_and(|at| input.columns.iter().any(|c| c.external == Some(at)));
        if external.is_none() {
            let code = codes::DTS_W_EXTERNALMETADATACOLUMNCOLLECTIONNEEDSADDITION;
            let message = code.message(&[&column.name]);
            differences.push(Diagnostic::warning(code, &spec.path, message).with_column(&column.name));
        }
        if !mapped && column.nullable == Some(false) && column.default.is_none() && !column.generated {
            let code = codes::DTS_W_UNMAPPEDOUTPUTCOLUMN;
            let message = format!(
                "{} It takes no NULL and has no default: the database refuses every row.",
                code.message(&[&format!("column \"{}\" of {}", column.name, plan.spelled)])
            );
            let warning = Diagnostic::warning(code, &spec.path, message).with_column(&column.name);
            cx.diagnostics.push(warning.with_span(spec.span));
        }
    }
    if differences.is_empty() {
        return;
    }
    let code = codes::DTS_W_EXTERNALMETADATACOLUMNSOUTOFSYNC;
    let list: Vec<&str> = differences.iter().map(|d| d.message.as_str()).collect();
    cx.warning(spec, code, code.message(&[&spec.name, &list.join(" ")]));
    let errors: Vec<Diagnostic> = differences.into_iter().filter(Diagnostic::is_error).collect();
    if !errors.is_empty() {
        cx.diagnostics.extend(errors.into_iter().map(|problem| problem.with_span(spec.span)));
        let code = codes::DTS_E_INDIVIDUALVALIDATIONSTATUSFAILED;
        cx.error(spec, code, code.message(&[&spec.name, &"VS_NEEDSNEWMETADATA"]));
    }
}

/// What differs in one external column.
fn compare(
    spec: &ComponentSpec,
    plan: &Plan,
    name: &str,
    declared: DataType,
    found: Option<&ColumnInfo>,
    mapped: bool,
) -> Option<Diagnostic> {
    let subject = format!("external column \"{name}\"");
    let problem = match found {
        None => {
            let code = codes::DTS_W_EXTERNALMETADATACOLUMNCOLLECTIONNEEDSREMOVAL;
            let message = code.message(&[&subject]);
            if !mapped {
                Diagnostic::warning(code, &spec.path, message)
            } else if plan.words == super::Words::AdoNet {
                let code = codes::DTS_E_ADODESTEXTERNALCOLNOTEXIST;
                Diagnostic::error(code, &spec.path, code.message(&[&subject]))
            } else {
                let code = codes::DTS_E_COLUMNMAPPEDTONONEXISTENTEXTERNALMETADATACOLUMN;
                Diagnostic::error(code, &spec.path, format!("{message} {}", code.message(&[&subject])))
            }
        }
        Some(found) if !mapped || reachable(declared, found.data_type) => return None,
        Some(found) => {
            let code = codes::DTS_E_CANTINSERTCOLUMNTYPE;
            let there = match found.native.as_str() {
                "" => found.data_type.to_string(),
                native => format!("{} ({native})", found.data_type),
            };
            Diagnostic::error(code, &spec.path, code.message(&[&name, &declared, &there]))
        }
    };
    Some(problem.with_column(name))
}

/// Whether values of the one type can become values of the other, as far as types tell: text may hold anything.
fn reachable(from: DataType, to: DataType) -> bool {
    from == to || can_cast(&castable(from), &castable(to))
}
