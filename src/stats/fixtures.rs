//! What SciPy says of the same numbers: `tests/data/statistics.py` writes the file.

use serde_json::Value;

/// The cases of a name; at least one.
pub(super) fn cases(name: &str) -> Vec<Value> {
    let all: Value = serde_json::from_str(include_str!("../../tests/data/statistics.json")).expect("JSON");
    all[name].as_array().filter(|cases| !cases.is_empty()).expect("cases of that name").clone()
}

/// A list of numbers.
pub(super) fn floats(list: &Value) -> Vec<f64> {
    list.as_array().expect("a list").iter().map(|value| value.as_f64().expect("a number")).collect()
}
