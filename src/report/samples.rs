//! Made-up runs for the tests of every form.

use std::time::Duration;

use super::{
    ComparedPhase, ComparedRun, Comparison, History, HistoryRun, LeftOut, PhaseTiming, Summary, phase_views,
    summary::tests::{phase, plan, slo, summary, sustained},
};
use crate::{
    clock::{MILLISECOND, SECOND},
    judge::{ExitCode, Experiment, Goal, Grades, NotDone, NotDoneKind, Quantity, Score, Validity, run_figures},
    measure::{Kind, SampleResult, synthetic::Synthetic},
    plan::{Load, Outline, Phase},
    protocol::ErrorKind,
    stats::Popularity,
};

/// A warm-up and an open phase in which all is well.
pub(super) fn healthy() -> Summary {
    let mut run = Synthetic::new();
    run.spread(0, "item", 60, 2, 30);
    run.recorder.load(0, 10, 10, 0);
    run.tick();
    for second in 0..20u64 {
        run.spread(1, "item", 80, 1, 9);
        for k in 0..80 {
            run.request(1, 1, "GET /health", "", SampleResult::Ok, 300_000 + k * 1_000 + second);
        }
        run.recorder.load(1, 7, 0, 0);
        run.recorder.lateness(1, 60_000 + second * 1_000);
        run.recorder.check(1, "has id", true, None);
        run.tick();
        run.totals.own_cpu(second + 1, 100 + second as u16);
    }
    run.sample(Kind::Request, 2, "POST /login", "", SampleResult::Ok, 40 * MILLISECOND);
    run.tick();
    let warmup = Phase { warmup: true, ..phase("warm-up", Load::Users(vec![(Duration::ZERO, 10)])) };
    let warmup = Phase { duration: Some(Duration::from_secs(5)), ..warmup };
    let slos = vec![
        slo("reads stay fast", Some("item"), &[("p95", "< 10ms"), ("p99", "< 25ms")]),
        slo("nothing fails", None, &[("errors", "< 1%")]),
    ];
    let mut plan = plan(&["item", "GET /health"], vec![warmup, sustained(160)], slos);
    plan.title = Some("A shop under a weighted mix.".into());
    plan.notes = vec!["run on a laptop".into()];
    plan.facts = vec![("commit".into(), "abc123".into())];
    let mut summary = summary(&run, &plan, &[None, Some(3_200)]);
    summary.tags = [("branch".to_owned(), "main".to_owned()), ("ci.job".to_owned(), "17".to_owned())].into();
    summary
}

/// A run that is slower than its baseline.
pub(super) fn regressed() -> Summary {
    let side = |slow: u64| {
        let mut run = Synthetic::new();
        for second in 0..20 {
            run.spread(0, "item", 100, slow, 5 * slow);
            run.request(0, 1, "list", "", SampleResult::Ok, MILLISECOND + second);
            run.tick();
        }
        run
    };
    let plan = |rate: u64| plan(&["item", "list"], vec![sustained(rate)], Vec::new());
    let (old, new) = (side(2), side(3));
    let [old_outline, new_outline] = [101, 101].map(|rate| Outline::of(&plan(rate)));
    let timing = PhaseTiming { phase: 0, start: 0, stopped: 20 * SECOND, drained: 20 * SECOND, planned: None };
    let run = |file: &str, outline: &Outline| ComparedRun {
        file: file.to_owned(),
        started_at: "2026-11-21T12:00:00Z".to_owned(),
        loadr: "0.1.0".to_owned(),
        plan_hash: "0123".to_owned(),
        seed: 42,
        verdict: Validity::Valid,
        partial: None,
        machine: "Linux 6.18, x86_64, 2 cores".to_owned(),
        part: None,
        phases: ComparedPhase::all(outline),
    };
    let sides = (
        &[phase_views(&old_outline, &old.totals, &[timing])][..],
        &[phase_views(&new_outline, &new.totals, &[timing])][..],
    );
    let runs = (vec![run("main.loadr", &old_outline)], vec![run("this run", &new_outline)]);
    let comparison = Comparison::of(runs.0, runs.1, sides, 0.05, true);
    let mut whole = summary(&new, &plan(101), &[Some(2_020)]);
    (whole.exit_code, whole.exit_meaning) = (ExitCode::Regression.code(), ExitCode::Regression.meaning());
    Summary { baseline: Some(comparison), ..whole }
}

