//! Every key of the configuration file, defined once.

use super::kind::{
    AbsolutePath, AddressKind, Bool, Choice, Dsn, FilePath, Glob, HostPortKind, Int, List, Loopback, Maybe,
    Name, RelativeCgroup, Size, SocketAddress, Span, TagsKind, Text, UnixSocket,
};
use super::resolve::{Address, HostPort};
use super::section::Unwritten::{Nothing, Required, Toml};
use super::section::section;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

section! {
    /// Where Interlock keeps what it needs at run time and what it must not lose.
    "paths" Paths {
        /// Folder of the control socket and the lock; made at start, readable by root only. Emptied by a reboot.
        run: PathBuf = AbsolutePath, Toml("\"/run/interlock\""), Restart;
        /// Folder of the audit spool. Rows that have not reached a sink exist only here: put it on a disk that lasts.
        state: PathBuf = AbsolutePath, Toml("\"/var/lib/interlock\""), Restart;
        /// Folder in a BPF file system where programs and maps stay pinned, so that governed cgroups stay closed while
        /// the daemon is away.
        bpf: PathBuf = AbsolutePath, Toml("\"/sys/fs/bpf/interlock\""), Restart;
    }
}

/// Whether the kernel takes the connections of governed cgroups to us.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Enabled {
    /// If the kernel lets us; without it only `[[listener]]`s work.
    Auto,
    /// Or the daemon does not start.
    Require,
    /// No: only `[[listener]]`s.
    Off,
}

/// What happens to the DNS traffic of governed cgroups.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Dns {
    /// The daemon answers it, as policies and `[dns]` say.
    Answer,
    /// It goes to the resolvers it asks for, unread.
    Direct,
    /// It is refused: agents reach targets by address or `/etc/hosts` only.
    Refuse,
}

section! {
    /// How the kernel takes the connections of governed cgroups to the daemon.
    "intercept" Intercept {
        /// `"require"`: refuse to start when the kernel side can't be loaded. `"auto"`: go on with `[[listener]]`s alone,
        /// which is not a boundary, and say so. `"off"`: don't try.
        enabled: Enabled = Choice(&[("auto", Enabled::Auto), ("require", Enabled::Require), ("off", Enabled::Off)]),
            Toml("\"require\""), Restart;
        /// Where the daemon takes intercepted connections.
        address: IpAddr = Loopback, Toml("\"127.0.0.1\""), Restart;
        /// Its port. A port below 1024 can't be taken over by an unprivileged process while the daemon is away. 0 takes
        /// any free port.
        port: u16 = Int::<u16>::new(0, 65_535), Toml("941"), Restart;
        /// Take IPv6 connections too, on `::1` and the same port. Without it, agents get no IPv6 connections at all.
        ipv6: bool = Bool, Toml("true"), Restart;
        /// Under it `interlock exec` makes a cgroup for each command.
        cgroup_base: PathBuf = RelativeCgroup, Toml("\"interlock\""), Restart;
        /// Cgroups in which nothing has network but what is governed as an agent: the rest is refused, with rows of an agent
        /// `(unnamed)`. Followed from when they exist.
        default_deny: Vec<String> = List { item: Glob, min: 0, max: 16 }, Toml("[\"/agents.slice\"]"), Restart;
        /// DNS of governed cgroups. `"answer"`: whatever server an agent asks, the daemon answers, as policies and `[dns]`
        /// say; on the same port, by UDP. `"direct"` lets it pass to any server, unread: data can leave that way.
        /// `"refuse"`: agents reach targets by address or `/etc/hosts` only.
        dns: Dns = Choice(&[("answer", Dns::Answer), ("direct", Dns::Direct), ("refuse", Dns::Refuse)]),
            Toml("\"answer\""), Restart;
        /// The second layer, programs at the kernel's security hooks (BPF LSM): they see what the hooks of a cgroup do not,
        /// such as Unix sockets and ways out of the cgroup. `"require"`: refuse to start without all of it. `"auto"`: use what
        /// the kernel has, and say what is missing. `"off"`: don't try.
        security: Enabled = Choice(&[("auto", Enabled::Auto), ("require", Enabled::Require), ("off", Enabled::Off)]),
            Toml("\"auto\""), Restart;
    }
}

