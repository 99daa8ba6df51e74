//! Drawing: values from generators, prepared once and then written into requests without an allocation.
//!
//! A drawn value depends on the generator, on the iteration's number and on the iteration's own random numbers
//! alone. Whoever seeds those from (seed, phase, number) gets the same traffic on any number of workers.

use std::{io::Write, sync::Arc};

use rand::RngExt;
use rand_distr::{Distribution, Exp, Normal, Zipf};
use rand_xoshiro::Xoshiro256PlusPlus;

use super::{
    Cell, DataId, Escape, Generator, GeneratorId, Kept, KeptValue, Piece, Plan, Table, Text, TimestampForm, Value,
    ascii::Ascii,
    escape,
    fake::{Make, maker},
    permute::Permutation,
    rows::RowSource,
    timestamp,
};

/// What an iteration draws with.
pub struct DrawContext<'a> {
    /// The iteration's random numbers.
    pub rng: &'a mut Xoshiro256PlusPlus,
    /// The iteration's number in the whole run, from 0, whatever worker it runs on.
    pub index: u64,
    /// The wall clock, in milliseconds since 1970.
    pub now_ms: u64,
    /// What this iteration has drawn so far.
    pub draws: &'a mut Draws,
    /// What its virtual user has kept; none where it has kept nothing yet.
    pub kept: Option<&'a dyn Kept>,
}

impl std::fmt::Debug for DrawContext<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DrawContext").field("index", &self.index).field("now_ms", &self.now_ms).finish_non_exhaustive()
    }
}

/// What an iteration remembers of its draws. Reset it before the next one.
#[derive(Debug, Default)]
pub struct Draws {
    pub(super) rows: Vec<((DataId, u32), usize)>,
    counts: Vec<(Counted, u64)>,
    exhausted: Option<DataId>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Counted {
    Seq(Option<GeneratorId>),
    Data(DataId),
}

impl Draws {
    /// Forgets all; keeps its memory.
    pub fn reset(&mut self) {
        self.rows.clear();
        self.counts.clear();
        self.exhausted = None;
    }

    /// The data set that had no row left for this iteration, if it asked one.
    pub fn exhausted(&self) -> Option<DataId> {
        self.exhausted
    }

    pub(crate) fn note_exhausted(&mut self, data: DataId) -> DrawError {
        self.exhausted = Some(data);
        DrawError::Exhausted(data)
    }

    /// How many were drawn before this one.
    pub(super) fn count(&mut self, what: Counted) -> u64 {
        if let Some((_, count)) = self.counts.iter_mut().find(|(known, _)| *known == what) {
            *count += 1;
            return *count - 1;
        }
        self.counts.push((what, 1));
        0
    }
}

/// Why nothing could be drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DrawError {
    /// All rows of a `.unique()` data set were given: the phase ends.
    Exhausted(DataId),
    /// An iteration asked a `.unique()` data set for a second row.
    SecondUnique(DataId),
    /// The virtual user has kept nothing under this name: the iteration fails.
    NotSaved(Arc<str>),
}

impl std::fmt::Display for DrawError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Exhausted(_) => f.write_str("every row of the `.unique()` data set was used"),
            Self::SecondUnique(_) => {
                f.write_str("a `.unique()` data set gives one row to an iteration: take it once and keep it")
            }
            Self::NotSaved(name) => write!(f, "nothing is saved as `{name}` for this virtual user yet"),
        }
    }
}

impl std::error::Error for DrawError {}

/// A further `seq()` of one iteration lies this far above the first, so that it meets no other iteration's.
const SEQ_STRIDE: u64 = 1 << 40;

/// A plan's generators and data, ready to draw from.
#[derive(Debug, Default)]
pub struct Drawers {
    drawers: Vec<Drawer>,
    sources: Vec<RowSource>,
    run: std::cell::Cell<u64>,
}

/// One generator with what can be computed ahead.
#[derive(Debug)]
enum Drawer {
    Plain(Generator),
    Zipf(Zipf<f64>),
    /// Rank k stands for the key `n + 1 - k`.
    Latest(Zipf<f64>, u64),
    /// Running sums of the weights, and the values.
    Weighted(Vec<f64>, Vec<Value>),
    HotSet {
        hot: u64,
        n: u64,
        hot_share: f64,
    },
    Scrambled(GeneratorId, Permutation),
    Fake(Make),
    Normal(Normal<f64>),
    Exponential(Exp<f64>),
}

