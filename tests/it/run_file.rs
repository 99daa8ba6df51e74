//! The run file: reports made again, runs that are killed, parts that are added up, disks that are full.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;

use crate::harness::{Ended, Program, TestLab, until};

/// Everything that a report may show, in a few seconds.
const EVERYTHING: &str = r#"//! A shop with everything
let shop = target(env("TARGET"));
let password = secret("PASSWORD", "correct-horse");
note("said by correct-horse");
fact("build", "7");
let traffic = mix([
    [3, get("/health").name("health").check("is fine", |res| res.status == 200)],
    [1, get("/lab/status/503").name("broken")],
    [1, get(`/lab/fixed?ms=${int(1, 4)}`).name("item").classify(|res| if res.size % 2 == 0 { "hit" } else { "miss" })],
    [1, flow("visit", |vu| { vu.get("/lab/echo?p=correct-horse"); count("visits", 1); gauge("level", 0.1 + vu.iteration); timing("wait", 3.ms); })],
    [1, flow("wrong", |vu| { let x = []; x[7]; })],
]);
phase("warm-up").run(traffic).users(2).iterations(40).warmup();
phase("sustained").run(traffic).rate(120.per_second).during(3.s).arrivals("poisson");
phase("burst").run(traffic).burst(20);
slo("fast", #{ phase: "sustained", request: "health", p95: "< 5s" });
slo("always fast", #{ p50: "< 1s", over: 1.s });
slo("no errors", #{ errors: "< 1%" });
"#;

fn folder() -> TempDir {
    TempDir::new().expect("a folder")
}

fn report(file: &Path, more: &[&str]) -> Ended {
    Program::new(["report".as_ref(), file.as_os_str()]).args(more).run()
}

fn summary(file: &Path) -> Value {
    let ended = report(file, &["--json"]);
    assert_eq!(ended.code, Some(0), "{ended}");
    serde_json::from_str(&ended.stdout).expect("JSON")
}

fn offered(summary: &Value) -> u64 {
    let phases = summary["phases"].as_array().expect("phases");
    phases.iter().map(|phase| phase["offered"].as_u64().expect("a count")).sum()
}

#[test]
fn the_report_of_the_file_is_what_the_run_printed() {
    let (lab, folder) = (TestLab::start(), folder());
    let (file, json) = (folder.path().join("run.loadr"), folder.path().join("run.json"));
    let ran = Program::new(["run", "mix.rhai", "--seed", "7", "--workers", "2", "--json"])
        .arg(&json)
        .arg("--results")
        .arg(&file)
        .arg("-e")
        .arg(format!("TARGET={}", lab.url()))
        .args(["-e", "PASSWRD=misspelt-secret"])
        .file("mix.rhai", EVERYTHING)
        .run();
    assert!(matches!(ran.code, Some(99 | 97)), "{ran}");
    let again = report(&file, &[]);
    assert_eq!((again.code, again.stderr.as_str()), (Some(0), ""), "{again}");
    assert_eq!(again.stdout, ran.stdout);
    let written = std::fs::read_to_string(&json).expect("the summary");
    assert_eq!(report(&file, &["--json"]).stdout, written);
    // And it says what it should: this is no comparison of nothing with nothing.
    assert!(offered(&summary(&file)) >= 40 + 300, "{written}");
    for part in ["always fast", "worst window", "is fine", "visits", "hit", "wrong", "503"] {
        assert!(written.contains(part), "{part}: {written}");
    }
    let bytes = std::fs::read(&file).expect("the run file");
    let text = std::io::read_to_string(flate2::read::MultiGzDecoder::new(bytes.as_slice())).expect("gzip");
    assert!(!text.contains("correct-horse") && !text.contains("misspelt-secret"), "a secret is in the run file");
    assert!(text.contains("said by ***") && text.contains("PASSWRD=***") && text.contains("\"seed\":7"), "{text}");
}

#[test]
fn a_killed_run_loses_at_most_its_last_seconds() {
    const RATE: usize = 100;
    let (lab, folder) = (TestLab::start(), folder());
    let file = folder.path().join("run.loadr");
    let script = "let shop = target(env(\"TARGET\"));\n\
                  phase(\"long\").run(get(\"/health\")).rate(100.per_second).during(10.min);";
    let running = Program::run_against(script, &lab.url()).arg("--results").arg(&file).start();
    until("seven seconds of requests", Duration::from_secs(60), || lab.seen() >= 7 * RATE);
    running.signal(Signal::KILL);
    let seen = lab.seen();
    assert_eq!(running.wait().code, None);
    let rebuilt = summary(&file);
    let offered = offered(&rebuilt) as usize;
    assert!(offered + 5 * RATE >= seen, "{offered} of {seen} are left");
    assert!(offered >= RATE && offered <= lab.seen() + RATE, "{offered} of {seen}");
    assert_eq!(rebuilt["exit_code"], 105);
    assert!(rebuilt["partial"].as_str().is_some_and(|why| why.contains("without the run's end")), "{rebuilt:#}");
    let shown = report(&file, &[]);
    assert!(shown.stdout.contains("partial: ") && shown.stderr.contains("is partial"), "{shown}");
    // A second that is cut in two costs that second alone.
    let whole = std::fs::read(&file).expect("the run file");
    std::fs::write(&file, &whole[..whole.len() - 30]).expect("room");
    let cut = self::offered(&summary(&file)) as usize;
    assert!(cut < offered && cut + 2 * RATE >= offered, "{cut} of {offered}");
}

#[test]
fn parts_are_added_up_and_strangers_refused() {
    let (lab, folder) = (TestLab::start(), folder());
    let script = "let shop = target(env(\"TARGET\"));\n\
                  phase(\"open\").run(get(\"/health\")).rate(101.per_second).during(2.s);";
    let part = |name: &str, segment: &str, seed: &str| {
        let file = folder.path().join(name);
        let program = Program::run_against(script, &lab.url()).args(["--segment", segment, "--seed", seed]);
        program.arg("--results").arg(&file).run().expect(0);
        file
    };
    let (first, second) = (part("1.loadr", "1/2", "7"), part("2.loadr", "2/2", "7"));
    let stranger = part("3.loadr", "2/2", "8");
    let merge = |out: &Path, files: &[&PathBuf]| Program::new(["merge".as_ref(), out.as_os_str()]).args(files).run();
    let out = folder.path().join("all.loadr");
    let merged = merge(&out, &[&first, &second]);
    assert_eq!(merged.code, Some(0), "{merged}");
    let (a, b, all) = (summary(&first), summary(&second), summary(&out));
    assert_eq!((offered(&a), offered(&b), offered(&all)), (101, 101, 202));
    assert_eq!((all["phases"][0]["planned"].as_u64(), &all["partial"]), (Some(202), &Value::Null));
    let row = |of: &Value| of["phases"][0]["requests"][0]["response_us"].clone();
    assert_eq!(row(&all)["count"], 202);
    let least = [row(&a)["min"].as_u64(), row(&b)["min"].as_u64()].into_iter().min().expect("two");
    assert_eq!(row(&all)["min"].as_u64(), least);
    for (files, part) in [
        (vec![&first, &stranger], "another seed"),
        (vec![&first, &first], "the same part"),
        (vec![&out, &second], "the same part"),
    ] {
        let other = folder.path().join("other.loadr");
        let refused = merge(&other, &files);
        assert_eq!(refused.code, Some(1), "{refused}");
        assert!(refused.stderr.contains(part) && !other.exists(), "{refused}");
    }
    let refused = merge(&first, &[&second]);
    assert!(refused.code == Some(1) && refused.stderr.contains("exists already"), "{refused}");
}

const SHORT: &str = "let shop = target(env(\"TARGET\"));\nphase(\"p\").run(get(\"/health\")).users(2).iterations(200);";

#[test]
fn a_full_disk_ends_no_run() {
    let lab = TestLab::start();
    let ended = Program::run_against(SHORT, &lab.url()).args(["--quiet", "--results", "/dev/full"]).run();
    ended.expect(95);
    assert_eq!(lab.seen(), 200, "{ended}");
    assert_eq!(ended.figures().0["exit_code"], 95);
    assert!(ended.stderr.contains("failed to write the run file /dev/full"), "{ended}");
    assert!(ended.stdout.contains("VALID") || ended.stdout.contains("SUSPECT"), "{ended}");
    // What is worse comes first.
    let failing = format!("{SHORT}\nslo(\"impossible\", #{{ p50: \"< 1us\" }});");
    Program::run_against(&failing, &lab.url()).args(["--results", "/dev/full"]).run().expect(99);
}

#[test]
fn a_folder_that_takes_no_file_ends_no_run() {
    let (lab, folder) = (TestLab::start(), folder());
    let script = folder.path().join("short.rhai");
    std::fs::write(&script, SHORT).expect("room");
    // A folder that is gone takes no file, from root neither.
    let gone = folder.path().join("gone");
    std::fs::create_dir(&gone).expect("a folder");
    let output = Command::new("sh")
        .args(["-c", "rmdir \"$PWD\" && exec \"$0\" run \"$1\" -e TARGET=\"$2\""])
        .arg(env!("CARGO_BIN_EXE_loadr"))
        .arg(&script)
        .arg(lab.url())
        .current_dir(&gone)
        .output()
        .expect("a shell");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(matches!(output.status.code(), Some(95 | 97)), "{stderr}");
    assert_eq!(lab.seen(), 200);
    assert!(stderr.contains("failed to write the run file short-"), "{stderr}");
}

#[test]
fn a_run_names_its_file_unless_told_otherwise() {
    let (lab, folder) = (TestLab::start(), folder());
    let run = |more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_loadr"));
        command.args(["run", "shop test.rhai", "-e"]).arg(format!("TARGET={}", lab.url())).args(more);
        command.current_dir(folder.path()).output().expect("it starts")
    };
    std::fs::write(folder.path().join("shop test.rhai"), SHORT).expect("room");
    let files = || {
        let entries = std::fs::read_dir(folder.path()).expect("a folder").map(|entry| entry.expect("an entry"));
        let names = entries.map(|entry| entry.file_name().into_string().expect("UTF-8"));
        names.filter(|name| name.ends_with(".loadr")).collect::<Vec<_>>()
    };
    run(&["--no-results"]);
    assert_eq!(files(), Vec::<String>::new());
    let output = run(&[]);
    let names = files();
    assert!(names.len() == 1 && names[0].starts_with("shop-test-20") && names[0].ends_with("Z.loadr"), "{names:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains(&format!("the run is in {}", names[0])));
    run(&[]);
    assert_eq!(files().len(), 2, "no run overwrites another's file");
    let refused = Program::run_against(SHORT, &lab.url()).args(["--results", "no/such/folder/x.loadr"]).run();
    assert_eq!(refused.code, Some(1), "{refused}");
    assert!(refused.stderr.contains("nothing was sent"), "{refused}");
    assert_eq!(lab.seen(), 600);
}

#[test]
fn what_is_no_run_file_is_refused() {
    let folder = folder();
    for (name, content, part) in [
        ("text.loadr", &b"hello"[..], "it is no run file"),
        ("empty.loadr", b"", "it is empty"),
        ("gzip.gz", &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0], "it is no run file"),
    ] {
        let file = folder.path().join(name);
        std::fs::write(&file, content).expect("room");
        let ended = report(&file, &[]);
        assert_eq!(ended.code, Some(1), "{ended}");
        assert!(ended.stderr.contains(part) && ended.stderr.contains(name), "{ended}");
    }
    let missing = report(Path::new("missing.loadr"), &[]);
    assert!(missing.code == Some(1) && missing.stderr.contains("missing.loadr: No such file"), "{missing}");
}

/// Reads a log with HdrHistogram's own library for Python, and prints for each tag how many lines it has, how many
/// values, and their median and maximum.
const READ_LOG: &str = r"
import collections, sys
from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogReader
reader = HistogramLogReader(sys.argv[1], HdrHistogram(1, 3_600_000_000, 3))
sums, lines = {}, collections.Counter()
while (part := reader.get_next_interval_histogram()) is not None:
    lines[part.get_tag()] += 1
    sums.setdefault(part.get_tag(), HdrHistogram(1, 3_600_000_000, 3)).add(part)
for tag, all in sums.items():
    print(tag, lines[tag], all.get_total_count(), all.get_value_at_percentile(50), all.get_max_value())
";

#[test]
fn logs_are_read_by_hdrhistograms_own_library() {
    let python = Path::new(env!("CARGO_BIN_EXE_loadr")).with_file_name("../python/bin/python3");
    assert!(python.exists(), "{} is missing: tests/run makes it", python.display());
    let (lab, folder) = (TestLab::start(), folder());
    let file = folder.path().join("run.loadr");
    let script = "let shop = target(env(\"TARGET\"));\n\
                  phase(\"a b\").run(get(\"/lab/fixed?ms=5\").name(\"five, ms\")).rate(100.per_second).during(2.s);";
    let ran = Program::run_against(script, &lab.url()).arg("--results").arg(&file).run();
    ran.expect(0);
    let logs = folder.path().join("logs");
    let ended = report(&file, &["--hlog", logs.to_str().expect("UTF-8")]);
    assert_eq!(ended.code, Some(0), "{ended}");
    let read = Command::new(python).args(["-c", READ_LOG]).arg(logs.join("1-a-b.hlog")).output().expect("python");
    assert!(read.status.success(), "{}", String::from_utf8_lossy(&read.stderr));
    let text = String::from_utf8(read.stdout).expect("UTF-8");
    let of_tag = |tag: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(tag)).unwrap_or_else(|| panic!("no {tag}: {text}"));
        line.split_whitespace().map(|word| word.parse::<f64>().expect("a number")).collect::<Vec<_>>()
    };
    let row = &ran.figures().0["phases"][0]["requests"][0];
    for (tag, what) in [("response", "response_us"), ("service", "service_us"), ("ttfb", "ttfb_us")] {
        let [lines, count, p50, max] = of_tag(&format!("request:five__ms:{tag} "))[..] else { panic!("{text}") };
        assert!(lines >= 2.0 && count == 200.0, "{text}");
        let expected = row[what]["p50"].as_f64().expect("a median");
        // The library's median of an even number may be one rank away.
        assert!((p50 - expected).abs() <= expected * 0.01 + 1.0, "{p50} for {expected}");
        let expected = row[what]["max"].as_f64().expect("a maximum");
        assert!((max - expected).abs() <= expected * 0.001 + 1.0, "{max} for {expected}");
    }
}

