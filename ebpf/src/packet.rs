//! An IP packet, as far as its way depends on it.
use aya_ebpf::programs::SkBuffContext;
use core::{
    ffi::c_void,
    ptr::{addr_of, read_volatile},
};
use interlock_common::{Address, Count};

/// `ETH_P_IP` and `ETH_P_IPV6`, in network byte order.
const IPV4: u32 = 0x0800_u16.to_be() as u32;
const IPV6: u32 = 0x86dd_u16.to_be() as u32;
/// `IPPROTO_TCP`.
pub const TCP: u8 = 6;
/// `IPPROTO_UDP`.
pub const UDP: u8 = 17;
/// The port of DNS.
pub const DNS: u16 = 53;
/// Every network namespace's loopback interface has this number (`LOOPBACK_IFINDEX`).
pub const LOOPBACK: u32 = 1;

/// The ends of a packet without options.
pub struct Packet {
    pub source: Address,
    pub destination: Address,
    pub protocol: u8,
    pub source_port: u16,
    pub destination_port: u16,
    /// The first of a TCP connection: SYN without ACK.
    pub opens: bool,
}

/// Reads a packet from its network header on. One that could be routed by more than its destination is refused.
#[inline(always)]
pub fn read(ctx: &SkBuffContext) -> Result<Packet, Count> {
    // SAFETY: the context is valid for the whole run; volatile as in `context`.
    let protocol = unsafe { read_volatile(addr_of!((*ctx.skb.skb).protocol)) };
    let (source, destination, protocol, start) = match protocol {
        IPV4 => {
            let header: [u8; 20] = ctx.load(0).map_err(|_| Count::Header)?;
            // Version 4 and five words: no options.
            if header[0] != 0x45 {
                return Err(Count::Header);
            }
            (Address::mapped(word(&header, 12)), Address::mapped(word(&header, 16)), header[9], 20)
        }
        IPV6 => {
            let header: [u8; 40] = ctx.load(0).map_err(|_| Count::Header)?;
            let address = |at| {
                Address([
                    word(&header, at),
                    word(&header, at + 4),
                    word(&header, at + 8),
                    word(&header, at + 12),
                ])
            };
            // An extension header is not a protocol that passes.
            (address(8), address(24), header[6], 40)
        }
        _ => return Err(Count::Header),
    };
    if protocol != TCP && protocol != UDP {
        return Err(Count::Header);
    }
    let ports: [u8; 4] = ctx.load(start).map_err(|_| Count::Header)?;
    let flags: u8 = match protocol {
        TCP => ctx.load(start + 13).map_err(|_| Count::Header)?,
        _ => 0,
    };
    Ok(Packet {
        source,
        destination,
        protocol,
        source_port: u16::from_be_bytes([ports[0], ports[1]]),
        destination_port: u16::from_be_bytes([ports[2], ports[3]]),
        opens: flags & 0x12 == 0x02,
    })
}

/// Four bytes as the word they are in the kernel's memory.
#[inline(always)]
fn word<const N: usize>(header: &[u8; N], at: usize) -> u32 {
    u32::from_ne_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]])
}

/// The interface the packet leaves or came by.
#[inline(always)]
pub fn interface(ctx: &SkBuffContext) -> u32 {
    // SAFETY: as above.
    unsafe { read_volatile(addr_of!((*ctx.skb.skb).ifindex)) }
}

/// The socket it belongs to.
#[inline(always)]
pub fn socket(ctx: &SkBuffContext) -> *mut c_void {
    // SAFETY: as above; the union has one member besides padding.
    unsafe { read_volatile(addr_of!((*ctx.skb.skb).__bindgen_anon_2.sk)) }.cast()
}
