//! The children of a container: which may run, and when.

use super::bubble::{raise_code, raise_error};
use super::constraints::{self, Verdict, verdict};
use super::expressions::condition;
use super::frame::Frame;
use super::lifecycle::execute;
use super::plan::{ConstraintPlan, ExecutableIndex};
use super::task::ExecResult;
use crate::diag::{Error, Owner, codes};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::mpsc;

/// Runs the children of a container as their precedence constraints allow, parallel branches on threads of their own.
/// A child that fails does not fail the container by itself, nor does it stop other branches (unconfirmed for a
/// container that has already reached its MaximumErrorCount).
pub(super) fn run_children(frame: &Arc<Frame>) -> ExecResult {
    let mut schedule = Schedule::new(frame);
    let (ended, endings) = mpsc::channel();
    std::thread::scope(|scope| {
        let mut running = 0;
        loop {
            while !frame.cancelled() && running < frame.limit {
                let Some(child) = schedule.next() else { break };
                // The last one in sight needs no thread: this one has nothing else to do.
                if running == 0 && schedule.ready.is_empty() {
                    let result = execute(&frame.child(child));
                    schedule.ended(child, result);
                    continue;
                }
                running += 1;
                let child_frame = frame.child(child);
                let ending = Ending { child, ended: ended.clone(), result: ExecResult::Failure };
                let thread = std::thread::Builder::new().name("dtsx-task".to_owned());
                let spawned = thread.spawn_scoped(scope, move || {
                    let result = execute(&child_frame);
                    ending.with(result);
                });
                if let Err(error) = spawned {
                    raise_error(
                        frame,
                        &Error::new(Owner::Environment, None, format!("cannot start a thread: {error}")),
                    );
                }
            }
            if running == 0 {
                break;
            }
            let Ok((child, result)) = endings.recv() else { break };
            running -= 1;
            schedule.ended(child, result);
        }
    });
    if frame.cancelled() { ExecResult::Canceled } else { ExecResult::Success }
}

/// Tells that a child has ended, also when its thread unwinds.
struct Ending {
    child: ExecutableIndex,
    ended: mpsc::Sender<(ExecutableIndex, ExecResult)>,
    result: ExecResult,
}

impl Ending {
    fn with(mut self, result: ExecResult) {
        self.result = result;
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        // The receiver waits for every child that was started.
        let _ = self.ended.send((self.child, self.result));
    }
}

/// What is known of the children while they run.
struct Schedule<'a> {
    frame: &'a Arc<Frame>,
    constraints: &'a [ConstraintPlan],
    /// What each constraint said when its executable ended.
    said: Vec<Option<bool>>,
    /// The constraints into each child.
    incoming: HashMap<ExecutableIndex, Vec<usize>>,
    /// By place among the children, so that unrelated ones start in the order of the package.
    ready: BTreeSet<(usize, ExecutableIndex)>,
    started: BTreeSet<ExecutableIndex>,
    places: HashMap<ExecutableIndex, usize>,
}

impl<'a> Schedule<'a> {
    fn new(frame: &'a Arc<Frame>) -> Schedule<'a> {
        let plan = &frame.run.plan.executables[frame.index];
        let mut incoming: HashMap<ExecutableIndex, Vec<usize>> = HashMap::new();
        for (i, constraint) in plan.constraints.iter().enumerate() {
            incoming.entry(constraint.to).or_default().push(i);
        }
        let places: HashMap<_, _> = plan.children.iter().enumerate().map(|(place, child)| (*child, place)).collect();
        let free = plan.children.iter().enumerate().filter(|(_, child)| !incoming.contains_key(child));
        Schedule {
            frame,
            constraints: &plan.constraints,
            said: vec![None; plan.constraints.len()],
            ready: free.map(|(place, child)| (place, *child)).collect(),
            started: BTreeSet::new(),
            incoming,
            places,
        }
    }

    fn next(&mut self) -> Option<ExecutableIndex> {
        let (_, child) = self.ready.pop_first()?;
        self.started.insert(child);
        Some(child)
    }

    /// Evaluates the constraints that leave a child, once, and finds what they let run.
    fn ended(&mut self, child: ExecutableIndex, result: ExecResult) {
        if result == ExecResult::Canceled && self.frame.cancelled() {
            return;
        }
        for (i, constraint) in self.constraints.iter().enumerate().filter(|(_, c)| c.from == child) {
            self.said[i] = Some(self.holds(constraint, result));
        }
        for constraint in self.constraints.iter().filter(|c| c.from == child) {
            let to = constraint.to;
            let incoming = self.incoming.get(&to).map_or(&[][..], Vec::as_slice);
            let all = incoming.iter().map(|i| (self.constraints[*i].logical_and, self.said[*i]));
            if verdict(all) == Verdict::Run
                && !self.started.contains(&to)
                && let Some(place) = self.places.get(&to)
            {
                self.ready.insert((*place, to));
            }
        }
    }

    /// Whether a constraint holds; one whose expression fails does not, and raises an error at the container.
    fn holds(&self, constraint: &ConstraintPlan, result: ExecResult) -> bool {
        let scope = self.frame.scope();
        constraints::holds(constraint, result, |text| condition(text, &scope)).unwrap_or_else(|error| {
            let executables = &self.frame.run.plan.executables;
            let (from, to) = (&executables[constraint.from].name, &executables[constraint.to].name);
            let code = codes::DTS_E_PRECEDENCECONSTRAINT;
            raise_code(self.frame, code, format!("{} {}", code.message(&[from, to]), error.message()));
            false
        })
    }
}
