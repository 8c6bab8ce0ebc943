//! What can be run: the kinds of tasks and enumerators by name, and what runs data flows and expressions.

use super::data_flow::FlowRunner;
use super::logging::LogProviderKind;
use super::task::{EnumeratorKind, TaskKind};
use crate::connections::ConnectionSpec;
use crate::diag::{Diagnostic, codes};
use crate::variables::Evaluator;
use std::collections::HashMap;
use std::sync::Arc;

/// What to say of the object at a path whose kind (the second argument) is not registered.
pub type Refusal = fn(&str, &str) -> Diagnostic;

/// The kinds that an execution knows. Names are compared without regard to letter case; a kind that is registered later
/// replaces an earlier one of the same name, so that third parties can supply what a build lacks.
#[derive(Clone)]
pub struct Registry {
    tasks: HashMap<String, &'static dyn TaskKind>,
    enumerators: HashMap<String, &'static dyn EnumeratorKind>,
    log_providers: HashMap<String, &'static dyn LogProviderKind>,
    flows: Arc<dyn FlowRunner>,
    evaluator: Arc<dyn Evaluator>,
    refusal: Refusal,
    enlists: fn(&ConnectionSpec) -> bool,
}

impl Registry {
    /// A registry without tasks and enumerators.
    pub fn new(flows: Arc<dyn FlowRunner>, evaluator: Arc<dyn Evaluator>) -> Registry {
        let refusal = |path: &str, kind: &str| {
            Diagnostic::error(codes::DTS_E_TASKISEMPTY, path, format!("\"{kind}\" is not registered"))
        };
        let (tasks, enumerators, log_providers) = (HashMap::new(), HashMap::new(), HashMap::new());
        Registry { tasks, enumerators, log_providers, flows, evaluator, refusal, enlists: |_| false }
    }

    /// What to say of a task or enumerator whose kind is not registered.
    #[must_use]
    pub fn refusing(mut self, refusal: Refusal) -> Registry {
        self.refusal = refusal;
        self
    }

    /// Which connections take part in transactions.
    #[must_use]
    pub fn enlisting(mut self, enlists: fn(&ConnectionSpec) -> bool) -> Registry {
        self.enlists = enlists;
        self
    }

    /// Whether what is behind a connection takes part in transactions.
    pub fn enlists(&self, connection: &ConnectionSpec) -> bool {
        (self.enlists)(connection)
    }

    /// Adds task kinds.
    #[must_use]
    pub fn with_tasks(mut self, kinds: impl IntoIterator<Item = &'static dyn TaskKind>) -> Registry {
        self.tasks.extend(kinds.into_iter().map(|k| (k.kind().to_ascii_lowercase(), k)));
        self
    }

    /// Adds enumerator kinds.
    #[must_use]
    pub fn with_enumerators(mut self, kinds: impl IntoIterator<Item = &'static dyn EnumeratorKind>) -> Registry {
        self.enumerators.extend(kinds.into_iter().map(|k| (k.kind().to_ascii_lowercase(), k)));
        self
    }

    /// Adds log provider kinds.
    #[must_use]
    pub fn with_log_providers(mut self, kinds: impl IntoIterator<Item = &'static dyn LogProviderKind>) -> Registry {
        self.log_providers.extend(kinds.into_iter().map(|k| (k.kind().to_ascii_lowercase(), k)));
        self
    }

    /// The log provider class of that canonical kind.
    pub fn log_provider(&self, kind: &str) -> Option<&'static dyn LogProviderKind> {
        self.log_providers.get(&kind.to_ascii_lowercase()).copied()
    }

    /// The task class of that canonical kind.
    pub fn task(&self, kind: &str) -> Option<&'static dyn TaskKind> {
        self.tasks.get(&kind.to_ascii_lowercase()).copied()
    }

    /// The enumerator class of that canonical kind.
    pub fn enumerator(&self, kind: &str) -> Option<&'static dyn EnumeratorKind> {
        self.enumerators.get(&kind.to_ascii_lowercase()).copied()
    }

    /// What to say of a kind that is not registered.
    pub fn refusal(&self, path: &str, kind: &str) -> Diagnostic {
        (self.refusal)(path, kind)
    }

    /// What runs data flows.
    pub fn flows(&self) -> &Arc<dyn FlowRunner> {
        &self.flows
    }

    /// What evaluates expressions.
    pub fn evaluator(&self) -> &Arc<dyn Evaluator> {
        &self.evaluator
    }
}
