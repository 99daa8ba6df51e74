//! Programs that a run starts: the system under test.

use std::{path::PathBuf, time::Duration};

use rhai::{Dynamic, ImmutableString, Map};

use super::{
    Form::{Call as Written, Property},
    Receiver::{Global, Process as OnProcess},
    Run,
    Stages::{Both, Plan, Run as Closures},
    Word,
    request::Extract,
};
use crate::{
    plan::{Problem, Process, Ready, Source},
    script::{
        call::{Call, told},
        processes::{Exec, Shared},
        top_level::Poison,
    },
};

/// A process of the plan.
#[derive(Debug, Clone)]
pub struct ProcessHandle {
    pub(super) index: usize,
    port: u16,
    shared: Shared,
}

const OPTIONS: &[&str] = &["ready", "port", "env", "cwd", "timeout", "stop"];
/// What takes longer to start or to end is not for a test to wait for.
const WAIT_MAX: Duration = Duration::from_secs(60 * 60);
/// A script that starts more has a mistake.
const PROCESSES_MAX: usize = 64;

pub(super) const WORDS: &[Word] = &[
    Word {
        name: "process",
        on: Global,
        form: Written,
        takes: "command: string, options?: map",
        gives: "Process",
        usage: "`process(\"uvicorn app:app --port {port}\", #{ ready: \"/health\" })`",
        about: "Starts a program for the run, waits until it is ready, and stops it with all its children afterwards; only \
                with `--allow-exec`. `{port}` is a free port. Options: `ready` (a path, `\"tcp\"`, or `regex(…)` on its \
                output), `port`, `env`, `cwd`, `timeout`, `stop`.",
        stages: Plan,
        run: Run::Checked(|call, _, mut args| {
            let options = match args.len() {
                1 => Some(Map::new()),
                _ => call.map(args.remove(1), "a map such as #{ ready: \"/health\" }"),
            };
            let made = call.fixed_text(&args[0]).zip(options).and_then(|(command, map)| process(call, command, &map));
            made.map_or_else(|| Dynamic::from(Poison), Dynamic::from)
        }),
    },
    Word {
        name: "address",
        on: OnProcess,
        form: Property,
        takes: "",
        gives: "string",
        usage: "`target(api.address)`",
        about: "Where it listens: `http://127.0.0.1:` and its port.",
        stages: Both,
        run: Run::Exact(|engine, name| {
            engine.register_get(name, |process: &mut ProcessHandle| -> ImmutableString {
                format!("http://127.0.0.1:{}", process.port).into()
            });
        }),
    },
    Word {
        name: "pid",
        on: OnProcess,
        form: Property,
        takes: "",
        gives: "int",
        usage: "`api.pid`",
        about: "Its number.",
        stages: Closures,
        run: Run::Stage(|engine, name, _| {
            engine.register_get(name, |process: &mut ProcessHandle| i64::from(process.shared.pid()));
        }),
    },
];

/// What the options say.
struct Options {
    ready: Option<Ready>,
    port: Option<u16>,
    env: Vec<(String, String)>,
    folder: Option<PathBuf>,
    timeout: Duration,
    stop: Duration,
}

fn process(call: &Call<'_>, written: String, options: &Map) -> Option<ProcessHandle> {
    let before = call.mistakes();
    if call.state.processes.exec == Exec::Refuse {
        call.problem(
            Problem::at(&call.place(), format!("this run may not start `{written}`"))
                .label("a script from elsewhere could start anything")
                .help("`loadr run --allow-exec` allows it; or start the program yourself, and name its address"),
        );
    }
    let mut options = read(call, options);
    let index = call.state.plan.borrow().processes.len();
    if index >= PROCESSES_MAX {
        call.wrong(format!("a script starts at most {PROCESSES_MAX} processes"), "start the others yourself");
        return None;
    }
    let shared = match call.state.processes.get(index) {
        Ok(shared) => shared,
        Err(error) => {
            call.wrong(format!("there is no free port for a process: {error}"), "");
            return None;
        }
    };
    let port = options.port.unwrap_or(shared.port);
    let names_port = |text: &str| text.contains("{port}");
    let has_port =
        options.port.is_some() || names_port(&written) || options.env.iter().any(|(_, value)| names_port(value));
    let with_port = |text: &str| text.replace("{port}", &port.to_string());
    let command = split(call, &with_port(&written));
    for (_, value) in &mut options.env {
        *value = with_port(value);
    }
    if matches!(options.ready, Some(Ready::Tcp | Ready::Http(_))) && !has_port {
        call.wrong(
            "nobody knows where the process listens",
            "write `{port}` into its command, or say where it does: `port: 8000`",
        );
    }
    if call.mistakes() > before {
        return None;
    }
    let command = command?;
    let process = Process {
        name: name(call, &command),
        written,
        command,
        env: options.env,
        // Relative to the script, as data files are.
        folder: options.folder.map(|folder| call.state.folder.join(folder)),
        port: has_port.then_some(port),
        port_is_drawn: options.port.is_none(),
        ready: options.ready.unwrap_or(if has_port { Ready::Tcp } else { Ready::Started }),
        timeout: options.timeout,
        stop: options.stop,
    };
    call.state.plan.borrow_mut().processes.push(process);
    Some(ProcessHandle { index, port, shared })
}

