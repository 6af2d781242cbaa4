// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What a virtual machine monitor does to take a device through a live update,
 * and nothing else: no guest, no CPU, only memory and the device's DMA.
 * docs/vmm-guide.md explains each step.
 *
 * usage: live-update-vmm start SESSION CDEV BYTES
 *        live-update-vmm resume SESSION
 *        live-update-vmm abandon SESSION
 *   start    give the device CDEV (/dev/vfio/devices/vfioN) BYTES of memory at IOVA 0x10000000,
 *            preserve all of it in SESSION, and stay: the session lives as long as we do
 *   resume   in the next kernel: take everything back, move the device to tables of our own,
 *            finish the session, and stay
 *   abandon  in the next kernel: stop the device and free what SESSION holds
 * Each step that is done is printed with the microseconds since the program began.
 * exit: 0 done, 1 a step failed, 2 wrong usage
 */
#define _GNU_SOURCE 1
#include <errno.h>
#include <fcntl.h>
#include <linux/iommufd.h>
#include <linux/iommufd_liveupdate.h>
#include <linux/liveupdate.h>
#include <linux/vfio.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

/* Names within our session; a monitor with more files numbers them as it likes. */
enum token {
	TOKEN_STATE = 1,
	TOKEN_MEMORY,
	TOKEN_IOMMUFD,
	TOKEN_DEVICE,
};

/* Name of the HWPT within its iommufd. */
#define HWPT_TOKEN 1

/* What our successor has to know; it travels in a memfd of its own. */
struct state {
	uint64_t magic;
	uint64_t iova;
	uint64_t bytes;
};

#define STATE_MAGIC 0x766d6d2d73746174ULL
#define STATE_BYTES 4096
#define GUEST_IOVA 0x10000000ULL

static struct timespec began;

static uint64_t microseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)(now.tv_sec - began.tv_sec) * 1000000 + (uint64_t)now.tv_nsec / 1000 -
	       (uint64_t)began.tv_nsec / 1000;
}

static void done(const char *step)
{
	printf("%8llu %s\n", (unsigned long long)microseconds(), step);
	fflush(stdout);
}

/*
 * A step's result: passed on, or the end. In the new kernel the end closes the session, and with it
 * the device's DMA: a real monitor tries again what may pass (EAGAIN, ENOMEM, a busy /dev/liveupdate).
 */
static int must(int result, const char *step)
{
	if (result >= 0)
		return result;
	fprintf(stderr, "live-update-vmm: %s: %s\n", step, strerror(errno));
	exit(1);
}

static int must_open(const char *path)
{
	return must(open(path, O_RDWR | O_CLOEXEC), path);
}

/* ---- Memory ---- */

/* A memfd can be preserved with its mappings only when nothing can change its size any more. */
static int new_memory(const char *name, uint64_t bytes)
{
	int fd = must(memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING), "memfd_create");

	must(ftruncate(fd, (off_t)bytes), "size of the memory");
	must(fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_GROW | F_SEAL_SHRINK), "seals");
	return fd;
}

static void write_state(int fd, const struct state *state)
{
	if (pwrite(fd, state, sizeof(*state), 0) != sizeof(*state))
		must(-1, "writing the state");
}

static void read_state(int fd, struct state *state)
{
	if (pread(fd, state, sizeof(*state), 0) != sizeof(*state) || state->magic != STATE_MAGIC) {
		errno = EBADMSG;
		must(-1, "reading the state");
	}
}

/* ---- iommufd and VFIO ---- */

static uint32_t bind_device(int device, int iommufd)
{
	struct vfio_device_bind_iommufd bind = { .argsz = sizeof(bind), .iommufd = iommufd };

	must(ioctl(device, VFIO_DEVICE_BIND_IOMMUFD, &bind), "binding the device to the iommufd");
	return bind.out_devid;
}

static void attach_device(int device, uint32_t hwpt, const char *step)
{
	struct vfio_device_attach_iommufd_pt attach = { .argsz = sizeof(attach), .pt_id = hwpt };

	must(ioctl(device, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &attach), step);
	done(step);
}

