//! A phase's load in words.

use std::time::Duration;

use crate::{
    clock::{Nanos, Rate, format_nanos},
    plan::{Load, Phase},
};

/// `open 500/s for 30s`, `closed 1→50 users over 1m`, `burst of 50, 6 times, every 10s`.
pub fn describe(phase: &Phase) -> String {
    let length = |word: &str| phase.duration.map_or_else(String::new, |length| format!(" {word} {}", span(length)));
    match &phase.load {
        Load::Users(points) => {
            let users: Vec<u64> = points.iter().map(|&(_, users)| users).collect();
            match users[..] {
                [1] => format!("closed, 1 user{}", length("for")),
                [users] => format!("closed, {users} users{}", length("for")),
                _ => format!("closed, {} users{}", path(&users, u64::to_string), length("over")),
            }
        }
        Load::Rate(points) => {
            let rates: Vec<Rate> = points.iter().map(|&(_, rate)| rate).collect();
            match rates[..] {
                [rate] => format!("open, {rate}{}", length("for")),
                _ => format!("open, {}{}", path(&rates, Rate::to_string), length("over")),
            }
        }
        Load::Burst { count, times: 1, .. } => format!("burst of {count}"),
        Load::Burst { count, every, times } => format!("burst of {count}, {times} times, every {}", span(*every)),
        Load::Iterations { count, users } => {
            format!("closed, {count} {} by {users} {}", iteration_word(*count), user_word(*users))
        }
        Load::EachUser { each, users } => {
            format!("closed, {each} {} by each of {users} {}", iteration_word(*each), user_word(*users))
        }
        Load::Asap { count } => format!("open, {count} iterations as soon as possible"),
    }
}

fn iteration_word(count: u64) -> &'static str {
    if count == 1 { "iteration" } else { "iterations" }
}

fn user_word(users: u64) -> &'static str {
    if users == 1 { "user" } else { "users" }
}

/// The points of a path; of a long one, the first few and the last.
fn path<T: PartialEq>(points: &[T], text: impl Fn(&T) -> String) -> String {
    const SHOWN_MAX: usize = 4;
    let mut steps: Vec<&T> = points.iter().collect();
    steps.dedup();
    if steps.len() > SHOWN_MAX {
        let texts: Vec<String> = steps[..SHOWN_MAX - 1].iter().map(|step| text(step)).collect();
        return format!("{}→…→{}", texts.join("→"), steps.last().map_or_else(String::new, |last| text(last)));
    }
    steps.into_iter().map(text).collect::<Vec<_>>().join("→")
}

fn span(length: Duration) -> String {
    // A phase of 584 years is refused by the plan; the cast cannot truncate.
    format_nanos(length.as_nanos() as Nanos)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::summary::tests::phase;

    #[test]
    fn loads_read_as_a_script_wrote_them() {
        let s = Duration::from_secs;
        for (load, duration, text) in [
            (Load::Rate(vec![(s(0), Rate::per_second(500))]), Some(s(30)), "open, 500/s for 30s"),
            (
                Load::Rate(vec![(s(0), Rate::per_second(10)), (s(60), Rate::per_second(90))]),
                Some(s(60)),
                "open, 10/s→90/s over 1m",
            ),
            (Load::Users(vec![(s(0), 10)]), Some(s(5)), "closed, 10 users for 5s"),
            (Load::Users((0..9).map(|n| (s(n), n)).collect()), Some(s(9)), "closed, 0→1→2→…→8 users over 9s"),
            (Load::Burst { count: 50, every: s(0), times: 1 }, None, "burst of 50"),
            (Load::Burst { count: 50, every: s(10), times: 6 }, None, "burst of 50, 6 times, every 10s"),
            (Load::Iterations { count: 100, users: 1 }, None, "closed, 100 iterations by 1 user"),
        ] {
            assert_eq!(describe(&Phase { duration, ..phase("p", load) }), text);
        }
    }
}
