//! A request as a line for a shell: `curl` sends it again.
//!
//! What was taken out of it becomes a variable: `$TOKEN` in fields of authorization, `$COOKIE` for all cookies,
//! `$SECRET` elsewhere. The line is one of POSIX's shell whatever a script or a server put into the request, and holds
//! no character that does anything to a terminal.

use std::fmt::Write;

use crate::{
    measure::{MASK, SentRequest, plain_text},
    protocol::ACCEPTED_CODINGS,
};

/// The line for a request to the target at `url`. `verified`: certificates were.
pub(super) fn line(request: &SentRequest, url: &str, verified: bool) -> String {
    let is_http = url.is_empty() || url.starts_with("http");
    if request.path.is_empty() && is_http {
        return "# the head of the request was too large to be kept".to_owned();
    }
    let url = url::Url::parse(url).ok();
    if let Some(url) = url.as_ref().filter(|url| !matches!(url.scheme(), "http" | "https")) {
        return of_database(request, url);
    }
    let origin = url.as_ref().map_or_else(String::new, |url| url.origin().ascii_serialization());
    let is_secure = origin.starts_with("https:");
    let is_head = request.method == "HEAD";
    let mut line = String::from(if is_head { "curl -sSI" } else { "curl -sSi" });
    if !verified {
        line.push_str(" -k");
    }
    match (is_secure, request.http2) {
        (true, false) => line.push_str(" --http1.1"),
        (false, true) => line.push_str(" --http2-prior-knowledge"),
        _ => {}
    }
    if request.redirects > 0 {
        let _ = write!(line, " -L --max-redirs {}", request.redirects);
    }
    let implied = if request.body_bytes > 0 { "POST" } else { "GET" };
    if !is_head && request.method != implied {
        let _ = write!(line, " -X {}", quoted(&request.method, "SECRET"));
    }
    let address = format!("{origin}{}", request.path);
    // curl would take brackets and braces for patterns, and dots for steps up.
    if address.contains(['[', ']', '{', '}']) {
        line.push_str(" -g");
    }
    if request.path.contains("/.") {
        line.push_str(" --path-as-is");
    }
    let _ = write!(line, " {}", quoted(&address, "SECRET"));
    fields(&mut line, request, origin.rsplit('/').next().unwrap_or_default());
    body(line, request)
}

/// A command of Redis for its own client. Its arguments are written as a shell takes them already.
fn of_database(request: &SentRequest, url: &url::Url) -> String {
    let command = format!("{} {}", request.method, request.path);
    let command = plain_text(command.trim_end());
    if request.method == "PIPELINE" {
        return format!("# redis-cli -u {url}: {}", plain_text(&request.path));
    }
    match url.scheme() {
        "redis" | "rediss" => {}
        // The statement with its parameters behind it, as a comment of SQL.
        scheme => {
            let client = if scheme.starts_with("postgres") { "psql" } else { "mariadb" };
            return format!("# {client}, {url}: {}", plain_text(&request.path));
        }
    }
    format!("redis-cli -u {} {command}", quoted(url.as_str(), "SECRET"))
}

fn fields(line: &mut String, request: &SentRequest, authority: &str) {
    let has = |wanted: &str| request.fields.iter().any(|(name, _)| name.eq_ignore_ascii_case(wanted));
    for (name, value) in &request.fields {
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        // What curl does by itself.
        if (is("host") && value == authority) || (is("accept") && value == "*/*") {
            continue;
        }
        if is("accept-encoding") && value == ACCEPTED_CODINGS {
            line.push_str(" --compressed");
            continue;
        }
        let (value, variable) = match () {
            () if is("cookie") && value.contains(MASK) => (MASK, "COOKIE"),
            () if is("authorization") || is("proxy-authorization") => (value.as_str(), "TOKEN"),
            () => (value.as_str(), "SECRET"),
        };
        let field = if value.is_empty() { format!("{name};") } else { format!("{name}: {value}") };
        let _ = write!(line, " -H {}", quoted(&field, variable));
    }
    if request.body_bytes > 0 && !has("content-type") {
        // It would be called a form.
        line.push_str(" -H 'content-type:'");
    }
    if request.body_bytes == 0 && matches!(request.method.as_str(), "POST" | "PUT" | "PATCH") {
        line.push_str(" -H 'content-length: 0'");
    }
}

