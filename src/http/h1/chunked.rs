//! The chunked transfer coding (RFC 9112, section 7.1), decoded as it arrives. Pure; holds no bytes.

/// The extensions of one chunk, or the whole trailer, may not be longer, in bytes. Nothing of it is held; the
/// limit keeps a server from sending framing without end.
const OVERHEAD_BYTES_MAX: u32 = 16 * 1024;

/// What the next bytes of the input are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece {
    /// So many bytes of framing, to be skipped.
    Framing(usize),
    /// So many bytes of the body.
    Data(usize),
    /// So many bytes of framing, then the body is whole.
    End(usize),
}

/// Where in the coding the decoder stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before the first digit of a size.
    SizeStart,
    Size,
    /// White space between the size and what follows it.
    SizeEnd,
    Extension,
    SizeLf,
    Data,
    DataCr,
    DataLf,
    /// At the start of a line of the trailer.
    Trailer,
    /// In a line of the trailer that has no colon yet.
    TrailerName,
    TrailerValue,
    TrailerLf,
    EndLf,
    End,
}

/// Decodes one body.
#[derive(Debug, Clone)]
pub struct Decoder {
    state: State,
    /// Of the chunk under way: its size while that is read, then the bytes still to come.
    remaining: u64,
    /// Bytes of the chunk's size line, or of the trailer, that the coding could do without.
    overhead: u32,
}

impl Default for Decoder {
    fn default() -> Self {
        Self { state: State::SizeStart, remaining: 0, overhead: 0 }
    }
}

