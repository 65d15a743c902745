//! Data can leave in names: how much, is limited; and hostile messages.

use super::scene::{ASKED, NAMES, Scene};

#[test]
fn names_that_look_like_data_are_refused() {
    let scene = Scene::start();
    let data = "mzxw6ytboi2dgnrqgeztqobrgm3tsmjugu2tmnzzgiytgnbu";
    for name in [format!("{data}.wild.test"), format!("a.{data}.b.wild.test")] {
        assert!(scene.dig(&[&name]).ok().contains("status: NXDOMAIN"));
        let row = scene.row(&format!("A {name}"));
        assert_eq!(
            (row.text("verdict"), row.0["policies"][0].as_str()),
            ("deny", Some("interlock:dns-data"))
        );
        assert_eq!(scene.asked(&name), 0);
    }
    // A person's long name, and a short one of a machine.
    for name in
        ["a-rather-long-but-honest-name-of-some-service-of-ours.wild.test", "5d8f7c9b6d-x2x4z.wild.test"]
    {
        assert_eq!(scene.dig(&["+short", name]).ok(), "127.0.7.7\n");
    }
    let scene = Scene::with(NAMES, "data_labels = \"allow\"", |setup| setup);
    assert_eq!(
        scene.dig(&["+short", &format!("{data}.wild.test")]).ok(),
        "127.0.7.7\n",
        "control: it would pass"
    );
}

/// Asks for many names by one socket, and prints how many had an address.
fn ask_for(names: &str) -> String {
    format!(
        "from socket import *\nimport struct\n\
         s = socket(AF_INET, SOCK_DGRAM); s.settimeout(10); s.connect(('{ASKED}', 53))\n\
         good = 0\n\
         for n, name in enumerate({names}):\n\
         \ts.send(struct.pack('>6H', n, 256, 1, 0, 0, 0) + b''.join(bytes([len(l)]) + l.encode() for l in name.split('.')) + b'\\0\\0\\1\\0\\1')\n\
         \treply = s.recv(512)\n\
         \tgood += struct.unpack('>H', reply[6:8])[0]\n\
         print(good)\n"
    )
}

#[test]
fn new_names_of_a_domain_are_limited_and_known_ones_are_not() {
    let scene = Scene::with(NAMES, "new_names_per_minute = 10\nqueries_per_minute = 1000", |setup| setup);
    let told = scene.python(&ask_for("[f'n{i}.wild.test' for i in range(50)]")).ok();
    let good: u32 = told.trim().parse().unwrap();
    assert!((10..=20).contains(&good), "{good}: ten at once, and what some seconds allow");
    let denied = scene.rows(1, &["--verdict", "deny", "--agent", "planner"]);
    assert!(denied.iter().all(|row| row.0["policies"][0] == "interlock:dns-names"), "{denied:#?}");
    // Those it knows, and those of another domain, go on.
    assert_eq!(scene.python(&ask_for("['n0.wild.test'] * 50 + ['www.shop.test']")).ok(), "51\n");
}

#[test]
fn bytes_of_new_names_are_limited() {
    let scene = Scene::with(NAMES, "new_name_bytes_per_hour = \"256B\"", |setup| setup);
    let told = scene.python(&ask_for("['x' * 50 + f'{i}.wild.test' for i in range(20)]")).ok();
    assert_eq!(told, "4\n", "61 bytes each");
    let denied = scene.rows(16, &["--verdict", "deny", "--agent", "planner"]);
    assert!(denied.iter().all(|row| row.0["policies"][0] == "interlock:dns-bytes"), "{denied:#?}");
}

#[test]
fn a_flood_is_refused_and_does_not_fill_the_store() {
    let scene = Scene::with(NAMES, "queries_per_minute = 20", |setup| setup);
    let told = scene.python(&ask_for("['www.shop.test'] * 2000")).ok();
    let good: u32 = told.trim().parse().unwrap();
    assert!((20..=40).contains(&good), "{good}");
    let denied = scene.rows(1, &["--verdict", "deny", "--agent", "planner"]);
    assert!(denied.len() <= 4, "one now and then: {}", denied.len());
    assert!(denied.iter().all(|row| row.0["policies"][0] == "interlock:dns-queries"), "{denied:#?}");
}

