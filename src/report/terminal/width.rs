//! How wide the terminal is.

/// Where nothing is known: a pipe, a file, a log.
const DEFAULT: usize = 80;
/// Longer lines are hard to follow.
const MAX: usize = 160;

/// Columns for a report on standard output: those of its terminal, else of `COLUMNS`, else 80; at most 160.
pub fn width() -> usize {
    let of_terminal = || {
        #[cfg(unix)]
        return rustix::termios::tcgetwinsize(std::io::stdout()).ok().map(|size| usize::from(size.ws_col));
        #[cfg(not(unix))]
        None
    };
    let of_environment = || std::env::var("COLUMNS").ok()?.parse().ok();
    // A terminal of no width is one that does not know it.
    let known = of_terminal().filter(|&columns| columns > 0).or_else(of_environment);
    known.unwrap_or(DEFAULT).clamp(super::WIDTH_MIN, MAX)
}
