//! Starting, stopping, reloading.

use crate::support::{ALLOW_ALL, Rig, wait_until};
use xtask::rack::daemon::{Daemon, Mode, Setup};

fn status(rig: &Rig) -> serde_json::Value {
    serde_json::from_str(&rig.daemon.read(&["status", "--json"]).unwrap()).unwrap()
}

fn setup() -> Setup {
    Setup { listeners: true, ..Setup::default() }.agent("planner", &["planners"]).target("shop-db", 5_432)
}

#[test]
fn a_bad_policy_file_refuses_the_start_and_says_where() {
    let setup = setup()
        .policy("bad.cedar", "@id(\"x\")\npermit (principal, action == Action::\"no-such\", resource);\n");
    let error = format!("{:#}", Daemon::start(setup.mode(Mode::Explicit)).unwrap_err());
    assert!(error.contains("bad.cedar:2") || error.contains("exit status: 2"), "{error}");
}

#[test]
fn a_bad_configuration_refuses_the_start_and_says_where() {
    let setup =
        Setup { more: "[audti]\ndurable = \"all\"\n".into(), ..setup().policy("all.cedar", ALLOW_ALL) };
    let error = format!("{:#}", Daemon::start(setup.mode(Mode::Explicit)).unwrap_err());
    assert!(error.contains("audti") && error.contains("audit"), "{error}");
}

#[test]
fn a_second_daemon_with_the_same_directories_is_refused() {
    let rig = Rig::start(&[("all.cedar", ALLOW_ALL)]);
    let second = rig.daemon.interlock(&["serve"]).output().unwrap();
    assert!(!second.status.success());
    let told = String::from_utf8_lossy(&second.stderr);
    assert!(
        told.contains("another interlock daemon") && told.contains(&rig.daemon.pid().unwrap().to_string()),
        "{told}"
    );
    assert_eq!(rig.psql("planner", "select 'undisturbed';").ok(), "undisturbed\n");
}

#[test]
fn a_broken_new_configuration_keeps_the_old_one_and_is_shown() {
    let rig = Rig::start(&[("all.cedar", ALLOW_ALL)]);
    let path = rig.daemon.config_path();
    let good = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, format!("{good}\n[limits]\nconnections = \"many\"\n")).unwrap();
    rig.daemon.signal(nix::sys::signal::Signal::SIGHUP).unwrap();
    wait_until("the refusal to show", || status(&rig)["config"]["error"].is_string());
    assert_eq!(rig.psql("planner", "select 'still served';").ok(), "still served\n");
    std::fs::write(&path, good).unwrap();
    wait_until("the mended file to be taken", || {
        let status = status(&rig);
        status["config"]["error"].is_null() && status["policies"]["generation"].as_u64().unwrap() > 1
    });
}

#[test]
fn stopping_lets_running_operations_finish_within_their_time() {
    let more = "[limits]\ndrain_timeout = \"20s\"\n".to_owned();
    let mut rig = Rig::start_with(&[("all.cedar", ALLOW_ALL)], |setup| Setup { more, ..setup });
    let running = rig
        .psql_running("planner", "select 'began';\nselect pg_sleep(1), 'finished';\nselect 'never asked';\n");
    wait_until("the statement to run", || running.stdout().contains("began"));
    wait_until("the long one to be sent", || rig.server_saw("'finished'"));
    let status = rig.daemon.stop().unwrap();
    assert!(status.success(), "{status}");
    let ran = running.end();
    assert!(ran.stdout.contains("finished"), "{ran:?}");
    assert!(ran.stderr.contains("57P01") || ran.stderr.contains("terminat"), "{ran:?}");
    rig.daemon.resume().unwrap();
    let row = rig.row_when(&["--text", "'finished'"]);
    assert_eq!(row.text("end"), "done");
}

#[test]
fn a_target_that_is_not_there_is_told_and_recorded() {
    let free = xtask::rack::free_port().unwrap();
    let rig = Rig::start_with(&[("all.cedar", ALLOW_ALL)], |setup| setup.target("nowhere", free));
    let mut config = rig.tokio_postgres("planner");
    config = {
        let port = rig.daemon.listener("planner", "nowhere").unwrap();
        let mut other = tokio_postgres::Config::new();
        other.host("127.0.0.1").port(port).user("postgres").dbname(config.get_dbname().unwrap());
        other
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let error = runtime.block_on(config.connect(tokio_postgres::NoTls)).err().unwrap();
    assert_eq!(error.code().unwrap().code(), "08001");
    let row = rig.row_when(&["--target", "nowhere"]);
    assert_eq!((row.text("verb"), row.text("end"), row.text("error_code")), ("LOGIN", "failed", "08001"));
}

#[test]
fn connections_are_limited_and_the_refusal_is_recorded() {
    let more = "[limits]\ndrain_timeout = \"1s\"\nconnections_per_agent = 2\n".to_owned();
    let rig = Rig::start_with(&[("all.cedar", ALLOW_ALL)], |setup| Setup { more, ..setup });
    let script = "
connections = [psycopg2.connect('') for _ in range(2)]
try:
    psycopg2.connect('')
except psycopg2.OperationalError:
    print('refused')
";
    assert_eq!(rig.python("planner", script).ok(), "refused\n");
    let row = rig.row_when(&["--verdict", "deny"]);
    assert!(row.text("reason").contains("connections_per_agent"), "{}", row.text("reason"));
}
