//! Labs to send to: one in this process whose log can be read, and one in a process that can be killed.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    process::{Child, Command, Stdio},
};

use loadr::lab::{Entry, Lab, LabOptions};
use tokio::runtime::Runtime;

use super::program::{PROGRAM, limits};

/// A lab in this process. Its log is the truth that reports are held against.
#[derive(Debug)]
pub struct TestLab {
    lab: Option<Lab>,
    runtime: Option<Runtime>,
}

impl TestLab {
    pub fn start() -> Self {
        Self::with(LabOptions::default())
    }

    pub fn with(options: LabOptions) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        let options = LabOptions { port: Some(0), ..options };
        let lab = runtime.block_on(Lab::start(options)).expect("a free port");
        Self { lab: Some(lab), runtime: Some(runtime) }
    }

    fn lab(&self) -> &Lab {
        self.lab.as_ref().expect("it runs until it is dropped")
    }

    pub fn url(&self) -> String {
        self.lab().url()
    }

    /// The certificate of the authority behind its own.
    pub fn authority(&self) -> String {
        self.lab().authority().expect("it speaks TLS").to_owned()
    }

    /// Where the server is that breaks the rules.
    pub fn misbehaving_url(&self) -> String {
        format!("http://{}", self.lab().misbehaving_addr())
    }

    /// Where it speaks Redis' protocol.
    pub fn redis(&self) -> String {
        self.lab().redis_addr().to_string()
    }

    /// Requests so far, in the order of their arrival.
    pub fn arrivals(&self) -> Vec<Entry> {
        let mut entries = self.lab().log().entries();
        entries.sort_by_key(|entry| entry.arrival_ns);
        entries
    }

    /// How many requests it has had.
    pub fn seen(&self) -> usize {
        self.lab().log().len()
    }

    /// What it was sent, without when and on which connection: method, path and hash of the body, and how often.
    pub fn traffic(&self) -> BTreeMap<(String, String, u64), usize> {
        let mut traffic = BTreeMap::new();
        for entry in self.arrivals() {
            *traffic.entry((entry.method.to_owned(), entry.path.to_string(), entry.body_hash)).or_default() += 1;
        }
        traffic
    }
}

impl Drop for TestLab {
    fn drop(&mut self) {
        self.lab = None;
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// A lab in a process of its own. Dropped, it is killed.
#[derive(Debug)]
pub struct LabChild {
    child: Child,
    pub url: String,
    pub addr: SocketAddr,
}

impl LabChild {
    pub fn start() -> Self {
        Self::of(Command::new(PROGRAM).args(["lab", "--port", "0"]))
    }

    /// A lab at every address of this machine, with limits to its descriptors.
    pub fn limited(soft: u32, hard: u32) -> Self {
        let [shell, rest @ ..] = limits(soft, hard);
        Self::of(Command::new(shell).args(rest).args([PROGRAM, "lab", "--listen", "0.0.0.0:0"]))
    }

    fn of(command: &mut Command) -> Self {
        let mut child = command
            .arg("--until-stdin-closes")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the lab starts");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("its output");
        BufReader::new(stdout).read_line(&mut line).expect("its first line");
        let url = line.split_whitespace().next_back().expect("its address").to_owned();
        let addr = url.trim_start_matches("http://").parse().expect("an address");
        Self { child, url, addr }
    }

    /// How many requests it has had, by its own count.
    pub fn requests(&self) -> u64 {
        let mut stream = TcpStream::connect(self.addr).expect("it listens");
        stream.write_all(b"GET /lab/stats HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n\r\n").expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        let body = answer.split_once("\r\n\r\n").expect("a body").1;
        let stats: serde_json::Value = serde_json::from_str(body).expect("JSON");
        stats["requests"].as_u64().expect("a count")
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Ends it at once.
    pub fn kill(&mut self) {
        self.child.kill().expect("it is still there");
        self.child.wait().expect("its status");
    }
}

impl Drop for LabChild {
    fn drop(&mut self) {
        // It may have been killed before.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
