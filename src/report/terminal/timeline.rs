//! Phases over time as a drawing: a band of two lines for each, on one axis.

use unicode_width::UnicodeWidthStr;

use super::{
    Page,
    paint::Tone,
    text::{clean, fit_middle},
};
use crate::{
    clock::{Nanos, SECOND, format_nanos},
    engine::outline::Bound,
    report::{Outlook, Shape},
};

/// Parts of a line's height, filled from below.
const BLOCKS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// Levels of a band: two lines of eight parts.
const LEVELS: f64 = 16.0;
/// Names get no more of the width than one of this many parts.
const NAME_SHARE: usize = 3;

pub(super) fn draw(page: &mut Page, outlook: &Outlook) {
    let labels: Vec<(String, String)> = outlook
        .phases
        .iter()
        .map(|phase| {
            let peak = match &phase.drawn.0 {
                Shape::Path { peak, .. } | Shape::Bursts { peak, .. } | Shape::Work { peak } => peak.clone(),
            };
            (clean(&phase.name), format!("  {peak}{}", if phase.warmup { ", warm-up" } else { "" }))
        })
        .collect();
    let widest = labels.iter().map(|(name, peak)| name.width().max(peak.width())).max().unwrap_or(0);
    let left = widest.min(page.width / NAME_SHARE) + 2;
    let axis = Axis { columns: page.width.saturating_sub(left).max(4), length: outlook.drawn_end.max(1) };
    axis.ruler(page, left, outlook);
    for (phase, (name, peak)) in outlook.phases.iter().zip(labels) {
        let (shape, start, length) = &phase.drawn;
        let [upper, lower] = axis.band(shape, *start, *length);
        let tone = if phase.warmup { Tone::Dim } else { Tone::Plain };
        for (label, line, of_label) in [(name, upper, Tone::Bold), (peak, lower, Tone::Dim)] {
            let label = fit_middle(&label, left - 2);
            let gap = " ".repeat(left - label.width());
            let line = format!("{}{gap}{}", page.paint.tone(of_label, &label), page.paint.tone(tone, line.trim_end()));
            page.line(line.trim_end().to_owned());
        }
    }
}

/// Time as columns.
struct Axis {
    columns: usize,
    length: Nanos,
}

impl Axis {
    fn column(&self, time: Nanos) -> usize {
        let exact = u128::from(time) * self.columns as u128 / u128::from(self.length);
        usize::try_from(exact).unwrap_or(usize::MAX).min(self.columns - 1)
    }

    /// The time in the middle of a column.
    fn time(&self, column: usize) -> Nanos {
        let doubled = u128::from(self.length) * (2 * column as u128 + 1) / (2 * self.columns as u128);
        Nanos::try_from(doubled).unwrap_or(self.length)
    }

    /// Labels where phases start and end, as many as there is room for, over a line with a tick for each.
    fn ruler(&self, page: &mut Page, left: usize, outlook: &Outlook) {
        let nanos = |seconds: f64| (seconds * SECOND as f64).round() as Nanos;
        let mut marks: Vec<(Nanos, Nanos, Bound)> = Vec::new();
        for phase in &outlook.phases {
            let (_, start, length) = &phase.drawn;
            marks.push((*start, nanos(phase.start_s), phase.start_is));
            let end_is = phase.start_is.and(phase.duration_is);
            marks.push((start + length, nanos(phase.start_s + phase.duration_s), end_is));
        }
        marks.sort_by_key(|&(drawn, time, _)| (drawn, time));
        let (mut labels, mut line) = (String::new(), vec!['─'; self.columns]);
        for (drawn, time, bound) in marks {
            let at = if drawn >= self.length { self.columns } else { self.column(drawn) };
            if let Some(tick) = line.get_mut(at) {
                *tick = if at == 0 { '├' } else { '┼' };
            }
            let label = format!("{}{}", bound.sign(), format_nanos(time)).replace(' ', "");
            // The last label ends where the axis ends.
            let from = at.min(self.columns.saturating_sub(label.width()));
            let used = labels.width();
            if from > used || (used == 0 && from == 0) {
                labels.push_str(&" ".repeat(from - used));
                labels.push_str(&label);
            }
        }
        let line: String = line.into_iter().collect();
        for text in [labels, line] {
            let text = page.paint.tone(Tone::Dim, &format!("{}{text}", " ".repeat(left)));
            page.line(text);
        }
    }

    /// The upper and the lower line of a phase.
    fn band(&self, shape: &Shape, start: Nanos, length: Nanos) -> [String; 2] {
        let mut lines = [vec![' '; self.columns], vec![' '; self.columns]];
        let first = self.column(start);
        // What is shorter than a column still takes one.
        let behind = if length == 0 { first } else { self.column(start + length - 1) } + 1;
        match shape {
            Shape::Path { points, .. } => {
                let peak = points.iter().map(|&(_, level)| level).fold(0.0, f64::max);
                let [upper, lower] = &mut lines;
                let columns = upper.iter_mut().zip(lower).enumerate().take(behind).skip(first);
                for (column, (above, below)) in columns {
                    let level = level_at(points, self.time(column).saturating_sub(start));
                    let height = if level > 0.0 { (level / peak * LEVELS).ceil() as usize } else { 0 };
                    *above = BLOCKS[height.saturating_sub(8).min(8)];
                    *below = BLOCKS[height.min(8)];
                }
            }
            Shape::Bursts { every, times, .. } => {
                for release in 0..*times {
                    let column = self.column(start + release * every);
                    lines.iter_mut().for_each(|line| line[column] = '█');
                    if column + 1 >= self.columns {
                        break;
                    }
                }
            }
            Shape::Work { .. } => {
                let wide = behind - first;
                for column in first..behind {
                    // It fades: nobody knows how long it takes.
                    let fade = ['█', '▓', '▒', '░'][(column - first) * 4 / wide];
                    lines.iter_mut().for_each(|line| line[column] = fade);
                }
            }
        }
        if behind < self.columns {
            lines[1][behind] = '┊';
        }
        lines.map(|line| line.into_iter().collect())
    }
}

/// The level of a path at a time: straight between its points; of two at one time, the later.
fn level_at(points: &[(Nanos, f64)], time: Nanos) -> f64 {
    let next = points.partition_point(|&(at, _)| at <= time);
    match (next.checked_sub(1).map(|before| points[before]), points.get(next)) {
        (Some((from, low)), Some(&(to, high))) if to > from => {
            low + (high - low) * (time - from) as f64 / (to - from) as f64
        }
        (Some((_, level)), _) => level,
        (None, Some(&(_, level))) => level,
        (None, None) => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_between_points_is_on_the_line() {
        let step = [(0, 2.0), (10, 4.0), (10, 8.0), (20, 8.0)];
        for (time, level) in [(0, 2.0), (5, 3.0), (10, 8.0), (15, 8.0), (99, 8.0)] {
            assert!((level_at(&step, time) - level).abs() < 1e-9, "{time}");
        }
        assert!(level_at(&[], 3) < 1e-9);
    }
}
