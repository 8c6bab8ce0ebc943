//! The order, codes and texts of events, as real logs show them.

use super::kit::*;
use crate::control::ExecResult::*;
use crate::control::plan::{ExecutableKind, PACKAGE, TaskSpec};
use crate::flow::FlowSpec;
use crate::types::Value;

fn flow(plan: &mut Plan, name: &str, does: &str) -> usize {
    flow_in(plan, PACKAGE, name, does)
}

fn flow_in(plan: &mut Plan, container: usize, name: &str, does: &str) -> usize {
    let flow = FlowSpec { path: does.into(), ..Default::default() };
    let path = format!("{}\\{name}", plan.0.executables[container].path);
    let spec = TaskSpec { kind: "Microsoft.Pipeline".into(), path, flow: Some(Box::new(flow)), ..Default::default() };
    plan.add(container, name, ExecutableKind::Task(Box::new(spec)))
}

#[test]
fn a_data_flow_runs_as_the_log_of_the_original_has_it() {
    let mut plan = Plan::new();
    plan.int(PACKAGE, "X", 0);
    flow(&mut plan, "Flow", "warns");
    let ran = plan.run();
    let progress = |phase: &str| [0, 33, 66, 100].map(|p| format!("OnProgress Flow {p} {phase}"));
    let mut expected = Vec::from(progress("Validating"));
    expected.extend(["PackageStart Package", "OnPreExecute Package", "OnPreExecute Flow"].map(str::to_owned));
    expected.extend(progress("Validating"));
    expected.extend(["OnWarning Flow 0x80040004", "OnWarning Package 0x80040004"].map(str::to_owned));
    for phase in ["Prepare for Execute", "Pre-Execute", "Post Execute", "Cleanup"] {
        expected.extend(progress(phase));
    }
    expected.extend(["OnPostExecute Flow", "OnPostExecute Package", "PackageEnd Package"].map(str::to_owned));
    assert_eq!(ran.events(), expected);
    let texts = ran.recorder.events();
    assert!(texts.iter().any(|e| e.event == "PackageStart" && e.message == "Beginning of package execution."));
    assert!(texts.iter().any(|e| e.event == "PackageEnd" && e.message == "End of package execution."));
    assert_eq!((ran.result(), ran.value("X")), (Success, Value::I4(9)));
}

#[test]
fn an_error_is_repeated_at_every_ancestor() {
    let mut plan = Plan::new();
    let s = plan.sequence(PACKAGE, "S");
    plan.task(s, "T", "error 0xC002F210");
    assert_eq!(
        plan.run().events(),
        [
            "PackageStart Package",
            "OnPreExecute Package",
            "OnPreExecute S",
            "OnPreExecute T",
            "OnError T 0xC002F210",
            "OnError S 0xC002F210",
            "OnError Package 0xC002F210",
            "OnWarning T 0x80019002",
            "OnWarning S 0x80019002",
            "OnWarning Package 0x80019002",
            "OnTaskFailed T",
            "OnPostExecute T",
            "OnWarning S 0x80019002",
            "OnWarning Package 0x80019002",
            "OnPostExecute S",
            "OnWarning Package 0x80019002",
            "OnPostExecute Package",
            "PackageEnd Package 1",
        ]
    );
}

#[test]
fn validation_goes_depth_first_and_comes_again_before_each_task() {
    let mut plan = Plan::new();
    let s = plan.sequence(PACKAGE, "S");
    plan.task(s, "T", "");
    let ran = plan.run();
    let expected = [
        "OnPreValidate Package",
        "OnPreValidate S",
        "OnPreValidate T",
        "OnPostValidate T",
        "OnPostValidate S",
        "OnPostValidate Package",
        "OnPreExecute Package",
        "OnPreExecute S",
        "OnPreExecute T",
        "OnPreValidate T",
        "OnPostValidate T",
        "OnPostExecute T",
        "OnPostExecute S",
        "OnPostExecute Package",
    ];
    assert_eq!(ran.only(&["OnPre", "OnPost"]), expected);
}

