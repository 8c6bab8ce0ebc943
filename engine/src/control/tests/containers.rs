//! Constraints, results, loops, parallel branches, cancellation.

use super::kit::*;
use crate::control::ExecResult::*;
use crate::control::plan::ConstraintValue as When;
use crate::control::plan::{EvalOp, PACKAGE};
use crate::types::Value;
use std::sync::atomic::Ordering;

const ERROR: &str = "log; error 0xC0010001";

#[test]
fn success_runs_in_the_order_of_constraints() {
    let mut plan = Plan::new();
    let c = plan.task(PACKAGE, "C", "log");
    let b = plan.task(PACKAGE, "B", "log");
    let a = plan.task(PACKAGE, "A", "log");
    plan.then(a, b, When::Success);
    plan.then(b, c, When::Success);
    let ran = plan.run();
    assert_eq!((ran.log().as_str(), ran.result()), ("A B C", Success));
}

#[test]
fn a_failure_takes_the_failure_path_and_fails_the_package() {
    let mut plan = Plan::new();
    let a = plan.task(PACKAGE, "A", "log; err");
    let good = plan.task(PACKAGE, "Good", "log");
    let bad = plan.task(PACKAGE, "Bad", "log");
    let any = plan.task(PACKAGE, "Any", "log");
    let after_good = plan.task(PACKAGE, "AfterGood", "log");
    plan.then(a, good, When::Success);
    plan.then(a, bad, When::Failure);
    plan.then(bad, any, When::Completion);
    plan.then(good, after_good, When::Completion);
    let ran = plan.run();
    assert_eq!((ran.log().as_str(), ran.result()), ("A Bad Any", Failure));
    assert_eq!(ran.texts("OnError"), ["no good"]);
}

#[test]
fn errors_count_for_every_ancestor() {
    for (package_maximum, sequence_maximum, expected) in
        [("1", "1", Failure), ("2", "2", Success), ("1", "0", Failure), ("0", "1", Success), ("3", "2", Success)]
    {
        let mut plan = Plan::new();
        let s = plan.sequence(PACKAGE, "S");
        plan.task(s, "A", ERROR);
        plan.set(PACKAGE, "MaximumErrorCount", package_maximum).set(s, "MaximumErrorCount", sequence_maximum);
        assert_eq!(plan.run().result(), expected, "package {package_maximum}, sequence {sequence_maximum}");
    }
}

#[test]
fn each_container_that_fails_by_its_count_says_so() {
    let mut plan = Plan::new();
    let s = plan.sequence(PACKAGE, "S");
    plan.task(s, "A", ERROR);
    let ran = plan.run();
    let warnings = ran.only(&["OnWarning"]);
    let expected = ["A", "S", "Package", "S", "Package", "Package"].map(|at| format!("OnWarning {at} 0x80019002"));
    assert_eq!(warnings, expected);
    assert!(ran.texts("OnWarning")[0].contains("the number of errors raised (1) reached the maximum allowed (1)"));
    assert_eq!(ran.only(&["OnTaskFailed"]), ["OnTaskFailed A"]);
}

#[test]
fn a_failure_without_an_error_fails_its_parent_only_on_request() {
    for (property, on_sequence, sequence_fails, package_fails) in [
        ("", false, false, false),
        ("FailParentOnFailure", false, true, false),
        ("FailPackageOnFailure", false, false, true),
        ("FailParentOnFailure", true, true, true),
    ] {
        let mut plan = Plan::new();
        let s = plan.sequence(PACKAGE, "S");
        let a = plan.task(s, "A", "fail");
        let no = plan.task(PACKAGE, "No", "log");
        plan.then(s, no, When::Failure);
        plan.set(a, property, "True");
        if on_sequence {
            plan.set(s, property, "True");
        }
        let ran = plan.run();
        assert_eq!(ran.log() == "No", sequence_fails, "{property} {on_sequence}");
        assert_eq!(ran.result() == Failure, package_fails, "{property} {on_sequence}");
    }
}

