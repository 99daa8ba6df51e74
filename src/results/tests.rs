//! Whole files: what was written is read, whatever is left of it.

use std::{io::Cursor, sync::OnceLock};

use flate2::read::MultiGzDecoder;
use proptest::prelude::*;

use super::*;
use crate::{
    clock::SECOND,
    measure::{Gauges, Level, SampleResult, SeriesFigures, SeriesKey, Totals, synthetic::Synthetic},
    protocol::{CipherSuite, ErrorKind, Negotiated, Security, Stamps, TlsVersion},
};

fn manifest(segment: (u64, u64)) -> Manifest {
    Manifest {
        format: FORMAT.into(),
        version: VERSION,
        loadr: "0.1.0".into(),
        name: "mix".into(),
        plan_hash: "abc".into(),
        seed: 7,
        segments: vec![segment],
        workers: 2,
        outline: serde_json::json!({"title": "a shop"}),
        ..Manifest::default()
    }
}

/// Three seconds of a phase with everything in it, shifted so that parts differ.
fn run(shift: u64) -> Totals {
    let mut run = Synthetic::new();
    for second in 0..3 {
        let ms = 1_000_000 * (1 + second + shift);
        for k in 0..20 {
            run.request(
                0,
                (k % 2) as usize,
                "item",
                if k % 3 == 0 { "hit" } else { "" },
                SampleResult::Ok,
                ms + k * 37_000,
            );
        }
        run.request(0, 0, "item", "", SampleResult::FailedStatus, ms);
        run.request(0, 0, "item", "", SampleResult::Error(ErrorKind::Timeout), 30 * SECOND);
        run.request(0, 0, "slow", "", SampleResult::Expired, 5 * SECOND);
        let item = run.recorder.name(crate::measure::Kind::Request, "item");
        run.recorder.error_example(0, item, ErrorKind::Timeout, "no answer within hunter2");
        let wire = format!("POST /a?{second} HTTP/1.1\r\nhost: a\r\nx: y\r\n\r\n{{\"a\": 1}}");
        let mut recorder = std::mem::take(&mut run.recorder);
        run.witness(&wire, 404, "not\nfound", |witness| {
            recorder.check(0, "has id", second != 1, Some(witness));
            recorder.script_error(0, "mix.rhai:3:1", "oops", Some(witness));
            recorder.failure(0, "sold out", Some(witness));
        });
        run.recorder = recorder;
        run.kept(0, "item", &wire, SampleResult::Ok, ms * 50, "\u{1b}fine");
        run.kept(0, "item", &wire, SampleResult::FailedStatus, ms, "");
        run.recorder.count(0, "orders", 3 + shift);
        run.recorder.gauge(0, "stock", 0.1 + second as f64, second * SECOND + shift);
        run.recorder.timing(0, "render", ms);
        run.recorder.load(0, 3 + shift, 2, second);
        run.recorder.reused(1, Negotiated::default());
        let security = Security { version: TlsVersion::Tls13, cipher: CipherSuite(0x1302), resumed: true };
        let stamps = Stamps { start: 5, connected: Some(70_000), secured: Some(900_000), ..Stamps::default() };
        run.recorder.opened(1, &stamps, Negotiated { security: Some(security), ..Negotiated::default() });
        run.tick();
    }
    run.totals
}

fn rewrite(text: &str) -> String {
    text.replace("hunter2", "***")
}

