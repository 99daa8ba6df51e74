//! Every text of a summary that a script or a server had a say in.

use std::mem;

use super::{MessageSummary, PhaseSummary, RowSummary, Summary};

impl Summary {
    /// Passes each text through `rewrite`, such as one that takes secrets out. Figures stay as they are; so do
    /// words of loadr's own.
    pub fn rewrite_texts(&mut self, rewrite: &dyn Fn(&str) -> String) {
        let each = |text: &mut String| *text = rewrite(text);
        self.ended_early.iter_mut().chain(&mut self.partial).chain(&mut self.title).for_each(each);
        self.targets.iter_mut().chain(&mut self.unverified).chain(&mut self.notes).for_each(each);
        self.left_out.iter_mut().for_each(each);
        self.tags = mem::take(&mut self.tags).into_iter().map(|(key, text)| (rewrite(&key), rewrite(&text))).collect();
        self.facts = mem::take(&mut self.facts).iter().map(|(name, text)| (rewrite(name), rewrite(text))).collect();
        self.evidence.iter_mut().for_each(|evidence| each(&mut evidence.what));
        for slo in &mut self.slos {
            each(&mut slo.name);
            each(&mut slo.quantity);
            each(&mut slo.target);
            slo.why.iter_mut().for_each(each);
        }
        self.grades.iter_mut().for_each(|scale| scale.rewrite(&each));
        for goal in &mut self.goals {
            each(&mut goal.name);
            each(&mut goal.target);
            goal.before.iter_mut().chain(&mut goal.quantity).chain(&mut goal.why).for_each(each);
        }
        for left in self.skipped.iter_mut().chain(&mut self.not_run) {
            each(&mut left.name);
            each(&mut left.reason);
        }
        self.score.iter_mut().flat_map(|score| &mut score.deductions).for_each(|it| each(&mut it.reason));
        self.author_notes.iter_mut().for_each(each);
        for experiment in &mut self.experiments {
            each(&mut experiment.name);
            each(&mut experiment.request);
            experiment.parts.iter_mut().for_each(|part| each(&mut part.phase));
            for truth in &mut experiment.truth {
                each(&mut truth.source);
                truth.error.iter_mut().for_each(each);
            }
            experiment.needs.iter_mut().for_each(|need| each(&mut need.target));
            experiment.warnings.iter_mut().for_each(each);
        }
        self.baseline.iter_mut().for_each(|baseline| baseline.rewrite_texts(rewrite));
        for phase in self.phases.iter_mut().chain(&mut self.asides) {
            rewrite_phase(phase, &each);
        }
        for watch in &mut self.watched {
            each(&mut watch.name);
            each(&mut watch.about);
            watch.phases.iter_mut().for_each(|phase| each(&mut phase.phase));
        }
        self.custom.iter_mut().for_each(|metric| each(metric.name_mut()));
    }
}

fn rewrite_phase(phase: &mut PhaseSummary, each: &dyn Fn(&mut String)) {
    each(&mut phase.name);
    each(&mut phase.load_text);
    let rows = phase.requests.iter_mut().chain(&mut phase.hops).chain(&mut phase.messages);
    let rows = rows.chain(&mut phase.flows).chain(&mut phase.groups);
    rows.for_each(|row| rewrite_row(row, each));
    for check in &mut phase.checks {
        each(&mut check.name);
        check.example.iter_mut().for_each(|example| example.rewrite(each));
    }
    phase.custom.iter_mut().for_each(|metric| each(metric.name_mut()));
    phase.mix.iter_mut().for_each(|entry| each(&mut entry.name));
    for MessageSummary { place, message, example, .. } in
        phase.script_errors.iter_mut().chain(&mut phase.failure_reasons)
    {
        each(place);
        each(message);
        if let Some(example) = example {
            each(&mut example.message);
            example.after.rewrite(each);
        }
    }
}

fn rewrite_row(row: &mut RowSummary, each: &dyn Fn(&mut String)) {
    each(&mut row.name);
    row.class.iter_mut().for_each(each);
    row.grade.iter_mut().for_each(|grade| grade.rewrite(each));
    row.slowest.iter_mut().chain(&mut row.failing).for_each(|exemplar| exemplar.rewrite(each));
    row.failures.iter_mut().flat_map(|failure| &mut failure.examples).for_each(each);
}