#[test]
fn a_forced_result_has_the_last_word() {
    for (actions, forced, expected) in
        [("err", "0", "Good"), ("log", "1", "log Bad"), ("err", "2", ""), ("log", "-1", "log Good")]
    {
        let mut plan = Plan::new();
        let a = plan.task(PACKAGE, "A", &actions.replace("log", "log log"));
        let good = plan.task(PACKAGE, "Good", "log");
        let bad = plan.task(PACKAGE, "Bad", "log");
        plan.then(a, good, When::Success);
        plan.then(a, bad, When::Failure);
        plan.set(a, "ForceExecutionResult", forced);
        assert_eq!(plan.run().log(), expected, "{actions} {forced}");
    }
}

#[test]
fn a_disabled_executable_counts_as_success_and_is_not_heard_of() {
    let mut plan = Plan::new();
    let a = plan.task(PACKAGE, "A", "log; invalid");
    let b = plan.task(PACKAGE, "B", "log");
    let s = plan.sequence(PACKAGE, "S");
    plan.task(s, "InS", "log");
    plan.then(a, b, When::Success);
    plan.then(b, s, When::Success);
    plan.set(a, "Disable", "True").set(s, "Disable", "-1");
    let ran = plan.run();
    assert_eq!((ran.log().as_str(), ran.result()), ("B", Success));
    assert!(!ran.recorder.events().iter().any(|e| e.at == "A" || e.at == "S"), "{:?}", ran.recorder.lines());
}

#[test]
fn or_needs_one_and_needs_all() {
    for (and, expected) in [(true, "A"), (false, "A D")] {
        let mut plan = Plan::new();
        let a = plan.task(PACKAGE, "A", "log");
        let b = plan.task(PACKAGE, "B", "err");
        let c = plan.task(PACKAGE, "D", "log");
        plan.then(a, b, When::Success);
        plan.then(a, c, When::Success).logical_and = and;
        plan.then(b, c, When::Success).logical_and = and;
        assert_eq!(plan.run().log(), expected);
    }
}

#[test]
fn or_runs_its_target_once() {
    let mut plan = Plan::new();
    let a = plan.task(PACKAGE, "A", "log");
    let b = plan.task(PACKAGE, "B", "log");
    let d = plan.task(PACKAGE, "D", "log");
    plan.then(a, d, When::Success).logical_and = false;
    plan.then(b, d, When::Success).logical_and = false;
    plan.set(PACKAGE, "MaxConcurrentExecutables", "1");
    let log = plan.run().log();
    assert_eq!(log.matches('D').count(), 1, "{log}");
}

#[test]
fn expressions_decide_with_and_without_the_result() {
    for (op, value, expression, expected) in [
        (EvalOp::Expression, When::Failure, "@X == 1", "A B"),
        (EvalOp::Expression, When::Success, "@X == 2", "A"),
        (EvalOp::ExpressionAndConstraint, When::Success, "@X == 1", "A B"),
        (EvalOp::ExpressionAndConstraint, When::Failure, "@X == 1", "A"),
        (EvalOp::ExpressionOrConstraint, When::Failure, "@X == 1", "A B"),
        (EvalOp::ExpressionOrConstraint, When::Failure, "@X == 2", "A"),
    ] {
        let mut plan = Plan::new();
        plan.int(PACKAGE, "X", 0);
        let a = plan.task(PACKAGE, "A", "log; set User::X = 1");
        let b = plan.task(PACKAGE, "B", "log");
        let constraint = plan.then(a, b, value);
        constraint.eval_op = op;
        constraint.expression = expression.into();
        assert_eq!(plan.run().log(), expected, "{op:?} {value:?} {expression}");
    }
}

#[test]
fn a_constraint_that_is_not_boolean_fails_validation() {
    let mut plan = Plan::new();
    let a = plan.task(PACKAGE, "A", "log");
    let b = plan.task(PACKAGE, "B", "log");
    let constraint = plan.then(a, b, When::Success);
    constraint.eval_op = EvalOp::Expression;
    constraint.expression = "1 + 1".into();
    let ran = plan.run();
    assert_eq!((ran.result(), ran.log().as_str()), (Failure, ""));
    assert_eq!(ran.only(&["OnError"]), ["OnError Package 0xC0014021"]);
}