fn read(call: &Call<'_>, options: &Map) -> Options {
    let (timeout, stop) = (Duration::from_secs(30), Duration::from_secs(10));
    let mut read = Options { ready: None, port: None, env: Vec::new(), folder: None, timeout, stop };
    for (key, value) in options {
        match key.as_str() {
            "ready" => read.ready = ready(call, value),
            "port" => read.port = port(call, value),
            "env" => read.env = variables(call, value),
            "cwd" => read.folder = call.fixed_text(value).map(PathBuf::from),
            "timeout" => read.timeout = wait(call, value).unwrap_or(timeout),
            "stop" => read.stop = wait(call, value).unwrap_or(stop),
            key => call.unknown_option(key, OPTIONS),
        }
    }
    read
}

fn ready(call: &Call<'_>, value: &Dynamic) -> Option<Ready> {
    if let Some(Extract::From(Source::Regex { pattern, .. })) = value.clone().try_cast::<Extract>() {
        return Some(Ready::Log(pattern));
    }
    match value.read_lock::<ImmutableString>().as_deref().map(ToString::to_string) {
        Some(path) if path.starts_with('/') => call.fixed_text(value).map(Ready::Http),
        Some(word) if word == "tcp" => Some(Ready::Tcp),
        _ => call.mismatch("a path such as `ready: \"/health\"`, `ready: \"tcp\"` or `ready: regex(\"…\")`", value),
    }
}

fn port(call: &Call<'_>, value: &Dynamic) -> Option<u16> {
    let number = call.count(value, 1)?;
    let port = u16::try_from(number).ok();
    if port.is_none() {
        call.wrong(format!("{number} is no port: they go up to 65535"), "leave it out for a free one");
    }
    port
}

fn variables(call: &Call<'_>, value: &Dynamic) -> Vec<(String, String)> {
    let shape = "a map such as #{ DEBUG: \"1\" }";
    let mut variables = Vec::new();
    for (name, value) in call.map(value.clone(), shape).unwrap_or_default() {
        let text = match &value {
            value if value.is_string() => call.fixed_text(value),
            value if value.is_int() || value.is_float() || value.is_bool() => Some(told(value)),
            value => call.mismatch("texts and numbers in `env`", value),
        };
        if name.is_empty() || name.contains(['=', '\0']) || text.as_ref().is_some_and(|text| text.contains('\0')) {
            call.wrong(format!("{name:?} is no variable of an environment"), format!("write {shape}"));
        } else {
            variables.extend(text.map(|text| (name.to_string(), text)));
        }
    }
    variables
}

fn wait(call: &Call<'_>, value: &Dynamic) -> Option<Duration> {
    let wait = call.duration(value)?;
    if wait > WAIT_MAX {
        call.wrong("an hour is the most that `process` waits", format!("write {}", call.word.usage));
        return None;
    }
    Some(wait)
}

/// The program and its arguments.
fn split(call: &Call<'_>, command: &str) -> Option<Vec<String>> {
    match shell_words::split(command) {
        Ok(words) if words.first().is_some_and(|program| !program.is_empty()) => Some(words),
        Ok(_) => {
            call.wrong("`process` takes a program to start; found nothing", format!("write {}", call.word.usage));
            None
        }
        Err(_) => {
            call.wrong(
                "the command ends within a quotation",
                "quote arguments as a shell does; no shell reads it: for one, write `sh -c '…'`",
            );
            None
        }
    }
}

/// That of the program, and a number where another process has it already.
fn name(call: &Call<'_>, command: &[String]) -> String {
    let program = command[0].rsplit('/').next().unwrap_or_default().to_owned();
    let plan = call.state.plan.borrow();
    let is_taken = |name: &String| plan.processes.iter().any(|process| process.name == *name);
    let numbered = (2..).map(|number| format!("{program}-{number}"));
    std::iter::once(program.clone()).chain(numbered).find(|name| !is_taken(name)).unwrap_or(program)
}
