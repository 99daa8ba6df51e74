//! A headless Chromium, told what to do over a pair of pipes in the protocol of its developer tools.

use std::{
    fs::File,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    time::Duration,
};

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Names that Chromium goes by; `tests/run` installs it under one of them.
const PROGRAMS: &[&str] = &["chromium", "chromium-browser"];
/// A busy machine takes long to start it.
const PATIENCE: Duration = Duration::from_secs(60);
const FLAGS: &[&str] = &[
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
];

/// A browser with one page. Dropped, it is killed.
pub struct Browser {
    child: Child,
    commands: File,
    messages: Receiver<Value>,
    session: Option<String>,
    sent: u64,
    /// Everything that happened on the page, in its order.
    events: Vec<Value>,
    _folder: TempDir,
}

impl Browser {
    /// Starts it, with an empty page.
    pub fn start() -> Self {
        let folder = TempDir::new().expect("a folder");
        let pipe = |name: &str| {
            let path = folder.path().join(name);
            assert!(Command::new("mkfifo").arg(&path).status().expect("mkfifo is there").success());
            path
        };
        let (commands, answers) = (pipe("commands"), pipe("answers"));
        // It reads from descriptor 3 and writes to 4, which a shell can open.
        let program = PROGRAMS.iter().copied().find(|name| is_there(name)).expect("Chromium, which tests/run installs");
        let child = Command::new("sh")
            .args(["-c", "exec \"$0\" \"$@\" 3<\"$COMMANDS\" 4>\"$ANSWERS\"", program])
            .args(FLAGS)
            .arg(format!("--user-data-dir={}", folder.path().join("profile").display()))
            .envs([("COMMANDS", &commands), ("ANSWERS", &answers)])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("a shell");
        let commands = File::options().write(true).open(commands).expect("the browser's end");
        let answers = BufReader::new(File::open(answers).expect("the browser's end"));
        let (sender, messages) = channel();
        // It ends with the browser, which closes its end.
        std::thread::spawn(move || {
            for message in answers.split(0).map_while(Result::ok) {
                let Ok(message) = serde_json::from_slice(&message) else { break };
                if sender.send(message).is_err() {
                    break;
                }
            }
        });
        let mut browser =
            Self { child, commands, messages, session: None, sent: 0, events: Vec::new(), _folder: folder };
        let target = browser.call("Target.createTarget", json!({ "url": "about:blank" }))["targetId"].clone();
        let attached = browser.call("Target.attachToTarget", json!({ "targetId": target, "flatten": true }));
        browser.session = Some(attached["sessionId"].as_str().expect("a session").to_owned());
        for domain in ["Page", "Runtime", "Log", "Network"] {
            browser.call(&format!("{domain}.enable"), json!({}));
        }
        browser
    }

    /// Opens a file, and waits until it is there.
    pub fn open(&mut self, file: &Path) {
        self.events.clear();
        let went = self.call("Page.navigate", json!({ "url": format!("file://{}", file.display()) }));
        assert!(went["errorText"].is_null(), "{went}");
        while !self.events.iter().any(|event| event["method"] == "Page.loadEventFired") {
            let event = self.next("the page");
            self.events.push(event);
        }
    }

    /// How large the window is, in pixels of the page.
    pub fn resize(&mut self, width: u32, height: u32) {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600 });
        self.call("Emulation.setDeviceMetricsOverride", size);
    }

    /// Which theme the reader prefers: `light` or `dark`.
    pub fn prefer(&mut self, theme: &str) {
        let features = json!([{ "name": "prefers-color-scheme", "value": theme }]);
        self.call("Emulation.setEmulatedMedia", json!({ "features": features }));
    }

    /// The value of an expression in the page.
    #[track_caller]
    pub fn value(&mut self, expression: &str) -> Value {
        let answer = self.call("Runtime.evaluate", json!({ "expression": expression, "returnByValue": true }));
        assert!(answer["exceptionDetails"].is_null(), "{expression}: {answer}");
        answer["result"]["value"].clone()
    }

    /// Presses a key: `Tab`, `Enter`.
    pub fn press(&mut self, key: &str) {
        let (code, text) = match key {
            "Tab" => (9, ""),
            "Enter" => (13, "\r"),
            other => panic!("which code has {other}?"),
        };
        for kind in ["keyDown", "keyUp"] {
            let text = if kind == "keyDown" { text } else { "" };
            let event = json!({ "type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code, "text": text });
            self.call("Input.dispatchKeyEvent", event);
        }
    }

    /// Types a text.
    pub fn write(&mut self, text: &str) {
        self.call("Input.insertText", json!({ "text": text }));
    }

    /// Takes a picture of the whole page, as PNG.
    pub fn picture(&mut self) -> Vec<u8> {
        let picture = self.call("Page.captureScreenshot", json!({ "format": "png", "captureBeyondViewport": true }));
        BASE64_STANDARD.decode(picture["data"].as_str().expect("a picture")).expect("base64")
    }

    /// What the page asked for since it was opened: addresses.
    pub fn requested(&self) -> Vec<String> {
        let of = |event: &Value| event["params"]["request"]["url"].as_str().map(ToOwned::to_owned);
        self.named("Network.requestWillBeSent").filter_map(of).collect()
    }

    /// What went wrong on the page since it was opened: exceptions, errors, what its policy refused.
    pub fn complaints(&self) -> Vec<String> {
        let is_error = |event: &&Value| {
            let level = &event["params"]["entry"]["level"];
            event["method"] == "Runtime.exceptionThrown"
                || event["method"] == "Runtime.consoleAPICalled"
                || (event["method"] == "Log.entryAdded" && (level == "error" || level == "warning"))
        };
        self.events.iter().filter(is_error).map(Value::to_string).collect()
    }

    fn named<'a>(&'a self, method: &'a str) -> impl Iterator<Item = &'a Value> {
        self.events.iter().filter(move |event| event["method"] == method)
    }

    #[track_caller]
    fn call(&mut self, method: &str, params: Value) -> Value {
        self.sent += 1;
        let id = self.sent;
        let mut command = json!({ "id": id, "method": method, "params": params });
        if let Some(session) = &self.session {
            command["sessionId"] = json!(session);
        }
        let mut bytes = command.to_string().into_bytes();
        bytes.push(0);
        self.commands.write_all(&bytes).expect("the browser listens");
        loop {
            let message = self.next(method);
            if message["id"] != id {
                self.events.push(message);
                continue;
            }
            assert!(message["error"].is_null(), "{method}: {message}");
            return message["result"].clone();
        }
    }

    #[track_caller]
    fn next(&mut self, what: &str) -> Value {
        self.messages.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("waited {PATIENCE:?} for {what}"))
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // It takes its children along.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn is_there(program: &str) -> bool {
    let found = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    found.is_ok_and(|status| status.success())
}
