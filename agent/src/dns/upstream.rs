//! Asking the servers that the configuration names, with hickory's resolver and its cache.

use super::query::Query;
use crate::config::DnsConfig;
use hickory_proto::op::ResponseCode;
use hickory_proto::rr::{Name, RData, Record, RecordType};
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{
    ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts,
};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::system_conf::read_system_conf;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};
use tokio::runtime::Builder;

/// Where the system says which servers there are.
const SYSTEM: &str = "/etc/resolv.conf";
/// Answers that are remembered.
const CACHE: u64 = 8_192;
/// Seconds that an answer is good for at most: names should not outlive what is known of them here.
const TTL_MAX: u32 = 3_600;

/// The servers.
#[derive(Default)]
pub(super) struct Upstream {
    made: Mutex<Option<Made>>,
}

/// A resolver, and what it was made from.
struct Made {
    servers: Vec<SocketAddr>,
    timeout: Duration,
    /// When the system's file last changed.
    changed: Option<SystemTime>,
    resolver: TokioResolver,
}

/// What the servers say.
pub(super) enum Found {
    /// Records, aliases on the way to them included, and for how many seconds they are good.
    Records(Vec<Record>, u32),
    /// No such name, or no such records; the record that says for how long.
    Nothing(ResponseCode, Option<Box<Record>>),
    /// No answer, and why.
    Failed(String),
}

impl Upstream {
    /// Asks what an agent has asked.
    pub(super) async fn ask(&self, query: &Query, config: &DnsConfig) -> Found {
        self.ask_for(query.name(), query.kind(), config).await
    }

    /// Asks for records of a type.
    pub(super) async fn ask_for(&self, name: &Name, kind: RecordType, config: &DnsConfig) -> Found {
        let resolver = match self.resolver(config) {
            Ok(resolver) => resolver,
            Err(error) => return Found::Failed(error),
        };
        let mut name = name.to_lowercase();
        name.set_fqdn(true);
        match resolver.lookup(name, kind).await {
            Ok(found) => {
                let left = found.valid_until().saturating_duration_since(Instant::now()).as_secs();
                Found::Records(found.answers().to_vec(), u32::try_from(left).unwrap_or(TTL_MAX).min(TTL_MAX))
            }
            Err(NetError::Dns(DnsError::NoRecordsFound(none))) => {
                let soa = none.soa.map(|soa| {
                    let ttl = none.negative_ttl.unwrap_or(soa.ttl);
                    Box::new(Record::from_rdata(soa.name.clone(), ttl, RData::SOA(soa.data.clone())))
                });
                Found::Nothing(none.response_code, soa)
            }
            Err(error) => Found::Failed(error.to_string()),
        }
    }

    /// The resolver of the configuration in force, made anew when that or the system's file has changed.
    fn resolver(&self, config: &DnsConfig) -> Result<TokioResolver, String> {
        let changed = match config.servers.is_empty() {
            true => std::fs::metadata(SYSTEM).and_then(|file| file.modified()).ok(),
            false => None,
        };
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(made) = &*made
            && (&made.servers, made.timeout, made.changed) == (&config.servers, config.timeout, changed)
        {
            return Ok(made.resolver.clone());
        }
        let resolver = build(&config.servers, config.timeout, ResolveHosts::Never)
            .map_err(|error| format!("there is no server to ask: {error}"))?;
        *made = Some(Made {
            servers: config.servers.clone(),
            timeout: config.timeout,
            changed,
            resolver: resolver.clone(),
        });
        Ok(resolver)
    }
}

/// The servers that the system's file names.
///
/// # Errors
/// It can't be read, in words.
pub fn system_servers() -> Result<Vec<String>, String> {
    let (config, _) = read_system_conf().map_err(|error| error.to_string())?;
    Ok(config.name_servers().iter().map(|server| server.ip.to_string()).collect())
}

/// The addresses of a host name: by `/etc/hosts`, else as these servers say. Blocks.
///
/// # Errors
/// Why there are none, in words.
pub fn addresses(servers: &[SocketAddr], timeout: Duration, host: &str) -> Result<Vec<IpAddr>, String> {
    let ask = || {
        let runtime =
            Builder::new_current_thread().enable_all().build().map_err(|error| error.to_string())?;
        runtime.block_on(async {
            let resolver =
                build(servers, timeout, ResolveHosts::Always).map_err(|error| error.to_string())?;
            let name = format!("{}.", host.trim_end_matches('.'));
            let found = resolver.lookup_ip(name).await.map_err(|error| error.to_string())?;
            Ok(found.iter().collect())
        })
    };
    // On a thread of its own: the caller's may be a runtime's, which must not block on another.
    std::thread::scope(|threads| {
        let answer = threads.spawn(ask).join();
        answer.unwrap_or_else(|_| Err("the resolver failed".to_owned()))
    })
}

fn build(servers: &[SocketAddr], timeout: Duration, hosts: ResolveHosts) -> Result<TokioResolver, NetError> {
    let mut builder = match servers {
        [] => TokioResolver::builder_tokio()?,
        servers => {
            let servers = servers.iter().map(server).collect();
            let config = ResolverConfig::from_name_servers(servers);
            TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
        }
    };
    let options: &mut ResolverOpts = builder.options_mut();
    options.timeout = timeout;
    options.attempts = 1;
    options.cache_size = CACHE;
    options.use_hosts_file = hosts;
    options.edns0 = true;
    options.preserve_intermediates = true;
    options.try_tcp_on_error = true;
    builder.build()
}

fn server(address: &SocketAddr) -> NameServerConfig {
    let at_port = |mut connection: ConnectionConfig| {
        connection.port = address.port();
        connection
    };
    let connections = vec![at_port(ConnectionConfig::udp()), at_port(ConnectionConfig::tcp())];
    NameServerConfig::new(address.ip(), true, connections)
}