#[test]
fn other_branches_go_on_after_a_failure() {
    let mut plan = Plan::new();
    let a = plan.task(PACKAGE, "A", "log; err");
    let b = plan.task(PACKAGE, "B", "log");
    let c = plan.task(PACKAGE, "C", "log");
    plan.then(b, c, When::Success);
    plan.set(PACKAGE, "MaxConcurrentExecutables", "1").set(a, "FailPackageOnFailure", "True");
    let ran = plan.run();
    let mut words: Vec<_> = ran.log().split(' ').map(str::to_owned).collect();
    words.sort();
    assert_eq!((words.join(" ").as_str(), ran.result()), ("A B C", Failure));
}

#[test]
fn independent_tasks_run_at_the_same_time() {
    let mut plan = Plan::new();
    plan.task(PACKAGE, "A", "meet; log ended");
    plan.task(PACKAGE, "B", "meet; log ended");
    assert_eq!(plan.run().log(), "ended ended");
}

#[test]
fn max_concurrent_executables_bounds_tasks_at_any_depth() {
    let _gauge = GAUGE.lock().unwrap_or_else(|e| e.into_inner());
    for limit in ["1", "2"] {
        MOST.store(0, Ordering::SeqCst);
        let mut plan = Plan::new();
        plan.set(PACKAGE, "MaxConcurrentExecutables", limit);
        for s in 0..3 {
            let s = plan.sequence(PACKAGE, &format!("S{s}"));
            for t in 0..3 {
                plan.task(s, &format!("T{t}"), "count");
            }
        }
        let ran = plan.run();
        assert_eq!(ran.result(), Success);
        assert!(MOST.load(Ordering::SeqCst) <= limit.parse().unwrap());
    }
}

#[test]
fn a_limit_of_zero_is_refused() {
    let mut plan = Plan::new();
    plan.task(PACKAGE, "A", "log");
    plan.set(PACKAGE, "MaxConcurrentExecutables", "0");
    let ran = plan.run();
    assert_eq!((ran.result(), ran.log().as_str()), (Failure, ""));
}

#[test]
fn cancellation_starts_nothing_more() {
    let mut plan = Plan::new();
    let s = plan.sequence(PACKAGE, "S");
    let a = plan.task(s, "A", "log; cancel");
    let b = plan.task(s, "B", "log");
    let c = plan.task(PACKAGE, "C", "log");
    plan.then(a, b, When::Completion);
    plan.then(s, c, When::Completion);
    let ran = plan.run();
    assert_eq!((ran.result(), ran.log().as_str()), (Canceled, "A"));
    assert_eq!(ran.only(&["PackageEnd"]), ["PackageEnd Package 3"]);
}

#[test]
fn a_task_that_panics_fails() {
    let mut plan = Plan::new();
    plan.task(PACKAGE, "A", "panic");
    let ran = plan.run();
    assert_eq!(ran.result(), Failure);
    assert!(ran.texts("OnError")[0].contains("by design"));
}

#[test]
fn for_loop_counts() {
    let mut plan = Plan::new();
    plan.int(PACKAGE, "i", 77);
    let l = plan.for_loop(PACKAGE, "Loop", "@i = 0", "@i < 3", "@i = @i + 1");
    plan.task(l, "T", "show User::i");
    let ran = plan.run();
    assert_eq!((ran.log().as_str(), ran.value("i"), ran.result()), ("0 1 2", Value::I4(3), Success));
}

#[test]
fn for_loop_that_never_holds_does_nothing() {
    let mut plan = Plan::new();
    let l = plan.for_loop(PACKAGE, "Loop", "", "FALSE", "");
    plan.task(l, "T", "log");
    let ran = plan.run();
    assert_eq!((ran.log().as_str(), ran.result()), ("", Success));
}

#[test]
fn for_loops_that_make_no_sense_are_refused() {
    for (init, eval, assign, code) in [
        ("", "", "", "0xC001F185"),
        ("", "1 + 1", "", "0xC0017005"),
        ("", "@Nothing < 1", "", "0xC0017005"),
        ("1 + 1", "FALSE", "", "0xC0017009"),
        ("", "FALSE", "@Nothing", "0xC0017008"),
    ] {
        let mut plan = Plan::new();
        plan.for_loop(PACKAGE, "Loop", init, eval, assign);
        let ran = plan.run();
        assert_eq!(ran.result(), Failure);
        assert_eq!(ran.only(&["OnError Loop"]), [format!("OnError Loop {code}")], "{init};{eval};{assign}");
    }
}

