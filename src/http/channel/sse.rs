//! The format of event streams (HTML standard, section 9.2.6), read from pieces of any size. Pure.

/// An event as it was dispatched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::http) struct Event {
    /// Its type; `message` where none was given.
    pub(in crate::http) event: String,
    /// Its lines of data, a line feed between them.
    pub(in crate::http) data: String,
    /// The last event id at that point.
    pub(in crate::http) id: String,
}

/// Reads one stream.
#[derive(Debug)]
pub(in crate::http) struct Parser {
    /// The line under way.
    line: Vec<u8>,
    /// The last line ended with a CR: an LF that follows belongs to it.
    after_cr: bool,
    /// No line has ended yet: a byte order mark may be there.
    is_first: bool,
    event: String,
    data: String,
    has_data: bool,
    last_id: String,
    retry_ms: Option<u64>,
    bytes_max: usize,
}

/// A line, or an event's data, is longer than allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) struct TooLong;

impl Parser {
    /// A parser at a stream's start. Lines and data beyond `bytes_max` are an error.
    pub(in crate::http) fn new(bytes_max: usize) -> Self {
        Self {
            line: Vec::new(),
            after_cr: false,
            is_first: true,
            event: String::new(),
            data: String::new(),
            has_data: false,
            last_id: String::new(),
            retry_ms: None,
            bytes_max,
        }
    }

    /// The reconnection time that was asked for last, in milliseconds.
    pub(in crate::http) fn retry_ms(&self) -> Option<u64> {
        self.retry_ms
    }

    /// Takes the next bytes and gives each event that is whole with them.
    ///
    /// # Errors
    /// [`TooLong`]; the stream is of no further use.
    pub(in crate::http) fn feed(&mut self, mut bytes: &[u8], mut dispatch: impl FnMut(Event)) -> Result<(), TooLong> {
        while let Some(&first) = bytes.first() {
            if std::mem::take(&mut self.after_cr) && first == b'\n' {
                bytes = &bytes[1..];
                continue;
            }
            let end = memchr::memchr2(b'\r', b'\n', bytes);
            let part = &bytes[..end.unwrap_or(bytes.len())];
            if self.line.len() + part.len() > self.bytes_max {
                return Err(TooLong);
            }
            self.line.extend_from_slice(part);
            let Some(end) = end else { return Ok(()) };
            self.after_cr = bytes[end] == b'\r';
            bytes = &bytes[end + 1..];
            let line = std::mem::take(&mut self.line);
            if let Some(event) = self.line(&line)? {
                dispatch(event);
            }
            self.line = line;
            self.line.clear();
        }
        Ok(())
    }

    fn line(&mut self, line: &[u8]) -> Result<Option<Event>, TooLong> {
        let mut line = line;
        if std::mem::take(&mut self.is_first) {
            line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
        }
        if line.is_empty() {
            return Ok(self.dispatch());
        }
        let (field, value) = match memchr::memchr(b':', line) {
            Some(0) => return Ok(None),
            Some(colon) => (&line[..colon], line[colon + 1..].strip_prefix(b" ").unwrap_or(&line[colon + 1..])),
            None => (line, &b""[..]),
        };
        match field {
            b"data" => {
                let value = String::from_utf8_lossy(value);
                if self.data.len() + value.len() > self.bytes_max {
                    return Err(TooLong);
                }
                if std::mem::replace(&mut self.has_data, true) {
                    self.data.push('\n');
                }
                self.data.push_str(&value);
            }
            b"event" => self.event = String::from_utf8_lossy(value).into_owned(),
            b"id" if !value.contains(&0) => self.last_id = String::from_utf8_lossy(value).into_owned(),
            b"retry" if !value.is_empty() && value.iter().all(u8::is_ascii_digit) => {
                // Digits are UTF-8; a number beyond 64 bits is ignored as any other nonsense.
                self.retry_ms =
                    std::str::from_utf8(value).ok().and_then(|digits| digits.parse().ok()).or(self.retry_ms);
            }
            _ => {}
        }
        Ok(None)
    }

