//! The pure decision: filters say which nodes may take a container, a strategy says which of them does.

mod settings;

pub use settings::{Filter, Settings, Strategy, Strict, UnknownName};
