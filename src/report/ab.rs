//! Two targets that took turns, as reports show them.

use serde::Serialize;

use super::{ComparedRun, Comparison};
use crate::{
    judge::{ExitCode, PAIRS_MIN, RunFigure, Validity, compare_pairs},
    measure::clean_text,
};

/// A block: a part of the scenario, sent to one of the targets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AbBlock {
    /// Which pair it belongs to, from 1.
    pub pair: usize,
    /// `A` or `B`.
    pub side: &'static str,
    /// What its figures are worth.
    pub verdict: Validity,
    /// Iterations that were offered.
    pub offered: u64,
    /// Its run file, where one was written.
    pub file: Option<String>,
}

/// All that was measured of two targets that took turns.
#[derive(Debug)]
pub struct AbInput {
    /// What ran: of each side, with its address as the file.
    pub sides: [ComparedRun; 2],
    /// The blocks, in the order in which they ran.
    pub blocks: Vec<AbBlock>,
    /// The figures of each whole pair, with its number.
    pub pairs: Vec<(usize, [Vec<RunFigure>; 2])>,
    /// Pairs that were to be.
    pub asked: usize,
    /// A smaller change is none.
    pub margin: f64,
    /// Why it ended early, and the code for it.
    pub ended_early: Option<(String, ExitCode)>,
}

/// An A/B test. The names are those of the JSON form: additions only.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AbTest {
    /// Pairs of blocks that were to be.
    pub pairs: usize,
    /// Pairs that are judged: those of which both blocks are whole and valid.
    pub pairs_judged: usize,
    /// Why it ended early.
    pub ended_early: Option<String>,
    /// The blocks, in the order in which they ran.
    pub blocks: Vec<AbBlock>,
    /// What came out.
    pub comparison: Comparison,
}

impl AbTest {
    /// Judges what was measured.
    pub fn of(input: AbInput) -> Self {
        let is_valid = |pair: usize| {
            input.blocks.iter().filter(|block| block.pair == pair).all(|block| block.verdict != Validity::Invalid)
        };
        let mut notes = Vec::new();
        let (valid, invalid): (Vec<_>, Vec<_>) = input.pairs.into_iter().partition(|&(pair, _)| is_valid(pair));
        if !invalid.is_empty() {
            let numbers: Vec<String> = invalid.iter().map(|(pair, _)| pair.to_string()).collect();
            notes.push(format!(
                "left out, because a block is INVALID (it tells of the generator): pair {}",
                numbers.join(", ")
            ));
        }
        let suspect = input.blocks.iter().filter(|block| block.verdict == Validity::Suspect).count();
        if suspect > 0 {
            notes.push(format!("{suspect} blocks are SUSPECT: their generator disturbed the figures"));
        }
        if let Some((why, _)) = &input.ended_early {
            notes.push(format!("ended early: {why}"));
        }
        let count = valid.len();
        let pairs: Vec<_> = valid.into_iter().map(|(_, [a, b])| (a, b)).collect();
        let figures = compare_pairs(&pairs, input.margin);
        let [a, b] = input.sides;
        let mut comparison = Comparison::concluded(vec![a], vec![b], input.margin, true, notes, figures);
        if count < PAIRS_MIN {
            comparison.notes.push(format!("{count} pairs can be judged, and {PAIRS_MIN} are needed at least"));
            comparison.exit_code = ExitCode::Invalid.code();
        }
        if let Some((_, code)) = &input.ended_early {
            comparison.exit_code = code.code();
        }
        Self {
            pairs: input.asked,
            pairs_judged: count,
            ended_early: input.ended_early.map(|(why, _)| why),
            blocks: input.blocks,
            comparison,
        }
    }

    /// The order of the blocks, such as `AB BA AB`.
    pub fn order(&self) -> String {
        let pairs = self.blocks.chunk_by(|a, b| a.pair == b.pair);
        pairs.map(|pair| pair.iter().map(|block| block.side).collect::<String>()).collect::<Vec<_>>().join(" ")
    }

    /// What was done, in a sentence.
    pub fn about(&self) -> String {
        format!("{} of {} pairs of blocks judged · order {}", self.pairs_judged, self.pairs, clean_text(&self.order()))
    }

    /// As JSON, indented, without a newline at its end.
    pub fn json(&self) -> String {
        // Plain data with text keys: writing it into memory cannot fail.
        serde_json::to_string_pretty(self).unwrap_or_default()
    }
}
