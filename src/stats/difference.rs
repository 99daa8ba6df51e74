//! The interval of a difference of two figures.

/// A figure and its interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// The figure.
    pub value: f64,
    /// Lower end of its interval.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// The interval of `b − a`, of two independent figures with intervals of the same confidence: Zou and Donner,
/// "Construction of confidence limits about effect measures" (2008), who call it MOVER. It needs no variance, and keeps
/// intervals that are longer to one side so.
pub fn difference(a: Estimate, b: Estimate) -> Estimate {
    let value = b.value - a.value;
    Estimate {
        value,
        low: value - (b.value - b.low).hypot(a.high - a.value),
        high: value + (b.high - b.value).hypot(a.value - a.low),
    }
}

/// The interval of `b / a` of two positive figures: the difference of their logarithms. None where one is not
/// positive; a lower end of 0 is one of the ratio too.
pub fn ratio(a: Estimate, b: Estimate) -> Option<Estimate> {
    if !(a.value > 0.0 && b.value > 0.0) {
        return None;
    }
    let ln = |of: Estimate| Estimate { value: of.value.ln(), low: of.low.max(0.0).ln(), high: of.high.ln() };
    let between = difference(ln(a), ln(b));
    Some(Estimate { value: between.value.exp(), low: between.low.exp(), high: between.high.exp() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_normal_intervals_add_like_variances() {
        let of = |value: f64, half: f64| Estimate { value, low: value - half, high: value + half };
        let between = difference(of(10.0, 3.0), of(15.0, 4.0));
        assert_eq!((between.value, between.low, between.high), (5.0, 0.0, 10.0));
        // Newcombe's hybrid score interval of 56/70 − 48/80 ("Interval estimation for the difference", 1998, table II,
        // example a, method 10): 0.0524 to 0.3339, from Wilson's intervals of the two shares.
        let share = |k: f64, n: f64| {
            let interval = crate::stats::wilson(k, n, 0.95);
            Estimate { value: k / n, low: interval.low, high: interval.high }
        };
        let between = difference(share(48.0, 80.0), share(56.0, 70.0));
        assert!((between.low - 0.0524).abs() < 5e-5 && (between.high - 0.3339).abs() < 5e-5, "{between:?}");
    }

    #[test]
    fn a_ratio_is_a_difference_of_logarithms() {
        let of = |value: f64| Estimate { value, low: value / 1.1, high: value * 1.1 };
        let between = ratio(of(2.0), of(4.0)).expect("positive");
        let spread = (1.1f64.ln() * 2f64.sqrt()).exp();
        assert!((between.value - 2.0).abs() < 1e-12, "{between:?}");
        assert!((between.high - 2.0 * spread).abs() < 1e-9 && (between.low - 2.0 / spread).abs() < 1e-9);
        assert_eq!(ratio(of(0.0), of(1.0)), None);
        let open = Estimate { low: 0.0, ..of(3.0) };
        assert_eq!(ratio(of(1.0), open).map(|r| r.low), Some(0.0));
        let open = Estimate { high: f64::INFINITY, ..of(3.0) };
        assert_eq!(ratio(open, of(1.0)).map(|r| r.low), Some(0.0));
    }
}
