//! Redis: targets that speak it, and its commands as requests.

use rhai::Dynamic;

use super::{
    Form::Call as Written,
    Receiver::{Global, Target as OnTarget},
    Run,
    Stages::{Both, Plan},
    Word,
    database::{self, Given},
    request::Request,
    target::TargetHandle,
    this,
};
use crate::{
    plan::{Body, Classify, Escape, Protocol, Text},
    redis::ARGUMENTS_MAX,
    script::{
        body,
        call::Call,
        draft::{Classifier, RequestDraft},
        quantity::Span,
        state::Stage,
        words::generators::GeneratorHandle,
    },
};

/// Redis numbers its databases; no configuration has more.
const DATABASES_MAX: u32 = 1_000_000;

const fn command(
    name: &'static str,
    takes: &'static str,
    usage: &'static str,
    about: &'static str,
    run: super::CheckedFn,
) -> Word {
    let run = Run::Checked(run);
    Word { name, on: OnTarget, form: Written, takes, gives: "Request", usage, about, stages: Both, run }
}

pub(super) const WORDS: &[Word] = &[
    Word {
        name: "redis",
        on: Global,
        form: Written,
        takes: "address: string",
        gives: "Target",
        usage: "`redis(\"127.0.0.1:6379\")` or `redis(\"redis://user:password@host:6379/0\")`",
        about: "A Redis server; `rediss://` is over TLS.",
        stages: Plan,
        run: Run::Checked(|call, _, args| declare(call, &args[0])),
    },
    command("get", "key: any", "`cache.get(\"key\")`", "Redis: GET, of class `hit` or `miss`.", |call, this, args| {
        let request = one(call, &this, "GET", &args);
        super::request::with(request, |draft| draft.classify = Some(Classifier::Ready(Classify::CacheStatus)))
    }),
    command("set", "key: any, value: any", "`cache.set(\"key\", \"value\")`", "Redis: SET; a map or list is JSON.", {
        |call, this, args| one(call, &this, "SET", &args)
    }),
    command(
        "set_ex",
        "key: any, value: any, ttl: Duration | int",
        "`cache.set_ex(\"key\", \"value\", 60.s)`",
        "Redis: SETEX, with the time it lives; a number is seconds.",
        |call, this, args| {
            let (name, ttl) = time_to_live(call, &args[2]);
            one(call, &this, name, &[args[0].clone(), ttl, args[1].clone()])
        },
    ),
    command(
        "del",
        "key: any",
        "`cache.del(\"key\")`",
        "Redis: DEL, of one key or a list of them.",
        |call, this, args| one(call, &this, "DEL", &args),
    ),
    command("incr", "key: any, by?: any", "`cache.incr(\"key\")`", "Redis: INCR, or INCRBY.", |call, this, args| {
        one(call, &this, if args.len() > 1 { "INCRBY" } else { "INCR" }, &args)
    }),
    command("ping", "", "`cache.ping()`", "Redis: PING.", |call, this, _| one(call, &this, "PING", &[])),
    command("info", "section?: string", "`cache.info()`", "Redis: INFO; see `res.info`.", |call, this, args| {
        one(call, &this, "INFO", &args)
    }),
    command(
        "command",
        "name: string, first?: any, second?: any, third?: any, fourth?: any, fifth?: any, sixth?: any",
        "`cache.command(\"HSET\", \"key\", \"field\", 1)` or `cache.command(\"MGET\", [\"a\", \"b\"])`",
        "Redis: any command; lists among the arguments are more arguments.",
        |call, this, args| {
            let name = call.fixed_text(&args[0]).filter(|name| {
                let fits = !name.is_empty() && name.len() <= 64 && name.bytes().all(|byte| byte.is_ascii_graphic());
                if !fits {
                    call.wrong(format!("{name:?} is not the name of a command"), format!("write {}", call.word.usage));
                }
                fits
            });
            let name = name.unwrap_or_else(|| "PING".to_owned()).to_uppercase();
            if let Some(help) = refusal(&name) {
                call.wrong(format!("`{name}` makes a connection another, which others use after it"), help);
            }
            one(call, &this, &name, &args[1..])
        },
    ),
    command(
        "pipeline",
        "commands: list",
        "`cache.pipeline([cache.get(\"a\"), cache.incr(\"b\")])`",
        "Redis: several commands sent at once, whose replies are read together.",
        |call, this, args| pipeline(call, &this, args[0].clone()),
    ),
];

