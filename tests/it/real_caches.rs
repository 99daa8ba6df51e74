//! nginx as a cache before the lab: what is classified against what nginx logs of itself.

use std::{
    net::{SocketAddr, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    time::Duration,
};

use loadr::lab::LabOptions;
use tempfile::TempDir;

use crate::harness::{Program, TestLab, until};

/// Where the program may be.
const PROGRAMS: [&str; 3] = ["nginx", "/usr/sbin/nginx", "/usr/local/sbin/nginx"];
/// Somebody else may take a port between our look and nginx's start.
const TRIES: usize = 5;

struct Cache {
    child: Child,
    addr: SocketAddr,
    folder: TempDir,
}

impl Cache {
    /// A `proxy_cache` before `origin`, whose key is the whole address.
    fn before(origin: &str) -> Self {
        let start = || Self::try_before(origin);
        std::iter::repeat_with(start).take(TRIES).flatten().next().expect("nginx starts: is it installed?")
    }

    fn try_before(origin: &str) -> Option<Self> {
        let folder = TempDir::new().expect("a folder");
        let addr = {
            let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
            listener.local_addr().expect("its address")
        };
        let configuration = format!(
            "daemon off; master_process off; worker_processes 1; pid nginx.pid; error_log error.log;\n\
             events {{ worker_connections 512; }}\n\
             http {{\n\
               log_format it '$upstream_cache_status';\n\
               access_log access.log it;\n\
               client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;\n\
               uwsgi_temp_path uwsgi; scgi_temp_path scgi;\n\
               proxy_cache_path cache levels=1 keys_zone=items:1m max_size=20m;\n\
               upstream origin {{ server {origin}; keepalive 32; }}\n\
               server {{\n\
                 listen {addr};\n\
                 location / {{\n\
                   proxy_pass http://origin; proxy_http_version 1.1; proxy_set_header Connection '';\n\
                   proxy_cache items; proxy_cache_key $request_uri; proxy_cache_valid 200 60s;\n\
                   add_header X-Cache-Status $upstream_cache_status;\n\
                   proxy_hide_header X-Cache; proxy_hide_header Cache-Status; proxy_hide_header Age;\n\
                 }}\n\
               }}\n\
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

    /// How often nginx logged that word of its cache.
    fn logged(&self, word: &str) -> u64 {
        let text = std::fs::read_to_string(self.folder.path().join("access.log")).unwrap_or_default();
        text.lines().filter(|line| *line == word).count() as u64
    }
}

impl Drop for Cache {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn nginx_counts_as_many_hits_as_are_classified() {
    let lab = TestLab::with(LabOptions { origin_delay: Duration::from_millis(20), ..LabOptions::default() });
    let nginx = Cache::before(lab.url().trim_start_matches("http://"));
    let script = r#"
        import "std/cache" as cache;
        let shop = target(env("TARGET"));
        cache::experiment("items", #{
            keys: zipf(1_000, 0.99), fresh: true, rate: 100.per_second,
            request: |key, fresh| get(`/api/items/${key}`).query("nocache", 1).query("v", fresh),
            calibrate: 3, cold: 2.s, warm: (), steady: 2.s, pairs: 10, pair_keys: 5,
        });
        slo("pays", #{ experiment: "items", hit_ratio: "> 20%", speedup_p50: "> 1.5x" });
    "#;
    let ended = Program::run_against(script, &format!("http://{}", nginx.addr)).run();
    assert!(matches!(ended.code, Some(0 | 97)), "{ended}");
    let summary = &ended.figures().0;
    let (mut hits, mut misses) = (0, 0);
    for phase in summary["phases"].as_array().expect("phases") {
        for row in phase["requests"].as_array().expect("rows").iter().filter(|row| !row["cache"].is_null()) {
            hits += row["cache"]["hits"].as_u64().expect("a count");
            misses += row["cache"]["misses"].as_u64().expect("a count");
            assert_eq!(row["cache"]["unknown"], 0, "{ended}");
        }
    }
    // A line is written when a request has ended, which the client may know a moment earlier.
    until("nginx to log all", Duration::from_secs(10), || nginx.logged("HIT") + nginx.logged("MISS") >= hits + misses);
    assert_eq!((hits, misses), (nginx.logged("HIT"), nginx.logged("MISS")), "{ended}");
    let found = &summary["experiments"][0];
    assert!(found["speedup"][0]["ratio_low"].as_f64() > Some(1.0), "{ended}");
    assert_eq!(found["blocks"], 10, "{ended}");
    assert!(
        found["warnings"].as_array().expect("warnings").iter().all(|it| !it.to_string().contains("left out")),
        "{ended}"
    );
}
