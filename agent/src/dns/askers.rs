//! Those that ask by datagrams. A socket has no end that we would see: it is forgotten when it has been silent.

use super::asker::{Asker, Common};
use crate::config::DNS_TARGET;
use crate::identity::Caller;
use crate::intercept::Origin;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Sockets that are remembered.
const SOCKETS_MAX: usize = 8_192;
/// How long a socket may be silent before it is forgotten.
const SILENT: Duration = Duration::from_secs(60);

/// By the cookie of their socket.
#[derive(Default)]
pub(super) struct Askers {
    known: Mutex<HashMap<u64, Known>>,
}

struct Known {
    /// Who used the socket; whatever of it changes makes another asker.
    who: Who,
    asker: Arc<Asker>,
    last: Instant,
}

type Who = (u32, u32, u64, Arc<str>, interlock_common::Program);

fn who(origin: &Origin) -> Who {
    (origin.pid, origin.uid, origin.cgroup_id, Arc::clone(&origin.agent), origin.program)
}

impl Askers {
    /// The asker that a datagram is from. One that is new is looked at, which takes time.
    pub(super) async fn of(
        &self,
        common: &Common,
        origin: &Origin,
        identify: impl FnOnce() -> Caller,
    ) -> Arc<Asker> {
        let now = Instant::now();
        if let Some(known) = self.lock().get_mut(&origin.cookie)
            && known.who == who(origin)
        {
            known.last = now;
            return Arc::clone(&known.asker);
        }
        let caller = common.sessions.with_hash(identify()).await;
        let agent = caller.known_as();
        let desk = common.sessions.desk(caller, (DNS_TARGET, DNS_TARGET), None);
        let asker = Arc::new(Asker::new(agent, desk));
        let mut known = self.lock();
        if known.len() >= SOCKETS_MAX {
            known.retain(|_, one| now.saturating_duration_since(one.last) < SILENT);
        }
        if known.len() >= SOCKETS_MAX
            && let Some(oldest) = known.iter().min_by_key(|(_, one)| one.last).map(|(cookie, _)| *cookie)
        {
            known.remove(&oldest);
        }
        known.insert(origin.cookie, Known { who: who(origin), asker: Arc::clone(&asker), last: now });
        asker
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
