//! nginx: a server that others wrote, started on a free port with what a test wants of it.

use std::{
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use tempfile::TempDir;

use super::until;

/// Where distributions put it; not all of them in the path of users.
const PROGRAMS: [&str; 3] = ["nginx", "/usr/sbin/nginx", "/usr/local/sbin/nginx"];
/// Between asking for a free port and taking it, somebody else may take it.
const TRIES: usize = 5;

/// Dropped, it is killed.
#[derive(Debug)]
pub struct Nginx {
    child: Child,
    pub addr: SocketAddr,
    pub folder: TempDir,
}

impl Nginx {
    /// Starts it in a fresh folder. `http` gives the lines of its `http` block, from the address it is to listen to and
    /// the folder; it logs into `access.log` by the format `it`, which those lines define.
    pub fn start(http: impl Fn(SocketAddr, &Path) -> String) -> Self {
        (0..TRIES)
            .find_map(|_| Self::try_start(&http))
            .unwrap_or_else(|| panic!("nginx did not start: is it installed (nginx-light)?"))
    }

    fn try_start(http: &impl Fn(SocketAddr, &Path) -> String) -> Option<Self> {
        let folder = TempDir::new().expect("a folder");
        let addr = {
            let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
            listener.local_addr().expect("its address")
        };
        let http = http(addr, folder.path());
        let configuration = format!(
            "daemon off; master_process off; worker_processes 1; pid nginx.pid; error_log error.log;\n\
             events {{ worker_connections 512; }}\n\
             http {{\n\
               {http}\n\
               access_log access.log it;\n\
               client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;\n\
               uwsgi_temp_path uwsgi; scgi_temp_path scgi;\n\
             }}\n"
        );
        std::fs::write(folder.path().join("nginx.conf"), configuration).expect("room");
        let mut child = PROGRAMS.iter().find_map(|program| {
            let mut command = Command::new(program);
            command.arg("-p").arg(folder.path()).args(["-c", "nginx.conf", "-e", "error.log"]);
            command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().ok()
        })?;
        let mut has_ended = false;
        until("nginx", Duration::from_secs(10), || {
            has_ended = child.try_wait().expect("its status").is_some();
            has_ended || TcpStream::connect(addr).is_ok()
        });
        (!has_ended).then_some(Self { child, addr, folder })
    }

    /// What it logged so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("access.log")).unwrap_or_default()
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