impl Drawer {
    /// Parameters that make no distribution (a validated plan has none) fall back to the plainest value.
    fn new(generator: &Generator) -> Self {
        let plain = || Self::Plain(generator.clone());
        match *generator {
            Generator::Zipf { n, s } => Zipf::new(n as f64, s).map_or_else(|_| plain(), Self::Zipf),
            Generator::Latest { n, s } => Zipf::new(n as f64, s).map_or_else(|_| plain(), |z| Self::Latest(z, n)),
            Generator::HotSet { n, hot_fraction, hot_share } => {
                Self::HotSet { hot: ((n as f64 * hot_fraction).round() as u64).clamp(1, n.max(1)), n, hot_share }
            }
            Generator::Scrambled { of, n } => Self::Scrambled(of, Permutation::new(n)),
            Generator::Fake(ref kind) => maker(kind).map_or_else(plain, Self::Fake),
            Generator::Normal { mean, sd } => Normal::new(mean, sd).map_or_else(|_| plain(), Self::Normal),
            Generator::Exponential { mean } => Exp::new(1.0 / mean).map_or_else(|_| plain(), Self::Exponential),
            Generator::PickWeighted(ref entries) => {
                let mut sum = 0.0;
                let sums = entries
                    .iter()
                    .map(|(weight, _)| {
                        sum += weight;
                        sum
                    })
                    .collect();
                Self::Weighted(sums, entries.iter().map(|(_, value)| value.clone()).collect())
            }
            _ => plain(),
        }
    }
}

