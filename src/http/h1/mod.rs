//! HTTP/1.1 without sockets: the head, the chunked coding, and the reader that joins them; and the connection
//! that drives them over a stream.

mod chunked;
mod connection;
mod head;
mod reader;
mod scan;

#[cfg(test)]
mod reader_tests;
#[cfg(test)]
mod response_table;

#[cfg(any(test, feature = "fuzzing"))]
pub use chunked::{Decoder, Piece};
pub use connection::{Connection, Request, Scratch};
pub use head::{Framing, parse as parse_head};
pub use reader::{Progress, ResponseReader};
