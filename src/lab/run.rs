//! The lab as a process of its own: `loadr lab`.

use std::{
    io::{self, Read, Write},
    time::Duration,
};

use tokio::sync::oneshot;

use super::{Lab, LabOptions, state::Shared};
use crate::http::raise_descriptor_limit;

/// How long dropping what is unfinished may take: one waits only for a disk.
const DROP_WITHIN: Duration = Duration::from_secs(1);

/// Serves until the process is interrupted or terminated, or its standard input ends where
/// `until_stdin_closes` is set. Prints two lines to standard output once it listens:
/// `lab listens on http://ADDRESS`, or `https://ADDRESS` with TLS; and `lab speaks Redis on ADDRESS`.
///
/// # Errors
/// As [`Lab::start`], or where standard output or the log cannot be written.
pub fn run_blocking(options: LabOptions) -> io::Result<()> {
    // As many clients as this machine can have shall find room.
    raise_descriptor_limit();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(usize::from(options.threads))
        .thread_name("lab")
        .enable_all()
        .build()?;
    let result: io::Result<Shared> = runtime.block_on(async {
        let until_stdin_closes = options.until_stdin_closes;
        let (signal, closed) = (stop_signal()?, stdin_closed(until_stdin_closes)?);
        let lab = Lab::start(options).await?;
        announce(&lab)?;
        tokio::select! {
            () = signal => {}
            () = closed => {}
        }
        let state = lab.state.clone();
        lab.shutdown().await?;
        Ok(state)
    });
    // Requests that outlasted the grace are dropped here, and logged as such.
    runtime.shutdown_timeout(DROP_WITHIN);
    result.and_then(|state| state.flush_log())
}

fn announce(lab: &Lab) -> io::Result<()> {
    // At once: who waits for the first line may not stay for the second.
    let lines = format!("lab listens on {}\nlab speaks Redis on {}\n", lab.url(), lab.redis_addr());
    let mut out = io::stdout().lock();
    out.write_all(lines.as_bytes())?;
    out.flush()
}

/// Ends with an interrupt or, where there is such a thing, a termination. Listens from the moment it is made.
fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        Ok(async move {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        })
    }
    #[cfg(not(unix))]
    Ok(async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    })
}

/// Ends when standard input does, if that is `watched`; never otherwise.
fn stdin_closed(watched: bool) -> io::Result<impl Future<Output = ()>> {
    let (closed, until_closed) = oneshot::channel::<()>();
    let mut unwatched = Some(closed);
    if let Some(closed) = unwatched.take_if(|_| watched) {
        // A thread of its own and not the runtime's: a blocked read must not hold up the end of the runtime.
        std::thread::Builder::new().name("lab-stdin".to_owned()).spawn(move || {
            let mut ignored = [0; 1_024];
            while matches!(io::stdin().read(&mut ignored), Ok(1..)) {}
            drop(closed);
        })?;
    }
    Ok(async move {
        // Held to the end, so that only a reader can drop it.
        let _unwatched = unwatched;
        let _ = until_closed.await;
    })
}
