//! An address at which nothing listens.

use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::TcpSocket;

/// A port of loopback that refuses connections, now and for as long as the tests run: it is taken, so that no server of
/// another test gets it, and nobody listens on it.
pub fn dead_addr() -> SocketAddr {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind((Ipv4Addr::LOCALHOST, 0).into()).expect("a free port");
    let addr = socket.local_addr().expect("its address");
    std::mem::forget(socket);
    addr
}
