//! The options of `csv(path, #{ … })`.

use rhai::Dynamic;

use crate::{
    plan::suggest,
    script::{call::Call, data_cache::CsvOptions},
};

/// Their names, for messages and the guide.
pub const CSV_OPTIONS: &[&str] = &["delimiter", "quote", "header", "columns", "comment", "trim"];

/// Reads the map; mistakes are reported, and none is then given.
pub(super) fn csv_options(call: &Call<'_>, given: &Dynamic) -> Option<CsvOptions> {
    let map = call.map(given.clone(), "options such as #{ delimiter: \";\" }")?;
    let mut options = CsvOptions::default();
    let mut fine = true;
    for (name, value) in &map {
        fine &= match name.as_str() {
            "delimiter" => byte(call, value).map(|byte| options.delimiter = byte),
            "quote" => byte(call, value).map(|byte| options.quote = byte),
            "comment" => byte(call, value).map(|byte| options.comment = Some(byte)),
            "header" => flag(call, value).map(|on| options.header = on),
            "trim" => flag(call, value).map(|on| options.trim = on),
            "columns" => names(call, value).map(|names| options.columns = Some(names)),
            unknown => {
                let help = suggest(unknown, CSV_OPTIONS.iter().copied(), "option of that kind");
                call.wrong(format!("`csv` has no option `{unknown}`"), help);
                None
            }
        }
        .is_some();
    }
    fine.then_some(options)
}

fn byte(call: &Call<'_>, value: &Dynamic) -> Option<u8> {
    let text = value.to_string();
    match text.as_bytes() {
        [byte] if (value.is_string() || value.is_char()) && byte.is_ascii() && !matches!(byte, b'\n' | b'\r') => {
            Some(*byte)
        }
        _ => call.mismatch("one ASCII character such as \";\" or \"\\t\"", value),
    }
}

fn flag(call: &Call<'_>, value: &Dynamic) -> Option<bool> {
    value.as_bool().ok().or_else(|| call.mismatch("true or false", value))
}

fn names(call: &Call<'_>, value: &Dynamic) -> Option<Vec<String>> {
    call.array(value.clone(), "names such as [\"email\", \"name\"]")?.iter().map(|name| call.fixed_text(name)).collect()
}
