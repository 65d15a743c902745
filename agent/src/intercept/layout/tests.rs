//! The running kernel's own information, and damaged copies of it.
use super::*;

#[test]
fn finds_the_running_kernels_fields() {
    let Ok(bytes) = fs::read(FILE) else {
        eprintln!("SKIPPED: this kernel carries no type information");
        return;
    };
    let layout = read(&bytes).unwrap();
    // Fixed by the kernel's own interfaces for long.
    assert_eq!((layout.sock_family, layout.unix_address_len), (16, 4));
    assert!(layout.task_cgroups > 0 && layout.super_magic > 0 && layout.node_id > 0);
    for cut in [0, 1, 23, 24, 100, 1_000, bytes.len() / 2, bytes.len() - 1] {
        assert!(read(&bytes[..cut]).is_err(), "{cut}");
    }
}
