//! Looks at what is watched, each at its own pace, on a thread of its own.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, Sender, channel},
    },
    thread::JoinHandle,
    time::Duration,
};

use super::{Control, probe::Prepared, usage};
use crate::{
    clock::{Clock, Nanos, Origin},
    http::AddressGuard,
    measure::{Metric, Observation},
    plan::{Meter, Target, Watch, Watched},
};

/// A look takes at most that long, so that a server that hangs does not hold the end of the run up.
const PATIENCE_MAX: Duration = Duration::from_secs(3);
/// How soon the thread notices that the run is over.
const HEARTBEAT: Duration = Duration::from_millis(50);

/// What the sampler has to say.
#[derive(Debug)]
pub enum News {
    /// A look.
    Seen(Observation),
    /// A look that failed: which, and why.
    Missed(u16, String),
}

/// The looks under way. Dropped, they end.
#[derive(Debug)]
pub struct Sampler {
    news: Receiver<News>,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// One watch with all that a look needs.
struct Look {
    watch: u16,
    every: Duration,
    how: How,
}

enum How {
    Pids(Vec<i32>),
    Named(String),
    Group(String),
    Meter(Box<(Meter, Option<url::Url>)>),
    Probe(Box<Prepared>),
}

impl Sampler {
    /// Starts to look. `pids` are those of the plan's processes, by index; `origin` is the run clock's.
    ///
    /// # Errors
    /// What cannot be watched, for people.
    pub fn start(
        watches: &[Watch],
        targets: &[Target],
        pids: &[u32],
        guard: &AddressGuard,
        origin: Origin,
    ) -> Result<Self, String> {
        let mut looks = Vec::new();
        for (index, watch) in (0u16..).zip(watches) {
            let how = how(watch, targets, pids).map_err(|why| format!("failed to watch `{}`: {why}", watch.name))?;
            looks.push(Look { watch: index, every: watch.every, how });
        }
        let control = Control::new(guard.clone())?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| format!("failed to start a runtime: {error}"))?;
        let (sender, news) = channel();
        let over = Arc::new(AtomicBool::new(false));
        let stop = over.clone();
        let thread = std::thread::Builder::new()
            .name("monitor".to_owned())
            .spawn(move || {
                let clock = Clock::real(origin);
                let local = tokio::task::LocalSet::new();
                for look in looks {
                    local.spawn_local(repeat(look, control.clone(), clock.clone(), sender.clone()));
                }
                drop(sender);
                local.block_on(&runtime, async {
                    while !stop.load(Ordering::Relaxed) {
                        tokio::time::sleep(HEARTBEAT).await;
                    }
                });
            })
            .map_err(|error| format!("failed to start a thread: {error}"))?;
        Ok(Self { news, over, thread: Some(thread) })
    }

    /// What has been found since the last time.
    pub fn take(&self) -> Vec<News> {
        self.news.try_iter().collect()
    }

    /// Ends the looks, and gives what they found last.
    pub fn finish(mut self) -> Vec<News> {
        self.stop();
        self.take()
    }

    fn stop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // One that panicked has nothing more to tell.
            let _ = thread.join();
        }
    }
}

impl Drop for Sampler {
    fn drop(&mut self) {
        self.stop();
    }
}

fn how(watch: &Watch, targets: &[Target], pids: &[u32]) -> Result<How, String> {
    let known = |pids: Vec<i32>| usage::check().and_then(|()| usage::of_families(&pids)).map(|_| How::Pids(pids));
    match &watch.what {
        Watched::Pid(id) => known(vec![*id as i32]),
        Watched::Started(index, _) => {
            let pid = pids.get(*index).ok_or("the process was not started")?;
            known(vec![*pid as i32])
        }
        Watched::Named(name) => match usage::check().map(|()| usage::named(name))? {
            found if found.is_empty() => Err(format!("no process is named {name}")),
            _ => Ok(How::Named(name.clone())),
        },
        Watched::Group(path) => usage::of_group(path).map(|_| How::Group(path.clone())),
        Watched::Meter(meter) => {
            let base = targets.first().map(|target| target.url.clone());
            Ok(How::Meter(Box::new((meter.clone(), base))))
        }
        Watched::Probe(probe) => {
            let target = targets.get(usize::from(probe.target.0)).ok_or("its target does not exist")?;
            Prepared::new(probe, &target.url, &target.headers).map(|prepared| How::Probe(Box::new(prepared)))
        }
    }
}

/// Looks on a grid of time: a late look moves none of the others, and one that takes too long leaves some out.
async fn repeat(look: Look, control: Control, clock: Clock, news: Sender<News>) {
    let mut grid = tokio::time::interval(look.every);
    grid.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    loop {
        grid.tick().await;
        let asked = clock.now();
        let found = match &look.how {
            How::Pids(pids) => usage::of_families(pids),
            How::Named(name) => usage::of_families(&usage::named(name)),
            How::Group(path) => usage::of_group(path),
            How::Meter(meter) => {
                let figures = control.read(&meter.0, meter.1.as_ref()).await;
                figures.map(|figures| figures.first().map(|&value| (Metric::Value, value)).into_iter().collect())
            }
            How::Probe(probe) => probe.ask(&control, PATIENCE_MAX).await.map(|value| vec![(Metric::Value, value)]),
        };
        // The value is of some moment between question and answer.
        let at: Nanos = asked.midpoint(clock.now());
        let told = match found {
            Ok(values) => News::Seen(Observation { watch: look.watch, at, values }),
            Err(why) => News::Missed(look.watch, why),
        };
        if news.send(told).is_err() {
            return;
        }
    }
}
