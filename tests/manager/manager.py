"""A service manager for one service, as far as systemd's protocol for handing over sockets goes: keeps what the service
sends with FDSTORE=1 (sd_pid_notify_with_fds(3)) and gives it to the next one (sd_listen_fds(3)).

Usage: manager.py COMMAND...   Signals: USR1 restarts the service in good order, USR2 kills it and starts it again, TERM
ends both. What the service says of being ready is passed on to the manager's own NOTIFY_SOCKET."""
import os, signal, socket, subprocess, sys, tempfile, threading

FIRST = 3  # SD_LISTEN_FDS_START

above = os.environ["NOTIFY_SOCKET"]
folder = tempfile.mkdtemp()
path = os.path.join(folder, "notify.sock")
ours = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
ours.bind(path)
stored = {}
ready = threading.Event()


def listen():
    while True:
        message, descriptors, _, _ = socket.recv_fds(ours, 4096, 16)
        said = dict(line.split("=", 1) for line in message.decode().splitlines() if "=" in line)
        if said.get("FDSTORE") == "1":
            for descriptor in descriptors:
                stored.setdefault(said["FDNAME"], []).append(descriptor)
                for older in stored[said["FDNAME"]][:-1]:
                    os.close(older)
                del stored[said["FDNAME"]][:-1]
        elif said.get("FDSTOREREMOVE") == "1":
            for descriptor in stored.pop(said["FDNAME"], []):
                os.close(descriptor)
        elif "READY" in said:
            ready.set()
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as up:
                up.sendto(message, above)


def start():
    ready.clear()
    kept = [(name, descriptors[-1]) for name, descriptors in sorted(stored.items()) if descriptors]
    environment = dict(os.environ, NOTIFY_SOCKET=path)
    # Behind all that are open, so that none is overwritten; the shell moves them into place.
    high = [os.dup(descriptor) for _, descriptor in kept]
    moves = " ".join(f"{FIRST + at}<&{descriptor} {descriptor}<&-" for at, descriptor in enumerate(high))
    line = 'exec "$@"'
    if kept:
        environment.update(LISTEN_FDS=str(len(kept)), LISTEN_FDNAMES=":".join(name for name, _ in kept))
        line = f'export LISTEN_PID=$$; exec "$@" {moves}'
    command = ["/bin/bash", "-c", line, "bash", *sys.argv[1:]]
    unblock = lambda: signal.pthread_sigmask(signal.SIG_UNBLOCK, signals | {signal.SIGCHLD})
    service = subprocess.Popen(command, env=environment, pass_fds=high, preexec_fn=unblock)
    for descriptor in high:
        os.close(descriptor)
    return service


signals = {signal.SIGUSR1, signal.SIGUSR2, signal.SIGTERM}
# Before there is another thread, which would take them else.
signal.pthread_sigmask(signal.SIG_BLOCK, signals | {signal.SIGCHLD})
threading.Thread(target=listen, daemon=True).start()
service = start()
while True:
    got = signal.sigwait(signals | {signal.SIGCHLD})
    if got == signal.SIGCHLD:
        # A signal that came first says what is to be done with a service that has ended by itself.
        if service.poll() is not None and not signal.sigpending() & signals:
            sys.exit(service.returncode or 1)
        continue
    service.send_signal(signal.SIGKILL if got == signal.SIGUSR2 else signal.SIGTERM)
    code = service.wait()
    if got == signal.SIGTERM:
        sys.exit(code)
    service = start()
