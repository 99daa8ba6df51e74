//! What a plan would do, for a terminal.

use super::{
    Page,
    paint::Tone,
    table::{Column, Table, plain},
    text::clean,
    timeline,
};
use crate::{
    clock::{Nanos, SECOND, format_nanos},
    engine::outline::Bound,
    judge::Unit,
    report::{BaselineOutlook, Count, DataOutlook, Distance, Outlook, PhaseOutlook, Schedule, outlook::EntryOutlook},
};

const fn right(title: &'static str, rank: u8) -> Column {
    Column { title, right: true, rank }
}

const fn left(title: &'static str, rank: u8) -> Column {
    Column { title, right: false, rank }
}

/// Renders an outlook; no line is wider than `width` columns (at least 20).
pub fn render_outlook(outlook: &Outlook, width: usize, color: bool) -> String {
    let mut page = Page::new(width, color);
    headline(&mut page, outlook);
    page.blank();
    timeline::draw(&mut page, outlook);
    for phase in &outlook.phases {
        section(&mut page, phase);
    }
    data(&mut page, &outlook.data);
    slos(&mut page, outlook);
    if let Some(baseline) = &outlook.baseline {
        against(&mut page, baseline);
    }
    if let Some(rule) = &outlook.grades {
        page.blank();
        page.prose(0, Tone::Plain, &format!("grades by the {}", clean(rule)));
    }
    aims(&mut page, outlook);
    targets(&mut page, outlook);
    if let Some(schedule) = &outlook.schedule {
        arrivals(&mut page, schedule);
    }
    let mut text = page.lines.join("\n");
    text.push('\n');
    text
}

fn time(seconds: f64, bound: Bound) -> String {
    format!("{}{}", bound.sign(), format_nanos((seconds * SECOND as f64).round() as Nanos))
}

fn number(count: Count) -> String {
    format!("{}{}", count.is.sign(), count.count)
}

fn headline(page: &mut Page, outlook: &Outlook) {
    if let Some(title) = &outlook.title {
        page.prose(0, Tone::Bold, &clean(title));
    }
    let phases = match outlook.phases.len() {
        1 => "1 phase".to_owned(),
        n => format!("{n} phases"),
    };
    let hash = outlook.plan_hash.get(..12).unwrap_or_default();
    page.prose(
        0,
        Tone::Plain,
        &format!("{phases} in {} · seed {} · plan {hash}", time(outlook.duration_s, outlook.duration_is), outlook.seed),
    );
    for note in &outlook.notes {
        page.prose(0, Tone::Dim, &format!("note: {}", clean(note)));
    }
    page.prose(
        0,
        Tone::Dim,
        "nothing was sent; each phase starts later by what the iterations before it take to end (┊)",
    );
}

fn section(page: &mut Page, phase: &PhaseOutlook) {
    page.blank();
    let warmup = if phase.warmup { "  warm-up, not counted" } else { "" };
    let tone = if phase.warmup { Tone::Dim } else { Tone::Bold };
    page.prose(0, tone, &format!("{}  {}{warmup}", clean(&phase.name), phase.load_text));
    let iterations = match phase.iterations {
        Some(Count { count: 1, is: Bound::Exact }) => "1 iteration".to_owned(),
        Some(count) => format!("{} iterations", number(count)),
        None => "how many iterations depends on the target".to_owned(),
    };
    let length = match phase.duration_is {
        Bound::AtLeast => "until its work is done".to_owned(),
        bound => time(phase.duration_s, bound),
    };
    page.prose(2, Tone::Plain, &format!("from {} · {length} · {iterations}", time(phase.start_s, phase.start_is)));
    for limit in &phase.limits {
        page.prose(2, Tone::Plain, &clean(limit));
    }
    let mut table = Table::new("ENTRY", &[right("SHARE", 1), right("ITERATIONS", 0)]);
    for EntryOutlook { name, kind, share, iterations } in &phase.entries {
        let name = if *kind == "flow" { format!("flow {name}") } else { name.clone() };
        let share = format!("{}%", (share * 1_000.0).round() / 10.0);
        let iterations = iterations.map_or_else(|| "–".to_owned(), number);
        table.row(0, &name, Tone::Plain, vec![plain(share), plain(iterations)]);
    }
    table.write(page, 2);
}

fn data(page: &mut Page, sets: &[DataOutlook]) {
    if sets.is_empty() {
        return;
    }
    page.blank();
    let mut table = Table::new("DATA", &[right("ROWS", 0), right("TAKEN", 0), left("ORDER", 1)]);
    for set in sets {
        let taken = match set.needed {
            Some(count) => number(count),
            None if set.phases.is_empty() => "–".to_owned(),
            None => "?".to_owned(),
        };
        table.row(0, &set.source, Tone::Plain, vec![plain(set.rows.to_string()), plain(taken), plain(set.order)]);
    }
    table.write(page, 0);
    for set in sets {
        let Some(out) = &set.runs_out else { continue };
        let when = out.after_s.map_or_else(String::new, |at| format!(", {} after its start", time(at, Bound::Exact)));
        let verb = if out.certain { "runs" } else { "may run" };
        let text = format!(
            "! {} {verb} out in phase {} after {} iterations{when}: the phase ends there; give it more rows, or \
             write .unique().then_cycle()",
            clean(&set.source),
            clean(&out.phase),
            out.after_iterations
        );
        page.prose(0, if out.certain { Tone::Bad } else { Tone::Warning }, &text);
    }
}

