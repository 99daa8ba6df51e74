//! Words of the language that this version cannot carry out: known, and refused with their place.

use rhai::Dynamic;

use super::{
    Receiver::{Global, Request, Target},
    Stages::Both,
    Word,
};
use crate::{plan::Problem, script::call::Call};

const fn word(on: super::Receiver, name: &'static str, args: (usize, usize), about: &'static str) -> Word {
    Word { name, on, args, usage: "nothing: leave it out", about, stages: Both, run: refuse }
}

pub(super) const WORDS: &[Word] = &[
    word(Target, "http2", (0, 0), "HTTP/2."),
    word(Target, "insecure", (0, 0), "TLS without verification."),
    word(Target, "ca", (1, 1), "An own certificate authority."),
    word(Target, "client_cert", (2, 2), "A client certificate."),
    word(Target, "connections", (1, 1), "A fixed number of connections."),
    word(Target, "redirects", (1, 1), "Following redirects."),
    word(Target, "cookies", (0, 1), "A cookie jar for each virtual user."),
    word(Target, "proxy", (1, 1), "A proxy."),
    word(Target, "compressed", (0, 0), "Compressed responses."),
    word(Request, "http2", (0, 0), "HTTP/2 for one request."),
    word(Request, "multipart", (1, 1), "A multipart body."),
    word(Request, "file", (1, 1), "A body from a file."),
    word(Global, "file_part", (2, 3), "A part of a multipart body."),
    word(Global, "css", (1, 1), "Extraction by CSS selector."),
    word(Global, "regex", (1, 1), "Extraction by regular expression."),
    word(Global, "fake", (1, 1), "Made-up names and addresses."),
    word(Global, "process", (1, 2), "Starting the system under test."),
    word(Global, "monitor", (2, 2), "Sampling a process."),
    word(Global, "pid", (1, 1), "A process by its number."),
    word(Global, "process_name", (1, 1), "A process by its name."),
    word(Global, "prometheus", (2, 2), "A Prometheus query."),
    word(Global, "redis_info", (1, 1), "Figures of a Redis server."),
    word(Global, "leak_check", (2, 2), "Judging a monitor's slope."),
    word(Global, "probe", (4, 4), "Sampling a value of a response."),
    word(Global, "baseline", (2, 2), "Comparing with an earlier run."),
    word(Global, "grades", (1, 1), "A grade column."),
];

fn refuse(call: &Call<'_>, receiver: Dynamic, _: Vec<Dynamic>) -> Dynamic {
    call.problem(
        Problem::at(&call.place(), format!("`{}` is not available in this version", call.word.name))
            .label("known, but not yet carried out")
            .help("leave it out: loadr does not ignore what it cannot do"),
    );
    receiver
}
