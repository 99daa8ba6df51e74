//! What the lab can be told on the command line; every field is a flag of `loadr lab`.

use std::{net::SocketAddr, path::PathBuf, str::FromStr, time::Duration};

use clap::Args;

use crate::clock::{ParseUnitError, Rate, parse_duration, parse_rate, parse_size};

/// How the lab listens, what it records, and how it behaves. [`LabOptions::default`] equals no flags at all.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:\n  \
    loadr lab\n  \
    loadr lab --port 0 --until-stdin-closes\n  \
    loadr lab --tls-ca ca.pem")]
pub struct LabOptions {
    /// Address to listen on; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,

    /// Port to listen on, in place of the one in --listen
    #[arg(long)]
    pub port: Option<u16>,

    /// Threads that serve requests
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub threads: u16,

    /// Stop when standard input is closed, so that the lab never outlives the process that started it
    #[arg(long)]
    pub until_stdin_closes: bool,

    /// Speak TLS, with a certificate made at the start by an authority of its own
    #[arg(long)]
    pub tls: bool,

    /// Write the authority's certificate to FILE, for `.ca(FILE)`; speaks TLS
    #[arg(long, value_name = "FILE")]
    pub tls_ca: Option<PathBuf>,

    /// Append every request to FILE as a JSON line
    #[arg(long, value_name = "FILE")]
    pub log: Option<PathBuf>,

    /// Keep the first 256 bytes of request bodies in the log
    #[arg(long)]
    pub log_bodies: bool,

    /// Requests kept in memory, some 130 bytes each; what comes after is counted, not kept
    #[arg(long, value_name = "N", default_value_t = 2_000_000)]
    pub log_capacity: usize,

    /// Seed of everything random, so that a lab can be repeated
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,

    /// Time that /health and /api take beside their own work: `2ms`, or `exponential:2ms`
    #[arg(long, value_name = "TIME")]
    pub service: Option<Service>,

    /// Stall the whole server this long after the first request
    #[arg(long, value_name = "TIME", value_parser = parse_duration, requires = "stall_for")]
    pub stall_at: Option<Duration>,

    /// Length of the stall
    #[arg(long, value_name = "TIME", value_parser = parse_duration, requires = "stall_at")]
    pub stall_for: Option<Duration>,

    /// The password that every account has
    #[arg(long, value_name = "TEXT", default_value = "demo")]
    pub password: String,

    /// Secret that signs the tokens; random at each start unless given
    #[arg(long, value_name = "TEXT")]
    pub jwt_secret: Option<String>,

    /// How long an access token is valid; whole seconds, at least one
    #[arg(long, value_name = "TIME", default_value = "15min", value_parser = parse_duration)]
    pub token_ttl: Duration,

    /// Demand a bearer token for /api/items and /api/carts
    #[arg(long)]
    pub require_login: bool,

    /// Items that the cache holds
    #[arg(long, value_name = "N", default_value = "1000")]
    pub cache_capacity: std::num::NonZeroUsize,

    /// How long a cached item is fresh
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = parse_duration)]
    pub cache_ttl: Duration,

    /// How long the origin behind the cache takes
    #[arg(long, value_name = "TIME", default_value = "5ms", value_parser = parse_duration)]
    pub origin_delay: Duration,

    /// Let concurrent misses of one item share a single fetch
    #[arg(long)]
    pub coalesce: bool,

    /// How long the cache goes on serving an item as it was after a change
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = parse_duration)]
    pub stale_for: Duration,

    /// Let a fetch keep what it read before a change that came while it was under way
    #[arg(long)]
    pub racy: bool,

    /// Acknowledge every Nth change of an item, and forget it
    #[arg(long, value_name = "N")]
    pub lose_every: Option<std::num::NonZeroU64>,

    /// Every fetch takes that much longer than the one before it
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = parse_duration)]
    pub origin_drift: Duration,

    /// The origin fails for every Nth item, and the cache keeps the error
    #[arg(long, value_name = "N")]
    pub origin_errors: Option<std::num::NonZeroU32>,

    /// Keep personal answers without looking at whose they are
    #[arg(long)]
    pub leaky: bool,

    /// Rate that /api/limited grants each key, and its burst
    #[arg(long, value_name = "RATE", default_value = "100/min", value_parser = parse_limit)]
    pub limit: Rate,

    /// Largest upload; a larger one is answered 413
    #[arg(long, value_name = "SIZE", default_value = "10MB", value_parser = parse_size)]
    pub upload_max: u64,

    /// Uploads that each key may send in an hour; unlimited unless given
    #[arg(long, value_name = "N")]
    pub uploads_per_hour: Option<u32>,
}

