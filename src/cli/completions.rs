//! `loadr completions SHELL`

use std::process::ExitCode;

use clap_complete::Shell;

/// What `loadr completions` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    loadr completions bash > ~/.local/share/bash-completion/completions/loadr\n  \
    loadr completions zsh > \"${fpath[1]}/_loadr\"\n  \
    loadr completions fish > ~/.config/fish/completions/loadr.fish")]
pub(super) struct Args {
    /// The shell
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

pub(super) fn run(arguments: &Args) -> ExitCode {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut super::command(), "loadr", &mut script);
    super::print(&String::from_utf8_lossy(&script));
    ExitCode::SUCCESS
}
