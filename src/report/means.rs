//! The two means of a phase such as `ab -n 1000 -c 10`, told apart.

use super::{PhaseSummary, words::us};

/// The two means that `ab -n … -c …` prints under nearly the same name, for a phase like that: of what a request took,
/// and of the time from one's end to the next one's. Nothing for phases of another kind, or of flows.
pub(super) fn both_means(phase: &PhaseSummary) -> Option<String> {
    let is_like_ab = phase.load == "iterations" && phase.users_peak > 1 && phase.flows.is_empty();
    let latencies = || phase.requests.iter().filter(|row| row.class.is_none()).map(|row| &row.response_us);
    let count: u64 = latencies().map(|latency| latency.count).sum();
    if !is_like_ab || count == 0 || phase.duration_s <= 0.0 || latencies().any(|latency| latency.censored > 0) {
        return None;
    }
    let sum: f64 = latencies().filter_map(|latency| Some(latency.mean? * latency.count as f64)).sum();
    let (mean, pace) = (sum / count as f64, phase.duration_s * 1e6 / count as f64);
    Some(format!(
        "means: a request took {}; one ended every {}, with {:.1} under way on average, which is a pace and no latency",
        us(mean.round() as u64),
        us(pace.round() as u64),
        mean / pace,
    ))
}

#[cfg(test)]
mod tests {
    use crate::report::{PhaseSummary, samples};

    /// A thousand requests by ten users, as a report of users has them.
    fn phase() -> PhaseSummary {
        let mut phase = samples::healthy().phases.remove(1);
        phase.requests.truncate(1);
        phase.requests[0].response_us.count = 1_000;
        phase.requests[0].response_us.mean = Some(5_848.0);
        PhaseSummary { load: "iterations", is_open: false, users_peak: 10, duration_s: 0.5848, ..phase }
    }

    #[test]
    fn a_pace_is_not_taken_for_a_latency() {
        assert_eq!(
            super::both_means(&phase()).as_deref(),
            Some(
                "means: a request took 5.85ms; one ended every 585µs, with 10.0 under way on average, which is a pace \
                 and no latency"
            )
        );
    }

    #[test]
    fn other_phases_have_none() {
        let mut censored = phase();
        censored.requests[0].response_us.censored = 1;
        let others = [
            PhaseSummary { load: "open", ..phase() },
            PhaseSummary { users_peak: 1, ..phase() },
            PhaseSummary { duration_s: 0.0, ..phase() },
            PhaseSummary { requests: Vec::new(), ..phase() },
            censored,
        ];
        assert!(others.iter().all(|phase| super::both_means(phase).is_none()));
    }
}