static uint32_t new_ioas(int iommufd)
{
	struct iommu_ioas_alloc alloc = { .size = sizeof(alloc) };

	must(ioctl(iommufd, IOMMU_IOAS_ALLOC, &alloc), "allocating an IOAS");
	return alloc.out_ioas_id;
}

static void map_memory(int iommufd, uint32_t ioas, int memory, const struct state *state)
{
	struct iommu_ioas_map_file map = {
		.size = sizeof(map),
		.flags = IOMMU_IOAS_MAP_READABLE | IOMMU_IOAS_MAP_WRITEABLE |
			 IOMMU_IOAS_MAP_FIXED_IOVA,
		.ioas_id = ioas,
		.fd = memory,
		.length = state->bytes,
		.iova = state->iova,
	};

	must(ioctl(iommufd, IOMMU_IOAS_MAP_FILE, &map), "mapping the memory");
}

static uint32_t new_hwpt(int iommufd, uint32_t device, uint32_t ioas)
{
	struct iommu_hwpt_alloc alloc = {
		.size = sizeof(alloc),
		.dev_id = device,
		.pt_id = ioas,
	};

	must(ioctl(iommufd, IOMMU_HWPT_ALLOC, &alloc), "allocating an HWPT");
	return alloc.out_hwpt_id;
}

/* An address space with all our memory, in an HWPT that is marked for the live update. */
static uint32_t build_tables(int iommufd, uint32_t device, int memory, const struct state *state)
{
	uint32_t ioas = new_ioas(iommufd), hwpt;
	struct iommu_hwpt_liveupdate_mark mark = { .size = sizeof(mark) };

	map_memory(iommufd, ioas, memory, state);
	hwpt = new_hwpt(iommufd, device, ioas);
	mark.hwpt_id = hwpt;
	mark.hwpt_token = HWPT_TOKEN;
	must(ioctl(iommufd, IOMMU_HWPT_LIVEUPDATE_MARK, &mark), "marking the HWPT");
	done("tables built");
	return hwpt;
}

static uint32_t restore_hwpt(int iommufd)
{
	struct iommu_hwpt_liveupdate_restore restore = {
		.size = sizeof(restore),
		.hwpt_token = HWPT_TOKEN,
	};

	must(ioctl(iommufd, IOMMU_HWPT_LIVEUPDATE_RESTORE, &restore), "restoring the HWPT");
	done("HWPT restored");
	return restore.out_hwpt_id;
}

static void destroy(int iommufd, uint32_t id)
{
	struct iommu_destroy destroy = { .size = sizeof(destroy), .id = id };

	must(ioctl(iommufd, IOMMU_DESTROY, &destroy), "destroying the restored HWPT");
	done("restored HWPT destroyed");
}

/* ---- Sessions ---- */

static int new_session(const char *name)
{
	struct liveupdate_ioctl_create_session create = { .size = sizeof(create) };
	int liveupdate = must_open("/dev/liveupdate");

	snprintf((char *)create.name, sizeof(create.name), "%s", name);
	must(ioctl(liveupdate, LIVEUPDATE_IOCTL_CREATE_SESSION, &create), "creating the session");
	close(liveupdate);
	return create.fd;
}

static int retrieve_session(const char *name)
{
	struct liveupdate_ioctl_retrieve_session session = { .size = sizeof(session) };
	int liveupdate = must_open("/dev/liveupdate");

	snprintf((char *)session.name, sizeof(session.name), "%s", name);
	must(ioctl(liveupdate, LIVEUPDATE_IOCTL_RETRIEVE_SESSION, &session),
	     "retrieving the session");
	close(liveupdate);
	done("session retrieved");
	return session.fd;
}

static void preserve(int session, enum token token, int fd, const char *step)
{
	struct liveupdate_session_preserve_fd preserve = {
		.size = sizeof(preserve),
		.fd = fd,
		.token = token,
	};

	must(ioctl(session, LIVEUPDATE_SESSION_PRESERVE_FD, &preserve), step);
	done(step);
}

