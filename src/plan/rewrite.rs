//! Other words for what a plan is shown with.

use super::{Piece, Plan, Ready, Start, Text};
use crate::judge::Selector;

impl Plan {
    /// Rewrites the texts that people see: names, the author's notes, literal parts of paths. For a plan that is
    /// shown and not run; its hash is another afterwards.
    pub fn rewrite_texts(&mut self, rewrite: &dyn Fn(&str) -> String) {
        let each = |text: &mut String| *text = rewrite(text);
        self.title.iter_mut().for_each(each);
        self.notes.iter_mut().for_each(each);
        for (name, value) in &mut self.facts {
            each(name);
            each(value);
        }
        self.flows.iter_mut().for_each(|flow| each(&mut flow.name));
        self.data.iter_mut().for_each(|set| each(&mut set.source));
        for phase in &mut self.phases {
            each(&mut phase.name);
            if let Start::Alongside(other) = &mut phase.start {
                each(other);
            }
        }
        for process in &mut self.processes {
            each(&mut process.name);
            each(&mut process.written);
            if let Ready::Http(text) | Ready::Log(text) = &mut process.ready {
                each(text);
            }
        }
        for left in &mut self.skipped {
            each(&mut left.name);
            each(&mut left.reason);
        }
        for goal in &mut self.goals {
            goal.before.iter_mut().chain([&mut goal.name, &mut goal.target]).for_each(each);
        }
        for slo in &mut self.slos {
            each(&mut slo.name);
            let Selector { phase, request, flow, group, message, class, status: _, experiment, monitor } =
                &mut slo.selector;
            let names = [phase, request, flow, group, message, class, experiment, monitor];
            names.into_iter().flatten().for_each(each);
        }
        if let Some(grades) = &mut self.grades {
            grades.limits.iter_mut().map(|(word, _)| word).chain([&mut grades.below]).for_each(each);
        }
        for template in &mut self.templates {
            each(&mut template.name);
            let query = template.query.iter_mut().flat_map(|(name, value)| [name, value]);
            for Text(pieces) in query.chain([&mut template.path]) {
                for piece in pieces {
                    if let Piece::Literal(text) = piece {
                        each(text);
                    }
                }
            }
        }
    }
}