/// A file that the first version of the format was written with: it stays readable.
#[test]
fn files_of_version_1_stay_readable() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/version-1.run");
    let summary = summary(&file);
    assert_eq!((&summary["partial"], &summary["title"]), (&Value::Null, &Value::from("A small shop, for the format")));
    assert_eq!((offered(&summary), summary["slos"].as_array().map(Vec::len)), (60 + 96, Some(2)));
    let row = &summary["phases"][1]["requests"][0]["response_us"];
    assert!(row["p50"].as_u64() >= row["min"].as_u64() && row["p50"].is_u64(), "{summary:#}");
}

#[test]
fn tags_are_in_the_file_and_in_every_report() {
    let lab = TestLab::start();
    let script = "target(env(\"TARGET\")); phase(\"main\").run(get(\"/health\")).iterations(3);";
    let program = Program::run_against(script, &lab.url());
    let program = program.args(["--tag", "commit=1a2b3c", "--tag", "ci.job=17 <b>", "--results", "run.loadr"]);
    let ended =
        program.args(["--html", "report.html", "--markdown", "report.md", "-o", "prometheus=metrics.txt"]).run();
    ended.expect(0);
    assert!(ended.stdout.contains("tags ci.job=17 <b> · commit=1a2b3c"), "{ended}");
    let tags = &ended.figures().0["tags"];
    assert_eq!((&tags["commit"], &tags["ci.job"]), (&"1a2b3c".into(), &"17 <b>".into()), "{ended}");
    let html = ended.read("report.html");
    assert!(html.contains("commit=1a2b3c") && !html.contains("17 <b>"), "{html}");
    assert!(ended.read("report.md").contains("commit=1a2b3c"), "{ended}");
    let metrics = ended.read("metrics.txt");
    assert!(metrics.contains("loadr_tags_info{tag_ci_job=\"17 <b>\",tag_commit=\"1a2b3c\"} 1"), "{metrics}");
    // The report of the file has them, too.
    let again = Program::new(["report"]).arg(ended.folder().join("run.loadr")).run();
    assert_eq!(again.stdout, ended.stdout);
}

#[test]
fn a_tag_of_a_bad_form_is_a_bad_call() {
    for (tag, said) in [("commit", "write KEY=VALUE"), ("a b=c", "`a b` is no key"), ("a=", "the value of `a`")] {
        let ended = Program::new(["run", "s.rhai", "--tag", tag]).file("s.rhai", "").run();
        assert_eq!((ended.code, &*ended.stdout), (Some(2), ""), "{ended}");
        assert!(ended.stderr.contains(said), "{tag}: {ended}");
    }
}
