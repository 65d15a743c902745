//! Which devices governed processes may not open: those that packets, virtual machines or the kernel's own memory could be
//! reached by.
use interlock_common::{DEVICES_MAX, device_key};

/// Those with fixed numbers (Documentation/admin-guide/devices.txt): /dev/mem, /dev/kmem, /dev/port, /dev/ppp; and, also
/// before their modules are loaded, /dev/net/tun, /dev/kvm, /dev/vhost-net, /dev/vhost-vsock.
const FIXED: [(u32, u32); 8] = [(1, 1), (1, 2), (1, 4), (108, 0), (10, 200), (10, 232), (10, 238), (10, 241)];

/// Miscellaneous devices whose numbers the kernel gives out as they come.
const NAMES: [&str; 9] =
    ["tun", "kvm", "ppp", "vhost-net", "vhost-vsock", "vhost-vdpa", "vsock", "vmci", "fuse-vsock"];

/// Major number of miscellaneous devices.
const MISC: u32 = 10;

/// Their keys in `DEVICES`. `misc` is the text of `/proc/misc`.
pub(super) fn forbidden(misc: &str) -> Vec<u64> {
    let fixed = FIXED.into_iter().map(|(major, minor)| device_key(major, minor));
    let named = misc.lines().filter_map(|line| {
        let (minor, name) = line.trim().split_once(' ')?;
        NAMES.contains(&name.trim()).then(|| Some(device_key(MISC, minor.parse().ok()?)))?
    });
    let mut keys: Vec<u64> = fixed.chain(named).collect();
    keys.sort_unstable();
    keys.dedup();
    keys.truncate(DEVICES_MAX);
    keys
}
