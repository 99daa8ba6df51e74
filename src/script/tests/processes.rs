//! Programs that scripts declare.

use std::{path::Path, time::Duration};

use super::{
    super::{Exec, LoadOptions, Processes},
    mistakes, with_options,
};
use crate::plan::{Plan, Process, Ready};

/// A script around lines, with a phase.
fn script(lines: &str) -> String {
    format!("{lines}\nphase(\"main\").run(get(\"/\")).users(1).during(1.s);")
}

fn plan(text: &str, options: &LoadOptions) -> Plan {
    with_options(text, options, |result| match result {
        Ok(loaded) => loaded.plan,
        Err(error) => panic!("{}", error.render(false)),
    })
}

#[test]
fn a_process_is_a_program_with_arguments_a_port_and_what_is_usual() {
    let text = script(
        "let api = process(`bin/api \"two words\" --port {port}`, #{ env: #{ PORT: \"{port}\", N: 3, ON: true } });\n\
         target(api.address);\n\
         process(`/usr/bin/api 'a'b`, #{ cwd: \"sub\", timeout: 90.s, stop: \"1s\" });\n\
         process(\"other\", #{ port: 8000 }); process(\"more\", #{ port: 8001, ready: \"/health\" });\n\
         process(\"last\", #{ ready: regex(\"up$\") });",
    );
    let plan = plan(&text, &LoadOptions::default());
    let [api, second, other, more, last] = &plan.processes[..] else { panic!("{:?}", plan.processes) };
    let port = api.port.expect("it names a port").to_string();
    assert_eq!(plan.targets[0].url.as_str(), format!("http://127.0.0.1:{port}/"));
    assert_eq!(
        *api,
        Process {
            name: "api".to_owned(),
            written: "bin/api \"two words\" --port {port}".to_owned(),
            command: ["bin/api", "two words", "--port", &port].map(str::to_owned).to_vec(),
            env: [("N", "3"), ("ON", "true"), ("PORT", &port)].map(|(a, b)| (a.to_owned(), b.to_owned())).to_vec(),
            folder: None,
            port: api.port,
            port_is_drawn: true,
            ready: Ready::Tcp,
            timeout: Duration::from_secs(30),
            stop: Duration::from_secs(10),
        }
    );
    assert_eq!((&*second.name, &*second.command), ("api-2", &["/usr/bin/api".to_owned(), "ab".to_owned()][..]));
    assert_eq!(second.folder.as_deref(), Some(Path::new("sub")));
    assert_eq!((second.timeout, second.stop), (Duration::from_secs(90), Duration::from_secs(1)));
    assert_eq!((second.port, &second.ready), (None, &Ready::Started));
    assert_eq!((other.port, &other.ready, other.port_is_drawn), (Some(8000), &Ready::Tcp, false));
    assert_eq!(more.ready, Ready::Http("/health".to_owned()));
    assert_eq!((last.port, &last.ready), (None, &Ready::Log("up$".to_owned())));
}

#[test]
fn all_evaluations_have_the_same_ports_and_each_process_its_own() {
    let text = script("let a = process(\"a {port}\"); let b = process(\"b {port}\"); target(b.address);");
    let options = LoadOptions { processes: Processes::new(Exec::Allow), ..LoadOptions::default() };
    let (one, other) = (plan(&text, &options), plan(&text, &options));
    assert_eq!(one.processes, other.processes);
    assert_ne!(one.processes[0].port, one.processes[1].port);
    // Another run has others, and the same traffic.
    let elsewhere = plan(&text, &LoadOptions::default());
    assert_ne!(one.targets[0].url, elsewhere.targets[0].url);
    assert_eq!(one.hash(), elsewhere.hash());
    // A port of the script's choice is part of the target's address.
    let fixed = |port: u16| {
        let text = script(&format!("target(process(\"b\", #{{ port: {port} }}).address);"));
        plan(&text, &LoadOptions::default()).hash()
    };
    assert_ne!(fixed(8000), fixed(8001));
}

#[test]
fn a_run_that_may_not_start_it_says_so_without_secrets() {
    let text = script("target(\"http://h\"); process(`serve --key ${secret(\"KEY\")}`);");
    let options = LoadOptions {
        processes: Processes::new(Exec::Refuse),
        env: vec![("KEY".to_owned(), "s3cr3t-key".to_owned())],
        ..LoadOptions::default()
    };
    insta::assert_snapshot!(with_options(&text, &options, |result| match result {
        Ok(loaded) => panic!("the script loads: {:?}", loaded.plan),
        Err(error) => error.render(false),
    }));
}

#[test]
fn processes_that_are_wrong() {
    insta::assert_snapshot!(mistakes(&script(
        "target(\"http://h\");\n\
         process(\"\"); process(5);\n\
         process(\"sh 'x\");\n\
         process(\"x\", #{ ready: \"/h\" });\n\
         process(\"y {port}\", #{ redy: 1 });\n\
         process(\"y {port}\", #{ ready: 5 }); process(\"y {port}\", #{ ready: \"health\" });\n\
         process(\"y {port}\", #{ ready: regex(\"(\") });\n\
         process(\"y\", #{ port: 70_000 }); process(\"y\", #{ port: 0 });\n\
         process(\"y\", #{ env: #{ A: [] } }); process(\"y\", #{ env: #{ \"A=B\": 1 } });\n\
         process(\"y\", #{ stop: 2.h }); process(\"y\", #{ timeout: 5 });\n\
         process(`y ${uuid()}`);",
    )));
}

#[test]
fn more_processes_than_anybody_needs_are_a_mistake() {
    let text = script("target(\"http://h\"); for n in 0..65 { process(`y ${n}`); }");
    assert!(mistakes(&text).contains("at most 64 processes"));
}

#[test]
fn there_is_no_number_before_the_run() {
    insta::assert_snapshot!(mistakes(&script("target(\"http://h\"); let api = process(\"y\"); print(api.pid);")));
}