/// The file of a run, and where each of its members ends.
fn file(totals: &Totals, segment: (u64, u64), end: Option<&End>) -> (Vec<u8>, Vec<usize>) {
    let mut ends = Vec::new();
    let mut writer = Writer::start(Vec::new(), &manifest(segment)).expect("memory");
    for second in 0..3 {
        ends.push(writer.get_ref().len());
        for (phase, figures, peak) in totals.second(second) {
            writer.second(second, phase, figures, peak, &rewrite).expect("memory");
        }
        let active = vec![Active { phase: 0, start: 20_000_000 }];
        writer.tick(&Tick { second, active, clock_gaps: second, ..Tick::default() }, &[]).expect("memory");
    }
    ends.push(writer.get_ref().len());
    let timing = Timing {
        phase: 0,
        start: 20_000_000,
        stopped: 2 * SECOND,
        drained: 2 * SECOND + 5,
        cpu_share: 0.5,
        script_share: 0.25,
    };
    if end.is_some() {
        writer.end(end, &[timing]).expect("memory");
        ends.push(writer.get_ref().len());
    }
    (writer.get_ref().clone(), ends)
}

fn load(bytes: &[u8]) -> Result<Loaded, ReadError> {
    open(Cursor::new(bytes))?.load(60, |_, _| {})
}

/// Figures without what is cleared of secrets.
fn assert_same(read: &Totals, written: &Totals) {
    for (phase, figures) in written.phases() {
        let mut expected = figures.clone();
        for series in expected.series.values_mut() {
            for failure in series.failures.values_mut() {
                failure.examples.iter_mut().for_each(|text| *text = rewrite(text));
            }
        }
        assert_eq!(*read.figures(phase), expected);
        let (read, written): (Gauges, Gauges) = (read.gauges(phase), written.gauges(phase));
        assert_eq!((read.in_flight.peak, read.users.peak), (written.in_flight.peak, written.users.peak));
        let peak = |level: Level| level.peak;
        assert_eq!(peak(read.queued), peak(written.queued));
    }
    assert_eq!(read.phases().count(), written.phases().count());
    let item = |(key, _): &(&SeriesKey, &SeriesFigures)| &*key.name == "item" && key.class.is_none();
    let (_, item) = read.figures(0).series.iter().find(item).expect("a row");
    assert_eq!(
        (item.exemplars.slowest().len(), item.exemplars.failing().len()),
        (2, 1),
        "the third waits for take four"
    );
    assert!(read.figures(0).script_errors.examples().all(|example| example.is_some()));
    assert_eq!(read.figures(0).check_examples.len(), 1);
}

#[test]
fn what_was_written_is_read() {
    let totals = run(0);
    let end = End { cut: Some(Cut::Aborted("enough".into())), notes: vec!["n".into()], ..End::default() };
    let (bytes, _) = file(&totals, (0, 1), Some(&end));
    let mut seconds = Vec::new();
    let opened = open(Cursor::new(&bytes)).expect("a run file");
    assert_eq!(opened.manifest, manifest((0, 1)));
    let loaded =
        opened.load(60, |totals, tick| seconds.push((tick.second, totals.figures(0).offered))).expect("memory");
    assert_same(&loaded.totals, &totals);
    assert_eq!(seconds, [(0, 23), (1, 46), (2, 69)]);
    assert_eq!((loaded.end, loaded.partial), (Some(end), None));
    assert_eq!(loaded.timings[&0].stopped, 2 * SECOND);
    // Blocks of time and windows are those of the run, too.
    assert_eq!(loaded.totals.blocks(0, |_| true), totals.blocks(0, |_| true));
    assert_eq!(loaded.totals.window(0, 1, 2).offered, 23);
}

#[test]
fn it_is_lines_of_json_in_gzip_without_secrets() {
    let (bytes, _) = file(&run(0), (0, 1), Some(&End::default()));
    let text = std::io::read_to_string(MultiGzDecoder::new(bytes.as_slice())).expect("gzip");
    assert!(text.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok_and(|v| v.is_object())));
    assert!(text.contains("within ***") && !text.contains("hunter2"));
}

