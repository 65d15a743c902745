//! The machine's file system, in one archive that the kernel unpacks into memory.

use super::cpio::Archive;
use super::parts::{Binaries, Kernel, folder};
use super::{END, quietly};
use anyhow::{Context, Result, bail};
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Programs that the tests call, by their names on this host.
const PROGRAMS: [&str; 5] = ["python3", "nsenter", "unshare", "ip", "true"];
/// What busybox stands for.
const APPLETS: [&str; 13] = [
    "sh", "mount", "cat", "ls", "mkdir", "modprobe", "poweroff", "echo", "grep", "env", "sleep", "depmod",
    "kill",
];
/// Parts of Python's library that no client here uses.
const NOT_PYTHON: [&str; 9] = [
    "test",
    "idlelib",
    "lib2to3",
    "ensurepip",
    "dist-packages",
    "pydoc_data",
    "tkinter",
    "unittest",
    "__pycache__",
];
/// Kernel modules: the network's, and what those need.
const MODULES: [&str; 3] = ["kernel/net", "kernel/lib", "kernel/crypto"];
const DRIVERS: [&str; 2] = ["kernel/drivers/net/veth.ko", "kernel/drivers/net/tun.ko"];

/// Makes it and returns its path.
pub fn make(binaries: &Binaries, kernel: &Kernel, filters: &[String], lsm: &str) -> Result<PathBuf> {
    let path = folder()?.join("image.cpio");
    let file = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
    let mut archive = Archive::new(BufWriter::new(file));
    for directory in ["/proc", "/sys", "/dev", "/tmp", "/run", "/root", "/var/cache", "/var/tmp", "/etc"] {
        archive.directory(Path::new(directory))?;
    }
    archive.file(Path::new("/init"), 0o755, init(filters, lsm).as_bytes())?;
    archive.file(
        Path::new("/etc/passwd"),
        0o644,
        b"root:x:0:0::/root:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n",
    )?;
    archive.file(Path::new("/etc/group"), 0o644, b"root:x:0:\nnogroup:x:65534:\n")?;
    archive.file(Path::new("/etc/hosts"), 0o644, b"127.0.0.1 localhost\n::1 localhost\n")?;
    shell(&mut archive, kernel)?;
    for (name, built) in
        [("it", &binaries.tests), ("interlock", &binaries.interlock), ("attacks", &binaries.attacks)]
    {
        let small = folder()?.join(name).with_extension("stripped");
        quietly(Command::new("strip").arg("-o").arg(&small).arg(built), "strip a binary")?;
        program(&mut archive, &small, &Path::new("/interlock").join(name))?;
    }
    for name in PROGRAMS {
        let found = which(name)?;
        program(&mut archive, &found, &Path::new("/usr/bin").join(name))?;
    }
    python(&mut archive)?;
    modules(&mut archive, kernel)?;
    archive.finish()?;
    Ok(path)
}

/// The first program: mounts what a system has, runs the tests, and switches the machine off.
/// The first program. Where the kernel is told to have the security hooks, no test may skip for want of them.
fn init(filters: &[String], lsm: &str) -> String {
    let hooks =
        if lsm.split(',').any(|name| name == "bpf") { "export INTERLOCK_SECURITY_HOOKS=1" } else { ":" };
    let filters = filters.join(" ");
    format!(
        "#!/bin/sh\n\
         export PATH=/usr/bin:/bin HOME=/root INTERLOCK_BIN=/interlock/interlock INTERLOCK_ATTACKS=/interlock/attacks\n\
         mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev\n\
         mount -t tmpfs tmp /tmp; mount -t tmpfs run /run; mkdir -p /dev/shm /dev/pts\n\
         mount -t tmpfs shm /dev/shm; mount -t devpts pts /dev/pts\n\
         mount -t cgroup2 cgroup /sys/fs/cgroup; mount -t securityfs security /sys/kernel/security\n\
         depmod; ip link set lo up\n\
         echo \"security modules: $(cat /sys/kernel/security/lsm)\"\n\
         {hooks}\n\
         cd /root; /interlock/it --test-threads 4 {filters}\n\
         code=$?; echo; echo {END}$code\n\
         poweroff -f\n"
    )
}

fn shell(archive: &mut Archive<impl Write>, kernel: &Kernel) -> Result<()> {
    archive.copy(&kernel.busybox, Path::new("/bin/busybox"))?;
    for applet in APPLETS {
        archive.link(&Path::new("/bin").join(applet), "/bin/busybox")?;
    }
    // The kernel calls it by this name for modules.
    archive.link(Path::new("/sbin/modprobe"), "/bin/busybox")
}

fn which(name: &str) -> Result<PathBuf> {
    for directory in ["/usr/bin", "/usr/sbin", "/bin", "/sbin"] {
        let path = Path::new(directory).join(name);
        if path.exists() {
            return Ok(path);
        }
    }
    bail!("there is no `{name}` on this host")
}

/// A program with the libraries it is linked to.
fn program(archive: &mut Archive<impl Write>, from: &Path, path: &Path) -> Result<()> {
    archive.copy(from, path)?;
    libraries(archive, from)
}

fn libraries(archive: &mut Archive<impl Write>, of: &Path) -> Result<()> {
    // A static program has none, and ldd fails.
    let Ok(listed) = quietly(Command::new("ldd").arg(of), "list libraries") else { return Ok(()) };
    for library in listed.split_whitespace().filter(|word| word.starts_with('/')).map(Path::new) {
        if !archive.has(library) {
            archive.copy(library, library)?;
        }
    }
    Ok(())
}

/// Python's own library.
fn python(archive: &mut Archive<impl Write>) -> Result<()> {
    let say = "import sysconfig; print(sysconfig.get_path('stdlib'))";
    let library = quietly(Command::new(which("python3")?).args(["-c", say]), "ask Python for its library")?;
    tree(archive, Path::new(library.trim()), &|path| {
        let name = path.file_name().unwrap_or_default();
        !NOT_PYTHON.iter().any(|not| OsStr::new(not) == name)
            && !name.to_string_lossy().starts_with("config-")
    })
}

fn modules(archive: &mut Archive<impl Write>, kernel: &Kernel) -> Result<()> {
    let there = Path::new("/lib/modules").join(&kernel.release);
    let mut add = |from: &Path| -> Result<()> {
        for path in files(from, &|_| true)? {
            let inside = path.strip_prefix(&kernel.modules)?;
            archive.copy(&path, &there.join(inside))?;
        }
        Ok(())
    };
    MODULES.iter().chain(&DRIVERS).try_for_each(|part| add(&kernel.modules.join(part)))?;
    for list in ["modules.order", "modules.builtin", "modules.builtin.modinfo"] {
        add(&kernel.modules.join(list))?;
    }
    Ok(())
}

/// All files of a folder, under the same paths, with the libraries of those that are linked to some.
fn tree(archive: &mut Archive<impl Write>, folder: &Path, wanted: &dyn Fn(&Path) -> bool) -> Result<()> {
    for path in files(folder, wanted)? {
        archive.copy(&path, &path)?;
        if path.extension().is_some_and(|extension| extension == "so") {
            libraries(archive, &path)?;
        }
    }
    Ok(())
}

/// All files below a path, or the path itself.
fn files(path: &Path, wanted: &dyn Fn(&Path) -> bool) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut pending = vec![path.to_owned()];
    while let Some(path) = pending.pop() {
        if path.is_dir() {
            let entries = fs::read_dir(&path)?.flatten().map(|entry| entry.path());
            pending.extend(entries.filter(|entry| wanted(entry)));
        } else if path.is_file() {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}
