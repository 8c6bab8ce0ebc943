//! Packages of test tasks: every rule of scheduling, results, loops, handlers, scopes.

mod containers;
mod events;
mod handlers;
mod kit;
mod variables;
