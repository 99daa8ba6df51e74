//! `--demo` and `--demo=OPTIONS`: the lab that a run starts for itself.

use clap::Parser;

use crate::lab::LabOptions;

/// What the lab is started with beside what a run needs it to be told: none of it for `--demo` alone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct LabArguments(pub(super) Vec<String>);

/// Where the lab listens and how it ends is the run's affair.
const OF_THE_RUN: [&str; 3] = ["listen", "port", "until-stdin-closes"];

/// The options as `loadr lab` would read them.
#[derive(Debug, Parser)]
#[command(name = "lab", no_binary_name = true, disable_help_flag = true)]
struct Lab {
    #[command(flatten)]
    _options: LabOptions,
}

/// `cache-ttl=5s,coalesce`: options of `loadr lab`, without their dashes.
pub(super) fn parse_demo(text: &str) -> Result<LabArguments, String> {
    let mut arguments = Vec::new();
    for option in text.split(',').map(str::trim).filter(|option| !option.is_empty()) {
        let option = option.trim_start_matches('-');
        let name = option.split_once('=').map_or(option, |(name, _)| name);
        if OF_THE_RUN.contains(&name) {
            return Err(format!("`{name}` is chosen by the run; start `loadr lab` yourself to choose it"));
        }
        arguments.push(format!("--{option}"));
    }
    match Lab::try_parse_from(&arguments) {
        Ok(_) => Ok(LabArguments(arguments)),
        Err(error) => {
            let text = error.to_string();
            let first = text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned();
            Err(format!("{first}; write options of `loadr lab`, such as --demo=cache-ttl=5s,coalesce"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_of_the_lab_are_taken_without_their_dashes() {
        for (text, expected) in [
            ("", vec![]),
            ("coalesce", vec!["--coalesce"]),
            ("cache-ttl=5s,coalesce", vec!["--cache-ttl=5s", "--coalesce"]),
            (" --limit=50/min , --origin-delay=20ms,", vec!["--limit=50/min", "--origin-delay=20ms"]),
        ] {
            assert_eq!(
                parse_demo(text).map(|it| it.0),
                Ok(expected.into_iter().map(str::to_owned).collect()),
                "{text}"
            );
        }
    }

    #[test]
    fn what_the_lab_does_not_know_is_refused_before_it_is_started() {
        for (text, why) in [
            ("cache_ttl=5s", "unexpected argument '--cache_ttl' found"),
            ("cache-ttl=5", "invalid value '5' for '--cache-ttl"),
            ("cache-ttl", "a value is required"),
            ("items.rhai", "unexpected argument"),
            ("port=80", "chosen by the run"),
        ] {
            let error = parse_demo(text).expect_err(text);
            assert!(error.contains(why) && !error.contains('\n'), "{text}: {error}");
        }
    }
}
