/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a PCI function is called.
 */
#ifndef PCI_NAME_H
#define PCI_NAME_H

#include <iommuser/types.h>

/** struct pci_name - "ssss:bb:dd.f" */
struct pci_name {
	char text[sizeof("ffff:ff:1f.7")];
};

/**
 * pci_name - of a segment and bus << 8 | devfn
 *
 * Both have 16 bits; what a record has above them, verify reports.
 */
struct pci_name pci_name(u64 segment, u64 bdf);

#endif /* PCI_NAME_H */
