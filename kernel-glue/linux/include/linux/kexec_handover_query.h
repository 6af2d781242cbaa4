/* SPDX-License-Identifier: GPL-2.0-only */
/* Questions to KHO: what is still preserved, and is this the jump? */
#ifndef LINUX_KEXEC_HANDOVER_QUERY_H
#define LINUX_KEXEC_HANDOVER_QUERY_H

#include <linux/errno.h>
#include <linux/types.h>

#ifdef CONFIG_KEXEC_HANDOVER

int kho_preserved_block(phys_addr_t phys, phys_addr_t *head);
void *kho_preserved_page(phys_addr_t phys);
unsigned long kho_next_preserved(unsigned long pfn, unsigned long end, unsigned int *order);
bool kho_handing_over(void);

#else

static inline int kho_preserved_block(phys_addr_t phys, phys_addr_t *head)
{
	return -ENOENT;
}

static inline void *kho_preserved_page(phys_addr_t phys)
{
	return NULL;
}

static inline unsigned long kho_next_preserved(unsigned long pfn, unsigned long end,
					       unsigned int *order)
{
	return end;
}

static inline bool kho_handing_over(void)
{
	return false;
}

#endif /* CONFIG_KEXEC_HANDOVER */
#endif /* LINUX_KEXEC_HANDOVER_QUERY_H */
