//! Every kind of client gets its answer, from the server that it asked as far as it can tell.

use super::scene::{ASKED, Scene};
use crate::support::Ran;
use std::process::Command;

#[test]
fn dig_is_answered_by_udp_and_tcp() {
    let scene = Scene::start();
    for (way, arguments) in [("UDP", &[][..]), ("TCP", &["+tcp"]), ("unconnected", &["+nocookie", "+noedns"])]
    {
        let told = scene.dig(&[arguments, &["www.shop.test"]].concat()).ok();
        assert!(told.contains("status: NOERROR"), "{way}: {told}");
        assert!(told.contains("IN\tA\t127.0.7.1"), "{way}: {told}");
        assert!(told.contains(&format!("SERVER: {ASKED}#53")), "{way}: {told}");
    }
    assert_eq!(scene.asked("www.shop.test"), 1, "the second and third are of our cache");
    let rows = scene.rows(3, &["--text", "www.shop.test"]);
    for row in &rows {
        assert_eq!((row.text("target"), row.text("protocol")), ("dns", "dns"));
        assert_eq!((row.text("verb"), row.text("action")), ("A", "read"));
        assert_eq!((row.text("agent"), row.text("verdict"), row.text("end")), ("planner", "forward", "done"));
        assert_eq!(row.0["policies"], serde_json::json!(["shop-names"]));
        assert_eq!(row.0["resources"], serde_json::json!(["read name dns/host/test/shop/www"]));
        assert_eq!(row.text("destination"), format!("::ffff:{ASKED}"));
        assert_eq!(row.number("destination_port"), 53);
        assert_eq!(row.number("rows"), 1);
        assert!(row.text("exe").ends_with("dig") && row.text("exe_hash").len() == 64, "{row:?}");
    }
}

#[test]
fn every_type_that_agents_may_ask_for_is_answered() {
    let scene = Scene::start();
    for (kind, name, answer) in [
        ("AAAA", "db.shop.test", "::1"),
        ("TXT", "text.shop.test", "\"some words\""),
        ("SRV", "_pg._tcp.shop.test", "1 0 5432 db.shop.test."),
        ("CNAME", "alias.shop.test", "db.shop.test."),
        ("A", "alias.shop.test", "db.shop.test.\n127.0.0.1"),
        ("A", "any.wild.test", "127.0.7.7"),
    ] {
        assert_eq!(scene.dig(&["+short", kind, name]).ok().trim(), answer, "{kind} {name}");
    }
    let nothing = scene.dig(&["MX", "www.shop.test"]).ok();
    assert!(nothing.contains("status: NOERROR") && nothing.contains("ANSWER: 0"), "{nothing}");
    let nobody = scene.dig(&["nobody.shop.test"]).ok();
    assert!(nobody.contains("status: NXDOMAIN"), "{nobody}");
    let row = scene.row("A nobody.shop.test");
    assert_eq!((row.text("end"), row.text("error_code")), ("failed", "NXDOMAIN"));
    let refused = scene.dig(&["ANY", "www.shop.test", "+notcp"]).ok();
    assert!(refused.contains("status: NXDOMAIN"), "{refused}");
    let row = scene.row("ANY www.shop.test");
    assert_eq!((row.text("verdict"), row.0["policies"][0].as_str()), ("deny", Some("interlock:dns-type")));
}

