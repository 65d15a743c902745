//! Names of Unix sockets that agents may connect to though they are not their own.
use interlock_common::{UNIX_NAME_BYTES_MAX, UnixName};

/// Where every service writes its log and tells its manager that it is ready. No answer comes back from there.
const ALWAYS: [&str; 5] = [
    "/dev/log",
    "/run/systemd/journal/dev-log",
    "/run/systemd/journal/socket",
    "/run/systemd/journal/stdout",
    "/run/systemd/notify",
];

/// Stands for an agent's name in keys: FNV-1a (RFC 9923), never 0.
pub(super) fn key(agent: &str) -> u64 {
    let hash = agent.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    hash.max(1)
}

/// The keys of what is allowed to every agent, and of what is to each: pairs of an agent and a name.
pub(super) fn allowed<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Vec<UnixName> {
    let always = ALWAYS.into_iter().flat_map(|name| spellings(0, name));
    always.chain(pairs.flat_map(|(agent, name)| spellings(key(agent), name))).collect()
}

/// A server may have bound a path below `/run` as one below `/var/run`, which is a link to it. The kernel counts the zero
/// byte behind a path if the server did.
fn spellings(agent: u64, name: &str) -> Vec<UnixName> {
    let other = match (name.strip_prefix("/run/"), name.strip_prefix("/var/run/")) {
        (Some(rest), _) => Some(format!("/var/run/{rest}")),
        (_, Some(rest)) => Some(format!("/run/{rest}")),
        _ => None,
    };
    let names = std::iter::once(name.to_owned()).chain(other);
    let bytes = names.flat_map(|name| match name.strip_prefix('@') {
        Some(rest) => vec![[b"\0", rest.as_bytes()].concat()],
        None => vec![name.clone().into_bytes(), [name.as_bytes(), b"\0"].concat()],
    });
    bytes.filter_map(|bytes| encode(agent, &bytes)).collect()
}

fn encode(agent: u64, bytes: &[u8]) -> Option<UnixName> {
    let mut name =
        UnixName { agent, name_len: u32::try_from(bytes.len()).ok()?, name: [0; UNIX_NAME_BYTES_MAX] };
    name.name.get_mut(..bytes.len())?.copy_from_slice(bytes);
    Some(name)
}
