//! What was watched beside the traffic.

use std::fmt::Write;

use super::text;
use crate::report::{WatchSummary, words::watch_remark};

pub(super) fn section(page: &mut String, watch: &WatchSummary) {
    let (name, about) = (text(&watch.name), text(&watch.about));
    let _ = writeln!(page, "**{} {name}**: {about}, every {}\n", watch.kind, watch.every_text());
    page.push_str("| phase | metric | avg | peak (seen) | a request |\n|---|---|--:|--:|--:|\n");
    for phase in &watch.phases {
        for metric in &phase.metrics {
            let _ = writeln!(
                page,
                "| {} | {} | {} | ≥ {} | {} |",
                text(&phase.phase),
                text(metric.metric),
                metric.text(metric.avg),
                metric.text(metric.peak),
                metric.per_request_text().unwrap_or_default(),
            );
        }
    }
    page.push('\n');
    for remark in watch_remark(watch) {
        let _ = writeln!(page, "- {}", text(&remark));
    }
    page.push('\n');
}
