//! The options of every subcommand that reads a script.

use std::path::PathBuf;

use crate::{
    plan::{Extent, Scale},
    runner::ScriptOptions,
};

/// What a script is given, beside its own text.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Surroundings {
    /// A value for env(NAME) and secret(NAME); wins over the environment
    #[arg(short = 'e', long = "env", value_name = "NAME=VALUE", value_parser = parse_pair)]
    env: Vec<(String, String)>,

    /// Let the script read files of DIR, beside those of its own folder
    #[arg(long, value_name = "DIR")]
    allow_read: Vec<PathBuf>,
}

impl Surroundings {
    /// A script in these surroundings.
    pub(super) fn of(&self, script: &std::path::Path) -> ScriptOptions {
        ScriptOptions {
            script: script.to_owned(),
            env: self.env.clone(),
            allow_read: self.allow_read.clone(),
            exec: crate::script::Exec::Describe,
            slice: None,
            extent: Extent::default(),
        }
    }
}

/// How much of a scenario is wanted.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct ExtentArgs {
    /// Make every phase shorter or longer: multiply durations and numbers of iterations by F; rates and users stay
    #[arg(long, value_name = "F")]
    scale: Option<Scale>,

    /// Run only phases of this name, with * and ? for any text and any character; may be given more than once
    #[arg(long, value_name = "PATTERN")]
    phase: Vec<String>,
}

impl ExtentArgs {
    pub(super) fn extent(&self) -> Extent {
        Extent { scale: self.scale, phases: self.phase.clone() }
    }
}

pub(super) fn parse_pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write NAME=VALUE".to_owned()),
    }
}

/// Longest key and value of a tag, in characters: they stand in one line of every report.
const TAG_CHARS_MAX: usize = 200;

/// `commit=1a2b3c`
pub(super) fn parse_tag(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write KEY=VALUE, such as commit=1a2b3c")?;
    let is_key = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    if key.is_empty() || !key.chars().all(is_key) {
        return Err(format!("`{}` is no key: it has letters, digits, dots, `_` and `-` only", key.escape_default()));
    }
    if value.is_empty() || value.chars().any(char::is_control) {
        return Err(format!("the value of `{key}` is to be a text on one line"));
    }
    if text.chars().count() > TAG_CHARS_MAX {
        return Err(format!("a tag has at most {TAG_CHARS_MAX} characters"));
    }
    Ok((key.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_a_key_and_a_value() {
        let read = |text: &str| parse_tag(text).ok();
        let pair = |key: &str, value: &str| Some((key.to_owned(), value.to_owned()));
        assert_eq!(read("commit=1a2b3c"), pair("commit", "1a2b3c"));
        assert_eq!(read("ci.job-id_1=a=b c"), pair("ci.job-id_1", "a=b c"));
        for wrong in ["commit", "=x", "a b=c", "commit=", "a=b\nc", &format!("a={}", "x".repeat(200))] {
            assert!(parse_tag(wrong).is_err_and(|message| !message.is_empty()), "{wrong}");
        }
    }
}
