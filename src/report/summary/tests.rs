//! A made-up plan and its run, for the tests of all formats.

use std::time::Duration;

use super::*;
use crate::{
    clock::{Rate, SECOND},
    judge::Watching,
    judge::{Condition, Ending, GeneratorHealth, Quantity, Selector, Slo, assess, evaluate, exit_code},
    measure::Observed,
    measure::synthetic::Synthetic,
    plan::{
        Body, Deal, Expect, Load, Mix, MixEntry, MixId, Outline, Phase, Place, Plan, Step, Target, Template,
        TemplateId, Text,
    },
    protocol::TargetId,
};

/// A phase with every default.
pub(in crate::report) fn phase(name: &str, load: Load) -> Phase {
    Phase::new(name, MixId(0), load)
}

/// An open phase of 20 s.
pub(in crate::report) fn sustained(rate: u64) -> Phase {
    let load = Load::Rate(vec![(Duration::ZERO, Rate::per_second(rate))]);
    Phase { duration: Some(Duration::from_secs(20)), ..phase("sustained", load) }
}

fn template(name: &str) -> Template {
    Template {
        name: name.into(),
        method: "GET".into(),
        target: TargetId(0),
        path: Text::literal("/"),
        query: Vec::new(),
        headers: Vec::new(),
        cookies: Vec::new(),
        body: Body::None,
        timeout: None,
        expect: Expect::default(),
        checks: Vec::new(),
        classify: None,
        saves: Vec::new(),
        no_redirect: false,
        version: None,
        discard_body: false,
        at: Place::default(),
    }
}

/// A plan with one mix of these requests, weighed equally.
pub(in crate::report) fn plan(requests: &[&str], phases: Vec<Phase>, slos: Vec<Slo>) -> Plan {
    let entry = |at| MixEntry { weight: 1.0, step: Step::Template(TemplateId(at as u32)) };
    let url = url::Url::parse("http://user:secret@127.0.0.1:8080/").expect("valid");
    Plan {
        targets: vec![Target::new(url, Place::default())],
        templates: requests.iter().map(|name| template(name)).collect(),
        mixes: vec![Mix { entries: (0..requests.len()).map(entry).collect(), deal: Deal::Deck, at: Place::default() }],
        phases,
        slos,
        ..Plan::default()
    }
}

/// An SLO about everything or one request.
pub(in crate::report) fn slo(name: &str, request: Option<&str>, conditions: &[(&str, &str)]) -> Slo {
    let parse = |(name, text): &(&str, &str)| {
        let quantity = Quantity::parse(name).expect("a quantity").expect("one of our own");
        Condition::parse(quantity, text).expect("a condition")
    };
    Slo {
        name: name.into(),
        selector: Selector { request: request.map(Into::into), ..Selector::default() },
        conditions: conditions.iter().map(parse).collect(),
        abort: false,
        over: None,
    }
}

/// The summary of a run in which each phase took 20 s, one after the other.
pub(in crate::report) fn summary(run: &Synthetic, plan: &Plan, planned: &[Option<u64>]) -> Summary {
    let timing = |(at, planned): (usize, &Option<u64>)| PhaseTiming {
        phase: at as u16,
        start: at as u64 * 20 * SECOND,
        stopped: (at as u64 + 1) * 20 * SECOND,
        drained: (at as u64 + 1) * 20 * SECOND + SECOND / 4,
        planned: *planned,
    };
    let timings: Vec<_> = planned.iter().enumerate().map(timing).collect();
    let outline = Outline::of(plan);
    let views = phase_views(&outline, &run.totals, &timings);
    let slos: Vec<_> = plan.slos.iter().flat_map(|slo| evaluate(slo, &views, 0.95)).collect();
    let (validity, evidence) = assess(&views, &GeneratorHealth::default());
    Summary::build(&SummaryInput {
        outline: &outline,
        totals: &run.totals,
        timings: &timings,
        asides: &[(plan.phases.len() as u16, "logins")],
        slos: &slos,
        not_run: &[],
        watching: Watching { observed: &Observed::default(), names: &[], spans: &[] },
        validity,
        evidence: &evidence,
        seed: 42,
        plan_hash: "0123456789abcdef0123456789abcdef",
        tags: &BTreeMap::new(),
        baseline: None,
        exit: exit_code(validity, &slos, Ending::default()),
        ended_early: None,
        partial: None,
        readings: &[],
        notes: &[],
    })
}