#[test]
fn every_prefix_gives_its_whole_seconds_or_a_clear_error() {
    let totals = run(0);
    let (bytes, ends) = file(&totals, (0, 1), Some(&End::default()));
    for length in 0..=bytes.len() {
        let whole = ends.iter().filter(|&&end| end <= length).count();
        match load(&bytes[..length]) {
            Ok(loaded) => {
                assert!(whole >= 1, "{length}");
                let seconds = (whole - 1).min(3) as u64;
                assert_eq!(loaded.totals.figures(0).offered, 23 * seconds, "{length}");
                assert_eq!(loaded.partial.is_none(), length == bytes.len(), "{length}");
                if seconds > 0 && whole < ends.len() {
                    assert_eq!(loaded.timings[&0].stopped, seconds * SECOND);
                    assert!(loaded.partial.is_some_and(|why| why.contains(&format!("after {seconds} s"))));
                }
            }
            Err(error) => {
                assert_eq!(whole, 0, "{length}: {error}");
                let told = error.to_string();
                assert!(told.contains(if length == 0 { "it is empty" } else { "cut off" }), "{told}");
            }
        }
    }
}

#[test]
fn a_damaged_second_is_left_out_and_told() {
    let (bytes, ends) = file(&run(0), (0, 1), Some(&End::default()));
    let mut damaged = bytes.clone();
    damaged[(ends[1] + ends[2]) / 2] ^= 0xff;
    let loaded = load(&damaged).expect("the rest");
    assert_eq!(loaded.totals.figures(0).offered, 46);
    assert_eq!(loaded.partial.as_deref(), Some("1 part of it is damaged and left out"));
    let mut headless = bytes;
    headless[ends[0] / 2] ^= 0xff;
    let error = load(&headless).expect_err("no manifest").to_string();
    assert!(error.contains("manifest is damaged"), "{error}");
}

