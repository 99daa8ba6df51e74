//! Appending to a run file.

use std::io::{self, Write};

use super::{
    End, Manifest, Tick, Timing,
    figures::{Rewrite, phase_line, series_line},
    frame,
    wire::Line,
};
use crate::measure::{Gauges, PhaseFigures};

/// Writes a run file. Each call appends one member that is whole in itself, in one write.
#[derive(Debug)]
pub struct Writer<W> {
    out: W,
    /// The lines of the seconds since the last tick.
    lines: Vec<u8>,
}

impl<W: Write> Writer<W> {
    /// Starts a file with its manifest.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn start(out: W, manifest: &Manifest) -> io::Result<Self> {
        let mut writer = Self { out, lines: Vec::new() };
        writer.line(&Line::Manifest(Box::new(manifest.clone())))?;
        writer.append()?;
        Ok(writer)
    }

    /// Takes up the figures of a second of a phase; the next tick writes them.
    ///
    /// # Errors
    /// None that a run can cause: they are written to memory.
    pub fn second(
        &mut self,
        second: u64,
        phase: u16,
        figures: &PhaseFigures,
        gauges: Gauges,
        rewrite: Rewrite<'_>,
    ) -> io::Result<()> {
        self.line(&Line::Phase(Box::new(phase_line(second, phase, figures, gauges, rewrite))))?;
        for (key, series) in &figures.series {
            self.line(&Line::Series(Box::new(series_line(second, phase, key, series, rewrite))))?;
        }
        Ok(())
    }

    /// Writes what has been taken up, with phases that have ended since.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn tick(&mut self, tick: &Tick, ended: &[Timing]) -> io::Result<()> {
        self.line(&Line::Tick(tick.clone()))?;
        self.ended(ended)?;
        self.append()
    }

    /// Writes what has been taken up and the end. Without an end the file stays partial.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn end(&mut self, end: Option<&End>, ended: &[Timing]) -> io::Result<()> {
        self.ended(ended)?;
        if let Some(end) = end {
            self.line(&Line::End(Box::new(end.clone())))?;
        }
        self.append()
    }

    /// What is written to.
    pub fn get_ref(&self) -> &W {
        &self.out
    }

    fn ended(&mut self, ended: &[Timing]) -> io::Result<()> {
        ended.iter().try_for_each(|timing| self.line(&Line::Ended(*timing)))
    }

    fn line(&mut self, line: &Line) -> io::Result<()> {
        serde_json::to_writer(&mut self.lines, line)?;
        self.lines.push(b'\n');
        Ok(())
    }

    fn append(&mut self) -> io::Result<()> {
        let member = frame::member(&self.lines)?;
        self.lines.clear();
        self.out.write_all(&member)?;
        self.out.flush()
    }
}