#[test]
fn sockets_connected_or_not_are_told_the_server_that_they_asked() {
    let scene = Scene::start();
    let script = format!(
        "from socket import *\n\
         import struct\n\
         def ask(n): return struct.pack('>6H', n, 256, 1, 0, 0, 0) + b'\\3www\\4shop\\4test\\0\\0\\1\\0\\1'\n\
         server = ('{ASKED}', 53)\n\
         def says(what, reply, n): print(what, struct.unpack('>H', reply[:2])[0] == n, reply[-4:] == bytes([127, 0, 7, 1]))\n\
         s = socket(AF_INET, SOCK_DGRAM); s.settimeout(10); s.connect(server)\n\
         print(s.getpeername() == server)\n\
         s.send(ask(7)); says('connected', s.recv(512), 7)\n\
         s.send(ask(8)); reply, source = s.recvfrom(512); says('again', reply, 8); print(source == server)\n\
         s = socket(AF_INET, SOCK_DGRAM); s.settimeout(10)\n\
         s.sendto(ask(9), server); reply, source = s.recvfrom(512); says('unconnected', reply, 9); print(source == server)\n\
         s.sendto(ask(10), ('127.53.53.54', 53)); reply, source = s.recvfrom(512); says('another', reply, 10)\n\
         print(source == ('127.53.53.54', 53))\n\
         s = socket(AF_INET6, SOCK_DGRAM); s.settimeout(10); s.connect(('::ffff:{ASKED}', 53)); s.send(ask(11))\n\
         says('mapped', s.recv(512), 11)\n\
         s = socket(AF_INET6, SOCK_DGRAM); s.settimeout(10); s.sendto(ask(12), ('fd00::53', 53))\n\
         reply, source = s.recvfrom(512); says('six', reply, 12); print(source[:2] == ('fd00::53', 53))\n\
         s = socket(AF_INET, SOCK_DGRAM); s.settimeout(10); s.bind(('127.0.9.9', 0)); s.connect(server); s.send(ask(13))\n\
         says('bound', s.recv(512), 13)\n\
         s.connect(('127.0.0.1', 9)); print(s.getpeername() == ('127.0.0.1', 9))\n"
    );
    let told = scene.python(&script).ok();
    let bad: Vec<&str> = told.lines().filter(|line| line.contains("False")).collect();
    assert!(bad.is_empty() && told.lines().count() == 13, "{told}");
    assert_eq!(scene.rows(7, &["--text", "www.shop.test"]).len(), 7);
}

#[test]
fn the_c_librarys_resolver_is_answered() {
    let scene = Scene::start();
    let script = "import socket\n\
        print(sorted({it[4][0] for it in socket.getaddrinfo('db.shop.test', 5432)}))\n\
        try: socket.getaddrinfo('secret.test', 1)\n\
        except socket.gaierror as error: print(error.errno)\n";
    let told = Ran::run_with(scene.where_resolv_conf_names_it("python3").arg("-"), script).ok();
    assert_eq!(told, "['127.0.0.1', '::1']\n-2\n", "-2 is EAI_NONAME");
    assert_eq!(scene.asked("secret.test"), 0);
    let row = scene.row("A secret.test");
    assert_eq!((row.text("verdict"), row.text("end")), ("deny", "refused"));
    assert!(row.text("reason").contains("no policy permits `planner` to read"), "{}", row.text("reason"));
}

/// musl sends to every server it knows by one socket that is not connected, and takes an answer only from one it has asked.
#[test]
fn musls_resolver_is_answered() {
    let scene = Scene::start();
    let folder = tempfile::tempdir_in("/tmp").unwrap();
    std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let program = folder.path().join("lookup");
    let source = "#include <netdb.h>\n#include <stdio.h>\n#include <arpa/inet.h>\n\
        int main(int n, char **a) { struct addrinfo h = {.ai_family = AF_INET}, *r;\n\
        int e = getaddrinfo(a[1], 0, &h, &r); if (e) { puts(gai_strerror(e)); return 1; }\n\
        char t[64]; puts(inet_ntop(AF_INET, &((struct sockaddr_in *)r->ai_addr)->sin_addr, t, 64)); }\n";
    std::fs::write(folder.path().join("lookup.c"), source).unwrap();
    let compiled = Command::new("musl-gcc")
        .args(["-static", "-o"])
        .arg(&program)
        .arg(folder.path().join("lookup.c"))
        .status();
    assert!(compiled.unwrap().success());
    let mut command = scene.where_resolv_conf_names_it(program.to_str().unwrap());
    assert_eq!(Ran::run(command.arg("www.shop.test")).ok(), "127.0.7.1\n");
    let mut command = scene.where_resolv_conf_names_it(program.to_str().unwrap());
    assert!(!Ran::run(command.arg("secret.test")).status.success());
}

