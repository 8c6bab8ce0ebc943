//! Work that a component divides among the threads of the pool.

use rayon::prelude::*;

/// The results of `work` on each of `items`, in their order. On a thread of the pool the work is divided among its threads;
/// elsewhere (a thread that may wait, a test) it is done here, so that nobody starts threads by accident.
pub fn on_pool<T: Send, R: Send>(items: Vec<T>, work: impl Fn(T) -> R + Send + Sync) -> Vec<R> {
    match rayon::current_thread_index() {
        Some(_) => items.into_par_iter().map(work).collect(),
        None => items.into_iter().map(work).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::{RunOptions, Services};

    #[test]
    fn results_come_in_order_on_the_pool_and_off_it() {
        let work = || on_pool((0..1000).collect(), |i: i32| i * 2);
        let expected: Vec<i32> = (0..1000).map(|i| i * 2).collect();
        assert_eq!(work(), expected);
        let services = Services::new(RunOptions { threads: 3, ..RunOptions::default() }).unwrap();
        assert_eq!(services.pool.install(work), expected);
    }
}
