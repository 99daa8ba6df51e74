//! The ground that tests on real systems stand on: each server starts, serves, and leaves nothing behind.

use std::{
    io::{Read, Write},
    net::TcpStream,
    process::Command,
    time::Duration,
};

use crate::harness::{System, until};

/// The `host:port` in an address.
fn place(address: &str) -> &str {
    let rest = address.split_once("://").map_or(address, |(_, rest)| rest);
    let rest = rest.rsplit_once('@').map_or(rest, |(_, rest)| rest);
    rest.split('/').next().expect("a host")
}

#[test]
fn servers_start_and_leave_nothing_behind() {
    for (name, key) in [("redis", "REDIS"), ("postgres", "POSTGRES"), ("mariadb", "MYSQL")] {
        let system = System::start(name);
        let place = place(system.value(key)).to_owned();
        TcpStream::connect(&place).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(system.folder().join("logs").join(format!("{name}.log")).exists(), "{name} logs");
        drop(system);
        assert!(TcpStream::connect(&place).is_err(), "{name} still listens");
    }
}

#[test]
fn redis_speaks() {
    let system = System::start("redis");
    let mut stream = TcpStream::connect(system.value("REDIS")).expect("it listens");
    stream.write_all(b"PING\r\n").expect("it reads");
    let mut answer = [0; 7];
    stream.read_exact(&mut answer).expect("it answers");
    assert_eq!(&answer, b"+PONG\r\n");
    assert_eq!(system.values().collect::<Vec<_>>(), [format!("REDIS={}", system.value("REDIS"))]);
}

#[test]
fn a_command_gets_the_addresses_and_its_exit_code_counts() {
    let start = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/systems/start");
    let ended = Command::new(start).args(["redis", "--", "sh", "-c", "echo $REDIS; exit 7"]).output().expect("it runs");
    assert_eq!(ended.status.code(), Some(7), "{}", String::from_utf8_lossy(&ended.stderr));
    let place = String::from_utf8(ended.stdout).expect("text");
    assert!(TcpStream::connect(place.trim()).is_err(), "it still listens");
    let unknown = Command::new(start).arg("nosuch").output().expect("it runs");
    assert_eq!(unknown.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("there is no system 'nosuch'"));
}

#[test]
fn a_server_that_dies_ends_its_system() {
    let mut system = System::start("redis");
    let mut stream = TcpStream::connect(system.value("REDIS")).expect("it listens");
    stream.write_all(b"SHUTDOWN NOSAVE\r\n").expect("it reads");
    until("the system's end", Duration::from_secs(20), || system.has_ended());
}
