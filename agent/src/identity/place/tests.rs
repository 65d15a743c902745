//! Paths as they are found on hosts.
use super::*;

#[test]
fn finds_units_and_containers() {
    let id = "4e2f".repeat(16);
    let of = |path: &str| {
        let found = runs(path);
        (found.unit.to_owned(), found.container.to_owned())
    };
    assert_eq!(of("/system.slice/planner.service"), ("planner.service".to_owned(), String::new()));
    assert_eq!(of("/interlock/exec/planner-1"), (String::new(), String::new()));
    let docker = format!("/system.slice/docker-{id}.scope");
    assert_eq!(of(&docker), (format!("docker-{id}.scope"), id.clone()));
    let kubernetes = format!("/kubepods.slice/kubepods-pod1.slice/cri-containerd-{id}.scope");
    assert_eq!(of(&kubernetes).1, id);
    assert_eq!(of(&format!("/kubepods/besteffort/pod7/{id}")).1, id);
    assert_eq!(of(&format!("/machine.slice/libpod-{id}.scope/container")).1, id);
    assert_eq!(of(&format!("/docker-{}.scope", id.to_uppercase())).1, "");
}