/// A drawn value that may still lie in its generator.
enum Drawn<'a> {
    Int(i64),
    Float(f64),
    Bool(bool),
    Text(&'a str),
    /// Text of its own.
    Made(String),
    /// Letters, digits and dashes only: no place needs them escaped.
    Ascii(Ascii),
    /// Text that is JSON already.
    Json(&'a str),
    /// The same, of its own.
    MadeJson(String),
    /// No value: `null` in JSON, elsewhere an empty text.
    Nothing,
}

impl Drawers {
    /// Prepares a plan's generators; `tables` are the rows of [`Plan::data`], in its order.
    pub fn new(plan: &Plan, tables: &[Arc<Table>]) -> Self {
        Self {
            drawers: plan.generators.iter().map(Drawer::new).collect(),
            sources: plan
                .data
                .iter()
                .zip(tables)
                .enumerate()
                .map(|(index, (set, table))| RowSource::new(DataId(index as u32), set, table.clone()))
                .collect(),
            run: std::cell::Cell::new(0),
        }
    }

    /// What [`Generator::RunId`] gives from now on.
    pub fn set_run(&self, id: u64) {
        self.run.set(id);
    }

    /// The rows of a data set.
    pub fn table(&self, data: DataId) -> &Arc<Table> {
        &self.sources[data.index()].table
    }

    /// A row for a script that asks for one; each call in an iteration gives another.
    ///
    /// # Errors
    /// A `.unique()` data set has no row (left) for this iteration.
    pub fn next_row(&self, data: DataId, ctx: &mut DrawContext<'_>) -> Result<usize, DrawError> {
        self.sources[data.index()].next(ctx)
    }

    /// The row that this iteration has in a slot of the data set: always the same one.
    ///
    /// # Errors
    /// A `.unique()` data set has no row (left) for this iteration.
    pub fn slot_row(&self, data: DataId, slot: u32, ctx: &mut DrawContext<'_>) -> Result<usize, DrawError> {
        self.sources[data.index()].slot(slot, ctx)
    }

    /// Draws a value.
    ///
    /// # Errors
    /// A `.unique()` data set has no row (left) for this iteration, or its user has not kept the value.
    pub fn draw(&self, id: GeneratorId, ctx: &mut DrawContext<'_>) -> Result<Value, DrawError> {
        let drawn = self.drawn(&self.drawers[id.index()], Some(id), ctx)?;
        Ok(into_value(drawn, ctx.rng))
    }

    /// Draws from a generator that is not in the plan: one that a closure makes while it runs.
    ///
    /// # Errors
    /// As [`Self::draw`].
    pub fn draw_once(&self, generator: &Generator, ctx: &mut DrawContext<'_>) -> Result<Value, DrawError> {
        let drawer = Drawer::new(generator);
        let drawn = self.drawn(&drawer, None, ctx)?;
        Ok(into_value(drawn, ctx.rng))
    }

    /// Draws a value and appends it to `out` as its place demands.
    ///
    /// # Errors
    /// As [`Self::draw`]; nothing was written then.
    pub fn write(
        &self,
        id: GeneratorId,
        how: Escape,
        out: &mut Vec<u8>,
        ctx: &mut DrawContext<'_>,
    ) -> Result<(), DrawError> {
        match self.drawn(&self.drawers[id.index()], Some(id), ctx)? {
            Drawn::Int(number) => out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes()),
            // JSON has neither infinity nor NaN; no generator of a validated plan gives them.
            Drawn::Float(number) => write!(out, "{number}").unwrap_or_default(),
            Drawn::Bool(yes) => out.extend_from_slice(if yes { b"true" } else { b"false" }),
            Drawn::Text(text) => escape(out, text, how),
            Drawn::Made(text) => escape(out, &text, how),
            Drawn::Nothing if how == Escape::JsonValue => out.extend_from_slice(b"null"),
            Drawn::Nothing => {}
            Drawn::Json(text) if how == Escape::JsonValue => out.extend_from_slice(text.as_bytes()),
            Drawn::Json(text) => escape(out, text, how),
            Drawn::MadeJson(text) if how == Escape::JsonValue => out.extend_from_slice(text.as_bytes()),
            Drawn::MadeJson(text) => escape(out, &text, how),
            Drawn::Ascii(ascii) => {
                let quote = how == Escape::JsonValue;
                if quote {
                    out.push(b'"');
                }
                ascii.write(out, ctx.rng);
                if quote {
                    out.push(b'"');
                }
            }
        }
        Ok(())
    }

    /// Appends a text, its holes filled.
    ///
    /// # Errors
    /// As [`Self::draw`]; `out` then ends with the pieces before the hole.
    pub fn write_text(&self, text: &Text, out: &mut Vec<u8>, ctx: &mut DrawContext<'_>) -> Result<(), DrawError> {
        for piece in &text.0 {
            match piece {
                Piece::Literal(literal) => out.extend_from_slice(literal.as_bytes()),
                Piece::Draw(id, how) => self.write(*id, *how, out, ctx)?,
            }
        }
        Ok(())
    }

    fn drawn<'a>(
        &'a self,
        drawer: &'a Drawer,
        id: Option<GeneratorId>,
        ctx: &mut DrawContext<'_>,
    ) -> Result<Drawn<'a>, DrawError> {
        Ok(match drawer {
            Drawer::Zipf(zipf) => Drawn::Int(zipf.sample(ctx.rng) as i64),
            Drawer::Latest(zipf, n) => Drawn::Int((*n + 1).saturating_sub(zipf.sample(ctx.rng) as u64) as i64),
            Drawer::HotSet { hot, n, hot_share } => {
                let is_hot = *hot == *n || ctx.rng.random::<f64>() < *hot_share;
                Drawn::Int(ctx.rng.random_range(if is_hot { 1..=*hot } else { *hot + 1..=*n }) as i64)
            }
            Drawer::Weighted(sums, values) => {
                let point = ctx.rng.random::<f64>() * sums.last().copied().unwrap_or(0.0);
                let index = sums.partition_point(|&sum| sum <= point).min(values.len().saturating_sub(1));
                values.get(index).map_or(Drawn::Text(""), view)
            }
            Drawer::Scrambled(of, permutation) => match self.drawn(&self.drawers[of.index()], Some(*of), ctx)? {
                // Keys count from 1.
                Drawn::Int(key) if key > 0 => Drawn::Int(permutation.of(key as u64 - 1) as i64 + 1),
                other => other,
            },
            Drawer::Fake(make) => Drawn::Made(make(ctx.rng)),
            Drawer::Normal(normal) => Drawn::Float(normal.sample(ctx.rng)),
            Drawer::Exponential(exponential) => Drawn::Float(exponential.sample(ctx.rng)),
            Drawer::Plain(generator) => match *generator {
                Generator::Uuid => Drawn::Ascii(Ascii::uuid(ctx.rng)),
                Generator::Seq => {
                    let further = ctx.draws.count(Counted::Seq(id)).wrapping_mul(SEQ_STRIDE);
                    Drawn::Int(ctx.index.wrapping_add(1).wrapping_add(further) as i64)
                }
                Generator::Scan(n) => {
                    let further = ctx.draws.count(Counted::Seq(id));
                    Drawn::Int((ctx.index.wrapping_add(further) % n.max(1)) as i64 + 1)
                }
                Generator::RunId => Drawn::Int(self.run.get() as i64),
                Generator::Int(low, high) => Drawn::Int(ctx.rng.random_range(low..=high.max(low))),
                Generator::Float(low, high) => Drawn::Float(low + (high - low) * ctx.rng.random::<f64>()),
                Generator::Alnum(length) => Drawn::Ascii(Ascii::Alnum(length)),
                Generator::Hex(length) => Drawn::Ascii(Ascii::Hex(length)),
                Generator::Bytes(length) => Drawn::Ascii(Ascii::Bytes(length)),
                Generator::Pick(ref values) if !values.is_empty() => {
                    view(&values[ctx.rng.random_range(0..values.len())])
                }
                Generator::Timestamp(form) => match form {
                    TimestampForm::Milliseconds => Drawn::Int(ctx.now_ms as i64),
                    TimestampForm::Seconds => Drawn::Int((ctx.now_ms / 1_000) as i64),
                    TimestampForm::Iso => Drawn::Made(timestamp::iso(ctx.now_ms)),
                    TimestampForm::Http => Drawn::Made(timestamp::http(ctx.now_ms)),
                },
                Generator::Saved(ref name) => match ctx.kept.and_then(|kept| kept.kept(name)) {
                    None => return Err(DrawError::NotSaved(name.clone())),
                    Some(KeptValue::Json(text)) => Drawn::MadeJson(text),
                    Some(KeptValue::Plain(Value::Int(number))) => Drawn::Int(number),
                    Some(KeptValue::Plain(Value::Float(number))) => Drawn::Float(number),
                    Some(KeptValue::Plain(Value::Bool(yes))) => Drawn::Bool(yes),
                    Some(KeptValue::Plain(Value::Text(text))) => Drawn::Made(text),
                    Some(KeptValue::Plain(Value::Bytes(bytes))) => {
                        Drawn::Made(String::from_utf8_lossy(&bytes).into_owned())
                    }
                },
                Generator::Column { data, column, slot } => {
                    let source = &self.sources[data.index()];
                    let row = source.slot(slot, ctx)?;
                    match source.table.cell(row, column) {
                        Cell::Int(number) => Drawn::Int(number),
                        Cell::Float(number) => Drawn::Float(number),
                        Cell::Bool(yes) => Drawn::Bool(yes),
                        Cell::Text(text) => Drawn::Text(text),
                        Cell::Json(text) => Drawn::Json(text),
                        Cell::Nothing => Drawn::Nothing,
                    }
                }
                _ => Drawn::Text(""),
            },
        })
    }
}

