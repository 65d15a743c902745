/* What the hooks of a cgroup do not see: the system call filter of `interlock exec` has to. */
#include "attack.h"
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/if_packet.h>
#include <linux/keyctl.h>
#include <linux/sched.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static int made(int family, int type, int protocol)
{
	return socket(family, type, protocol) < 0 ? -1 : 0;
}

/* A whole frame, past IP. */
static int packet_socket(void)
{
	struct sockaddr_ll to = {
		.sll_family = AF_PACKET, .sll_protocol = htons(0x88b5), .sll_ifindex = if_nametoindex(INTERFACE),
		.sll_halen = 6, .sll_addr = { 2, 0, 0, 0, 0, 2 },
	};
	int s = socket(AF_PACKET, SOCK_DGRAM, htons(0x88b5));
	char data[64] = "interlock";
	return s < 0 || sendto(s, data, sizeof(data), 0, ADDRESS(to)) < 0 ? -1 : 0;
}

static int packet_raw(void)
{
	return made(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL));
}

/* The same under the name of an IPv4 socket. */
static int packet_of_old(void)
{
	return made(AF_INET, SOCK_PACKET, htons(ETH_P_ALL));
}

/* What is typed into the terminal, its shell does, whoever typed it. */
static int typed(void)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY);
	if (master < 0 || grantpt(master) || unlockpt(master))
		return -1;
	int terminal = open(ptsname(master), O_RDWR | O_NOCTTY);
	return terminal < 0 ? -1 : ioctl(terminal, TIOCSTI, "x");
}

static int xdp_socket(void)
{
	return made(44, SOCK_RAW, 0);
}

static int vsock(void)
{
	return made(40, SOCK_STREAM, 0);
}

static int crypto_socket(void)
{
	return made(38, SOCK_SEQPACKET, 0);
}

static int netlink_xfrm(void)
{
	return made(AF_NETLINK, SOCK_RAW, 6);
}

static int netlink_diag(void)
{
	return made(AF_NETLINK, SOCK_RAW, 4);
}

static int key_socket(void)
{
	return made(15, SOCK_RAW, 2);
}

static int tipc(void)
{
	return made(30, SOCK_RDM, 0);
}

static int rds(void)
{
	return made(21, SOCK_SEQPACKET, 0);
}

static int smc_family(void)
{
	return made(43, SOCK_STREAM, 0);
}

static int can(void)
{
	return made(29, SOCK_RAW, 1);
}

/* io_uring makes sockets that no filter of system calls sees. */
static int io_uring(void)
{
	char parameters[120] = { 0 };
	return syscall(SYS_io_uring_setup, 1, parameters) < 0 ? -1 : 0;
}

static int in_child(int (*act)(void))
{
	pid_t child = fork();
	int status;
	if (child == 0)
		_exit(act() == 0 ? 0 : errno);
	if (child < 0 || waitpid(child, &status, 0) < 0)
		return -1;
	errno = WEXITSTATUS(status);
	return errno ? -1 : 0;
}

static int unshare_network_here(void)
{
	return unshare(CLONE_NEWNET);
}

static int network_namespace(void)
{
	return in_child(unshare_network_here);
}

static int unshare_user_here(void)
{
	return unshare(CLONE_NEWUSER);
}

static int user_namespace(void)
{
	return in_child(unshare_user_here);
}

static int unshare_mounts_here(void)
{
	return unshare(CLONE_NEWNS);
}

static int mount_namespace(void)
{
	return in_child(unshare_mounts_here);
}

static int cloned_namespace(void)
{
	pid_t child = syscall(SYS_clone, CLONE_NEWUSER | CLONE_NEWNET | SIGCHLD, 0, 0, 0, 0);
	if (child == 0)
		_exit(0);
	return child < 0 ? -1 : waitpid(child, NULL, 0) < 0;
}

static int entered_namespace(void)
{
	return setns(open("/proc/self/ns/net", O_RDONLY), CLONE_NEWNET);
}

/* A child that starts in another cgroup: the hierarchy's root. */
static int cloned_into_cgroup(void)
{
	int cgroup = open("/sys/fs/cgroup/unified", O_RDONLY | O_DIRECTORY);
	if (cgroup < 0)
		cgroup = open("/sys/fs/cgroup", O_RDONLY | O_DIRECTORY);
	struct clone_args arguments = {
		.flags = CLONE_INTO_CGROUP, .exit_signal = SIGCHLD, .cgroup = (uint64_t)cgroup,
	};
	pid_t child = syscall(SYS_clone3, &arguments, sizeof(arguments));
	if (child == 0)
		_exit(0);
	return child < 0 ? -1 : waitpid(child, NULL, 0) < 0;
}

/* A descriptor by way of a process's handle: our own stands for another's. */
static int stolen_descriptor(void)
{
	int process = syscall(SYS_pidfd_open, getpid(), 0);
	return syscall(SYS_pidfd_getfd, process, 0, 0) < 0 ? -1 : 0;
}

static int trace_me(void)
{
	return (int)ptrace(PTRACE_TRACEME, 0, 0, 0);
}

static int traced(void)
{
	return in_child(trace_me);
}

/* The kernel asks a helper outside of every governed cgroup. */
static int requested_key(void)
{
	long key = syscall(SYS_request_key, "dns_resolver", "interlock.invalid", "", KEY_SPEC_PROCESS_KEYRING);
	/* Nobody answers here; that it was asked is what counts. */
	return key < 0 && errno != ENOKEY && errno != ENOENT ? -1 : 0;
}

static int added_key(void)
{
	return syscall(SYS_add_key, "user", "interlock", "x", 1, KEY_SPEC_PROCESS_KEYRING) < 0 ? -1 : 0;
}

static int loaded_program(void)
{
	union bpf_attr attributes = { 0 };
	attributes.map_type = BPF_MAP_TYPE_ARRAY;
	attributes.key_size = 4;
	attributes.value_size = 4;
	attributes.max_entries = 1;
	return syscall(SYS_bpf, BPF_MAP_CREATE, &attributes, sizeof(attributes)) < 0 ? -1 : 0;
}

static int mounted(void)
{
	char directory[] = "/tmp/interlock-attack-XXXXXX";
	if (!mkdtemp(directory))
		return -1;
	int failed = mount("none", directory, "tmpfs", 0, "size=4k"), error = errno;
	if (!failed)
		umount2(directory, MNT_DETACH);
	rmdir(directory);
	errno = error;
	return failed;
}

const struct attack confined_attacks[] = {
	{ "packet_socket", packet_socket },
	{ "packet_raw", packet_raw },
	{ "packet_of_old", packet_of_old },
	{ "typed", typed },
	{ "xdp_socket", xdp_socket },
	{ "vsock", vsock },
	{ "crypto_socket", crypto_socket },
	{ "netlink_xfrm", netlink_xfrm },
	{ "netlink_diag", netlink_diag },
	{ "key_socket", key_socket },
	{ "tipc", tipc },
	{ "rds", rds },
	{ "smc_family", smc_family },
	{ "can", can },
	{ "io_uring", io_uring },
	{ "network_namespace", network_namespace },
	{ "user_namespace", user_namespace },
	{ "mount_namespace", mount_namespace },
	{ "cloned_namespace", cloned_namespace },
	{ "entered_namespace", entered_namespace },
	{ "cloned_into_cgroup", cloned_into_cgroup },
	{ "stolen_descriptor", stolen_descriptor },
	{ "traced", traced },
	{ "requested_key", requested_key },
	{ "added_key", added_key },
	{ "loaded_program", loaded_program },
	{ "mounted", mounted },
	{ 0 },
};
