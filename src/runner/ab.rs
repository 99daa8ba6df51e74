//! Two targets that take turns within one run: the scenario is cut into blocks, and each block is sent to both, one
//! straight after the other, in an order that is drawn.

use std::path::PathBuf;

use rand::{Rng as _, SeedableRng, seq::SliceRandom};
use rand_xoshiro::Xoshiro256PlusPlus;

use super::{NotRun, RunOptions, ScriptOptions, asked::Asked, manifest, runs::machine_text, scout};
use crate::{
    judge::{self, ExitCode, RunFigure, Validity},
    plan::{Plan, Slice},
    report::{AbBlock, AbInput, AbTest, ComparedPhase, ComparedRun, Summary},
    results::utc,
};

const SIDES: [&str; 2] = ["A", "B"];

/// What an A/B test is asked to do.
#[derive(Debug, Clone)]
pub struct AbOptions {
    /// The scenario and how each block runs; its `TARGET` is set for each side.
    pub run: RunOptions,
    /// Both targets.
    pub targets: [String; 2],
    /// Into how many blocks the scenario is cut, each of which both targets get.
    pub pairs: u32,
    /// A smaller change is none.
    pub margin: f64,
    /// A folder for the run file of each block.
    pub results: Option<PathBuf>,
}

/// Runs the blocks and judges them. `say` gets a line for each.
///
/// # Errors
/// The script has mistakes or does not take its target from outside, or a block could not start.
pub fn ab(options: &AbOptions, say: &dyn Fn(&str)) -> Result<AbTest, NotRun> {
    let plan = look(options)?;
    if let Some(folder) = &options.results {
        std::fs::create_dir_all(folder).map_err(|error| {
            let message = format!("failed to create {}: {error}\nhelp: nothing was sent", folder.display());
            NotRun::new(ExitCode::NotStarted, message)
        })?;
    }
    let seed = options.run.seed.unwrap_or_else(super::random_seed);
    let started_at = utc(super::epoch_ms(std::time::SystemTime::now()));
    let (mut blocks, mut pairs) = (Vec::new(), Vec::new());
    let mut ended_early = None;
    // A block hears of a signal too and ends; between blocks nobody else would.
    let stop = Asked::listen();
    'all: for (at, order) in orders(options.pairs as usize, seed).into_iter().enumerate() {
        let mut figures = [None, None];
        for side in order {
            say(&format!("pair {} of {}: {} {}", at + 1, options.pairs, SIDES[side], options.targets[side]));
            let file = options
                .results
                .as_ref()
                .map(|folder| folder.join(format!("{:03}-{}.loadr", at + 1, SIDES[side].to_lowercase())));
            let (summary, of_block) = block(options, side, at, seed, file.clone())?;
            blocks.push(AbBlock {
                pair: at + 1,
                side: SIDES[side],
                verdict: summary.verdict,
                offered: summary.phases.iter().filter(|phase| !phase.warmup).map(|phase| phase.offered).sum(),
                file: file.map(|file| file.display().to_string()),
            });
            if let Some(end) = ended(&summary, stop.is_asked()) {
                ended_early = Some((format!("in pair {}, {}: {}", at + 1, SIDES[side], end.0), end.1));
                break 'all;
            }
            figures[side] = Some(of_block);
        }
        if let [Some(a), Some(b)] = figures {
            pairs.push((at + 1, [a, b]));
        }
    }
    let sides = [0, 1].map(|side| ComparedRun {
        file: options.targets[side].clone(),
        started_at: started_at.clone(),
        loadr: env!("CARGO_PKG_VERSION").to_owned(),
        plan_hash: plan.hash(),
        seed,
        verdict: Validity::Valid,
        partial: None,
        machine: machine_text(&manifest::machine()),
        part: None,
        phases: ComparedPhase::all(&crate::plan::Outline::of(&plan)),
    });
    let (asked, margin) = (options.pairs as usize, options.margin);
    Ok(AbTest::of(AbInput { sides, blocks, pairs, asked, margin, ended_early }))
}