impl LabOptions {
    /// The address to bind: `listen`, with `port` in place of its own where one is given.
    pub fn bind_addr(&self) -> SocketAddr {
        let mut addr = self.listen;
        addr.set_port(self.port.unwrap_or(addr.port()));
        addr
    }
}

impl Default for LabOptions {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            port: None,
            threads: 1,
            until_stdin_closes: false,
            tls: false,
            tls_ca: None,
            log: None,
            log_bodies: false,
            log_capacity: 2_000_000,
            seed: 1,
            service: None,
            stall_at: None,
            stall_for: None,
            password: "demo".to_owned(),
            jwt_secret: None,
            token_ttl: Duration::from_secs(15 * 60),
            require_login: false,
            cache_capacity: std::num::NonZeroUsize::MIN.saturating_add(999),
            cache_ttl: Duration::from_secs(60),
            origin_delay: Duration::from_millis(5),
            coalesce: false,
            stale_for: Duration::ZERO,
            racy: false,
            lose_every: None,
            origin_drift: Duration::ZERO,
            origin_errors: None,
            leaky: false,
            limit: Rate { events: 100, per: 60 * crate::clock::SECOND },
            upload_max: 10_000_000,
            uploads_per_hour: None,
        }
    }
}

/// A service time: always the same, or exponentially distributed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// Every request takes exactly this long.
    Fixed(Duration),
    /// Requests take an exponential time of this mean.
    Exponential(Duration),
}

impl FromStr for Service {
    type Err = ParseUnitError;

    /// Reads `2ms`, `fixed:2ms` or `exponential:2ms`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once(':') {
            Some(("exponential", mean)) => Ok(Self::Exponential(parse_duration(mean)?)),
            Some(("fixed", time)) => Ok(Self::Fixed(parse_duration(time)?)),
            _ => Ok(Self::Fixed(parse_duration(text)?)),
        }
    }
}

/// A rate a limiter can grant: at least one, and at most 2^32 − 1, in its period.
fn parse_limit(text: &str) -> Result<Rate, String> {
    let rate = parse_rate(text).map_err(|error| error.to_string())?;
    if rate.events == 0 || u32::try_from(rate.events).is_err() || rate.per / rate.events == 0 {
        return Err(format!("`{text}` grants nothing or too much; write \"100/min\""));
    }
    Ok(rate)
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, FromArgMatches, Parser};

    use super::*;

    #[derive(Debug, Parser)]
    struct Command {
        #[command(flatten)]
        options: LabOptions,
    }

    fn parse(args: &[&str]) -> Result<LabOptions, clap::Error> {
        Command::try_parse_from([&["lab"], args].concat()).map(|command| command.options)
    }

    #[test]
    fn defaults_and_no_flags_agree() {
        let flags = parse(&[]).expect("no flags are needed");
        assert_eq!(format!("{flags:?}"), format!("{:?}", LabOptions::default()));
    }

    #[test]
    fn a_port_overrides_that_of_the_address() {
        let options = parse(&["--listen", "127.0.0.1:9", "--port", "0"]).expect("both may be given");
        assert_eq!(options.bind_addr().port(), 0);
    }

    #[test]
    fn service_times_are_fixed_or_exponential() {
        let ms = Duration::from_millis;
        assert_eq!("2ms".parse(), Ok(Service::Fixed(ms(2))));
        assert_eq!("fixed:2ms".parse(), Ok(Service::Fixed(ms(2))));
        assert_eq!("exponential:3ms".parse(), Ok(Service::Exponential(ms(3))));
        assert!("pareto:3ms".parse::<Service>().is_err());
    }

    #[test]
    fn a_stall_needs_both_its_start_and_its_length() {
        assert!(parse(&["--stall-at", "10s"]).is_err());
        assert!(parse(&["--stall-at", "10s", "--stall-for", "2s"]).is_ok());
    }

    #[test]
    fn a_limit_of_nothing_is_refused() {
        assert!(parse(&["--limit", "0/s"]).is_err());
        assert!(parse(&["--limit", "5000000000/s"]).is_err());
        assert!(parse(&["--threads", "0"]).is_err());
    }

    #[test]
    fn every_flag_has_a_help_line() {
        let command = Command::command();
        for arg in command.get_arguments().filter(|arg| arg.get_id() != "help") {
            assert!(arg.get_help().is_some(), "{} has no help", arg.get_id());
        }
        assert!(LabOptions::from_arg_matches(&command.get_matches_from(["lab"])).is_ok());
    }
}