/// Commands after which a connection does not answer as before.
fn refusal(name: &str) -> Option<&'static str> {
    match name {
        "AUTH" | "HELLO" => Some("give user and password in the address: `redis(\"redis://user:password@host\")`"),
        "SELECT" => Some("give the number of the database in the address: `redis(\"redis://host/3\")`"),
        "SUBSCRIBE" | "PSUBSCRIBE" | "SSUBSCRIBE" | "MONITOR" | "SYNC" | "PSYNC" => {
            Some("a command here has one reply: what a server sends by itself is not read")
        }
        "QUIT" => Some("connections are closed when the run ends, or with `.no_keepalive()` after each command"),
        _ => None,
    }
}

fn declare(call: &Call<'_>, address: &Dynamic) -> Dynamic {
    let given = call.fixed_text(address).and_then(|address| Given::parse(call, Protocol::Redis, &address));
    if let Some(url) = given.as_ref().map(|given| &given.url) {
        let path = url.path().trim_matches('/');
        if !path.is_empty() && !path.parse().is_ok_and(|database: u32| database < DATABASES_MAX) {
            call.wrong(
                format!("{path:?} is not the number of a database"),
                "write `redis(\"redis://127.0.0.1:6379/0\")`",
            );
        }
    }
    database::declare(call, given, Protocol::Redis)
}

/// A request of one command.
fn one(call: &Call<'_>, target: &Dynamic, name: &str, args: &[Dynamic]) -> Dynamic {
    let target: TargetHandle = this(target);
    database::expect_protocol(call, target, Protocol::Redis);
    let mut arguments = vec![Text::literal(name)];
    args.iter().for_each(|value| push(call, value, &mut arguments));
    if arguments.len() > ARGUMENTS_MAX {
        call.wrong(format!("a command has at most {ARGUMENTS_MAX} arguments"), "");
        arguments.truncate(1);
    }
    // The first argument is a key, nearly always: it is what tells rows apart.
    let key = arguments.get(1).cloned().unwrap_or_default();
    let key = if call.stage() == Stage::Run { database::pattern(&key) } else { key };
    let mut draft = RequestDraft::new(name, key, call.place());
    draft.template.body = Body::Commands(vec![arguments]);
    draft.target = Some(target.0);
    Dynamic::from(Request(draft.into()))
}

/// Appends a value as an argument, or those of a list.
fn push(call: &Call<'_>, value: &Dynamic, arguments: &mut Vec<Text>) {
    if let Some(items) = value.read_lock::<rhai::Array>() {
        let is_flat = |item: &Dynamic| !item.is_array() && !item.is_map();
        if items.iter().all(is_flat) && call.word.name != "set" && call.word.name != "set_ex" {
            return items.iter().for_each(|item| push(call, item, arguments));
        }
    }
    let text = match value {
        value if value.is_map() || value.is_array() => body::json(call, value),
        value => body::plain(call, value, Escape::None),
    };
    arguments.extend(text);
}

/// The command for a time to live, and its number.
fn time_to_live(call: &Call<'_>, ttl: &Dynamic) -> (&'static str, Dynamic) {
    if ttl.is_int() || ttl.is::<GeneratorHandle>() {
        if ttl.as_int().is_ok_and(|seconds| seconds < 1) {
            call.wrong("a time to live is at least a second", format!("write {}", call.word.usage));
        }
        return ("SETEX", ttl.clone());
    }
    let Some(time) = call.duration(ttl) else { return ("SETEX", Dynamic::from(1_i64)) };
    let ms = i64::try_from(Span(time).0.as_millis()).unwrap_or(i64::MAX);
    if ms < 1 {
        call.wrong("a time to live is at least a millisecond", format!("write {}", call.word.usage));
    }
    if ms % 1_000 == 0 { ("SETEX", Dynamic::from(ms / 1_000)) } else { ("PSETEX", Dynamic::from(ms)) }
}

fn pipeline(call: &Call<'_>, target: &Dynamic, commands: Dynamic) -> Dynamic {
    let handle: TargetHandle = this(target);
    database::expect_protocol(call, handle, Protocol::Redis);
    let mut all = Vec::new();
    for item in call.array(commands, "a list of commands").unwrap_or_default() {
        match item.clone().try_cast::<Request>().map(|request| request.0.template.body.clone()) {
            Some(Body::Commands(commands)) => all.extend(commands),
            _ => call.mismatch("a list of commands such as `cache.get(\"key\")`", &item).unwrap_or_default(),
        }
    }
    if all.is_empty() && call.mistakes() == 0 {
        call.wrong("the pipeline has no commands", format!("write {}", call.word.usage));
    }
    let names = all.iter().map(|arguments| arguments.first().map_or_else(String::new, Text::display));
    let mut names: Vec<String> = names.collect();
    names.dedup();
    let mut draft = RequestDraft::new("PIPELINE", Text::literal(names.join(", ")), call.place());
    draft.template.body = Body::Commands(all);
    draft.target = Some(handle.0);
    Dynamic::from(Request(draft.into()))
}