#[test]
fn what_is_invalid_keeps_everything_from_running() {
    let mut plan = Plan::new();
    plan.task(PACKAGE, "A", "log");
    plan.task(PACKAGE, "B", "invalid");
    let ran = plan.run();
    assert_eq!((ran.result(), ran.log().as_str()), (Failure, ""));
    assert_eq!(
        ran.only(&["OnError B", "PackageStart", "OnPreExecute"]),
        ["OnError B 0xC0011111", "OnError B 0xC0024107"]
    );
}

#[test]
fn delayed_validation_lets_the_others_run_first() {
    for what in ["task", "container"] {
        let mut plan = Plan::new();
        let a = plan.task(PACKAGE, "A", "log");
        let s = plan.sequence(PACKAGE, "S");
        let b = plan.task(s, "B", "invalid");
        plan.then(a, s, Default::default());
        plan.set(if what == "task" { b } else { s }, "DelayValidation", "True");
        let ran = plan.run();
        assert_eq!((ran.result(), ran.log().as_str()), (Failure, "A"), "{what}");
        assert_eq!(ran.only(&["OnTaskFailed"]), ["OnTaskFailed B"]);
    }
}

#[test]
fn a_flow_that_is_invalid_is_reported_with_its_component() {
    let mut plan = Plan::new();
    flow(&mut plan, "Flow", "bad");
    let ran = plan.run();
    assert_eq!(ran.result(), Failure);
    assert_eq!(ran.only(&["OnError Flow"]), ["OnError Flow 0xC004706B", "OnError Flow 0xC0024107"]);
}

#[test]
fn what_is_wrong_with_the_design_of_a_flow_is_told_once_a_run() {
    for delayed in ["False", "True"] {
        let mut plan = Plan::new();
        plan.int(PACKAGE, "X", 0);
        let each = plan.foreach(PACKAGE, "Each", "1;2;3", &["User::X"]);
        let first = flow_in(&mut plan, each, "First", "wide 1");
        let second = flow_in(&mut plan, each, "Second", "wide 2");
        plan.set(first, "DelayValidation", delayed).set(second, "DelayValidation", delayed);
        let ran = plan.run();
        assert_eq!(ran.result(), Success);
        // A warning that may have another reason each time comes each time.
        let unused = ["First", "Second"].map(|flow| format!("OnWarning {flow} 0x80047076"));
        let mut told = ran.only(&["OnWarning First", "OnWarning Second"]);
        told.retain(|line| line.ends_with("0x80047076"));
        told.sort();
        assert_eq!(told, unused, "delayed {delayed}");
        let again = ran.only(&["OnWarning First 0x800470C8"]).len();
        assert_eq!(again, if delayed == "True" { 3 } else { 4 }, "delayed {delayed}");
    }
}

#[test]
fn a_flow_that_raises_an_error_fails_though_it_ends_well() {
    let mut plan = Plan::new();
    plan.int(PACKAGE, "X", 0);
    flow(&mut plan, "Flow", "error");
    let ran = plan.run();
    assert_eq!(ran.result(), Failure);
    assert_eq!(ran.only(&["OnTaskFailed"]), ["OnTaskFailed Flow"]);
}

#[test]
fn an_unknown_task_is_refused_by_name() {
    let mut plan = Plan::new();
    let a = plan.task(PACKAGE, "A", "");
    let ExecutableKind::Task(spec) = &mut plan.0.executables[a].kind else { unreachable!() };
    spec.kind = "Acme.Rocket".into();
    let ran = plan.run();
    assert_eq!(ran.result(), Failure);
    assert!(ran.texts("OnError")[0].contains("Acme.Rocket"));
}