fn body(mut line: String, request: &SentRequest) -> String {
    match &request.body {
        _ if request.body_bytes == 0 => line,
        None => {
            let bytes = request.body_bytes;
            let _ = write!(line, " --data-binary @body.bin # the body, {bytes} bytes, is not kept here");
            line
        }
        Some(body) if plain_text(body) == *body => {
            let _ = write!(line, " --data-raw {}", quoted(body, "SECRET"));
            line
        }
        Some(body) => format!("{} | {line} --data-binary @-", printed(body)),
    }
}

/// One argument, whatever is in it; what was taken out is `variable`.
fn quoted(text: &str, variable: &str) -> String {
    let text = plain_text(text);
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text;
    }
    let parts = text.split(MASK).map(|part| match part {
        "" => String::new(),
        part => format!("'{}'", part.replace('\'', r"'\''")),
    });
    let joined = parts.collect::<Vec<_>>().join(&format!("\"${variable}\""));
    if joined.is_empty() { "''".to_owned() } else { joined }
}

/// A command that prints a text with characters that have no place in a line.
fn printed(text: &str) -> String {
    let mut format = String::new();
    let mut arguments = String::new();
    for (at, part) in text.split(MASK).enumerate() {
        if at > 0 {
            format.push_str("%s");
            arguments.push_str(" \"$SECRET\"");
        }
        for c in part.chars() {
            match c {
                '%' => format.push_str("%%"),
                '\\' => format.push_str(r"\\"),
                '\'' => format.push_str(r"'\''"),
                c if plain_text(c.encode_utf8(&mut [0; 4])).starts_with(c) => format.push(c),
                c => {
                    for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                        let _ = write!(format, "\\{byte:03o}");
                    }
                }
            }
        }
    }
    let ends_options = if format.starts_with('-') { "-- " } else { "" };
    format!("printf {ends_options}'{format}'{arguments}")
}

/// Options that stay with what follows them.
const WITH_VALUE: [&str; 5] = ["-H", "-X", "--max-redirs", "--data-raw", "--data-binary"];