fn slos(page: &mut Page, outlook: &Outlook) {
    if outlook.slos.is_empty() {
        return;
    }
    page.blank();
    let mut table = Table::new("SLO", &[left("TARGET", 0), left("ABOUT", 1)]);
    for slo in &outlook.slos {
        let mut about = vec![if slo.about.is_empty() { "everything".to_owned() } else { clean(&slo.about) }];
        about.extend(slo.over_s.map(|over| format!("over {}", time(over, Bound::Exact))));
        if slo.abort {
            about.push("ends the run".to_owned());
        }
        for (index, condition) in slo.conditions.iter().enumerate() {
            let first = index == 0;
            let about = if first { about.join(", ") } else { String::new() };
            let name = if first { slo.name.as_str() } else { "" };
            table.row(0, name, Tone::Plain, vec![plain(clean(condition)), plain(about)]);
        }
    }
    table.write(page, 0);
}

fn aims(page: &mut Page, outlook: &Outlook) {
    if !outlook.goals.is_empty() {
        page.blank();
        let mut table = Table::new("GOAL", &[left("BEFORE", 1), left("TARGET", 0), left("MEASURED", 0)]);
        for goal in &outlook.goals {
            let before = goal.before.as_deref().unwrap_or("–");
            let measured = if goal.is_measured { "yes" } else { "no" };
            let cells = vec![plain(clean(before)), plain(clean(&goal.target)), plain(measured)];
            table.row(0, &goal.name, Tone::Plain, cells);
        }
        table.write(page, 0);
    }
    if !outlook.skipped.is_empty() {
        page.blank();
        for it in &outlook.skipped {
            let text = format!("skipped: {} {}: {}", it.kind.word(), clean(&it.name), clean(&it.reason));
            page.prose(0, Tone::Warning, &text);
        }
    }
}

fn against(page: &mut Page, baseline: &BaselineOutlook) {
    page.blank();
    let files: Vec<String> = baseline.files.iter().map(|file| clean(file)).collect();
    let fails =
        if baseline.fail { "a regression fails the run (exit 96)" } else { "a regression is told, and fails nothing" };
    let margin = Unit::Share.text(baseline.max_regression);
    page.prose(0, Tone::Plain, &format!("baseline {}: less than {margin} is no change; {fails}", files.join(", ")));
    for file in &baseline.missing {
        page.prose(2, Tone::Bad, &format!("a run would not start: {} is not there", clean(file)));
    }
}

fn targets(page: &mut Page, outlook: &Outlook) {
    page.blank();
    for process in &outlook.processes {
        let text = format!("starts {}  ready {}", clean(&process.command), clean(&process.ready));
        page.prose(0, Tone::Plain, &text);
    }
    for target in &outlook.targets {
        let tone = if target.distance == Distance::Loopback { Tone::Plain } else { Tone::Warning };
        page.prose(0, tone, &format!("target {}: {}", clean(&target.url), target.distance.words()));
        if let Some(why) = &target.refused {
            page.prose(2, Tone::Bad, &format!("a run would refuse it: {}", clean(why)));
        }
    }
    if !outlook.environment.is_empty() {
        page.prose(0, Tone::Dim, &format!("asks for: {}", clean(&outlook.environment.join(", "))));
    }
}

fn arrivals(page: &mut Page, schedule: &Schedule) {
    page.blank();
    if !schedule.arrivals.is_empty() {
        let columns = [right("AT", 0), left("PHASE", 1), right("ITERATION", 2), left("SENDS", 0)];
        let mut table = Table::new("ROW", &columns);
        for arrival in &schedule.arrivals {
            let sends = match (&arrival.method, &arrival.path) {
                (Some(method), Some(path)) => format!("{method} {}", clean(path)),
                _ => "what its script sends".to_owned(),
            };
            let name = if arrival.kind == "flow" { format!("flow {}", arrival.name) } else { arrival.name.clone() };
            let cells = vec![
                plain(format!("{}{:.6}s", arrival.at_is.sign(), arrival.at_s)),
                plain(clean(&arrival.phase)),
                plain(arrival.iteration.to_string()),
                plain(sends),
            ];
            table.row(0, &name, Tone::Plain, cells);
        }
        table.write(page, 0);
    }
    if !schedule.closed.is_empty() {
        let names = clean(&schedule.closed.join(", "));
        page.prose(0, Tone::Dim, &format!("no schedule: {names} (virtual users start when they are free)"));
    }
}
