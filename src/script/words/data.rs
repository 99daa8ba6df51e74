//! Data sets and their rows.

use std::{
    path::{Path, PathBuf},
    rc::Rc,
    sync::Arc,
};

use rhai::{Dynamic, Engine, ImmutableString, NativeCallContext};

use super::{
    CheckedFn,
    Form::Call as Written,
    Receiver::{Data, Global},
    Run,
    Stages::{Both, Plan},
    Word,
    csv_options::csv_options,
    generators::{GeneratorHandle, shown},
    this, throw,
};
use crate::{
    plan::{Cell, DataId, DataSet, DrawError, Generator, Order, Problem, Table, suggest},
    script::{
        Fallible,
        call::{Call, place_of},
        confine::{Refusal, readable},
        data_cache::{CsvOptions, DataError, Format, VALUE_COLUMN, json_rows},
        state::{ScriptState, Stage},
        top_level::Poison,
    },
};

/// A data set of the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DataHandle(pub DataId);

/// A row of a data set, its columns read as properties.
#[derive(Debug, Clone)]
pub enum Row {
    /// The row that an iteration gets in this slot: taken at the plan stage, so its columns are generators.
    Slot {
        /// The data set.
        data: DataId,
        /// Which of the rows of an iteration.
        slot: u32,
    },
    /// A row that was drawn.
    Drawn {
        /// The rows.
        table: Arc<Table>,
        /// Its number, from 0.
        row: usize,
    },
}

pub(super) const WORDS: &[Word] = &[
    source(
        "csv",
        "path: string, options?: map",
        "`csv(\"data/users.csv\")` or `csv(\"data/users.csv\", #{ delimiter: \";\", header: false })`",
        "Rows of a CSV file.",
        |call, _, args| match args.get(1) {
            None => file(call, &args, &Format::Csv(CsvOptions::default())),
            Some(options) => match csv_options(call, options) {
                Some(options) => file(call, &args, &Format::Csv(options)),
                None => add(call, "csv", None),
            },
        },
    ),
    source("json", "path: string", "`json(\"data/users.json\")`", "Rows of a JSON array.", |call, _, args| {
        file(call, &args, &Format::Json)
    }),
    source(
        "jsonl",
        "path: string",
        "`jsonl(\"data/users.jsonl\")`",
        "Rows of a file with a JSON value a line.",
        |call, _, args| file(call, &args, &Format::JsonLines),
    ),
    source(
        "trace",
        "path: string",
        "`trace(\"data/keys.txt\")`",
        "Values of a file, one a line, in the order that they were asked for.",
        |call, _, args| file(call, &args, &Format::Lines),
    ),
    source("list", "rows: list", "`list([\"a\", \"b\"])`", "Rows written in the script.", |call, _, mut args| {
        let rows = call.array(args.remove(0), "a list of values or maps").and_then(|items| {
            let rows = items.iter().map(serde_json::to_value).collect::<Result<Vec<_>, _>>();
            if items.iter().any(Dynamic::is::<Poison>) {
                return None;
            }
            rows.map_err(|_| call.wrong("a row of the list is no plain value", "use texts, numbers and maps")).ok()
        });
        let table = rows.map(|rows| json_rows(&rows).map(Arc::new));
        add(call, "list", table)
    }),
    method("cycle", "", "`.cycle()`", "One row after the other, again and again.", |call, set, _| {
        order(call, set, Some(Order::Cycle))
    }),
    method("random", "", "`.random()`", "Any row, each as likely.", |call, set, _| {
        order(call, set, Some(Order::Random))
    }),
    method("zipf", "s: number", "`.zipf(0.99)`", "The first rows most often, by Zipf's law.", |call, set, args| {
        order(call, set, call.number(&args[0]).map(Order::Zipf))
    }),
    method("unique", "", "`.unique()`", "Each row at most once in the run.", |call, set, _| {
        order(call, set, Some(Order::Unique))
    }),
    method("then_cycle", "", "`.unique().then_cycle()`", "Starts again when all were used.", |call, set, _| {
        order(call, set, Some(Order::UniqueThenCycle))
    }),
    Word {
        name: "next",
        on: Data,
        form: Written,
        takes: "",
        gives: "Row",
        usage: "`users.next()`",
        about: "Takes a row; its columns are properties.",
        stages: Both,
        run: Run::Checked(|call, set, _| next(call, this(&set))),
    },
    Word {
        name: "len",
        on: Data,
        form: Written,
        takes: "",
        gives: "int",
        usage: "`users.len()`",
        about: "How many rows there are.",
        stages: Both,
        run: Run::Checked(|call, set, _| {
            let DataHandle(id) = this(&set);
            (call.state.tables.borrow()[id.index()].rows() as i64).into()
        }),
    },
];

