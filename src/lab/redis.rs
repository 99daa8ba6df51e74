//! A small server that speaks Redis' protocol, for scripts that have a Redis beside their shop.
//!
//! It has strings, counters and times to live, and counts hits and misses as Redis does. Its memory is bounded: beyond
//! it, writes are refused with the error that Redis has for that.

use std::{
    collections::HashMap,
    io,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::{
    accept,
    state::{Shared, State, lock},
};
use crate::clock::{MILLISECOND, Nanos, SECOND};

/// More connections wait until others end.
const CONNECTIONS_MAX: usize = 20_000;
/// What keys and values may take together, in bytes.
const MEMORY_MAX: usize = 256 << 20;
/// A longer command is refused, and its connection closed.
const COMMAND_BYTES_MAX: usize = 16 << 20;
/// More arguments of a command are no command.
const ARGUMENTS_MAX: usize = 1 << 16;

/// A command of the server.
#[derive(Debug)]
pub(super) struct Command {
    /// Upper case.
    pub(super) name: &'static str,
    /// Fewest and most arguments.
    arguments: (usize, usize),
    /// What it does.
    run: fn(&mut Keys, &State, &[&[u8]]) -> Reply,
}

const fn command(
    name: &'static str,
    arguments: (usize, usize),
    run: fn(&mut Keys, &State, &[&[u8]]) -> Reply,
) -> Command {
    Command { name, arguments, run }
}

/// Any number of arguments.
const MANY: usize = ARGUMENTS_MAX;

/// What the server understands.
pub(super) const COMMANDS: &[Command] = &[
    command("GET", (1, 1), |keys, state, args| keys.get(state, args[0]).map_or(Reply::Nil, Reply::Bulk)),
    command("MGET", (1, MANY), |keys, state, args| {
        Reply::List(args.iter().map(|key| keys.get(state, key).map_or(Reply::Nil, Reply::Bulk)).collect())
    }),
    command("SET", (2, 5), |keys, state, args| set(keys, state, args).unwrap_or_else(|wrong| wrong)),
    command("SETEX", (3, 3), |keys, state, args| put_for(keys, state, args, SECOND).unwrap_or_else(|wrong| wrong)),
    command("PSETEX", (3, 3), |keys, state, args| {
        put_for(keys, state, args, MILLISECOND).unwrap_or_else(|wrong| wrong)
    }),
    command("DEL", (1, MANY), |keys, state, args| {
        Reply::Integer(args.iter().filter(|key| keys.remove(state.now(), key)).count() as i64)
    }),
    command("EXISTS", (1, MANY), |keys, state, args| {
        Reply::Integer(args.iter().filter(|key| keys.find(state.now(), key).is_some()).count() as i64)
    }),
    command("INCR", (1, 1), |keys, state, args| add(keys, state, args[0], 1).unwrap_or_else(|wrong| wrong)),
    command("DECR", (1, 1), |keys, state, args| add(keys, state, args[0], -1).unwrap_or_else(|wrong| wrong)),
    command("INCRBY", (2, 2), |keys, state, args| {
        number(args[1]).and_then(|by| add(keys, state, args[0], by)).unwrap_or_else(|wrong| wrong)
    }),
    command("EXPIRE", (2, 2), |keys, state, args| match number(args[1]) {
        Err(wrong) => wrong,
        Ok(seconds) => {
            let now = state.now();
            let until = now.saturating_add(u64::try_from(seconds).unwrap_or(0).saturating_mul(SECOND));
            Reply::Integer(keys.find(now, args[0]).map(|entry| entry.until = Some(until)).is_some().into())
        }
    }),
    command("TTL", (1, 1), |keys, state, args| keys.time_left(state.now(), args[0], SECOND)),
    command("PTTL", (1, 1), |keys, state, args| keys.time_left(state.now(), args[0], MILLISECOND)),
    command("PING", (0, 1), |_, _, args| args.first().map_or(Reply::Simple("PONG"), |text| Reply::Bulk(text.to_vec()))),
    command("ECHO", (1, 1), |_, _, args| Reply::Bulk(args[0].to_vec())),
    command("INFO", (0, MANY), |keys, state, _| Reply::Bulk(state.redis.info(keys).into_bytes())),
    command("DBSIZE", (0, 0), |keys, _, _| Reply::Integer(keys.entries.len() as i64)),
    command("FLUSHDB", (0, 1), |keys, _, _| keys.clear()),
    command("FLUSHALL", (0, 1), |keys, _, _| keys.clear()),
    command("SELECT", (1, 1), |_, _, args| match args[0] {
        b"0" => Reply::Simple("OK"),
        _ => Reply::Error("ERR DB index is out of range".to_owned()),
    }),
];

/// The keys, and how often they were asked for.
#[derive(Debug, Default)]
pub(super) struct Redis {
    keys: Mutex<Keys>,
    commands: AtomicU64,
    hits: AtomicU64,
    misses: AtomicU64,
    clients: AtomicU64,
}

impl Redis {
    pub(super) fn reset(&self) {
        lock(&self.keys).clear();
        [&self.commands, &self.hits, &self.misses].iter().for_each(|count| count.store(0, Relaxed));
    }

    /// As Redis' own INFO has it, as far as there is something to tell.
    fn info(&self, keys: &Keys) -> String {
        let count = |count: &AtomicU64| count.load(Relaxed);
        format!(
            "# Server\r\nredis_version:0.0.0\r\nserver_name:loadr lab\r\n# Clients\r\nconnected_clients:{}\r\n\
             # Memory\r\nused_memory:{}\r\nmaxmemory:{MEMORY_MAX}\r\n# Stats\r\ntotal_commands_processed:{}\r\n\
             keyspace_hits:{}\r\nkeyspace_misses:{}\r\n# Keyspace\r\ndb0:keys={}\r\n",
            count(&self.clients),
            keys.bytes,
            count(&self.commands),
            count(&self.hits),
            count(&self.misses),
            keys.entries.len(),
        )
    }
}

#[derive(Debug, Default)]
struct Keys {
    entries: HashMap<Vec<u8>, Entry, ahash::RandomState>,
    bytes: usize,
}

#[derive(Debug)]
struct Entry {
    value: Vec<u8>,
    until: Option<Nanos>,
}

/// What is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Reply {
    Simple(&'static str),
    Error(String),
    Integer(i64),
    Bulk(Vec<u8>),
    Nil,
    List(Vec<Reply>),
}

impl Reply {
    fn write(&self, out: &mut Vec<u8>) {
        let mut line = |mark: char, text: &str| out.extend_from_slice(format!("{mark}{text}\r\n").as_bytes());
        match self {
            Self::Simple(text) => line('+', text),
            Self::Error(text) => line('-', text),
            Self::Integer(number) => line(':', &number.to_string()),
            Self::Nil => line('$', "-1"),
            Self::Bulk(bytes) => {
                line('$', &bytes.len().to_string());
                out.extend_from_slice(bytes);
                out.extend_from_slice(b"\r\n");
            }
            Self::List(items) => {
                line('*', &items.len().to_string());
                items.iter().for_each(|item| item.write(out));
            }
        }
    }
}

impl Keys {
    /// What is there; what has expired is taken away.
    fn find(&mut self, now: Nanos, key: &[u8]) -> Option<&mut Entry> {
        let is_over = self.entries.get(key)?.until.is_some_and(|until| until <= now);
        if is_over {
            self.remove(now, key);
            return None;
        }
        self.entries.get_mut(key)
    }

    fn get(&mut self, state: &State, key: &[u8]) -> Option<Vec<u8>> {
        let value = self.find(state.now(), key).map(|entry| entry.value.clone());
        let count = if value.is_some() { &state.redis.hits } else { &state.redis.misses };
        count.fetch_add(1, Relaxed);
        value
    }

    fn put(&mut self, key: &[u8], value: Vec<u8>, until: Option<Nanos>) -> Reply {
        let before = self.entries.get(key).map_or(0, |entry| key.len() + entry.value.len());
        let bytes = self.bytes - before + key.len() + value.len();
        if bytes > MEMORY_MAX {
            return Reply::Error("OOM command not allowed when used memory > 'maxmemory'.".to_owned());
        }
        self.bytes = bytes;
        self.entries.insert(key.to_vec(), Entry { value, until });
        Reply::Simple("OK")
    }

    /// Whether it was there.
    fn remove(&mut self, now: Nanos, key: &[u8]) -> bool {
        let Some(entry) = self.entries.remove(key) else { return false };
        self.bytes -= key.len() + entry.value.len();
        entry.until.is_none_or(|until| until > now)
    }

    /// −2 for a key that is not there, −1 for one that stays.
    fn time_left(&mut self, now: Nanos, key: &[u8], unit: Nanos) -> Reply {
        Reply::Integer(match self.find(now, key) {
            None => -2,
            Some(Entry { until: None, .. }) => -1,
            Some(Entry { until: Some(until), .. }) => ((*until - now).div_ceil(unit)) as i64,
        })
    }

    fn clear(&mut self) -> Reply {
        *self = Self::default();
        Reply::Simple("OK")
    }
}

fn number(bytes: &[u8]) -> Result<i64, Reply> {
    let number = std::str::from_utf8(bytes).ok().and_then(|text| text.parse().ok());
    number.ok_or_else(|| Reply::Error("ERR value is not an integer or out of range".to_owned()))
}

fn until(state: &State, time: &[u8], unit: Nanos) -> Result<Nanos, Reply> {
    match u64::try_from(number(time)?) {
        Ok(time @ 1..) => Ok(state.now().saturating_add(time.saturating_mul(unit))),
        _ => Err(Reply::Error("ERR invalid expire time".to_owned())),
    }
}

fn put_for(keys: &mut Keys, state: &State, args: &[&[u8]], unit: Nanos) -> Result<Reply, Reply> {
    let until = until(state, args[1], unit)?;
    Ok(keys.put(args[0], args[2].to_vec(), Some(until)))
}

fn set(keys: &mut Keys, state: &State, args: &[&[u8]]) -> Result<Reply, Reply> {
    let (mut ends, mut options) = (None, args[2..].iter());
    while let Some(option) = options.next() {
        let there = keys.find(state.now(), args[0]).is_some();
        let mut time = |unit| match options.next() {
            Some(time) => until(state, time, unit).map(Some),
            None => Err(syntax()),
        };
        match option.to_ascii_uppercase().as_slice() {
            b"EX" => ends = time(SECOND)?,
            b"PX" => ends = time(MILLISECOND)?,
            b"NX" if there => return Ok(Reply::Nil),
            b"XX" if !there => return Ok(Reply::Nil),
            b"NX" | b"XX" => {}
            _ => return Err(syntax()),
        }
    }
    Ok(keys.put(args[0], args[1].to_vec(), ends))
}

fn syntax() -> Reply {
    Reply::Error("ERR syntax error".to_owned())
}

fn add(keys: &mut Keys, state: &State, key: &[u8], by: i64) -> Result<Reply, Reply> {
    let entry = keys.find(state.now(), key);
    let (before, until) = match entry {
        Some(entry) => (number(&entry.value)?, entry.until),
        None => (0, None),
    };
    let Some(sum) = before.checked_add(by) else {
        return Err(Reply::Error("ERR increment or decrement would overflow".to_owned()));
    };
    match keys.put(key, sum.to_string().into_bytes(), until) {
        Reply::Simple(_) => Ok(Reply::Integer(sum)),
        refused => Err(refused),
    }
}

/// Serves until dropped or aborted.
pub(super) async fn serve(listener: TcpListener, state: Shared) {
    accept::each(listener, CONNECTIONS_MAX, |stream| {
        let state = state.clone();
        async move {
            state.redis.clients.fetch_add(1, Relaxed);
            // All errors of a connection show to its peer.
            let _ = converse(stream, &state).await;
            state.redis.clients.fetch_sub(1, Relaxed);
        }
    })
    .await;
}

async fn converse(mut stream: TcpStream, state: &State) -> io::Result<()> {
    let (mut received, mut out) = (Vec::new(), Vec::new());
    loop {
        if stream.read_buf(&mut received).await? == 0 {
            return Ok(());
        }
        let mut used = 0;
        loop {
            match parse(&received[used..]) {
                Ok(Some((arguments, length))) => {
                    answer(state, &arguments).write(&mut out);
                    used += length;
                }
                Ok(None) if received.len() - used <= COMMAND_BYTES_MAX => break,
                Ok(None) | Err(()) => {
                    Reply::Error("ERR Protocol error".to_owned()).write(&mut out);
                    stream.write_all(&out).await?;
                    return stream.shutdown().await;
                }
            }
        }
        received.drain(..used);
        stream.write_all(&out).await?;
        out.clear();
    }
}

fn answer(state: &State, arguments: &[&[u8]]) -> Reply {
    state.redis.commands.fetch_add(1, Relaxed);
    let Some((name, arguments)) = arguments.split_first() else { return syntax() };
    let Some(row) = COMMANDS.iter().find(|row| row.name.as_bytes().eq_ignore_ascii_case(name)) else {
        let name = String::from_utf8_lossy(&name[..name.len().min(64)]).replace(['\r', '\n'], " ");
        return Reply::Error(format!("ERR unknown command '{name}'"));
    };
    if !(row.arguments.0..=row.arguments.1).contains(&arguments.len()) {
        let name = row.name.to_lowercase();
        return Reply::Error(format!("ERR wrong number of arguments for '{name}' command"));
    }
    (row.run)(&mut lock(&state.redis.keys), state, arguments)
}

/// The arguments of a command, and its length; none if it is not whole.
type Parsed<'a> = Option<(Vec<&'a [u8]>, usize)>;

