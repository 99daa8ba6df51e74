//! Goals, skips and scores: what they make of a plan.

use super::loaded;
use crate::judge::NotDoneKind::{Category, Experiment, Phase, Slo};

const SHOP: &str = "let shop = target(\"http://h\"); let item = get(\"/i\").name(\"item\");\n\
    phase(\"main\").run(item).users(1).during(1.s);\n";

#[test]
fn what_stands_on_a_skipped_phase_is_skipped_with_it() {
    let text = format!(
        "{SHOP}phase(\"level\").run(item).repeat([1, 2], |p, n| p.users(n).during(1.s));\n\
         phase(\"beside\").run(item).users(1).during(1.s).alongside(\"level/1\");\n\
         phase(\"after\").run(item).users(1).during(1.s).if_completed(\"beside\");\n\
         slo(\"levels\", #{{ phase: \"level\", p95: \"< 1s\" }}); slo(\"one\", #{{ phase: \"level/2\", p95: \"< 1s\" }});\n\
         slo(\"all\", #{{ errors: \"< 1%\" }}); slo(\"named\", #{{ p50: \"< 1s\" }});\n\
         goal(\"g\", #{{ target: \"< 1s\", phase: \"after\" }}); goal(\"h\", #{{ target: \"< 1s\", phase: \"main\" }});\n\
         skip(\"level\", \"no time\"); skip(\"named\", \"no need\"); skip(\"audit\", \"by hand\");"
    );
    loaded(&text, |loaded| {
        let plan = &loaded.plan;
        assert_eq!(plan.phases.iter().map(|phase| phase.name.as_str()).collect::<Vec<_>>(), ["main"]);
        assert_eq!(plan.slos.iter().map(|slo| slo.name.as_str()).collect::<Vec<_>>(), ["all"]);
        assert_eq!(plan.slo_places.len(), 1);
        let left: Vec<_> = plan.skipped.iter().map(|left| (left.kind, left.name.as_str())).collect();
        let phases = ["level/1", "level/2", "beside", "after"].map(|name| (Phase, name));
        let rest = [(Slo, "levels"), (Slo, "one"), (Slo, "named"), (Category, "audit")];
        assert_eq!(left, phases.into_iter().chain(rest).collect::<Vec<_>>());
        assert_eq!(plan.skipped[3].reason.matches("no time").count(), 1, "{:?}", plan.skipped[3]);
        assert!(plan.goals[0].skipped.is_some() && plan.goals[1].skipped.is_none(), "{:?}", plan.goals);
    });
}

#[test]
fn an_experiment_loses_its_skipped_parts_and_goes_with_the_last() {
    let parts = "phase(\"it/cold\").run(item).users(1).during(1.s); phase(\"it/steady\").run(item).users(1).during(1.s);\n\
        cache_experiment(\"it\", #{ request: \"item\", cold: \"it/cold\", steady: \"it/steady\" });\n";
    loaded(&format!("{SHOP}{parts}skip(\"it/cold\", \"no time\");"), |loaded| {
        let left = &loaded.plan.experiments[0];
        assert_eq!((&left.cold, left.steady.as_deref()), (&None, Some("it/steady")));
    });
    let slo = "slo(\"pays\", #{ experiment: \"it\", hit_ratio: \"> 80%\" });";
    loaded(&format!("{SHOP}{parts}{slo}skip(\"it\", \"no cache\");"), |loaded| {
        assert!(loaded.plan.experiments.is_empty() && loaded.plan.slos.is_empty());
        let left: Vec<_> = loaded.plan.skipped.iter().map(|left| (left.kind, left.name.as_str())).collect();
        assert_eq!(left, [(Phase, "it/cold"), (Phase, "it/steady"), (Slo, "pays"), (Experiment, "it")]);
    });
}

#[test]
fn a_goal_is_measured_where_it_selects_or_names_a_figure() {
    let text = format!(
        "{SHOP}goal(\"a\", #{{ before: 15.s, target: \"< 10s\" }});\n\
         goal(\"b\", #{{ before: \"15 users\", target: \"15+ users\" }});\n\
         goal(\"c\", #{{ target: \"< 10s\", request: \"item\" }});\n\
         goal(\"d\", #{{ target: \"> 80%\", figure: \"ok\" }}); goal(\"e\", #{{ p99: \"< 1s\" }});"
    );
    loaded(&text, |loaded| {
        let goals = &loaded.plan.goals;
        let quantity = |at: usize| goals[at].measure.as_ref().map(|slo| slo.conditions[0].quantity.to_string());
        let quantities: Vec<_> = (0..5).map(quantity).collect();
        let expected = [None, None, Some("p95"), Some("ok"), Some("p99")].map(|word| word.map(ToOwned::to_owned));
        assert_eq!(quantities, expected);
        assert_eq!((goals[0].before.as_deref(), goals[4].target.as_str()), (Some("15s"), "p99 < 1s"));
    });
}

#[test]
fn neither_goals_nor_scores_change_the_traffic() {
    let hash = |lines: &str| loaded(&format!("{SHOP}{lines}"), |loaded| loaded.plan.hash());
    assert_eq!(hash(""), hash("goal(\"a\", #{ target: \"x\" }); score(10).deduct(1, \"x\"); skip(\"audit\", \"x\");"));
}
