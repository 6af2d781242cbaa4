/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Wire layout of KHO's "kexec-metadata" sub-blob.
 */
#ifndef KHO_ABI_KEXEC_METADATA_H
#define KHO_ABI_KEXEC_METADATA_H

#include <iommuser/types.h>

#define KEXEC_METADATA_VERSION 1
#define KEXEC_METADATA_RELEASE_SIZE 65

/**
 * struct kexec_metadata_v1_ser - which kernel handed over
 * @version: KEXEC_METADATA_VERSION
 * @previous_release: release of the kernel that wrote this, NUL-terminated
 * @kexec_count: handovers since the cold boot
 */
struct kexec_metadata_v1_ser {
	u32 version;
	char previous_release[KEXEC_METADATA_RELEASE_SIZE];
	u32 kexec_count;
} __attribute__((packed));

#endif /* KHO_ABI_KEXEC_METADATA_H */
