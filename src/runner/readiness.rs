//! Whether a started program is ready to be sent to.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpStream},
    path::{Path, PathBuf},
    time::Duration,
};

use regex::Regex;

use super::program_log;
use crate::{
    http::AddressGuard,
    monitor::Control,
    plan::{Process, Ready},
};

/// On this machine, a connection is made at once or not at all.
const CONNECT_WITHIN: Duration = Duration::from_secs(1);

/// What is waited for.
pub(super) enum Readiness {
    Always,
    Tcp(SocketAddr),
    Http(Box<HttpReadiness>),
    Log {
        pattern: Regex,
        log: PathBuf,
        /// How long the log was when it was searched last.
        searched: Option<u64>,
    },
}

/// See [`Ready::Http`].
pub(super) struct HttpReadiness {
    runtime: tokio::runtime::Runtime,
    control: Control,
    url: url::Url,
    /// Why the last request was none that counts.
    why: String,
}

impl Readiness {
    /// What the script waits for.
    ///
    /// # Errors
    /// The system has no way to look, for people.
    pub(super) fn of(process: &Process, guard: &AddressGuard, log: &Path) -> Result<Self, String> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, process.port.unwrap_or(0)));
        Ok(match &process.ready {
            Ready::Started => Self::Always,
            Ready::Tcp => Self::Tcp(address),
            Ready::Log(pattern) => {
                let pattern = Regex::new(pattern).map_err(|error| error.to_string())?;
                Self::Log { pattern, log: log.to_owned(), searched: None }
            }
            Ready::Http(path) => {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                let runtime = runtime.map_err(|error| error.to_string())?;
                let url = url::Url::parse(&format!("http://{address}{path}")).map_err(|error| error.to_string())?;
                let control = Control::new(guard.clone())?;
                Self::Http(Box::new(HttpReadiness { runtime, control, url, why: String::new() }))
            }
        })
    }

    /// Looks.
    pub(super) fn is_there(&mut self) -> bool {
        match self {
            Self::Always => true,
            Self::Tcp(address) => TcpStream::connect_timeout(address, CONNECT_WITHIN).is_ok(),
            Self::Http(it) => match it.runtime.block_on(it.control.succeeds(it.url.clone())) {
                Ok(()) => true,
                Err(why) => {
                    it.why = why;
                    false
                }
            },
            Self::Log { pattern, log, searched } => {
                let length = std::fs::metadata(&*log).map(|metadata| metadata.len()).ok();
                std::mem::replace(searched, length) != length && pattern.is_match(&program_log::text(log))
            }
        }
    }

    /// What has not happened, for people.
    pub(super) fn wanted(&self) -> String {
        match self {
            Self::Always => "nothing was waited for".to_owned(),
            Self::Tcp(address) => format!("{address} takes no connections"),
            Self::Http(it) => format!("GET {} gets no 2xx: {}", it.url, it.why),
            Self::Log { pattern, .. } => format!("nothing in its output fits {:?}", pattern.as_str()),
        }
    }
}
