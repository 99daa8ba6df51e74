//! The byte stream under a connection.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, Waker},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::client::TlsStream;

/// A connected stream.
#[derive(Debug)]
pub enum Stream {
    /// TCP without TLS.
    Plain(TcpStream),
    /// TLS over TCP. Boxed: it is some hundred bytes, and most connections are plain.
    Tls(Box<TlsStream<TcpStream>>),
}

impl Stream {
    /// Reads into `buffer`; see [`AsyncRead::poll_read`]. Costs no system call while nothing has arrived.
    pub fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }

    /// Writes a part of `bytes`; see [`AsyncWrite::poll_write`].
    pub fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    /// Writes a part of `bytes` if the reactor knows that there is room: asking is cheaper than [`Self::poll_write`],
    /// and counts for nothing in the turn of the task.
    pub fn try_write(&mut self, bytes: &[u8]) -> Option<io::Result<usize>> {
        match self {
            Self::Plain(stream) => {
                let outcome = stream.try_write(bytes);
                let waits = matches!(&outcome, Err(error) if error.kind() == io::ErrorKind::WouldBlock);
                (!waits).then_some(outcome)
            }
            Self::Tls(_) => None,
        }
    }

    /// Writes a part of several slices; see [`AsyncWrite::poll_write_vectored`].
    pub fn poll_write_vectored(&mut self, cx: &mut Context<'_>, slices: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        match self {
            Self::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
            Self::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
        }
    }

    /// Several slices cost no more than one; see [`AsyncWrite::is_write_vectored`].
    pub fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(stream) => stream.is_write_vectored(),
            Self::Tls(stream) => stream.is_write_vectored(),
        }
    }

    /// Tells the server that nothing more comes; see [`AsyncWrite::poll_shutdown`].
    pub fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }

    /// Hands what was written to the kernel; see [`AsyncWrite::poll_flush`]. Nothing to do without TLS.
    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(_) => Poll::Ready(Ok(())),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
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
            // Tickets for resumption may have come: they are TLS's own, and no byte of an answer.
            Self::Tls(stream) => {
                let mut byte = [0];
                let mut cx = Context::from_waker(Waker::noop());
                Pin::new(stream).poll_read(&mut cx, &mut ReadBuf::new(&mut byte)).is_pending()
            }
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.get_mut().poll_read(cx, buffer)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.get_mut().poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().poll_shutdown(cx)
    }
}
