//! Event handlers: where they run, what they see, how far an event goes.

use super::kit::*;
use crate::control::ExecResult::*;
use crate::control::plan::PACKAGE;
use crate::types::Value;

const ERROR: &str = "error 0xC0010001";

#[test]
fn handlers_run_at_every_level_from_the_source_up() {
    let mut plan = Plan::new();
    let s = plan.sequence(PACKAGE, "S");
    let a = plan.task(s, "A", ERROR);
    for owner in [PACKAGE, s, a] {
        let handler = plan.handler(owner, "OnError");
        plan.task(handler, &format!("At{owner}"), "log; show System::SourceName");
    }
    let ran = plan.run();
    assert_eq!(ran.log(), format!("At{a} A At{s} A At{PACKAGE} A"));
    assert_eq!(ran.result(), Failure);
}

#[test]
fn a_handler_sees_its_event() {
    let mut plan = Plan::new();
    let a = plan.task(PACKAGE, "A", "progress 40; warn; error 0xC0010001");
    plan.set(a, "MaximumErrorCount", "0").set(PACKAGE, "MaximumErrorCount", "0");
    let error = plan.handler(PACKAGE, "OnError");
    plan.task(error, "E", "show System::ErrorCode; show System::ErrorDescription; show System::SourceID");
    let progress = plan.handler(PACKAGE, "OnProgress");
    plan.task(progress, "P", "show System::PercentComplete; show System::ProgressDescription");
    let warning = plan.handler(PACKAGE, "OnWarning");
    plan.task(warning, "W", "show System::ErrorDescription; show System::TaskName");
    let ran = plan.run();
    assert_eq!(ran.log(), "40 Working beware W -1073676287 it_went_wrong {A}");
    assert_eq!(ran.result(), Success);
}

#[test]
fn what_does_not_propagate_is_not_counted_above() {
    for (propagate, passes, result) in [("True", "T", Failure), ("False", "T T T", Success)] {
        let mut plan = Plan::new();
        plan.int(PACKAGE, "i", 0);
        let l = plan.foreach(PACKAGE, "Loop", "1;2;3", &["User::i"]);
        let t = plan.task(l, "T", "log; error 0xC0010001");
        let handler = plan.handler(t, "OnError");
        plan.task(handler, "H", &format!("set System::Propagate = {propagate}"));
        let above = plan.handler(PACKAGE, "OnError");
        plan.task(above, "Above", "assign @[User::i] = 10");
        let ran = plan.run();
        assert_eq!((ran.log().as_str(), ran.result()), (passes, result), "{propagate}");
        assert_eq!(ran.value("i"), Value::I4(if propagate == "True" { 10 } else { 3 }));
        // The task itself has failed either way.
        assert_eq!(ran.only(&["OnTaskFailed"]).len(), passes.split(' ').count());
    }
}

#[test]
fn propagate_does_not_matter_during_validation() {
    let mut plan = Plan::new();
    let a = plan.task(PACKAGE, "A", "invalid");
    let handler = plan.handler(a, "OnError");
    plan.task(handler, "H", "log; set System::Propagate = False");
    let ran = plan.run();
    assert_eq!(ran.result(), Failure);
    assert_eq!(ran.log(), "H H");
    assert_eq!(ran.only(&["OnError Package"]), ["OnError Package 0xC0011111", "OnError Package 0xC0024107"]);
}

#[test]
fn a_handler_can_cancel_the_execution() {
    let mut plan = Plan::new();
    let a = plan.task(PACKAGE, "A", "log; error 0xC0010001");
    let b = plan.task(PACKAGE, "B", "log");
    plan.then(a, b, crate::control::plan::ConstraintValue::Completion);
    let handler = plan.handler(PACKAGE, "OnError");
    plan.task(handler, "H", "set System::Cancel = True");
    let ran = plan.run();
    assert_eq!((ran.result(), ran.log().as_str()), (Canceled, "A"));
}

#[test]
fn handlers_can_be_switched_off() {
    for (at_owner, at_handler) in [(true, false), (false, true)] {
        let mut plan = Plan::new();
        plan.task(PACKAGE, "A", "warn");
        let handler = plan.handler(PACKAGE, "OnWarning");
        plan.task(handler, "H", "log");
        if at_owner {
            plan.set(PACKAGE, "DisableEventHandlers", "True");
        }
        if at_handler {
            plan.set(handler, "Disable", "True");
        }
        assert_eq!(plan.run().log(), "");
    }
}

#[test]
fn a_running_handler_is_not_entered_again() {
    let mut plan = Plan::new();
    plan.task(PACKAGE, "A", "log; error 0xC0010001");
    let handler = plan.handler(PACKAGE, "OnError");
    plan.task(handler, "H", "log; error 0xC0010002");
    let ran = plan.run();
    assert_eq!((ran.log().as_str(), ran.result()), ("A H", Failure));
    assert_eq!(
        ran.only(&["OnError OnError", "OnError Package"]),
        ["OnError OnError 0xC0010002", "OnError Package 0xC0010002", "OnError Package 0xC0010001"]
    );
}

#[test]
fn handlers_of_execution_events_run_for_what_is_inside() {
    let mut plan = Plan::new();
    plan.task(PACKAGE, "A", "log");
    let handler = plan.handler(PACKAGE, "OnPostExecute");
    plan.task(handler, "H", "show System::SourceName");
    assert_eq!(plan.run().log(), "A A Package");
}

#[test]
fn variables_that_change_say_so_at_their_owner() {
    let mut plan = Plan::new();
    plan.int(PACKAGE, "X", 1).raise_changed_event = true;
    let s = plan.sequence(PACKAGE, "S");
    plan.task(s, "A", "set User::X = 2");
    let inner = plan.handler(s, "OnVariableValueChanged");
    plan.task(inner, "NotHere", "log");
    let handler = plan.handler(PACKAGE, "OnVariableValueChanged");
    plan.task(handler, "H", "show System::VariableID; show User::X");
    let ran = plan.run();
    assert_eq!(ran.log(), "{id_of_X} 2");
    assert_eq!(ran.only(&["OnVariable"]), ["OnVariableValueChanged Package"]);
}

#[test]
fn handlers_need_no_permit_of_their_own() {
    let mut plan = Plan::new();
    plan.task(PACKAGE, "A", "error 0xC0010001");
    let handler = plan.handler(PACKAGE, "OnError");
    let s = plan.sequence(handler, "S");
    plan.task(s, "H1", "log done");
    plan.task(s, "H2", "log done");
    plan.set(PACKAGE, "MaxConcurrentExecutables", "1");
    assert_eq!(plan.run().log(), "done done");
}
