//! Names in the text of a script, found without the parser: it may be the parser that failed.

use crate::{plan::Place, script::render::Sources};

/// Names that a script declares with `let`, `const`, `fn` or as a closure's parameter.
pub(in crate::script) fn declared(text: &str) -> Vec<String> {
    let identifier = |text: &str| -> String { text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect() };
    let mut names = Vec::new();
    for keyword in ["let ", "const ", "for ", " as "] {
        names.extend(
            text.match_indices(keyword).map(|(index, _)| identifier(text[index + keyword.len()..].trim_start())),
        );
    }
    for piece in text.split('|').skip(1).step_by(2).filter(|piece| piece.len() < 80 && !piece.contains('\n')) {
        names.extend(piece.split(',').map(|name| identifier(name.trim())));
    }
    names.retain(|name| !name.is_empty());
    names
}

/// Whether the word at a place is called on something.
pub(super) fn follows_a_dot(sources: &Sources, at: &Place) -> bool {
    let line = sources.text(&at.file).and_then(|text| text.split('\n').nth((at.line as usize).checked_sub(1)?));
    let before = line.map(|line| line.chars().take((at.column as usize).saturating_sub(1)).collect::<String>());
    before.is_some_and(|before| before.trim_end().ends_with('.'))
}

/// Functions of the script itself: name and number of parameters.
pub(in crate::script) fn functions(text: &str) -> Vec<(String, usize)> {
    text.match_indices("fn ")
        .filter_map(|(index, _)| {
            let (name, rest) = text[index + 3..].split_once('(')?;
            let (parameters, _) = rest.split_once(')')?;
            let count = parameters.split(',').filter(|parameter| !parameter.trim().is_empty()).count();
            Some((name.trim().to_owned(), count))
        })
        .collect()
}

/// The imports of a text: path and name.
pub(in crate::script) fn imports(text: &str) -> Vec<(&str, &str)> {
    let statements = text.split(';').filter_map(|statement| statement.split_once("import ").map(|(_, rest)| rest));
    let parts = statements.filter_map(|rest| rest.trim_start().strip_prefix('"')?.split_once('"'));
    parts.filter_map(|(path, rest)| Some((path, rest.trim_start().strip_prefix("as ")?.trim()))).collect()
}

/// The text of the module that the file of a place imports under a name.
pub(in crate::script) fn import_of<'a>(sources: &'a Sources, at: &Place, alias: &str) -> Option<&'a str> {
    let (path, _) = imports(sources.text(&at.file)?).into_iter().find(|(_, known)| *known == alias)?;
    let end = format!("/{}", path.trim_start_matches("./").trim_start_matches("../").trim_end_matches(".rhai"));
    sources.text(path).or_else(|| sources.find(|name| name.trim_end_matches(".rhai").ends_with(&end)))
}

/// The keys of the maps of a text.
pub(super) fn keys(text: &str) -> Vec<&str> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let before = text.match_indices(':').map(|(at, _)| text[..at].trim_end_matches('"'));
    before.map(|text| text.rsplit(|c| !is_word(c)).next().unwrap_or_default()).filter(|key| !key.is_empty()).collect()
}

/// The percentile around a place where the parser stumbled, such as `p99.9` without quotes.
pub(super) fn bare_percentile(sources: &Sources, at: &Place) -> Option<String> {
    let line = sources.text(&at.file)?.split('\n').nth((at.line as usize).checked_sub(1)?)?;
    let column = (at.column as usize).saturating_sub(1);
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '_';
    let letters: Vec<char> = line.chars().collect();
    let from = (0..column.min(letters.len())).rev().take_while(|&at| is_part(letters[at])).last()?;
    let word: String = letters[from..].iter().take_while(|c| is_part(**c)).collect();
    let number = word.rsplit_once('p')?.1;
    let (whole, fraction) = number.split_once('.')?;
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    (digits(whole) && digits(fraction)).then_some(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_text() {
        let text =
            "import \"lib/a\" as a;\nimport \"std/check\" as check; let m = #{ one: 1, \"two\": 2 }; fn f(x, y) {}";
        assert_eq!(imports(text), [("lib/a", "a"), ("std/check", "check")]);
        assert_eq!(keys("let m = #{ one: 1, \"two\": 2 }"), ["one", "two"]);
        assert_eq!(functions(text), [("f".to_owned(), 2)]);
        assert!(declared("let x = 1; flow(\"f\", |vu, n| vu)").contains(&"n".to_owned()));
    }
}