static int retrieve(int session, enum token token, const char *step)
{
	struct liveupdate_session_retrieve_fd retrieve = {
		.size = sizeof(retrieve),
		.token = token,
	};

	must(ioctl(session, LIVEUPDATE_SESSION_RETRIEVE_FD, &retrieve), step);
	done(step);
	return retrieve.fd;
}

static void finish(int session)
{
	struct liveupdate_session_finish finish = { .size = sizeof(finish) };

	must(ioctl(session, LIVEUPDATE_SESSION_FINISH, &finish), "finishing the session");
	close(session);
	done("session finished");
}

/* ---- What the program is asked for ---- */

static void stay(void)
{
	for (;;)
		pause();
}

static void start(const char *name, const char *cdev, uint64_t bytes)
{
	const struct state state = { STATE_MAGIC, GUEST_IOVA, bytes };
	int state_file = new_memory("state", STATE_BYTES), memory = new_memory("guest", bytes);
	int iommufd = must_open("/dev/iommu"), device = must_open(cdev), session;
	uint32_t hwpt;

	write_state(state_file, &state);
	hwpt = build_tables(iommufd, bind_device(device, iommufd), memory, &state);
	attach_device(device, hwpt, "device attached");
	/* Here the guest would run, for weeks. Then: */
	session = new_session(name);
	preserve(session, TOKEN_STATE, state_file, "state preserved");
	preserve(session, TOKEN_MEMORY, memory, "memory preserved");
	preserve(session, TOKEN_IOMMUFD, iommufd, "iommufd preserved");
	preserve(session, TOKEN_DEVICE, device, "device preserved");
	stay();
}

static void resume(const char *name)
{
	int session = retrieve_session(name), state_file, memory, iommufd, device;
	uint32_t device_id, restored, hwpt;
	struct state state;

	state_file = retrieve(session, TOKEN_STATE, "state retrieved");
	read_state(state_file, &state);
	memory = retrieve(session, TOKEN_MEMORY, "memory retrieved");
	iommufd = retrieve(session, TOKEN_IOMMUFD, "iommufd retrieved");
	device = retrieve(session, TOKEN_DEVICE, "device retrieved");

	/* The device has been doing DMA all the time, and goes on with it. */
	device_id = bind_device(device, iommufd);
	done("device bound");
	restored = restore_hwpt(iommufd);
	attach_device(device, restored, "device adopted");

	hwpt = build_tables(iommufd, device_id, memory, &state);
	attach_device(device, hwpt, "device moved");
	destroy(iommufd, restored);
	finish(session);
	/* As after start(): the guest runs, until the next live update. */
	stay();
}

static void abandon(const char *name)
{
	close(retrieve_session(name));
	done("session closed");
}

static int usage(void)
{
	fputs("usage: live-update-vmm start SESSION CDEV BYTES\n"
	      "       live-update-vmm resume SESSION\n"
	      "       live-update-vmm abandon SESSION\n",
	      stderr);
	return 2;
}

static int start_words(char **words)
{
	unsigned long long bytes;
	char *end;

	errno = 0;
	bytes = strtoull(words[4], &end, 0);
	if (errno || *end || end == words[4] || words[4][0] == '-' || !bytes || bytes % 4096) {
		fprintf(stderr, "live-update-vmm: BYTES is not a multiple of 4096: %s\n", words[4]);
		return 2;
	}
	start(words[2], words[3], bytes);
	return 0;
}

int main(int argc, char **argv)
{
	clock_gettime(CLOCK_MONOTONIC, &began);
	if (argc < 3 || strlen(argv[2]) >= LIVEUPDATE_SESSION_NAME_LENGTH)
		return usage();
	if (argc == 5 && !strcmp(argv[1], "start"))
		return start_words(argv);
	if (argc == 3 && !strcmp(argv[1], "resume"))
		resume(argv[2]);
	else if (argc == 3 && !strcmp(argv[1], "abandon"))
		abandon(argv[2]);
	else
		return usage();
	return 0;
}
