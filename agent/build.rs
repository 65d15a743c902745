//! Embeds the kernel programs, which another compiler builds for another target (`cargo xtask ebpf`).
//!
//! `INTERLOCK_EBPF` names the object; by default it is looked for where `cargo xtask ebpf` puts it. Where there is
//! none, an empty stub is embedded: everything builds, the pure tests run, and `interlock::intercept::available` says
//! what is missing.
use std::{env, error::Error, fs, path::PathBuf};

fn main() -> Result<(), Box<dyn Error>> {
    let out = PathBuf::from(env::var("OUT_DIR")?).join("interlock.bpf.o");
    let manifest = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    println!("cargo::rerun-if-env-changed=INTERLOCK_EBPF");
    let object = match env::var_os("INTERLOCK_EBPF") {
        Some(named) => PathBuf::from(named),
        None => {
            let directory = manifest.join("../target/ebpf");
            // The directory is watched, not the file: cargo takes a missing file for a changed one, and would build
            // the agent anew each time.
            fs::create_dir_all(&directory)?;
            println!("cargo::rerun-if-changed={}", directory.display());
            directory.join("interlock.bpf.o")
        }
    };
    if object.is_file() {
        println!("cargo::rerun-if-changed={}", object.display());
        fs::copy(&object, &out)?;
    } else if env::var_os("INTERLOCK_EBPF").is_some() {
        return Err(format!("INTERLOCK_EBPF names no file: `{}`", object.display()).into());
    } else {
        fs::write(&out, b"")?;
    }
    Ok(())
}
