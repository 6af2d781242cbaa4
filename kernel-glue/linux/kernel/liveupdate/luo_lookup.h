/* SPDX-License-Identifier: GPL-2.0-only */
/* What LUO's session and file code shares with luo_lookup.c. */
#ifndef _LINUX_LUO_LOOKUP_H
#define _LINUX_LUO_LOOKUP_H

#include <linux/types.h>

struct file;
struct liveupdate_file_op_args;
struct luo_file;
struct luo_file_set;
struct luo_session;

void luo_op_args_identify(struct liveupdate_file_op_args *args, struct luo_file_set *file_set,
			  u64 token);
struct luo_file *luo_file_next(struct luo_file_set *file_set, struct luo_file *luo_file,
			       struct liveupdate_file_op_args *args);
int luo_session_close(struct luo_session *session);

#endif /* _LINUX_LUO_LOOKUP_H */
