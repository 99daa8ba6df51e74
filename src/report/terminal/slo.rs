//! The table of SLOs.

use super::{
    Page,
    paint::Tone,
    table::{Cell, Column, Table, plain},
    text::clean,
};
use crate::{judge::Verdict, report::SloSummary};

const COLUMNS: [Column; 4] = [
    Column { title: "TARGET", right: false, rank: 1 },
    Column { title: "ACTUAL", right: true, rank: 2 },
    Column { title: "95% INTERVAL", right: false, rank: 3 },
    Column { title: "VERDICT", right: false, rank: 0 },
];

pub(super) fn table(page: &mut Page, slos: &[SloSummary]) {
    if slos.is_empty() {
        return;
    }
    page.blank();
    let mut table = Table::new("SLO", &COLUMNS);
    let mut last = "";
    for slo in slos {
        let name = if slo.name == last { "" } else { &slo.name };
        last = &slo.name;
        let cells = vec![
            plain(clean(&slo.target)),
            plain(slo.actual_text.clone()),
            plain(slo.interval_text.clone()),
            verdict(slo.verdict),
        ];
        table.row(0, name, Tone::Plain, cells);
    }
    table.write(page, 0);
    for slo in slos.iter().filter(|slo| slo.verdict != Verdict::Pass) {
        if let Some(why) = &slo.why {
            page.prose(2, Tone::Plain, &format!("{}, {}: {}", clean(&slo.name), clean(&slo.target), clean(why)));
        }
    }
}

fn verdict(verdict: Verdict) -> Cell {
    let (mark, tone) = match verdict {
        Verdict::Pass => ("✓", Tone::Good),
        Verdict::Fail => ("✗", Tone::Bad),
        Verdict::Inconclusive => ("?", Tone::Warning),
        Verdict::NotRun => ("·", Tone::Dim),
    };
    (format!("{mark} {}", verdict.word()), tone)
}
