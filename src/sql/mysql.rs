//! MySQL and MariaDB, by the library `mysql_async`. It opens its connections itself: it is given addresses that the
//! guard has let through, and no names.

use std::net::{IpAddr, SocketAddr};

use mysql_async::{
    Column, Conn, DriverError, Error, IoError, Opts, OptsBuilder, Params, Row, Value as Cell, consts::ColumnType,
    prelude::Queryable,
};
use serde_json::Value;

use super::{
    request::{Statement, Verb},
    rows::{Ended, Rows, bytes_value, number},
    server::Login,
};
use crate::{
    clock::Clock,
    http::{while_connected, while_connecting},
    protocol::{ErrorKind, Failure, Stamps},
};

/// Statements that a connection keeps prepared.
const PREPARED_MAX: usize = 256;
/// A longer statement or row is refused, in bytes. Said here, or the library would ask the server on each connection.
const PACKET_BYTES_MAX: usize = 64 << 20;
/// How long a connection waits before the library would call it dead; the server's word is what counts here.
const WAIT_S: usize = 86_400;

/// An open connection. The library does not tell how many bytes it sends: counted are those of statements, parameters
/// and rows.
#[derive(Debug)]
pub(super) struct MysqlConnection {
    conn: Conn,
    sent: u64,
    received: u64,
}

impl MysqlConnection {
    /// Connects to the first of `addresses` that takes it, and says who calls.
    ///
    /// # Errors
    /// `LoginRefused` with what the server says, or why there is no connection.
    pub(super) async fn open(addresses: &[IpAddr], port: u16, login: &Login) -> Result<Self, Failure> {
        let mut failed = Failure::new(ErrorKind::Dns, "the host has no address");
        for address in addresses {
            let options = OptsBuilder::default()
                .ip_or_hostname(address.to_string())
                .tcp_port(port)
                .user(login.user.clone())
                .pass(login.password.clone())
                .db_name(login.database.clone())
                .prefer_socket(false)
                .max_allowed_packet(Some(PACKET_BYTES_MAX))
                .wait_timeout(Some(WAIT_S))
                .stmt_cache_size(PREPARED_MAX);
            match Conn::new(Opts::from(options)).await {
                Ok(conn) => return Ok(Self { conn, sent: 0, received: 0 }),
                Err(Error::Server(said)) => {
                    let detail = format!("{}: {}", said.state, said.message);
                    return Err(Failure::new(ErrorKind::LoginRefused, detail));
                }
                Err(error) => failed = while_opening(*address, port, &error),
            }
        }
        Err(failed)
    }

    /// The server's number of the connection.
    pub(super) fn id(&self) -> u32 {
        self.conn.id()
    }

    /// Ends the statement that runs on the connection of that number, if one does.
    pub(super) async fn kill(&mut self, id: u32) {
        // It may be done by now, or its user may not be allowed to.
        let _ = self.conn.query_drop(format!("KILL QUERY {id}")).await;
    }

    pub(super) fn bytes(&self) -> (u64, u64) {
        (self.sent, self.received)
    }

    /// Runs a statement; see [`super::connection::Connection::run`].
    pub(super) async fn run(
        &mut self,
        statement: &Statement,
        rows: &mut Rows,
        clock: &Clock,
        stamps: &mut Stamps,
    ) -> Result<Ended, Failure> {
        let parameters: Vec<Cell> = statement.parameters.iter().map(parameter).collect();
        self.sent += statement.text.len() as u64
            + statement.parameters.iter().map(|it| it.to_string().len() as u64).sum::<u64>();
        let given = parameters.len();
        let parameters = if given == 0 { Params::Empty } else { Params::Positional(parameters) };
        let ended = async {
            // MySQL cannot prepare every statement: `BEGIN` it cannot.
            if given == 0 && statement.verb == Verb::Execute {
                let done = self.conn.query_iter(statement.text.as_str()).await?;
                stamps.first_byte = Some(clock.now());
                let affected = done.affected_rows();
                done.drop_result().await?;
                return Ok(Ok(Ended::Done { affected }));
            }
            let prepared = self.conn.prep(statement.text.as_str()).await?;
            let wanted = usize::from(prepared.num_params());
            if wanted != given {
                return Ok(Ok(Ended::miscounted(wanted, given)));
            }
            let mut found = self.conn.exec_iter(prepared, parameters).await?;
            stamps.first_byte = Some(clock.now());
            while let Some(row) = found.next().await? {
                if let Err(failure) = rows.push(columns(row)) {
                    return Ok(Err(failure));
                }
            }
            let affected = found.affected_rows();
            found.drop_result().await?;
            Ok(Ok(Ended::Done { affected }))
        };
        let ended: Result<Result<Ended, Failure>, Error> = ended.await;
        self.received += rows.bytes;
        match ended {
            Ok(ended) => ended,
            Err(Error::Server(said)) => Ok(Ended::Refused { state: said.state, message: said.message }),
            Err(error) => Err(failure(&error)),
        }
    }
}

fn while_opening(address: IpAddr, port: u16, error: &Error) -> Failure {
    let Failure { kind, detail } = match error {
        // The system's own word is about connecting; what the library says of the stream is not.
        Error::Io(IoError::Io(broken)) if broken.raw_os_error().is_some() => {
            Failure::new(while_connecting(broken), broken.to_string())
        }
        // How to say who calls is what they do not agree on.
        Error::Driver(DriverError::UnknownAuthPlugin { .. } | DriverError::MysqlOldPasswordDisabled) => {
            Failure::new(ErrorKind::LoginRefused, error.to_string())
        }
        error => failure(error),
    };
    Failure::new(kind, format!("{}: {detail}", SocketAddr::new(address, port)))
}

