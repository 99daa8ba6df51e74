//! The byte stream under a connection. TLS becomes another variant; nothing above this file would notice.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

/// A connected stream.
#[derive(Debug)]
pub enum Stream {
    /// TCP without TLS.
    Plain(TcpStream),
}

impl Stream {
    /// Reads into `buffer`; see [`AsyncRead::poll_read`]. Costs no system call while nothing has arrived.
    pub fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }

    /// Writes a part of `bytes`; see [`AsyncWrite::poll_write`].
    pub fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    /// Nothing has come and nobody has closed since the last response, as far as the reactor knows: costs no
    /// system call where that is so.
    pub fn is_quiet(&mut self) -> bool {
        match self {
            Self::Plain(stream) => {
                let outcome = stream.try_read(&mut [0]);
                matches!(outcome, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
            }
        }
    }
}
