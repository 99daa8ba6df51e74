//! nginx as a cache before the lab: what is classified against what nginx logs of itself.

use std::time::Duration;

use loadr::lab::LabOptions;

use crate::harness::{Nginx, Program, TestLab, until};

/// A `proxy_cache` before `origin`, whose key is the whole address.
fn cache_before(origin: &str) -> Nginx {
    Nginx::start(|addr, _| {
        format!(
            "log_format it '$upstream_cache_status';\n\
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
             }}"
        )
    })
}

/// How often nginx logged that word of its cache.
fn logged(nginx: &Nginx, word: &str) -> u64 {
    nginx.log().lines().filter(|line| *line == word).count() as u64
}

#[test]
fn nginx_counts_as_many_hits_as_are_classified() {
    let lab = TestLab::with(LabOptions { origin_delay: Duration::from_millis(20), ..LabOptions::default() });
    let nginx = cache_before(lab.url().trim_start_matches("http://"));
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
    until("nginx to log all", Duration::from_secs(10), || {
        logged(&nginx, "HIT") + logged(&nginx, "MISS") >= hits + misses
    });
    assert_eq!((hits, misses), (logged(&nginx, "HIT"), logged(&nginx, "MISS")), "{ended}");
    let found = &summary["experiments"][0];
    assert!(found["speedup"][0]["ratio_low"].as_f64() > Some(1.0), "{ended}");
    assert_eq!(found["blocks"], 10, "{ended}");
    assert!(
        found["warnings"].as_array().expect("warnings").iter().all(|it| !it.to_string().contains("left out")),
        "{ended}"
    );
}