    fn dispatch(&mut self) -> Option<Event> {
        let event = std::mem::take(&mut self.event);
        let data = std::mem::take(&mut self.data);
        std::mem::take(&mut self.has_data).then(|| Event {
            event: if event.is_empty() { "message".to_owned() } else { event },
            data,
            id: self.last_id.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn events(pieces: &[&[u8]]) -> Vec<Event> {
        let (mut parser, mut events) = (Parser::new(1_000), Vec::new());
        for piece in pieces {
            parser.feed(piece, |event| events.push(event)).expect("it is short");
        }
        events
    }

    fn shown(stream: &str) -> Vec<(String, String, String)> {
        events(&[stream.as_bytes()]).into_iter().map(|event| (event.event, event.data, event.id)).collect()
    }

    #[test]
    fn events_are_read_as_the_standard_says() {
        let event = |event: &str, data: &str, id: &str| (event.to_owned(), data.to_owned(), id.to_owned());
        for (stream, expected, why) in [
            ("data: YHOO\ndata: +2\ndata: 10\n\n", vec![event("message", "YHOO\n+2\n10", "")], "lines are joined"),
            (": test stream\n\ndata: first\nid: 1\n\n", vec![event("message", "first", "1")], "comments say nothing"),
            ("data:second\nid\n\n", vec![event("message", "second", "")], "a field without a colon is empty"),
            ("data:  third\n\n", vec![event("message", " third", "")], "one space alone is taken off"),
            ("data\n\ndata\ndata\n\ndata:", vec![event("message", "", ""), event("message", "\n", "")], "unfinished"),
            (
                "data:a\r\n\r\ndata:b\r\rdata:c\n\n",
                "abc".chars().map(|c| event("message", &c.to_string(), "")).collect(),
                "all ends of lines",
            ),
            ("\u{feff}data: x\n\n", vec![event("message", "x", "")], "a byte order mark"),
            (
                "event: add\ndata: 1\n\ndata: 2\n\n",
                vec![event("add", "1", ""), event("message", "2", "")],
                "a type holds once",
            ),
            ("event: add\n\ndata: 2\n\n", vec![event("message", "2", "")], "a type without data is forgotten"),
            (
                "id: 7\ndata: 1\n\ndata: 2\n\n",
                vec![event("message", "1", "7"), event("message", "2", "7")],
                "an id stays",
            ),
            ("id: 7\nid: 8\0\ndata: 1\n\n", vec![event("message", "1", "7")], "an id with NUL is ignored"),
            ("Data: x\nfoo: bar\n\n", vec![], "unknown fields, and case matters"),
        ] {
            assert_eq!(shown(stream), expected, "{why}");
        }
    }

    #[test]
    fn a_reconnection_time_is_digits() {
        let mut parser = Parser::new(100);
        for (line, expected) in [
            ("retry: 250\n", Some(250)),
            ("retry: 1s\n", Some(250)),
            ("retry:\n", Some(250)),
            ("retry: 99999999999999999999\n", Some(250)),
            ("retry: 7\n", Some(7)),
        ] {
            parser.feed(line.as_bytes(), |_| panic!("no event")).expect("it is short");
            assert_eq!(parser.retry_ms(), expected, "{line}");
        }
    }

    #[test]
    fn lines_and_data_are_bounded() {
        for stream in ["x".repeat(101), format!(":{}", "x".repeat(100)), "data: 0123456789\n".repeat(11)] {
            let mut parser = Parser::new(100);
            assert_eq!(parser.feed(stream.as_bytes(), |_| {}), Err(TooLong));
            assert!(parser.line.len() <= 100 && parser.data.len() <= 111);
        }
    }

    proptest! {
        #[test]
        fn how_reads_are_split_changes_nothing(
            stream in proptest::collection::vec(
                prop_oneof![
                    Just("data"), Just(":"), Just(" "), Just("\n"), Just("\r"), Just("\r\n"), Just("id"), Just("event"),
                    Just("retry"), Just("1"), Just("é"), Just("\u{feff}"), Just("\0"), Just("\n\n"),
                ],
                0..60,
            ),
            cut in 0usize..200,
        ) {
            let stream = stream.concat();
            let bytes = stream.as_bytes();
            let whole = events(&[bytes]);
            let bytewise: Vec<&[u8]> = bytes.chunks(1).collect();
            prop_assert_eq!(&events(&bytewise), &whole);
            let (one, other) = bytes.split_at(cut.min(bytes.len()));
            prop_assert_eq!(&events(&[one, other]), &whole);
        }
    }
}
