/* SPDX-License-Identifier: GPL-2.0-only */
/* What LUO's session and file code shares with the lookups in luo_lookup.c. */
#ifndef _LINUX_LUO_LOOKUP_H
#define _LINUX_LUO_LOOKUP_H

#include <linux/types.h>

struct file;
struct liveupdate_file_op_args;
struct luo_file_set;

void luo_op_args_identify(struct liveupdate_file_op_args *args, struct luo_file_set *file_set,
			  u64 token);
int luo_file_token(struct luo_file_set *file_set, const struct file *file, u64 *token);

#endif /* _LINUX_LUO_LOOKUP_H */
