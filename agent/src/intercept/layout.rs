//! Where the running kernel keeps the fields that the security hooks read: looked up in its own type information
//! (/sys/kernel/btf/vmlinux; format: Documentation/bpf/btf.rst).
use interlock_common::{Layout, SOCKET_SK_OFFSET};
use std::{collections::HashMap, fs, sync::OnceLock};

#[cfg(test)]
mod tests;

/// The kernel's type information.
pub(super) const FILE: &str = "/sys/kernel/btf/vmlinux";
const MAGIC: u16 = 0xeb9f;
/// Bytes of a type without what follows it, and of a member of a structure.
const TYPE: usize = 12;
const MEMBER: usize = 12;
/// Kinds of types that matter here.
const STRUCT: u32 = 4;
const UNION: u32 = 5;
/// How deep unnamed structures are searched.
const DEPTH: u32 = 4;

/// The running kernel's layout; read once, since it does not change.
pub(super) fn running() -> Result<Layout, String> {
    static LAYOUT: OnceLock<Result<Layout, String>> = OnceLock::new();
    LAYOUT
        .get_or_init(|| {
            let bytes = fs::read(FILE).map_err(|error| format!("{FILE} can't be read: {error}"))?;
            read(&bytes)
        })
        .clone()
}

/// Looks everything up.
pub(super) fn read(bytes: &[u8]) -> Result<Layout, String> {
    let types = Types::parse(bytes).ok_or_else(|| format!("{FILE} is not as expected"))?;
    let at = |structure: &str, member: &str| {
        types.offset(structure, member).ok_or_else(|| format!("this kernel has no `{structure}.{member}`"))
    };
    let socket = at("socket", "sk")?;
    if socket as usize != SOCKET_SK_OFFSET {
        return Err(format!("this kernel has `socket.sk` at {socket}, not at {SOCKET_SK_OFFSET}"));
    }
    Ok(Layout {
        unix_addr: at("unix_sock", "addr")?,
        unix_address_len: at("unix_address", "len")?,
        unix_address_name: at("unix_address", "name")?,
        task_cgroups: at("task_struct", "cgroups")?,
        css_set_cgroup: at("css_set", "dfl_cgrp")?,
        cgroup_node: at("cgroup", "kn")?,
        node_id: at("kernfs_node", "id")?,
        node_parent: at("kernfs_node", "parent").or_else(|_| at("kernfs_node", "__parent"))?,
        file_inode: at("file", "f_inode")?,
        file_mode: at("file", "f_mode")?,
        file_private: at("file", "private_data")?,
        inode_mode: at("inode", "i_mode")?,
        inode_super: at("inode", "i_sb")?,
        inode_private: at("inode", "i_private")?,
        super_magic: at("super_block", "s_magic")?,
        sock_family: at("sock_common", "skc_family")?,
        sock_cgroup: at("sock", "sk_cgrp_data")?,
        dentry_super: at("dentry", "d_sb")?,
        task_mm: at("task_struct", "mm")?,
        mm_program: at("mm_struct", "exe_file")?,
        inode_number: at("inode", "i_ino")?,
        super_device: at("super_block", "s_dev")?,
        execution_path: at("linux_binprm", "filename")?,
        task_process: at("task_struct", "tgid")?,
    })
}

/// The structures of the type information.
struct Types<'a> {
    strings: &'a [u8],
    /// By number, the members of structures and unions, and whether offsets carry a bit field's size.
    members: HashMap<u32, (&'a [u8], bool)>,
    /// By name.
    named: HashMap<&'a [u8], u32>,
}

impl<'a> Types<'a> {
    fn parse(bytes: &'a [u8]) -> Option<Self> {
        if u16::from_ne_bytes(bytes.get(..2)?.try_into().ok()?) != MAGIC {
            return None;
        }
        let header = number(bytes, 4)?;
        let part = |at| -> Option<&'a [u8]> {
            let start = header.checked_add(number(bytes, at)?)?;
            bytes.get(start..start.checked_add(number(bytes, at + 4)?)?)
        };
        let (mut rest, strings) = (part(8)?, part(16)?);
        let mut types = Self { strings, members: HashMap::new(), named: HashMap::new() };
        let mut id = 0_u32;
        while !rest.is_empty() {
            id = id.checked_add(1)?;
            let info = word(rest, 4)?;
            let (kind, count) = (info >> 24 & 0x1f, (info & 0xffff) as usize);
            let size = TYPE.checked_add(trailing(kind, count)?)?;
            let (this, after) = (rest.get(..size)?, rest.get(size..)?);
            if kind == STRUCT || kind == UNION {
                types.members.insert(id, (this.get(TYPE..)?, info >> 31 == 1));
                types.named.insert(types.text(number(this, 0)?)?, id);
            }
            rest = after;
        }
        Some(types)
    }

    fn text(&self, at: usize) -> Option<&'a [u8]> {
        let text = self.strings.get(at..)?;
        text.get(..text.iter().position(|byte| *byte == 0)?)
    }

    /// Offset of a member in bytes, also of unnamed structures within.
    fn offset(&self, structure: &str, member: &str) -> Option<u32> {
        let bits = self.search(*self.named.get(structure.as_bytes())?, member.as_bytes(), DEPTH)?;
        bits.is_multiple_of(8).then_some(bits / 8)
    }

    fn search(&self, id: u32, wanted: &[u8], depth: u32) -> Option<u32> {
        let (members, has_sizes) = self.members.get(&id)?;
        for member in members.chunks_exact(MEMBER) {
            let mut bits = word(member, 8)?;
            if *has_sizes {
                bits &= 0x00ff_ffff;
            }
            let name = self.text(number(member, 0)?)?;
            if name == wanted {
                return Some(bits);
            }
            if name.is_empty() && depth > 0 {
                let inside = self.search(word(member, 4)?, wanted, depth.checked_sub(1)?);
                if let Some(inside) = inside {
                    return bits.checked_add(inside);
                }
            }
        }
        None
    }
}

/// Bytes that follow a type of that kind; `None` for a kind that is newer than this.
fn trailing(kind: u32, count: usize) -> Option<usize> {
    match kind {
        // Integers, variables, declaration tags: one word.
        1 | 14 | 17 => Some(4),
        // Arrays.
        3 => Some(12),
        // Structures, unions, sections, enumerations of 64 bits.
        STRUCT | UNION | 15 | 19 => count.checked_mul(12),
        // Enumerations, parameters.
        6 | 13 => count.checked_mul(8),
        // Pointers, forward declarations, typedefs, qualifiers, functions, floats, type tags.
        2 | 7..=12 | 16 | 18 => Some(0),
        _ => None,
    }
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

fn number(bytes: &[u8], at: usize) -> Option<usize> {
    usize::try_from(word(bytes, at)?).ok()
}
