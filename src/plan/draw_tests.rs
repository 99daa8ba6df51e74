//! Seeded: every run draws the same, so the bounds are checks of the arithmetic and not of luck.

use proptest::prelude::*;
use rand::SeedableRng;

use super::*;
use crate::plan::{DataSet, Order, TableBuilder};

struct Draw {
    drawers: Drawers,
    rng: Xoshiro256PlusPlus,
    draws: Draws,
}

impl Draw {
    fn of(generators: Vec<Generator>) -> Self {
        let plan = Plan { generators, ..Plan::default() };
        Self::new(&plan, &[])
    }

    fn new(plan: &Plan, tables: &[Arc<Table>]) -> Self {
        let rng = Xoshiro256PlusPlus::seed_from_u64(7);
        Self { drawers: Drawers::new(plan, tables), rng, draws: Draws::default() }
    }

    fn iteration<R>(&mut self, index: u64, work: impl FnOnce(&Drawers, &mut DrawContext<'_>) -> R) -> R {
        self.draws.reset();
        let mut ctx = DrawContext { rng: &mut self.rng, index, now_ms: 1_234, draws: &mut self.draws, kept: None };
        work(&self.drawers, &mut ctx)
    }

    fn ints(&mut self, count: u64) -> Vec<i64> {
        (0..count)
            .map(|index| match self.iteration(index, |drawers, ctx| drawers.draw(GeneratorId(0), ctx)) {
                Ok(Value::Int(number)) => number,
                other => panic!("no whole number: {other:?}"),
            })
            .collect()
    }

    fn written(&mut self, index: u64, how: Escape) -> String {
        let mut out = Vec::new();
        self.iteration(index, |drawers, ctx| drawers.write(GeneratorId(0), how, &mut out, ctx)).expect("drawn");
        String::from_utf8(out).expect("text")
    }
}

const DRAWS: u64 = 200_000;

/// Share of the draws for which `is` holds, and whether it lies within five standard errors of `expected`.
fn assert_share(values: &[i64], expected: f64, is: impl Fn(i64) -> bool) {
    let share = values.iter().filter(|value| is(**value)).count() as f64 / values.len() as f64;
    let error = 5.0 * (expected * (1.0 - expected) / values.len() as f64).sqrt();
    assert!((share - expected).abs() < error, "share {share}, expected {expected} ± {error}");
}

#[test]
fn zipf_draws_each_head_key_as_often_as_the_law_says() {
    let (n, s) = (1_000u64, 0.99);
    let harmonic: f64 = (1..=n).map(|k| (k as f64).powf(-s)).sum();
    let keys = Draw::of(vec![Generator::Zipf { n, s }]).ints(DRAWS);
    for key in [1i64, 2, 3, 10, 100] {
        assert_share(&keys, (key as f64).powf(-s) / harmonic, |drawn| drawn == key);
    }
    assert!(keys.iter().all(|key| (1..=n as i64).contains(key)));
    // The exponent 0 is uniform.
    let keys = Draw::of(vec![Generator::Zipf { n: 4, s: 0.0 }]).ints(DRAWS);
    assert_share(&keys, 0.25, |key| key == 4);
}

#[test]
fn latest_is_zipf_from_the_end() {
    let (n, s) = (1_000u64, 1.0);
    let harmonic: f64 = (1..=n).map(|k| (k as f64).powf(-s)).sum();
    let keys = Draw::of(vec![Generator::Latest { n, s }]).ints(DRAWS);
    assert_share(&keys, 1.0 / harmonic, |key| key == n as i64);
    assert!(keys.iter().all(|key| (1..=n as i64).contains(key)));
}

#[test]
fn a_hot_set_gets_its_share() {
    let keys = Draw::of(vec![Generator::HotSet { n: 1_000, hot_fraction: 0.2, hot_share: 0.8 }]).ints(DRAWS);
    assert_share(&keys, 0.8, |key| key <= 200);
    assert_share(&keys, 0.2 / 800.0, |key| key == 1_000);
    // All keys hot, and one hot key of one: no empty range.
    Draw::of(vec![Generator::HotSet { n: 1, hot_fraction: 0.0, hot_share: 0.0 }]).ints(10);
    Draw::of(vec![Generator::HotSet { n: 5, hot_fraction: 1.0, hot_share: 0.1 }]).ints(10);
}

#[test]
fn weights_are_shares() {
    let entries = vec![(70.0, Value::Int(1)), (20.0, Value::Int(2)), (10.0, Value::Int(3))];
    let values = Draw::of(vec![Generator::PickWeighted(entries)]).ints(DRAWS);
    for (value, share) in [(1, 0.7), (2, 0.2), (3, 0.1)] {
        assert_share(&values, share, |drawn| drawn == value);
    }
}

#[test]
fn both_ends_of_int_are_drawn() {
    let values = Draw::of(vec![Generator::Int(-1, 1)]).ints(DRAWS);
    for end in [-1, 0, 1] {
        assert_share(&values, 1.0 / 3.0, |drawn| drawn == end);
    }
    Draw::of(vec![Generator::Int(i64::MIN, i64::MAX)]).ints(10);
}

#[test]
fn seq_depends_on_the_iteration_alone() {
    let mut draw = Draw::of(vec![Generator::Seq]);
    assert_eq!(draw.written(41, Escape::Path), "42");
    assert_eq!(draw.written(41, Escape::Path), "42");
    let twice =
        draw.iteration(0, |drawers, ctx| [drawers.draw(GeneratorId(0), ctx), drawers.draw(GeneratorId(0), ctx)]);
    assert_eq!(twice[0], Ok(Value::Int(1)));
    assert!(matches!(twice[1], Ok(Value::Int(further)) if further > 1 << 40));
}

#[test]
fn texts_have_their_form_at_every_place() {
    let mut uuid = Draw::of(vec![Generator::Uuid]);
    let text = uuid.written(0, Escape::JsonValue);
    let parts: Vec<usize> = text.trim_matches('"').split('-').map(str::len).collect();
    assert_eq!(parts, [8, 4, 4, 4, 12]);
    assert_eq!((&text[15..16], matches!(&text[20..21], "8" | "9" | "a" | "b")), ("4", true), "{text}");
    assert_ne!(text, uuid.written(0, Escape::JsonValue));
    let hex = Draw::of(vec![Generator::Hex(33)]).written(0, Escape::None);
    assert!(hex.len() == 33 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()), "{hex}");
    let alnum = Draw::of(vec![Generator::Alnum(20)]).written(0, Escape::JsonString);
    assert!(alnum.len() == 20 && alnum.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{alnum}");
    let text = Generator::Pick(vec![Value::Text("a \"b\"/".into())]);
    assert_eq!(Draw::of(vec![text.clone()]).written(0, Escape::JsonValue), r#""a \"b\"/""#);
    assert_eq!(Draw::of(vec![text]).written(0, Escape::Path), "a%20%22b%22%2F");
    assert_eq!(Draw::of(vec![Generator::Int(5, 5)]).written(0, Escape::JsonValue), "5");
    assert_eq!(Draw::of(vec![Generator::Timestamp(TimestampForm::Milliseconds)]).written(0, Escape::JsonValue), "1234");
}

#[test]
fn normal_and_exponential_have_their_mean_and_deviation() {
    let figures = |generator| {
        let mut draw = Draw::of(vec![generator]);
        let values: Vec<f64> = (0..DRAWS)
            .map(|index| match draw.iteration(index, |drawers, ctx| drawers.draw(GeneratorId(0), ctx)) {
                Ok(Value::Float(number)) => number,
                other => panic!("no number: {other:?}"),
            })
            .collect();
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / values.len() as f64;
        (mean, variance.sqrt())
    };
    // Five standard errors of the mean, and of the deviation, of 200 000 values.
    let (mean, sd) = figures(Generator::Normal { mean: 100.0, sd: 15.0 });
    assert!((mean - 100.0).abs() < 0.17 && (sd - 15.0).abs() < 0.12, "{mean} ± {sd}");
    let (mean, sd) = figures(Generator::Exponential { mean: 500.0 });
    assert!((mean - 500.0).abs() < 5.6 && (sd - 500.0).abs() < 11.2, "{mean} ± {sd}");
}

#[test]
fn drawn_bytes_are_many_incompressible_and_the_same_for_a_seed() {
    use std::io::Write;
    let draw = || {
        let mut out = Vec::new();
        Draw::of(vec![Generator::Bytes(100_000)])
            .iteration(0, |drawers, ctx| drawers.write(GeneratorId(0), Escape::None, &mut out, ctx))
            .expect("drawn");
        out
    };
    let bytes = draw();
    assert_eq!((bytes.len(), &bytes), (100_000, &draw()));
    let mut packer = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
    packer.write_all(&bytes).expect("memory");
    assert!(packer.finish().expect("memory").len() >= 100_000);
}

#[test]
fn timestamps_have_the_form_that_was_asked_for() {
    let written = |form| Draw::of(vec![Generator::Timestamp(form)]).written(0, Escape::JsonValue);
    assert_eq!(written(TimestampForm::Seconds), "1");
    assert_eq!(written(TimestampForm::Iso), "\"1970-01-01T00:00:01.234Z\"");
    assert_eq!(written(TimestampForm::Http), "\"Thu, 01 Jan 1970 00:00:01 GMT\"");
}

#[test]
fn what_is_made_up_is_escaped_at_its_place() {
    let written = |how| Draw::of(vec![Generator::Fake("sentence".into())]).written(0, how);
    assert!(written(Escape::Query).contains("%20"));
    assert!(serde_json::from_str::<String>(&written(Escape::JsonValue)).is_ok_and(|text| text.contains(' ')));
}

fn people(order: Order, slots: u32) -> Draw {
    let mut builder = TableBuilder::new(vec!["email".into(), "name".into()]);
    for row in 0..3 {
        builder.push_text(&format!("u{row}@x"));
        builder.push_text(&format!("n{row}"));
    }
    let table = Arc::new(builder.finish());
    let set = DataSet {
        source: "people".into(),
        columns: table.columns().to_vec(),
        rows: 3,
        content_hash: table.content_hash().to_owned(),
        order,
        slots,
    };
    let column = |column, slot| Generator::Column { data: DataId(0), column, slot };
    let plan = Plan { data: vec![set], generators: vec![column(0, 0), column(1, 0), column(0, 1)], ..Plan::default() };
    Draw::new(&plan, &[table])
}

fn columns(draw: &mut Draw, index: u64) -> Vec<Result<Value, DrawError>> {
    draw.iteration(index, |drawers, ctx| (0..3).map(|id| drawers.draw(GeneratorId(id), ctx)).collect())
}

#[test]
fn columns_of_a_slot_come_from_the_same_row() {
    for order in [Order::Random, Order::Zipf(1.0), Order::Cycle] {
        let mut draw = people(order, 2);
        for index in 0..50 {
            let values = columns(&mut draw, index);
            let text = |at: usize| match &values[at] {
                Ok(Value::Text(text)) => text.clone(),
                other => panic!("{other:?}"),
            };
            assert_eq!(text(0)[1..2], text(1)[1..2], "{order:?}");
        }
    }
}

#[test]
fn rows_cycle_by_the_number_of_the_iteration_and_run_out_when_unique() {
    let mut draw = people(Order::Cycle, 1);
    for (index, email) in [(0, "u0@x"), (4, "u1@x"), (2, "u2@x"), (3, "u0@x")] {
        assert_eq!(columns(&mut draw, index)[0], Ok(Value::Text(email.into())));
    }
    let mut draw = people(Order::Unique, 1);
    assert_eq!(columns(&mut draw, 2)[0], Ok(Value::Text("u2@x".into())));
    assert_eq!(columns(&mut draw, 3)[0], Err(DrawError::Exhausted(DataId(0))));
    let next = |drawers: &Drawers, ctx: &mut DrawContext<'_>| drawers.next_row(DataId(0), ctx);
    let rows = draw.iteration(1, |drawers, ctx| [next(drawers, ctx), next(drawers, ctx)]);
    assert_eq!(rows, [Ok(1), Err(DrawError::SecondUnique(DataId(0)))]);
    let mut draw = people(Order::UniqueThenCycle, 1);
    assert_eq!(columns(&mut draw, 3)[0], Ok(Value::Text("u0@x".into())));
}

proptest! {
    #[test]
    fn the_same_seed_and_number_draw_the_same(seed: u64, index: u64, n in 1u64..1_000_000, s in 0.0f64..3.0) {
        let generators = vec![
            Generator::Zipf { n, s },
            Generator::Uuid,
            Generator::Seq,
            Generator::Normal { mean: 1.0, sd: 2.0 },
            Generator::Exponential { mean: 3.0 },
            Generator::Alnum(9),
        ];
        let draw = || {
            let mut draw = Draw::of(generators.clone());
            draw.rng = Xoshiro256PlusPlus::seed_from_u64(seed);
            let mut out = Vec::new();
            draw.iteration(index, |drawers, ctx| {
                for id in 0..generators.len() {
                    drawers.write(GeneratorId(id as u32), Escape::JsonValue, &mut out, ctx).expect("drawn");
                    out.push(b'\n');
                }
            });
            out
        };
        let first = draw();
        prop_assert_eq!(&first, &draw());
        for line in first.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            prop_assert!(serde_json::from_slice::<serde_json::Value>(line).is_ok(), "{}", String::from_utf8_lossy(line));
        }
    }

    #[test]
    fn what_is_drawn_and_what_is_written_agree(seed: u64, low in -50i64..50, width in 0i64..50) {
        let mut draw = Draw::of(vec![Generator::Int(low, low + width)]);
        draw.rng = Xoshiro256PlusPlus::seed_from_u64(seed);
        let number = draw.ints(1)[0];
        draw.rng = Xoshiro256PlusPlus::seed_from_u64(seed);
        prop_assert_eq!(draw.written(0, Escape::Path), number.to_string());
        prop_assert!((low..=low + width).contains(&number));
    }
}