#[test]
fn a_flood_of_what_is_no_question_does_not_fill_the_store_either() {
    let scene = Scene::with(NAMES, "queries_per_minute = 20", |setup| setup);
    let script = format!(
        "from socket import *\ns = socket(AF_INET, SOCK_DGRAM); s.connect(('{ASKED}', 53))\n\
         for n in range(5000): s.send(b'x')\n"
    );
    scene.python(&script).ok();
    // They count as lookups.
    assert!(scene.dig(&["www.shop.test"]).ok().contains("status: NXDOMAIN"));
    let denied = scene.rows(2, &["--verdict", "deny", "--agent", "planner"]);
    assert!(denied.len() <= 4, "one now and then: {}", denied.len());
}

#[test]
fn hostile_messages_get_an_error_or_nothing_and_a_row() {
    let scene = Scene::start();
    let script = format!(
        "from socket import *\nimport struct\n\
         def head(n, flags=256, counts=(1, 0, 0, 0)): return struct.pack('>2H4H', n, flags, *counts)\n\
         good = b'\\3www\\4shop\\4test\\0\\0\\1\\0\\1'\n\
         cases = [('short', b'x'), ('response', head(2, 0x8100) + good), ('update', head(3, 5 << 11) + good),\n\
         ('none', head(4, counts=(0, 0, 0, 0))), ('two', head(5, counts=(2, 0, 0, 0)) + good + good),\n\
         ('chaos', head(6) + b'\\7version\\4bind\\0\\0\\x10\\0\\3'), ('cut', head(7) + good[:7]),\n\
         ('loop', head(8) + b'\\xc0\\x0c\\0\\1\\0\\1'), ('bytes', head(9) + b'\\3w\\0w\\4shop\\4test\\0\\0\\1\\0\\1'),\n\
         ('dot', head(10) + b'\\7www.sho\\4test\\0\\0\\1\\0\\1'), ('slash', head(11) + b'\\3a/b\\4shop\\4test\\0\\0\\1\\0\\1'),\n\
         ('long', head(12) + b'\\x3f' + b'a' * 63 + (b'\\x3f' + b'b' * 63) * 4 + b'\\0\\0\\1\\0\\1'),\n\
         ('edns', head(13, counts=(1, 0, 0, 1)) + good + b'\\0\\0\\x29\\4\\xd0\\0\\1\\0\\0\\0\\0'),\n\
         ('root', head(14) + b'\\0\\0\\1\\0\\1'), ('huge', head(15) + good + b'\\0' * 60000)]\n\
         s = socket(AF_INET, SOCK_DGRAM); s.settimeout(10); s.connect(('{ASKED}', 53))\n\
         for name, message in cases:\n\
         \ts.send(message)\n\
         \tif name in ('short', 'response'): s.send(head(99) + good)\n\
         \tr = s.recv(4096)\n\
         \tprint(name, struct.unpack('>H', r[:2])[0], r[3] & 15)\n"
    );
    let told = scene.python(&script).ok();
    // Those that get nothing are followed by a good one, whose answer comes first.
    let expected = "short 99 0\nresponse 99 0\nupdate 3 4\nnone 4 1\ntwo 5 1\nchaos 6 5\ncut 7 1\nloop 8 1\nbytes 9 3\ndot 10 3\n\
        slash 11 3\nlong 12 1\nedns 13 0\nroot 14 3\n";
    assert!(told.starts_with(expected), "{told}");
    let rows = scene.rows(5, &["--verdict", "deny", "--agent", "planner"]);
    let reasons: Vec<&str> = rows.iter().map(|row| row.text("reason")).collect();
    assert!(reasons.iter().any(|told| told.contains("what came is no question")), "the first: {reasons:#?}");
    let names = rows.iter().filter(|row| row.0["policies"][0] == "interlock:dns-name");
    assert_eq!(names.count(), 3, "{reasons:#?}");
    assert_eq!(scene.asked("www.shop.test"), 1);
}
