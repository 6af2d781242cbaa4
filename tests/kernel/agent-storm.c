// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Commands of the agent that keep a device's DMA going while others run: a thread that has a
 * virtio-rng fill buffers without a pause and looks at each of them, and replacing the HWPT of a
 * device over and over.
 */
#include "agent.h"

#include <errno.h>
#include <linux/vfio.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define STORMS 4
#define STUCK_SECONDS 10

/* A virtqueue as virtio lays it out, in little endian. */
struct descriptor {
	uint64_t address;
	uint32_t length;
	uint16_t flags;
	uint16_t next;
};

#define DESCRIPTOR_WRITE 2

struct ring {
	uint16_t flags;
	uint16_t index;
	uint16_t slots[];
};

/**
 * struct storm - a device under a stream of requests
 * @name: empty for a free slot
 * @descriptors: the queue's table
 * @available: where requests are posted
 * @used: where the device says which it has done
 * @buffers: one for each descriptor, side by side
 * @notify: register that has the device look at the queue
 * @iova: of @buffers, for the device
 * @queue: descriptors
 * @length: bytes of a buffer
 * @posted: requests that were made since the queue was set up
 * @done: buffers that were filled by the storm
 * @stop: it is to end
 * @error: 0, or a negative errno of the request that was not answered as it should
 */
struct storm {
	char name[AGENT_NAME_MAX];
	volatile struct descriptor *descriptors;
	volatile struct ring *available;
	volatile struct ring *used;
	unsigned char *buffers;
	volatile uint16_t *notify;
	uint64_t iova;
	uint64_t queue;
	uint64_t length;
	uint16_t posted;
	atomic_ullong done;
	atomic_bool stop;
	int error;
	pthread_t thread;
};

static struct storm storms[STORMS];

static bool stuck(const struct timespec *since)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec - since->tv_sec > STUCK_SECONDS;
}

/* One request: an empty buffer goes out, and has to come back full. */
static int fill_one(struct storm *storm)
{
	uint16_t slot = (uint16_t)(storm->posted % storm->queue);
	unsigned char *buffer = storm->buffers + slot * storm->length;
	volatile struct descriptor *descriptor = &storm->descriptors[slot];
	struct timespec began;
	uint64_t i;

	memset(buffer, 0, storm->length);
	descriptor->address = storm->iova + slot * storm->length;
	descriptor->length = (uint32_t)storm->length;
	descriptor->flags = DESCRIPTOR_WRITE;
	descriptor->next = 0;
	storm->available->slots[slot] = slot;
	atomic_thread_fence(memory_order_seq_cst);
	storm->available->index = ++storm->posted;
	atomic_thread_fence(memory_order_seq_cst);
	*storm->notify = 0;
	clock_gettime(CLOCK_MONOTONIC, &began);
	while (storm->used->index != storm->posted)
		if (stuck(&began))
			return -ETIMEDOUT;
	atomic_thread_fence(memory_order_seq_cst);
	for (i = 0; i < storm->length; i++)
		if (buffer[i])
			return 0;
	return -EIO;
}

static void *run_storm_thread(void *argument)
{
	struct storm *storm = argument;

	while (!storm->error && !atomic_load(&storm->stop)) {
		storm->error = fill_one(storm);
		if (!storm->error)
			atomic_fetch_add(&storm->done, 1);
	}
	return NULL;
}

static struct storm *find_storm(const char *name)
{
	unsigned int i;

	for (i = 0; i < STORMS; i++)
		if (!strcmp(storms[i].name, name))
			return &storms[i];
	return NULL;
}

