//! How many rows have passed over each data path, live.

use crate::execution::{ComponentRows, PathRows};
use dtsx_engine::flow::{FlowEvents, FlowMetrics, FlowPlan};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Row counts of a run: shown the counters of each flow as it begins, read by whoever wants to know.
#[derive(Clone, Default)]
pub(crate) struct RowCounts(Arc<Mutex<Vec<TaskCounts>>>);

/// One data flow task. In a loop it runs many times: the executions that have ended are added up.
struct TaskCounts {
    task: String,
    ended: Vec<PathRows>,
    components: Vec<ComponentRows>,
    running: Option<(Arc<FlowPlan>, Arc<FlowMetrics>)>,
}

impl RowCounts {
    fn tasks(&self) -> MutexGuard<'_, Vec<TaskCounts>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The rows that have passed so far, by task in the order in which they began, and by path.
    pub(crate) fn snapshot(&self) -> Vec<PathRows> {
        let tasks = self.tasks();
        tasks.iter().flat_map(|task| added(task.ended.clone(), task.now())).collect()
    }

    /// The rows of every component so far, by task in the order in which they began.
    pub(crate) fn components(&self) -> Vec<ComponentRows> {
        let tasks = self.tasks();
        tasks.iter().flat_map(|task| accounted(task.components.clone(), task.accounts())).collect()
    }

    /// The rows of the execution of `task` that has just ended; none if it is no data flow.
    pub(crate) fn end(&self, task: &str) -> Vec<PathRows> {
        self.tasks().iter_mut().find(|t| t.task == task).map(TaskCounts::end).unwrap_or_default()
    }
}

impl FlowEvents for RowCounts {
    fn executing(&self, plan: &Arc<FlowPlan>, metrics: &Arc<FlowMetrics>) {
        let mut tasks = self.tasks();
        let running = Some((plan.clone(), metrics.clone()));
        match tasks.iter_mut().find(|t| t.task == plan.path) {
            Some(task) => {
                task.end();
                task.running = running;
            }
            None => {
                tasks.push(TaskCounts { task: plan.path.clone(), ended: Vec::new(), components: Vec::new(), running })
            }
        }
    }
}

impl TaskCounts {
    /// The rows of the present execution.
    fn now(&self) -> Vec<PathRows> {
        let Some((plan, metrics)) = &self.running else { return Vec::new() };
        let mut rows = Vec::new();
        for index in downstream(&plan.consumers) {
            let (node, consumers) = (&plan.nodes[index], &plan.consumers[index]);
            for (output, _) in consumers.iter().enumerate().filter(|(_, consumer)| consumer.is_some()) {
                rows.push(PathRows {
                    task: self.task.clone(),
                    path: format!("{}.{}", node.spec.name, node.spec.outputs[output].name),
                    rows: metrics.rows_sent(index, output),
                });
            }
        }
        rows
    }

    /// The accounts of the present execution.
    fn accounts(&self) -> Vec<ComponentRows> {
        let Some((plan, metrics)) = &self.running else { return Vec::new() };
        let of = |index: usize| {
            let spec = &plan.nodes[index].spec;
            let account = metrics.account(index, &spec.outputs);
            ComponentRows {
                task: self.task.clone(),
                component: spec.name.clone(),
                rule: plan.nodes[index].bound.row_rule().to_string(),
                received: account.received,
                sent: account.sent.iter().sum::<u64>() - account.redirected,
                redirected: account.redirected,
                left_out: account.left_out,
            }
        };
        downstream(&plan.consumers).into_iter().map(of).collect()
    }

    /// The present execution becomes a past one.
    fn end(&mut self) -> Vec<PathRows> {
        let now = self.now();
        self.ended = added(std::mem::take(&mut self.ended), now.clone());
        self.components = accounted(std::mem::take(&mut self.components), self.accounts());
        self.running = None;
        now
    }
}

fn added(mut total: Vec<PathRows>, more: Vec<PathRows>) -> Vec<PathRows> {
    for more in more {
        match total.iter_mut().find(|known| known.path == more.path) {
            Some(known) => known.rows += more.rows,
            None => total.push(more),
        }
    }
    total
}

fn accounted(mut total: Vec<ComponentRows>, more: Vec<ComponentRows>) -> Vec<ComponentRows> {
    for more in more {
        match total.iter_mut().find(|known| known.component == more.component) {
            Some(known) => {
                known.received += more.received;
                known.sent += more.sent;
                known.redirected += more.redirected;
                known.left_out += more.left_out;
            }
            None => total.push(more),
        }
    }
    total
}

/// The components in the order in which rows come to them.
fn downstream(consumers: &[Vec<Option<(usize, usize)>>]) -> Vec<usize> {
    let mut feeding = vec![0usize; consumers.len()];
    for (to, _) in consumers.iter().flatten().flatten() {
        feeding[*to] += 1;
    }
    let mut ready: VecDeque<usize> = (0..consumers.len()).filter(|index| feeding[*index] == 0).collect();
    let mut order = Vec::with_capacity(consumers.len());
    while let Some(index) = ready.pop_front() {
        order.push(index);
        for (to, _) in consumers[index].iter().flatten() {
            feeding[*to] -= 1;
            if feeding[*to] == 0 {
                ready.push_back(*to);
            }
        }
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn components_come_after_those_that_feed_them() {
        let to = |index| Some((index, 0));
        let consumers = vec![vec![], vec![to(0), None], vec![to(3), to(1)], vec![to(1)]];
        assert_eq!(downstream(&consumers), [2, 3, 1, 0]);
    }

    #[test]
    fn executions_are_added_up() {
        let rows = |path: &str, rows| PathRows { task: "T".into(), path: path.into(), rows };
        let total = added(vec![rows("a", 1), rows("b", 2)], vec![rows("b", 3), rows("c", 4)]);
        assert_eq!(total, [rows("a", 1), rows("b", 5), rows("c", 4)]);
    }
}
