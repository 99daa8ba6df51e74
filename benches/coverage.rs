//! How often the statistics of reports are right, by simulation with known truth. `benches/run coverage` runs it.
//!
//! Everything is seeded: the same figures each time.

use loadr::{
    judge::{Change, PhaseView, RunFigure, compare, compare_pairs, run_figures},
    measure::{ClassId, Kind, Recorder, Sample, SampleResult, Totals},
    stats::{
        Estimate, Start, alike_blocks, block_bootstrap, change_points, clopper_pearson, clopper_pearson_effective,
        design_effect, mean_difference, quantile_ranks, ratio, steady_start, theil_sen, wilson,
    },
};
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, Exp, LogNormal, Normal};
use rand_xoshiro::Xoshiro256PlusPlus;

type Rng = Xoshiro256PlusPlus;

/// Where samples come from: (second they ended in, microseconds to three digits).
#[derive(Clone, Copy)]
enum Process {
    /// Independent, log-normal, 100 a second.
    Independent,
    /// A server that takes 5 ms for each of Poisson arrivals, this share of its time.
    Queue(f64),
}

impl Process {
    fn name(self) -> String {
        match self {
            Self::Independent => "independent".to_owned(),
            Self::Queue(load) => format!("M/D/1 at {:.0} %", load * 100.0),
        }
    }

    fn samples(self, rng: &mut Rng, seconds: f64) -> Vec<(usize, u64)> {
        let (rate, load) = match self {
            Self::Independent => (100.0, None),
            Self::Queue(load) => (load * 200.0, Some(load)),
        };
        let gaps = Exp::new(rate).expect("positive");
        let times = LogNormal::new(8.5, 0.5).expect("finite");
        // The queue is left to fill first, as a warm-up does.
        let (mut now, mut free_at) = (-5.0f64, f64::NEG_INFINITY);
        let mut samples = Vec::new();
        loop {
            now += gaps.sample(rng);
            if now > seconds {
                return samples;
            }
            let response = match load {
                None => times.sample(rng) / 1e6,
                Some(_) => {
                    free_at = free_at.max(now) + 0.005;
                    free_at - now
                }
            };
            if now >= 0.0 {
                samples.push((now as usize, three_digits((response * 1e6).round() as u64)));
            }
        }
    }
}

/// To the bucket that a histogram would put it in.
fn three_digits(us: u64) -> u64 {
    let shift = us.max(1).ilog2().saturating_sub(10);
    (us >> shift) << shift
}

/// A run's samples as a report has them: all, sorted, and a histogram for each second.
struct Run {
    sorted: Vec<u64>,
    blocks: Vec<Vec<(u64, u64)>>,
}

impl Run {
    fn of(samples: Vec<(usize, u64)>, seconds: usize) -> Self {
        let mut by_second = vec![Vec::new(); seconds + 1];
        samples.iter().for_each(|&(second, us)| by_second[second].push(us));
        let histogram = |mut values: Vec<u64>| {
            values.sort_unstable();
            values.chunk_by(|a, b| a == b).map(|same| (same[0], same.len() as u64)).collect()
        };
        let mut sorted: Vec<u64> = samples.into_iter().map(|(_, us)| us).collect();
        sorted.sort_unstable();
        Self { sorted, blocks: by_second.into_iter().filter(|b| !b.is_empty()).map(histogram).collect() }
    }

    fn quantile(&self, ppm: u32) -> u64 {
        let rank = (self.sorted.len() as u128 * u128::from(ppm)).div_ceil(1_000_000).max(1);
        self.sorted[rank as usize - 1]
    }

    /// Ends of the interval by order statistics, wider by `widen`; unbounded where the sample is too small.
    fn by_ranks(&self, ppm: u32, widen: f64) -> (u64, u64) {
        let ranks = quantile_ranks(self.sorted.len() as u64, ppm, 0.95, widen);
        let at = |rank: u64| self.sorted[rank as usize - 1];
        (ranks.low.map_or(0, at), ranks.high.map_or(u64::MAX, at))
    }

