//! What the errors of HTTP/2 mean for an exchange.

use ::h2::{Error, Reason};

use super::wire::Traffic;
use crate::{
    http::system,
    protocol::{ErrorKind, Failure},
};

/// The failure of a connection, or of a stream that knows no better.
pub fn of_connection(error: &Error, traffic: &Traffic) -> Failure {
    if traffic.is_foreign.get() {
        let detail = "the target's first bytes are not HTTP/2: does it speak HTTP/1.1 only?";
        return Failure::new(ErrorKind::Http2NotSpoken, detail);
    }
    if let Some(io) = error.get_io() {
        if traffic.has_ended.get() {
            return Failure::new(ErrorKind::Closed, "closed without an answer");
        }
        return Failure::new(system::while_connected(io), io.to_string());
    }
    let reason = error.reason().unwrap_or(Reason::NO_ERROR);
    let named = name(reason);
    match (error.is_remote(), error.is_go_away(), error.is_reset()) {
        (true, true, _) => Failure::new(ErrorKind::GoAway, format!("the target said GOAWAY ({named}){}", said(error))),
        (true, _, true) => Failure::new(ErrorKind::StreamReset, format!("the target reset the stream ({named})")),
        _ if error.is_library() => Failure::new(ErrorKind::Protocol, format!("the target broke HTTP/2 ({named})")),
        _ => Failure::new(ErrorKind::Io, error.to_string()),
    }
}

/// What the server gave as a reason, in its own words; a part of what `h2` says of the error.
fn said(error: &Error) -> String {
    let text = error.to_string();
    let words = text.split_once(" (b\"").and_then(|(_, words)| words.strip_suffix("\")"));
    words.map_or_else(String::new, |words| format!(", saying \"{}\"", words.chars().take(200).collect::<String>()))
}

/// The name of a reason in RFC 9113, section 7.
fn name(reason: Reason) -> String {
    const NAMES: [&str; 14] = [
        "NO_ERROR",
        "PROTOCOL_ERROR",
        "INTERNAL_ERROR",
        "FLOW_CONTROL_ERROR",
        "SETTINGS_TIMEOUT",
        "STREAM_CLOSED",
        "FRAME_SIZE_ERROR",
        "REFUSED_STREAM",
        "CANCEL",
        "COMPRESSION_ERROR",
        "CONNECT_ERROR",
        "ENHANCE_YOUR_CALM",
        "INADEQUATE_SECURITY",
        "HTTP_1_1_REQUIRED",
    ];
    let code = u32::from(reason);
    let known = usize::try_from(code).ok().and_then(|at| NAMES.get(at));
    known.map_or_else(|| format!("code {code}"), |&name| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_have_the_names_of_the_standard() {
        for (reason, expected) in [
            (Reason::NO_ERROR, "NO_ERROR"),
            (Reason::REFUSED_STREAM, "REFUSED_STREAM"),
            (Reason::HTTP_1_1_REQUIRED, "HTTP_1_1_REQUIRED"),
            (Reason::from(77), "code 77"),
        ] {
            assert_eq!(name(reason), expected);
        }
    }
}
