use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution as _, LogNormal, Normal};
use rand_xoshiro::Xoshiro256PlusPlus;

use super::*;
use crate::measure::{SampleResult, Totals, synthetic::Synthetic};

type Rng = Xoshiro256PlusPlus;

/// A run of ten seconds with two rows, `factor` times as slow as the others, of which a share fails.
fn run(rng: &mut Rng, n: usize, factor: f64, failing: f64) -> Totals {
    let times = LogNormal::new(16.0, 0.3).expect("finite");
    let mut run = Synthetic::new();
    for _ in 0..10 {
        for k in 0..n / 10 {
            let ns = (times.sample(rng) * factor) as u64;
            let result = if rng.random::<f64>() < failing { SampleResult::FailedStatus } else { SampleResult::Ok };
            run.request(0, k % 2, if k % 2 == 0 { "item" } else { "list" }, "", result, ns);
        }
        run.tick();
    }
    run.totals
}

fn view(totals: &Totals) -> Vec<PhaseView<'_>> {
    vec![PhaseView {
        name: "main",
        index: 0,
        open: true,
        warmup: false,
        duration: 10 * SECOND,
        planned: None,
        figures: totals.figures(0),
        totals: Some(totals),
    }]
}

fn judge(a: &[Totals], b: &[Totals]) -> Vec<Compared> {
    let (left, right): (Vec<_>, Vec<_>) = (a.iter().map(view).collect(), b.iter().map(view).collect());
    compare(&left, &right, 0.05)
}

fn find<'a>(all: &'a [Compared], name: &str, quantity: &str) -> &'a Compared {
    all.iter().find(|row| row.name == name && row.quantity == quantity).expect("compared")
}

#[test]
fn one_run_each_tells_large_changes_both_ways() {
    let mut rng = Rng::seed_from_u64(1);
    let (fast, slow) = ([run(&mut rng, 20_000, 1.0, 0.0)], [run(&mut rng, 20_000, 1.3, 0.02)]);
    let worse = judge(&fast, &slow);
    assert_eq!(worse.len(), 2 * 5);
    for quantity in ["p50", "p95", "p99", "errors"] {
        let row = find(&worse, "item", quantity);
        assert_eq!(row.verdict, Change::Regression, "{row:?}");
    }
    let p50 = find(&worse, "item", "p50");
    assert!(
        p50.low < p50.change && p50.change < p50.high && (p50.change.expect("a ratio") - 0.3).abs() < 0.05,
        "{p50:?}"
    );
    assert_eq!(find(&judge(&slow, &fast), "list", "p95").verdict, Change::Improved);
    let same = judge(&fast, &[run(&mut rng, 20_000, 1.0, 0.0)]);
    assert_eq!(find(&same, "item", "p50").verdict, Change::Same);
    // One run says nothing of how rates differ from run to run.
    assert_eq!(find(&same, "item", "rate").verdict, Change::Inconclusive);
}

#[test]
fn too_few_samples_are_told() {
    let mut rng = Rng::seed_from_u64(2);
    let few = judge(&[run(&mut rng, 100, 1.0, 0.0)], &[run(&mut rng, 100, 3.0, 0.0)]);
    let p99 = find(&few, "item", "p99");
    assert_eq!((p99.verdict, p99.change), (Change::Inconclusive, None));
    assert_eq!(p99.why.as_deref(), Some("a run has 50 of 500 samples that it takes"));
}

#[test]
fn a_new_run_is_held_against_the_spread_of_the_old() {
    let mut rng = Rng::seed_from_u64(3);
    let old: Vec<_> = [0.98, 1.0, 1.02, 0.99, 1.01, 1.0].map(|factor| run(&mut rng, 4_000, factor, 0.0)).into();
    assert_eq!(find(&judge(&old, &[run(&mut rng, 4_000, 1.5, 0.0)]), "item", "p50").verdict, Change::Regression);
    assert_ne!(find(&judge(&old, &[run(&mut rng, 4_000, 1.03, 0.0)]), "item", "p50").verdict, Change::Regression);
    assert_eq!(find(&judge(&[run(&mut rng, 4_000, 1.5, 0.0)], &old), "item", "p50").verdict, Change::Improved);
}

/// Of simulated comparisons of `k` runs a side, those in which any figure is called a regression.
fn alarms(seed: u64, comparisons: u32, k: usize, factor: f64, spread: f64) -> u32 {
    let mut rng = Rng::seed_from_u64(seed);
    let noise = Normal::new(0.0, spread).expect("finite");
    let mut found = 0;
    for _ in 0..comparisons {
        let mut side = |factor: f64| -> Vec<Totals> {
            (0..k)
                .map(|_| {
                    let of_run = f64::exp(noise.sample(&mut rng)) * factor;
                    run(&mut rng, 1_000, of_run, 0.0)
                })
                .collect()
        };
        let (a, b) = (side(1.0), side(factor));
        found += u32::from(judge(&a, &b).iter().any(|row| row.verdict == Change::Regression));
    }
    found
}

#[test]
fn equals_raise_few_alarms_and_ten_percent_is_seen() {
    // Runs differ by 2 %: as much as on a quiet machine of one's own.
    let (k, comparisons) = (5, 20);
    let wrong = alarms(5, comparisons, k, 1.0, 0.02);
    assert!(wrong * 20 <= comparisons, "{wrong} of {comparisons} false alarms");
    let right = alarms(6, comparisons, k, 1.1, 0.02);
    assert!(right * 10 >= comparisons * 9, "{right} of {comparisons} seen");
    // Single runs differ as much; the margin takes it.
    let wrong = alarms(7, comparisons, 1, 1.0, 0.02);
    assert!(wrong * 20 <= comparisons, "{wrong} of {comparisons} false alarms");
}
