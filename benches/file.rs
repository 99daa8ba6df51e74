//! What an hour's run file takes: bytes, time to write and to read, memory, and the page that is made of it.
//! `benches/run file` runs it.
//!
//! Ten thousand requests a second over twenty rows, recorded by two workers as in a run, written to the file that the
//! argument names, looked at by the judges each second, and read again. Service times are log-normal, and every row waits a little of its own.

use std::{
    fs::File,
    io::BufReader,
    time::{Duration, Instant},
};

use loadr::{
    clock::Rate,
    judge::{Slo, Watch},
    measure::{ClassId, Kind, Recorder, Sample, SampleResult, Totals},
    plan::{Load, MixId, Outline, OutlineEntry, Phase},
    report::{PhaseTiming, phase_views},
    results::{self, Active, End, FORMAT, Manifest, Tick, Timing, VERSION, Writer},
};
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, LogNormal};
use rand_xoshiro::Xoshiro256PlusPlus;

const RATE: u64 = 10_000;
const ROWS: usize = 20;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("name the file to write")?;
    let seconds: u64 = std::env::args().nth(2).map_or(Ok(3_600), |text| text.parse())?;
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(7);
    let times = LogNormal::new(15.5, 0.6)?;
    let mut workers = [Recorder::new(), Recorder::new()];
    let names = [0, 1].map(|at: usize| {
        (0..ROWS).map(|row| workers[at].name(Kind::Request, &format!("row {row}"))).collect::<Vec<_>>()
    });
    let mut totals = Totals::new();
    let outline = outline(seconds)?;
    let mut watch = Watch::new(&outline.slos);
    let mut judging = Duration::ZERO;
    let manifest = Manifest {
        format: FORMAT.into(),
        version: VERSION,
        outline: serde_json::to_value(&outline)?,
        ..Manifest::default()
    };
    let mut writer = Writer::start(File::create(&path)?, &manifest)?;
    let mut spent = Duration::ZERO;
    for second in 0..seconds {
        for k in 0..RATE {
            let (row, worker) = ((k as usize) % ROWS, (k as usize / ROWS) % 2);
            let planned = second * 1_000_000_000 + k * 100_000;
            let started = planned + rng.random_range(20_000..90_000);
            let service = (times.sample(&mut rng) * (1.0 + row as f64 / 10.0)) as u64;
            workers[worker].offered(0, row);
            workers[worker].lateness(0, started - planned);
            workers[worker].record(&Sample {
                phase: 0,
                name: names[worker][row],
                class: ClassId::NONE,
                result: SampleResult::Ok,
                status: 200,
                planned,
                started,
                first_byte: Some(started + service * 9 / 10),
                end: started + service,
                bytes_sent: 120,
                bytes_received: 1_100,
            });
        }
        workers.iter_mut().enumerate().for_each(|(at, worker)| totals.merge(worker.take(second), at));
        totals.own_cpu(second, 300);
        let began = Instant::now();
        let end = (second + 1) * 1_000_000_000;
        let timing = PhaseTiming { phase: 0, start: 0, stopped: end, drained: end, planned: None };
        watch.tick(&phase_views(&outline, &totals, &[timing]), second);
        judging += began.elapsed();
        let began = Instant::now();
        for (phase, figures, peak) in totals.second(second) {
            writer.second(second, phase, figures, peak, &|text| text.to_owned())?;
        }
        writer.tick(&Tick { second, active: vec![Active { phase: 0, start: 0 }], ..Tick::default() }, &[])?;
        spent += began.elapsed();
    }
    let end = seconds * 1_000_000_000;
    let timing = Timing { phase: 0, start: 0, stopped: end, drained: end, cpu_share: 0.3, script_share: 0.0 };
    writer.end(Some(&End { planned: [(0, seconds * RATE)].into(), ..End::default() }), &[timing])?;
    let bytes = std::fs::metadata(&path)?.len();
    let peak_writing = peak_kib()?;
    drop(totals);
    let began = Instant::now();
    let loaded = results::open(BufReader::new(File::open(&path)?))?.load(60, |_, _| {})?;
    let reading = began.elapsed();
    let read: u64 = loaded.totals.figures(0).series.values().map(loadr::measure::SeriesFigures::offered).sum();
    assert_eq!((read, loaded.partial), (seconds * RATE, None), "what was written is read");
    println!("bytes {bytes}");
    println!("judge_ms_per_second {:.2}", judging.as_secs_f64() * 1e3 / seconds as f64);
    println!("write_ms_per_second {:.2}", spent.as_secs_f64() * 1e3 / seconds as f64);
    println!("read_s {:.1}", reading.as_secs_f64());
    println!("peak_kib_writing {peak_writing}");
    println!("peak_kib {}", peak_kib()?);
    Ok(())
}

/// One open phase over all rows, with an SLO for every second, one over windows, and one that could end the run.
fn outline(seconds: u64) -> Result<Outline, String> {
    let rows: Vec<String> = (0..ROWS).map(|row| format!("row {row}")).collect();
    let load = Load::Rate(vec![(Duration::ZERO, Rate::per_second(RATE))]);
    let phase = Phase { duration: Some(Duration::from_secs(seconds)), ..Phase::new("sustained", MixId(0), load) };
    let abort = Slo { abort: true, ..Slo::parse("name: disaster, errors: < 50%", &[])? };
    Ok(Outline {
        mixes: vec![rows.iter().map(|name| OutlineEntry { name: name.clone(), weight: 1.0 }).collect()],
        slos: vec![
            Slo::parse("name: fast, p95: < 100ms", &[])?,
            Slo::parse("name: fast at any time, p95: < 100ms, over: 10s", &[])?,
            abort,
        ],
        requests: rows,
        phases: vec![phase],
        ..Outline::default()
    })
}

/// The most memory that this process has had.
fn peak_kib() -> Result<u64, Box<dyn std::error::Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}