/// Looks at the script before anything is sent.
fn look(options: &AbOptions) -> Result<Plan, NotRun> {
    let source = with_target(&options.run, &options.targets[0]);
    let source = ScriptOptions::from(&source);
    let plan = scout::scout(&source, &source.load_options(None), options.run.color_stderr)?.plan;
    if !plan.environment.iter().any(|name| name == "TARGET") {
        return Err(NotRun::new(
            ExitCode::Script,
            "an A/B test sends the same script to two targets, so the script must take its target from outside\n\
             help: write target(env(\"TARGET\", \"http://127.0.0.1:8080\"))",
        ));
    }
    let short = |phase: &&crate::plan::Phase| {
        !phase.warmup && phase.duration.is_some_and(|length| length / options.pairs < BLOCK_MIN)
    };
    if let Some(phase) = plan.phases.iter().find(short) {
        return Err(NotRun::new(
            ExitCode::Usage,
            format!(
                "in {} pairs, a block of the phase `{}` would be shorter than 200ms\nhelp: make it longer, or --pairs fewer",
                options.pairs, phase.name
            ),
        ));
    }
    Ok(plan)
}

/// In shorter blocks, starting and ending is all there is.
const BLOCK_MIN: std::time::Duration = std::time::Duration::from_millis(200);

fn with_target(run: &RunOptions, target: &str) -> RunOptions {
    let mut run = run.clone();
    run.env.push(("TARGET".to_owned(), target.to_owned()));
    run
}

/// Runs a block. Both of a pair have the same seed, and so the same traffic.
fn block(
    options: &AbOptions,
    side: usize,
    pair: usize,
    seed: u64,
    file: Option<PathBuf>,
) -> Result<(Summary, Vec<RunFigure>), NotRun> {
    let run = RunOptions {
        seed: Some(seed.wrapping_add(pair as u64)),
        // Caches and pools of the target are warm after the first pair.
        slice: Some(Slice { of: options.pairs, warmup_of: if pair == 0 { 1 } else { options.pairs } }),
        quiet: true,
        no_results: file.is_none(),
        results: file,
        outputs: Vec::new(),
        ..with_target(&options.run, &options.targets[side])
    };
    super::run_then(&run, judge::run_figures)
}

/// Which side goes first in each pair: as often the one as the other, in an order that is drawn.
fn orders(pairs: usize, seed: u64) -> Vec<[usize; 2]> {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
    let odd = rng.next_u32() as usize % 2;
    let mut orders: Vec<[usize; 2]> =
        (0..pairs).map(|at| if (at + odd).is_multiple_of(2) { [0, 1] } else { [1, 0] }).collect();
    orders.shuffle(&mut rng);
    orders
}

/// Why no further block makes sense.
fn ended(summary: &Summary, is_asked_to_stop: bool) -> Option<(String, ExitCode)> {
    let codes = [ExitCode::Interrupted, ExitCode::Aborted, ExitCode::ScriptFailedEverywhere];
    let code = codes.into_iter().find(|code| code.code() == summary.exit_code);
    let code = code.or(is_asked_to_stop.then_some(ExitCode::Interrupted))?;
    Some((summary.ended_early.clone().unwrap_or_else(|| code.meaning().to_owned()), code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sides_go_first_equally_often_in_an_order_of_the_seed() {
        let all = orders(20, 7);
        assert_eq!(all.iter().filter(|order| order[0] == 0).count(), 10);
        assert_eq!(all, orders(20, 7));
        assert_ne!(all, orders(20, 8));
        // With an odd number, one side goes first once more; which, is drawn.
        let firsts: Vec<usize> = (0..20).map(|seed| orders(1, seed)[0][0]).collect();
        assert!(firsts.contains(&0) && firsts.contains(&1), "{firsts:?}");
    }
}