/// What an error of the library means that is not the server's word.
fn failure(error: &Error) -> Failure {
    match error {
        Error::Io(IoError::Io(broken)) => Failure::new(while_connected(broken), broken.to_string()),
        Error::Driver(DriverError::ConnectionClosed) => Failure::new(ErrorKind::Closed, error.to_string()),
        error => Failure::new(ErrorKind::Protocol, error.to_string()),
    }
}

/// A parameter as the server takes it.
fn parameter(value: &Value) -> Cell {
    match value {
        Value::Null => Cell::NULL,
        Value::Bool(yes) => Cell::Int((*yes).into()),
        Value::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(whole), ..) => Cell::Int(whole),
            (None, Some(whole), _) => Cell::UInt(whole),
            (None, None, Some(part)) => Cell::Double(part),
            (None, None, None) => Cell::Bytes(number.to_string().into_bytes()),
        },
        Value::String(text) => Cell::Bytes(text.clone().into_bytes()),
        other => Cell::Bytes(other.to_string().into_bytes()),
    }
}

fn columns(mut row: Row) -> Vec<(String, Value)> {
    let columns = row.columns();
    let each = columns.iter().enumerate();
    let column = |(at, column): (usize, &Column)| {
        let cell = row.take(at).unwrap_or(Cell::NULL);
        (column.name_str().into_owned(), value(column.column_type(), cell))
    };
    each.map(column).collect()
}

fn value(of: ColumnType, cell: Cell) -> Value {
    match cell {
        Cell::NULL => Value::Null,
        Cell::Int(number) => number.into(),
        Cell::UInt(number) => number.into(),
        Cell::Float(number) => f64::from(number).into(),
        Cell::Double(number) => number.into(),
        Cell::Bytes(bytes) => match of {
            ColumnType::MYSQL_TYPE_DECIMAL | ColumnType::MYSQL_TYPE_NEWDECIMAL => {
                number(&String::from_utf8_lossy(&bytes))
            }
            ColumnType::MYSQL_TYPE_JSON => serde_json::from_slice(&bytes).unwrap_or_else(|_| bytes_value(&bytes)),
            _ => bytes_value(&bytes),
        },
        Cell::Date(year, month, day, 0, 0, 0, 0) if of == ColumnType::MYSQL_TYPE_DATE => {
            format!("{year:04}-{month:02}-{day:02}").into()
        }
        Cell::Date(year, month, day, hour, minute, second, us) => {
            format!("{year:04}-{month:02}-{day:02}T{}", clock_text(hour.into(), minute, second, us)).into()
        }
        Cell::Time(negative, days, hours, minutes, seconds, us) => {
            let minus = if negative { "-" } else { "" };
            format!("{minus}{}", clock_text(days * 24 + u32::from(hours), minutes, seconds, us)).into()
        }
    }
}

fn clock_text(hours: u32, minutes: u8, seconds: u8, us: u32) -> String {
    let text = format!("{hours:02}:{minutes:02}:{seconds:02}");
    match us {
        0 => text,
        part => format!("{text}.{}", format!("{part:06}").trim_end_matches('0')),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_keep_their_types() {
        use ColumnType::{
            MYSQL_TYPE_DATE, MYSQL_TYPE_DATETIME, MYSQL_TYPE_JSON, MYSQL_TYPE_NEWDECIMAL, MYSQL_TYPE_STRING,
        };
        for (of, cell, expected) in [
            (MYSQL_TYPE_STRING, Cell::Bytes(b"text".to_vec()), Value::from("text")),
            (MYSQL_TYPE_STRING, Cell::Bytes(vec![0xff]), "\\xff".into()),
            (MYSQL_TYPE_NEWDECIMAL, Cell::Bytes(b"12.50".to_vec()), 12.5.into()),
            (MYSQL_TYPE_JSON, Cell::Bytes(b"[1]".to_vec()), serde_json::json!([1])),
            (MYSQL_TYPE_DATE, Cell::Date(2024, 2, 29, 0, 0, 0, 0), "2024-02-29".into()),
            (MYSQL_TYPE_DATETIME, Cell::Date(2024, 2, 29, 1, 2, 3, 500_000), "2024-02-29T01:02:03.5".into()),
            (MYSQL_TYPE_STRING, Cell::Time(true, 1, 2, 3, 4, 0), "-26:03:04".into()),
            (MYSQL_TYPE_STRING, Cell::NULL, Value::Null),
        ] {
            assert_eq!(value(of, cell), expected);
        }
    }

    #[test]
    fn parameters_keep_theirs() {
        for (given, expected) in [
            (Value::Null, Cell::NULL),
            (true.into(), Cell::Int(1)),
            ((-7).into(), Cell::Int(-7)),
            (u64::MAX.into(), Cell::UInt(u64::MAX)),
            (1.5.into(), Cell::Double(1.5)),
            ("a".into(), Cell::Bytes(b"a".to_vec())),
            (serde_json::json!({"a": 1}), Cell::Bytes(b"{\"a\":1}".to_vec())),
        ] {
            assert_eq!(parameter(&given), expected);
        }
    }
}