    fn widening(&self, ppm: u32) -> f64 {
        let estimate = self.quantile(ppm);
        let count = |block: &Vec<(u64, u64)>| {
            let below = block.iter().filter(|(us, _)| *us <= estimate).map(|(_, n)| n).sum();
            (below, block.iter().map(|(_, n)| n).sum())
        };
        design_effect(&self.blocks.iter().map(count).collect::<Vec<_>>(), 0.95).unwrap_or(1.0)
    }

    fn alike(&self) -> usize {
        let median = |block: &Vec<(u64, u64)>| {
            let half = block.iter().map(|(_, n)| n).sum::<u64>().div_ceil(2);
            let mut below = 0;
            let middle = block.iter().find(|(_, n)| {
                below += n;
                below >= half
            });
            middle.map(|&(us, _)| us as f64)
        };
        alike_blocks(&self.blocks.iter().filter_map(median).collect::<Vec<_>>())
    }

    fn estimate(&self, ppm: u32) -> Estimate {
        let (low, high) = self.by_ranks(ppm, self.widening(ppm));
        let high = if high == u64::MAX { f64::INFINITY } else { high as f64 };
        Estimate { value: self.quantile(ppm) as f64, low: low as f64, high }
    }
}

const QUANTILES: [(u32, &str); 3] = [(500_000, "p50"), (950_000, "p95"), (990_000, "p99")];

fn percent(hits: u32, of: u32) -> String {
    format!("{:.1}", f64::from(hits) * 100.0 / f64::from(of))
}

fn quantiles(runs: u32) {
    println!("\n### Intervals of percentiles: share of {runs} runs that cover the truth, in % (nominal 95)\n");
    println!(
        "| samples | length | | order statistics | widened (reports) | bootstrap of 1 s | bootstrap of alike seconds | width, widened to bootstrap |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for (process, seconds) in [
        (Process::Independent, 60),
        (Process::Queue(0.3), 60),
        (Process::Queue(0.5), 15),
        (Process::Queue(0.5), 60),
        (Process::Queue(0.5), 300),
        (Process::Queue(0.7), 60),
        (Process::Queue(0.8), 60),
        (Process::Queue(0.8), 300),
    ] {
        let mut rng = Rng::seed_from_u64(7);
        let long = Run::of(process.samples(&mut rng, 100_000.0), 100_000);
        let mut covered = [[0u32; 4]; 3];
        let mut widths = [[0.0f64; 2]; 3];
        for number in 0..runs {
            let run = Run::of(process.samples(&mut rng, f64::from(seconds)), seconds as usize);
            let alike = run.alike();
            for (at, (ppm, _)) in QUANTILES.into_iter().enumerate() {
                let truth = long.quantile(ppm);
                let everything = (0, u64::MAX);
                let seed = u64::from(number);
                let intervals = [
                    run.by_ranks(ppm, 1.0),
                    run.by_ranks(ppm, run.widening(ppm)),
                    block_bootstrap(&run.blocks, ppm, 0.95, 1, seed).unwrap_or(everything),
                    block_bootstrap(&run.blocks, ppm, 0.95, alike, seed).unwrap_or(everything),
                ];
                for (method, (low, high)) in intervals.into_iter().enumerate() {
                    covered[at][method] += u32::from((low..=high).contains(&truth));
                }
                if intervals[1].1 < u64::MAX && intervals[2].1 < u64::MAX {
                    widths[at][0] += (intervals[1].1 - intervals[1].0) as f64;
                    widths[at][1] += (intervals[2].1 - intervals[2].0) as f64;
                }
            }
        }
        for (at, (_, name)) in QUANTILES.into_iter().enumerate() {
            let shares: Vec<String> = covered[at].iter().map(|&hits| percent(hits, runs)).collect();
            let width = widths[at][0] / widths[at][1].max(1.0);
            println!("| {} | {seconds} s | {name} | {} | {width:.2} |", process.name(), shares.join(" | "));
        }
    }
}

