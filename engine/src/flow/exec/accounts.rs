//! Row accounting: what came into a component must have left it, or the run says which component lost rows.

use super::super::contract::RowRule;
use super::super::plan::{FlowPlan, PlanNode};
use super::super::spec::OutputSpec;
use super::metrics::FlowMetrics;
use crate::diag::{Error, Result};

/// The account of one component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowAccount {
    /// Rows that came in, over all inputs.
    pub received: u64,
    /// Rows that left, by output.
    pub sent: Vec<u64>,
    /// Of these, rows that left by the error output.
    pub redirected: u64,
    /// Rows that were left out, redirected ones that nobody takes among them.
    pub left_out: u64,
}

impl FlowMetrics {
    /// The account of a component so far.
    pub fn account(&self, node: usize, outputs: &[OutputSpec]) -> RowAccount {
        let sent: Vec<u64> = (0..outputs.len()).map(|output| self.rows_sent(node, output)).collect();
        let redirected = outputs.iter().zip(&sent).filter(|(output, _)| output.is_error).map(|(_, rows)| rows).sum();
        RowAccount { received: self.rows_received(node), sent, redirected, left_out: self.rows_left_out(node) }
    }
}

/// How a flow came to its end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Ended {
    InOrder,
    /// It failed or was cancelled: rows are on their way that will not arrive, but none may be too many.
    Early,
}

impl Ended {
    /// Whether `rows` are as many as there should be, so far.
    fn fits(self, rows: u64, owed: u64) -> bool {
        rows == owed || self == Ended::Early && rows < owed
    }
}

/// Checks every component's account after a flow.
///
/// # Errors
/// Internal, naming the first component whose account does not come out: a defect of it or of the engine.
pub(super) fn check(plan: &FlowPlan, metrics: &FlowMetrics, ended: Ended) -> Result<()> {
    let mut brought = vec![0; plan.nodes.len()];
    for (from, consumers) in plan.consumers.iter().enumerate() {
        for (output, to) in consumers.iter().enumerate() {
            if let Some((to, _)) = to {
                brought[*to] += metrics.rows_sent(from, output);
            }
        }
    }
    for (index, node) in plan.nodes.iter().enumerate() {
        let account = metrics.account(index, &node.spec.outputs);
        let wrong = if ended.fits(account.received, brought[index]) {
            missing(node, &plan.consumers[index], &account, ended)
        } else {
            Some(format!("its paths brought {} row(s)", brought[index]))
        };
        if let Some(wrong) = wrong {
            let name = &node.spec.name;
            let message = format!("rows of \"{name}\" do not add up: {} came in, {wrong}", account.received);
            return Err(Error::internal(message).at(&node.spec.path));
        }
    }
    Ok(())
}

/// What does not add up, if something does not.
fn missing(
    node: &PlanNode,
    consumers: &[Option<(usize, usize)>],
    account: &RowAccount,
    ended: Ended,
) -> Option<String> {
    let outputs = &node.spec.outputs;
    // An output that nobody takes may or may not have been given its rows.
    let open = |output: &usize| consumers[*output].is_none();
    let regular = (0..outputs.len()).filter(|o| !outputs[*o].is_error);
    let groups: Vec<Vec<usize>> = match node.bound.row_rule() {
        RowRule::Other(_) => return None,
        RowRule::Once => vec![regular.collect()],
        RowRule::Each => {
            let regular: Vec<usize> = regular.filter(|o| outputs[*o].synchronous_input.is_some()).collect();
            let mut groups: Vec<(i32, Vec<usize>)> = Vec::new();
            for output in regular {
                let group = outputs[output].exclusion_group;
                match groups.iter_mut().find(|(g, _)| *g == group && group != 0) {
                    Some((_, members)) => members.push(output),
                    None => groups.push((group, vec![output])),
                }
            }
            groups.into_iter().map(|(_, members)| members).collect()
        }
    };
    let owed = account.received.checked_sub(account.redirected + account.left_out);
    for group in groups {
        let sent: u64 = group.iter().map(|output| account.sent[*output]).sum();
        let fits = match owed {
            Some(owed) if group.iter().any(open) => sent <= owed,
            Some(owed) => ended.fits(sent, owed),
            None => false,
        };
        if !fits {
            let names: Vec<&str> = group.iter().map(|output| outputs[*output].name.as_str()).collect();
            let (redirected, left_out) = (account.redirected, account.left_out);
            let names = names.join("\", \"");
            return Some(format!("{sent} left by \"{names}\", {redirected} as errors, {left_out} were left out"));
        }
    }
    None
}
