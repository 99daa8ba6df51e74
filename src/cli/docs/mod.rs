//! `loadr docs [WORD]`

mod page;

use std::process::ExitCode;

use super::{Color, code, complain, print};
use crate::{
    judge,
    report::terminal,
    script::reference::{self, Found},
};

/// What `loadr docs` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    loadr docs                  every word, by subject\n  \
    loadr docs users            all words of that name\n  \
    loadr docs Phase.users      one of them; `res.json` and `.json` do as well\n  \
    loadr docs std/auth         a module of the standard library; `auth::login`, one of its functions\n  \
    loadr docs generators       a subject\n  \
    loadr docs closes idle      whatever speaks of that\n  \
    loadr docs stale_connection what a kind of error means")]
pub(super) struct Args {
    /// A word, a type, a module, a subject, a kind of error, or words to search for
    #[arg(value_name = "WORD")]
    words: Vec<String>,

    /// The whole reference as Markdown
    #[arg(long, conflicts_with = "words")]
    markdown: bool,
}

pub(super) fn run(arguments: &Args, color: Color) -> ExitCode {
    if arguments.markdown {
        print(&reference::markdown());
        return ExitCode::SUCCESS;
    }
    let page = page::Page::new(terminal::width(), color.on(&std::io::stdout()));
    if arguments.words.is_empty() {
        print(&page.overview());
        return ExitCode::SUCCESS;
    }
    let query = arguments.words.join(" ");
    let found = reference::find(&query);
    let Found { named, groups, mentions, near } = &found;
    if named.is_empty() && groups.is_empty() && mentions.is_empty() {
        let help = match near {
            Some(near) => format!("did you mean `loadr docs {near}`?"),
            None => "`loadr docs` lists every word by subject".to_owned(),
        };
        let query: String = query.chars().map(|c| if c.is_control() { '\u{FFFD}' } else { c }).collect();
        complain(&format!("error: the reference has nothing on `{query}`\nhelp: {help}"));
        return code(judge::ExitCode::Usage);
    }
    print(&page.found(&query, &found));
    ExitCode::SUCCESS
}
