//! Precedence constraints: when one holds, and when what it leads to may run.

use super::plan::{ConstraintPlan, ConstraintValue, EvalOp};
use super::task::ExecResult;

/// What the constraints into an executable say together.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Run it now.
    Run,
    /// It depends on executables that have not ended.
    Wait,
    /// It can never run.
    Never,
}

/// Whether a constraint of this kind wants this result.
pub fn wants(value: ConstraintValue, result: ExecResult) -> bool {
    match value {
        ConstraintValue::Success => result == ExecResult::Success,
        ConstraintValue::Failure => result == ExecResult::Failure,
        ConstraintValue::Completion => true,
        ConstraintValue::Canceled => result == ExecResult::Canceled,
    }
}

/// Whether the constraint holds after its executable ended with `result`. The expression is evaluated only if it decides.
///
/// # Errors
/// Those of the expression.
pub fn holds<E>(
    constraint: &ConstraintPlan,
    result: ExecResult,
    expression: impl FnOnce(&str) -> Result<bool, E>,
) -> Result<bool, E> {
    let wanted = wants(constraint.value, result);
    let text = constraint.expression.as_str();
    match constraint.eval_op {
        EvalOp::Constraint => Ok(wanted),
        EvalOp::Expression => expression(text),
        EvalOp::ExpressionAndConstraint => Ok(wanted && expression(text)?),
        EvalOp::ExpressionOrConstraint => Ok(wanted || expression(text)?),
    }
}

/// The verdict over the constraints into one executable, each as (LogicalAnd, what it said; None: not yet evaluated).
///
/// Constraints that are joined by AND must all hold, once all their executables have ended. Of those joined by OR one is
/// enough, as soon as it holds. In a mixture both rules apply (the designer makes none).
pub fn verdict(incoming: impl IntoIterator<Item = (bool, Option<bool>)>) -> Verdict {
    let (mut all_and, mut any_or, mut has_or, mut or_open) = (Some(true), false, false, false);
    for (logical_and, said) in incoming {
        if logical_and {
            all_and = match (all_and, said) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (None, _) | (_, None) => None,
                (Some(true), Some(true)) => Some(true),
            };
        } else {
            has_or = true;
            any_or |= said == Some(true);
            or_open |= said.is_none();
        }
    }
    match (all_and, any_or || !has_or) {
        (Some(false), _) => Verdict::Never,
        (Some(true), true) => Verdict::Run,
        (_, false) if !or_open => Verdict::Never,
        _ => Verdict::Wait,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ExecResult::*;

    #[test]
    fn truth_table_of_one_constraint() {
        let c = |value, eval_op| ConstraintPlan { value, eval_op, ..Default::default() };
        use {ConstraintValue as V, EvalOp as E};
        for (value, op, result, expression, expected) in [
            (V::Success, E::Constraint, Success, false, true),
            (V::Success, E::Constraint, Failure, true, false),
            (V::Failure, E::Constraint, Failure, false, true),
            (V::Failure, E::Constraint, Success, true, false),
            (V::Completion, E::Constraint, Success, false, true),
            (V::Completion, E::Constraint, Failure, false, true),
            (V::Success, E::Expression, Failure, true, true),
            (V::Success, E::Expression, Success, false, false),
            (V::Success, E::ExpressionAndConstraint, Success, true, true),
            (V::Success, E::ExpressionAndConstraint, Success, false, false),
            (V::Success, E::ExpressionAndConstraint, Failure, true, false),
            (V::Success, E::ExpressionOrConstraint, Failure, true, true),
            (V::Success, E::ExpressionOrConstraint, Success, false, true),
            (V::Success, E::ExpressionOrConstraint, Failure, false, false),
        ] {
            let said = holds(&c(value, op), result, |_| Ok::<_, ()>(expression));
            assert_eq!(said, Ok(expected), "{value:?} {op:?} {result:?} {expression}");
        }
    }

    #[test]
    fn an_expression_that_decides_nothing_is_not_evaluated() {
        let c = ConstraintPlan { eval_op: EvalOp::ExpressionAndConstraint, ..Default::default() };
        assert_eq!(holds(&c, Failure, |_| Err("evaluated")), Ok(false));
        assert_eq!(holds(&c, Success, |_| Err::<bool, _>("evaluated")), Err("evaluated"));
    }

    #[test]
    fn verdicts_of_groups() {
        let (t, f, o) = (Some(true), Some(false), None);
        for (and, said, expected) in [
            (true, vec![], Verdict::Run),
            (true, vec![t], Verdict::Run),
            (true, vec![t, o], Verdict::Wait),
            (true, vec![f, o], Verdict::Never),
            (true, vec![t, t], Verdict::Run),
            (false, vec![o, o], Verdict::Wait),
            (false, vec![f, o], Verdict::Wait),
            (false, vec![f, t], Verdict::Run),
            (false, vec![o, t], Verdict::Run),
            (false, vec![f, f], Verdict::Never),
        ] {
            assert_eq!(verdict(said.iter().map(|s| (and, *s))), expected, "{and} {said:?}");
        }
        assert_eq!(verdict([(true, t), (false, f), (false, o)]), Verdict::Wait);
        assert_eq!(verdict([(true, t), (false, f), (false, t)]), Verdict::Run);
        assert_eq!(verdict([(true, f), (false, t)]), Verdict::Never);
    }
}
