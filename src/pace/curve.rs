//! Rates and numbers of users that change over time: piecewise linear, integrated exactly.

use crate::clock::{Nanos, Rate};

/// A rate over time. The number of arrivals up to a time is its integral, kept as an integer over a common
/// denominator, so that counts are exact whatever the rates.
#[derive(Debug, Clone)]
pub struct RateCurve {
    pieces: Vec<Piece>,
    /// Rates are `Piece::from / unit` a nanosecond.
    unit: u128,
    end: Nanos,
}

#[derive(Debug, Clone, Copy)]
struct Piece {
    start: Nanos,
    length: Nanos,
    from: u128,
    to: u128,
    /// Twice the integral up to `start`, in units of `1 / unit`.
    before: u128,
}

impl RateCurve {
    /// A curve through `points` (time from the phase's start, rate), constant before the first and after the
    /// last, up to `end`. Two points at the same time are a step.
    ///
    /// Rates that share no reasonable denominator (more than 2^60) are rounded to one event in 2^60 ns.
    pub fn new(points: &[(Nanos, Rate)], end: Nanos) -> Self {
        let unit = points.iter().fold(1u128, |unit, &(_, rate)| lcm(unit, u128::from(rate.per)).min(1 << 60));
        let scaled = |rate: Rate| u128::from(rate.events) * unit / u128::from(rate.per);
        let mut pieces = Vec::new();
        let mut before = 0;
        let mut push = |start: Nanos, stop: Nanos, from: u128, to: u128| {
            let stop = stop.min(end);
            if stop > start {
                let length = stop - start;
                pieces.push(Piece { start, length, from, to, before });
                before += (from + to) * u128::from(length);
            }
        };
        if let Some(&(time, rate)) = points.first() {
            push(0, time, scaled(rate), scaled(rate));
        }
        for pair in points.windows(2) {
            let ((start, from), (stop, to)) = (pair[0], pair[1]);
            let (from, to) = (scaled(from), scaled(to));
            // A ramp that the phase's end cuts short ends at the rate it has reached by then.
            let cut = if stop > end && end > start {
                let (done, whole) = (u128::from(end - start), u128::from(stop - start));
                if to >= from { from + (to - from) * done / whole } else { from - (from - to) * done / whole }
            } else {
                to
            };
            push(start, stop, from, cut);
        }
        if let Some(&(time, rate)) = points.last() {
            push(time, end, scaled(rate), scaled(rate));
        }
        Self { pieces, unit, end }
    }

    /// The curve's end.
    pub fn end(&self) -> Nanos {
        self.end
    }

    /// How many arrivals are due before the end when they are evenly spaced: ⌈integral⌉.
    pub fn count(&self) -> u64 {
        u64::try_from(self.doubled_total().div_ceil(2 * self.unit)).unwrap_or(u64::MAX)
    }

    /// The integral up to the end.
    pub fn total(&self) -> f64 {
        self.doubled_total() as f64 / (2 * self.unit) as f64
    }

    fn doubled_total(&self) -> u128 {
        self.pieces.last().map_or(0, |p| p.before + (p.from + p.to) * u128::from(p.length))
    }

    /// When the integral reaches `k`, if it does before the end. A constant rate of e events in d nanoseconds
    /// gives ⌊k·d/e⌋: multiplied, then divided.
    pub fn time_of(&self, k: u64) -> Option<Nanos> {
        let goal = u128::from(k) * 2 * self.unit;
        if goal >= self.doubled_total() {
            return None;
        }
        let index = self.pieces.partition_point(|piece| piece.before <= goal) - 1;
        let piece = &self.pieces[index];
        let rest = goal - piece.before;
        let offset = if piece.from == piece.to {
            (rest / (2 * piece.from)) as Nanos
        } else {
            piece.inverse(rest as f64) as Nanos
        };
        Some(piece.start + offset.min(piece.length))
    }

    /// When the integral reaches the real number `mass`, if it does before the end.
    pub fn time_of_mass(&self, mass: f64) -> Option<Nanos> {
        let goal = mass * (2 * self.unit) as f64;
        if goal >= self.doubled_total() as f64 {
            return None;
        }
        let index = self.pieces.partition_point(|piece| piece.before as f64 <= goal).max(1) - 1;
        let piece = &self.pieces[index];
        let offset = piece.inverse(goal - piece.before as f64) as Nanos;
        Some(piece.start + offset.min(piece.length))
    }
}