/// The arguments of a line that [`line`] made, each with its quotes, an option with its value; a comment is one.
pub(super) fn arguments(line: &str) -> Vec<&str> {
    let mut all = Vec::new();
    let (mut start, mut quote, mut escaped) = (0, None, false);
    for (at, c) in line.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quote != Some('\'') => escaped = true,
            '#' if quote.is_none() && at == start => break,
            '\'' | '"' if quote.is_none() => quote = Some(c),
            c if quote == Some(c) => quote = None,
            ' ' if quote.is_none() && !WITH_VALUE.contains(&&line[start..at]) => {
                all.push(&line[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    all.push(&line[start..]);
    all
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use proptest::prelude::*;

    use super::*;

    fn get(path: &str, fields: &[(&str, &str)]) -> SentRequest {
        SentRequest {
            method: "GET".into(),
            path: path.into(),
            fields: fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            ..SentRequest::default()
        }
    }

    fn post(body: &str) -> SentRequest {
        SentRequest {
            method: "POST".into(),
            body: Some(body.to_owned()),
            body_bytes: body.len() as u64,
            ..get("/a", &[("content-type", "text/plain")])
        }
    }

    #[test]
    fn lines_say_what_curl_does_not_do_by_itself() {
        let url = "http://shop.test:8080/";
        let https = "https://shop.test/prefix";
        let fields = [("host", "shop.test:8080"), ("accept", "*/*"), ("user-agent", "loadr/1"), ("x-empty", "")];
        let with = |change: &dyn Fn(&mut SentRequest), mut request: SentRequest| {
            change(&mut request);
            request
        };
        for (request, url, expected) in [
            (
                get("/a?b=c&d", &fields),
                url,
                "curl -sSi 'http://shop.test:8080/a?b=c&d' -H 'user-agent: loadr/1' -H 'x-empty;'",
            ),
            (get("/a", &[("host", "other")]), url, "curl -sSi http://shop.test:8080/a -H 'host: other'"),
            (get("/a", &[]), https, "curl -sSi --http1.1 https://shop.test/a"),
            (with(&|it| it.http2 = true, get("/a", &[])), https, "curl -sSi https://shop.test/a"),
            (
                with(&|it| it.http2 = true, get("/a", &[])),
                url,
                "curl -sSi --http2-prior-knowledge http://shop.test:8080/a",
            ),
            (with(&|it| it.redirects = 3, get("/a", &[])), url, "curl -sSi -L --max-redirs 3 http://shop.test:8080/a"),
            (with(&|it| it.method = "HEAD".into(), get("/a", &[])), url, "curl -sSI http://shop.test:8080/a"),
            (with(&|it| it.method = "PURGE".into(), get("/a", &[])), url, "curl -sSi -X PURGE http://shop.test:8080/a"),
            (get("/a/../{b}[1]", &[]), url, "curl -sSi -g --path-as-is 'http://shop.test:8080/a/../{b}[1]'"),
            (
                get("/a", &[("accept-encoding", ACCEPTED_CODINGS)]),
                url,
                "curl -sSi http://shop.test:8080/a --compressed",
            ),
            (
                with(&|it| it.method = "POST".into(), get("/a", &[])),
                url,
                "curl -sSi -X POST http://shop.test:8080/a -H 'content-length: 0'",
            ),
            (post("a=1"), url, "curl -sSi http://shop.test:8080/a -H 'content-type: text/plain' --data-raw a=1"),
            (
                with(&|it| it.fields.clear(), post("a b")),
                url,
                "curl -sSi http://shop.test:8080/a -H 'content-type:' --data-raw 'a b'",
            ),
            (
                with(&|it| it.body = None, post("a b")),
                url,
                "curl -sSi http://shop.test:8080/a -H 'content-type: text/plain' --data-binary @body.bin \
                 # the body, 3 bytes, is not kept here",
            ),
            (get("", &[]), url, "# the head of the request was too large to be kept"),
        ] {
            assert_eq!(line(&request, url, true), expected);
        }
        assert_eq!(line(&get("/a", &[]), https, false), "curl -sSi -k --http1.1 https://shop.test/a");
    }

    #[test]
    fn what_was_taken_out_is_a_variable() {
        let fields = [("authorization", "Bearer ***"), ("cookie", "sid=***; b=***"), ("x-key", "a***b")];
        let request = SentRequest { fields: get("", &fields).fields, ..post("{\"it's\": \"***\"}") };
        assert_eq!(
            line(&request, "http://a", true),
            "curl -sSi http://a/a -H 'authorization: Bearer '\"$TOKEN\" -H 'cookie: '\"$COOKIE\" \
             -H 'x-key: a'\"$SECRET\"'b' -H 'content-type:' --data-raw '{\"it'\\''s\": \"'\"$SECRET\"'\"}'"
        );
        let lines = post("100%\n***\t\u{202e}\\'");
        assert_eq!(
            line(&lines, "http://a", true),
            "printf '100%%\\012%s\\011\\342\\200\\256\\\\'\\''' \"$SECRET\" | \
             curl -sSi http://a/a -H 'content-type: text/plain' --data-binary @-"
        );
    }

    #[test]
    fn a_line_breaks_between_its_arguments() {
        let request = SentRequest { body: None, ..post("it's \"here\"") };
        assert_eq!(
            arguments(&line(&request, "http://a", true)),
            [
                "curl",
                "-sSi",
                "http://a/a",
                "-H 'content-type: text/plain'",
                "--data-binary @body.bin",
                "# the body, 11 bytes, is not kept here"
            ]
        );
        assert_eq!(arguments(r#"a 'b c'"$D"'e' 'f'\''g h'"#), ["a", r#"'b c'"$D"'e'"#, r"'f'\''g h'"]);
    }

    /// What a real shell makes of a line, with `curl` replaced by a program that shows its arguments and its input.
    fn run(line: &str) -> Vec<u8> {
        let script = format!(
            "curl() {{ for a in \"$@\"; do printf '<%s>' \"$a\"; done; case \"$*\" in *@-) cat;; esac; }}; {line}"
        );
        let output = Command::new("sh").args(["-c", &script]).env("SECRET", "***").output().expect("a shell");
        assert!(output.stderr.is_empty(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn a_shell_gets_each_text_as_it_was(text in "[^\\x00]{1,40}") {
            let shown = String::from_utf8_lossy(&run(&line(&post(&text), "http://a", true))).into_owned();
            let expected = if plain_text(&text) == text { format!("<{text}>") } else { format!("<@->{text}") };
            prop_assert!(shown.ends_with(&expected), "{:?} {:?}", shown, expected);
            let shown = String::from_utf8_lossy(&run(&line(&get("/", &[("x", &text)]), "http://a", true))).into_owned();
            prop_assert!(shown.ends_with(&format!("<x: {}>", plain_text(&text))), "{:?}", shown);
        }
    }
}
