//! How many rows have passed over each data path, live.

use crate::execution::PathRows;
use dtsx_engine::flow::{FlowEvents, FlowMetrics, FlowPlan};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Row counts of a run: shown the counters of each flow as it begins, read by whoever wants to know.
#[derive(Clone, Default)]
pub(crate) struct RowCounts(Arc<Mutex<Vec<TaskCounts>>>);

/// One data flow task. In a loop it runs many times: the executions that have ended are added up.
struct TaskCounts {
    task: String,
    ended: Vec<PathRows>,
    running: Option<(Arc<FlowPlan>, Arc<FlowMetrics>)>,
}

impl RowCounts {
    fn tasks(&self) -> MutexGuard<'_, Vec<TaskCounts>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The rows that have passed so far, by task in the order in which they began, and by path.
    pub(crate) fn snapshot(&self) -> Vec<PathRows> {
        self.tasks().iter().flat_map(TaskCounts::total).collect()
    }
}

impl FlowEvents for RowCounts {
    fn executing(&self, plan: &Arc<FlowPlan>, metrics: &Arc<FlowMetrics>) {
        let mut tasks = self.tasks();
        let running = Some((plan.clone(), metrics.clone()));
        match tasks.iter_mut().find(|t| t.task == plan.path) {
            Some(task) => {
                task.ended = task.total();
                task.running = running;
            }
            None => tasks.push(TaskCounts { task: plan.path.clone(), ended: Vec::new(), running }),
        }
    }
}

impl TaskCounts {
    fn total(&self) -> Vec<PathRows> {
        let mut total = self.ended.clone();
        let Some((plan, metrics)) = &self.running else { return total };
        for (index, (node, consumers)) in plan.nodes.iter().zip(&plan.consumers).enumerate() {
            for (output, _) in consumers.iter().enumerate().filter(|(_, consumer)| consumer.is_some()) {
                let path = format!("{}.{}", node.spec.name, node.spec.outputs[output].name);
                let rows = metrics.rows_sent(index, output);
                match total.iter_mut().find(|t| t.path == path) {
                    Some(known) => known.rows += rows,
                    None => total.push(PathRows { task: self.task.clone(), path, rows }),
                }
            }
        }
        total
    }
}