fn shares(runs: u32) {
    println!("\n### Intervals of shares: the same\n");
    println!("| samples | true share | Wilson | Clopper-Pearson | widened (reports) |");
    println!("|---|---|---|---|---|");
    for (clustered, share, n) in
        [(false, 0.01, 500u64), (false, 0.2, 100), (false, 0.5, 10_000), (true, 0.01, 6_000), (true, 0.1, 6_000)]
    {
        let mut rng = Rng::seed_from_u64(11);
        let mut covered = [0u32; 3];
        let mut one = |rng: &mut Rng| {
            let blocks: Vec<(u64, u64)> = (0..60)
                .map(|_| {
                    // In clusters, the share of a second is 0 nine times, and ten times itself once.
                    let of_second = match clustered {
                        true if rng.random::<f64>() < 0.1 => share * 10.0,
                        true => 0.0,
                        false => share,
                    };
                    let size = n / 60 + u64::from(rng.random::<f64>() < (n % 60) as f64 / 60.0);
                    ((0..size).filter(|_| rng.random::<f64>() < of_second).count() as u64, size)
                })
                .collect();
            let (k, n) = blocks.iter().fold((0, 0), |sum, block| (sum.0 + block.0, sum.1 + block.1));
            let widen = design_effect(&blocks, 0.95).unwrap_or(1.0);
            let intervals = [
                wilson(k as f64, n as f64, 0.95),
                clopper_pearson(k, n, 0.95),
                clopper_pearson_effective(k, n, 0.95, widen),
            ];
            for (hits, interval) in covered.iter_mut().zip(intervals) {
                *hits += u32::from(interval.low <= share && share <= interval.high);
            }
        };
        (0..runs).for_each(|_| one(&mut rng));
        let what = if clustered { "in bad seconds" } else { "independent" };
        let shares: Vec<String> = covered.iter().map(|&hits| percent(hits, runs)).collect();
        println!("| {n}, {what} | {:.0} % | {} |", share * 100.0, shares.join(" | "));
    }
}

fn ratios(runs: u32) {
    println!(
        "\n### Ratio of percentiles of two runs of 60 s: the same\n\n| samples | p50 | p95 | p99 |\n|---|---|---|---|"
    );
    for process in [Process::Independent, Process::Queue(0.5), Process::Queue(0.7)] {
        let mut rng = Rng::seed_from_u64(13);
        let mut covered = [0u32; 3];
        for _ in 0..runs {
            let pair = [0; 2].map(|_| Run::of(process.samples(&mut rng, 60.0), 60));
            for (hits, (ppm, _)) in covered.iter_mut().zip(QUANTILES) {
                let between = ratio(pair[0].estimate(ppm), pair[1].estimate(ppm));
                *hits += u32::from(between.is_some_and(|r| r.low <= 1.0 && 1.0 <= r.high));
            }
        }
        let shares: Vec<String> = covered.iter().map(|&hits| percent(hits, runs)).collect();
        println!("| {} | {} |", process.name(), shares.join(" | "));
    }
}

fn means_of_runs(runs: u32) {
    println!(
        "\n### Difference of means of k runs on each side (t): the same\n\n| k | equal spread | three times the spread |\n|---|---|---|"
    );
    for k in [2, 3, 5, 10] {
        let mut rng = Rng::seed_from_u64(17);
        let mut covered = [0u32; 2];
        for (hits, spread) in covered.iter_mut().zip([1.0, 3.0]) {
            for _ in 0..runs {
                let mut side =
                    |sd: f64| Normal::new(0.0, sd).expect("finite").sample_iter(&mut rng).take(k).collect::<Vec<_>>();
                let (a, b) = (side(1.0), side(spread));
                *hits += u32::from(mean_difference(&a, &b, 0.95).is_some_and(|d| d.low <= 0.0 && 0.0 <= d.high));
            }
        }
        println!("| {k} | {} | {} |", percent(covered[0], runs), percent(covered[1], runs));
    }
}

fn growth(runs: u32) {
    println!(
        "\n### Growth (Theil-Sen) of 60 readings with noise of 1: the same\n\n| growth of each step | normal noise | rounded to 1 | with outliers |\n|---|---|---|---|"
    );
    let noise = Normal::new(0.0, 1.0).expect("finite");
    for slope in [0.0, 0.05, 0.5] {
        let mut rng = Rng::seed_from_u64(19);
        let mut covered = [0u32; 3];
        for (kind, hits) in covered.iter_mut().enumerate() {
            for _ in 0..runs {
                let points: Vec<_> = (0..60)
                    .map(|x| {
                        let mut y = slope * f64::from(x) + noise.sample(&mut rng);
                        if kind == 1 {
                            y = y.round();
                        }
                        if kind == 2 && rng.random::<f64>() < 0.05 {
                            y += 50.0;
                        }
                        (f64::from(x), y)
                    })
                    .collect();
                *hits += u32::from(theil_sen(&points, 0.95).is_some_and(|s| s.low <= slope && slope <= s.high));
            }
        }
        let shares: Vec<String> = covered.iter().map(|&hits| percent(hits, runs)).collect();
        println!("| {slope} | {} |", shares.join(" | "));
    }
}

