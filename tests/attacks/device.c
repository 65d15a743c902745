/* Devices that packets can be made with. */
#include "attack.h"
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

/* A node of our own, wherever: the number is what counts. */
static int open_node(const char *path, int major_number, int minor_number)
{
	unlink(path);
	if (mknod(path, S_IFCHR | 0600, makedev(major_number, minor_number)))
		return -1;
	int device = open(path, O_RDWR), error = errno;
	unlink(path);
	errno = error;
	return device;
}

static int tun(void)
{
	int device = open_node("/tmp/interlock-attack-tun", 10, 200);
	struct ifreq request = { .ifr_flags = IFF_TUN | IFF_NO_PI };
	return device < 0 ? -1 : ioctl(device, TUNSETIFF, &request);
}

static int kernel_memory(void)
{
	return open_node("/tmp/interlock-attack-mem", 1, 1) < 0 ? -1 : 0;
}

static int port_memory(void)
{
	return open_node("/tmp/interlock-attack-port", 1, 4) < 0 ? -1 : 0;
}

static int kvm(void)
{
	return open_node("/tmp/interlock-attack-kvm", 10, 232) < 0 ? -1 : 0;
}

const struct attack device_attacks[] = {
	{ "tun", tun },
	{ "kernel_memory", kernel_memory },
	{ "port_memory", port_memory },
	{ "kvm", kvm },
	{ 0 },
};
