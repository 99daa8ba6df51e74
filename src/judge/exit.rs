//! What a pipeline gets to know.

use super::{SloResult, Validity, Verdict};

/// Every code that the command can end with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitCode {
    /// No SLO failed.
    Passed = 0,
    /// The run could not start: a file, the network, the target.
    NotStarted = 1,
    /// The command line was wrong.
    Usage = 2,
    /// The run file could not be written whole; nothing else went wrong.
    NotSaved = 95,
    /// The figures are worse than the baseline's.
    Regression = 96,
    /// The figures tell of the generator, not of the target.
    Invalid = 97,
    /// An SLO could not be judged, with `--strict`.
    Inconclusive = 98,
    /// An SLO failed.
    SloFailed = 99,
    /// The script or its plan has mistakes.
    Script = 104,
    /// The run was interrupted from outside.
    Interrupted = 105,
    /// The script failed at run time in every iteration.
    ScriptFailedEverywhere = 107,
    /// The script or an SLO ended the run.
    Aborted = 108,
    /// A bug in loadr.
    Internal = 109,
}

impl ExitCode {
    /// Every code, ascending.
    pub const ALL: &'static [Self] = &[
        Self::Passed,
        Self::NotStarted,
        Self::Usage,
        Self::NotSaved,
        Self::Regression,
        Self::Invalid,
        Self::Inconclusive,
        Self::SloFailed,
        Self::Script,
        Self::Interrupted,
        Self::ScriptFailedEverywhere,
        Self::Aborted,
        Self::Internal,
    ];

    /// The number.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// What it means, for people.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Passed => "no SLO failed",
            Self::NotStarted => "could not start",
            Self::Usage => "wrong usage",
            Self::NotSaved => "the run file could not be written",
            Self::Regression => "regression against the baseline",
            Self::Invalid => "the run is invalid",
            Self::Inconclusive => "an SLO could not be judged",
            Self::SloFailed => "an SLO failed",
            Self::Script => "the script has mistakes",
            Self::Interrupted => "interrupted",
            Self::ScriptFailedEverywhere => "the script failed in every iteration",
            Self::Aborted => "aborted by the script or an SLO",
            Self::Internal => "internal error",
        }
    }
}

/// How a run ended, beside what it measured.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ending {
    /// The script or an SLO ended it.
    pub aborted: bool,
    /// Somebody outside did.
    pub interrupted: bool,
    /// There were iterations, and each ended in a run-time error of the script.
    pub script_failed_everywhere: bool,
    /// `--strict`: inconclusive is not good enough.
    pub strict: bool,
    /// An SLO is about a phase that was never run.
    pub slo_not_run: bool,
    /// A baseline was given, and the figures are worse.
    pub regressed: bool,
}

/// The code of a run that started. What makes the figures worthless comes before what they say.
pub fn exit_code(validity: Validity, slos: &[SloResult], ending: Ending) -> ExitCode {
    let any = |verdict: Verdict| slos.iter().any(|slo| slo.verdict == verdict);
    if ending.aborted {
        ExitCode::Aborted
    } else if ending.interrupted {
        ExitCode::Interrupted
    } else if ending.script_failed_everywhere {
        ExitCode::ScriptFailedEverywhere
    } else if validity == Validity::Invalid {
        ExitCode::Invalid
    } else if any(Verdict::Fail) || ending.slo_not_run {
        ExitCode::SloFailed
    } else if ending.regressed {
        ExitCode::Regression
    } else if ending.strict && any(Verdict::Inconclusive) {
        ExitCode::Inconclusive
    } else {
        ExitCode::Passed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slo(verdict: Verdict) -> SloResult {
        SloResult::bare("s", verdict)
    }

    #[test]
    fn what_makes_figures_worthless_comes_first() {
        let ending = Ending::default();
        let strict = Ending { strict: true, ..ending };
        for (validity, verdicts, ending, code) in [
            (Validity::Valid, &[][..], ending, 0),
            (Validity::Suspect, &[Verdict::Pass], ending, 0),
            (Validity::Valid, &[Verdict::Pass, Verdict::Fail], ending, 99),
            (Validity::Valid, &[Verdict::Inconclusive], ending, 0),
            (Validity::Valid, &[Verdict::Inconclusive], strict, 98),
            (Validity::Valid, &[Verdict::Inconclusive, Verdict::Fail], strict, 99),
            (Validity::Invalid, &[Verdict::Fail], ending, 97),
            (Validity::Valid, &[Verdict::Pass], Ending { regressed: true, ..ending }, 96),
            (Validity::Valid, &[Verdict::Pass], Ending { slo_not_run: true, ..ending }, 99),
            (Validity::Invalid, &[], Ending { interrupted: true, ..ending }, 105),
            (Validity::Valid, &[Verdict::Fail], Ending { aborted: true, interrupted: true, ..ending }, 108),
            (Validity::Valid, &[Verdict::Fail], Ending { script_failed_everywhere: true, ..ending }, 107),
        ] {
            let slos: Vec<_> = verdicts.iter().map(|&verdict| slo(verdict)).collect();
            assert_eq!(exit_code(validity, &slos, ending).code(), code, "{validity:?} {verdicts:?} {ending:?}");
        }
        assert!(ExitCode::ALL.is_sorted_by_key(|code| code.code()));
    }
}