section! {
    /// An agent: a name that the processes of some cgroups act under. Policies speak of `Agent::"name"` and `Role::"role"`.
    "agent" AgentConfig {
        /// Its name, unique.
        name: String = Name, Required, Live, sample "\"planner\"";
        /// Roles it has; what is permitted to a role is permitted to all its agents.
        roles: Vec<String> = List { item: Name, min: 0, max: 64 }, Toml("[]"), Live, sample "[\"planners\"]";
        /// Cgroups that are governed as this agent as soon as they exist, with everything below them. None is needed for
        /// `interlock exec` and `interlock tag`.
        cgroups: Vec<String> = List { item: Glob, min: 0, max: 256 }, Toml("[]"), Live,
            sample "[\"/system.slice/planner-*.service\"]";
        /// Unix sockets of others that it may connect to, by the name that the server has bound; `@` begins an abstract one.
        /// Its own, made while it was governed, are open to it. Where the kernel lacks the security hooks (see `security`), names can't be
        /// told apart: then any entry here opens all Unix sockets to it, and none closes them to what `interlock exec` starts.
        unix_sockets: Vec<String> = List { item: UnixSocket, min: 0, max: 256 }, Toml("[]"), Live,
            sample "[\"/run/app/app.sock\"]";
    }
}

/// Protocols that a target can speak; the names are those of the protocol registry.
pub const PROTOCOLS: &[&str] = &["postgres"];

section! {
    /// A target: something that agents may be allowed to reach. A connection to anything else is refused.
    "target" TargetConfig {
        /// Its name, unique. Policies speak of `Target::"name"`. `dns` is taken: that is what lookups ask.
        name: String = Name, Required, Live, sample "\"shop-db\"";
        /// The protocol spoken there.
        protocol: &'static str = Choice(&[("postgres", "postgres")]), Required, Live, sample "\"postgres\"";
        /// What agents connect to. Host names are resolved when the file is read; what an agent has looked up since then counts
        /// as well. No two targets may share an address, but by host names: then what either's policies refuse is refused.
        addresses: Vec<Address> = List { item: AddressKind, min: 1, max: 1024 }, Required, Live,
            sample "[\"127.0.0.1:5432\"]";
        /// Where the daemon connects to instead of the address the agent asked for.
        upstream: Option<HostPort> = Maybe(HostPortKind), Nothing, Live, sample "\"127.0.0.1:5433\"";
        /// Labels that policies can ask for: `resource.labels.contains("production")`.
        labels: Vec<String> = List { item: Name, min: 0, max: 64 }, Toml("[]"), Live, sample "[\"production\"]";
        /// Tags of tables and columns, for policies to speak of: `resource.tags.contains("pii")`.
        tags: BTreeMap<String, Vec<String>> = TagsKind, Toml("{}"), Live,
            sample "{ \"public.customers.email\" = [\"pii\"], \"public.customers.card_number\" = [\"pii\", \"card\"] }";
    }
}

section! {
    /// An explicit listener, for hosts where the kernel side can't be loaded: whoever connects to it is taken for that
    /// agent. It is not transparent (clients are pointed at it by hand) and not a boundary (a process that doesn't use it
    /// is not governed).
    "listener" ListenerConfig {
        /// Where it listens.
        address: SocketAddr = SocketAddress, Required, Live, sample "\"127.0.0.1:6432\"";
        /// The target that connections go to: its `upstream`, or else its first address.
        target: String = Name, Required, Live, sample "\"shop-db\"";
        /// The agent that connections count as.
        agent: String = Name, Required, Live, sample "\"planner\"";
    }
}

section! {
    /// The policies: Cedar files. What no policy permits is refused.
    "policies" Policies {
        /// Files, or folders whose `*.cedar` files are read in order of name. A change is noticed at once; files with errors
        /// leave the policies before them in force.
        paths: Vec<PathBuf> = List { item: FilePath, min: 1, max: 256 }, Toml("[\"policies\"]"), Live;
    }
}

/// Which operations wait until their row is on the disk before they are released.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Durable {
    /// Those that may change something.
    Writes,
    /// All.
    All,
    /// None: rows survive a killed daemon, but not a lost machine.
    Never,
}

/// What is blanked in recorded statements and bind values.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Scrub {
    /// E-mail addresses.
    Email,
    /// Payment card numbers with a valid check digit.
    Card,
}

