//! How the lab's own servers take connections.

use std::{future::Future, io, net::SocketAddr, time::Duration};

use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

/// Binds the port that a server beside the lab is given: a free one at the lab's address.
pub(super) async fn bind(beside: SocketAddr) -> io::Result<TcpListener> {
    TcpListener::bind((beside.ip(), 0)).await
}

/// Serves each connection by `converse` until dropped or aborted; connections end with it. More than `most` at once
/// wait until others end.
pub(super) async fn each<F>(listener: TcpListener, most: usize, converse: impl Fn(TcpStream) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        if connections.len() >= most {
            connections.join_next().await;
        }
        match listener.accept().await {
            Ok((stream, _)) => {
                // A peer that is gone already shows when it is read from.
                let _ = stream.set_nodelay(true);
                connections.spawn(converse(stream));
            }
            // Out of descriptors, most likely.
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}
