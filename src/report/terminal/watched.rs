//! What was watched beside the traffic: a table by phase, and the cost of a request.

use super::{
    Page,
    paint::Tone,
    table::{Column, Table, plain},
    text::clean,
};
use crate::report::{WatchSummary, words::watch_remark};

const fn right(title: &'static str, rank: u8) -> Column {
    Column { title, right: true, rank }
}

pub(super) fn section(page: &mut Page, watch: &WatchSummary) {
    page.blank();
    page.prose(
        0,
        Tone::Bold,
        &format!("{} {}  {}, every {}", watch.kind, clean(&watch.name), clean(&watch.about), watch.every_text()),
    );
    let columns = [right("METRIC", 0), right("AVG", 0), right("PEAK", 1), right("A REQUEST", 2), right("N", 3)];
    let mut table = Table::new("PHASE", &columns);
    let mut is_empty = true;
    for phase in &watch.phases {
        for (at, metric) in phase.metrics.iter().enumerate() {
            is_empty = false;
            let cells = vec![
                plain(metric.metric),
                plain(metric.text(metric.avg)),
                plain(format!("≥ {}", metric.text(metric.peak))),
                plain(metric.per_request_text().unwrap_or_default()),
                plain(metric.samples.to_string()),
            ];
            table.row(0, if at == 0 { phase.phase.as_str() } else { "" }, Tone::Plain, cells);
        }
    }
    if is_empty {
        page.prose(2, Tone::Warning, "no phase was long enough for a look: look more often, by the option `every`");
    } else {
        table.write(page, 2);
    }
    for remark in watch_remark(watch) {
        page.prose(2, Tone::Dim, &remark);
    }
}
