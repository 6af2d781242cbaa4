/* SPDX-License-Identifier: GPL-2.0-only */
/* Finding other files of a live update session, for file handlers. */
#ifndef _LINUX_LIVEUPDATE_LOOKUP_H
#define _LINUX_LIVEUPDATE_LOOKUP_H

#include <linux/errno.h>
#include <linux/liveupdate_memfd.h>
#include <linux/types.h>

struct file;
struct liveupdate_session;

#ifdef CONFIG_LIVEUPDATE

int liveupdate_get_token_outgoing(struct liveupdate_session *session, struct file *file,
				  u64 *token);
int liveupdate_get_file_incoming(struct liveupdate_session *session, u64 token,
				 struct file **filep);

#else

static inline int liveupdate_get_token_outgoing(struct liveupdate_session *session,
						struct file *file, u64 *token)
{
	return -EOPNOTSUPP;
}

static inline int liveupdate_get_file_incoming(struct liveupdate_session *session, u64 token,
					       struct file **filep)
{
	return -EOPNOTSUPP;
}

#endif /* CONFIG_LIVEUPDATE */
#endif /* _LINUX_LIVEUPDATE_LOOKUP_H */
