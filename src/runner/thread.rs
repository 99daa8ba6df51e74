//! One worker's thread: its own runtime, script, connections and recorder, and the loop that does what the
//! runner says.

use std::{cell::RefCell, panic::AssertUnwindSafe, rc::Rc, sync::Arc};

use futures_util::FutureExt;
use tokio::{
    runtime::{Builder, LocalOptions},
    sync::mpsc::{UnboundedReceiver, UnboundedSender},
};

use super::endpoints::{endpoints, links};
use crate::{
    clock::{Clock, MILLISECOND, Nanos, Origin, SECOND},
    engine::{Event, PhaseEnd, Worker, WorkerParts, flow::Call, host::Host, timer},
    http::{AddressGuard, HttpTransport},
    measure::{Recorder, Snapshot},
    pace::Segment,
    plan::PhaseId,
    protocol::Transport,
    script::{self, LoadOptions, Loaded, Spent, spent},
};

/// What the runner tells a worker.
#[derive(Debug, Clone)]
pub(super) enum Command {
    /// Run `setup` and report its value.
    Setup,
    /// Know what `setup` returned.
    Data(Arc<serde_json::Value>),
    /// Log users in and open connections ahead of a phase.
    Prepare(PhaseId),
    /// Run a phase.
    Run {
        /// Which.
        phase: PhaseId,
        /// From when on.
        start: Nanos,
        /// How many iterations the run had before.
        base: u64,
    },
    /// Take no new iterations, in one phase or in all.
    Stop(Option<PhaseId>),
    /// Drop every iteration where it stands.
    Kill,
    /// Let virtual users run their `on_stop`.
    Finish,
    /// Run `teardown`.
    Teardown,
    /// Send the last snapshot and end.
    Quit,
}

/// What a worker tells the runner.
#[derive(Debug)]
pub(super) enum Report {
    /// The script is loaded; its plan has this hash.
    Ready(String),
    /// `setup` has ended.
    SetupDone(Result<serde_json::Value, String>),
    /// Users and connections for a phase are ready.
    Prepared(PhaseId),
    /// A phase has ended and drained.
    Ended(PhaseId, PhaseEnd),
    /// A second's figures.
    Snapshot(Box<Snapshot>),
    /// The engine has something to say.
    Event(Event),
    /// What scripts took of the worker's time: in total, and the longest stretch since the last time.
    Script(Spent),
    /// A worker's heartbeat came this much late.
    Gap(Nanos),
    /// `on_stop` has run everywhere.
    Finished,
    /// `teardown` has ended.
    TornDown(Result<serde_json::Value, String>),
    /// The worker has sent its last snapshot.
    Gone,
    /// The worker cannot go on.
    Broken(String),
}

/// What a worker starts with.
#[derive(Clone)]
pub(super) struct Assignment {
    pub(super) index: usize,
    pub(super) script: std::path::PathBuf,
    pub(super) options: LoadOptions,
    pub(super) segment: Segment,
    pub(super) seed: u64,
    pub(super) origin: Origin,
    pub(super) epoch_ms: u64,
    pub(super) guard: AddressGuard,
    /// Nothing is recorded.
    pub(super) is_muted: bool,
}

/// Scripts and their data are dropped on this stack too, however deep they are nested.
pub(super) const STACK_BYTES: usize = 128 << 20;
/// How often a worker looks whether time stood still.
const BEAT: Nanos = 100 * MILLISECOND;
/// A heartbeat that comes this late means that the process stood still.
const GAP_MIN: Nanos = 100 * MILLISECOND;

/// A worker's way to the runner.
pub(super) type Reports = UnboundedSender<(usize, Report)>;

/// Starts a worker's thread.
///
/// # Errors
/// The system gives no thread.
pub(super) fn spawn(
    assignment: Assignment,
    commands: UnboundedReceiver<Command>,
    reports: Reports,
) -> std::io::Result<std::thread::JoinHandle<()>> {
    let index = assignment.index;
    std::thread::Builder::new().name(format!("worker-{index}")).stack_size(STACK_BYTES).spawn(move || {
        let sender = reports.clone();
        let run = AssertUnwindSafe(|| {
            let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default());
            match runtime {
                Ok(runtime) => runtime.block_on(serve(assignment, commands, reports.clone())),
                Err(error) => {
                    let _ = reports.send((index, Report::Broken(format!("no runtime: {error}"))));
                }
            }
        });
        if let Err(panic) = std::panic::catch_unwind(run) {
            // The runner may be gone already; then nobody needs the news.
            let _ = sender.send((index, Report::Broken(script::panic_text(&*panic))));
        }
    })
}

