//! What the data flows and tasks of one execution share beyond rows: caches, for instance.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Things of any type, each found by its type and a name; made when they are first asked for, gone with the execution.
#[derive(Default)]
pub struct Shared(Mutex<HashMap<(TypeId, String), Arc<dyn Any + Send + Sync>>>);

impl Shared {
    /// The thing of type `T` called `name`.
    pub fn get<T: Any + Default + Send + Sync>(&self, name: &str) -> Arc<T> {
        let mut things = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let thing = things.entry((TypeId::of::<T>(), name.to_owned())).or_insert_with(|| Arc::new(T::default()));
        // The key holds the type, so that the cast cannot fail.
        thing.clone().downcast::<T>().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn things_are_told_apart_by_type_and_name() {
        let shared = Shared::default();
        shared.get::<Mutex<u32>>("a").lock().unwrap().add_assign(1);
        shared.get::<Mutex<u32>>("a").lock().unwrap().add_assign(1);
        assert_eq!(*shared.get::<Mutex<u32>>("a").lock().unwrap(), 2);
        assert_eq!(*shared.get::<Mutex<u32>>("b").lock().unwrap(), 0);
        assert_eq!(*shared.get::<Mutex<u64>>("a").lock().unwrap(), 0);
    }

    use std::ops::AddAssign;
}
