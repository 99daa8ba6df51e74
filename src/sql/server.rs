//! A database server: how connections to it are opened, and how it is told that nobody waits for a statement any more.

use super::{
    connection::{Client, Connection, Underway},
    mysql::MysqlConnection,
    postgres::{self, PostgresConnection},
};
use crate::{
    clock::{Clock, Nanos, SECOND},
    http::{AddressGuard, DeadlineTimer, Route},
    protocol::{ErrorKind, Failure, HttpVersion, Stamps},
};

/// How long telling the server may take.
const END_WITHIN: Nanos = 5 * SECOND;

/// Which SQL is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// PostgreSQL.
    Postgres,
    /// MySQL, and MariaDB.
    Mysql,
}

impl Dialect {
    /// How its connections are shown.
    pub(super) fn spoken(self) -> HttpVersion {
        match self {
            Self::Postgres => HttpVersion::Postgres,
            Self::Mysql => HttpVersion::Mysql,
        }
    }
}

/// Who calls, and which database is meant.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Login {
    /// The user; without one `postgres`, and for MySQL the nameless one.
    pub user: Option<String>,
    /// It must not get into anything that is written or compared.
    pub password: Option<String>,
    /// The database; the server's own choice without one.
    pub database: Option<String>,
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Login").field("user", &self.user).field("database", &self.database).finish_non_exhaustive()
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) clock: Clock,
    pub(super) guard: AddressGuard,
    pub(super) route: Route,
    pub(super) dialect: Dialect,
    pub(super) login: Login,
}

impl Server {
    /// A connection that has said who it is; all of that counts as connecting.
    ///
    /// # Errors
    /// `LoginRefused` with what the server says, or why there is no connection.
    pub(super) async fn connect(&self, deadline: Nanos, stamps: &mut Stamps) -> Result<Connection, Failure> {
        let client = match self.dialect {
            Dialect::Postgres => {
                let opened = self.route.connect(&self.clock, &self.guard, None, deadline, stamps).await?;
                let connecting = PostgresConnection::open(opened.stream, &self.login, &self.clock);
                Client::Postgres(self.in_time(deadline, connecting).await?)
            }
            Dialect::Mysql => {
                let addresses = self.route.addresses(&self.clock, &self.guard, deadline, stamps).await?;
                let connecting = MysqlConnection::open(&addresses, self.route.endpoint().port, &self.login);
                Client::Mysql(Box::new(self.in_time(deadline, connecting).await?))
            }
        };
        stamps.connected = Some(self.clock.now());
        Ok(Connection::new(client, DeadlineTimer::new(&self.clock, deadline)))
    }

    async fn in_time<T>(&self, deadline: Nanos, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        let patience = Nanos::try_from(self.route.endpoint().connect_timeout.as_nanos()).unwrap_or(Nanos::MAX);
        let until = deadline.min(self.clock.now().saturating_add(patience));
        let mut timer = DeadlineTimer::new(&self.clock, until);
        let late = || Failure::new(ErrorKind::ConnectTimeout, "the server did not take the connection in time");
        timer.race(&self.clock, until, work).await.ok_or_else(late)?
    }

    /// Asks the server to end a statement, by a connection of its own. Where that does not reach it, the statement goes on
    /// to its own end.
    pub(super) async fn end(&self, underway: Underway) {
        let deadline = self.clock.now().saturating_add(END_WITHIN);
        let mut stamps = Stamps::default();
        let ending = async {
            match underway {
                Underway::Postgres(token) => {
                    let opened = self.route.connect(&self.clock, &self.guard, None, deadline, &mut stamps).await?;
                    postgres::cancel(&token, opened.stream, &self.clock).await;
                }
                Underway::Mysql(id) => {
                    if let Client::Mysql(mut connection) = self.connect(deadline, &mut stamps).await?.client {
                        connection.kill(id).await;
                    }
                }
            }
            Ok::<(), Failure>(())
        };
        // Nobody is there to be told how it went.
        let _ = DeadlineTimer::new(&self.clock, deadline).race(&self.clock, deadline, ending).await;
    }
}