/// A request with a body and a token.
const WIRE: &str = "POST /api/carts?user=7 HTTP/1.1\r\nhost: 127.0.0.1:8080\r\nuser-agent: loadr/0\r\naccept: */*\r\n\
    authorization: Bearer abcdef0123456789\r\ncontent-type: application/json\r\ncontent-length: 14\r\n\r\n{\"sku\": \"it's\"}";

/// SLOs that fail, that cannot be said, and that selected nothing.
pub(super) fn troubled() -> Summary {
    let mut run = Synthetic::new();
    for second in 0..20u64 {
        run.spread(0, "item", 100, 1, 40);
        for k in 0..3 {
            run.request(0, 0, "item", "", SampleResult::FailedStatus, 2_000_000 + k);
        }
        if second % 5 == 0 {
            run.request(0, 0, "item", "", SampleResult::Error(ErrorKind::Reset), 500_000);
        }
        run.tick();
    }
    let id = run.recorder.name(Kind::Request, "item");
    run.recorder.error_example(0, id, ErrorKind::Reset, "connection reset by peer (os error 104)");
    run.kept(0, "item", WIRE, SampleResult::FailedStatus, 2 * MILLISECOND, "{\"error\": \"sold out\"}");
    run.kept(0, "item", WIRE, SampleResult::Ok, 41 * MILLISECOND, "");
    run.tick();
    let slos = vec![
        slo("reads stay fast", Some("item"), &[("p95", "< 10ms"), ("p99.9", "< 1s")]),
        slo("few fail", None, &[("errors", "< 3%")]),
        slo("of nothing", Some("itme"), &[("p95", "< 10ms")]),
    ];
    let plan = plan(&["item"], vec![sustained(103)], slos);
    summary(&run, &plan, &[Some(2_064)])
}

/// A target that answers nothing, in every way of not answering.
pub(super) fn down() -> Summary {
    let mut run = Synthetic::new();
    let id = run.recorder.name(Kind::Request, "item");
    run.recorder.error_example(0, id, ErrorKind::ConnectRefused, "127.0.0.1:8080: connection refused");
    for _ in 0..20 {
        for k in 0..50 {
            run.request(0, 0, "item", "", SampleResult::Error(ErrorKind::ConnectRefused), 100_000 + k);
        }
        run.tick();
    }
    for (result, ns) in [
        (SampleResult::Error(ErrorKind::Timeout), 30 * SECOND),
        (SampleResult::Expired, 30 * SECOND),
        (SampleResult::Dropped, 0),
        (SampleResult::Interrupted, 3 * SECOND),
    ] {
        (0..20).for_each(|_| run.request(0, 0, "item", "", result, ns));
    }
    run.tick();
    let slos = vec![slo("fast", None, &[("p95", "< 10ms")]), slo("nothing fails", None, &[("errors", "< 1%")])];
    let plan = plan(&["item"], vec![sustained(54)], slos);
    summary(&run, &plan, &[Some(1_080)])
}

/// Classes, flows, checks, metrics and errors of the script.
pub(super) fn classes() -> Summary {
    let mut run = Synthetic::new();
    for second in 0..20u64 {
        for k in 0..100u64 {
            let (class, ms) = if k % 4 == 0 { ("miss", 20) } else { ("hit", 2) };
            run.request(0, 0, "item", class, SampleResult::Ok, ms * MILLISECOND + k * 1_000);
        }
        run.sample(Kind::Flow, 0, "checkout", "", SampleResult::Ok, 250 * MILLISECOND);
        run.sample(Kind::Flow, 0, "checkout", "", SampleResult::Failed, 50 * MILLISECOND);
        run.recorder.count(0, "orders", 2);
        run.recorder.gauge(0, "queue depth", second as f64 / 3.0, second);
        run.recorder.timing(0, "render", (5 + second) * MILLISECOND);
        let mut recorder = std::mem::take(&mut run.recorder);
        run.witness(WIRE, 409, "{\"error\": \"sold out\"}", |witness| {
            recorder.check(0, "cart created", second % 2 == 0, Some(witness));
            let message = format!("function not found: tota{}", ["", "l"][usize::from(second < 2)]);
            recorder.script_error(0, "mix.rhai:12:5", &message, Some(witness));
            recorder.failure(0, "no cart", Some(witness));
        });
        run.recorder = recorder;
        run.tick();
    }
    let slos = vec![slo("cache pays", None, &[("hit_ratio", "> 70%")])];
    let mut plan = plan(&["item"], vec![sustained(100)], slos);
    let limits = vec![("A+".to_owned(), 5 * MILLISECOND), ("A".to_owned(), 20_070_000)];
    plan.grades = Some(Grades { by: Quantity::Response(950_000), limits, below: "F".to_owned() });
    summary(&run, &plan, &[Some(2_000)])
}

