//! What the rows of one session share.

use super::{Boundary, no_text};
use std::fmt;
use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::{Arc, OnceLock};
use uuid::Uuid;

/// Who asks, from where and of whom: the part of a row that all rows of a session have in common, and share. To copy it
/// is to count; what the journal needs of it is made once.
#[derive(Clone)]
pub struct Subject(Arc<Shared>);

/// The fields of a [`Subject`]; each is a column.
#[derive(Clone, Debug, PartialEq)]
pub struct SubjectFields {
    /// The host that the agent ran on.
    pub host: Arc<str>,
    /// The agent's name, as the kernel's cgroup says it.
    pub agent: Arc<str>,
    /// Path of the governed cgroup.
    pub cgroup: Arc<str>,
    /// Process that connected.
    pub pid: u32,
    /// Its user.
    pub uid: u32,
    /// Its executable.
    pub exe: Arc<str>,
    /// The task that it works for; may be empty.
    pub task: Arc<str>,
    /// The intercepted connection.
    pub session: Uuid,
    /// The target's name.
    pub target: Arc<str>,
    /// What the agent connected to. IPv4 and IPv4-mapped IPv6 are the same address here.
    pub destination: SocketAddr,
    /// Whether the kernel brought the connection or an explicit listener took it.
    pub boundary: Boundary,
    /// The protocol's name.
    pub protocol: Arc<str>,
    /// The user that the agent logged in as at the target.
    pub user: Arc<str>,
    /// The database that it asked for.
    pub database: Arc<str>,
    /// The kernel's number of the governed cgroup; 0 without one.
    pub cgroup_id: u64,
    /// The thread that connected; 0 if unknown.
    pub thread: u32,
    /// Who logged in to the host, whatever user the process is by now; the greatest number if nobody did.
    pub login_uid: u32,
    /// SHA-256 of the executable, in hexadecimal; empty if it could not be read.
    pub exe_hash: Arc<str>,
    /// The executable's inode number; 0 if unknown.
    pub exe_inode: u64,
    /// The command line, its parts joined with blanks, cut if long. Processes can change their own.
    pub argv: Arc<str>,
    /// The processes that it descends from, the nearest first: `bash(812) sshd(790) systemd(1)`.
    pub parents: Arc<str>,
    /// The systemd unit it runs in; empty without one.
    pub unit: Arc<str>,
    /// The container it runs in, by its id; empty without one.
    pub container: Arc<str>,
    /// The names that the agent knew the destination by, from its lookups, with blanks between them; empty if it looked none up.
    pub destination_name: Arc<str>,
    /// The layers of the boundary that were missing, with commas between them; empty if all were there.
    pub degraded: Arc<str>,
}

#[derive(Clone)]
struct Shared {
    fields: SubjectFields,
    /// Its columns as the journal's records hold them, once they were needed.
    encoded: OnceLock<Box<[u8]>>,
}

impl Subject {
    /// A subject with these fields.
    pub fn new(fields: SubjectFields) -> Self {
        Self(Arc::new(Shared { fields, encoded: OnceLock::new() }))
    }

    /// The fields, to be changed: for this row alone, if others share them.
    pub fn edit(&mut self) -> &mut SubjectFields {
        let own = Arc::make_mut(&mut self.0);
        own.encoded.take();
        &mut own.fields
    }

    /// Its columns as the journal holds them; `encode` makes them if that was not done yet.
    pub(crate) fn encoded(&self, encode: impl FnOnce() -> Vec<u8>) -> &[u8] {
        self.0.encoded.get_or_init(|| encode().into())
    }
}

impl Deref for Subject {
    type Target = SubjectFields;

    fn deref(&self) -> &SubjectFields {
        &self.0.fields
    }
}

impl PartialEq for Subject {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.fields == other.0.fields
    }
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fields.fmt(f)
    }
}

impl Default for SubjectFields {
    fn default() -> Self {
        Self {
            host: no_text(),
            agent: no_text(),
            cgroup: no_text(),
            pid: 0,
            uid: 0,
            exe: no_text(),
            task: no_text(),
            session: Uuid::nil(),
            target: no_text(),
            destination: SocketAddr::from(([0, 0, 0, 0], 0)),
            boundary: Boundary::Transparent,
            protocol: no_text(),
            user: no_text(),
            database: no_text(),
            cgroup_id: 0,
            thread: 0,
            login_uid: u32::MAX,
            exe_hash: no_text(),
            exe_inode: 0,
            argv: no_text(),
            parents: no_text(),
            unit: no_text(),
            container: no_text(),
            destination_name: no_text(),
            degraded: no_text(),
        }
    }
}
