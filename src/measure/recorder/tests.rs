use proptest::prelude::*;

use super::*;
use crate::{
    measure::{OTHER, SampleResult, Totals},
    protocol::ErrorKind,
};

fn sample(phase: u16, name: NameId, class: ClassId, result: SampleResult, response: Nanos) -> Sample {
    Sample {
        phase,
        name,
        class,
        result,
        status: if result == SampleResult::Ok { 200 } else { 0 },
        planned: 1_000,
        started: 1_000 + response / 3,
        first_byte: Some(1_000 + response / 2),
        end: 1_000 + response,
        bytes_sent: 10,
        bytes_received: response % 100,
    }
}

#[test]
fn a_sample_is_filed_with_its_three_durations() {
    let mut recorder = Recorder::new();
    let item = recorder.name(Kind::Request, "item");
    let hit = recorder.class("hit");
    recorder.record(&sample(3, item, hit, SampleResult::Ok, 6_000_000));
    recorder.record(&sample(3, item, ClassId::NONE, SampleResult::Error(ErrorKind::Timeout), 9_000_000));
    recorder.record(&sample(3, item, ClassId::NONE, SampleResult::Dropped, 0));
    let snapshot = recorder.take(7);
    assert_eq!(snapshot.second, 7);
    let [(3, figures)] = &snapshot.phases[..] else { panic!("{snapshot:?}") };
    let rows: Vec<_> = figures.series.iter().collect();
    let [(plain, failed), (classed, ok)] = rows[..] else { panic!("{rows:?}") };
    assert_eq!((plain.class.as_deref(), classed.class.as_deref()), (None, Some("hit")));
    assert_eq!(ok.ok.response.max(), Some(6_000_000));
    assert_eq!(ok.ok.service.max(), Some(4_000_000));
    assert_eq!(ok.ok.ttfb.max(), Some(1_000_000));
    assert_eq!(ok.status[&200], 1);
    assert_eq!((failed.offered(), failed.failed(), failed.censored_count()), (2, 2, 2));
    assert_eq!(failed.failures[&FailureKind::Dropped].service.count(), 0);
    assert_eq!(failed.failures[&FailureKind::Error(ErrorKind::Timeout)].service.count(), 1);
}

#[test]
fn nothing_is_handed_over_twice_and_idle_rows_leave_the_list() {
    let mut recorder = Recorder::new();
    let item = recorder.name(Kind::Request, "item");
    recorder.record(&sample(0, item, ClassId::NONE, SampleResult::Ok, 5_000));
    recorder.check(0, "fast", true, None);
    recorder.gauge(0, "depth", 3.0, 1);
    assert!(!recorder.take(0).phases.is_empty());
    for second in 1..20 {
        assert_eq!(recorder.take(second), Snapshot { second, ..Snapshot::default() });
    }
    assert!(recorder.dirty.is_empty());
    recorder.record(&sample(0, item, ClassId::NONE, SampleResult::Ok, 5_000));
    assert_eq!(recorder.take(20).phases[0].1.series.len(), 1);
}

#[test]
fn rows_status_codes_and_examples_are_bounded() {
    let mut recorder = Recorder::new();
    for n in 0..600 {
        let name = recorder.name(Kind::Request, &format!("/{n}"));
        let mut sample = sample(0, name, ClassId::NONE, SampleResult::FailedStatus, 1_000);
        recorder.record(&sample);
        let one = recorder.name(Kind::Request, "/0");
        (sample.name, sample.status) = (one, 100 + n);
        recorder.record(&sample);
        recorder.error_example(0, one, ErrorKind::Reset, &format!("reset\n{n}"));
    }
    let snapshot = recorder.take(0);
    let figures = &snapshot.phases[0].1;
    let row = |name: &str| &figures.series[&SeriesKey { kind: Kind::Request, name: name.into(), class: None }];
    assert_eq!(snapshot.names_turned_away, 100);
    assert_eq!(row(OTHER).offered(), 100);
    assert_eq!(row("/0").status.len(), 33);
    assert_eq!(row("/0").status.values().sum::<u64>(), 600);
    assert_eq!(row("/0").status[&0], 600 - 32);
    assert_eq!(row("/0").failures[&ErrorKind::Reset.into()].examples, ["reset 0", "reset 1", "reset 2"]);
}

#[test]
fn an_id_of_another_recorder_is_filed_under_the_rest() {
    let mut recorder = Recorder::new();
    recorder.record(&sample(0, NameId(4_000_000_000), ClassId(60_000), SampleResult::Ok, 1_000));
    let snapshot = recorder.take(0);
    let (key, _) = snapshot.phases[0].1.series.iter().next().expect("one row");
    assert_eq!((&*key.name, key.class.as_deref()), (OTHER, Some(OTHER)));
}

#[test]
fn levels_add_up_over_workers_within_a_second() {
    let (mut one, mut two, mut totals) = (Recorder::new(), Recorder::new(), Totals::new());
    one.in_flight(0, 5);
    one.in_flight(0, 2);
    two.in_flight(0, 4);
    totals.merge(one.take(0), 0);
    totals.merge(two.take(0), 1);
    one.in_flight(0, 0);
    totals.merge(one.take(1), 0);
    let level = totals.gauges(0).in_flight;
    assert_eq!((level.now, level.peak), (4, 9));
    totals.merge(one.take(2), 0);
    assert!(one.take(3).gauges.is_empty());
}

