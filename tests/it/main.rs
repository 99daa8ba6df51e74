//! Tests of the built binary against real servers, of the shape of its source, and of its prose.
//!
//! Each test of the binary starts `loadr` as a user would, in a folder of its own, and compares what it reports
//! with what the server saw. A run that outlives its limit is killed and fails its test.

mod harness;

mod ab;
mod aims;
mod anew;
mod author;
mod bad_input;
mod baseline;
mod bodies;
mod cache_parts;
mod cache_warnings;
mod caches;
mod comparison;
mod cookies;
mod data_sets;
mod docs;
mod examples;
mod exchanges;
mod extent;
mod forms;
mod fruitpak;
mod grades;
mod history;
mod http;
mod interruption;
mod layers;
mod main_job;
mod metrics;
mod monitor;
mod output;
mod page;
mod process;
mod proxies;
mod real_caches;
mod real_proxies;
mod real_servers;
mod realtime;
mod redis;
mod run_file;
mod same_traffic;
mod sandbox;
mod saved;
mod scale;
mod script_faults;
mod secrets;
mod slos;
mod sql;
mod stdlib;
mod steps;
mod systems;
mod target_faults;
mod tls;
mod truth;
mod user_reports;
mod validity;