#[test]
fn other_files_and_later_formats_are_refused() {
    for (bytes, part) in [
        (b"#!/bin/sh\n".to_vec(), "damaged"),
        (frame::member(b"{}\n").expect("small"), "no manifest"),
        (frame::member(b"hello").expect("small"), "not JSON"),
        (
            frame::member(br#"{"manifest":{"format":"loadr run","version":99,"loadr":"9.0"}}"#).expect("small"),
            "version 99",
        ),
    ] {
        let error = load(&bytes).expect_err(part).to_string();
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn parts_add_up_to_the_whole() {
    let (left, right) = (run(0), run(5));
    let end = End { planned: [(0, 10)].into(), clock_gap_max: 4, ..End::default() };
    let (a, _) = file(&left, (0, 2), Some(&end));
    let (b, _) = file(&right, (1, 2), Some(&End { clock_gap_max: 9, ..end.clone() }));
    let mut out = Vec::new();
    let parts = vec![open(Cursor::new(&a)).expect("a part"), open(Cursor::new(&b)).expect("a part")];
    merge(parts, &mut out).expect("two parts of one run");
    let merged = open(Cursor::new(&out)).expect("a run file");
    assert_eq!((merged.manifest.segments.clone(), merged.manifest.workers), (vec![(0, 2), (1, 2)], 4));
    let loaded = merged.load(60, |_, _| {}).expect("memory");
    let mut both = left.figures(0).clone();
    both.merge(right.figures(0));
    for series in both.series.values_mut() {
        series.failures.values_mut().for_each(|failure| failure.examples.clear());
    }
    let mut read = loaded.totals.figures(0).clone();
    for series in read.series.values_mut() {
        series.failures.values_mut().for_each(|failure| failure.examples.clear());
    }
    assert_eq!(read, both);
    assert_eq!(loaded.totals.gauges(0).in_flight.peak, 3 + 8);
    let ended = loaded.end.expect("both ended");
    assert_eq!((ended.planned[&0], ended.clock_gap_max), (20, 9));
    assert_eq!(loaded.partial, None);
}

#[test]
fn what_is_no_part_of_the_run_is_refused() {
    let totals = run(0);
    let (a, _) = file(&totals, (0, 2), Some(&End::default()));
    let opened = |bytes: &[u8]| open(Cursor::new(bytes.to_vec())).expect("a run file");
    let merged = |change: fn(&mut Manifest)| {
        let mut other = opened(&a);
        other.manifest.segments = vec![(1, 2)];
        change(&mut other.manifest);
        merge(vec![opened(&a), other], std::io::sink()).map_err(|error| error.to_string())
    };
    assert!(merged(|_| ()).is_ok());
    for (change, part) in [
        ((|m| m.seed = 8) as fn(&mut Manifest), "another seed"),
        (|m| m.plan_hash = "other".into(), "another plan"),
        (|m| m.segments = vec![(0, 2)], "another holds too"),
        (|m| m.segments = vec![(1, 3)], "number of parts"),
    ] {
        let error = merged(change).expect_err(part);
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn a_part_without_end_leaves_the_whole_partial() {
    let (a, _) = file(&run(0), (0, 2), Some(&End::default()));
    let (b, _) = file(&run(5), (1, 2), None);
    let mut out = Vec::new();
    merge(vec![open(Cursor::new(a)).expect("a"), open(Cursor::new(b)).expect("b")], &mut out).expect("parts");
    let loaded = load(&out).expect("a run file");
    assert_eq!(loaded.totals.figures(0).offered, 2 * 69);
    assert!(loaded.partial.is_some());
}

#[test]
fn logs_hold_a_line_for_each_second_and_row() {
    let (bytes, _) = file(&run(0), (0, 1), Some(&End::default()));
    let mut text = String::new();
    let opened = open(Cursor::new(bytes)).expect("a run file");
    logs(opened, |log: Log| {
        assert_eq!(log.phase, 0);
        text.push_str(&log.text);
        Ok::<_, ReadError>(())
    })
    .expect("memory");
    assert_eq!(text.lines().filter(|line| line.starts_with("Tag=request:item:hit:response,1.000,1.000,")).count(), 1);
    assert_eq!(text.matches("#[StartTime: ").count(), 1);
    assert!(text.contains("Tag=request:slow:expired,2.000,"));
}

/// A file that is written once: damage is done to copies.
fn written() -> &'static [u8] {
    static FILE: OnceLock<Vec<u8>> = OnceLock::new();
    FILE.get_or_init(|| file(&run(0), (0, 1), Some(&End::default())).0)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn no_damage_makes_it_panic(at in any::<prop::sample::Index>(), with in prop::collection::vec(any::<u8>(), 1..40), cut in any::<prop::sample::Index>()) {
        let mut damaged = written().to_vec();
        let at = at.index(damaged.len());
        for (byte, new) in damaged[at..].iter_mut().zip(with) {
            *byte = new;
        }
        damaged.truncate(cut.index(damaged.len()).max(at));
        if let Ok(loaded) = load(&damaged) {
            prop_assert!(loaded.totals.figures(0).offered <= 69);
        }
    }

    #[test]
    fn lines_that_lie_are_left_out(n in any::<u64>(), text in "\\PC{0,12}") {
        let lines = format!(
            "{{\"phase\":{{\"second\":{n},\"phase\":0,\"offered\":{n},\"deals\":[{n}],\"lateness\":{{\"count\":{n},\"min\":{n},\"max\":{n},\"sum\":{n},\"histogram\":{}}}}}}}\n{{\"tick\":{{\"second\":{n},\"active\":[{{\"phase\":9,\"start\":{n}}}],\"clock_gaps\":{n}}}}}\n",
            serde_json::json!(text),
        );
        let lying = [written(), &frame::member(lines.as_bytes()).expect("small")].concat();
        let loaded = load(&lying).expect("the rest");
        prop_assert_eq!(loaded.totals.figures(0).offered, 69);
        let twice = vec![open(Cursor::new(lying.clone())).expect("a run file")];
        prop_assert!(merge(twice, std::io::sink()).is_ok());
    }
}
