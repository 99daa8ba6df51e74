//! Charts as SVG: drawn here, so that the page shows them without a script, and prints.

use std::fmt::Write;

use super::scale::Scale;

/// Size of a chart in its own units; the page stretches it to its column.
const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 220.0;
/// Room for the labels of the axes.
const LEFT: f64 = 62.0;
const RIGHT: f64 = 10.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 26.0;

/// A line, or marks where `is_marks`.
#[derive(Debug)]
pub(super) struct Line {
    /// What it shows.
    pub(super) name: String,
    /// Which of the page's colours: `ok`, `bad`, `p50`, `p95`, `p99`, `asked`, `service`.
    pub(super) color: &'static str,
    /// Its places; a gap where a figure is withheld.
    pub(super) points: Vec<(f64, Option<f64>)>,
    /// Each figure holds until the next.
    pub(super) is_steps: bool,
}

/// Labels a figure of an axis.
pub(super) type Label = fn(f64) -> String;

/// An axis.
#[derive(Debug)]
pub(super) struct Axis {
    /// What it measures.
    pub(super) name: &'static str,
    pub(super) scale: Scale,
    pub(super) label: Label,
}

/// Draws lines over two axes. `about` tells those who cannot see it what it shows.
pub(super) fn lines(about: &str, x: &Axis, y: &Axis, lines: &[Line]) -> String {
    let mut svg = open(about);
    axes(&mut svg, x, y);
    for line in lines {
        draw(&mut svg, x, y, line);
    }
    svg.push_str("</svg>");
    let mut legend = String::from("<ul class=\"legend\">");
    for line in lines {
        let _ = write!(legend, "<li class=\"c-{}\">{}</li>", line.color, escape(&line.name));
    }
    format!("<figure>{svg}{legend}</ul></figure>")
}

/// A cell of a heat map: from, to on the x axis, from, to on the y axis, and its count.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cell {
    pub(super) x: (f64, f64),
    pub(super) y: (f64, f64),
    pub(super) count: u64,
}

/// Draws how many figures fell where; the fullest cell is the darkest.
pub(super) fn heat(about: &str, x: &Axis, y: &Axis, cells: &[Cell]) -> String {
    let mut svg = open(about);
    let most = cells.iter().map(|cell| cell.count).max().unwrap_or(1).max(1) as f64;
    for cell in cells {
        let (left, right) = (at_x(x, cell.x.0), at_x(x, cell.x.1));
        let (top, bottom) = (at_y(y, cell.y.1), at_y(y, cell.y.0));
        // By magnitude, or the few slow ones could not be seen beside the many fast.
        let shade = ((cell.count as f64).ln_1p() / most.ln_1p() * 0.9 + 0.1).clamp(0.1, 1.0);
        let _ = write!(
            svg,
            "<rect class=\"heat\" x=\"{left:.1}\" y=\"{top:.1}\" width=\"{:.1}\" height=\"{:.1}\" \
             fill-opacity=\"{shade:.2}\"><title>{} at {} {}: {}</title></rect>",
            (right - left).max(0.5),
            (bottom - top).max(0.5),
            (y.label)(cell.y.0),
            (x.label)(cell.x.0),
            x.name,
            cell.count,
        );
    }
    axes(&mut svg, x, y);
    svg.push_str("</svg>");
    format!("<figure>{svg}</figure>")
}

fn open(about: &str) -> String {
    let about = escape(about);
    format!("<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{about}\">")
}

fn at_x(axis: &Axis, figure: f64) -> f64 {
    LEFT + axis.scale.place(figure) * (WIDTH - LEFT - RIGHT)
}

fn at_y(axis: &Axis, figure: f64) -> f64 {
    HEIGHT - BOTTOM - axis.scale.place(figure) * (HEIGHT - TOP - BOTTOM)
}

fn axes(svg: &mut String, x: &Axis, y: &Axis) {
    let (right, bottom) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
    for tick in y.scale.ticks() {
        let at = at_y(y, tick);
        let label = escape(&(y.label)(tick));
        let _ = write!(
            svg,
            "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{right}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/>\
             <text class=\"label\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{label}</text>",
            LEFT - 6.0,
            at + 4.0,
        );
    }
    for tick in x.scale.ticks() {
        let at = at_x(x, tick);
        let label = escape(&(x.label)(tick));
        let anchor = if at > right - 20.0 { "end" } else { "middle" };
        let _ = write!(
            svg,
            "<text class=\"label\" x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\">{label}</text>",
            bottom + 17.0,
        );
    }
    let _ = write!(svg, "<line class=\"axis\" x1=\"{LEFT}\" x2=\"{right}\" y1=\"{bottom}\" y2=\"{bottom}\"/>");
}

fn draw(svg: &mut String, x: &Axis, y: &Axis, line: &Line) {
    let mut path = String::new();
    let mut pen_is_down = false;
    let mut last = 0.0;
    for &(along, figure) in &line.points {
        let Some(figure) = figure else {
            pen_is_down = false;
            continue;
        };
        let (px, py) = (at_x(x, along), at_y(y, figure));
        let _ = match (pen_is_down, line.is_steps) {
            (false, _) => write!(path, "M{px:.1} {py:.1}"),
            (true, false) => write!(path, "L{px:.1} {py:.1}"),
            (true, true) => write!(path, "L{px:.1} {last:.1}L{px:.1} {py:.1}"),
        };
        (pen_is_down, last) = (true, py);
    }
    let _ = write!(svg, "<path class=\"line c-{}\" d=\"{path}\"/>", line.color);
    // What is under the pointer says its figure; a step line says nothing new at its ends.
    if line.is_steps {
        return;
    }
    for &(along, figure) in &line.points {
        let Some(figure) = figure else { continue };
        let _ = write!(
            svg,
            "<circle class=\"spot c-{}\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"4\"><title>{} at {}: {}</title></circle>",
            line.color,
            at_x(x, along),
            at_y(y, figure),
            escape(&line.name),
            escape(&(x.label)(along)),
            escape(&(y.label)(figure)),
        );
    }
}

/// Text within markup.
pub(super) fn escape(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    for c in raw.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            _ => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{
        super::scale::{duration_label, number_label},
        *,
    };

    fn axis(scale: Scale, label: Label) -> Axis {
        Axis { name: "s", scale, label }
    }

    #[test]
    fn a_gap_lifts_the_pen() {
        let x = axis(Scale::Linear(0.0, 4.0), number_label);
        let y = axis(Scale::Log(100.0, 10_000.0), duration_label);
        let points = vec![(0.0, Some(100.0)), (1.0, Some(1_000.0)), (2.0, None), (3.0, Some(10_000.0))];
        let line = Line { name: "<p95>".to_owned(), color: "p95", points, is_steps: false };
        let svg = lines("a chart", &x, &y, &[line]);
        assert_eq!(svg.matches('M').count() - svg.matches("Mid").count(), 2, "{svg}");
        assert!(svg.contains("&lt;p95&gt; at 1: 1ms") && !svg.contains("<p95>"), "{svg}");
    }

    #[test]
    fn a_cell_of_a_heat_map_says_its_count() {
        let x = axis(Scale::Linear(0.0, 4.0), number_label);
        let y = axis(Scale::Log(100.0, 10_000.0), duration_label);
        let svg = heat("where", &x, &y, &[Cell { x: (0.0, 1.0), y: (100.0, 200.0), count: 7 }]);
        assert!(svg.contains("<title>100µs at 0 s: 7</title>"), "{svg}");
    }
}
