//! An SLO on one line, as the command line takes it: `p95: < 10ms, phase: sustained`.

use super::{Condition, QUANTITIES, Quantity, Selector, Slo, select::did_you_mean};
use crate::clock;

const SELECTORS: &[&str] = &["phase", "request", "flow", "group", "class", "status", "experiment"];
const SETTINGS: &[&str] = &["name", "over"];

impl Slo {
    /// Reads `QUANTITY: CONDITION` and `SELECTOR: NAME`, separated by commas; a name with a comma stands in quotes.
    /// `metrics` are the script's own that may be asked for.
    ///
    /// # Errors
    /// A text for the user: what is wrong, with a did-you-mean for an unknown word.
    pub fn parse(text: &str, metrics: &[String]) -> Result<Self, String> {
        let mut slo = Self {
            name: text.split_whitespace().collect::<Vec<_>>().join(" "),
            selector: Selector::default(),
            conditions: Vec::new(),
            abort: false,
            over: None,
        };
        for part in parts(text)? {
            let part = part.trim();
            if let Some((word, value)) = setting(part) {
                slo.set(word, value)?;
            } else {
                slo.conditions.push(condition(part, metrics)?);
            }
        }
        match slo.conditions[..] {
            [] => Err("there is no condition: add one, such as `p95: < 10ms`".to_owned()),
            _ => Ok(slo),
        }
    }

    fn set(&mut self, word: &str, value: &str) -> Result<(), String> {
        let name = || Some(value.to_owned());
        if value.is_empty() {
            return Err(format!("`{word}` has no value"));
        }
        match word {
            "name" => value.clone_into(&mut self.name),
            "over" => {
                let length = clock::parse_duration(value).map_err(|error| error.to_string())?;
                self.over = Some(u64::try_from(length.as_nanos()).unwrap_or(u64::MAX));
            }
            "phase" => self.selector.phase = name(),
            "request" => self.selector.request = name(),
            "flow" => self.selector.flow = name(),
            "group" => self.selector.group = name(),
            "class" => self.selector.class = name(),
            "experiment" => self.selector.experiment = name(),
            _ => match value.parse() {
                Ok(status @ 100..=599) => self.selector.status = Some(status),
                _ => return Err(format!("`{value}` is not a status code")),
            },
        }
        Ok(())
    }
}

/// The parts between commas; commas within quotes separate nothing.
fn parts(text: &str) -> Result<Vec<&str>, String> {
    let mut quote = None;
    let is_comma = |c: char| {
        match quote {
            None if matches!(c, '"' | '\'') => quote = Some(c),
            Some(open) if c == open => quote = None,
            _ => {}
        }
        quote.is_none() && c == ','
    };
    let parts: Vec<&str> = text.split(is_comma).collect();
    if quote.is_some() {
        return Err("a quote is not closed".to_owned());
    }
    if let [.., _, last] = parts[..]
        && last.trim().is_empty()
    {
        return Err("there is nothing behind the last comma".to_owned());
    }
    Ok(parts)
}

/// A selector or a setting, and what it is set to. What is compared is a condition, whatever its name.
fn setting(part: &str) -> Option<(&str, &str)> {
    let (word, value) = part.split_once(':')?;
    let (word, value) = (word.trim(), value.trim());
    let is_known = SELECTORS.iter().chain(SETTINGS).any(|known| *known == word);
    // `status:429: == 0` counts responses; `status: 429` selects them.
    let is_compared = word == "status" && value.contains(['<', '>', '=']);
    (is_known && !is_compared).then(|| (word, unquoted(value)))
}

fn unquoted(value: &str) -> &str {
    let within = |quote: char| value.strip_prefix(quote)?.strip_suffix(quote);
    within('"').or_else(|| within('\'')).unwrap_or(value)
}

