//! The `loadr` command.

fn main() {}
