//! Units as properties of numbers, and numbers of durations.

use super::{
    Form::Property,
    Receiver::{Duration, Number},
    Run, Stages, Word,
};
use crate::{
    clock::{MICROSECOND, MILLISECOND, SECOND},
    script::quantity::{Span, duration_unit, rate_unit, size_unit},
};

const fn unit(
    name: &'static str,
    gives: &'static str,
    usage: &'static str,
    about: &'static str,
    register: fn(&mut rhai::Engine, &'static str),
) -> Word {
    let run = Run::Exact(register);
    Word { name, on: Number, form: Property, takes: "", gives, usage, about, stages: Stages::Both, run }
}

const fn figure(
    name: &'static str,
    usage: &'static str,
    about: &'static str,
    register: fn(&mut rhai::Engine, &'static str),
) -> Word {
    let run = Run::Exact(register);
    Word { name, on: Duration, form: Property, takes: "", gives: "float", usage, about, stages: Stages::Both, run }
}

pub(super) const WORDS: &[Word] = &[
    unit("ns", "Duration", "`500.ns`", "Nanoseconds.", |engine, name| duration_unit(engine, name, 1)),
    unit("us", "Duration", "`800.us`", "Microseconds.", |engine, name| duration_unit(engine, name, MICROSECOND)),
    unit("ms", "Duration", "`250.ms`", "Milliseconds.", |engine, name| duration_unit(engine, name, MILLISECOND)),
    unit("s", "Duration", "`10.s`", "Seconds.", |engine, name| duration_unit(engine, name, SECOND)),
    unit("min", "Duration", "`5.min`", "Minutes.", |engine, name| duration_unit(engine, name, 60 * SECOND)),
    unit("h", "Duration", "`2.h`", "Hours.", |engine, name| duration_unit(engine, name, 3_600 * SECOND)),
    unit("per_second", "Rate", "`500.per_second`", "That many a second, exactly.", |engine, name| {
        rate_unit(engine, name, SECOND)
    }),
    unit("per_minute", "Rate", "`100.per_minute`", "That many a minute, exactly.", |engine, name| {
        rate_unit(engine, name, 60 * SECOND)
    }),
    unit("per_hour", "Rate", "`100.per_hour`", "That many an hour, exactly.", |engine, name| {
        rate_unit(engine, name, 3_600 * SECOND)
    }),
    unit("kb", "int", "`100.kb`", "Kilobytes of 1000 bytes, as a number of bytes.", |engine, name| {
        size_unit(engine, name, 1_000)
    }),
    unit("mb", "int", "`10.mb`", "Megabytes of 1000² bytes.", |engine, name| size_unit(engine, name, 1_000_000)),
    unit("gb", "int", "`1.gb`", "Gigabytes of 1000³ bytes.", |engine, name| size_unit(engine, name, 1_000_000_000)),
    unit("kib", "int", "`64.kib`", "Kibibytes of 1024 bytes.", |engine, name| size_unit(engine, name, 1 << 10)),
    unit("mib", "int", "`8.mib`", "Mebibytes of 1024² bytes.", |engine, name| size_unit(engine, name, 1 << 20)),
    unit("gib", "int", "`1.gib`", "Gibibytes of 1024³ bytes.", |engine, name| size_unit(engine, name, 1 << 30)),
    figure("as_ms", "`10.s.as_ms`", "A duration as a number of milliseconds.", |engine, name| {
        engine.register_get(name, |span: &mut Span| span.0.as_secs_f64() * 1e3);
    }),
    figure("as_s", "`10.s.as_s`", "A duration as a number of seconds.", |engine, name| {
        engine.register_get(name, |span: &mut Span| span.0.as_secs_f64());
    }),
];