fn warm_ups(runs: u32) {
    println!("\n### Start of 300 seconds (MSER-5): where it ends, and how often it is said not to settle\n");
    println!("| start | 5 % | median | 95 % | not settled, % |\n|---|---|---|---|---|");
    let noise = Normal::new(0.0, 0.1).expect("finite");
    for (name, height, fade) in [
        ("none", 0.0, 1.0),
        ("4 times, fading in 5 s", 3.0, 5.0),
        ("twice, fading in 15 s", 1.0, 15.0),
        ("twice, fading in 150 s", 1.0, 150.0),
    ] {
        let mut rng = Rng::seed_from_u64(23);
        let mut ends = Vec::new();
        for _ in 0..runs {
            let series: Vec<f64> =
                (0..300).map(|t| 1.0 + height * (-f64::from(t) / fade).exp() + noise.sample(&mut rng)).collect();
            if let Start::SteadyFrom(at) = steady_start(&series) {
                ends.push(at);
            }
        }
        ends.sort_unstable();
        let at = |share: f64| {
            ends.get((ends.len() as f64 * share) as usize).map_or("–".to_owned(), |at| format!("{at} s"))
        };
        println!(
            "| {name} | {} | {} | {} | {} |",
            at(0.05),
            at(0.5),
            at(0.95),
            percent(runs - ends.len() as u32, runs)
        );
    }
}

fn changes(runs: u32) {
    println!("\n### Change points of 60 runs (E-divisive): share of histories, in %\n");
    println!("| history | any change found | found within 2 runs of the change |\n|---|---|---|");
    for (name, shift, spread) in [
        ("flat", 0.0, 0.02),
        ("5 % slower for the last 5, noise 2 %", 0.05, 0.02),
        ("10 % slower for the last 5, noise 5 %", 0.1, 0.05),
        ("10 % slower for the last 8, noise 5 %", 0.1, 0.05),
        ("10 % slower for the last 20, noise 5 %", 0.1, 0.05),
    ] {
        let mut rng = Rng::seed_from_u64(29);
        let noise = Normal::new(1.0, spread).expect("finite");
        let last = name.split("last ").nth(1).and_then(|rest| rest.split(',').next()?.parse().ok()).unwrap_or(0usize);
        let (mut any, mut right) = (0, 0);
        for _ in 0..runs {
            let series: Vec<f64> =
                (0..60).map(|t| noise.sample(&mut rng) + if t + last >= 60 { shift } else { 0.0 }).collect();
            let found = change_points(&series, 0.04);
            any += u32::from(!found.is_empty());
            right += u32::from(found.iter().any(|&at| at.abs_diff(60 - last) <= 2));
        }
        let right = if last == 0 { "–".to_owned() } else { percent(right, runs) };
        println!("| {name} | {} | {right} |", percent(any, runs));
    }
}

/// A run of two rows in ten seconds, all of it this many times as slow as others.
fn run_of(rng: &mut Rng, n: u64, factor: f64) -> Totals {
    let times = LogNormal::new(16.0, 0.3).expect("finite");
    let (mut recorder, mut totals) = (Recorder::new(), Totals::new());
    let names = ["item", "list"].map(|name| recorder.name(Kind::Request, name));
    for second in 0..10 {
        for k in 0..n / 10 {
            recorder.record(&Sample {
                phase: 0,
                name: names[(k % 2) as usize],
                class: ClassId::NONE,
                result: SampleResult::Ok,
                status: 200,
                planned: 0,
                started: 0,
                first_byte: None,
                end: (times.sample(rng) * factor) as u64,
                bytes_sent: 0,
                bytes_received: 0,
            });
        }
        totals.merge(recorder.take(second), 0);
    }
    totals
}

