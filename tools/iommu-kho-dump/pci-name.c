// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What a PCI function is called.
 */
#include "pci-name.h"

#include <stdio.h>

struct pci_name pci_name(u64 segment, u64 bdf)
{
	struct pci_name name;

	snprintf(name.text, sizeof(name.text), "%04x:%02x:%02x.%x",
		 (unsigned int)(segment & 0xffff), (unsigned int)(bdf >> 8 & 0xff),
		 (unsigned int)(bdf >> 3 & 0x1f), (unsigned int)(bdf & 7));
	return name;
}
