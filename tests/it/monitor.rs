//! What is looked at beside the traffic: a process, a number in a response, and memory that grows or does not. A busy
//! machine may make a run INVALID (97): what is judged here is what was watched.

use crate::harness::{Ended, LabChild, Program, TestLab};

fn run(lab: &LabChild, rest: &str) -> Ended {
    let script = format!("let shop = target(env(\"TARGET\"));\n{rest}");
    Program::run_against(&script, &lab.url).arg("-e").arg(format!("PID={}", lab.pid())).run()
}

#[test]
fn a_process_is_watched_phase_by_phase_and_so_is_a_number_of_its_own() {
    let lab = LabChild::start();
    let ended = run(
        &lab,
        "phase(\"idle\").run(get(\"/health\")).rate(2.per_second).during(1.s);\n\
         phase(\"busy\").run(get(\"/health\")).rate(300.per_second).during(2.s);\n\
         monitor(\"lab\", pid(env(\"PID\")), #{ every: 100.ms });\n\
         probe(\"seen\", get(\"/lab/stats\"), \"$.requests\", 100.ms);\n\
         slo(\"small\", #{ monitor: \"lab\", rss: \"< 2GB\", cpu_peak: \"< 1000%\", cpu_per_request: \"< 1s\" });\n\
         slo(\"counted\", #{ monitor: \"seen\", phase: \"busy\", last: \"> 100\", peak: \"< 1000000\" });\n\
         slo(\"tiny\", #{ monitor: \"lab\", rss_peak: \"< 1kB\" });",
    );
    assert!(matches!(ended.code, Some(97 | 99)), "{ended}");
    let figures = ended.figures();
    figures.assert_consistent();
    for (name, verdict) in [("small", "pass"), ("counted", "pass"), ("tiny", "fail")] {
        assert_eq!(figures.slo(name)["verdict"], verdict, "{name} {ended}");
    }
    let watched = figures.0["watched"].as_array().expect("what was watched");
    assert_eq!(watched.len(), 2);
    let metric = |watch: usize, phase: usize, name: &str| {
        let metrics = watched[watch]["phases"][phase]["metrics"].as_array().expect("metrics");
        metrics.iter().find(|metric| metric["metric"] == name).unwrap_or_else(|| panic!("no {name}: {ended}")).clone()
    };
    assert!(metric(0, 1, "cpu")["per_request"].as_f64().is_some_and(|us| us > 0.0), "{ended}");
    assert!(metric(0, 1, "threads")["avg"].as_f64().is_some_and(|n| n >= 1.0), "{ended}");
    assert!(metric(0, 1, "rss")["samples"].as_u64().is_some_and(|n| n >= 5), "{ended}");
    assert!(metric(1, 1, "value")["last"].as_f64() > metric(1, 0, "value")["last"].as_f64(), "{ended}");
    // The looks are no traffic.
    assert_eq!(figures.phase("busy").requests() + figures.phase("idle").requests(), 602);
    for part in ["monitor lab", "probe seen", "peaks are lower bounds"] {
        assert!(ended.stdout.contains(part), "{part}: {ended}");
    }
}

#[test]
fn the_run_file_has_what_was_watched() {
    let lab = LabChild::start();
    let script = "let shop = target(env(\"TARGET\"));\n\
        phase(\"main\").run(get(\"/health\")).rate(50.per_second).during(2.s);\n\
        monitor(\"lab\", pid(env(\"PID\")), #{ every: 100.ms });";
    let program = Program::run_against(script, &lab.url).args(["-e", &format!("PID={}", lab.pid())]);
    let ended = program.args(["--results", "run.loadr", "--html", "page.html"]).run();
    assert!(matches!(ended.code, Some(0 | 97)), "{ended}");
    assert!(ended.read("page.html").contains("rss over the run"));
    let file = ended.folder().join("run.loadr");
    let again = Program::new(["report", "--json"]).arg(&file).run();
    let again: serde_json::Value = serde_json::from_str(&again.stdout).expect("JSON");
    assert_eq!(again["watched"], ended.figures().0["watched"]);
}

