//! Scripts of which a part is done.

use std::time::Duration;

use super::{super::*, load_source};
use crate::plan::{Load, Slice};

#[test]
fn a_slice_of_a_plan_takes_a_part_of_the_time_and_keeps_rates_and_users() {
    let script = "target(\"http://127.0.0.1:1\"); let r = get(\"/\");\n\
        phase(\"warm\").run(r).users(2).during(6.s).warmup();\n\
        phase(\"open\").run(r).rate(100.per_second).during(60.s);\n\
        phase(\"ramp\").run(r).users(1, 50).during(30.s);\n\
        phase(\"count\").run(r).iterations(95).users(5);\n\
        phase(\"burst\").run(r).burst(50).every(1.s).times(20);\n\
        slo(\"fast\", #{ p95: \"< 1s\" });";
    let options = LoadOptions { slice: Some(Slice { of: 10, warmup_of: 3 }), ..LoadOptions::default() };
    let plan = load_source("a.rhai", script, &options).expect("it is right").plan;
    let s = Duration::from_secs;
    let [warm, open, ramp, count, burst] = &plan.phases[..] else { panic!("{:?}", plan.phases) };
    assert_eq!((warm.duration, open.duration, ramp.duration), (Some(s(2)), Some(s(6)), Some(s(3))));
    assert_eq!(ramp.load, Load::Users(vec![(s(0), 1), (s(3), 50)]));
    assert_eq!(count.load, Load::Iterations { count: 10, users: 5 });
    assert_eq!(burst.load, Load::Burst { count: 50, every: s(1), times: 2 });
    assert!(plan.slos.is_empty() && plan.slo_places.is_empty());
}
