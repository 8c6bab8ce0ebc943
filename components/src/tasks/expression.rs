//! Expression Task: evaluates one assignment.
//!
//! ```text
//! Expression = @[User::Total] = @[User::Total] + 1
//! ```
//! The result is converted to the variable's type; the assignments of parallel tasks come one after the other.

use super::setting;
use dtsx_engine::control::plan::TaskSpec;
use dtsx_engine::control::{Task, TaskBindCx, TaskCx, TaskKind, TaskOutcome};
use dtsx_engine::diag::{Result, codes};
use dtsx_engine::props::{PropertyDef, PropertyType};

/// `Microsoft.ExpressionTask`.
pub struct ExpressionTaskKind;

impl TaskKind for ExpressionTaskKind {
    fn kind(&self) -> &'static str {
        "Microsoft.ExpressionTask"
    }

    fn title(&self) -> &'static str {
        "Expression Task"
    }

    fn properties(&self) -> &'static [PropertyDef] {
        &[PropertyDef {
            name: "Expression",
            ty: PropertyType::Expression,
            default: "",
            doc: "The assignment, `@[Namespace::Variable] = expression`.",
        }]
    }

    fn bind(&self, spec: &TaskSpec, cx: &mut TaskBindCx<'_>) -> Option<Box<dyn Task>> {
        let expression = setting(spec, "Expression", "Expression").unwrap_or("").to_owned();
        if expression.trim().is_empty() {
            let code = codes::DTS_E_TASKVALIDATIONERROR;
            cx.error(&spec.path, spec.span, code, "The task has no expression.");
            return None;
        }
        if let Err(error) = cx.variables.check_assignment(&expression) {
            let code = error.code().unwrap_or(codes::DTS_E_TASKVALIDATIONERROR);
            cx.error(&spec.path, spec.span, code, error.message());
            return None;
        }
        Some(Box::new(ExpressionTask { expression }))
    }
}

struct ExpressionTask {
    expression: String,
}

impl Task for ExpressionTask {
    fn execute(&self, cx: &TaskCx) -> Result<TaskOutcome> {
        cx.variables.assign(&self.expression)?;
        Ok(TaskOutcome::success())
    }
}

#[cfg(test)]
mod tests {
    use crate::tasks::kit::{Ran, Single};
    use dtsx_engine::types::Value;
    use dtsx_engine::variables::VariableType as T;

    fn run(expression: &str) -> Ran {
        Single::new("Microsoft.ExpressionTask", "ExpressionTask", &[("Expression", expression)])
            .variable("n", T::Int32, Value::I4(5))
            .variable("big", T::Int64, Value::I8(5))
            .variable("text", T::String, Value::text("a"))
            .variable("on", T::Boolean, Value::Bool(false))
            .variable("at", T::DateTime, Value::Null)
            .variable("any", T::Object, Value::Null)
            .run(|_| {})
    }

    #[test]
    fn the_result_takes_the_variables_type() {
        for (expression, variable, expected) in [
            ("@[User::n] = @[User::n] * 2 + 1", "n", Value::I4(11)),
            ("@n = (DT_I8) 7", "n", Value::I4(7)),
            ("@[User::big] = 1", "big", Value::I8(1)),
            ("@[User::text] = @[User::text] + \"b\" + (DT_WSTR, 10) @[User::n]", "text", Value::text("ab5")),
            ("@[User::text] = UPPER( @[System::PackageName] )", "text", Value::text("PACKAGE")),
            ("@[User::on] = @[User::n] > 3 && @[User::n] < 6", "on", Value::Bool(true)),
            ("@[User::at] = (DT_DBTIMESTAMP) \"1970-01-01 00:00:01\"", "at", Value::Timestamp(1_000_000)),
            ("@[User::any] = 1", "any", Value::I4(1)),
        ] {
            let ran = run(expression);
            assert!(ran.succeeded(), "{expression}: {:?}", ran.texts("OnError"));
            assert_eq!(ran.value(variable), expected, "{expression}");
        }
    }

    #[test]
    fn what_cannot_be_assigned_is_refused() {
        for (expression, code) in [
            ("", "0xC0024107"),
            ("@[User::n] = \"x\"", "0xC001F186"),
            ("@[User::Nothing] = 1", "0xC001F188"),
            ("@[System::PackageName] = \"x\"", "0xC001F187"),
        ] {
            let codes = run(expression).codes("OnError");
            let codes = if code == "0xC0024107" { vec![code.to_owned()] } else { codes };
            assert_eq!(codes, [code], "{expression}");
            assert!(!run(expression).succeeded(), "{expression}");
        }
        assert!(!run("1 + 1").succeeded());
        assert!(!run("@[User::n] = 1 / 0").succeeded());
        assert!(!run("@[User::n] = @[User::any]").succeeded());
    }
}