section! {
    /// The record of every operation, kept in the spool.
    "audit" Audit {
        /// Which operations are released only once their row is on the disk (fdatasync): `"writes"` those that may change
        /// something, `"all"` all, `"none"` none. Every row is written before its operation is released in any case, and
        /// survives the daemon's death; this is about the machine's.
        durable: Durable = Choice(&[("writes", Durable::Writes), ("all", Durable::All), ("none", Durable::Never)]),
            Toml("\"writes\""), Live;
        /// Bytes of a statement that its row keeps; its real length is recorded too.
        statement_bytes_max: u64 = Size { min: "0B", max: "1MiB" }, Toml("\"16KiB\""), Live;
        /// What is blanked in recorded statements and bind values. The target gets them unchanged.
        scrub: Vec<Scrub> = List { item: Choice(&[("email", Scrub::Email), ("card", Scrub::Card)]), min: 0, max: 8 },
            Toml("[]"), Live, sample "[\"email\", \"card\"]";
        /// How long rows are kept in the spool. Rows that a configured sink has not got yet are kept longer.
        retention: Duration = Span { min: "1m", max: "3650d" }, Toml("\"30d\""), Live;
        /// Size of the spool on disk at which new operations are refused, because they could not be recorded.
        spool_bytes_max: u64 = Size { min: "16MiB", max: "64TiB" }, Toml("\"10GiB\""), Restart;
    }
}

section! {
    /// Where rows go from the spool. Without this table they stay in the spool, where `interlock audit` finds them.
    "sink.clickhouse" ClickHouse {
        /// The HTTP interface of the server.
        url: String = Dsn, Required, Live, sample "\"http://127.0.0.1:8123\"";
        /// The database, made if it does not exist.
        database: String = Text { what: "a database name", max: 64 }, Toml("\"interlock\""), Live;
        /// The user, who may create the database and its tables, and insert.
        user: String = Text { what: "a user name", max: 64 }, Toml("\"default\""), Live;
        /// File whose first line is the password. Others than its owner and group may have no access to it.
        password_file: Option<PathBuf> = Maybe(FilePath), Nothing, Live, sample "\"clickhouse-password\"";
        /// Rows of one insert at most.
        batch_rows: usize = Int::<usize>::new(1, 1_000_000), Toml("65536"), Live;
        /// How long rows wait for more to fill a batch.
        batch_wait: Duration = Span { min: "10ms", max: "1h" }, Toml("\"1s\""), Live;
        /// How long one request may take.
        timeout: Duration = Span { min: "1s", max: "10m" }, Toml("\"30s\""), Live;
    }
}

/// How a lookup is refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Refusal {
    /// As if there were no such name: a client goes on to the next name of its search list.
    NoName,
    /// As refused: most clients ask another server, and give up.
    Refused,
}

/// What is done with labels that look like data rather than names.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum DataLabels {
    /// Names that have one are refused.
    Refuse,
    /// They are names like others.
    Allow,
}

section! {
    /// The lookups of governed cgroups, where the daemon answers them (`intercept.dns = "answer"`). Policies permit names:
    /// `action == Action::"read", resource in Name::"dns/host/com/example"` all of example.com. An agent that a policy lets
    /// connect to a target may look up the target's own names without.
    "dns" DnsConfig {
        /// Servers that the daemon asks for agents. None: those of `/etc/resolv.conf`.
        servers: Vec<SocketAddr> = List { item: SocketAddress, min: 0, max: 16 }, Toml("[]"), Live, sample "[\"127.0.0.53:53\"]";
        /// How long one server may take to answer, by UDP and by TCP; each is asked twice.
        timeout: Duration = Span { min: "100ms", max: "30s" }, Toml("\"2s\""), Live;
        /// Types of records that agents may ask for.
        types: Vec<&'static str> = List { item: Choice(RECORD_TYPES), min: 1, max: 32 },
            Toml("[\"A\", \"AAAA\", \"CNAME\", \"HTTPS\", \"MX\", \"PTR\", \"SRV\", \"SVCB\", \"TXT\"]"), Live;
        /// How a lookup is refused: `"nxdomain"` as if there were no such name, so that a client goes on with its search list;
        /// `"refused"`, on which most clients give up. Either says why to a client that asks with EDNS (RFC 8914).
        refusal: Refusal = Choice(&[("nxdomain", Refusal::NoName), ("refused", Refusal::Refused)]), Toml("\"nxdomain\""), Live;
        /// DnsConfig of one agent in a minute.
        queries_per_minute: u32 = Int::<u32>::new(1, 1_000_000), Toml("1200"), Live;
        /// Names in one domain (its last two labels, three below a short one like co.uk) that one agent may look up in a minute
        /// and has not looked up before: names can carry data out. A target's own names don't count.
        new_names_per_minute: u32 = Int::<u32>::new(1, 1_000_000), Toml("60"), Live;
        /// Bytes of such names in an hour.
        new_name_bytes_per_hour: u64 = Size { min: "256B", max: "1GiB" }, Toml("\"16KiB\""), Live;
        /// Names with a label of 40 characters or more that looks like data (random letters and digits): `"refuse"` or `"allow"`.
        /// A target's own names are not looked at.
        data_labels: DataLabels = Choice(&[("refuse", DataLabels::Refuse), ("allow", DataLabels::Allow)]), Toml("\"refuse\""), Live;
    }
}