fn view(value: &Value) -> Drawn<'_> {
    match value {
        Value::Int(number) => Drawn::Int(*number),
        Value::Float(number) => Drawn::Float(*number),
        Value::Bool(yes) => Drawn::Bool(*yes),
        Value::Text(text) => Drawn::Text(text),
        // Nothing picks from bytes.
        Value::Bytes(_) => Drawn::Nothing,
    }
}

fn into_value(drawn: Drawn<'_>, rng: &mut Xoshiro256PlusPlus) -> Value {
    match drawn {
        Drawn::Int(number) => Value::Int(number),
        Drawn::Float(number) => Value::Float(number),
        Drawn::Bool(yes) => Value::Bool(yes),
        Drawn::Text(text) | Drawn::Json(text) => Value::Text(text.to_owned()),
        Drawn::Made(text) | Drawn::MadeJson(text) => Value::Text(text),
        Drawn::Nothing => Value::Text(String::new()),
        Drawn::Ascii(ascii) => {
            let mut bytes = Vec::new();
            ascii.write(&mut bytes, rng);
            if matches!(ascii, Ascii::Bytes(_)) {
                return Value::Bytes(bytes);
            }
            Value::Text(bytes.into_iter().map(char::from).collect())
        }
    }
}

#[cfg(test)]
#[path = "draw_tests.rs"]
mod tests;