/// One thing a worker may note, as plain data so that it can be replayed into any recorder.
#[derive(Debug, Clone)]
enum Event {
    Sample { phase: u16, name: u8, class: u8, result: u8, response: Nanos },
    Iteration { phase: u16, entry: usize, result: u8 },
    Lateness { phase: u16, nanos: Nanos },
    Check { name: u8, passed: bool },
    Custom { name: u8, n: u64, at: Nanos },
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => (0u16..3, 0u8..4, 0u8..3, 0u8..8, 0u64..9_000_000_000).prop_map(
            |(phase, name, class, result, response)| Event::Sample { phase, name, class, result, response }
        ),
        1 => (0u16..3, 0usize..3, 0u8..6).prop_map(|(phase, entry, result)| Event::Iteration { phase, entry, result }),
        1 => (0u16..3, 0u64..1_000_000).prop_map(|(phase, nanos)| Event::Lateness { phase, nanos }),
        1 => (0u8..3, any::<bool>()).prop_map(|(name, passed)| Event::Check { name, passed }),
        1 => (0u8..3, 0u64..100, 0u64..1_000).prop_map(|(name, n, at)| Event::Custom { name, n, at }),
    ]
}

fn replay(recorder: &mut Recorder, event: &Event) {
    match *event {
        Event::Sample { phase, name, class, result, response } => {
            let kind = if name == 3 { Kind::Flow } else { Kind::Request };
            let name = recorder.name(kind, &format!("r{name}"));
            let class = recorder.class(["", "hit", "miss"][usize::from(class)]);
            let result = match result {
                0 => SampleResult::FailedStatus,
                1 => SampleResult::Error(ErrorKind::Timeout),
                2 => SampleResult::Error(ErrorKind::Reset),
                3 => SampleResult::Dropped,
                4 => SampleResult::Interrupted,
                _ => SampleResult::Ok,
            };
            recorder.record(&sample(phase, name, class, result, response));
        }
        Event::Iteration { phase, entry, result } => {
            recorder.offered(phase, entry);
            let result = [
                IterationResult::Ok,
                IterationResult::Failed,
                IterationResult::Timeout,
                IterationResult::Expired,
                IterationResult::Dropped,
                IterationResult::Interrupted,
            ][usize::from(result)];
            recorder.iteration(phase, result);
        }
        Event::Lateness { phase, nanos } => {
            recorder.lateness(phase, nanos);
            recorder.backlog(phase, nanos / 2);
        }
        Event::Check { name, passed } => recorder.check(0, &format!("c{name}"), passed, None),
        Event::Custom { name, n, at } => {
            let name = format!("m{name}");
            recorder.count(1, &name, n);
            recorder.gauge(1, &name, n as f64, at);
            recorder.timing(1, &name, at);
            recorder.script_error(1, &name, "oops", None);
            recorder.failure(1, &name, None);
        }
    }
}

proptest! {
    #[test]
    fn however_a_run_is_cut_the_sum_is_what_one_recorder_sees(
        events in prop::collection::vec((event(), 0usize..3, 0u64..5), 0..150),
        order in any::<u64>(),
    ) {
        let mut whole = Recorder::new();
        let mut alone = Totals::new();
        // Each worker sees its events second by second.
        let mut workers = [Recorder::new(), Recorder::new(), Recorder::new()];
        let mut snapshots = Vec::new();
        for second in 0..5 {
            for (event, worker, _) in events.iter().filter(|(_, _, at)| *at == second) {
                replay(&mut whole, event);
                replay(&mut workers[*worker], event);
            }
            snapshots.extend(workers.iter_mut().enumerate().map(|(at, worker)| (worker.take(second), at)));
        }
        alone.merge(whole.take(0), 0);
        let mut merged = Totals::new();
        while !snapshots.is_empty() {
            let (snapshot, worker) = snapshots.remove((order % snapshots.len() as u64) as usize);
            merged.merge(snapshot, worker);
        }
        prop_assert_eq!(merged.phases().collect::<Vec<_>>(), alone.phases().collect::<Vec<_>>());
        for (phase, figures) in merged.phases() {
            prop_assert_eq!(figures.unaccounted(), 0);
            prop_assert_eq!(&merged.window(phase, 0, 5), figures);
            let ok: u64 = merged.blocks(phase, |_| true).iter().map(|block| block.ok.count()).sum();
            prop_assert_eq!(ok, figures.series.values().map(|row| row.ok_count()).sum::<u64>());
        }
    }
}

#[test]
fn windows_and_blocks_stay_bounded_over_a_long_run() {
    let (mut recorder, mut totals) = (Recorder::new(), Totals::with_recent_seconds(10));
    let item = recorder.name(Kind::Request, "item");
    for second in 0..1_000 {
        recorder.record(&sample(0, item, ClassId::NONE, SampleResult::Ok, 1_000 * second));
        totals.merge(recorder.take(second), 0);
    }
    let count = |figures: &PhaseFigures| figures.series.values().map(|row| row.offered()).sum::<u64>();
    assert_eq!(count(&totals.window(0, 0, 1_000)), 10);
    assert_eq!(count(&totals.window(0, 995, 998)), 3);
    let blocks = totals.blocks(0, |_| true);
    assert_eq!(blocks.len(), 125);
    assert!(blocks.iter().all(|block| block.ok.count() == 8));
}
