//! The tools of those who write scripts, as they see them: exit code, standard output and error.

mod attempt;
mod check;
mod command_line;
mod definitions;
mod docs;
mod new;
mod plan;