impl Piece {
    /// How long after its start twice the integral has grown by `rest`: the root of
    /// `2·from·t + (to − from)·t²/length = rest`, in the form that does not cancel.
    fn inverse(&self, rest: f64) -> f64 {
        let (from, to, length) = (self.from as f64, self.to as f64, self.length as f64);
        let root = (from * from + (to - from) * rest / length).max(0.0).sqrt();
        if from + root > 0.0 { rest / (from + root) } else { 0.0 }
    }
}

fn lcm(a: u128, b: u128) -> u128 {
    let (mut x, mut y) = (a, b);
    while y != 0 {
        (x, y) = (y, x % y);
    }
    a / x.max(1) * b
}

/// A number of virtual users over time: piecewise linear, rounded to the nearest whole user.
#[derive(Debug, Clone)]
pub struct UserCurve {
    points: Vec<(Nanos, u64)>,
}

impl UserCurve {
    /// A curve through `points` (time from the phase's start, users), constant before the first and after
    /// the last.
    pub fn new(points: Vec<(Nanos, u64)>) -> Self {
        Self { points }
    }

    /// The most users there ever are.
    pub fn peak(&self) -> u64 {
        self.points.iter().map(|&(_, users)| users).max().unwrap_or(0)
    }

    /// How many users there are at a time.
    pub fn users_at(&self, time: Nanos) -> u64 {
        let after = self.points.partition_point(|&(at, _)| at <= time);
        match (after.checked_sub(1).map(|i| self.points[i]), self.points.get(after)) {
            (None, None) => 0,
            (None, Some(&(_, users))) | (Some((_, users)), None) => users,
            (Some((start, from)), Some(&(stop, to))) => {
                let (done, whole) = (i128::from(time - start), i128::from(stop - start));
                let doubled = 2 * i128::from(from) * whole + 2 * (i128::from(to) - i128::from(from)) * done + whole;
                u64::try_from(doubled.div_euclid(2 * whole)).unwrap_or(0)
            }
        }
    }

    /// Whether user `user` (from 0) is at work at a time.
    pub fn is_active(&self, user: u64, time: Nanos) -> bool {
        user < self.users_at(time)
    }