#[test]
fn a_child_package_bubbles_into_its_parent() {
    let mut plan = Plan::new();
    plan.int(PACKAGE, "X", 5);
    plan.task(PACKAGE, "RunsChild", "child");
    let ran = plan.run();
    assert_eq!((ran.result(), ran.log().as_str()), (Failure, "Inner 5"));
    let expected = ["Inner", "Child", "RunsChild", "Package"].map(|at| format!("OnError {at} 0xC0010042"));
    assert_eq!(ran.only(&["OnError"]), expected);
    assert_eq!(ran.only(&["PackageStart"]), ["PackageStart Package", "PackageStart Child"]);
}

#[test]
fn a_check_finds_everything_without_running() {
    let mut plan = Plan::new();
    plan.task(PACKAGE, "A", "invalid");
    plan.for_loop(PACKAGE, "Loop", "", "", "");
    let b = plan.task(PACKAGE, "B", "invalid");
    plan.set(b, "Disable", "True");
    let found = crate::control::check(&std::sync::Arc::new(plan.0), &request()).unwrap();
    let objects: Vec<_> = found.iter().map(|d| d.object.as_str()).collect();
    assert_eq!(objects, ["\\Package\\A", "\\Package\\Loop"]);
}

/// Rows of a log of the original, as our recorder shows them; None where the reference is not there.
fn reference(file: &str) -> Option<Vec<u8>> {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).parent()?;
    let shared = std::env::var_os("DTSX_SHARED").map_or_else(|| root.join("../shared"), Into::into);
    let found = std::fs::read(shared.join("reference/real-output").join(file)).ok();
    if found.is_none() {
        eprintln!("skipped: {file} is not beside the checkout");
    }
    found
}

/// `event source`, with the code of messages and the percentage of progress.
fn shown(event: &str, source: &str, code: i32, message: &str) -> String {
    match event {
        "OnError" | "OnWarning" => format!("{event} {source} 0x{code:08X}"),
        "OnProgress" => format!("{event} {source} {code} {message}"),
        _ if code != 0 => format!("{event} {source} {code}"),
        _ => format!("{event} {source}"),
    }
}

#[test]
fn the_real_log_of_a_data_flow_has_our_order() {
    let Some(log) = reference("Expressions.log.csv") else { return };
    let text = String::from_utf8(log).unwrap();
    // The second execution, from its validation on; codes of the warning that only the original raises are ours here.
    let rows = text.lines().filter(|l| l.contains("{5C847325-")).filter(|l| !l.contains("-2147381245"));
    let expected: Vec<String> = rows
        .map(|row| {
            let f: Vec<&str> = row.splitn(12, ',').collect();
            let source = if f[4] == "Expressions" { "Package" } else { "Flow" };
            let code: i32 = f[9].parse().unwrap();
            let code = if f[1] == "OnWarning" { 0x8004_0004_u32 as i32 } else { code };
            shown(f[1], source, code, f[11])
        })
        .collect();
    assert_eq!(expected.len(), 20);
    let mut plan = Plan::new();
    plan.int(PACKAGE, "X", 0);
    flow(&mut plan, "Flow", "warns");
    assert_eq!(plan.run().events()[..expected.len()], expected);
}

#[test]
fn the_real_log_of_a_failing_task_has_our_order() {
    let Some(log) = reference("049-LogProviders-TextFiles.txt") else { return };
    let units: Vec<u16> = log.chunks_exact(2).map(|b| u16::from_le_bytes([b[0], b[1]])).collect();
    let text = String::from_utf16(&units).unwrap();
    let run = text.split("PackageStart,").nth(1).unwrap();
    let mut expected = Vec::new();
    for row in format!("PackageStart,{run}").lines() {
        let f: Vec<&str> = row.splitn(11, ',').collect();
        if f.len() == 11 {
            let source = if f[3] == "Execute SQL Task" { "T" } else { "Package" };
            expected.push(shown(f[0], source, f[8].parse().unwrap(), f[10]));
        }
    }
    let mut plan = Plan::new();
    plan.task(PACKAGE, "T", "error 0xC002F210; fail");
    assert_eq!(plan.run().only(&["Package", "OnError"]), expected);
}
