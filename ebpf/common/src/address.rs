//! An IP address in the one form both sides use: IPv6, with IPv4 mapped into it.

/// An IPv6 address, or an IPv4 one as `::ffff:a.b.c.d`, as four words in network byte order (the form in which the
/// kernel hands addresses to programs).
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Address(pub [u32; 4]);

impl Address {
    /// The address of an IPv4 word in network byte order.
    #[inline(always)]
    pub const fn mapped(word: u32) -> Self {
        Self([0, 0, 0xffff_u32.to_be(), word])
    }

    /// Whether this is an IPv4 address.
    #[inline(always)]
    pub const fn is_mapped(&self) -> bool {
        self.0[0] == 0 && self.0[1] == 0 && self.0[2] == 0xffff_u32.to_be()
    }

    /// Whether a connection to this address ends on this host's loopback: 127.0.0.0/8, `::1`, and the unspecified
    /// addresses, which the kernel takes for loopback.
    #[inline(always)]
    pub const fn reaches_loopback(&self) -> bool {
        let last = u32::from_be(self.0[3]);
        if self.is_mapped() {
            last >> 24 == 127 || last == 0
        } else {
            self.0[0] == 0 && self.0[1] == 0 && self.0[2] == 0 && last <= 1
        }
    }

    /// This address or, for an unspecified one, the loopback address that the kernel takes it for in `connect`.
    #[inline(always)]
    pub const fn specified(self) -> Self {
        match self {
            Self([0, 0, 0, 0]) => Self([0, 0, 0, 1_u32.to_be()]),
            Self([0, 0, middle, 0]) if self.is_mapped() => Self([0, 0, middle, 0x7f00_0001_u32.to_be()]),
            other => other,
        }
    }
}

#[cfg(feature = "user")]
mod user {
    //! Conversions to and from std's addresses.
    use super::Address;
    use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

    impl From<Ipv6Addr> for Address {
        fn from(address: Ipv6Addr) -> Self {
            let bits = address.to_bits();
            let word = |shift: u32| (((bits >> shift) & 0xffff_ffff) as u32).to_be();
            Self([word(96), word(64), word(32), word(0)])
        }
    }

    impl From<Ipv4Addr> for Address {
        fn from(address: Ipv4Addr) -> Self {
            Self::mapped(address.to_bits().to_be())
        }
    }

    impl From<Address> for Ipv6Addr {
        fn from(Address([a, b, c, d]): Address) -> Self {
            let host = |word: u32| u128::from(u32::from_be(word));
            Self::from_bits(host(a) << 96 | host(b) << 64 | host(c) << 32 | host(d))
        }
    }

    impl From<Address> for IpAddr {
        /// An IPv4 address comes out as one, never as a mapped IPv6 address.
        fn from(address: Address) -> Self {
            Ipv6Addr::from(address).to_canonical()
        }
    }
}

const _: () = assert!(size_of::<Address>() == 16 && align_of::<Address>() == 4);
