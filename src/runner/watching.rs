//! What is watched beside the traffic, while the run goes on and when its file is read.

use std::collections::BTreeMap;

use super::conduct::View;
use crate::{
    clock::SECOND,
    measure::{Kind, Observation, Observed, Totals},
    monitor::{News, Sampler},
    plan::WatchOutline,
    results::Timing,
};

/// Collects what a sampler sees.
#[derive(Default)]
pub(super) struct Watching {
    sampler: Option<Sampler>,
    pub(super) observed: Observed,
    /// Looks that failed, by watch: how many, and why the first.
    missed: BTreeMap<u16, (u64, String)>,
}

impl Watching {
    pub(super) fn new(sampler: Option<Sampler>) -> Self {
        Self { sampler, ..Self::default() }
    }

    /// A second is complete: what has been seen since the last.
    pub(super) fn update(&mut self, view: &View<'_>) -> Vec<Observation> {
        let Some(sampler) = &self.sampler else { return Vec::new() };
        let news = sampler.take();
        note_load(&mut self.observed, view.totals, view.second);
        self.take(news)
    }

    /// Ends the looks: what was seen last, and what failed, for people.
    pub(super) fn finish(&mut self, watches: &[WatchOutline]) -> (Vec<Observation>, Vec<String>) {
        let Some(sampler) = self.sampler.take() else { return Default::default() };
        let last = self.take(sampler.finish());
        let note = |(watch, (count, why)): (&u16, &(u64, String))| {
            let name = watches.get(usize::from(*watch)).map_or("", |watch| &watch.name);
            let looks = if *count == 1 { "look" } else { "looks" };
            format!("{name}: {count} {looks} beside the traffic failed, the first because {why}")
        };
        (last, self.missed.iter().map(note).collect())
    }

    fn take(&mut self, news: Vec<News>) -> Vec<Observation> {
        let mut seen = Vec::new();
        for news in news {
            match news {
                News::Seen(sample) => {
                    self.observed.push(sample.clone());
                    seen.push(sample);
                }
                News::Missed(watch, why) => self.missed.entry(watch).or_insert((0, why)).0 += 1,
            }
        }
        seen
    }
}

/// Notes how many requests there had been at the end of a second, of all phases and beside them.
pub(super) fn note_load(observed: &mut Observed, totals: &Totals, second: u64) {
    observed.load((second + 1) * SECOND, requests(totals));
}

/// Notes how many there were when the last phase had ended: seldom at the end of a second.
pub(super) fn note_end(observed: &mut Observed, totals: &Totals, timings: &BTreeMap<u16, Timing>) {
    let end = timings.values().map(|timing| timing.drained).max().unwrap_or(0);
    observed.load(end, requests(totals));
}

fn requests(totals: &Totals) -> u64 {
    let mut requests = 0;
    for (_, figures) in totals.phases() {
        let rows = figures.series.iter().filter(|(key, _)| key.kind == Kind::Request);
        requests += rows.map(|(_, series)| series.offered()).sum::<u64>();
    }
    requests
}