fn view(totals: &Totals) -> Vec<PhaseView<'_>> {
    let figures = totals.figures(0);
    let (open, warmup, planned, totals) = (true, false, None, Some(totals));
    vec![PhaseView { name: "main", index: 0, open, warmup, duration: 10_000_000_000, planned, figures, totals }]
}

fn comparisons(runs: u32) {
    println!(
        "\n### `loadr compare`, margin 5 %, two rows of 2,000 samples a run: share of comparisons with any regression, in %\n"
    );
    println!("| runs a side | runs differ by | equals | 10 % slower | 20 % slower |\n|---|---|---|---|---|");
    for (k, spread) in [(1, 0.0), (1, 0.02), (3, 0.02), (5, 0.02), (5, 0.05), (10, 0.05)] {
        let noise = Normal::new(0.0, spread).expect("finite");
        let mut told = Vec::new();
        for factor in [1.0, 1.1, 1.2] {
            let mut rng = Rng::seed_from_u64(31);
            let mut found = 0;
            for _ in 0..runs {
                let mut side = |factor: f64| -> Vec<Totals> {
                    let mut one = |_| {
                        let of_run = f64::exp(noise.sample(&mut rng)) * factor;
                        run_of(&mut rng, 4_000, of_run)
                    };
                    (0..k).map(&mut one).collect()
                };
                let (a, b) = (side(1.0), side(factor));
                let (a, b): (Vec<_>, Vec<_>) = (a.iter().map(view).collect(), b.iter().map(view).collect());
                found += u32::from(compare(&a, &b, 0.05).iter().any(|figure| figure.verdict == Change::Regression));
            }
            told.push(percent(found, runs));
        }
        println!("| {k} | {:.0} % | {} |", spread * 100.0, told.join(" | "));
    }
}

fn ab_tests(runs: u32) {
    println!(
        "\n### `loadr ab`, margin 5 %, ten pairs of blocks of two rows of 500 samples: share of tests with any regression, in %\n"
    );
    println!("| blocks differ by | slower from first to last | equals | 10 % slower |\n|---|---|---|---|");
    for (spread, drift) in [(0.02, 0.0), (0.02, 0.5), (0.05, 0.0)] {
        let noise = Normal::new(0.0, spread).expect("finite");
        let mut told = Vec::new();
        for factor in [1.0, 1.1] {
            let mut rng = Rng::seed_from_u64(37);
            let mut block = |at: u32, factor: f64| {
                let level = factor * (1.0 + drift * f64::from(at) / 20.0) * f64::exp(noise.sample(&mut rng));
                run_figures(&view(&run_of(&mut rng, 1_000, level)))
            };
            // One side first, then the other, as the draw would have it on average.
            let pair = |at: u32, block: &mut dyn FnMut(u32, f64) -> Vec<RunFigure>| match at % 2 {
                0 => {
                    let a = block(2 * at, 1.0);
                    (a, block(2 * at + 1, factor))
                }
                _ => {
                    let b = block(2 * at, factor);
                    (block(2 * at + 1, 1.0), b)
                }
            };
            let found = (0..runs).filter(|_| {
                let pairs: Vec<_> = (0..10).map(|at| pair(at, &mut block)).collect();
                compare_pairs(&pairs, 0.05).iter().any(|figure| figure.verdict == Change::Regression)
            });
            told.push(percent(found.count() as u32, runs));
        }
        println!("| {:.0} % | {:.0} % | {} |", spread * 100.0, drift * 100.0, told.join(" | "));
    }
}

fn main() {
    let runs = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(400);
    let only: Vec<String> = std::env::args().skip(2).collect();
    type Part = (&'static str, fn(u32), u32);
    let parts: [Part; 9] = [
        ("shares", shares, 10 * runs),
        ("growth", growth, 5 * runs),
        ("means", means_of_runs, 10 * runs),
        ("warm-ups", warm_ups, runs),
        ("changes", changes, 3 * runs / 4),
        ("ratios", ratios, runs),
        ("compare", comparisons, runs / 2),
        ("ab", ab_tests, runs / 5),
        ("quantiles", quantiles, runs),
    ];
    for (name, part, runs) in parts {
        if only.is_empty() || only.iter().any(|wanted| wanted == name) {
            part(runs);
        }
    }
}
