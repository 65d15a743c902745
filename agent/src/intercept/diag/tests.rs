//! Against the kernel's own list, and hostile bytes.
use super::*;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsFd;

fn inode(socket: &impl AsFd) -> u32 {
    u32::try_from(nix::sys::stat::fstat(socket).unwrap().st_ino).unwrap()
}

#[test]
fn lists_sockets_and_closes_one_of_them() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let datagram = UdpSocket::bind("127.0.0.1:0").unwrap();
    let diag = Diag::open().unwrap();
    let listed = diag.list().unwrap();
    let of = |inode: u32| listed.iter().find(|found| found.inode == inode).cloned();
    assert!(of(inode(&listener)).is_some() && of(inode(&datagram)).is_some());
    let found = of(inode(&client)).unwrap();
    if !nix::unistd::geteuid().is_root() {
        eprintln!("SKIPPED closing a socket from outside: not root");
        return;
    }
    diag.destroy(&found).unwrap();
    let error = client.peer_addr().unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::NotConnected);
    diag.destroy(&found).unwrap();
}

#[test]
fn truncated_answers_are_none() {
    let mut answer = vec![2_u8; ANSWER];
    answer.extend(12_u16.to_ne_bytes());
    answer.extend(CGROUP_ID.to_ne_bytes());
    answer.extend(7_u64.to_ne_bytes());
    assert_eq!(read(6, &answer).unwrap().cgroup, 7);
    for length in 0..answer.len() {
        let cut = read(6, answer.get(..length).unwrap());
        assert_eq!(cut.is_some(), length >= ANSWER, "{length}");
        assert!(cut.is_none_or(|cut| cut.cgroup == 0));
    }
    for length in 0..HEADER {
        assert!(message(answer.get(..length).unwrap()).is_none());
    }
}
