// SPDX-License-Identifier: GPL-2.0-only
/*
 * What concerns several files of a live update session. Lookups: a file handler
 * that depends on another file finds that file's token before the kexec, and
 * the file by its token after it. And giving up a session that can't finish.
 *
 * Handlers see a session as an opaque struct liveupdate_session. It is the
 * struct luo_session, whose mutex LUO holds around every callback.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/bug.h>
#include <linux/cleanup.h>
#include <linux/container_of.h>
#include <linux/export.h>
#include <linux/liveupdate.h>
#include <linux/lockdep.h>
#include <linux/mutex.h>
#include <linux/printk.h>
#include "luo_internal.h"

/*
 * How deep retrieve() callbacks may ask for further files. Real dependencies
 * (a device needs its iommufd, which needs a memfd) are shorter; a chain made
 * up by a broken handover would else exhaust the stack.
 */
#define LUO_RETRIEVE_DEPTH_MAX	4

static struct luo_session *to_luo_session(struct liveupdate_session *session)
{
	return (struct luo_session *)session;
}

/**
 * luo_op_args_identify() - tell a file callback which file of which session it is for
 * @args: arguments of the callback that is about to be made
 * @file_set: the session's files
 * @token: token of the file
 *
 * Lock: the session's mutex, which the callback then runs under.
 */
void luo_op_args_identify(struct liveupdate_file_op_args *args, struct luo_file_set *file_set,
			  u64 token)
{
	struct luo_session *session = container_of(file_set, struct luo_session, file_set);

	lockdep_assert_held(&session->mutex);
	args->session = (struct liveupdate_session *)session;
	args->token = token;
}

/**
 * liveupdate_get_token_outgoing() - token of a file that is preserved in a session
 * @session: an outgoing session, from the arguments of a file callback
 * @file: any file
 * @token: set on success
 *
 * The file whose preserve() callback is running is not yet in the session. The
 * answer holds until the callback returns; a file stays in its session until
 * the session is closed, which takes its files out last first: a file that was
 * preserved later never outlives, in the session, the one found here.
 *
 * Lock: the session's mutex, that is, call it from preserve(), unpreserve(),
 * freeze() or unfreeze() with the session given there. It takes no lock.
 * Context: process.
 * Return: 0; -ENOENT, @file is not preserved in @session; -EINVAL, @session is
 * an incoming one.
 */
int liveupdate_get_token_outgoing(struct liveupdate_session *session, struct file *file,
				  u64 *token)
{
	struct luo_session *luo_session = to_luo_session(session);
	struct liveupdate_file_op_args args = {};
	struct luo_file *it = NULL;

	lockdep_assert_held(&luo_session->mutex);
	if (WARN_ON_ONCE(luo_session->retrieved))
		return -EINVAL;

	while ((it = luo_file_next(&luo_session->file_set, it, &args))) {
		if (args.file == file) {
			*token = args.token;
			return 0;
		}
	}

	return -ENOENT;
}
EXPORT_SYMBOL_GPL(liveupdate_get_token_outgoing);

/**
 * liveupdate_get_file_incoming() - the file an incoming session has under a token
 * @session: an incoming session, from the arguments of a file callback
 * @token: from the caller's own preserved data, so not to be trusted
 * @filep: set on success; the caller calls fput()
 *
 * A file that has not been retrieved yet is retrieved now; userspace can still
 * get it by its token afterwards. The file may be of any type: check that it is
 * of the expected one before using it.
 *
 * Lock: the session's mutex, that is, call it from retrieve(), can_finish() or
 * finish() with the session given there. The mutex of the file that is looked
 * up is taken inside that of the file whose callback is running; a handler must
 * not hold a lock of its own that the other file's retrieve() takes.
 * Context: process, may sleep.
 * Return: 0; -ENOENT, no such file, or it is finished already; -EDEADLK, the
 * callback of that file is running, so files depend on each other in a circle;
 * -ELOOP, the dependencies are too deep; -EINVAL, @session is an outgoing one;
 * or what that file's retrieve() returned, now or when it was first tried. Only
 * -EAGAIN is not kept: a retrieve() that has done nothing yet may return it, and
 * is tried again the next time.
 */
int liveupdate_get_file_incoming(struct liveupdate_session *session, u64 token,
				 struct file **filep)
{
	struct luo_session *luo_session = to_luo_session(session);
	int err;

	lockdep_assert_held(&luo_session->mutex);
	if (WARN_ON_ONCE(!luo_session->retrieved))
		return -EINVAL;
	if (luo_session->retrieve_depth == LUO_RETRIEVE_DEPTH_MAX)
		return -ELOOP;

	luo_session->retrieve_depth++;
	err = luo_retrieve_file(&luo_session->file_set, token, filep);
	luo_session->retrieve_depth--;

	return err;
}
EXPORT_SYMBOL_GPL(liveupdate_get_file_incoming);

static void luo_session_abandon(struct luo_session *session)
{
	struct liveupdate_file_op_args args = {};
	struct luo_file *it = NULL;

	while ((it = luo_file_next(&session->file_set, it, &args)))
		if (args.handler->ops->abandon)
			args.handler->ops->abandon(&args);
}

/**
 * luo_session_close() - finish an incoming session whose last descriptor is closed
 * @session: a session that was retrieved
 *
 * Nobody can finish the session by hand from now on. If a file of it can't
 * finish, whoever would have seen to that is gone: every file is abandoned, by
 * the optional operation abandon(), and then the session finishes. It makes no
 * difference whether userspace has tried to finish it before.
 *
 * abandon() is called for every file that has the operation, in the order in
 * which they were preserved, whether it was retrieved or not (@file is NULL
 * then), and before any file is finished: what one file's finish() frees may
 * still be in use by a device of another file. It runs under the session's
 * mutex, it can't fail, it must not look up other files, and afterwards nothing
 * outside the kernel uses what the file preserved. A handler whose can_finish()
 * can return false should have it: can_finish() is asked once more, and when it
 * says no again, the session is lost until the next boot, with its memory.
 *
 * Context: process, may sleep.
 * Return: 0, or what luo_file_finish() returned.
 */
int luo_session_close(struct luo_session *session)
{
	int err;

	guard(mutex)(&session->mutex);
	err = luo_file_finish(&session->file_set);
	if (!err)
		return 0;

	pr_warn("session [%s] is closed before it can finish, abandoning its files\n",
		session->name);
	luo_session_abandon(session);

	return luo_file_finish(&session->file_set);
}