/// A cache experiment: hits of 1 to 3 ms, misses of 10 to 30 ms.
pub(super) fn experiment() -> Summary {
    let mut run = Synthetic::new();
    for second in 0..40u64 {
        let phase = u16::from(second >= 20);
        let hits = if phase == 1 { 80 } else { 20 + 3 * second };
        for k in 0..100u64 {
            let (class, ms) = if k < hits { ("hit", 1) } else { ("miss", 10) };
            let ns = ms * (MILLISECOND + (k * 37 + second * 11) % 100 * 20_000);
            run.request(phase, 0, "items", class, SampleResult::Ok, ns);
        }
        run.tick();
    }
    for block in 0..20u64 {
        for k in 0..30u64 {
            let of = |ms: u64| ms * (MILLISECOND + (k * 7 + block * 13) % 100 * 20_000);
            run.recorder.pair(2, "items", block, of(10), of(1));
        }
        run.recorder.count(2, "items: pairs left out because a request failed", u64::from(block == 7));
        run.request(2, 0, "items miss", "miss", SampleResult::Ok, 10 * MILLISECOND);
        run.tick();
    }
    let phases = ["items/cold", "items/steady", "items/pairs"]
        .map(|name| Phase { name: name.to_owned(), ..sustained(100) })
        .into();
    let mut about = slo("cache pays", None, &[("hit_ratio", "> 70%"), ("speedup_p50", "> 5x"), ("p95", "< 25ms")]);
    about.selector.experiment = Some("items".to_owned());
    about.selector.phase = Some("items/steady".to_owned());
    let mut plan = plan(&["items"], phases, vec![about]);
    plan.experiments = vec![Experiment {
        name: "items".to_owned(),
        request: "items".to_owned(),
        keys: Some(Popularity::Zipf { n: 5_000, s: 0.99 }),
        cold: Some("items/cold".to_owned()),
        steady: Some("items/steady".to_owned()),
        pairs: Some("items/pairs".to_owned()),
        ..Experiment::default()
    }];
    summary(&run, &plan, &[Some(2_000), Some(2_000), None])
}

/// Goals of every status, what was skipped and not run, and a score.
pub(super) fn aims() -> Summary {
    let mut run = Synthetic::new();
    for second in 0..20u64 {
        run.spread(0, "item", 100, 1, 9);
        run.request(0, 0, "item", "", SampleResult::FailedStatus, 2_000_000 + second);
        run.tick();
    }
    let slos = vec![slo("reads stay fast", Some("item"), &[("p95", "< 10ms"), ("p95", "< 5ms")])];
    let mut plan = plan(&["item"], vec![sustained(101), Phase { name: "burst".into(), ..sustained(1) }], slos);
    let goal = |name: &str, before: Option<&str>, condition: Option<(&str, &str)>| Goal {
        name: name.into(),
        before: before.map(Into::into),
        target: condition.map_or_else(|| "15+ users".to_owned(), |(_, text)| text.to_owned()),
        measure: condition.map(|condition| slo(name, Some("item"), &[condition])),
        skipped: None,
    };
    plan.goals = vec![
        goal("faster reads", Some("15-20 s"), Some(("p95", "< 10s"))),
        goal("instant reads", Some("3 ms"), Some(("p50", "< 1ms"))),
        goal("long tail", None, Some(("p99.9", "< 1s"))),
        goal("more at once", Some("5"), None),
        Goal { skipped: Some("no cache here".into()), ..goal("cache", None, Some(("hit_ratio", "> 80%"))) },
    ];
    let left = |name: &str, kind: NotDoneKind, reason: &str| NotDone { name: name.into(), kind, reason: reason.into() };
    plan.skipped = vec![
        left("uploads", NotDoneKind::Phase, "no storage on this machine"),
        left("uploads are quick", NotDoneKind::Slo, "phase uploads: no storage on this machine"),
        left("security audit", NotDoneKind::Category, "done by hand"),
    ];
    plan.score = Some(Score { deductions: vec![(0.5, "no runbook".into())], ..Score::new(10.0) });
    let mut whole = summary(&run, &plan, &[Some(2_020)]);
    whole.not_run = vec![
        left("burst", NotDoneKind::Phase, "the run ended before it: interrupted"),
        left("bursts fit", NotDoneKind::Slo, "phase burst was not run: the run ended before it: interrupted"),
    ];
    whole
}

