/* SPDX-License-Identifier: GPL-2.0-only */
/* Memory of retrieved memfds that devices still write to, for the memfd handler of LUO. */
#ifndef _LINUX_LIVEUPDATE_MEMFD_H
#define _LINUX_LIVEUPDATE_MEMFD_H

#include <linux/types.h>

struct file;
struct folio;
struct liveupdate_file_op_args;
struct memfd_luo_folio_ser;
struct memfd_luo_ser;

int memfd_luo_hold(struct liveupdate_file_op_args *args, struct file *file,
		   const struct memfd_luo_ser *ser, struct memfd_luo_folio_ser *folios,
		   int (*retrieve)(struct file *file, struct memfd_luo_folio_ser *folios,
				   u64 nr_folios));
struct folio *memfd_luo_held_folio(phys_addr_t phys);
void memfd_luo_release(struct liveupdate_file_op_args *args);

#endif /* _LINUX_LIVEUPDATE_MEMFD_H */