fn condition(part: &str, metrics: &[String]) -> Result<Condition, String> {
    let Some(at) = part.find(['<', '>', '=']) else {
        let word = part.split(':').next().unwrap_or_default().trim();
        return Err(match (word, part.contains(':')) {
            ("", _) => "there is nothing between two commas".to_owned(),
            ("abort", _) => "`abort` has no meaning for a run that is over".to_owned(),
            (word, true) if !is_quantity(word, metrics) => unknown(word, metrics),
            _ => format!("`{part}` has no comparison: write it as `p95: < 10ms`"),
        });
    };
    let (name, comparison) = part.split_at(at);
    // The quote before the comparison, where both sides stand in quotes.
    let open = name.trim().strip_suffix(['"', '\'']).map(str::trim).filter(|name| name.ends_with(':'));
    let name = unquoted(open.unwrap_or(name).trim().trim_end_matches(':').trim());
    let quantity = match Quantity::parse(name)? {
        Some(quantity) => quantity,
        None if is_metric(name, metrics) => Quantity::Custom(name.to_owned()),
        None => return Err(unknown(name, metrics)),
    };
    Condition::parse(quantity, unquoted(comparison.trim()).trim_end_matches(['"', '\'']))
}

fn is_quantity(name: &str, metrics: &[String]) -> bool {
    !matches!(Quantity::parse(name), Ok(None)) || is_metric(name, metrics)
}

/// Whether a name is one of these metrics, or a statistic of one: `cart_p95`.
fn is_metric(name: &str, metrics: &[String]) -> bool {
    let base = name.rsplit_once('_').map(|(base, _)| base);
    [Some(name), base].into_iter().flatten().any(|name| metrics.iter().any(|known| known == name))
}

fn unknown(name: &str, metrics: &[String]) -> String {
    let own = SELECTORS.iter().chain(SETTINGS).chain(QUANTITIES).copied();
    let known = own.chain(metrics.iter().map(String::as_str));
    format!("an SLO has no `{name}`{}", did_you_mean(name, known))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::clock::SECOND;

    fn parse(text: &str) -> Result<Slo, String> {
        Slo::parse(text, &["cart time".to_owned(), "orders".to_owned()])
    }

    #[test]
    fn conditions_and_selectors_are_read() {
        let slo =
            parse("p95: < 10ms, phase: sustained, request: \"GET /a,b\", errors < 1%, over: 10s").expect("an SLO");
        assert_eq!(slo.name, "p95: < 10ms, phase: sustained, request: \"GET /a,b\", errors < 1%, over: 10s");
        assert_eq!((slo.selector.phase.as_deref(), slo.over), (Some("sustained"), Some(10 * SECOND)));
        assert_eq!(slo.selector.request.as_deref(), Some("GET /a,b"));
        let told: Vec<String> = slo.conditions.iter().map(|it| format!("{} {}", it.quantity, it.text)).collect();
        assert_eq!(told, ["p95 < 10ms", "errors < 1%"]);
    }

    #[test]
    fn names_with_colons_and_spaces_stay_whole() {
        for (text, quantity) in [
            ("check:has id: == 100%", Quantity::Check("has id".to_owned())),
            ("status:429: == 0", Quantity::Status(429)),
            ("\"status:429\": \"== 0\"", Quantity::Status(429)),
            ("cart time_p95: < 5ms", Quantity::Custom("cart time_p95".to_owned())),
            ("orders > 10", Quantity::Custom("orders".to_owned())),
        ] {
            let slo = parse(text).expect(text);
            assert_eq!(slo.conditions[0].quantity, quantity, "{text}");
        }
        let slo = parse("name: reads stay fast, status: 404, count: > 5").expect("an SLO");
        assert_eq!((slo.name.as_str(), slo.selector.status), ("reads stay fast", Some(404)));
    }

    #[test]
    fn mistakes_are_told() {
        for (text, part) in [
            ("", "nothing between"),
            ("phase: a", "no condition"),
            ("p95: < 10", "no unit"),
            ("p95: 10ms", "no comparison"),
            ("phaze: a, p95: < 1s", "did you mean `phase`?"),
            ("eror < 1%", "did you mean `errors`?"),
            ("order: > 1", "did you mean `orders`?"),
            ("p95 < 1s,", "behind the last comma"),
            ("p95 < 1s, request: \"a", "not closed"),
            ("p95 < 1s, status: 99", "not a status code"),
            ("p95 < 1s, over: 10", "10"),
            ("p95 < 1s, abort: true", "a run that is over"),
            ("p95 < 1s, phase:", "has no value"),
        ] {
            let message = parse(text).expect_err(text);
            assert!(message.contains(part), "{text}: {message}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in ".{0,40}") {
            let _ = parse(&text);
        }
    }
}