    /// The first time from `time` on, and before `end`, at which `user` is at work.
    pub fn active_from(&self, user: u64, time: Nanos, end: Nanos) -> Option<Nanos> {
        if time >= end {
            return None;
        }
        if self.is_active(user, time) {
            return Some(time);
        }
        // Within a piece the number is monotone: bisect the first piece that reaches the user.
        let mut low = time;
        for &(stop, _) in self.points.iter().filter(|&&(at, _)| at > time) {
            let stop = stop.min(end);
            if self.is_active(user, stop) {
                let (mut idle, mut active) = (low, stop);
                while active - idle > 1 {
                    let middle = idle + (active - idle) / 2;
                    if self.is_active(user, middle) { active = middle } else { idle = middle }
                }
                return (active < end).then_some(active);
            }
            low = stop;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::clock::SECOND;

    fn constant(rate: Rate, end: Nanos) -> RateCurve {
        RateCurve::new(&[(0, rate)], end)
    }

    #[test]
    fn constant_rates_count_exactly() {
        for (rate, seconds, count) in [
            (Rate::per_second(500), 30, 15_000),
            (Rate::per_second(20_000), 3, 60_000),
            (Rate { events: 500, per: 300 * SECOND }, 300, 500),
            (Rate { events: 1, per: 3 * SECOND }, 10, 4),
            (Rate::per_second(0), 10, 0),
        ] {
            let curve = constant(rate, seconds * SECOND);
            assert_eq!(curve.count(), count, "{rate}");
            assert_eq!(curve.time_of(count), None);
            if count > 0 {
                assert!(curve.time_of(count - 1).is_some_and(|t| t < seconds * SECOND));
            }
        }
    }

    #[test]
    fn a_period_that_is_no_whole_number_of_nanoseconds_does_not_drift() {
        let curve = constant(Rate::per_second(3), 1_000 * SECOND);
        assert_eq!(curve.time_of(1), Some(333_333_333));
        assert_eq!(curve.time_of(3), Some(SECOND));
        assert_eq!(curve.time_of(2_999), Some(999_666_666_666));
    }

    #[test]
    fn a_ramp_is_the_inverse_integral() {
        // 0 to 100/s in 10 s: 5 t² arrivals by time t.
        let curve = RateCurve::new(&[(0, Rate::per_second(0)), (10 * SECOND, Rate::per_second(100))], 10 * SECOND);
        assert_eq!(curve.count(), 500);
        assert_eq!(curve.time_of(0), Some(0));
        let expected = ((125.0_f64 / 5.0).sqrt() * 1e9) as i64;
        assert!(curve.time_of(125).is_some_and(|t| (t as i64 - expected).abs() <= 1));
    }

    #[test]
    fn steps_and_ramps_join_without_gap() {
        let points = [
            (0, Rate::per_second(10)),
            (10 * SECOND, Rate::per_second(10)),
            (10 * SECOND, Rate::per_second(100)),
            (20 * SECOND, Rate::per_second(0)),
        ];
        let curve = RateCurve::new(&points, 30 * SECOND);
        assert_eq!(curve.count(), 100 + 500);
        assert_eq!(curve.time_of(100), Some(10 * SECOND));
        assert_eq!(curve.time_of(600), None);
    }

    #[test]
    fn a_ramp_is_cut_at_the_end() {
        let points = [(0, Rate::per_second(0)), (10 * SECOND, Rate::per_second(100))];
        assert_eq!(RateCurve::new(&points, 5 * SECOND).count(), 125);
    }

    #[test]
    fn users_ramp_by_rounding() {
        let curve = UserCurve::new(vec![(0, 0), (10 * SECOND, 10)]);
        assert_eq!(curve.users_at(0), 0);
        assert_eq!(curve.users_at(SECOND / 2), 1);
        assert_eq!(curve.users_at(10 * SECOND), 10);
        assert_eq!(curve.users_at(60 * SECOND), 10);
        assert_eq!(curve.active_from(0, 0, 60 * SECOND), Some(SECOND / 2));
        assert_eq!(curve.active_from(9, 0, 60 * SECOND), Some(9 * SECOND + SECOND / 2));
        assert_eq!(curve.active_from(10, 0, 60 * SECOND), None);
    }

    #[test]
    fn users_leave_and_come_back() {
        let curve = UserCurve::new(vec![(0, 2), (10, 2), (10, 0), (20, 0), (20, 2)]);
        assert!(curve.is_active(1, 9));
        assert!(!curve.is_active(1, 10));
        assert_eq!(curve.active_from(1, 12, 100), Some(20));
    }

    proptest! {
        #[test]
        fn arrivals_are_in_order_and_within_the_phase(
            rates in prop::collection::vec((1u64..50, 0u64..5_000), 1..6), end in 1u64..200
        ) {
            let mut at = 0;
            let points: Vec<_> = rates.iter().map(|&(gap, rate)| {
                let point = (at, Rate::per_second(rate));
                at += gap * SECOND / 10;
                point
            }).collect();
            let curve = RateCurve::new(&points, end * SECOND / 10);
            let count = curve.count().min(2_000);
            let mut last = 0;
            for k in 0..count {
                let time = curve.time_of(k);
                prop_assert!(time.is_some_and(|t| t >= last && t <= curve.end()), "{k}: {time:?} after {last}");
                last = time.unwrap_or_default();
            }
            prop_assert_eq!(curve.time_of(curve.count()), None);
        }

        #[test]
        fn a_user_is_active_from_when_it_says(points in prop::collection::vec((1u64..50, 0u64..20), 1..5), user in 0u64..20, from in 0u64..100) {
            let mut at = 0;
            let points: Vec<_> = points.iter().map(|&(gap, users)| { let p = (at, users); at += gap; p }).collect();
            let curve = UserCurve::new(points);
            let brute = (from..200).find(|&t| curve.is_active(user, t));
            prop_assert_eq!(curve.active_from(user, from, 200), brute);
        }
    }
}
