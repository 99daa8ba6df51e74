//! `saved("name")` at the top level: whether anything in the script can ever be saved under that name.

use super::state::ScriptState;
use crate::plan::{Generator, Problem, suggest};

/// A problem for each name that is drawn and never saved.
pub(super) fn never_saved(state: &ScriptState) -> Vec<Problem> {
    let sources = state.sources.borrow();
    let known: Option<Vec<Vec<&str>>> = sources.all().map(names).collect();
    // Names that are put together while the script runs can be any.
    let Some(known) = known.map(|known| known.concat()) else { return Vec::new() };
    let plan = state.plan.borrow();
    let places = state.generator_places.borrow();
    let drawn = plan.generators.iter().zip(places.iter()).filter_map(|(generator, place)| match generator {
        Generator::Saved(name) => Some((name, place)),
        _ => None,
    });
    drawn
        .filter(|(name, _)| !known.contains(&&***name))
        .map(|(name, place)| {
            let help = match known.as_slice() {
                [] => format!("save it where a response has it: `.save({name:?}, \"$.path\")`"),
                _ => suggest(name, known.iter().copied(), "saved value"),
            };
            Problem::at(place, format!("nothing in the script saves a `{name}`"))
                .label("would never have a value")
                .help(help)
        })
        .collect()
}

/// The names under which a text saves something: those of `.save("name", …)` and of `vu.name = …`. None if a name is
/// not written as a text.
fn names(text: &str) -> Option<Vec<&str>> {
    let mut names = Vec::new();
    for (at, call) in text.match_indices(".save(") {
        let argument = text[at + call.len()..].trim_start().strip_prefix('"')?;
        names.push(argument.split('"').next().unwrap_or_default());
    }
    for (at, _) in text.match_indices('=') {
        let before = text[..at].trim_end();
        let is_assignment = !text[at + 1..].starts_with('=') && !before.ends_with(['=', '!', '<', '>']);
        let name = before.rsplit(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default();
        if is_assignment && before.strip_suffix(name).is_some_and(|owner| owner.ends_with('.')) && !name.is_empty() {
            names.push(name);
        }
    }
    Some(names)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::tests::{loaded, mistakes};

    #[test]
    fn names_are_found_in_text() {
        let text = r#"get("/").save("token", "$.t").save( "id", css("a")); vu.cart = 1; if vu.other == 2 { x.y=3 }"#;
        assert_eq!(names(text), Some(vec!["token", "id", "cart", "y"]));
        assert_eq!(names("get(\"/\").save(name, \"$.t\")"), None);
    }

    #[test]
    fn a_name_that_nobody_saves_is_a_mistake() {
        let script = |save: &str, name: &str| {
            format!(
                "target(\"http://h\");\nlet login = post(\"/login\"){save};\n\
                 let me = get(\"/me\").bearer(saved(\"{name}\"));\n\
                 phase(\"p\").run(mix([[1, login], [1, me]])).users(1).during(1.s);"
            )
        };
        loaded(&script(".save(\"token\", \"$.t\")", "token"), |loaded| assert_eq!(loaded.plan.generators.len(), 1));
        insta::assert_snapshot!(mistakes(&script(".save(\"token\", \"$.t\")", "tokn")));
        insta::assert_snapshot!(mistakes(&script("", "token")));
    }
}
