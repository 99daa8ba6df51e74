//! What a virtual user has kept of earlier responses, as requests draw it.

use std::any::Any;

use super::Value;

/// The values of a virtual user, by name. How they are kept is the script's affair.
pub trait Kept: Any {
    /// The value of a name; none where nothing is kept, or null.
    fn kept(&self, name: &str) -> Option<KeptValue>;
}

/// A value that was kept.
#[derive(Debug, Clone, PartialEq)]
pub enum KeptValue {
    /// One that fits everywhere.
    Plain(Value),
    /// A list or a map, as JSON.
    Json(String),
}
