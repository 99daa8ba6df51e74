//! One connection, whatever its dialect, and whether a transaction is open on it.

use tokio_postgres::CancelToken;

use super::{
    mysql::MysqlConnection,
    postgres::PostgresConnection,
    request::{Boundary, Statement},
    rows::{Ended, Rows},
};
use crate::{
    clock::{Clock, Nanos},
    http::DeadlineTimer,
    protocol::{Failure, Stamps},
};

/// An open connection.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) client: Client,
    timer: DeadlineTimer,
    /// A transaction was begun on it, and not ended.
    pub(super) in_transaction: bool,
}

/// What speaks over it.
#[derive(Debug)]
pub(super) enum Client {
    Postgres(PostgresConnection),
    Mysql(Box<MysqlConnection>),
}

/// What names a statement to its server that is not done.
pub(super) enum Underway {
    Postgres(CancelToken),
    Mysql(u32),
}

impl Connection {
    pub(super) fn new(client: Client, timer: DeadlineTimer) -> Self {
        Self { client, timer, in_transaction: false }
    }

    /// It was not closed, as far as is known.
    pub(super) fn is_quiet(&self) -> bool {
        match &self.client {
            Client::Postgres(connection) => connection.is_open(),
            // It is known when it is used.
            Client::Mysql(_) => true,
        }
    }

    /// Sent and received so far.
    pub(super) fn bytes(&self) -> (u64, u64) {
        match &self.client {
            Client::Postgres(connection) => connection.bytes(),
            Client::Mysql(connection) => connection.bytes(),
        }
    }

    /// What names the statement under way.
    pub(super) fn underway(&self) -> Underway {
        match &self.client {
            Client::Postgres(connection) => Underway::Postgres(connection.token()),
            Client::Mysql(connection) => Underway::Mysql(connection.id()),
        }
    }

    /// Runs a statement; none if that was not done at the deadline. What the server refuses is an end, errors are those
    /// of the connection. Stamps `sent` where that is known, and `first_byte`.
    pub(super) async fn run(
        &mut self,
        statement: &Statement,
        rows: &mut Rows,
        deadline: Nanos,
        clock: &Clock,
        stamps: &mut Stamps,
    ) -> Option<Result<Ended, Failure>> {
        let Self { client, timer, in_transaction } = self;
        let running = async {
            match client {
                Client::Postgres(connection) => connection.run(statement, rows, clock, stamps).await,
                Client::Mysql(connection) => connection.run(statement, rows, clock, stamps).await,
            }
        };
        let ended = timer.race(clock, deadline, running).await?;
        if let Ok(Ended::Refused { .. }) = &ended {
            stamps.first_byte.get_or_insert(clock.now());
        }
        if let (Some(boundary), Ok(Ended::Done { .. })) = (statement.boundary(), &ended) {
            *in_transaction = boundary == Boundary::Begin;
        }
        Some(ended)
    }
}
