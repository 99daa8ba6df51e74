//! From figures to places on a chart.

use crate::clock::format_nanos;

/// How figures are spread along an axis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Scale {
    /// Evenly, from the first to the second.
    Linear(f64, f64),
    /// By magnitude, from the first to the second; both are positive.
    Log(f64, f64),
}

impl Scale {
    /// A scale from zero that holds all figures.
    pub(super) fn from_zero(figures: impl Iterator<Item = f64>) -> Self {
        let top = figures.fold(0.0, f64::max);
        Self::Linear(0.0, if top > 0.0 { nice_ceiling(top) } else { 1.0 })
    }

    /// A scale by magnitude that holds all positive figures, at least a decade wide.
    pub(super) fn magnitude(figures: impl Iterator<Item = f64> + Clone) -> Self {
        let positive = figures.filter(|&figure| figure > 0.0);
        let (low, high) = positive.fold((f64::MAX, 0.0_f64), |(low, high), it| (low.min(it), high.max(it)));
        if high <= 0.0 {
            return Self::Log(1.0, 10.0);
        }
        let low = 10_f64.powf(low.log10().floor());
        let high = 10_f64.powf(high.log10().ceil());
        Self::Log(low, if high > low { high } else { low * 10.0 })
    }

    /// Where a figure lies, from 0 to 1.
    pub(super) fn place(self, figure: f64) -> f64 {
        let share = match self {
            Self::Linear(low, high) => (figure - low) / (high - low),
            Self::Log(low, high) => (figure.max(low) / low).log10() / (high / low).log10(),
        };
        share.clamp(0.0, 1.0)
    }

    /// Figures that the axis is marked at.
    pub(super) fn ticks(self) -> Vec<f64> {
        match self {
            Self::Linear(low, high) => {
                let step = nice_ceiling((high - low) / 5.0);
                let count = ((high - low) / step).round() as u32;
                (0..=count).map(|i| low + step * f64::from(i)).filter(|tick| *tick <= high * 1.000_001).collect()
            }
            Self::Log(low, high) => {
                let decades = (high / low).log10().round() as i32;
                (0..=decades).map(|decade| low * 10_f64.powi(decade)).collect()
            }
        }
    }
}

/// The next of 1, 2, 5 and their multiples by ten.
fn nice_ceiling(figure: f64) -> f64 {
    let decade = 10_f64.powf(figure.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|step| step * decade);
    steps.into_iter().find(|&step| step >= figure * 0.999_999).unwrap_or(10.0 * decade)
}

/// Microseconds with a unit.
pub(super) fn duration_label(us: f64) -> String {
    format_nanos((us * 1e3).round() as u64)
}

/// A number without a tail of zeros.
pub(super) fn number_label(figure: f64) -> String {
    if figure >= 1e6 {
        format!("{}M", trim(figure / 1e6))
    } else if figure >= 1e4 {
        format!("{}k", trim(figure / 1e3))
    } else {
        trim(figure)
    }
}

fn trim(figure: f64) -> String {
    let text = format!("{figure:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_their_places() {
        let linear = Scale::from_zero([3.0, 170.0].into_iter());
        assert_eq!(linear, Scale::Linear(0.0, 200.0));
        assert_eq!((linear.place(0.0), linear.place(100.0), linear.place(500.0)), (0.0, 0.5, 1.0));
        let log = Scale::magnitude([0.0, 30.0, 4_000.0].into_iter());
        assert_eq!(log, Scale::Log(10.0, 10_000.0));
        assert!((log.place(316.227_766) - 0.5).abs() < 1e-6);
        assert_eq!(Scale::magnitude([10.0].into_iter()), Scale::Log(10.0, 100.0));
        assert_eq!(Scale::magnitude(std::iter::empty()), Scale::Log(1.0, 10.0));
        assert_eq!(Scale::from_zero(std::iter::empty()), Scale::Linear(0.0, 1.0));
    }

    #[test]
    fn ticks_are_round() {
        assert_eq!(Scale::Linear(0.0, 200.0).ticks(), [0.0, 50.0, 100.0, 150.0, 200.0]);
        assert_eq!(Scale::Log(10.0, 10_000.0).ticks(), [10.0, 100.0, 1_000.0, 10_000.0]);
        assert_eq!(number_label(12_500.0), "12.5k");
        assert_eq!(number_label(0.25), "0.25");
        assert_eq!(duration_label(1_500.0), "1.5ms");
    }
}