const fn source(
    name: &'static str,
    takes: &'static str,
    usage: &'static str,
    about: &'static str,
    run: CheckedFn,
) -> Word {
    let run = Run::Checked(run);
    Word { name, on: Global, form: Written, takes, gives: "DataSet", usage, about, stages: Plan, run }
}

const fn method(
    name: &'static str,
    takes: &'static str,
    usage: &'static str,
    about: &'static str,
    run: CheckedFn,
) -> Word {
    let run = Run::Checked(run);
    Word { name, on: Data, form: Written, takes, gives: "DataSet", usage, about, stages: Plan, run }
}

fn file(call: &Call<'_>, args: &[Dynamic], format: &Format) -> Dynamic {
    let Some(path) = call.fixed_text(&args[0]) else { return add(call, "list", None) };
    let table = locate(call, &path).and_then(|real| call.state.data_cache.table(&real, format));
    add(call, &path, Some(table))
}

/// Where a file of the script lies, if it may be read.
pub(super) fn locate(call: &Call<'_>, path: &str) -> Result<PathBuf, DataError> {
    // Relative to the file that names it, so that a module can bring its own data.
    let here = call.place().file;
    let base = match Path::new(&*here).parent() {
        Some(folder) if !here.is_empty() && !here.starts_with("std/") => folder.to_owned(),
        _ => call.state.folder.clone(),
    };
    readable(call.state, &base, path).map_err(|refusal| match refusal {
        Refusal::Missing(why) => DataError { message: why, help: "paths are relative to the script".into() },
        Refusal::Outside => DataError {
            message: "it lies outside the script's folder".into(),
            help: "move it beside the script, or allow its folder with --allow-read DIR".into(),
        },
    })
}

/// Adds the data set to the plan. Where it could not be read (and that is reported), one empty row stands in.
fn add(call: &Call<'_>, source: &str, table: Option<Result<Arc<Table>, DataError>>) -> Dynamic {
    let table = match table {
        Some(Ok(table)) => table,
        Some(Err(error)) => {
            call.wrong(format!("failed to read `{source}`: {}", error.message), error.help);
            stand_in()
        }
        None => stand_in(),
    };
    let mut plan = call.state.plan.borrow_mut();
    plan.data.push(DataSet {
        source: source.to_owned(),
        columns: table.columns().to_vec(),
        rows: table.rows(),
        content_hash: table.content_hash().to_owned(),
        order: Order::Cycle,
        slots: 0,
    });
    call.state.tables.borrow_mut().push(table);
    Dynamic::from(DataHandle(DataId((plan.data.len() - 1) as u32)))
}

/// A table without columns: properties of its rows are not checked, as nobody knows them.
fn stand_in() -> Arc<Table> {
    Arc::new(crate::plan::TableBuilder::new(Vec::new()).finish())
}

fn order(call: &Call<'_>, set: Dynamic, order: Option<Order>) -> Dynamic {
    if let Some(order) = order {
        let DataHandle(id) = this(&set);
        call.state.plan.borrow_mut().data[id.index()].order = order;
    }
    set
}

/// The next row of a data set, or its value where the rows are plain values.
pub(in crate::script) fn next(call: &Call<'_>, DataHandle(data): DataHandle) -> Dynamic {
    match call.stage() {
        Stage::Plan => {
            let slot = {
                let mut plan = call.state.plan.borrow_mut();
                plan.data[data.index()].slots += 1;
                plan.data[data.index()].slots - 1
            };
            if is_plain(call.state, data) {
                return Dynamic::from(column_generator(call.state, data, 0, slot, &call.place()));
            }
            Dynamic::from(Row::Slot { data, slot })
        }
        Stage::Run => draw_row(call.state, data).unwrap_or_else(|error| {
            exhausted(call, data, error);
            Dynamic::UNIT
        }),
    }
}

/// The next row for the virtual user that has the floor, or its value where the rows are plain values.
pub(in crate::script) fn draw_row(state: &ScriptState, data: DataId) -> Result<Dynamic, DrawError> {
    state.with_drawing(|drawers, ctx| {
        let (row, table) = (drawers.next_row(data, ctx)?, drawers.table(data).clone());
        let plain = table.columns() == [VALUE_COLUMN];
        Ok(if plain { dynamic(table.cell(row, 0)) } else { Dynamic::from(Row::Drawn { table, row }) })
    })
}

fn exhausted(call: &Call<'_>, data: DataId, error: DrawError) {
    let source = call.state.plan.borrow().data.get(data.index()).map(|set| set.source.clone()).unwrap_or_default();
    call.wrong(format!("`{source}`: {error}"), "");
}

