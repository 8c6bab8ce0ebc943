//! Scopes, types, expressions, parameters, system variables, property expressions, overrides.

use super::kit::*;
use crate::connections::ConnectionSpec;
use crate::control::ExecResult::*;
use crate::control::plan::{ConnectionPlan, PACKAGE, ParameterPlan, PropertyExpression};
use crate::control::run;
use crate::types::Value;
use crate::variables::VariableType;
use std::sync::Arc;

#[test]
fn inner_names_hide_outer_ones() {
    let mut plan = Plan::new();
    plan.int(PACKAGE, "X", 1);
    let s = plan.sequence(PACKAGE, "S");
    plan.int(s, "X", 2);
    let a = plan.task(s, "A", "show User::X; set User::X = 3");
    let b = plan.task(PACKAGE, "B", "show X");
    let c = plan.task(s, "C", "show X");
    plan.then(a, c, Default::default());
    plan.then(s, b, Default::default());
    assert_eq!(plan.run().log(), "2 3 1");
}

#[test]
fn unqualified_names_may_be_ambiguous() {
    let mut plan = Plan::new();
    plan.int(PACKAGE, "X", 1);
    plan.int(PACKAGE, "Other::X", 2);
    plan.task(PACKAGE, "A", "show Other::X; show X");
    let ran = plan.run();
    assert_eq!((ran.log().as_str(), ran.result()), ("2", Failure));
    assert_eq!(ran.only(&["OnError A"]), ["OnError A 0xC001F032"]);
}

#[test]
fn what_cannot_be_written() {
    for (actions, code) in [
        ("set User::Constant = 1", "0xC0010003"),
        ("set User::Computed = 1", "0xC0010003"),
        ("set $Package::P = 1", "0xC0010003"),
        ("set System::PackageName = x", "0xC0010003"),
        ("set System::Nothing = x", "0xC0010023"),
        ("set User::constant = 1", "0xC0010023"),
        ("set User::X = text", "0xC001F009"),
        ("assign @[User::X] = \"text\"", "0xC001F186"),
        ("assign @[User::Constant] = 1", "0xC001F187"),
        ("assign @[User::Nothing] = 1", "0xC001F188"),
    ] {
        let mut plan = Plan::new();
        plan.int(PACKAGE, "X", 1);
        plan.int(PACKAGE, "Constant", 1).read_only = true;
        plan.int(PACKAGE, "Computed", 1).expression = Some("@X + 1".into());
        plan.0.parameters.push(parameter("$Package", "P", Value::I4(4)));
        plan.task(PACKAGE, "A", actions);
        assert_eq!(plan.run().only(&["OnError A"]), [format!("OnError A {code}")], "{actions}");
    }
}

fn parameter(namespace: &str, name: &str, value: Value) -> ParameterPlan {
    let data_type = VariableType::Int32;
    ParameterPlan { namespace: namespace.into(), name: name.into(), data_type, value, ..Default::default() }
}

#[test]
fn expression_variables_are_evaluated_by_each_read() {
    let mut plan = Plan::new();
    plan.int(PACKAGE, "X", 1);
    plan.int(PACKAGE, "Next", 0).expression = Some("@X + 1".into());
    plan.int(PACKAGE, "AfterNext", 0).expression = Some("@Next + @[$Project::Step]".into());
    plan.0.parameters.push(parameter("$Project", "Step", Value::I4(10)));
    plan.task(PACKAGE, "A", "show User::AfterNext; set User::X = 5; show User::AfterNext; show User::Next");
    let ran = plan.run();
    assert_eq!(ran.log(), "12 16 6");
    assert_eq!(ran.value("AfterNext"), Value::I4(16));
}

#[test]
fn a_variable_whose_expression_is_itself_keeps_its_stored_value() {
    let mut plan = Plan::new();
    plan.int(PACKAGE, "A", 7).expression = Some("@A".into());
    plan.task(PACKAGE, "T", "show User::A");
    assert_eq!(plan.run().log(), "7");
}

#[test]
fn a_variable_that_refers_to_itself_fails() {
    let mut plan = Plan::new();
    plan.int(PACKAGE, "A", 0).expression = Some("@B + 1".into());
    plan.int(PACKAGE, "B", 0).expression = Some("@A + 1".into());
    plan.task(PACKAGE, "T", "show User::A");
    let ran = plan.run();
    assert_eq!(ran.only(&["OnError T"]), ["OnError T 0xC0019004"]);
    assert!(ran.texts("OnError")[0].contains("refers to itself"), "{:?}", ran.texts("OnError"));
}

#[test]
fn assignments_of_parallel_tasks_are_not_lost() {
    let mut plan = Plan::new();
    plan.int(PACKAGE, "n", 0);
    for t in 0..8 {
        plan.task(PACKAGE, &format!("T{t}"), &["assign @[User::n] = @[User::n] + 1"; 50].join(";"));
    }
    assert_eq!(plan.run().value("n"), Value::I4(400));
}

