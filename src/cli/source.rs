//! The options of every subcommand that reads a script.

use std::path::PathBuf;

use crate::runner::ScriptOptions;

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
            slice: None,
        }
    }
}

pub(super) fn parse_pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write NAME=VALUE".to_owned()),
    }
}