fn parse(bytes: &[u8]) -> Result<Parsed<'_>, ()> {
    let Some((count, mut at)) = header(bytes, b'*')? else { return Ok(None) };
    if count > ARGUMENTS_MAX {
        return Err(());
    }
    let mut arguments = Vec::with_capacity(count.min(16));
    for _ in 0..count {
        let Some((length, used)) = header(&bytes[at..], b'$')? else { return Ok(None) };
        if length > COMMAND_BYTES_MAX {
            return Err(());
        }
        at += used;
        let Some(argument) = bytes.get(at..at + length) else { return Ok(None) };
        match bytes.get(at + length..at + length + 2) {
            None => return Ok(None),
            Some(b"\r\n") => at += length + 2,
            Some(_) => return Err(()),
        }
        arguments.push(argument);
    }
    Ok(Some((arguments, at)))
}

/// A mark and a number on a line, and the line's length.
fn header(bytes: &[u8], mark: u8) -> Result<Option<(usize, usize)>, ()> {
    /// Digits of the largest number that makes sense, with the marks around it.
    const LINE_BYTES_MAX: usize = 16;
    match bytes.first() {
        None => return Ok(None),
        Some(&first) if first != mark => return Err(()),
        Some(_) => {}
    }
    let Some(end) = bytes.iter().take(LINE_BYTES_MAX).position(|&byte| byte == b'\n') else {
        return if bytes.len() < LINE_BYTES_MAX { Ok(None) } else { Err(()) };
    };
    let digits = bytes[1..end].strip_suffix(b"\r").ok_or(())?;
    let number = std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok()).ok_or(())?;
    Ok(Some((number, end + 1)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::lab::LabOptions;

    fn state() -> State {
        State::new(LabOptions::default()).expect("a state")
    }

    fn said(state: &State, line: &str) -> String {
        let arguments: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
        let mut out = Vec::new();
        answer(state, &arguments).write(&mut out);
        String::from_utf8(out).expect("text").replace("\r\n", " ").trim_end().to_owned()
    }

    #[test]
    fn it_answers_as_redis_does() {
        let state = state();
        for (line, expected) in [
            ("PING", "+PONG"),
            ("GET a", "$-1"),
            ("SET a 1", "+OK"),
            ("get a", "$1 1"),
            ("INCR a", ":2"),
            ("INCRBY a 40", ":42"),
            ("DECR a", ":41"),
            ("TTL a", ":-1"),
            ("EXPIRE a 100", ":1"),
            ("TTL a", ":100"),
            ("TTL nothing", ":-2"),
            ("SET b text", "+OK"),
            ("INCR b", "-ERR value is not an integer or out of range"),
            ("SET b new NX", "$-1"),
            ("SET c new XX", "$-1"),
            ("SET b new XX EX 10", "+OK"),
            ("SET b new EX", "-ERR syntax error"),
            ("SETEX b 0 x", "-ERR invalid expire time"),
            ("PSETEX b 5000 x", "+OK"),
            ("MGET a b c", "*3 $2 41 $1 x $-1"),
            ("EXISTS a b c", ":2"),
            ("DEL a b c", ":2"),
            ("DBSIZE", ":0"),
            ("GET", "-ERR wrong number of arguments for 'get' command"),
            ("HGET a b", "-ERR unknown command 'HGET'"),
        ] {
            assert_eq!(said(&state, line), expected, "{line}");
        }
        let info = said(&state, "INFO");
        assert!(info.contains("keyspace_hits:3 keyspace_misses:2"), "{info}");
        state.redis.reset();
        assert!(said(&state, "INFO").contains("keyspace_hits:0 keyspace_misses:0"));
    }

    #[test]
    fn what_has_expired_is_not_there() {
        let state = state();
        said(&state, "PSETEX a 1 x");
        while state.now() < 3 * MILLISECOND {
            std::thread::yield_now();
        }
        assert_eq!(said(&state, "GET a"), "$-1");
        let mut keys = lock(&state.redis.keys);
        keys.put(b"b", vec![1], Some(10));
        assert!(!keys.remove(10, b"b"));
        assert_eq!(keys.bytes, 0);
    }

    #[test]
    fn memory_is_bounded() {
        let mut keys = Keys { bytes: MEMORY_MAX - 5, ..Keys::default() };
        assert_eq!(keys.put(b"ab", vec![0; 3], None), Reply::Simple("OK"));
        assert!(matches!(keys.put(b"c", vec![], None), Reply::Error(text) if text.starts_with("OOM ")));
    }

    proptest! {
        #[test]
        fn a_command_is_read_whole_and_byte_by_byte(arguments in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..9), 1..5)) {
            let mut wire = Vec::new();
            crate::redis::write_count(&mut wire, arguments.len());
            arguments.iter().for_each(|argument| crate::redis::write_argument(&mut wire, argument));
            for length in 0..wire.len() {
                prop_assert_eq!(parse(&wire[..length]), Ok(None));
            }
            let (read, length) = parse(&wire).expect("a command").expect("a whole one");
            prop_assert_eq!(read, arguments);
            prop_assert_eq!(length, wire.len());
        }

        #[test]
        fn no_bytes_break_the_reader(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let _ = parse(&[b"*2\r\n$3\r\n", &bytes[..]].concat());
            let _ = parse(&bytes);
        }
    }
}