/// node's `dns.resolve` is c-ares.
#[test]
fn c_ares_is_answered() {
    let scene = Scene::start();
    let script = format!(
        "const {{ Resolver }} = require('dns').promises; const r = new Resolver(); r.setServers(['{ASKED}']);\n\
         (async () => {{ console.log(await r.resolve4('www.shop.test'), await r.resolveTxt('text.shop.test'));\n\
         try {{ await r.resolve4('secret.test') }} catch (error) {{ console.log(error.code) }} }})()"
    );
    let mut command = scene.daemon.exec("planner", crate::support::clients::program("node"));
    let told = Ran::run(command.args(["-e", &script])).ok();
    assert_eq!(told, "[ '127.0.7.1' ] [ [ 'some words' ] ]\nENOTFOUND\n");
}

#[test]
fn a_refusal_says_why_to_who_can_read_it() {
    let scene = Scene::start();
    let told = scene.dig(&["secret.test"]).ok();
    assert!(told.contains("status: NXDOMAIN"), "{told}");
    assert!(told.contains("EDE: 18 (Prohibited): (refused by Interlock: no policy permits"), "{told}");
    let scene = Scene::with(super::scene::NAMES, "refusal = \"refused\"", |setup| setup);
    let told = scene.dig(&["secret.test"]).ok();
    assert!(told.contains("status: REFUSED"), "{told}");
}

#[test]
fn a_dead_name_server_is_a_failure_with_a_row_and_the_next_lookup_works() {
    let mut scene = Scene::with(super::scene::NAMES, "timeout = \"200ms\"", |setup| setup);
    scene.server.stop().unwrap();
    let told = scene.dig(&["www.shop.test"]).ok();
    assert!(told.contains("status: SERVFAIL"), "{told}");
    let row = scene.row("A www.shop.test");
    assert_eq!((row.text("end"), row.text("error_code")), ("failed", "SERVFAIL"));
    assert!(!row.text("error").is_empty());
    scene.server.restart(super::scene::RECORDS).unwrap();
    assert_eq!(scene.dig(&["+short", "www.shop.test"]).ok(), "127.0.7.1\n");
}

#[test]
fn a_dead_daemon_answers_nobody_and_neither_does_anybody_in_its_place() {
    let mut scene = Scene::start();
    let port = {
        let status: serde_json::Value =
            serde_json::from_str(&scene.daemon.read(&["status", "--json"]).unwrap()).unwrap();
        let address = status["boundaries"][0]["address"].as_str().unwrap().to_owned();
        address.rsplit_once(':').unwrap().1.parse::<u16>().unwrap()
    };
    let ask = format!(
        "from socket import *\nimport sys\ns = socket(AF_INET, SOCK_DGRAM); s.settimeout(10); s.connect(('{ASKED}', 53))\n\
         sys.stdin.readline()\n\
         for way in (lambda: s.send(b'q'), lambda: socket(AF_INET, SOCK_DGRAM).sendto(b'q', ('{ASKED}', 53))):\n\
         \ttry: way(); print('sent')\n\
         \texcept OSError as error: print(error.errno)\n"
    );
    let mut command = scene.daemon.exec("planner", "python3");
    command.args(["-c", &ask]).stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
    let mut client = command.spawn().unwrap();
    // It has connected once the kernel side has counted that.
    crate::support::wait_until("the client's connect", || {
        scene.daemon.read(&["status", "--json"]).unwrap().contains("\"dns_answered\": 1")
            || scene.daemon.read(&["status", "--json"]).unwrap().contains("\"dns_answered\":1")
    });
    scene.daemon.kill().unwrap();
    let thief = std::net::UdpSocket::bind(("127.0.0.1", port)).unwrap();
    thief.set_nonblocking(true).unwrap();
    std::io::Write::write_all(client.stdin.as_mut().unwrap(), b"go\n").unwrap();
    let out = client.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&out.stdout), "1\n1\n", "EPERM");
    assert!(thief.recv(&mut [0; 16]).is_err(), "nothing arrives");
}
