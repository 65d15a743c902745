//! The addresses of targets' host names, asked again now and then: which target a connection is for must not depend on what its
//! agent has chosen to look up.

use super::server::Inner;
use super::upstream::Found;
use hickory_proto::rr::{Name, RecordType};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often. In between, an agent's own lookups of a target's name count as well.
const EVERY: Duration = Duration::from_secs(60);

/// Asks for as long as it runs.
pub(super) async fn refresh(server: Arc<Inner>) {
    loop {
        tokio::time::sleep(EVERY).await;
        let live = server.common.sessions.live.load_full();
        let addresses = live.config.targets.iter().flat_map(|target| &target.addresses);
        let hosts: BTreeSet<&str> = addresses.filter_map(|address| address.host_name()).collect();
        for host in hosts {
            let Ok(name) = Name::from_ascii(host) else { continue };
            for kind in [RecordType::A, RecordType::AAAA] {
                let found = server.common.upstream.ask_for(&name, kind, &live.config.dns).await;
                if let Found::Records(records, ttl) = found {
                    let addresses = super::asker::addresses(&name, &records);
                    let good_for = Duration::from_secs(u64::from(ttl));
                    server.common.sessions.names.learn_target(
                        &host.into(),
                        &addresses,
                        good_for,
                        Instant::now(),
                    );
                }
            }
        }
    }
}
