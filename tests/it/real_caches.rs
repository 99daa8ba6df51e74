//! Example scripts on caches that others wrote: what is classified against what each cache counts itself.

use std::{path::Path, process::Command, time::Duration};

use loadr::lab::LabOptions;

use crate::harness::{Ended, Program, System, TestLab, until};

/// What one run takes here.
const LENGTH: &str = "LENGTH=2s";

/// An origin that takes its time.
fn origin() -> TestLab {
    TestLab::with(LabOptions { origin_delay: Duration::from_millis(20), ..LabOptions::default() })
}

/// Runs an example on a system as `tests/systems/start` describes it.
fn run(name: &str, system: &System, variables: &[&str]) -> Ended {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("scripts/{name}.rhai"));
    let program = Program::new(["run", "--json", "summary.json", "--workers", "1", "--seed", "7"]).arg(script);
    let values = system.values().chain(variables.iter().map(|it| (*it).to_owned()));
    let ended = values.fold(program, |program, value| program.arg("-e").arg(value)).run();
    // How fast it was is the machine's business.
    assert!(matches!(ended.code, Some(0 | 97 | 99)), "{ended}");
    ended
}

/// Hits and misses of all look-ups that the run classified, and how many it could not.
fn classified(ended: &Ended) -> (u64, u64) {
    let (mut hits, mut misses) = (0, 0);
    for phase in ended.figures().phases() {
        for row in phase.0["requests"].as_array().expect("rows").iter().filter(|row| !row["cache"].is_null()) {
            let count = |class: &str| row["cache"][class].as_u64().expect("a count");
            hits += count("hits");
            misses += count("misses");
            assert_eq!(count("unknown"), 0, "{ended}");
        }
    }
    (hits, misses)
}

/// The section of the experiment holds what its phases are there for.
fn assert_experiment_is_sane(ended: &Ended) {
    let found = &ended.figures().0["experiments"][0];
    assert_eq!(found["blocks"], 20, "{ended}");
    // The origin takes 20 ms, a hit takes less than one.
    assert!(found["speedup"][0]["ratio_low"].as_f64() > Some(1.0), "{ended}");
    let warnings = found["warnings"].as_array().expect("warnings");
    assert!(warnings.iter().all(|it| !it.to_string().contains("left out")), "{ended}");
    // Both caches let one of twenty requests at once through.
    let stampede = ended.figures().phase("pages/stampede").row("pages stampede");
    assert_eq!((stampede.count("offered"), stampede.0["cache"]["misses"].as_u64()), (200, Some(10)), "{ended}");
}

#[test]
fn nginx_counts_as_many_hits_as_are_classified() {
    let lab = origin();
    let system = System::start_with("nginx_cache", &[("ORIGIN", &lab.url())]);
    let ended = run("nginx-cache", &system, &[LENGTH]);
    let (hits, misses) = classified(&ended);
    let logged = || {
        let log = std::fs::read_to_string(system.value("LOG")).expect("its log");
        let of = |word: &str| log.lines().filter(|line| *line == word).count() as u64;
        (of("HIT"), of("MISS"))
    };
    // A line is written when a request has ended, which the client may know a moment earlier.
    until("nginx to log all", Duration::from_secs(10), || logged().0 + logged().1 >= hits + misses);
    assert_eq!((hits, misses), logged(), "{ended}");
    assert_eq!(misses, lab.seen() as u64, "the origin saw each miss, and nothing else; {ended}");
    assert_experiment_is_sane(&ended);
}

/// Counters of Varnish, by name.
fn varnishstat(system: &System, names: &[&str]) -> Vec<u64> {
    let output =
        Command::new("varnishstat").args(["-1", "-n", system.value("VARNISH")]).output().expect("it is installed");
    let text = String::from_utf8(output.stdout).expect("text");
    let of = |name: &&str| {
        let line = text.lines().find(|line| line.split_whitespace().next() == Some(*name));
        let count = line.and_then(|line| line.split_whitespace().nth(1)).and_then(|count| count.parse().ok());
        count.unwrap_or_else(|| panic!("no {name} in {text}"))
    };
    names.iter().map(of).collect()
}

#[test]
fn varnish_counts_as_many_hits_as_are_classified() {
    let lab = origin();
    let system = System::start_with("varnish", &[("ORIGIN", &lab.url())]);
    let ended = run("varnish", &system, &[LENGTH]);
    let (hits, misses) = classified(&ended);
    let counted = || varnishstat(&system, &["MAIN.cache_hit", "MAIN.cache_miss"]);
    // Its threads add their own counts up when they have nothing else to do.
    until("varnish to count all", Duration::from_secs(10), || counted().iter().sum::<u64>() >= hits + misses);
    assert_eq!(counted(), [hits, misses], "{ended}");
    assert_eq!(misses, lab.seen() as u64, "the origin saw each miss, and nothing else; {ended}");
    assert_experiment_is_sane(&ended);
    // Single pages are purged, and those that empty it are bans.
    assert_eq!(varnishstat(&system, &["MAIN.n_purges"]), [20], "{ended}");
    for check in ["a page that was asked for is there", "a purged page is gone", "its neighbour stays"] {
        assert_eq!(ended.figures().phase("purge").check(check)["failed"], 0, "{ended}");
    }
}

#[test]
fn varnish_is_classified_without_a_header_of_its_own() {
    let lab = origin();
    let system = System::start_with("varnish", &[("ORIGIN", &lab.url())]);
    // What its built-in rules send: two numbers in X-Varnish, of this request and of the one that fetched.
    let script = r#"
        target(env("TARGET")).header("Without", "X-Cache");
        let items = zipf(200, 0.99);
        let page = get(`/api/items/${items}`).classify(cache_status());
        phase("pages").run(page).rate(200.per_second).during(2.s);
    "#;
    let ended = Program::run_against(script, system.value("TARGET")).run();
    let (hits, misses) = classified(&ended);
    let counted = || varnishstat(&system, &["MAIN.cache_hit", "MAIN.cache_miss"]);
    until("varnish to count all", Duration::from_secs(10), || counted().iter().sum::<u64>() >= hits + misses);
    assert_eq!(counted(), [hits, misses], "{ended}");
}

#[test]
fn their_examples_run_on_the_lab_too() {
    let lab = origin();
    for name in ["varnish", "nginx-cache"] {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("scripts/{name}.rhai"));
        let program = Program::new(["run", "--json", "summary.json", "--workers", "1"]).arg(script);
        let ended = program.arg("-e").arg(format!("TARGET={}", lab.url())).arg("-e").arg("LENGTH=1s").run();
        assert!(matches!(ended.code, Some(0 | 97 | 99)), "{ended}");
        for phase in ended.figures().phases() {
            assert_eq!(phase.count("offered"), phase.count("ok"), "{ended}");
        }
    }
}
