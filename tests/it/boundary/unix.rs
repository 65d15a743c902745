//! Unix sockets of others, for what `interlock exec` starts: by the security hooks where there are some, else by its filter.

use super::host::Host;
use crate::support::{Ran, clients};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;

const SCRIPT: &str = "import asyncio, errno, socket, sys\n\
    def tried(act):\n\
    \ttry: act(); return 'ok'\n\
    \texcept OSError as error: return errno.errorcode[error.errno]\n\
    def connect(): s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])\n\
    async def spawn(): return await (await asyncio.create_subprocess_exec('true')).wait()\n\
    print(tried(connect), tried(lambda: socket.socketpair()), asyncio.run(spawn()),\n\
    \ttried(lambda: socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)))\n";

#[test]
fn those_of_others_are_closed_unless_allowed() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).unwrap();
    let path = folder.path().join("database.sock");
    let _server = UnixListener::bind(&path).unwrap();
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o777)).unwrap();
    let host = Host::start();
    let run = |allow: &[&str]| {
        let mut command = host.daemon.interlock(&["exec", "--agent", "planner"]);
        command.args(allow).args(["--", clients::PYTHON, "-c", SCRIPT]).arg(&path);
        Ran::run(&mut command).ok()
    };
    let alone = Ran::run(std::process::Command::new(clients::PYTHON).args(["-c", SCRIPT]).arg(&path)).ok();
    assert_eq!(alone, "ok ok 0 ok\n", "control");
    let (closed, allowed) = match host.has_security_hooks() {
        true => ("EPERM ok 0 ok\n", "EPERM ok 0 ok\n"),
        false => ("EAFNOSUPPORT ok 0 EPERM\n", "ok ok 0 ok\n"),
    };
    assert_eq!(run(&[]), closed);
    assert_eq!(run(&["--allow", "unix-sockets"]), allowed);
    // By the configuration: with security hooks this one, without all.
    let config = std::fs::read_to_string(host.daemon.config_path()).unwrap();
    let config = config.replacen(
        "name = \"planner\"",
        &format!("name = \"planner\"\nunix_sockets = [\"{}\"]", path.display()),
        1,
    );
    std::fs::write(host.daemon.config_path(), config).unwrap();
    host.daemon.read(&["reload"]).unwrap();
    assert_eq!(run(&[]), "ok ok 0 ok\n");
}