async fn serve(assignment: Assignment, mut commands: UnboundedReceiver<Command>, reports: Reports) {
    let index = assignment.index;
    let clock = Clock::real(assignment.origin);
    let host = Host::real(clock.clone());
    let driver = {
        let (timer, reports) = (host.timer().clone(), reports.clone());
        tokio::task::spawn_local(async move {
            if let Err(error) = timer::drive(timer).await {
                let _ = reports.send((index, Report::Broken(format!("no timer: {error}"))));
            }
        })
    };
    let events = {
        let reports = reports.clone();
        Box::new(move |event| drop(reports.send((index, Report::Event(event)))))
    };
    let (worker, runtime) = match build(&assignment, host.clone(), events, |_| {}, |transport| transport) {
        Ok(built) => built,
        Err(message) => {
            let _ = reports.send((index, Report::Broken(message)));
            return;
        }
    };
    let tell = {
        let reports = reports.clone();
        // The runner outlives its workers; if it is gone, so is the reason to go on.
        move |report| drop(reports.send((index, report)))
    };
    tell(Report::Ready(worker.plan().hash()));
    let heart = tokio::task::spawn_local(beat(worker.clone(), host.clone(), tell.clone()));
    while let Some(command) = commands.recv().await {
        let (worker, tell) = (worker.clone(), tell.clone());
        match command {
            Command::Data(value) => runtime.set_data(&value),
            Command::Stop(phase) => worker.stop(phase),
            Command::Kill => worker.kill(),
            Command::Quit => break,
            Command::Setup => {
                let Some(closure) = worker.plan().setup else { continue };
                tokio::task::spawn_local(
                    async move { tell(Report::SetupDone(worker.frame(Call::Setup(closure)).await)) },
                );
            }
            Command::Teardown => {
                let Some(closure) = worker.plan().teardown else { continue };
                watched(&tell, async move { Report::TornDown(worker.frame(Call::Teardown(closure)).await) });
            }
            Command::Prepare(phase) => {
                let told = tell.clone();
                watched(&tell, async move {
                    worker.prepare(phase).await;
                    told(Report::Script(spent()));
                    Report::Prepared(phase)
                });
            }
            Command::Run { phase, start, base } => {
                let told = tell.clone();
                watched(&tell, async move {
                    let end = worker.run_phase(phase, start, base).await;
                    told(Report::Script(spent()));
                    Report::Ended(phase, end)
                });
            }
            Command::Finish => {
                watched(&tell, async move {
                    worker.finish().await;
                    Report::Finished
                });
            }
        }
    }
    heart.abort();
    driver.abort();
    tell(Report::Snapshot(Box::new(worker.last_snapshot(host.now() / SECOND))));
    tell(Report::Gone);
}

/// Runs a task of the worker and reports its result; a panic in it is reported too, so that nobody waits for ever.
fn watched(tell: &(impl Fn(Report) + Clone + 'static), task: impl Future<Output = Report> + 'static) {
    let tell = tell.clone();
    tokio::task::spawn_local(async move {
        let report = AssertUnwindSafe(task).catch_unwind().await;
        tell(report.unwrap_or_else(|panic| Report::Broken(script::panic_text(&*panic))));
    });
}

/// Sends a snapshot every second of the run's clock, and says when a beat came late.
async fn beat(worker: Rc<Worker<HttpTransport>>, host: Host, tell: impl Fn(Report)) {
    let mut second = host.now() / SECOND;
    loop {
        let due = (second + 1) * SECOND;
        let mut now = host.now();
        while now < due {
            let next = due.min(now + BEAT);
            host.sleep_until(next).await;
            now = host.now();
            if now.saturating_sub(next) > GAP_MIN {
                tell(Report::Gap(now - next));
            }
        }
        tell(Report::Script(spent()));
        tell(Report::Snapshot(Box::new(worker.snapshot(second))));
        second = now / SECOND;
    }
}

/// A worker over a transport, and the script it runs.
pub(super) type Built<T> = (Rc<Worker<T>>, Rc<script::Runtime>);

/// Makes a worker. `before` sees the script before it is taken apart; `wrap` may put something around the transport.
///
/// # Errors
/// What hinders it, for people.
pub(super) fn build<T: Transport>(
    assignment: &Assignment,
    host: Host,
    events: Box<dyn Fn(Event)>,
    before: impl FnOnce(&Loaded),
    wrap: impl FnOnce(HttpTransport) -> T,
) -> Result<Built<T>, String> {
    let loaded = script::load(&assignment.script, &assignment.options)
        .map_err(|_| "the script loads differently now than it did a moment ago".to_owned())?;
    before(&loaded);
    let plan = Rc::new(loaded.plan.clone());
    let drawers = loaded.drawers.clone();
    let mut recorder = Recorder::new();
    if assignment.is_muted {
        recorder.mute();
    }
    let redactor = loaded.shared.redactor();
    let starts = redactor.clone();
    recorder.rewrite_long(move |text| redactor.redact(text).into_owned());
    recorder.rewrite_starts(move |text| starts.redact_start(text));
    let recorder = Rc::new(RefCell::new(recorder));
    let endpoints = endpoints(&plan, assignment.segment)?;
    let transport = HttpTransport::new(host.clock.clone(), endpoints.clone(), assignment.guard.clone());
    let buffers = transport.buffers();
    let links = links(&plan, &endpoints, &host.clock, &assignment.guard, &buffers);
    let transport = transport.with_links(links);
    let script = Rc::new(script::Runtime::new(
        loaded,
        host.clock.clone(),
        recorder.clone(),
        buffers.clone(),
        assignment.epoch_ms,
    ));
    let worker = Worker::new(WorkerParts {
        host,
        transport: wrap(transport),
        plan,
        script: script.clone(),
        recorder,
        drawers,
        buffers,
        segment: assignment.segment,
        seed: assignment.seed,
        epoch_ms: assignment.epoch_ms,
        events,
    });
    Ok((worker, script))
}
