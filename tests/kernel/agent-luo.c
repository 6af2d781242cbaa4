// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Commands of the agent for the live update orchestrator: sessions and the files they carry. */
#include "agent.h"

#include <errno.h>
#include <linux/liveupdate.h>
#include <string.h>
#include <sys/ioctl.h>

/* session NAME LIVEUPDATE SESSION: create it */
static int run_session(struct call *call)
{
	struct liveupdate_ioctl_create_session session = { .size = sizeof(session) };
	struct object *liveupdate;
	int err = object_at(call, 1, &liveupdate);

	if (err)
		return err;
	strncpy((char *)session.name, call->words[2], sizeof(session.name) - 1);
	if (ioctl(liveupdate->fd, LIVEUPDATE_IOCTL_CREATE_SESSION, &session) < 0)
		return -errno;
	return new_object(call, call->words[0], session.fd, NULL);
}

/* session-retrieve NAME LIVEUPDATE SESSION */
static int run_session_retrieve(struct call *call)
{
	struct liveupdate_ioctl_retrieve_session session = { .size = sizeof(session) };
	struct object *liveupdate;
	int err = object_at(call, 1, &liveupdate);

	if (err)
		return err;
	strncpy((char *)session.name, call->words[2], sizeof(session.name) - 1);
	if (ioctl(liveupdate->fd, LIVEUPDATE_IOCTL_RETRIEVE_SESSION, &session) < 0)
		return -errno;
	return new_object(call, call->words[0], session.fd, NULL);
}

/* preserve SESSION TOKEN FILE */
static int run_preserve(struct call *call)
{
	struct liveupdate_session_preserve_fd preserve = { .size = sizeof(preserve) };
	struct object *session, *file;
	uint64_t token;
	int err;

	if ((err = object_at(call, 0, &session)) || (err = number_at(call, 1, &token)) ||
	    (err = object_at(call, 2, &file)))
		return err;
	preserve.fd = file->fd;
	preserve.token = token;
	return ioctl(session->fd, LIVEUPDATE_SESSION_PRESERVE_FD, &preserve) < 0 ? -errno : 0;
}

/* retrieve SESSION TOKEN NAME */
static int run_retrieve(struct call *call)
{
	struct liveupdate_session_retrieve_fd retrieve = { .size = sizeof(retrieve) };
	struct object *session;
	uint64_t token;
	int err;

	if ((err = object_at(call, 0, &session)) || (err = number_at(call, 1, &token)))
		return err;
	retrieve.token = token;
	if (ioctl(session->fd, LIVEUPDATE_SESSION_RETRIEVE_FD, &retrieve) < 0)
		return -errno;
	return new_object(call, call->words[2], retrieve.fd, NULL);
}

/* finish SESSION */
static int run_finish(struct call *call)
{
	struct liveupdate_session_finish finish = { .size = sizeof(finish) };
	struct object *session;
	int err = object_at(call, 0, &session);

	if (err)
		return err;
	return ioctl(session->fd, LIVEUPDATE_SESSION_FINISH, &finish) < 0 ? -errno : 0;
}

/* clang-format off */
const struct command luo_commands[] = {
	{ "session", 3, run_session },
	{ "session-retrieve", 3, run_session_retrieve },
	{ "preserve", 3, run_preserve },
	{ "retrieve", 3, run_retrieve },
	{ "finish", 1, run_finish },
	{ 0 },
};
/* clang-format on */