static int describe_storm(struct call *call, struct storm *storm)
{
	uint64_t notify, ring, available, used, buffers, posted;
	struct object *memory, *bar;
	char *base;
	int err;

	if ((err = mapped_object_at(call, 1, &memory)) || (err = mapped_object_at(call, 2, &bar)) ||
	    (err = number_at(call, 3, &notify)) || (err = number_option(call, "ring", 0, &ring)) ||
	    (err = number_option(call, "available", 0, &available)) ||
	    (err = number_option(call, "used", 0, &used)) ||
	    (err = number_option(call, "buffers", 0, &buffers)) ||
	    (err = number_option(call, "iova", 0, &storm->iova)) ||
	    (err = number_option(call, "queue", 8, &storm->queue)) ||
	    (err = number_option(call, "length", 64, &storm->length)) ||
	    (err = number_option(call, "posted", 0, &posted)))
		return err;
	if (!storm->queue || ring + 16 * storm->queue > memory->size ||
	    available + 4 + 2 * storm->queue > memory->size || used + 4 > memory->size ||
	    buffers + storm->queue * storm->length > memory->size || notify + 2 > bar->size)
		return refuse(call, EBADMSG, "outside the memory or the BAR");
	base = memory->map;
	storm->descriptors = (struct descriptor *)(base + ring);
	storm->available = (struct ring *)(base + available);
	storm->used = (struct ring *)(base + used);
	storm->buffers = (unsigned char *)base + buffers;
	storm->notify = (uint16_t *)((char *)bar->map + notify);
	storm->iova += buffers;
	storm->posted = (uint16_t)posted;
	return 0;
}

/*
 * storm NAME MEMORY BAR NOTIFY ring=N available=N used=N buffers=N iova=N [queue=8] [length=64]
 * [posted=N]: offsets in the memory, which the device has at that IOVA; requests made so far
 */
static int run_storm(struct call *call)
{
	struct storm *storm = find_storm("");
	int err;

	if (!storm || find_storm(call->words[0]) || strlen(call->words[0]) >= sizeof(storm->name))
		return refuse(call, EBADMSG, "name taken or too long, or too many of them");
	memset(storm, 0, sizeof(*storm));
	err = describe_storm(call, storm);
	if (err)
		return err;
	err = pthread_create(&storm->thread, NULL, run_storm_thread, storm);
	if (!err)
		strcpy(storm->name, call->words[0]);
	return -err;
}

/* storm-count NAME: buffers filled so far */
static int run_storm_count(struct call *call)
{
	struct storm *storm = find_storm(call->words[0]);

	if (!storm)
		return refuse(call, EBADMSG, "no storm of that name");
	reply(call, " %llu", (unsigned long long)atomic_load(&storm->done));
	return 0;
}

/* storm-stop NAME: buffers filled, and what posted= is to be for the next; EIO, ETIMEDOUT: one was not */
static int run_storm_stop(struct call *call)
{
	struct storm *storm = find_storm(call->words[0]);

	if (!storm)
		return refuse(call, EBADMSG, "no storm of that name");
	atomic_store(&storm->stop, true);
	pthread_join(storm->thread, NULL);
	storm->name[0] = 0;
	reply(call, " %llu %u", (unsigned long long)atomic_load(&storm->done), storm->posted);
	return storm->error;
}

/* replace CDEV COUNT ID ID...: attach to each in turn, COUNT times in all; nanoseconds it took */
static int run_replace(struct call *call)
{
	struct vfio_device_attach_iommufd_pt attach = { .argsz = sizeof(attach) };
	uint64_t count, ids[AGENT_WORDS], done;
	struct timespec from, to;
	struct object *cdev;
	unsigned int i;
	int err;

	if ((err = object_at(call, 0, &cdev)) || (err = number_at(call, 1, &count)))
		return err;
	for (i = 2; i < call->count; i++)
		if ((err = number_at(call, i, &ids[i - 2])))
			return err;
	clock_gettime(CLOCK_MONOTONIC, &from);
	for (done = 0; done < count; done++) {
		attach.pt_id = (uint32_t)ids[done % (call->count - 2)];
		if (ioctl(cdev->fd, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &attach) < 0) {
			err = -errno;
			reply(call, " after %llu", (unsigned long long)done);
			return err;
		}
	}
	clock_gettime(CLOCK_MONOTONIC, &to);
	reply(call, " %lld",
	      (long long)(to.tv_sec - from.tv_sec) * 1000000000 + to.tv_nsec - from.tv_nsec);
	return 0;
}

/* clang-format off */
const struct command storm_commands[] = {
	{ "storm", 4, run_storm },
	{ "storm-count", 1, run_storm_count },
	{ "storm-stop", 1, run_storm_stop },
	{ "replace", 3, run_replace },
	{ 0 },
};
/* clang-format on */
