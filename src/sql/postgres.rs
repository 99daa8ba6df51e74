//! PostgreSQL, by the library `tokio-postgres`, over a connection that the guard has let through.

use std::{
    cell::Cell,
    collections::HashMap,
    io,
    pin::{Pin, pin},
    rc::Rc,
    task::{Context, Poll},
};

use futures_util::{StreamExt, future::poll_fn};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::{CancelToken, Client, Config, NoTls, Row, Statement as Prepared};

use super::{
    request::Statement,
    rows::{Ended, Rows},
    server::Login,
};
use crate::{
    clock::{Clock, Nanos},
    http::{Stream, while_connected},
    protocol::{ErrorKind, Failure, Stamps},
};

mod value;

use value::{Cell as Column, Parameter};

/// Statements that a connection keeps prepared; what is beyond is prepared anew each time.
const PREPARED_MAX: usize = 256;

/// An open connection.
#[derive(Debug)]
pub(super) struct PostgresConnection {
    client: Client,
    prepared: HashMap<String, Prepared, ahash::RandomState>,
    counts: Rc<Counts>,
}

/// Bytes of a connection so far.
#[derive(Debug, Default)]
struct Counts {
    sent: Cell<u64>,
    received: Cell<u64>,
    /// When the last of them was handed to the kernel.
    sent_at: Cell<Option<Nanos>>,
}

impl PostgresConnection {
    /// Says who calls.
    ///
    /// # Errors
    /// `LoginRefused` with what the server says, or why the connection broke.
    pub(super) async fn open(stream: Stream, login: &Login, clock: &Clock) -> Result<Self, Failure> {
        let mut config = Config::new();
        config.user(login.user.as_deref().unwrap_or("postgres")).application_name("loadr");
        if let Some(password) = &login.password {
            config.password(password);
        }
        if let Some(database) = &login.database {
            config.dbname(database);
        }
        let counts = Rc::<Counts>::default();
        let counted = Counted { stream, counts: counts.clone(), clock: clock.clone() };
        let (client, mut connection) =
            config.connect_raw(counted, NoTls).await.map_err(|error| match error.as_db_error() {
                Some(said) => {
                    Failure::new(ErrorKind::LoginRefused, format!("{}: {}", said.code().code(), said.message()))
                }
                None => while_opening(&error),
            })?;
        tokio::task::spawn_local(async move {
            // What it cannot carry any more, the exchange under way is told; notices of the server are nobody's.
            while let Some(Ok(_)) = poll_fn(|cx| connection.poll_message(cx)).await {}
        });
        Ok(Self { client, prepared: HashMap::default(), counts })
    }

    pub(super) fn is_open(&self) -> bool {
        !self.client.is_closed()
    }

    /// What names its statement to the server.
    pub(super) fn token(&self) -> CancelToken {
        self.client.cancel_token()
    }

    pub(super) fn bytes(&self) -> (u64, u64) {
        (self.counts.sent.get(), self.counts.received.get())
    }

    /// Runs a statement; see [`super::connection::Connection::run`].
    pub(super) async fn run(
        &mut self,
        statement: &Statement,
        rows: &mut Rows,
        clock: &Clock,
        stamps: &mut Stamps,
    ) -> Result<Ended, Failure> {
        let ran = self.run_prepared(statement, rows, clock, stamps).await;
        stamps.sent = self.counts.sent_at.get();
        match ran {
            Ok(ended) => Ok(ended),
            Err(Refusal::Failed(failure)) => Err(failure),
            Err(Refusal::Server(error)) => match error.as_db_error() {
                Some(said) => {
                    Ok(Ended::Refused { state: said.code().code().to_owned(), message: said.message().to_owned() })
                }
                None => Err(failure(&error)),
            },
        }
    }

    async fn run_prepared(
        &mut self,
        statement: &Statement,
        rows: &mut Rows,
        clock: &Clock,
        stamps: &mut Stamps,
    ) -> Result<Ended, Refusal> {
        let prepared = match self.prepared.get(&statement.text) {
            Some(prepared) => prepared.clone(),
            None => {
                let prepared = self.client.prepare(&statement.text).await?;
                if self.prepared.len() < PREPARED_MAX {
                    self.prepared.insert(statement.text.clone(), prepared.clone());
                }
                prepared
            }
        };
        let (wanted, given) = (prepared.params().len(), statement.parameters.len());
        if wanted != given {
            return Ok(Ended::miscounted(wanted, given));
        }
        let parameters: Vec<Parameter<'_>> = statement.parameters.iter().map(Parameter).collect();
        let mut found = pin!(self.client.query_raw(&prepared, parameters).await?);
        stamps.first_byte = Some(clock.now());
        while let Some(row) = found.next().await {
            rows.push(columns(&row?)).map_err(Refusal::Failed)?;
        }
        Ok(Ended::Done { affected: found.rows_affected().unwrap_or(0) })
    }
}

/// Why a statement did not end well.
enum Refusal {
    Server(tokio_postgres::Error),
    Failed(Failure),
}

impl From<tokio_postgres::Error> for Refusal {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Server(error)
    }
}

/// Tells the server, by a connection of its own, to end what `token` names.
pub(super) async fn cancel(token: &CancelToken, stream: Stream, clock: &Clock) {
    let stream = Counted { stream, counts: Rc::default(), clock: clock.clone() };
    // It may be done by now; the server says nothing in any case.
    let _ = token.cancel_query_raw(stream, NoTls).await;
}

fn columns(row: &Row) -> impl Iterator<Item = (&str, Value)> {
    let columns = row.columns().iter().enumerate();
    let value =
        |at: usize| row.try_get::<_, Column>(at).map_or_else(|error| Value::from(error.to_string()), |cell| cell.0);
    columns.map(move |(at, column)| (column.name(), value(at)))
}

/// What an error means that came before the server took the login, and is not its word.
fn while_opening(error: &tokio_postgres::Error) -> Failure {
    let Failure { kind, detail } = failure(error);
    // The library does not tell these by a type: the server asks for a password where there is none, or in a way that is
    // not known.
    let refused = ["invalid configuration", "authentication error"].iter().any(|start| detail.starts_with(start));
    Failure::new(if refused { ErrorKind::LoginRefused } else { kind }, detail)
}

/// What an error of the library means that is not the server's word.
fn failure(error: &tokio_postgres::Error) -> Failure {
    use std::error::Error;
    let detail = |kind| Failure::new(kind, error.to_string());
    if error.is_closed() {
        return detail(ErrorKind::Closed);
    }
    match error.source().and_then(|source| source.downcast_ref::<io::Error>()) {
        Some(broken) => Failure::new(while_connected(broken), broken.to_string()),
        None => Failure::new(
            ErrorKind::Protocol,
            match error.source() {
                Some(source) => format!("{error}: {source}"),
                None => error.to_string(),
            },
        ),
    }
}

/// A stream whose bytes are counted, and stamped when they leave.
struct Counted {
    stream: Stream,
    counts: Rc<Counts>,
    clock: Clock,
}

impl AsyncRead for Counted {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = self.stream.poll_read(cx, buffer);
        self.counts.received.set(self.counts.received.get() + (buffer.filled().len() - before) as u64);
        read
    }
}

impl AsyncWrite for Counted {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = self.stream.poll_write(cx, bytes);
        if let Poll::Ready(Ok(length)) = &written {
            self.counts.sent.set(self.counts.sent.get() + *length as u64);
            self.counts.sent_at.set(Some(self.clock.now()));
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.poll_shutdown(cx)
    }
}
