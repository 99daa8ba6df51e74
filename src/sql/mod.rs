//! SQL as a target: statements with parameters on PostgreSQL, and on MySQL or MariaDB.
//!
//! A request is a list in JSON: `["query", "SELECT … WHERE id = $1", 42]`. Each connection prepares a statement once. The
//! clients are libraries; here they are given connections, or addresses, that the guard has let through, and what comes
//! back becomes what scripts and reports see (`rows`). A virtual user's connections and its transaction are `link`'s.

mod connection;
mod link;
mod mysql;
mod postgres;
mod request;
mod rows;
mod server;

pub use link::SqlLink;
pub use server::{Dialect, Login};
