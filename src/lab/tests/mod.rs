//! The lab through real sockets: every endpoint, the log, and what the rules of HTTP forbid.

mod caching;
mod content;
mod entrances;
mod growers;
mod log;
mod misbehave;
mod service;
mod shop;
mod stand_ins;
mod table;

use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use serde_json::Value;

use super::{Lab, LabOptions};

/// A lab on a free port, and a client that does nothing on its own.
struct Bench {
    lab: Lab,
    client: Client,
}

/// Options with a free port, and without the waits that tests do not need.
fn options() -> LabOptions {
    LabOptions { port: Some(0), origin_delay: std::time::Duration::ZERO, ..LabOptions::default() }
}

async fn start() -> Bench {
    start_with(options()).await
}

async fn start_with(options: LabOptions) -> Bench {
    // A second installation is refused, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build();
    Bench { lab: Lab::start(options).await.expect("the lab starts"), client: client.expect("a client") }
}

impl Bench {
    fn request(&self, method: &str, target: &str) -> RequestBuilder {
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        self.client.request(method, format!("http://{}{target}", self.lab.addr()))
    }

    async fn send(&self, method: &str, target: &str) -> Response {
        self.request(method, target).send().await.expect("an answer")
    }

    async fn get(&self, target: &str) -> Response {
        self.send("GET", target).await
    }

    async fn post(&self, target: &str, body: Value) -> Response {
        self.request("POST", target).json(&body).send().await.expect("an answer")
    }

    /// The JSON of a successful answer.
    async fn json(&self, target: &str) -> Value {
        ok(self.get(target).await).await
    }
}

/// The JSON of an answer that must be a success.
async fn ok(response: Response) -> Value {
    let status = response.status();
    let text = response.text().await.expect("a body");
    assert!(status.is_success(), "{status}: {text}");
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// The `error` of an answer that must have this status.
async fn refused(response: Response, status: StatusCode) -> String {
    assert_eq!(response.status(), status);
    let body: Value = response.json().await.expect("errors are JSON");
    body["error"].as_str().unwrap_or_else(|| panic!("no error code in {body}")).to_owned()
}

fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    response.headers().get(name).map_or("", |value| value.to_str().expect("ASCII"))
}