/// Types of records that agents can be let ask for (IANA's list of resource record types); each under its own name.
pub const RECORD_TYPES: &[(&str, &str)] = &[
    ("A", "A"),
    ("AAAA", "AAAA"),
    ("CAA", "CAA"),
    ("CNAME", "CNAME"),
    ("HTTPS", "HTTPS"),
    ("MX", "MX"),
    ("NAPTR", "NAPTR"),
    ("NS", "NS"),
    ("PTR", "PTR"),
    ("SOA", "SOA"),
    ("SRV", "SRV"),
    ("SSHFP", "SSHFP"),
    ("SVCB", "SVCB"),
    ("TLSA", "TLSA"),
    ("TXT", "TXT"),
];

section! {
    /// A limit on everything that an agent or a target can make grow. What goes beyond is refused, with a row.
    "limits" Limits {
        /// Connections of one agent at a time.
        connections_per_agent: usize = Int::<usize>::new(1, 1_000_000), Toml("1000"), Live;
        /// Connections of all agents at a time.
        connections: usize = Int::<usize>::new(1, 1_000_000), Toml("10000"), Live;
        /// Bytes of one message that must be held whole to be decided, such as a statement with its bind values.
        message_bytes: u64 = Size { min: "16KiB", max: "1GiB" }, Toml("\"16MiB\""), Live;
        /// Bytes of the first packet of a connection.
        startup_bytes: u64 = Size { min: "1KiB", max: "1MiB" }, Toml("\"10000B\""), Live;
        /// Bytes of a statement that is read to see what it does; a longer one counts as not understood.
        statement_bytes: u64 = Size { min: "1KiB", max: "16MiB" }, Toml("\"1MiB\""), Live;
        /// Nesting of a statement that is read; a deeper one counts as not understood.
        nesting: usize = Int::<usize>::new(8, 1_024), Toml("256"), Live;
        /// Prepared statements, portals and cursors of one connection, each.
        names: usize = Int::<usize>::new(16, 1_000_000), Toml("4096"), Live;
        /// Operations of one connection that were sent to the target and not answered yet.
        pipeline: usize = Int::<usize>::new(1, 1_000_000), Toml("65536"), Live;
        /// How long a client may take from connecting to its first operation being possible.
        startup_timeout: Duration = Span { min: "100ms", max: "10m" }, Toml("\"30s\""), Live;
        /// How long connecting to a target may take.
        connect_timeout: Duration = Span { min: "100ms", max: "10m" }, Toml("\"10s\""), Live;
        /// How long a connection may be silent on both sides before it is closed; up to a quarter of it may pass more.
        idle_timeout: Duration = Span { min: "1s", max: "365d" }, Toml("\"24h\""), Live;
        /// How long open connections may go on once the daemon is asked to stop.
        drain_timeout: Duration = Span { min: "0s", max: "1h" }, Toml("\"10s\""), Live;
    }
}

/// How much is logged.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Level {
    /// What needs a person.
    Error,
    /// What will need one.
    Warn,
    /// What changed.
    Info,
    /// What happened; may hold statements.
    Debug,
    /// Everything.
    Trace,
}

impl Level {
    /// Its name, as `tracing` and `RUST_LOG` know it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

/// What a log line looks like.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Format {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

section! {
    /// The daemon's own log, on standard error.
    "log" Log {
        /// How much is logged. `"debug"` and `"trace"` may log statements, and with them data.
        level: Level = Choice(&[
            ("error", Level::Error), ("warn", Level::Warn), ("info", Level::Info), ("debug", Level::Debug),
            ("trace", Level::Trace),
        ]), Toml("\"info\""), Live;
        /// What a line looks like.
        format: Format = Choice(&[("text", Format::Text), ("json", Format::Json)]), Toml("\"text\""), Restart;
    }
}