impl Decoder {
    /// Names the next piece of `input`, at least one byte of it unless `input` is empty. After
    /// [`Piece::End`] everything is `End(0)`.
    ///
    /// # Errors
    /// What is wrong with the coding, for a person.
    pub fn next(&mut self, input: &[u8]) -> Result<Piece, &'static str> {
        if self.state == State::Data {
            let available = u64::try_from(input.len()).unwrap_or(u64::MAX).min(self.remaining);
            self.remaining -= available;
            if self.remaining == 0 {
                self.state = State::DataCr;
            }
            // Not above `input.len()`, so it fits.
            return Ok(Piece::Data(available as usize));
        }
        for (at, &byte) in input.iter().enumerate() {
            if self.state == State::End {
                return Ok(Piece::End(at));
            }
            self.state = self.step(byte)?;
            match self.state {
                State::Data => return Ok(Piece::Framing(at + 1)),
                State::End => return Ok(Piece::End(at + 1)),
                _ => {}
            }
        }
        if self.state == State::End { Ok(Piece::End(0)) } else { Ok(Piece::Framing(input.len())) }
    }

    /// The state after one byte of framing.
    fn step(&mut self, byte: u8) -> Result<State, &'static str> {
        match (self.state, byte) {
            (State::SizeStart | State::Size, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => self.digit(byte),
            (State::SizeStart, _) => Err("a chunk's size is not a hexadecimal number"),
            (State::Size | State::SizeEnd | State::Extension, b'\r') => Ok(State::SizeLf),
            (State::Size | State::SizeEnd, b' ' | b'\t') => self.spend(State::SizeEnd),
            (State::Size | State::SizeEnd, b';') => self.spend(State::Extension),
            (State::Size | State::SizeEnd, _) => Err("a chunk's size is followed by an invalid byte"),
            (State::Extension, b'\n' | 0) => Err("a chunk's extension holds an invalid byte"),
            (State::Extension, _) => self.spend(State::Extension),
            (State::SizeLf, b'\n') if self.remaining == 0 => Ok(State::Trailer),
            (State::SizeLf, b'\n') => Ok(State::Data),
            (State::DataCr, b'\r') => Ok(State::DataLf),
            (State::DataLf, b'\n') => Ok(State::SizeStart),
            (State::DataCr | State::DataLf, _) => Err("a chunk is longer than its size"),
            (State::Trailer, b'\r') => Ok(State::EndLf),
            (State::Trailer, b':') => Err("a field of the trailer has no name"),
            (State::Trailer | State::TrailerName, 0..=b' ' | 0x7f..) => {
                Err("a field of the trailer has an invalid name")
            }
            (State::Trailer, _) => self.spend(State::TrailerName),
            (State::TrailerName, b':') => self.spend(State::TrailerValue),
            (State::TrailerName, _) => self.spend(State::TrailerName),
            (State::TrailerValue, b'\r') => Ok(State::TrailerLf),
            (State::TrailerValue, b'\n' | 0) => Err("a field of the trailer holds an invalid byte"),
            (State::TrailerValue, _) => self.spend(State::TrailerValue),
            (State::TrailerLf, b'\n') => self.spend(State::Trailer),
            (State::EndLf, b'\n') => Ok(State::End),
            (State::SizeLf | State::TrailerLf | State::EndLf, _) => Err("a line of the framing does not end in CRLF"),
            // `next` handles both before it asks.
            (state @ (State::Data | State::End), _) => Ok(state),
        }
    }

    fn digit(&mut self, byte: u8) -> Result<State, &'static str> {
        if self.state == State::SizeStart {
            self.remaining = 0;
            self.overhead = 0;
        } else if self.remaining == 0 {
            // The digit before it was a leading zero.
            self.spend(State::Size)?;
        }
        if self.remaining >> 60 != 0 {
            return Err("a chunk's size is above 2^64");
        }
        let value = match byte {
            b'0'..=b'9' => byte - b'0',
            _ => (byte | 0x20) - b'a' + 10,
        };
        self.remaining = self.remaining << 4 | u64::from(value);
        Ok(State::Size)
    }

    /// Counts one byte of overhead on the way to `state`.
    fn spend(&mut self, state: State) -> Result<State, &'static str> {
        self.overhead += 1;
        if self.overhead > OVERHEAD_BYTES_MAX {
            return Err("the extensions or the trailer of a chunked body are longer than 16 KiB");
        }
        Ok(state)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The body and how many bytes were consumed; `None` for the body while it is not whole.
    fn decode(coded: &[u8]) -> Result<(Option<Vec<u8>>, usize), &'static str> {
        let (mut decoder, mut body, mut at) = (Decoder::default(), Vec::new(), 0);
        while at < coded.len() {
            match decoder.next(&coded[at..])? {
                Piece::Framing(n) => at += n,
                Piece::Data(n) => {
                    body.extend_from_slice(&coded[at..at + n]);
                    at += n;
                }
                Piece::End(n) => return Ok((Some(body), at + n)),
            }
        }
        Ok((None, at))
    }

    /// The body cut into chunks of these sizes, the last of them for the rest.
    fn encode(body: &[u8], sizes: &[usize], extension: &str, trailer: &str) -> Vec<u8> {
        let (mut coded, mut rest, mut sizes) = (Vec::new(), body, sizes.iter());
        while !rest.is_empty() {
            let (chunk, after) = rest.split_at(sizes.next().copied().unwrap_or(rest.len()).clamp(1, rest.len()));
            coded.extend_from_slice(format!("{:x}{extension}\r\n", chunk.len()).as_bytes());
            coded.extend_from_slice(chunk);
            coded.extend_from_slice(b"\r\n");
            rest = after;
        }
        coded.extend_from_slice(format!("0{extension}\r\n{trailer}\r\n").as_bytes());
        coded
    }

    #[test]
    fn bytes_after_the_end_are_left_alone() {
        assert_eq!(decode(b"3\r\nabc\r\n0\r\n\r\nHTTP"), Ok((Some(b"abc".to_vec()), 13)));
    }

    #[test]
    fn sizes_have_sixteen_digits_at_most() {
        let mut decoder = Decoder::default();
        assert_eq!(decoder.next(b"ffffffffffffffff\r\n"), Ok(Piece::Framing(18)));
        assert_eq!(decoder.remaining, u64::MAX);
        assert!(decode(b"10000000000000000\r\n").is_err());
        assert_eq!(decode(b"00000000000000000003\r\nabc\r\n0\r\n\r\n"), Ok((Some(b"abc".to_vec()), 32)));
    }

    #[test]
    fn overhead_is_bounded() {
        let long = "x".repeat(OVERHEAD_BYTES_MAX as usize + 1);
        assert!(decode(format!("1;{long}\r\na\r\n0\r\n\r\n").as_bytes()).is_err(), "one extension");
        assert!(decode(format!("0\r\nx: {long}\r\n\r\n").as_bytes()).is_err(), "one field of a trailer");
        assert!(decode(format!("{}1\r\na\r\n0\r\n\r\n", "0".repeat(long.len())).as_bytes()).is_err(), "zeros");
        let many = format!("{}0\r\n\r\n", "1;y\r\na\r\n".repeat(long.len()));
        assert!(decode(many.as_bytes()).is_ok(), "a short extension on each of many chunks");
    }

    proptest! {
        #[test]
        fn what_was_encoded_is_decoded(
            body in proptest::collection::vec(any::<u8>(), 0..2_000),
            sizes in proptest::collection::vec(1usize..300, 0..20),
            extension in "(;[a-z]{1,8}(=\"[a-z ]{0,8}\")?)?",
            trailer in "([a-z]{1,8}: [a-z]{0,8}\r\n){0,3}",
        ) {
            let coded = encode(&body, &sizes, &extension, &trailer);
            let len = coded.len();
            prop_assert_eq!(decode(&coded), Ok((Some(body), len)));
            for end in [0, 1, len / 3, len / 2, len - 1] {
                prop_assert_eq!(decode(&coded[..end]).map(|(body, _)| body), Ok(None), "cut at {}", end);
            }
        }

        #[test]
        fn no_input_makes_it_panic_or_stall(input in proptest::collection::vec(
            prop_oneof![Just(b'\r'), Just(b'\n'), Just(b'0'), Just(b'1'), Just(b';'), Just(b':'), any::<u8>()],
            0..200,
        )) {
            let _ = decode(&input);
        }
    }
}
