//! The transport of HTTP. HTTP/1.1 is the hot path, written for this engine; HTTP/2 (module `h2`) is a library's, driven
//! from here.
//!
//! A request is bytes that the engine prepared, a response is bytes that are read into one memory shared by all
//! connections of a worker and parsed where they lie. Most exchanges are one write, one read and three looks
//! at the clock. `h1` and `h2` know the
//! protocols, `connect` the way to a connection, `transport` joins them. What is
//! the same over every transport lies beside it: `cookies`. Connections that stay open for messages (WebSocket, event
//! streams) are `channel`'s.

mod carrying;
mod channel;
mod connect;
mod cookies;
mod deadline;
mod descriptors;
mod either;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzz;
mod guard;
mod h1;
mod h2;
mod kept;
mod proxy;
mod resolve;
mod sending;
mod stream;
mod system;
mod tls;
mod transport;
#[cfg(test)]
mod transport_tests;

pub use connect::{Endpoint, Opened, Route};
pub use cookies::{COOKIE_BYTES_MAX, COOKIES_PER_HOST_MAX, CookieJar, JAR_BYTES_MAX, Origin, Refused};
pub use deadline::DeadlineTimer;
pub use descriptors::{descriptor_limit, local_ports, raise_descriptor_limit, set_descriptor_limit};
pub use guard::{AddressGuard, Reach, reach};
pub use kept::{Kept, Permits, Pool};
pub use proxy::{Proxy, ProxyKind};
pub use sending::Sending;
pub use stream::Stream;
pub use system::{while_connected, while_connecting};
pub use tls::{Tls, TlsOptions, check_authority, check_identity};
pub use transport::{HttpTransport, Session};