#[test]
fn a_loop_with_too_many_errors_starts_no_further_pass() {
    for (maximum, passes) in [("1", "T"), ("2", "T T"), ("0", "T T T")] {
        let mut plan = Plan::new();
        plan.int(PACKAGE, "i", 0);
        let l = plan.for_loop(PACKAGE, "Loop", "@i = 0", "@i < 3", "@i = @i + 1");
        plan.task(l, "T", ERROR);
        plan.set(l, "MaximumErrorCount", maximum);
        assert_eq!(plan.run().log(), passes);
        let mut plan = Plan::new();
        plan.int(PACKAGE, "i", 0);
        let l = plan.foreach(PACKAGE, "Loop", "1;2;3", &["User::i"]);
        plan.task(l, "T", ERROR);
        plan.set(l, "MaximumErrorCount", maximum);
        assert_eq!(plan.run().log(), passes);
    }
}

#[test]
fn foreach_maps_the_columns_of_each_item() {
    let mut plan = Plan::new();
    plan.int(PACKAGE, "n", 0);
    plan.variable(PACKAGE, "t", crate::variables::VariableType::String, Value::Null);
    let l = plan.foreach(PACKAGE, "Loop", "1,one;2,two", &["User::n", "User::t"]);
    plan.task(l, "T", "show User::t; show User::n");
    let ran = plan.run();
    assert_eq!((ran.log().as_str(), ran.result()), ("one 1 two 2", Success));
    assert_eq!((ran.value("n"), ran.value("t")), (Value::I4(2), Value::text("two")));
}

#[test]
fn foreach_over_nothing_succeeds() {
    let mut plan = Plan::new();
    let l = plan.foreach(PACKAGE, "Loop", "", &[]);
    plan.task(l, "T", "log");
    let ran = plan.run();
    assert_eq!((ran.log().as_str(), ran.result()), ("", Success));
}

#[test]
fn foreach_values_of_another_type_do_not_fit() {
    let mut plan = Plan::new();
    plan.int(PACKAGE, "n", 0);
    let l = plan.foreach(PACKAGE, "Loop", "text", &["User::n"]);
    plan.task(l, "T", "log");
    let ran = plan.run();
    assert_eq!((ran.log().as_str(), ran.result()), ("", Failure));
    assert_eq!(ran.only(&["OnError Loop"]), ["OnError Loop 0xC001F009", "OnError Loop 0xC001C012"]);
    assert!(ran.texts("OnError")[1].contains("number 1 to variable \"User::n\""));
}

#[test]
fn foreach_mappings_beyond_the_columns_or_to_nothing_fail() {
    let mut plan = Plan::new();
    plan.int(PACKAGE, "n", 0);
    plan.int(PACKAGE, "m", 0);
    plan.foreach(PACKAGE, "Loop", "1", &["User::n", "User::m"]);
    let ran = plan.run();
    assert_eq!(ran.only(&["OnError Loop"]), ["OnError Loop 0xC002410D", "OnError Loop 0xC001C012"]);
    let mut plan = Plan::new();
    plan.foreach(PACKAGE, "Loop", "1", &["User::Nowhere"]);
    assert_eq!(plan.run().only(&["OnError Loop"]), ["OnError Loop 0xC0010023"]);
}

#[test]
fn the_execution_value_goes_to_its_variable() {
    for (force, expected) in [("False", 5), ("True", 8)] {
        let mut plan = Plan::new();
        plan.int(PACKAGE, "v", 0);
        let a = plan.task(PACKAGE, "A", "value 5");
        plan.set(a, "ExecValueVariable", "User::v").set(a, "ForceExecutionValue", force);
        plan.set(a, "ForcedExecutionValue", "8");
        assert_eq!(plan.run().value("v"), Value::I4(expected));
    }
}