mod contract {
    use super::*;
    use crate::{measure::SampleResult, report::json};

    /// A quiet run with a class and a request that nobody declared.
    fn quiet() -> Summary {
        let mut run = Synthetic::new();
        for _ in 0..20 {
            run.spread(0, "item", 100, 1, 9);
            run.request(0, 0, "item", "hit", SampleResult::Ok, 1_000_000);
            run.request(0, 1, "/made/up", "", SampleResult::FailedStatus, 2_000_000);
            run.tick();
        }
        let plan = plan(&["item"], vec![sustained(102)], vec![slo("fast", None, &[("p95", "< 10ms")])]);
        summary(&run, &plan, &[Some(2_040)])
    }

    #[test]
    fn the_core_of_the_json_has_its_names() {
        let value: serde_json::Value = serde_json::from_str(&json(&quiet())).expect("JSON");
        for path in [
            "/verdict",
            "/evidence",
            "/exit_code",
            "/seed",
            "/plan_hash",
            "/slos/0/name",
            "/slos/0/verdict",
            "/slos/0/target",
            "/slos/0/actual",
            "/slos/0/low",
            "/slos/0/high",
            "/slos/0/needed",
            "/phases/0/name",
            "/phases/0/load",
            "/phases/0/warmup",
            "/phases/0/start_s",
            "/phases/0/duration_s",
            "/phases/0/offered",
            "/phases/0/ok",
            "/phases/0/errors",
            "/phases/0/timeouts",
            "/phases/0/expired",
            "/phases/0/dropped",
            "/phases/0/interrupted",
            "/phases/0/rate_asked",
            "/phases/0/rate_achieved",
            "/phases/0/lateness_us/p99",
            "/phases/0/requests/0/name",
            "/phases/0/requests/0/class",
            "/phases/0/requests/0/offered",
            "/phases/0/requests/0/ok",
            "/phases/0/requests/0/errors",
            "/phases/0/requests/0/status/200",
            "/phases/0/requests/0/response_us/count",
            "/phases/0/requests/0/response_us/min",
            "/phases/0/requests/0/response_us/mean",
            "/phases/0/requests/0/response_us/p50",
            "/phases/0/requests/0/response_us/p75",
            "/phases/0/requests/0/response_us/p90",
            "/phases/0/requests/0/response_us/p95",
            "/phases/0/requests/0/response_us/p99",
            "/phases/0/requests/0/response_us/p99_9",
            "/phases/0/requests/0/response_us/max",
            "/phases/0/requests/0/response_us/withheld/p99_9",
            "/phases/0/requests/0/service_us/p50",
            "/phases/0/requests/0/ttfb_us/p50",
            "/phases/0/flows",
            "/phases/0/groups",
            "/phases/0/checks",
            "/custom",
        ] {
            assert!(value.pointer(path).is_some(), "{path}");
        }
        assert_eq!(value["verdict"], "VALID");
        assert_eq!(value["slos"][0]["verdict"], "pass");
        assert_eq!(value["phases"][0]["requests"][0]["response_us"]["p99_9"], serde_json::Value::Null);
        assert_eq!(value["targets"][0], "http://127.0.0.1:8080/", "without the password");
    }

    #[test]
    fn a_name_is_the_sum_of_its_classes_and_undeclared_ones_come_last() {
        let summary = quiet();
        let rows: Vec<_> =
            summary.phases[0].requests.iter().map(|r| (&*r.name, r.class.as_deref(), r.offered)).collect();
        assert_eq!(rows, [("item", None, 2_020), ("item", Some("hit"), 20), ("/made/up", None, 20)]);
        assert_eq!(summary.phases[0].requests[2].errors["failed_status"], 20);
        assert_eq!(summary.phases[0].errors, 20);
    }
}
