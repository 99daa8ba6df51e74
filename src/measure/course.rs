//! How a phase went over time, beside its rows: what the generator did, and what it used up.

use std::collections::BTreeMap;

use super::{Distribution, Gauges, Kind, PhaseFigures, SeriesFigures, SeriesKey};

/// What happened in a stretch of a phase's time, over all of its requests.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Course {
    /// Iterations taken up.
    pub offered: u64,
    /// From due to dispatched.
    pub lateness: Distribution,
    /// Service times of requests answered as expected.
    pub service: Distribution,
    /// The most iterations under way at once.
    pub in_flight: u64,
    /// The most virtual users that were there at once.
    pub users: u64,
    /// The generator's own CPU: the sum over the seconds of which it is known, in thousandths of the cores it may
    /// use.
    cpu_permille: u64,
    cpu_seconds: u64,
}

impl Course {
    /// The generator's own CPU, as a share of the cores it may use: the mean over the seconds.
    pub fn cpu_share(&self) -> Option<f64> {
        let mean = self.cpu_permille as f64 / self.cpu_seconds as f64 / 1_000.0;
        (self.cpu_seconds > 0).then_some((mean * 1e3).round() / 1e3)
    }

    fn merge(&mut self, other: &Self) {
        self.offered += other.offered;
        self.lateness.merge(&other.lateness);
        self.service.merge(&other.service);
        self.in_flight = self.in_flight.max(other.in_flight);
        self.users = self.users.max(other.users);
        self.cpu_permille += other.cpu_permille;
        self.cpu_seconds += other.cpu_seconds;
    }
}

/// The course by block of time.
#[derive(Debug, Default)]
pub(super) struct Courses(BTreeMap<u64, Course>);

impl Courses {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn all(&self) -> impl Iterator<Item = (u64, &Course)> {
        self.0.iter().map(|(&number, course)| (number, course))
    }

    /// Adds what was recorded.
    pub(super) fn add(&mut self, block: u64, figures: &PhaseFigures) {
        // Exchanges that are kept come later than their figures, as rows without samples.
        let is_request =
            |(key, series): &(&SeriesKey, &SeriesFigures)| key.kind == Kind::Request && series.offered() > 0;
        let requests = || figures.series.iter().filter(is_request);
        if figures.offered == 0 && figures.lateness.is_empty() && requests().next().is_none() {
            return;
        }
        let course = self.0.entry(block).or_default();
        course.offered += figures.offered;
        course.lateness.merge(&figures.lateness);
        requests().for_each(|(_, series)| course.service.merge(&series.ok.service));
    }

    /// Notes the highest levels of a second in the block.
    pub(super) fn level(&mut self, block: u64, within: &Gauges) {
        if within.in_flight.peak + within.users.peak == 0 {
            return;
        }
        let course = self.0.entry(block).or_default();
        course.in_flight = course.in_flight.max(within.in_flight.peak);
        course.users = course.users.max(within.users.peak);
    }

    /// Notes the CPU of one more second of the block, if there is anything else in it.
    pub(super) fn cpu(&mut self, block: u64, permille: u16) {
        if let Some(course) = self.0.get_mut(&block) {
            course.cpu_permille += u64::from(permille);
            course.cpu_seconds += 1;
        }
    }

    /// Joins blocks in pairs.
    pub(super) fn join(&mut self) {
        for (number, course) in std::mem::take(&mut self.0) {
            self.0.entry(number / 2).or_default().merge(&course);
        }
    }
}