#[test]
fn a_leak_of_20_kb_a_request_is_found_and_measured() {
    // Linux gives memory in huge pages, where it may: resident memory grows by 2 MiB at a time, and the half that is
    // judged has to hold many such steps. Here it grows by 30 MB.
    let lab = LabChild::start();
    let ended = run(
        &lab,
        "phase(\"main\").run(get(\"/lab/leak?bytes=20000\").name(\"leak\")).rate(500.per_second).during(6.s);\n\
         monitor(\"lab\", pid(env(\"PID\")), #{ every: 50.ms });\n\
         leak_check(\"lab\", #{ max_slope: \"2kB/request\" });",
    );
    assert!(matches!(ended.code, Some(97 | 99)), "{ended}");
    let leak = &ended.figures().0["watched"][0]["leak"];
    assert_eq!(leak["word"], "LEAK", "{ended}");
    let slope = leak["slope"].as_f64().expect("a slope");
    assert!((18_000.0..=22_000.0).contains(&slope), "{slope} bytes a request: {ended}");
    assert_eq!(ended.figures().slo("no leak in lab")["verdict"], "fail");
}

#[test]
fn memory_that_stays_where_it_is_is_stable() {
    let lab = LabChild::start();
    let ended = run(
        &lab,
        "phase(\"fill\").run(get(\"/lab/leak?bytes=20000\").name(\"fill\")).users(4).think(5.ms).during(2.s);\n\
         phase(\"main\").run(get(\"/health\")).users(4).think(5.ms).during(5.s);\n\
         monitor(\"lab\", pid(env(\"PID\")), #{ every: 50.ms });\n\
         leak_check(\"lab\", #{ max_slope: \"5kB/request\" });",
    );
    assert!(matches!(ended.code, Some(0 | 97)), "{ended}");
    let leak = &ended.figures().0["watched"][0]["leak"];
    assert_eq!(leak["word"], "STABLE", "{ended}");
    // A lab on a busy machine may take a little more memory as late as in the middle, and then no request is told.
    let filled = ended.figures().phase("fill").requests();
    assert!(leak["stable_from_request"].as_u64().is_none_or(|n| n > filled / 2), "of {filled} {ended}");
    assert_eq!(ended.figures().slo("no leak in lab")["verdict"], "pass");
    let said = ended.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains("smallest leak this run could have seen"), "{ended}");
}

#[test]
fn what_cannot_be_watched_is_told_before_anything_is_sent() {
    let lab = TestLab::start();
    for (line, why) in [
        ("monitor(\"x\", pid(2147483646));", "no such process"),
        ("monitor(\"x\", process_name(\"no-such-program-anywhere\"));", "no process is named"),
        ("monitor(\"x\", cgroup(\"no/such/group\"));", "no control group"),
    ] {
        let script = format!(
            "let shop = target(env(\"TARGET\"));\nphase(\"main\").run(get(\"/health\")).iterations(5);\n{line}"
        );
        let ended = Program::run_against(&script, &lab.url()).run();
        assert_eq!(ended.code, Some(1), "{line} {ended}");
        assert!(ended.stderr.contains(why) && ended.stderr.contains("watch"), "{line} {ended}");
    }
    assert_eq!(lab.seen(), 0);
}

#[test]
fn looks_that_fail_are_counted_and_told() {
    let lab = LabChild::start();
    let ended = run(
        &lab,
        "phase(\"main\").run(get(\"/health\")).rate(20.per_second).during(1.s);\n\
         probe(\"none\", get(\"/health\"), \"$.pool.in_use\", 100.ms);\n\
         slo(\"few\", #{ monitor: \"none\", peak: \"< 5\" });",
    );
    assert!(matches!(ended.code, Some(97 | 99)), "{ended}");
    let why = ended.figures().slo("few")["why"].as_str().expect("why").to_owned();
    assert!(why.contains("no samples"), "{ended}");
    assert!(ended.figures().0["notes"].to_string().contains("beside the traffic failed"), "{ended}");
}