/// Whether its rows are plain values rather than records.
fn is_plain(state: &ScriptState, data: DataId) -> bool {
    state.tables.borrow()[data.index()].columns() == [VALUE_COLUMN]
}

fn column_generator(
    state: &ScriptState,
    data: DataId,
    column: usize,
    slot: u32,
    place: &crate::plan::Place,
) -> GeneratorHandle {
    GeneratorHandle(state.add_generator(Generator::Column { data, column, slot }, place))
}

impl Row {
    /// Columns and values of the row, for a body that holds it whole.
    pub(in crate::script) fn cells(&self, state: &ScriptState) -> Result<Vec<(String, Dynamic)>, String> {
        let (table, row) = match self {
            Self::Drawn { table, row } => (table.clone(), *row),
            Self::Slot { data, slot } => state
                .with_drawing(|drawers, draw| Ok((drawers.table(*data).clone(), drawers.slot_row(*data, *slot, draw)?)))
                .map_err(|error| error.to_string())?,
        };
        let columns = table.columns().iter().enumerate();
        Ok(columns.map(|(column, name)| (name.clone(), dynamic(table.cell(row, column)))).collect())
    }
}

/// A cell in the language.
fn dynamic(cell: Cell<'_>) -> Dynamic {
    match cell {
        Cell::Text(text) => text.into(),
        Cell::Int(number) => number.into(),
        Cell::Float(number) => number.into(),
        Cell::Bool(yes) => yes.into(),
        Cell::Nothing => Dynamic::UNIT,
        // Only valid JSON was kept as such; a number too large for the language stays text.
        Cell::Json(text) => serde_json::from_str::<Dynamic>(text).unwrap_or_else(|_| text.into()),
    }
}

/// Reads a column of a row.
fn property(state: &ScriptState, row: &Row, name: &str, ctx: &NativeCallContext<'_>) -> Fallible<Dynamic> {
    let table = match row {
        Row::Drawn { table, .. } => table.clone(),
        Row::Slot { data, .. } => state.tables.borrow()[data.index()].clone(),
    };
    let Some(column) = table.column(name) else {
        if table.columns().is_empty() {
            return Ok(Dynamic::UNIT);
        }
        let problem = Problem::at(&place_of(ctx), format!("the row has no column `{name}`"))
            .label("unknown column")
            .help(suggest(name, table.columns().iter().map(String::as_str), "column"));
        return Err(throw(problem, ctx));
    };
    match row {
        Row::Drawn { table, row } => Ok(dynamic(table.cell(*row, column))),
        Row::Slot { data, slot } => match state.stage() {
            Stage::Plan => Ok(Dynamic::from(column_generator(state, *data, column, *slot, &place_of(ctx)))),
            Stage::Run => state
                .with_drawing(|drawers, draw| drawers.slot_row(*data, *slot, draw))
                .map(|row| dynamic(table.cell(row, column)))
                .map_err(|error| throw(Problem::at(&place_of(ctx), error.to_string()), ctx)),
        },
    }
}

pub(super) fn register_type(engine: &mut Engine, state: &Rc<ScriptState>) {
    let shared = state.clone();
    engine.register_indexer_get(move |ctx: NativeCallContext<'_>, row: &mut Row, name: ImmutableString| {
        property(&shared, row, &name, &ctx)
    });
    // A list of plain values is a generator by itself: `/tags/${tags}`.
    let shared = state.clone();
    engine.register_fn(
        "to_string",
        move |ctx: NativeCallContext<'_>, set: &mut DataHandle| -> Fallible<ImmutableString> {
            if !is_plain(&shared, set.0) {
                let problem = Problem::at(&place_of(&ctx), "a data set of records is no text")
                    .help("take a row and name a column: `users.next().email`");
                return Err(throw(problem, &ctx));
            }
            let slot = {
                let mut plan = shared.plan.borrow_mut();
                match plan.data.get_mut(set.0.index()).filter(|_| shared.stage() == Stage::Plan) {
                    Some(set) => {
                        set.slots += 1;
                        set.slots - 1
                    }
                    None => 0,
                }
            };
            match shared.stage() {
                Stage::Plan => {
                    let generator = column_generator(&shared, set.0, 0, slot, &place_of(&ctx));
                    shown(&shared, generator.0, &ctx)
                }
                Stage::Run => shared
                    .with_drawing(|drawers, draw| {
                        let row = drawers.next_row(set.0, draw)?;
                        Ok(drawers.table(set.0).text(row, 0).into())
                    })
                    .map_err(|error| throw(Problem::at(&place_of(&ctx), error.to_string()), &ctx)),
            }
        },
    );
}