/// Text that wants to be more than text, wherever text may come from outside.
pub(super) fn hostile() -> Summary {
    let mut run = Synthetic::new();
    let evil = "\x1b]0;owned\x07\x1b[2J\u{202e}gpj.exe\r\n| `x` <script> [x](http://evil) @admin ]]> <img src=x onerror=alert(1)> 日本語日本語日本語日本語日本語";
    run.request(0, 0, evil, evil, SampleResult::Ok, 1_000_000);
    run.request(0, 0, evil, "", SampleResult::Error(ErrorKind::Protocol), 1_000_000);
    let id = run.recorder.name(Kind::Request, evil);
    run.recorder.error_example(0, id, ErrorKind::Protocol, evil);
    let wire = format!("POST /{evil} HTTP/1.1\r\nhost: a\r\nx-evil: {evil}\r\n\r\n{evil}");
    let mut recorder = std::mem::take(&mut run.recorder);
    run.witness(&wire, 500, evil, |witness| {
        recorder.check(0, evil, false, Some(witness));
        recorder.script_error(0, evil, evil, Some(witness));
        recorder.failure(0, evil, Some(witness));
    });
    run.recorder = recorder;
    run.kept(0, evil, &wire, SampleResult::Ok, 1_000_000, evil);
    run.kept(0, evil, &wire, SampleResult::FailedStatus, 1_000_000, evil);
    run.recorder.count(0, evil, 1);
    run.tick();
    let mut plan = plan(&[], vec![sustained(1)], vec![slo(evil, Some(evil), &[("p95", "< 10ms")])]);
    plan.phases[0].name = evil.into();
    plan.notes = vec![evil.into()];
    plan.facts = vec![(evil.into(), evil.into())];
    plan.title = Some(evil.into());
    let limits = vec![(evil.to_owned(), MILLISECOND / 2)];
    plan.grades = Some(Grades { by: Quantity::Response(500_000), limits, below: evil.to_owned() });
    plan.goals = vec![Goal {
        name: evil.into(),
        before: Some(evil.into()),
        target: evil.into(),
        measure: None,
        skipped: Some(evil.into()),
    }];
    plan.skipped = vec![NotDone { name: evil.into(), kind: NotDoneKind::Category, reason: evil.into() }];
    plan.score = Some(Score { deductions: vec![(1.0, evil.into())], ..Score::new(10.0) });
    plan.experiments = vec![Experiment {
        name: evil.into(),
        request: evil.into(),
        steady: Some(evil.into()),
        ..Experiment::default()
    }];
    let mut comparison = regressed().baseline;
    if let Some(comparison) = &mut comparison {
        comparison.rewrite_texts(&|_| evil.to_owned());
    }
    let tags = [(evil.to_owned(), evil.to_owned())].into();
    Summary { baseline: comparison, tags, ..summary(&run, &plan, &[Some(2)]) }
}

/// Runs of which the later ones are slower.
pub(super) fn history() -> History {
    let outline = Outline::of(&plan(&["item"], vec![sustained(100)], Vec::new()));
    let timing = PhaseTiming { phase: 0, start: 0, stopped: 20 * SECOND, drained: 20 * SECOND, planned: None };
    let run = |number: u64| {
        let mut run = Synthetic::new();
        let slow = if number < 8 { 20 } else { 30 };
        run.spread(0, "item", 200, slow + number % 3, 3 * slow + number % 2);
        run.tick();
        let figures = run_figures(&phase_views(&outline, &run.totals, &[timing]));
        let described = HistoryRun {
            file: format!("runs/mix-{number}.loadr"),
            started_at: format!("2026-11-{:02}T03:00:00Z", number + 1),
            loadr: "0.1.0".to_owned(),
            plan_hash: "0123".to_owned(),
            machine: "Linux 6.18, x86_64, 2 cores".to_owned(),
            facts: [("commit".to_owned(), if number < 8 { "abc123" } else { "<script>" }.to_owned())].into(),
        };
        (described, figures)
    };
    let left_out = vec![LeftOut { file: "runs/mix-x.loadr".to_owned(), why: "it is INVALID".to_owned() }];
    History::of((0..16).map(run).collect(), left_out, &["sustained".to_owned()], 0.05, true)
}