#[test]
fn system_variables_tell_of_package_and_task() {
    let mut plan = Plan::new();
    plan.0.version = (1, 2, 3);
    plan.set(PACKAGE, "LocaleID", "1031");
    let names = [
        "PackageName",
        "PackageID",
        "TaskName",
        "TaskID",
        "VersionMinor",
        "LocaleID",
        "InteractiveMode",
        "MachineName",
        "UserName",
        "ServerExecutionID",
        "TaskTransactionOption",
    ];
    plan.task(PACKAGE, "A", &names.map(|n| format!("show System::{n}")).join(";"));
    let ran = plan.run_with(|request| {
        request.machine = "BOX".into();
        request.user = "me".into();
    });
    assert_eq!(ran.log(), "Package {P} A {A} 2 1031 False BOX me 0 1");
    let mut plan = Plan::new();
    plan.task(PACKAGE, "A", "show System::ErrorCode");
    assert_eq!(plan.run().only(&["OnError A"]), ["OnError A 0xC0010023"]);
}

#[test]
fn property_expressions_are_evaluated_for_each_pass() {
    let mut plan = Plan::new();
    plan.variable(PACKAGE, "what", VariableType::String, Value::text("log zero"));
    let l = plan.foreach(PACKAGE, "Loop", "log one;log two", &["User::what"]);
    let t = plan.task(l, "T", "panic");
    plan.express(t, "Do", "@[User::what]");
    assert_eq!(plan.run().log(), "one two");
}

#[test]
fn properties_of_containers_take_expressions() {
    let mut plan = Plan::new();
    plan.variable(PACKAGE, "off", VariableType::Boolean, Value::Bool(true));
    let a = plan.task(PACKAGE, "A", "log");
    plan.express(a, "Disable", "@[User::off]");
    assert_eq!(plan.run().log(), "");
}

#[test]
fn a_property_expression_that_fails_fails_validation() {
    let mut plan = Plan::new();
    let a = plan.task(PACKAGE, "A", "log");
    plan.express(a, "Do", "@[User::Nothing]");
    let ran = plan.run();
    assert_eq!((ran.result(), ran.log().as_str()), (Failure, ""));
    assert_eq!(ran.only(&["OnError A"]), ["OnError A 0xC0017003"]);
}

#[test]
fn overrides_replace_values_of_variables_and_parameters() {
    let build = || {
        let mut plan = Plan::new();
        plan.int(PACKAGE, "X", 1);
        plan.0.parameters.push(parameter("$Package", "P", Value::I4(4)));
        plan.task(PACKAGE, "A", "show User::X; show $Package::P");
        plan
    };
    let ran = build().run_with(|request| {
        request.overrides = vec![("User::X".into(), Value::I8(7)), ("$Package::P".into(), Value::I4(8))];
    });
    assert_eq!(ran.log(), "7 8");
    let mut request = request();
    request.overrides = vec![("User::Nothing".into(), Value::I4(7))];
    assert!(run(&Arc::new(build().0), &request).is_err());
}

#[test]
fn connections_are_found_by_id_and_name_with_their_expressions() {
    use crate::control::{Task, TaskBindCx, TaskCx, TaskKind, TaskOutcome};
    struct Asks;
    impl TaskKind for Asks {
        fn kind(&self) -> &'static str {
            "Test.Task"
        }
        fn title(&self) -> &'static str {
            "Asks"
        }
        fn bind(&self, _: &crate::control::plan::TaskSpec, cx: &mut TaskBindCx<'_>) -> Option<Box<dyn Task>> {
            assert!(cx.connection("nowhere").is_err());
            Some(Box::new(Asks))
        }
    }
    impl Task for Asks {
        fn execute(&self, cx: &TaskCx) -> crate::diag::Result<TaskOutcome> {
            cx.variables.assign("@[User::file] = \"second\"")?;
            for name in ["{C1}", "{c1}:external", "File", "Package.ConnectionManagers[File]"] {
                assert_eq!(cx.connections.get(name)?.connection_string(), "second");
            }
            Ok(TaskOutcome::success())
        }
    }
    let mut plan = Plan::new();
    plan.variable(PACKAGE, "file", VariableType::String, Value::text("first"));
    plan.task(PACKAGE, "A", "");
    let property = "ConnectionString".to_owned();
    plan.0.connections.push(ConnectionPlan {
        spec: ConnectionSpec { id: "{C1}".into(), name: "File".into(), ..Default::default() },
        expressions: vec![PropertyExpression { property, text: "@[User::file]".into(), span: None }],
        ..Default::default()
    });
    let ran = plan.run_with(|request| {
        let registry = (*request.registry).clone();
        request.registry = Arc::new(registry.with_tasks([&Asks as &dyn TaskKind]));
    });
    assert_eq!(ran.result(), Success, "{:?}", ran.recorder.lines());
}
