//! What a virtual user keeps, as requests draw it: what `.save` and `vu.name = …` put into its variables.

use rhai::{Dynamic, Map};

use super::{ambient::current_user, shared::Shared};
use crate::plan::{Kept, KeptValue, Value};

impl Kept for Map {
    fn kept(&self, name: &str) -> Option<KeptValue> {
        let value = self.get(name)?;
        if value.is_unit() {
            return None;
        }
        let plain = if let Ok(number) = value.as_int() {
            Value::Int(number)
        } else if let Ok(number) = value.as_float() {
            Value::Float(number)
        } else if let Ok(yes) = value.as_bool() {
            Value::Bool(yes)
        } else if value.is_array() || value.is_map() {
            // What has no form in JSON is shown as the language shows it.
            return Some(match serde_json::to_string(value) {
                Ok(text) => KeptValue::Json(text),
                Err(_) => KeptValue::Plain(Value::Text(value.to_string())),
            });
        } else {
            Value::Text(value.to_string())
        };
        Some(KeptValue::Plain(plain))
    }
}

/// What the virtual user that has the floor has kept under a name.
pub(in crate::script) fn saved(name: &str) -> Option<Dynamic> {
    let user = current_user()?;
    Shared::with_vars(&user, |vars| vars.get(name).cloned()).filter(|value| !value.is_unit())
}
